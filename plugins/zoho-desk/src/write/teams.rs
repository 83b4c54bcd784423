//! Teams, agents, and brands as departments.
//!
//! An agent is matched by address and never made: that would invite a person and take a seat (Zoho Desk facts §7.3). For who is
//! missing a stand-in writes, and every text of his names him. A team belongs to one department; it is made in the default one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::destination::Item;
use transload_sdk::effects::unsettled;
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{fields_lost, looks_lost, name_or_id};
use transload_sdk::types::{self, Error, Fidelity, Kind, Loss, Team as Source};
use transload_sdk::words::placeholder;

use super::{
    Changed, Creation, WRITES, description_marker, effect, exported_as, is_of_run, made, reject,
    report, status_of,
};
use crate::api::{Agent, Department, Refusal, Team};
use crate::client::Desk;
use crate::map::{self, loss, own_target};

// ---- teams

/// All teams.
///
/// # Errors
/// What ends the unit.
pub async fn all(desk: &Desk) -> Result<Vec<Team>, Error> {
    match desk.whole("/teams").await {
        // Not in every edition (Zoho Desk facts §7.4).
        Err(Error::Permission(_)) => Ok(Vec::new()),
        other => other,
    }
}

/// The department of each team.
///
/// # Errors
/// What ends the unit.
pub async fn departments_of(desk: &Desk) -> Result<BTreeMap<String, String>, Error> {
    let teams = all(desk).await?.into_iter();
    Ok(teams.map(|team| (team.id, team.department_id)).collect())
}

fn is_called(team: &Team, name: &str) -> bool {
    team.name.trim().to_lowercase() == name.trim().to_lowercase()
}

/// What of a team is compared before an undo; members are compared one by one.
pub fn team_facets(team: &Team) -> Vec<(String, String)> {
    vec![
        ("name".to_owned(), team.name.clone()),
        ("department".to_owned(), team.department_id.clone()),
    ]
}

/// Teams, found by name, in the default department before any other.
///
/// # Errors
/// What ends the unit.
pub async fn teams(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let mut known = all(desk).await?;
    known.sort_by_key(|team| team.department_id != desk.state.department);
    for (item, team) in each::<Source>(cx, items) {
        let name = name_or_id(item.entry(), &team.name);
        // One of this run may be what an earlier attempt made: then it is looked up as such.
        let lost = |team: &Team| {
            item.in_doubt_since.is_some() && is_of_run(cx, team.description.as_deref())
        };
        let same = known.iter().find(|t| is_called(t, name) && !lost(t));
        let existing = item.certain().map(|c| c.target_id.clone());
        if let Some(id) = existing.or_else(|| same.map(|team| team.id.clone())) {
            let main = effect("main", "team", id, Action::Matched);
            report(cx, item, Status::Matched, vec![main], Vec::new());
            continue;
        }
        match make_team(desk, item, team, name).await? {
            Ok((team, main)) => {
                known.push(team);
                report(cx, item, status_of(main.action), vec![main], Vec::new());
            }
            Err(Ok(status)) => report(cx, item, status, Vec::new(), Vec::new()),
            Err(Err(refusal)) if matches!(refusal.status, 403 | 422) => {
                let note =
                    "the department, or the edition, takes no teams: the source card names it";
                let losses = vec![loss("team", Fidelity::Converted, note)];
                let status = Status::Exported(exported_as(&Kind::Team));
                report(cx, item, status, Vec::new(), losses);
            }
            Err(Err(refusal)) => reject(cx, item, refusal.rejection()),
        }
    }
    Ok(())
}

async fn make_team(
    desk: &Desk,
    item: &Item,
    team: &Source,
    name: &str,
) -> Result<Result<(Team, Effect), Result<Status, Refusal>>, Error> {
    let cx = &desk.cx;
    let marker = description_marker(cx, &item.marker);
    let description = match &team.description {
        Some(words) => format!("{words}\n{marker}"),
        None => marker,
    };
    let department = &desk.state.department;
    let body = json!({
        "name": name, "description": description, "departmentId": department, "agents": [],
        "roles": [], "rolesWithSubordinates": [], "subTeams": [],
    });
    let request = desk.once("POST", "/teams", key(&item.key, "main", "create"));
    let same = |team: &Team| is_called(team, name) && team.department_id == *department;
    let find = async || Ok(all(desk).await?.into_iter().find(same));
    let ours = |team: &Team| is_of_run(cx, team.description.as_deref());
    let since = item.in_doubt_since;
    Ok(
        match WRITES.make(since, request.json(&body), find, ours).await? {
            Creation::There(team, proof, key) => {
                // No team had the name when this unit began, where it is not in doubt (rule D-4).
                let absent = since.is_none().then_some(Proof::AbsentBefore);
                let mut main = made("main", "team", &team.id, proof.or(absent), key);
                main.fingerprint = Some(map::print(&team_facets(&team)));
                Ok((team, main))
            }
            Creation::Refused(refusal) => Err(Err(refusal)),
            Creation::Unsettled => Err(Ok(Status::Unsettled(
                "a team whose creation was not answered".to_owned(),
            ))),
        },
    )
}

// ---- agents

/// Everybody who works here.
///
/// # Errors
/// What ends the unit.
pub async fn staff(desk: &Desk) -> Result<Vec<Agent>, Error> {
    desk.list("/agents").await
}

/// The address of an agent in the form in which addresses are compared.
pub fn address_of(agent: &Agent) -> Option<String> {
    agent.email_id.as_deref().and_then(map::email)
}

/// What became of an agent, before the teams are known.
struct Draft<'a> {
    item: &'a Item,
    effects: Vec<Effect>,
    losses: Vec<Loss>,
}

/// Agents, matched by e-mail.
///
/// # Errors
/// What ends the unit.
pub async fn agents(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let staff = staff(desk).await?;
    let by_email: BTreeMap<String, &Agent> = staff
        .iter()
        .filter(|agent| agent.is_active())
        .filter_map(|agent| Some((address_of(agent)?, agent)))
        .collect();
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut wanted: BTreeMap<&str, Vec<(usize, String)>> = BTreeMap::new();
    for (item, agent) in each::<types::Agent>(cx, items) {
        let mut losses = losses_of(item, agent);
        let email = agent.email.as_deref().and_then(map::email);
        let existing = item.certain().map(|c| c.target_id.clone());
        let found = existing.or_else(|| {
            let agent = by_email.get(email.as_ref()?)?;
            Some(agent.id.clone())
        });
        let main = match found {
            Some(id) => {
                for team in agent.teams.iter().filter_map(own_target) {
                    wanted
                        .entry(team)
                        .or_default()
                        .push((drafts.len(), id.clone()));
                }
                effect("main", "agent", id, Action::Matched)
            }
            None => {
                let note = "no active agent with this address: a stand-in writes for him and texts name him";
                losses.push(loss("agent", Fidelity::Converted, note));
                let name = name_or_id(item.entry(), &agent.name);
                let stand_in = placeholder(&desk.state.stand_in, name);
                effect("main", "placeholder", stand_in, Action::Matched)
            }
        };
        drafts.push(Draft {
            item,
            effects: vec![main],
            losses,
        });
    }
    if desk.config.team_members && !wanted.is_empty() {
        let teams = all(desk).await?;
        for (id, members) in wanted {
            // Nobody is added to a team that is somebody else's.
            let ours = |team: &&Team| team.id == id && is_of_run(cx, team.description.as_deref());
            match teams.iter().find(ours) {
                Some(team) => join(desk, team, &members, &staff, &mut drafts).await?,
                None => {
                    let note = "the team was there before: nobody is added to it";
                    for (at, _) in members {
                        lose(&mut drafts, at, Fidelity::Converted, note);
                    }
                }
            }
        }
    }
    for draft in drafts {
        let added = draft.effects.len() > 1;
        let status = if added {
            Status::Updated
        } else {
            Status::Matched
        };
        report(cx, draft.item, status, draft.effects, draft.losses);
    }
    Ok(())
}

fn lose(drafts: &mut [Draft<'_>], at: usize, how: Fidelity, note: &'static str) {
    if let Some(draft) = drafts.get_mut(at) {
        draft.losses.push(loss("agent.teams", how, note));
    }
}

/// What of an agent has no place: rights and looks are the account's own.
fn losses_of(item: &Item, agent: &types::Agent) -> Vec<Loss> {
    let mut losses = looks_lost(agent, "rights and looks of agents are the account's own");
    losses.extend(fields_lost(item.entry(), "agents are not written to"));
    losses
}

/// Adds agents to a team, whose list of them is written whole. Only who belongs to the team's department can be in it.
async fn join(
    desk: &Desk,
    team: &Team,
    members: &[(usize, String)],
    staff: &[Agent],
    drafts: &mut [Draft<'_>],
) -> Result<(), Error> {
    let belongs = |id: &str| {
        let of_id = staff.iter().find(|agent| agent.id == id);
        of_id.is_some_and(|agent| {
            let departments = &agent.associated_department_ids;
            departments.is_empty() || departments.contains(&team.department_id)
        })
    };
    let there: BTreeSet<&str> = team.agents.iter().map(String::as_str).collect();
    // Two agents of the source can be one here.
    let mut each: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, id) in members {
        if belongs(id) {
            each.entry(id).or_insert(*at);
        } else {
            let note = "the agent does not belong to the team's department";
            lose(drafts, *at, Fidelity::Lost, note);
        }
    }
    let added: BTreeSet<&str> = each
        .keys()
        .copied()
        .filter(|id| !there.contains(id))
        .collect();
    let part = format!("member:{}", team.id);
    let path = format!("/teams/{}", team.id);
    if !added.is_empty() {
        let all: BTreeSet<&str> = there.union(&added).copied().collect();
        let body = json!({"agents": all});
        let request = |step: &str| {
            let key = key("*", format!("members:{}", team.id), step);
            desk.idempotent("PATCH", path.clone(), key).json(&body)
        };
        let read = async || desk.find::<Team>(&path).await;
        let is_done = |team: &Team| added.iter().all(|id| team.agents.iter().any(|a| a == id));
        let done = WRITES.change(&desk.cx, request, read, is_done).await?;
        for (id, at) in each.iter().filter(|(id, _)| added.contains(*id)) {
            match &done {
                Changed::Done(_, key) => {
                    // The agent was not among them right before, in this unit (rule D-4).
                    let proof = Some(Proof::AbsentBefore);
                    let target = member_target(&team.id, id);
                    if let Some(draft) = drafts.get_mut(*at) {
                        let member = made(&part, "team_member", target, proof, key.clone());
                        draft.effects.push(member);
                    }
                }
                Changed::Refused(_) | Changed::Unknown => {
                    lose(
                        drafts,
                        *at,
                        Fidelity::Lost,
                        "the team did not take its member",
                    );
                }
            }
        }
    }
    // An earlier attempt may have added those that are there: the team is this run's, so nobody else did.
    for (id, at) in each.iter().filter(|(id, _)| there.contains(*id)) {
        if let Some(draft) = drafts.get_mut(*at)
            && draft.item.in_doubt_since.is_some()
        {
            let target = member_target(&team.id, id);
            draft.effects.push(Effect {
                proof: Some(Proof::Marker(desk.cx.run().to_owned())),
                ..effect(&part, "team_member", target, Action::Created)
            });
        }
    }
    Ok(())
}

/// An agent's place in a team as effects name it: `7/42`.
pub fn member_target(team: &str, agent: &str) -> String {
    format!("{team}/{agent}")
}

// ---- brands

/// All departments that are in use.
///
/// # Errors
/// What ends the unit.
pub async fn departments(desk: &Desk) -> Result<Vec<Department>, Error> {
    let all: Vec<Department> = desk.list("/departments?isEnabled=true").await?;
    let used = all.into_iter().filter(|one| one.is_enabled != Some(false));
    Ok(used.collect())
}

/// What of a department is compared before an undo.
pub fn department_facets(department: &Department) -> Vec<(String, String)> {
    vec![("name".to_owned(), department.name.clone())]
}

/// Brands as departments, found by name. One is made only where the settings say so, since none can be deleted (Zoho Desk facts
/// §7.4).
///
/// # Errors
/// What ends the unit.
pub async fn brands(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let mut known = departments(desk).await?;
    for (item, brand) in each::<types::Brand>(cx, items) {
        let called =
            |one: &Department| one.name.trim().to_lowercase() == brand.name.trim().to_lowercase();
        let lost = |one: &Department| {
            item.in_doubt_since.is_some() && is_of_run(cx, one.description.as_deref())
        };
        if let Some(found) = known.iter().find(|one| called(one) && !lost(one)) {
            let main = effect("main", "department", &found.id, Action::Matched);
            report(cx, item, Status::Matched, vec![main], Vec::new());
            continue;
        }
        if !desk.config.create_departments || brand.name.trim().is_empty() {
            let note = "no department of that name: its tickets are in the default one, and the source card names the brand";
            let losses = vec![loss("brand.name", Fidelity::Converted, note)];
            let status = Status::Exported(exported_as(&Kind::Brand));
            report(cx, item, status, Vec::new(), losses);
            continue;
        }
        let agents: BTreeSet<&str> =
            BTreeSet::from([desk.state.me.as_str(), desk.state.stand_in.as_str()]);
        let body = json!({
            "name": brand.name.trim(), "description": description_marker(cx, &item.marker),
            "associatedAgentIds": agents, "isVisibleInCustomerPortal": false, "isAssignToTeamEnabled": true,
        });
        let request = desk.once("POST", "/departments", key(&item.key, "main", "create"));
        let find = async || Ok(departments(desk).await?.into_iter().find(called));
        let ours = |one: &Department| is_of_run(cx, one.description.as_deref());
        let since = item.in_doubt_since;
        match WRITES.make(since, request.json(&body), find, ours).await? {
            Creation::There(found, proof, key) => {
                let absent = since.is_none().then_some(Proof::AbsentBefore);
                let mut main = made("main", "department", &found.id, proof.or(absent), key);
                main.fingerprint = Some(map::print(&department_facets(&found)));
                report(cx, item, status_of(main.action), vec![main], Vec::new());
                known.push(found);
            }
            Creation::Refused(refusal) => reject(cx, item, refusal.rejection()),
            Creation::Unsettled => {
                let why = "a department whose creation was not answered";
                unsettled(cx, item, why, Vec::new());
            }
        }
    }
    Ok(())
}
