//! Which parts an account has, and one page of a part.
//!
//! | kind | how | requests |
//! | --- | --- | --- |
//! | companies, customers, conversations, messages, notes, records of klasses | search, both indexes, [`crate::walk`] | a search for 500 rows |
//! | notes older than two years | `/v1/notes` (the archive holds none, Kustomer facts §8.1) | one for 100 rows |
//! | files of messages | `/v1/messages` with its files; in later passes with the messages, [`crate::files`] | one for 100 messages |
//! | files of notes | as notes name them, else as only a list below each says | one for each note with files, or each old note |
//! | everything else | its list | one for 100 or 500 rows |
//!
//! Nothing is asked per conversation, with two exceptions: forwards, when the user wants them, and what `/v1/notes` and
//! `/v1/messages` do not reach where they end early (third parties say after 10,000 rows).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use transload_sdk::session::{Notice, Severity};
use transload_sdk::source::{Page, Partition};
use transload_sdk::types::{Entity, Entry, Error, Kind, Reference, Text};

use crate::api::{Answer, Resource};
use crate::client::{Client, Got, each};
use crate::config::{NoteFiles, OldNoteFiles, Settings, State, WantedBodies, WantedMerges};
use crate::files::{self, Details, Parent};
use crate::map::{self, Bodies};
use crate::schema;
use crate::walk::{self, Index, Next, PAGE, Row, Span, Step};

const DAY_MS: i64 = 86_400_000;
/// Later than any record.
const YEAR_2100_MS: i64 = 4_102_444_800_000;
/// Standard search holds what was updated within two years (Kustomer facts §8); the archive the rest. Where the boundary lies
/// to the day is open (§14), so both are asked around it.
const HORIZON_MS: i64 = 730 * DAY_MS;
const HORIZON_MARGIN_MS: i64 = 10 * DAY_MS;
/// How far the search index may lag behind (§8): a later pass begins so much earlier.
const LAG_MS: i64 = 15 * 60_000;
/// Rows of most lists (§4), of those of users and teams.
pub(crate) const LIST_ROWS: &str = "100";
const PEOPLE_ROWS: &str = "500";
/// Rows looked at for one page of what is read below each.
const PARENTS_AT_ONCE: u64 = 100;

/// What a partition is; its `spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A window of a search index.
    Search(Window),
    /// A list.
    List {
        /// Which.
        list: List,
        /// The query that narrows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<(String, String)>,
    },
    /// Custom attributes of all objects.
    Fields,
    /// Files of messages made before a time.
    MessageFiles {
        /// The time.
        until: i64,
    },
    /// Notes of the time before the horizon.
    OldNotes {
        /// The horizon.
        before: i64,
    },
    /// A klass that search does not know.
    Klass {
        /// Its name.
        name: String,
    },
}

/// A window of a search index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `customer`, `kobject_order`.
    pub context: String,
    /// The klass, for records of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub klass: Option<String>,
    /// Which index.
    pub index: Index,
    /// The window of `updatedAt`.
    pub span: Span,
    /// What is read of each row instead of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Below>,
    /// Of a later pass: rows are few, so files are looked up with them and not in the list of all.
    #[serde(default)]
    pub late: bool,
}

/// What is read of conversations, or of notes that have files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Below {
    /// A conversation's notes.
    Notes,
    /// A conversation's forwards.
    Forwards,
    /// The files of a conversation's messages.
    Files,
    /// A note's files.
    NoteFiles,
}

impl Below {
    fn name(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Forwards => "forwards",
            Self::Files | Self::NoteFiles => "files",
        }
    }

    /// Whether a row can have any, by its counters (§9.3).
    fn may_be_in(self, r: &Resource) -> bool {
        let counter = match self {
            Self::Notes => "noteCount",
            Self::Forwards | Self::Files => "messageCount",
            Self::NoteFiles => return true,
        };
        r.attributes.peek::<u64>(counter) != Some(0)
    }
}

/// Lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the vendor's")]
pub enum List {
    Teams,
    Users,
    Tags,
    Brands,
    Klasses,
    Categories,
    Articles,
}

impl List {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Teams => "/v1/teams",
            Self::Users => "/v1/users",
            Self::Tags => "/v1/tags",
            Self::Brands => "/v1/brands",
            Self::Klasses => "/v1/klasses",
            Self::Categories => "/v1/kb/categories",
            Self::Articles => "/v1/kb/articles",
        }
    }

    pub(crate) fn rows(self) -> &'static str {
        match self {
            Self::Teams | Self::Users => PEOPLE_ROWS,
            _ => LIST_ROWS,
        }
    }
}

fn partition(id: String, kind: Kind, part: &Part) -> Result<Partition, Error> {
    let spec = serde_json::to_string(part).map_err(|e| Error::Bug(e.to_string()))?;
    let (object_type, span) = match part {
        Part::Search(window) => (window.klass.clone(), Some(&window.span)),
        Part::Klass { name } => (Some(name.clone()), None),
        _ => (None, None),
    };
    Ok(Partition {
        id,
        kind,
        object_type,
        spec,
        expected: None,
        window_start: span.and_then(|span| span.from),
        window_end: span.map(|span| span.to),
    })
}

fn search_partition(
    kind: Kind,
    window: Window,
    totals: Option<&State>,
) -> Result<Partition, Error> {
    let Window {
        context,
        index,
        span,
        below,
        ..
    } = &window;
    let from = span
        .from
        .map_or_else(|| "-".to_owned(), |at| at.to_string());
    let suffix = below.map_or_else(String::new, |below| format!("/{}", below.name()));
    let unsorted = if span.unsorted { "/unsorted" } else { "" };
    let id = format!(
        "{context}/{}/{from}/{}{suffix}{unsorted}",
        index.name(),
        span.to
    );
    let expected = totals
        .filter(|_| span.from.is_none() && below.is_none())
        .and_then(|state| {
            state
                .totals
                .get(&format!("{context}/{}", index.name()))
                .copied()
        });
    let mut made = partition(id, kind, &Part::Search(window))?;
    made.expected = expected;
    Ok(made)
}

/// The search context of a kind; `None` where it is not read by search.
fn context_of(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Company => "company",
        Kind::Customer => "customer",
        Kind::Conversation => "conversation",
        Kind::Message => "message",
        _ => return None,
    })
}

/// What was last updated before this is not in the standard index, or in the archive too.
fn horizon(now: i64) -> i64 {
    now - HORIZON_MS + HORIZON_MARGIN_MS
}

/// A window in both indexes, as far as they can hold anything of it.
fn both(kind: &Kind, window: &Window, now: i64, state: &State) -> Result<Vec<Partition>, Error> {
    let span = window.span;
    [Index::Standard, Index::Archive]
        .into_iter()
        .filter(|index| match index {
            Index::Standard => span.to > horizon(now) - 2 * HORIZON_MARGIN_MS,
            // The archive knows no notes.
            Index::Archive => {
                window.context != "note" && span.from.is_none_or(|from| from < horizon(now))
            }
        })
        .map(|index| {
            let window = Window {
                index,
                ..window.clone()
            };
            search_partition(kind.clone(), window, Some(state))
        })
        .collect()
}

/// The parts of a kind.
pub fn partitions(
    settings: &Settings,
    state: &State,
    kind: &Kind,
    since: Option<i64>,
    until: i64,
    now: i64,
) -> Result<Vec<Partition>, Error> {
    let span = Span {
        from: since.map(|at| at - LAG_MS),
        to: until,
        unsorted: false,
    };
    let window = |context: &str, klass: Option<&str>, below: Option<Below>| Window {
        context: context.to_owned(),
        klass: klass.map(str::to_owned),
        index: Index::Standard,
        span,
        below,
        late: since.is_some(),
    };
    let read = |context: &str, klass: Option<&str>, below: Option<Below>| {
        both(kind, &window(context, klass, below), now, state)
    };
    if let Some(context) = context_of(kind) {
        let mut made = read(context, None, None)?;
        if *kind == Kind::Message {
            made.extend(read("note", None, None)?);
            let before = horizon(now);
            if span.from.is_none_or(|from| from < before) {
                let part = Part::OldNotes { before };
                made.push(partition("note/old".to_owned(), kind.clone(), &part)?);
            }
            if state.note_files != NoteFiles::Named {
                made.extend(read("note", None, Some(Below::NoteFiles))?);
            }
            if since.is_none() && lists_files(settings, state) {
                let part = Part::MessageFiles { until };
                made.push(partition("message/files".to_owned(), kind.clone(), &part)?);
            }
            if settings.forwards {
                made.extend(read("conversation", None, Some(Below::Forwards))?);
            }
        }
        return Ok(made);
    }
    if *kind == Kind::CustomObject {
        let mut made = Vec::new();
        for klass in &state.klasses {
            let context = format!("kobject_{}", klass.name);
            made.extend(read(&context, Some(&klass.name), None)?);
        }
        return Ok(made);
    }
    if *kind == Kind::FieldDefinition {
        return Ok(vec![partition(
            "fields".to_owned(),
            kind.clone(),
            &Part::Fields,
        )?]);
    }
    lists_of(kind)
        .into_iter()
        .map(|(id, list, only)| {
            let only = only.map(|(name, value)| (name.to_owned(), value.to_owned()));
            partition(id.to_owned(), kind.clone(), &Part::List { list, only })
        })
        .collect()
}

/// A list that holds records of a kind: its partition's id, and the query that narrows it.
pub(crate) type Listed = (&'static str, List, Option<(&'static str, &'static str)>);

/// The lists that together hold a kind.
pub(crate) fn lists_of(kind: &Kind) -> Vec<Listed> {
    match kind {
        Kind::Team => vec![("teams", List::Teams, None)],
        // The filters of users exclude each other, and without one the deactivated and the invited are left out (§9.7).
        Kind::Agent => vec![
            ("users", List::Users, None),
            ("users/deleted", List::Users, Some(("deleted", "true"))),
            ("users/pending", List::Users, Some(("pending", "true"))),
        ],
        Kind::Tag => vec![("tags", List::Tags, None)],
        Kind::Brand => vec![("brands", List::Brands, None)],
        // Without a status only the enabled ones come (§9.11).
        Kind::ObjectType => vec![
            (
                "klasses/enabled",
                List::Klasses,
                Some(("status", "enabled")),
            ),
            (
                "klasses/existing_only",
                List::Klasses,
                Some(("status", "existing_only")),
            ),
            (
                "klasses/disabled",
                List::Klasses,
                Some(("status", "disabled")),
            ),
        ],
        Kind::Category => vec![("kb/categories", List::Categories, None)],
        Kind::Article => vec![("kb/articles", List::Articles, None)],
        _ => Vec::new(),
    }
}

/// Whether a message's body is asked for, where there is one.
fn wants_body(settings: &Settings, r: &Resource) -> bool {
    match settings.bodies {
        WantedBodies::Never => false,
        WantedBodies::Cut => map::wants_body(r),
        WantedBodies::All => !r.attributes.peek("redacted").unwrap_or(false),
    }
}

/// Whether names of files come from the list of all messages: not where they are not wanted, and not where every message is
/// asked for its HTML anyway.
fn lists_files(settings: &Settings, state: &State) -> bool {
    settings.attachment_details == Details::Read
        && !(settings.bodies == WantedBodies::All && state.bodies == Bodies::Html)
}

pub(crate) fn blank() -> Page {
    Page {
        records: Vec::new(),
        next: None,
        total: None,
        split: Vec::new(),
        retry: false,
        explained: Vec::new(),
        notices: Vec::new(),
    }
}

fn cursor<T: Serialize>(value: &T) -> Result<Option<String>, Error> {
    serde_json::to_string(value)
        .map(Some)
        .map_err(|e| Error::Bug(e.to_string()))
}

fn read_cursor<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Bug(format!("cursor: {e}")))
}

/// A page of a list that comes in the order of ids, which is that of creation.
enum Ordered {
    /// Its answer, and where the next page begins if it is to be read.
    Page(Answer, Option<String>),
    /// The list has ended although it had promised more (§14). What it did not give was made after this time.
    Ends(Option<i64>),
}

/// Where such a list stands.
#[derive(Serialize, Deserialize)]
struct Place {
    page: u64,
    /// The last id of the page before.
    last: Option<String>,
    /// Whether all ids so far rose.
    rises: bool,
}

/// When a record with this id was made (§13 item 17).
fn made_at(id: &str) -> Option<i64> {
    let seconds = i64::from_str_radix(id.get(..8)?, 16).ok()?;
    Some(seconds * 1000)
}

/// A reader of one account.
pub struct Reader<'a> {
    /// Asks.
    pub client: Client<'a>,
    /// The settings.
    pub settings: Settings,
    /// What `discover` found.
    pub state: State,
}

impl Reader<'_> {
    /// One page of a part.
    pub async fn page(&self, partition: &Partition, at: Option<String>) -> Result<Page, Error> {
        let part: Part =
            serde_json::from_str(&partition.spec).map_err(|e| Error::Bug(format!("spec: {e}")))?;
        match &part {
            Part::Search(window) => self.search(&partition.kind, window, at).await,
            Part::List { list, only } => self.list(*list, only.as_ref(), at).await,
            Part::Fields => self.fields().await,
            Part::MessageFiles { until } => self.message_files(*until, at).await,
            Part::OldNotes { before } => self.old_notes(*before, at).await,
            Part::Klass { name } => self.klass(name, at).await,
        }
    }

    async fn search(
        &self,
        kind: &Kind,
        window: &Window,
        at: Option<String>,
    ) -> Result<Page, Error> {
        let span = window.span;
        let mut step = match &at {
            Some(text) => read_cursor(text)?,
            None => Step::first(&span),
        };
        let rows = if window.below.is_some() {
            PARENTS_AT_ONCE
        } else {
            PAGE
        };
        let other = |span: Span| {
            let window = Window {
                span,
                ..window.clone()
            };
            search_partition(kind.clone(), window, None)
        };
        let answer = loop {
            let body = body(window, &step);
            match self
                .client
                .search(window.index, step.page(), rows, &body)
                .await?
            {
                Got::Answer(answer) => break answer,
                Got::Refused(why) => match walk::refused(&span, &step) {
                    Some((simpler, _)) if simpler != span => {
                        let split = vec![other(simpler)?];
                        return Ok(Page { split, ..blank() });
                    }
                    Some((_, simpler)) => step = simpler,
                    None => return unsearchable(window, why),
                },
                Got::Missing => return unsearchable(window, "not found".to_owned()),
            }
        };
        if answer.meta.timed_out {
            return Ok(Page {
                retry: true,
                next: at,
                ..blank()
            });
        }
        let resources = answer.data.0;
        let found = resources.len() as u64;
        let total = answer
            .meta
            .total
            .unwrap_or(if found >= rows { u64::MAX } else { found });
        let seen: Vec<Row> = resources
            .iter()
            .map(|r| Row {
                updated: r.time("updatedAt").unwrap_or_default(),
                created: r.time("createdAt").unwrap_or_default(),
            })
            .collect();
        let mut page = blank();
        page.total = answer
            .meta
            .total
            .filter(|_| window.below.is_none())
            .map(|total| step.window_total(total));
        match walk::next(&span, &step, &seen, total) {
            Next::Done => {}
            Next::Go(step) => page.next = cursor(&step)?,
            Next::Split(spans) => {
                page.split = spans.into_iter().map(other).collect::<Result<_, _>>()?;
            }
        }
        match window.below {
            Some(below) => self.below(below, resources, &mut page).await?,
            None => self.rows(window, resources, &mut page).await?,
        }
        Ok(page)
    }

    /// The records of a search's rows, with what comes along.
    async fn rows(
        &self,
        window: &Window,
        resources: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        match (window.context.as_str(), &window.klass) {
            (_, Some(klass)) => self.custom_objects(klass, resources, page).await?,
            ("customer", _) => self.customers(resources, page).await?,
            ("company", _) => self.companies(resources, page),
            ("conversation", _) => self.conversations(resources, page),
            ("note", _) => self.notes(resources, None, page).await?,
            _ => self.messages(resources, window.late, page).await?,
        }
        undefined_once(&mut page.records);
        Ok(())
    }

    pub(crate) fn companies(&self, resources: Vec<Resource>, page: &mut Page) {
        for r in resources {
            let parent = self.state.parents.get(&r.id()).cloned();
            page.records
                .extend(map::company(&self.state.known, r, parent));
        }
    }

    pub(crate) fn conversations(&self, resources: Vec<Resource>, page: &mut Page) {
        let mapped = |r| map::conversation(&self.state.known, r);
        page.records.extend(resources.into_iter().flat_map(mapped));
    }

    pub(crate) async fn customers(
        &self,
        resources: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        let mut known = self.state.known.clone();
        if self.settings.merges == WantedMerges::Each {
            let asked = each(&resources, |r| self.merged_into(r.id())).await?;
            let merged = resources.iter().map(Resource::id).zip(asked);
            known
                .merged
                .extend(merged.filter(|(_, sources)| !sources.is_empty()));
        }
        let mut masked = BTreeSet::new();
        for r in resources {
            masked.extend(map::masked_identity(&r).into_iter().map(|(name, _)| name));
            page.records.extend(map::customer(&known, r));
        }
        if !masked.is_empty() {
            page.notices.push(masked_notice(&masked));
        }
        Ok(())
    }

    /// The customers that were merged into one.
    async fn merged_into(&self, id: String) -> Result<Vec<String>, Error> {
        let merges = self
            .client
            .all(&format!("/v1/customers/{id}/merges"), &[], LIST_ROWS)
            .await?
            .unwrap_or_default();
        let into_it = |merge: &&Resource| merge.one("target").is_some_and(|target| target.id == id);
        Ok(merges
            .iter()
            .filter(into_it)
            .filter_map(|m| m.one("source"))
            .map(|p| p.id)
            .collect())
    }

    pub(crate) async fn messages(
        &self,
        resources: Vec<Resource>,
        late: bool,
        page: &mut Page,
    ) -> Result<(), Error> {
        let bodies = each(&resources, |r| self.body(r)).await?;
        let (mut wanted, mut files) = (Vec::new(), Vec::new());
        for (r, body) in resources.into_iter().zip(bodies) {
            let ids = files::named(&r);
            let parent = Parent::of("messages", &r);
            if self.settings.attachment_details == Details::Open {
                files.extend(files::unseen(&parent, &ids, files::NOT_ASKED));
            } else if !ids.is_empty() && (late || self.shows_files(&r)) {
                wanted.push((parent, ids));
            } else {
                files.extend(files::unseen(&parent, &ids, files::NOT_LISTED));
            }
            page.records
                .extend(map::message(&self.state.known, r, body, self.state.bodies));
        }
        files.extend(files::of(&self.client, &wanted).await?);
        show_inline(&page.records, &mut files);
        page.records.extend(files);
        Ok(())
    }

    /// Whether a message's HTML is read, which shows some of its files: these are then read along with it.
    fn shows_files(&self, r: &Resource) -> bool {
        self.state.bodies == Bodies::Html && wants_body(&self.settings, r)
    }

    /// The app resource of a message, where there is one and it is wanted (§14).
    async fn body(&self, r: &Resource) -> Result<Option<map::Body>, Error> {
        let related = r
            .links
            .related
            .as_deref()
            .filter(|path| path.starts_with("/v1/"));
        let Some(path) = related else { return Ok(None) };
        if self.state.bodies == Bodies::Absent || !wants_body(&self.settings, r) {
            return Ok(None);
        }
        Ok(self
            .client
            .json(path)
            .await?
            .map(|json| map::body_of(&json)))
    }

    /// Files of all messages, by the list of messages.
    async fn message_files(&self, until: i64, at: Option<String>) -> Result<Page, Error> {
        let with = [("include", "attachments")];
        let (answer, next) = match self.in_order("/v1/messages", &with, until, at).await? {
            Ordered::Page(answer, next) => (answer, next),
            Ordered::Ends(reached) => return by_conversation(Below::Files, reached),
        };
        let mut messages = answer.data.0;
        messages.retain(|r| !self.shows_files(r));
        let (mut records, left) = files::included(&messages, answer.included.0);
        records.extend(files::of(&self.client, &left).await?);
        Ok(Page {
            records,
            next,
            ..blank()
        })
    }

    /// Notes. Files of those last updated before `old_before` are looked up below each, if that is of use.
    pub(crate) async fn notes(
        &self,
        resources: Vec<Resource>,
        old_before: Option<i64>,
        page: &mut Page,
    ) -> Result<(), Error> {
        let looked_up = match self.settings.old_note_files {
            OldNoteFiles::Auto => self.state.note_files == NoteFiles::Listed,
            OldNoteFiles::Each => true,
            OldNoteFiles::Off => false,
        };
        let (mut wanted, mut unnamed) = (Vec::new(), Vec::new());
        for r in resources {
            let ids = files::named(&r);
            let parent = Parent::of("notes", &r);
            let old = old_before.is_some_and(|before| parent.updated.is_none_or(|at| at < before));
            if ids.is_empty() {
                unnamed.extend((old && looked_up).then_some(parent));
            } else if self.settings.attachment_details == Details::Open {
                page.records
                    .extend(files::unseen(&parent, &ids, files::NOT_ASKED));
            } else {
                wanted.push((parent, ids));
            }
            page.records.extend(map::note(&self.state.known, r));
        }
        page.records.extend(files::of(&self.client, &wanted).await?);
        let found = each(&unnamed, |parent| files::listed(&self.client, parent)).await?;
        page.records.extend(found.into_iter().flatten().flatten());
        Ok(())
    }

    pub(crate) async fn custom_objects(
        &self,
        klass: &str,
        resources: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        let data = each(&resources, |r| async move {
            Ok(match r.attributes.peek::<String>("s3DataUrl") {
                Some(url) if !r.attributes.has_value("data") => self.client.outside(&url).await,
                _ => None,
            })
        })
        .await?;
        for (r, data) in resources.into_iter().zip(data) {
            page.records
                .extend(map::custom_object(&self.state.known, r, klass, data));
        }
        Ok(())
    }

    /// A row of a list.
    pub(crate) async fn one_of(
        &self,
        list: List,
        r: Resource,
        pending: bool,
    ) -> Result<Vec<Entry>, Error> {
        let known = &self.state.known;
        Ok(match list {
            List::Teams => map::team(known, r),
            List::Users => map::agent(known, r, pending),
            List::Tags => map::tag(known, r),
            List::Brands => map::brand(known, r),
            List::Klasses => map::object_type(known, r),
            List::Categories => map::category(known, r),
            List::Articles => {
                let path = format!("/v1/kb/articles/{}/versions", r.id());
                let versions = self.client.all(&path, &[], LIST_ROWS).await?;
                map::article(known, r, versions.unwrap_or_default())
            }
        })
    }

    async fn list(
        &self,
        list: List,
        only: Option<&(String, String)>,
        at: Option<String>,
    ) -> Result<Page, Error> {
        let number: u64 = at.as_deref().map_or(Ok(1), read_cursor)?;
        let page_number = number.to_string();
        let mut query = vec![("page", page_number.as_str()), ("pageSize", list.rows())];
        query.extend(only.map(|(name, value)| (name.as_str(), value.as_str())));
        let answer = match self.client.get(list.path(), &query).await? {
            Got::Answer(answer) => answer,
            // An account without a knowledge base may have no such list.
            Got::Missing if matches!(list, List::Categories | List::Articles) => return Ok(blank()),
            Got::Missing => return Err(Error::NotFound(list.path().to_owned())),
            Got::Refused(why) => return Err(Error::Unsupported(format!("{}: {why}", list.path()))),
        };
        let mut page = blank();
        if answer.links.next.is_some() && !answer.data.0.is_empty() {
            page.next = cursor(&(number + 1))?;
        }
        page.total = answer.meta.total;
        let pending = only.is_some_and(|(name, _)| name == "pending");
        let made = each(answer.data.0, |r| self.one_of(list, r, pending)).await?;
        page.records = made.into_iter().flatten().collect();
        undefined_once(&mut page.records);
        Ok(page)
    }

    pub(crate) async fn fields(&self) -> Result<Page, Error> {
        let mut page = blank();
        for resource in resources_with_fields(&self.state) {
            if let Got::Answer(answer) = self
                .client
                .get(&format!("/v1/metadata/{resource}"), &[])
                .await?
            {
                page.records.extend(
                    answer
                        .data
                        .0
                        .iter()
                        .flat_map(|m| schema::entries(&resource, m)),
                );
            }
        }
        page.total = Some(page.records.len() as u64);
        Ok(page)
    }

    /// A page of a list in the order of ids, up to what was made by `until`.
    async fn in_order(
        &self,
        path: &str,
        with: &[(&str, &str)],
        until: i64,
        at: Option<String>,
    ) -> Result<Ordered, Error> {
        let place = match at {
            Some(text) => read_cursor(&text)?,
            None => Place {
                page: 1,
                last: None,
                rises: true,
            },
        };
        let number = place.page.to_string();
        let mut query = vec![("page", number.as_str()), ("pageSize", LIST_ROWS)];
        query.extend_from_slice(with);
        let reached = place
            .last
            .as_deref()
            .filter(|_| place.rises)
            .and_then(made_at);
        let Got::Answer(answer) = self.client.get(path, &query).await? else {
            return Ok(Ordered::Ends(reached));
        };
        let ids: Vec<String> = answer.data.0.iter().map(Resource::id).collect();
        // A list that is cut off answers nothing, or its last page again.
        if place.page > 1 && (ids.is_empty() || ids.last() == place.last.as_ref()) {
            return Ok(Ordered::Ends(reached));
        }
        let rises = place.rises && ids.is_sorted() && place.last.as_ref() <= ids.first();
        let last = ids.last().cloned();
        let past = rises
            && last
                .as_deref()
                .and_then(made_at)
                .is_some_and(|at| at > until);
        let more = answer.links.next.is_some() && !ids.is_empty() && !past;
        let page = place.page + 1;
        let next = if more {
            cursor(&Place { page, last, rises })?
        } else {
            None
        };
        Ok(Ordered::Page(answer, next))
    }

    /// Notes of before the horizon, by the list of notes.
    async fn old_notes(&self, before: i64, at: Option<String>) -> Result<Page, Error> {
        let by_id = [("sort", "asc")];
        let (answer, next) = match self.in_order("/v1/notes", &by_id, before, at).await? {
            Ordered::Page(answer, next) => (answer, next),
            Ordered::Ends(reached) => return by_conversation(Below::Notes, reached),
        };
        let mut page = Page { next, ..blank() };
        // What changed since is in the index too.
        let (old, young): (Vec<_>, Vec<_>) = answer
            .data
            .0
            .into_iter()
            .partition(|r| r.time("updatedAt").is_none_or(|at| at < before));
        if !young.is_empty() {
            page.explained.push((
                "duplicate of an index".to_owned(),
                u32::try_from(young.len()).unwrap_or(u32::MAX),
            ));
        }
        self.notes(old, Some(before), &mut page).await?;
        Ok(page)
    }

    async fn below(
        &self,
        below: Below,
        mut rows: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        rows.retain(|r| below.may_be_in(r));
        let list = |r: &Resource| {
            let path = format!("/v1/conversations/{}/{}", r.id(), below.name());
            async move { self.client.all(&path, &[], LIST_ROWS).await }
        };
        match below {
            Below::Notes => {
                let found = each(&rows, list).await?.into_iter().flatten().flatten();
                let before = horizon(self.client.now());
                self.notes(found.collect(), Some(before), page).await?;
            }
            Below::Forwards => {
                let found = each(&rows, list).await?;
                for (conversation, forwards) in rows.iter().zip(found) {
                    let forwards = forwards.unwrap_or_default();
                    self.forwards(Some(&conversation.id()), forwards, page)
                        .await?;
                }
            }
            Below::Files => {
                let found = each(&rows, |r| files::of_conversation(&self.client, r)).await?;
                page.records.extend(found.into_iter().flatten());
            }
            Below::NoteFiles => {
                let parents: Vec<Parent> = rows.iter().map(|r| Parent::of("notes", r)).collect();
                let found = each(&parents, |parent| files::listed(&self.client, parent)).await?;
                for (parent, files) in parents.iter().zip(found) {
                    page.records
                        .extend(files.unwrap_or_else(|| vec![files::unlisted(parent)]));
                }
            }
        }
        Ok(())
    }

    /// Forwards, of a conversation where that is known.
    pub(crate) async fn forwards(
        &self,
        conversation: Option<&str>,
        forwards: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        for r in forwards {
            let mut parent = Parent::of("forwards", &r);
            let known = || conversation.map(|id| Reference::new(Kind::Conversation, id.to_owned()));
            parent.conversation = parent.conversation.or_else(known);
            match map::forward(&self.state.known, r, parent.conversation.clone()) {
                Some(entries) => {
                    page.records.extend(entries);
                    let files = files::listed(&self.client, &parent).await?;
                    page.records.extend(files.unwrap_or_default());
                }
                None => page.explained.push(("draft".to_owned(), 1)),
            }
        }
        Ok(())
    }

    /// Records of a klass by its list, which has no end of its own that could be asked for: where it stops short, that is said.
    async fn klass(&self, name: &str, at: Option<String>) -> Result<Page, Error> {
        let path = format!("/v1/klasses/{name}");
        let (answer, next) = match self.in_order(&path, &[], i64::MAX, at).await? {
            Ordered::Page(answer, next) => (answer, next),
            Ordered::Ends(_) => {
                let notice = Notice {
                    code: "kustomer.klass-unreadable".to_owned(),
                    severity: Severity::Danger,
                    message: format!(
                        "Records of the klass {name} are incomplete: search does not know it, and its list ends early"
                    ),
                    remedy: Some("Enable the klass in Kustomer and read again.".to_owned()),
                };
                return Ok(Page {
                    notices: vec![notice],
                    ..blank()
                });
            }
        };
        let mut page = Page { next, ..blank() };
        self.custom_objects(name, answer.data.0, &mut page).await?;
        undefined_once(&mut page.records);
        Ok(page)
    }
}

/// The body of a window's search.
fn body(window: &Window, step: &Step) -> serde_json::Value {
    let object = match &window.klass {
        Some(_) => "kobject",
        None => &window.context,
    };
    let mut body = walk::body(&window.context, object, &window.span, step);
    // The one filter that knows which notes have files.
    if window.below == Some(Below::NoteFiles)
        && let Some(and) = body
            .get_mut("and")
            .and_then(serde_json::Value::as_array_mut)
    {
        and.push(json!({ "note_attachment_count": { "gte": 1 } }));
    }
    body
}

/// What is done about a window that search refuses altogether.
fn unsearchable(window: &Window, why: String) -> Result<Page, Error> {
    match &window.klass {
        // A klass that is disabled may be unknown to search; it has a list.
        Some(name) => {
            let part = Part::Klass { name: name.clone() };
            let id = format!("klass/{name}");
            let split = vec![partition(id, Kind::CustomObject, &part)?];
            Ok(Page { split, ..blank() })
        }
        None if window.below == Some(Below::NoteFiles) => Ok(Page {
            notices: vec![Notice {
                code: "kustomer.note-files-unknown".to_owned(),
                severity: Severity::Caution,
                message: format!(
                    "Search does not say which notes have files ({why}); files of notes are not read"
                ),
                remedy: None,
            }],
            ..blank()
        }),
        None => Err(Error::Unsupported(format!("search refuses: {why}"))),
    }
}

/// What a list of all did not reach, conversation by conversation: a conversation is touched when something is written in it,
/// so it was updated after what was not reached.
fn by_conversation(below: Below, reached: Option<i64>) -> Result<Page, Error> {
    let mut page = blank();
    for index in [Index::Standard, Index::Archive] {
        let window = Window {
            context: "conversation".to_owned(),
            klass: None,
            index,
            span: Span {
                from: reached,
                to: YEAR_2100_MS,
                unsorted: false,
            },
            below: Some(below),
            late: false,
        };
        page.split
            .push(search_partition(Kind::Message, window, None)?);
    }
    let (code, what, rest) = match below {
        Below::Notes => (
            "kustomer.notes-list-ends",
            "notes",
            "Nothing to do; old notes on customers without a conversation may be missing.",
        ),
        _ => ("kustomer.messages-list-ends", "messages", "Nothing to do."),
    };
    page.notices.push(Notice {
        code: code.to_owned(),
        severity: Severity::Caution,
        message: format!(
            "Kustomer's list of {what} ends early; the rest is read conversation by conversation"
        ),
        remedy: Some(rest.to_owned()),
    });
    Ok(page)
}

/// The resources that metadata knows: the standard ones and each klass.
pub fn resources_with_fields(state: &State) -> Vec<String> {
    let standard = ["customer", "company", "conversation", "message", "user"].map(str::to_owned);
    standard
        .into_iter()
        .chain(state.klasses.iter().map(|k| format!("kobject.{}", k.name)))
        .collect()
}

/// The notice that stops a run: people's names and addresses come masked (rule M-4).
pub fn masked_notice(names: &BTreeSet<&str>) -> Notice {
    let names: Vec<&str> = names.iter().copied().collect();
    Notice {
        code: "kustomer.masked".to_owned(),
        severity: Severity::Danger,
        message: format!("The key sees masked values where customers have their {}", names.join(", ")),
        remedy: Some("Make a key whose roles include reading sensitive attributes; roles of a key cannot be changed.".to_owned()),
    }
}

/// An undefined attribute is reported once a page, not with every record.
pub(crate) fn undefined_once(records: &mut Vec<Entry>) {
    let mut seen = BTreeSet::new();
    records.retain(|entry| {
        entry.head.kind != Kind::FieldDefinition || seen.insert(entry.head.id.clone())
    });
}

/// Files that the HTML of their message shows: by `cid:` or by their link.
fn show_inline(records: &[Entry], files: &mut [Entry]) {
    let bodies: BTreeMap<&str, &str> = records
        .iter()
        .filter_map(|entry| match &entry.data {
            Entity::Message(message) => match &message.html {
                Some(Text::Inline(html)) => Some((entry.head.id.as_str(), html.as_str())),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for file in files {
        let Entity::Attachment(attachment) = &mut file.data else {
            continue;
        };
        let html = bodies.get(attachment.parent.id.as_str()).copied();
        let sources = html.unwrap_or_default().split("src=\"").skip(1);
        for source in sources.filter_map(|rest| rest.split('"').next()) {
            if source.contains(&file.head.id) {
                attachment.inline = true;
                match source.strip_prefix("cid:") {
                    Some(cid) => attachment.content_id = Some(cid.to_owned()),
                    None => attachment.body_url = Some(source.to_owned()),
                }
            }
        }
    }
}
