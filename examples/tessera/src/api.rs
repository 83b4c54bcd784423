//! Tessera's API: what is on the wire, and how to ask. Nothing here knows the contract's records.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use transload_sdk::http::{Reply, RequestBuilder, segment};
use transload_sdk::types::{Error, Invalid};
use transload_sdk::{Context, Result};

/// Characters of an entry's text. We count bytes, which are never fewer.
pub const TEXT_LIMIT: usize = 65_536;
/// Entries in one request.
pub const ENTRIES: usize = 200;
/// Labels of a ticket.
pub const LABELS: usize = 10;
/// Characters of a label, and of a field's key.
pub const WORD: usize = 40;
/// Bytes of a file: "5 MB", read as the smaller of the two.
pub const FILE_BYTES: u64 = 5_000_000;
/// How long a file's token is good, less a minute for what waits in between.
pub const TOKEN_MS: u64 = 9 * 60 * 1000;

/// People and fields are found at once; the margin is for a request that is still under way when its answer is given up.
pub const SETTLE_KEY_MS: u64 = 10_000;
/// The index of tickets' `ref` lags by 30 s at most.
pub const SETTLE_INDEX_MS: u64 = 45_000;

/// Whom the token belongs to.
#[derive(Debug, Clone, Deserialize)]
pub struct Me {
    /// The user's name.
    pub name: String,
    /// `admin` or `agent`.
    pub role: String,
    /// The account.
    pub workspace: Workspace,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What was bought.
    pub plan: Option<String>,
}

/// Somebody who works here.
#[derive(Debug, Clone, Deserialize)]
pub struct Agent {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// Whether the agent can sign in.
    pub active: bool,
}

/// Somebody who writes in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Unique among people.
    pub email: Option<String>,
    /// As it was written.
    pub phone: Option<String>,
    /// Free for us: our marker.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Values of fields for people.
    pub attributes: Map<String, Value>,
    /// Counts changes.
    pub version: Value,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// `a-z0-9_`, unique among all fields.
    pub key: String,
    /// What people see.
    pub label: String,
    /// `text`, `number`, `flag` or `date`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `person` or `ticket`.
    #[serde(rename = "for")]
    pub owner: String,
}

/// A ticket as it is now.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Ticket {
    /// Id.
    pub id: String,
    /// Free for us, and not unique.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Subject.
    pub subject: String,
    /// A person's id.
    pub requester: String,
    /// `open`, `waiting` or `done`.
    pub state: String,
    /// Lower case.
    pub labels: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    /// Values of fields for tickets.
    pub custom: Map<String, Value>,
    /// What was said.
    pub entries: Vec<Said>,
    /// Counts changes.
    pub version: Value,
}

/// An entry of a ticket as it is now.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Id.
    pub id: String,
    /// `public` or `private`.
    pub kind: String,
    /// `person:<id>`, `agent:<id>`, or nobody here.
    pub by: Option<String>,
    /// Who it was, where it is nobody here.
    pub by_name: Option<String>,
    /// RFC 3339.
    pub at: String,
    /// Plain text.
    pub text: String,
    /// Its files.
    pub files: Vec<Value>,
}

/// What is said of a ticket that was just made, or got entries.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    /// Ids of the new entries, in the order given.
    #[serde(default)]
    pub entries: Vec<Id>,
}

/// An id.
#[derive(Debug, Clone, Deserialize)]
pub struct Id {
    /// It.
    pub id: String,
}

/// The API, asked with the call's own context.
#[derive(Debug)]
pub struct Api<'c> {
    /// The call.
    pub cx: &'c Context,
}

impl<'c> Api<'c> {
    /// For a call.
    pub const fn new(cx: &'c Context) -> Self {
        Self { cx }
    }

    /// Whom the token belongs to.
    pub async fn me(&self) -> Result<Me> {
        self.read(self.cx.http().get("/me")).await
    }

    /// All who work here.
    pub async fn agents(&self) -> Result<Vec<Agent>> {
        #[derive(Deserialize)]
        struct List {
            agents: Vec<Agent>,
        }
        let list: List = self.read(self.cx.http().get("/agents")).await?;
        Ok(list.agents)
    }

    /// All custom fields.
    pub async fn fields(&self) -> Result<Vec<Field>> {
        #[derive(Deserialize)]
        struct List {
            fields: Vec<Field>,
        }
        let list: List = self.read(self.cx.http().get("/fields")).await?;
        Ok(list.fields)
    }

    /// People with that `ref` or that `email`; consistent at once.
    pub async fn people(&self, by: &str, value: &str) -> Result<Vec<Person>> {
        #[derive(Deserialize)]
        struct List {
            people: Vec<Person>,
        }
        let request = self.cx.http().get("/people").query(by, value);
        Ok(self.read::<List>(request).await?.people)
    }

    /// A person, unless gone.
    pub async fn person(&self, id: &str) -> Result<Option<Person>> {
        self.find(self.cx.http().get(person_path(id))).await
    }

    /// Ids of a person's tickets; consistent at once.
    pub async fn tickets_of(&self, person: &str) -> Result<Vec<String>> {
        let path = format!("{}/tickets", person_path(person));
        let list: Tickets = self.read(self.cx.http().get(path)).await?;
        Ok(list.tickets.into_iter().map(|ticket| ticket.id).collect())
    }

    /// A ticket with that `ref`, whole. The index lags: see [`SETTLE_INDEX_MS`].
    pub async fn ticket_by_ref(&self, marker: &str) -> Result<Option<Ticket>> {
        let request = self.cx.http().get("/tickets").query("ref", marker);
        for found in self.read::<Tickets>(request).await?.tickets {
            // The index may still name one that was deleted.
            if let Some(ticket) = self.ticket(&found.id).await? {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    /// A ticket, unless gone.
    pub async fn ticket(&self, id: &str) -> Result<Option<Ticket>> {
        self.find(self.cx.http().get(ticket_path(id))).await
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        request.send().await?.or_error(words)?.json()
    }

    async fn find<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Option<T>> {
        let reply = request.send().await?;
        if is_gone(&reply) {
            return Ok(None);
        }
        reply.or_error(words)?.json().map(Some)
    }
}

#[derive(Deserialize)]
struct Tickets {
    tickets: Vec<Id>,
}

/// Where a person is.
pub fn person_path(id: &str) -> String {
    format!("/people/{}", segment(id))
}

/// Where a ticket is.
pub fn ticket_path(id: &str) -> String {
    format!("/tickets/{}", segment(id))
}

/// Whether what was asked for is not there, or not any more.
pub fn is_gone(reply: &Reply) -> bool {
    matches!(reply.status(), 404 | 410)
}

/// Tessera's own words for a refusal.
pub fn words(reply: &Reply) -> Option<Invalid> {
    #[derive(Deserialize)]
    struct Envelope {
        error: String,
        field: Option<String>,
    }
    let envelope: Envelope = reply.json().ok()?;
    Some(Invalid {
        field: envelope.field,
        reason: envelope.error,
    })
}

/// What a refusal means for an item; `Err` for what concerns the connection rather than the item, which ends the unit.
pub fn refusal(reply: &Reply) -> Result<Error> {
    match reply.error(words) {
        error @ (Error::Auth(_) | Error::Quota(_) | Error::Transient(_) | Error::Cancelled) => {
            Err(error)
        }
        error => Ok(error),
    }
}

/// A version as the ledger keeps it.
pub fn version(version: &Value) -> Option<String> {
    match version {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A tag's name as a label; `None` for what is none.
pub fn label(name: &str) -> Option<String> {
    let label = name.to_lowercase();
    let fits = !label.trim().is_empty() && label.chars().count() <= WORD;
    fits.then_some(label)
}
