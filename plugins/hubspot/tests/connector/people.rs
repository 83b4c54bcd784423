//! Companies and customers at the simulated account: what they become, who is who, and how many calls it takes.

use crate::support::Stand as _;
use crate::support::doubt::{assert_same_way, every_loss, prepared};
use crate::support::{Portal, assert_same, assert_undone, company, customer, is_created};
use serde_json::json;
use transload_sdk::destination::{Item, MatchPolicy, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    self, Address, AddressChannel, Company, Customer, Kind, Location, Reference,
};
use transload_simulators::hubspot::model::TypeId;

fn address(channel: AddressChannel, value: &str, label: Option<&str>) -> Address {
    Address {
        label: label.map(str::to_owned),
        ..Address::new(channel, value)
    }
}

fn person(name: &str, emails: &[&str]) -> Customer {
    Customer {
        name: Some(name.to_owned()),
        addresses: emails
            .iter()
            .map(|email| Address::new(AddressChannel::Email, *email))
            .collect(),
        ..Customer::empty()
    }
}

fn people(list: &[(&str, &str, &str)]) -> Vec<Item> {
    let of =
        |(id, name, email): &(&str, &str, &str)| customer(id, Vec::new(), person(name, &[email]));
    list.iter().map(of).collect()
}

#[tokio::test]
async fn a_customer_arrives_with_names_addresses_company_and_original_time() {
    let portal = Portal::new().await;
    let group = Company {
        domains: vec!["acme-group.example".to_owned()],
        ..Company::called("Acme Group")
    };
    portal
        .write(Kind::Company, vec![company("k0", Vec::new(), group)])
        .await;
    let acme = Company {
        domains: vec!["Acme.example".to_owned(), "acme.test".to_owned()],
        addresses: vec![address(AddressChannel::Phone, "+41 44 000 00 01", None)],
        employee_count: Some(12),
        parent: Some(portal.known(Reference::new(Kind::Company, "k0"))),
        ..Company::called("Acme Ltd")
    };
    portal
        .write(Kind::Company, vec![company("k1", Vec::new(), acme)])
        .await;
    let ana = Customer {
        first_name: Some("Ana".to_owned()),
        last_name: Some("Ruiz".to_owned()),
        company: Some(portal.known(Reference::new(Kind::Company, "k1"))),
        addresses: vec![
            address(AddressChannel::Email, "Ana@Example.com", None),
            address(AddressChannel::Email, "ana.ruiz@home.example", Some("home")),
            address(AddressChannel::Phone, "+41 79 000 00 02", Some("Mobile")),
            address(AddressChannel::Phone, "+41 44 000 00 03", None),
            address(AddressChannel::Social("twitter".to_owned()), "@ana", None),
        ],
        locations: vec![Location {
            label: None,
            name: None,
            lines: vec!["Main St 1".to_owned()],
            city: Some("Bern".to_owned()),
            region: None,
            postal_code: Some("3000".to_owned()),
            country: Some("Switzerland".to_owned()),
            latitude: None,
            longitude: None,
        }],
        merged_from: vec!["c0".to_owned()],
        ..person("Ana Ruiz", &[])
    };
    let outcomes = portal
        .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = portal.snapshot();
    let acme = portal.of(TypeId::COMPANY, &Kind::Company, "k1");
    assert_eq!(acme.text("name"), "Acme Ltd");
    assert_eq!(acme.text("domain"), "acme.example");
    assert_eq!(acme.text("hs_additional_domains"), "acme.test");
    assert_eq!(acme.text("phone"), "+41 44 000 00 01");
    assert_eq!(acme.text("numberofemployees"), "12");
    let group = portal.of(TypeId::COMPANY, &Kind::Company, "k0");
    assert_eq!(snapshot.labels(&acme, &group), ["Parent Company"]);
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(
        (contact.text("firstname"), contact.text("lastname")),
        ("Ana", "Ruiz")
    );
    assert_eq!(contact.text("email"), "ana@example.com");
    assert_eq!(
        contact.text("hs_additional_emails"),
        "ana.ruiz@home.example"
    );
    assert_eq!(contact.text("mobilephone"), "+41 79 000 00 02");
    assert_eq!(contact.text("phone"), "+41 44 000 00 03");
    assert_eq!(contact.text("city"), "Bern");
    assert_eq!(contact.text("transload_merged_ids"), "c0");
    assert_eq!(contact.text("transload_run"), "r1");
    assert_eq!(contact.text("transload_addresses"), "twitter: @ana");
    assert!(
        contact
            .text("transload_created_at")
            .starts_with("2023-11-14T22:13:20.25")
    );
    assert_eq!(snapshot.labels(&contact, &acme), ["Primary"]);
}

#[tokio::test]
async fn what_is_there_is_filled_and_put_back_by_a_rollback() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    let old = Customer {
        addresses: vec![
            address(AddressChannel::Email, "OLD.customer@example.com", None),
            address(AddressChannel::Email, "old@home.example", None),
            address(AddressChannel::Phone, "+41 79 111 11 11", None),
        ],
        ..person("Somebody Else", &[])
    };
    let items = vec![customer("c1", Vec::new(), old)];
    let items = portal.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_none());
    let outcomes = portal.write(Kind::Customer, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    // What was there stays, what was empty is filled; which run did it is not said of what it has not made.
    assert_eq!(contact.text("lastname"), "Customer");
    assert_eq!(contact.text("phone"), "+41 79 111 11 11");
    assert_eq!(contact.text("email"), "old.customer@example.com");
    assert_eq!(contact.text("hs_additional_emails"), "old@home.example");
    assert_eq!(contact.text("transload_run"), "");
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn a_policy_to_leave_leaves_and_one_that_the_source_wins_overwrites() {
    for (policy, last) in [
        (MatchPolicy::Leave, "Customer"),
        (MatchPolicy::FillEmpty, "Customer"),
        (MatchPolicy::SourceWins, "Newname"),
    ] {
        let mut portal = Portal::unprepared(|_| {});
        let before = portal.sim.state_fingerprint();
        portal.prepare().await;
        let person = Customer {
            first_name: Some("Old".to_owned()),
            last_name: Some("Newname".to_owned()),
            ..person("Old Newname", &["old.customer@example.com"])
        };
        let items = vec![customer("c1", Vec::new(), person)];
        let items = portal.matched(Kind::Customer, items).await;
        let items = items
            .into_iter()
            .map(|item| Item { policy, ..item })
            .collect();
        let outcomes = portal.write(Kind::Customer, items).await;
        let snapshot = portal.snapshot();
        let rows = snapshot.with(TypeId::CONTACT, "email", "old.customer@example.com");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text("lastname"), last, "{policy:?}");
        if policy == MatchPolicy::Leave {
            assert!(
                matches!(outcomes[0].status, Status::Matched),
                "{outcomes:?}"
            );
            assert_eq!(rows[0].text("transload_source_id"), "");
        }
        assert_undone(&portal.rollback(UndoMode::Careful).await, "");
        assert_same(
            &before,
            &portal.sim.state_fingerprint(),
            &format!("{policy:?}"),
        );
    }
}

#[tokio::test]
async fn who_changed_at_both_ends_keeps_what_somebody_changed_here() {
    let mut portal = Portal::unprepared(|_| {});
    portal.prepare().await;
    let named = |first: &str, last: &str| Customer {
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        ..person("", &["ana@example.com"])
    };
    let first = customer("c1", Vec::new(), named("Ana", "First"));
    portal.write(Kind::Customer, vec![first]).await;
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    let theirs = json!({"lastname": "Theirs"});
    portal
        .sim
        .change(TypeId::CONTACT, contact.id, &theirs)
        .unwrap();
    let again = Item {
        prior: portal.effects_of("customer:c1"),
        policy: MatchPolicy::FillEmpty,
        ..customer("c1", Vec::new(), named("Anna", "Second"))
    };
    let outcomes = portal.write(Kind::Customer, vec![again]).await;
    assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(contact.text("firstname"), "Anna");
    assert_eq!(contact.text("lastname"), "Theirs");
    let left = |loss: &types::Loss| loss.note == "changed here since it was loaded: left as it is";
    assert!(outcomes[0].losses.iter().any(left), "{outcomes:?}");
}

#[tokio::test]
async fn two_people_of_the_source_never_become_one_though_no_two_contacts_have_one_address() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    portal
        .write(Kind::Customer, people(&[("c1", "Ana", "ana@example.com")]))
        .await;
    let items = vec![customer(
        "c2",
        Vec::new(),
        person("Her son", &["ana@example.com", "son@example.com"]),
    )];
    let items = portal.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = portal.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let son = portal.of(TypeId::CONTACT, &Kind::Customer, "c2");
    assert_eq!(son.text("email"), "son@example.com");
    assert_eq!(son.text("transload_addresses"), "e-mail: ana@example.com");
    // Nobody looked before this one: HubSpot refuses the address, and says whose it is.
    let items = people(&[("c3", "Her daughter", "ana@example.com")]);
    let outcomes = portal.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let daughter = portal.of(TypeId::CONTACT, &Kind::Customer, "c3");
    assert_eq!(daughter.text("email"), "");
    assert_eq!(
        daughter.text("transload_addresses"),
        "e-mail: ana@example.com"
    );
    assert!(
        outcomes[0]
            .losses
            .iter()
            .any(|loss| loss.field == "customer.addresses.email")
    );
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn an_additional_address_of_somebody_else_is_taken_out_and_the_rest_arrives() {
    let portal = Portal::new().await;
    portal
        .write(Kind::Customer, people(&[("c1", "Ana", "ana@example.com")]))
        .await;
    let two = person(
        "Bo",
        &["bo@example.com", "ana@example.com", "bo@home.example"],
    );
    let outcomes = portal
        .write(Kind::Customer, vec![customer("c2", Vec::new(), two)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let bo = portal.of(TypeId::CONTACT, &Kind::Customer, "c2");
    assert_eq!(bo.text("email"), "bo@example.com");
    assert_eq!(bo.text("hs_additional_emails"), "bo@home.example");
}

#[tokio::test]
async fn who_came_since_the_match_and_is_nobody_else_of_the_source_is_him() {
    let portal = Portal::new().await;
    let items = people(&[("c1", "Old Customer", "old.customer@example.com")]);
    let outcomes = portal.write(Kind::Customer, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let snapshot = portal.snapshot();
    assert_eq!(
        snapshot
            .with(TypeId::CONTACT, "email", "old.customer@example.com")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_customer_with_an_owners_address_is_doubted_and_made_without_it() {
    let portal = Portal::new().await;
    let ours = json!({"email": "dana@acme.example", "firstname": "Dana"});
    portal.sim.make(TypeId::CONTACT, &ours, &[]).unwrap();
    let items = people(&[("c1", "Dana Dunn", "dana@acme.example")]);
    let items = portal.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = portal.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let dana = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(dana.text("email"), "");
    assert_eq!(dana.text("firstname"), "Dana Dunn");
}

#[tokio::test]
async fn a_number_matches_who_has_the_same_name_and_doubts_the_others() {
    let portal = Portal::new().await;
    let theirs = json!({"phone": "+41790000002", "firstname": "Ana", "lastname": "Ruiz"});
    portal.sim.make(TypeId::CONTACT, &theirs, &[]).unwrap();
    portal.sim.harness().clock.advance(60_000);
    let with_number = |name: &str| Customer {
        addresses: vec![address(AddressChannel::Phone, "+41 79 000 00 02", None)],
        ..person(name, &[])
    };
    let items = vec![
        customer("c1", Vec::new(), with_number("Ana Ruiz")),
        customer("c2", Vec::new(), with_number("Bo")),
    ];
    let items = portal.matched(Kind::Customer, items).await;
    assert_eq!(items[0].existing.as_ref().unwrap().doubtful, None);
    assert!(items[1].existing.as_ref().unwrap().doubtful.is_some());
}

#[tokio::test]
async fn companies_are_matched_by_domain_and_by_name() {
    let portal = Portal::new().await;
    let theirs = json!({"name": "The Acme", "domain": "acme.example"});
    portal.sim.make(TypeId::COMPANY, &theirs, &[]).unwrap();
    portal.sim.harness().clock.advance(60_000);
    let acme = Company {
        domains: vec!["ACME.example".to_owned()],
        ..Company::called("Acme Ltd")
    };
    let items = vec![
        company("k1", Vec::new(), acme),
        company("k2", Vec::new(), Company::called("Old Partner")),
        company("k3", Vec::new(), Company::called("New")),
    ];
    let items = portal.matched(Kind::Company, items).await;
    let found: Vec<bool> = items.iter().map(|item| item.existing.is_some()).collect();
    assert_eq!(found, [true, true, false]);
    let outcomes = portal.write(Kind::Company, items).await;
    for (key, action) in [
        ("company:k1", Action::Updated),
        ("company:k2", Action::Updated),
        ("company:k3", Action::Created),
    ] {
        let outcome = outcomes.iter().find(|outcome| outcome.item == key).unwrap();
        assert_eq!(outcome.effects[0].action, action, "{key}");
    }
}

#[tokio::test]
async fn a_second_run_finds_what_the_first_one_made() {
    let mut portal = Portal::new().await;
    let ana = || people(&[("c1", "Ana", "ana@example.com")]);
    portal.write(Kind::Customer, ana()).await;
    portal.run = "r2".to_owned();
    let items = portal.matched(Kind::Customer, ana()).await;
    assert_eq!(items[0].existing.as_ref().unwrap().doubtful, None);
    let outcomes = portal.write(Kind::Customer, items).await;
    assert!(!is_created(&outcomes[0]), "{outcomes:?}");
    // And so does one that did not look.
    let outcomes = portal.write(Kind::Customer, ana()).await;
    assert!(!is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(
        portal
            .of(TypeId::CONTACT, &Kind::Customer, "c1")
            .text("transload_run"),
        "r1"
    );
}

#[tokio::test]
async fn one_bad_value_refuses_one_record() {
    let portal = Portal::new().await;
    let mut items = people(&[
        ("c1", "Ana", "ana@example.com"),
        ("c2", "Bo", "bo@example.com"),
    ]);
    // A company that is not there any more.
    let lost = Customer {
        company: Some(Reference::new(Kind::Company, "k1").at("999")),
        ..person("Cy", &["cy@example.com"])
    };
    items.push(customer("c3", Vec::new(), lost));
    let outcomes = portal.write(Kind::Customer, items).await;
    let status = |id: &str| {
        let key = format!("customer:{id}");
        &outcomes.iter().find(|o| o.item == key).unwrap().status
    };
    assert!(matches!(status("c1"), Status::Created));
    assert!(matches!(status("c2"), Status::Created));
    assert!(matches!(status("c3"), Status::Rejected(_)));
}

#[tokio::test]
async fn a_hundred_customers_take_one_write() {
    let portal = Portal::new().await;
    let items: Vec<Item> = (0..100)
        .map(|n| {
            let email = format!("c{n}@example.com");
            customer(
                &format!("c{n}"),
                Vec::new(),
                person(&format!("Person {n}"), &[&email]),
            )
        })
        .collect();
    let harness = portal.harness();
    let outcomes = portal.write_on(harness, Kind::Customer, items).await;
    assert!(outcomes.iter().all(is_created));
    let again = portal.harness();
    let items = people(&[("c100", "One more", "one@example.com")]);
    portal.write_on(again, Kind::Customer, items).await;
    assert_eq!(portal.snapshot().live(TypeId::CONTACT).count(), 103);
    let count = portal
        .write_counted(
            Kind::Customer,
            people(&[("d1", "D", "d1@example.com"), ("d2", "D", "d2@example.com")]),
        )
        .await;
    assert_eq!(count, 1);
}

#[tokio::test]
async fn every_request_for_people_may_lose_its_answer() {
    let items = async |portal: &Portal, kind: &Kind| {
        let items = match kind {
            Kind::Company => vec![company("k1", Vec::new(), Company::called("Acme Ltd"))],
            _ => people(&[
                ("c1", "Ana", "ana@example.com"),
                ("c2", "Bo", "bo@example.com"),
                ("c3", "Old Customer", "old.customer@example.com"),
            ]),
        };
        portal.matched(kind.clone(), items).await
    };
    let begin = || prepared(Portal::unprepared(|_| {}));
    let kinds = [Kind::Company, Kind::Customer];
    every_loss(begin, items, &kinds, &kinds).await;
}

#[tokio::test]
async fn the_same_unit_takes_the_same_way_again() {
    let portal = Portal::new().await;
    let items = people(&[
        ("c1", "Ana", "ana@example.com"),
        ("c2", "Old Customer", "old.customer@example.com"),
    ]);
    let harness = portal.harness().lose_answer(1, Loss::AfterApplying);
    portal.write_on(harness, Kind::Customer, items).await;
    let items = people(&[
        ("c3", "Cy", "cy@example.com"),
        ("c4", "Second", "second.customer@example.com"),
    ]);
    let harness = portal.harness().lose_answer(1, Loss::AfterApplying);
    assert_same_way::<transload_plugin_hubspot::HubSpot>(harness, Kind::Customer, items, "").await;
}

#[tokio::test]
async fn what_somebody_changed_or_hung_on_it_is_in_the_way_of_a_rollback() {
    let portal = Portal::new().await;
    portal
        .write(
            Kind::Customer,
            people(&[
                ("c1", "Ana", "ana@example.com"),
                ("c2", "Bo", "bo@example.com"),
                ("c3", "Cy", "cy@example.com"),
            ]),
        )
        .await;
    let id = |id: &str| portal.of(TypeId::CONTACT, &Kind::Customer, id).id;
    portal
        .sim
        .change(TypeId::CONTACT, id("c1"), &json!({"firstname": "Changed"}))
        .unwrap();
    let note = json!({"hs_timestamp": "2026-11-23T09:00:00Z", "hs_note_body": "call him"});
    portal
        .sim
        .make(TypeId::NOTE, &note, &[(TypeId::CONTACT, id("c2"))])
        .unwrap();
    portal.sim.harness().clock.advance(60_000);
    let preview = portal.rollback(UndoMode::Preview).await;
    let careful = portal.rollback(UndoMode::Careful).await;
    let conflicts = |outcomes: &[transload_sdk::ledger::UndoOutcome]| {
        outcomes
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .count()
    };
    // Two people, and below them what holds their values.
    assert!(conflicts(&careful) >= 2, "{careful:?}");
    assert!(conflicts(&preview) >= 2, "{preview:?}");
    let snapshot = portal.snapshot();
    let left: Vec<&str> = snapshot
        .live(TypeId::CONTACT)
        .map(|record| record.text("transload_source_id"))
        .filter(|marker| !marker.is_empty())
        .collect();
    assert_eq!(
        left,
        ["old-desk:org1:customer:c1", "old-desk:org1:customer:c2"]
    );
    // Forced, it goes all the same.
    let forced = portal.rollback(UndoMode::Force).await;
    let people = forced
        .iter()
        .filter(|o| o.status == UndoStatus::Undone)
        .count();
    assert!(people >= 2, "{forced:?}");
    let snapshot = portal.snapshot();
    assert_eq!(snapshot.live(TypeId::CONTACT).count(), 2);
}

#[tokio::test]
async fn odd_names_arrive_as_they_are() {
    let portal = Portal::new().await;
    let odd = [
        ("c1", "  two  blanks "),
        ("c2", "עברית \u{202e}ltr\u{202c}"),
        ("c3", "a\nb\tc"),
        ("c4", "<b>O'Neil</b> & \"Söhne\""),
    ];
    let items = odd
        .iter()
        .map(|(id, name)| {
            let data = Customer {
                first_name: Some((*name).to_owned()),
                last_name: Some("X".to_owned()),
                ..Customer::empty()
            };
            customer(id, Vec::new(), data)
        })
        .collect();
    portal.write(Kind::Customer, items).await;
    for (id, name) in odd {
        let contact = portal.of(TypeId::CONTACT, &Kind::Customer, id);
        assert_eq!(contact.text("firstname"), name.trim(), "{id}");
    }
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
}
