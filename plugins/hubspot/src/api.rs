//! Requests and answers of HubSpot's REST API as serde types. Unknown members are passed over; most members may be missing
//! (HubSpot facts §3.4).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// One thing that is wrong (HubSpot facts §3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// Status of the answer.
    pub status: u16,
    /// `VALIDATION_ERROR`, `CONFLICT` …
    pub category: String,
    /// Closer, `PipelineError.STAGE_ID_IN_USE`.
    pub sub_category: String,
    /// HubSpot's own words.
    pub message: String,
    /// What is wrong with which property: `INVALID_OPTION`, `tier`.
    pub details: Vec<(String, String)>,
    /// The inputs of a batch that it is about, by their trace ids.
    pub traces: Vec<String>,
    /// Which of the account's limits is used up: `DAILY`, `TEN_SECONDLY_ROLLING`.
    pub policy: String,
}

/// The beginning of a message that lists what is wrong with values, as JSON.
const INVALID: &str = "Property values were not valid: ";

impl Fault {
    /// Reads the body of an answer that is no success; what is no envelope keeps the status only.
    pub fn of_body(status: u16, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        Self::of(status, &value)
    }

    /// Reads one envelope, of an answer or of one input of a batch.
    pub fn of(status: u16, error: &Value) -> Self {
        let text = |name: &str| {
            let found = error.get(name).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
        let message = text("message");
        let of = |one: &Value, code: &str, name: Option<&str>| {
            let code = one.get(code)?.as_str()?;
            Some((code.to_owned(), name.unwrap_or_default().to_owned()))
        };
        let mut details: Vec<(String, String)> = list(error.get("errors"))
            .unwrap_or_default()
            .iter()
            .filter_map(|one| {
                let about = one
                    .pointer("/context/propertyName/0")
                    .and_then(Value::as_str);
                of(one, "code", about)
            })
            .collect();
        let inside = message.strip_prefix(INVALID);
        let inside: Option<Value> = inside.and_then(|json| serde_json::from_str(json).ok());
        if details.is_empty() {
            let wrong = list(inside.as_ref()).unwrap_or_default();
            let each = |one: &Value| of(one, "error", one.get("name").and_then(Value::as_str));
            details.extend(wrong.iter().filter_map(each));
        }
        let traces = list(error.pointer("/context/objectWriteTraceId")).unwrap_or_default();
        let traces = traces.iter().filter_map(Value::as_str).map(str::to_owned);
        Self {
            status,
            category: text("category"),
            sub_category: text("subCategory"),
            traces: traces.collect(),
            policy: text("policyName"),
            message,
            details,
        }
    }

    /// Whether a value of a property is refused for this reason.
    pub fn has(&self, code: &str) -> bool {
        self.details.iter().any(|(found, _)| found == code)
    }

    /// The properties that are refused.
    pub fn properties(&self) -> impl Iterator<Item = &str> {
        let named = self.details.iter().map(|(_, name)| name.as_str());
        named.filter(|name| !name.is_empty())
    }

    /// Whether something of that name is there already: property, group, pipeline, object, label.
    pub fn exists(&self) -> bool {
        self.status == 409
            || self.category == "OBJECT_ALREADY_EXISTS"
            || self.sub_category.contains("AlreadyExists")
            || self.message.contains("already exists")
    }

    /// Whether the account has no object type of the name that was asked for.
    pub fn is_no_type(&self) -> bool {
        self.message.contains("Unable to infer object type")
    }

    /// The record that has a unique value already: `Contact already exists. Existing ID: 12345`, or `… on 17. 12345 already has
    /// that value.`, where the first number is the half-made record and the second its holder (HubSpot facts §0.8, §3.4).
    pub fn holder(&self) -> Option<String> {
        let before = |end: &str| self.message.split_once(end).map(|(before, _)| before);
        let words = match self.message.split_once("Existing ID:") {
            Some((_, after)) => after.split_whitespace().next(),
            None => before(" already has that value")
                .and_then(|text| text.split_whitespace().next_back()),
        };
        let id = words?.trim_matches(|c: char| !c.is_ascii_digit());
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// Code and words, for a person.
    pub fn said(&self) -> String {
        match (self.category.is_empty(), self.message.is_empty()) {
            (true, true) => format!("answered {}", self.status),
            (false, true) => self.category.clone(),
            (true, false) => self.message.clone(),
            (false, false) => format!("{}: {}", self.category, self.message),
        }
    }
}

/// An id that comes as a text or as a number (HubSpot facts §9).
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    })
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Record {
    /// Decimal digits, unique within its object type.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Values: texts or null.
    pub properties: Map<String, Value>,
    /// When it was made.
    pub created_at: Option<String>,
    /// Whether it is in the recycle bin.
    pub archived: bool,
    /// What was given with its input.
    pub object_write_trace_id: Option<String>,
}

impl Record {
    /// A value, empty where there is none.
    pub fn text(&self, property: &str) -> &str {
        let value = self.properties.get(property);
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

/// The answer to a batch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct Batch<T> {
    /// Those that went well.
    #[serde(default = "Vec::new")]
    pub results: Vec<T>,
    /// Those that did not.
    #[serde(default)]
    pub errors: Vec<Value>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct Page<T> {
    /// Its rows.
    #[serde(default = "Vec::new")]
    pub results: Vec<T>,
    /// Of a search: how many there are in all.
    #[serde(default)]
    pub total: u64,
    /// Where the next is.
    #[serde(default)]
    pub paging: Option<Paging>,
}

impl<T> Page<T> {
    /// The cursor of the next page.
    pub fn after(&self) -> Option<String> {
        let next = self.paging.as_ref()?.next.as_ref()?;
        Some(next.after.clone()).filter(|after| !after.is_empty())
    }
}

/// Where the next page is.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Paging {
    /// None at the end.
    pub next: Option<Next>,
}

/// A cursor.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    /// Opaque.
    #[serde(deserialize_with = "id")]
    pub after: String,
}

/// Who said what a link means, and its number: unique only together (HubSpot facts §9).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkType {
    /// `HUBSPOT_DEFINED` or `USER_DEFINED`.
    #[serde(alias = "associationCategory")]
    pub category: String,
    /// Its number, another one in each direction.
    #[serde(rename = "typeId", alias = "associationTypeId")]
    pub id: u32,
}

impl LinkType {
    /// One of HubSpot's own.
    pub fn hubspot(id: u32) -> Self {
        Self {
            category: "HUBSPOT_DEFINED".to_owned(),
            id,
        }
    }

    /// As requests have it.
    pub fn sent(&self) -> Value {
        json!({"associationCategory": self.category, "associationTypeId": self.id})
    }
}

/// A type of link as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Which.
    #[serde(flatten)]
    pub kind: LinkType,
    /// What people read; none for the plain link.
    #[serde(default)]
    pub label: Option<String>,
}

/// A link of a record.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Link {
    /// The other record.
    #[serde(deserialize_with = "id")]
    pub to_object_id: String,
    /// What it means.
    pub association_types: Vec<Label>,
}

/// The links of one record, of a batch.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Links {
    /// The record.
    pub from: Target,
    /// The others.
    pub to: Vec<Link>,
    /// Where more are.
    pub paging: Option<Paging>,
}

/// A record by its id.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
}

/// A property (HubSpot facts §10.1).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Property {
    /// Its name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// `string`, `number`, `enumeration` …
    #[serde(rename = "type")]
    pub kind: String,
    /// `text`, `checkbox` …
    pub field_type: String,
    /// Its group.
    pub group_name: String,
    /// Words for a person.
    pub description: Option<String>,
    /// What can be chosen.
    pub options: Vec<Choice>,
    /// Whether no two records may have one value.
    pub has_unique_value: bool,
    /// Whether the account itself made it.
    pub hubspot_defined: bool,
    /// Computed.
    pub calculated: bool,
    /// Whether its options are not a fixed list.
    pub external_options: bool,
    /// Not shown.
    pub hidden: bool,
    /// In the recycle bin.
    pub archived: bool,
    /// What may be changed.
    pub modification_metadata: Modification,
}

/// What of a property may be changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Modification {
    /// Values cannot be written.
    pub read_only_value: bool,
    /// Options cannot be changed.
    pub read_only_options: bool,
}

/// An option of a property.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Choice {
    /// Its stored value.
    pub value: String,
    /// What people read.
    pub label: String,
    /// Its place.
    pub display_order: i64,
    /// Not offered.
    pub hidden: bool,
}

/// A pipeline (HubSpot facts §7).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pipeline {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// What people read.
    pub label: String,
    /// Its stages.
    pub stages: Vec<PipelineStage>,
    /// In the recycle bin.
    pub archived: bool,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PipelineStage {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// What people read.
    pub label: String,
    /// `ticketState`: OPEN or CLOSED.
    pub metadata: Map<String, Value>,
    /// In the recycle bin.
    pub archived: bool,
}

impl PipelineStage {
    /// Whether a ticket in it is closed.
    pub fn is_closed(&self) -> bool {
        let is = |name: &str, value: &str| {
            let found = self.metadata.get(name).and_then(Value::as_str);
            found.is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        is("ticketState", "CLOSED") || is("isClosed", "true")
    }
}

/// An owner (HubSpot facts §15).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Owner {
    /// The id for `hubspot_owner_id`.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Address.
    pub email: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Whether he has left.
    pub archived: bool,
}

impl Owner {
    /// What a person calls him.
    pub fn name(&self) -> String {
        let parts = [&self.first_name, &self.last_name].into_iter().flatten();
        let name = parts
            .map(|part| part.trim())
            .filter(|part| !part.is_empty());
        let name = name.collect::<Vec<_>>().join(" ");
        match name.as_str() {
            "" => self.email.clone().unwrap_or_else(|| self.id.clone()),
            _ => name,
        }
    }
}

/// A team (HubSpot facts §4).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Team {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A custom object's schema (HubSpot facts §11).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Schema {
    /// `2-3465404`.
    pub object_type_id: String,
    /// Its name.
    pub name: String,
    /// `p1234_order`.
    pub fully_qualified_name: String,
    /// Words for a person.
    pub description: Option<String>,
    /// Singular and plural.
    pub labels: Labels,
    /// Its properties.
    pub properties: Vec<Property>,
    /// What its records can be linked to.
    pub associations: Vec<SchemaLink>,
    /// In the recycle bin.
    pub archived: bool,
}

/// What an object is called.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// One.
    pub singular: Option<String>,
    /// Several.
    pub plural: Option<String>,
}

/// A pair of objects whose records can be linked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SchemaLink {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// From.
    pub from_object_type_id: String,
    /// To.
    pub to_object_type_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_is_the_holder_and_the_first_the_half_made_record() {
        let fault = |message: &str| Fault::of(400, &json!({"message": message}));
        let taken = fault(
            "Cannot set PropertyValueCoordinates{portalId=1, objectTypeId=ObjectTypeId{legacyObjectType=CONTACT}, \
             propertyName=email, value=ana@example.com} on 17. 23 already has that value.",
        );
        assert_eq!(taken.holder().as_deref(), Some("23"));
        let exists = fault("Contact already exists. Existing ID: 12345");
        assert_eq!(exists.holder().as_deref(), Some("12345"));
        assert_eq!(fault("resource not found").holder(), None);
    }

    #[test]
    fn what_is_wrong_with_values_is_read_from_the_message_too() {
        let message = format!(
            "{INVALID}{}",
            json!([{"isValid": false, "error": "INVALID_OPTION", "name": "tier", "message": "x"}])
        );
        let fault = Fault::of(
            207,
            &json!({"message": message, "context": {"objectWriteTraceId": ["r1"]}}),
        );
        assert!(fault.has("INVALID_OPTION"));
        assert_eq!(fault.properties().collect::<Vec<_>>(), ["tier"]);
        assert_eq!(fault.traces, ["r1"]);
        assert_eq!(Fault::of_body(502, b"<html>").said(), "answered 502");
    }

    #[test]
    fn ids_are_read_as_texts_and_as_numbers() {
        let link: Link = serde_json::from_value(json!({
            "toObjectId": 9, "associationTypes": [{"category": "USER_DEFINED", "typeId": 36, "label": "Order of"}],
        }))
        .unwrap();
        assert_eq!(link.to_object_id, "9");
        assert_eq!(link.association_types[0].kind.id, 36);
        let target: Target = serde_json::from_value(json!({"id": "7"})).unwrap();
        assert_eq!(target.id, "7");
    }
}
