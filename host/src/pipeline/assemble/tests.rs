use serde_json::json;

use super::super::fixtures::{
    EXTRACTION, agent, attachment, config, conversation, customer, field, message, object,
    reference, relationship, stage, store,
};
use super::*;
use crate::contract::destination::TargetField;
use crate::contract::types::Field;

fn survey() -> SurveyReport {
    SurveyReport {
        slots: vec![],
        agents: vec![],
        fields: vec![],
        allowances: vec![],
        notices: vec![],
        counts: vec![],
        support: None,
    }
}

fn assembler(store: &Store, rules: &str) -> Assembler {
    Assembler::new(
        store.clone(),
        config(rules),
        EXTRACTION,
        "a2",
        "r1",
        "old-desk",
        "o",
        &survey(),
    )
}

/// Two customers with a conversation, a note, an object and a link each; `ana` also writes in `bob`'s conversation.
async fn people() -> (tempfile::TempDir, Store) {
    let (dir, store) = store().await;
    let mut ana = customer("ana", &["Ana@Example.com"]);
    if let Entity::Customer(person) = &mut ana.data {
        person.merged_from = vec!["anna".into()];
    }
    let mut about = conversation("of-bob", "bob", json!("Open"));
    if let Entity::Conversation(c) = &mut about.data {
        c.message_count = Some(2);
    }
    let mut object_of_bob = object("order-of-bob", "bob");
    object_of_bob.head.fields = vec![Field {
        name: "friend".into(),
        value: Value::References(vec![
            serde_json::from_value(reference("Customer", "ana")).unwrap(),
            serde_json::from_value(reference("Customer", "bob")).unwrap(),
        ]),
        target: None,
    }];
    let records = [
        ana,
        customer("bob", &["bob@example.com"]),
        conversation("of-ana", "ana", json!("Open")),
        // The id that was merged away.
        conversation("of-anna", "anna", json!("Open")),
        message("m1", Some("of-ana"), "ana"),
        attachment("f1", reference("Message", "m1")),
        about,
        message("m2", Some("of-bob"), "ana"),
        attachment("f2", reference("Message", "m2")),
        message("m3", Some("of-bob"), "bob"),
        message("note", None, "ana"),
        attachment("f3", reference("Message", "note")),
        object("order-of-ana", "ana"),
        attachment("f4", reference("CustomObject", "order-of-ana")),
        object_of_bob,
        relationship(
            "r",
            reference("CustomObject", "order-of-bob"),
            reference("Customer", "ana"),
        ),
    ];
    stage(&store, &records).await;
    let alias = crate::sql!(
        "INSERT INTO aliases (extraction, kind, id, survivor) VALUES ($1, 'customer', 'anna', 'ana')",
        EXTRACTION
    );
    store.write(vec![alias]).await.unwrap();
    (dir, store)
}

/// Why a record is skipped, and the ids that go with it.
async fn skipped(assembler: &Assembler, kind: &str, id: &str) -> Option<(String, Vec<String>)> {
    match assembler.assemble(kind, id).await.unwrap().unwrap() {
        Assembled::Decided(record, ledger::Status::Skipped(why)) => Some((
            why,
            record.inside.into_iter().map(|(_, id, _)| id).collect(),
        )),
        Assembled::Decided(_, other) => panic!("{other:?}"),
        Assembled::Item(..) => None,
    }
}

#[tokio::test]
async fn what_hangs_on_a_person_who_is_left_out_is_left_out_with_them() {
    let (_dir, store) = people().await;
    // By address in any case, by id, and by the id of a record that was merged into theirs.
    for named in ["ana@example.COM", "ana", "anna"] {
        let assembler = assembler(&store, &format!("[filter]\nexclude_people = [\"{named}\"]"));
        let own = "named in [filter] exclude_people".to_owned();
        assert_eq!(
            skipped(&assembler, "customer", "ana").await,
            Some((own, vec![])),
            "{named}"
        );
        for (kind, id, inside) in [
            ("conversation", "of-ana", vec!["m1", "f1"]),
            ("conversation", "of-anna", vec![]),
            ("message", "note", vec!["f3"]),
            ("custom-object", "order-of-ana", vec!["f4"]),
        ] {
            let (why, with) = skipped(&assembler, kind, id).await.unwrap();
            assert_eq!(why, EXCLUDED_OWNER, "{named} {kind} {id}");
            assert_eq!(with, inside, "{named} {kind} {id}");
        }
        let (why, _) = skipped(&assembler, "relationship", "r").await.unwrap();
        assert_eq!(why, EXCLUDED_LINK);
        for (kind, id) in [
            ("customer", "bob"),
            ("conversation", "of-bob"),
            ("custom-object", "order-of-bob"),
        ] {
            assert_eq!(
                skipped(&assembler, kind, id).await,
                None,
                "{named} {kind} {id}"
            );
        }
    }
    let nobody = assembler(&store, "");
    for (kind, id) in [
        ("customer", "ana"),
        ("conversation", "of-ana"),
        ("message", "note"),
        ("custom-object", "order-of-ana"),
        ("relationship", "r"),
    ] {
        assert_eq!(skipped(&nobody, kind, id).await, None, "{kind} {id}");
    }
}

#[tokio::test]
async fn a_thread_of_somebody_else_goes_without_their_messages_and_says_so() {
    let (_dir, store) = people().await;
    let assembler = assembler(&store, "[filter]\nexclude_people = [\"ana\"]");
    let Some(Assembled::Item(item, record)) =
        assembler.assemble("conversation", "of-bob").await.unwrap()
    else {
        panic!("it is not written");
    };
    let ids: Vec<&str> = item
        .body
        .entries
        .iter()
        .map(|e| e.head.id.as_str())
        .collect();
    assert_eq!(ids, ["of-bob", "m3"]);
    assert_eq!(item.body.parts.len(), 1);
    let left: Vec<(&str, &str)> = record
        .left_out
        .iter()
        .map(|(kind, id, ..)| (kind.as_str(), id.as_str()))
        .collect();
    assert_eq!(left, [("message", "m2"), ("attachment", "f2")]);
    // They were read; that they are not here is said, and is no shortfall.
    assert_eq!(
        item.notes,
        ["1 messages of people whom the migration leaves out are not here."]
    );
}

#[tokio::test]
async fn a_link_to_somebody_who_is_left_out_stays_as_text_and_is_counted() {
    let (_dir, store) = people().await;
    // An earlier run took both along.
    for person in ["ana", "bob"] {
        let effect = crate::sql!(
            "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, unit, \
             digest, at_ms) VALUES ($1, 'a2', 'r0', 'customer', $2, 'main', 'user', $3, 'created', 'm', '{}', 1, 'd', 1)",
            store.new_id(),
            person,
            format!("user of {person}")
        );
        store.write(vec![effect]).await.unwrap();
    }
    let assembler = assembler(&store, "[filter]\nexclude_people = [\"ana\"]");
    let Some(Assembled::Item(item, record)) = assembler
        .assemble("custom-object", "order-of-bob")
        .await
        .unwrap()
    else {
        panic!("it is not written");
    };
    let Value::References(friends) = &item.body.entries[0].head.fields[0].value else {
        panic!("no references");
    };
    let targets: Vec<_> = friends
        .iter()
        .map(|f| (f.name.as_deref(), f.target.as_deref()))
        .collect();
    assert_eq!(
        targets,
        [
            (Some("name of ana"), None),
            (Some("name of bob"), Some("user of bob"))
        ]
    );
    let losses: Vec<_> = record
        .losses
        .iter()
        .map(|l| (l.field.as_str(), l.how))
        .collect();
    assert_eq!(losses, [("custom-object.customer", Fidelity::Converted)]);
}

#[tokio::test]
async fn a_record_that_a_link_in_a_text_leads_to_has_its_target_and_its_name() {
    let (_dir, store) = people().await;
    let effect = crate::sql!(
        "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, unit, \
         digest, at_ms) VALUES ($1, 'a2', 'r0', 'customer', 'bob', 'main', 'user', '42', 'created', 'm', '{}', 1, 'd', 1)",
        store.new_id()
    );
    store.write(vec![effect]).await.unwrap();
    let mut note = message("n1", None, "ana");
    let Entity::Message(said) = &mut note.data else {
        panic!("no message");
    };
    let to = Reference {
        kind: Kind::Customer,
        id: "bob".into(),
        target: None,
        name: None,
    };
    let url = "https://old.example/bob".into();
    said.links = vec![types::TextLink { url, to }];
    stage(&store, &[note]).await;
    let assembled = assembler(&store, "").assemble("message", "n1").await;
    let Assembled::Item(item, _) = assembled.unwrap().unwrap() else {
        panic!("it is not written");
    };
    let Entity::Message(said) = &item.body.entries[0].data else {
        panic!("no message");
    };
    let to = &said.links[0].to;
    assert_eq!(
        (to.target.as_deref(), to.name.as_deref()),
        (Some("42"), Some("name of bob"))
    );
}

#[tokio::test]
async fn an_agent_whom_the_user_paired_is_that_agent() {
    let (_dir, store) = store().await;
    stage(
        &store,
        &[agent("s1", "jo@old.example"), agent("s2", "al@old.example")],
    )
    .await;
    let there = TargetAgent {
        id: "17".into(),
        email: Some("jo@new.example".into()),
        name: "Jo".into(),
        active: true,
        note: None,
    };
    let assembler = Assembler {
        agents: vec![there],
        ..assembler(
            &store,
            "[people.agents]\n\"jo@old.example\" = \"jo@new.example\"",
        )
    };
    for (id, expected) in [("s1", Some("17")), ("s2", None)] {
        let Some(Assembled::Item(item, _)) = assembler.assemble("agent", id).await.unwrap() else {
            panic!("{id} is not written");
        };
        let existing = item.existing.as_ref().map(|agent| agent.target_id.as_str());
        assert_eq!(existing, expected, "{id}");
    }
}

#[tokio::test]
async fn a_field_that_is_not_wanted_is_not_made_and_its_values_are_losses() {
    let (_dir, store) = store().await;
    let value = |name: &str| Field {
        name: name.into(),
        value: Value::Text("x".into()),
        target: None,
    };
    let mut person = customer("p1", &[]);
    person.head.fields = vec![value("old"), value("kept")];
    let mut order = object("o1", "p1");
    order.head.fields = vec![value("old")];
    let records = [
        person,
        order,
        field("customer/old", "Customer", "Old", "Text", &[]),
        field("customer/kept", "Customer", "Kept", "Text", &[]),
    ];
    stage(&store, &records).await;
    let rules = "[map.fields]\n\"customer/old\" = false\n\"custom-object:order/old\" = false";
    let assembler = assembler(&store, rules);
    let skipped_field = skipped(&assembler, "field-definition", "customer/old").await;
    assert_eq!(skipped_field, Some((UNWANTED.to_owned(), vec![])));
    assert_eq!(
        skipped(&assembler, "field-definition", "customer/kept").await,
        None
    );
    for (kind, id, left) in [
        ("customer", "p1", vec!["kept"]),
        ("custom-object", "o1", vec![]),
    ] {
        let Some(Assembled::Item(item, record)) = assembler.assemble(kind, id).await.unwrap()
        else {
            panic!("{id} is not written");
        };
        let names: Vec<&str> = item.body.entries[0]
            .head
            .fields
            .iter()
            .map(|f| f.name.as_str())
            .collect();
        assert_eq!(names, left);
        let losses: Vec<_> = record
            .losses
            .iter()
            .map(|l| (l.field.as_str(), l.how, l.note.as_str()))
            .collect();
        assert_eq!(losses, [("fields.old", Fidelity::Lost, UNWANTED)]);
    }
}

#[tokio::test]
async fn a_field_that_goes_into_another_goes_by_its_name_and_keeps_its_id() {
    let (_dir, store) = store().await;
    stage(
        &store,
        &[
            field("customer/tier", "Customer", "Tier", "Choice", &["a"]),
            field("customer/size", "Customer", "Size", "Text", &[]),
        ],
    )
    .await;
    let there = |name: &str, label: &str, field_type| TargetField {
        kind: Kind::Customer,
        object_type: None,
        address: format!("f:{name}"),
        name: name.into(),
        label: label.into(),
        field_type,
        required: false,
        options: vec![],
    };
    let assembler = Assembler {
        fields: Targets::new(&[
            there("vip", "VIP level", types::FieldType::Choice),
            there("shoe_size", "SIZE", types::FieldType::Text),
        ]),
        ..assembler(&store, "[map.fields]\n\"customer/tier\" = \"vip\"")
    };
    for (id, name, label) in [
        ("customer/tier", "vip", "VIP level"),
        // By nothing but its name.
        ("customer/size", "shoe_size", "SIZE"),
    ] {
        let Some(Assembled::Item(item, record)) =
            assembler.assemble("field-definition", id).await.unwrap()
        else {
            panic!("{id} is not written");
        };
        let entry = &item.body.entries[0];
        let Entity::FieldDefinition(field) = &entry.data else {
            panic!("no field");
        };
        assert_eq!((field.name.as_str(), field.label.as_str()), (name, label));
        assert_eq!((entry.head.id.as_str(), record.id.as_str()), (id, id));
    }
}

/// A conversation that began at a time.
fn begun(id: &str, at: i64, status: &str) -> Entry {
    let mut entry = conversation(id, "ana", json!(status));
    entry.head.created_at = Some(at);
    entry
}

/// What a pass takes of a kind, chunk by chunk of two, from a place to its end.
async fn pass(assembler: &Assembler, kind: &str, place: &mut Place) -> Vec<Vec<String>> {
    let mut chunks = vec![];
    loop {
        let rows = assembler.open(kind, place, 2).await.unwrap();
        if rows.is_empty() {
            return chunks;
        }
        chunks.push(rows.into_iter().map(|row| row.entry.head.id).collect());
    }
}

#[tokio::test]
async fn open_conversations_go_before_closed_ones_where_the_user_says_so_the_newest_of_each_first()
{
    let (_dir, store) = store().await;
    let records = [
        begun("closed-5", 5, "Closed"),
        begun("open-1", 1, "Open"),
        begun("closed-3", 3, "Closed"),
        begun("held-4", 4, "Snoozed"),
        begun("open-2", 2, "Open"),
        customer("ana", &[]),
        customer("bob", &[]),
        customer("eve", &[]),
    ];
    stage(&store, &records).await;
    let open_first = assembler(&store, "[load]\norder = \"open-first\"");
    // A chunk holds no closed conversation beside one that is open.
    assert_eq!(
        pass(&open_first, "conversation", &mut Place::default()).await,
        [
            vec!["held-4", "open-2"],
            vec!["open-1"],
            vec!["closed-5", "closed-3"]
        ]
    );
    let newest_first = assembler(&store, "");
    assert_eq!(
        pass(&newest_first, "conversation", &mut Place::default()).await,
        [
            vec!["closed-5", "held-4"],
            vec!["closed-3", "open-2"],
            vec!["open-1"]
        ]
    );
    let oldest_first = assembler(&store, "[load]\norder = \"oldest-first\"");
    assert_eq!(
        pass(&oldest_first, "conversation", &mut Place::default()).await,
        [
            vec!["open-1", "open-2"],
            vec!["closed-3", "held-4"],
            vec!["closed-5"]
        ]
    );
    for each in [open_first, newest_first] {
        let customers = pass(&each, "customer", &mut Place::default()).await;
        assert_eq!(customers, [vec!["eve", "bob"], vec!["ana"]]);
    }
}

#[tokio::test]
async fn a_pass_goes_on_behind_what_it_took_and_another_takes_what_is_left() {
    for order in ["newest-first", "open-first"] {
        let (_dir, store) = store().await;
        // Many records of one moment: the id goes on where the time does not.
        let ids: Vec<String> = (0..7).map(|n| format!("c{n}")).collect();
        let records: Vec<Entry> = ids.iter().map(|id| begun(id, 9, "Closed")).collect();
        stage(&store, &records).await;
        let assembler = assembler(&store, &format!("[load]\norder = \"{order}\""));
        let mut place = Place::default();
        let first = assembler.open("conversation", &mut place, 3).await.unwrap();
        let first: Vec<&str> = first.iter().map(|row| row.entry.head.id.as_str()).collect();
        assert_eq!(first, ["c6", "c5", "c4"], "{order}");

        // The process ends here: one has its outcome, one is in a unit that was begun, one was only looked at.
        let outcome = crate::sql!(
            "INSERT INTO outcomes (account, run, kind, source_id, status, hash, at_ms) \
             VALUES ('a2', 'r1', 'conversation', 'c6', 'created', 'h', 1)"
        );
        let unit = crate::sql!(
            "INSERT INTO unit_items (unit, run, kind, source_id) VALUES (1, 'r1', 'conversation', 'c5')"
        );
        // Another run's outcome is none of this one's.
        let other = crate::sql!(
            "INSERT INTO outcomes (account, run, kind, source_id, status, hash, at_ms) \
             VALUES ('a2', 'r0', 'conversation', 'c2', 'created', 'h', 1)"
        );
        store.write(vec![outcome, unit, other]).await.unwrap();
        // Meanwhile something came that belongs in front of all this.
        stage(&store, &[begun("newer", 10, "Closed")]).await;

        let rest = pass(&assembler, "conversation", &mut place).await;
        assert_eq!(rest, [vec!["c3", "c2"], vec!["c1", "c0"]], "{order}");
        let resumed = pass(&assembler, "conversation", &mut Place::default()).await;
        assert_eq!(
            resumed,
            [vec!["newer", "c4"], vec!["c3", "c2"], vec!["c1", "c0"]],
            "{order}"
        );
    }
}
