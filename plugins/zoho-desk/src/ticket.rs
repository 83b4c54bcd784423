//! Tickets, threads, comments and files as Zoho Desk shows them, and how they are read.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use transload_sdk::types::Error;

use crate::api::{as_optional, as_text, or_default, rows, words_of};
use crate::client::{Desk, PAGE};
use crate::map::Owner;
use crate::own;

/// Rows of a page of a ticket's threads and comments together (Zoho Desk facts §4).
const CONVERSATIONS: usize = 200;
/// Tags of a page that nobody said the size of (Zoho Desk facts §4).
const TAGS: usize = 10;

/// A ticket: all of its attributes by name, as nobody knows which of them a connector may have to put back.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(transparent)]
pub struct Ticket {
    /// By name.
    pub values: Map<String, Value>,
}

impl Ticket {
    /// An attribute as text; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        self.values.get(name).map(words_of).unwrap_or_default()
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.text("id")
    }

    /// A custom field's value as text.
    pub fn custom(&self, name: &str) -> Option<String> {
        let custom = self.values.get("cf")?.as_object()?;
        let text = words_of(custom.get(name)?);
        (!text.is_empty()).then_some(text)
    }

    /// One of the connector's own fields.
    pub fn own(&self, desk: &Desk, key: &str) -> Option<String> {
        self.custom(desk.state.own(Owner::Ticket, key)?)
    }

    /// Whether it is in the recycle bin, or deleted.
    pub fn is_gone(&self) -> bool {
        let says = |name: &str| self.values.get(name).and_then(Value::as_bool) == Some(true);
        says("isTrashed") || says("isDeleted")
    }

    /// Whether it is archived: nothing of it can be changed then.
    pub fn is_archived(&self) -> bool {
        self.values.get("isArchived").and_then(Value::as_bool) == Some(true)
    }

    /// Whether it carries that run.
    pub fn is_of_run(&self, desk: &Desk, run: &str) -> bool {
        self.own(desk, own::RUN).as_deref() == Some(run)
    }

    /// For a person to open.
    pub fn url(&self) -> Option<String> {
        Some(self.text("webUrl")).filter(|url| !url.is_empty())
    }
}

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Author {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Address.
    #[serde(deserialize_with = "as_optional")]
    pub email: Option<String>,
    /// `AGENT`, `END_USER`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
}

/// A comment (Zoho Desk facts §7.6).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Comment {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// What it says.
    #[serde(deserialize_with = "or_default")]
    pub content: String,
    /// `html` or `plainText`.
    #[serde(deserialize_with = "or_default")]
    pub content_type: String,
    /// Whether the customer may see it.
    #[serde(deserialize_with = "or_default")]
    pub is_public: bool,
    /// When it was said.
    #[serde(deserialize_with = "as_optional")]
    pub commented_time: Option<String>,
    /// By whom.
    #[serde(deserialize_with = "as_text")]
    pub commenter_id: String,
    /// The same.
    #[serde(deserialize_with = "or_default")]
    pub commenter: Author,
}

/// A thread (Zoho Desk facts §7.7).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Thread {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// `EMAIL` …
    #[serde(deserialize_with = "or_default")]
    pub channel: String,
    /// `in` or `out`.
    #[serde(deserialize_with = "or_default")]
    pub direction: String,
    /// `public` or `private`.
    #[serde(deserialize_with = "or_default")]
    pub visibility: String,
    /// What it says; cut in lists.
    #[serde(deserialize_with = "or_default")]
    pub content: String,
    /// Whether it is cut here, too.
    #[serde(deserialize_with = "or_default")]
    pub is_content_truncated: bool,
    /// `text/html` or `text/plain`.
    #[serde(deserialize_with = "or_default")]
    pub content_type: String,
    /// When it was sent or received.
    #[serde(deserialize_with = "as_optional")]
    pub created_time: Option<String>,
    /// By whom.
    #[serde(deserialize_with = "or_default")]
    pub author: Author,
    /// Address of the sender.
    #[serde(deserialize_with = "as_optional")]
    pub from_email_address: Option<String>,
    /// Addresses.
    #[serde(deserialize_with = "as_optional")]
    pub to: Option<String>,
    /// The same.
    #[serde(deserialize_with = "as_optional")]
    pub cc: Option<String>,
    /// The same.
    #[serde(deserialize_with = "as_optional")]
    pub bcc: Option<String>,
    /// Whether it is the ticket's description.
    #[serde(deserialize_with = "or_default")]
    pub is_description_thread: bool,
}

/// A file of a ticket (Zoho Desk facts §7.8).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Attachment {
    /// Id.
    #[serde(deserialize_with = "as_text")]
    pub id: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Bytes; a text in most answers.
    #[serde(deserialize_with = "as_text")]
    pub size: String,
    /// Where its bytes are, for whoever may see the ticket.
    #[serde(deserialize_with = "or_default")]
    pub href: String,
}

/// One of the two, as a list of both has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Spoken {
    /// A thread, cut.
    Thread(Thread),
    /// A comment.
    Comment(Comment),
}

impl Spoken {
    /// Its id in the ticket.
    pub fn id(&self) -> &str {
        match self {
            Self::Thread(thread) => &thread.id,
            Self::Comment(comment) => &comment.id,
        }
    }
}

/// A ticket as it is; `None` where it is gone for good or in the recycle bin.
///
/// # Errors
/// What ends the unit.
pub async fn ticket(desk: &Desk, id: &str) -> Result<Option<Ticket>, Error> {
    let found: Option<Ticket> = desk.find(&format!("/tickets/{id}")).await?;
    Ok(found.filter(|ticket| !ticket.is_gone()))
}

/// A ticket's comments, in the order in which they were said.
///
/// # Errors
/// What ends the unit.
pub async fn comments(desk: &Desk, ticket: &str) -> Result<Vec<Comment>, Error> {
    desk.list(&format!("/tickets/{ticket}/comments?sortBy=commentedTime"))
        .await
}

/// A ticket's files.
///
/// # Errors
/// What ends the unit.
pub async fn attachments(desk: &Desk, ticket: &str) -> Result<Vec<Attachment>, Error> {
    desk.list(&format!("/tickets/{ticket}/attachments")).await
}

/// Names of a ticket's tags.
///
/// # Errors
/// What ends the unit.
pub async fn tags(desk: &Desk, ticket: &str) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    let mut path = format!("/tickets/{ticket}/tags");
    let mut read = 0;
    loop {
        // Whether this list has pages is told in both ways (Zoho Desk facts §4, §7.8).
        let page: Vec<Map<String, Value>> = match desk.whole(&path).await {
            Ok(page) => page,
            Err(Error::Bug(_)) if read > 0 => return Ok(names),
            Err(other) => return Err(other),
        };
        let known = names.len();
        let name = |tag: &Map<String, Value>| Some(tag.get("name")?.as_str()?.to_owned());
        names.extend(page.iter().filter_map(name));
        read += page.len();
        let first = read == page.len();
        if names.len() == known || page.len() < if first { TAGS } else { PAGE } {
            return Ok(names);
        }
        path = format!("/tickets/{ticket}/tags?from={read}&limit={PAGE}");
    }
}

/// What is said in a ticket, threads cut, in no order that counts.
///
/// # Errors
/// What ends the unit.
pub async fn spoken(desk: &Desk, ticket: &str) -> Result<Vec<Spoken>, Error> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    let mut read = 0;
    loop {
        let from = match read {
            0 => String::new(),
            n => format!("&from={n}"),
        };
        let path = format!("/tickets/{ticket}/conversations?limit={CONVERSATIONS}{from}");
        let Some(reply) = desk.get(&path).await? else {
            return Ok(all);
        };
        let page = rows(reply.json()?);
        let (count, known) = (page.len(), seen.len());
        for row in page {
            let kind = words_of(row.get("type").unwrap_or(&Value::Null));
            let id = words_of(row.get("id").unwrap_or(&Value::Null));
            if !seen.insert((kind.clone(), id)) {
                continue;
            }
            all.push(if kind == "comment" {
                Spoken::Comment(shaped(row)?)
            } else {
                Spoken::Thread(shaped(row)?)
            });
        }
        read += count;
        if count < CONVERSATIONS || seen.len() == known {
            return Ok(all);
        }
    }
}

/// A thread, whole.
///
/// # Errors
/// What ends the unit.
pub async fn thread(desk: &Desk, ticket: &str, id: &str) -> Result<Option<Thread>, Error> {
    let path = format!("/tickets/{ticket}/threads/{id}");
    let Some(mut thread) = desk.find::<Thread>(&path).await? else {
        return Ok(None);
    };
    if thread.is_content_truncated
        && let Some(whole) = desk.find::<Thread>(&format!("{path}/fullContent")).await?
    {
        thread.content = whole.content;
    }
    Ok(Some(thread))
}

fn shaped<T: DeserializeOwned>(row: Value) -> Result<T, Error> {
    serde_json::from_value(row).map_err(|error| Error::Bug(format!("something said: {error}")))
}
