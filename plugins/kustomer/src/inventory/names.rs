//! What ids stand for: settings refer to tags, people, teams and each other by id, which tells a person nothing.

use std::collections::BTreeMap;

use transload_sdk::types::{Kind, Reference};

use crate::schema::Resources;

/// Something that settings refer to.
#[derive(Clone, Debug)]
struct Thing {
    kind: Kind,
    name: String,
}

/// Names by id, and labels of custom attributes.
#[derive(Debug, Default)]
pub struct Names {
    things: BTreeMap<String, Thing>,
    aliases: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    fields: Resources,
}

impl Names {
    /// With the custom attributes that are defined.
    pub fn new(fields: Resources) -> Self {
        Self {
            fields,
            ..Self::default()
        }
    }

    /// Learns a name.
    pub fn add(&mut self, kind: Kind, id: &str, name: &str) {
        if id.is_empty() {
            return;
        }
        if kind == Kind::Tag {
            self.tags.insert(name.to_owned(), id.to_owned());
        }
        let thing = Thing {
            kind,
            name: name.to_owned(),
        };
        self.things.insert(id.to_owned(), thing);
    }

    /// Another id of something whose name is known.
    pub fn also(&mut self, id: &str, of: &str) {
        self.aliases.insert(id.to_owned(), of.to_owned());
    }

    fn thing(&self, id: &str) -> Option<(&str, &Thing)> {
        let id = self.aliases.get(id).map_or(id, String::as_str);
        self.things
            .get_key_value(id)
            .map(|(id, thing)| (id.as_str(), thing))
    }

    /// What an id stands for: `tag “vip”`.
    pub fn words(&self, id: &str) -> Option<String> {
        let (_, thing) = self.thing(id)?;
        Some(format!("{} “{}”", kind_words(&thing.kind), thing.name))
    }

    /// What an id refers to.
    pub fn reference(&self, id: &str) -> Option<Reference> {
        let (id, thing) = self.thing(id)?;
        Some(Reference {
            name: Some(thing.name.clone()),
            ..Reference::new(thing.kind.clone(), id.to_owned())
        })
    }

    /// The tag of a name: what is written may name tags (Kustomer facts §9.9).
    pub fn tag(&self, name: &str) -> Option<Reference> {
        let id = self.tags.get(name)?;
        self.reference(id)
    }

    /// The label of a custom attribute of a resource (`customer`, `kobject.order`), if it is defined.
    pub fn label(&self, resource: &str, name: &str) -> Option<&str> {
        let (name, definition) = self.fields.get(resource)?.get_key_value(name)?;
        Some(definition.label.as_deref().unwrap_or(name))
    }

    /// A custom attribute as a reference, if it is defined.
    pub fn field(&self, resource: &str, name: &str) -> Option<Reference> {
        let label = self.label(resource, name)?.to_owned();
        let owner = match resource.strip_prefix("kobject.") {
            Some(klass) => format!("custom-object:{klass}"),
            None => match resource {
                "user" => "agent".to_owned(),
                other => other.to_owned(),
            },
        };
        let id = format!("{owner}/{name}");
        Some(Reference {
            name: Some(label),
            ..Reference::new(Kind::FieldDefinition, id)
        })
    }

    /// The klass that a name begins with, the longest of them, and what follows: `ecomm-order_placedAt`.
    pub fn klass<'a>(&'a self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let klasses = self
            .fields
            .keys()
            .filter_map(|resource| resource.strip_prefix("kobject."));
        klasses
            .filter_map(|klass| Some((klass, text.strip_prefix(klass)?.strip_prefix('_')?)))
            .max_by_key(|(klass, _)| klass.len())
    }
}

/// What a kind is called here.
fn kind_words(kind: &Kind) -> String {
    match kind {
        Kind::Agent => "user".to_owned(),
        Kind::ObjectType => "klass".to_owned(),
        kind => kind.word().replace('-', " "),
    }
}
