//! Search and archive search.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transload_simulators::common::Clock;
use transload_simulators::kustomer::{
    Beyond, Config, DEFAULT_NOW_MS, IdsOnly, KLASSES, Kind, Oversize,
};

use super::*;

const YEAR: i64 = 365 * 86_400_000;

fn window(context: &str, from: i64, to: i64) -> Value {
    let name = format!("{}_updated_at", context.split('_').next().unwrap());
    json!({"queryContext": context,
        "and": [{name.clone(): {"gte": Clock::iso(from)}}, {name.clone(): {"lt": Clock::iso(to)}}],
        "sort": [{name: "asc"}]})
}

fn everything(context: &str) -> Value {
    window(context, 0, DEFAULT_NOW_MS + YEAR)
}

async fn total(simulator: &Simulator, body: &Value) -> (u64, u64) {
    let count = |answer: Answer| answer.json()["meta"]["total"].as_u64().unwrap();
    (
        count(search(simulator, "pageSize=1", body).await),
        count(archive(simulator, "pageSize=1", body).await),
    )
}

#[tokio::test]
async fn standard_search_and_archive_together_hold_every_live_record_of_each_context_but_old_notes()
{
    let simulator = organisation(400);
    simulator.switch(|switches| switches.horizon_overlap_ms = 0);
    let counts = simulator.world().counts();
    for (context, expected) in [
        ("conversation", counts.conversations),
        ("message", counts.messages),
        ("customer", counts.customers),
        ("company", counts.companies),
        ("kobject", counts.kobjects),
    ] {
        let (new, old) = total(&simulator, &everything(context)).await;
        assert_eq!(new + old, expected as u64, "{context}");
        assert!(new > 0 && old > 0, "{context}: {new} {old}");
    }
    let answer = archive(&simulator, "", &everything("note")).await;
    assert_eq!(answer.status, 400);
    let notes = search(&simulator, "", &everything("note")).await.json();
    let listed = walk(&simulator, "/v1/notes?pageSize=100").await;
    assert_eq!(listed.len(), counts.notes);
    assert!(notes["meta"]["total"].as_u64().unwrap() < counts.notes as u64);
}

#[tokio::test]
async fn the_horizon_moves_with_the_clock_and_the_two_indexes_overlap_by_a_day() {
    let simulator = organisation(300);
    let (new, old) = total(&simulator, &everything("conversation")).await;
    let all = simulator.world().counts().conversations as u64;
    assert!(new + old >= all);
    simulator.harness().clock.advance(300 * 86_400_000);
    let (newer, older) = total(&simulator, &everything("conversation")).await;
    assert!(newer < new && older > old);
}

#[tokio::test]
async fn windows_are_half_open_and_add_up() {
    let simulator = organisation(300);
    let (from, to) = (DEFAULT_NOW_MS - YEAR, DEFAULT_NOW_MS);
    let half = from + (to - from) / 2;
    let count = async |from, to| {
        let answer = search(&simulator, "pageSize=1", &window("message", from, to)).await;
        answer.json()["meta"]["total"].as_u64().unwrap()
    };
    assert_eq!(
        count(from, half).await + count(half, to).await,
        count(from, to).await
    );
}

#[tokio::test]
async fn rows_come_in_ascending_order_of_updated_at_and_each_once() {
    let simulator = organisation(300);
    let mut seen = Vec::new();
    let mut last = String::new();
    for page in 1.. {
        let query = format!("page={page}&pageSize=50");
        let answer = search(&simulator, &query, &everything("message"))
            .await
            .json();
        let rows = answer["data"].as_array().unwrap().clone();
        for row in &rows {
            let updated = row["attributes"]["updatedAt"].as_str().unwrap().to_owned();
            assert!(updated >= last);
            last = updated;
        }
        seen.extend(ids(&answer["data"]));
        if rows.len() < 50 {
            break;
        }
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    let reversed = json!({"queryContext": "message", "sort": [{"message_updated_at": "desc"}]});
    let answer = search(&simulator, "pageSize=3", &reversed).await.json();
    let mut expected: Vec<String> = seen.iter().rev().take(3).cloned().collect();
    assert_eq!(ids(&answer["data"]), expected.split_off(0));
}

#[tokio::test]
async fn page_one_hundred_is_the_last_although_totals_and_next_pretend_otherwise() {
    let simulator = organisation(400);
    let answer = search(&simulator, "page=100&pageSize=2", &everything("message")).await;
    let page = answer.json();
    assert!(
        page["meta"]["total"].as_u64().unwrap() > 200,
        "{}",
        page["meta"]
    );
    assert!(page["links"]["next"].as_str().unwrap().contains("page=101"));
    assert!(page["links"]["last"].is_string());
    let ask = async || search(&simulator, "page=101&pageSize=2", &everything("message")).await;
    assert_eq!(ask().await.status, 400);
    simulator.switch(|switches| switches.beyond = Beyond::Empty);
    assert_eq!(ask().await.json()["data"], json!([]));
    simulator.switch(|switches| switches.beyond = Beyond::Repeat);
    assert_eq!(ids(&ask().await.json()["data"]), ids(&page["data"]));
    simulator.switch(|switches| switches.next_past_the_cap = false);
    let last = search(&simulator, "page=100&pageSize=2", &everything("message"))
        .await
        .json();
    assert_eq!(last["links"]["next"], Value::Null);
}

#[tokio::test]
async fn a_ceiling_of_rows_can_be_lower_than_the_ceiling_of_pages() {
    let simulator = organisation(200);
    simulator.switch(|switches| switches.search_rows = Some(100));
    let ask = async |page: u64| {
        search(
            &simulator,
            &format!("page={page}&pageSize=40"),
            &everything("message"),
        )
        .await
    };
    assert_eq!(ask(2).await.json()["data"].as_array().unwrap().len(), 40);
    assert_eq!(ask(3).await.json()["data"].as_array().unwrap().len(), 20);
    assert_eq!(ask(4).await.status, 400);
}

#[tokio::test]
async fn page_sizes_over_five_hundred_are_refused_or_clamped() {
    let simulator = organisation(100);
    let ask = async || search(&simulator, "pageSize=501", &everything("message")).await;
    assert_eq!(ask().await.status, 400);
    simulator.switch(|switches| switches.oversize = Oversize::Clamp);
    assert_eq!(ask().await.json()["meta"]["pageSize"], 500);
    for bad in ["pageSize=0", "page=0", "page=x", "pageSize=-1"] {
        assert_eq!(
            search(&simulator, bad, &everything("message")).await.status,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn what_search_does_not_know_is_refused() {
    let simulator = organisation(20);
    let criterion = |name: &str, operator: &str| json!({"queryContext": "conversation", "and": [{name: {operator: "2026-01-01"}}]});
    let many: Vec<Value> = (0..21)
        .map(|n| json!({"conversation_priority": {"equals": n}}))
        .collect();
    for body in [
        criterion("conversation_nonsense", "gte"),
        criterion("message_updated_at", "gte"),
        criterion("conversation_updated_at", "after"),
        json!({"queryContext": "ticket"}),
        json!({"queryContext": "conversation", "filter": []}),
        json!({"queryContext": "conversation", "and": many}),
        json!({"queryContext": "conversation", "and": [{"conversation_priority": {"equals": 1}}, {"conversation_priority": {"equals": 1}}]}),
        json!({"queryContext": "conversation", "and": [{"conversation_updated_at": {"gte": "yesterday"}}]}),
        json!({"queryContext": "conversation", "sort": [{"conversation_updated_at": "up"}]}),
    ] {
        let answer = search(&simulator, "", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["errors"][0]["code"], "bad_request");
    }
    let archived = json!({"queryContext": "conversation", "and": [{"conversation_status": {"equals": "done"}}]});
    assert_eq!(archive(&simulator, "", &archived).await.status, 400);
    assert_eq!(search(&simulator, "", &archived).await.status, 200);
}

#[tokio::test]
async fn sorting_other_objects_than_customers_can_be_forbidden() {
    let simulator = organisation(20);
    simulator.switch(|switches| switches.sorts_of_other_objects = false);
    assert_eq!(
        search(&simulator, "", &everything("conversation"))
            .await
            .status,
        400
    );
    assert_eq!(
        search(&simulator, "", &everything("customer")).await.status,
        200
    );
}

#[tokio::test]
async fn many_records_share_one_updated_at_and_their_order_can_change_between_pages() {
    let simulator = organisation_with(Config {
        size: 2_000,
        ties: 400,
        ..Config::default()
    });
    let rows = async |page: u64| {
        let query = format!("page={page}&pageSize=100");
        search(&simulator, &query, &everything("conversation"))
            .await
            .json()["data"]
            .clone()
    };
    let mut times = Vec::new();
    for page in 1..=12 {
        for row in rows(page).await.as_array().unwrap() {
            times.push(row["attributes"]["updatedAt"].as_str().unwrap().to_owned());
        }
    }
    let most = times
        .iter()
        .map(|t| times.iter().filter(|u| *u == t).count())
        .max()
        .unwrap();
    assert_eq!(most, 400);
    let at = times
        .iter()
        .position(|t| times.iter().filter(|u| *u == t).count() == most)
        .unwrap();
    let page = at as u64 / 100 + 2;
    assert_eq!(rows(page).await, rows(page).await);
    simulator.switch(|switches| switches.unstable_ties = true);
    let (first, second) = (rows(page).await, rows(page).await);
    assert_ne!(ids(&first), ids(&second));
    assert_eq!(first.as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_timed_out_page_says_so_and_misses_rows_and_the_next_try_has_them() {
    let simulator = organisation(200);
    simulator.switch(|switches| switches.timed_out_every = Some(2));
    let ask = async || {
        search(&simulator, "pageSize=50", &everything("message"))
            .await
            .json()
    };
    let (whole, half, again) = (ask().await, ask().await, ask().await);
    assert_eq!(
        (&whole["meta"]["timed_out"], &half["meta"]["timed_out"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(half["data"].as_array().unwrap().len(), 25);
    assert_eq!(whole["data"], again["data"]);
}

#[tokio::test]
async fn the_index_lags_behind_a_change_and_then_the_record_has_moved() {
    let simulator = organisation(200);
    let old = everything("conversation");
    let first = search(&simulator, "pageSize=1", &old).await.json()["data"][0].clone();
    let id = first["id"].as_str().unwrap().to_owned();
    assert!(simulator.touch_conversation(&id));
    // The list reads the live data, search still the old.
    let live = ok(&simulator, &format!("/v1/conversations/{id}")).await;
    assert_ne!(
        live["data"]["attributes"]["updatedAt"],
        first["attributes"]["updatedAt"]
    );
    let lagging = search(&simulator, "pageSize=1", &old).await.json();
    assert_eq!(lagging["data"][0], first);
    simulator.harness().clock.advance(30_000);
    let caught_up = search(&simulator, "pageSize=1", &old).await.json();
    assert_ne!(caught_up["data"][0]["id"], first["id"]);
    assert_eq!(caught_up["meta"]["total"], lagging["meta"]["total"]);
    let now = simulator.harness().clock.now_ms();
    let recent = window("conversation", now - 60_000, now);
    assert_eq!(
        ids(&search(&simulator, "", &recent).await.json()["data"]),
        [id]
    );
}

#[tokio::test]
async fn a_new_message_is_listed_at_once_and_found_when_the_index_has_it() {
    let simulator = organisation(100);
    let conversation = simulator.world().ids(Kind::Conversation)[5].clone();
    let id = simulator
        .add_message(&conversation, "still there?")
        .unwrap();
    let listed = walk(
        &simulator,
        &format!("/v1/conversations/{conversation}/messages"),
    )
    .await;
    assert_eq!(listed.last().unwrap()["id"], *id);
    assert_eq!(
        listed.last().unwrap()["attributes"]["preview"],
        "still there?"
    );
    let recent = window("message", DEFAULT_NOW_MS - 1, DEFAULT_NOW_MS + YEAR);
    assert_eq!(
        search(&simulator, "", &recent).await.json()["meta"]["total"],
        0
    );
    simulator.harness().clock.advance(30_000);
    assert_eq!(
        ids(&search(&simulator, "", &recent).await.json()["data"]),
        [id]
    );
}

#[tokio::test]
async fn a_record_touched_between_two_pages_shifts_the_rows_behind_it() {
    let simulator = organisation(300);
    simulator.switch(|switches| switches.index_lag_ms = 0);
    let first = search(
        &simulator,
        "page=1&pageSize=10",
        &everything("conversation"),
    )
    .await
    .json();
    let touched = ids(&first["data"])[0].clone();
    simulator.after_request(1, move |simulator| {
        assert!(simulator.touch_conversation(&touched));
        simulator.harness().clock.advance(60_000);
    });
    let second = search(
        &simulator,
        "page=2&pageSize=10",
        &everything("conversation"),
    )
    .await
    .json();
    let undisturbed = organisation(300);
    let expected = search(
        &undisturbed,
        "page=2&pageSize=10",
        &everything("conversation"),
    )
    .await
    .json();
    assert_eq!(ids(&second["data"])[0], ids(&expected["data"])[1]);
}

#[tokio::test]
async fn deleted_records_are_found_only_when_asked_for() {
    let simulator = organisation(400);
    let counts = simulator.world().counts();
    let mut body = everything("conversation");
    simulator.switch(|switches| switches.horizon_overlap_ms = 0);
    let (new, old) = total(&simulator, &body).await;
    body["includeDeleted"] = true.into();
    let (all_new, all_old) = total(&simulator, &body).await;
    assert!(counts.deleted_conversations > 0);
    assert_eq!(
        all_new + all_old - new - old,
        counts.deleted_conversations as u64
    );
}

#[tokio::test]
async fn criteria_combine_and_contains_means_whole_words() {
    let simulator = organisation(300);
    let find = async |and: Value| {
        let body = json!({"queryContext": "conversation", "and": and});
        search(&simulator, "pageSize=500", &body).await.json()["data"].clone()
    };
    let done = find(json!([{"conversation_status": {"equals": "done"}}])).await;
    assert!(
        done.as_array()
            .unwrap()
            .iter()
            .all(|c| c["attributes"]["status"] == "done")
    );
    let urgent = find(json!([{"conversation_status": {"in": ["open", "snoozed"]}},
        {"conversation_priority": {"gte": 4}}]))
    .await;
    assert!(!urgent.as_array().unwrap().is_empty());
    assert!(
        urgent
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["attributes"]["priority"].as_i64().unwrap() >= 4)
    );
    let word = find(json!([{"conversation_name": {"contains": "refund"}}])).await;
    assert!(!word.as_array().unwrap().is_empty());
    let part = find(json!([{"conversation_name": {"contains": "refun"}}])).await;
    assert_eq!(part, json!([]));
    let unset = find(json!([{"conversation_custom_orderNumberStr": {"not_set": ""}}])).await;
    assert!(unset.as_array().unwrap().iter().all(|c| {
        c["attributes"]["custom"]
            .get("orderNumberStr")
            .is_none_or(Value::is_null)
    }));
}

#[tokio::test]
async fn local_dates_mean_midnight_in_gmt() {
    let simulator = organisation(300);
    let count = async |from: &str| {
        let body = json!({"queryContext": "message", "and": {"message_updated_at": {"gte": from}}});
        search(&simulator, "pageSize=1", &body).await.json()["meta"]["total"].clone()
    };
    assert_eq!(
        count("2026-01-01").await,
        count("2026-01-01T00:00:00.000Z").await
    );
}

#[tokio::test]
async fn each_klass_is_a_context_of_its_own() {
    let simulator = organisation(300);
    let body = json!({"queryContext": "kobject_ecomm-order",
        "and": [{"kobject_updated_at": {"gte": "2025-01-01"}}, {"kobject_custom_ecomm-order_giftBool": {"equals": true}}],
        "sort": [{"kobject_ecomm-order_updated_at": "asc"}]});
    let answer = search(&simulator, "", &body).await.json();
    assert!(!answer["data"].as_array().unwrap().is_empty());
    for order in answer["data"].as_array().unwrap() {
        assert_eq!(order["type"], "kobject.ecomm-order");
        assert_eq!(order["attributes"]["custom"]["giftBool"], true);
    }
}

#[tokio::test]
async fn ids_only_comes_in_one_of_two_shapes() {
    let simulator = organisation(50);
    let ask = async || {
        search(
            &simulator,
            "idsOnly=true&pageSize=2",
            &everything("message"),
        )
        .await
        .json()
    };
    let resources = ask().await;
    assert_eq!(resources["data"][0].as_object().unwrap().len(), 2);
    simulator.switch(|switches| switches.ids_only = IdsOnly::Strings);
    assert_eq!(ask().await["data"][0], resources["data"][0]["id"]);
}

#[tokio::test]
async fn a_klass_that_is_not_enabled_is_searched_or_unknown() {
    let simulator = organisation(60);
    let klass = KLASSES.iter().find(|k| k.status == "disabled").unwrap();
    let body = json!({"queryContext": format!("kobject_{}", klass.name)});
    assert_eq!(search(&simulator, "", &body).await.status, 200);
    simulator.switch(|switches| switches.klasses_all_searched = false);
    assert_eq!(search(&simulator, "", &body).await.status, 400);
    assert_eq!(archive(&simulator, "", &body).await.status, 400);
    let enabled = json!({"queryContext": "kobject_ecomm-order"});
    assert_eq!(search(&simulator, "", &enabled).await.status, 200);
}
