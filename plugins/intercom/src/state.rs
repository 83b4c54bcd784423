//! The connection's settings, and what `prepare` found out once for all later calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transload_sdk::types::Kind;
use transload_sdk::words::Words;

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Host of the workspace's region (Intercom facts §1).
    pub api_host: String,
    /// What `Intercom-Version` says.
    pub api_version: String,
    /// E-mail address or id of the admin who stands in for authors that have no seat.
    pub fallback_admin: Option<String>,
    /// Identifiers of types of custom objects by their ids in the source.
    pub object_types: BTreeMap<String, String>,
    /// Writes the source card of a matched contact as a note, which nothing deletes (Intercom facts §9).
    pub notes_on_matched: bool,
    /// Parts of a conversation, of which 500 are shown (Intercom facts §8.2).
    pub parts_per_conversation: usize,
    /// Carries events ("assigned to …") as internal notes.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Files above this are named in the thread and not sent; bytes.
    pub max_attachment_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_host: String::new(),
            api_version: "2.16".to_owned(),
            fallback_admin: None,
            object_types: BTreeMap::new(),
            notes_on_matched: false,
            parts_per_conversation: 480,
            events: false,
            spam: false,
            // Nothing says where the limit is (Intercom facts §8.2).
            max_attachment_bytes: 40 * 1024 * 1024,
        }
    }
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The run that this was found out for.
    pub run: String,
    /// The workspace.
    pub workspace: String,
    /// The admin whom the token belongs to.
    pub me: String,
    /// Who stands in for authors without a seat.
    pub stand_in: String,
    /// The contact who stands in for customers that were not migrated.
    pub stand_in_contact: String,
    /// Tags that were there before the run: a tag cannot say whose it is (Intercom facts §9).
    pub tags: Vec<String>,
}

impl State {
    /// Where people see what was loaded. Contacts are not linked: they are named by each other while they are made, in an order
    /// that differs from run to run.
    pub fn words(&self, zone: &str) -> Words {
        if self.workspace.is_empty() {
            return Words::new([], zone);
        }
        let page = format!(
            "https://app.intercom.com/a/inbox/{}/inbox/conversation/",
            self.workspace
        );
        Words::new([(Kind::Conversation, page)], zone)
    }
}
