//! Which records are there already (rule M-7): agents by address; companies by our marker, then by name; contacts by our marker,
//! then by an external id, an address, a number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one: whoever has an agent's address,
//! whoever would fall on another record of the source, whoever has only a number in common with somebody of another name.
//!
//! Calls follow the unit and not the account: a list is read only as far as that is cheaper than asking for each value.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchResult};
use transload_sdk::http::segment;
use transload_sdk::people::{external_ids, own_addresses as own_addresses_of};
use transload_sdk::policy::{
    Candidates, Found, add_candidate, agents_by_email, doubt, match_results,
};
use transload_sdk::types::{AddressChannel, Entity, Error, Kind};

use super::{people, teams};
use crate::api::{Company, Contact, Ticket};
use crate::client;
use crate::map::{self, Owner};
use crate::state::{State, own_field};

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
        Kind::Conversation | Kind::Message => tickets(cx, items).await?,
        _ => Candidates::new(),
    };
    Ok(match_results(items, &candidates))
}

fn candidate(id: u64, there: &impl Serialize, by: MatchKey, doubtful: Option<&str>) -> Candidate {
    Candidate {
        target_id: id.to_string(),
        by,
        before: serde_json::to_string(there).unwrap_or_default(),
        doubtful: doubtful.map(str::to_owned),
    }
}

async fn agents(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let staff = teams::staff(cx).await?;
    Ok(agents_by_email(items, |email| {
        let is = |one: &&crate::api::Agent| teams::address_of(one).as_deref() == Some(email);
        let one = staff.iter().find(is)?;
        Some((one.id.to_string(), serde_json::to_string(one).ok()?))
    }))
}

// ---- tickets

/// Characters of a search's query (Freshdesk facts §3).
const QUERY_CHARS: usize = 512;

/// Tickets of an earlier run, by our marker. The search lags by minutes and finds no archived ones (Freshdesk facts §3).
async fn tickets(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let state: State = cx.state()?;
    let field = state.field(Owner::Ticket, own_field::MARKER);
    let Some(field) = field.filter(|_| state.earlier) else {
        return Ok(Candidates::new());
    };
    let mut queries: Vec<String> = Vec::new();
    for item in items {
        // Nothing says how a quote in a value is written.
        if item.marker.contains(['\'', '"']) {
            continue;
        }
        let term = format!("{field}:'{}'", item.marker);
        match queries.last_mut() {
            Some(query) if query.len() + term.len() + 6 <= QUERY_CHARS => {
                query.push_str(" OR ");
                query.push_str(&term);
            }
            _ => queries.push(term),
        }
    }
    let mut found = Candidates::new();
    for query in queries {
        let query = segment(format!("\"{query}\""));
        let path = format!("/api/v2/search/tickets?query={query}");
        let Some(reply) = client::get(cx, &path).await? else {
            continue;
        };
        let rows: Option<Vec<Ticket>> = reply.member("results")?;
        for ticket in rows.into_iter().flatten() {
            let marker = ticket.custom_fields.get(field).and_then(Value::as_str);
            let item = items
                .iter()
                .find(|item| Some(item.marker.as_str()) == marker);
            if let Some(item) = item {
                let one = candidate(ticket.id, &ticket, MatchKey::Marker, None);
                found.entry(item.key.clone()).or_default().push(one);
            }
        }
    }
    Ok(found)
}

// ---- customers

/// The person's own addresses of a channel, in the form in which they are compared; shared ones say nothing.
pub fn own_addresses(item: &Item, channel: &AddressChannel) -> Vec<String> {
    let plain = |value: &str| match channel {
        AddressChannel::Email => map::email(value),
        _ => map::e164(value),
    };
    own_addresses_of(item, channel).filter_map(plain).collect()
}

/// Contacts, asked for one value at a time or known from the list of all.
struct Contacts<'a> {
    cx: &'a Context,
    /// All of them, where the account is so small that listing them was cheaper.
    all: Option<Vec<Contact>>,
}

impl Contacts<'_> {
    /// Those with a value in an attribute: `email`, `phone`, `mobile` or `unique_external_id` (Freshdesk facts §3). Lists do not
    /// show further addresses: whose they are, a refused creation tells.
    async fn by(&self, attribute: &str, value: &str) -> Result<Vec<Contact>, Error> {
        let Some(all) = &self.all else {
            return people::contacts_by(self.cx, attribute, value).await;
        };
        let has = |contact: &&Contact| match attribute {
            "email" => contact.email.as_deref().and_then(map::email).as_deref() == Some(value),
            "phone" => contact.phone.as_deref() == Some(value),
            "mobile" => contact.mobile.as_deref() == Some(value),
            _ => contact.unique_external_id.as_deref() == Some(value),
        };
        Ok(all.iter().filter(has).cloned().collect())
    }
}

async fn customers(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let (all, complete) = client::list_at_most(cx, "/api/v2/contacts", items.len()).await?;
    let contacts = Contacts {
        cx,
        all: complete.then_some(all),
    };
    let mut found = Candidates::new();
    for item in items {
        for contact in contacts.by("unique_external_id", &item.marker).await? {
            add(cx, &mut found, item, &contact, MatchKey::Marker);
        }
        if found.contains_key(&item.key) {
            continue;
        }
        for id in external_ids(item) {
            for contact in contacts.by("unique_external_id", id).await? {
                add(cx, &mut found, item, &contact, MatchKey::ExternalId);
            }
        }
    }
    // Who is found by an external id is not looked for by an address, nor who is found by an address by a number.
    let media = [
        (AddressChannel::Email, MatchKey::Email, &["email"][..]),
        (
            AddressChannel::Phone,
            MatchKey::Phone,
            &["phone", "mobile"][..],
        ),
    ];
    for (channel, by, attributes) in media {
        let known: BTreeSet<String> = found.keys().cloned().collect();
        for item in items.iter().filter(|item| !known.contains(&item.key)) {
            for value in own_addresses(item, &channel) {
                for attribute in attributes {
                    for contact in contacts.by(attribute, &value).await? {
                        add(cx, &mut found, item, &contact, by);
                    }
                }
            }
        }
    }
    // An agent's address is none of a contact, and must not become one's: whoever has it is shown as doubtful.
    staff_addresses(cx, items, &mut found).await?;
    Ok(found)
}

async fn staff_addresses(
    cx: &Context,
    items: &[Item],
    found: &mut Candidates,
) -> Result<(), Error> {
    let staff = teams::staff(cx).await?;
    let by_email: BTreeMap<String, &crate::api::Agent> = staff
        .iter()
        .filter_map(|agent| Some((teams::address_of(agent)?, agent)))
        .collect();
    for item in items {
        for email in own_addresses(item, &AddressChannel::Email) {
            let Some(agent) = by_email.get(&email) else {
                continue;
            };
            let doubtful = doubt(
                cx,
                item,
                &Found {
                    marker: "",
                    name: &agent.contact.name,
                    staff: true,
                    several: false,
                    by: MatchKey::Email,
                },
            );
            let list = found.entry(item.key.clone()).or_default();
            list.push(candidate(agent.id, agent, MatchKey::Email, doubtful));
        }
    }
    Ok(())
}

fn add(cx: &Context, found: &mut Candidates, item: &Item, contact: &Contact, by: MatchKey) {
    if contact.deleted {
        return;
    }
    let there = Found {
        marker: contact.unique_external_id.as_deref().unwrap_or(""),
        name: &contact.name,
        staff: false,
        several: false,
        by,
    };
    let before = serde_json::to_string(contact).unwrap_or_default();
    add_candidate(cx, found, item, there, contact.id.to_string(), before);
}

// ---- companies

/// The marker that a company carries.
pub fn marker_of<'c>(state: &State, company: &'c Company) -> &'c str {
    let name = state.field(Owner::Company, own_field::MARKER);
    let value = name.and_then(|name| company.custom_fields.get(name));
    value.and_then(Value::as_str).unwrap_or("")
}

/// The company of a name, which is unique: by what the form's suggestions know of it.
///
/// # Errors
/// What ends the unit.
pub async fn company_by_name(cx: &Context, name: &str) -> Result<Option<Company>, Error> {
    let same = |known: &str| known.trim().to_lowercase() == name.trim().to_lowercase();
    let path = format!("/api/v2/companies/autocomplete?name={}", segment(name));
    let suggested: Option<Value> = client::find(cx, &path).await?;
    let rows = suggested
        .as_ref()
        .map(|found| found.get("companies").unwrap_or(found));
    for row in rows.and_then(Value::as_array).into_iter().flatten() {
        let text = row.get("name").and_then(Value::as_str).unwrap_or("");
        if let (true, Some(id)) = (same(text), row.get("id").and_then(Value::as_u64)) {
            let path = format!("/api/v2/companies/{id}");
            if let Some(company) = client::find(cx, &path).await? {
                return Ok(Some(company));
            }
        }
    }
    Ok(None)
}

async fn companies(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let state: State = cx.state()?;
    let (mut all, complete) =
        client::list_at_most::<Company>(cx, "/api/v2/companies", items.len()).await?;
    let name = |item: &Item| match &item.entry().data {
        Entity::Company(company) => company.name.trim().to_lowercase(),
        _ => String::new(),
    };
    if !complete {
        for item in items {
            let name = name(item);
            if !name.is_empty()
                && let Some(company) = company_by_name(cx, &name).await?
                && all.iter().all(|known| known.id != company.id)
            {
                all.push(company);
            }
        }
    }
    let prefix = cx.marker_prefix();
    let mut found = Candidates::new();
    for item in items {
        let name = name(item);
        for company in &all {
            let marker = marker_of(&state, company);
            let by = if marker == item.marker {
                MatchKey::Marker
            } else if company.name.trim().to_lowercase() == name && !marker.starts_with(&prefix) {
                MatchKey::Name
            } else {
                continue;
            };
            let list = found.entry(item.key.clone()).or_default();
            list.push(candidate(company.id, company, by, None));
        }
        // The marker counts before the name.
        if let Some(list) = found.get_mut(&item.key) {
            list.sort_by_key(|candidate| candidate.by != MatchKey::Marker);
        }
    }
    Ok(found)
}
