//! Merging contacts, which nothing undoes (Freshdesk facts §6).

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::Call;
use super::contacts;
use super::model::Id;
use super::state::TicketKey;

/// `POST /contacts/merge`: the secondaries' addresses, tickets and notes go to the primary; the secondaries are deleted.
pub(super) fn merge(call: &mut Call<'_>) -> Outcome {
    let mut reader = call.reader()?;
    reader.only(&["primary_contact_id", "secondary_contact_ids", "contact"]);
    let primary = reader.id("primary_contact_id").flatten();
    let secondaries = reader.ids("secondary_contact_ids").unwrap_or_default();
    if primary.is_none() && reader.errors.is_empty() {
        reader.missing("primary_contact_id", "Positive Integer");
    }
    if secondaries.is_empty() && reader.errors.is_empty() {
        reader.missing("secondary_contact_ids", "Array");
    }
    let live = |id: &Id| {
        call.state
            .live(*id)
            .is_some_and(|person| person.agent.is_none())
    };
    if !primary.iter().chain(&secondaries).all(live) {
        let message = "There is no contact matching the given ids";
        reader.wrong("secondary_contact_ids", "invalid_value", message);
    }
    if secondaries.iter().any(|id| Some(*id) == primary) {
        let message = "It should not contain the primary contact";
        reader.wrong("secondary_contact_ids", "invalid_value", message);
    }
    // What the merged contact shall have of each; what is not said stays the primary's.
    let chosen = reader.object("contact").cloned().unwrap_or_default();
    let known = [
        "email",
        "phone",
        "mobile",
        "twitter_id",
        "unique_external_id",
        "other_emails",
        "company_ids",
    ];
    for name in chosen.keys().filter(|name| !known.contains(&name.as_str())) {
        let message = "Unexpected/invalid field in request";
        reader.wrong(name, "invalid_field", message);
    }
    let id = primary.unwrap_or(0);
    reader.finish()?;

    let state = &mut *call.state;
    let mut person = state.contact(id)?.clone();
    let gone: Vec<_> = secondaries
        .iter()
        .filter_map(|id| state.people.get(id).cloned())
        .collect();
    for other in &gone {
        for email in other.email.iter().chain(&other.other_emails) {
            if person.email.is_none() {
                person.email = Some(email.clone());
            } else {
                person.other_emails.push(email.clone());
            }
        }
        person.phone = person.phone.or_else(|| other.phone.clone());
        person.mobile = person.mobile.or_else(|| other.mobile.clone());
        person.twitter_id = person.twitter_id.or_else(|| other.twitter_id.clone());
        person.unique_external_id = person
            .unique_external_id
            .or_else(|| other.unique_external_id.clone());
        person.company_id = person.company_id.or(other.company_id);
    }
    let text = |name: &str| {
        chosen
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    for (name, place) in [
        ("email", &mut person.email),
        ("phone", &mut person.phone),
        ("mobile", &mut person.mobile),
        ("twitter_id", &mut person.twitter_id),
        ("unique_external_id", &mut person.unique_external_id),
    ] {
        if let Some(value) = text(name) {
            *place = Some(value);
        }
    }
    if let Some(emails) = chosen
        .get("other_emails")
        .and_then(|value| value.as_array())
    {
        person.other_emails = emails
            .iter()
            .filter_map(|email| email.as_str().map(str::to_owned))
            .collect();
    }
    let primary_email = person.email.clone();
    person
        .other_emails
        .retain(|email| Some(email) != primary_email.as_ref());
    let most = state.config.switches.other_emails;
    if person.other_emails.len() > most {
        let message = format!("Has too many addresses, it can have maximum of {most}");
        return Err(Failure::invalid("other_emails", "invalid_value", message));
    }
    // What the secondaries have may be taken over, what strangers have may not.
    for other in &gone {
        let now = state.second();
        state.edit_person(other.id, |other| {
            other.deleted_at = Some(now);
            other.merged_into = Some(id);
            other.email = None;
            other.other_emails.clear();
            other.phone = None;
            other.mobile = None;
            other.twitter_id = None;
            other.unique_external_id = None;
        });
    }
    let mut errors: Vec<FieldError> = Vec::new();
    contacts::duplicates(state, &person, &mut errors);
    if !errors.is_empty() {
        for other in gone {
            state.put_person(other);
        }
        return Err(Failure::Invalid(errors));
    }
    person.updated_at = state.second();
    state.put_person(person);
    for other in &gone {
        let tickets = state.tickets_with(TicketKey::Requester(other.id));
        let tickets: Vec<Id> = tickets.map(|ticket| ticket.id).collect();
        for ticket in tickets {
            state.edit_ticket(ticket, |ticket| ticket.requester_id = id);
            for said in state.threads.get_mut(&ticket).into_iter().flatten() {
                if said.user_id == other.id {
                    said.user_id = id;
                }
            }
        }
    }
    Answer::bare(204)
}
