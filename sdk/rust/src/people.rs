//! Names and addresses of people, in the forms by which platforms know one again.

use crate::types::{Address, AddressChannel, Customer, Entry, Field, Kind, Value};

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

/// Custom fields, with a customer that one of them names as if he were not here yet. Customers are made in an order that differs
/// from run to run: who names whom before he is there must not decide what stands on a card. Links set the lookups afterwards.
pub fn without_each_other(fields: &[Field]) -> Vec<Field> {
    let mut fields = fields.to_vec();
    for field in &mut fields {
        if let Value::Reference(one) = &mut field.value
            && one.kind == Kind::Customer
        {
            one.target = None;
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
    fn only_certain_phone_numbers_become_identities() {
        assert_eq!(e164("+1 (555) 555-0123").as_deref(), Some("+15555550123"));
        assert_eq!(e164("555-0123"), None);
        assert_eq!(
            email(" Ana@Example.com ").as_deref(),
            Some("ana@example.com")
        );
        assert_eq!(email("ana@localhost"), None);
    }
}
