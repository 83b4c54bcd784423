use serde_json::json;

use super::Client;

fn query(text: &str) -> String {
    let encoded: String =
        url::form_urlencoded::byte_serialize(format!("\"{text}\"").as_bytes()).collect();
    format!("query={encoded}")
}

#[tokio::test]
async fn lists_have_pages_of_a_hundred_at_most_and_a_link_to_the_next() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    for _ in 0..5 {
        client.ticket(requester, json!({})).await;
    }
    let first = client
        .get("tickets?per_page=2&order_by=created_at&order_type=asc")
        .await
        .expect(200);
    let link = first.header("link").unwrap();
    let (address, rest) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(rest, "; rel=\"next\"");
    assert!(address.ends_with("page=2"), "{address}");
    let mut seen = first.ids();
    let mut next = Some(address.to_owned());
    while let Some(address) = next {
        let path = address
            .strip_prefix("https://acme.freshdesk.com")
            .unwrap()
            .to_owned();
        let page = client.get(&path).await.expect(200);
        seen.extend(page.ids());
        next = page
            .header("link")
            .map(|link| link[1..link.find('>').unwrap()].to_owned());
    }
    assert_eq!(seen.len(), 6, "five new ones and the one of five days ago");
    client
        .get("tickets?per_page=101")
        .await
        .refused(400, "per_page", "invalid_value");
    client
        .get("tickets?page=0")
        .await
        .refused(400, "page", "invalid_value");
    client
        .get("tickets?page=301")
        .await
        .refused(400, "page", "invalid_value");
    client
        .get("tickets?external_id=1")
        .await
        .refused(400, "external_id", "invalid_field");
    client
        .simulator
        .set_switches(|switches| switches.strict_query = false);
    client.get("tickets?external_id=1").await.expect(200);
}

#[tokio::test]
async fn the_list_of_tickets_goes_back_thirty_days_unless_a_time_is_given() {
    let client = Client::channel();
    let requester = client.known("old.customer@example.com");
    let old = json!({
        "import_id": 1, "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-02T00:00:00Z",
    });
    let id = client
        .post(
            "/api/channel/v2/tickets",
            Client::ticket_body(requester, old),
        )
        .await
        .id();
    assert!(!client.get("tickets").await.ids().contains(&id));
    assert!(
        !client
            .get(&format!("tickets?requester_id={requester}"))
            .await
            .ids()
            .contains(&id)
    );
    let since = "updated_since=2024-01-02T00:00:00Z";
    let all = client
        .get(&format!(
            "tickets?{since}&order_by=updated_at&order_type=asc"
        ))
        .await;
    assert_eq!(all.ids()[0], id);
    assert!(
        client
            .get(&format!("tickets?{since}&requester_id={requester}"))
            .await
            .ids()
            .contains(&id)
    );
    let listed = client
        .get(&format!("tickets?{since}&include=description,stats"))
        .await;
    assert!(
        listed
            .list()
            .iter()
            .all(|ticket| ticket["description"].is_string())
    );
    let plain = client.get(&format!("tickets?{since}")).await;
    assert!(
        plain
            .list()
            .iter()
            .all(|ticket| ticket.get("description").is_none())
    );
    // The archived one is in no list.
    assert!(!all.ids().contains(&4));
}

#[tokio::test]
async fn search_learns_late_and_shows_three_hundred_at_most() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let more = json!({"custom_fields": {"cf_order_number": "K-1"}, "tags": ["Imported"]});
    let id = client.ticket(requester, more).await;
    let by_field = format!("search/tickets?{}", query("cf_order_number:'K-1'"));
    assert_eq!(client.get(&by_field).await.expect(200).at("/total"), 0);
    client.wait(180);
    let found = client.get(&by_field).await.expect(200);
    assert_eq!(
        (found.at("/total"), found.at("/results/0/id")),
        (&json!(1), &json!(id))
    );
    for text in [
        "tag:'imported' AND created_at:>'2026-11-01'",
        "(status:2 OR status:3) AND tag:'imported'",
        "group_id:null AND tag:'imported' AND priority:>1",
    ] {
        let found = client
            .get(&format!("search/tickets?{}", query(text)))
            .await
            .expect(200);
        assert_eq!(found.at("/total"), 1, "{text}");
    }
    let none = query("tag:'imported' AND created_at:>'2026-11-24'");
    assert_eq!(
        client
            .get(&format!("search/tickets?{none}"))
            .await
            .at("/total"),
        0
    );
    // What is gone or changed by then is shown as it is.
    client
        .put(&format!("tickets/{id}"), json!({"subject": "Changed"}))
        .await
        .expect(200);
    assert_eq!(
        client.get(&by_field).await.at("/results/0/subject"),
        "Changed"
    );
    client.delete(&format!("tickets/{id}")).await.expect(204);
    assert_eq!(client.get(&by_field).await.at("/total"), 0);
    client
        .get(&format!("{by_field}&page=11"))
        .await
        .refused(400, "page", "invalid_value");
}

#[tokio::test]
async fn queries_are_checked() {
    let client = Client::new();
    let find = async |query: String| client.get(&format!("search/tickets?{query}")).await;
    find("query=tag:'a'".to_owned())
        .await
        .refused(400, "query", "invalid_value");
    find(query(&format!("tag:'{}'", "x".repeat(512))))
        .await
        .refused(400, "query", "too_long");
    find(query("subject:'a'"))
        .await
        .refused(400, "subject", "invalid_field");
    find(query("tag:a"))
        .await
        .refused(400, "query", "invalid_value");
    find(query("(tag:'a'"))
        .await
        .refused(400, "query", "invalid_value");
    find(query("created_at:>'2026-11-01T00:00:00Z'"))
        .await
        .refused(400, "query", "invalid_value");
    let old = find(query("tag:'old'")).await.expect(200);
    assert_eq!(old.at("/total"), 3, "the archived one is excluded");
}

#[tokio::test]
async fn contacts_and_companies_are_searched_too() {
    let client = Client::new();
    let contacts = client
        .get(&format!(
            "search/contacts?{}",
            query("email:'old.customer@example.com'")
        ))
        .await;
    assert_eq!(contacts.expect(200).at("/results/0/name"), "Old Customer");
    let companies = client
        .get(&format!(
            "search/companies?{}",
            query("domain:'partner.example'")
        ))
        .await;
    assert_eq!(companies.expect(200).at("/results/0/name"), "Old Partner");
    let found = client
        .get("contacts/autocomplete?term=sec")
        .await
        .expect(200);
    assert_eq!(found.at("/0/name"), "Second Customer");
    let found = client
        .get("agents/autocomplete?term=agent1")
        .await
        .expect(200);
    assert_eq!(found.list().len(), 1);
}
