//! What a handler gives back: an answer, or a failure in Gorgias's one error envelope (Gorgias facts §3).

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// A successful answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Payload,
    /// Headers besides the content type.
    pub headers: Vec<(&'static str, String)>,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// A file.
    File { content_type: String, bytes: Bytes },
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

    /// 202 with JSON: what a `PUT` answers.
    pub fn accepted(body: Value) -> Outcome {
        Ok(Self::json(202, body))
    }

    /// Any status without a body.
    pub fn empty(status: u16) -> Outcome {
        Ok(Self {
            status,
            body: Payload::Empty,
            headers: Vec::new(),
        })
    }

    /// Any status with JSON.
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Payload::Json(body),
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
            Payload::Json(value) => (
                Some("application/json".to_owned()),
                Bytes::from(value.to_string()),
            ),
            Payload::File {
                content_type,
                bytes,
            } => (Some(content_type), bytes),
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(value) = content_type.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Why a request was refused (§3).
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// 400: missing, invalid or unknown parameters; field → list of messages, nested for nested fields.
    Invalid {
        msg: String,
        data: Map<String, Value>,
    },
    /// 401: bad or absent credentials.
    Unauthorized,
    /// 403: the role or the scopes do not open it.
    Forbidden,
    /// 404: no such record, or no such path.
    NotFound,
    /// 405: the path has no such method.
    Method,
    /// 409: the identifier is in use. It never says by whom.
    Conflict(&'static str),
    /// 413: the upload is too large.
    TooLarge,
    /// 429; whole seconds to wait.
    RateLimited { retry_after: i64 },
    /// 301: the customer was merged into the one with this address (§7).
    Moved(String),
    /// Any other status with a sentence.
    Other { status: u16, msg: String },
}

impl Failure {
    /// A 400 about one field.
    pub fn invalid(msg: &str, field: &str, problem: impl Into<String>) -> Self {
        let mut data = Map::new();
        data.insert(field.to_owned(), json!([problem.into()]));
        Self::Invalid {
            msg: msg.to_owned(),
            data,
        }
    }

    /// 409 of a unique identifier.
    pub fn exists() -> Self {
        Self::Conflict("The resource already exists.")
    }

    /// As an answer.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Invalid { msg, data } => {
                Answer::json(400, json!({"error": {"msg": msg, "data": data}}))
            }
            Self::Unauthorized => {
                error(401, "Authentication credentials are missing or incorrect.")
            }
            Self::Forbidden => error(403, "You don't have permission to access this resource."),
            Self::NotFound => error(404, "Resource not found."),
            Self::Method => error(405, "The specified HTTP method is not allowed."),
            Self::Conflict(msg) => error(409, msg),
            Self::TooLarge => error(413, "The uploaded file is too large."),
            // The body of a 429 is documented nowhere (§2 [?]).
            Self::RateLimited { retry_after } => {
                error(429, "Too many requests").with("Retry-after", retry_after.to_string())
            }
            Self::Moved(location) => {
                error(301, "The customer was merged.").with("location", location.as_str())
            }
            Self::Other { status, msg } => error(*status, msg),
        }
    }

    /// What it says, for tests of what others do.
    pub fn text(&self) -> String {
        match self.answer().body {
            Payload::Json(body) => body.to_string(),
            _ => String::new(),
        }
    }
}

fn error(status: u16, msg: &str) -> Answer {
    Answer::json(status, json!({"error": {"msg": msg}}))
}
