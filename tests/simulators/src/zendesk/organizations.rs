//! Organizations and who is in them (Zendesk facts §7).
//!
//! Names are unique without regard to case and outer blanks. The race in which two equal requests at the same instant
//! both succeed is not simulated: requests are handled one after the other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Details, Failure, Outcome};
use super::attributes::{Attributes, iso};
use super::call::{Call, Limit, Listed, page_list, page_map};
use super::fields;
use super::jobs::{self, Work};
use super::model::{FieldOwner, Id, Membership, Organization, Tags};
use super::state::{State, TicketKey};
use super::users::count_json;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["organizations"]) => page_map(
            call,
            "organizations",
            &call.state.organizations,
            |_| true,
            |o| render(call, o),
        ),
        ("POST", ["organizations"]) => post(call),
        ("POST", ["organizations", "create_or_update"]) => upsert_one(call),
        ("POST", ["organizations", "create_many"]) => create_many(call),
        ("PUT", ["organizations", "update_many"]) => update_many(call),
        ("DELETE", ["organizations", "destroy_many"]) => destroy_many(call),
        ("GET", ["organizations", "search"]) => search(call),
        ("GET", ["organizations", "autocomplete"]) => autocomplete(call),
        ("GET", ["organizations", "show_many"]) => show_many(call),
        ("GET", ["organizations", "count"]) => {
            Answer::ok(count_json(call, call.state.organizations.len()))
        }
        ("GET", ["organizations", id]) => call.id(id).and_then(|id| show(call, id)),
        ("PUT", ["organizations", id]) => call.id(id).and_then(|id| put(call, id)),
        ("DELETE", ["organizations", id]) => call.id(id).and_then(|id| {
            call.admin()?;
            delete(call.state, id)?;
            Answer::bare(204)
        }),
        ("GET", ["organizations", id, "related"]) => call.id(id).and_then(|id| related(call, id)),
        ("GET", ["organizations", id, "users"]) => call.id(id).and_then(|id| {
            call.state.organization(id)?;
            let memberships = &call.state.organization_memberships;
            let users: Vec<Id> = memberships.of_target(id).map(|m| m.user_id).collect();
            page_list(call, "users", users.len(), |at| {
                let user = call.state.users.get(users.get(at)?)?;
                Some(super::users::render(call.state, &call.base, user))
            })
        }),
        ("GET", ["users", id, "organizations"]) => call.id(id).and_then(|id| {
            call.state.user(id)?;
            let memberships = &call.state.organization_memberships;
            let found: Vec<Id> = memberships.of_user(id).map(|m| m.of).collect();
            page_list(call, "organizations", found.len(), |at| {
                Some(render(call, call.state.organizations.get(found.get(at)?)?))
            })
        }),
        (method, [.., "organization_memberships"] | ["organization_memberships", ..]) => {
            memberships(call, method, path)
        }
        (
            "PUT",
            [
                "users",
                user,
                "organization_memberships",
                id,
                "make_default",
            ],
        ) => make_default(call, user, id),
        ("DELETE", ["users", user, "organization_memberships", id]) => {
            call.id(user).and_then(|_| call.id(id)).and_then(|id| {
                remove_membership(call.state, id)?;
                Answer::bare(204)
            })
        }
        _ => return None,
    })
}

impl Listed for Organization {
    fn changed(&self) -> chrono::DateTime<chrono::Utc> {
        self.updated_at
    }
}

/// An organization as answers show it.
pub(super) fn render(call: &Call<'_>, organization: &Organization) -> Value {
    let mut values = serde_json::Map::new();
    for field in call.state.fields_of(&FieldOwner::Organization) {
        if let Some(key) = &field.key {
            let value = organization.organization_fields.get(key);
            values.insert(key.clone(), fields::shown(field, value));
        }
    }
    json!({
        "id": organization.id,
        "url": format!("{}/api/v2/organizations/{}", call.base, organization.id),
        "name": organization.name,
        "external_id": organization.external_id,
        "domain_names": organization.domain_names,
        "details": organization.details,
        "notes": organization.notes,
        "group_id": organization.group_id,
        "shared_tickets": organization.shared_tickets,
        "shared_comments": organization.shared_comments,
        "tags": organization.tags,
        "organization_fields": values,
        "created_at": iso(organization.created_at),
        "updated_at": iso(organization.updated_at),
    })
}

fn wrapped(call: &Call<'_>, id: Id) -> Result<Value, Failure> {
    Ok(json!({"organization": render(call, call.state.organization(id)?)}))
}

fn show(call: &mut Call<'_>, id: Id) -> Outcome {
    wrapped(call, id).map(|body| Answer::json(200, body))
}

fn listed(call: &Call<'_>, ids: &[Id]) -> Outcome {
    page_list(call, "organizations", ids.len(), |at| {
        Some(render(call, call.state.organizations.get(ids.get(at)?)?))
    })
}

/// Exact search without regard to case, from the records themselves and so without lag (§7).
fn search(call: &mut Call<'_>) -> Outcome {
    let key = |name: &str| {
        call.request
            .param(name)
            .map(|text| text.trim().to_lowercase())
    };
    let found = match (key("external_id"), key("name")) {
        (Some(external), _) => call.state.organizations_by_external.get(&external),
        (None, Some(name)) => call.state.organizations_by_name.get(&name),
        (None, None) => {
            let description = "Parameter external_id or name is required";
            return Err(Failure::bad_request("BadRequest", description));
        }
    };
    let ids: Vec<Id> = found.copied().into_iter().collect();
    listed(call, &ids)
}

fn autocomplete(call: &mut Call<'_>) -> Outcome {
    let name = call
        .request
        .param("name")
        .unwrap_or_default()
        .to_lowercase();
    if name.chars().count() < 2 {
        return Err(Failure::bad_request(
            "BadRequest",
            "Parameter name is too short",
        ));
    }
    let all = call.state.organizations.values();
    let ids: Vec<Id> = all
        .filter(|o| o.name.to_lowercase().starts_with(&name))
        .map(|o| o.id)
        .collect();
    listed(call, &ids)
}

fn show_many(call: &mut Call<'_>) -> Outcome {
    let ids: Vec<Id> = targets(call)?.into_iter().filter(|id| *id > 0).collect();
    let found = ids.iter().filter_map(|id| call.state.organizations.get(id));
    let list: Vec<Value> = found.map(|o| render(call, o)).collect();
    let count = list.len();
    Answer::ok(
        json!({"organizations": list, "count": count, "next_page": null, "previous_page": null}),
    )
}

fn targets(call: &Call<'_>) -> Result<Vec<Id>, Failure> {
    if call.request.list("ids").is_some() {
        return Ok(call
            .many("ids")?
            .iter()
            .map(|id| id.parse().unwrap_or(0))
            .collect());
    }
    let externals = call.many("external_ids")?;
    let by = &call.state.organizations_by_external;
    Ok(externals
        .iter()
        .map(|e| by.get(&e.to_lowercase()).copied().unwrap_or(0))
        .collect())
}

fn related(call: &mut Call<'_>, id: Id) -> Outcome {
    call.state.organization(id)?;
    let tickets = call.state.tickets_with(&TicketKey::Organization(id));
    Answer::ok(json!({"organization_related": {
        "tickets_count": tickets.filter(|t| t.deleted.is_none()).count(),
        "users_count": call.state.organization_memberships.of_target(id).count(),
    }}))
}

// ---- writes

fn post(call: &mut Call<'_>) -> Outcome {
    let request = call.request;
    let id = create(call.state, Attributes::of(&request.json, "organization")?)?;
    let location = format!("{}/api/v2/organizations/{id}", call.base);
    wrapped(call, id).map(|body| Answer::json(201, body).with("location", location))
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "organization")?;
    call.limit(Limit::OrganizationRecord, id)?;
    update(call.state, id, attributes)?;
    show(call, id)
}

fn upsert_one(call: &mut Call<'_>) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "organization")?;
    // §7: by id or external id only; a clash of names is a 422.
    let external = attributes.text("external_id")?.map(|e| e.to_lowercase());
    let by_external = external.and_then(|e| call.state.organizations_by_external.get(&e).copied());
    let by_id = attributes
        .id("id")?
        .filter(|id| call.state.organizations.contains_key(id));
    let (id, status) = match by_id.or(by_external) {
        Some(id) => {
            call.limit(Limit::OrganizationRecord, id)?;
            update(call.state, id, attributes)?;
            (id, 200)
        }
        None => (create(call.state, attributes)?, 201),
    };
    wrapped(call, id).map(|body| Answer::json(status, body))
}

fn create_many(call: &mut Call<'_>) -> Outcome {
    let items = call
        .bulk("organizations")?
        .into_iter()
        .map(Work::CreateOrganization)
        .collect();
    jobs::start(call, "BulkCreateOrganizationJob", "create", items)
}

fn update_many(call: &mut Call<'_>) -> Outcome {
    let items: Vec<Work> = if let Some(all) = call.request.json.get("organization") {
        let ids = targets(call)?;
        ids.into_iter()
            .map(|id| Work::UpdateOrganization(id, all.clone()))
            .collect()
    } else {
        let list = call.bulk("organizations")?;
        let mut items = Vec::new();
        for organization in list {
            let attributes = Attributes::bare(&organization)?;
            let external = attributes.text("external_id")?.map(|e| e.to_lowercase());
            let by = &call.state.organizations_by_external;
            let id = attributes
                .id("id")?
                .or(external.and_then(|e| by.get(&e).copied()));
            items.push(Work::UpdateOrganization(id.unwrap_or(0), organization));
        }
        items
    };
    jobs::start(call, "BulkUpdateOrganizationJob", "update", items)
}

fn destroy_many(call: &mut Call<'_>) -> Outcome {
    call.admin()?;
    let items = targets(call)?
        .into_iter()
        .map(Work::DeleteOrganization)
        .collect();
    jobs::start(call, "BulkDeleteOrganizationJob", "delete", items)
}

/// Makes an organization.
pub(super) fn create(state: &mut State, attributes: Attributes<'_>) -> Result<Id, Failure> {
    let now = state.second();
    let id = state.next_id();
    let mut organization = Organization {
        id,
        name: String::new(),
        external_id: None,
        domain_names: Vec::new(),
        details: None,
        notes: None,
        group_id: None,
        shared_tickets: false,
        shared_comments: false,
        tags: Tags::new(),
        organization_fields: BTreeMap::new(),
        created_at: now,
        updated_at: now,
    };
    let mut details = Details::default();
    if !attributes.given("name") {
        details.add("name", "Name: cannot be blank", Some("BlankValue"));
    }
    apply(state, &mut organization, attributes, &mut details)?;
    details.check()?;
    let domains = organization.domain_names.clone();
    state.put_organization(organization);
    claim_domains(state, id, &domains);
    Ok(id)
}

/// Changes an organization.
pub(super) fn update(state: &mut State, id: Id, attributes: Attributes<'_>) -> Result<(), Failure> {
    let mut organization = state.organization(id)?.clone();
    let mut details = Details::default();
    apply(state, &mut organization, attributes, &mut details)?;
    details.check()?;
    organization.updated_at = state.second();
    let domains = organization.domain_names.clone();
    state.put_organization(organization);
    if attributes.given("domain_names") {
        claim_domains(state, id, &domains);
    }
    Ok(())
}

fn apply(
    state: &State,
    organization: &mut Organization,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<(), Failure> {
    if attributes.given("name") {
        // §7: trimmed, and equal when they differ in case or outer blanks only.
        let name = attributes
            .text("name")?
            .unwrap_or_default()
            .trim()
            .to_owned();
        if name.is_empty() {
            details.add("name", "Name: cannot be blank", Some("BlankValue"));
        }
        let owner = state.organizations_by_name.get(&name.to_lowercase());
        if owner.is_some_and(|owner| *owner != organization.id) {
            let text = format!("Name: {name} has already been taken");
            details.add("name", text, Some("DuplicateValue"));
        }
        organization.name = name;
    }
    if attributes.given("external_id") {
        let external = attributes.text("external_id")?.filter(|e| !e.is_empty());
        let by = &state.organizations_by_external;
        let owner = external.as_ref().and_then(|e| by.get(&e.to_lowercase()));
        if owner.is_some_and(|owner| *owner != organization.id) {
            details.add(
                "external_id",
                "External has already been taken",
                Some("DuplicateValue"),
            );
        }
        organization.external_id = external;
    }
    if attributes.given("domain_names") {
        let list = attributes.list("domain_names");
        let domains = list
            .iter()
            .filter_map(|v| v.as_str())
            .map(|d| d.trim().to_lowercase());
        organization.domain_names = domains.filter(|d| !d.is_empty()).collect();
    }
    if attributes.given("details") {
        organization.details = attributes.text("details")?;
    }
    if attributes.given("notes") {
        organization.notes = attributes.text("notes")?;
    }
    if attributes.given("group_id") {
        organization.group_id = attributes.id("group_id")?;
    }
    if let Some(flag) = attributes.flag("shared_tickets")? {
        organization.shared_tickets = flag;
    }
    if let Some(flag) = attributes.flag("shared_comments")? {
        organization.shared_comments = flag;
    }
    let switches = &state.config.switches;
    if let Some(tags) = attributes.tags("tags", switches.tag_blanks) {
        organization.tags = if switches.user_tagging {
            tags
        } else {
            Tags::new()
        };
    }
    if let Some(values) = attributes.object("organization_fields")? {
        let place = &mut organization.organization_fields;
        fields::set_keyed(state, &FieldOwner::Organization, place, values, details);
    }
    Ok(())
}

/// Deletes an organization; users and tickets lose it (§7).
pub(super) fn delete(state: &mut State, id: Id) -> Result<(), Failure> {
    state.organization(id)?;
    let members: Vec<Id> = state
        .organization_memberships
        .of_target(id)
        .map(|m| m.id)
        .collect();
    for membership in members {
        remove_membership(state, membership)?;
    }
    let tickets: Vec<Id> = state
        .tickets_with(&TicketKey::Organization(id))
        .map(|t| t.id)
        .collect();
    for ticket in tickets {
        state.edit_ticket(ticket, |ticket| ticket.organization_id = None);
    }
    state.take_organization(id);
    Ok(())
}

/// §7: setting domains moves the matching users in.
fn claim_domains(state: &mut State, id: Id, domains: &[String]) {
    if !state.config.switches.map_users_by_domain {
        return;
    }
    let by = &state.users_by_domain;
    let users: Vec<Id> = domains
        .iter()
        .filter_map(|d| by.get(&d.to_lowercase()))
        .flatten()
        .copied()
        .collect();
    for user in users {
        if state
            .users
            .get(&user)
            .is_some_and(|u| u.verified && !u.is_agent())
        {
            join(state, user, id, false);
        }
    }
}

/// §6.2: a verified user is put into the organization that owns the domain of an address.
pub(super) fn map_by_domain(state: &mut State, user: Id) {
    if !state.config.switches.map_users_by_domain {
        return;
    }
    let Some(found) = state.users.get(&user).filter(|u| !u.is_agent()) else {
        return;
    };
    let domains = found
        .identities
        .iter()
        .filter_map(|i| i.value.rsplit_once('@'));
    let by = &state.organizations_by_domain;
    let organizations: Vec<Id> = domains
        .filter_map(|(_, domain)| by.get(&domain.to_lowercase()))
        .copied()
        .collect();
    for organization in organizations {
        join(state, user, organization, false);
    }
}

// ---- memberships

/// Puts a user into an organization unless there already; the first one is the default.
pub(super) fn join(state: &mut State, user: Id, organization: Id, default: bool) -> Option<Id> {
    if state
        .organization_memberships
        .find(user, organization)
        .is_some()
    {
        return None;
    }
    let first = state
        .organization_memberships
        .of_user(user)
        .next()
        .is_none();
    let default = default || first;
    let now = state.second();
    let id = state.next_id();
    state.organization_memberships.insert(Membership {
        id,
        user_id: user,
        of: organization,
        default,
        created_at: now,
        updated_at: now,
    });
    if default {
        set_default(state, user, Some(organization));
    }
    Some(id)
}

fn set_default(state: &mut State, user: Id, organization: Option<Id>) {
    let ids: Vec<Id> = state
        .organization_memberships
        .of_user(user)
        .map(|m| m.id)
        .collect();
    for id in ids {
        if let Some(membership) = state.organization_memberships.all.get_mut(&id) {
            membership.default = Some(membership.of) == organization;
        }
    }
    state.edit_user(user, |user| user.organization_id = organization);
}

/// §6.2: `organization_id` on a user replaces all memberships.
pub(super) fn replace_memberships(state: &mut State, user: Id, wanted: &[Id]) {
    let old: Vec<(Id, Id)> = state
        .organization_memberships
        .of_user(user)
        .map(|m| (m.id, m.of))
        .collect();
    for (id, of) in old {
        if !wanted.contains(&of) {
            state.organization_memberships.remove(id);
        }
    }
    for organization in wanted {
        join(state, user, *organization, false);
    }
    set_default(state, user, wanted.first().copied());
}

/// Takes a user out of an organization.
pub(super) fn remove_membership(state: &mut State, id: Id) -> Result<(), Failure> {
    let gone = state
        .organization_memberships
        .remove(id)
        .ok_or(Failure::RecordNotFound)?;
    if gone.default {
        let next = state
            .organization_memberships
            .of_user(gone.user_id)
            .next()
            .map(|m| m.of);
        set_default(state, gone.user_id, next);
    }
    // Tickets keep only organizations of their requester.
    let tickets: Vec<Id> = state
        .tickets_with(&TicketKey::Requester(gone.user_id))
        .filter(|t| t.organization_id == Some(gone.of) && t.status < super::model::Status::Solved)
        .map(|t| t.id)
        .collect();
    for ticket in tickets {
        state.edit_ticket(ticket, |ticket| ticket.organization_id = None);
    }
    Ok(())
}

/// Makes a membership from a request or a row of a job.
pub(super) fn create_membership(
    state: &mut State,
    attributes: Attributes<'_>,
) -> Result<Id, Failure> {
    let mut details = Details::default();
    let user = attributes.id("user_id")?.unwrap_or(0);
    let organization = attributes.id("organization_id")?.unwrap_or(0);
    if state.active_user(user).is_none() {
        details.add("user", "User: is invalid", Some("InvalidValue"));
    }
    if !state.organizations.contains_key(&organization) {
        details.add(
            "organization",
            "Organization: is invalid",
            Some("InvalidValue"),
        );
    }
    let already = state
        .organization_memberships
        .find(user, organization)
        .map(|m| m.id);
    if let Some(id) = already {
        if !state.config.switches.duplicate_membership_refused {
            return Ok(id);
        }
        let text = "User: is already a member of this organization";
        details.add("user_id", text, Some("DuplicateValue"));
    }
    details.check()?;
    let default = attributes.flag("default")?.unwrap_or(false);
    join(state, user, organization, default).ok_or(Failure::RecordNotFound)
}

fn membership_json(call: &Call<'_>, m: &Membership) -> Value {
    let name = call.state.organizations.get(&m.of).map(|o| o.name.clone());
    json!({
        "id": m.id,
        "url": format!("{}/api/v2/organization_memberships/{}", call.base, m.id),
        "user_id": m.user_id,
        "organization_id": m.of,
        "organization_name": name,
        "default": m.default,
        "view_tickets": true,
        "created_at": iso(m.created_at),
        "updated_at": iso(m.updated_at),
    })
}

fn memberships(call: &mut Call<'_>, method: &str, path: &[&str]) -> Outcome {
    let key = "organization_memberships";
    let of = |ids: Vec<Id>, call: &Call<'_>| {
        page_list(call, key, ids.len(), |at| {
            let all = &call.state.organization_memberships.all;
            Some(membership_json(call, all.get(ids.get(at)?)?))
        })
    };
    let request = call.request;
    match (method, path) {
        ("GET", [_]) => {
            let ids: Vec<Id> = call
                .state
                .organization_memberships
                .all
                .keys()
                .copied()
                .collect();
            of(ids, call)
        }
        ("GET", ["users", user, _]) => {
            let user = call.id(user)?;
            call.state.user(user)?;
            let ids = call
                .state
                .organization_memberships
                .of_user(user)
                .map(|m| m.id)
                .collect();
            of(ids, call)
        }
        ("GET", ["organizations", organization, _]) => {
            let organization = call.id(organization)?;
            call.state.organization(organization)?;
            let list = call.state.organization_memberships.of_target(organization);
            let ids = list.map(|m| m.id).collect();
            of(ids, call)
        }
        ("POST", [_] | ["users", _, _]) => {
            let attributes = Attributes::of(&request.json, "organization_membership")?;
            let id = create_membership(call.state, attributes)?;
            let all = &call.state.organization_memberships.all;
            let found = all.get(&id).ok_or(Failure::RecordNotFound)?;
            Answer::created(json!({"organization_membership": membership_json(call, found)}))
        }
        ("POST", [_, "create_many"]) => {
            let list = call.bulk(key)?;
            let items = list
                .into_iter()
                .map(Work::CreateOrganizationMembership)
                .collect();
            jobs::start(call, "BulkCreateOrganizationMembershipJob", "create", items)
        }
        ("DELETE", [_, "destroy_many"]) => {
            let ids = call.many("ids")?;
            let items = ids
                .iter()
                .map(|id| Work::DeleteOrganizationMembership(id.parse().unwrap_or(0)));
            let items = items.collect();
            jobs::start(call, "BulkDeleteOrganizationMembershipJob", "delete", items)
        }
        ("GET", [_, id]) => {
            let all = &call.state.organization_memberships.all;
            let found = all.get(&call.id(id)?).ok_or(Failure::RecordNotFound)?;
            Answer::ok(json!({"organization_membership": membership_json(call, found)}))
        }
        ("DELETE", [_, id]) => {
            remove_membership(call.state, call.id(id)?)?;
            Answer::bare(204)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}

fn make_default(call: &mut Call<'_>, user: &str, id: &str) -> Outcome {
    let (user, id) = (call.id(user)?, call.id(id)?);
    let found = call
        .state
        .organization_memberships
        .all
        .get(&id)
        .filter(|m| m.user_id == user);
    let organization = found.ok_or(Failure::RecordNotFound)?.of;
    set_default(call.state, user, Some(organization));
    memberships(
        call,
        "GET",
        &["users", &user.to_string(), "organization_memberships"],
    )
}
