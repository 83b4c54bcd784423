//! Customers with their addresses, data and values (Gorgias facts §7).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Key, PAGED, key, page, paging, plain_time};
use super::fields::{self, merge_values};
use super::model::{Channel, Customer, Id, ObjectType};
use super::read::{EMAIL_LENGTH, EXTERNAL_ID_LENGTH, Problems, Reader, is_email};
use super::state::{State, TicketKey};
use super::switches::CustomerDeletion;
use super::tickets;
use super::users::split_name;
use crate::common::OutboxItem;

/// Types of channels besides custom ones (§7); sms uses `phone`.
const CHANNELS: [&str; 8] = [
    "email",
    "phone",
    "chat",
    "twitter",
    "facebook",
    "instagram",
    "instagram-direct-message",
    "whatsapp",
];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["customers"], "GET") => list(call),
        (["customers"], "POST") => post(call),
        (["customers"], "DELETE") => delete_many(call),
        (["customers", "merge"], "PUT") => merge(call),
        (["customers", id], "GET") => call.id(id).and_then(|id| get(call, id)),
        (["customers", id], "PUT") => call.id(id).and_then(|id| put(call, id)),
        (["customers", id], "DELETE") => call.id(id).and_then(|id| {
            call.only(&[])?;
            delete(call.state, id)?;
            Answer::bare(204)
        }),
        (["customers", id, "data"], "PUT") => call.id(id).and_then(|id| put_data(call, id)),
        (["customers", id, "custom-fields"], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            // §4: a bare array, not the `data` of tickets.
            let customer = call.state.customer(id)?;
            Answer::ok(fields::with_fields(call.state, &customer.custom_fields))
        }),
        (["customers", id, "custom-fields"], "PUT") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.customer(id)?;
            let body = &call.request.json;
            let values = fields::values_of_body(call.state, ObjectType::Customer, body)?;
            put_values(call, id, values)
        }),
        (["customers", id, "custom-fields", field], "PUT") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.customer(id)?;
            let field = call.id(field)?;
            let body = &call.request.json;
            let values = fields::value_of_body(call.state, ObjectType::Customer, field, body)?;
            put_values(call, id, values)
        }),
        (["customers", id, "custom-fields", field], "DELETE") => call.id(id).and_then(|id| {
            call.only(&[])?;
            call.state.customer(id)?;
            let field = call.id(field)?;
            call.state
                .edit_customer(id, |customer| customer.custom_fields.remove(&field));
            Answer::bare(204)
        }),
        (
            ["customers"]
            | ["customers", _]
            | ["customers", _, "data" | "custom-fields"]
            | ["customers", _, "custom-fields", _],
            _,
        ) => Err(Failure::Method),
        _ => return None,
    })
}

fn put_values(call: &mut Call<'_>, id: Id, values: fields::Values) -> Outcome {
    call.state.edit_customer(id, |customer| {
        merge_values(&mut customer.custom_fields, values)
    });
    let customer = call.state.customer(id)?;
    Answer::accepted(fields::with_fields(call.state, &customer.custom_fields))
}

/// A customer as answers show them.
fn render(state: &State, customer: &Customer, with_values: bool) -> Value {
    let channels: Vec<Value> = customer
        .channels
        .iter()
        .map(|channel| {
            json!({
                "id": channel.id,
                "type": channel.kind,
                "address": channel.address,
                "preferred": channel.preferred,
                "customer": {"id": customer.id},
                "created_datetime": plain_time(state, channel.created_at),
                "updated_datetime": plain_time(state, channel.created_at),
                "deleted_datetime": null,
            })
        })
        .collect();
    let integrations: serde_json::Map<String, Value> = customer
        .integrations
        .iter()
        .map(|(id, data)| (id.to_string(), data.clone()))
        .collect();
    let mut shown = json!({
        "id": customer.id,
        "name": customer.name,
        "firstname": customer.firstname,
        "lastname": customer.lastname,
        "email": customer.email,
        "external_id": customer.external_id,
        "note": customer.note,
        "language": customer.language,
        "timezone": customer.timezone,
        "created_datetime": plain_time(state, customer.created_at),
        "updated_datetime": plain_time(state, customer.updated_at),
        "channels": channels,
        "data": customer.data,
        "meta": customer.meta,
        "integrations": integrations,
        "active": true,
    });
    if with_values && let Some(shown) = shown.as_object_mut() {
        let values = fields::by_id(&customer.custom_fields);
        shown.insert("custom_fields".to_owned(), values);
    }
    shown
}

/// A customer or user as they look in tickets and messages.
pub(super) fn in_short(customer: &Customer) -> Value {
    json!({
        "id": customer.id,
        "email": customer.email,
        "name": customer.name,
        "firstname": customer.firstname,
        "lastname": customer.lastname,
        "external_id": customer.external_id,
        "meta": customer.meta,
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[
        &PAGED,
        &[
            "external_id",
            "email",
            "name",
            "language",
            "timezone",
            "channel_type",
            "channel_address",
        ],
    ])?;
    let paging = paging(call, &["created_datetime", "updated_datetime"])?;
    let by_update = paging.by == "updated_datetime";
    let param = |name: &str| call.request.param(name);
    let state = &*call.state;
    let any_channel = state.config.switches.email_filter_any_channel;
    let keep = |customer: &Customer| {
        let has_email = |email: &str| {
            if any_channel {
                state.customer_by_channel("email", email) == Some(customer.id)
            } else {
                let main = customer.email.as_deref();
                main.is_some_and(|main| main.eq_ignore_ascii_case(email))
            }
        };
        param("external_id").is_none_or(|id| customer.external_id.as_deref() == Some(id))
            && param("email").is_none_or(has_email)
            && param("name").is_none_or(|name| customer.name == name)
            && param("language").is_none_or(|code| customer.language.as_deref() == Some(code))
            && param("timezone").is_none_or(|zone| customer.timezone.as_deref() == Some(zone))
            && state.is_listed(customer.updated_at)
    };
    let show = |id: Id| {
        let customer = state.customers.get(&id).filter(|customer| keep(customer))?;
        Some(render(state, customer, false))
    };
    let place = |id: Id| -> Option<Key> {
        let customer = state.customers.get(&id)?;
        let time = if by_update {
            customer.updated_at
        } else {
            customer.created_at
        };
        Some(key(time, id))
    };
    // What an index knows is not looked for in all.
    let found: Option<Vec<Id>> = match (
        param("channel_type"),
        param("channel_address"),
        param("external_id"),
        param("email"),
    ) {
        (Some(kind), Some(address), _, _) => Some(
            state
                .customer_by_channel(kind, address)
                .into_iter()
                .collect(),
        ),
        (Some(_), None, _, _) | (None, Some(_), _, _) => {
            let text = "channel_type and channel_address go together.";
            return Err(Failure::invalid("Invalid parameters", "channel_type", text));
        }
        (_, _, Some(external), _) => {
            let ids = state.customers_by_external.get(external);
            Some(ids.into_iter().flatten().copied().collect())
        }
        (_, _, _, Some(email)) => Some(
            state
                .customer_by_channel("email", email)
                .into_iter()
                .collect(),
        ),
        _ => None,
    };
    if let Some(found) = found {
        let places: BTreeSet<Key> = found.into_iter().filter_map(place).collect();
        return page(call, &paging, &places, show);
    }
    let places = if by_update {
        &state.customers_updated
    } else {
        &state.customers_created
    };
    page(call, &paging, places, show)
}

fn get(call: &Call<'_>, id: Id) -> Outcome {
    call.only(&[&["relationships", "relationships[]"]])?;
    let with_values = call.wants("custom_fields");
    let customer = call.state.customer(id)?;
    Answer::ok(render(call.state, customer, with_values))
}

const KEYS: [&str; 11] = [
    "name",
    "firstname",
    "lastname",
    "email",
    "external_id",
    "language",
    "timezone",
    "note",
    "channels",
    "meta",
    "custom_fields",
];

/// A customer with nothing.
pub(super) fn blank(state: &mut State) -> Customer {
    Customer {
        id: state.next_id(),
        external_id: None,
        email: None,
        name: String::new(),
        firstname: String::new(),
        lastname: String::new(),
        note: None,
        language: None,
        timezone: Some("UTC".to_owned()),
        channels: Vec::new(),
        meta: Value::Null,
        data: Value::Null,
        data_version: None,
        custom_fields: fields::Values::new(),
        integrations: std::collections::BTreeMap::new(),
        created_at: state.now,
        updated_at: state.now,
        by_product: false,
    }
}

/// One address of a body.
fn read_channel(state: &mut State, value: &Value) -> Result<Channel, Problems> {
    let mut reader = Reader::new(value, &["type", "address", "preferred"]);
    for key in ["type", "address", "preferred"] {
        reader.required(key);
    }
    let kind = reader.long_text("type").unwrap_or_default();
    let known = CHANNELS.contains(&kind.as_str()) || state.config.custom_channels.contains(&kind);
    if !kind.is_empty() && !known {
        reader.problem("type", "Not a valid choice.");
    }
    let address = reader.text("address", EMAIL_LENGTH).unwrap_or_default();
    if kind == "email" && !address.is_empty() && !is_email(&address) {
        reader.problem("address", "Not a valid email address.");
    }
    let preferred = reader.flag("preferred").unwrap_or_default();
    let problems = reader.problems();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Channel {
        id: state.next_id(),
        kind,
        address,
        preferred,
        created_at: state.now,
    })
}

fn apply(state: &mut State, reader: &mut Reader<'_>, customer: &mut Customer) {
    if reader.given("name") {
        customer.name = reader.long_text("name").unwrap_or_default();
        (customer.firstname, customer.lastname) = split_name(&customer.name);
    }
    for (key, part) in [
        ("firstname", &mut customer.firstname),
        ("lastname", &mut customer.lastname),
    ] {
        if reader.given(key) {
            *part = reader.long_text(key).unwrap_or_default();
        }
    }
    if customer.name.is_empty() {
        let name = format!("{} {}", customer.firstname, customer.lastname);
        customer.name = name.trim().to_owned();
    }
    if reader.given("external_id") {
        customer.external_id = reader.text("external_id", EXTERNAL_ID_LENGTH);
    }
    if reader.given("note") {
        customer.note = reader.long_text("note");
    }
    if reader.given("language") {
        customer.language = reader.long_text("language");
        let fits = |code: &String| code.len() == 2 && code.chars().all(|c| c.is_ascii_lowercase());
        if !customer.language.as_ref().is_none_or(fits) {
            reader.problem("language", "Not an ISO 639-1 code.");
        }
    }
    if reader.given("timezone") {
        customer.timezone = reader.long_text("timezone");
        let fits = |zone: &String| zone == "UTC" || zone == "GMT" || zone.contains('/');
        if !customer.timezone.as_ref().is_none_or(fits) {
            reader.problem("timezone", "Not an IANA timezone name.");
        }
    }
    if reader.given("meta") {
        customer.meta = reader.object("meta");
    }
    if let Some(list) = reader.list("custom_fields") {
        match fields::read_values(state, ObjectType::Customer, list) {
            Ok(values) => merge_values(&mut customer.custom_fields, values),
            Err(problems) => reader.nested("custom_fields", problems),
        }
    }
    if let Some(list) = reader.list("channels") {
        let mut problems = Problems::new();
        let mut channels: Vec<Channel> = Vec::new();
        for (at, value) in list.iter().enumerate() {
            match read_channel(state, value) {
                Ok(channel) => {
                    let same = |other: &Channel| {
                        other.kind == channel.kind && other.address == channel.address
                    };
                    if !channels.iter().any(same) {
                        channels.push(channel);
                    }
                }
                Err(found) => {
                    problems.insert(at.to_string(), Value::Object(found));
                }
            }
        }
        reader.nested("channels", problems);
        // §7: `channels` replaces all; what stays keeps its number.
        for channel in &mut channels {
            let old = customer.channels.iter();
            let mut same = old.filter(|o| o.kind == channel.kind && o.address == channel.address);
            if let Some(old) = same.next() {
                channel.id = old.id;
                channel.created_at = old.created_at;
            }
        }
        customer.channels = channels;
        if !reader.given("email") {
            let is_there = |email: &String| has_channel(customer, email);
            if !customer.email.as_ref().is_some_and(is_there) {
                customer.email = main_address(customer);
            }
        }
    }
    if reader.given("email") {
        customer.email = reader.email("email");
        if let Some(email) = customer.email.clone()
            && !has_channel(customer, &email)
        {
            let preferred = customer.channels.iter().all(|channel| !channel.preferred);
            customer.channels.push(Channel {
                id: state.next_id(),
                kind: "email".to_owned(),
                address: email,
                preferred,
                created_at: state.now,
            });
        }
    }
    if customer.email.is_none() {
        customer.email = main_address(customer);
    }
}

fn has_channel(customer: &Customer, email: &str) -> bool {
    let mut channels = customer.channels.iter();
    channels.any(|c| c.kind == "email" && c.address.eq_ignore_ascii_case(email))
}

/// The e-mail address that becomes the main one: the preferred, else the first.
fn main_address(customer: &Customer) -> Option<String> {
    let emails = || customer.channels.iter().filter(|c| c.kind == "email");
    let preferred = emails().find(|channel| channel.preferred);
    let chosen = preferred.or_else(|| emails().next());
    chosen.map(|channel| channel.address.clone())
}

/// §7: every address belongs to one customer, and the answer does not say to whom.
fn unique(state: &State, customer: &Customer) -> Result<(), Failure> {
    for channel in &customer.channels {
        let taken = state.customer_by_channel(&channel.kind, &channel.address);
        if taken.is_some_and(|other| other != customer.id) {
            return Err(Failure::exists());
        }
    }
    if state.config.switches.customer_external_id_unique
        && let Some(external) = &customer.external_id
        && let Some(same) = state.customers_by_external.get(external)
        && same.iter().any(|other| *other != customer.id)
    {
        return Err(Failure::exists());
    }
    Ok(())
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let by = call.actor.user_id;
    let id = make(call.state, &call.request.json)?;
    call.state
        .record("customer-created", "Customer", id, Some(by));
    let customer = call.state.customer(id)?;
    Answer::created(render(call.state, customer, true))
}

/// Makes a customer from a body.
pub(super) fn make(state: &mut State, body: &Value) -> Result<Id, Failure> {
    let msg = "Failed to create customer";
    let switches = state.config.switches.clone();
    let known: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| !switches.customer_create_refuses.iter().any(|no| no == key))
        .collect();
    let mut customer = blank(state);
    let mut reader = Reader::new(body, &known);
    if switches.channels_required {
        reader.required("channels");
    }
    apply(state, &mut reader, &mut customer);
    if !switches.bare_customer && customer.channels.is_empty() {
        reader.problem("channels", "An email or a phone is required.");
    }
    reader.finish(msg)?;
    unique(state, &customer)?;
    copy_note(state, None, &customer);
    let id = customer.id;
    state.put_customer(customer);
    Ok(id)
}

/// §12: the shop may have a copy of the note.
fn copy_note(state: &State, before: Option<&str>, customer: &Customer) {
    let note = customer.note.as_deref();
    if !state.config.preexisting.services.shop_notes || note == before {
        return;
    }
    state.outbox.push(OutboxItem {
        at_ms: state.now.timestamp_millis(),
        kind: "shop".to_owned(),
        to: "Shopify".to_owned(),
        about: format!("customer {}", customer.id),
        reason: "The note was written.".to_owned(),
    });
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let mut customer = call.state.customer(id)?.clone();
    let mut reader = Reader::new(&call.request.json, &KEYS);
    apply(call.state, &mut reader, &mut customer);
    reader.finish("Failed to update customer")?;
    unique(call.state, &customer)?;
    copy_note(
        call.state,
        call.state.customer(id)?.note.as_deref(),
        &customer,
    );
    customer.updated_at = call.state.now;
    let answer = render(call.state, &customer, true);
    call.state.put_customer(customer);
    let by = call.actor.user_id;
    call.state
        .record("customer-updated", "Customer", id, Some(by));
    Answer::accepted(answer)
}

/// `PUT /customers/{id}/data`: the whole blob; an older version is dropped in silence (§7).
fn put_data(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let old = call.state.customer(id)?.data_version;
    let mut reader = Reader::new(&call.request.json, &["data", "version"]);
    if !reader.given("data") {
        reader.required("data");
    }
    let version = reader.time("version", true);
    let data = reader.raw("data").cloned().unwrap_or_default();
    reader.finish("Failed to update customer data")?;
    let is_older = old.zip(version).is_some_and(|(old, new)| new < old);
    if !is_older {
        let now = call.state.now;
        call.state.edit_customer(id, |customer| {
            customer.data = data;
            customer.data_version = Some(version.unwrap_or(now));
        });
    }
    Answer::bare(202)
}

/// Deletes a customer; a merged one has moved (§7, §13).
pub(super) fn delete(state: &mut State, id: Id) -> Result<(), Failure> {
    state.customer(id)?;
    let theirs = state.ticket_ids(&TicketKey::Customer(id));
    match state.config.switches.customer_deletion {
        CustomerDeletion::Refused if !theirs.is_empty() => {
            return Err(Failure::Other {
                status: 400,
                msg: "The customer has tickets.".to_owned(),
            });
        }
        CustomerDeletion::TicketsToo => {
            for ticket in theirs {
                tickets::erase(state, ticket);
            }
        }
        CustomerDeletion::TicketsStay | CustomerDeletion::Refused => {
            for ticket in theirs {
                state.edit_ticket(ticket, |ticket| ticket.customer_id = None);
            }
        }
    }
    state.take_customer(id);
    state.record("customer-deleted", "Customer", id, None);
    Ok(())
}

fn delete_many(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = Reader::new(&call.request.json, &["ids"]);
    reader.required("ids");
    let ids = reader.ids("ids");
    reader.finish("Failed to delete customers")?;
    for id in ids.unwrap_or_default() {
        // Who is gone or has moved is passed over.
        match delete(call.state, id) {
            Ok(()) | Err(Failure::NotFound | Failure::Moved(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Answer::bare(204)
}

fn merge(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["source_id", "target_id"]])?;
    let missing = |name: &str| {
        let text = "Missing data for required field.";
        Failure::invalid("Failed to merge customers", name, text)
    };
    let source = call
        .id_param("source_id")?
        .ok_or_else(|| missing("source_id"))?;
    let target = call
        .id_param("target_id")?
        .ok_or_else(|| missing("target_id"))?;
    fuse(call.state, source, target)?;
    let customer = call.state.customer(target)?;
    Answer::accepted(render(call.state, customer, true))
}

/// Merges one customer into another, for good (§7).
pub(super) fn fuse(state: &mut State, source: Id, target: Id) -> Result<(), Failure> {
    let (from, into) = (state.customer(source)?, state.customer(target)?);
    if source == target {
        let text = "Must differ from source_id.";
        return Err(Failure::invalid(
            "Failed to merge customers",
            "target_id",
            text,
        ));
    }
    if from
        .integrations
        .keys()
        .any(|id| into.integrations.contains_key(id))
    {
        return Err(Failure::Conflict(
            "Both customers have data of the same integration.",
        ));
    }
    for ticket in state.ticket_ids(&TicketKey::Customer(source)) {
        state.edit_ticket(ticket, |ticket| ticket.customer_id = Some(target));
    }
    for message in state.messages.values_mut() {
        if !message.from_agent && message.sender_id == Some(source) {
            message.sender_id = Some(target);
        }
        if message.receiver_id == Some(source) {
            message.receiver_id = Some(target);
        }
    }
    for survey in state.surveys.values_mut() {
        if survey.customer_id == source {
            survey.customer_id = target;
        }
    }
    let Some(from) = state.take_customer(source) else {
        return Ok(());
    };
    state.edit_customer(target, |into| {
        for mut channel in from.channels {
            channel.preferred = false;
            into.channels.push(channel);
        }
        into.email = into.email.take().or(from.email);
        into.external_id = into.external_id.take().or(from.external_id);
        into.note = into.note.take().or(from.note);
        for (id, value) in from.custom_fields {
            into.custom_fields.entry(id).or_insert(value);
        }
        into.integrations.extend(from.integrations);
    });
    state.merged.insert(source, target);
    state.record("customer-merged", "Customer", target, None);
    Ok(())
}

/// Makes a customer of whom only an address or a name is known, because a ticket has them (§6 [3P]).
pub(super) fn by_product(state: &mut State, email: Option<&str>, name: Option<&str>) -> Id {
    let mut customer = blank(state);
    let name = name.or(email).unwrap_or_default();
    customer.name = name.to_owned();
    (customer.firstname, customer.lastname) = split_name(name);
    customer.email = email.map(str::to_owned);
    customer.by_product = true;
    if let Some(email) = email {
        customer.channels.push(Channel {
            id: state.next_id(),
            kind: "email".to_owned(),
            address: email.to_owned(),
            preferred: true,
            created_at: state.now,
        });
    }
    let id = customer.id;
    state.put_customer(customer);
    state.record("customer-created", "Customer", id, None);
    id
}
