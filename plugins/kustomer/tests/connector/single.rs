//! Single records by their ids, and the inventory.

use std::collections::BTreeSet;

use crate::support::{Account, KINDS};
use transload_plugin_kustomer::Kustomer;
use transload_sdk::Source;
use transload_sdk::source::InventoryItem;
use transload_sdk::types::{Entity, Entry, Kind, Reference};
use transload_simulators::kustomer::{ApiKey, Config, Gone, Kind as Sim, State, Switches};

/// Some ids of a kind, alive.
fn live(account: &Account, kind: Sim, count: usize) -> Vec<String> {
    let world = account.sim.world();
    let alive = |id: &String| world.state(id) == Some(State::Live);
    world
        .ids(kind)
        .into_iter()
        .filter(alive)
        .take(count)
        .collect()
}

fn refs(kind: Kind, ids: &[String]) -> Vec<Reference> {
    ids.iter()
        .map(|id| Reference::new(kind.clone(), id.clone()))
        .collect()
}

#[tokio::test]
async fn a_record_of_each_kind_is_fetched_as_reading_gave_it() {
    let mut account = Account::new(Account::config(200, Switches::default())).await;
    account.set("forwards", true);
    for kind in KINDS {
        let word = kind.word().to_owned();
        let read = account.drain(&kind, None).await;
        // What is deleted is no longer given one by one; what nobody defined is in no metadata.
        let wanted: Vec<&Entry> = read
            .values()
            .filter(|e| e.head.kind == kind && !(e.head.deleted && kind != Kind::Article))
            .filter(|e| !matches!(&e.data, Entity::FieldDefinition(f) if f.retired))
            .collect();
        let step = (wanted.len() / 40).max(1);
        let wanted: Vec<&Entry> = wanted.into_iter().step_by(step).collect();
        let ids: Vec<String> = wanted.iter().map(|e| e.head.id.clone()).collect();
        let found = Kustomer::fetch(&account.cx(), refs(kind.clone(), &ids))
            .await
            .unwrap();
        for entry in wanted {
            let same = found
                .iter()
                .find(|f| f.head.kind == kind && f.head.id == entry.head.id);
            assert_eq!(same, Some(entry), "{word}");
        }
        let own = found.iter().filter(|f| f.head.kind == kind);
        assert_eq!(own.count(), ids.len(), "{word}: no more than asked for");
        println!("{word}: {}", ids.len());
    }
}

#[tokio::test]
async fn what_is_gone_is_left_out_and_costs_no_error() {
    let account = Account::new(Account::config(100, Switches::default())).await;
    let deleted = {
        let world = account.sim.world();
        let mut ids = world.ids(Sim::Conversation).into_iter();
        ids.find(|id| world.state(id) == Some(State::Deleted))
            .unwrap()
    };
    let nothing = "0123456789abcdef01234567".to_owned();
    let kept = live(&account, Sim::Conversation, 1);
    let mut wanted = refs(Kind::Conversation, &[deleted, nothing.clone()]);
    wanted.extend(refs(Kind::Conversation, &kept));
    for kind in [
        Kind::Customer,
        Kind::Company,
        Kind::Message,
        Kind::Agent,
        Kind::Tag,
        Kind::CustomObject,
        Kind::Attachment,
        Kind::Relationship,
        Kind::Article,
    ] {
        wanted.push(Reference::new(kind, nothing.clone()));
    }
    let found = Kustomer::fetch(&account.cx(), wanted).await.unwrap();
    // Its relationships come along.
    let found = found.iter().filter(|e| e.head.kind != Kind::Relationship);
    let found: Vec<&str> = found.map(|e| e.head.id.as_str()).collect();
    assert_eq!(found, [kept[0].as_str()]);
}

#[tokio::test]
async fn a_merged_customer_leads_to_its_survivor_whatever_kustomer_answers_for_it() {
    for merged in [Gone::NotFound, Gone::Gone, Gone::Shown] {
        let switches = Switches {
            merged,
            ..Switches::default()
        };
        let account = Account::new(Account::config(300, switches)).await;
        let (old, survivor) = {
            let world = account.sim.world();
            let mut ids = world.ids(Sim::Customer).into_iter();
            ids.find_map(|id| match world.state(&id) {
                Some(State::MergedInto(survivor)) => Some((id, survivor)),
                _ => None,
            })
            .unwrap()
        };
        let wanted = refs(Kind::Customer, &[old.clone(), survivor.clone()]);
        let found = Kustomer::fetch(&account.cx(), wanted).await.unwrap();
        let customers: Vec<&Entry> = found
            .iter()
            .filter(|e| e.head.kind == Kind::Customer)
            .collect();
        let away = customers.iter().find(|e| e.head.id == old).unwrap();
        let Entity::Customer(customer) = &away.data else {
            panic!()
        };
        let into = customer.merged_into.as_ref().map(|r| r.id.as_str());
        assert_eq!(into, Some(survivor.as_str()), "{merged:?}");
        assert!(customers.iter().any(|e| e.head.id == survivor));
        assert_eq!(customers.len(), 2);
    }
}

#[tokio::test]
async fn many_conversations_cost_few_requests() {
    let account = Account::new(Account::config(200, Switches::default())).await;
    let ids = live(&account, Sim::Conversation, 120);
    account.sim.harness().recorder.clear();
    let found = Kustomer::fetch(&account.cx(), refs(Kind::Conversation, &ids))
        .await
        .unwrap();
    let conversations = found.iter().filter(|e| e.head.kind == Kind::Conversation);
    assert_eq!(conversations.count(), 120);
    assert_eq!(account.sim.harness().recorder.all().len(), 3);
}

#[tokio::test]
async fn files_of_outbound_messages_and_recordings_are_fetched_by_their_own_ids() {
    let account = Account::new(Account::config(400, Switches::default())).await;
    let read = account.drain(&Kind::Message, None).await;
    let (mut outbound, mut recording) = (None, None);
    for entry in read.values() {
        let Entity::Attachment(file) = &entry.data else {
            continue;
        };
        let key = ("message".to_owned(), file.parent.id.clone());
        let out = read.get(&key).is_some_and(|parent| {
            matches!(&parent.data, Entity::Message(m)
                if m.direction == transload_sdk::types::Direction::Outbound)
        });
        if entry.head.id.ends_with("/recording") {
            recording.get_or_insert(entry);
        } else if out {
            outbound.get_or_insert(entry);
        }
    }
    let (outbound, recording) = (outbound.unwrap(), recording.unwrap());
    let ids = [outbound.head.id.clone(), recording.head.id.clone()];
    let found = Kustomer::fetch(&account.cx(), refs(Kind::Attachment, &ids))
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    for (found, read) in [(&found[1], outbound), (&found[0], recording)] {
        let (Entity::Attachment(a), Entity::Attachment(b)) = (&found.data, &read.data) else {
            panic!()
        };
        assert_eq!((&a.name, a.size, &a.parent), (&b.name, b.size, &b.parent));
    }
}

#[tokio::test]
async fn the_inventory_lists_what_people_must_rebuild() {
    let account = Account::new(Account::config(30, Switches::default())).await;
    let items = Kustomer::inventory(&account.cx()).await.unwrap();
    for section in [
        "queue",
        "queue-rule",
        "sla",
        "workflow",
        "shortcut",
        "shortcut-category",
        "survey",
        "snooze",
        "schedule",
        "role-group",
        "sender",
        "webhook",
        "spam-sender",
        "kb-template",
        "kb-theme",
    ] {
        let of: Vec<_> = items.iter().filter(|i| i.section == section).collect();
        assert!(!of.is_empty(), "{section}");
        let distinct: BTreeSet<&str> = of.iter().map(|i| i.id.as_str()).collect();
        assert_eq!(distinct.len(), of.len(), "{section}");
        for item in of {
            assert!(!item.name.is_empty() && item.id != "unreadable", "{item:?}");
            serde_json::from_str::<serde_json::Value>(&item.detail).unwrap();
        }
    }
    let named = |name: &str| items.iter().find(|i| i.name == name).unwrap();
    assert_eq!(named("Close old ones").enabled, Some(false));
    assert_eq!(named("Shared step").summary, "called by other workflows");
    // An SLA's name, targets and conditions are on its versions.
    let sla = items.iter().find(|i| i.section == "sla").unwrap();
    assert_eq!(
        (sla.name.as_str(), sla.summary.as_str()),
        ("Standard", "All e-mail")
    );
    assert!(sla.detail.contains("firstResponse") && sla.detail.contains("conversation_channel"));
    let schedules = items.iter().filter(|i| i.section == "schedule");
    assert!(schedules.into_iter().any(|i| i.detail.contains("New Year")));
}

#[tokio::test]
async fn what_the_key_may_not_see_is_said_in_the_inventory() {
    let mut key = ApiKey::full();
    key.roles.retain(|role| !role.contains(".workflow."));
    let account = Account::without_discovery(Config {
        keys: vec![key],
        ..Account::config(30, Switches::default())
    });
    let items = Kustomer::inventory(&account.cx()).await.unwrap();
    let workflows: Vec<_> = items.iter().filter(|i| i.section == "workflow").collect();
    assert_eq!(workflows.len(), 1);
    assert_eq!(workflows[0].id, "unreadable");
    assert!(workflows[0].summary.contains("workflow.read"));
    assert!(items.iter().any(|i| i.section == "sla"));
}

/// An item as a person reads it.
fn read_aloud(item: &InventoryItem) -> String {
    let mut out = format!("{}/{}", item.section, item.name);
    if item.enabled == Some(false) {
        out.push_str(" (off)");
    }
    for line in &item.lines {
        let indent = "  ".repeat(usize::from(line.depth));
        out.push_str(&format!("\n{:?}: {indent}{}", line.part, line.words));
        if let Some(raw) = &line.raw {
            out.push_str(&format!("  ⟨{raw}⟩"));
        }
    }
    let name = |u: &Reference| format!("{} {:?}", u.kind.word(), u.name.as_deref());
    let uses: Vec<String> = item.uses.iter().map(name).collect();
    out.push_str(&format!("\nworks with: {}\n", uses.join(", ")));
    out
}

#[tokio::test]
async fn settings_are_put_into_words_and_what_has_none_is_shown_as_it_is() {
    let account = Account::new(Account::config(30, Switches::default())).await;
    let items = Kustomer::inventory(&account.cx()).await.unwrap();
    let mut all: Vec<String> = items.iter().map(read_aloud).collect();
    all.dedup();
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn nothing_secret_is_in_the_inventory() {
    let account = Account::new(Account::config(30, Switches::default())).await;
    let items = Kustomer::inventory(&account.cx()).await.unwrap();
    let hooks = items
        .iter()
        .filter(|item| item.section == "webhook" || item.section == "workflow");
    let mut shown = 0;
    for item in hooks {
        let mut text = read_aloud(item);
        assert!(!text.contains("hush-hush"), "{text}");
        text = item.detail.clone();
        for secret in ["hush-hush-0451", "hush-hush-0452", "hush-hush-0454"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        shown += 1;
    }
    assert!(shown > 3);
}
