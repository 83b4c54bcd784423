//! Golden imports: what a thread becomes, to the byte.

use std::collections::{BTreeMap, BTreeSet};

use transload_plugin_zendesk::map;
use transload_plugin_zendesk::state::{Config, State};
use transload_plugin_zendesk::thread::{self, File, Surroundings};
use transload_sdk::destination::{Item, Part, SlotValue, Thread};
use transload_sdk::thread::Unit;
use transload_sdk::types::{
    Attachment, Author, Conversation, ConversationStatus, Delivery, DeliveryStatus, Direction,
    Entity, Entry, Error, Field, Head, Kind, Message, Priority, Reference, Text, Value, Visibility,
};

/// 21 October 2026, 14:02:11.250 UTC.
const START: i64 = 1_792_591_331_250;

fn head(kind: Kind, id: &str) -> Head {
    Head {
        created_at: Some(START),
        ..Head::new(kind, id.to_owned())
    }
}

fn reference(kind: Kind, id: &str, target: Option<&str>) -> Reference {
    let plain = Reference::new(kind, id);
    target.map_or(plain.clone(), |target| plain.at(target))
}

fn conversation() -> Conversation {
    Conversation {
        customer: Some(reference(Kind::Customer, "c1", Some("827"))),
        subject: Some("Where is my order? 📦".to_owned()),
        status: ConversationStatus::Closed,
        priority: Some(Priority {
            value: 3,
            lowest: 1,
            highest: 5,
        }),
        assignees: vec![reference(Kind::Agent, "a1", Some("19"))],
        teams: vec![reference(Kind::Team, "t1", Some("98738"))],
        channels: vec!["email".to_owned()],
        tags: vec![reference(Kind::Tag, "g1", Some("vip"))],
        direction: Direction::Inbound,
        closed_at: Some(START + 3_600_000),
        ..Conversation::empty()
    }
}

fn message(author: Author, visibility: Visibility, text: &str, after: i64) -> Message {
    Message {
        conversation: Some(reference(Kind::Conversation, "v1", None)),
        visibility,
        direction: Direction::Inbound,
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

fn part(id: &str, message: Message) -> Part {
    let entry = Entry {
        head: head(Kind::Message, id),
        data: Entity::Message(message),
    };
    Part {
        message: entry,
        attachments: Vec::new(),
    }
}

fn customer() -> Author {
    Author::Person(reference(Kind::Customer, "c1", Some("827")))
}

fn agent() -> Author {
    Author::Person(reference(Kind::Agent, "a1", Some("19")))
}

fn attachment(id: &str, content_id: Option<&str>) -> Entry {
    let attachment = Attachment {
        media_type: Some("image/png".to_owned()),
        size: Some(3),
        inline: content_id.is_some(),
        content_id: content_id.map(str::to_owned),
        ..Attachment::of(
            reference(Kind::Message, "m1", None),
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
    members: BTreeSet<(u64, u64)>,
}

impl Bench {
    fn new() -> Self {
        let state = State {
            me: 1,
            stand_in: 7,
            stand_in_requester: 8,
            ticket_source_id: 501,
            ticket_source_url: 502,
            ..State::default()
        };
        let members = BTreeSet::from([(19, 98738), (7, 98738)]);
        Self {
            state,
            config: Config {
                subdomain: "acme".to_owned(),
                ..Config::default()
            },
            files: BTreeMap::new(),
            members,
        }
    }

    fn map(
        &self,
        conversation: Conversation,
        fields: Vec<Field>,
        parts: Vec<Part>,
    ) -> Result<thread::Mapped, Error> {
        let mut conversation_head = head(Kind::Conversation, "v1");
        conversation_head.fields = fields;
        conversation_head.url = Some("https://old.example/v1".to_owned());
        let entry = Entry {
            head: conversation_head,
            data: Entity::Conversation(conversation),
        };
        let thread = Thread {
            conversation: entry,
            parts,
        };
        let item = Item {
            values: vec![SlotValue {
                slot: "channel".to_owned(),
                value: "email".to_owned(),
            }],
            ..Item::new("i1", "old-desk:org1:conversation:v1", thread.clone())
        };
        let (options, texts) = (BTreeMap::new(), BTreeMap::new());
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
            options: &options,
            members: Some(&self.members),
            files: &self.files,
        };
        thread::map_thread(&item, &thread, &around)
    }
}

fn bodies(mapped: &thread::Mapped) -> Vec<(u64, bool, String)> {
    let comments = mapped.tickets.iter().flat_map(|ticket| &ticket.comments);
    comments
        .map(|c| {
            (
                c.author_id,
                c.public,
                c.html_body.clone().or(c.body.clone()).unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn a_thread_is_one_ticket_with_everything_in_its_one_call() {
    let parts = vec![
        part(
            "m1",
            message(
                customer(),
                Visibility::Public,
                "Hi\r\nwhere is it? \u{200d}",
                0,
            ),
        ),
        part(
            "m2",
            message(agent(), Visibility::Internal, "Asked Dana.", 60_000),
        ),
    ];
    let mapped = Bench::new().map(conversation(), Vec::new(), parts).unwrap();
    insta::assert_json_snapshot!(mapped.tickets, @r##"
    [
      {
        "external_id": "old-desk:org1:conversation:v1",
        "subject": "Where is my order? 📦",
        "requester_id": 827,
        "submitter_id": 827,
        "assignee_id": 19,
        "group_id": 98738,
        "status": "closed",
        "priority": "normal",
        "via": {
          "channel": "email"
        },
        "tags": [
          "channel_email",
          "imported_kustomer",
          "transload_run_r1",
          "vip"
        ],
        "created_at": "2026-10-21T14:02:11Z",
        "updated_at": "2026-10-21T14:03:11Z",
        "solved_at": "2026-10-21T15:02:11Z",
        "custom_fields": [
          {
            "id": 501,
            "value": "v1"
          },
          {
            "id": 502,
            "value": "https://old.example/v1"
          }
        ],
        "comments": [
          {
            "author_id": 827,
            "public": true,
            "created_at": "2026-10-21T14:02:11Z",
            "body": "Hi\r\nwhere is it? ‍"
          },
          {
            "author_id": 19,
            "public": false,
            "created_at": "2026-10-21T14:03:11Z",
            "body": "Asked Dana."
          },
          {
            "author_id": 1,
            "public": false,
            "created_at": "2026-10-21T14:03:11Z",
            "body": "[Migrated: source card]\n\nSource: kustomer\nSource id: v1\nMarker: old-desk:org1:conversation:v1\nLink: https://old.example/v1\nCreated: 2026-10-21T14:02:11.250Z\nstatus: closed\npriority: 3 on 1..5\nassignees: agent a1 (https://acme.zendesk.com/agent/users/19)\nteams: team t1\nchannels: email\ndirection: inbound\nclosed: 2026-10-21T15:02:11.250Z\n\n{\"transload_card\":1,\"source\":\"old-desk:org1:conversation:v1\",\"id\":\"v1\",\"url\":\"https://old.example/v1\",\"created_at\":\"2026-10-21T14:02:11.250Z\",\"facts\":[[\"status\",\"closed\"],[\"priority\",\"3 on 1..5\"],[\"assignees\",\"agent a1 (https://acme.zendesk.com/agent/users/19)\"],[\"teams\",\"team t1\"],[\"channels\",\"email\"],[\"direction\",\"inbound\"],[\"closed\",\"2026-10-21T15:02:11.250Z\"]]}\n\nmessages:\n1: id m1; sent 2026-10-21T14:02:11.250Z; direction inbound\n2: id m2; sent 2026-10-21T14:03:11.250Z; made 2026-10-21T14:02:11.250Z; direction inbound\n"
          }
        ]
      }
    ]
    "##);
    assert_eq!(mapped.losses, Vec::new());
}

#[test]
fn drafts_deleted_parts_and_events_are_skipped_and_said_so() {
    let mut draft = message(agent(), Visibility::Public, "never sent", 0);
    draft.delivery.status = DeliveryStatus::Draft;
    let mut deleted = part("m2", message(customer(), Visibility::Public, "gone", 1));
    deleted.message.head.deleted = true;
    let event = message(Author::System, Visibility::Event, "assigned", 2);
    let said = message(customer(), Visibility::Public, "stays", 3);
    let parts = vec![
        part("m1", draft),
        deleted,
        part("m3", event),
        part("m4", said),
    ];
    let mapped = Bench::new().map(conversation(), Vec::new(), parts).unwrap();
    let bodies = bodies(&mapped);
    assert_eq!(bodies.len(), 2, "one comment and the card: {bodies:?}");
    let skipped = mapped.losses.iter().filter(|l| l.field == "message");
    let notes: BTreeSet<&str> = skipped.map(|l| l.note.as_str()).collect();
    assert_eq!(notes.len(), 3, "a sentence per cause: {notes:?}");
    // The report groups by these sentences; which messages they are is on the card.
    for id in ["m1", "m2", "m3"] {
        assert!(notes.iter().all(|note| !note.contains(id)), "{notes:?}");
        let line = format!("not loaded: id {id}; ");
        assert!(bodies[1].2.contains(&line), "{bodies:?}");
    }
}

#[test]
fn a_former_agent_is_named_above_the_text_and_never_assigned() {
    let former = map::placeholder(7, "Ana Ruiz");
    let author = Author::Person(reference(Kind::Agent, "a9", Some(&former)));
    let mut failed = message(author, Visibility::Public, "Sorry!", 0);
    failed.delivery = Delivery {
        status: DeliveryStatus::Failed,
        error: Some("mailbox full".to_owned()),
        failed_at: None,
    };
    let mut conversation = conversation();
    conversation.status = ConversationStatus::Open;
    conversation.assignees = vec![reference(Kind::Agent, "a9", Some(&former))];
    let mapped = Bench::new()
        .map(conversation, Vec::new(), vec![part("m1", failed)])
        .unwrap();
    let first = bodies(&mapped).remove(0);
    assert_eq!(
        first,
        (
            7,
            true,
            "[Migrated: written by Ana Ruiz (agent a9); not delivered: mailbox full]\n\nSorry!"
                .to_owned()
        )
    );
    assert_eq!(mapped.tickets.first().unwrap().assignee_id, None);
}

#[test]
fn a_finished_ticket_always_has_an_assignee() {
    let mut conversation = conversation();
    conversation.assignees = Vec::new();
    let mapped = Bench::new()
        .map(conversation, Vec::new(), Vec::new())
        .unwrap();
    assert_eq!(mapped.tickets.first().unwrap().assignee_id, Some(7));
}

#[test]
fn inline_images_point_to_their_new_place_and_refused_files_are_named() {
    let mut with_image = message(customer(), Visibility::Public, "see", 0);
    with_image.html = Some(Text::Inline("<p>see <img src=\"cid:pic1\"></p>".to_owned()));
    let mut first = part("m1", with_image);
    first.attachments = vec![attachment("f1", Some("<pic1>")), attachment("f2", None)];
    let mut bench = Bench::new();
    let uploaded = File::Uploaded {
        token: "tok1".to_owned(),
        content_url: "https://acme/att/1".to_owned(),
    };
    bench.files.insert("f1".to_owned(), uploaded);
    bench.files.insert(
        "f2".to_owned(),
        File::Refused("larger than Zendesk takes", "too large".to_owned()),
    );
    let mapped = bench.map(conversation(), Vec::new(), vec![first]).unwrap();
    let comment = mapped
        .tickets
        .first()
        .unwrap()
        .comments
        .first()
        .unwrap()
        .clone();
    assert_eq!(comment.uploads, ["tok1"]);
    let html = comment.html_body.unwrap();
    assert!(
        html.ends_with("<p>see <img src=\"https://acme/att/1\"></p>"),
        "{html}"
    );
    assert!(html.contains("is missing here: too large"), "{html}");
    assert_eq!(mapped.perishable, ["tok1", "https://acme/att/1"]);
}

#[test]
fn a_text_beyond_the_limit_is_whole_again_when_its_comments_are_joined() {
    let long: String = (0..30_000).map(|n| format!("{n}é\n")).collect();
    let parts = vec![part(
        "m1",
        message(customer(), Visibility::Public, &long, 0),
    )];
    let mapped = Bench::new().map(conversation(), Vec::new(), parts).unwrap();
    let comments = &mapped.tickets.first().unwrap().comments;
    let said = comments.iter().take(comments.len() - 1);
    let joined: String = said
        .map(|c| c.body.as_deref().unwrap())
        .map(|body| body.split_once("]\n\n").unwrap().1)
        .collect();
    assert_eq!(joined, long);
    assert!(
        comments
            .iter()
            .all(|c| c.body.as_ref().unwrap().len() < 65_535)
    );
}

#[test]
fn a_thread_one_above_the_limit_continues_in_a_linked_ticket() {
    let one = |n: usize| {
        part(
            &format!("m{n}"),
            message(customer(), Visibility::Public, "x", n as i64),
        )
    };
    let parts: Vec<Part> = (0..5_001).map(one).collect();
    let mut mapped = Bench::new().map(conversation(), Vec::new(), parts).unwrap();
    assert_eq!(mapped.tickets.len(), 2);
    assert!(
        mapped
            .tickets
            .iter()
            .all(|ticket| ticket.comments.len() <= 5_000)
    );
    let said = mapped
        .tickets
        .iter()
        .flat_map(|t| &t.comments)
        .filter(|c| c.body.as_deref() == Some("x"));
    assert_eq!(said.count(), 5_001);
    let second = mapped.tickets.get_mut(1).unwrap();
    assert_eq!(second.external_id, "old-desk:org1:conversation:v1#2");
    thread::link_back(second, 1, 44);
    assert_eq!(
        second.comments.first().unwrap().body.as_deref(),
        Some("[Migrated: continues ticket #44]")
    );
    assert!(second.comments.len() <= 5_000);
}

#[test]
fn a_customer_who_was_not_migrated_is_named_and_a_stand_in_has_the_ticket() {
    let bo = || Reference::new(Kind::Customer, "c9").called("Bo Ng");
    let mut conversation = conversation();
    conversation.customer = Some(bo());
    let parts = vec![
        part("m1", message(agent(), Visibility::Public, "Hello?", 0)),
        part(
            "m2",
            message(Author::Person(bo()), Visibility::Public, "Hi!", 1_000),
        ),
    ];
    let mapped = Bench::new().map(conversation, Vec::new(), parts).unwrap();
    assert_eq!(mapped.tickets.first().unwrap().requester_id, 8);
    let bodies = bodies(&mapped);
    assert_eq!(
        bodies[0].2,
        "[Migrated: a conversation with Bo Ng (customer c9)]\n\nHello?"
    );
    assert_eq!(
        bodies[1],
        (
            7,
            true,
            "[Migrated: written by Bo Ng (customer c9)]\n\nHi!".to_owned()
        )
    );
    assert!(
        bodies[2].2.contains("\ncustomer: customer c9 (Bo Ng)\n"),
        "{bodies:?}"
    );
    let said = mapped
        .losses
        .iter()
        .filter(|loss| loss.field == "conversation.customer");
    assert_eq!(said.count(), 1);
}

#[test]
fn a_value_that_does_not_fit_its_field_goes_onto_the_card() {
    let fields = vec![Field {
        name: "countNum".to_owned(),
        value: Value::Text("many".to_owned()),
        target: Some("ticket_field:77:integer".to_owned()),
    }];
    let mapped = Bench::new()
        .map(conversation(), fields, Vec::new())
        .unwrap();
    let ticket = mapped.tickets.first().unwrap();
    assert!(ticket.custom_fields.iter().all(|field| field.id != 77));
    let card = ticket.comments.last().unwrap().body.clone().unwrap();
    assert!(card.contains("field countNum: many"), "{card}");
    assert!(
        mapped
            .losses
            .iter()
            .any(|loss| loss.field == "fields.countNum")
    );
}

#[test]
fn an_assignee_outside_the_group_keeps_the_ticket_and_loses_the_group() {
    let mut bench = Bench::new();
    bench.members.clear();
    let mapped = bench.map(conversation(), Vec::new(), Vec::new()).unwrap();
    let ticket = mapped.tickets.first().unwrap();
    assert_eq!((ticket.assignee_id, ticket.group_id), (Some(19), None));
}

#[test]
fn the_print_of_what_was_sent_equals_the_print_of_what_comes_back() {
    let parts = vec![part(
        "m1",
        message(customer(), Visibility::Public, "a < b & c", 0),
    )];
    let mapped = Bench::new().map(conversation(), Vec::new(), parts).unwrap();
    let sent = mapped.tickets.first().unwrap();
    let recorded = map::print(&thread::ticket_facets(sent));
    let comment = |c: &transload_plugin_zendesk::api::ImportComment| {
        let text = c.body.clone().unwrap_or_default();
        let html = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('\n', "<br>");
        transload_plugin_zendesk::api::Comment {
            author_id: c.author_id,
            public: c.public,
            html_body: format!(
                "<div class=\"zd-comment\" dir=\"auto\"><p dir=\"auto\">{html}</p></div>"
            ),
            created_at: Some(c.created_at.clone()),
            ..Default::default()
        }
    };
    let mut read = transload_plugin_zendesk::api::Ticket {
        subject: Some(sent.subject.clone()),
        status: "closed".to_owned(),
        priority: sent.priority.clone(),
        requester_id: Some(sent.requester_id),
        assignee_id: sent.assignee_id,
        group_id: sent.group_id,
        custom_fields: sent.custom_fields.clone(),
        ..Default::default()
    };
    let comments: Vec<_> = sent.comments.iter().map(comment).collect();
    assert_eq!(
        map::changed(&recorded, &thread::read_facets(&read, Some(&comments))),
        Vec::<String>::new()
    );
    read.subject = Some("edited".to_owned());
    assert_eq!(
        map::changed(&recorded, &thread::read_facets(&read, None)),
        ["subject"]
    );
    let fewer = comments.get(..1);
    assert!(
        map::changed(&recorded, &thread::read_facets(&read, fewer))
            .contains(&"comments".to_owned())
    );
}

#[test]
fn a_link_to_a_record_of_the_source_stays_and_the_source_card_names_the_record_and_its_place() {
    use transload_sdk::types::TextLink;
    let link = |id: &str, to: Reference| TextLink {
        url: format!("https://old.example/{id}"),
        to,
    };
    let text = "See https://old.example/v7 and https://old.example/c3";
    let links = vec![
        link(
            "v7",
            reference(Kind::Conversation, "v7", Some("77")).called("Broken cup"),
        ),
        link("c3", reference(Kind::Customer, "c3", None)),
    ];
    let said = Message {
        links,
        ..message(agent(), Visibility::Internal, text, 0)
    };
    let mapped = Bench::new()
        .map(conversation(), Vec::new(), vec![part("m1", said)])
        .unwrap();
    let bodies = bodies(&mapped);
    assert_eq!(bodies[0].2, text);
    let card = &bodies[1].2;
    for words in [
        "link https://old.example/v7 is conversation v7 (Broken cup, https://acme.zendesk.com/agent/tickets/77)",
        "link https://old.example/c3 is customer c3",
    ] {
        assert!(card.contains(words), "{card}");
    }
    let losses = mapped.losses.iter().filter(|l| l.field == "message.links");
    let notes: Vec<&str> = losses.map(|l| l.note.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].ends_with("says where its record is now"),
        "{notes:?}"
    );
    assert!(notes[1].ends_with("the source card names it"), "{notes:?}");
}
