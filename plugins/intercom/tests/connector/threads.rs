//! What becomes of threads: texts, times, authors, files, length, states; what a later run adds and what an undo leaves.

use crate::support::*;
use transload_plugin_intercom::Intercom;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, Part, Presence, UndoMode, Undoing, Written};
use transload_sdk::ledger::{Status, UndoStatus};
use transload_sdk::types::{
    Author, Conversation, ConversationStatus, Entity, Fidelity, Kind, Message, Reference, Tag,
    Text, Visibility,
};
use transload_simulators::intercom::model::Author as Wrote;
use transload_simulators::intercom::{ListValue, PartOrder};

const ODD: &str =
    "  [Migrated: mine] \u{202e}rtl\u{202c} שָׁלוֹם 👩‍👩‍👧‍👦\n\n\ta  b <b>&amp;</b> \u{a0}\u{feff} end  ";

fn edit(item: &mut Item, change: impl FnOnce(&mut Conversation)) {
    if let Some(Entity::Conversation(data)) = item.body.entries.first_mut().map(|e| &mut e.data) {
        change(data);
    }
}

fn with_parts(item: &Item, parts: Vec<Part>) -> Item {
    let mut thread = item.thread().unwrap();
    thread.parts = parts;
    Item {
        body: thread.into(),
        ..item.clone()
    }
}

fn message(part: &mut Part, change: impl FnOnce(&mut Message)) {
    if let Entity::Message(message) = &mut part.message.data {
        change(message);
    }
}

async fn read_back(account: &Account, item: &str) -> transload_sdk::destination::Observed {
    let written = Written {
        item: item.to_owned(),
        effects: account.effects_of(item),
        ..written_of(item)
    };
    let harness = account.harness();
    let mut observed = Intercom::read_back(&harness.context(), vec![written])
        .await
        .unwrap();
    observed.remove(0)
}

fn written_of(item: &str) -> Written {
    Written {
        kind: Kind::Conversation,
        item: item.to_owned(),
        effects: vec![],
    }
}

fn texts(observed: &transload_sdk::destination::Observed) -> Vec<String> {
    let thread = observed.body.as_ref().unwrap().thread().unwrap();
    let text = |part: &Part| match &part.message.data {
        Entity::Message(Message {
            text: Some(Text::Inline(text)),
            ..
        }) => text.clone(),
        _ => String::new(),
    };
    thread.parts.iter().map(text).collect()
}

#[test]
fn odd_texts_are_read_back_byte_for_byte() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let parts = vec![
            said("m1", Author::Person(account.bo()), ODD, DAY),
            said("m2", Author::Person(account.dana()), ODD, DAY + 1_000),
            said(
                "m3",
                Author::Person(account.bo()),
                "[Migrated: x] mine",
                DAY + 2_000,
            ),
            said("m4", Author::Name("Someone".to_owned()), ODD, DAY + 3_000),
        ];
        let item = with_parts(&account.talk("v1"), parts);
        let made = account.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&made[0]), "{made:?}");
        let observed = read_back(&account, "conversation:v1").await;
        assert_eq!(observed.presence, Presence::Present);
        assert_eq!(texts(&observed), [ODD, ODD, "[Migrated: x] mine", ODD]);
        let main = account
            .effects_of("conversation:v1")
            .into_iter()
            .find(|e| e.part == "main");
        assert_eq!(observed.fingerprint, main.unwrap().fingerprint);
    });
}

#[test]
fn a_conversation_that_no_customer_began_begins_with_a_line_of_ours() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let mut note = said("m2", Author::Person(account.dana()), "beware", DAY + 500);
        message(&mut note, |m| m.visibility = Visibility::Internal);
        let former = Reference::new(Kind::Agent, "a9").called("Ana Ruiz");
        let parts = vec![
            said("m1", Author::Person(former), "Hello", DAY),
            note,
            said("m3", Author::Person(account.bo()), "Hi", DAY + 500),
        ];
        let item = with_parts(&account.talk("v1"), parts);
        let made = account.write(Kind::Conversation, vec![item]).await;
        let talk = account.conversation("v1");
        assert_eq!(
            talk.source.sent_body,
            "[Migrated: the conversation began with what follows]"
        );
        let times: Vec<i64> = talk.parts[..3]
            .iter()
            .map(|part| part.created_at - DAY / 1_000)
            .collect();
        assert_eq!(times, [1, 2, 3], "a second each");
        assert!(made[0].losses.iter().any(|l| l.field == "message.sent-at"));
        let said = account.said_in("v1");
        assert_eq!(
            said[0].1,
            "<p>[Migrated: written by Ana Ruiz (agent a9)]<br><br>Hello</p>"
        );
        assert_eq!(said[1].0, "note");
        assert_eq!(
            talk.parts[0].author,
            Wrote::Admin(account.sim.token_admin())
        );
        let observed = read_back(&account, "conversation:v1").await;
        assert_eq!(texts(&observed), ["Hello", "beware", "Hi"]);
    });
}

#[test]
fn a_thread_of_three_thousand_messages_goes_on_in_further_conversations() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.live();
        account.prepare().await;
        account.people().await;
        let parts: Vec<Part> = (0..3_000)
            .map(|n| {
                let author = if n % 2 == 0 {
                    account.bo()
                } else {
                    account.dana()
                };
                said(
                    &format!("m{n}"),
                    Author::Person(author),
                    &format!("text {n}"),
                    DAY + n * 1_000,
                )
            })
            .collect();
        let item = with_parts(&account.talk("v1"), parts);
        let made = account.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&made[0]), "{:?}", made[0].status);
        let snapshot = account.snapshot();
        let ours = snapshot
            .conversations
            .iter()
            .filter(|c| c.parts.len() > 100);
        let ours: Vec<_> = ours.collect();
        assert_eq!(ours.len(), 7);
        assert!(
            ours.iter()
                .all(|c| c.parts.len() < 500 && c.state.as_str() == "closed")
        );
        let observed = read_back(&account, "conversation:v1").await;
        let wanted: Vec<String> = (0..3_000).map(|n| format!("text {n}")).collect();
        assert_eq!(texts(&observed), wanted);
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.live(), "as it was");
    });
}

#[test]
fn files_that_are_refused_missing_or_too_large_are_named_and_the_rest_is_there() {
    run(async {
        let mut account = Account::with(|config| {
            config.switches.attachment_max_bytes = Some(1_000);
        })
        .await;
        account.set("max_attachment_bytes", 5_000);
        account.people().await;
        let mut first = said("m1", Author::Person(account.bo()), "see files", DAY);
        for n in 0..12 {
            first
                .attachments
                .push(file(&format!("f{n}"), &format!("{n}.txt"), 3));
        }
        let mut second = said("m2", Author::Person(account.dana()), "mine", DAY + 60_000);
        second.attachments.push(file("g1", "small.txt", 10));
        second.attachments.push(file("g2", "refused.txt", 2_000));
        second.attachments.push(file("g3", "large.txt", 6_000));
        second.attachments.push(file("g4", "empty.txt", 0));
        let item = with_parts(&account.talk("v1"), vec![first, second]);
        let made = account.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&made[0]), "{made:?}");
        assert_eq!(made[0].refused.len(), 1, "{:?}", made[0].refused);
        let talk = account.conversation("v1");
        let counts: Vec<usize> = talk
            .parts
            .iter()
            .map(|part| part.attachments.len())
            .collect();
        assert_eq!(counts[..3], [10, 2, 2]);
        let text = talk.parts[2].sent_body.as_deref().unwrap();
        assert!(
            text.contains("file refused.txt is missing here: Intercom refuses it"),
            "{text}"
        );
        assert!(
            text.contains("file large.txt is missing here: 6000 bytes"),
            "{text}"
        );
        let observed = read_back(&account, "conversation:v1").await;
        let thread = observed.body.unwrap().thread().unwrap();
        let files: Vec<usize> = thread
            .parts
            .iter()
            .map(|part| part.attachments.len())
            .collect();
        assert_eq!(files, [12, 2]);
    });
}

#[test]
fn markup_of_a_contact_is_a_file_and_that_of_an_admin_is_shown() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let html = "<p>see <a href=\"https://x.example\">this</a></p>";
        let mut one = said("m1", Author::Person(account.bo()), "see this", DAY);
        message(&mut one, |m| m.html = Some(Text::Inline(html.to_owned())));
        let mut two = said(
            "m2",
            Author::Person(account.dana()),
            "see this",
            DAY + 1_000,
        );
        message(&mut two, |m| m.html = Some(Text::Inline(html.to_owned())));
        let item = with_parts(&account.talk("v1"), vec![one, two]);
        let made = account.write(Kind::Conversation, vec![item]).await;
        let talk = account.conversation("v1");
        assert_eq!(
            talk.source.sent_body,
            "[Migrated: with its markup in message.html]\n\nsee this"
        );
        assert_eq!(talk.parts[0].attachments[0].name, "message.html");
        assert_eq!(
            talk.parts[0].attachments[0].content.as_deref(),
            Some(html.as_bytes())
        );
        assert_eq!(talk.parts[1].sent_body.as_deref(), Some(html));
        assert!(
            made[0]
                .losses
                .iter()
                .any(|l| l.field == "message.html" && l.how == Fidelity::Converted)
        );
    });
}

#[test]
fn more_than_twenty_tags_are_on_a_conversation() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let tag = |id: String| {
            let data = Tag {
                name: format!("tag {id}"),
                color: None,
            };
            item(entry(Kind::Tag, &id, vec![], Entity::Tag(data)))
        };
        account
            .write(Kind::Tag, (0..25).map(|n| tag(format!("g{n}"))).collect())
            .await;
        let mut talk = account.talk("v1");
        let tags = (0..25).map(|n| account.known(Reference::new(Kind::Tag, format!("g{n}"))));
        let tags: Vec<Reference> = tags.collect();
        edit(&mut talk, |data| data.tags = tags);
        account.write(Kind::Conversation, vec![talk]).await;
        assert_eq!(account.conversation("v1").tags.len(), 25);
    });
}

#[test]
fn every_state_is_what_it_was() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let later = account.now() + 86_400_000;
        let mut items = Vec::new();
        for (id, status, until) in [
            ("v1", ConversationStatus::Open, None),
            ("v2", ConversationStatus::Closed, None),
            ("v3", ConversationStatus::Snoozed, Some(later)),
            ("v4", ConversationStatus::Snoozed, Some(DAY)),
            ("v5", ConversationStatus::Snoozed, None),
        ] {
            let mut talk = account.talk(id);
            edit(&mut talk, |data| {
                data.status = status;
                data.snooze_until = until;
            });
            items.push(talk);
        }
        account.write(Kind::Conversation, items).await;
        let states = ["v1", "v2", "v3", "v4", "v5"].map(|id| account.conversation(id).state);
        let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        assert_eq!(states, ["open", "closed", "snoozed", "open", "closed"]);
    });
}

#[test]
fn every_reading_of_what_is_not_known_gives_the_same_texts() {
    for (name, set) in [
        (
            "contacts' markup",
            (|s| s.contact_reply_html = true) as fn(&mut transload_simulators::intercom::Switches),
        ),
        ("parts as made", |s| s.part_order = PartOrder::Made),
        ("lists by id", |s| s.conversation_list = ListValue::Id),
        ("admins do not reopen", |s| s.admin_reply_reopens = false),
        ("same states", |s| s.same_state_refused = false),
        ("a lag of messages", |s| s.messaging_lag = chrono_minutes()),
    ] {
        run(async {
            let account = Account::with(|config| set(&mut config.switches)).await;
            account.people().await;
            let made = account
                .write(Kind::Conversation, vec![account.talk("v1")])
                .await;
            assert!(is_created(&made[0]), "{name}: {made:?}");
            let observed = read_back(&account, "conversation:v1").await;
            assert_eq!(texts(&observed), ["Where is it?", "On its way."], "{name}");
            assert_eq!(
                account.conversation("v1").state.as_str(),
                "closed",
                "{name}"
            );
        });
    }
}

fn chrono_minutes() -> chrono::Duration {
    chrono::Duration::seconds(20)
}

fn again(account: &Account, item: Item) -> Item {
    Item {
        prior: account.effects_of(&item.key),
        ..item
    }
}

#[test]
fn a_later_run_adds_what_came_since_and_an_undo_blanks_it() {
    run(async {
        let mut account = Account::new().await;
        account.people().await;
        account
            .write(Kind::Conversation, vec![account.talk("v1")])
            .await;
        account.run = "r2".to_owned();
        let mut parts = account.talk("v1").thread().unwrap().parts;
        parts.push(said(
            "v1-m3",
            Author::Person(account.bo()),
            "Thanks",
            DAY + 120_000,
        ));
        let longer = again(&account, with_parts(&account.talk("v1"), parts));
        let unchanged = again(&account, account.talk("v1"));
        let calm = account
            .write_counted(Kind::Conversation, vec![unchanged])
            .await;
        assert_eq!(calm, 0, "nothing came since");
        let made = account.write(Kind::Conversation, vec![longer]).await;
        assert!(matches!(made[0].status, Status::Updated), "{made:?}");
        let talk = account.conversation("v1");
        let thanks = talk
            .parts
            .iter()
            .filter(|p| p.sent_body.as_deref() == Some("Thanks"));
        assert_eq!(thanks.count(), 1);
        assert_eq!(talk.state.as_str(), "closed");

        // The later run alone is undone.
        let undoing = |(n, effect): (usize, &transload_sdk::ledger::Effect)| Undoing {
            effect_id: n as u64,
            kind: Kind::Conversation,
            item: "conversation:v1".to_owned(),
            marker: "old-desk:org1:conversation:v1".to_owned(),
            effect: effect.clone(),
        };
        let effects: Vec<Undoing> = made[0].effects.iter().enumerate().map(undoing).collect();
        let harness = account.harness();
        Intercom::undo(&harness.context(), UndoMode::Careful, effects, vec![])
            .await
            .unwrap();
        assert_undone(&harness.undo_outcomes(), "the later run");
        let talk = account.conversation("v1");
        assert!(talk.parts.iter().any(|part| part.redacted));
        assert_eq!(
            talk.parts
                .iter()
                .filter(|part| part.part_type == "comment" && !part.redacted)
                .count(),
            1
        );
        // The reply had opened it: what it was before that counts.
        assert_eq!(talk.state.as_str(), "closed");
    });
}

#[test]
fn what_people_did_since_is_a_conflict_and_stays() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        account
            .write(
                Kind::Conversation,
                vec![account.talk("v1"), account.talk("v2")],
            )
            .await;
        let bo = account.customer("c1").id;
        let talk = account.conversation("v1");
        account
            .sim
            .contact_writes(&bo, Some(talk.id), "and now?")
            .unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let conflicts: Vec<_> = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .collect();
        // The conversation, and the contact whom it would go with.
        assert_eq!(conflicts.len(), 2, "{undone:?}");
        account.conversation("v1");
        assert_undone(&account.rollback(UndoMode::Force).await, "by force");
        assert!(account.snapshot().conversation(talk.id).is_none());
    });
}

#[test]
fn a_customer_who_was_not_migrated_is_named_and_a_guest_writes_as_such() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let guest = transload_sdk::types::Customer {
            name: Some("Guest".to_owned()),
            ..transload_sdk::types::Customer::empty()
        };
        account
            .write(Kind::Customer, vec![customer("c2", vec![], guest)])
            .await;
        let gone = Reference::new(Kind::Customer, "c9").called("Zoe");
        let mut talk = account.talk("v1");
        edit(&mut talk, |data| data.customer = Some(gone.clone()));
        let guest = account.known(Reference::new(Kind::Customer, "c2"));
        let parts = vec![
            said("m1", Author::Person(gone), "I am gone", DAY),
            said("m2", Author::Person(guest.clone()), "I am not", DAY + 1_000),
        ];
        let made = account
            .write(Kind::Conversation, vec![with_parts(&talk, parts)])
            .await;
        assert!(is_created(&made[0]), "{made:?}");
        let talk = account.conversation("v1");
        assert_eq!(
            talk.source.sent_body,
            "[Migrated: written by Zoe (customer c9)]\n\nI am gone"
        );
        assert_eq!(talk.parts[0].author, Wrote::Contact(guest.target.unwrap()));
        assert_eq!(talk.contacts.len(), 2);
    });
}

#[test]
fn what_has_no_field_is_in_an_attribute_and_on_the_source_card() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let mut talk = account.talk("v1");
        edit(&mut talk, |data| {
            data.priority = Some(transload_sdk::types::Priority {
                value: 4,
                lowest: 1,
                highest: 5,
            });
            data.sub_status = Some("waiting".to_owned());
        });
        account.write(Kind::Conversation, vec![talk]).await;
        let talk = account.conversation("v1");
        let snapshot = account.snapshot();
        let value = |name: &str| snapshot.conversation_value(&talk, name).cloned();
        assert_eq!(value("Original priority"), Some("4 on 1..5".into()));
        assert_eq!(value("Original channel"), Some("email".into()));
        assert_eq!(value("Transload run"), Some("r1".into()));
        let said = account.said_in("v1");
        let (kind, card) = said.last().unwrap();
        assert_eq!(kind, "note");
        assert!(card.contains("sub-status: waiting"), "{card}");
    });
}
