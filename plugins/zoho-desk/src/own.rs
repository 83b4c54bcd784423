//! The fields that the connector makes for itself.
//!
//! Zoho Desk makes the API names out of the labels, in one of several ways (Zoho Desk facts §8): [`crate::state::State::own`] has
//! those that it made. None of them is ever set on somebody else's behalf: [`RUN`] is not on what was only changed.

use crate::map::Owner;

/// Our marker: a record is found by it.
pub const MARKER: &str = "marker";
/// The run that made the record: proof that it is ours (rule D-4).
pub const RUN: &str = "run";
/// Where a person finds the record in the source.
pub const URL: &str = "url";
/// When the source says that the record was made.
pub const CREATED: &str = "created";
/// When the source says that it was changed last.
pub const UPDATED: &str = "updated";
/// When the source says that the conversation ended.
pub const CLOSED: &str = "closed";
/// The priority with its scale, in words.
pub const PRIORITY: &str = "priority";
/// All channels of a conversation.
pub const CHANNELS: &str = "channels";
/// The source card, where somebody else's description is, or where nothing else takes it.
pub const CARD: &str = "card";
/// Ids of records that were merged into this one (rule M-7).
pub const MERGED: &str = "merged";
/// What points to the record, a line each (rule M-15).
pub const LINKS: &str = "links";
/// The customer of a record of a custom module.
pub const CUSTOMER: &str = "customer";
/// Its company.
pub const COMPANY: &str = "company";
/// Its conversation.
pub const TICKET: &str = "ticket";
/// Says by its label whose records a module holds; it has no values.
pub const TYPE: &str = "type";

/// A field: its key, Zoho Desk's type, its label.
pub type Own = (&'static str, &'static str, &'static str);

/// Of everything.
const SOURCE: [Own; 5] = [
    (MARKER, "Text", "Transload source id"),
    (RUN, "Text", "Transload run"),
    (URL, "Text", "Transload source link"),
    (CREATED, "DateTime", "Transload created at"),
    (UPDATED, "DateTime", "Transload updated at"),
];

const TICKETS: [Own; 4] = [
    (CLOSED, "DateTime", "Transload closed at"),
    (PRIORITY, "Text", "Transload priority"),
    (CHANNELS, "Text", "Transload channels"),
    SOURCE_CARD,
];

const CONTACTS: [Own; 3] = [
    (MERGED, "Textarea", "Transload merged ids"),
    LINKED_FROM,
    SOURCE_CARD,
];

const ACCOUNTS: [Own; 2] = [LINKED_FROM, SOURCE_CARD];

const RECORDS: [Own; 5] = [
    LINKED_FROM,
    SOURCE_CARD,
    (CUSTOMER, "contacts", "Customer"),
    (COMPANY, "accounts", "Company"),
    (TICKET, "tickets", "Conversation"),
];

const LINKED_FROM: Own = (LINKS, "Textarea", "Transload linked from");
const SOURCE_CARD: Own = (CARD, "Textarea", "Transload source card");

/// The fields of an owner.
pub fn of(owner: Owner) -> Vec<Own> {
    let more: &[Own] = match owner {
        Owner::Ticket => &TICKETS,
        Owner::Contact => &CONTACTS,
        Owner::Account => &ACCOUNTS,
    };
    [&SOURCE, more].concat()
}

/// Of every custom module; those that look up have the module that they look into as their type.
pub fn of_records() -> Vec<Own> {
    [SOURCE.as_slice(), &RECORDS].concat()
}
