//! What an account holds, as plain data.
//!
//! These types are what a test looks at through [`super::Snapshot`], so they carry what was stored, not what an answer
//! shows. Times are whole seconds except where the account itself made them. Not here: rules, indexes, JSON.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// A numeric id.
pub type Id = u64;
/// A set of tags, lower-case, sorted as Zendesk shows them.
pub type Tags = BTreeSet<String>;

/// Declares an enum whose variants have a name on the wire.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The variant with this name on the wire.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

names! {
    /// Role of a user.
    Role { /// A customer.
        EndUser = "end-user", /// A member of the staff, on a paid seat.
        Agent = "agent", /// An agent who may change the account.
        Admin = "admin" }
}

names! {
    /// Status of a ticket, in the order that `less_than` means.
    Status { /// Never assigned.
        New = "new", /// Waiting for the staff.
        Open = "open", /// Waiting for the requester.
        Pending = "pending", /// Waiting for a third party.
        Hold = "hold", /// Answered.
        Solved = "solved", /// Frozen.
        Closed = "closed" }
}

names! {
    /// Priority of a ticket.
    Priority { /// Low.
        Low = "low", /// Normal.
        Normal = "normal", /// High.
        High = "high", /// Urgent.
        Urgent = "urgent" }
}

names! {
    /// Type of a ticket.
    TicketType { /// Problem.
        Problem = "problem", /// Incident of a problem.
        Incident = "incident", /// Question.
        Question = "question", /// Task, with a due date.
        Task = "task" }
}

names! {
    /// Type of an address of a user.
    IdentityType { /// E-mail address.
        Email = "email", /// Direct phone line.
        Phone = "phone_number", /// Twitter.
        Twitter = "twitter", /// Facebook.
        Facebook = "facebook", /// Google.
        Google = "google", /// Agent forwarding.
        AgentForwarding = "agent_forwarding", /// Any channel.
        AnyChannel = "any_channel", /// Foreign.
        Foreign = "foreign", /// SDK.
        Sdk = "sdk", /// Messaging.
        Messaging = "messaging" }
}

names! {
    /// Type of a custom field.
    FieldType { /// One line.
        Text = "text", /// Several lines.
        Textarea = "textarea", /// True or false.
        Checkbox = "checkbox", /// A day.
        Date = "date", /// A whole number.
        Integer = "integer", /// A decimal number.
        Decimal = "decimal", /// Text that matches an expression.
        Regexp = "regexp", /// A masked card number.
        PartialCreditCard = "partialcreditcard", /// Several options.
        Multiselect = "multiselect", /// One option of a ticket field.
        Tagger = "tagger", /// One option of another field.
        Dropdown = "dropdown", /// A link to a record.
        Lookup = "lookup", /// A link that owns the record.
        Parent = "parent", /// An amount.
        Currency = "currency" }
}

impl FieldType {
    /// The name in error entries, e.g. `FieldDate` (Zendesk facts §4).
    pub fn class(self) -> &'static str {
        match self {
            Self::Text => "FieldText",
            Self::Textarea => "FieldTextarea",
            Self::Checkbox => "FieldCheckbox",
            Self::Date => "FieldDate",
            Self::Integer => "FieldInteger",
            Self::Decimal => "FieldDecimal",
            Self::Regexp => "FieldRegexp",
            Self::PartialCreditCard => "FieldPartialCreditCard",
            Self::Multiselect => "FieldMultiselect",
            Self::Tagger | Self::Dropdown => "FieldTagger",
            Self::Lookup | Self::Parent => "FieldLookup",
            Self::Currency => "FieldCurrency",
        }
    }

    /// Whether the value is one or more of the field's options.
    pub fn has_options(self) -> bool {
        matches!(self, Self::Multiselect | Self::Tagger | Self::Dropdown)
    }
}

/// A user.
#[derive(Debug, Clone)]
pub struct User {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// External id, in the case last written.
    pub external_id: Option<String>,
    /// Role.
    pub role: Role,
    /// Custom role.
    pub custom_role_id: Option<Id>,
    /// All addresses; the primary e-mail is the one marked so.
    pub identities: Vec<Identity>,
    /// Phone as shown.
    pub phone: Option<String>,
    /// Whether the phone is shared, so no identity.
    pub shared_phone_number: Option<bool>,
    /// Locale.
    pub locale: String,
    /// Time zone, by Zendesk's name.
    pub time_zone: String,
    /// Default organization.
    pub organization_id: Option<Id>,
    /// Default group.
    pub default_group_id: Option<Id>,
    /// Notes.
    pub notes: String,
    /// Details.
    pub details: String,
    /// Alias.
    pub alias: String,
    /// Signature.
    pub signature: String,
    /// Tags.
    pub tags: Tags,
    /// Values of user fields by key.
    pub user_fields: BTreeMap<String, Value>,
    /// Whether the primary address is verified.
    pub verified: bool,
    /// Whether suspended.
    pub suspended: bool,
    /// False after a soft deletion.
    pub active: bool,
    /// When soft-deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Which tickets the user may see.
    pub ticket_restriction: Option<String>,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

impl User {
    /// The primary e-mail address.
    pub fn email(&self) -> Option<&str> {
        let emails = || {
            self.identities
                .iter()
                .filter(|i| i.kind == IdentityType::Email)
        };
        let primary = emails().find(|i| i.primary).or_else(|| emails().next());
        primary.map(|identity| identity.value.as_str())
    }

    /// Whether the user is staff.
    pub fn is_agent(&self) -> bool {
        self.role != Role::EndUser
    }
}

/// An address of a user.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Id.
    pub id: Id,
    /// Type.
    pub kind: IdentityType,
    /// Value; e-mail addresses are lower-case.
    pub value: String,
    /// Whether verified.
    pub verified: bool,
    /// Whether primary.
    pub primary: bool,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// An organization.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Id.
    pub id: Id,
    /// Name, trimmed.
    pub name: String,
    /// External id.
    pub external_id: Option<String>,
    /// Domains.
    pub domain_names: Vec<String>,
    /// Details.
    pub details: Option<String>,
    /// Notes.
    pub notes: Option<String>,
    /// Group of new tickets.
    pub group_id: Option<Id>,
    /// Whether members see each other's tickets.
    pub shared_tickets: bool,
    /// Whether members may comment on them.
    pub shared_comments: bool,
    /// Tags.
    pub tags: Tags,
    /// Values of organization fields by key.
    pub organization_fields: BTreeMap<String, Value>,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Id.
    pub id: Id,
    /// Name, not unique.
    pub name: String,
    /// Description.
    pub description: String,
    /// Whether it is the default group.
    pub default: bool,
    /// Soft-deleted.
    pub deleted: bool,
    /// Public.
    pub is_public: bool,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A user's membership in a group or an organization.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Id.
    pub id: Id,
    /// User.
    pub user_id: Id,
    /// Group or organization.
    pub of: Id,
    /// Whether it is the user's default.
    pub default: bool,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// What a field belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldOwner {
    /// Tickets.
    Ticket,
    /// Users.
    User,
    /// Organizations.
    Organization,
    /// The custom object with this key.
    Object(String),
}

/// A field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Id.
    pub id: Id,
    /// Whose.
    pub owner: FieldOwner,
    /// Key; ticket fields have none.
    pub key: Option<String>,
    /// Type; system ticket fields are called otherwise on the wire.
    pub kind: FieldType,
    /// Wire type of a system ticket field, e.g. `subject`.
    pub system: Option<&'static str>,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// What only agents see of a ticket field.
    pub agent_description: String,
    /// Active.
    pub active: bool,
    /// Required to solve (tickets), required (records).
    pub required: bool,
    /// Tag of a checkbox.
    pub tag: Option<String>,
    /// Expression.
    pub regexp: Option<String>,
    /// Options.
    pub options: Vec<FieldOption>,
    /// Target of a lookup, e.g. `zen:user`.
    pub target: Option<String>,
    /// Place.
    pub position: u64,
    /// Whether made through the API by a client.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// An option of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOption {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Value, which is the tag on tickets.
    pub value: String,
}

/// A custom status.
#[derive(Debug, Clone)]
pub struct CustomStatus {
    /// Id.
    pub id: Id,
    /// Category.
    pub category: Status,
    /// Label for agents.
    pub agent_label: String,
    /// Label for end users.
    pub end_user_label: String,
    /// Description.
    pub description: String,
    /// Active.
    pub active: bool,
    /// The default of its category.
    pub default: bool,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A custom object.
#[derive(Debug, Clone)]
pub struct CustomObject {
    /// Key.
    pub key: String,
    /// Title.
    pub title: String,
    /// Plural of the title.
    pub title_pluralized: String,
    /// Description.
    pub description: String,
    /// In the list view.
    pub include_in_list_view: bool,
    /// Whether records take attachments.
    pub allows_attachments: bool,
    /// Whether the record's name is unique, needed for upsert by name (§11).
    pub name_unique: bool,
    /// Whether the record's name is numbered by the account; then it must not be given (§11).
    pub name_autonumbered: bool,
    /// Prefix of the numbered name.
    pub name_prefix: String,
    /// Who made it.
    pub created_by: Id,
    /// Who changed it.
    pub updated_by: Id,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A record of a custom object.
#[derive(Debug, Clone)]
pub struct Record {
    /// Id, 26 characters.
    pub id: String,
    /// Object.
    pub object: String,
    /// Name.
    pub name: String,
    /// External id, case-sensitive.
    pub external_id: Option<String>,
    /// Values by field key.
    pub fields: BTreeMap<String, Value>,
    /// Files by attachment id.
    pub attachments: Vec<File>,
    /// Who made it.
    pub created_by: Id,
    /// Who changed it.
    pub updated_by: Id,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A stored file.
#[derive(Debug, Clone)]
pub struct File {
    /// Attachment id.
    pub id: Id,
    /// Token in its `content_url`.
    pub token: String,
    /// Name.
    pub name: String,
    /// Media type as sent.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// Whether shown inside the comment.
    pub inline: bool,
    /// The bytes, if the account keeps them.
    pub content: Option<Bytes>,
}

/// The text of a comment as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommentText {
    /// `body` or `value`.
    Plain(String),
    /// `html_body`, sanitised.
    Html(String),
}

/// A comment.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Id.
    pub id: Id,
    /// Id of the audit it belongs to.
    pub audit_id: Id,
    /// Author.
    pub author_id: Id,
    /// Public.
    pub public: bool,
    /// Text.
    pub text: CommentText,
    /// Files.
    pub attachments: Vec<File>,
    /// Time shown.
    pub created_at: DateTime<Utc>,
    /// Whether the time was given by the client.
    pub time_given: bool,
    /// Channel.
    pub channel: String,
}

/// Which times of a ticket were given by the client and still stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenTimes {
    /// `created_at`.
    pub created: bool,
    /// `updated_at`.
    pub updated: bool,
    /// `solved_at`.
    pub solved: bool,
}

/// A soft deletion.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: Id,
}

/// A ticket with its comments.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Id.
    pub id: Id,
    /// External id, not unique.
    pub external_id: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Status.
    pub status: Status,
    /// Custom status.
    pub custom_status_id: Option<Id>,
    /// Priority.
    pub priority: Option<Priority>,
    /// Type.
    pub kind: Option<TicketType>,
    /// Requester.
    pub requester_id: Id,
    /// Submitter.
    pub submitter_id: Id,
    /// Assignee.
    pub assignee_id: Option<Id>,
    /// Group.
    pub group_id: Option<Id>,
    /// Organization.
    pub organization_id: Option<Id>,
    /// Brand.
    pub brand_id: Id,
    /// Form.
    pub ticket_form_id: Option<Id>,
    /// Problem.
    pub problem_id: Option<Id>,
    /// Due.
    pub due_at: Option<DateTime<Utc>>,
    /// Original recipient address.
    pub recipient: Option<String>,
    /// Tags, those of field values included.
    pub tags: Tags,
    /// Values by field id.
    pub custom_fields: BTreeMap<Id, Value>,
    /// People in copy.
    pub email_cc_ids: Vec<Id>,
    /// Followers.
    pub follower_ids: Vec<Id>,
    /// Channel.
    pub channel: String,
    /// Comments in order of time.
    pub comments: Vec<Comment>,
    /// Time shown.
    pub created_at: DateTime<Utc>,
    /// Time shown.
    pub updated_at: DateTime<Utc>,
    /// Time solved.
    pub solved_at: Option<DateTime<Utc>>,
    /// Which of these were given.
    pub given: GivenTimes,
    /// When the account really made or last changed it (`generated_timestamp`).
    pub generated_at: DateTime<Utc>,
    /// When the status last changed, for automations.
    pub status_since: DateTime<Utc>,
    /// Archived: out of the lists (§12).
    pub archived: bool,
    /// Made through the import API.
    pub imported: bool,
    /// Soft-deleted.
    pub deleted: Option<Deletion>,
    /// When the account really made it; search and lists count their lag from here.
    pub made_at: DateTime<Utc>,
}

/// A condition of a trigger or automation.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Field.
    pub field: String,
    /// Operator.
    pub operator: String,
    /// Value.
    pub value: String,
}

/// An action of a trigger or automation.
#[derive(Debug, Clone)]
pub struct RuleAction {
    /// Field.
    pub field: String,
    /// Value.
    pub value: Value,
}

/// A trigger or an automation.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Id.
    pub id: Id,
    /// Title.
    pub title: String,
    /// Active.
    pub active: bool,
    /// All must hold.
    pub all: Vec<Condition>,
    /// One must hold, if there are any.
    pub any: Vec<Condition>,
    /// What it does.
    pub actions: Vec<RuleAction>,
    /// Place.
    pub position: u64,
    /// Made by the account.
    pub created_at: DateTime<Utc>,
}

/// A mail about a ticket, as `GET /email_notifications` shows it.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Id.
    pub id: Id,
    /// Ticket.
    pub ticket_id: Id,
    /// Comment it carries.
    pub comment_id: Option<Id>,
    /// To whom: user and address.
    pub recipients: Vec<(Id, String)>,
    /// When.
    pub at: DateTime<Utc>,
}
