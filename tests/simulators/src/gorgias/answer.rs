//! What a handler gives back: an answer, or a failure in Gorgias's one error envelope (Gorgias facts §3).

use serde_json::{Map, Value, json};

pub(super) use crate::common::{Answer, Payload};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json";

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
