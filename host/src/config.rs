//! `migration.toml`: what moves from where to where, and by which rules.
//!
//! Policy: every key is known or an error that names the line and the nearest known key; secrets stand elsewhere
//! (`env:NAME`, `file:PATH`) and are read only where a credential is needed; the user's comments and order survive when `plan` adds to
//! `[map]`. Nothing here knows a vendor: the settings of a connection are checked against its plugin's own schema.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc, Weekday,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::kinds;

mod edit;
mod place;
mod settings;
mod template;

pub use edit::{MapProposal, ProposedAgent, ProposedField, ProposedValue};
pub use place::{ConfigError, Place};
pub use settings::{Secret, SecretRef, Settings};

/// Name of the file in a project's folder.
pub const FILE_NAME: &str = "migration.toml";

/// A whole `migration.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Its text, for the places in messages.
    text: String,
    /// `[migration]`
    pub migration: Migration,
    /// `[connections.<name>]`
    pub connections: BTreeMap<String, Connection>,
    /// `[people]`
    pub people: People,
    /// `[map]`
    pub map: Mapping,
    /// `[filter]`
    pub filter: Filter,
    /// `[load]`
    pub load: Load,
    /// `[delta]`
    pub delta: Delta,
    /// `[budget]`
    pub budget: Budget,
    /// `[notify]`
    pub notify: Notify,
}

/// The file as serde sees it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    migration: Migration,
    #[serde(default)]
    connections: BTreeMap<String, Connection>,
    #[serde(default)]
    people: People,
    #[serde(default)]
    map: Mapping,
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    load: Load,
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    budget: Budget,
    #[serde(default)]
    notify: Notify,
}

/// `[migration]`: the two ends, and what belongs to the project as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// Name of the connection that is read.
    pub from: String,
    /// Name of the connection that is written.
    pub to: String,
    /// For platforms that know dates only, for filters by date and for `[budget] hours` (rule M-17). UTC by default.
    #[serde(default)]
    pub time_zone: Zone,
    /// The store's file, relative to the project's folder.
    #[serde(default = "default_store")]
    pub store: PathBuf,
    /// Folder of plugin packages, relative to the project's folder; see [`Config::registry_root`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<PathBuf>,
    /// Codes of notices and side effects of severity `danger` that the user takes on.
    #[serde(default)]
    pub accept: Vec<String>,
}

fn default_store() -> PathBuf {
    PathBuf::from("transload.db")
}

/// `[connections.<name>]`: one account on one platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// The plugin, `name`, `name@requirement`.
    pub plugin: PluginRequest,
    /// Name of one of the plugin's ways to authenticate; its first by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    /// Hosts the user allows beyond those the plugin declares: `host`, `host:port`, `*.host`. A private or local address is
    /// reached only if it stands here.
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// The plugin's own settings, unchecked; use [`Config::settings`].
    #[serde(flatten)]
    pub settings: BTreeMap<String, serde_json::Value>,
}

/// A plugin by name and, where wanted, by version: `acme-desk`, `acme-desk@^0.1`, `acme/desk@2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginRequest {
    /// The name.
    pub name: String,
    /// The versions that will do; all by default.
    pub version: semver::VersionReq,
}

impl std::fmt::Display for PluginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version == semver::VersionReq::STAR {
            true => f.write_str(&self.name),
            false => write!(f, "{}@{}", self.name, self.version),
        }
    }
}

impl FromStr for PluginRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = text.split_once('@').unwrap_or((text, "*"));
        let valid =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '/');
        if name.is_empty() || !name.chars().all(valid) {
            return Err(format!(
                "\"{text}\" names no plugin: write `name` or `name@version`, in lower case, like \"acme-desk@^0.1\""
            ));
        }
        let version = semver::VersionReq::parse(version).map_err(|e| {
            format!("\"{version}\" is no version requirement ({e}): write it like ^0.1")
        })?;
        Ok(Self {
            name: name.to_owned(),
            version,
        })
    }
}

impl TryFrom<String> for PluginRequest {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PluginRequest> for String {
    fn from(request: PluginRequest) -> Self {
        request.to_string()
    }
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(pub chrono_tz::Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(chrono_tz::UTC)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self).map_err(|_| {
            format!("\"{text}\" is no time zone: write an IANA name like \"Europe/Berlin\"")
        })
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.name().to_owned()
    }
}

/// What to do with a record that is already there (rule M-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchPolicy {
    /// Not touched.
    Leave,
    /// Only what is empty there is written.
    #[default]
    FillEmpty,
    /// The source's values replace what is there.
    SourceWins,
}

/// `[people]`: who is who.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// By kind; `fill-empty` for kinds not named.
    #[serde(default, rename = "match")]
    pub matching: BTreeMap<String, MatchPolicy>,
    /// E-mail address or id of the destination's agent who stands in for agents it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_agent: Option<String>,
    /// Source agent (e-mail address or id) to destination agent (e-mail address or id); goes before matching by e-mail. An empty
    /// one is a question that nobody has answered: the stand-in stays.
    #[serde(default)]
    pub agents: BTreeMap<String, String>,
}

impl People {
    /// The policy for a kind.
    pub fn policy(&self, kind: &str) -> MatchPolicy {
        self.matching.get(kind).copied().unwrap_or_default()
    }
}

/// Where a custom field goes: `true`, `false` or the name of a field that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldTarget {
    /// `true`: made at the destination; `false`: left out (and counted).
    Make(bool),
    /// Name or key of an existing field.
    Existing(String),
}

/// `[map]`: what a value or field of the source becomes. Refers by names, so that a mapping proven in a sandbox runs in
/// production (rule M-14).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mapping {
    /// `[map.fields]`: `"customer/loyaltyTierStr" = "loyalty_tier"`. Fields not named are made; so are those with an empty name,
    /// which is a question that nobody has answered.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldTarget>,
    /// `[map.<kind>.<slot>]`: source value to destination value; `"*"` is for values not named. `[map.team.name]`, and so for tags,
    /// brands and object types: by which name it is looked for, or made, there.
    #[serde(flatten)]
    pub values: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
}

impl Mapping {
    /// By which name a team, tag, brand or object type goes at the destination, where the user says so.
    pub fn name(&self, kind: &str, name: &str) -> Option<&str> {
        let to = self.values.get(kind)?.get(NAMES)?.get(name)?;
        (!to.is_empty()).then_some(to.as_str())
    }

    /// What a source value becomes, or the user's default for the slot; `None` if the user said neither.
    pub fn value(&self, kind: &str, slot: &str, value: &str) -> Option<&str> {
        let slot = self.values.get(kind)?.get(slot)?;
        [value, "*"]
            .into_iter()
            .find_map(|key| slot.get(key).filter(|to| !to.is_empty()))
            .map(String::as_str)
    }
}

/// The slot of a kind whose records are known by a name.
pub const NAMES: &str = "name";

/// A point in time as written in the file: a date, a local time, or a moment with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum When {
    /// Midnight in the migration's time zone.
    Date(NaiveDate),
    /// In the migration's time zone.
    Local(NaiveDateTime),
    /// Exact.
    Moment(DateTime<Utc>),
}

impl When {
    /// ms since 1970. A local time that a clock change skips is the first one after it.
    pub fn to_ms(self, zone: Zone) -> i64 {
        let local = match self {
            Self::Moment(at) => return at.timestamp_millis(),
            Self::Local(at) => at,
            Self::Date(date) => date.and_time(NaiveTime::MIN),
        };
        (0..=4)
            .find_map(|half_hours| {
                let at = local.checked_add_signed(chrono::TimeDelta::minutes(30 * half_hours))?;
                zone.0.from_local_datetime(&at).earliest()
            })
            .map_or_else(
                || local.and_utc().timestamp_millis(),
                |at| at.timestamp_millis(),
            )
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(date) = text.parse() {
            return Ok(Self::Date(date));
        }
        if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Moment(moment.to_utc()));
        }
        text.replace(' ', "T")
            .parse()
            .map(Self::Local)
            .map_err(|_| format!("\"{text}\" is no date: write 2024-01-31 or 2024-01-31T08:00:00Z"))
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = String;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a date like 2024-01-31")
            }
            fn visit_str<E>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
                let date = toml_edit::Datetime::deserialize(
                    serde::de::value::MapAccessDeserializer::new(map),
                )?;
                Ok(date.to_string())
            }
        }
        deserializer
            .deserialize_any(Visitor)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// `[filter]`: what moves. What hangs on a record follows it (rule M-13).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// These kinds only; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Conversations changed since then, by the time of their last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_since: Option<When>,
    /// Conversations begun since then, by the time of their creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_since: Option<When>,
    /// Conversations changed before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_before: Option<When>,
    /// Conversations begun before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<When>,
    /// Conversations in these states only: `open`, `snoozed`, `closed`, `other:waiting`; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
    /// Conversations of these brands only, by name or id; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brands: Option<Vec<String>>,
    /// Conversations of these teams only, by name or id; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<String>>,
    /// Conversations marked as spam, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub spam: bool,
    /// Conversations that are deleted in the source but can still be read, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Tags that are taken off everything, by name; `*` stands for any letters: `tmp-*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_tags: Vec<String>,
    /// Ids or addresses of customers who are left out everywhere, with their conversations, messages and custom objects; links to
    /// them stay as text (rules M-12, M-13).
    #[serde(default)]
    pub exclude_people: Vec<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Filter {
    /// Whether a tag is taken off, by its name.
    pub fn excludes_tag(&self, name: &str) -> bool {
        self.exclude_tags
            .iter()
            .any(|pattern| fits_pattern(pattern, name))
    }

    /// Whether a kind is wanted.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.iter().any(|k| k == kind))
    }
}

/// Whether a name is as a pattern says, in which `*` stands for any letters; case does not count.
fn fits_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Which conversations go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadOrder {
    /// By when they began, newest first.
    #[default]
    NewestFirst,
    /// By when they began, oldest first.
    OldestFirst,
    /// Those that are not closed before the others.
    OpenFirst,
}

/// Whose word counts where a record changed at the source and people changed it at the destination, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflicts {
    /// What people changed stays; what they left alone is updated.
    #[default]
    TargetWins,
    /// The source's word; theirs is in the before-image.
    SourceWins,
    /// Nothing is written; a person says which, record by record.
    Ask,
}

/// What becomes of a conversation that changed, where the destination takes no change of it (rule M-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frozen {
    /// It stays as it was loaded, and a person finds it in a list.
    #[default]
    List,
    /// What was loaded is deleted and the conversation made anew: the ledger has the new id.
    Recreate,
}

/// What becomes of a record that was deleted at the source after it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deleted {
    /// It stays, and a person finds it in a list.
    #[default]
    List,
    /// What the migration made of it is deleted, unless somebody changed it since.
    Remove,
}

/// `[delta]`: how what changed at the source after the run arrives. No part of what a run is pinned to: each delta says its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delta {
    /// Changed on both sides.
    pub conflicts: Conflicts,
    /// Changed where nothing can be changed.
    pub frozen: Frozen,
    /// Deleted at the source.
    pub deleted: Deleted,
}

/// When loading halts by itself (rule M-10).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopRule {
    /// So many rejects of one cause in a row.
    pub consecutive: u32,
    /// Rejects of one cause, in percent of the records of a kind tried so far.
    pub percent: f64,
}

impl Default for StopRule {
    fn default() -> Self {
        Self {
            consecutive: 20,
            percent: 2.0,
        }
    }
}

/// `[load]`: how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// When to halt.
    pub stop_rule: StopRule,
    /// What goes first.
    pub order: LoadOrder,
    /// Conversations that are not closed wait for the last delta, `delta --close` (rule M-9).
    pub hold_open: bool,
    /// Units at once at most; what the platform can bear is found out below it.
    pub concurrency: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            stop_rule: StopRule::default(),
            order: LoadOrder::default(),
            hold_open: false,
            concurrency: 8,
        }
    }
}

/// `[budget]`: how much of the platforms' free rate limits we may use; the customer's live work comes first (rule M-11).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// From 0 to 1, outside the hours below. Half by default.
    pub share: f64,
    /// Other shares at some hours; the first that fits counts.
    pub hours: Vec<BudgetHours>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            share: 0.5,
            hours: Vec::new(),
        }
    }
}

impl Budget {
    /// The share at a time, ms since 1970.
    pub fn share_at(&self, now: i64, zone: Zone) -> f64 {
        let Some(local) = DateTime::from_timestamp_millis(now).map(|at| at.with_timezone(&zone.0))
        else {
            return self.share;
        };
        let minute = local.hour() * 60 + local.minute();
        self.hours
            .iter()
            .find(|hours| hours.covers(local.weekday(), minute))
            .map_or(self.share, |hours| hours.share)
    }
}

/// One entry of `[budget] hours`. A window that ends before it begins goes on after midnight and belongs to the day it
/// begins on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetHours {
    /// `mon-fri`, `sat,sun`; every day by default.
    #[serde(default)]
    pub days: Days,
    /// `20:00`
    pub from: TimeOfDay,
    /// `06:00`; `24:00` is the end of the day.
    pub to: TimeOfDay,
    /// From 0 to 1.
    pub share: f64,
}

impl BudgetHours {
    fn covers(&self, day: Weekday, minute: u32) -> bool {
        let (from, to) = (self.from.0, self.to.0);
        if from < to {
            return self.days.has(day) && (from..to).contains(&minute);
        }
        (self.days.has(day) && minute >= from) || (self.days.has(day.pred()) && minute < to)
    }
}

/// Days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days {
    text: String,
    days: [bool; 7],
}

impl Days {
    fn has(&self, day: Weekday) -> bool {
        self.days
            .get(day.num_days_from_monday() as usize)
            .copied()
            .unwrap_or(false)
    }
}

impl Default for Days {
    fn default() -> Self {
        Self {
            text: "mon-sun".to_owned(),
            days: [true; 7],
        }
    }
}

impl TryFrom<String> for Days {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let number = |name: &str| {
            NAMES.iter().position(|n| *n == name.trim()).ok_or_else(|| {
                format!("\"{text}\" names no days: write them like \"mon-fri\" or \"sat,sun\"")
            })
        };
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            for (day, set) in days.iter_mut().enumerate() {
                // `fri-mon` goes over the week's end.
                *set |= if first <= last {
                    (first..=last).contains(&day)
                } else {
                    day >= first || day <= last
                };
            }
        }
        Ok(Self { text, days })
    }
}

impl From<Days> for String {
    fn from(days: Days) -> Self {
        days.text
    }
}

/// Minutes since midnight, written `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u32);

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once(':').and_then(|(hours, minutes)| {
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60 || (hours, minutes) == (24, 0))
                .then_some(hours * 60 + minutes)
        });
        parsed
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is no time of day: write it like \"20:00\""))
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        format!("{:02}:{:02}", time.0 / 60, time.0 % 60)
    }
}

/// `[notify]`: who is told on pause, stop and end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Run by the shell with `TRANSLOAD_EVENT` (`pause`, `stop`, `end`), `TRANSLOAD_RUN` and `TRANSLOAD_MESSAGE` set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Sent the same as JSON, with the run's sum: an address, or where it is kept as a secret, `env:NAME` or `file:PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
}

/// The single values of a JSON value, each under its path.
fn flatten(path: &str, value: &serde_json::Value, into: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                flatten(&format!("{path}.{name}"), member, into);
            }
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => {
            into.insert(path.to_owned(), text.clone());
        }
        other => {
            into.insert(path.to_owned(), other.to_string());
        }
    }
}

/// Whether a value says where a secret is kept.
fn is_secret(value: &str) -> bool {
    value.starts_with("env:") || value.starts_with("file:")
}

impl Config {
    /// Reads and checks the file. Secrets are not read here.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing(path.to_owned()),
            _ => ConfigError::Io {
                doing: "read",
                path: path.to_owned(),
                source,
            },
        })?;
        Self::parse(path, text)
    }

    /// Like [`Config::load`], of a text that would stand at `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let file: File = match toml_edit::de::from_str(&text) {
            Ok(file) => file,
            Err(error) => return Err(explain(path, &text, &error)),
        };
        let config = Self {
            path: path.to_owned(),
            text,
            migration: file.migration,
            connections: file.connections,
            people: file.people,
            map: file.map,
            filter: file.filter,
            load: file.load,
            delta: file.delta,
            budget: file.budget,
            notify: file.notify,
        };
        config.validate()?;
        Ok(config)
    }

    /// The project's folder.
    pub fn dir(&self) -> &Path {
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        }
    }

    /// The store's file.
    pub fn store_path(&self) -> PathBuf {
        self.dir().join(&self.migration.store)
    }

    /// Where packages are: `[migration] registry`, else [`default_registry`].
    ///
    /// # Errors
    /// [`ConfigError::NoRegistry`]
    pub fn registry_root(&self) -> Result<PathBuf, ConfigError> {
        match &self.migration.registry {
            Some(root) => Ok(self.dir().join(root)),
            None => default_registry(),
        }
    }

    /// The connection of that name. `asked_by` is what names it: `migration.to`, `--to`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownConnection`]
    pub fn connection(&self, name: &str, asked_by: &str) -> Result<&Connection, ConfigError> {
        self.connections
            .get(name)
            .ok_or_else(|| ConfigError::UnknownConnection {
                place: match asked_by.split_once('.') {
                    Some((table, key)) => self.place(&[table, key]),
                    None => Place::file(&self.path),
                },
                key: asked_by.to_owned(),
                name: name.to_owned(),
                known: self.connections.keys().cloned().collect(),
            })
    }

    /// The settings of a connection, checked against its plugin's JSON Schema and parted from its secrets.
    ///
    /// # Errors
    /// The first setting that is missing, unknown or wrong; a literal secret.
    pub fn settings(&self, connection: &str, schema: &str) -> Result<Settings, ConfigError> {
        settings::check(self, connection, schema)
    }

    /// sha-256, hex, over everything that decides what is written: the ends, the mapping, people, filter and order, but neither pace
    /// nor secrets nor notification. A run is pinned to it (rule M-14).
    pub fn digest(&self) -> String {
        let Migration {
            from,
            to,
            time_zone,
            accept: _,
            store: _,
            registry: _,
        } = &self.migration;
        // A secret may move from a variable to a file; what it opens is told apart by the account (rule D-12).
        let is_secret = |value: &serde_json::Value| value.as_str().is_some_and(is_secret);
        let connection = |name: &str| {
            self.connections.get(name).map(|connection| {
                let settings: BTreeMap<_, _> = connection
                    .settings
                    .iter()
                    .filter(|(_, value)| !is_secret(value))
                    .collect();
                (connection.plugin.name.clone(), settings)
            })
        };
        // Maps are sorted and structs have an order: the JSON is canonical. It cannot fail for these types.
        let text = serde_json::to_string(&(
            (from, connection(from), to, connection(to), time_zone),
            (&self.people, &self.map, &self.filter, self.load.order),
        ))
        .unwrap_or_default();
        hex::encode(Sha256::digest(text))
    }

    /// What [`Config::digest`] covers, as single settings by their path: `filter.spam`, `map.conversation.status.open`.
    pub fn settings_by_path(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let parts = [
            ("people", serde_json::to_value(&self.people)),
            ("map", serde_json::to_value(&self.map)),
            ("filter", serde_json::to_value(&self.filter)),
            ("load.order", serde_json::to_value(self.load.order)),
            (
                "migration.time_zone",
                serde_json::to_value(self.migration.time_zone),
            ),
            ("migration.from", serde_json::to_value(&self.migration.from)),
            ("migration.to", serde_json::to_value(&self.migration.to)),
        ];
        for (path, value) in parts {
            // It cannot fail for these types.
            flatten(path, &value.unwrap_or_default(), &mut all);
        }
        for name in [&self.migration.from, &self.migration.to] {
            for (setting, value) in self
                .connections
                .get(name)
                .into_iter()
                .flat_map(|connection| &connection.settings)
                .filter(|(_, value)| !value.as_str().is_some_and(is_secret))
            {
                flatten(&format!("connections.{name}.{setting}"), value, &mut all);
            }
        }
        all
    }

    /// Where a key stands.
    pub(crate) fn place(&self, path: &[&str]) -> Place {
        Place::of_key(&self.path, &self.text, path)
    }

    fn wrong(
        &self,
        path: &[&str],
        message: impl Into<String>,
        hint: Option<String>,
    ) -> ConfigError {
        ConfigError::Value {
            place: self.place(path),
            key: path.join("."),
            message: message.into(),
            hint,
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.connection(&self.migration.from, "migration.from")?;
        self.connection(&self.migration.to, "migration.to")?;
        if self.migration.from == self.migration.to {
            return Err(self.wrong(
                &["migration", "to"],
                "the same connection is read and written",
                Some("name two connections".to_owned()),
            ));
        }
        for (name, connection) in &self.connections {
            for host in &connection.allow_hosts {
                if host.is_empty() || host.contains("//") || host.contains(['/', ' ']) {
                    return Err(self.wrong(
                        &["connections", name, "allow_hosts"],
                        format!("\"{host}\" is no host"),
                        Some(
                            "write hosts without scheme and path: \"files.example.com\"".to_owned(),
                        ),
                    ));
                }
            }
        }
        if let Some(webhook) = &self.notify.webhook
            && !is_secret(webhook)
            && !url::Url::parse(webhook)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            return Err(self.wrong(
                &["notify", "webhook"],
                "this is no address",
                Some(
                    "write \"https://…\", or where it is kept: \"env:NAME\" or \"file:PATH\""
                        .to_owned(),
                ),
            ));
        }
        for kind in self.people.matching.keys() {
            self.kind(&["people", "match", kind], kind)?;
        }
        for kind in self.map.values.keys() {
            self.kind(&["map", kind], kind)?;
        }
        for kind in self.filter.kinds.iter().flatten() {
            self.kind(&["filter", "kinds"], kind)?;
        }
        for field in self.map.fields.keys() {
            let owner = field
                .split_once('/')
                .map(|(owner, _)| owner.split(':').next().unwrap_or(owner));
            match owner {
                Some(kind) => self.kind(&["map", "fields", field], kind)?,
                None => {
                    return Err(self.wrong(
                        &["map", "fields", field],
                        "a field is written with its owner",
                        Some(format!("write \"customer/{field}\", say")),
                    ));
                }
            }
        }
        let share = |path: &[&str], share: f64| match (0.0..=1.0).contains(&share) {
            true => Ok(()),
            false => Err(self.wrong(
                path,
                format!("{share} is no share: it is from 0 to 1"),
                None,
            )),
        };
        share(&["budget", "share"], self.budget.share)?;
        for hours in &self.budget.hours {
            share(&["budget", "hours"], hours.share)?;
        }
        if !(1..=256).contains(&self.load.concurrency) {
            return Err(self.wrong(&["load", "concurrency"], "must be from 1 to 256", None));
        }
        if self.load.stop_rule.consecutive == 0 {
            return Err(self.wrong(
                &["load", "stop_rule"],
                "consecutive must be at least 1",
                None,
            ));
        }
        if !(0.0..=100.0).contains(&self.load.stop_rule.percent) {
            return Err(self.wrong(
                &["load", "stop_rule"],
                "percent must be from 0 to 100",
                None,
            ));
        }
        Ok(())
    }

    fn kind(&self, path: &[&str], kind: &str) -> Result<(), ConfigError> {
        let known: Vec<String> = kinds::ALL
            .iter()
            .map(|k| kinds::name(k).to_owned())
            .collect();
        if known.iter().any(|k| k == kind) {
            return Ok(());
        }
        let hint = match place::nearest(kind, &known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("kinds are: {}", known.join(", ")),
        };
        Err(self.wrong(path, format!("there is no kind `{kind}`"), Some(hint)))
    }
}

/// Where packages are if nobody says otherwise: `TRANSLOAD_REGISTRY`, else `transload/registry` in the user's data folder.
///
/// # Errors
/// [`ConfigError::NoRegistry`]
pub fn default_registry() -> Result<PathBuf, ConfigError> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    variable("TRANSLOAD_REGISTRY")
        .or_else(|| Some(variable("XDG_DATA_HOME")?.join("transload/registry")))
        .or_else(|| Some(variable("HOME")?.join(".local/share/transload/registry")))
        .ok_or(ConfigError::NoRegistry)
}

/// Turns what the parser says into an error with a place, a nearest key, or a line with a caret.
fn explain(path: &Path, text: &str, error: &toml_edit::de::Error) -> ConfigError {
    let place = Place::of_span(path, text, error.span());
    let message = error.message().trim();
    if let Err(syntax) = toml_edit::Document::parse(text) {
        let place = Place::of_span(path, text, syntax.span());
        let snippet = place::snippet(text, &place, syntax.span());
        return ConfigError::Syntax {
            place,
            message: syntax.message().trim().to_owned(),
            snippet,
        };
    }
    // serde's own words: "unknown field `x`, expected one of `a`, `b`".
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut names = rest.split('`').skip(1).step_by(2).map(str::to_owned);
        let key = names.next().unwrap_or_default();
        let known: Vec<String> = names.collect();
        return ConfigError::UnknownKey {
            place,
            nearest: place::nearest(&key, &known),
            key,
            known,
        };
    }
    let key = error
        .span()
        .and_then(|span| key_at(text, span.start))
        .unwrap_or_else(|| "the file".to_owned());
    let hint = message.strip_prefix("unknown variant ").and_then(|rest| {
        let mut names = rest.split('`').skip(1).step_by(2).map(str::to_owned);
        let value = names.next()?;
        let known: Vec<String> = names.collect();
        Some(place::nearest(&value, &known).map_or_else(
            || format!("write one of: {}", known.join(", ")),
            |nearest| format!("did you mean \"{nearest}\"?"),
        ))
    });
    ConfigError::Value {
        place,
        key,
        message: message.to_owned(),
        hint,
    }
}

/// Full name of the deepest key whose value holds the byte at `at`.
fn key_at(text: &str, at: usize) -> Option<String> {
    fn walk(table: &dyn toml_edit::TableLike, at: usize, path: &mut Vec<String>) -> bool {
        for (name, item) in table.iter() {
            let key = table.key(name).and_then(toml_edit::Key::span);
            let here = item
                .span()
                .into_iter()
                .chain(key)
                .any(|span| span.contains(&at));
            path.push(name.to_owned());
            if item
                .as_table_like()
                .is_some_and(|inner| walk(inner, at, path))
                || here
            {
                return true;
            }
            path.pop();
        }
        false
    }
    let document = toml_edit::Document::parse(text).ok()?;
    let mut path = Vec::new();
    walk(document.as_table(), at, &mut path).then(|| path.join("."))
}

#[cfg(test)]
pub(crate) mod tests;
