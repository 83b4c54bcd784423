//! Agents and teams as users and teams.
//!
//! Users are the account's own: one is matched by e-mail, and made only where the settings say so, since Gorgias invites by mail
//! whom it gets (Gorgias facts §8). Whoever has none is stood in for, and every text of theirs names them.

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{
    description_marker, effect, is_of_run as is_described, made, print, reject, report, status_of,
};
use transload_sdk::http::{Refusal as _, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::people::{email, fields_lost, looks_lost, name_or_id};
use transload_sdk::types::{self, Agent, Error, Fidelity};
use transload_sdk::words::placeholder;

use super::{Creation, WRITES, is_of_run};
use crate::api::{Team, User};
use crate::client;
use crate::map;
use crate::state::{Config, State};

/// Everybody who can sign in, and bots.
///
/// # Errors
/// What ends the unit.
pub async fn users(cx: &Context) -> Result<Vec<User>, Error> {
    client::list(cx, "/users").await
}

/// Whether a user is a person who can be written for.
pub fn is_staff(user: &User) -> bool {
    user.active != Some(false) && user.role.name != "bot"
}

/// The user with an address.
pub fn by_email<'u>(users: &'u [User], wanted: &str) -> Option<&'u User> {
    let wanted = email(wanted)?;
    let same = |user: &&User| user.email.as_deref().and_then(email).as_ref() == Some(&wanted);
    users.iter().find(same)
}

/// What of a user is compared before an undo.
pub fn user_facets(user: &User) -> Vec<(String, String)> {
    vec![
        ("name".to_owned(), user.name.clone()),
        ("email".to_owned(), user.email.clone().unwrap_or_default()),
    ]
}

/// What of a team is compared before an undo: its name, and who is in it.
pub fn team_facets(team: &Team) -> Vec<(String, String)> {
    let mut members: Vec<String> = team.members.iter().map(|who| who.id.to_string()).collect();
    members.sort();
    vec![
        ("name".to_owned(), team.name.clone()),
        ("members".to_owned(), members.join(",")),
    ]
}

/// Agents.
///
/// # Errors
/// What ends the unit.
pub async fn agents(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let users = users(cx).await?;
    for (item, agent) in each::<Agent>(cx, items) {
        let mut losses = looks_lost(agent, "rights and looks of agents are the account's own");
        losses.extend(fields_lost(item.entry(), "users of Gorgias have no fields"));
        let address = agent.email.as_deref();
        let found = address.and_then(|address| by_email(&users, address));
        // One of this run may be what an earlier attempt made: then it is looked up as such.
        let found =
            found.filter(|user| item.in_doubt_since.is_none() || !is_of_run(cx, &user.meta));
        let existing = item.certain().map(|candidate| candidate.target_id.clone());
        let matched = existing.or_else(|| found.map(|user| user.id.to_string()));
        let main = match (matched, address.and_then(email)) {
            (Some(id), _) => effect("main", "user", id, Action::Matched),
            (None, Some(address)) if config.create_agents => {
                match make(cx, &config, item, agent, &address).await? {
                    Ok(effect) => effect,
                    Err(status) => {
                        report(cx, item, status, Vec::new(), losses);
                        continue;
                    }
                }
            }
            (None, _) => {
                let note =
                    "no user with this address: a stand-in writes for them and texts name them";
                losses.push(loss("agent", Fidelity::Converted, note));
                let name = name_or_id(item.entry(), &agent.name);
                let target = placeholder(state.stand_in, name);
                effect("main", "placeholder", target, Action::Matched)
            }
        };
        report(cx, item, status_of(main.action), vec![main], losses);
    }
    Ok(())
}

async fn make(
    cx: &Context,
    config: &Config,
    item: &Item,
    agent: &Agent,
    address: &str,
) -> Result<Result<Effect, Status>, Error> {
    let name = match agent.name.trim() {
        "" => address,
        _ => agent.name.as_str(),
    };
    let body = json!({
        "email": address, "name": name, "role": {"name": config.agent_role},
        "external_id": map::external_id(&item.marker), "meta": {"transload_run": cx.run()},
    });
    let request = cx
        .http()
        .write("POST", "/users", key(&item.key, "main", "create"))
        .json(&body);
    let find = async || {
        let path = format!("/users?email={}", segment(address));
        let found: Vec<User> = client::list(cx, &path).await?;
        Ok(by_email(&found, address).cloned())
    };
    let ours = |user: &User| is_of_run(cx, &user.meta);
    Ok(
        match WRITES
            .make(item.in_doubt_since, request, find, ours)
            .await?
        {
            Creation::There(user, proof, key) => {
                let mut main = made("main", "user", user.id.to_string(), proof, key);
                main.fingerprint = Some(print(&user_facets(&user)));
                Ok(main)
            }
            Creation::Refused(refusal) => Err(Status::Rejected(refusal.rejection())),
            Creation::Unsettled => Err(Status::Unsettled(
                "a user whose creation was not answered".to_owned(),
            )),
        },
    )
}

/// Teams, found by name; a new one gets its members at once.
///
/// # Errors
/// What ends the unit.
pub async fn teams(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let mut teams: Vec<Team> = client::list(cx, "/teams").await?;
    for (item, team) in each::<types::Team>(cx, items) {
        let name = name_or_id(item.entry(), &team.name);
        let lost = |team: &Team| {
            item.in_doubt_since.is_some() && is_described(cx, team.description.as_deref())
        };
        let found = teams.iter().find(|team| team.name == name && !lost(team));
        let members: Vec<u64> = team.members.iter().filter_map(map::user).collect();
        let mut losses = Vec::new();
        if members.len() < team.members.len() {
            let note = "who has no user here is not in the team";
            losses.push(loss("team.members", Fidelity::Converted, note));
        }
        let existing = item.certain().map(|candidate| candidate.target_id.clone());
        if let Some(id) = existing.or_else(|| found.map(|team| team.id.to_string())) {
            if !members.is_empty() {
                let note = "the team that is there keeps its own";
                losses.push(loss("team.members", Fidelity::Lost, note));
            }
            let main = effect("main", "team", id, Action::Matched);
            report(cx, item, Status::Matched, vec![main], losses);
            continue;
        }
        let marker = description_marker(cx, &item.marker);
        let description = match &team.description {
            Some(words) => format!("{words}\n{marker}"),
            None => marker,
        };
        let members: Vec<_> = members.into_iter().map(|id| json!({"id": id})).collect();
        let body = json!({"name": name, "description": description, "members": members});
        let request = cx
            .http()
            .write("POST", "/teams", key(&item.key, "main", "create"))
            .json(&body);
        let of_run = |team: &Team| is_described(cx, team.description.as_deref());
        let find = async || {
            let all: Vec<Team> = client::list(cx, "/teams").await?;
            let of_item = |team: &Team| {
                let words = team.description.as_deref().unwrap_or_default();
                team.name == name && words.contains(&item.marker) && of_run(team)
            };
            Ok(all.into_iter().find(of_item))
        };
        match WRITES
            .make(item.in_doubt_since, request, find, of_run)
            .await?
        {
            Creation::There(team, proof, key) => {
                let mut main = made("main", "team", team.id.to_string(), proof, key);
                main.fingerprint = Some(print(&team_facets(&team)));
                teams.push(team);
                report(cx, item, status_of(main.action), vec![main], losses);
            }
            Creation::Refused(refusal) => reject(cx, item, refusal.rejection()),
            Creation::Unsettled => {
                super::unsettled(cx, item, "a team whose creation was not answered", losses);
            }
        }
    }
    Ok(())
}
