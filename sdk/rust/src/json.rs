//! Reading JSON with errors that say where, and never what: an answer's content must not reach a log.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// JSON that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {path}: {why}")]
pub struct Misread {
    /// Where in the document: `data[3].attributes.name`; `.` for the whole of it.
    pub path: String,
    /// What was expected there. No content.
    pub why: String,
}

/// What is null counts as missing: for `#[serde(deserialize_with = "or_default")]`, beside `#[serde(default)]`.
///
/// # Errors
/// What is there and is not of the type.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Reads a document. Where one cannot be read it is read again for the place: keeping that costs a text for every name, and
/// nearly every document can be read.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Misread> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| Misread {
        path: e.path().to_string(),
        why: explain(e.inner()),
    })?;
    json.end().map_err(|e| Misread {
        path: ".".to_owned(),
        why: explain(&e),
    })?;
    Ok(value)
}

/// What serde expected, without what it found.
pub(crate) fn explain(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    if !error.is_data() {
        let what = if error.is_eof() {
            "the JSON ends too early"
        } else {
            "no JSON"
        };
        return format!("{what}, {place}");
    }
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    if text.starts_with("missing field ") || text.starts_with("duplicate field ") {
        return format!("{text}, {place}");
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}, {place}"),
        None => format!("not of the expected form, {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Tagged {
        #[serde(default, deserialize_with = "or_default")]
        tags: Vec<String>,
    }

    #[test]
    fn null_is_as_good_as_missing_and_another_type_is_neither() {
        let none = Ok(Tagged { tags: Vec::new() });
        assert_eq!(read::<Tagged>(br#"{"tags": null}"#), none);
        assert_eq!(read::<Tagged>(b"{}"), none);
        let misread = read::<Tagged>(br#"{"tags": 7}"#).unwrap_err();
        assert_eq!(misread.path, "tags");
    }
}
