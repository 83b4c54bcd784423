//! Customers, users, teams, tags.

use serde_json::json;

use super::super::{CustomerDeletion, UnknownTag};
use super::Client;

#[tokio::test]
async fn a_customer_has_addresses_note_meta_and_data() {
    let client = Client::quiet();
    let body = json!({
        "name": "John Smith", "email": "john@example.com", "external_id": "k:1", "language": "fr",
        "timezone": "Europe/Paris", "note": "Likes tea", "meta": {"kustomer_id": "5f"},
        "channels": [
            {"type": "email", "address": "john@example.com", "preferred": true},
            {"type": "phone", "address": "+33611223344", "preferred": false},
        ],
    });
    let made = client.post("customers", body).await.expect(201);
    assert_eq!(
        (made.at("/firstname"), made.at("/lastname")),
        (&json!("John"), &json!("Smith"))
    );
    assert_eq!(made.at("/channels/1/address"), "+33611223344");
    assert_eq!(made.at("/meta/kustomer_id"), "5f");
    let path = format!("customers/{}", made.id());
    let done = client
        .put(
            &format!("{path}/data"),
            json!({"data": {"company": "Acme"}}),
        )
        .await;
    assert!(done.expect(202).bytes.is_empty());
    assert_eq!(client.get(&path).await.at("/data/company"), "Acme");
}

#[tokio::test]
async fn an_older_version_of_data_is_dropped_in_silence() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let path = format!("customers/{ana}/data");
    let write = async |text: &str, version: &str| {
        let body = json!({"data": text, "version": version});
        client.put(&path, body).await.expect(202);
    };
    write("new", "2026-01-02T00:00:00+00:00").await;
    write("old", "2026-01-01T00:00:00+00:00").await;
    assert_eq!(
        client.get(&format!("customers/{ana}")).await.at("/data"),
        "new"
    );
}

#[tokio::test]
async fn channels_are_required_with_all_their_keys() {
    let client = Client::quiet();
    client
        .post("customers", json!({"name": "Ana"}))
        .await
        .refused("/channels");
    let channel = json!({"type": "email", "address": "a@example.com"});
    let refused = client
        .post("customers", json!({"channels": [channel]}))
        .await;
    refused.refused("/channels/0/preferred");
    let channel = json!({"type": "pigeon", "address": "a", "preferred": true});
    let refused = client
        .post("customers", json!({"channels": [channel]}))
        .await;
    refused.refused("/channels/0/type");
    let client = Client::switched(|switches| switches.channels_required = false);
    client
        .post("customers", json!({"name": "Ana"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn keys_may_be_unknown_on_creation_and_known_afterwards() {
    let client = Client::switched(|switches| {
        switches.customer_create_refuses = vec!["note".to_owned(), "meta".to_owned()];
    });
    let body = json!({"name": "Ana", "channels": [], "note": "x"});
    client.post("customers", body).await.refused("/note");
    let ana = client
        .post("customers", json!({"name": "Ana", "channels": []}))
        .await
        .expect(201);
    let path = format!("customers/{}", ana.id());
    let done = client.put(&path, json!({"note": "x"})).await.expect(202);
    assert_eq!(done.at("/note"), "x");
}

#[tokio::test]
async fn every_address_belongs_to_one_customer_and_the_409_names_nobody() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let second = json!({"type": "email", "address": "ANA@example.com", "preferred": false});
    let refused = client
        .post("customers", json!({"channels": [second]}))
        .await
        .expect(409);
    assert_eq!(refused.at("/error/msg"), "The resource already exists.");
    assert!(!refused.json.to_string().contains(&ana.to_string()));
    let bob = client.customer("Bob", "bob@example.com").await;
    client
        .put(
            &format!("customers/{bob}"),
            json!({"email": "ana@example.com"}),
        )
        .await
        .expect(409);
}

#[tokio::test]
async fn an_external_id_may_be_given_twice() {
    let body = json!({"name": "Ana", "external_id": "k:1", "channels": []});
    let client = Client::quiet();
    client.post("customers", body.clone()).await.expect(201);
    client.post("customers", body.clone()).await.expect(201);
    assert_eq!(
        client.get("customers?external_id=k:1").await.list().len(),
        2
    );
    let client = Client::switched(|switches| switches.customer_external_id_unique = true);
    client.post("customers", body.clone()).await.expect(201);
    client.post("customers", body).await.expect(409);
    let client = Client::switched(|switches| switches.bare_customer = false);
    client
        .post("customers", json!({"channels": []}))
        .await
        .refused("/channels");
}

#[tokio::test]
async fn channels_in_an_update_replace_all() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let path = format!("customers/{ana}");
    let phone = json!({"type": "phone", "address": "+331", "preferred": true});
    let done = client
        .put(&path, json!({"channels": [phone]}))
        .await
        .expect(202);
    assert_eq!(done.at("/channels").as_array().unwrap().len(), 1);
    assert!(done.at("/email").is_null());
    client.customer("Other", "ana@example.com").await;
    let done = client
        .put(&path, json!({"name": "Ana B"}))
        .await
        .expect(202);
    assert_eq!(done.at("/channels/0/address"), "+331");
}

#[tokio::test]
async fn a_customer_is_found_by_the_main_address_or_by_any_channel() {
    let client = Client::quiet();
    let body = json!({"email": "main@example.com", "channels": [
        {"type": "email", "address": "second@example.com", "preferred": false},
        {"type": "phone", "address": "+33611223344", "preferred": false},
    ]});
    let id = client.post("customers", body).await.expect(201).id();
    let found = async |query: &str| -> Vec<u64> {
        let reply = client.get(&format!("customers?{query}")).await.expect(200);
        reply
            .list()
            .iter()
            .map(|c| c["id"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(found("email=MAIN@example.com").await, [id]);
    assert!(found("email=second@example.com").await.is_empty());
    let query = "channel_type=email&channel_address=second@example.com";
    assert_eq!(found(query).await, [id]);
    assert_eq!(
        found("channel_type=phone&channel_address=%2B33611223344").await,
        [id]
    );
    client.get("customers?channel_type=phone").await.expect(400);
    client
        .simulator
        .set_switches(|switches| switches.email_filter_any_channel = true);
    assert_eq!(found("email=second@example.com").await, [id]);
}

#[tokio::test]
async fn a_merged_customer_has_moved_for_reading_changing_and_deleting() {
    let client = Client::quiet();
    let (old, new) = (
        client.customer("Old", "old@example.com").await,
        client.customer("New", "new@example.com").await,
    );
    let body = client.history("k:1", old).await;
    let ticket = client.ticket(body).await;
    let path = format!("customers/merge?source_id={old}&target_id={new}");
    let merged = client
        .call("PUT", &path, serde_json::Value::Null)
        .await
        .expect(202);
    assert_eq!(merged.at("/channels/1/address"), "old@example.com");
    for method in ["GET", "PUT", "DELETE"] {
        let reply = client
            .call(method, &format!("customers/{old}"), json!({}))
            .await
            .expect(301);
        assert_eq!(
            reply.header("location"),
            Some(format!("/api/customers/{new}").as_str())
        );
    }
    client
        .call("DELETE", "customers", json!({"ids": [old]}))
        .await
        .expect(204);
    client.get(&format!("customers/{new}")).await.expect(200);
    let ticket = client.get(&format!("tickets/{ticket}")).await;
    assert_eq!(ticket.at("/customer/id"), new);
}

#[tokio::test]
async fn two_customers_with_data_of_one_integration_are_not_merged() {
    let client = Client::new();
    let integration = client.get("integrations?type=email").await.list()[0]["id"]
        .as_u64()
        .unwrap();
    let (a, b) = (
        client.customer("A", "a@example.com").await,
        client.customer("B", "b@example.com").await,
    );
    for id in [a, b] {
        let data = |customer: &mut super::super::model::Customer| {
            customer.integrations.insert(integration, json!({}));
        };
        client.simulator.edit_customer(id, data).unwrap();
    }
    let path = format!("customers/merge?source_id={a}&target_id={b}");
    client
        .call("PUT", &path, serde_json::Value::Null)
        .await
        .expect(409);
}

#[tokio::test]
async fn a_deleted_customers_tickets_go_stay_or_forbid_it() {
    let delete = async |rule: CustomerDeletion, status: u16| {
        let client = Client::switched(|switches| switches.customer_deletion = rule);
        let ana = client.customer("Ana", "ana@example.com").await;
        let body = client.history("k:1", ana).await;
        let ticket = client.ticket(body).await;
        client
            .delete(&format!("customers/{ana}"))
            .await
            .expect(status);
        client.get(&format!("tickets/{ticket}")).await
    };
    delete(CustomerDeletion::TicketsToo, 204).await.expect(404);
    assert!(
        delete(CustomerDeletion::TicketsStay, 204)
            .await
            .at("/customer")
            .is_null()
    );
    assert!(
        delete(CustomerDeletion::Refused, 400)
            .await
            .at("/customer/id")
            .is_u64()
    );
}

#[tokio::test]
async fn a_new_user_is_invited_and_an_address_belongs_to_one() {
    let client = Client::quiet();
    client
        .post("users", json!({"email": "x@acme.example"}))
        .await
        .refused("/role");
    let body = json!({"email": "x@acme.example", "name": "X Y", "role": {"name": "agent"}});
    let made = client.post("users", body.clone()).await.expect(201);
    assert_eq!(made.at("/firstname"), "X");
    client.post("users", body).await.expect(409);
    let sent = client.simulator.outbox().all();
    assert_eq!((sent.len(), sent[0].kind.as_str()), (1, "invitation"));
    let bot = json!({"email": "b@acme.example", "name": "B", "role": {"name": "bot"}});
    client.post("users", bot).await.refused("/role/name");
    let found = client.get("users?email=X@acme.example").await;
    assert_eq!(found.list()[0]["id"], made.id());
    let bots = client.get("users?roles=bot").await.list().len();
    assert_eq!(bots, 1);
}

#[tokio::test]
async fn a_deleted_users_messages_lose_their_sender_or_keep_it() {
    for kept in [false, true] {
        let client = Client::switched(|switches| switches.deleted_sender_kept = kept);
        let body = json!({"email": "x@acme.example", "name": "X", "role": {"name": "agent"}});
        let user = client.post("users", body).await.expect(201).id();
        let ana = client.customer("Ana", "ana@example.com").await;
        let mut body = client.history("k:1", ana).await;
        body["messages"][1]["sender"]["id"] = json!(user);
        body["assignee_user"] = json!({"id": user});
        let ticket = client.ticket(body).await;
        client.delete("users/0").await.expect(404);
        client.delete(&format!("users/{user}")).await.expect(204);
        let ticket = client.get(&format!("tickets/{ticket}")).await;
        assert!(ticket.at("/assignee_user").is_null());
        let snapshot = client.simulator.snapshot();
        let thread = snapshot.thread(&snapshot.tickets[0]);
        assert_eq!(thread[1].sender_id, kept.then_some(user));
    }
}

#[tokio::test]
async fn a_teams_members_are_replaced_and_its_deletion_leaves_tickets_without() {
    let client = Client::quiet();
    let me = client.me().await;
    let body = json!({"name": "Returns", "decoration": {"emoji": "x"}, "members": [{"id": me}]});
    let team = client.post("teams", body.clone()).await.expect(201);
    assert_eq!(team.at("/members/0/id"), me);
    // Two of one name, unless the account is strict.
    client.post("teams", body.clone()).await.expect(201);
    let path = format!("teams/{}", team.id());
    let done = client.put(&path, json!({"members": []})).await.expect(202);
    assert_eq!(done.at("/members"), &json!([]));
    client
        .put(&path, json!({"members": [{"id": 1}]}))
        .await
        .refused("/members/0/id");
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut ticket = client.history("k:1", ana).await;
    ticket["assignee_team"] = json!({"id": team.id()});
    let ticket = client.ticket(ticket).await;
    client.delete(&path).await.expect(204);
    let ticket = client.get(&format!("tickets/{ticket}")).await.expect(200);
    assert!(ticket.at("/assignee_team").is_null());
    let client = Client::switched(|switches| switches.team_names_unique = true);
    client.post("teams", json!({"name": "A"})).await.expect(201);
    client.post("teams", json!({"name": "A"})).await.expect(409);
}

#[tokio::test]
async fn tags_differ_by_case_and_are_searched_in_any() {
    let client = Client::quiet();
    let vip = client
        .post("tags", json!({"name": "vip"}))
        .await
        .expect(201)
        .id();
    client
        .post("tags", json!({"name": "VIP"}))
        .await
        .expect(201);
    client
        .post("tags", json!({"name": "vip"}))
        .await
        .expect(409);
    assert_eq!(client.get("tags?search=Vip").await.list().len(), 2);
    let long = "x".repeat(257);
    client
        .post("tags", json!({"name": long}))
        .await
        .refused("/name");
    client
        .simulator
        .set_switches(|switches| switches.duplicate_tag_refused = false);
    assert_eq!(
        client
            .post("tags", json!({"name": "vip"}))
            .await
            .expect(201)
            .id(),
        vip
    );
}

#[tokio::test]
async fn a_tag_in_a_rule_or_macro_stays_and_a_view_of_a_deleted_one_is_switched_off() {
    let client = Client::new();
    for name in ["auto-tagged", "refund"] {
        let tag = client.simulator.snapshot().tag(name).unwrap().id;
        client.delete(&format!("tags/{tag}")).await.expect(400);
        client
            .call("DELETE", "tags", json!({"ids": [tag]}))
            .await
            .expect(400);
    }
    let tag = client
        .simulator
        .snapshot()
        .tag("before-migration")
        .unwrap()
        .id;
    let used = client
        .get(&format!("tags/{tag}"))
        .await
        .at("/usage")
        .clone();
    assert_eq!(used, 3);
    client.delete(&format!("tags/{tag}")).await.expect(204);
    let snapshot = client.simulator.snapshot();
    assert!(snapshot.views[0].deactivated_at.is_some());
    assert!(
        snapshot
            .tickets
            .iter()
            .all(|ticket| !ticket.tags.contains(&tag))
    );
}

#[tokio::test]
async fn merged_tags_become_one_on_every_ticket() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut ticket = client.history("k:1", ana).await;
    ticket["tags"] = json!([{"name": "a"}, {"name": "b"}]);
    let ticket = client.ticket(ticket).await;
    let snapshot = client.simulator.snapshot();
    let (a, b) = (snapshot.tag("a").unwrap().id, snapshot.tag("b").unwrap().id);
    let path = format!("tags/{a}/merge");
    client
        .put(&path, json!({"source_tags_ids": [b]}))
        .await
        .expect(202);
    let tags = client.get(&format!("tickets/{ticket}/tags")).await;
    assert_eq!(
        (tags.list().len(), &tags.list()[0]["name"]),
        (1, &json!("a"))
    );
    client.get(&format!("tags/{b}")).await.expect(404);
}

#[tokio::test]
async fn an_unknown_tag_on_a_ticket_is_made_refused_or_dropped() {
    let tagged = async |rule: UnknownTag, status: u16| {
        let client = Client::switched(|switches| switches.unknown_tag = rule);
        let ana = client.customer("Ana", "ana@example.com").await;
        let mut ticket = client.history("k:1", ana).await;
        ticket["tags"] = json!([{"name": "vip"}, {"name": "vip"}]);
        client.post("tickets", ticket).await.expect(status);
        client.simulator.snapshot().tags.len()
    };
    assert_eq!(tagged(UnknownTag::Made, 201).await, 1);
    assert_eq!(tagged(UnknownTag::Refused, 400).await, 0);
    assert_eq!(tagged(UnknownTag::Dropped, 201).await, 0);
}
