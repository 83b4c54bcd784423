//! Conditions, actions and values as sentences (pure).
//!
//! Kustomer writes conditions in two forms: criteria, `{"and":[{"conversation_channel":{"operator":"equals","value":"email"}}]}`
//! (Kustomer facts §8, §9.13), and in workflows operations, `{"op":"eq","values":["/#steps.1.attributes.x","done"]}`. Neither has
//! a complete public list of operators (§14), so whatever is not known here is shown as it is, with what is known around it:
//! nothing is dropped and nothing is guessed.

use serde_json::{Map, Value};
use transload_sdk::source::{InventoryLine, LinePart};
use transload_sdk::types::{Kind, Reference};

use super::names::Names;

/// Deeper than this, what is nested is shown as it is.
const DEEPEST: u8 = 12;

/// Lines being written.
#[derive(Debug)]
pub struct Lines<'a> {
    names: &'a Names,
    lines: Vec<InventoryLine>,
    uses: Vec<Reference>,
}

impl<'a> Lines<'a> {
    /// None yet.
    pub fn new(names: &'a Names) -> Self {
        Self {
            names,
            lines: Vec::new(),
            uses: Vec::new(),
        }
    }

    /// What was written, and what it refers to, each once.
    pub fn done(self) -> (Vec<InventoryLine>, Vec<Reference>) {
        (self.lines, self.uses)
    }

    /// A sentence.
    pub fn say(&mut self, part: LinePart, depth: u8, words: impl Into<String>) {
        self.lines.push(InventoryLine {
            part,
            depth,
            words: words.into(),
            raw: None,
        });
    }

    /// What there are no words for.
    pub fn raw(&mut self, part: LinePart, depth: u8, words: impl Into<String>, value: &Value) {
        let raw = Some(without_secrets(value).to_string());
        self.lines.push(InventoryLine {
            part,
            depth,
            words: words.into(),
            raw,
        });
    }

    /// Notes that something is worked with.
    pub fn uses(&mut self, reference: Reference) {
        if !self.uses.contains(&reference) {
            self.uses.push(reference);
        }
    }

    /// Conditions in whatever form.
    pub fn conditions(&mut self, part: LinePart, depth: u8, value: &Value) {
        if depth > DEEPEST {
            self.raw(part, depth, "nested further", value);
            return;
        }
        match value {
            Value::Null => {}
            Value::Array(items) => self.group(part, depth, "all of these hold", items),
            Value::Object(members) => self.condition_object(part, depth, members, value),
            Value::Bool(true) => self.say(part, depth, "always"),
            Value::Bool(false) => self.say(part, depth, "never"),
            other => self.raw(
                part,
                depth,
                "a condition in a form that is not known",
                other,
            ),
        }
    }

    fn condition_object(
        &mut self,
        part: LinePart,
        depth: u8,
        members: &Map<String, Value>,
        whole: &Value,
    ) {
        if let Some(op) = members.get("op").and_then(Value::as_str) {
            self.operation(part, depth, op, members, whole);
            return;
        }
        for (name, value) in members {
            let heading = match name.as_str() {
                "and" | "all" => "all of these hold",
                "or" | "any" => "at least one of these holds",
                "not" | "none" => "none of these holds",
                _ => {
                    self.criterion(part, depth, name, value);
                    continue;
                }
            };
            match value {
                Value::Array(items) => self.group(part, depth, heading, items),
                Value::Null => {}
                one => {
                    let negated = heading.starts_with("none");
                    let inner = if negated { depth + 1 } else { depth };
                    if negated {
                        self.say(part, depth, "this does not hold:");
                    }
                    self.conditions(part, inner, one);
                }
            }
        }
    }

    /// Several conditions together. One alone needs no heading, unless it is negated.
    fn group(&mut self, part: LinePart, depth: u8, heading: &str, items: &[Value]) {
        let alone = items.len() == 1 && !heading.starts_with("none");
        if items.is_empty() {
            return;
        }
        if !alone {
            self.say(part, depth, format!("{heading}:"));
        }
        let inner = if alone { depth } else { depth + 1 };
        for item in items {
            self.conditions(part, inner, item);
        }
    }

    /// `conversation_channel`: `{"operator":"equals","value":"email"}`, or `{"equals":"email"}`.
    fn criterion(&mut self, part: LinePart, depth: u8, name: &str, test: &Value) {
        let subject = self.attribute(name);
        let Value::Object(members) = test else {
            let value = self.value(name, test);
            self.say(
                part,
                depth,
                format!("{subject} {} {value}", Verb::of(name).is()),
            );
            return;
        };
        if let Some(operator) = members.get("operator").and_then(Value::as_str) {
            let unknown: Vec<&str> = members
                .keys()
                .map(String::as_str)
                .filter(|key| !["operator", "value", "values"].contains(key))
                .collect();
            let value = members.get("value").or_else(|| members.get("values"));
            match self.test(name, &Verb::of(name), operator, value) {
                Some(words) if unknown.is_empty() => {
                    self.say(part, depth, format!("{subject} {words}"));
                }
                Some(words) => {
                    let also = format!("{subject} {words}, with more that is not known");
                    self.raw(part, depth, also, test);
                }
                None => {
                    let words = format!("{subject}: a test “{operator}” that is not known");
                    self.raw(part, depth, words, test);
                }
            }
            return;
        }
        for (operator, value) in members {
            match self.test(name, &Verb::of(name), operator, Some(value)) {
                Some(words) => self.say(part, depth, format!("{subject} {words}")),
                None => {
                    let words = format!("{subject}: a test “{operator}” that is not known");
                    self.raw(part, depth, words, test);
                }
            }
        }
        if members.is_empty() {
            self.raw(part, depth, format!("{subject}: no test"), test);
        }
    }

    /// An operator with its value in words; `None` if it is not known.
    fn test(
        &mut self,
        name: &str,
        verb: &Verb,
        operator: &str,
        value: Option<&Value>,
    ) -> Option<String> {
        let plain: String = operator
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        let when = name.ends_with("_at") || name.ends_with("At");
        let phrase = match plain.as_str() {
            "set" | "isset" | "exists" | "isnotempty" => return Some(format!("{} set", verb.is())),
            "notset" | "isnotset" | "notexists" | "isempty" => {
                return Some(format!("{} not set", verb.is()));
            }
            "true" | "istrue" => return Some(format!("{} true", verb.is())),
            "false" | "isfalse" => return Some(format!("{} false", verb.is())),
            "equals" | "equal" | "eq" | "is" => verb.is().to_owned(),
            "notequals" | "notequal" | "neq" | "ne" | "isnot" | "doesnotequal" => {
                format!("{} not", verb.is())
            }
            "contains" | "includes" => verb.contains().to_owned(),
            "notcontains" | "doesnotcontain" | "excludes" => format!("{} not contain", verb.does()),
            "containsany" | "containsanyof" | "containsone" => {
                format!("{} at least one of", verb.contains())
            }
            "containsall" | "containsallof" => format!("{} all of", verb.contains()),
            "in" | "isoneof" | "oneof" | "isanyof" => format!("{} one of", verb.is()),
            "notin" | "nin" | "isnotoneof" | "noneof" => format!("{} none of", verb.is()),
            "startswith" | "beginswith" => format!("{} with", verb.word("begins", "begin")),
            "endswith" => format!("{} with", verb.word("ends", "end")),
            "gt" | "greaterthan" | "after" if when => format!("{} after", verb.is()),
            "gte" | "greaterthanorequal" if when => format!("{} at or after", verb.is()),
            "lt" | "lessthan" | "before" if when => format!("{} before", verb.is()),
            "lte" | "lessthanorequal" if when => format!("{} at or before", verb.is()),
            "gt" | "greaterthan" => format!("{} more than", verb.is()),
            "gte" | "greaterthanorequal" => format!("{} at least", verb.is()),
            "lt" | "lessthan" => format!("{} less than", verb.is()),
            "lte" | "lessthanorequal" => format!("{} at most", verb.is()),
            _ => return None,
        };
        let value = match value {
            Some(value) => self.value(name, value),
            None => "(no value)".to_owned(),
        };
        Some(format!("{phrase} {value}"))
    }

    /// A workflow's `{"op":"eq","values":[a, b]}`.
    fn operation(
        &mut self,
        part: LinePart,
        depth: u8,
        op: &str,
        members: &Map<String, Value>,
        whole: &Value,
    ) {
        let values = match members.get("values") {
            Some(Value::Array(values)) => values.as_slice(),
            _ => &[],
        };
        let further = members
            .keys()
            .any(|key| key != "op" && key != "values" && key != "meta");
        match (op, values) {
            _ if further => {
                self.raw(
                    part,
                    depth,
                    "a condition in a form that is not known",
                    whole,
                );
            }
            ("and", values) if !values.is_empty() => {
                self.group(part, depth, "all of these hold", values);
            }
            ("or", values) if !values.is_empty() => {
                self.group(part, depth, "at least one of these holds", values);
            }
            ("not", values) if !values.is_empty() => {
                self.group(part, depth, "none of these holds", values);
            }
            ("true", [] | [Value::Bool(true)]) => self.say(part, depth, "always"),
            ("true", [one]) => {
                let subject = self.operand("", one);
                self.say(part, depth, format!("{subject} is true"));
            }
            ("false", [one]) => {
                let subject = self.operand("", one);
                self.say(part, depth, format!("{subject} is false"));
            }
            (op, [one]) => {
                let subject = self.operand("", one);
                match self.test("", &Verb::One, op, None) {
                    Some(words) if !words.ends_with("(no value)") => {
                        self.say(part, depth, format!("{subject} {words}"));
                    }
                    _ => self.raw(
                        part,
                        depth,
                        format!("{subject}: a test “{op}” that is not known"),
                        whole,
                    ),
                }
            }
            (op, [left, right]) => {
                let subject = self.operand("", left);
                let last = left.as_str().and_then(|path| path.rsplit('.').next());
                match self.test(last.unwrap_or_default(), &Verb::One, op, Some(right)) {
                    Some(words) => self.say(part, depth, format!("{subject} {words}")),
                    None => self.raw(
                        part,
                        depth,
                        format!("{subject}: a test “{op}” that is not known"),
                        whole,
                    ),
                }
            }
            _ => self.raw(
                part,
                depth,
                "a condition in a form that is not known",
                whole,
            ),
        }
    }

    fn operand(&mut self, name: &str, value: &Value) -> String {
        self.value(name, value)
    }

    /// What a criterion is about: `the channels of the conversation`.
    pub fn attribute(&mut self, name: &str) -> String {
        for (prefix, resource) in [
            ("conversation_", "conversation"),
            ("customer_", "customer"),
            ("company_", "company"),
            ("message_", "message"),
            ("note_", "note"),
            ("kobject_", "kobject"),
        ] {
            let Some(rest) = name.strip_prefix(prefix) else {
                continue;
            };
            let owner = if resource == "kobject" {
                "custom object"
            } else {
                resource
            };
            let Some(custom) = rest.strip_prefix("custom_") else {
                return match rest.strip_suffix("_at") {
                    Some(what) => format!("the time “{}” of the {owner}", spaced(what)),
                    None => format!("the {} of the {owner}", spaced(rest)),
                };
            };
            if resource == "kobject" {
                return match self
                    .names
                    .klass(custom)
                    .map(|(k, n)| (k.to_owned(), n.to_owned()))
                {
                    Some((klass, name)) => {
                        let of = format!("kobject.{klass}");
                        self.custom(&of, &name, &format!("custom object “{klass}”"))
                    }
                    None => format!("the attribute {custom} of a custom object"),
                };
            }
            return self.custom(resource, custom, owner);
        }
        match name {
            "" => "it".to_owned(),
            other => format!("“{other}”"),
        }
    }

    /// A custom attribute by its label and name.
    pub fn custom(&mut self, resource: &str, name: &str, owner: &str) -> String {
        if let Some(field) = self.names.field(resource, name) {
            self.uses(field);
        }
        match self.names.label(resource, name) {
            Some(label) if label != name => {
                format!("the attribute “{label}” ({name}) of the {owner}")
            }
            _ => format!("the attribute {name} of the {owner}"),
        }
    }

    /// A value for a person: ids by name, lists joined, what is computed named as that.
    pub fn value(&mut self, name: &str, value: &Value) -> String {
        match value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Value::Number(number) if name.ends_with("priority") => {
                format!("{number} (of 1 to 5, 5 the most urgent)")
            }
            Value::Number(number) => number.to_string(),
            Value::String(text) => self.text(name, text),
            Value::Array(items) if items.is_empty() => "nothing".to_owned(),
            Value::Array(items) => {
                let words: Vec<String> = items.iter().map(|item| self.value(name, item)).collect();
                words.join(", ")
            }
            Value::Object(_) => without_secrets(value).to_string(),
        }
    }

    fn text(&mut self, name: &str, text: &str) -> String {
        if let Some(path) = text.strip_prefix("/#") {
            return format!("the value of {}", path.trim_start_matches(['/', '.']));
        }
        if let Some(words) = self.names.words(text) {
            if let Some(reference) = self.names.reference(text) {
                self.uses(reference);
            }
            return words;
        }
        if name.ends_with("tags")
            && let Some(tag) = self.names.tag(text)
        {
            self.uses(tag);
            return format!("tag “{text}”");
        }
        let is_id = text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match is_id {
            true => format!("{text} (an id that nothing listed has)"),
            false => format!("“{text}”"),
        }
    }

    /// Values that something is set to, one a line: members of objects by their path.
    pub fn settings(&mut self, part: LinePart, depth: u8, path: &str, value: &Value) {
        if depth > DEEPEST {
            self.raw(part, depth, path, value);
            return;
        }
        match value {
            // `{"operator":"add","value":[…]}`: what is done to a list.
            Value::Object(members)
                if members.len() == 2 && !path.is_empty() && members.contains_key("value") =>
            {
                let operator = members.get("operator").and_then(Value::as_str);
                let (Some(operator), Some(inner)) = (operator, members.get("value")) else {
                    self.raw(part, depth, path, value);
                    return;
                };
                let last = path.rsplit('.').next().unwrap_or(path);
                let words = self.value(last, inner);
                self.say(part, depth, format!("{path}: {operator} {words}"));
            }
            Value::Object(members) if !members.is_empty() => {
                for (name, inner) in members {
                    if is_secret(name) && !inner.is_object() {
                        self.say(
                            part,
                            depth,
                            format!("{}: (kept out of this document)", join(path, name)),
                        );
                        continue;
                    }
                    self.settings(part, depth, &join(path, name), inner);
                }
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                for (at, item) in items.iter().enumerate() {
                    self.settings(part, depth, &format!("{path}[{}]", at + 1), item);
                }
            }
            value => {
                let custom = path.rsplit_once("custom.").map(|(_, name)| name);
                let resource = ["conversation", "customer", "company", "message"];
                let owner = resource
                    .iter()
                    .find(|r| custom.is_some_and(|name| self.names.label(r, name).is_some()));
                let subject = match (custom, owner) {
                    (Some(name), Some(owner)) => {
                        let (name, owner) = (name.to_owned(), (*owner).to_owned());
                        self.custom(&owner, &name, &owner)
                    }
                    _ => path.to_owned(),
                };
                let last = path.rsplit('.').next().unwrap_or(path);
                let words = self.value(last, value);
                self.say(part, depth, format!("{subject}: {words}"));
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// How a subject takes its verb: settings are named in the plural where there may be many.
enum Verb {
    One,
    Many,
}

impl Verb {
    fn of(name: &str) -> Self {
        let many = name.ends_with('s') && !name.ends_with("ss") && !name.ends_with("status");
        if many { Self::Many } else { Self::One }
    }

    fn word(&self, one: &'static str, many: &'static str) -> &'static str {
        match self {
            Self::One => one,
            Self::Many => many,
        }
    }

    fn is(&self) -> &'static str {
        self.word("is", "are")
    }

    fn does(&self) -> &'static str {
        self.word("does", "do")
    }

    fn contains(&self) -> &'static str {
        self.word("contains", "contain")
    }
}

/// `assigned_users` and `assignedUsers` → `assigned users`.
pub fn spaced(name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            out.push(' ');
            out.extend(c.to_lowercase());
        } else {
            out.push(if c == '_' || c == '-' { ' ' } else { c });
        }
        before = c;
    }
    out
}

/// A length of time: `1 d 2 h`, `30 min`.
pub fn duration(ms: i64) -> String {
    let mut left = ms.unsigned_abs();
    let mut words = Vec::new();
    for (unit, length) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ] {
        if left >= length {
            words.push(format!("{} {unit}", left / length));
            left %= length;
        }
    }
    match words.is_empty() {
        true => "at once".to_owned(),
        false => words.join(" "),
    }
}

/// Minutes from midnight as a time of day.
pub fn clock(minutes: i64) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes.rem_euclid(60))
}

/// What nobody needs in order to rebuild something, and must not lie about in a document.
pub fn is_secret(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase();
    [
        "token",
        "secret",
        "password",
        "apikey",
        "authorization",
        "credential",
        "signature",
    ]
    .iter()
    .any(|word| name.ends_with(word))
}

/// The same without the values of secrets.
pub fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| {
                    let hidden = is_secret(name) && !value.is_object() && !value.is_null();
                    let shown = match hidden {
                        true => Value::from("(kept out)"),
                        false => without_secrets(value),
                    };
                    (name.clone(), shown)
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}

/// Every id in a value that stands for something, in its order.
pub fn referred(names: &Names, value: &Value, found: &mut Vec<Reference>) {
    match value {
        Value::String(text) => found.extend(names.reference(text)),
        Value::Array(items) => items.iter().for_each(|item| referred(names, item, found)),
        Value::Object(members) => members
            .values()
            .for_each(|item| referred(names, item, found)),
        _ => {}
    }
}

/// The kind of an item of the inventory, to refer to it by.
pub fn section(name: &str) -> Kind {
    Kind::Other(name.to_owned())
}
