//! What an account holds.
//!
//! Contacts and agents are one kind of person with one space of ids, as the vendor has it: an agent's `id` is the user id
//! that tickets and notes name (Freshdesk facts §5, §7).

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// An id. Tickets count from 1; everything else shares one large counter.
pub type Id = u64;

/// A contact, or an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// User id.
    pub id: Id,
    /// Name.
    pub name: Option<String>,
    /// Primary address.
    pub email: Option<String>,
    /// Further addresses.
    pub other_emails: Vec<String>,
    /// Work telephone.
    pub phone: Option<String>,
    /// Mobile telephone.
    pub mobile: Option<String>,
    /// Twitter handle.
    pub twitter_id: Option<String>,
    /// Facebook id, known from tickets only.
    pub facebook_id: Option<String>,
    /// Other social handles, as given.
    pub social_handlers: Vec<Value>,
    /// Id in another system, unique.
    pub unique_external_id: Option<String>,
    /// Primary company.
    pub company_id: Option<Id>,
    /// Whether the contact sees all tickets of the primary company.
    pub view_all_tickets: bool,
    /// Further companies, with the same.
    pub other_companies: Vec<(Id, bool)>,
    /// Postal address.
    pub address: Option<String>,
    /// Title.
    pub job_title: Option<String>,
    /// Language code.
    pub language: String,
    /// Time zone by its Rails name.
    pub time_zone: String,
    /// Description.
    pub description: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Values of custom fields by name; unset ones are absent.
    pub custom_fields: BTreeMap<String, Value>,
    /// Whether the address is verified.
    pub active: bool,
    /// When deleted softly.
    pub deleted_at: Option<DateTime<Utc>>,
    /// The contact this one was merged into.
    pub merged_into: Option<Id>,
    /// Picture.
    pub avatar: Option<File>,
    /// Set for an agent.
    pub agent: Option<Agent>,
    /// Creation.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// What an agent has besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Whether available for automatic assignment.
    pub available: bool,
    /// An occasional agent needs no licence.
    pub occasional: bool,
    /// Signature, HTML.
    pub signature: Option<String>,
    /// 1 all tickets, 2 those of the groups, 3 those assigned.
    pub ticket_scope: i64,
    /// 1 support agent, 2 field agent, 3 collaborator.
    pub agent_type: i64,
    /// Roles.
    pub role_ids: Vec<Id>,
    /// Since when an agent.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A company.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    /// Id.
    pub id: Id,
    /// Unique name.
    pub name: String,
    /// Domains of addresses.
    pub domains: Vec<String>,
    /// Description.
    pub description: Option<String>,
    /// Note.
    pub note: Option<String>,
    /// One of the field's choices.
    pub health_score: Option<String>,
    /// One of the field's choices.
    pub account_tier: Option<String>,
    /// `YYYY-MM-DD`.
    pub renewal_date: Option<String>,
    /// One of the field's choices.
    pub industry: Option<String>,
    /// Values of custom fields by name.
    pub custom_fields: BTreeMap<String, Value>,
    /// Creation.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A group of agents.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Id.
    pub id: Id,
    /// Unique name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Members.
    pub agent_ids: Vec<Id>,
    /// Whom to mail about unassigned tickets.
    pub escalate_to: Option<Id>,
    /// After what time, such as `30m`.
    pub unassigned_for: Option<String>,
    /// 0 by hand, 1 in turn, up to 4.
    pub auto_ticket_assign: i64,
    /// Creation.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// Whose field it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Tickets.
    Ticket,
    /// Contacts.
    Contact,
    /// Companies.
    Company,
}

impl Owner {
    /// As a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }
}

/// A field, standard or custom.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Id.
    pub id: Id,
    /// Whose.
    pub owner: Owner,
    /// API name; `cf_…` for custom ticket fields.
    pub name: String,
    /// Label for agents.
    pub label: String,
    /// Label for customers.
    pub label_for_customers: String,
    /// Description of a standard field.
    pub description: Option<String>,
    /// Type, such as `custom_text`.
    pub kind: String,
    /// Whether it is a standard field.
    pub default: bool,
    /// Place in the form.
    pub position: i64,
    /// Required of agents.
    pub required_for_agents: bool,
    /// Required to resolve or close.
    pub required_for_closure: bool,
    /// Required of customers.
    pub required_for_customers: bool,
    /// Whether customers may change it.
    pub customers_can_edit: bool,
    /// Whether customers see it.
    pub displayed_to_customers: bool,
    /// Whether it can be filled on signing up (contacts).
    pub editable_in_signup: bool,
    /// Whether values are unique.
    pub unique: bool,
    /// Choices of a dropdown or of the levels of a nested field.
    pub choices: Vec<Choice>,
    /// The second and third level of a nested field.
    pub levels: Vec<Level>,
    /// The custom object a lookup field looks up, by id of its schema.
    pub looks_up: Option<Id>,
    /// Until when more than 100 choices are being updated; then they become `choices`.
    pub pending: Option<(DateTime<Utc>, Vec<Choice>)>,
    /// Whether sections hang on it, so that it cannot be deleted (§9).
    pub has_sections: bool,
    /// Creation.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A choice of a dropdown.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Id; the number of a status.
    pub id: Id,
    /// Text.
    pub value: String,
    /// Label for customers, of a status.
    pub label: String,
    /// Place.
    pub position: i64,
    /// Choices of the next level.
    pub choices: Vec<Choice>,
}

/// A dependent level of a nested field.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Id.
    pub id: Id,
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Label for customers.
    pub label_for_customers: String,
    /// 2 or 3.
    pub level: i64,
}

/// A ticket. What was said in it besides the description is in [`Conversation`]s.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Display id, counts from 1.
    pub id: Id,
    /// Subject.
    pub subject: String,
    /// The first message, HTML.
    pub description: String,
    /// 2 open, 3 pending, 4 resolved, 5 closed, or another of the field.
    pub status: i64,
    /// 1 low to 4 urgent.
    pub priority: i64,
    /// 1 e-mail, 2 portal, 3 phone, 7 chat, 9 feedback widget, 10 outbound e-mail.
    pub source: i64,
    /// One of the field's choices.
    pub kind: Option<String>,
    /// Requester.
    pub requester_id: Id,
    /// Agent.
    pub responder_id: Option<Id>,
    /// Group.
    pub group_id: Option<Id>,
    /// Company.
    pub company_id: Option<Id>,
    /// Product.
    pub product_id: Option<Id>,
    /// Mailbox.
    pub email_config_id: Option<Id>,
    /// In copy.
    pub cc_emails: Vec<String>,
    /// Forwarded to.
    pub fwd_emails: Vec<String>,
    /// In copy of replies.
    pub reply_cc_emails: Vec<String>,
    /// Addressees of an outbound e-mail.
    pub to_emails: Option<Vec<String>>,
    /// Whether in spam.
    pub spam: bool,
    /// Resolution due.
    pub due_by: DateTime<Utc>,
    /// First response due.
    pub fr_due_by: DateTime<Utc>,
    /// Whether the resolution was overdue.
    pub is_escalated: bool,
    /// Whether the first response was overdue.
    pub fr_escalated: bool,
    /// Tags.
    pub tags: Vec<String>,
    /// Values of custom fields by name; unset ones are absent.
    pub custom_fields: BTreeMap<String, Value>,
    /// Files of the description.
    pub attachments: Vec<File>,
    /// Number given through the channel API.
    pub import_id: Option<i64>,
    /// Creation, given or stamped.
    pub created_at: DateTime<Utc>,
    /// Last change, given or stamped.
    pub updated_at: DateTime<Utc>,
    /// Which times were given by a client.
    pub given: Given,
    /// When the account made it, whatever was given.
    pub made_at: DateTime<Utc>,
    /// When the account last touched it, whatever was given.
    pub touched_at: DateTime<Utc>,
    /// Since when it has its status.
    pub status_since: DateTime<Utc>,
    /// First reply or public note of an agent.
    pub first_responded_at: Option<DateTime<Utc>>,
    /// Last one.
    pub agent_responded_at: Option<DateTime<Utc>>,
    /// Last incoming note.
    pub requester_responded_at: Option<DateTime<Utc>>,
    /// When it was resolved or closed.
    pub resolved_at: Option<DateTime<Utc>>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was reopened.
    pub reopened_at: Option<DateTime<Utc>>,
    /// When it was put in the trash.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Archived by hand of the seed; otherwise age decides.
    pub archived: bool,
    /// Times are shown with an offset, as of an old object (§1).
    pub with_offset: bool,
}

/// Which times a client gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// `created_at`.
    pub created: bool,
    /// `updated_at`, and nothing has changed since.
    pub updated: bool,
}

/// A note, a reply or something forwarded.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Id.
    pub id: Id,
    /// Ticket.
    pub ticket_id: Id,
    /// Author.
    pub user_id: Id,
    /// HTML, as it is kept.
    pub body: String,
    /// Whether only agents see it.
    pub private: bool,
    /// Whether it shows as coming from the customer.
    pub incoming: bool,
    /// 0 reply, 2 note, 8 forwarded (§12).
    pub source: i64,
    /// Addressees.
    pub to_emails: Vec<String>,
    /// In copy.
    pub cc_emails: Vec<String>,
    /// In blind copy.
    pub bcc_emails: Vec<String>,
    /// Sender of a reply.
    pub from_email: Option<String>,
    /// Files.
    pub attachments: Vec<File>,
    /// Number given through the channel API.
    pub import_id: Option<i64>,
    /// Creation, given or stamped.
    pub created_at: DateTime<Utc>,
    /// Whether it was given.
    pub time_given: bool,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
    /// When it came.
    pub created_at: DateTime<Utc>,
}

/// A custom object.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// What display ids begin with.
    pub prefix: String,
    /// Fields.
    pub fields: Vec<SchemaField>,
    /// Creation, milliseconds since the epoch.
    pub created_time: i64,
    /// Last change, milliseconds since the epoch.
    pub updated_time: i64,
}

impl Schema {
    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&SchemaField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field whose value is unique.
    pub fn primary(&self) -> Option<&SchemaField> {
        self.fields.iter().find(|field| field.kind == "PRIMARY")
    }
}

/// A field of a custom object.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaField {
    /// Id, hexadecimal.
    pub id: String,
    /// Name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Type, such as `TEXT`.
    pub kind: String,
    /// Whether a value must be given.
    pub required: bool,
    /// Whether lists can be filtered by it.
    pub filterable: bool,
    /// Choices of a dropdown.
    pub choices: Vec<String>,
    /// What a relationship points to: `ticket`, `contact`, `company`, or the name of an object.
    pub target: Option<String>,
}

/// A record of a custom object.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Such as `BKG-1`.
    pub display_id: String,
    /// Schema.
    pub schema_id: Id,
    /// Counts changes from 1.
    pub version: i64,
    /// Values by field; unset ones are absent.
    pub data: BTreeMap<String, Value>,
    /// Creation, milliseconds since the epoch.
    pub created_time: i64,
    /// Last change, milliseconds since the epoch.
    pub updated_time: i64,
}

/// A satisfaction rating (§5).
#[derive(Debug, Clone, PartialEq)]
pub struct Rating {
    /// Id.
    pub id: Id,
    /// Ticket.
    pub ticket_id: Id,
    /// Requester.
    pub user_id: Id,
    /// Agent rated.
    pub agent_id: Option<Id>,
    /// Group rated.
    pub group_id: Option<Id>,
    /// Text.
    pub feedback: Option<String>,
    /// Answers by question.
    pub ratings: Value,
    /// Creation.
    pub created_at: DateTime<Utc>,
}

/// What a rule reacts to (§13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A new ticket.
    Creation,
    /// A change to a ticket.
    Update,
    /// Every hour, tickets changed in the last 30 days.
    Hourly,
}

/// An automation rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name.
    pub name: String,
    /// What it reacts to.
    pub trigger: Trigger,
    /// Whether it runs.
    pub active: bool,
    /// What it does.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleAction {
    /// Puts a tag on the ticket.
    Tag(String),
    /// Mails the requester.
    MailRequester,
    /// Mails the ticket's agent, or the account's owner.
    MailAgent,
    /// Calls a web hook.
    Webhook(String),
}
