//! Changes to `migration.toml` that leave everything the user wrote as it is: comments, order, spelling, line ends.
//!
//! Policy: lines are put into the text, and nothing of the text is ever written anew; so what was there is there afterwards,
//! byte for byte, whatever form of TOML it has. Only what is missing is added. The file is read again first, so an edit made
//! meanwhile is not lost, and replaced in one step.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, InlineTable, Item, Key, Table, Value};

use super::place::{ConfigError, Place};
use super::{Config, FieldTarget};

/// What `plan` proposes for `[map]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MapProposal {
    /// Value maps.
    pub values: Vec<ProposedValue>,
    /// Custom fields.
    pub fields: Vec<ProposedField>,
    /// Agents of the source, for `[people.agents]`.
    pub agents: Vec<ProposedAgent>,
}

impl MapProposal {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.values.len() + self.fields.len() + self.agents.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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

/// An agent of the source and who that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedAgent {
    /// The source's, by e-mail address or id.
    pub agent: String,
    /// The destination's, by e-mail address or id; `None` leaves it to the user.
    pub target: Option<String>,
    /// Said behind it.
    pub comment: Option<String>,
}

/// An entry to add to a table.
struct Entry {
    /// The key, as it is meant.
    key: String,
    /// The value, as TOML.
    value: String,
    /// Said behind it.
    comment: Option<String>,
}

impl Config {
    /// Adds to `[map]` and `[people.agents]` what is not there yet and writes the file; returns how many entries were added, and
    /// is then as if loaded again. What the user wrote is never changed; an empty value (`""`) is a question, and is answered where
    /// the proposal has an answer.
    ///
    /// # Errors
    /// The file cannot be read or written, or was changed into something wrong meanwhile.
    pub fn write_map(&mut self, proposal: &MapProposal) -> Result<usize, ConfigError> {
        let mut tables: Vec<(Vec<&str>, Vec<Entry>)> = vec![];
        let mut add = |path, entry| match tables.iter_mut().find(|(at, _)| *at == path) {
            Some((_, entries)) => entries.push(entry),
            None => tables.push((path, vec![entry])),
        };
        for proposed in &proposal.values {
            let entry = Entry {
                key: proposed.value.clone(),
                value: quoted(proposed.target.as_deref().unwrap_or("")),
                comment: proposed.comment.clone(),
            };
            add(vec!["map", &proposed.kind, &proposed.slot], entry);
        }
        for field in &proposal.fields {
            let entry = Entry {
                key: field.field.clone(),
                value: match &field.target {
                    FieldTarget::Make(make) => make.to_string(),
                    FieldTarget::Existing(name) => quoted(name),
                },
                comment: field.comment.clone(),
            };
            add(vec!["map", "fields"], entry);
        }
        for agent in &proposal.agents {
            let entry = Entry {
                key: agent.agent.clone(),
                value: quoted(agent.target.as_deref().unwrap_or("")),
                comment: agent.comment.clone(),
            };
            add(vec!["people", "agents"], entry);
        }
        self.edit(|mut text| {
            let mut added = 0;
            for (path, entries) in &tables {
                added += answer(&mut text, path, entries)?;
                added += insert(&mut text, path, entries)?;
            }
            Ok((text, added))
        })
    }

    /// Adds codes of notices to `[migration] accept`; returns how many were new.
    ///
    /// # Errors
    /// As [`Config::write_map`].
    pub fn write_accepted(&mut self, codes: &[String]) -> Result<usize, ConfigError> {
        self.edit(|mut text| {
            let mut new: Vec<&String> = vec![];
            let spot = {
                let document = parsed(&text)?;
                let list = document
                    .get("migration")
                    .and_then(|table| table.get("accept"))
                    .and_then(Item::as_array);
                let known = |code: &String| {
                    list.is_some_and(|list| list.iter().any(|old| old.as_str() == Some(code)))
                };
                for code in codes {
                    if !known(code) && !new.contains(&code) {
                        new.push(code);
                    }
                }
                list.and_then(|list| {
                    let last = list
                        .iter()
                        .filter_map(Value::span)
                        .map(|span| span.end)
                        .max();
                    let inside = list.span().map(|span| span.start + 1);
                    last.map(|at| (at, ", ")).or(inside.map(|at| (at, "")))
                })
            };
            let words = new
                .iter()
                .map(|code| quoted(code))
                .collect::<Vec<_>>()
                .join(", ");
            match spot {
                _ if new.is_empty() => {}
                Some((at, before)) => text.insert_str(at, &format!("{before}{words}")),
                None => {
                    let entry = Entry {
                        key: "accept".to_owned(),
                        value: format!("[{words}]"),
                        comment: None,
                    };
                    insert(&mut text, &["migration"], &[entry])?;
                }
            }
            Ok((text, new.len()))
        })
    }

    fn edit(
        &mut self,
        change: impl FnOnce(String) -> Result<(String, usize), Wrong>,
    ) -> Result<usize, ConfigError> {
        let now = Config::load(&self.path)?;
        let (text, added) = change(now.text.clone()).map_err(|wrong| wrong.of(&now))?;
        let edited = match added {
            0 => now,
            _ => {
                let edited = Config::parse(&self.path, text)?;
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

/// Why entries cannot be added.
enum Wrong {
    /// The text is no TOML, as the parser says.
    Syntax(String, Option<Range<usize>>),
    /// The table of this path is written in a form that nothing can be added to.
    Form(Vec<String>),
}

impl Wrong {
    fn of(self, config: &Config) -> ConfigError {
        match self {
            Self::Syntax(message, span) => ConfigError::Syntax {
                place: Place::of_span(&config.path, &config.text, span),
                message,
                snippet: String::new(),
            },
            Self::Form(path) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                config.wrong(
                    &path,
                    "nothing can be added to it as it is written",
                    Some(format!("write it as a table of its own: {}", header(&path))),
                )
            }
        }
    }
}

fn parsed(text: &str) -> Result<Document<&str>, Wrong> {
    Document::parse(text).map_err(|e| Wrong::Syntax(e.message().to_owned(), e.span()))
}

/// Where entries of a table go.
enum Spot {
    /// Lines of their own from here, each with this before its key.
    Lines(usize, Vec<String>),
    /// Into a table on one line, from here; whether it is empty.
    Inline(usize, Vec<String>, bool),
    /// A table of its own at the end.
    NewTable,
}

/// Adds what is missing to the table at `path`, making it where it is missing; returns how many entries that were.
fn insert(text: &mut String, path: &[&str], entries: &[Entry]) -> Result<usize, Wrong> {
    let form = || Wrong::Form(path.iter().map(|name| (*name).to_owned()).collect());
    let (spot, missing) = {
        let document = parsed(text)?;
        let missing: Vec<&Entry> = entries
            .iter()
            .filter(|entry| !has(document.as_table(), path, &entry.key))
            .collect();
        (
            spot(document.as_table(), path, text).ok_or_else(form)?,
            missing,
        )
    };
    if missing.is_empty() {
        return Ok(0);
    }
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines = |prefix: &[String]| -> String {
        missing
            .iter()
            .map(|entry| format!("{}{newline}", line(prefix, entry, true)))
            .collect()
    };
    match spot {
        Spot::Lines(at, prefix) => {
            let ended = text
                .get(..at)
                .is_none_or(|before| before.is_empty() || before.ends_with('\n'));
            let gap = if ended { "" } else { newline };
            text.insert_str(at, &format!("{gap}{}", lines(&prefix)));
        }
        Spot::Inline(at, prefix, empty) => {
            let words: Vec<String> = missing
                .iter()
                .map(|entry| line(&prefix, entry, false))
                .collect();
            let words = words.join(", ");
            text.insert_str(
                at,
                &match empty {
                    true => format!(" {words} "),
                    false => format!(", {words}"),
                },
            );
        }
        Spot::NewTable => {
            if !(text.is_empty() || text.ends_with('\n')) {
                text.push_str(newline);
            }
            text.push_str(&format!("{newline}{}{newline}{}", header(path), lines(&[])));
        }
    }
    // A table of an unforeseen form: better nothing than an entry somewhere else.
    let document = parsed(text).map_err(|_| form())?;
    match missing
        .iter()
        .all(|entry| has(document.as_table(), path, &entry.key))
    {
        true => Ok(missing.len()),
        false => Err(form()),
    }
}

/// Answers what stands there as a question, `""`; returns how many were.
fn answer(text: &mut String, path: &[&str], entries: &[Entry]) -> Result<usize, Wrong> {
    let mut spans: Vec<(Range<usize>, &Entry)> = {
        let document = parsed(text)?;
        let open = |entry: &Entry| {
            let mut item = document.as_table().get(path.first()?)?;
            for name in path.iter().skip(1).chain([&entry.key.as_str()]) {
                item = item.get(name)?;
            }
            item.span().filter(|_| item.as_str() == Some(""))
        };
        entries
            .iter()
            .filter(|entry| entry.value != "\"\"")
            .filter_map(|entry| Some((open(entry)?, entry)))
            .collect()
    };
    // From the end, so that the places before stay where they are.
    spans.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, entry) in &spans {
        text.replace_range(span.clone(), &entry.value);
    }
    Ok(spans.len())
}

/// `key = value # comment`
fn line(prefix: &[String], entry: &Entry, comments: bool) -> String {
    let key: Vec<String> = prefix
        .iter()
        .chain([&entry.key])
        .map(|name| Key::new(name.as_str()).to_string())
        .collect();
    let comment = entry.comment.as_ref().filter(|_| comments).map(|text| {
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        format!(" # {text}")
    });
    format!(
        "{} = {}{}",
        key.join("."),
        entry.value,
        comment.unwrap_or_default()
    )
}

fn header(path: &[&str]) -> String {
    let names: Vec<String> = path
        .iter()
        .map(|name| Key::new(*name).to_string())
        .collect();
    format!("[{}]", names.join("."))
}

fn quoted(text: &str) -> String {
    // On one line, whatever is in it: a JSON string is a basic string of TOML.
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007F")
}

fn has(root: &Table, path: &[&str], key: &str) -> bool {
    let mut item = root.get(path.first().copied().unwrap_or_default());
    for name in path.iter().skip(1).chain([&key]) {
        item = item.and_then(|item| item.get(name));
    }
    item.is_some()
}

/// Finds the place for entries of the table at `path`; `None` if something else stands there.
fn spot(root: &Table, path: &[&str], text: &str) -> Option<Spot> {
    let names = |from: usize| -> Vec<String> {
        path.iter()
            .skip(from)
            .map(|name| (*name).to_owned())
            .collect()
    };
    let mut table = root;
    // How much of the path the header above it says.
    let mut headed = 0;
    for (depth, name) in path.iter().enumerate() {
        match table.get(name) {
            Some(Item::Table(next)) => {
                table = next;
                if !next.is_dotted() {
                    headed = depth + 1;
                }
            }
            Some(Item::Value(Value::InlineTable(inline))) => {
                return spot_inline(inline, path.get(depth + 1..)?);
            }
            Some(_) => return None,
            // A table made by the dots of a key takes no header.
            None if table.is_dotted() => break,
            None => return Some(Spot::NewTable),
        }
    }
    if table.is_implicit() && !table.is_dotted() {
        return Some(Spot::NewTable);
    }
    let after = end_of_values(table).or_else(|| table.span().map(|span| span.start))?;
    let at = match text.get(after..)?.find('\n') {
        Some(newline) => after + newline + 1,
        None => text.len(),
    };
    Some(Spot::Lines(at, names(headed)))
}

fn spot_inline(outer: &InlineTable, path: &[&str]) -> Option<Spot> {
    let mut home = outer;
    let mut table = outer;
    let mut headed = 0;
    for (depth, name) in path.iter().enumerate() {
        match table.get(name) {
            Some(Value::InlineTable(next)) => {
                table = next;
                if !next.is_dotted() {
                    home = next;
                    headed = depth + 1;
                }
            }
            Some(_) => return None,
            None => break,
        }
    }
    let prefix = path
        .iter()
        .skip(headed)
        .map(|name| (*name).to_owned())
        .collect();
    match end_of_inline(home) {
        Some(end) => Some(Spot::Inline(end, prefix, false)),
        None => Some(Spot::Inline(home.span()?.start + 1, prefix, true)),
    }
}

/// Where the last value ends that stands under this table's header.
fn end_of_values(table: &Table) -> Option<usize> {
    table
        .iter()
        .filter_map(|(_, item)| match item {
            Item::Value(value) => value.span().map(|span| span.end),
            Item::Table(inner) if inner.is_dotted() => end_of_values(inner),
            _ => None,
        })
        .max()
}

fn end_of_inline(table: &InlineTable) -> Option<usize> {
    table
        .iter()
        .filter_map(|(_, value)| match value {
            Value::InlineTable(inner) if inner.is_dotted() => end_of_inline(inner),
            value => value.span().map(|span| span.end),
        })
        .max()
}

/// Replaces a file's text in one step: after a crash there is the old text or the new one. Keeps the file's rights.
pub(crate) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // What a link points to is replaced, not the link.
    let path = &path.canonicalize()?;
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
