//! Threads as tickets, through the import API: all of a ticket in one call, silently (Zendesk facts §12).
//!
//! Default is jobs of up to 100 tickets, which makes one request and a poll for a hundred threads. A job's rows are read
//! one by one, since a completed job can hold refused rows. When an answer was not seen, nothing is sent again before
//! every open import job has ended and a look-up by external id has missed (rule D-3); what is found must carry this
//! run's tag to count as ours (rule D-4), because external ids of tickets are not unique.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use transload_sdk::destination::{Item, Thread};
use transload_sdk::http::OperationKey;
use transload_sdk::ledger::{Effect, Proof, Status};
use transload_sdk::types::{AttachmentState, BlobRef, Entity, Entry, Error, Fidelity, Kind, Text};
use transload_sdk::{Context, Level};

use super::{SETTLE_BY_INDEX_MS, SETTLE_BY_KEY_MS, made, people, reject, report, schema, wait_out};
use crate::api::{ImportTicket, JobRow, JobStatus, Refusal, Ticket, Upload};
use crate::client::{self, Sent, Write, key, query};
use crate::map::{self, FieldOwner};
use crate::state::{Config, ImportMode, State};
use crate::thread::{self, File, Mapped, Surroundings};

/// Tickets a job takes (Zendesk facts §12).
const BULK: usize = 100;
/// Bytes of one import request; Zendesk names no limit, this stays under the usual ones of its edge.
const BULK_BYTES: usize = 5_000_000;
/// Tokens of uploads live for 60 minutes (Zendesk facts §8); some are kept back for the import itself.
const UPLOAD_LIFE_MS: u64 = 50 * 60_000;
/// Results of a job are kept for about an hour (Zendesk facts §12).
const JOB_LIFE_MS: u64 = 50 * 60_000;

struct Ready<'a> {
    item: &'a Item,
    mapped: Mapped,
}

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let mut threads: Vec<(&Item, Thread)> = Vec::new();
    for item in items {
        match as_thread(item) {
            Ok(thread) if thread_is_spam(&thread) && !config.spam => {
                let why = Status::Skipped("spam; carried with `spam = true`".to_owned());
                report(cx, item, why, Vec::new(), Vec::new()).await?;
            }
            Ok(thread) => threads.push((item, thread)),
            Err(error) => reject(cx, item, error).await?,
        }
    }
    let options = if schema::has_choices(items) {
        schema::options(cx, &FieldOwner::Ticket).await?
    } else {
        BTreeMap::new()
    };
    let members = if threads.iter().any(|(_, thread)| is_assigned(thread)) {
        Some(people::memberships(cx).await?)
    } else {
        None
    };
    let mut ready = Vec::new();
    for (item, thread) in &threads {
        // An earlier attempt may have made it: its files must not be sent again before that is known.
        if let Some(since) = item.in_doubt_since {
            let settle = if config.archive_immediately {
                SETTLE_BY_INDEX_MS
            } else {
                SETTLE_BY_KEY_MS
            };
            wait_for_jobs(cx).await?;
            wait_out(cx, since, settle).await;
            let found = find(cx, &config, &item.marker).await?;
            if !found.is_empty() {
                let mapped = map_one(
                    cx,
                    &state,
                    &config,
                    &options,
                    members.as_ref(),
                    item,
                    thread,
                )
                .await?;
                match mapped {
                    Ok(mapped) => {
                        adopt(
                            cx,
                            &state,
                            item,
                            mapped,
                            &found,
                            key(&item.key, "main", "create"),
                        )
                        .await?
                    }
                    Err(error) => reject(cx, item, error).await?,
                }
                continue;
            }
        }
        match map_one(
            cx,
            &state,
            &config,
            &options,
            members.as_ref(),
            item,
            thread,
        )
        .await?
        {
            Ok(mapped) => ready.push(Ready { item, mapped }),
            Err(error) => reject(cx, item, error).await?,
        }
    }
    match config.import_mode {
        ImportMode::Bulk if ready.len() > 1 => {
            for batch in batches(ready) {
                by_job(cx, &state, &config, batch).await?;
            }
        }
        _ => {
            for one in ready {
                single(cx, &state, &config, one, "create").await?;
            }
        }
    }
    Ok(())
}

fn as_thread(item: &Item) -> Result<Thread, Error> {
    let entry = item.entry();
    if entry.head.kind == Kind::Message {
        return thread::lone_note(item);
    }
    item.thread()
}

fn thread_is_spam(thread: &Thread) -> bool {
    matches!(&thread.conversation.data, Entity::Conversation(c) if c.spam)
}

fn is_assigned(thread: &Thread) -> bool {
    matches!(&thread.conversation.data, Entity::Conversation(c) if !c.teams.is_empty())
}

/// Reads long texts, uploads files, maps. The inner error rejects the item.
async fn map_one(
    cx: &Context,
    state: &State,
    config: &Config,
    options: &BTreeMap<String, Vec<(String, String)>>,
    members: Option<&BTreeSet<(u64, u64)>>,
    item: &Item,
    thread: &Thread,
) -> Result<Result<Mapped, Error>, Error> {
    let texts = long_texts(cx, thread)?;
    let files = upload_all(cx, config, item, thread).await?;
    let around = surroundings(cx, state, config, options, members);
    Ok(thread::map_thread(
        item,
        thread,
        &around.with(&texts, &files),
    ))
}

/// [`Surroundings`] but for what belongs to one thread.
struct Frame<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    options: &'a BTreeMap<String, Vec<(String, String)>>,
    members: Option<&'a BTreeSet<(u64, u64)>>,
}

fn surroundings<'a>(
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    options: &'a BTreeMap<String, Vec<(String, String)>>,
    members: Option<&'a BTreeSet<(u64, u64)>>,
) -> Frame<'a> {
    Frame {
        cx,
        state,
        config,
        options,
        members,
    }
}

impl<'a> Frame<'a> {
    fn with(
        &self,
        texts: &'a BTreeMap<String, String>,
        files: &'a BTreeMap<String, File>,
    ) -> Surroundings<'a> {
        Surroundings {
            state: self.state,
            config: self.config,
            platform: self.cx.platform(),
            run: self.cx.run(),
            now: self.cx.now(),
            options: self.options,
            members: self.members,
            texts,
            files,
        }
    }
}

fn long_texts(cx: &Context, thread: &Thread) -> Result<BTreeMap<String, String>, Error> {
    let mut texts = BTreeMap::new();
    for part in &thread.parts {
        let Entity::Message(message) = &part.message.data else {
            continue;
        };
        for text in [&message.text, &message.html].into_iter().flatten() {
            if let Text::Stored(blob) = text {
                texts.insert(blob.sha256.clone(), cx.blobs().read_text(text)?);
            }
        }
    }
    Ok(texts)
}

async fn upload_all(
    cx: &Context,
    config: &Config,
    item: &Item,
    thread: &Thread,
) -> Result<BTreeMap<String, File>, Error> {
    let mut files = BTreeMap::new();
    for entry in thread.parts.iter().flat_map(|part| &part.attachments) {
        let file = upload(cx, config, item, entry).await?;
        files.insert(entry.head.id.clone(), file);
    }
    Ok(files)
}

async fn upload(cx: &Context, config: &Config, item: &Item, entry: &Entry) -> Result<File, Error> {
    let refused = |cause, words: &str| Ok(File::Refused(cause, words.to_owned()));
    let Entity::Attachment(attachment) = &entry.data else {
        return refused("no file: named in the thread", "no file");
    };
    let Some(content) = &attachment.content else {
        return match &attachment.state {
            AttachmentState::Available => refused(
                "its bytes could not be read: named in the thread",
                "its bytes could not be read",
            ),
            AttachmentState::External(url) => refused(
                "kept at a host that was not granted: its address is in the thread",
                &format!("kept elsewhere: {url}"),
            ),
            AttachmentState::Redacted => refused(
                "redacted in the source: named in the thread",
                "redacted in the source",
            ),
            AttachmentState::Unavailable(why) => {
                refused("the source could not give it: named in the thread", why)
            }
        };
    };
    if content.size > config.max_attachment_bytes {
        let words = format!("{} bytes are more than Zendesk takes", content.size);
        return refused("larger than Zendesk takes: named in the thread", &words);
    }
    let name = match attachment.name.trim() {
        "" => "file",
        name => name,
    };
    let path = format!("/api/v2/uploads?filename={}", query(name));
    let media_type = attachment
        .media_type
        .clone()
        .unwrap_or_else(|| content.media_type.clone());
    let part = format!("upload:{}", entry.head.id);
    // Sent again it makes another file that expires unused, so it may be repeated.
    let write = Write::idempotent("POST", path, key(&item.key, part, "create"))
        .blob(BlobRef {
            media_type,
            ..content.clone()
        })
        .lifetime(UPLOAD_LIFE_MS)
        .passing();
    Ok(match client::write(cx, write).await? {
        Sent::Done(answer) => {
            let upload: Upload = answer.take("upload")?;
            File::Uploaded {
                token: upload.token,
                content_url: upload.attachment.content_url,
            }
        }
        Sent::Refused(refusal) => File::Refused(
            "refused by Zendesk: named in the thread",
            format!("Zendesk refuses it: {}", refusal.message),
        ),
        Sent::Doubt => return Err(Error::Transient("an upload was not answered".to_owned())),
    })
}

fn batches(ready: Vec<Ready<'_>>) -> Vec<Vec<Ready<'_>>> {
    let mut batches: Vec<Vec<Ready<'_>>> = Vec::new();
    let mut bytes = 0;
    for one in ready {
        let size = one
            .mapped
            .tickets
            .first()
            .map_or(0, |t| json!(t).to_string().len());
        match batches.last_mut() {
            Some(batch) if batch.len() < BULK && bytes + size <= BULK_BYTES => {
                bytes += size;
                batch.push(one);
            }
            _ => {
                bytes = size;
                batches.push(vec![one]);
            }
        }
    }
    batches
}

fn import_path(config: &Config, tail: &str) -> String {
    let archive = if config.archive_immediately {
        "?archive_immediately=true"
    } else {
        ""
    };
    format!("/api/v2/imports/tickets{tail}{archive}")
}

/// One job for a batch.
async fn by_job(
    cx: &Context,
    state: &State,
    config: &Config,
    batch: Vec<Ready<'_>>,
) -> Result<(), Error> {
    let tickets: Vec<&ImportTicket> = batch
        .iter()
        .filter_map(|one| one.mapped.tickets.first())
        .collect();
    let perishable = batch
        .iter()
        .flat_map(|one| one.mapped.perishable.iter().cloned())
        .collect();
    let first = batch
        .first()
        .map(|one| one.item.key.as_str())
        .unwrap_or_default();
    let key = key("*", format!("import:{first}"), "create");
    let write = Write::once("POST", import_path(config, "/create_many"), key.clone())
        .json(&json!({"tickets": tickets}))
        .perishable(perishable)
        .lifetime(JOB_LIFE_MS);
    let (rows, attempted_before) = match client::write(cx, write).await? {
        Sent::Done(answer) => {
            let job: JobStatus = answer.take("job_status")?;
            let ended = client::job(cx, &job.id).await?;
            if ended.as_ref().is_some_and(JobStatus::is_open) {
                for one in batch {
                    let why = "an import job that has not ended".to_owned();
                    report(
                        cx,
                        one.item,
                        Status::Unsettled(why),
                        Vec::new(),
                        one.mapped.losses,
                    )
                    .await?;
                }
                return Ok(());
            }
            let rows = ended
                .filter(|job| job.status == "completed")
                .and_then(|job| job.results);
            (rows, answer.attempted_before)
        }
        Sent::Refused(_) => {
            // One malformed ticket spoils a whole request (Zendesk facts §9): each on its own shows which.
            for one in batch {
                single(cx, state, config, one, "create").await?;
            }
            return Ok(());
        }
        Sent::Doubt => (None, true),
    };
    let Some(rows) = rows else {
        return looked_up(cx, state, config, batch, key).await;
    };
    if attempted_before {
        return looked_up(cx, state, config, batch, key).await;
    }
    let by_index = rows_by_index(rows, batch.len());
    for (index, one) in batch.into_iter().enumerate() {
        match by_index.get(&index) {
            Some(row) => match (row.refusal(), row.id.as_u64()) {
                (Some(why), _) => {
                    let refusal = Refusal {
                        status: 422,
                        message: why,
                        ..Refusal::default()
                    };
                    reject(cx, one.item, client::rejection(&refusal)).await?;
                }
                (None, Some(id)) => {
                    arrived(cx, state, config, one, id, Some(Proof::Fresh), key.clone()).await?;
                }
                (None, None) => looked_up(cx, state, config, vec![one], key.clone()).await?,
            },
            None => looked_up(cx, state, config, vec![one], key.clone()).await?,
        }
    }
    Ok(())
}

/// Rows by the place of their ticket: by `index` where they have it, else by their own place (Zendesk facts §12).
pub fn rows_by_index(rows: Vec<JobRow>, count: usize) -> BTreeMap<usize, JobRow> {
    let in_place = rows.len() == count;
    let mut by_index = BTreeMap::new();
    for (place, row) in rows.into_iter().enumerate() {
        if let Some(index) = row.index.or(in_place.then_some(place)) {
            by_index.insert(index, row);
        }
    }
    by_index
}

/// Waits until no import job is open that could still make what is looked for (rule D-3).
async fn wait_for_jobs(cx: &Context) -> Result<(), Error> {
    let jobs: Vec<JobStatus> = client::list(cx, "/api/v2/job_statuses", "job_statuses").await?;
    for job in jobs.iter().filter(|job| job.is_open()) {
        if client::job(cx, &job.id)
            .await?
            .is_some_and(|job| job.is_open())
        {
            return Err(Error::Transient(format!("job {} has not ended", job.id)));
        }
    }
    Ok(())
}

/// The tickets of a marker, oldest first.
async fn find(cx: &Context, config: &Config, marker: &str) -> Result<Vec<Ticket>, Error> {
    let path = format!("/api/v2/tickets?external_id={}", query(marker));
    let mut found: Vec<Ticket> = client::list(cx, &path, "tickets").await?;
    if found.is_empty() && config.archive_immediately {
        // Archived tickets are in no list (Zendesk facts §12).
        let words = format!("type:ticket external_id:\"{marker}\"");
        let path = format!("/api/v2/search?query={}", query(&words));
        found = client::find_member(cx, &path, "results")
            .await?
            .unwrap_or_default();
    }
    found.retain(|ticket| ticket.external_id.as_deref() == Some(marker));
    found.sort_by_key(|ticket| ticket.id);
    Ok(found)
}

/// Looks up a batch whose answer was not seen, and sends singly what is surely not there.
async fn looked_up(
    cx: &Context,
    state: &State,
    config: &Config,
    batch: Vec<Ready<'_>>,
    key: OperationKey,
) -> Result<(), Error> {
    cx.sleep(if config.archive_immediately {
        SETTLE_BY_INDEX_MS
    } else {
        SETTLE_BY_KEY_MS
    })
    .await;
    wait_for_jobs(cx).await?;
    for one in batch {
        let found = find(cx, config, &one.item.marker).await?;
        if found.is_empty() {
            single(cx, state, config, one, "create-again").await?;
        } else {
            adopt(cx, state, one.item, one.mapped, &found, key.clone()).await?;
        }
    }
    Ok(())
}

/// Takes tickets that a look-up found. Ours are those with this run's tag.
async fn adopt(
    cx: &Context,
    state: &State,
    item: &Item,
    mut mapped: Mapped,
    found: &[Ticket],
    key: OperationKey,
) -> Result<(), Error> {
    let tag = State::run_tag(cx.run());
    let mut effects = Vec::new();
    for (index, ticket) in found.iter().enumerate() {
        let proof = ticket
            .tags
            .contains(&tag)
            .then(|| Proof::Marker(cx.run().to_owned()));
        let part = if index == 0 {
            "main".to_owned()
        } else {
            format!("duplicate:{index}")
        };
        let sent = mapped.tickets.first();
        effects.push(ticket_effect(&part, ticket.id, sent, proof, key.clone()));
    }
    let config: Config = cx.config()?;
    let first = found.first().map_or(0, |ticket| ticket.id);
    match continue_thread(cx, state, &config, item, &mut mapped, first).await? {
        Ok(more) => effects.extend(more),
        Err(status) => return report(cx, item, status, effects, mapped.losses).await,
    }
    let ours = effects.first().is_some_and(|effect| effect.proof.is_some());
    let status = if ours {
        Status::Created
    } else {
        Status::Matched
    };
    report(cx, item, status, effects, mapped.losses).await
}

fn ticket_effect(
    part: &str,
    id: u64,
    sent: Option<&ImportTicket>,
    proof: Option<Proof>,
    key: OperationKey,
) -> Effect {
    let mut effect = made(part, "ticket", id.to_string(), proof, key);
    effect.fingerprint = sent.map(|ticket| map::print(&thread::ticket_facets(ticket)));
    effect.updated_at = sent.and_then(|ticket| map::parse_iso(&ticket.updated_at));
    effect.url = Some(format!("/agent/tickets/{id}"));
    effect
}

/// The first ticket of a thread is there: the further ones follow, then the outcome.
async fn arrived(
    cx: &Context,
    state: &State,
    config: &Config,
    one: Ready<'_>,
    id: u64,
    proof: Option<Proof>,
    key: OperationKey,
) -> Result<(), Error> {
    let Ready { item, mut mapped } = one;
    let ours = proof.is_some();
    let mut effects = vec![ticket_effect(
        "main",
        id,
        mapped.tickets.first(),
        proof,
        key,
    )];
    match continue_thread(cx, state, config, item, &mut mapped, id).await? {
        Ok(more) => effects.extend(more),
        Err(status) => return report(cx, item, status, effects, mapped.losses).await,
    }
    let status = if ours {
        Status::Created
    } else {
        Status::Matched
    };
    report(cx, item, status, effects, mapped.losses).await
}

/// Makes the tickets that continue a thread, each linked to the one before (rule M-16). The inner error is the status of
/// an item that could not be finished.
async fn continue_thread(
    cx: &Context,
    state: &State,
    config: &Config,
    item: &Item,
    mapped: &mut Mapped,
    first: u64,
) -> Result<Result<Vec<Effect>, Status>, Error> {
    let mut effects = Vec::new();
    let mut before = first;
    for (index, mut ticket) in mapped.tickets.iter().cloned().enumerate().skip(1) {
        thread::link_back(&mut ticket, state.me, before);
        let part = format!("continued:{}", index + 1);
        match import(
            cx,
            config,
            item,
            &part,
            &ticket,
            &mapped.perishable,
            "create",
        )
        .await?
        {
            Import::There(id, proof, key) => {
                effects.push(ticket_effect(&part, id, Some(&ticket), proof, key));
                before = id;
            }
            Import::Refused(refusal) => {
                let said = format!(
                    "a continuation was refused: {} {}",
                    refusal.status, refusal.code
                );
                cx.log(Level::Warn, &said);
                let note = "a continuation was refused: the comments from there on are missing";
                mapped
                    .losses
                    .push(map::loss("conversation.messages", Fidelity::Lost, note));
                return Ok(Ok(effects));
            }
            Import::Unsettled => {
                return Ok(Err(Status::Unsettled(format!("{part} was not answered"))));
            }
        }
    }
    Ok(Ok(effects))
}

enum Import {
    There(u64, Option<Proof>, OperationKey),
    Refused(Refusal),
    Unsettled,
}

/// One ticket by its own call: sent, looked up if the answer is not seen, sent once more after a miss that counts.
async fn import(
    cx: &Context,
    config: &Config,
    item: &Item,
    part: &str,
    ticket: &ImportTicket,
    perishable: &[String],
    step: &str,
) -> Result<Import, Error> {
    let body: Value = json!({"ticket": ticket});
    let run_tag = State::run_tag(cx.run());
    for step in [step.to_owned(), format!("{step}-2")] {
        let key = key(&item.key, part, &step);
        // Documented for ordinary creation only; where the import ignores it, it does no harm (Zendesk facts §13).
        let idempotency = format!("{}:{}:{step}", cx.run(), ticket.external_id);
        let idempotency: String = idempotency
            .chars()
            .filter(char::is_ascii_graphic)
            .take(255)
            .collect();
        let write = Write::once("POST", import_path(config, ""), key.clone())
            .with_header("idempotency-key", &idempotency)
            .json(&body)
            .perishable(perishable.to_vec());
        let doubt = match client::write(cx, write).await? {
            Sent::Done(answer) => {
                let made: Ticket = answer.take("ticket")?;
                let marked = || Proof::Marker(cx.run().to_owned());
                let proof = if answer.attempted_before {
                    made.tags.contains(&run_tag).then(marked)
                } else {
                    Some(Proof::Fresh)
                };
                return Ok(Import::There(made.id, proof, key));
            }
            Sent::Refused(refusal) => {
                if !refusal.code.starts_with("IdempotentRequest") {
                    return Ok(Import::Refused(refusal));
                }
                true
            }
            Sent::Doubt => true,
        };
        if doubt {
            let settle = if config.archive_immediately {
                SETTLE_BY_INDEX_MS
            } else {
                SETTLE_BY_KEY_MS
            };
            cx.sleep(settle).await;
            if let Some(found) = find(cx, config, &ticket.external_id).await?.first() {
                let proof = found
                    .tags
                    .contains(&run_tag)
                    .then(|| Proof::Marker(cx.run().to_owned()));
                return Ok(Import::There(found.id, proof, key));
            }
        }
    }
    Ok(Import::Unsettled)
}

/// One thread by calls of its own.
async fn single(
    cx: &Context,
    state: &State,
    config: &Config,
    one: Ready<'_>,
    step: &str,
) -> Result<(), Error> {
    let Some(ticket) = one.mapped.tickets.first() else {
        return reject(
            cx,
            one.item,
            Error::Bug("a thread without a ticket".to_owned()),
        )
        .await;
    };
    match import(
        cx,
        config,
        one.item,
        "main",
        ticket,
        &one.mapped.perishable,
        step,
    )
    .await?
    {
        Import::There(id, proof, key) => arrived(cx, state, config, one, id, proof, key).await,
        Import::Refused(refusal) => reject(cx, one.item, client::rejection(&refusal)).await,
        Import::Unsettled => {
            let why = "a ticket whose import was not answered".to_owned();
            report(
                cx,
                one.item,
                Status::Unsettled(why),
                Vec::new(),
                one.mapped.losses,
            )
            .await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_find_their_tickets_by_index_and_else_by_place() {
        let row = |index, id: u64| JobRow {
            index,
            id: json!(id),
            ..JobRow::default()
        };
        let indexed = rows_by_index(vec![row(Some(1), 11), row(Some(0), 10)], 2);
        assert_eq!(indexed.get(&0).map(|r| r.id.clone()), Some(json!(10)));
        let placed = rows_by_index(vec![row(None, 10), row(None, 11)], 2);
        assert_eq!(placed.get(&1).map(|r| r.id.clone()), Some(json!(11)));
        assert!(rows_by_index(vec![row(None, 10)], 2).is_empty());
    }
}
