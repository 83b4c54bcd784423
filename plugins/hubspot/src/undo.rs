//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the record is read and compared facet by facet with what was recorded (rule D-11); what HubSpot
//! changes by itself is not among the facets. What hangs on a record and was not made by this run is in the way, since it would
//! lose what it hangs on (rule D-10). All of a unit is read by object type, and archived in one request for a hundred records,
//! activities before what they hang on (HubSpot facts §18). Archived records are in the recycle bin for ninety days, e-mails are
//! gone (HubSpot facts §0.7). Nothing is ever deleted for good by `gdpr-delete`, which would block addresses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, changed_since, recorded_names, verdict};
use transload_sdk::http::segment;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, by_kind, put_back, rounds_by_kind, to_read, unanswered};

use crate::api::{Fault, Record};
use crate::client::{self, ChangeRow, Deleted};
use crate::map;
use crate::own;
use crate::thread::{self, Activity, CONTACTS, TICKETS};
use crate::write::facet;
use crate::write::files::{self, FILES, FOLDERS};
use crate::write::unmake;

/// Undoes effects and reports each: first what was changed, in the order given, then what was made, activities first.
///
/// # Errors
/// What ends the unit; effects without an outcome stay open.
pub async fn undo(
    cx: &Context,
    mode: UndoMode,
    effects: Vec<Undoing>,
    ours: Vec<(String, String)>,
) -> Result<(), Error> {
    let undo = Undo {
        session: Session::new(cx, mode, ours),
    };
    let (mut updated, mut created, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for one in &effects {
        let object = one.effect.target_kind.as_str();
        match one.effect.action {
            Action::Matched => undo.session.say(one, (UndoStatus::Left, None)),
            _ if !is_record(object) => others.push(one),
            Action::Updated => updated.push(one),
            Action::Created => created.push(one),
        }
    }
    undo.restore(&updated).await?;
    undo.delete(&created).await?;
    // Files after the activities that name them, folders after what is in them, the rest in the order given.
    others.sort_by_key(|one| match one.effect.target_kind.as_str() {
        FILES => 0,
        FOLDERS => 1,
        _ => 2,
    });
    let (many, others): (Vec<&Undoing>, Vec<&Undoing>) = others
        .into_iter()
        .partition(|one| unmake::is_many(&one.effect.target_kind));
    let verdicts = unmake::many(&undo.session, &many).await?;
    for (one, verdict) in many.into_iter().zip(verdicts) {
        undo.session.say(one, verdict);
    }
    for one in others {
        let verdict = match one.effect.target_kind.as_str() {
            FILES => undo.file(one).await?,
            FOLDERS => undo.folder(one).await?,
            _ => unmake::one(&undo.session, one).await?,
        };
        undo.session.say(one, verdict);
    }
    Ok(cx.reported().await?)
}

/// Whether effects of this kind are about records of the CRM.
pub fn is_record(object: &str) -> bool {
    matches!(object, CONTACTS | "companies" | TICKETS)
        || Activity::of(object).is_some()
        || own::is_custom(object)
}

struct Undo<'a> {
    session: Session<'a>,
}

fn id_in(one: &Undoing) -> String {
    map::record_id(&one.effect.target_id).to_owned()
}

impl Undo<'_> {
    // ---- what was changed

    /// Puts back what updates changed, where it still is what we wrote. A record that was changed twice is put back twice, the
    /// later change first.
    async fn restore(&self, all: &[&Undoing]) -> Result<(), Error> {
        for (object, some) in rounds_by_kind(all, id_in) {
            self.restore_object(object, &some).await?;
        }
        Ok(())
    }

    /// The same for records of one object type: read together, changed together.
    async fn restore_object(&self, object: &str, some: &[&Undoing]) -> Result<(), Error> {
        let known = self.session.before(some);
        let ids = known.iter().map(|(one, _)| id_in(one)).collect();
        let now = self.read(object, &ids, &to_read(&known)).await?;
        let (mut rows, mut waiting) = (Vec::new(), Vec::new());
        for (one, before) in known {
            let id = id_in(one);
            let Some(record) = now.get(&id) else {
                self.session.say(one, (UndoStatus::Gone, None));
                continue;
            };
            let conflict = changed_since(&one.effect, &facets_now(object, record));
            let there = Value::Object(record.properties.clone());
            if self.session.restores(one, &before, &there, conflict) {
                rows.push(ChangeRow {
                    id,
                    properties: before,
                });
                waiting.push(one);
            }
        }
        let Some(first) = waiting.first() else {
            return Ok(());
        };
        let batch = format!("undo:{}", first.effect_id);
        let done = client::change(self.session.cx, object, &batch, &rows).await?;
        for (one, done) in waiting.into_iter().zip(done) {
            self.session.say(one, put_back(&done));
        }
        Ok(())
    }

    // ---- what was made

    async fn delete(&self, all: &[&Undoing]) -> Result<(), Error> {
        // Activities are judged before what they hang on, since what stays keeps that.
        let mut objects: Vec<(&str, Vec<&Undoing>)> = by_kind(all).into_iter().collect();
        objects.sort_by_key(|(object, _)| rank(object));
        let mut leaving: BTreeSet<(String, String)> = BTreeSet::new();
        for (object, some) in objects {
            let doomed = self.judge(object, &some, &leaving).await?;
            leaving.extend(doomed.iter().map(|one| (object.to_owned(), id_in(one))));
            if self.session.previews() {
                for one in doomed {
                    self.session.say(one, (UndoStatus::Undone, None));
                }
                continue;
            }
            let Some(first) = doomed.first() else {
                continue;
            };
            let ids: Vec<String> = doomed.iter().map(|one| id_in(one)).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let batch = format!("undo:{}", first.effect_id);
            let gone = client::archive(self.session.cx, object, &batch, &ids).await?;
            let asked = doomed.into_iter().zip(gone);
            let (sure, open): (Vec<_>, Vec<_>) =
                asked.partition(|(_, d)| matches!(d, Deleted::Done | Deleted::Gone));
            for (one, _) in sure {
                // It was there right before.
                self.session.say(one, (UndoStatus::Undone, None));
            }
            self.look_again(object, open).await?;
        }
        Ok(())
    }

    /// What was refused or not answered: gone after all, or still there.
    async fn look_again(&self, object: &str, open: Vec<(&Undoing, Deleted)>) -> Result<(), Error> {
        if open.is_empty() {
            return Ok(());
        }
        if open
            .iter()
            .any(|(_, deleted)| *deleted == Deleted::Unsettled)
        {
            self.session.cx.sleep(client::SETTLE_MS).await;
        }
        let ids: BTreeSet<String> = open.iter().map(|(one, _)| id_in(one)).collect();
        let still = client::read(self.session.cx, object, &ids, &[]).await?;
        for (one, deleted) in open {
            let verdict = match deleted {
                _ if !still.contains_key(&id_in(one)) => (UndoStatus::Undone, None),
                Deleted::Refused(fault) => verdict(UndoStatus::Failed, fault.said()),
                _ => unanswered("deletion"),
            };
            self.session.say(one, verdict);
        }
        Ok(())
    }

    /// Reads records of one object type and sorts them: what is gone or in conflict has its outcome; gives the rest.
    async fn judge<'u>(
        &self,
        object: &str,
        some: &[&'u Undoing],
        leaving: &BTreeSet<(String, String)>,
    ) -> Result<Vec<&'u Undoing>, Error> {
        let ids: BTreeSet<String> = some.iter().map(|one| id_in(one)).collect();
        let names = some.iter().flat_map(|one| recorded_names(&one.effect));
        let names = names.collect();
        let now = self.read(object, &ids, &names).await?;
        let there: BTreeSet<String> = now.keys().cloned().collect();
        let foreign = self.foreign(object, &there, leaving).await?;
        let mut doomed = Vec::new();
        for one in some {
            let id = id_in(one);
            let Some(record) = now.get(&id) else {
                self.session.say(one, self.absent(object, &id).await?);
                continue;
            };
            let conflict = changed_since(&one.effect, &facets_now(object, record));
            let conflict = conflict.or_else(|| foreign.get(&id).cloned());
            if self.session.blocks(&conflict) {
                self.session.say(one, (UndoStatus::Conflict, conflict));
            } else {
                doomed.push(*one);
            }
        }
        Ok(doomed)
    }

    /// Records as they are now, with the facets that were recorded.
    async fn read(
        &self,
        object: &str,
        ids: &BTreeSet<String>,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Record>, Error> {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        if merges(object) {
            names.push("hs_merged_object_ids");
        }
        let mut found = client::read(self.session.cx, object, ids, &names).await?;
        // One that was merged is answered by the id of the other.
        found.retain(|id, _| ids.contains(id));
        Ok(found)
    }

    /// What became of a record that is not to be read: deleted, or merged into another (rule D-10).
    async fn absent(&self, object: &str, id: &str) -> Result<Verdict, Error> {
        if merges(object) {
            let path = client::objects(object, &format!("/{}", segment(id)));
            let found: Option<Record> = client::find(self.session.cx, &path).await?;
            if let Some(other) = found.filter(|other| other.id != id) {
                let why = format!("it was merged into {}", other.id);
                return Ok(verdict(UndoStatus::Conflict, why));
            }
        }
        Ok((UndoStatus::Gone, None))
    }

    /// What hangs on records and is neither this run's nor about to go: by the record, in words.
    async fn foreign(
        &self,
        object: &str,
        ids: &BTreeSet<String>,
        leaving: &BTreeSet<(String, String)>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        for child in dependents(object) {
            let links = match client::read_links(self.session.cx, object, child, ids).await {
                // What the credential may not see is not looked for.
                Err(Error::Permission(_)) => continue,
                links => links?,
            };
            for (parent, links) in links {
                let is_theirs = |id: &str| {
                    let of_child = ((*child).to_owned(), id.to_owned());
                    !leaving.contains(&of_child) && !self.session.is_ours(child, id)
                };
                let theirs = links.iter().filter(|link| is_theirs(&link.to_object_id));
                let theirs: BTreeSet<&str> =
                    theirs.map(|link| link.to_object_id.as_str()).collect();
                if !theirs.is_empty() {
                    let said = format!("{} {child}", theirs.len());
                    counts.entry(parent).or_default().push(said);
                }
            }
        }
        let said = |all: Vec<String>| {
            format!("what this run did not make hangs on it: {}", all.join(", "))
        };
        let each = counts.into_iter().map(|(parent, all)| (parent, said(all)));
        Ok(each.collect())
    }

    // ---- files

    async fn file(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let Some(stored) = files::by_id(self.session.cx, id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = changed_since(&one.effect, &stored.facets());
        self.remove(
            one,
            conflict,
            client::files(&format!("/files/{}", segment(id))),
        )
        .await
    }

    /// A folder goes when nothing is in it any more (HubSpot facts §12).
    async fn folder(&self, one: &Undoing) -> Result<Verdict, Error> {
        let path = client::files(&format!("/folders/{}", segment(&one.effect.target_id)));
        let found: Option<Map<String, Value>> = client::find(self.session.cx, &path).await?;
        if found.is_none_or(|folder| folder.get("archived") == Some(&Value::Bool(true))) {
            return Ok((UndoStatus::Gone, None));
        }
        self.remove(one, None, path).await
    }

    async fn remove(
        &self,
        one: &Undoing,
        conflict: Option<String>,
        path: String,
    ) -> Result<Verdict, Error> {
        if let Some(decided) = self.session.decided(&conflict, UndoStatus::Undone) {
            return Ok(decided);
        }
        let key = self.session.key(one, "delete");
        Ok(
            match client::delete_at(self.session.cx, &path, key).await? {
                Deleted::Done | Deleted::Gone => (UndoStatus::Undone, None),
                Deleted::Refused(fault) if is_in_use(&fault) => {
                    verdict(UndoStatus::Conflict, fault.said())
                }
                Deleted::Refused(fault) => verdict(UndoStatus::Failed, fault.said()),
                Deleted::Unsettled => unanswered("deletion"),
            },
        )
    }
}

fn is_in_use(fault: &Fault) -> bool {
    fault.sub_category.contains("NOT_EMPTY") || fault.message.contains("not empty")
}

/// The order of deletion (HubSpot facts §18).
fn rank(object: &str) -> u8 {
    match object {
        TICKETS => 2,
        CONTACTS => 3,
        "companies" => 4,
        object if Activity::of(object).is_some() => 0,
        // Records of custom objects.
        _ => 1,
    }
}

/// Whether records of an object type can be merged (HubSpot facts §6).
fn merges(object: &str) -> bool {
    matches!(object, CONTACTS | "companies" | TICKETS)
}

/// What can hang on records of an object type and would lose what it hangs on.
fn dependents(object: &str) -> &'static [&'static str] {
    match object {
        "companies" => &[
            CONTACTS,
            TICKETS,
            "deals",
            "emails",
            "notes",
            "calls",
            "communications",
        ],
        CONTACTS => &[
            TICKETS,
            "deals",
            "emails",
            "notes",
            "calls",
            "communications",
        ],
        TICKETS => &[
            "emails",
            "notes",
            "calls",
            "communications",
            "tasks",
            "meetings",
        ],
        _ => &[],
    }
}

/// What of a record is compared. What was emptied since is there as empty.
pub fn facets_now(object: &str, record: &Record) -> Vec<(String, String)> {
    if Activity::of(object).is_some() {
        let mut facets = thread::facets(&record.properties);
        for name in thread::FACETS {
            if !facets.iter().any(|(known, _)| known == name) {
                facets.push((name.to_owned(), String::new()));
            }
        }
        return facets;
    }
    let facets = record.properties.iter();
    facets
        .map(|(name, value)| (name.clone(), facet(value)))
        .collect()
}
