//! Files (Kustomer facts §9.6): their records, and how to get their bytes.
//!
//! A message in a search answer names its files by id only. Names, sizes and links come from the list of all messages, which
//! gives them for a hundred messages a request (`include=attachments`); from the list of a conversation's files where that list
//! ends early; and from below the message itself where there are few (`read` decides). Till then a file is a record without a
//! name, so that none is ever missing in silence: what names it later is newer and takes its place.
//!
//! A link lives 600 seconds and is followed without credentials; after that it is asked for again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transload_sdk::types::{
    Attachment, AttachmentState, BlobRef, Entity, Entry, Error, Fidelity, Head, Kind, Loss,
    Reference,
};

use crate::api::Resource;
use crate::client::{Client, Got, each};
use crate::map::raw;

/// Before its end a link is no longer trusted, ms.
const MARGIN_MS: i64 = 60_000;
/// Rows of a list of files (§4).
const ROWS: &str = "100";
/// Why a file has no name.
pub const NOT_ASKED: &str =
    "names and sizes of files were not asked for (attachment_details = \"open\")";
/// Why a file has no name.
pub const NOT_LISTED: &str =
    "the list of messages and their files did not show this file, so its name and size are missing";

/// How a file is opened again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locator {
    /// Below a record of the API: its path, and a link with its end.
    Api {
        /// `/v1/messages/<id>/attachments/<id>`
        path: String,
        /// The last link.
        link: Option<String>,
        /// When that ends, ms; `None` for a link without end.
        until: Option<i64>,
    },
    /// On somebody else's host.
    External {
        /// Where.
        url: String,
    },
}

impl Locator {
    /// As the record keeps it.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What carries a file.
#[derive(Clone, Debug)]
pub struct Parent {
    /// `messages`, `notes`, `forwards`: as in paths.
    pub path: &'static str,
    /// Its id.
    pub id: String,
    /// Its thread.
    pub conversation: Option<Reference>,
    /// Its time. A file has none of its own, and a later look is to win.
    pub updated: Option<i64>,
}

impl Parent {
    /// A record as a parent.
    pub fn of(path: &'static str, r: &Resource) -> Self {
        Self {
            path,
            id: r.id(),
            conversation: r
                .one("conversation")
                .map(|p| Reference::new(Kind::Conversation, p.id)),
            updated: r.time("updatedAt"),
        }
    }

    fn path_of(&self, ids: &str) -> String {
        format!("{}/{ids}", self.list())
    }

    fn list(&self) -> String {
        format!("/v1/{}/{}/attachments", self.path, self.id)
    }
}

/// The ids of the files that a record names.
pub fn named(r: &Resource) -> Vec<String> {
    r.related("attachments").into_iter().map(|p| p.id).collect()
}

/// A signed link to the organisation's own storage ends; its signature says when. `None` for any other link.
fn ends(link: &str) -> Option<i64> {
    let query = link.split_once('?')?.1;
    let find = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    };
    let begin =
        chrono::NaiveDateTime::parse_from_str(find("X-Amz-Date")?, "%Y%m%dT%H%M%SZ").ok()?;
    let seconds: i64 = find("X-Amz-Expires")?.parse().ok()?;
    Some(begin.and_utc().timestamp_millis() + seconds * 1000)
}

/// A file's record from what the API says of it.
pub fn entry(parent: &Parent, r: Resource) -> Entry {
    let id = r.id();
    let link = r.links.related.clone().filter(|link| !link.is_empty());
    let mut attributes = r.attributes;
    let redacted = attributes.take("redacted").unwrap_or(false);
    let until = link.as_deref().and_then(ends);
    let (state, locator) = match link {
        _ if redacted => (AttachmentState::Redacted, None),
        None => (
            AttachmentState::Unavailable(
                "Kustomer keeps only the description of this file".to_owned(),
            ),
            None,
        ),
        Some(link) if until.is_none() => (
            AttachmentState::External(link.clone()),
            Some(Locator::External { url: link }),
        ),
        Some(link) => (
            AttachmentState::Available,
            Some(Locator::Api {
                path: parent.path_of(&id),
                link: Some(link),
                until,
            }),
        ),
    };
    let name = attributes.take("name").unwrap_or_else(|| id.clone());
    let data = Attachment {
        conversation: parent.conversation.clone(),
        media_type: attributes.take("contentType"),
        size: attributes.take("contentLength"),
        state,
        locator: locator.map(|locator| locator.to_text()),
        ..Attachment::of(Reference::new(Kind::Message, parent.id.clone()), name)
    };
    let mut head = Head::new(Kind::Attachment, id);
    head.updated_at = parent.updated;
    head.raw = attributes
        .into_rest()
        .map(|(name, json)| raw(&name, json))
        .collect();
    Entry {
        head,
        data: Entity::Attachment(data),
    }
}

/// A file of which only the id is known. `note` is one sentence for each cause.
fn nameless(parent: &Parent, id: &str, state: AttachmentState, note: &'static str) -> Entry {
    let locator = matches!(state, AttachmentState::Available).then(|| {
        Locator::Api {
            path: parent.path_of(id),
            link: None,
            until: None,
        }
        .to_text()
    });
    let data = Attachment {
        conversation: parent.conversation.clone(),
        state,
        locator,
        ..Attachment::of(Reference::new(Kind::Message, parent.id.clone()), id)
    };
    let mut head = Head::new(Kind::Attachment, id.to_owned());
    head.losses.push(Loss {
        field: "attachment.name".to_owned(),
        how: Fidelity::Lost,
        note: note.to_owned(),
    });
    Entry {
        head,
        data: Entity::Attachment(data),
    }
}

/// Whether names and sizes are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Details {
    /// Yes.
    #[default]
    Read,
    /// No: when a file is opened, and then only its bytes are of use.
    Open,
}

/// Files without a name yet, or for ever: they can be opened, and `why` says what is missing.
pub fn unseen(parent: &Parent, ids: &[String], why: &'static str) -> Vec<Entry> {
    ids.iter()
        .map(|id| nameless(parent, id, AttachmentState::Available, why))
        .collect()
}

/// The files of records, looked up below each.
pub async fn of(
    client: &Client<'_>,
    wanted: &[(Parent, Vec<String>)],
) -> Result<Vec<Entry>, Error> {
    let found = each(wanted, |(parent, ids)| of_one(client, parent, ids)).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn of_one(client: &Client<'_>, parent: &Parent, ids: &[String]) -> Result<Vec<Entry>, Error> {
    // Several are listed at the link of the relationship; what is not found there is asked for singly.
    let mut found = match ids {
        [_] => Vec::new(),
        _ => client
            .all(&parent.list(), &[], ROWS)
            .await?
            .unwrap_or_default(),
    };
    let mut made = Vec::new();
    for id in ids {
        let resource = match found.iter().position(|r| r.id() == *id) {
            Some(at) => Some(found.swap_remove(at)),
            None => match client.get(&parent.path_of(id), &[]).await? {
                Got::Answer(answer) => answer.data.0.into_iter().next(),
                _ => None,
            },
        };
        made.push(match resource {
            Some(resource) => entry(parent, resource),
            None => nameless(
                parent,
                id,
                AttachmentState::Unavailable("Kustomer does not give this file".to_owned()),
                "the file could not be looked up",
            ),
        });
    }
    Ok(made)
}

/// The files that came along with a list of messages, and the messages that name files which did not.
pub fn included(
    messages: &[Resource],
    files: Vec<Resource>,
) -> (Vec<Entry>, Vec<(Parent, Vec<String>)>) {
    let mut open: BTreeMap<String, (Parent, Vec<String>)> = messages
        .iter()
        .map(|r| (r.id(), (Parent::of("messages", r), named(r))))
        .collect();
    let mut made = Vec::new();
    for file in files {
        let Some((parent, ids)) = message_of(&file).and_then(|id| open.get_mut(&id)) else {
            continue;
        };
        ids.retain(|id| *id != file.id());
        made.push(entry(parent, file));
    }
    let left = open.into_values().filter(|(_, ids)| !ids.is_empty());
    (made, left.collect())
}

/// The message a file hangs on: by its relationship, else by its own path.
pub(crate) fn message_of(file: &Resource) -> Option<String> {
    let by_path = || {
        let own = file.links.own.as_deref()?;
        let id = own.strip_prefix("/v1/messages/")?.split('/').next()?;
        Some(id.to_owned())
    };
    file.one("message").map(|p| p.id).or_else(by_path)
}

/// The files of all messages of a conversation, in one list (§9.6: it covers no notes).
pub async fn of_conversation(
    client: &Client<'_>,
    conversation: &Resource,
) -> Result<Vec<Entry>, Error> {
    let id = conversation.id();
    let found = client
        .all(&format!("/v1/conversations/{id}/attachments"), &[], ROWS)
        .await?;
    let made = found.unwrap_or_default().into_iter().filter_map(|file| {
        let parent = Parent {
            path: "messages",
            id: message_of(&file)?,
            conversation: Some(Reference::new(Kind::Conversation, id.clone())),
            updated: conversation.time("updatedAt"),
        };
        Some(entry(&parent, file))
    });
    Ok(made.collect())
}

/// The files of a note or forward, from the list below it; `None` where there is no such list. For notes it is in no document (§14).
pub async fn listed(client: &Client<'_>, parent: &Parent) -> Result<Option<Vec<Entry>>, Error> {
    let found = client.all(&parent.list(), &[], ROWS).await?;
    Ok(found.map(|all| all.into_iter().map(|r| entry(parent, r)).collect()))
}

/// Says that a note has files that cannot be read.
pub fn unlisted(parent: &Parent) -> Entry {
    nameless(
        parent,
        &format!("{}/files", parent.id),
        AttachmentState::Unavailable("Kustomer's API does not list files of notes".to_owned()),
        "files of this note cannot be read",
    )
}

/// The bytes of a file.
pub async fn open(client: &Client<'_>, attachment: &Entry) -> Result<BlobRef, Error> {
    let Entity::Attachment(data) = &attachment.data else {
        return Err(Error::Bug("not an attachment".to_owned()));
    };
    let locator = data
        .locator
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    match locator {
        Some(Locator::External { url }) => client.download(&url).await,
        Some(Locator::Api { path, link, until }) => {
            if let (Some(link), Some(until)) = (link, until)
                && client.now() + MARGIN_MS < until
                && let Ok(blob) = client.download(&link).await
            {
                return Ok(blob);
            }
            let Got::Answer(answer) = client.get(&path, &[]).await? else {
                return Err(Error::NotFound("the file is no longer there".to_owned()));
            };
            match answer
                .data
                .0
                .into_iter()
                .next()
                .and_then(|r| r.links.related)
            {
                Some(link) => client.download(&link).await,
                None => Err(Error::Unsupported(
                    "Kustomer keeps only the description of this file".to_owned(),
                )),
            }
        }
        None => Err(Error::Unsupported(match &data.state {
            AttachmentState::Unavailable(why) => why.clone(),
            _ => "the file was removed in Kustomer".to_owned(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Answer;

    fn made(json: &str) -> (Entry, Attachment) {
        let parent = Parent {
            path: "messages",
            id: "m1".to_owned(),
            conversation: None,
            updated: None,
        };
        let r = serde_json::from_str::<Answer>(json)
            .unwrap()
            .data
            .0
            .remove(0);
        let entry = entry(&parent, r);
        let Entity::Attachment(data) = entry.data.clone() else {
            panic!()
        };
        (entry, data)
    }

    #[test]
    fn a_signed_link_is_ours_and_ends_and_any_other_is_a_foreign_host() {
        let (entry, data) = made(
            r#"{"data":[{"attributes":{"name":"a b.pdf","contentType":"application/pdf","contentLength":0,"redacted":false},
            "links":{"self":"/v1/messages/m1/attachments/a1","related":"https://x.s3.amazonaws.com/a?X-Amz-Date=20261021T150000Z&X-Amz-Expires=600&X-Amz-Signature=s"}}]}"#,
        );
        assert_eq!(
            (entry.head.id.as_str(), data.state, data.size),
            ("a1", AttachmentState::Available, Some(0))
        );
        let Locator::Api { path, until, .. } =
            serde_json::from_str(&data.locator.unwrap()).unwrap()
        else {
            panic!()
        };
        assert_eq!(
            (path.as_str(), until),
            ("/v1/messages/m1/attachments/a1", Some(1_792_595_400_000))
        );
        let (_, foreign) = made(
            r#"{"data":{"id":"a2","attributes":{"name":"x"},"links":{"related":"https://cdn.example/x"}}}"#,
        );
        assert_eq!(
            foreign.state,
            AttachmentState::External("https://cdn.example/x".to_owned())
        );
        let (_, none) = made(r#"{"data":{"id":"a3","attributes":{"name":"x"},"links":{}}}"#);
        assert!(matches!(none.state, AttachmentState::Unavailable(_)));
        let (_, gone) = made(
            r#"{"data":{"id":"a4","attributes":{"name":"x","redacted":true},"links":{"related":"https://y"}}}"#,
        );
        assert_eq!(
            (gone.state, gone.locator),
            (AttachmentState::Redacted, None)
        );
    }
}
