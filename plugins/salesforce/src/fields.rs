//! The custom fields that the connector makes for itself, and the marker that stands in one of them.
//!
//! [`SOURCE_ID`] is a *unique* external id: an insert that was applied already is refused by it with the id of the record that
//! is there (Salesforce facts §12), so inserts may be repeated. It carries the item's marker,
//! `platform:organisation:kind:id`. [`RUN`] says which run made a record, and is never set on one that was matched.

use serde_json::{Map, Value, json};
use transload_sdk::effects::marker_within;
pub use transload_sdk::effects::part_marker;
use transload_sdk::types::Head;

use crate::map;

/// The item's marker: text, unique, case-sensitive, external id.
pub const SOURCE_ID: &str = "Transload_Source_Id__c";
/// The run that made the record: proof that it is ours (rule D-4).
pub const RUN: &str = "Transload_Run__c";
/// When the source says the record was made; also where Salesforce's own time is kept (Salesforce facts §11).
pub const CREATED_AT: &str = "Transload_Created_At__c";
/// When the source says the conversation was closed.
pub const CLOSED_AT: &str = "Transload_Closed_At__c";
/// Where a person finds the record in the source.
pub const SOURCE_URL: &str = "Transload_Source_Url__c";
/// Tags, `;a;b;`, so that one is found whole.
pub const TAGS: &str = "Transload_Tags__c";
/// The priority with its scale, in words.
pub const PRIORITY: &str = "Transload_Priority__c";
/// All channels of a conversation.
pub const CHANNELS: &str = "Transload_Channels__c";
/// Addresses beyond the one e-mail and the two numbers that a person has here.
pub const ADDRESSES: &str = "Transload_Addresses__c";
/// Ids of records that were merged into this one (rule M-7).
pub const MERGED_IDS: &str = "Transload_Merged_Ids__c";
/// What points to the record and no lookup shows, a line each (rule M-15).
pub const LINKS: &str = "Transload_Linked_From__c";
/// The source card (rule M-2).
pub const CARD: &str = "Transload_Source_Card__c";
/// Lookups of records of custom objects to whom and what they belong to (rule M-15).
pub const CONTACT: &str = "Transload_Contact__c";
/// To the company.
pub const ACCOUNT: &str = "Transload_Account__c";
/// To the conversation.
pub const CASE: &str = "Transload_Case__c";

/// Characters that [`SOURCE_ID`] holds (Salesforce facts §10.1).
const SOURCE_ID_CHARS: usize = 255;
/// Characters of the long text fields that hold lists.
pub const LIST_CHARS: usize = 32_768;
/// Characters of the source card, the most that a long text area holds (Salesforce facts §10.1).
pub const CARD_CHARS: usize = 131_072;

/// What kind of field an own field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnType {
    /// The marker.
    Marker,
    /// Text of so many characters.
    Text(usize),
    /// Long text of so many characters.
    Long(usize),
    /// A time.
    Time,
    /// An address of the web.
    Url,
    /// A lookup to an object.
    Lookup(&'static str),
}

/// An own field: name, label, type.
pub type Own = (&'static str, &'static str, OwnType);

const ID: Own = (SOURCE_ID, "Source ID", OwnType::Marker);
const OF_RUN: Own = (RUN, "Migration run", OwnType::Text(80));
const CREATED: Own = (CREATED_AT, "Created in the source", OwnType::Time);
const URL: Own = (SOURCE_URL, "Source URL", OwnType::Url);
const OF_TAGS: Own = (TAGS, "Source tags", OwnType::Long(LIST_CHARS));
const LINKED: Own = (LINKS, "Linked from", OwnType::Long(LIST_CHARS));
const OF_CARD: Own = (CARD, "Source card", OwnType::Long(CARD_CHARS));
const MERGED: Own = (MERGED_IDS, "Merged source IDs", OwnType::Long(LIST_CHARS));
const OTHERS: Own = (ADDRESSES, "Other addresses", OwnType::Long(LIST_CHARS));

const PERSON: &[Own] = &[
    ID, OF_RUN, CREATED, URL, OF_TAGS, OTHERS, MERGED, LINKED, OF_CARD,
];

/// The own fields of a standard object. Tasks share the fields of activities (Salesforce facts §10.1); case comments, feed
/// items and links between files and records can have none.
pub fn of_object(object: &str) -> &'static [Own] {
    match object {
        "Account" => &[ID, OF_RUN, CREATED, URL, OF_TAGS, LINKED, OF_CARD],
        "Contact" | "Lead" => PERSON,
        "Case" => &[
            ID,
            OF_RUN,
            CREATED,
            (CLOSED_AT, "Closed in the source", OwnType::Time),
            URL,
            OF_TAGS,
            (PRIORITY, "Source priority", OwnType::Text(80)),
            (CHANNELS, "Source channels", OwnType::Text(255)),
            LINKED,
            OF_CARD,
        ],
        "EmailMessage" | "ContentVersion" | "Task" => &[ID, OF_RUN],
        _ => &[],
    }
}

/// The own fields of a custom object.
pub const CUSTOM_OBJECT: &[Own] = &[
    ID,
    OF_RUN,
    CREATED,
    URL,
    (CONTACT, "Contact (source)", OwnType::Lookup("Contact")),
    (ACCOUNT, "Account (source)", OwnType::Lookup("Account")),
    (CASE, "Case (source)", OwnType::Lookup("Case")),
    OF_TAGS,
    LINKED,
    OF_CARD,
];

/// The object on which a field of `object` is made: those of tasks are made on activities (Salesforce facts §10.1).
pub fn made_on(object: &str) -> &str {
    if object == "Task" { "Activity" } else { object }
}

/// The value of [`SOURCE_ID`].
pub fn source_id(marker: &str) -> String {
    marker_within(marker, SOURCE_ID_CHARS)
}

/// Says in a record's own fields which record of the source it is, where that is, when it was made, and which run made this
/// one.
pub fn own_values(run: &str, marker: &str, head: &Head, values: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| values.insert(name.to_owned(), value);
    set(SOURCE_ID, json!(source_id(marker)));
    set(RUN, json!(run));
    if let Some(at) = head.created_at {
        set(CREATED_AT, json!(map::datetime(at)));
    }
    // A URL field holds 255 characters.
    if let Some(url) = head.url.as_ref().filter(|url| url.chars().count() <= 255) {
        set(SOURCE_URL, json!(url));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_is_too_long_stays_distinct_within_the_length() {
        let long = |end: &str| format!("kustomer:org:relationship:{}{end}", "x".repeat(300));
        assert_eq!(source_id("kustomer:org:case:1"), "kustomer:org:case:1");
        assert_eq!(source_id(&long("a")).len(), SOURCE_ID_CHARS);
        assert_ne!(source_id(&long("a")), source_id(&long("b")));
    }
}
