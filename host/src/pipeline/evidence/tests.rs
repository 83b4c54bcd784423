use serde_json::json;

use super::super::fixtures::{
    self, EXTRACTION, agent, attachment, config, conversation, customer, field, message, named,
    reference, stage,
};
use super::*;
use crate::contract::destination::{Allowance, TargetField};
use crate::sql;

/// What is found in these records by these rules.
async fn found(rules: &str, survey: &SurveyReport, entries: &[Entry]) -> Seen {
    let (_dir, store) = fixtures::store().await;
    stage(&store, entries).await;
    // All of these kinds are read.
    for kind in ["company", "customer", "conversation"] {
        let read = sql!(
            "INSERT INTO kinds_read (extraction, kind, pass) VALUES ($1, $2, 0)",
            EXTRACTION,
            kind
        );
        store.write(vec![read]).await.unwrap();
    }
    let config = config(rules);
    let question = Question {
        config: &config,
        survey,
        schema: entries,
        inexact: &[
            (Kind::Conversation, "snooze-until".to_owned()),
            (Kind::Conversation, "conversation.assignees".to_owned()),
            (Kind::Conversation, "*".to_owned()),
            (Kind::Message, "text".to_owned()),
        ],
        limits: &[TextLimit {
            kind: Kind::Conversation,
            field: "conversation.subject".to_owned(),
            characters: 20,
        }],
        foreign_host: &|link| {
            link.contains("elsewhere")
                .then(|| "elsewhere.example".to_owned())
        },
        destination: "new",
        source: "old",
    };
    look(&store, EXTRACTION, &question).await.unwrap()
}

fn shown(seen: &Seen) -> Evidence {
    seen.evidence(|_, _| None)
}

fn flag<'a>(evidence: &'a Evidence, code: &str) -> &'a Flag {
    let found = evidence.flags.iter().find(|flag| flag.code == code);
    found.unwrap_or_else(|| panic!("no {code} in {:?}", evidence.flags))
}

#[tokio::test]
async fn a_record_with_an_address_that_is_none_is_foreseen_with_its_id_and_the_address() {
    let people = [
        customer("p1", &["jo@acme.example", "not an address"]),
        customer("p2", &["müller@bücher.example"]),
        customer("p3", &["@acme.example"]),
    ];
    let evidence = shown(&found("", &fixtures::survey(), &people).await);
    assert_eq!(evidence.foreseen.len(), 1, "{:?}", evidence.foreseen);
    let one = &evidence.foreseen[0];
    assert_eq!(
        (one.kind.as_str(), one.field.as_str(), one.records, one.sure),
        ("customer", "addresses.email", 2, false)
    );
    let examples: Vec<_> = one
        .examples
        .iter()
        .map(|e| (e.id.as_str(), e.value.as_deref()))
        .collect();
    assert_eq!(
        examples,
        [
            ("p1", Some("not an address")),
            ("p3", Some("@acme.example"))
        ]
    );
}

#[tokio::test]
async fn two_people_with_one_address_and_a_customer_with_an_agents_are_named() {
    let people = [
        agent("a1", "Ana@acme.example"),
        customer("p1", &["jo@acme.example"]),
        customer("p2", &["JO@acme.example "]),
        customer("p3", &["ana@acme.example"]),
        customer("p4", &["al@acme.example"]),
    ];
    let evidence = shown(&found("", &fixtures::survey(), &people).await);
    let twins = flag(&evidence, "same-person");
    let ids: Vec<&str> = twins.examples.iter().map(|e| e.id.as_str()).collect();
    assert_eq!((twins.records, ids), (2, vec!["p1", "p2"]));
    let agent = flag(&evidence, "agent-as-customer");
    assert_eq!((agent.records, agent.examples[0].id.as_str()), (1, "p3"));
}

#[tokio::test]
async fn a_text_that_is_longer_than_the_destination_takes_is_named_by_its_length_and_not_by_its_words()
 {
    let subject = |id: &str, subject: &str| {
        let mut entry = conversation(id, "p1", json!("Open"));
        if let Entity::Conversation(conversation) = &mut entry.data {
            conversation.subject = Some(subject.to_owned());
        }
        entry
    };
    let entries = [
        subject("c1", &"ä".repeat(20)),
        subject("c2", &"ä".repeat(21)),
    ];
    let evidence = shown(&found("", &fixtures::survey(), &entries).await);
    let long = flag(&evidence, "text-too-long");
    assert_eq!(
        (long.subject.as_str(), long.records),
        ("conversation.subject", 1)
    );
    assert_eq!(long.message, "longer than the 20 characters that new takes");
    let one = &long.examples[0];
    assert_eq!(
        (one.id.as_str(), one.value.as_deref()),
        ("c2", Some("21 characters"))
    );
}

#[tokio::test]
async fn a_field_that_is_required_there_and_has_no_value_is_foreseen() {
    let mut with = conversation("c1", "p1", json!("Open"));
    with.head.fields =
        vec![serde_json::from_value(json!({"name": "reason", "value": {"Text": "late"}})).unwrap()];
    let without = conversation("c2", "p1", json!("Open"));
    let entries = [
        customer("p1", &[]),
        field("conversation/reason", "Conversation", "Reason", "Text", &[]),
        with,
        without,
    ];
    let there = |label: &str| TargetField {
        kind: Kind::Conversation,
        object_type: None,
        address: format!("f:{label}"),
        name: label.to_lowercase(),
        label: label.into(),
        field_type: FieldType::Text,
        required: true,
        options: vec![],
    };
    let survey = SurveyReport {
        fields: vec![there("Reason"), there("Region")],
        ..fixtures::survey()
    };
    let evidence = shown(&found("", &survey, &entries).await);
    let said: Vec<_> = evidence
        .foreseen
        .iter()
        .map(|one| (one.field.as_str(), one.records, one.cause.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (
                "Region",
                2,
                "\"Region\" is required at new, and nothing goes into it"
            ),
            (
                "Reason",
                1,
                "\"Reason\" is required at new, and it has no value"
            ),
        ]
    );
}

#[tokio::test]
async fn what_a_rule_leaves_out_is_not_looked_at_and_what_hangs_on_it_neither() {
    let mut spam = conversation("c1", "p1", json!("Open"));
    if let Entity::Conversation(conversation) = &mut spam.data {
        conversation.spam = true;
    }
    let entries = [
        customer("p1", &["nothing"]),
        customer("p2", &["jo@acme.example"]),
        spam,
        conversation("c2", "p2", json!("Open")),
        message("m1", Some("c1"), "p1"),
        message("m2", Some("c2"), "p2"),
        attachment("f1", reference("Message", "m1")),
        attachment("f2", reference("Message", "m2")),
    ];
    let seen = found(
        "[filter]\nexclude_people = [\"p1\"]",
        &fixtures::survey(),
        &entries,
    )
    .await;
    let skipped: Vec<_> = seen.skipped.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    assert_eq!(
        skipped,
        [
            ("attachment", 1),
            ("conversation", 1),
            ("customer", 1),
            ("message", 1)
        ]
    );
    let evidence = shown(&seen);
    assert!(evidence.foreseen.iter().all(|one| one.kind != "customer"));
    // The file that is left cannot be had.
    assert_eq!(seen.rejected.get("attachment"), Some(&1));
    let all = found("[filter]\nspam = true", &fixtures::survey(), &entries).await;
    assert_eq!(all.skipped.len(), 0, "{:?}", all.skipped);
}

#[tokio::test]
async fn filters_by_state_team_and_brand_go_by_name_or_id() {
    let in_team = |id: &str, team: &str, brand: &str, status: &str| {
        let mut one = conversation(id, "p1", json!(status));
        if let Entity::Conversation(c) = &mut one.data {
            let to = |kind: &str, id: &str| serde_json::from_value(reference(kind, id)).unwrap();
            c.teams = vec![to("Team", team)];
            c.brand = Some(to("Brand", brand));
        }
        one
    };
    let entries = [
        named("Team", "t1", "Support"),
        named("Team", "t2", "Sales"),
        named("Brand", "b1", "Acme"),
        customer("p1", &[]),
        in_team("c1", "t1", "b1", "Open"),
        in_team("c2", "t2", "b1", "Closed"),
        in_team("c3", "t1", "b2", "Closed"),
    ];
    for (rules, left) in [
        ("teams = [\"Support\"]", 2),
        ("teams = [\"t2\"]", 1),
        ("brands = [\"Acme\"]", 2),
        ("statuses = [\"closed\"]", 2),
        ("teams = [\"Support\"]\nstatuses = [\"closed\"]", 1),
    ] {
        let seen = found(&format!("[filter]\n{rules}"), &fixtures::survey(), &entries).await;
        let skipped = seen.skipped.get("conversation").copied().unwrap_or(0);
        assert_eq!(3 - skipped, left, "{rules}");
    }
}

#[tokio::test]
async fn a_field_that_does_not_arrive_exactly_has_a_count_and_examples_but_no_text_of_messages() {
    let mut snoozed = conversation("c1", "p1", json!("Snoozed"));
    if let Entity::Conversation(conversation) = &mut snoozed.data {
        conversation.snooze_until = Some(1_700_000_000_000);
    }
    let mut said = message("m1", Some("c1"), "p1");
    if let Entity::Message(message) = &mut said.data {
        message.text = Some(Text::Inline("a secret".into()));
    }
    let entries = [
        customer("p1", &[]),
        snoozed,
        conversation("c2", "p1", json!("Open")),
        said,
    ];
    let seen = found("", &fixtures::survey(), &entries).await;
    let snoozed = seen.present("conversation", "snooze-until").unwrap();
    assert_eq!(snoozed.records, 1);
    assert_eq!(snoozed.examples[0].value.as_deref(), Some("1700000000000"));
    let text = seen.present("message", "text").unwrap();
    assert_eq!((text.records, &text.examples[0].value), (1, &None));
    assert_eq!(
        seen.present("conversation", "conversation.assignees")
            .unwrap()
            .records,
        0
    );
    // What stands for the rest of a kind cannot be counted, and what was not read is not known.
    assert_eq!(seen.present("conversation", "*"), None);
    assert_eq!(seen.present("article", "versions"), None);
}

#[tokio::test]
async fn files_that_cannot_be_had_or_are_too_large_are_known_before() {
    let mut far = attachment("f1", reference("Message", "m1"));
    let mut large = attachment("f2", reference("Message", "m1"));
    for (file, state, size) in [
        (
            &mut far,
            AttachmentState::External("https://elsewhere.example/a".into()),
            None,
        ),
        (&mut large, AttachmentState::Available, Some(2_000)),
    ] {
        if let Entity::Attachment(file) = &mut file.data {
            (file.state, file.size) = (state, size);
        }
    }
    let survey = SurveyReport {
        allowances: vec![Allowance {
            name: "file-bytes".into(),
            used: None,
            limit: Some(1_000),
        }],
        ..fixtures::survey()
    };
    let evidence = shown(&found("", &survey, &[far, large]).await);
    assert_eq!(evidence.foreseen.len(), 1, "{:?}", evidence.foreseen);
    assert!(
        evidence.foreseen[0].sure
            && evidence.foreseen[0]
                .remedy
                .contains("\"elsewhere.example\" to allow_hosts of [connections.old]"),
        "{:?}",
        evidence.foreseen
    );
    assert_eq!(flag(&evidence, "file-too-large").examples[0].id, "f2");
    assert_eq!(
        (
            evidence.files.count,
            evidence.files.bytes,
            evidence.files.unknown_size
        ),
        (2, 2_000, 1)
    );
}

#[tokio::test]
async fn values_that_do_not_fit_their_field_are_named() {
    let mut person = customer("p1", &[]);
    let value = |name: &str, value: Json| {
        serde_json::from_value(json!({"name": name, "value": value})).unwrap()
    };
    person.head.fields = vec![
        value("tier", json!({"Choice": "tin"})),
        value("age", json!({"Json": "{\"a\":1}"})),
        value("extra", json!({"Json": "[1]"})),
    ];
    let entries = [
        field("customer/tier", "Customer", "Tier", "Choice", &["gold"]),
        field("customer/age", "Customer", "Age", "Integer", &[]),
        field("customer/extra", "Customer", "Extra", "Json", &[]),
        field("customer/none", "Customer", "None", "Text", &[]),
        person,
    ];
    let seen = found("", &fixtures::survey(), &entries).await;
    let evidence = shown(&seen);
    assert_eq!(flag(&evidence, "choice-unknown").subject, "customer/tier");
    assert_eq!(flag(&evidence, "value-form").subject, "customer/age");
    assert_eq!(flag(&evidence, "nested-value").subject, "customer/extra");
    assert!(seen.unused("customer/none") && !seen.unused("customer/tier"));
    // Nobody has read articles.
    assert!(!seen.unused("article/none"));
}

#[tokio::test]
async fn the_same_records_are_found_the_same_in_whatever_order_they_came() {
    let mut entries: Vec<Entry> = (0..40)
        .map(|n| customer(&format!("p{n:02}"), &["same@acme.example", "no address"]))
        .collect();
    let first = found("", &fixtures::survey(), &entries).await;
    entries.reverse();
    assert_eq!(found("", &fixtures::survey(), &entries).await, first);
}

#[tokio::test]
async fn a_channel_without_a_word_there_and_a_tag_that_nothing_carries_are_for_somebody_to_look_at()
{
    let mut one = conversation("c1", "p1", json!("Open"));
    if let Entity::Conversation(c) = &mut one.data {
        c.channels = vec!["email".into(), "carrier-pigeon".into()];
        c.tags = vec![serde_json::from_value(reference("Tag", "g1")).unwrap()];
    }
    let entries = [
        customer("p1", &[]),
        named("Tag", "g1", "used"),
        named("Tag", "g2", "unused"),
        one,
    ];
    let survey = SurveyReport {
        slots: vec![Slot {
            kind: Kind::Conversation,
            name: "channel".into(),
            values: vec![],
            defaults: vec![("email".into(), "mail".into())],
            fallback: Some("api".into()),
        }],
        ..fixtures::survey()
    };
    let evidence = shown(&found("", &survey, &entries).await);
    let channel = flag(&evidence, "channel");
    assert_eq!(
        (
            channel.subject.as_str(),
            channel.message.as_str(),
            channel.records
        ),
        (
            "carrier-pigeon",
            "no channel of its own there: arrives as \"api\"",
            1
        )
    );
    let tags = flag(&evidence, "tag-unused");
    assert_eq!(
        (tags.records, tags.examples[0].value.as_deref()),
        (1, Some("unused"))
    );
    let rules = "[filter]\nexclude_tags = [\"UN*\"]\n[map.conversation.channel]\ncarrier-pigeon = \"letter\"";
    let evidence = shown(&found(rules, &survey, &entries).await);
    assert!(
        evidence
            .flags
            .iter()
            .all(|flag| !["channel", "tag-unused"].contains(&flag.code.as_str())),
        "{:?}",
        evidence.flags
    );
}
