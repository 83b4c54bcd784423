//! Requests and answers of Salesforce's REST API as serde types. Unknown members are passed over: every release adds some.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A record as it is read or sent: fields by name, and `attributes`.
pub type Record = Map<String, Value>;

/// One thing that is wrong, whichever of the three shapes it came in (Salesforce facts §3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// `DUPLICATE_VALUE` …
    pub code: String,
    /// Salesforce's own words.
    pub message: String,
    /// The fields it is about.
    pub fields: Vec<String>,
    /// Records that a duplicate rule found.
    pub duplicates: Vec<String>,
    /// Status of the answer; 200 for a row of many.
    pub status: u16,
}

impl Fault {
    /// Reads the body of an answer that is no success: an array with `errorCode`, an object with `errors` or a single object.
    /// What is none of these keeps the status only.
    pub fn of_body(status: u16, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let first = match &value {
            Value::Array(list) => list.first(),
            Value::Object(object) => object
                .get("errors")
                .and_then(Value::as_array)
                .and_then(|list| list.first())
                .or(Some(&value)),
            _ => None,
        };
        let fault = first.map(|error| Self::of(status, error));
        fault.unwrap_or(Self {
            status,
            ..Self::default()
        })
    }

    /// One entry of a list of errors, with `errorCode` or `statusCode`.
    pub fn of(status: u16, error: &Value) -> Self {
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| error.get(*name)?.as_str());
            found.unwrap_or_default().to_owned()
        };
        let fields = error.get("fields").and_then(Value::as_array);
        Self {
            code: text(&["errorCode", "statusCode", "error"]),
            message: text(&["message", "error_description"]),
            fields: fields
                .into_iter()
                .flatten()
                .filter_map(|field| field.as_str().map(str::to_owned))
                .collect(),
            duplicates: duplicates(error),
            status,
        }
    }

    /// A row of a bulk job's failures: `CODE:message:fields --`.
    pub fn of_bulk(text: &str) -> Self {
        let (code, rest) = text.split_once(':').unwrap_or((text, ""));
        let (message, fields) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let fields = fields.trim_end_matches("--").split(',').map(str::trim);
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            fields: fields
                .filter(|field| !field.is_empty())
                .map(str::to_owned)
                .collect(),
            duplicates: Vec::new(),
            status: 200,
        }
    }

    /// Whether it is this.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// The record that has the value already: `duplicate value found: X duplicates value on record with id: 5003…`, in 15 or
    /// 18 characters (Salesforce facts §12).
    pub fn holder(&self) -> Option<String> {
        if !self.is("DUPLICATE_VALUE") {
            return None;
        }
        let (_, rest) = self.message.rsplit_once("record with id: ")?;
        let id: String = rest
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        Some(id18(&id)).filter(|id| id.len() == 18)
    }

    /// Whether the same would pass when it is sent alone and later: a lock, or the limits of code that runs for the rows of a
    /// request together (Salesforce facts §15). What such code refuses for a reason of its own it would refuse again.
    pub fn passes_alone(&self) -> bool {
        let by_code = matches!(
            self.code.as_str(),
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER"
        );
        let limits = ["LimitException", "CPU time limit", "Too many "];
        self.code == "UNABLE_TO_LOCK_ROW"
            || by_code && limits.iter().any(|limit| self.message.contains(limit))
    }

    /// Code and words, for a person.
    pub fn said(&self) -> String {
        match (self.code.is_empty(), self.message.is_empty()) {
            (true, true) => format!("answered {}", self.status),
            (false, true) => self.code.clone(),
            (true, false) => self.message.clone(),
            (false, false) => format!("{}: {}", self.code, self.message),
        }
    }
}

/// Ids that a duplicate rule found. The key's misspelling is Salesforce's (Salesforce facts §3).
fn duplicates(error: &Value) -> Vec<String> {
    let found = ["duplicateResut", "duplicateResult"]
        .into_iter()
        .find_map(|name| error.get(name));
    let list = |value: &Value, name: &str| {
        let list = value.get(name).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let results = found.map(|found| list(found, "matchResults"));
    let records = results
        .unwrap_or_default()
        .iter()
        .flat_map(|result| list(result, "matchRecords"))
        .collect::<Vec<_>>();
    let id = |record: &Value| Some(id18(record.pointer("/record/Id")?.as_str()?));
    records.iter().filter_map(id).collect()
}

/// An id of 18 characters out of one of 15: three more say which of the 15 are capitals (Salesforce facts §9.7).
pub fn id18(id: &str) -> String {
    if id.len() != 15 || !id.is_ascii() {
        return id.to_owned();
    }
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut whole = id.to_owned();
    for part in id.as_bytes().chunks(5) {
        let capitals = part.iter().enumerate().fold(0usize, |bits, (at, byte)| {
            bits | usize::from(byte.is_ascii_uppercase()) << at
        });
        whole.extend(DIGITS.get(capitals).map(|digit| char::from(*digit)));
    }
    whole
}

/// What became of one row of a collection.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct RowResult {
    /// Of the record.
    pub id: Option<String>,
    /// Whether it was done.
    pub success: bool,
    /// Of an upsert: whether it was new.
    pub created: Option<bool>,
    /// Why not.
    pub errors: Vec<Value>,
}

impl RowResult {
    /// Why it was not done.
    pub fn fault(&self) -> Fault {
        let first = self.errors.first();
        first.map_or_else(Fault::default, |error| Fault::of(200, error))
    }
}

/// A page of a query.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryPage {
    /// Of all pages.
    pub total_size: u64,
    /// Whether this is the last page.
    pub done: bool,
    /// Path of the next.
    pub next_records_url: Option<String>,
    /// Rows.
    pub records: Vec<Record>,
}

/// What `describe` says of an object, as the user of the credential sees it (Salesforce facts §7).
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Describe {
    /// API name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Whether records can be made.
    pub createable: bool,
    /// Whether they can be changed.
    pub updateable: bool,
    /// Whether they can be deleted.
    pub deletable: bool,
    /// The first three characters of its ids.
    pub key_prefix: Option<String>,
    /// Fields.
    pub fields: Vec<FieldDescribe>,
    /// Record types.
    pub record_type_infos: Vec<RecordType>,
}

impl Describe {
    /// A field by its name, in any letters.
    pub fn field(&self, name: &str) -> Option<&FieldDescribe> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Whether a field can be given on insert.
    pub fn takes(&self, name: &str) -> bool {
        self.field(name).is_some_and(|field| field.createable)
    }
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FieldDescribe {
    /// API name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// `string`, `picklist` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Characters.
    pub length: u32,
    /// Digits of a number, in all.
    pub precision: u32,
    /// Digits of a number, behind the point.
    pub scale: u32,
    /// Can be given on insert.
    pub createable: bool,
    /// Can be changed.
    pub updateable: bool,
    /// Can be empty.
    pub nillable: bool,
    /// Has a default on insert.
    pub defaulted_on_create: bool,
    /// Made by somebody.
    pub custom: bool,
    /// A formula or roll-up.
    pub calculated: bool,
    /// An external id.
    pub external_id: bool,
    /// No two records share a value.
    pub unique: bool,
    /// What a reference can point to.
    pub reference_to: Vec<String>,
    /// Choices.
    pub picklist_values: Vec<PicklistValue>,
    /// Whether only the choices are taken.
    pub restricted_picklist: bool,
}

/// A choice of a picklist.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PicklistValue {
    /// Stored.
    pub value: String,
    /// Shown.
    pub label: Option<String>,
    /// Whether it can be chosen.
    pub active: bool,
    /// Whether it is chosen where nothing is.
    pub default_value: bool,
}

/// A record type of an object.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RecordType {
    /// Id.
    pub record_type_id: String,
    /// API name.
    pub developer_name: String,
    /// Whether the user may use it.
    pub available: bool,
    /// The one that all objects have.
    pub master: bool,
}

/// A text of a record; empty where there is none.
pub fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A record's id.
pub fn id_of(record: &Record) -> String {
    id18(text(record, "Id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_of_fifteen_characters_is_told_by_its_capitals() {
        assert_eq!(id18("001D000000IRFma"), "001D000000IRFmaIAH");
        assert_eq!(id18("001D000000IRFmaIAH"), "001D000000IRFmaIAH");
    }

    #[test]
    fn an_error_is_read_in_each_of_its_shapes() {
        let single = br#"[{"message":"Required fields are missing: [LastName]","errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]}]"#;
        let fault = Fault::of_body(400, single);
        assert_eq!(fault.code, "REQUIRED_FIELD_MISSING");
        assert_eq!(fault.fields, ["LastName"]);
        let row: RowResult = serde_json::from_value(json!({
            "success": false,
            "errors": [{"statusCode": "DUPLICATE_VALUE", "fields": [], "message":
                "duplicate value found: Transload_Source_Id__c duplicates value on record with id: 001D000000IRFma"}],
        }))
        .unwrap();
        assert_eq!(row.fault().holder().as_deref(), Some("001D000000IRFmaIAH"));
        let bulk = Fault::of_bulk(
            "STRING_TOO_LONG:Subject: data value too large: x (max length=255):Subject --",
        );
        assert_eq!(bulk.code, "STRING_TOO_LONG");
        assert_eq!(
            bulk.message,
            "Subject: data value too large: x (max length=255)"
        );
        assert_eq!(bulk.fields, ["Subject"]);
        assert_eq!(Fault::of_body(503, b"<html>").said(), "answered 503");
    }

    #[test]
    fn only_locks_and_limits_pass_alone() {
        let fault = |code: &str, message: &str| Fault {
            code: code.to_owned(),
            message: message.to_owned(),
            ..Fault::default()
        };
        let apex = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY";
        assert!(fault("UNABLE_TO_LOCK_ROW", "").passes_alone());
        assert!(fault(apex, "T: System.LimitException: Too many SOQL queries: 101").passes_alone());
        assert!(!fault(apex, "T: data changed by trigger for field Status").passes_alone());
    }

    #[test]
    fn what_a_duplicate_rule_found_is_read_in_either_spelling() {
        for name in ["duplicateResut", "duplicateResult"] {
            let mut error = json!({"errorCode": "DUPLICATES_DETECTED", "message": "x"});
            error[name] = json!({"matchResults": [{"matchRecords": [{"record": {"Id": "001D000000IRFma"}}]}]});
            assert_eq!(Fault::of(400, &error).duplicates, ["001D000000IRFmaIAH"]);
        }
    }
}
