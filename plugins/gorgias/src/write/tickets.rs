//! Threads as tickets: all of up to 500 messages in one call (Gorgias facts §6), further ones after it.
//!
//! External ids are not unique, so nothing is sent again before it was looked up and a miss counts (rule D-3), and what is found
//! must carry this run to count as ours (rule D-4). A ticket that an earlier run made gets the messages that came since, and its
//! status where nobody changed it (rule M-9). A rule of the account may act on all of this: what it did to a new ticket is seen in the
//! answer, and the first of each unit is looked at a moment later; what is seen is a loss of that conversation.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, Part, Thread};
use transload_sdk::effects::{changed, effect, made, print, reject, status_of};
use transload_sdk::http::{self, OperationKey, Refusal as _, Reply, key, segment};
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, RefusedEntry, Status};
use transload_sdk::thread::{Unit, skipped, stored_texts, updated_at};
use transload_sdk::types::{Entity, Error, Fidelity, Loss};

use super::{Changed, Creation, SETTLE_MS, WRITES, files, is_of_run, schema, unsettled};
use crate::api::{Message, MessageDraft, Survey, Ticket};
use crate::client;
use crate::map::{self, Choices};
use crate::state::{Config, State};
use crate::thread::{self, Mapped, Surroundings, SurveyDraft};

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let threads: Vec<(&Item, Thread)> = threads(cx, items, config.spam).collect();
    let fields = threads
        .iter()
        .flat_map(|(_, thread)| &thread.conversation.head.fields);
    let choices = schema::choices_for(cx, map::FieldOwner::Ticket, fields).await?;
    let loader = Loader {
        cx,
        state: &state,
        config: &config,
        choices: &choices,
        prefix: cx.marker_prefix(),
        looked: Cell::new(false),
    };
    for (item, thread) in threads {
        loader.one(item, thread).await?;
    }
    Ok(())
}

/// A ticket as it is, with all of its messages.
///
/// # Errors
/// What ends the unit.
pub async fn whole(cx: &Context, id: u64) -> Result<Option<(Ticket, Vec<Message>)>, Error> {
    let path = format!("/tickets/{id}?relationships=custom_fields");
    let Some(mut ticket) = client::find::<Ticket>(cx, &path).await? else {
        return Ok(None);
    };
    let shown = ticket.messages.take();
    let count = ticket.messages_count;
    let messages = match shown.filter(|shown| count.is_some_and(|count| shown.len() >= count)) {
        Some(shown) => shown,
        None => messages_of(cx, id).await?,
    };
    Ok(Some((ticket, messages)))
}

/// The messages of a ticket, oldest first.
///
/// # Errors
/// What ends the unit.
pub async fn messages_of(cx: &Context, ticket: u64) -> Result<Vec<Message>, Error> {
    client::list(
        cx,
        &format!("/messages?ticket_id={ticket}&order_by=created_datetime:asc"),
    )
    .await
}

/// What the threads of a unit have in common.
struct Loader<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    choices: &'a Choices,
    prefix: String,
    /// Whether a new ticket of this unit was looked at a moment later.
    looked: Cell<bool>,
}

/// A ticket that is there.
struct There {
    ticket: Ticket,
    messages: Vec<Message>,
    proof: Option<Proof>,
    key: OperationKey,
}

impl Loader<'_> {
    async fn one(&self, item: &Item, thread: Thread) -> Result<(), Error> {
        if let Some(prior) = prior(item)
            && let Ok(id) = prior.target_id.parse()
            && let Some((ticket, messages)) = whole(self.cx, id).await?
        {
            return self
                .append(item, thread, ticket, messages, Some(prior))
                .await;
        }
        // Files are not sent again before it is known whether the ticket is there.
        if let Some(since) = item.in_doubt_since {
            http::wait_out(self.cx, since, SETTLE_MS).await;
            if let Some(found) = self.find(&item.marker).await? {
                let (ticket, messages) = found;
                if !is_of_run(self.cx, &ticket.meta) {
                    return self.append(item, thread, ticket, messages, None).await;
                }
                let mapped = self.mapped(item, &thread).await?;
                let proof = Some(Proof::Marker(self.cx.run().to_owned()));
                let key = key(&item.key, "main", "create");
                let there = There {
                    ticket,
                    messages,
                    proof,
                    key,
                };
                return self.finish(item, updated_at(&thread), mapped, there).await;
            }
        }
        let mapped = self.mapped(item, &thread).await?;
        let key = key(&item.key, "main", "create");
        let request = self
            .cx
            .http()
            .write("POST", "/tickets", key)
            .json(&mapped.ticket);
        let find = async || self.find(&item.marker).await;
        let read = |reply: &Reply| {
            let mut ticket: Ticket = reply.json()?;
            let messages = ticket.messages.take().unwrap_or_default();
            Ok((ticket, messages))
        };
        let making = http::Making {
            in_doubt_since: None,
            settle_ms: SETTLE_MS,
            created: 201,
        };
        let ours = |found: &(Ticket, Vec<Message>)| is_of_run(self.cx, &found.0.meta);
        match http::make(request, making, read, find, ours).await? {
            Creation::There((ticket, messages), proof, key) => {
                let there = There {
                    ticket,
                    messages,
                    proof,
                    key,
                };
                self.finish(item, updated_at(&thread), mapped, there).await
            }
            Creation::Refused(refusal) => {
                let refusal: crate::api::Refusal = refusal;
                reject(self.cx, item, refusal.rejection());
                Ok(())
            }
            Creation::Unsettled => {
                unsettled(
                    self.cx,
                    item,
                    "a ticket whose creation was not answered",
                    mapped.losses,
                );
                Ok(())
            }
        }
    }

    /// Uploads the thread's files and maps it.
    async fn mapped(&self, item: &Item, thread: &Thread) -> Result<Mapped, Error> {
        let files = files::upload_all(self.cx, self.config, item, thread).await?;
        let texts = stored_texts(self.cx, thread)?;
        let around = Surroundings {
            state: self.state,
            config: self.config,
            unit: Unit::new(self.cx, &texts),
            choices: self.choices,
            files: &files,
        };
        thread::map_thread(item, thread, &around)
    }

    /// Tickets with a marker, oldest first; those in the trash are among them (Gorgias facts §4).
    async fn all_of(&self, marker: &str) -> Result<Vec<Ticket>, Error> {
        let external = map::external_id(marker);
        let path = format!("/tickets?external_id={}", segment(&external));
        let mut found: Vec<Ticket> = client::list(self.cx, &path).await?;
        found.retain(|ticket| ticket.external_id.as_deref() == Some(external.as_str()));
        found.sort_by_key(|ticket| ticket.id);
        Ok(found)
    }

    async fn find(&self, marker: &str) -> Result<Option<(Ticket, Vec<Message>)>, Error> {
        match self.all_of(marker).await?.first() {
            Some(first) => whole(self.cx, first.id).await,
            None => Ok(None),
        }
    }

    // ---- a ticket of this run

    /// Whatever follows a creation, and the outcome.
    async fn finish(
        &self,
        item: &Item,
        updated: Option<i64>,
        mapped: Mapped,
        there: There,
    ) -> Result<(), Error> {
        let There {
            mut ticket,
            mut messages,
            proof,
            key,
        } = there;
        let mut losses = mapped.losses.clone();
        let mut doings = Doings::default();
        let is_fresh = proof == Some(Proof::Fresh);
        if proof.is_some() {
            if is_fresh {
                self.look_at(&mapped, &ticket, &messages, &mut losses);
                // Rules may act a moment later: what they do to one they do to all.
                if !self.looked.replace(true)
                    && let Some((ticket, messages)) = whole(self.cx, ticket.id).await?
                {
                    self.look_at(&mapped, &ticket, &messages, &mut losses);
                }
            } else {
                doings
                    .effects
                    .extend(self.duplicates(item, &ticket, &key).await?);
            }
            let wanted: Vec<&MessageDraft> = missing(&mapped, &messages).collect();
            let added = !wanted.is_empty();
            self.add(
                item,
                ticket.id,
                wanted,
                &mut messages,
                &mut doings,
                &mut losses,
            )
            .await?;
            if (added || ticket.status != mapped.end.status) && doings.open.is_none() {
                self.end(item, &mut ticket, &mapped.end, &mut doings, &mut losses)
                    .await?;
            }
            if let Some(survey) = &mapped.survey
                && doings.open.is_none()
            {
                self.survey(item, &ticket, survey, &mut doings, &mut losses)
                    .await?;
            }
        }
        let facets = thread::facets(&ticket, &messages, &self.prefix);
        let mut main = made("main", "ticket", ticket.id.to_string(), proof, key);
        main.fingerprint = Some(print(&thread::sent_facets(
            &mapped.ticket,
            &mapped.end,
            facets,
        )));
        main.updated_at = updated;
        main.url = Some(format!("/app/ticket/{}", ticket.id));
        let done = status_of(main.action);
        self.say(item, main, done, doings, losses, mapped.refused);
        Ok(())
    }

    /// What became of a ticket; `done` where all of that is known.
    fn say(
        &self,
        item: &Item,
        main: Effect,
        done: Status,
        doings: Doings,
        losses: Vec<Loss>,
        refused: Vec<RefusedEntry>,
    ) {
        let status = match doings.open {
            Some(why) => Status::Unsettled(why.to_owned()),
            None => done,
        };
        // The ticket goes first when this is undone, and takes the rest with it.
        let mut effects = doings.effects;
        effects.push(main);
        self.cx.report(Outcome {
            item: item.key.clone(),
            status,
            effects,
            losses,
            refused,
        });
    }

    /// What the account made of a new ticket besides: rules act on it at once (Gorgias facts §12).
    fn look_at(
        &self,
        mapped: &Mapped,
        ticket: &Ticket,
        messages: &[Message],
        losses: &mut Vec<Loss>,
    ) {
        let mut add = |field, how, note| {
            let lost = loss(field, how, note);
            if !losses.contains(&lost) {
                losses.push(lost);
            }
        };
        let mut say = |field, note| add(field, Fidelity::Converted, note);
        let foreign = messages
            .iter()
            .any(|m| !thread::is_of_thread(m, &self.prefix));
        if foreign {
            say(
                "conversation.messages",
                "a rule of the account wrote into the new ticket",
            );
        }
        if ticket.status != mapped.ticket.status {
            say("conversation.status", "a rule of the account changed it");
        }
        let sent = &mapped.ticket;
        let assignee = |who: &Option<crate::api::Who>| who.as_ref().map(|who| who.id);
        if assignee(&ticket.assignee_user) != sent.assignee_user.map(|who| who.id)
            || assignee(&ticket.assignee_team) != sent.assignee_team.map(|who| who.id)
        {
            say(
                "conversation.assignees",
                "a rule of the account changed who is in charge",
            );
        }
        let is_ours = |tag: &crate::api::Tag| sent.tags.iter().any(|named| named.name == tag.name);
        if !ticket.tags.iter().all(is_ours) {
            say("conversation.tags", "a rule of the account added a tag");
        }
        let kept: Vec<&str> = ticket.tags.iter().map(|tag| tag.name.as_str()).collect();
        if !sent
            .tags
            .iter()
            .all(|named| kept.contains(&named.name.as_str()))
        {
            add(
                "conversation.tags",
                Fidelity::Lost,
                "Gorgias did not keep a tag",
            );
        }
        // A value for a field that is no more is dropped in silence.
        let values = crate::api::values(&ticket.custom_fields);
        let shown = !ticket.custom_fields.is_null();
        if shown
            && !sent
                .custom_fields
                .iter()
                .all(|field| values.contains_key(&field.id))
        {
            let note = "Gorgias did not keep a value: its field is gone or archived";
            add("conversation.fields", Fidelity::Lost, note);
        }
    }

    /// Further tickets with the marker: our own second creations.
    async fn duplicates(
        &self,
        item: &Item,
        ticket: &Ticket,
        key: &OperationKey,
    ) -> Result<Vec<Effect>, Error> {
        let all = self.all_of(&item.marker).await?;
        let others = all.iter().filter(|other| other.id != ticket.id);
        let one = |(n, other): (usize, &Ticket)| {
            let ours = is_of_run(self.cx, &other.meta);
            let proof = ours.then(|| Proof::Marker(self.cx.run().to_owned()));
            made(
                &format!("duplicate:{}", n + 1),
                "ticket",
                other.id.to_string(),
                proof,
                key.clone(),
            )
        };
        Ok(others.enumerate().map(one).collect())
    }

    /// Adds messages, in order. One that is refused is named and left out.
    async fn add(
        &self,
        item: &Item,
        ticket: u64,
        wanted: Vec<&MessageDraft>,
        messages: &mut Vec<Message>,
        doings: &mut Doings,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Error> {
        for draft in wanted {
            let of = draft
                .external_id
                .strip_prefix(&self.prefix)
                .unwrap_or(&draft.external_id);
            let part = of.to_owned();
            let request = self
                .cx
                .http()
                .write(
                    "POST",
                    format!("/tickets/{ticket}/messages"),
                    key(&item.key, &part, "create"),
                )
                .json(draft);
            let find = async || {
                let all = messages_of(self.cx, ticket).await?;
                let same =
                    |m: &Message| m.external_id.as_deref() == Some(draft.external_id.as_str());
                Ok(all.into_iter().find(same))
            };
            match WRITES
                .make(None, request, find, |_: &Message| false)
                .await?
            {
                Creation::There(message, proof, key) => {
                    // It was missing right before, in this unit (rule D-4).
                    let proof = proof.or(Some(Proof::AbsentBefore));
                    let target = format!("{ticket}/{}", message.id);
                    let mut effect = made(&part, "message", target, proof, key);
                    effect.fingerprint = Some(print(&message_facets(&message)));
                    doings.effects.push(effect);
                    messages.push(message);
                }
                Creation::Refused(_) => {
                    let note = "a message beyond the first 500 was refused: it is missing";
                    losses.push(loss("conversation.messages", Fidelity::Lost, note));
                }
                Creation::Unsettled => {
                    doings.open = Some("a message that was not answered");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Gives a ticket the status that it is to have in the end.
    async fn end(
        &self,
        item: &Item,
        ticket: &mut Ticket,
        end: &thread::End,
        doings: &mut Doings,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Error> {
        let path = format!("/tickets/{}", ticket.id);
        let mut body = json!({"status": end.status});
        let mut set = |name: &str, value: &Option<String>| {
            if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
                body.insert(name.to_owned(), json!(value));
            }
        };
        set("closed_datetime", &end.closed);
        set("snooze_datetime", &end.snooze);
        let request = |step: &str| {
            let key = key(&item.key, "status", step);
            self.cx
                .http()
                .repeatable("PUT", path.clone(), key)
                .json(&body)
        };
        let find = async || client::find::<Ticket>(self.cx, &path).await;
        // The answer may be empty (Gorgias facts §3).
        let read =
            |reply: &Reply| Ok(serde_json::from_slice::<Ticket>(reply.bytes()).unwrap_or_default());
        let is_done = |ticket: &Ticket| ticket.status == end.status;
        match http::change(self.cx, SETTLE_MS, request, read, find, is_done).await? {
            Changed::Done(now, key) => {
                let before = json!({"status": ticket.status}).to_string();
                ticket.status = if now.status.is_empty() {
                    end.status.clone()
                } else {
                    now.status
                };
                doings.effects.push(Effect {
                    key: Some(key),
                    before: Some(before),
                    fingerprint: Some(print(&[("status".to_owned(), ticket.status.clone())])),
                    ..effect(
                        "status",
                        "ticket_status",
                        ticket.id.to_string(),
                        Action::Updated,
                    )
                });
            }
            Changed::Refused(refusal) => {
                let _: &crate::api::Refusal = &refusal;
                let note = "Gorgias refused to set it: as the account left it";
                losses.push(loss("conversation.status", Fidelity::Lost, note));
            }
            Changed::Unknown => doings.open = Some("a change of status that was not answered"),
        }
        Ok(())
    }

    /// The customer's judgement: never mailed, since it says that it is not to be sent (Gorgias facts §9).
    async fn survey(
        &self,
        item: &Item,
        ticket: &Ticket,
        draft: &SurveyDraft,
        doings: &mut Doings,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Error> {
        let customer = ticket.customer.as_ref().map(|who| who.id);
        let body = json!({
            "customer_id": customer.unwrap_or(self.state.stand_in_customer), "ticket_id": ticket.id,
            "score": draft.score, "body_text": draft.body_text,
            "created_datetime": draft.sent, "sent_datetime": draft.sent, "scored_datetime": draft.scored,
            "should_send_datetime": null,
            "meta": {"transload_run": self.cx.run()},
        });
        let key = key(&item.key, "survey", "create");
        let request = self
            .cx
            .http()
            .write("POST", "/satisfaction-surveys", key)
            .json(&body);
        let path = format!("/tickets/{}", ticket.id);
        let find = async || {
            let found = client::find::<Ticket>(self.cx, &path).await?;
            Ok(found.and_then(|ticket| ticket.satisfaction_survey))
        };
        let ours = |survey: &Survey| is_of_run(self.cx, &survey.meta);
        match WRITES
            .make(item.in_doubt_since, request, find, ours)
            .await?
        {
            Creation::There(survey, proof, key) => {
                let effect = made(
                    "survey",
                    "satisfaction_survey",
                    survey.id.to_string(),
                    proof,
                    key,
                );
                // Undone last: it goes with its ticket.
                doings.effects.insert(0, effect);
            }
            Creation::Refused(_) => {
                let note = "Gorgias refused it: on the source card";
                losses.push(loss("conversation.satisfaction", Fidelity::Converted, note));
            }
            Creation::Unsettled => doings.open = Some("a survey that was not answered"),
        }
        Ok(())
    }

    // ---- a ticket of an earlier run

    /// Adds what came since, and sets the status where nobody changed it.
    async fn append(
        &self,
        item: &Item,
        thread: Thread,
        mut ticket: Ticket,
        mut messages: Vec<Message>,
        prior: Option<&Effect>,
    ) -> Result<(), Error> {
        let (spam, events) = (self.config.spam, self.config.events);
        let is_new = |part: &Part| {
            let head = &part.message.head;
            let Entity::Message(message) = &part.message.data else {
                return false;
            };
            let external = map::external_id(&format!("{}message:{}", self.prefix, head.id));
            skipped(head, message, spam, events).is_none()
                && !messages
                    .iter()
                    .any(|m| m.external_id.as_deref() == Some(external.as_str()))
        };
        let changed_in_source = match prior {
            Some(prior) => prior
                .updated_at
                .is_none_or(|before| updated_at(&thread) > Some(before)),
            None => false,
        };
        let news = Thread {
            conversation: thread.conversation.clone(),
            parts: thread
                .parts
                .iter()
                .filter(|part| is_new(part))
                .cloned()
                .collect(),
        };
        let mapped = self.mapped(item, &news).await?;
        let mut losses = Vec::new();
        let mut doings = Doings::default();
        let mut refused = Vec::new();
        let own = |draft: &&MessageDraft| !draft.external_id.ends_with(thread::CARD);
        let wanted: Vec<&MessageDraft> = mapped.messages().filter(own).collect();
        let by_customer = wanted.iter().any(|draft| !draft.from_agent);
        if !wanted.is_empty() {
            losses = mapped.losses.clone();
            refused = mapped.refused.clone();
            self.add(
                item,
                ticket.id,
                wanted,
                &mut messages,
                &mut doings,
                &mut losses,
            )
            .await?;
        }
        let now = thread::facets(&ticket, &messages, &self.prefix);
        let touched = prior
            .and_then(|prior| prior.fingerprint.as_deref())
            .is_some_and(|recorded| {
                changed(recorded, &now)
                    .iter()
                    .any(|facet| facet == "status")
            });
        let differs =
            ticket.status != mapped.end.status || (by_customer && mapped.end.status == "closed");
        if differs && prior.is_some() && !touched && doings.open.is_none() {
            self.end(item, &mut ticket, &mapped.end, &mut doings, &mut losses)
                .await?;
        }
        if changed_in_source {
            let note = "changed since an earlier run loaded it: messages and status are brought up to date, the rest stays";
            losses.push(loss("conversation", Fidelity::Lost, note));
        }
        let done = match doings.effects.is_empty() {
            true => Status::Matched,
            false => Status::Updated,
        };
        let mut main = effect("main", "ticket", ticket.id.to_string(), Action::Matched);
        main.updated_at = updated_at(&thread);
        self.say(item, main, done, doings, losses, refused);
        Ok(())
    }
}

/// What was done besides the ticket itself.
#[derive(Default)]
struct Doings {
    effects: Vec<Effect>,
    /// Why the item is not settled.
    open: Option<&'static str>,
}

/// Messages that the thread has and the ticket has not.
fn missing<'m>(mapped: &'m Mapped, there: &[Message]) -> impl Iterator<Item = &'m MessageDraft> {
    let known: BTreeSet<String> = there.iter().filter_map(|m| m.external_id.clone()).collect();
    mapped
        .messages()
        .filter(move |draft| !known.contains(&draft.external_id))
}

/// What of a message that was added is compared before an undo.
pub fn message_facets(message: &Message) -> Vec<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("text".to_owned(), text(&message.body_text)),
        ("html".to_owned(), text(&message.body_html)),
        ("public".to_owned(), message.public.to_string()),
    ]
}

/// What an earlier run did to a thread.
fn prior(item: &Item) -> Option<&Effect> {
    let is_ticket = |effect: &&Effect| effect.target_kind == "ticket" && effect.part == "main";
    item.prior.iter().find(is_ticket)
}
