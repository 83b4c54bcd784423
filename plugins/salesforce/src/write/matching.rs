//! Which records are there already (rule M-7): users by address; accounts by our marker, then by name; contacts and leads by our
//! marker, then by an id of Salesforce that the source knows, an address, a number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one. Calls follow the unit and not the
//! org: a query takes as many values as an address holds, a hundred at least.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchResult};
use transload_sdk::items;
use transload_sdk::people::{emails_of, numbers_of};
use transload_sdk::policy::{
    Candidates as Found, Found as There, add_candidate, agents_by_email, match_results, sought,
};
use transload_sdk::types::{self, Entity, Error, Kind};

use super::teams;
use crate::api::{Record, id_of, id18, text};
use crate::client;
use crate::fields;
use crate::map;
use crate::state::{Config, Leads};
use crate::thread::CASE;

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
        Kind::Company => companies(cx, items).await?,
        Kind::Agent => agents(cx, items).await?,
        Kind::Conversation | Kind::Message => by_marker(cx, CASE, items).await?,
        Kind::CustomObject => records(cx, items).await?,
        _ => Found::new(),
    };
    Ok(match_results(items, &candidates))
}

async fn agents(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let users = teams::users_of(cx, &teams::emails(items)).await?;
    Ok(agents_by_email(items, |email| {
        let user = users.get(email)?;
        Some((id_of(user), Value::Object(user.clone()).to_string()))
    }))
}

/// Records of one object by our marker: Cases, records of custom objects.
async fn by_marker(cx: &Context, object: &str, items: &[Item]) -> Result<Found, Error> {
    let keys: BTreeMap<String, &Item> = items
        .iter()
        .map(|item| (fields::source_id(&item.marker), item))
        .collect();
    let markers: BTreeSet<String> = keys.keys().cloned().collect();
    let select = format!(
        "SELECT Id, {}, {} FROM {object}",
        fields::SOURCE_ID,
        fields::RUN
    );
    let rows = client::query_in(cx, &select, fields::SOURCE_ID, &markers, None).await?;
    let mut found = Found::new();
    for row in rows {
        let Some(item) = keys.get(text(&row, fields::SOURCE_ID)) else {
            continue;
        };
        let id = match object.ends_with("__c") {
            true => map::record_target(object, &id_of(&row)),
            false => id_of(&row),
        };
        let one = Candidate {
            target_id: id,
            by: MatchKey::Marker,
            before: Value::Object(row).to_string(),
            doubtful: None,
        };
        found.entry(item.key.clone()).or_default().push(one);
    }
    Ok(found)
}

async fn records(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let records = items::of::<types::CustomObject>(items);
    let name = |record: &types::CustomObject| map::object_name(&record.object_type);
    let mut found = Found::new();
    for (object, items) in items::by_object(records, name) {
        found.extend(by_marker(cx, &object, &items).await?);
    }
    Ok(found)
}

/// What was found of items, and how it is added.
struct Search<'a> {
    cx: &'a Context,
    found: Found,
    /// Addresses of the org's users.
    staff: BTreeSet<String>,
}

impl Search<'_> {
    fn add(&mut self, item: &Item, record: &Record, by: MatchKey) {
        let email = text(record, "Email").to_lowercase();
        let there = There {
            // Of a marker that is too long the record has a digest.
            marker: match by {
                MatchKey::Marker => &item.marker,
                _ => text(record, fields::SOURCE_ID),
            },
            name: text(record, "Name"),
            staff: self.staff.contains(&email),
            several: false,
            by,
        };
        let before = Value::Object(record.clone()).to_string();
        add_candidate(self.cx, &mut self.found, item, there, id_of(record), before);
    }
}

async fn customers(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let config: Config = cx.config()?;
    let mut objects = vec!["Contact"];
    if config.leads != Leads::Never {
        objects.push("Lead");
    }
    let every_email: BTreeSet<String> = items.iter().flat_map(emails_of).collect();
    let staff = teams::users_of(cx, &every_email).await?;
    let mut search = Search {
        cx,
        found: Found::new(),
        staff: staff.into_keys().collect(),
    };
    let markers: BTreeMap<String, &Item> = items
        .iter()
        .map(|item| (fields::source_id(&item.marker), item))
        .collect();
    let keys: BTreeSet<String> = markers.keys().cloned().collect();
    for object in &objects {
        if !loaded_before(cx, object).await? {
            continue;
        }
        for record in select(cx, object, fields::SOURCE_ID, &keys).await? {
            if let Some(item) = markers.get(text(&record, fields::SOURCE_ID)) {
                search.add(item, &record, MatchKey::Marker);
            }
        }
    }
    for object in &objects {
        by_id(cx, object, items, &mut search).await?;
    }
    for (object, field, by) in [
        ("Contact", "Email", MatchKey::Email),
        ("Lead", "Email", MatchKey::Email),
        ("Contact", "Phone", MatchKey::Phone),
        ("Contact", "MobilePhone", MatchKey::Phone),
        ("Lead", "Phone", MatchKey::Phone),
        ("Lead", "MobilePhone", MatchKey::Phone),
    ] {
        if !objects.contains(&object) {
            continue;
        }
        // Who was found by something stronger is not looked for by this; by the same he may be found several times.
        let weaker = |item: &Item| {
            let of_item = search.found.get(&item.key);
            of_item.is_none_or(|list| list.iter().all(|c| c.by == by))
        };
        let wanted: Vec<(&Item, BTreeSet<String>)> = items
            .iter()
            .filter(|item| weaker(item))
            .map(|item| match by {
                MatchKey::Email => (item, emails_of(item)),
                _ => (item, numbers_of(item)),
            })
            .collect();
        let values: BTreeSet<String> = wanted.iter().flat_map(|(_, v)| v.iter().cloned()).collect();
        for record in select(cx, object, field, &values).await? {
            let value = text(&record, field);
            let has = |values: &BTreeSet<String>| match by {
                MatchKey::Email => values.contains(&value.to_lowercase()),
                _ => values.contains(value),
            };
            for (item, _) in wanted.iter().filter(|(_, values)| has(values)) {
                search.add(item, &record, by);
            }
        }
    }
    Ok(search.found)
}

/// Records of people of which a field has one of many values.
async fn select(
    cx: &Context,
    object: &str,
    field: &str,
    values: &BTreeSet<String>,
) -> Result<Vec<Record>, Error> {
    let source = fields::SOURCE_ID;
    let select = format!("SELECT Id, Name, Email, Phone, MobilePhone, {source} FROM {object}");
    // A converted lead is a contact by now, and frozen.
    let and = (object == "Lead").then_some("IsConverted = false");
    client::query_in(cx, &select, field, values, and).await
}

/// Whether the org has records of this source that this run has not made: those of this one are the host's to know, and in a first
/// run nobody has to be looked up by his marker.
async fn loaded_before(cx: &Context, object: &str) -> Result<bool, Error> {
    // An underscore stands for any letter unless it is said not to.
    let quoted = client::literal(&cx.marker_prefix());
    let quoted = quoted.replace('%', "\\%").replace('_', "\\_");
    let begins = quoted.strip_suffix('\'').unwrap_or(&quoted);
    let (source, run) = (fields::SOURCE_ID, fields::RUN);
    let run_is = client::literal(cx.run());
    let soql = format!(
        "SELECT Id FROM {object} WHERE {source} LIKE {begins}%' AND {run} != {run_is} LIMIT 1"
    );
    Ok(!client::query(cx, &soql).await?.is_empty())
}

/// By an id of Salesforce that the source keeps as its external id.
async fn by_id(
    cx: &Context,
    object: &str,
    items: &[Item],
    search: &mut Search<'_>,
) -> Result<(), Error> {
    let ids_of = |item: &Item| -> BTreeSet<String> {
        let own = item.entry().head.external_id.as_deref();
        let more = match &item.entry().data {
            Entity::Customer(customer) => customer.external_ids.as_slice(),
            _ => &[],
        };
        let all = own.into_iter().chain(more.iter().map(String::as_str));
        let ids = all.filter(|id| is_id(id) && map::object_of_id(id) == Some(object));
        ids.map(id18).collect()
    };
    let (wanted, ids) = sought(items, &search.found, ids_of);
    let mut records = Vec::new();
    if object == "Account" {
        let select = format!("SELECT Id, Name, {} FROM Account", fields::SOURCE_ID);
        records.extend(client::query_in(cx, &select, "Id", &ids, None).await?);
    } else {
        records.extend(select(cx, object, "Id", &ids).await?);
    }
    for record in records {
        let id = id_of(&record);
        for (item, _) in wanted.iter().filter(|(_, ids)| ids.contains(&id)) {
            search.add(item, &record, MatchKey::ExternalId);
        }
    }
    Ok(())
}

/// Whether a text has the form of an id.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

async fn companies(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let mut search = Search {
        cx,
        found: Found::new(),
        staff: BTreeSet::new(),
    };
    let select = format!("SELECT Id, Name, {} FROM Account", fields::SOURCE_ID);
    let markers: BTreeMap<String, &Item> = items
        .iter()
        .map(|item| (fields::source_id(&item.marker), item))
        .collect();
    let keys: BTreeSet<String> = if loaded_before(cx, "Account").await? {
        markers.keys().cloned().collect()
    } else {
        BTreeSet::new()
    };
    for record in client::query_in(cx, &select, fields::SOURCE_ID, &keys, None).await? {
        if let Some(item) = markers.get(text(&record, fields::SOURCE_ID)) {
            search.add(item, &record, MatchKey::Marker);
        }
    }
    by_id(cx, "Account", items, &mut search).await?;
    let name_of = |item: &Item| match &item.entry().data {
        Entity::Company(company) if !company.name.trim().is_empty() => {
            BTreeSet::from([company.name.trim().to_owned()])
        }
        _ => BTreeSet::new(),
    };
    let (open, names) = sought(items, &search.found, name_of);
    let prefix = cx.marker_prefix();
    for record in client::query_in(cx, &select, "Name", &names, None).await? {
        // Another company of the source: names are not unique here, so there are simply two.
        if text(&record, fields::SOURCE_ID).starts_with(&prefix) {
            continue;
        }
        let name = text(&record, "Name").trim().to_lowercase();
        let is_called = |of: &BTreeSet<String>| of.iter().any(|of| of.to_lowercase() == name);
        for (item, _) in open.iter().filter(|(_, of)| is_called(of)) {
            search.add(item, &record, MatchKey::Name);
        }
    }
    Ok(search.found)
}
