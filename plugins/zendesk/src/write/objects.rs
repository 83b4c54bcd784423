//! Records of custom objects.
//!
//! Records go by jobs of 100 that upsert by external id, which may be repeated; that a record was not there before is
//! read first, so that it can count as created (rule D-4). Lookups
//! that could not be set when a record was made (a cycle, a later record) are set by `links` afterwards.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::unsettled;
use transload_sdk::http::{self, OperationKey, Refusal as _, key};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::name_or_id;
use transload_sdk::types::{CustomObject, Entity, Error, Fidelity, Field, Loss};

use super::keys::Keys;
use super::{effect, made, own_values, reject, report, schema};
use crate::api::{JobStatus, Record};
use crate::card::{self, Card, fitted};
use crate::client::{self, Sent, query_list};
use crate::map::{self, FieldOwner, FieldTarget, Misfit, loss};
use crate::state::{Config, own_field};
use crate::words::{self, Words};
use crate::write::tickets::rows_by_index;
use transload_sdk::policy::canonical;

/// Records a job takes (Zendesk facts §11).
const BULK: usize = 100;
/// A record may be 32 KB (Zendesk facts §11). So much of it is for the values of its fields …
const VALUES_BYTES: usize = 24_000;
/// … so much for those and the card together, the rest being for links that are named later …
const WITH_CARD_BYTES: usize = 26_000;
/// … and no more than this for the card.
const CARD_BYTES: usize = 12_000;
/// Results of a job are kept for about an hour (Zendesk facts §12).
pub const JOB_LIFE_MS: u64 = 50 * 60_000;

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
    let config: Config = cx.config()?;
    let words = words::of_account(&config.subdomain, cx.time_zone());
    let keys = Keys::read(cx).await?;
    let mut by_object: BTreeMap<String, Vec<&Item>> = BTreeMap::new();
    for item in items {
        match &item.entry().data {
            Entity::CustomObject(object) => {
                by_object
                    .entry(keys.of(&object.object_type))
                    .or_default()
                    .push(item);
            }
            _ => reject(cx, item, Error::Bug("no custom object".to_owned())),
        }
    }
    // All jobs are begun before the first is waited for.
    let mut begun = Vec::new();
    let mut in_doubt = false;
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
                    drafts.push(draft(cx, words.clone(), item, data, &options)?);
                }
            }
            match begin(cx, &object, drafts).await? {
                Begin::Job(job) => begun.push(job),
                Begin::Refused => {}
                Begin::Doubt => in_doubt = true,
            }
        }
    }
    for job in begun {
        finish(cx, job).await?;
    }
    if in_doubt {
        let why = "a job of records was not answered".to_owned();
        return Err(Error::Transient(why));
    }
    Ok(())
}

/// A job that was begun, and what was there before it.
struct Job<'a> {
    id: String,
    key: OperationKey,
    object: String,
    drafts: Vec<Draft<'a>>,
    before: BTreeMap<String, Record>,
}

enum Begin<'a> {
    Job(Job<'a>),
    /// Its items have their outcomes.
    Refused,
    /// Its items stay open: they run again, and are looked at first.
    Doubt,
}

fn draft<'a>(
    cx: &Context,
    words: Words,
    item: &'a Item,
    data: &CustomObject,
    options: &BTreeMap<String, Vec<(String, String)>>,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut losses = Vec::new();
    let mut card = Card::new(words);
    card::head(head, &mut card);
    let mut fields = Map::new();
    schema::keyed_fields(&head.fields, options, &mut fields, &mut card, &mut losses);
    own_values(cx.run(), head, &mut fields);
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
        match map::lookup_id(reference) {
            Ok(id) => {
                fields.insert(key.to_owned(), json!(id));
            }
            Err(misfit) => {
                card.reference(field, Some(reference));
                losses.push(loss(field, Fidelity::Converted, misfit.0));
            }
        }
    }
    card.references("tags", &data.tags);
    card::object(&cx.blobs(), data, &mut card)?;
    make_room(&head.fields, &mut fields, &mut card, &mut losses);
    let text = card.render(cx.platform(), item, item.entry(), &losses)?;
    let left = WITH_CARD_BYTES.saturating_sub(json!(fields).to_string().len());
    let (text, cut) = fitted(&text, CARD_BYTES.min(left));
    fields.insert(own_field::CARD.to_owned(), json!(text));
    if cut {
        let note = "the source card is cut: a record holds 32 KB";
        losses.push(loss("custom-object.data", Fidelity::Lost, note));
    }
    let name = name_or_id(item.entry(), &data.title);
    let body = json!({"name": name, "external_id": item.marker, "custom_object_fields": fields});
    Ok(Draft { item, body, losses })
}

/// Moves the longest values onto the card until the rest fits into a record.
fn make_room(
    own: &[Field],
    values: &mut Map<String, Value>,
    card: &mut Card,
    losses: &mut Vec<Loss>,
) {
    while json!(values).to_string().len() > VALUES_BYTES {
        let length = |value: &Value| value.as_str().map_or(0, str::len);
        let is_in = |field: &&Field, key: &str| {
            let target = field.target.as_deref().and_then(FieldTarget::parse);
            target.is_some_and(|target| target.address == key)
        };
        let of_source = |key: &str| own.iter().find(|field| is_in(field, key));
        let longest = values
            .iter()
            .filter_map(|(key, value)| Some((length(value), key.clone(), of_source(key)?)))
            .max_by_key(|(length, _, _)| *length);
        let Some((_, key, field)) = longest else {
            return;
        };
        values.remove(&key);
        let why = Misfit("a record holds 32 KB: on the source card");
        card.misfit(field, why, losses);
    }
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

async fn begin<'a>(cx: &Context, object: &str, drafts: Vec<Draft<'a>>) -> Result<Begin<'a>, Error> {
    let markers = drafts.iter().map(|draft| draft.item.marker.as_str());
    let before = by_marker(cx, object, markers).await?;
    let first = drafts
        .first()
        .map(|draft| draft.item.key.as_str())
        .unwrap_or_default();
    let key = key("*", format!("records:{object}:{first}"), "create");
    let items: Vec<&Value> = drafts.iter().map(|draft| &draft.body).collect();
    let path = format!("/api/v2/custom_objects/{object}/jobs");
    let write = cx
        .http()
        .repeatable("POST", path, key.clone())
        .json(&json!({"job": {"action": "create_or_update_by_external_id", "items": items}}))
        .lifetime(JOB_LIFE_MS);
    Ok(match http::write(write).await? {
        Sent::Done(answer) => Begin::Job(Job {
            id: answer.member::<JobStatus>("job_status")?.id,
            key,
            object: object.to_owned(),
            drafts,
            before,
        }),
        Sent::Refused(refusal) => {
            for draft in drafts {
                reject(cx, draft.item, refusal.rejection());
            }
            Begin::Refused
        }
        Sent::Doubt(_) => Begin::Doubt,
    })
}

async fn finish(cx: &Context, job: Job<'_>) -> Result<(), Error> {
    let Job {
        id,
        key,
        object,
        drafts,
        before,
    } = job;
    let rows = client::job(cx, &id).await?.and_then(|job| job.results);
    let rows = rows_by_index(rows.unwrap_or_default(), drafts.len());
    let markers = drafts.iter().map(|draft| draft.item.marker.as_str());
    let after = by_marker(cx, &object, markers).await?;
    for (index, draft) in drafts.into_iter().enumerate() {
        let was = before.get(&draft.item.marker);
        // A refused row leaves a record that was there as it was.
        let refused = rows.get(&index).and_then(crate::api::JobRow::refusal);
        let there = after.get(&draft.item.marker);
        match there.filter(|_| refused.is_none() || was.is_none()) {
            Some(record) => {
                let id = map::record_target(&object, &record.id);
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
                report(cx, draft.item, status, vec![main], draft.losses);
            }
            None => match refused {
                Some(reason) => {
                    let invalid = transload_sdk::types::Invalid {
                        field: None,
                        reason,
                    };
                    reject(cx, draft.item, Error::Invalid(invalid));
                }
                None => {
                    let why = "a record that its job neither made nor refused";
                    unsettled(cx, draft.item, why, draft.losses);
                }
            },
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
