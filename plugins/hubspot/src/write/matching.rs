//! Which records are there already (rule M-7): owners by address; contacts by our marker, then by an address, then by a number;
//! companies by our marker, then by domain, then by name; tickets and records of custom objects by our marker.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one. Markers and addresses are unique,
//! and read by key; the rest is searched for, which lags and may miss what was written last: so nothing depends on it but a
//! match (HubSpot facts §0.5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchResult};
use transload_sdk::items;
use transload_sdk::people::{emails_of, numbers_of};
use transload_sdk::policy::{
    Candidates as Found, Found as There, add_candidate, agents_by_email, match_results, sought,
};
use transload_sdk::types::{self, Entity, Error, Kind};

use super::teams;
use crate::api::Record;
use crate::client;
use crate::map;
use crate::own;
use crate::state::{Companies, Config, State};

/// Which items are there already.
///
/// # Errors
/// What ends the unit.
pub async fn match_items(
    cx: &Context,
    kind: &Kind,
    items: &[Item],
) -> Result<Vec<MatchResult>, Error> {
    let state: State = cx.state()?;
    let candidates = match kind {
        Kind::Customer => customers(cx, &state, items).await?,
        Kind::Company => companies(cx, &state, items).await?,
        Kind::Agent => agents(cx, items).await?,
        Kind::Conversation | Kind::Message => by_marker(cx, &state, "tickets", items).await?,
        Kind::CustomObject => records(cx, &state, items).await?,
        _ => Found::new(),
    };
    Ok(match_results(items, &candidates))
}

async fn agents(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let owners = teams::by_email(teams::owners(cx, false).await?);
    Ok(agents_by_email(items, |email| {
        let owner = owners.get(email)?;
        Some((owner.id.clone(), json!({"name": owner.name()}).to_string()))
    }))
}

/// The markers of items, as records have them.
fn markers(items: &[Item]) -> BTreeMap<String, &Item> {
    let of = |item: &'_ Item| own::source_id(&item.marker);
    items.iter().map(|item| (of(item), item)).collect()
}

/// Records of one object type by our marker.
async fn by_marker(
    cx: &Context,
    state: &State,
    object: &str,
    items: &[Item],
) -> Result<Found, Error> {
    let mut found = Found::new();
    let Some(marks) = state.marks(object) else {
        return Ok(found);
    };
    let keys = markers(items);
    let values: BTreeSet<String> = keys.keys().cloned().collect();
    let columns = [marks.marker, marks.run];
    for record in client::read_by(cx, object, marks.marker, &values, &columns).await? {
        let Some(item) = keys.get(record.text(marks.marker)) else {
            continue;
        };
        let id = match own::is_custom(object) {
            true => map::record_target(object, &record.id),
            false => record.id.clone(),
        };
        let one = Candidate {
            target_id: id,
            by: MatchKey::Marker,
            before: Value::Object(record.properties).to_string(),
            doubtful: None,
        };
        found.entry(item.key.clone()).or_default().push(one);
    }
    Ok(found)
}

async fn records(cx: &Context, state: &State, items: &[Item]) -> Result<Found, Error> {
    let records = items::of::<types::CustomObject>(items);
    let name = |record: &types::CustomObject| state.object_of(&record.object_type);
    let mut found = Found::new();
    for (object, items) in items::by_object(records, name) {
        found.extend(by_marker(cx, state, &object, &items).await?);
    }
    Ok(found)
}

/// What was found of items, and how it is added.
struct Search<'a> {
    cx: &'a Context,
    /// The property with the marker.
    marker: &'a str,
    found: Found,
    /// Addresses of the account's owners, asked for when first needed.
    staff: Option<BTreeSet<String>>,
}

/// All addresses of a contact.
fn addresses(record: &Record) -> BTreeSet<String> {
    let more = record.text("hs_additional_emails").split(';');
    let all = std::iter::once(record.text("email")).chain(more);
    all.map(|address| address.trim().to_lowercase())
        .filter(|address| !address.is_empty())
        .collect()
}

impl Search<'_> {
    async fn add(
        &mut self,
        item: &Item,
        record: &Record,
        name: &str,
        by: MatchKey,
    ) -> Result<(), Error> {
        let own = addresses(record);
        let mut staff = false;
        if !own.is_empty() {
            if self.staff.is_none() {
                let owners = teams::by_email(teams::owners(self.cx, false).await?);
                self.staff = Some(owners.into_keys().collect());
            }
            staff = self
                .staff
                .iter()
                .flatten()
                .any(|address| own.contains(address));
        }
        let found = There {
            // Of a marker that is too long the record has a digest.
            marker: match by {
                MatchKey::Marker => &item.marker,
                _ => record.text(self.marker),
            },
            name,
            staff,
            several: false,
            by,
        };
        let before = Value::Object(record.properties.clone()).to_string();
        let id = record.id.as_str();
        add_candidate(self.cx, &mut self.found, item, found, id, before);
        Ok(())
    }
}

async fn customers(cx: &Context, state: &State, items: &[Item]) -> Result<Found, Error> {
    let config: Config = cx.config()?;
    let Some(marks) = state.marks("contacts") else {
        return Ok(Found::new());
    };
    let columns = [
        "email",
        "hs_additional_emails",
        "firstname",
        "lastname",
        "phone",
        "mobilephone",
        marks.marker,
    ];
    let mut search = Search {
        cx,
        marker: marks.marker,
        found: Found::new(),
        staff: None,
    };
    let name = |record: &Record| {
        let parts = [record.text("firstname"), record.text("lastname")];
        parts.join(" ").trim().to_owned()
    };
    let keys = markers(items);
    let values: BTreeSet<String> = keys.keys().cloned().collect();
    for record in client::read_by(cx, "contacts", marks.marker, &values, &columns).await? {
        if let Some(item) = keys.get(record.text(marks.marker)) {
            search
                .add(item, &record, &name(&record), MatchKey::Marker)
                .await?;
        }
    }
    let (open, values) = sought(items, &search.found, emails_of);
    let records = client::read_by(cx, "contacts", "email", &values, &columns).await?;
    for record in &records {
        let has = addresses(record);
        for (item, _) in open.iter().filter(|(_, values)| !values.is_disjoint(&has)) {
            search
                .add(item, record, &name(record), MatchKey::Email)
                .await?;
        }
    }
    if !config.match_phones {
        return Ok(search.found);
    }
    let (open, values) = sought(items, &search.found, numbers_of);
    let wanted = ["phone", "mobilephone"];
    for record in client::search_in(cx, "contacts", &wanted, &values, &columns).await? {
        let has =
            |values: &BTreeSet<String>| wanted.iter().any(|p| values.contains(record.text(p)));
        for (item, _) in open.iter().filter(|(_, values)| has(values)) {
            search
                .add(item, &record, &name(&record), MatchKey::Phone)
                .await?;
        }
    }
    Ok(search.found)
}

async fn companies(cx: &Context, state: &State, items: &[Item]) -> Result<Found, Error> {
    let config: Config = cx.config()?;
    let Some(marks) = state.marks("companies") else {
        return Ok(Found::new());
    };
    let columns = ["name", "domain", marks.marker];
    let mut search = Search {
        cx,
        marker: marks.marker,
        found: Found::new(),
        staff: None,
    };
    let keys = markers(items);
    let values: BTreeSet<String> = keys.keys().cloned().collect();
    for record in client::read_by(cx, "companies", marks.marker, &values, &columns).await? {
        if let Some(item) = keys.get(record.text(marks.marker)) {
            search
                .add(item, &record, record.text("name"), MatchKey::Marker)
                .await?;
        }
    }
    if config.companies == Companies::Create {
        return Ok(search.found);
    }
    for (property, by) in [("domain", MatchKey::Other), ("name", MatchKey::Name)] {
        let of = |item: &Item| -> BTreeSet<String> {
            let Entity::Company(company) = &item.entry().data else {
                return BTreeSet::new();
            };
            let plain = |text: &String| text.trim().to_lowercase();
            let values: Vec<String> = match by {
                MatchKey::Name => vec![plain(&company.name)],
                _ => company.domains.iter().map(plain).collect(),
            };
            values
                .into_iter()
                .filter(|value| !value.is_empty())
                .collect()
        };
        let (open, _) = sought(items, &search.found, of);
        // Names are compared without capitals by us, and as they are written by the search, which may do so, too.
        let written: BTreeSet<String> = open
            .iter()
            .flat_map(|(item, values)| {
                let name = match (&item.entry().data, by) {
                    (Entity::Company(company), MatchKey::Name) => {
                        Some(company.name.trim().to_owned())
                    }
                    _ => None,
                };
                values.iter().cloned().chain(name)
            })
            .collect();
        let prefix = cx.marker_prefix();
        for record in client::search_in(cx, "companies", &[property], &written, &columns).await? {
            // Another company of the source: there are simply two.
            if record.text(marks.marker).starts_with(&prefix) {
                continue;
            }
            let has = record.text(property).trim().to_lowercase();
            for (item, _) in open.iter().filter(|(_, values)| values.contains(&has)) {
                search.add(item, &record, record.text("name"), by).await?;
            }
        }
    }
    Ok(search.found)
}
