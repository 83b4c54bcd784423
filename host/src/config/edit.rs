//! Changes to `migration.toml` that leave everything the user wrote as it is: comments, order, spelling.
//!
//! Only what is missing is added; the file is read again first, so an edit made meanwhile is not lost, and replaced in one
//! step.

use std::io::Write;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, value};

use super::place::{ConfigError, Place};
use super::{Config, FieldTarget};

/// What `plan` proposes for `[map]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MapProposal {
    /// Value maps.
    pub values: Vec<ProposedValue>,
    /// Custom fields.
    pub fields: Vec<ProposedField>,
}

/// A value of the source and what it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedValue {
    /// `conversation`
    pub kind: String,
    /// `status`
    pub slot: String,
    /// The source's value.
    pub value: String,
    /// The destination's; `None` leaves it to the user, and is an error until they say (rule M-2).
    pub target: Option<String>,
    /// Said behind it: why, how sure, what there is to choose from.
    pub comment: Option<String>,
}

/// A custom field and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedField {
    /// `customer/loyaltyTierStr`
    pub field: String,
    /// Where it goes.
    pub target: FieldTarget,
    /// Said behind it.
    pub comment: Option<String>,
}

impl Config {
    /// Adds to `[map]` what is not there yet and writes the file; returns how many entries were added, and is then as if
    /// loaded again. What the user wrote is never changed.
    ///
    /// # Errors
    /// The file cannot be read or written, or was changed into something wrong meanwhile.
    pub fn write_map(&mut self, proposal: &MapProposal) -> Result<usize, ConfigError> {
        self.edit(|document| {
            let mut added = 0;
            for field in &proposal.fields {
                let Some(at) = table_at(document.as_table_mut(), &["map", "fields"]) else {
                    continue;
                };
                let target = match &field.target {
                    FieldTarget::Make(make) => value(*make),
                    FieldTarget::Existing(name) => value(name.as_str()),
                };
                added += add(at, &field.field, target, field.comment.as_deref());
            }
            for proposed in &proposal.values {
                let path = ["map", &proposed.kind, &proposed.slot];
                let Some(at) = table_at(document.as_table_mut(), &path) else {
                    continue;
                };
                let target = value(proposed.target.as_deref().unwrap_or(""));
                added += add(at, &proposed.value, target, proposed.comment.as_deref());
            }
            added
        })
    }

    /// Adds codes of notices to `[migration] accept`; returns how many were new.
    ///
    /// # Errors
    /// As [`Config::write_map`].
    pub fn write_accepted(&mut self, codes: &[String]) -> Result<usize, ConfigError> {
        self.edit(|document| {
            let Some(at) = table_at(document.as_table_mut(), &["migration"]) else {
                return 0;
            };
            let list = at
                .table
                .entry("accept")
                .or_insert_with(|| value(toml_edit::Array::new()));
            let Some(list) = list.as_array_mut() else {
                return 0;
            };
            let mut added = 0;
            for code in codes {
                if !list.iter().any(|known| known.as_str() == Some(code)) {
                    list.push(code.as_str());
                    added += 1;
                }
            }
            added
        })
    }

    fn edit(
        &mut self,
        change: impl FnOnce(&mut DocumentMut) -> usize,
    ) -> Result<usize, ConfigError> {
        let now = Config::load(&self.path)?;
        let mut document: DocumentMut =
            now.text
                .parse()
                .map_err(|e: toml_edit::TomlError| ConfigError::Syntax {
                    place: Place::of_span(&self.path, &now.text, e.span()),
                    message: e.message().to_owned(),
                    snippet: String::new(),
                })?;
        let added = change(&mut document);
        let edited = match added {
            0 => now,
            _ => {
                let edited = Config::parse(&self.path, document.to_string())?;
                replace(&self.path, &edited.text).map_err(|source| ConfigError::Io {
                    doing: "write",
                    path: self.path.clone(),
                    source,
                })?;
                edited
            }
        };
        // What the command line said of the ends and of the registry stays.
        let migration = std::mem::replace(self, edited).migration;
        self.migration.from = migration.from;
        self.migration.to = migration.to;
        self.migration.registry = migration.registry;
        Ok(added)
    }
}

/// A table to add to; a table on one line takes no comments.
struct Spot<'a> {
    table: &'a mut dyn TableLike,
    inline: bool,
}

/// The table at `path`, made where it is missing. `None` if something else stands there.
fn table_at<'a>(root: &'a mut Table, path: &[&str]) -> Option<Spot<'a>> {
    let mut table: &mut dyn TableLike = root;
    let mut inline = false;
    for (depth, name) in path.iter().enumerate() {
        let last = depth + 1 == path.len();
        let item = table.entry(name).or_insert_with(|| {
            let mut new = Table::new();
            // `[map]` itself need not be written above `[map.fields]`.
            new.set_implicit(!last);
            Item::Table(new)
        });
        inline |= item.is_inline_table();
        table = item.as_table_like_mut()?;
    }
    Some(Spot { table, inline })
}

/// Adds a key where there is none; returns 1 if it did.
fn add(at: Spot<'_>, name: &str, mut to: Item, comment: Option<&str>) -> usize {
    if at.table.contains_key(name) {
        return 0;
    }
    if let (Some(value), Some(comment), false) = (to.as_value_mut(), comment, at.inline) {
        let comment: String = comment
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        value.decor_mut().set_suffix(format!(" # {comment}"));
    }
    at.table.entry_format(&Key::new(name)).or_insert(to);
    1
}

/// Replaces a file's text in one step: after a crash there is the old text or the new one. Keeps the file's rights.
pub(crate) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = (|| {
        let mut file = std::fs::File::create(&new)?;
        if let Ok(old) = std::fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    })();
    if written.is_err() {
        // Best effort: the reason for the failure is what counts.
        let _ = std::fs::remove_file(&new);
    }
    written
}
