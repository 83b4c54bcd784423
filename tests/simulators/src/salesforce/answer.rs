//! What a handler gives back: an answer, or why not.
//!
//! The same error looks different by endpoint (Salesforce facts §3): single-record calls say `errorCode` in an array,
//! collections say `statusCode` in a row, Bulk writes it into a column of a CSV. Handlers name a [`RowError`]; the shape is
//! decided here.

use serde_json::{Value, json};

pub(super) use crate::common::{Answer, Payload};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json;charset=UTF-8";

/// Why a record was not written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowError {
    /// The code.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
    /// The fields it is about.
    pub fields: Vec<String>,
    /// What a duplicate rule found.
    pub duplicate: Option<Box<Value>>,
}

impl RowError {
    /// An error about no field.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: vec![],
            duplicate: None,
        }
    }

    /// An error about a field.
    pub fn on(code: &'static str, message: impl Into<String>, field: &str) -> Self {
        Self {
            fields: vec![field.to_owned()],
            ..Self::new(code, message)
        }
    }

    /// As an element of the array that a single-record call answers.
    fn single(&self, duplicate_key: &str) -> Value {
        let mut body =
            json!({"message": self.message, "errorCode": self.code, "fields": self.fields});
        if let (Some(duplicate), Some(map)) = (&self.duplicate, body.as_object_mut()) {
            map.remove("fields");
            map.insert(duplicate_key.to_owned(), (**duplicate).clone());
        }
        body
    }

    /// As an element of `errors` in a row.
    pub fn in_row(&self, duplicate_key: &str) -> Value {
        let mut body =
            json!({"statusCode": self.code, "message": self.message, "fields": self.fields});
        if let (Some(duplicate), Some(map)) = (&self.duplicate, body.as_object_mut()) {
            map.insert(duplicate_key.to_owned(), (**duplicate).clone());
        }
        body
    }

    /// As the column `sf__Error` of a job's failed rows.
    pub fn in_csv(&self) -> String {
        format!(
            "{}:{}:{} --",
            self.code,
            self.message,
            self.fields.join(" ")
        )
    }

    /// The status of a single-record call that fails so.
    fn status(&self) -> u16 {
        match self.code {
            "INVALID_SESSION_ID" => 401,
            "NOT_FOUND" | "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY"
                if self.fields.is_empty() =>
            {
                404
            }
            "REQUEST_LIMIT_EXCEEDED"
            | "INSUFFICIENT_ACCESS_OR_READONLY"
            | "INSUFFICIENT_ACCESS"
            | "API_DISABLED_FOR_ORG" => 403,
            "METHOD_NOT_ALLOWED" => 405,
            "SERVER_UNAVAILABLE" => 503,
            _ => 400,
        }
    }
}

/// Why a whole call failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Status; 0 takes the one that the first error has.
    pub status: u16,
    /// Why.
    pub errors: Vec<RowError>,
}

impl Failure {
    /// A failure with the status that its code has.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        RowError::new(code, message).into()
    }

    /// 404 of a path or record that is not there.
    pub fn not_found() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist")
    }

    /// 405.
    pub fn method() -> Self {
        Self::new(
            "METHOD_NOT_ALLOWED",
            "HTTP Method not allowed. Allowed are the documented ones",
        )
    }

    /// As an answer.
    pub fn answer(&self, duplicate_key: &str) -> Answer {
        let status = match self.status {
            0 => self.errors.first().map_or(400, RowError::status),
            status => status,
        };
        // Errors that are about no record have no list of fields.
        let bare = matches!(status, 401 | 403..=405 | 414 | 431)
            || self.errors.iter().all(|e| {
                matches!(
                    e.code,
                    "MALFORMED_QUERY" | "INVALID_QUERY_LOCATOR" | "JSON_PARSER_ERROR"
                )
            });
        let errors = self.errors.iter().map(|error| {
            let mut body = error.single(duplicate_key);
            if let Some(map) = body
                .as_object_mut()
                .filter(|_| bare && error.fields.is_empty())
            {
                map.remove("fields");
            }
            body
        });
        Answer::json(status, errors.collect())
    }
}

impl From<RowError> for Failure {
    fn from(error: RowError) -> Self {
        Self {
            status: 0,
            errors: vec![error],
        }
    }
}

impl From<Vec<RowError>> for Failure {
    fn from(errors: Vec<RowError>) -> Self {
        Self { status: 0, errors }
    }
}
