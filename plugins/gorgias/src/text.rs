//! Addresses of a message as Gorgias takes them. Lines above a body, and inline images in their new place, are the SDK's.

use transload_sdk::people::mailbox;
use transload_sdk::types::Message;

use crate::api::{Address, Source};
use crate::map::EMAIL_CHARS;

/// From whom to whom a message went, and whether all that the source says of it is in there. On the channel `email` only addresses
/// are taken; on any other whatever the source calls somebody. `name` is who wrote it.
pub fn source(message: &Message, kind: &str, name: Option<&str>) -> (Source, bool) {
    let mails = kind == "email";
    let mut whole = true;
    let mut one = |text: &str| {
        let (called, address) = mailbox(text);
        let address = match address.filter(|address| address.chars().count() <= EMAIL_CHARS) {
            Some(address) => Some(address),
            None if mails => None,
            None => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        };
        whole &= address.is_some() || text.trim().is_empty();
        Address {
            address,
            name: called,
        }
    };
    let from = message.sender.as_deref().map(&mut one);
    let from = match (from, name) {
        (Some(from), name) => Some(Address {
            name: name.map(str::to_owned).or(from.name),
            ..from
        }),
        (None, Some(name)) => Some(Address {
            address: None,
            name: Some(name.to_owned()),
        }),
        (None, None) => None,
    };
    let mut list = |texts: &[String]| -> Vec<Address> {
        let all = texts.iter().map(|text| one(text));
        all.filter(|a| a.address.is_some()).collect()
    };
    let source = Source {
        kind: kind.to_owned(),
        from: from.filter(|from| *from != Address::default()),
        to: list(&message.to),
        cc: list(&message.cc),
        bcc: list(&message.bcc),
    };
    (source, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_left_out_of_an_email_and_said_so() {
        let message = Message {
            sender: Some("Ana Ruiz <ana@example.com>".to_owned()),
            to: vec!["shop@acme.example".to_owned(), "undisclosed".to_owned()],
            ..Message::empty()
        };
        let (email, whole) = source(&message, "email", None);
        assert_eq!((email.to.len(), whole), (1, false));
        let from = email.from.unwrap();
        assert_eq!(
            (from.name.as_deref(), from.address.as_deref()),
            (Some("Ana Ruiz"), Some("ana@example.com"))
        );
        let (chat, whole) = source(&message, "chat", Some("Ana"));
        assert_eq!((chat.to.len(), whole), (2, true));
        assert_eq!(chat.from.unwrap().name.as_deref(), Some("Ana"));
    }
}
