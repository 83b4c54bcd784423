//! What a handler gives back: an answer, or why not, in the envelopes of HubSpot facts §3.

use serde_json::{Map, Value, json};

pub(super) use crate::common::Answer;

/// What a handler returns.
pub(super) type Outcome = Result<Answer, Failure>;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json;charset=utf-8";

/// What is wrong with the value of one property (§3.4).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Invalid {
    /// `PROPERTY_DOESNT_EXIST`, `INVALID_OPTION`, …
    pub code: &'static str,
    /// The sentence.
    pub message: String,
    /// The property.
    pub name: String,
}

impl Invalid {
    /// About a property.
    pub fn new(code: &'static str, name: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            name: name.to_owned(),
        }
    }
}

/// Why a call, or one input of a batch, failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Status.
    pub status: u16,
    /// Category, empty for none.
    pub category: &'static str,
    /// The sentence.
    pub message: String,
    /// What few have.
    pub details: Box<Details>,
}

/// The members of an error body that few errors have.
#[derive(Debug, Clone, Default)]
pub(super) struct Details {
    /// Sub-category.
    pub sub_category: Option<String>,
    /// Details.
    pub errors: Vec<Value>,
    /// Names to lists of texts.
    pub context: Map<String, Value>,
    /// Links.
    pub links: Map<String, Value>,
    /// Further members of the body.
    pub more: Vec<(&'static str, Value)>,
}

impl Failure {
    /// Any failure.
    pub fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            category,
            message: message.into(),
            details: Box::default(),
        }
    }

    /// 400 VALIDATION_ERROR.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// 400 for JSON of the wrong form.
    pub fn input(problem: impl std::fmt::Display) -> Self {
        Self::validation(format!("Invalid input JSON: {problem}"))
    }

    /// 404 of a record (§3.4).
    pub fn not_found() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// 404 of a path.
    pub fn no_route() -> Self {
        Self::new(404, "", "Not found")
    }

    /// 405.
    pub fn method() -> Self {
        Self::new(405, "", "HTTP method not allowed")
    }

    /// 401 (§3.4).
    pub fn unauthenticated(expired: bool) -> Self {
        let (category, message) = if expired {
            (
                "EXPIRED_AUTHENTICATION",
                "The OAuth token used to make this call expired.",
            )
        } else {
            (
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details \
                 at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            )
        };
        Self::new(401, category, message)
    }

    /// 403 (§3.4).
    pub fn scopes(required: &[&str]) -> Self {
        let mut failure = Self::new(
            403,
            "MISSING_SCOPES",
            "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: \
             https://developers.hubspot.com/scopes.",
        );
        failure.details.errors = vec![json!({
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": required},
        })];
        let link = json!("https://developers.hubspot.com/scopes");
        failure.details.links.insert("scopes".to_owned(), link);
        failure
    }

    /// 400 with all that is wrong with the values of a record (§3.3, §3.4).
    pub fn values(invalid: &[Invalid]) -> Self {
        let in_message: Vec<Value> = invalid
            .iter()
            .map(|i| {
                json!({
                    "isValid": false, "message": i.message, "error": i.code, "name": i.name,
                    "localizedErrorMessage": i.message,
                })
            })
            .collect();
        let text = Value::Array(in_message).to_string();
        let mut failure = Self::validation(format!("Property values were not valid: {text}"));
        failure.details.errors = invalid
            .iter()
            .map(|i| {
                json!({"message": i.message, "code": i.code, "context": {"propertyName": [i.name]}})
            })
            .collect();
        failure
    }

    /// The same with a sub-category.
    pub fn sub(mut self, sub_category: impl Into<String>) -> Self {
        self.details.sub_category = Some(sub_category.into());
        self
    }

    /// The same with more context.
    pub fn about(mut self, name: &str, texts: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<Value> = texts.into_iter().map(Value::String).collect();
        self.details
            .context
            .insert(name.to_owned(), Value::Array(texts));
        self
    }

    /// The same with one more detail, about a part of the request.
    pub fn detail(mut self, message: &str, code: &str, part: &str) -> Self {
        self.details
            .errors
            .push(json!({"message": message, "code": code, "in": part}));
        self
    }

    fn members(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("status".to_owned(), json!("error"));
        body.insert("message".to_owned(), json!(self.message));
        if let Some(sub) = &self.details.sub_category {
            body.insert("subCategory".to_owned(), json!(sub));
        }
        if !self.details.errors.is_empty() {
            body.insert(
                "errors".to_owned(),
                Value::Array(self.details.errors.clone()),
            );
        }
        for (name, map) in [
            ("context", &self.details.context),
            ("links", &self.details.links),
        ] {
            if !map.is_empty() {
                body.insert(name.to_owned(), Value::Object(map.clone()));
            }
        }
        if !self.category.is_empty() {
            body.insert("category".to_owned(), json!(self.category));
        }
        for (name, value) in &self.details.more {
            body.insert((*name).to_owned(), value.clone());
        }
        body
    }

    /// As one of a batch's `errors` (§3.3).
    pub fn in_batch(&self) -> Value {
        let mut body = self.members();
        body.entry("context").or_insert_with(|| json!({}));
        Value::Object(body)
    }

    /// As an answer.
    pub fn answer(&self, correlation: &str) -> Answer {
        let mut body = self.members();
        body.insert("correlationId".to_owned(), json!(correlation));
        Answer::json(self.status, Value::Object(body))
    }
}
