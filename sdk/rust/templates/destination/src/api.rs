//! The platform's API: what is on the wire, and how to ask. Nothing here knows the contract's records.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use transload_sdk::http::{Reply, RequestBuilder, segment};
use transload_sdk::types::{Error, Invalid};
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

/// Somebody who writes in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Given by the platform.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Name.
    pub name: String,
    /// Unique among people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// As it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Free for us: our marker.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A private text: our source card.
    pub notes: String,
}

/// A ticket with its messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ticket {
    /// Given by the platform.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Free for us: our marker.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Subject.
    pub subject: String,
    /// A person's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// `open` or `done`.
    pub state: String,
    /// RFC 3339.
    pub opened_at: String,
    /// A private text: our source card.
    pub notes: String,
    /// What was said.
    pub messages: Vec<Said>,
}

/// A message of a ticket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Who said it, by name.
    pub by: String,
    /// RFC 3339.
    pub at: String,
    /// Only staff see it.
    pub private: bool,
    /// Plain text.
    pub text: String,
}

/// The platform, as one call of the connector asks it.
#[derive(Debug, Clone, Copy)]
pub struct Api<'a> {
    /// What the call may do.
    pub cx: &'a Context,
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
            .or_error(words)?
            .json()
    }

    /// People by `ref` or `email`.
    pub async fn people(&self, by: &str, value: &str) -> Result<Vec<Person>> {
        #[derive(Deserialize)]
        struct Found {
            people: Vec<Person>,
        }
        let reply = self
            .cx
            .http()
            .get("/people")
            .query(by, value)
            .send()
            .await?;
        Ok(reply.or_error(words)?.json::<Found>()?.people)
    }

    /// A person, if there still is one.
    pub async fn person(&self, id: &str) -> Result<Option<Person>> {
        self.one(self.cx.http().get(person_path(id))).await
    }

    /// The ticket with our marker.
    pub async fn ticket_by_ref(&self, marker: &str) -> Result<Option<Ticket>> {
        #[derive(Deserialize)]
        struct Found {
            tickets: Vec<Ticket>,
        }
        let reply = self
            .cx
            .http()
            .get("/tickets")
            .query("ref", marker)
            .send()
            .await?;
        Ok(reply
            .or_error(words)?
            .json::<Found>()?
            .tickets
            .into_iter()
            .next())
    }

    /// How many tickets a person has, by their ids.
    pub async fn tickets_of(&self, person: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Found {
            tickets: Vec<Ticket>,
        }
        let reply = self
            .cx
            .http()
            .get("/tickets")
            .query("person", person)
            .send()
            .await?;
        let found: Found = reply.or_error(words)?.json()?;
        Ok(found.tickets.into_iter().map(|ticket| ticket.id).collect())
    }

    /// A ticket, if there still is one.
    pub async fn ticket(&self, id: &str) -> Result<Option<Ticket>> {
        self.one(self.cx.http().get(ticket_path(id))).await
    }

    async fn one<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Option<T>> {
        let reply = request.send().await?;
        if reply.status() == 404 {
            return Ok(None);
        }
        Ok(Some(reply.or_error(words)?.json()?))
    }
}

/// A person's address.
pub fn person_path(id: &str) -> String {
    format!("/people/{}", segment(id))
}

/// A ticket's address.
pub fn ticket_path(id: &str) -> String {
    format!("/tickets/{}", segment(id))
}

/// What the platform says of a refusal, in its words.
pub fn words(reply: &Reply) -> Option<Invalid> {
    #[derive(Deserialize)]
    struct Said {
        error: String,
        field: Option<String>,
    }
    let said: Said = reply.json().ok()?;
    Some(Invalid {
        field: said.field,
        reason: said.error,
    })
}

/// A refusal of one item. What ends the unit instead comes as an error.
pub fn refusal(reply: &Reply) -> Result<Error> {
    match reply.error(words) {
        error @ (Error::Auth(_) | Error::Permission(_) | Error::Quota(_) | Error::Transient(_)) => {
            Err(error)
        }
        error => Ok(error),
    }
}
