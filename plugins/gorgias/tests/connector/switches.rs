//! What nobody knows of Gorgias: the connector works with either answer.

use crate::support::*;
use chrono::Duration;
use serde_json::Value;
use transload_sdk::destination::UndoMode;
use transload_sdk::types::{
    Address, AddressChannel, Author, Conversation, CustomObject, Customer, FieldType, Kind, Owner,
    Reference, Value as FieldValue,
};
use transload_simulators::gorgias::{
    CustomerDeletion, Switches, TimeForm, UnknownFieldValue, UnknownTag,
};

/// What is otherwise, in words, and how the account is made so.
type Position = (&'static str, fn(&mut Switches));

/// Something of every kind.
async fn everything(account: &Account) {
    account.people().await;
    let twin = Customer {
        name: Some("Bo".to_owned()),
        addresses: vec![Address::new(AddressChannel::Email, "bo@example.com")],
        ..Customer::empty()
    };
    let bare = customer("c3", vec![], Customer::empty());
    account
        .write(Kind::Customer, vec![customer("c2", vec![], twin), bare])
        .await;
    let owner = Owner {
        kind: Kind::Conversation,
        object_type: None,
    };
    let reason = definition(owner, "reasonStr", "Reason", FieldType::Choice);
    let reason = with_options(reason, &[("late", "Too late")]);
    account.write(Kind::FieldDefinition, vec![reason]).await;
    account
        .write(Kind::Team, vec![team("t1", "Second level")])
        .await;
    let fields = vec![field(
        "reasonStr",
        FieldValue::Choice("late".to_owned()),
        account.field_at("conversation", "reasonStr"),
    )];
    let mut first = said("m1", Author::Person(account.bo()), "Hi", DAY + 250);
    first.attachments.push(file("f1", "a.txt", 3));
    let data = Conversation {
        customer: Some(account.bo()),
        teams: vec![account.known(Reference::new(Kind::Team, "t1"))],
        ..Conversation::empty()
    };
    let parts = vec![
        first,
        said("m2", Author::Person(account.dana()), "Hello", DAY + 750),
    ];
    let made = account
        .write(Kind::Conversation, vec![thread("v1", fields, data, parts)])
        .await;
    assert!(made.iter().all(is_created), "{made:?}");
    let order = CustomObject {
        customer: Some(account.bo()),
        ..CustomObject::of("order", "Order 1")
    };
    account
        .write(Kind::CustomObject, vec![record("o1", vec![], order)])
        .await;
}

fn comparable(mut print: Value) -> Value {
    // Fields cannot be deleted.
    print["deleted"]["custom_fields"] = Value::Null;
    print
}

#[test]
fn everything_arrives_and_goes_away_whatever_the_account_is_like() {
    let positions: Vec<Position> = vec![
        ("times without a zone", |s| s.time_form = TimeForm::Bare),
        ("times with a zone", |s| s.time_form = TimeForm::Zoned),
        ("sub-seconds kept", |s| s.subseconds_kept = true),
        ("lists that are late", |s| {
            s.list_lag = Duration::seconds(30)
        }),
        ("unknown tags refused", |s| {
            s.unknown_tag = UnknownTag::Refused
        }),
        ("unknown tags dropped", |s| {
            s.unknown_tag = UnknownTag::Dropped
        }),
        ("notes and data by a change only", |s| {
            s.customer_create_refuses = ["note", "meta", "custom_fields"]
                .map(str::to_owned)
                .to_vec();
        }),
        ("any address by the e-mail filter", |s| {
            s.email_filter_any_channel = true
        }),
        ("nobody without an address", |s| s.bare_customer = false),
        ("external ids of customers unique", |s| {
            s.customer_external_id_unique = true
        }),
        ("tickets stay without their customer", |s| {
            s.customer_deletion = CustomerDeletion::TicketsStay
        }),
        ("no customer with tickets is deleted", |s| {
            s.customer_deletion = CustomerDeletion::Refused
        }),
        ("names of teams unique", |s| s.team_names_unique = true),
        ("a second tag answers with the first", |s| {
            s.duplicate_tag_refused = false
        }),
        ("labels of fields unique", |s| s.field_labels_unique = true),
        ("any value in a dropdown", |s| s.dropdown_enforced = false),
        ("unknown fields refused", |s| {
            s.unknown_field_value = UnknownFieldValue::Refused
        }),
        ("sizes as text", |s| s.upload_size_text = true),
        ("an empty answer to deletions of messages", |s| {
            s.message_deletion_status = 204
        }),
        ("receivers of customers' messages ignored", |s| {
            s.incoming_receiver_refused = false
        }),
    ];
    for (name, set) in positions {
        run(async {
            let mut account = Account::unprepared(|config| set(&mut config.switches));
            let before = comparable(account.print());
            account.prepare().await;
            everything(&account).await;
            let (ticket, messages) = account.ticket("v1");
            assert_eq!(messages.len(), 3, "{name}");
            assert_eq!(
                messages[0].body_text.as_deref(),
                Some("Hi"),
                "{name}: within a second the order stays"
            );
            let snapshot = account.snapshot();
            let reason = snapshot.ticket_field(&ticket, "Reason");
            assert_eq!(reason, Some(&Value::from("Too late")), "{name}");
            assert_undone(&account.rollback(UndoMode::Careful).await, name);
            assert_same(&before, &comparable(account.print()), name);
        });
    }
}
