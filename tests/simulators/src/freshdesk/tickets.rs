//! Tickets (Freshdesk facts §12).

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, FixedOffset, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::{Reader, iso};
use super::call::{self, Call};
use super::model::{File, Given, Id, Owner, Person, Rating, Ticket};
use super::state::{Event, PersonKey, State, email_key};
use super::switches::Policy;
use super::{contacts, conversations, fields, files, html, rules};

/// Characters of a subject (§15).
const SUBJECT: usize = 255;
/// Addresses in copy [INF].
const COPIES: usize = 50;
/// Conversations in `include=conversations`.
const INCLUDED: usize = 10;
/// Sources that can be set (§5).
const SOURCES: &[i64] = &[1, 2, 3, 7, 9, 10];

pub(super) const OPEN: i64 = 2;
pub(super) const PENDING: i64 = 3;
pub(super) const RESOLVED: i64 = 4;
pub(super) const CLOSED: i64 = 5;

const WRITABLE: &[&str] = &[
    "subject",
    "description",
    "requester_id",
    "email",
    "phone",
    "name",
    "twitter_id",
    "facebook_id",
    "unique_external_id",
    "responder_id",
    "group_id",
    "company_id",
    "product_id",
    "email_config_id",
    "status",
    "priority",
    "source",
    "type",
    "tags",
    "custom_fields",
    "lookup_parameter",
    "due_by",
    "fr_due_by",
    "attachments",
];

/// How a ticket is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `/api/v2`.
    Public,
    /// `/api/channel/v2`, which takes `import_id` and times.
    Channel,
}

/// Whether a ticket is archived: closed and untouched for 120 days (§12).
pub(super) fn archived(state: &State, ticket: &Ticket) -> bool {
    let switches = &state.config.switches;
    let since = if switches.archive_by_given_time {
        ticket.updated_at
    } else {
        ticket.touched_at
    };
    ticket.archived || (ticket.status == CLOSED && state.now - since >= switches.archived_after)
}

/// A ticket that can be changed: not archived, not in the trash.
pub(super) fn writable(state: &State, id: Id) -> Result<&Ticket, Failure> {
    let ticket = state.ticket(id)?;
    if ticket.deleted_at.is_some() {
        return Err(Failure::NotAllowed("GET".to_owned()));
    }
    Ok(ticket)
}

// ---- showing

/// A time of a ticket; old objects have offsets (§1).
fn time(ticket: &Ticket, time: DateTime<Utc>) -> String {
    match FixedOffset::east_opt(5 * 3_600 + 1_800).filter(|_| ticket.with_offset) {
        Some(offset) => time
            .with_timezone(&offset)
            .to_rfc3339_opts(SecondsFormat::Secs, false),
        None => iso(time),
    }
}

/// A ticket as answers show it; lists leave out the description unless it is asked for (§3).
pub(super) fn render(
    state: &State,
    base: &str,
    ticket: &Ticket,
    includes: &[String],
    whole: bool,
) -> Value {
    let includes = |name: &str| includes.iter().any(|include| include == name);
    let mut shown = json!({
        "id": ticket.id, "subject": ticket.subject, "status": ticket.status,
        "priority": ticket.priority, "source": ticket.source, "type": ticket.kind,
        "requester_id": ticket.requester_id, "responder_id": ticket.responder_id,
        "group_id": ticket.group_id, "company_id": ticket.company_id,
        "product_id": ticket.product_id, "email_config_id": ticket.email_config_id,
        "cc_emails": ticket.cc_emails, "fwd_emails": ticket.fwd_emails,
        "reply_cc_emails": ticket.reply_cc_emails, "ticket_cc_emails": ticket.cc_emails,
        "to_emails": ticket.to_emails, "spam": ticket.spam, "fr_escalated": ticket.fr_escalated,
        "is_escalated": ticket.is_escalated, "nr_due_by": null, "nr_escalated": false,
        "due_by": iso(ticket.due_by), "fr_due_by": iso(ticket.fr_due_by), "tags": ticket.tags,
        "custom_fields": fields::shown(state, Owner::Ticket, &ticket.custom_fields),
        "association_type": null, "associated_tickets_list": null,
        "created_at": time(ticket, ticket.created_at),
        "updated_at": time(ticket, ticket.updated_at),
    });
    let Some(map) = shown.as_object_mut() else {
        return shown;
    };
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    if ticket.deleted_at.is_some() {
        put("deleted", json!(true));
    }
    if whole || includes("description") {
        put("description", json!(ticket.description));
        put("description_text", json!(html::text(&ticket.description)));
    }
    if whole {
        put(
            "attachments",
            files::render_all(state, base, &ticket.attachments),
        );
    }
    if includes("requester") {
        let person = state.people.get(&ticket.requester_id);
        put(
            "requester",
            person.map_or(Value::Null, |person| {
                json!({
                    "id": person.id, "name": person.name, "email": person.email,
                    "mobile": person.mobile, "phone": person.phone,
                })
            }),
        );
    }
    if includes("company") {
        let company = ticket.company_id.and_then(|id| state.companies.get(&id));
        let company = company.map(|company| json!({"id": company.id, "name": company.name}));
        put("company", company.unwrap_or_else(|| json!({})));
    }
    if includes("stats") {
        let at = |time: Option<DateTime<Utc>>| time.map(iso);
        let pending = (ticket.status == PENDING).then_some(ticket.status_since);
        put(
            "stats",
            json!({
                "agent_responded_at": at(ticket.agent_responded_at),
                "requester_responded_at": at(ticket.requester_responded_at),
                "first_responded_at": at(ticket.first_responded_at),
                "status_updated_at": iso(ticket.status_since),
                "reopened_at": at(ticket.reopened_at), "resolved_at": at(ticket.resolved_at),
                "closed_at": at(ticket.closed_at), "pending_since": at(pending),
            }),
        );
    }
    if includes("conversations") {
        let first = state.thread(ticket.id).iter().take(INCLUDED);
        let shown = first.map(|said| conversations::render(state, base, said));
        put("conversations", shown.collect());
    }
    shown
}

fn whole(call: &Call<'_>, ticket: &Ticket, includes: &[String]) -> Value {
    render(call.state, &call.base, ticket, includes, true)
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    let allowed = [
        "conversations",
        "requester",
        "company",
        "stats",
        "sla_policy",
    ];
    let includes = call.includes(&allowed)?;
    let ticket = call.state.ticket(call.id(0)?)?;
    Answer::ok(whole(call, ticket, &includes))
}

// ---- writing

/// Who asks: somebody known, or a contact yet to be made.
enum Requester {
    Known(Id),
    New(Box<Person>),
}

/// §12: one of the ways to name a requester. §6: an unknown address makes a contact.
fn requester(state: &mut State, reader: &mut Reader<'_>) -> Option<Requester> {
    let name = reader.text("name", 255).flatten();
    if let Some(id) = reader.id("requester_id").flatten() {
        if state.live(id).is_none() {
            let message = "There is no contact matching the given requester_id";
            reader.wrong("requester_id", "invalid_value", message);
            return None;
        }
        return Some(Requester::Known(id));
    }
    let email = reader.email("email").flatten();
    let mut text = |field: &str| reader.text(field, 255).flatten();
    let phone = text("phone");
    let (twitter, facebook) = (text("twitter_id"), text("facebook_id"));
    let external = text("unique_external_id");
    let keys = [
        email.as_deref().map(email_key),
        phone.clone().map(PersonKey::Phone),
        twitter.clone().map(PersonKey::Twitter),
        facebook.clone().map(PersonKey::Facebook),
        external.clone().map(PersonKey::External),
    ];
    let keys: Vec<PersonKey> = keys.into_iter().flatten().collect();
    if keys.is_empty() {
        if reader.errors.is_empty() {
            let message = "It should be a/an Positive Integer. Please fill at least 1 of requester_id, phone, \
                           email, twitter_id, facebook_id, unique_external_id fields";
            reader.wrong("requester_id", "missing_field", message);
        }
        return None;
    }
    if let Some(id) = keys.iter().find_map(|key| state.person_by(key)) {
        if state.live(id).is_none() {
            let message = "The contact is deleted";
            reader.wrong("email", "invalid_value", message);
            return None;
        }
        return Some(Requester::Known(id));
    }
    if email.is_none() && phone.is_some() && name.is_none() {
        reader.missing("name", "String");
        return None;
    }
    let mut person = contacts::blank(state);
    let local = email.as_deref().and_then(|email| email.split_once('@'));
    person.name = name.or_else(|| local.map(|(local, _)| local.to_owned()));
    person.email = email;
    person.phone = phone;
    person.twitter_id = twitter;
    person.facebook_id = facebook;
    person.unique_external_id = external;
    contacts::attach_by_domain(state, &mut person);
    Some(Requester::New(Box::new(person)))
}

/// The statuses of the field (§5).
pub(super) fn statuses(state: &State) -> Vec<i64> {
    let field = state.field(Owner::Ticket, "status");
    let choices = field.into_iter().flat_map(|field| &field.choices);
    choices
        .filter_map(|choice| i64::try_from(choice.id).ok())
        .collect()
}

/// Puts what was sent into a ticket; the requester is known by then.
fn apply(state: &State, reader: &mut Reader<'_>, ticket: &mut Ticket, creating: bool) {
    let switches = &state.config.switches;
    if let Some(subject) = reader.text("subject", usize::MAX) {
        let mut subject = subject.unwrap_or_default();
        let length = subject.chars().count();
        if length > SUBJECT {
            match switches.long_subject {
                Policy::Tolerated => subject = subject.chars().take(SUBJECT).collect(),
                Policy::Refused => {
                    let message = format!(
                        "Has {length} characters, it can have maximum of {SUBJECT} characters"
                    );
                    let code = reader.length_code();
                    reader.wrong("subject", code, message);
                }
            }
        }
        if subject.trim().is_empty() {
            reader.missing("subject", "String");
        }
        ticket.subject = subject;
    }
    if let Some(description) = reader.text("description", usize::MAX) {
        let description = description.unwrap_or_default();
        if description.trim().is_empty() {
            reader.missing("description", "String");
        }
        ticket.description = html::kept(&description);
    }
    if creating {
        for (name, kind) in [
            ("status", "Integer"),
            ("priority", "Integer"),
            ("source", "Integer"),
            ("subject", "String"),
            ("description", "String"),
        ] {
            if switches.ticket_fields_mandatory && !reader.given(name) {
                reader.missing(name, kind);
            }
        }
    }
    if let Some(status) = reader.one_of("status", &statuses(state)) {
        ticket.status = status;
    }
    if let Some(priority) = reader.one_of("priority", &[1, 2, 3, 4]) {
        ticket.priority = priority;
    }
    if let Some(source) = reader.one_of("source", SOURCES) {
        ticket.source = source;
    }
    if let Some(kind) = reader.text("type", 255) {
        let field = state.field(Owner::Ticket, "ticket_type");
        let choices: Vec<&str> = field
            .into_iter()
            .flat_map(|field| &field.choices)
            .map(|choice| choice.value.as_str())
            .collect();
        if kind.as_deref().is_some_and(|kind| !choices.contains(&kind)) {
            let message = format!("It should be one of these values: '{}'", choices.join(","));
            reader.wrong("type", "invalid_value", message);
        }
        ticket.kind = kind;
    }
    owners(state, reader, ticket);
    company(state, reader, ticket, creating);
    for (name, known, place) in [
        ("product_id", state.product_id, &mut ticket.product_id),
        (
            "email_config_id",
            state.mailbox_id,
            &mut ticket.email_config_id,
        ),
    ] {
        if let Some(id) = reader.id(name) {
            if id.is_some_and(|id| id != known) {
                let message = format!("There is no record matching the given {name}");
                reader.wrong(name, "invalid_value", message);
            }
            *place = id;
        }
    }
    if let Some(tags) = reader.tags(switches.tag_length) {
        ticket.tags = tags;
    }
    fields::values(
        state,
        Owner::Ticket,
        reader,
        &mut ticket.custom_fields,
        creating,
    );
    due(state, reader, ticket);
    if matches!(ticket.status, RESOLVED | CLOSED) && (creating || reader.given("status")) {
        reader
            .errors
            .extend(fields::missing_to_close(state, ticket));
    }
    reader.errors.extend(fields::taken(state, ticket));
}

fn owners(state: &State, reader: &mut Reader<'_>, ticket: &mut Ticket) {
    if let Some(group) = reader.id("group_id") {
        if group.is_some_and(|id| !state.groups.contains_key(&id)) {
            let message = "There is no group matching the given group_id";
            reader.wrong("group_id", "invalid_value", message);
        }
        ticket.group_id = group;
    }
    if let Some(agent) = reader.id("responder_id") {
        if agent.is_some_and(|id| state.agent(id).is_err()) {
            let message = "There is no agent matching the given responder_id";
            reader.wrong("responder_id", "invalid_value", message);
        }
        ticket.responder_id = agent;
    }
    // §12: where the account enforces it.
    let group = ticket.group_id.and_then(|id| state.groups.get(&id));
    if state.config.responder_in_group
        && (reader.given("responder_id") || reader.given("group_id"))
        && let (Some(group), Some(agent)) = (group, ticket.responder_id)
        && !group.agent_ids.contains(&agent)
    {
        let message = "The agent is not a member of the group";
        reader.wrong("responder_id", "invalid_value", message);
    }
}

fn company(state: &State, reader: &mut Reader<'_>, ticket: &mut Ticket, creating: bool) {
    let person = state.people.get(&ticket.requester_id);
    match reader.id("company_id") {
        Some(company) => {
            let known = company.is_none_or(|id| state.companies.contains_key(&id));
            let theirs = company.is_none_or(|id| {
                person.is_some_and(|p| super::state::companies_of(p).any(|own| own == id))
            });
            if !known || state.config.switches.company_of_requester && !theirs {
                let message = "There is no company of the requester matching the given company_id";
                reader.wrong("company_id", "invalid_value", message);
            }
            ticket.company_id = company;
        }
        None if creating || reader.given("requester_id") => {
            ticket.company_id = person.and_then(|person| person.company_id);
        }
        None => {}
    }
}

/// §12: both or none, in the future, one after the other, and of a live ticket only [MEM].
fn due(state: &State, reader: &mut Reader<'_>, ticket: &mut Ticket) {
    if !reader.filled("due_by") && !reader.filled("fr_due_by") {
        return;
    }
    for (name, other) in [("due_by", "fr_due_by"), ("fr_due_by", "due_by")] {
        if reader.filled(name) && !reader.filled(other) {
            let message = format!("It should be given together with {name}");
            reader.wrong(other, "missing_field", message);
        }
    }
    let done = matches!(ticket.status, RESOLVED | CLOSED);
    if done && state.config.switches.due_by_of_closed == Policy::Refused {
        let message = "It cannot be set when the ticket is resolved or closed";
        reader.wrong("due_by", "incompatible_field", message);
        return;
    }
    let by = reader.time("due_by").flatten();
    let first = reader.time("fr_due_by").flatten();
    if let (Some(by), Some(first)) = (by, first) {
        if by <= state.now || first <= state.now {
            reader.wrong("due_by", "invalid_value", "It should be a future time");
        }
        if first > by {
            let message = "It should be before the time in due_by";
            reader.wrong("fr_due_by", "invalid_value", message);
        }
        (ticket.due_by, ticket.fr_due_by) = (by, first);
    }
}

/// An empty ticket, not yet stored.
pub(super) fn blank(state: &State, requester: Id) -> Ticket {
    let now = state.second();
    Ticket {
        id: 0,
        subject: "(no subject)".to_owned(),
        description: "<div>Not given.</div>".to_owned(),
        status: OPEN,
        priority: 1,
        source: 2,
        kind: None,
        requester_id: requester,
        responder_id: None,
        group_id: None,
        company_id: None,
        product_id: None,
        email_config_id: None,
        cc_emails: Vec::new(),
        fwd_emails: Vec::new(),
        reply_cc_emails: Vec::new(),
        to_emails: None,
        spam: false,
        due_by: now + Duration::days(3),
        fr_due_by: now + Duration::days(1),
        is_escalated: false,
        fr_escalated: false,
        tags: Vec::new(),
        custom_fields: BTreeMap::new(),
        attachments: Vec::new(),
        import_id: None,
        created_at: now,
        updated_at: now,
        given: Given::default(),
        made_at: now,
        touched_at: now,
        status_since: now,
        first_responded_at: None,
        agent_responded_at: None,
        requester_responded_at: None,
        resolved_at: None,
        closed_at: None,
        reopened_at: None,
        deleted_at: None,
        archived: false,
        with_offset: false,
    }
}

/// Times that follow the status. With `given` the client's time counts, where the account takes it so (§12).
fn follow_status(state: &State, ticket: &mut Ticket, before: i64) {
    if ticket.status == before {
        return;
    }
    let at = if state.config.switches.channel_sets_stats && ticket.given.updated {
        ticket.updated_at
    } else {
        state.second()
    };
    ticket.status_since = at;
    let done = matches!(ticket.status, RESOLVED | CLOSED);
    if done {
        ticket.resolved_at = ticket.resolved_at.or(Some(at));
        ticket.closed_at = (ticket.status == CLOSED).then_some(at);
    } else {
        if matches!(before, RESOLVED | CLOSED) {
            ticket.reopened_at = Some(at);
        }
        ticket.resolved_at = None;
        ticket.closed_at = None;
    }
}

/// What only the channel API takes: `import_id` and times.
pub(super) struct Imported {
    pub import_id: Option<i64>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// Reads them; in the public API they are refused or left out (§12). The number that a ticket has already is no repetition.
pub(super) fn imported(
    state: &State,
    reader: &mut Reader<'_>,
    route: Route,
    is_ticket: bool,
    own: Option<i64>,
) -> Imported {
    let mut read = Imported {
        import_id: None,
        created_at: None,
        updated_at: None,
    };
    if route == Route::Public {
        return read;
    }
    read.import_id = reader.int("import_id").flatten();
    read.created_at = reader.time("created_at").flatten();
    read.updated_at = reader.time("updated_at").flatten();
    for (name, time) in [
        ("created_at", read.created_at),
        ("updated_at", read.updated_at),
    ] {
        if time.is_some_and(|time| time > state.now) {
            reader.wrong(name, "invalid_value", "It should not be a future time");
        }
    }
    if let (Some(created), Some(updated)) = (read.created_at, read.updated_at)
        && updated < created
    {
        let message = "It should not be before created_at";
        reader.wrong("updated_at", "invalid_value", message);
    }
    let space = is_ticket || state.config.switches.import_ids_shared;
    if let Some(id) = read.import_id.filter(|id| own != Some(*id))
        && state.config.switches.repeated_import_id == Policy::Refused
        && state.import_ids.contains(&(space, id))
    {
        reader.errors.push(FieldError::duplicate("import_id", None));
    }
    read
}

/// Remembers that an `import_id` is used.
pub(super) fn use_import_id(state: &mut State, id: Option<i64>, is_ticket: bool) {
    let space = is_ticket || state.config.switches.import_ids_shared;
    if let Some(id) = id {
        state.import_ids.insert((space, id));
    }
}

/// The attributes of a route.
pub(super) fn attributes(state: &State, route: Route, more: &[&'static str]) -> Vec<&'static str> {
    let mut names = more.to_vec();
    match route {
        Route::Channel => names.extend(["import_id", "created_at", "updated_at"]),
        Route::Public if state.config.switches.given_times == Policy::Tolerated => {
            names.extend(["created_at", "updated_at"]);
        }
        Route::Public => {}
    }
    names
}

/// Makes a ticket; its id.
pub(super) fn make(
    state: &mut State,
    mut reader: Reader<'_>,
    files: impl FnOnce(&mut State) -> Result<Vec<File>, Failure>,
    route: Route,
) -> Result<Id, Failure> {
    let mut names = attributes(state, route, WRITABLE);
    names.push("cc_emails");
    reader.only(&names);
    let asks = requester(state, &mut reader);
    let mut ticket = blank(state, 0);
    // The rules below look at the requester, who may have to be made first; nothing of that stays if they refuse.
    let made = match asks {
        Some(Requester::Known(id)) => {
            ticket.requester_id = id;
            None
        }
        Some(Requester::New(person)) => {
            ticket.requester_id = person.id;
            Some(person)
        }
        None => None,
    };
    if let Some(person) = &made {
        state.people.insert(person.id, (**person).clone());
    }
    apply(state, &mut reader, &mut ticket, true);
    if let Some(person) = &made {
        state.people.remove(&person.id);
    }
    if let Some(copies) = reader.emails("cc_emails", COPIES) {
        ticket.cc_emails = copies;
    }
    let given = imported(state, &mut reader, route, true, None);
    reader.finish()?;
    ticket.attachments = files(state)?;
    if let Some(person) = made {
        let id = person.id;
        state.put_person(*person);
        rules::contact_made(state, id);
    }
    ticket.import_id = given.import_id;
    ticket.given = Given {
        created: given.created_at.is_some(),
        updated: given.updated_at.is_some(),
    };
    ticket.created_at = given.created_at.unwrap_or(ticket.created_at);
    ticket.updated_at = given.updated_at.unwrap_or(ticket.updated_at);
    follow_status(state, &mut ticket, OPEN);
    use_import_id(state, given.import_id, true);
    let quiet = quiet(state, given.import_id);
    Ok(store(state, ticket, quiet))
}

/// §0 [INF]: nothing is mailed and no rule runs for what is imported.
pub(super) fn quiet(state: &State, import_id: Option<i64>) -> bool {
    import_id.is_some() && state.config.switches.channel_is_silent
}

/// Stores a new ticket under the next number.
pub(super) fn store(state: &mut State, mut ticket: Ticket, quiet: bool) -> Id {
    state.last_ticket_id += 1;
    let id = state.last_ticket_id;
    ticket.id = id;
    fields::claim(state, &ticket);
    state.put_ticket(ticket);
    rules::ticket_made(state, id, quiet);
    id
}

/// Changes a ticket.
pub(super) fn change(
    state: &mut State,
    id: Id,
    mut reader: Reader<'_>,
    files: impl FnOnce(&mut State, u64) -> Result<Vec<File>, Failure>,
    route: Route,
    skip_close: bool,
) -> Result<(), Failure> {
    let mut ticket = writable(state, id)?.clone();
    let before = ticket.clone();
    reader.only(&attributes(state, route, WRITABLE));
    let ways = [
        "requester_id",
        "email",
        "phone",
        "twitter_id",
        "facebook_id",
        "unique_external_id",
    ];
    let mut made = None;
    if ways.iter().any(|name| reader.filled(name)) {
        match requester(state, &mut reader) {
            Some(Requester::Known(id)) => ticket.requester_id = id,
            Some(Requester::New(person)) => {
                ticket.requester_id = person.id;
                made = Some(person);
            }
            None => {}
        }
    }
    if let Some(person) = &made {
        state.people.insert(person.id, (**person).clone());
    }
    apply(state, &mut reader, &mut ticket, false);
    if let Some(person) = &made {
        state.people.remove(&person.id);
    }
    let given = imported(state, &mut reader, route, true, before.import_id);
    reader.finish()?;
    let there: u64 = ticket.attachments.iter().map(|file| file.size).sum();
    let added = files(state, there)?;
    ticket.attachments.extend(added);
    if let Some(person) = made {
        let id = person.id;
        state.put_person(*person);
        rules::contact_made(state, id);
    }
    state.touch(&mut ticket);
    if let Some(at) = given.created_at {
        ticket.created_at = at;
        ticket.given.created = true;
    }
    if let Some(at) = given.updated_at {
        ticket.updated_at = at;
        ticket.given.updated = true;
    }
    if given.import_id.is_some() {
        ticket.import_id = given.import_id;
        use_import_id(state, given.import_id, true);
    }
    follow_status(state, &mut ticket, before.status);
    fields::claim(state, &ticket);
    let quiet = quiet(state, ticket.import_id.filter(|_| route == Route::Channel));
    state.edit_ticket(id, |place| *place = ticket);
    rules::ticket_changed(state, &before, skip_close, quiet);
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    create_by(call, Route::Public)
}

pub(super) fn create_by(call: &mut Call<'_>, route: Route) -> Outcome {
    let reader = call.reader()?;
    let request = call.request;
    let files = |state: &mut State| call::files(state, request, "attachments[]", 0);
    let id = make(call.state, reader, files, route)?;
    let ticket = call.state.tickets.get(&id).ok_or(Failure::NotFound)?;
    let location = format!("{}/api/v2/tickets/{id}", call.base);
    Ok(Answer::json(201, whole(call, ticket, &[])).with("location", location))
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    update_by(call, Route::Public)
}

pub(super) fn update_by(call: &mut Call<'_>, route: Route) -> Outcome {
    let id = call.id(0)?;
    writable(call.state, id)?;
    let empty = Value::Object(Map::new());
    if call.request.json == empty && call.request.files.is_empty() {
        let message = "Need atleast 1 parameter";
        return Err(Failure::coded(400, "missing_params", message));
    }
    let reader = call.reader()?;
    let request = call.request;
    let files = |state: &mut State, there: u64| call::files(state, request, "attachments[]", there);
    change(call.state, id, reader, files, route, false)?;
    let ticket = call.state.tickets.get(&id).ok_or(Failure::NotFound)?;
    Answer::ok(whole(call, ticket, &[]))
}

// ---- deleting

/// Into the trash (§14).
pub(super) fn trash(state: &mut State, id: Id) -> Result<(), Failure> {
    if state.ticket(id)?.deleted_at.is_some() {
        return Err(contacts::already_deleted(state));
    }
    let now = state.second();
    let mut ticket = state.ticket(id)?.clone();
    ticket.deleted_at = Some(now);
    state.touch(&mut ticket);
    state.edit_ticket(id, |place| *place = ticket);
    let at = now + state.config.switches.trash_life;
    state.schedule(at, Event::Purge(id));
    rules::ticket_deleted(state, id);
    Ok(())
}

pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    trash(call.state, id)?;
    Answer::bare(204)
}

pub(super) fn restore(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let mut ticket = call.state.ticket(id)?.clone();
    if ticket.deleted_at.take().is_none() {
        return Err(Failure::NotFound);
    }
    call.state.touch(&mut ticket);
    call.state.edit_ticket(id, |place| *place = ticket);
    Answer::bare(204)
}

/// §14: the trash is emptied of what has been in it long enough.
pub(super) fn purge_if_due(state: &mut State, id: Id) {
    let life = state.config.switches.trash_life;
    let deleted = state.tickets.get(&id).and_then(|ticket| ticket.deleted_at);
    if deleted.is_some_and(|at| at + life <= state.now) {
        state.take_ticket(id);
    }
}

// ---- the archive

/// An archived ticket.
pub(super) fn archived_ticket(state: &State, id: Id) -> Result<&Ticket, Failure> {
    let ticket = state
        .tickets
        .get(&id)
        .filter(|ticket| archived(state, ticket));
    ticket.ok_or(Failure::NotFound)
}

pub(super) fn show_archived(call: &mut Call<'_>) -> Outcome {
    let includes = call.includes(&["requester", "company", "stats", "conversations"])?;
    let ticket = archived_ticket(call.state, call.id(0)?)?;
    let mut shown = whole(call, ticket, &includes);
    if let Some(map) = shown.as_object_mut() {
        map.insert("archived".to_owned(), json!(true));
    }
    Answer::ok(shown)
}

pub(super) fn delete_archived(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    archived_ticket(call.state, id)?;
    call.state.take_ticket(id);
    Answer::bare(204)
}

// ---- satisfaction

fn rating_json(rating: &Rating) -> Value {
    let at = iso(rating.created_at);
    json!({
        "id": rating.id, "survey_id": 1, "user_id": rating.user_id, "agent_id": rating.agent_id,
        "group_id": rating.group_id, "ticket_id": rating.ticket_id, "feedback": rating.feedback,
        "ratings": rating.ratings, "created_at": at, "updated_at": at,
    })
}

/// §5: recorded now, whatever it is about.
pub(super) fn rate(call: &mut Call<'_>) -> Outcome {
    let ticket = writable(call.state, call.id(0)?)?.clone();
    let mut reader = call.reader()?;
    reader.only(&["ratings", "feedback"]);
    let feedback = reader.text("feedback", 65_535).flatten();
    let ratings = reader.object("ratings").cloned();
    let valid = ratings.as_ref().and_then(|map| map.get("default_question"));
    let valid = valid
        .and_then(Value::as_i64)
        .is_some_and(|value| matches!(value, 103 | 102 | 101 | 100 | -101 | -102 | -103));
    if !valid && reader.errors.is_empty() {
        let message = "It should have a default_question of -103 to -101 or 100 to 103";
        reader.wrong("ratings", "invalid_value", message);
    }
    reader.finish()?;
    let rating = Rating {
        id: call.state.next_id(),
        ticket_id: ticket.id,
        user_id: ticket.requester_id,
        agent_id: ticket.responder_id,
        group_id: ticket.group_id,
        feedback,
        ratings: Value::Object(ratings.unwrap_or_default()),
        created_at: call.state.second(),
    };
    let shown = rating_json(&rating);
    call.state.ratings.insert(rating.id, rating);
    Answer::created(shown)
}

pub(super) fn ratings(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    call.state.ticket(id)?;
    let found = call
        .state
        .ratings
        .values()
        .filter(|rating| rating.ticket_id == id);
    call.page(found, None, rating_json)
}

pub(super) fn all_ratings(call: &mut Call<'_>) -> Outcome {
    call.query_only(&["user_id", "created_since"])?;
    let user = call.query_id("user_id")?;
    let since = call.query_time("created_since")?;
    let found = call.state.ratings.values().filter(|rating| {
        user.is_none_or(|user| rating.user_id == user)
            && since.is_none_or(|since| rating.created_at >= since)
    });
    call.page(found, None, rating_json)
}
