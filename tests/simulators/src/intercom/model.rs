//! What a workspace holds. Times are whole Unix seconds unless they say otherwise (Intercom facts §1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

/// Number of everything but contacts and companies.
pub type Id = u64;
/// Whole Unix seconds, UTC.
pub type Seconds = i64;

/// Where a workspace is kept (§1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// `https://api.intercom.io`.
    Us,
    /// `https://api.eu.intercom.io`.
    Eu,
    /// `https://api.au.intercom.io`.
    Au,
}

impl Region {
    /// As `/me` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Us => "US",
            Self::Eu => "EU",
            Self::Au => "AU",
        }
    }

    /// Its host.
    pub fn host(self) -> &'static str {
        match self {
            Self::Us => "api.intercom.io",
            Self::Eu => "api.eu.intercom.io",
            Self::Au => "api.au.intercom.io",
        }
    }
}

/// A teammate (§7).
#[derive(Debug, Clone)]
pub struct Admin {
    /// Number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Whether the seat is a paid one.
    pub has_inbox_seat: bool,
    /// Whether the admin is away.
    pub away: bool,
    /// Teams.
    pub team_ids: BTreeSet<Id>,
    /// Removed from the workspace: no longer listed.
    pub removed: bool,
}

/// A team (§7).
#[derive(Debug, Clone)]
pub struct Team {
    /// Number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Members.
    pub admin_ids: BTreeSet<Id>,
}

/// What a contact is (§6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A known user; unique by e-mail and external id.
    User,
    /// A lead; several may share an address.
    Lead,
}

impl Role {
    /// As answers show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Lead => "lead",
        }
    }
}

/// A tag on something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The tag.
    pub tag: Id,
    /// When: always the time of the request (§10).
    pub at: Seconds,
    /// The admin who did it.
    pub by: Id,
}

/// A contact (§6).
#[derive(Debug, Clone)]
pub struct Contact {
    /// 24 hexadecimal digits.
    pub id: String,
    /// Id of another system.
    pub external_id: Option<String>,
    /// User or lead.
    pub role: Role,
    /// The one address.
    pub email: Option<String>,
    /// The one telephone number.
    pub phone: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Address of a picture.
    pub avatar: Option<String>,
    /// Owner, an admin.
    pub owner_id: Option<Id>,
    /// Can be given.
    pub signed_up_at: Option<Seconds>,
    /// Can be given.
    pub last_seen_at: Option<Seconds>,
    /// Stamped.
    pub last_replied_at: Option<Seconds>,
    /// Stamped.
    pub last_contacted_at: Option<Seconds>,
    /// No mails.
    pub unsubscribed_from_emails: bool,
    /// The address is known to be right.
    pub email_verified: bool,
    /// Values of data attributes by their name; those of references are ids of instances.
    pub custom_attributes: BTreeMap<String, Value>,
    /// Tags.
    pub tags: Vec<Applied>,
    /// Companies, by Intercom's id.
    pub companies: Vec<String>,
    /// Notes.
    pub notes: Vec<Id>,
    /// Stamped, never given (§10).
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
    /// In milliseconds: when it was made, for what lags.
    pub made_ms: i64,
    /// Hidden, but it still blocks its address and external id.
    pub archived: bool,
    /// Blocked for good.
    pub blocked: bool,
    /// Made because a ticket or conversation named an unknown address.
    pub by_product: bool,
}

/// Whom a note is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteOf {
    /// A contact.
    Contact(String),
    /// A company.
    Company(String),
}

/// A note about a contact or company (§9).
#[derive(Debug, Clone)]
pub struct Note {
    /// Number.
    pub id: Id,
    /// Whom it is about.
    pub of: NoteOf,
    /// Author.
    pub admin_id: Id,
    /// HTML.
    pub body: String,
    /// Stamped.
    pub created_at: Seconds,
}

/// A company (§7).
#[derive(Debug, Clone)]
pub struct Company {
    /// 24 hexadecimal digits.
    pub id: String,
    /// Id of another system, never changed.
    pub company_id: String,
    /// Name.
    pub name: Option<String>,
    /// When it was made elsewhere.
    pub remote_created_at: Option<Seconds>,
    /// Name of its plan.
    pub plan: Option<String>,
    /// People.
    pub size: Option<i64>,
    /// Web page.
    pub website: Option<String>,
    /// Industry.
    pub industry: Option<String>,
    /// What it spends, cut to whole units.
    pub monthly_spend: i64,
    /// Values of data attributes by their name.
    pub custom_attributes: BTreeMap<String, Value>,
    /// Tags.
    pub tags: Vec<Id>,
    /// Notes.
    pub notes: Vec<Id>,
    /// Who belongs to it.
    pub contacts: BTreeSet<String>,
    /// Stamped.
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
    /// Deleted, as far as the API says.
    pub archived: bool,
}

/// A tag (§9).
#[derive(Debug, Clone)]
pub struct Tag {
    /// Number.
    pub id: Id,
    /// Name.
    pub name: String,
}

/// A segment of contacts, which may ask for a tag.
#[derive(Debug, Clone)]
pub struct Segment {
    /// 24 hexadecimal digits.
    pub id: String,
    /// Name.
    pub name: String,
    /// The tag it asks for.
    pub tag: Option<Id>,
    /// When it was made.
    pub created_at: Seconds,
}

/// What a data attribute belongs to (§9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// Contacts.
    Contact,
    /// Companies.
    Company,
}

impl Model {
    /// As answers show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }
}

/// A custom data attribute of contacts or companies (§9).
#[derive(Debug, Clone)]
pub struct DataAttribute {
    /// Number.
    pub id: Id,
    /// Of what.
    pub model: Model,
    /// Name, unique over both models.
    pub name: String,
    /// Text for people.
    pub description: Option<String>,
    /// `string`, `integer`, `float`, `boolean`, `datetime`, `date` or `options`, as it was made.
    pub data_type: String,
    /// Choices of `options`.
    pub options: Vec<String>,
    /// Whether the Messenger may write it.
    pub messenger_writable: bool,
    /// Not used any more.
    pub archived: bool,
    /// Something depends on it, so that it cannot be archived.
    pub depended_on: bool,
    /// Who made it.
    pub admin_id: Id,
    /// Stamped.
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
}

/// One choice of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOption {
    /// UUID.
    pub id: String,
    /// Label.
    pub label: String,
    /// Not used any more.
    pub archived: bool,
}

/// A conversation attribute (§9).
#[derive(Debug, Clone)]
pub struct ConversationAttribute {
    /// Number.
    pub id: Id,
    /// Name; two live ones of one name cannot be written (§8.3).
    pub name: String,
    /// Text for people.
    pub description: String,
    /// `string`, `integer`, `list`, `decimal`, `boolean`, `datetime`, `relationship` or `files`.
    pub data_type: String,
    /// Needed before a conversation is closed by hand.
    pub required: bool,
    /// Teams that see it; none means all.
    pub visible_to_team_ids: Vec<String>,
    /// Several lines, of a `string`.
    pub multiline: bool,
    /// Of a `list`.
    pub options: Vec<ListOption>,
    /// Of a `relationship`: whether it holds many, and the type of custom object.
    pub reference: Option<(bool, String)>,
    /// Not used any more.
    pub archived: bool,
    /// Who made it.
    pub admin_id: Id,
    /// Stamped.
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
}

/// A type of custom object, made in the user interface (§9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectType {
    /// Its identifier in addresses, e.g. `Order`.
    pub identifier: String,
    /// Attributes by name with their type: `text`, `number`, `decimal`, `list`, `boolean` or `date`.
    pub attributes: BTreeMap<String, String>,
    /// Choices of lists by the attribute's name.
    pub choices: BTreeMap<String, Vec<String>>,
    /// Name of the attribute of contacts that refers to instances.
    pub contact_reference: Option<String>,
    /// Attributes that refer to instances of a type, by name ([?]).
    pub object_references: BTreeMap<String, String>,
}

/// An instance of a custom object (§9).
#[derive(Debug, Clone)]
pub struct Instance {
    /// Number.
    pub id: Id,
    /// Identifier of its type.
    pub kind: String,
    /// Id of another system.
    pub external_id: String,
    /// Can be given.
    pub external_created_at: Option<Seconds>,
    /// Can be given.
    pub external_updated_at: Option<Seconds>,
    /// Values by name; those of references are ids of instances.
    pub custom_attributes: Map<String, Value>,
    /// Stamped.
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
}

/// A file of an attachment.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Number, in its address.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Type.
    pub content_type: String,
    /// Bytes; 0 of what was not fetched.
    pub size: u64,
    /// SHA-256, hex; empty for what was not fetched.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
    /// The address it was to be fetched from, when it was given as one.
    pub source_url: Option<String>,
}

/// Who wrote a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// A contact.
    Contact(String),
    /// An admin.
    Admin(Id),
    /// Fin or a workflow.
    Bot,
}

/// To whom something is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignee {
    /// An admin.
    Admin(Id),
    /// A team.
    Team(Id),
    /// Nobody.
    Nobody,
}

/// A part of a conversation or ticket (§8.2).
#[derive(Debug, Clone)]
pub struct Part {
    /// Number.
    pub id: Id,
    /// `comment`, `note`, `open`, `close`, `snoozed`, `assignment` and others.
    pub part_type: String,
    /// HTML.
    pub body: Option<String>,
    /// The text as it was sent.
    pub sent_body: Option<String>,
    /// Given or stamped.
    pub created_at: Seconds,
    /// Whether it was given.
    pub created_given: bool,
    /// Stamped.
    pub updated_at: Seconds,
    /// Author.
    pub author: Author,
    /// Of an assignment.
    pub assigned_to: Option<Assignee>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Blanked.
    pub redacted: bool,
    /// Made by the API.
    pub by_app: bool,
    /// Whether the contact was notified.
    pub notified: bool,
    /// Of a ticket: the states before and after.
    pub states: Option<(String, String)>,
    /// As answers show it, with the version of people's names then.
    pub(super) shown: Option<(u64, Arc<str>)>,
}

/// State of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationState {
    /// Open.
    Open,
    /// Closed.
    Closed,
    /// Snoozed.
    Snoozed,
}

impl ConversationState {
    /// As answers show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Snoozed => "snoozed",
        }
    }
}

/// The message a conversation began with (§8.1).
#[derive(Debug, Clone)]
pub struct Source {
    /// Number of the message.
    pub id: Id,
    /// HTML.
    pub body: String,
    /// The text as it was sent.
    pub sent_body: String,
    /// Subject.
    pub subject: String,
    /// The contact who wrote it.
    pub author: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Blanked.
    pub redacted: bool,
}

/// A conversation (§8).
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Number.
    pub id: Id,
    /// Title.
    pub title: Option<String>,
    /// How it began.
    pub source: Source,
    /// Given or stamped.
    pub created_at: Seconds,
    /// Whether it was given.
    pub created_given: bool,
    /// Stamped.
    pub updated_at: Seconds,
    /// In milliseconds: when it was made, for what lags.
    pub made_ms: i64,
    /// Since when a contact waits.
    pub waiting_since: Option<Seconds>,
    /// Open, closed or snoozed.
    pub state: ConversationState,
    /// Until when it is snoozed.
    pub snoozed_until: Option<Seconds>,
    /// Read by a teammate.
    pub read: bool,
    /// Admin it is assigned to.
    pub admin_assignee_id: Option<Id>,
    /// Team it is assigned to.
    pub team_assignee_id: Option<Id>,
    /// Company, by Intercom's id.
    pub company_id: Option<String>,
    /// Brand.
    pub brand_id: Option<String>,
    /// Who takes part; the first began it.
    pub contacts: Vec<String>,
    /// Admins who took part.
    pub teammates: BTreeSet<Id>,
    /// Tags.
    pub tags: Vec<Applied>,
    /// Values by conversation attribute; those of relationships are ids of instances.
    pub custom_attributes: BTreeMap<Id, Value>,
    /// Parts in the order of their times.
    pub parts: Vec<Part>,
    /// First reply of a contact.
    pub first_contact_reply: Option<Seconds>,
    /// How often it was opened again.
    pub reopened: u64,
    /// How often it was assigned.
    pub assigned: u64,
    /// Who closed it last, and when.
    pub last_closed: Option<(Id, Seconds)>,
    /// An SLA counts.
    pub sla: bool,
    /// Made by a bot's answer.
    pub ai_agent_participated: bool,
    /// The ticket that was made of it.
    pub ticket: Option<Id>,
    /// A blocked contact's: hidden from lists.
    pub archived: bool,
}

/// A deleted conversation (§8.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Number.
    pub id: Id,
    /// Whether reports still show it.
    pub metrics_retained: bool,
    /// When.
    pub deleted_at: Seconds,
}

/// What a ticket type is for (§8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Shared with the customer.
    Customer,
    /// Internal.
    BackOffice,
    /// Many conversations behind it.
    Tracker,
}

impl Category {
    /// As answers show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "Customer",
            Self::BackOffice => "Back-office",
            Self::Tracker => "Tracker",
        }
    }

    /// As the search names it (§4).
    pub fn searched(self) -> &'static str {
        match self {
            Self::Customer => "request",
            Self::BackOffice => "task",
            Self::Tracker => "tracker",
        }
    }

    /// By the name in a body.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Customer, Self::BackOffice, Self::Tracker]
            .into_iter()
            .find(|category| category.as_str() == name)
    }
}

/// An attribute of a ticket type (§8.4).
#[derive(Debug, Clone)]
pub struct TicketAttribute {
    /// Number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Text for people.
    pub description: String,
    /// `string`, `list`, `integer`, `decimal`, `boolean`, `datetime` or `files`.
    pub data_type: String,
    /// Needed by teammates.
    pub required_to_create: bool,
    /// Needed by contacts.
    pub required_to_create_for_contacts: bool,
    /// Shown to teammates.
    pub visible_on_create: bool,
    /// Shown to contacts.
    pub visible_to_contacts: bool,
    /// Several lines.
    pub multiline: bool,
    /// Several items of a list.
    pub allow_multiple_values: bool,
    /// Items of a list.
    pub options: Vec<ListOption>,
    /// One of the two that every type has.
    pub default: bool,
    /// Not used any more.
    pub archived: bool,
    /// Stamped.
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
}

/// A ticket type (§8.4).
#[derive(Debug, Clone)]
pub struct TicketType {
    /// Number.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Text for people.
    pub description: String,
    /// An emoji.
    pub icon: String,
    /// What it is for.
    pub category: Category,
    /// Only for teammates.
    pub is_internal: bool,
    /// Attributes in their order.
    pub attributes: Vec<TicketAttribute>,
    /// Not used any more.
    pub archived: bool,
    /// Stamped.
    pub created_at: Seconds,
    /// Stamped.
    pub updated_at: Seconds,
}

/// A state of tickets.
#[derive(Debug, Clone)]
pub struct TicketState {
    /// Number.
    pub id: Id,
    /// `submitted`, `in_progress`, `waiting_on_customer` or `resolved`.
    pub category: &'static str,
    /// For teammates.
    pub internal_label: &'static str,
    /// For contacts.
    pub external_label: &'static str,
}

/// A ticket (§8.4).
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Number for the API.
    pub id: Id,
    /// Number that people see; another one.
    pub ticket_id: u64,
    /// Type.
    pub ticket_type_id: Id,
    /// State.
    pub state_id: Id,
    /// State before.
    pub previous_state_id: Option<Id>,
    /// Values by attribute.
    pub attributes: BTreeMap<Id, Value>,
    /// The one contact, unless others joined.
    pub contacts: Vec<String>,
    /// Admin it is assigned to.
    pub admin_assignee_id: Option<Id>,
    /// Team it is assigned to.
    pub team_assignee_id: Option<Id>,
    /// Company, by Intercom's id.
    pub company_id: Option<String>,
    /// Open.
    pub open: bool,
    /// Until when it is snoozed.
    pub snoozed_until: Option<Seconds>,
    /// Shared with the customer.
    pub is_shared: bool,
    /// Tags.
    pub tags: Vec<Applied>,
    /// Conversation it was made of or is linked to.
    pub conversation: Option<Id>,
    /// Given or stamped.
    pub created_at: Seconds,
    /// Whether it was given.
    pub created_given: bool,
    /// Stamped.
    pub updated_at: Seconds,
    /// In milliseconds: when it was made, for what lags.
    pub made_ms: i64,
    /// Parts in the order of their times.
    pub parts: Vec<Part>,
}

/// State of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    /// Not done.
    Pending,
    /// The ticket was made.
    Done(Id),
    /// It could not be made.
    Failed,
}

/// A job that makes a ticket (§8.4).
#[derive(Debug, Clone)]
pub struct Job {
    /// Number.
    pub id: Id,
    /// Body it was given.
    pub body: Value,
    /// The admin of the token.
    pub admin_id: Id,
    /// How far it is.
    pub state: JobState,
}
