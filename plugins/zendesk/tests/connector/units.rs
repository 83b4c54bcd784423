//! Whole units against a small account: what is sent, what is reported, and what a lost answer leads to.
//!
//! The account here knows only what these tests need and answers as Zendesk would; the simulator, which is strict about
//! everything, plays in the end-to-end tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use transload_plugin_zendesk::Zendesk;
use transload_plugin_zendesk::state::State;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, Thread, UndoMode, Undoing};
use transload_sdk::http::{Body, Request, Response};
use transload_sdk::ledger::{Action, Outcome, Proof, Status, UndoStatus};
use transload_sdk::testing::{Harness, Loss, answer};
use transload_sdk::types::{
    Address, AddressChannel, Author, Conversation, Customer, Direction, Entity, Entry, Head, Kind,
    Message, Reference, Text,
};

const NOW: i64 = 1_795_424_400_000;

/// The account: users by id, tickets by id, jobs by id.
#[derive(Default)]
struct Account {
    users: BTreeMap<u64, Value>,
    tickets: BTreeMap<u64, Value>,
    jobs: BTreeMap<String, Value>,
    deleted: BTreeMap<u64, Value>,
    next: u64,
}

impl Account {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next + 1_000
    }

    fn answer(&mut self, request: &Request) -> Response {
        let body: Value = match &request.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        let (path, query) = request
            .url
            .split_once('?')
            .unwrap_or((request.url.as_str(), ""));
        let query = query
            .replace("%3A", ":")
            .replace("%40", "@")
            .replace("%22", "\"")
            .replace("%2C", ",");
        let value = |name: &str| {
            let pair = query
                .split('&')
                .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            pair.unwrap_or("").to_owned()
        };
        let parts: Vec<&str> = path.trim_start_matches("/api/v2/").split('/').collect();
        let ok = |body: Value| answer(200, body.to_string());
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["users"]) => {
                let mut user = body["user"].clone();
                let email = user["email"].clone();
                if self
                    .users
                    .values()
                    .any(|other| !email.is_null() && other["email"] == email)
                {
                    let text = format!(
                        "Email: {} is already being used by another user",
                        email.as_str().unwrap()
                    );
                    return answer(
                        422,
                        json!({"error": "RecordInvalid", "details": {"email": [
                        {"description": text, "error": "DuplicateValue"}]}})
                        .to_string(),
                    );
                }
                let id = self.id();
                user["id"] = json!(id);
                user["active"] = json!(true);
                self.users.insert(id, user.clone());
                answer(201, json!({"user": user}).to_string())
            }
            ("GET", ["users", "show_many"]) => {
                let wanted: Vec<String> = value("external_ids")
                    .split(',')
                    .map(str::to_owned)
                    .collect();
                let found = self
                    .users
                    .values()
                    .filter(|u| wanted.iter().any(|w| u["external_id"] == **w));
                ok(json!({"users": found.collect::<Vec<_>>()}))
            }
            ("GET", ["users", "search"]) => {
                let email = value("query").replace("email:", "").replace('"', "");
                let found = self.users.values().filter(|u| u["email"] == *email);
                ok(json!({"users": found.collect::<Vec<_>>()}))
            }
            ("POST", ["imports", "tickets"]) => {
                let ticket = self.import(body["ticket"].clone());
                answer(201, json!({"ticket": ticket}).to_string())
            }
            ("POST", ["imports", "tickets", "create_many"]) => {
                let mut rows = Vec::new();
                for (index, ticket) in body["tickets"].as_array().unwrap().iter().enumerate() {
                    rows.push(if ticket["subject"] == "refused" {
                        json!({"index": index, "error": "TicketCreationFailed", "details": "Requester: Ana is suspended."})
                    } else {
                        json!({"index": index, "id": self.import(ticket.clone())["id"]})
                    });
                }
                let id = format!("job{}", self.id());
                self.jobs.insert(
                    id.clone(),
                    json!({"id": id, "status": "completed", "results": rows}),
                );
                ok(json!({"job_status": {"id": id, "status": "queued"}}))
            }
            ("GET", ["job_statuses"]) => {
                ok(json!({"job_statuses": self.jobs.values().collect::<Vec<_>>()}))
            }
            ("GET", ["job_statuses", id]) => match self.jobs.get(*id) {
                Some(job) => ok(json!({"job_status": job})),
                None => answer(404, "{}"),
            },
            ("GET", ["tickets"]) => {
                let marker = value("external_id");
                let found = self
                    .tickets
                    .values()
                    .filter(|t| t["external_id"] == *marker);
                ok(json!({"tickets": found.collect::<Vec<_>>()}))
            }
            ("GET", ["tickets", "show_many"]) => {
                let ids: Vec<u64> = value("ids")
                    .split(',')
                    .filter_map(|id| id.parse().ok())
                    .collect();
                let found = ids.iter().filter_map(|id| self.tickets.get(id));
                ok(json!({"tickets": found.collect::<Vec<_>>()}))
            }
            ("GET", ["tickets", id, "comments"]) => {
                let ticket = self.tickets.get(&id.parse().unwrap());
                let comments = ticket.map(|t| t["comments"].clone()).unwrap_or_default();
                ok(json!({"comments": comments}))
            }
            ("DELETE", ["tickets", "destroy_many"]) => self.delete(&value("ids"), false),
            ("DELETE", ["deleted_tickets", "destroy_many"]) => self.delete(&value("ids"), true),
            _ => answer(
                404,
                json!({"error": "InvalidEndpoint", "description": "Not found"}).to_string(),
            ),
        }
    }

    fn import(&mut self, mut ticket: Value) -> Value {
        let id = self.id();
        ticket["id"] = json!(id);
        for comment in ticket["comments"].as_array_mut().unwrap() {
            let html = comment["body"]
                .as_str()
                .unwrap_or("")
                .replace('&', "&amp;")
                .replace('<', "&lt;");
            comment["html_body"] = json!(format!("<div class=\"zd-comment\"><p>{html}</p></div>"));
        }
        self.tickets.insert(id, ticket.clone());
        ticket
    }

    fn delete(&mut self, ids: &str, purge: bool) -> Response {
        for id in ids.split(',').filter_map(|id| id.parse().ok()) {
            if purge {
                self.deleted.remove(&id);
            } else if let Some(ticket) = self.tickets.remove(&id) {
                self.deleted.insert(id, ticket);
            }
        }
        let id = format!("job{}", self.id());
        self.jobs.insert(
            id.clone(),
            json!({"id": id, "status": "completed", "results": []}),
        );
        answer(
            200,
            json!({"job_status": {"id": id, "status": "queued"}}).to_string(),
        )
    }
}

fn harness(account: &Rc<RefCell<Account>>, config: Value) -> Harness {
    let account = Rc::clone(account);
    let state = State {
        me: 1,
        stand_in: 7,
        ticket_source_id: 501,
        ticket_source_url: 502,
        ..State::default()
    };
    Harness::new(move |request| std::future::ready(account.borrow_mut().answer(&request)))
        .config(&config)
        .run("r1", "old-desk", "org1")
        .state(serde_json::to_string(&state).unwrap())
        .now(NOW)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

fn head(kind: Kind, id: &str) -> Head {
    Head {
        created_at: Some(NOW - 86_400_000),
        ..Head::new(kind, id.to_owned())
    }
}

fn customer(id: &str, emails: &[&str]) -> Item {
    let address = |value: &&str| Address::new(AddressChannel::Email, *value);
    let customer = Customer {
        name: Some("Ana Ruiz".to_owned()),
        addresses: emails.iter().map(address).collect(),
        ..Customer::empty()
    };
    let entry = Entry {
        head: head(Kind::Customer, id),
        data: Entity::Customer(customer),
    };
    Item::new(id, format!("old-desk:org1:customer:{id}"), entry)
}

fn thread(id: &str, subject: &str) -> Item {
    let ana = Reference::new(Kind::Customer, "c1").at("827");
    let message = Message {
        direction: Direction::Inbound,
        author: Author::Person(ana.clone()),
        text: Some(Text::Inline(format!("text of {id}"))),
        sent_at: Some(NOW - 86_400_000),
        ..Message::empty()
    };
    let conversation = Conversation {
        customer: Some(ana),
        subject: Some(subject.to_owned()),
        direction: Direction::Inbound,
        ..Conversation::empty()
    };
    let conversation = Entry {
        head: head(Kind::Conversation, id),
        data: Entity::Conversation(conversation),
    };
    let message = Entry {
        head: head(Kind::Message, &format!("m-{id}")),
        data: Entity::Message(message),
    };
    let thread = Thread {
        conversation,
        parts: vec![Part {
            message,
            attachments: Vec::new(),
        }],
    };
    Item::new(id, format!("old-desk:org1:conversation:{id}"), thread)
}

fn threads(n: usize) -> Vec<Item> {
    (0..n)
        .map(|i| thread(&format!("v{i}"), &format!("subject {i}")))
        .collect()
}

fn write(harness: &Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
    run(Zendesk::write(&harness.context(), kind, items)).unwrap();
    harness.outcomes()
}

#[test]
fn a_thousand_threads_take_at_most_forty_calls() {
    let account = Rc::default();
    let mut calls = 0;
    for chunk in threads(1_000).chunks(100) {
        let harness = harness(&account, json!({}));
        let outcomes = write(&harness, Kind::Conversation, chunk.to_vec());
        assert!(outcomes.iter().all(|o| matches!(o.status, Status::Created)));
        calls += harness.exchanges().len();
    }
    assert_eq!(account.borrow().tickets.len(), 1_000);
    assert!(calls <= 40, "{calls} calls");
}

#[test]
fn a_refused_row_of_a_completed_job_rejects_its_own_thread_only() {
    let account = Rc::default();
    let items = vec![
        thread("v1", "one"),
        thread("v2", "refused"),
        thread("v3", "three"),
    ];
    let outcomes = write(&harness(&account, json!({})), Kind::Conversation, items);
    let kinds: Vec<bool> = outcomes
        .iter()
        .map(|o| matches!(o.status, Status::Created))
        .collect();
    assert_eq!(kinds, [true, false, true]);
    assert!(matches!(&outcomes[1].status, Status::Rejected(_)));
    assert_eq!(account.borrow().tickets.len(), 2);
}

#[test]
fn a_lost_answer_makes_no_ticket_twice_and_loses_none() {
    for mode in ["bulk", "single"] {
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            for nth in 1..=3 {
                let account = Rc::default();
                let harness = harness(&account, json!({"import_mode": mode})).lose_answer(nth, how);
                let outcomes = write(&harness, Kind::Conversation, threads(3));
                let case = format!("{mode}, {how:?}, {nth}");
                assert_eq!(account.borrow().tickets.len(), 3, "{case}");
                assert_eq!(outcomes.len(), 3, "{case}");
                let proven = |o: &Outcome| {
                    let main = &o.effects[0];
                    main.action == Action::Created && main.proof.is_some() && main.key.is_some()
                };
                assert!(outcomes.iter().all(proven), "{case}: {outcomes:?}");
                let found = outcomes
                    .iter()
                    .any(|o| matches!(o.effects[0].proof, Some(Proof::Marker(_))));
                let lost = how == Loss::AfterApplying && (mode == "single" || nth == 1);
                assert_eq!(found, lost, "{case}");
            }
        }
    }
}

#[test]
fn customers_whose_answer_was_lost_are_found_by_their_marker() {
    for how in [Loss::AfterApplying, Loss::BeforeArriving] {
        let account = Rc::default();
        let harness = harness(&account, json!({})).lose_answer(1, how);
        let items = vec![
            customer("c1", &["ana@example.com"]),
            customer("c2", &["bo@example.com"]),
        ];
        let outcomes = write(&harness, Kind::Customer, items);
        assert!(
            outcomes.iter().all(|o| matches!(o.status, Status::Created)),
            "{how:?}: {outcomes:?}"
        );
        assert_eq!(account.borrow().users.len(), 2, "{how:?}");
    }
}

#[test]
fn two_customers_with_one_address_stay_two_users() {
    let account = Rc::default();
    let first = write(
        &harness(&account, json!({})),
        Kind::Customer,
        vec![customer("c1", &["ana@example.com"])],
    );
    let second = write(
        &harness(&account, json!({})),
        Kind::Customer,
        vec![customer("c2", &["ana@example.com"])],
    );
    assert!(matches!(first[0].status, Status::Created));
    assert!(matches!(second[0].status, Status::Created));
    assert_ne!(
        first[0].effects[0].target_id,
        second[0].effects[0].target_id
    );
    assert!(
        second[0]
            .losses
            .iter()
            .any(|loss| loss.field == "customer.addresses.email")
    );
    let account = account.borrow();
    let notes = account
        .users
        .values()
        .filter(|u| u["notes"].as_str().unwrap().contains("ana@example.com"));
    assert_eq!(
        notes.count(),
        1,
        "the address stands on the second one's card"
    );
}

#[test]
fn a_unit_that_runs_again_takes_the_same_way() {
    let account = Rc::default();
    let first = harness(&account, json!({})).lose_answer(1, Loss::AfterApplying);
    write(&first, Kind::Conversation, threads(5));
    let (cx, second) = first.replay();
    run(Zendesk::write(&cx, Kind::Conversation, threads(5))).unwrap();
    assert_eq!(first.same_way(&second), None);
}

fn undoing(outcomes: &[Outcome]) -> Vec<Undoing> {
    let number = |(n, outcome): (usize, &Outcome)| Undoing {
        effect_id: n as u64,
        kind: Kind::Conversation,
        item: outcome.item.clone(),
        marker: format!("old-desk:org1:conversation:{}", outcome.item),
        effect: outcome.effects[0].clone(),
    };
    outcomes.iter().enumerate().map(number).collect()
}

#[test]
fn undo_leaves_no_ticket_but_the_one_that_somebody_changed() {
    let account = Rc::default();
    let outcomes = write(
        &harness(&account, json!({})),
        Kind::Conversation,
        threads(3),
    );
    let changed: u64 = outcomes[1].effects[0].target_id.parse().unwrap();
    {
        let mut account: std::cell::RefMut<'_, Account> = account.borrow_mut();
        let ticket = account.tickets.get_mut(&changed).unwrap();
        ticket["updated_at"] = json!("2026-11-23T10:00:00Z");
        let foreign = json!({"id": 9, "author_id": 3, "public": true, "html_body": "hello", "created_at": "2026-11-23T10:00:00Z"});
        ticket["comments"].as_array_mut().unwrap().push(foreign);
    }
    let preview = harness(&account, json!({}));
    run(Zendesk::undo(
        &preview.context(),
        UndoMode::Preview,
        undoing(&outcomes),
        Vec::new(),
    ))
    .unwrap();
    assert!(
        preview
            .exchanges()
            .iter()
            .all(|e| e.request.method == "GET"),
        "a preview only looks"
    );
    let careful = harness(&account, json!({}));
    run(Zendesk::undo(
        &careful.context(),
        UndoMode::Careful,
        undoing(&outcomes),
        Vec::new(),
    ))
    .unwrap();
    let status = |h: &Harness| -> Vec<(u64, UndoStatus)> {
        let mut list: Vec<_> = h
            .undo_outcomes()
            .iter()
            .map(|o| (o.effect, o.status))
            .collect();
        list.sort_by_key(|(effect, _)| *effect);
        list
    };
    let expected = [
        (0, UndoStatus::Undone),
        (1, UndoStatus::Conflict),
        (2, UndoStatus::Undone),
    ];
    assert_eq!(status(&careful), expected);
    assert_eq!(status(&preview), expected);
    assert_eq!(
        account.borrow().tickets.keys().copied().collect::<Vec<_>>(),
        [changed]
    );
    assert!(account.borrow().deleted.is_empty(), "deleted for good");
    let forced = harness(&account, json!({}));
    run(Zendesk::undo(
        &forced.context(),
        UndoMode::Force,
        undoing(&outcomes),
        Vec::new(),
    ))
    .unwrap();
    assert!(account.borrow().tickets.is_empty());
}
