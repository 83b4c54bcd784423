//! Agents and teams: admins and teams of the workspace, which no API makes (Intercom facts §7). An agent is matched by e-mail, a team
//! by name; whoever has no seat is stood in for, and every text of theirs names them.

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, exported_as, report};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Status};
use transload_sdk::people::{email, fields_lost, looks_lost, name_or_id};
use transload_sdk::types::{self, Error, Fidelity, Kind};
use transload_sdk::words::placeholder;

use crate::api::{Admin, Named};
use crate::client;
use crate::state::State;

/// All admins.
///
/// # Errors
/// What ends the unit.
pub async fn admins(cx: &Context) -> Result<Vec<Admin>, Error> {
    client::list(cx, "/admins").await
}

/// All teams.
///
/// # Errors
/// What ends the unit.
pub async fn all_teams(cx: &Context) -> Result<Vec<Named>, Error> {
    client::list(cx, "/teams").await
}

/// The admin with an address.
pub fn by_email<'a>(admins: &'a [Admin], wanted: &str) -> Option<&'a Admin> {
    let wanted = email(wanted)?;
    let same = |admin: &&Admin| admin.email.as_deref().and_then(email).as_ref() == Some(&wanted);
    admins.iter().find(same)
}

/// What is known of an admin, for a candidate.
pub fn as_json(admin: &Admin) -> String {
    json!({"id": admin.id, "name": admin.name, "email": admin.email}).to_string()
}

/// Agents.
///
/// # Errors
/// What ends the unit.
pub async fn agents(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let admins = admins(cx).await?;
    for (item, agent) in each::<types::Agent>(cx, items) {
        let looks = "rights and looks of admins are the workspace's own";
        let mut losses = looks_lost(agent, looks);
        losses.extend(fields_lost(
            item.entry(),
            "admins of Intercom have no attributes",
        ));
        let found = agent
            .email
            .as_deref()
            .and_then(|email| by_email(&admins, email));
        let existing = item.certain().map(|candidate| candidate.target_id.clone());
        let main = match existing.or_else(|| found.map(|admin| admin.id.clone())) {
            Some(id) => effect("main", "admin", id, Action::Matched),
            None => {
                let note =
                    "no admin with this address: a stand-in writes for them and texts name them";
                losses.push(loss("agent", Fidelity::Converted, note));
                let name = name_or_id(item.entry(), &agent.name);
                let target = placeholder(&state.stand_in, name);
                effect("main", "placeholder", target, Action::Matched)
            }
        };
        report(cx, item, Status::Matched, vec![main], losses);
    }
    Ok(())
}

/// Teams, found by name.
///
/// # Errors
/// What ends the unit.
pub async fn teams(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let teams = all_teams(cx).await?;
    for (item, team) in each::<types::Team>(cx, items) {
        let same = |other: &&Named| other.name.trim().eq_ignore_ascii_case(team.name.trim());
        let existing = item.certain().map(|candidate| candidate.target_id.clone());
        let found = existing.or_else(|| teams.iter().find(same).map(|team| team.id.clone()));
        let mut losses = Vec::new();
        match found {
            Some(id) => {
                if !team.members.is_empty() {
                    let note = "the team that is there keeps its own";
                    losses.push(loss("team.members", Fidelity::Lost, note));
                }
                let main = effect("main", "team", id, Action::Matched);
                report(cx, item, Status::Matched, vec![main], losses);
            }
            None => {
                let note =
                    "no API makes a team: on the source card of its conversations, and exported";
                losses.push(loss("team", Fidelity::Converted, note));
                let status = Status::Exported(exported_as(&Kind::Team));
                report(cx, item, status, Vec::new(), losses);
            }
        }
    }
    Ok(())
}
