//! What a handler of a simulator answers, before it is an HTTP response. Why a request is refused, and in which shape, is each
//! vendor's own.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Payload,
    /// Headers besides the content type and those of rate limits.
    pub headers: Vec<(&'static str, String)>,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// JSON that was written before.
    Written(String),
    /// A file.
    File {
        /// Its type.
        content_type: String,
        /// Its bytes.
        bytes: Bytes,
    },
}

/// Answers as handlers return them, whatever they fail with.
impl Answer {
    /// 200 with JSON.
    pub fn ok<F>(body: Value) -> Result<Self, F> {
        Ok(Self::json(200, body))
    }

    /// 201 with JSON.
    pub fn created<F>(body: Value) -> Result<Self, F> {
        Ok(Self::json(201, body))
    }

    /// 202 with JSON.
    pub fn accepted<F>(body: Value) -> Result<Self, F> {
        Ok(Self::json(202, body))
    }

    /// 200 with JSON that is written already.
    pub fn written<F>(body: String) -> Result<Self, F> {
        Ok(Self::of(200, Payload::Written(body)))
    }

    /// Any status without a body.
    pub fn bare<F>(status: u16) -> Result<Self, F> {
        Ok(Self::empty(status))
    }
}

impl Answer {
    /// Any status with any body.
    pub fn of(status: u16, body: Payload) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
        }
    }

    /// Any status with JSON.
    pub fn json(status: u16, body: Value) -> Self {
        Self::of(status, Payload::Json(body))
    }

    /// Any status with something else than JSON.
    pub fn file(status: u16, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let (content_type, bytes) = (content_type.into(), bytes.into());
        Self::of(
            status,
            Payload::File {
                content_type,
                bytes,
            },
        )
    }

    /// The JSON of the body; null where it is none.
    pub fn as_json(&self) -> Value {
        match &self.body {
            Payload::Json(value) => value.clone(),
            Payload::Written(text) => serde_json::from_str(text).unwrap_or_default(),
            Payload::Empty | Payload::File { .. } => Value::Null,
        }
    }

    /// Any status without a body.
    pub fn empty(status: u16) -> Self {
        Self::of(status, Payload::Empty)
    }

    /// The same answer with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As an HTTP response; the vendor's content type of JSON.
    pub fn into_response(self, of_json: &str) -> Response<Body> {
        let (content_type, bytes) = match self.body {
            Payload::Empty => (None, Bytes::new()),
            Payload::Json(value) => (Some(of_json.to_owned()), Bytes::from(value.to_string())),
            Payload::Written(text) => (Some(of_json.to_owned()), Bytes::from(text)),
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
