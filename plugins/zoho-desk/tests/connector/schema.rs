//! Fields, modules with their records and links, tags.

use std::collections::BTreeSet;

use crate::support::Stand as _;
use crate::support::{
    Portal, Talk, assert_same, bo, company, customer, definition, field, is_created, item, link,
    object_type, record, run, with_options,
};
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Outcome, Status, UndoOutcome, UndoStatus};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Company, CustomObject, Entity, Entry, FieldType, Head, Kind, Moment, Owner, Reference,
    ReferenceType, Tag, Value,
};
use transload_simulators::zoho_desk::Edition;
use transload_simulators::zoho_desk::model::{Module, Record};

fn owner(kind: Kind) -> Owner {
    Owner {
        kind,
        object_type: None,
    }
}

fn of_order() -> Owner {
    Owner {
        kind: Kind::CustomObject,
        object_type: Some("order".to_owned()),
    }
}

fn value(portal: &Portal, record: &Record, label: &str) -> String {
    let snapshot = portal.snapshot();
    snapshot
        .custom_value(record, label)
        .unwrap_or_default()
        .to_owned()
}

/// All but modules is taken back, and these say why not.
fn assert_all_but_modules(undone: &[UndoOutcome]) {
    let fine = [
        UndoStatus::Undone,
        UndoStatus::Restored,
        UndoStatus::Left,
        UndoStatus::Gone,
    ];
    for one in undone.iter().filter(|one| !fine.contains(&one.status)) {
        assert_eq!(one.status, UndoStatus::Cannot, "{one:?}");
        assert!(
            one.reason.as_deref().unwrap().contains("no modules"),
            "{one:?}"
        );
    }
}

fn order(portal: &Portal, id: &str) -> Record {
    let marker = format!("old-desk:org1:custom-object:{id}");
    let snapshot = portal.snapshot();
    let module = snapshot.module("cm_orders").unwrap().id;
    let mut all = portal.marked(Module::Custom(module), &marker);
    assert_eq!(all.len(), 1, "records of {id}");
    all.remove(0)
}

fn an_order(title: &str) -> CustomObject {
    CustomObject::of("order", title)
}

async fn orders(portal: &Portal) {
    let made = portal
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(made.iter().all(is_created), "{made:?}");
}

#[test]
fn fields_hold_values_of_their_types_and_a_choice_that_nothing_takes_is_text() {
    run(async {
        let mut portal = Portal::unprepared(|_| {});
        let before = portal.print();
        portal.prepare().await;
        let of = |name: &str, label: &str, kind: FieldType| {
            definition(owner(Kind::Customer), name, label, kind)
        };
        let tier = with_options(
            of("tier", "Tier", FieldType::Choice),
            &[("au", "Gold"), ("ag", "Silver")],
        );
        let items = vec![
            of("vipBool", "VIP", FieldType::Boolean),
            of("ageNum", "Age", FieldType::Integer),
            of("score", "Score", FieldType::Decimal),
            of("born", "Born", FieldType::Date),
            of("seenAt", "Seen", FieldType::Moment),
            of("about", "About", FieldType::LongText),
            tier,
            // A label of Zoho Desk's own.
            of("email", "Email", FieldType::Text),
        ];
        let made = portal.write(Kind::FieldDefinition, items).await;
        assert!(made.iter().all(is_created), "{made:?}");
        let at = |name: &str| portal.field_at("customer", name);
        let moment = Value::Moment(Moment {
            at: 1_700_000_000_000,
            offset_minutes: Some(60),
        });
        let long = "word ".repeat(300);
        let fields = vec![
            field("vipBool", Value::Boolean(true), at("vipBool")),
            field("ageNum", Value::Integer(41), at("ageNum")),
            field("score", Value::Decimal("64.670".to_owned()), at("score")),
            field("born", Value::Date("1983-02-28".to_owned()), at("born")),
            field("seenAt", moment, at("seenAt")),
            field("about", Value::Text(long.clone()), at("about")),
            field("tier", Value::Choice("au".to_owned()), at("tier")),
            field("email", Value::Text("odd".to_owned()), at("email")),
        ];
        let made = portal
            .write(Kind::Customer, vec![customer("c1", fields, bo())])
            .await;
        assert!(made.iter().all(is_created), "{made:?}");
        let contact = portal.customer("c1");
        for (label, wanted) in [
            ("VIP", "true"),
            ("Age", "41"),
            ("Born", "1983-02-28"),
            ("About", long.trim_end()),
            ("Tier", "au"),
            ("Email (email)", "odd"),
        ] {
            assert_eq!(
                value(&portal, &contact, label).trim_end(),
                wanted,
                "{label}"
            );
        }
        assert!(value(&portal, &contact, "Seen").starts_with("2023-11-14T22:13:20"));
        assert!(value(&portal, &contact, "Score").starts_with("64.67"));
        let undone = portal.rollback(UndoMode::Careful).await;
        assert_all_but_modules(&undone);
        assert_same(&before, &portal.print(), "");
    });
}

#[test]
fn a_field_of_a_module_is_made_in_whatever_company_it_comes() {
    run(async {
        let portal = Portal::new().await;
        orders(&portal).await;
        let items = vec![
            definition(
                owner(Kind::Message),
                "campaign",
                "Campaign",
                FieldType::Text,
            ),
            definition(of_order(), "warehouse", "Warehouse", FieldType::Text),
        ];
        let made = portal.write(Kind::FieldDefinition, items).await;
        assert!(is_created(&made[1]), "{made:?}");
        assert!(!is_created(&made[0]), "{made:?}");
    });
}

#[test]
fn a_field_is_made_once_whatever_becomes_of_its_answer() {
    for (case, loss) in [
        ("applied", Loss::AfterApplying),
        ("not applied", Loss::BeforeArriving),
    ] {
        run(async {
            let mut portal = Portal::unprepared(|_| {});
            let before = portal.print();
            portal.prepare().await;
            let item = definition(owner(Kind::Company), "tier", "Tier", FieldType::Text);
            let harness = portal.harness().lose_answer(1, loss);
            let made = portal
                .write_on(harness, Kind::FieldDefinition, vec![item])
                .await;
            assert!(is_created(&made[0]), "{case}: {made:?}");
            let snapshot = portal.snapshot();
            let fields = snapshot.fields.values();
            let count = fields
                .filter(|f| f.module == Module::Accounts && f.label == "Tier")
                .count();
            assert_eq!(count, 1, "{case}");
            portal.rollback(UndoMode::Careful).await;
            assert_same(&before, &portal.print(), case);
        });
    }
}

#[test]
fn two_fields_of_one_label_are_two_and_one_that_is_there_is_used() {
    run(async {
        let portal = Portal::new().await;
        let items = vec![
            definition(
                owner(Kind::Customer),
                "tierStr",
                "Loyalty tier",
                FieldType::Text,
            ),
            definition(
                owner(Kind::Customer),
                "tierNum",
                "Loyalty tier",
                FieldType::Integer,
            ),
        ];
        let made = portal.write(Kind::FieldDefinition, items).await;
        assert!(matches!(made[0].status, Status::Matched), "{made:?}");
        assert!(is_created(&made[1]), "{made:?}");
        assert!(
            portal
                .field_at("customer", "tierNum")
                .unwrap()
                .ends_with(":Number")
        );
    });
}

#[test]
fn an_object_type_is_a_module_and_its_records_belong_to_whom_they_belonged() {
    run(async {
        let mut portal = Portal::unprepared(|_| {});
        portal.prepare().await;
        orders(&portal).await;
        let total = definition(of_order(), "total", "Total", FieldType::Decimal);
        let made = portal.write(Kind::FieldDefinition, vec![total]).await;
        assert!(made.iter().all(is_created), "{made:?}");
        portal.people().await;
        let acme = company("k1", Vec::new(), Company::called("Acme Ltd"));
        portal.write(Kind::Company, vec![acme]).await;
        let mut data = an_order("Order 17");
        data.customer = Some(portal.bo());
        data.company = Some(portal.known(Reference::new(Kind::Company, "k1")));
        data.status = Some("paid".to_owned());
        let at = portal.field_at("custom-object:order", "total");
        let fields = vec![field("total", Value::Decimal("12.50".to_owned()), at)];
        let made = portal
            .write(Kind::CustomObject, vec![record("o1", fields, data)])
            .await;
        assert!(made.iter().all(is_created), "{made:?}");
        let there = order(&portal, "o1");
        assert_eq!(there.text("name"), Some("Order 17"));
        assert_eq!(
            value(&portal, &there, "Customer"),
            portal.customer("c1").id.to_string()
        );
        assert!(value(&portal, &there, "Total").starts_with("12.5"));
        assert!(value(&portal, &there, "Transload source card").contains("status: paid"));

        let observed = portal
            .read_back(Kind::CustomObject, "custom-object:o1")
            .await;
        let body = observed.body.unwrap();
        let Entity::CustomObject(back) = &body.entry().data else {
            panic!("a record is read back as one");
        };
        assert_eq!(back.title, "Order 17");
        let customer = back.customer.as_ref().and_then(|c| c.target.clone());
        assert_eq!(customer, portal.bo().target);

        let undone = portal.rollback(UndoMode::Careful).await;
        assert_all_but_modules(&undone);
        let snapshot = portal.snapshot();
        assert!(snapshot.module("cm_orders").is_some(), "a module stays");
        let module = snapshot.module("cm_orders").unwrap().id;
        let left = |m: Module| {
            snapshot
                .records
                .values()
                .filter(|r| r.module == m && r.is_live())
                .count()
        };
        assert_eq!(left(Module::Custom(module)), 0);
        assert!(
            !snapshot
                .fields
                .values()
                .any(|f| f.label.starts_with("Transload")),
            "{:?}",
            snapshot.fields
        );
    });
}

#[test]
fn a_record_is_made_once_whatever_becomes_of_its_answer() {
    for (case, loss) in [
        ("applied", Loss::AfterApplying),
        ("not applied", Loss::BeforeArriving),
    ] {
        run(async {
            let portal = Portal::new().await;
            orders(&portal).await;
            let items = vec![record("o1", Vec::new(), an_order("One"))];
            let harness = portal.harness().lose_answer(1, loss);
            let made = portal.write_on(harness, Kind::CustomObject, items).await;
            assert!(is_created(&made[0]), "{case}: {made:?}");
            order(&portal, "o1");
        });
    }
}

#[test]
fn records_that_point_at_each_other_do_so_by_look_ups_and_links_to_people_stand_in_words() {
    run(async {
        let portal = Portal::new().await;
        orders(&portal).await;
        let next = FieldType::Reference(ReferenceType {
            kind: Some(Kind::CustomObject),
            object_type: Some("order".to_owned()),
            multi: false,
        });
        let made = portal
            .write(
                Kind::FieldDefinition,
                vec![definition(of_order(), "next", "next", next)],
            )
            .await;
        assert!(made.iter().all(is_created), "{made:?}");
        assert!(
            portal
                .field_at("custom-object:order", "next")
                .unwrap()
                .ends_with(":LookUp")
        );
        portal.people().await;
        let items = ["o1", "o2"].map(|id| record(id, Vec::new(), an_order(id)));
        portal.write(Kind::CustomObject, items.to_vec()).await;
        let at = |id: &str| portal.known(Reference::new(Kind::CustomObject, id));
        let links = vec![
            link("next", at("o1"), at("o2"), None),
            link("next", at("o2"), at("o1"), None),
            link("buyers", at("o1"), portal.bo(), Some(1)),
            // As a look-up of Zoho Desk's own is called, which holds the agent in charge.
            link("Contact Owner", portal.bo(), at("o2"), None),
        ];
        let outcomes = portal.write(Kind::Relationship, links).await;
        assert!(
            matches!(outcomes[0].status, Status::Updated),
            "{outcomes:?}"
        );
        let rejected = |one: &&Outcome| matches!(one.status, Status::Rejected(_));
        assert_eq!(outcomes.iter().find(rejected), None);
        let (first, second) = (order(&portal, "o1"), order(&portal, "o2"));
        assert_eq!(value(&portal, &first, "next"), second.id.to_string());
        assert_eq!(value(&portal, &second, "next"), first.id.to_string());
        let contact = portal.customer("c1");
        let said = value(&portal, &contact, "Transload linked from");
        assert!(said.contains("buyers of custom-object o1"), "{said}");
        let undone = portal.rollback(UndoMode::Careful).await;
        assert_all_but_modules(&undone);
    });
}

#[test]
fn a_module_that_was_found_by_its_label_is_found_again_when_that_is_anothers() {
    run(async {
        let module = ["Purchase", "Voucher"].map(str::to_owned).to_vec();
        let mut portal = Portal::unprepared(|config| config.preexisting.modules = module);
        let before = portal.print();
        portal.prepare().await;
        let made = portal
            .write(Kind::ObjectType, vec![object_type("order", "Purchase")])
            .await;
        assert!(matches!(made[0].status, Status::Updated), "{made:?}");
        let main = &made[0].effects[0];
        assert_eq!(main.action, Action::Matched);
        // Somebody calls another module so.
        let relabel = |from: &str, to: &str| portal.sim.relabel_module(from, to).unwrap();
        relabel("Purchase", "Bought before");
        relabel("Voucher", "Order");
        let total = definition(of_order(), "total", "Total", FieldType::Decimal);
        let fields = portal.write(Kind::FieldDefinition, vec![total]).await;
        assert!(fields.iter().all(is_created), "{fields:?}");
        let items = vec![record("o1", Vec::new(), an_order("One"))];
        let records = portal.write(Kind::CustomObject, items).await;
        assert!(is_created(&records[0]), "{records:?}");
        let of = format!("{}/", main.target_id);
        assert!(records[0].effects[0].target_id.starts_with(&of));
        let at = portal.field_at("custom-object:order", "total").unwrap();
        assert!(at.starts_with(&format!("{}.", main.target_id)), "{at}");
        relabel("Order", "Voucher");
        relabel("Bought before", "Purchase");
        assert_all_but_modules(&portal.rollback(UndoMode::Careful).await);
        assert_eq!(before["fields"], portal.print()["fields"]);
    });
}

#[test]
fn without_modules_records_are_exported() {
    run(async {
        let portal = Portal::with(|config| config.edition = Edition::Standard).await;
        let made = portal
            .write(Kind::ObjectType, vec![object_type("order", "Order")])
            .await;
        assert!(matches!(made[0].status, Status::Exported(_)), "{made:?}");
        let made = portal
            .write(
                Kind::CustomObject,
                vec![record("o1", Vec::new(), an_order("One"))],
            )
            .await;
        assert!(matches!(made[0].status, Status::Exported(_)), "{made:?}");
    });
}

#[test]
fn a_field_that_somebody_filled_since_is_left() {
    run(async {
        let portal = Portal::new().await;
        let tier = definition(owner(Kind::Customer), "tier", "Tier", FieldType::Text);
        portal.write(Kind::FieldDefinition, vec![tier]).await;
        let name = {
            let snapshot = portal.snapshot();
            snapshot
                .field(Module::Contacts, "Tier")
                .unwrap()
                .api_name
                .clone()
        };
        let id = {
            let snapshot = portal.snapshot();
            snapshot
                .contact_by_email("old.customer@example.com")
                .unwrap()
                .id
        };
        portal
            .sim
            .edit_record(id, |record| {
                record.cf.insert(name, "gold".to_owned());
            })
            .unwrap();
        portal.sim.harness().clock.advance(300_000);
        let undone = portal.rollback(UndoMode::Careful).await;
        let conflict = undone
            .iter()
            .find(|one| one.status == UndoStatus::Conflict)
            .unwrap();
        assert!(
            conflict.reason.as_deref().unwrap().contains("1 contacts"),
            "{conflict:?}"
        );
        assert!(portal.snapshot().field(Module::Contacts, "Tier").is_some());
    });
}

#[test]
fn tags_are_what_zoho_desk_takes_and_two_that_become_one_say_so() {
    run(async {
        let portal = Portal::new().await;
        let tag = |id: &str, name: &str| -> Item {
            let data = Tag {
                name: name.to_owned(),
                color: None,
            };
            item(Entry {
                head: Head::new(Kind::Tag, id.to_owned()),
                data: Entity::Tag(data),
            })
        };
        let items = vec![
            tag("t1", "a/b"),
            tag("t2", "a:b"),
            tag("t3", "x"),
            tag("t4", "null"),
        ];
        let made = portal.write(Kind::Tag, items).await;
        let targets: Vec<&str> = made
            .iter()
            .map(|one| one.effects[0].target_id.as_str())
            .collect();
        assert_eq!(targets, ["a-b", "a-b", "x--", "null-"]);
        let lost: BTreeSet<&str> = made[1]
            .losses
            .iter()
            .map(|loss| loss.field.as_str())
            .collect();
        assert!(lost.contains("tag.name"), "{made:?}");
        assert_eq!(made[1].losses.len(), 2);
    });
}
