//! Tickets in the simulated account: what is sent, what of it is refused, what is there already.

use crate::support::Stand as _;
use crate::support::{
    Account, assert_same, assert_undone, customer, file, is_created, said, thread,
};
use transload_plugin_zendesk::Zendesk;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, SlotValue, Thread, UndoMode};
use transload_sdk::ledger::{Action, Status};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Author, Conversation, Customer, Kind, Message, Reference, Text, Visibility,
};
use transload_simulators::zendesk::FailedRow;
use transload_simulators::zendesk::model::{CommentText, Ticket};

const NOW: i64 = 1_795_000_000_000;

async fn account() -> Account {
    let account = Account::new().await;
    with_ana(&account).await;
    account
}

async fn with_ana(account: &Account) {
    let data = Customer {
        name: Some("Ana Ruiz".to_owned()),
        ..Customer::empty()
    };
    account
        .write(Kind::Customer, vec![customer("c1", Vec::new(), data)])
        .await;
}

fn ana(account: &Account) -> Reference {
    account.known(Reference::new(Kind::Customer, "c1").called("Ana Ruiz"))
}

fn conversation(account: &Account, subject: &str) -> Conversation {
    Conversation {
        customer: Some(ana(account)),
        subject: Some(subject.to_owned()),
        ..Conversation::empty()
    }
}

fn of(account: &Account, id: &str, messages: usize) -> Item {
    let by_ana = Author::Person(ana(account));
    let parts = (0..messages).map(|n| {
        let at = NOW + i64::try_from(n).unwrap();
        said(
            &format!("m{n}-{id}"),
            by_ana.clone(),
            &format!("text {n}"),
            at,
        )
    });
    thread(
        id,
        Vec::new(),
        conversation(account, &format!("Subject {id}")),
        parts.collect(),
    )
}

fn tickets(account: &Account, id: &str) -> Vec<Ticket> {
    let marker = format!("old-desk:org1:conversation:{id}");
    let snapshot = account.snapshot();
    let found = snapshot.tickets_by_external_id(&marker).into_iter();
    found.cloned().collect()
}

fn text(text: &CommentText) -> &str {
    match text {
        CommentText::Plain(text) | CommentText::Html(text) => text,
    }
}

#[tokio::test]
async fn a_thread_of_5_001_comments_is_two_tickets_of_which_none_is_made_twice() {
    for (nth, how) in [
        (1, Loss::AfterApplying),
        (1, Loss::BeforeArriving),
        (2, Loss::AfterApplying),
        (2, Loss::BeforeArriving),
    ] {
        let account = account().await;
        let items = vec![of(&account, "v1", 5_001)];
        let harness = account.harness().lose_answer(nth, how);
        let outcomes = account.write_on(harness, Kind::Conversation, items).await;
        let case = format!("request {nth}, {how:?}");
        assert!(is_created(&outcomes[0]), "{case}: {outcomes:?}");
        let (first, second) = (tickets(&account, "v1"), tickets(&account, "v1#2"));
        assert_eq!((first.len(), second.len()), (1, 1), "{case}");
        let all = first[0].comments.iter().chain(&second[0].comments);
        let said = all.filter(|c| text(&c.text).starts_with("text "));
        assert_eq!(said.count(), 5_001, "{case}");
        let link = format!("continues ticket #{}", first[0].id);
        assert!(text(&second[0].comments[0].text).contains(&link), "{case}");
        // Taken apart after all of it was applied: nothing is made again.
        let again = Item {
            in_doubt_since: Some(account.now() - 3_600_000),
            ..of(&account, "v1", 5_001)
        };
        let outcomes = account.write(Kind::Conversation, vec![again]).await;
        assert_eq!(outcomes[0].effects.len(), 2, "{case}");
        assert!(
            outcomes[0]
                .effects
                .iter()
                .all(|e| e.action == Action::Created)
        );
        assert_eq!(tickets(&account, "v1#2").len(), 1, "{case}");
    }
}

#[tokio::test]
async fn all_tags_of_a_conversation_with_more_than_twenty_are_on_its_ticket() {
    let account = account().await;
    let tag = |n: usize| Reference::new(Kind::Tag, format!("g{n}")).at(format!("tag_{n}"));
    let data = Conversation {
        tags: (0..30).map(tag).collect(),
        ..conversation(&account, "Tags")
    };
    let by_ana = Author::Person(ana(&account));
    let items = vec![thread(
        "v1",
        Vec::new(),
        data,
        vec![said("m1", by_ana, "Hi", NOW)],
    )];
    account.write(Kind::Conversation, items).await;
    let ticket = tickets(&account, "v1").remove(0);
    assert!((0..30).all(|n| ticket.tags.contains(&format!("tag_{n}"))));
}

#[tokio::test]
async fn a_file_that_zendesk_does_not_take_is_named_in_the_thread_and_the_rest_is_there() {
    // One is over the connector's limit, one over Zendesk's own.
    let mut account = Account::unprepared(|config| config.switches.upload_max_bytes = 1_000);
    account.set("max_attachment_bytes", 2_000);
    account.prepare().await;
    with_ana(&account).await;
    let mut part = said("m1", Author::Person(ana(&account)), "See below", NOW);
    part.attachments = vec![
        file("f1", "small.txt", 10),
        file("f2", "large.txt", 1_500),
        file("f3", "huge.txt", 3_000),
    ];
    let data = conversation(&account, "Files");
    let outcomes = account
        .write(
            Kind::Conversation,
            vec![thread("v1", Vec::new(), data, vec![part])],
        )
        .await;
    let ticket = tickets(&account, "v1").remove(0);
    let first = &ticket.comments[0];
    assert_eq!(first.attachments.len(), 1);
    assert_eq!(first.attachments[0].name, "small.txt");
    let said = text(&first.text);
    assert!(
        said.contains("file large.txt is missing here: Zendesk refuses it"),
        "{said}"
    );
    assert!(
        said.contains("file huge.txt is missing here: 3000 bytes are more"),
        "{said}"
    );
    let lost = outcomes[0]
        .losses
        .iter()
        .filter(|l| l.field == "attachment");
    assert_eq!(
        lost.count(),
        1,
        "the host knows of the one over the connector's limit"
    );
    // By its place: the conversation, its message, three files.
    let refused: Vec<u32> = outcomes[0].refused.iter().map(|r| r.place).collect();
    assert_eq!(refused, [3]);
    let why = &outcomes[0].refused[0].reason;
    assert!(why.starts_with("Zendesk refuses it: "), "{why}");
}

#[tokio::test]
async fn a_refused_row_of_a_completed_job_is_its_own_threads_whichever_form_it_has() {
    for form in [FailedRow::Indexed, FailedRow::Openapi] {
        let account = account().await;
        account
            .sim
            .set_switches(|switches| switches.failed_row = form);
        let items: Vec<Item> = ["v1", "v2", "v3"]
            .into_iter()
            .map(|id| of(&account, id, 1))
            .map(|mut item| {
                if item.key.ends_with("v2") {
                    // A status that Zendesk does not know spoils its row.
                    item.values = vec![SlotValue {
                        slot: "status".to_owned(),
                        value: "nonsense".to_owned(),
                    }];
                }
                item
            })
            .collect();
        let outcomes = account.write(Kind::Conversation, items).await;
        let created: Vec<bool> = outcomes.iter().map(is_created).collect();
        assert_eq!(created, [true, false, true], "{form:?}: {outcomes:?}");
        assert!(matches!(outcomes[1].status, Status::Rejected(_)));
        assert_eq!(tickets(&account, "v2").len(), 0, "{form:?}");
        let third = &outcomes[2].effects[0].target_id;
        assert_eq!(
            tickets(&account, "v3")[0].id.to_string(),
            *third,
            "{form:?}"
        );
    }
}

#[tokio::test]
async fn files_do_not_wait_for_their_ticket_longer_than_their_tokens_live() {
    let account = account().await;
    // 300 files each: a job of all three would hold 900 tokens while they age.
    let items = (0..3).map(|n| {
        let by_ana = Author::Person(ana(&account));
        let mut part = said(&format!("m{n}"), by_ana, "Files", NOW);
        let name = |f: usize| file(&format!("f{n}-{f}"), "a.txt", 1);
        part.attachments = (0..300).map(name).collect();
        let data = conversation(&account, "Files");
        thread(&format!("v{n}"), Vec::new(), data, vec![part])
    });
    let harness = account.harness();
    Zendesk::write(&harness.context(), Kind::Conversation, items.collect())
        .await
        .unwrap();
    let outcomes = harness.outcomes();
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let mut waiting = 0;
    for exchange in harness.exchanges() {
        if exchange.request.url.starts_with("/api/v2/uploads") {
            waiting += 1;
            assert!(waiting <= 500, "{waiting} files wait");
        } else if exchange.request.url.starts_with("/api/v2/imports") {
            waiting = 0;
        }
    }
}

#[tokio::test]
async fn a_thread_that_an_earlier_run_loaded_is_not_loaded_again() {
    let mut account = account().await;
    account
        .write(Kind::Conversation, vec![of(&account, "v1", 1)])
        .await;
    let prior = account.effects_of("conversation:v1");
    account.run = "r2".to_owned();
    account.prepare().await;
    let whole = account.sim.state_fingerprint();
    let second = |messages: usize| Item {
        prior: prior.clone(),
        ..of(&account, "v1", messages)
    };
    let same = account.write(Kind::Conversation, vec![second(1)]).await;
    assert!(matches!(same[0].status, Status::Matched));
    assert_eq!(same[0].losses, Vec::new());
    let changed = account.write(Kind::Conversation, vec![second(3_000)]).await;
    assert!(matches!(changed[0].status, Status::Matched));
    assert_eq!(changed[0].losses.len(), 1, "{:?}", changed[0].losses);
    assert_same(&whole, &account.sim.state_fingerprint(), "");

    // One that somebody deleted since is loaded anew.
    let mut gone = prior.clone();
    gone[0].target_id = "99".to_owned();
    let anew = Item {
        prior: gone,
        ..of(&account, "v2", 1)
    };
    let outcomes = account.write(Kind::Conversation, vec![anew]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
}

#[tokio::test]
async fn a_note_on_a_customer_has_its_files_and_is_taken_back() {
    let account = account().await;
    let note = Message {
        customer: Some(ana(&account)),
        visibility: Visibility::Internal,
        author: Author::Name("A bot".to_owned()),
        text: Some(Text::Inline("Prefers the phone.".to_owned())),
        sent_at: Some(NOW),
        ..Message::empty()
    };
    let entry = crate::support::entry(
        Kind::Message,
        "n1",
        Vec::new(),
        transload_sdk::types::Entity::Message(note),
    );
    let thread = Thread {
        conversation: entry.clone(),
        parts: vec![Part {
            message: entry.clone(),
            attachments: vec![file("f1", "a.txt", 3)],
        }],
    };
    let item = Item {
        body: thread.into(),
        ..crate::support::item(entry)
    };
    let outcomes = account.write(Kind::Message, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let ticket = snapshot.tickets_by_external_id("old-desk:org1:message:n1")[0];
    assert_eq!(ticket.status.as_str(), "closed");
    assert!(!ticket.comments[0].public);
    assert_eq!(ticket.comments[0].attachments.len(), 1);
    let said = "[Migrated: written by A bot]\n\nPrefers the phone.";
    assert_eq!(text(&ticket.comments[0].text), said);

    let undone = account.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    assert_eq!(
        account
            .snapshot()
            .tickets_by_external_id("old-desk:org1:message:n1")
            .len(),
        0
    );
}

#[tokio::test]
async fn an_archived_ticket_whose_answer_was_lost_is_found_by_search() {
    for how in [Loss::AfterApplying, Loss::BeforeArriving] {
        let mut account = Account::unprepared(|_| {});
        account.set("archive_immediately", true);
        account.set("import_mode", "single");
        account.prepare().await;
        with_ana(&account).await;
        let mut items: Vec<Item> = ["v1", "v2"].map(|id| of(&account, id, 1)).to_vec();
        for item in &mut items {
            item.values = vec![SlotValue {
                slot: "status".to_owned(),
                value: "closed".to_owned(),
            }];
        }
        let harness = account.harness().lose_answer(1, how);
        let outcomes = account.write_on(harness, Kind::Conversation, items).await;
        assert!(outcomes.iter().all(is_created), "{how:?}: {outcomes:?}");
        for id in ["v1", "v2"] {
            assert_eq!(tickets(&account, id).len(), 1, "{how:?} {id}");
        }
        assert!(tickets(&account, "v1")[0].archived);
    }
}
