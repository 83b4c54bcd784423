//! Records of custom objects.
//!
//! A record is one request. It is known again by its primary field, which holds our marker and is unique (Freshdesk facts §11), so
//! a second creation is refused. Lookups of other records are set by `links` afterwards: who is there by now depends on the order
//! of loading. Records whose custom object no administrator has made are exported, and named on whom they belong to: see `named`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, fitted};
use transload_sdk::destination::Item;
use transload_sdk::effects::unsettled;
use transload_sdk::http::{OperationKey, Refusal as _, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::name_or_id;
use transload_sdk::policy::{self, canonical};
use transload_sdk::types::{CustomObject, Error, Fidelity, Kind, Loss, Reference, Value as Given};

use super::named;
use super::schema::{self, sheet, values};
use super::{Changed, Creation, WRITES, effect, holds, made, reject, report, status_of};
use crate::api::{Record, Schema};
use crate::client;
use crate::map::{self, FieldTarget, PARAGRAPH_BYTES, loss, record_target};
use crate::state::Config;

/// Where an object's records are.
pub fn path_of(schema: u64) -> String {
    format!("/api/v2/custom_objects/schemas/{schema}/records")
}

/// What of a record is compared before an undo.
pub fn record_facets(record: &Record) -> Vec<(String, String)> {
    let field = |(name, value): (&String, &Value)| (format!("field {name}"), canonical(value));
    record.data.iter().map(field).collect()
}

/// Only what was sent: what was not is null, and may be filled by others.
pub fn print_of(record: &Record, sent: &Map<String, Value>) -> String {
    let said = |name: &str| {
        let field = name.strip_prefix("field ");
        field.is_some_and(|field| sent.contains_key(field))
    };
    let facets: Vec<_> = record_facets(record)
        .into_iter()
        .filter(|(n, _)| said(n))
        .collect();
    map::print(&facets)
}

/// The record with that marker.
///
/// # Errors
/// What ends the unit.
pub async fn by_marker(
    cx: &Context,
    schema: &Schema,
    marker: &str,
) -> Result<Option<Record>, Error> {
    #[derive(Deserialize)]
    struct List {
        records: Vec<Record>,
    }
    let Some(primary) = schema.primary() else {
        return Ok(None);
    };
    let name = segment(&primary.name);
    let path = format!("{}?{name}={}", path_of(schema.id), segment(marker));
    let found: Option<List> = client::find(cx, &path).await?;
    let same = |record: &Record| {
        let held = record.data.get(&primary.name).and_then(Value::as_str);
        held == Some(marker)
    };
    Ok(found.into_iter().flat_map(|list| list.records).find(same))
}

/// Records of custom objects.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let schemas = schema::schemas(cx).await?.unwrap_or_default();
    let mut homeless = Vec::new();
    for (item, object) in each::<CustomObject>(cx, items) {
        let schema = schema::schema_of(&config, &schemas, &object.object_type);
        match schema.filter(|schema| schema.primary().is_some()) {
            Some(schema) => one_record(cx, &config, item, object, schema).await?,
            None => homeless.push((item, object)),
        }
    }
    if homeless.is_empty() {
        return Ok(());
    }
    named::name(cx, &homeless).await
}

/// What goes into a record's fields.
struct Draft<'a> {
    schema: &'a Schema,
    data: Map<String, Value>,
    card: Facts,
    losses: Vec<Loss>,
}

impl Draft<'_> {
    /// Fills a field of the sheet, where the object has it.
    fn set(&mut self, label: &str, value: Value) -> bool {
        let field = self
            .schema
            .field(label)
            .filter(|field| field.kind != "PRIMARY");
        if let Some(field) = field {
            self.data.insert(field.name.clone(), value);
        }
        field.is_some()
    }

    /// Whom or what the record belongs to: in a lookup, else in words.
    fn belongs(&mut self, label: &str, field: &'static str, reference: Option<&Reference>) {
        let Some(reference) = reference else { return };
        let is_lookup = self
            .schema
            .field(label)
            .is_some_and(|f| f.kind == "RELATIONSHIP");
        let note = match map::lookup_value(reference) {
            Some(value) if is_lookup => {
                self.set(label, value);
                return;
            }
            Some(_) => "the custom object has no lookup for it: named on the source card",
            None => "not migrated: named on the source card",
        };
        self.card.reference(field, Some(reference));
        self.losses.push(loss(field, Fidelity::Converted, note));
    }
}

fn draft<'a>(
    cx: &Context,
    config: &Config,
    item: &Item,
    object: &CustomObject,
    schema: &'a Schema,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut draft = Draft {
        schema,
        data: Map::new(),
        card: Facts::new(config.words(cx.time_zone())),
        losses: Vec::new(),
    };
    card::head(head, &mut draft.card);
    let texts: BTreeMap<String, Vec<String>> = schema
        .fields
        .iter()
        .filter(|f| matches!(f.kind.as_str(), "DROPDOWN" | "MULTI_SELECT"))
        .map(|f| (f.name.clone(), crate::api::choice_texts(&f.choices)))
        .filter(|(_, texts)| !texts.is_empty())
        .collect();
    let mut now = Vec::new();
    for field in &head.fields {
        let target = field.target.as_deref().and_then(FieldTarget::parse);
        let is_lookup = target.is_some_and(|target| target.kind == "RELATIONSHIP");
        let of_records =
            matches!(&field.value, Given::Reference(to) if to.kind == Kind::CustomObject);
        if is_lookup && of_records {
            draft.card.field(field);
        } else {
            now.push(field.clone());
        }
    }
    let Draft {
        data, card, losses, ..
    } = &mut draft;
    values(&now, &texts, data, card, losses);
    card.lists(&now, losses);
    let name = name_or_id(item.entry(), &object.title);
    if name.chars().count() > map::TEXT_CHARS || !draft.set(sheet::TITLE, json!(name)) {
        draft.card.add("title", name);
        let note = "no field takes the title: on the source card";
        draft
            .losses
            .push(loss("custom-object.title", Fidelity::Converted, note));
    }
    draft.set(sheet::RUN, json!(cx.run()));
    if let Some(at) = head.created_at.and_then(transload_sdk::time::format_utc) {
        draft.set(sheet::CREATED, json!(at));
    }
    draft.belongs(
        sheet::CUSTOMER,
        "custom-object.customer",
        object.customer.as_ref(),
    );
    draft.belongs(
        sheet::COMPANY,
        "custom-object.company",
        object.company.as_ref(),
    );
    draft.belongs(
        sheet::TICKET,
        "custom-object.conversation",
        object.conversation.as_ref(),
    );
    draft.card.references("tags", &object.tags);
    card::object(&cx.blobs(), object, &mut draft.card)?;
    let Draft { card, losses, .. } = &draft;
    let text = card.render(cx.platform(), item, item.entry(), losses)?;
    let (text, cut) = fitted(&text, PARAGRAPH_BYTES);
    if cut {
        let note = "the source card is cut: a paragraph holds 60,000 bytes";
        draft
            .losses
            .push(loss("custom-object.data", Fidelity::Lost, note));
    }
    if !draft.set(sheet::CARD, json!(text.trim_end())) {
        let note = "the custom object has no field for the source card";
        draft
            .losses
            .push(loss("custom-object", Fidelity::Lost, note));
    }
    Ok(draft)
}

async fn one_record(
    cx: &Context,
    config: &Config,
    item: &Item,
    object: &CustomObject,
    schema: &Schema,
) -> Result<(), Error> {
    let draft = draft(cx, config, item, object, schema)?;
    let mut data = draft.data;
    if let Some(primary) = schema.primary() {
        data.insert(primary.name.clone(), json!(item.marker));
    }
    let key = key(&item.key, "main", "create");
    let body = json!({"data": data});
    let request = cx
        .http()
        .write("POST", path_of(schema.id), key.clone())
        .json(&body);
    let find = async || by_marker(cx, schema, &item.marker).await;
    let run = schema.field(sheet::RUN).map(|field| field.name.as_str());
    let ours = |record: &Record| {
        let held = run
            .and_then(|name| record.data.get(name))
            .and_then(Value::as_str);
        held == Some(cx.run())
    };
    // A success is 200 here, and a repetition is refused by the primary field (Freshdesk facts §11).
    match WRITES
        .created(200)
        .make(item.in_doubt_since, request, find, ours)
        .await?
    {
        Creation::There(record, proof, key) => {
            let main = record_effect(schema, &record, proof, key, &data);
            report(cx, item, status_of(main.action), vec![main], draft.losses);
        }
        Creation::Unsettled => {
            let why = "a record whose creation was not answered";
            unsettled(cx, item, why, draft.losses);
        }
        Creation::Refused(refusal) => {
            let primary = schema.primary().map(|field| field.name.as_str());
            // The code of a primary value that is taken is not known for sure (Freshdesk facts §4 [INF]).
            let taken = refusal
                .errors
                .iter()
                .any(|e| e.code == "duplicate_value" || Some(e.field.as_str()) == primary);
            let there = if taken || refusal.status == 409 {
                by_marker(cx, schema, &item.marker).await?
            } else {
                None
            };
            match there {
                Some(record) if ours(&record) && item.prior.is_empty() => {
                    // A request of this run whose answer was not seen made it.
                    let proof = Some(Proof::Marker(cx.run().to_owned()));
                    let main = record_effect(schema, &record, proof, key, &data);
                    report(cx, item, status_of(main.action), vec![main], draft.losses);
                }
                Some(record) => update(cx, item, schema, record, data, draft.losses).await?,
                None => reject(cx, item, refusal.rejection()),
            }
        }
    }
    Ok(())
}

fn record_effect(
    schema: &Schema,
    record: &Record,
    proof: Option<Proof>,
    key: OperationKey,
    sent: &Map<String, Value>,
) -> Effect {
    let id = record_target(schema.id, &record.display_id);
    let mut main = made("main", "record", id, proof, key);
    main.fingerprint = Some(print_of(record, sent));
    main.version = Some(record.version.to_string());
    main.updated_at = record.updated_time;
    main
}

/// The request that changes a record. It says which version was read, and gives all values, since what is left out may be taken
/// as emptied.
pub fn put_body(record: &Record, change: &Map<String, Value>) -> Value {
    let mut data = record.data.clone();
    data.extend(change.clone());
    json!({"display_id": record.display_id, "version": record.version, "data": data})
}

/// Changes a record that an earlier run made, as the policy allows.
async fn update(
    cx: &Context,
    item: &Item,
    schema: &Schema,
    record: Record,
    mut wanted: Map<String, Value>,
    losses: Vec<Loss>,
) -> Result<(), Error> {
    for label in [sheet::RUN, sheet::MARKER] {
        if let Some(field) = schema.field(label) {
            wanted.remove(&field.name);
        }
    }
    let id = record_target(schema.id, &record.display_id);
    let mut main = effect("main", "record", id, Action::Matched);
    let change_of = policy::changes(item.policy, &wanted, &Value::Object(record.data.clone()));
    if change_of.wanted.is_empty() {
        report(cx, item, Status::Matched, vec![main], losses);
        return Ok(());
    }
    let path = format!("{}/{}", path_of(schema.id), segment(&record.display_id));
    let body = put_body(&record, &change_of.wanted);
    let request = |step: &str| {
        cx.http()
            .repeatable("PUT", path.clone(), key(&item.key, "main", step))
            .json(&body)
    };
    let read = async || client::find::<Record>(cx, &path).await;
    let is_done = |record: &Record| holds(&Value::Object(record.data.clone()), &change_of.wanted);
    match WRITES.change(cx, request, read, is_done).await? {
        Changed::Done(record, key) => {
            main.action = Action::Updated;
            main.key = Some(key);
            main.before = Some(json!({"data": change_of.before}).to_string());
            main.fingerprint = Some(print_of(&record, &change_of.wanted));
            main.updated_at = record.updated_time;
            report(cx, item, Status::Updated, vec![main], losses);
        }
        Changed::Refused(refusal) => reject(cx, item, refusal.rejection()),
        Changed::Unknown => {
            let why = "a change of a record that was not answered";
            unsettled(cx, item, why, losses);
        }
    }
    Ok(())
}
