//! Contacts, companies, agents and teams: matched, made, changed as far as the policy goes, put back.

use crate::support::*;
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchPolicy, UndoMode};
use transload_sdk::ledger::{Status, UndoStatus};
use transload_sdk::types::{Address, AddressChannel, Company, Customer, Kind, Reference, Value};

fn olga() -> Customer {
    Customer {
        name: Some("Olga".to_owned()),
        addresses: vec![
            Address::new(AddressChannel::Email, "Old.Customer@example.com"),
            Address::new(AddressChannel::Phone, "+15555550199"),
        ],
        ..Customer::empty()
    }
}

fn with(item: Item, policy: MatchPolicy) -> Item {
    Item { policy, ..item }
}

#[test]
fn a_contact_who_was_there_is_left_filled_or_replaced_and_put_back() {
    for (policy, name, phone) in [
        (MatchPolicy::Leave, "Old Customer", None),
        (MatchPolicy::FillEmpty, "Old Customer", Some("+15555550199")),
        (MatchPolicy::SourceWins, "Olga", Some("+15555550199")),
    ] {
        run(async {
            let mut account = Account::unprepared(|_| {});
            let before = account.live();
            account.prepare().await;
            account.sim.harness().clock.advance(600_000);
            let items = vec![customer("c1", vec![], olga())];
            let items = account.matched(Kind::Customer, items).await;
            assert!(items[0].certain().is_some());
            let items = items.into_iter().map(|item| with(item, policy)).collect();
            let made = account.write(Kind::Customer, items).await;
            assert!(
                matches!(made[0].status, Status::Updated | Status::Matched),
                "{made:?}"
            );
            let snapshot = account.snapshot();
            let found = snapshot.contacts_by_email("old.customer@example.com");
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].name.as_deref(), Some(name));
            assert_eq!(found[0].phone.as_deref(), phone);
            assert!(
                found[0].notes.is_empty(),
                "nothing that cannot be taken back"
            );
            assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
            assert_same(&before, &account.live(), "as it was");
        });
    }
}

#[test]
fn a_doubtful_candidate_is_somebody_else_and_keeps_the_address() {
    run(async {
        let account = Account::new().await;
        let there = account
            .snapshot()
            .contacts_by_email("old.customer@example.com")[0]
            .id
            .clone();
        let doubtful = Candidate {
            target_id: there.clone(),
            by: MatchKey::Email,
            before: "{}".to_owned(),
            doubtful: Some("several records may be it".to_owned()),
        };
        let item = existing(customer("c1", vec![], olga()), doubtful);
        let made = account.write(Kind::Customer, vec![item]).await;
        assert!(is_created(&made[0]), "{made:?}");
        let olga = account.customer("c1");
        assert_ne!(olga.id, there);
        assert_eq!(olga.email, None);
        assert!(
            made[0]
                .losses
                .iter()
                .any(|l| l.field == "customer.addresses")
        );
        let notes = account.snapshot().notes;
        let card = &notes[&olga.notes[0]].body;
        assert!(
            card.contains("address of another contact too: old.customer@example.com"),
            "{card}"
        );
    });
}

#[test]
fn two_people_of_the_source_never_become_one() {
    run(async {
        let account = Account::new().await;
        let one = customer("c1", vec![], bo());
        let other = Customer {
            name: Some("Bo Ng".to_owned()),
            ..bo()
        };
        account.write(Kind::Customer, vec![one]).await;
        let made = account
            .write(Kind::Customer, vec![customer("c2", vec![], other)])
            .await;
        assert!(is_created(&made[0]), "{made:?}");
        assert_ne!(account.customer("c1").id, account.customer("c2").id);
        assert_eq!(account.customer("c2").email, None);
    });
}

#[test]
fn an_archived_contact_is_brought_back_and_archived_again() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let there = account
            .snapshot()
            .contacts_by_email("old.customer@example.com")[0]
            .id
            .clone();
        account
            .sim
            .edit_contact(&there, |contact| contact.archived = true)
            .unwrap();
        account.prepare().await;
        let made = account
            .write(Kind::Customer, vec![customer("c1", vec![], olga())])
            .await;
        assert!(matches!(made[0].status, Status::Updated), "{made:?}");
        assert!(!account.snapshot().contact(&there).unwrap().archived);
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert!(account.snapshot().contact(&there).unwrap().archived);
    });
}

#[test]
fn companies_are_made_once_and_people_belong_to_them() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.live();
        account.prepare().await;
        let data = Company {
            domains: vec!["acme.example".to_owned(), "acme.test".to_owned()],
            employee_count: Some(12),
            ..Company::called("Acme")
        };
        let made = account
            .write(Kind::Company, vec![company("k1", vec![], data.clone())])
            .await;
        assert!(is_created(&made[0]), "{made:?}");
        assert!(made[0].losses.iter().any(|l| l.field == "company.domains"));
        let again = account
            .write(Kind::Company, vec![company("k1", vec![], data)])
            .await;
        assert!(matches!(again[0].status, Status::Matched), "{again:?}");
        let person = Customer {
            company: Some(account.known(Reference::new(Kind::Company, "k1"))),
            ..bo()
        };
        account
            .write(Kind::Customer, vec![customer("c1", vec![], person)])
            .await;
        let snapshot = account.snapshot();
        let acme = snapshot.company("old-desk:org1:company:k1").unwrap();
        assert_eq!(acme.size, Some(12));
        assert_eq!(account.customer("c1").companies.first(), Some(&acme.id));
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        account.sim.harness().clock.advance(60_000);
        assert_same(&before, &account.live(), "as it was");
    });
}

#[test]
fn a_contact_that_others_use_stays() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let bo = account.customer("c1").id;
        account
            .sim
            .contact_writes(&bo, None, "something new")
            .unwrap();
        account.sim.harness().clock.advance(600_000);
        let preview = account.rollback(UndoMode::Preview).await;
        let conflicts = |list: &[transload_sdk::ledger::UndoOutcome]| {
            list.iter()
                .filter(|o| o.status == UndoStatus::Conflict)
                .count()
        };
        assert_eq!(conflicts(&preview), 1, "{preview:?}");
        let undone = account.rollback(UndoMode::Careful).await;
        assert_eq!(conflicts(&undone), 1, "{undone:?}");
        account.customer("c1");
    });
}

#[test]
fn agents_and_teams_are_the_workspaces_own_or_stood_in_for() {
    run(async {
        let account = Account::new().await;
        let known = agent("a1", "Dana", "DANA@acme.example", vec![], vec![]);
        let former = agent("a2", "Ana: Ruiz", "ana@acme.example", vec![], vec![]);
        account.write(Kind::Agent, vec![known, former]).await;
        let dana = account
            .snapshot()
            .admin_by_email("dana@acme.example")
            .unwrap()
            .id;
        assert_eq!(account.dana().target, Some(dana.to_string()));
        let stood_in = account
            .known(Reference::new(Kind::Agent, "a2"))
            .target
            .unwrap();
        assert!(stood_in.ends_with(":Ana: Ruiz"), "{stood_in}");
        let made = account
            .write(
                Kind::Team,
                vec![team("t1", "Billing"), team("t2", "Nobody's")],
            )
            .await;
        assert!(matches!(made[0].status, Status::Matched));
        assert!(matches!(made[1].status, Status::Exported(_)));
    });
}

#[test]
fn further_addresses_and_long_values_are_on_the_source_card() {
    run(async {
        let account = Account::new().await;
        let owner = transload_sdk::types::Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        let of = definition(
            owner,
            "storyStr",
            "Story",
            transload_sdk::types::FieldType::Text,
        );
        account.write(Kind::FieldDefinition, vec![of]).await;
        let at = account.field_at("customer", "storyStr");
        let long = "x".repeat(300);
        let fields = vec![
            field("storyStr", Value::Text(long.clone()), at.clone()),
            field("strangeStr", Value::Text("y".to_owned()), None),
        ];
        let made = account
            .write(Kind::Customer, vec![customer("c1", fields, bo())])
            .await;
        assert!(
            made[0].losses.iter().any(|l| l.field == "fields.storyStr"),
            "{made:?}"
        );
        let contact = account.customer("c1");
        let notes = account.snapshot().notes;
        let card = &notes[&contact.notes[0]].body;
        assert!(
            card.contains("bo.ng@work.example")
                && card.contains(&long)
                && card.contains("strangeStr")
        );
        let short = vec![field("storyStr", Value::Text("short".to_owned()), at)];
        let other = Customer {
            name: Some("Other".to_owned()),
            ..Customer::empty()
        };
        account
            .write(Kind::Customer, vec![customer("c2", short, other)])
            .await;
        assert_eq!(
            account.customer("c2").custom_attributes.get("Story"),
            Some(&"short".into())
        );
    });
}
