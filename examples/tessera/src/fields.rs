//! Custom fields: the connector's own (`prepare`), those of the source (`write`), and their values on records.
//!
//! What a definition's `main` effect has as its target comes back as `field.target` of every value: the address of a field.
//! Ours is `<type>:<key>`, so that a value can be fitted without asking what its field is.

use serde_json::{Map, Number, Value as Json};
use transload_sdk::card::{Facts, Misfit, loss};
use transload_sdk::destination::Item;
use transload_sdk::effects::{self, short_hash};
use transload_sdk::http::{Made, create};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{
    Entity, Error, Fidelity, Field as SourceField, FieldDefinition, FieldType, Kind, Loss, Value,
};
use transload_sdk::words::Words;
use transload_sdk::{Result, fingerprint};

use crate::api::{Api, Field, SETTLE_KEY_MS, WORD, refusal};

/// What a field's effect says it is.
pub const KIND: &str = "field";

/// The field for source cards of people, ours.
pub async fn own(api: &Api<'_>) -> Result<String> {
    let field = Field {
        key: "transload_source".into(),
        label: "Source (Transload)".into(),
        kind: "text".into(),
        owner: "person".into(),
    };
    match make(api, "own:card-field", &field).await? {
        Ensured::There { key, effect } => {
            effects::own(api.cx, "own:card-field", vec![*effect]).await?;
            Ok(key)
        }
        Ensured::Refused(error) => Err(error),
        Ensured::Unsettled(why) => Err(Error::Transient(why)),
    }
}

/// Writes a definition.
pub async fn write(api: &Api<'_>, item: &Item) -> Result<()> {
    let cx = api.cx;
    let Entity::FieldDefinition(definition) = &item.entry().data else {
        return Err(Error::Bug("a definition that is none".into()));
    };
    // Somebody decided that it is a field that is there.
    if let Some(there) = &item.existing {
        let effect = effects::effect("main", KIND, &there.target_id, Action::Matched);
        effects::report(cx, item, Status::Matched, vec![effect], Vec::new());
        return Ok(());
    }
    // Tessera has fields of people and tickets only.
    let Some(field) = wanted(definition) else {
        effects::export(cx, item);
        return Ok(());
    };
    match make(api, &item.key, &field).await? {
        Ensured::There { effect, .. } => {
            let status = effects::status_of(effect.action);
            effects::report(cx, item, status, vec![*effect], losses(definition));
        }
        Ensured::Refused(error) => effects::reject(cx, item, error),
        Ensured::Unsettled(why) => {
            effects::report(cx, item, Status::Unsettled(why), Vec::new(), Vec::new());
        }
    }
    Ok(())
}

enum Ensured {
    There { key: String, effect: Box<Effect> },
    Refused(Error),
    Unsettled(String),
}

/// Makes a field, or takes the one of that key and kind that is there. A key that something else has is not ours to use:
/// then a second one, of the same name and a digest.
async fn make(api: &Api<'_>, item: &str, wanted: &Field) -> Result<Ensured> {
    let second = Field {
        key: distinct(&wanted.key, &format!("{} {}", wanted.owner, wanted.kind)),
        ..wanted.clone()
    };
    for (step, field) in [("create", wanted), ("create-second", &second)] {
        let request = api.cx.http().post("/fields").json(field);
        // A field carries no marker; that it was absent before is the proof that it is ours.
        let made = create(api.cx, request.key(item, "main", step))
            .look_first()
            .or_find(async || there(api, &field.key).await, SETTLE_KEY_MS)
            .await?;
        let (proof, key, found) = match made {
            Made::Created { proof, key, .. } => (proof, key, field.clone()),
            Made::Found { object, proof, key } => (proof, key, object),
            Made::Refused(reply) if reply.status() == 409 => continue,
            Made::Refused(reply) => return Ok(Ensured::Refused(refusal(&reply)?)),
            Made::Unsettled(why) => return Ok(Ensured::Unsettled(why)),
        };
        if (&found.kind, &found.owner) == (&field.kind, &field.owner) {
            let effect = Box::new(effect(&found, proof, key)?);
            return Ok(Ensured::There {
                key: found.key,
                effect,
            });
        }
    }
    let why = "a field of that key is there already".to_owned();
    Ok(Ensured::Refused(Error::Conflict(why)))
}

async fn there(api: &Api<'_>, key: &str) -> Result<Option<Field>> {
    let fields = api.fields().await?;
    Ok(fields.into_iter().find(|field| field.key == key))
}

fn effect(
    field: &Field,
    proof: Option<Proof>,
    key: Option<transload_sdk::http::OperationKey>,
) -> Result<Effect> {
    let action = match proof {
        Some(_) => Action::Created,
        None => Action::Matched,
    };
    Ok(Effect {
        proof,
        key,
        fingerprint: Some(fingerprint(field)?),
        ..effects::effect("main", KIND, address(field), action)
    })
}

/// The address of a field.
pub fn address(field: &Field) -> String {
    format!("{}:{}", field.kind, field.key)
}

/// Type and key of an address.
pub fn parts(address: &str) -> Option<(&str, &str)> {
    address.split_once(':')
}

/// A definition as a field here; `None` for those of records that have no fields here.
fn wanted(definition: &FieldDefinition) -> Option<Field> {
    let owner = match definition.owner.kind {
        Kind::Customer => "person",
        Kind::Conversation => "ticket",
        _ => return None,
    };
    let kind = match definition.field_type {
        FieldType::Integer | FieldType::Decimal => "number",
        FieldType::Boolean => "flag",
        FieldType::Date => "date",
        _ => "text",
    };
    Some(Field {
        key: key(owner, &definition.name),
        label: definition.label.clone(),
        kind: kind.into(),
        owner: owner.into(),
    })
}

/// A key out of any name: the name itself where it can be one, else what is left of it and a digest, so that no two are fused.
fn key(owner: &str, name: &str) -> String {
    let plain: String = format!("{owner}_{name}")
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_') => c,
            _ => '_',
        })
        .collect();
    if plain.ends_with(name) && plain.len() <= WORD {
        return plain;
    }
    distinct(&plain, name)
}

/// A key with a digest of what it stands for.
fn distinct(key: &str, of: &str) -> String {
    let digest = short_hash(of);
    let room = WORD.saturating_sub(digest.len() + 1);
    format!("{}_{digest}", key.get(..room).unwrap_or(key))
}

fn losses(definition: &FieldDefinition) -> Vec<Loss> {
    let mut losses = Vec::new();
    if !definition.options.is_empty() {
        losses.push(loss(
            "field-definition.options",
            Fidelity::Lost,
            "Tessera has no choices: their values are text",
        ));
    }
    if definition.required {
        losses.push(loss(
            "field-definition.required",
            Fidelity::Lost,
            "Tessera has no required fields",
        ));
    }
    losses
}

/// The values of a record's fields by key. What does not fit its field goes onto the card; what has no field is on the card
/// anyway.
pub fn values(
    fields: &[SourceField],
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let words = card.words().clone();
    let mut values = Map::new();
    for field in fields {
        let Some((kind, key)) = field.target.as_deref().and_then(parts) else {
            continue;
        };
        match fit(kind, &field.value, &words) {
            Ok(value) => {
                values.insert(key.to_owned(), value);
            }
            Err(misfit) => card.misfit(field, misfit, losses),
        }
    }
    card.lists(fields, losses);
    values
}

fn fit(kind: &str, value: &Value, words: &Words) -> Result<Json, Misfit> {
    match (kind, value) {
        ("text", Value::Text(text) | Value::Link(text) | Value::Choice(text)) => {
            Ok(Json::from(text.as_str()))
        }
        ("text", value) => Ok(Json::from(words.value(value))),
        ("number", Value::Integer(number)) => Ok(Json::from(*number)),
        ("number", Value::Decimal(digits)) => number(digits),
        ("flag", Value::Boolean(flag)) => Ok(Json::from(*flag)),
        ("date", Value::Date(date)) => Ok(Json::from(date.as_str())),
        _ => Err(Misfit("the value is not of its field's type")),
    }
}

/// A decimal as a JSON number, if that has the same digits: no digit is lost without a word.
fn number(digits: &str) -> Result<Json, Misfit> {
    let number = digits.parse().ok().and_then(Number::from_f64);
    match number {
        Some(number) if number.to_string() == digits => Ok(Json::Number(number)),
        _ => Err(Misfit("a number cannot hold all of its digits")),
    }
}
