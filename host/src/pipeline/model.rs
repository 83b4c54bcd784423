//! What the pipeline's functions return: plain values that `cli` prints and `--json` writes as they are.
//!
//! Kinds are written in the contract's words: `customer`, `custom-object`. Times are ms since 1970-01-01T00:00:00Z.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod evidence;
pub use evidence::*;
use tokio_util::sync::CancellationToken;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Caution,
    /// Stops a run until mended or accepted.
    Danger,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Who says so: a connection's name, or `plan`.
    pub from: String,
    /// Stable, for scripts and for `accept`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
}

/// One connection, looked at by `check`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionCheck {
    /// Its name in `migration.toml`.
    pub connection: String,
    /// `source` or `destination`.
    pub role: String,
    /// `name@version`.
    pub plugin: String,
    /// sha-256 of the component, hex.
    pub digest: String,
    /// Stable id of the account (rule D-12).
    pub account: String,
    /// The account's name.
    pub account_name: String,
    /// Where a person finds it.
    pub url: Option<String>,
    /// Plan or edition, where known.
    pub tier: Option<String>,
    /// Whom the credential acts as.
    pub user: Option<String>,
    /// Rights that are needed and missing.
    pub missing_rights: Vec<String>,
    /// Rights beyond need (rule M-5).
    pub excess_rights: Vec<String>,
    /// Hosts the connector may reach.
    pub hosts: Vec<String>,
    /// What else there is to know.
    pub notices: Vec<Notice>,
}

/// What `check` found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Source first.
    pub connections: Vec<ConnectionCheck>,
    /// False if a right is missing or a notice is `danger`.
    pub ok: bool,
}

/// One kind in a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanKind {
    /// The kind.
    pub kind: String,
    /// How many there are, by the source's own counters.
    pub count: Option<u64>,
    /// `exact`, `at-least`, `estimate`, `unknown`.
    pub certainty: String,
    /// How it arrives: `created`, `matched`, `exported`, `not loaded`, in one short sentence.
    pub arrival: String,
    /// Calls to the source for reading it.
    pub source_calls: u64,
    /// Calls to the destination for writing it.
    pub destination_calls: u64,
    /// What will become of its records.
    #[serde(default)]
    pub forecast: Forecast,
}

/// How a field travels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanField {
    /// The kind it sits on.
    pub kind: String,
    /// Path in the contract's words.
    pub field: String,
    /// `exact`, `converted`, `lost`; the worse of both sides.
    pub how: String,
    /// Why.
    pub note: Option<String>,
    /// `source` or `destination`: whose limit it is.
    pub side: String,
    /// Records that have something in it, of those that were read; `None` where that cannot be told.
    #[serde(default)]
    pub records: Option<u64>,
    /// Some of them, at most three.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// A custom field and where it goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanCustomField {
    /// `customer/loyaltyTierStr`
    pub field: String,
    /// Its type here.
    pub field_type: String,
    /// `made`, or the name of an existing field it maps to, or `left out`.
    pub target: String,
    /// From 0 to 1 for a proposed match.
    pub confidence: Option<f64>,
    /// Why that, in words.
    #[serde(default)]
    pub reason: String,
    /// What it could go into, where that is a guess that somebody has to decide.
    #[serde(default)]
    pub perhaps: Option<Guess>,
    /// Records that have a value, of those that were read.
    #[serde(default)]
    pub records: u64,
}

/// A value mapping of one slot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanValueMap {
    /// `conversation.status`
    pub slot: String,
    /// Source value to destination value.
    pub values: BTreeMap<String, String>,
    /// Source values met without a mapping or a fallback: errors until mapped (rule M-2).
    pub unmapped: Vec<String>,
    /// Why a value becomes what it does, by source value.
    #[serde(default)]
    pub reasons: BTreeMap<String, Reason>,
}

/// What `plan` says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// sha-256 of everything below, hex: what `--accept` names.
    pub digest: String,
    /// Both sides.
    pub check: CheckReport,
    /// Kinds in load order.
    pub kinds: Vec<PlanKind>,
    /// Fields that do not travel exactly.
    pub losses: Vec<PlanField>,
    /// Custom fields.
    pub custom_fields: Vec<PlanCustomField>,
    /// Value mappings.
    pub values: Vec<PlanValueMap>,
    /// Agents of the source: matched by e-mail, or who stands in.
    pub agents: Vec<PlanAgent>,
    /// Teams, tags, brands and object types: what each is there.
    #[serde(default)]
    pub names: Vec<PlanName>,
    /// What was found in the records that are read.
    #[serde(default)]
    pub evidence: Evidence,
    /// The rate limits of both sides, and how long the calls take under each.
    #[serde(default)]
    pub limits: Vec<PlanLimit>,
    /// Limits of the destination's account.
    #[serde(default)]
    pub allowances: Vec<PlanAllowance>,
    /// What somebody who pays for this must know.
    #[serde(default)]
    pub points: Vec<PlanPoint>,
    /// Side effects at the destination.
    pub side_effects: Vec<Notice>,
    /// What to know before running.
    pub notices: Vec<Notice>,
    /// Everything of severity `danger` among check, side effects and notices: a run needs a yes to each.
    pub dangers: Vec<PlanDanger>,
    /// Calls to the source.
    pub source_calls: u64,
    /// Calls to the destination.
    pub destination_calls: u64,
    /// By the rate limits and our share of them, ms.
    pub forecast_ms: u64,
    /// What stops a run.
    pub errors: Vec<String>,
}

/// A danger, and whether `[migration] accept` takes it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDanger {
    /// What it is.
    #[serde(flatten)]
    pub notice: Notice,
    /// Taken on by its code.
    pub accepted: bool,
}

/// One agent in a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanAgent {
    /// Source id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `active`, `deactivated`, `pending`.
    pub state: String,
    /// The destination's agent, if one has the same address.
    pub target: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Why that one, in words.
    #[serde(default)]
    pub reason: String,
    /// Who it could be, where that is a guess that somebody has to decide.
    #[serde(default)]
    pub perhaps: Option<Guess>,
}

/// The sum of one kind (rule M-6): `expected = read + explained + shortfall` and
/// `read = created + updated + matched + skipped + rejected + exported + unsettled + open`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KindSum {
    /// The kind.
    pub kind: String,
    /// By the source's own counters.
    pub expected: u64,
    /// Distinct records staged.
    pub read: u64,
    /// Rows of the source that are no record of ours, by reason.
    pub explained: BTreeMap<String, u64>,
    /// Expected and neither read nor explained.
    pub shortfall: u64,
    /// Made by us.
    pub created: u64,
    /// Were there, changed by us.
    pub updated: u64,
    /// Were there, left.
    pub matched: u64,
    /// By a rule the user wrote.
    pub skipped: u64,
    /// Refused, with a reason.
    pub rejected: u64,
    /// Written to the export folder.
    pub exported: u64,
    /// Fate unknown (rule D-3).
    pub unsettled: u64,
    /// Not yet tried.
    pub open: u64,
    /// Undone by a rollback.
    pub undone: u64,
}

/// Rejects of one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectGroup {
    /// The kind.
    pub kind: String,
    /// One sentence without record content. Where many differ in ids and numbers only, `…` stands for those.
    pub cause: String,
    /// What to do.
    pub remedy: String,
    /// How many.
    pub count: u64,
    /// Some source ids, at most three.
    pub examples: Vec<String>,
}

/// Records left out by one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkipGroup {
    /// The kind.
    pub kind: String,
    /// Which rule.
    pub rule: String,
    /// How many.
    pub count: u64,
}

/// A loss, added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossGroup {
    /// The kind.
    pub kind: String,
    /// The field.
    pub field: String,
    /// `converted` or `lost`.
    pub how: String,
    /// Why. Where many differ in ids and numbers only, `…` stands for those.
    pub note: String,
    /// Records it touched.
    pub count: u64,
    /// Some source ids, at most three.
    pub examples: Vec<String>,
}

/// Requests really sent, added up (rule M-5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestCount {
    /// The connection.
    pub connection: String,
    /// `GET` …
    pub method: String,
    /// The granted pattern it fell under.
    pub path: String,
    /// How many.
    pub count: u64,
    /// Of them answered 429.
    pub throttled: u64,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Nothing written yet.
    New,
    /// Going on, or was interrupted: `run` resumes it.
    Running,
    /// Waiting for something outside: a quota, a secret.
    Paused,
    /// Stopped by the user or by the stop rule.
    Stopped,
    /// All records have an outcome.
    Complete,
    /// Being undone.
    RollingBack,
    /// Undone.
    RolledBack,
}

/// What `status` and `report` say about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The run's id.
    pub run: String,
    /// Where it stands.
    pub state: RunState,
    /// Why it is paused or stopped.
    pub reason: Option<String>,
    /// Until when it is paused, ms, where known.
    pub until: Option<i64>,
    /// Source connection and account.
    pub source: String,
    /// Destination connection and account.
    pub destination: String,
    /// `name@version sha256:…` of both plugins.
    pub plugins: Vec<String>,
    /// When it began, ms.
    pub started_at: i64,
    /// When it ended, ms.
    pub ended_at: Option<i64>,
    /// The sums, in load order.
    pub kinds: Vec<KindSum>,
    /// All kinds together.
    pub total: KindSum,
    /// Target objects created twice for one record; must be 0.
    pub duplicates: u64,
    /// Records without an outcome in a complete run; must be 0.
    pub lost: u64,
    /// Effects that a rollback left, by reason.
    pub left_after_rollback: u64,
    /// Rejects by cause, the biggest group first.
    pub rejects: Vec<RejectGroup>,
    /// Skipped records by rule, the biggest group first.
    pub skips: Vec<SkipGroup>,
    /// Losses, the biggest group first.
    pub losses: Vec<LossGroup>,
    /// What cannot be migrated and must be rebuilt by a person, by section; the whole is in the export folder's
    /// `inventory.json`.
    #[serde(default)]
    pub inventory: BTreeMap<String, u64>,
    /// Requests sent.
    pub requests: Vec<RequestCount>,
    /// Undo results that need a person.
    pub undo_problems: Vec<UndoProblem>,
    /// Whether the ledger's chain of hashes holds.
    pub chain_ok: bool,
    /// Everything else.
    pub notices: Vec<Notice>,
}

/// An effect that was not undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndoProblem {
    /// The kind.
    pub kind: String,
    /// Source id.
    pub source_id: String,
    /// Target object.
    pub target: String,
    /// `conflict`, `cannot`, `failed`; `unsettled` for a record of which it is not known whether it was written.
    pub status: String,
    /// In words.
    pub reason: String,
    /// For a person to open.
    pub url: Option<String>,
}

/// What a rollback would do or did, by kind and status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollbackReport {
    /// The run.
    pub run: String,
    /// Nothing was changed.
    pub preview: bool,
    /// `(kind, status, count)`; status in the contract's words (`undone`, `gone`, `conflict` …).
    pub counts: Vec<(String, String, u64)>,
    /// What needs a person.
    pub problems: Vec<UndoProblem>,
    /// Effects of this run that are still there.
    pub left: u64,
}

/// How a run is to go.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Digest of the plan that was approved; another plan is refused with
    /// [`Error::NotApproved`](crate::error::Error::NotApproved).
    pub accept: Option<String>,
    /// Whatever the plan is, it is approved; recorded (rule M-10). Says nothing of dangers.
    pub yes: bool,
    /// Codes of dangers that are taken on, beside those in `[migration] accept`.
    pub accept_dangers: Vec<String>,
    /// Cancelled: stop at the next safe point.
    pub stop: CancellationToken,
}

/// How a rollback is to go.
#[derive(Debug, Clone, Default)]
pub struct RollbackOptions {
    /// Of this run; the latest by default.
    pub run: Option<String>,
    /// Look only.
    pub preview: bool,
    /// These kinds only; all by default.
    pub kinds: Option<Vec<String>>,
    /// Undo conflicts too.
    pub force: bool,
    /// Cancelled: stop at the next safe point.
    pub stop: CancellationToken,
}

/// Told while something long goes on; implementations draw bars or print lines. Must not block.
pub trait Events: Send + Sync {
    /// A phase begins: `extract`, `load`, `rollback`.
    fn phase(&self, name: &str);
    /// Progress of one kind within the phase.
    fn progress(&self, kind: &str, done: u64, total: Option<u64>);
    /// Waiting for something outside, with the reason; `None` when it goes on.
    fn paused(&self, connection: &str, reason: Option<&str>);
    /// Something to show once.
    fn notice(&self, notice: &Notice);
}
