//! Which records are there already (rule M-7): agents by address; companies by our marker, then by name; customers by our
//! marker, then by an external id, an address, a number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one: whoever has an agent's address,
//! whoever would fall on another record of the source, whoever has only a number in common with somebody of another name.

use std::collections::BTreeMap;

use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchResult};
use transload_sdk::types::{AddressChannel, Entity, Error, Kind};

use super::people;
use crate::api::{Organization, User};
use crate::client::{self, query, query_list};
use crate::map;

/// Users of one look-up by external id (Zendesk facts §6.1).
const BULK: usize = 100;

type Found = BTreeMap<String, Vec<Candidate>>;

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
        _ => Found::new(),
    };
    let result = |item: &Item| MatchResult {
        item: item.key.clone(),
        candidates: candidates.get(&item.key).cloned().unwrap_or_default(),
    };
    Ok(items.iter().map(result).collect())
}

fn candidate(user: &User, by: MatchKey, doubtful: Option<String>) -> Candidate {
    Candidate {
        target_id: user.id.unwrap_or_default().to_string(),
        by,
        before: serde_json::to_string(user).unwrap_or_default(),
        doubtful,
    }
}

async fn agents(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let staff = people::staff(cx).await?;
    let mut found = BTreeMap::new();
    for item in items {
        let Entity::Agent(agent) = &item.entry().data else {
            continue;
        };
        let Some(email) = agent.email.as_deref().and_then(map::email) else {
            continue;
        };
        let same = staff
            .iter()
            .find(|user| user.email.as_deref().and_then(map::email).as_ref() == Some(&email));
        if let Some(user) = same {
            found.insert(
                item.key.clone(),
                vec![candidate(user, MatchKey::Email, None)],
            );
        }
    }
    Ok(found)
}

// ---- customers

/// Something by which a person can be found.
enum Key {
    Email(String),
    Phone(String),
}

impl Key {
    /// What the person's own addresses are in Zendesk's form; shared ones say nothing.
    fn all(item: &Item) -> Vec<Self> {
        let Entity::Customer(customer) = &item.entry().data else {
            return Vec::new();
        };
        let own = || customer.addresses.iter().filter(|a| !a.shared);
        let emails = own()
            .filter(|a| a.channel == AddressChannel::Email)
            .filter_map(|a| map::email(&a.value))
            .map(Self::Email);
        let phones = own()
            .filter(|a| a.channel == AddressChannel::Phone)
            .filter_map(|a| map::e164(&a.value))
            .map(Self::Phone);
        emails.chain(phones).collect()
    }

    /// As a search says it.
    fn term(&self) -> String {
        match self {
            Self::Email(email) => format!("email:\"{email}\""),
            Self::Phone(phone) => format!("phone:\"{phone}\""),
        }
    }
}

async fn customers(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let mut found = Found::new();
    by_external_id(cx, items, MatchKey::Marker, &mut found).await?;
    by_external_id(cx, items, MatchKey::ExternalId, &mut found).await?;
    let open = |item: &&Item| !found.contains_key(&item.key);
    let wanted: Vec<(&Item, Vec<Key>)> = items
        .iter()
        .filter(open)
        .map(|item| (item, Key::all(item)))
        .filter(|(_, keys)| !keys.is_empty())
        .collect();
    let searches: usize = wanted.iter().map(|(_, keys)| keys.len()).sum();
    if searches == 0 {
        return Ok(found);
    }
    // Listing everybody is cheaper than a search an address while the account is small; primary addresses suffice then
    // for all but second identities, which a refused creation tells.
    let everybody = count(cx, "/api/v2/users/count").await?;
    let pages = everybody.map(|n| n.div_ceil(client::PAGE as u64));
    let everybody = if pages.is_some_and(|pages| pages <= searches as u64) {
        Some(Directory::read(cx).await?)
    } else {
        None
    };
    for (item, keys) in &wanted {
        for key in keys {
            // Who is found by an address is not looked for by a number.
            if matches!(key, Key::Phone(_)) && found.contains_key(&item.key) {
                continue;
            }
            let user = match &everybody {
                Some(directory) => directory.get(key).cloned(),
                None => by_term(cx, &key.term()).await?,
            };
            if let Some(user) = user {
                let by = match key {
                    Key::Email(_) => MatchKey::Email,
                    Key::Phone(_) => MatchKey::Phone,
                };
                add(cx, &mut found, item, &user, by);
            }
        }
    }
    Ok(found)
}

/// The external ids that a record may have in Zendesk: our marker, or those that the source itself knows it by.
fn external_ids(item: &Item, by: MatchKey) -> Vec<&str> {
    if by == MatchKey::Marker {
        return vec![item.marker.as_str()];
    }
    let own = item.entry().head.external_id.as_deref();
    let more = match &item.entry().data {
        Entity::Customer(customer) => customer.external_ids.as_slice(),
        _ => &[],
    };
    let all = own.into_iter().chain(more.iter().map(String::as_str));
    all.filter(|id| !id.trim().is_empty()).collect()
}

async fn by_external_id(
    cx: &Context,
    items: &[Item],
    by: MatchKey,
    found: &mut Found,
) -> Result<(), Error> {
    let open: Vec<&Item> = items
        .iter()
        .filter(|item| !found.contains_key(&item.key))
        .collect();
    let ids: Vec<(&Item, &str)> = open
        .into_iter()
        .flat_map(|item| external_ids(item, by).into_iter().map(move |id| (item, id)))
        .collect();
    for chunk in ids.chunks(BULK) {
        let list = query_list(chunk.iter().map(|(_, id)| id));
        let path = format!("/api/v2/users/show_many?external_ids={list}");
        let users: Option<Vec<User>> = client::find_member(cx, &path, "users").await?;
        for user in users.unwrap_or_default() {
            let external = user.external_id.as_deref().unwrap_or("");
            let same = chunk
                .iter()
                .filter(|(_, id)| id.eq_ignore_ascii_case(external));
            for (item, _) in same {
                add(cx, found, item, &user, by);
            }
        }
    }
    Ok(())
}

/// Everybody, by primary address and by number.
struct Directory {
    emails: BTreeMap<String, User>,
    phones: BTreeMap<String, User>,
}

impl Directory {
    async fn read(cx: &Context) -> Result<Self, Error> {
        let users: Vec<User> = client::list(cx, "/api/v2/users", "users").await?;
        let emails = users
            .iter()
            .filter_map(|u| Some((u.email.as_deref().and_then(map::email)?, u.clone())));
        let phones = users
            .iter()
            .filter_map(|u| Some((u.phone.as_deref().and_then(map::e164)?, u.clone())));
        Ok(Self {
            emails: emails.collect(),
            phones: phones.collect(),
        })
    }

    fn get(&self, key: &Key) -> Option<&User> {
        match key {
            Key::Email(email) => self.emails.get(email),
            Key::Phone(phone) => self.phones.get(phone),
        }
    }
}

async fn by_term(cx: &Context, term: &str) -> Result<Option<User>, Error> {
    let path = format!("/api/v2/users/search?query={}", query(term));
    let found: Option<Vec<User>> = client::find_member(cx, &path, "users").await?;
    Ok(found
        .unwrap_or_default()
        .into_iter()
        .find(|u| u.active != Some(false)))
}

/// The user with an e-mail address.
///
/// # Errors
/// What ends the unit.
pub async fn by_email(cx: &Context, email: &str) -> Result<Option<User>, Error> {
    by_term(cx, &Key::Email(email.to_owned()).term()).await
}

fn add(cx: &Context, found: &mut Found, item: &Item, user: &User, by: MatchKey) {
    let id = user.id.unwrap_or_default().to_string();
    let list = found.entry(item.key.clone()).or_default();
    if list.iter().any(|candidate| candidate.target_id == id) {
        return;
    }
    let doubtful = doubt(cx, item, user, by, !list.is_empty());
    list.push(candidate(user, by, doubtful.map(str::to_owned)));
}

/// Why a user may be somebody else.
fn doubt(
    cx: &Context,
    item: &Item,
    user: &User,
    by: MatchKey,
    several: bool,
) -> Option<&'static str> {
    let prefix = cx.marker_prefix().to_lowercase();
    let other = user.external_id.as_deref().unwrap_or("").to_lowercase();
    let name = match &item.entry().data {
        Entity::Customer(customer) => map::customer_name(item.entry(), customer),
        _ => String::new(),
    };
    if user.role != "end-user" {
        Some("a customer with what belongs to one of the staff")
    } else if other.starts_with(&prefix) && other != item.marker.to_lowercase() {
        Some("the user is another record of the source")
    } else if several {
        Some("the customer's addresses belong to several users")
    } else if by == MatchKey::Phone && user.name.trim().to_lowercase() != name.trim().to_lowercase()
    {
        Some("the same number, and another name")
    } else {
        None
    }
}

/// A count of the account's; `None` where it says none.
///
/// # Errors
/// What ends the unit.
pub async fn count(cx: &Context, path: &str) -> Result<Option<u64>, Error> {
    let body = client::get(cx, path).await?;
    Ok(body.and_then(|b| b.pointer("/count/value").and_then(Value::as_u64)))
}

// ---- companies

async fn companies(cx: &Context, items: &[Item]) -> Result<Found, Error> {
    let mut found = Found::new();
    let all: Vec<Organization> = client::list(cx, "/api/v2/organizations", "organizations").await?;
    let prefix = cx.marker_prefix().to_lowercase();
    for item in items {
        let Entity::Company(company) = &item.entry().data else {
            continue;
        };
        let name = company.name.trim().to_lowercase();
        let marker = item.marker.to_lowercase();
        for organization in &all {
            let external = organization
                .external_id
                .as_deref()
                .unwrap_or("")
                .to_lowercase();
            let by = if external == marker {
                MatchKey::Marker
            } else if organization.name.trim().to_lowercase() == name
                && !external.starts_with(&prefix)
            {
                MatchKey::Name
            } else {
                continue;
            };
            found.entry(item.key.clone()).or_default().push(Candidate {
                target_id: organization.id.to_string(),
                by,
                before: serde_json::to_string(organization).unwrap_or_default(),
                doubtful: None,
            });
        }
    }
    Ok(found)
}
