//! What a handler gives back: an answer, or a failure in one of Zendesk's error envelopes.
//!
//! Zendesk has four envelopes for errors (Zendesk facts §4) and a client must accept all of them, so the simulator
//! uses all of them, each where the vendor was seen to use it. Handlers never build an envelope by hand: they name the
//! [`Failure`], and the shape is decided here. The same failure becomes a row when it happens inside a job (§12).

use serde_json::{Map, Value, json};

pub(super) use crate::common::{Answer, Payload};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// Why a request was refused.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// 404: no such record.
    RecordNotFound,
    /// 404: no such path.
    EndpointNotFound,
    /// 401 of a Basic credential, or of none at all.
    NotAuthenticated,
    /// 401 of a bearer token that is unknown or has expired.
    InvalidToken,
    /// 403: the role, the plan or a switched-off feature forbids it.
    Forbidden(&'static str),
    /// 403: the token's scopes do not cover the call.
    MissingScope(&'static str),
    /// 422: validation, one entry or more under each field.
    Invalid(Details),
    /// 400: an attribute of a wrong type or form.
    BadAttribute { name: String, rule: String },
    /// 400, 403, 409, 413 …: `{"error":"Code","description":"…"}`.
    Plain {
        status: u16,
        error: &'static str,
        description: String,
    },
    /// JSON:API style: `{"errors":[{"code","title","status"}]}`.
    JsonApi {
        status: u16,
        code: &'static str,
        title: String,
    },
    /// 429 because of too many open jobs.
    TooManyJobs {
        kind: &'static str,
        current: Vec<String>,
    },
    /// 429 because of a rate limit; seconds until the window ends.
    RateLimited { retry_after: u64, json_api: bool },
}

impl Failure {
    /// A 422 with one entry.
    pub fn invalid(field: &str, description: impl Into<String>, error: Option<&str>) -> Self {
        let mut details = Details::default();
        details.add(field, description, error);
        Self::Invalid(details)
    }

    /// A 400 in the plain envelope.
    pub fn bad_request(error: &'static str, description: impl Into<String>) -> Self {
        Self::Plain {
            status: 400,
            error,
            description: description.into(),
        }
    }

    /// As an answer.
    pub fn answer(&self) -> Answer {
        match self {
            Self::RecordNotFound => Answer::json(
                404,
                json!({"error": "RecordNotFound", "description": "Not found"}),
            ),
            Self::EndpointNotFound => Answer::json(
                404,
                json!({"error": "InvalidEndpoint", "description": "Not found"}),
            ),
            Self::NotAuthenticated => {
                Answer::json(401, json!({"error": "Couldn't authenticate you"}))
            }
            Self::InvalidToken => Answer::json(
                401,
                json!({
                    "error": "invalid_token",
                    "error_description": "The access token provided is expired, revoked, malformed or invalid for \
                                          other reasons.",
                }),
            ),
            Self::Forbidden(message) => Answer::json(
                403,
                json!({"error": {"title": "Forbidden", "message": message}}),
            ),
            Self::MissingScope(scope) => Answer::json(
                403,
                json!({
                    "error": "Forbidden",
                    "description": format!("You are missing the following required scopes: {scope}"),
                }),
            ),
            Self::Invalid(details) => Answer::json(
                422,
                json!({
                    "error": "RecordInvalid",
                    "description": "Record validation errors",
                    "details": details.0,
                }),
            ),
            Self::BadAttribute { name, rule } => Answer::json(
                400,
                json!({"error": {
                    "title": "Invalid attribute",
                    "message": format!(
                        "You passed an invalid value for the {name} attribute. Invalid parameter: {name} {rule}"
                    ),
                }}),
            ),
            Self::Plain {
                status,
                error,
                description,
            } => Answer::json(*status, json!({"error": error, "description": description})),
            Self::JsonApi {
                status,
                code,
                title,
            } => Answer::json(
                *status,
                json!({"errors": [{"code": code, "title": title, "status": status.to_string()}]}),
            ),
            Self::TooManyJobs { kind, current } => Answer::json(
                429,
                json!({
                    "error": "TooManyJobs",
                    "description": format!(
                        "Too many {kind} jobs are currently queued or running. Try again later."
                    ),
                    "current_job_ids": current,
                }),
            )
            .with("retry-after", "10"),
            Self::RateLimited {
                retry_after,
                json_api,
            } => {
                let body = if *json_api {
                    json!({"errors": [{
                        "code": "TooManyRequests",
                        "title": "Too many requests",
                        "status": "429",
                    }]})
                } else {
                    json!({
                        "error": "APIRateLimitExceeded",
                        "description": "Number of allowed API requests per minute exceeded",
                    })
                };
                Answer::json(429, body).with("retry-after", retry_after.to_string())
            }
        }
    }

    /// As the text in a job's row.
    pub fn text(&self) -> String {
        match self {
            Self::Invalid(details) => details.text(),
            Self::RecordNotFound => "Not found".to_owned(),
            Self::Plain { description, .. } => description.clone(),
            Self::JsonApi { title, .. } => title.clone(),
            Self::BadAttribute { name, rule } => format!("Invalid attribute: {name} {rule}"),
            Self::Forbidden(message) => (*message).to_owned(),
            _ => "Refused".to_owned(),
        }
    }
}

/// The `details` of a 422: field name → list of entries (Zendesk facts §4).
#[derive(Debug, Clone, Default)]
pub(super) struct Details(Map<String, Value>);

impl Details {
    /// One more entry.
    pub fn add(&mut self, field: &str, description: impl Into<String>, error: Option<&str>) {
        let mut entry = json!({"description": description.into()});
        if let (Some(error), Some(entry)) = (error, entry.as_object_mut()) {
            entry.insert("error".to_owned(), json!(error));
        }
        self.push(field, entry);
    }

    /// One more entry with further members, such as the id of a ticket field.
    pub fn push(&mut self, field: &str, entry: Value) {
        let list = self.0.entry(field.to_owned()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(entry);
        }
    }

    /// `Ok` when nothing was found wrong.
    pub fn check(self) -> Result<(), Failure> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Failure::Invalid(self))
        }
    }

    fn text(&self) -> String {
        let entries = self.0.values().filter_map(Value::as_array).flatten();
        let texts: Vec<&str> = entries
            .filter_map(|e| e.get("description")?.as_str())
            .collect();
        texts.join(" ")
    }
}
