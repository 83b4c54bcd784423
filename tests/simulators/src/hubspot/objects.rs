//! Records of every type: making, reading, changing, archiving, singly and in batches (HubSpot facts §3, §6, §7, §8).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Invalid, Outcome};
use super::call::{Call, id_of, members_of, required};
use super::links;
use super::model::{Id, LinkKey, ObjectType, Property, Record, Ref, TypeId, Values};
use super::state::{State, iso};
use super::switches::{EmailUpsert, TicketTimes};
use super::values::{self, Written};
use super::{rules, search};

/// Inputs of a batch (§3.3).
const BATCH: usize = 100;
/// Links to records of one type that are shown with a record (§3.2).
const INLINE: usize = 500;
/// Identities a contact may have (§2, §20).
const IDENTITIES: usize = 250;

/// Answers a request about records, given the path behind `objects`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    match (method.as_str(), path) {
        ("POST", ["contacts" | "0-1", "gdpr-delete"]) => gdpr_delete(call),
        ("POST", [object, "merge"]) => merge(call, object),
        ("POST", [object, "search"]) => {
            let object = readable(call, object)?;
            search::search(call, object)
        }
        ("POST", [object, "batch", "create"]) => batch_create(call, object),
        ("POST", [object, "batch", "read"]) => batch_read(call, object),
        ("POST", [object, "batch", "update"]) => batch_update(call, object, false),
        ("POST", [object, "batch", "upsert"]) => batch_update(call, object, true),
        ("POST", [object, "batch", "archive"]) => batch_archive(call, object),
        ("GET", [object]) => list(call, object),
        ("POST", [object]) => create(call, object),
        ("GET", [object, id]) => read(call, object, id),
        ("PATCH", [object, id]) => update(call, object, id),
        ("DELETE", [object, id]) => delete(call, object, id),
        (_, [_] | [_, _] | [_, "batch", _]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

// ---- scopes (§1.1)

fn scopes(object: TypeId, writes: bool) -> &'static str {
    match (object, writes) {
        (TypeId::TICKET, _) => "tickets",
        (TypeId::COMPANY, false) => "crm.objects.companies.read",
        (TypeId::COMPANY, true) => "crm.objects.companies.write",
        (TypeId::DEAL, false) => "crm.objects.deals.read",
        (TypeId::DEAL, true) => "crm.objects.deals.write",
        (object, false) if object.is_custom() => "crm.objects.custom.read",
        (object, true) if object.is_custom() => "crm.objects.custom.write",
        (_, false) => "crm.objects.contacts.read",
        (_, true) => "crm.objects.contacts.write",
    }
}

/// The type of a path whose records the caller may read.
pub(super) fn readable(call: &Call<'_>, text: &str) -> Result<TypeId, Failure> {
    let object = call.live_object(text)?;
    call.scope(&[scopes(object, false)])?;
    if object == TypeId::EMAIL && !call.state.config.switches.emails_redacted_without_scope {
        call.scope(&["sales-email-read"])?;
    }
    Ok(object)
}

/// The type of a path whose records the caller may write.
pub(super) fn writable(call: &Call<'_>, text: &str) -> Result<TypeId, Failure> {
    let object = call.live_object(text)?;
    call.scope(&[scopes(object, true)])?;
    if object == TypeId::EMAIL {
        call.scope(&["sales-email-read"])?;
    }
    Ok(object)
}

// ---- rendering (§3.1)

/// What of a record is asked for.
#[derive(Debug, Default, Clone)]
pub(super) struct Shown {
    /// Properties; the usual ones where there are none.
    pub properties: Vec<String>,
    /// Properties with what they held before.
    pub history: Vec<String>,
    /// Whether texts of e-mails are left out (§1.1).
    pub redacted: bool,
}

impl Shown {
    fn of_query(call: &Call<'_>) -> Self {
        Self {
            properties: call.request.list("properties"),
            history: call.request.list("propertiesWithHistory"),
            redacted: !call.token.scopes.iter().any(|s| s == "sales-email-read"),
        }
    }

    /// What the body of a batch or search asks for.
    pub fn of_body(call: &Call<'_>, body: &Map<String, Value>) -> Result<Self, Failure> {
        let list = |name: &str| -> Result<Vec<String>, Failure> {
            let Some(value) = body.get(name) else {
                return Ok(vec![]);
            };
            let texts = value.as_array().map(|list| list.iter().map(Value::as_str));
            texts
                .and_then(|mut texts| {
                    texts.try_fold(Vec::new(), |mut all, text| {
                        all.push(text?.to_owned());
                        Some(all)
                    })
                })
                .ok_or_else(|| Failure::input(format!("{name}: a list of texts is expected")))
        };
        Ok(Self {
            properties: list("properties")?,
            history: list("propertiesWithHistory")?,
            redacted: !call.token.scopes.iter().any(|s| s == "sales-email-read"),
        })
    }
}

/// A record as the API shows it.
pub(super) fn render(state: &State, record: &Record, shown: &Shown) -> Value {
    let Some(of) = state.type_of(record.object) else {
        return Value::Null;
    };
    let mut names: Vec<&str> = vec![of.created_name(), of.updated_name(), "hs_object_id"];
    let wanted = if shown.properties.is_empty() && shown.history.is_empty() {
        &of.defaults
    } else {
        &shown.properties
    };
    names.extend(wanted.iter().map(String::as_str));
    names.extend(shown.history.iter().map(String::as_str));
    let mut properties = Map::new();
    for name in names {
        // Unknown names are passed over.
        if of.properties.contains_key(name) {
            let value = record.values.get(name);
            let redacted = shown.redacted && record.object == TypeId::EMAIL;
            let value = value.filter(|_| {
                !redacted || !matches!(name, "hs_email_text" | "hs_email_html" | "hs_body_preview")
            });
            properties.insert(name.to_owned(), json!(value));
        }
    }
    let mut body = envelope(of, record, properties);
    if let (false, Some(map)) = (shown.history.is_empty(), body.as_object_mut()) {
        let histories = shown
            .history
            .iter()
            .map(|name| (name.clone(), history(record, name)));
        let histories: Map<String, Value> = histories.collect();
        map.insert("propertiesWithHistory".to_owned(), Value::Object(histories));
    }
    body
}

/// A record with everything it holds, as the answer to a write shows it.
pub(super) fn render_all(state: &State, object: TypeId, id: Id) -> Value {
    let (Some(of), Some(record)) = (state.type_of(object), state.any(object, id)) else {
        return Value::Null;
    };
    let known = record
        .values
        .iter()
        .filter(|(name, _)| of.properties.contains_key(*name));
    let values = known.map(|(name, value)| (name.clone(), json!(value)));
    envelope(of, record, values.collect())
}

fn envelope(of: &ObjectType, record: &Record, properties: Map<String, Value>) -> Value {
    // §16: the envelope's `createdAt` follows the property.
    let created = record.text(of.created_name());
    let mut body = json!({
        "id": record.id.to_string(),
        "properties": properties,
        "createdAt": created,
        "updatedAt": iso(record.updated),
        "archived": record.archived.is_some(),
    });
    if let (Some(at), Some(map)) = (record.archived, body.as_object_mut()) {
        map.insert("archivedAt".to_owned(), json!(iso(at)));
    }
    body
}

fn history(record: &Record, name: &str) -> Value {
    let entry = |value: &str, at| json!({"value": value, "timestamp": iso(at), "sourceType": "INTEGRATION"});
    let changes = record.history.iter().filter(|change| change.name == name);
    let mut all: Vec<Value> = changes.map(|c| entry(&c.value, c.at)).collect();
    if all.is_empty()
        && let Some(value) = record.values.get(name)
    {
        all.push(entry(value, record.created));
    }
    all.reverse();
    Value::Array(all)
}

fn with_links(call: &Call<'_>, record: &Record, body: &mut Value) -> Result<(), Failure> {
    let names = call.request.list("associations");
    if names.is_empty() {
        return Ok(());
    }
    let mut all = Map::new();
    for name in names {
        let to = call.live_object(&name)?;
        let mut ends: Vec<_> = call
            .state
            .linked((record.object, record.id), to)
            .take(INLINE + 1)
            .collect();
        let more = ends.len() > INLINE;
        ends.truncate(INLINE);
        let mut results = Vec::new();
        for (id, keys) in &ends {
            for link in keys.iter().filter_map(|key| call.state.link_types.get(key)) {
                results.push(json!({"id": id.to_string(), "type": link.name}));
            }
        }
        if results.is_empty() {
            continue;
        }
        let mut found = json!({"results": results});
        if let (true, Some((last, _)), Some(map)) = (more, ends.last(), found.as_object_mut()) {
            map.insert(
                "paging".to_owned(),
                json!({"next": {"after": last.to_string()}}),
            );
        }
        let name = call.state.type_of(to).map_or(name, |of| of.name.clone());
        all.insert(name, found);
    }
    if let (false, Some(map)) = (all.is_empty(), body.as_object_mut()) {
        map.insert("associations".to_owned(), Value::Object(all));
    }
    Ok(())
}

// ---- preparing a write

/// A record about to be made or changed.
pub(super) struct Prepared {
    /// The record to change, or the number of a new one.
    pub id: Id,
    /// Whether it is new.
    pub new: bool,
    /// What changes; `None` empties a property.
    pub changes: Vec<(String, Option<String>)>,
    /// Times the client gave.
    pub given: BTreeSet<&'static str>,
    /// Links of a new record.
    pub links: Vec<(Ref, BTreeSet<LinkKey>)>,
    /// What was sent to follow it by.
    pub trace: Option<String>,
}

/// Unique values that earlier inputs of the same batch take.
pub(super) type Claims = HashMap<(String, String), Id>;

/// Whether a client may not write a property.
pub(super) fn is_read_only(state: &State, object: TypeId, property: &Property) -> bool {
    let switches = &state.config.switches;
    let times = match (object, property.name.as_str()) {
        (TypeId::TICKET, "createdate") => switches.ticket_createdate,
        (TypeId::TICKET, "closed_date") => switches.ticket_closed_date,
        _ => return property.read_only,
    };
    times == TicketTimes::ReadOnly
}

/// Checks what a client writes to a record and works out what changes.
pub(super) fn prepare(
    state: &mut State,
    object: TypeId,
    existing: Option<Id>,
    properties: &Map<String, Value>,
    enforces: bool,
) -> Result<Prepared, Failure> {
    let before: Values = existing
        .and_then(|id| state.record(object, id))
        .map(|record| (*record.values).clone())
        .unwrap_or_default();
    let Some(of) = state.type_of(object) else {
        return Err(Failure::not_found());
    };
    let (mut invalid, mut changes) = (Vec::new(), BTreeMap::new());
    let mut given = BTreeSet::new();
    for (name, value) in properties {
        let Some(property) = of.properties.get(name) else {
            if !(object.is_activity() && state.config.switches.activity_unknown_ignored) {
                let message = format!("Property \"{name}\" does not exist");
                invalid.push(Invalid::new("PROPERTY_DOESNT_EXIST", name, message));
            }
            continue;
        };
        let text = values::text(state, name, value)?;
        if is_read_only(state, object, property) {
            if !(object.is_activity() && state.config.switches.activity_unknown_ignored) {
                let message =
                    format!("\"{name}\" is a read only property; its value cannot be set.");
                invalid.push(Invalid::new("READ_ONLY_VALUE", name, message));
            }
            continue;
        }
        let written = match values::check(state, object, property, text) {
            Ok(written) => written,
            Err(problem) => {
                invalid.push(problem);
                continue;
            }
        };
        let written = match written {
            Written::Value(value) => Some(value),
            Written::Nothing => None,
            Written::Kept => continue,
            Written::More(more) => {
                // §0.9: a leading `;` adds to what is there.
                let old = before.get(name).map_or("", String::as_str);
                let mut all: Vec<&str> = old.split(';').filter(|v| !v.is_empty()).collect();
                all.extend(
                    more.iter()
                        .map(String::as_str)
                        .filter(|m| !old.split(';').any(|o| o == *m)),
                );
                (!all.is_empty()).then(|| all.join(";"))
            }
        };
        if name == "lifecyclestage" && goes_back(property, &before, written.as_deref()) {
            continue;
        }
        match given_time(state, object, name) {
            Some((_, TicketTimes::Ignored)) => continue,
            Some((time, _)) => {
                given.insert(time);
            }
            None => {}
        }
        changes.insert(name.clone(), written);
    }
    check_whole(
        state,
        of,
        &before,
        &mut changes,
        existing.is_none(),
        enforces,
        &mut invalid,
    );
    if !invalid.is_empty() {
        return Err(Failure::values(&invalid));
    }
    let mut after = before.clone();
    apply(&mut after, &changes);
    derive(state, object, &before, &after, &mut changes, &given);
    if object == TypeId::CONTACT {
        contact_identities(state, &after)?;
    }
    let id = match existing {
        Some(id) => id,
        None => state.next_record(object),
    };
    Ok(Prepared {
        id,
        new: existing.is_none(),
        changes: changes.into_iter().collect(),
        given,
        links: vec![],
        trace: None,
    })
}

fn apply(values: &mut Values, changes: &BTreeMap<String, Option<String>>) {
    for (name, value) in changes {
        match value {
            Some(value) => values.insert(name.clone(), value.clone()),
            None => values.remove(name),
        };
    }
}

/// §7: a lifecycle stage moves forward only; a step back is passed over [INF].
fn goes_back(property: &Property, before: &Values, written: Option<&str>) -> bool {
    let place = |value: &str| property.options.iter().position(|o| o.value == value);
    let old = before.get("lifecyclestage").and_then(|old| place(old));
    let new = written.and_then(place);
    matches!((old, new), (Some(old), Some(new)) if new < old)
}

/// §16: times of a ticket whose fate is a switch.
fn given_time(state: &State, object: TypeId, name: &str) -> Option<(&'static str, TicketTimes)> {
    let switches = &state.config.switches;
    match (object, name) {
        (TypeId::TICKET, "createdate") => Some(("createdate", switches.ticket_createdate)),
        (TypeId::TICKET, "closed_date") => Some(("closed_date", switches.ticket_closed_date)),
        _ => None,
    }
}

/// What concerns more than one property: what must be there, pipelines and their stages.
fn check_whole(
    state: &State,
    of: &ObjectType,
    before: &Values,
    changes: &mut BTreeMap<String, Option<String>>,
    new: bool,
    enforces: bool,
    invalid: &mut Vec<Invalid>,
) {
    if let Some((pipeline_name, stage_name)) = pipeline_names(of.id) {
        let now = |changes: &BTreeMap<String, Option<String>>, name: &str| -> Option<String> {
            changes
                .get(name)
                .cloned()
                .unwrap_or_else(|| before.get(name).cloned())
        };
        let pipelines = state.pipelines.get(&of.id);
        let touched =
            new || changes.contains_key(pipeline_name) || changes.contains_key(stage_name);
        // §7: without a pipeline the default one is meant.
        let default = || {
            pipelines?
                .values()
                .min_by_key(|p| p.order)
                .map(|p| p.id.clone())
        };
        let pipeline = now(changes, pipeline_name)
            .or_else(default)
            .unwrap_or_default();
        if touched {
            match pipelines.and_then(|all| all.get(&pipeline)) {
                None => {
                    let message = format!("{pipeline} is not a valid pipeline ID.");
                    invalid.push(Invalid::new("INVALID_OPTION", pipeline_name, message));
                }
                Some(found) => {
                    if let Some(stage) = now(changes, stage_name)
                        && !found.stages.iter().any(|s| s.id == stage)
                    {
                        let message = format!(
                            "{stage} is not a valid pipeline stage ID of pipeline {pipeline}."
                        );
                        invalid.push(Invalid::new("INVALID_OPTION", stage_name, message));
                    }
                }
            }
            if new {
                changes.insert(pipeline_name.to_owned(), Some(pipeline));
            }
        }
    }
    let mut after = before.clone();
    apply(&mut after, changes);
    let missing = |invalid: &mut Vec<Invalid>, names: &str| {
        let message = format!("{names} must be set.");
        invalid.push(Invalid::new("REQUIRED_PROPERTY_MISSING", names, message));
    };
    let alternatives: &[&str] = match of.id {
        TypeId::CONTACT => &["email", "firstname", "lastname"],
        TypeId::COMPANY => &["name", "domain"],
        _ => &[],
    };
    if !alternatives.is_empty() && new && !alternatives.iter().any(|name| after.contains_key(*name))
    {
        missing(invalid, &alternatives.join(", "));
    }
    for name in &of.required {
        let concerned = new || changes.contains_key(name);
        if concerned && !after.contains_key(name) && !invalid.iter().any(|i| i.name == *name) {
            missing(invalid, name);
        }
    }
    // §1.2: only 2026-09 enforces what an admin requires.
    let rules = &state.config.preexisting.required_on_create;
    for (_, name) in rules
        .iter()
        .filter(|(object, _)| enforces && new && *object == of.name)
    {
        if !after.contains_key(name) {
            missing(invalid, name);
        }
    }
    if of.id == TypeId::EMAIL
        && changes.contains_key("hs_email_direction")
        && !after.contains_key("hs_email_direction")
    {
        missing(invalid, "hs_email_direction");
    }
}

/// The properties with pipeline and stage.
pub(super) fn pipeline_names(object: TypeId) -> Option<(&'static str, &'static str)> {
    match object {
        TypeId::TICKET => Some(("hs_pipeline", "hs_pipeline_stage")),
        TypeId::DEAL => Some(("pipeline", "dealstage")),
        _ => None,
    }
}

/// What HubSpot computes from what is written.
fn derive(
    state: &State,
    object: TypeId,
    before: &Values,
    after: &Values,
    changes: &mut BTreeMap<String, Option<String>>,
    given: &BTreeSet<&'static str>,
) {
    let mut set = |name: &str, value: Option<String>| {
        changes.insert(name.to_owned(), value);
    };
    let changed = |name: &str| before.get(name) != after.get(name);
    if changed("hubspot_owner_id") {
        let assigned = after
            .contains_key("hubspot_owner_id")
            .then(|| iso(state.now));
        set("hubspot_owner_assigneddate", assigned);
    }
    match object {
        TypeId::CONTACT if changed("email") => {
            let domain = after.get("email").and_then(|e| e.split_once('@'));
            set(
                "hs_email_domain",
                domain.map(|(_, domain)| domain.to_owned()),
            );
        }
        TypeId::TICKET if changed("hs_pipeline_stage") => {
            // §7, §16: a closed stage stamps `closed_date`, whatever was there before.
            let closed = rules::is_closed(state, after);
            let kept = before.is_empty() && given.contains("closed_date");
            let at = match after.get("closed_date").filter(|_| kept) {
                Some(at) => Some(at.clone()),
                None => closed.then(|| iso(state.now)),
            };
            let began = after.get("createdate").and_then(|at| values::moment(at));
            let began = began.unwrap_or(state.now);
            let ended = at.as_deref().and_then(values::moment);
            let took = ended.map(|at| (at - began).num_milliseconds().max(0).to_string());
            set("closed_date", at);
            set("time_to_close", took);
        }
        TypeId::EMAIL => {
            if changed("hs_email_headers") {
                headers(after.get("hs_email_headers"), &mut set);
            }
            if changed("hs_email_text") || changed("hs_email_html") {
                let text = after
                    .get("hs_email_text")
                    .or_else(|| after.get("hs_email_html"));
                set("hs_body_preview", text.map(|text| preview(text)));
            }
        }
        TypeId::NOTE if changed("hs_note_body") => {
            set(
                "hs_body_preview",
                after.get("hs_note_body").map(|text| preview(text)),
            );
        }
        TypeId::COMMUNICATION if changed("hs_communication_body") => {
            set(
                "hs_body_preview",
                after.get("hs_communication_body").map(|text| preview(text)),
            );
        }
        TypeId::CALL if changed("hs_call_body") => {
            set(
                "hs_body_preview",
                after.get("hs_call_body").map(|text| preview(text)),
            );
        }
        _ => {}
    }
}

fn preview(text: &str) -> String {
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            c if !in_tag => plain.push(c),
            _ => {}
        }
        if plain.len() > 250 {
            break;
        }
    }
    plain
}

/// §8: addresses and names of an e-mail are read from its headers.
fn headers(text: Option<&String>, set: &mut impl FnMut(&str, Option<String>)) {
    let parsed: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
    for (role, name) in [
        ("from", "from"),
        ("sender", "sender"),
        ("to", "to"),
        ("cc", "cc"),
        ("bcc", "bcc"),
    ] {
        let people = parsed.as_ref().and_then(|headers| headers.get(role));
        let people: Vec<&Value> = match people {
            Some(Value::Array(people)) => people.iter().collect(),
            Some(person @ Value::Object(_)) => vec![person],
            _ => vec![],
        };
        for (part, key) in [
            ("email", "email"),
            ("firstname", "firstName"),
            ("lastname", "lastName"),
        ] {
            let texts: Vec<&str> = people.iter().filter_map(|p| p.get(key)?.as_str()).collect();
            let joined = (!texts.is_empty()).then(|| texts.join(";"));
            set(&format!("hs_email_{name}_{part}"), joined);
        }
    }
}

fn contact_identities(state: &State, after: &Values) -> Result<(), Failure> {
    let addresses = state.unique_values(TypeId::CONTACT, after);
    let addresses = addresses.iter().filter(|(name, _)| name == "email");
    let mut count = 0;
    for (_, address) in addresses {
        count += 1;
        if state.blocked.contains(address) {
            // §0.7: an address on the blocklist can never be used again.
            let message = format!("{address} was deleted for privacy and cannot be used.");
            let invalid = Invalid::new("INVALID_EMAIL", "email", message);
            return Err(Failure::values(&[invalid]));
        }
    }
    if count > IDENTITIES {
        return Err(Failure::new(
            414,
            "",
            "The contact would have more than 250 identities",
        ));
    }
    Ok(())
}

/// Refuses a unique value that another record has (§3.4).
fn check_unique(
    state: &State,
    object: TypeId,
    prepared: &Prepared,
    claims: &Claims,
    creates: bool,
) -> Result<Vec<(String, String)>, Failure> {
    let mut after: Values = state
        .record(object, prepared.id)
        .filter(|_| !prepared.new)
        .map(|record| (*record.values).clone())
        .unwrap_or_default();
    for (name, value) in &prepared.changes {
        match value {
            Some(value) => after.insert(name.clone(), value.clone()),
            None => after.remove(name),
        };
    }
    let wanted = state.unique_values(object, &after);
    for (name, value) in &wanted {
        let holder = state.holder(object, name, value);
        let holder = holder.or_else(|| claims.get(&(name.clone(), value.clone())).copied());
        let Some(holder) = holder.filter(|holder| *holder != prepared.id) else {
            continue;
        };
        if creates
            && object == TypeId::CONTACT
            && name == "email"
            && after.get("email") == Some(value)
        {
            let message = format!("Contact already exists. Existing ID: {holder}");
            return Err(Failure::new(409, "CONFLICT", message));
        }
        return Err(taken(state, object, name, value, prepared.id, holder));
    }
    if object == TypeId::COMPANY && prepared.new && state.config.switches.company_domain_unique {
        let domain = after.get("domain");
        let holder = domain
            .and_then(|d| state.domains.get(d))
            .and_then(|ids| ids.first());
        if let (Some(domain), Some(holder)) = (domain, holder) {
            return Err(taken(state, object, "domain", domain, prepared.id, *holder));
        }
    }
    Ok(wanted)
}

/// §0.8: the half-made record is named first, the one that has the value second.
fn taken(state: &State, object: TypeId, name: &str, value: &str, new: Id, holder: Id) -> Failure {
    let named = match object {
        TypeId::CONTACT => "legacyObjectType=CONTACT".to_owned(),
        TypeId::COMPANY => "legacyObjectType=COMPANY".to_owned(),
        TypeId::TICKET => "legacyObjectType=TICKET".to_owned(),
        TypeId::DEAL => "legacyObjectType=DEAL".to_owned(),
        other => format!("metaTypeId={}, innerId={}", other.0, other.1),
    };
    let portal = state.config.portal_id;
    let message = format!(
        "Cannot set PropertyValueCoordinates{{portalId={portal}, objectTypeId=ObjectTypeId{{{named}}}, propertyName={name}, \
         value={value}}} on {new}. {holder} already has that value."
    );
    let code = json!({"message": message, "code": "CONFLICTING_UNIQUE_VALUE", "context": {"propertyName": [name]}});
    let mut failure = Failure::validation(message);
    failure.details.errors = vec![code];
    failure
}

/// Writes what was prepared.
pub(super) fn commit(state: &mut State, object: TypeId, prepared: Prepared, source: &str) {
    let id = prepared.id;
    if prepared.new {
        let mut values = Values::new();
        for (name, value) in prepared.changes {
            if let Some(value) = value {
                values.insert(name, value);
            }
        }
        if object == TypeId::TICKET {
            values.insert("hs_ticket_id".to_owned(), id.to_string());
        }
        if object == TypeId::CONTACT {
            values.insert("hs_marketable_status".to_owned(), "false".to_owned());
        }
        state.insert(object, id, values, prepared.given, source);
        for (to, keys) in &prepared.links {
            state.add_links((object, id), *to, keys);
        }
        rules::created(state, object, id);
    } else {
        let before = state
            .record(object, id)
            .map(|r| (*r.values).clone())
            .unwrap_or_default();
        state.change(object, id, prepared.changes);
        rules::changed(state, object, id, &before);
    }
}

// ---- one record

fn properties_of(body: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let properties = body.get("properties").and_then(Value::as_object).cloned();
    properties.ok_or_else(|| {
        Failure::validation("Invalid input JSON: some required fields were not set: [properties]")
    })
}

fn create(call: &mut Call<'_>, object: &str) -> Outcome {
    let object = writable(call, object)?;
    let body = call
        .body(&["properties", "associations", "objectWriteTraceId"])?
        .clone();
    let prepared = prepare_new(call, object, &body, &Claims::new())?.0;
    let (id, trace) = (prepared.id, prepared.trace.clone());
    commit(call.state, object, prepared, "INTEGRATION");
    let mut json = render_all(call.state, object, id);
    if let (Some(trace), Some(map)) = (trace, json.as_object_mut()) {
        map.insert("objectWriteTraceId".to_owned(), json!(trace));
    }
    let location = format!("{}{}/{id}", call.base, call.request.raw_path);
    Ok(Answer::json(201, json).with("location", location))
}

/// A new record with its links, and the unique values it takes.
fn prepare_new(
    call: &mut Call<'_>,
    object: TypeId,
    input: &Map<String, Value>,
    claims: &Claims,
) -> Result<(Prepared, Vec<(String, String)>), Failure> {
    let properties = properties_of(input)?;
    let enforces = call.enforces_rules();
    check_room(call.state, object)?;
    let mut prepared = prepare(call.state, object, None, &properties, enforces)?;
    if let Some(given) = input.get("associations") {
        prepared.links = links::of_new(call, object, given)?;
    }
    let trace = input.get("objectWriteTraceId").and_then(Value::as_str);
    prepared.trace = trace.map(str::to_owned);
    let unique = check_unique(call.state, object, &prepared, claims, true)?;
    Ok((prepared, unique))
}

/// Refuses a record more than the account may have (§5).
fn check_room(state: &State, object: TypeId) -> Result<(), Failure> {
    let live = state.tables.get(&object).map_or(0, |table| table.live);
    if live >= state.config.switches.records_per_object {
        return Err(Failure::validation(format!(
            "The limit of records of {object} is reached"
        )));
    }
    Ok(())
}

/// The record that a path or input names.
fn find(
    state: &State,
    object: TypeId,
    id: &str,
    property: Option<&str>,
) -> Result<Option<Id>, Failure> {
    match property {
        None => Ok(id
            .parse()
            .ok()
            .and_then(|id| state.record(object, id))
            .map(|r| r.id)),
        Some(property) => {
            let of = state.type_of(object);
            let unique = of
                .and_then(|of| of.properties.get(property))
                .is_some_and(|p| p.unique);
            if !unique {
                // §3.3
                let portal = state.config.portal_id;
                let message = format!(
                    "Unable to perform update/upsert by non-unique {object} property {property} in portal ID {portal}"
                );
                return Err(Failure::validation(message));
            }
            let holder = state.holder(object, property, id);
            Ok(holder.and_then(|id| state.record(object, id)).map(|r| r.id))
        }
    }
}

fn read(call: &mut Call<'_>, object: &str, id: &str) -> Outcome {
    let object = readable(call, object)?;
    let property = call
        .request
        .param("idProperty")
        .filter(|p| *p != "hs_object_id");
    let record = if call.request.flag("archived")? {
        let id = id.parse().ok();
        let record = id.and_then(|id| call.state.any(object, id));
        record.filter(|record| record.archived.is_some())
    } else {
        let id = find(call.state, object, id, property)?;
        id.and_then(|id| call.state.record(object, id))
    };
    let record = record.ok_or_else(Failure::not_found)?;
    let mut body = render(call.state, record, &Shown::of_query(call));
    with_links(call, record, &mut body)?;
    Answer::ok(body)
}

fn list(call: &mut Call<'_>, object: &str) -> Outcome {
    let object = readable(call, object)?;
    let archived = call.request.flag("archived")?;
    let shown = Shown::of_query(call);
    let most = call.state.config.switches.list_limit;
    let limit = call
        .request
        .param("limit")
        .and_then(|l| l.parse().ok())
        .unwrap_or(10_usize);
    let state = &*call.state;
    for name in call.request.list("associations") {
        call.live_object(&name)?;
    }
    let all = |after: Option<Id>| {
        let table = state.tables.get(&object).into_iter();
        let from = after.map_or(0, |id| id + 1);
        table
            .flat_map(|t| t.records.range(from..))
            .filter(|(_, record)| record.archived.is_some() == archived)
            .take(limit.min(most) + 1)
            .map(|(id, record)| (*id, record))
            .collect()
    };
    call.page(10, most, all, |record| {
        let mut body = render(state, record, &shown);
        // The names of types were looked at above.
        let _ = with_links(call, record, &mut body);
        body
    })
}

fn update(call: &mut Call<'_>, object: &str, id: &str) -> Outcome {
    let object = writable(call, object)?;
    let property = call
        .request
        .param("idProperty")
        .filter(|p| *p != "hs_object_id");
    let id = find(call.state, object, id, property)?.ok_or_else(Failure::not_found)?;
    let body = call.body(&["properties", "objectWriteTraceId"])?.clone();
    call.writes(object, id)?;
    let enforces = call.enforces_rules();
    let prepared = prepare(
        call.state,
        object,
        Some(id),
        &properties_of(&body)?,
        enforces,
    )?;
    check_unique(call.state, object, &prepared, &Claims::new(), false)?;
    commit(call.state, object, prepared, "INTEGRATION");
    Answer::ok(render_all(call.state, object, id))
}

fn delete(call: &mut Call<'_>, object: &str, id: &str) -> Outcome {
    let object = writable(call, object)?;
    let found = find(call.state, object, id, None)?;
    let Some(id) = found else {
        let status = call.state.config.switches.delete_unknown_status;
        return if status == 204 {
            Ok(Answer::empty(204))
        } else {
            Err(Failure::not_found())
        };
    };
    call.writes(object, id)?;
    call.state.archive(object, id);
    Ok(Answer::empty(204))
}

// ---- batches (§3.3)

/// Whether every input can be told from the others in an answer, which makes a batch succeed in part (§0.3).
fn is_traced(inputs: &[Value]) -> bool {
    let traces: BTreeSet<&str> = inputs
        .iter()
        .filter_map(|input| input.get("objectWriteTraceId")?.as_str())
        .filter(|trace| !trace.is_empty())
        .collect();
    traces.len() == inputs.len()
}

/// The object that an input is.
fn input_of<'i>(input: &'i Value, members: &[&str]) -> Result<&'i Map<String, Value>, Failure> {
    let input = input.as_object();
    let input = input.ok_or_else(|| Failure::input("inputs: an object is expected"))?;
    members_of(input, members)?;
    Ok(input)
}

fn traced(failure: Failure, input: &Value) -> Failure {
    let trace = input.get("objectWriteTraceId").and_then(Value::as_str);
    failure.about("objectWriteTraceId", trace.map(str::to_owned))
}

fn batch_create(call: &mut Call<'_>, object: &str) -> Outcome {
    let object = writable(call, object)?;
    let inputs = call.inputs(call.body(&["inputs"])?, BATCH)?;
    let in_part = is_traced(&inputs);
    let (mut claims, mut ready, mut errors) = (Claims::new(), Vec::new(), Vec::new());
    for input in &inputs {
        let members = ["properties", "associations", "objectWriteTraceId"];
        let prepared =
            input_of(input, &members).and_then(|input| prepare_new(call, object, input, &claims));
        match prepared {
            Ok((prepared, unique)) => {
                claims.extend(unique.into_iter().map(|key| (key, prepared.id)));
                ready.push(prepared);
            }
            Err(failure) if in_part => errors.push(traced(failure, input)),
            // §0.3: one bad input spoils the whole batch.
            Err(failure) => return Err(failure),
        }
    }
    let results = commit_all(call, object, ready, false);
    Ok(call.batch(201, results, &errors))
}

/// Writes what was prepared; the records in the order the answer has them.
fn commit_all(
    call: &mut Call<'_>,
    object: TypeId,
    ready: Vec<Prepared>,
    tells_new: bool,
) -> Vec<Value> {
    let mut results = Vec::new();
    for prepared in ready {
        let (id, new, trace) = (prepared.id, prepared.new, prepared.trace.clone());
        commit(call.state, object, prepared, "INTEGRATION");
        let mut json = render_all(call.state, object, id);
        if let Some(map) = json.as_object_mut() {
            if tells_new {
                map.insert("new".to_owned(), json!(new));
            }
            if let Some(trace) = trace {
                map.insert("objectWriteTraceId".to_owned(), json!(trace));
            }
        }
        results.push(json);
    }
    in_some_order(call.state, &mut results);
    results
}

/// §3.3: the order of results is not promised.
pub(super) fn in_some_order(state: &State, results: &mut [Value]) {
    if state.config.switches.batch_order_shuffled {
        let by = results.len() / 3;
        results.rotate_left(by);
        results.reverse();
    }
}

fn batch_read(call: &mut Call<'_>, object: &str) -> Outcome {
    let object = readable(call, object)?;
    let body = call
        .body(&[
            "inputs",
            "idProperty",
            "properties",
            "propertiesWithHistory",
        ])?
        .clone();
    let inputs = call.inputs(&body, BATCH)?;
    let shown = Shown::of_body(call, &body)?;
    let archived = call.request.flag("archived")?;
    let property = body.get("idProperty").and_then(Value::as_str);
    let property = property.filter(|p| *p != "hs_object_id");
    let (mut seen, mut results, mut missing) = (BTreeSet::new(), Vec::new(), Vec::new());
    for input in &inputs {
        let id = required(input_of(input, &["id"])?, "id")?;
        let record = if archived {
            let id = id.parse().ok().filter(|_| property.is_none());
            let record = id.and_then(|id| call.state.any(object, id));
            record.filter(|record| record.archived.is_some())
        } else {
            find(call.state, object, id, property)?.and_then(|id| call.state.record(object, id))
        };
        match record {
            Some(record) if seen.insert(record.id) => {
                results.push(render(call.state, record, &shown));
            }
            Some(_) => {}
            None => missing.push(id.to_owned()),
        }
    }
    in_some_order(call.state, &mut results);
    let mut errors = Vec::new();
    if !missing.is_empty() {
        let failure = Failure::new(
            404,
            "OBJECT_NOT_FOUND",
            "Could not get some objects, they may be deleted or not exist",
        );
        errors.push(failure.about("ids", missing));
    }
    Ok(call.batch(200, results, &errors))
}

fn batch_update(call: &mut Call<'_>, object: &str, upserts: bool) -> Outcome {
    let object = writable(call, object)?;
    let inputs = call.inputs(call.body(&["inputs"])?, BATCH)?;
    let in_part = is_traced(&inputs);
    let (mut claims, mut ready, mut errors) = (Claims::new(), Vec::<Prepared>::new(), Vec::new());
    let mut named = BTreeSet::new();
    for input in &inputs {
        let id = input.get("id").and_then(Value::as_str).unwrap_or_default();
        let property = input
            .get("idProperty")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !named.insert((property, id)) {
            let message = format!("Duplicate IDs found in batch input: [{id}]. IDs must be unique");
            return Err(Failure::validation(message));
        }
    }
    for input in &inputs {
        let prepared = prepare_change(call, object, input, upserts, &claims);
        match prepared {
            Ok((prepared, unique)) if ready.iter().all(|other| other.id != prepared.id) => {
                claims.extend(unique.into_iter().map(|key| (key, prepared.id)));
                ready.push(prepared);
            }
            Ok((prepared, _)) => {
                let message = format!(
                    "Duplicate IDs found in batch input: [{}]. IDs must be unique",
                    prepared.id
                );
                return Err(Failure::validation(message));
            }
            Err(failure) if in_part => errors.push(traced(failure, input)),
            Err(failure) => return Err(failure),
        }
    }
    let results = commit_all(call, object, ready, upserts);
    Ok(call.batch(200, results, &errors))
}

fn prepare_change(
    call: &mut Call<'_>,
    object: TypeId,
    input: &Value,
    upserts: bool,
    claims: &Claims,
) -> Result<(Prepared, Vec<(String, String)>), Failure> {
    let input = input_of(
        input,
        &["id", "idProperty", "properties", "objectWriteTraceId"],
    )?;
    let id = required(input, "id")?;
    let property = if upserts {
        // §3.3: an upsert cannot do without.
        Some(required(input, "idProperty")?)
    } else {
        input.get("idProperty").and_then(Value::as_str)
    };
    let mut properties = properties_of(input)?;
    let existing = find(call.state, object, id, property)?;
    if let (None, Some(property), true) = (existing, property, upserts) {
        check_room(call.state, object)?;
        properties.entry(property).or_insert_with(|| json!(id));
    }
    if existing.is_none() && !upserts {
        return Err(Failure::not_found().about("ids", [id.to_owned()]));
    }
    if let Some(id) = existing {
        call.writes(object, id)?;
    }
    let by_email = object == TypeId::CONTACT && property == Some("email");
    if let (Some(id), true, true) = (existing, upserts, by_email)
        && call.state.config.switches.email_upsert == EmailUpsert::ClearsOthers
    {
        clear_others(call.state, id, &mut properties);
    }
    let enforces = call.enforces_rules();
    let mut prepared = prepare(call.state, object, existing, &properties, enforces)?;
    let trace = input.get("objectWriteTraceId").and_then(Value::as_str);
    prepared.trace = trace.map(str::to_owned);
    let unique = check_unique(call.state, object, &prepared, claims, false)?;
    Ok((prepared, unique))
}

/// §3.3: an upsert by e-mail is no partial one.
fn clear_others(state: &State, id: Id, properties: &mut Map<String, Value>) {
    let (Some(of), Some(record)) = (
        state.type_of(TypeId::CONTACT),
        state.record(TypeId::CONTACT, id),
    ) else {
        return;
    };
    let writable = of
        .properties
        .values()
        .filter(|p| !p.read_only && p.name != "email");
    for property in writable {
        if record.values.contains_key(&property.name) {
            properties
                .entry(property.name.clone())
                .or_insert(Value::Null);
        }
    }
}

fn batch_archive(call: &mut Call<'_>, object: &str) -> Outcome {
    let object = writable(call, object)?;
    let inputs = call.inputs(call.body(&["inputs"])?, BATCH)?;
    let (mut ids, mut missing) = (Vec::new(), Vec::new());
    for input in &inputs {
        let id = required(input_of(input, &["id"])?, "id")?;
        match find(call.state, object, id, None)? {
            Some(id) => ids.push(id),
            None => missing.push(id.to_owned()),
        }
    }
    for id in &ids {
        call.writes(object, *id)?;
    }
    for id in ids {
        call.state.archive(object, id);
    }
    if !missing.is_empty() && call.state.config.switches.batch_archive_missing_fails {
        let failure = Failure::new(404, "OBJECT_NOT_FOUND", "Some objects do not exist");
        return Ok(call.batch(207, vec![], &[failure.about("ids", missing)]));
    }
    Ok(Answer::empty(204))
}

// ---- merging and privacy (§6)

fn merge(call: &mut Call<'_>, object: &str) -> Outcome {
    let object = writable(call, object)?;
    if !matches!(object, TypeId::CONTACT | TypeId::COMPANY | TypeId::TICKET) {
        return Err(Failure::no_route());
    }
    let body = call.body(&["primaryObjectId", "objectIdToMerge"])?.clone();
    let named = |name: &str| -> Result<Id, Failure> {
        let id = body.get(name).and_then(id_of);
        let record = id.and_then(|id| call.state.record(object, id));
        record
            .map(|record| record.id)
            .ok_or_else(Failure::not_found)
    };
    let (primary, other) = (named("primaryObjectId")?, named("objectIdToMerge")?);
    if primary == other {
        return Err(Failure::validation("A record cannot be merged with itself"));
    }
    merge_records(call.state, object, primary, other);
    Answer::ok(render_all(call.state, object, primary))
}

/// Merges one record into another: the first keeps its values, takes addresses and links.
pub(super) fn merge_records(state: &mut State, object: TypeId, primary: Id, other: Id) {
    let Some(gone) = state.record(object, other).cloned() else {
        return;
    };
    let mine = state
        .record(object, primary)
        .map(|r| (*r.values).clone())
        .unwrap_or_default();
    let types: Vec<TypeId> = state.types.keys().copied().collect();
    let mut moved = Vec::new();
    for to in types {
        if let Some(ends) = state.links_of((object, other), to) {
            moved.extend(ends.iter().map(|(end, keys)| ((to, *end), keys.clone())));
        }
    }
    state.remove(object, other);
    for (to, keys) in moved {
        if to != (object, primary) {
            state.add_links((object, primary), to, &keys);
        }
    }
    let mut changes: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in gone.values.iter() {
        if !mine.contains_key(name) {
            changes.push((name.clone(), Some(value.clone())));
        }
    }
    let list = |old: Option<&String>, more: &[&str]| {
        let old = old.map_or("", String::as_str);
        let all = old
            .split(';')
            .chain(more.iter().copied())
            .filter(|part| !part.is_empty());
        all.collect::<Vec<_>>().join(";")
    };
    if object == TypeId::CONTACT && mine.contains_key("email") {
        let more = [gone.text("email"), gone.text("hs_additional_emails")];
        let emails = list(mine.get("hs_additional_emails"), &more);
        changes.retain(|(name, _)| name != "hs_additional_emails");
        changes.push((
            "hs_additional_emails".to_owned(),
            (!emails.is_empty()).then_some(emails),
        ));
    }
    let merged = list(mine.get("hs_merged_object_ids"), &[&other.to_string()]);
    changes.retain(|(name, _)| name != "hs_merged_object_ids");
    changes.push(("hs_merged_object_ids".to_owned(), Some(merged)));
    state.change(object, primary, changes);
    for survivor in state
        .merged
        .values_mut()
        .filter(|survivor| **survivor == other)
    {
        *survivor = primary;
    }
    state.merged.insert((object, other), primary);
}

fn gdpr_delete(call: &mut Call<'_>) -> Outcome {
    let object = writable(call, "contacts")?;
    let body = call.body(&["objectId", "idProperty"])?;
    let id = required(body, "objectId")?.to_owned();
    let by_email = match body.get("idProperty").and_then(Value::as_str) {
        None | Some("hs_object_id") => false,
        Some("email") => true,
        Some(other) => {
            return Err(Failure::validation(format!(
                "idProperty: {other} is not email"
            )));
        }
    };
    let property = by_email.then_some("email");
    match find(call.state, object, &id, property)? {
        Some(id) => {
            call.state.remove(object, id);
        }
        // §0.7: an unknown address is put on a blocklist for ever.
        None if by_email => {
            call.state.blocked.insert(id.to_lowercase());
        }
        None => return Err(Failure::not_found()),
    }
    Ok(Answer::empty(204))
}
