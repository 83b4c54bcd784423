//! Pipelines and their stages (HubSpot facts §7).

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, members_of, required};
use super::model::{Id, Pipeline, Stage, TypeId};
use super::objects::pipeline_names;
use super::state::{State, iso};
use super::switches::Plan;

/// Stages a pipeline may have.
const STAGES: usize = 100;

/// Pipelines an object may have, by plan ([3P], the larger plans [MEM]).
pub(super) fn limit(plan: Plan) -> usize {
    match plan {
        Plan::Free => 1,
        Plan::Starter => 2,
        Plan::Professional => 15,
        Plan::Enterprise => 100,
    }
}

/// The pipelines an account has from the start.
pub(super) fn seed(state: &mut State) {
    let now = state.now;
    let stage =
        |id: &str, label: &str, order: i64, closed: bool, probability: Option<&str>| Stage {
            id: id.to_owned(),
            label: label.to_owned(),
            order,
            closed,
            probability: probability.map(str::to_owned),
            created: now,
            updated: now,
        };
    let pipeline = |id: &str, label: &str, stages: Vec<Stage>, automated: bool| Pipeline {
        id: id.to_owned(),
        label: label.to_owned(),
        order: 0,
        stages,
        automated,
        created: now,
        updated: now,
    };
    let tickets = vec![
        stage("1", "New", 0, false, None),
        stage("2", "Waiting on contact", 1, false, None),
        stage("3", "Waiting on us", 2, false, None),
        stage("4", "Closed", 3, true, None),
    ];
    let automated = state.config.preexisting.automation;
    let support = pipeline("0", "Support Pipeline", tickets, automated);
    let deals = vec![
        stage(
            "appointmentscheduled",
            "Appointment Scheduled",
            0,
            false,
            Some("0.2"),
        ),
        stage("closedwon", "Closed Won", 1, true, Some("1.0")),
        stage("closedlost", "Closed Lost", 2, true, Some("0.0")),
    ];
    let sales = pipeline("default", "Sales Pipeline", deals, false);
    state
        .pipelines
        .insert(TypeId::TICKET, [(support.id.clone(), support)].into());
    state
        .pipelines
        .insert(TypeId::DEAL, [(sales.id.clone(), sales)].into());
}

/// Answers a request about pipelines, given the path behind `pipelines`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    let Some((object, rest)) = path.split_first() else {
        return Err(Failure::no_route());
    };
    let object = call.live_object(object)?;
    match object {
        TypeId::TICKET => call.scope(&["tickets"])?,
        TypeId::DEAL => call.scope(&["crm.objects.deals.read", "crm.schemas.deals.read"])?,
        _ => return Err(Failure::validation(format!("{object} has no pipelines"))),
    }
    match (method.as_str(), rest) {
        ("GET", []) => {
            let all = call.state.pipelines.get(&object).into_iter().flatten();
            let mut all: Vec<&Pipeline> = all.map(|(_, p)| p).collect();
            all.sort_by_key(|p| p.order);
            Answer::ok(json!({"results": all.into_iter().map(render).collect::<Vec<_>>()}))
        }
        ("POST", []) => {
            let body = call
                .body(&["label", "displayOrder", "stages", "pipelineId"])?
                .clone();
            let made = create(call.state, object, &body)?;
            Ok(Answer::json(201, render(&made)))
        }
        ("GET", [id]) => Answer::ok(render(find(call.state, object, id)?)),
        ("PATCH", [id]) => {
            let body = call.body(&["label", "displayOrder", "archived"])?.clone();
            let label = body.get("label").and_then(Value::as_str);
            if let Some(label) = label {
                check_label(call.state, object, label, Some(id))?;
            }
            let now = call.state.now;
            let pipeline = find_mut(call.state, object, id)?;
            if let Some(label) = label {
                pipeline.label = label.to_owned();
            }
            if let Some(order) = body.get("displayOrder").and_then(Value::as_i64) {
                pipeline.order = order;
            }
            pipeline.updated = now;
            Answer::ok(render(pipeline))
        }
        ("PUT", [id]) => {
            let body = call.body(&["label", "displayOrder", "stages"])?.clone();
            let label = required(&body, "label")?;
            check_label(call.state, object, label, Some(id))?;
            let stages = stages_of(call.state, object, &body)?;
            let now = call.state.now;
            let pipeline = find_mut(call.state, object, id)?;
            pipeline.label = label.to_owned();
            pipeline.order = order_of(&body)?;
            pipeline.stages = stages;
            pipeline.updated = now;
            Answer::ok(render(pipeline))
        }
        ("DELETE", [id]) => delete(call, object, id),
        (method, [id, "stages", rest @ ..]) => stages(call, method, object, id, rest),
        (_, [] | [_]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn find<'s>(state: &'s State, object: TypeId, id: &str) -> Result<&'s Pipeline, Failure> {
    let found = state.pipelines.get(&object).and_then(|all| all.get(id));
    found.ok_or_else(Failure::not_found)
}

fn find_mut<'s>(
    state: &'s mut State,
    object: TypeId,
    id: &str,
) -> Result<&'s mut Pipeline, Failure> {
    let found = state
        .pipelines
        .get_mut(&object)
        .and_then(|all| all.get_mut(id));
    found.ok_or_else(Failure::not_found)
}

fn render(pipeline: &Pipeline) -> Value {
    json!({
        "id": pipeline.id, "label": pipeline.label, "displayOrder": pipeline.order, "archived": false,
        "createdAt": iso(pipeline.created), "updatedAt": iso(pipeline.updated),
        "stages": pipeline.stages.iter().map(render_stage).collect::<Vec<_>>(),
    })
}

fn render_stage(stage: &Stage) -> Value {
    let metadata = match &stage.probability {
        Some(probability) => {
            json!({"probability": probability, "isClosed": stage.closed.to_string()})
        }
        None => json!({
            "ticketState": if stage.closed { "CLOSED" } else { "OPEN" }, "isClosed": stage.closed.to_string(),
        }),
    };
    json!({
        "id": stage.id, "label": stage.label, "displayOrder": stage.order, "metadata": metadata,
        "createdAt": iso(stage.created), "updatedAt": iso(stage.updated), "archived": false,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    })
}

fn order_of(body: &Map<String, Value>) -> Result<i64, Failure> {
    let order = body.get("displayOrder").and_then(Value::as_i64);
    order.ok_or_else(|| {
        Failure::validation("Invalid input JSON: some required fields were not set: [displayOrder]")
    })
}

/// §7: labels of pipelines are unique.
fn check_label(
    state: &State,
    object: TypeId,
    label: &str,
    but: Option<&str>,
) -> Result<(), Failure> {
    let all = state.pipelines.get(&object).into_iter().flatten();
    let taken = all
        .map(|(_, p)| p)
        .any(|p| p.label == label && but != Some(p.id.as_str()));
    if taken {
        let status = state.config.switches.exists_status;
        let message = format!("A pipeline with the label '{label}' already exists.");
        return Err(
            Failure::new(status, "CONFLICT", message).sub("PipelineError.DUPLICATE_PIPELINE_LABEL")
        );
    }
    Ok(())
}

/// Makes a pipeline.
pub(super) fn create(
    state: &mut State,
    object: TypeId,
    body: &Map<String, Value>,
) -> Result<Pipeline, Failure> {
    let label = required(body, "label")?;
    let order = order_of(body)?;
    let most = limit(state.config.plan);
    if state
        .pipelines
        .get(&object)
        .map_or(0, std::collections::BTreeMap::len)
        >= most
    {
        let message = format!("The limit of {most} pipelines is reached");
        return Err(Failure::validation(message).sub("PipelineError.PIPELINE_LIMIT_EXCEEDED"));
    }
    check_label(state, object, label, None)?;
    let stages = stages_of(state, object, body)?;
    let id = match body.get("pipelineId").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => state.next_id().to_string(),
    };
    if find(state, object, &id).is_ok() {
        let status = state.config.switches.exists_status;
        return Err(Failure::new(
            status,
            "CONFLICT",
            format!("A pipeline with the id '{id}' already exists."),
        ));
    }
    let made = Pipeline {
        id: id.clone(),
        label: label.to_owned(),
        order,
        stages,
        automated: false,
        created: state.now,
        updated: state.now,
    };
    state
        .pipelines
        .entry(object)
        .or_default()
        .insert(id, made.clone());
    Ok(made)
}

fn stages_of(
    state: &mut State,
    object: TypeId,
    body: &Map<String, Value>,
) -> Result<Vec<Stage>, Failure> {
    let list = body
        .get("stages")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| {
        Failure::validation("Invalid input JSON: some required fields were not set: [stages]")
    })?;
    if list.len() > STAGES {
        return Err(Failure::validation(format!(
            "{} stages are more than {STAGES}",
            list.len()
        )));
    }
    let mut stages: Vec<Stage> = Vec::new();
    for given in list {
        let given = given
            .as_object()
            .ok_or_else(|| Failure::input("stages: an object is expected"))?;
        let stage = stage_of(state, object, given)?;
        check_stage(&stages, &stage, None)?;
        stages.push(stage);
    }
    Ok(stages)
}

fn check_stage(stages: &[Stage], stage: &Stage, but: Option<&str>) -> Result<(), Failure> {
    let same = |other: &&Stage| {
        Some(other.id.as_str()) != but && (other.label == stage.label || other.id == stage.id)
    };
    match stages.iter().find(same) {
        Some(other) => {
            let message = format!("The stage '{}' is there twice", other.label);
            Err(Failure::validation(message).sub("PipelineError.DUPLICATE_STAGE_LABEL"))
        }
        None => Ok(()),
    }
}

/// Whether a stage's metadata end a record, and the probability of a deal's.
fn metadata_of(
    object: TypeId,
    given: &Map<String, Value>,
) -> Result<(bool, Option<String>), Failure> {
    let metadata = given
        .get("metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    if object == TypeId::DEAL {
        let probability = text("probability")
            .ok_or_else(|| Failure::validation("metadata.probability is required"))?;
        return Ok((
            matches!(probability, "0.0" | "1.0"),
            Some(probability.to_owned()),
        ));
    }
    match text("ticketState") {
        Some("OPEN") | None => Ok((false, None)),
        Some("CLOSED") => Ok((true, None)),
        Some(other) => Err(Failure::validation(format!(
            "ticketState {other} is not OPEN or CLOSED"
        ))),
    }
}

fn stage_of(
    state: &mut State,
    object: TypeId,
    given: &Map<String, Value>,
) -> Result<Stage, Failure> {
    members_of(given, &["label", "displayOrder", "metadata", "stageId"])?;
    let label = required(given, "label")?.to_owned();
    let order = order_of(given)?;
    let (closed, probability) = metadata_of(object, given)?;
    let id = match given.get("stageId").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => state.next_id().to_string(),
    };
    Ok(Stage {
        id,
        label,
        order,
        closed,
        probability,
        created: state.now,
        updated: state.now,
    })
}

/// Live records in a pipeline, or in one stage of it.
fn used_by(state: &State, object: TypeId, pipeline: &str, stage: Option<&str>) -> Vec<Id> {
    let Some((pipeline_name, stage_name)) = pipeline_names(object) else {
        return vec![];
    };
    let uses = |record: &&super::model::Record| {
        record.text(pipeline_name) == pipeline
            && stage.is_none_or(|stage| record.text(stage_name) == stage)
    };
    state
        .live(object)
        .filter(uses)
        .map(|record| record.id)
        .collect()
}

fn in_use(stages: Vec<String>, ids: &[Id]) -> Failure {
    let message = "Could not delete: there are records that use the stages";
    Failure::validation(message)
        .sub("PipelineError.STAGE_ID_IN_USE")
        .about("stageIds", stages)
        .about("objectIds", ids.iter().take(10).map(Id::to_string))
}

fn delete(call: &mut Call<'_>, object: TypeId, id: &str) -> Outcome {
    let pipeline = find(call.state, object, id)?;
    let stages = pipeline.stages.iter().map(|s| s.id.clone()).collect();
    if call.request.flag("validateReferencesBeforeDelete")? {
        let ids = used_by(call.state, object, id, None);
        if !ids.is_empty() {
            return Err(in_use(stages, &ids));
        }
    }
    let all = call.state.pipelines.entry(object).or_default();
    if all.len() == 1 {
        return Err(Failure::validation("The last pipeline cannot be deleted"));
    }
    all.remove(id);
    Ok(Answer::empty(204))
}

fn stages(call: &mut Call<'_>, method: &str, object: TypeId, id: &str, rest: &[&str]) -> Outcome {
    let now = call.state.now;
    match (method, rest) {
        ("GET", []) => {
            let stages = &find(call.state, object, id)?.stages;
            Answer::ok(json!({"results": stages.iter().map(render_stage).collect::<Vec<_>>()}))
        }
        ("POST", []) => {
            let body = call
                .body(&["label", "displayOrder", "metadata", "stageId"])?
                .clone();
            find(call.state, object, id)?;
            let stage = stage_of(call.state, object, &body)?;
            let pipeline = find_mut(call.state, object, id)?;
            check_stage(&pipeline.stages, &stage, None)?;
            if pipeline.stages.len() >= STAGES {
                return Err(Failure::validation(format!(
                    "A pipeline has at most {STAGES} stages"
                )));
            }
            let json = render_stage(&stage);
            pipeline.stages.push(stage);
            Ok(Answer::json(201, json))
        }
        ("GET" | "PATCH", [stage]) => {
            let body = match method {
                "PATCH" => call
                    .body(&["label", "displayOrder", "metadata", "archived"])?
                    .clone(),
                _ => Map::new(),
            };
            let pipeline = find_mut(call.state, object, id)?;
            let others = pipeline.stages.clone();
            let found = pipeline.stages.iter_mut().find(|s| s.id == *stage);
            let found = found.ok_or_else(Failure::not_found)?;
            let mut changed = found.clone();
            if let Some(label) = body.get("label").and_then(Value::as_str) {
                changed.label = label.to_owned();
            }
            if let Some(order) = body.get("displayOrder").and_then(Value::as_i64) {
                changed.order = order;
            }
            if body.contains_key("metadata") {
                (changed.closed, changed.probability) = metadata_of(object, &body)?;
            }
            check_stage(&others, &changed, Some(stage))?;
            if method == "PATCH" {
                changed.updated = now;
            }
            *found = changed;
            Answer::ok(render_stage(found))
        }
        ("DELETE", [stage]) => {
            let pipeline = find(call.state, object, id)?;
            if !pipeline.stages.iter().any(|s| s.id == *stage) {
                return Err(Failure::not_found());
            }
            let ids = used_by(call.state, object, id, Some(stage));
            if !ids.is_empty() {
                return Err(in_use(vec![(*stage).to_owned()], &ids));
            }
            let pipeline = find_mut(call.state, object, id)?;
            pipeline.stages.retain(|s| s.id != *stage);
            Ok(Answer::empty(204))
        }
        (_, [] | [_]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}
