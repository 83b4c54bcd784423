//! The org before anything is written: whose it is, what the credential may, what could be mapped to what, what would run and
//! who would be mailed, and how much room there is. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::declare::{names, notice, option, possible};
use transload_sdk::destination::{
    AccountSupport, Allowance, Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::{ChoiceOption, Error, Fidelity, FieldType, Kind, ReferenceType};

use crate::api::{Describe, FieldDescribe, Record, id_of, id18, text};
use crate::client::{self, VERSION, literal, path};
use crate::describe;
use crate::map::{FieldKind, FieldTarget};
use crate::state::{AuditFields, Config};
use crate::write::teams;

/// What the integration user must be allowed (Salesforce facts §1): the field of its permission sets, and its name in Setup.
const RIGHTS: [(&str, &str); 5] = [
    ("PermissionsApiEnabled", "API Enabled"),
    ("PermissionsViewSetup", "View Setup and Configuration"),
    ("PermissionsCustomizeApplication", "Customize Application"),
    (
        "PermissionsModifyMetadata",
        "Modify Metadata Through Metadata API Functions",
    ),
    ("PermissionsModifyAllData", "Modify All Data"),
];

/// Who the credential is and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Id of the org.
    pub organisation: String,
    /// Id of the user.
    pub user: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    user_id: String,
    organization_id: String,
}

/// Whom the credential belongs to. The version's own page names it in an address, `…/id/00D…/005…`; where it does not, the page
/// about the user does.
///
/// # Errors
/// `auth` where neither says it.
pub async fn identity(cx: &Context) -> Result<Identity, Error> {
    let page: Option<Value> = client::find(cx, &path("/")).await?;
    let address = page
        .as_ref()
        .and_then(|page| page.get("identity")?.as_str());
    let mut ids = address.unwrap_or_default().rsplit('/');
    if let (Some(user), Some(organisation)) = (ids.next(), ids.next())
        && user.starts_with("005")
        && organisation.starts_with("00D")
    {
        return Ok(Identity {
            organisation: id18(organisation),
            user: id18(user),
        });
    }
    let info: Option<UserInfo> = client::find(cx, "/services/oauth2/userinfo").await?;
    let info = info.filter(|info| !info.user_id.is_empty() && !info.organization_id.is_empty());
    let info = info
        .ok_or_else(|| Error::Auth("Salesforce does not say whose the credential is".to_owned()))?;
    Ok(Identity {
        organisation: id18(&info.organization_id),
        user: id18(&info.user_id),
    })
}

/// A query that an org may not answer: an object that its edition lacks, a field that it does not show.
async fn ask(cx: &Context, tooling: bool, soql: &str) -> Result<Option<Vec<Record>>, Error> {
    let rows = if tooling {
        client::tooling_query(cx, soql).await
    } else {
        client::query(cx, soql).await
    };
    match rows {
        Ok(rows) => Ok(Some(rows)),
        Err(Error::Bug(_) | Error::Permission(_) | Error::NotFound(_)) => Ok(None),
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
    let identity = identity(cx).await?;
    let mut notices = Vec::new();
    notices.extend(version_notice(cx).await?);
    let soql = "SELECT Id, Name, OrganizationType, IsSandbox, TimeZoneSidKey FROM Organization";
    let rows = ask(cx, false, soql).await?.unwrap_or_default();
    let org = rows.into_iter().next().unwrap_or_default();
    let soql = format!(
        "SELECT Id, Name, Username, Email FROM User WHERE Id = {}",
        literal(&identity.user)
    );
    let rows = ask(cx, false, &soql).await?.unwrap_or_default();
    let user = rows.into_iter().next().unwrap_or_default();
    let (roles, missing, seen) = rights(cx, &identity.user).await?;
    if !seen {
        notices.push(notice(
            "rights-not-shown",
            Severity::Info,
            "the org does not show what the integration user may".to_owned(),
            None,
        ));
    }
    let case = client::describe(cx, "Case").await?;
    match &case {
        Some(case) => notices.extend(audit_notice(&config, case)),
        None => notices.push(notice(
            "no-cases",
            Severity::Danger,
            "the org has no cases, or does not show them to the integration user".to_owned(),
            Some("give the user a Service Cloud licence and access to cases"),
        )),
    }
    notices.extend(fallback_notice(cx, &config).await?);
    let sandbox = org.get("IsSandbox").and_then(Value::as_bool) == Some(true);
    let edition = text(&org, "OrganizationType").to_owned();
    let tier = if sandbox {
        format!("{edition} (sandbox)")
    } else {
        edition
    };
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Account {
        id: identity.organisation,
        name: known(text(&org, "Name")).unwrap_or_else(|| config.my_domain.clone()),
        url: (!config.my_domain.is_empty()).then(|| config.site()),
        tier: known(tier.trim()),
        time_zone: known(text(&org, "TimeZoneSidKey")),
        user: known(text(&user, "Username")),
        roles,
        missing,
        excess: Vec::new(),
        notices,
    })
}

/// The version that is spoken must be among the org's; the list needs no credential (Salesforce facts §1).
async fn version_notice(cx: &Context) -> Result<Option<Notice>, Error> {
    let versions: Option<Vec<Value>> = client::find(cx, "/services/data").await?;
    let speaks = versions.is_none_or(|versions| {
        let mut names = versions.iter().filter_map(|v| v.get("version")?.as_str());
        names.any(|name| name == VERSION)
    });
    let old = || {
        notice(
            "api-version",
            Severity::Danger,
            format!("the org does not speak version {VERSION} of the API"),
            None,
        )
    };
    Ok((!speaks).then(old))
}

/// What the user's profile and permission sets allow: their names, what is missing, and whether the org shows it at all.
async fn rights(cx: &Context, user: &str) -> Result<(Vec<String>, Vec<String>, bool), Error> {
    let id = literal(user);
    let mut sets: Vec<Record> = Vec::new();
    for (through, name, from) in [
        ("Profile", "Name", format!("User WHERE Id = {id}")),
        (
            "PermissionSet",
            "Label",
            format!("PermissionSetAssignment WHERE AssigneeId = {id}"),
        ),
    ] {
        let columns: Vec<String> = [name]
            .into_iter()
            .chain(RIGHTS.iter().map(|(field, _)| *field))
            .map(|field| format!("{through}.{field}"))
            .collect();
        let soql = format!("SELECT {} FROM {from}", columns.join(", "));
        let rows = ask(cx, false, &soql).await?.unwrap_or_default();
        let of = rows.iter().filter_map(|row| row.get(through)?.as_object());
        sets.extend(of.cloned());
    }
    let allowed = |field: &str| {
        sets.iter()
            .any(|set| set.get(field).and_then(Value::as_bool) == Some(true))
    };
    let shown = !sets.is_empty();
    let missing = RIGHTS.iter().filter(|(field, _)| shown && !allowed(field));
    let names = |set: &Record| match text(set, "Name") {
        "" => text(set, "Label").to_owned(),
        name => name.to_owned(),
    };
    let roles: BTreeSet<String> = sets.iter().map(names).collect();
    Ok((
        roles.into_iter().filter(|name| !name.is_empty()).collect(),
        missing.map(|(_, name)| (*name).to_owned()).collect(),
        shown,
    ))
}

/// Two switches must be on before an org takes original times (Salesforce facts §0.2).
fn audit_notice(config: &Config, case: &Describe) -> Option<Notice> {
    if config.audit_fields == AuditFields::Off || keeps_times(config, case) {
        return None;
    }
    Some(notice(
        "audit-fields",
        Severity::Danger,
        "the org does not take original times: cases, comments and people would be dated by the load, and the source's times \
         stand in fields of their own only"
            .to_owned(),
        Some(
            "Setup › User Interface › Enable \"Set Audit Fields upon Record Creation\" and \"Update Records with Inactive \
             Owners\" User Permissions, then give the integration user both permissions; or set audit_fields = \"off\"",
        ),
    ))
}

/// The user whom the setting names, by id, address or user name; active, since an owner must be (Salesforce facts §11).
///
/// # Errors
/// What ends a unit.
pub async fn fallback_user(cx: &Context, wanted: &str) -> Result<Option<String>, Error> {
    let wanted = wanted.trim();
    let which = if matches!(wanted.len(), 15 | 18) && wanted.starts_with("005") {
        format!("Id = {}", literal(wanted))
    } else {
        format!("(Email = {0} OR Username = {0})", literal(wanted))
    };
    let soql = format!("SELECT Id FROM User WHERE IsActive = true AND {which} ORDER BY Id");
    let rows = client::query(cx, &soql).await?;
    Ok(rows.first().map(id_of))
}

/// What is said of a setting that names nobody.
pub fn nobody(wanted: &str) -> String {
    format!("`fallback_user` names {wanted}, who is no active user of the org")
}

async fn fallback_notice(cx: &Context, config: &Config) -> Result<Option<Notice>, Error> {
    let Some(wanted) = &config.fallback_user else {
        return Ok(None);
    };
    let remedy = "name a user by e-mail address, user name or id, or leave it out: then the integration user stands in";
    let wrong = || {
        notice(
            "fallback-user",
            Severity::Danger,
            nobody(wanted),
            Some(remedy),
        )
    };
    Ok(fallback_user(cx, wanted).await?.is_none().then(wrong))
}

// ---- survey

/// API names of case statuses, and whether a case in one is closed (Salesforce facts §4).
///
/// # Errors
/// What ends a unit.
pub async fn case_statuses(cx: &Context) -> Result<BTreeMap<String, bool>, Error> {
    let soql = "SELECT ApiName, MasterLabel, IsClosed FROM CaseStatus";
    let rows = ask(cx, false, soql).await?.unwrap_or_default();
    let closed = |row: &Record| row.get("IsClosed").and_then(Value::as_bool) == Some(true);
    Ok(rows
        .iter()
        .map(|row| {
            let name = match text(row, "ApiName") {
                "" => text(row, "MasterLabel"),
                name => name,
            };
            (name.to_owned(), closed(row))
        })
        .collect())
}

/// The choices of a picklist that is shown.
fn options(field: Option<&FieldDescribe>) -> Vec<SlotOption> {
    let values = field.map(|field| field.picklist_values.as_slice());
    let active = values
        .unwrap_or_default()
        .iter()
        .filter(|value| value.active);
    active
        .map(|value| option(&value.value, value.label.as_deref().unwrap_or(&value.value)))
        .collect()
}

fn slots(case: &Describe, statuses: &BTreeMap<String, bool>) -> Vec<Slot> {
    let status: Vec<SlotOption> = statuses
        .iter()
        .map(|(name, closed)| {
            let label = if *closed { " (closed)" } else { "" };
            option(name, &format!("{name}{label}"))
        })
        .collect();
    let first = |closed: bool, preferred: &[&str]| {
        let fitting = statuses.iter().filter(|(_, is)| **is == closed);
        let names: Vec<&String> = fitting.map(|(name, _)| name).collect();
        let named = preferred.iter().find_map(|wanted| {
            let same = names.iter().find(|name| name.as_str() == *wanted);
            same.copied()
        });
        named.or_else(|| names.first().copied()).cloned()
    };
    let defaults = [
        ("open", first(false, &["New", "Working"])),
        (
            "snoozed",
            first(false, &["On Hold", "Waiting on Customer", "New"]),
        ),
        ("closed", first(true, &["Closed"])),
    ];
    let priority = options(case.field("Priority"));
    let origin = options(case.field("Origin"));
    let restricted = case
        .field("Origin")
        .is_some_and(|field| field.restricted_picklist);
    vec![
        Slot {
            kind: Kind::Conversation,
            name: "status".to_owned(),
            defaults: defaults
                .into_iter()
                .filter_map(|(from, to)| Some((from.to_owned(), to?)))
                .collect(),
            values: status,
            fallback: None,
        },
        Slot {
            kind: Kind::Conversation,
            name: "priority".to_owned(),
            defaults: possible(
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
                    ("email", "Email"),
                    ("voice", "Phone"),
                    ("form", "Web"),
                    ("chat", "Web"),
                ],
                &origin,
            ),
            // Origins that are not in the list are taken unless an admin restricted it (Salesforce facts §4).
            values: if restricted { origin } else { Vec::new() },
            fallback: Some("Web".to_owned()),
        },
    ]
}

fn target_type(field: &FieldDescribe) -> FieldType {
    match FieldKind::of(field) {
        FieldKind::Text(_) | FieldKind::Email | FieldKind::Phone => FieldType::Text,
        FieldKind::LongText(_) => FieldType::LongText,
        FieldKind::Number(_, 0) => FieldType::Integer,
        FieldKind::Number(..) => FieldType::Decimal,
        FieldKind::Checkbox => FieldType::Boolean,
        FieldKind::Date => FieldType::Date,
        FieldKind::DateTime => FieldType::Moment,
        FieldKind::Url => FieldType::Link,
        FieldKind::Picklist(_) => FieldType::Choice,
        FieldKind::Multipicklist(_) => FieldType::Choices,
        FieldKind::Lookup(object) => FieldType::Reference(ReferenceType {
            kind: kind_of(&object),
            object_type: object.ends_with("__c").then_some(object),
            multi: false,
        }),
        FieldKind::Other(word) => FieldType::Other(word),
    }
}

fn kind_of(object: &str) -> Option<Kind> {
    Some(match object {
        "Account" => Kind::Company,
        "Contact" => Kind::Customer,
        "Case" => Kind::Conversation,
        "User" => Kind::Agent,
        object if object.ends_with("__c") => Kind::CustomObject,
        _ => return None,
    })
}

/// Fields that a migration may fill: custom ones, but the connector's own, that can be given.
fn target_fields(kind: &Kind, described: &Describe) -> Vec<TargetField> {
    let may = |field: &&FieldDescribe| {
        field.custom
            && !field.calculated
            && field.createable
            && !field.name.starts_with("Transload_")
    };
    let object_type = described
        .name
        .ends_with("__c")
        .then(|| described.name.clone());
    described
        .fields
        .iter()
        .filter(may)
        .map(|field| TargetField {
            kind: kind.clone(),
            object_type: object_type.clone(),
            address: FieldTarget {
                object: described.name.clone(),
                name: field.name.clone(),
                kind: FieldKind::of(field),
                choices: Vec::new(),
            }
            .to_string(),
            name: field.name.trim_end_matches("__c").to_owned(),
            label: field.label.clone(),
            field_type: target_type(field),
            required: is_required(field),
            options: field
                .picklist_values
                .iter()
                .map(|value| ChoiceOption {
                    value: value.value.clone(),
                    label: value.label.clone().unwrap_or_else(|| value.value.clone()),
                    active: value.active,
                })
                .collect(),
        })
        .collect()
}

fn is_required(field: &FieldDescribe) -> bool {
    field.createable && !field.nillable && !field.defaulted_on_create && field.kind != "boolean"
}

/// Custom objects that the org has, without those of packages.
async fn custom_objects(cx: &Context) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Global {
        #[serde(default)]
        sobjects: Vec<Value>,
    }
    let global: Option<Global> = client::find(cx, &path("/sobjects")).await?;
    let is = |object: &Value, what: &str| object.get(what).and_then(Value::as_bool) == Some(true);
    let objects = global.map(|global| global.sobjects).unwrap_or_default();
    let own = objects
        .iter()
        .filter(|object| is(object, "custom") && is(object, "createable"));
    let names = own.filter_map(|object| object.get("name")?.as_str());
    let plain = names.filter(|name| name.ends_with("__c") && name.matches("__").count() == 1);
    Ok(plain.map(str::to_owned).collect())
}

/// What there could be.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let config: Config = cx.config()?;
    let mut fields = Vec::new();
    let mut notices = Vec::new();
    let mut case = Describe::default();
    for (kind, object) in [
        (Kind::Conversation, "Case"),
        (Kind::Customer, "Contact"),
        (Kind::Company, "Account"),
        (Kind::Agent, "User"),
    ] {
        let Some(described) = client::describe(cx, object).await? else {
            let text = format!("the org does not show {object} to the integration user");
            notices.push(notice("object-hidden", Severity::Danger, text, None));
            continue;
        };
        fields.extend(target_fields(&kind, &described));
        if kind != Kind::Agent {
            notices.extend(required_fields(&described));
        }
        if object == "Case" {
            case = described;
        }
    }
    for object in custom_objects(cx).await? {
        if let Some(described) = client::describe(cx, &object).await? {
            fields.extend(target_fields(&Kind::CustomObject, &described));
        }
    }
    let statuses = case_statuses(cx).await?;
    if !statuses.values().any(|closed| *closed) {
        let text = "the org shows no closed status of cases".to_owned();
        notices.push(notice("no-closed-status", Severity::Danger, text, None));
    }
    notices.extend(audit_notice(&config, &case));
    notices.extend(automation(cx).await?);
    let (mut allowances, tight) = limits(cx).await?;
    notices.extend(tight);
    allowances.push(Allowance {
        name: "file-bytes".to_owned(),
        used: None,
        limit: Some(config.max_attachment_bytes),
    });
    let mut counts = Vec::new();
    for (kind, object) in [
        (Kind::Company, "Account"),
        (Kind::Customer, "Contact"),
        (Kind::Conversation, "Case"),
    ] {
        if let Some(count) = client::count(cx, object).await? {
            counts.push((kind, count));
        }
    }
    let queues = teams::queues(cx).await?;
    let mut slots = slots(&case, &statuses);
    slots.push(names(
        Kind::Team,
        queues.iter().map(|queue| text(queue, "Name").to_owned()),
    ));
    Ok(SurveyReport {
        slots,
        agents: users(cx).await?,
        fields,
        allowances,
        notices,
        counts,
        support: (!keeps_times(&config, &case)).then(without_times),
    })
}

/// Whether original times are set.
fn keeps_times(config: &Config, case: &Describe) -> bool {
    config.audit_fields == AuditFields::Auto && case.takes("CreatedDate")
}

/// What an org keeps that takes no original times: those of e-mails, which have a field of their own; all others stand in fields
/// of the connector's and above texts.
fn without_times() -> AccountSupport {
    let mut described = describe::description();
    for support in &mut described.kinds {
        if support.kind != Kind::Message {
            support.keeps_created_at = false;
        }
    }
    for row in &mut described.fidelity {
        if row.field == "created-at" {
            row.how = Fidelity::Converted;
            row.note = Some("in a field: the org takes no original times".to_owned());
        }
    }
    AccountSupport {
        kinds: described.kinds,
        fidelity: described.fidelity,
    }
}

async fn users(cx: &Context) -> Result<Vec<TargetAgent>, Error> {
    let soql = "SELECT Id, Name, Email, Username, IsActive FROM User WHERE UserType = 'Standard' ORDER BY Id";
    let rows = client::query(cx, soql).await?;
    let agent = |user: &Record| {
        let email = text(user, "Email");
        TargetAgent {
            id: id_of(user),
            email: (!email.is_empty()).then(|| email.to_owned()),
            name: text(user, "Name").to_owned(),
            active: user.get("IsActive").and_then(Value::as_bool) == Some(true),
            note: None,
        }
    };
    Ok(rows.iter().map(agent).collect())
}

/// A custom field that must be given refuses records that have nothing for it.
fn required_fields(described: &Describe) -> Vec<Notice> {
    let required = described
        .fields
        .iter()
        .filter(|f| f.custom && is_required(f));
    required
        .map(|field| {
            let text = format!(
                "field `{}` of {} is required; records without it are refused",
                field.label, described.name
            );
            let remedy = "make it optional until the migration has ended";
            notice("required-field", Severity::Caution, text, Some(remedy))
        })
        .collect()
}

/// What runs by itself on what is loaded, as far as it can be seen (Salesforce facts §14).
async fn automation(cx: &Context) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    let remedy = "switch it off for the migration, or let it pass over the integration user";
    let soql = "SELECT Label, TriggerObjectOrEventLabel FROM FlowDefinitionView WHERE IsActive = true AND \
                TriggerObjectOrEvent.QualifiedApiName IN ('Case','Contact','Account','EmailMessage','CaseComment')";
    for flow in ask(cx, false, soql).await?.unwrap_or_default() {
        let (label, on) = (
            text(&flow, "Label"),
            text(&flow, "TriggerObjectOrEventLabel"),
        );
        let text = format!("flow `{label}` runs on {on}, on what is loaded too");
        notices.push(notice("flow", Severity::Danger, text, Some(remedy)));
    }
    let on = "'Case','Contact','Account','EmailMessage','CaseComment'";
    for (object, condition, what, severity) in [
        (
            "ApexTrigger",
            format!("Status = 'Active' AND TableEnumOrId IN ({on})"),
            "trigger",
            Severity::Danger,
        ),
        (
            "ValidationRule",
            format!("Active = true AND EntityDefinition.QualifiedApiName IN ({on})"),
            "validation rule",
            Severity::Caution,
        ),
        (
            "WorkflowRule",
            format!("TableEnumOrId IN ({on})"),
            "workflow rule",
            Severity::Danger,
        ),
    ] {
        let name = if object == "ValidationRule" {
            "ValidationName"
        } else {
            "Name"
        };
        let soql = format!("SELECT Id, {name} FROM {object} WHERE {condition}");
        for row in ask(cx, true, &soql).await?.unwrap_or_default() {
            let text = format!("{what} `{}` runs on what is loaded", text(&row, name));
            notices.push(notice(
                &what.replace(' ', "-"),
                severity,
                text,
                Some(remedy),
            ));
        }
    }
    let soql = "SELECT MasterLabel, SobjectType FROM DuplicateRule WHERE IsActive = true";
    for rule in ask(cx, false, soql).await?.unwrap_or_default() {
        let text = format!(
            "duplicate rule `{}` looks at {}: where it blocks, people it takes for another are rejected",
            text(&rule, "MasterLabel"),
            text(&rule, "SobjectType")
        );
        let remedy = "let it allow for the migration; rules that only warn are passed";
        notices.push(notice(
            "duplicate-rule",
            Severity::Caution,
            text,
            Some(remedy),
        ));
    }
    Ok(notices)
}

/// Room, by the org's own count (Salesforce facts §2), and what of it is nearly used up.
async fn limits(cx: &Context) -> Result<(Vec<Allowance>, Vec<Notice>), Error> {
    #[derive(Deserialize)]
    struct Limit {
        #[serde(rename = "Max")]
        max: u64,
        #[serde(rename = "Remaining")]
        remaining: u64,
    }
    let limits = match client::find::<BTreeMap<String, Value>>(cx, &path("/limits")).await {
        Ok(limits) => limits.unwrap_or_default(),
        Err(Error::Permission(_)) => BTreeMap::new(),
        Err(other) => return Err(other),
    };
    let mut allowances = Vec::new();
    let mut notices = Vec::new();
    for (member, name) in [
        ("DailyApiRequests", "requests a day"),
        ("DataStorageMB", "data storage, MB"),
        ("FileStorageMB", "file storage, MB"),
        ("DailyBulkApiBatches", "bulk batches a day"),
    ] {
        let limit = limits.get(member).cloned();
        let Some(limit) = limit.and_then(|l| serde_json::from_value::<Limit>(l).ok()) else {
            continue;
        };
        let used = limit.max.saturating_sub(limit.remaining);
        allowances.push(Allowance {
            name: name.to_owned(),
            used: Some(used),
            limit: Some(limit.max),
        });
        // Storage that is full pauses a run for days; a day's requests come back.
        if member.ends_with("StorageMB") && limit.remaining.saturating_mul(10) < limit.max {
            let text = format!("{name}: {} of {} are used", used, limit.max);
            let remedy = "buy storage or make room; the recycle bin counts too";
            notices.push(notice("storage", Severity::Caution, text, Some(remedy)));
        }
    }
    Ok((allowances, notices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_proposed_that_is_closed_as_the_conversation_is() {
        let statuses: BTreeMap<String, bool> = [("Fertig", true), ("Neu", false)]
            .map(|(name, closed)| (name.to_owned(), closed))
            .into();
        let slots = slots(&Describe::default(), &statuses);
        let status = slots.iter().find(|slot| slot.name == "status").unwrap();
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            status.defaults,
            [
                pair("open", "Neu"),
                pair("snoozed", "Neu"),
                pair("closed", "Fertig")
            ]
        );
    }

    #[test]
    fn original_times_that_are_not_taken_are_a_danger_unless_they_are_not_wanted() {
        let closed = Describe::default();
        assert!(audit_notice(&Config::default(), &closed).is_some());
        let off = Config {
            audit_fields: AuditFields::Off,
            ..Config::default()
        };
        assert_eq!(audit_notice(&off, &closed), None);
        let field = FieldDescribe {
            name: "CreatedDate".to_owned(),
            createable: true,
            ..FieldDescribe::default()
        };
        let open = Describe {
            fields: vec![field],
            ..Describe::default()
        };
        assert_eq!(audit_notice(&Config::default(), &open), None);
    }

    #[test]
    fn the_connectors_own_fields_are_offered_to_nobody() {
        let field = |name: &str| FieldDescribe {
            name: name.to_owned(),
            kind: "string".to_owned(),
            length: 255,
            custom: true,
            createable: true,
            nillable: true,
            ..FieldDescribe::default()
        };
        let described = Describe {
            name: "Case".to_owned(),
            fields: vec![field("Transload_Run__c"), field("Tier__c")],
            ..Describe::default()
        };
        let offered = target_fields(&Kind::Conversation, &described);
        let addresses: Vec<&str> = offered.iter().map(|f| f.address.as_str()).collect();
        assert_eq!(addresses, ["Case.Tier__c:Text(255)"]);
    }
}
