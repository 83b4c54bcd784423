//! Tickets, what is said in them, their files, tags and changes.
//!
//! A ticket takes all that hangs on it along, so it goes only where nothing of it is somebody else's. Its parts stand before it among
//! the effects and are met after it is gone. In a ticket that stays, comments and files can be deleted, threads cannot (Zoho Desk
//! facts §12).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transload_sdk::destination::Undoing;
use transload_sdk::effects::{Verdict, before, short_hash, verdict};
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::policy::holds;
use transload_sdk::types::Error;
use transload_sdk::undo::{as_before, nothing_recorded};

use super::{Trash, Undo};
use crate::own;
use crate::thread::{facets, joined, known_by, marker_of};
use crate::ticket::{self, Comment, Spoken, Ticket};
use crate::verify::talk;
use crate::write::tickets::{ATTACHMENT, COMMENT, THREAD, TICKET, TICKET_CHANGE, TICKET_TAGS};

/// Undoes effects of one action on one kind, if it is one of a ticket's.
///
/// # Errors
/// What ends the unit.
pub async fn many(undo: &Undo<'_>, all: &[&Undoing]) -> Result<Option<Vec<Verdict>>, Error> {
    let Some(first) = all.first() else {
        return Ok(None);
    };
    let kind = first.effect.target_kind.as_str();
    if kind == TICKET && first.effect.action == Action::Created {
        return tickets(undo, all).await.map(Some);
    }
    if ![
        TICKET,
        THREAD,
        COMMENT,
        ATTACHMENT,
        TICKET_CHANGE,
        TICKET_TAGS,
    ]
    .contains(&kind)
    {
        return Ok(None);
    }
    let mut verdicts = Vec::with_capacity(all.len());
    for one in all {
        verdicts.push(match kind {
            TICKET => restore(undo, one).await?,
            TICKET_CHANGE => verdict(UndoStatus::Left, "it goes with its ticket"),
            _ => part(undo, kind, one).await?,
        });
    }
    Ok(Some(verdicts))
}

/// Tickets that a run made.
async fn tickets(undo: &Undo<'_>, all: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
    let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(all.len());
    let mut doomed = Vec::new();
    for one in all {
        let id = &one.effect.target_id;
        let Some(now) = ticket::ticket(&undo.desk, id).await? else {
            undo.seen.borrow_mut().insert(id.clone(), false);
            verdicts.push(Some((UndoStatus::Gone, None)));
            continue;
        };
        let conflict = conflict(undo, one, &now).await?;
        verdicts.push(if undo.blocks(&conflict) {
            undo.seen.borrow_mut().insert(id.clone(), true);
            Some((UndoStatus::Conflict, conflict))
        } else {
            undo.seen.borrow_mut().insert(id.clone(), false);
            doomed.push((*one, id.clone()));
            None
        });
    }
    let of = Trash {
        module: "tickets",
        ids: "ticketIds",
    };
    let undone = if undo.previews() {
        doomed.iter().map(|_| (UndoStatus::Undone, None)).collect()
    } else {
        undo.trash(of, &doomed).await?
    };
    let mut undone = doomed.iter().zip(undone);
    let verdicts = verdicts.into_iter().map(|known| {
        known.unwrap_or_else(|| {
            let next = undone.next();
            let ((_, id), verdict) = next.map_or_else(
                || ((None, String::new()), (UndoStatus::Undone, None)),
                |((one, id), verdict)| ((Some(*one), id.clone()), verdict),
            );
            if verdict.0 == UndoStatus::Failed {
                undo.seen.borrow_mut().insert(id, true);
            }
            verdict
        })
    });
    Ok(verdicts.collect())
}

/// What is in the way of deleting a ticket.
async fn conflict(undo: &Undo<'_>, one: &Undoing, now: &Ticket) -> Result<Option<String>, Error> {
    let desk = &undo.desk;
    let held = now.own(desk, own::MARKER);
    if held.is_some_and(|held| held != marker_of(&one.marker)) {
        return Ok(Some("its source id is not ours any more".to_owned()));
    }
    let mut facets = facets(&now.values, &desk.state);
    let id = &one.effect.target_id;
    let files = ticket::attachments(desk, id).await?;
    let ids: Vec<String> = files.into_iter().map(|file| file.id).collect();
    facets.push(("files".to_owned(), joined(&ids)));
    let changed = |said: &[Spoken]| undo.changed(one, &[facets.clone(), talk(said)].concat());
    let said = ticket::spoken(desk, id).await?;
    let conflict = changed(&said);
    // What this run said later and could not take off is nobody else's.
    let is_left = |spoken: &Spoken| undo.stays.contains(&format!("{id}/{}", spoken.id()));
    let (left, rest): (Vec<_>, Vec<_>) = said.into_iter().partition(is_left);
    Ok(match conflict {
        Some(_) if !left.is_empty() => changed(&rest),
        conflict => conflict,
    })
}

/// Puts back what an update changed, where it still is what we wrote.
async fn restore(undo: &Undo<'_>, one: &Undoing) -> Result<Verdict, Error> {
    let id = &one.effect.target_id;
    let Some(now) = ticket::ticket(&undo.desk, id).await? else {
        return Ok((UndoStatus::Gone, None));
    };
    let Some(before) = before(&one.effect) else {
        return Ok(nothing_recorded());
    };
    if holds(&Value::Object(now.values.clone()), &before) {
        return Ok(as_before());
    }
    let conflict = undo.changed(one, &facets(&now.values, &undo.desk.state));
    let request = undo.request(one, "PATCH", format!("/tickets/{id}"), "restore");
    let request = request.json(&before);
    undo.finish(conflict, request, UndoStatus::Restored).await
}

/// Something of a ticket. Where the ticket is gone it is gone, too; of one that stays it is taken away.
async fn part(undo: &Undo<'_>, kind: &str, one: &Undoing) -> Result<Verdict, Error> {
    let Some((ticket, id)) = one.effect.target_id.split_once('/') else {
        return Ok(verdict(UndoStatus::Cannot, "without its ticket"));
    };
    let known = undo.seen.borrow().get(ticket).copied();
    let there = match known {
        Some(there) => there,
        None => {
            let there = ticket::ticket(&undo.desk, ticket).await?.is_some();
            undo.seen.borrow_mut().insert(ticket.to_owned(), there);
            there
        }
    };
    // What this run made stays as a whole, or goes as a whole.
    if undo.is_ours(TICKET, ticket) {
        return Ok(verdict(UndoStatus::Left, "it goes with its ticket"));
    }
    if !there {
        return Ok((UndoStatus::Gone, None));
    }
    match kind {
        COMMENT => comment(undo, one, ticket, id).await,
        ATTACHMENT => {
            let path = format!("/tickets/{ticket}/attachments/{id}");
            let request = undo.request(one, "DELETE", path, "delete");
            undo.finish(None, request, UndoStatus::Undone).await
        }
        TICKET_TAGS => tags(undo, one, ticket).await,
        _ => Ok(verdict(
            UndoStatus::Cannot,
            "Zoho Desk deletes no single thread",
        )),
    }
}

async fn comment(undo: &Undo<'_>, one: &Undoing, ticket: &str, id: &str) -> Result<Verdict, Error> {
    let path = format!("/tickets/{ticket}/comments/{id}");
    let Some(now) = undo.desk.find::<Comment>(&path).await? else {
        return Ok((UndoStatus::Gone, None));
    };
    let content = short_hash(&known_by(&now.content));
    let conflict = undo.changed(one, &[("content".to_owned(), content)]);
    let request = undo.request(one, "DELETE", path, "delete");
    undo.finish(conflict, request, UndoStatus::Undone).await
}

async fn tags(undo: &Undo<'_>, one: &Undoing, ticket: &str) -> Result<Verdict, Error> {
    let before = before(&one.effect).unwrap_or_default();
    let added: BTreeSet<&str> = before
        .get("added")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let now = ticket::tags(&undo.desk, ticket).await?;
    let tags: Vec<&str> = added.into_iter().filter(|tag| now.contains(*tag)).collect();
    if tags.is_empty() {
        return Ok(as_before());
    }
    let path = format!("/tickets/{ticket}/dissociateTag");
    let request = undo.request(one, "POST", path, "restore");
    let request = request.json(&json!({ "tags": tags }));
    undo.finish(None, request, UndoStatus::Restored).await
}
