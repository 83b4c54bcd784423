//! The account before anything is written: whose it is, what it allows, what could be mapped to what, and the few things the
//! connector makes for itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::connector::{FieldFidelity, KindSupport, fidelity_table};
use transload_sdk::declare::{Naming, notice, option, possible};
use transload_sdk::destination::{
    AccountSupport, Allowance, Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_sdk::effects::{effect, found, own as own_outcome};
use transload_sdk::http::{self, HttpError, key};
use transload_sdk::ledger::{Action, Effect, Proof};
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::{ChoiceOption, Error, FieldType, Invalid, Kind, ReferenceType};

use crate::api::{Agent, Contact, Department, Field, Module, rows, words_of};
use crate::client::Desk;
use crate::describe;
use crate::imports::{self, Fate, Row};
use crate::map::{self, FieldTarget, Owner};
use crate::own;
use crate::state::{self, FieldStyle, Imports, OwnField, State};
use crate::write::{Changed, WRITES, people, schema, teams};

/// The agent whom the token belongs to.
async fn me(desk: &Desk) -> Result<Agent, Error> {
    desk.read("/myinfo").await
}

/// The organisation that the settings name, as the token sees it; nothing where the token may not see it.
async fn organisation(desk: &Desk) -> Result<Option<Value>, Error> {
    let all: Vec<Value> = match desk.whole("/organizations").await {
        Ok(all) => all,
        Err(Error::Permission(_)) => return Ok(None),
        Err(other) => return Err(other),
    };
    let is = |one: &&Value| words_of(one.get("id").unwrap_or(&Value::Null)) == desk.config.org_id;
    Ok(all.iter().find(is).cloned())
}

/// Whom the credential belongs to. Its number is the account's identity.
///
/// # Errors
/// `auth` for a credential that is nobody's, otherwise what ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let desk = Desk::of(cx)?;
    let me = me(&desk).await?;
    let organisation = organisation(&desk).await?;
    let text = |name: &str| {
        let value = organisation.as_ref().and_then(|one| one.get(name));
        value.map(words_of).filter(|text| !text.is_empty())
    };
    let mut missing = Vec::new();
    let mut notices = Vec::new();
    match schema::all_fields(&desk, "tickets").await {
        Ok(_) => notices.extend(settings_notices(&desk).await?),
        Err(Error::Permission(why)) => missing.push(format!(
            "an administrator, with the scope Desk.settings.ALL: only those may make fields ({why})"
        )),
        Err(other) => return Err(other),
    }
    let role = me.role_permission_type.clone();
    Ok(Account {
        id: desk.config.org_id.clone(),
        name: text("companyName")
            .or_else(|| text("organizationName"))
            .unwrap_or_else(|| desk.config.org_id.clone()),
        url: text("portalURL").or_else(|| text("portalUrl")),
        tier: text("edition"),
        time_zone: None,
        user: Some(me.email_id.clone().unwrap_or_else(|| me.called())),
        roles: role.into_iter().collect(),
        missing,
        excess: Vec::new(),
        notices,
    })
}

/// The agent whom the setting names, by id or by address, if that agent can stand in.
fn fallback_agent<'a>(staff: &'a [Agent], wanted: &str) -> Option<&'a Agent> {
    let email = map::email(wanted);
    let named = |agent: &&Agent| {
        agent.id == wanted.trim() || (email.is_some() && teams::address_of(agent) == email)
    };
    staff.iter().find(named).filter(|agent| agent.is_active())
}

/// The department that the setting names, else the one that every account has.
fn default_department<'a>(all: &'a [Department], wanted: Option<&str>) -> Option<&'a Department> {
    let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
    match wanted {
        Some(wanted) => all
            .iter()
            .find(|one| one.id == wanted.trim() || same(&one.name, wanted)),
        None => all
            .iter()
            .find(|one| one.is_default)
            .or_else(|| all.first()),
    }
}

/// Who stands in for agents who are not here.
const FALLBACK: Naming = Naming {
    setting: "fallback_agent",
    must_be: "active agent of the account",
    remedy: "name an agent by e-mail address or id, or leave it out: then the token's owner stands in",
};

fn no_department(wanted: Option<&str>) -> String {
    match wanted {
        Some(wanted) => format!("`department` names {wanted}, which is no department in use"),
        None => "the account has no department in use".to_owned(),
    }
}

/// A setting that names nothing would stop the first unit; it is said before anything is planned.
async fn settings_notices(desk: &Desk) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    if let Some(wanted) = &desk.config.fallback_agent {
        let staff = teams::staff(desk).await?;
        if fallback_agent(&staff, wanted).is_none() {
            notices.push(FALLBACK.notice(wanted));
        }
    }
    let departments = teams::departments(desk).await?;
    let wanted = desk.config.department.as_deref();
    if default_department(&departments, wanted).is_none() {
        let remedy =
            "name a department by id or name, or leave it out: then the default one takes it";
        let text = no_department(wanted);
        notices.push(notice("department", Severity::Danger, text, Some(remedy)));
    }
    Ok(notices)
}

// ---- what could be mapped to what

fn target_type(kind: &str) -> FieldType {
    match kind {
        "Text" | "Email" | "Phone" | "Fax" | "AutoNumber" => FieldType::Text,
        "URL" => FieldType::Link,
        "Textarea" | "LargeText" => FieldType::LongText,
        "Boolean" => FieldType::Boolean,
        "Date" => FieldType::Date,
        "DateTime" => FieldType::Moment,
        "Number" => FieldType::Integer,
        "Decimal" | "Percent" | "Currency" => FieldType::Decimal,
        "Picklist" => FieldType::Choice,
        "Multiselect" => FieldType::Choices,
        "LookUp" => FieldType::Reference(ReferenceType {
            kind: None,
            object_type: None,
            multi: false,
        }),
        other => FieldType::Other(other.to_owned()),
    }
}

fn target_field(
    kind: Kind,
    object: Option<&Module>,
    module: &str,
    field: &Field,
    laid: Option<&Field>,
) -> TargetField {
    let choices = laid.map(Field::choices).unwrap_or_default();
    let target = FieldTarget {
        object: module.to_owned(),
        name: field.api_name.clone(),
        kind: field.kind.clone(),
        choices: choices.iter().map(|c| (c.clone(), c.clone())).collect(),
    };
    let choice = |text: String| ChoiceOption {
        value: text.clone(),
        label: text,
        active: true,
    };
    TargetField {
        kind,
        object_type: object.map(|one| one.singular_label.clone().unwrap_or(one.api_name.clone())),
        address: target.to_string(),
        name: field.api_name.clone(),
        label: field.display_label.clone(),
        field_type: target_type(&field.kind),
        required: laid.map_or(field.is_mandatory, |laid| {
            laid.is_mandatory || field.is_mandatory
        }),
        options: choices.into_iter().map(choice).collect(),
    }
}

/// What tickets can have, out of their layouts.
#[derive(Debug, Default)]
struct Slots {
    statuses: BTreeMap<String, String>,
    priorities: Vec<String>,
    channels: Vec<String>,
}

/// The type of a status: said beside it, else guessed by its name (Zoho Desk facts §6).
fn status_type(name: &str, row: &Value) -> String {
    let said = ["statusType", "type"]
        .iter()
        .find_map(|key| row.get(*key)?.as_str());
    let said = said
        .filter(|said| bare(said) == "open" || bare(said) == "onhold" || bare(said) == "closed");
    match bare(said.unwrap_or(name)).as_str() {
        "closed" => "Closed",
        "onhold" => "On Hold",
        _ => "Open",
    }
    .to_owned()
}

fn bare(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

impl Slots {
    async fn of(desk: &Desk, laid: &BTreeMap<String, Field>) -> Result<Self, Error> {
        let texts = |name: &str| laid.get(name).map(Field::choices).unwrap_or_default();
        let mut slots = Self {
            priorities: texts("priority"),
            channels: texts("channel"),
            ..Self::default()
        };
        for row in laid
            .get("status")
            .into_iter()
            .flat_map(|f| &f.allowed_values)
        {
            slots.status(row);
        }
        if slots.statuses.is_empty() {
            // Where no layout says it, another list may (Zoho Desk facts §7.8).
            let path = format!("/ticketStatuses?departmentId={}", desk.state.department);
            if let Ok(Some(reply)) = desk.get(&path).await {
                for row in rows(reply.json()?) {
                    slots.status(&row);
                }
            }
        }
        Ok(slots)
    }

    fn status(&mut self, row: &Value) {
        let names = ["value", "name", "status", "displayValue"];
        let name = names.iter().find_map(|key| row.get(*key)?.as_str());
        if let Some(name) = name.or_else(|| row.as_str()) {
            let of = status_type(name, row);
            self.statuses.insert(name.to_owned(), of);
        }
    }

    fn slots(&self) -> Vec<Slot> {
        let slot = |name: &str,
                    values: Vec<SlotOption>,
                    pairs: &[(&str, &str)],
                    fallback: Option<&str>| Slot {
            kind: Kind::Conversation,
            name: name.to_owned(),
            defaults: possible(pairs, &values),
            fallback: fallback
                .filter(|wanted| values.iter().any(|one| one.value == *wanted))
                .map(str::to_owned),
            values,
        };
        let options = |list: &[String], usual: &[&str]| -> Vec<SlotOption> {
            if list.is_empty() {
                return usual.iter().map(|text| option(text, text)).collect();
            }
            list.iter().map(|text| option(text, text)).collect()
        };
        let state = State {
            statuses: self.statuses.clone(),
            ..State::default()
        };
        use transload_sdk::types::ConversationStatus::{Closed, Open, Snoozed};
        let names: Vec<String> = self.statuses.keys().cloned().collect();
        vec![
            slot(
                "status",
                options(&names, &["Open", "On Hold", "Closed"]),
                &[
                    ("open", state.default_status(&Open)),
                    ("snoozed", state.default_status(&Snoozed)),
                    ("closed", state.default_status(&Closed)),
                ],
                None,
            ),
            slot(
                "priority",
                options(&self.priorities, &["Low", "Medium", "High"]),
                &[
                    ("1/1..5", "Low"),
                    ("2/1..5", "Low"),
                    ("3/1..5", "Medium"),
                    ("4/1..5", "High"),
                    ("5/1..5", "High"),
                    ("1/1..4", "Low"),
                    ("2/1..4", "Medium"),
                    ("3/1..4", "High"),
                    ("4/1..4", "High"),
                ],
                Some("Medium"),
            ),
            slot(
                "channel",
                options(
                    &self.channels,
                    &[
                        "Phone", "Email", "Web", "Chat", "Twitter", "Facebook", "Forums",
                    ],
                ),
                &[
                    ("email", "Email"),
                    ("form", "Web"),
                    ("voice", "Phone"),
                    ("sms", "Phone"),
                    ("chat", "Chat"),
                    ("whatsapp", "Chat"),
                    ("facebook", "Facebook"),
                    ("instagram", "Facebook"),
                    ("twitter", "Twitter"),
                ],
                Some("Web"),
            ),
        ]
    }
}

/// What there could be. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let mut desk = Desk::of(cx)?;
    let staff = teams::staff(&desk).await?;
    let agents = staff
        .iter()
        .map(|agent| TargetAgent {
            id: agent.id.clone(),
            email: agent.email_id.clone(),
            name: agent.called(),
            active: agent.is_active(),
            note: match agent.role_permission_type.as_deref() {
                Some("Light") => Some("light agent".to_owned()),
                _ => None,
            },
        })
        .collect();
    let departments = teams::departments(&desk).await?;
    let default = default_department(&departments, desk.config.department.as_deref());
    desk.state.department = default.map(|one| one.id.clone()).unwrap_or_default();
    let mut fields = Vec::new();
    let mut slots = Slots::default();
    for owner in Owner::ALL {
        let known = schema::all_fields(&desk, owner.module()).await?;
        let laid = schema::laid_out(&desk, owner.module()).await?;
        let custom = known.iter().filter(|field| field.is_custom());
        fields.extend(custom.map(|field| {
            let laid = laid.get(&field.api_name);
            target_field(owner.kind(), None, owner.module(), field, laid)
        }));
        if owner == Owner::Ticket {
            slots = Slots::of(&desk, &laid).await?;
        }
    }
    let modules = schema::custom_modules(&desk).await?;
    for module in modules.iter().flatten() {
        let known = schema::all_fields(&desk, &module.api_name).await?;
        let laid = schema::laid_out(&desk, &module.api_name).await?;
        let custom = known.iter().filter(|field| field.is_custom());
        fields.extend(custom.map(|field| {
            let laid = laid.get(&field.api_name);
            let name = &module.api_name;
            target_field(Kind::CustomObject, Some(module), name, field, laid)
        }));
    }
    let mut notices = required_fields(&fields);
    let imports = imports_there(&desk).await?;
    notices.push(imports_notice(imports));
    notices.push(silence());
    if modules.is_none() {
        let text = "the account's edition, or the token, has no modules of its own: records of object types are exported";
        notices.push(notice(
            "no-modules",
            Severity::Caution,
            text.to_owned(),
            None,
        ));
    }
    let allowances = vec![Allowance {
        name: "file-bytes".to_owned(),
        used: None,
        limit: Some(desk.config.max_attachment_bytes),
    }];
    Ok(SurveyReport {
        slots: slots.slots(),
        agents,
        fields,
        allowances,
        notices,
        // Zoho Desk tells no totals (Zoho Desk facts §4).
        counts: vec![(Kind::Agent, staff.len() as u64)],
        support: support(modules.is_some(), imports),
    })
}

/// Where an account has less than the description says: without modules, without imports.
fn support(modules: bool, imports: bool) -> Option<AccountSupport> {
    if modules && imports {
        return None;
    }
    let described = describe::description();
    let has = |kind: &Kind| modules || !matches!(kind, Kind::ObjectType | Kind::CustomObject);
    let otherwise = fidelity_table(if imports { "" } else { REST });
    let same = |one: &FieldFidelity, other: &FieldFidelity| {
        (&one.kind, &one.field) == (&other.kind, &other.field)
    };
    let rows = described.fidelity.into_iter().filter(|row| has(&row.kind));
    let rows = rows.filter(|row| !otherwise.iter().any(|other| same(row, other)));
    let mut fidelity: Vec<FieldFidelity> = rows.chain(otherwise.iter().cloned()).collect();
    if !modules {
        fidelity.extend(fidelity_table("custom-object | * | lost | exported"));
    }
    let kinds = described.kinds.into_iter().filter(|one| has(&one.kind));
    Some(AccountSupport {
        kinds: kinds
            .map(|one| KindSupport {
                keeps_created_at: one.keeps_created_at && imports,
                ..one
            })
            .collect(),
        fidelity,
    })
}

/// What travels otherwise without imports.
const REST: &str = include_str!("fidelity.rest.txt");

/// Fields that a record must have refuse what has none.
fn required_fields(fields: &[TargetField]) -> Vec<Notice> {
    let required = fields.iter().filter(|field| field.required);
    let remedy = "make it optional until the migration has ended";
    required
        .map(|field| {
            let text = format!(
                "field `{}` is required; records without it are refused",
                field.label
            );
            notice("required-field", Severity::Caution, text, Some(remedy))
        })
        .collect()
}

/// What no API tells and only a person can see to (Zoho Desk facts §14).
fn silence() -> Notice {
    let text = "Zoho Desk does not tell whether notification rules, happiness ratings, workflows, SLAs, assignment rules and the \
                CRM integration are on, in each department; they act on what is loaded by plain REST, files and tags among that";
    let remedy =
        "switch them off for the migration, and try a sample with an address of your own first";
    notice("silence", Severity::Caution, text.to_owned(), Some(remedy))
}

/// Whether original times can be kept, which decides what a plan may promise.
fn imports_notice(there: bool) -> Notice {
    if there {
        let text = "the account has the imports API: times, authors and mails of tickets, contacts and accounts are kept";
        notice("imports", Severity::Info, text.to_owned(), None)
    } else {
        let text = "the account has no imports API, the token's scopes lack it, or it is switched off in the settings: all gets the \
                    time of the migration and the token's user as its author, and each text says above it who wrote it and when";
        let remedy = "give the token the scope Desk.imports.CUSTOM and run the plan again";
        notice(
            "no-imports",
            Severity::Caution,
            text.to_owned(),
            Some(remedy),
        )
    }
}

/// Whether the imports API answers, by a question that changes nothing (Zoho Desk facts §0).
async fn imports_there(desk: &Desk) -> Result<bool, Error> {
    if desk.config.imports == Imports::Never {
        return Ok(false);
    }
    let scope = imports::scope(desk.cx.platform(), desk.cx.organisation(), "probe");
    let body = json!({"scopeId": scope, "module": "contacts", "externalIds": ["transload:probe"]});
    match imports::ask_mappings(desk, &body).send().await {
        Ok(reply) if reply.status == 429 => Err(Error::Quota(None)),
        Ok(reply) if reply.status >= 500 => Err(Error::Transient(format!(
            "{} answered {}",
            reply.what(),
            reply.status
        ))),
        Ok(reply) => Ok(reply.ok()),
        // The token is good: it has just read who it belongs to.
        Err(HttpError::Unauthorized(_)) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

// ---- what the connector needs

fn invalid(field: &str, reason: String) -> Error {
    Error::Invalid(Invalid {
        field: Some(field.to_owned()),
        reason,
    })
}

/// Makes or finds the connector's own fields and finds ids that all later calls need.
///
/// # Errors
/// What ends a unit; `invalid` when a setting names nothing.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let mut desk = Desk::of(cx)?;
    desk.state = State::default();
    let me = me(&desk).await?.id;
    let staff = teams::staff(&desk).await?;
    let stand_in = match &desk.config.fallback_agent {
        None => me.clone(),
        Some(wanted) => {
            let agent = fallback_agent(&staff, wanted).map(|agent| agent.id.clone());
            agent.ok_or_else(|| FALLBACK.error(wanted))?
        }
    };
    desk.state.me = me;
    desk.state.stand_in = stand_in;
    let of_staff = |agent: &Agent| {
        let known = state::Agent {
            email: teams::address_of(agent).unwrap_or_default(),
            departments: agent.associated_department_ids.clone(),
            active: agent.is_active(),
        };
        (agent.id.clone(), known)
    };
    desk.state.agents = staff.iter().map(of_staff).collect();
    let departments = teams::departments(&desk).await?;
    let wanted = desk.config.department.as_deref();
    let default = default_department(&departments, wanted)
        .ok_or_else(|| invalid("department", no_department(wanted)))?;
    desk.state.department.clone_from(&default.id);
    let known = |one: &Department| {
        let department = state::Department {
            name: one.name.clone(),
            teams: one.is_assign_to_team_enabled,
        };
        (one.id.clone(), department)
    };
    desk.state.departments = departments.iter().map(known).collect();
    let laid = schema::laid_out(&desk, "tickets").await?;
    let slots = Slots::of(&desk, &laid).await?;
    desk.state.statuses = slots.statuses;
    desk.state.priorities = slots.priorities;
    desk.state.channels = slots.channels;
    for owner in Owner::ALL {
        let fields = own_fields(&mut desk, owner).await?;
        desk.state.own.insert(owner, fields);
    }
    desk.state.imports = imports_there(&desk).await?;
    desk.state.stand_in_contact = stand_in_contact(&mut desk).await?;
    Ok(serde_json::to_string(&desk.state)?)
}

/// The connector's own fields of an owner, by key. An account may take no more of them: then what they would hold stands on the
/// source card.
async fn own_fields(desk: &mut Desk, owner: Owner) -> Result<BTreeMap<String, OwnField>, Error> {
    let mut known = schema::all_fields(desk, owner.module()).await?;
    let mut fields = BTreeMap::new();
    for wanted in own::of(owner) {
        let (name, _, _) = wanted;
        let (field, effect) = schema::own_field(desk, owner, wanted, &mut known).await?;
        let (Some(field), Some(effect)) = (field, effect) else {
            continue;
        };
        if name == own::MARKER && effect.action == Action::Matched {
            desk.state.earlier = true;
        }
        let item = format!("own:field:{}:{name}", owner.module());
        own_outcome(&desk.cx, &item, vec![effect]).await?;
        let own = OwnField {
            chars: field.chars(),
            name: field.api_name,
            label: field.display_label,
        };
        fields.insert(name.to_owned(), own);
    }
    Ok(fields)
}

const STAND_IN: &str = "own:contact:stand-in";

/// The contact in whose name tickets stand whose customer was not migrated: without an address, so that nothing can be mailed. It
/// is the first thing that is imported, and shows how imports name custom fields. Its description says so from then on: whoever
/// looks at it later sees its fields complete, and could not tell any more which of them an import has set.
async fn stand_in_contact(desk: &mut Desk) -> Result<String, Error> {
    let cx = desk.cx.clone();
    let marker = cx.stand_in_marker();
    let there = match desk.state.own(Owner::Contact, own::MARKER) {
        Some(name) if desk.state.earlier => people::by_field(desk, name, &marker).await?,
        _ => None,
    };
    if let Some(contact) = &there {
        let ours = people::is_of_run(desk, Owner::Contact, &contact.cf);
        let effect = found(&cx, "contact", &contact.id, ours);
        own_outcome(&cx, STAND_IN, vec![effect]).await?;
    }
    let made = match there {
        // Where it does not say how fields are named they are named by label, which is what people are told to do in a table; what
        // does not stick is set afterwards.
        Some(contact) => {
            desk.state.field_style = said_style(&contact).unwrap_or(FieldStyle::Label);
            return Ok(contact.id);
        }
        None if desk.state.imports => probe(desk, &marker).await?,
        None => None,
    };
    let (id, effect) = match made {
        Some(made) => made,
        None => {
            // No import came through.
            desk.state.imports = false;
            posted(desk, &marker).await?
        }
    };
    own_outcome(&cx, STAND_IN, vec![effect]).await?;
    Ok(id)
}

/// What the contact says of itself.
const STAND_IN_TEXT: &str = "Contact of migrated tickets whose customer was not migrated. The customer is named in the ticket and \
                             on its source card.";

/// What it says of how imports name custom fields.
const STYLES: [(FieldStyle, &str); 3] = [
    (
        FieldStyle::ApiName,
        "Imports name custom fields by API name.",
    ),
    (FieldStyle::Label, "Imports name custom fields by label."),
    (FieldStyle::Apart, "Imports take no custom fields."),
];

/// How imports name custom fields, as the contact says it; nothing before [`complete`] has made it say so.
fn said_style(contact: &Contact) -> Option<FieldStyle> {
    let text = contact.description.as_deref()?;
    let said = STYLES.iter().find(|(_, words)| text.contains(words));
    said.map(|(style, _)| *style)
}

/// The contact's description, with how fields are named.
fn description(style: FieldStyle) -> String {
    let words = STYLES.iter().find(|(of, _)| *of == style);
    let words = words.map_or("", |(_, words)| *words);
    format!("{STAND_IN_TEXT} {words}")
}

/// What the contact is made with.
fn stand_in_values() -> Map<String, Value> {
    [
        ("lastName", "Customer who was not migrated"),
        ("description", STAND_IN_TEXT),
    ]
    .map(|(name, value)| (name.to_owned(), json!(value)))
    .into_iter()
    .collect()
}

/// The custom fields that the contact has.
fn stand_in_fields(desk: &Desk, marker: &str) -> Map<String, Value> {
    let values = [(own::MARKER, marker), (own::RUN, desk.cx.run())];
    let named = values.into_iter().filter_map(|(name, value)| {
        let name = desk.state.own(Owner::Contact, name)?;
        Some((name.to_owned(), json!(value)))
    });
    named.collect()
}

/// Makes the contact by an import. One of its fields goes by API name and one by label; what sticks is how fields are named. An
/// account that refuses names it does not know is asked again, with one of the two, at last with none.
async fn probe(desk: &mut Desk, marker: &str) -> Result<Option<(String, Effect)>, Error> {
    let own = desk
        .state
        .own
        .get(&Owner::Contact)
        .cloned()
        .unwrap_or_default();
    let (Some(of_marker), Some(of_run)) = (own.get(own::MARKER), own.get(own::RUN)) else {
        desk.state.field_style = FieldStyle::Apart;
        return make_stand_in(desk, &json!({}), 4)
            .await
            .map(|made| made.map(|(id, effect, _)| (id, effect)));
    };
    let run = desk.cx.run().to_owned();
    let tries = [
        json!({of_marker.name.as_str(): marker, of_run.label.as_str(): run}),
        json!({of_marker.name.as_str(): marker}),
        json!({of_run.label.as_str(): run}),
        json!({}),
    ];
    for (number, fields) in tries.iter().enumerate() {
        let Some((id, effect, contact)) = make_stand_in(desk, fields, number).await? else {
            continue;
        };
        let has = |name: &str| {
            contact
                .cf
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|v| !v.is_empty())
        };
        let seen = match (has(&of_marker.name), has(&of_run.name)) {
            (true, _) => FieldStyle::ApiName,
            (false, true) => FieldStyle::Label,
            (false, false) => FieldStyle::Apart,
        };
        desk.state.field_style = said_style(&contact).unwrap_or(seen);
        let wanted = stand_in_fields(desk, marker);
        let effect = match complete(desk, &contact, &wanted).await? {
            Some(now) => Effect {
                fingerprint: Some(people::print_of_own(&now.cf, &wanted)),
                ..effect
            },
            None => effect,
        };
        return Ok(Some((id, effect)));
    }
    Ok(None)
}

/// Sets the fields that the import did not, and has the contact say how imports name them, in one request: once its fields are
/// complete nothing else tells. The contact as it is then; none where nobody knows, or it was refused.
async fn complete(
    desk: &Desk,
    contact: &Contact,
    wanted: &Map<String, Value>,
) -> Result<Option<Contact>, Error> {
    let style = desk.state.field_style;
    let is_done = |now: &Contact| map::has(&now.cf, wanted) && said_style(now) == Some(style);
    if is_done(contact) {
        return Ok(Some(contact.clone()));
    }
    let path = format!("/contacts/{}", contact.id);
    let body = json!({"cf": wanted, "description": description(style)});
    let request = |step: &str| {
        let key = key(STAND_IN, "main", format!("fields:{step}"));
        // It goes with the contact, which was just made.
        let request = desk.idempotent("PATCH", path.clone(), key);
        request.json(&body).passing()
    };
    let read = async || desk.find::<Contact>(&path).await;
    Ok(
        match WRITES.change(&desk.cx, request, read, is_done).await? {
            Changed::Done(now, _) => Some(now),
            Changed::Refused(_) | Changed::Unknown => None,
        },
    )
}

async fn make_stand_in(
    desk: &Desk,
    fields: &Value,
    number: usize,
) -> Result<Option<(String, Effect, Contact)>, Error> {
    let mut values = stand_in_values();
    if fields.as_object().is_some_and(|fields| !fields.is_empty()) {
        values.insert("customFields".to_owned(), fields.clone());
    }
    let ext_id = format!("transload:stand-in:{number}");
    let row = Row {
        item: STAND_IN.to_owned(),
        module: "contacts",
        ext_id,
        values,
    };
    let batch = format!("stand-in:{number}");
    let scope = imports::own_scope(desk);
    let fates = imports::import(desk, &scope, &batch, &[row], None).await?;
    let (id, proof, key) = match fates.into_iter().next() {
        Some(Fate::Made { id, proof, key }) => (id, proof, key),
        Some(Fate::Unsettled) => {
            let text = "the import of the stand-in contact has not ended".to_owned();
            return Err(Error::Transient(text));
        }
        _ => return Ok(None),
    };
    let contact: Contact = desk
        .find(&format!("/contacts/{id}"))
        .await?
        .unwrap_or_default();
    let effect = Effect {
        proof: Some(proof),
        key,
        ..effect("main", "contact", &id, Action::Created)
    };
    Ok(Some((id, effect, contact)))
}

/// Makes the contact by plain REST.
async fn posted(desk: &Desk, marker: &str) -> Result<(String, Effect), Error> {
    let mut body = stand_in_values();
    let cf = stand_in_fields(desk, marker);
    if !cf.is_empty() {
        body.insert("cf".to_owned(), Value::Object(cf));
    }
    let request = desk.once("POST", "/contacts", key(STAND_IN, "main", "create"));
    let name = desk.state.own(Owner::Contact, own::MARKER);
    let find = async || match name {
        Some(name) => people::recent_by_field(desk, name, marker).await,
        None => Ok(None),
    };
    let ours = |contact: &Contact| people::is_of_run(desk, Owner::Contact, &contact.cf);
    let request = request.json(&body);
    match WRITES.make(None, request, find, ours).await? {
        crate::write::Creation::There(contact, proof, key) => {
            // It was looked for right before (rule D-4).
            let proof = proof.or(Some(Proof::AbsentBefore));
            let effect = transload_sdk::effects::made("main", "contact", &contact.id, proof, key);
            Ok((contact.id, effect))
        }
        crate::write::Creation::Refused(refusal) => Err(http::Refusal::rejection(&refusal)),
        crate::write::Creation::Unsettled => Err(Error::Transient(format!(
            "{STAND_IN} could not be made yet"
        ))),
    }
}
