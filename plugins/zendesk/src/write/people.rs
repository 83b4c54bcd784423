//! Teams, agents, companies and customers as groups, agents, organizations and end users.
//!
//! People are matched before they are made, in the order marker, external id, e-mail, phone, and two people of the source
//! never become one user in silence (rule M-7): a later one whose address is taken keeps its own user, and the address
//! goes onto the source card. `POST /users` is not under the limit of one a second that upserts have (Zendesk facts §2).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchPolicy};
use transload_sdk::effects::{status_of, unsettled};
use transload_sdk::http::{self, Refusal as _, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{looks_lost, main_first, without_each_other};
use transload_sdk::policy::{self, canonical, is_empty};
use transload_sdk::types::{self, AddressChannel, Company, Customer, Error, Fidelity, Kind, Loss};

use super::matching;
use super::schema::{self, keyed_fields};
use super::{
    Changed, Creation, WRITES, description_marker, effect, holds, is_of_run, made, own_values,
    reject, report, tickets,
};
use crate::api::{Group, GroupMembership, Identity, Organization, Refusal, User};
use crate::card::{self, Card, fitted};
use crate::client::{self, Sent, query_list};
use crate::map::{self, COMMENT_BYTES, FieldOwner, loss};
use crate::state::{Config, State, UserImport, own_field};
use crate::words::{self, Words};

/// Users and organizations a job takes (Zendesk facts §6.1).
const BULK: usize = 100;
const CARD_CUT: &str = "the source card is cut: notes hold 60,000 bytes";
/// Names of organizations tried before a company is refused.
const NAMES: usize = 3;

/// Whether a user's or an organization's fields carry this run.
pub fn run_matches(cx: &Context, fields: &Map<String, Value>) -> bool {
    fields.get(own_field::RUN).and_then(Value::as_str) == Some(cx.run())
}

// ---- teams

/// Teams as groups, found by name (Zendesk facts §7).
///
/// # Errors
/// What ends the unit.
pub async fn teams(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let mut groups: Vec<Group> = client::list(cx, "/api/v2/groups", "groups").await?;
    groups.retain(|group| !group.deleted);
    for (item, team) in each::<types::Team>(cx, items) {
        let name = if team.name.trim().is_empty() {
            item.entry().head.id.as_str()
        } else {
            team.name.trim()
        };
        let matched = item
            .existing
            .as_ref()
            .map(|c| c.target_id.clone())
            .or_else(|| {
                // One of this run may be what an earlier attempt made: then it is looked up as such.
                let lost = |group: &Group| {
                    item.in_doubt_since.is_some() && is_of_run(cx, group.description.as_deref())
                };
                let same = |group: &&Group| group.name == name && !lost(group);
                groups.iter().find(same).map(|group| group.id.to_string())
            });
        let mut effects = Vec::new();
        let main = match matched {
            Some(id) => effect("main", "group", id, Action::Matched),
            None => {
                let marker = description_marker(cx, &item.marker);
                let description = match &team.description {
                    Some(words) => format!("{words}\n{marker}"),
                    None => marker.clone(),
                };
                let body = json!({"group": {"name": name, "description": description}});
                let request = cx
                    .http()
                    .write("POST", "/api/v2/groups", key(&item.key, "main", "create"))
                    .json(&body);
                let find = async || {
                    let all: Vec<Group> = client::list(cx, "/api/v2/groups", "groups").await?;
                    let ours =
                        |g: &Group| g.name == name && is_of_run(cx, g.description.as_deref());
                    Ok(all.into_iter().find(|g| !g.deleted && ours(g)))
                };
                let ours = |g: &Group| is_of_run(cx, g.description.as_deref());
                match WRITES
                    .of("group")
                    .make(item.in_doubt_since, request, find, ours)
                    .await?
                {
                    Creation::There(group, proof, key) => {
                        let mut main = made("main", "group", group.id.to_string(), proof, key);
                        main.fingerprint =
                            Some(map::print(&[("name".to_owned(), group.name.clone())]));
                        groups.push(group);
                        main
                    }
                    Creation::Refused(refusal) => {
                        reject(cx, item, refusal.rejection());
                        continue;
                    }
                    Creation::Unsettled => {
                        let why = "a group whose creation was not answered";
                        unsettled(cx, item, why, Vec::new());
                        continue;
                    }
                }
            }
        };
        let ours = |group: &Group| {
            group.id.to_string() == main.target_id && is_of_run(cx, group.description.as_deref())
        };
        if (main.action == Action::Created || groups.iter().any(ours))
            && config.group_memberships
            && let Ok(group) = main.target_id.parse()
        {
            // Finished tickets of this group without an agent of their own get the stand-in.
            effects.extend(join(cx, item, state.stand_in, group).await?);
        }
        let status = status_of(main.action);
        effects.insert(0, main);
        report(cx, item, status, effects, Vec::new());
    }
    Ok(())
}

/// Puts a user into a group in which he was not when this unit began to look; nothing when he cannot be.
async fn join(cx: &Context, item: &Item, user: u64, group: u64) -> Result<Option<Effect>, Error> {
    let part = format!("membership:{user}:{group}");
    let body = json!({"group_membership": {"user_id": user, "group_id": group}});
    let request = cx
        .http()
        .write(
            "POST",
            "/api/v2/group_memberships",
            key(&item.key, part.clone(), "create"),
        )
        .json(&body);
    let find = async || membership(cx, user, group).await;
    Ok(
        match WRITES
            .of("group_membership")
            .make(None, request, find, |_| false)
            .await?
        {
            Creation::There(membership, proof, key) => {
                // It carries no mark, but it was read as missing right before, in this unit (rule D-4).
                let proof = proof.or(Some(Proof::AbsentBefore));
                let id = membership.id.to_string();
                Some(made(&part, "group_membership", id, proof, key))
            }
            Creation::Refused(_) => lost_membership(cx, item, user, group).await?,
            Creation::Unsettled => None,
        },
    )
}

async fn membership(cx: &Context, user: u64, group: u64) -> Result<Option<GroupMembership>, Error> {
    let path = format!("/api/v2/users/{user}/group_memberships");
    let all: Vec<GroupMembership> = client::list(cx, &path, "group_memberships").await?;
    Ok(all.into_iter().find(|m| m.group_id == group))
}

/// A membership that is there although this item has not made it: by an earlier attempt, where the item is in doubt and the
/// group is one of this run's, which had nobody in it before.
async fn lost_membership(
    cx: &Context,
    item: &Item,
    user: u64,
    group: u64,
) -> Result<Option<Effect>, Error> {
    if item.in_doubt_since.is_none() {
        return Ok(None);
    }
    let path = format!("/api/v2/groups/{group}");
    let found: Option<Group> = client::find_member(cx, &path, "group").await?;
    if !found.is_some_and(|group| is_of_run(cx, group.description.as_deref())) {
        return Ok(None);
    }
    let part = format!("membership:{user}:{group}");
    let key = key(&item.key, part.clone(), "create");
    let proof = Some(Proof::Marker(cx.run().to_owned()));
    let there = membership(cx, user, group).await?;
    Ok(there.map(|m| made(&part, "group_membership", m.id.to_string(), proof, key)))
}

/// Who is in which group.
///
/// # Errors
/// What ends the unit.
pub async fn memberships(cx: &Context) -> Result<BTreeSet<(u64, u64)>, Error> {
    let all: Vec<GroupMembership> =
        client::list(cx, "/api/v2/group_memberships", "group_memberships").await?;
    Ok(all.into_iter().map(|m| (m.user_id, m.group_id)).collect())
}

/// Who is in these groups, and perhaps in others: out of the list of all memberships as long as that takes no more calls than
/// asking for each of the groups, so that the calls follow the groups and not the account.
///
/// # Errors
/// What ends the unit.
pub async fn memberships_of(
    cx: &Context,
    groups: &BTreeSet<u64>,
) -> Result<BTreeSet<(u64, u64)>, Error> {
    let member = "group_memberships";
    let path = "/api/v2/group_memberships";
    let (mut all, complete): (Vec<GroupMembership>, bool) =
        client::list_at_most(cx, path, member, groups.len()).await?;
    if !complete {
        for group in groups {
            let path = format!("/api/v2/groups/{group}/memberships");
            all.extend(client::list::<GroupMembership>(cx, &path, member).await?);
        }
    }
    Ok(all.into_iter().map(|m| (m.user_id, m.group_id)).collect())
}

// ---- agents

/// Everybody with a seat.
///
/// # Errors
/// What ends the unit.
pub async fn staff(cx: &Context) -> Result<Vec<User>, Error> {
    client::list(cx, "/api/v2/users?role[]=agent&role[]=admin", "users").await
}

/// Agents, matched by e-mail. One who is missing is made only where the settings say so; else the stand-in takes his
/// place and every text of his names him (Zendesk facts §6.3).
///
/// # Errors
/// What ends the unit.
pub async fn agents(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let staff = staff(cx).await?;
    let by_email: BTreeMap<String, u64> = staff
        .iter()
        .filter_map(|user| Some((user.email.as_deref().and_then(map::email)?, user.id?)))
        .collect();
    let mut members = if config.group_memberships {
        memberships(cx).await?
    } else {
        BTreeSet::new()
    };
    let options = if schema::has_choices(items) {
        schema::options(cx, &FieldOwner::User).await?
    } else {
        BTreeMap::new()
    };
    for (item, agent) in each::<types::Agent>(cx, items) {
        let mut losses = looks_lost(agent, "rights and looks of agents are the account's own");
        let email = agent.email.as_deref().and_then(map::email);
        let existing = item
            .existing
            .as_ref()
            .and_then(|c| c.target_id.parse::<u64>().ok());
        let found = existing.or_else(|| {
            email
                .as_ref()
                .and_then(|email| by_email.get(email).copied())
        });
        let fields = agent_fields(item, &options, &mut losses);
        let main = match found {
            Some(id) => {
                let matched = effect("main", "user", id.to_string(), Action::Matched);
                let user = staff.iter().find(|user| user.id == Some(id));
                let put = match user {
                    Some(user) => fill_agent(cx, item, user, fields, matched).await?,
                    None => Changed::Done(matched, key(&item.key, "main", "update")),
                };
                match put {
                    Changed::Done(main, _) => main,
                    Changed::Refused(refusal) => {
                        reject(cx, item, refusal.rejection());
                        continue;
                    }
                    Changed::Unknown => {
                        let why = "a change of an agent that was not answered";
                        unsettled(cx, item, why, losses);
                        continue;
                    }
                }
            }
            None if config.create_agents && email.is_some() => {
                let email = email.as_deref().unwrap_or("");
                match make_agent(cx, item, &agent.name, email, fields).await? {
                    Ok(main) => main,
                    Err(status) => {
                        report(cx, item, status, Vec::new(), losses);
                        continue;
                    }
                }
            }
            None => {
                let note =
                    "no user with this address: a stand-in writes for him and texts name him";
                losses.push(loss("agent", Fidelity::Converted, note));
                let nobody = "the agent has no user that could hold it";
                let own = &item.entry().head.fields;
                let lost = own
                    .iter()
                    .filter(|field| {
                        losses
                            .iter()
                            .all(|l| l.field != format!("fields.{}", field.name))
                    })
                    .map(|field| loss(format!("fields.{}", field.name), Fidelity::Lost, nobody));
                let lost: Vec<Loss> = lost.collect();
                losses.extend(lost);
                let name = if agent.name.is_empty() {
                    item.entry().head.id.as_str()
                } else {
                    agent.name.as_str()
                };
                effect(
                    "main",
                    "placeholder",
                    map::placeholder(state.stand_in, name),
                    Action::Matched,
                )
            }
        };
        let mut effects = Vec::new();
        if let (true, Ok(user)) = (config.group_memberships, main.target_id.parse::<u64>()) {
            for group in agent.teams.iter().filter_map(map::numeric_target) {
                if members.insert((user, group)) {
                    effects.extend(join(cx, item, user, group).await?);
                } else {
                    effects.extend(lost_membership(cx, item, user, group).await?);
                }
            }
        }
        let status = status_of(main.action);
        effects.insert(0, main);
        report(cx, item, status, effects, losses);
    }
    Ok(())
}

/// The custom attributes of an agent as user fields. An agent has no source card: what has no field is lost, and said so.
fn agent_fields(
    item: &Item,
    options: &BTreeMap<String, Vec<(String, String)>>,
    losses: &mut Vec<Loss>,
) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut misfits = Vec::new();
    let own = &item.entry().head.fields;
    keyed_fields(
        own,
        options,
        &mut fields,
        &mut Card::default(),
        &mut misfits,
    );
    let lost = |misfit: Loss| loss(misfit.field, Fidelity::Lost, "has no field that takes it");
    losses.extend(misfits.into_iter().map(lost));
    fields
}

/// Gives a matched agent's user its custom attributes, as the policy allows; rights, name and looks stay the account's own.
async fn fill_agent(
    cx: &Context,
    item: &Item,
    before: &User,
    fields: Map<String, Value>,
    main: Effect,
) -> Result<Changed<Effect>, Error> {
    let was = serde_json::to_value(before).unwrap_or_default();
    let mut wanted = Map::new();
    wanted.insert("user_fields".to_owned(), Value::Object(fields));
    let (now, old) = changes(item.policy, &wanted, &was, &[], "user_fields");
    if now.is_empty() {
        let key = key(&item.key, "main", "update");
        return Ok(Changed::Done(main, key));
    }
    let path = format!("/api/v2/users/{}", main.target_id);
    put_user(cx, item, path, now, old, main).await
}

/// Changes a user: `now` is what becomes of it, `old` what was there.
async fn put_user(
    cx: &Context,
    item: &Item,
    path: String,
    now: Map<String, Value>,
    old: Map<String, Value>,
    main: Effect,
) -> Result<Changed<Effect>, Error> {
    let mut body = now.clone();
    body.insert("skip_verify_email".to_owned(), json!(true));
    let body = json!({"user": body});
    let request = |step: &str| {
        cx.http()
            .repeatable("PUT", path.clone(), key(&item.key, "main", step))
            .json(&body)
    };
    let read = async || client::find_member::<User>(cx, &path, "user").await;
    let is_done = |user: &User| holds(&serde_json::to_value(user).unwrap_or_default(), &now);
    let changed = WRITES.of("user").change(cx, request, read, is_done).await?;
    Ok(match changed {
        Changed::Done(user, key) => {
            let sent = Value::Object(now.clone());
            let facets = sent_facets(user_facets(&user), &sent, "user_fields");
            let done = Effect {
                action: Action::Updated,
                key: Some(key.clone()),
                before: Some(Value::Object(old).to_string()),
                fingerprint: Some(map::print(&facets)),
                updated_at: user.updated_at.as_deref().and_then(map::parse_iso),
                ..main
            };
            Changed::Done(done, key)
        }
        Changed::Refused(refusal) => Changed::Refused(refusal),
        Changed::Unknown => Changed::Unknown,
    })
}

async fn make_agent(
    cx: &Context,
    item: &Item,
    name: &str,
    email: &str,
    mut fields: Map<String, Value>,
) -> Result<Result<Effect, Status>, Error> {
    fields.insert(own_field::RUN.to_owned(), json!(cx.run()));
    let body = json!({"user": {
        "name": name, "email": email, "role": "agent", "external_id": item.marker, "verified": true,
        "skip_verify_email": true, "user_fields": fields,
    }});
    Ok(match make_user(cx, item, "create", &body).await? {
        Creation::There(user, proof, key) => Ok(user_effect(&user, proof, key, &body)),
        Creation::Refused(refusal) => Err(Status::Rejected(refusal.rejection())),
        Creation::Unsettled => Err(Status::Unsettled(
            "a user whose creation was not answered".to_owned(),
        )),
    })
}

// ---- users

/// The user with an external id, which is found as soon as it is there.
///
/// # Errors
/// What ends the unit.
pub async fn by_marker(cx: &Context, marker: &str) -> Result<Option<User>, Error> {
    let path = format!("/api/v2/users/show_many?external_ids={}", segment(marker));
    let found: Option<Vec<User>> = client::find_member(cx, &path, "users").await?;
    Ok(found.unwrap_or_default().into_iter().next())
}

async fn make_user(
    cx: &Context,
    item: &Item,
    step: &str,
    body: &Value,
) -> Result<Creation<User>, Error> {
    let since = item.in_doubt_since.filter(|_| step == "create");
    create_user(cx, &item.key, step, since, &item.marker, body).await
}

async fn create_user(
    cx: &Context,
    item: &str,
    step: &str,
    since: Option<i64>,
    marker: &str,
    body: &Value,
) -> Result<Creation<User>, Error> {
    let request = cx
        .http()
        .write(
            "POST",
            "/api/v2/users",
            key(item, "main", format!("{step}:create")),
        )
        .json(body);
    let find = async || by_marker(cx, marker).await;
    let ours = |user: &User| run_matches(cx, &user.user_fields);
    WRITES.of("user").make(since, request, find, ours).await
}

/// Makes a user of the connector's own.
///
/// # Errors
/// What ends the unit, a refusal included: without it nothing can be loaded.
pub async fn own_user(
    cx: &Context,
    item: &str,
    marker: &str,
    body: &Value,
) -> Result<(User, Effect), Error> {
    match create_user(cx, item, "create", None, marker, body).await? {
        Creation::There(user, proof, key) => {
            let effect = user_effect(&user, proof, key, body);
            Ok((user, effect))
        }
        Creation::Refused(refusal) => Err(refusal.rejection()),
        Creation::Unsettled => Err(Error::Transient(format!("{item} could not be made yet"))),
    }
}

/// What of a user is compared before an undo: what we wrote, as Zendesk answered it.
pub fn user_facets(user: &User) -> Vec<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut facets = vec![
        ("name".to_owned(), user.name.clone()),
        ("email".to_owned(), text(&user.email)),
        ("phone".to_owned(), text(&user.phone)),
        (
            "external_id".to_owned(),
            text(&user.external_id).to_lowercase(),
        ),
        ("notes".to_owned(), text(&user.notes)),
        (
            "organization".to_owned(),
            user.organization_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
        ),
    ];
    facets.extend(
        user.user_fields
            .iter()
            .map(|(key, value)| (format!("field {key}"), canonical(value))),
    );
    facets
}

/// Only what the request said: Zendesk adds organizations and fields by itself.
fn sent_facets(facets: Vec<(String, String)>, sent: &Value, fields: &str) -> Vec<(String, String)> {
    let said = |name: &str| match name.strip_prefix("field ") {
        Some(key) => sent.get(fields).is_some_and(|f| f.get(key).is_some()),
        None if name == "organization" => sent.get("organization_id").is_some(),
        None => sent.get(name).is_some(),
    };
    facets.into_iter().filter(|(name, _)| said(name)).collect()
}

fn user_effect(
    user: &User,
    proof: Option<Proof>,
    key: transload_sdk::http::OperationKey,
    body: &Value,
) -> Effect {
    let mut main = made(
        "main",
        "user",
        user.id.unwrap_or_default().to_string(),
        proof,
        key,
    );
    let sent = body.get("user").cloned().unwrap_or_default();
    main.fingerprint = Some(map::print(&sent_facets(
        user_facets(user),
        &sent,
        "user_fields",
    )));
    main.updated_at = user.updated_at.as_deref().and_then(map::parse_iso);
    main
}

/// A customer as the request that makes the user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserDraft<'a> {
    item: &'a Item,
    platform: &'a str,
    /// Attributes but for the addresses and the card.
    pub attributes: Map<String, Value>,
    /// E-mail addresses; the first becomes the primary one.
    pub emails: Vec<String>,
    /// Direct lines.
    pub phones: Vec<String>,
    /// A number that is shown but is no identity.
    pub shared_phone: Option<String>,
    /// What becomes of the rest.
    pub losses: Vec<Loss>,
    /// Facts without a field.
    card: Card,
}

impl UserDraft<'_> {
    /// The request's body.
    ///
    /// # Errors
    /// As [`Card::render`].
    pub fn body(&self) -> Result<Value, Error> {
        let mut user = self.attributes.clone();
        if let Some(primary) = self.emails.first() {
            user.insert("email".to_owned(), json!(primary));
        }
        if let Some(phone) = self.phones.first() {
            user.insert("phone".to_owned(), json!(phone));
        } else if let Some(phone) = &self.shared_phone {
            user.insert("phone".to_owned(), json!(phone));
            user.insert("shared_phone_number".to_owned(), json!(true));
        }
        let identities: Vec<Value> = self
            .emails
            .iter()
            .skip(1)
            .map(|email| json!({"type": "email", "value": email, "verified": true, "skip_verify_email": true}))
            .chain(self.phones.iter().skip(1).map(|p| json!({"type": "phone_number", "value": p})))
            .collect();
        if !identities.is_empty() {
            user.insert("identities".to_owned(), json!(identities));
        }
        let card = self.card_text()?;
        user.insert("notes".to_owned(), json!(fitted(&card, COMMENT_BYTES).0));
        Ok(json!({"user": user}))
    }

    fn card_text(&self) -> Result<String, Error> {
        let entry = self.item.entry();
        self.card
            .render(self.platform, self.item, entry, &self.losses)
    }

    /// Gives up an address that somebody else has.
    fn give_up(&mut self, taken: &Taken) {
        let (field, value) = match taken {
            Taken::Email(email) => {
                self.emails.retain(|e| e != email);
                ("customer.addresses.email", email)
            }
            Taken::Phone(phone) => {
                self.phones.retain(|p| p != phone);
                if self.phones.is_empty() && self.shared_phone.is_none() {
                    self.shared_phone = Some(phone.clone());
                }
                ("customer.addresses.phone", phone)
            }
        };
        self.card.add("address of another user too", value);
        let note = "another user has this address; it stands on the source card";
        self.losses.push(loss(field, Fidelity::Converted, note));
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Taken {
    Email(String),
    Phone(String),
}

/// The address of the draft that a refusal names as taken.
fn taken(refusal: &Refusal, draft: &UserDraft) -> Option<Taken> {
    let words: Vec<String> = refusal
        .details
        .iter()
        .filter(|(field, _, _)| {
            matches!(field.as_str(), "email" | "phone" | "identities" | "value")
        })
        .filter(|(field, _, _)| refusal.duplicate_of(field).is_some())
        .map(|(_, text, _)| text.to_lowercase())
        .collect();
    let named = |value: &String| {
        words.iter().any(|text| {
            text.split_whitespace()
                .any(|word| word.trim_end_matches('.') == value)
        })
    };
    let email = draft
        .emails
        .iter()
        .find(|email| named(email))
        .cloned()
        .map(Taken::Email);
    email.or_else(|| {
        draft
            .phones
            .iter()
            .find(|phone| named(phone))
            .cloned()
            .map(Taken::Phone)
    })
}

/// Maps a customer. Pure.
///
/// # Errors
/// As [`Card::render`].
pub fn draft<'a>(
    run: &str,
    platform: &'a str,
    words: Words,
    item: &'a Item,
    customer: &Customer,
    options: &BTreeMap<String, Vec<(String, String)>>,
) -> Result<UserDraft<'a>, Error> {
    let head = &item.entry().head;
    let mut losses = Vec::new();
    let mut card = Card::new(words);
    let name = map::customer_name(item.entry(), customer);
    card::customer(head, &name, customer, &mut card);

    let mut fields = Map::new();
    let own = without_each_other(&Kind::Customer, &head.fields);
    keyed_fields(&own, options, &mut fields, &mut card, &mut losses);
    card.lists(&own, &mut losses);
    own_values(run, head, &mut fields);
    if !customer.merged_from.is_empty() {
        fields.insert(
            own_field::MERGED_IDS.to_owned(),
            json!(customer.merged_from.join("\n")),
        );
    }

    let mut attributes = Map::new();
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    set("name", json!(name));
    set("role", json!("end-user"));
    set("external_id", json!(item.marker));
    set("verified", json!(true));
    set("skip_verify_email", json!(true));
    set("user_fields", Value::Object(fields));
    let tags: Vec<&String> = customer
        .tags
        .iter()
        .filter_map(|tag| tag.target.as_ref())
        .collect();
    if !tags.is_empty() {
        set("tags", json!(tags));
    }
    if let Some(company) = &customer.company {
        match map::numeric_target(company) {
            Some(id) => {
                set("organization_id", json!(id));
            }
            None => {
                card.reference("company", Some(company));
                let note = "not migrated: on the source card";
                losses.push(loss("customer.company", Fidelity::Converted, note));
            }
        }
    }
    let mut draft = UserDraft {
        item,
        platform,
        attributes,
        emails: Vec::new(),
        phones: Vec::new(),
        shared_phone: None,
        losses,
        card,
    };
    addresses(customer, &mut draft);
    if fitted(&draft.card_text()?, COMMENT_BYTES).1 {
        draft
            .losses
            .push(loss("customer", Fidelity::Lost, CARD_CUT));
    }
    Ok(draft)
}

/// Sorts addresses into those that are the person's own and those that only stand on the card.
fn addresses(customer: &Customer, draft: &mut UserDraft<'_>) {
    for address in main_first(&customer.addresses) {
        let text = match &address.label {
            Some(label) => format!("{} ({label})", address.value),
            None => address.value.clone(),
        };
        match &address.channel {
            AddressChannel::Email => match map::email(&address.value) {
                Some(email) if !address.shared => {
                    if !draft.emails.contains(&email) {
                        draft.emails.push(email);
                    }
                }
                _ => {
                    draft.card.add("e-mail", text);
                    draft.losses.push(loss(
                        "customer.addresses.email",
                        Fidelity::Converted,
                        "shared or malformed: on the source card",
                    ));
                }
            },
            AddressChannel::Phone | AddressChannel::Whatsapp => {
                let is_phone = matches!(address.channel, AddressChannel::Phone);
                match map::e164(&address.value) {
                    Some(phone) if !address.shared && is_phone => {
                        if !draft.phones.contains(&phone) {
                            draft.phones.push(phone);
                        }
                    }
                    _ => {
                        if draft.shared_phone.is_none() && is_phone {
                            draft.shared_phone = Some(address.value.clone());
                        }
                        draft.card.add("phone", text);
                        draft.losses.push(loss(
                            "customer.addresses.phone",
                            Fidelity::Converted,
                            "shared, or no full number: on the source card",
                        ));
                    }
                }
            }
            AddressChannel::Social(network) => draft.card.add(network, text),
            AddressChannel::Url => draft.card.add("url", text),
            AddressChannel::Other(word) => draft.card.add(word, text),
        }
    }
}

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let options = if schema::has_choices(items) {
        schema::options(cx, &FieldOwner::User).await?
    } else {
        BTreeMap::new()
    };
    let mut bulk = Vec::new();
    for (item, customer) in each::<Customer>(cx, items) {
        let words = words::of_account(&config.subdomain, cx.time_zone());
        let draft = draft(cx.run(), cx.platform(), words, item, customer, &options)?;
        if item.existing.as_ref().is_some_and(|c| c.doubtful.is_none()) {
            update_user(cx, item, draft).await?;
        } else if state.bulk_users
            && config.user_import == UserImport::Auto
            && item.in_doubt_since.is_none()
        {
            bulk.push((item, draft));
        } else {
            one_user(cx, item, draft).await?;
        }
    }
    for chunk in bulk.chunks(BULK) {
        users_by_job(cx, chunk).await?;
    }
    Ok(())
}

/// Makes one user, giving up addresses that others have, one at a time.
async fn one_user(cx: &Context, item: &Item, mut draft: UserDraft<'_>) -> Result<(), Error> {
    let tries = draft.emails.len() + draft.phones.len() + 1;
    for attempt in 0..=tries {
        let body = draft.body()?;
        let step = if attempt == 0 {
            "create".to_owned()
        } else {
            format!("create:{attempt}")
        };
        match make_user(cx, item, &step, &body).await? {
            Creation::There(user, proof, key) => {
                let main = user_effect(&user, proof, key, &body);
                report(cx, item, status_of(main.action), vec![main], draft.losses);
                return Ok(());
            }
            Creation::Unsettled => {
                let why = "a user whose creation was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
            Creation::Refused(refusal) => {
                if refusal.duplicate_of("external_id").is_some()
                    && let Some(user) = by_marker(cx, &item.marker).await?
                {
                    if run_matches(cx, &user.user_fields) {
                        // A request of this run whose answer was not seen made it.
                        let proof = Proof::Marker(cx.run().to_owned());
                        let key = key(&item.key, "main", format!("{step}:create"));
                        let main = user_effect(&user, Some(proof), key, &body);
                        let made = status_of(main.action);
                        report(cx, item, made, vec![main], draft.losses);
                        return Ok(());
                    }
                    return matched_user(cx, item, &user, draft).await;
                }
                let Some(taken) = taken(&refusal, &draft) else {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                };
                if let Taken::Email(email) = &taken
                    && draft.emails.first() == Some(email)
                    && let Some(owner) = matching::by_email(cx, email).await?
                    && may_be(cx, item, &owner)
                {
                    return matched_user(cx, item, &owner, draft).await;
                }
                draft.give_up(&taken);
            }
        }
    }
    reject(
        cx,
        item,
        Error::Conflict("every address of the customer belongs to others".to_owned()),
    );
    Ok(())
}

/// Whether the owner of a customer's address may be that customer. Staff never is, nor another record of the source, nor who
/// was found to be doubtful before (rule M-7): then the customer has a user of his own, without the address.
fn may_be(cx: &Context, item: &Item, owner: &User) -> bool {
    let id = owner.id.unwrap_or_default().to_string();
    let doubtful = item
        .existing
        .as_ref()
        .is_some_and(|c| c.doubtful.is_some() && c.target_id == id);
    let external = owner.external_id.as_deref().unwrap_or("").to_lowercase();
    let of_source = external.starts_with(&cx.marker_prefix().to_lowercase());
    owner.role == "end-user" && !of_source && !doubtful
}

/// A user found while writing, treated as one that was matched before.
async fn matched_user(
    cx: &Context,
    item: &Item,
    user: &User,
    draft: UserDraft<'_>,
) -> Result<(), Error> {
    let candidate = Candidate {
        target_id: user.id.unwrap_or_default().to_string(),
        by: MatchKey::Email,
        before: serde_json::to_string(user).unwrap_or_default(),
        doubtful: None,
    };
    let item = Item {
        existing: Some(candidate),
        ..item.clone()
    };
    update_user(cx, &item, draft).await
}

/// What is to be changed in a user or an organization, and what was there, by the policy (rule M-7). `names` are attributes
/// that may change, `fields` is the member with the custom fields. Notes of somebody else's stay; the source card then goes
/// into a field of ours.
pub fn changes(
    policy: MatchPolicy,
    wanted: &Map<String, Value>,
    before: &Value,
    names: &[&str],
    fields: &str,
) -> (Map<String, Value>, Map<String, Value>) {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let mut wanted_fields = object(wanted.get(fields)).unwrap_or_default();
    let old_fields = before.get(fields).cloned().unwrap_or_default();
    // Which run made it must not be said of what we only changed.
    wanted_fields.remove(own_field::RUN);
    let mut attributes = Map::new();
    for name in names {
        let Some(value) = wanted.get(*name) else {
            continue;
        };
        let at = before.get(*name).cloned().unwrap_or_default();
        // An external id of somebody else's is never replaced.
        let kept = matches!(*name, "external_id" | "notes") && !is_empty(&at);
        if !kept {
            attributes.insert((*name).to_owned(), value.clone());
        } else if *name == "notes" && canonical(&at) != canonical(value) {
            wanted_fields.insert(own_field::CARD.to_owned(), value.clone());
        }
    }
    let mut now = policy::changes(policy, &attributes, before);
    let new_fields = policy::changes(policy, &wanted_fields, &old_fields);
    if !new_fields.wanted.is_empty() {
        let (wanted, before) = (new_fields.wanted, new_fields.before);
        now.wanted.insert(fields.to_owned(), Value::Object(wanted));
        now.before.insert(fields.to_owned(), Value::Object(before));
    }
    (now.wanted, now.before)
}

async fn update_user(cx: &Context, item: &Item, mut draft: UserDraft<'_>) -> Result<(), Error> {
    let Some(candidate) = &item.existing else {
        return Ok(());
    };
    let path = format!("/api/v2/users/{}", candidate.target_id);
    let Some(before) = client::find_member::<User>(cx, &path, "user").await? else {
        reject(
            cx,
            item,
            Error::Conflict("the user that was matched is gone".to_owned()),
        );
        return Ok(());
    };
    let mut effects = Vec::new();
    // Staff is never changed on behalf of a customer.
    let policy = if before.role == "end-user" {
        item.policy
    } else {
        MatchPolicy::Leave
    };
    let full = draft.body()?;
    let wanted = full
        .get("user")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let was = serde_json::to_value(&before).unwrap_or_default();
    let names = ["name", "external_id", "notes", "organization_id"];
    let (now, old) = changes(policy, &wanted, &was, &names, "user_fields");
    let mut main = effect("main", "user", candidate.target_id.clone(), Action::Matched);
    if !now.is_empty() {
        main = match put_user(cx, item, path.clone(), now, old, main).await? {
            Changed::Done(main, _) => main,
            Changed::Refused(refusal) => {
                reject(cx, item, refusal.rejection());
                return Ok(());
            }
            Changed::Unknown => {
                let why = "a change of a user that was not answered".to_owned();
                report(cx, item, Status::Unsettled(why), effects, draft.losses);
                return Ok(());
            }
        };
    }
    if policy != MatchPolicy::Leave {
        let known: Vec<Identity> =
            client::list(cx, &format!("{path}/identities"), "identities").await?;
        let missing: Vec<(&str, String)> = draft
            .emails
            .iter()
            .map(|email| ("email", email.clone()))
            .chain(
                draft
                    .phones
                    .iter()
                    .map(|phone| ("phone_number", phone.clone())),
            )
            .filter(|(kind, value)| {
                !known
                    .iter()
                    .any(|i| i.kind == *kind && i.value.eq_ignore_ascii_case(value))
            })
            .collect();
        for (kind, value) in missing {
            match add_identity(cx, item, &path, &candidate.target_id, kind, &value).await? {
                Some(effect) => effects.push(effect),
                None => {
                    let note = "another user has this address";
                    draft
                        .losses
                        .push(loss("customer.addresses", Fidelity::Lost, note));
                }
            }
        }
    }
    if policy == MatchPolicy::Leave {
        draft.losses.push(loss(
            "customer",
            Fidelity::Lost,
            "the user that is there was left as it is",
        ));
    }
    let status = if effects.is_empty() {
        status_of(main.action)
    } else {
        Status::Updated
    };
    effects.insert(0, main);
    report(cx, item, status, effects, draft.losses);
    Ok(())
}

async fn add_identity(
    cx: &Context,
    item: &Item,
    path: &str,
    user: &str,
    kind: &str,
    value: &str,
) -> Result<Option<Effect>, Error> {
    let part = format!("identity:{kind}:{value}");
    let url = format!("{path}/identities");
    let body = json!({"identity": {"type": kind, "value": value, "verified": true, "skip_verify_email": true}});
    let request = cx
        .http()
        .write("POST", url.clone(), key(&item.key, part.clone(), "create"))
        .json(&body);
    let find = async || {
        let all: Vec<Identity> = client::list(cx, &url, "identities").await?;
        Ok(all
            .into_iter()
            .find(|i| i.kind == kind && i.value.eq_ignore_ascii_case(value)))
    };
    Ok(
        match WRITES
            .of("identity")
            .make(None, request, find, |_| false)
            .await?
        {
            Creation::There(identity, proof, key) => {
                // It was read as missing right before, in this unit (rule D-4).
                let proof = proof.or(Some(Proof::AbsentBefore));
                Some(made(
                    &part,
                    "identity",
                    format!("{user}/{}", identity.id),
                    proof,
                    key,
                ))
            }
            Creation::Refused(_) | Creation::Unsettled => None,
        },
    )
}

/// Makes users by a job; rows that are refused, and all whose fate is not known, go on one by one.
async fn users_by_job(cx: &Context, batch: &[(&Item, UserDraft<'_>)]) -> Result<(), Error> {
    let mut bodies: Vec<Value> = Vec::with_capacity(batch.len());
    for (_, draft) in batch {
        bodies.push(draft.body()?.get("user").cloned().unwrap_or_default());
    }
    let first = batch
        .first()
        .map(|(item, _)| item.key.as_str())
        .unwrap_or_default();
    let key = key("*", format!("users:{first}"), "create");
    // Results of a job are kept for about an hour (Zendesk facts §12).
    let write = cx
        .http()
        .write("POST", "/api/v2/users/create_many", key.clone())
        .json(&json!({"users": bodies}))
        .lifetime(3_000_000);
    let rows = match http::write(write).await? {
        Sent::Done(answer) => {
            let job: crate::api::JobStatus = answer.member("job_status")?;
            client::job(cx, &job.id).await?.and_then(|job| job.results)
        }
        Sent::Refused(_) => Some(Vec::new()),
        Sent::Doubt(_) => None,
    };
    if rows.is_none() {
        cx.sleep(SETTLE_JOB_MS).await;
        tickets::wait_for_jobs(cx).await?;
    }
    let markers = query_list(batch.iter().map(|(item, _)| item.marker.as_str()));
    let path = format!("/api/v2/users/show_many?external_ids={markers}");
    let found: Vec<User> = client::find_member(cx, &path, "users")
        .await?
        .unwrap_or_default();
    for (item, draft) in batch {
        let ours = found.iter().find(|user| {
            user.external_id
                .as_deref()
                .is_some_and(|id| id.eq_ignore_ascii_case(&item.marker))
        });
        match ours {
            Some(user) => {
                let proof =
                    run_matches(cx, &user.user_fields).then(|| Proof::Marker(cx.run().to_owned()));
                let main = user_effect(user, proof, key.clone(), &draft.body()?);
                report(
                    cx,
                    item,
                    status_of(main.action),
                    vec![main],
                    draft.losses.clone(),
                );
            }
            None => one_user(cx, item, draft.clone()).await?,
        }
    }
    Ok(())
}

/// A job whose request was not answered has ended by then, or its rows are found by their markers, ms.
const SETTLE_JOB_MS: u64 = 600_000;

// ---- companies

async fn organization_by(
    cx: &Context,
    what: &str,
    value: &str,
) -> Result<Option<Organization>, Error> {
    let path = match what {
        "external_id" => format!(
            "/api/v2/organizations/show_many?external_ids={}",
            segment(value)
        ),
        _ => format!("/api/v2/organizations/search?name={}", segment(value)),
    };
    let found: Option<Vec<Organization>> = client::find_member(cx, &path, "organizations").await?;
    Ok(found.unwrap_or_default().into_iter().next())
}

/// What of an organization is compared before an undo.
pub fn organization_facets(organization: &Organization) -> Vec<(String, String)> {
    let mut facets = vec![
        ("name".to_owned(), organization.name.clone()),
        (
            "external_id".to_owned(),
            organization
                .external_id
                .clone()
                .unwrap_or_default()
                .to_lowercase(),
        ),
        (
            "notes".to_owned(),
            organization.notes.clone().unwrap_or_default(),
        ),
    ];
    let fields = organization.organization_fields.iter();
    facets.extend(fields.map(|(key, value)| (format!("field {key}"), canonical(value))));
    facets
}

fn organization_body(
    cx: &Context,
    config: &Config,
    item: &Item,
    company: &Company,
    options: &BTreeMap<String, Vec<(String, String)>>,
    losses: &mut Vec<Loss>,
) -> Result<Map<String, Value>, Error> {
    let head = &item.entry().head;
    let mut card = Card::new(words::of_account(&config.subdomain, cx.time_zone()));
    card::head(head, &mut card);
    let mut fields = Map::new();
    keyed_fields(&head.fields, options, &mut fields, &mut card, losses);
    card.lists(&head.fields, losses);
    own_values(cx.run(), head, &mut fields);
    card.add("domains", company.domains.join(", "));
    for address in &company.addresses {
        card.add("address", &address.value);
    }
    if !company.addresses.is_empty() {
        losses.push(loss(
            "company.addresses",
            Fidelity::Converted,
            "on the source card",
        ));
    }
    for place in &company.locations {
        card::location(place, &mut card);
    }
    if company.parent.is_some() {
        card.reference("parent", company.parent.as_ref());
        losses.push(loss(
            "company.parent",
            Fidelity::Converted,
            "Zendesk has no hierarchy: on the source card",
        ));
    }
    card.count("employees", company.employee_count);
    card.text("language", company.language.as_deref());
    card.text("avatar", company.avatar_url.as_deref());
    if !config.organization_domains && !company.domains.is_empty() {
        losses.push(loss(
            "company.domains",
            Fidelity::Converted,
            "on the source card: set, they would move people",
        ));
    }
    let notes = card.render(cx.platform(), item, item.entry(), losses)?;
    let (notes, cut) = fitted(&notes, COMMENT_BYTES);
    if cut {
        losses.push(loss("company", Fidelity::Lost, CARD_CUT));
    }
    let mut body = Map::new();
    body.insert("external_id".to_owned(), json!(item.marker));
    body.insert("notes".to_owned(), json!(notes));
    body.insert("organization_fields".to_owned(), Value::Object(fields));
    let tags: Vec<&String> = company
        .tags
        .iter()
        .filter_map(|tag| tag.target.as_ref())
        .collect();
    if !tags.is_empty() {
        body.insert("tags".to_owned(), json!(tags));
    }
    if config.organization_domains {
        body.insert("domain_names".to_owned(), json!(company.domains));
    }
    Ok(body)
}

/// Companies as organizations, one at a time: two with one name at the same moment could both pass (Zendesk facts §7).
///
/// # Errors
/// What ends the unit.
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let options = if schema::has_choices(items) {
        schema::options(cx, &FieldOwner::Organization).await?
    } else {
        BTreeMap::new()
    };
    for (item, company) in each::<Company>(cx, items) {
        let mut losses = Vec::new();
        let mut body = organization_body(cx, &config, item, company, &options, &mut losses)?;
        let name = match company.name.trim() {
            "" => format!("Company {}", item.entry().head.id),
            name => name.to_owned(),
        };
        body.insert("name".to_owned(), json!(name));
        match item.existing.as_ref().filter(|c| c.doubtful.is_none()) {
            Some(candidate) => {
                update_organization(cx, item, &candidate.target_id, body, losses).await?
            }
            None => one_organization(cx, item, name, body, losses).await?,
        }
    }
    Ok(())
}

async fn one_organization(
    cx: &Context,
    item: &Item,
    name: String,
    mut body: Map<String, Value>,
    mut losses: Vec<Loss>,
) -> Result<(), Error> {
    let id = &item.entry().head.id;
    let mut wanted = name.clone();
    for attempt in 0..NAMES {
        body.insert("name".to_owned(), json!(wanted));
        let envelope = json!({"organization": body});
        let step = if attempt == 0 {
            "create".to_owned()
        } else {
            format!("create:{attempt}")
        };
        let request = cx
            .http()
            .write(
                "POST",
                "/api/v2/organizations",
                key(&item.key, "main", format!("{step}:create")),
            )
            .json(&envelope);
        let find = async || organization_by(cx, "external_id", &item.marker).await;
        let ours = |o: &Organization| run_matches(cx, &o.organization_fields);
        let since = item.in_doubt_since.filter(|_| attempt == 0);
        match WRITES
            .of("organization")
            .make(since, request, find, ours)
            .await?
        {
            Creation::There(organization, proof, key) => {
                let mut main = made(
                    "main",
                    "organization",
                    organization.id.to_string(),
                    proof,
                    key,
                );
                let sent = Value::Object(body.clone());
                let facets = sent_facets(
                    organization_facets(&organization),
                    &sent,
                    "organization_fields",
                );
                main.fingerprint = Some(map::print(&facets));
                main.updated_at = organization.updated_at.as_deref().and_then(map::parse_iso);
                report(cx, item, status_of(main.action), vec![main], losses);
                return Ok(());
            }
            Creation::Unsettled => {
                let why = "an organization whose creation was not answered";
                unsettled(cx, item, why, losses);
                return Ok(());
            }
            Creation::Refused(refusal) => {
                if refusal.duplicate_of("external_id").is_some()
                    && let Some(found) = organization_by(cx, "external_id", &item.marker).await?
                {
                    return update_organization(cx, item, &found.id.to_string(), body, losses)
                        .await;
                }
                if refusal.duplicate_of("name").is_none() {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                }
                let holder = organization_by(cx, "name", &wanted).await?;
                let prefix = cx.marker_prefix().to_lowercase();
                // Another company of the source is that one already.
                let taken = item.existing.as_ref().filter(|c| c.doubtful.is_some());
                let other = |o: &Organization| {
                    let id = o.external_id.as_deref().unwrap_or("").to_lowercase();
                    id.starts_with(&prefix)
                        || taken.is_some_and(|c| c.target_id == o.id.to_string())
                };
                if let Some(found) = holder.filter(|o| !other(o)) {
                    return update_organization(cx, item, &found.id.to_string(), body, losses)
                        .await;
                }
                // Another company of the source has the name; Zendesk wants it unique.
                wanted = format!("{name} ({id})");
                let note = "another company has the name: written with the source id behind it";
                losses.push(loss("company.name", Fidelity::Converted, note));
            }
        }
    }
    reject(
        cx,
        item,
        Error::Conflict("no free name for the company".to_owned()),
    );
    Ok(())
}

async fn update_organization(
    cx: &Context,
    item: &Item,
    id: &str,
    wanted: Map<String, Value>,
    losses: Vec<Loss>,
) -> Result<(), Error> {
    let path = format!("/api/v2/organizations/{id}");
    let Some(before) = client::find_member::<Organization>(cx, &path, "organization").await? else {
        let gone = "the organization that was matched is gone".to_owned();
        reject(cx, item, Error::Conflict(gone));
        return Ok(());
    };
    let was = serde_json::to_value(&before).unwrap_or_default();
    let names = ["external_id", "notes"];
    let (now, old) = changes(item.policy, &wanted, &was, &names, "organization_fields");
    let mut main = effect("main", "organization", id, Action::Matched);
    if !now.is_empty() {
        let sent = Value::Object(now.clone());
        let body = json!({"organization": sent});
        let request = |step: &str| {
            cx.http()
                .repeatable("PUT", path.clone(), key(&item.key, "main", step))
                .json(&body)
        };
        let read = async || client::find_member::<Organization>(cx, &path, "organization").await;
        let is_done = |o: &Organization| holds(&serde_json::to_value(o).unwrap_or_default(), &now);
        match WRITES
            .of("organization")
            .change(cx, request, read, is_done)
            .await?
        {
            Changed::Done(changed, key) => {
                main.action = Action::Updated;
                main.key = Some(key);
                main.before = Some(Value::Object(old).to_string());
                let facets =
                    sent_facets(organization_facets(&changed), &sent, "organization_fields");
                main.fingerprint = Some(map::print(&facets));
                main.updated_at = changed.updated_at.as_deref().and_then(map::parse_iso);
            }
            Changed::Refused(refusal) => {
                reject(cx, item, refusal.rejection());
                return Ok(());
            }
            Changed::Unknown => {
                let why = "a change of an organization that was not answered";
                unsettled(cx, item, why, losses);
                return Ok(());
            }
        }
    }
    report(cx, item, status_of(main.action), vec![main], losses);
    Ok(())
}
