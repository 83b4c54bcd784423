//! What may be changed in a record that was there before (rule M-7), and how values are compared across a platform's ways of
//! writing them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::destination::{Candidate, Item, MatchKey, MatchPolicy, MatchResult};
use crate::types::{Agent, Entity};
use crate::{Context, effects, items, people, time};

/// A record that an item may be, as far as it tells whose it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// The marker that it carries, or another external id; empty where it has none.
    pub marker: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whether it is, or shares its address with, one of the staff.
    pub staff: bool,
    /// Whether another candidate of the item was found before.
    pub several: bool,
    /// By what it was found.
    pub by: MatchKey,
}

/// Why a record that was found may be somebody else; nobody is fused with such a one (rule M-7).
pub fn doubt(cx: &Context, item: &Item, found: &Found<'_>) -> Option<&'static str> {
    let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
    let other = found.marker.to_lowercase();
    let of_source = other.starts_with(&cx.marker_prefix().to_lowercase());
    let name = match &item.entry().data {
        Entity::Customer(customer) => people::customer_name(item.entry(), customer),
        _ => String::new(),
    };
    if found.staff {
        Some("a customer with what belongs to one of the staff")
    } else if of_source && other != item.marker.to_lowercase() {
        Some("it is another record of the source")
    } else if found.several {
        Some("several records may be it")
    } else if found.by == MatchKey::Phone && !same(found.name, &name) {
        Some("the same number, and another name")
    } else {
        None
    }
}

/// Candidates by the key of their item.
pub type Candidates = BTreeMap<String, Vec<Candidate>>;

/// Adds a record that was found to an item's candidates, with what is doubtful of it; one that is among them is left as it was found
/// first. `several` of `there` is seen here. `before` is the record as it was found.
pub fn add_candidate(
    cx: &Context,
    found: &mut Candidates,
    item: &Item,
    there: Found<'_>,
    id: impl Into<String>,
    before: String,
) {
    let target_id = id.into();
    let list = found.entry(item.key.clone()).or_default();
    if list.iter().any(|known| known.target_id == target_id) {
        return;
    }
    let there = Found {
        several: !list.is_empty(),
        ..there
    };
    list.push(Candidate {
        target_id,
        by: there.by,
        before,
        doubtful: doubt(cx, item, &there).map(str::to_owned),
    });
}

/// Agents by their e-mail address: `find` gives the id of the one of the account who has it, and that one as it is.
pub fn agents_by_email(
    items: &[Item],
    find: impl Fn(&str) -> Option<(String, String)>,
) -> Candidates {
    let candidate = |(item, agent): (&Item, &Agent)| {
        let (target_id, before) = find(&people::email(agent.email.as_deref()?)?)?;
        let one = Candidate {
            target_id,
            by: MatchKey::Email,
            before,
            doubtful: None,
        };
        Some((item.key.clone(), vec![one]))
    };
    items::of::<Agent>(items).filter_map(candidate).collect()
}

/// What was found for each item, by its key: an item without candidates has none.
pub fn match_results(items: &[Item], found: &Candidates) -> Vec<MatchResult> {
    let result = |item: &Item| MatchResult {
        item: item.key.clone(),
        candidates: found.get(&item.key).cloned().unwrap_or_default(),
    };
    items.iter().map(result).collect()
}

/// A change to a record that was there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    /// What becomes of it, by attribute.
    pub wanted: Map<String, Value>,
    /// What was there, by the same attributes: the before-image. What was empty is null.
    pub before: Map<String, Value>,
}

/// What of the wanted attributes is to be changed in a record: nothing where it is to be left; what is empty there; or all that
/// differs.
pub fn changes(policy: MatchPolicy, wanted: &Map<String, Value>, there: &Value) -> Change {
    let mut change = Change::default();
    for (name, value) in wanted {
        let was = there.get(name).unwrap_or(&Value::Null);
        let allowed = match policy {
            MatchPolicy::Leave => false,
            MatchPolicy::FillEmpty => is_empty(was),
            MatchPolicy::SourceWins => true,
        };
        if allowed && canonical(was) != canonical(value) {
            change.wanted.insert(name.clone(), value.clone());
            change.before.insert(name.clone(), was.clone());
        }
    }
    change
}

/// Takes out of what is wanted of an object that we wrote what somebody changed there since, by its recorded print and its facets
/// now (rule D-11); whether there was any.
pub fn leave_theirs(
    wanted: &mut Map<String, Value>,
    recorded: Option<&str>,
    now: &[(String, String)],
) -> bool {
    let theirs = effects::changed(recorded.unwrap_or_default(), now);
    let all = wanted.len();
    wanted.retain(|name, _| !theirs.contains(name));
    wanted.len() < all
}

/// What is sought: items that nothing was found of yet, each with the values that it is sought by; and all those values. `of` gives
/// an item's.
pub fn sought<'i>(
    items: &'i [Item],
    found: &Candidates,
    of: impl Fn(&Item) -> BTreeSet<String>,
) -> (Vec<(&'i Item, BTreeSet<String>)>, BTreeSet<String>) {
    let open = items.iter().filter(|item| !found.contains_key(&item.key));
    let open = open.map(|item| (item, of(item)));
    let open: Vec<_> = open.filter(|(_, values)| !values.is_empty()).collect();
    let values = open.iter().flat_map(|(_, values)| values.iter().cloned());
    let values = values.collect();
    (open, values)
}

/// Whether a value says nothing.
pub fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_str().is_some_and(str::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether an object has these values, those of objects in it included.
pub fn holds(object: &Value, wanted: &Map<String, Value>) -> bool {
    wanted.iter().all(|(name, value)| {
        let there = object.get(name).unwrap_or(&Value::Null);
        match value {
            Value::Object(fields) => holds(there, fields),
            value => canonical(there) == canonical(value),
        }
    })
}

/// A value without the differences between what is sent and what comes back: digits behind a point, the offset of a time, a
/// day written as its midnight, the order of a list.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => canonical_text(text),
        Value::Number(number) if number.is_f64() => number
            .as_f64()
            .map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::Array(list) => {
            let mut list: Vec<String> = list.iter().map(canonical).collect();
            list.sort();
            list.join(",")
        }
        other => other.to_string(),
    }
}

fn canonical_text(text: &str) -> String {
    let decimal = |text: &str| match text.parse::<f64>() {
        Ok(number) if text.contains('.') => Some(number.to_string()),
        _ => None,
    };
    decimal(text)
        .or_else(|| moment(text))
        .unwrap_or_else(|| text.strip_suffix("T00:00:00Z").unwrap_or(text).to_owned())
}

/// A time in UTC; a midnight as its day.
fn moment(text: &str) -> Option<String> {
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    // Some write an offset without its colon: `+0000`.
    let with_colon = text
        .split_at_checked(text.len().saturating_sub(5))
        .filter(|(_, offset)| offset.starts_with(['+', '-']))
        .and_then(|(time, offset)| {
            Some(format!("{time}{}:{}", offset.get(..3)?, offset.get(3..)?))
        });
    let (moment, _) = time::parse_lossy(with_colon.as_deref().unwrap_or(text))?;
    let utc = time::format_utc(moment.at)?;
    Some(utc.strip_suffix("T00:00:00Z").unwrap_or(&utc).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_policy_leaves_fills_or_overwrites_and_keeps_what_was_there() {
        let there = json!({"name": "Ana", "phone": "", "tier": null, "city": "Bern"});
        let wanted =
            wanted(json!({"name": "Anna", "phone": "+41", "tier": "gold", "city": "Bern"}));
        let of = |policy| changes(policy, &wanted, &there);
        assert_eq!(of(MatchPolicy::Leave), Change::default());
        let filled = of(MatchPolicy::FillEmpty);
        assert_eq!(
            Value::Object(filled.wanted),
            json!({"phone": "+41", "tier": "gold"})
        );
        assert_eq!(
            Value::Object(filled.before),
            json!({"phone": "", "tier": null})
        );
        let all = of(MatchPolicy::SourceWins);
        assert_eq!(
            Value::Object(all.before),
            json!({"name": "Ana", "phone": "", "tier": null})
        );
    }

    #[test]
    fn a_second_candidate_is_doubtful_and_the_same_one_is_no_second() {
        let harness = crate::testing::Harness::scripted([]);
        let item = crate::testing::items::customer("c1", vec![], crate::types::Customer::empty());
        let there = Found {
            marker: "",
            name: "Ana",
            staff: false,
            several: false,
            by: MatchKey::Email,
        };
        let mut found = Candidates::new();
        for id in ["7", "7", "8"] {
            add_candidate(
                &harness.context(),
                &mut found,
                &item,
                there,
                id,
                String::new(),
            );
        }
        let ids = |c: &Candidate| (c.target_id.clone(), c.doubtful.is_some());
        let of_item: Vec<_> = found["customer:c1"].iter().map(ids).collect();
        assert_eq!(of_item, [("7".to_owned(), false), ("8".to_owned(), true)]);
    }

    #[test]
    fn values_are_compared_without_how_they_are_written() {
        for (one, other) in [
            (json!("64.670"), json!("64.67")),
            (json!(7.0), json!(7)),
            (
                json!("2024-01-01T12:00:00Z"),
                json!("2024-01-01T12:00:00.000+0000"),
            ),
            (
                json!("2024-01-01T14:00:00+02:00"),
                json!("2024-01-01T12:00:00Z"),
            ),
            (json!("2024-01-01T00:00:00Z"), json!("2024-01-01")),
            (json!(["b", "a"]), json!(["a", "b"])),
            (json!(null), json!("")),
        ] {
            assert_eq!(canonical(&one), canonical(&other));
        }
        assert_ne!(canonical(&json!("07")), canonical(&json!("7")));
    }

    #[test]
    fn agents_are_known_by_their_address_in_any_case() {
        let agent = |id: &str, email: &str| {
            crate::testing::items::agent(id, "Dana", email, Vec::new(), Vec::new())
        };
        let items = [
            agent("1", " Dana@Acme.example"),
            agent("2", "bo@acme.example"),
        ];
        let found = agents_by_email(&items, |email| {
            (email == "dana@acme.example").then(|| ("7".to_owned(), "{}".to_owned()))
        });
        assert_eq!(found.len(), 1);
        let one = &found["agent:1"][0];
        assert_eq!((one.target_id.as_str(), one.by), ("7", MatchKey::Email));
    }
}
