//! Lists and single records.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transload_simulators::kustomer::{Config, Gone, KLASSES, Kind, State};

use super::*;

#[tokio::test]
async fn lists_are_walked_by_next_until_it_is_null_and_hold_every_live_record() {
    let simulator = organisation(300);
    let counts = simulator.world().counts();
    for (path, expected) in [
        ("/v1/conversations?pageSize=70", counts.conversations),
        ("/v1/messages?pageSize=100", counts.messages),
        ("/v1/notes?pageSize=100", counts.notes),
        ("/v1/customers?pageSize=100", counts.customers),
        ("/v1/companies?pageSize=7", counts.companies),
    ] {
        let rows = walk(&simulator, path).await;
        let distinct: BTreeSet<&str> = rows.iter().map(|r| r["id"].as_str().unwrap()).collect();
        assert_eq!((rows.len(), distinct.len()), (expected, expected), "{path}");
        assert!(
            rows.windows(2)
                .all(|w| w[0]["id"].as_str() < w[1]["id"].as_str()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn only_a_few_lists_tell_their_totals_and_the_default_page_size_differs() {
    let simulator = organisation(300);
    let conversations = ok(&simulator, "/v1/conversations").await;
    assert_eq!(conversations["meta"], json!({"page": 1, "pageSize": 100}));
    assert!(conversations["links"].get("last").is_none());
    assert!(
        conversations["links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("/v1/conversations?page=2")
    );
    let customers = ok(&simulator, "/v1/customers").await;
    assert_eq!(customers["meta"]["pageSize"], 30);
    assert!(customers["meta"]["total"].is_number() && customers["links"]["last"].is_string());
}

#[tokio::test]
async fn a_list_sorts_in_descending_order_when_asked_and_can_have_a_ceiling() {
    let simulator = organisation(200);
    let up = walk(&simulator, "/v1/conversations?pageSize=100").await;
    let down = walk(&simulator, "/v1/conversations?pageSize=100&sort=desc").await;
    assert_eq!(up.first(), down.last());
    simulator.switch(|switches| switches.list_rows = Some(100));
    assert_eq!(
        get(&simulator, "/v1/conversations?page=3&pageSize=50")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn plain_lists_give_at_most_a_hundred_and_users_and_teams_five_hundred() {
    let simulator = organisation(20);
    assert_eq!(
        get(&simulator, "/v1/messages?pageSize=101").await.status,
        400
    );
    assert_eq!(get(&simulator, "/v1/users?pageSize=500").await.status, 200);
    assert_eq!(get(&simulator, "/v1/users?pageSize=501").await.status, 400);
    let conversation = simulator.world().ids(Kind::Conversation)[3].clone();
    let times = format!("/v1/conversations/{conversation}/times?pageSize=1000");
    assert_eq!(get(&simulator, &times).await.status, 200);
}

#[tokio::test]
async fn unknown_parameters_are_refused_unless_told_otherwise() {
    let simulator = organisation(20);
    assert_eq!(
        get(&simulator, "/v1/messages?page[size]=5").await.status,
        400
    );
    simulator.switch(|switches| switches.strict_parameters = false);
    assert_eq!(
        get(&simulator, "/v1/messages?page[size]=5").await.status,
        200
    );
}

#[tokio::test]
async fn the_default_list_of_users_leaves_out_the_deactivated_and_the_invited() {
    let simulator = organisation(2_000);
    let names = async |query: &str| -> BTreeSet<String> {
        let rows = walk(&simulator, &format!("/v1/users?pageSize=500&{query}")).await;
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (active, deleted, pending) = (
        names("").await,
        names("deleted=true").await,
        names("pending=true").await,
    );
    assert!(active.is_disjoint(&deleted) && active.is_disjoint(&pending));
    assert_eq!(
        active.len() + deleted.len() + pending.len(),
        simulator.world().counts().users
    );
    let both = get(&simulator, "/v1/users?deleted=true&userType=user").await;
    assert_eq!(both.status, 400);
    let one = deleted.first().unwrap();
    assert!(
        ok(&simulator, &format!("/v1/users/{one}")).await["data"]["attributes"]["deletedAt"]
            .is_string()
    );
}

#[tokio::test]
async fn a_deleted_conversation_is_missing_gone_or_shown_and_has_no_messages() {
    let simulator = organisation(200);
    let all = simulator.world().ids(Kind::Conversation);
    let id = all
        .into_iter()
        .find(|id| simulator.world().state(id) == Some(State::Deleted))
        .unwrap();
    let path = format!("/v1/conversations/{id}");
    let answer = get(&simulator, &path).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["errors"][0]["code"]),
        (404, &json!("not_found"))
    );
    simulator.switch(|switches| switches.deleted = Gone::Gone);
    assert_eq!(get(&simulator, &path).await.status, 410);
    simulator.switch(|switches| switches.deleted = Gone::Shown);
    let shown = ok(&simulator, &path).await;
    assert_eq!(shown["data"]["attributes"]["deleted"], true);
    assert_eq!(shown["data"]["attributes"]["messageCount"], 0);
    assert!(simulator.world().message_ids(&id).is_empty());
}

#[tokio::test]
async fn deleting_a_conversation_takes_its_messages_away_from_lists_and_later_from_search() {
    let simulator = organisation(200);
    let id = simulator
        .world()
        .ids(Kind::Conversation)
        .into_iter()
        .rev()
        .find(|id| simulator.world().message_ids(id).len() > 1)
        .unwrap();
    let body = json!({"queryContext": "message"});
    let found = async || {
        search(&simulator, "pageSize=1", &body).await.json()["meta"]["total"]
            .as_u64()
            .unwrap()
    };
    let listed = walk(&simulator, "/v1/messages?pageSize=100").await.len();
    let (before, count) = (found().await, simulator.world().message_ids(&id).len());
    assert!(simulator.change(|world| world.delete_conversation(&id)));
    assert_eq!(
        walk(&simulator, "/v1/messages?pageSize=100").await.len(),
        listed - count
    );
    assert_eq!(found().await, before);
    simulator.harness().clock.advance(60_000);
    assert_eq!(found().await, before - count as u64);
}

#[tokio::test]
async fn a_merged_customer_is_found_through_its_survivor() {
    let simulator = organisation(400);
    let (source, target) = simulator
        .world()
        .ids(Kind::Customer)
        .into_iter()
        .find_map(|id| match simulator.world().state(&id) {
            Some(State::MergedInto(target)) => Some((id, target)),
            _ => None,
        })
        .unwrap();
    assert_eq!(
        get(&simulator, &format!("/v1/customers/{source}"))
            .await
            .status,
        404
    );
    let merges = ok(&simulator, &format!("/v1/customers/{target}/merges")).await;
    let merge = &merges["data"][0];
    assert_eq!(merge["relationships"]["source"]["data"]["id"], *source);
    assert_eq!(merge["relationships"]["target"]["data"]["id"], *target);
    let id = merge["id"].as_str().unwrap();
    assert_eq!(
        &ok(&simulator, &format!("/v1/customers/merges/{id}")).await["data"],
        merge
    );
    simulator.switch(|switches| switches.merged = Gone::Shown);
    assert_eq!(
        ok(&simulator, &format!("/v1/customers/{source}")).await["data"]["id"],
        *target
    );
}

#[tokio::test]
async fn the_list_of_klasses_shows_only_enabled_ones_and_each_status_on_request() {
    let simulator = organisation(100);
    let names = async |query: &str| -> Vec<String> {
        let rows = walk(&simulator, &format!("/v1/klasses?{query}")).await;
        rows.iter()
            .map(|r| r["attributes"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (enabled, existing, disabled) = (
        names("").await,
        names("status=existing_only").await,
        names("status=disabled").await,
    );
    assert_eq!(enabled, names("status=enabled").await);
    assert!(!existing.is_empty() && !disabled.is_empty());
    assert_eq!(
        enabled.len() + existing.len() + disabled.len(),
        KLASSES.len()
    );
    assert_eq!(get(&simulator, "/v1/klasses?status=all").await.status, 400);
}

#[tokio::test]
async fn one_path_means_a_klass_by_id_and_its_records_by_name() {
    let simulator = organisation(100);
    let klass = ok(&simulator, "/v1/klasses").await["data"][0].clone();
    let by_id = ok(
        &simulator,
        &format!("/v1/klasses/{}", klass["id"].as_str().unwrap()),
    )
    .await;
    assert_eq!(by_id["data"], klass);
    let records = walk(&simulator, "/v1/klasses/ecomm-order?pageSize=100").await;
    assert!(!records.is_empty());
    for record in &records {
        assert_eq!(record["type"], "kobject.ecomm-order");
        // The key reads `link`, and the id of a klass is its name.
        assert!(record["relationships"]["klass"]["link"]["self"].is_string());
        assert_eq!(
            record["relationships"]["klass"]["data"]["id"],
            "ecomm-order"
        );
    }
    let id = records[0]["id"].as_str().unwrap();
    assert_eq!(
        ok(&simulator, &format!("/v1/klasses/ecomm-order/{id}")).await["data"],
        records[0]
    );
    assert_eq!(
        get(&simulator, &format!("/v1/klasses/shipment/{id}"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn records_of_all_klasses_are_listed_by_klass_and_by_owner() {
    let simulator = organisation(300);
    let mut all = Vec::new();
    for klass in KLASSES {
        all.extend(
            walk(
                &simulator,
                &format!("/v1/klasses/{}?pageSize=100", klass.name),
            )
            .await,
        );
    }
    assert_eq!(all.len(), simulator.world().counts().kobjects);
    let owned = all
        .iter()
        .find(|r| r["relationships"].get("customer").is_some())
        .unwrap();
    let customer = owned["relationships"]["customer"]["data"]["id"]
        .as_str()
        .unwrap();
    let name = owned["relationships"]["klass"]["data"]["id"]
        .as_str()
        .unwrap();
    let listed = walk(
        &simulator,
        &format!("/v1/customers/{customer}/klasses/{name}"),
    )
    .await;
    assert!(listed.contains(owned));
    let person = ok(&simulator, &format!("/v1/customers/{customer}")).await;
    assert_eq!(
        person["data"]["relationships"][name]["meta"]["kobject"],
        true
    );
    assert!(
        all.iter()
            .any(|r| r["relationships"].get("company").is_some())
    );
    assert!(
        all.iter()
            .any(|r| r["relationships"].get("company").is_none()
                && r["relationships"].get("customer").is_none())
    );
}

#[tokio::test]
async fn both_filters_of_companies_together_are_both_ignored() {
    let simulator = organisation(400);
    let all = walk(&simulator, "/v1/companies").await;
    let with_id = all
        .iter()
        .find(|c| c["attributes"]["externalId"].is_string())
        .unwrap();
    let external = with_id["attributes"]["externalId"].as_str().unwrap();
    assert_eq!(
        walk(&simulator, &format!("/v1/companies?externalId={external}")).await,
        std::slice::from_ref(with_id)
    );
    let both = walk(
        &simulator,
        &format!("/v1/companies?externalId={external}&filter=x"),
    )
    .await;
    assert_eq!(both.len(), all.len());
}

#[tokio::test]
async fn small_lists_and_settings_can_be_read() {
    let simulator = organisation(50);
    for path in [
        "/v1/teams",
        "/v1/tags",
        "/v1/brands",
        "/v1/schedules",
        "/v1/slas",
        "/v1/satisfaction",
        "/v1/shortcuts",
        "/v1/shortcuts/categories",
        "/v1/snoozes",
        "/v1/workflows",
        "/v1/routing/queues",
        "/v1/routing/queue-rules",
        "/v1/kb/articles",
        "/v1/kb/categories",
        "/v1/outbound-webhooks",
        "/v1/spam/senders",
        "/v1/role-groups",
        "/v1/kedge",
    ] {
        let list = ok(&simulator, path).await;
        let rows = list["data"].as_array().unwrap();
        assert!(!rows.is_empty(), "{path}");
    }
    let deleted = walk(&simulator, "/v1/tags").await.len()
        - walk(&simulator, "/v1/tags?deleted=false").await.len();
    assert!(deleted > 0);
    let account = &ok(&simulator, "/v1/outboundAccounts").await["data"][0];
    assert!(account.get("id").is_none());
    let slas = ok(&simulator, "/v1/slas?versions=all").await;
    assert!(slas["included"].is_array());
    let id = slas["data"][0]["id"].as_str().unwrap();
    assert!(
        ok(&simulator, &format!("/v1/slas/{id}?versions=active")).await["included"].is_object()
    );
}

#[tokio::test]
async fn articles_have_one_version_a_language_and_the_public_list_needs_no_key() {
    let simulator = organisation(20);
    let articles = ok(&simulator, "/v1/kb/articles").await;
    for article in articles["data"].as_array().unwrap() {
        assert!(article["attributes"].get("htmlBody").is_none());
        let path = format!(
            "/v1/kb/articles/{}/versions",
            article["id"].as_str().unwrap()
        );
        let versions = ok(&simulator, &path).await;
        let languages = article["attributes"]["latestLangs"].as_array().unwrap();
        assert_eq!(versions["data"].as_array().unwrap().len(), languages.len());
        assert!(versions["data"][0]["attributes"]["htmlBody"].is_string());
    }
    let public = get_as(&simulator, "none", "/p/v3/kb/articles?knowledgeBaseId=1").await;
    assert_eq!(public.status, 200);
    assert!(
        public.json()["data"].as_array().unwrap().len()
            < articles["data"].as_array().unwrap().len()
    );
}

#[tokio::test]
async fn several_records_come_for_a_list_of_ids_in_the_path() {
    let simulator = organisation(50);
    let conversations = ids(&ok(&simulator, "/v1/conversations?pageSize=3").await["data"]);
    let list = ok(
        &simulator,
        &format!("/v1/conversations/{}", conversations.join(",")),
    )
    .await;
    assert_eq!(ids(&list["data"]), conversations);
    let users = ids(&ok(&simulator, "/v1/users?pageSize=2").await["data"]);
    assert_eq!(
        ids(&ok(&simulator, &format!("/v1/users/{}", users.join(","))).await["data"]),
        users
    );
}

#[tokio::test]
async fn customers_are_found_by_address_and_external_id() {
    let simulator = organisation(200);
    let customers = walk(&simulator, "/v1/customers?pageSize=100").await;
    let with = |list: &str| {
        customers
            .iter()
            .find(|c| {
                c["attributes"][list]
                    .as_array()
                    .is_some_and(|l| !l.is_empty())
            })
            .unwrap()
    };
    let known = with("emails");
    let email = known["attributes"]["emails"][0]["email"]
        .as_str()
        .unwrap()
        .replace('+', "%2B")
        .replace('\'', "%27");
    assert_eq!(
        ok(&simulator, &format!("/v1/customers/email={email}")).await["data"]["id"],
        known["id"]
    );
    let known = with("externalIds");
    let external = known["attributes"]["externalId"].as_str().unwrap();
    assert_eq!(
        ok(&simulator, &format!("/v1/customers/externalId={external}")).await["data"]["id"],
        known["id"]
    );
    assert_eq!(
        get(&simulator, "/v1/customers/email=nobody@example.com")
            .await
            .status,
        404
    );
    // Deprecated, and always 404.
    let path = format!("/v1/customers/{}/events", known["id"].as_str().unwrap());
    assert_eq!(get(&simulator, &path).await.status, 404);
}

#[tokio::test]
async fn events_come_newest_first() {
    let simulator = organisation(100);
    let conversation = simulator.world().ids(Kind::Conversation)[0].clone();
    let events = ok(
        &simulator,
        &format!("/v1/conversations/{conversation}/events"),
    )
    .await;
    let names: Vec<&Value> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["attributes"]["name"])
        .collect();
    assert_eq!(
        names,
        [
            "kustomer.conversation.update",
            "kustomer.conversation.create"
        ]
    );
}

#[tokio::test]
async fn the_audit_log_comes_newest_first_by_cursor_and_keeps_merges_for_a_year() {
    let simulator = organisation(3_000);
    let read = async |path: &str| {
        let (mut next, mut rows) = (Some(path.to_owned()), Vec::new());
        while let Some(path) = next {
            let page = ok(&simulator, &path).await;
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            next = page["links"]["next"].as_str().map(str::to_owned);
        }
        rows
    };
    let all = read("/v1/audit-logs?count=100").await;
    let distinct: BTreeSet<String> = ids(&all.clone().into()).into_iter().collect();
    assert_eq!(distinct.len(), all.len());
    let times: Vec<&str> = all
        .iter()
        .map(|row| row["attributes"]["createdAt"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
    let merges = read("/v1/audit-logs?count=2&filter%5BobjectType%5D=customer_merge").await;
    assert!(merges.len() > 2 && merges.len() < 20, "{}", merges.len());
    for merge in &merges {
        let id = merge["attributes"]["objectId"].as_str().unwrap();
        let merge = ok(&simulator, &format!("/v1/customers/merges/{id}")).await;
        let source = merge["data"]["relationships"]["source"]["data"]["id"].as_str();
        assert!(matches!(
            simulator.world().state(source.unwrap()),
            Some(State::MergedInto(_))
        ));
    }
    // Back from the second page to the first.
    let first = ok(&simulator, "/v1/audit-logs?count=7").await;
    let second = ok(&simulator, first["links"]["next"].as_str().unwrap()).await;
    let again = ok(&simulator, second["links"]["prev"].as_str().unwrap()).await;
    assert_eq!(again["data"], first["data"]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_organisation_and_another_seed_another() {
    let dump = async |seed| {
        let simulator = organisation_with(Config {
            seed,
            size: 60,
            ..Config::default()
        });
        [
            walk(&simulator, "/v1/conversations").await,
            walk(&simulator, "/v1/messages").await,
        ]
        .concat()
    };
    let first = dump(1).await;
    assert_eq!(first, dump(1).await);
    assert_ne!(first, dump(2).await);
}
