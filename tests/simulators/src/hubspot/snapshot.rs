//! Looking at an account from a test: its records, links and schema, and a fingerprint of them.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint: canonical JSON
//! in which every id is replaced by what the record is called by and what the account makes up itself (ids, times that nobody
//! gave, computed values) is left out. So is what is in the recycle bin or the trash.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::links;
use super::model::{
    Category, File, Folder, Id, LinkKey, LinkType, Links, ObjectType, Owner, Pipeline, Property,
    Record, Ref, Thread, TypeId,
};
use super::state::{State, iso};

/// The content of an account at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Object types, the archived ones too.
    pub types: BTreeMap<TypeId, ObjectType>,
    /// Records, the recycle bin included.
    pub records: BTreeMap<Ref, Record>,
    /// Types of links.
    pub link_types: BTreeMap<LinkKey, LinkType>,
    /// Links of live records, seen from either end.
    pub links: BTreeMap<Ref, Links>,
    /// Owners.
    pub owners: BTreeMap<Id, Owner>,
    /// Teams by name.
    pub teams: BTreeMap<Id, String>,
    /// Pipelines by object and id.
    pub pipelines: BTreeMap<TypeId, BTreeMap<String, Pipeline>>,
    /// Files, the deleted ones too.
    pub files: BTreeMap<Id, File>,
    /// Folders.
    pub folders: BTreeMap<Id, Folder>,
    /// Threads of the inbox.
    pub threads: BTreeMap<Id, Thread>,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        let all = state
            .tables
            .iter()
            .flat_map(|(object, table)| table.records.values().map(|r| ((*object, r.id), r)));
        let records: BTreeMap<Ref, Record> =
            all.map(|(key, record)| (key, record.clone())).collect();
        let live = records.values().filter(|r| r.archived.is_none());
        let links = live.map(|r| ((r.object, r.id), links::all_of(state, (r.object, r.id))));
        Self {
            types: state.types.clone(),
            links: links.filter(|(_, ends)| !ends.is_empty()).collect(),
            records,
            link_types: state.link_types.clone(),
            owners: state.owners.clone(),
            teams: state.teams.clone(),
            pipelines: state.pipelines.clone(),
            files: state.files.clone(),
            folders: state.folders.clone(),
            threads: state.threads.clone(),
        }
    }

    /// The type with this name (`contacts`, `order`), live or archived.
    pub fn type_named(&self, name: &str) -> Option<&ObjectType> {
        self.types
            .values()
            .find(|of| of.name == name || of.fully_qualified == name)
    }

    /// The live record with this number.
    pub fn record(&self, object: TypeId, id: Id) -> Option<&Record> {
        self.records
            .get(&(object, id))
            .filter(|r| r.archived.is_none())
    }

    /// The live records of a type in the order of their numbers.
    pub fn live(&self, object: TypeId) -> impl Iterator<Item = &Record> {
        let all = self.records.range((object, 0)..=(object, Id::MAX));
        all.map(|(_, record)| record)
            .filter(|r| r.archived.is_none())
    }

    /// The live records of a type whose property has this text.
    pub fn with(&self, object: TypeId, property: &str, text: &str) -> Vec<&Record> {
        self.live(object)
            .filter(|r| r.text(property) == text)
            .collect()
    }

    /// The live records of a type that a record is linked to.
    pub fn linked(&self, record: &Record, to: TypeId) -> Vec<&Record> {
        let ends = self
            .links
            .get(&(record.object, record.id))
            .into_iter()
            .flatten();
        ends.filter(|((object, _), _)| *object == to)
            .filter_map(|((object, id), _)| self.record(*object, *id))
            .collect()
    }

    /// The labels of the link between two records, seen from the first.
    pub fn labels(&self, from: &Record, to: &Record) -> Vec<&str> {
        let ends = self
            .links
            .get(&(from.object, from.id))
            .and_then(|ends| ends.get(&(to.object, to.id)));
        let types = ends
            .into_iter()
            .flatten()
            .filter_map(|key| self.link_types.get(key));
        types.filter_map(|link| link.label.as_deref()).collect()
    }

    /// The files attached to an activity, in their order.
    pub fn files_of(&self, activity: &Record) -> Vec<&File> {
        let ids = activity
            .text("hs_attachment_ids")
            .split(';')
            .filter_map(|id| id.parse::<Id>().ok());
        ids.filter_map(|id| self.files.get(&id)).collect()
    }
}

/// The fingerprint of an account; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let names = Names::of(state);
    let mut records = Map::new();
    let mut schema = Vec::new();
    for of in state.types.values().filter(|of| of.archived.is_none()) {
        let live: Vec<Value> = state
            .live(of.id)
            .map(|record| names.content(of, record))
            .collect();
        if !live.is_empty() {
            records.insert(of.name.clone(), sorted(live));
        }
        schema.extend(
            of.properties
                .values()
                .filter(|p| !p.standard)
                .map(|p| property(of, p)),
        );
        schema.extend(
            of.groups
                .values()
                .map(|g| json!({"group": format!("{}.{}", of.name, g.name), "label": g.label})),
        );
        if of.id.is_custom() {
            schema.push(json!({
                "object": of.name, "labels": [of.labels.0, of.labels.1], "required": of.required,
                "searchable": of.searchable, "primary": of.primary, "secondary": of.secondary,
                "description": of.description,
            }));
        }
    }
    for link in state.link_types.values().filter(|link| link.made) {
        let name = |id| state.type_of(id).map(|of| of.name.clone());
        schema.push(json!({"link": link.name, "from": name(link.from), "to": name(link.to), "label": link.label}));
    }
    for (object, pipelines) in &state.pipelines {
        for pipeline in pipelines.values() {
            let stages = pipeline
                .stages
                .iter()
                .map(|s| json!({"label": s.label, "closed": s.closed, "order": s.order}));
            schema.push(json!({
                "pipeline": pipeline.label, "of": object.to_string(), "order": pipeline.order,
                "stages": stages.collect::<Vec<_>>(),
            }));
        }
    }
    let live = state.files.values().filter(|f| f.archived.is_none());
    let files = live
        .map(|f| json!({"path": f.path, "size": f.size, "sha256": f.sha256, "access": f.access}));
    let folders = state
        .folders
        .values()
        .filter(|f| f.archived.is_none())
        .map(|f| json!(f.path));
    let threads = state
        .threads
        .values()
        .filter(|t| t.archived.is_none())
        .map(|t| names.thread(t));
    json!({
        "records": records, "schema": sorted(schema), "files": sorted(files.collect()),
        "folders": sorted(folders.collect()), "threads": sorted(threads.collect()),
        "invited": state.invited.iter().map(|(_, email)| email).collect::<Vec<_>>(),
    })
}

fn sorted(mut items: Vec<Value>) -> Value {
    items.sort_by_cached_key(Value::to_string);
    Value::Array(items)
}

fn property(of: &ObjectType, property: &Property) -> Value {
    let options = property
        .options
        .iter()
        .map(|o| json!({"value": o.value, "label": o.label}));
    json!({
        "property": format!("{}.{}", of.name, property.name), "label": property.label, "type": property.kind,
        "fieldType": property.field_type, "group": property.group, "unique": property.unique,
        "description": property.description, "options": sorted(options.collect()),
    })
}

/// The same with long numbers, which may be ids, left out.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        out.push_str(if digits.len() < 11 { &digits } else { "#" });
        digits.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// The same without the host in addresses of files: a served simulator is at another port in every run.
fn without_hosts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("/hubfs/") {
        let (before, after) = rest.split_at(at);
        let begin = before.rfind("http").filter(|begin| {
            let host = before.get(*begin..).unwrap_or_default();
            !host.contains(char::is_whitespace) && !host.contains(['"', '\'', '<', '>'])
        });
        out.push_str(
            before
                .get(..begin.unwrap_or(before.len()))
                .unwrap_or_default(),
        );
        let (path, left) = after.split_at("/hubfs/".len());
        out.push_str(path);
        rest = left;
    }
    out.push_str(rest);
    out
}

/// Turns ids into names.
struct Names<'s> {
    state: &'s State,
    /// Numbers of records of any type: they are not the same in two runs.
    numbers: HashSet<Id>,
}

impl<'s> Names<'s> {
    fn of(state: &'s State) -> Self {
        let numbers = state
            .tables
            .values()
            .flat_map(|table| table.records.keys().copied());
        Self {
            state,
            numbers: numbers.collect(),
        }
    }

    /// What a record is called: a unique value of it, an address, a name, a time with a text.
    fn called(&self, object: TypeId, id: Id) -> String {
        let (Some(of), Some(record)) = (self.state.type_of(object), self.state.any(object, id))
        else {
            return "nothing".to_owned();
        };
        let custom = of.properties.values().filter(|p| p.unique && !p.standard);
        let unique = custom.filter_map(|p| record.values.get(&p.name)).next();
        let usual: &[&str] = match object {
            TypeId::CONTACT => &["email", "firstname", "lastname"],
            TypeId::COMPANY => &["domain", "name"],
            TypeId::TICKET => &["subject"],
            TypeId::DEAL => &["dealname"],
            _ => &[
                "hs_timestamp",
                "hs_email_subject",
                "hs_body_preview",
                "hs_task_subject",
            ],
        };
        let name = unique.cloned().unwrap_or_else(|| {
            let own = of
                .primary
                .iter()
                .map(String::as_str)
                .filter(|_| object.is_custom());
            let texts = usual
                .iter()
                .copied()
                .chain(own)
                .filter_map(|name| record.values.get(name));
            without_numbers(&texts.cloned().collect::<Vec<_>>().join(" "))
        });
        format!("{}:{name}", of.singular)
    }

    fn content(&self, of: &ObjectType, record: &Record) -> Value {
        let mut values = Map::new();
        for (name, value) in record.values.iter() {
            let Some(property) = of.properties.get(name) else {
                continue;
            };
            let given = record.given.contains(name.as_str());
            let made_up =
                (property.read_only || name == "createdate" || name == "closed_date") && !given;
            if !made_up {
                values.insert(name.clone(), self.value(of.id, name, value, record));
            }
        }
        let mut ends = Vec::new();
        for ((to, id), keys) in links::all_of(self.state, (record.object, record.id)) {
            // Links between a record and an activity are told with the activity.
            if to.is_activity() && !record.object.is_activity() {
                continue;
            }
            for key in keys {
                let link = self
                    .state
                    .link_types
                    .get(&key)
                    .map(|link| link.name.clone());
                ends.push(json!({"link": link, "own": key.0 == Category::UserDefined, "to": self.called(to, id)}));
            }
        }
        json!({"called": self.called(record.object, record.id), "values": values, "links": sorted(ends)})
    }

    fn value(&self, object: TypeId, name: &str, value: &str, record: &Record) -> Value {
        let of_pipeline = |pipeline: &str| {
            self.state
                .pipelines
                .get(&object)
                .and_then(|all| all.get(pipeline))
        };
        match name {
            "hubspot_owner_id" => {
                let owner = value
                    .parse()
                    .ok()
                    .and_then(|id: Id| self.state.owners.get(&id));
                json!(owner.map(|owner| owner.email.clone()))
            }
            "hubspot_team_id" => json!(
                value
                    .parse()
                    .ok()
                    .and_then(|id: Id| self.state.teams.get(&id))
            ),
            "hs_pipeline" | "pipeline" => json!(of_pipeline(value).map(|p| p.label.clone())),
            "hs_pipeline_stage" | "dealstage" => {
                let pipeline = of_pipeline(record.text("hs_pipeline"))
                    .or_else(|| of_pipeline(record.text("pipeline")));
                let stage = pipeline.and_then(|p| p.stages.iter().find(|s| s.id == value));
                json!(stage.map(|stage| stage.label.clone()))
            }
            "hs_attachment_ids" => {
                let ids = value.split(';').map(|id| self.file(id));
                json!(ids.collect::<Vec<_>>())
            }
            _ => json!(self.in_text(value)),
        }
    }

    fn file(&self, id: &str) -> String {
        let file = id.parse().ok().and_then(|id: Id| self.state.files.get(&id));
        file.map_or_else(
            || "no file".to_owned(),
            |file| format!("{} {}", file.path, file.sha256),
        )
    }

    /// The same with the numbers of records, files, folders and owners replaced.
    fn in_text(&self, text: &str) -> String {
        let text = without_hosts(text);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(begin);
            let end = from
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            out.push_str(before);
            let number: Option<Id> = word.parse().ok().filter(|_| word.len() >= 11);
            match number {
                Some(id) if self.state.files.contains_key(&id) => out.push_str(&self.file(word)),
                Some(id) if self.numbers.contains(&id) => {
                    let named = self.numbered(&out, id);
                    out.push_str(&named);
                }
                Some(id) if self.state.owners.contains_key(&id) => out.push_str("an owner"),
                _ => out.push_str(word),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The record whose number stands in a text; an address says its type (`…/record/0-5/`), else any has the number.
    fn numbered(&self, before: &str, id: Id) -> String {
        let part = before
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        match TypeId::parse(part) {
            Some(object) => self.called(object, id),
            None => "a record".to_owned(),
        }
    }

    fn thread(&self, thread: &Thread) -> Value {
        let messages = thread.messages.iter().map(|m| {
            json!({
                "type": m.kind, "direction": m.direction, "text": m.text, "richText": m.rich_text, "actor": m.actor,
                "at": m.idempotency.as_ref().map(|_| iso(m.at)), "key": m.idempotency,
                "files": m.files.iter().map(|id| self.file(id)).collect::<Vec<_>>(),
            })
        });
        json!({
            "called": thread.integration_id, "status": thread.status,
            "contact": thread.contact.map(|id| self.called(TypeId::CONTACT, id)),
            "messages": messages.collect::<Vec<_>>(),
        })
    }
}
