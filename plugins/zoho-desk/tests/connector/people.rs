//! People and companies: who is there already, who is not, and what is put back.

use crate::support::Stand as _;
use crate::support::{
    Portal, assert_same, assert_undone, company, customer, field, is_created, run,
};
use serde_json::json;
use transload_plugin_zoho_desk::ZohoDesk;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, MatchPolicy, UndoMode};
use transload_sdk::ledger::{Action, Outcome, Status, UndoStatus};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, Entity, Kind, Reference, Value,
};
use transload_simulators::zoho_desk::model::{Module, Record};
use transload_simulators::zoho_desk::{DuplicateEmail, EmptyMappings, ErrorLog, FieldKeys};

const OLD: &str = "old.customer@example.com";

fn person(name: &str, emails: &[&str]) -> Customer {
    let address = |email: &&str| Address::new(AddressChannel::Email, *email);
    Customer {
        name: Some(name.to_owned()),
        addresses: emails.iter().map(address).collect(),
        ..Customer::empty()
    }
}

fn phone(label: &str, number: &str) -> Address {
    Address {
        label: Some(label.to_owned()),
        ..Address::new(AddressChannel::Phone, number)
    }
}

fn with_policy(item: Item, policy: MatchPolicy) -> Item {
    Item { policy, ..item }
}

/// A value of one of the connector's own fields.
fn own(portal: &Portal, record: &Record, label: &str) -> String {
    let snapshot = portal.snapshot();
    let value = snapshot.custom_value(record, label);
    value.unwrap_or_default().to_owned()
}

fn account(portal: &Portal, id: &str) -> Record {
    let mut all = portal.marked(Module::Accounts, &format!("old-desk:org1:company:{id}"));
    assert_eq!(all.len(), 1, "accounts of {id}");
    all.remove(0)
}

fn contact_of(portal: &Portal, email: &str) -> Record {
    portal.snapshot().contact_by_email(email).unwrap().clone()
}

async fn one(portal: &Portal, item: Item) -> Outcome {
    let kind = item.entry().head.kind.clone();
    let items = portal.matched(kind.clone(), vec![item]).await;
    portal.write(kind, items).await.remove(0)
}

#[test]
fn a_customer_is_a_contact_of_his_time_with_two_addresses_of_each_kind_and_the_rest_on_the_card() {
    run(async {
        let mut portal = Portal::unprepared(|_| {});
        let before = portal.print();
        portal.prepare().await;
        let mut ana = person(
            "Ana Ruiz",
            &[
                "Ana@Example.com",
                "ana@work.example",
                "third@home.example",
                "not an address",
            ],
        );
        ana.addresses.extend([
            phone("mobile", "+1 (555) 555-0199"),
            phone("home", "+1 555 555 0123"),
            phone("work", "+1 555 555 0124"),
            Address::new(AddressChannel::Social("mastodon".to_owned()), "@ana"),
        ]);
        ana.merged_from = vec!["c0".to_owned(), "c00".to_owned()];
        let acme = company("k1", Vec::new(), Company::called("Acme Ltd"));
        let made = portal.write(Kind::Company, vec![acme]).await;
        assert!(made.iter().all(is_created), "{made:?}");
        ana.company = Some(portal.known(Reference::new(Kind::Company, "k1")));
        let made = portal
            .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
            .await;
        assert!(made.iter().all(is_created), "{made:?}");

        let contact = portal.customer("c1");
        assert_eq!(contact.text("firstName"), Some("Ana"));
        assert_eq!(contact.text("lastName"), Some("Ruiz"));
        assert_eq!(contact.text("email"), Some("ana@example.com"));
        assert_eq!(contact.text("secondaryEmail"), Some("ana@work.example"));
        assert_eq!(contact.text("phone"), Some("+15555550123"));
        assert_eq!(contact.text("mobile"), Some("+15555550199"));
        assert_eq!(contact.link("accountId"), Some(account(&portal, "k1").id));
        let made_at = serde_json::to_value(contact.created_at).unwrap();
        assert!(
            made_at.to_string().contains("1700000000")
                || made_at.to_string().contains("2023-11-14"),
            "{made_at}"
        );
        let card = contact.text("description").unwrap();
        for said in [
            "third@home.example",
            "not an address",
            "+1 555 555 0124",
            "@ana",
            "Marker: old-desk:org1:customer:c1",
        ] {
            assert!(card.contains(said), "{said}: {card}");
        }
        assert_eq!(own(&portal, &contact, "Transload run"), "r1");
        assert!(own(&portal, &contact, "Transload created at").starts_with("2023-11-14T22:13:20"));
        assert_eq!(own(&portal, &contact, "Transload merged ids"), "c0\nc00");

        let undone = portal.rollback(UndoMode::Careful).await;
        assert_undone(&undone, "");
        assert_same(&before, &portal.print(), "");
    });
}

#[test]
fn a_batch_goes_by_one_import_and_a_row_that_it_does_not_make_goes_singly() {
    run(async {
        let portal = Portal::new().await;
        portal.sim.add_contact("taken@example.com", "Somebody Else");
        portal.sim.harness().clock.advance(300_000);
        let items: Vec<Item> = (0..30)
            .map(|n| {
                let email = match n {
                    7 => "taken@example.com".to_owned(),
                    n => format!("c{n}@example.com"),
                };
                customer(
                    &format!("c{n}"),
                    Vec::new(),
                    person(&format!("Cust {n}"), &[&email]),
                )
            })
            .collect();
        // As if nobody had been there when it was looked: the import meets him.
        let before = portal.snapshot().imports.len();
        let outcomes = portal.write(Kind::Customer, items).await;
        let created = outcomes.iter().filter(|one| is_created(one)).count();
        assert_eq!(created, 29, "{outcomes:?}");
        assert_eq!(portal.snapshot().imports.len(), before + 1);
        let theirs = contact_of(&portal, "taken@example.com");
        let effects = portal.effects_of("customer:c7");
        assert_eq!(effects[0].target_id, theirs.id.to_string());
        assert_eq!(effects[0].action, Action::Updated);
    });
}

#[test]
fn a_contact_is_made_once_whatever_becomes_of_the_answer_of_its_import() {
    for (case, loss) in [
        ("applied", Loss::AfterApplying),
        ("not applied", Loss::BeforeArriving),
    ] {
        run(async {
            let mut portal = Portal::unprepared(|_| {});
            let before = portal.print();
            portal.prepare().await;
            let items: Vec<Item> = (0..3)
                .map(|n| {
                    let email = format!("c{n}@example.com");
                    customer(
                        &format!("c{n}"),
                        Vec::new(),
                        person(&format!("Cust {n}"), &[&email]),
                    )
                })
                .collect();
            let harness = portal.harness().lose_answer(1, loss);
            let outcomes = portal.write_on(harness, Kind::Customer, items).await;
            assert!(outcomes.iter().all(is_created), "{case}: {outcomes:?}");
            for n in 0..3 {
                portal.customer(&format!("c{n}"));
            }
            assert_undone(&portal.rollback(UndoMode::Careful).await, case);
            assert_same(&before, &portal.print(), case);
        });
    }
}

#[test]
fn a_unit_that_runs_again_takes_the_same_way() {
    for loss in [None, Some(Loss::AfterApplying), Some(Loss::BeforeArriving)] {
        run(async {
            let portal = Portal::new().await;
            let items = vec![
                customer("c1", Vec::new(), person("Ana Ruiz", &["ana@example.com"])),
                customer("c2", Vec::new(), person("Old Customer", &[OLD])),
            ];
            let harness = match loss {
                Some(loss) => portal.harness().lose_answer(1, loss),
                None => portal.harness(),
            };
            let context = harness.context();
            ZohoDesk::write(&context, Kind::Customer, items.clone())
                .await
                .unwrap();
            let (context, again) = harness.replay();
            ZohoDesk::write(&context, Kind::Customer, items)
                .await
                .unwrap();
            assert_eq!(harness.same_way(&again), None, "{loss:?}");
        });
    }
}

#[test]
fn an_item_in_doubt_that_was_imported_is_found_by_its_mapping_and_not_sent_again() {
    run(async {
        let portal = Portal::new().await;
        let item = customer("c1", Vec::new(), person("Ana Ruiz", &["ana@example.com"]));
        let since = portal.now();
        portal.write(Kind::Customer, vec![item.clone()]).await;
        let doubtful = Item {
            in_doubt_since: Some(since),
            ..item
        };
        let harness = portal.harness();
        let context = harness.context();
        ZohoDesk::write(&context, Kind::Customer, vec![doubtful])
            .await
            .unwrap();
        context.reported().await.unwrap();
        let outcomes = harness.outcomes();
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let sent = harness
            .exchanges()
            .into_iter()
            .filter(|e| e.request.url == "/imports")
            .count();
        assert_eq!(sent, 0);
        portal.customer("c1");
    });
}

#[test]
fn an_import_works_in_every_way_that_is_not_published() {
    type Change = fn(&mut transload_simulators::zoho_desk::Switches);
    let cases: [(&str, Change); 8] = [
        ("fields by API name", |s| {
            s.import_field_keys = FieldKeys::ApiName
        }),
        ("fields either way", |s| {
            s.import_field_keys = FieldKeys::Both
        }),
        ("unknown fields refused", |s| {
            s.import_field_keys = FieldKeys::ApiName;
            s.import_unknown_field_refused = true;
        }),
        ("no mapping is 204", |s| {
            s.empty_mappings = EmptyMappings::NoContent
        }),
        ("no mapping is null", |s| {
            s.empty_mappings = EmptyMappings::Nulls
        }),
        ("no error log", |s| s.error_log = ErrorLog::Missing),
        ("rows counted from one, pages of 50", |s| {
            s.from_one_based = true;
            s.list_limit = 50;
        }),
        ("API names squashed", |s| {
            s.field_names = transload_simulators::zoho_desk::FieldNames::Squashed;
        }),
    ];
    for (case, change) in cases {
        run(async {
            let mut portal = Portal::unprepared(|config| change(&mut config.switches));
            let before = portal.print();
            portal.prepare().await;
            let state: serde_json::Value = serde_json::from_str(portal.state().unwrap()).unwrap();
            assert_eq!(state["imports"], json!(true), "{case}");
            let made = portal
                .write(
                    Kind::Customer,
                    vec![customer(
                        "c1",
                        Vec::new(),
                        person("Ana Ruiz", &["ana@example.com"]),
                    )],
                )
                .await;
            assert!(made.iter().all(is_created), "{case}: {made:?}");
            let contact = portal.customer("c1");
            assert_eq!(own(&portal, &contact, "Transload run"), "r1", "{case}");
            assert_undone(&portal.rollback(UndoMode::Careful).await, case);
            assert_same(&before, &portal.print(), case);
        });
    }
}

#[test]
fn whom_an_import_or_a_request_joins_with_somebody_who_was_there_is_matched_and_never_deleted() {
    for imports in [true, false] {
        run(async {
            let portal = Portal::switched(|switches| {
                switches.import_duplicate_email = DuplicateEmail::Matched;
                switches.duplicate_email = DuplicateEmail::Matched;
                if !imports {
                    switches.imports_refused = Some(403);
                }
            })
            .await;
            let theirs = contact_of(&portal, OLD);
            // Nobody was matched before: the search had not seen him.
            let item = customer("c1", Vec::new(), person("Old Customer", &[OLD]));
            let made = portal.write(Kind::Customer, vec![item]).await;
            assert!(!is_created(&made[0]), "{made:?}");
            portal.rollback(UndoMode::Careful).await;
            let now = contact_of(&portal, OLD);
            assert_eq!(now.id, theirs.id);
            assert_eq!(now.values, theirs.values, "imports {imports}");
            assert_eq!(now.cf, theirs.cf, "imports {imports}");
        });
    }
}

#[test]
fn each_policy_changes_what_it_says_and_is_put_back() {
    for (policy, name, of_company) in [
        (MatchPolicy::Leave, "Old Customer", None),
        (MatchPolicy::FillEmpty, "Old Customer", Some("Acme Ltd")),
        (MatchPolicy::SourceWins, "Older Customer", Some("Acme Ltd")),
    ] {
        run(async {
            let mut portal = Portal::unprepared(|_| {});
            let before = portal.print();
            portal.prepare().await;
            let acme = company("k1", Vec::new(), Company::called("Acme Ltd"));
            portal.write(Kind::Company, vec![acme]).await;
            let mut data = person("Older Customer", &[OLD, "old@home.example"]);
            data.company = Some(portal.known(Reference::new(Kind::Company, "k1")));
            let item = with_policy(customer("c1", Vec::new(), data), policy);
            let outcome = one(&portal, item).await;
            let contact = contact_of(&portal, OLD);
            let names = [contact.text("firstName"), contact.text("lastName")];
            let full: Vec<&str> = names.into_iter().flatten().collect();
            assert_eq!(full.join(" "), name, "{policy:?} {outcome:?}");
            let of = contact.link("accountId").map(|_| account(&portal, "k1"));
            let of = of.as_ref().and_then(|account| account.text("accountName"));
            assert_eq!(of, of_company, "{policy:?}");
            assert_eq!(
                own(&portal, &contact, "Transload run"),
                "",
                "only what it made carries the run"
            );
            assert_undone(&portal.rollback(UndoMode::Careful).await, "");
            assert_same(&before, &portal.print(), &format!("{policy:?}"));
        });
    }
}

#[test]
fn somebody_elses_description_stays_and_the_card_is_in_a_field() {
    run(async {
        let portal = Portal::new().await;
        let theirs = contact_of(&portal, OLD);
        portal
            .sim
            .edit_record(theirs.id, |record| {
                record
                    .values
                    .insert("description".to_owned(), json!("Always call back."));
            })
            .unwrap();
        let fields = vec![field("colourStr", Value::Text("green".to_owned()), None)];
        let item = customer("c1", fields, person("Old Customer", &[OLD]));
        let outcome = one(&portal, item).await;
        assert!(matches!(outcome.status, Status::Updated), "{outcome:?}");
        let contact = contact_of(&portal, OLD);
        assert_eq!(contact.text("description"), Some("Always call back."));
        let card = own(&portal, &contact, "Transload source card");
        assert!(card.contains("field colourStr: green"), "{card}");
        assert_eq!(
            own(&portal, &contact, "Transload source id"),
            "old-desk:org1:customer:c1"
        );
    });
}

#[test]
fn two_customers_of_one_address_are_two_contacts_and_so_are_two_companies_of_one_name() {
    for imports in [true, false] {
        run(async {
            let portal = Portal::switched(|switches| {
                switches.account_names_unique = true;
                if !imports {
                    switches.imports_refused = Some(404);
                }
            })
            .await;
            for id in ["c1", "c2"] {
                let item = customer(
                    id,
                    Vec::new(),
                    person(&format!("Name {id}"), &["shared@example.com"]),
                );
                let outcome = one(&portal, item).await;
                assert!(is_created(&outcome), "{id} {imports}: {outcome:?}");
            }
            assert_eq!(
                portal.customer("c1").text("email"),
                Some("shared@example.com")
            );
            let second = portal.customer("c2");
            assert_eq!(second.text("email"), None, "imports {imports}");
            assert!(
                second
                    .text("description")
                    .unwrap()
                    .contains("shared@example.com")
            );
            for id in ["k1", "k2"] {
                let item = company(id, Vec::new(), Company::called("Acme Ltd"));
                let outcome = one(&portal, item).await;
                assert!(is_created(&outcome), "{id} {imports}: {outcome:?}");
            }
            // Only a request refuses a name that is taken.
            let name = if imports { "Acme Ltd" } else { "Acme Ltd (k2)" };
            assert_eq!(
                account(&portal, "k2").text("accountName"),
                Some(name),
                "imports {imports}"
            );
        });
    }
}

#[test]
fn a_contact_with_somebodys_ticket_stays_and_one_that_somebody_changed_is_a_conflict() {
    run(async {
        let portal = Portal::new().await;
        let items = ["c1", "c2", "c3"].map(|id| {
            let email = format!("{id}@example.com");
            customer(id, Vec::new(), person(&format!("Name {id}"), &[&email]))
        });
        portal.write(Kind::Customer, items.to_vec()).await;
        portal
            .sim
            .receive_mail("c1@example.com", None, "Hello?")
            .unwrap();
        let second = portal.customer("c2");
        portal
            .sim
            .edit_record(second.id, |record| {
                record
                    .values
                    .insert("lastName".to_owned(), json!("Changed"));
            })
            .unwrap();
        let undone = portal.rollback(UndoMode::Careful).await;
        let conflicts: Vec<&str> = undone
            .iter()
            .filter(|one| one.status == UndoStatus::Conflict)
            .filter_map(|one| one.reason.as_deref())
            .collect();
        assert_eq!(conflicts.len(), 2, "{conflicts:?}");
        assert!(
            conflicts.iter().any(|why| why.contains("1 tickets")),
            "{conflicts:?}"
        );
        assert!(
            conflicts.iter().any(|why| why.contains("lastName")),
            "{conflicts:?}"
        );
        let snapshot = portal.snapshot();
        assert!(snapshot.contact_by_email("c1@example.com").is_some());
        assert!(snapshot.contact_by_email("c3@example.com").is_none());
    });
}

#[test]
fn odd_texts_come_back_as_they_were() {
    run(async {
        let portal = Portal::new().await;
        let name = "Søren \u{202e}Ærø 🔥 O'Neil \"Q\"";
        let made = portal
            .write(
                Kind::Customer,
                vec![customer("c1", Vec::new(), person(name, &["s@example.com"]))],
            )
            .await;
        assert!(made.iter().all(is_created), "{made:?}");
        let observed = portal.read_back(Kind::Customer, "customer:c1").await;
        let body = observed.body.unwrap();
        let Entity::Customer(back) = &body.entry().data else {
            panic!("a customer is read back as one");
        };
        assert_eq!(back.name.as_deref(), Some(name));
        let recorded = portal.effects_of("customer:c1")[0].fingerprint.clone();
        assert_eq!(observed.fingerprint, recorded);
    });
}
