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
    /// What a change after the load can be, and what a delta does about it.
    #[serde(default)]
    pub updates: Vec<PlanUpdate>,
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
    /// Texts that look damaged, in what has been read so far. Not part of the digest: it grows with what is read.
    #[serde(default)]
    pub damage: Vec<DamageGroup>,
    /// What stops a run.
    pub errors: Vec<String>,
}

/// What becomes of a conversation that grows or is opened again after it was loaded (rule M-9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanUpdate {
    /// The kind.
    pub kind: String,
    /// As it is at the destination: `open`, `closed`; `any`.
    pub state: String,
    /// What the destination takes: `append`, `change-fields`, `replace`, `recreate`, `frozen`.
    pub modes: Vec<String>,
    /// Nobody is told, and nothing runs, because of it.
    pub silent: bool,
    /// What a delta does.
    pub delta: String,
    /// In the connector's words.
    pub note: Option<String>,
}

/// Texts that look damaged in one way, in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamageGroup {
    /// The kind.
    pub kind: String,
    /// Path in the contract's words: `message.text`.
    pub field: String,
    /// `replacement-character`, `mojibake`, `cut`, `masked`.
    pub what: String,
    /// What it looks like; nothing of the text.
    pub pattern: String,
    /// Records with it.
    pub records: u64,
    /// Some of them, at most three.
    pub examples: Vec<DamageExample>,
}

/// Where a record's text looks damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamageExample {
    /// The source's id.
    pub id: String,
    /// The first place, in characters from 0.
    pub at: u64,
    /// How many places.
    pub count: u64,
}

/// What a line of an inventory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What sets it off.
    Trigger,
    /// What must hold.
    Condition,
    /// What it does.
    Action,
    /// What else is entered.
    Setting,
    /// A text to take over as it is.
    Text,
}

/// A statement about a thing of the inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryLine {
    /// What it says.
    pub part: Part,
    /// How far below the lines before it.
    pub depth: u8,
    /// In words.
    pub words: String,
    /// What there are no words for, as the source has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<serde_json::Value>,
}

/// What a thing works with, or what works with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryUse {
    /// A kind of record, or a section of the inventory.
    pub kind: String,
    /// The source's id.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// The destination's id, where it was migrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A thing that a person must rebuild.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryThing {
    /// The contract's sort: `workflow`.
    pub category: String,
    /// The source's word.
    pub section: String,
    /// The source's id, unique in its section.
    pub id: String,
    /// Its name.
    pub name: String,
    /// A short description.
    pub summary: String,
    /// Whether it is switched on, where it can be.
    pub enabled: Option<bool>,
    /// What it is and does.
    pub lines: Vec<InventoryLine>,
    /// What it works with.
    pub uses: Vec<InventoryUse>,
    /// Other things that work with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<InventoryUse>,
    /// How many records are with it, by kind, in what was read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, u64>,
    /// The whole of it, as the source has it.
    pub detail: serde_json::Value,
}

/// Things of one sort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryGroup {
    /// The contract's sort, or the source's word for a further one.
    pub category: String,
    /// The destination's feature for it; `None` where there is none, or it is not known.
    pub feature: Option<String>,
    /// Where that is and how, or what to do instead.
    pub note: Option<String>,
    /// The things, in the source's order.
    pub things: Vec<InventoryThing>,
}

/// What must be rebuilt by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The source's connection.
    pub source: String,
    /// What the source's platform is called.
    pub source_title: String,
    /// The source's organisation.
    pub organisation: String,
    /// The destination's connection.
    pub destination: String,
    /// What the destination's platform is called.
    pub destination_title: String,
    /// When this was written, ms.
    pub taken_at: i64,
    /// By sort, in the order in which they are rebuilt.
    pub groups: Vec<InventoryGroup>,
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
    /// Texts that look damaged, the most first; every record is in the export folder's `text-damage.jsonl`.
    #[serde(default)]
    pub damage: Vec<DamageGroup>,
    /// What cannot be migrated and must be rebuilt by a person, by section; the whole is in the export folder's
    /// `inventory.md`, `inventory.html` and `inventory.json`.
    #[serde(default)]
    pub inventory: BTreeMap<String, u64>,
    /// Requests sent.
    pub requests: Vec<RequestCount>,
    /// Undo results that need a person.
    pub undo_problems: Vec<UndoProblem>,
    /// Whether the ledger's chain of hashes holds.
    pub chain_ok: bool,
    /// What the last verification found.
    #[serde(default)]
    pub verification: Option<VerifyReport>,
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

/// How a retry is to go.
#[derive(Debug, Clone, Default)]
pub struct RetryOptions {
    /// These kinds only; all by default.
    pub kinds: Option<Vec<String>>,
    /// Cancelled: stop at the next safe point.
    pub stop: CancellationToken,
}

/// What a retry of a run's rejects came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryReport {
    /// Records that were rejected before.
    pub rejected_before: u64,
    /// Of them, tried again.
    pub tried: u64,
    /// Records that are rejected now.
    pub rejected_now: u64,
    /// The run as it is now.
    pub run: RunReport,
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
    /// Only what this delta of the run did, and those after it.
    pub delta: Option<u64>,
    /// Undo conflicts too.
    pub force: bool,
    /// Cancelled: stop at the next safe point.
    pub stop: CancellationToken,
}

/// Which records are read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyScope {
    /// Every record.
    All,
    /// So many, chosen so that every sort of record is among them; the same for the same seed.
    Sample {
        /// How many.
        size: u64,
        /// Another seed chooses others.
        seed: u64,
    },
}

impl Default for VerifyScope {
    fn default() -> Self {
        Self::Sample {
            size: super::verify::SAMPLE,
            seed: super::verify::SEED,
        }
    }
}

/// How a verification is to go.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Of this run; the latest by default.
    pub run: Option<String>,
    /// Which records.
    pub scope: VerifyScope,
    /// These kinds only; all if empty.
    pub kinds: Vec<String>,
    /// Cancelled: stop before the next read.
    pub stop: CancellationToken,
}

/// What sort of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Something of ours is not there.
    Missing,
    /// Something is there that is not ours.
    Extra,
    /// The same is there twice.
    Duplicate,
    /// A field holds something else.
    Differs,
    /// A reference leads to another record.
    Moved,
    /// A message is out of place.
    Order,
    /// A message is somebody else's.
    Author,
    /// A file has other bytes.
    File,
    /// Changed at the destination since it was written.
    Changed,
    /// Still there after a rollback.
    Left,
    /// Not as it was before the run, after a rollback.
    NotAsBefore,
}

/// Something that is otherwise than it should be and that nothing declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// What sort.
    pub what: DifferenceKind,
    /// The record's kind.
    pub kind: String,
    /// The record's id in the source.
    pub source_id: String,
    /// The object at the destination: its kind there, and its id.
    pub target: Option<String>,
    /// For a person to open.
    pub url: Option<String>,
    /// Path in the contract's words: `conversation.subject`, `message.author`.
    pub field: String,
    /// Which message of a thread, where it is about one.
    pub part: Option<String>,
    /// What should be there, shortened to where it begins to differ.
    pub expected: Option<String>,
    /// What is there, shortened likewise.
    pub found: Option<String>,
}

/// Differences that had to be expected, for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeclaredGroup {
    /// The records' kind.
    pub kind: String,
    /// Path in the contract's words.
    pub field: String,
    /// Who said it beforehand: the fidelity table, the loss of a record, a policy.
    pub why: String,
    /// How many differences.
    pub count: u64,
    /// Some source ids, at most three.
    pub examples: Vec<String>,
}

/// One kind, verified.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyKind {
    /// The kind.
    pub kind: String,
    /// Records that have something at the destination; after a rollback, effects of the run.
    pub there: u64,
    /// Of them read back.
    pub checked: u64,
    /// Of them held against the source field by field; the others were looked for only, since the connector reads no content of them.
    pub compared: u64,
    /// Reading calls, one for each batch of records.
    pub reads: u64,
    /// Records without any difference.
    pub equal: u64,
    /// Records that differ only as was declared.
    pub declared: u64,
    /// Records with a difference that nothing declared.
    pub undeclared: u64,
}

/// Files that were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// By the sha-256 of their bytes.
    pub by_hash: u64,
    /// By their names and sizes, since the bytes were not to be had.
    pub by_size: u64,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// The run.
    pub run: String,
    /// When it was done, ms.
    pub at: i64,
    /// The run was rolled back: what is asked is whether the destination is as it was before.
    pub after_rollback: bool,
    /// Which records.
    pub scope: VerifyScope,
    /// Kinds in load order.
    pub kinds: Vec<VerifyKind>,
    /// What nothing declared, in load order: the first ones.
    pub differences: Vec<Difference>,
    /// How many of them there are.
    pub undeclared: u64,
    /// What had to be expected, the biggest group first.
    pub declared: Vec<DeclaredGroup>,
    /// Files.
    pub files: Files,
    /// Requests sent to the destination for it.
    pub requests: u64,
    /// Nothing undeclared differs.
    pub ok: bool,
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

/// How a delta is to go.
#[derive(Debug, Clone)]
pub struct DeltaOptions {
    /// It is the last: conversations that were held are loaded, ids are compared whatever `sweep` says, and no other follows without
    /// `reopen`.
    pub close: bool,
    /// Another one after the last.
    pub reopen: bool,
    /// Compare all ids with the source, which is how deletions and merges are found.
    pub sweep: bool,
    /// Policies that differ from `[delta]`.
    pub policies: crate::config::Delta,
    /// `(kind, id)` of records of which the source's word counts.
    pub take_source: Vec<(String, String)>,
    /// `(kind, id)` of records that are right as they are at the destination.
    pub keep_target: Vec<(String, String)>,
    /// Cancelled: stop at the next safe point.
    pub stop: CancellationToken,
}

impl Default for DeltaOptions {
    fn default() -> Self {
        Self {
            close: false,
            reopen: false,
            sweep: true,
            policies: crate::config::Delta::default(),
            take_source: vec![],
            keep_target: vec![],
            stop: CancellationToken::new(),
        }
    }
}

/// Records that changed in one way and of which one thing became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaCount {
    /// The kind.
    pub kind: String,
    /// `new`, `updated`, `deleted`, `merged`.
    pub change: String,
    /// What became of them; see [`DeltaRecord::did`].
    pub did: String,
    /// How many.
    pub count: u64,
}

/// A record that changed at the source, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaRecord {
    /// The kind.
    pub kind: String,
    /// Source id.
    pub source_id: String,
    /// `new`, `updated`, `deleted`, `merged`.
    pub change: String,
    /// An outcome in the contract's words, or: `unchanged` (nothing to change there), `recreated`, `removed`, `held` (till the last
    /// delta), `listed` (for a person), `kept` (somebody said that it is right there), `left` (nothing can be changed),
    /// `taken-back` (with its delta).
    pub did: String,
    /// A person has to do something.
    pub waits: bool,
    /// What is so, and why nothing or not everything was written.
    pub why: Option<String>,
    /// What people changed at the destination since it was written, in the connector's words.
    #[serde(default)]
    pub theirs: Vec<String>,
    /// The object at the destination: its kind there, and its id.
    pub target: Option<String>,
    /// For a person to open.
    pub url: Option<String>,
}

/// One delta.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeltaReport {
    /// The run.
    pub run: String,
    /// Which delta of the run, from 1.
    pub number: u64,
    /// `open` (it was interrupted), `done`, `rolling-back`, `rolled-back`.
    pub state: String,
    /// The last one.
    pub closing: bool,
    /// Ids were compared, so that deletions and merges are known.
    pub swept: bool,
    /// What it was decided by.
    pub policies: crate::config::Delta,
    /// It looked at what changed since then, ms; some time before that, as indexes lag.
    pub since: i64,
    /// Up to then, ms: where the next one begins.
    pub until: i64,
    /// When it began, ms.
    pub started_at: i64,
    /// When it ended, ms.
    pub ended_at: Option<i64>,
    /// What changed and what became of it, in load order.
    pub counts: Vec<DeltaCount>,
    /// What waits for a person, also from earlier deltas.
    pub waiting: Vec<DeltaRecord>,
    /// What people had changed at the destination, and what was decided.
    pub conflicts: Vec<DeltaRecord>,
    /// Requests that write, sent to the destination.
    pub writes: u64,
}

/// Where a step of a cutover stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It is done.
    Done,
    /// It is its turn.
    Next,
    /// Others come first.
    Waits,
    /// It was done, and something is wrong with it.
    Wrong,
}

/// One step of a cutover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutoverStep {
    /// Its word, for `--done`.
    pub step: String,
    /// What it is.
    pub title: String,
    /// A person does it and says so.
    pub by_hand: bool,
    /// Where it stands.
    pub state: StepState,
    /// When it is planned for, ms.
    pub planned: i64,
    /// When it was done, ms.
    pub done_at: Option<i64>,
    /// What to do, in sentences.
    pub to_do: Vec<String>,
    /// What to type.
    pub commands: Vec<String>,
    /// What is stored about it.
    pub facts: Vec<String>,
}

/// The steps from one platform to the other, each with its state by what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    /// The run.
    pub run: String,
    /// Connection and account.
    pub source: String,
    /// Connection and account.
    pub destination: String,
    /// When it begins, ms.
    pub begins: i64,
    /// When it ends, as far as can be told, ms.
    pub ends: i64,
    /// Why it cannot begin, or go on.
    pub in_the_way: Vec<String>,
    /// In order.
    pub steps: Vec<CutoverStep>,
}
