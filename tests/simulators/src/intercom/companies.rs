//! Companies (Intercom facts §7).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, numbered};
use super::model::{Company, Id, Model};
use super::read::Reader;
use super::rules::{Happened, Topic};
use super::state::{Due, Scroll, State};
use super::{contacts, values};

/// What a body may say; anything else is a 400 in any case (§7).
const KEYS: [&str; 10] = [
    "name",
    "company_id",
    "plan",
    "size",
    "website",
    "industry",
    "custom_attributes",
    "remote_created_at",
    "update_last_request_at",
    "monthly_spend",
];
/// Companies of one page of a scroll.
const SCROLLED: usize = 100;
/// How long a scroll stays open unused (§2).
const SCROLL_LIFE_MS: i64 = 60_000;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("POST", ["companies"]) => post(call),
        ("GET", ["companies"]) => get(call),
        ("POST", ["companies", "list"]) => {
            let cap = call.state.config.switches.company_list_cap;
            list(call, |_| true, cap)
        }
        ("GET", ["companies", "scroll"]) => scroll(call),
        ("GET", ["companies", id]) => {
            let company = call.state.company(id);
            company.and_then(|company| Answer::ok(render(call.state, company)))
        }
        ("PUT", ["companies", id]) => put(call, id),
        ("DELETE", ["companies", id]) => delete(call, id),
        ("GET", ["companies", id, "contacts"]) => list_contacts(call, id),
        ("GET", ["companies", id, "segments"]) => call
            .state
            .company(id)
            .and_then(|_| Answer::ok(json!({"type": "list", "data": []}))),
        _ => return None,
    })
}

/// A company as answers show it.
pub(super) fn render(state: &State, company: &Company) -> Value {
    let tags: Vec<Value> = company
        .tags
        .iter()
        .filter_map(|id| state.tags.get(id))
        .map(|tag| json!({"type": "tag", "id": tag.id.to_string(), "name": tag.name}))
        .collect();
    let mut shown = json!({
        "type": "company",
        "company_id": company.company_id,
        "id": company.id,
        "app_id": state.config.workspace_id,
        "created_at": company.created_at,
        "updated_at": company.updated_at,
        "monthly_spend": company.monthly_spend,
        "session_count": 0,
        "user_count": company.contacts.len(),
        "tags": {"type": "tag.list", "tags": tags},
        "segments": {"type": "segment.list", "segments": []},
        "plan": {},
        "custom_attributes": company.custom_attributes,
    });
    let Some(map) = shown.as_object_mut() else {
        return shown;
    };
    let plan = company
        .plan
        .as_ref()
        .map(|name| json!({"type": "plan", "id": "1", "name": name}));
    for (key, value) in [
        ("name", company.name.clone().map(Value::from)),
        (
            "remote_created_at",
            company.remote_created_at.map(Value::from),
        ),
        ("size", company.size.map(Value::from)),
        ("website", company.website.clone().map(Value::from)),
        ("industry", company.industry.clone().map(Value::from)),
        ("plan", plan),
    ] {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    }
    shown
}

fn get(call: &Call<'_>) -> Outcome {
    let state = &*call.state;
    let (key, name) = (call.request.param("company_id"), call.request.param("name"));
    if key.is_some() || name.is_some() {
        let found = match (key, name) {
            (Some(key), _) => state
                .companies_by_key
                .get(key)
                .and_then(|id| state.companies.get(id)),
            _ => state
                .companies
                .values()
                .find(|one| one.name.as_deref() == name),
        };
        let company = found
            .filter(|company| !company.archived)
            .ok_or_else(Failure::company)?;
        let shown = render(state, company);
        // §7 [?]: the description says one, the schema a list.
        if !state.config.switches.company_lookup_listed {
            return Answer::ok(shown);
        }
        let pages =
            json!({"type": "pages", "next": null, "page": 1, "per_page": 15, "total_pages": 1});
        return Answer::ok(
            json!({"type": "list", "data": [shown], "pages": pages, "total_count": 1}),
        );
    }
    let tag: Option<Id> = call.request.param("tag_id").and_then(|id| id.parse().ok());
    let by_segment = call.request.param("segment_id").is_some();
    let fits = |company: &Company| !by_segment && tag.is_none_or(|tag| company.tags.contains(&tag));
    list(call, fits, usize::MAX)
}

/// Companies that somebody belongs to, the newest first (§7).
fn list(call: &Call<'_>, fits: impl Fn(&Company) -> bool, cap: usize) -> Outcome {
    let state = &*call.state;
    let shown = |one: &&Company| !one.archived && !one.contacts.is_empty() && fits(one);
    let all: Vec<&Company> = state
        .companies
        .values()
        .rev()
        .filter(shown)
        .take(cap)
        .collect();
    let total = all.len();
    let (page, pages) = numbered(call, all, 15, 60)?;
    let data: Vec<Value> = page.into_iter().map(|one| render(state, one)).collect();
    Answer::ok(json!({"type": "list", "data": data, "pages": pages, "total_count": total}))
}

fn scroll(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.state.now_ms;
    let open = call.state.scroll.take();
    let open = open.filter(|scroll| now_ms - scroll.used_ms <= SCROLL_LIFE_MS);
    let mut scroll = match (call.request.param("scroll_param"), open) {
        (None, Some(open)) => {
            call.state.scroll = Some(open);
            let message = "scroll already exists for this workspace";
            return Err(Failure::new(400, "scroll_exists", message));
        }
        (None, None) => {
            let shown = call.state.companies.values();
            let shown = shown.filter(|one| !one.archived && !one.contacts.is_empty());
            let left: Vec<String> = shown.map(|one| one.id.clone()).collect();
            Scroll {
                param: call.state.uuid(),
                used_ms: now_ms,
                left,
            }
        }
        (Some(param), Some(open)) if open.param == param => open,
        (Some(_), open) => {
            call.state.scroll = open;
            return Err(Failure::new(404, "not_found", "scroll parameter not found"));
        }
    };
    let rest = scroll.left.split_off(scroll.left.len().min(SCROLLED));
    let page = std::mem::replace(&mut scroll.left, rest);
    let state = &*call.state;
    let shown = page.iter().filter_map(|id| state.companies.get(id));
    let data: Vec<Value> = shown.map(|one| render(state, one)).collect();
    let answer = json!({
        "type": "list", "data": data, "pages": null, "total_count": null, "scroll_param": scroll.param,
    });
    // The end of the scroll closes it.
    if !page.is_empty() {
        scroll.used_ms = now_ms;
        call.state.scroll = Some(scroll);
    }
    Answer::ok(answer)
}

fn apply(state: &State, reader: Reader<'_>, company: &mut Company) -> Result<(), Failure> {
    for (key, part) in [
        ("name", &mut company.name),
        ("plan", &mut company.plan),
        ("website", &mut company.website),
        ("industry", &mut company.industry),
    ] {
        if reader.given(key) {
            *part = reader.text(key)?;
        }
    }
    if reader.given("remote_created_at") {
        company.remote_created_at = reader.time("remote_created_at")?;
    }
    if reader.given("size") {
        company.size = reader.integer("size")?;
    }
    if let Some(value) = reader.raw("monthly_spend") {
        // §7: cut to whole units, and bounded.
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the platform cuts it; it is bounded below"
        )]
        let spend = value.as_f64().map(|spend| spend.trunc() as i64);
        match spend {
            Some(spend) if spend <= i64::from(i32::MAX) => company.monthly_spend = spend,
            _ => {
                return Err(Failure::field(
                    "monthly_spend",
                    "monthly_spend is not valid",
                ));
            }
        }
    }
    if let Some(given) = reader.object("custom_attributes")? {
        values::merge_data(state, Model::Company, given, &mut company.custom_attributes)?;
    }
    Ok(())
}

fn blank(state: &mut State, company_id: String) -> Company {
    let now = state.now();
    Company {
        id: state.next_hex(),
        company_id,
        name: None,
        remote_created_at: None,
        plan: None,
        size: None,
        website: None,
        industry: None,
        monthly_spend: 0,
        custom_attributes: std::collections::BTreeMap::new(),
        tags: Vec::new(),
        notes: Vec::new(),
        contacts: std::collections::BTreeSet::new(),
        created_at: now,
        updated_at: now,
        archived: false,
    }
}

fn post(call: &mut Call<'_>) -> Outcome {
    let reader = Reader::new(&call.request.json)?;
    reader.only(&KEYS)?;
    let id = make(call.state, reader)?;
    Answer::ok(render(call.state, call.state.company(&id)?))
}

/// Makes a company, or changes the one with its `company_id`.
pub(super) fn make(state: &mut State, reader: Reader<'_>) -> Result<String, Failure> {
    let key = reader.word("company_id")?.filter(|key| !key.is_empty());
    if key.is_none() && reader.text("name")?.is_none() {
        return Err(Failure::new(
            400,
            "parameter_not_found",
            "company not specified",
        ));
    }
    let old = key
        .as_ref()
        .and_then(|key| state.companies_by_key.get(key))
        .cloned();
    let old = old.and_then(|id| state.companies.get(&id)).cloned();
    let revived = state.config.switches.company_revived;
    let is_new = old.is_none();
    let mut company = match old {
        Some(mut company) if !company.archived || revived => {
            company.archived = false;
            company
        }
        _ => {
            let key = match key {
                Some(key) => key,
                None => state.token(24),
            };
            blank(state, key)
        }
    };
    apply(state, reader, &mut company)?;
    company.updated_at = state.now();
    let id = company.id.clone();
    let topic = if is_new {
        "company.created"
    } else {
        "company.updated"
    };
    state.tell(Happened::webhook(topic, Topic::Company(id.clone())));
    state
        .companies_by_key
        .insert(company.company_id.clone(), id.clone());
    state.companies.insert(id.clone(), company);
    Ok(id)
}

fn put(call: &mut Call<'_>, id: &str) -> Outcome {
    let mut company = call.state.company(id)?.clone();
    let reader = Reader::new(&call.request.json)?;
    reader.only(&KEYS)?;
    // §7: the `company_id` never changes.
    if reader
        .word("company_id")?
        .is_some_and(|key| key != company.company_id)
    {
        return Err(Failure::field("company_id", "company_id cannot be changed"));
    }
    apply(call.state, reader, &mut company)?;
    company.updated_at = call.now();
    let answer = render(call.state, &company);
    call.state.companies.insert(id.to_owned(), company);
    Answer::ok(answer)
}

fn delete(call: &mut Call<'_>, id: &str) -> Outcome {
    call.state.company(id)?;
    // §7: it is archived, some time later.
    let after = call
        .state
        .config
        .switches
        .company_archiving_time
        .num_milliseconds();
    call.state.schedule(
        call.state.now_ms + after,
        Due::ArchiveCompany(id.to_owned()),
    );
    Answer::ok(json!({"id": id, "object": "company", "deleted": true}))
}

/// Archives a company and detaches its contacts (§7).
pub(super) fn archive(state: &mut State, id: &str) {
    let Some(company) = state.companies.get_mut(id) else {
        return;
    };
    company.archived = true;
    for contact in std::mem::take(&mut company.contacts) {
        contacts::part(state, &contact, id);
    }
}

fn list_contacts(call: &Call<'_>, id: &str) -> Outcome {
    let all: Vec<String> = call.state.company(id)?.contacts.iter().cloned().collect();
    let total = all.len();
    let (page, pages) = numbered(call, all, 50, 60)?;
    let version = call.actor.version;
    let shown = page.iter().filter_map(|id| call.state.contacts.get(id));
    let data: Vec<Value> = shown
        .map(|one| contacts::render(call.state, one, version))
        .collect();
    Answer::ok(json!({"type": "list", "data": data, "total_count": total, "pages": pages}))
}
