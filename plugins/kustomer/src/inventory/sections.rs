//! What each sort of setting says, line by line (pure; Kustomer facts §9.13).
//!
//! Every section takes the attributes it knows; what is left of a record is listed after them, as it is, so that an attribute
//! that no document names is not lost.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use transload_sdk::source::LinePart::{Action, Condition, Setting, Text, Trigger};

use super::words::{Lines, clock, duration, spaced};

/// Attributes that say nothing to whoever rebuilds something, or are said elsewhere on the item.
const ELSEWHERE: &[&str] = &[
    "name",
    "displayName",
    "display",
    "description",
    "createdAt",
    "updatedAt",
    "modifiedAt",
    "importedAt",
    "deletedAt",
    "rev",
    "enabled",
    "deleted",
    "appDisabled",
    "system",
];

/// One record's attributes, and which of them were said.
struct Said<'a> {
    attributes: &'a Map<String, Value>,
    said: BTreeSet<&'a str>,
}

impl<'a> Said<'a> {
    fn take(&mut self, name: &'a str) -> Option<&'a Value> {
        self.said.insert(name);
        let value = self.attributes.get(name)?;
        (!is_empty(value)).then_some(value)
    }

    fn text(&mut self, name: &'a str) -> Option<&'a str> {
        let text = self.attributes.get(name)?.as_str()?;
        self.said.insert(name);
        (!text.is_empty()).then_some(text)
    }

    fn number(&mut self, name: &'a str) -> Option<i64> {
        let number = self.attributes.get(name)?.as_i64()?;
        self.said.insert(name);
        Some(number)
    }

    fn flag(&mut self, name: &'a str) -> Option<bool> {
        let flag = self.attributes.get(name)?.as_bool()?;
        self.said.insert(name);
        Some(flag)
    }

    /// A member of an object that is said whole.
    fn rest(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.attributes.iter().filter(|(name, value)| {
            !self.said.contains(name.as_str())
                && !ELSEWHERE.contains(&name.as_str())
                && !is_empty(value)
        })
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Writes the lines of a record.
pub fn describe(lines: &mut Lines<'_>, section: &str, detail: &Value, along: &[Value]) {
    let none = Map::new();
    let object = |name: &str| detail.get(name).and_then(Value::as_object).unwrap_or(&none);
    let (attributes, related) = (object("attributes"), object("relationships"));
    let mut said = Said {
        attributes,
        said: BTreeSet::new(),
    };
    match section {
        "queue" => queue(lines, &mut said),
        "queue-rule" => queue_rule(lines, &mut said, related),
        "sla" => sla(lines, &mut said, along),
        "schedule" => schedule(lines, &mut said, along),
        "workflow" => workflow(lines, &mut said),
        "shortcut" => shortcut(lines, &mut said, related),
        "survey" => survey(lines, &mut said),
        "snooze" => snooze(lines, &mut said),
        "role-group" => roles(lines, &mut said),
        "sender" => {
            if let (Some(channel), Some(account)) = (said.text("channel"), said.text("account")) {
                lines.say(Setting, 0, format!("writes on {channel} as {account}"));
            }
        }
        "webhook" => webhook(lines, &mut said),
        "spam-sender" => {
            if let (Some(channel), Some(sender)) = (said.text("channel"), said.text("sender")) {
                let verb = match said.text("list") {
                    Some("allow") => "always lets in",
                    _ => "refuses",
                };
                lines.say(Action, 0, format!("{verb} {sender} on {channel}"));
            }
        }
        _ => {}
    }
    for (name, value) in said.rest() {
        match value {
            Value::Object(_) => lines.raw(
                Setting,
                0,
                format!("{}, as Kustomer has it", spaced(name)),
                value,
            ),
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                lines.raw(
                    Setting,
                    0,
                    format!("{}, as Kustomer has it", spaced(name)),
                    value,
                );
            }
            value => lines.settings(Setting, 0, &spaced(name), value),
        }
    }
}

/// Names of what a relationship points to.
fn pointed(lines: &mut Lines<'_>, related: &Map<String, Value>, name: &str) -> Vec<String> {
    let data = related.get(name).and_then(|relation| relation.get("data"));
    let all = match data {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let ids = all.iter().filter_map(|item| item.get("id"));
    ids.map(|id| lines.value(name, id)).collect()
}

fn queue(lines: &mut Lines<'_>, said: &mut Said<'_>) {
    if said.attributes.get("system").and_then(Value::as_bool) == Some(true) {
        lines.say(
            Setting,
            0,
            "the queue of everything that no rule sends elsewhere",
        );
    }
    if let Some(priority) = said.number("priority") {
        lines.say(Setting, 0, format!("rank {priority} among the queues"));
    }
    if let Some(size) = said.number("itemSize") {
        lines.say(
            Setting,
            0,
            format!("an item counts as {size} of an agent's capacity"),
        );
    }
    if let Some(restricted) = said.flag("restrictTransfersByUsers") {
        let words = match restricted {
            true => "agents cannot move items into it",
            false => "agents can move items into it",
        };
        lines.say(Setting, 0, words);
    }
}

fn queue_rule(lines: &mut Lines<'_>, said: &mut Said<'_>, related: &Map<String, Value>) {
    if let Some(order) = said.number("order") {
        lines.say(
            Setting,
            0,
            format!(
                "number {order} in the order of the rules; the first enabled one that fits counts"
            ),
        );
    }
    criteria(lines, said, "applies to everything that reaches it");
    let queues = pointed(lines, related, "queue");
    match queues.is_empty() {
        true => lines.say(Action, 0, "goes to no queue that is named"),
        false => lines.say(Action, 0, format!("goes to {}", queues.join(", "))),
    }
}

fn criteria(lines: &mut Lines<'_>, said: &mut Said<'_>, otherwise: &str) {
    let criteria = said.take("criteria");
    let empty = criteria.is_none_or(|criteria| match criteria {
        Value::Object(groups) => groups.values().all(is_empty),
        _ => false,
    });
    match criteria {
        Some(criteria) if !empty => lines.conditions(Condition, 0, criteria),
        _ => lines.say(Condition, 0, otherwise),
    }
}

fn sla(lines: &mut Lines<'_>, said: &mut Said<'_>, along: &[Value]) {
    let current = said.number("currentVersion");
    let version_of = |version: &&Value| {
        version
            .pointer("/attributes/version")
            .and_then(Value::as_i64)
    };
    let chosen = along
        .iter()
        .find(|version| current.is_some() && version_of(version) == current)
        .or_else(|| along.iter().max_by_key(version_of));
    let Some(version) = chosen.and_then(|version| version.get("attributes")?.as_object()) else {
        lines.say(
            Setting,
            0,
            "its versions, which hold targets and conditions, were not given",
        );
        return;
    };
    if along.len() > 1 {
        let number = version
            .get("version")
            .map(Value::to_string)
            .unwrap_or_default();
        lines.say(
            Setting,
            0,
            format!(
                "version {number} of {}, the current one; conversations keep the version they met",
                along.len()
            ),
        );
    }
    let mut said = Said {
        attributes: version,
        said: BTreeSet::from(["version"]),
    };
    criteria(lines, &mut said, "applies to every conversation");
    match said.text("hours") {
        Some("business") => lines.say(Setting, 0, "time counts in business hours"),
        Some("calendar") => lines.say(Setting, 0, "time counts around the clock"),
        Some(other) => lines.say(Setting, 0, format!("time counts by “{other}”")),
        None => {}
    }
    let metrics = said.take("metrics").and_then(Value::as_object);
    for (name, metric) in metrics.into_iter().flatten() {
        let title = match name.as_str() {
            "firstResponse" => "first response".to_owned(),
            "longestUnrespondedMessage" => "longest time without an answer".to_owned(),
            "totalConversationOpenTime" => "time open altogether".to_owned(),
            "totalCustomerWaitTime" => "time the customer waits altogether".to_owned(),
            other => spaced(other),
        };
        if metric.get("enabled").and_then(Value::as_bool) == Some(false) {
            lines.say(Setting, 0, format!("{title}: not promised"));
            continue;
        }
        let Some(times) = metric.get("times").and_then(Value::as_object) else {
            lines.raw(Action, 0, format!("promises {title}"), metric);
            continue;
        };
        lines.say(Action, 0, format!("promises {title} within"));
        // Priority 5 is the most urgent (Kustomer facts §13 item 16).
        let mut sorted: Vec<_> = times.iter().collect();
        sorted.sort_by(|a, b| b.0.cmp(a.0));
        for (priority, time) in sorted {
            match time.as_i64() {
                Some(ms) => lines.say(
                    Action,
                    1,
                    format!("{} at priority {priority}", duration(ms)),
                ),
                None => lines.raw(Action, 1, format!("at priority {priority}"), time),
            }
        }
        if !times.is_empty() {
            lines.say(Action, 1, "(priority 5 is the most urgent)");
        }
    }
    for (name, value) in said.rest() {
        lines.settings(Setting, 0, &spaced(name), value);
    }
}

/// Days by their key; 0 is taken for Sunday (Kustomer facts §9.13, a guess of ours).
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn schedule(lines: &mut Lines<'_>, said: &mut Said<'_>, along: &[Value]) {
    if let Some(zone) = said.text("timezone") {
        lines.say(Setting, 0, format!("time zone {zone}"));
    }
    if said.flag("default") == Some(true) {
        lines.say(Setting, 0, "the default schedule");
    }
    match said.take("hours") {
        Some(Value::Object(hours)) => {
            lines.say(
                Setting,
                0,
                "open, if day 0 is Sunday, which Kustomer does not document:",
            );
            for (key, spans) in hours {
                let day = key.parse::<usize>().ok().and_then(|day| DAYS.get(day));
                let day = day.copied().unwrap_or(key.as_str());
                match spans_in_words(spans) {
                    Some(words) => lines.say(Setting, 1, format!("{day}: {words}")),
                    None => lines.raw(Setting, 1, day, spans),
                }
            }
        }
        Some(other) => lines.raw(Setting, 0, "hours, in a form that is not known", other),
        None => lines.say(Setting, 0, "no hours are set"),
    }
    for holiday in along {
        let text = |name: &str| {
            let text = holiday.get("attributes")?.get(name)?.as_str()?;
            (!text.is_empty()).then_some(text)
        };
        let days = match (text("startDate"), text("endDate")) {
            (Some(start), Some(end)) if start != end => format!("{start} to {end}"),
            (Some(day), _) | (None, Some(day)) => day.to_owned(),
            (None, None) => "no day given".to_owned(),
        };
        let mut words = format!(
            "holiday {days}: {}",
            text("name").unwrap_or("without a name")
        );
        if let Some(description) = text("description") {
            words.push_str(&format!(" ({description})"));
        }
        if holiday
            .pointer("/attributes/enabled")
            .and_then(Value::as_bool)
            == Some(false)
        {
            words.push_str(", switched off");
        }
        lines.say(Setting, 0, words);
    }
}

/// `[[480,720],[780,1020]]` → `08:00 to 12:00, 13:00 to 17:00`.
fn spans_in_words(spans: &Value) -> Option<String> {
    let spans = match spans {
        Value::Null => return Some("closed".to_owned()),
        Value::Array(spans) if spans.is_empty() => return Some("closed".to_owned()),
        Value::Array(spans) => spans,
        _ => return None,
    };
    let mut words = Vec::new();
    for span in spans {
        let [from, to] = span.as_array()?.as_slice() else {
            return None;
        };
        let (from, to) = (from.as_i64()?, to.as_i64()?);
        if from < 0 || to < from {
            return None;
        }
        words.push(format!("{} to {}", clock(from), clock(to)));
    }
    Some(words.join(", "))
}

fn workflow(lines: &mut Lines<'_>, said: &mut Said<'_>) {
    // What sets it off stands where others have their description.
    if let Some(text) = said.text("description") {
        lines.say(Setting, 0, format!("meant to: {text}"));
    }
    let given = said.take("steps");
    let steps = given
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let order: Vec<&str> = steps
        .iter()
        .map(|step| step.get("id").and_then(Value::as_str).unwrap_or_default())
        .collect();
    match said.take("trigger") {
        Some(Value::Object(trigger)) => {
            for (name, value) in trigger {
                match (name.as_str(), value) {
                    ("eventName", Value::String(event)) => {
                        lines.say(Trigger, 0, format!("{} ({event})", event_words(event)));
                    }
                    ("callable", Value::Bool(true)) => {
                        lines.say(Trigger, 0, "called by other workflows");
                    }
                    ("callable", _) | ("id", _) => {}
                    ("transitions", Value::Array(transitions)) => {
                        for transition in transitions {
                            let target = target_words(transition, &order, steps);
                            match transition.get("condition").filter(|c| !is_always(c)) {
                                Some(condition) => {
                                    lines.say(Condition, 0, format!("{target} if"));
                                    lines.conditions(Condition, 1, condition);
                                }
                                None => lines.say(Condition, 0, format!("{target} always")),
                            }
                        }
                    }
                    ("criteria" | "condition", value) => lines.conditions(Condition, 0, value),
                    (_, value) if is_empty(value) => {}
                    (name, value @ (Value::Object(_) | Value::Array(_))) => {
                        lines.raw(Trigger, 0, spaced(name), value);
                    }
                    (name, value) => lines.settings(Trigger, 0, &spaced(name), value),
                }
            }
        }
        Some(other) => lines.raw(Trigger, 0, "set off in a form that is not known", other),
        None => lines.say(Trigger, 0, "nothing is said of what sets it off"),
    }
    let led_to = targets(said.attributes.get("trigger"), steps);
    for (at, step) in steps.iter().enumerate() {
        one_step(lines, at, step, &order, steps);
        let id = step.get("id").and_then(Value::as_str);
        if at > 0 && id.is_some_and(|id| !led_to.contains(id)) {
            lines.say(Action, 1, "no step leads here");
        }
    }
    match given {
        Some(other) if !other.is_array() => {
            lines.raw(Action, 0, "steps in a form that is not known", other);
        }
        _ if steps.is_empty() => lines.say(Action, 0, "it has no steps"),
        _ => {}
    }
}

/// Ids of the steps that something leads to.
fn targets<'a>(trigger: Option<&'a Value>, steps: &'a [Value]) -> BTreeSet<&'a str> {
    let all = trigger.into_iter().chain(steps);
    let transitions = all.filter_map(|from| from.get("transitions")?.as_array());
    let targets = transitions.flatten().filter_map(|transition| {
        let target = transition.get("target").or_else(|| transition.get("step"));
        target?.as_str()
    });
    targets.collect()
}

fn one_step(lines: &mut Lines<'_>, at: usize, step: &Value, order: &[&str], steps: &[Value]) {
    let Some(members) = step.as_object() else {
        lines.raw(
            Action,
            0,
            format!("{}. a step in a form that is not known", at + 1),
            step,
        );
        return;
    };
    lines.say(Action, 0, format!("{}. {}", at + 1, step_title(step)));
    for (name, value) in members {
        match (name.as_str(), value) {
            ("id" | "action" | "transitions" | "appVersion" | "type" | "meta", _) => {}
            ("name" | "label", _) => {}
            ("description", Value::String(text)) if !text.is_empty() => {
                lines.say(Action, 1, format!("meant to: {text}"));
            }
            ("params", params) => lines.settings(Action, 1, "", params),
            ("condition" | "criteria", condition) => {
                lines.say(Action, 1, "only if");
                lines.conditions(Action, 2, condition);
            }
            (_, value) if is_empty(value) => {}
            ("errorCases", value) => lines.raw(Action, 1, "when it fails", value),
            (name, value @ (Value::Object(_) | Value::Array(_))) => {
                lines.raw(Action, 1, spaced(name), value);
            }
            (name, value) => lines.settings(Action, 1, &spaced(name), value),
        }
    }
    let transitions = members.get("transitions").and_then(Value::as_array);
    let transitions = transitions.map(Vec::as_slice).unwrap_or_default();
    for transition in transitions {
        let target = target_words(transition, order, steps);
        match transition
            .get("condition")
            .filter(|condition| !is_always(condition))
        {
            Some(condition) => {
                lines.say(Action, 1, format!("then {target} if"));
                lines.conditions(Action, 2, condition);
            }
            None => lines.say(Action, 1, format!("then {target}")),
        }
    }
    if transitions.is_empty() {
        lines.say(Action, 1, "ends here");
    }
}

/// A condition that always holds, as workflows write it.
fn is_always(condition: &Value) -> bool {
    match condition {
        Value::Null | Value::Bool(true) => true,
        Value::Object(members) => {
            let op = members.get("op").and_then(Value::as_str);
            let values = members.get("values").and_then(Value::as_array);
            let values = values.map(Vec::as_slice).unwrap_or_default();
            match op {
                Some("true") => values.iter().all(|value| *value == Value::Bool(true)),
                Some("and") => values.iter().all(is_always),
                _ => members.is_empty(),
            }
        }
        _ => false,
    }
}

fn target_words(transition: &Value, order: &[&str], steps: &[Value]) -> String {
    let target = transition
        .get("target")
        .or_else(|| transition.get("step"))
        .and_then(Value::as_str);
    let Some(target) = target else {
        return format!("on to {transition}");
    };
    let at = order.iter().position(|id| !id.is_empty() && *id == target);
    match at.and_then(|at| Some((at, steps.get(at)?))) {
        Some((at, step)) => format!("on to {}. {}", at + 1, step_title(step)),
        None => format!("on to a step that is not there ({target})"),
    }
}

/// `kustomer.conversation.update` → `change the conversation (kustomer.conversation.update)`.
fn step_title(step: &Value) -> String {
    let text = |name: &str| {
        step.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let action = text("action").or_else(|| text("type"));
    let named = text("name").or_else(|| text("label"));
    let words = match action {
        Some(action) => action_words(action),
        None => "a step without an action".to_owned(),
    };
    match named {
        Some(name) => format!("“{name}”: {words}"),
        None => words,
    }
}

fn action_words(action: &str) -> String {
    let parts: Vec<&str> = action.split('.').collect();
    let words = match parts.as_slice() {
        ["kustomer", "rest-api", ..] => "call a web address".to_owned(),
        ["kustomer", "workflow", "call" | "invoke"] => "call another workflow".to_owned(),
        [app, object @ .., verb] if !object.is_empty() => {
            let object = object
                .iter()
                .map(|word| spaced(word))
                .collect::<Vec<_>>()
                .join(" ");
            let verb = match *verb {
                "create" => "make a",
                "update" => "change the",
                "delete" => "delete the",
                "get" | "find" | "lookup" => "look up the",
                "search" => "search for a",
                "send" => "send a",
                "wait" | "delay" => "wait for the",
                _ => return format!("step “{action}”"),
            };
            match *app {
                "kustomer" => format!("{verb} {object}"),
                app => format!("{verb} {object}, by the app “{app}”"),
            }
        }
        _ => return format!("step “{action}”"),
    };
    format!("{words} ({action})")
}

/// `kustomer.conversation.create` → `a conversation is made`.
fn event_words(event: &str) -> String {
    let parts: Vec<&str> = event.split('.').collect();
    match parts.as_slice() {
        ["kustomer", object, verb] => {
            let happens = match *verb {
                "create" => "is made",
                "update" => "changes",
                "delete" => "is deleted",
                "merge" => "is merged",
                _ => return "on the event".to_owned(),
            };
            format!("whenever a {} {happens}", spaced(object))
        }
        _ => "on the event".to_owned(),
    }
}

fn shortcut(lines: &mut Lines<'_>, said: &mut Said<'_>, related: &Map<String, Value>) {
    let category = pointed(lines, related, "parent");
    if !category.is_empty() {
        lines.say(Setting, 0, format!("filed under {}", category.join(", ")));
    }
    if said.flag("isPrivate") == Some(true) {
        let mut who = pointed(lines, related, "accessUsers");
        who.extend(pointed(lines, related, "accessTeams"));
        match who.is_empty() {
            true => lines.say(Setting, 0, "private"),
            false => lines.say(Setting, 0, format!("private, for {}", who.join(", "))),
        }
    }
    let draft = said.take("draft");
    let payload = said.take("payload");
    let text = draft
        .and_then(|draft| draft.get("text")?.as_str())
        .unwrap_or_default();
    let blocks: Vec<&str> = payload
        .and_then(|payload| payload.pointer("/text/blocks")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(|block| block.get("text")?.as_str())
        .collect();
    let rich = blocks.join("\n");
    let shown = if text.is_empty() { rich.as_str() } else { text };
    if !shown.is_empty() {
        lines.say(Text, 0, shown);
    }
    let entities = payload.and_then(|payload| payload.pointer("/text/entityMap"));
    if let Some(entities) = entities.filter(|entities| !is_empty(entities)) {
        lines.raw(
            Setting,
            0,
            "links, images and the like within the text",
            entities,
        );
    }
    let placeholders = between(shown, "{{", "}}");
    if !placeholders.is_empty() {
        lines.say(Setting, 0, format!("fills in {}", placeholders.join(", ")));
    }
    for snippet in between(shown, "[[", "]]") {
        lines.say(
            Setting,
            0,
            format!("takes in the snippet {snippet}, whose text Kustomer keeps elsewhere and does not list"),
        );
    }
    let files = related
        .get("attachments")
        .and_then(|files| files.get("data")?.as_array());
    if let Some(files) = files.filter(|files| !files.is_empty()) {
        lines.say(Setting, 0, format!("carries {} files", files.len()));
    }
    let Some(Value::Object(conversation)) = said.take("conversation") else {
        return;
    };
    for (name, value) in conversation {
        match (name.as_str(), value) {
            (_, value) if is_empty(value) => {}
            ("name", value) => {
                let words = lines.value("name", value);
                lines.say(
                    Action,
                    0,
                    format!("gives the conversation the subject {words}"),
                );
            }
            ("tags", value) => tags(lines, value),
            ("custom", Value::Object(custom)) => {
                for (name, value) in custom {
                    let subject = lines.custom("conversation", name, "conversation");
                    let words = lines.value(name, value);
                    lines.say(Action, 0, format!("sets {subject} to {words}"));
                }
            }
            (name, value) => {
                let words = lines.value(name, value);
                lines.say(
                    Action,
                    0,
                    format!("sets the {} of the conversation to {words}", spaced(name)),
                );
            }
        }
    }
}

/// `{"operator":"add","value":[…]}`
fn tags(lines: &mut Lines<'_>, tags: &Value) {
    let operator = tags.get("operator").and_then(Value::as_str);
    let verb = match operator {
        Some("add") => "adds",
        Some("remove") => "takes off",
        Some("set" | "replace") | None => "replaces all tags by",
        Some(_) => {
            lines.raw(Action, 0, "does something to the tags", tags);
            return;
        }
    };
    let value = tags.get("value").unwrap_or(tags);
    if is_empty(value) {
        return;
    }
    let words = lines.value("tags", value);
    lines.say(Action, 0, format!("{verb} {words}"));
}

/// What stands between two marks, each once, with its marks.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let from = rest.get(start..).unwrap_or_default();
        let Some(end) = from.find(close) else {
            break;
        };
        let whole = from.get(..end + close.len()).unwrap_or_default();
        if !found.contains(&whole) {
            found.push(whole);
        }
        rest = from.get(end + close.len()..).unwrap_or_default();
    }
    found
}

fn survey(lines: &mut Lines<'_>, said: &mut Said<'_>) {
    said.take("formType");
    let channel = said.text("channel");
    let from = said
        .take("from")
        .and_then(|from| from.get("account")?.as_str());
    let sender = from.map(|from| format!(" from {from}")).unwrap_or_default();
    let delay = said.number("delayTime");
    // The unit is not documented; milliseconds as in SLAs.
    let when = match delay {
        Some(0) | None => String::new(),
        Some(ms) => format!(
            ", {} after the conversation was finished, if that is milliseconds",
            duration(ms)
        ),
    };
    lines.say(
        Trigger,
        0,
        format!("sent on {}{sender}{when}", channel.unwrap_or("any channel")),
    );
    criteria(lines, said, "asked of everybody");
    match said.take("scale") {
        Some(Value::Object(scale)) => {
            let text = |name: &str| {
                scale
                    .get(name)
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty())
            };
            let options = scale.get("options").map(Value::to_string);
            let mut words = format!(
                "a scale of {} {}",
                options.as_deref().unwrap_or("?"),
                match text("type") {
                    Some("number") => "numbers",
                    Some("emoji") => "faces",
                    Some("star" | "stars") => "stars",
                    Some("thumbs") => "thumbs",
                    Some(other) => other,
                    None => "steps",
                }
            );
            if let (Some(low), Some(high)) = (text("labelLow"), text("labelHigh")) {
                words.push_str(&format!(", from “{low}” to “{high}”"));
            }
            lines.say(Setting, 0, words);
        }
        Some(other) => lines.raw(Setting, 0, "a scale in a form that is not known", other),
        None => {}
    }
    for (name, title) in [
        ("introduction", "introduction"),
        ("ratingPrompt", "asks for the rating with"),
        ("followUpType", "follow-up questions"),
    ] {
        if let Some(text) = said.text(name) {
            lines.say(Setting, 0, format!("{title}: “{text}”"));
        }
    }
    for (name, title) in [
        ("questions", "asked after any rating"),
        ("positiveQuestions", "asked after a good rating"),
        ("negativeQuestions", "asked after a bad rating"),
        ("allQuestions", "asked after every rating"),
    ] {
        let Some(Value::Array(questions)) = said.take(name) else {
            continue;
        };
        lines.say(Setting, 0, format!("{title}:"));
        for question in questions {
            let text = match question {
                Value::String(text) => Some(text.as_str()),
                Value::Object(members) => ["prompt", "question", "label", "text", "name"]
                    .iter()
                    .find_map(|key| members.get(*key)?.as_str()),
                _ => None,
            };
            let plain = question
                .as_object()
                .is_none_or(|members| members.len() == 1);
            match text {
                Some(text) if plain => lines.say(Setting, 1, format!("“{text}”")),
                Some(text) => lines.raw(Setting, 1, format!("“{text}”"), question),
                None => lines.raw(
                    Setting,
                    1,
                    "a question in a form that is not known",
                    question,
                ),
            }
        }
    }
}

fn snooze(lines: &mut Lines<'_>, said: &mut Said<'_>) {
    let kind = said.text("type");
    let value = said.take("value");
    match (kind, value) {
        (Some("relative"), Some(value)) if value.is_i64() || value.is_u64() => {
            lines.say(
                Setting,
                0,
                format!("for {}", duration(value.as_i64().unwrap_or(0))),
            );
        }
        (Some("dynamic"), Some(Value::Object(when))) => {
            let day = when.get("day").and_then(Value::as_u64);
            let day = day.and_then(|day| DAYS.get(usize::try_from(day).ok()?));
            let time = when.get("time").and_then(Value::as_i64);
            match (day, time) {
                (Some(day), Some(minutes)) if (0..1_440).contains(&minutes) => lines.say(
                    Setting,
                    0,
                    format!(
                        "until the next {day} at {}, if day 0 is Sunday",
                        clock(minutes)
                    ),
                ),
                _ => lines.raw(
                    Setting,
                    0,
                    "until a day and time",
                    &Value::Object(when.clone()),
                ),
            }
        }
        (Some("absolute"), Some(value)) if value.is_i64() => {
            let at = value.as_i64().unwrap_or(0);
            let words = crate::time::format(at);
            lines.say(Setting, 0, format!("until {words}"));
        }
        (kind, Some(value)) => {
            lines.raw(
                Setting,
                0,
                format!("a time of the type “{}”", kind.unwrap_or("?")),
                value,
            );
        }
        (_, None) => lines.say(Setting, 0, "no time is set"),
    }
}

fn roles(lines: &mut Lines<'_>, said: &mut Said<'_>) {
    let Some(Value::Array(roles)) = said.take("roles") else {
        return;
    };
    lines.say(Setting, 0, "may:");
    for role in roles {
        match role.as_str() {
            Some(role) => lines.say(Setting, 1, role),
            None => lines.raw(Setting, 1, "a role in a form that is not known", role),
        }
    }
}

fn webhook(lines: &mut Lines<'_>, said: &mut Said<'_>) {
    match said.take("events") {
        Some(Value::Array(events)) => {
            for event in events {
                match event.as_str() {
                    Some(event) => lines.say(Trigger, 0, format!("{event} happens")),
                    None => lines.raw(Trigger, 0, "an event in a form that is not known", event),
                }
            }
        }
        Some(other) => lines.raw(Trigger, 0, "events in a form that is not known", other),
        None => {}
    }
    if let Some(url) = said.text("url") {
        // Whoever knows the rest may call it.
        let (shown, cut) = match url.split_once(['?', '#']) {
            Some((shown, _)) => (shown, true),
            None => (url, false),
        };
        let shown = match (shown.split_once("://"), shown.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => shown.to_owned(),
        };
        let more = if cut {
            ", with a query that is kept out of this document"
        } else {
            ""
        };
        lines.say(Action, 0, format!("tells {shown}{more}"));
    }
}
