//! One request on its way through the portal, and the paging of lists (Zoho Desk facts §4).

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

use super::answer::{Failure, Outcome};
use super::model::Id;
use super::read::Reader;
use super::state::State;

/// One part of a form.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Name of the part.
    pub name: String,
    /// Name of the file.
    pub file_name: Option<String>,
    /// Its type.
    pub content_type: String,
    /// Bytes read.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
}

/// A request as it came, its body read.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in capitals.
    pub method: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as JSON, null without one.
    pub json: Value,
    /// Bytes of the body.
    pub size: usize,
    /// Fields of a form that is no JSON, decoded.
    pub form: Vec<(String, String)>,
    /// Files of a form; `None` when the body is no form with files.
    pub files: Option<Vec<Part>>,
}

impl Request {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The portal.
    pub state: &'a mut State,
    /// The request.
    pub request: &'a Request,
    /// The agent who calls.
    pub agent: Id,
    /// Base of links, up to `/api/v1`.
    pub base: String,
    /// What stands at the places of the path.
    pub places: Vec<String>,
}

/// What a paged list takes.
pub(super) const PAGED: &[&str] = &["from", "limit", "orgId"];

impl Call<'_> {
    /// The text at a place of the path.
    pub fn place(&self, at: usize) -> &str {
        self.places.get(at).map_or("", String::as_str)
    }

    /// The number at a place of the path.
    pub fn id(&self, at: usize) -> Result<Id, Failure> {
        self.place(at).parse().map_err(|_| Failure::not_found())
    }

    /// Refuses parameters of the query that nobody knows (§5).
    pub fn only(&self, known: &[&[&str]]) -> Result<(), Failure> {
        let mut asked = self.request.query.iter();
        let unknown = asked.find(|(key, _)| {
            key != "orgId" && !known.iter().any(|list| list.contains(&key.as_str()))
        });
        match unknown {
            Some((key, _)) if self.state.config.switches.unknown_query_refused => Err(
                Failure::unprocessable(format!("Extra query parameter '{key}' is present.")),
            ),
            _ => Ok(()),
        }
    }

    /// The body, whose keys must all be known.
    pub fn reader(&self, known: &[&str]) -> Result<Reader<'_>, Failure> {
        Reader::body(&self.request.json, known)
    }

    /// Whether unknown keys of bodies are refused.
    pub fn strict(&self) -> bool {
        self.state.config.switches.unknown_key_refused
    }

    /// The numbers in a body that has nothing else.
    pub fn only_ids(&self, key: &str, most: usize) -> Result<Vec<Id>, Failure> {
        let mut reader = self.reader(&[key])?;
        reader.required(key);
        let ids = reader.ids(key, most).unwrap_or_default();
        reader.finish(self.strict())?;
        Ok(ids)
    }

    /// A parameter that is the number of something.
    pub fn id_param(&self, name: &str) -> Result<Option<Id>, Failure> {
        match self.request.param(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| bad_query(name)),
        }
    }

    /// A parameter that is a truth value.
    pub fn flag_param(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.request.param(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(bad_query(name)),
        }
    }

    /// A parameter that is a list of numbers with commas, at most 50 (§4).
    pub fn ids_param(&self, name: &str) -> Result<Vec<Id>, Failure> {
        let text = self.request.param(name).unwrap_or_default();
        let ids: Result<Vec<Id>, _> = text.split(',').map(|id| id.trim().parse()).collect();
        let ids = ids.map_err(|_| bad_query(name))?;
        if ids.len() > 50 {
            return Err(bad_query(name));
        }
        Ok(ids)
    }

    /// Whether `include` asks for this.
    pub fn wants(&self, what: &str) -> bool {
        let list = self.request.param("include").unwrap_or_default();
        list.split(',').any(|one| one == what)
    }

    /// `from` and `limit`; the default and the most that the list allows.
    pub fn paging(&self, usual: usize, most: usize) -> Result<(usize, usize), Failure> {
        let from = match self.request.param("from").map(str::parse::<usize>) {
            None => 0,
            Some(Ok(from)) if self.state.config.switches.from_one_based => from.saturating_sub(1),
            Some(Ok(from)) => from,
            Some(Err(_)) => return Err(bad_query("from")),
        };
        let limit = match self.request.param("limit").map(str::parse::<usize>) {
            None => usual.min(most),
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => return Err(bad_query("limit")),
        };
        Ok((from, limit))
    }

    /// The same for most lists.
    pub fn usual_paging(&self) -> Result<(usize, usize), Failure> {
        self.paging(10, self.state.config.switches.list_limit)
    }
}

/// A query value that does not fit (§5).
pub(super) fn bad_query(name: &str) -> Failure {
    Failure::unprocessable(format!(
        "The value passed for the '{name}' parameter is invalid."
    ))
}

/// A page of a list, shown; a 204 when it is empty.
pub(super) fn page<T>(
    (from, limit): (usize, usize),
    items: impl Iterator<Item = T>,
    show: impl Fn(T) -> Value,
) -> Outcome {
    super::answer::data(items.skip(from).take(limit).map(show).collect())
}
