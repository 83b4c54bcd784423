//! Contacts, accounts, agents, departments, teams.

use serde_json::{Value, json};

use super::super::{DuplicateEmail, Edition};
use super::Client;

#[tokio::test]
async fn a_contact_is_made_read_and_changed() {
    let client = Client::new();
    let body = json!({
        "lastName": "Ruiz", "firstName": "Ana", "email": "ana@example.com", "phone": "+34 1", "zip": "28001",
        "cf": {"cf_loyalty_tier": "gold"},
    });
    let made = client.post("contacts", body).await.expect(200);
    assert_eq!(made.at("/customFields/Loyalty tier"), "gold");
    let path = format!("contacts/{}", made.id());
    client.wait(60);
    let body = json!({"firstName": null, "cf": {"cf_loyalty_tier": null}, "city": "Madrid"});
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(
        (changed.at("/firstName"), changed.at("/city")),
        (&Value::Null, &json!("Madrid"))
    );
    assert_eq!(changed.at("/cf/cf_loyalty_tier"), &Value::Null);
    assert_ne!(changed.at("/modifiedTime"), changed.at("/createdTime"));
    assert_eq!(client.get(&path).await.json, changed.json);
}

#[tokio::test]
async fn what_does_not_fit_a_contact_is_pointed_at() {
    let client = Client::new();
    let post = |body: Value| client.post("contacts", body);
    post(json!({"email": "a@example.com"}))
        .await
        .wrong("/lastName", "missing");
    post(json!({"lastName": "x".repeat(201)}))
        .await
        .wrong("/lastName", "invalid");
    post(json!({"lastName": "x", "city": "x".repeat(31)}))
        .await
        .wrong("/city", "invalid");
    post(json!({"lastName": "x", "zip": "SW1A 1AA"}))
        .await
        .wrong("/zip", "invalid");
    post(json!({"lastName": "x", "accountId": "400000000000999999"}))
        .await
        .wrong("/accountId", "invalid");
    post(json!({"lastName": "x", "cf": {"cf_nothing": "1"}}))
        .await
        .wrong("/cf/cf_nothing", "invalid");
    post(json!({"lastName": "x", "email": "no address"}))
        .await
        .wrong("/email", "invalid");
    client
        .simulator
        .set_switches(|switches| switches.zip_digits_only = false);
    post(json!({"lastName": "x", "zip": "SW1A 1AA"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_second_contact_of_one_address_is_refused_or_made_or_matched() {
    let client = Client::new();
    let first = client.contact("ana@example.com").await;
    let body = json!({"lastName": "Other", "email": "ANA@example.com"});
    client
        .post("contacts", body.clone())
        .await
        .wrong("/email", "duplicate");
    client
        .simulator
        .set_switches(|switches| switches.duplicate_email = DuplicateEmail::Matched);
    assert_eq!(
        client.post("contacts", body.clone()).await.expect(200).id(),
        first
    );
    client
        .simulator
        .set_switches(|switches| switches.duplicate_email = DuplicateEmail::Second);
    assert_ne!(client.post("contacts", body).await.expect(200).id(), first);
}

#[tokio::test]
async fn an_empty_list_is_a_204_without_a_body() {
    let client = Client::empty();
    client.get("contacts").await.nothing();
    client.get("tickets").await.nothing();
    client
        .get("accounts/search?accountName=Acme")
        .await
        .nothing();
    client.get("recycleBin").await.nothing();
    let teams = client.get("teams").await.expect(200);
    assert_eq!(teams.json, json!({"teams": []}));
}

#[tokio::test]
async fn a_list_is_paged_by_from_and_ends_with_a_short_page() {
    let client = Client::empty();
    for n in 0..25 {
        client.contact(&format!("c{n}@example.com")).await;
        client.wait(1);
    }
    let first = client.get("contacts").await.expect(200);
    assert_eq!(first.data().len(), 10);
    let last = client.get("contacts?from=20&limit=10").await.expect(200);
    assert_eq!(last.data().len(), 5);
    client.get("contacts?from=25&limit=10").await.nothing();
    let newest = client
        .get("contacts?sortBy=-createdTime&limit=1")
        .await
        .expect(200);
    assert_eq!(newest.data()[0]["email"], "c24@example.com");
    client
        .simulator
        .set_switches(|switches| switches.from_one_based = true);
    let from_one = client.get("contacts?from=1&limit=10").await.expect(200);
    assert_eq!(from_one.ids(), first.ids());
}

#[tokio::test]
async fn a_contact_has_several_accounts() {
    let client = Client::new();
    let account = |name: &str| {
        let body = json!({"accountName": name});
        client.post("accounts", body)
    };
    let (one, two) = (
        account("One").await.expect(200).id(),
        account("Two").await.expect(200).id(),
    );
    let contact = client.contact("ana@example.com").await;
    let path = format!("contacts/{contact}/associateAccounts");
    let item = |id: &str| json!({"id": id, "isAccountTicketsViewable": true});
    let body = json!({"data": [item(&one), item(&two), item("400000000000999999")]});
    let reply = client.post(&path, body).await.expect(200);
    let results: Vec<&Value> = reply
        .at("/results")
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["success"])
        .collect();
    assert_eq!(results, [&json!(true), &json!(true), &Value::Null]);
    assert_eq!(reply.at("/results/2/errors/httpCode"), "404");
    let accounts = client
        .get(&format!("contacts/{contact}/accounts"))
        .await
        .expect(200);
    assert_eq!(accounts.ids(), [&one, &two]);
    assert_eq!(
        client
            .get(&format!("contacts/{contact}"))
            .await
            .text("/accountId"),
        one
    );
    let members = client
        .get(&format!("accounts/{two}/contacts"))
        .await
        .expect(200);
    assert_eq!(members.ids(), [&contact]);
    let body = json!({"ids": [one]});
    client
        .post(&format!("contacts/{contact}/dissociateAccounts"), body)
        .await
        .expect(200);
    assert_eq!(
        client
            .get(&format!("contacts/{contact}"))
            .await
            .text("/accountId"),
        two
    );
    client
        .post(&path, json!({"data": [{"id": one}]}))
        .await
        .wrong("/data/0/isAccountTicketsViewable", "missing");
}

#[tokio::test]
async fn merged_contacts_leave_their_tickets_to_one() {
    let client = Client::new();
    let (one, two) = (
        client.contact("a@example.com").await,
        client.contact("b@example.com").await,
    );
    let ticket = client.ticket(&two, json!({})).await;
    let body = json!({"ids": [two], "source": {"email": two}});
    let merged = client
        .post(&format!("contacts/{one}/merge"), body)
        .await
        .expect(200);
    assert_eq!(merged.at("/email"), "b@example.com");
    client
        .get(&format!("contacts/{two}"))
        .await
        .refused(404, "URL_NOT_FOUND");
    assert_eq!(
        client
            .get(&format!("tickets/{ticket}"))
            .await
            .text("/contactId"),
        one
    );
}

#[tokio::test]
async fn agents_are_found_by_address_and_disabled_ones_are_told_apart() {
    let client = Client::new();
    let find = |text: &str| client.get(format!("agents?searchStr={text}&fieldName=emailId"));
    let one = find("agent1@acme.example").await.expect(200);
    assert_eq!(one.data().len(), 1);
    assert_eq!(find("agent*").await.data().len(), 4);
    assert_eq!(find("*acme*").await.data().len(), 7);
    find("agent").await.nothing();
    let disabled = client.get("agents?status=DISABLED").await.expect(200);
    assert_eq!(disabled.data()[0]["emailId"], "former@acme.example");
    let ids = client
        .get(&format!("agentsByIds?agentIds={}", one.ids()[0]))
        .await
        .expect(200);
    assert_eq!(ids.ids(), one.ids());
    let many = vec!["400000000000000001"; 51].join(",");
    client
        .get(&format!("agentsByIds?agentIds={many}"))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
}

#[tokio::test]
async fn a_new_agent_is_mailed_and_takes_a_seat() {
    let client = Client::with(|config| config.seats = 7);
    let body = |email: &str| {
        json!({
            "emailId": email, "lastName": "New", "associatedDepartmentIds": [client.department()],
            "rolePermissionType": "AgentPublic",
        })
    };
    let made = client
        .post("agents", body("new@acme.example"))
        .await
        .expect(200);
    assert_eq!(
        (made.at("/isConfirmed"), client.sent("invitation")),
        (&json!(false), 1)
    );
    let refused = client
        .post("agents", body("newer@acme.example"))
        .await
        .refused(403, "LICENSE_ACCESS_LIMITED");
    assert_eq!(
        (refused.at("/feature"), refused.at("/maxAllowedEntity")),
        (&json!("AGENTS"), &json!("7"))
    );
    let confirmed = client.agent("agent1@acme.example");
    let delete = |id: &str| client.post("agents/deleteUnconfirmed", json!({"agentIds": [id]}));
    delete(&confirmed)
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    delete(&made.id()).await.nothing();
}

#[tokio::test]
async fn a_team_is_of_one_department_and_of_the_agents_in_it() {
    let client = Client::new();
    let department = client.department();
    let agent = client.agent("agent1@acme.example");
    let body = json!({"name": "Claims", "departmentId": department, "agents": [agent]});
    let team = client.post("teams", body.clone()).await.expect(200);
    assert_eq!(team.at("/derivedAgents"), &json!([agent]));
    client.post("teams", body).await.wrong("/name", "duplicate");
    let members = client
        .get(&format!("teams/{}/members", team.id()))
        .await
        .expect(200);
    assert_eq!(members.at("/members/0/id"), &json!(agent));
    let contact = client.known("old.customer@example.com");
    let ticket = client.ticket(&contact, json!({"teamId": team.id()})).await;
    let other = client
        .simulator
        .snapshot()
        .department("Returns Desk")
        .unwrap()
        .id
        .to_string();
    let elsewhere =
        json!({"subject": "x", "departmentId": other, "contactId": contact, "teamId": team.id()});
    client
        .post("tickets", elsewhere)
        .await
        .wrong("/teamId", "invalid");
    client
        .post(&format!("teams/{}/deleteTeam", team.id()), Value::Null)
        .await
        .nothing();
    assert_eq!(
        client.get(&format!("tickets/{ticket}")).await.at("/teamId"),
        &Value::Null
    );
    let small = Client::with(|config| config.edition = Edition::Standard);
    let refused = small
        .post("teams", json!({"name": "x"}))
        .await
        .refused(403, "LICENSE_ACCESS_LIMITED");
    assert_eq!(refused.at("/feature"), "TEAM");
}

#[tokio::test]
async fn a_department_is_made_and_disabled_but_never_deleted() {
    let client = Client::new();
    let agent = client.agent("agent1@acme.example");
    let body = json!({"name": "Claims", "associatedAgentIds": [agent]});
    let made = client.post("departments", body.clone()).await.expect(200);
    client
        .post("departments", body)
        .await
        .wrong("/name", "duplicate");
    let path = format!("departments/{}", made.id());
    client
        .delete(&path)
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
    let contact = client.known("old.customer@example.com");
    let ticket = |assignee: &str| {
        let body = json!({"subject": "x", "departmentId": made.id(), "contactId": contact, "assigneeId": assignee});
        client.post("tickets", body)
    };
    ticket(&agent).await.expect(200);
    let stranger = client.agent("agent2@acme.example");
    ticket(&stranger).await.wrong("/assigneeId", "invalid");
    client
        .post(&format!("{path}/disable"), Value::Null)
        .await
        .expect(200);
    ticket(&agent).await.refused(422, "INVALID_DATA");
    let enabled = client.get("departments?isEnabled=true").await.expect(200);
    assert_eq!(enabled.data().len(), 2);
}
