//! The platform's records in the contract's words. Text is passed on as it is; what is not known is not made up.

use transload_sdk::types::{
    Address, AddressChannel, Attachment, Author, BodySource, Conversation, ConversationStatus,
    Customer, Direction, Entity, Entry, Kind, Message, Reference, Visibility,
};
use transload_sdk::{Context, time};

use crate::api::{File, Person, Said, Ticket};

fn when(text: Option<&String>) -> Option<i64> {
    time::parse_lossy(text?).map(|(moment, _)| moment.at)
}

/// A person, as a customer.
pub fn person(person: Person) -> Entry {
    let email = person.email.map(|email| Address {
        primary: true,
        ..Address::new(AddressChannel::Email, email)
    });
    let customer = Customer {
        name: Some(person.name),
        addresses: email.into_iter().collect(),
        ..Customer::empty()
    };
    let mut entry = Entry::new(Kind::Customer, person.id, Entity::Customer(customer));
    entry.head.created_at = when(person.created_at.as_ref());
    entry.head.updated_at = when(person.updated_at.as_ref());
    entry
}

/// A ticket, and what comes along with it: its messages and their files.
pub fn ticket(cx: &Context, ticket: Ticket) -> Vec<Entry> {
    let of = Reference::new(Kind::Conversation, &ticket.id);
    let customer = ticket.person.map(|id| Reference::new(Kind::Customer, id));
    let private = ticket.messages.iter().filter(|said| said.private).count() as u64;
    let conversation = Conversation {
        customer: customer.clone(),
        subject: ticket.subject,
        status: match ticket.state.as_str() {
            "open" => ConversationStatus::Open,
            "done" => ConversationStatus::Closed,
            other => ConversationStatus::Other(other.to_owned()),
        },
        channels: vec!["email".into()],
        message_count: Some(ticket.messages.len() as u64 - private),
        note_count: Some(private),
        ..Conversation::empty()
    };
    let mut entry = Entry::new(
        Kind::Conversation,
        ticket.id,
        Entity::Conversation(conversation),
    );
    entry.head.created_at = when(ticket.created_at.as_ref());
    entry.head.updated_at = when(ticket.updated_at.as_ref());
    let mut entries = vec![entry];
    for said in ticket.messages {
        entries.extend(message(cx, &of, customer.as_ref(), said));
    }
    entries
}

fn message(cx: &Context, of: &Reference, customer: Option<&Reference>, said: Said) -> Vec<Entry> {
    let is_agent = said.agent.is_some();
    let author = match (&said.person, said.agent) {
        (Some(id), _) => Author::Person(Reference::new(Kind::Customer, id)),
        (None, Some(name)) => Author::Name(name),
        (None, None) => Author::System,
    };
    let at = when(said.at.as_ref());
    let message = Message {
        conversation: Some(of.clone()),
        customer: customer.cloned(),
        visibility: match said.private {
            true => Visibility::Internal,
            false => Visibility::Public,
        },
        direction: match (said.private, is_agent) {
            (true, _) => Direction::None,
            (false, true) => Direction::Outbound,
            (false, false) => Direction::Inbound,
        },
        channel: Some("email".into()),
        author,
        body_source: match &said.text {
            Some(_) => BodySource::Full,
            None => BodySource::Absent,
        },
        // Beyond 64 KiB it becomes a blob.
        text: said.text.map(|text| cx.blobs().text(text)),
        sent_at: at,
        attachment_count: Some(said.files.len() as u64),
        ..Message::empty()
    };
    let mut entry = Entry::new(Kind::Message, &said.id, Entity::Message(message));
    entry.head.created_at = at;
    let on = Reference::new(Kind::Message, said.id);
    let files = said.files.into_iter().map(|file| attachment(of, &on, file));
    [entry].into_iter().chain(files).collect()
}

fn attachment(of: &Reference, on: &Reference, file: File) -> Entry {
    let attachment = Attachment {
        conversation: Some(of.clone()),
        media_type: file.media_type,
        size: file.size,
        locator: Some(file.id.clone()),
        ..Attachment::of(on.clone(), file.name)
    };
    Entry::new(Kind::Attachment, file.id, Entity::Attachment(attachment))
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use transload_sdk::Source as _;
    use transload_sdk::source::Partition;
    use transload_sdk::testing::{Harness, answer};

    use super::*;
    use crate::Connector;

    #[test]
    fn a_ticket_comes_with_its_messages_and_files() {
        let page = r#"{"total": 1, "next": null, "tickets": [{
            "id": "t1", "subject": "Where is it", "person": "p1", "state": "done", "created_at": "2024-02-01T10:00:00Z",
            "messages": [{"id": "m1", "person": "p1", "at": "2024-02-01T10:00:00Z", "text": "It has not arrived.",
                "files": [{"id": "f1", "name": "a.txt"}]}]
        }]}"#;
        let harness = Harness::scripted([answer(200, page)]);
        let part = Partition {
            id: "conversation".into(),
            kind: Kind::Conversation,
            object_type: None,
            spec: "null".into(),
            expected: None,
            window_start: None,
            window_end: None,
        };
        let page = block_on(Connector::read(&harness.context(), &part, None));
        let records = page.map(|page| page.records).unwrap_or_default();
        let kinds: Vec<Kind> = records
            .iter()
            .map(|entry| entry.head.kind.clone())
            .collect();
        assert_eq!(kinds, [Kind::Conversation, Kind::Message, Kind::Attachment]);
    }
}
