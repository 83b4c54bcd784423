//! The account itself: details, usage, limits, owners, users, teams, rules an admin has set (HubSpot facts §1.1, §2, §4, §5,
//! §15).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, calls_today, daily_limit, day_ends, required};
use super::model::{Id, Owner, TypeId};
use super::state::{State, iso};
use super::{pipelines, properties, schemas};

/// Answers a request about the account, given the path behind `account-info`.
pub(super) fn info(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    call.scope(&["oauth"])?;
    match (method.as_str(), path) {
        ("GET", ["details"]) => {
            let config = &call.state.config;
            let domain = match config.data_centre.as_str() {
                "na1" => "app.hubspot.com".to_owned(),
                other => format!("app-{other}.hubspot.com"),
            };
            Answer::ok(json!({
                "portalId": config.portal_id, "accountType": config.account_type, "timeZone": config.time_zone,
                "companyCurrency": "USD", "additionalCurrencies": [], "utcOffset": "-05:00",
                "utcOffsetMilliseconds": -18_000_000, "uiDomain": domain, "dataHostingLocation": config.data_centre,
            }))
        }
        ("GET", ["api-usage", "daily", "private-apps"]) => {
            let used = calls_today(call.state);
            Answer::ok(json!({"results": [{
                "name": "private-apps-api-calls-daily", "usageLimit": daily_limit(call.state), "currentUsage": used,
                "collectedAt": iso(call.state.now), "resetsAt": iso(day_ends(call.state)), "fetchStatus": "SUCCESS",
            }]}))
        }
        (_, ["details"] | ["api-usage", "daily", "private-apps"]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn render_owner(state: &State, owner: &Owner) -> Value {
    let teams: Vec<Value> = owner
        .teams
        .iter()
        .enumerate()
        .map(|(at, id)| json!({"id": id.to_string(), "name": state.teams.get(id), "primary": at == 0}))
        .collect();
    let archived = owner.archived.is_some();
    json!({
        "id": owner.id.to_string(), "email": owner.email, "type": "PERSON", "firstName": owner.name.0,
        "lastName": owner.name.1, "userId": (!archived).then_some(owner.user_id),
        "userIdIncludingInactive": owner.user_id, "createdAt": iso(owner.created),
        "updatedAt": iso(owner.archived.unwrap_or(owner.created)), "archived": archived, "teams": teams,
    })
}

/// Answers a request about owners, given the path behind `owners` (§15).
pub(super) fn owners(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    call.scope(&["crm.objects.owners.read"])?;
    let method = call.request.method.clone();
    let archived = call.request.flag("archived")?;
    match (method.as_str(), path) {
        ("GET", []) => {
            let email = call.request.param("email").map(str::to_lowercase);
            let state = &*call.state;
            let all = |after: Option<Id>| {
                let all = state
                    .owners
                    .values()
                    .filter(|o| o.archived.is_some() == archived);
                let all =
                    all.filter(|o| email.as_ref().is_none_or(|e| o.email.to_lowercase() == *e));
                all.filter(|o| after.is_none_or(|after| o.id > after))
                    .map(|o| (o.id, o))
                    .collect()
            };
            call.page(100, 500, all, |owner| render_owner(state, owner))
        }
        ("GET", [id]) => {
            let id: Id = id.parse().map_err(|_| Failure::not_found())?;
            let by_user = match call.request.param("idProperty") {
                None | Some("id") => false,
                Some("userId") => true,
                Some(other) => {
                    return Err(Failure::validation(format!(
                        "idProperty {other} is not id or userId"
                    )));
                }
            };
            let found = call
                .state
                .owners
                .values()
                .find(|o| if by_user { o.user_id == id } else { o.id == id });
            let found = found.filter(|o| o.archived.is_some() == archived);
            Answer::ok(render_owner(
                call.state,
                found.ok_or_else(Failure::not_found)?,
            ))
        }
        (_, [] | [_]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

/// A user: id, address, first team.
type User<'a> = (Id, &'a str, Option<Id>);

/// Answers a request about users and teams, given the path behind `users` (§4).
pub(super) fn users(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    match (method.as_str(), path) {
        ("GET", ["teams"]) => {
            call.scope(&["settings.users.teams.read"])?;
            let members = |team: Id, primary: bool| -> Vec<String> {
                let live = call.state.owners.values().filter(|o| o.archived.is_none());
                let of = live.filter(|o| {
                    o.teams
                        .iter()
                        .position(|t| *t == team)
                        .is_some_and(|at| (at == 0) == primary)
                });
                of.map(|o| o.user_id.to_string()).collect()
            };
            let teams = call.state.teams.iter().map(|(id, name)| {
                json!({
                    "id": id.to_string(), "name": name, "userIds": members(*id, true),
                    "secondaryUserIds": members(*id, false),
                })
            });
            Answer::ok(json!({"results": teams.collect::<Vec<_>>()}))
        }
        ("GET", []) => {
            call.scope(&["crm.objects.users.read", "settings.users.read"])?;
            let state = &*call.state;
            let all = |after: Option<Id>| {
                let owners = state.owners.values().filter(|o| o.archived.is_none());
                let owners =
                    owners.map(|o| (o.user_id, o.email.as_str(), o.teams.first().copied()));
                let invited = state
                    .invited
                    .iter()
                    .map(|(id, email)| (*id, email.as_str(), None));
                let mut all: Vec<(Id, User<'_>)> =
                    owners.chain(invited).map(|user| (user.0, user)).collect();
                all.sort_by_key(|(id, _)| *id);
                all.retain(|(id, _)| after.is_none_or(|after| *id > after));
                all
            };
            call.page(100, 100, all, |(id, email, team)| {
                json!({"id": id.to_string(), "email": email, "primaryTeamId": team.map(|t| t.to_string()), "superAdmin": false})
            })
        }
        ("POST", []) => {
            call.scope(&["settings.users.write"])?;
            let members = [
                "email",
                "firstName",
                "lastName",
                "roleId",
                "primaryTeamId",
                "secondaryTeamIds",
                "sendWelcomeEmail",
            ];
            let body = call.body(&members)?.clone();
            let email = required(&body, "email")?.to_owned();
            let known = call
                .state
                .owners
                .values()
                .any(|o| o.email.eq_ignore_ascii_case(&email));
            if known {
                return Err(Failure::new(
                    409,
                    "CONFLICT",
                    format!("User already exists: {email}"),
                ));
            }
            let id = call.state.next_id();
            call.state.invited.push((id, email.clone()));
            if body
                .get("sendWelcomeEmail")
                .and_then(Value::as_bool)
                .unwrap_or(false)
            {
                // §4
                call.state
                    .mail("email", &email, format!("user {id}"), "invitation");
            }
            Ok(Answer::json(
                201,
                json!({"id": id.to_string(), "email": email, "superAdmin": false}),
            ))
        }
        (_, [] | ["teams"]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn usage(limit: u64, used: u64) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "a percentage needs no more")]
    let percentage = if limit == 0 {
        100.0
    } else {
        used as f64 * 100.0 / limit as f64
    };
    json!({"limit": limit, "usage": used, "percentage": percentage})
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Answers a request about limits, given the path behind `limits` (§5).
pub(super) fn limits(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    if call.request.method != "GET" {
        return Err(Failure::method());
    }
    let state = &*call.state;
    let live = || state.types.values().filter(|of| of.archived.is_none());
    // [INF]: the shape beside `limit`, `usage` and `percentage`.
    let of_type = |id: TypeId, limit: u64, used: u64| {
        let mut body = usage(limit, used);
        if let (Some(of), Some(map)) = (state.type_of(id), body.as_object_mut()) {
            map.insert("objectTypeId".to_owned(), json!(id.to_string()));
            map.insert("singularLabel".to_owned(), json!(of.labels.0));
            map.insert("pluralLabel".to_owned(), json!(of.labels.1));
        }
        body
    };
    match path {
        ["records"] => {
            let most = state.config.switches.records_per_object;
            let record =
                |id: TypeId| of_type(id, most, state.tables.get(&id).map_or(0, |t| t.live));
            let (custom, standard): (Vec<_>, Vec<_>) =
                live().map(|of| of.id).partition(|id| id.is_custom());
            let custom: Vec<Value> = custom.into_iter().map(record).collect();
            let standard: Vec<Value> = standard.into_iter().map(record).collect();
            Answer::ok(
                json!({"customObjectTypes": {"byObjectType": custom}, "hubspotDefinedObjectTypes": standard}),
            )
        }
        ["custom-properties"] => {
            let most = count(properties::custom_limit(state));
            let all = live().map(|of| {
                of_type(
                    of.id,
                    most,
                    count(of.properties.values().filter(|p| !p.standard).count()),
                )
            });
            Answer::ok(json!({"byObjectType": all.collect::<Vec<_>>()}))
        }
        ["custom-object-types"] => {
            let most = if schemas::allowed(state) {
                state.config.switches.custom_object_types
            } else {
                0
            };
            Answer::ok(usage(
                count(most),
                count(live().filter(|of| of.id.is_custom()).count()),
            ))
        }
        ["pipelines"] => {
            let most = count(pipelines::limit(state.config.plan));
            let all = state
                .pipelines
                .iter()
                .map(|(id, all)| of_type(*id, most, count(all.len())));
            Answer::ok(json!({"hubspotDefinedObjectTypes": all.collect::<Vec<_>>()}))
        }
        ["associations", "records", from, to] => {
            let (from, to) = (call.live_object(from)?, call.live_object(to)?);
            let most = count(state.config.switches.links_per_record);
            let used = state
                .live(from)
                .map(|record| state.link_count((from, record.id), to))
                .max();
            let mut body = usage(most, count(used.unwrap_or(0)));
            if let Some(map) = body.as_object_mut() {
                map.insert("fromObjectTypeId".to_owned(), json!(from.to_string()));
                map.insert("toObjectTypeId".to_owned(), json!(to.to_string()));
            }
            Answer::ok(body)
        }
        _ => Err(Failure::no_route()),
    }
}

/// Answers a request about rules that an admin has set, given the path behind `property-validations` (§5).
pub(super) fn validations(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    match (call.request.method.as_str(), path) {
        ("GET", [object]) => {
            let object = call.live_object(object)?;
            let name = call.state.type_of(object).map_or("", |of| of.name.as_str());
            let rules = call.state.config.preexisting.required_on_create.iter();
            let rules = rules.filter(|(of, _)| of == name).map(|(_, property)| {
                let rule = json!({"ruleType": "REQUIRED_ON_CREATE", "ruleArguments": []});
                json!({"propertyName": property, "propertyValidationRules": [rule]})
            });
            Answer::ok(json!({"results": rules.collect::<Vec<_>>()}))
        }
        (_, [_]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}
