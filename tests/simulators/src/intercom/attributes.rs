//! Data attributes of contacts and companies, and conversation attributes (Intercom facts §9).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::model::{ConversationAttribute, DataAttribute, Id, ListOption, Model};
use super::read::Reader;
use super::state::State;

/// Types of data attributes.
const DATA_TYPES: [&str; 7] = [
    "string", "integer", "float", "boolean", "datetime", "date", "options",
];
/// Types of conversation attributes.
const CONVERSATION_TYPES: [&str; 8] = [
    "string",
    "integer",
    "list",
    "decimal",
    "boolean",
    "datetime",
    "relationship",
    "files",
];
/// Attributes that every workspace has.
const STANDARD: [(Model, &str, &str); 9] = [
    (Model::Contact, "name", "string"),
    (Model::Contact, "email", "string"),
    (Model::Contact, "phone", "string"),
    (Model::Contact, "external_id", "string"),
    (Model::Contact, "signed_up_at", "date"),
    (Model::Company, "name", "string"),
    (Model::Company, "company_id", "string"),
    (Model::Company, "plan", "string"),
    (Model::Company, "monthly_spend", "float"),
];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("GET", ["data_attributes"]) => list(call),
        ("POST", ["data_attributes"]) => post(call),
        ("PUT", ["data_attributes", id]) => put(call, id),
        // §9: since 2.16; before, only the user interface made them.
        (_, ["conversations", "attributes", rest @ ..]) => {
            let since = call.since(16);
            since.and_then(|()| {
                conversation(call, method, rest).unwrap_or_else(|| Err(Failure::resource()))
            })
        }
        _ => return None,
    })
}

// ---- data attributes

fn render(attribute: &DataAttribute) -> Value {
    // §9: read back, a list is a text with options, and a moment a date.
    let data_type = match attribute.data_type.as_str() {
        "options" => "string",
        "datetime" => "date",
        other => other,
    };
    let mut shown = json!({
        "id": attribute.id, "type": "data_attribute", "name": attribute.name,
        "full_name": format!("custom_attributes.{}", attribute.name), "label": attribute.name,
        "description": attribute.description.clone().unwrap_or_default(), "data_type": data_type,
        "api_writable": true, "ui_writable": false, "messenger_writable": attribute.messenger_writable,
        "custom": true, "archived": attribute.archived, "admin_id": attribute.admin_id.to_string(),
        "created_at": attribute.created_at, "updated_at": attribute.updated_at,
        "model": attribute.model.as_str(),
    });
    if attribute.data_type == "options"
        && let Some(map) = shown.as_object_mut()
    {
        map.insert("options".to_owned(), json!(attribute.options));
    }
    shown
}

fn list(call: &Call<'_>) -> Outcome {
    let model = match call.request.param("model") {
        None => None,
        Some("contact") => Some(Model::Contact),
        Some("company") => Some(Model::Company),
        // §9: since 2.16 a 422.
        Some("conversation") => {
            let message = "model=conversation is no longer supported. Use GET /conversations/attributes instead";
            return Err(Failure::new(422, "parameter_invalid", message));
        }
        Some(_) => {
            return Err(Failure::field(
                "model",
                "model must be either contact or company",
            ));
        }
    };
    let archived = call.flag_param("include_archived")?.unwrap_or_default();
    let fits = |other: Model| model.is_none_or(|model| model == other);
    let standard = STANDARD.iter().filter(|(of, _, _)| fits(*of)).map(|(of, name, data_type)| {
        json!({
            "type": "data_attribute", "name": name, "full_name": name, "label": name, "description": "",
            "data_type": data_type, "api_writable": true, "ui_writable": true, "messenger_writable": true,
            "custom": false, "archived": false, "model": of.as_str(),
        })
    });
    let custom = call.state.data_attributes.values();
    let custom = custom.filter(|one| fits(one.model) && (archived || !one.archived));
    let data: Vec<Value> = standard.chain(custom.map(render)).collect();
    Answer::ok(json!({"type": "list", "data": data}))
}

/// §9: letters, digits, currency signs, hyphens; spaces and underscores are in Intercom's own examples.
fn is_name(name: &str) -> bool {
    let currency = ['$', '€', '£', '¥', '₹', '₩', '₽', '¢'];
    let fits =
        |c: char| c.is_alphanumeric() || currency.contains(&c) || matches!(c, '-' | '_' | ' ');
    !name.trim().is_empty() && name.chars().all(fits)
}

fn choices(reader: Reader<'_>) -> Result<Option<Vec<String>>, Failure> {
    let Some(value) = reader.raw("options") else {
        return Ok(None);
    };
    let list = value
        .as_array()
        .ok_or_else(|| Failure::invalid("Options isn't an array"))?;
    let mut options = Vec::new();
    for value in list {
        options.push(Reader::new(value)?.needed("value")?);
    }
    if options.len() < 2 {
        return Err(Failure::invalid(
            "The Data Attribute options field must have at least two options",
        ));
    }
    Ok(Some(options))
}

fn post(call: &mut Call<'_>) -> Outcome {
    let reader = call.body(&[
        "name",
        "model",
        "data_type",
        "description",
        "options",
        "messenger_writable",
    ])?;
    let admin_id = call.actor.admin_id;
    let attribute = make(call.state, reader, admin_id)?;
    Answer::ok(render(&attribute))
}

/// Makes a data attribute from a body.
pub(super) fn make(
    state: &mut State,
    reader: Reader<'_>,
    admin_id: Id,
) -> Result<DataAttribute, Failure> {
    let model = match reader.text("model")?.as_deref() {
        Some("contact") => Model::Contact,
        Some("company") => Model::Company,
        _ => {
            return Err(Failure::invalid(
                "The Data Attribute model field must be either contact or company",
            ));
        }
    };
    let name = reader.needed("name")?;
    if !is_name(&name) {
        let message = "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens";
        return Err(Failure::invalid(message));
    }
    let data_type = reader.needed("data_type")?;
    if !DATA_TYPES.contains(&data_type.as_str()) {
        return Err(Failure::invalid("Data Type isn't an option"));
    }
    let options = choices(reader)?;
    if data_type == "options" && options.is_none() {
        return Err(Failure::missing("options"));
    }
    let lower = name.to_lowercase();
    let taken = state.config.switches.archived_names_taken;
    let mut all = state.data_attributes.values();
    // §9: names are unique over both models.
    let other = all.find(|one| one.name.to_lowercase() == lower && (taken || !one.archived));
    let standard = STANDARD
        .iter()
        .any(|(of, one, _)| *of == model && *one == lower);
    if other.is_some() || standard {
        let word = |model: Model| {
            if model == Model::Contact {
                "people"
            } else {
                "company"
            }
        };
        let whose = word(other.map_or(model, |one| one.model));
        let message = format!(
            "You already have '{name}' in your {whose} data. To save this as new {} data, use a different name.",
            word(model)
        );
        return Err(Failure::invalid(message));
    }
    let live = state
        .data_attributes
        .values()
        .filter(|one| !one.archived)
        .count();
    if live >= state.config.switches.data_attributes {
        return Err(Failure::invalid(
            "You have reached the limit of custom data attributes",
        ));
    }
    let now = state.now();
    let attribute = DataAttribute {
        id: state.next_id(),
        model,
        name: name.clone(),
        description: reader.text("description")?,
        options: if data_type == "options" {
            options.unwrap_or_default()
        } else {
            Vec::new()
        },
        data_type,
        messenger_writable: reader.flag("messenger_writable")?.unwrap_or_default(),
        archived: false,
        depended_on: false,
        admin_id,
        created_at: now,
        updated_at: now,
    };
    state.data_by_name.insert((model, name), attribute.id);
    state
        .data_attributes
        .insert(attribute.id, attribute.clone());
    Ok(attribute)
}

fn put(call: &mut Call<'_>, id: &str) -> Outcome {
    let id: Option<Id> = id.parse().ok();
    let found = id
        .and_then(|id| call.state.data_attributes.get(&id))
        .cloned();
    let mut attribute = found.ok_or_else(|| {
        Failure::new(
            404,
            "field_not_found",
            "We couldn't find that data attribute to update",
        )
    })?;
    let reader = call.body(&[
        "archived",
        "description",
        "options",
        "messenger_writable",
        "data_type",
        "name",
        "model",
    ])?;
    // §9: the type cannot be changed.
    if reader
        .text("data_type")?
        .is_some_and(|other| other != attribute.data_type)
    {
        return Err(Failure::invalid(
            "The data type of an attribute cannot be changed",
        ));
    }
    if let Some(options) = choices(reader)? {
        attribute.options = options;
    }
    if reader.given("description") {
        attribute.description = reader.text("description")?;
    }
    if let Some(flag) = reader.flag("messenger_writable")? {
        attribute.messenger_writable = flag;
    }
    if let Some(archived) = reader.flag("archived")? {
        if archived && attribute.depended_on {
            let message = "The Data Attribute you are trying to archive has a dependant object";
            return Err(Failure::new(422, "data_invalid", message));
        }
        attribute.archived = archived;
    }
    attribute.updated_at = call.now();
    let answer = render(&attribute);
    call.state
        .data_by_name
        .insert((attribute.model, attribute.name.clone()), attribute.id);
    call.state.data_attributes.insert(attribute.id, attribute);
    Answer::ok(answer)
}

// ---- conversation attributes

fn conversation(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("GET", []) => call.flag_param("include_archived").and_then(|archived| {
            let all = call.state.conversation_attributes.values();
            let shown = all.filter(|one| archived.unwrap_or_default() || !one.archived);
            let data: Vec<Value> = shown.map(render_conversation).collect();
            Answer::ok(json!({"type": "list", "data": data}))
        }),
        ("POST", []) => {
            let known = [
                "name",
                "description",
                "data_type",
                "required",
                "visible_to_team_ids",
                "multiline",
                "options",
                "reference",
            ];
            call.body(&known).and_then(|reader| {
                let admin_id = call.actor.admin_id;
                let attribute = make_conversation(call.state, reader, admin_id)?;
                Answer::ok(render_conversation(&attribute))
            })
        }
        ("GET", [id]) => {
            attribute(call.state, id).and_then(|one| Answer::ok(render_conversation(one)))
        }
        ("PUT", [id]) => put_conversation(call, id),
        ("DELETE", [id]) => {
            let found = attribute(call.state, id).cloned();
            found.and_then(|mut attribute| {
                attribute.archived = true;
                store(call, attribute)
            })
        }
        ("POST", [id, "options"]) => options(call, id, None, false),
        ("PUT", [id, "options", option]) => options(call, id, Some(option), false),
        ("DELETE", [id, "options", option]) => options(call, id, Some(option), true),
        _ => return None,
    })
}

fn attribute<'s>(state: &'s State, id: &str) -> Result<&'s ConversationAttribute, Failure> {
    let id: Option<Id> = id.parse().ok();
    let found = id.and_then(|id| state.conversation_attributes.get(&id));
    found.ok_or_else(|| {
        Failure::new(
            404,
            "conversation_attribute_not_found",
            "Conversation attribute not found",
        )
    })
}

fn store(call: &mut Call<'_>, mut attribute: ConversationAttribute) -> Outcome {
    attribute.updated_at = call.now();
    let answer = render_conversation(&attribute);
    call.state
        .conversation_attributes
        .insert(attribute.id, attribute);
    Answer::ok(answer)
}

fn render_conversation(attribute: &ConversationAttribute) -> Value {
    let mut shown = json!({
        "type": "conversation_attribute", "id": attribute.id, "name": attribute.name,
        "description": attribute.description, "data_type": attribute.data_type,
        "required": attribute.required, "visible_to_team_ids": attribute.visible_to_team_ids,
        "archived": attribute.archived, "created_at": attribute.created_at,
        "updated_at": attribute.updated_at, "admin_id": attribute.admin_id.to_string(),
    });
    let extra = match (attribute.data_type.as_str(), &attribute.reference) {
        ("string", _) => Some(("multiline", json!(attribute.multiline))),
        ("list", _) => Some(("options", rendered_options(&attribute.options))),
        (_, Some((many, kind))) => {
            let how = if *many { "many" } else { "one" };
            Some(("reference", json!({"type": how, "object_type_id": kind})))
        }
        _ => None,
    };
    if let (Some((key, value)), Some(map)) = (extra, shown.as_object_mut()) {
        map.insert(key.to_owned(), value);
    }
    shown
}

fn rendered_options(options: &[ListOption]) -> Value {
    let options = options.iter();
    options
        .map(|o| json!({"id": o.id, "label": o.label, "archived": o.archived}))
        .collect()
}

fn unprocessable(message: impl Into<String>) -> Failure {
    Failure::new(422, "parameter_invalid", message)
}

fn reference(state: &State, reader: Reader<'_>) -> Result<Option<(bool, String)>, Failure> {
    let Some(value) = reader.raw("reference") else {
        return Ok(None);
    };
    let reader = Reader::new(value)?;
    let many = match reader.text("type")?.as_deref() {
        Some("one") => false,
        Some("many") => true,
        _ => return Err(unprocessable("reference type must be one or many")),
    };
    let kind = reader.word("object_type_id")?.unwrap_or_default();
    if !state.object_types.contains_key(&kind) {
        return Err(unprocessable(format!(
            "Custom object type `{kind}` not found"
        )));
    }
    Ok(Some((many, kind)))
}

/// Makes a conversation attribute from a body.
pub(super) fn make_conversation(
    state: &mut State,
    reader: Reader<'_>,
    admin_id: Id,
) -> Result<ConversationAttribute, Failure> {
    let missing = |name: &str| unprocessable(format!("{name} is required"));
    let name = reader.text("name")?.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| missing("name"))?;
    let data_type = reader
        .text("data_type")?
        .ok_or_else(|| missing("data_type"))?;
    if !CONVERSATION_TYPES.contains(&data_type.as_str()) {
        let allowed = CONVERSATION_TYPES.join(", ");
        let message = format!("data_type '{data_type}' is not valid. Allowed types: {allowed}");
        return Err(unprocessable(message));
    }
    let unique = state.config.switches.conversation_attribute_names_unique;
    if unique && state.conversation_attributes_named(&name).next().is_some() {
        return Err(unprocessable(format!(
            "An attribute named '{name}' already exists"
        )));
    }
    let mut labels = Vec::new();
    for value in reader.list("options")?.into_iter().flatten() {
        labels.push(Reader::new(value)?.needed("label")?);
    }
    if data_type == "list" && labels.len() < 2 {
        return Err(unprocessable(
            "A list attribute must have at least 2 active options",
        ));
    }
    let reference = reference(state, reader)?;
    if data_type == "relationship" && reference.is_none() {
        return Err(missing("reference"));
    }
    let teams = reader.list("visible_to_team_ids")?.into_iter().flatten();
    let now = state.now();
    let options = labels
        .into_iter()
        .filter(|_| data_type == "list")
        .map(|label| ListOption {
            id: state.uuid(),
            label,
            archived: false,
        });
    let options = options.collect();
    let attribute = ConversationAttribute {
        id: state.next_id(),
        name,
        description: reader.text("description")?.unwrap_or_default(),
        required: reader.flag("required")?.unwrap_or_default(),
        visible_to_team_ids: teams.filter_map(super::read::word_of).collect(),
        multiline: reader.flag("multiline")?.unwrap_or_default(),
        options,
        reference: reference.filter(|_| data_type == "relationship"),
        data_type,
        archived: false,
        admin_id,
        created_at: now,
        updated_at: now,
    };
    state
        .conversation_attributes
        .insert(attribute.id, attribute.clone());
    Ok(attribute)
}

fn put_conversation(call: &mut Call<'_>, id: &str) -> Outcome {
    let mut attribute = attribute(call.state, id)?.clone();
    let reader = call.body(&[
        "name",
        "description",
        "multiline",
        "required",
        "visible_to_team_ids",
        "reference",
    ])?;
    if let Some(name) = reader.text("name")? {
        attribute.name = name;
    }
    if let Some(description) = reader.text("description")? {
        attribute.description = description;
    }
    if let Some(flag) = reader.flag("multiline")? {
        attribute.multiline = flag;
    }
    if let Some(flag) = reader.flag("required")? {
        attribute.required = flag;
    }
    if let Some(teams) = reader.list("visible_to_team_ids")? {
        attribute.visible_to_team_ids = teams.iter().filter_map(super::read::word_of).collect();
    }
    if let Some(reference) = reference(call.state, reader)? {
        attribute.reference = Some(reference);
    }
    store(call, attribute)
}

fn options(call: &mut Call<'_>, id: &str, option: Option<&str>, archives: bool) -> Outcome {
    let mut attribute = attribute(call.state, id)?.clone();
    if attribute.data_type != "list" {
        return Err(unprocessable(
            "Options can only be managed on list attributes",
        ));
    }
    let label = if archives {
        None
    } else {
        let reader = Reader::new(&call.request.json)?;
        reader
            .only(&["label"])
            .map_err(|_| unprocessable("only 'label' is accepted"))?;
        let label = reader
            .text("label")
            .map_err(|_| unprocessable("label must be a string"))?;
        Some(
            label
                .filter(|l| !l.is_empty())
                .ok_or_else(|| unprocessable("label is required"))?,
        )
    };
    let live = attribute
        .options
        .iter()
        .filter(|option| !option.archived)
        .count();
    match (option, label) {
        (None, Some(label)) => attribute.options.push(ListOption {
            id: call.state.uuid(),
            label,
            archived: false,
        }),
        (Some(option), label) => {
            let mut all = attribute.options.iter_mut();
            let found = all.find(|one| one.id == option).ok_or_else(|| {
                Failure::new(
                    404,
                    "conversation_attribute_not_found",
                    "List option not found",
                )
            })?;
            match label {
                Some(label) => found.label = label,
                None if live <= 2 => {
                    return Err(unprocessable(
                        "A list attribute must have at least 2 active options",
                    ));
                }
                None => found.archived = true,
            }
        }
        (None, None) => {}
    }
    store(call, attribute)
}
