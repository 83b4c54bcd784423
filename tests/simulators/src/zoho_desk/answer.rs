//! What a handler gives back: an answer, or a failure in Zoho Desk's error shape (Zoho Desk facts §5).

use serde_json::{Value, json};

pub(super) use crate::common::{Answer, Payload};

use super::switches::{Edition, MassFailure};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json;charset=UTF-8";

/// 200 with `{"data":[…]}`, or a 204 when there is nothing (§1).
pub(super) fn data(items: Vec<Value>) -> Outcome {
    if items.is_empty() {
        return Answer::bare(204);
    }
    Answer::ok(json!({ "data": items }))
}

/// 200 with the results of a mass action (§5).
pub(super) fn mass(results: Vec<Value>) -> Outcome {
    Answer::ok(json!({ "results": results }))
}

/// A good item of a mass action.
pub(super) fn done(id: &str) -> Value {
    json!({"success": true, "id": id, "errors": null})
}

/// A failed item of a mass action (§5): `success` is null or false.
pub(super) fn failed(how: MassFailure, id: &str, failure: &Failure) -> Value {
    let success = match how {
        MassFailure::Null => Value::Null,
        MassFailure::False => Value::Bool(false),
    };
    json!({"success": success, "id": id, "errors": {
        "errorMessage": failure.message, "errorCode": failure.code, "httpCode": failure.status.to_string(),
    }})
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorType {
    /// A value that does not fit.
    Invalid,
    /// A value that another record has.
    Duplicate,
    /// No value.
    Missing,
}

/// One entry of `errors` (§5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    /// JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub kind: ErrorType,
    /// The same in words.
    pub message: String,
}

impl FieldError {
    /// A value that does not fit.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            kind: ErrorType::Invalid,
            message: message.into(),
        }
    }

    /// No value.
    pub fn missing(pointer: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            kind: ErrorType::Missing,
            message: "The value is missing.".to_owned(),
        }
    }

    /// A value that another record has.
    pub fn duplicate(pointer: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            kind: ErrorType::Duplicate,
            message: "The value is in use.".to_owned(),
        }
    }
}

/// Why a request was refused (§5).
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// HTTP status.
    pub status: u16,
    /// `errorCode`.
    pub code: &'static str,
    /// `message`.
    pub message: String,
    /// `errors` of `INVALID_DATA`.
    pub errors: Vec<FieldError>,
    /// Feature and how many there may be, of a licence refusal.
    pub license: Option<(&'static str, usize, Edition, bool)>,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<i64>,
}

impl Failure {
    /// Any failure.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            errors: Vec::new(),
            license: None,
            retry_after: None,
        }
    }

    /// 422 about fields.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::new(
                422,
                "INVALID_DATA",
                "The data is invalid due to validation restrictions",
            )
        }
    }

    /// 422 about one field.
    pub fn field(error: FieldError) -> Self {
        Self::invalid(vec![error])
    }

    /// 422 of another kind.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "UNPROCESSABLE_ENTITY", message)
    }

    /// 404: no such record, or no such path.
    pub fn not_found() -> Self {
        Self::new(
            404,
            "URL_NOT_FOUND",
            "The URL you've sent is not found or the resource does not exist.",
        )
    }

    /// 405: the path has no such method.
    pub fn method() -> Self {
        Self::new(
            405,
            "METHOD_NOT_ALLOWED",
            "The HTTP method is not allowed for this resource.",
        )
    }

    /// 403: the profile does not open it.
    pub fn forbidden() -> Self {
        Self::new(
            403,
            "FORBIDDEN",
            "You do not have the permission to perform this operation.",
        )
    }

    /// 403: the edition does not open it.
    pub fn license(edition: Edition, trial: bool, feature: Option<(&'static str, usize)>) -> Self {
        Self {
            license: feature.map(|(feature, most)| (feature, most, edition, trial)),
            ..Self::new(
                403,
                "LICENSE_ACCESS_LIMITED",
                "Your edition does not allow this operation.",
            )
        }
    }

    /// As an answer; `messages` says whether `errors` have words (§5).
    pub fn answer(&self, messages: bool) -> Answer {
        let mut body = json!({"errorCode": self.code, "message": self.message});
        if let Some(map) = body.as_object_mut() {
            if !self.errors.is_empty() {
                let errors = self.errors.iter().map(|error| {
                    let kind = match error.kind {
                        ErrorType::Invalid => "invalid",
                        ErrorType::Duplicate => "duplicate",
                        ErrorType::Missing => "missing",
                    };
                    let mut shown = json!({"fieldName": error.pointer, "errorType": kind});
                    if let Some(shown) = shown.as_object_mut().filter(|_| messages) {
                        shown.insert("errorMessage".to_owned(), json!(error.message));
                    }
                    shown
                });
                map.insert("errors".to_owned(), errors.collect());
            }
            if let Some((feature, most, edition, trial)) = self.license {
                let edition = match edition {
                    Edition::Free => "FREE",
                    Edition::Express => "EXPRESS",
                    Edition::Standard => "STANDARD",
                    Edition::Professional => "PROFESSIONAL",
                    Edition::Enterprise => "ENTERPRISE",
                };
                map.insert("feature".to_owned(), json!(feature));
                map.insert("maxAllowedEntity".to_owned(), json!(most.to_string()));
                map.insert("editionType".to_owned(), json!(edition));
                map.insert("isTrial".to_owned(), json!(trial));
            }
        }
        let answer = Answer::json(self.status, body);
        match self.retry_after {
            Some(seconds) => answer.with("retry-after", seconds.to_string()),
            None => answer,
        }
    }
}
