//! Records to start from: what a record says when nothing is known of it, so that a connector and its tests name only what they
//! know and the rest follows by `..Message::empty()`.
//!
//! "Nothing known" is `none`, an empty list, `false`, and of the closed choices the one that claims least: an open
//! conversation, a public message by the system that came whole, a file that is there.

use crate::destination::{Body, Item, MatchPolicy};
use crate::types::{
    Address, AddressChannel, Attachment, AttachmentState, Author, BodySource, Company,
    Conversation, ConversationStatus, CustomObject, Customer, Delivery, DeliveryStatus, Direction,
    Entity, Entry, Head, Kind, Message, Reference, Visibility,
};

impl Kind {
    /// What the host calls it, in markers and keys: `custom-object`; of a further kind its own word.
    pub fn word(&self) -> &str {
        match self {
            Self::Team => "team",
            Self::Agent => "agent",
            Self::Tag => "tag",
            Self::Brand => "brand",
            Self::Company => "company",
            Self::Customer => "customer",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Attachment => "attachment",
            Self::FieldDefinition => "field-definition",
            Self::ObjectType => "object-type",
            Self::CustomObject => "custom-object",
            Self::Relationship => "relationship",
            Self::Category => "category",
            Self::Article => "article",
            Self::Other(word) => word,
        }
    }
}

impl Head {
    /// A head with nothing but what every record has.
    pub const fn new(kind: Kind, id: String) -> Self {
        Self {
            kind,
            id,
            url: None,
            external_id: None,
            created_at: None,
            updated_at: None,
            imported_at: None,
            created_by: None,
            modified_by: None,
            deleted: false,
            fields: Vec::new(),
            raw: Vec::new(),
            losses: Vec::new(),
        }
    }
}

impl Entry {
    /// A record whose head says no more than its kind and id.
    pub fn new(kind: Kind, id: impl Into<String>, data: Entity) -> Self {
        Self {
            head: Head::new(kind, id.into()),
            data,
        }
    }
}

impl Reference {
    /// As a source writes it: without target and name.
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            target: None,
            name: None,
        }
    }

    /// As a destination reads it back: by the object it points to, of which alone it knows.
    pub fn to(kind: Kind, target: impl ToString) -> Self {
        let id = target.to_string();
        Self::new(kind, id.clone()).at(id)
    }

    /// With the destination's id, as the host gives it once it knows it.
    #[must_use]
    pub fn at(self, target: impl Into<String>) -> Self {
        Self {
            target: Some(target.into()),
            ..self
        }
    }

    /// With what a person calls it, as the host gives it.
    #[must_use]
    pub fn called(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }
}

impl Address {
    /// Neither primary nor shared, and not known to be verified.
    pub fn new(channel: AddressChannel, value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            channel,
            label: None,
            verified: None,
            shared: false,
            primary: false,
        }
    }
}

impl Company {
    /// A company of which only the name is known.
    pub fn called(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            addresses: Vec::new(),
            domains: Vec::new(),
            locations: Vec::new(),
            parent: None,
            tags: Vec::new(),
            employee_count: None,
            language: None,
            avatar_url: None,
        }
    }
}

impl Customer {
    /// A person of whom nothing is known.
    pub const fn empty() -> Self {
        Self {
            name: None,
            display_name: None,
            first_name: None,
            last_name: None,
            username: None,
            company: None,
            company_name: None,
            addresses: Vec::new(),
            external_ids: Vec::new(),
            locations: Vec::new(),
            tags: Vec::new(),
            locale: None,
            language: None,
            time_zone: None,
            gender: None,
            birthday: None,
            avatar_url: None,
            verified: None,
            signed_up_at: None,
            last_seen_at: None,
            last_activity_at: None,
            satisfaction: None,
            merged_from: Vec::new(),
            merged_into: None,
            watchers: Vec::new(),
            conversation_count: None,
        }
    }
}

impl Conversation {
    /// An open conversation of nobody.
    pub const fn empty() -> Self {
        Self {
            customer: None,
            subject: None,
            preview: None,
            status: ConversationStatus::Open,
            sub_status: None,
            snooze_until: None,
            snooze_status: None,
            priority: None,
            assignees: Vec::new(),
            teams: Vec::new(),
            queue: None,
            channels: Vec::new(),
            brand: None,
            tags: Vec::new(),
            direction: Direction::None,
            language: None,
            satisfaction: None,
            sla: None,
            spam: false,
            locked: false,
            ended_at: None,
            ended_reason: None,
            merged_into: None,
            linked: Vec::new(),
            closed_at: None,
            first_response_at: None,
            last_activity_at: None,
            message_count: None,
            note_count: None,
        }
    }
}

impl Delivery {
    /// Nothing is known of it.
    pub const fn unknown() -> Self {
        Self {
            status: DeliveryStatus::Unknown,
            error: None,
            failed_at: None,
        }
    }
}

impl Message {
    /// A public message by the system, without text.
    pub const fn empty() -> Self {
        Self {
            conversation: None,
            customer: None,
            visibility: Visibility::Public,
            direction: Direction::None,
            channel: None,
            app: None,
            author: Author::System,
            subject: None,
            sender: None,
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            message_id: None,
            in_reply_to: None,
            text: None,
            html: None,
            body_source: BodySource::Full,
            size: None,
            sent_at: None,
            delivery: Delivery::unknown(),
            auto: false,
            bulk: false,
            redacted: false,
            spam: false,
            forwarded: false,
            call: None,
            reactions: Vec::new(),
            mentions: Vec::new(),
            links: Vec::new(),
            read_at: None,
            language: None,
            attachment_count: None,
        }
    }
}

impl Attachment {
    /// A file of a record, there to be fetched.
    pub fn of(parent: Reference, name: impl Into<String>) -> Self {
        Self {
            parent,
            conversation: None,
            name: name.into(),
            media_type: None,
            size: None,
            inline: false,
            content_id: None,
            body_url: None,
            state: AttachmentState::Available,
            content: None,
            locator: None,
        }
    }
}

impl CustomObject {
    /// A record of an object type of which only the title is known.
    pub fn of(object_type: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            object_type: object_type.into(),
            title: title.into(),
            description: None,
            icon: None,
            images: Vec::new(),
            customer: None,
            company: None,
            conversation: None,
            status: None,
            assignee: None,
            queue: None,
            tags: Vec::new(),
            comments: Vec::new(),
            data: None,
            closed_at: None,
        }
    }
}

impl Item {
    /// A record to be written for the first time, by the default policy.
    pub fn new(key: impl Into<String>, marker: impl Into<String>, body: impl Into<Body>) -> Self {
        Self {
            key: key.into(),
            body: body.into(),
            values: Vec::new(),
            policy: MatchPolicy::FillEmpty,
            existing: None,
            marker: marker.into(),
            in_doubt_since: None,
            notes: Vec::new(),
            prior: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_replaces_what_is_empty_and_nothing_else() {
        let message = Message {
            channel: Some("email".to_owned()),
            ..Message::empty()
        };
        assert_eq!(message.channel.as_deref(), Some("email"));
        assert_eq!(message.delivery, Delivery::unknown());
        let known = Reference::new(Kind::Agent, "a1").at("19").called("Ana");
        assert_eq!(
            (known.target.as_deref(), known.name.as_deref()),
            (Some("19"), Some("Ana"))
        );
        let item = Item::new(
            "k",
            "desk:org:tag:t",
            Entry::new(
                Kind::Other("x".to_owned()),
                "t",
                Entity::Other("{}".to_owned()),
            ),
        );
        assert_eq!(
            item.entry().head,
            Head::new(Kind::Other("x".to_owned()), "t".to_owned())
        );
        assert_eq!(item.policy, MatchPolicy::FillEmpty);
    }
}
