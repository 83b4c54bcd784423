//! What an extraction costs in requests, held against what it cannot cost less than.

use std::collections::BTreeMap;

use crate::support::{Account, KINDS, is_note};
use transload_sdk::types::{Entity, Kind};
use transload_simulators::kustomer::{Kind as Sim, State, Switches};

/// Rows that a request of a part gives.
fn page_size(part: &str) -> u64 {
    match part.split('/').next().unwrap_or_default() {
        _ if part == "note/old" => 100,
        "company" | "customer" | "conversation" | "message" | "note" | "teams" | "users" => 500,
        context if context.starts_with("kobject_") => 500,
        // The versions of an article are a list of their own.
        "kb" if part == "kb/articles" => 1,
        _ => 100,
    }
}

/// What a whole extraction asks of the API, and the bound of it: rows by page sizes, and one for each window.
struct Cost {
    requests: u64,
    bound: u64,
    messages: u64,
    /// Data of custom objects that is kept in the storage, which has no budget: one for each such record.
    stored: u64,
}

async fn extract(account: &Account) -> Cost {
    let recorder = &account.sim.harness().recorder;
    recorder.clear();
    // Rows by kind and page size, and the windows they were read in.
    let mut rows: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let (mut windows, mut messages) = (0, 0);
    for kind in KINDS {
        for part in account.drain_parts(&kind, None).await {
            windows += part.windows;
            let of_part = if kind == Kind::FieldDefinition {
                // Attributes come a resource at a time: one page for each owner.
                let owners = part.entries.values().filter_map(|entry| match &entry.data {
                    Entity::FieldDefinition(field) => Some(format!("{:?}", field.owner)),
                    _ => None,
                });
                100 * owners.collect::<std::collections::BTreeSet<_>>().len() as u64
            } else {
                part.rows
            };
            messages += part
                .entries
                .values()
                .filter(|entry| entry.head.kind == Kind::Message && !is_note(entry))
                .count() as u64;
            let key = (kind.word().to_owned(), page_size(&part.id));
            *rows.entry(key).or_default() += of_part;
        }
    }
    let pages = rows.iter().map(|((_, size), rows)| rows.div_ceil(*size));
    let asked = recorder.all();
    let of_api = asked
        .iter()
        .filter(|record| record.path.starts_with("/v1/"));
    let requests = of_api.count() as u64;
    Cost {
        requests,
        bound: pages.sum::<u64>() + windows,
        messages,
        stored: asked.len() as u64 - requests,
    }
}

fn assert_cheap(what: &str, cost: &Cost, bound: u64) {
    let (requests, stored) = (cost.requests, cost.stored);
    println!(
        "{what}: {requests} requests, bound {bound}, {:.2} of it; {stored} more to the storage",
        requests as f64 / bound as f64
    );
    assert!(requests * 10 <= bound * 11, "{what}: {requests} of {bound}");
}

#[tokio::test]
async fn records_cost_at_most_a_tenth_more_requests_than_their_pages_and_windows() {
    let mut account = Account::new(Account::config(1_000, Switches::default())).await;
    account.set("attachment_details", "open");
    let cost = extract(&account).await;
    assert_cheap("1,000 conversations", &cost, cost.bound);
    let asked = account.sim.harness().recorder.all();
    let below = asked
        .iter()
        .filter(|record| record.path.starts_with("/v1/conversations/"));
    assert_eq!(below.count(), 0, "nothing is asked per conversation");
}

#[tokio::test]
async fn names_of_files_cost_a_request_for_a_hundred_messages_and_one_for_each_note_with_files() {
    let account = Account::new(Account::config(1_000, Switches::default())).await;
    let cost = extract(&account).await;
    let with_files = |kind: Sim| {
        let world = account.sim.world();
        let live = |id: &String| world.state(id) == Some(State::Live);
        let ids = world.ids(kind).into_iter().filter(live);
        ids.filter(|id| !world.files(id).is_empty()).count() as u64
    };
    let (messages, notes) = (with_files(Sim::Message), with_files(Sim::Note));
    assert_cheap(
        &format!("the same with names of files of {messages} messages and {notes} notes"),
        &cost,
        cost.bound + cost.messages.div_ceil(100) + notes,
    );
}
