//! Companies, customers, teams and agents at the simulated org: what they become, who is who, and how many calls it takes.

use crate::support::Stand as _;
use crate::support::{
    Org, agent, assert_same, assert_undone, company, customer, definition, field, is_created, team,
};
use serde_json::json;
use transload_plugin_salesforce::Salesforce;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, MatchPolicy, UndoMode};
use transload_sdk::ledger::{Action, Status};
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, FieldType, Kind, Location, Moment, Owner,
    Reference, Value,
};
use transload_sdk::words::placeholder_name;
use transload_simulators::salesforce::{DuplicateRule, RowFault};

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

fn address(channel: AddressChannel, value: &str, label: Option<&str>) -> Address {
    Address {
        label: label.map(str::to_owned),
        ..Address::new(channel, value)
    }
}

#[tokio::test]
async fn a_customer_arrives_with_names_addresses_company_tags_and_original_time() {
    let org = Org::new().await;
    let acme = Company {
        domains: vec!["acme.example".to_owned()],
        addresses: vec![address(AddressChannel::Phone, "+41 44 000 00 01", None)],
        employee_count: Some(12),
        ..Company::called("Acme Ltd")
    };
    org.write(Kind::Company, vec![company("k1", Vec::new(), acme)])
        .await;
    let ana = Customer {
        first_name: Some("Ana".to_owned()),
        last_name: Some("Ruiz".to_owned()),
        company: Some(org.known(Reference::new(Kind::Company, "k1"))),
        addresses: vec![
            address(AddressChannel::Email, "Ana@Example.com", None),
            address(AddressChannel::Email, "ana.ruiz@home.example", Some("home")),
            address(AddressChannel::Phone, "+41 79 000 00 02", Some("Mobile")),
            address(AddressChannel::Phone, "+41 44 000 00 03", None),
            address(AddressChannel::Social("twitter".to_owned()), "@ana", None),
        ],
        tags: vec![
            Reference::new(Kind::Tag, "t1").at("vip"),
            Reference::new(Kind::Tag, "t2").at("a,b"),
        ],
        merged_from: vec!["c0".to_owned()],
        ..person("Ana Ruiz", &[])
    };
    let outcomes = org
        .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let account = org.of("Account", &Kind::Company, "k1");
    assert_eq!(account["Name"], "Acme Ltd");
    assert_eq!(account["Website"], "acme.example");
    assert_eq!(account["Phone"], "+41 44 000 00 01");
    let contact = org.of("Contact", &Kind::Customer, "c1");
    assert_eq!(contact["FirstName"], "Ana");
    assert_eq!(contact["LastName"], "Ruiz");
    assert_eq!(contact["Email"], "ana@example.com");
    assert_eq!(contact["MobilePhone"], "+41 79 000 00 02");
    assert_eq!(contact["Phone"], "+41 44 000 00 03");
    assert_eq!(contact["Transload_Tags__c"], ";vip;a,b;");
    assert_eq!(contact["Transload_Merged_Ids__c"], "c0");
    assert_eq!(contact["Transload_Run__c"], "r1");
    let others = contact["Transload_Addresses__c"].as_str().unwrap();
    assert!(
        others.contains("e-mail: ana.ruiz@home.example (home)"),
        "{others}"
    );
    assert!(others.contains("twitter: @ana"), "{others}");
    // 1,700,000,000,250 ms, to the second.
    for name in ["CreatedDate", "Transload_Created_At__c"] {
        assert_eq!(contact[name], "2023-11-14T22:13:20.000+0000", "{name}");
    }
    let of_account = org.known(Reference::new(Kind::Company, "k1")).target;
    assert_eq!(contact["AccountId"].as_str().map(str::to_owned), of_account);
}

#[tokio::test]
async fn an_org_that_takes_no_original_times_keeps_them_in_a_field() {
    let org = Org::with(|config| config.audit_fields_setting = false).await;
    org.write(
        Kind::Customer,
        vec![customer("c1", Vec::new(), person("Ana", &[]))],
    )
    .await;
    let contact = org.of("Contact", &Kind::Customer, "c1");
    assert_ne!(contact["CreatedDate"], "2023-11-14T22:13:20.000+0000");
    assert_eq!(
        contact["Transload_Created_At__c"],
        "2023-11-14T22:13:20.000+0000"
    );
}

#[tokio::test]
async fn what_is_there_is_filled_and_put_back_by_a_rollback() {
    let mut org = Org::unprepared(|_| {});
    let before = org.sim.state_fingerprint();
    org.prepare().await;
    let old = Customer {
        addresses: vec![
            address(AddressChannel::Email, "OLD.customer@example.com", None),
            address(AddressChannel::Phone, "+41 79 111 11 11", None),
        ],
        ..person("Somebody Else", &[])
    };
    let items = vec![customer("c1", Vec::new(), old)];
    let items = org.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_none());
    let outcomes = org.write(Kind::Customer, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let contact = org.of("Contact", &Kind::Customer, "c1");
    // What was there stays, what was empty is filled; which run did it is not said of what it has not made.
    assert_eq!(contact["LastName"], "Customer");
    assert_eq!(contact["Phone"], "+41 79 111 11 11");
    assert_eq!(contact["Transload_Run__c"], json!(null));
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    assert_same(&before, &org.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn a_policy_to_leave_leaves_and_one_that_the_source_wins_overwrites() {
    for (policy, last) in [
        (MatchPolicy::Leave, "Customer"),
        (MatchPolicy::FillEmpty, "Customer"),
        (MatchPolicy::SourceWins, "Newname"),
    ] {
        let org = Org::new().await;
        let person = Customer {
            first_name: Some("Old".to_owned()),
            last_name: Some("Newname".to_owned()),
            ..person("Old Newname", &["old.customer@example.com"])
        };
        let items = vec![customer("c1", Vec::new(), person)];
        let items = org.matched(Kind::Customer, items).await;
        let items: Vec<Item> = items
            .into_iter()
            .map(|item| Item { policy, ..item })
            .collect();
        let outcomes = org.write(Kind::Customer, items).await;
        let snapshot = org.snapshot();
        let rows = snapshot.with("Contact", "Email", "old.customer@example.com");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text("LastName"), last, "{policy:?}");
        if policy == MatchPolicy::Leave {
            assert!(
                matches!(outcomes[0].status, Status::Matched),
                "{outcomes:?}"
            );
            assert_eq!(rows[0].text("Transload_Source_Id__c"), "");
        }
    }
}

#[tokio::test]
async fn two_people_of_the_source_never_become_one() {
    let org = Org::new().await;
    let both = ["ana@example.com"];
    org.write(
        Kind::Customer,
        vec![customer("c1", Vec::new(), person("Ana", &both))],
    )
    .await;
    let items = vec![customer("c2", Vec::new(), person("Her son", &both))];
    let items = org.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = org.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = org.snapshot();
    assert_eq!(
        snapshot.with("Contact", "Email", "ana@example.com").len(),
        2
    );
}

#[tokio::test]
async fn a_blocking_rule_is_obeyed_unless_it_found_the_same_address_and_nobody_elses() {
    let org = Org::with(|config| config.preexisting.duplicate_rules = DuplicateRule::Block).await;
    // Not matched before: who is there came after the match.
    let items = vec![
        customer(
            "c1",
            Vec::new(),
            person("Old Customer", &["old.customer@example.com"]),
        ),
        customer(
            "c2",
            Vec::new(),
            person("Nobody Else", &["nobody@example.com"]),
        ),
    ];
    let outcomes = org.write(Kind::Customer, items).await;
    let of = |key: &str| outcomes.iter().find(|o| o.item == key).unwrap();
    assert!(
        matches!(of("customer:c1").status, Status::Updated),
        "{outcomes:?}"
    );
    assert!(is_created(of("customer:c2")), "{outcomes:?}");
    // Another customer of the source with that address is another person: refused by the rule, and said so.
    let again = vec![customer(
        "c3",
        Vec::new(),
        person("Nobody Else", &["nobody@example.com"]),
    )];
    let outcomes = org.write(Kind::Customer, again).await;
    assert!(
        matches!(outcomes[0].status, Status::Rejected(_)),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn leads_are_made_by_rule() {
    let mut org = Org::unprepared(|_| {});
    org.set("leads", "without-conversations");
    org.prepare().await;
    let silent = Customer {
        conversation_count: Some(0),
        company_name: Some("Her own".to_owned()),
        ..person("Ana Ruiz", &["ana@example.com"])
    };
    let wrote = Customer {
        conversation_count: Some(2),
        ..person("Bo Ng", &["bo@example.com"])
    };
    let items = vec![
        customer("c1", Vec::new(), silent),
        customer("c2", Vec::new(), wrote),
    ];
    let outcomes = org.write(Kind::Customer, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let lead = org.of("Lead", &Kind::Customer, "c1");
    assert_eq!(lead["Company"], "Her own");
    assert_eq!(
        org.of("Contact", &Kind::Customer, "c2")["Email"],
        "bo@example.com"
    );
}

#[tokio::test]
async fn values_go_where_their_field_is_and_onto_the_card_where_they_do_not_fit() {
    let org = Org::new().await;
    let of = |name: &str, label: &str, kind: FieldType| {
        let owner = Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        definition(owner, name, label, kind)
    };
    let items = vec![
        of("tierStr", "Tier", FieldType::Text),
        of("scoreNum", "Score", FieldType::Decimal),
        of("seenAt", "Seen", FieldType::Moment),
    ];
    org.write(Kind::FieldDefinition, items).await;
    let at = |name: &str| org.field_at("customer", name);
    let moment = Moment {
        at: 1_700_000_000_123,
        offset_minutes: None,
    };
    let own = vec![
        field("tierStr", Value::Text("gold".to_owned()), at("tierStr")),
        field(
            "scoreNum",
            Value::Decimal("64.670".to_owned()),
            at("scoreNum"),
        ),
        field("seenAt", Value::Moment(moment), at("seenAt")),
        field("lifeTxt", Value::Text("no field".to_owned()), None),
    ];
    let place = Location {
        label: Some("home".to_owned()),
        name: None,
        lines: vec!["Main St 1".to_owned()],
        city: Some("Bern".to_owned()),
        region: None,
        postal_code: Some("3000".to_owned()),
        country: Some("Switzerland".to_owned()),
        latitude: None,
        longitude: None,
    };
    let ana = Customer {
        locations: vec![place],
        ..person("Ana", &["ana@example.com"])
    };
    let outcomes = org
        .write(Kind::Customer, vec![customer("c1", own, ana)])
        .await;
    let contact = org.of("Contact", &Kind::Customer, "c1");
    assert_eq!(contact["tierStr__c"], "gold");
    assert_eq!(contact["scoreNum__c"], json!(64.67));
    assert_eq!(contact["seenAt__c"], "2023-11-14T22:13:20.000+0000");
    assert_eq!(contact["MailingCity"], "Bern");
    let card = contact["Transload_Source_Card__c"].as_str().unwrap();
    assert!(card.contains("field lifeTxt: no field"), "{card}");
    assert!(
        card.contains("field seenAt: 2023-11-14T22:13:20.123Z"),
        "{card}"
    );
    let lossy: Vec<&str> = outcomes[0]
        .losses
        .iter()
        .map(|l| l.field.as_str())
        .collect();
    assert!(
        lossy.contains(&"fields.seenAt") && lossy.contains(&"fields.lifeTxt"),
        "{lossy:?}"
    );
}

#[tokio::test]
async fn agents_are_matched_by_address_and_join_the_queues_that_this_run_made() {
    let org = Org::new().await;
    let teams = org
        .write(
            Kind::Team,
            vec![team("t1", "Returns"), team("t2", "Night desk")],
        )
        .await;
    assert_eq!(teams[0].effects[0].action, Action::Matched);
    assert_eq!(teams[1].effects[0].action, Action::Created);
    let of = |id: &str| org.known(Reference::new(Kind::Team, id));
    let items = vec![
        agent(
            "a1",
            "Dana",
            "DANA@acme.example",
            Vec::new(),
            vec![of("t1"), of("t2")],
        ),
        agent("a2", "Eve", "eve@acme.example", Vec::new(), vec![of("t2")]),
    ];
    let outcomes = org.write(Kind::Agent, items).await;
    let snapshot = org.snapshot();
    let dana = snapshot.with("User", "Email", "dana@acme.example")[0]
        .id
        .clone();
    let main = |key: &str| {
        let of = outcomes.iter().find(|outcome| outcome.item == key).unwrap();
        of.effects[0].target_id.clone()
    };
    assert_eq!(main("agent:a1"), dana);
    assert_eq!(placeholder_name(&main("agent:a2")), Some("Eve"));
    let night = of("t2").target.unwrap();
    let members = snapshot.with("GroupMember", "GroupId", &night);
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].text("UserOrGroupId"), dana);
    let returns = of("t1").target.unwrap();
    assert_eq!(snapshot.with("GroupMember", "GroupId", &returns).len(), 0);
}

#[tokio::test]
async fn a_second_run_finds_what_the_first_one_made() {
    let mut org = Org::new().await;
    let items = || {
        vec![customer(
            "c1",
            Vec::new(),
            person("Ana", &["ana@example.com"]),
        )]
    };
    org.write(Kind::Customer, items()).await;
    org.run = "r2".to_owned();
    org.prepare().await;
    // Without a match before: the unique external id tells.
    let outcomes = org.write(Kind::Customer, items()).await;
    assert!(!is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(
        org.of("Contact", &Kind::Customer, "c1")["Transload_Run__c"],
        "r1"
    );
}

#[tokio::test]
async fn rows_that_meet_a_lock_are_sent_again_alone() {
    let org = Org::new().await;
    org.sim.add_row_fault(RowFault {
        object: "Contact".to_owned(),
        operation: "insert".to_owned(),
        from: 1,
        to: 1,
        code: "UNABLE_TO_LOCK_ROW",
        message: "unable to obtain exclusive access to this record".to_owned(),
    });
    let items = ["c1", "c2"].map(|id| customer(id, Vec::new(), person(id, &[])));
    let outcomes = org.write(Kind::Customer, items.to_vec()).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    assert_eq!(
        org.snapshot()
            .of_object("Contact")
            .filter(|r| r.text("Transload_Run__c") == "r1")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_thousand_customers_take_few_calls() {
    let org = Org::new().await;
    let all: Vec<Item> = (0..1_000)
        .map(|n| {
            let email = format!("c{n}@example.com");
            customer(
                &format!("{n:024}"),
                Vec::new(),
                person(&format!("Person {n}"), &[&email]),
            )
        })
        .collect();
    let (mut reads, mut writes) = (0, 0);
    for chunk in all.chunks(200) {
        let harness = org.harness();
        Salesforce::match_items(&harness.context(), Kind::Customer, chunk.to_vec())
            .await
            .unwrap();
        reads += harness.exchanges().len();
        let harness = org.harness();
        Salesforce::write(&harness.context(), Kind::Customer, chunk.to_vec())
            .await
            .unwrap();
        assert!(harness.outcomes().iter().all(is_created));
        writes += harness.exchanges().len();
    }
    // One insert for two hundred; matching asks for users of these addresses, our markers, contacts of these addresses.
    assert_eq!(writes, 5);
    assert!(reads <= 60, "{reads}");
}

#[tokio::test]
async fn many_customers_go_by_a_bulk_job_and_what_it_refuses_goes_alone() {
    let org = Org::new().await;
    let mut all: Vec<Item> = (0..2_500)
        .map(|n| {
            let name = format!("Person {n}, \"the {n}th\"");
            customer(&format!("{n:024}"), Vec::new(), person(&name, &[]))
        })
        .collect();
    // One that an earlier run made.
    let first = all.remove(0);
    org.write(Kind::Customer, vec![first.clone()]).await;
    all.push(first);
    let harness = org.harness();
    Salesforce::write(&harness.context(), Kind::Customer, all)
        .await
        .unwrap();
    let outcomes = harness.outcomes();
    assert_eq!(outcomes.len(), 2_500);
    assert!(outcomes.iter().all(is_created), "all are of this run");
    // How often a job is asked after depends on how long it takes.
    let mut calls: Vec<String> = harness
        .exchanges()
        .iter()
        .map(|e| format!("{} {}", e.request.method, e.request.url))
        .collect();
    calls.dedup();
    // Open, upload, close, ask, results; what was there: an insert that says so, and whose it is.
    assert_eq!(calls.len(), 7, "{calls:#?}");
    let contact = org.of("Contact", &Kind::Customer, &format!("{:024}", 7));
    assert_eq!(contact["LastName"], "Person 7, \"the 7th\"");
    org.assert_silent();
}
