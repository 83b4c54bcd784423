//! What destinations have in common when they read back what they wrote.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};

use crate::Context;
use crate::destination::{Observed, Written};
use crate::http::HttpError;
use crate::types::{Entity, Entry, Error, Field, Kind, Value};

/// Files that are read at once.
const AT_ONCE: usize = 6;

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A path at the connection's base URL, or an absolute URL.
    pub url: String,
    /// Without the connection's credential: signed links, other people's hosts.
    pub anonymous: bool,
}

impl Place {
    /// Where a file's locator says, which is a signed address: the platform's own credential does not go there.
    pub fn signed(entry: &Entry) -> Option<Self> {
        Some(Self {
            url: locator(entry)?.to_owned(),
            anonymous: true,
        })
    }
}

/// What tells where an attachment is.
pub fn locator(entry: &Entry) -> Option<&str> {
    match &entry.data {
        Entity::Attachment(attachment) => attachment.locator.as_deref(),
        _ => None,
    }
}

/// A value of a field as a platform's JSON has it: a list is one of choices.
pub fn value(json: &serde_json::Value) -> Value {
    let word =
        |one: &serde_json::Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    match json {
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Bool(flag) => Value::Boolean(*flag),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Value::Decimal(number.to_string()), Value::Integer),
        serde_json::Value::Array(list) => Value::Choices(list.iter().map(word).collect()),
        other => Value::Json(other.to_string()),
    }
}

/// A field by the address that it has at the platform, which is all that is known of its name.
pub fn field(address: &str, json: &serde_json::Value) -> Field {
    Field {
        name: address.to_owned(),
        value: value(json),
        target: Some(address.to_owned()),
    }
}

/// Reads back what was written, all of one kind of object together: `read` gives what became of some whose main effect is on that
/// kind, in their order. Gives all in theirs.
///
/// # Errors
/// What `read` fails with.
pub async fn by_kind(
    written: &[Written],
    read: impl AsyncFn(&str, &[&Written]) -> Result<Vec<Observed>, Error>,
) -> Result<Vec<Observed>, Error> {
    let mut kinds: BTreeMap<&str, (Vec<usize>, Vec<&Written>)> = BTreeMap::new();
    for (place, one) in written.iter().enumerate() {
        let kind = one.main().map_or("", |effect| effect.target_kind.as_str());
        let (places, some) = kinds.entry(kind).or_default();
        places.push(place);
        some.push(one);
    }
    let mut observed = BTreeMap::new();
    for (kind, (places, some)) in kinds {
        observed.extend(places.into_iter().zip(read(kind, &some).await?));
    }
    Ok(observed.into_values().collect())
}

/// Reads the bytes of the files that were read back, so that the host can compare them by their hash. `place` says where an attachment's
/// are. A file that cannot be had, since its host is not granted or it is gone, keeps no content, and is compared by name and size.
///
/// # Errors
/// What ends a unit.
pub async fn with_bytes(
    cx: &Context,
    observed: &mut [Observed],
    place: impl Fn(&Entry) -> Option<Place>,
) -> Result<(), Error> {
    let entries = observed.iter_mut().filter_map(|one| one.body.as_mut());
    let files = entries
        .flat_map(|body| &mut body.entries)
        .filter(|entry| entry.head.kind == Kind::Attachment);
    let wanted = files.filter_map(|entry| place(entry).map(|place| (entry, place)));
    let read = stream::iter(wanted).map(|(entry, place)| async move {
        let request = cx.http().get(place.url.as_str());
        let request = if place.anonymous {
            request.anonymous()
        } else {
            request
        };
        match request.download().await {
            Ok((reply, blob)) if (200..300).contains(&reply.status()) => {
                if let Entity::Attachment(attachment) = &mut entry.data {
                    attachment.size = Some(blob.size);
                    attachment.content = Some(blob);
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(
                error @ (HttpError::Cancelled | HttpError::Quota(_) | HttpError::Unauthorized(_)),
            ) => Err(error.into()),
            Err(_) => Ok(()),
        }
    });
    let all: Vec<Result<(), Error>> = read.buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::executor::block_on;
    use serde_json::json;

    use super::*;
    use crate::destination::Presence;
    use crate::effects::effect;
    use crate::ledger::Action;

    #[test]
    fn what_is_read_by_kind_comes_in_the_order_in_which_it_was_written() {
        let one = |item: &str, kind: Option<&str>| Written {
            item: item.to_owned(),
            kind: Kind::Customer,
            effects: kind
                .map(|kind| effect("main", kind, item, Action::Created))
                .into_iter()
                .collect(),
        };
        let written = [
            one("a", Some("user")),
            one("b", None),
            one("c", Some("lead")),
            one("d", Some("user")),
        ];
        let asked = RefCell::new(Vec::new());
        let read = async |kind: &str, some: &[&Written]| {
            asked.borrow_mut().push((kind.to_owned(), some.len()));
            let found = |one: &&Written| one.found(Presence::Present, None);
            Ok(some.iter().map(found).collect())
        };
        let observed = block_on(by_kind(&written, read)).unwrap();
        let items: Vec<&str> = observed.iter().map(|one| one.item.as_str()).collect();
        assert_eq!(items, ["a", "b", "c", "d"]);
        let asked = asked.take();
        let asked: Vec<(&str, usize)> = asked.iter().map(|(k, n)| (k.as_str(), *n)).collect();
        assert_eq!(asked, [("", 1), ("lead", 1), ("user", 2)]);
    }

    #[test]
    fn a_value_is_what_the_json_says() {
        let cases = [
            (json!("x"), Value::Text("x".to_owned())),
            (json!(true), Value::Boolean(true)),
            (json!(7), Value::Integer(7)),
            (json!(7.5), Value::Decimal("7.5".to_owned())),
            (
                json!(["a", 2]),
                Value::Choices(vec!["a".to_owned(), "2".to_owned()]),
            ),
            (json!({"a": 1}), Value::Json("{\"a\":1}".to_owned())),
        ];
        for (json, expected) in cases {
            assert_eq!(value(&json), expected);
        }
        let field = field("tier", &json!("gold"));
        assert_eq!(field.target.as_deref(), Some("tier"));
        assert_eq!(field.name, "tier");
    }

    #[test]
    fn a_signed_address_is_read_without_the_platforms_credential() {
        let mut file = crate::testing::items::file("f1", "a.txt", 1);
        assert_eq!(Place::signed(&file), None);
        if let Entity::Attachment(attachment) = &mut file.data {
            attachment.locator = Some("https://files.example/1".to_owned());
        }
        let place = Place::signed(&file).unwrap();
        assert_eq!(
            (place.url.as_str(), place.anonymous),
            ("https://files.example/1", true)
        );
    }
}
