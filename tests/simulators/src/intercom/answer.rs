//! What a handler gives back: an answer, or a failure in Intercom's one error envelope (Intercom facts §3).

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
    /// JSON that was written before.
    Written(String),
    /// A file.
    File { content_type: String, bytes: Bytes },
}

impl Answer {
    /// 200 with JSON: nearly every success (§3).
    pub fn ok(body: Value) -> Outcome {
        Ok(Self::json(200, body))
    }

    /// 200 with JSON that is written already.
    pub fn written(body: String) -> Outcome {
        Ok(Self {
            status: 200,
            body: Payload::Written(body),
            headers: Vec::new(),
        })
    }

    /// 200 without a body.
    pub fn empty() -> Outcome {
        Ok(Self {
            status: 200,
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
        let json = || Some("application/json; charset=utf-8".to_owned());
        let (content_type, bytes) = match self.body {
            Payload::Empty => (None, Bytes::new()),
            Payload::Json(value) => (json(), Bytes::from(value.to_string())),
            Payload::Written(text) => (json(), Bytes::from(text)),
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
