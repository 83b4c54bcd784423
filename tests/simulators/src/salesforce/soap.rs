//! The Metadata API by SOAP: `createMetadata`, `updateMetadata`, `upsertMetadata`, `deleteMetadata`, `readMetadata`, `listMetadata` of
//! custom objects, custom fields and the case statuses (Salesforce facts §10.3).

use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::auth;
use super::call::Request;
use super::metadata;
use super::schema::Refusal;
use super::state::{Access, State};

const XML: &str = "text/xml;charset=UTF-8";
/// Components one call may have.
const COMPONENTS: usize = 10;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn envelope(status: u16, body: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"http://soap.sforce.com/2006/04/metadata\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    );
    Answer::file(status, XML, text)
}

/// An error of the whole call.
pub(super) fn fault(code: &str, message: &str) -> Answer {
    let text = format!("{code}: {message}");
    envelope(
        500,
        &format!(
            "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{}</faultstring></soapenv:Fault>",
            escaped(&text)
        ),
    )
}

/// A node's elements as JSON: texts, objects, and lists where a name comes more than once.
pub(super) fn json_of(node: Node<'_, '_>) -> Value {
    let mut map: Map<String, Value> = Map::new();
    for child in node.children().filter(Node::is_element) {
        let value = json_of(child);
        match map.get_mut(child.tag_name().name()) {
            None => {
                map.insert(child.tag_name().name().to_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    if map.is_empty() {
        Value::String(node.text().unwrap_or_default().to_owned())
    } else {
        Value::Object(map)
    }
}

/// JSON as elements of this name.
fn xml_of(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(|item| xml_of(name, item)).collect(),
        Value::Object(map) => {
            let inner: String = map
                .iter()
                .map(|(name, value)| xml_of(name, value))
                .collect();
            format!("<{name}>{inner}</{name}>")
        }
        Value::String(text) => format!("<{name}>{}</{name}>", escaped(text)),
        other => format!("<{name}>{other}</{name}>"),
    }
}

/// Answers `POST /services/Soap/m/{version}`.
pub(super) fn answer(state: &mut State, request: &Request) -> Answer {
    if request.header("soapaction").is_none() {
        return fault("MISSING_SOAPACTION", "No SOAPAction header");
    }
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let Ok(document) = Document::parse(&text) else {
        return fault("UNKNOWN_EXCEPTION", "The envelope is no XML");
    };
    let find = |name: &str| {
        document
            .descendants()
            .find(|node| node.is_element() && node.tag_name().name() == name)
    };
    let session = find("sessionId")
        .and_then(|node| node.text())
        .unwrap_or_default()
        .trim()
        .to_owned();
    let Some(user) = auth::session(state, &session) else {
        return fault(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session",
        );
    };
    let access = state.access(&user);
    let Some(call) = find("Body").and_then(|body| body.children().find(Node::is_element)) else {
        return fault("UNKNOWN_EXCEPTION", "The envelope has no body");
    };
    let operation = call.tag_name().name().to_owned();
    let inner = match operation.as_str() {
        "createMetadata" | "updateMetadata" | "upsertMetadata" => {
            write(state, &access, call, &operation)
        }
        "deleteMetadata" => delete(state, &access, call),
        "readMetadata" => read(state, call),
        "listMetadata" => list(state, call),
        _ => {
            return fault(
                "INVALID_OPERATION",
                &format!("Operation {operation} is not known"),
            );
        }
    };
    match inner {
        Ok(inner) => envelope(
            200,
            &format!("<{operation}Response>{inner}</{operation}Response>"),
        ),
        Err((code, message)) => fault(code, &message),
    }
}

fn result(name: &str, done: &Result<(), Refusal>, created: Option<bool>) -> String {
    let created = created
        .map(|flag| format!("<created>{flag}</created>"))
        .unwrap_or_default();
    match done {
        Ok(()) => format!(
            "<result>{created}<fullName>{}</fullName><success>true</success></result>",
            escaped(name)
        ),
        Err((code, message)) => format!(
            "<result>{created}<errors><message>{}</message><statusCode>{code}</statusCode></errors><fullName>{}</fullName>\
             <success>false</success></result>",
            escaped(message),
            escaped(name)
        ),
    }
}

fn write(
    state: &mut State,
    access: &Access,
    call: Node<'_, '_>,
    operation: &str,
) -> Result<String, Refusal> {
    let components: Vec<Node<'_, '_>> = call.children().filter(Node::is_element).collect();
    if components.len() > COMPONENTS {
        return Err((
            "LIMIT_EXCEEDED",
            format!("A call may have at most {COMPONENTS} components"),
        ));
    }
    let mut out = String::new();
    for component in components {
        let sort = component
            .attributes()
            .find(|attribute| attribute.name() == "type")
            .map(|a| a.value())
            .unwrap_or_default();
        let sort = sort.rsplit(':').next().unwrap_or_default();
        let body = json_of(component);
        let name = body
            .get("fullName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let is_there = match sort {
            "CustomObject" => state.object(&name).is_some(),
            "CustomField" => name
                .split_once('.')
                .and_then(|(object, field)| state.object(object)?.field(field))
                .is_some(),
            _ => true,
        };
        let creates = operation == "createMetadata" || operation == "upsertMetadata" && !is_there;
        let done = match (sort, creates) {
            ("CustomObject", true) => {
                metadata::make_object(state, access, &name, &body).map(|_| ())
            }
            ("CustomObject", false) => change_object(state, access, &name, &body),
            ("CustomField", true) => metadata::make_field(state, access, &name, &body).map(|_| ()),
            ("CustomField", false) => metadata::change_field(state, access, &name, &body),
            ("StandardValueSet", false) => metadata::set_values(state, access, &name, &body),
            _ => Err((
                "INVALID_TYPE",
                format!("Metadata type {sort} cannot be written here"),
            )),
        };
        let created = (operation == "upsertMetadata").then_some(creates);
        out.push_str(&result(&name, &done, created));
    }
    Ok(out)
}

/// Labels and new fields of an object that is there.
fn change_object(
    state: &mut State,
    access: &Access,
    name: &str,
    body: &Value,
) -> Result<(), Refusal> {
    if !state.object(name).is_some_and(|object| object.custom) {
        return Err((
            "INVALID_CROSS_REFERENCE_KEY",
            format!("no CustomObject named {name} found"),
        ));
    }
    let fields = match body.get("fields") {
        Some(Value::Array(fields)) => fields.clone(),
        Some(Value::Null) | None => vec![],
        Some(one) => vec![one.clone()],
    };
    for field in fields {
        let own = field
            .get("fullName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if state
            .object(name)
            .and_then(|object| object.field(own))
            .is_none()
        {
            metadata::make_field(state, access, &format!("{name}.{own}"), &field)?;
        }
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let (label, plural) = (text("label"), text("pluralLabel"));
    state.redefine(name, |object| {
        if let Some(label) = label {
            object.label = label;
        }
        if let Some(plural) = plural {
            object.plural = plural;
        }
    });
    Ok(())
}

/// The type that a call is about, and the names it gives.
fn named(call: Node<'_, '_>) -> Result<(String, Vec<String>), Refusal> {
    let of = |name: &'static str| {
        call.children()
            .filter(move |node| node.is_element() && node.tag_name().name() == name)
            .filter_map(|node| node.text().map(|text| text.trim().to_owned()))
    };
    let names: Vec<String> = of("fullNames").collect();
    if names.len() > COMPONENTS {
        return Err((
            "LIMIT_EXCEEDED",
            format!("A call may have at most {COMPONENTS} components"),
        ));
    }
    let sort = of("type")
        .chain(of("metadataType"))
        .next()
        .unwrap_or_default();
    Ok((sort, names))
}

fn delete(state: &mut State, access: &Access, call: Node<'_, '_>) -> Result<String, Refusal> {
    let (sort, names) = named(call)?;
    let mut out = String::new();
    for name in names {
        let done = match sort.as_str() {
            "CustomObject" => metadata::delete_object(state, access, &name),
            "CustomField" => metadata::delete_field(state, access, &name),
            other => Err((
                "INVALID_TYPE",
                format!("Metadata type {other} cannot be deleted here"),
            )),
        };
        out.push_str(&result(&name, &done, None));
    }
    Ok(out)
}

fn read(state: &State, call: Node<'_, '_>) -> Result<String, Refusal> {
    let (sort, names) = named(call)?;
    let mut out = String::new();
    for name in names {
        let found = match sort.as_str() {
            "CustomObject" => state.object(&name).map(|object| {
                let fields: Vec<Value> = object
                    .fields
                    .iter()
                    .filter(|f| f.custom)
                    .map(|f| with_name(&f.name, &f.metadata))
                    .collect();
                let mut body = with_name(&object.name, &object.metadata);
                if let Some(map) = body.as_object_mut() {
                    map.insert("label".to_owned(), json!(object.label));
                    map.insert("pluralLabel".to_owned(), json!(object.plural));
                    map.insert("fields".to_owned(), json!(fields));
                }
                body
            }),
            "CustomField" => name.split_once('.').and_then(|(object, field)| {
                let on = if object.eq_ignore_ascii_case("Activity") {
                    "Task"
                } else {
                    object
                };
                let field = state
                    .object(on)?
                    .field(field)
                    .filter(|field| field.custom)?;
                Some(with_name(
                    &format!("{object}.{}", field.name),
                    &field.metadata,
                ))
            }),
            "StandardValueSet" => metadata::value_set(state, &name),
            other => {
                return Err((
                    "INVALID_TYPE",
                    format!("Metadata type {other} cannot be read here"),
                ));
            }
        };
        match found {
            Some(body) => {
                let inner: String = body
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| xml_of(name, value))
                    .collect();
                out.push_str(&format!(
                    "<records xsi:type=\"{}\">{inner}</records>",
                    escaped(&sort)
                ));
            }
            None => out.push_str("<records xsi:nil=\"true\"/>"),
        }
    }
    Ok(format!("<result>{out}</result>"))
}

fn with_name(name: &str, metadata: &Value) -> Value {
    let mut map = Map::new();
    map.insert("fullName".to_owned(), json!(name));
    for (key, value) in metadata.as_object().into_iter().flatten() {
        if key != "fullName" {
            map.insert(key.clone(), value.clone());
        }
    }
    Value::Object(map)
}

fn list(state: &State, call: Node<'_, '_>) -> Result<String, Refusal> {
    let sort = call
        .descendants()
        .find(|node| node.is_element() && node.tag_name().name() == "type")
        .and_then(|node| node.text())
        .unwrap_or_default()
        .trim()
        .to_owned();
    let mut names: Vec<String> = match sort.as_str() {
        "CustomObject" => state
            .objects
            .values()
            .filter(|o| !o.has('t'))
            .map(|object| object.name.clone())
            .collect(),
        "CustomField" => state
            .objects
            .values()
            .flat_map(|object| {
                object
                    .fields
                    .iter()
                    .filter(|f| f.custom)
                    .map(move |f| format!("{}.{}", object.name, f.name))
            })
            .collect(),
        other => {
            return Err((
                "INVALID_TYPE",
                format!("Metadata type {other} cannot be listed here"),
            ));
        }
    };
    names.sort();
    let one = |name: &String| {
        format!(
            "<result><fullName>{}</fullName><type>{sort}</type></result>",
            escaped(name)
        )
    };
    Ok(names.iter().map(one).collect())
}
