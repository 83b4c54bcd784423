//! Tickets (Zoho Desk facts §7.5).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::{Call, bad_query};
use super::model::{Author, Id, Module, Origin, Place, Record, Thread, ThreadStatus};
use super::read::{Kind, Reader, iso};
use super::records::{self, Change, custom_shown, mass, time_or_null, value};
use super::rules::{self, Happened, contact_address, out};
use super::schema;
use super::state::State;
use super::switches::StatusType;
use super::{contacts, files, tags};

/// A ticket as answers show it; lists leave out the long texts.
pub(super) fn render(state: &State, record: &Record, whole: bool) -> Value {
    let (cf, by_label) = custom_shown(state, record);
    let id = record.id;
    let count = |number: usize| json!(number.to_string());
    let status = record.text("status").unwrap_or_default();
    let kind = state.status_type(status).unwrap_or(StatusType::Open);
    let threads = state.threads_of.get(&id).map_or(0, |all| all.len());
    let comments = state.comments_of.get(&id).map_or(0, |all| all.len());
    let files = state.attachments_of.get(&Place::Ticket(id));
    let activities = |module| count(state.children(module, "ticketId", id).len());
    let mut shown = json!({
        "id": id.to_string(), "ticketNumber": record.number.unwrap_or_default().to_string(),
        "cf": cf, "customFields": by_label, "statusType": kind.as_str(),
        "createdTime": iso(record.created_at), "modifiedTime": iso(record.modified_at),
        "closedTime": time_or_null(record.closed_at), "onholdTime": null, "customerResponseTime": iso(record.created_at),
        "createdBy": record.created_by.to_string(), "modifiedBy": record.modified_by.to_string(),
        "channelCode": null, "isArchived": record.archived, "isDeleted": false,
        "source": {"appName": null, "extId": null, "permalink": null, "type": "SYSTEM", "appPhotoURL": null},
        "isTrashed": record.trashed.is_some(), "isSpam": record.spam, "isRead": record.read,
        "isOverDue": false, "isResponseOverdue": false, "responseDueDate": null,
        "webUrl": format!("https://desk.zoho.com/support/ShowHomePage.do#Cases/dv/{id}"),
        "secondaryContacts": record.values.get("secondaryContacts").cloned().unwrap_or_else(|| json!([])),
        "sharedDepartments": record.values.get("sharedDepartments").cloned().unwrap_or_else(|| json!([])),
        "entitySkills": record.values.get("entitySkills").cloned().unwrap_or_else(|| json!([])),
        "threadCount": count(threads), "commentCount": count(comments),
        "attachmentCount": count(files.map_or(0, |all| all.len())), "tagCount": count(record.tags.len()),
        "taskCount": activities(Module::Tasks), "followerCount": "0", "approvalCount": "0", "timeEntryCount": "0",
    });
    let names = [
        "subject",
        "productId",
        "phone",
        "dueDate",
        "channel",
        "language",
        "priority",
        "assigneeId",
        "email",
        "category",
        "subCategory",
        "classification",
        "status",
        "departmentId",
        "contactId",
        "accountId",
        "teamId",
    ];
    if let Some(shown) = shown.as_object_mut() {
        for name in names {
            shown.insert(name.to_owned(), value(record, name));
        }
        if whole {
            for name in ["description", "resolution"] {
                shown.insert(name.to_owned(), value(record, name));
            }
        }
    }
    shown
}

/// What `include` asks for besides.
fn included(call: &Call<'_>, record: &Record, mut shown: Value) -> Value {
    let state = &*call.state;
    if let Some(shown) = shown.as_object_mut() {
        if call.wants("contacts") {
            let contact = contacts::in_short(state, record.link("contactId"));
            shown.insert("contact".to_owned(), contact);
        }
        if call.wants("assignee") {
            let agent = record
                .link("assigneeId")
                .and_then(|id| state.agents.get(&id));
            let agent = agent.map(super::agents::in_short);
            shown.insert("assignee".to_owned(), agent.unwrap_or(Value::Null));
        }
        if call.wants("departments") {
            let department = record.link("departmentId");
            let department = department.and_then(|id| state.departments.get(&id));
            let department = department.map(|d| json!({"id": d.id.to_string(), "name": d.name}));
            shown.insert("department".to_owned(), department.unwrap_or(Value::Null));
        }
        if call.wants("team") {
            let team = record.link("teamId").and_then(|id| state.teams.get(&id));
            let team = team.map(|team| json!({"id": team.id.to_string(), "name": team.name}));
            shown.insert("team".to_owned(), team.unwrap_or(Value::Null));
        }
    }
    shown
}

/// Whether a status is among those asked for, by name or by `${OPEN}`, `${ONHOLD}`, `${CLOSED}` (§13).
pub(super) fn has_status(state: &State, record: &Record, asked: &str) -> bool {
    let status = record.text("status").unwrap_or_default();
    let kind = state.status_type(status);
    asked.split(',').map(str::trim).any(|one| match one {
        "${OPEN}" => kind == Some(StatusType::Open),
        "${ONHOLD}" => kind == Some(StatusType::OnHold),
        "${CLOSED}" => kind == Some(StatusType::Closed),
        name => name.eq_ignore_ascii_case(status),
    })
}

/// `GET tickets`: newest first.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let department = call.id_param("departmentId")?;
    let status = call.request.param("status");
    let channel = call.request.param("channel");
    let assignee = match call.request.param("assignee") {
        None => None,
        Some("Unassigned") => Some(None),
        Some(text) => Some(Some(text.parse::<Id>().map_err(|_| bad_query("assignee"))?)),
    };
    let known = &["departmentId", "status", "assignee", "channel"];
    records::list(call, Module::Tickets, "-createdTime", known, |record| {
        department.is_none_or(|id| record.link("departmentId") == Some(id))
            && assignee.is_none_or(|id| record.link("assigneeId") == id)
            && status.is_none_or(|asked| has_status(call.state, record, asked))
            && channel.is_none_or(|asked| record.text("channel") == Some(asked))
            && !record.archived
    })
}

/// `GET tickets/archivedTickets?departmentId=`.
pub(super) fn archived(call: &mut Call<'_>) -> Outcome {
    let department = call.id_param("departmentId")?;
    let department = department.ok_or_else(|| bad_query("departmentId"))?;
    records::list(
        call,
        Module::Tickets,
        "-createdTime",
        &["departmentId"],
        |record| record.archived && record.link("departmentId") == Some(department),
    )
}

/// `GET contacts/{id}/tickets` and `GET accounts/{id}/tickets`: without lag (§12).
pub(super) fn of(call: &mut Call<'_>, module: Module, link: &'static str) -> Outcome {
    let id = call.id(0)?;
    call.state.record(module, id)?;
    records::list_children(call, Module::Tickets, link, id, &[])
}

/// `GET tickets/{id}`: a trashed one, too (§12).
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["include"]])?;
    let record = call.state.record(Module::Tickets, call.id(0)?)?;
    let shown = render(call.state, record, true);
    Answer::ok(included(call, record, shown))
}

fn object(reader: &mut Reader<'_>, key: &str, known: &[&str], needed: &[&str]) -> Option<Value> {
    let value = reader.raw(key)?;
    let pointer = reader.pointer(key);
    let mut inner = Reader::at(value, &pointer, known);
    for key in needed {
        inner.required(key);
    }
    reader.errors.append(&mut inner.errors);
    reader.unknown.append(&mut inner.unknown);
    Some(value.clone())
}

/// A contact in the body of a ticket: last name, first name, address.
type Inline = (String, Option<String>, String);

/// Reads the body of a `POST` or `PATCH`.
fn change(call: &Call<'_>, before: Option<&Record>) -> Result<(Change, Option<Inline>), Failure> {
    let table = schema::ticket(before.is_none());
    let mut known = schema::names(&table);
    if before.is_none() && !call.state.config.switches.created_time_refused {
        // §0: a public script sends it; it is of no use.
        known.push("createdTime");
    }
    let mut reader = call.reader(&known)?;
    for name in ["subject", "departmentId"] {
        if before.is_none() || reader.given(name) {
            reader.required(name);
        }
    }
    let inline = object(
        &mut reader,
        "contact",
        &["lastName", "email", "firstName"],
        &["lastName", "email"],
    );
    let inline = inline.map(|contact| {
        let text = |name: &str| contact.get(name).and_then(Value::as_str).map(str::to_owned);
        (
            text("lastName").unwrap_or_default(),
            text("firstName"),
            text("email").unwrap_or_default(),
        )
    });
    if (before.is_none() && inline.is_none()) || (before.is_some() && reader.given("contactId")) {
        reader.required("contactId");
    }
    if reader.raw("contactId").is_none()
        && inline
            .as_ref()
            .is_some_and(|(_, _, email)| !super::read::is_email(email))
    {
        reader.invalid("contact/email", "This is no e-mail address.");
    }
    object(&mut reader, "parentTicket", &["id"], &["id"]);
    object(&mut reader, "sourceTicket", &["id"], &["id"]);
    if before.is_none() && reader.given("sharedDepartments") {
        let texts = reader.raw("sharedDepartments").and_then(Value::as_array);
        if !texts.is_some_and(|list| list.len() <= 10 && list.iter().all(Value::is_string)) {
            reader.invalid(
                "sharedDepartments",
                "A list of at most 10 texts is expected.",
            );
        }
    }
    let mut change = records::read(call.state, Module::Tickets, &mut reader, &table);
    for name in ["sharedDepartments"] {
        if let Some(value) = reader.raw(name) {
            change.values.insert(name.to_owned(), Some(value.clone()));
        }
    }
    reader
        .errors
        .extend(records::check(call.state, Module::Tickets, before, &change));
    for id in uploads(&change) {
        if !files::is_unused(call.state, id) {
            reader.invalid("uploads", "There is no such upload, or it is used already.");
        }
    }
    reader.errors.extend(mandatory(call.state, before, &change));
    reader.finish(call.strict())?;
    Ok((change, inline))
}

fn uploads(change: &Change) -> Vec<Id> {
    let list = change.values.get("uploads");
    let list = list.and_then(|list| list.as_ref()?.as_array());
    list.into_iter()
        .flatten()
        .filter_map(|id| id.as_str()?.parse().ok())
        .collect()
}

/// Custom fields that every ticket must have.
pub(super) fn mandatory(
    state: &State,
    before: Option<&Record>,
    change: &Change,
) -> Vec<FieldError> {
    let fields = state
        .fields_of(Module::Tickets)
        .filter(|field| field.mandatory);
    fields
        .filter(|field| match change.cf.get(&field.api_name) {
            Some(value) => value.as_ref().is_none_or(String::is_empty),
            None => before.is_none(),
        })
        .map(|field| FieldError::missing(format!("/cf/{}", field.api_name)))
        .collect()
}

/// `POST tickets`: made now, by the caller (§0). The description becomes the first thread.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let (mut change, inline) = change(call, None)?;
    let uploads = uploads(&change);
    for name in ["uploads", "clonedTicketId", "layoutId", "responseDueDate"] {
        change.values.remove(name);
    }
    let sends = change.take("ticketCreationType");
    let agent = call.agent;
    if change.link("contactId").is_none()
        && let Some((last, first, email)) = inline
    {
        let id = contacts::inline(call.state, agent, &last, first.as_deref(), &email);
        let id = json!(id.to_string());
        change.values.insert("contactId".to_owned(), Some(id));
    }
    let mut record = call.state.blank(Module::Tickets, agent, Origin::Request);
    record.number = Some(call.state.next_number());
    change.apply(&mut record);
    let closed = dress(call.state, &mut record);
    let id = record.id;
    let description = record.text("description").map(str::to_owned);
    call.state.put_record(record);
    if let Some(text) = description {
        describe(call.state, id, text, Origin::Request, call.state.now, false);
    }
    for upload in uploads {
        files::attach(call.state, upload, Place::Ticket(id), false);
    }
    if sends == Some(json!("sendAsEmail")) {
        let to = contact_address(call.state, call.state.record(Module::Tickets, id)?);
        let about = format!("ticket {id}");
        out(
            call.state,
            "reply",
            &to,
            &about,
            "A ticket was made as a mail to the contact.",
        );
    }
    let happened = Happened {
        made: true,
        closed,
        assigned: false,
    };
    rules::ticket(call.state, id, happened);
    let record = call.state.record(Module::Tickets, id)?;
    Answer::ok(render(call.state, record, true))
}

/// What a new ticket has unless it was said; whether it is closed.
pub(super) fn dress(state: &State, record: &mut Record) -> bool {
    let first = state.statuses.first().map(|status| status.name.clone());
    let status = record.values.entry("status".to_owned());
    status.or_insert_with(|| json!(first.unwrap_or_default()));
    let channel = record.values.entry("channel".to_owned());
    channel.or_insert_with(|| json!("Phone"));
    let status = record.text("status").unwrap_or_default();
    let closed = state.status_type(status) == Some(StatusType::Closed);
    if closed && record.closed_at.is_none() {
        record.closed_at = Some(record.created_at.max(state.now));
    }
    closed
}

/// The first thread of a ticket: its description, written by the contact (§7.5).
pub(super) fn describe(
    state: &mut State,
    ticket: Id,
    text: String,
    origin: Origin,
    at: super::model::Moment,
    given: bool,
) {
    let Some(record) = state.records.get(&ticket) else {
        return;
    };
    let contact = record.link("contactId");
    let from = contact_address(state, record);
    let thread = Thread {
        id: state.next_id(),
        ticket_id: ticket,
        channel: "EMAIL".to_owned(),
        incoming: true,
        private: false,
        content: text,
        content_type: "text/html".to_owned(),
        from: Some(from).filter(|from| !from.is_empty()),
        to: None,
        cc: None,
        bcc: None,
        created_at: at,
        given,
        author: contact.map_or(Author::Address(String::new()), Author::Contact),
        description: true,
        status: ThreadStatus::Success,
        attachments: Vec::new(),
        origin,
    };
    state.put_thread(thread);
}

/// Changes a ticket as a request does; rules look at it afterwards.
fn put_change(call: &mut Call<'_>, id: Id, change: Change) -> Result<(), Failure> {
    let before = call.state.live(Module::Tickets, id)?.clone();
    call.state
        .change_record(id, call.agent, |record| change.apply(record));
    settle(call.state, &before);
    Ok(())
}

/// What follows from a change of a ticket: times of closing, rules.
fn settle(state: &mut State, before: &Record) {
    let kind = |record: &Record| state.status_type(record.text("status").unwrap_or_default());
    let Some(after) = state.records.get(&before.id) else {
        return;
    };
    let (old, new) = (kind(before), kind(after));
    let closed = new == Some(StatusType::Closed) && old != new;
    let opened = old == Some(StatusType::Closed) && old != new;
    let assigned = after.link("assigneeId") != before.link("assigneeId");
    let now = state.now;
    if closed || opened {
        state.edit_record(before.id, |record| {
            record.closed_at = closed.then_some(now);
            record.given.closed = false;
        });
    }
    let happened = Happened {
        made: false,
        assigned,
        closed,
    };
    rules::ticket(state, before.id, happened);
}

/// `PATCH tickets/{id}`.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    let before = call.state.live(Module::Tickets, id)?;
    let (mut change, _) = change(call, Some(before))?;
    let uploads = uploads(&change);
    change.values.remove("uploads");
    change.values.remove("responseDueDate");
    put_change(call, id, change)?;
    for upload in uploads {
        files::attach(call.state, upload, Place::Ticket(id), false);
    }
    let record = call.state.record(Module::Tickets, id)?;
    Answer::ok(render(call.state, record, true))
}

/// `POST tickets/updateMany`: one field of many tickets, a 204.
pub(super) fn update_many(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = call.reader(&["ids", "fieldName", "fieldValue", "isCustomField"])?;
    reader.required("ids");
    reader.required("fieldName");
    let ids = reader.ids("ids", 50).unwrap_or_default();
    let name = reader.text("fieldName", 100).unwrap_or_default();
    let text = reader.text("fieldValue", schema::LONG).unwrap_or_default();
    let custom = reader.flag("isCustomField").unwrap_or_default();
    let table = schema::ticket(false);
    let standard = table
        .iter()
        .find(|(known, kind)| *known == name && *kind != Kind::Any);
    if !custom && standard.is_none() {
        reader.invalid("fieldName", "There is no such field.");
    }
    reader.finish(call.strict())?;
    for id in ids {
        let before = call.state.live(Module::Tickets, id)?;
        let mut change = Change::default();
        match standard.filter(|_| !custom) {
            Some((_, kind)) => {
                let value = records::one_value(*kind, &text).map_err(Failure::field)?;
                change.values.insert(name.clone(), Some(value));
                let errors = records::check(call.state, Module::Tickets, Some(before), &change);
                if !errors.is_empty() {
                    return Err(Failure::invalid(errors));
                }
            }
            None => {
                let body = json!({ "cf": { name.as_str(): text } });
                let mut inner = Reader::at(&body, "", &["cf"]);
                let keys = super::switches::FieldKeys::ApiName;
                change.cf =
                    records::custom(call.state, Module::Tickets, &mut inner, "cf", keys, true);
                inner.finish(true)?;
            }
        }
        put_change(call, id, change)?;
    }
    Answer::bare(204)
}

/// `POST closeTickets`: mass.
pub(super) fn close(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let ids = call.only_ids("ids", 50)?;
    mass(call, ids, |call, id| {
        let closed = call.state.statuses.iter();
        let mut closed = closed.filter(|status| status.kind == StatusType::Closed);
        let name = closed.next().map(|status| json!(status.name));
        let mut change = Change::default();
        change.values.insert("status".to_owned(), name);
        put_change(call, id, change)
    })
}

/// `POST tickets/{id}/move?departmentId=`: the assignee, the team and the tags are of the old department.
pub(super) fn move_to(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["departmentId"]])?;
    let id = call.id(0)?;
    let department = call.id_param("departmentId")?;
    let department = department.ok_or_else(|| bad_query("departmentId"))?;
    let ticket = call.state.live(Module::Tickets, id)?.clone();
    if !call
        .state
        .departments
        .get(&department)
        .is_some_and(|d| d.enabled)
    {
        return Err(bad_query("departmentId"));
    }
    let agent = ticket
        .link("assigneeId")
        .and_then(|id| call.state.agents.get(&id));
    let stays = agent.is_some_and(|agent| agent.departments.contains(&department));
    let names: Vec<String> = ticket
        .tags
        .iter()
        .filter_map(|tag| Some(call.state.tags.get(tag)?.name.clone()))
        .collect();
    let moved = names
        .iter()
        .map(|name| tags::named(call.state, department, name))
        .collect();
    call.state.change_record(id, call.agent, |record| {
        record
            .values
            .insert("departmentId".to_owned(), json!(department.to_string()));
        record.values.remove("teamId");
        if !stays {
            record.values.remove("assigneeId");
        }
        record.tags = moved;
    });
    Answer::bare(200)
}

/// `POST tickets/{id}/markAsRead`.
pub(super) fn mark_read(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    call.state.live(Module::Tickets, id)?;
    call.state.edit_record(id, |record| record.read = true);
    Answer::bare(200)
}

/// `POST tickets/{id}/merge`: threads, comments and files of the others go to this one.
pub(super) fn merge(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let winner = call.id(0)?;
    call.state.live(Module::Tickets, winner)?;
    let mut reader = call.reader(&["ids", "source"])?;
    reader.required("ids");
    let ids = reader.ids("ids", 50).unwrap_or_default();
    reader.finish(call.strict())?;
    for id in &ids {
        call.state.live(Module::Tickets, *id)?;
    }
    for id in ids.into_iter().filter(|id| *id != winner) {
        let threads: Vec<Thread> = call.state.threads(id).cloned().collect();
        let comments: Vec<_> = call.state.comments(id).cloned().collect();
        call.state.threads_of.remove(&id);
        call.state.comments_of.remove(&id);
        for mut thread in threads {
            thread.ticket_id = winner;
            call.state.put_thread(thread);
        }
        for mut comment in comments {
            comment.parent_id = winner;
            call.state.put_comment(comment);
        }
        let files: Vec<_> = call.state.files(Place::Ticket(id)).cloned().collect();
        for mut file in files {
            file.place = Place::Ticket(winner);
            call.state.put_file(file);
        }
        call.state.erase(id);
    }
    call.state.change_record(winner, call.agent, |_| ());
    let record = call.state.record(Module::Tickets, winner)?;
    Answer::ok(render(call.state, record, true))
}

/// `PATCH tickets/{id}/resolution`: mailed if asked (§14).
pub(super) fn resolution(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    call.state.live(Module::Tickets, id)?;
    let mut reader = call.reader(&["content", "isNotifyContact"])?;
    reader.required("content");
    let text = reader.text("content", schema::LONG).unwrap_or_default();
    let tells = reader.flag("isNotifyContact").unwrap_or_default();
    reader.finish(call.strict())?;
    call.state.change_record(id, call.agent, |record| {
        record.values.insert("resolution".to_owned(), json!(text));
    });
    let record = call.state.record(Module::Tickets, id)?;
    if tells {
        let to = contact_address(call.state, record);
        out(
            call.state,
            "resolution",
            &to,
            &format!("ticket {id}"),
            "The contact is told of the resolution.",
        );
    }
    Answer::ok(json!({
        "content": text, "modifiedTime": iso(record.modified_at), "authorId": call.agent.to_string(),
    }))
}

/// `POST tickets/emptySpam`: a 202, and all spam of a department is gone (§12: never).
pub(super) fn empty_spam(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = call.reader(&["departmentId"])?;
    reader.required("departmentId");
    let department = reader.id("departmentId");
    reader.finish(call.strict())?;
    let spam: Vec<Id> = call
        .state
        .records
        .values()
        .filter(|r| r.spam && r.module == Module::Tickets && r.link("departmentId") == department)
        .map(|record| record.id)
        .collect();
    for id in spam {
        super::bin::erase(call.state, id);
    }
    Answer::bare(202)
}
