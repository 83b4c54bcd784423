//! The connection's settings, and what `prepare` found out once for all later calls.

use serde::{Deserialize, Serialize};
use transload_sdk::types::Kind;
use transload_sdk::words::Words;

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `acme` of `https://acme.gorgias.com`.
    pub account: String,
    /// E-mail address or id of the agent who stands in for authors that have no user.
    pub fallback_agent: Option<String>,
    /// Makes agents that are missing; each is invited by mail.
    pub create_agents: bool,
    /// The role of agents that are made.
    pub agent_role: String,
    /// Which attributes of customers get one of the few customer fields, in this order; `company` stands for the company's name.
    pub customer_fields: Option<Vec<String>>,
    /// How many customer fields an account can have (Gorgias facts §9).
    pub customer_field_limit: usize,
    /// How many ticket fields an account can have (Gorgias facts §9).
    pub ticket_field_limit: usize,
    /// Makes a satisfaction survey of a judgement.
    pub satisfaction: bool,
    /// Carries events ("assigned to …") as internal notes.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Files above this are named in the thread and not uploaded; bytes.
    pub max_attachment_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account: String::new(),
            fallback_agent: None,
            create_agents: false,
            agent_role: "basic-agent".to_owned(),
            customer_fields: None,
            customer_field_limit: 4,
            ticket_field_limit: 25,
            satisfaction: true,
            events: false,
            spam: false,
            // Nothing says where the limit is (Gorgias facts §9).
            max_attachment_bytes: 25 * 1024 * 1024,
        }
    }
}

impl Config {
    /// Where people see what was loaded. Customers are not linked: they are named by each other while they are made, in an order
    /// that differs from run to run.
    pub fn words(&self, zone: &str) -> Words {
        if self.account.is_empty() {
            return Words::new([], zone);
        }
        let page = |page: &str| format!("https://{}.gorgias.com/app/{page}/", self.account);
        let pages = [
            (Kind::Conversation, page("ticket")),
            (Kind::Message, page("ticket")),
        ];
        Words::new(pages, zone)
    }
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The user whom the credential belongs to.
    pub me: u64,
    /// Who stands in for authors without a user.
    pub stand_in: u64,
    /// The customer who stands in for customers that were not migrated.
    pub stand_in_customer: u64,
    /// The tag of every ticket, by which rules can leave them out.
    pub tag: String,
    /// Pages of customers who were there before, where they are few.
    pub old_pages: Option<usize>,
    /// When that was, ms.
    pub prepared_at: i64,
}

impl State {
    /// The tag of every ticket.
    pub fn tag_of(platform: &str) -> String {
        format!("imported-{platform}")
    }
}
