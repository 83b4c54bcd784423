use super::super::fixtures::{EXTRACTION, conversation, customer, message, stage, surroundings};
use super::*;
use crate::contract::types::{Fidelity, Field, Kind, Loss, Text, Value as FieldValue};
use crate::store::sha256;

fn limits() -> Vec<TextLimit> {
    vec![
        TextLimit {
            kind: Kind::Message,
            field: "message.text".into(),
            characters: 10,
        },
        TextLimit {
            kind: Kind::Conversation,
            field: "conversation.subject".into(),
            characters: 10,
        },
    ]
}

fn look(entry: &Entry) -> Vec<(String, &'static str, u64, u64)> {
    let staged = serde_json::to_string(entry).unwrap();
    let stored = |_: &BlobRef| Some("stored: CafÃ©".to_owned());
    scan(entry, &staged, &limits(), &stored)
        .into_iter()
        .map(|found| (found.field, found.what.word(), found.at, found.count))
        .collect()
}

fn said(text: &str, body_source: BodySource) -> Entry {
    let mut entry = message("m1", Some("c1"), "u1");
    if let Entity::Message(message) = &mut entry.data {
        message.text = Some(Text::Inline(text.into()));
        message.body_source = body_source;
    }
    entry
}

fn one(
    field: &str,
    what: &'static str,
    at: u64,
    count: u64,
) -> Vec<(String, &'static str, u64, u64)> {
    vec![(field.to_owned(), what, at, count)]
}

#[test]
fn damage_is_found_where_it_is_and_nothing_of_the_text_is_kept() {
    let whole = BodySource::Full;
    assert_eq!(look(&said("Grüße, all is well…", whole)), []);
    assert_eq!(
        look(&said("Grüße: CafÃ© und naÃ¯v", whole)),
        one("message.text", "mojibake", 10, 2)
    );
    assert_eq!(
        look(&said("ü\u{fffd}b\u{fffd}", whole)),
        one("message.text", "replacement-character", 1, 2)
    );
    let staged = serde_json::to_string(&said("hush CafÃ©", whole)).unwrap();
    let found = scan(&said("hush CafÃ©", whole), &staged, &[], &|_| None);
    assert!(!format!("{found:?}").contains("hush") && !format!("{found:?}").contains("Caf"));
}

#[test]
fn a_text_as_long_as_the_sources_longest_is_suspected_unless_the_source_says_that_it_is_whole() {
    let ten = "0123456789";
    assert_eq!(
        look(&said(ten, BodySource::Rendering)),
        one("message.text", "cut", 10, 1)
    );
    assert_eq!(look(&said(ten, BodySource::Full)), []);
    assert_eq!(look(&said("01234567", BodySource::Rendering)), []);
    assert_eq!(look(&said("0123456789a", BodySource::Rendering)), []);
    // In UTF-16 units, of which an emoji is two.
    assert_eq!(
        look(&said("01234567👍", BodySource::Rendering)),
        one("message.text", "cut", 10, 1)
    );
    assert_eq!(
        look(&said("short", BodySource::Truncated)),
        one("message.text", "cut", 0, 1)
    );
    let mut entry = conversation("c1", "u1", "Open".into());
    if let Entity::Conversation(conversation) = &mut entry.data {
        conversation.subject = Some(ten.into());
    }
    assert_eq!(look(&entry), one("conversation.subject", "cut", 10, 1));
}

#[test]
fn masked_names_addresses_and_values_are_found_and_stars_that_people_type_are_not() {
    assert_eq!(look(&said("***", BodySource::Full)), []);
    let mut entry = customer("u1", &["j***@example.com", "ana@example.com"]);
    assert_eq!(
        look(&entry),
        one("customer.addresses.value", "masked", 0, 1)
    );
    if let Entity::Customer(customer) = &mut entry.data {
        customer.addresses.clear();
        customer.name = Some("•••••".into());
    }
    let field = |name: &str, value: &str| Field {
        name: name.into(),
        value: FieldValue::Text(value.into()),
        target: None,
    };
    // A card's number is masked by the business itself.
    entry.head.fields = vec![
        field("taxIdStr", "*****"),
        field("cardStr", "**** **** **** 1234"),
    ];
    entry.head.losses = vec![Loss {
        field: "fields.gone".into(),
        how: Fidelity::Lost,
        note: "masked: not for this key".into(),
    }];
    let found: Vec<_> = look(&entry)
        .into_iter()
        .map(|(field, what, ..)| (field, what))
        .collect();
    assert_eq!(
        found,
        [
            ("customer.name".to_owned(), "masked"),
            ("fields.gone".to_owned(), "masked"),
            ("fields.taxIdStr".to_owned(), "masked"),
        ]
    );
}

#[test]
fn a_long_text_that_is_kept_as_a_file_is_read_and_other_files_are_not() {
    let blob = |media_type: &str| BlobRef {
        sha256: "0".repeat(64),
        size: 70_000,
        media_type: media_type.into(),
    };
    let mut entry = said("", BodySource::Full);
    let mut with = |media_type: &str| {
        if let Entity::Message(message) = &mut entry.data {
            message.text = Some(Text::Stored(blob(media_type)));
        }
        look(&entry)
    };
    assert_eq!(
        with("text/plain; charset=utf-8"),
        one("message.text", "mojibake", 11, 1)
    );
    assert_eq!(with("image/png"), []);
}

#[tokio::test]
async fn only_what_is_in_rows_as_they_are_now_counts() {
    let (dir, around) = surroundings("r1").await;
    let store = &around.store;
    let damaged = said("CafÃ©", BodySource::Full);
    let mended = said("Café", BodySource::Full);
    let hash = |entry: &Entry| sha256(&serde_json::to_string(entry).unwrap());
    let found = |entry: &Entry| {
        let staged = serde_json::to_string(entry).unwrap();
        let found = scan(entry, &staged, &[], &|_| None);
        statements(EXTRACTION, entry, &hash(entry), &found)
    };
    stage(store, std::slice::from_ref(&damaged)).await;
    // A page that is read again says the same again.
    store.write(found(&damaged)).await.unwrap();
    store.write(found(&damaged)).await.unwrap();
    let groups_now = groups(store, EXTRACTION).await.unwrap();
    assert_eq!(groups_now.len(), 1);
    assert_eq!(
        (groups_now[0].records, groups_now[0].examples[0].at),
        (1, 3)
    );
    let folder = dir.path().join("export");
    export(store, EXTRACTION, &folder).await.unwrap();
    let listed = std::fs::read_to_string(folder.join(FILE)).unwrap();
    assert_eq!(
        listed,
        "{\"kind\":\"message\",\"id\":\"m1\",\"field\":\"message.text\",\"what\":\"mojibake\",\
         \"pattern\":\"UTF-8 read as Latin-1 or Windows-1252\",\"at\":3,\"count\":1}\n"
    );
    // A newer row takes its place.
    store
        .write(vec![sql!(
            "UPDATE staged SET hash = $1 WHERE kind = 'message'",
            hash(&mended)
        )])
        .await
        .unwrap();
    assert_eq!(groups(store, EXTRACTION).await.unwrap(), []);
}
