//! Stable hashes: the same for the same value, on every machine and in every run.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Result;

/// SHA-256, in hexadecimal, of a value as canonical JSON: members sorted by name, no white space. For `effect.fingerprint`,
/// which is compared with what is read back (rule D-11), so give it what the platform stores, not what was sent.
///
/// Numbers are hashed as serde_json writes them: put decimals in as strings where their digits matter.
///
/// # Errors
/// `bug` where the value is no JSON (a map whose keys are no strings).
pub fn fingerprint<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    let mut text = String::new();
    write(&serde_json::to_value(value)?, &mut text)?;
    Ok(sha256(text.as_bytes()))
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn write(value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (name, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(name)?);
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
        scalar => out.push_str(&serde_json::to_string(scalar)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_does_not_matter_and_the_order_of_items_does() {
        let one = fingerprint(&json!({"b": [1, 2], "a": {"y": null, "x": "ü"}})).unwrap();
        let same = fingerprint(&json!({"a": {"x": "ü", "y": null}, "b": [1, 2]})).unwrap();
        let other = fingerprint(&json!({"a": {"x": "ü", "y": null}, "b": [2, 1]})).unwrap();
        assert_eq!(one, same);
        assert_ne!(one, other);
    }

    #[test]
    fn the_hash_is_that_of_the_canonical_text() {
        let expected = sha256("{\"a\":1,\"b\":\"\\\"\"}".as_bytes());
        assert_eq!(fingerprint(&json!({"b": "\"", "a": 1})).unwrap(), expected);
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
