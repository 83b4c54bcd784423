//! Where in `migration.toml` something is, and what is wrong there.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml_edit::{Document, TableLike};

/// A position in the file; line and column count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line; 0 where the file as a whole is meant.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}:{}", self.file.display(), self.column),
        }
    }
}

impl Place {
    /// The file as a whole.
    pub fn file(file: &Path) -> Self {
        Self {
            file: Arc::from(file),
            line: 0,
            column: 0,
        }
    }

    /// The start of a span of bytes in `text`.
    pub(super) fn of_span(file: &Path, text: &str, span: Option<Range<usize>>) -> Self {
        let Some(span) = span else {
            return Self::file(file);
        };
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            file: Arc::from(file),
            line: count(before.matches('\n').count() + 1),
            column: count(before.get(line_start..).unwrap_or("").chars().count() + 1),
        }
    }

    /// The key at `path`, or the deepest table on the way to it.
    pub(super) fn of_key(file: &Path, text: &str, path: &[&str]) -> Self {
        let mut span = None;
        if let Ok(document) = Document::parse(text) {
            let mut table: Option<&dyn TableLike> = Some(document.as_table());
            for name in path {
                let Some((key, item)) = table.and_then(|t| t.get_key_value(name)) else {
                    break;
                };
                span = key.span().or_else(|| item.span()).or(span);
                table = item.as_table_like();
            }
        }
        Self::of_span(file, text, span)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The line a span begins on, with a caret under it.
pub(super) fn snippet(text: &str, place: &Place, span: Option<Range<usize>>) -> String {
    let Some(line) = place
        .line
        .checked_sub(1)
        .and_then(|n| text.lines().nth(n as usize))
    else {
        return String::new();
    };
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    // Tabs stay tabs, so that the caret stands where a terminal puts the character.
    let indent: String = line
        .chars()
        .take(place.column.saturating_sub(1) as usize)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let rest = line
        .chars()
        .count()
        .saturating_sub(indent.chars().count())
        .max(1);
    let marked = span
        .and_then(|s| {
            text.get(s)
                .map(|marked| marked.lines().next().unwrap_or("").chars().count())
        })
        .unwrap_or(1)
        .clamp(1, rest);
    format!(
        "{margin} |\n{number} | {line}\n{margin} | {indent}{}",
        "^".repeat(marked)
    )
}

/// What is wrong with `migration.toml`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such file.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// It could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML.
    #[error("{place}: not valid TOML: {message}\n{snippet}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
        /// The line with a caret.
        snippet: String,
    },
    /// A key that means nothing here.
    #[error("{place}: unknown key `{key}`")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
        /// Every key known there.
        known: Vec<String>,
    },
    /// A value that cannot be.
    #[error("{place}: {key}: {message}")]
    Value {
        /// Where.
        place: Place,
        /// Full name of the key: `budget.share`.
        key: String,
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A name that no connection has.
    #[error("{place}: {key}: there is no connection \"{name}\"")]
    UnknownConnection {
        /// Where.
        place: Place,
        /// Who names it: `migration.to`, `--to`.
        key: String,
        /// The name.
        name: String,
        /// The connections there are.
        known: Vec<String>,
    },
    /// A secret written into the file. The value is not repeated here.
    #[error("{place}: {key} is a secret and must not stand in the file")]
    LiteralSecret {
        /// Where.
        place: Place,
        /// Full name of the setting: `connections.acme-desk.api_token`.
        key: String,
    },
    /// A secret that is not where the file says.
    #[error("{place}: {key}: {problem}")]
    MissingSecret {
        /// Where.
        place: Place,
        /// Full name of the setting: `connections.acme-desk.api_token`.
        key: String,
        /// What was not found.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// The plugin describes its settings by something that is no JSON Schema.
    #[error("the plugin {plugin} describes its settings by a broken schema: {message}")]
    Schema {
        /// The plugin.
        plugin: String,
        /// What the validator says.
        message: String,
    },
    /// Nobody said where packages are.
    #[error(
        "no folder for plugins: neither --registry, TRANSLOAD_REGISTRY nor a home folder is there"
    )]
    NoRegistry,
}

impl ConfigError {
    /// Stable name, for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "config-missing",
            Self::Io { .. } => "io",
            Self::Syntax { .. } => "config-syntax",
            Self::UnknownKey { .. } => "config-unknown-key",
            Self::Value { .. } => "config-value",
            Self::UnknownConnection { .. } => "config-unknown-connection",
            Self::LiteralSecret { .. } => "config-literal-secret",
            Self::MissingSecret { .. } => "config-missing-secret",
            Self::Schema { .. } => "plugin-schema",
            Self::NoRegistry => "no-registry",
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(_) => Some(
                "`transload init` writes one; `--project DIR` names the folder it is in".to_owned(),
            ),
            Self::Io { .. } => {
                Some("check the owner and the rights of this file and its folder".to_owned())
            }
            Self::Syntax { .. } => Some("mend the line that is shown".to_owned()),
            Self::UnknownKey {
                nearest: Some(nearest),
                ..
            } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownKey { known, .. } if known.is_empty() => {
                Some("no key is known here: take it out".to_owned())
            }
            Self::UnknownKey { known, .. } => Some(format!("known here: {}", known.join(", "))),
            Self::Value { hint, .. } => hint.clone(),
            Self::UnknownConnection { name, known, .. } => Some(match nearest(name, known) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None if known.is_empty() => format!("add a section [connections.{name}]"),
                None => format!("there are: {}", known.join(", ")),
            }),
            Self::LiteralSecret { key, .. } => {
                let setting = key.rsplit('.').next().unwrap_or(key);
                Some(format!(
                    "write {setting} = \"env:NAME\" (a variable of the environment) or {setting} = \
                     \"file:PATH\" (a file that only you can read), and replace the secret: it was in clear \
                     text"
                ))
            }
            Self::MissingSecret { hint, .. } => Some(hint.clone()),
            Self::Schema { .. } => {
                Some("tell the plugin's author, or take another version".to_owned())
            }
            Self::NoRegistry => Some("name one with --registry DIR".to_owned()),
        }
    }

    /// True if the file is well and the machine is not.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::NoRegistry)
    }
}

/// The known name most like `name`, if one is like it at all.
pub(super) fn nearest(name: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k.clone())
}
