//! The workspace before anything is written: whose it is, what would act on imported conversations, what could be mapped to what, and
//! the few things the connector makes for itself.

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::declare::{Naming, notice, option};
use transload_sdk::destination::{Allowance, Slot, SurveyReport, TargetAgent, TargetField};
use transload_sdk::effects::{found, made, own, print};
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::ledger::{Effect, Proof, Status};
use transload_sdk::session::{Account, Severity};
use transload_sdk::types::{ChoiceOption, Error, FieldType, Kind};

use crate::api::{Admin, Attribute, Contact, Me};
use crate::client;
use crate::map::{self, FieldTarget, Holds, Model};
use crate::state::{Config, State};
use crate::write::contacts::facets;
use crate::write::schema::{self, CONTACT_RUN, OWN, Placed, Shelf, Wanted};
use crate::write::{Creation, WRITES, is_of_run, people};

/// Custom data attributes of a workspace (Intercom facts §9).
const DATA_ATTRIBUTES: u64 = 250;

/// The token's owner and the workspace (Intercom facts §1).
async fn me(cx: &Context) -> Result<Me, Error> {
    let me = client::find::<Me>(cx, "/me").await?;
    me.filter(|me| !me.id.is_empty())
        .ok_or_else(|| Error::Auth("Intercom does not say whose the token is".to_owned()))
}

/// Whom the token belongs to.
///
/// # Errors
/// What ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let config: Config = cx.config()?;
    let me = me(cx).await?;
    let mut notices = Vec::new();
    let host = match me.app.region.as_str() {
        "EU" => "api.eu.intercom.io",
        "AU" => "api.au.intercom.io",
        _ => "api.intercom.io",
    };
    if !config.api_host.is_empty() && config.api_host != host {
        let text = format!(
            "the workspace is in the region {}, whose host is {host}",
            me.app.region
        );
        let remedy = "set `api_host` to the host of the region";
        notices.push(notice("wrong-region", Severity::Danger, text, Some(remedy)));
    }
    if let Some(wanted) = &config.fallback_admin {
        let admins = people::admins(cx).await?;
        if fallback(&admins, wanted).is_none() {
            notices.push(FALLBACK.notice(wanted));
        }
    }
    Ok(Account {
        id: me.app.id_code.clone(),
        name: me.app.name.clone(),
        url: Some(format!(
            "https://app.intercom.com/a/apps/{}",
            me.app.id_code
        )),
        tier: None,
        time_zone: me.app.timezone.clone(),
        user: Some(me.email.clone().unwrap_or_else(|| me.name.clone())),
        roles: Vec::new(),
        missing: Vec::new(),
        excess: Vec::new(),
        notices,
    })
}

fn fallback<'a>(admins: &'a [Admin], wanted: &str) -> Option<&'a Admin> {
    let by_id = || admins.iter().find(|admin| admin.id == wanted.trim());
    people::by_email(admins, wanted).or_else(by_id)
}

/// Who stands in for agents who are not here.
const FALLBACK: Naming = Naming {
    setting: "fallback_admin",
    must_be: "admin of the workspace",
    remedy: "name an admin by e-mail address or id, or leave it out: then the token's owner stands in",
};

// ---- what there could be

fn target_field(model: Model, attribute: &Attribute) -> Option<TargetField> {
    let choices = attribute.choices();
    let holds = Holds::read(&attribute.data_type, !choices.is_empty())?;
    let labels: Vec<String> = choices.into_iter().map(|(_, label)| label).collect();
    let target = FieldTarget {
        model,
        id: attribute.id.clone(),
        holds,
        name: attribute.name.clone(),
        choices: labels
            .iter()
            .map(|label| (label.clone(), label.clone()))
            .collect(),
    };
    let choice = |label: &String| ChoiceOption {
        value: label.clone(),
        label: label.clone(),
        active: true,
    };
    Some(TargetField {
        kind: match model {
            Model::Contact => Kind::Customer,
            Model::Company => Kind::Company,
            Model::Conversation => Kind::Conversation,
        },
        object_type: None,
        address: target.to_string(),
        name: attribute.name.clone(),
        label: attribute.name.clone(),
        field_type: match holds {
            Holds::Text => FieldType::Text,
            Holds::Choice => FieldType::Choice,
            Holds::Whole => FieldType::Integer,
            Holds::Number => FieldType::Decimal,
            Holds::Flag => FieldType::Boolean,
            Holds::Day | Holds::Moment => FieldType::Moment,
        },
        required: false,
        options: labels.iter().map(choice).collect(),
    })
}

fn slots() -> Vec<Slot> {
    let states = ["open", "closed", "snoozed"];
    vec![Slot {
        kind: Kind::Conversation,
        name: "status".to_owned(),
        values: states.map(|state| option(state, state)).to_vec(),
        defaults: states
            .map(|state| (state.to_owned(), state.to_owned()))
            .to_vec(),
        fallback: None,
    }]
}

/// What there could be. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let config: Config = cx.config()?;
    let admins = people::admins(cx).await?;
    let agents = admins.iter().map(|admin| TargetAgent {
        id: admin.id.clone(),
        email: admin.email.clone(),
        name: admin.name.clone(),
        active: true,
        note: (admin.has_inbox_seat == Some(false)).then(|| "no inbox seat".to_owned()),
    });
    let agents: Vec<TargetAgent> = agents.collect();
    let is_custom =
        |one: &&Attribute| one.custom != Some(false) && !one.archived && !one.id.is_empty();
    let data = schema::attributes(cx, false).await?;
    let data: Vec<&Attribute> = data.iter().filter(is_custom).collect();
    let of_conversations = schema::attributes(cx, true).await?;
    let model = |one: &Attribute| match one.model.as_str() {
        "company" => Model::Company,
        _ => Model::Contact,
    };
    let mut fields: Vec<TargetField> = data
        .iter()
        .filter_map(|one| target_field(model(one), one))
        .collect();
    let live = of_conversations.iter().filter(|one| !one.archived);
    fields.extend(live.filter_map(|one| target_field(Model::Conversation, one)));
    let allowances = vec![
        Allowance {
            name: "data attributes of contacts and companies".to_owned(),
            used: u64::try_from(data.len()).ok(),
            limit: Some(DATA_ATTRIBUTES),
        },
        Allowance {
            name: "file-bytes".to_owned(),
            used: None,
            limit: Some(config.max_attachment_bytes),
        },
    ];
    let notices = vec![notice(
        "services",
        Severity::Danger,
        "workflows, Fin, assignment rules, SLAs and webhooks may act on what the API makes as on anything; no call tells which of them are on".to_owned(),
        Some("pause workflows, Fin, automatic assignment and webhook receivers until the migration has ended"),
    )];
    let teams = people::all_teams(cx).await?;
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

// ---- what the connector needs

/// Finds the ids that all later calls need, and makes the attributes of our own and the contact who stands in.
///
/// # Errors
/// What ends the unit; `invalid` when a setting names nobody.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let config: Config = cx.config()?;
    let before: Option<State> = cx.state()?;
    let me = me(cx).await?;
    let stand_in = match &config.fallback_admin {
        None => me.id.clone(),
        Some(wanted) => {
            let admins = people::admins(cx).await?;
            let admin = fallback(&admins, wanted).map(|admin| admin.id.clone());
            admin.ok_or_else(|| FALLBACK.error(wanted))?
        }
    };
    // What was there when the run began, however often it is prepared.
    let tags = match before.filter(|before| before.run == cx.run()) {
        Some(before) => before.tags,
        None => schema::all_tags(cx)
            .await?
            .into_iter()
            .map(|tag| tag.id)
            .collect(),
    };
    let mut shelf = Shelf::new(cx).await?;
    for (model, name) in OWN {
        own_attribute(cx, &mut shelf, model, name).await?;
    }
    let state = State {
        run: cx.run().to_owned(),
        workspace: me.app.id_code,
        me: me.id,
        stand_in,
        stand_in_contact: stand_in_contact(cx).await?,
        tags,
    };
    Ok(serde_json::to_string(&state)?)
}

/// An attribute of our own, under its very name: values are written by it.
async fn own_attribute(
    cx: &Context,
    shelf: &mut Shelf,
    model: Model,
    name: &str,
) -> Result<(), Error> {
    let item = format!("own:attribute:{name}");
    let wanted = Wanted {
        model,
        names: vec![name.to_owned()],
        holds: Holds::Text,
        description: None,
        choices: Vec::new(),
        marker: format!("transload:{}{name}", cx.marker_prefix()),
    };
    // An earlier attempt of this run may have made it, and its outcome is lost.
    let since = Some(
        cx.now()
            .saturating_sub(i64::try_from(crate::write::SETTLE_MS).unwrap_or(0)),
    );
    match shelf.place(cx, (&item, "main", since), &wanted).await? {
        Placed::At(_, effect) => own(cx, &item, vec![*effect]).await,
        Placed::No(Status::Rejected(error), _) => Err(error),
        Placed::No(..) => Err(Error::Transient(format!("{item} could not be made yet"))),
    }
}

/// The contact in whose name conversations stand whose customer was not migrated: without an address, so that nothing can be mailed.
async fn stand_in_contact(cx: &Context) -> Result<String, Error> {
    let item = "own:contact:stand-in";
    let marker = map::external_id(&cx.stand_in_marker());
    let find = async || client::by_external_id(cx, &marker).await;
    let ours = |contact: &Contact| is_of_run(cx, &contact.custom_attributes, CONTACT_RUN);
    if let Some(contact) = find().await? {
        let effect = Effect {
            fingerprint: Some(print(&stand_in_facets(&contact))),
            ..found(cx, "contact", &contact.id, ours(&contact))
        };
        own(cx, item, vec![effect]).await?;
        return Ok(contact.id);
    }
    let body: Value = json!({
        "role": "user", "name": "Customer who was not migrated", "external_id": marker,
        "custom_attributes": {CONTACT_RUN: cx.run()},
    });
    let request = client::write(cx, "POST", "/contacts", key(item, "main", "create"))?.json(&body);
    match WRITES.make(None, request, find, ours).await? {
        Creation::There(contact, proof, key) => {
            // It was missing right before, in this unit (rule D-4).
            let proof = proof.or(Some(Proof::AbsentBefore));
            let mut effect = made("main", "contact", &contact.id, proof, key);
            effect.fingerprint = Some(print(&stand_in_facets(&contact)));
            own(cx, item, vec![effect]).await?;
            Ok(contact.id)
        }
        Creation::Refused(refusal) => Err(refusal.rejection()),
        Creation::Unsettled => Err(Error::Transient(format!("{item} could not be made yet"))),
    }
}

fn stand_in_facets(contact: &Contact) -> Vec<(String, String)> {
    let all = facets(contact).into_iter();
    all.filter(|(name, _)| matches!(name.as_str(), "name" | "external_id"))
        .collect()
}
