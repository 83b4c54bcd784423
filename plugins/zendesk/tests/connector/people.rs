//! People who are there already, and people who are not.

use crate::support::Stand as _;
use crate::support::{
    Account, agent, assert_same, assert_undone, company, customer, definition, field, is_created,
    said, thread,
};
use transload_plugin_zendesk::Zendesk;
use transload_sdk::Destination;
use transload_sdk::destination::{MatchKey, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::{
    Address, AddressChannel, Author, Company, Conversation, Customer, Error, FieldType, Kind,
    Owner, Reference, Value,
};

const NOW: i64 = 1_795_000_000_000;
const STAND_IN: &str = "transload:old-desk:org1:stand-in";

fn person(name: &str, emails: &[&str]) -> Customer {
    let address = |email: &&str| Address::new(AddressChannel::Email, *email);
    Customer {
        name: Some(name.to_owned()),
        addresses: emails.iter().map(address).collect(),
        ..Customer::empty()
    }
}

#[tokio::test]
async fn a_matched_user_keeps_the_notes_of_others_and_has_the_source_card_in_a_field() {
    let account = Account::new().await;
    let email = "old.customer@example.com";
    let id = account.snapshot().user_by_email(email).unwrap().id;
    account
        .sim
        .edit_user(id, |user| user.notes = "Always call back.".to_owned())
        .unwrap();
    let fields = vec![field("colourStr", Value::Text("green".to_owned()), None)];
    let items = vec![customer("c1", fields, person("Old Customer", &[email]))];
    let items = account.matched(Kind::Customer, items).await;
    let outcomes = account.write(Kind::Customer, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let user = account.snapshot().user(id).unwrap().clone();
    assert_eq!(user.notes, "Always call back.");
    let card = user.user_fields["transload_source_card"].as_str().unwrap();
    assert!(card.contains("field colourStr: green"), "{card}");
    assert!(card.contains("Marker: old-desk:org1:customer:c1"), "{card}");

    let outcomes = account.rollback(UndoMode::Careful).await;
    assert_undone(&outcomes, "");
    let user = account.snapshot().user(id).unwrap().clone();
    assert_eq!(
        (user.notes.as_str(), user.external_id),
        ("Always call back.", None)
    );
    assert!(user.user_fields.is_empty(), "{:?}", user.user_fields);
}

/// An account that had so many customers, companies and agents before.
async fn account_of(size: usize, search_any: bool) -> Account {
    Account::with(|config| {
        config.switches.search_any = search_any;
        config.agent_seats = size + 20;
        let before = &mut config.preexisting;
        for n in 0..size {
            let email = format!("person{n}@elsewhere.example");
            before.end_users.push((email, format!("Person {n}")));
            before.organizations.push(format!("Other Partner {n}"));
            let email = format!("colleague{n}@acme.example");
            before
                .agents_by_email
                .push((email, format!("Colleague {n}")));
        }
    })
    .await
}

/// A hundred customers, each known by an address, a number and a foreign id; three are there already.
fn hundred_customers() -> Vec<transload_sdk::destination::Item> {
    (0..100)
        .map(|n| {
            let email = match n {
                7 => "old.customer@example.com".to_owned(),
                8 => "second.address@example.com".to_owned(),
                n => format!("new{n}@example.com"),
            };
            let mut data = person(&format!("Customer {n}"), &[&email]);
            let phone = format!("+1 555 555 {:04}", 1_000 + n);
            data.addresses
                .push(Address::new(AddressChannel::Phone, phone));
            data.external_ids = vec![format!("crm-{n}")];
            if n == 9 {
                data.name = Some("By Number".to_owned());
            }
            customer(&format!("c{n}"), Vec::new(), data)
        })
        .collect()
}

#[tokio::test]
async fn matching_a_hundred_customers_costs_the_same_in_a_large_account_as_in_a_small_one() {
    let mut calls = Vec::new();
    for (size, search_any) in [(0, true), (400, true), (400, false)] {
        let account = account_of(size, search_any).await;
        let id = |email: &str| account.snapshot().user_by_email(email).unwrap().id;
        let first = id("old.customer@example.com");
        let second = id("second.customer@example.com");
        account
            .sim
            .edit_user(first, |user| {
                let mut further = user.identities[0].clone();
                further.id = 77;
                further.primary = false;
                "second.address@example.com".clone_into(&mut further.value);
                user.identities.push(further);
            })
            .unwrap();
        account
            .sim
            .edit_user(second, |user| {
                "By Number".clone_into(&mut user.name);
                user.phone = Some("+15555551009".to_owned());
            })
            .unwrap();
        let harness = account.harness();
        let found = Zendesk::match_items(&harness.context(), Kind::Customer, hundred_customers())
            .await
            .unwrap();
        let there: Vec<(String, String)> = found
            .iter()
            .filter_map(|result| {
                let candidate = result.candidates.first()?;
                Some((result.item.clone(), candidate.target_id.clone()))
            })
            .collect();
        let hit = |key: &str, id: u64| (format!("customer:{key}"), id.to_string());
        // Listing everybody shows first addresses only; the second is told by a refused creation then.
        let wanted = match search_any {
            true => vec![hit("c7", first), hit("c8", first), hit("c9", second)],
            false => vec![hit("c7", first), hit("c9", second)],
        };
        assert_eq!(there, wanted, "{size} {search_any}");
        calls.push(harness.exchanges().len());
    }
    // 200 external ids; 100 addresses, and those left of each search; one user's further addresses; 98 numbers and the rest.
    assert_eq!(calls[0], calls[1]);
    assert!(calls[1] <= 10, "{calls:?}");
}

#[tokio::test]
async fn matching_a_hundred_companies_costs_the_same_in_a_large_account_as_in_a_small_one() {
    let mut calls = Vec::new();
    for (size, search_any) in [(0, true), (400, true), (400, false)] {
        let account = account_of(size, search_any).await;
        let items = (0..100)
            .map(|n| {
                let name = match n {
                    7 => " old partner".to_owned(),
                    8 => "The \"Best\"".to_owned(),
                    9 => "Partner".to_owned(),
                    n => format!("New Partner {n}"),
                };
                company(&format!("k{n}"), Vec::new(), Company::called(name))
            })
            .collect();
        let harness = account.harness();
        let found = Zendesk::match_items(&harness.context(), Kind::Company, items)
            .await
            .unwrap();
        let there: Vec<(&str, MatchKey)> = found
            .iter()
            .filter_map(|result| Some((result.item.as_str(), result.candidates.first()?.by)))
            .collect();
        assert_eq!(there, [("company:k7", MatchKey::Name)], "{size}");
        calls.push(harness.exchanges().len());
    }
    assert!(calls[0].abs_diff(calls[1]) <= 1, "{calls:?}");
    assert!(calls[1] <= 5, "{calls:?}");
}

#[tokio::test]
async fn a_hundred_conversations_of_one_group_ask_for_its_members_and_not_for_everybodys() {
    use transload_sdk::ledger::Effect;
    let account = account_of(400, true).await;
    let team = crate::support::team("t1", "Shipping");
    account.write(Kind::Team, vec![team]).await;
    let effects: Vec<Effect> = account.effects_of("team:t1");
    let group = effects[0].target_id.clone();
    let teams = vec![Reference::new(Kind::Team, "t1").at(group.clone())];
    let items = (0..100)
        .map(|n| {
            let conversation = Conversation {
                subject: Some(format!("Parcel {n}")),
                teams: teams.clone(),
                ..Conversation::empty()
            };
            let bo = Author::Name("Bo".to_owned());
            let parts = vec![said(&format!("m{n}"), bo, "Hi!", NOW)];
            thread(&format!("v{n}"), Vec::new(), conversation, parts)
        })
        .collect();
    let harness = account.harness();
    Zendesk::write(&harness.context(), Kind::Conversation, items)
        .await
        .unwrap();
    let asked: Vec<String> = harness
        .exchanges()
        .into_iter()
        .map(|e| e.request.url)
        .filter(|url| url.contains("memberships"))
        .collect();
    let of_group = format!("/api/v2/groups/{group}/memberships?page[size]=100");
    let first_page = "/api/v2/group_memberships?page[size]=100".to_owned();
    assert_eq!(asked, [first_page, of_group]);
    assert!(harness.outcomes().iter().all(is_created));
}

fn of_nobody_here() -> transload_sdk::destination::Item {
    let bo = Reference::new(Kind::Customer, "c9").called("Bo Ng");
    let conversation = Conversation {
        customer: Some(bo.clone()),
        subject: Some("Hello".to_owned()),
        ..Conversation::empty()
    };
    let parts = vec![said("m1", Author::Person(bo), "Hi!", NOW)];
    thread("v9", Vec::new(), conversation, parts)
}

#[tokio::test]
async fn a_conversation_of_somebody_who_was_not_migrated_is_loaded_and_taken_back() {
    let mut account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let outcomes = account
        .write(Kind::Conversation, vec![of_nobody_here()])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let stand_in = snapshot.user_by_external_id(STAND_IN).unwrap();
    assert!(stand_in.identities.is_empty(), "nothing can be mailed");
    let ticket = snapshot.tickets_by_external_id("old-desk:org1:conversation:v9")[0];
    assert_eq!(ticket.requester_id, stand_in.id);
    assert_eq!(account.sim.outbox().all(), []);

    let outcomes = account.rollback(UndoMode::Careful).await;
    assert_undone(&outcomes, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn the_stand_in_is_found_before_it_is_made_and_then_belongs_to_the_run_that_made_it() {
    let mut account = Account::new().await;
    let users = account.snapshot().users.len();
    account.run = "r2".to_owned();
    account.prepare().await;
    assert_eq!(account.snapshot().users.len(), users);
    let actions = |account: &Account| account.effects_of("own:user:stand-in");
    let seen: Vec<Action> = actions(&account).iter().map(|e| e.action).collect();
    assert_eq!(seen, [Action::Created, Action::Matched]);
    // An attempt of the same run whose outcome was lost: it is ours still.
    account.run = "r1".to_owned();
    account.prepare().await;
    assert_eq!(actions(&account)[2].action, Action::Created);
}

#[tokio::test]
async fn the_stand_in_stays_while_somebody_elses_ticket_hangs_on_it() {
    let account = Account::new().await;
    let id = account.snapshot().user_by_external_id(STAND_IN).unwrap().id;
    account.sim.add_ticket_for(id, "A new question").unwrap();
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(outcomes.iter().any(|o| o.status == UndoStatus::Conflict));
    assert!(account.snapshot().user(id).unwrap().active);
}

#[tokio::test]
async fn a_customer_with_an_agents_address_is_a_user_of_his_own_without_it() {
    let account = Account::new().await;
    let emails = ["dana@acme.example", "dana@home.example"];
    let items = vec![customer("c1", Vec::new(), person("Dana at home", &emails))];
    let items = account.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = account.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let user = snapshot
        .user_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    assert_eq!(user.email(), Some("dana@home.example"));
    assert!(user.notes.contains("dana@acme.example"), "{}", user.notes);
    let agent = snapshot.user_by_email("dana@acme.example").unwrap();
    assert_ne!(agent.id, user.id);
    assert_eq!(agent.external_id, None);
}

#[tokio::test]
async fn two_customers_of_one_address_are_two_users_although_the_first_was_matched() {
    let account = Account::new().await;
    let email = "old.customer@example.com";
    let first = vec![customer("c1", Vec::new(), person("Old Customer", &[email]))];
    let first = account.matched(Kind::Customer, first).await;
    account.write(Kind::Customer, first).await;
    let second = vec![customer("c2", Vec::new(), person("Her son", &[email]))];
    let second = account.matched(Kind::Customer, second).await;
    assert!(second[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = account.write(Kind::Customer, second).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
}

#[tokio::test]
async fn a_person_is_matched_by_an_external_id_before_an_address_and_by_a_number_last() {
    let account = Account::new().await;
    let snapshot = account.snapshot();
    let old = snapshot
        .user_by_email("old.customer@example.com")
        .unwrap()
        .id;
    let second = snapshot
        .user_by_email("second.customer@example.com")
        .unwrap()
        .id;
    account
        .sim
        .edit_user(old, |user| user.external_id = Some("crm-1".to_owned()))
        .unwrap();
    account
        .sim
        .edit_user(second, |user| user.phone = Some("+15555550123".to_owned()))
        .unwrap();
    let with_phone = |name: &str| Customer {
        addresses: vec![Address::new(AddressChannel::Phone, "+1 555 555 0123")],
        ..person(name, &[])
    };
    let items = vec![
        customer(
            "c1",
            Vec::new(),
            Customer {
                external_ids: vec!["CRM-1".to_owned()],
                ..person("Old Customer", &["second.customer@example.com"])
            },
        ),
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

#[tokio::test]
async fn two_companies_of_one_name_do_not_become_one_organization() {
    let account = Account::new().await;
    let two = || {
        ["k1", "k2"]
            .map(|id| company(id, Vec::new(), Company::called("Old Partner")))
            .to_vec()
    };
    // An organization that others know by another id.
    let partner = {
        let snapshot = account.snapshot();
        let found = snapshot
            .organizations
            .iter()
            .find(|o| o.name == "Old Partner");
        found.unwrap().id
    };
    account
        .sim
        .edit_organization(partner, |o| o.external_id = Some("crm-7".to_owned()))
        .unwrap();
    let mut items = account.matched(Kind::Company, two()).await;
    // As a host marks a candidate that another record of the source already is.
    items[1].existing.as_mut().unwrap().doubtful = Some("k1 already is this one".to_owned());
    let outcomes = account.write(Kind::Company, items).await;
    assert!(matches!(outcomes[0].status, Status::Updated));
    assert!(is_created(&outcomes[1]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let names: Vec<&str> = snapshot
        .organizations
        .iter()
        .map(|o| o.name.as_str())
        .collect();
    assert!(names.contains(&"Old Partner (k2)"), "{names:?}");
}

#[tokio::test]
async fn an_agents_attributes_are_in_fields_of_the_user_and_are_taken_back() {
    let account = Account::new().await;
    let owner = Owner {
        kind: Kind::Agent,
        object_type: None,
    };
    let office = definition(owner, "officeStr", "Office", FieldType::Text);
    account.write(Kind::FieldDefinition, vec![office]).await;
    let at = account.field_at("agent", "officeStr");
    let value = |text: &str| vec![field("officeStr", Value::Text(text.to_owned()), at.clone())];
    let dana = agent("a1", "Dana", "dana@acme.example", value("Bern"), Vec::new());
    let gone = agent("a2", "Gone", "gone@acme.example", value("Oslo"), Vec::new());
    let outcomes = account.write(Kind::Agent, vec![dana, gone]).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let user = account
        .snapshot()
        .user_by_email("dana@acme.example")
        .unwrap()
        .clone();
    let key = transload_plugin_zendesk::map::key("officeStr");
    assert_eq!(user.user_fields[&key], "Bern");
    assert!(
        outcomes[1]
            .losses
            .iter()
            .any(|l| l.field == "fields.officeStr")
    );
    let undone = account.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    let user = account
        .snapshot()
        .user_by_email("dana@acme.example")
        .unwrap()
        .clone();
    assert!(user.user_fields.is_empty(), "{:?}", user.user_fields);
}

#[tokio::test]
async fn a_refused_row_of_a_user_job_is_made_singly_without_the_address_of_another() {
    let account = Account::with(|config| config.switches.bulk_user_import = true).await;
    account
        .write(
            Kind::Customer,
            vec![customer(
                "c1",
                Vec::new(),
                person("Ana", &["ana@example.com"]),
            )],
        )
        .await;
    let items = vec![
        customer("c2", Vec::new(), person("Bo", &["bo@example.com"])),
        customer(
            "c3",
            Vec::new(),
            person("Her son", &["ana@example.com", "son@example.com"]),
        ),
    ];
    let harness = account.harness();
    Zendesk::write(&harness.context(), Kind::Customer, items)
        .await
        .unwrap();
    assert!(harness.outcomes().iter().all(is_created));
    let jobs = harness
        .exchanges()
        .iter()
        .filter(|e| e.request.url == "/api/v2/users/create_many")
        .count();
    assert_eq!(jobs, 1, "one job for both");
    let snapshot = account.snapshot();
    let son = snapshot
        .user_by_external_id("old-desk:org1:customer:c3")
        .unwrap();
    assert_eq!(son.email(), Some("son@example.com"));
}

#[tokio::test]
async fn where_bulk_import_is_switched_off_users_are_made_singly() {
    let account = Account::new().await;
    let items = ["c1", "c2"].map(|id| customer(id, Vec::new(), person(id, &[])));
    let harness = account.harness();
    Zendesk::write(&harness.context(), Kind::Customer, items.to_vec())
        .await
        .unwrap();
    assert!(harness.outcomes().iter().all(is_created));
    let urls: Vec<String> = harness
        .exchanges()
        .into_iter()
        .filter(|e| e.request.key.is_some())
        .map(|e| e.request.url)
        .collect();
    assert_eq!(urls, ["/api/v2/users", "/api/v2/users"]);
}

#[tokio::test]
async fn a_limit_that_no_waiting_helped_ends_the_unit_and_rejects_nobody() {
    let account = Account::new().await;
    let email = "old.customer@example.com";
    let items = vec![customer("c1", Vec::new(), person("Old Customer", &[email]))];
    let items = account.matched(Kind::Customer, items).await;
    let user = serde_json::json!({"user": {"id": 5, "role": "end-user", "name": "Old Customer"}});
    let limited = Harness::new(move |request| {
        std::future::ready(match request.method.as_str() {
            "GET" => answer(200, user.to_string()),
            _ => answer(429, r#"{"error":"APIRateLimitExceeded"}"#),
        })
    })
    .state(serde_json::to_string(&transload_plugin_zendesk::state::State::default()).unwrap());
    let ended = Zendesk::write(&limited.context(), Kind::Customer, items).await;
    assert!(matches!(ended, Err(Error::Quota(_))), "{ended:?}");
    assert_eq!(limited.outcomes(), []);
}

#[tokio::test]
async fn a_card_that_is_longer_than_notes_is_cut_and_said_so() {
    let account = Account::new().await;
    let long = vec![field("lifeTxt", Value::Text("x".repeat(70_000)), None)];
    let items = vec![customer("c1", long, person("Ana", &[]))];
    let outcomes = account.write(Kind::Customer, items).await;
    let cut = outcomes[0]
        .losses
        .iter()
        .filter(|l| l.note.contains("is cut"));
    assert_eq!(cut.count(), 1, "{:?}", outcomes[0].losses);
    let snapshot = account.snapshot();
    let user = snapshot
        .user_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    assert!(user.notes.len() <= 60_000 && user.notes.contains("field lifeTxt: xxx"));
}
