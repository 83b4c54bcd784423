//! What the generated organisation holds: everything a migration can stumble over.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use transload_simulators::kustomer::{Config, Kind, State};

use super::*;

fn records(simulator: &Simulator, kind: Kind) -> Vec<Value> {
    let world = simulator.world();
    world
        .ids(kind)
        .iter()
        .map(|id| world.json(id).unwrap())
        .collect()
}

fn values<'a>(records: &'a [Value], attribute: &str) -> BTreeSet<&'a str> {
    records
        .iter()
        .filter_map(|r| r["attributes"][attribute].as_str())
        .collect()
}

#[test]
fn messages_cover_every_channel_direction_status_and_oddity() {
    let simulator = organisation(2_000);
    let messages = records(&simulator, Kind::Message);
    assert_eq!(values(&messages, "channel").len(), 10);
    assert_eq!(values(&messages, "direction").len(), 2);
    assert_eq!(values(&messages, "status").len(), 3);
    assert_eq!(values(&messages, "directionType").len(), 6);
    let any = |test: &dyn Fn(&Value) -> bool| assert!(messages.iter().any(test));
    any(&|m| m["attributes"]["redacted"] == true && m["attributes"]["preview"] == "");
    any(&|m| m["attributes"]["auto"] == true);
    any(&|m| m["attributes"]["source"] == "bulk");
    any(&|m| !m["attributes"]["reactions"].as_array().unwrap().is_empty());
    any(&|m| m["attributes"]["meta"]["externalRecordingUrl"].is_string());
    any(&|m| m["attributes"]["meta"]["to"].is_string());
    any(&|m| m["attributes"]["meta"]["to"].is_object());
    any(&|m| m["attributes"]["meta"]["to"].is_array());
    any(&|m| m["attributes"]["meta"].get("bcc").is_some());
    any(&|m| m["attributes"]["size"] == 0);
    any(&|m| m["attributes"]["importedAt"].is_string());
    any(&|m| m["relationships"].get("attachments").is_some());
    assert!(
        messages
            .iter()
            .all(|m| m["relationships"]["customer"]["data"]["type"] == "customers")
    );
    assert!(
        messages
            .iter()
            .all(|m| m["attributes"].get("body").is_none())
    );
}

#[test]
fn conversations_cover_every_state_and_count_their_own_messages_and_notes() {
    let simulator = organisation(1_000);
    let conversations = records(&simulator, Kind::Conversation);
    assert_eq!(values(&conversations, "status").len(), 3);
    for conversation in &conversations {
        let id = conversation["id"].as_str().unwrap();
        let a = &conversation["attributes"];
        assert_eq!(a["messageCount"], simulator.world().message_ids(id).len());
        let live = simulator.world().note_ids(id);
        let live = live
            .iter()
            .filter(|n| simulator.world().state(n) == Some(State::Live))
            .count();
        assert_eq!(a["noteCount"], live);
        if a["status"] == "snoozed" {
            assert!(a["snooze"]["time"].as_str() > Some("2026"));
        }
        let tags: BTreeSet<&str> = a["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_str().unwrap())
            .collect();
        assert_eq!(
            tags.len(),
            a["tags"].as_array().unwrap().len(),
            "a tag twice on {id}"
        );
    }
    let any = |test: &dyn Fn(&Value) -> bool| assert!(conversations.iter().any(test));
    any(&|c| c["attributes"]["spam"] == true);
    any(&|c| c["attributes"]["deleted"] == true);
    any(&|c| c["attributes"]["mergedTarget"] == true);
    any(&|c| c["attributes"]["satisfactionLevel"]["rating"].is_number());
    any(&|c| c["attributes"]["satisfactionLevel"]["status"] == "commented");
    any(&|c| c["attributes"]["tags"].as_array().unwrap().len() == 20);
    any(&|c| c["attributes"]["assignedUsers"].as_array().unwrap().len() > 5);
    any(&|c| c["attributes"]["assignedTeams"].as_array().unwrap().len() > 1);
    any(&|c| c["attributes"]["channels"].as_array().unwrap().len() > 1);
    any(&|c| c["attributes"]["messageCount"] == 0 && c["attributes"]["deleted"] == false);
    any(&|c| c["relationships"].get("subStatus").is_some());
    any(&|c| c["attributes"]["sla"]["breached"] == true);
    any(&|c| c["attributes"]["ended"] == true);
    any(&|c| c["attributes"]["importedAt"].as_str() > c["attributes"]["createdAt"].as_str());
}

#[test]
fn history_reaches_back_eight_years_and_threads_are_short_long_and_in_one_second() {
    let config = Config {
        size: 1_500,
        longest_thread: 3_000,
        ..Config::default()
    };
    let simulator = organisation_with(config);
    let messages = records(&simulator, Kind::Message);
    let years: BTreeSet<&str> = messages
        .iter()
        .map(|m| &m["attributes"]["sentAt"].as_str().unwrap()[..4])
        .collect();
    assert!(years.len() >= 8, "{years:?}");
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    let mut bursts = 0;
    for conversation in simulator.world().ids(Kind::Conversation) {
        let thread = simulator.world().message_ids(&conversation);
        *lengths.entry(thread.len()).or_default() += 1;
        let sent: BTreeSet<String> = thread
            .iter()
            .map(|m| {
                simulator.world().json(m).unwrap()["attributes"]["sentAt"]
                    .as_str()
                    .unwrap()[..19]
                    .to_owned()
            })
            .collect();
        bursts += usize::from(thread.len() > 2 && sent.len() <= 2);
    }
    assert_eq!(lengths.keys().last(), Some(&3_000));
    assert!(lengths.range(200..).count() == 1, "extremes are few");
    assert!(lengths.range(1..=3).map(|(_, n)| n).sum::<usize>() > 600);
    assert!(bursts > 0);
}

#[test]
fn people_share_addresses_write_from_an_agents_one_and_lack_names() {
    let simulator = organisation(1_000);
    let customers = records(&simulator, Kind::Customer);
    let mut shared: BTreeMap<&str, usize> = BTreeMap::new();
    for customer in &customers {
        for email in customer["attributes"]["sharedEmails"].as_array().unwrap() {
            *shared.entry(email["email"].as_str().unwrap()).or_default() += 1;
        }
    }
    assert!(!shared.is_empty() && shared.values().all(|people| *people == 2));
    let agents: BTreeSet<String> = records(&simulator, Kind::User)
        .iter()
        .map(|u| u["attributes"]["email"].as_str().unwrap().to_owned())
        .collect();
    let own = |c: &Value| c["attributes"]["emails"].as_array().unwrap().clone();
    assert!(customers.iter().any(|c| {
        own(c)
            .iter()
            .any(|e| agents.contains(e["email"].as_str().unwrap()))
    }));
    assert!(customers.iter().any(|c| own(c).is_empty()));
    assert!(customers.iter().any(|c| c["attributes"]["name"].is_null()));
    assert!(
        customers
            .iter()
            .any(|c| c["relationships"].get("company").is_some())
    );
    let counts = simulator.world().counts();
    assert!(counts.deleted_customers > 0 && counts.merged_customers > 0);
}

#[test]
fn notes_are_old_new_deleted_mentioning_and_also_on_customers_without_a_conversation() {
    let simulator = organisation(1_000);
    let notes = records(&simulator, Kind::Note);
    let any = |test: &dyn Fn(&Value) -> bool| assert!(notes.iter().any(test));
    any(&|n| n["relationships"].get("conversation").is_none());
    any(&|n| n["attributes"]["updatedAt"].as_str() < Some("2024"));
    any(&|n| n["attributes"]["updatedAt"].as_str() > Some("2025"));
    any(&|n| n["attributes"]["deleted"] == true && n["relationships"].get("deletedBy").is_some());
    any(&|n| {
        n["relationships"]["userMentions"]["data"].is_array()
            && n["attributes"]["body"]
                .as_str()
                .unwrap()
                .starts_with("Asked __")
    });
    assert!(notes.iter().any(|n| {
        !simulator
            .world()
            .files(n["id"].as_str().unwrap())
            .is_empty()
    }));
}

#[test]
fn references_among_records_form_a_cycle_and_most_of_them_lead_somewhere() {
    let simulator = organisation(1_000);
    let kobjects = records(&simulator, Kind::KObject);
    let of = |klass: &str| -> Vec<&Value> {
        kobjects
            .iter()
            .filter(|k| k["type"] == format!("kobject.{klass}"))
            .collect()
    };
    let (mut good, mut bad) = (0, 0);
    for (klass, attribute, target) in [
        ("ecomm-order", "shipmentsId", "kobject.shipment"),
        ("shipment", "orderId", "kobject.ecomm-order"),
        ("product", "parentId", "kobject.product"),
    ] {
        for record in of(klass) {
            let value = &record["attributes"]["custom"][attribute];
            for id in value
                .as_array()
                .unwrap_or(&vec![value.clone()])
                .iter()
                .filter_map(Value::as_str)
            {
                match simulator.world().json(id) {
                    Some(found) => {
                        assert_eq!(found["type"], target);
                        good += 1;
                    }
                    None => bad += 1,
                }
            }
        }
    }
    assert!(good > 100 && bad > 0 && good > bad * 5, "{good} {bad}");
    assert!(of("ecomm-order").iter().any(|o| {
        o["attributes"]["custom"]["shipmentsId"]
            .as_array()
            .is_some_and(|l| l.len() > 1)
    }));
    assert!(
        of("repair")
            .iter()
            .all(|r| r["attributes"]["status"].is_string())
    );
}

#[test]
fn tags_of_deleted_ones_are_still_in_use() {
    let simulator = organisation(300);
    let deleted: BTreeSet<String> = {
        let tags = futures::executor::block_on(walk(&simulator, "/v1/tags?pageSize=100"));
        assert!(tags.iter().any(|t| t["attributes"]["name"] == "À_traiter"));
        let deleted = tags.iter().filter(|t| t["attributes"]["deleted"] == true);
        deleted
            .map(|t| t["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let used = records(&simulator, Kind::Conversation);
    assert!(used.iter().any(|c| {
        c["attributes"]["tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|t| deleted.contains(t.as_str().unwrap()))
    }));
}
