//! What nobody could confirm of HubSpot: the connector does the same work whichever way it is.

use crate::support::Stand as _;
use crate::support::{
    Portal, assert_same, assert_undone, company, customer, definition, entry, is_created, item,
    link, object_type, record, with_options,
};
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::types::{
    Address, AddressChannel, Company, CustomObject, Customer, Entity, FieldType, Kind, Owner,
    Reference, Tag,
};
use transload_simulators::hubspot::{ArchivedOwner, EmailUpsert, Switches};

type Change = (&'static str, fn(&mut Switches));

/// Every switch that touches what is written here, in the position that is not the usual one.
const CHANGES: [Change; 19] = [
    ("none", |_| {}),
    ("old codes", |s| s.new_codes_in_2026_03 = false),
    ("partly done is 200", |s| s.partial_is_207_in_dated = false),
    ("rolling windows", |s| s.rolling_windows = false),
    ("scalars", |s| s.json_scalars_accepted = true),
    ("short lists", |s| s.list_limit = 10),
    ("order kept", |s| s.batch_order_shuffled = false),
    ("partial upserts", |s| s.email_upsert = EmailUpsert::Partial),
    ("missing fails", |s| s.batch_archive_missing_fails = true),
    ("exists is 400", |s| s.exists_status = 400),
    ("domains unique", |s| s.company_domain_unique = true),
    ("unique activities", |s| s.unique_on_activities = true),
    ("keeps unique", |s| s.archived_keeps_unique = true),
    ("ids as text", |s| s.ids_as_text_in_lists = true),
    ("links of hubspot", |s| s.custom_links_user_defined = false),
    ("names free", |s| s.archived_name_reserved = false),
    ("unique not counted", |s| s.archived_property_counts = false),
    ("deleted twice", |s| s.delete_unknown_status = 204),
    ("owners dropped", |s| {
        s.archived_owner = ArchivedOwner::Dropped
    }),
];

fn units(portal: &Portal, kind: &Kind) -> Vec<Item> {
    let known = |kind: Kind, id: &str| portal.known(Reference::new(kind, id));
    let owner = |kind: Kind| Owner {
        object_type: (kind == Kind::CustomObject).then(|| "order".to_owned()),
        kind,
    };
    match kind {
        Kind::ObjectType => vec![object_type("order", "Order")],
        Kind::FieldDefinition => {
            let tier = definition(owner(Kind::Customer), "tier", "Tier", FieldType::Choice);
            vec![
                with_options(tier, &[("gold", "Gold")]),
                definition(
                    owner(Kind::CustomObject),
                    "paid",
                    "Paid",
                    FieldType::Boolean,
                ),
            ]
        }
        Kind::Tag => {
            let tag = |id: &str| {
                let data = Tag {
                    name: id.to_owned(),
                    color: None,
                };
                item(entry(Kind::Tag, id, Vec::new(), Entity::Tag(data)))
            };
            vec![tag("vip"), tag("late")]
        }
        Kind::Company => {
            let acme = Company {
                domains: vec!["acme.example".to_owned()],
                ..Company::called("Acme Ltd")
            };
            vec![company("k1", Vec::new(), acme)]
        }
        Kind::Customer => {
            let person = |id: &str, email: &str| {
                let data = Customer {
                    name: Some(format!("Person {id}")),
                    company: Some(known(Kind::Company, "k1")),
                    tags: vec![known(Kind::Tag, "vip")],
                    addresses: vec![Address::new(AddressChannel::Email, email)],
                    ..Customer::empty()
                };
                customer(id, Vec::new(), data)
            };
            vec![
                person("c1", "ana@example.com"),
                person("c2", "old.customer@example.com"),
                person("c3", "ana@example.com"),
            ]
        }
        Kind::CustomObject => {
            let data = CustomObject {
                customer: Some(known(Kind::Customer, "c1")),
                company: Some(known(Kind::Company, "k1")),
                ..CustomObject::of("order", "An order")
            };
            vec![record("o1", Vec::new(), data)]
        }
        _ => {
            let (ana, order) = (known(Kind::Customer, "c1"), known(Kind::CustomObject, "o1"));
            vec![
                link("orders", ana.clone(), order.clone(), None),
                link("self", order.clone(), order, None),
                link("friend", ana, known(Kind::Customer, "c2"), None),
            ]
        }
    }
}

#[tokio::test]
async fn every_reading_of_what_is_not_known_gives_the_same_work() {
    let kinds = [
        Kind::ObjectType,
        Kind::FieldDefinition,
        Kind::Tag,
        Kind::Company,
        Kind::Customer,
        Kind::CustomObject,
        Kind::Relationship,
    ];
    let mut usual = None;
    for (name, change) in CHANGES {
        let mut portal = Portal::unprepared(|config| change(&mut config.switches));
        let before = portal.sim.state_fingerprint();
        portal.prepare().await;
        for kind in &kinds {
            let items = portal.matched(kind.clone(), units(&portal, kind)).await;
            let outcomes = portal.write(kind.clone(), items).await;
            let made = outcomes
                .iter()
                .filter(|outcome| is_created(outcome))
                .count();
            assert!(made > 0, "{name}: {outcomes:?}");
        }
        let after = portal.sim.state_fingerprint();
        match &usual {
            // What is made differs only by what the account lets be unique, and by whose a plain link is.
            Some(usual) if !matches!(name, "unique activities" | "links of hubspot") => {
                assert_same(usual, &after, name);
            }
            Some(_) => {}
            None => usual = Some(after),
        }
        assert_undone(&portal.rollback(UndoMode::Careful).await, name);
        assert_same(&before, &portal.sim.state_fingerprint(), name);
    }
}
