//! References and values in words, for text fields, for the source card and for the line above a body.
//!
//! One form everywhere: `customer c9 (Bo Ng, https://acme.example/users/42)`. Kind and source id come first, since they are
//! always known and can be searched; then what a person calls it; then where it is in the destination, when it is there
//! already. What was not migrated is named all the same.
//!
//! Who has no account of his own at the destination is reported by the connector with a *placeholder* as his target: the
//! account that stands in, and his name, so that texts can name him.

use std::fmt::Display;

use crate::time;
use crate::types::{Author, Kind, Moment, Priority, Reference, Value};

/// Says references and values. Knows where records of the destination can be seen, so that what is there is linked, and the
/// place whose days are meant where a platform knows days only (rule M-17).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Words {
    pages: Vec<(Kind, String)>,
    zone: String,
}

impl Words {
    /// `pages` are the addresses at which records of a kind are seen, up to the record's id. A kind that is not among them is
    /// not linked: records that name each other while they are made must not be, since a link that is there or not would make
    /// one text differ from run to run.
    pub fn new(pages: impl IntoIterator<Item = (Kind, String)>, zone: &str) -> Self {
        Self {
            pages: pages.into_iter().collect(),
            zone: zone.to_owned(),
        }
    }

    /// The day of a moment at that place, by its IANA name; in UTC where that names none.
    pub fn day(&self, at: i64) -> Option<String> {
        time::date_in(at, &self.zone).or_else(|| time::date_utc(at))
    }

    /// A reference.
    pub fn reference(&self, reference: &Reference) -> String {
        let called = called(reference).map(str::to_owned);
        let about: Vec<String> = called.into_iter().chain(self.link(reference)).collect();
        let bare = bare(reference);
        if about.is_empty() {
            bare
        } else {
            format!("{bare} ({})", about.join(", "))
        }
    }

    /// Several references.
    pub fn references(&self, list: &[Reference]) -> String {
        let words: Vec<String> = list.iter().map(|one| self.reference(one)).collect();
        words.join(", ")
    }

    /// Where a person finds what a reference has become. A stand-in's page is not the person's.
    pub fn link(&self, reference: &Reference) -> Option<String> {
        let target = reference.target.as_deref()?;
        if placeholder_name(target).is_some() {
            return None;
        }
        let (_, page) = self
            .pages
            .iter()
            .find(|(kind, _)| *kind == reference.kind)?;
        Some(format!("{page}{target}"))
    }

    /// A value.
    pub fn value(&self, value: &Value) -> String {
        match value {
            Value::Text(text)
            | Value::Decimal(text)
            | Value::Date(text)
            | Value::Choice(text)
            | Value::Link(text)
            | Value::Json(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(flag) => flag.to_string(),
            Value::Moment(moment) => moment_text(moment),
            Value::Choices(list) => list.join(", "),
            Value::Path(path) => path.join(" > "),
            Value::Reference(reference) => self.reference(reference),
            Value::References(list) => self.references(list),
        }
    }
}

/// What a person calls it, as far as it is known.
pub fn called(reference: &Reference) -> Option<&str> {
    let behind = reference.target.as_deref().and_then(placeholder_name);
    let name = reference.name.as_deref().or(behind);
    name.filter(|name| !name.trim().is_empty())
}

/// Kind and source id.
fn bare(reference: &Reference) -> String {
    format!("{} {}", reference.kind.word(), reference.id)
}

/// Somebody who is not here: name first, then who that is in the source.
pub fn person(reference: &Reference) -> String {
    match called(reference) {
        Some(name) => format!("{name} ({})", bare(reference)),
        None => bare(reference),
    }
}

/// Who wrote something, for a text that somebody else's name stands on.
pub fn author(author: &Author) -> String {
    match author {
        Author::Person(reference) => person(reference),
        Author::Name(name) => name.clone(),
        Author::System => "the system".to_owned(),
    }
}

/// A moment with the offset it was written with.
pub fn moment_text(moment: &Moment) -> String {
    time::format(moment).unwrap_or_else(|| moment.at.to_string())
}

/// How an agent who has no account of his own is reported: the account that stands in, and his name.
pub fn placeholder(stand_in: impl Display, name: &str) -> String {
    format!("placeholder:{stand_in}:{name}")
}

/// The name behind a placeholder's target.
pub fn placeholder_name(target: &str) -> Option<&str> {
    placeholder_parts(target).map(|(_, name)| name)
}

/// Who stands in behind a placeholder's target, and for whom.
pub fn placeholder_parts(target: &str) -> Option<(&str, &str)> {
    target.strip_prefix("placeholder:")?.split_once(':')
}

/// A record of an object type of the account's own, as effects name it: `order/17`.
pub fn record_target(object: &str, id: &str) -> String {
    format!("{object}/{id}")
}

/// The object and the id of such a target.
pub fn record_parts(target: &str) -> Option<(&str, &str)> {
    target.split_once('/')
}

/// The id behind a target: of [`record_target`] the part behind the slash; of a placeholder who stands in.
pub fn record_id(target: &str) -> &str {
    match placeholder_parts(target) {
        Some((stand_in, _)) => stand_in,
        None => target.rsplit('/').next().unwrap_or(target),
    }
}

/// The id of what a reference points to, when that is here as itself: no stand-in.
pub fn own_target(reference: &Reference) -> Option<&str> {
    let target = reference.target.as_deref()?;
    placeholder_name(target)
        .is_none()
        .then(|| record_id(target))
}

/// A priority with its scale.
pub fn priority(priority: &Priority) -> String {
    format!(
        "{} on {}..{}",
        priority.value, priority.lowest, priority.highest
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_acme() -> Words {
        let pages = [
            (Kind::Customer, "https://acme.example/users/".to_owned()),
            (Kind::Agent, "https://acme.example/users/".to_owned()),
        ];
        Words::new(pages, "UTC")
    }

    #[test]
    fn a_reference_is_named_by_kind_id_name_and_place_as_far_as_they_are_known() {
        let words = of_acme();
        let bo = || Reference::new(Kind::Customer, "c9");
        assert_eq!(words.reference(&bo()), "customer c9");
        assert_eq!(
            words.reference(&bo().called("Bo Ng")),
            "customer c9 (Bo Ng)"
        );
        assert_eq!(
            words.reference(&bo().at("42").called("Bo Ng")),
            "customer c9 (Bo Ng, https://acme.example/users/42)"
        );
        let order = Reference::new(Kind::CustomObject, "o1").at("order/01GD");
        assert_eq!(words.reference(&order), "custom-object o1");
        let team = Reference::new(Kind::Team, "t1").at("98738");
        assert_eq!(words.reference(&team), "team t1");
    }

    #[test]
    fn who_has_no_user_is_named_and_never_linked_to_the_stand_in() {
        let former = Reference::new(Kind::Agent, "a9").at(placeholder(7, "Ana: Ruiz"));
        let words = of_acme();
        assert_eq!(words.reference(&former), "agent a9 (Ana: Ruiz)");
        assert_eq!(author(&Author::Person(former)), "Ana: Ruiz (agent a9)");
        assert_eq!(author(&Author::Name("Bot".to_owned())), "Bot");
    }
}
