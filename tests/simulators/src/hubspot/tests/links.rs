//! Associations.

use super::*;

async fn pair(client: &Client) -> (String, String) {
    let contact = client.make("contacts", json!({"firstname": "A"})).await;
    (contact, client.ticket("S").await)
}

#[tokio::test]
async fn a_link_is_seen_from_both_ends_with_the_number_of_each_direction() {
    let client = Client::empty();
    let (contact, ticket) = pair(&client).await;
    let path = format!("/crm/v4/objects/tickets/{ticket}/associations/contacts/{contact}");
    client
        .call("PUT", &path, types("HUBSPOT_DEFINED", 15))
        .await
        .expect(400);
    let made = client
        .call("PUT", &path, types("HUBSPOT_DEFINED", 16))
        .await
        .expect(201);
    assert_eq!(*made.at("/labels"), json!([]));
    let there = client
        .get(&format!(
            "/crm/v4/objects/tickets/{ticket}/associations/contacts"
        ))
        .await
        .expect(200);
    assert_eq!(*there.at("/results/0/associationTypes/0/typeId"), 16);
    // Numbers in lists, texts in batches.
    assert_eq!(there.at("/results/0/toObjectId").to_string(), contact);
    let back = client
        .post(
            "/crm/v4/associations/contacts/tickets/batch/read",
            json!({"inputs": [{"id": contact}]}),
        )
        .await
        .expect(200);
    assert_eq!(*back.at("/results/0/to/0/associationTypes/0/typeId"), 15);
    assert_eq!(back.text("/results/0/to/0/toObjectId"), ticket);
    client.delete(&path).await.expect(204);
    let gone = client
        .post(
            "/crm/v4/associations/contacts/tickets/batch/read",
            json!({"inputs": [{"id": contact}]}),
        )
        .await
        .expect(207);
    assert_eq!(gone.text("/errors/0/context/fromObjectId/0"), contact);
}

#[tokio::test]
async fn a_primary_company_implies_the_plain_link_and_there_is_one() {
    let client = Client::empty();
    let contact = client.make("contacts", json!({"firstname": "A"})).await;
    let mut companies = vec![];
    for name in ["C", "D"] {
        let company = client.make("companies", json!({"name": name})).await;
        let path = format!("/crm/v4/objects/contacts/{contact}/associations/companies/{company}");
        client
            .call("PUT", &path, types("HUBSPOT_DEFINED", 1))
            .await
            .expect(201);
        companies.push(company);
    }
    let links = client
        .get(&format!(
            "/crm/v4/objects/contacts/{contact}/associations/companies"
        ))
        .await;
    let numbers = |at: usize| -> Vec<u64> {
        links
            .list(&format!("/results/{at}/associationTypes"))
            .iter()
            .map(|t| t["typeId"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((numbers(0), numbers(1)), (vec![279], vec![1, 279]));
}

#[tokio::test]
async fn labels_are_replaced_and_without_the_plain_link_there_is_none() {
    let client = Client::empty();
    let (contact, ticket) = pair(&client).await;
    let mut numbers = vec![];
    for name in ["payer", "reader"] {
        let body = json!({"label": name, "inverseLabel": format!("{name} of"), "name": name});
        let made = client
            .post("/crm/v4/associations/contacts/tickets/labels", body)
            .await
            .expect(200);
        let results = made.list("/results");
        assert_eq!(
            (results.len(), &results[0]["category"]),
            (2, &json!("USER_DEFINED"))
        );
        numbers.push(results[0]["typeId"].as_u64().unwrap());
    }
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/tickets/{ticket}");
    for number in &numbers {
        client
            .call("PUT", &path, types("USER_DEFINED", *number))
            .await
            .expect(201);
    }
    let labels = async || {
        let read = client
            .get(&format!(
                "/crm/v4/objects/tickets/{ticket}/associations/contacts"
            ))
            .await
            .expect(200);
        let results = read.list("/results");
        let types = results
            .first()
            .map(|r| r["associationTypes"].as_array().unwrap().clone());
        types
            .unwrap_or_default()
            .iter()
            .map(|t| t["label"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(labels().await, [Value::Null, json!("reader of")]);
    let end = |number: u64, category: &str| {
        let types = types(category, number);
        json!({"inputs": [{"from": {"id": contact}, "to": {"id": ticket}, "types": types}]})
    };
    let path = "/crm/v4/associations/contacts/tickets/batch/labels/archive";
    client
        .post(path, end(numbers[1], "USER_DEFINED"))
        .await
        .expect(204);
    assert_eq!(labels().await, [Value::Null]);
    client
        .post(path, end(15, "HUBSPOT_DEFINED"))
        .await
        .expect(204);
    assert!(labels().await.is_empty());
    let listed = client
        .get("/crm/associations/v4/contacts/tickets/labels")
        .await
        .expect(200);
    assert_eq!(listed.list("/results").len(), 3);
    client
        .delete(&format!(
            "/crm/associations/2026-09/contacts/tickets/labels/{}",
            numbers[0]
        ))
        .await
        .expect(204);
    let listed = client
        .get("/crm/associations/2026-03/contacts/tickets/labels")
        .await
        .expect(200);
    assert_eq!(listed.list("/results").len(), 2);
}

#[tokio::test]
async fn a_batch_of_links_is_idempotent_succeeds_in_part_and_has_two_sets_of_codes() {
    let client = Client::empty();
    let (contact, ticket) = pair(&client).await;
    let input = |id: &str| json!({"from": {"id": ticket}, "to": {"id": id}, "types": types("HUBSPOT_DEFINED", 16)});
    let all = json!({"inputs": [input(&contact), input("5")]});
    let part = client
        .post("/crm/v4/associations/tickets/contacts/batch/create", all)
        .await
        .expect(207);
    assert_eq!(
        (part.list("/results").len(), part.list("/errors").len()),
        (1, 1)
    );
    let lame = json!({"inputs": [{"to": {"id": contact}, "types": types("HUBSPOT_DEFINED", 16)}]});
    let path = "/crm/v4/associations/tickets/contacts/batch/create";
    client.post(path, lame).await.expect(400);
    let one = json!({"inputs": [input(&contact)]});
    for (path, status) in [
        ("/crm/v4/associations/0-5/0-1/batch/create", 201),
        (
            "/crm/associations/2026-03/tickets/contacts/batch/create",
            200,
        ),
        (
            "/crm/associations/2026-09/tickets/contacts/batch/create",
            200,
        ),
    ] {
        client.post(path, one.clone()).await.expect(status);
    }
    client
        .simulator
        .set_switches(|s| s.new_codes_in_2026_03 = false);
    client
        .post(
            "/crm/associations/2026-03/tickets/contacts/batch/create",
            one,
        )
        .await
        .expect(201);
    let plain = json!({"inputs": [{"from": {"id": ticket}, "to": {"id": contact}}]});
    client
        .post(
            "/crm/v4/associations/tickets/contacts/batch/associate/default",
            plain,
        )
        .await
        .expect(200);
    let read = client
        .get(&format!(
            "/crm/v4/objects/tickets/{ticket}/associations/contacts"
        ))
        .await;
    assert_eq!(read.list("/results").len(), 1);
    // The newest version has no list.
    client
        .get(&format!(
            "/crm/objects/2026-03/tickets/{ticket}/associations/contacts"
        ))
        .await
        .expect(200);
    client
        .get(&format!(
            "/crm/objects/2026-09/tickets/{ticket}/associations/contacts"
        ))
        .await
        .expect(404);
    let end = json!({"inputs": [{"from": {"id": ticket}, "to": [{"id": contact}]}]});
    client
        .post(
            "/crm/v4/associations/tickets/contacts/batch/archive",
            end.clone(),
        )
        .await
        .expect(204);
    let ended = client
        .post(
            "/crm/associations/2026-09/tickets/contacts/batch/archive",
            end,
        )
        .await
        .expect(200);
    assert_eq!(ended.text("/status"), "COMPLETE");
}

#[tokio::test]
async fn links_to_archived_records_are_not_shown_and_those_of_deleted_emails_are_gone() {
    let client = Client::empty();
    let (contact, ticket) = pair(&client).await;
    let path = format!("/crm/v4/objects/tickets/{ticket}/associations/default/contacts/{contact}");
    client.call("PUT", &path, Value::Null).await.expect(200);
    let email = client
        .make(
            "emails",
            json!({"hs_timestamp": "0", "hs_email_direction": "EMAIL"}),
        )
        .await;
    let path = format!("/crm/v4/objects/tickets/{ticket}/associations/default/emails/{email}");
    client.call("PUT", &path, Value::Null).await.expect(200);
    let count = async |to: &str| {
        let path = format!("/crm/v4/objects/tickets/{ticket}/associations/{to}");
        client.get(&path).await.expect(200).list("/results").len()
    };
    assert_eq!((count("contacts").await, count("emails").await), (1, 1));
    client
        .delete(&format!("/crm/v3/objects/contacts/{contact}"))
        .await
        .expect(204);
    client
        .delete(&format!("/crm/v3/objects/emails/{email}"))
        .await
        .expect(204);
    assert_eq!((count("contacts").await, count("emails").await), (0, 0));
    // A ticket's activities outlive it.
    let note = json!({"hs_timestamp": "0", "hs_note_body": "B"});
    let note = client.make("notes", note).await;
    client
        .delete(&format!("/crm/v3/objects/tickets/{ticket}"))
        .await
        .expect(204);
    client
        .get(&format!("/crm/v3/objects/notes/{note}"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_record_has_no_more_links_than_it_may() {
    let client = Client::switched(|s| s.links_per_record = 1);
    let (contact, ticket) = pair(&client).await;
    let other = client.make("contacts", json!({"firstname": "B"})).await;
    let plain = |id: &str| json!({"inputs": [{"from": {"id": ticket}, "to": {"id": id}}]});
    let path = "/crm/v4/associations/tickets/contacts/batch/associate/default";
    client.post(path, plain(&contact)).await.expect(200);
    client.post(path, plain(&contact)).await.expect(200);
    let refused = client.post(path, plain(&other)).await.expect(207);
    assert_eq!(
        refused.text("/errors/0/subCategory"),
        "ASSOCIATION_LIMIT_EXCEEDED"
    );
}

#[tokio::test]
async fn a_thread_of_three_thousand_emails_is_written_and_read_quickly() {
    let client = Client::empty();
    let ticket = client.ticket("S").await;
    let begin = std::time::Instant::now();
    for batch in 0..30 {
        let inputs: Vec<Value> = (0..100)
            .map(|n| {
                let at = 1_700_000_000_000_u64 + (batch * 100 + n) * 1_000;
                json!({
                    "properties": {"hs_timestamp": at.to_string(), "hs_email_direction": "EMAIL", "hs_email_text": "x"},
                    "associations": [{"to": {"id": ticket}, "types": types("HUBSPOT_DEFINED", 224)}],
                })
            })
            .collect();
        client
            .batch("emails", "create", json!(inputs))
            .await
            .expect(201);
    }
    let (mut seen, mut after) = (0, Value::Null);
    loop {
        let body = json!({"inputs": [{"id": ticket, "after": after}]});
        let body = if after.is_null() {
            json!({"inputs": [{"id": ticket}]})
        } else {
            body
        };
        let page = client
            .post("/crm/v4/associations/tickets/emails/batch/read", body)
            .await
            .expect(200);
        seen += page.list("/results/0/to").len();
        after = page.at("/results/0/paging/next/after").clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen, 3_000);
    // With the ticket itself only the first five hundred are shown.
    let inline = client
        .get(&format!(
            "/crm/v3/objects/tickets/{ticket}?associations=emails"
        ))
        .await
        .expect(200);
    assert_eq!(inline.list("/associations/emails/results").len(), 500);
    assert!(
        inline
            .at("/associations/emails/paging/next/after")
            .is_string()
    );
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
