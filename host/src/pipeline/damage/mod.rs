//! Text that arrived from the source damaged: replacement characters, text read in the wrong encoding ([`mojibake`]), texts cut by
//! the source's API, masked values. It is found as a record is staged and reported; it is never repaired, since what it was before
//! is a guess (rules M-4, I-12).
//!
//! What is kept says where the damage is and what it looks like, and holds nothing of the text: kind, id, field, pattern, and a place
//! counted in characters.
//!
//! Cost: a record of nothing but ASCII is told by one look at its staged form; others are walked once.

pub mod mojibake;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;

use super::extract::unsigned;
use super::model::{DamageExample, DamageGroup};
use crate::blobs::BlobStore;
use crate::contract::description::TextLimit;
use crate::contract::types::{BlobRef, BodySource, Entity, Entry};
use crate::error::Error;
use crate::exported::{create_private_dir, private_file};
use crate::kinds;
use crate::sql;
use crate::store::{Statement, Store};

/// The list of all records with damage, in the run's export folder.
pub const FILE: &str = "text-damage.jsonl";
/// Examples shown of a group.
const EXAMPLES: usize = 3;
/// What masked values are made of.
const MASKS: [char; 5] = ['*', '•', '●', '█', '∗'];
/// So many of them are a mask.
const LEAST_MASK: usize = 3;

/// A damaged text of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Path in the contract's words: `message.text`, `fields.loyaltyTierStr`.
    pub field: String,
    /// Its sort.
    pub what: What,
    /// What it looks like; nothing of the text.
    pub pattern: String,
    /// Where the first is, in characters from 0.
    pub at: u64,
    /// How many there are in the field.
    pub count: u64,
}

/// A sort of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// U+FFFD, which stands for what a program could not read.
    ReplacementCharacter,
    /// Read in another encoding than it was written in.
    Mojibake,
    /// Cut by the source.
    Cut,
    /// Hidden from the credential.
    Masked,
}

impl What {
    /// The word that is stored and printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ReplacementCharacter => "replacement-character",
            Self::Mojibake => "mojibake",
            Self::Cut => "cut",
            Self::Masked => "masked",
        }
    }
}

/// Looks a record over. `staged` is its staged form; `limits` where its source cuts; `stored` reads a text that is kept as a file.
#[must_use]
pub fn scan(
    entry: &Entry,
    staged: &str,
    limits: &[TextLimit],
    stored: &dyn Fn(&BlobRef) -> Option<String>,
) -> Vec<Finding> {
    let mut found = vec![];
    said(entry, &mut found);
    let odd = !staged.is_ascii() || staged.contains("***") || staged.contains("sha256");
    let limited = limits
        .iter()
        .any(|limit| limit.kind == entry.head.kind && staged.len() >= limit.characters as usize);
    if !odd && !limited {
        return found;
    }
    let mut look = Look {
        limits: limits
            .iter()
            .filter(|limit| limit.kind == entry.head.kind)
            .collect(),
        whole: is_whole(entry),
        stored,
        found: &mut found,
    };
    if let Ok(Value::Object(data)) = serde_json::to_value(&entry.data) {
        for inner in data.values() {
            look.value(kinds::name(&entry.head.kind), inner);
        }
    }
    for field in &entry.head.fields {
        if let Ok(value) = serde_json::to_value(&field.value) {
            look.value(&format!("fields.{}", field.name), &value);
        }
    }
    found.sort_by(|a, b| (&a.field, a.what, &a.pattern).cmp(&(&b.field, b.what, &b.pattern)));
    // A list has one row for each field and pattern.
    let mut merged: Vec<Finding> = vec![];
    for finding in found {
        match merged.last_mut() {
            Some(last)
                if (&last.field, last.what, &last.pattern)
                    == (&finding.field, finding.what, &finding.pattern) =>
            {
                last.count += finding.count;
            }
            _ => merged.push(finding),
        }
    }
    merged
}

/// What the source's connector said of the record.
fn said(entry: &Entry, found: &mut Vec<Finding>) {
    if let Entity::Message(message) = &entry.data
        && message.body_source == BodySource::Truncated
    {
        found.push(Finding {
            field: "message.text".into(),
            what: What::Cut,
            pattern: "cut by the source's API, surely or probably".into(),
            at: 0,
            count: 1,
        });
    }
    for loss in &entry.head.losses {
        if loss.note.starts_with("masked") {
            found.push(Finding {
                field: loss.field.clone(),
                what: What::Masked,
                pattern: "masked, says the source's connector".into(),
                at: 0,
                count: 1,
            });
        }
    }
}

/// Whether the source's connector says that a message is there whole, or that it is known not to be.
fn is_whole(entry: &Entry) -> bool {
    match &entry.data {
        Entity::Message(message) => message.body_source != BodySource::Rendering,
        _ => false,
    }
}

/// Members that hold no text of people: ids, places, names of files' types.
const PASSED_OVER: &[&str] = &[
    "id",
    "kind",
    "target",
    "url",
    "sha256",
    "media_type",
    "locator",
    "content_id",
    "message_id",
    "in_reply_to",
    "object_type",
    "locale",
    "language",
    "time_zone",
    "icon",
    "color",
    "avatar_url",
    "icon_url",
    "recording_url",
    "body_url",
    "links",
    "slug",
    // A copy of the newest message.
    "preview",
];

struct Look<'a> {
    limits: Vec<&'a TextLimit>,
    whole: bool,
    stored: &'a dyn Fn(&BlobRef) -> Option<String>,
    found: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn value(&mut self, path: &str, value: &Value) {
        match value {
            Value::String(text) => self.text(path, text),
            Value::Array(items) => items.iter().for_each(|item| self.value(path, item)),
            Value::Object(members) if members.contains_key("sha256") => {
                let blob = serde_json::from_value::<BlobRef>(value.clone()).ok();
                let text = blob.and_then(|blob| match blob.media_type.starts_with("text/") {
                    true => (self.stored)(&blob),
                    false => None,
                });
                if let Some(text) = text {
                    self.text(path, &text);
                }
            }
            Value::Object(members) => {
                for (name, inner) in members {
                    if PASSED_OVER.contains(&name.as_str()) {
                        continue;
                    }
                    // A case of a variant is no step of a path: `{"Inline":"…"}`.
                    match name.starts_with(char::is_uppercase) {
                        true => self.value(path, inner),
                        false => {
                            self.value(&format!("{path}.{}", name.replace('_', "-")), inner);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, path: &str, text: &str) {
        let limit = self.limits.iter().find(|limit| limit.field == path);
        if let Some(limit) = limit
            && !(self.whole && path.starts_with("message."))
            && is_as_long_as(text, limit.characters)
        {
            let pattern = format!(
                "as long as the source's longest, {} characters",
                limit.characters
            );
            self.note(path, What::Cut, pattern, u64::from(limit.characters), 1);
        }
        if let Some(pattern) = mask(path, text) {
            self.note(path, What::Masked, pattern.into(), 0, 1);
            return;
        }
        if text.is_ascii() {
            return;
        }
        if let Some(at) = text.find('\u{fffd}') {
            let count = text.matches('\u{fffd}').count();
            self.note(
                path,
                What::ReplacementCharacter,
                "U+FFFD".into(),
                characters(text, at),
                count as u64,
            );
        }
        if let Some(misread) = mojibake::find(text) {
            self.note(
                path,
                What::Mojibake,
                misread.pattern.into(),
                characters(text, misread.at),
                misread.count as u64,
            );
        }
    }

    fn note(&mut self, path: &str, what: What, pattern: String, at: u64, count: u64) {
        self.found.push(Finding {
            field: path.to_owned(),
            what,
            pattern,
            at,
            count,
        });
    }
}

/// A byte offset in characters.
fn characters(text: &str, at: usize) -> u64 {
    text.get(..at).map_or(0, |before| before.chars().count()) as u64
}

/// Whether a text ends where a limit does, in characters or, since nobody says which are meant, in UTF-16 units.
fn is_as_long_as(text: &str, limit: u32) -> bool {
    let limit = limit as usize;
    if text.len() < limit {
        return false;
    }
    let units = text.encode_utf16().count();
    text.chars().count() == limit || units == limit || units + 1 == limit && text.len() > units
}

/// What kind of mask a value is, if it is one. Texts that people write may be made of stars; names and values are not.
fn mask(path: &str, text: &str) -> Option<&'static str> {
    let written = [
        ".text",
        ".html",
        ".subject",
        ".description",
        ".data",
        ".comments",
    ];
    if written.iter().any(|end| path.contains(end)) {
        return None;
    }
    let text = text.trim();
    let run = |text: &str| {
        let mut longest = 0;
        let mut run = 0;
        for c in text.chars() {
            run = if MASKS.contains(&c) { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest
    };
    let whole = text.chars().count() >= LEAST_MASK && text.chars().all(|c| MASKS.contains(&c));
    if whole {
        return Some("nothing but mask characters");
    }
    // `j***@example.com`. A custom field may hold what the business itself has masked, a card's number.
    let identity = path.ends_with("addresses.value") || path.ends_with("name");
    let partly = identity && !path.starts_with("fields.") && run(text) >= LEAST_MASK;
    partly.then_some("mask characters within")
}

/// What to store with a staged row.
pub fn statements(
    extraction: &str,
    entry: &Entry,
    hash: &str,
    found: &[Finding],
) -> Vec<Statement> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    found
        .iter()
        .map(|finding| {
            sql!(
                "INSERT INTO damage (extraction, kind, id, hash, field, what, pattern, at_char, count_n) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (extraction, kind, id, hash, field, what, pattern) DO NOTHING",
                extraction,
                kinds::name(&entry.head.kind),
                &entry.head.id,
                hash,
                &finding.field,
                finding.what.word(),
                &finding.pattern,
                signed(finding.at),
                signed(finding.count)
            )
        })
        .collect()
}

/// Rows of damage in staged records as they are now.
const ROWS: &str = "SELECT d.kind, d.id, d.field, d.what, d.pattern, d.at_char, d.count_n FROM damage d \
     JOIN staged s ON s.extraction = d.extraction AND s.kind = d.kind AND s.id = d.id AND s.hash = d.hash \
     WHERE d.extraction = $1 ORDER BY d.kind, d.id, d.field, d.what, d.pattern";

/// Damage by kind, field and pattern, the most first.
///
/// # Errors
/// A store error.
pub async fn groups(store: &Store, extraction: &str) -> Result<Vec<DamageGroup>, Error> {
    let mut groups: BTreeMap<[String; 4], DamageGroup> = BTreeMap::new();
    store
        .each(ROWS, vec![extraction.into()], |row| {
            let key: [String; 4] = [
                row.try_get("kind")?,
                row.try_get("field")?,
                row.try_get("what")?,
                row.try_get("pattern")?,
            ];
            let [kind, field, what, pattern] = key.clone();
            let group = groups.entry(key).or_insert_with(|| DamageGroup {
                kind,
                field,
                what,
                pattern,
                records: 0,
                examples: vec![],
            });
            group.records += 1;
            if group.examples.len() < EXAMPLES {
                group.examples.push(DamageExample {
                    id: row.try_get("id")?,
                    at: unsigned(row.try_get("at_char")?),
                    count: unsigned(row.try_get("count_n")?),
                });
            }
            Ok::<(), Error>(())
        })
        .await?;
    let mut groups: Vec<DamageGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.records));
    Ok(groups)
}

/// One line of the list.
#[derive(Serialize)]
struct Listed {
    kind: String,
    id: String,
    field: String,
    what: String,
    pattern: String,
    at: u64,
    count: u64,
}

/// Writes the list of all records with damage to a run's export folder; nothing where there are none.
///
/// # Errors
/// A store error, a folder that cannot be written.
pub async fn export(store: &Store, extraction: &str, folder: &Path) -> Result<(), Error> {
    let mut text = Vec::new();
    store
        .each(ROWS, vec![extraction.into()], |row| {
            let line = Listed {
                kind: row.try_get("kind")?,
                id: row.try_get("id")?,
                field: row.try_get("field")?,
                what: row.try_get("what")?,
                pattern: row.try_get("pattern")?,
                at: unsigned(row.try_get("at_char")?),
                count: unsigned(row.try_get("count_n")?),
            };
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
            Ok::<(), Error>(())
        })
        .await?;
    if text.is_empty() {
        return Ok(());
    }
    create_private_dir(folder)?;
    let (path, partial) = (folder.join(FILE), folder.join(format!("{FILE}.partial")));
    let io = |error| Error::io("write the list of damaged texts", &path, error);
    let mut file = private_file(&partial).map_err(io)?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(io)
}

/// Reads texts that are kept as files.
pub fn reader(blobs: &BlobStore) -> impl Fn(&BlobRef) -> Option<String> + '_ {
    |blob| {
        let bytes = blobs.read_all(blob).ok()?;
        String::from_utf8(bytes).ok()
    }
}

#[cfg(test)]
mod tests;
