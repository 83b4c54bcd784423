//! The account before anything is written: whose it is, what the credential may, what could be mapped to what, and how much room
//! there is. Reads only. What a plan has is asked of the account itself, not looked up in a table (HubSpot facts §5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::declare::{notice, option, possible};
use transload_sdk::destination::{
    AccountSupport, Allowance, Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_sdk::http;
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::{ChoiceOption, Error, Fidelity, FieldType, Kind};

use crate::api::{Fault, Owner, Pipeline, Property, Schema};
use crate::client::{self, VERSION};
use crate::describe;
use crate::map::{self, FieldKind, FieldTarget};
use crate::own;
use crate::prepare::{self, PIPELINE_LABEL, STAGES};
use crate::state::{Config, Tags};
use crate::write::teams;

/// Scopes that a load needs beyond those that a read shows to be missing (HubSpot facts §1.1), for the notice.
const SCOPES: &str = "crm.objects.contacts, crm.objects.companies and crm.objects.custom (read and write), crm.schemas.contacts, \
     crm.schemas.companies and crm.schemas.custom (read and write), tickets, crm.objects.owners.read, sales-email-read, files, \
     settings.users.teams.read, oauth";

/// Whose account it is (HubSpot facts §1.1).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Details {
    /// Number of the portal.
    pub portal_id: u64,
    /// STANDARD, SANDBOX …
    pub account_type: String,
    /// IANA name, or HubSpot's.
    pub time_zone: String,
    /// Host of the account's pages.
    pub ui_domain: String,
    /// `na1`, `eu1`.
    pub data_hosting_location: String,
}

/// Whose account it is.
///
/// # Errors
/// `auth` where the answer does not say it.
pub async fn details(cx: &Context) -> Result<Details, Error> {
    let path = format!("/account-info/{VERSION}/details");
    let details: Option<Details> = client::find(cx, &path).await?;
    let details = details.filter(|details| details.portal_id != 0);
    details.ok_or_else(|| Error::Auth("HubSpot does not say whose the credential is".to_owned()))
}

/// The plan, by the calls that it has a day (HubSpot facts §2).
fn plan(daily: u64) -> &'static str {
    match daily {
        0 => "unknown plan",
        1..600_000 => "Free or Starter",
        600_000..1_000_000 => "Professional",
        _ => "Enterprise",
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Usage {
    usage_limit: u64,
    current_usage: u64,
}

/// Calls of the day; none for an OAuth app, whose are not counted (HubSpot facts §2).
async fn usage(cx: &Context) -> Result<Usage, Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        results: Vec<Usage>,
    }
    let path = format!("/account-info/{VERSION}/api-usage/daily/private-apps");
    let list = allowed(client::find::<List>(cx, &path).await)?.flatten();
    let first = list.and_then(|list| list.results.into_iter().next());
    Ok(first.unwrap_or_default())
}

/// What was read, or nothing where the credential may not.
fn allowed<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(Error::Permission(_) | Error::NotFound(_) | Error::Unsupported(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

// ---- check

/// Whom the credential belongs to, and what it lacks.
///
/// # Errors
/// `auth` for a credential that is nobody's, otherwise what ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let config: Config = cx.config()?;
    let details = details(cx).await?;
    let usage = usage(cx).await?;
    let mut notices = Vec::new();
    let missing = missing(cx).await?;
    if !missing.is_empty() {
        notices.push(notice(
            "scopes",
            Severity::Danger,
            format!("the credential lacks {}", missing.join(", ")),
            Some(
                "give the service key these scopes, and those for writing beside those for reading",
            ),
        ));
    }
    notices.push(notice(
        "scopes-needed",
        Severity::Info,
        format!("a load needs {SCOPES}; that it may write is seen only when it does"),
        None,
    ));
    notices.extend(fallback_notice(cx, &config).await?);
    let tier = format!(
        "{} ({})",
        plan(usage.usage_limit),
        details.account_type.to_lowercase()
    );
    let url = format!(
        "https://{}/home-beta?portalId={}",
        details.ui_domain, details.portal_id
    );
    Ok(Account {
        id: details.portal_id.to_string(),
        name: format!("HubSpot {}", details.portal_id),
        url: (!details.ui_domain.is_empty()).then_some(url),
        tier: Some(tier),
        time_zone: Some(details.time_zone).filter(|zone| !zone.is_empty()),
        user: None,
        roles: Vec::new(),
        missing,
        excess: Vec::new(),
        notices,
    })
}

/// The scopes that reads of all that is needed are refused for.
async fn missing(cx: &Context) -> Result<Vec<String>, Error> {
    let mut missing = Vec::new();
    let probes = [
        client::objects("contacts", "?limit=1"),
        client::objects("companies", "?limit=1"),
        client::objects("tickets", "?limit=1"),
        client::objects("emails", "?limit=1"),
        client::properties("contacts", "/email"),
        client::properties("companies", "/name"),
        client::owners() + "?limit=1",
        "/settings/v3/users/teams".to_owned(),
        client::files("/files/search?limit=1"),
        client::schemas(""),
    ];
    for path in probes {
        let reply = cx.http().get(path).header("accept", "application/json");
        let reply = reply.send().await?;
        if reply.status == 401 {
            return Err(http::unread::<Fault>(&reply));
        }
        if reply.status != 403 {
            continue;
        }
        let body: Value = serde_json::from_slice(reply.bytes()).unwrap_or_default();
        let scopes = body.pointer("/errors/0/context/requiredGranularScopes");
        let scopes = scopes
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let named = scopes.iter().filter_map(Value::as_str).map(str::to_owned);
        for scope in named {
            if !missing.contains(&scope) {
                missing.push(scope);
            }
        }
    }
    Ok(missing)
}

/// The owner whom the setting names, by id or address; active, since only such can have tickets (HubSpot facts §15).
///
/// # Errors
/// What ends a unit.
pub async fn fallback_owner(cx: &Context, wanted: &str) -> Result<Option<String>, Error> {
    let wanted = wanted.trim();
    let owners = teams::owners(cx, false).await?;
    let is = |owner: &&Owner| {
        owner.id == wanted
            || owner
                .email
                .as_deref()
                .is_some_and(|email| email.eq_ignore_ascii_case(wanted))
    };
    Ok(owners.iter().find(is).map(|owner| owner.id.clone()))
}

/// What is said of a setting that names nobody.
pub fn nobody(wanted: &str) -> String {
    format!("`fallback_owner` names {wanted}, who is no active owner of the account")
}

/// What is said of a setting that names no pipeline.
pub fn no_pipeline(wanted: &str) -> String {
    format!("`pipeline` names `{wanted}`, which is no ticket pipeline of the account")
}

async fn fallback_notice(cx: &Context, config: &Config) -> Result<Option<Notice>, Error> {
    let Some(wanted) = &config.fallback_owner else {
        return Ok(None);
    };
    let Some(found) = allowed(fallback_owner(cx, wanted).await)? else {
        return Ok(None);
    };
    let remedy = "name an owner by e-mail address or id, or leave it out: then nobody stands in, and texts name the author";
    let wrong = || {
        notice(
            "fallback-owner",
            Severity::Danger,
            nobody(wanted),
            Some(remedy),
        )
    };
    Ok(found.is_none().then(wrong))
}

// ---- survey

fn options(property: Option<&Property>) -> Vec<SlotOption> {
    let all = property.map(|property| property.options.as_slice());
    let shown = all
        .unwrap_or_default()
        .iter()
        .filter(|option| !option.hidden);
    shown.map(|one| option(&one.value, &one.label)).collect()
}

fn slots(tickets: &[Property], pipelines: &[Pipeline], of_run: &str) -> Vec<Slot> {
    let mut status: Vec<SlotOption> = STAGES
        .iter()
        .map(|(value, label, _)| option(value, &format!("{label} ({of_run})")))
        .collect();
    for pipeline in pipelines {
        for stage in pipeline.stages.iter().filter(|stage| !stage.archived) {
            let closed = if stage.is_closed() { ", closed" } else { "" };
            let label = format!("{} ({}{closed})", stage.label, pipeline.label);
            status.push(option(&format!("{}/{}", pipeline.id, stage.id), &label));
        }
    }
    let of = |name: &str| tickets.iter().find(|property| property.name == name);
    let priority = options(of("hs_ticket_priority"));
    let source = options(of("source_type"));
    let same = |value: &str| (value.to_owned(), value.to_owned());
    vec![
        Slot {
            kind: Kind::Conversation,
            name: "status".to_owned(),
            defaults: STAGES.map(|(value, ..)| same(value)).to_vec(),
            values: status,
            fallback: None,
        },
        Slot {
            kind: Kind::Conversation,
            name: "priority".to_owned(),
            defaults: possible(
                &[
                    ("1/1..5", "LOW"),
                    ("2/1..5", "LOW"),
                    ("3/1..5", "MEDIUM"),
                    ("4/1..5", "HIGH"),
                    ("5/1..5", "URGENT"),
                    ("1/1..4", "LOW"),
                    ("2/1..4", "MEDIUM"),
                    ("3/1..4", "HIGH"),
                    ("4/1..4", "URGENT"),
                ],
                &priority,
            ),
            values: priority,
            fallback: None,
        },
        Slot {
            kind: Kind::Conversation,
            name: "channel".to_owned(),
            defaults: possible(
                &[
                    ("email", "EMAIL"),
                    ("voice", "PHONE"),
                    ("form", "FORM"),
                    ("chat", "CHAT"),
                    ("sms", "CHAT"),
                    ("whatsapp", "CHAT"),
                ],
                &source,
            ),
            fallback: source
                .iter()
                .find(|o| o.value == "CHAT")
                .map(|o| o.value.clone()),
            values: source,
        },
    ]
}

fn target_type(property: &Property) -> FieldType {
    match FieldKind::of(property) {
        FieldKind::Text if property.field_type == "textarea" || property.field_type == "html" => {
            FieldType::LongText
        }
        FieldKind::Text => FieldType::Text,
        FieldKind::Number => FieldType::Decimal,
        FieldKind::Bool => FieldType::Boolean,
        FieldKind::Date => FieldType::Date,
        FieldKind::DateTime => FieldType::Moment,
        FieldKind::Choice => FieldType::Choice,
        FieldKind::Choices => FieldType::Choices,
        FieldKind::Other(word) => FieldType::Other(word),
    }
}

/// Properties that a migration may fill: the account's, but the connector's own, that can be written.
fn target_fields(kind: &Kind, object: &str, properties: &[Property]) -> Vec<TargetField> {
    let may = |property: &&Property| {
        !property.hubspot_defined
            && !property.name.starts_with("transload_")
            && !property.name.starts_with("hs_")
            && !matches!(FieldKind::of(property), FieldKind::Other(_))
    };
    properties
        .iter()
        .filter(may)
        .map(|property| TargetField {
            kind: kind.clone(),
            object_type: own::is_custom(object).then(|| object.to_owned()),
            address: FieldTarget {
                object: object.to_owned(),
                name: property.name.clone(),
                kind: FieldKind::of(property),
                choices: Vec::new(),
            }
            .to_string(),
            name: property.name.clone(),
            label: property.label.clone(),
            field_type: target_type(property),
            required: false,
            options: property
                .options
                .iter()
                .map(|option| ChoiceOption {
                    value: option.value.clone(),
                    label: option.label.clone(),
                    active: !option.hidden,
                })
                .collect(),
        })
        .collect()
}

/// What there could be.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let config: Config = cx.config()?;
    let mut fields = Vec::new();
    let mut notices = Vec::new();
    let mut tickets = Vec::new();
    for (kind, object) in [
        (Kind::Conversation, "tickets"),
        (Kind::Customer, "contacts"),
        (Kind::Company, "companies"),
    ] {
        let properties: Vec<Property> = client::list(cx, &client::properties(object, "")).await?;
        fields.extend(target_fields(&kind, object, &properties));
        notices.extend(unique_notice(object, &properties));
        if object == "tickets" {
            tickets = properties;
        }
    }
    let schemas = allowed(client::list::<Schema>(cx, &client::schemas("")).await)?;
    for schema in schemas.iter().flatten().filter(|schema| !schema.archived) {
        let object = schema.fully_qualified_name.as_str();
        fields.extend(target_fields(
            &Kind::CustomObject,
            object,
            &schema.properties,
        ));
    }
    let limits = Limits::read(cx).await?;
    let mut allowances = limits.allowances();
    let usage = usage(cx).await?;
    if usage.usage_limit > 0 {
        allowances.push(Allowance {
            name: "requests a day".to_owned(),
            used: Some(usage.current_usage),
            limit: Some(usage.usage_limit),
        });
    }
    allowances.push(Allowance {
        name: "file-bytes".to_owned(),
        used: None,
        limit: Some(config.max_attachment_bytes),
    });
    let pipelines = prepare::pipelines(cx).await?;
    notices.extend(pipeline_notices(&config, &pipelines, &limits));
    let created = tickets
        .iter()
        .find(|property| property.name == "createdate");
    let keeps_times = created.is_some_and(|p| !p.modification_metadata.read_only_value);
    if !keeps_times {
        notices.push(notice(
            "ticket-times",
            Severity::Info,
            "tickets of this account do not take the time of their creation: it stands in the property transload_created_at"
                .to_owned(),
            None,
        ));
    }
    let has_objects = schemas.is_some() && limits.custom_objects.is_none_or(|(_, most)| most > 0);
    if !has_objects {
        notices.push(notice(
            "custom-objects",
            Severity::Caution,
            "the account has no custom objects, which need an Enterprise plan: object types and their records are exported, and \
             named where others point to them"
                .to_owned(),
            Some("upgrade one hub to Enterprise before the migration, or keep the export"),
        ));
    }
    let of_run = match &config.pipeline {
        Some(wanted) => prepare::named(&pipelines, wanted).map(|p| p.label.clone()),
        None => None,
    };
    let of_run = of_run.unwrap_or_else(|| PIPELINE_LABEL.to_owned());
    Ok(SurveyReport {
        slots: slots(&tickets, &pipelines, &of_run),
        agents: agents(cx).await?,
        fields,
        allowances,
        counts: limits.counts(),
        notices,
        support: support(&config, keeps_times, has_objects),
    })
}

/// Ten unique properties an object may have (HubSpot facts §10.1), of which the connector needs one.
fn unique_notice(object: &str, properties: &[Property]) -> Option<Notice> {
    let unique = properties
        .iter()
        .filter(|p| p.has_unique_value && !p.hubspot_defined);
    let unique: Vec<&str> = unique.map(|property| property.name.as_str()).collect();
    let has_ours = unique.iter().any(|name| name.starts_with(own::SOURCE_ID));
    let full = unique.len() >= 10 && !has_ours;
    let said = || {
        let text = format!("{object} has ten unique properties, and the source id needs one more");
        let remedy = "delete one of them; a deleted one may count for some time";
        notice("unique-properties", Severity::Danger, text, Some(remedy))
    };
    full.then(said)
}

fn pipeline_notices(config: &Config, pipelines: &[Pipeline], limits: &Limits) -> Vec<Notice> {
    let mut notices = Vec::new();
    match &config.pipeline {
        Some(wanted) => match prepare::named(pipelines, wanted) {
            None => notices.push(notice(
                "pipeline",
                Severity::Danger,
                no_pipeline(wanted),
                Some("name one by id or label, or leave it out: then one is made"),
            )),
            Some(pipeline) => notices.push(notice(
                "pipeline-automation",
                Severity::Caution,
                format!("tickets go into the pipeline `{}`, with its automation, notifications and SLA", pipeline.label),
                Some("switch its automation off until the migration has ended, or leave `pipeline` out"),
            )),
        },
        None => {
            let there = prepare::named(pipelines, PIPELINE_LABEL).is_some();
            let full = limits.pipelines.is_some_and(|(used, most)| used >= most);
            if !there && full {
                notices.push(notice(
                    "pipelines",
                    Severity::Danger,
                    "the plan has room for no further ticket pipeline: tickets would go into the account's first, with its \
                     automation"
                        .to_owned(),
                    Some("switch that pipeline's automation off until the migration has ended, and name it in `pipeline`"),
                ));
            }
        }
    }
    notices
}

/// What the account lacks of what `describe` says.
fn support(config: &Config, keeps_times: bool, has_objects: bool) -> Option<AccountSupport> {
    if keeps_times && has_objects && config.tags == Tags::Checkbox {
        return None;
    }
    let mut described = describe::description();
    if !keeps_times {
        for support in &mut described.kinds {
            if support.kind == Kind::Conversation {
                support.keeps_created_at = false;
            }
        }
        for row in &mut described.fidelity {
            if row.kind == Kind::Conversation && row.field == "created-at" {
                row.how = Fidelity::Converted;
                row.note = Some("in a property: tickets of this account do not take it".to_owned());
            }
        }
    }
    if !has_objects {
        let of_objects = |kind: &Kind| matches!(kind, Kind::ObjectType | Kind::CustomObject);
        described.kinds.retain(|support| !of_objects(&support.kind));
        for row in &mut described.fidelity {
            if of_objects(&row.kind) {
                row.how = Fidelity::Lost;
                row.note = Some("exported: the account has no custom objects".to_owned());
            }
        }
    }
    if config.tags == Tags::Text {
        for row in &mut described.fidelity {
            if row.field == "tags" {
                row.how = Fidelity::Converted;
                row.note = Some("text".to_owned());
            }
        }
    }
    Some(AccountSupport {
        kinds: described.kinds,
        fidelity: described.fidelity,
    })
}

async fn agents(cx: &Context) -> Result<Vec<TargetAgent>, Error> {
    let mut all = Vec::new();
    for archived in [false, true] {
        for owner in teams::owners(cx, archived).await? {
            all.push(TargetAgent {
                email: owner.email.as_deref().and_then(map::email),
                name: owner.name(),
                active: !archived,
                note: None,
                id: owner.id,
            });
        }
    }
    Ok(all)
}

// ---- limits

/// Used and possible.
type Room = (u64, u64);

/// Limits by the account's own count (HubSpot facts §5).
#[derive(Debug, Default)]
struct Limits {
    /// Records by object type id.
    records: BTreeMap<String, Room>,
    /// Custom properties by object type id.
    properties: BTreeMap<String, Room>,
    custom_objects: Option<Room>,
    /// Of tickets.
    pipelines: Option<Room>,
}

impl Limits {
    async fn read(cx: &Context) -> Result<Self, Error> {
        let ask = async |rest: &str| -> Result<Option<Value>, Error> {
            let read = client::find::<Value>(cx, &client::limits(rest)).await;
            Ok(allowed(read)?.flatten())
        };
        let by_type = |value: Option<Value>| {
            let mut all = BTreeMap::new();
            collect(&value.unwrap_or_default(), &mut all);
            all
        };
        Ok(Self {
            records: by_type(ask("/records").await?),
            properties: by_type(ask("/custom-properties").await?),
            custom_objects: ask("/custom-object-types").await?.as_ref().and_then(room),
            pipelines: by_type(ask("/pipelines").await?).get("0-5").copied(),
        })
    }

    fn allowances(&self) -> Vec<Allowance> {
        let of = |name: String, room: Room| Allowance {
            name,
            used: Some(room.0),
            limit: Some(room.1),
        };
        let mut all = Vec::new();
        for (id, name) in [
            ("0-1", "contacts"),
            ("0-2", "companies"),
            ("0-5", "tickets"),
        ] {
            let records = self.records.get(id);
            all.extend(records.map(|room| of(format!("records of {name}"), *room)));
            let properties = self.properties.get(id);
            all.extend(properties.map(|room| of(format!("custom properties of {name}"), *room)));
        }
        all.extend(
            self.custom_objects
                .map(|room| of("custom objects".to_owned(), room)),
        );
        all.extend(
            self.pipelines
                .map(|room| of("ticket pipelines".to_owned(), room)),
        );
        all
    }

    fn counts(&self) -> Vec<(Kind, u64)> {
        let kinds = [
            (Kind::Customer, "0-1"),
            (Kind::Company, "0-2"),
            (Kind::Conversation, "0-5"),
        ];
        let count = |(kind, id): (Kind, &str)| Some((kind, self.records.get(id)?.0));
        kinds.into_iter().filter_map(count).collect()
    }
}

fn room(value: &Value) -> Option<Room> {
    Some((value.get("usage")?.as_u64()?, value.get("limit")?.as_u64()?))
}

/// What an answer has by object type, however deep.
fn collect(value: &Value, all: &mut BTreeMap<String, Room>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| collect(one, all)),
        Value::Object(members) => {
            let id = members.get("objectTypeId").and_then(Value::as_str);
            if let (Some(id), Some(room)) = (id, room(value)) {
                all.insert(id.to_owned(), room);
            }
            members.values().for_each(|one| collect(one, all));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_are_read_wherever_they_stand() {
        let answer = json!({
            "customObjectTypes": {"byObjectType": [{"objectTypeId": "2-1", "limit": 5, "usage": 1}]},
            "hubspotDefinedObjectTypes": [{"objectTypeId": "0-5", "limit": 9, "usage": 4, "percentage": 44.4}],
        });
        let mut all = BTreeMap::new();
        collect(&answer, &mut all);
        assert_eq!(all.get("2-1"), Some(&(1, 5)));
        assert_eq!(all.get("0-5"), Some(&(4, 9)));
    }

    #[test]
    fn an_account_without_custom_objects_does_not_offer_them() {
        let less = support(&Config::default(), true, false).unwrap();
        assert!(
            less.kinds
                .iter()
                .all(|support| support.kind != Kind::CustomObject)
        );
        assert_eq!(support(&Config::default(), true, true), None);
    }

    #[test]
    fn the_connectors_own_properties_are_offered_to_nobody() {
        let property = |name: &str, hubspot: bool| Property {
            name: name.to_owned(),
            kind: "string".to_owned(),
            field_type: "text".to_owned(),
            hubspot_defined: hubspot,
            ..Property::default()
        };
        let list = [
            property("transload_run", false),
            property("tier", false),
            property("email", true),
        ];
        let offered = target_fields(&Kind::Customer, "contacts", &list);
        let addresses: Vec<&str> = offered.iter().map(|f| f.address.as_str()).collect();
        assert_eq!(addresses, ["contacts.tier:text"]);
    }
}
