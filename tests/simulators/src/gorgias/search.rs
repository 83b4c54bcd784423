//! `POST /search` (Gorgias facts §4): an index that lags behind.

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::customers::in_short;
use super::model::{Customer, Moment};
use super::read::Reader;

/// Kinds that can be searched.
const KINDS: [&str; 10] = [
    "agent",
    "customer",
    "customer_profile",
    "customer_channel",
    "customer_channel_email",
    "customer_channel_phone",
    "customers_by_phone",
    "integration",
    "tag",
    "team",
];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    match (path, call.request.method.as_str()) {
        (["search"], "POST") => Some(post(call)),
        (["search"], _) => Some(Err(Failure::Method)),
        _ => None,
    }
}

fn post(call: &Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = Reader::new(&call.request.json, &["type", "query", "size"]);
    reader.required("type");
    let kind = reader.choice("type", &KINDS).unwrap_or_default();
    let query = reader.long_text("query").unwrap_or_default().to_lowercase();
    let size = reader.integer("size").unwrap_or(10);
    if !(1..=50).contains(&size) {
        reader.problem("size", "Must be between 1 and 50.");
    }
    reader.finish("Failed to search")?;
    let size = usize::try_from(size).unwrap_or(10);
    let found = find(call, &kind, &query, size);
    Answer::ok(if call.state.config.switches.search_wrapped {
        json!({"data": found})
    } else {
        Value::Array(found)
    })
}

fn find(call: &Call<'_>, kind: &str, query: &str, size: usize) -> Vec<Value> {
    let state = &*call.state;
    let lag = state.config.switches.search_lag;
    let is_indexed = |touched: Moment| touched + lag <= state.now;
    let has = |text: &str| text.to_lowercase().contains(query);
    let channel = |customer: &Customer, kind: Option<&str>| {
        let mut channels = customer.channels.iter();
        channels.any(|c| kind.is_none_or(|kind| c.kind == kind) && has(&c.address))
    };
    let fits = |customer: &Customer| match kind {
        "customer_channel_email" => channel(customer, Some("email")),
        "customer_channel_phone" | "customers_by_phone" => channel(customer, Some("phone")),
        "customer_channel" => channel(customer, None),
        _ => has(&customer.name) || channel(customer, None),
    };
    match kind {
        "agent" => {
            let all = state.users.values();
            let found = all.filter(|user| {
                is_indexed(user.updated_at) && (has(&user.name) || has(&user.email))
            });
            let shown =
                found.map(|user| json!({"id": user.id, "name": user.name, "email": user.email}));
            shown.take(size).collect()
        }
        "integration" => {
            let all = state.integrations.values();
            let found = all.filter(|one| is_indexed(one.created_at) && has(&one.name));
            let shown = found.map(|one| json!({"id": one.id, "name": one.name, "type": one.kind}));
            shown.take(size).collect()
        }
        "tag" => {
            let all = state.tags.values();
            let found = all.filter(|tag| is_indexed(tag.created_at) && has(&tag.name));
            let shown = found.map(|tag| json!({"id": tag.id, "name": tag.name}));
            shown.take(size).collect()
        }
        "team" => {
            let all = state.teams.values();
            let found = all.filter(|team| is_indexed(team.created_at) && has(&team.name));
            let shown = found.map(|team| json!({"id": team.id, "name": team.name}));
            shown.take(size).collect()
        }
        _ => {
            let all = state.customers.values();
            let found = all.filter(|one| is_indexed(one.updated_at) && fits(one));
            found.map(in_short).take(size).collect()
        }
    }
}
