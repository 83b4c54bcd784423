//! One request on its way through the org.

use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::answer::{Answer, Failure, Outcome};
use super::dml::Writer;
use super::state::{Access, State};
use super::{bulk, composite, deploy, rest, tooling};

/// A request as it came, its body read.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in capitals.
    pub method: String,
    /// Parts of the path, decoded.
    pub path: Vec<String>,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; the file of a form.
    pub body: Bytes,
    /// Body as JSON, null without one; the first part of a form.
    pub json: Value,
    /// The name of the form's part with a file.
    pub upload: Option<String>,
    /// The files of a form for a collection, by the names of their parts.
    pub files: Vec<(String, Bytes)>,
}

impl Request {
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

    /// The value of an option in a header like `allowSave=true; runAsCurrentUser=false`.
    pub fn option(&self, header: &str, name: &str) -> Option<&str> {
        let pairs = self.header(header)?.split([';', ',']);
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The body as a JSON object.
    pub fn object(&self) -> Result<&Map<String, Value>, Failure> {
        let wrong = || {
            Failure::new(
                "JSON_PARSER_ERROR",
                "The body is no JSON object at [line:1, column:0]",
            )
        };
        self.json.as_object().ok_or_else(wrong)
    }

    /// The parts of a path, decoded.
    pub fn segments(path: &str) -> Vec<String> {
        let decode = |part: &str| -> String {
            let pairs = format!("p={}", part.replace('+', "%2B"));
            let mut decoded = url::form_urlencoded::parse(pairs.as_bytes());
            decoded
                .next()
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        path.trim_matches('/').split('/').map(decode).collect()
    }

    /// The pairs of a query.
    pub fn pairs(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The org.
    pub state: &'a mut State,
    /// The request.
    pub request: &'a Request,
    /// Who calls, and what they may.
    pub access: Arc<Access>,
    /// The version in the path, as `v67.0`.
    pub version: String,
}

impl Call<'_> {
    /// How this request writes (§8).
    pub fn writer(&self) -> Writer {
        let is = |value: Option<&str>, wanted: &str| {
            value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        };
        Writer {
            access: Arc::clone(&self.access),
            assigns: !is(
                self.request.header("sforce-auto-assign").map(str::trim),
                "false",
            ),
            allows_duplicates: is(
                self.request
                    .option("sforce-duplicate-rule-header", "allowSave"),
                "true",
            ),
        }
    }

    /// Answers the request, given the path behind the version.
    pub fn answer(&mut self, path: &[&str]) -> Outcome {
        match path {
            ["composite", ..] => composite::route(self, path),
            ["jobs", ..] => bulk::route(self, path),
            ["tooling", rest @ ..] => tooling::route(self, rest),
            ["metadata", "deployRequest", rest @ ..] => deploy::route(self, rest),
            _ => rest::route(self, path),
        }
    }

    /// Answers a request that stands in another one, by the same user.
    pub fn inner(&mut self, method: &str, url: &str, json: Value, headers: HeaderMap) -> Answer {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let request = Request {
            method: method.to_uppercase(),
            path: Request::segments(path),
            query: Request::pairs(query),
            headers,
            body: Bytes::new(),
            json,
            upload: None,
            files: Vec::new(),
        };
        let key = super::duplicate_key(self.state);
        let parts: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let ["services", "data", version, rest @ ..] = parts.as_slice() else {
            return Failure::not_found().answer(key);
        };
        let mut call = Call {
            state: self.state,
            request: &request,
            access: Arc::clone(&self.access),
            version: (*version).to_owned(),
        };
        call.answer(rest)
            .unwrap_or_else(|failure| failure.answer(key))
    }
}
