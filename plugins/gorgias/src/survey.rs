//! The account before anything is written: whose it is, what it allows, what would act on imported tickets, what could be mapped to
//! what, and the few things the connector makes for itself.

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::declare::Naming;
use transload_sdk::destination::{
    Allowance, Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_sdk::effects::{self, found, own, print};
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::ledger::{Effect, Proof, Status};
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::{ChoiceOption, Error, FieldType, Kind};

use crate::api::{Customer, Field, Tag, Team, User};
use crate::client;
use crate::map::{self, FieldOwner, FieldTarget};
use crate::state::{Config, State};
use crate::write::customers::{self, facets, with_external_id};
use crate::write::{Creation, WRITES, is_of_run, people, schema};

/// Pages of customers that are counted before the run: where there are more, they are not listed to be matched.
const OLD_PAGES: usize = 20;

/// The credential's owner (Gorgias facts §1).
async fn me(cx: &Context) -> Result<User, Error> {
    let me = client::find::<User>(cx, "/users/0").await?;
    me.filter(|me| me.id != 0)
        .ok_or_else(|| Error::Auth("Gorgias does not say whose the credential is".to_owned()))
}

fn notice(code: &str, severity: Severity, message: String, remedy: &str) -> Notice {
    Notice {
        code: code.to_owned(),
        severity,
        message,
        remedy: Some(remedy.to_owned()),
    }
}

/// Whom the credential belongs to.
///
/// # Errors
/// What ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let account: Value = client::find(cx, "/account").await?.unwrap_or_default();
    let word = |name: &str| account.get(name).and_then(Value::as_str).map(str::to_owned);
    let config: Config = cx.config()?;
    let domain = word("domain").unwrap_or_else(|| config.account.clone());
    let me = me(cx).await?;
    let mut missing = Vec::new();
    if me.role.name != "admin" {
        missing.push("role admin: a key acts with its user's role".to_owned());
    }
    let mut notices = Vec::new();
    if let Some(wanted) = &config.fallback_agent {
        let users = people::users(cx).await?;
        if fallback_agent(&users, wanted).is_none() {
            notices.push(FALLBACK.notice(wanted));
        }
    }
    Ok(Account {
        id: domain.clone(),
        name: domain.clone(),
        url: Some(format!("https://{domain}.gorgias.com")),
        tier: None,
        time_zone: me.timezone.clone(),
        user: Some(me.email.clone().unwrap_or_else(|| me.name.clone())),
        roles: vec![me.role.name.clone()],
        missing,
        excess: Vec::new(),
        notices,
    })
}

fn fallback_agent<'u>(users: &'u [User], wanted: &str) -> Option<&'u User> {
    let by_id = || {
        users
            .iter()
            .find(|user| user.id.to_string() == wanted.trim())
    };
    let found = people::by_email(users, wanted).or_else(by_id);
    found.filter(|user| people::is_staff(user))
}

/// Who stands in for agents who are not here.
const FALLBACK: Naming = Naming {
    setting: "fallback_agent",
    must_be: "active user of the account",
    remedy: "name an agent by e-mail address or id, or leave it out: then the credential's owner stands in",
};

// ---- what there could be

fn target_field(kind: &Kind, owner: FieldOwner, field: &Field) -> TargetField {
    let choices = field.choices();
    let (word, field_type) = match (field.data_type(), &choices) {
        ("text", Some(_)) => ("dropdown", FieldType::Choice),
        ("text", None) => ("text", FieldType::Text),
        ("number", _) => ("number", FieldType::Decimal),
        ("boolean", _) => ("boolean", FieldType::Boolean),
        (other, _) => (other, FieldType::Other(other.to_owned())),
    };
    let target = FieldTarget {
        owner,
        id: field.id,
        kind: word.to_owned(),
        choices: Vec::new(),
    };
    let option = |choice: &str| ChoiceOption {
        value: choice.to_owned(),
        label: choice.to_owned(),
        active: true,
    };
    TargetField {
        kind: kind.clone(),
        object_type: None,
        address: target.to_string(),
        name: field.label.clone(),
        label: field.label.clone(),
        field_type,
        required: field.required,
        options: choices
            .unwrap_or_default()
            .into_iter()
            .map(option)
            .collect(),
    }
}

fn slot(name: &str, values: &[&str], defaults: &[(&str, &str)], fallback: Option<&str>) -> Slot {
    let option = |value: &&str| SlotOption {
        value: (*value).to_owned(),
        label: (*value).to_owned(),
    };
    let pair = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
    Slot {
        kind: Kind::Conversation,
        name: name.to_owned(),
        values: values.iter().map(option).collect(),
        defaults: defaults.iter().map(pair).collect(),
        fallback: fallback.map(str::to_owned),
    }
}

fn slots() -> Vec<Slot> {
    vec![
        slot(
            "status",
            &["open", "closed", map::SNOOZED],
            &[
                ("open", "open"),
                ("snoozed", map::SNOOZED),
                ("closed", "closed"),
            ],
            None,
        ),
        slot(
            "priority",
            &["critical", "high", "normal", "low"],
            &[
                ("1/1..5", "low"),
                ("2/1..5", "low"),
                ("3/1..5", "normal"),
                ("4/1..5", "high"),
                ("5/1..5", "critical"),
                ("1/1..4", "low"),
                ("2/1..4", "normal"),
                ("3/1..4", "high"),
                ("4/1..4", "critical"),
            ],
            None,
        ),
        // Custom channels are named by their slug: so the values are free.
        slot(
            "channel",
            &[],
            &map::CHANNEL_DEFAULTS,
            Some(map::OTHER_CHANNEL),
        ),
    ]
}

/// What there could be. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let config: Config = cx.config()?;
    let users = people::users(cx).await?;
    let agents = users
        .iter()
        .filter(|user| user.role.name != "bot")
        .map(|user| TargetAgent {
            id: user.id.to_string(),
            email: user.email.clone(),
            name: user.name.clone(),
            active: user.active != Some(false),
            note: Some(user.role.name.clone()).filter(|role| !role.is_empty()),
        });
    let agents: Vec<TargetAgent> = agents.collect();
    let (mut fields, mut allowances, mut notices) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, owner, name, limit) in [
        (
            Kind::Conversation,
            FieldOwner::Ticket,
            "ticket fields",
            config.ticket_field_limit,
        ),
        (
            Kind::Customer,
            FieldOwner::Customer,
            "customer fields",
            config.customer_field_limit,
        ),
    ] {
        let active = schema::fields_of(cx, owner, false).await?;
        for field in active.iter().filter(|field| field.required) {
            let text = format!(
                "field `{}` is required: agents cannot close tickets without it",
                field.label
            );
            let remedy = "make it optional until the migration has ended";
            notices.push(notice("required-field", Severity::Caution, text, remedy));
        }
        allowances.push(Allowance {
            name: name.to_owned(),
            used: u64::try_from(active.len()).ok(),
            limit: u64::try_from(limit).ok(),
        });
        fields.extend(active.iter().map(|field| target_field(&kind, owner, field)));
    }
    allowances.push(Allowance {
        name: "file-bytes".to_owned(),
        used: None,
        limit: Some(config.max_attachment_bytes),
    });
    notices.extend(rules(cx).await?);
    notices.extend(integrations(cx).await?);
    notices.push(notice(
        "services",
        Severity::Caution,
        "satisfaction surveys, auto-assignment, the AI agent, SLA policies and notices act on imported tickets as on any".to_owned(),
        "pause them until the migration has ended; ask Gorgias whether imported tickets are billed",
    ));
    let teams: Vec<Team> = client::list(cx, "/teams").await?;
    let tags = schema::all_tags(cx).await?;
    let counts = [
        (Kind::Agent, agents.len()),
        (Kind::Team, teams.len()),
        (Kind::Tag, tags.len()),
    ];
    Ok(SurveyReport {
        slots: slots(),
        agents,
        fields,
        allowances,
        notices,
        counts: counts.map(|(kind, count)| (kind, count as u64)).to_vec(),
        support: None,
    })
}

/// Rules that are on: nothing keeps them from acting on imported tickets (Gorgias facts §12).
async fn rules(cx: &Context) -> Result<Vec<Notice>, Error> {
    let rules: Vec<Value> = client::list(cx, "/rules").await?;
    let is_on = |rule: &&Value| rule.get("deactivated_datetime").is_none_or(Value::is_null);
    let tag = State::tag_of(cx.platform());
    let say = |rule: &Value| {
        let name = rule.get("name").and_then(Value::as_str).unwrap_or_default();
        let text = format!(
            "rule `{name}` runs on imported tickets too: it may reopen, assign, tag and answer them"
        );
        let remedy = format!(
            "switch it off for the migration, or let it leave out tickets with the tag {tag}"
        );
        notice("rule-runs", Severity::Danger, text, &remedy)
    };
    Ok(rules.iter().filter(is_on).map(say).collect())
}

/// HTTP integrations are told of every ticket and message (Gorgias facts §12).
async fn integrations(cx: &Context) -> Result<Vec<Notice>, Error> {
    let all: Vec<Value> = client::list(cx, "/integrations").await?;
    let is_on = |one: &&Value| {
        let kind = one.get("type").and_then(Value::as_str);
        kind == Some("http") && one.get("deactivated_datetime").is_none_or(Value::is_null)
    };
    let say = |one: &Value| {
        let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
        let text = format!("HTTP integration `{name}` is told of imported tickets and messages");
        notice(
            "webhook-fires",
            Severity::Danger,
            text,
            "switch it off for the migration",
        )
    };
    Ok(all.iter().filter(is_on).map(say).collect())
}

// ---- what the connector needs

/// Finds the ids that all later calls need, and makes the tag of imported tickets and the customer who stands in.
///
/// # Errors
/// What ends the unit; `invalid` when a setting names nobody.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let config: Config = cx.config()?;
    let me = me(cx).await?.id;
    let stand_in = match &config.fallback_agent {
        None => me,
        Some(wanted) => {
            let users = people::users(cx).await?;
            let agent = fallback_agent(&users, wanted).map(|user| user.id);
            agent.ok_or_else(|| FALLBACK.error(wanted))?
        }
    };
    let (old, complete): (Vec<Customer>, bool) = client::list_while(
        cx,
        "/customers?order_by=created_datetime:asc",
        OLD_PAGES,
        |_| true,
    )
    .await?;
    let old_pages = complete.then(|| old.len().div_ceil(client::PAGE).max(1));
    let tag = own_tag(cx).await?;
    let stand_in_customer = stand_in_customer(cx).await?;
    let state = State {
        me,
        stand_in,
        stand_in_customer,
        tag,
        old_pages,
        prepared_at: cx.now(),
    };
    Ok(serde_json::to_string(&state)?)
}

/// The tag by which rules and statistics can leave imported tickets out.
async fn own_tag(cx: &Context) -> Result<String, Error> {
    let (item, name) = ("own:tag:imported", State::tag_of(cx.platform()));
    let mut known: Vec<Tag> = schema::all_tags(cx).await?;
    let there = known.iter().find(|tag| tag.name == name).cloned();
    let made = schema::tag(cx, item, None, (&name, item, None), &mut known).await?;
    let effect = match (made, there) {
        (Ok(_), Some(tag)) => {
            let ours = effects::is_of_run(cx, tag.description.as_deref());
            let target = map::NamedTarget {
                id: tag.id,
                name: name.clone(),
            };
            Effect {
                fingerprint: Some(print(&schema::tag_facets(&tag))),
                ..found(cx, "tag", target.to_string(), ours)
            }
        }
        (Ok(effect), None) => effect,
        (Err(Status::Rejected(error)), _) => return Err(error),
        (Err(_), _) => return Err(Error::Transient(format!("{item} could not be made yet"))),
    };
    own(cx, item, vec![effect]).await?;
    Ok(name)
}

/// The customer in whose name tickets stand whose customer was not migrated: without an address, so that nothing can be mailed.
async fn stand_in_customer(cx: &Context) -> Result<u64, Error> {
    let item = "own:customer:stand-in";
    let marker = map::external_id(&cx.stand_in_marker());
    if let Some(customer) = with_external_id(cx, &marker).await? {
        let ours = is_of_run(cx, &customer.meta);
        let effect = Effect {
            fingerprint: Some(print(&stand_in_facets(&customer))),
            ..found(cx, "customer", customer.id.to_string(), ours)
        };
        own(cx, item, vec![effect]).await?;
        return Ok(customer.id);
    }
    let mut body = json!({
        "name": "Customer who was not migrated", "external_id": marker, "channels": [],
        "meta": {"transload_run": cx.run()},
    });
    for step in ["create", "create-again", "create-at-last"] {
        let request = cx
            .http()
            .write("POST", "/customers", key(item, "main", step))
            .json(&body);
        let find = async || with_external_id(cx, &marker).await;
        let ours = |customer: &Customer| is_of_run(cx, &customer.meta);
        let made: Creation<Customer> = WRITES.make(None, request, find, ours).await?;
        match made {
            Creation::There(customer, proof, key) => {
                // It was missing right before, in this unit (rule D-4).
                let proof = proof.or(Some(Proof::AbsentBefore));
                let mut effect =
                    effects::made("main", "customer", customer.id.to_string(), proof, key);
                effect.fingerprint = Some(print(&stand_in_facets(&customer)));
                own(cx, item, vec![effect]).await?;
                return Ok(customer.id);
            }
            Creation::Refused(refusal) => {
                // Not every text about Gorgias has `meta` on creation, nor customers without an address (Gorgias facts §7).
                let members = body.as_object_mut();
                let without = members.is_some_and(|body| {
                    let meta = refusal.is_about("meta") && body.remove("meta").is_some();
                    let address = customers::wants_address(&refusal)
                        && body.insert("channels".to_owned(), json!([customers::nowhere(&marker)]))
                            == Some(json!([]));
                    meta || address
                });
                if !without {
                    return Err(refusal.rejection());
                }
            }
            Creation::Unsettled => break,
        }
    }
    Err(Error::Transient(format!("{item} could not be made yet")))
}

fn stand_in_facets(customer: &Customer) -> Vec<(String, String)> {
    let kept = ["name", "external_id", "channels"];
    let all = facets(customer).into_iter();
    all.filter(|(name, _)| kept.contains(&name.as_str()))
        .collect()
}
