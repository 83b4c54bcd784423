//! Attributes, tags, custom objects, links; the workspace before a run.

use std::collections::BTreeMap;

use crate::support::*;
use transload_plugin_intercom::Intercom;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Effect, Outcome, Status, UndoStatus};
use transload_sdk::session::Severity;
use transload_sdk::types::{CustomObject, Entity, FieldType, Kind, Owner, Reference, Tag, Value};
use transload_simulators::intercom::model::{Model, ObjectType};

fn owner(kind: Kind) -> Owner {
    Owner {
        kind,
        object_type: None,
    }
}

fn order(account: &Account, id: &str, on: Option<&str>) -> transload_sdk::destination::Item {
    let data = CustomObject {
        customer: Some(account.bo()),
        conversation: on.map(|id| account.known(Reference::new(Kind::Conversation, id))),
        ..CustomObject::of("order", format!("Order {id}"))
    };
    record(id, vec![field("totalNum", Value::Integer(7), None)], data)
}

#[test]
fn attributes_are_made_by_type_found_again_and_archived() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.live();
        account.prepare().await;
        let tier = with_options(
            definition(
                owner(Kind::Customer),
                "tierStr",
                "Tier: new",
                FieldType::Choice,
            ),
            &[("g", "Gold"), ("s", "Silver")],
        );
        let seats = definition(
            owner(Kind::Company),
            "seatsNum",
            "Tier new",
            FieldType::Integer,
        );
        let due = definition(owner(Kind::Conversation), "dueAt", "Due", FieldType::Date);
        let known = definition(
            owner(Kind::Customer),
            "loyaltyStr",
            "loyalty_tier",
            FieldType::Text,
        );
        let items = vec![tier, seats, due, known];
        let made = account.write(Kind::FieldDefinition, items.clone()).await;
        let created: Vec<bool> = made.iter().map(is_created).collect();
        assert_eq!(created, [true, true, true, false], "{made:?}");
        let snapshot = account.snapshot();
        let attribute = snapshot.data_attribute(Model::Contact, "Tier new").unwrap();
        assert_eq!(attribute.options, ["Gold", "Silver"]);
        // Names are unique over both models.
        assert!(
            snapshot
                .data_attribute(Model::Company, "seatsNum")
                .is_some()
        );

        let again = account.write(Kind::FieldDefinition, items.clone()).await;
        assert!(
            again.iter().all(|o| matches!(o.status, Status::Matched)),
            "{again:?}"
        );

        let fields = vec![field(
            "dueAt",
            Value::Date("2024-01-31".to_owned()),
            account.field_at("conversation", "dueAt"),
        )];
        account.people().await;
        let mut talk = account.talk("v1");
        talk.body.entries[0].head.fields = fields;
        account.write(Kind::Conversation, vec![talk]).await;
        let talk = account.conversation("v1");
        let snapshot = account.snapshot();
        assert_eq!(
            snapshot.conversation_value(&talk, "Due"),
            Some(&1_706_659_200_i64.into())
        );

        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.live(), "as it was");

        // What could only be archived is brought back by a later run.
        account.run = "r2".to_owned();
        account.prepare().await;
        let third = account.write(Kind::FieldDefinition, items).await;
        assert!(matches!(third[0].status, Status::Updated), "{third:?}");
    });
}

#[test]
fn choices_travel_by_label_or_id_whatever_the_workspace_takes() {
    for by_id in [false, true] {
        run(async {
            let account = Account::with(|config| {
                if by_id {
                    config.switches.conversation_list =
                        transload_simulators::intercom::ListValue::Id;
                }
            })
            .await;
            account.people().await;
            let reason = with_options(
                definition(
                    owner(Kind::Conversation),
                    "reasonStr",
                    "Reason",
                    FieldType::Choice,
                ),
                &[("late", "Too late"), ("lost", "Lost")],
            );
            account.write(Kind::FieldDefinition, vec![reason]).await;
            let at = account.field_at("conversation", "reasonStr");
            let mut talk = account.talk("v1");
            talk.body.entries[0].head.fields =
                vec![field("reasonStr", Value::Choice("late".to_owned()), at)];
            account.write(Kind::Conversation, vec![talk]).await;
            let talk = account.conversation("v1");
            let snapshot = account.snapshot();
            assert_eq!(
                snapshot.conversation_value(&talk, "Reason"),
                Some(&"Too late".into()),
                "{by_id}"
            );
        });
    }
}

#[test]
fn tags_are_one_in_any_case_and_one_that_others_use_stays() {
    run(async {
        let account = Account::new().await;
        let tag = |id: &str, name: &str| {
            let data = Tag {
                name: name.to_owned(),
                color: None,
            };
            item(entry(Kind::Tag, id, vec![], Entity::Tag(data)))
        };
        let items = vec![
            tag("g1", "VIP"),
            tag("g2", "vip"),
            tag("g3", "Before-Migration"),
            tag("g4", " "),
        ];
        let made = account.write(Kind::Tag, items).await;
        let created: Vec<bool> = made.iter().map(is_created).collect();
        assert_eq!(created, [true, false, false, false]);
        assert!(matches!(made[3].status, Status::Exported(_)));
        let vip = account.snapshot().tag("VIP").unwrap().id;
        let old = account.snapshot().conversations[0].id;
        account
            .sim
            .edit_conversation(old, |talk| {
                talk.tags
                    .push(transload_simulators::intercom::model::Applied {
                        tag: vip,
                        at: 0,
                        by: 1,
                    });
            })
            .unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let conflicts = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .count();
        assert_eq!(conflicts, 1, "{undone:?}");
    });
}

#[test]
fn records_of_a_type_that_was_made_are_records_and_others_are_notes() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let attributes = ["title", "source_card", "transload_run", "totalNum"];
        account.sim.add_object_type(ObjectType {
            identifier: "order".to_owned(),
            attributes: attributes
                .map(|name| (name.to_owned(), "text".to_owned()))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            ..ObjectType::default()
        });
        let before = account.live();
        account.prepare().await;
        account.people().await;
        let types = account
            .write(
                Kind::ObjectType,
                vec![object_type("order", "order"), object_type("visit", "Visit")],
            )
            .await;
        assert!(matches!(types[0].status, Status::Matched), "{types:?}");
        assert!(matches!(types[1].status, Status::Exported(_)), "{types:?}");
        account
            .write(Kind::Conversation, vec![account.talk("v1")])
            .await;
        let made = account
            .write(Kind::CustomObject, vec![order(&account, "o1", None)])
            .await;
        assert!(is_created(&made[0]), "{made:?}");
        let snapshot = account.snapshot();
        let instance = snapshot
            .instance("order", "old-desk:org1:custom-object:o1")
            .unwrap();
        assert_eq!(
            instance.custom_attributes.get("totalNum"),
            Some(&"7".into())
        );

        let visit = |id: &str, on: bool| {
            let data = CustomObject {
                customer: Some(account.bo()),
                conversation: on.then(|| account.known(Reference::new(Kind::Conversation, "v1"))),
                ..CustomObject::of("visit", "Visit")
            };
            record(id, vec![], data)
        };
        let lone = record("o4", vec![], CustomObject::of("visit", "Nobody's"));
        let made = account
            .write(
                Kind::CustomObject,
                vec![visit("o2", true), visit("o3", false), lone],
            )
            .await;
        assert!(is_created(&made[0]) && is_created(&made[1]), "{made:?}");
        assert!(matches!(made[2].status, Status::Exported(_)));
        let notes = account
            .said_in("v1")
            .into_iter()
            .filter(|(kind, _)| kind == "note")
            .count();
        assert_eq!(notes, 2, "the card and the record");
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.live(), "as it was");
    });
}

#[test]
fn notes_that_went_with_their_conversation_or_contact_are_made_again() {
    run(async {
        let visit = |account: &Account, id: &str, on: bool| {
            let data = CustomObject {
                customer: Some(account.bo()),
                conversation: on.then(|| account.known(Reference::new(Kind::Conversation, "v1"))),
                ..CustomObject::of("visit", "Visit")
            };
            record(id, vec![], data)
        };
        let mut account = Account::unprepared(|_| {});
        let mut prior: BTreeMap<String, Vec<Effect>> = BTreeMap::new();
        for run in ["r1", "r2"] {
            account.run = run.to_owned();
            account.prepare().await;
            account.people().await;
            account
                .write(Kind::Conversation, vec![account.talk("v1")])
                .await;
            let items = [visit(&account, "o1", true), visit(&account, "o2", false)];
            // As after a rollback: the notes themselves were left, since they go with what they stand on.
            let known = |mut item: Item| {
                item.prior = prior.get(&item.key).cloned().unwrap_or_default();
                item
            };
            let made = account
                .write(Kind::CustomObject, items.map(known).into())
                .await;
            assert!(made.iter().all(is_created), "{run}: {made:?}");
            let effects = |outcome: &Outcome| (outcome.item.clone(), outcome.effects.clone());
            prior = made.iter().map(effects).collect();
            let there = [visit(&account, "o1", true), visit(&account, "o2", false)];
            let known = |mut item: Item| {
                item.prior = prior.get(&item.key).cloned().unwrap_or_default();
                item
            };
            let again = account
                .write(Kind::CustomObject, there.map(known).into())
                .await;
            let matched = |one: &Outcome| matches!(one.status, Status::Matched);
            assert!(again.iter().all(matched), "{run}: {again:?}");
            assert_undone(&account.rollback(UndoMode::Careful).await, run);
        }
    });
}

#[test]
fn a_link_is_named_on_the_contact_that_is_pointed_to() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        account
            .write(Kind::CustomObject, vec![order(&account, "o1", None)])
            .await;
        let from = account.known(Reference::new(Kind::CustomObject, "o1"));
        let made = account
            .write(
                Kind::Relationship,
                vec![link("buyer", from, account.bo(), None)],
            )
            .await;
        assert!(matches!(made[0].status, Status::Exported(_)), "{made:?}");
        let bo = account.customer("c1");
        let named = bo.custom_attributes.get("transload_links");
        assert_eq!(named, Some(&"buyer of custom-object o1".into()));
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn the_workspace_is_known_by_its_id_and_a_wrong_region_or_fallback_is_said() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let found = Intercom::check(&account.harness().context()).await.unwrap();
        assert_eq!((found.id.as_str(), found.notices.len()), ("acme1234", 0));
        account.set("api_host", "api.eu.intercom.io");
        account.set("fallback_admin", "nobody@acme.example");
        let found = Intercom::check(&account.harness().context()).await.unwrap();
        let codes: Vec<&str> = found.notices.iter().map(|n| n.code.as_str()).collect();
        assert_eq!(codes, ["wrong-region", "fallback-admin"]);
        assert!(found.notices.iter().all(|n| n.severity == Severity::Danger));
        assert!(
            Intercom::prepare(&account.harness().context())
                .await
                .is_err()
        );
        let survey = Intercom::survey(&account.harness().context())
            .await
            .unwrap();
        assert!(
            survey
                .fields
                .iter()
                .any(|field| field.name == "loyalty_tier")
        );
        assert!(
            survey
                .notices
                .iter()
                .any(|notice| notice.code == "services")
        );
    });
}

#[test]
fn what_the_connector_needs_is_found_again_by_the_next_run() {
    run(async {
        let mut account = Account::new().await;
        let first = account.print();
        account.prepare().await;
        account.run = "r2".to_owned();
        account.prepare().await;
        assert_same(&first, &account.print(), "nothing new");
    });
}
