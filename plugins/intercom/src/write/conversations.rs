//! Threads as conversations: begun by a contact, then part by part, each with its own time, then tags, people in charge, state.
//!
//! A conversation has no external id and no key (Intercom facts §8.1). Right after it was begun it gets the marker in an attribute; one
//! whose beginning was not answered is searched by contact and second, and is ours where it says what we said, has no other record's
//! marker and was touched since we began (Intercom facts §12). Parts are known by author, kind and time, of which no two are the same.
//! A conversation that an earlier run made gets the parts that came since, and its state where nobody changed it (rule M-9).

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, Thread};
use transload_sdk::effects::{changed, effect, made, print, reject};
use transload_sdk::http::{self, OperationKey, Refusal as _, Reply, RequestBuilder, key};
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, RefusedEntry, Status};
use transload_sdk::thread::{Unit, stored_texts, updated_at};
use transload_sdk::types::{Error, Fidelity, Loss};

use super::schema::{self, ID, RUN, change};
use super::{Changed, Creation, SEARCH_SETTLE_MS, WRITES, is_of_run, unsettled};
use crate::api::{Conversation, Opened, Part, Refusal};
use crate::client::{self, Looked, filter, group};
use crate::map::seconds;
use crate::state::{Config, State};
use crate::text::{plain_of, squeezed};
use crate::thread::{self, Chunk, End, FileDraft, Mapped, PartDraft, Surroundings, Voice};

/// The clocks of host and workspace may differ by so much, ms.
const CLOCKS_MS: i64 = 300_000;
/// A contact that was made a moment ago may be unknown for a while (Intercom facts §8.1): waits before it is asked again, ms.
const WAITS_MS: [u64; 3] = [10_000, 30_000, 90_000];

/// Writes threads.
///
/// # Errors
/// What ends the unit.
pub async fn conversations(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let loader = Loader {
        cx,
        state: &state,
        config: &config,
        lists: RefCell::default(),
    };
    for (item, thread) in threads(cx, items, config.spam) {
        loader.one(item, &thread).await?;
    }
    Ok(())
}

/// A conversation with its newest parts.
///
/// # Errors
/// What ends the unit.
pub async fn whole(cx: &Context, id: &str) -> Result<Option<Conversation>, Error> {
    client::find(cx, &format!("/conversations/{id}")).await
}

/// What the threads of a unit have in common.
struct Loader<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    /// Ids of choices of list attributes by name and label, once somebody asked.
    lists: RefCell<Option<BTreeMap<(String, String), String>>>,
}

/// What was done to a thread's conversations.
#[derive(Default)]
struct Doings {
    effects: Vec<Effect>,
    losses: Vec<Loss>,
    refused: Vec<RefusedEntry>,
    /// Why the item is not settled.
    open: Option<&'static str>,
}

/// A conversation that is there, and how it came.
struct There {
    conversation: Conversation,
    proof: Option<Proof>,
    key: Option<OperationKey>,
    /// Of an earlier run, or of somebody else.
    old: Option<Effect>,
}

impl Loader<'_> {
    async fn one(&self, item: &Item, thread: &Thread) -> Result<(), Error> {
        let mapped = self.mapped(item, thread)?;
        let mut doings = Doings {
            losses: mapped.losses.clone(),
            refused: mapped.refused.clone(),
            ..Doings::default()
        };
        let mut mains: Vec<Effect> = Vec::new();
        let count = mapped.chunks.len();
        for (n, chunk) in mapped.chunks.iter().enumerate() {
            let part = match n {
                0 => "main".to_owned(),
                n => format!("continued:{}", n + 1),
            };
            let there = match self.reach(item, &part, chunk).await? {
                Ok(there) => there,
                Err(Some(refusal)) if mains.is_empty() => {
                    reject(self.cx, item, refusal.rejection());
                    return Ok(());
                }
                Err(Some(_)) => {
                    let note = "a further conversation was refused: what it was to hold is missing";
                    let lost = loss("conversation.messages", Fidelity::Lost, note);
                    doings.losses.push(lost);
                    break;
                }
                Err(None) if mains.is_empty() => {
                    let why = "a conversation whose beginning was not answered";
                    unsettled(self.cx, item, why, mapped.losses.clone());
                    return Ok(());
                }
                Err(None) => {
                    doings.open = Some("a further conversation whose beginning was not answered");
                    break;
                }
            };
            let is_last = n + 1 == count;
            let main = self
                .fill(item, &part, &mapped, chunk, there, is_last, &mut doings)
                .await?;
            mains.push(Effect {
                updated_at: updated_at(thread),
                url: self.page(&main.target_id),
                ..main
            });
            if doings.open.is_some() {
                break;
            }
        }
        let made = mains.iter().any(|main| main.action == Action::Created);
        let status = match (doings.open, mains.first().map(|main| main.action)) {
            (Some(why), _) => Status::Unsettled(why.to_owned()),
            (None, Some(Action::Created)) => Status::Created,
            (None, _) if made || !doings.effects.is_empty() => Status::Updated,
            (None, _) => Status::Matched,
        };
        // Conversations go first when this is undone, and take the rest with them.
        doings.effects.extend(mains);
        self.cx.report(Outcome {
            item: item.key.clone(),
            status,
            effects: doings.effects,
            losses: doings.losses,
            refused: doings.refused,
        });
        Ok(())
    }

    fn page(&self, id: &str) -> Option<String> {
        let workspace = &self.state.workspace;
        let page = format!("https://app.intercom.com/a/inbox/{workspace}/inbox/conversation/{id}");
        (!workspace.is_empty()).then_some(page)
    }

    fn mapped(&self, item: &Item, thread: &Thread) -> Result<Mapped, Error> {
        let texts = stored_texts(self.cx, thread)?;
        let rich = thread::rich_markup(thread, &texts);
        let kept = rich.map(|(id, html)| {
            let blob = self.cx.blobs().put("text/html", html.as_bytes());
            (id.to_owned(), blob)
        });
        let markup: BTreeMap<_, _> = kept.collect();
        let around = Surroundings {
            state: self.state,
            config: self.config,
            unit: Unit::new(self.cx, &texts),
            markup: &markup,
        };
        thread::map_thread(item, thread, &around)
    }

    // ---- the conversation

    /// A conversation of a thread, found or begun; an error of none where its fate is not known.
    async fn reach(
        &self,
        item: &Item,
        part: &str,
        chunk: &Chunk,
    ) -> Result<Result<There, Option<Refusal>>, Error> {
        if let Some(prior) = item.prior_part("conversation", part)
            && let Some(conversation) = whole(self.cx, &prior.target_id).await?
        {
            return Ok(Ok(There {
                conversation,
                proof: None,
                key: None,
                old: Some(prior.clone()),
            }));
        }
        let since = item.in_doubt_since.unwrap_or_else(|| self.cx.now());
        let find = async || self.search(chunk, since).await;
        // What was found is touched since we began, says what we said, and is nobody else's: it is ours, and its stamp says so.
        let ours = |found: &Conversation| {
            found.text_of(ID) != Some(chunk.marker.as_str())
                || is_of_run(self.cx, &found.custom_attributes, RUN)
        };
        let read = |reply: &Reply| {
            let opened: Opened = reply.json()?;
            if opened.conversation_id.is_empty() {
                return Err(Error::Bug(
                    "a conversation was begun that has no number".to_owned(),
                ));
            }
            Ok(Conversation {
                id: opened.conversation_id,
                state: "open".to_owned(),
                ..Conversation::default()
            })
        };
        let body = json!({
            "from": {"type": "user", "id": chunk.contact}, "body": chunk.opening, "created_at": chunk.at,
        });
        let mut waits = WAITS_MS.iter();
        let mut attempt = 0;
        loop {
            let step = match attempt {
                0 => "create".to_owned(),
                n => format!("create:{n}"),
            };
            let key = key(&item.key, part, &step);
            let request = client::write(self.cx, "POST", "/conversations", key)?.json(&body);
            let making = http::Making {
                in_doubt_since: item.in_doubt_since.filter(|_| attempt == 0),
                settle_ms: SEARCH_SETTLE_MS,
                created: 200,
            };
            attempt += 1;
            let made: Creation<Conversation> =
                http::make(request, making, read, find, ours).await?;
            return Ok(match made {
                Creation::There(conversation, proof, key) => {
                    let (id, is_new) = (conversation.id.clone(), proof == Some(Proof::Fresh));
                    let shown = if is_new {
                        None
                    } else {
                        whole(self.cx, &id).await?
                    };
                    let matched = effect(part, "conversation", &id, Action::Matched);
                    Ok(There {
                        conversation: shown.unwrap_or(conversation),
                        old: proof.is_none().then_some(matched),
                        proof,
                        key: Some(key),
                    })
                }
                Creation::Refused(refusal) if refusal.status == 404 => {
                    let contact = client::contact(self.cx, &chunk.contact).await?;
                    match (contact, waits.next()) {
                        (Looked::There(_), Some(wait)) => {
                            self.cx.sleep(*wait).await;
                            continue;
                        }
                        _ => Err(Some(refusal)),
                    }
                }
                Creation::Refused(refusal) => Err(Some(refusal)),
                Creation::Unsettled => Err(None),
            });
        }
    }

    /// The conversation that an earlier attempt may have begun, the oldest of several.
    async fn search(&self, chunk: &Chunk, since: i64) -> Result<Option<Conversation>, Error> {
        let query = group(
            "AND",
            vec![
                filter("contact_ids", "=", chunk.contact.as_str()),
                filter("created_at", "=", chunk.at),
            ],
        );
        let mut found: Vec<Conversation> = client::search(self.cx, "conversations", &query).await?;
        found.sort_by_key(|one| (one.text_of(ID).is_none(), one.id.len(), one.id.clone()));
        let wanted = squeezed(&chunk.opening);
        for one in found {
            let is_it = match one.text_of(ID) {
                Some(marker) => marker == chunk.marker,
                None => {
                    let same = squeezed(&plain_of(&one.source.body)) == wanted;
                    let fresh = one.updated_at >= seconds(since - CLOCKS_MS);
                    same && fresh && one.created_at == chunk.at
                }
            };
            // An index may show what was deleted.
            if is_it && let Some(there) = whole(self.cx, &one.id).await? {
                return Ok(Some(there));
            }
        }
        Ok(None)
    }

    // ---- what is in it

    /// Makes a conversation what it is to be; its own effect.
    #[allow(
        clippy::too_many_arguments,
        reason = "one thread's work, told apart from its beginning"
    )]
    async fn fill(
        &self,
        item: &Item,
        part: &str,
        mapped: &Mapped,
        chunk: &Chunk,
        there: There,
        is_last: bool,
        doings: &mut Doings,
    ) -> Result<Effect, Error> {
        let There {
            conversation: mut now,
            proof,
            key,
            old,
        } = there;
        let mut work = Work {
            loader: self,
            item,
            of: if part == "main" {
                String::new()
            } else {
                format!("{part}/")
            },
            is_new: proof.is_some(),
            was: managed_of(&now),
            doings,
        };
        let was_end = old.as_ref().and_then(|old| old.fingerprint.clone());
        let touched = was_end.is_some_and(|recorded| {
            let differs = changed(&recorded, &thread::facets(&now));
            differs.iter().any(|facet| facet == "state")
        });
        let mut stamp = Map::new();
        if work.is_new {
            stamp = work.stamp(mapped, chunk, &mut now).await?;
        }
        let wanted: Vec<&PartDraft> = chunk
            .parts
            .iter()
            .filter(|draft| work.is_new || draft.name != "card")
            .filter(|draft| !now.parts().iter().any(|there| draft.is(there)))
            .collect();
        let adds = !wanted.is_empty();
        if adds {
            work.guests(chunk, &mut now).await?;
        }
        for draft in wanted {
            if work.doings.open.is_some() {
                break;
            }
            work.reply(&mut now, draft).await?;
        }
        if work.is_new && work.doings.open.is_none() {
            work.tags(mapped, &mut now).await?;
        }
        if work.is_new && work.doings.open.is_none() {
            work.assign(mapped, &mut now).await?;
        }
        // A reply opens what is closed: the state comes last (Intercom facts §8.2).
        let end = if is_last { &mapped.end } else { &End::Closed };
        let may =
            work.is_new || (old.as_ref().is_some_and(|old| old.fingerprint.is_some()) && !touched);
        if may && work.doings.open.is_none() {
            work.end(&mut now, end).await?;
        }
        if !work.is_new {
            work.opened(&now);
        }
        let id = now.id.clone();
        if let Some(old) = old {
            return Ok(effect(&old.part, "conversation", id, Action::Matched));
        }
        let key = key.unwrap_or_else(|| http::key(&item.key, part, "create"));
        let mut main = made(part, "conversation", id, proof, key);
        let facets = thread::sent_facets(mapped, &stamp, thread::facets(&now));
        let facets = facets
            .into_iter()
            .filter(|(name, _)| is_last || name != "title");
        main.fingerprint = Some(print(&facets.collect::<Vec<_>>()));
        Ok(main)
    }

    /// The same values with choices by their ids: nothing says which of both Intercom takes.
    async fn by_id(&self, values: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
        if self.lists.borrow().is_none() {
            let all = schema::attributes(self.cx, true).await?;
            let live = all.iter().filter(|one| !one.archived);
            let pairs = live.flat_map(|one| {
                let choices = one.choices().into_iter();
                choices.filter_map(|(id, label)| Some(((one.name.clone(), label), id?)))
            });
            *self.lists.borrow_mut() = Some(pairs.collect());
        }
        let lists = self.lists.borrow();
        let of = |(name, value): (&String, &Value)| {
            let label = value.as_str().map(str::to_owned);
            let id = label.and_then(|label| lists.as_ref()?.get(&(name.clone(), label)));
            (
                name.clone(),
                id.map_or_else(|| value.clone(), |id| json!(id)),
            )
        };
        Ok(values.iter().map(of).collect())
    }
}

/// Work on one conversation.
struct Work<'a, 'l, 'd> {
    loader: &'a Loader<'l>,
    item: &'a Item,
    /// What parts' names begin with.
    of: String,
    /// Whether this run began it.
    is_new: bool,
    /// Its state and who was in charge, before anything was written.
    was: Value,
    doings: &'d mut Doings,
}

impl Work<'_, '_, '_> {
    fn key(&self, part: &str, step: &str) -> OperationKey {
        key(&self.item.key, format!("{}{part}", self.of), step)
    }

    fn lost(&mut self, field: &str, how: Fidelity, note: &'static str) {
        self.doings.losses.push(loss(field, how, note));
    }

    fn done(&mut self, part: &str, kind: &str, target: String, before: Value, key: OperationKey) {
        let part = format!("{}{part}", self.of);
        self.doings.effects.push(Effect {
            key: Some(key),
            before: Some(before.to_string()),
            ..effect(&part, kind, target, Action::Updated)
        });
    }

    /// Title, marker and attributes, as soon as the conversation is there; what of it was taken.
    async fn stamp(
        &mut self,
        mapped: &Mapped,
        chunk: &Chunk,
        now: &mut Conversation,
    ) -> Result<Map<String, Value>, Error> {
        let cx = self.loader.cx;
        let path = format!("/conversations/{}", now.id);
        let full = mapped.stamp(chunk, true);
        for (at, part) in ["stamp", "stamp-ids", "stamp-bare"].into_iter().enumerate() {
            let is_last = at == 2;
            let values = match at {
                0 => full.clone(),
                1 => self.loader.by_id(&full).await?,
                _ => mapped.stamp(chunk, false),
            };
            if at == 1 && values == full {
                continue;
            }
            let mut body = json!({"custom_attributes": values});
            if let (Some(title), Some(body)) = (&mapped.title, body.as_object_mut()) {
                body.insert("title".to_owned(), json!(title));
            }
            let request = |step: &str| {
                let request = client::write(cx, "PUT", path.clone(), self.key(part, step));
                request.map(|request| request.idempotent(None).json(&body))
            };
            let find = async || whole(cx, &now.id).await;
            let is_done = |one: &Conversation| one.text_of(ID) == Some(chunk.marker.as_str());
            match change(cx, request, Reply::json, find, is_done).await? {
                Changed::Done(conversation, key) => {
                    *now = conversation;
                    if is_last && !mapped.fields.is_empty() {
                        let note =
                            "Intercom did not take the values of a conversation's attributes";
                        self.lost("conversation.fields", Fidelity::Lost, note);
                    }
                    let target = now.id.clone();
                    self.done("stamp", "conversation_stamp", target, json!({}), key);
                    return Ok(values);
                }
                Changed::Refused(_) if !is_last => {}
                Changed::Refused(_) => {
                    let note = "Intercom did not take title and attributes of a conversation: on the source card";
                    self.lost("conversation", Fidelity::Lost, note);
                }
                Changed::Unknown => {
                    self.doings.open = Some("the marker of a conversation was not answered");
                    break;
                }
            }
        }
        Ok(Map::new())
    }

    /// Other contacts who write in it take part first (Intercom facts §8.3).
    async fn guests(&mut self, chunk: &Chunk, now: &mut Conversation) -> Result<(), Error> {
        let cx = self.loader.cx;
        for guest in &chunk.guests {
            if now.contacts.contacts.iter().any(|one| one.id == *guest) {
                continue;
            }
            let body =
                json!({"admin_id": self.loader.state.me, "customer": {"intercom_user_id": guest}});
            let part = format!("guest:{guest}");
            let path = format!("/conversations/{}/customers", now.id);
            let request = |step: &str| {
                let request = client::write(cx, "POST", path.clone(), self.key(&part, step));
                request.map(|request| request.idempotent(None).json(&body))
            };
            let find = async || {
                let shown = whole(cx, &now.id).await?.unwrap_or_default();
                let takes_part = shown.contacts.contacts.iter().any(|one| one.id == *guest);
                Ok(takes_part.then_some(()))
            };
            match change(cx, request, |_| Ok(()), find, |()| true).await? {
                Changed::Done((), key) => {
                    let target = format!("{}/{guest}", now.id);
                    self.done(&part, "conversation_guest", target, json!({}), key);
                }
                Changed::Refused(_) => {}
                Changed::Unknown => self.doings.open = Some("a participant was not answered"),
            }
        }
        Ok(())
    }

    fn request(
        &self,
        now: &Conversation,
        draft: &PartDraft,
        step: &str,
        files: &[&FileDraft],
        refused: &[String],
        voice: &Voice,
    ) -> Result<RequestBuilder, Error> {
        let mut body = json!({
            "message_type": if draft.note { "note" } else { "comment" },
            "body": draft.body(refused), "created_at": draft.at,
        });
        let mut set = |name: &str, value: Value| {
            if let Some(body) = body.as_object_mut() {
                body.insert(name.to_owned(), value);
            }
        };
        match voice {
            Voice::Contact(id) => {
                set("type", json!("user"));
                set("intercom_user_id", json!(id));
            }
            Voice::Admin(id) => {
                set("type", json!("admin"));
                set("admin_id", json!(id));
                // Else the contact is told, and mailed (Intercom facts §11).
                set("skip_notifications", json!(true));
            }
        }
        if !files.is_empty() {
            let one = |file: &&FileDraft| json!({"content_type": file.content.media_type, "name": file.name, "data": null});
            set("attachment_files", files.iter().map(one).collect());
        }
        let path = format!("/conversations/{}/reply", now.id);
        let request = client::write(self.loader.cx, "POST", path, self.key(&draft.name, step))?;
        let at = |(n, file)| (format!("/attachment_files/{n}/data"), file);
        let blobs = files.iter().map(|file| &file.content).enumerate().map(at);
        Ok(if files.is_empty() {
            request.json(&body)
        } else {
            request.json_with_files(&body, blobs)
        })
    }

    /// One part. Where it is refused with files, the largest is left out and named, until it is taken.
    async fn reply(&mut self, now: &mut Conversation, draft: &PartDraft) -> Result<(), Error> {
        let cx = self.loader.cx;
        let mut files: Vec<&FileDraft> = draft.files.iter().collect();
        let mut refused: Vec<String> = Vec::new();
        for attempt in 0..=files.len() {
            let step = match attempt {
                0 => "create".to_owned(),
                n => format!("create:{n}"),
            };
            let request = self.request(now, draft, &step, &files, &refused, &draft.voice)?;
            let find = async || {
                let shown = whole(cx, &now.id).await?;
                Ok(shown.filter(|one| one.parts().iter().any(|there| draft.is(there))))
            };
            // Looked for as long as the kind says: the host lets nothing of a thread be repeated sooner.
            let writes = http::Writes {
                settle_ms: SEARCH_SETTLE_MS,
                ..WRITES
            };
            let made: Creation<Conversation> = writes.make(None, request, find, |_| false).await?;
            match made {
                Creation::There(conversation, proof, key) => {
                    // It was missing right before, in this unit (rule D-4).
                    let proof = proof.or(Some(Proof::AbsentBefore));
                    let found = conversation
                        .parts()
                        .iter()
                        .rev()
                        .find(|there| draft.is(there));
                    let id = found.map(|part| part.id.clone()).unwrap_or_default();
                    let target = format!("{}/{id}", conversation.id);
                    let part = format!("{}{}", self.of, draft.name);
                    let mut effect = made_part(&part, target, proof, key);
                    effect.fingerprint = found.map(|part| print(&part_facets(part)));
                    self.doings.effects.push(effect);
                    *now = conversation;
                    return Ok(());
                }
                Creation::Refused(refusal) => {
                    let refusal: Refusal = refusal;
                    let largest = files
                        .iter()
                        .enumerate()
                        .max_by_key(|(_, file)| file.content.size);
                    let Some((at, _)) = largest else {
                        let note = "a message was refused: it is missing";
                        self.lost("conversation.messages", Fidelity::Lost, note);
                        return Ok(());
                    };
                    let file = files.remove(at);
                    let why = format!("Intercom refuses it: {}", refusal.words());
                    refused.push(thread::missing(&file.name, &why));
                    match &file.head {
                        Some(head) => self.doings.refused.extend(self.item.refused(head, why)),
                        None => {
                            let note =
                                "Intercom refused the file with the markup of a contact's text";
                            self.lost("message.html", Fidelity::Lost, note);
                        }
                    }
                }
                Creation::Unsettled => {
                    self.doings.open = Some("a message that was not answered");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Tags, one call each.
    async fn tags(&mut self, mapped: &Mapped, now: &mut Conversation) -> Result<(), Error> {
        let cx = self.loader.cx;
        for tag in &mapped.tags {
            if now.tags.tags.iter().any(|one| one.id == *tag) {
                continue;
            }
            let body = json!({"id": tag, "admin_id": self.loader.state.me});
            let part = format!("tag:{tag}");
            let path = format!("/conversations/{}/tags", now.id);
            let request = |step: &str| {
                let request = client::write(cx, "POST", path.clone(), self.key(&part, step));
                request.map(|request| request.idempotent(None).json(&body))
            };
            let find = async || {
                let shown = whole(cx, &now.id).await?.unwrap_or_default();
                Ok(shown
                    .tags
                    .tags
                    .iter()
                    .any(|one| one.id == *tag)
                    .then_some(()))
            };
            match change(cx, request, |_| Ok(()), find, |()| true).await? {
                Changed::Done((), key) => {
                    let target = format!("{}/{tag}", now.id);
                    self.done(&part, "conversation_tag", target, json!({}), key);
                }
                Changed::Refused(_) => {
                    let note = "Intercom refused to tag the conversation: the tag is gone";
                    self.lost("conversation.tags", Fidelity::Lost, note);
                }
                Changed::Unknown => {
                    self.doings.open = Some("a tag that was not answered");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn assign(&mut self, mapped: &Mapped, now: &mut Conversation) -> Result<(), Error> {
        let me = self.loader.state.me.clone();
        let to = |kind: &str, id: &String| json!({"message_type": "assignment", "type": kind, "admin_id": me, "assignee_id": id});
        if let Some(team) = &mapped.team {
            let is_done = |one: &Conversation| one.team_assignee_id == *team;
            let body = to("team", team);
            self.manage(now, "team", &body, is_done, "conversation.teams")
                .await?;
        }
        if let Some(admin) = &mapped.admin {
            let is_done = |one: &Conversation| one.admin_assignee_id == *admin;
            let body = to("admin", admin);
            self.manage(now, "admin", &body, is_done, "conversation.assignees")
                .await?;
        }
        Ok(())
    }

    async fn end(&mut self, now: &mut Conversation, end: &End) -> Result<(), Error> {
        let me = self.loader.state.me.clone();
        let body = match end {
            // Without a body, which would be a message (Intercom facts §8.3).
            End::Closed => json!({"message_type": "close", "type": "admin", "admin_id": me}),
            End::Open => json!({"message_type": "open", "admin_id": me}),
            End::Snoozed(until) => {
                json!({"message_type": "snoozed", "admin_id": me, "snoozed_until": until})
            }
        };
        let is_done = |one: &Conversation| match end {
            End::Snoozed(until) => one.state == "snoozed" && one.snoozed_until == Some(*until),
            other => one.state == other.state(),
        };
        self.manage(now, "state", &body, is_done, "conversation.status")
            .await
    }

    /// Notes the state that replies alone left it in, where it was another before.
    fn opened(&mut self, now: &Conversation) {
        let kind = "conversation_state";
        let mut effects = self.doings.effects.iter();
        let is_said = effects.any(|one| one.target_kind == kind && one.target_id == now.id);
        if is_said || self.was.get("state").and_then(Value::as_str) == Some(now.state.as_str()) {
            return;
        }
        self.doings.effects.push(Effect {
            before: Some(self.was.to_string()),
            fingerprint: Some(print(&[("state".to_owned(), now.state.clone())])),
            ..effect(&format!("{}state", self.of), kind, &now.id, Action::Updated)
        });
    }

    /// Changes who is in charge, or the state. Sent twice it would be two parts: so it is looked at before and after.
    async fn manage(
        &mut self,
        now: &mut Conversation,
        part: &str,
        body: &Value,
        is_done: impl Fn(&Conversation) -> bool,
        field: &str,
    ) -> Result<(), Error> {
        let cx = self.loader.cx;
        if self.doings.open.is_some() || is_done(now) {
            return Ok(());
        }
        // A reply opens what was closed: that is not how it was before (Intercom facts §8.2).
        let before = self.was.clone();
        let path = format!("/conversations/{}/parts", now.id);
        let request = |step: &str| {
            let request = client::write(cx, "POST", path.clone(), self.key(part, step));
            request.map(|request| request.json(body))
        };
        let find = async || whole(cx, &now.id).await;
        match change(cx, request, Reply::json, find, &is_done).await? {
            Changed::Done(conversation, key) => {
                *now = conversation;
                let kind = format!("conversation_{part}");
                self.done(part, &kind, now.id.clone(), before, key);
                if let Some(effect) = self.doings.effects.last_mut() {
                    effect.fingerprint = Some(print(&[(part.to_owned(), part_value(part, now))]));
                }
            }
            Changed::Refused(_) => {
                // It may be so already (Intercom facts §8.3).
                if let Some(shown) = whole(cx, &now.id).await? {
                    *now = shown;
                }
                if !is_done(now) {
                    let note = "Intercom refused to set it: as the workspace left it";
                    self.lost(field, Fidelity::Lost, note);
                }
            }
            Changed::Unknown => {
                self.doings.open = Some("a change of a conversation was not answered")
            }
        }
        Ok(())
    }
}

/// What of a conversation a write may change and an undo puts back.
fn managed_of(now: &Conversation) -> Value {
    json!({
        "state": now.state, "snoozed_until": now.snoozed_until,
        "admin": now.admin_assignee_id, "team": now.team_assignee_id,
    })
}

/// What of a conversation's management is compared before an undo: its state, the admin or the team in charge.
pub fn part_value(part: &str, now: &Conversation) -> String {
    match part {
        "admin" => now.admin_assignee_id.clone(),
        "team" => now.team_assignee_id.clone(),
        _ => now.state.clone(),
    }
}

fn made_part(part: &str, target: String, proof: Option<Proof>, key: OperationKey) -> Effect {
    made(part, "conversation_part", target, proof, key)
}

/// What of a part that was added is compared before an undo.
pub fn part_facets(part: &Part) -> Vec<(String, String)> {
    vec![
        ("text".to_owned(), part.body.clone().unwrap_or_default()),
        ("author".to_owned(), part.author.id.clone()),
    ]
}
