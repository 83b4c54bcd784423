//! Which records are there already (rule M-7): agents by address; accounts by our marker, then by name; contacts by our marker, an
//! address, a number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one: whoever has an agent's address,
//! whoever would fall on another record of the source, whoever has only a number in common with somebody of another name.
//!
//! Calls follow the unit and not the account: a list, which does not lag as a search does, is read only as far as that is cheaper
//! than asking for the values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchResult};
use transload_sdk::items;
use transload_sdk::people::own_addresses as own_addresses_of;
use transload_sdk::policy::{
    Candidates, Found, add_candidate, agents_by_email, doubt, match_results,
};
use transload_sdk::types::{self, AddressChannel, Error, Kind};

use super::people::{Object, cf_of, is_there, marker_of, search};
use super::teams;
use crate::api::words_of;
use crate::client::{Desk, PAGE};
use crate::map::{self, Owner};
use crate::own;

/// Values of one question, which are alternatives (Zoho Desk facts §13).
const AT_ONCE: usize = 20;

/// Which items are there already.
///
/// # Errors
/// What ends the unit.
pub async fn match_items(
    cx: &Context,
    kind: &Kind,
    items: &[Item],
) -> Result<Vec<MatchResult>, Error> {
    let desk = Desk::of(cx)?;
    let found = match kind {
        Kind::Customer => customers(&desk, items).await?,
        Kind::Company => companies(&desk, items).await?,
        Kind::Agent => agents(&desk, items).await?,
        Kind::Conversation | Kind::Message => tickets(&desk, items).await?,
        _ => Candidates::new(),
    };
    Ok(match_results(items, &found))
}

fn candidate(object: &Object, by: MatchKey, doubtful: Option<&str>) -> Candidate {
    Candidate {
        target_id: words_of(object.get("id").unwrap_or(&Value::Null)),
        by,
        before: Value::Object(object.clone()).to_string(),
        doubtful: doubtful.map(str::to_owned),
    }
}

async fn agents(desk: &Desk, items: &[Item]) -> Result<Candidates, Error> {
    let staff = teams::staff(desk).await?;
    Ok(agents_by_email(items, |email| {
        let is = |one: &&crate::api::Agent| {
            one.is_active() && teams::address_of(one).as_deref() == Some(email)
        };
        let agent = staff.iter().find(is)?;
        Some((agent.id.clone(), serde_json::to_string(agent).ok()?))
    }))
}

/// Tickets of an earlier run, by our marker.
async fn tickets(desk: &Desk, items: &[Item]) -> Result<Candidates, Error> {
    let mut found = Candidates::new();
    for item in items {
        for object in marked(desk, Owner::Ticket, item).await? {
            let one = candidate(&object, MatchKey::Marker, None);
            found.entry(item.key.clone()).or_default().push(one);
        }
    }
    Ok(found)
}

/// Records of an earlier run that carry an item's marker, by the search.
async fn marked(desk: &Desk, owner: Owner, item: &Item) -> Result<Vec<Object>, Error> {
    let Some(name) = desk
        .state
        .own(owner, own::MARKER)
        .filter(|_| desk.state.earlier)
    else {
        return Ok(Vec::new());
    };
    // An earlier run of this host is known without a question.
    if !item.prior.is_empty() {
        return Ok(Vec::new());
    }
    let value = format!("{name}:{}", item.marker);
    let rows = search(desk, owner.module(), "customField1", &value).await?;
    let same = |row: &Object| match row.contains_key("cf") {
        true => marker_of(desk, owner, &cf_of(row)) == item.marker,
        // A row without custom fields was found by one.
        false => true,
    };
    Ok(rows.into_iter().filter(same).collect())
}

/// All records of a module, where it is so small that listing them is cheaper than asking.
async fn listed(desk: &Desk, owner: Owner, items: usize) -> Result<Option<Vec<Object>>, Error> {
    let pages = items / AT_ONCE + 1;
    let path = format!("/{}", owner.module());
    let (rows, complete) = desk
        .list_at_most::<Object>(&path, pages.min(items / PAGE + 2))
        .await?;
    Ok(complete.then(|| rows.into_iter().filter(is_there).collect()))
}

// ---- customers

/// The person's own addresses of a channel, in the form in which they are compared; shared ones say nothing.
fn own_addresses(item: &Item, channel: &AddressChannel) -> Vec<String> {
    let plain = |value: &str| match channel {
        AddressChannel::Email => map::email(value),
        _ => map::e164(value),
    };
    own_addresses_of(item, channel).filter_map(plain).collect()
}

fn text_of(object: &Object, name: &str) -> String {
    words_of(object.get(name).unwrap_or(&Value::Null))
}

/// A value of an object in the form in which it is compared.
fn compared(object: &Object, attribute: &str) -> Option<String> {
    let text = text_of(object, attribute);
    match attribute {
        "email" | "secondaryEmail" => map::email(&text),
        _ => map::e164(&text).or(Some(text).filter(|text| !text.is_empty())),
    }
}

/// Contacts by the value of an attribute, for all values at once.
async fn contacts_by(
    desk: &Desk,
    all: Option<&[Object]>,
    attribute: &str,
    values: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Object>>, Error> {
    let values: Vec<&String> = values.iter().collect();
    let mut found: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    let mut keep = |rows: &[Object]| {
        for row in rows {
            if let Some(value) = compared(row, attribute) {
                let list = found.entry(value).or_default();
                if !list
                    .iter()
                    .any(|one| text_of(one, "id") == text_of(row, "id"))
                {
                    list.push(row.clone());
                }
            }
        }
    };
    match all {
        Some(all) => keep(all),
        None => {
            for chunk in values.chunks(AT_ONCE) {
                let joined: Vec<&str> = chunk.iter().map(|value| value.as_str()).collect();
                keep(&search(desk, "contacts", attribute, &joined.join(",")).await?);
            }
        }
    }
    Ok(found)
}

async fn customers(desk: &Desk, items: &[Item]) -> Result<Candidates, Error> {
    let all = listed(desk, Owner::Contact, items.len()).await?;
    let all = all.as_deref();
    let mut found = Candidates::new();
    for item in items {
        let of_list = all.into_iter().flatten();
        let of_list = of_list.filter(|o| marker_of(desk, Owner::Contact, &cf_of(o)) == item.marker);
        let mut rows: Vec<Object> = of_list.cloned().collect();
        if rows.is_empty() && all.is_none() {
            rows = marked(desk, Owner::Contact, item).await?;
        }
        for contact in rows {
            add(desk, &mut found, item, &contact, MatchKey::Marker);
        }
    }
    // Who is found by an address is not looked for by a number.
    let email: [&str; 2] = ["email", "secondaryEmail"];
    let phone: [&str; 2] = ["phone", "mobile"];
    for (channel, by, attributes) in [
        (AddressChannel::Email, MatchKey::Email, email),
        (AddressChannel::Phone, MatchKey::Phone, phone),
    ] {
        let known: BTreeSet<String> = found.keys().cloned().collect();
        let open: Vec<&Item> = items.iter().filter(|i| !known.contains(&i.key)).collect();
        let values: BTreeSet<String> = open
            .iter()
            .flat_map(|item| own_addresses(item, &channel))
            .collect();
        if values.is_empty() {
            continue;
        }
        for attribute in attributes {
            // A search has no parameter for the second address (Zoho Desk facts §13).
            if attribute == "secondaryEmail" && all.is_none() {
                continue;
            }
            let rows = contacts_by(desk, all, attribute, &values).await?;
            for item in &open {
                for value in own_addresses(item, &channel) {
                    for contact in rows.get(&value).into_iter().flatten() {
                        add(desk, &mut found, item, contact, by);
                    }
                }
            }
        }
    }
    staff_addresses(desk, items, &mut found);
    Ok(found)
}

/// An agent's address is none of a contact, and must not become one's: whoever has it is shown as doubtful.
fn staff_addresses(desk: &Desk, items: &[Item], found: &mut Candidates) {
    for item in items {
        for email in own_addresses(item, &AddressChannel::Email) {
            let Some((id, agent)) = desk.state.agents.iter().find(|(_, a)| a.email == email) else {
                continue;
            };
            let there = Found {
                marker: "",
                name: &agent.email,
                staff: true,
                several: false,
                by: MatchKey::Email,
            };
            let doubtful = doubt(&desk.cx, item, &there).map(str::to_owned);
            let list = found.entry(item.key.clone()).or_default();
            // Who shares the address with one of the staff is in doubt, too.
            for one in list.iter_mut().filter(|one| one.by == MatchKey::Email) {
                one.doubtful.clone_from(&doubtful);
            }
            list.push(Candidate {
                target_id: id.clone(),
                by: MatchKey::Email,
                before: "{}".to_owned(),
                doubtful,
            });
        }
    }
}

fn add(desk: &Desk, found: &mut Candidates, item: &Item, contact: &Object, by: MatchKey) {
    let id = text_of(contact, "id");
    if id == desk.state.stand_in_contact {
        return;
    }
    let cf = cf_of(contact);
    let names = [text_of(contact, "firstName"), text_of(contact, "lastName")];
    let name = names.join(" ");
    let there = Found {
        marker: marker_of(desk, Owner::Contact, &cf),
        name: name.trim(),
        staff: false,
        several: false,
        by,
    };
    let before = Value::Object(contact.clone()).to_string();
    add_candidate(&desk.cx, found, item, there, id, before);
}

// ---- companies

async fn companies(desk: &Desk, items: &[Item]) -> Result<Candidates, Error> {
    let all = listed(desk, Owner::Account, items.len()).await?;
    let prefix = desk.cx.marker_prefix();
    let mut found = Candidates::new();
    for (item, company) in items::of::<types::Company>(items) {
        let name = company.name.trim().to_lowercase();
        let rows = match &all {
            Some(all) => all.clone(),
            None => {
                let mut rows = marked(desk, Owner::Account, item).await?;
                if name.chars().count() >= 3 {
                    rows.extend(
                        search(desk, "accounts", "accountName", company.name.trim()).await?,
                    );
                }
                rows
            }
        };
        let mut list: Vec<Candidate> = Vec::new();
        for account in rows {
            let cf = cf_of(&account);
            let marker = marker_of(desk, Owner::Account, &cf);
            let called = text_of(&account, "accountName").trim().to_lowercase() == name;
            let by = if marker == item.marker {
                MatchKey::Marker
            } else if called && !name.is_empty() && !marker.starts_with(&prefix) {
                MatchKey::Name
            } else {
                continue;
            };
            let one = candidate(&account, by, None);
            if !list.iter().any(|known| known.target_id == one.target_id) {
                list.push(one);
            }
        }
        // The marker counts before the name.
        list.sort_by_key(|candidate| candidate.by != MatchKey::Marker);
        if !list.is_empty() {
            found.insert(item.key.clone(), list);
        }
    }
    // Several accounts of one name: nobody knows which.
    for list in found.values_mut() {
        let named = list.iter().filter(|one| one.by == MatchKey::Name).count();
        if named > 1 {
            for one in list.iter_mut().filter(|one| one.by == MatchKey::Name) {
                one.doubtful = Some("several accounts have the name".to_owned());
            }
        }
    }
    Ok(found)
}
