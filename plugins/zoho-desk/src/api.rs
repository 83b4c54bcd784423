//! Zoho Desk's requests and answers as serde types, as far as this connector reads or writes them.
//!
//! Answers are read leniently: every member may be missing or null, ids may be numbers, times may be milliseconds (Zoho Desk facts
//! §1). Requests are written exactly: a member that is not known refuses them (Zoho Desk facts §5). Bodies that are a handful of
//! members are built where they are sent. Not here: sending (see `client`), meaning (see `map`, `thread`).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use transload_sdk::http::{excerpt, in_words};
pub use transload_sdk::json::or_default;

/// A value as text: an id that is a number, a length that is one; null is empty.
pub fn words_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// As [`words_of`].
pub fn as_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(words_of(&Value::deserialize(from)?))
}

/// The same; `None` for what is empty.
pub fn as_optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Some(as_text(from)?).filter(|text| !text.is_empty()))
}

fn as_texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let list = Option::<Vec<Value>>::deserialize(from)?.unwrap_or_default();
    Ok(list.iter().map(words_of).collect())
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Contact {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name, which every contact has.
    pub last_name: Option<String>,
    /// Primary address.
    pub email: Option<String>,
    /// The other one.
    pub secondary_email: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// Mobile telephone.
    pub mobile: Option<String>,
    /// Account in charge.
    #[serde(deserialize_with = "as_optional")]
    pub account_id: Option<String>,
    /// Text about the person; ours holds the source card.
    pub description: Option<String>,
    /// Street.
    pub street: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Region.
    pub state: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Values of custom fields, by API name.
    #[serde(deserialize_with = "or_default")]
    pub cf: Map<String, Value>,
    /// In the recycle bin.
    #[serde(deserialize_with = "or_default")]
    pub is_trashed: bool,
    /// Deleted.
    #[serde(deserialize_with = "or_default")]
    pub is_deleted: bool,
    /// When it was made; an import sets it.
    #[serde(deserialize_with = "as_optional")]
    pub created_time: Option<String>,
    /// When it was changed last.
    #[serde(deserialize_with = "as_optional")]
    pub modified_time: Option<String>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Agent {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Whole name, where the answer has it.
    pub name: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Address.
    pub email_id: Option<String>,
    /// `ACTIVE` or `DISABLED`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// False until the invitation is accepted.
    pub is_confirmed: Option<bool>,
    /// `Admin`, `Light` …
    pub role_permission_type: Option<String>,
    /// Departments whose tickets the agent may have (Zoho Desk facts §7.3).
    #[serde(deserialize_with = "as_texts")]
    pub associated_department_ids: Vec<String>,
}

impl Agent {
    /// Name, out of whatever there is.
    pub fn called(&self) -> String {
        let whole = self.name.clone().filter(|name| !name.trim().is_empty());
        whole.unwrap_or_else(|| {
            let parts = [&self.first_name, &self.last_name];
            let parts: Vec<&str> = parts
                .into_iter()
                .flatten()
                .map(|part| part.trim())
                .collect();
            parts.join(" ").trim().to_owned()
        })
    }

    /// Whether the agent can work.
    pub fn is_active(&self) -> bool {
        !self.status.eq_ignore_ascii_case("disabled")
    }
}

/// A team, which belongs to one department.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Team {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Description; ours holds the marker.
    pub description: Option<String>,
    /// Department.
    #[serde(deserialize_with = "as_text")]
    pub department_id: String,
    /// Its agents, as they were named.
    #[serde(deserialize_with = "as_texts")]
    pub agents: Vec<String>,
    /// Its agents, with those that come by roles.
    #[serde(deserialize_with = "as_texts")]
    pub derived_agents: Vec<String>,
}

/// A department.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Department {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Description; ours holds the marker.
    pub description: Option<String>,
    /// Whether it is the one that every organisation has.
    #[serde(deserialize_with = "or_default")]
    pub is_default: bool,
    /// Whether it is in use.
    pub is_enabled: Option<bool>,
    /// Whether its tickets can be a team's.
    #[serde(deserialize_with = "or_default")]
    pub is_assign_to_team_enabled: bool,
}

/// A field of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Field {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// `cf_tier`; made by Zoho Desk out of the label, in one of several ways (Zoho Desk facts §8).
    #[serde(deserialize_with = "or_default")]
    pub api_name: String,
    /// What people read.
    #[serde(deserialize_with = "or_default")]
    pub display_label: String,
    /// `Text`, `Picklist` …
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Characters that it holds.
    #[serde(deserialize_with = "as_text")]
    pub max_length: String,
    /// Whether a record must have it.
    #[serde(deserialize_with = "or_default")]
    pub is_mandatory: bool,
    /// One of the account's own.
    pub is_custom_field: Option<bool>,
    /// What can be chosen, where the answer has it: layouts do, lists of fields do not (Zoho Desk facts §7.8).
    #[serde(deserialize_with = "or_default")]
    pub allowed_values: Vec<Value>,
    /// Where a look-up looks.
    #[serde(deserialize_with = "or_default")]
    pub lookup: Value,
    /// When it was made.
    #[serde(deserialize_with = "as_optional")]
    pub created_time: Option<String>,
    /// Text beside it; ours holds the marker, where Zoho Desk keeps it.
    pub tool_tip: Option<String>,
}

impl Field {
    /// Whether somebody made it.
    pub fn is_custom(&self) -> bool {
        self.is_custom_field
            .unwrap_or_else(|| self.api_name.starts_with("cf_"))
    }

    /// Characters that it holds, where it says so.
    pub fn chars(&self) -> Option<usize> {
        self.max_length.parse().ok()
    }

    /// What can be chosen, by what people read: a list of texts, or of objects with a `value`.
    pub fn choices(&self) -> Vec<String> {
        let text = |choice: &Value| {
            let value = ["value", "displayValue", "name"];
            let value = value.iter().find_map(|name| choice.get(*name));
            value.unwrap_or(choice).as_str().map(str::to_owned)
        };
        self.allowed_values.iter().filter_map(text).collect()
    }
}

/// A module: what tickets, contacts and records of the account's own are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Module {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// `tickets`, `cm_orders`.
    #[serde(deserialize_with = "or_default")]
    pub api_name: String,
    /// What one is called.
    pub singular_label: Option<String>,
    /// What several are called.
    pub plural_label: Option<String>,
    /// What it is called, in some answers.
    pub display_label: Option<String>,
    /// Description; ours holds the marker.
    pub description: Option<String>,
    /// One of the account's own.
    #[serde(deserialize_with = "or_default")]
    pub is_custom_module: bool,
    /// Whether its records belong to departments.
    #[serde(deserialize_with = "or_default")]
    pub is_dept_specific: bool,
}

/// A job of the imports API (Zoho Desk facts §10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Import {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// `queued` or `completed`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Whether some of it failed; nobody knows while it is queued.
    pub has_error: Option<bool>,
}

/// What one of several of a mass action came to (Zoho Desk facts §5).
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct MassResult {
    /// True, false or null.
    pub success: Option<bool>,
    /// Which one.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Why not.
    pub errors: Option<Value>,
}

impl MassResult {
    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        self.success == Some(true) || (self.success.is_none() && self.errors.is_none())
    }

    /// Why not, in words.
    pub fn words(&self) -> String {
        let said = |name: &str| {
            let value = self.errors.as_ref().and_then(|errors| errors.get(name));
            value.map(words_of).unwrap_or_default()
        };
        let parts = [said("errorCode"), said("errorMessage")];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(": ")
    }
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FieldError {
    /// A JSON pointer: `/contactId`, `/cf/cf_tier`.
    #[serde(deserialize_with = "or_default")]
    pub field_name: String,
    /// `invalid`, `duplicate` or `missing`.
    #[serde(deserialize_with = "or_default")]
    pub error_type: String,
    /// Words for a person; may be missing.
    #[serde(deserialize_with = "or_default")]
    pub error_message: String,
}

/// What an answer said that is no 2xx (Zoho Desk facts §5).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `INVALID_DATA`, `URL_NOT_FOUND` …
    pub code: String,
    /// Words for a person.
    pub message: String,
    /// What is wrong, by attribute.
    pub errors: Vec<FieldError>,
    /// Names of the attributes that are wrong, without the slash before them.
    pub fields: Vec<String>,
}

impl Refusal {
    /// Reads an answer that is not 2xx. Never fails: what is not understood becomes the message.
    pub fn of(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(default, rename_all = "camelCase")]
        struct Envelope {
            error_code: Option<String>,
            message: Option<String>,
            errors: Option<Vec<FieldError>>,
        }
        let Ok(said) = serde_json::from_slice::<Envelope>(body) else {
            return Self {
                status,
                message: excerpt(body),
                ..Self::default()
            };
        };
        let errors = said.errors.unwrap_or_default();
        let bare = |error: &FieldError| error.field_name.trim_start_matches('/').to_owned();
        Self {
            status,
            code: said.error_code.unwrap_or_default(),
            message: said.message.unwrap_or_default(),
            fields: errors.iter().map(bare).collect(),
            errors,
        }
    }

    /// All of it in one line.
    pub fn words(&self) -> String {
        let words = |error: &FieldError| {
            let parts = [&error.field_name, &error.error_type, &error.error_message];
            let parts: Vec<&str> = parts
                .into_iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            parts.join(" ")
        };
        let errors: Vec<String> = self.errors.iter().map(words).collect();
        let errors = errors.join("; ");
        in_words(
            self.status,
            [&self.code, &self.message, &errors].map(String::as_str),
        )
    }

    /// Whether an attribute's value belongs to somebody else.
    pub fn duplicate_of(&self, field: &str) -> bool {
        let same = |error: &FieldError| {
            error.field_name.trim_start_matches('/') == field && error.error_type == "duplicate"
        };
        self.errors.iter().any(same)
    }

    /// Whether what is needed is not in the edition, or no right of the token's user.
    pub fn is_licence(&self) -> bool {
        self.status == 403 && self.code == "LICENSE_ACCESS_LIMITED"
    }
}

/// Rows of a list, under whichever name it has them (Zoho Desk facts §1).
pub fn rows(mut answer: Value) -> Vec<Value> {
    if let Value::Array(rows) = answer {
        return rows;
    }
    for name in ["data", "teams", "members", "agents", "fields", "results"] {
        if let Some(Value::Array(rows)) = answer.get_mut(name).map(Value::take) {
            return rows;
        }
    }
    Vec::new()
}

/// A layout's fields out of its sections, with what can be chosen.
pub fn layout_fields(layout: &Value) -> BTreeMap<String, Field> {
    let sections = layout.get("sections").and_then(Value::as_array);
    let fields = sections
        .into_iter()
        .flatten()
        .filter_map(|section| section.get("fields").and_then(Value::as_array))
        .flatten();
    let named = fields.filter_map(|field| {
        let read: Field = serde_json::from_value(field.clone()).ok()?;
        (!read.api_name.is_empty()).then(|| (read.api_name.clone(), read))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_texts_whether_they_come_as_texts_or_as_numbers() {
        for id in [json!("1892000000042032"), json!(1_892_000_000_042_032_u64)] {
            let contact: Contact =
                serde_json::from_value(json!({"id": id, "cf": null, "isTrashed": null})).unwrap();
            assert_eq!(contact.id, "1892000000042032");
        }
    }

    #[test]
    fn a_refusal_is_read_with_the_attributes_it_names() {
        let body = json!({"errorCode": "INVALID_DATA", "message": "wrong", "errors": [
            {"fieldName": "/email", "errorType": "duplicate"}, {"fieldName": "/cf/cf_tier", "errorType": "invalid", "errorMessage": ""},
        ]});
        let refusal = Refusal::of(422, body.to_string().as_bytes());
        assert!(refusal.duplicate_of("email") && !refusal.duplicate_of("phone"));
        assert_eq!(refusal.fields, ["email", "cf/cf_tier"]);
        assert_eq!(
            refusal.words(),
            "INVALID_DATA: wrong: /email duplicate; /cf/cf_tier invalid"
        );
        assert_eq!(Refusal::of(502, b"<html>").message, "<html>");
        assert_eq!(Refusal::of(404, b"{}").words(), "status 404");
    }

    #[test]
    fn a_mass_result_without_a_verdict_failed_only_where_it_says_why() {
        let of = |value: Value| serde_json::from_value::<MassResult>(value).unwrap();
        assert!(of(json!({"success": true, "id": 7, "errors": null})).is_done());
        let failed = json!({"success": null, "id": "7", "errors": {"errorCode": "UNPROCESSABLE_ENTITY", "errorMessage": "gone"}});
        let failed = of(failed);
        assert!(!failed.is_done());
        assert_eq!(failed.words(), "UNPROCESSABLE_ENTITY: gone");
    }

    #[test]
    fn rows_are_found_under_every_name() {
        for answer in [json!({"data": [1]}), json!({"teams": [1]}), json!([1])] {
            assert_eq!(rows(answer), [json!(1)]);
        }
        assert!(rows(json!({})).is_empty());
    }
}
