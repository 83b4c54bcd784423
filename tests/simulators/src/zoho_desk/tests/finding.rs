//! Search and lists.

use serde_json::{Value, json};

use super::Client;

#[tokio::test]
async fn a_search_finds_what_is_new_only_after_a_while_but_lists_do_at_once() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client
        .ticket(&contact, json!({"cf": {"cf_contact_reason": "k:conv:1"}}))
        .await;
    let search = || client.get("tickets/search?customField1=cf_contact_reason:k:conv:1");
    search().await.nothing();
    let listed = client
        .get(&format!(
            "contacts/{contact}/tickets?sortBy=-createdTime&limit=1"
        ))
        .await
        .expect(200);
    assert_eq!(
        (listed.ids(), listed.at("/data/0/cf/cf_contact_reason")),
        (vec![id.as_str()], &json!("k:conv:1"))
    );
    client.wait(119);
    search().await.nothing();
    client.wait(1);
    assert_eq!(search().await.expect(200).ids(), [&id]);
}

#[tokio::test]
async fn a_changed_record_is_found_by_its_old_values_until_the_index_follows() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let path = format!("contacts/{contact}");
    client
        .patch(&path, json!({"email": "new.address@example.com"}))
        .await
        .expect(200);
    let find = |email: &str| client.get(format!("contacts/search?email={email}"));
    assert_eq!(
        find("old.customer@example.com").await.expect(200).ids(),
        [&contact]
    );
    find("new.address@example.com").await.nothing();
    client.wait(120);
    find("old.customer@example.com").await.nothing();
    assert_eq!(
        find("new.address@example.com").await.expect(200).ids(),
        [&contact]
    );
}

#[tokio::test]
async fn parameters_are_all_and_commas_are_any() {
    let client = Client::switched(|switches| switches.search_lag = chrono::Duration::zero());
    let contact = client.contact("ana@example.com").await;
    let ids = [
        client
            .ticket(
                &contact,
                json!({"priority": "Low", "subject": "Parcel is late"}),
            )
            .await,
        client
            .ticket(
                &contact,
                json!({"priority": "High", "subject": "Parcel is lost"}),
            )
            .await,
        client.ticket(&contact, json!({"status": "Closed"})).await,
    ];
    let find = |query: String| {
        let client = &client;
        async move {
            let reply = client
                .get(&format!("tickets/search?contactId={query}"))
                .await;
            reply
                .ids()
                .iter()
                .map(|id| (*id).to_owned())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(
        find(format!("{contact}&priority=Low")).await,
        [ids[0].clone()]
    );
    assert_eq!(
        find(format!("{contact}&priority=Low,High&sortBy=createdTime")).await,
        ids[..2]
    );
    assert_eq!(
        find(format!("{contact}&status=$%7BCLOSED%7D")).await,
        [ids[2].clone()]
    );
    assert_eq!(find(format!("{contact}&subject=parcel")).await.len(), 2);
    assert_eq!(
        find(format!("{contact}&priority=$%7Bempty%7D")).await,
        [ids[2].clone()]
    );
    client
        .get("tickets/search?_all=parcel&priority=Low")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .get("tickets/search?_all=pa")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    assert_eq!(
        client
            .get("tickets/search?_all=Parcel")
            .await
            .expect(200)
            .data()
            .len(),
        2
    );
    client
        .get("tickets/search?customField1=cf_nothing:1")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
}

#[tokio::test]
async fn a_search_reaches_no_deeper_than_its_window() {
    let client = Client::new();
    client
        .get("tickets/search?from=1000")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .get("tickets/search?from=999&limit=100")
        .await
        .nothing();
    client
        .get("tickets/search?limit=101")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    let range = "createdTimeRange=2023-01-01T00:00:00.000Z,2024-12-31T00:00:00.000Z";
    assert_eq!(
        client
            .get(&format!("tickets/search?{range}"))
            .await
            .expect(200)
            .data()
            .len(),
        3
    );
    client
        .get("tickets/search?createdTimeRange=2023")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
}

#[tokio::test]
async fn tickets_are_listed_newest_first_by_department_status_and_assignee() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let agent = client.agent("agent1@acme.example");
    let id = client.ticket(&contact, json!({"assigneeId": agent})).await;
    let all = client.get("tickets").await.expect(200);
    assert_eq!((all.data().len(), all.ids()[0]), (4, id.as_str()));
    assert_eq!(all.at("/data/0/description"), &Value::Null);
    assert_eq!(
        client.get(&format!("tickets?assignee={agent}")).await.ids(),
        [&id]
    );
    assert_eq!(client.get("tickets?status=Closed").await.data().len(), 2);
    let other = client
        .simulator
        .snapshot()
        .department("Returns Desk")
        .unwrap()
        .id;
    client
        .get(&format!("tickets?departmentId={other}"))
        .await
        .nothing();
    let shown = client
        .get(&format!(
            "tickets/{id}?include=contacts,assignee,departments"
        ))
        .await
        .expect(200);
    assert_eq!(shown.at("/contact/email"), "old.customer@example.com");
    assert_eq!(shown.at("/assignee/email"), "agent1@acme.example");
    assert_eq!(shown.at("/department/name"), "Acme");
}
