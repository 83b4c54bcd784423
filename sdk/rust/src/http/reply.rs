//! A complete answer, and what its status means.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::Response;
use crate::types::{Error, Invalid};
use crate::{Result, json};

/// An answer of the platform, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status, as [`Reply::status`].
    pub status: u16,
    /// An earlier attempt of this request may have been applied (rule D-4): an "already there" may be our own work.
    pub attempted_before: bool,
    what: String,
    response: Response,
}

impl Reply {
    pub(crate) fn new(what: String, response: Response) -> Self {
        Self {
            status: response.status,
            attempted_before: response.attempted_before,
            what,
            response,
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is a 2xx.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .response
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))?;
        Some(&found.value)
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.response.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// `bug` where it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.bytes())
            .map_err(|_| Error::Bug(format!("{}: the answer is not UTF-8", self.what)))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `bug`, naming the request's path and the place in the document, never its content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json::read(self.bytes())
            .map_err(|e| Error::Bug(format!("{} answered {}: {e}", self.what, self.status)))
    }

    /// One member of the body, without building the others; what is absent is read as null.
    ///
    /// # Errors
    /// `bug` when the answer is no JSON, or the member of another shape.
    pub fn member<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let mut json = serde_json::Deserializer::from_slice(self.bytes());
        let wanted = Member {
            name,
            of: PhantomData::<T>,
        };
        let found = wanted.deserialize(&mut json).and_then(|found| {
            json.end()?;
            found.map_or_else(|| serde_json::from_value(Value::Null), Ok)
        });
        found.map_err(|_| Error::Bug(format!("{}: `{name}` has another shape", self.what)))
    }

    /// Method and path of the request, for messages.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The reply itself when it is a 2xx, else [`Reply::error`].
    ///
    /// # Errors
    /// What the status means.
    pub fn or_error(self, envelope: impl FnOnce(&Reply) -> Option<Invalid>) -> Result<Self> {
        if self.ok() {
            Ok(self)
        } else {
            Err(self.error(envelope))
        }
    }

    /// What a status that is no success means. `envelope` reads the vendor's own words, and the field they are about; `None`
    /// where the body is not the vendor's envelope.
    ///
    /// 401 auth · 403 permission · 404, 410 not-found · 409, 412, 423 conflict · 400, 413, 415, 422 invalid · 429 quota ·
    /// 408, 425, 5xx transient · 501 unsupported · the rest bug. Statuses to which the vendor gives another meaning are the
    /// connector's to look at first.
    pub fn error(&self, envelope: impl FnOnce(&Reply) -> Option<Invalid>) -> Error {
        let said = envelope(self);
        let field = said.as_ref().and_then(|said| said.field.clone());
        let text = match said {
            Some(said) => format!("{} answered {}: {}", self.what, self.status, said.reason),
            None => format!("{} answered {}", self.what, self.status),
        };
        match self.status {
            401 => Error::Auth(text),
            403 => Error::Permission(text),
            404 | 410 => Error::NotFound(text),
            409 | 412 | 423 => Error::Conflict(text),
            400 | 413 | 415 | 422 => Error::Invalid(Invalid {
                field,
                reason: text,
            }),
            429 => Error::Quota(None),
            501 => Error::Unsupported(text),
            408 | 425 | 500.. => Error::Transient(text),
            _ => Error::Bug(text),
        }
    }
}

/// Reads one member of a JSON object and passes over the rest.
struct Member<'m, T> {
    name: &'m str,
    of: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Member<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Member<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
