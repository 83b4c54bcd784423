//! JSON with files in it, as the pieces that the host puts together.

use serde::Serialize;
use serde_json::Value;

use super::Piece;
use crate::types::BlobRef;

/// The text of a value up to the first file, the file, the text up to the next, and so on.
///
/// # Errors
/// In words for the connector's author: no JSON, or a pointer that leads nowhere.
pub(super) fn json<'b, P: AsRef<str>>(
    value: &(impl Serialize + ?Sized),
    files: impl IntoIterator<Item = (P, &'b BlobRef)>,
) -> Result<Vec<Piece>, String> {
    let no_json =
        |error: serde_json::Error| format!("the body is no JSON: {}", crate::json::explain(&error));
    let mut value = serde_json::to_value(value).map_err(no_json)?;
    let files: Vec<(P, &BlobRef)> = files.into_iter().collect();
    let mark = mark(&serde_json::to_string(&value).map_err(no_json)?);
    for (number, (pointer, _)) in files.iter().enumerate() {
        let pointer = pointer.as_ref();
        let place = value
            .pointer_mut(pointer)
            .ok_or_else(|| format!("the body has no place {pointer} for a file"))?;
        *place = Value::String(format!("{mark}{number}"));
    }
    let text = serde_json::to_string(&value).map_err(no_json)?;
    // Each is followed by its number and the quote that ends it. A file whose place another one took is not among them.
    let mut parts = text.split(&mark);
    let mut pieces = vec![bytes(parts.next().unwrap_or_default())];
    for part in parts {
        let (number, rest) = part.split_at(part.find('"').unwrap_or(part.len()));
        let file = number.parse().ok().and_then(|n: usize| files.get(n));
        let (_, blob) = file.ok_or("a file of the body has no number")?;
        pieces.push(Piece::Base64((*blob).clone()));
        pieces.push(bytes(rest));
    }
    if pieces.len() != 2 * files.len() + 1 {
        return Err("two files of the body have one place".to_owned());
    }
    Ok(pieces)
}

fn bytes(text: &str) -> Piece {
    Piece::Bytes(text.as_bytes().to_vec())
}

/// More dashes in a row than a text has anywhere, whoever wrote it.
fn mark(text: &str) -> String {
    let others = text.split(|c| c != '-').map(str::len);
    "-".repeat(others.max().unwrap_or(0) + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn blob(name: &str) -> BlobRef {
        BlobRef {
            sha256: name.to_owned(),
            size: 3,
            media_type: "image/png".to_owned(),
        }
    }

    /// The pieces as text, files in angle brackets.
    fn shown(value: &Value, files: &[(&str, BlobRef)]) -> Result<String, String> {
        let files = files.iter().map(|(pointer, blob)| (*pointer, blob));
        let pieces = json(value, files)?;
        let text = pieces.into_iter().map(|piece| match piece {
            Piece::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Piece::Base64(blob) => format!("<{}>", blob.sha256),
            Piece::Blob(_) => "a blob as it is".to_owned(),
        });
        Ok(text.collect())
    }

    #[test]
    fn files_stand_where_their_pointers_lead() {
        let value =
            json!({"files": [{"data": null, "name": "a"}, {"data": "", "name": "b"}], "text": "t"});
        let files = [("/files/1/data", blob("b1")), ("/files/0/data", blob("a1"))];
        assert_eq!(
            shown(&value, &files).as_deref(),
            Ok(r#"{"files":[{"data":"<a1>","name":"a"},{"data":"<b1>","name":"b"}],"text":"t"}"#)
        );
        assert_eq!(
            shown(&json!(null), &[("", blob("x"))]).as_deref(),
            Ok("\"<x>\"")
        );
        assert_eq!(shown(&value, &[]), Ok(value.to_string()));
    }

    #[test]
    fn no_text_of_a_record_is_taken_for_a_file() {
        let first = mark("");
        let texts = [
            first.clone(),
            format!("{first}0"),
            format!("{first}-{first}--0"),
            "\"--1\" \\u002d ä\n---".to_owned(),
        ];
        for text in texts {
            let value = json!({"data": null, "text": text});
            let sent = shown(&value, &[("/data", blob("a1"))]);
            let expected = format!("{{\"data\":\"<a1>\",\"text\":{}}}", json!(text));
            assert_eq!(sent, Ok(expected));
        }
    }

    #[test]
    fn a_file_without_a_place_or_two_in_one_are_said() {
        let value = json!({"files": [null]});
        for pointer in ["/files/1", "/other", "files/0"] {
            let said = shown(&value, &[(pointer, blob("a1"))]).unwrap_err();
            assert!(said.contains(pointer), "{said}");
        }
        let twice = [("/files/0", blob("a1")), ("/files/0", blob("b1"))];
        assert!(shown(&value, &twice).is_err());
    }
}
