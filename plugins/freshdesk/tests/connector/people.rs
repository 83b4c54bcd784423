//! People, companies and groups: who is there already, who is not, and what is put back.

use crate::support::Stand as _;
use crate::support::{
    Account, agent, assert_same, assert_undone, company, definition, field, is_created, team,
    with_options,
};
use serde_json::{Value as Json, json};
use transload_sdk::destination::{Item, MatchKey, MatchPolicy, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::testing::items::customer;
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, Fidelity, FieldType, Kind, Moment, Owner,
    Reference, Value,
};

const STAND_IN: &str = "transload:old-desk:org1:stand-in";
const OLD: &str = "old.customer@example.com";

fn person(name: &str, emails: &[&str]) -> Customer {
    let address = |email: &&str| Address::new(AddressChannel::Email, *email);
    Customer {
        name: Some(name.to_owned()),
        addresses: emails.iter().map(address).collect(),
        ..Customer::empty()
    }
}

fn marker(id: &str) -> String {
    format!("old-desk:org1:customer:{id}")
}

fn with_policy(item: Item, policy: MatchPolicy) -> Item {
    Item { policy, ..item }
}

/// A value of one of the connector's own fields.
fn own(
    account: &Account,
    owner: &str,
    fields: &std::collections::BTreeMap<String, Json>,
    key: &str,
) -> String {
    let state = account.prepared();
    let names = match owner {
        "contact" => &state.contact_fields,
        _ => &state.company_fields,
    };
    let value = fields.get(&names[key]);
    value.and_then(Json::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_customer_is_a_contact_with_one_address_of_each_kind_and_the_rest_on_the_card() {
    let mut account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let phone = |label: &str, number: &str| Address {
        label: Some(label.to_owned()),
        ..Address::new(AddressChannel::Phone, number)
    };
    let mut ana = person(
        "Ana Ruiz",
        &["Ana@Example.com", "ana@work.example", "not an address"],
    );
    ana.addresses.extend([
        phone("mobile", "+1 (555) 555-0199"),
        phone("home", "+1 555 555 0123"),
        phone("work", "+1 555 555 0124"),
        Address::new(AddressChannel::Social("mastodon".to_owned()), "@ana"),
    ]);
    ana.merged_from = vec!["c0".to_owned(), "c00".to_owned()];
    ana.tags = vec![
        Reference::new(Kind::Tag, "t1").at("vip"),
        Reference::new(Kind::Tag, "t2").at("VIP"),
    ];
    let outcomes = account
        .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let contact = snapshot.contact_by_external_id(&marker("c1")).unwrap();
    assert_eq!(contact.email.as_deref(), Some("ana@example.com"));
    assert_eq!(contact.other_emails, ["ana@work.example"]);
    assert_eq!(contact.phone.as_deref(), Some("+15555550123"));
    assert_eq!(contact.mobile.as_deref(), Some("+15555550199"));
    assert_eq!(contact.tags, ["vip"]);
    let card = contact.description.as_deref().unwrap();
    for said in [
        "not an address",
        "+1 555 555 0124",
        "@ana",
        "Marker: old-desk:org1:customer:c1",
    ] {
        assert!(card.contains(said), "{said}: {card}");
    }
    let own = |key: &str| own(&account, "contact", &contact.custom_fields, key);
    assert_eq!(own("run"), "r1");
    assert_eq!(own("created"), "2023-11-14T22:13:20.250Z");
    assert_eq!(own("merged"), "c0\nc00");

    let undone = account.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn a_matched_contact_keeps_its_description_and_has_the_source_card_in_a_field() {
    let account = Account::new().await;
    let snapshot = account.snapshot();
    let old = snapshot.person_by_email(OLD).unwrap();
    let text = json!({"description": "Always call back.", "tags": ["before"]});
    account
        .sim
        .as_owner("PUT", &format!("contacts/{}", old.id), &text)
        .unwrap();
    let before = account.sim.state_fingerprint();
    let fields = vec![field("colourStr", Value::Text("green".to_owned()), None)];
    let mut data = person("Old Customer", &[OLD, "old@home.example"]);
    data.tags = vec![Reference::new(Kind::Tag, "t1").at("vip")];
    data.addresses
        .push(Address::new(AddressChannel::Phone, "+15555550123"));
    let items = vec![customer("c1", fields, data)];
    let items = account.matched(Kind::Customer, items).await;
    let outcomes = account.write(Kind::Customer, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let snapshot = account.snapshot();
    let contact = snapshot.person(old.id).unwrap();
    assert_eq!(contact.description.as_deref(), Some("Always call back."));
    assert_eq!(contact.unique_external_id, Some(marker("c1")));
    assert_eq!(contact.other_emails, ["old@home.example"]);
    assert_eq!(contact.tags, ["before", "vip"]);
    assert_eq!(contact.phone.as_deref(), Some("+15555550123"));
    let own = |key: &str| own(&account, "contact", &contact.custom_fields, key);
    assert!(
        own("card").contains("field colourStr: green"),
        "{}",
        own("card")
    );
    assert_eq!(
        own("run"),
        "",
        "which run made it is not said of what was there"
    );

    let undone = account.rollback(UndoMode::Careful).await;
    let contact_effect = account.effects_of("customer:c1");
    assert_eq!(contact_effect[0].action, Action::Updated);
    let bad: Vec<_> = undone.iter().filter(|o| o.reason.is_some()).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let now = account.snapshot();
    let contact = now.person(old.id).unwrap();
    assert_eq!((contact.tags.len(), contact.phone.as_deref()), (1, None));
    assert_eq!(contact.unique_external_id, None);
    assert_eq!(contact.other_emails, Vec::<String>::new());
    assert!(
        contact.custom_fields.is_empty(),
        "{:?}",
        contact.custom_fields
    );
    let people = |print: &Json| print["contacts"].as_array().unwrap().len();
    assert_eq!(
        people(&account.sim.state_fingerprint()) + 1,
        people(&before),
        "the stand-in is gone"
    );
}

#[tokio::test]
async fn each_policy_changes_what_it_says_and_is_put_back() {
    for (policy, name, company) in [
        (MatchPolicy::Leave, "Old Customer", None),
        (MatchPolicy::FillEmpty, "Old Customer", Some("Acme Ltd")),
        (MatchPolicy::SourceWins, "O. Customer", Some("Acme Ltd")),
    ] {
        let mut account = Account::unprepared(|_| {});
        let before = account.sim.state_fingerprint();
        account.prepare().await;
        let acme = company_item("k1", "Acme Ltd");
        account.write(Kind::Company, vec![acme]).await;
        let mut data = person("O. Customer", &[OLD]);
        data.company = Some(account.known(Reference::new(Kind::Company, "k1")));
        let items = vec![with_policy(customer("c1", Vec::new(), data), policy)];
        let items = account.matched(Kind::Customer, items).await;
        let outcomes = account.write(Kind::Customer, items).await;
        let snapshot = account.snapshot();
        let contact = snapshot.person_by_email(OLD).unwrap();
        assert_eq!(
            contact.name.as_deref(),
            Some(name),
            "{policy:?} {outcomes:?}"
        );
        let of = contact.company_id.map(|id| {
            let found = snapshot.companies.iter().find(|c| c.id == id);
            found.unwrap().name.clone()
        });
        assert_eq!(of.as_deref(), company, "{policy:?}");
        let undone = account.rollback(UndoMode::Careful).await;
        assert_undone(&undone, "");
        assert_same(
            &before,
            &account.sim.state_fingerprint(),
            &format!("{policy:?}"),
        );
    }
}

fn company_item(id: &str, name: &str) -> Item {
    company(id, Vec::new(), Company::called(name))
}

#[tokio::test]
async fn a_customer_with_an_agents_address_is_a_contact_of_his_own_without_it() {
    let account = Account::new().await;
    let emails = ["dana@acme.example", "dana@home.example"];
    let items = vec![customer("c1", Vec::new(), person("Dana at home", &emails))];
    let items = account.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = account.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let contact = snapshot.contact_by_external_id(&marker("c1")).unwrap();
    assert_eq!(contact.email.as_deref(), Some("dana@home.example"));
    let card = contact.description.as_deref().unwrap();
    assert!(card.contains("dana@acme.example"), "{card}");
    let agent = snapshot.person_by_email("dana@acme.example").unwrap();
    assert!(agent.agent.is_some() && agent.unique_external_id.is_none());
    let loss = |loss: &&transload_sdk::types::Loss| loss.field == "customer.addresses.email";
    let said = outcomes[0].losses.iter().find(loss).unwrap();
    assert_eq!(said.how, Fidelity::Converted);
}

#[tokio::test]
async fn a_further_address_or_a_number_of_somebody_else_is_given_up_whether_or_not_the_account_names_him()
 {
    for names in [true, false] {
        let account =
            Account::with(|config| config.switches.duplicate_names_existing = names).await;
        let body = json!({"name": "Her", "email": "her@example.com", "phone": "+15555550001",
            "other_emails": ["family@example.com"]});
        account.sim.as_owner("POST", "contacts", &body).unwrap();
        let mut data = person(
            "Him",
            &["him@example.com", "family@example.com", "his@example.com"],
        );
        data.addresses
            .push(Address::new(AddressChannel::Phone, "+15555550001"));
        let outcomes = account
            .write(Kind::Customer, vec![customer("c1", Vec::new(), data)])
            .await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let snapshot = account.snapshot();
        let him = snapshot.contact_by_external_id(&marker("c1")).unwrap();
        assert_eq!(him.email.as_deref(), Some("him@example.com"));
        assert_eq!(him.other_emails, ["his@example.com"]);
        assert_eq!(him.phone, None);
        let card = him.description.as_deref().unwrap();
        assert!(
            card.contains("family@example.com") && card.contains("+15555550001"),
            "{card}"
        );
    }
}

#[tokio::test]
async fn two_customers_of_one_address_are_two_contacts_although_the_first_was_matched() {
    let account = Account::new().await;
    let first = vec![customer("c1", Vec::new(), person("Old Customer", &[OLD]))];
    let first = account.matched(Kind::Customer, first).await;
    account.write(Kind::Customer, first).await;
    let second = vec![customer("c2", Vec::new(), person("Her son", &[OLD]))];
    let second = account.matched(Kind::Customer, second).await;
    assert!(second[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = account.write(Kind::Customer, second).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let son = snapshot.contact_by_external_id(&marker("c2")).unwrap();
    assert_eq!(son.email, None);
}

#[tokio::test]
async fn a_person_is_matched_by_an_external_id_before_an_address_and_by_a_number_last() {
    // One page of contacts is fewer calls than asking for each, or it is not.
    for many in [false, true] {
        let account = Account::with(|config| {
            for n in 0..(if many { 450 } else { 0 }) {
                let pair = (format!("p{n}@elsewhere.example"), format!("Person {n}"));
                config.preexisting.contacts.push(pair);
            }
        })
        .await;
        let snapshot = account.snapshot();
        let old = snapshot.person_by_email(OLD).unwrap().id;
        let second = snapshot
            .person_by_email("second.customer@example.com")
            .unwrap()
            .id;
        let put = |id: u64, body: Json| {
            account
                .sim
                .as_owner("PUT", &format!("contacts/{id}"), &body)
                .unwrap();
        };
        put(old, json!({"unique_external_id": "crm-1"}));
        put(second, json!({"mobile": "+15555550123"}));
        let with_phone = |name: &str| Customer {
            addresses: vec![Address::new(AddressChannel::Phone, "+1 555 555 0123")],
            ..person(name, &[])
        };
        let known = Customer {
            external_ids: vec!["crm-1".to_owned()],
            ..person("Old Customer", &["second.customer@example.com"])
        };
        let items = vec![
            customer("c1", Vec::new(), known),
            customer("c2", Vec::new(), with_phone("Second Customer")),
            customer("c3", Vec::new(), with_phone("Somebody Else")),
        ];
        let found = account.matched(Kind::Customer, items).await;
        let by: Vec<_> = found
            .iter()
            .map(|item| item.existing.as_ref().unwrap())
            .map(|c| (c.target_id.clone(), c.by, c.doubtful.is_some()))
            .collect();
        assert_eq!(
            by,
            [
                (old.to_string(), MatchKey::ExternalId, false),
                (second.to_string(), MatchKey::Phone, false),
                (second.to_string(), MatchKey::Phone, true),
            ]
        );
    }
}

#[tokio::test]
async fn a_contact_that_an_earlier_run_made_is_found_by_its_marker_and_left_by_the_next_rollback() {
    let mut account = Account::new().await;
    let items = || {
        vec![customer(
            "c1",
            Vec::new(),
            person("Ana", &["ana@example.com"]),
        )]
    };
    account.write(Kind::Customer, items()).await;
    account.run = "r2".to_owned();
    account.prepare().await;
    let again = account.matched(Kind::Customer, items()).await;
    assert_eq!(again[0].existing.as_ref().unwrap().by, MatchKey::Marker);
    let outcomes = account.write(Kind::Customer, again).await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    // Unmatched, the account itself refuses a second one.
    let outcomes = account.write(Kind::Customer, items()).await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn the_stand_in_is_made_once_and_stays_while_somebody_elses_ticket_hangs_on_it() {
    let mut account = Account::new().await;
    let people = account.snapshot().contacts.len();
    account.run = "r2".to_owned();
    account.prepare().await;
    assert_eq!(account.snapshot().contacts.len(), people);
    let actions: Vec<Action> = account
        .effects_of("own:contact:stand-in")
        .iter()
        .map(|e| e.action)
        .collect();
    assert_eq!(actions, [Action::Created, Action::Matched]);
    let account = Account::new().await;
    let id = account.prepared().stand_in_requester;
    let snapshot = account.snapshot();
    let contact = snapshot.contact_by_external_id(STAND_IN).unwrap();
    assert_eq!((contact.id, contact.email.as_deref()), (id, None));
    let ticket = json!({"requester_id": id, "subject": "A question", "description": "?",
        "status": 2, "priority": 1, "source": 2});
    account.sim.as_owner("POST", "tickets", &ticket).unwrap();
    let undone = account.rollback(UndoMode::Careful).await;
    let conflicts = undone.iter().filter(|o| o.status == UndoStatus::Conflict);
    assert_eq!(conflicts.count(), 1, "{undone:?}");
    assert!(
        account
            .snapshot()
            .contact_by_external_id(STAND_IN)
            .is_some()
    );
}

#[tokio::test]
async fn a_contact_with_a_foreign_ticket_in_the_trash_is_deleted_softly_only() {
    let account = Account::new().await;
    let ana = customer("c1", Vec::new(), person("Ana", &["ana@example.com"]));
    account.write(Kind::Customer, vec![ana]).await;
    let id: u64 = account.effects_of("customer:c1")[0]
        .target_id
        .parse()
        .unwrap();
    let ticket = json!({"requester_id": id, "subject": "A question", "description": "?",
        "status": 2, "priority": 1, "source": 2});
    let made = account.sim.as_owner("POST", "tickets", &ticket).unwrap();
    let path = format!("tickets/{}", made["id"]);
    account.sim.as_owner("DELETE", &path, &Json::Null).unwrap();
    let undone = account.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    let kept = undone.iter().filter(|o| o.reason.is_some()).count();
    assert_eq!(kept, 1, "{undone:?}");
    let snapshot = account.snapshot();
    assert!(snapshot.person(id).unwrap().deleted_at.is_some());
    assert!(snapshot.tickets.iter().any(|t| t.requester_id == id));
}

#[tokio::test]
async fn what_somebody_changed_since_is_a_conflict_until_it_is_forced() {
    let account = Account::new().await;
    let ana = customer("c1", Vec::new(), person("Ana", &["ana@example.com"]));
    account.write(Kind::Customer, vec![ana]).await;
    let id: u64 = account.effects_of("customer:c1")[0]
        .target_id
        .parse()
        .unwrap();
    let path = format!("contacts/{id}");
    account
        .sim
        .as_owner("PUT", &path, &json!({"name": "Anna"}))
        .unwrap();
    let undone = account.rollback(UndoMode::Preview).await;
    let conflict = |o: &&transload_sdk::ledger::UndoOutcome| o.status == UndoStatus::Conflict;
    let found = undone.iter().find(conflict).unwrap();
    assert_eq!(found.reason.as_deref(), Some("changed since: name"));
    assert_eq!(
        account
            .rollback(UndoMode::Careful)
            .await
            .iter()
            .filter(conflict)
            .count(),
        1
    );
    assert!(account.snapshot().person(id).is_some());
    account.rollback(UndoMode::Force).await;
    assert!(account.snapshot().person(id).is_none());
}

#[tokio::test]
async fn two_companies_of_one_name_do_not_become_one() {
    let mut account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let two = || {
        vec![
            company_item("k1", "Old Partner"),
            company_item("k2", "old partner"),
        ]
    };
    let mut items = account.matched(Kind::Company, two()).await;
    assert_eq!(items[0].existing.as_ref().unwrap().by, MatchKey::Name);
    // As a host marks a candidate that another record of the source already is.
    items[1].existing.as_mut().unwrap().doubtful = Some("k1 already is this one".to_owned());
    let outcomes = account.write(Kind::Company, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    assert!(is_created(&outcomes[1]), "{outcomes:?}");
    let snapshot = account.snapshot();
    assert!(snapshot.company_by_name("old partner (k2)").is_some());
    let again = account.matched(Kind::Company, two()).await;
    let by: Vec<MatchKey> = again
        .iter()
        .map(|i| i.existing.as_ref().unwrap().by)
        .collect();
    assert_eq!(by, [MatchKey::Marker, MatchKey::Marker]);
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn a_company_stays_while_somebody_elses_contact_belongs_to_it() {
    let account = Account::new().await;
    account
        .write(Kind::Company, vec![company_item("k1", "Acme Ltd")])
        .await;
    let id = account.effects_of("company:k1")[0].target_id.clone();
    let id: u64 = id.parse().unwrap();
    let body = json!({"name": "New", "email": "new@example.com", "company_id": id});
    account.sim.as_owner("POST", "contacts", &body).unwrap();
    let undone = account.rollback(UndoMode::Careful).await;
    let conflicts = undone.iter().filter(|o| o.status == UndoStatus::Conflict);
    assert_eq!(conflicts.count(), 1, "{undone:?}");
    assert!(account.snapshot().company_by_name("Acme Ltd").is_some());
}

#[tokio::test]
async fn domains_are_set_only_where_the_settings_say_so_and_never_twice() {
    let mut account = Account::unprepared(|_| {});
    account.set("company_domains", true);
    account.prepare().await;
    let with = |id: &str, name: &str| {
        let data = Company {
            domains: vec!["acme.example".to_owned()],
            ..Company::called(name)
        };
        company(id, Vec::new(), data)
    };
    let items = vec![with("k1", "Acme Ltd"), with("k2", "Acme Two")];
    let outcomes = account.write(Kind::Company, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let snapshot = account.snapshot();
    let domains = |name: &str| snapshot.company_by_name(name).unwrap().domains.clone();
    assert_eq!(domains("Acme Ltd"), ["acme.example"]);
    assert_eq!(domains("Acme Two"), Vec::<String>::new());
}

#[tokio::test]
async fn agents_are_matched_join_their_groups_and_leave_them_again() {
    let mut account = Account::unprepared(|_| {});
    let groups = account.snapshot().groups;
    let billing = groups.iter().find(|g| g.name == "Billing").unwrap().id;
    let nobody = json!({"agent_ids": []});
    let path = format!("groups/{billing}");
    account.sim.as_owner("PUT", &path, &nobody).unwrap();
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let teams = vec![team("t1", "Returns desk"), team("t2", "billing")];
    let outcomes = account.write(Kind::Team, teams).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert!(
        matches!(outcomes[1].status, Status::Matched),
        "{outcomes:?}"
    );
    let of = |id: &str| account.known(Reference::new(Kind::Team, id));
    let items = vec![
        agent(
            "a1",
            "Dana",
            "DANA@acme.example",
            Vec::new(),
            vec![of("t1"), of("t2")],
        ),
        agent(
            "a2",
            "Eve",
            "agent1@acme.example",
            Vec::new(),
            vec![of("t1")],
        ),
        agent(
            "a3",
            "Gone",
            "gone@acme.example",
            Vec::new(),
            vec![of("t1")],
        ),
    ];
    let outcomes = account.write(Kind::Agent, items).await;
    let parts: Vec<usize> = outcomes.iter().map(|o| o.effects.len()).collect();
    assert_eq!(parts, [3, 2, 1], "{outcomes:?}");
    let stand_in = account.prepared().stand_in;
    assert_eq!(
        outcomes[2].effects[0].target_id,
        format!("placeholder:{stand_in}:Gone")
    );
    let snapshot = account.snapshot();
    let group = snapshot
        .groups
        .iter()
        .find(|g| g.name == "Returns desk")
        .unwrap();
    assert_eq!(group.agent_ids.len(), 3, "two agents and the stand-in");
    let preview = account.rollback(UndoMode::Preview).await;
    assert_undone(&preview, "preview");
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn an_agent_is_made_only_where_the_settings_say_so_and_taken_back_with_his_contact() {
    let mut account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    account.set("create_agents", true);
    account.prepare().await;
    let eve = agent("a2", "Eve", "eve@acme.example", Vec::new(), Vec::new());
    let outcomes = account.write(Kind::Agent, vec![eve]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let made = snapshot
        .agents
        .iter()
        .find(|a| a.name.as_deref() == Some("Eve"));
    let made = made.unwrap().agent.clone().unwrap();
    assert_eq!((made.ticket_scope, made.role_ids.len()), (1, 1));
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn a_licence_that_is_missing_rejects_the_agent_and_nobody_else() {
    let mut account = Account::unprepared(|config| config.agent_seats = 1);
    account.set("create_agents", true);
    account.prepare().await;
    let items = vec![
        agent("a2", "Eve", "eve@acme.example", Vec::new(), Vec::new()),
        agent("a1", "Dana", "dana@acme.example", Vec::new(), Vec::new()),
    ];
    let outcomes = account.write(Kind::Agent, items).await;
    let of = |item: &str| &outcomes.iter().find(|o| o.item == item).unwrap().status;
    assert!(
        matches!(of("agent:a2"), Status::Rejected(_)),
        "{outcomes:?}"
    );
    assert!(matches!(of("agent:a1"), Status::Matched), "{outcomes:?}");
}

#[tokio::test]
async fn values_go_into_fields_by_type_and_what_does_not_fit_stands_on_the_card() {
    let account = Account::new().await;
    let of = |name: &str, label: &str, kind: FieldType| {
        let owner = Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        definition(owner, name, label, kind)
    };
    let definitions = vec![
        with_options(
            of("tierStr", "Tier", FieldType::Choice),
            &[("gold", "Gold member"), ("silver", "Silver member")],
        ),
        of("seenAt", "Seen", FieldType::Moment),
        of("ordersNum", "Orders", FieldType::Integer),
        of("sumNum", "Sum", FieldType::Decimal),
        of("noteTxt", "Remark", FieldType::Text),
        of("nickStr", "Remark", FieldType::Text),
        of("optBool", "Opted in", FieldType::Boolean),
    ];
    let outcomes = account.write(Kind::FieldDefinition, definitions).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let at = |name: &str| account.field_at("customer", name);
    let value = |name: &str, value: Value| field(name, value, at(name));
    let moment = Moment {
        at: 1_700_000_000_123,
        offset_minutes: Some(60),
    };
    let fields = vec![
        value("tierStr", Value::Choice("gold".to_owned())),
        value("seenAt", Value::Moment(moment)),
        value("ordersNum", Value::Integer(3_000_000_000)),
        value("sumNum", Value::Decimal("64.670".to_owned())),
        value("noteTxt", Value::Text("x".repeat(256))),
        value("nickStr", Value::Text("Annie".to_owned())),
        value("optBool", Value::Boolean(true)),
    ];
    let ana = customer("c1", fields, person("Ana", &["ana@example.com"]));
    let outcomes = account.write(Kind::Customer, vec![ana]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let contact = snapshot.contact_by_external_id(&marker("c1")).unwrap();
    let held = |label: &str| {
        let fields = &snapshot.fields;
        let owner = transload_simulators::freshdesk::model::Owner::Contact;
        let field = fields.iter().find(|f| f.owner == owner && f.label == label);
        contact.custom_fields.get(&field.unwrap().name).cloned()
    };
    assert_eq!(held("Tier"), Some(json!("Gold member")));
    assert_eq!(held("Seen"), Some(json!("2023-11-14")));
    assert_eq!(
        held("Seen (exact)"),
        Some(json!("2023-11-14T23:13:20.123+01:00"))
    );
    assert_eq!(held("Orders"), None);
    assert_eq!(held("Sum"), Some(json!(64.67)));
    assert_eq!(held("Remark"), None);
    assert_eq!(held("Remark (nickStr)"), Some(json!("Annie")));
    assert_eq!(held("Opted in"), Some(json!(true)));
    let card = contact.description.as_deref().unwrap();
    assert!(card.contains("field ordersNum: 3000000000"), "{card}");
    assert!(card.contains(&"x".repeat(256)), "{card}");
    let lost: Vec<&str> = outcomes[0]
        .losses
        .iter()
        .map(|l| l.field.as_str())
        .collect();
    assert_eq!(lost, ["fields.ordersNum", "fields.noteTxt"]);
}
