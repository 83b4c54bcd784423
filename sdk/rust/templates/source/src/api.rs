//! The platform's API: what is on the wire, and how to ask. Nothing here knows the contract's records.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use transload_sdk::http::{RequestBuilder, segment};
use transload_sdk::types::{BlobRef, Error};
use transload_sdk::{Context, Result};

/// Whom the token belongs to.
#[derive(Debug, Clone, Deserialize)]
pub struct Me {
    /// The user's name.
    pub name: String,
    /// The account.
    pub account: Account,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A page of people.
#[derive(Debug, Clone, Deserialize)]
pub struct People {
    /// Those of this page.
    pub people: Vec<Person>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// All of them.
    pub total: u64,
}

/// Somebody who writes in.
#[derive(Debug, Clone, Deserialize)]
pub struct Person {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// RFC 3339.
    pub created_at: Option<String>,
    /// RFC 3339.
    pub updated_at: Option<String>,
}

/// A page of tickets.
#[derive(Debug, Clone, Deserialize)]
pub struct Tickets {
    /// Those of this page.
    pub tickets: Vec<Ticket>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// All of them.
    pub total: u64,
}

/// A ticket with its messages.
#[derive(Debug, Clone, Deserialize)]
pub struct Ticket {
    /// Id.
    pub id: String,
    /// Subject.
    pub subject: Option<String>,
    /// A person's id.
    pub person: Option<String>,
    /// `open` or `done`, or a word that we do not know yet.
    pub state: String,
    /// RFC 3339.
    pub created_at: Option<String>,
    /// RFC 3339.
    pub updated_at: Option<String>,
    /// What was said, in order.
    #[serde(default)]
    pub messages: Vec<Said>,
}

/// A message.
#[derive(Debug, Clone, Deserialize)]
pub struct Said {
    /// Id.
    pub id: String,
    /// A person's id.
    pub person: Option<String>,
    /// An agent's name, where it is no person's.
    pub agent: Option<String>,
    /// RFC 3339.
    pub at: Option<String>,
    /// Only staff see it.
    #[serde(default)]
    pub private: bool,
    /// Plain text.
    pub text: Option<String>,
    /// Files on it.
    #[serde(default)]
    pub files: Vec<File>,
}

/// A file.
#[derive(Debug, Clone, Deserialize)]
pub struct File {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Media type.
    #[serde(rename = "type")]
    pub media_type: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
}

/// The platform, as one call of the connector asks it.
#[derive(Debug, Clone, Copy)]
pub struct Api<'a> {
    cx: &'a Context,
}

impl<'a> Api<'a> {
    /// For one call.
    pub fn new(cx: &'a Context) -> Self {
        Self { cx }
    }

    /// Whom the token belongs to.
    pub async fn me(&self) -> Result<Me> {
        self.cx
            .http()
            .get("/me")
            .send()
            .await?
            .or_error(|_| None)?
            .json()
    }

    /// People that were updated since, from a cursor on.
    pub async fn people(&self, since: Option<&str>, cursor: Option<&str>) -> Result<People> {
        self.page("/people", since, cursor).await
    }

    /// Tickets that were updated since, from a cursor on.
    pub async fn tickets(&self, since: Option<&str>, cursor: Option<&str>) -> Result<Tickets> {
        self.page("/tickets", since, cursor).await
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        since: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<T> {
        let mut request = self.cx.http().get(path);
        if let Some(since) = since {
            request = request.query("updated_since", since);
        }
        if let Some(cursor) = cursor {
            request = request.query("after", cursor);
        }
        request.send().await?.or_error(|_| None)?.json()
    }

    /// A person, if there still is one.
    pub async fn person(&self, id: &str) -> Result<Option<Person>> {
        self.one(self.cx.http().get(format!("/people/{}", segment(id))))
            .await
    }

    /// A ticket, if there still is one.
    pub async fn ticket(&self, id: &str) -> Result<Option<Ticket>> {
        self.one(self.cx.http().get(format!("/tickets/{}", segment(id))))
            .await
    }

    async fn one<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Option<T>> {
        let reply = request.send().await?;
        if reply.status() == 404 {
            return Ok(None);
        }
        Ok(Some(reply.or_error(|_| None)?.json()?))
    }

    /// A file's bytes, which the host keeps; they never enter the connector.
    pub async fn file(&self, id: &str) -> Result<BlobRef> {
        let request = self.cx.http().get(format!("/files/{}", segment(id)));
        let (reply, blob) = request.download().await?;
        match reply.ok() {
            true => Ok(blob),
            false if reply.status() == 404 => Err(Error::NotFound("the file is gone".into())),
            false => Err(reply.error(|_| None)),
        }
    }
}
