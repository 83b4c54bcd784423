//! Kustomer's documented examples (Kustomer facts §9), and the odd ones that real accounts hold, in the contract's words.

use serde_json::{Value, json};
use transload_plugin_kustomer::api::{Answer, Resource};
use transload_plugin_kustomer::map::{self, Bodies, Body, Known};
use transload_plugin_kustomer::schema;
use transload_sdk::types::{
    Author, BodySource, DeliveryStatus, Entity, Entry, Kind, Message, Reference, Text,
    Value as Field, Visibility,
};

fn resource(value: Value) -> Resource {
    // By text, as it comes: attributes keep their digits only so.
    text_resource(&json!({ "data": value }).to_string())
}

fn text_resource(text: &str) -> Resource {
    serde_json::from_str::<Answer>(text)
        .unwrap()
        .data
        .0
        .remove(0)
}

fn message_of(entries: &[Entry]) -> Message {
    let Entity::Message(message) = &entries[0].data else {
        panic!("{entries:?}")
    };
    message.clone()
}

fn mapped(value: Value) -> (Entry, Message) {
    let entries = map::message(&Known::default(), resource(value), None, Bodies::Absent);
    (entries[0].clone(), message_of(&entries))
}

#[test]
fn the_documented_customer() {
    let text = r#"{"data":{"type":"customer","id":"66f0aa10c1d2e300127b0001","attributes":{"name":"Ana Ruiz","displayName":"Ana Ruiz",
    "displayColor":"teal","externalId":"crm-10427","externalIds":[{"externalId":"crm-10427","verified":true}],
    "emails":[{"type":"home","email":"ana@example.com","verified":false}],"sharedEmails":[{"email":"family@example.com"}],
    "phones":[{"type":"mobile","phone":"+15555550123","verified":false}],"facebookIds":[],
    "locations":[{"type":"home","address":"1 Main St","countryCode":"US","latitude":40.71280000,"areaCode":"212"}],
    "watchers":[],"locale":"en_us","timeZone":null,"createdAt":"2024-03-14T15:43:07.841Z","updatedAt":"2026-10-21T15:00:02.130Z",
    "importedAt":null,"conversationCounts":{"all":5,"open":1,"snoozed":0,"done":4},"tags":["5822a4a5aa5f92110005d696"],
    "verified":true,"deleted":false,"rev":37,"custom":{"loyaltyTierStr":"gold","lifetimeValueNum":1840.50}},
    "relationships":{"company":{"data":{"type":"company","id":"58224b3eaa5f92110005d61e"}}},
    "links":{"self":"/v1/customers/66f0aa10c1d2e300127b0001"}}}"#;
    let known = Known {
        site: Some("https://acme.kustomerapp.com".to_owned()),
        ..Known::default()
    };
    insta::assert_json_snapshot!(map::customer(&known, text_resource(text)));
}

#[test]
fn the_documented_conversation() {
    let text = r#"{"data":{"type":"conversation","id":"6717c2b1e5b1f00012ab3511","attributes":{"name":"Where is my order?",
    "preview":"Where is it?","channels":["email"],"status":"snoozed","snooze":{"status":"scheduled","time":"2026-11-01T08:00:00.000Z"},
    "messageCount":2,"noteCount":1,"satisfaction":0,"createdAt":"2026-10-21T14:02:11.925Z","updatedAt":"2026-10-21T15:00:02.118Z",
    "lastActivityAt":"2026-10-21T15:00:02.118Z","spam":false,"ended":false,"tags":["5822a4a5aa5f92110005d698"],
    "assignedUsers":["58190b991f2932100010d683"],"assignedTeams":["5cb3a1b7c9e77c0013e5f2d1"],"direction":"in","priority":3,
    "defaultLang":"en_us","custom":{"orderNumberStr":"4417"},"rev":9,
    "satisfactionLevel":{"form":"f1","status":"commented","score":1,"rating":4.0,"channel":"email","sentAt":"2026-10-21T15:00:00.000Z",
    "sentBy":"u9","answers":[{"question":"Why?","answer":"Fast"},"bare"]},
    "sla":{"name":"Standard","status":"done","breached":true,"breach":{"metric":"firstResponse","at":"2026-10-21T15:00:00.000Z"}}},
    "relationships":{"customer":{"data":{"type":"customer","id":"66f0aa10c1d2e300127b0001"}},
    "brand":{"data":{"type":"brand","id":"5daf7921124be4f2960cb196"}},"queue":{"data":{"type":"queue","id":"q1"}},
    "subStatus":{"data":{"type":"sub_status","id":"s1"}}}}}"#;
    let known = Known {
        site: Some("https://acme.kustomerapp.com".to_owned()),
        ..Known::default()
    };
    insta::assert_json_snapshot!(map::conversation(&known, text_resource(text)));
}

#[test]
fn the_documented_message_and_note() {
    let message = json!({"type":"message","id":"6717c2b1e5b1f00012ab3512","attributes":{"externalId":"<CAD@mail.example.com>",
        "channel":"email","app":"postmark","size":27,"direction":"in","directionType":"initial-in","preview":"Hi, where is my order 4417?",
        "subject":"Where is my order?","meta":{"from":"ana@example.com","to":[{"email":"support@acme.example"}],"cc":[],
        "recipient":{"email":"support@acme.example","mailboxHash":""},"subject":"Where is my order?"},"status":"received",
        "auto":false,"sentAt":"2026-10-21T14:02:10.000Z","createdAt":"2026-10-21T14:02:11.000Z",
        "updatedAt":"2026-10-21T14:02:11.400Z","redacted":false,"rev":1,"reactions":[]},
        "relationships":{"customer":{"data":{"type":"customers","id":"66f0aa10c1d2e300127b0001"}},
        "conversation":{"data":{"type":"conversation","id":"6717c2b1e5b1f00012ab3511"}},
        "attachments":{"data":[{"type":"attachment","id":"6717c2b1e5b1f00012ab3513"}]}},
        "links":{"self":"/v1/messages/6717c2b1e5b1f00012ab3512","related":"/v1/postmark/messages/6717c2b1e5b1f00012ab3512"}});
    insta::assert_json_snapshot!(
        "message",
        map::message(&Known::default(), resource(message), None, Bodies::Absent)
    );
    let note = json!({"type":"note","id":"6717c2b1e5b1f00012ab3520","attributes":{"body":"Asked __Dana__ to check stock.",
        "createdAt":"2026-10-21T14:30:00.000Z","updatedAt":"2026-10-21T14:30:00.000Z","createdByTeams":["5cb3a1b7c9e77c0013e5f2d1"]},
        "relationships":{"customer":{"data":{"type":"customer","id":"66f0aa10c1d2e300127b0001"}},
        "createdBy":{"data":{"type":"user","id":"58190b991f2932100010d683"}},
        "userMentions":{"data":[{"type":"user","id":"57c8ccd7b417854d0003246b"}]}}});
    insta::assert_json_snapshot!("note", map::note(&Known::default(), resource(note)));
}

#[test]
fn recipients_in_each_of_their_shapes_arrive() {
    for (to, want) in [
        (
            json!([{"email":"a@x"},{"email":"b@x","name":"Bé, \"Q\""}]),
            vec!["a@x", "Bé, \"Q\" <b@x>"],
        ),
        (json!({"email":"a@x"}), vec!["a@x"]),
        (json!("a@x"), vec!["a@x"]),
        (json!([]), vec![]),
        (json!(["a@x", "b@x"]), vec!["a@x", "b@x"]),
    ] {
        let (_, message) = mapped(
            json!({"id":"m","attributes":{"channel":"email","meta":{"to":to,"cc":to,"bcc":to}}}),
        );
        assert_eq!(
            (message.to, message.cc, message.bcc),
            (own(&want), own(&want), own(&want))
        );
    }
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn a_preview_at_the_cap_is_a_loss_of_its_message_and_a_whole_one_is_not() {
    let of = |preview: &str, size: u64| {
        mapped(json!({"id":"m","attributes":{"channel":"email","preview":preview,"size":size}}))
    };
    for (preview, size, cut) in [
        ("é".repeat(10_240), 99_999, true),
        ("é".repeat(10_240), 0, true),
        ("é".repeat(10_240), 20_480, false),
        ("👍".repeat(5_120), 99_999, true),
        ("a".repeat(10_239), 10_239, false),
        ("short".to_owned(), 99_999, false),
    ] {
        let (entry, message) = of(&preview, size);
        assert_eq!(
            message.body_source == BodySource::Truncated,
            cut,
            "{} chars, size {size}",
            preview.chars().count()
        );
        assert_eq!(
            entry.head.losses.iter().any(|l| l.field == "message.text"),
            cut
        );
        assert_eq!(message.text, Some(Text::Inline(preview)));
    }
}

#[test]
fn text_arrives_byte_for_byte() {
    let odd = "a\r\nb\n\u{200b}\u{202e}e\u{301} é \u{feff}👩‍👩‍👧\t \u{0} end  ";
    let (_, message) =
        mapped(json!({"id":"m","attributes":{"channel":"chat","preview":odd,"subject":odd}}));
    assert_eq!(
        (message.text, message.subject.as_deref()),
        (Some(Text::Inline(odd.to_owned())), Some(odd))
    );
    let note = map::note(
        &Known::default(),
        resource(json!({"id":"n","attributes":{"body":odd}})),
    );
    assert_eq!(message_of(&note).text, Some(Text::Inline(odd.to_owned())));
}

#[test]
fn a_body_that_was_found_is_the_whole_message() {
    let found =
        map::body_of(&json!({"data":{"attributes":{"body":"whole","htmlBody":"<p>whole</p>"}}}));
    assert_eq!(
        found,
        Body {
            text: Some("whole".to_owned()),
            html: Some("<p>whole</p>".to_owned())
        }
    );
    let r = resource(json!({"id":"m","attributes":{"channel":"email","preview":"wh"}}));
    let entries = map::message(&Known::default(), r, Some(found), Bodies::Html);
    let message = message_of(&entries);
    assert_eq!(
        (message.body_source, message.html),
        (
            BodySource::Full,
            Some(Text::Inline("<p>whole</p>".to_owned()))
        )
    );
    assert_eq!(message.text, Some(Text::Inline("whole".to_owned())));
    assert!(entries[0].head.losses.is_empty());
    let r = resource(json!({"id":"m","attributes":{"channel":"email","preview":"wh"}}));
    let left = map::message(&Known::default(), r, None, Bodies::Html);
    assert!(
        left[0]
            .head
            .losses
            .iter()
            .any(|l| l.field == "message.html"),
        "HTML that is there and was not read is a loss"
    );
}

#[test]
fn what_is_redacted_stays_redacted() {
    let (_, message) = mapped(
        json!({"id":"m","attributes":{"channel":"email","preview":"","redacted":true,"size":900}}),
    );
    assert!(message.redacted);
    assert_eq!(message.body_source, BodySource::Redacted);
}

#[test]
fn a_call_has_its_times_and_its_recording_is_a_file_elsewhere() {
    let r = resource(
        json!({"id":"m","attributes":{"channel":"voice","direction":"in","meta":{"from":"+1","to":"+2","status":"completed",
        "placedAt":"2026-10-21T14:00:00.000Z","answeredAt":"2026-10-21T14:00:05.000Z","endedAt":"2026-10-21T14:01:05.000Z",
        "externalRecordingUrl":"https://calls.example/r/7.mp3?x=1"}}}),
    );
    let entries = map::message(&Known::default(), r, None, Bodies::Absent);
    let call = message_of(&entries).call.unwrap();
    assert_eq!(
        (call.status.as_deref(), call.duration_ms),
        (Some("completed"), Some(60_000))
    );
    let Entity::Attachment(recording) = &entries[1].data else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (recording.name.as_str(), entries[1].head.id.as_str()),
        ("7.mp3", "m/recording")
    );
}

#[test]
fn a_failed_message_says_why_and_whoever_wrote_it_is_named() {
    let (_, failed) = mapped(
        json!({"id":"m","attributes":{"direction":"out","status":"error","errorAt":"2026-10-21T14:00:00.000Z",
        "error":{"code":"inactive","title":"No","detail":"Bounced."}},"relationships":{"createdBy":{"data":{"type":"user","id":"u"}}}}),
    );
    assert_eq!(
        (failed.delivery.status, failed.delivery.error.as_deref()),
        (DeliveryStatus::Failed, Some("inactive: No: Bounced."))
    );
    assert!(matches!(failed.author, Author::Person(p) if p.kind == Kind::Agent && p.id == "u"));
    let (_, inbound) = mapped(
        json!({"id":"m","attributes":{"direction":"in"},"relationships":{"customer":{"data":{"type":"customers","id":"c"}}}}),
    );
    assert!(matches!(inbound.author, Author::Person(p) if p.kind == Kind::Customer && p.id == "c"));
    let (_, nobody) = mapped(json!({"id":"m","attributes":{"direction":"out","auto":true}}));
    assert_eq!(nobody.author, Author::System);
}

#[test]
fn forwards_are_internal_and_drafts_are_none() {
    let forward = |status: &str| {
        resource(
            json!({"id":"f","type":"forward","attributes":{"status":status,"channel":"email","from":{"name":"Sales","email":"s@x"},
            "to":[{"name":"Billing","email":"b@x"}],"body":"Hi","createdAt":"2026-10-21T14:00:00.000Z"},
            "relationships":{"attachments":[{"data":{"type":"attachment","id":"a"},"links":{}}]}}),
        )
    };
    assert!(map::forward(&Known::default(), forward("draft"), None).is_none());
    let thread = Reference::new(Kind::Conversation, "v".to_owned());
    let made = map::forward(&Known::default(), forward("sent"), Some(thread.clone())).unwrap();
    let message = message_of(&made);
    assert_eq!(
        message.conversation,
        Some(thread),
        "the one it was listed below"
    );
    assert_eq!(message.delivery.status, DeliveryStatus::Sent);
    assert_eq!(
        (message.visibility, message.forwarded, message.to),
        (Visibility::Internal, true, own(&["Billing <b@x>"]))
    );
    assert_eq!(message.attachment_count, Some(1));
}

#[test]
fn references_become_relationships_and_undefined_attributes_definitions() {
    let metadata = text_resource(
        r#"{"data":{"type":"metadata","attributes":{"properties":{"ordersId":{"displayName":"Orders","target":"kobject.order","multi":true}}}}}"#,
    );
    let mut known = Known::default();
    known
        .fields
        .insert("customer".to_owned(), schema::definitions(&metadata));
    let r = text_resource(
        r#"{"data":{"id":"c","attributes":{"custom":{"ordersId":["o1","o2"],"shadowStr":"x","nothingStr":null}}}}"#,
    );
    let entries = map::customer(&known, r);
    let kinds: Vec<(Kind, &str)> = entries
        .iter()
        .map(|e| (e.head.kind.clone(), e.head.id.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Kind::Customer, "c"),
            (Kind::Relationship, "c/ordersId/o1"),
            (Kind::Relationship, "c/ordersId/o2"),
            (Kind::FieldDefinition, "customer/shadowStr"),
        ]
    );
    let Entity::Relationship(second) = &entries[2].data else {
        panic!()
    };
    assert_eq!(
        (
            second.position,
            second.label.as_deref(),
            second.target.id.as_str()
        ),
        (Some(1), Some("Orders"), "o2")
    );
    assert_eq!(entries[0].head.fields.len(), 2);
    assert!(matches!(&entries[0].head.fields[1].value, Field::Text(t) if t == "x"));
}

#[test]
fn masked_identity_is_noticed_and_masked_fields_are_losses() {
    let r = resource(
        json!({"id":"c","attributes":{"name":"*****","emails":[{"email":"*****"}],"phones":[],"custom":{"taxIdStr":"*****","okStr":"a*b"}}}),
    );
    assert_eq!(
        map::masked_identity(&r),
        [("name", "name"), ("emails", "addresses")]
    );
    let entries = map::customer(&Known::default(), r);
    let lost: Vec<&str> = entries[0]
        .head
        .losses
        .iter()
        .map(|l| l.field.as_str())
        .collect();
    assert_eq!(
        lost,
        ["fields.taxIdStr", "customer.addresses", "customer.name"],
        "fields in the contract's words"
    );
}

#[test]
fn a_custom_object_keeps_its_data_and_owner_as_they_are() {
    let text = r#"{"data":{"type":"kobject.ecomm-order","id":"k","attributes":{"externalId":"4417","title":"Order #4417","images":[],
        "custom":{"placedAt":"2026-10-01T13:54:29-05:00"},"data":{"items":[{"sku":"A1","price":12.50}]},"tags":["t"],
        "createdAt":"2026-10-01T18:55:00.000Z","updatedAt":"2026-10-02T08:00:00.000Z"},"relationships":{
        "klass":{"link":{"self":"/v1/klasses/ecomm-order"},"data":{"type":"klass","id":"ecomm-order"}},
        "customer":{"data":{"type":"customer","id":"c"}}}}}"#;
    let entries = map::custom_object(&Known::default(), text_resource(text), "ecomm-order", None);
    let Entity::CustomObject(object) = &entries[0].data else {
        panic!()
    };
    assert_eq!(
        object.data,
        Some(Text::Inline(
            r#"{"items":[{"sku":"A1","price":12.50}]}"#.to_owned()
        ))
    );
    assert_eq!(
        (
            object.object_type.as_str(),
            object.customer.as_ref().map(|c| c.id.as_str())
        ),
        ("ecomm-order", Some("c"))
    );
    let offloaded = r#"{"data":{"type":"kobject.x","id":"k","attributes":{"title":"t","s3DataUrl":"https://y"}}}"#;
    let lost = map::custom_object(&Known::default(), text_resource(offloaded), "x", None);
    assert_eq!(lost[0].head.losses[0].field, "custom-object.data");
    let found = map::custom_object(
        &Known::default(),
        text_resource(offloaded),
        "x",
        Some("{}".to_owned()),
    );
    assert!(found[0].head.losses.is_empty());
}

#[test]
fn relationships_without_a_place_travel_raw_and_those_of_custom_objects_as_relationships() {
    let text = r#"{"data":{"type":"kobject.order","id":"k","attributes":{"title":"t"},"relationships":{
        "org":{"data":{"type":"org","id":"o"}},"klass":{"data":{"type":"klass","id":"order"}},
        "customer":{"data":{"type":"customer","id":"c"}},"createdBy":{"data":{"type":"user","id":"u"}},
        "shipments":{"data":[{"type":"kobject.shipment","id":"s1"},{"type":"kobject.shipment","id":"s2"}]},
        "source":{"data":{"type":"import","id":"i"}},"comments":{"links":{"self":"/v1/x"}},"gone":{"data":null}}}}"#;
    let entries = map::custom_object(&Known::default(), text_resource(text), "order", None);
    let raw: Vec<&str> = entries[0]
        .head
        .raw
        .iter()
        .map(|r| r.name.as_str())
        .collect();
    assert_eq!(raw, ["relationships.source"]);
    let linked: Vec<(&str, &str, &str)> = entries[1..]
        .iter()
        .map(|entry| {
            let Entity::Relationship(link) = &entry.data else {
                panic!("{entry:?}")
            };
            assert_eq!(link.field, None);
            (
                link.name.as_str(),
                link.target.id.as_str(),
                entry.head.raw[0].json.as_str(),
            )
        })
        .collect();
    assert_eq!(
        linked,
        [
            ("shipments", "s1", "\"shipment\""),
            ("shipments", "s2", "\"shipment\"")
        ]
    );
    let conversation = r#"{"data":{"type":"conversation","id":"v","attributes":{},"relationships":{
        "messages":{"links":{"self":"/v1/conversations/v/messages"}},"endedBy":{"data":{"type":"user","id":"u"}}}}}"#;
    let made = map::conversation(&Known::default(), text_resource(conversation));
    let raw: Vec<&str> = made[0].head.raw.iter().map(|r| r.name.as_str()).collect();
    assert_eq!((raw, made.len()), (vec!["relationships.endedBy"], 1));
}

#[test]
fn an_attribute_without_a_place_travels_raw() {
    let text = r#"{"data":{"id":"t","type":"tag","attributes":{"name":"vip","usage":{"n":1.50},"deletedAt":"2024-01-01T00:00:00.000Z"}}}"#;
    let entry = map::tag(&Known::default(), text_resource(text)).remove(0);
    assert!(entry.head.deleted);
    let raw: Vec<(&str, &str)> = entry
        .head
        .raw
        .iter()
        .map(|r| (r.name.as_str(), r.json.as_str()))
        .collect();
    assert_eq!(
        raw,
        [
            ("deletedAt", "\"2024-01-01T00:00:00.000Z\""),
            ("usage", r#"{"n":1.50}"#)
        ]
    );
}

#[test]
fn links_in_texts_to_records_of_the_account_name_them_once_and_other_links_do_not() {
    let site = "https://acme.kustomerapp.com";
    let (a, b) = ("6717c2b1e5b1f00012ab3511", "66f0aa10c1d2e300127b0001");
    let thread = format!("{site}/app/customers/{b}/event/{a}");
    let body = format!(
        "As in {thread}. Again ({thread}), [her]({site}/app/customers/{b}?tab=1), {site}/app/companies/{a}, \
         {site}/app/conversations/{a}#x, {site}/app/customers/me, {site}/app/settings/{a}, https://other.example/app/customers/{b}"
    );
    let note = json!({"type":"note","id":"6717c2b1e5b1f00012ab3520","attributes":{"body": body}});
    let known = Known {
        site: Some(site.to_owned()),
        ..Known::default()
    };
    let of = |known: &Known| {
        let made = map::note(known, resource(note.clone()));
        let Entity::Message(message) = &made[0].data else {
            panic!("no note")
        };
        let links = message.links.iter();
        links
            .map(|link| {
                let path = link.url.strip_prefix(site).unwrap().to_owned();
                (path, link.to.kind.clone(), link.to.id.clone())
            })
            .collect::<Vec<_>>()
    };
    let wanted = [
        (
            format!("/app/customers/{b}/event/{a}"),
            Kind::Conversation,
            a,
        ),
        (format!("/app/customers/{b}?tab=1"), Kind::Customer, b),
        (format!("/app/companies/{a}"), Kind::Company, a),
        (format!("/app/conversations/{a}#x"), Kind::Conversation, a),
    ]
    .map(|(path, kind, id)| (path, kind, id.to_owned()));
    assert_eq!(of(&known), wanted);
    assert_eq!(of(&Known::default()), []);
}
