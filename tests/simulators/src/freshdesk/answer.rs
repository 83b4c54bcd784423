//! What a handler gives back: an answer, or a failure in one of Freshdesk's forms (Freshdesk facts §4).
//!
//! Validation errors come in a list, one entry for each field; other errors are a code and a message; a record that is not
//! there is an empty 404.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// A successful answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Payload,
    /// Headers besides content type and those of the rate limits.
    pub headers: Vec<(&'static str, String)>,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// No body.
    Empty,
    /// JSON.
    Json(Value),
    /// A file.
    File {
        /// Its type.
        content_type: String,
        /// Its bytes.
        bytes: Bytes,
    },
}

impl Answer {
    /// 200 with JSON.
    pub fn ok(body: Value) -> Outcome {
        Ok(Self::json(200, body))
    }

    /// 201 with JSON.
    pub fn created(body: Value) -> Outcome {
        Ok(Self::json(201, body))
    }

    /// 202 with JSON: a job has been taken on.
    pub fn accepted(body: Value) -> Outcome {
        Ok(Self::json(202, body))
    }

    /// 204.
    pub fn no_content() -> Outcome {
        Ok(Self::empty(204))
    }

    /// Any status with JSON.
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Payload::Json(body),
            headers: Vec::new(),
        }
    }

    /// Any status without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            body: Payload::Empty,
            headers: Vec::new(),
        }
    }

    /// The same answer with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As an HTTP response.
    pub fn into_response(self) -> Response<Body> {
        let (content_type, bytes) = match self.body {
            Payload::Empty => (None, Bytes::new()),
            Payload::Json(value) => {
                let kind = "application/json; charset=utf-8".to_owned();
                (Some(kind), Bytes::from(value.to_string()))
            }
            Payload::File {
                content_type,
                bytes,
            } => (Some(content_type), bytes),
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldError {
    /// Its name; of a custom field `custom_fields.name`.
    pub field: String,
    /// For people.
    pub message: String,
    /// For programs.
    pub code: &'static str,
    /// The existing record of a duplicate.
    pub additional_info: Option<Value>,
}

impl FieldError {
    /// An entry.
    pub fn new(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
            code,
            additional_info: None,
        }
    }

    /// §4: somebody else has this value.
    pub fn duplicate(field: &str, existing: Option<Value>) -> Self {
        Self {
            additional_info: existing,
            ..Self::new(field, "duplicate_value", "It should be a unique value")
        }
    }

    fn json(&self) -> Value {
        let mut entry = json!({"field": self.field, "message": self.message, "code": self.code});
        if let (Some(info), Some(entry)) = (&self.additional_info, entry.as_object_mut()) {
            entry.insert("additional_info".to_owned(), info.clone());
        }
        entry
    }
}

/// Why a request was refused.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// 404, empty (§4).
    NotFound,
    /// 405 with the verbs that there are.
    NotAllowed(String),
    /// 400 by field; 409 when the first entry is a duplicate.
    Invalid(Vec<FieldError>),
    /// A code and a message.
    Coded {
        /// HTTP status.
        status: u16,
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// 429; seconds until the window ends, and whether the body says so.
    RateLimited(i64, bool),
    /// A status and nothing else.
    Bare(u16),
}

impl Failure {
    /// 400 because of one field.
    pub fn invalid(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, code, message)])
    }

    /// 409 because of one field.
    pub fn duplicate(field: &str, existing: Option<Value>) -> Self {
        Self::Invalid(vec![FieldError::duplicate(field, existing)])
    }

    /// Any status with a code.
    pub fn coded(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::Coded {
            status,
            code,
            message: message.into(),
        }
    }

    /// 403: the role forbids it.
    pub fn denied() -> Self {
        Self::coded(
            403,
            "access_denied",
            "You are not authorized to perform this action.",
        )
    }

    /// 401.
    pub fn credentials() -> Self {
        Self::coded(
            401,
            "invalid_credentials",
            "You have to be logged in to perform this action.",
        )
    }

    /// 403: the plan lacks the feature.
    pub fn feature(name: &str) -> Self {
        let message = format!(
            "The {name} feature is not supported in your plan. Please upgrade your account to use it."
        );
        Self::coded(403, "require_feature", message)
    }

    /// As an answer.
    pub fn answer(self) -> Answer {
        match self {
            Self::NotFound => Answer::empty(404),
            Self::Bare(status) => Answer::empty(status),
            Self::NotAllowed(allow) => {
                let verbs = allow.replace(", ", " and ");
                let message =
                    format!("The method is not allowed. It should be one of these: {verbs}");
                Answer::json(405, json!({"message": message})).with("allow", allow)
            }
            Self::Invalid(errors) => {
                let first = errors.first().map(|error| error.code);
                let status = if first == Some("duplicate_value") {
                    409
                } else {
                    400
                };
                let errors: Vec<Value> = errors.iter().map(FieldError::json).collect();
                Answer::json(
                    status,
                    json!({"description": "Validation failed", "errors": errors}),
                )
            }
            Self::Coded {
                status,
                code,
                message,
            } => Answer::json(status, json!({"code": code, "message": message})),
            Self::RateLimited(seconds, body) => {
                let answer = if body {
                    let message = "You have exceeded the limit of requests per minute";
                    Answer::json(429, json!({"message": message}))
                } else {
                    Answer::empty(429)
                };
                answer.with("retry-after", seconds.max(1).to_string())
            }
        }
    }

    /// As one line, for a caller who is no client.
    pub fn text(&self) -> String {
        match self {
            Self::Invalid(errors) => errors
                .iter()
                .map(|error| format!("{}: {} ({})", error.field, error.message, error.code))
                .collect::<Vec<_>>()
                .join("; "),
            Self::Coded { code, message, .. } => format!("{code}: {message}"),
            other => format!("{other:?}"),
        }
    }
}
