//! Custom fields, their options and values.

use serde_json::{Value, json};

use super::Client;

async fn field(client: &Client, body: Value) -> u64 {
    let body = json!({"ticket_field": body});
    client
        .post("ticket_fields", body)
        .await
        .expect(201)
        .id("/ticket_field/id")
}

fn ticket(field: u64, value: Value) -> Value {
    json!({"ticket": {
        "custom_fields": [{"id": field, "value": value}],
        "comments": [{"body": "x", "public": true}],
    }})
}

fn tier() -> Value {
    json!({"type": "tagger", "title": "Tier", "custom_field_options": [
        {"name": "Gold", "value": "tier_gold"}, {"name": "Tin", "value": "tier_tin"},
    ]})
}

#[tokio::test]
async fn the_values_of_taggers_multiselects_and_checkboxes_are_tags() {
    let client = Client::new();
    let tier = field(&client, tier()).await;
    let many = field(
        &client,
        json!({"type": "multiselect", "title": "Topics", "custom_field_options": [
            {"name": "A", "value": "topic_a"}, {"name": "B", "value": "topic_b"},
        ]}),
    )
    .await;
    let vip = field(
        &client,
        json!({"type": "checkbox", "title": "VIP", "tag": "is_vip"}),
    )
    .await;
    let body = json!({"ticket": {
        "tags": ["mine"],
        "custom_fields": [
            {"id": tier, "value": "tier_gold"}, {"id": many, "value": ["topic_a", "topic_b"]},
            {"id": vip, "value": true},
        ],
        "comments": [{"body": "x", "public": true}],
    }});
    let made = client.post("imports/tickets", body).await.expect(201);
    let expected = json!(["is_vip", "mine", "tier_gold", "topic_a", "topic_b"]);
    assert_eq!(made.at("/ticket/tags"), &expected);
    let id = made.id("/ticket/id");
    let change = json!({"ticket": {"custom_fields": [{"id": tier, "value": "tier_tin"}]}});
    let changed = client
        .put(&format!("tickets/{id}"), change)
        .await
        .expect(200);
    let expected = json!(["is_vip", "mine", "tier_tin", "topic_a", "topic_b"]);
    assert_eq!(changed.at("/ticket/tags"), &expected);
}

#[tokio::test]
async fn a_date_field_takes_a_day_and_nothing_else() {
    let client = Client::new();
    let day = field(&client, json!({"type": "date", "title": "Due"})).await;
    client
        .post("imports/tickets", ticket(day, json!("2026-02-28")))
        .await
        .expect(201);
    for wrong in ["2026-02-28T00:00:00Z", "2026-02-30", "28.02.2026"] {
        let refused = client
            .post("imports/tickets", ticket(day, json!(wrong)))
            .await
            .expect(422);
        assert_eq!(
            refused.at("/details/base/0/description"),
            "Due is not valid"
        );
        assert_eq!(refused.at("/details/base/0/error"), "InvalidValue");
        assert_eq!(refused.at("/details/base/0/ticket_field_id"), day);
        assert_eq!(refused.at("/details/base/0/ticket_field_type"), "FieldDate");
    }
}

#[tokio::test]
async fn numbers_are_checked_and_whole_numbers_of_tickets_come_back_as_text() {
    let client = Client::new();
    let number = field(&client, json!({"type": "integer", "title": "Count"})).await;
    let made = client
        .post("imports/tickets", ticket(number, json!(42)))
        .await
        .expect(201);
    assert_eq!(made.at("/ticket/custom_fields/0/value"), "42");
    client
        .post("imports/tickets", ticket(number, json!("4.2")))
        .await
        .expect(422);
    let decimal = field(&client, json!({"type": "decimal", "title": "Sum"})).await;
    client
        .post("imports/tickets", ticket(decimal, json!("4.20")))
        .await
        .expect(201);
    client
        .post("imports/tickets", ticket(decimal, json!("four")))
        .await
        .expect(422);
}

#[tokio::test]
async fn a_value_that_is_no_option_is_refused_or_dropped_by_the_switch() {
    let client = Client::new();
    let tier = field(&client, tier()).await;
    client
        .post("imports/tickets", ticket(tier, json!("tier_zinc")))
        .await
        .expect(422);
    client
        .simulator
        .set_switches(|s| s.unknown_option_refused = false);
    let made = client
        .post("imports/tickets", ticket(tier, json!("tier_zinc")))
        .await
        .expect(201);
    assert!(made.at("/ticket/custom_fields/0/value").is_null());
}

#[tokio::test]
async fn values_of_unknown_fields_are_dropped_in_silence() {
    let client = Client::new();
    let made = client
        .post("imports/tickets", ticket(4711, json!("x")))
        .await
        .expect(201);
    assert_eq!(made.at("/ticket/custom_fields"), &json!([]));
}

#[tokio::test]
async fn an_update_that_leaves_an_option_out_removes_it_from_tickets_too() {
    let client = Client::new();
    let tier = field(&client, tier()).await;
    let made = client
        .post("imports/tickets", ticket(tier, json!("tier_gold")))
        .await;
    let id = made.id("/ticket/id");
    let options =
        json!({"ticket_field": {"custom_field_options": [{"name": "Tin", "value": "tier_tin"}]}});
    client
        .put(&format!("ticket_fields/{tier}"), options)
        .await
        .expect(200);
    let shown = client.get(&format!("tickets/{id}")).await;
    assert!(shown.at("/ticket/custom_fields/0/value").is_null());
    assert_eq!(shown.at("/ticket/tags"), &json!([]));
}

#[tokio::test]
async fn a_single_option_can_be_added_or_changed_by_its_id() {
    let client = Client::new();
    let tier = field(&client, tier()).await;
    let path = format!("ticket_fields/{tier}/options");
    let option = json!({"custom_field_option": {"name": "Zinc", "value": "tier_zinc"}});
    let made = client.post(&path, option.clone()).await.expect(201);
    client.post(&path, option).await.expect(422);
    let id = made.id("/custom_field_option/id");
    let option = json!({"custom_field_option": {"id": id, "name": "Zinc!", "value": "tier_zinc"}});
    client.post(&path, option).await.expect(200);
    assert_eq!(client.get(&path).await.at("/count"), 3);
}

#[tokio::test]
async fn an_option_value_of_another_field_is_noticed_only_when_the_field_is_edited() {
    let client = Client::new();
    field(&client, tier()).await;
    let twin = field(&client, tier()).await;
    let edit =
        json!({"ticket_field": {"custom_field_options": [{"name": "Gold", "value": "tier_gold"}]}});
    let refused = client
        .put(&format!("ticket_fields/{twin}"), edit)
        .await
        .expect(422);
    assert!(
        refused
            .at("/details/base/0/description")
            .as_str()
            .unwrap()
            .contains("tier_gold")
    );
}

#[tokio::test]
async fn values_of_a_deleted_field_vanish_from_tickets() {
    let client = Client::new();
    let text = field(&client, json!({"type": "text", "title": "Note"})).await;
    let made = client
        .post("imports/tickets", ticket(text, json!("x")))
        .await;
    let id = made.id("/ticket/id");
    client
        .delete(&format!("ticket_fields/{text}"))
        .await
        .expect(204);
    client
        .delete(&format!("ticket_fields/{text}"))
        .await
        .expect(404);
    let shown = client.get(&format!("tickets/{id}")).await;
    assert_eq!(shown.at("/ticket/custom_fields"), &json!([]));
}

#[tokio::test]
async fn a_field_required_to_solve_fails_a_closed_import_without_it() {
    let client = Client::with(|config| config.preexisting.required_field = true);
    let body = json!({"ticket": {"status": "closed", "comments": [{"body": "x", "public": true}]}});
    let refused = client.post("imports/tickets", body).await.expect(422);
    let text = refused.at("/details/base/0/description").as_str().unwrap();
    assert!(text.contains("required when solving"), "{text}");
    let open = json!({"ticket": {"comments": [{"body": "x", "public": true}]}});
    client.post("imports/tickets", open).await.expect(201);
}

#[tokio::test]
async fn titles_of_ticket_fields_need_not_be_unique_and_keys_of_user_fields_must_be() {
    let client = Client::new();
    let text = json!({"type": "text", "title": "Note"});
    assert_ne!(
        field(&client, text.clone()).await,
        field(&client, text).await
    );
    let tier = |key: &str| json!({"user_field": {"type": "text", "title": "Tier", "key": key}});
    client.post("user_fields", tier("tier_1")).await.expect(201);
    let twice = client.post("user_fields", tier("tier_1")).await.expect(422);
    assert_eq!(twice.at("/details/key/0/error"), "DuplicateValue");
    for wrong in ["12", "a-b", ""] {
        client.post("user_fields", tier(wrong)).await.expect(422);
    }
}

#[tokio::test]
async fn the_types_of_ticket_fields_and_user_fields_differ() {
    let client = Client::new();
    let options = json!([{"name": "A", "value": "a"}]);
    let wrong = json!({"ticket_field": {"type": "dropdown", "title": "T", "custom_field_options": options}});
    client.post("ticket_fields", wrong).await.expect(422);
    let wrong = json!({"user_field": {"type": "tagger", "key": "t", "title": "T", "custom_field_options": options}});
    client.post("user_fields", wrong).await.expect(422);
    let right = json!({"user_field": {"type": "dropdown", "key": "t", "title": "T", "custom_field_options": options}});
    client.post("user_fields", right).await.expect(201);
}

#[tokio::test]
async fn a_date_of_a_user_comes_back_with_a_time_and_a_wrong_value_is_named_by_key() {
    let client = Client::new();
    let body = json!({"user_field": {"type": "date", "key": "since", "title": "Since"}});
    client.post("user_fields", body).await.expect(201);
    let user =
        |value: &str| json!({"user": {"name": "Ana", "user_fields": {"since": value, "odd": 1}}});
    let made = client.post("users", user("2012-07-23")).await.expect(201);
    assert_eq!(made.at("/user/user_fields/since"), "2012-07-23T00:00:00Z");
    assert!(made.at("/user/user_fields/odd").is_null());
    let refused = client.post("users", user("July")).await.expect(422);
    assert_eq!(refused.at("/details/since/0/error"), "InvalidValue");
}

#[tokio::test]
async fn a_lookup_needs_a_target_that_exists() {
    let client = Client::new();
    let no_target = json!({"ticket_field": {"type": "lookup", "title": "Buyer"}});
    client.post("ticket_fields", no_target).await.expect(422);
    let body = json!({"type": "lookup", "title": "Buyer", "relationship_target_type": "zen:user"});
    let buyer = field(&client, body).await;
    let ana = client.user("Ana", "ana@example.com").await;
    let made = client
        .post("imports/tickets", ticket(buyer, json!(ana)))
        .await
        .expect(201);
    assert_eq!(
        made.at("/ticket/custom_fields/0/value"),
        ana.to_string().as_str()
    );
    client
        .post("imports/tickets", ticket(buyer, json!("4711")))
        .await
        .expect(422);
    let path = format!("zen:user/{ana}/relationship_fields/{buyer}/zen:ticket");
    assert_eq!(client.get(&path).await.expect(200).at("/count"), 1);
}
