//! What a handler gives back: an answer, or a failure in Intercom's one error envelope (Intercom facts §3).

use serde_json::{Map, Value, json};

pub(super) use crate::common::{Answer, Payload};

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// Why a request was refused (§3).
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// HTTP status.
    pub status: u16,
    /// Its code.
    pub code: &'static str,
    /// Its message; clients match on status and code.
    pub message: String,
    /// The field it is about.
    pub field: Option<String>,
    /// Where to look instead (§3: 410).
    pub link: Option<String>,
}

impl Failure {
    /// Any failure.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            link: None,
        }
    }

    /// 400 `parameter_invalid`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "parameter_invalid", message)
    }

    /// 400 `parameter_invalid` about a field.
    pub fn field(name: &str, message: impl Into<String>) -> Self {
        Self {
            field: Some(name.to_owned()),
            ..Self::invalid(message)
        }
    }

    /// 400 `parameter_not_found`: a parameter is missing.
    pub fn missing(name: &str) -> Self {
        let message = format!("{name} is a required parameter");
        Self {
            field: Some(name.to_owned()),
            ..Self::new(400, "parameter_not_found", message)
        }
    }

    /// 400 `type_mismatch`.
    pub fn mistyped(name: &str, wanted: &str) -> Self {
        let message = format!("{name} must be {wanted}");
        Self {
            field: Some(name.to_owned()),
            ..Self::new(400, "type_mismatch", message)
        }
    }

    /// 404 `not_found`.
    pub fn not_found(message: &str) -> Self {
        Self::new(404, "not_found", message)
    }

    /// 404 of something that is no contact.
    pub fn resource() -> Self {
        Self::not_found("Resource Not Found")
    }

    /// 404 of a contact.
    pub fn user() -> Self {
        Self::not_found("User Not Found")
    }

    /// 404 of a company.
    pub fn company() -> Self {
        Self::new(404, "company_not_found", "Company Not Found")
    }

    /// 404 of an admin.
    pub fn admin() -> Self {
        Self::new(404, "admin_not_found", "Admin not found")
    }

    /// 400 of a bad cursor (§4).
    pub fn cursor(what: &str) -> Self {
        Self::new(400, "client_error", format!("Invalid {what} param."))
    }

    /// 400: the version does not have it (§1).
    pub fn version() -> Self {
        let message = "Requested resource is not available in current API version.";
        Self::new(400, "intercom_version_invalid", message)
    }

    /// As an answer.
    pub fn answer(&self, request_id: Value) -> Answer {
        let answer = Answer::json(
            self.status,
            envelope(request_id, self.code, &self.message, self.field.as_deref()),
        );
        match &self.link {
            Some(link) => answer.with("link", link.as_str()),
            None => answer,
        }
    }
}

/// The body of every failure.
pub(super) fn envelope(request_id: Value, code: &str, message: &str, field: Option<&str>) -> Value {
    let mut error = Map::new();
    error.insert("code".to_owned(), json!(code));
    error.insert("message".to_owned(), json!(message));
    if let Some(field) = field {
        error.insert("field".to_owned(), json!(field));
    }
    json!({"type": "error.list", "request_id": request_id, "errors": [error]})
}
