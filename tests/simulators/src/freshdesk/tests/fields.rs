use serde_json::{Value, json};

use super::super::{FieldPaths, Plan};
use super::Client;

fn field(label: &str, kind: &str) -> Value {
    json!({
        "label": label, "label_for_customers": label, "type": kind, "customers_can_edit": false,
        "displayed_to_customers": false, "required_for_agents": false,
    })
}

fn contact_field(label: &str, kind: &str) -> Value {
    json!({"label": label, "label_for_customers": label, "type": kind})
}

#[tokio::test]
async fn the_account_makes_the_name_of_a_field_and_puts_a_number_behind_a_taken_one() {
    let client = Client::new();
    let made = client
        .post("admin/ticket_fields", field("Kustomer id", "custom_text"))
        .await
        .expect(201);
    assert_eq!(made.at("/name"), "cf_kustomer_id");
    let again = client
        .post("admin/ticket_fields", field("Kustomer: ID!", "custom_text"))
        .await
        .expect(201);
    let name = again.at("/name").as_str().unwrap();
    assert!(
        name.starts_with("cf_kustomer_id") && name.len() > "cf_kustomer_id".len(),
        "{name}"
    );
    // Even the same label makes another field.
    client
        .post("admin/ticket_fields", field("Kustomer id", "custom_text"))
        .await
        .expect(201);
    client
        .simulator
        .set_switches(|switches| switches.same_labels = false);
    let refused = client
        .post("admin/ticket_fields", field("Kustomer id", "custom_text"))
        .await;
    refused.refused(409, "label", "duplicate_value");
    let made = client
        .post(
            "contact_fields",
            contact_field("Kustomer id", "custom_text"),
        )
        .await
        .expect(201);
    assert_eq!(made.at("/name"), "kustomer_id");
    let listed = client.get("contact_fields").await.expect(200);
    assert!(
        listed
            .list()
            .iter()
            .any(|field| field["name"] == "kustomer_id")
    );
}

#[tokio::test]
async fn values_are_checked_by_the_type_of_their_field() {
    let client = Client::new();
    for (label, kind) in [
        ("Text", "custom_text"),
        ("Paragraph", "custom_paragraph"),
        ("Number", "custom_number"),
        ("Decimal", "custom_decimal"),
        ("Checkbox", "custom_checkbox"),
        ("Date", "custom_date"),
    ] {
        client
            .post("admin/ticket_fields", field(label, kind))
            .await
            .expect(201);
    }
    let mut dropdown = field("Dropdown", "custom_dropdown");
    client
        .post("admin/ticket_fields", dropdown.clone())
        .await
        .refused(400, "choices", "missing_field");
    dropdown["choices"] =
        json!([{"value": "Gold", "position": 1}, {"value": "Silver", "position": 2}]);
    client
        .post("admin/ticket_fields", dropdown)
        .await
        .expect(201);
    let requester = client.known("old.customer@example.com");
    let good = json!({"custom_fields": {
        "cf_text": "é".repeat(255), "cf_paragraph": "p".repeat(5_000), "cf_number": 2_147_483_647,
        "cf_decimal": 1.25, "cf_checkbox": true, "cf_date": "2024-02-29", "cf_dropdown": "Gold",
    }});
    let id = client.ticket(requester, good.clone()).await;
    let ticket = client.get(&format!("tickets/{id}")).await;
    for (name, value) in good["custom_fields"].as_object().unwrap() {
        assert_eq!(&ticket.at("/custom_fields")[name], value);
    }
    for (name, value, code) in [
        ("cf_text", json!("x".repeat(256)), "too_long"),
        ("cf_text", json!(1), "datatype_mismatch"),
        ("cf_number", json!(2_147_483_648_i64), "invalid_value"),
        ("cf_number", json!("1"), "datatype_mismatch"),
        ("cf_decimal", json!("1.5"), "datatype_mismatch"),
        ("cf_checkbox", json!("true"), "datatype_mismatch"),
        ("cf_date", json!("2024-02-30"), "invalid_value"),
        ("cf_date", json!("2024-02-03T00:00:00Z"), "invalid_value"),
        ("cf_dropdown", json!("gold"), "invalid_value"),
        ("cf_none", json!("x"), "invalid_field"),
    ] {
        let body = json!({"custom_fields": {name: value}});
        let reply = client.put(&format!("tickets/{id}"), body).await;
        reply.refused(400, &format!("custom_fields.{name}"), code);
    }
}

#[tokio::test]
async fn newer_types_are_there_only_where_the_account_has_them() {
    let client = Client::new();
    let refused = client
        .post("admin/ticket_fields", field("At", "custom_date_time"))
        .await;
    refused.refused(400, "type", "invalid_value");
    client
        .simulator
        .set_switches(|switches| switches.newer_field_types = true);
    client
        .post("admin/ticket_fields", field("At", "custom_date_time"))
        .await
        .expect(201);
    let requester = client.known("old.customer@example.com");
    let body = json!({"custom_fields": {"cf_at": "2024-01-01T02:00:00+02:00"}});
    let id = client.ticket(requester, body).await;
    let ticket = client.get(&format!("tickets/{id}")).await;
    assert_eq!(ticket.at("/custom_fields/cf_at"), "2024-01-01T00:00:00Z");
}

#[tokio::test]
async fn more_than_a_hundred_choices_take_a_while() {
    let client = Client::new();
    let mut many = field("Many", "custom_dropdown");
    many["choices"] = (1..=101)
        .map(|n| json!({"value": format!("c{n}"), "position": n}))
        .collect();
    let made = client.post("admin/ticket_fields", many).await.expect(201);
    assert_eq!(made.at("/field_update_in_progress"), true);
    let path = format!("admin/ticket_fields/{}", made.id());
    let requester = client.known("old.customer@example.com");
    let body = Client::ticket_body(requester, json!({"custom_fields": {"cf_many": "c7"}}));
    client.post("tickets", body.clone()).await.refused(
        400,
        "custom_fields.cf_many",
        "invalid_value",
    );
    client.wait(30);
    let done = client.get(&path).await.expect(200);
    assert_eq!(done.at("/field_update_in_progress"), false);
    assert_eq!(done.at("/choices").as_array().unwrap().len(), 101);
    client.post("tickets", body).await.expect(201);
}

#[tokio::test]
async fn a_nested_field_has_levels_with_names_of_their_own() {
    let client = Client::new();
    let mut body = field("Country", "nested_field");
    body["dependent_fields"] = json!([{"label": "Region"}, {"label": "City"}]);
    body["choices"] = json!([{"value": "Spain", "choices": [{"value": "Madrid", "choices": [{"value": "Getafe"}]}]}]);
    let made = client.post("admin/ticket_fields", body).await.expect(201);
    assert_eq!(made.at("/dependent_fields/0/name"), "cf_region");
    let requester = client.known("old.customer@example.com");
    let good = json!({"custom_fields": {"cf_country": "Spain", "cf_region": "Madrid", "cf_city": "Getafe"}});
    client.ticket(requester, good).await;
    let bad = json!({"custom_fields": {"cf_country": "Spain", "cf_region": "Getafe"}});
    let reply = client
        .post("tickets", Client::ticket_body(requester, bad))
        .await
        .expect(400);
    assert!(
        reply
            .errors()
            .contains(&("custom_fields.cf_country", "invalid_value"))
    );
    let view = client
        .get("ticket_fields?type=nested_field")
        .await
        .expect(200);
    assert_eq!(
        view.at("/0/choices"),
        &json!({"Spain": {"Madrid": ["Getafe"]}})
    );
}

#[tokio::test]
async fn the_two_views_of_ticket_fields_have_other_choices() {
    let client = Client::new();
    let view = client.get("ticket_fields").await.expect(200);
    let of = |list: &[Value], name: &str| {
        list.iter()
            .find(|field| field["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        of(view.list(), "status")["choices"]["2"],
        json!(["Open", "Being Processed"])
    );
    assert_eq!(of(view.list(), "priority")["choices"]["Urgent"], 4);
    assert_eq!(of(view.list(), "ticket_type")["choices"][0], "Question");
    assert!(of(view.list(), "group")["choices"]["Billing"].is_u64());
    let admin = client.get("admin/ticket_fields").await.expect(200);
    assert_eq!(of(admin.list(), "status")["choices"][0]["value"], "Open");
}

#[tokio::test]
async fn types_and_statuses_get_more_choices_and_keep_the_old() {
    let client = Client::new();
    let admin = client.get("admin/ticket_fields").await;
    let of = |name: &str| {
        admin
            .list()
            .iter()
            .find(|field| field["name"] == name)
            .unwrap()
            .clone()
    };
    let kind = of("ticket_type");
    let mut choices = kind["choices"].as_array().unwrap().clone();
    choices.push(json!({"value": "Imported", "position": 9}));
    let path = format!("admin/ticket_fields/{}", kind["id"]);
    client
        .put(&path, json!({"choices": choices}))
        .await
        .expect(200);
    let requester = client.known("old.customer@example.com");
    client.ticket(requester, json!({"type": "Imported"})).await;
    let status = of("status");
    let mut choices = status["choices"].as_array().unwrap().clone();
    choices.push(json!({"value": "Snoozed", "position": 9}));
    let path = format!("admin/ticket_fields/{}", status["id"]);
    client
        .put(&path, json!({"choices": choices}))
        .await
        .expect(200);
    client.ticket(requester, json!({"status": 8})).await;
    let body = Client::ticket_body(requester, json!({"status": 9}));
    client
        .post("tickets", body)
        .await
        .refused(400, "status", "invalid_value");
    let gone = json!({"choices": [{"value": "Only"}]});
    client
        .put(&path, gone)
        .await
        .refused(400, "choices", "invalid_value");
}

#[tokio::test]
async fn required_fields_refuse_tickets_and_closing() {
    let client = Client::with(|config| config.preexisting.required_fields = true);
    let requester = client.known("old.customer@example.com");
    let body = Client::ticket_body(requester, json!({}));
    client.post("tickets", body).await.refused(
        400,
        "custom_fields.cf_product_line",
        "missing_field",
    );
    let id = client
        .ticket(
            requester,
            json!({"custom_fields": {"cf_product_line": "Shoes"}}),
        )
        .await;
    let path = format!("tickets/{id}");
    let close = client.put(&path, json!({"status": 5})).await;
    close.refused(400, "custom_fields.cf_root_cause", "missing_field");
    let close = json!({"status": 5, "custom_fields": {"cf_root_cause": "x"}});
    client.put(&path, close).await.expect(200);
    // A field with sections stays; requiring it can be switched off.
    let list = client.get("admin/ticket_fields").await;
    let line = list
        .list()
        .iter()
        .find(|field| field["name"] == "cf_product_line")
        .unwrap();
    let path = format!("admin/ticket_fields/{}", line["id"]);
    client
        .delete(&path)
        .await
        .refused(400, "id", "inconsistent_state");
    client
        .put(&path, json!({"required_for_agents": false}))
        .await
        .expect(200);
    client.ticket(requester, json!({})).await;
}

#[tokio::test]
async fn deleting_a_field_erases_its_values() {
    let client = Client::new();
    let made = client
        .post("admin/ticket_fields", field("Mine", "custom_text"))
        .await
        .id();
    let requester = client.known("old.customer@example.com");
    let ticket = client
        .ticket(requester, json!({"custom_fields": {"cf_mine": "x"}}))
        .await;
    client
        .delete(&format!("admin/ticket_fields/{made}"))
        .await
        .expect(204);
    client
        .delete(&format!("admin/ticket_fields/{made}"))
        .await
        .expect(404);
    let ticket = client.get(&format!("tickets/{ticket}")).await;
    assert!(ticket.at("/custom_fields").get("cf_mine").is_none());
    let fields = client.get("admin/ticket_fields").await;
    let standard = fields.list()[0]["id"].as_u64().unwrap();
    client
        .delete(&format!("admin/ticket_fields/{standard}"))
        .await
        .expect(403);
}

#[tokio::test]
async fn a_unique_field_refuses_a_second_ticket_with_its_value() {
    let client = Client::with(|config| config.switches.unique_fields = true);
    let mut body = field("Kustomer id", "custom_text");
    body["unique"] = json!(true);
    client
        .post("admin/ticket_fields", body.clone())
        .await
        .expect(201);
    let requester = client.known("old.customer@example.com");
    let marked = json!({"custom_fields": {"cf_kustomer_id": "k1"}});
    let id = client.ticket(requester, marked.clone()).await;
    let again = client
        .post("tickets", Client::ticket_body(requester, marked.clone()))
        .await;
    again.refused(409, "custom_fields.cf_kustomer_id", "duplicate_value");
    client
        .put(&format!("tickets/{id}"), marked)
        .await
        .expect(200);
    client
        .simulator
        .set_switches(|switches| switches.unique_fields = false);
    body["label"] = json!("Other");
    client
        .post("admin/ticket_fields", body)
        .await
        .refused(400, "unique", "invalid_field");
}

#[tokio::test]
async fn contact_fields_are_made_at_one_path_or_the_other_and_not_in_every_plan() {
    let client = Client::with(|config| config.switches.field_paths = FieldPaths::Admin);
    client
        .post("contact_fields", contact_field("A", "custom_text"))
        .await
        .expect(404);
    client
        .post("admin/contact_fields", contact_field("A", "custom_text"))
        .await
        .expect(201);
    client.get("contact_fields").await.expect(200);
    let client = Client::with(|config| config.plan = Plan::Free);
    let refused = client
        .post("contact_fields", contact_field("A", "custom_text"))
        .await
        .expect(403);
    assert_eq!(refused.at("/code"), "require_feature");
}

#[tokio::test]
async fn there_are_so_many_fields_of_a_type_and_no_more() {
    let client = Client::with(|config| config.switches.fields_per_type = 2);
    client
        .post("admin/ticket_fields", field("A", "custom_text"))
        .await
        .expect(201);
    let refused = client
        .post("admin/ticket_fields", field("B", "custom_text"))
        .await;
    refused.refused(400, "type", "invalid_value");
    client
        .post("admin/ticket_fields", field("B", "custom_paragraph"))
        .await
        .expect(201);
}

#[tokio::test]
async fn tags_have_their_rules() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let long = "x".repeat(33);
    for (tags, code) in [
        (json!([long]), "too_long"),
        (json!(["a,b"]), "invalid_value"),
    ] {
        let body = Client::ticket_body(requester, json!({"tags": tags}));
        client
            .post("tickets", body)
            .await
            .refused(400, "tags", code);
    }
    let many: Vec<String> = (0..40).map(|n| format!("tag {n}")).collect();
    let id = client.ticket(requester, json!({"tags": many})).await;
    let path = format!("tickets/{id}");
    assert_eq!(client.get(&path).await.at("/tags"), &json!(many));
    let changed = client
        .put(&path, json!({"tags": ["only"]}))
        .await
        .expect(200);
    assert_eq!(changed.at("/tags"), &json!(["only"]));
}
