//! Groups and their members (Zendesk facts §7).

use serde_json::{Value, json};

use super::answer::{Answer, Details, Failure, Outcome};
use super::attributes::{Attributes, iso};
use super::call::{Call, Listed, page_list, page_map};
use super::jobs::{self, Work};
use super::model::{Group, Id, Membership, Status};
use super::state::{State, TicketKey};
use super::users::count_json;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["groups"]) => {
            let all = call.request.param("exclude_deleted") != Some("true");
            let keep = |group: &Group| all || !group.deleted;
            page_map(call, "groups", &call.state.groups, keep, |group| {
                render(call, group)
            })
        }
        ("GET", ["groups", "assignable"]) => {
            let keep = |group: &Group| !group.deleted;
            page_map(call, "groups", &call.state.groups, keep, |group| {
                render(call, group)
            })
        }
        ("GET", ["groups", "count"]) => {
            let count = call
                .state
                .groups
                .values()
                .filter(|group| !group.deleted)
                .count();
            Answer::ok(count_json(call, count))
        }
        ("POST", ["groups"]) => post(call),
        ("GET", ["groups", id]) => call.id(id).and_then(|id| {
            let group = call.state.groups.get(&id).ok_or(Failure::RecordNotFound)?;
            Answer::ok(json!({"group": render(call, group)}))
        }),
        ("PUT", ["groups", id]) => call.id(id).and_then(|id| put(call, id)),
        ("DELETE", ["groups", id]) => call.id(id).and_then(|id| {
            call.admin()?;
            delete(call.state, id)?;
            Answer::bare(204)
        }),
        ("GET", ["groups", id, "users"]) => call.id(id).and_then(|id| {
            let members = call.state.group_memberships.of_target(id);
            let users: Vec<Id> = members.map(|m| m.user_id).collect();
            page_list(call, "users", users.len(), |at| {
                let user = call.state.users.get(users.get(at)?)?;
                Some(super::users::render(call.state, &call.base, user))
            })
        }),
        ("GET", ["users", id, "groups"]) => call.id(id).and_then(|id| {
            call.state.user(id)?;
            let groups: Vec<Id> = call
                .state
                .group_memberships
                .of_user(id)
                .map(|m| m.of)
                .collect();
            page_list(call, "groups", groups.len(), |at| {
                Some(render(call, call.state.groups.get(groups.get(at)?)?))
            })
        }),
        (
            method,
            ["groups", _, "memberships"]
            | ["users", _, "group_memberships"]
            | ["group_memberships", ..],
        ) => memberships(call, method, path),
        _ => return None,
    })
}

impl Listed for Group {
    fn changed(&self) -> chrono::DateTime<chrono::Utc> {
        self.updated_at
    }
}

fn render(call: &Call<'_>, group: &Group) -> Value {
    json!({
        "id": group.id,
        "url": format!("{}/api/v2/groups/{}", call.base, group.id),
        "name": group.name,
        "description": group.description,
        "default": group.default,
        "deleted": group.deleted,
        "is_public": group.is_public,
        "created_at": iso(group.created_at),
        "updated_at": iso(group.updated_at),
    })
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.admin()?;
    let request = call.request;
    let attributes = Attributes::of(&request.json, "group")?;
    let name = attributes
        .text("name")?
        .unwrap_or_default()
        .trim()
        .to_owned();
    if name.is_empty() {
        return Err(Failure::invalid(
            "name",
            "Name: cannot be blank",
            Some("BlankValue"),
        ));
    }
    let (id, now) = (call.state.next_id(), call.state.second());
    // §7: names need not be unique.
    let group = Group {
        id,
        name,
        description: attributes.text("description")?.unwrap_or_default(),
        default: false,
        deleted: false,
        is_public: attributes.flag("is_public")?.unwrap_or(true),
        created_at: now,
        updated_at: now,
    };
    let body = json!({"group": render(call, &group)});
    call.state.groups.insert(id, group);
    Answer::created(body)
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.admin()?;
    let request = call.request;
    let attributes = Attributes::of(&request.json, "group")?;
    let mut group = call
        .state
        .groups
        .get(&id)
        .ok_or(Failure::RecordNotFound)?
        .clone();
    if let Some(name) = attributes.text("name")? {
        if name.trim().is_empty() {
            return Err(Failure::invalid(
                "name",
                "Name: cannot be blank",
                Some("BlankValue"),
            ));
        }
        name.trim().clone_into(&mut group.name);
    }
    if attributes.given("description") {
        group.description = attributes.text("description")?.unwrap_or_default();
    }
    if let Some(public) = attributes.flag("is_public")? {
        group.is_public = public;
    }
    group.updated_at = call.state.second();
    let body = json!({"group": render(call, &group)});
    call.state.groups.insert(id, group);
    Answer::ok(body)
}

/// Soft deletion: the group stays as `deleted:true`, its members and open tickets leave it (§7).
pub(super) fn delete(state: &mut State, id: Id) -> Result<(), Failure> {
    let group = state
        .groups
        .get(&id)
        .filter(|g| !g.deleted)
        .ok_or(Failure::RecordNotFound)?;
    if group.default {
        return Err(Failure::invalid(
            "base",
            "The default group cannot be deleted",
            None,
        ));
    }
    let members: Vec<Id> = state
        .group_memberships
        .of_target(id)
        .map(|m| m.id)
        .collect();
    for membership in members {
        remove_membership(state, membership)?;
    }
    let tickets: Vec<Id> = state
        .tickets_with(&TicketKey::Group(id))
        .filter(|t| t.status != Status::Closed)
        .map(|t| t.id)
        .collect();
    for ticket in tickets {
        state.edit_ticket(ticket, |ticket| {
            ticket.group_id = None;
            ticket.assignee_id = None;
        });
    }
    let now = state.second();
    if let Some(group) = state.groups.get_mut(&id) {
        group.deleted = true;
        group.updated_at = now;
    }
    Ok(())
}

// ---- memberships

/// Every agent is in the default group.
pub(super) fn join_default(state: &mut State, user: Id) {
    let group = state.default_group_id;
    if state.groups.contains_key(&group) {
        join(state, user, group, false);
    }
}

/// Puts an agent into a group unless there already; the first one is the default.
pub(super) fn join(state: &mut State, user: Id, group: Id, default: bool) -> Option<Id> {
    if state.group_memberships.find(user, group).is_some() {
        return None;
    }
    let default = default || state.group_memberships.of_user(user).next().is_none();
    let (id, now) = (state.next_id(), state.second());
    state.group_memberships.insert(Membership {
        id,
        user_id: user,
        of: group,
        default,
        created_at: now,
        updated_at: now,
    });
    if default {
        set_default(state, user, Some(group));
    }
    Some(id)
}

fn set_default(state: &mut State, user: Id, group: Option<Id>) {
    let ids: Vec<Id> = state
        .group_memberships
        .of_user(user)
        .map(|m| m.id)
        .collect();
    for id in ids {
        if let Some(membership) = state.group_memberships.all.get_mut(&id) {
            membership.default = Some(membership.of) == group;
        }
    }
    state.edit_user(user, |user| user.default_group_id = group);
}

/// Makes a membership from a request or a row of a job.
pub(super) fn create_membership(
    state: &mut State,
    attributes: Attributes<'_>,
) -> Result<Id, Failure> {
    let mut details = Details::default();
    let user = attributes.id("user_id")?.unwrap_or(0);
    let group = attributes.id("group_id")?.unwrap_or(0);
    // Only agents can be in a group.
    if state.active_user(user).is_none_or(|user| !user.is_agent()) {
        details.add("user", "User: is invalid", Some("InvalidValue"));
    }
    if state.groups.get(&group).is_none_or(|group| group.deleted) {
        details.add("group", "Group: is invalid", Some("InvalidValue"));
    }
    if let Some(existing) = state.group_memberships.find(user, group) {
        if !state.config.switches.duplicate_membership_refused {
            return Ok(existing.id);
        }
        let text = "User: has already been taken";
        details.add("user_id", text, Some("DuplicateValue"));
    }
    details.check()?;
    let default = attributes.flag("default")?.unwrap_or(false);
    join(state, user, group, default).ok_or(Failure::RecordNotFound)
}

/// Takes an agent out of a group; unassigns the working tickets of the pair (§7).
pub(super) fn remove_membership(state: &mut State, id: Id) -> Result<(), Failure> {
    let gone = state
        .group_memberships
        .remove(id)
        .ok_or(Failure::RecordNotFound)?;
    if gone.default {
        let next = state
            .group_memberships
            .of_user(gone.user_id)
            .next()
            .map(|m| m.of);
        set_default(state, gone.user_id, next);
    }
    let tickets: Vec<Id> = state
        .tickets_with(&TicketKey::Assignee(gone.user_id))
        .filter(|t| t.group_id == Some(gone.of) && t.status < Status::Solved)
        .map(|t| t.id)
        .collect();
    for ticket in tickets {
        state.edit_ticket(ticket, |ticket| ticket.assignee_id = None);
    }
    Ok(())
}

fn membership_json(call: &Call<'_>, m: &Membership) -> Value {
    json!({
        "id": m.id,
        "url": format!("{}/api/v2/group_memberships/{}", call.base, m.id),
        "user_id": m.user_id,
        "group_id": m.of,
        "default": m.default,
        "created_at": iso(m.created_at),
        "updated_at": iso(m.updated_at),
    })
}

fn memberships(call: &mut Call<'_>, method: &str, path: &[&str]) -> Outcome {
    let key = "group_memberships";
    let of = |ids: Vec<Id>, call: &Call<'_>| {
        page_list(call, key, ids.len(), |at| {
            Some(membership_json(
                call,
                call.state.group_memberships.all.get(ids.get(at)?)?,
            ))
        })
    };
    let request = call.request;
    match (method, path) {
        ("GET", ["group_memberships"] | ["group_memberships", "assignable"]) => {
            let ids: Vec<Id> = call.state.group_memberships.all.keys().copied().collect();
            of(ids, call)
        }
        ("GET", ["users", user, _]) => {
            let user = call.id(user)?;
            call.state.user(user)?;
            let ids = call
                .state
                .group_memberships
                .of_user(user)
                .map(|m| m.id)
                .collect();
            of(ids, call)
        }
        ("GET", ["groups", group, _]) => {
            let group = call.id(group)?;
            let ids = call
                .state
                .group_memberships
                .of_target(group)
                .map(|m| m.id)
                .collect();
            of(ids, call)
        }
        ("POST", ["group_memberships"] | ["users", ..]) => {
            call.admin()?;
            let attributes = Attributes::of(&request.json, "group_membership")?;
            let id = create_membership(call.state, attributes)?;
            let all = &call.state.group_memberships.all;
            let found = all.get(&id).ok_or(Failure::RecordNotFound)?;
            Answer::created(json!({"group_membership": membership_json(call, found)}))
        }
        ("POST", [_, "create_many"]) => {
            call.admin()?;
            let list = call.bulk(key)?;
            let items = list.into_iter().map(Work::CreateGroupMembership).collect();
            jobs::start(call, "BulkCreateGroupMembershipJob", "create", items)
        }
        ("DELETE", [_, "destroy_many"]) => {
            call.admin()?;
            let ids = call.many("ids")?;
            let items = ids
                .iter()
                .map(|id| Work::DeleteGroupMembership(id.parse().unwrap_or(0)));
            let items = items.collect();
            jobs::start(call, "BulkDeleteGroupMembershipJob", "delete", items)
        }
        ("GET", [_, id]) => {
            let all = &call.state.group_memberships.all;
            let found = all.get(&call.id(id)?).ok_or(Failure::RecordNotFound)?;
            Answer::ok(json!({"group_membership": membership_json(call, found)}))
        }
        ("DELETE", [_, id]) => {
            call.admin()?;
            remove_membership(call.state, call.id(id)?)?;
            Answer::bare(204)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}
