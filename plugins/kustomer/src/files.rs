//! Files (Kustomer facts §9.6): their records, and how to get their bytes.
//!
//! A message in a search answer names its files by id only. Names, sizes and links come from below `/messages/{id}/attachments`:
//! one request for each message that has files, which is the least there is (`/attachments/{ids}` takes a list of ids, but knows
//! outbound files only). With `attachment_details = "open"` they are left out, and a file is only looked up when its bytes are
//! wanted. A link lives 600 seconds and is followed without credentials; after that it is asked for again.

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use transload_sdk::types::{
    Attachment, AttachmentState, BlobRef, Entity, Entry, Error, Fidelity, Kind, Loss, Reference,
};

use crate::api::Resource;
use crate::client::{Client, Got};
use crate::map::{head, raw, reference};

/// Requests on the way at once within one page.
const AT_ONCE: usize = 16;
/// Before its end a link is no longer trusted, ms.
const MARGIN_MS: i64 = 60_000;

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
}

impl Parent {
    fn path_of(&self, ids: &str) -> String {
        format!("/v1/{}/{}/attachments/{ids}", self.path, self.id)
    }
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
    let data = Attachment {
        parent: reference(Kind::Message, parent.id.clone()),
        conversation: parent.conversation.clone(),
        name: attributes.take("name").unwrap_or_else(|| id.clone()),
        media_type: attributes.take("contentType"),
        size: attributes.take("contentLength"),
        inline: false,
        content_id: None,
        body_url: None,
        state,
        content: None,
        locator: locator.map(|locator| locator.to_text()),
    };
    let mut head = head(Kind::Attachment, id);
    head.raw = attributes
        .into_rest()
        .map(|(name, json)| raw(&name, json))
        .collect();
    Entry {
        head,
        data: Entity::Attachment(data),
    }
}

/// A file of which only the id is known.
fn nameless(parent: &Parent, id: &str, state: AttachmentState, note: &str) -> Entry {
    let locator = matches!(state, AttachmentState::Available).then(|| {
        Locator::Api {
            path: parent.path_of(id),
            link: None,
            until: None,
        }
        .to_text()
    });
    let data = Attachment {
        parent: reference(Kind::Message, parent.id.clone()),
        conversation: parent.conversation.clone(),
        name: id.to_owned(),
        media_type: None,
        size: None,
        inline: false,
        content_id: None,
        body_url: None,
        state,
        content: None,
        locator,
    };
    let mut head = head(Kind::Attachment, id.to_owned());
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

/// Whether names and sizes are read with the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Details {
    /// Yes: a request for each message with files.
    #[default]
    Read,
    /// No: when a file is opened, and then only its bytes are of use.
    Open,
}

/// The files of the records of a page.
pub async fn of(
    client: &Client<'_>,
    details: Details,
    wanted: Vec<(Parent, Vec<String>)>,
) -> Result<Vec<Entry>, Error> {
    let mut made = Vec::new();
    if details == Details::Open {
        for (parent, ids) in &wanted {
            made.extend(ids.iter().map(|id| {
                nameless(
                    parent,
                    id,
                    AttachmentState::Available,
                    "not asked for (attachment_details = \"open\")",
                )
            }));
        }
        return Ok(made);
    }
    for group in wanted.chunks(AT_ONCE) {
        for entries in join_all(
            group
                .iter()
                .map(|(parent, ids)| of_one(client, parent, ids)),
        )
        .await
        {
            made.extend(entries?);
        }
    }
    Ok(made)
}

async fn of_one(client: &Client<'_>, parent: &Parent, ids: &[String]) -> Result<Vec<Entry>, Error> {
    let mut found = Vec::new();
    // Several are listed at the link of the relationship; what is not found there is asked for singly.
    let got = match ids {
        [id] => client.get(&parent.path_of(id), &[]).await?,
        _ => {
            let list = format!("/v1/{}/{}/attachments", parent.path, parent.id);
            client
                .get(&list, &[("page", "1"), ("pageSize", "100")])
                .await?
        }
    };
    if let Got::Answer(answer) = got {
        found.extend(answer.data.0);
    }
    let mut made = Vec::new();
    for id in ids {
        let at = found.iter().position(|r| r.id() == *id);
        let resource = match at {
            Some(at) => Some(found.swap_remove(at)),
            None if ids.len() == 1 => None,
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

/// The files of a note. Where they are listed is not documented (§14); where they are not, one entry says that there are some.
pub async fn of_note(client: &Client<'_>, parent: &Parent) -> Result<Vec<Entry>, Error> {
    let listed = client
        .get(
            &format!("/v1/notes/{}/attachments", parent.id),
            &[("page", "1"), ("pageSize", "100")],
        )
        .await?;
    Ok(match listed {
        Got::Answer(answer) => answer
            .data
            .0
            .into_iter()
            .map(|r| entry(parent, r))
            .collect(),
        _ => {
            let state = AttachmentState::Unavailable(
                "Kustomer's API does not list files of notes".to_owned(),
            );
            vec![nameless(
                parent,
                &format!("{}/files", parent.id),
                state,
                "files of this note cannot be read",
            )]
        }
    })
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
