//! What an account holds, as a test sees it too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Number of anything; no two things of an account have the same, of whatever kind they are.
pub type Id = u64;

/// A moment.
pub type Moment = DateTime<Utc>;

/// A way to reach a customer (§7).
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its number.
    pub id: Id,
    /// `email`, `phone`, …
    pub kind: String,
    /// Address as sent.
    pub address: String,
    /// Whether it is the preferred one.
    pub preferred: bool,
    /// When it was made.
    pub created_at: Moment,
}

/// A customer (§7).
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    /// Its number.
    pub id: Id,
    /// Number at another platform.
    pub external_id: Option<String>,
    /// Main e-mail address; a channel of that address is always there, too.
    pub email: Option<String>,
    /// Full name.
    pub name: String,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// The one note.
    pub note: Option<String>,
    /// ISO 639-1.
    pub language: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// Addresses.
    pub channels: Vec<Channel>,
    /// What the one who made it wrote beside it; an object or null.
    pub meta: Value,
    /// The blob that widgets show.
    pub data: Value,
    /// The version it was written with.
    pub data_version: Option<Moment>,
    /// Values by field.
    pub custom_fields: BTreeMap<Id, Value>,
    /// Data of integrations by integration: two customers who both have those of one cannot be merged.
    pub integrations: BTreeMap<Id, Value>,
    /// When it was made; nobody can set it.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
    /// Made in silence, by an address in a ticket.
    pub by_product: bool,
}

/// Somebody of the company, or a bot (§8).
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its number.
    pub id: Id,
    /// Address.
    pub email: String,
    /// Full name.
    pub name: String,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// Name of the role.
    pub role: String,
    /// Whether they can log in.
    pub active: bool,
    /// A few words.
    pub bio: Option<String>,
    /// ISO 3166-1.
    pub country: Option<String>,
    /// Number at another platform.
    pub external_id: Option<String>,
    /// `fr` or `en`.
    pub language: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// Whatever the one who made it wrote.
    pub meta: Value,
    /// When it was made.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
}

/// A team (§8).
#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Emoji and the like.
    pub decoration: Value,
    /// Users.
    pub members: Vec<Id>,
    /// When it was made.
    pub created_at: Moment,
}

/// A tag (§8).
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Its number.
    pub id: Id,
    /// Name; case counts.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Colour and the like.
    pub decoration: Value,
    /// When it was made.
    pub created_at: Moment,
    /// Made in silence, by its name on a ticket.
    pub by_product: bool,
}

/// What a custom field is of (§9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    /// Tickets.
    Ticket,
    /// Customers.
    Customer,
}

impl ObjectType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "Ticket",
            Self::Customer => "Customer",
        }
    }
}

/// A custom field (§9).
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its number.
    pub id: Id,
    /// What it is of.
    pub object: ObjectType,
    /// What people see.
    pub label: String,
    /// Description.
    pub description: Option<String>,
    /// Whether agents must fill it before they close a ticket.
    pub required: bool,
    /// Place.
    pub priority: i64,
    /// Number at another platform.
    pub external_id: Option<String>,
    /// Kind of a field that Gorgias manages.
    pub managed_type: Option<String>,
    /// `{"data_type","input_settings"}`.
    pub definition: Value,
    /// When it was made.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
    /// Archived since.
    pub deactivated_at: Option<Moment>,
}

impl Field {
    /// `text`, `number` or `boolean`.
    pub fn data_type(&self) -> &str {
        let kind = self.definition.get("data_type").and_then(Value::as_str);
        kind.unwrap_or_default()
    }
}

/// State of a ticket (§6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Somebody has to do something.
    Open,
    /// Done, or snoozed.
    Closed,
}

impl Status {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Times and texts of a ticket that somebody gave; what nobody gave is the account's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// `created_datetime`.
    pub created: bool,
    /// `updated_datetime`, and nothing has changed since.
    pub updated: bool,
    /// `closed_datetime`.
    pub closed: bool,
    /// `trashed_datetime`.
    pub trashed: bool,
}

/// A ticket (§6). Its messages are in [`super::Snapshot::messages`].
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Its number.
    pub id: Id,
    /// Number at another platform; several may have the same.
    pub external_id: Option<String>,
    /// State.
    pub status: Status,
    /// `critical`, `high`, `normal` or `low`.
    pub priority: String,
    /// Channel.
    pub channel: String,
    /// How the first message came.
    pub via: String,
    /// Whether the company wrote first.
    pub from_agent: bool,
    /// Whether it is spam.
    pub spam: bool,
    /// Whose it is.
    pub customer_id: Option<Id>,
    /// Who works on it.
    pub assignee_user_id: Option<Id>,
    /// Which team works on it.
    pub assignee_team_id: Option<Id>,
    /// Given or guessed.
    pub language: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// What the one who made it wrote beside it; an object or null.
    pub meta: Value,
    /// Tags in the order they were put on.
    pub tags: Vec<Id>,
    /// Values by field.
    pub custom_fields: BTreeMap<Id, Value>,
    /// Messages in the order they arrived.
    pub messages: Vec<Id>,
    /// The satisfaction survey.
    pub survey: Option<Id>,
    /// Whether nobody has looked.
    pub is_unread: bool,
    /// When it was made, or is said to have been.
    pub created_at: Moment,
    /// When somebody first looked.
    pub opened_at: Option<Moment>,
    /// Last message of the customer.
    pub last_received_message_at: Option<Moment>,
    /// Last message.
    pub last_message_at: Option<Moment>,
    /// Last change.
    pub updated_at: Moment,
    /// When it was closed.
    pub closed_at: Option<Moment>,
    /// In the trash since.
    pub trashed_at: Option<Moment>,
    /// Opens again then.
    pub snooze_at: Option<Moment>,
    /// Which of the times were given.
    pub given: Given,
    /// When the account really changed last, for lists that lag.
    pub touched_at: Moment,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Where it is.
    pub url: String,
    /// Name.
    pub name: String,
    /// Type.
    pub content_type: String,
    /// Bytes, as given or as uploaded.
    pub size: Option<u64>,
    /// Whether everybody may have it.
    pub public: bool,
    /// More, as given.
    pub extra: Value,
}

/// A message (§6).
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: Id,
    /// Of which ticket.
    pub ticket_id: Id,
    /// Number at another platform.
    pub external_id: Option<String>,
    /// Message-ID.
    pub message_id: Option<String>,
    /// Whether the customer sees it.
    pub public: bool,
    /// Channel; `internal-note` is a note.
    pub channel: String,
    /// How it came.
    pub via: String,
    /// Addresses as given, or null.
    pub source: Value,
    /// User, if `from_agent`, else customer; none when they were deleted.
    pub sender_id: Option<Id>,
    /// Whether the company wrote it.
    pub from_agent: bool,
    /// Customer it went to.
    pub receiver_id: Option<Id>,
    /// Integration it came through.
    pub integration_id: Option<Id>,
    /// Rule that wrote it.
    pub rule_id: Option<Id>,
    /// Subject.
    pub subject: Option<String>,
    /// Text.
    pub body_text: Option<String>,
    /// HTML.
    pub body_html: Option<String>,
    /// Text without what was quoted.
    pub stripped_text: Option<String>,
    /// HTML without what was quoted.
    pub stripped_html: Option<String>,
    /// Signature.
    pub stripped_signature: Option<String>,
    /// Headers as given, or null.
    pub headers: Value,
    /// What the one who made it wrote beside it; an object or null.
    pub meta: Value,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Users who are told.
    pub mention_ids: Vec<Id>,
    /// When it was written, or is said to have been.
    pub created_at: Moment,
    /// Whether that was given.
    pub created_given: bool,
    /// When it was sent, by whomever.
    pub sent_at: Option<Moment>,
    /// Whether that was given; otherwise Gorgias sends.
    pub sent_given: bool,
    /// When sending failed.
    pub failed_at: Option<Moment>,
    /// When it was deleted elsewhere.
    pub deleted_at: Option<Moment>,
    /// When it was read.
    pub opened_at: Option<Moment>,
    /// Why sending failed, as given, or null.
    pub last_sending_error: Value,
    /// When the account really made or changed it, for lists that lag.
    pub touched_at: Moment,
}

impl Message {
    /// Whether it is a note among agents.
    pub fn is_note(&self) -> bool {
        self.channel == super::messages::NOTE
    }
}

/// A satisfaction survey (§9).
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Its number.
    pub id: Id,
    /// Who answered.
    pub customer_id: Id,
    /// About which ticket.
    pub ticket_id: Id,
    /// 1 to 5.
    pub score: Option<u8>,
    /// Comment.
    pub body_text: Option<String>,
    /// When it was made, or is said to have been.
    pub created_at: Moment,
    /// Whether that was given.
    pub created_given: bool,
    /// When it was sent.
    pub sent_at: Option<Moment>,
    /// When it was answered.
    pub scored_at: Option<Moment>,
    /// When it is to be sent; none is never.
    pub should_send_at: Option<Moment>,
    /// What the one who made it wrote beside it; an object or null.
    pub meta: Value,
}

/// An uploaded file (§9).
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The random part of its name, which is unique.
    pub token: String,
    /// Its label: the name of its part of the form.
    pub name: String,
    /// Type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// `attachment`, `public_attachment`, …
    pub kind: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
    /// Address.
    pub url: String,
}

/// What a rule does when it runs (§12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Mails the customer, unless the last message's channel is `api`.
    AutoReply(String),
    /// Opens a closed ticket.
    Open,
    /// Puts a tag on.
    AddTag(Id),
    /// Mails the agents.
    TellAgents,
}

/// When a rule runs, of the tickets its events are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Any,
    /// When the last message is the customer's.
    LastIsCustomers,
    /// When the ticket is closed.
    Closed,
}

/// A rule (§12).
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Its source, which nobody runs here: [`Rule::condition`] and [`Rule::effects`] are what it does.
    pub code: String,
    /// `ticket-created`, `ticket-updated`, `ticket-message-created`.
    pub event_types: BTreeSet<String>,
    /// Order; high ones run first.
    pub priority: i64,
    /// When.
    pub condition: Condition,
    /// What.
    pub effects: Vec<Effect>,
    /// When it was made.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
    /// Off since.
    pub deactivated_at: Option<Moment>,
}

/// A saved list (§8).
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Tags it asks for.
    pub tags: BTreeSet<Id>,
    /// When it was made.
    pub created_at: Moment,
    /// Off since: one of its tags was deleted.
    pub deactivated_at: Option<Moment>,
}

/// A prepared answer (§8).
#[derive(Debug, Clone, PartialEq)]
pub struct Macro {
    /// Its number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Tags it puts on.
    pub tags: BTreeSet<Id>,
    /// When it was made.
    pub created_at: Moment,
}

/// A connected channel or system (§12).
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// Its number.
    pub id: Id,
    /// `email`, `http`, …
    pub kind: String,
    /// Name.
    pub name: String,
    /// Settings.
    pub meta: Value,
    /// When it was made.
    pub created_at: Moment,
    /// Off since.
    pub deactivated_at: Option<Moment>,
}

/// State of a job (§13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits.
    Pending,
    /// It waits for a moment that was asked for.
    Scheduled,
    /// It works.
    Running,
    /// It has done all.
    Done,
    /// It stops at its next ticket.
    CancelRequested,
    /// It has stopped.
    Canceled,
    /// It has done all it could.
    Errored,
    /// It broke off.
    FatalErrored,
}

impl JobStatus {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Done => "done",
            Self::CancelRequested => "cancel_requested",
            Self::Canceled => "canceled",
            Self::Errored => "errored",
            Self::FatalErrored => "fatal_errored",
        }
    }

    /// Whether it still may do something.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Scheduled | Self::Running | Self::CancelRequested
        )
    }
}

/// A job over tickets (§13).
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: Id,
    /// Kind.
    pub kind: String,
    /// State.
    pub status: JobStatus,
    /// Tickets it is about.
    pub tickets: Vec<Id>,
    /// How many it has looked at.
    pub at: usize,
    /// How many were there no more.
    pub missing: usize,
    /// By whom.
    pub user_id: Id,
    /// What the one who made it wrote beside it; an object or null.
    pub meta: Value,
    /// When it was made.
    pub created_at: Moment,
    /// When it is to begin, if that was asked for.
    pub scheduled_at: Option<Moment>,
    /// When it began.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub ended_at: Option<Moment>,
}

/// An entry in the trail of events (§12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: Id,
    /// `ticket-created`, …
    pub kind: &'static str,
    /// `Ticket`, …
    pub object_type: &'static str,
    /// What it is about.
    pub object_id: Id,
    /// By whom; none is the account itself.
    pub user_id: Option<Id>,
    /// When.
    pub at: Moment,
}
