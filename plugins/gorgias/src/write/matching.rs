//! Which records are there already (rule M-7): agents by address; customers by our marker, then by an external id, an address, a
//! number, in that order.
//!
//! A candidate who may be somebody else is doubtful, and nobody is fused with a doubtful one. Gorgias looks up one value a call and
//! shows a hundred customers a page (Gorgias facts §4): where those who were there before the run are few, they are listed; else the
//! values are looked up one by one.

use transload_sdk::Context;
use transload_sdk::destination::{Item, MatchKey, MatchResult};
use transload_sdk::http::segment;
use transload_sdk::people::external_ids;
use transload_sdk::policy::{Candidates, Found, add_candidate, agents_by_email, match_results};
use transload_sdk::types::{Entity, Error, Kind};

use super::people;
use crate::api::{Customer, User};
use crate::client::{self, Looked};
use crate::map;
use crate::state::State;

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
    let users = people::users(cx).await?;
    Ok(agents_by_email(items, |email| {
        let user = people::by_email(&users, email)?;
        Some((user.id.to_string(), as_json(user)))
    }))
}

fn as_json(user: &User) -> String {
    serde_json::json!({"id": user.id, "name": user.name, "email": user.email}).to_string()
}

/// By what a customer is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    External(String),
    Address(&'static str, String),
}

impl Key {
    fn path(&self) -> String {
        match self {
            Self::External(id) => format!("/customers?external_id={}", segment(id)),
            Self::Address(kind, value) => {
                format!(
                    "/customers?channel_type={kind}&channel_address={}",
                    segment(value)
                )
            }
        }
    }

    fn is_of(&self, customer: &Customer) -> bool {
        match self {
            Self::External(id) => customer.external_id.as_deref() == Some(id),
            Self::Address(kind, value) => has_channel(customer, kind, value),
        }
    }
}

/// Whether a customer has an address.
pub fn has_channel(customer: &Customer, kind: &str, value: &str) -> bool {
    let is_main = kind == "email"
        && customer
            .email
            .as_deref()
            .is_some_and(|e| e.eq_ignore_ascii_case(value));
    let same = |c: &crate::api::Channel| c.kind == kind && c.address.eq_ignore_ascii_case(value);
    is_main || customer.channels.iter().any(same)
}

/// By what an item's customer may be known here, the surest first.
fn keys(item: &Item) -> Vec<(MatchKey, Key)> {
    let Entity::Customer(customer) = &item.entry().data else {
        return Vec::new();
    };
    let mut keys = vec![(
        MatchKey::Marker,
        Key::External(map::external_id(&item.marker)),
    )];
    for id in external_ids(item).filter(|id| id.chars().count() <= map::EXTERNAL_ID_CHARS) {
        let key = (MatchKey::ExternalId, Key::External(id.to_owned()));
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut addresses = Vec::new();
    for address in customer.addresses.iter().filter(|address| !address.shared) {
        if let Some((kind, value)) = map::channel_of(&address.channel, &address.value) {
            let by = match kind {
                "email" => MatchKey::Email,
                "phone" | "whatsapp" => MatchKey::Phone,
                _ => MatchKey::Other,
            };
            addresses.push((by, Key::Address(kind, value)));
        }
    }
    let rank = |by: MatchKey| match by {
        MatchKey::Email => 0,
        MatchKey::Phone => 1,
        _ => 2,
    };
    addresses.sort_by_key(|(by, _)| rank(*by));
    keys.extend(addresses);
    keys
}

async fn customers(cx: &Context, items: &[Item]) -> Result<Candidates, Error> {
    let state: State = cx.state()?;
    let mut found = Candidates::new();
    let mut open: Vec<&Item> = Vec::new();
    for item in items {
        // What an earlier run made is known by its number.
        let prior = item
            .prior
            .iter()
            .find(|e| e.target_kind == "customer" && e.part == "main");
        match prior {
            Some(effect) => match client::customer(cx, &effect.target_id).await? {
                Looked::There(customer) => add(cx, &mut found, item, &customer, MatchKey::Marker),
                Looked::Gone | Looked::Merged => open.push(item),
            },
            None => open.push(item),
        }
    }
    let look_ups: usize = open.iter().map(|item| keys(item).len()).sum();
    let listed = state.old_pages.filter(|pages| *pages <= look_ups);
    let old = match listed {
        Some(pages) if !open.is_empty() => Some(old_customers(cx, &state, pages).await?),
        _ => None,
    };
    for item in open {
        for (by, key) in keys(item) {
            let customers: Vec<Customer> = match &old {
                Some(old) => old
                    .iter()
                    .filter(|customer| key.is_of(customer))
                    .cloned()
                    .collect(),
                None => look_up(cx, &key).await?,
            };
            for customer in &customers {
                add(cx, &mut found, item, customer, by);
            }
            if !customers.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}

async fn look_up(cx: &Context, key: &Key) -> Result<Vec<Customer>, Error> {
    let mut found: Vec<Customer> = client::list(cx, &key.path()).await?;
    found.sort_by_key(|customer| customer.id);
    Ok(found)
}

/// Who has an address.
///
/// # Errors
/// What ends the unit.
pub async fn owner_of(
    cx: &Context,
    kind: &'static str,
    value: &str,
) -> Result<Option<Customer>, Error> {
    let found = look_up(cx, &Key::Address(kind, value.to_owned())).await?;
    Ok(found.into_iter().next())
}

/// Customers who were there before the run, oldest first; `pages` of them and one more, for those who came meanwhile.
async fn old_customers(cx: &Context, state: &State, pages: usize) -> Result<Vec<Customer>, Error> {
    let is_old = |customer: &Customer| {
        let at = customer.created_datetime.as_deref().and_then(map::parse);
        at.is_none_or(|at| at <= state.prepared_at)
    };
    let path = "/customers?order_by=created_datetime:asc";
    let (mut customers, _) = client::list_while(cx, path, pages + 1, is_old).await?;
    customers.sort_by_key(|customer| customer.id);
    Ok(customers)
}

fn add(cx: &Context, found: &mut Candidates, item: &Item, customer: &Customer, by: MatchKey) {
    let there = Found {
        marker: customer.external_id.as_deref().unwrap_or(""),
        name: &customer.name,
        staff: false,
        several: false,
        by,
    };
    let before = serde_json::to_string(customer).unwrap_or_default();
    add_candidate(cx, found, item, there, customer.id.to_string(), before);
}
