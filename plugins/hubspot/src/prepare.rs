//! What the connector makes for itself, and what it finds out once for all later calls.
//!
//! A group of properties and the properties of [`crate::own`] on every object type that is loaded; a ticket pipeline without
//! automation, unless the settings name another. What is there is used. Each is reported under a key of its own, so that a
//! rollback takes it back when nothing of others hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::effects::{found, own as report_own};
use transload_sdk::http::{self, Creation, Making, OperationKey, Refusal as _, key, step};
use transload_sdk::ledger::{Action, Effect, Proof};
use transload_sdk::types::{Error, Invalid};

use crate::api::{Batch, Fault, Pipeline, Property};
use crate::client::{self, SETTLE_MS, Sent};
use crate::map::FieldKind;
use crate::own::{self, ACTIVITIES, GROUP, Own, OwnType};
use crate::state::{Config, Stage, State};
use crate::survey;
use crate::write::files;
use crate::write::schema::{PROPERTY, PROPERTY_GROUP, Wanted, numbered};
use crate::write::{effect, is_of_run, made};

/// What effects call a pipeline.
pub const PIPELINE: &str = "pipeline";
/// What people call ours.
pub const PIPELINE_LABEL: &str = "Transload";
/// Its stages: the value of the `status` slot, what people read, whether tickets in it are closed.
pub const STAGES: [(&str, &str, bool); 3] = [
    ("open", "Open", false),
    ("snoozed", "Snoozed", false),
    ("closed", "Closed", true),
];
/// Rounds of making what is missing.
const ROUNDS: u32 = 4;
/// Names that are tried for one property.
const NAMES: u32 = 30;

/// Makes or finds it.
///
/// # Errors
/// What ends a unit; `invalid` when a setting names nobody or nothing.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let config: Config = cx.config()?;
    let details = survey::details(cx).await?;
    let mut state = State {
        portal: details.portal_id.to_string(),
        ui: details.ui_domain,
        ..State::default()
    };
    if let Some(wanted) = &config.fallback_owner {
        state.stand_in = survey::fallback_owner(cx, wanted)
            .await?
            .ok_or_else(|| invalid("fallback_owner", survey::nobody(wanted)))?;
    }
    let mut objects = vec!["contacts", "companies", "tickets"];
    objects.extend(ACTIVITIES);
    for object in objects {
        let own = OwnProperties {
            cx,
            config: &config,
            object,
        };
        own.properties(&mut state).await?;
    }
    pipeline(cx, &config, &mut state).await?;
    files::folders(cx).await?;
    Ok(serde_json::to_string(&state)?)
}

fn invalid(field: &str, reason: String) -> Error {
    Error::Invalid(Invalid {
        field: Some(field.to_owned()),
        reason,
    })
}

// ---- properties

/// The own properties of one object type.
struct OwnProperties<'a> {
    cx: &'a Context,
    config: &'a Config,
    object: &'a str,
}

impl OwnProperties<'_> {
    async fn list(&self, archived: bool) -> Result<Vec<Property>, Error> {
        let rest = if archived { "?archived=true" } else { "" };
        client::list(self.cx, &client::properties(self.object, rest)).await
    }

    fn item(&self, key: &str) -> String {
        format!("own:{}:{key}", self.object)
    }

    fn wanted<'m>(&self, own: Own, unique: bool, marker: &'m str) -> Wanted<'m> {
        Wanted {
            unique,
            ..Wanted::own(self.object, own, self.config, marker)
        }
    }

    /// An own property that is there, under its name or one with a number behind it.
    fn there<'p>(&self, own: Own, live: &'p [Property]) -> Option<&'p Property> {
        let kind = self.wanted(own, false, "").kind;
        (1..=NAMES).find_map(|number| {
            let name = numbered(own.0, number);
            let property = live.iter().find(|property| property.name == name)?;
            // Tags as text are no checkboxes, and a marker that is not unique marks nothing.
            let unique = own.2 != OwnType::Marker
                || property.has_unique_value
                || ACTIVITIES.contains(&self.object);
            (FieldKind::of(property) == kind && unique).then_some(property)
        })
    }

    /// Finds them, makes those that are missing, and reports each.
    async fn properties(&self, state: &mut State) -> Result<(), Error> {
        let (cx, object) = (self.cx, self.object);
        let mut live = self.list(false).await?;
        if object == "tickets" {
            read_tickets(state, &live);
        }
        let owns = own::of_object(object);
        let absent: BTreeSet<&str> = owns
            .iter()
            .filter(|own| self.there(**own, &live).is_none())
            .map(|own| own.0)
            .collect();
        let mut made_by: BTreeMap<String, OperationKey> = BTreeMap::new();
        let mut group = None;
        if !absent.is_empty() {
            group = self.group().await?;
            let mut taken: BTreeSet<String> = live.iter().map(|p| p.name.clone()).collect();
            // HubSpot facts §10.3.
            taken.extend(self.list(true).await?.into_iter().map(|p| p.name));
            self.make(owns, &mut live, &mut taken, &mut made_by).await?;
        }
        if let Some(group) = group {
            report_own(cx, &self.item("group"), vec![group]).await?;
        }
        for own in owns {
            let item = self.item(own.0);
            let Some(property) = self.there(*own, &live) else {
                continue;
            };
            state
                .own
                .insert(format!("{object}.{}", own.0), property.name.clone());
            if own.2 == OwnType::Marker && property.has_unique_value {
                state.unique.insert(object.to_owned());
            }
            let target = Wanted {
                name: property.name.clone(),
                ..self.wanted(*own, false, &item)
            }
            .target();
            let one = match made_by.get(&property.name) {
                Some(key) => made(
                    "main",
                    PROPERTY,
                    target,
                    Some(Proof::AbsentBefore),
                    key.clone(),
                ),
                None => {
                    let ours = is_of_run(cx, property.description.as_deref());
                    found(cx, PROPERTY, target, ours)
                }
            };
            report_own(cx, &item, vec![one]).await?;
        }
        Ok(())
    }

    /// The group that they are in: its effect where it was made, or may have been by this run.
    async fn group(&self) -> Result<Option<Effect>, Error> {
        let (cx, item) = (self.cx, self.item("group"));
        let target = format!("{}/{GROUP}", self.object);
        let path = client::properties(self.object, &format!("/groups/{GROUP}"));
        let find = async || client::find::<Value>(cx, &path).await;
        if find().await?.is_some() {
            return Ok(Some(effect(
                "main",
                PROPERTY_GROUP,
                target,
                Action::Matched,
            )));
        }
        let body = json!({"name": GROUP, "label": "Transload", "displayOrder": -1});
        let create = client::properties(self.object, "/groups");
        let first = key(&item, "main", "create");
        // One name, one group: sent twice it is refused.
        let request = cx.http().write("POST", create, first.clone()).json(&body);
        let create = http::create(cx, request).look_first();
        Ok(Some(match create.or_find(find, SETTLE_MS).await? {
            http::Made::Created { proof, key, .. } | http::Made::Found { proof, key, .. } => {
                let key = key.unwrap_or(first);
                made("main", PROPERTY_GROUP, target, proof, key)
            }
            http::Made::Refused(reply) => return Err(http::refused::<Fault>(&reply)?.rejection()),
            http::Made::Unsettled(why) => return Err(Error::Transient(why)),
        }))
    }

    /// Makes those that are missing, all in one request; what activities take no unique values for is made without (HubSpot
    /// facts §0.6).
    async fn make(
        &self,
        owns: &[Own],
        live: &mut Vec<Property>,
        taken: &mut BTreeSet<String>,
        made_by: &mut BTreeMap<String, OperationKey>,
    ) -> Result<(), Error> {
        let (cx, object) = (self.cx, self.object);
        let mut unique = true;
        let mut refused = Fault::default();
        for round in 1..=ROUNDS {
            let missing: Vec<Own> = owns
                .iter()
                .copied()
                .filter(|own| self.there(*own, live).is_none())
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            let mut names: BTreeSet<String> = BTreeSet::new();
            let inputs: Vec<Value> = missing
                .iter()
                .map(|own| {
                    let free = |number: &u32| !taken.contains(&numbered(own.0, *number));
                    let number = (1..=NAMES).find(free).unwrap_or(NAMES);
                    let item = self.item(own.0);
                    let wanted = Wanted {
                        name: numbered(own.0, number),
                        ..self.wanted(*own, unique && own.2 == OwnType::Marker, &item)
                    };
                    names.insert(wanted.name.clone());
                    wanted.body(cx)
                })
                .collect();
            let key = key("*", format!("own:{object}"), step("create", round));
            let path = client::properties(object, "/batch/create");
            let request = cx.http().repeatable("POST", path, key.clone());
            match http::write::<Fault>(request.json(&json!({"inputs": inputs}))).await? {
                Sent::Done(reply) => {
                    let batch: Batch<Value> = reply.json()?;
                    if let Some(error) = batch.errors.first() {
                        refused = Fault::of(reply.status, error);
                        refused.about_record()?;
                    }
                }
                Sent::Refused(fault) => refused = fault,
                Sent::Doubt(_) => {}
            }
            // What is there now and was not before is by this request: nobody else makes these.
            *live = self.list(false).await?;
            let there: BTreeSet<&str> = live.iter().map(|p| p.name.as_str()).collect();
            for name in names {
                if there.contains(name.as_str()) {
                    made_by.entry(name).or_insert_with(|| key.clone());
                } else if refused.exists() {
                    taken.insert(name);
                }
            }
            unique = unique && !ACTIVITIES.contains(&object);
        }
        let missing = owns.iter().find(|own| self.there(**own, live).is_none());
        match missing {
            None => Ok(()),
            // Without its marks nothing can be loaded safely.
            Some((name, ..)) => Err(match refused.status {
                0 => Error::Transient(format!("{object}.{name} could not be made yet")),
                _ => refused.rejection(),
            }),
        }
    }
}

/// What is to be known of tickets: which times they take (HubSpot facts §16), which sources they have.
fn read_tickets(state: &mut State, properties: &[Property]) {
    let of = |name: &str| properties.iter().find(|property| property.name == name);
    let takes = |name: &str| of(name).is_some_and(|p| !p.modification_metadata.read_only_value);
    state.ticket_createdate = takes("createdate");
    state.ticket_closed_date = takes("closed_date");
    let sources = of("source_type").map(|property| property.options.as_slice());
    let sources = sources.unwrap_or_default().iter();
    state.sources = sources.map(|option| option.value.clone()).collect();
}

// ---- the pipeline

/// Pipelines of tickets.
///
/// # Errors
/// What ends a unit.
pub async fn pipelines(cx: &Context) -> Result<Vec<Pipeline>, Error> {
    let all: Vec<Pipeline> = client::list(cx, &client::pipelines("")).await?;
    Ok(all
        .into_iter()
        .filter(|pipeline| !pipeline.archived)
        .collect())
}

/// The pipeline that a setting names, by id or label.
pub fn named<'p>(all: &'p [Pipeline], wanted: &str) -> Option<&'p Pipeline> {
    let by_id = all.iter().find(|pipeline| pipeline.id == wanted);
    by_id.or_else(|| {
        let same = |p: &&Pipeline| p.label.trim().eq_ignore_ascii_case(wanted.trim());
        all.iter().find(same)
    })
}

/// The stage of a pipeline that stands for a value of the `status` slot: the one of its label, else the first or last that is
/// open or closed as wanted.
fn stage_for(pipeline: &Pipeline, value: &str) -> Option<Stage> {
    let (_, label, closed) = STAGES.iter().find(|(known, ..)| *known == value)?;
    let live = || pipeline.stages.iter().filter(|stage| !stage.archived);
    let by_label = live().find(|s| s.label.eq_ignore_ascii_case(label) && s.is_closed() == *closed);
    let fitting = || live().filter(|stage| stage.is_closed() == *closed);
    let waiting = || fitting().find(|stage| stage.label.to_lowercase().contains("waiting"));
    let found = match value {
        "snoozed" => by_label.or_else(waiting).or_else(|| fitting().next_back()),
        "closed" => by_label.or_else(|| fitting().next_back()),
        _ => by_label.or_else(|| fitting().next()),
    }?;
    Some(Stage {
        pipeline: pipeline.id.clone(),
        id: found.id.clone(),
        closed: *closed,
    })
}

/// The stages that tickets can be in, by the values of the slot.
pub fn stages(all: &[Pipeline], of_run: Option<&Pipeline>) -> BTreeMap<String, Stage> {
    let mut stages = BTreeMap::new();
    if let Some(pipeline) = of_run {
        for (value, ..) in STAGES {
            if let Some(stage) = stage_for(pipeline, value) {
                stages.insert(value.to_owned(), stage);
            }
        }
    }
    for pipeline in all {
        for stage in pipeline.stages.iter().filter(|stage| !stage.archived) {
            let of = Stage {
                pipeline: pipeline.id.clone(),
                id: stage.id.clone(),
                closed: stage.is_closed(),
            };
            stages.insert(format!("{}/{}", pipeline.id, stage.id), of);
        }
    }
    stages
}

/// Finds or makes the pipeline of this run.
async fn pipeline(cx: &Context, config: &Config, state: &mut State) -> Result<(), Error> {
    let all = pipelines(cx).await?;
    if let Some(wanted) = &config.pipeline {
        let pipeline =
            named(&all, wanted).ok_or_else(|| invalid("pipeline", survey::no_pipeline(wanted)))?;
        state.stages = stages(&all, Some(pipeline));
        return Ok(());
    }
    let item = format!("own:{PIPELINE}");
    // It has no description: its id says which run made it.
    let id = format!("transload_{}", crate::map::short_hash(cx.run()));
    let there = named(&all, PIPELINE_LABEL);
    let (pipeline, one) = match there {
        Some(pipeline) => {
            let ours = pipeline.id == id;
            (
                Some(pipeline.clone()),
                found(cx, PIPELINE, &pipeline.id, ours),
            )
        }
        None => {
            let stage = |(at, (_, label, closed)): (usize, &(&str, &str, bool))| {
                let state = if *closed { "CLOSED" } else { "OPEN" };
                json!({"label": label, "displayOrder": at, "metadata": {"ticketState": state}})
            };
            let body = json!({
                "label": PIPELINE_LABEL, "displayOrder": 99, "pipelineId": id,
                "stages": STAGES.iter().enumerate().map(stage).collect::<Vec<_>>(),
            });
            let request = cx
                .http()
                .write("POST", client::pipelines(""), key(&item, "main", "create"))
                .json(&body);
            let find = async || {
                let all = pipelines(cx).await?;
                Ok(named(&all, PIPELINE_LABEL).cloned())
            };
            let making = Making {
                in_doubt_since: None,
                settle_ms: SETTLE_MS,
                created: 201,
            };
            let ours = |pipeline: &Pipeline| pipeline.id == id;
            match http::make::<Pipeline, Fault>(request, making, |r| r.json(), find, ours).await? {
                Creation::There(pipeline, proof, key) => {
                    let one = made("main", PIPELINE, &pipeline.id, proof, key);
                    (Some(pipeline), one)
                }
                // As many as the plan has (HubSpot facts §7): the account's first is used, and the survey says so.
                Creation::Refused(_) => {
                    let first = all
                        .first()
                        .ok_or_else(|| invalid("pipeline", survey::no_pipeline("")))?;
                    let one = effect("main", PIPELINE, &first.id, Action::Matched);
                    (Some(first.clone()), one)
                }
                Creation::Unsettled => {
                    let why = "the pipeline could not be made yet".to_owned();
                    return Err(Error::Transient(why));
                }
            }
        }
    };
    state.stages = stages(&all, pipeline.as_ref());
    report_own(cx, &item, vec![one]).await
}
