//! Custom fields, layouts, custom modules.

use serde_json::{Value, json};

use super::super::{Edition, FieldNames};
use super::Client;

#[tokio::test]
async fn the_api_name_of_a_field_is_told_not_computed() {
    let client = Client::new();
    assert_eq!(
        client.field("tickets", "Kustomer Id", "Text").await,
        "cf_kustomer_id"
    );
    let again = json!({"displayLabel": "Kustomer Id", "type": "Text"});
    client
        .post("fields?module=tickets", again)
        .await
        .wrong("/displayLabel", "duplicate");
    client.simulator.set_switches(|switches| {
        switches.field_names = FieldNames::Squashed;
        switches.field_labels_unique = false;
    });
    assert_eq!(
        client.field("tickets", "Kustomer Url", "URL").await,
        "cf_kustomerurl"
    );
    assert_eq!(
        client.field("tickets", "Kustomer Url", "URL").await,
        "cf_kustomerurl_1"
    );
    let list = client
        .get("fields?module=tickets&filter=isCustomField='true'")
        .await
        .expect(200);
    assert!(
        list.data()
            .iter()
            .all(|field| field["isCustomField"] == true)
    );
    assert!(
        list.data()
            .iter()
            .all(|field| field.get("allowedValues").is_none())
    );
}

#[tokio::test]
async fn values_travel_as_text_and_must_fit_the_type() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    for (label, kind, good, bad) in [
        ("A number", "Number", "12", "1.5"),
        ("A decimal", "Decimal", "1.5", "x"),
        ("A flag", "Boolean", "true", "yes"),
        ("A day", "Date", "2020-02-01", "2020-02-30"),
        (
            "A time",
            "DateTime",
            "2020-02-01T10:00:00.000Z",
            "2020-02-01",
        ),
        ("An url", "URL", "https://x.example/a", "no url"),
        ("An email", "Email", "a@example.com", "a"),
        ("A text", "Text", "x", &"x".repeat(256)),
    ] {
        let name = client.field("tickets", label, kind).await;
        let id = client
            .ticket(&contact, json!({"cf": {name.as_str(): good}}))
            .await;
        let shown = client.get(&format!("tickets/{id}")).await;
        assert_eq!(shown.json["cf"][&name], good, "{label}");
        assert_eq!(shown.json["customFields"][label], good);
        let wrong = client
            .patch(
                &format!("tickets/{id}"),
                json!({"cf": {name.as_str(): bad}}),
            )
            .await;
        wrong.wrong(&format!("/cf/{name}"), "invalid");
    }
}

#[tokio::test]
async fn a_picklist_made_by_a_request_has_no_values_until_people_give_it_some() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let name = client.field("tickets", "Level", "Picklist").await;
    let id = client.ticket(&contact, json!({})).await;
    let set = |value: &str| {
        client.patch(
            format!("tickets/{id}"),
            json!({"cf": {name.as_str(): value}}),
        )
    };
    set("High").await.wrong(&format!("/cf/{name}"), "invalid");
    let field = client
        .simulator
        .snapshot()
        .field(super::super::model::Module::Tickets, "Level")
        .unwrap()
        .id;
    client.simulator.set_up_field(field, &["High"]).unwrap();
    set("High").await.expect(200);
}

#[tokio::test]
async fn a_field_that_is_on_no_layout_takes_no_value() {
    let client = Client::switched(|switches| switches.new_field_on_layouts = false);
    let contact = client.known("old.customer@example.com");
    let name = client.field("tickets", "Kustomer Id", "Text").await;
    let id = client
        .ticket(&contact, json!({"cf": {name.as_str(): "x"}}))
        .await;
    assert_eq!(
        client.get(&format!("tickets/{id}")).await.json["cf"].get(&name),
        None
    );
}

#[tokio::test]
async fn a_deleted_field_takes_its_values_along() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let name = client.field("tickets", "Kustomer Id", "Text").await;
    let id = client
        .ticket(&contact, json!({"cf": {name.as_str(): "x"}}))
        .await;
    let snapshot = client.simulator.snapshot();
    let field = snapshot
        .field(super::super::model::Module::Tickets, "Kustomer Id")
        .unwrap()
        .id;
    client.delete(&format!("fields/{field}")).await.expect(200);
    assert_eq!(
        client.get(&format!("tickets/{id}")).await.json["cf"].get(&name),
        None
    );
    assert_eq!(client.field("tickets", "Kustomer Id", "Text").await, name);
    assert_eq!(
        client.get(&format!("tickets/{id}")).await.json["cf"][&name],
        Value::Null
    );
}

#[tokio::test]
async fn allowed_values_are_in_the_layout_of_the_department() {
    let client = Client::new();
    let department = client.department();
    let layouts = client
        .get(&format!("layouts?module=tickets&departmentId={department}"))
        .await
        .expect(200);
    assert_eq!(layouts.data().len(), 1);
    let layout = client
        .get(&format!("layouts/{}", layouts.ids()[0]))
        .await
        .expect(200);
    let fields = layout.at("/sections/0/fields").as_array().unwrap();
    let values = |name: &str| {
        let field = fields
            .iter()
            .find(|field| field["apiName"] == name)
            .unwrap();
        field["allowedValues"].as_array().unwrap().clone()
    };
    assert!(
        values("status")
            .contains(&json!({"value": "Waiting on customer", "statusType": "On Hold"}))
    );
    assert_eq!(
        values("cf_severity"),
        [json!({"value": "Minor"}), json!({"value": "Major"})]
    );
    let statuses = client
        .get(&format!("ticketStatuses?departmentId={department}"))
        .await
        .expect(200);
    assert_eq!(statuses.data().len(), 5);
}

#[tokio::test]
async fn small_editions_make_neither_fields_nor_modules_by_request() {
    let client = Client::with(|config| config.edition = Edition::Express);
    let field = json!({"displayLabel": "x y", "type": "Text"});
    client
        .post("fields?module=tickets", field)
        .await
        .refused(403, "LICENSE_ACCESS_LIMITED");
    let module = json!({"singularLabel": "Order", "pluralLabel": "Orders"});
    client
        .post("organizationModules", module)
        .await
        .refused(403, "LICENSE_ACCESS_LIMITED");
}

#[tokio::test]
async fn a_field_that_every_ticket_must_have_stops_those_without_it() {
    let client = Client::with(|config| config.preexisting.required_field = true);
    let contact = client.known("old.customer@example.com");
    let body = json!({"subject": "x", "departmentId": client.department(), "contactId": contact});
    client
        .post("tickets", body)
        .await
        .wrong("/cf/cf_order_number", "missing");
    client
        .ticket(&contact, json!({"cf": {"cf_order_number": "1"}}))
        .await;
}

#[tokio::test]
async fn what_the_profile_may_not_see_vanishes() {
    let client = Client::with(|config| config.hidden_fields = vec!["cf_contact_reason".to_owned()]);
    let contact = client.known("old.customer@example.com");
    let id = client
        .ticket(&contact, json!({"cf": {"cf_contact_reason": "x"}}))
        .await;
    assert_eq!(
        client.get(&format!("tickets/{id}")).await.json["cf"].get("cf_contact_reason"),
        None
    );
}

async fn module(client: &Client, more: Value) -> String {
    let mut body = json!({"singularLabel": "Order", "pluralLabel": "Web Orders"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap());
    client
        .post("organizationModules", body)
        .await
        .expect(200)
        .text("/apiName")
}

#[tokio::test]
async fn a_custom_module_holds_records_with_lookups() {
    let client = Client::new();
    let name = module(&client, json!({})).await;
    assert_eq!(name, "cm_web_orders");
    let contact = client.known("old.customer@example.com");
    let lookup = json!({
        "displayLabel": "Buyer", "type": "LookUp",
        "lookup": {"module": {"apiName": "contacts"}, "relatedListLabel": "Orders"},
    });
    let buyer = client
        .post(&format!("fields?module={name}"), lookup)
        .await
        .expect(201);
    assert_eq!(buyer.at("/lookup/onDelete"), "SET_NULL");
    let key = buyer.text("/apiName");
    let body = json!({"name": "Order 1", "cf": {key.as_str(): contact}});
    let record = client.post(&name, body).await.expect(200);
    assert_eq!(record.json["cf"][&key], contact);
    let bad = json!({"name": "Order 2", "cf": {key.as_str(): "400000000000999999"}});
    client
        .post(&name, bad)
        .await
        .wrong(&format!("/cf/{key}"), "invalid");
    client
        .post(&name, json!({"cf": {}}))
        .await
        .wrong("/name", "missing");
    let own = format!("{name}/{}", record.id());
    client
        .patch(&own, json!({"name": "Order 1b"}))
        .await
        .expect(200);
    assert_eq!(
        client.get(&name).await.expect(200).at("/data/0/name"),
        "Order 1b"
    );
    client
        .simulator
        .erase_record(contact.parse().unwrap())
        .unwrap();
    assert_eq!(client.get(&own).await.json["cf"][&key], Value::Null);
    client
        .post(
            &format!("{name}/moveToTrash"),
            json!({"recordIds": [record.id()]}),
        )
        .await
        .nothing();
    client.get(&name).await.nothing();
}

#[tokio::test]
async fn a_record_of_a_department_names_it_in_an_object_and_another_must_not() {
    let client = Client::new();
    let department = client.department();
    let global = module(&client, json!({})).await;
    let place = json!({"id": department});
    client
        .post(&global, json!({"name": "x", "department": place}))
        .await
        .wrong("/department", "invalid");
    let local = module(
        &client,
        json!({
            "pluralLabel": "Claims", "isDeptSpecific": true, "departmentIds": [department],
        }),
    )
    .await;
    client
        .post(&local, json!({"name": "x"}))
        .await
        .wrong("/department", "missing");
    let made = client
        .post(&local, json!({"name": "x", "department": place}))
        .await
        .expect(200);
    assert_eq!(made.at("/department/id"), &json!(department));
    client
        .post(&local, json!({"name": "x", "departmentId": department}))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
}

#[tokio::test]
async fn records_of_a_custom_module_are_found_by_times_only() {
    let client = Client::new();
    let name = module(&client, json!({})).await;
    let record = client
        .post(&name, json!({"name": "Order 1"}))
        .await
        .expect(200);
    client.wait(120);
    let range = "2026-11-23T00:00:00.000Z,2026-11-24T00:00:00.000Z";
    let found = client
        .get(&format!("{name}/search?createdTimeRange={range}"))
        .await
        .expect(200);
    assert_eq!(found.ids(), [&record.id()]);
    client
        .get(&format!("{name}/search?customField1=cf_x:1"))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .get("cm_nothing/search")
        .await
        .refused(404, "URL_NOT_FOUND");
    let id = client.simulator.snapshot().module(&name).unwrap().id;
    client
        .delete(&format!("organizationModules/{id}"))
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
}
