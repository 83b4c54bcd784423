//! Searching records (HubSpot facts §14). Search knows what its index knows, which lags behind what was written.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, members_of};
use super::model::{Property, Record, TypeId, Values};
use super::objects::{Shown, render};
use super::state::State;
use super::values::moment;

/// Characters a body may have.
const BODY: usize = 3_000;
/// Rows that can be paged to.
const ROWS: usize = 10_000;
/// Groups, filters of a group, filters in all.
const FILTERS: (usize, usize, usize) = (5, 6, 18);

/// What a filter compares with.
#[derive(Debug, Clone)]
enum Test {
    Equal(String, bool),
    Order(String, bool, bool),
    Between(String, String),
    In(Vec<String>, bool),
    Has(bool),
    Token(String, bool),
}

#[derive(Debug, Clone)]
enum What {
    Property(Box<Property>),
    /// `associations.contact`: linked to one of these.
    Linked(TypeId),
}

#[derive(Debug, Clone)]
struct Filter {
    what: What,
    test: Test,
}

/// Answers a search.
pub(super) fn search(call: &mut Call<'_>, object: TypeId) -> Outcome {
    if call.request.length > BODY {
        let message = format!(
            "The request body has {} characters, more than {BODY}",
            call.request.length
        );
        return Err(Failure::validation(message));
    }
    let members = [
        "filterGroups",
        "filters",
        "properties",
        "sorts",
        "query",
        "limit",
        "after",
    ];
    let body = call.body(&members)?.clone();
    let shown = Shown::of_body(call, &body)?;
    let number = |name: &str, usual: usize| match body.get(name) {
        None | Some(Value::Null) => Ok(usual),
        Some(Value::String(text)) => text
            .parse()
            .map_err(|_| Failure::validation(format!("{name}: {text} is no offset"))),
        Some(other) => other
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| Failure::validation(format!("{name}: {other} is no number"))),
    };
    let (limit, after) = (number("limit", 10)?, number("after", 0)?);
    if !(1..=200).contains(&limit) {
        return Err(Failure::validation("limit must be a number from 1 to 200"));
    }
    if after + limit > ROWS {
        // §14
        return Err(Failure::validation(format!(
            "There is a maximum paging of {ROWS} results"
        )));
    }
    let groups = groups(call, object, &body)?;
    let sort = sort(call.state, object, body.get("sorts"))?;
    let query = body
        .get("query")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let state = &*call.state;
    let words: Vec<String> = tokens(query);
    let mut found: Vec<(&Record, &Arc<Values>)> = state
        .live(object)
        .filter_map(|record| Some((record, record.indexed.as_ref()?)))
        .filter(|(record, values)| {
            let any = groups.is_empty()
                || groups.iter().any(|group| {
                    group
                        .iter()
                        .all(|f| holds(state, object, record, values, f))
                });
            any && (words.is_empty() || has_words(state, object, values, &words))
        })
        .collect();
    if let Some((name, kind, down)) = sort {
        found.sort_by(|(_, a), (_, b)| {
            let order = compare(
                &kind,
                a.get(&name).map(String::as_str),
                b.get(&name).map(String::as_str),
            );
            if down { order.reverse() } else { order }
        });
    }
    let total = found.len();
    let page: Vec<Value> = found
        .iter()
        .skip(after)
        .take(limit)
        .map(|(record, values)| {
            // The answer shows the index, not the record.
            let seen = Record {
                values: Arc::clone(values),
                ..(*record).clone()
            };
            render(state, &seen, &shown)
        })
        .collect();
    let next = after + page.len();
    let mut answer = json!({"total": total, "results": page});
    if let (true, Some(map)) = (next < total && limit > 0, answer.as_object_mut()) {
        map.insert(
            "paging".to_owned(),
            json!({"next": {"after": next.to_string()}}),
        );
    }
    Ok(Answer::json(200, answer))
}

fn groups(
    call: &Call<'_>,
    object: TypeId,
    body: &serde_json::Map<String, Value>,
) -> Result<Vec<Vec<Filter>>, Failure> {
    let list = |value: &Value| -> Result<Vec<Value>, Failure> {
        let list = value.as_array().cloned();
        list.ok_or_else(|| Failure::input("filters: a list is expected"))
    };
    let mut groups = Vec::new();
    if let Some(given) = body.get("filterGroups") {
        for group in list(given)? {
            let group = group.as_object().cloned().unwrap_or_default();
            members_of(&group, &["filters"])?;
            groups.push(list(group.get("filters").unwrap_or(&json!([])))?);
        }
    }
    if let Some(given) = body.get("filters") {
        groups.push(list(given)?);
    }
    let all: usize = groups.iter().map(Vec::len).sum();
    let (most_groups, most_each, most_all) = FILTERS;
    if groups.len() > most_groups || groups.iter().any(|g| g.len() > most_each) || all > most_all {
        let message = format!(
            "At most {most_groups} filter groups of {most_each} filters, {most_all} in all, are supported"
        );
        return Err(Failure::validation(message));
    }
    let read = |group: &Vec<Value>| {
        group
            .iter()
            .map(|filter| read_filter(call, object, filter))
            .collect()
    };
    groups.iter().map(read).collect()
}

fn read_filter(call: &Call<'_>, object: TypeId, filter: &Value) -> Result<Filter, Failure> {
    let filter = filter
        .as_object()
        .ok_or_else(|| Failure::input("filters: an object is expected"))?;
    members_of(
        filter,
        &["propertyName", "operator", "value", "values", "highValue"],
    )?;
    let name = filter
        .get("propertyName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let operator = filter
        .get("operator")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let what = match name.strip_prefix("associations.") {
        Some(other) => {
            let to = call.state.type_named(other);
            let to = to.or_else(|| {
                call.state
                    .types
                    .values()
                    .find(|of| of.singular == other)
                    .map(|of| of.id)
            });
            What::Linked(
                to.ok_or_else(|| Failure::validation(format!("{name} is no association")))?,
            )
        }
        None => {
            // §14: these cannot be filtered.
            let hidden = matches!(name, "hs_body_preview_html" | "hs_email_html")
                || object == TypeId::EMAIL && name == "hs_body_preview";
            let of = call.state.type_of(object);
            let property = of
                .and_then(|of| of.properties.get(name))
                .filter(|_| !hidden);
            let unknown = || {
                Failure::validation(format!(
                    "There was a problem with the request: property {name} cannot be filtered"
                ))
            };
            What::Property(Box::new(property.ok_or_else(unknown)?.clone()))
        }
    };
    let missing = |part: &str| Failure::validation(format!("operator {operator} requires {part}"));
    let text = |part: &str| -> Result<String, Failure> {
        match filter.get(part) {
            Some(Value::String(text)) => Ok(comparable(&what, text)),
            Some(Value::Number(number)) => Ok(comparable(&what, &number.to_string())),
            Some(Value::Bool(flag)) => Ok(flag.to_string()),
            _ => Err(missing(part)),
        }
    };
    let texts = || -> Result<Vec<String>, Failure> {
        let values = filter
            .get("values")
            .and_then(Value::as_array)
            .ok_or_else(|| missing("values"))?;
        Ok(values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| comparable(&what, value))
            .collect())
    };
    let test = match operator {
        "EQ" => Test::Equal(text("value")?, true),
        "NEQ" => Test::Equal(text("value")?, false),
        "LT" => Test::Order(text("value")?, true, false),
        "LTE" => Test::Order(text("value")?, true, true),
        "GT" => Test::Order(text("value")?, false, false),
        "GTE" => Test::Order(text("value")?, false, true),
        "BETWEEN" => Test::Between(text("value")?, text("highValue")?),
        "IN" => Test::In(texts()?, true),
        "NOT_IN" => Test::In(texts()?, false),
        "HAS_PROPERTY" => Test::Has(true),
        "NOT_HAS_PROPERTY" => Test::Has(false),
        "CONTAINS_TOKEN" => Test::Token(text("value")?, true),
        "NOT_CONTAINS_TOKEN" => Test::Token(text("value")?, false),
        other => return Err(Failure::validation(format!("{other} is no operator"))),
    };
    Ok(Filter { what, test })
}

/// Moments are compared as milliseconds.
fn comparable(what: &What, text: &str) -> String {
    match what {
        What::Property(property) if matches!(property.kind.as_str(), "datetime" | "date") => {
            millis(text).map_or_else(|| text.to_owned(), |ms| ms.to_string())
        }
        _ => text.to_owned(),
    }
}

fn millis(text: &str) -> Option<i64> {
    let day = |text: &str| {
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(day.and_hms_opt(0, 0, 0)?.and_utc())
    };
    let at: DateTime<Utc> = moment(text).or_else(|| day(text))?;
    Some(at.timestamp_millis())
}

fn compare(kind: &str, a: Option<&str>, b: Option<&str>) -> Ordering {
    let number = |text: &str| -> Option<f64> {
        match kind {
            "number" => text.parse().ok(),
            "datetime" | "date" => text.parse().ok().or_else(|| {
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "milliseconds of dates fit a float"
                )]
                millis(text).map(|ms| ms as f64)
            }),
            _ => None,
        }
    };
    match (a, b) {
        (Some(a), Some(b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_lowercase().cmp(&b.to_lowercase()),
        },
        (a, b) => a.cmp(&b),
    }
}

fn holds(state: &State, object: TypeId, record: &Record, values: &Values, filter: &Filter) -> bool {
    let property = match &filter.what {
        What::Property(property) => property,
        What::Linked(to) => {
            let linked = |wanted: &String| {
                wanted.parse().is_ok_and(|id| {
                    let ends = state.links_of((object, record.id), *to);
                    ends.is_some_and(|ends| ends.contains_key(&id))
                        && state.record(*to, id).is_some()
                })
            };
            let any = || state.linked((object, record.id), *to).next().is_some();
            return match &filter.test {
                Test::Equal(id, is) => linked(id) == *is,
                Test::In(ids, is) => ids.iter().any(linked) == *is,
                Test::Has(is) => any() == *is,
                _ => false,
            };
        }
    };
    let kind = property.kind.as_str();
    let value = values.get(&property.name).map(String::as_str);
    let lower_only =
        kind == "enumeration" && state.config.switches.enumerations_lower_case_in_search;
    let parts = |value: &str| -> Vec<String> {
        if property.is_multiple() {
            value.split(';').map(str::to_owned).collect()
        } else {
            vec![value.to_owned()]
        }
    };
    let equal = |wanted: &str| {
        let Some(value) = value else {
            return false;
        };
        match kind {
            "number" | "datetime" | "date" => {
                compare(kind, Some(value), Some(wanted)) == Ordering::Equal
            }
            _ => parts(value)
                .iter()
                .any(|part| part.eq_ignore_ascii_case(wanted)),
        }
    };
    let listed = |wanted: &String| {
        // §14 [MEM]
        !(lower_only && wanted.to_lowercase() != *wanted) && equal(wanted)
    };
    match &filter.test {
        Test::Equal(wanted, is) => equal(wanted) == *is,
        Test::Order(wanted, less, same) => {
            value.is_some_and(|value| match compare(kind, Some(value), Some(wanted)) {
                Ordering::Equal => *same,
                Ordering::Less => *less,
                Ordering::Greater => !*less,
            })
        }
        Test::Between(low, high) => value.is_some_and(|value| {
            compare(kind, Some(value), Some(low)) != Ordering::Less
                && compare(kind, Some(value), Some(high)) != Ordering::Greater
        }),
        Test::In(wanted, is) => value.is_some() && wanted.iter().any(listed) == *is,
        Test::Has(is) => value.is_some() == *is,
        Test::Token(wanted, is) => value.is_some_and(|value| has_token(value, wanted)) == *is,
    }
}

fn tokens(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// A word of the text, `*` at either end for any beginning or end.
fn has_token(text: &str, wanted: &str) -> bool {
    let inner = wanted.trim_matches('*').to_lowercase();
    let lower = text.to_lowercase();
    match (wanted.starts_with('*'), wanted.ends_with('*')) {
        (true, true) => lower.contains(&inner),
        (true, false) => tokens(text).iter().any(|word| word.ends_with(&inner)),
        (false, true) => tokens(text).iter().any(|word| word.starts_with(&inner)),
        (false, false) => {
            let (words, wanted) = (tokens(text), tokens(wanted));
            !wanted.is_empty() && words.windows(wanted.len()).any(|window| window == wanted)
        }
    }
}

fn has_words(state: &State, object: TypeId, values: &Values, words: &[String]) -> bool {
    let Some(of) = state.type_of(object) else {
        return false;
    };
    let texts: Vec<String> = of
        .searchable
        .iter()
        .filter_map(|name| values.get(name))
        .map(|text| text.to_lowercase())
        .collect();
    words
        .iter()
        .all(|word| texts.iter().any(|text| text.contains(word)))
}

fn sort(
    state: &State,
    object: TypeId,
    given: Option<&Value>,
) -> Result<Option<(String, String, bool)>, Failure> {
    let Some(given) = given else {
        return Ok(None);
    };
    let list = given
        .as_array()
        .ok_or_else(|| Failure::input("sorts: a list is expected"))?;
    // §14: one sort.
    if list.len() > 1 {
        return Err(Failure::validation("Only one sort is supported"));
    }
    let Some(first) = list.first() else {
        return Ok(None);
    };
    let (name, down) = match first {
        Value::String(name) => match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        },
        other => {
            let name = other
                .get("propertyName")
                .and_then(Value::as_str)
                .unwrap_or_default();
            (
                name,
                other.get("direction").and_then(Value::as_str) == Some("DESCENDING"),
            )
        }
    };
    let property = state.type_of(object).and_then(|of| of.properties.get(name));
    let property =
        property.ok_or_else(|| Failure::validation(format!("{name} cannot be sorted by")))?;
    Ok(Some((name.to_owned(), property.kind.clone(), down)))
}
