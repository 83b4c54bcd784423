//! Single records as they are now, by kind and id.
//!
//! | kind | asked |
//! | --- | --- |
//! | conversations, files of outbound messages | several ids a request (Kustomer facts §3) |
//! | customers, companies, messages, notes, records of klasses | each by its id |
//! | agents, teams, tags, brands, klasses, categories, articles | their lists, which are short |
//! | custom attributes | the metadata |
//!
//! What is gone is left out. A customer that was merged into another comes as a record that says so, whatever Kustomer answers
//! for it (§14): the survivor, or nothing. Not here, since their ids do not say where they are: files of inbound messages and of
//! notes, and relationships; both come along with the records that hold them.

use std::collections::BTreeSet;

use transload_sdk::http::segment;
use transload_sdk::source::Page;
use transload_sdk::types::{Entry, Error, Kind, Reference};

use crate::api::Resource;
use crate::client::{Client, Got, each};
use crate::files::{self, Parent};
use crate::map;
use crate::read::{LIST_ROWS, List, Reader, blank, lists_of, undefined_once};

/// Ids in one path: a kilobyte of them.
const IDS_AT_ONCE: usize = 40;
/// What the id of a call's recording ends with.
const RECORDING: &str = "/recording";

/// Fetches.
pub async fn fetch(reader: &Reader<'_>, refs: Vec<Reference>) -> Result<Vec<Entry>, Error> {
    let mut page = blank();
    for (kind, ids) in by_kind(refs) {
        let client = &reader.client;
        match kind {
            Kind::Conversation => {
                let found = several(client, "/v1/conversations", &ids).await?;
                reader.conversations(found, &mut page);
            }
            Kind::Company => {
                let found = found(client, "/v1/companies", &ids).await?;
                reader.companies(found, &mut page);
            }
            Kind::Customer => customers(reader, &ids, &mut page).await?,
            Kind::Message => messages(reader, ids, &mut page).await?,
            Kind::CustomObject => custom_objects(reader, &ids, &mut page).await?,
            Kind::Attachment => attachments(reader, ids, &mut page).await?,
            Kind::FieldDefinition => {
                let mut records = reader.fields().await?.records;
                records.retain(|entry| ids.contains(&entry.head.id));
                page.records.extend(records);
            }
            kind => listed(reader, &kind, &ids, &mut page).await?,
        }
    }
    undefined_once(&mut page.records);
    Ok(page.records)
}

/// Distinct ids of each kind, in the order they were asked for.
fn by_kind(refs: Vec<Reference>) -> Vec<(Kind, Vec<String>)> {
    let mut made: Vec<(Kind, Vec<String>)> = Vec::new();
    for Reference { kind, id, .. } in refs {
        match made.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, ids)) if ids.contains(&id) => {}
            Some((_, ids)) => ids.push(id),
            None => made.push((kind, vec![id])),
        }
    }
    made
}

/// What each id's path answers; `None` where there is nothing.
async fn each_by_id(
    client: &Client<'_>,
    list: &str,
    ids: &[String],
) -> Result<Vec<Option<Resource>>, Error> {
    each(ids, |id| async move {
        let path = format!("{list}/{}", segment(id));
        Ok(match client.get(&path, &[]).await? {
            Got::Answer(answer) => answer.data.0.into_iter().next(),
            _ => None,
        })
    })
    .await
}

async fn found(client: &Client<'_>, list: &str, ids: &[String]) -> Result<Vec<Resource>, Error> {
    let found = each_by_id(client, list, ids).await?;
    Ok(found.into_iter().flatten().collect())
}

/// As [`found`], several ids a request; singly where that is refused because of one of them.
async fn several(client: &Client<'_>, list: &str, ids: &[String]) -> Result<Vec<Resource>, Error> {
    let mut made = Vec::new();
    for some in ids.chunks(IDS_AT_ONCE) {
        let segments: Vec<String> = some.iter().map(segment).collect();
        let path = format!("{list}/{}", segments.join(","));
        match client.get(&path, &[]).await? {
            Got::Answer(answer) => made.extend(answer.data.0),
            _ if some.len() > 1 => made.extend(found(client, list, some).await?),
            _ => {}
        }
    }
    Ok(made)
}

async fn customers(reader: &Reader<'_>, ids: &[String], page: &mut Page) -> Result<(), Error> {
    let client = &reader.client;
    let found = each_by_id(client, "/v1/customers", ids).await?;
    let mut own = Vec::new();
    for (id, found) in ids.iter().zip(found) {
        let survivor = match found {
            Some(r) if r.id() == *id => {
                own.push(r);
                continue;
            }
            Some(r) => Some(r.id()),
            None => {
                let path = format!("/v1/customers/{}/merges", segment(id));
                let merges = client.all(&path, &[], LIST_ROWS).await?.unwrap_or_default();
                let away = |merge: &&Resource| merge.one("source").is_some_and(|s| s.id == *id);
                let merge = merges.iter().find(away);
                merge.and_then(|m| m.one("target")).map(|p| p.id)
            }
        };
        let known = &reader.state.known;
        page.records
            .extend(survivor.and_then(|survivor| map::merged_away(known, id, survivor)));
    }
    reader.customers(own, page).await
}

/// Messages, notes and forwards share a kind, and their ids do not tell them apart.
async fn messages(reader: &Reader<'_>, mut ids: Vec<String>, page: &mut Page) -> Result<(), Error> {
    let take = |ids: &mut Vec<String>, found: &[Resource]| {
        let got: BTreeSet<String> = found.iter().map(Resource::id).collect();
        ids.retain(|id| !got.contains(id));
    };
    let messages = found(&reader.client, "/v1/messages", &ids).await?;
    take(&mut ids, &messages);
    reader.messages(messages, true, page).await?;
    let notes = found(&reader.client, "/v1/notes", &ids).await?;
    take(&mut ids, &notes);
    reader.notes(notes, Some(i64::MAX), page).await?;
    if reader.settings.forwards {
        let forwards = found(&reader.client, "/v1/forwards", &ids).await?;
        reader.forwards(None, forwards, page).await?;
    }
    Ok(())
}

/// An id does not say of which klass a record is.
async fn custom_objects(reader: &Reader<'_>, ids: &[String], page: &mut Page) -> Result<(), Error> {
    let found = each(ids, |id| async move {
        for klass in &reader.state.klasses {
            let path = format!("/v1/klasses/{}/{}", segment(&klass.name), segment(id));
            if let Got::Answer(answer) = reader.client.get(&path, &[]).await? {
                return Ok(Some((klass.name.as_str(), answer.data.0)));
            }
        }
        Ok(None)
    })
    .await?;
    for (klass, records) in found.into_iter().flatten() {
        reader.custom_objects(klass, records, page).await?;
    }
    Ok(())
}

async fn attachments(reader: &Reader<'_>, ids: Vec<String>, page: &mut Page) -> Result<(), Error> {
    let (recordings, files): (Vec<_>, Vec<_>) =
        ids.into_iter().partition(|id| id.ends_with(RECORDING));
    let calls: Vec<String> = recordings
        .iter()
        .filter_map(|id| Some(id.strip_suffix(RECORDING)?.to_owned()))
        .collect();
    let mut along = blank();
    let calls = found(&reader.client, "/v1/messages", &calls).await?;
    reader.messages(calls, true, &mut along).await?;
    let wanted = |entry: &Entry| recordings.contains(&entry.head.id);
    page.records
        .extend(along.records.into_iter().filter(wanted));
    // Kustomer knows files of outbound messages only by their own id (§9.6).
    for file in several(&reader.client, "/v1/attachments", &files).await? {
        if let Some(id) = files::message_of(&file) {
            let parent = Parent {
                path: "messages",
                id,
                conversation: None,
                updated: None,
            };
            page.records.push(files::entry(&parent, file));
        }
    }
    Ok(())
}

async fn listed(
    reader: &Reader<'_>,
    kind: &Kind,
    ids: &[String],
    page: &mut Page,
) -> Result<(), Error> {
    for (_, list, only) in lists_of(kind) {
        let query: Vec<(&str, &str)> = only.into_iter().collect();
        let pending = only.is_some_and(|(name, _)| name == "pending");
        let rows = reader.client.all(list.path(), &query, list.rows()).await?;
        for r in rows.unwrap_or_default() {
            let id = match list {
                List::Klasses => r.attributes.peek("name").unwrap_or_default(),
                _ => r.id(),
            };
            if ids.contains(&id) {
                page.records.extend(reader.one_of(list, r, pending).await?);
            }
        }
    }
    Ok(())
}
