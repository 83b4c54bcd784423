//! Where a custom field of the source is, as effects name it and as items bring it back.

use std::fmt;
use std::str::FromStr;

use crate::http::{segment, unsegment};
use crate::types::{ChoiceOption, FieldDefinition, FieldType};

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

impl<K: FromStr> Target<K> {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (object, name) = parts.next()?.split_once('.')?;
        let kind = parts.next()?.parse().ok()?;
        let pairs = parts.next().unwrap_or_default().split(',');
        let choices = pairs
            .filter_map(|pair| pair.split_once('='))
            .filter_map(|(from, to)| Some((unsegment(from)?, unsegment(to)?)))
            .collect();
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
        let pairs = self.choices.iter();
        let pairs: Vec<String> = pairs
            .map(|(from, to)| format!("{}={}", segment(from), segment(to)))
            .collect();
        write!(f, ":{}", pairs.join(","))
    }
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
