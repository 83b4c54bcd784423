//! What a portal holds, as a test sees it too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::switches::StatusType;

/// Number of anything; no two things of a portal have the same, of whatever kind they are. 18 digits.
pub type Id = u64;

/// A moment.
pub type Moment = DateTime<Utc>;

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// Accounts.
    Accounts,
    /// Contacts.
    Contacts,
    /// Tickets.
    Tickets,
    /// Tasks.
    Tasks,
    /// Calls.
    Calls,
    /// Events.
    Events,
    /// A custom module, by its number (§9).
    Custom(Id),
}

impl Module {
    /// As the API writes it; a custom module's name is in [`CustomModule::api_name`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Contacts => "contacts",
            Self::Tickets => "tickets",
            Self::Tasks => "tasks",
            Self::Calls => "calls",
            Self::Events => "events",
            Self::Custom(_) => "custom",
        }
    }

    /// The one of that name, unless it is a custom one.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Accounts,
            Self::Contacts,
            Self::Tickets,
            Self::Tasks,
            Self::Calls,
            Self::Events,
        ]
        .into_iter()
        .find(|module| module.as_str() == name)
    }

    /// Whether it is one of tasks, calls and events.
    pub fn is_activity(self) -> bool {
        matches!(self, Self::Tasks | Self::Calls | Self::Events)
    }
}

/// How something came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It was there before.
    Before,
    /// A request made it.
    Request,
    /// An import made it.
    Import {
        /// The namespace.
        scope: String,
        /// The name in it.
        external_id: String,
    },
    /// It was made in silence, along with something else.
    ByProduct,
    /// Somebody else made it meanwhile.
    Foreign,
}

impl Origin {
    /// The external id of an imported one.
    pub fn external_id(&self) -> Option<&str> {
        match self {
            Self::Import { external_id, .. } => Some(external_id),
            _ => None,
        }
    }
}

/// In the recycle bin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// Since when.
    pub at: Moment,
    /// Who did it.
    pub by: Id,
    /// What it went along with, if not by itself.
    pub with: Option<Id>,
}

/// Which times of a record were given, not stamped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// `createdTime`.
    pub created: bool,
    /// `modifiedTime`, until something changes it.
    pub modified: bool,
    /// `closedTime`.
    pub closed: bool,
}

/// An account, contact, ticket, activity or record of a custom module.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number.
    pub id: Id,
    /// What it is of.
    pub module: Module,
    /// `ticketNumber` of a ticket (§7.5).
    pub number: Option<u64>,
    /// Standard fields by API name, nulls left out; numbers of other things are decimal strings.
    pub values: BTreeMap<String, Value>,
    /// Values of custom fields by API name; always text (§8).
    pub cf: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Moment,
    /// Last change.
    pub modified_at: Moment,
    /// When a ticket was closed.
    pub closed_at: Option<Moment>,
    /// The agent who made it.
    pub created_by: Id,
    /// The agent who changed it last.
    pub modified_by: Id,
    /// Which times were given.
    pub given: Given,
    /// How it came to be there.
    pub origin: Origin,
    /// In the recycle bin.
    pub trashed: Option<Trashed>,
    /// Marked as spam.
    pub spam: bool,
    /// A read ticket.
    pub read: bool,
    /// An archived ticket.
    pub archived: bool,
    /// Tags of a ticket.
    pub tags: BTreeSet<Id>,
    /// Accounts of a contact: whether its tickets can be seen there.
    pub accounts: BTreeMap<Id, bool>,
    /// Last moment at which anything about it changed; the search index follows it.
    pub touched_at: Moment,
}

impl Record {
    /// The text of a standard field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    /// The number of another thing in a standard field.
    pub fn link(&self, name: &str) -> Option<Id> {
        self.text(name)?.parse().ok()
    }

    /// Whether it is neither in the recycle bin nor spam.
    pub fn is_live(&self) -> bool {
        self.trashed.is_none() && !self.spam
    }
}

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// An agent.
    Agent(Id),
    /// A contact.
    Contact(Id),
    /// An address that is nobody's.
    Address(String),
}

/// State of a thread (§7.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadStatus {
    /// Sent or received.
    Success,
    /// Not sent.
    Draft,
}

/// A message of a ticket (§7.7).
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    /// Its number.
    pub id: Id,
    /// Its ticket.
    pub ticket_id: Id,
    /// `EMAIL`, `WEB`, …
    pub channel: String,
    /// From the customer.
    pub incoming: bool,
    /// Not for the customer.
    pub private: bool,
    /// The message, HTML or text.
    pub content: String,
    /// `text/html` or `text/plain`.
    pub content_type: String,
    /// Address of the sender.
    pub from: Option<String>,
    /// Addresses, with commas.
    pub to: Option<String>,
    /// The same.
    pub cc: Option<String>,
    /// The same.
    pub bcc: Option<String>,
    /// When it was sent or received.
    pub created_at: Moment,
    /// Whether that time was given.
    pub given: bool,
    /// Who wrote it.
    pub author: Author,
    /// Made of the ticket's description.
    pub description: bool,
    /// State.
    pub status: ThreadStatus,
    /// Files.
    pub attachments: Vec<Id>,
    /// How it came to be there.
    pub origin: Origin,
}

/// A comment of a ticket or an activity (§7.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// Its number.
    pub id: Id,
    /// The ticket, task, call or event.
    pub parent_id: Id,
    /// Text or HTML.
    pub content: String,
    /// `html` or `plainText`.
    pub content_type: String,
    /// For the customer, too.
    pub public: bool,
    /// Who wrote it.
    pub author: Author,
    /// When.
    pub commented_at: Moment,
    /// Last change.
    pub modified_at: Option<Moment>,
    /// Whether the first time was given.
    pub given: bool,
    /// Files.
    pub attachments: Vec<Id>,
    /// How it came to be there.
    pub origin: Origin,
}

/// Where a file hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Nowhere yet: an upload (§7.8).
    Upload,
    /// A ticket.
    Ticket(Id),
    /// A comment.
    Comment(Id),
    /// A thread.
    Thread(Id),
}

/// A file (§7.8).
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Its number.
    pub id: Id,
    /// Where it hangs.
    pub place: Place,
    /// File name.
    pub name: String,
    /// Content type as sent.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
    /// For the customer, too.
    pub public: bool,
    /// Who sent it.
    pub creator: Id,
    /// When.
    pub created_at: Moment,
}

/// A tag; tags live in a department (§7.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Where.
    pub department_id: Id,
    /// When it was made.
    pub created_at: Moment,
    /// How it came to be there.
    pub origin: Origin,
}

/// An agent (§7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its number.
    pub id: Id,
    /// Number at Zoho, which mentions use (§7.6).
    pub zuid: String,
    /// Address.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// `Admin`, `AgentPublic`, `Light`, …
    pub role: String,
    /// Whether the agent is not disabled.
    pub active: bool,
    /// Whether the invitation was accepted.
    pub confirmed: bool,
    /// Departments.
    pub departments: BTreeSet<Id>,
    /// When it was made.
    pub created_at: Moment,
}

impl Agent {
    /// Both names.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
            .trim()
            .to_owned()
    }
}

/// A department (§7.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Name for customers.
    pub portal_name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Whether customers see it.
    pub visible: bool,
    /// Whether tickets can be assigned to teams.
    pub teams_enabled: bool,
    /// The default one.
    pub default: bool,
    /// Whether it is in use.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Moment,
    /// How it came to be there.
    pub origin: Origin,
}

/// A team (§7.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Its only department.
    pub department_id: Id,
    /// Agents.
    pub agents: Vec<Id>,
    /// How it came to be there.
    pub origin: Origin,
}

/// A custom field (§8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its number.
    pub id: Id,
    /// What it is of.
    pub module: Module,
    /// `cf_…`.
    pub api_name: String,
    /// What people see.
    pub label: String,
    /// `Text`, `Number`, …
    pub kind: String,
    /// Longest text.
    pub max_length: Option<usize>,
    /// Values of a picklist.
    pub allowed: Vec<String>,
    /// What a `LookUp` leads to.
    pub lookup: Option<Module>,
    /// Whether a ticket must have it.
    pub mandatory: bool,
    /// Whether it is on the layouts: where it is not, no value sticks.
    pub on_layouts: bool,
    /// When it was made.
    pub created_at: Moment,
    /// How it came to be there.
    pub origin: Origin,
}

/// A custom module (§9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomModule {
    /// Its number.
    pub id: Id,
    /// `cm_…`.
    pub api_name: String,
    /// Name of one.
    pub singular: String,
    /// Name of many.
    pub plural: String,
    /// Description.
    pub description: Option<String>,
    /// Whether its records are of a department.
    pub by_department: bool,
    /// Departments.
    pub departments: Vec<Id>,
    /// Profiles.
    pub profiles: Vec<Id>,
    /// When it was made.
    pub created_at: Moment,
    /// Last change.
    pub modified_at: Moment,
    /// How it came to be there.
    pub origin: Origin,
}

/// A value of the field `status` of tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Name.
    pub name: String,
    /// What it means.
    pub kind: StatusType,
}

/// A row of an import that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// What it was to be, e.g. `tickets`.
    pub module: String,
    /// Its external id.
    pub external_id: String,
    /// Code.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// An import (§10).
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Its number.
    pub id: Id,
    /// The namespace.
    pub scope: String,
    /// Whether automation runs.
    pub automation: bool,
    /// Where the end would be told.
    pub notify_url: Option<String>,
    /// Who started it.
    pub by: Id,
    /// When.
    pub at: Moment,
    /// Rows in all.
    pub rows: usize,
    /// Rows done.
    pub done: usize,
    /// Rows that failed.
    pub errors: Vec<RowError>,
    /// When the last row was done.
    pub completed_at: Option<Moment>,
    /// Requests that were told `queued` since.
    pub polls: u32,
}

/// What an external id of a scope stands for (§10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mapping {
    /// The namespace.
    pub scope: String,
    /// `tickets`, `threads`, `ticketComments`, …
    pub module: String,
    /// The name in it.
    pub external_id: String,
}
