//! Records and items as a host hands them over, for the tests of destinations: of the organisation `org1` of a source called
//! `old-desk`, made on one day of November 2023.

use crate::destination::{Candidate, Item, Part, Thread};
use crate::ledger::{Outcome, Status};
use crate::types::{
    Agent, AgentState, Attachment, Author, BlobRef, ChoiceOption, Company, Conversation,
    CustomObject, Customer, Entity, Entry, Field, FieldDefinition, FieldType, Head, Kind, Message,
    ObjectType, Owner, Reference, Relationship, Team, Text, Value as FieldValue,
};

/// The key of a record's item.
pub fn key(kind: &Kind, id: &str) -> String {
    format!("{}:{id}", kind.word())
}

/// An item with its key and marker as a host makes them.
pub fn item(entry: Entry) -> Item {
    let head = &entry.head;
    let marker = format!("old-desk:org1:{}:{}", head.kind.word(), head.id);
    Item::new(key(&head.kind, &head.id), marker, entry)
}

/// An item that is there already.
pub fn existing(item: Item, candidate: Candidate) -> Item {
    Item {
        existing: Some(candidate),
        ..item
    }
}

/// A record with custom fields.
pub fn entry(kind: Kind, id: &str, fields: Vec<Field>, data: Entity) -> Entry {
    let head = Head {
        created_at: Some(1_700_000_000_250),
        fields,
        ..Head::new(kind, id.to_owned())
    };
    Entry { head, data }
}

/// A customer.
pub fn customer(id: &str, fields: Vec<Field>, data: Customer) -> Item {
    item(entry(Kind::Customer, id, fields, Entity::Customer(data)))
}

/// A record of an object type.
pub fn record(id: &str, fields: Vec<Field>, data: CustomObject) -> Item {
    item(entry(
        Kind::CustomObject,
        id,
        fields,
        Entity::CustomObject(data),
    ))
}

/// A public message.
pub fn said(id: &str, author: Author, text: &str, at: i64) -> Part {
    let message = Message {
        author,
        text: Some(Text::Inline(text.to_owned())),
        sent_at: Some(at),
        ..Message::empty()
    };
    Part {
        message: entry(Kind::Message, id, Vec::new(), Entity::Message(message)),
        attachments: Vec::new(),
    }
}

/// A conversation with its messages.
pub fn thread(id: &str, fields: Vec<Field>, data: Conversation, parts: Vec<Part>) -> Item {
    let conversation = entry(Kind::Conversation, id, fields, Entity::Conversation(data));
    let marker = format!("old-desk:org1:conversation:{id}");
    let thread = Thread {
        conversation,
        parts,
    };
    Item::new(key(&Kind::Conversation, id), marker, thread)
}

/// A link that a custom field of the source holds.
pub fn link(field: &str, source: Reference, target: Reference, position: Option<u32>) -> Item {
    let id = format!("{}/{field}/{}", source.id, target.id);
    let data = Relationship {
        name: field.to_owned(),
        label: None,
        source,
        target,
        field: Some(field.to_owned()),
        position,
    };
    item(entry(
        Kind::Relationship,
        &id,
        Vec::new(),
        Entity::Relationship(data),
    ))
}

/// A custom field without options.
pub fn definition(owner: Owner, name: &str, label: &str, field_type: FieldType) -> Item {
    let word = match &owner.object_type {
        Some(object) => format!("custom-object:{object}"),
        None => owner.kind.word().to_owned(),
    };
    let data = FieldDefinition {
        owner,
        name: name.to_owned(),
        label: label.to_owned(),
        description: None,
        field_type,
        options: Vec::new(),
        required: false,
        sensitive: false,
        retired: false,
        used: None,
    };
    item(entry(
        Kind::FieldDefinition,
        &format!("{word}/{name}"),
        Vec::new(),
        Entity::FieldDefinition(data),
    ))
}

/// An object type.
pub fn object_type(id: &str, label: &str) -> Item {
    let data = ObjectType {
        name: id.to_owned(),
        label: label.to_owned(),
        label_plural: None,
        description: None,
        icon: None,
        status: "enabled".to_owned(),
        traits: Vec::new(),
    };
    item(entry(
        Kind::ObjectType,
        id,
        Vec::new(),
        Entity::ObjectType(data),
    ))
}

/// The same with options: value and label.
pub fn with_options(item: Item, options: &[(&str, &str)]) -> Item {
    let mut item = item;
    if let Some(Entity::FieldDefinition(definition)) =
        item.body.entries.first_mut().map(|entry| &mut entry.data)
    {
        let option = |(value, label): &(&str, &str)| ChoiceOption {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            active: true,
        };
        definition.options = options.iter().map(option).collect();
    }
    item
}

/// A team without members.
pub fn team(id: &str, name: &str) -> Item {
    let data = Team {
        name: name.to_owned(),
        description: None,
        members: Vec::new(),
    };
    item(entry(Kind::Team, id, Vec::new(), Entity::Team(data)))
}

/// An agent who can sign in.
pub fn agent(id: &str, name: &str, email: &str, fields: Vec<Field>, teams: Vec<Reference>) -> Item {
    let data = Agent {
        name: name.to_owned(),
        display_name: None,
        email: Some(email.to_owned()),
        phone: None,
        state: AgentState::Active,
        machine: false,
        roles: Vec::new(),
        teams,
        avatar_url: None,
        signature: None,
        locale: None,
        time_zone: None,
    };
    item(entry(Kind::Agent, id, fields, Entity::Agent(data)))
}

/// A company.
pub fn company(id: &str, fields: Vec<Field>, data: Company) -> Item {
    item(entry(Kind::Company, id, fields, Entity::Company(data)))
}

/// A file of so many bytes that the host holds.
pub fn file(id: &str, name: &str, bytes: u64) -> Entry {
    let parent = Reference::new(Kind::Message, "m");
    let content = BlobRef {
        sha256: format!("sha-of-{id}"),
        size: bytes,
        media_type: "text/plain".to_owned(),
    };
    let data = Attachment {
        size: Some(bytes),
        content: Some(content),
        ..Attachment::of(parent, name)
    };
    entry(Kind::Attachment, id, Vec::new(), Entity::Attachment(data))
}

/// A custom field's value, and where the field is.
pub fn field(name: &str, value: FieldValue, target: Option<String>) -> Field {
    Field {
        name: name.to_owned(),
        value,
        target,
    }
}

/// Whether an item was made.
pub fn is_created(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Created)
}
