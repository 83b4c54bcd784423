//! The connection's settings, and what `discover` leaves for later calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::files::Details;
use crate::map::{Bodies, Known};

/// The settings as JSON Schema.
pub const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["org", "token"],
  "properties": {
    "org": {
      "type": "string", "pattern": "^[A-Za-z0-9-]+$",
      "description": "The organisation: the first part of the address people sign in at, acme for acme.kustomerapp.com."
    },
    "token": {
      "type": "string", "writeOnly": true, "minLength": 1,
      "description": "An API key with reading roles only (Settings > Security > API keys)."
    },
    "base_url": {
      "type": "string", "format": "uri",
      "description": "Another API address than https://<org>.api.kustomerapp.com."
    },
    "bodies": {
      "type": "string", "enum": ["cut", "all", "never"], "default": "cut",
      "description": "Which messages' whole bodies are asked for, where Kustomer has them: those that look cut, all (a request for each message), none."
    },
    "attachment_details": {
      "type": "string", "enum": ["read", "open"], "default": "read",
      "description": "Names and sizes of files: read (a request for a hundred messages), or not at all."
    },
    "old_note_files": {
      "type": "string", "enum": ["auto", "each", "off"], "default": "auto",
      "description": "Files of notes untouched for two years: auto (where the notes name them; else a request for each such note, if Kustomer lists files of notes), each (a request for each such note), none."
    },
    "merges": {
      "type": "string", "enum": ["recent", "each", "off"], "default": "recent",
      "description": "Customers merged into others: those in the audit log (12 months), all (a request for each customer), none."
    },
    "forwards": {
      "type": "boolean", "default": false,
      "description": "Read forwards as internal notes (a request for each conversation)."
    }
  }
}"#;

/// Which bodies are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedBodies {
    /// Of messages that look cut.
    #[default]
    Cut,
    /// Of all.
    All,
    /// Of none.
    Never,
}

/// Which merges are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedMerges {
    /// Those of the audit log.
    #[default]
    Recent,
    /// Those of every customer.
    Each,
    /// None.
    Off,
}

/// For which notes of more than two years files are looked up, where the notes do not name them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OldNoteFiles {
    /// For all, if Kustomer is known to list files of notes.
    #[default]
    Auto,
    /// For all.
    Each,
    /// For none.
    Off,
}

/// The settings.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// The organisation.
    pub org: String,
    /// Which bodies.
    #[serde(default)]
    pub bodies: WantedBodies,
    /// Which details of files.
    #[serde(default)]
    pub attachment_details: Details,
    /// Which files of old notes.
    #[serde(default)]
    pub old_note_files: OldNoteFiles,
    /// Which merges.
    #[serde(default)]
    pub merges: WantedMerges,
    /// Whether forwards are read.
    #[serde(default)]
    pub forwards: bool,
}

/// A klass as far as reading needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Klass {
    /// Its name, as in paths.
    pub name: String,
    /// What people see.
    pub label: String,
    /// `enabled`, `existing_only`, `disabled`.
    pub status: String,
}

/// How files of notes are found; no document says (Kustomer facts §14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteFiles {
    /// No note of the last two years has any, so there was nothing to try.
    #[default]
    Unknown,
    /// Notes name them, as messages do.
    Named,
    /// Only a list below each note knows them.
    Listed,
    /// There is no way.
    Hidden,
}

/// What `discover` found, for `partitions` and `read`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// For mapping.
    #[serde(default)]
    pub known: Known,
    /// All klasses.
    #[serde(default)]
    pub klasses: Vec<Klass>,
    /// What is behind `links.related`.
    #[serde(default)]
    pub bodies: Bodies,
    /// How files of notes are found.
    #[serde(default)]
    pub note_files: NoteFiles,
    /// A company's parent, by the company's id.
    #[serde(default)]
    pub parents: BTreeMap<String, String>,
    /// Rows in each index, by `<context>/<index>`.
    #[serde(default)]
    pub totals: BTreeMap<String, u64>,
}
