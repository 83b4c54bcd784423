//! Records of custom objects, and links between records.
//!
//! Records go by jobs of 100 that upsert by external id, which may be repeated; that a record was not there before is
//! read first, so that it can count as created (rule D-4). Links that could not be set when a record was made (a cycle,
//! a later record) are set by the relationship afterwards.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{
    CustomObject, Entity, Error, Fidelity, Kind, Loss, Reference, Relationship,
};

use super::{effect, made, reject, report, schema};
use crate::api::{JobStatus, Record};
use crate::client::{self, Sent, Write, key, query_list};
use crate::map::{self, FieldOwner, FieldTarget, loss};
use crate::state::own_field;
use crate::thread::{Card, canonical, head_card};
use crate::write::tickets::rows_by_index;

/// Records a job takes (Zendesk facts §11).
const BULK: usize = 100;
/// A record may be 32 KB (Zendesk facts §11); the card gets what its other fields surely leave.
const CARD_BYTES: usize = 12_000;
/// Results of a job are kept for about an hour (Zendesk facts §12).
const JOB_LIFE_MS: u64 = 50 * 60_000;

struct Draft<'a> {
    item: &'a Item,
    body: Value,
    losses: Vec<Loss>,
}

/// Records of custom objects.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let mut by_object: BTreeMap<String, Vec<&Item>> = BTreeMap::new();
    for item in items {
        match &item.entry().data {
            Entity::CustomObject(object) => {
                by_object
                    .entry(map::key(&object.object_type))
                    .or_default()
                    .push(item);
            }
            _ => reject(cx, item, Error::Bug("no custom object".to_owned())).await?,
        }
    }
    for (object, items) in by_object {
        let owner = FieldOwner::Object(object.clone());
        let choices = items
            .iter()
            .any(|item| schema::has_choices(std::slice::from_ref(*item)));
        let options = if choices {
            schema::options(cx, &owner).await?
        } else {
            BTreeMap::new()
        };
        for chunk in items.chunks(BULK) {
            let mut drafts = Vec::new();
            for item in chunk {
                if let Entity::CustomObject(data) = &item.entry().data {
                    drafts.push(draft(cx, item, data, &options)?);
                }
            }
            one_job(cx, &object, drafts).await?;
        }
    }
    Ok(())
}

fn draft<'a>(
    cx: &Context,
    item: &'a Item,
    data: &CustomObject,
    options: &BTreeMap<String, Vec<(String, String)>>,
) -> Result<Draft<'a>, Error> {
    let entry = item.entry();
    let mut losses = Vec::new();
    let mut card = Card::default();
    head_card(entry, &item.notes, &mut card);
    let mut fields = Map::new();
    schema::keyed_fields(
        &entry.head.fields,
        options,
        &mut fields,
        &mut card,
        &mut losses,
    );
    fields.insert(own_field::SOURCE_ID.to_owned(), json!(entry.head.id));
    fields.insert(own_field::RUN.to_owned(), json!(cx.run()));
    if let Some(at) = entry.head.created_at {
        fields.insert(own_field::CREATED_AT.to_owned(), json!(map::iso_exact(at)));
    }
    let links = [
        (
            "transload_customer",
            "custom-object.customer",
            &data.customer,
        ),
        ("transload_company", "custom-object.company", &data.company),
        (
            "transload_ticket",
            "custom-object.conversation",
            &data.conversation,
        ),
    ];
    for (key, field, reference) in links {
        let Some(reference) = reference else { continue };
        match map::numeric_target(reference) {
            Some(id) => {
                fields.insert(key.to_owned(), json!(id.to_string()));
            }
            None => {
                card.add(field, map::reference_text(reference));
                losses.push(loss(
                    field,
                    Fidelity::Converted,
                    "not migrated: on the source card",
                ));
            }
        }
    }
    if let Some(text) = &data.description {
        card.add("description", cx.blobs().read_text(text)?);
    }
    card.add("status", data.status.as_deref().unwrap_or(""));
    card.add("icon", data.icon.as_deref().unwrap_or(""));
    card.add("images", data.images.join(", "));
    let texts = |list: &[Reference]| {
        list.iter()
            .map(map::reference_text)
            .collect::<Vec<_>>()
            .join(", ")
    };
    card.add(
        "assignee",
        data.assignee
            .as_ref()
            .map(map::reference_text)
            .unwrap_or_default(),
    );
    card.add(
        "queue",
        data.queue
            .as_ref()
            .map(map::reference_text)
            .unwrap_or_default(),
    );
    card.add("tags", texts(&data.tags));
    card.add(
        "closed",
        data.closed_at.map(map::iso_exact).unwrap_or_default(),
    );
    for comment in &data.comments {
        let (_, name) = map::author(&comment.author, 0);
        let at = comment.at.map(map::iso_exact).unwrap_or_default();
        let text = cx.blobs().read_text(&comment.text)?;
        card.add(format!("comment {at} {}", name.unwrap_or_default()), text);
    }
    if let Some(data) = &data.data {
        card.add("data", cx.blobs().read_text(data)?);
    }
    let text = card.text();
    let mut pieces = crate::text::pieces(&text, CARD_BYTES).into_iter();
    fields.insert(
        own_field::CARD.to_owned(),
        json!(pieces.next().unwrap_or("")),
    );
    if pieces.next().is_some() {
        let note = format!(
            "a source card of {} bytes is cut: a record holds 32 KB",
            text.len()
        );
        losses.push(loss("custom-object.data", Fidelity::Lost, note));
    }
    let name = match data.title.trim() {
        "" => entry.head.id.as_str(),
        title => title,
    };
    let body = json!({"name": name, "external_id": item.marker, "custom_object_fields": fields});
    Ok(Draft { item, body, losses })
}

/// The records of these markers, by marker. The filter minds the case (Zendesk facts §11).
async fn by_marker<'a>(
    cx: &Context,
    object: &str,
    markers: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, Record>, Error> {
    let path = format!(
        "/api/v2/custom_objects/{object}/records?filter[external_ids]={}",
        query_list(markers)
    );
    let found: Vec<Record> = client::list(cx, &path, "custom_object_records").await?;
    Ok(found
        .into_iter()
        .filter_map(|record| Some((record.external_id.clone()?, record)))
        .collect())
}

/// What of a record is compared before an undo.
pub fn record_facets(record: &Record) -> Vec<(String, String)> {
    let mut facets = vec![
        ("name".to_owned(), record.name.clone()),
        (
            "external_id".to_owned(),
            record.external_id.clone().unwrap_or_default(),
        ),
    ];
    let fields = record.custom_object_fields.iter();
    facets.extend(fields.map(|(key, value)| (format!("field {key}"), canonical(value))));
    facets
}

async fn one_job(cx: &Context, object: &str, drafts: Vec<Draft<'_>>) -> Result<(), Error> {
    let markers = || drafts.iter().map(|draft| draft.item.marker.as_str());
    let before = by_marker(cx, object, markers()).await?;
    let first = drafts
        .first()
        .map(|draft| draft.item.key.as_str())
        .unwrap_or_default();
    let key = key("*", format!("records:{object}:{first}"), "create");
    let items: Vec<&Value> = drafts.iter().map(|draft| &draft.body).collect();
    let write = Write::idempotent(
        "POST",
        format!("/api/v2/custom_objects/{object}/jobs"),
        key.clone(),
    )
    .json(&json!({"job": {"action": "create_or_update_by_external_id", "items": items}}))
    .lifetime(JOB_LIFE_MS);
    let rows = match client::write(cx, write).await? {
        Sent::Done(answer) => {
            let job: JobStatus = answer.take("job_status")?;
            let ended = client::job(cx, &job.id).await?;
            rows_by_index(
                ended.and_then(|job| job.results).unwrap_or_default(),
                drafts.len(),
            )
        }
        Sent::Refused(refusal) => {
            for draft in drafts {
                reject(cx, draft.item, client::rejection(&refusal)).await?;
            }
            return Ok(());
        }
        Sent::Doubt => {
            return Err(Error::Transient(
                "a job of records was not answered".to_owned(),
            ));
        }
    };
    let after = by_marker(cx, object, markers()).await?;
    for (index, draft) in drafts.into_iter().enumerate() {
        let was = before.get(&draft.item.marker);
        match after.get(&draft.item.marker) {
            Some(record) => {
                let id = map::record_target(object, &record.id);
                let ours = record
                    .custom_object_fields
                    .get(own_field::RUN)
                    .and_then(Value::as_str)
                    == Some(cx.run());
                let in_doubt = draft.item.in_doubt_since.is_some();
                let mut main = match was {
                    None => made(
                        "main",
                        "custom_object_record",
                        id,
                        Some(Proof::AbsentBefore),
                        key.clone(),
                    ),
                    // Found by the first look of a later attempt, with this run's mark on it.
                    Some(was) if in_doubt && ours && mark_of(was) == Some(cx.run()) => made(
                        "main",
                        "custom_object_record",
                        id,
                        Some(Proof::Marker(cx.run().to_owned())),
                        key.clone(),
                    ),
                    Some(was) => Effect {
                        key: Some(key.clone()),
                        before: serde_json::to_string(&json!({
                            "name": was.name, "custom_object_fields": was.custom_object_fields,
                        }))
                        .ok(),
                        ..effect("main", "custom_object_record", id, Action::Updated)
                    },
                };
                main.fingerprint = Some(map::print(&record_facets(record)));
                main.updated_at = record.updated_at.as_deref().and_then(map::parse_iso);
                let status = if main.action == Action::Created {
                    Status::Created
                } else {
                    Status::Updated
                };
                report(cx, draft.item, status, vec![main], draft.losses).await?;
            }
            None => {
                let why = rows.get(&index).and_then(crate::api::JobRow::refusal);
                match why {
                    Some(reason) => {
                        let invalid = transload_sdk::types::Invalid {
                            field: None,
                            reason,
                        };
                        reject(cx, draft.item, Error::Invalid(invalid)).await?;
                    }
                    None => {
                        let why = "a record that its job neither made nor refused".to_owned();
                        report(
                            cx,
                            draft.item,
                            Status::Unsettled(why),
                            Vec::new(),
                            draft.losses,
                        )
                        .await?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn mark_of(record: &Record) -> Option<&str> {
    record
        .custom_object_fields
        .get(own_field::RUN)
        .and_then(Value::as_str)
}

/// Links that a lookup field holds; the rest goes to the link table of the export (rule M-15).
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    for item in items {
        let Entity::Relationship(link) = &item.entry().data else {
            reject(cx, item, Error::Bug("no relationship".to_owned())).await?;
            continue;
        };
        match place(item, link) {
            Ok(place) => set_link(cx, item, link, place).await?,
            Err(note) => {
                let losses = vec![loss("relationship", Fidelity::Converted, note)];
                let name = format!("relationships/{}.json", map::key(&item.entry().head.id));
                report(cx, item, Status::Exported(name), Vec::new(), losses).await?;
            }
        }
    }
    Ok(())
}

struct Place {
    path: String,
    word: &'static str,
    fields: &'static str,
    key: String,
    value: String,
    kind: &'static str,
    target: String,
}

/// The lookup field that holds the link.
fn place(item: &Item, link: &Relationship) -> Result<Place, String> {
    let name = link
        .field
        .as_deref()
        .ok_or("no field of the source holds it")?;
    if link.position.is_some_and(|position| position > 0) {
        return Err("a lookup field holds one link; further ones are in the link table".to_owned());
    }
    let source = link
        .source
        .target
        .as_deref()
        .ok_or("its record was not migrated")?;
    let value = link
        .target
        .target
        .as_deref()
        .ok_or("the record it points to was not migrated")?;
    let value = map::target_id(value).to_owned();
    let fields = &item.entry().head.fields;
    let given = fields
        .iter()
        .find(|f| f.name == name)
        .and_then(|f| f.target.as_deref())
        .and_then(FieldTarget::parse);
    if given.as_ref().is_some_and(|target| target.kind != "lookup") {
        return Err("its field is no lookup; the link stands there as text".to_owned());
    }
    let key = given.map_or_else(|| map::key(name), |target| target.address);
    let place = |path: String, word, fields, kind| Place {
        path,
        word,
        fields,
        key: key.clone(),
        value: value.clone(),
        kind,
        target: source.to_owned(),
    };
    match (&link.source.kind, source.split_once('/')) {
        (Kind::CustomObject, Some((object, id))) => Ok(place(
            format!("/api/v2/custom_objects/{object}/records/{id}"),
            "custom_object_record",
            "custom_object_fields",
            "custom_object_record",
        )),
        (Kind::Customer, _) => Ok(place(
            format!("/api/v2/users/{source}"),
            "user",
            "user_fields",
            "user",
        )),
        (Kind::Company, _) => Ok(place(
            format!("/api/v2/organizations/{source}"),
            "organization",
            "organization_fields",
            "organization",
        )),
        (Kind::Conversation, _) => Err(
            "a change of a loaded ticket would wake its triggers; the link is in the link table"
                .to_owned(),
        ),
        _ => Err("Zendesk has no links of that record".to_owned()),
    }
}

async fn set_link(
    cx: &Context,
    item: &Item,
    _link: &Relationship,
    place: Place,
) -> Result<(), Error> {
    let Some(before) = client::find_member::<Value>(cx, &place.path, place.word).await? else {
        return reject(
            cx,
            item,
            Error::Conflict("the record that holds the link is gone".to_owned()),
        )
        .await;
    };
    let was = before
        .get(place.fields)
        .and_then(|f| f.get(&place.key))
        .cloned()
        .unwrap_or_default();
    let part = format!("link:{}", place.key);
    if canonical(&was) == place.value {
        let there = Effect {
            part,
            ..effect("main", place.kind, place.target, Action::Matched)
        };
        return report(cx, item, Status::Matched, vec![there], Vec::new()).await;
    }
    let method = if place.kind == "custom_object_record" {
        "PATCH"
    } else {
        "PUT"
    };
    let mut values = Map::new();
    values.insert(place.key.clone(), json!(place.value));
    let mut attributes = Map::new();
    attributes.insert(place.fields.to_owned(), Value::Object(values));
    let mut envelope = Map::new();
    envelope.insert(place.word.to_owned(), Value::Object(attributes));
    let key = key(&item.key, part.clone(), "update");
    let write = Write::idempotent(method, place.path, key.clone()).json(&Value::Object(envelope));
    match client::write(cx, write).await? {
        Sent::Done(_) => {
            let mut old = Map::new();
            old.insert(place.key.clone(), was);
            let mut before = Map::new();
            before.insert(place.fields.to_owned(), Value::Object(old));
            let mut done = effect(&part, place.kind, place.target, Action::Updated);
            done.key = Some(key);
            done.before = Some(Value::Object(before).to_string());
            done.fingerprint = Some(map::print(&[(format!("field {}", place.key), place.value)]));
            report(cx, item, Status::Updated, vec![done], Vec::new()).await
        }
        Sent::Refused(refusal) => reject(cx, item, client::rejection(&refusal)).await,
        Sent::Doubt => {
            let why = "a link that was not answered".to_owned();
            report(cx, item, Status::Unsettled(why), Vec::new(), Vec::new()).await
        }
    }
}
