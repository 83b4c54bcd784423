//! Associations: links of records, their types and labels (HubSpot facts §9).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, id_of, members_of, required};
use super::model::{Category, Id, LinkKey, LinkType, Links, Ref, TypeId};
use super::objects::{in_some_order, readable, writable};
use super::state::{State, iso};

/// Links that a batch may make (§2).
const CREATE: usize = 2_000;
/// Records whose links a batch may read (§2).
const READ: usize = 1_000;

/// HubSpot's own types of links: from, to, number there, number back (§9; those of deals, tasks and meetings [MEM]).
const PLAIN: [(TypeId, TypeId, u32, u32); 34] = [
    (TypeId::CONTACT, TypeId::CONTACT, 449, 449),
    (TypeId::CONTACT, TypeId::COMPANY, 279, 280),
    (TypeId::CONTACT, TypeId::DEAL, 4, 3),
    (TypeId::CONTACT, TypeId::TICKET, 15, 16),
    (TypeId::CONTACT, TypeId::NOTE, 201, 202),
    (TypeId::CONTACT, TypeId::EMAIL, 197, 198),
    (TypeId::CONTACT, TypeId::CALL, 193, 194),
    (TypeId::CONTACT, TypeId::COMMUNICATION, 82, 81),
    (TypeId::CONTACT, TypeId::TASK, 203, 204),
    (TypeId::CONTACT, TypeId::MEETING, 199, 200),
    (TypeId::COMPANY, TypeId::COMPANY, 450, 450),
    (TypeId::COMPANY, TypeId::DEAL, 342, 341),
    (TypeId::COMPANY, TypeId::TICKET, 340, 339),
    (TypeId::COMPANY, TypeId::NOTE, 189, 190),
    (TypeId::COMPANY, TypeId::EMAIL, 185, 186),
    (TypeId::COMPANY, TypeId::CALL, 181, 182),
    (TypeId::COMPANY, TypeId::COMMUNICATION, 88, 87),
    (TypeId::COMPANY, TypeId::TASK, 191, 192),
    (TypeId::COMPANY, TypeId::MEETING, 187, 188),
    (TypeId::TICKET, TypeId::TICKET, 452, 452),
    (TypeId::TICKET, TypeId::DEAL, 28, 27),
    (TypeId::TICKET, TypeId::NOTE, 227, 228),
    (TypeId::TICKET, TypeId::EMAIL, 223, 224),
    (TypeId::TICKET, TypeId::CALL, 219, 220),
    (TypeId::TICKET, TypeId::COMMUNICATION, 84, 83),
    (TypeId::TICKET, TypeId::TASK, 229, 230),
    (TypeId::TICKET, TypeId::MEETING, 225, 226),
    (TypeId::DEAL, TypeId::DEAL, 451, 451),
    (TypeId::DEAL, TypeId::NOTE, 213, 214),
    (TypeId::DEAL, TypeId::EMAIL, 209, 210),
    (TypeId::DEAL, TypeId::CALL, 205, 206),
    (TypeId::DEAL, TypeId::COMMUNICATION, 86, 85),
    (TypeId::DEAL, TypeId::TASK, 215, 216),
    (TypeId::DEAL, TypeId::MEETING, 211, 212),
];

/// Two types, two numbers, two labels, whether there is one at most, either way.
type Labelled = (
    TypeId,
    TypeId,
    u32,
    u32,
    &'static str,
    &'static str,
    bool,
    bool,
);

/// The labelled ones: from, to, numbers, label there and back, whether there is one at most.
const LABELLED: [Labelled; 4] = [
    (
        TypeId::CONTACT,
        TypeId::COMPANY,
        1,
        2,
        "Primary",
        "Primary",
        true,
        false,
    ),
    (
        TypeId::COMPANY,
        TypeId::TICKET,
        25,
        26,
        "Primary",
        "Primary",
        false,
        true,
    ),
    (
        TypeId::COMPANY,
        TypeId::DEAL,
        6,
        5,
        "Primary",
        "Primary",
        false,
        true,
    ),
    (
        TypeId::COMPANY,
        TypeId::COMPANY,
        13,
        14,
        "Child Company",
        "Parent Company",
        false,
        false,
    ),
];

/// The links an account has from the start.
pub(super) fn seed(state: &mut State) {
    let name = |state: &State, from: TypeId, to: TypeId| {
        let one = |id| {
            state
                .type_of(id)
                .map_or(String::new(), |of| of.singular.clone())
        };
        format!("{}_to_{}", one(from), one(to))
    };
    for (from, to, there, back) in PLAIN {
        let names = (name(state, from, to), name(state, to, from));
        put(
            state,
            Category::HubspotDefined,
            (from, to),
            (there, back),
            names,
            (None, None),
            true,
        );
    }
    for (from, to, there, back, label, inverse, one_there, one_back) in LABELLED {
        let names = (
            format!(
                "{}_{}",
                label.to_lowercase().replace(' ', "_"),
                name(state, from, to)
            ),
            format!(
                "{}_{}",
                inverse.to_lowercase().replace(' ', "_"),
                name(state, to, from)
            ),
        );
        let labels = (Some(label.to_owned()), Some(inverse.to_owned()));
        put(
            state,
            Category::HubspotDefined,
            (from, to),
            (there, back),
            names,
            labels,
            false,
        );
        for (number, one) in [(there, one_there), (back, one_back)] {
            if let Some(link) = state
                .link_types
                .get_mut(&(Category::HubspotDefined, number))
            {
                link.single = one;
            }
        }
    }
}

/// Adds a pair of types of links.
fn put(
    state: &mut State,
    category: Category,
    (from, to): (TypeId, TypeId),
    (there, back): (u32, u32),
    names: (String, String),
    labels: (Option<String>, Option<String>),
    plain: bool,
) {
    let one_way = |from, to, key, inverse, name, label| LinkType {
        key: (category, key),
        from,
        to,
        inverse: (category, inverse),
        name,
        label,
        plain,
        single: false,
        made: category == Category::UserDefined,
    };
    let forth = one_way(from, to, there, back, names.0, labels.0);
    let back = (there != back).then(|| one_way(to, from, back, there, names.1, labels.1));
    state.put_link_type(forth, back);
}

/// Adds types of links of the portal; the numbers there and back, the same one for a link without direction.
pub(super) fn make(
    state: &mut State,
    pair: (TypeId, TypeId),
    name: &str,
    labels: (Option<String>, Option<String>),
    plain: bool,
) -> (u32, u32) {
    state.last_link_type += 1;
    let there = state.last_link_type;
    let undirected = pair.0 == pair.1 && labels.0 == labels.1;
    if !undirected {
        state.last_link_type += 1;
    }
    let back = state.last_link_type;
    let category = if plain && !state.config.switches.custom_links_user_defined {
        Category::HubspotDefined
    } else {
        Category::UserDefined
    };
    // HubSpot's own numbers are small: those that a portal gets for plain links must not be taken for them.
    let offset = if category == Category::HubspotDefined {
        10_000
    } else {
        0
    };
    let (there, back) = (there + offset, back + offset);
    put(
        state,
        category,
        pair,
        (there, back),
        (name.to_owned(), name.to_owned()),
        labels,
        plain,
    );
    for number in [there, back] {
        if let Some(link) = state.link_types.get_mut(&(category, number)) {
            link.made = true;
        }
    }
    (there, back)
}

// ---- what bodies say

/// Types of links in a body, all from one type to another.
fn keys_of(
    state: &State,
    given: &Value,
    from: TypeId,
    to: Option<TypeId>,
) -> Result<BTreeSet<LinkKey>, Failure> {
    let list = given.as_array().filter(|list| !list.is_empty());
    let list =
        list.ok_or_else(|| Failure::input("types: a list of association types is required"))?;
    let mut keys = BTreeSet::new();
    for item in list {
        let item = item
            .as_object()
            .ok_or_else(|| Failure::input("types: an object is expected"))?;
        members_of(item, &["associationCategory", "associationTypeId"])?;
        let category = required(item, "associationCategory")?;
        let category = Category::parse(category)
            .ok_or_else(|| Failure::input(format!("associationCategory: {category}")))?;
        let number = item.get("associationTypeId").and_then(Value::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number =
            number.ok_or_else(|| Failure::input("associationTypeId: a number is required"))?;
        let link = state.link_types.get(&(category, number));
        // §6: the number must be the one of this direction.
        let fits = link.is_some_and(|l| l.from == from && to.is_none_or(|to| l.to == to));
        if !fits {
            let message = match to {
                Some(to) => format!(
                    "{number} is not a valid {} association type from {from} to {to}",
                    category.as_str()
                ),
                None => format!(
                    "{number} is not a valid {} association type from {from}",
                    category.as_str()
                ),
            };
            return Err(Failure::validation(message).sub("ASSOCIATION_TYPE_INVALID"));
        }
        keys.insert((category, number));
    }
    Ok(keys)
}

/// A target and the types of links to it.
pub(super) type NewLink = (Ref, BTreeSet<LinkKey>);

/// The links of a record about to be made (§6).
pub(super) fn of_new(
    call: &Call<'_>,
    from: TypeId,
    given: &Value,
) -> Result<Vec<NewLink>, Failure> {
    let list = given
        .as_array()
        .ok_or_else(|| Failure::input("associations: a list is expected"))?;
    let mut links: Vec<NewLink> = Vec::new();
    for item in list {
        let item = item
            .as_object()
            .ok_or_else(|| Failure::input("associations: an object is expected"))?;
        members_of(item, &["to", "types"])?;
        let id = item.get("to").and_then(|to| to.get("id")).and_then(id_of);
        let id = id.ok_or_else(|| Failure::input("associations: to.id is required"))?;
        let keys = keys_of(
            call.state,
            item.get("types").unwrap_or(&Value::Null),
            from,
            None,
        )?;
        let to: BTreeSet<TypeId> = keys
            .iter()
            .filter_map(|k| Some(call.state.link_types.get(k)?.to))
            .collect();
        let (Some(to), 1) = (to.first().copied(), to.len()) else {
            return Err(Failure::validation(
                "The association types of a target are of different objects",
            ));
        };
        let record = call.state.record(to, id);
        // §6: the whole create fails if a target does not exist.
        let id = record
            .map(|record| record.id)
            .ok_or_else(|| no_record(to, id))?;
        check_cap(call.state, (to, id), from)?;
        links.push(((to, id), keys));
    }
    Ok(links)
}

fn no_record(object: TypeId, id: Id) -> Failure {
    Failure::validation(format!("No {object} with id {id} exists")).about("id", [id.to_string()])
}

fn check_cap(state: &State, from: Ref, to: TypeId) -> Result<(), Failure> {
    // §9: records have a limit of links.
    if state.link_count(from, to) >= state.config.switches.links_per_record {
        let message = format!(
            "The record {} has as many associations to {to} as it may have",
            from.1
        );
        return Err(Failure::validation(message).sub("ASSOCIATION_LIMIT_EXCEEDED"));
    }
    Ok(())
}

/// The record of an `{"id": …}`.
fn end(state: &State, object: TypeId, given: Option<&Value>, name: &str) -> Result<Id, Failure> {
    let id = given.and_then(|end| end.get("id")).and_then(id_of);
    let id = id.ok_or_else(|| Failure::input(format!("{name}.id is required")))?;
    state
        .record(object, id)
        .map(|r| r.id)
        .ok_or_else(|| no_record(object, id))
}

// ---- what answers say

fn number(id: Id, as_text: bool) -> Value {
    if as_text {
        json!(id.to_string())
    } else {
        json!(id)
    }
}

fn types_of(state: &State, keys: &BTreeSet<LinkKey>) -> Vec<Value> {
    let links = keys.iter().filter_map(|key| state.link_types.get(key));
    links
        .map(|l| json!({"category": l.key.0.as_str(), "typeId": l.key.1, "label": l.label}))
        .collect()
}

fn labels_between(state: &State, from: Ref, to: Ref) -> Value {
    let as_text = !state.config.switches.ids_as_text_in_lists;
    let keys = state.links_of(from, to.0).and_then(|ends| ends.get(&to.1));
    let labels = keys
        .into_iter()
        .flatten()
        .filter_map(|key| state.link_types.get(key)?.label.clone());
    json!({
        "fromObjectTypeId": from.0.to_string(), "fromObjectId": number(from.1, as_text),
        "toObjectTypeId": to.0.to_string(), "toObjectId": number(to.1, as_text),
        "labels": labels.collect::<Vec<_>>(),
    })
}

fn default_result(from: Ref, to: Ref, key: LinkKey) -> Value {
    json!({
        "from": {"id": from.1.to_string()}, "to": {"id": to.1.to_string()},
        "associationSpec": {"associationCategory": key.0.as_str(), "associationTypeId": key.1},
    })
}

fn plain_of(state: &State, from: TypeId, to: TypeId) -> Result<LinkKey, Failure> {
    let none = || Failure::validation(format!("{from} cannot be associated with {to}"));
    state.plain_link(from, to).ok_or_else(none)
}

// ---- links of one record

/// Answers a request about the links of a record, given the path behind `objects`.
pub(super) fn of_record(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    match (method.as_str(), path) {
        ("PUT", [from, id, "associations", "default", to, to_id]) => {
            let (from, to) = ends(call, from, id, to, to_id)?;
            let key = plain_of(call.state, from.0, to.0)?;
            check_cap(call.state, from, to.0)?;
            call.state.add_links(from, to, &BTreeSet::from([key]));
            let back = call
                .state
                .link_types
                .get(&key)
                .map_or(key, |link| link.inverse);
            let results = vec![
                default_result(from, to, key),
                default_result(to, from, back),
            ];
            Ok(call.batch(200, results, &[]))
        }
        ("PUT", [from, id, "associations", to, to_id]) => {
            let (from, to) = ends(call, from, id, to, to_id)?;
            let keys = keys_of(call.state, &call.request.json, from.0, Some(to.0))?;
            check_cap(call.state, from, to.0)?;
            call.state.set_links(from, to, &keys);
            Ok(Answer::json(201, labels_between(call.state, from, to)))
        }
        ("DELETE", [from, id, "associations", to, to_id]) => {
            let (from, to) = ends(call, from, id, to, to_id)?;
            call.state.unlink(from, to, None);
            Ok(Answer::empty(204))
        }
        // §1.2: 2026-09 has no list.
        ("GET", [_, _, "associations", _]) if call.enforces_rules() => Err(Failure::no_route()),
        ("GET", [from, id, "associations", to]) => {
            let (from, to) = (readable(call, from)?, call.live_object(to)?);
            let record = id.parse().ok().and_then(|id| call.state.record(from, id));
            let id = record.map(|r| r.id).ok_or_else(Failure::not_found)?;
            let state = &*call.state;
            let as_text = state.config.switches.ids_as_text_in_lists;
            let all = |after: Option<Id>| {
                let linked = state.linked((from, id), to);
                linked
                    .filter(|(id, _)| after.is_none_or(|after| *id > after))
                    .map(|(id, keys)| (id, (id, keys)))
                    .collect()
            };
            call.page(500, 500, all, |(id, keys)| {
                json!({"toObjectId": number(id, as_text), "associationTypes": types_of(state, keys)})
            })
        }
        (_, [_, _, "associations", ..]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

type Ends = (Ref, Ref);

fn ends(call: &Call<'_>, from: &str, id: &str, to: &str, to_id: &str) -> Result<Ends, Failure> {
    let (from, to) = (writable(call, from)?, call.live_object(to)?);
    let record = |object, id: &str| {
        let record = id.parse().ok().and_then(|id| call.state.record(object, id));
        record
            .map(|r| (object, r.id))
            .ok_or_else(Failure::not_found)
    };
    Ok((record(from, id)?, record(to, to_id)?))
}

// ---- batches and labels

/// Answers a request about links in bulk and about labels, given the path behind `associations`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    match (method.as_str(), path) {
        ("POST", [from, to, "batch", "create"]) => batch_create(call, from, to, false),
        ("POST", [from, to, "batch", "associate", "default"]) => batch_create(call, from, to, true),
        ("POST", [from, to, "batch", "read"]) => batch_read(call, from, to),
        ("POST", [from, to, "batch", "archive"]) => batch_archive(call, from, to),
        ("POST", [from, to, "batch", "labels", "archive"]) => labels_archive(call, from, to),
        (method, [from, to, "labels"]) => labels(call, method, from, to),
        ("DELETE", [from, to, "labels", number]) => delete_label(call, from, to, number),
        (_, [_, _, "batch", ..] | [_, _, "labels", _]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn pair(call: &Call<'_>, from: &str, to: &str) -> Result<(TypeId, TypeId), Failure> {
    Ok((writable(call, from)?, call.live_object(to)?))
}

fn inputs_of(call: &Call<'_>, most: usize) -> Result<Vec<Map<String, Value>>, Failure> {
    let inputs = call.inputs(call.body(&["inputs"])?, most)?;
    let object = |input: Value| match input {
        Value::Object(map) => Ok(map),
        _ => Err(Failure::input("inputs: an object is expected")),
    };
    inputs.into_iter().map(object).collect()
}

fn batch_create(call: &mut Call<'_>, from: &str, to: &str, plain: bool) -> Outcome {
    let (from, to) = pair(call, from, to)?;
    let inputs = inputs_of(call, CREATE)?;
    let usual = plain_of(call.state, from, to)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &inputs {
        members_of(
            input,
            if plain {
                &["from", "to"]
            } else {
                &["from", "to", "types"]
            },
        )?;
        let keys = if plain {
            BTreeSet::from([usual])
        } else {
            keys_of(
                call.state,
                input.get("types").unwrap_or(&Value::Null),
                from,
                Some(to),
            )?
        };
        for name in ["from", "to"] {
            let id = input.get(name).and_then(|end| end.get("id"));
            id.and_then(id_of)
                .ok_or_else(|| Failure::input(format!("{name}.id is required")))?;
        }
        let ends = end(call.state, from, input.get("from"), "from").and_then(|a| {
            let b = end(call.state, to, input.get("to"), "to")?;
            let known = call
                .state
                .links_of((from, a), to)
                .is_some_and(|ends| ends.contains_key(&b));
            if !known {
                check_cap(call.state, (from, a), to)?;
                check_cap(call.state, (to, b), from)?;
            }
            Ok(((from, a), (to, b)))
        });
        match ends {
            Ok((a, b)) => {
                if plain {
                    call.state.add_links(a, b, &keys);
                    results.push(default_result(a, b, usual));
                } else {
                    // §9: labels are replaced.
                    call.state.set_links(a, b, &keys);
                    results.push(labels_between(call.state, a, b));
                }
            }
            Err(failure) => errors.push(failure),
        }
    }
    in_some_order(call.state, &mut results);
    let whole = if plain || call.has_new_codes() {
        200
    } else {
        201
    };
    Ok(call.batch(whole, results, &errors))
}

fn batch_read(call: &mut Call<'_>, from: &str, to: &str) -> Outcome {
    let (from, to) = (readable(call, from)?, call.live_object(to)?);
    let inputs = inputs_of(call, READ)?;
    let state = &*call.state;
    let as_text = !state.config.switches.ids_as_text_in_lists;
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    for input in &inputs {
        members_of(input, &["id", "after"])?;
        let id = input.get("id").and_then(id_of);
        let id = id.ok_or_else(|| Failure::input("inputs: id is required"))?;
        let after = input.get("after").and_then(id_of);
        let ends: Vec<(Id, &BTreeSet<LinkKey>)> = state
            .linked((from, id), to)
            .filter(|(id, _)| after.is_none_or(|after| *id > after))
            .take(501)
            .collect();
        if ends.is_empty() {
            // A record without links is told like one that does not exist [INF].
            missing.push(id.to_string());
            continue;
        }
        let more = ends.len() > 500;
        let shown = ends.iter().take(500).map(|(id, keys)| {
            json!({"toObjectId": number(*id, as_text), "associationTypes": types_of(state, keys)})
        });
        let mut result = json!({"from": {"id": id.to_string()}, "to": shown.collect::<Vec<_>>()});
        if let (true, Some((last, _)), Some(map)) = (more, ends.get(499), result.as_object_mut()) {
            let link = format!("?after={last}");
            map.insert(
                "paging".to_owned(),
                json!({"next": {"after": last.to_string(), "link": link}}),
            );
        }
        results.push(result);
    }
    in_some_order(state, &mut results);
    let mut errors = Vec::new();
    if !missing.is_empty() {
        let message = format!("No {to} is associated with {from} {}.", missing.join(", "));
        let failure = Failure::new(404, "OBJECT_NOT_FOUND", message);
        let failure = failure.sub("crm.associations.NO_ASSOCIATIONS_FOUND");
        errors.push(failure.about("fromObjectId", missing));
    }
    Ok(call.batch(200, results, &errors))
}

/// §1.2: old versions answer 204 to the end of links, new ones a body.
fn ended(call: &Call<'_>) -> Answer {
    if call.has_new_codes() {
        let now = iso(call.state.now);
        Answer::json(
            200,
            json!({"status": "COMPLETE", "results": [], "startedAt": now, "completedAt": now}),
        )
    } else {
        Answer::empty(204)
    }
}

fn batch_archive(call: &mut Call<'_>, from: &str, to: &str) -> Outcome {
    let (from, to) = pair(call, from, to)?;
    for input in inputs_of(call, CREATE)? {
        members_of(&input, &["from", "to"])?;
        let a = input
            .get("from")
            .and_then(|end| end.get("id"))
            .and_then(id_of);
        let a = a.ok_or_else(|| Failure::input("from.id is required"))?;
        let ends = input.get("to").and_then(Value::as_array);
        let ends = ends.ok_or_else(|| Failure::input("to: a list is required"))?;
        for b in ends {
            let b = b.get("id").and_then(id_of);
            let b = b.ok_or_else(|| Failure::input("to.id is required"))?;
            call.state.unlink((from, a), (to, b), None);
        }
    }
    Ok(ended(call))
}

fn labels_archive(call: &mut Call<'_>, from: &str, to: &str) -> Outcome {
    let (from, to) = pair(call, from, to)?;
    for input in inputs_of(call, CREATE)? {
        members_of(&input, &["from", "to", "types"])?;
        let a = end(call.state, from, input.get("from"), "from")?;
        let b = end(call.state, to, input.get("to"), "to")?;
        let keys = keys_of(
            call.state,
            input.get("types").unwrap_or(&Value::Null),
            from,
            Some(to),
        )?;
        for key in keys {
            let plain = call.state.plain_link(from, to) == Some(key);
            // §9: without its plain link a pair has none at all.
            call.state
                .unlink((from, a), (to, b), (!plain).then_some(key));
        }
    }
    Ok(ended(call))
}

fn label_of(link: &LinkType) -> Value {
    json!({"category": link.key.0.as_str(), "typeId": link.key.1, "label": link.label})
}

fn labels(call: &mut Call<'_>, method: &str, from: &str, to: &str) -> Outcome {
    if method == "GET" {
        let (from, to) = (readable(call, from)?, call.live_object(to)?);
        let links = call.state.link_types.values();
        let found = links.filter(|l| l.from == from && l.to == to).map(label_of);
        return Answer::ok(json!({"results": found.collect::<Vec<_>>()}));
    }
    let (from, to) = pair(call, from, to)?;
    match method {
        "POST" => {
            let body = call.body(&["label", "inverseLabel", "name"])?.clone();
            let (label, name) = (required(&body, "label")?, required(&body, "name")?);
            let inverse = body
                .get("inverseLabel")
                .and_then(Value::as_str)
                .unwrap_or(label);
            plain_of(call.state, from, to)?;
            let between = |link: &&LinkType| {
                (link.from, link.to) == (from, to) || (link.to, link.from) == (from, to)
            };
            let exists = call.state.link_types.values().filter(between).any(|link| {
                link.name == name || link.from == from && link.label.as_deref() == Some(label)
            });
            if exists {
                let status = call.state.config.switches.exists_status;
                let message =
                    format!("An association label {name} already exists between {from} and {to}");
                return Err(Failure::new(status, "OBJECT_ALREADY_EXISTS", message));
            }
            let texts = (Some(label.to_owned()), Some(inverse.to_owned()));
            let (there, back) = make(call.state, (from, to), name, texts, false);
            let numbers: BTreeSet<u32> = BTreeSet::from([there, back]);
            let made = numbers
                .iter()
                .filter_map(|n| call.state.link_types.get(&(Category::UserDefined, *n)));
            Answer::ok(json!({"results": made.map(label_of).collect::<Vec<_>>()}))
        }
        "PUT" => {
            let body = call
                .body(&["associationTypeId", "label", "inverseLabel"])?
                .clone();
            let label = required(&body, "label")?;
            let inverse = body.get("inverseLabel").and_then(Value::as_str);
            let number = body.get("associationTypeId").and_then(Value::as_u64);
            let number = number.and_then(|n| u32::try_from(n).ok());
            let key = (Category::UserDefined, number.unwrap_or(0));
            let found = call
                .state
                .link_types
                .get_mut(&key)
                .filter(|l| l.label.is_some() && l.from == from && l.to == to);
            let link = found.ok_or_else(Failure::not_found)?;
            link.label = Some(label.to_owned());
            let back = link.inverse;
            if let (Some(text), Some(link)) = (inverse, call.state.link_types.get_mut(&back)) {
                link.label = Some(text.to_owned());
            }
            Ok(Answer::empty(204))
        }
        _ => Err(Failure::method()),
    }
}

fn delete_label(call: &mut Call<'_>, from: &str, to: &str, number: &str) -> Outcome {
    let (from, to) = pair(call, from, to)?;
    let key = (Category::UserDefined, number.parse().unwrap_or(0));
    let link = call.state.link_types.get(&key);
    let found = link.is_some_and(|l| !l.plain && l.from == from && l.to == to);
    if !found {
        return Err(Failure::not_found());
    }
    call.state.take_link_type(key);
    Ok(Answer::empty(204))
}

/// Links of a record by the type of the other end, for looking at it all.
pub(super) fn all_of(state: &State, from: Ref) -> Links {
    let mut all = BTreeMap::new();
    for to in state.types.keys() {
        for (id, keys) in state.linked(from, *to) {
            all.insert((*to, id), keys.clone());
        }
    }
    all
}
