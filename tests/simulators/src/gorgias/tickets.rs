//! Tickets (Gorgias facts §6, §13).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Key, PAGED, key, page, paging, time_of};
use super::customers::in_short;
use super::fields::{self, Values};
use super::messages::{self, Draft, Person, SUBJECT_LENGTH};
use super::model::{Given, Id, Moment, ObjectType, Status, Ticket};
use super::read::{EXTERNAL_ID_LENGTH, Problems, Reader};
use super::rules::{self, Happened};
use super::state::{Due, State, TicketKey};
use super::switches::UnknownTag;
use super::{surveys, tags};

/// Messages of one creation (§6).
const MESSAGES: usize = 500;
const PRIORITIES: [&str; 4] = ["critical", "high", "normal", "low"];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["tickets"], "GET") => list(call),
        (["tickets"], "POST") => post(call),
        (["tickets", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[&["relationships", "relationships[]"]])?;
            let with_values = call.wants("custom_fields");
            let ticket = call.state.ticket(id)?;
            Answer::ok(render(call.state, ticket, true, with_values))
        }),
        (["tickets", id], "PUT") => call.id(id).and_then(|id| put(call, id)),
        (["tickets", id], "DELETE") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.ticket(id)?;
            erase(call.state, id);
            Answer::bare(204)
        }),
        (["tickets", id, "tags"], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let ticket = call.state.ticket(id)?;
            // §4: not paged.
            Answer::ok(json!({"data": shown_tags(call.state, ticket)}))
        }),
        (["tickets", id, "tags"], "POST" | "PUT" | "DELETE") => {
            call.id(id).and_then(|id| change_tags(call, id, &method))
        }
        (["tickets", id, "custom-fields"], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let ticket = call.state.ticket(id)?;
            let values = fields::with_fields(call.state, &ticket.custom_fields);
            Answer::ok(json!({"data": values}))
        }),
        (["tickets", id, "custom-fields"], "PUT") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.ticket(id)?;
            let body = &call.request.json;
            let values = fields::values_of_body(call.state, ObjectType::Ticket, body)?;
            put_values(call, id, values)
        }),
        (["tickets", id, "custom-fields", field], "PUT") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.ticket(id)?;
            let field = call.id(field)?;
            let body = &call.request.json;
            let values = fields::value_of_body(call.state, ObjectType::Ticket, field, body)?;
            put_values(call, id, values)
        }),
        (["tickets", id, "custom-fields", field], "DELETE") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.ticket(id)?;
            let field = call.id(field)?;
            call.state
                .change_ticket(id, |ticket| ticket.custom_fields.remove(&field));
            Answer::bare(204)
        }),
        (
            ["tickets"]
            | ["tickets", _]
            | ["tickets", _, "tags" | "custom-fields"]
            | ["tickets", _, "custom-fields", _],
            _,
        ) => Err(Failure::Method),
        _ => return None,
    })
}

fn put_values(call: &mut Call<'_>, id: Id, values: Values) -> Outcome {
    call.state.change_ticket(id, |ticket| {
        fields::merge_values(&mut ticket.custom_fields, values)
    });
    let ticket = call.state.ticket(id)?;
    let values = fields::with_fields(call.state, &ticket.custom_fields);
    // [L]: a bare array, which the list of them is not.
    Answer::accepted(values)
}

fn shown_tags(state: &State, ticket: &Ticket) -> Vec<Value> {
    let tags = ticket.tags.iter();
    tags.filter_map(|tag| tags::on_ticket(state, *tag))
        .collect()
}

/// A ticket as answers show it.
pub(super) fn render(
    state: &State,
    ticket: &Ticket,
    with_messages: bool,
    with_values: bool,
) -> Value {
    let time = |time: Option<Moment>| time.map(|time| time_of(state, time));
    let customer = ticket.customer_id.and_then(|id| state.customers.get(&id));
    let user = ticket.assignee_user_id.and_then(|id| state.users.get(&id));
    let team = ticket.assignee_team_id.and_then(|id| state.teams.get(&id));
    let survey = ticket.survey.and_then(|id| state.surveys.get(&id));
    let excerpt = state.thread(ticket.id).next_back().and_then(|message| {
        let text = message
            .stripped_text
            .as_deref()
            .or(message.body_text.as_deref())?;
        Some(text.chars().take(200).collect::<String>())
    });
    let mut shown = json!({
        "id": ticket.id,
        "uri": format!("/api/tickets/{}", ticket.id),
        "external_id": ticket.external_id,
        "events": null,
        "status": ticket.status.as_str(),
        "priority": ticket.priority,
        "channel": ticket.channel,
        "via": ticket.via,
        "from_agent": ticket.from_agent,
        "spam": ticket.spam,
        "customer": customer.map(in_short),
        "assignee_user": user.map(|user| json!({
            "id": user.id, "email": user.email, "name": user.name, "firstname": user.firstname,
            "lastname": user.lastname, "meta": user.meta,
        })),
        "assignee_user_id": ticket.assignee_user_id,
        "assignee_team": team.map(|team| json!({
            "id": team.id, "name": team.name, "decoration": team.decoration,
        })),
        "assignee_team_id": ticket.assignee_team_id,
        "language": ticket.language,
        "subject": ticket.subject,
        "summary": null,
        "meta": ticket.meta,
        "tags": shown_tags(state, ticket),
        "is_unread": ticket.is_unread,
        "excerpt": excerpt,
        "messages_count": ticket.messages.len(),
        "integrations": [],
        "created_datetime": time_of(state, ticket.created_at),
        "opened_datetime": time(ticket.opened_at),
        "last_received_message_datetime": time(ticket.last_received_message_at),
        "last_message_datetime": time(ticket.last_message_at),
        "updated_datetime": time_of(state, ticket.updated_at),
        "closed_datetime": time(ticket.closed_at),
        "trashed_datetime": time(ticket.trashed_at),
        "snooze_datetime": time(ticket.snooze_at),
        "satisfaction_survey": survey.map(|survey| surveys::render(state, survey)),
    });
    let Some(map) = shown.as_object_mut() else {
        return shown;
    };
    if with_messages {
        let thread = state.thread(ticket.id);
        let thread: Vec<Value> = thread.map(|m| messages::render(state, m)).collect();
        map.insert("messages".to_owned(), Value::Array(thread));
        let channel = ticket.channel.as_str();
        let can_answer = customer.is_some();
        map.insert(
            "reply_options".to_owned(),
            json!({channel: {"answerable": can_answer}}),
        );
    }
    if with_values {
        let values = fields::by_id(&ticket.custom_fields);
        map.insert("custom_fields".to_owned(), values);
    }
    shown
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[
        &PAGED,
        &[
            "external_id",
            "customer_id",
            "trashed",
            "ticket_ids",
            "ticket_ids[]",
        ],
    ])?;
    let paging = paging(call, &["created_datetime", "updated_datetime"])?;
    let by_update = paging.by == "updated_datetime";
    // §4: trashed ones are in the list unless `trashed=false`.
    let trashed = call.flag_param("trashed")?.unwrap_or(true);
    let customer = call.id_param("customer_id")?;
    let external = call.request.param("external_id");
    let ids: Vec<Id> = ["ticket_ids", "ticket_ids[]"]
        .into_iter()
        .flat_map(|name| call.request.params(name))
        .flat_map(|list| list.split(','))
        .filter_map(|id| id.trim().parse().ok())
        .collect();
    let state = &*call.state;
    let show = |id: Id| {
        let ticket = state.tickets.get(&id)?;
        let keep = (trashed || ticket.trashed_at.is_none())
            && customer.is_none_or(|id| ticket.customer_id == Some(id))
            && external.is_none_or(|id| ticket.external_id.as_deref() == Some(id))
            && (ids.is_empty() || ids.contains(&id))
            && state.is_listed(ticket.touched_at);
        keep.then(|| render(state, ticket, false, false))
    };
    let found = if let Some(external) = external {
        Some(state.ticket_ids(&TicketKey::External(external.to_owned())))
    } else if let Some(customer) = customer {
        Some(state.ticket_ids(&TicketKey::Customer(customer)))
    } else if !ids.is_empty() {
        Some(ids.clone())
    } else {
        None
    };
    if let Some(found) = found {
        let place = |id: Id| {
            let ticket = state.tickets.get(&id)?;
            let time = if by_update {
                ticket.updated_at
            } else {
                ticket.created_at
            };
            Some(key(time, id))
        };
        let places: BTreeSet<Key> = found.into_iter().filter_map(place).collect();
        return page(call, &paging, &places, show);
    }
    let places = if by_update {
        &state.tickets_updated
    } else {
        &state.tickets_created
    };
    page(call, &paging, places, show)
}

/// What both a creation and a change may say.
const KEYS: [&str; 21] = [
    "assignee_team",
    "assignee_user",
    "channel",
    "closed_datetime",
    "custom_fields",
    "customer",
    "external_id",
    "from_agent",
    "language",
    "last_message_datetime",
    "last_received_message_datetime",
    "meta",
    "opened_datetime",
    "priority",
    "snooze_datetime",
    "spam",
    "status",
    "subject",
    "tags",
    "trashed_datetime",
    "updated_datetime",
];

/// A tag that a body names.
enum Named {
    Known(Id),
    New(String),
}

/// What a body says about a ticket and is not simply stored.
#[derive(Default)]
struct Besides {
    customer: Option<Person>,
    tags: Option<Vec<Named>>,
    values: Option<Values>,
}

/// A tag by its name, which is made, refused or dropped when unknown (§6 [?]).
fn named(state: &State, name: &str) -> Result<Option<Named>, &'static str> {
    if let Some(id) = state.tags_by_name.get(name) {
        return Ok(Some(Named::Known(*id)));
    }
    match state.config.switches.unknown_tag {
        UnknownTag::Made => Ok(Some(Named::New(name.to_owned()))),
        UnknownTag::Refused => Err("Tag not found."),
        UnknownTag::Dropped => Ok(None),
    }
}

fn read_tags(state: &State, reader: &mut Reader<'_>) -> Option<Vec<Named>> {
    if !reader.given("tags") {
        return None;
    }
    let mut problems = Problems::new();
    let mut found = Vec::new();
    for (at, value) in reader.list("tags").into_iter().flatten().enumerate() {
        let mut nested = Reader::new(value, &["id", "name", "decoration"]);
        let id = nested.id("id");
        let name = nested.text("name", 256);
        nested.object("decoration");
        match (id, name) {
            (Some(id), _) if state.tags.contains_key(&id) => found.push(Named::Known(id)),
            (_, Some(name)) if !name.is_empty() => match named(state, &name) {
                Ok(tag) => found.extend(tag),
                Err(problem) => nested.problem("name", problem),
            },
            _ => nested.required("name"),
        }
        let wrong = nested.problems();
        if !wrong.is_empty() {
            problems.insert(at.to_string(), Value::Object(wrong));
        }
    }
    reader.nested("tags", problems);
    Some(found)
}

/// The ids of the tags, those made that have to be.
fn settle_tags(state: &mut State, named: Vec<Named>) -> Vec<Id> {
    let mut ids = Vec::new();
    for tag in named {
        let id = match tag {
            Named::Known(id) => id,
            // The same name twice makes one tag.
            Named::New(name) => match state.tags_by_name.get(&name) {
                Some(id) => *id,
                None => tags::make(state, &name, true),
            },
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// The number in `{"id":…}`; null, or null for the id, is nobody.
fn assignee(
    reader: &mut Reader<'_>,
    field: &str,
    known: impl Fn(&Id) -> bool,
) -> Option<Option<Id>> {
    if !reader.given(field) {
        return None;
    }
    let Some(value) = reader.raw(field) else {
        return Some(None);
    };
    let keys = [
        "id",
        "email",
        "name",
        "firstname",
        "lastname",
        "meta",
        "decoration",
    ];
    let mut nested = Reader::new(value, &keys);
    let id = nested.id("id").filter(|id| *id != 0);
    if id.is_some_and(|id| !known(&id)) {
        nested.problem("id", "Not found.");
    }
    let problems = nested.problems();
    reader.nested(field, problems);
    Some(id)
}

fn apply(state: &State, reader: &mut Reader<'_>, ticket: &mut Ticket) -> Besides {
    let exact = state.config.switches.subseconds_kept;
    if reader.given("channel")
        && let Some(channel) = messages::channel(state, reader)
    {
        ticket.channel = channel;
    }
    if reader.given("via")
        && let Some(via) = messages::via(reader)
    {
        ticket.via = via;
    }
    for (key, longest, part) in [
        ("external_id", EXTERNAL_ID_LENGTH, &mut ticket.external_id),
        ("subject", SUBJECT_LENGTH, &mut ticket.subject),
        ("language", 2, &mut ticket.language),
    ] {
        if reader.given(key) {
            *part = reader.text(key, longest);
        }
    }
    for (key, part) in [
        ("from_agent", &mut ticket.from_agent),
        ("spam", &mut ticket.spam),
    ] {
        if let Some(flag) = reader.flag(key) {
            *part = flag;
        }
    }
    if let Some(priority) = reader.choice("priority", &PRIORITIES) {
        ticket.priority = priority;
    }
    if reader.given("meta") {
        ticket.meta = reader.object("meta");
    }
    for (key, part) in [
        ("opened_datetime", &mut ticket.opened_at),
        ("snooze_datetime", &mut ticket.snooze_at),
        ("last_message_datetime", &mut ticket.last_message_at),
        (
            "last_received_message_datetime",
            &mut ticket.last_received_message_at,
        ),
        ("trashed_datetime", &mut ticket.trashed_at),
        ("closed_datetime", &mut ticket.closed_at),
    ] {
        if reader.given(key) {
            *part = reader.time(key, exact);
        }
    }
    if reader.given("trashed_datetime") {
        ticket.given.trashed = ticket.trashed_at.is_some();
    }
    // [L]: `closed_datetime` closes, unless the status says otherwise.
    let status = reader.choice("status", &["open", "closed"]);
    if reader.given("closed_datetime") {
        ticket.given.closed = ticket.closed_at.is_some();
        if ticket.closed_at.is_some() {
            ticket.status = Status::Closed;
        }
    }
    match status.as_deref() {
        Some("closed") => {
            ticket.status = Status::Closed;
            if ticket.closed_at.is_none() {
                ticket.closed_at = Some(state.now);
                ticket.given.closed = false;
            }
        }
        Some(_) => {
            ticket.status = Status::Open;
            if !reader.given("closed_datetime") {
                ticket.closed_at = None;
                ticket.given.closed = false;
            }
        }
        None => {}
    }
    if let Some(time) = reader.time("updated_datetime", exact) {
        ticket.updated_at = time;
        ticket.given.updated = true;
    }
    if let Some(user) = assignee(reader, "assignee_user", |id| state.users.contains_key(id)) {
        ticket.assignee_user_id = user;
    }
    if let Some(team) = assignee(reader, "assignee_team", |id| state.teams.contains_key(id)) {
        ticket.assignee_team_id = team;
    }
    let mut besides = Besides {
        customer: messages::read_customer(state, reader, "customer"),
        tags: read_tags(state, reader),
        values: None,
    };
    if reader.given("custom_fields") {
        let list = reader.list("custom_fields").map_or(&[][..], Vec::as_slice);
        match fields::read_values(state, ObjectType::Ticket, list) {
            Ok(values) => besides.values = Some(values),
            Err(problems) => reader.nested("custom_fields", problems),
        }
    }
    besides
}

/// Whether a ticket may be closed: required fields must be filled, if requests are held to it (§9).
fn check_required(state: &State, reader: &mut Reader<'_>, ticket: &Ticket, values: &Values) {
    if !state.config.switches.required_field_blocks || ticket.status != Status::Closed {
        return;
    }
    let lacking = state.fields.values().any(|field| {
        field.object == ObjectType::Ticket
            && field.required
            && field.deactivated_at.is_none()
            && !values.contains_key(&field.id)
    });
    if lacking {
        reader.problem("custom_fields", "Required ticket fields are missing.");
    }
}

fn blank(state: &mut State) -> Ticket {
    Ticket {
        id: state.next_id(),
        external_id: None,
        status: Status::Open,
        priority: "normal".to_owned(),
        channel: String::new(),
        via: String::new(),
        from_agent: false,
        spam: false,
        customer_id: None,
        assignee_user_id: None,
        assignee_team_id: None,
        language: None,
        subject: None,
        meta: Value::Null,
        tags: Vec::new(),
        custom_fields: Values::new(),
        messages: Vec::new(),
        survey: None,
        is_unread: false,
        created_at: state.now,
        opened_at: None,
        last_received_message_at: None,
        last_message_at: None,
        updated_at: state.now,
        closed_at: None,
        trashed_at: None,
        snooze_at: None,
        given: Given::default(),
        touched_at: state.now,
    }
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let (body, caller) = (&call.request.json, call.actor.user_id);
    let id = make(call.state, body, caller)?;
    let ticket = call.state.ticket(id)?;
    Answer::created(render(call.state, ticket, true, true))
}

/// Makes a ticket with its messages from a body, or nothing at all (§6).
pub(super) fn make(state: &mut State, body: &Value, caller: Id) -> Result<Id, Failure> {
    let msg = "Failed to create ticket";
    let mut known = KEYS.to_vec();
    // The last two are ignored.
    known.extend(["via", "messages", "created_datetime", "events", "requester"]);
    let mut ticket = blank(state);
    let mut reader = Reader::new(body, &known);
    reader.required("via");
    reader.required("messages");
    let exact = state.config.switches.subseconds_kept;
    let besides = apply(state, &mut reader, &mut ticket);
    if let Some(time) = reader.time("created_datetime", exact) {
        ticket.created_at = time;
        ticket.given.created = true;
    }
    let none = Values::new();
    let values = besides.values.as_ref().unwrap_or(&none);
    check_required(state, &mut reader, &ticket, values);
    let drafts = read_messages(state, &mut reader, caller, besides.customer.as_ref());
    reader.finish(msg)?;
    // §6: a customer who was not named is who wrote first.
    let customer = besides.customer.or_else(|| {
        let mut people = drafts.iter().filter_map(Draft::customer);
        people.next().cloned()
    });
    ticket.customer_id = customer.map(|person| messages::settle(state, &person));
    ticket.tags = settle_tags(state, besides.tags.unwrap_or_default());
    ticket.custom_fields = Values::new();
    fields::merge_values(
        &mut ticket.custom_fields,
        besides.values.unwrap_or_default(),
    );
    complete(&mut ticket, &drafts);
    let id = ticket.id;
    for draft in drafts {
        let message = messages::keep(state, id, draft);
        ticket.messages.push(message);
    }
    let snoozed = ticket.snooze_at;
    state.put_ticket(ticket);
    if let Some(time) = snoozed {
        state.schedule(time.max(state.now), Due::Wake(id));
    }
    state.record("ticket-created", "Ticket", id, Some(caller));
    rules::happened(state, id, Happened::Created);
    Ok(id)
}

fn read_messages(
    state: &State,
    reader: &mut Reader<'_>,
    caller: Id,
    customer: Option<&Person>,
) -> Vec<Draft> {
    let Some(list) = reader.list("messages") else {
        return Vec::new();
    };
    if list.is_empty() || list.len() > MESSAGES {
        reader.problem(
            "messages",
            format!("Length must be between 1 and {MESSAGES}."),
        );
        return Vec::new();
    }
    let (mut drafts, mut problems) = (Vec::with_capacity(list.len()), Problems::new());
    for (at, value) in list.iter().enumerate() {
        match messages::read(state, caller, customer, value) {
            Ok(draft) => drafts.push(draft),
            Err(wrong) => {
                problems.insert(at.to_string(), Value::Object(wrong));
            }
        }
    }
    reader.nested("messages", problems);
    drafts
}

/// What nobody said of a ticket and its messages do.
fn complete(ticket: &mut Ticket, drafts: &[Draft]) {
    let messages = || drafts.iter().map(Draft::message);
    if let Some(first) = messages().next() {
        if ticket.channel.is_empty() {
            ticket.channel.clone_from(&first.channel);
        }
        ticket.subject = ticket.subject.take().or_else(|| first.subject.clone());
    }
    let last = messages().map(|m| m.created_at).max();
    let received = messages().filter(|m| !m.from_agent).map(|m| m.created_at);
    ticket.last_message_at = ticket.last_message_at.or(last);
    ticket.last_received_message_at = ticket.last_received_message_at.or(received.max());
    if ticket.language.is_none() {
        // §6: guessed when unset, and then fixed.
        let text: Vec<&str> = messages()
            .filter_map(|m| m.stripped_text.as_deref())
            .take(3)
            .collect();
        ticket.language = Some(guess(&text.join(" ")).to_owned());
    }
}

/// The language whose small words are most frequent in a text.
fn guess(text: &str) -> &'static str {
    const WORDS: [(&str, &[&str]); 4] = [
        ("en", &["the", "and", "is", "you", "my", "to"]),
        ("fr", &["le", "la", "les", "est", "vous", "et", "bonjour"]),
        ("de", &["der", "die", "und", "ist", "ich", "nicht", "sie"]),
        ("es", &["el", "los", "es", "y", "por", "hola"]),
    ];
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).collect();
    let count = |known: &[&str]| words.iter().filter(|word| known.contains(word)).count();
    let mut best = ("en", 0);
    for (code, known) in WORDS {
        let found = count(known);
        if found > best.1 {
            best = (code, found);
        }
    }
    best.0
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let mut known = KEYS.to_vec();
    known.push("via");
    // §6: the time of creation can be set at creation only.
    if !call.state.config.switches.put_created_refused {
        known.push("created_datetime");
    }
    let old = call.state.ticket(id)?.clone();
    let mut ticket = old.clone();
    let mut reader = Reader::new(&call.request.json, &known);
    ticket.updated_at = call.state.now;
    ticket.given.updated = false;
    let besides = apply(call.state, &mut reader, &mut ticket);
    // §6: `custom_fields` and `tags` replace the whole set.
    if let Some(values) = besides.values {
        ticket.custom_fields = Values::new();
        fields::merge_values(&mut ticket.custom_fields, values);
    }
    let values = ticket.custom_fields.clone();
    if old.status != ticket.status {
        check_required(call.state, &mut reader, &ticket, &values);
    }
    reader.finish("Failed to update ticket")?;
    if let Some(person) = besides.customer {
        ticket.customer_id = Some(messages::settle(call.state, &person));
    }
    if let Some(tags) = besides.tags {
        ticket.tags = settle_tags(call.state, tags);
    }
    ticket.touched_at = call.state.now;
    if let Some(time) = ticket.snooze_at.filter(|time| old.snooze_at != Some(*time)) {
        call.state.schedule(time.max(call.state.now), Due::Wake(id));
    }
    let answer = render(call.state, &ticket, true, true);
    call.state.take_ticket(id);
    call.state.put_ticket(ticket);
    let by = call.actor.user_id;
    call.state.record("ticket-updated", "Ticket", id, Some(by));
    rules::happened(call.state, id, Happened::Updated);
    Answer::accepted(answer)
}

/// `POST`, `PUT` and `DELETE /tickets/{id}/tags` with `{"ids","names"}` (§6).
fn change_tags(call: &mut Call<'_>, id: Id, method: &str) -> Outcome {
    call.only(&[])?;
    call.state.ticket(id)?;
    let mut reader = Reader::new(&call.request.json, &["ids", "names"]);
    let mut found = Vec::new();
    for tag in reader.ids("ids").unwrap_or_default() {
        if call.state.tags.contains_key(&tag) {
            found.push(Named::Known(tag));
        } else {
            reader.problem("ids", "Tag not found.");
        }
    }
    for name in reader.list("names").into_iter().flatten() {
        match name.as_str() {
            Some(name) if !name.is_empty() && name.chars().count() <= 256 => {
                let known = call.state.tags_by_name.get(name);
                if method == "DELETE" {
                    found.extend(known.copied().map(Named::Known));
                    continue;
                }
                match named(call.state, name) {
                    Ok(tag) => found.extend(tag),
                    Err(problem) => reader.problem("names", problem),
                }
            }
            _ => reader.problem("names", "Not a valid string."),
        }
    }
    reader.finish("Failed to update ticket tags")?;
    let ids = settle_tags(call.state, found);
    call.state.change_ticket(id, |ticket| match method {
        "DELETE" => ticket.tags.retain(|tag| !ids.contains(tag)),
        "PUT" => ticket.tags.clone_from(&ids),
        _ => {
            for tag in ids {
                if !ticket.tags.contains(&tag) {
                    ticket.tags.push(tag);
                }
            }
        }
    });
    let by = call.actor.user_id;
    call.state
        .record("ticket-tags-updated", "Ticket", id, Some(by));
    rules::happened(call.state, id, Happened::Updated);
    Answer::bare(match method {
        "POST" => 201,
        "PUT" => 202,
        _ => 204,
    })
}

/// Deletes a ticket for good, with its messages and its survey (§13). Files stay.
pub(super) fn erase(state: &mut State, id: Id) {
    let Some(ticket) = state.take_ticket(id) else {
        return;
    };
    for message in ticket.messages {
        state.take_message(message);
    }
    if let Some(survey) = ticket.survey {
        state.surveys.remove(&survey);
    }
    state.record("ticket-deleted", "Ticket", id, None);
}

/// A snoozed ticket opens when its time has come (§5).
pub(super) fn wake(state: &mut State, id: Id) {
    let due = |ticket: &Ticket| ticket.snooze_at.is_some_and(|time| time <= state.now);
    if !state.tickets.get(&id).is_some_and(due) {
        return;
    }
    state.change_ticket(id, |ticket| {
        ticket.snooze_at = None;
        ticket.status = Status::Open;
        ticket.closed_at = None;
        ticket.given.closed = false;
    });
    state.record("ticket-self-unsnoozed", "Ticket", id, None);
}
