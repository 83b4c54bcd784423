//! What an account holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// A record's number; unique only among the records of its type (HubSpot facts §3.1).
pub type Id = u64;

/// Values of a record by property; what is empty is absent.
pub type Values = BTreeMap<String, String>;

/// The number of an object type: `0-5` are tickets, `2-…` custom objects (§1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u8, pub u32);

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl TypeId {
    /// Contacts.
    pub const CONTACT: Self = Self(0, 1);
    /// Companies.
    pub const COMPANY: Self = Self(0, 2);
    /// Deals.
    pub const DEAL: Self = Self(0, 3);
    /// Tickets.
    pub const TICKET: Self = Self(0, 5);
    /// Communications: SMS, WhatsApp, LinkedIn.
    pub const COMMUNICATION: Self = Self(0, 18);
    /// Tasks.
    pub const TASK: Self = Self(0, 27);
    /// Notes.
    pub const NOTE: Self = Self(0, 46);
    /// Meetings.
    pub const MEETING: Self = Self(0, 47);
    /// Calls.
    pub const CALL: Self = Self(0, 48);
    /// E-mails.
    pub const EMAIL: Self = Self(0, 49);

    /// Reads `0-5`.
    pub fn parse(text: &str) -> Option<Self> {
        let (family, number) = text.split_once('-')?;
        Some(Self(family.parse().ok()?, number.parse().ok()?))
    }

    /// Whether its records are activities (§8).
    pub fn is_activity(self) -> bool {
        matches!(
            self,
            Self::COMMUNICATION
                | Self::TASK
                | Self::NOTE
                | Self::MEETING
                | Self::CALL
                | Self::EMAIL
        )
    }

    /// Whether it is a custom object.
    pub fn is_custom(self) -> bool {
        self.0 == 2
    }
}

/// A record's type and number.
pub type Ref = (TypeId, Id);

/// The records that one is linked to, with the types of the links.
pub type Links = BTreeMap<Ref, BTreeSet<LinkKey>>;

/// An object type.
#[derive(Debug, Clone)]
pub struct ObjectType {
    /// Its number.
    pub id: TypeId,
    /// As in paths: `contacts`; of a custom object the name it was given.
    pub name: String,
    /// One of them, as in the names of links: `contact`.
    pub singular: String,
    /// `p44218907_order` of a custom object, else empty.
    pub fully_qualified: String,
    /// Labels for one and for many.
    pub labels: (String, String),
    /// Text about it.
    pub description: Option<String>,
    /// Live properties by name.
    pub properties: BTreeMap<String, Property>,
    /// Archived properties by name.
    pub archived_properties: BTreeMap<String, Property>,
    /// Groups of properties by name.
    pub groups: BTreeMap<String, Group>,
    /// Must be given on create.
    pub required: Vec<String>,
    /// Found by the `query` of a search.
    pub searchable: Vec<String>,
    /// Shown first.
    pub primary: Option<String>,
    /// Shown beside it.
    pub secondary: Vec<String>,
    /// Answered when no properties are asked for (§3.1).
    pub defaults: Vec<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
    /// When a custom object was archived.
    pub archived: Option<DateTime<Utc>>,
}

impl ObjectType {
    /// The property with the time of making.
    pub fn created_name(&self) -> &'static str {
        match self.id {
            TypeId::CONTACT | TypeId::COMPANY | TypeId::DEAL | TypeId::TICKET => "createdate",
            _ => "hs_createdate",
        }
    }

    /// The property with the time of the last change (§3.1).
    pub fn updated_name(&self) -> &'static str {
        if self.id == TypeId::CONTACT {
            "lastmodifieddate"
        } else {
            "hs_lastmodifieddate"
        }
    }
}

/// A group of properties.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Place in a list, -1 after the others.
    pub order: i64,
}

/// An option of an enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What records hold.
    pub value: String,
    /// What people see.
    pub label: String,
    /// Text about it.
    pub description: String,
    /// Place in the list.
    pub order: i64,
    /// Not shown.
    pub hidden: bool,
}

/// A property.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Internal name.
    pub name: String,
    /// Label.
    pub label: String,
    /// `string`, `number`, `bool`, `enumeration`, `date`, `datetime`.
    pub kind: String,
    /// How it is shown: `text`, `checkbox`, …
    pub field_type: String,
    /// Group.
    pub group: String,
    /// Text about it.
    pub description: String,
    /// Options of an enumeration or `bool`.
    pub options: Vec<Choice>,
    /// Whether no two records may have the same value.
    pub unique: bool,
    /// Not shown.
    pub hidden: bool,
    /// Can be in forms.
    pub form_field: bool,
    /// Place in the group.
    pub order: i64,
    /// HubSpot's own.
    pub standard: bool,
    /// A client may not write it.
    pub read_only: bool,
    /// HubSpot computes it.
    pub calculated: bool,
    /// `OWNER` where values are owners.
    pub refers_to: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When its definition was changed.
    pub updated: DateTime<Utc>,
    /// When it was archived.
    pub archived: Option<DateTime<Utc>>,
}

impl Property {
    /// Whether values are joined by `;`.
    pub fn is_multiple(&self) -> bool {
        self.kind == "enumeration" && self.field_type == "checkbox"
    }
}

/// A value that was in a property once.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The property.
    pub name: String,
    /// What it held from then on.
    pub value: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number.
    pub id: Id,
    /// Its type.
    pub object: TypeId,
    /// Values, those of the system too.
    pub values: Arc<Values>,
    /// When it was made, whatever `createdate` says.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
    /// When it was archived.
    pub archived: Option<DateTime<Utc>>,
    /// What search knows of it (§14).
    pub indexed: Option<Arc<Values>>,
    /// Values of properties that have changed, oldest first.
    pub history: Vec<Change>,
    /// Writes in the current second, for locks (§2).
    pub writes: (i64, u32),
    /// Times that a client gave: `createdate`, `closed_date`.
    pub given: BTreeSet<&'static str>,
}

impl Record {
    /// The text of a property, empty if none.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}

/// Who defined a type of link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// HubSpot.
    HubspotDefined,
    /// The portal.
    UserDefined,
}

impl Category {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HubspotDefined => "HUBSPOT_DEFINED",
            Self::UserDefined => "USER_DEFINED",
        }
    }

    /// Reads the JSON.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "HUBSPOT_DEFINED" => Some(Self::HubspotDefined),
            "USER_DEFINED" => Some(Self::UserDefined),
            _ => None,
        }
    }
}

/// What a type of link is known by: numbers are unique only within a category (§9).
pub type LinkKey = (Category, u32);

/// A type of link in one direction.
#[derive(Debug, Clone)]
pub struct LinkType {
    /// Category and number.
    pub key: LinkKey,
    /// From.
    pub from: TypeId,
    /// To.
    pub to: TypeId,
    /// The same link seen from the other side.
    pub inverse: LinkKey,
    /// Name.
    pub name: String,
    /// What people see; none for the plain link.
    pub label: Option<String>,
    /// Whether it is the plain link of its pair of types.
    pub plain: bool,
    /// Whether a record has at most one, as with the primary company.
    pub single: bool,
    /// Whether a client made it: by a schema or as a label.
    pub made: bool,
}

/// An owner (§15).
#[derive(Debug, Clone)]
pub struct Owner {
    /// Owner's id, the one for `hubspot_owner_id`.
    pub id: Id,
    /// User's id, another one.
    pub user_id: Id,
    /// Address.
    pub email: String,
    /// First and last name.
    pub name: (String, String),
    /// When they were archived.
    pub archived: Option<DateTime<Utc>>,
    /// Teams, the primary one first.
    pub teams: Vec<Id>,
    /// When they came.
    pub created: DateTime<Utc>,
}

/// A stage of a pipeline (§7).
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Id.
    pub id: String,
    /// Label.
    pub label: String,
    /// Place.
    pub order: i64,
    /// Whether it ends a ticket.
    pub closed: bool,
    /// Probability of a deal's stage.
    pub probability: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
}

/// A pipeline (§7).
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Id.
    pub id: String,
    /// Label.
    pub label: String,
    /// Place.
    pub order: i64,
    /// Stages.
    pub stages: Vec<Stage>,
    /// Whether automation and SLA are set up on it (§19).
    pub automated: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
}

/// A folder (§12).
#[derive(Debug, Clone)]
pub struct Folder {
    /// Id.
    pub id: Id,
    /// Folder it is in.
    pub parent: Option<Id>,
    /// Name.
    pub name: String,
    /// Path from the root, with a slash at the beginning.
    pub path: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was deleted.
    pub archived: Option<DateTime<Utc>>,
}

/// A file (§12).
#[derive(Debug, Clone)]
pub struct File {
    /// Id.
    pub id: Id,
    /// Folder it is in, none for the root.
    pub folder: Option<Id>,
    /// Name without extension.
    pub name: String,
    /// Extension without the dot.
    pub extension: String,
    /// Path from the root, with a slash at the beginning.
    pub path: String,
    /// PUBLIC_INDEXABLE, PUBLIC_NOT_INDEXABLE, PRIVATE.
    pub access: String,
    /// Media type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// MD5, hexadecimal.
    pub md5: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// The content, where it is kept.
    pub content: Option<Bytes>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
    /// When it was deleted; the bytes are kept (§12).
    pub archived: Option<DateTime<Utc>>,
}

/// A message of a thread (§13).
#[derive(Debug, Clone)]
pub struct ThreadMessage {
    /// Id.
    pub id: String,
    /// `MESSAGE` or `COMMENT`.
    pub kind: String,
    /// `INCOMING` or `OUTGOING`.
    pub direction: String,
    /// Text.
    pub text: String,
    /// HTML.
    pub rich_text: Option<String>,
    /// Who: `A-…`, `V-…`, `E-…`, `I-…`.
    pub actor: String,
    /// Files by id.
    pub files: Vec<String>,
    /// Its time; that of a custom channel's message is given.
    pub at: DateTime<Utc>,
    /// The key of a custom channel's message.
    pub idempotency: Option<String>,
}

/// A thread of the inbox (§13).
#[derive(Debug, Clone)]
pub struct Thread {
    /// Id.
    pub id: Id,
    /// Channel: 1000 chat, 1001 Messenger, 1002 e-mail, else a custom one.
    pub channel: u64,
    /// Account of the channel.
    pub channel_account: String,
    /// Contact.
    pub contact: Option<Id>,
    /// `OPEN` or `CLOSED`.
    pub status: String,
    /// What the channel calls the thread.
    pub integration_id: Option<String>,
    /// Messages in the order they came.
    pub messages: Vec<ThreadMessage>,
    /// When it began.
    pub created: DateTime<Utc>,
    /// When it was put into the trash.
    pub archived: Option<DateTime<Utc>>,
}
