//! Gorgias's requests and answers as serde types, as far as this connector reads or writes them.
//!
//! Answers are read leniently (what is missing or null has a default), because shapes of answers are documented by example only
//! (Gorgias facts, head); requests are written exactly, since an unknown key is refused (Gorgias facts §1). Not here: sending
//! (see `client`), meaning (see `map`, `thread`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use transload_sdk::http::excerpt;
use transload_sdk::json::or_default;

/// `{"id":…}`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ref {
    /// Of whatever it points to.
    pub id: u64,
}

/// `{"name":…}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Of a tag, with regard to case.
    pub name: String,
}

/// `{"id":…,"value":…}`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldValue {
    /// Of the custom field.
    pub id: u64,
    /// Text, number or truth value, as the field's type is.
    pub value: Value,
}

/// A name and an address of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Address {
    /// E-mail address, number or handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What a person calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// From whom to whom a message went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Source {
    /// The medium.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    /// To whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Address>,
    /// Copies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Address>,
    /// Blind copies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<Address>,
}

/// A file of a message that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentDraft {
    /// Where it was uploaded to.
    pub url: String,
    /// What people read.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
}

/// A message that is to be made (Gorgias facts §6). `sent_datetime` is always there: without it Gorgias mails the customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageDraft {
    /// Ours.
    pub external_id: String,
    /// Medium.
    pub channel: String,
    /// Always `api`.
    pub via: &'static str,
    /// Whether the company wrote it; notes always are.
    pub from_agent: bool,
    /// Whether the customer may see it.
    pub public: bool,
    /// A customer or a user.
    pub sender: Ref,
    /// The customer, of what a user wrote; never there otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Ref>,
    /// Addresses.
    pub source: Source,
    /// Subject of an e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_html: Option<String>,
    /// RFC 5322 Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When it was written.
    pub created_datetime: String,
    /// The same: that it was sent.
    pub sent_datetime: String,
    /// Files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentDraft>,
}

/// A ticket that is to be made, with up to 500 messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketDraft {
    /// Our marker.
    pub external_id: String,
    /// Medium.
    pub channel: String,
    /// Always `api`.
    pub via: &'static str,
    /// Who wrote first.
    pub from_agent: bool,
    /// `open` or `closed`.
    pub status: String,
    /// `critical`, `high`, `normal` or `low`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// ISO 639-1; guessed and then fixed where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Spam.
    pub spam: bool,
    /// Whose it is.
    pub customer: Ref,
    /// User in charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_user: Option<Ref>,
    /// Team in charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_team: Option<Ref>,
    /// Tags.
    pub tags: Vec<Named>,
    /// Values of ticket fields.
    pub custom_fields: Vec<FieldValue>,
    /// Run, marker, place in the source.
    pub meta: Value,
    /// Can be said at creation only.
    pub created_datetime: String,
    /// When it came.
    pub opened_datetime: String,
    /// Last change.
    pub updated_datetime: String,
    /// Last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message_datetime: Option<String>,
    /// Last message of a customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_received_message_datetime: Option<String>,
    /// End, of a closed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_datetime: Option<String>,
    /// When a snoozed one comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snooze_datetime: Option<String>,
    /// All of them, in order.
    pub messages: Vec<MessageDraft>,
}

/// Somebody in an answer.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Who {
    /// Of a customer or a user.
    pub id: u64,
}

/// A ticket as answers show it.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Ticket {
    /// Number.
    pub id: u64,
    /// Ours, where we made it.
    pub external_id: Option<String>,
    /// Status.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Priority.
    #[serde(deserialize_with = "or_default")]
    pub priority: String,
    /// Medium.
    #[serde(deserialize_with = "or_default")]
    pub channel: String,
    /// Subject.
    pub subject: Option<String>,
    /// Language.
    pub language: Option<String>,
    /// Spam.
    #[serde(deserialize_with = "or_default")]
    pub spam: bool,
    /// Whose it is.
    pub customer: Option<Who>,
    /// User in charge.
    pub assignee_user: Option<Who>,
    /// Team in charge.
    pub assignee_team: Option<Who>,
    /// Ours has the run.
    pub meta: Value,
    /// Tags.
    #[serde(deserialize_with = "or_default")]
    pub tags: Vec<Tag>,
    /// Values by field, where they were asked for.
    pub custom_fields: Value,
    /// All of them, where one ticket was asked for.
    pub messages: Option<Vec<Message>>,
    /// How many there are.
    pub messages_count: Option<usize>,
    /// Creation.
    pub created_datetime: Option<String>,
    /// Last change.
    pub updated_datetime: Option<String>,
    /// End.
    pub closed_datetime: Option<String>,
    /// When it comes back.
    pub snooze_datetime: Option<String>,
    /// When it was thrown away.
    pub trashed_datetime: Option<String>,
    /// The customer's judgement.
    pub satisfaction_survey: Option<Survey>,
}

/// A message as answers show it.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Message {
    /// Number.
    pub id: u64,
    /// Its ticket.
    #[serde(deserialize_with = "or_default")]
    pub ticket_id: u64,
    /// Ours, where we made it.
    pub external_id: Option<String>,
    /// Whether the customer may see it.
    #[serde(deserialize_with = "or_default")]
    pub public: bool,
    /// Medium.
    #[serde(deserialize_with = "or_default")]
    pub channel: String,
    /// Whether the company wrote it.
    #[serde(deserialize_with = "or_default")]
    pub from_agent: bool,
    /// Who wrote it.
    pub sender: Option<Who>,
    /// Subject.
    pub subject: Option<String>,
    /// Addresses.
    pub source: Value,
    /// Plain text.
    pub body_text: Option<String>,
    /// HTML.
    pub body_html: Option<String>,
    /// RFC 5322 Message-ID.
    pub message_id: Option<String>,
    /// When it was written.
    pub created_datetime: Option<String>,
    /// When it was sent.
    pub sent_datetime: Option<String>,
    /// Files.
    #[serde(deserialize_with = "or_default")]
    pub attachments: Vec<Attachment>,
}

/// A file, uploaded or of a message. `size` comes as number or as text (Gorgias facts §9).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Attachment {
    /// Where it is.
    #[serde(deserialize_with = "or_default")]
    pub url: String,
    /// What people read.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Media type.
    #[serde(deserialize_with = "or_default")]
    pub content_type: String,
    /// Bytes.
    pub size: Value,
}

impl Attachment {
    /// Bytes, in either form.
    pub fn bytes(&self) -> Option<u64> {
        let text = self.size.as_str().and_then(|text| text.parse().ok());
        self.size.as_u64().or(text)
    }
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Tag {
    /// Number.
    pub id: u64,
    /// With regard to case.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Ours has the marker.
    pub description: Option<String>,
    /// How many tickets have it.
    #[serde(deserialize_with = "or_default")]
    pub usage: u64,
}

/// A way to reach a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Channel {
    /// `email`, `phone` …
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// The address.
    #[serde(deserialize_with = "or_default")]
    pub address: String,
    /// The first of its kind to be used.
    #[serde(deserialize_with = "or_default")]
    pub preferred: bool,
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Customer {
    /// Number.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Main address.
    pub email: Option<String>,
    /// Ours, where we made or filled it.
    pub external_id: Option<String>,
    /// What agents read.
    pub note: Option<String>,
    /// ISO 639-1.
    pub language: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// Every address.
    #[serde(deserialize_with = "or_default")]
    pub channels: Vec<Channel>,
    /// Any JSON; ours has the run.
    pub meta: Value,
    /// Any JSON that widgets show.
    pub data: Value,
    /// Creation, which nobody can set.
    pub created_datetime: Option<String>,
}

/// A user's role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(default)]
pub struct Role {
    /// `admin`, `agent` …
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct User {
    /// Number.
    pub id: u64,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// Role.
    #[serde(deserialize_with = "or_default")]
    pub role: Role,
    /// Whether they can sign in.
    pub active: Option<bool>,
    /// Ours, where we made it.
    pub external_id: Option<String>,
    /// Ours has the run.
    pub meta: Value,
    /// IANA name.
    pub timezone: Option<String>,
    /// Creation.
    pub created_datetime: Option<String>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Team {
    /// Number.
    pub id: u64,
    /// Name, not unique.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Ours has the marker.
    pub description: Option<String>,
    /// Users.
    #[serde(deserialize_with = "or_default")]
    pub members: Vec<Who>,
    /// Creation.
    pub created_datetime: Option<String>,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Field {
    /// Number.
    pub id: u64,
    /// `Ticket` or `Customer`.
    #[serde(deserialize_with = "or_default")]
    pub object_type: String,
    /// What people read.
    #[serde(deserialize_with = "or_default")]
    pub label: String,
    /// Ours has the marker.
    pub description: Option<String>,
    /// Whether tickets need it to be closed.
    #[serde(deserialize_with = "or_default")]
    pub required: bool,
    /// Ours, where we made it.
    pub external_id: Option<String>,
    /// Type and choices.
    pub definition: Value,
    /// When it was archived.
    pub deactivated_datetime: Option<String>,
}

impl Field {
    /// `text`, `number` or `boolean`.
    pub fn data_type(&self) -> &str {
        let found = self.definition.get("data_type").and_then(Value::as_str);
        found.unwrap_or_default()
    }

    /// What a dropdown of texts offers; `None` where anything goes.
    pub fn choices(&self) -> Option<Vec<&str>> {
        let list = self.definition.pointer("/input_settings/choices")?;
        let texts = list.as_array()?.iter().filter_map(Value::as_str);
        Some(texts.collect()).filter(|_| self.data_type() == "text")
    }
}

/// A customer's judgement of a ticket.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Survey {
    /// Number.
    pub id: u64,
    /// 1 to 5.
    pub score: Option<u8>,
    /// What was said.
    pub body_text: Option<String>,
    /// Ours has the run.
    pub meta: Value,
}

/// Values of custom fields by the field's id, out of `{"123":{"id","value"}}` or `[{"field":{"id"},"value"}]` (Gorgias facts §7).
pub fn values(custom_fields: &Value) -> BTreeMap<u64, Value> {
    let of = |row: &Value| {
        let id = row.get("id").or_else(|| row.pointer("/field/id"))?;
        Some((id.as_u64()?, row.get("value").cloned()?))
    };
    match custom_fields {
        Value::Array(rows) => rows.iter().filter_map(of).collect(),
        Value::Object(rows) => rows.values().filter_map(of).collect(),
        _ => BTreeMap::new(),
    }
}

/// What an answer that is no 2xx said (Gorgias facts §3).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Words for a person.
    pub message: String,
    /// What is wrong with which field.
    pub data: Vec<(String, String)>,
}

impl Refusal {
    /// Reads an answer. Never fails: what is not understood becomes the message.
    pub fn of(status: u16, body: &[u8]) -> Self {
        let read = serde_json::from_slice::<Value>(body).ok();
        let error = read.as_ref().and_then(|body| body.get("error"));
        let Some(error) = error else {
            return Self {
                status,
                message: excerpt(body),
                data: Vec::new(),
            };
        };
        let mut data = Vec::new();
        if let Some(found) = error.get("data") {
            collect("", found, &mut data);
        }
        let message = error.get("msg").and_then(Value::as_str);
        Self {
            status,
            message: message.unwrap_or_default().to_owned(),
            data,
        }
    }

    /// Whether something is wrong with the field, or with a part of it.
    pub fn is_about(&self, field: &str) -> bool {
        let is_of = |path: &str| {
            let rest = path.strip_prefix(field);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.data.iter().any(|(path, _)| is_of(path))
    }

    /// All that was said.
    pub fn words(&self) -> String {
        let details = self
            .data
            .iter()
            .map(|(path, text)| format!("{path}: {text}"));
        let all: Vec<String> = Some(self.message.clone())
            .filter(|message| !message.is_empty())
            .into_iter()
            .chain(details)
            .collect();
        all.join("; ")
    }
}

/// Field → messages, or the same again for what is nested.
fn collect(path: &str, data: &Value, found: &mut Vec<(String, String)>) {
    match data {
        Value::Object(members) => {
            for (name, member) in members {
                let below = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(&below, member, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|one| collect(path, one, found)),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Null => {}
        other => found.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_says_which_field_of_which_message_is_wrong() {
        let body = json!({"error": {"msg": "Failed to create ticket", "data": {
            "sender": ["Missing data for required field."], "messages": {"3": {"channel": ["Not a valid choice."]}}}}});
        let refusal = Refusal::of(400, body.to_string().as_bytes());
        assert!(
            refusal.is_about("sender")
                && refusal.is_about("messages.3")
                && !refusal.is_about("send")
        );
        assert_eq!(
            refusal.words(),
            "Failed to create ticket; sender: Missing data for required field.; messages.3.channel: Not a valid choice."
        );
        assert_eq!(Refusal::of(502, b"<html>").words(), "<html>");
    }

    #[test]
    fn values_are_read_in_both_forms() {
        let by_id = json!({"7": {"id": 7, "value": "a"}});
        let listed = json!([{"field": {"id": 7, "label": "x"}, "value": "a"}]);
        assert_eq!(values(&by_id), values(&listed));
        assert_eq!(values(&by_id).get(&7), Some(&json!("a")));
        assert!(values(&Value::Null).is_empty());
    }

    #[test]
    fn what_is_null_in_an_answer_is_as_good_as_missing() {
        let ticket: Ticket =
            serde_json::from_value(json!({"id": 1, "status": null, "tags": null})).unwrap();
        assert_eq!(
            (ticket.id, ticket.status.as_str(), ticket.tags.len()),
            (1, "", 0)
        );
    }
}
