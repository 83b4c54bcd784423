//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the record is read and compared facet by facet with what was recorded (rule D-11); what Salesforce
//! changes by itself is not among the facets. What hangs on a record and was not made by this run is in the way, since it would
//! go with it, or keep it (rule D-10, Salesforce facts §13). All of a unit is read by object, and deleted in one request for two
//! hundred records, children before what they hang on. Tasks that Salesforce made beside e-mails go with them. Deleted records
//! are in the recycle bin for fifteen days and block nothing.

use std::collections::{BTreeMap, BTreeSet};

use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, changed_since, recorded_names, verdict};
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, by_kind, put_back, rounds_by_kind, to_read, unanswered};

use crate::api::{Describe, Record, id_of, id18, text};
use crate::client::{self, ChangeRow, Deleted};
use crate::deploy::{self, Deployed};
use crate::fields::SOURCE_ID;
use crate::map::{self, FieldKind, FieldTarget};
use crate::thread::{CASE, COMMENT, MAIL, comment_facets};
use crate::write::cases::TOPIC as ASSIGNED;
use crate::write::facet;
use crate::write::files::{self, DOCUMENT, VERSION};
use crate::write::schema::{self, FIELD, OBJECT};
use crate::write::topics::TOPIC;

/// What shows a field.
const SHOWN: &str = "FieldPermissions";
/// What opens an object.
const OPENED: &str = "ObjectPermissions";

/// Undoes effects and reports each: first what was changed, in the order given, then what was made, children first.
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
        session: Session::new(cx, mode, Vec::new()),
        ours: ours
            .iter()
            .map(|(_, id)| map::record_id(id).to_owned())
            .collect(),
    };
    let (mut updated, mut created, mut metadata) = (Vec::new(), Vec::new(), Vec::new());
    for one in &effects {
        match one.effect.action {
            Action::Matched => undo.session.say(one, (UndoStatus::Left, None)),
            Action::Updated => updated.push(one),
            Action::Created if matches!(one.effect.target_kind.as_str(), FIELD | OBJECT) => {
                metadata.push(one);
            }
            Action::Created => created.push(one),
        }
    }
    undo.restore(&updated).await?;
    undo.delete(&created).await?;
    for one in metadata {
        let verdict = if one.effect.target_kind == FIELD {
            undo.field(one).await?
        } else {
            undo.object(one).await?
        };
        undo.session.say(one, verdict);
    }
    Ok(cx.reported().await?)
}

struct Undo<'a> {
    session: Session<'a>,
    /// Records of this run that stay for another reason.
    ours: BTreeSet<String>,
}

/// A record's id, as Salesforce knows it.
fn id_in(one: &Undoing) -> String {
    id18(map::record_id(&one.effect.target_id))
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

    /// The same for records of one object: read together, changed together.
    async fn restore_object(&self, object: &str, some: &[&Undoing]) -> Result<(), Error> {
        let known = self.session.before(some);
        let ids = known.iter().map(|(one, _)| id_in(one)).collect();
        let (now, absent) = self.look(object, &ids, &to_read(&known)).await?;
        let (mut rows, mut waiting) = (Vec::new(), Vec::new());
        for (one, before) in known {
            let id = id_in(one);
            let Some(record) = now.get(&id) else {
                let gone = (UndoStatus::Gone, None);
                let verdict = absent.get(&id).cloned();
                self.session.say(one, verdict.unwrap_or(gone));
                continue;
            };
            let conflict = changed_since(&one.effect, &facets_now(object, record));
            let there = serde_json::Value::Object(record.clone());
            if self.session.restores(one, &before, &there, conflict) {
                rows.push(ChangeRow {
                    item: one.item.clone(),
                    part: format!("undo:{}", one.effect_id),
                    object: object.to_owned(),
                    id,
                    values: before,
                });
                waiting.push(one);
            }
        }
        let Some(first) = waiting.first() else {
            return Ok(());
        };
        let batch = format!("undo:{}", first.effect_id);
        let done = client::change(self.session.cx, &batch, &rows).await?;
        for (one, done) in waiting.into_iter().zip(done) {
            self.session.say(one, put_back(&done));
        }
        Ok(())
    }

    // ---- what was made

    async fn delete(&self, all: &[&Undoing]) -> Result<(), Error> {
        let Some(first) = all.first() else {
            return Ok(());
        };
        // Children are judged before what they hang on, since what stays keeps that.
        let mut objects: Vec<(&str, Vec<&Undoing>)> = by_kind(all).into_iter().collect();
        objects.sort_by_key(|(object, _)| rank(object));
        let mut doomed: Vec<Doomed<'_>> = Vec::new();
        for (object, some) in objects {
            self.judge(object, &some, &mut doomed).await?;
        }
        if self.session.previews() {
            for one in doomed.iter().filter_map(|one| one.undoing) {
                self.session.say(one, (UndoStatus::Undone, None));
            }
            return Ok(());
        }
        doomed.sort_by_key(|one| one.rank);
        let ids: Vec<&str> = doomed.iter().map(|one| one.id.as_str()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let batch = format!("undo:{}", first.effect_id);
        let gone = client::delete(self.session.cx, &batch, &ids).await?;
        let open: Vec<&Undoing> = doomed
            .iter()
            .zip(&gone)
            .filter(|(_, deleted)| **deleted == Deleted::Unsettled)
            .filter_map(|(one, _)| one.undoing)
            .collect();
        let still = self.still_there(&open).await?;
        for (one, deleted) in doomed.iter().zip(gone) {
            let Some(undoing) = one.undoing else { continue };
            let verdict = match deleted {
                // It was there right before: gone by this request, or with what it hung on.
                Deleted::Done | Deleted::Gone => (UndoStatus::Undone, None),
                Deleted::Refused(fault) if fault.is("DELETE_FAILED") => {
                    verdict(UndoStatus::Conflict, fault.said())
                }
                Deleted::Refused(fault) => verdict(UndoStatus::Failed, fault.said()),
                Deleted::Unsettled if !still.contains(&one.id) => (UndoStatus::Undone, None),
                Deleted::Unsettled => unanswered("deletion"),
            };
            self.session.say(undoing, verdict);
        }
        Ok(())
    }

    /// Reads records of one object and sorts them: gone, in conflict, doomed.
    async fn judge<'u>(
        &self,
        object: &str,
        some: &[&'u Undoing],
        doomed: &mut Vec<Doomed<'u>>,
    ) -> Result<(), Error> {
        let ids: BTreeSet<String> = some.iter().map(|one| id_in(one)).collect();
        let names = some.iter().flat_map(|one| recorded_names(&one.effect));
        let names = names.collect();
        let (now, absent) = self.look(object, &ids, &names).await?;
        let leaving: BTreeSet<String> = doomed
            .iter()
            .map(|one| one.id.clone())
            .chain(ids.iter().cloned())
            .collect();
        let foreign = self.foreign(object, &ids, &leaving).await?;
        let mut taken = Vec::new();
        for one in some {
            let id = id_in(one);
            let Some(record) = now.get(&id) else {
                let gone = (UndoStatus::Gone, None);
                let verdict = absent.get(&id).cloned();
                self.session.say(one, verdict.unwrap_or(gone));
                continue;
            };
            let conflict = changed_since(&one.effect, &facets_now(object, record));
            let mut conflict = conflict.or_else(|| foreign.get(&id).cloned());
            if conflict.is_none() {
                conflict = match object {
                    SHOWN => self.shows_values(record).await?,
                    OPENED => self.holds_records(text(record, "SobjectType")).await?,
                    _ => None,
                };
            }
            if self.session.blocks(&conflict) {
                self.session.say(one, (UndoStatus::Conflict, conflict));
                continue;
            }
            // A task beside an e-mail is the e-mail's (Salesforce facts §9.3).
            let task = Some(id18(text(record, "ActivityId"))).filter(|id| !id.is_empty());
            taken.extend(task.map(|id| Doomed {
                id,
                rank: rank("Task"),
                undoing: None,
            }));
            taken.push(Doomed {
                id,
                rank: rank(object),
                undoing: Some(one),
            });
        }
        doomed.extend(taken);
        Ok(())
    }

    /// Records as they are now, and what became of those that are not to be read.
    async fn look(
        &self,
        object: &str,
        ids: &BTreeSet<String>,
        names: &BTreeSet<String>,
    ) -> Result<(BTreeMap<String, Record>, BTreeMap<String, Verdict>), Error> {
        let now = self.read(object, ids, names).await?;
        let missing = ids.iter().filter(|id| !now.contains_key(*id));
        let absent = self.absent(object, &missing.cloned().collect()).await?;
        Ok((now, absent))
    }

    /// Records as they are now, with the facets that were recorded.
    async fn read(
        &self,
        object: &str,
        ids: &BTreeSet<String>,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Record>, Error> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        if object == DOCUMENT {
            let select = "SELECT Id, ContentDocumentId, Checksum, Title FROM ContentVersion";
            let latest = Some("IsLatest = true");
            let rows =
                client::query_in(self.session.cx, select, "ContentDocumentId", ids, latest).await?;
            let of = |row: Record| (id18(text(&row, "ContentDocumentId")), row);
            return Ok(rows.into_iter().map(of).collect());
        }
        // Whoever asks after a rollback asks after fields and objects that went with it.
        let mut names = names.clone();
        if self.session.previews() {
            let Some(there) = client::describe(self.session.cx, object).await? else {
                return Ok(BTreeMap::new());
            };
            names.retain(|name| there.fields.iter().any(|field| field.name == *name));
        }
        let extra: &[&str] = match object {
            MAIL => &["ActivityId"],
            SHOWN => &["Field"],
            OPENED => &["SobjectType"],
            _ => &[],
        };
        let mut fields: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        fields.extend(extra);
        fields.remove("Id");
        let fields: Vec<&str> = std::iter::once("Id").chain(fields).collect();
        client::retrieve(self.session.cx, object, ids, &fields).await
    }

    /// What became of records that are not to be read: deleted, merged into others (rule D-10). What not even the recycle bin
    /// has was there for more than its days.
    async fn absent(
        &self,
        object: &str,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Verdict>, Error> {
        let merges = matches!(object, "Account" | "Contact" | "Lead" | CASE);
        if ids.is_empty() || !merges {
            return Ok(BTreeMap::new());
        }
        // Cases are merged in some orgs only.
        let there = client::describe(self.session.cx, object).await?;
        let names_master = |there: Describe| {
            there
                .fields
                .iter()
                .any(|field| field.name == "MasterRecordId")
        };
        if !there.is_some_and(names_master) {
            return Ok(BTreeMap::new());
        }
        let mut found = BTreeMap::new();
        let list: Vec<String> = ids.iter().map(|id| client::literal(id)).collect();
        for list in list.chunks(client::ROWS) {
            let soql = format!(
                "SELECT Id, IsDeleted, MasterRecordId FROM {object} WHERE Id IN ({})",
                list.join(",")
            );
            for record in client::query_all(self.session.cx, &soql).await? {
                let master = text(&record, "MasterRecordId");
                if !master.is_empty() {
                    let why = format!("it was merged into {master}");
                    found.insert(id_of(&record), verdict(UndoStatus::Conflict, why));
                }
            }
        }
        Ok(found)
    }

    /// What hangs on records and is neither this run's nor about to go: by the record, in words.
    async fn foreign(
        &self,
        object: &str,
        ids: &BTreeSet<String>,
        leaving: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut counts: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
        for (child, field, cascades) in dependents(object) {
            // What a preview has met is still there, tasks beside e-mails too.
            if self.session.previews() && *child == "Task" {
                continue;
            }
            let id_field = if *child == "ContentDocumentLink" {
                "ContentDocumentId"
            } else {
                "Id"
            };
            let select = format!("SELECT {id_field}, {field} FROM {child}");
            // What is asked for by anything but what it hangs on wants a limit (Salesforce facts §9.5).
            let and = (*child == ASSIGNED).then_some("TopicId != null LIMIT 1000");
            let rows = client::query_in(self.session.cx, &select, field, ids, and).await?;
            for row in rows {
                let id = id18(text(&row, id_field));
                // What would go with the record must be about to go by itself: one of ours that stays was changed by others.
                let is_known = leaving.contains(&id)
                    || ((!cascades || self.session.previews()) && self.ours.contains(&id));
                if !is_known {
                    let parent = id18(text(&row, field));
                    *counts.entry(parent).or_default().entry(child).or_default() += 1;
                }
            }
        }
        let said = |counts: BTreeMap<&str, usize>| {
            let each = counts.into_iter().map(|(child, n)| format!("{n} {child}"));
            let all: Vec<String> = each.collect();
            format!(
                "what this run did not make, or others changed, hangs on it: {}",
                all.join(", ")
            )
        };
        Ok(counts
            .into_iter()
            .map(|(parent, counts)| (parent, said(counts)))
            .collect())
    }

    // ---- fields and objects

    /// A field goes with what stands in it: values that stay are in the way.
    async fn field(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some(target) = FieldTarget::parse(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "not a field's address"));
        };
        // An object that went took its fields with it.
        let (object, name) = (target.object.as_str(), target.name.as_str());
        let Some(id) = schema::field_id(self.session.cx, object, name).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = self.used(object, name).await?;
        if let Some(decided) = self.session.decided(&conflict, UndoStatus::Undone) {
            return Ok(decided);
        }
        let url = client::path(&format!("/tooling/sobjects/CustomField/{id}"));
        let key = self.session.key(one, "delete");
        Ok(match client::delete_at(self.session.cx, &url, key).await? {
            Deleted::Done => (UndoStatus::Undone, None),
            Deleted::Gone => (UndoStatus::Gone, None),
            Deleted::Refused(fault) => verdict(UndoStatus::Failed, fault.said()),
            Deleted::Unsettled => unanswered("deletion"),
        })
    }

    /// Whether records have a value in a field: those of others, and those of this run that stay. Long texts cannot be asked for
    /// (Salesforce facts §7) and are read, of what we have loaded; a field that nobody is shown any more has none to show.
    async fn used(&self, object: &str, name: &str) -> Result<Option<String>, Error> {
        let Some(described) = client::describe(self.session.cx, object).await? else {
            return Ok(None);
        };
        let Some(field) = described.field(name) else {
            return Ok(None);
        };
        let kind = FieldKind::of(field);
        let long = matches!(
            kind,
            FieldKind::LongText(_) | FieldKind::Multipicklist(_) | FieldKind::Other(_)
        );
        // A file is known to the ledger by its document.
        let id = match object {
            VERSION => "Id, ContentDocumentId",
            _ => "Id",
        };
        let soql = match kind {
            _ if long && described.field(SOURCE_ID).is_none() => return Ok(None),
            _ if long => {
                format!("SELECT {id}, {name} FROM {object} WHERE {SOURCE_ID} != null LIMIT 2000")
            }
            // One that nobody has ticked is false.
            FieldKind::Checkbox => {
                format!("SELECT {id} FROM {object} WHERE {name} = true LIMIT 2000")
            }
            _ => format!("SELECT {id} FROM {object} WHERE {name} != null LIMIT 2000"),
        };
        let rows = client::query(self.session.cx, &soql).await?;
        let has_value =
            |row: &&Record| !long || row.get(name).is_some_and(|value| !value.is_null());
        // What a preview has met will be gone by then.
        let stays = |row: &&Record| {
            let met = [id_of(row), id18(text(row, "ContentDocumentId"))];
            !(self.session.previews() && met.iter().any(|id| self.ours.contains(id)))
        };
        let used = rows.iter().filter(has_value).filter(stays).count();
        Ok((used > 0).then(|| format!("{used} records that stay have a value in {object}.{name}")))
    }

    /// A field that nobody is shown any more could not be asked for its values: as long as it has some, it stays shown.
    async fn shows_values(&self, permission: &Record) -> Result<Option<String>, Error> {
        match text(permission, "Field").split_once('.') {
            Some((object, name)) => self.used(object, name).await,
            None => Ok(None),
        }
    }

    /// Whether records are in a custom object, whoever made them: they would go with it.
    async fn holds_records(&self, object: &str) -> Result<Option<String>, Error> {
        if !object.ends_with("__c") || client::describe(self.session.cx, object).await?.is_none() {
            return Ok(None);
        }
        let rows = client::query(
            self.session.cx,
            &format!("SELECT Id FROM {object} LIMIT 2000"),
        )
        .await?;
        let stays = |row: &&Record| !(self.session.previews() && self.ours.contains(&id_of(row)));
        let stay = rows.iter().filter(stays).count();
        Ok((stay > 0).then(|| format!("{stay} records that stay are in {object}")))
    }

    /// An object goes with its records: those that stay are in the way. One that nobody is shown any more had none, or it would
    /// still be shown.
    async fn object(&self, one: &Undoing) -> Result<Verdict, Error> {
        let object = one.effect.target_id.as_str();
        let word = client::literal(object.trim_end_matches("__c"));
        let soql = format!("SELECT Id FROM CustomObject WHERE DeveloperName = {word}");
        if client::tooling_query(self.session.cx, &soql)
            .await?
            .is_empty()
        {
            return Ok((UndoStatus::Gone, None));
        }
        let conflict = self.holds_records(object).await?;
        if let Some(decided) = self.session.decided(&conflict, UndoStatus::Undone) {
            return Ok(decided);
        }
        let key = self.session.key(one, "delete");
        Ok(
            match deploy::delete_object(self.session.cx, key, object).await? {
                Deployed::Done(_) => (UndoStatus::Undone, None),
                Deployed::Refused(why) => verdict(UndoStatus::Failed, why),
                Deployed::Unsettled => unanswered("deletion"),
            },
        )
    }

    async fn still_there(&self, open: &[&Undoing]) -> Result<BTreeSet<String>, Error> {
        let mut still = BTreeSet::new();
        if open.is_empty() {
            return Ok(still);
        }
        self.session.cx.sleep(client::SETTLE_MS).await;
        for (object, some) in by_kind(open) {
            let ids = some.iter().map(|one| id_in(one)).collect();
            let found = self.read(object, &ids, &BTreeSet::new()).await?;
            still.extend(found.into_keys());
        }
        Ok(still)
    }
}

/// A record that is to be deleted; a by-product has no effect of its own.
struct Doomed<'u> {
    id: String,
    rank: u8,
    undoing: Option<&'u Undoing>,
}

/// The order of deletion (Salesforce facts §13).
fn rank(object: &str) -> u8 {
    match object {
        ASSIGNED => 0,
        "FeedItem" | COMMENT => 1,
        "Task" => 2,
        MAIL => 3,
        DOCUMENT | "ContentDocumentLink" => 4,
        CASE => 6,
        "Contact" | "Lead" => 7,
        "Account" => 8,
        "GroupMember" => 9,
        "QueueSobject" => 10,
        "Group" => 11,
        "FieldPermissions" | "ObjectPermissions" | "PermissionSetAssignment" => 12,
        "PermissionSet" => 13,
        // Records of custom objects.
        _ => 5,
    }
}

/// What can hang on records of an object: the object, its field that points there, and whether it goes with the record
/// (Salesforce facts §13).
fn dependents(object: &str) -> &'static [(&'static str, &'static str, bool)] {
    match object {
        "Account" => &[
            ("Contact", "AccountId", true),
            (CASE, "AccountId", false),
            ("Account", "ParentId", false),
        ],
        "Contact" => &[(CASE, "ContactId", false)],
        TOPIC => &[(ASSIGNED, "TopicId", true)],
        CASE => &[
            (MAIL, "ParentId", true),
            (COMMENT, "ParentId", true),
            ("Task", "WhatId", true),
            ("ContentDocumentLink", "LinkedEntityId", false),
            (CASE, "ParentId", false),
        ],
        "Group" => &[(CASE, "OwnerId", false), ("GroupMember", "GroupId", true)],
        _ => &[],
    }
}

/// What of a record is compared.
pub fn facets_now(object: &str, record: &Record) -> Vec<(String, String)> {
    match object {
        COMMENT => comment_facets(record),
        DOCUMENT | VERSION => files::facets(record),
        _ => record
            .iter()
            .map(|(name, value)| (name.clone(), facet(value)))
            .collect(),
    }
}
