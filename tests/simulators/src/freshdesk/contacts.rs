//! Contacts (Freshdesk facts §6).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::{Reader, iso};
use super::call::{self, Call};
use super::model::{Id, Owner, Person};
use super::state::{PersonKey, State, TicketKey, email_key, person_keys};
use super::switches::Plan;
use super::{fields, files, rules, settings};

/// Further companies of a contact [INF].
const COMPANIES: usize = 100;
/// Largest picture (§6).
const AVATAR_BYTES: u64 = 5 * 1024 * 1024;

const ATTRIBUTES: &[&str] = &[
    "name",
    "email",
    "other_emails",
    "phone",
    "mobile",
    "twitter_id",
    "unique_external_id",
    "company_id",
    "view_all_tickets",
    "other_companies",
    "address",
    "job_title",
    "language",
    "time_zone",
    "description",
    "tags",
    "custom_fields",
    "social_handler",
    "lookup_parameter",
    "avatar",
];

/// A person with nothing set, not yet stored.
pub(super) fn blank(state: &mut State) -> Person {
    let now = state.second();
    Person {
        id: state.next_id(),
        name: None,
        email: None,
        other_emails: Vec::new(),
        phone: None,
        mobile: None,
        twitter_id: None,
        facebook_id: None,
        social_handlers: Vec::new(),
        unique_external_id: None,
        company_id: None,
        view_all_tickets: false,
        other_companies: Vec::new(),
        address: None,
        job_title: None,
        language: "en".to_owned(),
        time_zone: "UTC".to_owned(),
        description: None,
        tags: Vec::new(),
        custom_fields: BTreeMap::new(),
        active: false,
        deleted_at: None,
        merged_into: None,
        avatar: None,
        agent: None,
        created_at: now,
        updated_at: now,
    }
}

/// A contact as answers show it.
pub(super) fn render(state: &State, base: &str, person: &Person) -> Value {
    let companies: Vec<Value> = person
        .other_companies
        .iter()
        .map(|(id, all)| json!({"company_id": id, "view_all_tickets": all}))
        .collect();
    let avatar = person.avatar.as_ref().map(|file| {
        let mut shown = files::render(state, base, file);
        if let Some(map) = shown.as_object_mut()
            && let Some(address) = map.remove("attachment_url")
        {
            map.insert("avatar_url".to_owned(), address);
        }
        shown
    });
    let mut shown = json!({
        "id": person.id, "name": person.name, "email": person.email, "phone": person.phone,
        "mobile": person.mobile, "twitter_id": person.twitter_id, "facebook_id": null,
        "unique_external_id": person.unique_external_id, "other_emails": person.other_emails,
        "company_id": person.company_id,
        "view_all_tickets": person.company_id.map(|_| person.view_all_tickets),
        "other_companies": companies, "address": person.address, "job_title": person.job_title,
        "language": person.language, "time_zone": person.time_zone,
        "description": person.description, "tags": person.tags, "active": person.active,
        "custom_fields": fields::shown(state, Owner::Contact, &person.custom_fields),
        "csat_rating": null, "preferred_source": null, "avatar": avatar,
        "social_handler": person.social_handlers,
        "created_at": iso(person.created_at), "updated_at": iso(person.updated_at),
    });
    // §6: only present when true.
    if person.deleted_at.is_some()
        && let Some(map) = shown.as_object_mut()
    {
        map.insert("deleted".to_owned(), json!(true));
    }
    shown
}

/// The error of keys that somebody else has (§4, §6).
pub(super) fn duplicates(state: &State, person: &Person, errors: &mut Vec<FieldError>) {
    let primary = person.email.as_deref().map(email_key);
    for key in person_keys(person) {
        let Some(other) = state.person_by(&key).filter(|other| *other != person.id) else {
            continue;
        };
        let field = match &key {
            PersonKey::Email(_) if primary.as_ref() == Some(&key) => "email",
            PersonKey::Email(_) => "other_emails",
            PersonKey::Phone(_) => "phone",
            PersonKey::Mobile(_) => "mobile",
            PersonKey::Twitter(_) => "twitter_id",
            PersonKey::Facebook(_) => "facebook_id",
            PersonKey::External(_) => "unique_external_id",
        };
        let existing = state.config.switches.duplicate_names_existing;
        errors.push(FieldError::duplicate(
            field,
            existing.then(|| json!({"user_id": other})),
        ));
    }
}

/// Refuses languages and time zones that are not there, or not in the plan (§6).
pub(super) fn locale(state: &State, reader: &mut Reader<'_>, person: &mut Person) {
    for (name, known) in [
        ("language", settings::is_language as fn(&str) -> bool),
        ("time_zone", settings::is_time_zone),
    ] {
        let Some(value) = reader.text(name, 255) else {
            continue;
        };
        if state.config.plan == Plan::Free {
            let message = "The field cannot be written in your plan";
            reader.wrong(name, "inaccessible_field", message);
        } else if value.as_deref().is_none_or(|value| !known(value)) {
            reader.wrong(name, "invalid_value", format!("It is not a known {name}"));
        } else if let Some(value) = value {
            match name {
                "language" => person.language = value,
                _ => person.time_zone = value,
            }
        }
    }
}

/// Puts what was sent into a contact.
fn apply(state: &State, reader: &mut Reader<'_>, person: &mut Person, creating: bool) {
    reader.only(ATTRIBUTES);
    if let Some(name) = reader.text("name", 255) {
        person.name = name;
    }
    if let Some(email) = reader.email("email") {
        person.email = email;
    }
    if let Some(emails) = reader.emails("other_emails", state.config.switches.other_emails) {
        person.other_emails = emails;
    }
    for (name, place) in [
        ("phone", &mut person.phone),
        ("mobile", &mut person.mobile),
        ("twitter_id", &mut person.twitter_id),
        ("unique_external_id", &mut person.unique_external_id),
        ("address", &mut person.address),
        ("job_title", &mut person.job_title),
    ] {
        if let Some(value) = reader.text(name, 255) {
            *place = value;
        }
    }
    if let Some(description) = reader.text("description", 65_535) {
        person.description = description;
    }
    if let Some(tags) = reader.tags(state.config.switches.tag_length) {
        person.tags = tags;
    }
    locale(state, reader, person);
    companies(state, reader, person);
    if let Some(handlers) = reader.list("social_handler") {
        if handlers.len() > 10 {
            let message = "Has too many elements, it can have maximum of 10 elements";
            let code = reader.length_code();
            reader.wrong("social_handler", code, message);
        } else {
            person.social_handlers = handlers.clone();
        }
    }
    fields::values(
        state,
        Owner::Contact,
        reader,
        &mut person.custom_fields,
        creating,
    );
    let identifiers = [
        &person.email,
        &person.phone,
        &person.mobile,
        &person.twitter_id,
        &person.unique_external_id,
    ];
    let identified = identifiers.into_iter().any(Option::is_some);
    if state.config.switches.contact_needs_name {
        if person.name.is_none() && (creating || reader.given("name")) {
            reader.missing("name", "String");
        }
        if !identified && (creating || reader.errors.is_empty()) {
            let message = "Please fill at least 1 of email, phone, mobile, twitter_id, \
                           unique_external_id fields";
            reader.wrong("email", "missing_field", message);
        }
    } else if person.name.is_none() && !identified {
        let message = "Please fill at least 1 of name, email, phone, mobile fields";
        reader.wrong("email", "missing_field", message);
    }
    duplicates(state, person, &mut reader.errors);
}

fn companies(state: &State, reader: &mut Reader<'_>, person: &mut Person) {
    if let Some(company) = reader.id("company_id") {
        if company.is_some_and(|id| !state.companies.contains_key(&id)) {
            let message = "There is no company matching the given company_id";
            reader.wrong("company_id", "invalid_value", message);
        }
        person.company_id = company;
    }
    if let Some(all) = reader.flag("view_all_tickets") {
        if all && person.company_id.is_none() {
            let message = "Please set company_id before setting view_all_tickets";
            reader.wrong("view_all_tickets", "incompatible_field", message);
        }
        person.view_all_tickets = all;
    }
    let Some(list) = reader.list("other_companies") else {
        return;
    };
    // §6: Pro up.
    if !matches!(state.config.plan, Plan::Pro | Plan::Enterprise) {
        let message = "The Multiple Companies feature is not supported in your plan";
        reader.wrong("other_companies", "inaccessible_field", message);
        return;
    }
    let mut others: Vec<(Id, bool)> = Vec::new();
    for entry in list {
        let id = entry.get("company_id").and_then(Value::as_u64);
        let all = entry.get("view_all_tickets").and_then(Value::as_bool);
        let known = id.filter(|id| state.companies.contains_key(id));
        let taken = known.is_some() && (known == person.company_id)
            || others.iter().any(|(other, _)| Some(*other) == known);
        match known {
            Some(id) if !taken => others.push((id, all.unwrap_or(false))),
            Some(_) => {
                let message = "It should contain unique companies";
                reader.wrong("other_companies", "duplicate_value", message);
            }
            None => {
                let message = "There is no company matching the given company_id";
                reader.wrong("other_companies", "invalid_value", message);
            }
        }
    }
    if person.company_id.is_none() && !others.is_empty() {
        let message = "Please set company_id before setting other_companies";
        reader.wrong("other_companies", "incompatible_field", message);
    }
    if others.len() > COMPANIES {
        let code = reader.length_code();
        reader.wrong("other_companies", code, "Has too many elements");
    }
    person.other_companies = others;
}

/// §6: a new contact whose domain a company has is attached to it.
pub(super) fn attach_by_domain(state: &State, person: &mut Person) {
    let domain = person
        .email
        .as_deref()
        .and_then(|email| email.rsplit_once('@'));
    if person.company_id.is_none()
        && let Some((_, domain)) = domain
    {
        person.company_id = state
            .companies_by_domain
            .get(&domain.to_lowercase())
            .copied();
    }
}

fn avatar(call: &mut Call<'_>, person: &mut Person) -> Result<(), Failure> {
    let mut files = call::files(call.state, call.request, "avatar", 0)?;
    let Some(file) = files.pop() else {
        return Ok(());
    };
    let picture = matches!(
        file.content_type.as_str(),
        "image/png" | "image/jpeg" | "image/jpg"
    );
    if !picture {
        let message = "It should be a jpg, jpeg or png";
        return Err(Failure::invalid("avatar", "invalid_value", message));
    }
    if file.size > AVATAR_BYTES {
        let message = "Invalid size. It should be lesser than 5 MB";
        return Err(Failure::invalid("avatar", "invalid_size", message));
    }
    let place = super::state::Place::Person(person.id);
    call.state.files.insert(file.id, (file.clone(), place));
    person.avatar = Some(file);
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let mut reader = call.reader()?;
    let mut person = blank(call.state);
    apply(call.state, &mut reader, &mut person, true);
    reader.finish()?;
    avatar(call, &mut person)?;
    attach_by_domain(call.state, &mut person);
    let id = person.id;
    call.state.put_person(person);
    rules::contact_made(call.state, id);
    let location = format!("{}/api/v2/contacts/{id}", call.base);
    let shown = render(call.state, &call.base, call.state.contact(id)?);
    Ok(Answer::json(201, shown).with("location", location))
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let mut person = call.state.contact(id)?.clone();
    if person.deleted_at.is_some() {
        return Err(Failure::NotAllowed("GET".to_owned()));
    }
    let mut reader = call.reader()?;
    apply(call.state, &mut reader, &mut person, false);
    reader.finish()?;
    avatar(call, &mut person)?;
    person.updated_at = call.state.second();
    call.state.put_person(person);
    Answer::ok(render(call.state, &call.base, call.state.contact(id)?))
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    let person = call.state.contact(call.id(0)?)?;
    Answer::ok(render(call.state, &call.base, person))
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.query_only(&[
        "email",
        "mobile",
        "phone",
        "company_id",
        "unique_external_id",
        "state",
        "_updated_since",
        "updated_since",
    ])?;
    let request = call.request;
    let state = &*call.state;
    let wanted = request.param("state");
    if let Some(other) = wanted
        && !matches!(other, "verified" | "unverified" | "blocked" | "deleted")
    {
        let message = "It should be one of these values: 'blocked,deleted,unverified,verified'";
        return Err(Failure::invalid("state", "invalid_value", message));
    }
    let company = call.query_id("company_id")?;
    let since = call.query_time("_updated_since")?;
    let since = since.max(call.query_time("updated_since")?);
    let lag = state.config.switches.list_lag;
    let keep = |person: &&Person| {
        person.agent.is_none()
            && (person.deleted_at.is_some()) == (wanted == Some("deleted"))
            && match wanted {
                Some("verified") => person.active,
                Some("unverified") => !person.active,
                Some("blocked") => false,
                _ => true,
            }
            && company.is_none_or(|id| super::state::companies_of(person).any(|own| own == id))
            && since.is_none_or(|since| person.updated_at >= since)
            && state.now - person.created_at >= lag
    };
    let keys = [
        request.param("email").map(email_key),
        request
            .param("phone")
            .map(|text| PersonKey::Phone(text.to_owned())),
        request
            .param("mobile")
            .map(|text| PersonKey::Mobile(text.to_owned())),
        request
            .param("unique_external_id")
            .map(|text| PersonKey::External(text.to_owned())),
    ];
    let keys: Vec<PersonKey> = keys.into_iter().flatten().collect();
    let render = |person: &Person| render(state, &call.base, person);
    if let Some(first) = keys.first() {
        let found = state.person_by(first).and_then(|id| state.people.get(&id));
        let found = found
            .filter(|person| keys.iter().all(|key| person_keys(person).contains(key)))
            .filter(|person| keep(person));
        return call.page(found.into_iter(), None, render);
    }
    if let Some(company) = company {
        let ids = state.people_by_company.get(&company).into_iter().flatten();
        let people = ids.filter_map(|id| state.people.get(id)).filter(keep);
        return call.page(people, None, render);
    }
    call.page(state.people.values().filter(keep), None, render)
}

/// Contacts or agents whose name or address begins a word with the term.
pub(super) fn matching(call: &Call<'_>, agents: bool) -> Outcome {
    let term = call
        .request
        .param("term")
        .unwrap_or_default()
        .to_lowercase();
    if term.is_empty() {
        return Err(Failure::invalid(
            "term",
            "missing_field",
            "It should be a/an String",
        ));
    }
    let begins = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default().to_lowercase();
        text.starts_with(&term) || text.split_whitespace().any(|word| word.starts_with(&term))
    };
    let found = call.state.people.values().filter(|person| {
        person.agent.is_some() == agents
            && person.deleted_at.is_none()
            && (begins(&person.name) || begins(&person.email))
    });
    call.page(
        found,
        None,
        |person| json!({"id": person.id, "name": person.name}),
    )
}

pub(super) fn autocomplete(call: &mut Call<'_>) -> Outcome {
    matching(call, false)
}

/// `DELETE`: soft.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let person = call.state.contact(id)?;
    if person.deleted_at.is_some() {
        return Err(already_deleted(call.state));
    }
    let now = call.state.second();
    call.state
        .edit_person(id, |person| person.deleted_at = Some(now));
    Answer::bare(204)
}

/// §14 [MEM]: deleting what is deleted.
pub(super) fn already_deleted(state: &State) -> Failure {
    match state.config.switches.repeated_delete {
        405 => Failure::NotAllowed("GET".to_owned()),
        status => Failure::Bare(status),
    }
}

pub(super) fn restore(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let person = call.state.contact(id)?;
    if person.deleted_at.is_none() || person.merged_into.is_some() {
        return Err(Failure::NotFound);
    }
    call.state
        .edit_person(id, |person| person.deleted_at = None);
    Answer::bare(204)
}

/// §6: for good. Without `force` only what is deleted softly already.
pub(super) fn hard_delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    // A much used client writes `True`.
    let force = call.request.param("force");
    let force = force.is_some_and(|force| force.eq_ignore_ascii_case("true"));
    let person = call.state.contact(id)?;
    if person.deleted_at.is_none() && !force {
        let message = "The contact should be deleted before it is deleted permanently";
        return Err(Failure::invalid("force", "inconsistent_state", message));
    }
    call.state.take_person(id);
    if call.state.config.switches.hard_delete_takes_tickets {
        let tickets = call.state.tickets_with(TicketKey::Requester(id));
        let tickets: Vec<Id> = tickets.map(|ticket| ticket.id).collect();
        for ticket in tickets {
            call.state.take_ticket(ticket);
        }
    }
    Answer::bare(204)
}

/// §6: mails.
pub(super) fn send_invite(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let person = call.state.contact(id)?;
    let Some(email) = person.email.clone().filter(|_| person.deleted_at.is_none()) else {
        let message = "Contact without an email cannot be invited";
        return Err(Failure::invalid("email", "inconsistent_state", message));
    };
    rules::mail(call.state, &email, &format!("contact {id}"), "invitation");
    Answer::bare(204)
}
