//! Threads as tickets: what is said, by whom, to whom, when; files; what has no place; long ones.

use crate::support::*;
use transload_plugin_gorgias::Gorgias;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, UndoMode, Written};
use transload_sdk::ledger::{Outcome, Status, UndoStatus};
use transload_sdk::thread::without_lead;
use transload_sdk::types::{
    Attachment, AttachmentState, Author, Conversation, ConversationStatus, Delivery,
    DeliveryStatus, Direction, Entity, Fidelity, FieldType, Kind, Message, Owner, Priority,
    Reference, Satisfaction, Text, Value, Visibility,
};
use transload_simulators::gorgias::model::Status as TicketStatus;

/// Changes the record of an item.
fn edit(item: &mut Item, change: impl FnOnce(&mut Conversation)) {
    if let Some(Entity::Conversation(data)) = item.body.entries.first_mut().map(|e| &mut e.data) {
        change(data);
    }
}

/// A part with a message of the test's.
fn part(id: &str, at: i64, message: Message) -> transload_sdk::destination::Part {
    let message = Message {
        sent_at: Some(at),
        ..message
    };
    transload_sdk::destination::Part {
        message: entry(Kind::Message, id, vec![], Entity::Message(message)),
        attachments: vec![],
    }
}

fn text(text: &str) -> Option<Text> {
    Some(Text::Inline(text.to_owned()))
}

async fn written(account: &Account, item: Item) -> Outcome {
    account
        .write(Kind::Conversation, vec![item])
        .await
        .remove(0)
}

fn of_bo(account: &Account) -> Conversation {
    Conversation {
        customer: Some(account.bo()),
        channels: vec!["chat".to_owned()],
        ..Conversation::empty()
    }
}

/// What was read back of an item, compared with what was written by the host.
async fn read_back(account: &Account, item: &str) -> transload_sdk::destination::Observed {
    let written = Written {
        item: item.to_owned(),
        kind: Kind::Conversation,
        effects: account.effects_of(item),
    };
    let harness = account.harness();
    Gorgias::read_back(&harness.context(), vec![written])
        .await
        .unwrap()
        .remove(0)
}

#[test]
fn odd_texts_are_read_back_byte_for_byte() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let texts = [
            " leading and trailing \n\n",
            "\u{202e}right to left\u{200d} 📦",
            "[Migrated: x] begins like our own line",
            "a < b & c > d \"quoted\"\r\nnext\tline",
            "\n\nbegins low",
            &"long ".repeat(60_000),
        ];
        let parts = texts
            .iter()
            .enumerate()
            .map(|(n, t)| {
                said(
                    &format!("m{n}"),
                    Author::Person(account.bo()),
                    t,
                    DAY + n as i64 * 1_000,
                )
            })
            .collect();
        let outcome = written(&account, thread("v1", vec![], of_bo(&account), parts)).await;
        assert!(is_created(&outcome), "{outcome:?}");
        let observed = read_back(&account, "conversation:v1").await;
        let body = observed.body.unwrap();
        let back = body.thread().unwrap();
        let harness = account.harness();
        let read: Vec<String> = back
            .parts
            .iter()
            .map(|part| match &part.message.data {
                Entity::Message(Message {
                    text: Some(text), ..
                }) => harness
                    .context()
                    .blobs()
                    .read_text(text)
                    .unwrap_or_default(),
                _ => String::new(),
            })
            .collect();
        assert_eq!(read.len(), texts.len());
        for (n, wanted) in texts.iter().enumerate() {
            // What is longer than a text is kept in a blob of the reading call.
            if n < 5 {
                assert_eq!(read[n], *wanted);
            }
        }
        let (_, messages) = account.ticket("v1");
        assert_eq!(messages[5].body_text.as_deref(), Some(texts[5]));
        assert_eq!(
            observed.fingerprint,
            account
                .effects_of("conversation:v1")
                .last()
                .unwrap()
                .fingerprint
        );
    });
}

#[test]
fn everything_in_a_thread_has_its_rule() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let bo = || Author::Person(account.bo());
        let parts = vec![
            part(
                "m1",
                DAY,
                Message {
                    author: bo(),
                    html: text("<p>Hi <img src=\"cid:logo\"></p>"),
                    subject: Some("Where?".to_owned()),
                    sender: Some("Bo Ng <bo@example.com>".to_owned()),
                    to: vec!["shop@acme.example".to_owned(), "undisclosed".to_owned()],
                    cc: vec!["Cy <cy@example.com>".to_owned()],
                    message_id: Some("<1@example.com>".to_owned()),
                    channel: Some("email".to_owned()),
                    ..Message::empty()
                },
            ),
            part(
                "m2",
                DAY + 1_000,
                Message {
                    author: Author::Person(Reference::new(Kind::Agent, "a9").called("Ana")),
                    direction: Direction::Outbound,
                    visibility: Visibility::Internal,
                    text: text("Asked the carrier."),
                    ..Message::empty()
                },
            ),
            part(
                "m3",
                DAY + 2_000,
                Message {
                    author: Author::Person(account.dana()),
                    direction: Direction::Outbound,
                    text: text("Sorry"),
                    delivery: Delivery {
                        status: DeliveryStatus::Failed,
                        error: Some("mailbox full".to_owned()),
                        failed_at: None,
                    },
                    ..Message::empty()
                },
            ),
            part(
                "m4",
                DAY + 3_000,
                Message {
                    author: Author::Person(account.dana()),
                    direction: Direction::Outbound,
                    forwarded: true,
                    to: vec!["carrier@example.com".to_owned()],
                    text: text("See below"),
                    ..Message::empty()
                },
            ),
            part(
                "m5",
                DAY + 4_000,
                Message {
                    author: Author::Name("Somebody".to_owned()),
                    direction: Direction::Inbound,
                    text: text("Me too"),
                    ..Message::empty()
                },
            ),
            part(
                "m6",
                DAY + 5_000,
                Message {
                    author: bo(),
                    delivery: Delivery {
                        status: DeliveryStatus::Draft,
                        ..Delivery::unknown()
                    },
                    text: text("never sent"),
                    ..Message::empty()
                },
            ),
            part(
                "m7",
                DAY + 6_000,
                Message {
                    author: Author::System,
                    visibility: Visibility::Event,
                    text: text("assigned"),
                    ..Message::empty()
                },
            ),
        ];
        let outcome = written(&account, thread("v1", vec![], of_bo(&account), parts)).await;
        assert!(is_created(&outcome), "{outcome:?}");
        let (ticket, messages) = account.ticket("v1");
        assert_eq!((ticket.channel.as_str(), messages.len()), ("chat", 6));
        let snapshot = account.snapshot();
        let me = snapshot
            .user_by_email(&account.sim.admin_email())
            .unwrap()
            .id;

        let first = &messages[0];
        assert_eq!(
            (first.channel.as_str(), first.subject.as_deref()),
            ("email", Some("Where?"))
        );
        assert_eq!(first.message_id.as_deref(), Some("<1@example.com>"));
        assert_eq!(first.source["from"]["address"], "bo@example.com");
        assert_eq!(first.source["to"].as_array().unwrap().len(), 1);
        assert_eq!(first.source["cc"][0]["name"], "Cy");
        let note = &messages[1];
        assert_eq!(
            (note.channel.as_str(), note.public, note.sender_id),
            ("internal-note", false, Some(me))
        );
        assert!(
            note.body_text
                .as_deref()
                .unwrap()
                .contains("written by Ana (agent a9)")
        );
        let failed = messages[2].body_text.as_deref().unwrap();
        assert_eq!(
            without_lead(failed),
            (Some("not delivered: mailbox full"), "Sorry")
        );
        let forward = &messages[3];
        assert!(
            !forward.public
                && forward
                    .body_text
                    .as_deref()
                    .unwrap()
                    .contains("forwarded to carrier@example.com")
        );
        let unknown = &messages[4];
        let stand_in = snapshot
            .customers
            .iter()
            .find(|c| c.name == "Customer who was not migrated")
            .unwrap();
        assert_eq!(
            (unknown.from_agent, unknown.sender_id),
            (false, Some(stand_in.id))
        );
        assert!(
            unknown
                .body_text
                .as_deref()
                .unwrap()
                .contains("written by Somebody")
        );
        let card = messages[5].body_text.as_deref().unwrap();
        for said in [
            "not loaded: id m6; a draft, never sent",
            "not loaded: id m7",
            "undisclosed",
        ] {
            assert!(card.contains(said), "{said}: {card}");
        }
        let lost = outcome
            .losses
            .iter()
            .filter(|l| l.field == "message" && l.how == Fidelity::Lost)
            .count();
        assert_eq!(lost, 2);
    });
}

#[test]
fn what_a_ticket_has_a_field_for_is_there_and_the_rest_is_on_the_card() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        account.write(Kind::Team, vec![team("t1", "Billing")]).await;
        let brand = |id: &str, name: &str| {
            let data = transload_sdk::types::Brand {
                name: name.to_owned(),
                is_default: false,
                icon_url: None,
            };
            item(entry(Kind::Brand, id, vec![], Entity::Brand(data)))
        };
        account
            .write(
                Kind::Brand,
                vec![brand("b1", "Acme Sport"), brand("b2", "Acme Home")],
            )
            .await;
        let owner = || Owner {
            kind: Kind::Conversation,
            object_type: None,
        };
        let tree = with_options(
            definition(owner(), "reasonTree", "Reason", FieldType::Tree),
            &[
                ("Shipping", "Shipping"),
                ("Shipping.late", "Late"),
                ("Other", "Other"),
            ],
        );
        let items = vec![
            tree,
            definition(owner(), "amountNum", "Amount", FieldType::Decimal),
            definition(owner(), "dueAt", "Due", FieldType::Date),
            definition(owner(), "vipBool", "VIP", FieldType::Boolean),
        ];
        let made = account.write(Kind::FieldDefinition, items).await;
        assert!(made.iter().all(is_created), "{made:?}");
        let at = |name: &str| account.field_at("conversation", name);
        let fields = vec![
            field(
                "reasonTree",
                Value::Path(vec!["Shipping".to_owned(), "late".to_owned()]),
                at("reasonTree"),
            ),
            field(
                "amountNum",
                Value::Decimal("64.670".to_owned()),
                at("amountNum"),
            ),
            field("dueAt", Value::Date("2024-02-29".to_owned()), at("dueAt")),
            field("vipBool", Value::Boolean(false), at("vipBool")),
            field("oddStr", Value::Text("odd".to_owned()), None),
        ];
        let data = Conversation {
            subject: Some("x".repeat(1_200)),
            status: ConversationStatus::Snoozed,
            snooze_until: Some(account.now() + 86_400_000),
            priority: Some(Priority {
                value: 5,
                lowest: 1,
                highest: 5,
            }),
            assignees: vec![account.dana(), Reference::new(Kind::Agent, "a9")],
            teams: vec![account.known(Reference::new(Kind::Team, "t1"))],
            brand: Some(account.known(Reference::new(Kind::Brand, "b2"))),
            channels: vec!["voice".to_owned()],
            language: Some("fr_fr".to_owned()),
            satisfaction: Some(Satisfaction {
                status: Some("commented".to_owned()),
                score: Some("1".to_owned()),
                rating: Some("4".to_owned()),
                scale: Some("numeric, 5 options".to_owned()),
                channel: None,
                survey: None,
                sent_at: Some(DAY),
                answered_at: None,
                answers: vec![("Why?".to_owned(), "Fast.".to_owned())],
            }),
            ..of_bo(&account)
        };
        let parts = vec![said("m1", Author::Person(account.bo()), "Hi", DAY)];
        let outcome = written(&account, thread("v1", fields, data, parts)).await;
        assert!(is_created(&outcome), "{outcome:?}");
        let (ticket, messages) = account.ticket("v1");
        let snapshot = account.snapshot();
        for (label, value) in [
            ("Reason", serde_json::json!("Shipping > Late")),
            ("Amount", serde_json::json!(64.67)),
            ("Due", serde_json::json!("2024-02-29")),
            ("VIP", serde_json::json!(false)),
            ("Brand", serde_json::json!("Acme Home")),
        ] {
            assert_eq!(
                snapshot.ticket_field(&ticket, label),
                Some(&value),
                "{label}"
            );
        }
        assert_eq!(ticket.subject.unwrap().len(), 998);
        assert_eq!(
            (ticket.status, ticket.priority.as_str()),
            (TicketStatus::Closed, "critical")
        );
        assert!(ticket.snooze_at.is_some() && ticket.assignee_team_id.is_some());
        assert_eq!(
            (ticket.channel.as_str(), ticket.language.as_deref()),
            ("phone", Some("fr"))
        );
        let (ticket, _) = account.ticket("v1");
        let survey = snapshot.survey(&ticket).unwrap();
        assert_eq!(
            (survey.score, survey.body_text.as_deref()),
            (Some(4), Some("Fast."))
        );
        let card = messages.last().unwrap().body_text.as_deref().unwrap();
        for said in [
            "field oddStr: odd",
            "priority: 5 on 1..5",
            "satisfaction: 4, score 1",
            "agent a9",
        ] {
            assert!(card.contains(said), "{said}: {card}");
        }
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn a_thread_of_one_message_more_than_a_creation_takes_is_whole_and_closed() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.print();
        account.prepare().await;
        account.people().await;
        for count in [499, 500, 501] {
            let parts = (0..count)
                .map(|n| {
                    let author = Author::Person(if n % 2 == 0 {
                        account.bo()
                    } else {
                        account.dana()
                    });
                    said(
                        &format!("{count}-m{n}"),
                        author,
                        &format!("text {n}"),
                        DAY + n * 1_000,
                    )
                })
                .collect();
            let id = format!("v{count}");
            let data = Conversation {
                status: ConversationStatus::Closed,
                closed_at: Some(DAY + 900_000),
                ..of_bo(&account)
            };
            let harness = account.harness();
            let item = thread(&id, vec![], data, parts);
            let outcome = {
                let cx = harness.context();
                Gorgias::write(&cx, Kind::Conversation, vec![item.clone()])
                    .await
                    .unwrap();
                cx.reported().await.unwrap();
                harness.outcomes().remove(0)
            };
            assert!(is_created(&outcome), "{outcome:?}");
            assert_eq!(harness.unclaimed(), Vec::<String>::new());
            // The card is a message, too.
            let calls = harness.exchanges().len();
            // The first of a unit is looked at once more.
            assert_eq!(
                calls,
                if count < 500 {
                    2
                } else {
                    2 + (count as usize - 499) + 1
                },
                "{count}"
            );
            let (ticket, messages) = account.ticket(&id);
            assert_eq!(messages.len(), count as usize + 1);
            assert_eq!(ticket.status, TicketStatus::Closed, "{count}");
            assert_eq!(ticket.closed_at.unwrap().timestamp(), DAY / 1_000 + 900);
            account.assert_silent();
            // For the rollback.
            let (cx, again) = harness.replay();
            Gorgias::write(&cx, Kind::Conversation, vec![item])
                .await
                .unwrap();
            cx.reported().await.unwrap();
            assert_eq!(harness.same_way(&again), None);
            for one in outcome.effects.iter().filter(|e| e.target_kind == "ticket") {
                account
                    .sim
                    .delete_ticket(one.target_id.parse().unwrap())
                    .unwrap();
            }
        }
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.print(), "as it was");
    });
}

#[test]
fn a_long_thread_is_taken_back_with_one_ticket() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.print();
        account.prepare().await;
        account.people().await;
        let parts = (0..520)
            .map(|n| {
                said(
                    &format!("m{n}"),
                    Author::Person(account.bo()),
                    "text",
                    DAY + n * 1_000,
                )
            })
            .collect();
        let outcome = written(&account, thread("v1", vec![], of_bo(&account), parts)).await;
        assert!(is_created(&outcome));
        let of_messages = outcome
            .effects
            .iter()
            .filter(|e| e.target_kind == "message")
            .count();
        assert_eq!(
            (of_messages, outcome.effects.last().unwrap().part.as_str()),
            (21, "main")
        );
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.print(), "as it was");
    });
}

#[test]
fn files_are_uploaded_together_and_those_that_are_not_taken_are_named() {
    run(async {
        let account = Account::with(|config| config.switches.upload_max_bytes = 1_000).await;
        account.people().await;
        let mut account = account;
        account.set("max_attachment_bytes", 5_000);
        let mut part = said("m1", Author::Person(account.bo()), "See files", DAY);
        if let Entity::Message(message) = &mut part.message.data {
            message.html = text("<p>See <img src=\"cid:pic\"></p>");
        }
        let mut picture = file("f1", "naïve \u{202e}\"name\".png", 3);
        if let Entity::Attachment(attachment) = &mut picture.data {
            attachment.inline = true;
            attachment.content_id = Some("<pic>".to_owned());
        }
        let mut gone = file("f5", "gone.txt", 3);
        if let Entity::Attachment(attachment) = &mut gone.data {
            attachment.content = None;
            attachment.state = AttachmentState::Redacted;
        }
        part.attachments = vec![
            picture,
            file("f2", "refused.bin", 2_000),
            file("f3", "too large.bin", 9_000),
            file("f4", "", 0),
            gone,
        ];
        let outcome = written(&account, thread("v1", vec![], of_bo(&account), vec![part])).await;
        assert!(is_created(&outcome), "{outcome:?}");
        let (_, messages) = account.ticket("v1");
        let first = &messages[0];
        let names: Vec<&str> = first.attachments.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["naïve \u{202e}\"name\".png", "file"]);
        let url = &first.attachments[0].url;
        assert!(
            first
                .body_html
                .as_deref()
                .unwrap()
                .contains(&format!("<img src=\"{url}\">")),
            "{:?}",
            first.body_html
        );
        let lead = without_lead(first.body_text.as_deref().unwrap())
            .0
            .unwrap()
            .to_owned();
        for name in ["refused.bin", "too large.bin", "gone.txt"] {
            assert!(lead.contains(name), "{lead}");
        }
        assert_eq!(outcome.refused.len(), 1);
        assert_eq!(
            outcome.refused[0].place, 3,
            "the file's place behind record, message and picture"
        );
        let lost = outcome
            .losses
            .iter()
            .filter(|l| l.field == "attachment")
            .count();
        assert_eq!(lost, 2);
        assert_eq!(account.snapshot().files.len(), 2);
    });
}

#[test]
fn files_of_twenty_megabytes_go_in_uploads_of_their_own() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let mut part = said("m1", Author::Person(account.bo()), "Big", DAY);
        part.attachments = vec![
            file("f1", "one.bin", 20 * 1024 * 1024),
            file("f2", "two.bin", 20 * 1024 * 1024),
            file("f3", "three.txt", 10),
        ];
        let harness = account.harness();
        let item = thread("v1", vec![], of_bo(&account), vec![part]);
        Gorgias::write(&harness.context(), Kind::Conversation, vec![item])
            .await
            .unwrap();
        let uploads = harness
            .exchanges()
            .iter()
            .filter(|e| e.request.url.starts_with("/upload"))
            .count();
        assert_eq!(uploads, 2);
        assert_eq!(account.ticket("v1").1[0].attachments.len(), 3);
    });
}

#[test]
fn a_customer_who_was_not_migrated_is_named_and_nobody_is_made_in_silence() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let customers = account.snapshot().customers.len();
        let lost = Reference::new(Kind::Customer, "c9").called("Cy Lost");
        let data = Conversation {
            customer: Some(lost.clone()),
            ..of_bo(&account)
        };
        let mut first = part(
            "m1",
            DAY,
            Message {
                author: Author::Person(account.dana()),
                direction: Direction::Outbound,
                text: text("Hello"),
                ..Message::empty()
            },
        );
        if let Entity::Message(message) = &mut first.message.data {
            message.channel = Some("email".to_owned());
            message.to = vec!["cy@nowhere.example".to_owned()];
        }
        let second = part(
            "m2",
            DAY + 1_000,
            Message {
                author: Author::Person(lost),
                direction: Direction::Inbound,
                channel: Some("email".to_owned()),
                sender: Some("cy@nowhere.example".to_owned()),
                text: text("Hi"),
                ..Message::empty()
            },
        );
        let outcome = written(&account, thread("v1", vec![], data, vec![first, second])).await;
        assert!(is_created(&outcome), "{outcome:?}");
        let (ticket, messages) = account.ticket("v1");
        let snapshot = account.snapshot();
        assert_eq!(snapshot.customers.len(), customers);
        let name = &snapshot.customer(ticket.customer_id.unwrap()).unwrap().name;
        assert_eq!(name, "Customer who was not migrated");
        assert!(
            messages[0]
                .body_text
                .as_deref()
                .unwrap()
                .contains("a conversation with Cy Lost (customer c9)")
        );
        assert!(
            messages[1]
                .body_text
                .as_deref()
                .unwrap()
                .contains("written by Cy Lost (customer c9)")
        );
    });
}

#[test]
fn a_note_on_a_customer_alone_is_a_closed_ticket_of_its_own() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let data = Message {
            customer: Some(account.bo()),
            visibility: Visibility::Internal,
            author: Author::Person(account.dana()),
            text: text("Prefers mornings."),
            sent_at: Some(DAY),
            ..Message::empty()
        };
        let note = item(entry(Kind::Message, "n1", vec![], Entity::Message(data)));
        let outcomes = account.write(Kind::Message, vec![note]).await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let snapshot = account.snapshot();
        let ticket = snapshot.tickets_by_external_id("old-desk:org1:message:n1")[0];
        assert_eq!(ticket.status, TicketStatus::Closed);
        let thread = snapshot.thread(ticket);
        assert!(thread.iter().all(|message| !message.public));
        assert_eq!(thread[0].body_text.as_deref(), Some("Prefers mornings."));
    });
}

#[test]
fn spam_is_left_out_unless_it_is_asked_for() {
    run(async {
        let mut account = Account::new().await;
        account.people().await;
        let mut spam = account.talk("v1");
        edit(&mut spam, |data| data.spam = true);
        let outcome = written(&account, spam.clone()).await;
        assert!(matches!(outcome.status, Status::Skipped(_)));
        account.set("spam", true);
        assert!(is_created(&written(&account, spam).await));
        assert!(account.ticket("v1").0.spam);
    });
}

#[test]
fn a_later_run_brings_what_came_since_and_sets_the_status_unless_somebody_changed_it() {
    run(async {
        let mut account = Account::new().await;
        account.people().await;
        let mut first = account.talk("v1");
        edit(&mut first, |data| {
            data.status = ConversationStatus::Open;
            data.last_activity_at = Some(DAY);
        });
        written(&account, first).await;
        account.run = "r2".to_owned();
        account.prepare().await;

        let now = account.talk("v1");
        let mut thread = now.thread().unwrap();
        thread.parts.push(said(
            "v1-m3",
            Author::Person(account.bo()),
            "Thanks",
            DAY + 120_000,
        ));
        let later = Item {
            prior: account.effects_of("conversation:v1"),
            body: thread.into(),
            ..now
        };
        let outcome = written(&account, later.clone()).await;
        assert!(matches!(outcome.status, Status::Updated), "{outcome:?}");
        let (ticket, messages) = account.ticket("v1");
        // The card of the first run stays where it was.
        assert_eq!(messages.len(), 4);
        assert_eq!(ticket.status, TicketStatus::Closed);
        let again = Item {
            prior: account
                .effects_of("conversation:v1")
                .into_iter()
                .rev()
                .collect(),
            ..later
        };
        let outcome = written(&account, again).await;
        assert!(matches!(outcome.status, Status::Matched), "{outcome:?}");
        assert_eq!(account.ticket("v1").1.len(), 4);
    });
}

#[test]
fn a_ticket_that_went_live_is_a_conflict_and_stays() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let items = ["v1", "v2", "v3", "v4"].map(|id| account.talk(id)).to_vec();
        account.write(Kind::Conversation, items).await;
        let dana = account
            .snapshot()
            .user_by_email("dana@acme.example")
            .unwrap()
            .id;
        account
            .sim
            .add_note(account.ticket("v1").0.id, dana, "mine")
            .unwrap();
        account
            .sim
            .edit_ticket(account.ticket("v2").0.id, |t| {
                t.subject = Some("mine".to_owned())
            })
            .unwrap();
        let message = account.ticket("v3").1[0].id;
        account
            .sim
            .edit_message(message, |m| m.body_text = Some("mine".to_owned()))
            .unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let conflicts = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .count();
        // Three tickets; their customer, who has them; their tag, which they have.
        assert_eq!(conflicts, 5, "{undone:?}");
        assert_eq!(
            account
                .snapshot()
                .tickets_by_external_id("old-desk:org1:conversation:v4")
                .len(),
            0
        );
        assert_undone(&account.rollback(UndoMode::Force).await, "by force");
    });
}

#[test]
fn an_attachment_kept_elsewhere_is_a_link_in_the_thread() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let mut part = said("m1", Author::Person(account.bo()), "See", DAY);
        let parent = Reference::new(Kind::Message, "m1");
        let elsewhere = Attachment {
            state: AttachmentState::External("https://files.example/x".to_owned()),
            ..Attachment::of(parent, "x.pdf")
        };
        part.attachments = vec![entry(
            Kind::Attachment,
            "f1",
            vec![],
            Entity::Attachment(elsewhere),
        )];
        let outcome = written(&account, thread("v1", vec![], of_bo(&account), vec![part])).await;
        assert!(is_created(&outcome));
        let body = account.ticket("v1").1[0].body_text.clone().unwrap();
        assert!(body.contains("https://files.example/x"), "{body}");
    });
}
