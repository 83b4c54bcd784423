//! Whether a version may follow another within its semver series: whoever wrote `^1.2` gets it without looking.

use serde_json::{Map, Value};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

/// Whether a host that runs the old component can run the new one: structurally, by wit-component's semver check. `None` if so,
/// else why not.
#[must_use]
pub fn contract_breaks(old: &[u8], new: &[u8]) -> Option<String> {
    let world = |bytes: &[u8], which: &str| match wit_component::decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => Err(format!("the {which} version holds types only")),
        Err(e) => Err(format!("the {which} version cannot be read: {e:#}")),
    };
    let checked = world(old, "published").and_then(|(resolve, old)| {
        let (other, new) = world(new, "new")?;
        check(resolve, old, other, new).map_err(|e| e.to_string())
    });
    checked.err()
}

/// The check's direction is that of worlds: what is built for `prev` runs in `new`. A component is the other way round: it may ask
/// its host for no more and offers no less.
fn check(
    mut resolve: Resolve,
    old: WorldId,
    mut other: Resolve,
    new: WorldId,
) -> Result<(), String> {
    // Under names of their own, so that merging unites nothing: what differs is to be found, not to be settled.
    let rename = |resolve: &mut Resolve, from: &str, to: &str| {
        for (_, package) in resolve.packages.iter_mut() {
            package.name.namespace = package.name.namespace.replace(from, to);
        }
        let names = resolve.packages.iter();
        resolve.package_names = names.map(|(id, of)| (of.name.clone(), id)).collect();
    };
    for (_, package) in other.packages.iter_mut() {
        package.name.namespace.push_str(NEXT);
    }
    rename(&mut other, "", "");
    let remap = resolve.merge(other).map_err(|e| format!("{e:#}"))?;
    let new = remap
        .map_world(new, Default::default())
        .map_err(|e| format!("{e}"))?;
    rename(&mut resolve, NEXT, "");
    wit_component::semver_check(resolve, new, old).map_err(|e| {
        let causes: Vec<String> = e.chain().skip(1).map(ToString::to_string).collect();
        causes.join(": ")
    })
}

/// At the end of the namespaces of the new version's packages.
const NEXT: &str = "-transload-next";

/// What about a connection's settings that were right under the old schema may be wrong under the new one.
#[must_use]
pub fn settings_break(old: &Value, new: &Value) -> Vec<String> {
    let mut breaks = vec![];
    let (before, after) = (properties(old), properties(new));
    for (name, was) in &before {
        match after.get(name) {
            None => breaks.push(format!("the setting `{name}` is gone")),
            Some(is) => setting(name, was, is, &mut breaks),
        }
    }
    let (needed, needs) = (words(old, "required"), words(new, "required"));
    for name in needs.iter().filter(|name| !needed.contains(name)) {
        breaks.push(format!("the setting `{name}` is needed now"));
    }
    let open = |schema: &Value| schema.get("additionalProperties") != Some(&Value::Bool(false));
    if open(old) && !open(new) {
        breaks.push("settings that are not declared are refused now".to_owned());
    }
    // What else a schema says of the whole (anyOf, dependentRequired …) is not understood here, so it must not change.
    others(
        old,
        new,
        &["properties", "required", "additionalProperties"],
        "the settings",
        &mut breaks,
    );
    breaks
}

fn setting(name: &str, was: &Value, is: &Value, breaks: &mut Vec<String>) {
    let secret = |of: &Value| of.get("writeOnly") == Some(&Value::Bool(true));
    match (secret(was), secret(is)) {
        (false, true) => breaks.push(format!("the setting `{name}` is a secret now")),
        (true, false) => breaks.push(format!("the setting `{name}` is no secret any more")),
        _ => {}
    }
    let (old_types, new_types) = (words(was, "type"), words(is, "type"));
    if !new_types.is_empty() {
        for gone in old_types.iter().filter(|of| !new_types.contains(of)) {
            breaks.push(format!("the setting `{name}` may not be {gone} any more"));
        }
        if old_types.is_empty() {
            breaks.push(format!(
                "the setting `{name}` must be {} now",
                new_types.join(" or ")
            ));
        }
    }
    let values = |of: &Value| of.get("enum").and_then(Value::as_array).cloned();
    match (values(was), values(is)) {
        (Some(before), Some(after)) => {
            for gone in before.iter().filter(|value| !after.contains(value)) {
                breaks.push(format!("the setting `{name}` may not be {gone} any more"));
            }
        }
        (None, Some(_)) => breaks.push(format!(
            "the setting `{name}` takes certain values only now"
        )),
        _ => {}
    }
    if was.get("default") != is.get("default") {
        breaks.push(format!("the setting `{name}` has another default"));
    }
    others(
        was,
        is,
        &["type", "enum", "default", "writeOnly"],
        &format!("the setting `{name}`"),
        breaks,
    );
}

/// Anything but words for people that was changed or added; what was taken away only allows more.
fn others(was: &Value, is: &Value, known: &[&str], what: &str, breaks: &mut Vec<String>) {
    const FOR_PEOPLE: [&str; 6] = [
        "title",
        "description",
        "examples",
        "$schema",
        "$id",
        "$comment",
    ];
    for (key, value) in is.as_object().into_iter().flatten() {
        let looked_at = known.contains(&key.as_str()) || FOR_PEOPLE.contains(&key.as_str());
        if !looked_at && was.get(key) != Some(value) {
            breaks.push(format!("{what}: `{key}` was added or changed"));
        }
    }
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// A word or a list of words.
fn words<'v>(of: &'v Value, key: &str) -> Vec<&'v str> {
    match of.get(key) {
        Some(Value::String(word)) => vec![word],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "subdomain": {"type": "string", "description": "of the desk"},
                "token": {"type": "string", "writeOnly": true},
                "size": {"type": "integer", "maximum": 10},
                "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
            },
            "required": ["subdomain"],
        })
    }

    type Change = &'static dyn Fn(&mut Value);

    fn changed(change: impl Fn(&mut Value)) -> Vec<String> {
        let mut new = schema();
        change(&mut new);
        settings_break(&schema(), &new)
    }

    #[test]
    fn what_may_be_set_wrongly_after_an_upgrade_is_named() {
        let cases: [(&str, Change); 10] = [
            ("`token` is gone", &|s| {
                drop(
                    s["properties"]
                        .as_object_mut()
                        .expect("object")
                        .remove("token"),
                )
            }),
            ("`size` is needed now", &|s| {
                s["required"] = json!(["subdomain", "size"])
            }),
            ("`subdomain` is a secret now", &|s| {
                s["properties"]["subdomain"]["writeOnly"] = json!(true)
            }),
            ("`token` is no secret", &|s| {
                s["properties"]["token"]["writeOnly"] = json!(false)
            }),
            ("`size` may not be integer", &|s| {
                s["properties"]["size"]["type"] = json!("string")
            }),
            ("`mode` may not be \"b\"", &|s| {
                s["properties"]["mode"]["enum"] = json!(["a"])
            }),
            ("`mode` has another default", &|s| {
                s["properties"]["mode"]["default"] = json!("b")
            }),
            ("`maximum` was added or changed", &|s| {
                s["properties"]["size"]["maximum"] = json!(5)
            }),
            ("not declared are refused", &|s| {
                s["additionalProperties"] = json!(false)
            }),
            ("`anyOf` was added", &|s| {
                s["anyOf"] = json!([{"required": ["token"]}])
            }),
        ];
        for (wanted, change) in cases {
            let breaks = changed(change);
            assert!(
                breaks.iter().any(|of| of.contains(wanted)),
                "{wanted}: {breaks:?}"
            );
        }
    }

    #[test]
    fn what_only_allows_more_breaks_nothing() {
        let breaks = changed(|s| {
            s["properties"]["extra"] = json!({"type": "string"});
            s["properties"]["size"] = json!({"type": ["integer", "string"]});
            s["properties"]["mode"]["enum"] = json!(["a", "b", "c"]);
            s["properties"]["subdomain"]["description"] = json!("other words");
            s["required"] = json!([]);
        });
        assert_eq!(breaks, Vec::<String>::new());
    }

    fn component(imports: &str, exports: &str) -> Vec<u8> {
        wat::parse_str(format!("(component {imports} {exports})")).expect("component")
    }

    #[test]
    fn a_component_that_asks_for_more_or_offers_less_breaks() {
        let http = r#"(import "transload:connector/http@0.1.0" (instance (export "send" (func))))"#;
        let source = r#"(instance $i) (export "transload:connector/source@0.1.0" (instance $i))"#;
        let more = r#"(instance $j) (export "transload:connector/extra@0.1.0" (instance $j))"#;
        let plain = component(http, source);
        assert_eq!(contract_breaks(&plain, &plain), None);
        let offers = component(http, &format!("{source} {more}"));
        assert_eq!(contract_breaks(&plain, &offers), None, "more is offered");
        assert!(
            contract_breaks(&offers, &plain).is_some(),
            "less is offered"
        );
        let alone = component("", source);
        assert_eq!(contract_breaks(&plain, &alone), None, "less is asked for");
        assert!(
            contract_breaks(&alone, &plain).is_some(),
            "more is asked for"
        );
        assert!(
            contract_breaks(&plain, b"nonsense").is_some_and(|why| why.contains("new version"))
        );
    }
}
