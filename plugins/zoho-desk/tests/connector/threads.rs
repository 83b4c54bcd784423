//! What becomes of threads: texts, times, authors, visibility, files, length.
use crate::support::*;
use transload_plugin_zoho_desk::ZohoDesk;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, Presence, UndoMode};
use transload_sdk::types::{
    Author, ConversationStatus, Direction, Entity, Fidelity, FieldType, Kind, Reference, Text,
    Value, Visibility,
};
use transload_simulators::zoho_desk::model::Author as Wrote;
use transload_simulators::zoho_desk::{
    DuplicateEmail, EmptyMappings, ErrorLog, FieldKeys, ImportTags, Services,
};

const ODD: &str = "  [Migrated: mine] \u{202e}rtl\u{202c} שָׁלוֹם 👩‍👩‍👧‍👦\n\n\ta  b <b>&amp;</b> zsu[@user:1]zsu \u{a0}\u{feff} end  ";

async fn write(portal: &Portal, item: Item) {
    let made = portal.write(Kind::Conversation, vec![item]).await;
    assert!(made.iter().all(is_created), "{made:?}");
}

#[test]
fn a_thread_arrives_with_its_times_authors_and_visibility() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        write(&portal, portal.talk("v1")).await;
        let ticket = portal.ticket("v1");
        assert_eq!(ticket.text("subject"), Some("subject of v1"));
        assert_eq!(ticket.text("status"), Some("Closed"));
        assert_eq!(
            ticket.text("contactId"),
            Some(portal.bo().target.unwrap().as_str())
        );
        assert_eq!(
            ticket.text("assigneeId"),
            Some(portal.dana().target.unwrap().as_str())
        );
        assert_eq!(
            ticket.closed_at.unwrap().timestamp_millis(),
            DAY + 3_600_000
        );
        assert!(ticket.given.created && ticket.given.closed);

        let mails = portal.threads(ticket.id);
        let times: Vec<i64> = mails
            .iter()
            .map(|one| one.created_at.timestamp_millis())
            .collect();
        assert_eq!(times, [DAY, DAY + 60_250]);
        assert_eq!([mails[0].incoming, mails[1].incoming], [true, false]);
        assert_eq!(mails[0].from.as_deref(), Some("Bo@example.com"));
        let dana: u64 = portal.dana().target.unwrap().parse().unwrap();
        assert_eq!(mails[1].author, Wrote::Agent(dana));

        let comments = portal.comments(ticket.id);
        let [note, card] = comments.as_slice() else {
            unreachable!("{comments:?}");
        };
        assert_eq!(note.commented_at.timestamp_millis(), DAY + 30_000);
        assert_eq!(note.author, Wrote::Agent(dana));
        assert!(!note.public && note.content.contains("ask the warehouse"));
        assert!(card.content.contains("source card") && !card.public);
    });
}

#[test]
fn without_the_imports_api_all_are_private_comments_that_say_when_and_by_whom() {
    run(async {
        let portal = Portal::without_imports().await;
        portal.people().await;
        write(&portal, portal.talk("v1")).await;
        let ticket = portal.ticket("v1");
        assert_eq!(portal.threads(ticket.id), []);
        let comments = portal.comments(ticket.id);
        let lines: Vec<&str> = comments
            .iter()
            .map(|one| one.content.split("</p>").next().unwrap())
            .collect();
        assert_eq!(
            lines[..3],
            [
                "<div><p>[Migrated: sent 2023-11-14T22:13:20Z; written by Bo Ng (customer c1); inbound email; public in the source]",
                "<div><p>[Migrated: sent 2023-11-14T22:13:50Z; written by Dana Dunn (agent a1)]",
                "<div><p>[Migrated: sent 2023-11-14T22:14:20.250Z; written by Dana Dunn (agent a1); outbound email; public in the source]",
            ]
        );
        assert!(comments.iter().all(|one| !one.public));
        let observed = portal
            .read_back(Kind::Conversation, "conversation:v1")
            .await;
        assert_eq!(
            texts(&observed),
            ["Where is it?", "ask the warehouse", "On its way."]
        );
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn odd_texts_are_read_back_byte_for_byte() {
    run(async {
        for imports in [true, false] {
            let portal = if imports {
                Portal::new().await
            } else {
                Portal::without_imports().await
            };
            portal.people().await;
            let parts = vec![
                portal.mail("m1", Direction::Inbound, ODD, DAY),
                portal.note("n1", ODD, DAY + 1_000),
                portal.mail("m2", Direction::Outbound, "[Migrated: x] mine", DAY + 2_000),
                said(
                    "m3",
                    Author::Name("O'Neil & Sons".to_owned()),
                    ODD,
                    DAY + 3_000,
                ),
                portal.note("n2", "a\r\nb\rc \t d", DAY + 4_000),
            ];
            write(&portal, with_parts(&portal.talk("v1"), parts)).await;
            let observed = portal
                .read_back(Kind::Conversation, "conversation:v1")
                .await;
            assert_eq!(observed.presence, Presence::Present);
            assert_eq!(
                texts(&observed),
                [ODD, ODD, "[Migrated: x] mine", ODD, "a\r\nb\rc \t d"],
                "imports: {imports}"
            );
            let effects = portal.effects_of("conversation:v1");
            let main = effects.iter().find(|effect| effect.part == "main").unwrap();
            assert_eq!(observed.fingerprint, main.fingerprint);
            let thread = observed.body.unwrap().thread().unwrap();
            let Entity::Message(third) = &thread.parts[3].message.data else {
                unreachable!();
            };
            assert_eq!(third.author, Author::Name("O'Neil & Sons".to_owned()));
        }
    });
}

#[test]
fn a_long_text_stands_in_several_comments_and_is_one_text_when_it_is_read_back() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let long = "a line of words with <signs> & more 👍\n".repeat(3_000);
        let parts = vec![
            portal.note("n1", &long, DAY),
            portal.note("n2", "short", DAY + 1),
        ];
        write(&portal, with_parts(&portal.talk("v1"), parts)).await;
        let ticket = portal.ticket("v1");
        let comments = portal.comments(ticket.id);
        assert!(comments.len() > 4);
        assert!(
            comments
                .iter()
                .all(|one| one.content.chars().count() <= 32_000)
        );
        let observed = portal
            .read_back(Kind::Conversation, "conversation:v1")
            .await;
        assert_eq!(texts(&observed), [long.as_str(), "short"]);
    });
}

#[test]
fn a_thread_of_three_thousand_messages_arrives_in_order() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let parts = (0..3_000)
            .map(|n| {
                let (id, text, at) = (format!("m{n}"), format!("number {n}"), DAY + n / 7);
                match n % 3 {
                    0 => portal.mail(&id, Direction::Inbound, &text, at),
                    1 => portal.mail(&id, Direction::Outbound, &text, at),
                    _ => portal.note(&id, &text, at),
                }
            })
            .collect();
        write(&portal, with_parts(&portal.talk("v1"), parts)).await;
        let ticket = portal.ticket("v1");
        assert_eq!(portal.threads(ticket.id).len(), 2_000);
        assert_eq!(
            portal
                .comments(ticket.id)
                .iter()
                .filter(|c| c.content.contains("number"))
                .count(),
            1_000
        );
        let observed = portal
            .read_back(Kind::Conversation, "conversation:v1")
            .await;
        let wanted: Vec<String> = (0..3_000).map(|n| format!("number {n}")).collect();
        assert!(texts(&observed) == wanted);
        let harness = portal.harness();
        let undone = portal
            .undo_from("conversation:v1", 0, UndoMode::Careful, harness)
            .await;
        assert_undone(&undone, "rolled back");
        assert!(portal.threads(ticket.id).is_empty());
    });
}

#[test]
fn files_hang_on_the_ticket_and_their_message_names_them() {
    run(async {
        for imports in [true, false] {
            let portal = if imports {
                Portal::new().await
            } else {
                Portal::without_imports().await
            };
            portal.people().await;
            let mut mail = portal.mail("m1", Direction::Inbound, "see", DAY);
            message(&mut mail, |message| {
                message.html = Some(Text::Inline("<p>see <img src=\"cid:pic\"></p>".to_owned()));
            });
            let mut inline = file("f1", "pic.png", 300);
            if let Entity::Attachment(data) = &mut inline.data {
                data.content_id = Some("<pic>".to_owned());
                data.inline = true;
            }
            mail.attachments = vec![inline, file("f2", "big.pdf", 20 * 1024 * 1024)];
            let mut note = portal.note("n1", "two of a name", DAY + 1);
            note.attachments = vec![file("f3", "same.txt", 5), file("f4", "same.txt", 5)];
            write(&portal, with_parts(&portal.talk("v1"), vec![mail, note])).await;
            let ticket = portal.ticket("v1");
            let files = portal.files(ticket.id);
            let names: Vec<(&str, u64)> = files.iter().map(|f| (f.name.as_str(), f.size)).collect();
            let big = 20 * 1024 * 1024;
            assert_eq!(
                names,
                [
                    ("pic.png", 300),
                    ("big.pdf", big),
                    ("same.txt", 5),
                    ("same.txt", 5)
                ]
            );
            let said = if imports {
                portal.threads(ticket.id)[0].content.clone()
            } else {
                portal.comments(ticket.id)[0].content.clone()
            };
            assert!(
                said.contains(&format!("/attachments/{}/", files[0].id)),
                "{said}"
            );
            assert!(!said.contains("cid:"));
            assert!(said.contains("file big.pdf hangs on the ticket"), "{said}");
            let observed = portal
                .read_back(Kind::Conversation, "conversation:v1")
                .await;
            let thread = observed.body.unwrap().thread().unwrap();
            let counts: Vec<usize> = thread.parts.iter().map(|p| p.attachments.len()).collect();
            assert_eq!(counts, [2, 2]);
            assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
        }
    });
}

#[test]
fn files_that_are_refused_empty_too_large_or_missing_are_named_and_the_rest_arrives() {
    run(async {
        let mut portal = Portal::switched(|switches| switches.attachment_max_bytes = 1_000).await;
        portal.set("max_attachment_bytes", 5_000);
        portal.people().await;
        let mut mail = portal.mail("m1", Direction::Inbound, "files", DAY);
        let mut gone = file("f4", "gone.txt", 5);
        if let Entity::Attachment(data) = &mut gone.data {
            data.content = None;
        }
        mail.attachments = vec![
            file("f1", "refused.bin", 2_000),
            file("f2", "large.bin", 9_000),
            file("f3", "empty.txt", 0),
            gone,
            file("f5", "fine.txt", 5),
        ];
        let item = with_parts(&portal.talk("v1"), vec![mail]);
        let made = portal.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&made[0]), "{made:?}");
        let ticket = portal.ticket("v1");
        let said = portal.threads(ticket.id)[0].content.clone();
        for (name, words) in [
            ("refused.bin", "is missing here: Zoho Desk refuses it"),
            ("large.bin", "is missing here: 9000 bytes are more"),
            ("gone.txt", "is missing here: its bytes"),
            ("fine.txt", "hangs on the ticket"),
        ] {
            assert!(
                said.contains(&format!("file {name} {words}")),
                "{name}: {said}"
            );
        }
        let there: Vec<String> = portal
            .files(ticket.id)
            .into_iter()
            .map(|f| f.name)
            .collect();
        assert!(
            there.contains(&"fine.txt".to_owned()) && !there.contains(&"refused.bin".to_owned())
        );
        let refused: Vec<u32> = made[0].refused.iter().map(|one| one.place).collect();
        assert!(refused.contains(&2), "{refused:?}");
        let lost = made[0]
            .losses
            .iter()
            .filter(|l| l.field == "attachment" && l.how == Fidelity::Lost);
        assert!(lost.count() >= 2);
    });
}

#[test]
fn more_than_twenty_tags_a_team_and_another_customer_are_set_when_the_ticket_is_there() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let other = customer(
            "c2",
            vec![],
            transload_sdk::types::Customer {
                name: Some("Cy Other".to_owned()),
                ..transload_sdk::types::Customer::empty()
            },
        );
        portal.write(Kind::Customer, vec![other]).await;
        let cy = portal.known(Reference::new(Kind::Customer, "c2").called("Cy Other"));
        let teams = portal.write(Kind::Team, vec![team("t1", "Billing")]).await;
        let team = Reference::new(Kind::Team, "t1").at(teams[0].effects[0].target_id.clone());
        let mut item = portal.talk("v1");
        let names: Vec<String> = (0..60).map(|n| format!("tag {n}")).collect();
        edit(&mut item, |data| {
            data.tags = names
                .iter()
                .map(|name| Reference::new(Kind::Tag, name.as_str()).at(name.as_str()))
                .collect();
            data.teams = vec![team.clone()];
        });
        let mut thread = item.thread().unwrap();
        thread.parts.push(said(
            "m9",
            Author::Person(cy.clone()),
            "me too",
            DAY + 90_000,
        ));
        item.body = thread.into();
        write(&portal, item).await;
        let ticket = portal.ticket("v1");
        assert_eq!(portal.tags(&ticket).len(), 60);
        assert_eq!(ticket.text("teamId"), team.target.as_deref());
        assert!(
            ticket.values["secondaryContacts"]
                .to_string()
                .contains(&cy.target.unwrap())
        );
        // It was closed when it was made, and still is.
        assert_eq!(ticket.text("status"), Some("Closed"));
        assert_eq!(
            ticket.closed_at.unwrap().timestamp_millis(),
            DAY + 3_600_000
        );
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn open_snoozed_and_closed_tickets_are_that() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        for (id, status, wanted) in [
            ("v1", ConversationStatus::Open, "Open"),
            ("v2", ConversationStatus::Snoozed, "On Hold"),
            ("v3", ConversationStatus::Closed, "Closed"),
        ] {
            let mut item = portal.talk(id);
            edit(&mut item, |data| data.status = status);
            write(&portal, item).await;
            let ticket = portal.ticket(id);
            assert_eq!(ticket.text("status"), Some(wanted));
            assert_eq!(ticket.closed_at.is_some(), wanted == "Closed");
        }
    });
}

#[test]
fn a_note_on_a_customer_alone_is_a_closed_ticket_with_it() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let mut part = portal.note("n9", "a good customer", DAY);
        message(&mut part, |message| message.customer = Some(portal.bo()));
        let note = item(part.message);
        let made = portal.write(Kind::Message, vec![note]).await;
        assert!(is_created(&made[0]), "{made:?}");
        let ticket = portal.ticket_of("old-desk:org1:message:n9");
        assert_eq!(ticket.text("status"), Some("Closed"));
        let comments = portal.comments(ticket.id);
        assert!(comments[0].content.contains("a good customer") && !comments[0].public);
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn spam_is_skipped_and_a_customer_who_is_not_here_is_named() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let mut spam = portal.talk("v1");
        edit(&mut spam, |data| data.spam = true);
        let mut lonely = portal.talk("v2");
        edit(&mut lonely, |data| {
            data.customer = Some(Reference::new(Kind::Customer, "c7").called("Zed Zorn"));
        });
        let outcomes = portal.write(Kind::Conversation, vec![spam, lonely]).await;
        assert_eq!(outcomes.len(), 2);
        assert!(
            portal
                .marked(
                    transload_simulators::zoho_desk::model::Module::Tickets,
                    "old-desk:org1:conversation:v1"
                )
                .is_empty()
        );
        let ticket = portal.ticket("v2");
        assert!(
            portal.threads(ticket.id)[0]
                .content
                .contains("a conversation with Zed Zorn")
        );
    });
}

#[test]
fn whatever_the_open_questions_of_the_imports_are_a_thread_arrives_and_is_taken_back() {
    run(async {
        type Change = fn(&mut transload_simulators::zoho_desk::Switches);
        let cases: [(&str, Change); 14] = [
            ("labels", |s| s.import_field_keys = FieldKeys::Label),
            ("names", |s| s.import_field_keys = FieldKeys::ApiName),
            ("both", |s| s.import_field_keys = FieldKeys::Both),
            ("unknown fields refused", |s| {
                s.import_unknown_field_refused = true
            }),
            ("tags refused", |s| s.import_tags = ImportTags::Refused),
            ("parents before", |s| s.import_parents_together = false),
            ("children touch", |s| s.import_children_touch = true),
            ("few rows", |s| s.import_max_rows = 5),
            ("no log", |s| s.error_log = ErrorLog::Missing),
            ("no mapping is 204", |s| {
                s.empty_mappings = EmptyMappings::NoContent
            }),
            ("no mapping is null", |s| {
                s.empty_mappings = EmptyMappings::Nulls
            }),
            ("slow", |s| s.import_polls = 7),
            ("from one", |s| s.from_one_based = true),
            ("second contacts", |s| {
                s.duplicate_email = DuplicateEmail::Second
            }),
        ];
        for (case, change) in cases {
            let portal = Portal::switched(change).await;
            portal.people().await;
            let items = (0..4).map(|n| portal.talk(&format!("v{n}"))).collect();
            let made = portal.write(Kind::Conversation, items).await;
            assert!(made.iter().all(is_created), "{case}: {made:?}");
            let ticket = portal.ticket("v3");
            assert_eq!(portal.threads(ticket.id).len(), 2, "{case}");
            let observed = portal
                .read_back(Kind::Conversation, "conversation:v3")
                .await;
            assert_eq!(
                texts(&observed),
                ["Where is it?", "ask the warehouse", "On its way."],
                "{case}"
            );
            assert_undone(&portal.rollback(UndoMode::Careful).await, case);
        }
    });
}

#[test]
fn what_an_import_refuses_of_a_ticket_is_left_out_and_the_rest_is_set_afterwards() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let mut item = portal.talk("v1");
        item.values.push(transload_sdk::destination::SlotValue {
            slot: "priority".to_owned(),
            value: "No such priority".to_owned(),
        });
        item.values.push(transload_sdk::destination::SlotValue {
            slot: "channel".to_owned(),
            value: "Phone".to_owned(),
        });
        let made = portal.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&made[0]), "{made:?}");
        let ticket = portal.ticket("v1");
        assert_eq!(ticket.text("channel"), Some("Phone"));
        assert_eq!(ticket.text("priority"), None);
        assert!(ticket.given.created);
        assert!(made[0].losses.iter().any(|l| l.field == "conversation"));
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn a_public_chat_is_a_public_comment_and_an_internal_one_is_not() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let mut internal = said("m2", Author::Person(portal.dana()), "psst", DAY + 1);
        message(&mut internal, |message| {
            message.visibility = Visibility::Internal
        });
        let parts = vec![
            said("m1", Author::Person(portal.bo()), "hello", DAY),
            internal,
        ];
        write(&portal, with_parts(&portal.talk("v1"), parts)).await;
        let ticket = portal.ticket("v1");
        let comments = portal.comments(ticket.id);
        assert!(comments[0].public && comments[0].content.contains("written by Bo Ng"));
        assert!(!comments[1].public);
        portal.assert_silent();
    });
}

#[test]
fn rules_that_are_on_sleep_through_an_import_and_wake_for_plain_requests() {
    run(async {
        for imports in [true, false] {
            let mut portal = Portal::unprepared(|config| {
                config.preexisting.services = Services::all();
                config.switches.imports_refused = (!imports).then_some(404);
            });
            portal.prepare().await;
            portal
                .trial
                .write(Kind::Customer, vec![customer("c1", vec![], bo())])
                .await;
            let sent = portal.sim.outbox().all().len();
            let ran = portal.sim.automation_log().all().len();
            let item = portal.talk("v1");
            portal.trial.write(Kind::Conversation, vec![item]).await;
            portal.sim.harness().clock.advance(60_000);
            let silent = portal.sim.outbox().all().len() == sent
                && portal.sim.automation_log().all().len() == ran;
            assert_eq!(silent, imports);
        }
    });
}

#[test]
fn custom_fields_arrive_also_those_that_an_import_has_no_room_for() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let owner = || transload_sdk::types::Owner {
            kind: Kind::Conversation,
            object_type: None,
        };
        let fields = vec![
            definition(owner(), "short", "Short one", FieldType::Text),
            definition(owner(), "long", "Long one", FieldType::Text),
        ];
        let made = portal.write(Kind::FieldDefinition, fields).await;
        assert!(made.iter().all(is_created), "{made:?}");
        let long = "x".repeat(200);
        let values = vec![
            field(
                "short",
                Value::Text("brief".to_owned()),
                portal.field_at("conversation", "short"),
            ),
            field(
                "long",
                Value::Text(long.clone()),
                portal.field_at("conversation", "long"),
            ),
        ];
        let mut item = portal.talk("v1");
        item.body.entries[0].head.fields = values;
        write(&portal, item).await;
        let ticket = portal.ticket("v1");
        let snapshot = portal.snapshot();
        assert_eq!(snapshot.custom_value(&ticket, "Short one"), Some("brief"));
        assert_eq!(
            snapshot.custom_value(&ticket, "Long one"),
            Some(long.as_str())
        );
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
    });
}

/// Without imports that take custom fields, each ticket shows only for what it has.
#[test]
fn custom_fields_that_no_import_takes_are_set_on_every_ticket_that_has_them() {
    run(async {
        // How imports name fields changed since it was found out.
        let portal = Portal::switched(|s| s.import_field_keys = FieldKeys::ApiName).await;
        portal.people().await;
        portal
            .sim
            .set_switches(|s| s.import_field_keys = FieldKeys::Label);
        let owner = || transload_sdk::types::Owner {
            kind: Kind::Conversation,
            object_type: None,
        };
        let names = ["reason", "order", "shop"];
        let fields = names.map(|name| definition(owner(), name, name, FieldType::Text));
        let made = portal.write(Kind::FieldDefinition, fields.into()).await;
        assert!(made.iter().all(is_created), "{made:?}");
        let item = |id: &str, has: &[&str]| {
            let value = |name: &&str| {
                let value = Value::Text(format!("{name} of {id}"));
                field(name, value, portal.field_at("conversation", name))
            };
            let mut item = portal.talk(id);
            item.body.entries[0].head.fields = has.iter().map(value).collect();
            item
        };
        let items = vec![
            item("v1", &["reason", "order"]),
            item("v2", &["shop"]),
            item("v3", &["order", "shop"]),
            item("v4", &[]),
        ];
        let made = portal.write(Kind::Conversation, items).await;
        assert!(made.iter().all(is_created), "{made:?}");
        let snapshot = portal.snapshot();
        let held = |id: &str| {
            let ticket = portal.ticket(id);
            names.map(|name| snapshot.custom_value(&ticket, name).map(str::to_owned))
        };
        let of = |name: &str, id: &str| Some(format!("{name} of {id}"));
        assert_eq!(held("v1"), [of("reason", "v1"), of("order", "v1"), None]);
        assert_eq!(held("v2"), [None, None, of("shop", "v2")]);
        assert_eq!(held("v3"), [None, of("order", "v3"), of("shop", "v3")]);
        assert_eq!(held("v4"), [None, None, None]);
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn no_more_calls_are_made_than_the_description_says() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let items: Vec<Item> = (0..100)
            .map(|n| {
                let id = format!("v{n}");
                let parts = (0..10)
                    .map(|part| {
                        let (name, at) = (format!("{id}-m{part}"), DAY + part * 1_000);
                        match part % 2 {
                            0 => portal.mail(&name, Direction::Inbound, "text", at),
                            _ => portal.note(&name, "text", at),
                        }
                    })
                    .collect();
                let mut item = with_parts(&portal.talk(&id), parts);
                edit(&mut item, |data| {
                    data.tags = vec![Reference::new(Kind::Tag, "late").at("late")];
                });
                item
            })
            .collect();
        let harness = portal.harness();
        let cx = harness.context();
        ZohoDesk::write(&cx, Kind::Conversation, items)
            .await
            .unwrap();
        let description = ZohoDesk::describe();
        let kind = description.kinds.iter();
        let mut kind = kind.filter(|kind| kind.kind == Kind::Conversation);
        let kind = kind.next().unwrap();
        let most = kind.calls * 100 / kind.per_items;
        let made = harness.exchanges().len();
        assert!(made <= most as usize, "{made} of {most}");
        assert!(made * 10 >= most as usize * 9, "{made} of {most}");
    });
}
