//! Which records are there already (rule M-7): agents by address; companies by our marker, then by name; customers by our
//! marker, then by an external id, an address, a number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one: whoever has an agent's address,
//! whoever would fall on another record of the source, whoever has only a number in common with somebody of another name.
//!
//! Calls follow the unit and not the account: external ids are looked up a hundred at a time, and so are addresses, numbers
//! and names, where the account's search takes several values of one keyword as alternatives (see [`search_any`]). Where it
//! does not, the cheaper of listing everybody and one search a value is taken.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchResult};
use transload_sdk::http::segment;
use transload_sdk::people::{external_ids, own_addresses};
use transload_sdk::policy::{Candidates, Found, add_candidate, agents_by_email, match_results};
use transload_sdk::types::{AddressChannel, Entity, Error, Kind};

use super::people;
use crate::api::{Identity, Organization, User};
use crate::client::{self, query_list};
use crate::map;
use crate::state::State;

/// Records of one look-up by external id (Zendesk facts §6.1, §7).
const BULK: usize = 100;
/// Values of one search: what they find fits on a page of a hundred, but for names and numbers that several have.
const TERMS: usize = 99;
/// Bytes of one search's query as it is sent; longer addresses than 8,000 bytes are refused by many a server on the way.
const QUERY_BYTES: usize = 6_000;
/// Pages of one search; Zendesk shows no more than 1,000 results (Zendesk facts §3).
const PAGES: usize = 10;

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
        _ => Candidates::new(),
    };
    Ok(match_results(items, &candidates))
}

async fn agents(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let staff = people::staff(cx).await?;
    let address = |user: &User| user.email.as_deref().and_then(map::email);
    Ok(agents_by_email(items, |email| {
        let user = staff
            .iter()
            .find(|user| address(user).as_deref() == Some(email))?;
        Some((user.id?.to_string(), serde_json::to_string(user).ok()?))
    }))
}

// ---- customers

/// By what a person can be found beside external ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    Email,
    Phone,
}

impl Medium {
    /// The person's own addresses in Zendesk's form; shared ones say nothing.
    fn of(self, item: &Item) -> Vec<String> {
        let channel = match self {
            Self::Email => AddressChannel::Email,
            Self::Phone => AddressChannel::Phone,
        };
        let own = own_addresses(item, &channel);
        own.filter_map(|value| self.plain(value)).collect()
    }

    /// In Zendesk's form; `None` for what is none.
    fn plain(self, value: &str) -> Option<String> {
        match self {
            Self::Email => map::email(value),
            Self::Phone => map::e164(value),
        }
    }

    /// The one that a user shows.
    fn shown(self, user: &User) -> Option<String> {
        let value = match self {
            Self::Email => user.email.as_deref(),
            Self::Phone => user.phone.as_deref(),
        };
        value.and_then(|value| self.plain(value))
    }

    /// Zendesk's word for such an identity.
    fn identity(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone_number",
        }
    }

    /// As a search says it.
    fn term(self, value: &str) -> String {
        match self {
            Self::Email => format!("email:\"{value}\""),
            Self::Phone => format!("phone:\"{value}\""),
        }
    }

    fn key(self) -> MatchKey {
        match self {
            Self::Email => MatchKey::Email,
            Self::Phone => MatchKey::Phone,
        }
    }
}

async fn customers(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let mut found = Candidates::new();
    by_external_id(cx, items, &mut found).await?;
    let state: State = cx.state()?;
    // Who is found by an external id is not looked for by an address, nor who is found by an address by a number.
    for medium in [Medium::Email, Medium::Phone] {
        let wanted: Vec<(&Item, Vec<String>)> = items
            .iter()
            .filter(|item| !found.contains_key(&item.key))
            .map(|item| (item, medium.of(item)))
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let values: BTreeSet<String> = wanted
            .iter()
            .flat_map(|(_, values)| values.iter().cloned())
            .collect();
        let owners = if state.search_any {
            owners(cx, medium, &values).await?
        } else {
            owners_one_by_one(cx, medium, &values).await?
        };
        for (item, values) in &wanted {
            for user in values.iter().filter_map(|value| owners.get(value)) {
                add(cx, &mut found, item, user, medium.key());
            }
        }
    }
    Ok(found)
}

/// Who has an address, by address.
type Owners = BTreeMap<String, User>;

/// The owners of many addresses at once.
async fn owners(cx: &Context, medium: Medium, values: &BTreeSet<String>) -> Result<Owners, Error> {
    let mut owners = Owners::new();
    let search = async |values: &[&String]| {
        let terms: Vec<String> = values.iter().map(|value| medium.term(value)).collect();
        let path = format!("/api/v2/users/search?query={}", segment(terms.join(" ")));
        let mut users: Vec<User> = pages(cx, &path, "users").await?;
        users.retain(|user| user.active != Some(false));
        Ok::<_, Error>(users)
    };
    for values in queries(values, |value| medium.term(value)) {
        let mut users = search(&values).await?;
        if users.is_empty() {
            continue;
        }
        for user in &users {
            if let Some(value) = medium.shown(user)
                && values.contains(&&value)
            {
                owners.entry(value).or_insert_with(|| user.clone());
            }
        }
        // A user shows one address. Whoever is found by those that are left has them beside it.
        let rest: Vec<&String> = values
            .iter()
            .copied()
            .filter(|value| !owners.contains_key(*value))
            .collect();
        if rest.is_empty() {
            continue;
        }
        if rest.len() < values.len() {
            users = search(&rest).await?;
        }
        for user in users {
            let id = user.id.unwrap_or_default();
            let path = format!("/api/v2/users/{id}/identities");
            let identities: Vec<Identity> = client::list(cx, &path, "identities").await?;
            let of_medium = identities.iter().filter(|i| i.kind == medium.identity());
            for value in of_medium.filter_map(|i| medium.plain(&i.value)) {
                if rest.contains(&&value) {
                    owners.entry(value).or_insert_with(|| user.clone());
                }
            }
        }
    }
    Ok(owners)
}

/// Listing everybody is cheaper than a search an address while the account is small; what users show suffices then for all
/// but second identities, which a refused creation tells.
async fn owners_one_by_one(
    cx: &Context,
    medium: Medium,
    values: &BTreeSet<String>,
) -> Result<Owners, Error> {
    let mut owners = Owners::new();
    if values.is_empty() {
        return Ok(owners);
    }
    let everybody = count(cx, "/api/v2/users/count").await?;
    let pages = everybody.map(|n| n.div_ceil(client::PAGE as u64));
    if pages.is_some_and(|pages| pages <= values.len() as u64) {
        let users: Vec<User> = client::list(cx, "/api/v2/users", "users").await?;
        let shown = |user: User| Some((medium.shown(&user)?, user));
        owners.extend(users.into_iter().filter_map(shown));
        return Ok(owners);
    }
    for value in values {
        if let Some(user) = by_term(cx, &medium.term(value)).await? {
            owners.insert(value.clone(), user);
        }
    }
    Ok(owners)
}

/// Cuts values into searches that are not too long.
fn queries(values: &BTreeSet<String>, term: impl Fn(&str) -> String) -> Vec<Vec<&String>> {
    let mut all: Vec<Vec<&String>> = Vec::new();
    let mut bytes = 0;
    for value in values {
        let length = segment(term(value)).len() + "%20".len();
        match all.last_mut() {
            Some(last) if last.len() < TERMS && bytes + length <= QUERY_BYTES => last.push(value),
            _ => {
                all.push(vec![value]);
                bytes = 0;
            }
        }
        bytes += length;
    }
    all
}

/// All results of a search, which pages by offset only (Zendesk facts §3).
async fn pages<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    member: &str,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for page in 1..=PAGES {
        let path = if page == 1 {
            path.to_owned()
        } else {
            format!("{path}&page={page}")
        };
        let Some(body) = client::get(cx, &path).await? else {
            break;
        };
        let rows: Vec<T> = body.member(member)?;
        let next: Option<String> = body.member("next_page")?;
        let more = !rows.is_empty() && next.is_some();
        all.extend(rows);
        if !more {
            break;
        }
    }
    Ok(all)
}

/// Whether a search takes several values of one keyword as alternatives. Many programs rely on that and no document says it,
/// so it is tried once: with the address of the credential's owner, which is in the index for long, and one that nobody has.
///
/// # Errors
/// What ends the unit.
pub async fn search_any(cx: &Context, known: &User) -> Result<bool, Error> {
    let Some(email) = known.email.as_deref().and_then(map::email) else {
        return Ok(false);
    };
    let terms = [email.as_str(), "nobody@transload.invalid"].map(|e| Medium::Email.term(e));
    let path = format!("/api/v2/users/search?query={}", segment(terms.join(" ")));
    let found: Option<Vec<User>> = client::find_member(cx, &path, "users").await?;
    Ok(found.unwrap_or_default().iter().any(|u| u.id == known.id))
}

/// By our marker, else by an id that the source itself knows.
async fn by_external_id(cx: &Context, items: &[Item], found: &mut Candidates) -> Result<(), Error> {
    let ids: BTreeSet<&str> = items
        .iter()
        .flat_map(|item| external_ids(item).chain([item.marker.as_str()]))
        .collect();
    let users: Vec<User> = show_many(cx, "users", &ids).await?;
    let by_id: BTreeMap<String, &User> = users
        .iter()
        .filter_map(|user| Some((user.external_id.as_ref()?.to_lowercase(), user)))
        .collect();
    for item in items {
        if let Some(user) = by_id.get(&item.marker.to_lowercase()) {
            add(cx, found, item, user, MatchKey::Marker);
            continue;
        }
        for id in external_ids(item) {
            if let Some(user) = by_id.get(&id.to_lowercase()) {
                add(cx, found, item, user, MatchKey::ExternalId);
            }
        }
    }
    Ok(())
}

/// Users or organizations by external id, which is found as soon as it is there.
async fn show_many<T: DeserializeOwned>(
    cx: &Context,
    what: &str,
    ids: &BTreeSet<&str>,
) -> Result<Vec<T>, Error> {
    let ids: Vec<&str> = ids.iter().copied().collect();
    let mut all = Vec::new();
    for chunk in ids.chunks(BULK) {
        let path = format!(
            "/api/v2/{what}/show_many?external_ids={}",
            query_list(chunk)
        );
        let rows: Option<Vec<T>> = client::find_member(cx, &path, what).await?;
        all.extend(rows.unwrap_or_default());
    }
    Ok(all)
}

async fn by_term(cx: &Context, term: &str) -> Result<Option<User>, Error> {
    let path = format!("/api/v2/users/search?query={}", segment(term));
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
    by_term(cx, &Medium::Email.term(email)).await
}

fn add(cx: &Context, found: &mut Candidates, item: &Item, user: &User, by: MatchKey) {
    let there = Found {
        marker: user.external_id.as_deref().unwrap_or(""),
        name: &user.name,
        staff: user.role != "end-user",
        several: false,
        by,
    };
    let id = user.id.unwrap_or_default().to_string();
    let before = serde_json::to_string(user).unwrap_or_default();
    add_candidate(cx, found, item, there, id, before);
}

/// A count of the account's; `None` where it says none.
///
/// # Errors
/// What ends the unit.
pub async fn count(cx: &Context, path: &str) -> Result<Option<u64>, Error> {
    let count: Option<Value> = client::find_member(cx, path, "count").await?;
    Ok(count.and_then(|count| count.get("value").and_then(Value::as_u64)))
}

// ---- companies

async fn companies(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let markers: BTreeSet<&str> = items.iter().map(|item| item.marker.as_str()).collect();
    let mut all: Vec<Organization> = show_many(cx, "organizations", &markers).await?;
    let marked: BTreeSet<String> = all
        .iter()
        .filter_map(|o| o.external_id.as_deref().map(str::to_lowercase))
        .collect();
    let name = |item: &Item| match &item.entry().data {
        Entity::Company(company) => Some(company.name.trim().to_lowercase()),
        _ => None,
    };
    let open = items
        .iter()
        .filter(|item| !marked.contains(&item.marker.to_lowercase()));
    let names: BTreeSet<String> = open
        .filter_map(name)
        .filter(|name| !name.is_empty())
        .collect();
    all.extend(by_name(cx, &names).await?);

    let prefix = cx.marker_prefix().to_lowercase();
    let mut found = Candidates::new();
    for item in items {
        let Some(name) = name(item) else { continue };
        let marker = item.marker.to_lowercase();
        for organization in &all {
            let external = organization.external_id.as_deref().unwrap_or("");
            let external = external.to_lowercase();
            let by = if external == marker {
                MatchKey::Marker
            } else if organization.name.trim().to_lowercase() == name
                && !external.starts_with(&prefix)
            {
                MatchKey::Name
            } else {
                continue;
            };
            let target_id = organization.id.to_string();
            let candidates = found.entry(item.key.clone()).or_default();
            if candidates.iter().all(|c| c.target_id != target_id) {
                candidates.push(Candidate {
                    target_id,
                    by,
                    before: serde_json::to_string(organization).unwrap_or_default(),
                    doubtful: None,
                });
            }
        }
    }
    Ok(found)
}

/// Organizations of these names, lower case, among others: a search finds words of names.
async fn by_name(cx: &Context, names: &BTreeSet<String>) -> Result<Vec<Organization>, Error> {
    let state: State = cx.state()?;
    let mut all = Vec::new();
    let mut singly: Vec<&String> = Vec::new();
    let (odd, plain): (BTreeSet<String>, BTreeSet<String>) =
        names.iter().cloned().partition(|name| name.contains('"'));
    if state.search_any {
        let term = |name: &str| format!("name:\"{name}\"");
        for names in queries(&plain, term) {
            let terms: Vec<String> = names.iter().map(|name| term(name)).collect();
            let words = format!("type:organization {}", terms.join(" "));
            let path = format!("/api/v2/search?query={}", segment(words));
            let found: Vec<Organization> = pages(cx, &path, "results").await?;
            if found.len() < PAGES * client::PAGE {
                all.extend(found);
            } else {
                // So many have one of these words in their name that some are not shown.
                singly.extend(names);
            }
        }
        singly.extend(&odd);
    } else {
        singly.extend(names);
    }
    if singly.is_empty() {
        return Ok(all);
    }
    let there = count(cx, "/api/v2/organizations/count").await?;
    if there.is_some_and(|n| n.div_ceil(client::PAGE as u64) <= singly.len() as u64) {
        return client::list(cx, "/api/v2/organizations", "organizations").await;
    }
    for name in singly {
        let path = format!("/api/v2/organizations/search?name={}", segment(name));
        let found: Option<Vec<Organization>> =
            client::find_member(cx, &path, "organizations").await?;
        all.extend(found.unwrap_or_default());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_holds_no_more_values_than_a_page_and_no_longer_query_than_servers_take() {
        let values = |length: usize| -> BTreeSet<String> {
            (0..1_000).map(|n| format!("{n:0length$}@x.yz")).collect()
        };
        let term = |value: &str| Medium::Email.term(value);
        // 26 × (11 + 200 + 13 bytes of encoding) are 5,824.
        for (length, most) in [(4, 99), (200, 26)] {
            let values = values(length);
            let cut = queries(&values, term);
            assert_eq!(cut.iter().map(Vec::len).sum::<usize>(), 1_000);
            assert_eq!(cut.iter().map(Vec::len).max(), Some(most));
        }
    }
}
