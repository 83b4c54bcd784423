//! Teams as groups and agents as agents.
//!
//! An agent who is missing is made only where the settings say so; else the stand-in takes his place and every text of his names
//! him. Members of a group are one list, which is read and written whole (Freshdesk facts §7): agents of one unit are added in
//! one request a group.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{fields_lost, looks_lost, name_or_id};
use transload_sdk::types::{self, Error, Fidelity, Loss, Team};
use transload_sdk::words::placeholder;

use super::{
    Changed, Creation, WRITES, description_marker, effect, is_of_run, made, report, status_of,
};
use crate::api::{Agent, Group, Role};
use crate::client;
use crate::map::{self, loss};
use crate::state::{Config, State};

// ---- teams

/// All groups.
///
/// # Errors
/// What ends the unit.
pub async fn groups(cx: &Context) -> Result<Vec<Group>, Error> {
    client::list(cx, "/api/v2/groups").await
}

fn is_called(group: &Group, name: &str) -> bool {
    group.name.trim().to_lowercase() == name.to_lowercase()
}

/// What of a group is compared before an undo; members are compared one by one.
pub fn group_facets(group: &Group) -> Vec<(String, String)> {
    vec![("name".to_owned(), group.name.clone())]
}

/// Teams as groups, found by name, which is unique (Freshdesk facts §7).
///
/// # Errors
/// What ends the unit.
pub async fn teams(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let mut known = groups(cx).await?;
    for (item, team) in each::<Team>(cx, items) {
        let name = name_or_id(item.entry(), &team.name);
        // One of this run may be what an earlier attempt made: then it is looked up as such.
        let lost = |group: &Group| {
            item.in_doubt_since.is_some() && is_of_run(cx, group.description.as_deref())
        };
        let same = known.iter().find(|g| is_called(g, name) && !lost(g));
        let existing = item.certain().map(|c| c.target_id.clone());
        if let Some(id) = existing.or_else(|| same.map(|group| group.id.to_string())) {
            let main = effect("main", "group", id, Action::Matched);
            report(cx, item, Status::Matched, vec![main], Vec::new());
            continue;
        }
        let members = if config.group_members {
            // Tickets of the group without an agent of their own get the stand-in.
            vec![state.stand_in]
        } else {
            Vec::new()
        };
        match make_group(cx, item, team, name, &members).await? {
            Ok((group, main)) => {
                known.push(group);
                report(cx, item, status_of(main.action), vec![main], Vec::new());
            }
            Err(status) => report(cx, item, status, Vec::new(), Vec::new()),
        }
    }
    Ok(())
}

async fn make_group(
    cx: &Context,
    item: &Item,
    team: &Team,
    name: &str,
    members: &[u64],
) -> Result<Result<(Group, Effect), Status>, Error> {
    let marker = description_marker(cx, &item.marker);
    let description = match &team.description {
        Some(words) => format!("{words}\n{marker}"),
        None => marker,
    };
    // `escalate_to` stays empty: it would mail about every open ticket at once (Freshdesk facts §7).
    let body = json!({"name": name, "description": description, "agent_ids": members});
    let key = key(&item.key, "main", "create");
    let request = cx.http().write("POST", "/api/v2/groups", key).json(&body);
    let find = async || Ok(groups(cx).await?.into_iter().find(|g| is_called(g, name)));
    let ours = |group: &Group| is_of_run(cx, group.description.as_deref());
    Ok(
        match WRITES
            .make(item.in_doubt_since, request, find, ours)
            .await?
        {
            Creation::There(group, proof, key) => {
                let mut main = made("main", "group", group.id.to_string(), proof, key);
                main.fingerprint = Some(map::print(&group_facets(&group)));
                Ok((group, main))
            }
            Creation::Refused(refusal) => Err(Status::Rejected(refusal.rejection())),
            Creation::Unsettled => Err(Status::Unsettled(
                "a group whose creation was not answered".to_owned(),
            )),
        },
    )
}

// ---- agents

/// Everybody who works here.
///
/// # Errors
/// What ends the unit.
pub async fn staff(cx: &Context) -> Result<Vec<Agent>, Error> {
    client::list(cx, "/api/v2/agents").await
}

/// The address of an agent in the form in which addresses are compared.
pub fn address_of(agent: &Agent) -> Option<String> {
    agent.contact.email.as_deref().and_then(map::email)
}

/// What of an agent is compared before an undo.
pub fn agent_facets(agent: &Agent) -> Vec<(String, String)> {
    vec![
        ("name".to_owned(), agent.contact.name.clone()),
        ("email".to_owned(), address_of(agent).unwrap_or_default()),
    ]
}

/// What became of an agent, before the groups are known.
struct Draft<'a> {
    item: &'a Item,
    effects: Vec<Effect>,
    losses: Vec<Loss>,
}

/// Agents, matched by e-mail.
///
/// # Errors
/// What ends the unit.
pub async fn agents(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let staff = staff(cx).await?;
    let by_email: BTreeMap<String, u64> = staff
        .iter()
        .filter_map(|agent| Some((address_of(agent)?, agent.id)))
        .collect();
    let mut role = None;
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut wanted: BTreeMap<u64, Vec<(usize, u64)>> = BTreeMap::new();
    for (item, agent) in each::<types::Agent>(cx, items) {
        let mut losses = losses_of(item, agent);
        let email = agent.email.as_deref().and_then(map::email);
        let existing = item.certain().map(|c| c.target_id.clone());
        let found = existing.or_else(|| {
            let id = by_email.get(email.as_ref()?)?;
            Some(id.to_string())
        });
        // In doubt, the one that is there may be of a lost attempt; nothing on it says so, and it is left.
        let main = match (found, &email) {
            (Some(id), _) => effect("main", "agent", id, Action::Matched),
            (None, Some(email)) if config.create_agents => {
                if role.is_none() {
                    role = agent_role(cx).await?;
                }
                match make_agent(cx, item, &agent.name, email, role).await? {
                    Ok(main) => main,
                    Err(status) => {
                        report(cx, item, status, Vec::new(), losses);
                        continue;
                    }
                }
            }
            (None, _) => {
                let note =
                    "no agent with this address: a stand-in writes for him and texts name him";
                losses.push(loss("agent", Fidelity::Converted, note));
                let name = name_or_id(item.entry(), &agent.name);
                let stand_in = placeholder(state.stand_in, name);
                effect("main", "placeholder", stand_in, Action::Matched)
            }
        };
        if let (true, Ok(id)) = (config.group_members, main.target_id.parse::<u64>()) {
            for group in agent.teams.iter().filter_map(map::numeric_target) {
                wanted.entry(group).or_default().push((drafts.len(), id));
            }
        }
        drafts.push(Draft {
            item,
            effects: vec![main],
            losses,
        });
    }
    for (group, members) in wanted {
        join(cx, group, &members, &mut drafts).await?;
    }
    for draft in drafts {
        let main = draft.effects.first().map_or(Action::Matched, |e| e.action);
        let status = match main {
            Action::Matched if draft.effects.len() > 1 => Status::Updated,
            action => status_of(action),
        };
        report(cx, draft.item, status, draft.effects, draft.losses);
    }
    Ok(())
}

/// What of an agent has no place: rights and looks are the account's own, and agents have no custom fields.
fn losses_of(item: &Item, agent: &types::Agent) -> Vec<Loss> {
    let mut losses = looks_lost(agent, "rights and looks of agents are the account's own");
    losses.extend(fields_lost(
        item.entry(),
        "agents of Freshdesk have no custom fields",
    ));
    losses
}

/// The role of an ordinary agent; an agent has at least one (Freshdesk facts §7).
async fn agent_role(cx: &Context) -> Result<Option<u64>, Error> {
    let roles: Vec<Role> = client::read(cx, "/api/v2/roles").await?;
    let named = roles.iter().find(|role| role.name == "Agent");
    let alike = || {
        roles
            .iter()
            .find(|role| role.is_default && role.name.contains("Agent"))
    };
    Ok(named.or_else(alike).map(|role| role.id))
}

async fn make_agent(
    cx: &Context,
    item: &Item,
    name: &str,
    email: &str,
    role: Option<u64>,
) -> Result<Result<Effect, Status>, Error> {
    let mut body = json!({"name": name, "email": email, "ticket_scope": 1, "occasional": false});
    if let (Some(body), Some(role)) = (body.as_object_mut(), role) {
        body.insert("role_ids".to_owned(), json!([role]));
    }
    let key = key(&item.key, "main", "create");
    let request = cx.http().write("POST", "/api/v2/agents", key).json(&body);
    let find = async || {
        let staff = staff(cx).await?;
        let same = |agent: &Agent| address_of(agent).as_deref() == Some(email);
        Ok(staff.into_iter().find(same))
    };
    Ok(
        match WRITES
            .make(item.in_doubt_since, request, find, |_| false)
            .await?
        {
            Creation::There(agent, proof, key) => {
                // Nobody had the address when this unit began, where it is not in doubt (rule D-4).
                let absent = item.in_doubt_since.is_none().then_some(Proof::AbsentBefore);
                let mut main = made("main", "agent", agent.id.to_string(), proof.or(absent), key);
                main.fingerprint = Some(map::print(&agent_facets(&agent)));
                Ok(main)
            }
            Creation::Refused(refusal) => Err(Status::Rejected(refusal.rejection())),
            Creation::Unsettled => Err(Status::Unsettled(
                "an agent whose creation was not answered".to_owned(),
            )),
        },
    )
}

/// Adds agents to a group, which takes a list of all of them in one request.
async fn join(
    cx: &Context,
    group: u64,
    members: &[(usize, u64)],
    drafts: &mut [Draft<'_>],
) -> Result<(), Error> {
    let path = format!("/api/v2/groups/{group}");
    let Some(before) = client::find::<Group>(cx, &path).await? else {
        return Ok(());
    };
    let there: BTreeSet<u64> = before.agent_ids.iter().copied().collect();
    // Two agents of the source can be one here.
    let mut each: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, id) in members {
        each.entry(*id).or_insert(*at);
    }
    let added: BTreeSet<u64> = each
        .keys()
        .copied()
        .filter(|id| !there.contains(id))
        .collect();
    let part = format!("member:{group}");
    if !added.is_empty() {
        let all: BTreeSet<u64> = there.union(&added).copied().collect();
        let body = json!({"agent_ids": all});
        let request = |step: &str| {
            let key = key("*", format!("members:{group}"), step);
            cx.http().repeatable("PUT", path.clone(), key).json(&body)
        };
        let read = async || client::find::<Group>(cx, &path).await;
        let is_done = |group: &Group| added.iter().all(|id| group.agent_ids.contains(id));
        let done = WRITES.change(cx, request, read, is_done).await?;
        for (id, at) in each.iter().filter(|(id, _)| added.contains(id)) {
            let Some(draft) = drafts.get_mut(*at) else {
                continue;
            };
            match &done {
                Changed::Done(_, key) => {
                    // It was read as missing right before, in this unit (rule D-4).
                    let proof = Some(Proof::AbsentBefore);
                    let id = member_target(group, *id);
                    draft
                        .effects
                        .push(made(&part, "group_member", id, proof, key.clone()));
                }
                Changed::Refused(_) | Changed::Unknown => {
                    let note = "the group did not take its member";
                    draft.losses.push(loss("agent.teams", Fidelity::Lost, note));
                }
            }
        }
    }
    // An earlier attempt may have added those that are there: of a group of this run it is known that nobody else did.
    let of_run = is_of_run(cx, before.description.as_deref());
    for (id, at) in each.iter().filter(|(id, _)| of_run && there.contains(id)) {
        let Some(draft) = drafts.get_mut(*at) else {
            continue;
        };
        if draft.item.in_doubt_since.is_some() {
            let id = member_target(group, *id);
            draft.effects.push(Effect {
                proof: Some(Proof::Marker(cx.run().to_owned())),
                ..effect(&part, "group_member", id, Action::Created)
            });
        }
    }
    Ok(())
}

/// An agent's place in a group as effects name it: `7/42`.
pub fn member_target(group: u64, agent: u64) -> String {
    format!("{group}/{agent}")
}

/// Group and agent out of such a name.
pub fn member_parts(target: &str) -> Option<(u64, u64)> {
    let (group, agent) = target.split_once('/')?;
    Some((group.parse().ok()?, agent.parse().ok()?))
}
