//! What there is, in tens of requests: sizes by searches for one row, custom attributes, klasses, the company hierarchy, what
//! is behind messages, and which hosts keep files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::session::{Notice, Severity};
use transload_sdk::source::{Certainty, Discovery, KindCount};
use transload_sdk::types::{AttachmentState, Entity, Error, Kind};

use crate::api::Resource;
use crate::client::{Client, Got, each, if_allowed};
use crate::config::{Klass, NoteFiles, OldNoteFiles, Settings, State, WantedBodies, WantedMerges};
use crate::files::{self, Parent};
use crate::map::{self, Bodies};
use crate::read::resources_with_fields;
use crate::schema;
use crate::walk::Index;

/// Merges looked up by the audit log at most.
const MOST_MERGES: usize = 200;
/// Pages of the audit log that are read.
const AUDIT_PAGES: usize = 5;
/// Messages with files that are looked at for their hosts.
const FILES_SEEN: usize = 8;
/// Conversations that are looked at for forwards.
const FORWARDS_SEEN: u64 = 10;

/// Looks around.
pub async fn discover(client: &Client<'_>, settings: &Settings) -> Result<Discovery, Error> {
    let mut state = State::default();
    let mut notices = Vec::new();
    state.known.site = Some(format!("https://{}.kustomerapp.com", settings.org));
    let mut counts = Vec::new();
    klasses(client, &mut state).await?;
    fields(client, &mut state, &mut counts).await?;
    searched(client, &mut state, &mut counts, &mut notices).await?;
    listed(client, &mut counts).await?;
    hierarchy(client, &mut state, &mut notices).await?;
    merges(client, settings, &mut state, &mut notices).await?;
    surveys(client, &mut state).await?;
    let foreign_hosts = messages(client, settings, &mut state, &mut counts, &mut notices).await?;
    note_files(client, settings, &mut state, &mut notices).await?;
    if !settings.forwards {
        notices.push(forwards(client, &state).await?);
    }
    let state = serde_json::to_string(&state).map_err(|e| Error::Bug(e.to_string()))?;
    Ok(Discovery {
        counts,
        foreign_hosts,
        notices,
        state,
    })
}

fn count(
    kind: Kind,
    object_type: Option<&str>,
    count: Option<u64>,
    certainty: Certainty,
    note: Option<&str>,
) -> KindCount {
    KindCount {
        kind,
        object_type: object_type.map(str::to_owned),
        count,
        certainty,
        note: note.map(str::to_owned),
    }
}

async fn klasses(client: &Client<'_>, state: &mut State) -> Result<(), Error> {
    for status in ["enabled", "existing_only", "disabled"] {
        for r in client
            .all("/v1/klasses", &[("status", status)], "100")
            .await?
            .unwrap_or_default()
        {
            let Some(name) = r.attributes.peek::<String>("name") else {
                continue;
            };
            if state.klasses.iter().all(|known| known.name != name) {
                let label = r
                    .attributes
                    .peek("displayName")
                    .or_else(|| r.attributes.peek("displayname"));
                let status = r
                    .attributes
                    .peek("status")
                    .unwrap_or_else(|| status.to_owned());
                state.klasses.push(Klass {
                    label: label.unwrap_or_else(|| name.clone()),
                    name,
                    status,
                });
            }
        }
    }
    Ok(())
}

async fn fields(
    client: &Client<'_>,
    state: &mut State,
    counts: &mut Vec<KindCount>,
) -> Result<(), Error> {
    let mut total = 0;
    for resource in resources_with_fields(state) {
        if let Got::Answer(answer) = client.get(&format!("/v1/metadata/{resource}"), &[]).await? {
            let known: BTreeMap<_, _> =
                answer.data.0.iter().flat_map(schema::definitions).collect();
            total += known.len() as u64;
            state.known.fields.insert(resource, known);
        }
    }
    counts.push(count(
        Kind::FieldDefinition,
        None,
        Some(total),
        Certainty::AtLeast,
        Some("records may hold attributes that nobody defined"),
    ));
    counts.push(count(
        Kind::ObjectType,
        None,
        Some(state.klasses.len() as u64),
        Certainty::Exact,
        None,
    ));
    Ok(())
}

async fn searched(
    client: &Client<'_>,
    state: &mut State,
    counts: &mut Vec<KindCount>,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    let mut contexts: Vec<(String, Kind, Option<String>)> = vec![
        ("company".to_owned(), Kind::Company, None),
        ("customer".to_owned(), Kind::Customer, None),
        ("conversation".to_owned(), Kind::Conversation, None),
        ("message".to_owned(), Kind::Message, None),
        ("note".to_owned(), Kind::Message, None),
    ];
    contexts.extend(state.klasses.iter().map(|k| {
        (
            format!("kobject_{}", k.name),
            Kind::CustomObject,
            Some(k.name.clone()),
        )
    }));
    for (context, kind, klass) in contexts {
        let mut sum = 0;
        for index in [Index::Standard, Index::Archive] {
            if index == Index::Archive && context == "note" {
                continue;
            }
            if let Some(total) = client.count(index, &context).await? {
                state
                    .totals
                    .insert(format!("{context}/{}", index.name()), total);
                sum += total;
            }
        }
        let (certainty, note) = match context.as_str() {
            "note" => (
                Certainty::AtLeast,
                Some("notes; those untouched for two years are counted when they are read"),
            ),
            // A record near the two-year boundary is in both indexes.
            _ => (Certainty::Estimate, None),
        };
        counts.push(count(kind, klass.as_deref(), Some(sum), certainty, note));
    }
    if state.totals.is_empty() {
        notices.push(Notice {
            code: "kustomer.search-silent".to_owned(),
            severity: Severity::Danger,
            message: "Search gives no totals, so completeness cannot be shown".to_owned(),
            remedy: None,
        });
    }
    Ok(())
}

async fn listed(client: &Client<'_>, counts: &mut Vec<KindCount>) -> Result<(), Error> {
    let lists = [
        (Kind::Team, "/v1/teams", "500", None),
        (Kind::Agent, "/v1/users", "500", None),
        (Kind::Agent, "/v1/users", "500", Some(("deleted", "true"))),
        (Kind::Agent, "/v1/users", "500", Some(("pending", "true"))),
        (Kind::Tag, "/v1/tags", "100", None),
        (Kind::Brand, "/v1/brands", "100", None),
        (Kind::Category, "/v1/kb/categories", "100", None),
        (Kind::Article, "/v1/kb/articles", "100", None),
    ];
    for (kind, path, rows, only) in lists {
        let mut query = vec![("page", "1"), ("pageSize", rows)];
        query.extend(only);
        let answer = match client.get(path, &query).await {
            Ok(Got::Answer(answer)) => answer,
            Ok(_) => continue,
            // `check` names the missing role; what else there is can be shown all the same.
            Err(Error::Permission(_)) => {
                let note = Some("the key may not see them");
                counts.push(count(kind, None, None, Certainty::Unknown, note));
                continue;
            }
            Err(error) => return Err(error),
        };
        let certainty = if answer.links.next.is_some() {
            Certainty::AtLeast
        } else {
            Certainty::Exact
        };
        let note = only.map(|(name, _)| name);
        counts.push(count(
            kind,
            None,
            answer.meta.total.or(Some(answer.data.0.len() as u64)),
            certainty,
            note,
        ));
    }
    Ok(())
}

/// The edges of the company hierarchy. How they are read is not documented (§9.2); a list of them is tried.
async fn hierarchy(
    client: &Client<'_>,
    state: &mut State,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    match if_allowed(client.all("/v1/kedge", &[], "100").await)? {
        Some(edges) => {
            for edge in edges {
                let id = |name: &str| edge.attributes.peek::<String>(name);
                let hierarchy = id("name").is_none_or(|name| name == "company_hierarchy");
                if let (true, Some(parent), Some(child)) = (hierarchy, id("sourceId"), id("targetId")) {
                    state.parents.insert(child, parent);
                }
            }
        }
        None => notices.push(Notice {
            code: "kustomer.hierarchy-unreadable".to_owned(),
            severity: Severity::Info,
            message: "Kustomer does not list which company belongs to which; companies arrive without a parent".to_owned(),
            remedy: None,
        }),
    }
    Ok(())
}

/// Customers merged into others, from the audit log: it keeps merges for twelve months (§9.13).
async fn merges(
    client: &Client<'_>,
    settings: &Settings,
    state: &mut State,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    if settings.merges != WantedMerges::Recent {
        return Ok(());
    }
    let mut found = BTreeSet::new();
    // The log comes newest first; where it goes on is its own affair.
    let mut next =
        Some("/v1/audit-logs?count=1000&filter%5BobjectType%5D=customer_merge".to_owned());
    for _ in 0..AUDIT_PAGES {
        let Some(path) = next
            .take()
            .filter(|path| path.starts_with("/v1/audit-logs?"))
        else {
            break;
        };
        let Some(Got::Answer(answer)) = if_allowed(client.get(&path, &[]).await.map(Some))? else {
            break;
        };
        let text = |r: &Resource, name: &str| r.attributes.peek::<String>(name);
        let merges = answer.data.0.iter();
        let merges = merges.filter(|r| text(r, "objectType").as_deref() == Some("customer_merge"));
        found.extend(merges.filter_map(|r| text(r, "objectId")));
        next = answer.links.next.filter(|_| !answer.data.0.is_empty());
    }
    let all = found.len();
    let looked_up: Vec<String> = found.into_iter().take(MOST_MERGES).collect();
    let merges = each(&looked_up, |id| async move {
        let path = format!("/v1/customers/merges/{id}");
        if_allowed(client.get(&path, &[]).await.map(Some))
    })
    .await?;
    for got in merges {
        let Some(Got::Answer(answer)) = got else {
            continue;
        };
        for merge in answer.data.0 {
            if let (Some(source), Some(target)) = (merge.one("source"), merge.one("target")) {
                state
                    .known
                    .merged
                    .entry(target.id)
                    .or_default()
                    .push(source.id);
            }
        }
    }
    notices.push(Notice {
        code: "kustomer.merges-recent".to_owned(),
        severity: Severity::Info,
        message: format!(
            "Of customers merged into others, {} of the {all} in the audit log are looked up; it keeps twelve months",
            looked_up.len()
        ),
        remedy: Some(format!(
            "Set merges = \"each\" to look up all of them, {}.",
            at_a_request_each(state, "customer", "customer")
        )),
    });
    Ok(())
}

/// What is behind `links.related`, and which hosts keep files, from a few messages.
async fn messages(
    client: &Client<'_>,
    settings: &Settings,
    state: &mut State,
    counts: &mut Vec<KindCount>,
    notices: &mut Vec<Notice>,
) -> Result<Vec<String>, Error> {
    let sample = |filter: serde_json::Value| json!({ "queryContext": "message", "and": [filter] });
    let with_files = sample(json!({ "message_attachment_count": { "gte": 1 } }));
    let mut hosts = BTreeSet::new();
    if let Got::Answer(answer) = client.search(Index::Standard, 1, 50, &with_files).await? {
        let note = "messages with files within two years";
        counts.push(count(
            Kind::Attachment,
            None,
            answer.meta.total,
            Certainty::AtLeast,
            Some(note),
        ));
        let wanted = answer.data.0.iter().take(FILES_SEEN);
        let wanted = wanted.map(|r| (Parent::of("messages", r), files::named(r)));
        let wanted: Vec<_> = wanted.filter(|(_, ids)| !ids.is_empty()).collect();
        for file in if_allowed(files::of(client, &wanted).await)? {
            let Entity::Attachment(attachment) = &file.data else {
                continue;
            };
            match (
                &attachment.state,
                attachment
                    .locator
                    .as_deref()
                    .and_then(|t| serde_json::from_str(t).ok()),
            ) {
                (AttachmentState::External(url), _) => hosts.extend(host_of(url)),
                (
                    _,
                    Some(files::Locator::Api {
                        link: Some(link), ..
                    }),
                ) => hosts.extend(host_of(&link)),
                _ => {}
            }
        }
    }
    let calls = sample(json!({ "message_channel": { "in": ["voice"] } }));
    if let Got::Answer(answer) = client.search(Index::Standard, 1, 50, &calls).await? {
        let recordings = answer.data.0.iter().filter_map(|r| {
            r.attributes
                .peek_in::<String>("meta", "externalRecordingUrl")
        });
        hosts.extend(recordings.filter_map(|url| host_of(&url)));
    }
    let email = sample(json!({ "message_channel": { "in": ["email"] } }));
    if let Got::Answer(answer) = client.search(Index::Standard, 1, 5, &email).await? {
        let related = answer
            .data
            .0
            .iter()
            .filter_map(|r| r.links.related.clone())
            .find(|path| path.starts_with("/v1/"));
        if let Some(path) = related
            && let Ok(Some(json)) = client.json(&path).await
        {
            let body = map::body_of(&json);
            state.bodies = match (body.html.is_some(), body.text.is_some()) {
                (true, _) => Bodies::Html,
                (false, true) => Bodies::Text,
                (false, false) => Bodies::Absent,
            };
        }
    }
    notices.push(bodies_notice(state.bodies, settings.bodies));
    hosts.retain(|host| !host.ends_with(".amazonaws.com"));
    Ok(hosts.into_iter().collect())
}

/// The scales of surveys, which a conversation's answer does not repeat (§13 item 16).
async fn surveys(client: &Client<'_>, state: &mut State) -> Result<(), Error> {
    let surveys = if_allowed(client.all("/v1/satisfaction", &[], "100").await)?;
    for survey in surveys.unwrap_or_default() {
        let text = |name: &str| survey.attributes.peek_in::<String>("scale", name);
        let options = survey.attributes.peek_in::<u64>("scale", "options");
        let mut words: Vec<String> = text("type").into_iter().collect();
        words.extend(options.map(|options| format!("{options} options")));
        if let (Some(low), Some(high)) = (text("labelLow"), text("labelHigh")) {
            words.push(format!("{low} to {high}"));
        }
        if !words.is_empty() {
            state.known.scales.insert(survey.id(), words.join(", "));
        }
    }
    Ok(())
}

/// How files of notes are found, tried on a note that has some.
async fn note_files(
    client: &Client<'_>,
    settings: &Settings,
    state: &mut State,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    let filter = json!({ "note_attachment_count": { "gte": 1 } });
    let body = json!({ "queryContext": "note", "and": [filter] });
    let found = match client.search(Index::Standard, 1, 1, &body).await? {
        Got::Answer(answer) => answer.data.0.into_iter().next(),
        _ => None,
    };
    state.note_files = match found {
        None => NoteFiles::Unknown,
        Some(note) if !files::named(&note).is_empty() => NoteFiles::Named,
        Some(note) => {
            let below = files::listed(client, &Parent::of("notes", &note)).await;
            match if_allowed(below)? {
                Some(_) => NoteFiles::Listed,
                None => NoteFiles::Hidden,
            }
        }
    };
    let (severity, message, remedy) = match (state.note_files, settings.old_note_files) {
        (NoteFiles::Named, _) => return Ok(()),
        (NoteFiles::Listed, OldNoteFiles::Auto | OldNoteFiles::Each) => (
            Severity::Info,
            "Kustomer's notes do not name their files: each note that nobody touched for two years costs a request",
            Some("Set old_note_files = \"off\" to leave their files behind."),
        ),
        (NoteFiles::Hidden, _) => (
            Severity::Caution,
            "Kustomer does not list files of notes; notes of the last two years that have some say so",
            None,
        ),
        (NoteFiles::Unknown, OldNoteFiles::Auto) => (
            Severity::Info,
            "No note of the last two years has a file; files of older notes are not looked for",
            Some("Set old_note_files = \"each\" to look below each such note."),
        ),
        (_, OldNoteFiles::Each) => return Ok(()),
        (_, OldNoteFiles::Off) => (
            Severity::Caution,
            "Files of notes that nobody touched for two years are left behind",
            None,
        ),
    };
    notices.push(Notice {
        code: "kustomer.note-files".to_owned(),
        severity,
        message: message.to_owned(),
        remedy: remedy.map(str::to_owned),
    });
    Ok(())
}

/// What asking for something of each row of a search costs, as far as search says how many there are.
fn at_a_request_each(state: &State, context: &str, row: &str) -> String {
    let of_context = |key: &str| {
        key.strip_prefix(context)
            .is_some_and(|k| k.starts_with('/'))
    };
    let totals = state.totals.iter().filter(|(key, _)| of_context(key));
    match totals.map(|(_, total)| total).sum::<u64>() {
        0 => format!("at a request for each {row}"),
        all => format!("at a request for each {row}, {all} requests as of now"),
    }
}

/// What is left behind without forwards, by a look at a few conversations. No list and no search gives forwards of more than
/// one conversation, and no attribute of a conversation says that it has some (Kustomer facts §7, §9.3).
async fn forwards(client: &Client<'_>, state: &State) -> Result<Notice, Error> {
    let filter = json!({ "conversation_message_count": { "gte": 1 } });
    let body = json!({ "queryContext": "conversation", "and": [filter] });
    let seen = match client
        .search(Index::Standard, 1, FORWARDS_SEEN, &body)
        .await?
    {
        Got::Answer(answer) => answer.data.0,
        _ => Vec::new(),
    };
    let lists = each(&seen, |r| async move {
        let path = format!("/v1/conversations/{}/forwards", r.id());
        if_allowed(client.all(&path, &[], "100").await)
    })
    .await?;
    let with_some = lists.iter().flatten().filter(|list| !list.is_empty());
    Ok(Notice {
        code: "kustomer.forwards-left-out".to_owned(),
        severity: Severity::Caution,
        message: format!(
            "Forwards are left out, since they can only be listed conversation by conversation; of {} conversations looked at, {} have some",
            seen.len(),
            with_some.count()
        ),
        remedy: Some(format!(
            "Set forwards = true to read them as internal notes, {}.",
            at_a_request_each(state, "conversation", "conversation")
        )),
    })
}

fn bodies_notice(bodies: Bodies, wanted: WantedBodies) -> Notice {
    let (message, remedy) = match (bodies, wanted) {
        (Bodies::Absent, _) => (
            "Kustomer gives messages as plain text of at most 10,240 characters, without HTML; what looks cut is listed message by message",
            None,
        ),
        (Bodies::Text, WantedBodies::Never) | (Bodies::Html, WantedBodies::Never) => (
            "Whole bodies of messages can be read here and are not asked for",
            Some("Set bodies = \"cut\" or \"all\"."),
        ),
        (Bodies::Text, _) => ("Whole texts of messages that look cut are read", None),
        (Bodies::Html, WantedBodies::All) => (
            "Whole bodies of messages with their HTML are read, at a request for each message",
            None,
        ),
        (Bodies::Html, _) => (
            "Whole bodies are read for messages that look cut; the HTML of the others is left behind",
            Some(
                "Set bodies = \"all\" to read the HTML of all messages, at a request for each message.",
            ),
        ),
    };
    Notice {
        code: "kustomer.bodies".to_owned(),
        severity: Severity::Caution,
        message: message.to_owned(),
        remedy: remedy.map(str::to_owned),
    }
}

/// The host of a URL, with its port if it names one.
fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_from_urls() {
        assert_eq!(
            host_of("https://User@CDN.example:8443/x?y"),
            Some("cdn.example:8443".to_owned())
        );
        assert_eq!(host_of("/v1/x"), None);
    }
}
