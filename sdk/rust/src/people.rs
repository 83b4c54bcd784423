//! Names and addresses of people, in the forms by which platforms know one again.

use std::collections::BTreeSet;

use crate::card::loss;
use crate::destination::Item;
use crate::types::{
    Address, AddressChannel, Agent, Customer, Entity, Entry, Fidelity, Field, Kind, Loss,
    Reference, Value,
};

/// A name that is never empty, out of whatever the record has.
pub fn customer_name(entry: &Entry, customer: &Customer) -> String {
    let whole = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
    let both = [&customer.first_name, &customer.last_name]
        .into_iter()
        .flatten()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    whole(&customer.name)
        .or_else(|| whole(&customer.display_name))
        .or_else(|| (!both.is_empty()).then_some(both))
        .or_else(|| whole(&customer.username))
        .or_else(|| {
            customer
                .addresses
                .first()
                .map(|a| a.value.clone())
                .filter(|v| !v.trim().is_empty())
        })
        .unwrap_or_else(|| format!("Customer {}", entry.head.id))
}

/// A record's name without blanks around it; its id where it has none.
pub fn name_or_id<'e>(entry: &'e Entry, name: &'e str) -> &'e str {
    match name.trim() {
        "" => &entry.head.id,
        name => name,
    }
}

/// The customer's own addresses of a channel, as they are written; shared ones say nothing. Of any other record none.
pub fn own_addresses<'i>(
    item: &'i Item,
    channel: &AddressChannel,
) -> impl Iterator<Item = &'i str> {
    let all = match &item.entry().data {
        Entity::Customer(customer) => customer.addresses.as_slice(),
        _ => &[],
    };
    let own = all.iter().filter(|address| !address.shared);
    own.filter(move |address| address.channel == *channel)
        .map(|address| address.value.as_str())
}

/// A customer's own e-mail addresses, as [`email`] has them.
pub fn emails_of(item: &Item) -> BTreeSet<String> {
    let own = own_addresses(item, &AddressChannel::Email);
    own.filter_map(email).collect()
}

/// A customer's own telephone numbers in the ways in which they may stand in an account: as they were written, and as [`e164`] has
/// them. What is no full number could be anybody's.
pub fn numbers_of(item: &Item) -> BTreeSet<String> {
    let own = own_addresses(item, &AddressChannel::Phone);
    let full = own.filter_map(|value| Some([e164(value)?, value.to_owned()]));
    full.flatten().collect()
}

/// The external ids by which the source itself knows a record.
pub fn external_ids(item: &Item) -> impl Iterator<Item = &str> {
    let own = item.entry().head.external_id.as_deref();
    let more = match &item.entry().data {
        Entity::Customer(customer) => customer.external_ids.as_slice(),
        _ => &[],
    };
    let all = own.into_iter().chain(more.iter().map(String::as_str));
    all.filter(|id| !id.trim().is_empty())
}

/// What of an agent a destination takes nowhere, since his rights and looks are its own: `note` says so in its words.
pub fn looks_lost(agent: &Agent, note: &'static str) -> Vec<Loss> {
    let looks = [
        ("agent.signature", agent.signature.is_some()),
        ("agent.avatar-url", agent.avatar_url.is_some()),
        ("agent.roles", !agent.roles.is_empty()),
    ];
    let there = looks.into_iter().filter(|(_, there)| *there);
    there
        .map(|(field, _)| loss(field, Fidelity::Lost, note))
        .collect()
}

/// The custom fields of a record whose kind has none at a destination.
pub fn fields_lost(entry: &Entry, note: &'static str) -> impl Iterator<Item = Loss> {
    let paths = entry
        .head
        .fields
        .iter()
        .map(|field| format!("fields.{}", field.name));
    paths.map(move |path| loss(path, Fidelity::Lost, note))
}

/// Custom fields, with what they point to of a kind as if it were not here yet. Records of a kind are made in an order that differs
/// from run to run: who is there by then must not decide what stands on a card or in a text. Links set the
/// lookups afterwards.
pub fn without_each_other(kind: &Kind, fields: &[Field]) -> Vec<Field> {
    let mut fields = fields.to_vec();
    let forget = |reference: &mut Reference| {
        if reference.kind == *kind {
            reference.target = None;
        }
    };
    for field in &mut fields {
        match &mut field.value {
            Value::Reference(one) => forget(one),
            Value::References(list) => list.iter_mut().for_each(forget),
            _ => {}
        }
    }
    fields
}

/// An e-mail address in the form in which platforms compare them, lower case; `None` for what most would refuse.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (local, domain) = text.split_once('@')?;
    let proper = !local.is_empty()
        && domain.contains('.')
        && !domain.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c == '"' || c == ',');
    proper.then_some(text)
}

/// Name and address out of `Ana Ruiz <ana@example.com>`, or of an address alone. An address is what most platforms take for one, as
/// it was written.
pub fn mailbox(text: &str) -> (Option<String>, Option<String>) {
    let address = |text: &str| {
        let text = text.trim();
        email(text).map(|_| text.to_owned())
    };
    match text.rsplit_once('<') {
        Some((name, rest)) => {
            let name = name.trim().trim_matches('"').to_owned();
            let inside = rest.strip_suffix('>').unwrap_or(rest);
            (Some(name).filter(|n| !n.is_empty()), address(inside))
        }
        None => (None, address(text)),
    }
}

/// A phone number as E.164; `None` for what is not certainly one.
pub fn e164(text: &str) -> Option<String> {
    let kept: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/'))
        .collect();
    let digits = kept.strip_prefix('+')?;
    let proper = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    proper.then_some(kept)
}

/// Addresses in the order in which they are given fields: the main ones first.
pub fn main_first(addresses: &[Address]) -> Vec<&Address> {
    let mut ordered: Vec<&Address> = addresses.iter().collect();
    ordered.sort_by_key(|address| !address.primary);
    ordered
}

/// An address with its label.
pub fn labelled(address: &Address) -> String {
    match &address.label {
        Some(label) => format!("{} ({label})", address.value),
        None => address.value.clone(),
    }
}

/// An address as a line of a text field: `e-mail: ana@example.com (home), shared`.
pub fn address_line(address: &Address) -> String {
    let channel = match &address.channel {
        AddressChannel::Email => "e-mail",
        AddressChannel::Phone => "phone",
        AddressChannel::Whatsapp => "whatsapp",
        AddressChannel::Url => "url",
        AddressChannel::Social(word) | AddressChannel::Other(word) => word,
    };
    let shared = if address.shared { ", shared" } else { "" };
    format!("{channel}: {}{shared}", labelled(address))
}

/// Whether a number is a mobile one, by its label.
pub fn is_mobile(address: &Address) -> bool {
    let label = address.label.as_deref().unwrap_or_default().to_lowercase();
    label.contains("mobile") || label.contains("cell")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_a_name_and_an_address_as_far_as_they_are_there() {
        let both = (Some("Ana Ruiz"), Some("Ana@example.com"));
        for (text, wanted) in [
            ("\"Ana Ruiz\" <Ana@example.com>", both),
            (" Ana@example.com", (None, both.1)),
            ("Ana Ruiz <nobody>", (both.0, None)),
            ("+15550100", (None, None)),
        ] {
            let (name, address) = mailbox(text);
            assert_eq!((name.as_deref(), address.as_deref()), wanted, "{text}");
        }
    }

    #[test]
    fn a_customers_own_addresses_and_ids_tell_who_he_is() {
        let of = |channel, value: &str, shared| Address {
            shared,
            ..Address::new(channel, value)
        };
        let data = Customer {
            addresses: vec![
                of(AddressChannel::Email, "ana@example.com", false),
                of(AddressChannel::Email, "office@example.com", true),
                of(AddressChannel::Phone, "+15550100", false),
            ],
            external_ids: vec![" ".to_owned(), "crm-7".to_owned()],
            ..Customer::empty()
        };
        let item = crate::testing::items::customer("c1", vec![], data);
        let own: Vec<&str> = own_addresses(&item, &AddressChannel::Email).collect();
        assert_eq!(own, ["ana@example.com"]);
        assert_eq!(external_ids(&item).collect::<Vec<_>>(), ["crm-7"]);
        assert_eq!(name_or_id(item.entry(), " "), "c1");
        assert_eq!(name_or_id(item.entry(), " Ana "), "Ana");
    }

    #[test]
    fn what_an_agent_has_and_nobody_takes_is_said() {
        let item = crate::testing::items::agent("a1", "Dana", "d@example.com", vec![], vec![]);
        let Entity::Agent(agent) = &item.entry().data else {
            panic!("no agent");
        };
        assert_eq!(looks_lost(agent, "theirs"), []);
        let signed = Agent {
            signature: Some("Best".to_owned()),
            ..agent.clone()
        };
        let lost = looks_lost(&signed, "theirs");
        assert_eq!(lost, [loss("agent.signature", Fidelity::Lost, "theirs")]);
        assert_eq!(fields_lost(item.entry(), "none").count(), 0);
    }

    #[test]
    fn only_certain_phone_numbers_become_identities() {
        assert_eq!(e164("+1 (555) 555-0123").as_deref(), Some("+15555550123"));
        assert_eq!(e164("555-0123"), None);
        assert_eq!(
            email(" Ana@Example.com ").as_deref(),
            Some("ana@example.com")
        );
        assert_eq!(email("ana@localhost"), None);
    }

    #[test]
    fn the_main_addresses_come_first_and_the_rest_keeps_its_order() {
        let address = |value: &str, primary| Address {
            primary,
            ..Address::new(AddressChannel::Email, value)
        };
        let all = [address("a", false), address("b", true), address("c", false)];
        let ordered: Vec<&str> = main_first(&all).iter().map(|a| a.value.as_str()).collect();
        assert_eq!(ordered, ["b", "a", "c"]);
    }
}
