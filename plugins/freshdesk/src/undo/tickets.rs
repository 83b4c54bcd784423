//! Taking back tickets and what is said in them.
//!
//! A ticket takes everything in it along, into the trash, which Freshdesk empties after thirty days and no call of its public
//! API can (Freshdesk facts §14): so notes of a ticket that the run made are not deleted singly. What the run added to a ticket
//! of an earlier one is.

use serde_json::Value;
use transload_sdk::destination::Undoing;
use transload_sdk::effects::{Verdict, before, changed_since, verdict};
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::types::Error;

use super::Undo;
use crate::api::{Conversation, Ticket};
use crate::map::Owner;
use crate::state::own_field;
use crate::text;
use crate::thread::{facets, is_finished, note_facet};
use crate::write::tickets::{NOTE_CHANGE, TICKET, close, notes, ticket as look};

const NO_TICKET: &str = "no number of a ticket";

/// A ticket that the run made goes into the trash; what it changed of one is put back.
pub(super) async fn ticket(undo: &Undo<'_>, one: &Undoing) -> Result<Verdict, Error> {
    let effect = &one.effect;
    let Ok(id) = effect.target_id.parse::<u64>() else {
        return Ok(verdict(UndoStatus::Cannot, NO_TICKET));
    };
    let Some((now, archived)) = look(undo.session.cx, id).await? else {
        undo.seen.borrow_mut().insert(id, false);
        return Ok((UndoStatus::Gone, None));
    };
    let said = notes(undo.session.cx, id, archived).await?;
    let said: Vec<String> = said.iter().map(note_facet).collect();
    let conflict = not_ours(undo, one, &now);
    let conflict = conflict.or_else(|| changed_since(&one.effect, &facets(&now, Some(&said))));
    if effect.action == Action::Updated {
        return restore(undo, one, id, conflict, archived).await;
    }
    let path = if archived {
        format!("/api/v2/tickets/archived/{id}")
    } else {
        format!("/api/v2/tickets/{id}")
    };
    let met = undo.finish(one, conflict, path).await?;
    if undo.session.previews() {
        return Ok(met);
    }
    let met = match met.0 {
        // A deletion that was sent twice is refused (Freshdesk facts §14).
        UndoStatus::Failed if look(undo.session.cx, id).await?.is_none() => {
            (UndoStatus::Undone, None)
        }
        _ => met,
    };
    undo.seen
        .borrow_mut()
        .insert(id, met.0 != UndoStatus::Undone);
    Ok(met)
}

/// Whether its field says that it stands for another record by now.
fn not_ours(undo: &Undo<'_>, one: &Undoing, now: &Ticket) -> Option<String> {
    let field = undo.state.field(Owner::Ticket, own_field::MARKER)?;
    let marker = now.custom_fields.get(field).and_then(Value::as_str);
    let marker = marker.unwrap_or_default();
    let ours = marker == one.marker || marker.starts_with(&format!("{}#", one.marker));
    (!ours).then(|| "its source id is not ours any more".to_owned())
}

/// A note of a ticket that stays, as it is now; else what becomes of the effect without it.
async fn as_it_is(undo: &Undo<'_>, one: &Undoing) -> Result<Result<Conversation, Verdict>, Error> {
    let Some((ticket, id)) = parts(&one.effect.target_id) else {
        return Ok(Err(verdict(UndoStatus::Cannot, NO_TICKET)));
    };
    if let Some(met) = with_its_ticket(undo, ticket).await? {
        return Ok(Err(met));
    }
    let said = notes(undo.session.cx, ticket, false).await?;
    let found = said.into_iter().find(|note| note.id == id);
    Ok(found.ok_or((UndoStatus::Gone, None)))
}

/// A note that the run made.
pub(super) async fn note(undo: &Undo<'_>, one: &Undoing) -> Result<Verdict, Error> {
    let now = match as_it_is(undo, one).await? {
        Ok(now) => now,
        Err(met) => return Ok(met),
    };
    let conflict = changed_since(&one.effect, &[("note".to_owned(), note_facet(&now))]);
    let path = format!("/api/v2/conversations/{}", now.id);
    undo.finish(one, conflict, path).await
}

/// A change to what the same item made: the time of a ticket, the images of a note.
pub(super) async fn change(undo: &Undo<'_>, one: &Undoing) -> Result<Verdict, Error> {
    if one.effect.target_kind != NOTE_CHANGE {
        let Ok(id) = one.effect.target_id.parse::<u64>() else {
            return Ok(verdict(UndoStatus::Cannot, NO_TICKET));
        };
        return match with_its_ticket(undo, id).await? {
            Some(met) => Ok(met),
            None => restore(undo, one, id, None, false).await,
        };
    }
    let now = match as_it_is(undo, one).await? {
        Ok(now) => now,
        Err(met) => return Ok(met),
    };
    let before = before(&one.effect).unwrap_or_default();
    let was = before
        .get("body")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let conflict = (text::letters(was) != text::letters(&now.body))
        .then(|| "its text was changed since".to_owned());
    if let Some(decided) = undo.session.decided(&conflict, UndoStatus::Restored) {
        return Ok(decided);
    }
    let path = format!("/api/v2/conversations/{}", now.id);
    undo.put(one, path, &Value::Object(before)).await
}

fn parts(target: &str) -> Option<(u64, u64)> {
    let (ticket, note) = target.split_once('/')?;
    Some((ticket.parse().ok()?, note.parse().ok()?))
}

/// What becomes of something in a ticket that is gone, or that the run made: the same as of the ticket.
async fn with_its_ticket(undo: &Undo<'_>, id: u64) -> Result<Option<Verdict>, Error> {
    let seen = undo.seen.borrow().get(&id).copied();
    let there = match seen {
        Some(there) => there,
        None => {
            let there = look(undo.session.cx, id).await?.is_some();
            undo.seen.borrow_mut().insert(id, there);
            there
        }
    };
    Ok(if !there {
        Some((UndoStatus::Gone, None))
    } else if !undo.session.is_ours(TICKET, &id.to_string()) {
        None
    } else if undo.session.previews() {
        Some((UndoStatus::Undone, None))
    } else {
        Some(verdict(UndoStatus::Left, "it goes with its ticket"))
    })
}

/// Puts back what was changed of a ticket.
async fn restore(
    undo: &Undo<'_>,
    one: &Undoing,
    id: u64,
    conflict: Option<String>,
    archived: bool,
) -> Result<Verdict, Error> {
    if undo.session.blocks(&conflict) {
        return Ok((UndoStatus::Conflict, conflict));
    }
    let mut before = before(&one.effect).unwrap_or_default();
    if before.is_empty() {
        return Ok(verdict(
            UndoStatus::Left,
            "the time of its last change is Freshdesk's own",
        ));
    }
    if archived {
        return Ok(verdict(UndoStatus::Cannot, "the ticket is archived"));
    }
    if undo.session.previews() {
        return Ok((UndoStatus::Restored, None));
    }
    // What was finished is finished without a mail.
    let status = before.get("status").and_then(Value::as_u64);
    let status = status.and_then(|status| u32::try_from(status).ok());
    if let Some(status) = status.filter(|status| is_finished(*status)) {
        before.shift_remove("status");
        let left = match close(undo.session.cx, status, &[id]).await? {
            Some((_, left)) => !left.is_empty(),
            None => true,
        };
        if left {
            let why = "it could not be finished again without a mail";
            return Ok(verdict(UndoStatus::Failed, why));
        }
        if before.is_empty() {
            return Ok((UndoStatus::Restored, None));
        }
    }
    let path = format!("/api/v2/tickets/{id}");
    undo.put(one, path, &Value::Object(before)).await
}
