//! What the connector makes for itself, and what it finds out once for all later calls.
//!
//! A permission set `Transload`, given to the integration user, shows the fields that are made; the fields of [`crate::fields`]
//! on every object that is loaded. What is there is used. Each is reported under a key of its own, so that a rollback takes it
//! back when nothing of others hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::effects::{found, own};
use transload_sdk::http::Refusal as _;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::types::{Error, Invalid};

use crate::api::{Describe, id_of, text};
use crate::client::{self, literal};
use crate::fields;
use crate::state::{AuditFields, Config, State};
use crate::survey;
use crate::write::schema::{self, Single, Wanted, make_single};
use crate::write::{description_marker, is_of_run};

/// API name of the permission set.
pub const PERMISSION_SET: &str = "Transload";

/// Makes or finds it.
///
/// # Errors
/// What ends a unit; `invalid` when a setting names nobody or nothing.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let config: Config = cx.config()?;
    let identity = survey::identity(cx).await?;
    let stand_in = match &config.fallback_user {
        None => identity.user.clone(),
        Some(wanted) => survey::fallback_user(cx, wanted)
            .await?
            .ok_or_else(|| invalid("fallback_user", survey::nobody(wanted)))?,
    };
    let mut state = State {
        organisation: identity.organisation,
        me: identity.user,
        stand_in,
        statuses: survey::case_statuses(cx).await?,
        ..State::default()
    };
    let mut described: BTreeMap<&str, Describe> = BTreeMap::new();
    for object in config.objects() {
        let found = client::describe(cx, object).await?;
        let found = found.ok_or_else(|| {
            Error::Permission(format!(
                "the org does not show {object} to the integration user"
            ))
        })?;
        described.insert(object, found);
    }
    for (object, found) in &described {
        if let Some(wanted) = config.record_type(object) {
            let id = record_type(found, wanted)?;
            state.record_types.insert((*object).to_owned(), id);
        }
    }
    if config.audit_fields == AuditFields::Auto {
        let takes = |(object, found): (&&str, &Describe)| {
            found.takes("CreatedDate").then(|| (*object).to_owned())
        };
        state.audit = described.iter().filter_map(takes).collect();
        for object in ["CaseComment", "FeedItem"] {
            let found = client::describe(cx, object).await?.unwrap_or_default();
            if found.takes("CreatedDate") {
                state.audit.insert(object.to_owned());
            }
        }
        state.audit_custom = state.audit.contains("Case");
        state.audit_feed = state.audit.contains("FeedItem");
        state.closed_date = described
            .get("Case")
            .is_some_and(|case| case.takes("ClosedDate"));
    }
    if let Some(contact) = described.get("Contact") {
        state.address_codes = contact.field("MailingCountryCode").is_some();
    }
    let body = described
        .get("EmailMessage")
        .and_then(|e| e.field("TextBody"));
    // The smallest that any description names (Salesforce facts §9.3).
    state.email_chars = body.map_or(32_000, |field| field.length);
    let (set, set_is_ours) = permission_set(cx, &state.me).await?;
    state.permission_set = set;
    for (object, found) in &described {
        own_fields(cx, &mut state, object, found, set_is_ours).await?;
    }
    serde_json::to_string(&state).map_err(|_| Error::Bug("the state is no JSON".to_owned()))
}

fn invalid(setting: &str, reason: String) -> Error {
    Error::Invalid(Invalid {
        field: Some(setting.to_owned()),
        reason,
    })
}

fn record_type(described: &Describe, wanted: &str) -> Result<String, Error> {
    let found = described
        .record_type_infos
        .iter()
        .find(|info| info.available && info.developer_name == wanted);
    found
        .map(|info| info.record_type_id.clone())
        .ok_or_else(|| {
            let setting = format!("{}_record_type", described.name.to_lowercase());
            let reason = format!(
                "{} has no record type {wanted} that the user may use",
                described.name
            );
            invalid(&setting, reason)
        })
}

/// The permission set, given to the integration user: its id, and whether this run made it.
async fn permission_set(cx: &Context, me: &str) -> Result<(String, bool), Error> {
    let item = "own:permission-set";
    let find = async || {
        let soql = format!(
            "SELECT Id, Description FROM PermissionSet WHERE Name = {}",
            literal(PERMISSION_SET)
        );
        let rows = client::query(cx, &soql).await?;
        Ok::<_, Error>(rows.into_iter().next())
    };
    let set = match find().await? {
        Some(set) => {
            let ours = is_of_run(cx, Some(text(&set, "Description")));
            found(cx, "PermissionSet", id_of(&set), ours)
        }
        None => {
            let body = json!({
                "Name": PERMISSION_SET, "Label": PERMISSION_SET,
                "Description": description_marker(cx, item),
            });
            let single = Single {
                object: "PermissionSet",
                item,
                part: "main",
                body: &body,
            };
            let id = async || Ok(find().await?.as_ref().map(id_of));
            settled(item, make_single(cx, &single, None, id, true).await?)?
        }
    };
    let id = set.target_id.clone();
    let mine = set.action == Action::Created;
    let body = json!({"PermissionSetId": id, "AssigneeId": me});
    let assigned = async || {
        let soql = format!(
            "SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = {} AND AssigneeId = {}",
            literal(&id),
            literal(me)
        );
        let rows = client::query(cx, &soql).await?;
        Ok::<_, Error>(rows.first().map(id_of))
    };
    let assignment = match assigned().await? {
        // Of a set of this run's an earlier attempt of it may have given.
        Some(there) => found(cx, "PermissionSetAssignment", there, mine),
        None => {
            let single = Single {
                object: "PermissionSetAssignment",
                item,
                part: "assignment",
                body: &body,
            };
            settled(item, make_single(cx, &single, None, assigned, true).await?)?
        }
    };
    let assignment = Effect {
        part: "assignment".to_owned(),
        ..assignment
    };
    own(cx, item, vec![set, assignment]).await?;
    Ok((id, mine))
}

fn settled(item: &str, made: Result<Effect, Status>) -> Result<Effect, Error> {
    match made {
        Ok(effect) => Ok(effect),
        Err(Status::Rejected(error)) => Err(error),
        Err(_) => Err(Error::Transient(format!("{item} could not be made yet"))),
    }
}

/// Makes and shows what own fields an object lacks. Without its marker nothing could be loaded safely; that of a task may be
/// refused, since it is not documented whether activities take external ids (Salesforce facts §18).
async fn own_fields(
    cx: &Context,
    state: &mut State,
    object: &str,
    described: &Describe,
    set_is_ours: bool,
) -> Result<(), Error> {
    let own_fields = fields::of_object(object);
    let mut hidden = BTreeSet::new();
    let mut effects: BTreeMap<String, Effect> = BTreeMap::new();
    for field in own_fields {
        let (name, ..) = *field;
        let item = item_of(object, name);
        let wanted = Wanted::own(object, *field, &item);
        if described.takes(name) {
            continue;
        }
        match schema::make_field(cx, &item, "main", None, &wanted).await? {
            Ok(effect) => {
                hidden.insert(name.to_owned());
                effects.insert(name.to_owned(), effect);
            }
            Err(Status::Rejected(_)) if object == "Task" => {}
            Err(Status::Rejected(error)) => return Err(error),
            Err(_) => return Err(Error::Transient(format!("{item} could not be made yet"))),
        }
    }
    let set = state.permission_set.clone();
    let mut shown = if hidden.is_empty() {
        BTreeMap::new()
    } else {
        schema::show_fields(cx, &set, object, &hidden, &format!("own:{object}")).await?
    };
    for (name, effect) in effects {
        let mut all = vec![effect];
        match shown.remove(&name) {
            Some(Ok(permission)) => all.push(permission),
            Some(Err(fault)) => return Err(fault.rejection()),
            None => {}
        }
        own(cx, &item_of(object, &name), all).await?;
        state.own.insert(format!("{object}.{name}"));
    }
    let there = own_fields.iter().filter(|(name, ..)| described.takes(name));
    for (name, ..) in there {
        let item = item_of(object, name);
        let target = schema::target_of_own(object, name);
        // Fields that are there before the permission set was made are not this run's; of others it is asked.
        let ours = set_is_ours && schema::is_own_of_run(cx, object, name).await?;
        own(cx, &item, vec![found(cx, schema::FIELD, target, ours)]).await?;
        state.own.insert(format!("{object}.{name}"));
    }
    Ok(())
}

fn item_of(object: &str, name: &str) -> String {
    format!("own:{object}:{name}")
}
