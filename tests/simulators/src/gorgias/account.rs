//! What the account is: domain, settings, and the lists that only are looked at: integrations, macros, views, events
//! (Gorgias facts §1, §8, §12).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, key, page, paging};
use super::model::{Id, Moment};
use super::state::State;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["account"], "GET") => account(call),
        (["account", "settings"], "GET") => list_settings(call),
        (["integrations"], "GET") => integrations(call),
        (["integrations", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let found = call.state.integrations.contains_key(&id);
            Answer::ok(
                integration(call, id)
                    .filter(|_| found)
                    .ok_or(Failure::NotFound)?,
            )
        }),
        (["macros"], "GET") => macros(call),
        (["views"], "GET") => views(call),
        (["events"], "GET") => events(call),
        (["events", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            Answer::ok(event(call, id).ok_or(Failure::NotFound)?)
        }),
        (["account"] | ["account", "settings"] | ["events"] | ["events", _], _) => {
            Err(Failure::Method)
        }
        (["integrations"] | ["integrations", _] | ["macros"] | ["views"], _) => {
            Err(Failure::Method)
        }
        _ => return None,
    })
}

/// `GET /account` (§1): the domain is the account's identity.
fn account(call: &Call<'_>) -> Outcome {
    call.only(&[])?;
    let created = call.time(founded(call.state));
    let settings: Vec<Value> = settings(call.state)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    Answer::ok(json!({
        "domain": call.state.config.domain,
        "status": {"status": "active"},
        "settings": settings,
        "created_datetime": created,
        "deactivated_datetime": null,
    }))
}

/// When the account was opened.
fn founded(state: &State) -> Moment {
    let first = state.users.values().map(|user| user.created_at).min();
    first.unwrap_or(state.now)
}

/// The settings that act on tickets (§12). What they are called is in no text that was found.
fn settings(state: &State) -> Vec<(Id, Value)> {
    let services = state.config.preexisting.services;
    let list = [
        (
            "business-hours",
            json!({"timezone": "UTC", "business_hours": [{"days": "1,2,3,4,5", "from_time": "09:00", "to_time": "17:00"}]}),
        ),
        (
            "satisfaction-surveys",
            json!({
                "send_survey_for_email": services.surveys, "send_survey_for_chat": services.surveys,
                "survey_interval": 24,
            }),
        ),
        (
            "ticket-assignment",
            json!({"auto_assign_to_teams": services.auto_assignment}),
        ),
    ];
    let numbered = (1..).zip(list);
    numbered
        .map(|(id, (kind, data))| (id, json!({"id": id, "type": kind, "data": data})))
        .collect()
}

fn list_settings(call: &Call<'_>) -> Outcome {
    // [L]: all of them in one answer.
    call.only(&[&["type"]])?;
    let paging = paging(call, &["created_datetime"])?;
    let kind = call.request.param("type");
    let all = settings(call.state);
    let chosen = |id: Id| {
        let found = all.iter().find(|(other, _)| *other == id)?;
        let is_of_kind = kind.is_none_or(|kind| found.1.get("type") == Some(&json!(kind)));
        is_of_kind.then(|| found.1.clone())
    };
    let places = all.iter().map(|(id, _)| (0, *id)).collect();
    page(call, &paging, &places, chosen)
}

fn integrations(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED, &["type"]])?;
    let paging = paging(call, &["created_datetime"])?;
    let kind = call.request.param("type");
    let all = call.state.integrations.values();
    let chosen = all.filter(|one| kind.is_none_or(|kind| kind == one.kind));
    let places = chosen.map(|one| key(one.created_at, one.id)).collect();
    page(call, &paging, &places, |id| integration(call, id))
}

fn integration(call: &Call<'_>, id: Id) -> Option<Value> {
    let one = call.state.integrations.get(&id)?;
    Some(json!({
        "id": one.id,
        "type": one.kind,
        "name": one.name,
        "meta": one.meta,
        "created_datetime": call.time(one.created_at),
        "updated_datetime": call.time(one.created_at),
        "deactivated_datetime": call.time_or_null(one.deactivated_at),
        "uri": format!("/api/integrations/{}", one.id),
    }))
}

fn macros(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED, &["search"]])?;
    let paging = paging(call, &["created_datetime", "name"])?;
    let wanted = call.request.param("search").map(str::to_lowercase);
    let all = call.state.macros.values();
    let chosen = all.filter(|one| {
        wanted
            .as_ref()
            .is_none_or(|wanted| one.name.to_lowercase().contains(wanted))
    });
    let places = chosen.map(|one| key(one.created_at, one.id)).collect();
    page(call, &paging, &places, |id| {
        let one = call.state.macros.get(&id)?;
        let tags: Vec<&str> = one
            .tags
            .iter()
            .filter_map(|tag| Some(call.state.tags.get(tag)?.name.as_str()))
            .collect();
        Some(json!({
            "id": one.id,
            "name": one.name,
            "actions": [{"name": "addTags", "arguments": {"tags": tags.join(",")}}],
            "created_datetime": call.time(one.created_at),
            "uri": format!("/api/macros/{}", one.id),
        }))
    })
}

fn views(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED])?;
    let paging = paging(call, &["created_datetime"])?;
    let all = call.state.views.values();
    let places = all.map(|one| key(one.created_at, one.id)).collect();
    page(call, &paging, &places, |id| {
        let one = call.state.views.get(&id)?;
        let filters: Vec<String> = one
            .tags
            .iter()
            .map(|tag| format!("containsAny(ticket.tags.id, [{tag}])"))
            .collect();
        Some(json!({
            "id": one.id,
            "name": one.name,
            "type": "ticket-list",
            "filters": filters.join(" && "),
            "created_datetime": call.time(one.created_at),
            "deactivated_datetime": call.time_or_null(one.deactivated_at),
            "uri": format!("/api/views/{}", one.id),
        }))
    })
}

fn events(call: &Call<'_>) -> Outcome {
    call.only(&[
        &PAGED,
        &["object_type", "object_id", "types", "types[]", "user_ids"],
    ])?;
    let paging = paging(call, &["created_datetime"])?;
    let object_id = call.id_param("object_id")?;
    let object_type = call.request.param("object_type");
    let lists = ["types", "types[]"].into_iter();
    let kinds: Vec<&str> = lists
        .flat_map(|name| call.request.params(name))
        .flat_map(|list| list.split(','))
        .collect();
    let users: Vec<&str> = call
        .request
        .params("user_ids")
        .flat_map(|list| list.split(','))
        .collect();
    let all = call.state.events.values();
    let chosen = all.filter(|one| {
        object_id.is_none_or(|id| id == one.object_id)
            && object_type.is_none_or(|kind| kind == one.object_type)
            && (kinds.is_empty() || kinds.contains(&one.kind))
            && (users.is_empty()
                || one
                    .user_id
                    .is_some_and(|id| users.contains(&id.to_string().as_str())))
    });
    let places = chosen.map(|one| key(one.at, one.id)).collect();
    page(call, &paging, &places, |id| event(call, id))
}

fn event(call: &Call<'_>, id: Id) -> Option<Value> {
    let one = call.state.events.get(&id)?;
    Some(json!({
        "id": one.id,
        "context": null,
        "created_datetime": call.time(one.at),
        "object_id": one.object_id,
        "object_type": one.object_type,
        "type": one.kind,
        "user_id": one.user_id,
        "data": null,
        "uri": format!("/api/events/{}", one.id),
    }))
}
