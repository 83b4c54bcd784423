//! The contract's kinds and statuses as words, the way they are stored, configured and printed.

use crate::contract::types::{Entity, Entry, InventoryCategory, Kind};
use crate::error::Error;

/// The word for a kind.
#[must_use]
pub fn name(kind: &Kind) -> &str {
    match kind {
        Kind::Team => "team",
        Kind::Agent => "agent",
        Kind::Tag => "tag",
        Kind::Brand => "brand",
        Kind::Company => "company",
        Kind::Customer => "customer",
        Kind::Conversation => "conversation",
        Kind::Message => "message",
        Kind::Attachment => "attachment",
        Kind::FieldDefinition => "field-definition",
        Kind::ObjectType => "object-type",
        Kind::CustomObject => "custom-object",
        Kind::Relationship => "relationship",
        Kind::Category => "category",
        Kind::Article => "article",
        Kind::Other(name) => name,
    }
}

/// The kind of a word; an unknown word is a kind of a later contract.
#[must_use]
pub fn parse(word: &str) -> Kind {
    ALL.iter()
        .find(|kind| name(kind) == word)
        .cloned()
        .unwrap_or_else(|| Kind::Other(word.to_owned()))
}

/// Kinds of which an account has few, and which others are described by.
pub const DEFINITIONS: [Kind; 6] = [
    Kind::Team,
    Kind::Agent,
    Kind::Tag,
    Kind::Brand,
    Kind::ObjectType,
    Kind::FieldDefinition,
];

/// The kinds of this contract, each after the kinds it refers to: the order of reading and loading.
pub const ALL: [Kind; 15] = [
    Kind::Team,
    Kind::Agent,
    Kind::Tag,
    Kind::Brand,
    Kind::ObjectType,
    Kind::FieldDefinition,
    Kind::Company,
    Kind::Customer,
    Kind::Message,
    Kind::Attachment,
    Kind::Conversation,
    Kind::CustomObject,
    Kind::Relationship,
    Kind::Category,
    Kind::Article,
];

/// The word for a sort of inventory; of a further one the source's own.
#[must_use]
pub fn category(category: &InventoryCategory) -> &str {
    match category {
        InventoryCategory::Queue => "queue",
        InventoryCategory::Routing => "routing",
        InventoryCategory::Sla => "sla",
        InventoryCategory::Schedule => "schedule",
        InventoryCategory::Workflow => "workflow",
        InventoryCategory::CannedReply => "canned-reply",
        InventoryCategory::Survey => "survey",
        InventoryCategory::Snooze => "snooze",
        InventoryCategory::Role => "role",
        InventoryCategory::Sender => "sender",
        InventoryCategory::Webhook => "webhook",
        InventoryCategory::BlockList => "block-list",
        InventoryCategory::View => "view",
        InventoryCategory::Report => "report",
        InventoryCategory::HelpCenter => "help-center",
        InventoryCategory::Other(word) => word,
    }
}

/// Whether all these words are kinds of this contract.
///
/// # Errors
/// `unknown-kind` for the first that is not.
pub fn check(words: &[String]) -> Result<(), Error> {
    let is_known = |word: &&String| ALL.iter().any(|kind| name(kind) == word.as_str());
    match words.iter().find(|word| !is_known(word)) {
        None => Ok(()),
        Some(word) => {
            let known: Vec<&str> = ALL.iter().map(name).collect();
            Err(
                Error::input("unknown-kind", format!("there is no kind `{word}`"))
                    .with_hint(format!("kinds are: {}", known.join(", "))),
            )
        }
    }
}

/// The record that an entry hangs on: the conversation of a message, the carrier of an attachment.
#[must_use]
pub fn parent(entry: &Entry) -> Option<&str> {
    match &entry.data {
        Entity::Message(message) => message.conversation.as_ref().map(|r| r.id.as_str()),
        Entity::Attachment(attachment) => Some(attachment.parent.id.as_str()),
        _ => None,
    }
}

/// The time by which an entry is ordered among its siblings.
#[must_use]
pub fn sort_at(entry: &Entry) -> i64 {
    let sent = match &entry.data {
        Entity::Message(message) => message.sent_at,
        _ => None,
    };
    sent.or(entry.head.created_at).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_own_word() {
        for kind in ALL {
            assert_eq!(parse(name(&kind)), kind);
        }
        assert_eq!(parse("poll"), Kind::Other("poll".into()));
    }
}
