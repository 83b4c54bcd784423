//! The connection's settings, and what `prepare` found out once for all later calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transload_sdk::types::{ConversationStatus, Kind};
use transload_sdk::words::Words;

use crate::map::Owner;

/// Bytes of one file (Zoho Desk facts §7.8 [MEM]).
pub const FILE_BYTES: u64 = 20 * 1024 * 1024;
/// Records of one import (Zoho Desk facts §10: no limit is published).
pub const IMPORT_ROWS: usize = 100;

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Domain of the data centre: `zoho.com`.
    pub data_center: String,
    /// The organisation, named by every request.
    pub org_id: String,
    /// Whether the imports API may be used.
    pub imports: Imports,
    /// Records of one import.
    pub import_rows: usize,
    /// Id or name of the department that takes what has none.
    pub department: Option<String>,
    /// Makes departments for brands that have none of their name.
    pub create_departments: bool,
    /// E-mail address or id of the agent who stands in for people without an account.
    pub fallback_agent: Option<String>,
    /// Adds agents to the teams that the run made.
    pub team_members: bool,
    /// Without the imports API: loads public messages as public comments.
    pub public_comments: bool,
    /// API name or label of the module that stands for an object type of the source.
    pub objects: BTreeMap<String, String>,
    /// Carries events ("assigned to …") as private comments.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Files above this are named in the thread and not uploaded; bytes.
    pub max_attachment_bytes: u64,
    /// Rollback deletes permanently.
    pub purge: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_center: String::new(),
            org_id: String::new(),
            imports: Imports::Auto,
            import_rows: IMPORT_ROWS,
            department: None,
            create_departments: false,
            fallback_agent: None,
            team_members: true,
            public_comments: false,
            objects: BTreeMap::new(),
            events: false,
            spam: false,
            max_attachment_bytes: FILE_BYTES,
            purge: true,
        }
    }
}

impl Config {
    /// References in words. Pages of records are not linked: their addresses hold the portal's name, which no setting knows.
    pub fn words(&self, zone: &str) -> Words {
        Words::new(std::iter::empty::<(Kind, String)>(), zone)
    }
}

/// Whether records go through the imports API (Zoho Desk facts §0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Imports {
    /// Where the account has it.
    Auto,
    /// Not even then.
    Never,
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// One of the connector's own fields as the account has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnField {
    /// API name, `cf_…`.
    pub name: String,
    /// What people read; imports may want it.
    pub label: String,
    /// Characters that it holds, where the account says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chars: Option<usize>,
}

/// How an import names custom fields, which is not published (Zoho Desk facts §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldStyle {
    /// By API name.
    #[default]
    ApiName,
    /// By the label that people read.
    Label,
    /// It takes none: they are set afterwards.
    Apart,
}

/// A department.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Department {
    /// Name.
    pub name: String,
    /// Whether its tickets can be a team's (Zoho Desk facts §6).
    pub teams: bool,
}

/// An agent, as far as conversations ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Agent {
    /// E-mail address.
    pub email: String,
    /// Departments whose tickets the agent may have; empty where that is not said.
    pub departments: Vec<String>,
    /// Whether the agent can work.
    pub active: bool,
}

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Whether records go through the imports API, which keeps times.
    pub imports: bool,
    /// How imports name custom fields.
    pub field_style: FieldStyle,
    /// The agent whom the token belongs to.
    pub me: String,
    /// The agent who stands in for authors and agents without an account.
    pub stand_in: String,
    /// The contact who stands in for customers that were not migrated.
    pub stand_in_contact: String,
    /// The department that takes what has none.
    pub department: String,
    /// Enabled departments by id.
    pub departments: BTreeMap<String, Department>,
    /// Agents by id.
    pub agents: BTreeMap<String, Agent>,
    /// Whether an earlier run wrote into this account: then records of it are looked for by their markers.
    pub earlier: bool,
    /// The connector's own fields, by owner and key.
    pub own: BTreeMap<Owner, BTreeMap<String, OwnField>>,
    /// What tickets can have as their status, by name: the type `Open`, `On Hold` or `Closed`.
    pub statuses: BTreeMap<String, String>,
    /// Priorities that tickets can have; empty where the account does not say.
    pub priorities: Vec<String>,
    /// Channels that tickets can have; empty where the account does not say.
    pub channels: Vec<String>,
}

impl State {
    /// API name of one of the connector's own fields, where the account has it.
    pub fn own(&self, owner: Owner, key: &str) -> Option<&str> {
        let field = self.own.get(&owner)?.get(key)?;
        Some(&field.name)
    }

    /// The status of a conversation where the mapping says nothing: the first of its type, the usual name first (Zoho Desk facts
    /// §6, §7.8).
    pub fn default_status(&self, status: &ConversationStatus) -> &str {
        let (usual, wanted) = match status {
            ConversationStatus::Closed => ("Closed", "Closed"),
            ConversationStatus::Snoozed => ("On Hold", "On Hold"),
            ConversationStatus::Open | ConversationStatus::Other(_) => ("Open", "Open"),
        };
        if self.statuses.is_empty() || self.statuses.contains_key(usual) {
            return usual;
        }
        let of_type = self.statuses.iter().find(|(_, of)| *of == wanted);
        of_type.map_or(usual, |(name, _)| name.as_str())
    }
}
