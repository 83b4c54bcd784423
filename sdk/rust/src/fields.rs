//! Where a custom field of the source is, as effects name it and as items bring it back.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;

use crate::http::{segment, unsegment};
use crate::types::{ChoiceOption, Field, FieldDefinition, FieldType};

/// A field of an object: `Case.loyaltyTier:Picklist`; behind another colon choices of the source whose stored value here is another,
/// `:au=gold,ag=silver`.
///
/// `K` is its type in the connector's words, which are written without a colon.
///
/// ```
/// # use transload_sdk::fields::Target;
/// let target: Target<String> = Target::parse("tickets.tier:choice:au=gold%3B").unwrap();
/// assert_eq!((target.object.as_str(), target.name.as_str()), ("tickets", "tier"));
/// assert_eq!(target.choices, [("au".to_owned(), "gold;".to_owned())]);
/// assert_eq!(target.to_string(), "tickets.tier:choice:au=gold%3B");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<K> {
    /// The object.
    pub object: String,
    /// The field's name.
    pub name: String,
    /// Its type.
    pub kind: K,
    /// Choices of the source by their stored value, and the stored value here, where it is another.
    pub choices: Vec<(String, String)>,
}

/// Stored values of options with what people read, by `object.field`.
pub type Choices = BTreeMap<String, Vec<(String, String)>>;

/// The stored value of one of some options that is stored as `wanted`; else of one that is read so.
pub fn stored<'c>(options: &'c [(String, String)], wanted: &str) -> Option<&'c str> {
    let by_value = options.iter().find(|(value, _)| value == wanted);
    let found = by_value.or_else(|| options.iter().find(|(_, label)| label == wanted));
    found.map(|(value, _)| value.as_str())
}

impl<K: FromStr> Target<K> {
    /// Where a field of a record is, if it is anywhere.
    pub fn of(field: &Field) -> Option<Self> {
        Self::parse(field.target.as_deref()?)
    }

    /// The same where it is a field of `object`.
    pub fn on(object: &str, field: &Field) -> Option<Self> {
        Self::of(field).filter(|target| target.object == object)
    }

    /// The options of the field.
    pub fn options<'c>(&self, choices: &'c Choices) -> Option<&'c [(String, String)]> {
        let of_field = choices.get(&format!("{}.{}", self.object, self.name));
        of_field.map(Vec::as_slice)
    }

    /// What a choice of the source is stored as here, where it is another.
    pub fn paired(&self, choice: &str) -> Option<&str> {
        let pair = self.choices.iter().find(|(from, _)| from == choice);
        pair.map(|(_, to)| to.as_str())
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (object, name) = parts.next()?.split_once('.')?;
        let kind = parts.next()?.parse().ok()?;
        let choices = choices_of(parts.next().unwrap_or_default());
        let named = !object.is_empty() && !name.is_empty();
        named.then(|| Self {
            object: object.to_owned(),
            name: name.to_owned(),
            kind,
            choices,
        })
    }
}

impl<K: fmt::Display> fmt::Display for Target<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.object, self.name, self.kind)?;
        if self.choices.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", choices_text(&self.choices))
    }
}

/// Choices of the source by their stored value, and what they are here, as the address of a field has them: `au=gold,ag=silver`.
pub fn choices_text(choices: &[(String, String)]) -> String {
    let pair = |(from, to): &(String, String)| format!("{}={}", segment(from), segment(to));
    choices.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// The choices that [`choices_text`] wrote.
pub fn choices_of(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let read = |(from, to)| Some((unsegment(from)?, unsegment(to)?));
    pairs.filter_map(read).collect()
}

/// An integer as a number that readers of JSON everywhere take as it is: up to 2⁵³. `None` beyond.
pub fn exact_integer(number: i64) -> Option<Json> {
    const EXACT: u64 = 1 << 53;
    (number.unsigned_abs() <= EXACT).then(|| Json::from(number))
}

/// A decimal as a number of JSON, if that means the same as a binary number of 64 bits. `None` where digits would change.
pub fn exact_decimal(digits: &str) -> Option<Json> {
    if let Ok(number) = digits.parse() {
        return exact_integer(number);
    }
    let number: f64 = digits.parse().ok()?;
    let plain = match digits.split_once('.') {
        Some((_, rest)) if !rest.is_empty() => digits.trim_end_matches('0').trim_end_matches('.'),
        _ => digits,
    };
    (number.is_finite() && number.to_string() == plain).then(|| Json::from(number))
}

/// What people read of an option: of a tree, whose options are paths with `separator` between their parts, the labels from the root
/// down.
pub fn option_label(
    definition: &FieldDefinition,
    option: &ChoiceOption,
    separator: char,
) -> String {
    let own = |option: &ChoiceOption| match option.label.as_str() {
        "" => option.value.clone(),
        label => label.to_owned(),
    };
    if definition.field_type != FieldType::Tree {
        return own(option);
    }
    let ends = option.value.match_indices(separator);
    let above = ends.filter_map(|(end, _)| option.value.get(..end));
    let mut names: Vec<String> = above
        .map(|path| {
            let node = definition.options.iter().find(|o| o.value == path);
            let last = path.rsplit(separator).next().unwrap_or(path);
            node.map_or_else(|| last.to_owned(), own)
        })
        .collect();
    names.push(own(option));
    names.join(" > ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::Value;

    #[test]
    fn an_option_is_known_by_its_value_before_its_label() {
        let all = [("au", "gold"), ("gold", "silver")];
        let all = all.map(|(value, label)| (value.to_owned(), label.to_owned()));
        assert_eq!(stored(&all, "gold"), Some("gold"));
        assert_eq!(stored(&all, "silver"), Some("gold"));
        assert_eq!(stored(&all, "Gold"), None);
        let field = Field {
            name: "tier".to_owned(),
            value: Value::Choice("x".to_owned()),
            target: Some("Case.tier:Picklist:x=au".to_owned()),
        };
        let target: Target<String> = Target::on("Case", &field).unwrap();
        assert_eq!(target.paired("x"), Some("au"));
        let choices = Choices::from([("Case.tier".to_owned(), all.to_vec())]);
        assert_eq!(target.options(&choices), Some(all.as_slice()));
        assert_eq!(Target::<String>::on("Lead", &field), None);
    }

    #[test]
    fn choices_come_back_as_they_were_written() {
        let choices = [
            ("a=b".to_owned(), "c,:".to_owned()),
            (String::new(), "ü".to_owned()),
        ];
        let text = choices_text(&choices);
        assert_eq!(text, "a%3Db=c%2C%3A,=%C3%BC");
        assert_eq!(choices_of(&text), choices);
        assert_eq!(choices_of(""), []);
    }

    #[test]
    fn numbers_whose_digits_would_change_are_none() {
        assert_eq!(
            exact_integer(-(1 << 53)),
            Some(json!(-9_007_199_254_740_992_i64))
        );
        assert_eq!(exact_integer((1 << 53) + 1), None);
        assert_eq!(exact_decimal("64.670"), Some(json!(64.67)));
        assert_eq!(exact_decimal("-7"), Some(json!(-7)));
        assert_eq!(exact_decimal("7.0"), Some(json!(7.0)));
        assert_eq!(exact_decimal("64.6700000000000000001"), None);
        assert_eq!(exact_decimal("1e999"), None);
        assert_eq!(exact_decimal("seven"), None);
    }
}
