//! Companies (Intercom facts §7), by our marker in `company_id`.
//!
//! Making one that is there changes it and answers the same: so each is looked up first. What a company has no field for goes to
//! data attributes; the rest is not lost, but exported: Intercom deletes no notes, and shows no company without people.

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, MatchPolicy};
use transload_sdk::effects::{effect, made, print, reject, report, status_of};
use transload_sdk::http::{Refusal as _, Reply, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::policy::{self, canonical};
use transload_sdk::types::{self, Error, Fidelity, Loss};
use transload_sdk::words::Words;

use super::schema::{COMPANY_RUN, change};
use super::{Changed, Creation, WRITES, is_of_run, unsettled};
use crate::api::Company;
use crate::client;
use crate::map::{self, Model, seconds};

/// The company with an item's marker. It comes bare or in a list (Intercom facts §7).
///
/// # Errors
/// What ends the unit.
pub async fn by_marker(cx: &Context, marker: &str) -> Result<Option<Company>, Error> {
    let external = map::external_id(marker);
    let path = format!("/companies?company_id={}", segment(&external));
    let Some(found) = client::find::<Value>(cx, &path).await? else {
        return Ok(None);
    };
    let rows = match found.get("data").and_then(Value::as_array) {
        Some(rows) => rows.clone(),
        None => vec![found],
    };
    for row in rows {
        let company: Company = serde_json::from_value(row)?;
        if company.company_id == external {
            return Ok(Some(company));
        }
    }
    Ok(None)
}

/// What of a company is compared before an undo.
pub fn facets(company: &Company) -> Vec<(String, String)> {
    let mut facets = vec![
        ("name".to_owned(), company.name.clone().unwrap_or_default()),
        (
            "website".to_owned(),
            company.website.clone().unwrap_or_default(),
        ),
        (
            "size".to_owned(),
            company.size.map(|n| n.to_string()).unwrap_or_default(),
        ),
    ];
    for (name, value) in &company.custom_attributes {
        facets.push((format!("field {name}"), canonical(value)));
    }
    facets
}

/// Of the facets of a contact or company only what a request said.
pub fn said(facets: Vec<(String, String)>, body: &Map<String, Value>) -> Vec<(String, String)> {
    let fields = body.get("custom_attributes").and_then(Value::as_object);
    let is_said = |name: &str| match name.strip_prefix("field ") {
        Some(field) => fields.is_some_and(|fields| fields.contains_key(field)),
        None => body.contains_key(name),
    };
    facets
        .into_iter()
        .filter(|(name, _)| is_said(name))
        .collect()
}

struct Draft {
    attributes: Map<String, Value>,
    fields: Map<String, Value>,
    losses: Vec<Loss>,
}

fn draft(cx: &Context, item: &Item, company: &types::Company) -> Draft {
    let head = &item.entry().head;
    let mut losses = Vec::new();
    let mut attributes = Map::new();
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    let name = match company.name.trim() {
        "" => format!("Company {}", head.id),
        _ => company.name.clone(),
    };
    set("name", json!(name));
    if let Some(at) = head.created_at {
        set("remote_created_at", json!(seconds(at)));
    }
    if let Some(count) = company.employee_count {
        set("size", json!(count));
    }
    if let Some(domain) = company.domains.first() {
        set("website", json!(domain));
    }
    let mut lost = |field: &str, there: bool, note| {
        if there {
            losses.push(loss(field, Fidelity::Lost, note));
        }
    };
    const EXPORTED: &str = "a company of Intercom has no place for it: in the export";
    lost(
        "company.domains",
        company.domains.len() > 1,
        "the first is the web page; in the export",
    );
    lost("company.addresses", !company.addresses.is_empty(), EXPORTED);
    lost("company.locations", !company.locations.is_empty(), EXPORTED);
    lost("company.parent", company.parent.is_some(), EXPORTED);
    lost("company.tags", !company.tags.is_empty(), EXPORTED);
    lost("company.language", company.language.is_some(), EXPORTED);
    lost("company.avatar-url", company.avatar_url.is_some(), EXPORTED);
    let words = Words::new([], cx.time_zone());
    let mut fields = Map::new();
    for field in &head.fields {
        match map::place(field, Model::Company, &words) {
            Ok((name, value)) => {
                fields.insert(name, value);
            }
            Err(misfit) => losses.push(loss(
                format!("fields.{}", field.name),
                Fidelity::Lost,
                misfit.0,
            )),
        }
    }
    Draft {
        attributes,
        fields,
        losses,
    }
}

/// Companies.
///
/// # Errors
/// What ends the unit.
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    for (item, company) in each::<types::Company>(cx, items) {
        let draft = draft(cx, item, company);
        let there = match item.certain() {
            Some(candidate) => {
                client::find::<Company>(cx, &format!("/companies/{}", candidate.target_id)).await?
            }
            None => by_marker(cx, &item.marker).await?,
        };
        let lost = |company: &Company| {
            item.in_doubt_since.is_some() && is_of_run(cx, &company.custom_attributes, COMPANY_RUN)
        };
        match there {
            Some(there) if !lost(&there) => update(cx, item, draft, there).await?,
            _ => make(cx, item, draft).await?,
        }
    }
    Ok(())
}

async fn make(cx: &Context, item: &Item, draft: Draft) -> Result<(), Error> {
    let mut body = draft.attributes.clone();
    let mut fields = draft.fields.clone();
    fields.insert(COMPANY_RUN.to_owned(), json!(cx.run()));
    body.insert(
        "company_id".to_owned(),
        json!(map::external_id(&item.marker)),
    );
    body.insert("custom_attributes".to_owned(), Value::Object(fields));
    let key = key(&item.key, "main", "create");
    let request = client::write(cx, "POST", "/companies", key)?.json(&body);
    let find = async || by_marker(cx, &item.marker).await;
    let ours = |company: &Company| is_of_run(cx, &company.custom_attributes, COMPANY_RUN);
    match WRITES
        .make(item.in_doubt_since, request, find, ours)
        .await?
    {
        Creation::There(company, proof, key) => {
            let mut main = made("main", "company", &company.id, proof, key);
            main.fingerprint = Some(print(&said(facets(&company), &body)));
            report(cx, item, status_of(main.action), vec![main], draft.losses);
        }
        Creation::Refused(refusal) => reject(cx, item, refusal.rejection()),
        Creation::Unsettled => {
            let why = "a company whose creation was not answered";
            unsettled(cx, item, why, draft.losses);
        }
    }
    Ok(())
}

/// A company that was there, as far as the policy goes.
async fn update(cx: &Context, item: &Item, mut draft: Draft, before: Company) -> Result<(), Error> {
    let mut main = effect("main", "company", &before.id, Action::Matched);
    if item.policy == MatchPolicy::Leave {
        let note = "the company that is there was left as it is";
        draft.losses.push(loss("company", Fidelity::Lost, note));
    }
    let was = serde_json::to_value(&before)?;
    let (body, images) = changes(item.policy, &draft.attributes, &draft.fields, &was);
    if !body.is_empty() {
        let path = format!("/companies/{}", before.id);
        let request = |step: &str| {
            let request = client::write(cx, "PUT", path.clone(), key(&item.key, "main", step));
            request.map(|request| request.idempotent(None).json(&body))
        };
        let find = async || client::find::<Company>(cx, &path).await;
        let is_done = |company: &Company| {
            let now = serde_json::to_value(company).unwrap_or_default();
            policy::holds(&now, &body)
        };
        match change(cx, request, Reply::json, find, is_done).await? {
            Changed::Done(company, key) => {
                main = Effect {
                    action: Action::Updated,
                    key: Some(key),
                    before: Some(Value::Object(images).to_string()),
                    fingerprint: Some(print(&said(facets(&company), &body))),
                    ..main
                };
            }
            Changed::Refused(refusal) => {
                reject(cx, item, refusal.rejection());
                return Ok(());
            }
            Changed::Unknown => {
                let why = "a change of a company that was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
        }
    }
    let status = match main.action {
        Action::Updated => Status::Updated,
        _ => Status::Matched,
    };
    report(cx, item, status, vec![main], draft.losses);
    Ok(())
}

/// What is to be changed in a contact or company by the policy, as the body of a change, and what puts it back.
pub fn changes(
    policy: MatchPolicy,
    attributes: &Map<String, Value>,
    fields: &Map<String, Value>,
    was: &Value,
) -> (Map<String, Value>, Map<String, Value>) {
    let change = policy::changes(policy, attributes, was);
    let (mut body, mut before) = (change.wanted, change.before);
    let there = was.get("custom_attributes").cloned().unwrap_or_default();
    let change = policy::changes(policy, fields, &there);
    if !change.wanted.is_empty() {
        body.insert("custom_attributes".to_owned(), Value::Object(change.wanted));
        before.insert("custom_attributes".to_owned(), Value::Object(change.before));
    }
    (body, before)
}
