//! Notes on contacts: the source card of one, a record that has no other place, a note that belongs to no conversation.
//!
//! A note keeps neither time nor author and is never deleted; it goes with its contact (Intercom facts §9). Each says which record and
//! which run wrote it, by which it is known again.

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, made, print, reject, report, short_hash, status_of};
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::ledger::{Action, Effect, Outcome, Status};
use transload_sdk::thread::{lead, message_facts, stored_texts, text_in, thread_of, with_lead};
use transload_sdk::types::{Entity, Error, Fidelity, Kind, Message};
use transload_sdk::{time, words};

use super::{Creation, WRITES};
use crate::api::{Note, Refusal};
use crate::client::{self, Looked};
use crate::map;
use crate::state::State;
use crate::text::{html_of, plain_of};
use crate::thread::missing;

/// What a note is to say.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The contact.
    pub contact: &'a str,
    /// Who writes it, an admin.
    pub admin: &'a str,
    /// Plain text; the mark is put above it.
    pub text: String,
    /// What it stands for.
    pub mark: String,
}

impl Draft<'_> {
    fn body(&self, run: &str) -> String {
        let facts = [self.mark.clone(), format!("run {run}")];
        html_of(&with_lead(lead(&facts).as_deref(), &self.text))
    }
}

/// All notes on a contact.
///
/// # Errors
/// What ends the unit.
pub async fn notes_of(cx: &Context, contact: &str) -> Result<Vec<Note>, Error> {
    client::list(cx, &format!("/contacts/{contact}/notes")).await
}

/// Where a note is, as effects name it.
pub fn target(contact: &str, note: &str) -> String {
    format!("{contact}/{note}")
}

/// What of a note is compared before an undo.
pub fn facets(note: &Note) -> Vec<(String, String)> {
    vec![("text".to_owned(), short_hash(&plain_of(&note.body)))]
}

/// The note that an earlier load made, where it is still there: it goes with its contact, and that is how it is taken back.
///
/// # Errors
/// What ends the unit.
pub async fn prior<'i>(cx: &Context, item: &'i Item) -> Result<Option<&'i Effect>, Error> {
    let mut priors = item.prior.iter();
    let prior = priors.find(|effect| effect.target_kind == "contact_note");
    let Some((prior, (contact, id))) =
        prior.and_then(|prior| Some((prior, prior.target_id.split_once('/')?)))
    else {
        return Ok(None);
    };
    let is_there = match client::contact(cx, contact).await? {
        Looked::There(_) => notes_of(cx, contact)
            .await?
            .iter()
            .any(|note| note.id == id),
        // Its notes went to the contact that it was merged into.
        Looked::Merged => true,
        Looked::Gone => false,
    };
    Ok(is_there.then_some(prior))
}

/// What became of a note.
#[derive(Debug)]
pub enum Written {
    /// It is there.
    At(Box<Effect>),
    /// It was refused.
    Refused(Refusal),
    /// Not known.
    Unknown,
}

/// Writes a note once.
///
/// # Errors
/// What ends the unit.
pub async fn write(
    cx: &Context,
    (item, part, in_doubt): (&str, &str, Option<i64>),
    draft: &Draft<'_>,
) -> Result<Written, Error> {
    let path = format!("/contacts/{}/notes", draft.contact);
    let body = json!({"body": draft.body(cx.run()), "admin_id": draft.admin});
    let request = client::write(cx, "POST", path, key(item, part, "create"))?.json(&body);
    let of_run = |note: &Note| {
        let text = plain_of(&note.body);
        text.contains(&format!("{}; run {}]", draft.mark, cx.run()))
    };
    let find = async || {
        let all = notes_of(cx, draft.contact).await?;
        Ok(all.into_iter().find(of_run))
    };
    Ok(match WRITES.make(in_doubt, request, find, of_run).await? {
        Creation::There(note, proof, key) => {
            let target = target(draft.contact, &note.id);
            let mut effect = made(part, "contact_note", target, proof, key);
            effect.fingerprint = Some(print(&facets(&note)));
            Written::At(Box::new(effect))
        }
        Creation::Refused(refusal) => Written::Refused(refusal),
        Creation::Unsettled => Written::Unknown,
    })
}

/// Notes on customers that belong to no conversation.
///
/// # Errors
/// What ends the unit.
pub async fn lone_notes(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    for item in items {
        let thread = match thread_of(item) {
            Ok(thread) => thread,
            Err(error) => {
                reject(cx, item, error);
                continue;
            }
        };
        let part = thread.parts.first();
        let (Some(part), Entity::Message(message)) = (part, &item.entry().data) else {
            reject(cx, item, Error::Bug("no note".to_owned()));
            continue;
        };
        let texts = stored_texts(cx, &thread)?;
        let mut losses = vec![loss(
            "message.sent-at",
            Fidelity::Converted,
            "a note on a contact keeps no time: said above the text",
        )];
        let contact = message.customer.as_ref();
        let contact = contact.and_then(|customer| map::target(customer, &Kind::Customer));
        let contact = contact.unwrap_or(&state.stand_in_contact);
        let admin = match &message.author {
            transload_sdk::types::Author::Person(person) => map::admin(person),
            _ => None,
        };
        let mut facts = Vec::new();
        facts.extend(about(message));
        if admin.is_none() {
            facts.push(format!("written by {}", words::author(&message.author)));
            let note = "is not here as its author: named above the text";
            losses.push(loss("message.author", Fidelity::Converted, note));
        }
        let at = message.sent_at.or(item.entry().head.created_at);
        facts.extend(at.and_then(time::format_utc).map(|at| format!("at {at}")));
        message_facts(message, &state.words(cx.time_zone()), &mut facts);
        let mut refused = Vec::new();
        for file in &part.attachments {
            if let Entity::Attachment(attachment) = &file.data {
                let why = "a note on a contact has no files";
                facts.push(missing(&transload_sdk::thread::file_name(attachment), why));
                refused.extend(item.refused(&file.head, why));
            }
        }
        let plain = text_in(&texts, &message.text).map(str::to_owned);
        let html = text_in(&texts, &message.html);
        let text = plain.or_else(|| html.map(transload_sdk::text::html_to_search_text));
        if html.is_some() {
            let note = "a note on a contact has the text alone";
            losses.push(loss("message.html", Fidelity::Converted, note));
        }
        let said = lead(&facts).unwrap_or_default();
        let draft = Draft {
            contact,
            admin: admin.unwrap_or(&state.stand_in),
            text: format!("{said}\n\n{}", text.unwrap_or_default()),
            mark: format!("note {}", item.marker),
        };
        if let Some(prior) = prior(cx, item).await? {
            let main = effect("main", "contact_note", &prior.target_id, Action::Matched);
            report(cx, item, Status::Matched, vec![main], losses);
            continue;
        }
        match write(cx, (&item.key, "main", item.in_doubt_since), &draft).await? {
            Written::At(main) => cx.report(Outcome {
                item: item.key.clone(),
                status: status_of(main.action),
                effects: vec![*main],
                losses,
                refused,
            }),
            Written::Refused(refusal) => reject(cx, item, refusal.rejection()),
            Written::Unknown => {
                super::unsettled(cx, item, "a note whose creation was not answered", losses);
            }
        }
    }
    Ok(())
}

/// On whom it is, where a stand-in has it.
fn about(message: &Message) -> Option<String> {
    let customer = message.customer.as_ref()?;
    let is_here = map::target(customer, &Kind::Customer).is_some();
    (!is_here).then(|| format!("about {}", words::person(customer)))
}
