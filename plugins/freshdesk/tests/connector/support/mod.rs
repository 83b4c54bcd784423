//! The connector on the SDK's harness, the harness on the simulated account: no socket, and no time but the account's.
//!
//! The part of a host that these tests need is played by the SDK's [`Trial`]. The account is as its administrator leaves it before
//! a migration: mails and rules are off.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use transload_plugin_freshdesk::Freshdesk;
use transload_plugin_freshdesk::state::State;
use transload_sdk::destination::{Item, Part as Spoken};
use transload_sdk::types::{
    Author, Conversation as Thread, ConversationStatus, Direction, Entity, Kind, Message,
    Reference, Visibility,
};
use transload_simulators::freshdesk::model::{Conversation, Ticket};
use transload_simulators::freshdesk::{
    ChannelApi, Config, Notifications, Preexisting, Simulator, Snapshot,
};

pub use transload_trials::*;

/// What passes at the account with every request, ms: a job is done after a few.
const STEP_MS: i64 = 1_000;

/// A simulated account with its connector, prepared.
pub struct Account {
    pub sim: Simulator,
    pub trial: Trial<Freshdesk>,
}

transload_trials::stands_for_its_trial!(Account, Freshdesk);

impl Stand for Account {
    type Connector = Freshdesk;
    type Config = Config;

    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            notifications: Notifications::silent(),
            preexisting: Preexisting {
                agents_by_email: vec![("dana@acme.example".to_owned(), "Dana".to_owned())],
                business_rules: false,
                ..Preexisting::default()
            },
            ..Config::virtual_time()
        };
        change(&mut config);
        let sim = Simulator::new(config);
        let basic = STANDARD.encode(format!("{}:X", sim.admin_token()));
        let line = Line {
            router: sim.router(),
            clock: sim.harness().clock.clone(),
            credential: format!("Basic {basic}"),
            base: "",
            step_ms: STEP_MS,
        };
        let mut trial = line.trial();
        trial.set("domain", "acme");
        Self { sim, trial }
    }

    fn print(&self) -> Value {
        self.sim.state_fingerprint()
    }

    fn assert_silent(&self) {
        // Who is made an agent is invited; none is made but where a setting says so.
        let mut mails = self.sim.outbox().all();
        mails.retain(|mail| mail.reason != "agent invitation");
        assert_eq!(mails, []);
        assert_eq!(self.sim.automation_log().all(), []);
    }
}

impl Account {
    /// One that takes original times.
    pub async fn timed() -> Self {
        Self::with(|config| config.channel_api = ChannelApi::Open).await
    }

    /// One with a customer, and what was there before it was prepared, to which a rollback leads back.
    pub async fn with_ana(timed: bool) -> (Self, Reference, Value) {
        let mut account = Self::unprepared(|config| {
            if timed {
                config.channel_api = ChannelApi::Open;
            }
        });
        let ana = customer(account.contact("Ana", "ana@example.com"));
        let before = account.sim.state_fingerprint();
        account.prepare().await;
        (account, ana, before)
    }

    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }

    /// What `prepare` found and made.
    pub fn prepared(&self) -> State {
        serde_json::from_str(self.trial.state().unwrap()).unwrap()
    }

    /// A contact made by somebody else: its id.
    pub fn contact(&self, name: &str, email: &str) -> u64 {
        let body = json!({"name": name, "email": email});
        let made = self.sim.as_owner("POST", "contacts", &body).unwrap();
        made["id"].as_u64().unwrap()
    }

    /// The agent Dana.
    pub fn dana(&self) -> Reference {
        let snapshot = self.snapshot();
        let dana = snapshot.person_by_email("dana@acme.example").unwrap();
        Reference::new(Kind::Agent, "a1").at(dana.id.to_string())
    }

    /// The live tickets of a conversation of the source, the first one first.
    pub fn tickets(&self, id: &str) -> Vec<Ticket> {
        let field = self.prepared().ticket_fields["marker"].clone();
        let marker = format!("old-desk:org1:conversation:{id}");
        let of = |ticket: &&Ticket| {
            let found = ticket.custom_fields.get(&field).and_then(Value::as_str);
            let ours = found
                .is_some_and(|found| found == marker || found.starts_with(&format!("{marker}#")));
            ours && ticket.deleted_at.is_none()
        };
        let mut found: Vec<Ticket> = self.snapshot().tickets;
        found.retain(|ticket| of(&ticket));
        found.sort_by_key(|ticket| ticket.id);
        found
    }

    /// The one live ticket of a conversation, with what was said in it.
    pub fn ticket(&self, id: &str) -> (Ticket, Vec<Conversation>) {
        let mut found = self.tickets(id);
        assert_eq!(found.len(), 1, "tickets of {id}");
        let ticket = found.remove(0);
        let said = self.snapshot().thread(ticket.id).to_vec();
        (ticket, said)
    }
}

// ---- threads

/// When the conversations of these tests begin.
pub const AT: i64 = 1_700_000_000_250;

pub fn customer(id: u64) -> Reference {
    Reference::new(Kind::Customer, "c1").at(id.to_string())
}

pub fn of(customer: &Reference) -> Thread {
    Thread {
        customer: Some(customer.clone()),
        subject: Some("Where is it?".to_owned()),
        status: ConversationStatus::Closed,
        direction: Direction::Inbound,
        ..Thread::empty()
    }
}

pub fn internal(mut part: Spoken) -> Spoken {
    if let Entity::Message(message) = &mut part.message.data {
        message.visibility = Visibility::Internal;
    }
    part
}

pub fn message(part: &mut Spoken, change: impl FnOnce(&mut Message)) {
    if let Entity::Message(message) = &mut part.message.data {
        change(message);
    }
}

pub fn talk(account: &Account, id: &str, customer: &Reference) -> Item {
    let (ana, dana) = (
        Author::Person(customer.clone()),
        Author::Person(account.dana()),
    );
    let parts = vec![
        said("m1", ana.clone(), "Hello  there", AT),
        said("m2", dana.clone(), "On its way.", AT + 60_000),
        internal(said("m3", dana, "She is waiting", AT + 61_500)),
        said("m4", ana, "Thanks", AT + 120_000),
    ];
    thread(id, Vec::new(), of(customer), parts)
}
