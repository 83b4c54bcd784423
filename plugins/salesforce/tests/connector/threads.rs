//! What a thread becomes: the Case, the e-mails and comments under it, to the byte.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use transload_plugin_salesforce::fields;
use transload_plugin_salesforce::map::Choices;
use transload_plugin_salesforce::state::{Config, OtherMessages, State};
use transload_plugin_salesforce::thread::{self, CHILDREN_PER_CASE, Child, Mapped, Surroundings};
use transload_sdk::destination::{Item, Part, SlotValue, Thread};
use transload_sdk::thread::{File, Unit, without_lead};
use transload_sdk::types::{
    Attachment, Author, Call, Conversation, ConversationStatus, Delivery, DeliveryStatus,
    Direction, Entity, Entry, Error, Head, Kind, Message, Priority, Reference, Text, Visibility,
};
use transload_sdk::words::placeholder;

/// 21 October 2026, 14:02:11.250 UTC.
const START: i64 = 1_792_591_331_250;
const ANA: &str = "003000000000001AAA";
const DANA: &str = "005000000000001AAA";
const DESK: &str = "00G000000000001AAA";

fn head(kind: Kind, id: &str) -> Head {
    Head {
        created_at: Some(START),
        ..Head::new(kind, id.to_owned())
    }
}

fn ana() -> Reference {
    Reference::new(Kind::Customer, "c1")
        .at(ANA)
        .called("Ana Ruiz")
}

fn dana() -> Reference {
    Reference::new(Kind::Agent, "a1").at(DANA).called("Dana")
}

fn conversation() -> Conversation {
    Conversation {
        customer: Some(ana()),
        subject: Some("Where is my order? 📦".to_owned()),
        status: ConversationStatus::Closed,
        priority: Some(Priority {
            value: 3,
            lowest: 1,
            highest: 5,
        }),
        assignees: vec![dana()],
        channels: vec!["email".to_owned()],
        closed_at: Some(START + 3_600_000),
        ..Conversation::empty()
    }
}

fn message(author: Author, text: &str, after: i64) -> Message {
    Message {
        direction: Direction::Inbound,
        channel: Some("email".to_owned()),
        author,
        text: Some(Text::Inline(text.to_owned())),
        sent_at: Some(START + after),
        delivery: Delivery {
            status: DeliveryStatus::Received,
            ..Delivery::unknown()
        },
        ..Message::empty()
    }
}

fn note(author: Author, text: &str, after: i64) -> Message {
    Message {
        visibility: Visibility::Internal,
        channel: None,
        direction: Direction::None,
        ..message(author, text, after)
    }
}

fn by(person: Reference) -> Author {
    Author::Person(person)
}

fn part(id: &str, message: Message) -> Part {
    let head = Head {
        created_at: message.sent_at,
        ..head(Kind::Message, id)
    };
    Part {
        message: Entry {
            head,
            data: Entity::Message(message),
        },
        attachments: Vec::new(),
    }
}

fn attachment(id: &str, content_id: Option<&str>) -> Entry {
    let attachment = Attachment {
        content_id: content_id.map(str::to_owned),
        inline: content_id.is_some(),
        ..Attachment::of(
            Reference::new(Kind::Message, "m1"),
            "naïve \u{202e}name.png",
        )
    };
    Entry {
        head: head(Kind::Attachment, id),
        data: Entity::Attachment(attachment),
    }
}

struct Bench {
    state: State,
    config: Config,
    files: BTreeMap<String, File>,
    children: usize,
}

impl Bench {
    /// An org that takes all there is.
    fn new() -> Self {
        let own = ["Case", "EmailMessage", "ContentVersion"];
        let own = own.into_iter().flat_map(|object| {
            let fields = fields::of_object(object).iter();
            fields.map(move |(name, ..)| format!("{object}.{name}"))
        });
        let state = State {
            audit: BTreeSet::from(["Case", "CaseComment"].map(str::to_owned)),
            closed_date: true,
            statuses: BTreeMap::from([
                ("New".to_owned(), false),
                ("Closed".to_owned(), true),
                ("On Hold".to_owned(), false),
            ]),
            own: own.collect(),
            email_chars: 131_072,
            ..State::default()
        };
        Self {
            state,
            config: Config::default(),
            files: BTreeMap::new(),
            children: CHILDREN_PER_CASE,
        }
    }

    fn map(&self, conversation: Conversation, parts: Vec<Part>) -> Mapped {
        self.map_item(conversation, parts, Vec::new()).unwrap()
    }

    fn map_item(
        &self,
        conversation: Conversation,
        parts: Vec<Part>,
        values: Vec<SlotValue>,
    ) -> Result<Mapped, Error> {
        let mut conversation_head = head(Kind::Conversation, "v1");
        conversation_head.url = Some("https://old.example/v1".to_owned());
        let thread = Thread {
            conversation: Entry {
                head: conversation_head,
                data: Entity::Conversation(conversation),
            },
            parts,
        };
        let item = Item {
            values,
            ..Item::new("i1", "old-desk:org1:conversation:v1", thread.clone())
        };
        let (choices, texts) = (Choices::new(), BTreeMap::new());
        let words = self.config.words("UTC");
        let around = Surroundings {
            state: &self.state,
            config: &self.config,
            unit: Unit {
                platform: "kustomer",
                prefix: "old-desk:org1:".to_owned(),
                zone: "UTC",
                run: "r1",
                now: START + 86_400_000,
                texts: &texts,
            },
            words: &words,
            choices: &choices,
            files: &self.files,
            children: self.children,
        };
        thread::map_thread(&item, &thread, &around)
    }
}

fn case(mapped: &Mapped) -> &serde_json::Map<String, Json> {
    &mapped.cases[0].fields
}

fn card(mapped: &Mapped) -> &str {
    case(mapped)[fields::CARD].as_str().unwrap()
}

fn text(child: &Child, name: &str) -> String {
    child.fields[name].as_str().unwrap().to_owned()
}

fn notes(mapped: &Mapped) -> Vec<String> {
    mapped
        .losses
        .iter()
        .map(|loss| format!("{}: {}", loss.field, loss.note))
        .collect()
}

#[test]
fn a_case_is_made_in_its_last_state_with_its_original_times() {
    let bench = Bench::new();
    let values = vec![SlotValue {
        slot: "channel".to_owned(),
        value: "Email".to_owned(),
    }];
    let mapped = bench.map_item(conversation(), Vec::new(), values).unwrap();
    let mut fields = case(&mapped).clone();
    let card = fields.remove(fields::CARD).unwrap();
    assert!(
        card.as_str()
            .unwrap()
            .contains("Marker: old-desk:org1:conversation:v1")
    );
    assert_eq!(
        Json::Object(fields),
        json!({
            "Subject": "Where is my order? 📦", "Status": "Closed", "Priority": "Medium", "Origin": "Email",
            "ContactId": ANA, "OwnerId": DANA,
            "CreatedDate": "2026-10-21T14:02:11Z", "LastModifiedDate": "2026-10-21T14:02:11Z",
            "ClosedDate": "2026-10-21T15:02:11Z",
            "Transload_Source_Id__c": "old-desk:org1:conversation:v1", "Transload_Run__c": "r1",
            "Transload_Created_At__c": "2026-10-21T14:02:11Z", "Transload_Closed_At__c": "2026-10-21T15:02:11Z",
            "Transload_Source_Url__c": "https://old.example/v1",
            "Transload_Priority__c": "3 on 1..5", "Transload_Channels__c": "email",
        })
    );
}

#[test]
fn an_email_is_an_email_message_with_all_it_has_at_birth() {
    let mut bench = Bench::new();
    let there = File::There {
        id: "069000000000001AAA".to_owned(),
        url: "https://acme.my.salesforce.com/sfc/x".to_owned(),
    };
    bench.files.insert("f1".to_owned(), there);
    let email = Message {
        subject: Some("Re: Where?".to_owned()),
        sender: Some("Ana Ruiz <ana@example.com>".to_owned()),
        to: vec!["help@acme.example".to_owned()],
        cc: vec!["bo@example.com".to_owned(), "eve@example.com".to_owned()],
        message_id: Some("<1@example.com>".to_owned()),
        html: Some(Text::Inline("<p>Hi<img src=\"cid:i1\"></p>".to_owned())),
        ..message(by(ana()), "Hi\r\nwhere is it? \u{200d}", 61_000)
    };
    let mut part = part("m1", email);
    part.attachments = vec![attachment("f1", Some("<i1>"))];
    let mapped = bench.map(conversation(), vec![part]);
    let child = &mapped.children[0][0];
    assert!(child.mail);
    assert_eq!(child.part, "message:m1");
    assert_eq!(
        Json::Object(child.fields.clone()),
        json!({
            "Incoming": true, "Status": "1", "MessageDate": "2026-10-21T14:03:12Z",
            "Subject": "Re: Where?", "FromName": "Ana Ruiz", "FromAddress": "ana@example.com",
            "ToAddress": "help@acme.example", "CcAddress": "bo@example.com; eve@example.com",
            "MessageIdentifier": "<1@example.com>", "ContentDocumentIds": ["069000000000001AAA"],
            "Transload_Source_Id__c": "old-desk:org1:message:m1", "Transload_Run__c": "r1",
            "HtmlBody": "<p>Hi<img src=\"https://acme.my.salesforce.com/sfc/x\"></p>",
            "TextBody": "Hi\r\nwhere is it? \u{200d}",
        })
    );
}

#[test]
fn a_note_is_a_private_comment_by_who_wrote_it() {
    let bench = Bench::new();
    let parts = vec![
        part("m1", note(by(dana()), "Asked the warehouse.", 1_000)),
        part("m2", note(by(ana()), "From the customer", 2_000)),
    ];
    let mapped = bench.map(conversation(), parts);
    let [own, customers] = mapped.children[0].as_slice() else {
        unreachable!("{:?}", mapped.children)
    };
    assert_eq!(
        Json::Object(own.fields.clone()),
        json!({
            "CommentBody": "Asked the warehouse.", "IsPublished": false,
            "CreatedDate": "2026-10-21T14:02:12Z", "CreatedById": DANA,
        })
    );
    // A customer can never be the author (Salesforce facts §11).
    assert_eq!(
        Json::Object(customers.fields.clone()),
        json!({
            "CommentBody": "[Migrated: written by Ana Ruiz (customer c1)]\n\nFrom the customer",
            "IsPublished": false, "CreatedDate": "2026-10-21T14:02:13Z",
        })
    );
}

#[test]
fn in_an_org_that_takes_no_original_times_they_are_named_and_kept_in_fields() {
    let mut bench = Bench::new();
    bench.state.audit.clear();
    let parts = vec![part("m1", note(by(dana()), "Done.", 0))];
    let mapped = bench.map(conversation(), parts);
    let fields = case(&mapped);
    for name in [
        "CreatedDate",
        "LastModifiedDate",
        "ClosedDate",
        "CreatedById",
    ] {
        assert!(!fields.contains_key(name), "{name}");
    }
    assert_eq!(fields[fields::CREATED_AT], "2026-10-21T14:02:11Z");
    assert_eq!(
        text(&mapped.children[0][0], "CommentBody"),
        "[Migrated: written by Dana (agent a1); at 2026-10-21T14:02:11.250Z]\n\nDone."
    );
    assert!(!mapped.children[0][0].fields.contains_key("CreatedDate"));
    let notes = notes(&mapped);
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("conversation.created-at")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("message.sent-at")),
        "{notes:?}"
    );
}

#[test]
fn parts_of_one_second_keep_their_order_and_the_card_has_the_exact_times() {
    let bench = Bench::new();
    let parts = vec![
        part("m1", message(by(ana()), "one", 0)),
        part("m2", message(by(ana()), "two", 300)),
        part("m3", note(by(dana()), "three", 700)),
        part("m4", message(by(ana()), "four", 60_000)),
    ];
    let mapped = bench.map(conversation(), parts);
    let times: Vec<String> = mapped.children[0]
        .iter()
        .map(|child| {
            text(
                child,
                if child.mail {
                    "MessageDate"
                } else {
                    "CreatedDate"
                },
            )
        })
        .collect();
    assert_eq!(
        times,
        [
            "2026-10-21T14:02:11Z",
            "2026-10-21T14:02:12Z",
            "2026-10-21T14:02:13Z",
            "2026-10-21T14:03:11Z",
        ]
    );
    assert!(
        card(&mapped).contains("2: id m2; sent 2026-10-21T14:02:11.550Z"),
        "{}",
        card(&mapped)
    );
    assert!(
        notes(&mapped)
            .iter()
            .any(|note| note.contains("a second apart"))
    );
}

#[test]
fn drafts_are_skipped_failed_sends_are_marked_and_what_was_redacted_says_so() {
    let bench = Bench::new();
    let with = |change: fn(&mut Message)| {
        let mut message = message(by(dana()), "text", 0);
        message.direction = Direction::Outbound;
        change(&mut message);
        message
    };
    let parts = vec![
        part("m1", with(|m| m.delivery.status = DeliveryStatus::Draft)),
        part(
            "m2",
            with(|m| {
                m.delivery.status = DeliveryStatus::Failed;
                m.delivery.error = Some("mailbox full".to_owned());
            }),
        ),
        part(
            "m3",
            with(|m| {
                m.text = None;
                m.body_source = transload_sdk::types::BodySource::Redacted;
            }),
        ),
        part(
            "m4",
            with(|m| {
                m.channel = Some("voice".to_owned());
                m.call = Some(Call {
                    placed_at: Some(START),
                    answered_at: None,
                    ended_at: None,
                    status: Some("missed".to_owned()),
                    recording_url: None,
                    duration_ms: Some(61_000),
                });
            }),
        ),
        part("m5", with(|m| m.forwarded = true)),
    ];
    let mapped = bench.map(conversation(), parts);
    let bodies: Vec<String> = mapped.children[0]
        .iter()
        .map(|child| {
            text(
                child,
                if child.mail {
                    "TextBody"
                } else {
                    "CommentBody"
                },
            )
        })
        .collect();
    assert_eq!(
        bodies,
        [
            "[Migrated: not delivered: mailbox full]\n\ntext",
            "[Migrated: redacted in the source]",
            "[Migrated: via voice; a call, placed 2026-10-21T14:02:11.250Z, missed, 61 s]\n\ntext",
            "[Migrated: forwarded to ]\n\ntext",
        ]
    );
    let published: Vec<Json> = mapped.children[0][2..]
        .iter()
        .map(|child| child.fields["IsPublished"].clone())
        .collect();
    assert_eq!(published, [json!(true), json!(false)]);
    assert!(card(&mapped).contains("not loaded: id m1; a draft, never sent"));
}

#[test]
fn chats_are_published_comments_or_emails_as_the_settings_say() {
    let mut bench = Bench::new();
    let chat = || Message {
        channel: Some("chat".to_owned()),
        ..message(by(ana()), "hello", 0)
    };
    let mapped = bench.map(conversation(), vec![part("m1", chat())]);
    let child = &mapped.children[0][0];
    assert_eq!(
        (child.mail, &child.fields["IsPublished"]),
        (false, &json!(true))
    );
    assert_eq!(
        text(child, "CommentBody"),
        "[Migrated: via chat; written by Ana Ruiz (customer c1)]\n\nhello"
    );
    bench.config.other_messages = OtherMessages::Email;
    let mapped = bench.map(conversation(), vec![part("m1", chat())]);
    let child = &mapped.children[0][0];
    assert!(child.mail);
    assert_eq!(text(child, "TextBody"), "[Migrated: via chat]\n\nhello");
    assert_eq!(text(child, "FromName"), "Ana Ruiz");
}

#[test]
fn an_org_without_emails_gets_comments() {
    let mut bench = Bench::new();
    bench.state.email_chars = 0;
    let mapped = bench.map(
        conversation(),
        vec![part("m1", message(by(ana()), "hello", 0))],
    );
    let child = &mapped.children[0][0];
    assert_eq!(
        (child.mail, &child.fields["IsPublished"]),
        (false, &json!(true))
    );
}

#[test]
fn a_note_of_5_000_bytes_stands_in_two_comments_that_are_the_text_together() {
    let bench = Bench::new();
    let body = "ä 12345 ".repeat(556);
    let mapped = bench.map(conversation(), vec![part("m1", note(by(dana()), &body, 0))]);
    let children = &mapped.children[0];
    assert_eq!(children.len(), 2);
    let bodies: Vec<String> = children
        .iter()
        .map(|child| text(child, "CommentBody"))
        .collect();
    assert!(bodies.iter().all(|body| body.len() <= 4_000));
    let together: String = bodies.iter().map(|body| without_lead(body).1).collect();
    assert_eq!(together, body);
    assert_eq!(
        (children[0].part.as_str(), children[1].part.as_str()),
        ("message:m1", "message:m1#2")
    );
    assert!(text(&children[0], "CreatedDate") < text(&children[1], "CreatedDate"));
}

#[test]
fn an_email_longer_than_its_field_goes_on_in_further_ones() {
    let mut bench = Bench::new();
    bench.state.email_chars = 1_000;
    let body = "word and word ".repeat(150);
    let mapped = bench.map(
        conversation(),
        vec![part("m1", message(by(ana()), &body, 0))],
    );
    let children = &mapped.children[0];
    assert_eq!(children.len(), 3);
    let together: String = children
        .iter()
        .map(|child| without_lead(&text(child, "TextBody")).1.to_owned())
        .collect();
    assert_eq!(together, body);
    let ids: Vec<String> = children
        .iter()
        .map(|child| text(child, fields::SOURCE_ID))
        .collect();
    assert_eq!(ids[1], "old-desk:org1:message:m1#2");
    assert_eq!(BTreeSet::from_iter(&ids).len(), 3);
}

#[test]
fn a_thread_of_one_more_than_a_case_holds_continues_in_a_linked_case() {
    let bench = Bench::new();
    let parts = |n: usize| -> Vec<Part> {
        let one = |n: usize| {
            // Whole seconds: a fraction would stand on the card.
            let after = i64::try_from(n).unwrap() * 1_000 - 250;
            part(
                &format!("m{n}"),
                message(by(ana()), &format!("text {n}"), after),
            )
        };
        (0..n).map(one).collect()
    };
    let whole = bench.map(conversation(), parts(CHILDREN_PER_CASE));
    assert_eq!(
        (whole.cases.len(), whole.children[0].len()),
        (1, CHILDREN_PER_CASE)
    );
    let over = bench.map(conversation(), parts(CHILDREN_PER_CASE + 1));
    assert_eq!(over.cases.len(), 2);
    let second = &over.cases[1];
    assert_eq!(
        second.continues.as_deref(),
        Some("old-desk:org1:conversation:v1")
    );
    assert_eq!(
        second.fields[fields::SOURCE_ID],
        "old-desk:org1:conversation:v1#2"
    );
    assert_eq!(second.fields["Subject"], "Where is my order? 📦 (part 2)");
    let said: Vec<String> = over
        .children
        .iter()
        .flatten()
        .filter(|child| child.mail)
        .map(|child| text(child, "TextBody"))
        .collect();
    assert_eq!(said.len(), CHILDREN_PER_CASE + 1);
    assert_eq!(said[CHILDREN_PER_CASE], format!("text {CHILDREN_PER_CASE}"));
    assert!(
        over.children
            .iter()
            .all(|some| some.len() <= CHILDREN_PER_CASE)
    );
    let last = over.children[0].last().unwrap();
    assert_eq!(
        text(last, "CommentBody"),
        "[Migrated: continues in the case with source id old-desk:org1:conversation:v1#2]"
    );
    let first = &over.children[1][0];
    assert_eq!(
        text(first, "CommentBody"),
        "[Migrated: continues the case with source id old-desk:org1:conversation:v1]"
    );
}

#[test]
fn what_of_the_card_its_field_does_not_hold_stands_in_private_comments() {
    let bench = Bench::new();
    let parts: Vec<Part> = (0..3_000)
        .map(|n| part(&format!("m{n:04}"), note(by(dana()), "x", n * 1_000 + 1)))
        .collect();
    let mapped = bench.map(conversation(), parts);
    let (field, rest) = (
        card(&mapped),
        mapped.children[0]
            .iter()
            .filter(|child| child.part.starts_with("card:"))
            .map(|child| text(child, "CommentBody"))
            .collect::<Vec<_>>(),
    );
    assert!(rest.len() > 1);
    assert!(rest.iter().all(|body| body.len() <= 4_000));
    assert!(
        rest[0].starts_with("[Migrated: source card, part 2 of "),
        "{}",
        rest[0]
    );
    let whole = rest.iter().fold(field.to_owned(), |so_far, body| {
        so_far + without_lead(body).1
    });
    assert!(whole.contains("1: id m0000; "));
    assert!(whole.trim_end().ends_with("channel") || whole.contains("3000: id m2999; "));
}

#[test]
fn files_of_a_note_are_named_in_it_and_those_that_are_missing_say_why() {
    let mut bench = Bench::new();
    bench.files.insert("f1".to_owned(), File::Expected);
    let refused = File::Refused("too large: named", "it is too large".to_owned());
    bench.files.insert("f2".to_owned(), refused);
    let mut part = part("m1", note(by(dana()), "See", 0));
    part.attachments = vec![attachment("f1", None), attachment("f2", None)];
    let mapped = bench.map(conversation(), vec![part]);
    let body = text(&mapped.children[0][0], "CommentBody");
    assert_eq!(
        body,
        "[Migrated: with naïve \u{202e}name.png; file naïve \u{202e}name.png is missing here: it is too large]\n\nSee"
    );
    assert!(notes(&mapped).contains(&"attachment: too large: named".to_owned()));
}

#[test]
fn who_cannot_be_on_a_case_is_named_on_it() {
    let bench = Bench::new();
    let of = |customer: Option<Reference>, assignee: Reference, team: Reference| Conversation {
        customer,
        assignees: vec![assignee],
        teams: vec![team],
        ..conversation()
    };
    let lead = Reference::new(Kind::Customer, "c2")
        .at("00Q000000000001AAA")
        .called("Bo");
    let former = Reference::new(Kind::Agent, "a9").at(placeholder(DANA, "Eve"));
    let queue = Reference::new(Kind::Team, "t1").at(DESK).called("Desk");
    let mapped = bench.map(of(Some(lead), former, queue.clone()), Vec::new());
    assert_eq!(case(&mapped)["SuppliedName"], "Bo (customer c2)");
    assert!(!case(&mapped).contains_key("ContactId"));
    assert_eq!(case(&mapped)["OwnerId"], DESK);
    assert!(
        card(&mapped).contains("assignees: agent a9 (Eve)"),
        "{}",
        card(&mapped)
    );
    let mapped = bench.map(of(None, dana(), queue), Vec::new());
    assert_eq!(case(&mapped)["OwnerId"], DANA);
    assert!(
        notes(&mapped)
            .iter()
            .any(|note| note.starts_with("conversation.teams"))
    );
}

#[test]
fn tags_stand_in_their_field_and_topics_are_topics() {
    let bench = Bench::new();
    let tag = |n: usize| Reference::new(Kind::Tag, format!("g{n}")).called(format!("tag; {n}"));
    let mut tags: Vec<Reference> = (0..30).map(tag).collect();
    tags.push(
        Reference::new(Kind::Tag, "g9")
            .at("0TO000000000001AAA")
            .called("vip"),
    );
    let tagged = Conversation {
        tags,
        ..conversation()
    };
    let topics = thread::topics_of(&tagged);
    let mapped = bench.map(tagged, Vec::new());
    let list = case(&mapped)[fields::TAGS].as_str().unwrap();
    assert!(
        list.starts_with(";tag, 0;tag, 1;") && list.ends_with(";tag, 29;vip;"),
        "{list}"
    );
    assert_eq!(topics, ["0TO000000000001AAA"]);
}

#[test]
fn a_second_mapping_that_knows_the_files_gives_the_same_cases() {
    let mut bench = Bench::new();
    bench.files.insert("f1".to_owned(), File::Expected);
    let thread = || {
        let mut part = part("m1", message(by(ana()), "See", 0));
        part.attachments = vec![attachment("f1", None)];
        vec![part]
    };
    let first = bench.map(conversation(), thread());
    let there = File::There {
        id: "069000000000001AAA".to_owned(),
        url: "x".to_owned(),
    };
    bench.files.insert("f1".to_owned(), there);
    assert_eq!(bench.map(conversation(), thread()).cases, first.cases);
}

proptest! {
    #[test]
    fn whatever_was_said_is_there_byte_for_byte(
        said in "(?s)\\PC{0,60}([\r\n\t ]{0,4}\\PC{0,80}){0,60}",
        mail in any::<bool>(),
    ) {
        prop_assume!(!said.starts_with("[Migrated: ") && !said.is_empty());
        let mut bench = Bench::new();
        bench.state.email_chars = 1_500;
        let message = if mail {
            message(by(ana()), &said, 0)
        } else {
            note(by(dana()), &said, 0)
        };
        let mapped = bench.map(conversation(), vec![part("m1", message)]);
        let name = if mail { "TextBody" } else { "CommentBody" };
        let together: String = mapped.children[0]
            .iter()
            .map(|child| without_lead(&text(child, name)).1.to_owned())
            .collect();
        prop_assert_eq!(together, said);
    }
}
