//! Zendesk's requests and answers as serde types, as far as this connector reads or writes them.
//!
//! Answers are read leniently (every member that may be missing has a default), because Zendesk drops and adds members
//! by plan; requests are written exactly. Bodies that are a handful of members are built where they are sent. Not here:
//! sending (see `client`), meaning (see `map`, `thread`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use transload_sdk::http::excerpt;

/// One comment of a ticket import (Zendesk facts §12). `public` is always written: left out, it would inherit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportComment {
    /// A living user.
    pub author_id: u64,
    /// Whether the customer may see it.
    pub public: bool,
    /// Whole seconds, UTC.
    pub created_at: String,
    /// Plain text; exactly one of this and `html_body` is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html_body: Option<String>,
    /// Upload tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<String>,
}

/// `{"id":…,"value":…}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomField {
    /// Id of the ticket field.
    pub id: u64,
    /// What is in it.
    #[serde(default)]
    pub value: Value,
}

/// `via.channel` of an import; whether it is kept is not stated, so a tag says it too (Zendesk facts §5, §18).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Via {
    /// Zendesk's word.
    pub channel: String,
}

/// One ticket of the import API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportTicket {
    /// Our marker.
    pub external_id: String,
    /// Subject.
    pub subject: String,
    /// Customer.
    pub requester_id: u64,
    /// Author of the first comment.
    pub submitter_id: u64,
    /// Agent in charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<u64>,
    /// Group in charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u64>,
    /// Brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_id: Option<u64>,
    /// `new` … `closed`.
    pub status: String,
    /// Custom status, where the status slot named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_status_id: Option<u64>,
    /// `low` … `urgent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// Normalised tags.
    pub tags: Vec<String>,
    /// Creation, whole seconds.
    pub created_at: String,
    /// Last change.
    pub updated_at: String,
    /// Solution, for finished tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solved_at: Option<String>,
    /// Values of ticket fields.
    pub custom_fields: Vec<CustomField>,
    /// All of them, in order.
    pub comments: Vec<ImportComment>,
}

/// A ticket as answers show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Ticket {
    /// Number.
    pub id: u64,
    /// Ours, where we made it.
    pub external_id: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Status.
    pub status: String,
    /// Priority.
    pub priority: Option<String>,
    /// Customer.
    pub requester_id: Option<u64>,
    /// Agent in charge.
    pub assignee_id: Option<u64>,
    /// Group in charge.
    pub group_id: Option<u64>,
    /// Brand.
    pub brand_id: Option<u64>,
    /// Organization.
    pub organization_id: Option<u64>,
    /// Tags, those of fields and people included.
    pub tags: Vec<String>,
    /// Values of fields.
    pub custom_fields: Vec<CustomField>,
    /// Time shown.
    pub created_at: Option<String>,
    /// Time shown.
    pub updated_at: Option<String>,
    /// How it came, with `source.rel`, which says `merge` for the loser of a merge.
    pub via: Value,
}

/// A comment as answers show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Comment {
    /// Id.
    pub id: u64,
    /// Author.
    pub author_id: u64,
    /// Whether the customer may see it.
    pub public: bool,
    /// Text.
    pub body: String,
    /// HTML, sanitised and wrapped.
    pub html_body: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Time shown.
    pub created_at: Option<String>,
}

/// A file as answers show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Attachment {
    /// Id.
    pub id: u64,
    /// Name.
    pub file_name: String,
    /// Media type.
    pub content_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Where HTML refers to it.
    pub content_url: String,
    /// Shown inside the comment.
    pub inline: bool,
}

/// Answer of `POST /uploads`.
#[derive(Debug, Clone, Deserialize)]
pub struct Upload {
    /// Usable once, for an hour (Zendesk facts §8).
    pub token: String,
    /// The file.
    pub attachment: Attachment,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct User {
    /// Id; null for the anonymous user that a refused credential may get (Zendesk facts §1).
    pub id: Option<u64>,
    /// Name.
    pub name: String,
    /// Primary address.
    pub email: Option<String>,
    /// Number.
    pub phone: Option<String>,
    /// `end-user`, `agent` or `admin`.
    pub role: String,
    /// Ours, where we made or filled it.
    pub external_id: Option<String>,
    /// False after a soft deletion.
    pub active: Option<bool>,
    /// Suspended.
    pub suspended: bool,
    /// Default organization.
    pub organization_id: Option<u64>,
    /// Default group.
    pub default_group_id: Option<u64>,
    /// Notes.
    pub notes: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Zone, by its IANA name.
    pub iana_time_zone: Option<String>,
    /// Values of user fields.
    pub user_fields: Map<String, Value>,
    /// Time of the last change.
    pub updated_at: Option<String>,
}

/// A user's address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Identity {
    /// Id.
    pub id: u64,
    /// `email`, `phone_number` …
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub value: String,
    /// Primary of its type.
    pub primary: bool,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Organization {
    /// Id.
    pub id: u64,
    /// Unique name.
    pub name: String,
    /// Ours, where we made or filled it.
    pub external_id: Option<String>,
    /// Domains.
    pub domain_names: Vec<String>,
    /// Notes.
    pub notes: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Values of organization fields.
    pub organization_fields: Map<String, Value>,
    /// Time of the last change.
    pub updated_at: Option<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Group {
    /// Id.
    pub id: u64,
    /// Name, not unique.
    pub name: String,
    /// Description; ours holds the marker.
    pub description: Option<String>,
    /// The account's default group.
    #[serde(rename = "default")]
    pub is_default: bool,
    /// Soft-deleted.
    pub deleted: bool,
}

/// A user's membership of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct GroupMembership {
    /// Id.
    pub id: u64,
    /// Who.
    pub user_id: u64,
    /// In which.
    pub group_id: u64,
}

/// A brand.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Brand {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// The account's default brand.
    #[serde(rename = "default")]
    pub is_default: bool,
    /// In use.
    pub active: bool,
}

/// A custom status.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct CustomStatus {
    /// Id.
    pub id: u64,
    /// `open` …
    pub status_category: String,
    /// What agents read.
    pub agent_label: String,
    /// The plain status of its category.
    #[serde(rename = "default")]
    pub is_default: bool,
    /// In use.
    pub active: bool,
}

/// An option of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FieldOption {
    /// Id.
    #[serde(skip_serializing)]
    pub id: Option<u64>,
    /// What people read.
    pub name: String,
    /// What is stored; on tickets also a tag.
    pub value: String,
}

/// A field of tickets, users, organizations or custom objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FieldDefinition {
    /// Id.
    pub id: u64,
    /// Key; ticket fields have none.
    pub key: Option<String>,
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title.
    pub title: String,
    /// Description; ours holds the marker.
    pub description: Option<String>,
    /// What agents read; ours holds the marker, for ticket fields.
    pub agent_description: Option<String>,
    /// In use.
    pub active: Option<bool>,
    /// Required to solve.
    pub required: bool,
    /// False for the account's own fields.
    pub removable: Option<bool>,
    /// Target of a lookup.
    pub relationship_target_type: Option<String>,
    /// Options.
    pub custom_field_options: Vec<FieldOption>,
}

/// A custom object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct CustomObject {
    /// Key.
    pub key: String,
    /// Title.
    pub title: String,
    /// Description; ours holds the marker.
    pub description: Option<String>,
}

/// A record of a custom object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Record {
    /// 26 characters.
    pub id: String,
    /// Its object.
    pub custom_object_key: String,
    /// Name.
    pub name: String,
    /// Ours, where we made it. Compared with regard to case.
    pub external_id: Option<String>,
    /// Values.
    pub custom_object_fields: Map<String, Value>,
    /// Time of the last change.
    pub updated_at: Option<String>,
}

/// A background job (Zendesk facts §12).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct JobStatus {
    /// Id.
    pub id: String,
    /// What kind of job.
    pub job_type: Option<String>,
    /// `queued`, `working`, `completed`, `failed` or `killed`.
    pub status: String,
    /// Words on its end.
    pub message: Option<String>,
    /// Its rows, once it has ended.
    pub results: Option<Vec<JobRow>>,
}

impl JobStatus {
    /// Whether it may still change anything.
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "queued" | "working")
    }
}

/// A row of a job: made (`index`, `id`), changed (`id`, `status`) or refused (`error`, `details`).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct JobRow {
    /// Place in the request, where the row says it.
    pub index: Option<usize>,
    /// Numeric id, or a record's string.
    pub id: Value,
    /// Class of the refusal.
    pub error: Option<String>,
    /// Words of the refusal.
    pub details: Option<Value>,
    /// Some rows say so.
    pub success: Option<bool>,
    /// `Created`, `Updated`, `Deleted` …
    pub status: Option<String>,
}

impl JobRow {
    /// Why the row was refused, `None` when it was not.
    pub fn refusal(&self) -> Option<String> {
        if self.error.is_none() && self.success != Some(false) {
            return None;
        }
        let details = self.details.as_ref().map(|d| match d {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let error = self.error.clone().unwrap_or_else(|| "refused".to_owned());
        Some(details.map_or(error.clone(), |details| format!("{error}: {details}")))
    }
}

/// What a 4xx said, out of any of the four envelopes (Zendesk facts §4).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `RecordInvalid`, `DuplicateValue` … or a title.
    pub code: String,
    /// Words for a person.
    pub message: String,
    /// Per field of Zendesk's: words, and the class of the problem.
    pub details: Vec<(String, String, Option<String>)>,
}

impl Refusal {
    /// Reads an answer that is not 2xx. Never fails: what is not understood becomes the message.
    pub fn of(status: u16, body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self {
                status,
                message: excerpt(body),
                ..Self::default()
            };
        };
        let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
        if let Some(first) = body.get("errors").and_then(|e| e.get(0)) {
            let message = [word(first.get("title")), word(first.get("detail"))].join(" ");
            let message = message.trim().to_owned();
            return Self {
                status,
                code: word(first.get("code")),
                message,
                details: Vec::new(),
            };
        }
        if let Some(error) = body.get("error").filter(|error| error.is_object()) {
            let message = word(error.get("message"));
            return Self {
                status,
                code: word(error.get("title")),
                message,
                details: Vec::new(),
            };
        }
        let mut details = Vec::new();
        for (field, list) in body
            .get("details")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            for entry in list.as_array().into_iter().flatten() {
                let class = entry
                    .get("error")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                details.push((field.clone(), word(entry.get("description")), class));
            }
        }
        let described = word(body.get("description"));
        let message = if details.is_empty() {
            described
        } else {
            details
                .iter()
                .map(|(_, text, _)| text.as_str())
                .collect::<Vec<_>>()
                .join("; ")
        };
        Self {
            status,
            code: word(body.get("error")),
            message,
            details,
        }
    }

    /// Whether a value of one of these fields is taken already.
    pub fn duplicate_of(&self, field: &str) -> Option<&str> {
        let taken = |text: &str, class: &Option<String>| {
            class.as_deref() == Some("DuplicateValue")
                || text.contains("already been taken")
                || text.contains("already being used")
        };
        let found = self
            .details
            .iter()
            .find(|(name, text, class)| name == field && taken(text, class));
        found.map(|(_, text, _)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_error_envelopes_are_understood() {
        let read = |status, text: &str| Refusal::of(status, text.as_bytes());
        let plain = read(
            404,
            r#"{"error":"RecordNotFound","description":"Not found"}"#,
        );
        assert_eq!(
            (plain.code.as_str(), plain.message.as_str()),
            ("RecordNotFound", "Not found")
        );
        let titled = read(
            403,
            r#"{"error":{"title":"Forbidden","message":"No access"}}"#,
        );
        assert_eq!(
            (titled.code.as_str(), titled.message.as_str()),
            ("Forbidden", "No access")
        );
        let listed = read(
            400,
            r#"{"errors":[{"code":"InvalidPaginationDepth","title":"Too deep"}]}"#,
        );
        assert_eq!(listed.code, "InvalidPaginationDepth");
        let invalid = read(
            422,
            r#"{"error":"RecordInvalid","description":"Record validation errors","details":{"email":[
               {"description":"Email: ana@example.com is already being used by another user","error":"DuplicateValue"}]}}"#,
        );
        assert!(invalid.duplicate_of("email").is_some());
        assert!(invalid.duplicate_of("name").is_none());
        assert_eq!(read(502, "<html>").message, "<html>");
    }

    #[test]
    fn a_failed_row_is_told_in_both_forms_that_are_known() {
        let indexed: JobRow =
            serde_json::from_str(r#"{"index":1,"error":"TicketCreationFailed","details":"no"}"#)
                .unwrap();
        assert_eq!(
            indexed.refusal().as_deref(),
            Some("TicketCreationFailed: no")
        );
        let openapi: JobRow =
            serde_json::from_str(r#"{"id":0,"action":"import","success":false,"details":"no"}"#)
                .unwrap();
        assert_eq!(openapi.refusal().as_deref(), Some("refused: no"));
        let made: JobRow = serde_json::from_str(r#"{"index":0,"id":35436}"#).unwrap();
        assert_eq!(made.refusal(), None);
    }
}
