//! What a plan knows from the records that were read: what it shows beside the rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A record that shows something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Source id.
    pub id: String,
    /// What it has there, cut short; never the text of a message.
    pub value: Option<String>,
}

/// A guess that a person has to say yes to, in `[map]` or by `--accept-all`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// What it would be.
    pub target: String,
    /// From 0 to 1.
    pub confidence: f64,
    /// In words.
    pub reason: String,
}

/// Why a value becomes what it does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// From 0 to 1; `None` where somebody said so.
    pub confidence: Option<f64>,
    /// In words.
    pub words: String,
    /// Records that have the value, of those that were read.
    pub records: u64,
}

/// What will become of the records of a kind. Of what is read it is counted; else it is the source's own count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Records that this was counted on: those that are read, or 0 where nothing of the kind is.
    pub read: u64,
    /// Made.
    pub created: u64,
    /// Found there, or one who stands in.
    pub matched: u64,
    /// Left out by a rule.
    pub skipped: u64,
    /// Refused, for sure.
    pub rejected: u64,
    /// Written to the export folder.
    pub exported: u64,
    /// Of how many records the destination was asked whether it has them; what is `matched` beyond them is reckoned.
    pub asked: u64,
}

/// A team, tag, brand or object type, and what it is at the destination.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanName {
    /// The kind.
    pub kind: String,
    /// Source id.
    pub id: String,
    /// Its name at the source.
    pub name: String,
    /// Its name at the destination.
    pub target: String,
    /// `there`; `new`, of what the destination does not have; `unknown` where it does not say what it has: found or made by name.
    pub state: String,
    /// From 0 to 1, for what is there.
    pub confidence: Option<f64>,
    /// Why, in words.
    pub reason: String,
    /// What it could be, where that is a guess.
    pub perhaps: Option<Guess>,
    /// Records that carry it, of those that were read; `None` where that is not counted.
    pub records: Option<u64>,
}

/// Records that will be refused, or may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// The kind.
    pub kind: String,
    /// The field, in the contract's words.
    pub field: String,
    /// Why, in one sentence.
    pub cause: String,
    /// What to do.
    pub remedy: String,
    /// Whether it is sure; else it is the destination's to say.
    pub sure: bool,
    /// How many.
    pub records: u64,
    /// Some of them, at most three.
    pub examples: Vec<Example>,
}

/// What a person should look at: nothing is refused, but somebody may want it otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Stable: `channel`, `nested-value`, `value-form`, `field-type`, `same-person`, `agent-as-customer`, `no-customer`, `tag-unused` …
    pub code: String,
    /// What it is about: a field, a channel.
    pub subject: String,
    /// In one sentence.
    pub message: String,
    /// How many records.
    pub records: u64,
    /// Some of them, at most three.
    pub examples: Vec<Example>,
}

/// How many of something a record has where a platform takes fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Most {
    /// The kind.
    pub kind: String,
    /// `tags`, `assignees`, `teams`, `channels`, `messages`, `files`, `fields`.
    pub what: String,
    /// The most that one record has.
    pub most: u64,
    /// Which one.
    pub id: String,
    /// Records with more than one.
    pub several: u64,
    /// What happens beyond what fits, by the destination's own words, where it has some.
    pub rule: Option<String>,
}

/// The files that were read of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// How many.
    pub count: u64,
    /// Bytes together, of those whose size is known.
    pub bytes: u64,
    /// The largest one.
    pub largest: u64,
    /// How many the source says no size of.
    pub unknown_size: u64,
}

/// What was found in the records that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Records read, by kind.
    pub read: BTreeMap<String, u64>,
    /// Whether that is all there is; else what is said of records holds for those that are read.
    pub complete: bool,
    /// Records that will be refused or may be, sure ones first.
    pub foreseen: Vec<Foreseen>,
    /// What a person should look at.
    pub flags: Vec<Flag>,
    /// Where a record has several of what a platform may take fewer of.
    pub most: Vec<Most>,
    /// Files.
    pub files: FileSum,
    /// Records by channel, conversations' and messages' own.
    pub channels: BTreeMap<String, u64>,
}

/// A rate limit, and how long the calls take under it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanLimit {
    /// The connection.
    pub connection: String,
    /// Its name.
    pub name: String,
    /// What it applies to: method and path.
    pub applies: String,
    /// Requests, or what the platform counts, in a window.
    pub limit: u64,
    /// The window, ms.
    pub per_ms: u64,
    /// The share of it that we may use, over a week.
    pub share: f64,
    /// Calls that fall under it, as far as that can be told.
    pub calls: Option<u64>,
    /// How long those take, ms.
    pub ms: Option<u64>,
}

/// A limit of the destination's account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAllowance {
    /// The platform's word.
    pub name: String,
    /// Used now.
    pub used: Option<u64>,
    /// All there is.
    pub limit: Option<u64>,
    /// What the migration adds, where that can be told.
    pub adds: Option<u64>,
}

/// What somebody who pays for the migration must know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPoint {
    /// `source`, `licences`, `features`, `storage`, `updates`, `time`, `contract`, `gotcha`.
    pub topic: String,
    /// In one or two sentences.
    pub text: String,
}
