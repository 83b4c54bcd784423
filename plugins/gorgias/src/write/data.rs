//! The JSON document on a customer that widgets show (Gorgias facts §7), of which one member is ours.
//!
//! It is replaced as a whole: so it is read before, what others have in it is kept, and it is read afterwards, since a document
//! whose version is older than what is there is dropped in silence.

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::http::{self, Refusal as _, key};
use transload_sdk::links::Written;
use transload_sdk::types::Error;

use super::SETTLE_MS;
use crate::client::{self, Looked, Sent};
use crate::map;

/// Our member.
pub const OURS: &str = "transload";

/// The document of a customer; `None` where the customer is gone or was merged.
///
/// # Errors
/// What ends the unit.
pub async fn read(cx: &Context, customer: &str) -> Result<Option<Value>, Error> {
    Ok(match client::customer(cx, customer).await? {
        Looked::There(customer) => Some(customer.data),
        Looked::Gone | Looked::Merged => None,
    })
}

/// What stands at a path below our member.
pub fn get<'d>(data: &'d Value, path: &[&str]) -> Option<&'d Value> {
    let ours = data.get(OURS)?;
    path.iter().try_fold(ours, |at, name| at.get(name))
}

/// The document with a value at a path below our member; a null takes it out, and what is empty then.
pub fn set(data: &Value, path: &[&str], value: Value) -> Value {
    let mut full = vec![OURS];
    full.extend(path);
    put(data, &full, value)
}

fn put(at: &Value, path: &[&str], value: Value) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return value;
    };
    let mut members: Map<String, Value> = at.as_object().cloned().unwrap_or_default();
    let below = members.get(*first).cloned().unwrap_or_default();
    let below = put(&below, rest, value);
    let is_empty = below.is_null() || below.as_object().is_some_and(Map::is_empty);
    if is_empty {
        members.remove(*first);
    } else {
        members.insert((*first).to_owned(), below);
    }
    if members.is_empty() && !at.as_object().is_some_and(Map::is_empty) {
        return Value::Null;
    }
    Value::Object(members)
}

/// Replaces a document, and sees that it was kept. `item` is the key's, `*` where it serves several.
///
/// # Errors
/// What ends the unit.
pub async fn write(
    cx: &Context,
    (item, part): (&str, &str),
    customer: &str,
    data: &Value,
) -> Result<Written, Error> {
    let mut last = Written::Unknown;
    for step in ["update", "update-again"] {
        let mut body = json!({"data": data});
        // The second time without a version, which is then the account's own time.
        if let (Some(body), "update") = (body.as_object_mut(), step) {
            body.insert("version".to_owned(), json!(map::stamp(cx.now())));
        }
        let key = key(item, part, step);
        let path = format!("/customers/{customer}/data");
        let request = cx.http().repeatable("PUT", path, key.clone()).json(&body);
        match http::write(request).await? {
            Sent::Refused(refusal) => return Ok(Written::Refused(refusal.rejection())),
            Sent::Doubt(_) => {
                cx.sleep(SETTLE_MS).await;
                last = Written::Unknown;
            }
            Sent::Done(_) => {
                let why = "Gorgias did not keep the document of the customer".to_owned();
                last = Written::Refused(Error::Conflict(why));
            }
        }
        if read(cx, customer).await?.as_ref() == Some(data) {
            return Ok(Written::Done(key));
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_and_leaves_nothing_behind() {
        for before in [Value::Null, json!({"shop": {"vip": true}})] {
            let one = set(&before, &["objects", "order", "o1"], json!({"title": "x"}));
            let two = set(&one, &["links"], json!("a"));
            assert_eq!(
                get(&two, &["objects", "order", "o1", "title"]),
                Some(&json!("x"))
            );
            assert_eq!(two.get("shop"), before.get("shop"));
            let back = set(&two, &["links"], Value::Null);
            assert_eq!(back, one);
            assert_eq!(set(&back, &["objects", "order", "o1"], Value::Null), before);
        }
    }
}
