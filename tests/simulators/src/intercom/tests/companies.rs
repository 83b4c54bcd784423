//! Companies (Intercom facts §7).

use serde_json::{Value, json};

use super::Client;

async fn company(client: &Client, key: &str) -> String {
    client
        .post("companies", json!({"company_id": key, "name": key}))
        .await
        .expect(200)
        .id()
}

#[tokio::test]
async fn making_and_changing_look_the_same() {
    let client = Client::quiet();
    let body = json!({"company_id": "o1", "name": "Acme", "remote_created_at": 1_374_138_000, "monthly_spend": 155.9});
    let made = client.post("companies", body).await.expect(200);
    assert_eq!(made.at("/monthly_spend"), 155);
    let changed = client
        .post("companies", json!({"company_id": "o1", "plan": "Pro"}))
        .await
        .expect(200);
    assert_eq!(
        (made.id(), changed.at("/plan/name")),
        (changed.id(), &json!("Pro"))
    );
    assert_eq!(changed.at("/remote_created_at"), 1_374_138_000);
    let body = json!({"company_id": "o2", "monthly_spend": 3_000_000_000_u64});
    client
        .post("companies", body)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_company_without_contacts_is_found_by_its_key_but_not_listed() {
    let client = Client::quiet();
    let id = company(&client, "o1").await;
    assert_eq!(
        client.get("companies?company_id=o1").await.expect(200).id(),
        id
    );
    assert_eq!(
        client
            .post("companies/list", Value::Null)
            .await
            .expect(200)
            .at("/total_count"),
        0
    );
    let contact = client.contact("k1").await;
    client
        .post(&format!("contacts/{contact}/companies"), json!({"id": id}))
        .await
        .expect(200);
    assert_eq!(
        client
            .post("companies/list", Value::Null)
            .await
            .expect(200)
            .at("/total_count"),
        1
    );
    client
        .simulator
        .set_switches(|s| s.company_lookup_listed = true);
    assert_eq!(
        client
            .get("companies?company_id=o1")
            .await
            .expect(200)
            .at("/data/0/id"),
        &json!(id)
    );
    client
        .get("companies?company_id=o2")
        .await
        .refused(404, "company_not_found");
}

#[tokio::test]
async fn a_contact_is_attached_by_intercoms_id_and_to_so_many_companies_only() {
    let client = Client::switched(|s| s.companies_of_contact = 1);
    let (first, second) = (company(&client, "o1").await, company(&client, "o2").await);
    let contact = client.contact("k1").await;
    let path = format!("contacts/{contact}/companies");
    client
        .post(&path, json!({"id": "o1"}))
        .await
        .refused(404, "company_not_found");
    client
        .post(&path, json!({}))
        .await
        .refused(400, "parameter_not_found");
    client.post(&path, json!({"id": first})).await.expect(200);
    client
        .post(&path, json!({"id": second}))
        .await
        .refused(400, "contact_company_limit_exceeded");
    assert_eq!(client.get(&path).await.expect(200).at("/total_count"), 1);
    client.delete(&format!("{path}/{first}")).await.expect(200);
    client
        .delete(&format!("{path}/{first}"))
        .await
        .refused(404, "company_not_found");
}

#[tokio::test]
async fn a_deletion_archives_some_time_later_and_the_key_brings_the_company_back() {
    let client = Client::quiet();
    let id = company(&client, "o1").await;
    let contact = client.contact("k1").await;
    client
        .post(&format!("contacts/{contact}/companies"), json!({"id": id}))
        .await
        .expect(200);
    let deleted = client.delete(&format!("companies/{id}")).await.expect(200);
    assert_eq!(
        deleted.json,
        json!({"id": id, "object": "company", "deleted": true})
    );
    client.get(&format!("companies/{id}")).await.expect(200);
    client.wait(5);
    client
        .get(&format!("companies/{id}"))
        .await
        .refused(404, "company_not_found");
    let shown = client.get(&format!("contacts/{contact}")).await.expect(200);
    assert_eq!(shown.at("/companies/total_count"), 0);
    assert_eq!(company(&client, "o1").await, id);
    client.delete(&format!("companies/{id}")).await.expect(200);
    client.wait(5);
    client.simulator.set_switches(|s| s.company_revived = false);
    assert_ne!(company(&client, "o1").await, id);
}

#[tokio::test]
async fn one_scroll_is_open_at_a_time_and_ends_after_a_minute_or_at_the_end() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = company(&client, "o1").await;
    client
        .post(&format!("contacts/{contact}/companies"), json!({"id": id}))
        .await
        .expect(200);
    let first = client.get("companies/scroll").await.expect(200);
    assert_eq!(
        (first.list("/data").len(), first.at("/pages")),
        (1, &Value::Null)
    );
    client
        .get("companies/scroll")
        .await
        .refused(400, "scroll_exists");
    let param = first.text("/scroll_param");
    let last = client
        .get(&format!("companies/scroll?scroll_param={param}"))
        .await
        .expect(200);
    assert!(last.list("/data").is_empty());
    client.get("companies/scroll").await.expect(200);
    client.wait(61);
    client
        .get(&format!("companies/scroll?scroll_param={param}"))
        .await
        .refused(404, "not_found");
    client.get("companies/scroll").await.expect(200);
}

#[tokio::test]
async fn a_company_list_stops_and_its_pages_are_numbered() {
    let client = Client::switched(|s| s.company_list_cap = 3);
    let contact = client.contact("k1").await;
    for number in 0..4 {
        let id = company(&client, &format!("o{number}")).await;
        client
            .post(&format!("contacts/{contact}/companies"), json!({"id": id}))
            .await
            .expect(200);
    }
    let page = client
        .post("companies/list?per_page=2", Value::Null)
        .await
        .expect(200);
    assert_eq!(page.at("/total_count"), 3);
    assert_eq!(
        page.at("/pages/next"),
        "https://api.intercom.io/companies/list?per_page=2&page=2"
    );
    let page = client
        .post("companies/list?per_page=2&page=2", Value::Null)
        .await
        .expect(200);
    assert_eq!(
        (page.list("/data").len(), page.at("/pages/next")),
        (1, &Value::Null)
    );
}
