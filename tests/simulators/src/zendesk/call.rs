//! One request on its way through the account, and the paging of lists (Zendesk facts §3).

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::model::{Id, Role};
use super::state::State;
use crate::common::{RateLimits, Streamed};

/// A request as it came, its body read.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in capitals.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, empty for an upload.
    pub body: Bytes,
    /// Body as JSON, null without one.
    pub json: Value,
    /// An upload's body, already measured.
    pub upload: Option<Streamed>,
}

impl Request {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The values of a comma list, repeated parameters (`ids[]` too) joined. `None` when it was not sent.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let array = format!("{name}[]");
        let mut values = self
            .query
            .iter()
            .filter(|(key, _)| *key == name || *key == array);
        let first = values.next()?;
        let all = std::iter::once(first).chain(values);
        let pieces = all.flat_map(|(_, value)| value.split(','));
        Some(
            pieces
                .map(str::trim)
                .filter(|p| !p.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// The user.
    pub user_id: Id,
    /// Role at the time of the call.
    pub role: Role,
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The account.
    pub state: &'a mut State,
    /// Its limits.
    pub limits: &'a RateLimits,
    /// The request.
    pub request: &'a Request,
    /// Who calls.
    pub actor: Actor,
    /// Base of links.
    pub base: String,
    /// Headers of limits met on the way.
    pub headers: Vec<(&'static str, String)>,
}

impl Call<'_> {
    /// A record's id in the path.
    pub fn id(&self, text: &str) -> Result<Id, Failure> {
        text.parse().map_err(|_| Failure::RecordNotFound)
    }

    /// Refuses callers who are not admins.
    pub fn admin(&self) -> Result<(), Failure> {
        if self.actor.role == Role::Admin {
            Ok(())
        } else {
            Err(FORBIDDEN)
        }
    }

    /// A comma list of at most 100 ids that the call cannot do without.
    pub fn many(&self, name: &str) -> Result<Vec<String>, Failure> {
        let list = self.request.list(name).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| {
            Failure::bad_request("BadRequest", format!("Parameter {name} is required"))
        })?;
        check_bulk(list.len())?;
        Ok(list)
    }

    /// A list of at most 100 records in the body.
    pub fn bulk(&self, name: &str) -> Result<Vec<Value>, Failure> {
        let list = self
            .request
            .json
            .get(name)
            .and_then(Value::as_array)
            .ok_or_else(|| {
                Failure::bad_request("ParameterMissing", format!("Parameter {name} is required"))
            })?;
        if list.is_empty() {
            return Err(Failure::bad_request(
                "BadRequest",
                format!("{name} must not be empty"),
            ));
        }
        check_bulk(list.len())?;
        Ok(list.clone())
    }

    /// Takes one call from a limit of an endpoint and notes its header.
    pub fn limit(&mut self, limit: Limit, key: impl ToString) -> Result<(), Failure> {
        let taken = self.limits.take(limit.name(), &key.to_string(), 1);
        let now = self.state.now.timestamp_millis();
        if let Some(header) = limit.header() {
            let (total, left, resets) = (taken.limit, taken.remaining, taken.retry_after_s(now));
            let text = format!("total={total}; remaining={left}; resets={resets}");
            self.headers.push((header, text));
        }
        if taken.allowed {
            return Ok(());
        }
        Err(Failure::RateLimited {
            retry_after: u64::try_from(taken.retry_after_s(now)).unwrap_or(1),
            json_api: !self.state.config.switches.plain_rate_limit_body,
        })
    }
}

/// The usual 403.
pub(super) const FORBIDDEN: Failure = Failure::Forbidden(
    "You do not have access to this page. Please contact the account owner of this help desk for further help.",
);

fn check_bulk(count: usize) -> Result<(), Failure> {
    if count > 100 {
        let description = "Too many records: at most 100 are accepted in one request";
        return Err(Failure::bad_request("TooManyValues", description));
    }
    Ok(())
}

/// The limits of single endpoints (Zendesk facts §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// All calls.
    Account,
    /// `PUT` of tickets, for the account.
    TicketUpdate,
    /// `PUT` of one ticket by one user.
    TicketUpdateByUser,
    /// `PUT /users/{id}` and upserts, for the account.
    UserUpdate,
    /// The same for one user.
    UserRecord,
    /// `PUT` of one organization.
    OrganizationRecord,
    /// `DELETE /tickets/{id}`.
    TicketDelete,
    /// `DELETE /deleted_users/{id}`.
    DeletedUser,
    /// `GET /deleted_tickets`.
    DeletedTickets,
    /// The same past page 100.
    DeletedTicketsDeep,
    /// `POST …/options`.
    FieldOptions,
    /// `GET /incremental/*`.
    Incremental,
    /// `GET /incremental/custom_objects/*`.
    IncrementalObjects,
    /// `GET /search/export`.
    SearchExport,
    /// `GET /search`.
    Search,
    /// `GET /tickets`.
    TicketsIndex,
    /// The same past page 500.
    TicketsIndexDeep,
    /// Downloads of attachments.
    Download,
    /// Downloads of one upload not yet attached.
    LooseDownload,
}

impl Limit {
    /// All of them with calls and window in milliseconds, for a plan.
    pub fn rules(per_minute: u32, high_volume: bool) -> Vec<(Self, u64, i64)> {
        let minute = 60_000;
        let by_volume = |usual, high| if high_volume { high } else { usual };
        let account = if high_volume {
            per_minute.max(2_500)
        } else {
            per_minute
        };
        vec![
            (Self::Account, u64::from(account), minute),
            (Self::TicketUpdate, by_volume(100, 300), minute),
            (Self::TicketUpdateByUser, 30, 10 * minute),
            (Self::UserUpdate, 1, 1_000),
            (Self::UserRecord, 5, minute),
            (Self::OrganizationRecord, 5, minute),
            (Self::TicketDelete, 400, minute),
            (Self::DeletedUser, 700, 10 * minute),
            (Self::DeletedTickets, 10, minute),
            (Self::DeletedTicketsDeep, 5, minute),
            (Self::FieldOptions, 100, minute),
            (Self::Incremental, by_volume(10, 30), minute),
            (Self::IncrementalObjects, 10, minute),
            (Self::SearchExport, 100, minute),
            (Self::Search, u64::from(account), minute),
            (Self::TicketsIndex, by_volume(100, 300), minute),
            (Self::TicketsIndexDeep, 50, minute),
            (Self::Download, 2_500, minute),
            (Self::LooseDownload, 10, minute),
        ]
    }

    /// Its name among the rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::TicketUpdate => "ticket-update",
            Self::TicketUpdateByUser => "ticket-update-by-user",
            Self::UserUpdate => "user-update",
            Self::UserRecord => "user-record",
            Self::OrganizationRecord => "organization-record",
            Self::TicketDelete => "ticket-delete",
            Self::DeletedUser => "deleted-user",
            Self::DeletedTickets => "deleted-tickets",
            Self::DeletedTicketsDeep => "deleted-tickets-deep",
            Self::FieldOptions => "field-options",
            Self::Incremental => "incremental",
            Self::IncrementalObjects => "incremental-objects",
            Self::SearchExport => "search-export",
            Self::Search => "search",
            Self::TicketsIndex => "tickets-index",
            Self::TicketsIndexDeep => "tickets-index-deep",
            Self::Download => "download",
            Self::LooseDownload => "loose-download",
        }
    }

    fn header(self) -> Option<&'static str> {
        match self {
            Self::TicketsIndex => Some("zendesk-ratelimit-tickets-index"),
            Self::TicketsIndexDeep => Some("zendesk-ratelimit-tickets-index-deep-pagination"),
            Self::Incremental => Some("zendesk-ratelimit-incremental-exports"),
            Self::Search => Some("zendesk-ratelimit-search-index"),
            _ => None,
        }
    }
}

/// Something that can be listed.
pub(super) trait Listed {
    /// Last change, for `sort=updated_at`.
    fn changed(&self) -> DateTime<Utc>;

    /// Rank, for `sort=status`.
    fn rank(&self) -> u8 {
        0
    }
}

/// How a list was asked for.
enum Paging {
    Cursor {
        size: usize,
        after: Option<String>,
        before: Option<String>,
        sort: Sort,
    },
    Offset {
        page: usize,
        per_page: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sort {
    by: SortBy,
    down: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SortBy {
    Id,
    UpdatedAt,
    Status,
}

fn paging(request: &Request) -> Result<Paging, Failure> {
    let number = |name: &str| request.param(name).map(str::parse::<usize>);
    let cursor = request
        .query
        .iter()
        .any(|(key, _)| key.starts_with("page["));
    if !cursor {
        let page = number("page").and_then(Result::ok).unwrap_or(1).max(1);
        let per_page = number("per_page")
            .and_then(Result::ok)
            .unwrap_or(100)
            .clamp(1, 100);
        // §3: offset lists end at 10,000 records.
        if page.saturating_mul(per_page) > 10_000 {
            return Err(Failure::JsonApi {
                status: 400,
                code: "InvalidPaginationDepth",
                title: "Number of resources exceeds maximum allowed for offset pagination (10000)"
                    .to_owned(),
            });
        }
        return Ok(Paging::Offset { page, per_page });
    }
    let parameter = |name: &str| Failure::JsonApi {
        status: 400,
        code: "InvalidPaginationParameter",
        title: format!("{name} is not valid"),
    };
    let size = match number("page[size]") {
        None => 100,
        Some(Ok(size)) if (1..=100).contains(&size) => size,
        Some(_) => return Err(parameter("page[size]")),
    };
    let wanted = request.param("sort").unwrap_or("id");
    let (name, down) = wanted
        .strip_prefix('-')
        .map_or((wanted, false), |name| (name, true));
    let by = match name {
        "id" => SortBy::Id,
        "updated_at" => SortBy::UpdatedAt,
        "status" => SortBy::Status,
        _ => return Err(parameter("sort")),
    };
    let decode = |name: &str| -> Result<Option<String>, Failure> {
        let Some(text) = request.param(name) else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| parameter(name))?;
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| parameter(name))
    };
    let (after, before) = (decode("page[after]")?, decode("page[before]")?);
    Ok(Paging::Cursor {
        size,
        after,
        before,
        sort: Sort { by, down },
    })
}

/// A page of a map, in the way that was asked for. Cursor paging by id costs no more than the page.
pub(super) fn page_map<T: Listed>(
    call: &Call<'_>,
    key: &str,
    all: &BTreeMap<Id, T>,
    keep: impl Fn(&T) -> bool,
    render: impl Fn(&T) -> Value,
) -> Outcome {
    match paging(call.request)? {
        Paging::Cursor {
            size,
            after,
            before,
            sort: Sort {
                by: SortBy::Id,
                down,
            },
        } => {
            let id = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<Id>().ok());
            let backwards = before.is_some();
            let bound = if backwards { id(&before) } else { id(&after) };
            let ascending = down == backwards;
            let range = match (bound, ascending) {
                (None, _) => all.range(..),
                (Some(id), true) => all.range((Bound::Excluded(id), Bound::Unbounded)),
                (Some(id), false) => all.range(..id),
            };
            let kept = range.filter(|(_, item)| keep(item));
            let mut items: Vec<(Id, &T)> = if ascending {
                kept.take(size + 1).map(|(id, t)| (*id, t)).collect()
            } else {
                kept.rev().take(size + 1).map(|(id, t)| (*id, t)).collect()
            };
            let more = items.len() > size;
            items.truncate(size);
            if backwards {
                items.reverse();
            }
            let ends = items
                .first()
                .zip(items.last())
                .map(|(a, z)| (a.0.to_string(), z.0.to_string()));
            let values = items.into_iter().map(|(_, item)| render(item)).collect();
            cursor_answer(call, key, values, ends, more, backwards || after.is_some())
        }
        Paging::Cursor { sort, .. } => {
            let mut items: Vec<&T> = all.values().filter(|item| keep(item)).collect();
            match sort.by {
                SortBy::Status => items.sort_by_key(|item| item.rank()),
                SortBy::UpdatedAt | SortBy::Id => items.sort_by_key(|item| item.changed()),
            }
            if sort.down {
                items.reverse();
            }
            page_list(call, key, items.len(), |at| {
                items.get(at).map(|item| render(item))
            })
        }
        Paging::Offset { page, per_page } => {
            let kept = || all.values().filter(|item| keep(item));
            let values = kept()
                .skip((page - 1) * per_page)
                .take(per_page)
                .map(render)
                .collect();
            offset_answer(call, key, values, kept().count(), page, per_page)
        }
    }
}

/// A page of a list whose items are known by place.
pub(super) fn page_list(
    call: &Call<'_>,
    key: &str,
    count: usize,
    render: impl Fn(usize) -> Option<Value>,
) -> Outcome {
    match paging(call.request)? {
        Paging::Cursor {
            size,
            after,
            before,
            ..
        } => {
            let place = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<usize>().ok());
            let (from, to) = match (place(&after), place(&before)) {
                (_, Some(before)) => (before.saturating_sub(size), before.min(count)),
                (Some(after), None) => (after + 1, (after + 1 + size).min(count)),
                (None, None) => (0, size.min(count)),
            };
            let values: Vec<Value> = (from..to).filter_map(&render).collect();
            let ends = (to > from).then(|| (from.to_string(), (to - 1).to_string()));
            let more = if before.is_some() {
                from > 0
            } else {
                to < count
            };
            cursor_answer(call, key, values, ends, more, from > 0)
        }
        Paging::Offset { page, per_page } => {
            let from = (page - 1) * per_page;
            let values = (from..count.min(from + per_page))
                .filter_map(render)
                .collect();
            offset_answer(call, key, values, count, page, per_page)
        }
    }
}

fn cursor_answer(
    call: &Call<'_>,
    key: &str,
    values: Vec<Value>,
    ends: Option<(String, String)>,
    more: bool,
    has_previous: bool,
) -> Outcome {
    let ends = ends.map(|(a, z)| (URL_SAFE_NO_PAD.encode(a), URL_SAFE_NO_PAD.encode(z)));
    let link = |name: &str, cursor: &str| {
        let mut query: Vec<(String, String)> = call.request.query.clone();
        query.retain(|(key, _)| key != "page[after]" && key != "page[before]");
        query.push((name.to_owned(), cursor.to_owned()));
        link(call, &query)
    };
    let next = ends
        .as_ref()
        .filter(|_| more)
        .map(|(_, z)| link("page[after]", z));
    let previous = ends
        .as_ref()
        .filter(|_| has_previous)
        .map(|(a, _)| link("page[before]", a));
    Answer::ok(json!({
        key: values,
        "meta": {
            "has_more": more,
            "after_cursor": ends.as_ref().map(|(_, z)| z),
            "before_cursor": ends.as_ref().map(|(a, _)| a),
        },
        "links": {"next": next, "prev": previous},
    }))
}

fn offset_answer(
    call: &Call<'_>,
    key: &str,
    values: Vec<Value>,
    count: usize,
    page: usize,
    per_page: usize,
) -> Outcome {
    let page_link = |number: usize| {
        let mut query = call.request.query.clone();
        query.retain(|(key, _)| key != "page");
        query.push(("page".to_owned(), number.to_string()));
        link(call, &query)
    };
    Answer::ok(json!({
        key: values,
        "next_page": (page * per_page < count).then(|| page_link(page + 1)),
        "previous_page": (page > 1).then(|| page_link(page - 1)),
        "count": count,
    }))
}

/// The address of the same path with another query.
pub(super) fn link(call: &Call<'_>, query: &[(String, String)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(query);
    format!("{}{}?{}", call.base, call.request.path, text.finish())
}
