//! Queries and their pages.

use serde_json::json;

use super::Client;

#[tokio::test]
async fn a_query_filters_orders_and_follows_parents() {
    let client = Client::new();
    let rows = client
        .query(
            "SELECT Id, Subject, Contact.Account.Name, Owner.Name, Owner.Type FROM Case \
             WHERE (Status = 'closed' OR Status LIKE 'N_w') AND Subject != null AND CreatedDate <= TODAY ORDER BY Subject DESC LIMIT 2",
        )
        .await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["Subject"], "An old question, number 3");
    assert_eq!(rows[0]["Contact"]["Account"]["Name"], "Old Partner");
    assert_eq!(
        (&rows[0]["Owner"]["Name"], &rows[0]["Owner"]["Type"]),
        (&json!("Account Admin"), &json!("User"))
    );
    assert_eq!(rows[0]["attributes"]["type"], "Case");
    let in_list = client
        .query("SELECT Id FROM Contact WHERE Email IN ('OLD.customer@example.com', 'x@y.example')")
        .await;
    assert_eq!(in_list.len(), 1);
    let joined = client
        .query("SELECT Id FROM Case WHERE ContactId IN (SELECT Id FROM Contact WHERE LastName = 'Customer')")
        .await;
    assert_eq!(joined.len(), 3);
    let children = client
        .query(
            "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Old Partner'",
        )
        .await;
    assert_eq!(children[0]["Contacts"]["totalSize"], 2);
    let grouped = client
        .query("SELECT Status, COUNT(Id) n FROM Case GROUP BY Status")
        .await;
    assert_eq!(
        grouped
            .iter()
            .map(|row| row["n"].as_u64().unwrap())
            .sum::<u64>(),
        3
    );
    let counted = client
        .get("query?q=SELECT+COUNT()+FROM+Case")
        .await
        .expect(200);
    assert_eq!(
        (counted.at("/totalSize"), counted.at("/records")),
        (&json!(3), &json!([]))
    );
}

#[tokio::test]
async fn what_a_query_may_not_ask_is_refused() {
    let client = Client::new();
    for (text, code) in [
        ("SELECT Nothing FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing__c", "INVALID_TYPE"),
        (
            "SELECT Id FROM Case WHERE Description = 'x'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Case WHERE CreatedDate > '2024-01-01T00:00:00Z'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Case WHERE IsClosed = 'true'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Case WHERE ContactId = 'me'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        ("SELECT Id FROM Case ORDER BY Description", "INVALID_FIELD"),
        ("SELECT FIELDS(ALL) FROM Case", "MALFORMED_QUERY"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
    ] {
        assert_eq!(client.refused_query(text).await, code, "{text}");
    }
    assert_eq!(
        client
            .query("SELECT FIELDS(ALL) FROM Case LIMIT 2")
            .await
            .len(),
        2
    );
    assert_eq!(
        client
            .query("SELECT Id FROM CaseComment WHERE CommentBody LIKE 'Where%'")
            .await
            .len(),
        3
    );
}

#[tokio::test]
async fn a_long_result_comes_in_pages_whose_locator_ends() {
    let client = Client::empty();
    for part in 0..3 {
        let records: Vec<_> = (0..200)
            .map(|n| json!({"attributes": {"type": "Account"}, "Name": format!("{part}-{n}"), "Description": "long"}))
            .collect();
        client
            .post("composite/sobjects", json!({"records": records}))
            .await
            .expect(200);
    }
    let all = client
        .get("query?q=SELECT+Id+FROM+Account")
        .await
        .expect(200);
    assert_eq!(
        (all.at("/totalSize"), all.at("/done")),
        (&json!(600), &json!(true))
    );
    let header = [("sforce-query-options", "batchSize=200")];
    let mut page = client
        .call_with(
            "GET",
            "query?q=SELECT+Id+FROM+Account",
            &header,
            json!(null),
        )
        .await
        .expect(200);
    let mut seen = 0;
    while page.at("/done") == false {
        seen += page.at("/records").as_array().unwrap().len();
        page = client.get(&page.text("/nextRecordsUrl")).await.expect(200);
    }
    assert_eq!(seen + page.at("/records").as_array().unwrap().len(), 600);
    // Long texts make pages shorter than asked for.
    let short = client
        .get("query?q=SELECT+Id,Description+FROM+Account")
        .await
        .expect(200);
    assert_eq!(short.at("/records").as_array().unwrap().len(), 250);
    client.wait(16 * 60);
    assert_eq!(
        client
            .get(&short.text("/nextRecordsUrl"))
            .await
            .expect(400)
            .code(),
        "INVALID_QUERY_LOCATOR"
    );
}
