//! Objects and their fields: the standard ones from `objects.json`, custom ones as they are made.
//!
//! The letters of a field in `objects.json`: `c` can be given on create, `u` on update, `r` never empty, `d` has a default on
//! create, `x` cannot be filtered, `a` an audit field of an object that takes them, `y` such a field of the feed, `z` the closed
//! date, `R` a restricted picklist, `L` can be looked up, `U` unique. Those of an object: `c` create, `u` update, `d` delete, `q` query, `a`
//! audit fields on create, `r` recycle bin, `s` a setup object, `k` takes custom fields, `t` known to the Tooling API only.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The record's own id.
    Id,
    /// Another record's id.
    Reference,
    /// Text of one line.
    Text,
    /// Text of many lines; the long ones cannot be filtered.
    Area,
    /// Rich text.
    Html,
    /// Yes or no, never empty.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A day.
    Date,
    /// A moment, to the second.
    DateTime,
    /// An address.
    Email,
    /// A number to call.
    Phone,
    /// A link.
    Url,
    /// One of some values.
    Picklist,
    /// Some of some values, separated by semicolons.
    MultiPicklist,
    /// A file.
    Base64,
    /// Made of other fields.
    Address,
    /// A list of ids, for creating only.
    IdList,
    /// Counted by the org.
    AutoNumber,
}

impl Kind {
    /// As `describe` calls it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::Text | Self::IdList | Self::AutoNumber => "string",
            Self::Area | Self::Html => "textarea",
            Self::Bool => "boolean",
            Self::Int => "int",
            Self::Double => "double",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::Base64 => "base64",
            Self::Address => "address",
        }
    }

    /// As `describe` names its SOAP type.
    fn soap(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "tns:ID",
            Self::Bool => "xsd:boolean",
            Self::Int => "xsd:int",
            Self::Double => "xsd:double",
            Self::Date => "xsd:date",
            Self::DateTime => "xsd:dateTime",
            Self::Base64 => "xsd:base64Binary",
            Self::Address => "urn:address",
            _ => "xsd:string",
        }
    }

    /// Whether it is text that has a length.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Area
                | Self::Html
                | Self::Email
                | Self::Phone
                | Self::Url
                | Self::Picklist
                | Self::MultiPicklist
        )
    }
}

/// What happens to a record when the one it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The reference becomes empty.
    SetNull,
    /// It is deleted too.
    Cascade,
    /// The other cannot be deleted.
    Restrict,
}

/// One value of a picklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As it is stored.
    pub value: String,
    /// As people see it.
    pub label: String,
    /// Whether it can be chosen.
    pub active: bool,
    /// Whether it is what a new record gets.
    pub default: bool,
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Id of its definition, for custom ones.
    pub id: String,
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// What it holds.
    pub kind: Kind,
    /// Characters it can hold.
    pub length: usize,
    /// Digits, and those of them behind the point.
    pub digits: (u32, u32),
    /// The letters; see the top of this file.
    pub flags: String,
    /// Its value in a new record.
    pub default: Option<Value>,
    /// Whether it was made here.
    pub custom: bool,
    /// Whether it holds another system's ids.
    pub external_id: bool,
    /// Whether two records may not share a value.
    pub unique: bool,
    /// Whether capitals count when values are compared.
    pub case_sensitive: bool,
    /// The objects it may refer to; `*` is every custom object.
    pub reference_to: Vec<String>,
    /// What the record it refers to is called in queries.
    pub relationship: Option<String>,
    /// What its records are called from the other side.
    pub child_relationship: Option<String>,
    /// What happens when the record it refers to is deleted.
    pub on_delete: OnDelete,
    /// The values of a picklist.
    pub choices: Vec<Choice>,
    /// Description.
    pub description: String,
    /// The definition as it was given, for reading it back.
    pub metadata: Value,
}

impl Field {
    /// Whether the letter is among its flags.
    pub fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Whether a record must have a value.
    pub fn required(&self) -> bool {
        self.has('r')
    }

    /// Whether values are looked up by it.
    pub fn indexed(&self) -> bool {
        self.external_id || self.unique || self.has('L')
    }

    /// Whether a permission is needed to see it.
    pub fn permissionable(&self) -> bool {
        self.custom && (!self.required() || self.kind == Kind::Bool) && !self.has('n')
    }

    /// A value as it is compared.
    pub fn key(&self, value: &Value) -> String {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if self.case_sensitive {
            text
        } else {
            text.to_lowercase()
        }
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Id of its definition, for custom ones.
    pub id: String,
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Label of many.
    pub plural: String,
    /// First three letters of its records' ids.
    pub prefix: String,
    /// The letters; see the top of this file.
    pub flags: String,
    /// Whether it was made here.
    pub custom: bool,
    /// The field that names a record.
    pub name_field: Option<String>,
    /// Its fields.
    pub fields: Vec<Field>,
    /// The definition as it was given, for reading it back.
    pub metadata: Value,
}

impl Object {
    /// Whether the letter is among its flags.
    pub fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// A field, in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field that holds what is called so in queries.
    pub fn relationship(&self, name: &str) -> Option<&Field> {
        let is = |field: &&Field| {
            field
                .relationship
                .as_deref()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        self.fields.iter().find(is)
    }
}

#[derive(Deserialize)]
struct File {
    objects: Vec<ObjectRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRow {
    name: String,
    label: String,
    plural: String,
    prefix: String,
    flags: String,
    name_field: Option<String>,
    fields: Vec<FieldRow>,
}

#[derive(Deserialize)]
struct FieldRow {
    n: String,
    t: String,
    #[serde(default)]
    l: usize,
    #[serde(default)]
    f: String,
    #[serde(default)]
    to: Vec<String>,
    rel: Option<String>,
    child: Option<String>,
    #[serde(default)]
    on: String,
    #[serde(default)]
    p: Vec<String>,
    v: Option<Value>,
}

/// The standard objects.
pub(super) fn standard() -> Vec<Object> {
    let file: File = match serde_json::from_str(include_str!("objects.json")) {
        Ok(file) => file,
        Err(error) => {
            tracing::error!(%error, "The list of standard objects cannot be read.");
            File { objects: vec![] }
        }
    };
    file.objects.into_iter().map(object).collect()
}

fn object(row: ObjectRow) -> Object {
    let takes_audit = row.flags.contains('a');
    Object {
        id: String::new(),
        name: row.name,
        label: row.label,
        plural: row.plural,
        prefix: row.prefix,
        flags: row.flags,
        custom: false,
        name_field: row.name_field,
        fields: row
            .fields
            .into_iter()
            .map(|field| standard_field(field, takes_audit))
            .collect(),
        metadata: Value::Null,
    }
}

fn standard_field(row: FieldRow, takes_audit: bool) -> Field {
    let kind = match row.t.as_str() {
        "id" => Kind::Id,
        "reference" => Kind::Reference,
        "textarea" => Kind::Area,
        "boolean" => Kind::Bool,
        "int" => Kind::Int,
        "double" | "currency" => Kind::Double,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "url" => Kind::Url,
        "picklist" => Kind::Picklist,
        "base64" => Kind::Base64,
        "address" => Kind::Address,
        "idlist" => Kind::IdList,
        _ => Kind::Text,
    };
    let mut flags = row.f;
    if !takes_audit {
        flags.retain(|flag| flag != 'a');
    }
    let default = row
        .v
        .clone()
        .or_else(|| (kind == Kind::Bool).then_some(Value::Bool(false)));
    let choice = |value: &String| Choice {
        value: value.clone(),
        label: value.clone(),
        active: true,
        default: row.v.as_ref().is_some_and(|v| v == value),
    };
    Field {
        id: String::new(),
        label: label_of(&row.n),
        name: row.n,
        kind,
        length: row.l,
        digits: (18, 2),
        unique: flags.contains('U'),
        flags,
        default,
        custom: false,
        external_id: false,
        case_sensitive: false,
        reference_to: row.to,
        relationship: row.rel,
        child_relationship: row.child,
        on_delete: on_delete(&row.on),
        choices: row.p.iter().map(choice).collect(),
        description: String::new(),
        metadata: Value::Null,
    }
}

fn on_delete(text: &str) -> OnDelete {
    match text {
        "cascade" => OnDelete::Cascade,
        "restrict" => OnDelete::Restrict,
        _ => OnDelete::SetNull,
    }
}

/// `FirstName` is called "First Name", `AccountId` "Account ID".
fn label_of(name: &str) -> String {
    let mut out = String::new();
    let mut before_is_small = false;
    for letter in name.chars() {
        if letter.is_uppercase() && before_is_small {
            out.push(' ');
        }
        before_is_small = letter.is_lowercase() || letter.is_numeric();
        out.push(letter);
    }
    match out.strip_suffix(" Id") {
        Some(front) => format!("{front} ID"),
        None => out,
    }
}

/// The fields every custom object is born with; `name` is its name field.
pub(super) fn system_fields(name: Field) -> Vec<Field> {
    let row = |n: &str, t: &str, f: &str| FieldRow {
        n: n.to_owned(),
        t: t.to_owned(),
        l: 0,
        f: f.to_owned(),
        to: if t == "reference" {
            vec!["User".to_owned()]
        } else {
            vec![]
        },
        rel: n
            .strip_suffix("Id")
            .filter(|rel| !rel.is_empty())
            .map(str::to_owned),
        child: None,
        on: String::new(),
        p: vec![],
        v: None,
    };
    let mut owner = row("OwnerId", "reference", "curd");
    owner.to.insert(0, "Group".to_owned());
    let mut fields = vec![
        standard_field(row("Id", "id", "r"), true),
        standard_field(owner, true),
    ];
    fields.push(standard_field(row("IsDeleted", "boolean", "r"), true));
    fields.push(name);
    for (name, kind, flags) in [
        ("CreatedDate", "datetime", "ar"),
        ("CreatedById", "reference", "ar"),
        ("LastModifiedDate", "datetime", "ar"),
        ("LastModifiedById", "reference", "ar"),
        ("SystemModstamp", "datetime", ""),
        ("LastActivityDate", "date", ""),
    ] {
        fields.push(standard_field(row(name, kind, flags), true));
    }
    fields
}

/// Why a field cannot be made: a code and a text.
pub(super) type Refusal = (&'static str, String);

/// How long an API name may be without `__c`, and how long a label (Salesforce facts §10.4).
const NAME: usize = 40;

/// Refuses what is no API name of a custom thing (§10.4).
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let wrong = |text: &str| Err(("INVALID_NAME", format!("{text}: {name}")));
    let Some(front) = name.strip_suffix("__c") else {
        return wrong("A custom name ends in __c");
    };
    let letters = front.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !letters
        || !front.starts_with(|c: char| c.is_ascii_alphabetic())
        || front.contains("__")
        || front.ends_with('_')
    {
        return Err((
            "FIELD_INTEGRITY_EXCEPTION",
            format!(
                "The {name} API Name can only contain underscores and alphanumeric characters. It must be unique, begin with \
                 a letter, not include spaces, not end with an underscore, and not contain two consecutive underscores."
            ),
        ));
    }
    if front.len() > NAME {
        return wrong("The name is longer than 40 characters");
    }
    Ok(())
}

/// A custom field of this name as its metadata describes it (§10.1).
pub(super) fn custom_field(name: &str, metadata: &Value, id: String) -> Result<Field, Refusal> {
    check_name(name)?;
    let text = |key: &str| {
        metadata
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let flag = |key: &str| match metadata.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    let number = |key: &str| match metadata.get(key) {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let missing = |what: &str| {
        (
            "REQUIRED_FIELD_MISSING",
            format!("Required field is missing: {what}"),
        )
    };
    let label = text("label");
    if label.is_empty() {
        return Err(missing("label"));
    }
    if label.chars().count() > NAME {
        return Err((
            "STRING_TOO_LONG",
            format!("Field Label: data value too large: {label} (max length=40)"),
        ));
    }
    let sort = text("type");
    let kind = match sort.as_str() {
        "Text" => Kind::Text,
        "TextArea" | "LongTextArea" => Kind::Area,
        "Html" => Kind::Html,
        "Number" | "Currency" | "Percent" => Kind::Double,
        "Checkbox" => Kind::Bool,
        "Date" => Kind::Date,
        "DateTime" => Kind::DateTime,
        "Email" => Kind::Email,
        "Phone" => Kind::Phone,
        "Url" => Kind::Url,
        "Picklist" => Kind::Picklist,
        "MultiselectPicklist" => Kind::MultiPicklist,
        "Lookup" | "MasterDetail" => Kind::Reference,
        "AutoNumber" => Kind::AutoNumber,
        "" => return Err(missing("type")),
        other => {
            return Err((
                "FIELD_INTEGRITY_EXCEPTION",
                format!("Invalid data type: {other}"),
            ));
        }
    };
    let length = match sort.as_str() {
        "Text" => {
            let length = number("length").ok_or_else(|| missing("length"))?;
            if !(1..=255).contains(&length) {
                return Err((
                    "FIELD_INTEGRITY_EXCEPTION",
                    "Length must be between 1 and 255".to_owned(),
                ));
            }
            length
        }
        "LongTextArea" | "Html" => {
            let length = number("length").ok_or_else(|| missing("length"))?;
            if !(256..=131_072).contains(&length) {
                return Err((
                    "FIELD_INTEGRITY_EXCEPTION",
                    "Length must be between 256 and 131072".to_owned(),
                ));
            }
            number("visibleLines").ok_or_else(|| missing("visibleLines"))?;
            length
        }
        "MultiselectPicklist" => {
            number("visibleLines").ok_or_else(|| missing("visibleLines"))?;
            4_099
        }
        "Email" => 80,
        "Phone" => 40,
        _ => 255,
    };
    let mut flags = String::from("cu");
    if sort == "LongTextArea" || sort == "Html" {
        flags.push('x');
    }
    let mut digits = (18, 0);
    if kind == Kind::Double {
        let precision = number("precision").ok_or_else(|| missing("precision"))?;
        let scale = number("scale").ok_or_else(|| missing("scale"))?;
        if precision > 18 || scale > precision {
            return Err((
                "FIELD_INTEGRITY_EXCEPTION",
                "Invalid precision or scale for field".to_owned(),
            ));
        }
        digits = (
            u32::try_from(precision).unwrap_or(18),
            u32::try_from(scale).unwrap_or(0),
        );
    }
    let mut default = None;
    if kind == Kind::Bool {
        let given = text("defaultValue");
        if given.is_empty() && !metadata.get("defaultValue").is_some_and(Value::is_boolean) {
            return Err(missing("defaultValue"));
        }
        default = Some(Value::Bool(flag("defaultValue")));
        flags.push_str("rd");
    }
    if flag("required") && kind != Kind::Bool {
        flags.push('r');
    }
    if kind == Kind::AutoNumber {
        flags = "n".to_owned();
    }
    let mut choices = Vec::new();
    if matches!(kind, Kind::Picklist | Kind::MultiPicklist) {
        let set = metadata
            .get("valueSet")
            .ok_or_else(|| missing("valueSet"))?;
        if set
            .get("restricted")
            .is_some_and(|v| v == true || v == "true")
        {
            flags.push('R');
        }
        let values = set
            .pointer("/valueSetDefinition/value")
            .cloned()
            .unwrap_or_default();
        let values = match values {
            Value::Array(values) => values,
            Value::Null => vec![],
            one => vec![one],
        };
        for value in values {
            let of = |key: &str| {
                value
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let name = of("fullName");
            if name.is_empty() || name.chars().count() > 255 {
                return Err((
                    "FIELD_INTEGRITY_EXCEPTION",
                    format!("Invalid picklist value: {name}"),
                ));
            }
            let label = if of("label").is_empty() {
                name.clone()
            } else {
                of("label")
            };
            let is_default = value
                .get("default")
                .is_some_and(|v| v == true || v == "true");
            if choices
                .iter()
                .any(|known: &Choice| known.value.eq_ignore_ascii_case(&name))
            {
                return Err((
                    "DUPLICATE_VALUE",
                    format!("Duplicate picklist value: {name}"),
                ));
            }
            choices.push(Choice {
                value: name,
                label,
                active: true,
                default: is_default,
            });
        }
        if kind == Kind::MultiPicklist && choices.len() > 500 {
            return Err((
                "FIELD_INTEGRITY_EXCEPTION",
                "A multi-select picklist has at most 500 values".to_owned(),
            ));
        }
    }
    let mut reference_to = Vec::new();
    let (mut relationship, mut child, mut on) = (None, None, OnDelete::SetNull);
    if kind == Kind::Reference {
        let target = text("referenceTo");
        if target.is_empty() {
            return Err(missing("referenceTo"));
        }
        reference_to.push(target);
        let front = name.strip_suffix("__c").unwrap_or(name);
        relationship = Some(format!("{front}__r"));
        let own = text("relationshipName");
        if own.is_empty() && sort == "MasterDetail" {
            return Err(missing("relationshipName"));
        }
        if own.contains("__")
            || own.len() > NAME
            || own.starts_with(|c: char| !c.is_ascii_alphabetic())
        {
            return Err((
                "FIELD_INTEGRITY_EXCEPTION",
                format!("Invalid child relationship name: {own}"),
            ));
        }
        child = (!own.is_empty()).then(|| format!("{own}__r"));
        on = match (sort.as_str(), text("deleteConstraint").as_str()) {
            ("MasterDetail", _) | (_, "Cascade") => OnDelete::Cascade,
            (_, "Restrict") => OnDelete::Restrict,
            _ => OnDelete::SetNull,
        };
        if sort == "MasterDetail" {
            flags.push('r');
        }
    }
    let (external_id, unique) = (flag("externalId"), flag("unique"));
    let can_be_external = matches!(
        kind,
        Kind::Text | Kind::Double | Kind::Email | Kind::AutoNumber
    );
    if (external_id || unique) && !can_be_external {
        return Err((
            "FIELD_INTEGRITY_EXCEPTION",
            format!("The type {sort} can be no external ID and not unique"),
        ));
    }
    let choice = choices
        .iter()
        .find(|choice| choice.default)
        .map(|choice| json!(choice.value));
    if choice.is_some() {
        flags.push('d');
    }
    Ok(Field {
        id,
        name: name.to_owned(),
        label,
        kind,
        length: usize::try_from(length).unwrap_or(255),
        digits,
        flags,
        default: default.or(choice),
        custom: true,
        external_id,
        unique,
        case_sensitive: flag("caseSensitive"),
        reference_to,
        relationship,
        child_relationship: child,
        on_delete: on,
        choices,
        description: text("description"),
        metadata: metadata.clone(),
    })
}

/// How `describe` shows a field to somebody who may write it or not.
pub(super) fn describe_field(
    field: &Field,
    createable: bool,
    updateable: bool,
    may_edit: bool,
) -> Value {
    let values: Vec<Value> = field
        .choices
        .iter()
        .map(|choice| {
            json!({
                "active": choice.active, "defaultValue": choice.default, "label": choice.label, "validFor": null,
                "value": choice.value,
            })
        })
        .collect();
    let length = match field.kind {
        Kind::Id | Kind::Reference => 18,
        kind if kind.is_text() => field.length,
        _ => 0,
    };
    let is_number = field.kind == Kind::Double;
    let bytes = if field.name == "CommentBody" {
        length
    } else {
        length * 3
    };
    let mut shown = json!({
        "aggregatable": !field.has('x'),
        "aiPredictionField": false,
        "autoNumber": field.kind == Kind::AutoNumber || field.name == "CaseNumber",
        "byteLength": bytes,
        "calculated": false,
        "calculatedFormula": null,
        "cascadeDelete": field.custom && field.on_delete == OnDelete::Cascade,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": null,
        "controllerName": null,
        "createable": createable && may_edit,
        "custom": field.custom,
        "defaultValue": field.default,
        "defaultValueFormula": null,
        "defaultedOnCreate": field.has('d') || field.kind == Kind::Id,
        "dependentPicklist": false,
        "deprecatedAndHidden": false,
        "digits": if field.kind == Kind::Int { 9 } else { 0 },
        "displayLocationInDecimal": false,
        "encrypted": false,
        "externalId": field.external_id,
        "extraTypeInfo": if field.kind == Kind::Html { json!("richtextarea") }
            else if field.kind == Kind::Area { json!("plaintextarea") } else { Value::Null },
    });
    let more = json!({
        "filterable": !field.has('x'),
        "filteredLookupInfo": null,
        "formulaTreatNullNumberAsZero": false,
        "groupable": !field.has('x') && field.kind != Kind::DateTime,
        "highScaleNumber": false,
        "htmlFormatted": field.kind == Kind::Html,
        "idLookup": field.kind == Kind::Id || field.indexed(),
        "inlineHelpText": null,
        "label": field.label,
        "length": length,
        "mask": null,
        "maskType": null,
        "name": field.name,
        "nameField": false,
        "namePointing": field.reference_to.len() > 1,
        "nillable": !field.required(),
        "permissionable": field.permissionable(),
        "picklistValues": values,
        "polymorphicForeignKey": field.reference_to.len() > 1,
        "precision": if is_number { field.digits.0 } else { 0 },
        "queryByDistance": false,
        "referenceTargetField": null,
        "referenceTo": field.reference_to,
        "relationshipName": field.relationship,
        "relationshipOrder": null,
        "restrictedDelete": field.on_delete == OnDelete::Restrict,
        "restrictedPicklist": field.has('R'),
        "scale": if is_number { field.digits.1 } else { 0 },
        "searchPrefilterable": field.kind == Kind::Reference,
        "soapType": field.kind.soap(),
        "sortable": !field.has('x'),
        "type": field.kind.describe(),
        "unique": field.unique,
        "updateable": updateable && may_edit,
        "writeRequiresMasterRead": false,
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    shown
}

/// By lower-case name.
pub(super) fn by_name(objects: Vec<Object>) -> HashMap<String, Object> {
    objects
        .into_iter()
        .map(|object| (object.name.to_lowercase(), object))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_objects_are_all_read() {
        let objects = by_name(standard());
        let case = &objects["case"];
        assert_eq!(
            (case.prefix.as_str(), case.field("subject").unwrap().length),
            ("500", 255)
        );
        assert!(case.field("CreatedDate").unwrap().has('a'));
        assert!(!objects["group"].field("CreatedDate").unwrap().has('a'));
        assert_eq!(
            case.relationship("contact").unwrap().reference_to,
            ["Contact"]
        );
        assert_eq!(
            objects["emailmessage"].field("TextBody").unwrap().kind,
            Kind::Area
        );
    }

    #[test]
    fn a_field_of_a_wrong_shape_is_refused() {
        let refused = |name: &str, metadata: Value| {
            custom_field(name, &metadata, String::new()).unwrap_err().0
        };
        assert_eq!(
            refused("Nr", json!({"label": "Nr", "type": "Text", "length": 20})),
            "INVALID_NAME"
        );
        assert_eq!(
            refused("Nr__c", json!({"label": "Nr", "type": "Text"})),
            "REQUIRED_FIELD_MISSING"
        );
        let long = json!({"label": "Nr", "type": "LongTextArea", "length": 100, "visibleLines": 3});
        assert_eq!(refused("Nr__c", long), "FIELD_INTEGRITY_EXCEPTION");
        let external = json!({"label": "Nr", "type": "LongTextArea", "length": 300, "visibleLines": 3, "externalId": true});
        assert_eq!(refused("Nr__c", external), "FIELD_INTEGRITY_EXCEPTION");
        assert_eq!(
            refused("A__b__c", json!({"label": "Nr", "type": "Date"})),
            "FIELD_INTEGRITY_EXCEPTION"
        );
    }
}
