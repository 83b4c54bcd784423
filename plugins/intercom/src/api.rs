//! Intercom's answers as serde types, as far as this connector reads them.
//!
//! They are read leniently: what is missing or null has a default, ids come as numbers or texts (Intercom facts §1). Requests are
//! written where they are sent. Not here: sending (see `client`), meaning (see `map`, `thread`).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use transload_sdk::http::excerpt;
use transload_sdk::json::or_default;

/// An id as text; empty for null and for 0, which is nobody (Intercom facts §1).
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(match value {
        Value::String(text) if text != "0" => text,
        Value::Number(number) if number.as_u64() != Some(0) => number.to_string(),
        _ => String::new(),
    })
}

/// What a thing hangs on a contact as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Hanging {
    /// The first ten.
    #[serde(deserialize_with = "or_default")]
    pub data: Vec<Named>,
    /// Whether there are more.
    #[serde(deserialize_with = "or_default")]
    pub has_more: bool,
}

/// Something with an id, and mostly a name: a tag, a team, who wrote or takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Named {
    /// Id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// `admin`, `user`, `lead`, `bot` …
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
}

/// Who owns the token, and the workspace.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Me {
    /// Id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Address.
    pub email: Option<String>,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The workspace.
    #[serde(deserialize_with = "or_default")]
    pub app: App,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct App {
    /// Id.
    #[serde(deserialize_with = "or_default")]
    pub id_code: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// `US`, `EU` or `AU`.
    #[serde(deserialize_with = "or_default")]
    pub region: String,
    /// IANA name.
    pub timezone: Option<String>,
}

/// An admin.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Admin {
    /// Id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// Whether it is a paid seat.
    pub has_inbox_seat: Option<bool>,
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Contact {
    /// 24 hexadecimal digits.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Ours, where we made it.
    pub external_id: Option<String>,
    /// `user` or `lead`.
    #[serde(deserialize_with = "or_default")]
    pub role: String,
    /// The one address.
    pub email: Option<String>,
    /// The one number.
    pub phone: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Picture.
    pub avatar: Value,
    /// When they signed up; can be set.
    pub signed_up_at: Option<i64>,
    /// When they were seen last; can be set.
    pub last_seen_at: Option<i64>,
    /// Values by name of data attribute.
    #[serde(deserialize_with = "or_default")]
    pub custom_attributes: Map<String, Value>,
    /// Tags.
    #[serde(deserialize_with = "or_default")]
    pub tags: Hanging,
    /// Companies.
    #[serde(deserialize_with = "or_default")]
    pub companies: Hanging,
}

/// A note on a contact.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Note {
    /// Id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// HTML.
    #[serde(deserialize_with = "or_default")]
    pub body: String,
}

/// A company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Company {
    /// 24 hexadecimal digits.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Ours, where we made it.
    #[serde(deserialize_with = "or_default")]
    pub company_id: String,
    /// Name.
    pub name: Option<String>,
    /// When it was made in the source.
    pub remote_created_at: Option<i64>,
    /// Employees.
    pub size: Option<u64>,
    /// Web page.
    pub website: Option<String>,
    /// Values by name of data attribute.
    #[serde(deserialize_with = "or_default")]
    pub custom_attributes: Map<String, Value>,
}

/// A data attribute of contacts or companies, or an attribute of conversations.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Attribute {
    /// Number; none of those that every workspace has.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// What people read, and what values are written by.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// `contact` or `company`; nothing of conversations.
    #[serde(deserialize_with = "or_default")]
    pub model: String,
    /// Intercom's word.
    #[serde(deserialize_with = "or_default")]
    pub data_type: String,
    /// Ours has the marker.
    pub description: Option<String>,
    /// Choices: texts, or objects with `label`.
    #[serde(deserialize_with = "or_default")]
    pub options: Vec<Value>,
    /// Not used any more.
    #[serde(deserialize_with = "or_default")]
    pub archived: bool,
    /// False of those that every workspace has.
    pub custom: Option<bool>,
}

impl Attribute {
    /// What choices are called, with their ids where they have such.
    pub fn choices(&self) -> Vec<(Option<String>, String)> {
        let one = |option: &Value| {
            if let Some(text) = option.as_str() {
                return Some((None, text.to_owned()));
            }
            let word = |name: &str| option.get(name).and_then(Value::as_str).map(str::to_owned);
            let is_archived = option.get("archived").and_then(Value::as_bool) == Some(true);
            let label = word("label").or_else(|| word("value"))?;
            (!is_archived).then(|| (word("id"), label))
        };
        self.options.iter().filter_map(one).collect()
    }
}

/// A file of a part.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct File {
    /// Where it is for a while.
    #[serde(deserialize_with = "or_default")]
    pub url: String,
    /// What people read.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Media type.
    #[serde(deserialize_with = "or_default")]
    pub content_type: String,
    /// Bytes.
    pub filesize: Option<u64>,
}

/// What a conversation began with.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Source {
    /// Id of the message.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// HTML.
    #[serde(deserialize_with = "or_default")]
    pub body: String,
    /// Who wrote it.
    #[serde(deserialize_with = "or_default")]
    pub author: Named,
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Part {
    /// Id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// `comment`, `note`, `open`, `close` …
    #[serde(deserialize_with = "or_default")]
    pub part_type: String,
    /// HTML.
    pub body: Option<String>,
    /// When, seconds.
    #[serde(deserialize_with = "or_default")]
    pub created_at: i64,
    /// Who.
    #[serde(deserialize_with = "or_default")]
    pub author: Named,
    /// Files.
    #[serde(deserialize_with = "or_default")]
    pub attachments: Vec<File>,
    /// Blanked.
    #[serde(deserialize_with = "or_default")]
    pub redacted: bool,
}

/// The parts that are shown, the 500 newest (Intercom facts §8.2).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Parts {
    /// In some order.
    #[serde(deserialize_with = "or_default")]
    pub conversation_parts: Vec<Part>,
}

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Contacts {
    /// All of them.
    #[serde(deserialize_with = "or_default")]
    pub contacts: Vec<Named>,
}

/// Tags of a conversation.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Tags {
    /// All of them.
    #[serde(deserialize_with = "or_default")]
    pub tags: Vec<Named>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Conversation {
    /// Number.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Beginning, seconds.
    #[serde(deserialize_with = "or_default")]
    pub created_at: i64,
    /// Last change, seconds; the workspace's own time.
    #[serde(deserialize_with = "or_default")]
    pub updated_at: i64,
    /// Title.
    pub title: Option<String>,
    /// `open`, `closed` or `snoozed`.
    #[serde(deserialize_with = "or_default")]
    pub state: String,
    /// When it comes back, seconds.
    pub snoozed_until: Option<i64>,
    /// Admin in charge; empty for nobody.
    #[serde(deserialize_with = "id")]
    pub admin_assignee_id: String,
    /// Team in charge; empty for nobody.
    #[serde(deserialize_with = "id")]
    pub team_assignee_id: String,
    /// What it began with.
    #[serde(deserialize_with = "or_default")]
    pub source: Source,
    /// Who takes part.
    #[serde(deserialize_with = "or_default")]
    pub contacts: Contacts,
    /// Tags.
    #[serde(deserialize_with = "or_default")]
    pub tags: Tags,
    /// Values by name of attribute.
    #[serde(deserialize_with = "or_default")]
    pub custom_attributes: Map<String, Value>,
    /// What followed; nothing in lists.
    #[serde(deserialize_with = "or_default")]
    pub conversation_parts: Parts,
}

impl Conversation {
    /// What followed.
    pub fn parts(&self) -> &[Part] {
        &self.conversation_parts.conversation_parts
    }

    /// The text of an attribute.
    pub fn text_of(&self, attribute: &str) -> Option<&str> {
        self.custom_attributes
            .get(attribute)
            .and_then(Value::as_str)
    }
}

/// What answers the creation of a conversation: a message (Intercom facts §8.1).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Opened {
    /// Of the message.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Of the conversation.
    #[serde(deserialize_with = "id")]
    pub conversation_id: String,
}

/// A record of a custom object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Instance {
    /// Number.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Ours.
    pub external_id: Option<String>,
    /// When it was made in the source, seconds.
    pub external_created_at: Option<i64>,
    /// When it was changed in the source, seconds.
    pub external_updated_at: Option<i64>,
    /// Values by name.
    #[serde(deserialize_with = "or_default")]
    pub custom_attributes: Map<String, Value>,
}

/// What an answer that is no 2xx said (Intercom facts §3).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Code of the first error.
    pub code: String,
    /// Words of all of them.
    pub message: String,
    /// The field that the first is about.
    pub field: Option<String>,
}

impl Refusal {
    /// Reads an answer. Never fails: what is not understood becomes the message.
    pub fn of(status: u16, body: &[u8]) -> Self {
        let read = serde_json::from_slice::<Value>(body).ok();
        let errors = read
            .as_ref()
            .and_then(|body| body.get("errors")?.as_array());
        let Some(first) = errors.and_then(|errors| errors.first()) else {
            return Self {
                status,
                message: excerpt(body),
                ..Self::default()
            };
        };
        let word = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let said = |error: &Value| {
            let said = word(error, "message").or_else(|| word(error, "code"));
            said.unwrap_or_default()
        };
        let all: Vec<String> = errors.into_iter().flatten().map(said).collect();
        Self {
            status,
            code: word(first, "code").unwrap_or_default(),
            message: all.join("; "),
            field: word(first, "field"),
        }
    }

    /// All that was said.
    pub fn words(&self) -> String {
        match self.message.as_str() {
            "" => self.code.clone(),
            words => words.to_owned(),
        }
    }

    /// The contact that a 409 names, and whether it is an archived one (Intercom facts §6).
    pub fn taken_by(&self) -> Option<(String, bool)> {
        if self.status != 409 {
            return None;
        }
        let (before, after) = self.message.split_once("id=")?;
        let id: String = after
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let archived = before.to_lowercase().contains("archived");
        (!id.is_empty()).then_some((id, archived))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_conflict_names_the_contact_that_is_there() {
        let of = |message: &str| {
            let body =
                json!({"type": "error.list", "errors": [{"code": "conflict", "message": message}]});
            Refusal::of(409, body.to_string().as_bytes()).taken_by()
        };
        let live = of("A contact matching those details already exists with id=67aB01");
        assert_eq!(live, Some(("67aB01".to_owned(), false)));
        let archived = of("An archived contact matching those details already exists with id=5f0");
        assert_eq!(archived, Some(("5f0".to_owned(), true)));
        assert_eq!(of("conflict"), None);
        assert_eq!(Refusal::of(502, b"<html>").words(), "<html>");
    }

    #[test]
    fn nobody_is_zero_null_or_missing_and_ids_are_numbers_or_texts() {
        let read = |value: Value| serde_json::from_value::<Conversation>(value).unwrap();
        let one =
            read(json!({"id": 7, "admin_assignee_id": 0, "team_assignee_id": null, "tags": null}));
        assert_eq!(one.id, "7");
        assert_eq!(
            (
                one.admin_assignee_id.as_str(),
                one.team_assignee_id.as_str()
            ),
            ("", "")
        );
        assert_eq!(
            read(json!({"admin_assignee_id": "12"})).admin_assignee_id,
            "12"
        );
    }
}
