//! One request on its way through the account, its limits and the paging of lists (Freshdesk facts §2, §3).

use axum::http::HeaderMap;
use serde_json::Value;

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::Reader;
use super::model::{File, Id};
use super::state::State;
use super::switches::Plan;
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
    /// Body as JSON, null without one; a form is turned into the same.
    pub json: Value,
    /// Whether it was a form, in which every value is text.
    pub form: bool,
    /// Its files.
    pub files: Vec<Upload>,
    /// Whether it could be no JSON.
    pub unreadable: bool,
    /// Whether the body was of another type than the API takes.
    pub wrong_type: bool,
}

/// A file in a form.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// The part's name.
    pub part: String,
    /// The file's name.
    pub name: String,
    /// Its type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Streamed,
}

impl Request {
    /// A request that no client has sent.
    pub fn internal(method: &str, path: &str, query: Vec<(String, String)>, json: Value) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
            json,
            form: false,
            files: Vec::new(),
            unreadable: false,
            wrong_type: false,
        }
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actor {
    /// The agent.
    pub id: Id,
    /// Whether an account admin.
    pub admin: bool,
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The account.
    pub state: &'a mut State,
    /// The request.
    pub request: &'a Request,
    /// Who calls.
    pub actor: Actor,
    /// Base of links.
    pub base: String,
    /// What stands in the path at the places of `{…}`.
    pub params: Vec<String>,
}

impl<'a> Call<'a> {
    /// The id at a place of the path.
    pub fn id(&self, place: usize) -> Result<Id, Failure> {
        let text = self.params.get(place).ok_or(Failure::NotFound)?;
        text.parse().map_err(|_| Failure::NotFound)
    }

    /// The text at a place of the path.
    pub fn key(&self, place: usize) -> &str {
        self.params.get(place).map_or("", String::as_str)
    }

    /// The attributes of the body.
    pub fn reader(&self) -> Result<Reader<'a>, Failure> {
        Reader::new(self.request, self.state.config.switches.length_code)
    }

    /// §3: refuses query parameters that nobody knows.
    pub fn query_only(&self, names: &[&str]) -> Result<(), Failure> {
        if !self.state.config.switches.strict_query {
            return Ok(());
        }
        let unknown = self.request.query.iter().filter(|(key, _)| {
            !names.contains(&key.as_str()) && !matches!(key.as_str(), "page" | "per_page")
        });
        let errors: Vec<FieldError> = unknown
            .map(|(key, _)| {
                FieldError::new(key, "invalid_field", "Unexpected/invalid field in request")
            })
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::Invalid(errors))
        }
    }

    /// What is asked for with `include`.
    pub fn includes(&self, allowed: &[&str]) -> Result<Vec<String>, Failure> {
        let Some(text) = self.request.param("include") else {
            return Ok(Vec::new());
        };
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().all(|name| allowed.contains(&name.as_str())) {
            return Ok(names);
        }
        let message = format!("It should be one of these values: '{}'", allowed.join(","));
        Err(Failure::invalid("include", "invalid_value", message))
    }

    /// An id in the query.
    pub fn query_id(&self, name: &str) -> Result<Option<Id>, Failure> {
        let Some(text) = self.request.param(name) else {
            return Ok(None);
        };
        let id = text.parse().map_err(|_| {
            let message = "It should be a/an Positive Integer";
            Failure::invalid(name, "datatype_mismatch", message)
        })?;
        Ok(Some(id))
    }

    /// A moment in the query.
    pub fn query_time(&self, name: &str) -> Result<Option<chrono::DateTime<chrono::Utc>>, Failure> {
        let Some(text) = self.request.param(name) else {
            return Ok(None);
        };
        // A `+` of an offset that was not encoded arrives as a blank.
        let time = super::body::moment(&text.replace(' ', "+")).ok_or_else(|| {
            let message = "It should be in the 'combined date and time ISO8601' format";
            Failure::invalid(name, "invalid_value", message)
        })?;
        Ok(Some(time))
    }

    /// A page of a list, as an array and with a `Link` to the next one (§3).
    pub fn page<T>(
        &self,
        all: impl Iterator<Item = T>,
        pages: Option<usize>,
        render: impl Fn(T) -> Value,
    ) -> Outcome {
        let (page, per_page) = self.paging(pages)?;
        let mut found = all.skip((page - 1) * per_page);
        let values: Vec<Value> = found.by_ref().take(per_page).map(render).collect();
        let more = found.next().is_some() && pages.is_none_or(|most| page < most);
        let mut answer = Answer::json(200, Value::Array(values));
        if more {
            let mut query = self.request.query.clone();
            query.retain(|(key, _)| key != "page");
            query.push(("page".to_owned(), (page + 1).to_string()));
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(&query);
            let address = format!("{}{}?{}", self.base, self.request.path, text.finish());
            answer = answer.with("link", format!("<{address}>; rel=\"next\""));
        }
        Ok(answer)
    }

    /// Page and size as asked for.
    pub fn paging(&self, pages: Option<usize>) -> Result<(usize, usize), Failure> {
        let number = |name: &str, usual: usize, most: usize| {
            let Some(text) = self.request.param(name) else {
                return Ok(usual);
            };
            let number = text.parse().ok().filter(|n| (1..=most).contains(n));
            number.ok_or_else(|| {
                let message = if most == usize::MAX {
                    "It should be a Positive Integer".to_owned()
                } else {
                    format!("It should be a Positive Integer less than or equal to {most}")
                };
                Failure::invalid(name, "invalid_value", message)
            })
        };
        let page = number("page", 1, pages.unwrap_or(usize::MAX))?;
        Ok((page, number("per_page", 30, 100)?))
    }
}

/// Files of the parts named `part`, checked against the limits (§8); `before` bytes are there already.
pub(super) fn files(
    state: &mut State,
    request: &Request,
    part: &str,
    before: u64,
) -> Result<Vec<File>, Failure> {
    let switches = &state.config.switches;
    let most = match state.config.plan {
        Plan::Free | Plan::Trial => switches.files_total.min(15 * 1024 * 1024),
        _ => switches.files_total,
    };
    if let Some(other) = request.files.iter().find(|file| file.part != part) {
        return Err(Failure::invalid(
            &other.part,
            "invalid_field",
            "Unexpected/invalid field in request",
        ));
    }
    let total: u64 = request.files.iter().map(|file| file.bytes.size).sum();
    if before + total > most {
        if switches.oversize_status == 413 {
            return Err(Failure::Bare(413));
        }
        let message = format!(
            "Invalid size. The total size should be lesser than {} MB",
            most / (1024 * 1024)
        );
        return Err(Failure::invalid("attachments", "invalid_size", message));
    }
    for file in &request.files {
        let ending = file.name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let ending = ending.to_ascii_lowercase();
        if switches.blocked_endings.contains(&ending.as_str()) {
            let message = format!("The file type .{ending} is not allowed");
            return Err(Failure::invalid("attachments", "invalid_value", message));
        }
    }
    let now = state.second();
    let mut files = Vec::with_capacity(request.files.len());
    for upload in &request.files {
        files.push(File {
            id: state.next_id(),
            name: upload.name.clone(),
            content_type: upload.content_type.clone(),
            size: upload.bytes.size,
            sha256: upload.bytes.sha256.clone(),
            content: upload.bytes.content.clone(),
            created_at: now,
        });
    }
    Ok(files)
}

/// The buckets of calls (§2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    /// All calls of the account.
    Account,
    /// `POST /tickets`.
    TicketCreate,
    /// `PUT /tickets/{id}`.
    TicketUpdate,
    /// `GET /tickets`.
    TicketList,
    /// `GET /contacts`.
    ContactList,
}

impl Bucket {
    /// Its name among the rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::TicketCreate => "ticket-create",
            Self::TicketUpdate => "ticket-update",
            Self::TicketList => "ticket-list",
            Self::ContactList => "contact-list",
        }
    }

    /// Sets the limits of an account.
    pub fn rules(limits: &RateLimits, plan: Plan, minute: Option<u64>, hour: Option<u64>) {
        const MINUTE_MS: i64 = 60_000;
        if let Some(calls) = hour {
            limits.rule(Self::Account.name(), calls, 60 * MINUTE_MS);
            return;
        }
        // §2: all calls, then tickets made, changed and listed, and contacts listed.
        let (all, rest) = match plan {
            Plan::Trial => (50, None),
            Plan::Free => (100, Some([40, 40, 40, 40])),
            Plan::Growth => (200, Some([80, 80, 20, 20])),
            Plan::Pro => (400, Some([160, 160, 100, 100])),
            Plan::Enterprise => (700, Some([280, 280, 200, 200])),
        };
        limits.rule(Self::Account.name(), minute.unwrap_or(all), MINUTE_MS);
        let buckets = [
            Self::TicketCreate,
            Self::TicketUpdate,
            Self::TicketList,
            Self::ContactList,
        ];
        for (bucket, calls) in buckets.into_iter().zip(rest.into_iter().flatten()) {
            limits.rule(bucket.name(), calls, MINUTE_MS);
        }
    }
}
