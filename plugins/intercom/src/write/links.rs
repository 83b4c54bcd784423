//! Links between records (rule M-15), as the SDK's `links` has them: in words, on the record that points since it was written, and in
//! an attribute of ours on the contact or conversation that is pointed to. References to records of custom objects are attributes that
//! only Intercom's settings make (Intercom facts §9).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::print;
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::links::{self, Change, Desk, End, Written, conclude};
use transload_sdk::types::{Error, Kind, Reference};

use super::schema::{CONTACT_LINKS, LINKS, change};
use super::{Changed, conversations};
use crate::client::{self, Looked};
use crate::map;
use crate::state::State;

/// Bytes of the text that names links on one conversation.
const TEXT_BYTES: usize = 8_000;

/// Where a record is.
pub fn path(of_contact: bool, id: &str) -> String {
    if of_contact {
        format!("/contacts/{id}")
    } else {
        format!("/conversations/{id}")
    }
}

fn attribute(of_contact: bool) -> &'static str {
    if of_contact { CONTACT_LINKS } else { LINKS }
}

/// The text that names links on a record; null where there is none, `None` where the record is gone.
///
/// # Errors
/// What ends the unit.
pub async fn text_of(cx: &Context, of_contact: bool, id: &str) -> Result<Option<Value>, Error> {
    let values = if of_contact {
        match client::contact(cx, id).await? {
            Looked::There(contact) => Some(contact.custom_attributes),
            Looked::Gone | Looked::Merged => None,
        }
    } else {
        let found = conversations::whole(cx, id).await?;
        found.map(|conversation| conversation.custom_attributes)
    };
    Ok(values.map(|values| {
        values
            .get(attribute(of_contact))
            .cloned()
            .unwrap_or_default()
    }))
}

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let words = state.words(cx.time_zone());
    let links = links::links(cx, items);
    let mut now = BTreeMap::new();
    for end in links::ends::<Record>(&links) {
        if let Some(text) = text_of(cx, end.of_contact, &end.id).await? {
            let mut record = Map::new();
            if !text.is_null() {
                record.insert(Record::TEXT.to_owned(), text);
            }
            now.insert(end, record);
        }
    }
    let mut desk = Desk::new(now);
    let fates = desk.place(&links, |_| None, &words);
    let mut written: BTreeMap<Record, Written> = BTreeMap::new();
    for (record, change) in &desk.changes {
        let first = links.get(change.first).map(|(item, _)| item.key.as_str());
        let done = write(cx, record, change, first.unwrap_or_default()).await?;
        written.insert(record.clone(), done);
    }
    conclude(cx, &links, fates, &desk, &written);
    Ok(())
}

async fn write(
    cx: &Context,
    record: &Record,
    wanted: &Change,
    first: &str,
) -> Result<Written, Error> {
    let text = wanted
        .becomes
        .get(Record::TEXT)
        .cloned()
        .unwrap_or_default();
    let body = record.body(&text);
    let path = path(record.of_contact, &record.id);
    let part = format!("links:{}:{first}", record.id);
    let request = |step: &str| {
        let request = client::write(cx, "PUT", path.clone(), key("*", &part, step));
        request.map(|request| request.idempotent(None).json(&body))
    };
    let find = async || text_of(cx, record.of_contact, &record.id).await;
    let read = |_: &transload_sdk::http::Reply| Ok(text.clone());
    let done: Changed<Value> = change(cx, request, read, find, |now| *now == text).await?;
    Ok(match done {
        Changed::Done(_, key) => Written::Done(key),
        Changed::Refused(refusal) => Written::Refused(refusal.rejection()),
        Changed::Unknown => Written::Unknown,
    })
}

/// A contact or a conversation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    of_contact: bool,
    id: String,
}

impl Record {
    fn body(&self, text: &Value) -> Value {
        image(self.of_contact, text)
    }
}

impl End for Record {
    const TEXT: &'static str = "links";
    const OF_STAFF: &'static str = "an admin is not written to: the record that points names the admin, and the link is in the link table";

    fn of(reference: &Reference) -> Option<Self> {
        let of_contact = match reference.kind {
            Kind::Customer => true,
            Kind::Conversation => false,
            _ => return None,
        };
        let id = map::target(reference, &reference.kind)?;
        Some(Self {
            of_contact,
            id: id.to_owned(),
        })
    }

    fn kind(&self) -> &'static str {
        if self.of_contact {
            "contact_links"
        } else {
            "conversation_links"
        }
    }

    fn target(&self) -> String {
        self.id.clone()
    }

    fn fits(&self, text: &str) -> bool {
        if self.of_contact {
            text.chars().count() <= map::TEXT_CHARS
        } else {
            text.len() <= TEXT_BYTES
        }
    }

    fn images(&self, change: &Change) -> (String, String) {
        let before = change.was.get(Self::TEXT).cloned().unwrap_or_default();
        let now = change.becomes.get(Self::TEXT).cloned().unwrap_or_default();
        (self.body(&before).to_string(), print(&facets(&now)))
    }
}

/// The text as a record shows it.
pub fn image(of_contact: bool, text: &Value) -> Value {
    json!({"custom_attributes": {attribute(of_contact): text}})
}

/// What of a record's links is compared before an undo.
pub fn facets(text: &Value) -> Vec<(String, String)> {
    let text = text.as_str().unwrap_or_default();
    vec![("links".to_owned(), text.to_owned())]
}
