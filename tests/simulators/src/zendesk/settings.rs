//! What an account is, apart from its data: settings, brands, locales, forms, roles, views, macros, SLA policies, tags.
//!
//! Read-only: a destination surveys it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::iso;
use super::call::{Call, page_list};
use super::model::{FieldOwner, Id};

/// The account's own locale.
const ENGLISH: (Id, &str, &str) = (1, "en-US", "English");

/// The locales of the account: id, code, name.
const LOCALES: [(Id, &str, &str); 6] = [
    ENGLISH,
    (2, "es", "Español"),
    (1_176, "en-GB", "English (United Kingdom)"),
    (8, "de", "Deutsch"),
    (16, "fr", "Français"),
    (1_194, "es-ES", "Español (España)"),
];

/// The id of a locale; unknown ones count as the first.
pub(super) fn locale_id(code: &str) -> Id {
    LOCALES
        .iter()
        .find(|(_, known, _)| *known == code)
        .map_or(1, |(id, _, _)| *id)
}

/// The code of a locale.
pub(super) fn locale(id: Id) -> Option<&'static str> {
    LOCALES
        .iter()
        .find(|(known, _, _)| *known == id)
        .map(|(_, code, _)| *code)
}

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    if call.request.method != "GET" {
        return None;
    }
    Some(match path {
        ["account", "settings"] => account(call),
        ["brands"] => one_of(call, "brands", brand(call)),
        ["brands", id] if id.parse() == Ok(call.state.brand_id) => {
            Answer::ok(json!({"brand": brand(call)}))
        }
        ["ticket_forms"] => one_of(call, "ticket_forms", form(call)),
        ["ticket_forms", id] if id.parse() == Ok(call.state.form_id) => {
            Answer::ok(json!({"ticket_form": form(call)}))
        }
        ["locales"] | ["locales", "agent" | "public"] => {
            let list: Vec<Value> = LOCALES.iter().map(|l| locale_json(call, l)).collect();
            Answer::ok(json!({"locales": list}))
        }
        ["locales", "current"] => Answer::ok(json!({"locale": locale_json(call, &ENGLISH)})),
        ["locales", id] => {
            let found = LOCALES
                .iter()
                .find(|(n, code, _)| id.parse() == Ok(*n) || code == id);
            found
                .ok_or(Failure::RecordNotFound)
                .and_then(|found| Answer::ok(json!({"locale": locale_json(call, found)})))
        }
        ["custom_roles"] => Answer::ok(
            json!({"custom_roles": [], "count": 0, "next_page": null, "previous_page": null}),
        ),
        ["views"] | ["views", "active"] => one_of(call, "views", view(call)),
        ["macros"] | ["macros", "active"] => one_of(call, "macros", a_macro(call)),
        ["slas", "policies"] => one_of(call, "sla_policies", policy(call)),
        ["tags"] => tags(call),
        ["autocomplete", "tags"] => {
            let prefix = call
                .request
                .param("name")
                .unwrap_or_default()
                .to_lowercase();
            let all = counted(call);
            let tags: Vec<String> = all
                .into_keys()
                .filter(|tag| tag.starts_with(&prefix))
                .collect();
            Answer::ok(json!({"tags": tags}))
        }
        _ => return None,
    })
}

fn one_of(call: &Call<'_>, key: &str, only: Value) -> Outcome {
    page_list(call, key, 1, |_| Some(only.clone()))
}

fn made(call: &Call<'_>) -> String {
    let owner = call.state.users.get(&call.state.owner_id);
    owner.map(|user| iso(user.created_at)).unwrap_or_default()
}

fn account(call: &Call<'_>) -> Outcome {
    let switches = &call.state.config.switches;
    let megabytes = switches.upload_max_bytes / (1024 * 1024);
    Answer::ok(json!({"settings": {
        "active_features": {
            "on_hold_status": true,
            "user_tagging": switches.user_tagging,
            "ticket_tagging": true,
            "ticket_forms": true,
            "user_org_fields": true,
            "customer_satisfaction": true,
            "sandbox": false,
        },
        "agents": {"agent_workspace": true},
        "api": {
            "accepted_api_agreement": true,
            "api_token_access": if switches.api_tokens_ended { "false" } else { "true" },
        },
        "brands": {"default_brand_id": call.state.brand_id, "require_brand_on_new_tickets": false},
        "groups": {"check_group_name_uniqueness": false},
        "limits": {"attachment_size": megabytes * 1024 * 1024},
        "localization": {"locale_ids": LOCALES.map(|(id, _, _)| id)},
        "tickets": {
            "comments_public_by_default": true,
            "is_first_comment_private_enabled": true,
            "follower_and_email_cc_collaborations": true,
            "tagging": true,
            "status_hold": true,
            "agent_ticket_deletion": true,
            "maximum_personal_views_to_list": 8,
        },
        "user": {
            "tagging": switches.user_tagging,
            "time_zone_selection": true,
            "language_selection": true,
            "multiple_organizations": true,
            "agent_created_welcome_emails": true,
            "end_user_phone_number_validation": switches.strict_phone,
        },
    }}))
}

fn brand(call: &Call<'_>) -> Value {
    let subdomain = &call.state.config.subdomain;
    json!({
        "id": call.state.brand_id,
        "url": format!("{}/api/v2/brands/{}", call.base, call.state.brand_id),
        "name": subdomain,
        "subdomain": subdomain,
        "brand_url": format!("https://{subdomain}.zendesk.com"),
        "active": true,
        "default": true,
        "is_deleted": false,
        "has_help_center": false,
        "help_center_state": "disabled",
        "host_mapping": "",
        "signature_template": "{{agent.signature}}",
        "ticket_form_ids": [call.state.form_id],
        "created_at": made(call),
        "updated_at": made(call),
    })
}

fn form(call: &Call<'_>) -> Value {
    let fields: Vec<Id> = call
        .state
        .fields_of(&FieldOwner::Ticket)
        .map(|f| f.id)
        .collect();
    json!({
        "id": call.state.form_id,
        "url": format!("{}/api/v2/ticket_forms/{}", call.base, call.state.form_id),
        "name": "Default Ticket Form",
        "raw_name": "Default Ticket Form",
        "display_name": "Default Ticket Form",
        "raw_display_name": "Default Ticket Form",
        "active": true,
        "default": true,
        "end_user_visible": true,
        "in_all_brands": true,
        "restricted_brand_ids": [],
        "position": 0,
        "ticket_field_ids": fields,
        "agent_conditions": [],
        "end_user_conditions": [],
        "created_at": made(call),
        "updated_at": made(call),
    })
}

fn locale_json(call: &Call<'_>, (id, code, name): &(Id, &str, &str)) -> Value {
    json!({
        "id": id,
        "url": format!("{}/api/v2/locales/{id}", call.base),
        "locale": code,
        "name": name,
        "created_at": made(call),
        "updated_at": made(call),
    })
}

fn view(call: &Call<'_>) -> Value {
    json!({
        "id": 25,
        "url": format!("{}/api/v2/views/25", call.base),
        "title": "Your unsolved tickets",
        "description": "",
        "active": true,
        "default": false,
        "position": 0,
        "conditions": {
            "all": [{"field": "status", "operator": "less_than", "value": "solved"}], "any": [],
        },
        "execution": {},
        "restriction": {},
        "created_at": made(call),
        "updated_at": made(call),
    })
}

fn a_macro(call: &Call<'_>) -> Value {
    json!({
        "id": 26,
        "url": format!("{}/api/v2/macros/26", call.base),
        "title": "Close and redirect",
        "raw_title": "Close and redirect",
        "description": null,
        "active": true,
        "default": false,
        "position": 0,
        "actions": [{"field": "status", "value": "solved"}],
        "restriction": null,
        "created_at": made(call),
        "updated_at": made(call),
    })
}

fn policy(call: &Call<'_>) -> Value {
    json!({
        "id": 36,
        "url": format!("{}/api/v2/slas/policies/36", call.base),
        "title": "Urgent tickets",
        "description": "First reply within an hour",
        "position": 0,
        "filter": {
            "all": [{"field": "priority", "operator": "is", "value": "urgent"}], "any": [],
        },
        "policy_metrics": [{
            "priority": "urgent", "metric": "first_reply_time", "target": 60, "business_hours": false,
        }],
        "created_at": made(call),
        "updated_at": made(call),
    })
}

fn counted(call: &Call<'_>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for ticket in call
        .state
        .tickets
        .values()
        .filter(|ticket| ticket.deleted.is_none())
    {
        for tag in &ticket.tags {
            *counts.entry(tag.clone()).or_default() += 1;
        }
    }
    counts
}

/// `GET /tags`: the most used first (§10).
fn tags(call: &Call<'_>) -> Outcome {
    let mut all: Vec<(String, usize)> = counted(call).into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(20_000);
    page_list(call, "tags", all.len(), |at| {
        let (name, count) = all.get(at)?;
        Some(json!({"name": name, "count": count}))
    })
}
