//! What Kustomer sends and takes, as it is on the wire.
//!
//! Kustomer speaks a dialect of JSON:API with irregularities (Kustomer facts §3), so nothing here insists: a resource is
//! an id and a [`Bag`] of raw attributes, from which the mapping takes what it knows how to read. What it does not take,
//! or cannot read, stays in the bag and travels as a raw attribute (rule M-1); one odd value never costs a record, let
//! alone a page. Attributes stay JSON *text* until they are taken, so that digits of numbers survive.
//!
//! Not here: what anything means (`map`), and how it is asked for (`client`, `walk`).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use transload_sdk::json::or_default;

/// Attributes by name, each still as JSON text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Bag(BTreeMap<String, Box<RawValue>>);

impl Bag {
    /// Takes an attribute out. `None` where it is absent, null, or not of the type; in the last case it stays.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.peek::<Option<T>>(name)?;
        self.0.remove(name);
        value
    }

    /// Reads an attribute and leaves it.
    pub fn peek<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// Reads a member of an object attribute and leaves it.
    pub fn peek_in<T: DeserializeOwned>(&self, name: &str, member: &str) -> Option<T> {
        self.peek::<Bag>(name)?.peek(member)
    }

    /// Reads a time, in milliseconds, and leaves it.
    pub fn time(&self, name: &str) -> Option<i64> {
        let text: String = self.peek(name)?;
        crate::time::parse(&text).map(|moment| moment.at)
    }

    /// Takes a time out; what is none stays.
    pub fn take_time(&mut self, name: &str) -> Option<i64> {
        let at = self.time(name)?;
        self.0.remove(name);
        Some(at)
    }

    /// Reads a time in an object attribute and leaves it.
    pub fn time_in(&self, name: &str, member: &str) -> Option<i64> {
        self.peek::<Bag>(name)?.time(member)
    }

    /// Takes an object attribute apart. What `with` leaves of it goes back under `name.member`.
    pub fn nested<T>(&mut self, name: &str, with: impl FnOnce(&mut Bag) -> T) -> Option<T> {
        let mut inner: Bag = self.take(name)?;
        let made = with(&mut inner);
        self.put_back(name, inner);
        Some(made)
    }

    /// Takes a list of objects apart. What `with` leaves of an item goes back under `name[position].member`; a list that
    /// is not one of objects stays.
    pub fn each<T>(&mut self, name: &str, mut with: impl FnMut(&mut Bag) -> Option<T>) -> Vec<T> {
        let Some(items) = self.take::<Vec<Bag>>(name) else {
            return Vec::new();
        };
        let mut made = Vec::new();
        for (position, mut item) in items.into_iter().enumerate() {
            made.extend(with(&mut item));
            self.put_back(&format!("{name}[{position}]"), item);
        }
        made
    }

    fn put_back(&mut self, prefix: &str, left: Bag) {
        for (name, value) in left.0 {
            self.0.insert(format!("{prefix}.{name}"), value);
        }
    }

    /// The JSON text of an attribute, taken out; `None` where it is absent or null.
    pub fn take_raw(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.0.remove(name).filter(|value| value.get() != "null")
    }

    /// The JSON text of an attribute, left in place.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// Whether there is an attribute of this name, null included.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether there is an attribute of this name that is not null.
    pub fn has_value(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.get() != "null")
    }

    /// What is left, without nulls and empty lists and objects: names with JSON text.
    pub fn into_rest(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().filter_map(|(name, value)| {
            let text = value.get();
            (!matches!(text, "null" | "[]" | "{}")).then(|| (name, text.to_owned()))
        })
    }

    /// All attributes with their JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.get()))
    }
}

/// Type and id of another resource.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Pointer {
    /// `customer`, sometimes `customers` (Kustomer facts §3).
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The id.
    pub id: String,
}

/// `links` of a resource or of a list.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Links {
    /// The path of the resource itself.
    #[serde(rename = "self", default)]
    pub own: Option<String>,
    /// The next page.
    #[serde(default)]
    pub next: Option<String>,
    /// A message's app resource, an attachment's bytes.
    #[serde(default)]
    pub related: Option<String>,
}

/// One record.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Resource {
    /// `customer`, `kobject.order`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The id; empty where the list leaves it out (Kustomer facts §9.6), see [`Resource::id`].
    #[serde(default, rename = "id")]
    given_id: Option<String>,
    /// Its attributes.
    #[serde(default, deserialize_with = "or_default")]
    pub attributes: Bag,
    /// Its relationships.
    #[serde(default, deserialize_with = "or_default")]
    pub relationships: Bag,
    /// Its links.
    #[serde(default, deserialize_with = "or_default")]
    pub links: Links,
}

impl Resource {
    /// A record of which only the id is known.
    pub fn only(id: &str) -> Self {
        Self {
            given_id: Some(id.to_owned()),
            ..Self::default()
        }
    }

    /// The id: as given, else the last segment of `links.self`, else empty.
    pub fn id(&self) -> String {
        self.given_id
            .clone()
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| {
                let own = self.links.own.as_deref().unwrap_or_default();
                own.split('?')
                    .next()
                    .and_then(|path| path.rsplit('/').next())
                    .unwrap_or_default()
                    .to_owned()
            })
    }

    /// What a relationship points to; empty where it is unset or a mere link. Takes the shapes of Kustomer facts §3: one, many,
    /// null, and the bare list of pointers that forwards have.
    pub fn related(&self, name: &str) -> Vec<Pointer> {
        fn pointers(value: &Value) -> Vec<Pointer> {
            match value {
                Value::Array(items) => items
                    .iter()
                    .flat_map(|item| pointers(item.get("data").unwrap_or(item)))
                    .collect(),
                Value::Object(_) => Pointer::deserialize(value).into_iter().collect(),
                _ => Vec::new(),
            }
        }
        match self.relationships.peek::<Value>(name) {
            Some(Value::Object(relationship)) => {
                relationship.get("data").map(pointers).unwrap_or_default()
            }
            Some(list @ Value::Array(_)) => pointers(&list),
            _ => Vec::new(),
        }
    }

    /// What a to-one relationship points to.
    pub fn one(&self, name: &str) -> Option<Pointer> {
        self.related(name).into_iter().next()
    }

    /// A time attribute in milliseconds, left in place.
    pub fn time(&self, name: &str) -> Option<i64> {
        self.attributes.time(name)
    }
}

/// `meta` of a list.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Meta {
    /// Rows in all, as far as the list says.
    #[serde(default)]
    pub total: Option<u64>,
    /// The search ran out of time: the page may lack rows (Kustomer facts §8).
    #[serde(default)]
    pub timed_out: bool,
}

/// One or many resources, or none.
#[derive(Clone, Debug, Default)]
pub struct Data(pub Vec<Resource>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Data;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a resource, a list of resources, or null")
            }
            fn visit_unit<E>(self) -> Result<Data, E> {
                Ok(Data::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
                Resource::deserialize(MapAccessDeserializer::new(map)).map(|one| Data(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Data, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Data(items))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Any answer.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    /// The resources.
    #[serde(default)]
    pub data: Data,
    /// About the list.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
    /// Its neighbours.
    #[serde(default, deserialize_with = "or_default")]
    pub links: Links,
    /// Side-loaded resources.
    #[serde(default)]
    pub included: Data,
}

/// What went wrong, in either of the two shapes of Kustomer facts §6; empty for an empty body.
pub fn error_text(body: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    struct Wrong {
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        title: Option<String>,
        #[serde(default)]
        detail: Option<String>,
    }
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<Wrong>,
    }
    let errors = serde_json::from_slice::<Body>(body)
        .unwrap_or_default()
        .errors;
    let texts: Vec<String> = errors
        .into_iter()
        .map(|e| {
            [e.code, e.message, e.title, e.detail]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(": ")
        })
        .collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Resource {
        serde_json::from_str::<Answer>(text)
            .unwrap()
            .data
            .0
            .remove(0)
    }

    #[test]
    fn an_attribute_of_an_unexpected_type_stays_and_costs_nothing_else() {
        let mut r = resource(
            r#"{"data":{"type":"tag","id":"1","attributes":{"name":7.10,"color":"red","x":null}}}"#,
        );
        assert_eq!(r.attributes.take::<String>("name"), None);
        assert_eq!(r.attributes.take::<String>("color").as_deref(), Some("red"));
        assert_eq!(
            r.attributes.into_rest().collect::<Vec<_>>(),
            [("name".to_owned(), "7.10".to_owned())]
        );
    }

    #[test]
    fn what_is_left_of_nested_attributes_keeps_its_path() {
        let mut r = resource(
            r#"{"data":[{"attributes":{"sla":{"name":"a","version":3},"emails":[{"email":"e","id":"9"}]}}]}"#,
        );
        assert_eq!(
            r.attributes.nested("sla", |sla| sla.take::<String>("name")),
            Some(Some("a".to_owned()))
        );
        assert_eq!(
            r.attributes.each("emails", |e| e.take::<String>("email")),
            ["e"]
        );
        let rest: Vec<_> = r.attributes.into_rest().collect();
        assert_eq!(
            rest,
            [
                ("emails[0].id".to_owned(), "\"9\"".to_owned()),
                ("sla.version".to_owned(), "3".to_owned())
            ]
        );
    }

    #[test]
    fn every_documented_relationship_shape_is_read() {
        let r = resource(
            r#"{"data":{"relationships":{"a":{"data":{"type":"customers","id":"1"}},"b":{"data":[{"type":"x","id":"2"}]},
            "c":{"links":{"self":"/v1/x"}},"d":null,"e":[{"data":{"type":"attachment","id":"3"},"links":{}}],"f":{"data":null},
            "klass":{"link":{"self":"/v1/klasses/order"},"data":{"type":"klass","id":"order"}}}}}"#,
        );
        let ids = |name: &str| {
            r.related(name)
                .into_iter()
                .map(|p| p.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (ids("a"), ids("b"), ids("e"), ids("klass")),
            (
                vec!["1".into()],
                vec!["2".into()],
                vec!["3".into()],
                vec!["order".into()]
            )
        );
        assert!(
            ids("c").is_empty()
                && ids("d").is_empty()
                && ids("f").is_empty()
                && ids("none").is_empty()
        );
    }

    #[test]
    fn an_id_that_is_left_out_is_read_from_the_link() {
        let r = resource(
            r#"{"data":[{"type":"attachment","links":{"self":"/v1/messages/m/attachments/a1?x=1"}}]}"#,
        );
        assert_eq!(r.id(), "a1");
    }

    #[test]
    fn both_shapes_of_errors_are_read_and_an_empty_body_too() {
        assert_eq!(
            error_text(br#"{"errors":[{"code":"bad_request","message":"Invalid.","meta":{}}]}"#),
            "bad_request: Invalid."
        );
        assert_eq!(
            error_text(br#"{"errors":[{"status":"404","title":"Gone","detail":"it"}]}"#),
            "Gone: it"
        );
        assert_eq!(error_text(b""), "");
    }
}
