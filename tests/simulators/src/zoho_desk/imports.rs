//! The import API: queue, external ids, mappings, error log (Zoho Desk facts §10).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome, Payload};
use super::call::Call;
use super::comments::clean;
use super::model::{
    Author, Comment, Given as GivenTimes, Id, Import, Mapping, Module, Moment, Origin, Record,
    RowError, Thread, ThreadStatus,
};
use super::read::{Given, Kind, Reader, fit, is_email, iso, time_of};
use super::records::{self, Change, id_or_null, time_or_null};
use super::rules::{self, Happened, out};
use super::schema::{OTHER_MAPPINGS, ROWS, RowKind, names};
use super::state::{Due, Row, State};
use super::switches::{
    DuplicateEmail, EmptyMappings, ErrorLog, FieldKeys, ImportDuplicate, ImportTags, StatusType,
};
use super::{contacts, tags, tickets};

/// Whether a text is a UUID.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && parts
            .iter()
            .all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// §0: where the import API is not open.
fn open(state: &State) -> Result<(), Failure> {
    match state.config.switches.imports_refused {
        None => Ok(()),
        Some(401) => Err(Failure::new(
            401,
            "UNAUTHORIZED",
            "You are not authenticated to perform this operation.",
        )),
        Some(404) => Err(Failure::not_found()),
        Some(_) => Err(Failure::forbidden()),
    }
}

fn scope(state: &State, reader: &mut Reader<'_>) -> String {
    reader.required("scopeId");
    let scope = reader.text("scopeId", 36).unwrap_or_default();
    let issued = state.config.switches.scopes_issued.as_ref();
    let known = issued.is_none_or(|issued| issued.contains(&scope));
    if reader.given("scopeId") && (!is_uuid(&scope) || !known) {
        reader.invalid("scopeId", "This is no scope.");
    }
    scope
}

/// `POST imports`: checked as a whole, then queued.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    open(call.state)?;
    let switches = call.state.config.switches.clone();
    if call.request.size > switches.import_max_bytes {
        return Err(super::files::too_large());
    }
    let known = ["scopeId", "data", "runAutomation", "groupId", "notifyUrl"];
    let mut reader = call.reader(&known)?;
    let scope = scope(call.state, &mut reader);
    let automation = reader
        .flag("runAutomation")
        .unwrap_or(switches.import_runs_automation_by_default);
    reader.id("groupId");
    let notify_url = reader.text("notifyUrl", 500);
    reader.required("data");
    let mut rows = Vec::new();
    if let Some(data) = reader.raw("data") {
        let kinds: Vec<&str> = ROWS.iter().map(|kind| kind.name).collect();
        let mut inner = Reader::at(data, "/data", &kinds);
        for (at, kind) in ROWS.iter().enumerate() {
            let Some(list) = inner.raw(kind.name) else {
                continue;
            };
            let Some(list) = list.as_array() else {
                inner.invalid(kind.name, "A list is expected.");
                continue;
            };
            for (number, row) in list.iter().enumerate() {
                let base = format!("/data/{}/{number}", kind.name);
                check_row(call.state, &mut inner, kind, row, &base);
                rows.push(Row {
                    kind: at,
                    body: row.clone(),
                });
            }
        }
        reader.errors.append(&mut inner.errors);
        reader.unknown.append(&mut inner.unknown);
    }
    reader.finish(call.strict())?;
    if rows.is_empty() {
        return Err(Failure::new(
            422,
            "EMPTY_PAYLOAD",
            "There is nothing to import.",
        ));
    }
    if rows.len() > switches.import_max_rows {
        return Err(Failure::unprocessable(format!(
            "An import has at most {} rows.",
            switches.import_max_rows
        )));
    }
    let import = Import {
        id: call.state.next_id(),
        scope,
        automation,
        notify_url,
        by: call.agent,
        at: call.state.now,
        rows: rows.len(),
        done: 0,
        errors: Vec::new(),
        completed_at: None,
        polls: 0,
    };
    let (id, state) = (import.id, &mut *call.state);
    let shown = render(&call.base, state, &import);
    state.rows.insert(id, rows.into());
    state.imports.insert(id, import);
    state.schedule(state.now + switches.import_queue_time, Due::ImportRow(id));
    Answer::ok(shown)
}

/// Form of a row: its keys, their types and lengths.
fn check_row(state: &State, into: &mut Reader<'_>, kind: &RowKind, row: &Value, base: &str) {
    let switches = &state.config.switches;
    let mut known = names(kind.table);
    if kind.name == "tickets" && switches.import_tags != ImportTags::Refused {
        known.push("tags");
    }
    let mut reader = Reader::at(row, base, &known);
    let table = records::table(state, kind.table);
    reader.values(&table);
    reader.required(kind.external_id);
    if switches.import_all_keys {
        for name in names(kind.table) {
            if !reader.given(name) {
                let pointer = reader.pointer(name);
                reader.errors.push(FieldError::missing(pointer));
            }
        }
    }
    if reader
        .raw("customFields")
        .is_some_and(|value| !value.is_object())
    {
        reader.invalid("customFields", "An object is expected.");
    }
    if let Some(tags) = reader.raw("tags") {
        let texts = tags
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string));
        if !texts {
            reader.invalid("tags", "A list of texts is expected.");
        }
    }
    into.errors.append(&mut reader.errors);
    into.unknown.append(&mut reader.unknown);
}

fn render(base: &str, state: &State, import: &Import) -> Value {
    let polls = state.config.switches.import_polls;
    let done = import.completed_at.filter(|_| import.polls >= polls);
    let wrong = !import.errors.is_empty();
    json!({
        "id": import.id.to_string(), "scopeId": import.scope,
        "status": if done.is_some() { "completed" } else { "queued" },
        "hasError": done.map(|_| wrong),
        "errorReportUrl": done.filter(|_| wrong).map(|_| format!("{base}/importErrorLog/{}", import.id)),
        "runAutomation": import.automation, "notifyUrl": import.notify_url, "importedBy": import.by.to_string(),
        "importInitiatedTime": iso(import.at), "importCompletedTime": time_or_null(done),
    })
}

/// `GET imports/{id}`.
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    open(call.state)?;
    let import = call.state.imports.get(&call.id(0)?).cloned();
    let mut import = import.ok_or_else(Failure::not_found)?;
    let shown = render(&call.base, call.state, &import);
    if shown.get("status") == Some(&json!("queued")) {
        import.polls += 1;
        call.state.imports.insert(import.id, import);
    }
    Answer::ok(shown)
}

/// `GET importErrorLog/{id}`, whose form nobody knows.
pub(super) fn error_log(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    open(call.state)?;
    let import = call.state.imports.get(&call.id(0)?);
    let import = import.filter(|import| import.completed_at.is_some());
    let errors = &import.ok_or_else(Failure::not_found)?.errors;
    match call.state.config.switches.error_log {
        ErrorLog::Missing => Err(Failure::not_found()),
        ErrorLog::Json => {
            let rows = errors.iter().map(|error| {
                json!({
                    "module": error.module, "externalId": error.external_id, "errorCode": error.code,
                    "errorMessage": error.message,
                })
            });
            Answer::ok(json!({"data": rows.collect::<Vec<_>>()}))
        }
        ErrorLog::Csv => {
            let mut text = "module,externalId,errorCode,errorMessage\n".to_owned();
            for error in errors {
                let message = error.message.replace('"', "\"\"");
                text += &format!(
                    "{},{},{},\"{message}\"\n",
                    error.module, error.external_id, error.code
                );
            }
            Ok(Answer {
                status: 200,
                body: Payload::File {
                    content_type: "text/csv".to_owned(),
                    bytes: text.into(),
                },
                headers: Vec::new(),
            })
        }
    }
}

/// `POST importMappings`.
pub(super) fn mappings(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    open(call.state)?;
    let mut reader = call.reader(&["scopeId", "module", "externalIds"])?;
    let scope = scope(call.state, &mut reader);
    reader.required("module");
    reader.required("externalIds");
    let module = reader.text("module", 100).unwrap_or_default();
    let known = ROWS.iter().any(|kind| kind.name == module);
    if !known && !OTHER_MAPPINGS.contains(&module.as_str()) {
        reader.invalid("module", "There is no such module.");
    }
    let list = reader.raw("externalIds").and_then(Value::as_array);
    let list = list.map_or(&[][..], Vec::as_slice);
    if list.is_empty() || list.len() > call.state.config.switches.mappings_max_ids {
        reader.invalid("externalIds", "Too few or too many external ids.");
    }
    let mut ids = Vec::new();
    for (at, id) in list.iter().enumerate() {
        match fit(id, Kind::ExternalId) {
            Ok(id) => ids.extend(id.as_str().map(str::to_owned)),
            Err(message) => {
                let pointer = format!("/externalIds/{at}");
                reader.errors.push(FieldError::invalid(pointer, message));
            }
        }
    }
    reader.finish(call.strict())?;
    let form = call.state.config.switches.empty_mappings;
    let rows: Vec<Value> = ids
        .into_iter()
        .filter_map(|external_id| {
            let mapping = Mapping {
                scope: scope.clone(),
                module: module.clone(),
                external_id,
            };
            let entity = call.state.mappings.get(&mapping).copied();
            let shown = entity.is_some() || form == EmptyMappings::Nulls;
            shown
                .then(|| json!({"externalId": mapping.external_id, "entityId": id_or_null(entity)}))
        })
        .collect();
    if rows.is_empty() && form == EmptyMappings::NoContent {
        return Answer::bare(204);
    }
    Answer::ok(json!({ "data": rows }))
}

// ---- working off

/// Why a row fails: code and words.
type Wrong = (&'static str, String);

fn wrong<T>(code: &'static str, message: impl Into<String>) -> Result<T, Wrong> {
    Err((code, message.into()))
}

/// The next row of an import.
pub(super) fn step(state: &mut State, id: Id) {
    let Some(import) = state.imports.get(&id).cloned() else {
        return;
    };
    let row = state.rows.get_mut(&id).and_then(|rows| rows.pop_front());
    let mut error = None;
    if let Some(row) = row
        && let Some(kind) = ROWS.get(row.kind)
        && let Err((code, message)) = work(state, &import, kind, &row.body)
    {
        let external_id = row.body.get(kind.external_id).and_then(Value::as_str);
        error = Some(RowError {
            module: kind.name.to_owned(),
            external_id: external_id.unwrap_or_default().to_owned(),
            code: code.to_owned(),
            message,
        });
    }
    let left = state.rows.get(&id).is_some_and(|rows| !rows.is_empty());
    let now = state.now;
    if let Some(import) = state.imports.get_mut(&id) {
        import.errors.extend(error);
        import.done += 1;
        if !left {
            import.completed_at = Some(now);
        }
    }
    if left {
        let next = now + state.config.switches.import_row_time;
        state.schedule(next, Due::ImportRow(id));
        return;
    }
    state.rows.remove(&id);
    if let Some(url) = &import.notify_url {
        out(
            state,
            "webhook",
            url,
            &format!("import {id}"),
            "An import is completed.",
        );
    }
}

/// Reads a value that was checked when it came.
struct Cells<'a> {
    values: Given,
    row: &'a Value,
}

impl Cells<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let text = self.values.get(name)?.as_ref()?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    fn time(&self, name: &str) -> Option<Moment> {
        time_of(self.values.get(name)?.as_ref())
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.values.get(name)?.as_ref()?.as_bool()
    }

    fn id(&self, name: &str) -> Option<Id> {
        self.text(name)?.parse().ok()
    }
}

fn work(state: &mut State, import: &Import, kind: &RowKind, row: &Value) -> Result<(), Wrong> {
    let table = records::table(state, kind.table);
    let cells = Cells {
        values: Reader::at(row, "", &[]).values(&table),
        row,
    };
    let mapping = Mapping {
        scope: import.scope.clone(),
        module: kind.name.to_owned(),
        external_id: cells.text(kind.external_id).unwrap_or_default().to_owned(),
    };
    let origin = Origin::Import {
        scope: mapping.scope.clone(),
        external_id: mapping.external_id.clone(),
    };
    let known = state.mappings.get(&mapping).copied();
    let known = match state.config.switches.import_duplicate {
        ImportDuplicate::Second => None,
        ImportDuplicate::Refused if known.is_some() => {
            return wrong("DUPLICATE", "The external id is in use.");
        }
        ImportDuplicate::Refused => None,
        ImportDuplicate::Updated => known,
    };
    let made = match kind.module {
        Some(module) => record(state, import, module, &cells, known, origin)?,
        None if kind.name == "threads" => thread(state, import, &cells, known, origin)?,
        None => comment(state, import, kind.name, &cells, known, origin)?,
    };
    state.map(mapping, made);
    Ok(())
}

/// What an external id of another row stands for.
fn parent(state: &State, import: &Import, module: Module, external_id: &str) -> Result<Id, Wrong> {
    let mapping = Mapping {
        scope: import.scope.clone(),
        module: module.as_str().to_owned(),
        external_id: external_id.to_owned(),
    };
    let missing = || {
        wrong(
            "PARENT_NOT_FOUND",
            format!(
                "Nothing in {} has the external id {external_id}.",
                module.as_str()
            ),
        )
    };
    let Some(id) = state.mappings.get(&mapping).copied() else {
        return missing();
    };
    let Ok(record) = state.live(module, id) else {
        return missing();
    };
    // §10 [INF]: a parent of the same import may not be there yet.
    let fresh = record.touched_at >= import.at && state.rows.contains_key(&import.id);
    if fresh && !state.config.switches.import_parents_together && made_by(state, import, record) {
        return missing();
    }
    Ok(id)
}

/// Whether a record was made by this import, as far as can be told: since it began, in its scope.
fn made_by(state: &State, import: &Import, record: &Record) -> bool {
    let others = state.imports.values();
    let mut since = others.filter(|other| {
        other.id != import.id && other.completed_at.is_some_and(|at| at >= record.touched_at)
    });
    matches!(&record.origin, Origin::Import { scope, .. } if *scope == import.scope)
        && since.next().is_none()
}

fn record(
    state: &mut State,
    import: &Import,
    module: Module,
    cells: &Cells<'_>,
    known: Option<Id>,
    origin: Origin,
) -> Result<Id, Wrong> {
    let mut change = Change {
        values: cells.values.clone(),
        ..Change::default()
    };
    for key in ["createdTime", "modifiedTime", "closedTime"] {
        change.values.remove(key);
    }
    links(state, import, module, &mut change)?;
    let needed = match module {
        Module::Accounts => "accountName",
        Module::Contacts => "lastName",
        _ => "subject",
    };
    if cells.text(needed).is_none() {
        return wrong("MISSING", format!("{needed} is missing."));
    }
    if module == Module::Tickets {
        ticket_values(state, &mut change)?;
    }
    custom(state, module, cells, &mut change)?;
    let mut errors = records::check(state, module, None, &change);
    if module == Module::Tickets {
        errors.extend(tickets::mandatory(state, None, &change));
    }
    if let Some(error) = errors.first() {
        return wrong(
            "INVALID_DATA",
            format!("{}: {}", error.pointer, error.message),
        );
    }
    if module == Module::Contacts
        && let Some(matched) = same_email(state, cells, known)?
    {
        return Ok(matched);
    }
    let created = cells.time("createdTime").unwrap_or(state.now);
    let closed = cells.time("closedTime");
    if closed.is_some_and(|closed| closed < created) {
        return wrong("INVALID_DATA", "closedTime precedes createdTime.");
    }
    if let Some(id) = known {
        let old = state.live(module, id).cloned();
        if old.is_err() {
            return wrong("INVALID_DATA", "What the external id stands for is gone.");
        }
        state.change_record(id, import.by, |record| change.apply(record));
        return Ok(id);
    }
    let mut record = state.blank(module, import.by, origin.clone());
    record.created_at = created;
    record.modified_at = cells.time("modifiedTime").unwrap_or(state.now);
    record.given = GivenTimes {
        created: cells.time("createdTime").is_some(),
        modified: cells.time("modifiedTime").is_some(),
        closed: false,
    };
    if module != Module::Tickets {
        let id = contacts::put(state, record, change);
        if import.automation && !module.is_activity() {
            rules::person(state, id);
        }
        return Ok(id);
    }
    record.number = Some(state.next_number());
    change.apply(&mut record);
    let kind = record
        .text("status")
        .and_then(|status| state.status_type(status));
    if kind == Some(StatusType::Closed) {
        record.closed_at = Some(closed.unwrap_or(state.now));
        record.given.closed = closed.is_some();
    }
    let is_closed = tickets::dress(state, &mut record);
    let (id, department) = (record.id, record.link("departmentId").unwrap_or_default());
    let description = record.text("description").map(str::to_owned);
    state.put_record(record);
    if let Some(text) = description.filter(|_| state.config.switches.import_description_thread) {
        tickets::describe(state, id, text, origin, created, true);
    }
    take_tags(state, id, department, cells);
    if import.automation {
        let happened = Happened {
            made: true,
            assigned: false,
            closed: is_closed,
        };
        rules::ticket(state, id, happened);
    }
    Ok(id)
}

/// Parents by external id; they win over those by number.
fn links(state: &State, import: &Import, of: Module, change: &mut Change) -> Result<(), Wrong> {
    let named: Vec<String> = change
        .values
        .keys()
        .filter(|name| name.ends_with("ExtId"))
        .cloned()
        .collect();
    for name in named {
        let value = change.values.remove(&name).flatten();
        let module = match name.as_str() {
            "accountExtId" => Module::Accounts,
            "contactExtId" => Module::Contacts,
            "ticketExtId" => Module::Tickets,
            _ => continue,
        };
        let Some(text) = value.as_ref().and_then(Value::as_str) else {
            continue;
        };
        // The row's own name.
        if module == of {
            continue;
        }
        let id = parent(state, import, module, text)?;
        let link = name.replace("ExtId", "Id");
        change.values.insert(link, Some(json!(id.to_string())));
    }
    Ok(())
}

/// What a ticket row must have, and the status that is added if it is unknown.
fn ticket_values(state: &mut State, change: &mut Change) -> Result<(), Wrong> {
    // §10: a ticket without a contact is left out, with everything of it.
    if change.link("contactId").is_none() {
        return wrong("MISSING", "The ticket has no contact.");
    }
    if change.link("departmentId").is_none() {
        // §6 (FS'): what has no department lands in the default one.
        let department = json!(state.default_department().to_string());
        change
            .values
            .insert("departmentId".to_owned(), Some(department));
    }
    let status = change.text("status").unwrap_or_default().to_owned();
    let unknown = !status.is_empty() && state.status_type(&status).is_none();
    if unknown && state.config.switches.import_adds_statuses {
        state.statuses.push(super::model::Status {
            name: status,
            kind: StatusType::Open,
        });
    }
    Ok(())
}

/// `customFields` of a row: by label or by API name, which nobody knows (§10).
fn custom(
    state: &State,
    module: Module,
    cells: &Cells<'_>,
    change: &mut Change,
) -> Result<(), Wrong> {
    let switches = &state.config.switches;
    let keys: FieldKeys = switches.import_field_keys;
    let refuse = switches.import_unknown_field_refused;
    let mut reader = Reader::at(cells.row, "", &[]);
    change.cf = records::custom(state, module, &mut reader, "customFields", keys, refuse);
    match reader.errors.first() {
        Some(error) => wrong(
            "INVALID_DATA",
            format!("{}: {}", error.pointer, error.message),
        ),
        None => Ok(()),
    }
}

/// The contact that has the address, if that one is to stand for the row.
fn same_email(state: &State, cells: &Cells<'_>, known: Option<Id>) -> Result<Option<Id>, Wrong> {
    let addresses = ["email", "secondaryEmail"];
    let found = addresses
        .iter()
        .filter_map(|name| cells.text(name))
        .flat_map(|email| state.contacts_with(email))
        .find(|id| Some(*id) != known);
    match (found, state.config.switches.import_duplicate_email) {
        (None, _) | (_, DuplicateEmail::Second) => Ok(None),
        (Some(_), DuplicateEmail::Refused) => {
            wrong("DUPLICATE", "A contact has the e-mail address.")
        }
        (Some(id), DuplicateEmail::Matched) => Ok(Some(id)),
    }
}

fn take_tags(state: &mut State, ticket: Id, department: Id, cells: &Cells<'_>) {
    if state.config.switches.import_tags != ImportTags::Taken {
        return;
    }
    let list = cells.row.get("tags").and_then(Value::as_array);
    let names: Vec<String> = list
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|name| tags::is_name(name))
        .map(str::to_owned)
        .collect();
    let ids: Vec<Id> = names
        .iter()
        .map(|name| tags::named(state, department, name))
        .collect();
    state.edit_record(ticket, |record| record.tags.extend(ids));
}

fn ticket_of(state: &State, import: &Import, cells: &Cells<'_>) -> Result<Id, Wrong> {
    match cells.text("ticketExtId") {
        Some(external_id) => parent(state, import, Module::Tickets, external_id),
        None => wrong("MISSING", "ticketExtId is missing."),
    }
}

fn thread(
    state: &mut State,
    import: &Import,
    cells: &Cells<'_>,
    known: Option<Id>,
    origin: Origin,
) -> Result<Id, Wrong> {
    let ticket_id = ticket_of(state, import, cells)?;
    let Some(content) = cells.text("content") else {
        return wrong("MISSING", "content is missing.");
    };
    let Some(direction) = cells.text("direction") else {
        return wrong("MISSING", "direction is missing.");
    };
    let incoming = direction == "in";
    let (sent, received) = (cells.time("sentDateTime"), cells.time("receivedDateTime"));
    let time = if incoming {
        received.or(sent)
    } else {
        sent.or(received)
    };
    // §10: conversations need their time.
    let Some(created_at) = time else {
        return wrong(
            "MISSING",
            "A thread needs sentDateTime or receivedDateTime.",
        );
    };
    let from = cells.text("fromEmailAddress").unwrap_or_default();
    if !is_email(from) {
        return wrong(
            "INVALID_DATA",
            "fromEmailAddress: a bare address is expected.",
        );
    }
    let agent = state.agent_by_email(from).map(|agent| agent.id);
    let contact = state.contacts_with(from).first().copied();
    let author = match (agent, contact) {
        (Some(agent), _) if !incoming => Author::Agent(agent),
        (_, Some(contact)) => Author::Contact(contact),
        (Some(agent), None) => Author::Agent(agent),
        (None, None) => Author::Address(from.to_owned()),
    };
    let own = |name: &str| cells.text(name).map(str::to_owned);
    let old = known.and_then(|id| state.threads.get(&id).cloned());
    if let Some(old) = &old {
        let places = state.threads_of.entry(old.ticket_id).or_default();
        places.remove(&super::state::key(old.created_at, old.id));
    }
    let id = match old {
        Some(old) => old.id,
        None => state.next_id(),
    };
    let thread = Thread {
        id,
        ticket_id,
        channel: "EMAIL".to_owned(),
        incoming,
        private: cells.flag("isPrivate").unwrap_or_default(),
        content: clean(state, content),
        content_type: "text/html".to_owned(),
        from: Some(from.to_owned()),
        to: own("to"),
        cc: own("cc"),
        bcc: own("bcc"),
        created_at,
        given: true,
        author,
        description: false,
        status: ThreadStatus::Success,
        attachments: Vec::new(),
        origin,
    };
    state.put_thread(thread);
    touch(state, ticket_id, import);
    Ok(id)
}

/// §11: whether what is imported below a ticket moves its `modifiedTime`.
fn touch(state: &mut State, ticket: Id, import: &Import) {
    if state.config.switches.import_children_touch {
        state.change_record(ticket, import.by, |_| ());
    }
}

fn comment(
    state: &mut State,
    import: &Import,
    kind: &str,
    cells: &Cells<'_>,
    known: Option<Id>,
    origin: Origin,
) -> Result<Id, Wrong> {
    let (module, key) = match kind {
        "taskComments" => (Module::Tasks, "taskExtId"),
        "callComments" => (Module::Calls, "callExtId"),
        "eventComments" => (Module::Events, "eventExtId"),
        _ => (Module::Tickets, "ticketExtId"),
    };
    let Some(external_id) = cells.text(key) else {
        return wrong("MISSING", format!("{key} is missing."));
    };
    let parent_id = parent(state, import, module, external_id)?;
    let Some(content) = cells.text("content") else {
        return wrong("MISSING", "content is missing.");
    };
    let author = match cells.id("commenterId") {
        None => Author::Agent(import.by),
        Some(id) if state.agents.contains_key(&id) => Author::Agent(id),
        Some(id) if state.has(Module::Contacts, id) => Author::Contact(id),
        Some(_) => return wrong("INVALID_DATA", "commenterId: there is no such person."),
    };
    let content_type = cells.text("contentType").unwrap_or("plainText");
    let commented_at = cells.time("commentedTime");
    let known = known.filter(|id| state.comments.contains_key(id));
    if let Some(old) = known.and_then(|id| state.comments.get(&id).cloned()) {
        let places = state.comments_of.entry(old.parent_id).or_default();
        places.remove(&super::state::key(old.commented_at, old.id));
    }
    let id = match known {
        Some(id) => id,
        None => state.next_id(),
    };
    let comment = Comment {
        id,
        parent_id,
        content: if content_type == "html" {
            clean(state, content)
        } else {
            content.to_owned()
        },
        content_type: content_type.to_owned(),
        public: cells
            .flag("isPublic")
            .unwrap_or(module == Module::Tickets && state.config.switches.omitted_is_public),
        author,
        commented_at: commented_at.unwrap_or(state.now),
        modified_at: cells.time("modifiedTime"),
        given: commented_at.is_some(),
        attachments: Vec::new(),
        origin,
    };
    state.put_comment(comment.clone());
    if module == Module::Tickets {
        touch(state, parent_id, import);
    }
    if import.automation {
        rules::comment(state, &comment);
    }
    if import.automation || state.config.switches.import_mentions_notify {
        rules::mentions(state, &comment);
    }
    Ok(id)
}
