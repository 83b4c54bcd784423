//! Which records are there already (rule M-7): agents by address; customers by our marker, then by an external id, an address, a
//! number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one. One search takes the keys of many
//! customers; it lags by minutes (Intercom facts §4), which does no harm: what this run made is known by its id, and a contact that came
//! since answers the creation with a conflict.

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{Item, MatchKey, MatchResult};
use transload_sdk::people::external_ids;
use transload_sdk::policy::{Candidates, Found, add_candidate, agents_by_email, match_results};
use transload_sdk::types::{Entity, Error, Kind};

use super::{contacts, people};
use crate::api::Contact;
use crate::client::{self, Looked, filter, group};
use crate::map;

/// Values of one filter: nothing says how many it takes.
const VALUES: usize = 50;

/// Which items are there already.
///
/// # Errors
/// What ends the unit.
pub async fn match_items(
    cx: &Context,
    kind: &Kind,
    items: &[Item],
) -> Result<Vec<MatchResult>, Error> {
    let candidates = match kind {
        Kind::Customer => customers(cx, items).await?,
        Kind::Agent => agents(cx, items).await?,
        _ => Candidates::new(),
    };
    Ok(match_results(items, &candidates))
}

async fn agents(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let admins = people::admins(cx).await?;
    Ok(agents_by_email(items, |email| {
        let admin = people::by_email(&admins, email)?;
        Some((admin.id.clone(), people::as_json(admin)))
    }))
}

/// By what an item's customer may be known here, the surest first: key, field, value.
fn keys(item: &Item) -> Vec<(MatchKey, &'static str, String)> {
    let Entity::Customer(customer) = &item.entry().data else {
        return Vec::new();
    };
    let marker = map::external_id(&item.marker);
    let mut keys = vec![(MatchKey::Marker, "external_id", marker)];
    for id in external_ids(item).filter(|id| id.chars().count() <= map::TEXT_CHARS) {
        if !keys.iter().any(|(_, _, other)| other == id) {
            keys.push((MatchKey::ExternalId, "external_id", id.to_owned()));
        }
    }
    let mut known = contacts::known_by(customer);
    known.sort_by_key(|(_, name, _)| *name);
    keys.extend(known);
    keys
}

async fn customers(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let mut found = Candidates::new();
    let mut open: Vec<&Item> = Vec::new();
    for item in items {
        // What an earlier run made is known by its id.
        match item.prior_part("contact", "main") {
            Some(effect) => match client::contact(cx, &effect.target_id).await? {
                Looked::There(contact) => add(cx, &mut found, item, &contact, MatchKey::Marker),
                Looked::Gone | Looked::Merged => open.push(item),
            },
            None => open.push(item),
        }
    }
    let mut wanted: Vec<(&'static str, String)> = Vec::new();
    for item in &open {
        wanted.extend(
            keys(item)
                .into_iter()
                .map(|(_, field, value)| (field, value)),
        );
    }
    wanted.sort();
    wanted.dedup();
    let there = search(cx, &wanted).await?;
    for item in open {
        for (by, field, value) in keys(item) {
            let same = |contact: &&Contact| {
                let held = match field {
                    "external_id" => &contact.external_id,
                    "email" => &contact.email,
                    _ => &contact.phone,
                };
                held.as_ref()
                    .is_some_and(|held| held.eq_ignore_ascii_case(&value))
            };
            let of_key: Vec<&Contact> = there.iter().filter(same).collect();
            for contact in &of_key {
                add(cx, &mut found, item, contact, by);
            }
            if !of_key.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}

/// Contacts with any of these values, users before leads.
async fn search(cx: &Context, wanted: &[(&'static str, String)]) -> Result<Vec<Contact>, Error> {
    let mut all: Vec<Contact> = Vec::new();
    for chunk in wanted.chunks(VALUES) {
        let of = |field: &str| {
            let values = chunk.iter().filter(|(of, _)| *of == field);
            let values: Vec<Value> = values.map(|(_, value)| json!(value)).collect();
            (!values.is_empty()).then(|| filter(field, "IN", values))
        };
        let filters: Vec<Value> = ["external_id", "email", "phone"]
            .into_iter()
            .filter_map(of)
            .collect();
        all.extend(client::search::<Contact>(cx, "contacts", &group("OR", filters)).await?);
    }
    all.sort_by_key(|contact| (contact.role != "user", contact.id.clone()));
    all.dedup_by(|a, b| a.id == b.id);
    Ok(all)
}

fn add(cx: &Context, found: &mut Candidates, item: &Item, contact: &Contact, by: MatchKey) {
    let there = Found {
        marker: contact.external_id.as_deref().unwrap_or(""),
        name: contact.name.as_deref().unwrap_or(""),
        staff: false,
        several: false,
        by,
    };
    let before = serde_json::to_string(contact).unwrap_or_default();
    add_candidate(cx, found, item, there, contact.id.as_str(), before);
}
