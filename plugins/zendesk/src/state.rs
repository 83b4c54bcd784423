//! The connection's settings, and what `prepare` found out once for all later calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `acme` of `https://acme.zendesk.com`: where links to what was loaded lead.
    pub subdomain: String,
    /// How tickets are loaded.
    pub import_mode: ImportMode,
    /// Sends finished tickets to Zendesk's archive at once; advised above 750,000 tickets (Zendesk facts §12).
    pub archive_immediately: bool,
    /// Whether users are made by jobs of 100, which Zendesk must have switched on for the account.
    pub user_import: UserImport,
    /// E-mail address or id of the agent who stands in for authors and assignees that have no user.
    pub fallback_agent: Option<String>,
    /// Makes agents that are missing. Each takes a paid seat.
    pub create_agents: bool,
    /// Adds matched agents to the groups that stand for their teams, so that tickets can be assigned to them.
    pub group_memberships: bool,
    /// Carries events ("assigned to …") as private comments.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Sets organizations' domains, which makes Zendesk put people with these addresses into them.
    pub organization_domains: bool,
    /// Files above this are named in the thread and not uploaded; bytes.
    pub max_attachment_bytes: u64,
    /// Rollback deletes permanently what it deleted, so that the account is as before.
    pub purge: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            subdomain: String::new(),
            import_mode: ImportMode::Bulk,
            archive_immediately: false,
            user_import: UserImport::Auto,
            fallback_agent: None,
            create_agents: false,
            group_memberships: true,
            events: false,
            spam: false,
            organization_domains: false,
            // Zendesk facts §8.
            max_attachment_bytes: 50 * 1024 * 1024,
            purge: true,
        }
    }
}

/// How tickets are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportMode {
    /// Jobs of up to 100 tickets.
    Bulk,
    /// One call a ticket.
    Single,
}

/// Whether users are made by jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserImport {
    /// If the account allows it.
    Auto,
    /// One call a user.
    Single,
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// Keys of the user and organization fields that the connector makes for itself.
pub mod own_field {
    /// Id of the record in the source.
    pub const SOURCE_ID: &str = "transload_source_id";
    /// When the source says the record was made; Zendesk's own time cannot be set (Zendesk facts §6.1).
    pub const CREATED_AT: &str = "transload_created_at";
    /// Ids of records that were merged into this one (rule M-7).
    pub const MERGED_IDS: &str = "transload_merged_ids";
    /// The run that made the record: proof that it is ours (rule D-4).
    pub const RUN: &str = "transload_run";
    /// All of them with type and title.
    pub const ALL: [(&str, &str, &str); 6] = [
        (SOURCE_ID, "text", "Source ID"),
        (CREATED_AT, "text", "Created in the source"),
        (MERGED_IDS, "textarea", "Merged source IDs"),
        (RUN, "text", "Migration run"),
        (LINKS, "textarea", "Linked from"),
        (CARD, "textarea", "Source card"),
    ];
    /// Fields of custom objects beside those: whom and what a record belongs to (rule M-15), and what else it had.
    pub const OBJECT: [(&str, &str, &str, Option<&str>); 8] = [
        (SOURCE_ID, "text", "Source ID", None),
        (CREATED_AT, "text", "Created in the source", None),
        (RUN, "text", "Migration run", None),
        ("transload_customer", "lookup", "Customer", Some("zen:user")),
        (
            "transload_company",
            "lookup",
            "Organization",
            Some("zen:organization"),
        ),
        ("transload_ticket", "lookup", "Ticket", Some("zen:ticket")),
        (LINKS, "textarea", "Linked from", None),
        (CARD, "textarea", "Source card", None),
    ];
    /// What points to the record and no lookup shows, a line each (rule M-15).
    pub const LINKS: &str = "transload_links";
    /// The source card: of records always, of users and organizations where somebody else's notes are.
    pub const CARD: &str = "transload_source_card";
    /// Title of the ticket field that holds the source's id.
    pub const TICKET_SOURCE_ID: &str = "Source ID";
    /// Title of the ticket field that holds the source's URL.
    pub const TICKET_SOURCE_URL: &str = "Source URL";
}

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The user whom the credential belongs to.
    pub me: u64,
    /// Who stands in for authors and assignees without a user.
    pub stand_in: u64,
    /// The end user who stands in for requesters that were not migrated.
    pub stand_in_requester: u64,
    /// The default brand.
    pub brand: Option<u64>,
    /// Brands by name.
    pub brands: BTreeMap<String, u64>,
    /// Categories of custom statuses.
    pub custom_statuses: BTreeMap<u64, String>,
    /// Ticket field with the source's id.
    pub ticket_source_id: u64,
    /// Ticket field with the source's URL.
    pub ticket_source_url: u64,
    /// Whether users may be made by jobs.
    pub bulk_users: bool,
    /// Whether the account may have custom objects.
    pub custom_objects: bool,
    /// Whether a search takes several values of one keyword as alternatives.
    pub search_any: bool,
}

impl State {
    /// The tag that every ticket of a run carries: by it reports leave them out and a look-up knows its own (Zendesk
    /// facts §10).
    pub fn run_tag(run: &str) -> String {
        crate::map::tag(&format!("transload_run_{run}"))
            .unwrap_or_else(|| "transload_run".to_owned())
    }

    /// The tag that says where a ticket came from.
    pub fn source_tag(platform: &str) -> String {
        crate::map::tag(&format!("imported_{platform}")).unwrap_or_else(|| "imported".to_owned())
    }
}
