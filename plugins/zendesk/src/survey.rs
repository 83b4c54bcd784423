//! The account before anything is written: whose it is, what it allows, what could be mapped to what, and the few things
//! the connector makes for itself.

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::declare::{Naming, names, notice, option};
use transload_sdk::destination::{
    AccountSupport, Allowance, Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_sdk::effects::{found, own};
use transload_sdk::http::{self, key};
use transload_sdk::ledger::{Action, Status};
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::{ChoiceOption, Error, FieldType, Kind, ReferenceType};

use crate::api::{CustomObject, CustomStatus, FieldDefinition, Group, User};
use crate::client::{self, Sent};
use crate::describe;
use crate::map::{self, FieldOwner};
use crate::state::{Config, State, UserImport, own_field};
use crate::write::{self, matching, people, schema};

/// The credential's owner. `GET /users/me` alone proves nothing: without valid credentials it may answer 200 with an
/// anonymous user (Zendesk facts §1).
async fn me(cx: &Context) -> Result<User, Error> {
    let me: User = client::get_member(cx, "/api/v2/users/me", "user").await?;
    if me.id.is_none() {
        return Err(Error::Auth(
            "Zendesk takes the credential for nobody's (anonymous user)".to_owned(),
        ));
    }
    Ok(me)
}

/// Whom the credential belongs to.
///
/// # Errors
/// `auth` for a credential that is nobody's, otherwise what ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let me = me(cx).await?;
    let mut missing = Vec::new();
    let mut notices = Vec::new();
    if me.role != "admin" {
        missing.push("role admin: only admins may import tickets".to_owned());
    }
    // A scope that does not exist is granted and then refuses every call (Zendesk facts §1): so a real resource is read.
    let settings = match client::get(cx, "/api/v2/account/settings").await {
        Ok(settings) => settings.map_or(Ok(Value::Null), |reply| reply.json())?,
        Err(Error::Permission(why)) => {
            missing.push(format!("scope read: {why}"));
            Value::Null
        }
        Err(other) => return Err(other),
    };
    if missing.is_empty() && settings.is_null() {
        notices.push(notice(
            "no-settings",
            Severity::Info,
            "the account does not show its settings".to_owned(),
            None,
        ));
    }
    if missing.is_empty() {
        notices.extend(fallback_notice(cx).await?);
    }
    let config: Value = cx.config()?;
    let word = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
    let subdomain = word("subdomain").unwrap_or_default();
    if word("auth").as_deref() == Some("api-token") {
        notices.push(notice(
            "api-token-ends",
            Severity::Caution,
            "Zendesk ends API tokens on 30 April 2027".to_owned(),
            Some("make an OAuth client and set auth = \"oauth-client\""),
        ));
    }
    Ok(Account {
        id: subdomain.clone(),
        name: subdomain.clone(),
        url: Some(format!("https://{subdomain}.zendesk.com")),
        tier: None,
        time_zone: me.iana_time_zone.clone(),
        user: Some(me.email.clone().unwrap_or_else(|| me.name.clone())),
        roles: vec![me.role.clone()],
        missing,
        excess: Vec::new(),
        notices,
    })
}

/// The agent whom the setting names, by id or by address, if that agent can stand in: active and not suspended.
fn fallback_agent<'u>(staff: &'u [User], wanted: &str) -> Option<&'u User> {
    let email = map::email(wanted);
    let named = |user: &&User| {
        user.id.is_some_and(|id| id.to_string() == wanted.trim())
            || (email.is_some() && user.email.as_deref().and_then(map::email) == email)
    };
    staff
        .iter()
        .find(named)
        .filter(|user| user.active != Some(false) && !user.suspended)
}

/// Who stands in for agents who are not here.
const FALLBACK: Naming = Naming {
    setting: "fallback_agent",
    must_be: "active agent of the account",
    remedy: "name an agent by e-mail address or id, or leave it out: then the credential's owner stands in",
};

/// A setting that names nobody would stop the first unit; it is said before anything is planned.
async fn fallback_notice(cx: &Context) -> Result<Option<Notice>, Error> {
    let config: Config = cx.config()?;
    let Some(wanted) = &config.fallback_agent else {
        return Ok(None);
    };
    let staff = people::staff(cx).await?;
    let missing = fallback_agent(&staff, wanted).is_none();
    Ok(missing.then(|| FALLBACK.notice(wanted)))
}

fn target_type(field: &FieldDefinition) -> FieldType {
    match field.kind.as_str() {
        "text" | "regexp" => FieldType::Text,
        "textarea" => FieldType::LongText,
        "checkbox" => FieldType::Boolean,
        "date" => FieldType::Date,
        "integer" => FieldType::Integer,
        "decimal" | "currency" => FieldType::Decimal,
        "tagger" | "dropdown" => FieldType::Choice,
        "multiselect" => FieldType::Choices,
        "lookup" | "parent" => {
            let target = field.relationship_target_type.as_deref().unwrap_or("");
            let object = target.strip_prefix("zen:custom_object:");
            let kind = match target {
                "zen:user" => Some(Kind::Customer),
                "zen:organization" => Some(Kind::Company),
                "zen:ticket" => Some(Kind::Conversation),
                _ => object.map(|_| Kind::CustomObject),
            };
            FieldType::Reference(ReferenceType {
                kind,
                object_type: object.map(str::to_owned),
                multi: false,
            })
        }
        other => FieldType::Other(other.to_owned()),
    }
}

async fn target_fields(
    cx: &Context,
    kind: Kind,
    owner: FieldOwner,
) -> Result<Vec<TargetField>, Error> {
    let fields = schema::all_fields(cx, &owner).await?;
    let object = match &owner {
        FieldOwner::Object(key) => Some(key.clone()),
        _ => None,
    };
    let shown = fields
        .into_iter()
        .filter(|f| f.removable != Some(false) && f.active != Some(false));
    Ok(shown
        .map(|field| {
            let address = match owner {
                FieldOwner::Ticket => field.id.to_string(),
                _ => field.key.clone().unwrap_or_default(),
            };
            let target = map::FieldTarget {
                owner: owner.clone(),
                address,
                kind: field.kind.clone(),
                companion: None,
                choices: Vec::new(),
            };
            TargetField {
                kind: kind.clone(),
                object_type: object.clone(),
                address: target.to_string(),
                name: field.key.clone().unwrap_or_else(|| field.title.clone()),
                label: field.title.clone(),
                field_type: target_type(&field),
                required: field.required,
                options: field
                    .custom_field_options
                    .into_iter()
                    .map(|option| ChoiceOption {
                        value: option.value,
                        label: option.name,
                        active: true,
                    })
                    .collect(),
            }
        })
        .collect())
}

async fn statuses(cx: &Context) -> Result<Vec<CustomStatus>, Error> {
    let path = "/api/v2/custom_statuses";
    Ok(client::find_member(cx, path, "custom_statuses")
        .await?
        .unwrap_or_default())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

fn slots(statuses: &[CustomStatus]) -> Vec<Slot> {
    let mut values: Vec<SlotOption> = ["new", "open", "pending", "hold", "solved", "closed"]
        .into_iter()
        .map(|status| option(status, status))
        .collect();
    values.extend(
        statuses
            .iter()
            .filter(|s| s.active && !s.is_default)
            .map(|s| SlotOption {
                value: format!("{}:{}", s.status_category, s.id),
                label: s.agent_label.clone(),
            }),
    );
    let four = ["low", "normal", "high", "urgent"];
    vec![
        Slot {
            kind: Kind::Conversation,
            name: "status".to_owned(),
            values,
            // Finished ones are loaded closed: solved ones would be closed by Zendesk anyhow (Zendesk facts §12).
            defaults: pairs(&[("open", "open"), ("snoozed", "hold"), ("closed", "closed")]),
            fallback: None,
        },
        Slot {
            kind: Kind::Conversation,
            name: "priority".to_owned(),
            values: four.into_iter().map(|p| option(p, p)).collect(),
            defaults: pairs(&[
                ("1/1..5", "low"),
                ("2/1..5", "low"),
                ("3/1..5", "normal"),
                ("4/1..5", "high"),
                ("5/1..5", "urgent"),
                ("1/1..4", "low"),
                ("2/1..4", "normal"),
                ("3/1..4", "high"),
                ("4/1..4", "urgent"),
            ]),
            fallback: None,
        },
        Slot {
            kind: Kind::Conversation,
            name: "channel".to_owned(),
            values: Vec::new(),
            defaults: pairs(&[
                ("email", "email"),
                ("chat", "chat"),
                ("sms", "sms"),
                ("voice", "voice"),
                ("form", "web"),
                ("facebook", "facebook"),
                ("twitter", "twitter"),
                ("whatsapp", "whatsapp"),
                ("instagram", "instagram_dm"),
            ]),
            fallback: Some("api".to_owned()),
        },
    ]
}

/// What there could be. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let statuses = statuses(cx).await?;
    let staff = people::staff(cx).await?;
    let agents = staff
        .iter()
        .map(|user| TargetAgent {
            id: user.id.unwrap_or_default().to_string(),
            email: user.email.clone(),
            name: user.name.clone(),
            active: user.active != Some(false) && !user.suspended,
            note: (user.role == "admin").then(|| "admin".to_owned()),
        })
        .collect();
    let mut fields = target_fields(cx, Kind::Conversation, FieldOwner::Ticket).await?;
    fields.extend(target_fields(cx, Kind::Customer, FieldOwner::User).await?);
    fields.extend(target_fields(cx, Kind::Company, FieldOwner::Organization).await?);
    let objects: Option<Vec<CustomObject>> =
        client::find_member(cx, "/api/v2/custom_objects", "custom_objects").await?;
    for object in objects.iter().flatten() {
        fields.extend(
            target_fields(
                cx,
                Kind::CustomObject,
                FieldOwner::Object(object.key.clone()),
            )
            .await?,
        );
    }
    let mut allowances = Vec::new();
    if let Some(limit) = client::get(cx, "/api/v2/custom_objects/limits/object_limit").await? {
        let limit: Value = limit.json()?;
        let number = |name: &str| limit.get(name).and_then(Value::as_u64);
        allowances.push(Allowance {
            name: "custom objects".to_owned(),
            used: number("count"),
            limit: number("limit"),
        });
    }
    let config: Config = cx.config()?;
    allowances.push(Allowance {
        name: "file-bytes".to_owned(),
        used: None,
        limit: Some(config.max_attachment_bytes),
    });
    let mut notices = required_fields(&fields);
    notices.extend(automations(cx).await?);
    if objects.is_none() {
        let text = "the account's plan has no custom objects".to_owned();
        notices.push(notice("no-custom-objects", Severity::Caution, text, None));
    }
    let mut counts = Vec::new();
    for (kind, path) in [
        (Kind::Customer, "/api/v2/users/count"),
        (Kind::Company, "/api/v2/organizations/count"),
        (Kind::Conversation, "/api/v2/tickets/count"),
    ] {
        if let Some(count) = matching::count(cx, path).await? {
            counts.push((kind, count));
        }
    }
    counts.push((Kind::Agent, staff.len() as u64));
    let groups: Vec<Group> = client::list(cx, "/api/v2/groups", "groups").await?;
    let groups = groups.into_iter().filter(|group| !group.deleted);
    let mut slots = slots(&statuses);
    slots.push(names(Kind::Team, groups.map(|group| group.name)));
    Ok(SurveyReport {
        slots,
        agents,
        fields,
        allowances,
        notices,
        counts,
        support: objects.is_none().then(without_objects),
    })
}

/// What an account without custom objects takes: their records, and what links them, have no place in it.
fn without_objects() -> AccountSupport {
    let described = describe::description();
    let lacking = |kind: &Kind| matches!(kind, Kind::ObjectType | Kind::CustomObject);
    AccountSupport {
        kinds: described
            .kinds
            .into_iter()
            .filter(|support| !lacking(&support.kind))
            .collect(),
        fidelity: described
            .fidelity
            .into_iter()
            .filter(|field| !lacking(&field.kind))
            .collect(),
    }
}

/// Fields that a finished ticket must have refuse imports (Zendesk facts §9).
fn required_fields(fields: &[TargetField]) -> Vec<Notice> {
    let required = fields
        .iter()
        .filter(|f| f.required && f.kind == Kind::Conversation);
    required
        .map(|field| {
            let text = format!(
                "ticket field `{}` is required to solve; tickets without it can be refused",
                field.label
            );
            notice(
                "required-field",
                Severity::Caution,
                text,
                Some("make it optional until the migration has ended"),
            )
        })
        .collect()
}

/// Imports are silent, but automations act on what is not solved (Zendesk facts §12).
async fn automations(cx: &Context) -> Result<Vec<Notice>, Error> {
    let active: Vec<Value> = client::list(cx, "/api/v2/automations/active", "automations").await?;
    let mails = |rule: &&Value| {
        rule.get("actions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|action| {
                let field = action.get("field").and_then(Value::as_str).unwrap_or("");
                field.starts_with("notification_")
            })
    };
    let tag = State::source_tag(cx.platform());
    Ok(active
        .iter()
        .filter(mails)
        .map(|rule| {
            let title = rule.get("title").and_then(Value::as_str).unwrap_or("");
            let text = format!("automation `{title}` mails people, about imported tickets too");
            let remedy =
                format!("switch it off for the migration, or add: tags contain none of {tag}");
            notice("automation-mails", Severity::Danger, text, Some(&remedy))
        })
        .collect())
}

/// Makes or finds the connector's own fields and finds ids that all later calls need.
///
/// # Errors
/// What ends a unit; `invalid` when a setting names nobody.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let config: Config = cx.config()?;
    let owner = me(cx).await?;
    let me = owner.id.unwrap_or_default();
    let search_any = matching::search_any(cx, &owner).await?;
    let stand_in = match &config.fallback_agent {
        None => me,
        Some(wanted) => {
            let staff = people::staff(cx).await?;
            let agent = fallback_agent(&staff, wanted).and_then(|user| user.id);
            agent.ok_or_else(|| FALLBACK.error(wanted))?
        }
    };
    let (brands, brand) = schema::brand_list(cx).await?;
    let custom_statuses = statuses(cx)
        .await?
        .into_iter()
        .map(|s| (s.id, s.status_category))
        .collect();
    let custom_objects: Option<Value> =
        client::find_member(cx, "/api/v2/custom_objects", "custom_objects").await?;

    let ticket_source_id = own_field_id(
        cx,
        FieldOwner::Ticket,
        "source-id",
        own_field::TICKET_SOURCE_ID,
    )
    .await?;
    let ticket_source_url = own_field_id(
        cx,
        FieldOwner::Ticket,
        "source-url",
        own_field::TICKET_SOURCE_URL,
    )
    .await?;
    for owner in [FieldOwner::User, FieldOwner::Organization] {
        let mut known = schema::all_fields(cx, &owner).await?;
        for (key, kind, title) in own_field::ALL {
            let item = format!("own:{}:{key}", owner.word());
            let field = schema::Wanted::own(owner.clone(), (key, kind, title), &item);
            make_own(cx, &item, &field, &mut known).await?;
        }
    }
    let stand_in_requester = stand_in_requester(cx).await?;
    let bulk_users = config.user_import == UserImport::Auto && bulk_users(cx).await?;
    let state = State {
        me,
        stand_in,
        stand_in_requester,
        brand,
        brands,
        custom_statuses,
        ticket_source_id,
        ticket_source_url,
        bulk_users,
        custom_objects: custom_objects.is_some(),
        search_any,
    };
    serde_json::to_string(&state).map_err(|_| Error::Bug("the state is no JSON".to_owned()))
}

/// The end user in whose name tickets stand whose customer was not migrated: without an address, so that nothing can be
/// mailed; not suspended, since a suspended user cannot be a requester (Zendesk facts §6.2).
async fn stand_in_requester(cx: &Context) -> Result<u64, Error> {
    let item = "own:user:stand-in";
    let marker = cx.stand_in_marker();
    let (user, effect) = match people::by_marker(cx, &marker).await? {
        Some(user) => {
            let id = user.id.unwrap_or_default().to_string();
            let ours = people::run_matches(cx, &user.user_fields);
            (user, found(cx, "user", id, ours))
        }
        None => {
            let body = json!({"user": {
                "name": "Customer who was not migrated", "role": "end-user", "external_id": marker,
                "verified": true, "skip_verify_email": true,
                "notes": "Requester of migrated tickets whose customer was not migrated. \
                          The customer is named in the first comment and on the source card.",
                "user_fields": {own_field::RUN: cx.run()},
            }});
            people::own_user(cx, item, &marker, &body).await?
        }
    };
    own(cx, item, vec![effect]).await?;
    user.id
        .ok_or_else(|| Error::Bug("a user without an id".to_owned()))
}

async fn own_field_id(
    cx: &Context,
    owner: FieldOwner,
    name: &str,
    title: &str,
) -> Result<u64, Error> {
    let item = format!("own:{}:{name}", owner.word());
    let mut known = schema::all_fields(cx, &owner).await?;
    let field = schema::Wanted::own(owner, ("", "text", title), &item);
    Ok(make_own(cx, &item, &field, &mut known).await?.id)
}

async fn make_own(
    cx: &Context,
    item: &str,
    field: &schema::Wanted<'_>,
    known: &mut Vec<FieldDefinition>,
) -> Result<FieldDefinition, Error> {
    match schema::field(cx, item, "main", None, field, known).await? {
        Ok((field, effect)) => {
            let ours = write::is_of_run(cx, field.description.as_deref())
                || write::is_of_run(cx, field.agent_description.as_deref());
            let effect = match effect.action {
                Action::Matched => found(cx, &effect.target_kind, effect.target_id, ours),
                _ => effect,
            };
            own(cx, item, vec![effect]).await?;
            Ok(field)
        }
        Err(Status::Rejected(error)) => Err(error),
        Err(_) => Err(Error::Transient(format!("{item} could not be made yet"))),
    }
}

/// Whether users may be made by jobs: an empty list makes nobody, and is answered 403 where Zendesk has not switched the
/// import on (Zendesk facts §6.1).
async fn bulk_users(cx: &Context) -> Result<bool, Error> {
    let item = "own:probe:bulk-users";
    let write = cx
        .http()
        .repeatable(
            "POST",
            "/api/v2/users/create_many",
            key(item, "main", "probe"),
        )
        .json(&json!({"users": []}))
        .passing();
    let sent = http::write(write).await?;
    Ok(match sent {
        Sent::Done(_) => true,
        Sent::Refused(refusal) => refusal.status != 403,
        Sent::Doubt(_) => false,
    })
}
