//! What cannot be migrated and must be rebuilt by a person (workflows, queues, schedules …): asked of the source once a run,
//! after the reading, and written to the run's export folder: `inventory.json` for programs, and, once the run is over and the
//! destination's ids are known, `inventory.md` and `inventory.html` for the person.
//!
//! Each thing is an exported record of the kind `inventory` in the run's sum (rule M-6), so that nobody has to remember that
//! there is a file. A source that cannot list them costs a notice, never the run.
//!
//! What things say comes from the source's connector, in words; with which feature they are rebuilt from the destination's. This
//! module joins them: names and targets of what a thing works with, and what works with it, other things and records alike.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use sqlx::Row as _;

use super::extract::unsigned;
use super::model::{
    Events, Inventory, InventoryGroup, InventoryLine, InventoryThing, InventoryUse, Notice, Part,
    Severity,
};
use super::pauses::unless_refused;
use super::project::Project;
use super::side::Side;
use crate::contract::description::{Description, Role};
use crate::contract::source::{self, InventoryItem, LinePart};
use crate::error::Error;
use crate::exported::{create_private_dir, private_file};
use crate::store::{Store, sha256};
use crate::unit::{Surroundings, decided};
use crate::{kinds, report, sql};

/// The kind under which the things are counted.
pub const KIND: &str = "inventory";
/// The files in the run's export folder.
const FILE: &str = "inventory.json";
const MARKDOWN: &str = "inventory.md";
const HTML: &str = "inventory.html";

/// Sorts of things in the order in which a person rebuilds them: what others need comes first.
const ORDER: [&str; 15] = [
    "role",
    "sender",
    "schedule",
    "queue",
    "routing",
    "sla",
    "canned-reply",
    "workflow",
    "survey",
    "snooze",
    "webhook",
    "block-list",
    "view",
    "report",
    "help-center",
];

/// Takes the inventory, if this run has none yet.
///
/// # Errors
/// A store that cannot be written, a folder that cannot be written; [`Error::Interrupted`] when stopped.
pub async fn take(
    source: &Side,
    around: &Surroundings,
    folder: &Path,
    events: &dyn Events,
) -> Result<(), Error> {
    let taken = around
        .store
        .number(
            "SELECT count(*) FROM outcomes WHERE run = $1 AND kind = $2",
            vec![(&around.run).into(), KIND.into()],
        )
        .await?;
    if taken > 0 {
        return Ok(());
    }
    match ask(source).await {
        Ok(items) => keep(&items, around, folder).await,
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            let notice = Notice {
                from: source.name.clone(),
                code: "inventory-failed".into(),
                severity: Severity::Caution,
                message: format!("what must be rebuilt by hand could not be listed: {error}"),
                remedy: error.hint().or_else(|| Some("run again".into())),
            };
            events.notice(&notice);
            around
                .store
                .write(vec![sql!(
                    "INSERT INTO notices (run, code, body) VALUES ($1, $2, $3) ON CONFLICT (run, code, body) DO NOTHING",
                    &around.run,
                    &notice.code,
                    serde_json::to_string(&notice)?
                )])
                .await?;
            Ok(())
        }
    }
}

async fn ask(source: &Side) -> Result<Vec<InventoryItem>, Error> {
    source
        .ask("list its inventory", |host| {
            let (plugin, ctx) = (source.plugin.clone(), source.context.clone());
            async move { plugin.inventory(host, ctx).await }
        })
        .await
}

/// Writes the file, and then that it is there.
async fn keep(items: &[InventoryItem], around: &Surroundings, folder: &Path) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    let things: Vec<InventoryThing> = items.iter().map(thing).collect();
    write(folder, FILE, &serde_json::to_vec_pretty(&things)?)?;
    let mut batch = vec![];
    let mut ledger = vec![];
    for item in items {
        let id = format!("{}/{}", item.section, item.id);
        let hash = sha256(&item.detail);
        let (statement, entry) = decided(around, &[KIND, &id, &hash], "exported", Some(FILE), None);
        batch.push(statement);
        ledger.push(entry);
    }
    around.store.write_ledger(batch, ledger).await?;
    Ok(())
}

/// Writes a file that is there whole or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    create_private_dir(folder)?;
    let path = folder.join(name);
    let partial = folder.join(format!("{name}.partial"));
    let io = |error| Error::io("write the inventory", &path, error);
    let mut file = private_file(&partial).map_err(io)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(io)
}

/// A connector's item as it is kept; its detail as JSON, or as text where it is none.
fn thing(item: &InventoryItem) -> InventoryThing {
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    InventoryThing {
        category: kinds::category(&item.category).to_owned(),
        section: item.section.clone(),
        id: item.id.clone(),
        name: item.name.clone(),
        summary: item.summary.clone(),
        enabled: item.enabled,
        lines: item
            .lines
            .iter()
            .map(|line| InventoryLine {
                part: part(line),
                depth: line.depth,
                words: line.words.clone(),
                raw: line.raw.as_deref().map(json),
            })
            .collect(),
        uses: item
            .uses
            .iter()
            .map(|reference| InventoryUse {
                kind: kinds::name(&reference.kind).to_owned(),
                id: reference.id.clone(),
                name: reference.name.clone(),
                target: None,
            })
            .collect(),
        used_by: vec![],
        records: BTreeMap::new(),
        detail: json(&item.detail),
    }
}

fn part(line: &source::InventoryLine) -> Part {
    match line.part {
        LinePart::Trigger => Part::Trigger,
        LinePart::Condition => Part::Condition,
        LinePart::Action => Part::Action,
        LinePart::Setting => Part::Setting,
        LinePart::Text => Part::Text,
    }
}

/// Writes the documents of a run whose inventory was taken, from what is kept and what the destination knows by now.
///
/// # Errors
/// A store or a folder that cannot be read or written.
pub async fn documents(
    ends: (&Side, &Side),
    around: &Surroundings,
    extraction: &str,
) -> Result<(), Error> {
    let Some(things) = kept(&around.export_dir)? else {
        return Ok(());
    };
    let at = around.clock.now();
    let join = Join {
        store: &around.store,
        extraction: Some(extraction),
        account: Some(&around.account),
    };
    let inventory = join.inventory(things, ends, at).await?;
    let markdown = report::inventory::markdown(&inventory);
    write(&around.export_dir, MARKDOWN, markdown.as_bytes())?;
    let html = report::inventory::html(&inventory);
    write(&around.export_dir, HTML, html.as_bytes())
}

/// What a run has taken; `None` if it has not.
fn kept(folder: &Path) -> Result<Option<Vec<InventoryThing>>, Error> {
    let path = folder.join(FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read the inventory", &path, error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        Error::input(
            "inventory-unreadable",
            format!(
                "{} is no inventory of this version: {error}",
                path.display()
            ),
        )
        .with_hint("ask for it anew with `transload inventory`, without --run")
    })
}

/// The inventory as it is at the source now, or as a run has taken it.
///
/// The destination is asked nothing: only its connector's description is needed.
///
/// # Errors
/// A connection that cannot be set up, or a source whose credential is refused; `no-such-run`, `no-inventory`.
pub async fn inventory(
    project: &Project,
    run: Option<&str>,
    events: &dyn Events,
) -> Result<Inventory, Error> {
    let migration = &project.config.migration;
    let destination = project.side(&migration.to, Role::Destination, None).await?;
    let mut source = project.side(&migration.from, Role::Source, None).await?;
    let (things, extraction, account) = match run {
        Some(run) => {
            let row = project
                .store
                .row(
                    "SELECT extraction, account FROM runs WHERE id = $1",
                    vec![run.into()],
                )
                .await?
                .ok_or_else(|| {
                    Error::input("no-such-run", format!("there is no run {run}"))
                        .with_hint("`transload status` shows the last one")
                })?;
            let things = kept(&super::export_dir(project, run))?.ok_or_else(|| {
                Error::input("no-inventory", format!("run {run} has taken no inventory")).with_hint(
                    "it is taken once all is read; leave out --run to ask the source now",
                )
            })?;
            (
                things,
                Some(row.try_get("extraction")?),
                Some(row.try_get("account")?),
            )
        }
        None => {
            let account = unless_refused(&[&source], events, project.account(&source)).await?;
            source.context.organisation.clone_from(&account.id);
            let platform = source.description().name.clone();
            source.context.platform = platform;
            let extraction = read_before(project, &mut source, &account.id).await?;
            let items = unless_refused(&[&source], events, ask(&source)).await?;
            let things = items.iter().map(thing).collect();
            let account = written_to(project, &destination).await?;
            (things, extraction, account)
        }
    };
    let join = Join {
        store: &project.store,
        extraction: extraction.as_deref(),
        account: account.as_deref(),
    };
    join.inventory(things, (&source, &destination), project.clock.now())
        .await
}

/// The newest reading of the account, if there is one; its connector is given what it found out then.
async fn read_before(
    project: &Project,
    source: &mut Side,
    account: &str,
) -> Result<Option<String>, Error> {
    let row = project
        .store
        .row(
            "SELECT id, discovery FROM extractions WHERE connection = $1 AND account = $2 ORDER BY started_at DESC LIMIT 1",
            vec![(&source.name).into(), account.into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let discovery: source::Discovery =
        serde_json::from_str(&row.try_get::<String, _>("discovery")?)?;
    source.context.state = Some(discovery.state);
    Ok(Some(row.try_get("id")?))
}

/// The account that the newest run to a connection wrote to.
async fn written_to(project: &Project, destination: &Side) -> Result<Option<String>, Error> {
    let row = project
        .store
        .row(
            "SELECT account FROM runs WHERE destination = $1 ORDER BY started_at DESC, id DESC LIMIT 1",
            vec![(&destination.name).into()],
        )
        .await?;
    Ok(row.map(|row| row.try_get("account")).transpose()?)
}

/// What things are joined with.
struct Join<'a> {
    store: &'a Store,
    /// The reading in which names and uses by records are found.
    extraction: Option<&'a str>,
    /// The destination's account, for targets.
    account: Option<&'a str>,
}

impl Join<'_> {
    async fn inventory(
        &self,
        mut things: Vec<InventoryThing>,
        (source, destination): (&Side, &Side),
        at: i64,
    ) -> Result<Inventory, Error> {
        self.name(&mut things).await?;
        turn_around(&mut things);
        self.count(&mut things).await?;
        let from = source.description();
        Ok(Inventory {
            source: source.name.clone(),
            source_title: from.title.clone(),
            organisation: source.context.organisation.clone(),
            destination: destination.name.clone(),
            destination_title: destination.description().title.clone(),
            taken_at: at,
            groups: groups(things, destination.description()),
        })
    }

    /// Gives what things work with its name and the destination's id.
    async fn name(&self, things: &mut [InventoryThing]) -> Result<(), Error> {
        let own: BTreeMap<(String, String), String> = things
            .iter()
            .map(|thing| {
                (
                    (thing.section.clone(), thing.id.clone()),
                    thing.name.clone(),
                )
            })
            .collect();
        let mut known: BTreeMap<(String, String), (Option<String>, Option<String>)> =
            BTreeMap::new();
        for used in things.iter_mut().flat_map(|thing| &mut thing.uses) {
            let key = (used.kind.clone(), used.id.clone());
            if let Some(name) = own.get(&key) {
                used.name = Some(name.clone());
                continue;
            }
            if !known.contains_key(&key) {
                known.insert(
                    key.clone(),
                    (self.name_of(&key).await?, self.target(&key).await?),
                );
            }
            if let Some((name, target)) = known.get(&key) {
                used.name = used.name.take().or_else(|| name.clone());
                used.target.clone_from(target);
            }
        }
        Ok(())
    }

    async fn name_of(&self, (kind, id): &(String, String)) -> Result<Option<String>, Error> {
        let Some(extraction) = self.extraction else {
            return Ok(None);
        };
        let row = self
            .store
            .row(
                "SELECT name, payload FROM staged WHERE extraction = $1 AND kind = $2 AND id = $3",
                vec![extraction.into(), kind.into(), id.into()],
            )
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        if let Some(name) = row.try_get::<Option<String>, _>("name")? {
            return Ok(Some(name));
        }
        // Field definitions have a label.
        let entry: Value = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
        let label = entry.pointer("/data/FieldDefinition/label");
        Ok(label.and_then(Value::as_str).map(str::to_owned))
    }

    async fn target(&self, (kind, id): &(String, String)) -> Result<Option<String>, Error> {
        let Some(account) = self.account else {
            return Ok(None);
        };
        let row = self
            .store
            .row(
                "SELECT target_id FROM effects WHERE account = $1 AND kind = $2 AND source_id = $3 AND part = 'main' \
                 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY id DESC LIMIT 1",
                vec![account.into(), kind.into(), id.into()],
            )
            .await?;
        Ok(row.map(|row| row.try_get("target_id")).transpose()?)
    }

    /// Counts the records that are with a thing: conversations in a queue, under a promise, with a survey.
    async fn count(&self, things: &mut [InventoryThing]) -> Result<(), Error> {
        let Some(extraction) = self.extraction else {
            return Ok(());
        };
        let mut by_id: BTreeMap<(String, String), BTreeMap<&str, u64>> = BTreeMap::new();
        let mut by_sla: BTreeMap<String, u64> = BTreeMap::new();
        // One pass over the rows: the database takes the few members it is asked for out of each.
        let rows = self
            .store
            .rows(
                "SELECT kind, json_extract(payload, '$.data.Conversation.queue.kind.Other') AS queue, \
                 json_extract(payload, '$.data.Conversation.queue.id') AS queue_id, \
                 json_extract(payload, '$.data.Conversation.satisfaction.survey.kind.Other') AS survey, \
                 json_extract(payload, '$.data.Conversation.satisfaction.survey.id') AS survey_id, \
                 json_extract(payload, '$.data.CustomObject.queue.kind.Other') AS work, \
                 json_extract(payload, '$.data.CustomObject.queue.id') AS work_id, \
                 json_extract(payload, '$.data.Conversation.sla.name') AS sla, count(*) AS n \
                 FROM staged WHERE extraction = $1 AND kind IN ('conversation', 'custom-object') \
                 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8",
                vec![extraction.into()],
            )
            .await?;
        for row in rows {
            let kind: String = row.try_get("kind")?;
            let kind = if kind == "conversation" {
                "conversation"
            } else {
                "custom-object"
            };
            let n = unsigned(row.try_get("n")?);
            for (section, id) in [
                ("queue", "queue_id"),
                ("survey", "survey_id"),
                ("work", "work_id"),
            ] {
                let section: Option<String> = row.try_get(section)?;
                let id: Option<String> = row.try_get(id)?;
                if let (Some(section), Some(id)) = (section, id) {
                    *by_id
                        .entry((section, id))
                        .or_default()
                        .entry(kind)
                        .or_insert(0) += n;
                }
            }
            if let Some(name) = row.try_get::<Option<String>, _>("sla")? {
                *by_sla.entry(name).or_insert(0) += n;
            }
        }
        for thing in things {
            let own = by_id.get(&(thing.section.clone(), thing.id.clone()));
            for (kind, n) in own.into_iter().flatten() {
                *thing.records.entry((*kind).to_owned()).or_insert(0) += n;
            }
            // What a record says of a promise has its name and no id.
            if thing.category == "sla"
                && let Some(n) = by_sla.get(&thing.name)
            {
                thing.records.insert("conversation".into(), *n);
            }
        }
        Ok(())
    }
}

/// Says of each thing what works with it, from what the others work with.
fn turn_around(things: &mut [InventoryThing]) {
    let mut used_by: BTreeMap<(String, String), Vec<InventoryUse>> = BTreeMap::new();
    for thing in things.iter() {
        for used in &thing.uses {
            used_by
                .entry((used.kind.clone(), used.id.clone()))
                .or_default()
                .push(InventoryUse {
                    kind: thing.section.clone(),
                    id: thing.id.clone(),
                    name: Some(thing.name.clone()),
                    target: None,
                });
        }
    }
    for thing in things {
        let key = (thing.section.clone(), thing.id.clone());
        thing.used_by = used_by.remove(&key).unwrap_or_default();
    }
}

/// Things by their sort, each with the destination's feature for it.
fn groups(things: Vec<InventoryThing>, destination: &Description) -> Vec<InventoryGroup> {
    let mut by_category: BTreeMap<String, Vec<InventoryThing>> = BTreeMap::new();
    for thing in things {
        by_category
            .entry(thing.category.clone())
            .or_default()
            .push(thing);
    }
    let known = ORDER
        .iter()
        .filter_map(|word| by_category.remove_entry(*word));
    let known: Vec<_> = known.collect();
    known
        .into_iter()
        .chain(by_category)
        .map(|(category, things)| {
            let said = destination
                .rebuilds
                .iter()
                .find(|rebuild| kinds::category(&rebuild.category) == category);
            InventoryGroup {
                feature: said.and_then(|rebuild| rebuild.feature.clone()),
                note: said.and_then(|rebuild| rebuild.note.clone()),
                category,
                things,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
