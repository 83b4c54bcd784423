//! The connection's settings, and what `prepare` found out once for all later calls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use transload_sdk::types::{ConversationStatus, Kind};
use transload_sdk::words::Words;

use crate::client::Marks;
use crate::own;

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Id or label of the pipeline that tickets go into; ours otherwise.
    pub pipeline: Option<String>,
    /// E-mail address or id of the owner who stands in for agents who are none.
    pub fallback_owner: Option<String>,
    /// Sets the owner of tickets.
    pub assign_owners: bool,
    /// What tags become.
    pub tags: Tags,
    /// What companies of the source are looked for by.
    pub companies: Companies,
    /// Looks for people by their phone numbers too.
    pub match_phones: bool,
    /// Who may open files.
    pub file_access: FileAccess,
    /// Carries events ("assigned to …") as notes.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Files above this are named in the thread and not uploaded; bytes.
    pub max_attachment_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pipeline: None,
            fallback_owner: None,
            assign_owners: true,
            tags: Tags::Checkbox,
            companies: Companies::Match,
            match_phones: true,
            file_access: FileAccess::Private,
            events: false,
            spam: false,
            max_attachment_bytes: 500 * 1_024 * 1_024,
        }
    }
}

/// What tags become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tags {
    /// Options of a property with checkboxes.
    Checkbox,
    /// Text.
    Text,
}

/// What companies are looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Companies {
    /// Our marker, domain, name.
    Match,
    /// Our marker only.
    Create,
}

/// Who may open an uploaded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileAccess {
    /// Users of the account.
    Private,
    /// Whoever has its address.
    PublicNotIndexable,
}

impl FileAccess {
    /// As HubSpot says it (HubSpot facts §12).
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE",
            Self::PublicNotIndexable => "PUBLIC_NOT_INDEXABLE",
        }
    }
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// A stage that tickets can be in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// Id of its pipeline.
    pub pipeline: String,
    /// Its id.
    pub id: String,
    /// Whether a ticket in it is closed.
    pub closed: bool,
}

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Number of the portal.
    pub portal: String,
    /// Host of the account's pages: `app.hubspot.com`.
    pub ui: String,
    /// The owner who stands in for agents who are none; empty for nobody.
    pub stand_in: String,
    /// Stages by the value of the `status` slot: `open`, `snoozed`, `closed` of the pipeline of this run, `<pipeline>/<stage>`
    /// of others.
    pub stages: BTreeMap<String, Stage>,
    /// Names of own properties that are there, by object type and key: `contacts.transload_run`. One that could not be made is
    /// missing here, and is not written.
    pub own: BTreeMap<String, String>,
    /// Object types whose marker is unique, so that records may be made by [`crate::client::create`].
    pub unique: BTreeSet<String>,
    /// Whether tickets take the original time of their creation (HubSpot facts §16).
    pub ticket_createdate: bool,
    /// Whether tickets take the original time of their closing.
    pub ticket_closed_date: bool,
    /// Options of a ticket's `source_type`.
    pub sources: BTreeSet<String>,
}

impl State {
    /// The name of an own property, by its key; `None` where it is not there. Those of custom objects are made with them.
    pub fn name(&self, object: &str, key: &'static str) -> Option<&str> {
        if own::is_custom(object) {
            let has = own::of_object(object).iter().any(|(own, ..)| *own == key);
            return has.then_some(key);
        }
        self.own.get(&format!("{object}.{key}")).map(String::as_str)
    }

    /// Where an object type has the connector's marks; `None` where it has none, or its marker is not unique.
    pub fn marks(&self, object: &str) -> Option<Marks<'_>> {
        if !own::is_custom(object) && !self.unique.contains(object) {
            return None;
        }
        Some(Marks {
            marker: self.name(object, own::SOURCE_ID)?,
            run: self.name(object, own::RUN)?,
        })
    }

    /// The value of the `status` slot where the mapping says nothing.
    pub fn default_status(status: &ConversationStatus) -> &'static str {
        match status {
            ConversationStatus::Closed => "closed",
            ConversationStatus::Snoozed => "snoozed",
            ConversationStatus::Open | ConversationStatus::Other(_) => "open",
        }
    }

    /// The name by which paths know a custom object.
    pub fn object_of(&self, object_type: &str) -> String {
        format!("p{}_{}", self.portal, crate::map::object_name(object_type))
    }

    /// Says references and values, with the addresses of this account. Records of custom objects are not linked: they are named
    /// by each other while they are made, in an order that differs from run to run.
    pub fn words(&self, zone: &str) -> Words {
        if self.ui.is_empty() {
            return Words::new([], zone);
        }
        let page = |type_id: &str| {
            format!(
                "https://{}/contacts/{}/record/{type_id}/",
                self.ui, self.portal
            )
        };
        let pages = [
            (Kind::Customer, page("0-1")),
            (Kind::Company, page("0-2")),
            (Kind::Conversation, page("0-5")),
        ];
        Words::new(pages, zone)
    }

    /// The folder of this run's files (HubSpot facts §12).
    pub fn folder(run: &str) -> String {
        format!("/transload/{run}")
    }
}
