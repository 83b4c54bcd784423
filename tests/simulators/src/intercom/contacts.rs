//! Contacts (Intercom facts §6).

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Cursor, Place};
use super::model::{Contact, Id, Model, Role};
use super::read::{Reader, is_email};
use super::rules::{Happened, Topic};
use super::state::State;
use super::{admins, companies, conversations, tags, values};

/// What both a creation and a change may say.
const KEYS: [&str; 12] = [
    "role",
    "external_id",
    "email",
    "email_verified",
    "phone",
    "name",
    "avatar",
    "signed_up_at",
    "last_seen_at",
    "owner_id",
    "unsubscribed_from_emails",
    "custom_attributes",
];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    let version = call.actor.version;
    Some(match (method, path) {
        ("GET", ["contacts"]) => list(call),
        ("POST", ["contacts"]) => post(call),
        ("POST", ["contacts", "merge"]) => merge(call),
        ("GET", ["contacts", "find_by_external_id", external_id]) => find(call, external_id),
        ("GET", ["contacts", id]) => call
            .state
            .contact(id, version)
            .and_then(|contact| Answer::ok(render(call.state, contact, version))),
        ("PUT", ["contacts", id]) => put(call, id),
        ("DELETE", ["contacts", id]) => delete(call, id),
        ("POST", ["contacts", id, "archive"]) => archive(call, id),
        ("POST", ["contacts", id, "unarchive"]) => unarchive(call, id),
        ("POST", ["contacts", id, "block"]) => block(call, id),
        ("GET", ["contacts", id, "companies"]) => list_companies(call, id),
        ("POST", ["contacts", id, "companies"]) => attach(call, id),
        ("DELETE", ["contacts", id, "companies", company]) => detach(call, id, company),
        ("GET", ["contacts", id, "segments"]) => {
            call.state.contact(id, version).and_then(|contact| {
                let all = call.state.segments.iter();
                let of = all.filter(|one| {
                    one.tag
                        .is_some_and(|tag| contact.tags.iter().any(|t| t.tag == tag))
                });
                let data: Vec<Value> = of.map(admins::segment).collect();
                Answer::ok(json!({"type": "list", "data": data}))
            })
        }
        ("GET", ["contacts", id, "subscriptions"]) => call
            .state
            .contact(id, version)
            .and_then(|_| Answer::ok(json!({"type": "list", "data": []}))),
        ("POST", ["contacts", id, "subscriptions"]) => {
            let found = call.state.contact(id, version).map(|_| ());
            found.and_then(|()| Err(Failure::resource()))
        }
        _ => return None,
    })
}

/// Up to ten of what hangs on a contact, and how many there are.
fn hanging(contact: &Contact, name: &str, ids: Vec<Value>) -> Value {
    let total = ids.len();
    json!({
        "type": "list", "data": ids.into_iter().take(10).collect::<Vec<_>>(),
        "url": format!("/contacts/{}/{name}", contact.id), "total_count": total, "has_more": total > 10,
    })
}

/// A contact as answers show it.
pub(super) fn render(state: &State, contact: &Contact, version: u32) -> Value {
    let hangs = |kind: &str, name: &str, id: &str| json!({"type": kind, "id": id, "url": format!("/{name}/{id}")});
    let tags = contact
        .tags
        .iter()
        .map(|one| hangs("tag", "tags", &one.tag.to_string()));
    let notes = contact
        .notes
        .iter()
        .map(|id| hangs("note", "notes", &id.to_string()));
    let companies = contact
        .companies
        .iter()
        .map(|id| hangs("company", "companies", id));
    let (tags, notes, companies) = (tags.collect(), notes.collect(), companies.collect());
    // §1: text since 2.16, a number before.
    let owner = match contact.owner_id {
        Some(id) if version >= 16 => json!(id.to_string()),
        owner => json!(owner),
    };
    let mut shown = json!({
        "type": "contact",
        "id": contact.id,
        "workspace_id": state.config.workspace_id,
        "external_id": contact.external_id,
        "role": contact.role.as_str(),
        "email": contact.email,
        "phone": contact.phone,
        "name": contact.name,
        "avatar": contact.avatar.as_ref().map(|url| json!({"type": "avatar", "image_url": url})),
        "owner_id": owner,
        "social_profiles": {"type": "list", "data": []},
        "has_hard_bounced": false,
        "marked_email_as_spam": false,
        "unsubscribed_from_emails": contact.unsubscribed_from_emails,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "signed_up_at": contact.signed_up_at,
        "last_seen_at": contact.last_seen_at,
        "last_replied_at": contact.last_replied_at,
        "last_contacted_at": contact.last_contacted_at,
        "location": {
            "type": "location", "country": null, "region": null, "city": null, "country_code": null,
            "continent_code": null,
        },
        "custom_attributes": values::shown_contact(state, &contact.custom_attributes),
        "tags": hanging(contact, "tags", tags),
        "notes": hanging(contact, "notes", notes),
        "companies": hanging(contact, "companies", companies),
        "opted_out_subscription_types": hanging(contact, "subscriptions", Vec::new()),
        "opted_in_subscription_types": hanging(contact, "subscriptions", Vec::new()),
        "enabled_push_messaging": null,
    });
    let empty = [
        "last_email_opened_at",
        "last_email_clicked_at",
        "language_override",
        "browser",
        "browser_version",
        "browser_language",
        "os",
        "android_app_name",
        "android_app_version",
        "android_device",
        "android_os_version",
        "android_sdk_version",
        "android_last_seen_at",
        "ios_app_name",
        "ios_app_version",
        "ios_device",
        "ios_os_version",
        "ios_sdk_version",
        "ios_last_seen_at",
        "utm_campaign",
        "utm_content",
        "utm_medium",
        "utm_source",
        "utm_term",
        "referrer",
    ];
    if let Some(map) = shown.as_object_mut() {
        for name in empty {
            map.insert(name.to_owned(), Value::Null);
        }
    }
    shown
}

/// The place of a contact in lists: the newest first.
pub(super) fn place(contact: &Contact) -> Place {
    (contact.created_at, contact.id.clone())
}

fn list(call: &Call<'_>) -> Outcome {
    let cursor = Cursor::of_query(call, 50)?;
    let state = &*call.state;
    let shown = state
        .contacts
        .values()
        .filter(|one| !one.archived && !one.blocked);
    let all: Vec<(Place, &Contact)> = shown.map(|one| (place(one), one)).collect();
    let total = all.len();
    let (page, pages) = cursor.page(all, true);
    let version = call.actor.version;
    let data: Vec<Value> = page
        .into_iter()
        .map(|one| render(state, one, version))
        .collect();
    Answer::ok(json!({"type": "list", "data": data, "total_count": total, "pages": pages}))
}

fn find(call: &Call<'_>, external_id: &str) -> Outcome {
    let version = call.actor.version;
    let mut users = call
        .state
        .by_external(external_id)
        .filter(|one| one.role == Role::User);
    let found = users.next().ok_or_else(Failure::user)?;
    let contact = call.state.contact(&found.id, version)?;
    Answer::ok(render(call.state, contact, version))
}

/// A contact about whom nothing is known yet.
pub(super) fn blank(state: &mut State, role: Role) -> Contact {
    let now = state.now();
    Contact {
        id: state.next_hex(),
        external_id: None,
        role,
        email: None,
        phone: None,
        name: None,
        avatar: None,
        owner_id: None,
        signed_up_at: None,
        last_seen_at: None,
        last_replied_at: None,
        last_contacted_at: None,
        unsubscribed_from_emails: false,
        email_verified: false,
        custom_attributes: std::collections::BTreeMap::new(),
        tags: Vec::new(),
        companies: Vec::new(),
        notes: Vec::new(),
        created_at: now,
        updated_at: now,
        made_ms: state.now_ms,
        archived: false,
        blocked: false,
        by_product: false,
    }
}

fn apply(state: &State, reader: Reader<'_>, contact: &mut Contact) -> Result<(), Failure> {
    match reader.text("role")?.as_deref() {
        None => {}
        Some("user") => contact.role = Role::User,
        Some("lead") => contact.role = Role::Lead,
        Some(_) => return Err(Failure::field("role", "role must be user or lead")),
    }
    if reader.given("external_id") {
        contact.external_id = reader.word("external_id")?.filter(|id| !id.is_empty());
    }
    if reader.given("email") {
        contact.email = reader.text("email")?.filter(|email| !email.is_empty());
        if contact.email.as_ref().is_some_and(|email| !is_email(email)) {
            return Err(Failure::field("email", "Email is not valid"));
        }
    }
    if let Some(verified) = reader.flag("email_verified")? {
        // §6: without an address there is nothing to verify.
        if contact.email.is_none() {
            return Err(Failure::field(
                "email_verified",
                "email_verified requires an email",
            ));
        }
        contact.email_verified = verified;
    }
    for (key, part) in [
        ("phone", &mut contact.phone),
        ("name", &mut contact.name),
        ("avatar", &mut contact.avatar),
    ] {
        if reader.given(key) {
            *part = reader.text(key)?;
        }
    }
    for (key, part) in [
        ("signed_up_at", &mut contact.signed_up_at),
        ("last_seen_at", &mut contact.last_seen_at),
    ] {
        if reader.given(key) {
            *part = reader.time(key)?;
        }
    }
    if reader.given("owner_id") {
        contact.owner_id = reader.id("owner_id")?;
        if contact.owner_id.is_some_and(|id| state.admin(id).is_none()) {
            return Err(Failure::admin());
        }
    }
    if let Some(flag) = reader.flag("unsubscribed_from_emails")? {
        contact.unsubscribed_from_emails = flag;
    }
    if let Some(given) = reader.object("custom_attributes")? {
        values::merge_data(state, Model::Contact, given, &mut contact.custom_attributes)?;
    }
    Ok(())
}

/// §6: a user's address and external id are no other user's, archived ones included; leads are not compared.
fn unique(state: &State, contact: &Contact) -> Result<(), Failure> {
    if contact.role == Role::Lead {
        return Ok(());
    }
    let by_external = contact.external_id.as_deref().into_iter();
    let by_external = by_external.flat_map(|id| state.by_external(id));
    let by_email = contact.email.as_deref().into_iter();
    let by_email = by_email.flat_map(|email| state.by_email(email));
    let mut same = by_external.chain(by_email);
    let Some(other) = same.find(|other| other.role == Role::User && other.id != contact.id) else {
        return Ok(());
    };
    if other.blocked {
        let message = "User has been blocked and is not restorable.";
        return Err(Failure::new(400, "not_restorable", message));
    }
    let what = if other.archived {
        "An archived contact"
    } else {
        "A contact"
    };
    let message = format!(
        "{what} matching those details already exists with id={}",
        other.id
    );
    Err(Failure::new(409, "conflict", message))
}

fn post(call: &mut Call<'_>) -> Outcome {
    let reader = call.body(&KEYS)?;
    if !["email", "external_id", "role"]
        .iter()
        .any(|key| reader.raw(key).is_some())
    {
        let message = "email, external_id or role must be present";
        return Err(Failure::new(400, "parameter_not_found", message));
    }
    let mut contact = blank(call.state, Role::User);
    apply(call.state, reader, &mut contact)?;
    unique(call.state, &contact)?;
    let answer = render(call.state, &contact, call.actor.version);
    let topic = match contact.role {
        Role::User => "contact.user.created",
        Role::Lead => "contact.lead.created",
    };
    call.state
        .tell(Happened::webhook(topic, Topic::Contact(contact.id.clone())));
    call.state.put_contact(contact);
    Answer::ok(answer)
}

fn put(call: &mut Call<'_>, id: &str) -> Outcome {
    let mut contact = call.state.contact(id, call.actor.version)?.clone();
    let reader = call.body(&KEYS)?;
    apply(call.state, reader, &mut contact)?;
    unique(call.state, &contact)?;
    contact.updated_at = call.now();
    let answer = render(call.state, &contact, call.actor.version);
    call.state.tell(Happened::webhook(
        "contact.updated",
        Topic::Contact(contact.id.clone()),
    ));
    call.state.put_contact(contact);
    Answer::ok(answer)
}

fn reference(contact: &Contact, key: &str, value: bool) -> Value {
    let mut shown = Map::new();
    shown.insert("type".to_owned(), json!("contact"));
    shown.insert("id".to_owned(), json!(contact.id));
    shown.insert("external_id".to_owned(), json!(contact.external_id));
    shown.insert(key.to_owned(), json!(value));
    Value::Object(shown)
}

fn delete(call: &mut Call<'_>, id: &str) -> Outcome {
    // An archived contact can be deleted, a merged one cannot.
    let contact = match call.state.contacts.get(id) {
        Some(contact) => contact.clone(),
        None => call.state.contact(id, call.actor.version)?.clone(),
    };
    erase(call.state, id);
    Answer::ok(reference(&contact, "deleted", true))
}

/// Deletes a contact for good, with the conversations (§6).
pub(super) fn erase(state: &mut State, id: &str) {
    let theirs = state.conversations_of.get(id).cloned().unwrap_or_default();
    for conversation in theirs {
        let others = state
            .conversations
            .get(&conversation)
            .is_some_and(|c| c.contacts.len() > 1);
        if others {
            state.leave(conversation, id);
        } else {
            conversations::erase(state, conversation, true);
        }
    }
    let tickets = state.tickets_of.get(id).cloned().unwrap_or_default();
    for ticket in tickets {
        state.take_ticket(ticket);
        state.deleted_tickets.insert(ticket);
    }
    let Some(contact) = state.take_contact(id) else {
        return;
    };
    for company in &contact.companies {
        if let Some(company) = state.companies.get_mut(company) {
            company.contacts.remove(id);
        }
    }
    for note in &contact.notes {
        state.notes.remove(note);
    }
    state.names += 1;
}

fn archive(call: &mut Call<'_>, id: &str) -> Outcome {
    let contact = call.state.contact(id, call.actor.version)?.clone();
    call.state
        .edit_contact(id, |contact| contact.archived = true);
    Answer::ok(reference(&contact, "archived", true))
}

fn unarchive(call: &mut Call<'_>, id: &str) -> Outcome {
    if call.state.merged.contains_key(id) {
        let message = "User has been merged and is not restorable.";
        return Err(Failure::new(400, "bad_request", message));
    }
    let contact = call
        .state
        .contacts
        .get(id)
        .ok_or_else(Failure::user)?
        .clone();
    if contact.blocked {
        return Err(Failure::new(
            400,
            "not_restorable",
            "User has been blocked and is not restorable.",
        ));
    }
    call.state
        .edit_contact(id, |contact| contact.archived = false);
    Answer::ok(reference(&contact, "archived", false))
}

fn block(call: &mut Call<'_>, id: &str) -> Outcome {
    let contact = call.state.contact(id, call.actor.version)?.clone();
    call.state
        .edit_contact(id, |contact| contact.blocked = true);
    let theirs = call
        .state
        .conversations_of
        .get(id)
        .cloned()
        .unwrap_or_default();
    for conversation in theirs {
        call.state.conversation_mut(conversation)?.archived = true;
    }
    Answer::ok(reference(&contact, "blocked", true))
}

fn merge(call: &mut Call<'_>) -> Outcome {
    let reader = call.body(&["from", "into", "skip_duplicate_validation"])?;
    let (from, into) = (reader.needed("from")?, reader.needed("into")?);
    let skip = reader
        .flag("skip_duplicate_validation")?
        .unwrap_or_default();
    let version = call.actor.version;
    let lead = call.state.contact(&from, version)?;
    let user = call.state.contact(&into, version)?;
    if lead.role != Role::Lead || user.role != Role::User {
        return Err(Failure::new(
            400,
            "invalid_merge",
            "Contacts can only be merged from a lead into a user.",
        ));
    }
    let same = |a: &Option<String>, b: &Option<String>| {
        a.as_ref()
            .zip(b.as_ref())
            .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    // §1: since 2.16 they must be duplicates.
    let duplicates = same(&lead.email, &user.email) || same(&lead.phone, &user.phone);
    if version >= 16 && !skip && !duplicates {
        let message = "Contacts can only be merged when they are duplicates (matching email or phone). Pass \
                       skip_duplicate_validation=true to override this check.";
        return Err(Failure::new(400, "invalid_merge", message));
    }
    fuse(call.state, &from, &into);
    let contact = call.state.contact(&into, version)?;
    Answer::ok(render(call.state, contact, version))
}

/// Merges one contact into another, for good.
pub(super) fn fuse(state: &mut State, from: &str, into: &str) {
    let theirs = state
        .conversations_of
        .get(from)
        .cloned()
        .unwrap_or_default();
    for conversation in theirs {
        state.leave(conversation, from);
        state.join(conversation, into);
        if let Some(conversation) = state.conversations.get_mut(&conversation) {
            let old = super::model::Author::Contact(from.to_owned());
            for part in conversation
                .parts
                .iter_mut()
                .filter(|part| part.author == old)
            {
                part.author = super::model::Author::Contact(into.to_owned());
                part.shown = None;
            }
            if conversation.source.author == from {
                into.clone_into(&mut conversation.source.author);
            }
        }
    }
    let tickets = state.tickets_of.get(from).cloned().unwrap_or_default();
    for id in tickets {
        if let Some(mut ticket) = state.take_ticket(id) {
            for contact in &mut ticket.contacts {
                if contact == from {
                    into.clone_into(contact);
                }
            }
            state.put_ticket(ticket);
        }
    }
    let Some(lead) = state.take_contact(from) else {
        return;
    };
    for company in &lead.companies {
        if let Some(company) = state.companies.get_mut(company) {
            company.contacts.remove(from);
            company.contacts.insert(into.to_owned());
        }
    }
    state.edit_contact(into, |user| {
        user.email = user.email.take().or(lead.email);
        user.phone = user.phone.take().or(lead.phone);
        user.name = user.name.take().or(lead.name);
        for tag in lead.tags {
            if !user.tags.iter().any(|one| one.tag == tag.tag) {
                user.tags.push(tag);
            }
        }
        for company in lead.companies {
            if !user.companies.contains(&company) {
                user.companies.push(company);
            }
        }
        user.notes.extend(lead.notes);
    });
    state.merged.insert(from.to_owned(), into.to_owned());
    state.names += 1;
}

fn list_companies(call: &Call<'_>, id: &str) -> Outcome {
    let contact = call.state.contact(id, call.actor.version)?;
    let (page, pages) = super::call::numbered(call, contact.companies.clone(), 50, 60)?;
    let data: Vec<Value> = page
        .iter()
        .filter_map(|id| call.state.companies.get(id))
        .map(|company| companies::render(call.state, company))
        .collect();
    Answer::ok(json!({
        "type": "list", "data": data, "pages": pages, "total_count": contact.companies.len(),
    }))
}

fn attach(call: &mut Call<'_>, id: &str) -> Outcome {
    let count = call.state.contact(id, call.actor.version)?.companies.len();
    let reader = call.body(&["id"])?;
    let company = reader
        .word("id")?
        .ok_or_else(|| Failure::new(400, "parameter_not_found", "company not specified"))?;
    let known = call.state.company(&company)?.contacts.contains(id);
    if !known {
        let most = call.state.config.switches.companies_of_contact;
        if count >= most {
            let message = format!("Contact has reached the maximum of {most} company associations");
            return Err(Failure::new(400, "contact_company_limit_exceeded", message));
        }
        join(call.state, id, &company);
    }
    Answer::ok(companies::render(call.state, call.state.company(&company)?))
}

/// A contact belongs to a company from now on.
pub(super) fn join(state: &mut State, contact: &str, company: &str) {
    let now = state.now();
    if let Some(company) = state.companies.get_mut(company) {
        company.contacts.insert(contact.to_owned());
        company.updated_at = now;
    }
    state.edit_contact(contact, |contact| {
        if !contact.companies.iter().any(|one| one == company) {
            contact.companies.push(company.to_owned());
        }
    });
}

fn detach(call: &mut Call<'_>, id: &str, company: &str) -> Outcome {
    call.state.contact(id, call.actor.version)?;
    if !call.state.company(company)?.contacts.contains(id) {
        return Err(Failure::company());
    }
    part(call.state, id, company);
    Answer::ok(companies::render(call.state, call.state.company(company)?))
}

/// A contact no longer belongs to a company.
pub(super) fn part(state: &mut State, contact: &str, company: &str) {
    if let Some(company) = state.companies.get_mut(company) {
        company.contacts.remove(contact);
    }
    state.edit_contact(contact, |contact| {
        contact.companies.retain(|one| one != company)
    });
}

/// Makes a lead of whom only an address is known, because a ticket or a conversation names it (§8.3, §8.4).
pub(super) fn by_product(state: &mut State, email: &str) -> String {
    let mut contact = blank(state, Role::Lead);
    contact.email = Some(email.to_owned());
    contact.by_product = true;
    let id = contact.id.clone();
    state.tell(Happened::webhook(
        "contact.lead.created",
        Topic::Contact(id.clone()),
    ));
    state.put_contact(contact);
    id
}

/// The contact that a reply or a participant names by exactly one of three keys (§8.2).
pub(super) fn named(call: &Call<'_>, reader: Reader<'_>) -> Result<Option<String>, Failure> {
    let keys = ["intercom_user_id", "user_id", "email"];
    let given: Vec<&str> = keys
        .into_iter()
        .filter(|key| reader.raw(key).is_some())
        .collect();
    let [key] = given.as_slice() else {
        let message = "exactly one of intercom_user_id, user_id and email must be present";
        return Err(Failure::new(400, "parameter_not_found", message));
    };
    let text = reader.word(key)?.unwrap_or_default();
    let state = &*call.state;
    let found = match *key {
        "intercom_user_id" => Some(state.contact(&text, call.actor.version)?),
        "user_id" => {
            let mut users = state
                .by_external(&text)
                .filter(|one| one.role == Role::User);
            users.next()
        }
        _ => state
            .by_email(&text)
            .min_by_key(|one| one.role == Role::Lead),
    };
    let found = found.filter(|one| !one.archived && !one.blocked);
    Ok(found.map(|contact| contact.id.clone()))
}

/// A short form of a contact, as conversations and tickets show it.
pub(super) fn short(state: &State, id: &str) -> Value {
    let external_id = state
        .contacts
        .get(id)
        .and_then(|contact| contact.external_id.clone());
    json!({"type": "contact", "id": id, "external_id": external_id})
}

/// Tags of a contact, for the routes about tags.
pub(super) fn tag(state: &mut State, id: &str, tag: Id, by: Id) {
    let applied = tags::applied(state, tag, by);
    state.edit_contact(id, |contact| {
        if !contact.tags.iter().any(|one| one.tag == tag) {
            contact.tags.push(applied);
        }
    });
}
