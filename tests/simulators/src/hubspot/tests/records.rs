//! Records one by one: values, times, uniqueness, deletion.

use super::*;
use crate::hubspot::model::TypeId;
use crate::hubspot::{ArchivedOwner, TicketTimes};

fn code(reply: &Reply) -> String {
    reply.text("/errors/0/code")
}

#[tokio::test]
async fn a_record_is_answered_in_texts_and_read_with_what_is_asked_for() {
    let client = Client::empty();
    let made = client
        .try_make(
            "contacts",
            json!({"email": "Ana@Example.com", "firstname": "Ana"}),
        )
        .await
        .expect(201);
    assert_eq!(made.text("/properties/email"), "ana@example.com");
    assert_eq!(made.text("/properties/hs_object_id"), made.id());
    assert!(made.header("location").unwrap().ends_with(&made.id()));
    let usual = client
        .get(&format!("/crm/v3/objects/0-1/{}", made.id()))
        .await
        .expect(200);
    let names: Vec<&String> = usual
        .at("/properties")
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(names.len(), 6);
    assert!(usual.at("/properties/lastname").is_null());
    let read = client.read("contacts", &made.id(), "phone,nothing").await;
    assert!(read.get("phone").unwrap().is_null());
    assert!(read.get("nothing").is_none() && read.get("firstname").is_none());
    let by_email = client
        .get("/crm/objects/2026-09/contacts/ana@example.com?idProperty=email")
        .await
        .expect(200);
    assert_eq!(by_email.id(), made.id());
    let gone = client.get("/crm/v3/objects/contacts/1").await.expect(404);
    assert_eq!(gone.text("/category"), "OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn values_are_checked_by_the_type_of_their_property() {
    let client = Client::new();
    let cases = [
        ("tickets", "nothing", "x", "PROPERTY_DOESNT_EXIST"),
        ("tickets", "region", "east", "INVALID_OPTION"),
        ("tickets", "hs_ticket_priority", "high", "INVALID_OPTION"),
        ("tickets", "hs_lastmodifieddate", "0", "READ_ONLY_VALUE"),
        ("tickets", "createdate", "0", "READ_ONLY_VALUE"),
        ("contacts", "email", "nobody", "INVALID_EMAIL"),
        ("contacts", "loyalty_level", "much", "INVALID_INTEGER"),
        ("notes", "hs_timestamp", "yesterday", "INVALID_DATE"),
        ("emails", "hs_email_headers", "{", "INVALID_JSON"),
        ("calls", "hs_call_recording_url", "http://x", "INVALID_URL"),
        (
            "communications",
            "hs_communication_logged_from",
            "API",
            "INVALID_OPTION",
        ),
    ];
    for (object, name, value, wanted) in cases {
        let refused = client
            .try_make(
                object,
                json!({"subject": "S", "hs_pipeline_stage": "1", name: value}),
            )
            .await
            .expect(400);
        let codes: Vec<Value> = refused
            .list("/errors")
            .iter()
            .map(|e| e["code"].clone())
            .collect();
        assert!(codes.contains(&json!(wanted)), "{object}.{name}: {codes:?}");
        assert!(
            refused
                .message()
                .starts_with("Property values were not valid: [")
        );
    }
    // Numbers are no texts.
    client
        .try_make("contacts", json!({"firstname": "A", "loyalty_level": 3}))
        .await
        .expect(400);
    client
        .simulator
        .set_switches(|s| s.json_scalars_accepted = true);
    let made = client
        .try_make("contacts", json!({"firstname": "A", "loyalty_level": 3}))
        .await
        .expect(201);
    assert_eq!(made.text("/properties/loyalty_level"), "3");
}

#[tokio::test]
async fn what_a_record_cannot_do_without_is_asked_for() {
    let client = Client::empty();
    for (object, properties) in [
        ("contacts", json!({"phone": "1"})),
        ("companies", json!({"phone": "1"})),
        ("tickets", json!({"hs_pipeline_stage": "1"})),
        ("tickets", json!({"subject": "S"})),
        ("notes", json!({"hs_note_body": "B"})),
        ("emails", json!({"hs_timestamp": "0"})),
        ("communications", json!({"hs_timestamp": "0"})),
    ] {
        let refused = client.try_make(object, properties).await.expect(400);
        assert_eq!(code(&refused), "REQUIRED_PROPERTY_MISSING", "{object}");
    }
    let long = "x".repeat(65_537);
    let note = json!({"hs_timestamp": "0", "hs_note_body": long});
    let refused = client.try_make("notes", note).await.expect(400);
    assert_eq!(code(&refused), "PROPERTY_VALUE_TOO_LONG");
}

#[tokio::test]
async fn an_empty_text_clears_and_a_semicolon_appends() {
    let client = Client::empty();
    let id = client.ticket("S").await;
    let path = format!("/crm/v3/objects/tickets/{id}");
    let write = async |value: &str| {
        let body = json!({"properties": {"hs_ticket_category": value}});
        let reply = client.patch(&path, body).await.expect(200);
        reply.at("/properties/hs_ticket_category").clone()
    };
    assert_eq!(write("BILLING_ISSUE").await, "BILLING_ISSUE");
    assert_eq!(write(";PRODUCT_ISSUE").await, "BILLING_ISSUE;PRODUCT_ISSUE");
    assert_eq!(write("FEATURE_REQUEST").await, "FEATURE_REQUEST");
    assert!(write("").await.is_null());
    let history = client
        .get(&format!("{path}?propertiesWithHistory=hs_ticket_category"))
        .await
        .expect(200);
    let values = history.list("/propertiesWithHistory/hs_ticket_category");
    let values: Vec<&str> = values
        .iter()
        .map(|v| v["value"].as_str().unwrap())
        .collect();
    assert_eq!(
        values[..3],
        ["", "FEATURE_REQUEST", "BILLING_ISSUE;PRODUCT_ISSUE"]
    );
}

#[tokio::test]
async fn a_contact_whose_address_is_taken_is_409_and_names_the_existing_one() {
    let client = Client::empty();
    let id = client
        .make(
            "contacts",
            json!({"email": "a@example.com", "hs_additional_emails": "b@example.com"}),
        )
        .await;
    let refused = client
        .try_make("contacts", json!({"email": "A@example.com"}))
        .await
        .expect(409);
    assert_eq!(refused.text("/category"), "CONFLICT");
    assert_eq!(
        refused.message(),
        format!("Contact already exists. Existing ID: {id}")
    );
    // A secondary one of another contact is a 400 that names the half-made record first, the owner second.
    let refused = client
        .try_make(
            "contacts",
            json!({"email": "c@example.com", "hs_additional_emails": "b@example.com"}),
        )
        .await
        .expect(400);
    let message = refused.message();
    let (first, second) = message
        .split_once("} on ")
        .unwrap()
        .1
        .split_once(". ")
        .unwrap();
    assert!(message.contains("legacyObjectType=CONTACT"), "{message}");
    assert_ne!(first, id);
    assert_eq!(second, format!("{id} already has that value."));
    assert_eq!(code(&refused), "CONFLICTING_UNIQUE_VALUE");
    client
        .get(&format!("/crm/v3/objects/contacts/{first}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn an_archived_record_frees_its_unique_values_or_keeps_them() {
    for keeps in [false, true] {
        let client = Client::switched(|s| s.archived_keeps_unique = keeps);
        let id = client
            .make("contacts", json!({"email": "a@example.com"}))
            .await;
        client
            .delete(&format!("/crm/v3/objects/contacts/{id}"))
            .await
            .expect(204);
        let again = client
            .try_make("contacts", json!({"email": "a@example.com"}))
            .await;
        assert_eq!(again.status, if keeps { 409 } else { 201 });
    }
}

#[tokio::test]
async fn an_archived_record_is_read_only_when_asked_for_and_goes_after_ninety_days() {
    let client = Client::empty();
    let id = client.make("companies", json!({"name": "C"})).await;
    let path = format!("/crm/v3/objects/companies/{id}");
    client.delete(&path).await.expect(204);
    client.get(&path).await.expect(404);
    let archived = client
        .get(&format!("{path}?archived=true"))
        .await
        .expect(200);
    assert_eq!(*archived.at("/archived"), true);
    assert!(archived.at("/archivedAt").is_string());
    client.delete(&path).await.expect(404);
    client
        .simulator
        .set_switches(|s| s.delete_unknown_status = 204);
    client.delete(&path).await.expect(204);
    client.wait(90 * 86_400);
    client
        .get(&format!("{path}?archived=true"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_record_can_be_restored_by_a_person_while_its_address_is_free() {
    let client = Client::empty();
    let id = client
        .make("contacts", json!({"email": "a@example.com"}))
        .await;
    let path = format!("/crm/v3/objects/contacts/{id}");
    let number = id.parse().unwrap();
    client.delete(&path).await.expect(204);
    client.wait(80 * 86_400);
    assert!(client.simulator.restore(TypeId::CONTACT, number));
    client.get(&path).await.expect(200);
    client.delete(&path).await.expect(204);
    // The ninety days count from the second deletion.
    client.wait(89 * 86_400);
    client
        .get(&format!("{path}?archived=true"))
        .await
        .expect(200);
    client
        .make("contacts", json!({"email": "a@example.com"}))
        .await;
    assert!(!client.simulator.restore(TypeId::CONTACT, number));
}

#[tokio::test]
async fn a_lifecycle_stage_does_not_go_back() {
    let client = Client::empty();
    let id = client
        .make(
            "contacts",
            json!({"firstname": "A", "lifecyclestage": "customer"}),
        )
        .await;
    for (stage, kept) in [("lead", "customer"), ("evangelist", "evangelist")] {
        let body = json!({"properties": {"lifecyclestage": stage}});
        client
            .patch(&format!("/crm/v3/objects/contacts/{id}"), body)
            .await
            .expect(200);
        assert_eq!(
            client.read("contacts", &id, "lifecyclestage").await["lifecyclestage"],
            kept
        );
    }
}

#[tokio::test]
async fn a_deleted_email_is_gone_for_good() {
    let email = json!({"hs_timestamp": "0", "hs_email_direction": "EMAIL"});
    let client = Client::empty();
    let id = client.make("emails", email.clone()).await;
    let path = format!("/crm/v3/objects/emails/{id}");
    client.delete(&path).await.expect(204);
    client
        .get(&format!("{path}?archived=true"))
        .await
        .expect(404);
    let client = Client::switched(|s| s.email_delete_permanent = false);
    let id = client.make("emails", email).await;
    let path = format!("/crm/v3/objects/emails/{id}");
    client.delete(&path).await.expect(204);
    client
        .get(&format!("{path}?archived=true"))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_activity_keeps_its_own_time_and_reads_addresses_from_its_headers() {
    let client = Client::empty();
    let headers = json!({
        "from": {"email": "ana@example.com", "firstName": "Ana"},
        "to": [{"email": "help@shop.example"}, {"email": "b@x.example"}],
    });
    let made = client
        .try_make(
            "emails",
            json!({
                "hs_timestamp": "2024-03-01T10:00:00.000Z", "hs_email_direction": "INCOMING_EMAIL", "hs_email_status": "SENT",
                "hs_email_headers": headers.to_string(), "hs_email_html": "<p onclick=\"x()\">Hi</p><script>x</script>",
            }),
        )
        .await
        .expect(201);
    assert_eq!(
        made.text("/properties/hs_timestamp"),
        "2024-03-01T10:00:00Z"
    );
    assert_eq!(made.text("/createdAt"), "2026-11-23T09:00:00Z");
    assert_eq!(
        made.text("/properties/hs_email_from_email"),
        "ana@example.com"
    );
    assert_eq!(
        made.text("/properties/hs_email_to_email"),
        "help@shop.example;b@x.example"
    );
    assert_eq!(made.text("/properties/hs_email_html"), "<p>Hi</p>");
    let refused = client
        .try_make(
            "emails",
            json!({"hs_timestamp": "0", "hs_email_direction": "EMAIL", "hs_email_from_email": "a@b.example"}),
        )
        .await
        .expect(400);
    assert_eq!(code(&refused), "READ_ONLY_VALUE");
}

#[tokio::test]
async fn a_tickets_time_is_refused_taken_or_ignored() {
    let given = json!({
        "subject": "S", "hs_pipeline_stage": "4", "createdate": "2024-03-01T10:00:00Z", "closed_date": "2024-03-02T10:00:00Z",
    });
    for times in [
        TicketTimes::ReadOnly,
        TicketTimes::Writable,
        TicketTimes::Ignored,
    ] {
        let client = Client::switched(|s| {
            s.ticket_createdate = times;
            s.ticket_closed_date = times;
        });
        let property = client
            .get("/crm/v3/properties/tickets/createdate")
            .await
            .expect(200);
        let read_only = property.at("/modificationMetadata/readOnlyValue").clone();
        assert_eq!(read_only, times == TicketTimes::ReadOnly);
        let made = client.try_make("tickets", given.clone()).await;
        match times {
            TicketTimes::ReadOnly => assert_eq!(made.status, 400),
            TicketTimes::Writable => {
                assert_eq!(made.text("/createdAt"), "2024-03-01T10:00:00Z");
                assert_eq!(made.text("/properties/closed_date"), "2024-03-02T10:00:00Z");
                assert_eq!(made.text("/properties/time_to_close"), "86400000");
            }
            TicketTimes::Ignored => {
                assert_eq!(made.text("/createdAt"), "2026-11-23T09:00:00Z");
                assert_eq!(made.text("/properties/closed_date"), "2026-11-23T09:00:00Z");
            }
        }
    }
}

#[tokio::test]
async fn a_move_to_a_closed_stage_overwrites_the_closed_date() {
    let client = Client::switched(|s| s.ticket_closed_date = TicketTimes::Writable);
    let id = client
        .make(
            "tickets",
            json!({"subject": "S", "hs_pipeline_stage": "1", "closed_date": "2024-03-02T10:00:00Z"}),
        )
        .await;
    client
        .patch(
            &format!("/crm/v3/objects/tickets/{id}"),
            json!({"properties": {"hs_pipeline_stage": "4"}}),
        )
        .await
        .expect(200);
    let read = client.read("tickets", &id, "closed_date").await;
    assert_eq!(read["closed_date"], "2026-11-23T09:00:00Z");
}

#[tokio::test]
async fn a_stage_belongs_to_its_pipeline() {
    let client = Client::empty();
    let pipeline = client
        .post(
            "/crm/v3/pipelines/tickets",
            json!({"label": "Import", "displayOrder": 9, "stages": [
                {"label": "Open", "displayOrder": 0, "metadata": {"ticketState": "OPEN"}},
                {"label": "Done", "displayOrder": 1, "metadata": {"ticketState": "CLOSED"}},
            ]}),
        )
        .await
        .expect(201);
    let stage = pipeline.text("/stages/1/id");
    assert_eq!(pipeline.text("/stages/1/metadata/isClosed"), "true");
    // Without a pipeline the default one is meant.
    let alone = json!({"subject": "S", "hs_pipeline_stage": stage});
    client.try_make("tickets", alone).await.expect(400);
    let both = json!({"subject": "S", "hs_pipeline": pipeline.id(), "hs_pipeline_stage": stage});
    let id = client.make("tickets", both).await;
    let path = format!("/crm/v3/pipelines/tickets/{}", pipeline.id());
    let refused = client
        .delete(&format!("{path}?validateReferencesBeforeDelete=true"))
        .await
        .expect(400);
    assert_eq!(
        refused.text("/subCategory"),
        "PipelineError.STAGE_ID_IN_USE"
    );
    assert_eq!(refused.text("/context/objectIds/0"), id);
    client
        .delete(&format!("/crm/v3/objects/tickets/{id}"))
        .await
        .expect(204);
    client
        .delete(&format!("{path}?validateReferencesBeforeDelete=true"))
        .await
        .expect(204);
    client.get(&path).await.expect(404);
    let twice = json!({"label": "Support Pipeline", "displayOrder": 1, "stages": [{"label": "A", "displayOrder": 0}]});
    client
        .post("/crm/pipelines/2026-09/tickets", twice)
        .await
        .expect(409);
}

#[tokio::test]
async fn an_owner_is_named_by_the_owners_id_and_an_archived_one_only_on_activities() {
    let client = Client::new();
    let owner = client.get("/crm/v3/owners?email=agent1@acme.example").await;
    let gone = client.get("/crm/v3/owners?archived=true").await;
    let ticket = |owner: String| json!({"subject": "S", "hs_pipeline_stage": "1", "hubspot_owner_id": owner});
    client
        .make("tickets", ticket(owner.text("/results/0/id")))
        .await;
    let user = owner.at("/results/0/userId").to_string();
    let refused = client.try_make("tickets", ticket(user)).await.expect(400);
    assert_eq!(code(&refused), "INVALID_OWNER_ID");
    let gone = gone.text("/results/0/id");
    client
        .try_make("tickets", ticket(gone.clone()))
        .await
        .expect(400);
    let note = json!({"hs_timestamp": "0", "hs_note_body": "B", "hubspot_owner_id": gone});
    client.make("notes", note).await;
    client
        .simulator
        .set_switches(|s| s.archived_owner = ArchivedOwner::Dropped);
    let made = client.try_make("tickets", ticket(gone)).await.expect(201);
    assert!(made.at("/properties/hubspot_owner_id").is_null());
}

#[tokio::test]
async fn lists_are_paged_by_a_cursor_and_archived_records_are_a_list_of_their_own() {
    let client = Client::empty();
    for number in 0..5 {
        client
            .make("contacts", json!({"firstname": format!("N{number}")}))
            .await;
    }
    let (mut path, mut seen) = ("/crm/v3/objects/contacts?limit=2".to_owned(), vec![]);
    loop {
        let page = client.get(&path).await.expect(200);
        seen.extend(page.list("/results").iter().map(|r| r["id"].clone()));
        let Some(link) = page.at("/paging/next/link").as_str() else {
            break;
        };
        path = link
            .strip_prefix("https://api.hubapi.com")
            .unwrap()
            .to_owned();
    }
    assert_eq!(seen.len(), 5);
    client
        .get("/crm/v3/objects/contacts?limit=101")
        .await
        .expect(400);
    client
        .get("/crm/v3/objects/contacts?after=x")
        .await
        .expect(400);
    client
        .delete(&format!(
            "/crm/v3/objects/contacts/{}",
            seen[0].as_str().unwrap()
        ))
        .await
        .expect(204);
    let archived = client
        .get("/crm/v3/objects/contacts?archived=true")
        .await
        .expect(200);
    assert_eq!(archived.list("/results").len(), 1);
}

#[tokio::test]
async fn a_merged_contact_lives_on_in_the_other_and_its_id_leads_there() {
    let client = Client::empty();
    let first = client
        .make("contacts", json!({"email": "a@example.com"}))
        .await;
    let second = client
        .make("contacts", json!({"email": "b@example.com", "phone": "1"}))
        .await;
    let ticket = client.ticket("S").await;
    client
        .call(
            "PUT",
            &format!("/crm/v4/objects/contacts/{second}/associations/default/tickets/{ticket}"),
            Value::Null,
        )
        .await
        .expect(200);
    let merged = client
        .post(
            "/crm/v3/objects/contacts/merge",
            json!({"primaryObjectId": first, "objectIdToMerge": second}),
        )
        .await
        .expect(200);
    assert_eq!(merged.id(), first);
    assert_eq!(
        merged.text("/properties/hs_additional_emails"),
        "b@example.com"
    );
    assert_eq!(merged.text("/properties/phone"), "1");
    let followed = client
        .get(&format!(
            "/crm/v3/objects/contacts/{second}?associations=tickets"
        ))
        .await
        .expect(200);
    assert_eq!(followed.id(), first);
    assert_eq!(followed.text("/associations/tickets/results/0/id"), ticket);
    client
        .simulator
        .set_switches(|s| s.merged_ids_follow = false);
    client
        .get(&format!("/crm/v3/objects/contacts/{second}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_privacy_deletion_of_an_unknown_address_blocks_it_for_ever() {
    let client = Client::empty();
    let delete = async |body| {
        client
            .post("/crm/v3/objects/contacts/gdpr-delete", body)
            .await
    };
    delete(json!({"objectId": "a@example.com", "idProperty": "email"}))
        .await
        .expect(204);
    let refused = client
        .try_make("contacts", json!({"email": "a@example.com"}))
        .await
        .expect(400);
    assert_eq!(code(&refused), "INVALID_EMAIL");
    let id = client
        .make("contacts", json!({"email": "b@example.com"}))
        .await;
    delete(json!({"objectId": id})).await.expect(204);
    client
        .get(&format!("/crm/v3/objects/contacts/{id}?archived=true"))
        .await
        .expect(404);
    client
        .make("contacts", json!({"email": "b@example.com"}))
        .await;
}

#[tokio::test]
async fn only_the_newest_version_enforces_what_an_admin_requires() {
    let client = Client::with(|config| {
        let required = ("tickets".to_owned(), "hs_ticket_category".to_owned());
        config.preexisting.required_on_create = vec![required];
    });
    let body = json!({"properties": {"subject": "S", "hs_pipeline_stage": "1"}});
    for (path, status) in [
        ("/crm/v3/objects/tickets", 201),
        ("/crm/objects/2026-03/tickets", 201),
        ("/crm/objects/2026-09/tickets", 400),
    ] {
        client.post(path, body.clone()).await.expect(status);
    }
    let rules = client
        .get("/crm/v3/property-validations/0-5")
        .await
        .expect(200);
    assert_eq!(rules.text("/results/0/propertyName"), "hs_ticket_category");
}

#[tokio::test]
async fn ids_of_two_types_can_be_the_same_number() {
    let client = Client::new();
    let snapshot = client.simulator.snapshot();
    let first = |object| snapshot.live(object).next().unwrap().id;
    let near = first(TypeId::TICKET).abs_diff(first(TypeId::CONTACT));
    assert!(near < 10, "{near}");
}

#[tokio::test]
async fn an_unknown_member_of_a_body_is_refused() {
    let client = Client::empty();
    let body = json!({"properties": {"firstname": "A"}, "associatons": []});
    let refused = client
        .post("/crm/v3/objects/contacts", body)
        .await
        .expect(400);
    assert!(refused.message().contains("associatons"));
    let request = client
        .request("POST", "/crm/v3/objects/contacts")
        .header("content-type", "text/plain")
        .body(Body::from("{}"))
        .unwrap();
    client.send(request).await.expect(415);
}
