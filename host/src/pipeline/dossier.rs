//! What a report page is made from, beside the sums: the plan, the pace, owners, files, what was touched, the chain's head.
//!
//! All of it is read from the store, so that whoever has the store can make it again: that is how a page is checked
//! ([`check`]). Rows that are as many as the run has records are read one by one and never held.
//!
//! Cost: a page reads the ledger, the staged conversations and the chain once each.

mod check;
mod csv;
mod read;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::model::{LossGroup, Notice, PlanDanger, PlanField, PlanKind, RunReport};
use crate::kinds;
use crate::report::form;

pub use check::{Difference, PageCheck, PageHead, check};
pub use csv::{id_map, rejects, rejects_text};
pub use read::{give_out, read};

/// Everything that a page says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// When it was read, ms.
    pub made_at: i64,
    /// Whether single records are named. Without, ids, links, names and reasons are left out; every count stays.
    pub content: bool,
    /// The run: sums, rejects, losses, requests.
    pub report: RunReport,
    /// The connectors.
    pub plugins: Vec<PluginUsed>,
    /// The end of the ledger's chain before anything else was read: what is shown is at least as new.
    pub head: ChainHead,
    /// What happened when.
    pub timeline: Timeline,
    /// Rejected records, the first [`MOST_REJECTED`] of them.
    pub rejected: Vec<Rejected>,
    /// Agents, and who they are at the destination.
    pub owners: Owners,
    /// Attachments by outcome.
    pub files: Vec<FileSum>,
    /// Objects of the destination that were touched.
    pub objects: Vec<ObjectSum>,
    /// The plan that was approved, where it is stored.
    pub plan: Option<Planned>,
}

/// A connector that a run is pinned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginUsed {
    /// `source` or `destination`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// sha-256 of the component, hex.
    pub digest: String,
}

/// The last link of the ledger's chain. Each link covers the outcomes of one commit, and the link before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// How many links there are.
    pub links: i64,
    /// The last one's hash, hex; empty where there is none.
    pub hash: String,
}

/// What happened when, in equal steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// When the first step begins, ms.
    pub from: i64,
    /// How long a step is, ms.
    pub step_ms: i64,
    /// Records that got their outcome in each step and are at the destination.
    pub arrived: Vec<u64>,
    /// Records that were skipped or exported.
    pub aside: Vec<u64>,
    /// Records that were rejected.
    pub rejected: Vec<u64>,
    /// Requests, source first.
    pub connections: Vec<ConnectionPace>,
}

/// Requests of a connection over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionPace {
    /// Its name.
    pub connection: String,
    /// `source` or `destination`.
    pub role: String,
    /// Requests in each step.
    pub sent: Vec<u64>,
    /// Of the fullest limit, how much was used in each step, in percent of our share; none where nothing was sent.
    pub fullest: Vec<Option<u64>>,
    /// The limit that was the fullest most often.
    pub rule: Option<String>,
}

/// A rejected record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// The kind.
    pub kind: String,
    /// Source id.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Where it is at the source.
    pub url: String,
    /// Why.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// Agents of the source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// How many there are.
    pub all: u64,
    /// How many of them are at the destination.
    pub known: u64,
    /// Conversations whose first assignee is at the destination.
    pub conversations_known: u64,
    /// Conversations whose first assignee is not, and somebody stands in.
    pub conversations_other: u64,
    /// Those who are not known first, then by conversations; at most [`MOST_OWNERS`].
    pub list: Vec<Owner>,
}

/// An agent of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Source id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `matched`, `created` …; empty where nothing was decided.
    pub outcome: String,
    /// The destination's id.
    pub target: Option<String>,
    /// Where a person finds them there.
    pub url: Option<String>,
    /// Conversations of which they are the first assignee.
    pub conversations: u64,
}

/// Attachments with one outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileSum {
    /// The outcome.
    pub outcome: String,
    /// How many.
    pub files: u64,
    /// How many of them were fetched from the source.
    pub fetched: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// Objects of one sort at the destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectSum {
    /// The destination's word for it.
    pub target_kind: String,
    /// Made by this run.
    pub created: u64,
    /// Were there, changed.
    pub updated: u64,
    /// Were there, left.
    pub matched: u64,
    /// Taken back by a rollback.
    pub undone: u64,
}

/// What is held of a plan against what happened. Read from a stored plan, whose other parts do not matter here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Its digest.
    pub digest: String,
    /// Kinds.
    #[serde(default)]
    pub kinds: Vec<PlanKind>,
    /// Fields that were said not to travel exactly.
    #[serde(default)]
    pub losses: Vec<PlanField>,
    /// Side effects that were named.
    #[serde(default)]
    pub side_effects: Vec<Notice>,
    /// Dangers that needed a yes.
    #[serde(default)]
    pub dangers: Vec<PlanDanger>,
    /// Calls to the source.
    pub source_calls: u64,
    /// Calls to the destination.
    pub destination_calls: u64,
    /// By the limits, ms.
    pub forecast_ms: u64,
}

/// Rejected records that a page holds itself; a file of their own has all.
pub const MOST_REJECTED: usize = 1_000;
/// Agents that a page lists.
pub const MOST_OWNERS: usize = 500;

impl Dossier {
    /// As [`report::without_content`](crate::report::without_content): what points at single records, names people or was
    /// written about them is taken out; every count stays.
    #[must_use]
    pub fn without_content(mut self) -> Self {
        self.content = false;
        self.report = crate::report::without_content(self.report);
        self.rejected.clear();
        self.owners.list.clear();
        if let Some(plan) = &mut self.plan {
            for loss in &mut plan.losses {
                loss.note = loss.note.as_deref().map(form);
            }
        }
        self
    }
}

impl Planned {
    /// The field of the plan that a loss falls under; `*` is for those of a kind that are not named. Both may be written with
    /// their kind before them, as a message's are on its conversation; a kind alone is the record itself.
    #[must_use]
    pub fn foresaw(&self, loss: &LossGroup) -> Option<&PlanField> {
        let (kind, field) = of_kind(&loss.kind, &loss.field);
        let covers = |planned: &str| {
            field.is_empty()
                || field == planned
                || field
                    .strip_prefix(planned)
                    .is_some_and(|rest| rest.starts_with(['.', '/', ':', '[', ' ']))
        };
        let planned = || {
            self.losses
                .iter()
                .map(|planned| (planned, of_kind(&planned.kind, &planned.field)))
                .filter(|(_, (of, _))| *of == kind)
        };
        planned()
            .find(|(_, (_, field))| covers(field))
            .or_else(|| planned().find(|(_, (_, field))| *field == "*"))
            .map(|(planned, _)| planned)
    }
}

/// A field's kind, and its path within it.
fn of_kind<'a>(kind: &'a str, field: &'a str) -> (&'a str, &'a str) {
    let known = |word: &str| kinds::ALL.iter().any(|kind| kinds::name(kind) == word);
    match field.split_once('.') {
        Some((kind, field)) if known(kind) => (kind, field),
        None if known(field) => (field, ""),
        _ => (kind, field),
    }
}
