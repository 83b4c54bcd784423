//! What the account does on its own.

use super::*;
use crate::hubspot::model::TypeId;

async fn with_contact(client: &Client, properties: Value) -> String {
    let snapshot = client.simulator.snapshot();
    let contact = snapshot.live(TypeId::CONTACT).next().unwrap().id;
    let body = json!({
        "properties": properties,
        "associations": [to(&contact.to_string(), 16)],
    });
    client
        .post("/crm/v3/objects/tickets", body)
        .await
        .expect(201)
        .id()
}

fn mails(client: &Client) -> Vec<String> {
    client
        .simulator
        .outbox()
        .all()
        .into_iter()
        .map(|mail| mail.to)
        .collect()
}

fn ran(client: &Client) -> Vec<String> {
    client
        .simulator
        .automation_log()
        .all()
        .into_iter()
        .map(|run| run.kind)
        .collect()
}

#[tokio::test]
async fn a_ticket_in_the_live_pipeline_mails_the_customer_and_one_in_a_pipeline_of_its_own_does_not()
 {
    let client = Client::new();
    assert!(mails(&client).is_empty());
    let id = with_contact(&client, json!({"subject": "S", "hs_pipeline_stage": "1"})).await;
    assert_eq!(mails(&client), ["old.customer@example.com"]);
    assert_eq!(ran(&client), ["workflow", "sla"]);
    let path = format!("/crm/v3/objects/tickets/{id}");
    client
        .patch(&path, json!({"properties": {"hs_pipeline_stage": "4"}}))
        .await
        .expect(200);
    assert_eq!(mails(&client).len(), 2);
    let pipeline = json!({"label": "Import", "displayOrder": 9, "stages": [{"label": "Open", "displayOrder": 0}]});
    let pipeline = client
        .post("/crm/v3/pipelines/tickets", pipeline)
        .await
        .expect(201);
    let stage = pipeline.text("/stages/0/id");
    with_contact(
        &client,
        json!({"subject": "S", "hs_pipeline": pipeline.id(), "hs_pipeline_stage": stage}),
    )
    .await;
    assert_eq!((mails(&client).len(), ran(&client).len()), (2, 3));
}

#[tokio::test]
async fn an_owner_is_told_of_a_ticket_in_any_pipeline() {
    let client = Client::new();
    let owner = client
        .get("/crm/v3/owners?email=agent1@acme.example")
        .await
        .text("/results/0/id");
    let pipeline = json!({"label": "Import", "displayOrder": 9, "stages": [{"label": "Open", "displayOrder": 0}]});
    let pipeline = client
        .post("/crm/v3/pipelines/tickets", pipeline)
        .await
        .expect(201);
    let ticket = json!({
        "subject": "S", "hs_pipeline": pipeline.id(), "hs_pipeline_stage": pipeline.text("/stages/0/id"),
        "hubspot_owner_id": owner,
    });
    let id = client.make("tickets", ticket).await;
    assert_eq!(mails(&client), ["agent1@acme.example"]);
    let read = client
        .read("tickets", &id, "hubspot_owner_assigneddate")
        .await;
    assert!(read["hubspot_owner_assigneddate"].is_string());
}

#[tokio::test]
async fn a_contact_gets_a_company_by_its_domain_that_nobody_asked_for() {
    let client = Client::empty();
    let id = client
        .make("contacts", json!({"email": "ana@shop.example"}))
        .await;
    client
        .make("contacts", json!({"email": "ben@gmail.com"}))
        .await;
    assert!(
        client
            .simulator
            .snapshot()
            .live(TypeId::COMPANY)
            .next()
            .is_none()
    );
    client.wait(10);
    let list = client
        .get("/crm/v3/objects/companies?properties=domain,hs_object_source")
        .await
        .expect(200);
    assert_eq!(list.list("/results").len(), 1);
    assert_eq!(list.text("/results/0/properties/domain"), "shop.example");
    assert_ne!(
        list.text("/results/0/properties/hs_object_source"),
        "INTEGRATION"
    );
    let links = client
        .get(&format!(
            "/crm/v4/objects/contacts/{id}/associations/companies"
        ))
        .await;
    assert_eq!(links.list("/results/0/associationTypes").len(), 2);
    client
        .make("contacts", json!({"email": "cleo@shop.example"}))
        .await;
    client.wait(10);
    assert_eq!(client.simulator.snapshot().live(TypeId::COMPANY).count(), 1);
    assert_eq!(ran(&client), ["setting", "setting"]);
}

#[tokio::test]
async fn a_contact_that_has_a_company_in_time_gets_none_by_its_domain() {
    let client = Client::empty();
    let contact = client
        .make("contacts", json!({"email": "ana@shop.example"}))
        .await;
    let company = client.make("companies", json!({"name": "Shop"})).await;
    let path =
        format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}");
    client.call("PUT", &path, Value::Null).await.expect(200);
    client.wait(60);
    assert_eq!(client.simulator.snapshot().live(TypeId::COMPANY).count(), 1);
    client
        .simulator
        .set_up(|config| config.auto_companies = false);
    client
        .make("contacts", json!({"email": "ben@other.example"}))
        .await;
    client.wait(60);
    assert_eq!(client.simulator.snapshot().live(TypeId::COMPANY).count(), 1);
}

#[tokio::test]
async fn a_logged_email_of_a_customer_runs_the_live_pipeline_or_moves_any_ticket() {
    let email = |ticket: &str| {
        json!({
            "properties": {"hs_timestamp": "0", "hs_email_direction": "INCOMING_EMAIL"},
            "associations": [to(ticket, 224)],
        })
    };
    let client = Client::new();
    let ticket = with_contact(&client, json!({"subject": "S", "hs_pipeline_stage": "4"})).await;
    client.simulator.automation_log().clear();
    client
        .post("/crm/v3/objects/emails", email(&ticket))
        .await
        .expect(201);
    assert_eq!(ran(&client), ["pipeline"]);
    assert_eq!(
        client.read("tickets", &ticket, "hs_pipeline_stage").await["hs_pipeline_stage"],
        "4"
    );
    client
        .simulator
        .set_switches(|s| s.incoming_email_moves_ticket = true);
    client
        .post("/crm/v3/objects/emails", email(&ticket))
        .await
        .expect(201);
    assert_eq!(
        client.read("tickets", &ticket, "hs_pipeline_stage").await["hs_pipeline_stage"],
        "2"
    );
}
