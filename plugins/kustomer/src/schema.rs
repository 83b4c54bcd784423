//! Custom attributes: their definitions (Kustomer facts §9.10) and their values.
//!
//! The suffix of a name is its type. Metadata adds what the name cannot say: the listed values, the target of a reference, the
//! tree. It is not to be relied on: attributes deleted in the metadata still have values, values exist without any metadata,
//! and some do not fit their suffix. Such a value travels as JSON, as it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use transload_sdk::types::{
    ChoiceOption, Entity, Entry, FieldDefinition, FieldType, Head, Kind, Owner, Reference,
    ReferenceType, Value,
};

use crate::api::{Bag, Resource};
use crate::time;

/// The record that carries an attribute: a resource of the metadata, as in paths (`customer`, `kobject.order`).
pub type Resources = BTreeMap<String, BTreeMap<String, Definition>>;

/// What a value's mapping needs of a definition. Kept in the session's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// What people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The listed values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What a reference points to: `customer`, `kobject.order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether it holds many values.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multi: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// The types that suffixes name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suffix {
    Str,
    Txt,
    Num,
    At,
    Bool,
    Url,
    Id,
    Tree,
    None,
}

fn suffix(name: &str) -> Suffix {
    const SUFFIXES: [(&str, Suffix); 8] = [
        ("Str", Suffix::Str),
        ("Txt", Suffix::Txt),
        ("Num", Suffix::Num),
        ("At", Suffix::At),
        ("Bool", Suffix::Bool),
        ("Url", Suffix::Url),
        ("Id", Suffix::Id),
        ("Tree", Suffix::Tree),
    ];
    SUFFIXES
        .iter()
        .find(|(end, _)| name.ends_with(end))
        .map_or(Suffix::None, |(_, suffix)| *suffix)
}

/// The owner that a metadata resource stands for.
pub fn owner(resource: &str) -> Owner {
    match resource.strip_prefix("kobject.") {
        Some(klass) => Owner {
            kind: Kind::CustomObject,
            object_type: Some(klass.to_owned()),
        },
        None => Owner {
            kind: kind_of(resource).unwrap_or_else(|| Kind::Other(resource.to_owned())),
            object_type: None,
        },
    }
}

/// The kind that a resource's type stands for, singular or plural.
pub fn kind_of(resource: &str) -> Option<Kind> {
    Some(match resource {
        "customer" | "customers" => Kind::Customer,
        "company" | "companies" => Kind::Company,
        "conversation" | "conversations" => Kind::Conversation,
        "message" | "messages" | "note" | "notes" => Kind::Message,
        "user" | "users" => Kind::Agent,
        "team" | "teams" => Kind::Team,
        "tag" => Kind::Tag,
        "brand" => Kind::Brand,
        "attachment" => Kind::Attachment,
        other if other.starts_with("kobject") => Kind::CustomObject,
        _ => return None,
    })
}

fn owner_name(resource: &str) -> String {
    match resource.strip_prefix("kobject.") {
        Some(klass) => format!("custom-object:{klass}"),
        None if resource == "user" => "agent".to_owned(),
        None => resource.to_owned(),
    }
}

/// The value of a custom attribute; `None` for null. `json` is its text.
pub fn value(name: &str, json: &str, definition: Option<&Definition>) -> Option<Value> {
    if json == "null" {
        return None;
    }
    let known = Definition::default();
    let definition = definition.unwrap_or(&known);
    let text = || serde_json::from_str::<String>(json).ok();
    let texts = || serde_json::from_str::<Vec<String>>(json).ok();
    let made = match suffix(name) {
        Suffix::Str if definition.options.is_empty() => text().map(Value::Text),
        Suffix::Str => {
            let listed = |value: &String| definition.options.contains(value);
            text().filter(&listed).map(Value::Choice).or_else(|| {
                texts()
                    .filter(|all| all.iter().all(listed))
                    .map(Value::Choices)
            })
        }
        Suffix::Txt => text().map(Value::Text),
        Suffix::Num => number(json),
        Suffix::At => text().and_then(moment),
        Suffix::Bool => serde_json::from_str(json).ok().map(Value::Boolean),
        Suffix::Url => text().map(Value::Link),
        Suffix::Id => match definition.target.as_deref().and_then(kind_of) {
            Some(kind) => text()
                .map(|id| Value::Reference(Reference::new(kind.clone(), id)))
                .or_else(|| {
                    texts().map(|ids| {
                        Value::References(
                            ids.into_iter()
                                .map(|id| Reference::new(kind.clone(), id))
                                .collect(),
                        )
                    })
                }),
            None => text().map(Value::Text),
        },
        Suffix::Tree => {
            text().map(|path| Value::Path(path.split('.').map(str::to_owned).collect()))
        }
        Suffix::None => None,
    };
    Some(made.unwrap_or_else(|| Value::Json(json.to_owned())))
}

/// A number with its digits: an integer where it is written as one, else its text.
fn number(json: &str) -> Option<Value> {
    serde_json::from_str::<serde_json::Number>(json).ok()?;
    match json.parse::<i64>() {
        Ok(integer) if integer.to_string() == json => Some(Value::Integer(integer)),
        _ => Some(Value::Decimal(json.to_owned())),
    }
}

fn moment(text: String) -> Option<Value> {
    if let Some(moment) = time::parse(&text) {
        return Some(Value::Moment(moment));
    }
    chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d")
        .ok()
        .filter(|date| date.to_string() == text)
        .map(|_| Value::Date(text))
}

/// One property of a metadata resource.
struct Property {
    name: String,
    bag: Bag,
}

fn properties(metadata: &Resource) -> Vec<Property> {
    let mut attributes = metadata.attributes.clone();
    let properties: BTreeMap<String, Bag> = attributes.take("properties").unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, bag)| Property { name, bag })
        .collect()
}

impl Property {
    fn definition(&mut self) -> Definition {
        Definition {
            label: self.bag.take("displayName"),
            // A list in the documents, a mere flag in some answers.
            options: self.bag.take("enumeration").unwrap_or_default(),
            target: self.bag.take("target"),
            multi: self
                .bag
                .take("multi")
                .or_else(|| self.bag.peek("array"))
                .unwrap_or(false),
        }
    }
}

/// The definitions of a metadata resource, as values need them.
pub fn definitions(metadata: &Resource) -> BTreeMap<String, Definition> {
    properties(metadata)
        .into_iter()
        .map(|mut p| (p.name.clone(), p.definition()))
        .collect()
}

/// The records of a metadata resource's definitions.
pub fn entries(resource: &str, metadata: &Resource) -> Vec<Entry> {
    properties(metadata)
        .into_iter()
        .map(|mut property| {
            let definition = property.definition();
            let tree = property.bag.take::<Json>("tree");
            let mut bag = property.bag;
            let declared: Option<String> = bag.peek("type");
            let field = FieldDefinition {
                owner: owner(resource),
                name: property.name.clone(),
                label: definition
                    .label
                    .clone()
                    .unwrap_or_else(|| property.name.clone()),
                description: bag.take("description"),
                field_type: field_type(&property.name, &definition, declared.as_deref()),
                options: options(&definition, tree.as_ref()),
                required: false,
                sensitive: bag.take("hasSensitiveAttributes").unwrap_or(false),
                retired: bag.has("deletedAt") && bag.peek::<String>("deletedAt").is_some(),
                used: None,
            };
            let mut head = Head::new(
                Kind::FieldDefinition,
                format!("{}/{}", owner_name(resource), property.name),
            );
            head.updated_at = bag.take_time("updatedAt");
            if let Some(tree) = tree {
                head.raw.push(crate::map::raw("tree", tree.to_string()));
            }
            head.raw.extend(
                bag.into_rest()
                    .map(|(name, json)| crate::map::raw(&name, json)),
            );
            Entry {
                head,
                data: Entity::FieldDefinition(field),
            }
        })
        .collect()
}

/// The record of an attribute that records hold and no metadata knows.
pub fn undefined(resource: &str, name: &str) -> Entry {
    let definition = Definition::default();
    let field = FieldDefinition {
        owner: owner(resource),
        name: name.to_owned(),
        label: name.to_owned(),
        description: None,
        field_type: field_type(name, &definition, None),
        options: Vec::new(),
        required: false,
        sensitive: false,
        retired: true,
        used: None,
    };
    let head = Head::new(
        Kind::FieldDefinition,
        format!("{}/{name}", owner_name(resource)),
    );
    Entry {
        head,
        data: Entity::FieldDefinition(field),
    }
}

fn field_type(name: &str, definition: &Definition, declared: Option<&str>) -> FieldType {
    match suffix(name) {
        Suffix::Str if definition.options.is_empty() => FieldType::Text,
        Suffix::Str if definition.multi => FieldType::Choices,
        Suffix::Str => FieldType::Choice,
        Suffix::Txt => FieldType::LongText,
        Suffix::Num => FieldType::Decimal,
        Suffix::At => FieldType::Moment,
        Suffix::Bool => FieldType::Boolean,
        Suffix::Url => FieldType::Link,
        Suffix::Tree => FieldType::Tree,
        Suffix::Id => match definition.target.as_deref() {
            Some(target) => FieldType::Reference(ReferenceType {
                kind: kind_of(target),
                object_type: target.strip_prefix("kobject.").map(str::to_owned),
                multi: definition.multi,
            }),
            None => FieldType::Text,
        },
        // Values without a type by suffix travel as JSON.
        Suffix::None => match declared {
            Some(other) if other != "object" => FieldType::Other(other.to_owned()),
            _ => FieldType::Json,
        },
    }
}

fn options(definition: &Definition, tree: Option<&Json>) -> Vec<ChoiceOption> {
    let plain = |value: &String| ChoiceOption {
        value: value.clone(),
        label: value.clone(),
        active: true,
    };
    let mut made: Vec<ChoiceOption> = definition.options.iter().map(plain).collect();
    if let Some(tree) = tree {
        branches(tree, "", &mut made);
    }
    made
}

/// The paths of a tree. Its encoding is undocumented (Kustomer facts §14): objects by name, and lists of nodes with a value
/// or name and children, are read; anything else stays raw only.
fn branches(node: &Json, path: &str, into: &mut Vec<ChoiceOption>) {
    let mut branch = |name: &str, label: &str, below: Option<&Json>| {
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        into.push(ChoiceOption {
            value: path.clone(),
            label: label.to_owned(),
            active: true,
        });
        if let Some(below) = below {
            branches(below, &path, into);
        }
    };
    match node {
        Json::Object(members) => match members.get("children").or_else(|| members.get("options")) {
            Some(children) if !members.contains_key("value") && !members.contains_key("name") => {
                branches(children, path, into);
            }
            _ => members
                .iter()
                .for_each(|(name, below)| branch(name, name, Some(below))),
        },
        Json::Array(items) => {
            for item in items {
                let text = |key: &str| item.get(key).and_then(Json::as_str);
                let Some(value) = item
                    .as_str()
                    .or_else(|| text("value"))
                    .or_else(|| text("name"))
                else {
                    continue;
                };
                let label = text("displayName")
                    .or_else(|| text("label"))
                    .or_else(|| text("name"))
                    .unwrap_or(value);
                branch(
                    value,
                    label,
                    item.get("children").or_else(|| item.get("options")),
                );
            }
        }
        _ => {}
    }
}

/// The references among a value, for the relationships that hang on it.
pub fn references(value: &Value) -> Vec<Reference> {
    match value {
        Value::Reference(one) => vec![one.clone()],
        Value::References(many) => many.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Answer;

    #[test]
    fn a_value_has_the_type_of_its_suffix_and_json_where_it_does_not_fit() {
        let moment = Value::Moment(transload_sdk::types::Moment {
            at: 1_478_458_469_000,
            offset_minutes: Some(-300),
        });
        for (name, json, want) in [
            ("tierStr", r#""gold""#, Value::Text("gold".into())),
            ("tierStr", "7", Value::Json("7".into())),
            ("bioTxt", r#""a\r\nb""#, Value::Text("a\r\nb".into())),
            ("aNum", "12", Value::Integer(12)),
            ("aNum", "-0", Value::Decimal("-0".into())),
            ("aNum", "1840.50", Value::Decimal("1840.50".into())),
            (
                "aNum",
                "12345678901234567890.000000000001",
                Value::Decimal("12345678901234567890.000000000001".into()),
            ),
            ("aNum", r#""12""#, Value::Json(r#""12""#.into())),
            ("atAt", r#""2016-11-06T13:54:29-05:00""#, moment),
            ("atAt", r#""2016-11-06""#, Value::Date("2016-11-06".into())),
            (
                "atAt",
                r#""next week""#,
                Value::Json(r#""next week""#.into()),
            ),
            ("vipBool", "true", Value::Boolean(true)),
            ("vipBool", r#""true""#, Value::Json(r#""true""#.into())),
            ("homeUrl", r#""x:""#, Value::Link("x:".into())),
            (
                "reasonTree",
                r#""a.b""#,
                Value::Path(vec!["a".into(), "b".into()]),
            ),
            ("orderId", r#""6717""#, Value::Text("6717".into())),
            ("odd", r#"{"a":1.0}"#, Value::Json(r#"{"a":1.0}"#.into())),
        ] {
            assert_eq!(value(name, json, None), Some(want), "{name} {json}");
        }
        assert_eq!(value("tierStr", "null", None), None);
    }

    #[test]
    fn metadata_says_what_the_name_cannot() {
        let answer: Answer = serde_json::from_str(
            r#"{"data":{"type":"metadata","id":"customer","attributes":{"properties":{
            "tierStr":{"type":"string","displayName":"Tier","enumeration":["silver","gold"]},
            "flagStr":{"type":"string","enumeration":true},
            "ordersId":{"type":"string","target":"kobject.order","multi":true},
            "oldStr":{"type":"string","deletedAt":"2024-01-01T00:00:00.000Z"},
            "reasonTree":{"type":"string","tree":{"shipping":{"late":{}},"other":{}}}}}}}"#,
        )
        .unwrap();
        let metadata = &answer.data.0[0];
        let known = definitions(metadata);
        let of = |name: &str, json: &str| value(name, json, known.get(name)).unwrap();
        assert_eq!(of("tierStr", r#""gold""#), Value::Choice("gold".into()));
        assert_eq!(
            of("tierStr", r#""tin""#),
            Value::Json(r#""tin""#.into()),
            "not among the options"
        );
        let order = |id: &str| Reference::new(Kind::CustomObject, id.to_owned());
        assert_eq!(
            of("ordersId", r#"["1","2"]"#),
            Value::References(vec![order("1"), order("2")])
        );
        let made = entries("customer", metadata);
        let field = |id: &str| {
            let entry = made.iter().find(|e| e.head.id == id).unwrap();
            let Entity::FieldDefinition(field) = &entry.data else {
                panic!("{entry:?}")
            };
            field.clone()
        };
        assert!(field("customer/oldStr").retired && !field("customer/tierStr").retired);
        let paths: Vec<String> = field("customer/reasonTree")
            .options
            .into_iter()
            .map(|o| o.value)
            .collect();
        assert_eq!(paths.len(), 3);
        assert!(paths.contains(&"shipping.late".to_owned()));
    }
}
