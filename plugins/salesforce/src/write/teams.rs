//! Teams as queues, agents as users.
//!
//! A queue is a group with two kinds of rows beside it: what objects it may own, and who is in it (Salesforce facts §9.5). It has
//! no field for a marker; its developer name, which is unique, carries digests of the marker and of the run.
//!
//! Users are matched by e-mail address, else by user name. None is made: a user takes a licence and can never be deleted. Who has
//! none is reported as a placeholder, so that texts name him.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::Facts;
use transload_sdk::destination::{Item, MatchPolicy};
use transload_sdk::effects::updated;
use transload_sdk::http::{Refusal as _, RowMade, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{fields_lost, looks_lost, name_or_id};
use transload_sdk::policy;
use transload_sdk::types::{self, Entity, Error, Fidelity, Loss};

use super::schema::{Single, make_single};
use super::{choices, custom_fields, effect, made, report, sent_print, status_of};
use crate::api::{Record, id_of, text};
use crate::client::{self, ChangeRow, Changed, Row, SETTLE_MS, literal};
use crate::map::{self, loss};
use crate::state::{Config, State};

/// What effects call a queue.
pub const QUEUE: &str = "Group";
/// Characters of a queue's name.
const NAME_CHARS: usize = 40;

// ---- teams

/// The name by which a queue of this run is known again, at most 80 characters.
fn developer_name(run: &str, name: &str, marker: &str) -> String {
    let readable: String = map::api_name(name).chars().take(40).collect();
    let readable = readable.trim_end_matches('_');
    format!("{readable}_{}{}", map::short_hash(marker), of_run(run))
}

/// How the developer name of a queue of a run ends.
fn of_run(run: &str) -> String {
    format!("_r{}", map::short_hash(run))
}

/// The queues that are there.
///
/// # Errors
/// What ends the unit.
pub async fn queues(cx: &Context) -> Result<Vec<Record>, Error> {
    client::query(
        cx,
        "SELECT Id, Name, DeveloperName FROM Group WHERE Type = 'Queue'",
    )
    .await
}

/// Teams as queues for cases, found by name.
///
/// # Errors
/// What ends the unit.
pub async fn teams(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let mut known = queues(cx).await?;
    for (item, team) in each::<types::Team>(cx, items) {
        let mut losses = Vec::new();
        if team.description.is_some() {
            let note = "queues have no description";
            losses.push(loss("team.description", Fidelity::Lost, note));
        }
        let whole = name_or_id(item.entry(), &team.name);
        let name: String = whole.chars().take(NAME_CHARS).collect();
        if name != whole {
            let note = "names of queues have 40 characters";
            losses.push(loss("team.name", Fidelity::Converted, note));
        }
        let developer = developer_name(cx.run(), &name, &item.marker);
        // One of this run may be what an earlier attempt made: then it is looked up as such.
        let lost = |queue: &Record| {
            item.in_doubt_since.is_some() && text(queue, "DeveloperName") == developer
        };
        let same = |queue: &&Record| text(queue, "Name") == name && !lost(queue);
        let matched = match &item.existing {
            Some(candidate) => Some(candidate.target_id.clone()),
            None => known.iter().find(same).map(id_of),
        };
        if let Some(id) = matched {
            let main = effect("main", QUEUE, id, Action::Matched);
            report(cx, item, Status::Matched, vec![main], losses);
            continue;
        }
        if !config.queues {
            let note = "no queue of that name, and none is made: its cases are owned by users";
            losses.push(loss("team", Fidelity::Lost, note));
            let status = Status::Skipped("`queues` is off".to_owned());
            report(cx, item, status, Vec::new(), losses);
            continue;
        }
        match new_queue(cx, item, &name, &developer).await? {
            Ok(effects) => {
                if let Some(main) = effects.first() {
                    let mut queue = Record::new();
                    queue.insert("Id".to_owned(), json!(main.target_id));
                    queue.insert("Name".to_owned(), json!(name));
                    queue.insert("DeveloperName".to_owned(), json!(developer));
                    known.push(queue);
                }
                let status = effects
                    .first()
                    .map_or(Status::Matched, |main| status_of(main.action));
                report(cx, item, status, effects, losses);
            }
            Err((status, effects)) => report(cx, item, status, effects, losses),
        }
    }
    Ok(())
}

/// What an item came to before it failed: its status, and what is there of it.
type Broken = (Status, Vec<Effect>);

async fn new_queue(
    cx: &Context,
    item: &Item,
    name: &str,
    developer: &str,
) -> Result<Result<Vec<Effect>, Broken>, Error> {
    // Members are not mailed when a case comes into it (Salesforce facts §14).
    let body = json!({
        "Name": name, "DeveloperName": developer, "Type": "Queue", "DoesSendEmailToMembers": false,
    });
    let find = async || {
        let soql = format!(
            "SELECT Id FROM Group WHERE Type = 'Queue' AND DeveloperName = {}",
            literal(developer)
        );
        let rows = client::query(cx, &soql).await?;
        Ok(rows.first().map(id_of))
    };
    let group = Single {
        object: QUEUE,
        item: &item.key,
        part: "main",
        body: &body,
    };
    let mut main = match make_single(cx, &group, item.in_doubt_since, find, true).await? {
        Ok(main) => main,
        Err(status) => return Ok(Err((status, Vec::new()))),
    };
    let mut sent = Map::new();
    sent.insert("Name".to_owned(), json!(name));
    main.fingerprint = Some(sent_print(&sent));
    let id = main.target_id.clone();
    let body = json!({"QueueId": id, "SobjectType": "Case"});
    let find = async || {
        let soql = format!(
            "SELECT Id FROM QueueSobject WHERE QueueId = {} AND SobjectType = 'Case'",
            literal(&id)
        );
        let rows = client::query(cx, &soql).await?;
        Ok(rows.first().map(id_of))
    };
    let cases = Single {
        object: "QueueSobject",
        item: &item.key,
        part: "cases",
        body: &body,
    };
    Ok(
        match make_single(cx, &cases, item.in_doubt_since, find, true).await? {
            Ok(cases) => Ok(vec![main, cases]),
            Err(status) => Err((status, vec![main])),
        },
    )
}

// ---- agents

/// Users who can be somebody's, by lower-case address and by lower-case user name.
///
/// # Errors
/// What ends the unit.
pub async fn users_of(
    cx: &Context,
    emails: &BTreeSet<String>,
) -> Result<BTreeMap<String, Record>, Error> {
    let select = "SELECT Id, Name, Email, Username, IsActive FROM User";
    let and = Some("IsActive = true AND UserType = 'Standard'");
    let mut found = BTreeMap::new();
    // An address says more than a name that looks like one.
    for field in ["Email", "Username"] {
        let open: BTreeSet<String> = emails
            .iter()
            .filter(|email| !found.contains_key(*email))
            .cloned()
            .collect();
        for user in client::query_in(cx, select, field, &open, and).await? {
            let of = text(&user, field).to_lowercase();
            found.entry(of).or_insert(user);
        }
    }
    Ok(found)
}

/// The addresses of a batch of agents.
pub fn emails(items: &[Item]) -> BTreeSet<String> {
    let email = |item: &Item| match &item.entry().data {
        Entity::Agent(agent) => agent.email.as_deref().and_then(map::email),
        _ => None,
    };
    items.iter().filter_map(email).collect()
}

/// Agents, matched by e-mail address.
///
/// # Errors
/// What ends the unit.
pub async fn agents(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let users = users_of(cx, &emails(items)).await?;
    let choices = choices(cx, "User", items).await?;
    let mut pending = Vec::new();
    for (item, agent) in each::<types::Agent>(cx, items) {
        let mut losses = looks_lost(agent, "rights and looks of users are the org's own");
        let email = agent.email.as_deref().and_then(map::email);
        let existing = item.existing.as_ref().map(|c| c.target_id.clone());
        let found = existing.or_else(|| Some(id_of(users.get(&email?)?)));
        let Some(id) = found else {
            let main = placeholder(&state, item, agent, &mut losses);
            report(cx, item, Status::Matched, vec![main], losses);
            continue;
        };
        let mut wanted = Map::new();
        let mut misfits = Vec::new();
        let own = &item.entry().head.fields;
        // A user has no source card: what has no field is lost, and said so.
        custom_fields(
            "User",
            own,
            &choices,
            &mut wanted,
            &mut Facts::default(),
            &mut misfits,
        );
        let lost = |misfit: Loss| loss(misfit.field, Fidelity::Lost, "has no field that takes it");
        losses.extend(misfits.into_iter().map(lost));
        pending.push(Pending {
            item,
            object: "User",
            id,
            wanted,
            losses,
            effects: Vec::new(),
            policy: item.policy,
        });
    }
    if config.queue_members {
        join(cx, items, &mut pending).await?;
    }
    update(cx, pending).await
}

/// Who has no user: the stand-in, and his name.
fn placeholder(state: &State, item: &Item, agent: &types::Agent, losses: &mut Vec<Loss>) -> Effect {
    let note = "no active user with this address: a stand-in writes for him and texts name him";
    losses.push(loss("agent", Fidelity::Converted, note));
    let nobody = "the agent has no user that could hold it";
    losses.extend(fields_lost(item.entry(), nobody));
    let name = match agent.name.as_str() {
        "" => item.entry().head.id.as_str(),
        name => name,
    };
    effect(
        "main",
        "placeholder",
        map::placeholder(&state.stand_in, name),
        Action::Matched,
    )
}

/// Puts users into the queues of their teams, those that this run made: who is in the org's own queues is the org's business.
async fn join(cx: &Context, items: &[Item], pending: &mut [Pending<'_>]) -> Result<(), Error> {
    let wants_any = items
        .iter()
        .any(|item| matches!(&item.entry().data, Entity::Agent(agent) if !agent.teams.is_empty()));
    if !wants_any {
        return Ok(());
    }
    let end = of_run(cx.run());
    let ours: BTreeSet<String> = queues(cx)
        .await?
        .iter()
        .filter(|queue| text(queue, "DeveloperName").ends_with(&end))
        .map(id_of)
        .collect();
    let mut wanted: Vec<(usize, String, String)> = Vec::new();
    for (at, one) in pending.iter().enumerate() {
        if let Entity::Agent(agent) = &one.item.entry().data {
            let teams = agent.teams.iter().filter_map(map::own_target);
            let teams = teams.filter(|team| ours.contains(*team));
            wanted.extend(teams.map(|team| (at, one.id.clone(), team.to_owned())));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let first = items
        .first()
        .map(|item| item.key.clone())
        .unwrap_or_default();
    let batch = format!("members:{first}");
    let mut was_there = BTreeMap::new();
    for (number, step) in ["create", "create~2", "create~3"].into_iter().enumerate() {
        let there = members(cx, &ours).await?;
        if number == 0 {
            was_there.clone_from(&there);
        }
        let in_doubt = |at: usize| {
            pending
                .get(at)
                .is_some_and(|one: &Pending<'_>| one.item.in_doubt_since.is_some())
        };
        // What appeared since this unit began to look, and what an earlier attempt left in a queue of ours, is ours.
        let found: Vec<(usize, Effect)> = wanted
            .iter()
            .filter_map(|(at, user, queue)| {
                let pair = (user.clone(), queue.clone());
                let id = there.get(&pair)?;
                let fresh = !was_there.contains_key(&pair);
                if !fresh && !in_doubt(*at) {
                    return None;
                }
                let proof = if fresh {
                    Proof::AbsentBefore
                } else {
                    Proof::Marker(cx.run().to_owned())
                };
                let part = format!("member:{queue}");
                let key = key("*", batch.clone(), "create");
                Some((
                    *at,
                    made(&part, "GroupMember", id.clone(), Some(proof), key),
                ))
            })
            .collect();
        for (at, effect) in found {
            if let Some(one) = pending.get_mut(at) {
                one.effects.push(effect);
            }
        }
        wanted.retain(|(_, user, queue)| !there.contains_key(&(user.clone(), queue.clone())));
        if wanted.is_empty() {
            return Ok(());
        }
        let mut doubt = false;
        for wanted in wanted.chunks(client::ROWS) {
            let rows: Vec<Row> = wanted.iter().map(|w| member_row(pending, w)).collect();
            for ((at, _, queue), saved) in wanted
                .iter()
                .zip(client::insert_once(cx, &batch, step, &rows).await?)
            {
                let Some(one) = pending.get_mut(*at) else {
                    continue;
                };
                match saved {
                    RowMade::Done { id, key, .. } => {
                        let part = format!("member:{queue}");
                        let proof = Some(Proof::AbsentBefore);
                        one.effects.push(made(&part, "GroupMember", id, proof, key));
                    }
                    RowMade::Refused(_) => {
                        let note = "the user could not be put into the queue of his team";
                        one.losses.push(loss("agent.teams", Fidelity::Lost, note));
                    }
                    RowMade::Doubt(..) => doubt = true,
                }
            }
        }
        if !doubt {
            return Ok(());
        }
        cx.sleep(SETTLE_MS).await;
    }
    Ok(())
}

fn member_row(pending: &[Pending<'_>], (at, user, queue): &(usize, String, String)) -> Row {
    let mut values = Map::new();
    values.insert("GroupId".to_owned(), json!(queue));
    values.insert("UserOrGroupId".to_owned(), json!(user));
    Row {
        item: pending
            .get(*at)
            .map(|one| one.item.key.clone())
            .unwrap_or_default(),
        part: format!("member:{queue}"),
        object: "GroupMember".to_owned(),
        values,
    }
}

/// Who is in these queues: the row's id, by user and queue.
async fn members(
    cx: &Context,
    queues: &BTreeSet<String>,
) -> Result<BTreeMap<(String, String), String>, Error> {
    let select = "SELECT Id, GroupId, UserOrGroupId FROM GroupMember";
    let rows = client::query_in(cx, select, "GroupId", queues, None).await?;
    let pair = |row: &Record| {
        let user = crate::api::id18(text(row, "UserOrGroupId"));
        let queue = crate::api::id18(text(row, "GroupId"));
        ((user, queue), id_of(row))
    };
    Ok(rows.iter().map(pair).collect())
}

// ---- changing what was there

/// A record that was there and may be changed, as its policy allows (rule M-7).
#[derive(Debug)]
pub struct Pending<'a> {
    /// The item.
    pub item: &'a Item,
    /// `Contact` …
    pub object: &'a str,
    /// Which record.
    pub id: String,
    /// What the source has.
    pub wanted: Map<String, Value>,
    /// What becomes of the rest.
    pub losses: Vec<Loss>,
    /// What was done beside it.
    pub effects: Vec<Effect>,
    /// Of the item, or stricter.
    pub policy: MatchPolicy,
}

/// Reads all of them, changes what their policies allow, and reports each.
///
/// # Errors
/// What ends the unit.
pub async fn update(cx: &Context, pending: Vec<Pending<'_>>) -> Result<(), Error> {
    let mut by_object: BTreeMap<&str, (BTreeSet<String>, BTreeSet<&str>)> = BTreeMap::new();
    for one in pending.iter().filter(|one| !one.wanted.is_empty()) {
        let (ids, names) = by_object.entry(one.object).or_default();
        ids.insert(one.id.clone());
        names.extend(one.wanted.keys().map(String::as_str));
    }
    let mut there: BTreeMap<String, Record> = BTreeMap::new();
    for (object, (ids, names)) in by_object {
        let names: Vec<&str> = ["Id"].into_iter().chain(names).collect();
        there.extend(client::retrieve(cx, object, &ids, &names).await?);
    }
    let mut rows = Vec::new();
    let mut changes = Vec::with_capacity(pending.len());
    for one in &pending {
        let before = there.get(&one.id).cloned().map(Value::Object);
        let change =
            before.map(|before| policy::changes(one.policy, &changeable(one, &before), &before));
        if let Some(change) = change.as_ref().filter(|change| !change.wanted.is_empty()) {
            rows.push(ChangeRow {
                item: one.item.key.clone(),
                part: "main".to_owned(),
                object: one.object.to_owned(),
                id: one.id.clone(),
                values: change.wanted.clone(),
            });
        }
        changes.push(change);
    }
    let first = rows.first().map(|row| row.item.clone()).unwrap_or_default();
    let mut done = client::change(cx, &format!("update:{first}"), &rows)
        .await?
        .into_iter();
    for (one, change) in pending.into_iter().zip(changes) {
        let main = effect("main", one.object, one.id.clone(), Action::Matched);
        let mut losses = one.losses;
        if one.policy == MatchPolicy::Leave && !one.wanted.is_empty() {
            let kind = one.item.entry().head.kind.word().to_owned();
            let note = "the record that is there was left as it is";
            losses.push(loss(kind, Fidelity::Lost, note));
        }
        let main = match change {
            None if one.wanted.is_empty() => Ok(main),
            None => Err(Status::Rejected(Error::Conflict(
                "the record that was matched is gone".to_owned(),
            ))),
            Some(change) if change.wanted.is_empty() => Ok(main),
            Some(change) => match done.next() {
                Some(Changed::Done(key)) => {
                    let print = sent_print(&change.wanted);
                    Ok(updated(main, key, change.before, print))
                }
                Some(Changed::Refused(fault)) => Err(Status::Rejected(fault.rejection())),
                Some(Changed::Unsettled) | None => Err(Status::Unsettled(
                    "a change whose answer was not seen".to_owned(),
                )),
            },
        };
        let mut effects = one.effects;
        let status = match main {
            Ok(main) => {
                let changed = effects.iter().any(|e| e.action != Action::Matched);
                let status = match main.action {
                    Action::Matched if changed => Status::Updated,
                    action => status_of(action),
                };
                effects.insert(0, main);
                status
            }
            Err(status) => status,
        };
        report(cx, one.item, status, effects, losses);
    }
    Ok(())
}

/// What may be changed at all: which run made a record is never said of one that was there, and a marker of somebody else's is
/// never replaced.
fn changeable(one: &Pending<'_>, before: &Value) -> Map<String, Value> {
    let mut wanted = one.wanted.clone();
    wanted.remove(crate::fields::RUN);
    let marked = before.get(crate::fields::SOURCE_ID);
    if marked.is_some_and(|value| !policy::is_empty(value)) {
        wanted.remove(crate::fields::SOURCE_ID);
    }
    wanted
}
