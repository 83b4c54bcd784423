//! Threads as tickets, against the simulated account: who, when, where, and what the account does with them.
use crate::support::*;
use transload_sdk::destination::{Candidate, MatchKey, SlotValue};
use transload_sdk::ledger::{Outcome, Proof, Status};
use transload_sdk::types::{Author, Conversation, Kind, Priority, Reference};
use transload_simulators::freshdesk::Notifications;

#[tokio::test]
async fn a_thread_is_a_description_and_notes_by_whoever_wrote_them() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let outcomes = account
        .write(Kind::Conversation, vec![talk(&account, "v1", &ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (ticket, notes) = account.ticket("v1");
    assert_eq!(ticket.status, 5);
    assert_eq!(ticket.subject, "Where is it?");
    assert_eq!(Some(ticket.requester_id.to_string()), ana.target);
    assert_eq!(
        ticket.description,
        "<div><p>[Migrated: sent 2023-11-14T22:13:20.250Z]</p>Hello&nbsp; there</div>"
    );
    let dana: u64 = account.dana().target.unwrap().parse().unwrap();
    let shown: Vec<(u64, bool, bool)> = notes
        .iter()
        .map(|note| (note.user_id, note.private, note.incoming))
        .collect();
    assert_eq!(
        shown,
        [
            (dana, false, false),
            (dana, true, false),
            (ticket.requester_id, false, true),
        ]
    );
    assert!(notes.iter().all(|note| note.source == 2), "no reply");
    assert!(notes[1].body.contains("She is waiting"));
    let main = outcomes[0].effects.last().unwrap();
    assert_eq!(
        (main.part.as_str(), &main.proof),
        ("main", &Some(Proof::Fresh))
    );
    assert!(
        outcomes[0]
            .losses
            .iter()
            .any(|l| l.field == "conversation.created-at")
    );
}

#[tokio::test]
async fn where_the_account_takes_times_they_are_the_originals() {
    let account = Account::timed().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let outcomes = account
        .write(Kind::Conversation, vec![talk(&account, "v1", &ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (ticket, notes) = account.ticket("v1");
    assert_eq!(ticket.status, 5);
    assert_eq!(ticket.created_at.timestamp(), 1_700_000_000);
    assert_eq!(ticket.updated_at.timestamp(), 1_700_000_120);
    let times: Vec<i64> = notes.iter().map(|n| n.created_at.timestamp()).collect();
    assert_eq!(times, [1_700_000_060, 1_700_000_061, 1_700_000_120]);
    assert_eq!(ticket.description, "<div>Hello&nbsp; there</div>");
    assert!(
        !outcomes[0]
            .losses
            .iter()
            .any(|l| l.field == "conversation.created-at")
    );
}

fn note_of<'n>(
    notes: &'n [transload_simulators::freshdesk::model::Conversation],
    text: &str,
) -> &'n transload_simulators::freshdesk::model::Conversation {
    notes.iter().find(|note| note.body.contains(text)).unwrap()
}

fn loses(outcome: &Outcome, field: &str) -> bool {
    outcome.losses.iter().any(|loss| loss.field == field)
}

#[tokio::test]
async fn what_an_agent_said_first_is_a_note_under_a_description_of_nobody() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let parts = vec![said("m1", Author::Person(account.dana()), "Hi Ana", AT)];
    let item = thread("v1", Vec::new(), of(&ana), parts);
    account.write(Kind::Conversation, vec![item]).await;
    let (ticket, notes) = account.ticket("v1");
    assert!(
        ticket
            .description
            .contains("[Migrated: the messages of this conversation follow as notes]")
    );
    assert!(
        note_of(&notes, "Hi Ana")
            .body
            .contains("sent 2023-11-14T22:13:20.250Z")
    );
    assert_eq!(notes.len(), 1);
}

#[tokio::test]
async fn who_was_not_migrated_is_named_and_stood_in_for() {
    let account = Account::new().await;
    let state = account.prepared();
    let ana = Reference::new(Kind::Customer, "c9").called("Ana Ruiz");
    let gone =
        Reference::new(Kind::Agent, "a9").at(format!("placeholder:{}:Old Tim", state.stand_in));
    let parts = vec![
        said("m1", Author::Person(ana.clone()), "one", AT),
        said("m2", Author::Person(gone), "two", AT + 1_000),
        said("m3", Author::System, "three", AT + 2_000),
        internal(said("m4", Author::Person(ana.clone()), "four", AT + 3_000)),
    ];
    let outcomes = account
        .write(
            Kind::Conversation,
            vec![thread("v1", Vec::new(), of(&ana), parts)],
        )
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (ticket, notes) = account.ticket("v1");
    assert_eq!(ticket.requester_id, state.stand_in_requester);
    assert!(
        ticket
            .description
            .contains("written by Ana Ruiz (customer c9)")
    );
    let two = note_of(&notes, "two");
    assert_eq!(two.user_id, state.stand_in);
    assert!(two.body.contains("written by Old Tim"));
    assert!(
        note_of(&notes, "three")
            .body
            .contains("written by the system")
    );
    let four = note_of(&notes, "four");
    assert!(
        four.private && four.user_id == state.me,
        "a contact writes no private note"
    );
    assert!(loses(&outcomes[0], "conversation.customer") && loses(&outcomes[0], "message.author"));
}

#[tokio::test]
async fn slots_people_tags_and_fields_stand_where_the_ticket_has_them() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let group = account.snapshot().groups[0].id;
    let tag = |n: usize| Reference::new(Kind::Tag, format!("t{n}")).at(format!("label {n}"));
    let conversation = Conversation {
        tags: (0..25)
            .map(tag)
            .chain([Reference::new(Kind::Tag, "t99").called("odd")])
            .collect(),
        assignees: vec![account.dana(), Reference::new(Kind::Agent, "a7")],
        teams: vec![Reference::new(Kind::Team, "g1").at(group.to_string())],
        priority: Some(Priority {
            value: 5,
            lowest: 1,
            highest: 5,
        }),
        channels: vec!["sms".to_owned()],
        closed_at: Some(AT + 9_000),
        ..of(&ana)
    };
    let mut item = thread(
        "v1",
        Vec::new(),
        conversation,
        vec![said("m1", Author::Person(ana.clone()), "a", AT)],
    );
    item.values.push(SlotValue {
        slot: "status".to_owned(),
        value: "4".to_owned(),
    });
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    let (ticket, notes) = account.ticket("v1");
    assert_eq!((ticket.status, ticket.priority, ticket.source), (4, 4, 7));
    assert_eq!(
        ticket.responder_id.map(|id| id.to_string()),
        account.dana().target
    );
    assert_eq!(ticket.group_id, Some(group));
    assert_eq!(ticket.tags.len(), 26);
    assert!(ticket.tags.iter().any(|tag| tag == "imported_old-desk"));
    let field = |key: &str| ticket.custom_fields[&account.prepared().ticket_fields[key]].clone();
    assert_eq!(field("marker"), "old-desk:org1:conversation:v1");
    assert_eq!(field("run"), "r1");
    assert_eq!(field("created"), "2023-11-14");
    assert_eq!(field("closed"), "2023-11-14");
    let card = field("card").as_str().unwrap().to_owned();
    for fact in [
        "Marker: old-desk:org1:conversation:v1",
        "priority: 5 on 1..5",
        "tag: odd",
        "agent a7",
        "closed: 2023-11-14T22:13:29.250Z",
        "channels: sms",
    ] {
        assert!(card.contains(fact), "{fact} in {card}");
    }
    assert_eq!(notes.len(), 0, "the card needs no note");
    assert!(
        loses(&outcomes[0], "conversation.tags") && loses(&outcomes[0], "conversation.assignees")
    );
}

#[tokio::test]
async fn an_agent_who_must_be_in_the_group_and_is_not_is_kept_and_the_group_is_on_the_card() {
    let account = Account::with(|config| config.responder_in_group = true).await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let body = serde_json::json!({"name": "Nobody's"});
    let group = account.sim.as_owner("POST", "groups", &body).unwrap()["id"].clone();
    let conversation = Conversation {
        assignees: vec![account.dana()],
        teams: vec![Reference::new(Kind::Team, "g1").at(group.to_string())],
        ..of(&ana)
    };
    let item = thread(
        "v1",
        Vec::new(),
        conversation,
        vec![said("m1", Author::Person(ana.clone()), "a", AT)],
    );
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (ticket, _) = account.ticket("v1");
    assert_eq!(
        ticket.responder_id.map(|id| id.to_string()),
        account.dana().target
    );
    assert_eq!(ticket.group_id, None);
    assert!(loses(&outcomes[0], "conversation.teams"));
}

#[tokio::test]
async fn a_lone_note_is_a_finished_private_ticket_and_spam_is_skipped() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let mut part = internal(said("n1", Author::Person(account.dana()), "Likes tea", AT));
    message(&mut part, |message| message.customer = Some(ana.clone()));
    let note = item(part.message);
    let outcomes = account.write(Kind::Message, vec![note]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let ticket = account
        .snapshot()
        .tickets
        .into_iter()
        .max_by_key(|ticket| ticket.id)
        .unwrap();
    assert_eq!(
        (ticket.subject.as_str(), ticket.status),
        ("Note on the customer", 5)
    );
    let said_in = account.snapshot().thread(ticket.id).to_vec();
    assert!(said_in[0].private && said_in[0].body.contains("Likes tea"));

    let spam = Conversation {
        spam: true,
        ..of(&ana)
    };
    let item = thread(
        "v2",
        Vec::new(),
        spam,
        vec![said("m9", Author::Person(ana.clone()), "a", AT)],
    );
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    assert!(matches!(outcomes[0].status, Status::Skipped(_)));
}

#[tokio::test]
async fn a_ticket_that_may_not_be_closed_yet_is_left_open_and_says_so() {
    let account = Account::new().await;
    let field = serde_json::json!({"label": "Why", "label_for_customers": "Why", "type": "custom_text", "required_for_closure": true});
    account
        .sim
        .as_owner("POST", "admin/ticket_fields", &field)
        .unwrap();
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let outcomes = account
        .write(Kind::Conversation, vec![talk(&account, "v1", &ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert!(loses(&outcomes[0], "conversation.status"));
    assert_eq!(account.ticket("v1").0.status, 2);
}

#[tokio::test]
async fn without_the_administrators_switches_the_account_mails_but_not_about_closing() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    account
        .sim
        .set_up(|config| config.notifications = Notifications::default());
    account
        .trial
        .write(Kind::Conversation, vec![talk(&account, "v1", &ana)])
        .await;
    let mails: Vec<String> = account
        .sim
        .outbox()
        .all()
        .into_iter()
        .map(|mail| mail.reason)
        .collect();
    assert!(
        mails.iter().any(|reason| reason == "new ticket created"),
        "{mails:?}"
    );
    assert!(
        mails
            .iter()
            .any(|reason| reason == "agent adds a public note"),
        "{mails:?}"
    );
    assert!(
        !mails
            .iter()
            .any(|reason| reason.starts_with("agent closes")),
        "{mails:?}"
    );
}

#[tokio::test]
async fn the_migration_api_is_silent_whatever_is_switched_on() {
    let account = Account::timed().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    account
        .sim
        .set_up(|config| config.notifications = Notifications::default());
    account
        .write(Kind::Conversation, vec![talk(&account, "v1", &ana)])
        .await;
}

#[tokio::test]
async fn a_thousand_messages_take_about_a_thousand_calls() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let mut calls = 0;
    for unit in 0..5 {
        let items = (0..20)
            .map(|n| talk(&account, &format!("v{unit}-{n}"), &ana))
            .collect();
        let harness = account.harness();
        let cx = harness.context();
        <transload_plugin_freshdesk::Freshdesk as transload_sdk::Destination>::write(
            &cx,
            Kind::Conversation,
            items,
        )
        .await
        .unwrap();
        assert!(harness.outcomes().iter().all(is_created));
        let exchanges = harness.exchanges();
        let polls = exchanges
            .iter()
            .filter(|e| e.request.url.contains("/jobs/"))
            .count();
        calls += exchanges.len() - polls;
    }
    // Four messages each, a job for twenty, and a look at what it did.
    assert!(calls <= 100 * 4 + 5 * 2, "{calls} calls");
}

#[tokio::test]
async fn an_author_whom_the_account_does_not_take_is_named() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let bo = account.contact("Bo", "bo@example.com");
    let path = format!("contacts/{bo}");
    account
        .sim
        .as_owner("DELETE", &path, &serde_json::Value::Null)
        .unwrap();
    let bo = Reference::new(Kind::Customer, "c2")
        .at(bo.to_string())
        .called("Bo Ng");
    let parts = vec![
        said("m1", Author::Person(ana.clone()), "one", AT),
        said("m2", Author::Person(bo), "two", AT + 1_000),
    ];
    let item = thread("v1", Vec::new(), of(&ana), parts);
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (_, notes) = account.ticket("v1");
    assert_eq!(notes[0].user_id, account.prepared().me);
    assert!(notes[0].body.contains("written by Bo Ng (customer c2)"));
    assert!(loses(&outcomes[0], "message.author"));
}

#[tokio::test]
async fn a_ticket_that_is_somebody_elses_for_all_that_is_known_is_left_alone() {
    let account = Account::new().await;
    let ana = customer(account.contact("Ana", "ana@example.com"));
    let other = account.snapshot().tickets[0].clone();
    let doubtful = existing(
        talk(&account, "v1", &ana),
        Candidate {
            target_id: other.id.to_string(),
            by: MatchKey::Other,
            before: "{}".to_owned(),
            doubtful: Some("the same subject".to_owned()),
        },
    );
    let outcomes = account.write(Kind::Conversation, vec![doubtful]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_ne!(account.ticket("v1").0.id, other.id);
    assert!(account.snapshot().tickets.contains(&other));
}
