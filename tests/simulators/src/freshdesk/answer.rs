//! What a handler gives back: an answer, or a failure in one of Freshdesk's forms (Freshdesk facts §4).
//!
//! Validation errors come in a list, one entry for each field; other errors are a code and a message; a record that is not
//! there is an empty 404.

use serde_json::{Value, json};

pub(super) use crate::common::{Answer, Payload};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json; charset=utf-8";

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
