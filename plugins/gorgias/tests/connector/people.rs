//! Customers: found before they are made, never two as one, left or filled as the policy says, and put back.

use crate::support::*;
use transload_plugin_gorgias::Gorgias;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, MatchPolicy, UndoMode};
use transload_sdk::ledger::{Status, UndoStatus};
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, Entity, FieldType, Kind, Owner, Reference, Value,
};
use transload_simulators::gorgias::Switches;
use transload_simulators::gorgias::model::ObjectType;

fn with_email(name: &str, emails: &[&str]) -> Customer {
    Customer {
        name: Some(name.to_owned()),
        addresses: emails
            .iter()
            .map(|e| Address::new(AddressChannel::Email, *e))
            .collect(),
        ..Customer::empty()
    }
}

fn policy(items: Vec<Item>, policy: MatchPolicy) -> Vec<Item> {
    items
        .into_iter()
        .map(|item| Item { policy, ..item })
        .collect()
}

#[test]
fn who_is_there_is_left_filled_or_overwritten_and_put_back() {
    for (wanted, status, name) in [
        (MatchPolicy::Leave, "matched", "Old Customer"),
        (MatchPolicy::FillEmpty, "updated", "Old Customer"),
        (MatchPolicy::SourceWins, "updated", "Olga Old"),
    ] {
        run(async {
            let account = Account::new().await;
            let before = account.print();
            let old = with_email(
                "Olga Old",
                &["old.customer@example.com", "olga@work.example"],
            );
            let items = policy(vec![customer("c1", vec![], old)], wanted);
            let items = account.matched(Kind::Customer, items).await;
            assert!(items[0].existing.is_some(), "{wanted:?}");
            let outcomes = account.write(Kind::Customer, items).await;
            let word = match outcomes[0].status {
                Status::Matched => "matched",
                Status::Updated => "updated",
                _ => "other",
            };
            assert_eq!(word, status, "{wanted:?}: {outcomes:?}");
            let snapshot = account.snapshot();
            let there = snapshot
                .customer_by_email("old.customer@example.com")
                .unwrap();
            assert_eq!(there.name, name, "{wanted:?}");
            let added = there
                .channels
                .iter()
                .any(|c| c.address == "olga@work.example");
            assert_eq!(added, wanted != MatchPolicy::Leave, "{wanted:?}");
            assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
            let kept = account.print();
            let (mut before, mut kept) = (before, kept);
            // What the connector itself made is gone with the rollback, too.
            for state in [&mut before, &mut kept] {
                state["customers"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|c| !c.to_string().contains("not migrated"));
                state["tags"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|t| !t.to_string().contains("imported-"));
            }
            assert_same(&before, &kept, "as it was");
        });
    }
}

#[test]
fn a_second_one_with_an_address_of_the_first_has_a_record_of_their_own() {
    run(async {
        let account = Account::new().await;
        account
            .write(
                Kind::Customer,
                vec![customer(
                    "c1",
                    vec![],
                    with_email("Bo", &["bo@example.com"]),
                )],
            )
            .await;
        let twin = with_email("Bo", &["bo@example.com", "second@example.com"]);
        let items = account
            .matched(Kind::Customer, vec![customer("c2", vec![], twin)])
            .await;
        let outcomes = account.write(Kind::Customer, items).await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let second = account.customer("c2");
        let addresses: Vec<&str> = second.channels.iter().map(|c| c.address.as_str()).collect();
        assert_eq!(addresses, ["second@example.com"]);
        assert!(second.note.unwrap().contains("email bo@example.com"));
        assert!(
            outcomes[0]
                .losses
                .iter()
                .any(|loss| loss.field == "customer.addresses")
        );
        assert_eq!(account.customer("c1").channels.len(), 1);
    });
}

#[test]
fn a_taken_address_of_somebody_of_the_account_matches_where_nobody_looked_before() {
    run(async {
        let account = Account::new().await;
        let known = with_email("Second Customer", &["second.customer@example.com"]);
        // No match was asked for: the refusal shows that somebody is there.
        let outcomes = account
            .write(Kind::Customer, vec![customer("c1", vec![], known)])
            .await;
        assert!(
            matches!(outcomes[0].status, Status::Updated),
            "{outcomes:?}"
        );
        let there = account.customer("c1");
        assert_eq!(there.email.as_deref(), Some("second.customer@example.com"));
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        let snapshot = account.snapshot();
        let there = snapshot
            .customer_by_email("second.customer@example.com")
            .unwrap();
        assert_eq!((&there.external_id, &there.note), (&None, &None));
    });
}

#[test]
fn nobody_is_fused_with_a_doubtful_candidate() {
    run(async {
        let account = Account::new().await;
        account
            .write(Kind::Customer, vec![customer("c1", vec![], bo())])
            .await;
        // The same number, another name.
        let other = Customer {
            name: Some("Kim Lee".to_owned()),
            addresses: vec![Address::new(AddressChannel::Phone, "+15555550123")],
            ..Customer::empty()
        };
        let mut account = account;
        account.run = "r2".to_owned();
        account.prepare().await;
        let items = account
            .matched(Kind::Customer, vec![customer("c2", vec![], other)])
            .await;
        assert!(
            items[0]
                .existing
                .as_ref()
                .is_some_and(|c| c.doubtful.is_some())
        );
        let outcomes = account.write(Kind::Customer, items).await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        assert_eq!(account.customer("c2").channels, []);
        assert_eq!(account.customer("c1").name, "Bo Ng");
    });
}

#[test]
fn notes_and_data_that_a_creation_does_not_take_come_by_a_change() {
    run(async {
        let refuses = |switches: &mut Switches| {
            switches.customer_create_refuses = ["note", "meta", "custom_fields"]
                .map(str::to_owned)
                .to_vec();
        };
        let mut account = Account::unprepared(|config| refuses(&mut config.switches));
        let before = account.print();
        account.prepare().await;
        let outcomes = account
            .write(
                Kind::Customer,
                vec![
                    customer("c1", vec![], bo()),
                    customer("c2", vec![], Customer::empty()),
                ],
            )
            .await;
        assert!(outcomes.iter().all(is_created), "{outcomes:?}");
        let made = account.customer("c1");
        assert!(made.note.unwrap().contains("Source id: c1"));
        assert_eq!(made.meta["transload_run"], "r1");
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.print(), "as it was");
    });
}

#[test]
fn four_attributes_have_a_field_and_the_rest_stands_on_the_note() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.print();
        account.prepare().await;
        let acme = company(
            "k1",
            vec![],
            Company {
                domains: vec!["acme.example".to_owned()],
                ..Company::called("Acme / Sons")
            },
        );
        account.write(Kind::Company, vec![acme]).await;
        let owner = || Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        let of = |name: &str, kind| definition(owner(), name, name, kind);
        let names = ["tierStr", "pointsNum", "cityStr", "vipBool"];
        let kinds = [
            FieldType::Text,
            FieldType::Integer,
            FieldType::Text,
            FieldType::Boolean,
        ];
        let mut items: Vec<Item> = names.iter().zip(kinds).map(|(n, k)| of(n, k)).collect();
        // The most used first: the account has one field, and the company's name has the second.
        for (item, used) in items.iter_mut().zip([5, 90, 80, 1]) {
            if let Some(Entity::FieldDefinition(definition)) =
                item.body.entries.first_mut().map(|e| &mut e.data)
            {
                definition.used = Some(used);
            }
        }
        let outcomes = account.write(Kind::FieldDefinition, items).await;
        let by_item = |name: &str| {
            let key = format!("field-definition:customer/{name}");
            outcomes.iter().find(|o| o.item == key).unwrap()
        };
        assert!(is_created(by_item("pointsNum")) && is_created(by_item("cityStr")));
        for name in ["tierStr", "vipBool"] {
            assert!(
                matches!(by_item(name).status, Status::Exported(_)),
                "{name}"
            );
            assert_eq!(by_item(name).losses.len(), 1, "{name}");
        }
        let at = |name: &str| account.field_at("customer", name);
        let fields = vec![
            field("pointsNum", Value::Integer(42), at("pointsNum")),
            field("cityStr", Value::Text("Bern".to_owned()), at("cityStr")),
            field("tierStr", Value::Text("gold".to_owned()), at("tierStr")),
        ];
        let data = Customer {
            company: Some(account.known(Reference::new(Kind::Company, "k1"))),
            ..bo()
        };
        let outcomes = account
            .write(Kind::Customer, vec![customer("c1", fields, data)])
            .await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        assert!(
            outcomes[0]
                .losses
                .iter()
                .any(|loss| loss.field == "fields.tierStr")
        );
        let snapshot = account.snapshot();
        let made = account.customer("c1");
        for (label, value) in [
            ("Company", "Acme / Sons".into()),
            ("pointsNum", 42.into()),
            ("cityStr", serde_json::json!("Bern")),
        ] {
            assert_eq!(
                snapshot.customer_field(&made, label),
                Some(&value),
                "{label}"
            );
        }
        let note = made.note.unwrap();
        assert!(
            note.contains("field tierStr: gold") && note.contains("company domains: acme.example"),
            "{note}"
        );
        assert!(snapshot.field(ObjectType::Customer, "vipBool").is_none());

        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        let mut after = account.print();
        let archived = after["deleted"]["custom_fields"].take();
        assert_eq!(
            archived.as_array().unwrap().len(),
            3,
            "archived, as declared"
        );
        after["deleted"]["custom_fields"] = before["deleted"]["custom_fields"].clone();
        assert_same(&before, &after, "as it was");

        // Another run brings the archived fields back rather than making more.
        account.run = "r2".to_owned();
        account.prepare().await;
        let again = of("pointsNum", FieldType::Integer);
        let outcomes = account.write(Kind::FieldDefinition, vec![again]).await;
        assert!(
            matches!(outcomes[0].status, Status::Updated),
            "{outcomes:?}"
        );
        let fields = account.snapshot().fields;
        assert_eq!(fields.iter().filter(|f| f.label == "pointsNum").count(), 1);
    });
}

#[test]
fn the_user_says_which_attributes_have_a_field() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        account.set("customer_fields", vec!["cityStr".to_owned()]);
        account.prepare().await;
        let owner = || Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        let items = ["tierStr", "cityStr"].map(|n| definition(owner(), n, n, FieldType::Text));
        let outcomes = account.write(Kind::FieldDefinition, items.to_vec()).await;
        let made: Vec<&str> = outcomes
            .iter()
            .filter(|o| is_created(o))
            .map(|o| o.item.as_str())
            .collect();
        assert_eq!(made, ["field-definition:customer/cityStr"]);
        account
            .write(
                Kind::Company,
                vec![company("k1", vec![], Company::called("Acme"))],
            )
            .await;
        assert!(
            account
                .snapshot()
                .field(ObjectType::Customer, "Company")
                .is_none()
        );
    });
}

#[test]
fn a_customer_with_tickets_of_others_or_who_was_merged_is_a_conflict() {
    run(async {
        let account = Account::new().await;
        let one = with_email("One", &["one@example.com"]);
        let two = with_email("Two", &["two@example.com"]);
        account
            .write(
                Kind::Customer,
                vec![customer("c1", vec![], one), customer("c2", vec![], two)],
            )
            .await;
        let (first, second) = (account.customer("c1").id, account.customer("c2").id);
        let old = account.snapshot().tickets[0].id;
        account
            .sim
            .edit_ticket(old, |ticket| ticket.customer_id = Some(first))
            .unwrap();
        let survivor = account
            .snapshot()
            .customer_by_email("old.customer@example.com")
            .unwrap()
            .id;
        account.sim.merge_customers(second, survivor).unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let reasons: Vec<&str> = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .filter_map(|o| o.reason.as_deref())
            .collect();
        assert_eq!(reasons.len(), 2, "{undone:?}");
        assert!(
            reasons.iter().any(|r| r.contains("merged"))
                && reasons.iter().any(|r| r.contains("1 tickets hang on it"))
        );
        // Even by force the survivor of a merge is not touched.
        account.rollback(UndoMode::Force).await;
        assert!(account.snapshot().customer(survivor).is_some());
    });
}

#[test]
fn customers_of_a_small_account_are_matched_by_one_list() {
    run(async {
        let account = Account::new().await;
        let items: Vec<Item> = (0..100)
            .map(|n| {
                customer(
                    &format!("c{n}"),
                    vec![],
                    with_email("X", &[&format!("x{n}@example.com")]),
                )
            })
            .collect();
        let harness = account.harness();
        Gorgias::match_items(&harness.context(), Kind::Customer, items)
            .await
            .unwrap();
        assert!(
            harness.exchanges().len() <= 2,
            "{}",
            harness.exchanges().len()
        );
    });
}

#[test]
fn odd_names_and_addresses_arrive_as_they_are_or_on_the_note() {
    run(async {
        let account = Account::new().await;
        let odd = Customer {
            name: Some(" \u{202e}Bo\t Ng 📦 ".to_owned()),
            addresses: vec![
                Address::new(AddressChannel::Email, "no address"),
                Address::new(AddressChannel::Phone, "555-0123"),
                Address::new(AddressChannel::Social("twitter".to_owned()), "bo_ng"),
                Address::new(AddressChannel::Social("vk".to_owned()), "bo"),
            ],
            language: Some("Klingon".to_owned()),
            ..Customer::empty()
        };
        let outcomes = account
            .write(Kind::Customer, vec![customer("c1", vec![], odd)])
            .await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let made = account.customer("c1");
        assert_eq!(made.name, " \u{202e}Bo\t Ng 📦 ");
        let channels: Vec<&str> = made.channels.iter().map(|c| c.kind.as_str()).collect();
        assert_eq!(channels, ["twitter"]);
        let note = made.note.unwrap();
        for text in ["no address", "555-0123", "vk: bo", "language: Klingon"] {
            assert!(note.contains(text), "{text}: {note}");
        }
    });
}

#[test]
fn a_later_run_finds_its_people_and_writes_its_own_notes_anew() {
    run(async {
        let mut account = Account::new().await;
        account
            .write(Kind::Customer, vec![customer("c1", vec![], bo())])
            .await;
        account.run = "r2".to_owned();
        account.prepare().await;
        let later = |data: Customer| Item {
            prior: account.effects_of("customer:c1"),
            ..customer("c1", vec![], data)
        };
        let items = account.matched(Kind::Customer, vec![later(bo())]).await;
        let outcomes = account.write(Kind::Customer, items).await;
        assert!(
            matches!(outcomes[0].status, Status::Matched),
            "{outcomes:?}"
        );
        let changed = Customer {
            username: Some("bo_ng".to_owned()),
            ..bo()
        };
        let items = account.matched(Kind::Customer, vec![later(changed)]).await;
        let outcomes = account.write(Kind::Customer, items).await;
        assert!(
            matches!(outcomes[0].status, Status::Updated),
            "{outcomes:?}"
        );
        let made = account.customer("c1");
        assert!(made.note.unwrap().contains("username: bo_ng"));
        assert!(made.meta.get("source_card").is_none());
    });
}

#[test]
fn values_of_somebody_who_was_there_are_filled_one_by_one_and_taken_out_again() {
    for wanted in [MatchPolicy::FillEmpty, MatchPolicy::SourceWins] {
        run(async {
            let account = Account::new().await;
            let owner = Owner {
                kind: Kind::Customer,
                object_type: None,
            };
            let items = vec![
                definition(owner.clone(), "cityStr", "City", FieldType::Text),
                definition(owner, "tierStr", "Loyalty tier", FieldType::Text),
            ];
            account.write(Kind::FieldDefinition, items).await;
            let snapshot = account.snapshot();
            let old = snapshot
                .customer_by_email("old.customer@example.com")
                .unwrap()
                .id;
            let tier = snapshot
                .field(ObjectType::Customer, "Loyalty tier")
                .unwrap()
                .id;
            account
                .sim
                .edit_customer(old, |c| drop(c.custom_fields.insert(tier, "silver".into())))
                .unwrap();
            let at = |name: &str| account.field_at("customer", name);
            let fields = vec![
                field("cityStr", Value::Text("Bern".to_owned()), at("cityStr")),
                field("tierStr", Value::Text("gold".to_owned()), at("tierStr")),
            ];
            let data = with_email("Old Customer", &["old.customer@example.com"]);
            let items = policy(vec![customer("c1", fields, data)], wanted);
            let items = account.matched(Kind::Customer, items).await;
            let outcomes = account.write(Kind::Customer, items).await;
            assert!(
                matches!(outcomes[0].status, Status::Updated),
                "{outcomes:?}"
            );
            let snapshot = account.snapshot();
            let there = snapshot.customer(old).unwrap();
            assert_eq!(snapshot.customer_field(there, "City"), Some(&"Bern".into()));
            let tier = if wanted == MatchPolicy::FillEmpty {
                "silver"
            } else {
                "gold"
            };
            assert_eq!(
                snapshot.customer_field(there, "Loyalty tier"),
                Some(&tier.into())
            );
            assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
            let snapshot = account.snapshot();
            let there = snapshot.customer(old).unwrap();
            assert_eq!(there.custom_fields.values().collect::<Vec<_>>(), ["silver"]);
        });
    }
}
