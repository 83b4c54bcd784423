//! Companies (Freshdesk facts §7).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::{Reader, iso};
use super::call::Call;
use super::fields;
use super::model::{Company, Id, Owner};
use super::state::{State, TicketKey};

const ATTRIBUTES: &[&str] = &[
    "name",
    "domains",
    "description",
    "note",
    "health_score",
    "account_tier",
    "renewal_date",
    "industry",
    "custom_fields",
    "lookup_parameter",
];

/// A company with nothing but an id, not yet stored.
pub(super) fn blank(state: &mut State) -> Company {
    let now = state.second();
    Company {
        id: state.next_id(),
        name: String::new(),
        domains: Vec::new(),
        description: None,
        note: None,
        health_score: None,
        account_tier: None,
        renewal_date: None,
        industry: None,
        custom_fields: BTreeMap::new(),
        created_at: now,
        updated_at: now,
    }
}

/// A company as answers show it.
pub(super) fn render(state: &State, company: &Company) -> Value {
    let with_time = state.config.switches.renewal_date_with_time;
    let renewal = company.renewal_date.as_ref().map(|date| {
        if with_time {
            format!("{date}T00:00:00Z")
        } else {
            date.clone()
        }
    });
    json!({
        "id": company.id, "name": company.name, "description": company.description,
        "note": company.note, "domains": company.domains, "health_score": company.health_score,
        "account_tier": company.account_tier,
        "renewal_date": renewal,
        "industry": company.industry,
        "custom_fields": fields::shown(state, Owner::Company, &company.custom_fields),
        "created_at": iso(company.created_at), "updated_at": iso(company.updated_at),
    })
}

fn apply(state: &State, reader: &mut Reader<'_>, company: &mut Company, creating: bool) {
    reader.only(ATTRIBUTES);
    match reader.text("name", 255) {
        Some(Some(name)) => company.name = name,
        Some(None) => reader.missing("name", "String"),
        None if creating && !reader.given("name") => reader.missing("name", "String"),
        None => {}
    }
    let other = state.companies_by_name.get(&company.name.to_lowercase());
    if other.is_some_and(|other| *other != company.id) {
        reader.errors.push(FieldError::duplicate("name", None));
    }
    for (name, place) in [
        ("description", &mut company.description),
        ("note", &mut company.note),
    ] {
        if let Some(value) = reader.text(name, 65_535) {
            *place = value;
        }
    }
    for (name, place) in [
        ("health_score", &mut company.health_score),
        ("account_tier", &mut company.account_tier),
        ("industry", &mut company.industry),
    ] {
        if let Some(value) = reader.text(name, 255) {
            // §7: only configured choices.
            let choices = state
                .field(Owner::Company, name)
                .map(|field| &field.choices);
            let values: Vec<&str> = choices
                .into_iter()
                .flatten()
                .map(|c| c.value.as_str())
                .collect();
            if value
                .as_deref()
                .is_some_and(|value| !values.contains(&value))
            {
                let message = format!("It should be one of these values: '{}'", values.join(","));
                reader.wrong(name, "invalid_value", message);
            }
            *place = value;
        }
    }
    if let Some(date) = reader.text("renewal_date", 64) {
        if date.as_deref().is_some_and(|date| !fields::is_date(date)) {
            let message = "It should be in the 'yyyy-mm-dd' format";
            reader.wrong("renewal_date", "invalid_value", message);
        }
        company.renewal_date = date;
    }
    if let Some(domains) = reader.texts("domains") {
        for domain in &domains {
            let host = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
            let form = domain.contains('.') && domain.chars().all(host);
            if !form || domain.starts_with('.') || domain.ends_with('.') {
                let message = "It should contain elements that are in the 'valid domain' format";
                reader.wrong("domains", "invalid_value", message);
            }
            let other = state.companies_by_domain.get(&domain.to_lowercase());
            if state.config.switches.domains_unique
                && other.is_some_and(|other| *other != company.id)
            {
                reader.errors.push(FieldError::duplicate("domains", None));
            }
        }
        company.domains = domains;
    }
    fields::values(
        state,
        Owner::Company,
        reader,
        &mut company.custom_fields,
        creating,
    );
}

/// Attaches contacts who are there already, where the account does that.
fn claim(state: &mut State, id: Id) {
    let Some(company) = state.companies.get(&id) else {
        return;
    };
    if !state.config.switches.company_claims_contacts || company.domains.is_empty() {
        return;
    }
    let domains: Vec<String> = company
        .domains
        .iter()
        .map(|d| format!("@{}", d.to_lowercase()))
        .collect();
    let fits = |email: &String| {
        domains
            .iter()
            .any(|end| email.to_lowercase().ends_with(end))
    };
    let people = state
        .people
        .values()
        .filter(|person| person.company_id.is_none() && person.email.as_ref().is_some_and(fits));
    let people: Vec<Id> = people.map(|person| person.id).collect();
    for person in people {
        state.edit_person(person, |person| person.company_id = Some(id));
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let mut reader = call.reader()?;
    let mut company = blank(call.state);
    apply(call.state, &mut reader, &mut company, true);
    reader.finish()?;
    let id = company.id;
    call.state.put_company(company);
    claim(call.state, id);
    let location = format!("{}/api/v2/companies/{id}", call.base);
    let shown = render(call.state, call.state.company(id)?);
    Ok(Answer::json(201, shown).with("location", location))
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let mut company = call.state.company(id)?.clone();
    let mut reader = call.reader()?;
    apply(call.state, &mut reader, &mut company, false);
    reader.finish()?;
    company.updated_at = call.state.second();
    call.state.put_company(company);
    claim(call.state, id);
    Answer::ok(render(call.state, call.state.company(id)?))
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    Answer::ok(render(call.state, call.state.company(call.id(0)?)?))
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.query_only(&["_updated_since", "updated_since"])?;
    let since = call.query_time("_updated_since")?;
    let since = since.max(call.query_time("updated_since")?);
    let state = &*call.state;
    let found = state
        .companies
        .values()
        .filter(|company| since.is_none_or(|since| company.updated_at >= since));
    call.page(found, None, |company| render(state, company))
}

pub(super) fn autocomplete(call: &mut Call<'_>) -> Outcome {
    let name = call
        .request
        .param("name")
        .unwrap_or_default()
        .to_lowercase();
    if name.is_empty() {
        let message = "It should be a/an String";
        return Err(Failure::invalid("name", "missing_field", message));
    }
    let found = call.state.companies.values().filter(|company| {
        let known = company.name.to_lowercase();
        known.starts_with(&name) || known.split_whitespace().any(|word| word.starts_with(&name))
    });
    let found: Vec<Value> = found
        .map(|company| json!({"id": company.id, "name": company.name}))
        .collect();
    Answer::ok(json!({"companies": found}))
}

/// Gone at once; contacts and tickets stay (§7).
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    call.state.take_company(id).ok_or(Failure::NotFound)?;
    call.state.search.forget(super::search::Kind::Company, id);
    let people = call.state.people_by_company.remove(&id).unwrap_or_default();
    for person in people {
        if let Some(mut changed) = call.state.people.get(&person).cloned() {
            changed.other_companies.retain(|(other, _)| *other != id);
            if changed.company_id == Some(id) {
                changed.company_id = None;
                changed.view_all_tickets = false;
            }
            call.state.put_person(changed);
        }
    }
    let tickets: Vec<Id> = call
        .state
        .tickets_with(TicketKey::Company(id))
        .map(|ticket| ticket.id)
        .collect();
    for ticket in tickets {
        call.state
            .edit_ticket(ticket, |ticket| ticket.company_id = None);
    }
    Answer::bare(204)
}
