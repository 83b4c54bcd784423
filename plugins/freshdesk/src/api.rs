//! Freshdesk's requests and answers as serde types, as far as this connector reads or writes them.
//!
//! Answers are read leniently (every member that may be missing or null has a default), because Freshdesk drops and adds members
//! by plan. Requests are written exactly: an attribute that is not known refuses them (Freshdesk facts §1). Bodies that are a
//! handful of members are built where they are sent. Not here: sending (see `client`), meaning (see `map`, `thread`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use transload_sdk::http::{excerpt, in_words};
use transload_sdk::json::or_default;

/// A contact: a person who writes in. Agents are in the same space of ids (Freshdesk facts §5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Contact {
    /// Id.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Primary address.
    pub email: Option<String>,
    /// Further addresses. Lists do not show them.
    #[serde(deserialize_with = "or_default")]
    pub other_emails: Vec<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// Mobile telephone.
    pub mobile: Option<String>,
    /// Ours, where we made or filled it.
    pub unique_external_id: Option<String>,
    /// Company.
    pub company_id: Option<u64>,
    /// Text about the person; ours holds the source card.
    pub description: Option<String>,
    /// Language code.
    pub language: Option<String>,
    /// Zone by Freshdesk's own name.
    pub time_zone: Option<String>,
    /// Tags.
    #[serde(deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// Values of contact fields, by name without `cf_`.
    #[serde(deserialize_with = "or_default")]
    pub custom_fields: Map<String, Value>,
    /// Set after a soft deletion.
    #[serde(deserialize_with = "or_default")]
    pub deleted: bool,
    /// Time of the last change.
    pub updated_at: Option<String>,
}

/// A company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Company {
    /// Id.
    pub id: u64,
    /// Unique name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Domains.
    #[serde(deserialize_with = "or_default")]
    pub domains: Vec<String>,
    /// Text about it; ours holds the source card.
    pub description: Option<String>,
    /// Note.
    pub note: Option<String>,
    /// Values of company fields, by name without `cf_`.
    #[serde(deserialize_with = "or_default")]
    pub custom_fields: Map<String, Value>,
    /// Time of the last change.
    pub updated_at: Option<String>,
}

/// An agent. `id` is the user id that tickets and notes name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Agent {
    /// Id.
    pub id: u64,
    /// Whether the seat is an occasional one.
    #[serde(deserialize_with = "or_default")]
    pub occasional: bool,
    /// Whether the agent may no longer sign in.
    #[serde(deserialize_with = "or_default")]
    pub deactivated: bool,
    /// Groups.
    #[serde(deserialize_with = "or_default")]
    pub group_ids: Vec<u64>,
    /// Roles.
    #[serde(deserialize_with = "or_default")]
    pub role_ids: Vec<u64>,
    /// `support_agent`, `field_agent` or `collaborator`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The person.
    #[serde(deserialize_with = "or_default")]
    pub contact: AgentContact,
}

/// What an agent is as a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct AgentContact {
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// Zone by Freshdesk's own name.
    pub time_zone: Option<String>,
}

/// A role of agents.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Role {
    /// Id.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// One of the vendor's own.
    #[serde(rename = "default", deserialize_with = "or_default")]
    pub is_default: bool,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Group {
    /// Id.
    pub id: u64,
    /// Unique name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Description; ours holds the marker.
    pub description: Option<String>,
    /// Its agents.
    #[serde(deserialize_with = "or_default")]
    pub agent_ids: Vec<u64>,
}

/// A product, which is what a brand is here.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Product {
    /// Id.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

/// A field of tickets, contacts or companies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FieldDefinition {
    /// Id.
    pub id: u64,
    /// Made by Freshdesk out of the label: `cf_tier` on tickets, `tier` elsewhere (Freshdesk facts §6, §9).
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// What people read.
    #[serde(deserialize_with = "or_default")]
    pub label: String,
    /// What customers read; ours holds the marker.
    #[serde(deserialize_with = "or_default")]
    pub label_for_customers: String,
    /// `custom_text` …
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// One of the account's own.
    #[serde(rename = "default", deserialize_with = "or_default")]
    pub is_default: bool,
    /// Agents cannot save a ticket without it.
    #[serde(deserialize_with = "or_default")]
    pub required_for_agents: bool,
    /// Agents cannot close a ticket without it.
    #[serde(deserialize_with = "or_default")]
    pub required_for_closure: bool,
    /// What can be chosen, in one of several forms: see [`FieldDefinition::texts`] and [`FieldDefinition::numbered`].
    #[serde(deserialize_with = "or_default")]
    pub choices: Value,
    /// More than 100 choices are still being stored (Freshdesk facts §9).
    #[serde(deserialize_with = "or_default")]
    pub field_update_in_progress: bool,
    /// When it was made.
    pub created_at: Option<String>,
}

/// Texts of choices: of a list of texts, of objects with a `value`, or of an object by text.
pub fn choice_texts(choices: &Value) -> Vec<String> {
    match choices {
        Value::Array(list) => {
            let text = |choice: &Value| {
                let value = choice.get("value").unwrap_or(choice);
                value.as_str().map(str::to_owned)
            };
            list.iter().filter_map(text).collect()
        }
        Value::Object(map) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

impl FieldDefinition {
    /// Texts of the choices.
    pub fn texts(&self) -> Vec<String> {
        choice_texts(&self.choices)
    }

    /// Numbers with their texts, as the choices of status, priority and source have them: `{"2":["Open","…"]}`, `{"Low":1}`,
    /// or a list of objects whose `id` is the number.
    pub fn numbered(&self) -> Vec<(u32, String)> {
        let number = |value: &Value| {
            let of_text = value.as_str().and_then(|text| text.parse().ok());
            of_text.or_else(|| value.as_u64().and_then(|n| u32::try_from(n).ok()))
        };
        let first = |value: &Value| match value {
            Value::Array(list) => list.first().and_then(Value::as_str).map(str::to_owned),
            other => other.as_str().map(str::to_owned),
        };
        let mut found: Vec<(u32, String)> = match &self.choices {
            Value::Object(map) => map
                .iter()
                .filter_map(|(name, value)| match name.parse() {
                    Ok(n) => Some((n, first(value)?)),
                    Err(_) => Some((number(value)?, name.clone())),
                })
                .collect(),
            Value::Array(list) => list
                .iter()
                .filter_map(|choice| {
                    let id = choice.get("id").and_then(number)?;
                    let text = choice.get("value").and_then(first);
                    Some((id, text.or_else(|| choice.get("label").and_then(first))?))
                })
                .collect(),
            _ => Vec::new(),
        };
        found.sort();
        found
    }
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Ticket {
    /// Number.
    pub id: u64,
    /// Subject.
    pub subject: Option<String>,
    /// The first message, HTML. Lists show it only with `include=description`.
    pub description: Option<String>,
    /// The same as text.
    pub description_text: Option<String>,
    /// 2 open … 5 closed.
    pub status: u32,
    /// 1 low … 4 urgent.
    pub priority: u32,
    /// Channel.
    pub source: u32,
    /// Customer.
    pub requester_id: u64,
    /// Agent in charge.
    pub responder_id: Option<u64>,
    /// Group in charge.
    pub group_id: Option<u64>,
    /// Company.
    pub company_id: Option<u64>,
    /// Product.
    pub product_id: Option<u64>,
    /// Tags.
    #[serde(deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// Values of ticket fields, by name with `cf_`.
    #[serde(deserialize_with = "or_default")]
    pub custom_fields: Map<String, Value>,
    /// Files of the first message.
    #[serde(deserialize_with = "or_default")]
    pub attachments: Vec<Attachment>,
    /// In the trash.
    #[serde(deserialize_with = "or_default")]
    pub deleted: bool,
    /// Time shown.
    pub created_at: Option<String>,
    /// Time shown.
    pub updated_at: Option<String>,
}

/// A note or reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Conversation {
    /// Id.
    pub id: u64,
    /// HTML.
    #[serde(deserialize_with = "or_default")]
    pub body: String,
    /// The same as text.
    #[serde(deserialize_with = "or_default")]
    pub body_text: String,
    /// Shown as coming from the customer.
    #[serde(deserialize_with = "or_default")]
    pub incoming: bool,
    /// For agents only.
    #[serde(deserialize_with = "or_default")]
    pub private: bool,
    /// Author.
    #[serde(deserialize_with = "or_default")]
    pub user_id: u64,
    /// 0 reply, 2 note …
    #[serde(deserialize_with = "or_default")]
    pub source: u32,
    /// Files.
    #[serde(deserialize_with = "or_default")]
    pub attachments: Vec<Attachment>,
    /// Time shown.
    pub created_at: Option<String>,
    /// Time shown.
    pub updated_at: Option<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Attachment {
    /// Id.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Media type.
    pub content_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Where it is, for a short time (Freshdesk facts §8).
    #[serde(deserialize_with = "or_default")]
    pub attachment_url: String,
    /// Where an image in a text is, where the account says it.
    pub inline_url: Option<String>,
}

/// A custom object's schema, which only an administrator can make, in the UI (Freshdesk facts §11).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Schema {
    /// Id.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Deleted.
    #[serde(deserialize_with = "or_default")]
    pub deleted: bool,
    /// Fields.
    #[serde(deserialize_with = "or_default")]
    pub fields: Vec<SchemaField>,
}

/// A field of a custom object.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct SchemaField {
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// What people read.
    #[serde(deserialize_with = "or_default")]
    pub label: String,
    /// `PRIMARY`, `TEXT`, `NUMBER` …
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// A record must have it.
    #[serde(deserialize_with = "or_default")]
    pub required: bool,
    /// Records can be found by it.
    #[serde(deserialize_with = "or_default")]
    pub filterable: bool,
    /// Deleted.
    #[serde(deserialize_with = "or_default")]
    pub deleted: bool,
    /// What can be chosen.
    #[serde(deserialize_with = "or_default")]
    pub choices: Value,
}

/// A record of a custom object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Record {
    /// `BKG-1`.
    pub display_id: String,
    /// Counts changes; a change names the one that was read.
    pub version: u64,
    /// Values; what is not set is null.
    #[serde(deserialize_with = "or_default")]
    pub data: Map<String, Value>,
    /// Time of the last change, ms.
    pub updated_time: Option<i64>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// Attribute.
    #[serde(deserialize_with = "or_default")]
    pub field: String,
    /// Words for a person.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
    /// `missing_field`, `invalid_value`, `duplicate_value` …
    #[serde(deserialize_with = "or_default")]
    pub code: String,
    /// Of a duplicate, who has the value: `{"user_id":…}`.
    #[serde(deserialize_with = "or_default")]
    pub additional_info: Map<String, Value>,
}

/// What an answer said that is no 2xx (Freshdesk facts §4).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `access_denied`, `require_feature` …; empty where the fields say it.
    pub code: String,
    /// Words for a person.
    pub message: String,
    /// What is wrong, by attribute.
    pub errors: Vec<FieldError>,
}

impl Refusal {
    /// Reads an answer that is not 2xx. Never fails: what is not understood becomes the message. Bodies may be empty (404, 429).
    pub fn of(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Envelope {
            code: Option<String>,
            message: Option<String>,
            description: Option<String>,
            errors: Option<Vec<FieldError>>,
        }
        let Ok(said) = serde_json::from_slice::<Envelope>(body) else {
            return Self {
                status,
                message: excerpt(body),
                ..Self::default()
            };
        };
        Self {
            status,
            code: said.code.unwrap_or_default(),
            message: said.message.or(said.description).unwrap_or_default(),
            errors: said.errors.unwrap_or_default(),
        }
    }

    /// All of it in one line.
    pub fn words(&self) -> String {
        let errors: Vec<String> = self
            .errors
            .iter()
            .map(|error| format!("{}: {} ({})", error.field, error.message, error.code))
            .collect();
        let errors = errors.join("; ");
        in_words(
            self.status,
            [&self.code, &self.message, &errors].map(String::as_str),
        )
    }

    /// The error about an attribute, if it is of that class.
    pub fn about(&self, field: &str, code: &str) -> Option<&FieldError> {
        let same = |error: &&FieldError| error.field == field && error.code == code;
        self.errors.iter().find(same)
    }

    /// Whether an attribute's value belongs to somebody else.
    pub fn duplicate_of(&self, field: &str) -> bool {
        self.about(field, "duplicate_value").is_some()
    }

    /// Who has a value that must be unique, where the answer says it.
    pub fn owner_of(&self, field: &str) -> Option<u64> {
        let info = &self.about(field, "duplicate_value")?.additional_info;
        info.values().find_map(Value::as_u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn choices(choices: Value) -> FieldDefinition {
        FieldDefinition {
            choices,
            ..FieldDefinition::default()
        }
    }

    #[test]
    fn choices_are_read_in_every_form() {
        for form in [
            json!(["Gold", "Silver"]),
            json!([{"id": 1, "value": "Gold", "position": 1}, {"id": 2, "value": "Silver"}]),
        ] {
            assert_eq!(choices(form).texts(), ["Gold", "Silver"]);
        }
        let open = vec![(2, "Open".to_owned()), (3, "Pending".to_owned())];
        for form in [
            json!({"2": ["Open", "Being processed"], "3": ["Pending", "Awaiting"]}),
            json!({"Open": 2, "Pending": 3}),
            json!([{"id": 3, "value": "Pending"}, {"id": 2, "value": "Open"}]),
        ] {
            assert_eq!(choices(form).numbered(), open);
        }
        assert_eq!(choices(Value::Null).texts(), Vec::<String>::new());
    }

    #[test]
    fn a_refusal_is_read_from_each_envelope() {
        let body = json!({"description": "Validation failed", "errors": [{
            "field": "email", "additional_info": {"user_id": 2_043_024_118_551_u64},
            "message": "It should be a unique value", "code": "duplicate_value",
        }]});
        let refusal = Refusal::of(409, body.to_string().as_bytes());
        assert_eq!(refusal.owner_of("email"), Some(2_043_024_118_551));
        assert!(!refusal.duplicate_of("phone"));
        let body = br#"{"code":"require_feature","message":"not in your plan"}"#;
        let refusal = Refusal::of(403, body);
        assert_eq!(refusal.words(), "require_feature: not in your plan");
        assert_eq!(Refusal::of(404, b"").words(), "status 404");
        assert_eq!(Refusal::of(502, b"<html>").message, "<html>");
    }

    #[test]
    fn what_is_null_counts_as_missing() {
        let contact: Contact = serde_json::from_value(json!({
            "id": 7, "name": null, "other_emails": null, "custom_fields": null, "tags": null, "deleted": null,
        }))
        .unwrap();
        assert_eq!(
            contact,
            Contact {
                id: 7,
                ..Contact::default()
            }
        );
    }
}
