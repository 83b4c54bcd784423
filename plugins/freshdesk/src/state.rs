//! The connection's settings, and what `prepare` found out once for all later calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transload_sdk::types::Kind;
use transload_sdk::words::Words;

use crate::map::Owner;

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `acme` of `https://acme.freshdesk.com`: where links to what was loaded lead.
    pub domain: String,
    /// Whether the migration API may be used.
    pub channel_api: ChannelApi,
    /// E-mail address or id of the agent who stands in for authors and agents that have no account.
    pub fallback_agent: Option<String>,
    /// Makes agents that are missing. Each takes a licence.
    pub create_agents: bool,
    /// Adds agents to the groups that stand for their teams.
    pub group_members: bool,
    /// Sets companies' domains, which makes Freshdesk put people with these addresses into them.
    pub company_domains: bool,
    /// Id or name of the custom object that stands for an object type of the source.
    pub objects: BTreeMap<String, String>,
    /// Carries events ("assigned to …") as private notes.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Files above this are named in the thread and not uploaded; bytes.
    pub max_attachment_bytes: u64,
    /// Rollback deletes contacts permanently.
    pub purge: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domain: String::new(),
            channel_api: ChannelApi::Auto,
            fallback_agent: None,
            create_agents: false,
            group_members: true,
            company_domains: false,
            objects: BTreeMap::new(),
            events: false,
            spam: false,
            max_attachment_bytes: FILE_BYTES,
            purge: true,
        }
    }
}

/// Bytes of all files of a ticket or note together (Freshdesk facts §8).
pub const FILE_BYTES: u64 = 20 * 1024 * 1024;

impl Config {
    /// References in words, with the addresses of this account. Records of objects and groups are not linked: records are
    /// named by each other while they are made, in an order that differs from run to run.
    pub fn words(&self, zone: &str) -> Words {
        if self.domain.is_empty() {
            return Words::new([], zone);
        }
        let pages = [
            (Kind::Customer, "contacts"),
            (Kind::Company, "companies"),
            (Kind::Conversation, "tickets"),
            (Kind::Message, "tickets"),
        ];
        let site = |(kind, page)| {
            let at = format!("https://{}.freshdesk.com/a/{page}/", self.domain);
            (kind, at)
        };
        Words::new(pages.map(site), zone)
    }
}

/// Whether tickets go through the migration API (Freshdesk facts §0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelApi {
    /// Where the account has it.
    Auto,
    /// Not even then.
    Never,
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// Fields that the connector makes for itself. Freshdesk makes the names out of the labels; [`State::field`] has them.
pub mod own_field {
    /// Our marker: a ticket is found by it, and a company known again.
    pub const MARKER: &str = "marker";
    /// Where a person finds the record in the source.
    pub const SOURCE_URL: &str = "source-url";
    /// The run that made the record: proof that it is ours (rule D-4).
    pub const RUN: &str = "run";
    /// When the source says that the record was made; a day of tickets, so that reports can use it.
    pub const CREATED: &str = "created";
    /// The day on which the source says that the conversation ended.
    pub const CLOSED: &str = "closed";
    /// Ids of records that were merged into this one (rule M-7).
    pub const MERGED: &str = "merged";
    /// What points to the record, a line each (rule M-15).
    pub const LINKS: &str = "links";
    /// The source card, where somebody else's description is.
    pub const CARD: &str = "card";

    /// A field: its key, Freshdesk's type, its label.
    pub type Own = (&'static str, &'static str, &'static str);

    /// Of tickets.
    pub const TICKET: [Own; 6] = [
        (MARKER, "custom_text", "Transload source id"),
        (SOURCE_URL, "custom_text", "Transload source link"),
        (RUN, "custom_text", "Transload run"),
        (CREATED, "custom_date", "Transload created on"),
        (CLOSED, "custom_date", "Transload closed on"),
        (CARD, "custom_paragraph", "Transload source card"),
    ];
    /// Of contacts, which have a place for the marker.
    pub const CONTACT: [Own; 5] = [
        (RUN, "custom_text", "Transload run"),
        (CREATED, "custom_text", "Transload created at"),
        (MERGED, "custom_paragraph", "Transload merged ids"),
        (LINKS, "custom_paragraph", "Transload linked from"),
        (CARD, "custom_paragraph", "Transload source card"),
    ];
    /// Of companies.
    pub const COMPANY: [Own; 5] = [
        (MARKER, "custom_text", "Transload source id"),
        (RUN, "custom_text", "Transload run"),
        (CREATED, "custom_text", "Transload created at"),
        (LINKS, "custom_paragraph", "Transload linked from"),
        (CARD, "custom_paragraph", "Transload source card"),
    ];
}

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The agent whom the key belongs to.
    pub me: u64,
    /// The agent who stands in for authors and agents without an account.
    pub stand_in: u64,
    /// The contact who stands in for requesters that were not migrated.
    pub stand_in_requester: u64,
    /// Whether tickets go through the migration API, which keeps times.
    pub channel: bool,
    /// Whether an earlier run wrote into this account: then records of it are looked for by their markers.
    pub earlier: bool,
    /// Names of the connector's own fields of tickets, by key.
    pub ticket_fields: BTreeMap<String, String>,
    /// The same of contacts; empty where the plan has no contact fields.
    pub contact_fields: BTreeMap<String, String>,
    /// The same of companies.
    pub company_fields: BTreeMap<String, String>,
    /// Products by lower-case name.
    pub products: BTreeMap<String, u64>,
    /// What tickets can have as their status, with what people read.
    pub statuses: BTreeMap<u32, String>,
    /// Types that tickets can have.
    pub types: Vec<String>,
}

impl State {
    /// Name of one of the connector's own fields, where the account has it.
    pub fn field(&self, owner: Owner, key: &str) -> Option<&str> {
        let names = match owner {
            Owner::Ticket => &self.ticket_fields,
            Owner::Contact => &self.contact_fields,
            Owner::Company => &self.company_fields,
        };
        names.get(key).map(String::as_str)
    }
}
