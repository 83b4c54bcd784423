//! The Tooling API, as far as it makes fields and tells of rules (Salesforce facts §10.1, §14).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome, Payload};
use super::call::Call;
use super::ids;
use super::metadata;
use super::rest;
use super::schema::{Field, Refusal};
use super::soql::Scope;
use super::state::State;

/// Answers a request below `/tooling`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    match (call.request.method.as_str(), path) {
        ("GET", ["query"]) => query(call),
        ("GET", ["sobjects"]) => {
            let url =
                |name: &str| format!("/services/data/{}/tooling/sobjects/{name}", call.version);
            let list = ["CustomField", "CustomObject", "ValidationRule", "WorkflowRule", "ApexTrigger"].map(|name| {
                let makes = name == "CustomField";
                json!({
                    "name": name, "label": name, "createable": makes, "updateable": makes, "queryable": true,
                    "urls": {"sobject": url(name), "describe": format!("{}/describe", url(name))},
                })
            });
            Answer::ok(json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}))
        }
        ("POST", ["sobjects", "CustomField"]) => create(call),
        // §0.8: custom objects cannot be made here at all.
        ("POST", ["sobjects", "CustomObject"]) => Err(Failure::method()),
        (method, ["sobjects", "CustomField", id]) => single(call, method, id),
        _ => Err(Failure::not_found()),
    }
}

/// A query of definitions; its answer says how many rows it has.
fn query(call: &mut Call<'_>) -> Outcome {
    let mut answer = rest::query(
        call,
        Scope {
            deleted: false,
            tooling: true,
        },
    )?;
    let Payload::Json(json) = &mut answer.body else {
        return Ok(answer);
    };
    let first = json.pointer("/records/0/attributes/type").cloned();
    let records = json.get("records").and_then(Value::as_array);
    let count = records.map_or(0, Vec::len);
    if let Some(map) = json.as_object_mut() {
        map.insert("size".to_owned(), json!(count));
        map.insert("queryLocator".to_owned(), Value::Null);
        map.insert("entityTypeName".to_owned(), json!(first));
    }
    Ok(answer)
}

fn refused((code, message): Refusal) -> Failure {
    Failure::new(code, message)
}

fn create(call: &mut Call<'_>) -> Outcome {
    let body = call.request.object()?.clone();
    let name = body
        .get("FullName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let wanted = body.get("Metadata").filter(|metadata| metadata.is_object());
    let wanted = wanted.ok_or_else(|| {
        Failure::new(
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [Metadata]",
        )
    })?;
    check_members(wanted)?;
    let access = call.access.clone();
    let id = metadata::make_field(call.state, &access, name, wanted).map_err(refused)?;
    Ok(Answer::json(
        201,
        json!({"id": id, "success": true, "errors": [], "warnings": [], "infos": []}),
    ))
}

/// Members that the metadata of a field may have; others are refused by the parser.
fn check_members(metadata: &Value) -> Result<(), Failure> {
    const KNOWN: [&str; 31] = [
        "label",
        "type",
        "length",
        "externalId",
        "unique",
        "caseSensitive",
        "required",
        "description",
        "visibleLines",
        "precision",
        "scale",
        "defaultValue",
        "valueSet",
        "referenceTo",
        "relationshipName",
        "relationshipLabel",
        "deleteConstraint",
        "inlineHelpText",
        "displayFormat",
        "startingNumber",
        "maskChar",
        "maskType",
        "formula",
        "trackHistory",
        "trackFeedHistory",
        "trackTrending",
        "stripMarkup",
        "fullName",
        "writeRequiresMasterRead",
        "relationshipOrder",
        "reparentableMasterDetail",
    ];
    for name in metadata.as_object().into_iter().flat_map(|map| map.keys()) {
        if !KNOWN.contains(&name.as_str()) {
            let text = format!(
                "Unrecognized field \"{name}\" (Class CustomFieldMetadata), not marked as ignorable"
            );
            return Err(Failure::new("JSON_PARSER_ERROR", text));
        }
    }
    Ok(())
}

/// The object and field with this definition.
fn find(state: &State, id: &str) -> Option<(String, Field)> {
    let id = ids::full(id)?;
    let mut all = state
        .objects
        .values()
        .flat_map(|object| object.fields.iter().map(move |field| (object, field)));
    let (object, field) = all.find(|(_, field)| field.id == id)?;
    let on = if matches!(object.name.as_str(), "Task" | "Event") {
        "Activity"
    } else {
        object.name.as_str()
    };
    Some((on.to_owned(), field.clone()))
}

fn single(call: &mut Call<'_>, method: &str, id: &str) -> Outcome {
    let (object, field) = find(call.state, id).ok_or_else(Failure::not_found)?;
    let full = format!("{object}.{}", field.name);
    let access = call.access.clone();
    match method {
        "GET" => Answer::ok(json!({
            "attributes": {
                "type": "CustomField",
                "url": format!("/services/data/{}/tooling/sobjects/CustomField/{}", call.version, field.id),
            },
            "Id": field.id, "FullName": full, "DeveloperName": field.name.trim_end_matches("__c"),
            "TableEnumOrId": object, "Metadata": field.metadata,
        })),
        "PATCH" => {
            let body = call.request.object()?.clone();
            let wanted = body.get("Metadata").cloned().unwrap_or_default();
            check_members(&wanted)?;
            metadata::change_field(call.state, &access, &full, &wanted).map_err(refused)?;
            Ok(Answer::empty(204))
        }
        "DELETE" if call.state.config.switches.tooling_field_delete => {
            metadata::delete_field(call.state, &access, &full).map_err(refused)?;
            Ok(Answer::empty(204))
        }
        _ => Err(Failure::method()),
    }
}
