//! References and values in words, for text fields, for the source card and for the line above a body.
//!
//! One form everywhere: `customer c9 (Bo Ng, https://acme.zendesk.com/agent/users/42)`. Kind and source id come first, since
//! they are always known and can be searched; then what a person calls it; then where it is in Zendesk, when it is there
//! already. What was not migrated is named all the same.

use transload_sdk::time;
use transload_sdk::types::{Author, Kind, Reference, Value};

use crate::map::{moment_text, placeholder_name};

/// Says references and values. Knows the account's address, so that what is there is linked, and the place whose days are
/// meant where Zendesk knows days only (rule M-17).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    site: Option<String>,
    zone: String,
}

impl Words {
    /// For the account `https://{subdomain}.zendesk.com`; without links where the subdomain is not known.
    pub fn new(subdomain: &str, zone: &str) -> Self {
        let site = (!subdomain.is_empty()).then(|| format!("https://{subdomain}.zendesk.com"));
        let zone = zone.to_owned();
        Self { site, zone }
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

    /// Where a person finds what a reference has become.
    pub fn link(&self, reference: &Reference) -> Option<String> {
        let (site, target) = (self.site.as_ref()?, reference.target.as_deref()?);
        let page = match &reference.kind {
            // A stand-in's page is not the person's.
            _ if placeholder_name(target).is_some() => return None,
            Kind::Agent | Kind::Customer => format!("users/{target}"),
            Kind::Company => format!("organizations/{target}"),
            Kind::Conversation | Kind::Message => format!("tickets/{target}"),
            // Records are named by each other while they are made, in an order that differs from run to run: a link that is
            // there or not would make the same text differ.
            _ => return None,
        };
        Some(format!("{site}/agent/{page}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::placeholder;

    #[test]
    fn a_reference_is_named_by_kind_id_name_and_place_as_far_as_they_are_known() {
        let words = Words::new("acme", "UTC");
        let bo = || Reference::new(Kind::Customer, "c9");
        assert_eq!(words.reference(&bo()), "customer c9");
        assert_eq!(
            words.reference(&bo().called("Bo Ng")),
            "customer c9 (Bo Ng)"
        );
        assert_eq!(
            words.reference(&bo().at("42").called("Bo Ng")),
            "customer c9 (Bo Ng, https://acme.zendesk.com/agent/users/42)"
        );
        let order = Reference::new(Kind::CustomObject, "o1").at("order/01GD");
        assert_eq!(words.reference(&order), "custom-object o1");
        let team = Reference::new(Kind::Team, "t1").at("98738");
        assert_eq!(words.reference(&team), "team t1");
    }

    #[test]
    fn who_has_no_user_is_named_and_never_linked_to_the_stand_in() {
        let former = Reference::new(Kind::Agent, "a9").at(placeholder(7, "Ana: Ruiz"));
        let words = Words::new("acme", "UTC");
        assert_eq!(words.reference(&former), "agent a9 (Ana: Ruiz)");
        assert_eq!(author(&Author::Person(former)), "Ana: Ruiz (agent a9)");
        assert_eq!(author(&Author::Name("Bot".to_owned())), "Bot");
    }
}
