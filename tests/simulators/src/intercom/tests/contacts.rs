//! Contacts, notes, tags (Intercom facts §6, §9).

use serde_json::{Value, json};

use super::Client;
use crate::intercom::LongText;

#[tokio::test]
async fn a_creation_answers_200_and_only_two_times_can_be_given() {
    let client = Client::quiet();
    let body = json!({
        "role": "user", "external_id": "k1", "email": "ana@example.com", "name": "Ana", "signed_up_at": 1_500_000_000,
        "last_seen_at": 1_510_000_000,
    });
    let made = client.post("contacts", body).await.expect(200);
    assert_eq!(made.id().len(), 24);
    assert_eq!(made.at("/signed_up_at"), 1_500_000_000);
    assert_eq!(made.at("/created_at"), client.now());
    let body = json!({"role": "user", "created_at": 1_500_000_000});
    client
        .post("contacts", body)
        .await
        .refused(400, "bad_request");
    client
        .post("contacts", json!({"name": "x"}))
        .await
        .refused(400, "parameter_not_found");
    client
        .post("contacts", json!({"role": "user", "email_verified": true}))
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_user_with_a_known_address_or_external_id_is_a_409_that_says_whose() {
    let client = Client::quiet();
    let id = client.contact("k1").await;
    for body in [
        json!({"external_id": "k1"}),
        json!({"email": "K1@example.com"}),
        json!({"email": "k1@example.com", "external_id": "other"}),
    ] {
        let refused = client.post("contacts", body).await.refused(409, "conflict");
        let message = format!("A contact matching those details already exists with id={id}");
        assert_eq!(refused.text("/errors/0/message"), message);
    }
    let other = client.contact("k2").await;
    client
        .put(
            &format!("contacts/{other}"),
            json!({"email": "k1@example.com"}),
        )
        .await
        .refused(409, "conflict");
}

#[tokio::test]
async fn leads_are_never_compared() {
    let client = Client::quiet();
    for _ in 0..2 {
        client
            .post(
                "contacts",
                json!({"role": "lead", "email": "lead@example.com"}),
            )
            .await
            .expect(200);
    }
    assert_eq!(
        client
            .simulator
            .snapshot()
            .contacts_by_email("lead@example.com")
            .len(),
        2
    );
}

#[tokio::test]
async fn an_archived_contact_is_hidden_but_blocks_its_address_until_it_is_back() {
    let client = Client::quiet();
    let id = client.contact("k1").await;
    let archived = client
        .post(&format!("contacts/{id}/archive"), Value::Null)
        .await
        .expect(200);
    assert_eq!(archived.at("/archived"), true);
    client
        .get(&format!("contacts/{id}"))
        .await
        .refused(404, "not_found");
    client
        .get("contacts/find_by_external_id/k1")
        .await
        .refused(404, "not_found");
    let refused = client
        .post("contacts", json!({"external_id": "k1"}))
        .await
        .refused(409, "conflict");
    assert!(
        refused
            .text("/errors/0/message")
            .starts_with("An archived contact matching")
    );
    client
        .post(&format!("contacts/{id}/unarchive"), Value::Null)
        .await
        .expect(200);
    client
        .get("contacts/find_by_external_id/k1")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_merged_contact_is_gone_with_a_link_and_cannot_come_back() {
    let mut client = Client::quiet();
    let user = client.contact("k1").await;
    let lead = client
        .post(
            "contacts",
            json!({"role": "lead", "email": "l@example.com"}),
        )
        .await
        .id();
    let body = json!({"from": lead, "into": user});
    client
        .post("contacts/merge", body)
        .await
        .refused(400, "invalid_merge");
    let body = json!({"from": lead, "into": user, "skip_duplicate_validation": true});
    client.post("contacts/merge", body).await.expect(200);
    let gone = client
        .get(&format!("contacts/{lead}"))
        .await
        .refused(410, "contact_merged");
    assert_eq!(
        gone.header("link"),
        Some(format!("</contacts/{user}>; rel=\"canonical\"").as_str())
    );
    let refused = client
        .post(&format!("contacts/{lead}/unarchive"), Value::Null)
        .await;
    refused.refused(400, "bad_request");
    client.version = Some("2.14");
    client
        .get(&format!("contacts/{lead}"))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn an_external_id_finds_users_only() {
    let client = Client::quiet();
    client
        .post("contacts", json!({"role": "lead", "external_id": "k9"}))
        .await
        .expect(200);
    client
        .get("contacts/find_by_external_id/k9")
        .await
        .refused(404, "not_found");
    let body = json!({"external_id": "k 1/ä"});
    client.post("contacts", body).await.expect(200);
    client
        .get("contacts/find_by_external_id/k%201%2F%C3%A4")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_custom_attribute_must_exist_and_fit_its_type() {
    let client = Client::quiet();
    let body = json!({"role": "user", "custom_attributes": {"tier": "gold"}});
    client
        .post("contacts", body.clone())
        .await
        .refused(400, "parameter_invalid");
    client
        .simulator
        .set_switches(|s| s.unknown_data_attribute_refused = false);
    let made = client.post("contacts", body.clone()).await.expect(200);
    assert_eq!(made.at("/custom_attributes"), &json!({}));
    for (name, data_type) in [("tier", "string"), ("orders", "integer"), ("since", "date")] {
        let body = json!({"name": name, "model": "contact", "data_type": data_type});
        client.post("data_attributes", body).await.expect(200);
    }
    let id = client.post("contacts", body).await.expect(200).id();
    let path = format!("contacts/{id}");
    let set = |value: Value| json!({"custom_attributes": value});
    client
        .put(&path, set(json!({"orders": "3"})))
        .await
        .refused(400, "type_mismatch");
    client
        .put(&path, set(json!({"tier": ["a"]})))
        .await
        .refused(400, "parameter_invalid");
    let long = "x".repeat(256);
    client
        .put(&path, set(json!({"tier": long})))
        .await
        .refused(400, "parameter_invalid");
    client
        .simulator
        .set_switches(|s| s.long_text = LongText::Cut);
    let cut = client
        .put(
            &path,
            set(json!({"tier": long, "orders": 3, "since": 1_500_000_000})),
        )
        .await
        .expect(200);
    assert_eq!(cut.text("/custom_attributes/tier").len(), 255);
    let changed = client
        .put(&path, set(json!({"orders": null})))
        .await
        .expect(200);
    assert_eq!(changed.at("/custom_attributes/since"), 1_500_000_000);
    assert_eq!(changed.at("/custom_attributes/orders"), &Value::Null);
}

#[tokio::test]
async fn notes_are_wrapped_newest_first_and_cannot_be_dated() {
    let client = Client::quiet();
    let id = client.contact("k1").await;
    let path = format!("contacts/{id}/notes");
    for body in ["Hello", "<p>Again</p>"] {
        client
            .post(&path, json!({"body": body, "admin_id": client.me()}))
            .await
            .expect(200);
    }
    let listed = client.get(&path).await.expect(200);
    assert_eq!(listed.at("/data/0/body"), "<p>Again</p>");
    assert_eq!(listed.at("/data/1/body"), "<p>Hello</p>");
    client
        .post(&path, json!({"body": "x", "created_at": 1}))
        .await
        .refused(400, "bad_request");
    client
        .post(&path, json!({"body": "x", "admin_id": "1"}))
        .await
        .refused(404, "not_found");
    let note = listed.text("/data/0/id");
    client.get(&format!("notes/{note}")).await.expect(200);
    client
        .delete(&format!("notes/{note}"))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn the_same_tag_in_any_case_is_one_tag() {
    let client = Client::quiet();
    let first = client
        .post("tags", json!({"name": "VIP"}))
        .await
        .expect(200);
    let second = client
        .post("tags", json!({"name": "vip"}))
        .await
        .expect(200);
    assert_eq!(
        (first.id(), second.text("/name")),
        (second.id(), "VIP".to_owned())
    );
    client
        .post("tags", json!({"name": " "}))
        .await
        .refused(400, "parameter_invalid");
    let contact = client.contact("k1").await;
    let path = format!("contacts/{contact}/tags");
    let tagged = client
        .post(&path, json!({"id": first.id()}))
        .await
        .expect(200);
    assert_eq!(tagged.at("/applied_at"), client.now());
    client
        .post(&path, json!({"id": "1"}))
        .await
        .refused(404, "not_found");
    client
        .delete(&format!("{path}/{}", first.id()))
        .await
        .expect(200);
    client
        .delete(&format!("{path}/{}", first.id()))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn several_contacts_are_tagged_at_once_and_missing_ones_are_passed_over() {
    let client = Client::quiet();
    let id = client.contact("k1").await;
    let body = json!({"name": "vip", "users": [{"id": id}, {"id": "6762f0cd1bb69f9f2193bb7c"}]});
    let tagged = client.post("tags", body).await.expect(200);
    assert_eq!(tagged.list("/users").len(), 1);
    let shown = client.get(&format!("contacts/{id}")).await.expect(200);
    assert_eq!(shown.at("/tags/total_count"), 1);
}

#[tokio::test]
async fn a_contact_shows_ten_of_its_tags_and_says_that_there_are_more() {
    let client = Client::quiet();
    let id = client.contact("k1").await;
    for number in 0..12 {
        let tag = client
            .post("tags", json!({"name": format!("t{number}")}))
            .await
            .id();
        client
            .post(&format!("contacts/{id}/tags"), json!({"id": tag}))
            .await
            .expect(200);
    }
    let shown = client.get(&format!("contacts/{id}")).await.expect(200);
    assert_eq!(shown.list("/tags/data").len(), 10);
    assert_eq!(
        (shown.at("/tags/total_count"), shown.at("/tags/has_more")),
        (&json!(12), &json!(true))
    );
    assert_eq!(
        client
            .get(&format!("contacts/{id}/tags"))
            .await
            .list("/data")
            .len(),
        12
    );
}
