//! Threads in the simulated account: what is there afterwards, how few calls it took, what happens to what the account refuses.

use crate::support::Stand as _;
use crate::support::{
    Portal, agent, assert_same, assert_undone, customer, entry, file, is_created, item, said,
    thread,
};
use serde_json::json;
use transload_plugin_hubspot::HubSpot;
use transload_plugin_hubspot::thread::ACTIVITIES_PER_TICKET;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, Presence, UndoMode, Written};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::types::{
    Address, AddressChannel, Attachment, Author, Conversation, ConversationStatus, Customer,
    Direction, Entity, Error, Kind, Message, Reference, Tag, Text, Visibility,
};
use transload_simulators::hubspot::model::{Record, TypeId};
use transload_simulators::hubspot::{ArchivedOwner, Config, Switches, TicketTimes};

const NOW: i64 = 1_794_000_000_000;

async fn portal() -> Portal {
    with_people(Portal::new().await).await
}

async fn with_people(portal: Portal) -> Portal {
    let dana = agent("a1", "Dana", "dana@acme.example", Vec::new(), Vec::new());
    portal.write(Kind::Agent, vec![dana]).await;
    let data = Customer {
        name: Some("Ana Ruiz".to_owned()),
        addresses: vec![Address::new(AddressChannel::Email, "ana@example.com")],
        ..Customer::empty()
    };
    portal
        .write(Kind::Customer, vec![customer("c1", Vec::new(), data)])
        .await;
    portal
}

fn ana(portal: &Portal) -> Reference {
    portal.known(Reference::new(Kind::Customer, "c1").called("Ana Ruiz"))
}

fn dana(portal: &Portal) -> Reference {
    portal.known(Reference::new(Kind::Agent, "a1").called("Dana"))
}

fn conversation(portal: &Portal, subject: &str) -> Conversation {
    Conversation {
        customer: Some(ana(portal)),
        subject: Some(subject.to_owned()),
        assignees: vec![dana(portal)],
        status: ConversationStatus::Closed,
        closed_at: Some(NOW + 3_600_000),
        ..Conversation::empty()
    }
}

fn changed(part: Part, change: impl FnOnce(&mut Message)) -> Part {
    let mut part = part;
    if let Entity::Message(message) = &mut part.message.data {
        change(message);
    }
    part
}

fn mail(portal: &Portal, id: &str, text: &str, at: i64) -> Part {
    changed(said(id, Author::Person(ana(portal)), text, at), |message| {
        message.channel = Some("email".to_owned());
        message.direction = Direction::Inbound;
        message.sender = Some("ana@example.com".to_owned());
        message.to = vec!["help@acme.example".to_owned()];
        message.subject = Some("Hello".to_owned());
    })
}

fn note(portal: &Portal, id: &str, text: &str, at: i64) -> Part {
    changed(
        said(id, Author::Person(dana(portal)), text, at),
        |message| {
            message.visibility = Visibility::Internal;
        },
    )
}

/// An e-mail with a file, and a note.
fn of(portal: &Portal, id: &str) -> Item {
    let mut first = mail(portal, &format!("m1-{id}"), "Where is it?", NOW);
    first.attachments = vec![file(&format!("f1-{id}"), "note.txt", 3)];
    let second = note(portal, &format!("m2-{id}"), "Asked.", NOW + 60_000);
    let subject = format!("Subject {id}");
    thread(
        id,
        Vec::new(),
        conversation(portal, &subject),
        vec![first, second],
    )
}

fn ticket(portal: &Portal, id: &str) -> Record {
    portal.of(TypeId::TICKET, &Kind::Conversation, id)
}

/// What of a kind hangs on a ticket, in the order of its time.
fn under(portal: &Portal, ticket: &Record, kind: TypeId) -> Vec<Record> {
    let snapshot = portal.snapshot();
    let mut all: Vec<Record> = snapshot.linked(ticket, kind).into_iter().cloned().collect();
    all.sort_by_key(|record| record.text("hs_timestamp").to_owned());
    all
}

async fn read_back(portal: &Portal, kind: Kind, key: &str) -> transload_sdk::destination::Observed {
    let harness = portal.harness();
    let written = Written {
        item: key.to_owned(),
        kind,
        effects: portal.effects_of(key),
    };
    let seen = HubSpot::read_back(&harness.context(), vec![written])
        .await
        .unwrap();
    seen.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_thread_is_a_ticket_with_its_activities_and_files_and_is_undone_to_nothing() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    let portal = with_people(portal).await;
    let outcomes = portal
        .write(Kind::Conversation, vec![of(&portal, "v1")])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let row = ticket(&portal, "v1");
    assert_eq!(row.text("subject"), "Subject v1");
    assert_eq!(
        Some(row.text("hubspot_owner_id").to_owned()),
        dana(&portal).target
    );
    assert_eq!(row.text("transload_created_at"), "2023-11-14T22:13:20.250Z");
    assert!(row.text("transload_source_card").contains("Source id: v1"));
    let contacts = under(&portal, &row, TypeId::CONTACT);
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].text("email"), "ana@example.com");
    let mails = under(&portal, &row, TypeId::EMAIL);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].text("hs_email_text"), "Where is it?");
    assert_eq!(mails[0].text("hs_timestamp"), "2026-11-06T21:20:00Z");
    assert_eq!(mails[0].text("hs_email_from_email"), "ana@example.com");
    assert_eq!(under(&portal, &contacts[0], TypeId::EMAIL).len(), 1);
    let files = portal.snapshot();
    let files = files.files_of(&mails[0]);
    assert_eq!((files.len(), files[0].size), (1, 3));
    assert_eq!(files[0].access, "PRIVATE");
    let notes = under(&portal, &row, TypeId::NOTE);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].text("hs_note_body"), "Asked.");
    assert_eq!(
        Some(notes[0].text("hubspot_owner_id").to_owned()),
        dana(&portal).target
    );
    assert_undone(&portal.rollback(UndoMode::Careful).await, "rollback");
    assert_same(&before, &portal.sim.state_fingerprint(), "rollback");
}

#[tokio::test]
async fn five_hundred_threads_take_as_few_calls_as_there_can_be() {
    let portal = portal().await;
    let items: Vec<Item> = (0..500)
        .map(|n| {
            let id = format!("v{n}");
            let at = |k: i64| NOW + n * 600_000 + k * 1_000;
            let part = |k: i64| {
                let id = format!("m{k}-{id}");
                match k % 5 {
                    0 => note(&portal, &id, "n", at(k)),
                    _ => mail(&portal, &id, "m", at(k)),
                }
            };
            let data = conversation(&portal, &id);
            thread(&id, Vec::new(), data, (0..10).map(part).collect())
        })
        .collect();
    let harness = portal.harness();
    let cx = harness.context();
    HubSpot::write(&cx, Kind::Conversation, items)
        .await
        .unwrap();
    cx.reported().await.unwrap();
    assert!(harness.outcomes().iter().all(is_created));
    let calls = harness.exchanges().len();
    // 5 for the tickets, 40 for the e-mails, 10 for the notes: no fewer are possible. One look whether tickets were moved.
    assert!(calls * 10 <= (5 + 40 + 10) * 11, "{calls} calls");
}

#[tokio::test]
async fn times_that_tickets_take_are_theirs_and_others_stand_in_properties() {
    for times in [
        TicketTimes::ReadOnly,
        TicketTimes::Writable,
        TicketTimes::Ignored,
    ] {
        let portal = Portal::with(|config| {
            config.switches.ticket_createdate = times;
            config.switches.ticket_closed_date = times;
        })
        .await;
        let portal = with_people(portal).await;
        portal
            .write(Kind::Conversation, vec![of(&portal, "v1")])
            .await;
        let row = ticket(&portal, "v1");
        let kept = row.text("createdate") == "2023-11-14T22:13:20.250Z";
        assert_eq!(kept, times == TicketTimes::Writable, "{times:?}");
        assert_eq!(row.text("transload_closed_at"), "2026-11-06T22:20:00Z");
        let observed = read_back(&portal, Kind::Conversation, "conversation:v1").await;
        let body = observed.body.unwrap();
        assert_eq!(body.entry().head.created_at, Some(1_700_000_000_250));
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rollback");
    }
}

#[tokio::test]
async fn what_was_said_is_read_back_byte_for_byte() {
    let portal = portal().await;
    let odd = [
        "  two  blanks \r\n\tand a tab\r",
        "\u{202e}right to left\u{202c} שלום",
        "[Migrated: by somebody else] I wrote this",
        "a <b> & \"c\" &amp; &nbsp; \u{a0}<br>",
        "📦\u{0301}\u{200d}\n\n\n",
        "ends in a blank ",
    ];
    let mut parts = Vec::new();
    for (n, text) in odd.iter().enumerate() {
        let at = NOW + i64::try_from(n).unwrap() * 10_000;
        parts.push(mail(&portal, &format!("mail{n}"), text, at));
        parts.push(note(&portal, &format!("note{n}"), text, at + 1_000));
        let chat = said(
            &format!("chat{n}"),
            Author::Person(ana(&portal)),
            text,
            at + 2_000,
        );
        parts.push(changed(chat, |message| {
            message.channel = Some("chat".to_owned())
        }));
        let sms = said(
            &format!("sms{n}"),
            Author::Person(ana(&portal)),
            text,
            at + 3_000,
        );
        parts.push(changed(sms, |message| {
            message.channel = Some("sms".to_owned())
        }));
    }
    let long = "ä<&> \n".repeat(30_000);
    for (n, kind) in ["email", "chat"].into_iter().enumerate() {
        let at = NOW + 1_000_000 + i64::try_from(n).unwrap() * 1_000;
        let part = said(
            &format!("long-{kind}"),
            Author::Person(dana(&portal)),
            &long,
            at,
        );
        parts.push(changed(part, |message| {
            message.channel = Some(kind.to_owned())
        }));
    }
    let wanted: Vec<String> = odd
        .iter()
        .flat_map(|text| std::iter::repeat_n((*text).to_owned(), 4))
        .chain([long.clone(), long])
        .collect();
    let item = thread("v1", Vec::new(), conversation(&portal, "Odd"), parts);
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let harness = portal.harness();
    let written = Written {
        item: "conversation:v1".to_owned(),
        kind: Kind::Conversation,
        effects: portal.effects_of("conversation:v1"),
    };
    let cx = harness.context();
    let observed = HubSpot::read_back(&cx, vec![written])
        .await
        .unwrap()
        .remove(0);
    let main = portal.effects_of("conversation:v1").remove(0);
    assert_eq!(observed.fingerprint, main.fingerprint);
    let thread = observed.body.unwrap().thread().unwrap();
    let text = |part: &Part| match &part.message.data {
        Entity::Message(message) => message
            .text
            .as_ref()
            .map(|text| cx.blobs().read_text(text).unwrap()),
        _ => None,
    };
    let found: Vec<String> = thread
        .parts
        .iter()
        .map(|part| text(part).unwrap_or_default())
        .collect();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    let seen = |part: &Part| match &part.message.data {
        Entity::Message(message) => message.visibility,
        _ => Visibility::Event,
    };
    let public = thread
        .parts
        .iter()
        .filter(|part| seen(part) == Visibility::Public)
        .count();
    assert_eq!(public, wanted.len() - odd.len());
}

#[tokio::test]
async fn a_thread_reads_back_as_it_was() {
    let portal = portal().await;
    let tags: Vec<Item> = (0..25)
        .map(|n| {
            let tag = Tag {
                name: format!("Tag {n}"),
                color: None,
            };
            item(entry(
                Kind::Tag,
                &format!("t{n}"),
                Vec::new(),
                Entity::Tag(tag),
            ))
        })
        .collect();
    portal.write(Kind::Tag, tags).await;
    let tag = |n: usize| {
        portal.known(Reference::new(Kind::Tag, format!("t{n}")).called(format!("Tag {n}")))
    };
    let data = Conversation {
        tags: (0..25).map(tag).collect(),
        status: ConversationStatus::Snoozed,
        snooze_until: Some(NOW + 86_400_000),
        ..conversation(&portal, "Tagged")
    };
    let first = mail(&portal, "m1", "Where?", NOW);
    let outcomes = portal
        .write(
            Kind::Conversation,
            vec![thread("v1", Vec::new(), data, vec![first])],
        )
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let observed = read_back(&portal, Kind::Conversation, "conversation:v1").await;
    assert_eq!(observed.presence, Presence::Present);
    let values: Vec<(&str, &str)> = observed
        .values
        .iter()
        .map(|v| (v.slot.as_str(), v.value.as_str()))
        .collect();
    assert!(values.contains(&("status", "snoozed")), "{values:?}");
    let thread = observed.body.unwrap().thread().unwrap();
    let Entity::Conversation(found) = &thread.conversation.data else {
        panic!("no conversation");
    };
    assert_eq!(found.subject.as_deref(), Some("Tagged"));
    assert_eq!(found.tags.len(), 25);
    assert_eq!(found.status, ConversationStatus::Snoozed);
    assert_eq!(found.snooze_until, Some(NOW + 86_400_000));
    assert_eq!(
        found.customer.as_ref().and_then(|c| c.target.clone()),
        ana(&portal).target
    );
    assert_eq!(found.assignees[0].target, dana(&portal).target);
    let Entity::Message(message) = &thread.parts[0].message.data else {
        panic!("no message");
    };
    assert_eq!(message.sender.as_deref(), Some("ana@example.com"));
    assert_eq!(message.to, ["help@acme.example"]);
    assert_eq!(message.direction, Direction::Inbound);
    assert_eq!(message.sent_at, Some(NOW));
}

#[tokio::test]
async fn a_note_on_a_customer_hangs_on_the_contact_and_reads_back() {
    let portal = portal().await;
    let text = "Prefers calls. ".repeat(5_000);
    let mut note = note(&portal, "n1", &text, NOW);
    if let Entity::Message(message) = &mut note.message.data {
        message.customer = Some(ana(&portal));
    }
    let outcomes = portal.write(Kind::Message, vec![item(note.message)]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].effects.len(), 2);
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(under(&portal, &contact, TypeId::NOTE).len(), 2);
    assert_eq!(
        portal.snapshot().live(TypeId::TICKET).count(),
        3,
        "the account's own"
    );
    let again = item(portal_note(&portal));
    let again = Item {
        prior: portal.effects_of("message:n1"),
        ..again
    };
    let outcomes = portal.write(Kind::Message, vec![again]).await;
    assert_eq!(outcomes[0].status, Status::Matched);
    let observed = read_back(&portal, Kind::Message, "message:n1").await;
    assert_eq!(observed.presence, Presence::Present);
    let undone = portal.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "rollback");
}

fn portal_note(portal: &Portal) -> transload_sdk::types::Entry {
    let mut note = note(portal, "n1", "Prefers calls.", NOW);
    if let Entity::Message(message) = &mut note.message.data {
        message.customer = Some(ana(portal));
    }
    note.message
}

#[tokio::test]
async fn files_that_are_refused_too_large_or_not_to_be_had_are_named_in_the_thread() {
    let mut portal = portal().await;
    portal.set("max_attachment_bytes", 10);
    let mut first = mail(&portal, "m1", "See these.", NOW);
    let mut gone = file("f4", "gone.txt", 1);
    if let Entity::Attachment(attachment) = &mut gone.data {
        *attachment = Attachment {
            content: None,
            ..attachment.clone()
        };
    }
    first.attachments = vec![
        file("f1", "run.exe", 3),
        file("f2", "big.txt", 11),
        file("f3", "", 0),
        gone,
    ];
    let item = thread(
        "v1",
        Vec::new(),
        conversation(&portal, "Files"),
        vec![first],
    );
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].refused.len(), 1, "{:?}", outcomes[0].refused);
    let row = ticket(&portal, "v1");
    let mails = under(&portal, &row, TypeId::EMAIL);
    let text = mails[0].text("hs_email_text").to_owned();
    for said in [
        "file run.exe is missing here: HubSpot refuses it",
        "file big.txt is missing here: 11 bytes",
        "file gone.txt is missing here",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let snapshot = portal.snapshot();
    assert_eq!(
        snapshot.files_of(&mails[0]).len(),
        1,
        "the empty one is there"
    );
    assert_undone(&portal.rollback(UndoMode::Careful).await, "rollback");
}

#[tokio::test]
async fn inline_images_are_shown_from_where_they_are_now() {
    let mut portal = portal().await;
    portal.set("file_access", "public-not-indexable");
    let mut first = changed(mail(&portal, "m1", "Look", NOW), |message| {
        message.html = Some(Text::Inline(
            "<p>Look <img src=\"cid:pic@x\"></p>".to_owned(),
        ));
    });
    let mut image = file("f1", "pic.png", 3);
    if let Entity::Attachment(attachment) = &mut image.data {
        attachment.content_id = Some("<pic@x>".to_owned());
        attachment.inline = true;
    }
    first.attachments = vec![image];
    let item = thread(
        "v1",
        Vec::new(),
        conversation(&portal, "Images"),
        vec![first],
    );
    portal.write(Kind::Conversation, vec![item]).await;
    let mails = under(&portal, &ticket(&portal, "v1"), TypeId::EMAIL);
    let html = mails[0].text("hs_email_html").to_owned();
    assert!(html.contains("/hubfs/") && !html.contains("cid:"), "{html}");
}

#[tokio::test]
async fn html_that_is_too_long_is_a_file_of_its_message() {
    let portal = portal().await;
    let html = format!("<p>{}</p>", "word ".repeat(20_000));
    let first = changed(mail(&portal, "m1", "the text", NOW), |message| {
        message.html = Some(Text::Inline(html.clone()));
    });
    let item = thread("v1", Vec::new(), conversation(&portal, "Long"), vec![first]);
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let mails = under(&portal, &ticket(&portal, "v1"), TypeId::EMAIL);
    assert_eq!(mails[0].text("hs_email_text"), "the text");
    let snapshot = portal.snapshot();
    let files = snapshot.files_of(&mails[0]);
    assert_eq!(files[0].size, html.len() as u64);
    let observed = read_back(&portal, Kind::Conversation, "conversation:v1").await;
    let thread = observed.body.unwrap().thread().unwrap();
    assert_eq!(thread.parts[0].attachments, []);
    assert_undone(&portal.rollback(UndoMode::Careful).await, "rollback");
}

#[tokio::test]
async fn a_thread_of_three_thousand_messages_stands_under_one_ticket() {
    let portal = portal().await;
    let part = |n: i64| match n % 3 {
        0 => mail(&portal, &format!("m{n}"), "x", NOW + n),
        _ => note(&portal, &format!("m{n}"), "x", NOW + n),
    };
    let parts = (0..3_000).map(part).collect();
    let item = thread("v1", Vec::new(), conversation(&portal, "Long"), parts);
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]));
    let row = ticket(&portal, "v1");
    assert_eq!(under(&portal, &row, TypeId::EMAIL).len(), 1_000);
    assert_eq!(under(&portal, &row, TypeId::NOTE).len(), 2_000);
    let observed = read_back(&portal, Kind::Conversation, "conversation:v1").await;
    assert_eq!(observed.body.unwrap().thread().unwrap().parts.len(), 3_000);
}

#[tokio::test]
async fn one_that_is_refused_keeps_nobody_else_out() {
    let portal = portal().await;
    let bad = Conversation {
        customer: Some(
            Reference::new(Kind::Customer, "c9")
                .at("99999999999")
                .called("Nobody"),
        ),
        ..conversation(&portal, "Bad")
    };
    let bad = thread("v2", Vec::new(), bad, vec![note(&portal, "m9", "x", NOW)]);
    let outcomes = portal
        .write(
            Kind::Conversation,
            vec![of(&portal, "v1"), bad, of(&portal, "v3")],
        )
        .await;
    let of = |key: &str| outcomes.iter().find(|o| o.item == key).unwrap();
    assert!(is_created(of("conversation:v1")) && is_created(of("conversation:v3")));
    assert!(
        matches!(of("conversation:v2").status, Status::Rejected(_)),
        "{:?}",
        of("conversation:v2")
    );
}

#[tokio::test]
async fn a_value_that_is_refused_is_left_out_and_said() {
    let portal = portal().await;
    let mut item = of(&portal, "v1");
    item.values.push(transload_sdk::destination::SlotValue {
        slot: "priority".to_owned(),
        value: "SUPREME".to_owned(),
    });
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let row = ticket(&portal, "v1");
    assert_eq!(row.text("hs_ticket_priority"), "");
    assert!(
        row.text("transload_source_card")
            .contains("refused hs_ticket_priority: SUPREME")
    );
    assert!(
        outcomes[0]
            .losses
            .iter()
            .any(|loss| loss.note.contains("HubSpot refuses"))
    );
}

#[tokio::test]
async fn tickets_that_incoming_mails_move_are_put_back_into_their_stage() {
    let moves = |config: &mut Config| config.switches.incoming_email_moves_ticket = true;
    let portal = with_people(Portal::with(moves).await).await;
    portal
        .trial
        .write(
            Kind::Conversation,
            vec![of(&portal, "v1"), of(&portal, "v2")],
        )
        .await;
    for id in ["conversation:v1", "conversation:v2"] {
        let observed = read_back(&portal, Kind::Conversation, id).await;
        let thread = observed.body.unwrap().thread().unwrap();
        let Entity::Conversation(found) = &thread.conversation.data else {
            panic!("no conversation");
        };
        assert_eq!(found.status, ConversationStatus::Closed, "{id}");
    }
    assert_undone(&portal.rollback(UndoMode::Careful).await, "rollback");
}

/// The item as a later run has it: changed since, with what was done before.
fn later(
    portal: &Portal,
    id: &str,
    change: impl FnOnce(&mut Conversation),
    more: Vec<Part>,
) -> Item {
    let mut first = mail(portal, &format!("m1-{id}"), "Where is it?", NOW);
    first.attachments = vec![file(&format!("f1-{id}"), "note.txt", 3)];
    let second = note(portal, &format!("m2-{id}"), "Asked.", NOW + 60_000);
    let mut data = conversation(portal, &format!("Subject {id}"));
    data.last_activity_at = Some(NOW + 99_000_000);
    change(&mut data);
    let mut parts = vec![first, second];
    parts.extend(more);
    Item {
        prior: portal.effects_of(&format!("conversation:{id}")),
        ..thread(id, Vec::new(), data, parts)
    }
}

#[tokio::test]
async fn a_thread_that_changed_since_gets_what_changed_open_or_closed() {
    for status in [ConversationStatus::Open, ConversationStatus::Closed] {
        let portal = portal().await;
        let first = Conversation {
            status: status.clone(),
            ..conversation(&portal, "Subject v1")
        };
        let mut parts = vec![mail(&portal, "m1-v1", "Where is it?", NOW)];
        parts[0].attachments = vec![file("f1-v1", "note.txt", 3)];
        parts.push(note(&portal, "m2-v1", "Asked.", NOW + 60_000));
        portal
            .write(
                Kind::Conversation,
                vec![thread("v1", Vec::new(), first, parts)],
            )
            .await;
        let live_files = |portal: &Portal| {
            portal
                .snapshot()
                .files
                .values()
                .filter(|f| f.archived.is_none())
                .count()
        };
        let before = live_files(&portal);
        let more = vec![note(&portal, "m3", "More.", NOW + 120_000)];
        let change = |data: &mut Conversation| {
            data.subject = Some("Another subject".to_owned());
            data.status = ConversationStatus::Closed;
        };
        let outcomes = portal
            .write(Kind::Conversation, vec![later(&portal, "v1", change, more)])
            .await;
        assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
        let row = ticket(&portal, "v1");
        assert_eq!(row.text("subject"), "Another subject");
        assert_eq!(under(&portal, &row, TypeId::NOTE).len(), 2);
        assert_eq!(under(&portal, &row, TypeId::EMAIL).len(), 1);
        assert_eq!(live_files(&portal), before);
        // The same again changes nothing.
        let again = later(
            &portal,
            "v1",
            change,
            vec![note(&portal, "m3", "More.", NOW + 120_000)],
        );
        let newest_first: Vec<_> = again.prior.iter().rev().cloned().collect();
        let again = Item {
            prior: newest_first,
            ..again
        };
        let outcomes = portal.write(Kind::Conversation, vec![again]).await;
        assert_eq!(outcomes[0].status, Status::Matched, "{outcomes:?}");
        assert_undone(&portal.rollback(UndoMode::Careful).await, "rollback");
    }
}

#[tokio::test]
async fn what_somebody_changed_stays_and_what_somebody_added_keeps_its_ticket() {
    let portal = portal().await;
    portal
        .write(
            Kind::Conversation,
            vec![of(&portal, "v1"), of(&portal, "v2"), of(&portal, "v3")],
        )
        .await;
    let changed = ticket(&portal, "v1");
    portal
        .sim
        .change(TypeId::TICKET, changed.id, &json!({"subject": "Mine now"}))
        .unwrap();
    let noted = ticket(&portal, "v2");
    let theirs = json!({"hs_note_body": "Theirs", "hs_timestamp": "2026-11-20T10:00:00.000Z"});
    let note = portal
        .sim
        .make(TypeId::NOTE, &theirs, &[(TypeId::TICKET, noted.id)])
        .unwrap();
    let removed = ticket(&portal, "v3");
    assert!(portal.sim.remove(TypeId::TICKET, removed.id));
    let preview = portal.rollback(UndoMode::Preview).await;
    let undone = portal.rollback(UndoMode::Careful).await;
    let said = |all: &[transload_sdk::ledger::UndoOutcome], reason: &str| {
        let conflicts = all.iter().filter(|one| one.status == UndoStatus::Conflict);
        conflicts
            .filter(|one| one.reason.as_deref() == Some(reason))
            .count()
    };
    for outcomes in [&preview, &undone] {
        assert_eq!(said(outcomes, "changed since: subject"), 1, "{outcomes:?}");
        assert_eq!(
            said(outcomes, "what this run did not make hangs on it: 1 notes"),
            1
        );
    }
    assert!(undone.iter().any(|one| one.status == UndoStatus::Gone));
    let snapshot = portal.snapshot();
    assert!(snapshot.record(TypeId::TICKET, changed.id).is_some());
    assert!(snapshot.record(TypeId::TICKET, noted.id).is_some());
    assert!(snapshot.record(TypeId::NOTE, note).is_some());
    portal.rollback(UndoMode::Force).await;
    let snapshot = portal.snapshot();
    assert!(snapshot.record(TypeId::TICKET, changed.id).is_none());
    assert!(snapshot.record(TypeId::TICKET, noted.id).is_none());
    assert!(
        snapshot.record(TypeId::NOTE, note).is_some(),
        "what others made is never deleted"
    );
}

#[tokio::test]
async fn a_ticket_that_was_merged_into_another_is_a_conflict() {
    let portal = portal().await;
    portal
        .write(Kind::Conversation, vec![of(&portal, "v1")])
        .await;
    let ours = ticket(&portal, "v1");
    let theirs = json!({"subject": "Theirs", "hs_pipeline": "0", "hs_pipeline_stage": "1"});
    let theirs = portal.sim.make(TypeId::TICKET, &theirs, &[]).unwrap();
    portal.sim.merge(TypeId::TICKET, theirs, ours.id);
    let observed = read_back(&portal, Kind::Conversation, "conversation:v1").await;
    assert_eq!(observed.presence, Presence::Merged);
    let undone = portal.rollback(UndoMode::Careful).await;
    let conflict = undone
        .iter()
        .find(|one| one.status == UndoStatus::Conflict)
        .unwrap();
    assert!(
        conflict.reason.as_deref().unwrap().contains("merged into"),
        "{conflict:?}"
    );
}

#[tokio::test]
async fn a_thread_of_a_run_of_somebody_else_is_left_as_it_is() {
    let mut portal = portal().await;
    portal
        .write(Kind::Conversation, vec![of(&portal, "v1")])
        .await;
    portal.run = "r2".to_owned();
    let outcomes = portal
        .write(Kind::Conversation, vec![of(&portal, "v1")])
        .await;
    assert_eq!(outcomes[0].status, Status::Matched);
    assert_eq!(outcomes[0].effects[0].action, Action::Matched);
    assert_eq!(
        under(&portal, &ticket(&portal, "v1"), TypeId::NOTE).len(),
        1
    );
}

#[tokio::test]
async fn spam_is_skipped_and_a_public_message_alone_is_rejected() {
    let portal = portal().await;
    let spam = Conversation {
        spam: true,
        ..conversation(&portal, "Buy")
    };
    let spam = thread("v1", Vec::new(), spam, Vec::new());
    let outcomes = portal.write(Kind::Conversation, vec![spam]).await;
    assert!(matches!(outcomes[0].status, Status::Skipped(_)));
    let alone = item(mail(&portal, "m1", "x", NOW).message);
    let outcomes = portal.write(Kind::Message, vec![alone]).await;
    assert!(
        matches!(outcomes[0].status, Status::Rejected(Error::Invalid(_))),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn threads_are_loaded_and_taken_back_whatever_the_account_does_where_nobody_knows() {
    type Position = (&'static str, fn(&mut Switches));
    let positions: [Position; 19] = [
        ("new codes", |s| s.new_codes_in_2026_03 = false),
        ("partial", |s| s.partial_is_207_in_dated = false),
        ("scalars", |s| s.json_scalars_accepted = true),
        ("order", |s| s.batch_order_shuffled = false),
        ("archive", |s| s.batch_archive_missing_fails = true),
        ("exists", |s| s.exists_status = 400),
        ("ignored", |s| s.activity_unknown_ignored = true),
        ("delete", |s| s.delete_unknown_status = 204),
        ("unique", |s| s.unique_on_activities = true),
        ("email", |s| s.email_delete_permanent = false),
        ("keeps", |s| s.archived_keeps_unique = true),
        ("html", |s| s.html_sanitised = false),
        ("ids", |s| s.ids_as_text_in_lists = true),
        ("names", |s| s.names_lower_cased = false),
        ("attachments", |s| s.unknown_attachment_refused = true),
        ("lag", |s| s.search_lag = s.search_lag * 100),
        ("owner", |s| s.archived_owner = ArchivedOwner::Dropped),
        ("moved", |s| s.incoming_email_moves_ticket = true),
        ("options", |s| s.bool_needs_options = false),
    ];
    for (case, change) in positions {
        let mut portal = Portal::unprepared(|config| change(&mut config.switches));
        let before = portal.sim.state_fingerprint();
        portal.prepare().await;
        let portal = with_people(portal).await;
        let outcomes = portal
            .trial
            .write(
                Kind::Conversation,
                vec![of(&portal, "v1"), of(&portal, "v2")],
            )
            .await;
        assert!(outcomes.iter().all(is_created), "{case}: {outcomes:?}");
        let row = ticket(&portal, "v1");
        let count = |kind: TypeId| under(&portal, &row, kind).len();
        assert_eq!(
            (count(TypeId::EMAIL), count(TypeId::NOTE)),
            (1, 1),
            "{case}"
        );
        assert_undone(&portal.rollback(UndoMode::Careful).await, case);
        assert_same(&before, &portal.sim.state_fingerprint(), case);
    }
}

#[tokio::test]
async fn an_owner_who_left_meanwhile_keeps_no_thread_out() {
    for dropped in [ArchivedOwner::Refused, ArchivedOwner::Dropped] {
        let portal = portal().await;
        portal
            .sim
            .set_switches(|switches| switches.archived_owner = dropped);
        let snapshot = portal.snapshot();
        let left = snapshot
            .owners
            .values()
            .find(|owner| owner.archived.is_some())
            .unwrap()
            .id;
        let lea = Reference::new(Kind::Agent, "a2")
            .called("Lea")
            .at(left.to_string());
        let data = Conversation {
            assignees: vec![lea],
            ..conversation(&portal, "Left")
        };
        let item = thread("v1", Vec::new(), data, vec![note(&portal, "m1", "x", NOW)]);
        let outcomes = portal.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        assert_eq!(ticket(&portal, "v1").text("hubspot_owner_id"), "");
    }
}

#[tokio::test]
async fn an_author_whom_nobody_knows_any_more_is_named_above_the_text() {
    let portal = portal().await;
    let gone = Reference::new(Kind::Agent, "a2")
        .called("Lea")
        .at("77777777777");
    let part = changed(said("m1", Author::Person(gone), "x", NOW), |message| {
        message.visibility = Visibility::Internal;
    });
    let other = note(&portal, "m2", "y", NOW + 1_000);
    let item = thread(
        "v1",
        Vec::new(),
        conversation(&portal, "Gone"),
        vec![part, other],
    );
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let notes = under(&portal, &ticket(&portal, "v1"), TypeId::NOTE);
    assert_eq!(
        notes[0].text("hs_note_body"),
        "<p>[Migrated: written by Lea (agent a2)]</p>x"
    );
    assert_eq!(notes[1].text("hs_note_body"), "y");
    assert!(
        outcomes[0]
            .losses
            .iter()
            .any(|loss| loss.field == "message.author")
    );
}

#[tokio::test]
async fn a_lock_passes() {
    let portal = portal().await;
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    portal.sim.lock_record(TypeId::CONTACT, contact.id);
    let outcomes = portal
        .write(
            Kind::Conversation,
            vec![of(&portal, "v1"), of(&portal, "v2")],
        )
        .await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
}

#[tokio::test]
async fn a_thread_of_one_message_too_many_for_a_ticket_continues_in_a_second_one() {
    let portal = portal().await;
    let count = i64::try_from(ACTIVITIES_PER_TICKET).unwrap() + 1;
    let part = |n: i64| note(&portal, &format!("m{n}"), "x", NOW + n);
    let parts = (0..count).map(part).collect();
    let item = thread("v1", Vec::new(), conversation(&portal, "Endless"), parts);
    let outcomes = portal.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]));
    let first = ticket(&portal, "v1");
    let snapshot = portal.snapshot();
    let marker = "old-desk:org1:conversation:v1#2";
    let second = snapshot.with(TypeId::TICKET, "transload_source_id", marker);
    assert_eq!(second[0].text("subject"), "Endless (part 2)");
    assert_eq!(snapshot.linked(&first, TypeId::TICKET)[0].id, second[0].id);
    assert_eq!(
        snapshot.linked(&first, TypeId::NOTE).len(),
        ACTIVITIES_PER_TICKET - 1
    );
    let observed = read_back(&portal, Kind::Conversation, "conversation:v1").await;
    let parts = observed.body.unwrap().thread().unwrap().parts;
    assert_eq!(i64::try_from(parts.len()).unwrap(), count);
}
