//! Users and their identities (Zendesk facts §6).
//!
//! One function makes a user and one changes it; single calls, upserts and jobs all go through these two, so that their
//! rules cannot drift apart. Deletion is in `deletion`. Not here: merging of users, passwords, sessions.

use serde_json::{Value, json};

use super::answer::{Answer, Details, Failure, Outcome};
use super::attributes::{Attributes, bad, iso};
use super::call::{Actor, Call, FORBIDDEN, Limit, Listed, page_list, page_map};
use super::deletion;
use super::fields;
use super::jobs::{self, Work};
use super::model::{FieldOwner, Id, Identity, IdentityType, Role, Tags, User};
use super::organizations;
use super::state::State;
use crate::common::OutboxItem;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["users", "me"]) => me(call),
        ("GET", ["users"]) => list(call),
        ("POST", ["users"]) => post(call),
        ("POST", ["users", "create_or_update"]) => upsert_one(call),
        ("POST", ["users", "create_many"]) => bulk(call, "create", |v| Work::CreateUser(v.clone())),
        ("POST", ["users", "create_or_update_many"]) => {
            bulk(call, "create_or_update", |v| Work::UpsertUser(v.clone()))
        }
        ("PUT", ["users", "update_many"]) => update_many(call),
        ("DELETE", ["users", "destroy_many"]) => deletion::users_destroy_many(call),
        ("GET", ["users", "search"]) => search(call),
        ("GET", ["users", "autocomplete"]) => autocomplete(call),
        ("GET", ["users", "show_many"]) => show_many(call),
        ("GET", ["users", "count"]) => {
            let count = call.state.users.values().filter(|u| u.active).count();
            Answer::ok(count_json(call, count))
        }
        ("GET", ["users", id]) => call.id(id).and_then(|id| show(call, id)),
        ("PUT", ["users", id]) => call.id(id).and_then(|id| put(call, id)),
        ("DELETE", ["users", id]) => call.id(id).and_then(|id| deletion::user(call, id)),
        ("GET", ["users", id, "related"]) => call.id(id).and_then(|id| related(call, id)),
        (_, ["users", id, "identities", rest @ ..]) => call
            .id(id)
            .and_then(|id| identities(call, &method, id, rest)),
        _ => return None,
    })
}

/// `{"count":{…}}`.
pub(super) fn count_json(call: &Call<'_>, count: usize) -> Value {
    json!({"count": {"value": count, "refreshed_at": iso(call.state.now)}})
}

impl Listed for User {
    fn changed(&self) -> chrono::DateTime<chrono::Utc> {
        self.updated_at
    }
}

/// A user as answers show it.
pub(super) fn render(state: &State, base: &str, user: &User) -> Value {
    let locale_id = super::settings::locale_id(&user.locale);
    let mut values = serde_json::Map::new();
    for field in state.fields_of(&FieldOwner::User) {
        if let Some(key) = &field.key {
            values.insert(key.clone(), fields::shown(field, user.user_fields.get(key)));
        }
    }
    json!({
        "id": user.id,
        "url": format!("{base}/api/v2/users/{}", user.id),
        "name": user.name,
        "email": user.email(),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
        "time_zone": user.time_zone,
        "iana_time_zone": iana(&user.time_zone),
        "phone": user.phone,
        "shared_phone_number": user.shared_phone_number,
        "photo": null,
        "locale_id": locale_id,
        "locale": user.locale,
        "organization_id": user.organization_id,
        "role": user.role.as_str(),
        "role_type": if user.role == Role::Admin { json!(4) } else { Value::Null },
        "verified": user.verified,
        "external_id": user.external_id,
        "tags": user.tags,
        "alias": user.alias,
        "active": user.active,
        "shared": false,
        "shared_agent": false,
        "last_login_at": null,
        "two_factor_auth_enabled": null,
        "signature": user.signature,
        "details": user.details,
        "notes": user.notes,
        "custom_role_id": user.custom_role_id,
        "moderator": user.is_agent(),
        "ticket_restriction": user.ticket_restriction,
        "only_private_comments": false,
        "restricted_agent": user.role != Role::Admin,
        "suspended": user.suspended,
        "default_group_id": user.default_group_id,
        "report_csv": user.role == Role::Admin,
        "chat_only": false,
        "user_fields": values,
    })
}

fn iana(zone: &str) -> &'static str {
    match zone {
        "Madrid" => "Europe/Madrid",
        "Berlin" => "Europe/Berlin",
        "London" => "Europe/London",
        "Pacific Time (US & Canada)" => "America/Los_Angeles",
        "UTC" => "Etc/UTC",
        _ => "America/New_York",
    }
}

fn wrapped(call: &Call<'_>, id: Id) -> Result<Value, Failure> {
    Ok(json!({"user": render(call.state, &call.base, call.state.user(id)?)}))
}

fn me(call: &mut Call<'_>) -> Outcome {
    wrapped(call, call.actor.user_id).map(|body| Answer::json(200, body))
}

/// §1 [LIVE]: what `users/me` says to somebody without valid credentials.
pub(super) fn anonymous() -> Answer {
    Answer::json(
        200,
        json!({"user": {
            "id": null, "name": "Anonymous user", "email": "invalid@example.com",
            "role": "end-user", "active": false, "verified": false,
        }}),
    )
}

fn show(call: &mut Call<'_>, id: Id) -> Outcome {
    wrapped(call, id).map(|body| Answer::json(200, body))
}

fn list(call: &mut Call<'_>) -> Outcome {
    let external = call.request.param("external_id").map(str::to_owned);
    if let Some(external) = external {
        // §6.2: compared without regard to case; not an index, so without lag.
        let found = call
            .state
            .users_by_external
            .get(&external.to_lowercase())
            .copied();
        let users: Vec<Id> = found.into_iter().collect();
        return page_users(call, &users);
    }
    let roles = call.request.list("role").map(|list| {
        list.iter()
            .filter_map(|r| Role::parse(r))
            .collect::<Vec<_>>()
    });
    let keep = |user: &User| {
        user.active
            && roles
                .as_ref()
                .is_none_or(|roles| roles.contains(&user.role))
    };
    page_map(call, "users", &call.state.users, keep, |user| {
        render(call.state, &call.base, user)
    })
}

fn page_users(call: &Call<'_>, ids: &[Id]) -> Outcome {
    page_list(call, "users", ids.len(), |at| {
        let user = call.state.users.get(ids.get(at)?)?;
        Some(render(call.state, &call.base, user))
    })
}

fn show_many(call: &mut Call<'_>) -> Outcome {
    let with_deleted = call.request.param("include_deleted") == Some("true");
    let ids: Vec<Id> = if call.request.list("ids").is_some() {
        call.many("ids")?
            .iter()
            .filter_map(|id| id.parse().ok())
            .collect()
    } else {
        let externals = call.many("external_ids")?;
        let by = &call.state.users_by_external;
        externals
            .iter()
            .filter_map(|e| by.get(&e.to_lowercase()).copied())
            .collect()
    };
    let users: Vec<Value> = ids
        .iter()
        .filter_map(|id| call.state.users.get(id))
        .filter(|user| user.active || with_deleted)
        .map(|user| render(call.state, &call.base, user))
        .collect();
    let count = users.len();
    Answer::ok(json!({"users": users, "count": count, "next_page": null, "previous_page": null}))
}

/// `GET /users/search`: by external id, or by a query; both from the index, so with its lag (§6.1).
fn search(call: &mut Call<'_>) -> Outcome {
    let external = call.request.param("external_id").map(str::to_lowercase);
    let ids: Vec<Id> = if let Some(external) = external {
        let found = call.state.users_by_external.get(&external);
        let user = found.and_then(|id| call.state.users.get(id));
        user.filter(|user| super::search::visible(call.state, user.created_at, None))
            .map(|user| user.id)
            .into_iter()
            .collect()
    } else if let Some(query) = call.request.param("query") {
        super::search::users(call.state, query)
    } else {
        return Err(Failure::bad_request(
            "BadRequest",
            "Parameter query is required",
        ));
    };
    page_users(call, &ids)
}

fn autocomplete(call: &mut Call<'_>) -> Outcome {
    let name = call
        .request
        .param("name")
        .unwrap_or_default()
        .to_lowercase();
    if name.len() < 2 {
        return Err(Failure::bad_request(
            "BadRequest",
            "Parameter name is too short",
        ));
    }
    let users = call.state.users.values().filter(|user| user.active);
    let ids: Vec<Id> = users
        .filter(|u| u.name.to_lowercase().starts_with(&name))
        .map(|u| u.id)
        .collect();
    page_users(call, &ids)
}

fn related(call: &mut Call<'_>, id: Id) -> Outcome {
    use super::state::TicketKey;
    call.state.user(id)?;
    let count = |key: TicketKey| {
        call.state
            .tickets_with(&key)
            .filter(|t| t.deleted.is_none())
            .count()
    };
    Answer::ok(json!({"user_related": {
        "assigned_tickets": count(TicketKey::Assignee(id)),
        "requested_tickets": count(TicketKey::Requester(id)),
        "ccd_tickets": 0,
        "organization_subscriptions": 0,
    }}))
}

// ---- single writes

fn post(call: &mut Call<'_>) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "user")?;
    let id = create(call.state, &call.actor, attributes)?;
    let location = format!("{}/api/v2/users/{id}", call.base);
    wrapped(call, id).map(|body| Answer::json(201, body).with("location", location))
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "user")?;
    call.limit(Limit::UserUpdate, "")?;
    call.limit(Limit::UserRecord, id)?;
    update(call.state, &call.actor, id, attributes)?;
    show(call, id)
}

fn upsert_one(call: &mut Call<'_>) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "user")?;
    // §2: one a second for the whole account, new users included.
    call.limit(Limit::UserUpdate, "")?;
    if let Some(id) = existing(call.state, attributes)? {
        call.limit(Limit::UserRecord, id)?;
    }
    let (id, made) = upsert(call.state, &call.actor, attributes)?;
    wrapped(call, id).map(|body| Answer::json(if made { 201 } else { 200 }, body))
}

/// §6.1: 403 until Zendesk has enabled bulk user import for the account.
fn bulk(call: &mut Call<'_>, action: &'static str, work: fn(&Value) -> Work) -> Outcome {
    if !call.state.config.switches.bulk_user_import {
        return Err(FORBIDDEN);
    }
    call.admin()?;
    let items: Vec<Work> = call.bulk("users")?.iter().map(work).collect();
    jobs::start(call, "BulkCreateUserJob", action, items)
}

fn update_many(call: &mut Call<'_>) -> Outcome {
    call.admin()?;
    let items: Vec<Work> = if let Some(all) = call.request.json.get("user") {
        let ids = targets(call)?;
        ids.into_iter()
            .map(|id| Work::UpdateUser(id, all.clone()))
            .collect()
    } else {
        let list = call.bulk("users")?;
        let mut items = Vec::new();
        for user in list {
            let id = Attributes::bare(&user)?.id("id")?;
            items.push(Work::UpdateUser(id.unwrap_or_default(), user));
        }
        items
    };
    jobs::start(call, "BulkUpdateUserJob", "update", items)
}

/// The users named by `ids` or `external_ids`; unknown ones get the id 0, which no row can find.
pub(super) fn targets(call: &Call<'_>) -> Result<Vec<Id>, Failure> {
    if call.request.list("ids").is_some() {
        return Ok(call
            .many("ids")?
            .iter()
            .map(|id| id.parse().unwrap_or(0))
            .collect());
    }
    let externals = call.many("external_ids")?;
    let by = &call.state.users_by_external;
    Ok(externals
        .iter()
        .map(|e| by.get(&e.to_lowercase()).copied().unwrap_or(0))
        .collect())
}

// ---- the rules

/// The user an upsert would change: by id of the e-mail's owner, or by external id (§6.1).
fn existing(state: &State, attributes: Attributes<'_>) -> Result<Option<Id>, Failure> {
    let email = attributes.text("email")?;
    let by_email = email.and_then(|e| state.user_by_identity(IdentityType::Email, e.trim()));
    let external = attributes.text("external_id")?;
    let by_external =
        external.and_then(|e| state.users_by_external.get(&e.to_lowercase()).copied());
    Ok(by_external.or(by_email))
}

/// Makes or changes a user; whether it was made.
pub(super) fn upsert(
    state: &mut State,
    actor: &Actor,
    attributes: Attributes<'_>,
) -> Result<(Id, bool), Failure> {
    match existing(state, attributes)? {
        Some(id) => update(state, actor, id, attributes).map(|()| (id, false)),
        None => create(state, actor, attributes).map(|id| (id, true)),
    }
}

/// Makes a user.
pub(super) fn create(
    state: &mut State,
    actor: &Actor,
    attributes: Attributes<'_>,
) -> Result<Id, Failure> {
    let now = state.second();
    let mut details = Details::default();
    let name = attributes.text("name")?.unwrap_or_default();
    if name.trim().is_empty() {
        let text = "Name: is too short (minimum is 1 characters)";
        details.add("name", text, Some("BlankValue"));
    }
    let mut user = User {
        id: state.next_id(),
        name: name.trim().to_owned(),
        external_id: None,
        role: Role::EndUser,
        custom_role_id: None,
        identities: Vec::new(),
        phone: None,
        shared_phone_number: None,
        locale: "en-US".to_owned(),
        time_zone: "Eastern Time (US & Canada)".to_owned(),
        organization_id: None,
        default_group_id: None,
        notes: String::new(),
        details: String::new(),
        alias: String::new(),
        signature: String::new(),
        tags: Tags::new(),
        user_fields: std::collections::BTreeMap::new(),
        verified: false,
        suspended: false,
        active: true,
        deleted_at: None,
        ticket_restriction: None,
        created_at: now,
        updated_at: now,
    };
    let verified = attributes.flag("verified")?.unwrap_or(false);
    if let Some(email) = attributes.text("email")? {
        let wanted = Wanted {
            kind: IdentityType::Email,
            value: email,
            verified,
            primary: true,
        };
        add_identity(state, &mut user, wanted, "email", &mut details);
    }
    extra_identities(state, &mut user, attributes, &mut details)?;
    user.verified = verified;
    apply(state, actor, &mut user, attributes, &mut details)?;
    if user.is_agent() && state.agents.len() >= state.config.agent_seats {
        details.add(
            "base",
            "Maximum number of agents reached for this account",
            None,
        );
    }
    let organizations = wanted_organizations(state, attributes, &mut details)?;
    details.check()?;
    let id = user.id;
    let email = user.email().map(str::to_owned);
    let is_agent = user.is_agent();
    state.put_user(user);
    if is_agent {
        super::groups::join_default(state, id);
    }
    if let Some(organizations) = organizations {
        organizations::replace_memberships(state, id, &organizations);
    }
    if verified {
        organizations::map_by_domain(state, id);
    }
    // §6.2: a new user is greeted unless the caller says not to.
    let skip = attributes.flag("skip_verify_email")?.unwrap_or(false);
    if let Some(email) = email.filter(|_| !skip) {
        greet(
            state,
            id,
            email,
            "Welcome and verification mail to a new user",
        );
    }
    Ok(id)
}

/// Changes a user.
pub(super) fn update(
    state: &mut State,
    actor: &Actor,
    id: Id,
    attributes: Attributes<'_>,
) -> Result<(), Failure> {
    let mut user = state
        .active_user(id)
        .cloned()
        .ok_or(Failure::RecordNotFound)?;
    let mut details = Details::default();
    if attributes.given("name") {
        let name = attributes.text("name")?.unwrap_or_default();
        if name.trim().is_empty() {
            let text = "Name: is too short (minimum is 1 characters)";
            details.add("name", text, Some("BlankValue"));
        }
        user.name = name.trim().to_owned();
    }
    // §6.2: an e-mail in an update becomes one more identity, the primary one stays.
    let mut new_email = None;
    if let Some(email) = attributes.text("email")? {
        let mine = user
            .identities
            .iter()
            .any(|i| i.kind == IdentityType::Email && i.value.eq_ignore_ascii_case(email.trim()));
        if !mine {
            let verified = attributes.flag("verified")?.unwrap_or(false);
            let primary = user.email().is_none();
            let wanted = Wanted {
                kind: IdentityType::Email,
                value: email.clone(),
                verified,
                primary,
            };
            add_identity(state, &mut user, wanted, "email", &mut details);
            new_email = Some(email);
        }
    }
    extra_identities(state, &mut user, attributes, &mut details)?;
    let was_agent = user.is_agent();
    apply(state, actor, &mut user, attributes, &mut details)?;
    if !was_agent && user.is_agent() && state.agents.len() >= state.config.agent_seats {
        details.add(
            "base",
            "Maximum number of agents reached for this account",
            None,
        );
    }
    if let Some(verified) = attributes.flag("verified")? {
        user.verified = verified;
        for identity in user.identities.iter_mut().filter(|i| i.primary) {
            identity.verified = verified;
        }
    }
    let organizations = wanted_organizations(state, attributes, &mut details)?;
    details.check()?;
    user.updated_at = state.second();
    let is_agent = user.is_agent();
    state.put_user(user);
    if !was_agent && is_agent {
        super::groups::join_default(state, id);
    }
    if let Some(organizations) = organizations {
        organizations::replace_memberships(state, id, &organizations);
    }
    let skip = attributes.flag("skip_verify_email")?.unwrap_or(false);
    if let Some(email) = new_email.filter(|_| !skip) {
        greet(
            state,
            id,
            email,
            "Verification mail to a new address of a user",
        );
    }
    Ok(())
}

fn greet(state: &mut State, id: Id, to: String, reason: &str) {
    state.outbox.push(OutboxItem {
        at_ms: state.now.timestamp_millis(),
        kind: "email".to_owned(),
        to,
        about: format!("user {id}"),
        reason: reason.to_owned(),
    });
}

/// The attributes that creation and update share.
fn apply(
    state: &State,
    actor: &Actor,
    user: &mut User,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<(), Failure> {
    let switches = &state.config.switches;
    if attributes.given("external_id") {
        let external = attributes.text("external_id")?.filter(|e| !e.is_empty());
        let owner = external
            .as_ref()
            .and_then(|e| state.users_by_external.get(&e.to_lowercase()));
        if owner.is_some_and(|owner| *owner != user.id) {
            details.add(
                "external_id",
                "External has already been taken",
                Some("DuplicateValue"),
            );
        }
        // §6.2: an upsert also rewrites the case.
        user.external_id = external;
    }
    if let Some(role) = attributes.text("role")? {
        match Role::parse(&role) {
            Some(role) if role != user.role && actor.role != Role::Admin => {
                return Err(FORBIDDEN);
            }
            Some(role) => user.role = role,
            None => details.add(
                "role",
                format!("Role: {role} is not valid"),
                Some("InvalidValue"),
            ),
        }
    }
    if attributes.given("custom_role_id") {
        user.custom_role_id = attributes.id("custom_role_id")?;
        // §6.2: a custom role makes an agent of an end user, in silence.
        if user.custom_role_id.is_some() && user.role == Role::EndUser {
            user.role = Role::Agent;
        }
    }
    if attributes.given("phone") || attributes.given("shared_phone_number") {
        let phone = if attributes.given("phone") {
            attributes.text("phone")?.filter(|p| !p.trim().is_empty())
        } else {
            user.phone.clone()
        };
        let shared = attributes.flag("shared_phone_number")?;
        set_phone(state, user, phone, shared, details);
    }
    let texts: [(&str, &mut String); 6] = [
        ("notes", &mut user.notes),
        ("details", &mut user.details),
        ("alias", &mut user.alias),
        ("signature", &mut user.signature),
        ("time_zone", &mut user.time_zone),
        ("locale", &mut user.locale),
    ];
    for (name, place) in texts {
        if attributes.given(name) {
            *place = attributes.text(name)?.unwrap_or_default();
        }
    }
    if let Some(id) = attributes.id("locale_id")? {
        match super::settings::locale(id) {
            Some(locale) => locale.clone_into(&mut user.locale),
            None => details.add("locale", "Locale: is invalid", Some("InvalidValue")),
        }
    }
    if let Some(tags) = attributes.tags("tags", switches.tag_blanks) {
        user.tags = if switches.user_tagging {
            tags
        } else {
            Tags::new()
        };
    }
    if let Some(suspended) = attributes.flag("suspended")? {
        user.suspended = suspended;
    }
    if let Some(restriction) = attributes.text("ticket_restriction")? {
        let valid = ["organization", "groups", "assigned", "requested"];
        let end_user_valid = matches!(restriction.as_str(), "organization" | "requested");
        let known = valid.contains(&restriction.as_str());
        // §6.2: invalid for an end user, it silently becomes `requested`.
        user.ticket_restriction = match user.role {
            Role::EndUser if !end_user_valid => Some("requested".to_owned()),
            _ if known => Some(restriction),
            _ => {
                let text = "Ticket restriction: is not valid";
                details.add("ticket_restriction", text, Some("InvalidValue"));
                None
            }
        };
    } else if user.role == Role::EndUser && user.ticket_restriction.is_none() {
        user.ticket_restriction = Some("requested".to_owned());
    }
    if let Some(group) = attributes.id("default_group_id")? {
        user.default_group_id = Some(group);
    }
    if let Some(values) = attributes.object("user_fields")? {
        fields::set_keyed(
            state,
            &FieldOwner::User,
            &mut user.user_fields,
            values,
            details,
        );
    }
    Ok(())
}

/// §6.2: a direct line is an identity and unique; a shared number is neither.
fn set_phone(
    state: &State,
    user: &mut User,
    phone: Option<String>,
    shared: Option<bool>,
    details: &mut Details,
) {
    user.identities
        .retain(|i| i.kind != IdentityType::Phone || user.phone.as_ref() != Some(&i.value));
    user.phone.clone_from(&phone);
    user.shared_phone_number = None;
    let Some(phone) = phone else { return };
    let e164 = phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    });
    match (shared, e164) {
        (Some(true), _) => user.shared_phone_number = Some(true),
        (_, true) => {
            user.shared_phone_number = Some(false);
            let wanted = Wanted {
                kind: IdentityType::Phone,
                value: phone,
                verified: false,
                primary: !user
                    .identities
                    .iter()
                    .any(|i| i.kind == IdentityType::Phone),
            };
            add_identity(state, user, wanted, "phone", details);
        }
        (_, false) if state.config.switches.strict_phone => {
            let text = format!("Phone: {phone} is not a valid phone number");
            details.add("phone", text, Some("InvalidValue"));
        }
        (_, false) => user.shared_phone_number = Some(true),
    }
}

/// An address to be added.
struct Wanted {
    kind: IdentityType,
    value: String,
    verified: bool,
    primary: bool,
}

/// Adds an address after checking its form and that nobody has it, over all identities of the account (§6.2).
fn add_identity(state: &State, user: &mut User, wanted: Wanted, key: &str, details: &mut Details) {
    let label = match wanted.kind {
        IdentityType::Email => "Email",
        IdentityType::Phone => "Phone",
        _ => "Value",
    };
    let mut value = wanted.value.trim().to_owned();
    if wanted.kind == IdentityType::Email {
        value = value.to_lowercase();
        let proper = value.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.contains('.')
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && !value.contains(char::is_whitespace)
        });
        if !proper {
            let text = format!("{label}: {value} is not properly formatted");
            details.add(key, text, Some("InvalidFormat"));
            return;
        }
    }
    let mine = |i: &Identity| i.kind == wanted.kind && i.value.eq_ignore_ascii_case(&value);
    if user.identities.iter().any(mine) {
        return;
    }
    let owner = state.user_by_identity(wanted.kind, &value);
    if owner.is_some_and(|owner| owner != user.id) {
        let text = format!("{label}: {value} is already being used by another user");
        details.add(key, text, Some("DuplicateValue"));
        return;
    }
    let now = state.second();
    let same_kind = user.identities.iter().any(|i| i.kind == wanted.kind);
    // Ids count on from the user's own, so that this function needs no write.
    let last = user.identities.iter().map(|identity| identity.id).max();
    user.identities.push(Identity {
        id: last.map_or(user.id * 1_000, |last| last + 1),
        kind: wanted.kind,
        value,
        verified: wanted.verified,
        primary: wanted.primary || !same_kind,
        created_at: now,
        updated_at: now,
    });
}

fn extra_identities(
    state: &State,
    user: &mut User,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<(), Failure> {
    for item in attributes.list("identities") {
        let wanted = identity_of(Attributes::bare(item)?)?;
        let key = if wanted.kind == IdentityType::Email {
            "email"
        } else {
            "identities"
        };
        add_identity(state, user, wanted, key, details);
    }
    Ok(())
}

fn identity_of(attributes: Attributes<'_>) -> Result<Wanted, Failure> {
    let kind = attributes
        .text("type")?
        .and_then(|kind| IdentityType::parse(&kind));
    let kind = kind.ok_or_else(|| bad("type", "must be a type of identity"))?;
    let value = attributes
        .text("value")?
        .ok_or_else(|| bad("value", "is required"))?;
    let verified = attributes.flag("verified")?.unwrap_or(false);
    Ok(Wanted {
        kind,
        value,
        verified,
        primary: attributes.flag("primary")?.unwrap_or(false),
    })
}

/// The organizations a user shall be in, `None` when nothing is said; the first is the default.
fn wanted_organizations(
    state: &State,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<Option<Vec<Id>>, Failure> {
    if !attributes.given("organization_id") && !attributes.given("organization_ids") {
        return Ok(None);
    }
    let mut ids: Vec<Id> = attributes.id("organization_id")?.into_iter().collect();
    for value in attributes.list("organization_ids") {
        let id = super::attributes::id_of(value)
            .ok_or_else(|| bad("organization_ids", "must be integers"))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.iter().any(|id| !state.organizations.contains_key(id)) {
        details.add(
            "organization",
            "Organization: is invalid",
            Some("InvalidValue"),
        );
    }
    Ok(Some(ids))
}

// ---- identities

fn identity_json(call: &Call<'_>, user: Id, identity: &Identity) -> Value {
    json!({
        "id": identity.id,
        "url": format!("{}/api/v2/users/{user}/identities/{}", call.base, identity.id),
        "user_id": user,
        "type": identity.kind.as_str(),
        "value": identity.value,
        "verified": identity.verified,
        "primary": identity.primary,
        "created_at": iso(identity.created_at),
        "updated_at": iso(identity.updated_at),
        "undeliverable_count": 0,
        "deliverable_state": "deliverable",
        "verification_method": if identity.verified { "full" } else { "none" },
        "verified_at": identity.verified.then(|| iso(identity.updated_at)),
    })
}

fn identities(call: &mut Call<'_>, method: &str, user: Id, rest: &[&str]) -> Outcome {
    let owner = call.state.user(user)?;
    let place = |call: &Call<'_>, id: &str| -> Result<(usize, Identity), Failure> {
        let id = call.id(id)?;
        let identities = &call.state.user(user)?.identities;
        let found = identities.iter().enumerate().find(|(_, i)| i.id == id);
        found
            .map(|(at, i)| (at, i.clone()))
            .ok_or(Failure::RecordNotFound)
    };
    let shown = |call: &Call<'_>, at: usize| -> Outcome {
        let identity = call
            .state
            .user(user)?
            .identities
            .get(at)
            .ok_or(Failure::RecordNotFound)?;
        Answer::ok(json!({"identity": identity_json(call, user, identity)}))
    };
    match (method, rest) {
        ("GET", []) => page_list(call, "identities", owner.identities.len(), |at| {
            Some(identity_json(call, user, owner.identities.get(at)?))
        }),
        ("POST", []) => {
            let request = call.request;
            let attributes = Attributes::of(&request.json, "identity")?;
            let wanted = identity_of(attributes)?;
            let skip = attributes.flag("skip_verify_email")?.unwrap_or(false) || wanted.verified;
            let mut changed = owner.clone();
            let mut details = Details::default();
            let (kind, before) = (wanted.kind, changed.identities.len());
            add_identity(call.state, &mut changed, wanted, "value", &mut details);
            if before == changed.identities.len() {
                let text = "Value: is already being used by this user";
                details.add("value", text, Some("DuplicateValue"));
            }
            details.check()?;
            // Ids stay unique even after deletions.
            let id = call.state.next_id();
            if let Some(identity) = changed.identities.last_mut() {
                identity.id = id;
            }
            let email = changed
                .identities
                .last()
                .map(|i| i.value.clone())
                .unwrap_or_default();
            call.state.put_user(changed);
            if kind == IdentityType::Email && !skip {
                greet(
                    call.state,
                    user,
                    email,
                    "Verification mail to a new address of a user",
                );
            }
            let mut answer = shown(call, before)?;
            answer.status = 201;
            Ok(answer)
        }
        ("GET", [id]) => place(call, id).and_then(|(at, _)| shown(call, at)),
        ("PUT", [id, "make_primary"]) => {
            let (_, identity) = place(call, id)?;
            call.state.edit_user(user, |user| {
                for other in user
                    .identities
                    .iter_mut()
                    .filter(|i| i.kind == identity.kind)
                {
                    other.primary = other.id == identity.id;
                }
            });
            identities(call, "GET", user, &[])
        }
        ("PUT", [id, "verify"]) => {
            let (at, _) = place(call, id)?;
            call.state.edit_user(user, |user| {
                if let Some(identity) = user.identities.get_mut(at) {
                    identity.verified = true;
                    user.verified |= identity.primary;
                }
            });
            organizations::map_by_domain(call.state, user);
            shown(call, at)
        }
        ("PUT", [id]) => {
            let (at, _) = place(call, id)?;
            let request = call.request;
            let verified = Attributes::of(&request.json, "identity")?.flag("verified")?;
            call.state.edit_user(user, |user| {
                if let (Some(verified), Some(i)) = (verified, user.identities.get_mut(at)) {
                    i.verified = verified;
                }
            });
            shown(call, at)
        }
        ("DELETE", [id]) => {
            let (at, identity) = place(call, id)?;
            let same = owner
                .identities
                .iter()
                .filter(|i| i.kind == IdentityType::Email)
                .count();
            if identity.primary && identity.kind == IdentityType::Email && same > 1 {
                let text = "Cannot delete the primary email address";
                return Err(Failure::invalid("base", text, None));
            }
            call.state.edit_user(user, |user| {
                user.identities.remove(at);
                if user.phone.as_ref() == Some(&identity.value) {
                    user.phone = None;
                    user.shared_phone_number = None;
                }
            });
            Answer::bare(204)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}
