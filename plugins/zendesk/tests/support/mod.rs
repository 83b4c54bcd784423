//! The connector on the SDK's harness, the harness on the simulated account: no socket, and no time but the account's.
//!
//! [`Account`] plays the part of a host that these tests need: it keeps effects, refuses what a host refuses, and undoes
//! last things first.
#![allow(
    dead_code,
    clippy::panic,
    reason = "each test file uses its part; what a test cannot read is a failed test"
)]

use std::cell::RefCell;

use axum::Router;
use serde_json::{Map, Value, json};
use transload_plugin_zendesk::Zendesk;
use transload_sdk::Destination;
use transload_sdk::destination::{Candidate, Item, Part, Thread, UndoMode, Undoing};
use transload_sdk::http::{Body, Header, Request, Response};
use transload_sdk::ledger::{Action, Effect, Outcome, Status, UndoOutcome, UndoStatus};
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::{
    Agent, AgentState, Attachment, Author, ChoiceOption, Company, Conversation, CustomObject,
    Customer, Entity, Entry, Error, Field, FieldDefinition, FieldType, Head, Kind, Message,
    ObjectType, Owner, Reference, Relationship, Team, Text, Value as FieldValue,
};
use transload_simulators::common::ask;
use transload_simulators::zendesk::{Config, Preexisting, Simulator, Snapshot};

/// What passes at the account with every request, ms: a job is done after a few.
const STEP_MS: i64 = 2_000;

/// A simulated account with its connector, prepared.
pub struct Account {
    pub sim: Simulator,
    pub settings: Map<String, Value>,
    pub run: String,
    token: String,
    state: Option<String>,
    effects: RefCell<Vec<Undoing>>,
}

impl Account {
    /// An account without limits of requests.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One that is otherwise as said.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut account = Self::unprepared(change);
        account.prepare().await;
        account
    }

    /// One at which nothing was done yet.
    pub fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            preexisting: Preexisting {
                agents_by_email: vec![("dana@acme.example".to_owned(), "Dana".to_owned())],
                ..Preexisting::default()
            },
            ..Config::virtual_time()
        };
        // A token of the simulator's default life would not outlive a long test.
        change(&mut config);
        let sim = Simulator::new(config);
        let token = sim.admin_token();
        let mut settings = Map::new();
        settings.insert("subdomain".to_owned(), json!("acme"));
        Self {
            sim,
            settings,
            run: "r1".to_owned(),
            token,
            state: None,
            effects: RefCell::default(),
        }
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    pub fn now(&self) -> i64 {
        self.sim.harness().clock.now_ms()
    }

    /// A host for one unit, whose platform is the account's router.
    pub fn harness(&self) -> Harness {
        let (router, token) = (self.sim.router(), self.token.clone());
        let clock = self.sim.harness().clock.clone();
        let slept = clock.clone();
        let platform = move |request: Request| {
            clock.advance(STEP_MS);
            send(router.clone(), token.clone(), request)
        };
        let harness = Harness::new(platform)
            .config(&Value::Object(self.settings.clone()))
            .run(&self.run, "kustomer", "org1")
            .now(self.now())
            .sleeping(move |ms| slept.advance(i64::try_from(ms).unwrap_or(0)));
        match &self.state {
            Some(state) => harness.state(state.clone()),
            None => harness,
        }
    }

    pub async fn prepare(&mut self) {
        self.prepare_on(self.harness()).await;
    }

    /// The same on a harness of the test's; how many writes it took.
    pub async fn prepare_on(&mut self, harness: Harness) -> usize {
        let state = Zendesk::prepare(&harness.context()).await.unwrap();
        self.state = Some(state);
        assert_eq!(harness.unclaimed(), Vec::<String>::new());
        for outcome in harness.outcomes() {
            self.keep(&Kind::Other("own".to_owned()), "", &outcome);
        }
        writes(&harness)
    }

    /// One unit; its outcomes, which a host would have taken.
    pub async fn write(&self, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        self.write_on(self.harness(), kind, items).await
    }

    /// The same; how many writes it took.
    pub async fn write_counted(&self, kind: Kind, items: Vec<Item>) -> usize {
        let harness = self.harness();
        self.write_in(&harness, kind, items).await;
        writes(&harness)
    }

    /// The same on a harness of the test's. Items that a unit leaves open run singly, in doubt since before it, as a host
    /// runs them.
    pub async fn write_on(&self, harness: Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        self.write_in(&harness, kind, items).await
    }

    async fn write_in(&self, harness: &Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        let since = self.now();
        let ended = Zendesk::write(&harness.context(), kind.clone(), items.clone()).await;
        let mut outcomes = harness.outcomes();
        assert_eq!(harness.unclaimed(), Vec::<String>::new());
        match ended {
            Ok(()) => assert_eq!(outcomes.len(), items.len(), "one outcome an item"),
            Err(Error::Transient(_)) => {
                let done = |item: &&Item| !outcomes.iter().any(|o| o.item == item.key);
                let open: Vec<Item> = items.iter().filter(done).cloned().collect();
                for item in open {
                    let again = Item {
                        in_doubt_since: Some(since),
                        ..item
                    };
                    let harness = self.harness();
                    Zendesk::write(&harness.context(), kind.clone(), vec![again])
                        .await
                        .unwrap();
                    outcomes.extend(harness.outcomes());
                }
            }
            Err(other) => panic!("{other:?}"),
        }
        // Whatever is written, nobody is mailed (rule M-8).
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
        for outcome in &outcomes {
            let item = items.iter().find(|item| item.key == outcome.item).unwrap();
            let unproven = |e: &&Effect| e.action == Action::Created && e.proof.is_none();
            assert_eq!(outcome.effects.iter().find(unproven), None);
            self.keep(&kind, &item.marker, outcome);
        }
        outcomes
    }

    /// The items with what is there already, as a host asks for it: the first candidate counts.
    pub async fn matched(&self, kind: Kind, items: Vec<Item>) -> Vec<Item> {
        let harness = self.harness();
        let found = Zendesk::match_items(&harness.context(), kind, items.clone())
            .await
            .unwrap();
        let candidate = |item: &Item| {
            let of_it = found.iter().find(|result| result.item == item.key)?;
            of_it.candidates.first().cloned()
        };
        let with = |item: Item| match candidate(&item) {
            Some(candidate) => existing(item, candidate),
            None => item,
        };
        items.into_iter().map(with).collect()
    }

    fn keep(&self, kind: &Kind, marker: &str, outcome: &Outcome) {
        let mut kept = self.effects.borrow_mut();
        for effect in &outcome.effects {
            let undoing = Undoing {
                effect_id: kept.len() as u64,
                kind: kind.clone(),
                item: outcome.item.clone(),
                marker: marker.to_owned(),
                effect: effect.clone(),
            };
            kept.push(undoing);
        }
    }

    /// The effects that an item had so far.
    pub fn effects_of(&self, item: &str) -> Vec<Effect> {
        let kept = self.effects.borrow();
        let of_item = kept.iter().filter(|u| u.item == item);
        of_item.map(|u| u.effect.clone()).collect()
    }

    /// A reference as a host gives it for what was written before: with its target.
    pub fn known(&self, reference: Reference) -> Reference {
        let key = key(&reference.kind, &reference.id);
        let kept = self.effects.borrow();
        let main = kept
            .iter()
            .rev()
            .find(|u| u.item == key && u.effect.part == "main");
        match main {
            Some(undoing) => reference.at(undoing.effect.target_id.clone()),
            None => reference,
        }
    }

    /// The address of a field that was written before.
    pub fn field_at(&self, owner: &str, name: &str) -> Option<String> {
        self.known(Reference::new(
            Kind::FieldDefinition,
            format!("{owner}/{name}"),
        ))
        .target
    }

    /// Undoes everything, last things first, as a host does: kinds in reverse order of loading, own things at the end.
    pub async fn rollback(&self, mode: UndoMode) -> Vec<UndoOutcome> {
        let order: Vec<Kind> = Zendesk::describe()
            .kinds
            .into_iter()
            .map(|k| k.kind)
            .collect();
        let place = |kind: &Kind| order.iter().position(|k| k == kind).map_or(0, |at| at + 1);
        let mut effects = self.effects.borrow().clone();
        effects.sort_by_key(|u| std::cmp::Reverse((place(&u.kind), u.effect_id)));
        let created = effects
            .iter()
            .filter(|u| u.effect.action == Action::Created);
        let ours: Vec<(String, String)> = created
            .map(|u| (u.effect.target_kind.clone(), u.effect.target_id.clone()))
            .collect();
        let mut outcomes = Vec::new();
        for one in effects {
            let harness = self.harness();
            Zendesk::undo(&harness.context(), mode, vec![one], ours.clone())
                .await
                .unwrap();
            outcomes.extend(harness.undo_outcomes());
        }
        outcomes
    }

    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }
}

/// Nothing is in the way of a rollback.
pub fn assert_undone(outcomes: &[UndoOutcome], case: &str) {
    let fine = [
        UndoStatus::Undone,
        UndoStatus::Restored,
        UndoStatus::Left,
        UndoStatus::Gone,
    ];
    let bad: Vec<&UndoOutcome> = outcomes
        .iter()
        .filter(|o| !fine.contains(&o.status))
        .collect();
    assert!(bad.is_empty(), "{case}: {bad:?}");
}

fn writes(harness: &Harness) -> usize {
    let exchanges = harness.exchanges();
    exchanges.iter().filter(|e| e.request.key.is_some()).count()
}

/// One request to the router; as a host does it, with the credential.
async fn send(router: Router, token: String, request: Request) -> Response {
    let bearer = Some(token.as_str());
    let headers = request.headers.into_iter().map(|h| (h.name, h.value));
    let body = match request.body {
        Body::Bytes(bytes) => bytes,
        // What a blob holds does not matter here; that it was sent does.
        Body::Blob(blob) => vec![b'x'; usize::try_from(blob.size).unwrap()],
        _ => Vec::new(),
    };
    let (method, url) = (request.method.as_str(), request.url.as_str());
    let Some(got) = ask(router, method, url, headers, bearer, body).await else {
        return answer(400, "not a request");
    };
    let header = |(name, value)| Header { name, value };
    Response {
        status: got.status,
        headers: got.headers.into_iter().map(header).collect(),
        body: got.body,
        attempted_before: false,
    }
}

// ---- records

pub fn key(kind: &Kind, id: &str) -> String {
    format!("{}:{id}", kind.word())
}

/// An item with its key and marker as a host makes them.
pub fn item(entry: Entry) -> Item {
    let head = &entry.head;
    let marker = format!("kustomer:org1:{}:{}", head.kind.word(), head.id);
    Item::new(key(&head.kind, &head.id), marker, entry)
}

/// An item that is there already.
pub fn existing(item: Item, candidate: Candidate) -> Item {
    Item {
        existing: Some(candidate),
        ..item
    }
}

pub fn entry(kind: Kind, id: &str, fields: Vec<Field>, data: Entity) -> Entry {
    let head = Head {
        created_at: Some(1_700_000_000_250),
        fields,
        ..Head::new(kind, id.to_owned())
    };
    Entry { head, data }
}

pub fn customer(id: &str, fields: Vec<Field>, data: Customer) -> Item {
    item(entry(Kind::Customer, id, fields, Entity::Customer(data)))
}

pub fn record(id: &str, fields: Vec<Field>, data: CustomObject) -> Item {
    item(entry(
        Kind::CustomObject,
        id,
        fields,
        Entity::CustomObject(data),
    ))
}

/// A public message.
pub fn said(id: &str, author: Author, text: &str, at: i64) -> Part {
    let message = Message {
        author,
        text: Some(Text::Inline(text.to_owned())),
        sent_at: Some(at),
        ..Message::empty()
    };
    Part {
        message: entry(Kind::Message, id, Vec::new(), Entity::Message(message)),
        attachments: Vec::new(),
    }
}

pub fn thread(id: &str, fields: Vec<Field>, data: Conversation, parts: Vec<Part>) -> Item {
    let conversation = entry(Kind::Conversation, id, fields, Entity::Conversation(data));
    let marker = format!("kustomer:org1:conversation:{id}");
    let thread = Thread {
        conversation,
        parts,
    };
    Item::new(key(&Kind::Conversation, id), marker, thread)
}

/// A link that a custom field of the source holds.
pub fn link(field: &str, source: Reference, target: Reference, position: Option<u32>) -> Item {
    let id = format!("{}/{field}/{}", source.id, target.id);
    let data = Relationship {
        name: field.to_owned(),
        label: None,
        source,
        target,
        field: Some(field.to_owned()),
        position,
    };
    item(entry(
        Kind::Relationship,
        &id,
        Vec::new(),
        Entity::Relationship(data),
    ))
}

pub fn definition(owner: Owner, name: &str, label: &str, field_type: FieldType) -> Item {
    let word = match &owner.object_type {
        Some(object) => format!("custom-object:{object}"),
        None => owner.kind.word().to_owned(),
    };
    let data = FieldDefinition {
        owner,
        name: name.to_owned(),
        label: label.to_owned(),
        description: None,
        field_type,
        options: Vec::new(),
        required: false,
        sensitive: false,
        retired: false,
        used: None,
    };
    item(entry(
        Kind::FieldDefinition,
        &format!("{word}/{name}"),
        Vec::new(),
        Entity::FieldDefinition(data),
    ))
}

pub fn object_type(id: &str, label: &str) -> Item {
    let data = ObjectType {
        name: id.to_owned(),
        label: label.to_owned(),
        label_plural: None,
        description: None,
        icon: None,
        status: "enabled".to_owned(),
        traits: Vec::new(),
    };
    item(entry(
        Kind::ObjectType,
        id,
        Vec::new(),
        Entity::ObjectType(data),
    ))
}

/// The same with options: value and label.
pub fn with_options(item: Item, options: &[(&str, &str)]) -> Item {
    let mut item = item;
    if let Some(Entity::FieldDefinition(definition)) =
        item.body.entries.first_mut().map(|entry| &mut entry.data)
    {
        let option = |(value, label): &(&str, &str)| ChoiceOption {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            active: true,
        };
        definition.options = options.iter().map(option).collect();
    }
    item
}

pub fn team(id: &str, name: &str) -> Item {
    let data = Team {
        name: name.to_owned(),
        description: None,
        members: Vec::new(),
    };
    item(entry(Kind::Team, id, Vec::new(), Entity::Team(data)))
}

pub fn agent(id: &str, name: &str, email: &str, fields: Vec<Field>, teams: Vec<Reference>) -> Item {
    let data = Agent {
        name: name.to_owned(),
        display_name: None,
        email: Some(email.to_owned()),
        phone: None,
        state: AgentState::Active,
        machine: false,
        roles: Vec::new(),
        teams,
        avatar_url: None,
        signature: None,
        locale: None,
        time_zone: None,
    };
    item(entry(Kind::Agent, id, fields, Entity::Agent(data)))
}

pub fn company(id: &str, fields: Vec<Field>, data: Company) -> Item {
    item(entry(Kind::Company, id, fields, Entity::Company(data)))
}

/// A file of so many bytes that the host holds.
pub fn file(id: &str, name: &str, bytes: u64) -> Entry {
    let parent = Reference::new(Kind::Message, "m");
    let content = transload_sdk::types::BlobRef {
        sha256: format!("sha-of-{id}"),
        size: bytes,
        media_type: "text/plain".to_owned(),
    };
    let data = Attachment {
        size: Some(bytes),
        content: Some(content),
        ..Attachment::of(parent, name)
    };
    entry(Kind::Attachment, id, Vec::new(), Entity::Attachment(data))
}

pub fn field(name: &str, value: FieldValue, target: Option<String>) -> Field {
    Field {
        name: name.to_owned(),
        value,
        target,
    }
}

pub fn is_created(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Created)
}

/// Two fingerprints of an account are the same; if not, what only one of them has.
pub fn assert_same(wanted: &Value, found: &Value, case: &str) {
    let rows = |value: &Value| -> Vec<String> {
        let lists = value.as_object().unwrap().iter();
        lists
            .flat_map(|(name, list)| match list {
                Value::Array(list) => list.iter().map(|row| format!("{name}: {row}")).collect(),
                other => vec![format!("{name}: {other}")],
            })
            .collect()
    };
    let only = |of: &[String], than: &[String]| -> Vec<String> {
        let extra = of.iter().filter(|row| !than.contains(row));
        extra.map(|row| row.chars().take(900).collect()).collect()
    };
    let (wanted, found) = (rows(wanted), rows(found));
    let (missing, extra) = (only(&wanted, &found), only(&found, &wanted));
    assert!(
        missing.is_empty() && extra.is_empty() && wanted.len() == found.len(),
        "{case}\nmissing:\n{}\ntoo many:\n{}",
        missing.join("\n"),
        extra.join("\n")
    );
}
