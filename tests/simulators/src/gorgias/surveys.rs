//! Satisfaction surveys (Gorgias facts §9).

use chrono::Duration;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, key, page, paging, time_of};
use super::model::{Id, Moment, Status, Survey};
use super::read::Reader;
use super::state::{Due, State};
use crate::common::OutboxItem;

/// How long after the closing the account's own survey is sent (§12).
const OWN_AFTER_DAYS: i64 = 1;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["satisfaction-surveys"], "GET") => list(call),
        (["satisfaction-surveys"], "POST") => post(call),
        (["satisfaction-surveys", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let survey = call.state.surveys.get(&id).ok_or(Failure::NotFound)?;
            Answer::ok(render(call.state, survey))
        }),
        (["satisfaction-surveys", id], "PUT") => call.id(id).and_then(|id| put(call, id)),
        (["satisfaction-surveys"] | ["satisfaction-surveys", _], _) => Err(Failure::Method),
        _ => return None,
    })
}

/// A survey as answers show it.
pub(super) fn render(state: &State, survey: &Survey) -> Value {
    let time = |time: Option<Moment>| time.map(|time| time_of(state, time));
    json!({
        "id": survey.id,
        "customer_id": survey.customer_id,
        "ticket_id": survey.ticket_id,
        "score": survey.score,
        "body_text": survey.body_text,
        "created_datetime": time_of(state, survey.created_at),
        "sent_datetime": time(survey.sent_at),
        "scored_datetime": time(survey.scored_at),
        "should_send_datetime": time(survey.should_send_at),
        "meta": survey.meta,
        "uri": format!("/api/satisfaction-surveys/{}", survey.id),
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED])?;
    let paging = paging(call, &["created_datetime"])?;
    let all = call.state.surveys.values();
    let places = all
        .map(|survey| key(survey.created_at, survey.id))
        .collect();
    page(call, &paging, &places, |id| {
        Some(render(call.state, call.state.surveys.get(&id)?))
    })
}

const KEYS: [&str; 9] = [
    "customer_id",
    "ticket_id",
    "score",
    "body_text",
    "created_datetime",
    "sent_datetime",
    "scored_datetime",
    "should_send_datetime",
    "meta",
];

/// What a body says; what it does not say is empty, for `PUT` replaces all.
fn apply(state: &State, reader: &mut Reader<'_>, survey: &mut Survey) {
    let exact = state.config.switches.subseconds_kept;
    survey.score = reader
        .integer("score")
        .and_then(|score| u8::try_from(score).ok());
    if reader.raw("score").is_some() && !survey.score.is_some_and(|s| (1..=5).contains(&s)) {
        reader.problem("score", "Must be between 1 and 5.");
    }
    survey.body_text = reader.text("body_text", 1000);
    survey.sent_at = reader.time("sent_datetime", exact);
    survey.scored_at = reader.time("scored_datetime", exact);
    survey.should_send_at = reader.time("should_send_datetime", exact);
    // §9: null is never; left out, it is the account's own time, which is now.
    if !reader.given("should_send_datetime") && state.config.switches.omitted_should_send_mails {
        survey.should_send_at = Some(state.now);
    }
    survey.meta = reader.object("meta");
    let created = reader.time("created_datetime", exact);
    survey.created_at = created.unwrap_or(state.now);
    survey.created_given = created.is_some();
}

/// §9, [L]: both numbers are wanted every time.
fn linked(state: &State, reader: &mut Reader<'_>) -> (Id, Id) {
    let customer = reader.id("customer_id").unwrap_or_default();
    let ticket = reader.id("ticket_id").unwrap_or_default();
    for (key, known) in [
        ("customer_id", state.customers.contains_key(&customer)),
        ("ticket_id", state.tickets.contains_key(&ticket)),
    ] {
        if reader.raw(key).is_none() {
            reader.required(key);
        } else if !known {
            reader.problem(key, "Not found.");
        }
    }
    (customer, ticket)
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let msg = "Failed to create satisfaction survey";
    let mut reader = Reader::new(&call.request.json, &KEYS);
    let (customer_id, ticket_id) = linked(call.state, &mut reader);
    let mut survey = Survey {
        id: call.state.next_id(),
        customer_id,
        ticket_id,
        score: None,
        body_text: None,
        created_at: call.state.now,
        created_given: false,
        sent_at: None,
        scored_at: None,
        should_send_at: None,
        meta: Value::Null,
    };
    apply(call.state, &mut reader, &mut survey);
    reader.finish(msg)?;
    // §9: one for a ticket.
    if call.state.ticket(ticket_id)?.survey.is_some() {
        return Err(Failure::exists());
    }
    let answer = render(call.state, &survey);
    keep(call.state, survey);
    Answer::created(answer)
}

fn keep(state: &mut State, survey: Survey) {
    let (id, ticket) = (survey.id, survey.ticket_id);
    if let Some(at) = survey.should_send_at
        && survey.sent_at.is_none()
    {
        state.schedule(at.max(state.now), Due::Survey(id));
    }
    state.surveys.insert(id, survey);
    state.edit_ticket(ticket, |ticket| ticket.survey = Some(id));
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let found = call.state.surveys.get(&id).cloned();
    let mut survey = found.ok_or(Failure::NotFound)?;
    let mut reader = Reader::new(&call.request.json, &KEYS);
    let (customer, ticket) = linked(call.state, &mut reader);
    if reader.raw("ticket_id").is_some() && ticket != survey.ticket_id {
        reader.problem("ticket_id", "Field may not be changed.");
    }
    survey.customer_id = customer;
    apply(call.state, &mut reader, &mut survey);
    reader.finish("Failed to update satisfaction survey")?;
    let answer = render(call.state, &survey);
    keep(call.state, survey);
    Answer::accepted(answer)
}

/// A survey goes out to the customer.
pub(super) fn send(state: &mut State, id: Id) {
    let now = state.now;
    let Some(survey) = state.surveys.get_mut(&id) else {
        return;
    };
    let due = survey.should_send_at.is_some_and(|time| time <= now);
    if survey.sent_at.is_some() || !due {
        return;
    }
    survey.sent_at = Some(now);
    let (customer, ticket) = (survey.customer_id, survey.ticket_id);
    mail(
        state,
        customer,
        ticket,
        "Its should_send_datetime has come.",
    );
}

fn mail(state: &State, customer: Id, ticket: Id, reason: &str) {
    let customer = state.customers.get(&customer);
    let to = customer.and_then(|customer| customer.email.clone());
    state.outbox.push(OutboxItem {
        at_ms: state.now.timestamp_millis(),
        kind: "survey".to_owned(),
        to: to.unwrap_or_default(),
        about: format!("ticket {ticket}"),
        reason: reason.to_owned(),
    });
}

/// The account's own survey is thought of when a ticket is closed (§12).
pub(super) fn think(state: &mut State, ticket: Id) {
    let at = state.now + Duration::days(OWN_AFTER_DAYS);
    state.schedule(at, Due::OwnSurvey(ticket));
}

/// The account's own survey about a ticket that is still closed, was answered and has none.
pub(super) fn own(state: &mut State, ticket: Id) {
    let Some(found) = state.tickets.get(&ticket) else {
        return;
    };
    let answered = state
        .thread(ticket)
        .any(|message| message.from_agent && !message.is_note());
    let fits = found.status == Status::Closed
        && found.survey.is_none()
        && found.trashed_at.is_none()
        && !found.spam;
    let Some(customer) = found.customer_id.filter(|_| fits && answered) else {
        return;
    };
    let survey = Survey {
        id: state.next_id(),
        customer_id: customer,
        ticket_id: ticket,
        score: None,
        body_text: None,
        created_at: state.now,
        created_given: false,
        sent_at: Some(state.now),
        scored_at: None,
        should_send_at: Some(state.now),
        meta: Value::Null,
    };
    keep(state, survey);
    mail(
        state,
        customer,
        ticket,
        "The account sends surveys about closed tickets.",
    );
}
