//! Which key an object type of the source has here.
//!
//! The key of a custom object that was deleted may stay reserved (Zendesk facts §11), so that a type that is loaded again after a
//! rollback cannot have it: then it gets the next one, `order_2`, `order_3`, … Which one that was is read from the account, where the
//! description of each object says what it stands for.

use transload_sdk::Context;
use transload_sdk::types::{Error, Kind};

use super::schema::is_of_another;
use crate::api::{CustomObject, Refusal};
use crate::{client, map};

/// Keys that are tried before a type is refused: one more for each time that the type was deleted.
const KEYS: usize = 30;

/// Object types as the account has them.
#[derive(Debug)]
pub struct Keys {
    there: Vec<CustomObject>,
    /// What markers of object types begin with.
    prefix: String,
}

impl Keys {
    /// Reads them; none where the account has no custom objects.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn read(cx: &Context) -> Result<Self, Error> {
        let there = client::find_member(cx, "/api/v2/custom_objects", "custom_objects").await?;
        Ok(Self {
            there: there.unwrap_or_default(),
            prefix: format!("{}{}:", cx.marker_prefix(), Kind::ObjectType.word()),
        })
    }

    /// The keys that a type may have, in the order in which they are tried.
    pub fn candidates(object_type: &str) -> impl Iterator<Item = String> {
        let first = map::key(object_type);
        (1..=KEYS).map(move |n| match n {
            1 => first.clone(),
            n => format!("{first}_{n}"),
        })
    }

    /// The key of a type that is there: its first, whoever made that, else one that was made for it.
    pub fn known(&self, object_type: &str) -> Option<String> {
        let marker = format!("{}{object_type}", self.prefix);
        Self::candidates(object_type)
            .enumerate()
            .find(|(at, key)| {
                let there = self.there.iter().find(|object| object.key == *key);
                there.is_some_and(|object| {
                    *at == 0 || !is_of_another_or_none(object.description.as_deref(), &marker)
                })
            })
            .map(|(_, key)| key)
    }

    /// The same; of one that is not there its first, so that a refusal can name it.
    pub fn of(&self, object_type: &str) -> String {
        self.known(object_type)
            .unwrap_or_else(|| map::key(object_type))
    }
}

/// Whether a description does not say that the object was made for a marker.
fn is_of_another_or_none(description: Option<&str>, marker: &str) -> bool {
    !description.is_some_and(|text| text.contains(super::DESCRIBED))
        || is_of_another(description, marker)
}

/// Whether a key was refused because it is, or was, another object's.
pub fn is_taken(refusal: &Refusal) -> bool {
    refusal.details.iter().any(|(field, words, class)| {
        field == "key" && (class.as_deref() == Some("DuplicateValue") || words.contains("taken"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(objects: &[(&str, &str)]) -> Keys {
        let object = |(key, description): &(&str, &str)| CustomObject {
            key: (*key).to_owned(),
            title: String::new(),
            description: Some((*description).to_owned()),
        };
        Keys {
            there: objects.iter().map(object).collect(),
            prefix: "kustomer:acme:object-type:".to_owned(),
        }
    }

    #[test]
    fn a_type_has_its_first_key_or_the_one_that_was_made_for_it() {
        assert_eq!(there(&[]).known("order"), None);
        assert_eq!(there(&[]).of("order"), "order");
        let own = there(&[("order", "Orders"), ("order_2", "Other orders")]);
        assert_eq!(own.known("order").as_deref(), Some("order"));
        let ours = there(&[
            ("order_2", "Other orders"),
            (
                "order_3",
                "Migrated: kustomer:acme:object-type:order (run r2)",
            ),
        ]);
        assert_eq!(ours.known("order").as_deref(), Some("order_3"));
        let others = there(&[(
            "order_2",
            "Migrated: kustomer:acme:object-type:order_2 (run r1)",
        )]);
        assert_eq!(others.known("order"), None);
        assert_eq!(others.known("order_2").as_deref(), Some("order_2"));
    }

    #[test]
    fn a_key_that_is_reserved_is_known_by_its_refusal() {
        let said = |field: &str, class: &str| Refusal {
            status: 422,
            details: vec![(
                field.to_owned(),
                "Key: …".to_owned(),
                Some(class.to_owned()),
            )],
            ..Refusal::default()
        };
        assert!(is_taken(&said("key", "DuplicateValue")));
        assert!(!is_taken(&said("key", "InvalidValue")));
        assert!(!is_taken(&said("title", "DuplicateValue")));
    }
}
