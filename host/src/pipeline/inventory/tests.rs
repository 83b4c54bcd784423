use super::super::fixtures::{EXTRACTION, conversation, run, stage, surroundings};
use super::*;
use crate::contract::description::Rebuild;
use crate::contract::types::{Entity, InventoryCategory, Kind, Reference};

fn item(
    category: InventoryCategory,
    section: &str,
    id: &str,
    uses: Vec<Reference>,
) -> InventoryItem {
    InventoryItem {
        category,
        section: section.into(),
        id: id.into(),
        name: format!("{section} {id}"),
        summary: "s".into(),
        enabled: Some(false),
        lines: vec![],
        uses,
        detail: r#"{"b":1,"a":[2.50]}"#.into(),
    }
}

fn refer(kind: Kind, id: &str) -> Reference {
    Reference {
        kind,
        id: id.into(),
        target: None,
        name: None,
    }
}

#[test]
fn details_are_json_where_they_are_json_and_nothing_of_them_is_lost() {
    let first = item(InventoryCategory::Workflow, "workflow", "1", vec![]);
    let second = InventoryItem {
        detail: "{broken".into(),
        ..first.clone()
    };
    assert_eq!(thing(&first).detail.to_string(), r#"{"b":1,"a":[2.5]}"#);
    assert_eq!(thing(&second).detail, "{broken");
}

#[test]
fn what_a_thing_works_with_says_so_of_it() {
    let section = |word: &str| Kind::Other(word.into());
    let mut things: Vec<InventoryThing> = [
        item(InventoryCategory::Queue, "queue", "q", vec![]),
        item(
            InventoryCategory::Routing,
            "rule",
            "r",
            vec![refer(section("queue"), "q")],
        ),
        item(
            InventoryCategory::Workflow,
            "workflow",
            "w",
            vec![refer(section("queue"), "q")],
        ),
        // Another section may have the same id.
        item(InventoryCategory::Snooze, "snooze", "q", vec![]),
    ]
    .iter()
    .map(thing)
    .collect();
    turn_around(&mut things);
    let by = |at: usize| {
        let used_by = things[at].used_by.iter();
        used_by.map(|used| used.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(by(0), ["r", "w"]);
    assert!(by(1).is_empty() && by(3).is_empty());
}

#[test]
fn things_stand_by_their_sort_in_the_order_of_rebuilding_with_the_destinations_feature() {
    let items = [
        item(
            InventoryCategory::Other("shift".into()),
            "shift",
            "1",
            vec![],
        ),
        item(InventoryCategory::Workflow, "workflow", "2", vec![]),
        item(InventoryCategory::Queue, "queue", "3", vec![]),
        item(InventoryCategory::Snooze, "snooze", "4", vec![]),
    ];
    let mut description = crate::config::tests::description("acme-desk");
    description.rebuilds = vec![
        Rebuild {
            category: InventoryCategory::Queue,
            feature: Some("Groups".into()),
            note: None,
        },
        Rebuild {
            category: InventoryCategory::Snooze,
            feature: None,
            note: Some("a status".into()),
        },
    ];
    let groups = groups(items.iter().map(thing).collect(), &description);
    let said: Vec<_> = groups
        .iter()
        .map(|group| {
            (
                group.category.as_str(),
                group.feature.as_deref(),
                group.note.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("queue", Some("Groups"), None),
            ("workflow", None, None),
            ("snooze", None, Some("a status")),
            ("shift", None, None),
        ]
    );
}

#[tokio::test]
async fn records_that_are_with_a_thing_are_counted_and_what_it_works_with_has_its_name() {
    let (_dir, around) = surroundings("r1").await;
    run(&around.store, "r1", "running").await;
    let in_queue = |id: &str, queue: &str| {
        let mut entry = conversation(id, "bob", "Open".into());
        if let Entity::Conversation(conversation) = &mut entry.data {
            conversation.queue = Some(refer(Kind::Other("queue".into()), queue));
        }
        entry
    };
    let mut named = conversation("c3", "bob", "Open".into());
    if let Entity::Conversation(conversation) = &mut named.data {
        conversation.subject = Some("A subject".into());
    }
    stage(
        &around.store,
        &[in_queue("c1", "q"), in_queue("c2", "q"), named],
    )
    .await;
    let join = Join {
        store: &around.store,
        extraction: Some(EXTRACTION),
        account: Some(&around.account),
    };
    let mut things = vec![
        thing(&item(InventoryCategory::Queue, "queue", "q", vec![])),
        thing(&item(InventoryCategory::Queue, "queue", "empty", vec![])),
        thing(&item(
            InventoryCategory::Routing,
            "rule",
            "r",
            vec![refer(Kind::Conversation, "c3"), refer(Kind::Tag, "gone")],
        )),
    ];
    join.name(&mut things).await.unwrap();
    join.count(&mut things).await.unwrap();
    assert_eq!(
        things[0].records,
        BTreeMap::from([("conversation".to_owned(), 2)])
    );
    assert!(things[1].records.is_empty());
    let uses = &things[2].uses;
    assert_eq!(uses[0].name.as_deref(), Some("A subject"));
    assert_eq!(
        (uses[1].name.as_deref(), uses[1].target.as_deref()),
        (None, None)
    );
}
