//! The account before anything is written: whose it is, what it allows, what could be mapped to what, and the few things the
//! connector makes for itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::connector::fidelity_table;
use transload_sdk::declare::Naming;
use transload_sdk::destination::{
    AccountSupport, Allowance, Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_sdk::effects::{found, own};
use transload_sdk::http::{HttpError, key};
use transload_sdk::ledger::{Action, Status};
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::{ChoiceOption, Error, FieldType, Kind, ReferenceType};

use crate::api::{Agent, FieldDefinition, Product, Role, Schema, choice_texts};
use crate::client;
use crate::describe;
use crate::map::{FieldTarget, Owner};
use crate::state::{ChannelApi, Config, State, own_field};
use crate::write::schema::{self, Wanted};
use crate::write::{is_of_run, people, teams};

/// Where the migration API makes tickets (Freshdesk facts §0).
const CHANNEL: &str = "/api/channel/v2/tickets";

fn notice(code: &str, severity: Severity, message: String, remedy: Option<&str>) -> Notice {
    Notice {
        code: code.to_owned(),
        severity,
        message,
        remedy: remedy.map(str::to_owned),
    }
}

/// The agent whom the key belongs to.
async fn me(cx: &Context) -> Result<Agent, Error> {
    client::read(cx, "/api/v2/agents/me").await
}

/// Whom the credential belongs to. The domain is the account's identity: Freshdesk tells no other to every key.
///
/// # Errors
/// `auth` for a credential that is nobody's, otherwise what ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let config: Config = cx.config()?;
    let me = me(cx).await?;
    let mut missing = Vec::new();
    let mut notices = Vec::new();
    match client::get(cx, Owner::Ticket.fields_path()).await {
        Ok(_) => notices.extend(fallback_notice(cx, &config).await?),
        Err(Error::Permission(why)) => missing.push(format!(
            "account administrator: only those may make fields and agents ({why})"
        )),
        Err(other) => return Err(other),
    }
    let roles: Vec<Role> = match client::find(cx, "/api/v2/roles").await {
        Ok(roles) => roles.unwrap_or_default(),
        // Not every agent may see the roles.
        Err(Error::Permission(_)) => Vec::new(),
        Err(other) => return Err(other),
    };
    let of_me = roles
        .into_iter()
        .filter(|role| me.role_ids.contains(&role.id));
    Ok(Account {
        id: config.domain.clone(),
        name: config.domain.clone(),
        url: Some(format!("https://{}.freshdesk.com", config.domain)),
        tier: None,
        time_zone: None,
        user: Some(me.contact.email.unwrap_or(me.contact.name)),
        roles: of_me.map(|role| role.name).collect(),
        missing,
        excess: Vec::new(),
        notices,
    })
}

/// The agent whom the setting names, by id or by address, if that agent can stand in.
fn fallback_agent<'a>(staff: &'a [Agent], wanted: &str) -> Option<&'a Agent> {
    let email = crate::map::email(wanted);
    let named = |agent: &&Agent| {
        agent.id.to_string() == wanted.trim()
            || (email.is_some() && teams::address_of(agent) == email)
    };
    staff.iter().find(named).filter(|agent| !agent.deactivated)
}

/// Who stands in for agents who are not here.
const FALLBACK: Naming = Naming {
    setting: "fallback_agent",
    must_be: "active agent of the account",
    remedy: "name an agent by e-mail address or id, or leave it out: then the key's owner stands in",
};

/// A setting that names nobody would stop the first unit; it is said before anything is planned.
async fn fallback_notice(cx: &Context, config: &Config) -> Result<Option<Notice>, Error> {
    let Some(wanted) = &config.fallback_agent else {
        return Ok(None);
    };
    let staff = teams::staff(cx).await?;
    let missing = fallback_agent(&staff, wanted).is_none();
    Ok(missing.then(|| FALLBACK.notice(wanted)))
}

// ---- what could be mapped to what

fn target_type(kind: &str) -> FieldType {
    match kind {
        "custom_text" | "custom_phone_number" | "TEXT" | "PRIMARY" => FieldType::Text,
        "custom_url" => FieldType::Link,
        "custom_paragraph" | "PARAGRAPH" => FieldType::LongText,
        "custom_checkbox" | "CHECKBOX" => FieldType::Boolean,
        "custom_date" | "DATE" => FieldType::Date,
        "custom_date_time" | "DATE_TIME" => FieldType::Moment,
        "custom_number" | "NUMBER" => FieldType::Integer,
        "custom_decimal" | "DECIMAL" => FieldType::Decimal,
        "custom_dropdown" | "DROPDOWN" => FieldType::Choice,
        "custom_multi_select_dropdown" | "MULTI_SELECT" => FieldType::Choices,
        "RELATIONSHIP" => FieldType::Reference(ReferenceType {
            kind: None,
            object_type: None,
            multi: false,
        }),
        other => FieldType::Other(other.to_owned()),
    }
}

fn options(choices: &Value) -> Vec<ChoiceOption> {
    let option = |text: String| ChoiceOption {
        value: text.clone(),
        label: text,
        active: true,
    };
    choice_texts(choices).into_iter().map(option).collect()
}

fn target_field(owner: Owner, field: &FieldDefinition) -> TargetField {
    let target = FieldTarget {
        on: Some(owner),
        object: None,
        name: field.name.clone(),
        kind: field.kind.clone(),
        exact: None,
        choices: BTreeMap::new(),
    };
    TargetField {
        kind: match owner {
            Owner::Ticket => Kind::Conversation,
            Owner::Contact => Kind::Customer,
            Owner::Company => Kind::Company,
        },
        object_type: None,
        address: target.to_string(),
        name: field.name.clone(),
        label: field.label.clone(),
        field_type: target_type(&field.kind),
        required: field.required_for_agents || field.required_for_closure,
        options: options(&field.choices),
    }
}

fn object_fields(schema: &Schema) -> impl Iterator<Item = TargetField> + '_ {
    let shown = schema.fields.iter().filter(|field| !field.deleted);
    shown.map(|field| {
        let target = FieldTarget {
            on: None,
            object: Some(schema.id),
            name: field.name.clone(),
            kind: field.kind.clone(),
            exact: None,
            choices: BTreeMap::new(),
        };
        TargetField {
            kind: Kind::CustomObject,
            object_type: Some(schema.name.clone()),
            address: target.to_string(),
            name: field.name.clone(),
            label: field.label.clone(),
            field_type: target_type(&field.kind),
            required: field.required && field.kind != "PRIMARY",
            options: options(&field.choices),
        }
    })
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// The choices of one of the account's own fields, by number.
fn numbered(fields: &[FieldDefinition], names: &[&str]) -> BTreeMap<u32, String> {
    let field = fields
        .iter()
        .find(|field| field.is_default && names.contains(&field.name.as_str()));
    field
        .into_iter()
        .flat_map(FieldDefinition::numbered)
        .collect()
}

/// Statuses with their texts; the four that every account has where it tells none.
fn statuses(fields: &[FieldDefinition]) -> BTreeMap<u32, String> {
    let told = numbered(fields, &["status"]);
    if !told.is_empty() {
        return told;
    }
    let four = [(2, "Open"), (3, "Pending"), (4, "Resolved"), (5, "Closed")];
    four.map(|(number, text)| (number, text.to_owned())).into()
}

fn types(fields: &[FieldDefinition]) -> Vec<String> {
    let field = fields
        .iter()
        .find(|field| field.is_default && matches!(field.name.as_str(), "ticket_type" | "type"));
    field.map(FieldDefinition::texts).unwrap_or_default()
}

fn slots(fields: &[FieldDefinition]) -> Vec<Slot> {
    let option = |(number, label): (u32, String)| SlotOption {
        value: number.to_string(),
        label,
    };
    let slot = |name: &str, values: Vec<SlotOption>, defaults, fallback: Option<&str>| Slot {
        kind: Kind::Conversation,
        name: name.to_owned(),
        values,
        defaults,
        fallback: fallback.map(str::to_owned),
    };
    let words = |list: &[(u32, &str)]| -> Vec<SlotOption> {
        list.iter()
            .map(|(n, text)| option((*n, (*text).to_owned())))
            .collect()
    };
    let four = [(1, "Low"), (2, "Medium"), (3, "High"), (4, "Urgent")];
    // Those that can be set freely (Freshdesk facts §5).
    let channels = [
        (1, "Email"),
        (2, "Portal"),
        (3, "Phone"),
        (7, "Chat"),
        (9, "Feedback widget"),
        (10, "Outbound email"),
    ];
    vec![
        slot(
            "status",
            statuses(fields).into_iter().map(option).collect(),
            pairs(&[("open", "2"), ("snoozed", "3"), ("closed", "5")]),
            None,
        ),
        slot(
            "priority",
            words(&four),
            pairs(&[
                ("1/1..5", "1"),
                ("2/1..5", "1"),
                ("3/1..5", "2"),
                ("4/1..5", "3"),
                ("5/1..5", "4"),
                ("1/1..4", "1"),
                ("2/1..4", "2"),
                ("3/1..4", "3"),
                ("4/1..4", "4"),
            ]),
            None,
        ),
        slot(
            "channel",
            words(&channels),
            pairs(&[
                ("email", "1"),
                ("form", "2"),
                ("voice", "3"),
                ("chat", "7"),
                ("sms", "7"),
                ("whatsapp", "7"),
                ("facebook", "7"),
                ("instagram", "7"),
                ("twitter", "7"),
            ]),
            Some("2"),
        ),
    ]
}

/// What there could be. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let config: Config = cx.config()?;
    let staff = teams::staff(cx).await?;
    let agents = staff
        .iter()
        .map(|agent| TargetAgent {
            id: agent.id.to_string(),
            email: agent.contact.email.clone(),
            name: agent.contact.name.clone(),
            active: !agent.deactivated,
            note: agent.occasional.then(|| "occasional".to_owned()),
        })
        .collect();
    let mut fields = Vec::new();
    let mut of_tickets = Vec::new();
    for owner in [Owner::Ticket, Owner::Contact, Owner::Company] {
        let known = schema::all_fields(cx, owner).await?;
        let own = known.iter().filter(|field| !field.is_default);
        fields.extend(own.map(|field| target_field(owner, field)));
        if owner == Owner::Ticket {
            of_tickets = known;
        }
    }
    let schemas = schema::schemas(cx).await?;
    fields.extend(schemas.iter().flatten().flat_map(object_fields));
    let mut notices = required_fields(&fields);
    notices.push(channel_notice(cx, &config).await?);
    notices.push(silence());
    if schemas.is_none() {
        let text =
            "the account's plan has no custom objects: their records are exported, and named on their customers".to_owned();
        notices.push(notice("no-custom-objects", Severity::Caution, text, None));
    }
    let allowances = vec![Allowance {
        name: "file-bytes".to_owned(),
        used: None,
        limit: Some(config.max_attachment_bytes),
    }];
    Ok(SurveyReport {
        slots: slots(&of_tickets),
        agents,
        fields,
        allowances,
        notices,
        // Freshdesk tells no totals (Freshdesk facts §3).
        counts: vec![(Kind::Agent, staff.len() as u64)],
        support: schemas.is_none().then(without_objects),
    })
}

/// What an account without custom objects takes: their records are named on whom they belong to.
fn without_objects() -> AccountSupport {
    let described = describe::description();
    let kinds = described.kinds.into_iter();
    let has = |kind: &Kind| !matches!(kind, Kind::ObjectType | Kind::CustomObject);
    let fidelity = described.fidelity.into_iter().filter(|one| has(&one.kind));
    AccountSupport {
        kinds: kinds.filter(|one| one.kind != Kind::ObjectType).collect(),
        fidelity: fidelity.chain(fidelity_table(NAMED)).collect(),
    }
}

/// How records travel into an account without custom objects.
const NAMED: &str =
    "custom-object | * | converted | exported; in words on its customer and company";

/// Fields that a ticket must have refuse what has none (Freshdesk facts §9).
fn required_fields(fields: &[TargetField]) -> Vec<Notice> {
    let required = fields
        .iter()
        .filter(|field| field.required && field.kind == Kind::Conversation);
    let remedy = "make it optional until the migration has ended";
    required
        .map(|field| {
            let text = format!(
                "ticket field `{}` is required; tickets without it are refused",
                field.label
            );
            notice("required-field", Severity::Caution, text, Some(remedy))
        })
        .collect()
}

/// What no API tells and only a person can see to (Freshdesk facts §13).
fn silence() -> Notice {
    let text = "Freshdesk does not tell whether its e-mail notifications, automations, surveys and SLA reminders are on; they act \
                on migrated tickets too";
    let remedy =
        "switch them off for the migration, and try a sample with an address of your own first";
    notice("silence", Severity::Caution, text.to_owned(), Some(remedy))
}

/// Whether original times can be kept, which decides what a plan may promise.
async fn channel_notice(cx: &Context, config: &Config) -> Result<Notice, Error> {
    let there = config.channel_api == ChannelApi::Auto && channel_answers(cx).await?;
    Ok(if there {
        let text = "the account has the migration API: tickets and notes keep their times";
        notice("channel-api", Severity::Info, text.to_owned(), None)
    } else {
        let text = "the account has no migration API, or it is switched off in the settings: tickets and notes get the time of the \
                    migration, and each says above its text when it was";
        let remedy = "ask Freshworks to open the migration API (channel API) for the account and run the plan again";
        notice(
            "no-channel-api",
            Severity::Caution,
            text.to_owned(),
            Some(remedy),
        )
    })
}

/// Whether the migration API answers, by a read: a wrong verb is refused with 405 by what is there (Freshdesk facts §1).
async fn channel_answers(cx: &Context) -> Result<bool, Error> {
    let request = cx.http().get(CHANNEL).header("accept", "application/json");
    let reply = request.send().await?;
    match reply.status {
        429 => Err(Error::Quota(None)),
        500.. => Err(Error::Transient(format!(
            "{} answered {}",
            reply.what(),
            reply.status
        ))),
        status => Ok(reply.ok() || matches!(status, 400 | 405)),
    }
}

// ---- what the connector needs

/// Whether tickets can go through the migration API: an empty ticket is refused as wrong (400) where it is there, and with 401,
/// 403 or 404 where it is not (Freshdesk facts §0).
async fn probe_channel(cx: &Context, config: &Config) -> Result<bool, Error> {
    if config.channel_api == ChannelApi::Never {
        return Ok(false);
    }
    let key = key("own:probe:channel", "main", "probe");
    let request = cx
        .http()
        .repeatable("POST", CHANNEL, key)
        .json(&json!({}))
        .passing();
    match request.send().await {
        Ok(reply) if reply.status == 429 => Err(Error::Quota(None)),
        // A dry run: nothing was sent, and a read says it, too.
        Ok(reply) if reply.status == crate::rehearsal::ASK_BY_READING => channel_answers(cx).await,
        Ok(reply) => Ok(reply.status == 400),
        // It changes nothing, whatever became of it: a read says it, too.
        Err(HttpError::InDoubt(_)) => channel_answers(cx).await,
        Err(other) => Err(other.into()),
    }
}

/// Makes or finds the connector's own fields and finds ids that all later calls need.
///
/// # Errors
/// What ends a unit; `invalid` when a setting names nobody.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let config: Config = cx.config()?;
    let me = me(cx).await?.id;
    let stand_in = match &config.fallback_agent {
        None => me,
        Some(wanted) => {
            let staff = teams::staff(cx).await?;
            let agent = fallback_agent(&staff, wanted).map(|agent| agent.id);
            agent.ok_or_else(|| FALLBACK.error(wanted))?
        }
    };
    let channel = probe_channel(cx, &config).await?;
    let products: Option<Vec<Product>> = client::find(cx, "/api/v2/products").await?;
    let products = products.unwrap_or_default().into_iter();
    let mut state = State {
        me,
        stand_in,
        channel,
        products: products
            .map(|p| (p.name.trim().to_lowercase(), p.id))
            .collect(),
        ..State::default()
    };
    let tickets = schema::all_fields(cx, Owner::Ticket).await?;
    state.statuses = statuses(&tickets);
    state.types = types(&tickets);
    let (_, _, label) = own_field::TICKET[0];
    let of_earlier = |field: &FieldDefinition| {
        field.label == label && !is_of_run(cx, Some(&field.label_for_customers))
    };
    state.earlier = tickets.iter().any(of_earlier);
    state.ticket_fields = own_fields(cx, Owner::Ticket, &own_field::TICKET, tickets).await?;
    let known = schema::all_fields(cx, Owner::Contact).await?;
    state.contact_fields = own_fields(cx, Owner::Contact, &own_field::CONTACT, known).await?;
    let known = schema::all_fields(cx, Owner::Company).await?;
    state.company_fields = own_fields(cx, Owner::Company, &own_field::COMPANY, known).await?;
    state.stand_in_requester = stand_in_requester(cx, &state).await?;
    Ok(serde_json::to_string(&state)?)
}

/// The connector's own fields of an owner, by key. The plan may have none for contacts and companies (Freshdesk facts §9): then
/// what they would hold stands on the source card.
async fn own_fields(
    cx: &Context,
    owner: Owner,
    wanted: &[own_field::Own],
    mut known: Vec<FieldDefinition>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut names = BTreeMap::new();
    for (name, kind, label) in wanted {
        let item = format!("own:{}:{name}", owner.field_kind());
        let marker = format!("transload:{}:{name}", owner.field_kind());
        let field = Wanted {
            owner,
            label: (*label).to_owned(),
            kind,
            choices: Vec::new(),
            marker: &marker,
        };
        match schema::field(cx, &item, "main", None, &field, &mut known).await? {
            Ok((field, effect)) => {
                let ours = is_of_run(cx, Some(&field.label_for_customers));
                let effect = match effect.action {
                    Action::Matched => found(cx, &effect.target_kind, effect.target_id, ours),
                    _ => effect,
                };
                own(cx, &item, vec![effect]).await?;
                names.insert((*name).to_owned(), field.name);
            }
            Err(Status::Rejected(Error::Unsupported(_))) if owner != Owner::Ticket => {
                return Ok(names);
            }
            Err(Status::Rejected(error)) => return Err(error),
            Err(_) => return Err(Error::Transient(format!("{item} could not be made yet"))),
        }
    }
    Ok(names)
}

/// The contact in whose name tickets stand whose customer was not migrated: without an address, so that nothing can be mailed.
async fn stand_in_requester(cx: &Context, state: &State) -> Result<u64, Error> {
    let item = "own:contact:stand-in";
    let marker = cx.stand_in_marker();
    let (contact, effect) = match people::by_marker(cx, &marker).await? {
        Some(contact) => {
            let ours = people::is_of_run(cx, state, Owner::Contact, &contact.custom_fields);
            let effect = found(cx, "contact", contact.id.to_string(), ours);
            (contact, effect)
        }
        None => {
            let text = "Requester of migrated tickets whose customer was not migrated. \
                        The customer is named in the ticket and on its source card.";
            let body: Map<String, Value> = [
                ("name", "Customer who was not migrated"),
                ("unique_external_id", marker.as_str()),
                ("description", text),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
            people::own_contact(cx, state, item, &marker, body).await?
        }
    };
    own(cx, item, vec![effect]).await?;
    Ok(contact.id)
}
