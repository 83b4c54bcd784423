//! The properties that the connector makes for itself, and the marker that stands in one of them.
//!
//! [`SOURCE_ID`] is unique: a creation that was applied already is refused by it with the id of the record that is there (HubSpot
//! facts §3.4), so creations may be repeated, and records are found by it without the search index (HubSpot facts §0.5). It
//! carries the item's marker, `platform:organisation:kind:id`. [`RUN`] says which run made a record, and is never set on one
//! that was matched.
//!
//! A property that was deleted keeps its name for ninety days (HubSpot facts §10.3), so after a rollback the next run's are
//! called otherwise: [`crate::state::State::name`] says how.

use serde_json::{Map, Value, json};
use transload_sdk::effects::marker_within;
pub use transload_sdk::effects::part_marker;
use transload_sdk::types::Head;

use crate::map;
use crate::state::State;

/// The group that they are in.
pub const GROUP: &str = "transload";

/// The item's marker, unique.
pub const SOURCE_ID: &str = "transload_source_id";
/// The run that made the record: proof that it is ours (rule D-4).
pub const RUN: &str = "transload_run";
/// When the source says the record was made.
pub const CREATED_AT: &str = "transload_created_at";
/// When the source says the conversation was closed.
pub const CLOSED_AT: &str = "transload_closed_at";
/// Until when the conversation sleeps.
pub const SNOOZED_UNTIL: &str = "transload_snoozed_until";
/// Where a person finds the record in the source.
pub const SOURCE_URL: &str = "transload_source_url";
/// Tags: options, or text `;a;b;`.
pub const TAGS: &str = "transload_tags";
/// The priority with its scale, in words.
pub const PRIORITY: &str = "transload_priority";
/// All channels of a conversation.
pub const CHANNELS: &str = "transload_channels";
/// The brand's name.
pub const BRAND: &str = "transload_brand";
/// Addresses beyond those that a person has here.
pub const ADDRESSES: &str = "transload_addresses";
/// Ids of records that were merged into this one (rule M-7).
pub const MERGED_IDS: &str = "transload_merged_ids";
/// What a record of a custom object is called.
pub const TITLE: &str = "transload_title";
/// The source card (rule M-2).
pub const CARD: &str = "transload_source_card";

/// Characters of a text (HubSpot facts §10.2).
pub const TEXT_CHARS: usize = 65_536;
/// Characters of a marker that are kept.
const MARKER_CHARS: usize = 255;

/// The types of activities.
pub const ACTIVITIES: [&str; 4] = ["emails", "notes", "calls", "communications"];

/// What kind of property an own one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnType {
    /// The marker.
    Marker,
    /// One line.
    Text,
    /// Several lines.
    Long,
    /// A time.
    Time,
    /// Tags: checkboxes, or several lines, as the settings say.
    Tags,
}

/// An own property: key, label, type. The key is its name unless that is taken.
pub type Own = (&'static str, &'static str, OwnType);

const ID: Own = (SOURCE_ID, "Source ID", OwnType::Marker);
const OF_RUN: Own = (RUN, "Migration run", OwnType::Text);
const CREATED: Own = (CREATED_AT, "Created in the source", OwnType::Time);
const URL: Own = (SOURCE_URL, "Source URL", OwnType::Text);
const OF_TAGS: Own = (TAGS, "Source tags", OwnType::Tags);
const OF_CARD: Own = (CARD, "Source card", OwnType::Long);

/// The own properties of an object type.
pub fn of_object(object: &str) -> &'static [Own] {
    match object {
        "contacts" => &[
            ID,
            OF_RUN,
            CREATED,
            URL,
            OF_TAGS,
            (ADDRESSES, "Other addresses", OwnType::Long),
            (MERGED_IDS, "Merged source IDs", OwnType::Long),
            OF_CARD,
        ],
        "companies" => &[ID, OF_RUN, CREATED, URL, OF_TAGS, OF_CARD],
        "tickets" => &[
            ID,
            OF_RUN,
            CREATED,
            (CLOSED_AT, "Closed in the source", OwnType::Time),
            (SNOOZED_UNTIL, "Snoozed until", OwnType::Time),
            URL,
            OF_TAGS,
            (PRIORITY, "Source priority", OwnType::Text),
            (CHANNELS, "Source channels", OwnType::Text),
            (BRAND, "Source brand", OwnType::Text),
            OF_CARD,
        ],
        "emails" | "notes" | "calls" | "communications" => &[ID, OF_RUN, OF_CARD],
        object if is_custom(object) => &[
            (TITLE, "Title", OwnType::Text),
            ID,
            OF_RUN,
            CREATED,
            URL,
            OF_TAGS,
            OF_CARD,
        ],
        _ => &[],
    }
}

/// Whether an object type is a custom object, by the name that paths have (`p1234_order`).
pub fn is_custom(object: &str) -> bool {
    let digits = object
        .strip_prefix('p')
        .and_then(|rest| rest.split_once('_'));
    digits
        .is_some_and(|(digits, _)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The value of [`SOURCE_ID`].
pub fn source_id(marker: &str) -> String {
    marker_within(marker, MARKER_CHARS)
}

/// Says in a record's own properties which record of the source it is, where that is, when it was made, and which run made this
/// one. What the object type has no own property for is left out.
pub fn values(
    state: &State,
    object: &str,
    run: &str,
    marker: &str,
    head: &Head,
    values: &mut Map<String, Value>,
) {
    let mut set = |key: &'static str, value: String| {
        if let Some(name) = state.name(object, key) {
            values.insert(name.to_owned(), json!(value));
        }
    };
    set(SOURCE_ID, source_id(marker));
    set(RUN, run.to_owned());
    if let Some(at) = head.created_at.and_then(map::datetime) {
        set(CREATED_AT, at);
    }
    if let Some(url) = &head.url {
        set(SOURCE_URL, url.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_is_too_long_stays_distinct_within_the_length() {
        let long = |end: &str| format!("kustomer:org:relationship:{}{end}", "x".repeat(300));
        assert_eq!(source_id("kustomer:org:case:1"), "kustomer:org:case:1");
        assert_eq!(source_id(&long("a")).len(), MARKER_CHARS);
        assert_ne!(source_id(&long("a")), source_id(&long("b")));
    }

    #[test]
    fn custom_objects_are_known_by_their_qualified_names() {
        assert!(is_custom("p44218907_order"));
        for object in ["contacts", "p_order", "px_order", "2-1"] {
            assert!(!is_custom(object), "{object}");
        }
    }
}
