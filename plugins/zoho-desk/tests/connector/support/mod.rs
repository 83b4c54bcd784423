//! The connector on trial at the simulated portal.
use serde_json::Value;
use transload_plugin_zoho_desk::ZohoDesk;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, Observed, Part, UndoMode, Undoing, Written};
use transload_sdk::ledger::UndoOutcome;
use transload_sdk::testing::Harness;
use transload_sdk::types::{
    Author, Conversation, ConversationStatus, Direction, Entity, Kind, Message, Reference, Text,
    Visibility,
};
use transload_simulators::zoho_desk::model::{
    Attachment, Comment, Id, Module, Place, Record, Thread,
};
use transload_simulators::zoho_desk::{
    Config, Preexisting, Services, Simulator, Snapshot, Switches,
};

pub use transload_trials::*;

/// What passes at the portal with every request, ms.
const STEP_MS: i64 = 1_000;

/// A simulated portal with its connector.
pub struct Portal {
    pub sim: Simulator,
    pub trial: Trial<ZohoDesk>,
}

transload_trials::stands_for_its_trial!(Portal, ZohoDesk);

impl Stand for Portal {
    type Connector = ZohoDesk;
    type Config = Config;

    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            preexisting: Preexisting {
                agents_by_email: vec![("dana@acme.example".to_owned(), "Dana Dunn".to_owned())],
                services: Services::none(),
                ..Preexisting::default()
            },
            ..Config::virtual_time()
        };
        change(&mut config);
        let sim = Simulator::new(config);
        let line = Line {
            router: sim.router(),
            clock: sim.harness().clock.clone(),
            credential: format!("Zoho-oauthtoken {}", sim.admin_token()),
            base: "/api/v1",
            step_ms: STEP_MS,
        };
        let mut trial = line.trial();
        trial.set("data_center", "zoho.com");
        trial.set("org_id", sim.org_id().to_string());
        Self { sim, trial }
    }

    fn print(&self) -> Value {
        self.sim.state_fingerprint()
    }

    fn assert_silent(&self) {
        // What is to be sent leaves later.
        self.sim.harness().clock.advance(60_000);
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
    }
}

impl Portal {
    /// One with other positions of the switches.
    pub async fn switched(change: impl FnOnce(&mut Switches)) -> Self {
        Self::with(|config| change(&mut config.switches)).await
    }

    /// One without the imports API.
    pub async fn without_imports() -> Self {
        Self::switched(|switches| switches.imports_refused = Some(403)).await
    }

    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }

    /// Live records of a module whose own field holds a marker.
    pub fn marked(&self, module: Module, marker: &str) -> Vec<Record> {
        let snapshot = self.snapshot();
        let records = snapshot.records.values();
        let is = |record: &&Record| {
            record.module == module
                && record.is_live()
                && record.cf.values().any(|value| value == marker)
        };
        records.filter(is).cloned().collect()
    }

    /// The one ticket of a thread.
    pub fn ticket(&self, id: &str) -> Record {
        self.ticket_of(&format!("old-desk:org1:conversation:{id}"))
    }

    /// The one ticket of a marker.
    pub fn ticket_of(&self, marker: &str) -> Record {
        let mut all = self.marked(Module::Tickets, marker);
        assert_eq!(all.len(), 1, "tickets of {marker}");
        all.remove(0)
    }

    /// The one contact of a record.
    pub fn customer(&self, id: &str) -> Record {
        let mut all = self.marked(Module::Contacts, &format!("old-desk:org1:customer:{id}"));
        assert_eq!(all.len(), 1, "contacts of {id}");
        all.remove(0)
    }

    /// A ticket's e-mails, in their order.
    pub fn threads(&self, ticket: Id) -> Vec<Thread> {
        let snapshot = self.snapshot();
        let mut all: Vec<Thread> = snapshot.threads(ticket).into_iter().cloned().collect();
        all.sort_by_key(|thread| (thread.created_at, thread.id));
        all
    }

    /// A ticket's comments, in their order.
    pub fn comments(&self, ticket: Id) -> Vec<Comment> {
        let snapshot = self.snapshot();
        let mut all: Vec<Comment> = snapshot.comments(ticket).into_iter().cloned().collect();
        all.sort_by_key(|comment| (comment.commented_at, comment.id));
        all
    }

    /// A ticket's files.
    pub fn files(&self, ticket: Id) -> Vec<Attachment> {
        let snapshot = self.snapshot();
        let files = snapshot.files(Place::Ticket(ticket));
        files.into_iter().cloned().collect()
    }

    /// Names of a ticket's tags.
    pub fn tags(&self, ticket: &Record) -> Vec<String> {
        let snapshot = self.snapshot();
        let names = snapshot.tags_of(ticket).into_iter();
        names.map(str::to_owned).collect()
    }

    /// An e-mail.
    pub fn mail(&self, id: &str, direction: Direction, text: &str, at: i64) -> Part {
        let incoming = direction == Direction::Inbound;
        let author = if incoming { self.bo() } else { self.dana() };
        let mut part = said(id, Author::Person(author), text, at);
        message(&mut part, |message| {
            let (customer, desk) = ("Bo@example.com", "help@acme.example");
            message.direction = direction;
            message.channel = Some("email".to_owned());
            let (from, to) = if incoming {
                (customer, desk)
            } else {
                (desk, customer)
            };
            message.sender = Some(from.to_owned());
            message.to = vec![to.to_owned()];
        });
        part
    }

    /// A note of Dana's.
    pub fn note(&self, id: &str, text: &str, at: i64) -> Part {
        let mut part = said(id, Author::Person(self.dana()), text, at);
        message(&mut part, |message| {
            message.visibility = Visibility::Internal;
        });
        part
    }

    /// A finished conversation of Bo with Dana: a question, a note and an answer.
    pub fn talk(&self, id: &str) -> Item {
        let data = Conversation {
            customer: Some(self.bo()),
            subject: Some(format!("subject of {id}")),
            status: ConversationStatus::Closed,
            assignees: vec![self.dana()],
            channels: vec!["email".to_owned()],
            closed_at: Some(DAY + 3_600_000),
            ..Conversation::empty()
        };
        let parts = vec![
            self.mail(&format!("{id}-m1"), Direction::Inbound, "Where is it?", DAY),
            self.note(&format!("{id}-n1"), "ask the warehouse", DAY + 30_000),
            self.mail(
                &format!("{id}-m2"),
                Direction::Outbound,
                "On its way.",
                DAY + 60_250,
            ),
        ];
        thread(id, vec![], data, parts)
    }

    /// The item as a host hands it over once more: with what was done to it.
    pub fn again(&self, item: &Item) -> Item {
        let mut prior = self.effects_of(&item.key);
        prior.reverse();
        Item {
            prior,
            ..item.clone()
        }
    }

    /// The same conversation after something happened: another subject, open again, a tag, two more parts, one with a file.
    pub fn continued(&self, id: &str) -> Item {
        let mut item = self.again(&self.talk(id));
        edit(&mut item, |data| {
            data.subject = Some("another subject".to_owned());
            data.status = ConversationStatus::Open;
            data.closed_at = None;
            data.last_activity_at = Some(DAY + 7_200_000);
            data.tags = vec![Reference::new(Kind::Tag, "late").at("late")];
        });
        let mut thread = item.thread().unwrap();
        let text = "Still nothing";
        let mail = self.mail("x1", Direction::Inbound, text, DAY + 7_000_000);
        let mut note = self.note("x2", "call them", DAY + 7_100_000);
        note.attachments = vec![file("x3", "late.txt", 7)];
        thread.parts.extend([mail, note]);
        Item {
            body: thread.into(),
            ..item
        }
    }

    /// Undoes an item's effects but for so many first ones, last first, in one call as a host does it.
    pub async fn undo_from(
        &self,
        item: &str,
        from: usize,
        mode: UndoMode,
        harness: Harness,
    ) -> Vec<UndoOutcome> {
        let effects = self.effects_of(item).into_iter().enumerate();
        let undoing = |(number, effect)| Undoing {
            effect_id: number as u64,
            kind: Kind::Conversation,
            item: item.to_owned(),
            marker: format!("old-desk:org1:{item}"),
            effect,
        };
        let effects: Vec<Undoing> = effects.skip(from).map(undoing).collect();
        let effects = effects.into_iter().rev().collect();
        let cx = harness.context();
        ZohoDesk::undo(&cx, mode, effects, Vec::new())
            .await
            .unwrap();
        cx.reported().await.unwrap();
        harness.undo_outcomes()
    }

    /// What is read back of an item.
    pub async fn read_back(&self, kind: Kind, item: &str) -> Observed {
        let written = Written {
            kind,
            item: item.to_owned(),
            effects: self.effects_of(item),
        };
        let harness = self.harness();
        let mut observed = ZohoDesk::read_back(&harness.context(), vec![written])
            .await
            .unwrap();
        observed.remove(0)
    }
}

/// Changes an item's conversation.
pub fn edit(item: &mut Item, change: impl FnOnce(&mut Conversation)) {
    if let Some(Entity::Conversation(data)) = item.body.entries.first_mut().map(|e| &mut e.data) {
        change(data);
    }
}

/// The item with other parts.
pub fn with_parts(item: &Item, parts: Vec<Part>) -> Item {
    let mut thread = item.thread().unwrap();
    thread.parts = parts;
    Item {
        body: thread.into(),
        ..item.clone()
    }
}

/// Changes a part's message.
pub fn message(part: &mut Part, change: impl FnOnce(&mut Message)) {
    if let Entity::Message(message) = &mut part.message.data {
        change(message);
    }
}

/// The texts of a thread that was read back.
pub fn texts(observed: &Observed) -> Vec<String> {
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
