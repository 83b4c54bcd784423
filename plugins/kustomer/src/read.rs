//! Which parts an account has, and one page of a part.
//!
//! | kind | how | requests |
//! | --- | --- | --- |
//! | companies, customers, conversations, messages, notes, records of klasses | search, both indexes, [`crate::walk`] | a search for 500 rows |
//! | notes older than two years | `/v1/notes` (the archive holds none, Kustomer facts §8.1) | one for 100 rows |
//! | files | with their messages, [`crate::files`] | one for each message that has files |
//! | everything else | its list | one for 100 or 500 rows |
//!
//! Nothing is asked per conversation, with two exceptions: forwards, when the user wants them, and old notes where `/v1/notes`
//! ends before the horizon (third parties say after 10,000 rows).

use std::collections::BTreeSet;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use transload_sdk::session::{Notice, Severity};
use transload_sdk::source::{Page, Partition};
use transload_sdk::types::{Entity, Entry, Error, Kind, Reference};

use crate::api::Resource;
use crate::client::{Client, Got};
use crate::config::{Settings, State, WantedBodies, WantedMerges};
use crate::files::{self, Parent};
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
const LIST_ROWS: &str = "100";
const PEOPLE_ROWS: &str = "500";
/// Requests on the way at once within one page.
const AT_ONCE: usize = 16;
/// Conversations looked at for one page of old notes or forwards.
const PARENTS_AT_ONCE: u64 = 100;

/// What a partition is; its `spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A window of a search index.
    Search {
        /// `customer`, `kobject_order`.
        context: String,
        /// The klass, for records of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        klass: Option<String>,
        /// Which index.
        index: Index,
        /// The window.
        span: Span,
        /// What is read of each conversation instead of itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        below: Option<Below>,
    },
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
    /// Files of notes.
    NoteFiles {
        /// Window of `updatedAt`.
        span: Span,
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

/// What is read of conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Below {
    /// Their notes.
    Notes,
    /// Their forwards.
    Forwards,
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
    fn path(self) -> &'static str {
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

    fn rows(self) -> &'static str {
        match self {
            Self::Teams | Self::Users => PEOPLE_ROWS,
            _ => LIST_ROWS,
        }
    }
}

fn partition(id: String, kind: Kind, part: &Part) -> Result<Partition, Error> {
    let spec = serde_json::to_string(part).map_err(|e| Error::Bug(e.to_string()))?;
    let (object_type, window) = match part {
        Part::Search { klass, span, .. } => (klass.clone(), Some(span)),
        Part::Klass { name } => (Some(name.clone()), None),
        Part::NoteFiles { span } => (None, Some(span)),
        _ => (None, None),
    };
    Ok(Partition {
        id,
        kind,
        object_type,
        spec,
        expected: None,
        window_start: window.and_then(|span| span.from),
        window_end: window.map(|span| span.to),
    })
}

fn search_partition(kind: Kind, part: Part, totals: Option<&State>) -> Result<Partition, Error> {
    let Part::Search {
        context,
        index,
        span,
        below,
        ..
    } = &part
    else {
        return Err(Error::Bug("not a search".to_owned()));
    };
    let from = span
        .from
        .map_or_else(|| "-".to_owned(), |at| at.to_string());
    let suffix = match below {
        None => "",
        Some(Below::Notes) => "/notes",
        Some(Below::Forwards) => "/forwards",
    };
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
    let mut made = partition(id, kind, &part)?;
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

/// Both indexes, as far as they can hold anything of the window.
fn both(
    kind: &Kind,
    context: &str,
    klass: Option<&str>,
    below: Option<Below>,
    span: Span,
    now: i64,
    state: &State,
) -> Result<Vec<Partition>, Error> {
    let horizon = now - HORIZON_MS;
    let mut made = Vec::new();
    for index in [Index::Standard, Index::Archive] {
        let in_it = match index {
            Index::Standard => span.to > horizon - HORIZON_MARGIN_MS,
            // The archive knows no notes.
            Index::Archive => {
                context != "note"
                    && span
                        .from
                        .is_none_or(|from| from < horizon + HORIZON_MARGIN_MS)
            }
        };
        if in_it {
            let part = Part::Search {
                context: context.to_owned(),
                klass: klass.map(str::to_owned),
                index,
                span,
                below,
            };
            made.push(search_partition(kind.clone(), part, Some(state))?);
        }
    }
    Ok(made)
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
    if let Some(context) = context_of(kind) {
        let mut made = both(kind, context, None, None, span, now, state)?;
        if *kind == Kind::Message {
            made.extend(both(kind, "note", None, None, span, now, state)?);
            let before = now - HORIZON_MS + HORIZON_MARGIN_MS;
            if span.from.is_none_or(|from| from < before) {
                made.push(partition(
                    "note/old".to_owned(),
                    kind.clone(),
                    &Part::OldNotes { before },
                )?);
            }
            let from = span
                .from
                .map_or_else(|| "-".to_owned(), |at| at.to_string());
            made.push(partition(
                format!("note/files/{from}/{until}"),
                kind.clone(),
                &Part::NoteFiles { span },
            )?);
            if settings.forwards {
                made.extend(both(
                    kind,
                    "conversation",
                    None,
                    Some(Below::Forwards),
                    span,
                    now,
                    state,
                )?);
            }
        }
        return Ok(made);
    }
    if *kind == Kind::CustomObject {
        let mut made = Vec::new();
        for klass in &state.klasses {
            made.extend(both(
                kind,
                &format!("kobject_{}", klass.name),
                Some(&klass.name),
                None,
                span,
                now,
                state,
            )?);
        }
        return Ok(made);
    }
    let list = |id: &str, list: List, only: Option<(&str, &str)>| {
        let only = only.map(|(name, value)| (name.to_owned(), value.to_owned()));
        partition(id.to_owned(), kind.clone(), &Part::List { list, only })
    };
    Ok(match kind {
        Kind::Team => vec![list("teams", List::Teams, None)?],
        // The filters of users exclude each other, and without one the deactivated and the invited are left out (§9.7).
        Kind::Agent => vec![
            list("users", List::Users, None)?,
            list("users/deleted", List::Users, Some(("deleted", "true")))?,
            list("users/pending", List::Users, Some(("pending", "true")))?,
        ],
        Kind::Tag => vec![list("tags", List::Tags, None)?],
        Kind::Brand => vec![list("brands", List::Brands, None)?],
        Kind::FieldDefinition => vec![partition("fields".to_owned(), kind.clone(), &Part::Fields)?],
        // Without a status only the enabled ones come (§9.11).
        Kind::ObjectType => ["enabled", "existing_only", "disabled"]
            .into_iter()
            .map(|status| {
                list(
                    &format!("klasses/{status}"),
                    List::Klasses,
                    Some(("status", status)),
                )
            })
            .collect::<Result<_, _>>()?,
        Kind::Category => vec![list("kb/categories", List::Categories, None)?],
        Kind::Article => vec![list("kb/articles", List::Articles, None)?],
        _ => Vec::new(),
    })
}

fn blank() -> Page {
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
            Part::Search {
                context,
                klass,
                index,
                span,
                below,
            } => {
                let kind = &partition.kind;
                self.search(kind, (context, klass.as_deref(), *index, *span, *below), at)
                    .await
            }
            Part::List { list, only } => self.list(*list, only.as_ref(), at).await,
            Part::Fields => self.fields().await,
            Part::NoteFiles { span } => self.note_files(*span, at).await,
            Part::OldNotes { before } => self.old_notes(*before, at).await,
            Part::Klass { name } => self.klass(name, at).await,
        }
    }

    async fn search(
        &self,
        kind: &Kind,
        (context, klass, index, span, below): (&str, Option<&str>, Index, Span, Option<Below>),
        at: Option<String>,
    ) -> Result<Page, Error> {
        let mut step = match &at {
            Some(text) => read_cursor(text)?,
            None => Step::first(&span),
        };
        let object = if klass.is_some() { "kobject" } else { context };
        let rows = if below.is_some() {
            PARENTS_AT_ONCE
        } else {
            PAGE
        };
        let part = |span: Span| Part::Search {
            context: context.to_owned(),
            klass: klass.map(str::to_owned),
            index,
            span,
            below,
        };
        let answer = loop {
            match self
                .client
                .search(
                    index,
                    step.page(),
                    rows,
                    &walk::body(context, object, &span, &step),
                )
                .await?
            {
                Got::Answer(answer) => break answer,
                Got::Refused(why) => match walk::refused(&span, &step) {
                    Some((other, _)) if other != span => {
                        let split = vec![search_partition(kind.clone(), part(other), None)?];
                        return Ok(Page { split, ..blank() });
                    }
                    Some((_, other)) => step = other,
                    None => return self.klass_instead(klass, why),
                },
                Got::Missing => return self.klass_instead(klass, "not found".to_owned()),
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
        let total = answer
            .meta
            .total
            .unwrap_or(if resources.len() as u64 >= rows {
                u64::MAX
            } else {
                resources.len() as u64
            });
        let seen: Vec<Row> = resources
            .iter()
            .map(|r| Row {
                updated: r.time("updatedAt").unwrap_or_default(),
                created: r.time("createdAt").unwrap_or_default(),
            })
            .collect();
        let next = walk::next(&span, &step, &seen, total);
        let mut page = blank();
        page.total = answer
            .meta
            .total
            .filter(|_| below.is_none())
            .map(|total| step.window_total(total));
        match next {
            Next::Done => {}
            Next::Go(step) => page.next = cursor(&step)?,
            Next::Split(spans) => {
                for span in spans {
                    page.split
                        .push(search_partition(kind.clone(), part(span), None)?);
                }
            }
        }
        match below {
            Some(below) => self.below(below, resources, &mut page).await?,
            None => self.rows(context, klass, resources, &mut page).await?,
        }
        Ok(page)
    }

    /// A klass whose context search refuses (a disabled one may be) is read by its list.
    fn klass_instead(&self, klass: Option<&str>, why: String) -> Result<Page, Error> {
        let Some(name) = klass else {
            return Err(Error::Unsupported(format!("search refuses: {why}")));
        };
        let part = Part::Klass {
            name: name.to_owned(),
        };
        let split = vec![partition(
            format!("klass/{name}"),
            Kind::CustomObject,
            &part,
        )?];
        Ok(Page { split, ..blank() })
    }

    /// The records of a search's rows, with what comes along.
    async fn rows(
        &self,
        context: &str,
        klass: Option<&str>,
        resources: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        let known = &self.state.known;
        match context {
            "customer" => self.customers(resources, page).await?,
            "company" => {
                for r in resources {
                    let parent = self.state.parents.get(&r.id()).cloned();
                    page.records.extend(map::company(known, r, parent));
                }
            }
            "conversation" => page.records.extend(
                resources
                    .into_iter()
                    .flat_map(|r| map::conversation(known, r)),
            ),
            "message" => self.messages(resources, page).await?,
            "note" => self.notes(resources, page).await?,
            _ => {
                self.custom_objects(klass.unwrap_or_default(), resources, page)
                    .await?
            }
        }
        undefined_once(&mut page.records);
        Ok(())
    }

    async fn customers(&self, resources: Vec<Resource>, page: &mut Page) -> Result<(), Error> {
        let mut masked = BTreeSet::new();
        let mut known = self.state.known.clone();
        for group in resources.chunks(AT_ONCE) {
            if self.settings.merges != WantedMerges::Each {
                break;
            }
            let asked = join_all(group.iter().map(|r| self.merged_into(r.id()))).await;
            for (r, sources) in group.iter().zip(asked) {
                let sources = sources?;
                if !sources.is_empty() {
                    known.merged.insert(r.id(), sources);
                }
            }
        }
        for r in resources {
            masked.extend(map::masked_identity(&r));
            page.records.extend(map::customer(&known, r));
        }
        if !masked.is_empty() {
            page.notices.push(masked_notice(&masked));
        }
        Ok(())
    }

    async fn merged_into(&self, id: String) -> Result<Vec<String>, Error> {
        let merges = self
            .client
            .all(&format!("/v1/customers/{id}/merges"), &[], LIST_ROWS)
            .await?
            .unwrap_or_default();
        let into_it = |merge: &Resource| merge.one("target").is_some_and(|target| target.id == id);
        Ok(merges
            .iter()
            .filter(|m| into_it(m))
            .filter_map(|m| m.one("source"))
            .map(|p| p.id)
            .collect())
    }

    async fn messages(&self, resources: Vec<Resource>, page: &mut Page) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for group in resources.chunks(AT_ONCE) {
            let bodies = join_all(group.iter().map(|r| self.body(r))).await;
            for (r, body) in group.iter().zip(bodies) {
                let ids: Vec<String> = r.related("attachments").into_iter().map(|p| p.id).collect();
                if !ids.is_empty() {
                    let conversation = r
                        .one("conversation")
                        .map(|p| map::reference(Kind::Conversation, p.id));
                    wanted.push((
                        Parent {
                            path: "messages",
                            id: r.id(),
                            conversation,
                        },
                        ids,
                    ));
                }
                page.records.extend(map::message(
                    &self.state.known,
                    r.clone(),
                    body?,
                    self.state.bodies,
                ));
            }
        }
        let mut files = files::of(&self.client, self.settings.attachment_details, wanted).await?;
        show_inline(&page.records, &mut files);
        page.records.extend(files);
        Ok(())
    }

    /// The app resource of a message, where there is one and it is wanted (§14).
    async fn body(&self, r: &Resource) -> Result<Option<map::Body>, Error> {
        let wanted = match self.settings.bodies {
            WantedBodies::Never => false,
            WantedBodies::Cut => map::wants_body(r),
            WantedBodies::All => !r.attributes.peek("redacted").unwrap_or(false),
        };
        let related = r
            .links
            .related
            .as_deref()
            .filter(|path| path.starts_with("/v1/"));
        let Some(path) = related.filter(|_| wanted && self.state.bodies != Bodies::Absent) else {
            return Ok(None);
        };
        Ok(self
            .client
            .json(path)
            .await?
            .map(|json| map::body_of(&json)))
    }

    async fn notes(&self, resources: Vec<Resource>, page: &mut Page) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for r in resources {
            let ids: Vec<String> = r.related("attachments").into_iter().map(|p| p.id).collect();
            if !ids.is_empty() {
                wanted.push((note_parent(&r), ids));
            }
            page.records.extend(map::note(&self.state.known, r));
        }
        page.records
            .extend(files::of(&self.client, self.settings.attachment_details, wanted).await?);
        Ok(())
    }

    async fn custom_objects(
        &self,
        klass: &str,
        resources: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        for group in resources.chunks(AT_ONCE) {
            let data = join_all(group.iter().map(|r| async move {
                match r.attributes.peek::<String>("s3DataUrl") {
                    Some(url) if !r.attributes.has_value("data") => self.client.outside(&url).await,
                    _ => None,
                }
            }))
            .await;
            for (r, data) in group.iter().zip(data) {
                page.records.extend(map::custom_object(
                    &self.state.known,
                    r.clone(),
                    klass,
                    data,
                ));
            }
        }
        Ok(())
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
        let known = &self.state.known;
        let pending = only.is_some_and(|(name, _)| name == "pending");
        for r in answer.data.0 {
            page.records.extend(match list {
                List::Teams => map::team(known, r),
                List::Users => map::agent(known, r, pending),
                List::Tags => map::tag(known, r),
                List::Brands => map::brand(known, r),
                List::Klasses => map::object_type(known, r),
                List::Categories => map::category(known, r),
                List::Articles => {
                    let path = format!("/v1/kb/articles/{}/versions", r.id());
                    let versions = self
                        .client
                        .all(&path, &[], LIST_ROWS)
                        .await?
                        .unwrap_or_default();
                    map::article(known, r, versions)
                }
            });
        }
        undefined_once(&mut page.records);
        Ok(page)
    }

    async fn fields(&self) -> Result<Page, Error> {
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

    /// Notes that have files, found by the one filter that knows it.
    async fn note_files(&self, span: Span, at: Option<String>) -> Result<Page, Error> {
        let step = match &at {
            Some(text) => read_cursor(text)?,
            None => Step::first(&span),
        };
        let mut body = walk::body("note", "note", &span, &step);
        if let Some(and) = body
            .get_mut("and")
            .and_then(serde_json::Value::as_array_mut)
        {
            and.push(json!({ "note_attachment_count": { "gte": 1 } }));
        }
        let answer = match self
            .client
            .search(Index::Standard, step.page(), PAGE, &body)
            .await?
        {
            Got::Answer(answer) => answer,
            _ => return Ok(blank()),
        };
        if answer.meta.timed_out {
            return Ok(Page {
                retry: true,
                next: at,
                ..blank()
            });
        }
        let rows: Vec<Row> = answer
            .data
            .0
            .iter()
            .map(|r| Row {
                updated: r.time("updatedAt").unwrap_or_default(),
                created: r.time("createdAt").unwrap_or_default(),
            })
            .collect();
        let mut page = blank();
        match walk::next(
            &span,
            &step,
            &rows,
            answer.meta.total.unwrap_or(rows.len() as u64),
        ) {
            Next::Done => {}
            Next::Go(step) => page.next = cursor(&step)?,
            Next::Split(spans) => {
                for span in spans {
                    let from = span.from.unwrap_or_default();
                    page.split.push(partition(
                        format!("note/files/{from}/{}", span.to),
                        Kind::Message,
                        &Part::NoteFiles { span },
                    )?);
                }
            }
        }
        for group in answer.data.0.chunks(AT_ONCE) {
            let parents: Vec<Parent> = group.iter().map(note_parent).collect();
            for entries in join_all(
                parents
                    .iter()
                    .map(|parent| files::of_note(&self.client, parent)),
            )
            .await
            {
                page.records.extend(entries?);
            }
        }
        Ok(page)
    }

    /// `/v1/notes` in the order of ids, so of creation, up to the horizon.
    async fn old_notes(&self, before: i64, at: Option<String>) -> Result<Page, Error> {
        let (number, last): (u64, Option<String>) =
            at.as_deref().map_or(Ok((1, None)), read_cursor)?;
        let page_number = number.to_string();
        let query = [
            ("page", page_number.as_str()),
            ("pageSize", LIST_ROWS),
            ("sort", "asc"),
        ];
        let answer = match self.client.get("/v1/notes", &query).await? {
            Got::Answer(answer) => answer,
            _ if number > 1 => return self.notes_by_conversation(before, last),
            Got::Missing => return Ok(blank()),
            Got::Refused(why) => return Err(Error::Unsupported(format!("/v1/notes: {why}"))),
        };
        let resources = answer.data.0;
        let ids: Vec<String> = resources.iter().map(Resource::id).collect();
        // A list that is cut off answers nothing, or its last page again, although it has promised more (§14).
        if number > 1 && (ids.is_empty() || ids.last() == last.as_ref()) {
            return self.notes_by_conversation(before, last);
        }
        let made_at = |id: &String| {
            i64::from_str_radix(id.get(..8)?, 16)
                .ok()
                .map(|seconds| seconds * 1000)
        };
        let ascending = ids.first().zip(ids.last()).is_some_and(|(a, b)| a <= b);
        let past = ascending && ids.last().and_then(made_at).is_some_and(|at| at > before);
        let mut page = blank();
        if answer.links.next.is_some() && !past {
            page.next = cursor(&(number + 1, ids.last()))?;
        }
        // What changed since is in the index too.
        let (old, young): (Vec<_>, Vec<_>) = resources
            .into_iter()
            .partition(|r| r.time("updatedAt").is_none_or(|at| at < before));
        if !young.is_empty() {
            page.explained.push((
                "duplicate of an index".to_owned(),
                u32::try_from(young.len()).unwrap_or(u32::MAX),
            ));
        }
        self.notes(old, &mut page).await?;
        Ok(page)
    }

    /// The notes that `/v1/notes` did not reach, conversation by conversation.
    fn notes_by_conversation(&self, before: i64, last: Option<String>) -> Result<Page, Error> {
        let reached = last
            .and_then(|id| i64::from_str_radix(id.get(..8)?, 16).ok())
            .map(|seconds| seconds * 1000);
        let mut page = blank();
        for index in [Index::Standard, Index::Archive] {
            // A conversation is touched when a note is written, so it was updated after the notes that were not reached.
            let span = Span {
                from: reached,
                to: YEAR_2100_MS,
                unsorted: false,
            };
            let part = Part::Search {
                context: "conversation".to_owned(),
                klass: None,
                index,
                span,
                below: Some(Below::Notes),
            };
            page.split
                .push(search_partition(Kind::Message, part, None)?);
        }
        page.notices.push(Notice {
            code: "kustomer.notes-list-ends".to_owned(),
            severity: Severity::Caution,
            message: format!("Kustomer's list of notes ends before {}; older notes are read conversation by conversation", crate::time::format(before)),
            remedy: Some("Nothing to do; old notes on customers without a conversation may be missing.".to_owned()),
        });
        Ok(page)
    }

    async fn below(
        &self,
        below: Below,
        conversations: Vec<Resource>,
        page: &mut Page,
    ) -> Result<(), Error> {
        let with_some = |r: &&Resource| {
            below == Below::Forwards || r.attributes.peek::<u64>("noteCount") != Some(0)
        };
        let ids: Vec<String> = conversations
            .iter()
            .filter(with_some)
            .map(Resource::id)
            .collect();
        let name = match below {
            Below::Notes => "notes",
            Below::Forwards => "forwards",
        };
        for group in ids.chunks(AT_ONCE) {
            let paths: Vec<String> = group
                .iter()
                .map(|id| format!("/v1/conversations/{id}/{name}"))
                .collect();
            for found in join_all(
                paths
                    .iter()
                    .map(|path| self.client.all(path, &[], LIST_ROWS)),
            )
            .await
            {
                let found = found?.unwrap_or_default();
                match below {
                    Below::Notes => self.notes(found, page).await?,
                    Below::Forwards => self.forwards(found, page).await?,
                }
            }
        }
        Ok(())
    }

    async fn forwards(&self, resources: Vec<Resource>, page: &mut Page) -> Result<(), Error> {
        for r in resources {
            let conversation = r
                .one("conversation")
                .map(|p| map::reference(Kind::Conversation, p.id));
            let parent = Parent {
                path: "forwards",
                id: r.id(),
                conversation,
            };
            match map::forward(&self.state.known, r) {
                Some(entries) => {
                    page.records.extend(entries);
                    let path = format!("/v1/forwards/{}/attachments", parent.id);
                    let listed = self
                        .client
                        .all(&path, &[], LIST_ROWS)
                        .await?
                        .unwrap_or_default();
                    page.records
                        .extend(listed.into_iter().map(|r| files::entry(&parent, r)));
                }
                None => page.explained.push(("draft".to_owned(), 1)),
            }
        }
        Ok(())
    }

    async fn klass(&self, name: &str, at: Option<String>) -> Result<Page, Error> {
        let number: u64 = at.as_deref().map_or(Ok(1), read_cursor)?;
        let page_number = number.to_string();
        let query = [("page", page_number.as_str()), ("pageSize", LIST_ROWS)];
        let answer = match self
            .client
            .get(&format!("/v1/klasses/{name}"), &query)
            .await?
        {
            Got::Answer(answer) => answer,
            Got::Missing => return Ok(blank()),
            Got::Refused(why) => {
                return Err(Error::Unsupported(format!("/v1/klasses/{name}: {why}")));
            }
        };
        let mut page = blank();
        if answer.links.next.is_some() && !answer.data.0.is_empty() {
            page.next = cursor(&(number + 1))?;
        }
        self.custom_objects(name, answer.data.0, &mut page).await?;
        undefined_once(&mut page.records);
        Ok(page)
    }

    /// Single records as they are now.
    pub async fn fetch(&self, refs: Vec<Reference>) -> Result<Vec<Entry>, Error> {
        let mut page = blank();
        for reference in refs {
            let paths: Vec<(String, &str)> = match &reference.kind {
                Kind::Customer => vec![(format!("/v1/customers/{}", reference.id), "customer")],
                Kind::Company => vec![(format!("/v1/companies/{}", reference.id), "company")],
                Kind::Conversation => vec![(
                    format!("/v1/conversations/{}", reference.id),
                    "conversation",
                )],
                // Messages and notes share a kind; their ids do not tell them apart.
                Kind::Message => vec![
                    (format!("/v1/messages/{}", reference.id), "message"),
                    (format!("/v1/notes/{}", reference.id), "note"),
                ],
                Kind::Agent => vec![(format!("/v1/users/{}", reference.id), "user")],
                Kind::Team => vec![(format!("/v1/teams/{}", reference.id), "team")],
                Kind::Brand => vec![(format!("/v1/brands/{}", reference.id), "brand")],
                Kind::CustomObject => self
                    .state
                    .klasses
                    .iter()
                    .map(|k| {
                        (
                            format!("/v1/klasses/{}/{}", k.name, reference.id),
                            k.name.as_str(),
                        )
                    })
                    .collect(),
                _ => Vec::new(),
            };
            for (path, context) in paths {
                let Got::Answer(answer) = self.client.get(&path, &[]).await? else {
                    continue;
                };
                // A merged customer's id may show its survivor (§14).
                let found: Vec<Resource> = answer
                    .data
                    .0
                    .into_iter()
                    .filter(|r| r.id() == reference.id)
                    .collect();
                match context {
                    "user" => page.records.extend(
                        found
                            .into_iter()
                            .flat_map(|r| map::agent(&self.state.known, r, false)),
                    ),
                    "team" => page.records.extend(
                        found
                            .into_iter()
                            .flat_map(|r| map::team(&self.state.known, r)),
                    ),
                    "brand" => page.records.extend(
                        found
                            .into_iter()
                            .flat_map(|r| map::brand(&self.state.known, r)),
                    ),
                    _ => {
                        let klass = (reference.kind == Kind::CustomObject).then_some(context);
                        self.rows(context, klass, found, &mut page).await?;
                    }
                }
                break;
            }
        }
        Ok(page.records)
    }
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

fn note_parent(r: &Resource) -> Parent {
    Parent {
        path: "notes",
        id: r.id(),
        conversation: r
            .one("conversation")
            .map(|p| map::reference(Kind::Conversation, p.id)),
    }
}

/// An undefined attribute is reported once a page, not with every record.
fn undefined_once(records: &mut Vec<Entry>) {
    let mut seen = BTreeSet::new();
    records.retain(|entry| {
        entry.head.kind != Kind::FieldDefinition || seen.insert(entry.head.id.clone())
    });
}

/// Files that the HTML of their message shows: by `cid:` or by their link.
fn show_inline(records: &[Entry], files: &mut [Entry]) {
    for file in files {
        let id = file.head.id.clone();
        let Entity::Attachment(attachment) = &mut file.data else {
            continue;
        };
        let html = records.iter().find_map(|entry| match &entry.data {
            Entity::Message(message) if entry.head.id == attachment.parent.id => {
                match &message.html {
                    Some(transload_sdk::types::Text::Inline(html)) => Some(html),
                    _ => None,
                }
            }
            _ => None,
        });
        let Some(html) = html else { continue };
        for source in html
            .split("src=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            if source.contains(&id) {
                attachment.inline = true;
                match source.strip_prefix("cid:") {
                    Some(cid) => attachment.content_id = Some(cid.to_owned()),
                    None => attachment.body_url = Some(source.to_owned()),
                }
            }
        }
    }
}
