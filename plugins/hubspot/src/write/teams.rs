//! Teams and agents, which are the account's own.
//!
//! Teams are matched by name; they cannot be made by a stable API (HubSpot facts §4). Agents are matched to owners by e-mail
//! address (HubSpot facts §15); none is made, since a user takes a seat and is mailed an invitation. Who is no owner is reported
//! as a placeholder, so that texts name him, with the owner who stands in where the settings name one.

use std::collections::BTreeMap;

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Status};
use transload_sdk::people::{fields_lost, looks_lost};
use transload_sdk::types::{self, Agent, Error, Fidelity, Loss};

use super::{effect, export, report};
use crate::api::{Owner, Team};
use crate::client;
use crate::map::{self, loss};
use crate::state::State;

/// What effects call a team.
pub const TEAM: &str = "team";
/// What effects call an owner.
pub const OWNER: &str = "owner";

/// The account's teams; none where the credential may not see them.
///
/// # Errors
/// What ends the unit.
pub async fn teams_of(cx: &Context) -> Result<Vec<Team>, Error> {
    match client::list(cx, "/settings/v3/users/teams").await {
        Err(Error::Permission(_)) => Ok(Vec::new()),
        teams => teams,
    }
}

/// The account's owners, present or archived.
///
/// # Errors
/// What ends the unit.
pub async fn owners(cx: &Context, archived: bool) -> Result<Vec<Owner>, Error> {
    let path = format!("{}?limit=500&archived={archived}", client::owners());
    client::list(cx, &path).await
}

/// Owners by lower-case address.
pub fn by_email(owners: Vec<Owner>) -> BTreeMap<String, Owner> {
    let mut found = BTreeMap::new();
    for owner in owners {
        if let Some(email) = owner.email.as_deref().and_then(map::email) {
            found.entry(email).or_insert(owner);
        }
    }
    found
}

/// Teams, found by name.
///
/// # Errors
/// What ends the unit.
pub async fn teams(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let known = teams_of(cx).await?;
    let plain = |name: &str| name.trim().to_lowercase();
    for (item, team) in each::<types::Team>(cx, items) {
        let existing = item.existing.as_ref().map(|found| found.target_id.clone());
        let found = existing.or_else(|| {
            let same = known
                .iter()
                .find(|one| plain(&one.name) == plain(&team.name));
            same.map(|one| one.id.clone())
        });
        match found {
            Some(id) => {
                let main = effect("main", TEAM, id, Action::Matched);
                report(cx, item, Status::Matched, vec![main], Vec::new());
            }
            None => export(cx, item),
        }
    }
    Ok(())
}

/// Agents, matched by e-mail address.
///
/// # Errors
/// What ends the unit.
pub async fn agents(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let owners = by_email(owners(cx, false).await?);
    for (item, agent) in each::<Agent>(cx, items) {
        let mut losses = lost(item, agent);
        let email = agent.email.as_deref().and_then(map::email);
        let existing = item.existing.as_ref().map(|found| found.target_id.clone());
        let found = existing.or_else(|| Some(owners.get(&email?)?.id.clone()));
        let main = match found {
            Some(id) => effect("main", OWNER, id, Action::Matched),
            None => {
                let note = "no active owner with this address: texts name him";
                losses.push(loss("agent", Fidelity::Converted, note));
                let name = match agent.name.as_str() {
                    "" => item.entry().head.id.as_str(),
                    name => name,
                };
                let target = map::placeholder(&state.stand_in, name);
                effect("main", "placeholder", target, Action::Matched)
            }
        };
        report(cx, item, Status::Matched, vec![main], losses);
    }
    Ok(())
}

/// What owners have no place for: all else is the account's own.
fn lost(item: &Item, agent: &Agent) -> Vec<Loss> {
    let note = "rights, teams and looks of owners are the account's own";
    let mut losses = looks_lost(agent, note);
    if !agent.teams.is_empty() {
        losses.push(loss("agent.teams", Fidelity::Lost, note));
    }
    losses.extend(fields_lost(item.entry(), "owners have no properties"));
    losses
}
