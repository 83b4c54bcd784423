//! The list of tickets (Freshdesk facts §3).

use chrono::{DateTime, Utc};

use super::answer::{Failure, Outcome};
use super::call::Call;
use super::model::{Id, Ticket};
use super::state::{PersonKey, TicketKey, email_key};
use super::tickets::{self, OPEN};

/// Pages that can be read.
const PAGES: usize = 300;

pub(super) fn tickets(call: &mut Call<'_>) -> Outcome {
    call.query_only(&[
        "filter",
        "requester_id",
        "email",
        "unique_external_id",
        "company_id",
        "updated_since",
        "order_by",
        "order_type",
        "include",
    ])?;
    let includes = call.includes(&["stats", "requester", "description", "company"])?;
    let request = call.request;
    let filter = request.param("filter");
    let known = ["new_and_my_open", "watching", "spam", "deleted"];
    if filter.is_some_and(|name| !known.contains(&name)) {
        let message = format!("It should be one of these values: '{}'", known.join(","));
        return Err(Failure::invalid("filter", "invalid_value", message));
    }
    let order = request.param("order_by").unwrap_or("created_at");
    if !matches!(order, "created_at" | "due_by" | "updated_at" | "status") {
        let message = "It should be one of these values: 'created_at,due_by,updated_at,status'";
        return Err(Failure::invalid("order_by", "invalid_value", message));
    }
    let ascending = match request.param("order_type") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => {
            let message = "It should be one of these values: 'asc,desc'";
            return Err(Failure::invalid("order_type", "invalid_value", message));
        }
    };
    let since = call.query_time("updated_since")?;
    let mut requester = call.query_id("requester_id")?;
    let company = call.query_id("company_id")?;
    let state = &*call.state;
    let key = match (request.param("email"), request.param("unique_external_id")) {
        (Some(email), _) => Some(email_key(email)),
        (None, Some(id)) => Some(PersonKey::External(id.to_owned())),
        (None, None) => None,
    };
    if let Some(key) = key {
        // Nobody has the id 0.
        requester = Some(state.person_by(&key).unwrap_or(0));
    }
    let switches = &state.config.switches;
    let window = state.now - switches.list_window;
    let me = call.actor.id;
    let keep = |ticket: &&Ticket| {
        // §3: deleted and spam tickets are hidden, archived ones never listed.
        !tickets::archived(state, ticket)
            && ticket.deleted_at.is_some() == (filter == Some("deleted"))
            && ticket.spam == (filter == Some("spam"))
            && match filter {
                Some("new_and_my_open") => {
                    ticket.status == OPEN && ticket.responder_id.is_none_or(|id| id == me)
                }
                Some("watching") => false,
                _ => true,
            }
            && requester.is_none_or(|id| ticket.requester_id == id)
            && company.is_none_or(|id| ticket.company_id == Some(id))
            // §3: only what was made in the last 30 days, unless a time is given.
            && match since {
                Some(since) => ticket.updated_at >= since,
                None => ticket.created_at >= window,
            }
            && state.now - ticket.made_at >= switches.list_lag
    };
    let render = |ticket: &Ticket| tickets::render(state, &call.base, ticket, &includes, false);
    let of = |id: &Id| state.tickets.get(id);
    let key = match (requester, company) {
        (Some(id), _) => Some(TicketKey::Requester(id)),
        (None, Some(id)) => Some(TicketKey::Company(id)),
        (None, None) => None,
    };
    if let Some(key) = key {
        let found = state.tickets_with(key).filter(keep).collect();
        let found = sorted(found, order, ascending);
        return call.page(found.into_iter(), Some(PAGES), render);
    }
    let least = (since.unwrap_or(DateTime::<Utc>::MIN_UTC), 0);
    match (order, ascending) {
        ("updated_at", true) => {
            let found = state
                .tickets_changed
                .range(least..)
                .filter_map(|(_, id)| of(id));
            call.page(found.filter(keep), Some(PAGES), render)
        }
        ("updated_at", false) => {
            let found = state
                .tickets_changed
                .range(least..)
                .rev()
                .filter_map(|(_, id)| of(id));
            call.page(found.filter(keep), Some(PAGES), render)
        }
        ("created_at", true) => {
            let found = state.tickets_created.iter().filter_map(|(_, id)| of(id));
            call.page(found.filter(keep), Some(PAGES), render)
        }
        ("created_at", false) => {
            let found = state
                .tickets_created
                .iter()
                .rev()
                .filter_map(|(_, id)| of(id));
            call.page(found.filter(keep), Some(PAGES), render)
        }
        _ => {
            let found = state.tickets.values().filter(keep).collect();
            let found = sorted(found, order, ascending);
            call.page(found.into_iter(), Some(PAGES), render)
        }
    }
}

fn sorted<'s>(mut found: Vec<&'s Ticket>, order: &str, ascending: bool) -> Vec<&'s Ticket> {
    match order {
        "due_by" => found.sort_by_key(|ticket| (ticket.due_by, ticket.id)),
        "updated_at" => found.sort_by_key(|ticket| (ticket.updated_at, ticket.id)),
        "status" => found.sort_by_key(|ticket| (ticket.status, ticket.id)),
        _ => found.sort_by_key(|ticket| (ticket.created_at, ticket.id)),
    }
    if !ascending {
        found.reverse();
    }
    found
}
