//! Soft and permanent deletion of tickets and users (Zendesk facts §14, §6.2).
//!
//! A deleted ticket is out of sight but can be restored for 30 days; a purged one is gone. A user who is requester of
//! a ticket that is not closed cannot be deleted; a deleted user's addresses are free again.

use chrono::Duration;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::iso;
use super::call::{Actor, Call, Limit, Listed, page_list, page_map};
use super::jobs::{self, Work};
use super::model::{Deletion, Id, Status, Ticket, User};
use super::state::{Event, State, TicketKey};
use super::{organizations, tickets, uploads, users};

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("DELETE", ["tickets", "destroy_many"]) => many(call, Work::DeleteTicket),
        ("DELETE", ["tickets", id]) => call.id(id).and_then(|id| {
            call.limit(Limit::TicketDelete, "")?;
            soft_delete_ticket(call.state, &call.actor, id)?;
            Answer::bare(204)
        }),
        ("GET", ["deleted_tickets"]) => deleted_tickets(call),
        ("DELETE", ["deleted_tickets", "destroy_many"]) => many(call, Work::PurgeTicket),
        ("PUT", ["deleted_tickets", "restore_many"]) => call.many("ids").and_then(|ids| {
            for id in ids {
                restore(call.state, call.id(&id)?)?;
            }
            Answer::ok(Value::String(String::new()))
        }),
        ("PUT", ["deleted_tickets", id, "restore"]) => call.id(id).and_then(|id| {
            restore(call.state, id)?;
            Answer::ok(Value::String(String::new()))
        }),
        // §14: a job even for one.
        ("DELETE", ["deleted_tickets", id]) => call.id(id).and_then(|id| {
            call.admin()?;
            let deleted = call
                .state
                .tickets
                .get(&id)
                .is_some_and(|t| t.deleted.is_some());
            if !deleted {
                return Err(Failure::RecordNotFound);
            }
            jobs::start(
                call,
                "PermanentlyDeleteTicketsJob",
                "delete",
                vec![Work::PurgeTicket(id)],
            )
        }),
        ("GET", ["deleted_users"]) => page_map(
            call,
            "deleted_users",
            &call.state.users,
            |user| !user.active,
            |user| deleted_user(call, user),
        ),
        ("GET", ["deleted_users", "count"]) => {
            let count = call
                .state
                .users
                .values()
                .filter(|user| !user.active)
                .count();
            Answer::ok(users::count_json(call, count))
        }
        ("GET", ["deleted_users", id]) => call.id(id).and_then(|id| {
            let user = call.state.user(id)?;
            if user.active {
                return Err(Failure::RecordNotFound);
            }
            Answer::ok(json!({"deleted_user": deleted_user(call, user)}))
        }),
        ("DELETE", ["deleted_users", id]) => call.id(id).and_then(|id| {
            call.admin()?;
            call.limit(Limit::DeletedUser, "")?;
            let user = call.state.user(id)?.clone();
            if user.active {
                return Err(Failure::RecordNotFound);
            }
            let body = json!({"deleted_user": deleted_user(call, &user)});
            purge_user(call.state, id);
            Answer::ok(body)
        }),
        _ => return None,
    })
}

// ---- tickets

fn many(call: &mut Call<'_>, work: fn(Id) -> Work) -> Outcome {
    call.admin()?;
    let ids = call.many("ids")?;
    let work: Vec<Work> = ids.iter().map(|id| work(id.parse().unwrap_or(0))).collect();
    jobs::start(call, "BulkDeleteTicketJob", "delete", work)
}

/// Deletes a ticket softly; closed and archived ones too. Nobody is mailed [INF].
pub(super) fn soft_delete_ticket(state: &mut State, actor: &Actor, id: Id) -> Result<(), Failure> {
    state.ticket(id)?;
    let (at, by) = (state.second(), actor.user_id);
    state.edit_ticket(id, |ticket| ticket.deleted = Some(Deletion { at, by }));
    state.schedule(at + Duration::days(30), Event::PurgeTicket(id));
    Ok(())
}

fn restore(state: &mut State, id: Id) -> Result<(), Failure> {
    let deleted = state
        .tickets
        .get(&id)
        .is_some_and(|ticket| ticket.deleted.is_some());
    if !deleted {
        return Err(Failure::RecordNotFound);
    }
    state.edit_ticket(id, |ticket| ticket.deleted = None);
    Ok(())
}

/// Purges a ticket that has been soft-deleted.
pub(super) fn purge_ticket(state: &mut State, id: Id) -> Result<(), Failure> {
    let deleted = state
        .tickets
        .get(&id)
        .is_some_and(|ticket| ticket.deleted.is_some());
    if !deleted {
        return Err(Failure::RecordNotFound);
    }
    if let Some(ticket) = state.take_ticket(id) {
        for file in ticket
            .comments
            .iter()
            .flat_map(|comment| &comment.attachments)
        {
            uploads::forget(state, file);
        }
    }
    Ok(())
}

/// 30 days after its deletion a ticket is purged, unless it was restored.
pub(super) fn purge_if_due(state: &mut State, id: Id) {
    let now = state.now;
    let due = state
        .tickets
        .get(&id)
        .and_then(|ticket| ticket.deleted.as_ref());
    if due.is_some_and(|deletion| now - deletion.at >= Duration::days(30)) {
        // It is deleted, so this cannot be refused.
        let _ = purge_ticket(state, id);
    }
}

/// `GET /deleted_tickets`: archived ones are not shown (§12).
fn deleted_tickets(call: &mut Call<'_>) -> Outcome {
    call.limit(Limit::DeletedTickets, "")?;
    let page = call
        .request
        .param("page")
        .and_then(|page| page.parse::<u32>().ok());
    if page.is_some_and(|page| page > 100) {
        call.limit(Limit::DeletedTicketsDeep, "")?;
    }
    let state = &*call.state;
    let shown = |ticket: &&Ticket| ticket.deleted.is_some() && !tickets::archived(state, ticket);
    let list: Vec<&Ticket> = state.tickets.values().filter(shown).collect();
    page_list(call, "deleted_tickets", list.len(), |at| {
        let ticket = list.get(at)?;
        let deletion = ticket.deleted.as_ref()?;
        let name = state.users.get(&deletion.by).map(|user| user.name.clone());
        Some(json!({
            "id": ticket.id,
            "subject": ticket.subject.clone().unwrap_or_default(),
            "actor": {"id": deletion.by, "name": name.unwrap_or_default()},
            "deleted_at": iso(deletion.at),
            "previous_state": ticket.status.as_str(),
        }))
    })
}

// ---- users

impl Listed for Ticket {
    fn changed(&self) -> chrono::DateTime<chrono::Utc> {
        self.updated_at
    }

    fn rank(&self) -> u8 {
        self.status as u8
    }
}

fn deleted_user(call: &Call<'_>, user: &User) -> Value {
    json!({
        "id": user.id,
        "url": format!("{}/api/v2/deleted_users/{}", call.base, user.id),
        "name": user.name,
        "email": user.email().unwrap_or_default(),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
        "time_zone": user.time_zone,
        "phone": user.phone,
        "shared_phone_number": null,
        "photo": null,
        "locale_id": super::settings::locale_id(&user.locale),
        "locale": user.locale,
        "organization_id": user.organization_id,
        "role": user.role.as_str(),
        "active": false,
    })
}

/// `DELETE /users/{id}`: 200 with the user.
pub(super) fn user(call: &mut Call<'_>, id: Id) -> Outcome {
    call.admin()?;
    if id == call.actor.user_id {
        return Err(Failure::invalid("base", "You cannot delete yourself", None));
    }
    delete_user(call.state, id)?;
    let user = call.state.user(id)?;
    Answer::ok(json!({"user": users::render(call.state, &call.base, user)}))
}

/// Deletes a user softly.
pub(super) fn delete_user(state: &mut State, id: Id) -> Result<(), Failure> {
    let user = state.active_user(id).ok_or(Failure::RecordNotFound)?;
    if id == state.owner_id {
        return Err(Failure::invalid(
            "base",
            "The account owner cannot be deleted",
            None,
        ));
    }
    let name = user.name.clone();
    // §6.2: refused while requester of a ticket that is not closed.
    let open = state
        .tickets_with(&TicketKey::Requester(id))
        .any(|ticket| ticket.deleted.is_none() && ticket.status != Status::Closed);
    if open {
        let text = format!("{name} cannot be deleted: requester of tickets that are not closed");
        return Err(Failure::invalid("base", text, Some("UserHasOpenTickets")));
    }
    let groups: Vec<Id> = state.group_memberships.of_user(id).map(|m| m.id).collect();
    for membership in groups {
        super::groups::remove_membership(state, membership)?;
    }
    let members: Vec<Id> = state
        .organization_memberships
        .of_user(id)
        .map(|m| m.id)
        .collect();
    for membership in members {
        organizations::remove_membership(state, membership)?;
    }
    let now = state.second();
    state.edit_user(id, |user| {
        user.active = false;
        user.deleted_at = Some(now);
    });
    state.schedule(now + Duration::days(30), Event::PurgeUser(id));
    Ok(())
}

/// Removes a soft-deleted user for good.
pub(super) fn purge_user(state: &mut State, id: Id) {
    if state.take_user(id).is_some() {
        state.purged_users.insert(id);
    }
}

/// 30 days after the soft deletion a user is purged.
pub(super) fn purge_user_if_due(state: &mut State, id: Id) {
    if state.users.get(&id).is_some_and(|user| !user.active) {
        purge_user(state, id);
    }
}

/// `DELETE /users/destroy_many`: refusals are rows of the job (§6.2).
pub(super) fn users_destroy_many(call: &mut Call<'_>) -> Outcome {
    call.admin()?;
    let work = users::targets(call)?
        .into_iter()
        .map(Work::DeleteUser)
        .collect();
    jobs::start(call, "BulkDeleteUserJob", "delete", work)
}
