//! Properties and groups.

use super::*;
use crate::hubspot::Plan;

fn property(name: &str) -> Value {
    json!({"groupName": "ticketinformation", "name": name, "label": name, "type": "string", "fieldType": "text"})
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

const PATH: &str = "/crm/v3/properties/tickets";

#[tokio::test]
async fn a_property_is_made_in_lower_case_and_once() {
    let client = Client::empty();
    let made = client.post(PATH, property("Kustomer_Id")).await.expect(201);
    assert_eq!(made.text("/name"), "kustomer_id");
    assert_eq!(*made.at("/modificationMetadata/readOnlyValue"), false);
    let again = client.post(PATH, property("kustomer_id")).await.expect(409);
    assert_eq!(again.text("/category"), "OBJECT_ALREADY_EXISTS");
    for (wrong, why) in [
        (json!({"name": "9lives"}), "a name"),
        (json!({"name": "hs_mine"}), "a reserved name"),
        (json!({"groupName": "nothing"}), "a group"),
        (json!({"type": "json"}), "a type"),
        (json!({"fieldType": "checkbox"}), "a field type"),
        (
            json!({"type": "bool", "fieldType": "booleancheckbox"}),
            "options of a bool",
        ),
        (json!({"label": ""}), "a label"),
    ] {
        let refused = client.post(PATH, with(property("fresh"), wrong)).await;
        assert_eq!(refused.status, 400, "{why}");
    }
}

#[tokio::test]
async fn options_have_no_semicolons_and_one_left_out_of_a_patch_is_gone() {
    let client = Client::empty();
    let tags = |options: Value| {
        with(
            property("tags"),
            json!({"type": "enumeration", "fieldType": "checkbox", "options": options}),
        )
    };
    let option =
        |value: &str| json!({"value": value, "label": value, "displayOrder": 0, "hidden": false});
    client
        .post(PATH, tags(json!([option("a;b")])))
        .await
        .expect(400);
    client
        .post(PATH, tags(json!([option("a"), option("a")])))
        .await
        .expect(400);
    client
        .post(PATH, tags(json!([option("a"), option("b")])))
        .await
        .expect(201);
    let make = async |tags: &str| {
        let values = json!({"subject": "S", "hs_pipeline_stage": "1", "tags": tags});
        client.try_make("tickets", values).await
    };
    assert_eq!(
        make("a;b").await.expect(201).text("/properties/tags"),
        "a;b"
    );
    make("a;c").await.expect(400);
    client
        .patch(
            &format!("{PATH}/tags"),
            json!({"options": [option("a"), option("c")]}),
        )
        .await
        .expect(200);
    make("a;c").await.expect(201);
    make("b").await.expect(400);
}

#[tokio::test]
async fn ten_unique_properties_are_the_most_and_a_deleted_one_counts() {
    let client = Client::empty();
    let unique = |n: u32| with(property(&format!("u{n}")), json!({"hasUniqueValue": true}));
    for number in 0..10 {
        client.post(PATH, unique(number)).await.expect(201);
    }
    client.post(PATH, unique(10)).await.expect(400);
    client.delete(&format!("{PATH}/u0")).await.expect(204);
    client.post(PATH, unique(10)).await.expect(400);
    client
        .simulator
        .set_switches(|s| s.archived_property_counts = false);
    client.post(PATH, unique(10)).await.expect(201);
    client
        .patch(&format!("{PATH}/u1"), json!({"hasUniqueValue": false}))
        .await
        .expect(400);
}

#[tokio::test]
async fn activities_take_custom_properties_but_no_unique_ones() {
    let client = Client::empty();
    let mark = |unique: bool| {
        json!({
            "groupName": "note", "name": "kustomer_id", "label": "K", "type": "string", "fieldType": "text",
            "hasUniqueValue": unique,
        })
    };
    client
        .post("/crm/v3/properties/notes", mark(true))
        .await
        .expect(400);
    client
        .post("/crm/v3/properties/notes", mark(false))
        .await
        .expect(201);
    let note = json!({"hs_timestamp": "0", "hs_note_body": "B", "kustomer_id": "k1"});
    client.make("notes", note.clone()).await;
    client.make("notes", note).await;
    client
        .simulator
        .set_switches(|s| s.unique_on_activities = true);
    client.marker("emails").await;
    let email = json!({"hs_email_direction": "EMAIL", "hs_timestamp": "0"});
    let input = json!([{"id": "e1", "idProperty": "kustomer_id", "properties": email}]);
    let first = client
        .batch("emails", "upsert", input.clone())
        .await
        .expect(200);
    let second = client.batch("emails", "upsert", input).await.expect(200);
    assert_eq!(
        (first.at("/results/0/new"), second.at("/results/0/new")),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn an_archived_property_keeps_its_name_for_ninety_days() {
    let client = Client::empty();
    client.post(PATH, property("mark")).await.expect(201);
    let id = client
        .make(
            "tickets",
            json!({"subject": "S", "hs_pipeline_stage": "1", "mark": "x"}),
        )
        .await;
    client.delete(&format!("{PATH}/mark")).await.expect(204);
    client.delete(&format!("{PATH}/mark")).await.expect(404);
    client.get(&format!("{PATH}/mark")).await.expect(404);
    client
        .get(&format!("{PATH}/mark?archived=true"))
        .await
        .expect(200);
    assert!(
        client
            .read("tickets", &id, "mark")
            .await
            .get("mark")
            .is_none()
    );
    client.post(PATH, property("mark")).await.expect(409);
    client.wait(90 * 86_400);
    client.post(PATH, property("mark")).await.expect(201);
}

#[tokio::test]
async fn a_batch_of_properties_has_two_sets_of_codes() {
    let client = Client::empty();
    let inputs = |names: [&str; 2]| json!({"inputs": names.map(property)});
    client
        .post(&format!("{PATH}/batch/create"), inputs(["a1", "a2"]))
        .await
        .expect(201);
    let part = client
        .post(&format!("{PATH}/batch/create"), inputs(["a1", "a3"]))
        .await
        .expect(207);
    assert_eq!(part.text("/errors/0/category"), "OBJECT_ALREADY_EXISTS");
    client
        .post(
            "/crm/properties/2026-09/tickets/batch/create",
            inputs(["b1", "b2"]),
        )
        .await
        .expect(200);
    let read = json!({"inputs": [{"name": "a1"}, {"name": "zz"}]});
    client
        .post(&format!("{PATH}/batch/read"), read)
        .await
        .expect(207);
    let end = json!({"inputs": [{"name": "a1"}, {"name": "zz"}]});
    client
        .post(&format!("{PATH}/batch/archive"), end)
        .await
        .expect(204);
}

#[tokio::test]
async fn a_group_with_properties_stays() {
    let client = Client::empty();
    let group = json!({"name": "kustomer", "label": "Kustomer", "displayOrder": -1});
    client
        .post(&format!("{PATH}/groups"), group.clone())
        .await
        .expect(201);
    client
        .post(&format!("{PATH}/groups"), group)
        .await
        .expect(409);
    client
        .post(
            PATH,
            with(property("mark"), json!({"groupName": "kustomer"})),
        )
        .await
        .expect(201);
    client
        .delete(&format!("{PATH}/groups/kustomer"))
        .await
        .expect(400);
    client.delete(&format!("{PATH}/mark")).await.expect(204);
    client
        .delete(&format!("{PATH}/groups/kustomer"))
        .await
        .expect(204);
}

#[tokio::test]
async fn a_free_account_has_ten_custom_properties_an_object() {
    let client = Client::empty();
    client.simulator.set_up(|config| config.plan = Plan::Free);
    for number in 0..10 {
        client
            .post(PATH, property(&format!("p{number}")))
            .await
            .expect(201);
    }
    client.post(PATH, property("p10")).await.expect(400);
}
