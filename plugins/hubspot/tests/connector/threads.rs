//! What a thread becomes: the ticket and the activities under it, to the byte.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use transload_plugin_hubspot::map::Choices;
use transload_plugin_hubspot::own::{self, ACTIVITIES};
use transload_plugin_hubspot::state::{Config, Stage, State};
use transload_plugin_hubspot::text::{self, BODY_CHARS};
use transload_plugin_hubspot::thread::{
    self, ACTIVITIES_PER_TICKET, Activity, Child, Mapped, Surroundings,
};
use transload_sdk::destination::{Item, Part, SlotValue, Thread};
use transload_sdk::thread::{File, Unit, without_lead};
use transload_sdk::types::{
    Attachment, Author, Call, Conversation, ConversationStatus, Delivery, DeliveryStatus,
    Direction, Entity, Entry, Head, Kind, Message, Priority, Reference, Text, Visibility,
};
use transload_sdk::words::placeholder;

/// 21 October 2026, 14:02:11.250 UTC.
const START: i64 = 1_792_591_331_250;

fn head(kind: Kind, id: &str) -> Head {
    Head {
        created_at: Some(START),
        ..Head::new(kind, id.to_owned())
    }
}

fn ana() -> Reference {
    Reference::new(Kind::Customer, "c1")
        .at("501")
        .called("Ana Ruiz")
}

fn dana() -> Reference {
    Reference::new(Kind::Agent, "a1").at("901").called("Dana")
}

fn conversation() -> Conversation {
    Conversation {
        customer: Some(ana()),
        subject: Some("Where is my order? 📦".to_owned()),
        preview: Some("Where is it".to_owned()),
        status: ConversationStatus::Closed,
        priority: Some(Priority {
            value: 3,
            lowest: 1,
            highest: 5,
        }),
        assignees: vec![dana()],
        channels: vec!["email".to_owned()],
        tags: vec![Reference::new(Kind::Tag, "t1").at("vip").called("VIP")],
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

fn chat(author: Author, text: &str, after: i64) -> Message {
    Message {
        channel: Some("chat".to_owned()),
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
        ..Attachment::of(Reference::new(Kind::Message, "m1"), "naïve name.png")
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
    activities: usize,
}

impl Bench {
    /// An account that takes all there is.
    fn new() -> Self {
        let objects = ["tickets"].into_iter().chain(ACTIVITIES);
        let own = objects.flat_map(|object| {
            let own = own::of_object(object).iter();
            own.map(move |(key, ..)| (format!("{object}.{key}"), (*key).to_owned()))
        });
        let stage = |id: &str, closed| Stage {
            pipeline: "7".to_owned(),
            id: id.to_owned(),
            closed,
        };
        let state = State {
            ticket_createdate: true,
            ticket_closed_date: true,
            stages: BTreeMap::from([
                ("open".to_owned(), stage("71", false)),
                ("snoozed".to_owned(), stage("72", false)),
                ("closed".to_owned(), stage("73", true)),
                ("0/4".to_owned(), stage("4", true)),
            ]),
            own: own.collect(),
            sources: BTreeSet::from(["EMAIL", "CHAT"].map(str::to_owned)),
            ..State::default()
        };
        Self {
            state,
            config: Config::default(),
            files: BTreeMap::new(),
            activities: ACTIVITIES_PER_TICKET,
        }
    }

    fn map(&self, conversation: Conversation, parts: Vec<Part>) -> Mapped {
        self.map_item(conversation, parts, Vec::new())
    }

    fn map_item(
        &self,
        conversation: Conversation,
        parts: Vec<Part>,
        values: Vec<SlotValue>,
    ) -> Mapped {
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
        let words = self.state.words("UTC");
        let around = Surroundings {
            state: &self.state,
            config: &self.config,
            unit: Unit {
                platform: "old-desk",
                prefix: "old-desk:org1:".to_owned(),
                zone: "UTC",
                run: "r1",
                now: START + 86_400_000,
                texts: &texts,
            },
            words: &words,
            choices: &choices,
            files: &self.files,
            activities: self.activities,
        };
        thread::map_thread(&item, &thread, &around).unwrap()
    }

    /// The activities of one message.
    fn said(&self, message: Message) -> Vec<Child> {
        let mapped = self.map(conversation(), vec![part("m1", message)]);
        mapped.children.into_iter().flatten().collect()
    }
}

fn ticket(mapped: &Mapped) -> &Map<String, Json> {
    &mapped.tickets[0].properties
}

fn card(mapped: &Mapped) -> &str {
    ticket(mapped)[own::CARD].as_str().unwrap()
}

fn value(child: &Child, name: &str) -> String {
    let value = child.properties.get(name).and_then(Json::as_str);
    value.unwrap_or_default().to_owned()
}

fn notes(mapped: &Mapped) -> Vec<String> {
    let losses = mapped.losses.iter();
    losses
        .map(|loss| format!("{}: {}", loss.field, loss.note))
        .collect()
}

#[test]
fn a_ticket_is_made_in_its_last_stage_with_its_original_times() {
    let mapped = Bench::new().map(conversation(), Vec::new());
    let mut properties = ticket(&mapped).clone();
    let card = properties.remove(own::CARD).unwrap();
    assert!(
        card.as_str()
            .unwrap()
            .contains("Marker: old-desk:org1:conversation:v1")
    );
    assert_eq!(
        Json::Object(properties),
        json!({
            "subject": "Where is my order? 📦", "content": "Where is it", "hs_pipeline": "7", "hs_pipeline_stage": "73",
            "hs_ticket_priority": "MEDIUM", "source_type": "EMAIL", "hubspot_owner_id": "901",
            "createdate": "2026-10-21T14:02:11.250Z", "closed_date": "2026-10-21T15:02:11.250Z",
            "transload_source_id": "old-desk:org1:conversation:v1", "transload_run": "r1",
            "transload_created_at": "2026-10-21T14:02:11.250Z", "transload_closed_at": "2026-10-21T15:02:11.250Z",
            "transload_source_url": "https://old.example/v1", "transload_priority": "3 on 1..5",
            "transload_channels": "email", "transload_tags": "vip",
        })
    );
    assert_eq!(mapped.tickets[0].contact.as_deref(), Some("501"));
    assert_eq!(notes(&mapped), Vec::<String>::new());
}

#[test]
fn slots_say_stage_priority_and_source() {
    let slot = |slot: &str, value: &str| SlotValue {
        slot: slot.to_owned(),
        value: value.to_owned(),
    };
    let values = vec![
        slot("status", "0/4"),
        slot("priority", "URGENT"),
        slot("channel", "CHAT"),
    ];
    let mapped = Bench::new().map_item(conversation(), Vec::new(), values);
    let named = ["hs_pipeline_stage", "hs_ticket_priority", "source_type"];
    assert_eq!(
        named.map(|name| ticket(&mapped)[name].clone()),
        [json!("4"), json!("URGENT"), json!("CHAT")]
    );
}

#[test]
fn where_tickets_take_no_times_they_stand_in_properties_and_that_is_said() {
    let mut bench = Bench::new();
    bench.state.ticket_createdate = false;
    bench.state.ticket_closed_date = false;
    let mapped = bench.map(conversation(), Vec::new());
    assert!(
        !ticket(&mapped).contains_key("createdate") && !ticket(&mapped).contains_key("closed_date")
    );
    assert_eq!(
        ticket(&mapped)["transload_created_at"],
        json!("2026-10-21T14:02:11.250Z")
    );
    assert_eq!(
        notes(&mapped),
        [
            "conversation.created-at: tickets take no original time here: in a property, and on the source card"
        ]
    );
}

#[test]
fn an_email_has_its_head_its_text_its_html_and_its_own_time() {
    let mut bench = Bench::new();
    let there = File::There {
        id: "88".to_owned(),
        url: "https://files.example/88.png".to_owned(),
    };
    bench.files.insert("f1".to_owned(), there);
    let mail = Message {
        html: Some(Text::Inline(
            "<p>Hi <img src=\"cid:logo@x\"></p>".to_owned(),
        )),
        subject: Some("Re: order".to_owned()),
        sender: Some("Ana Ruiz <Ana@example.com>".to_owned()),
        to: vec!["Help <help@acme.example>".to_owned()],
        cc: vec!["boss@example.com".to_owned()],
        message_id: Some("<m1@example.com>".to_owned()),
        ..message(by(ana()), "Hi", 0)
    };
    let mut mail = part("m1", mail);
    mail.attachments = vec![attachment("f1", Some("logo@x"))];
    let mapped = bench.map(conversation(), vec![mail]);
    let child = &mapped.children[0][0];
    assert_eq!(
        (child.kind, child.part.as_str()),
        (Activity::Email, "message:m1")
    );
    assert_eq!(
        Json::Object(child.properties.clone()),
        json!({
            "hs_timestamp": "2026-10-21T14:02:11.250Z", "hs_attachment_ids": "88",
            "hs_email_direction": "INCOMING_EMAIL", "hs_email_status": "SENT", "hs_email_subject": "Re: order",
            "hs_email_headers": "{\"from\":{\"email\":\"Ana@example.com\",\"firstName\":\"Ana Ruiz\"},\
                \"to\":[{\"email\":\"help@acme.example\",\"firstName\":\"Help\"}],\"cc\":[{\"email\":\"boss@example.com\"}],\"bcc\":[]}",
            "hs_email_text": "Hi", "hs_email_html": "<p>Hi <img src=\"https://files.example/88.png\"></p>",
            "transload_source_id": "old-desk:org1:message:m1", "transload_run": "r1",
            "transload_source_card": "id m1\nmessage-id <m1@example.com>",
        })
    );
    assert_eq!(notes(&mapped), Vec::<String>::new());
}

#[test]
fn an_owner_is_the_author_and_anybody_else_is_named_above_the_text() {
    let bench = Bench::new();
    let own = &bench.said(note(by(dana()), "Asked.", 0))[0];
    assert_eq!(value(own, "hubspot_owner_id"), "901");
    assert_eq!(value(own, "hs_note_body"), "Asked.");
    let former = Reference::new(Kind::Agent, "a9").at(placeholder("", "Bo Ng"));
    let other = &bench.said(note(by(former), "Asked.", 0))[0];
    assert_eq!(value(other, "hubspot_owner_id"), "");
    assert_eq!(
        value(other, "hs_note_body"),
        "<p>[Migrated: written by Bo Ng (agent a9)]</p>Asked."
    );
}

#[test]
fn what_was_said_in_a_chat_is_a_note_that_says_that_it_was_public() {
    let child = &Bench::new().said(chat(by(ana()), "a <b>\r\n c", 0))[0];
    assert_eq!(child.kind, Activity::Note);
    assert_eq!(
        value(child, "hs_note_body"),
        "<p>[Migrated: public; inbound via chat; written by Ana Ruiz (customer c1)]</p>a &lt;b&gt;&#13;<br>&nbsp;c"
    );
}

#[test]
fn text_messages_and_calls_are_what_they_were() {
    let bench = Bench::new();
    let sms = |channel: &str| Message {
        channel: Some(channel.to_owned()),
        ..message(by(ana()), "Hi", 0)
    };
    for (channel, word) in [("sms", "SMS"), ("whatsapp", "WHATS_APP")] {
        let child = &bench.said(sms(channel))[0];
        assert_eq!(child.kind, Activity::Communication);
        assert_eq!(value(child, "hs_communication_channel_type"), word);
        assert_eq!(value(child, "hs_communication_logged_from"), "CRM");
        assert!(value(child, "hs_communication_body").contains(&format!("inbound via {channel}")));
    }
    let call = Message {
        channel: Some("voice".to_owned()),
        sender: Some("+15550100".to_owned()),
        to: vec!["+15550199".to_owned()],
        text: None,
        call: Some(Call {
            placed_at: Some(START),
            answered_at: None,
            ended_at: None,
            status: Some("no-answer".to_owned()),
            recording_url: Some("https://calls.example/1.mp3".to_owned()),
            duration_ms: Some(61_000),
        }),
        ..message(by(ana()), "", 0)
    };
    let child = &bench.said(call)[0];
    assert_eq!(child.kind, Activity::Call);
    let wanted = [
        ("hs_call_direction", "INBOUND"),
        ("hs_call_duration", "61000"),
        ("hs_call_from_number", "+15550100"),
        ("hs_call_to_number", "+15550199"),
        ("hs_call_status", "NO_ANSWER"),
        ("hs_call_recording_url", "https://calls.example/1.mp3"),
    ];
    for (name, wanted) in wanted {
        assert_eq!(value(child, name), wanted, "{name}");
    }
    assert!(value(child, "hs_call_body").contains("a call, placed 2026-10-21T14:02:11.250Z"));
}

#[test]
fn what_was_said_within_one_millisecond_keeps_its_order() {
    let bench = Bench::new();
    let parts = ["m1", "m2", "m3"].map(|id| part(id, note(by(dana()), id, 0)));
    let mapped = bench.map(conversation(), parts.to_vec());
    let times: Vec<String> = mapped.children[0]
        .iter()
        .map(|c| value(c, "hs_timestamp"))
        .collect();
    assert_eq!(
        times,
        [
            "2026-10-21T14:02:11.250Z",
            "2026-10-21T14:02:11.251Z",
            "2026-10-21T14:02:11.252Z"
        ]
    );
    assert!(notes(&mapped)[0].starts_with("message.sent-at: said within one millisecond"));
}

#[test]
fn a_text_one_character_too_long_stands_in_two_activities_and_one_less_in_one() {
    let bench = Bench::new();
    for (channel, name) in [
        ("email", "hs_email_text"),
        ("chat", "hs_note_body"),
        ("sms", "hs_communication_body"),
    ] {
        let of = |count: usize| {
            let said = Message {
                channel: Some(channel.to_owned()),
                author: by(dana()),
                direction: Direction::None,
                ..message(by(dana()), &"x".repeat(count), 0)
            };
            bench.said(said)
        };
        let above = value(&of(1)[0], name).len() - 1;
        let fits = BODY_CHARS - above;
        assert_eq!(of(fits).len(), 1, "{channel}");
        let two = of(fits + 1);
        assert_eq!(two.len(), 2, "{channel}");
        assert_eq!(two[1].part, "message:m1#2");
        assert_eq!(value(&two[1], own::SOURCE_ID), "old-desk:org1:message:m1#2");
        assert!(value(&two[0], "hs_timestamp") < value(&two[1], "hs_timestamp"));
        let whole: String = two
            .iter()
            .map(|c| without_lead(&value(c, name)).1.to_owned())
            .collect();
        assert_eq!(whole, "x".repeat(fits + 1), "{channel}");
        assert!(
            two.iter()
                .all(|c| text::chars(&value(c, name)) <= BODY_CHARS)
        );
    }
}

#[test]
fn html_that_is_too_long_is_carried_as_text_and_that_is_said() {
    let html = format!("<p>{}</p>", "y ".repeat(BODY_CHARS / 2));
    let said = Message {
        html: Some(Text::Inline(html)),
        ..message(by(dana()), "the text", 0)
    };
    let mapped = Bench::new().map(conversation(), vec![part("m1", said)]);
    let child = &mapped.children[0][0];
    assert_eq!(value(child, "hs_email_html"), "");
    assert_eq!(value(child, "hs_email_text"), "the text");
    assert!(
        notes(&mapped).contains(
            &"message.html: HTML too long for an activity: carried as plain text, and as a file"
                .to_owned()
        )
    );
}

#[test]
fn a_thread_of_one_activity_too_many_continues_in_a_linked_ticket() {
    let mut bench = Bench::new();
    bench.activities = 5;
    let parts = |count: i64| -> Vec<Part> {
        let one = |n: i64| part(&format!("m{n}"), note(by(dana()), "x", n * 1_000));
        (0..count).map(one).collect()
    };
    let fits = bench.map(conversation(), parts(5));
    assert_eq!((fits.tickets.len(), fits.children[0].len()), (1, 5));
    let over = bench.map(conversation(), parts(6));
    assert_eq!(over.tickets.len(), 2);
    assert!(over.children.iter().all(|children| children.len() <= 5));
    let second = &over.tickets[1];
    assert!(second.continues);
    assert_eq!(
        second.properties["subject"],
        json!("Where is my order? 📦 (part 2)")
    );
    assert_eq!(
        second.properties[own::SOURCE_ID],
        json!("old-desk:org1:conversation:v1#2")
    );
    assert!(!second.properties.contains_key(own::CARD));
    let said: Vec<&Child> = over.children.iter().flatten().collect();
    let own: Vec<&str> = said
        .iter()
        .map(|c| c.part.as_str())
        .filter(|p| !p.starts_with("message"))
        .collect();
    assert_eq!(own, ["continues", "continued#2"]);
    let markers: BTreeSet<String> = said.iter().map(|c| value(c, own::SOURCE_ID)).collect();
    assert_eq!(
        markers.len(),
        said.len(),
        "each can be told from the others"
    );
}

#[test]
fn what_has_no_place_is_named_and_nothing_is_dropped_in_silence() {
    let bench = Bench::new();
    let draft = Message {
        delivery: Delivery {
            status: DeliveryStatus::Draft,
            ..Delivery::unknown()
        },
        ..message(by(dana()), "never sent", 0)
    };
    let conversation = Conversation {
        customer: Some(Reference::new(Kind::Customer, "c9").called("Bo")),
        teams: vec![Reference::new(Kind::Team, "t1").called("Night desk")],
        tags: vec![Reference::new(Kind::Tag, "t2").called("Lost")],
        subject: None,
        ..conversation()
    };
    let mapped = bench.map(conversation, vec![part("m1", draft)]);
    assert_eq!(ticket(&mapped)["subject"], json!("(no subject)"));
    assert_eq!(mapped.tickets[0].contact, None);
    for fact in [
        "customer: Bo (customer c9)",
        "teams: team t1 (Night desk)",
        "tags: Lost",
        "not loaded: id m1; a draft, never sent",
    ] {
        assert!(card(&mapped).contains(fact), "{fact}\n{}", card(&mapped));
    }
    let fields: BTreeSet<String> = mapped
        .losses
        .iter()
        .map(|loss| loss.field.clone())
        .collect();
    let wanted = [
        "conversation.customer",
        "conversation.tags",
        "conversation.teams",
        "message",
    ];
    assert_eq!(fields.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_file_that_is_not_there_is_named_in_its_message() {
    let mut bench = Bench::new();
    bench.files.insert(
        "f1".to_owned(),
        File::NotTaken("HubSpot refuses it".to_owned()),
    );
    let mut said = part("m1", note(by(dana()), "see", 0));
    said.attachments = vec![attachment("f1", None)];
    let mapped = bench.map(conversation(), vec![said]);
    let body = value(&mapped.children[0][0], "hs_note_body");
    assert_eq!(
        body,
        "<p>[Migrated: file naïve name.png is missing here: HubSpot refuses it]</p>see"
    );
    assert_eq!(mapped.refused.len(), 1);
}

#[test]
fn a_card_that_is_too_long_goes_on_in_notes_at_the_end() {
    let conversation = Conversation {
        ended_reason: Some("z".repeat(BODY_CHARS)),
        ..conversation()
    };
    let mapped = Bench::new().map(conversation, vec![part("m1", note(by(dana()), "x", 0))]);
    assert!(text::chars(card(&mapped)) <= BODY_CHARS);
    let last = mapped.children[0].last().unwrap();
    assert!(last.part.starts_with("card:"));
    assert!(value(last, "hs_note_body").starts_with("<p>[Migrated: source card, part "));
    assert!(value(last, "hs_timestamp") > value(&mapped.children[0][0], "hs_timestamp"));
}

#[test]
fn what_hubspot_does_not_take_is_a_note_with_the_same_text() {
    let mail = Message {
        sender: Some("ana@example.com".to_owned()),
        ..message(by(ana()), "Hi\nyou", 0)
    };
    let child = Bench::new().said(mail).remove(0);
    let note = thread::as_note(&child, "VALIDATION_ERROR").unwrap();
    assert_eq!(
        (note.kind, note.part.as_str()),
        (Activity::Note, "message:m1/note")
    );
    let body = value(&note, "hs_note_body");
    let (facts, rest) = text::html_without_lead(&body);
    assert_eq!(rest, "Hi<br>you");
    assert!(
        facts
            .unwrap()
            .starts_with("public; one of HubSpot's emails that it did not take: VALIDATION_ERROR")
    );
    assert_eq!(value(&note, "hs_timestamp"), value(&child, "hs_timestamp"));
    assert!(thread::as_note(&note, "x").is_none());
}

#[test]
fn an_author_who_is_not_taken_is_named_above_the_text() {
    let child = Bench::new().said(note(by(dana()), "Asked.", 0)).remove(0);
    let named = thread::without_owner(child);
    assert_eq!(value(&named, "hubspot_owner_id"), "");
    assert_eq!(
        value(&named, "hs_note_body"),
        "<p>[Migrated: written by Dana (agent a1)]</p>Asked."
    );
}
