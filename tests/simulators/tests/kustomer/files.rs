//! Files, their links, and the body behind a message.

use axum::http::Request;
use serde_json::{Value, json};
use transload_simulators::kustomer::{BodyResource, Config, Kind, NoteFiles, Place};

use super::*;

/// A message with a stored file, and that file.
fn stored(simulator: &Simulator, outbound: bool) -> (String, transload_simulators::kustomer::File) {
    let world = simulator.world();
    world
        .ids(Kind::Message)
        .into_iter()
        .filter(|id| (world.json(id).unwrap()["attributes"]["direction"] == "out") == outbound)
        .find_map(|id| {
            let file = world
                .files(&id)
                .into_iter()
                .find(|f| f.place == Place::Stored && f.length > 0)?;
            Some((id, file))
        })
        .unwrap()
}

/// What a client asks of the storage host: no `Authorization`, and the path of the link.
async fn fetch(simulator: &Simulator, link: &str, authorization: Option<&str>) -> Answer {
    let path = link.splitn(4, '/').nth(3).unwrap();
    let mut request = Request::get(format!("/{path}"));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    send(simulator, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_link_lives_six_hundred_seconds_and_refuses_an_authorization_header() {
    let simulator = organisation(300);
    let (message, file) = stored(&simulator, false);
    let path = format!("/v1/messages/{message}/attachments/{}", file.id);
    let attachment = ok(&simulator, &path).await["data"].clone();
    let link = attachment["links"]["related"].as_str().unwrap().to_owned();
    assert!(link.starts_with("http://files.kustomer.test/attachments/"));
    assert!(link.contains("X-Amz-Expires=600"));
    let whole = fetch(&simulator, &link, None).await;
    assert_eq!(whole.status, 200);
    assert_eq!(
        whole.body,
        simulator.world().file_bytes(&file.id.to_string()).unwrap()
    );
    assert_eq!(attachment["attributes"]["contentLength"], whole.body.len());
    let refused = fetch(&simulator, &link, Some("Bearer x")).await;
    assert_eq!(refused.status, 400);
    let forged = link.replace("X-Amz-Signature=", "X-Amz-Signature=0");
    assert_eq!(fetch(&simulator, &forged, None).await.status, 403);
    simulator.harness().clock.advance(601_000);
    let expired = fetch(&simulator, &link, None).await;
    assert_eq!(expired.status, 403);
    assert!(
        String::from_utf8(expired.body)
            .unwrap()
            .contains("Request has expired")
    );
    let fresh = ok(&simulator, &path).await["data"]["links"]["related"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(fetch(&simulator, &fresh, None).await.status, 200);
}

#[tokio::test]
async fn only_outbound_files_are_had_without_their_message() {
    let simulator = organisation(300);
    let (_, inbound) = stored(&simulator, false);
    let (_, outbound) = stored(&simulator, true);
    assert_eq!(
        get(&simulator, &format!("/v1/attachments/{}", inbound.id))
            .await
            .status,
        404
    );
    let found = ok(&simulator, &format!("/v1/attachments/{}", outbound.id)).await;
    assert_eq!(found["data"]["attributes"]["uploaded"], true);
}

#[tokio::test]
async fn the_files_of_a_conversation_come_without_ids_and_without_those_of_notes() {
    let simulator = organisation(300);
    let (message, file) = stored(&simulator, false);
    let record = simulator.world().json(&message).unwrap();
    let conversation = record["relationships"]["conversation"]["data"]["id"]
        .as_str()
        .unwrap();
    let path = format!("/v1/conversations/{conversation}/attachments");
    let listed = walk(&simulator, &path).await;
    let link = format!("/v1/messages/{message}/attachments/{}", file.id);
    let own = listed.iter().find(|f| f["links"]["self"] == *link).unwrap();
    assert!(own.get("id").is_none());
    assert!(
        listed
            .iter()
            .all(|f| f["relationships"].get("note").is_none())
    );
    let messages = format!("/v1/conversations/{conversation}/messages?include=attachments");
    let page = ok(&simulator, &messages).await;
    let included = page["included"].as_array().unwrap();
    assert_eq!(included.len(), listed.len());
    assert!(included.iter().any(|f| f["id"] == file.id.to_string()));
}

#[tokio::test]
async fn foreign_files_may_be_dead_and_some_files_are_nowhere() {
    let simulator = organisation(3_000);
    let find = |place| {
        let world = simulator.world();
        world
            .ids(Kind::Message)
            .into_iter()
            .find_map(|id| {
                Some((
                    id.clone(),
                    world.files(&id).into_iter().find(|f| f.place == place)?,
                ))
            })
            .unwrap()
    };
    let link = async |(message, file): (String, transload_simulators::kustomer::File)| {
        let path = format!("/v1/messages/{message}/attachments/{}", file.id);
        ok(&simulator, &path).await["data"]["links"]
            .get("related")
            .cloned()
    };
    let foreign = link(find(Place::External)).await.unwrap();
    assert!(
        foreign
            .as_str()
            .unwrap()
            .starts_with("http://external.example.test/")
    );
    assert_eq!(
        fetch(&simulator, foreign.as_str().unwrap(), None)
            .await
            .status,
        200
    );
    let dead = link(find(Place::Dead)).await.unwrap();
    assert_eq!(
        fetch(&simulator, dead.as_str().unwrap(), None).await.status,
        404
    );
    assert_eq!(link(find(Place::Nowhere)).await, None);
}

#[tokio::test]
async fn files_of_notes_are_named_listed_or_hidden() {
    let simulator = organisation(300);
    let note = {
        let world = simulator.world();
        world
            .ids(Kind::Note)
            .into_iter()
            .find(|id| !world.files(id).is_empty())
            .unwrap()
    };
    let path = format!("/v1/notes/{note}/attachments");
    let files = walk(&simulator, &path).await;
    assert_eq!(files.len(), simulator.world().files(&note).len());
    let link = files[0]["links"]["related"].as_str().unwrap();
    assert_eq!(fetch(&simulator, link, None).await.status, 200);
    let named = async || {
        let note = ok(&simulator, &format!("/v1/notes/{note}")).await;
        note["data"]["relationships"]["attachments"]["data"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(named().await, files.len());
    simulator.switch(|switches| switches.note_files = NoteFiles::Listed);
    assert_eq!(
        (named().await, walk(&simulator, &path).await.len()),
        (0, files.len())
    );
    simulator.switch(|switches| switches.note_files = NoteFiles::Hidden);
    assert_eq!(named().await, 0);
    assert_eq!(get(&simulator, &path).await.status, 404);
}

#[tokio::test]
async fn the_body_behind_a_message_is_absent_text_or_html() {
    let simulator = organisation(200);
    let message = simulator.world().ids(Kind::Message)[7].clone();
    let record = ok(&simulator, &format!("/v1/messages/{message}")).await;
    let related = record["data"]["links"]["related"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(get(&simulator, &related).await.status, 404);
    simulator.switch(|switches| switches.body_resource = BodyResource::Text);
    let text = ok(&simulator, &related).await;
    assert_eq!(
        text["data"]["attributes"]["body"],
        simulator.world().text(&message).unwrap()
    );
    assert!(text["data"]["attributes"].get("htmlBody").is_none());
    simulator.switch(|switches| switches.body_resource = BodyResource::Html);
    let html = ok(&simulator, &related).await;
    assert_eq!(
        html["data"]["attributes"]["htmlBody"],
        simulator.world().html(&message).unwrap()
    );
    assert_eq!(
        get(&simulator, &format!("/v1/wrongapp/messages/{message}"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_text_longer_than_the_preview_is_cut_at_its_cap() {
    let simulator = organisation(2_000);
    let long = {
        let world = simulator.world();
        world
            .ids(Kind::Message)
            .into_iter()
            .find(|id| world.text(id).unwrap().chars().count() > 10_240)
            .unwrap()
    };
    let whole = simulator.world().text(&long).unwrap();
    let record = ok(&simulator, &format!("/v1/messages/{long}")).await;
    let preview = record["data"]["attributes"]["preview"].as_str().unwrap();
    assert_eq!(preview.chars().count(), 10_240);
    assert!(whole.starts_with(preview));
}

#[tokio::test]
async fn big_data_of_a_record_is_behind_a_link_that_expires() {
    let simulator = organisation(200);
    let mut offloaded = Vec::new();
    for klass in transload_simulators::kustomer::KLASSES {
        offloaded.extend(walk(&simulator, &format!("/v1/klasses/{}", klass.name)).await);
    }
    offloaded.retain(|record| record["attributes"].get("s3DataUrl").is_some());
    assert!(!offloaded.is_empty());
    let record = &offloaded[0];
    assert!(record["attributes"].get("data").is_none());
    let link = record["attributes"]["s3DataUrl"].as_str().unwrap();
    let data = fetch(&simulator, link, None).await;
    assert_eq!(data.status, 200);
    assert!(data.json()["items"].as_array().unwrap().len() > 100);
    simulator.harness().clock.advance(601_000);
    assert_eq!(fetch(&simulator, link, None).await.status, 403);
}

#[tokio::test]
async fn files_of_twenty_megabytes_and_of_no_byte_are_streamed() {
    let config = Config {
        size: 3_000,
        attachment_cap: 20 << 20,
        ..Config::default()
    };
    let simulator = organisation_with(config);
    let find = |length: u64| {
        let world = simulator.world();
        world
            .ids(Kind::Message)
            .into_iter()
            .find_map(|id| {
                let fits = |f: &transload_simulators::kustomer::File| {
                    f.length == length && f.place == Place::Stored
                };
                Some((id.clone(), world.files(&id).into_iter().find(fits)?))
            })
            .unwrap()
    };
    for length in [0, 20 << 20] {
        let (message, file) = find(length);
        let path = format!("/v1/messages/{message}/attachments/{}", file.id);
        let attachment = ok(&simulator, &path).await["data"].clone();
        let link = attachment["links"]["related"].as_str().unwrap();
        let content = fetch(&simulator, link, None).await;
        assert_eq!(content.body.len() as u64, length);
        assert_eq!(
            content.header("content-length"),
            Some(length.to_string().as_str())
        );
    }
}

#[tokio::test]
async fn drafts_and_forwards_have_bodies_and_files_of_their_own() {
    let simulator = organisation(400);
    let mut drafts = Vec::new();
    for customer in simulator.world().ids(Kind::Customer) {
        let page = get(
            &simulator,
            &format!("/v1/customers/{customer}/drafts?include=attachments"),
        )
        .await
        .json();
        drafts.extend(page["data"].as_array().into_iter().flatten().cloned());
    }
    assert!(!drafts.is_empty());
    assert!(
        drafts
            .iter()
            .all(|d| d["attributes"]["htmlBody"].is_string())
    );
    let mut forwards = Vec::new();
    for conversation in simulator.world().ids(Kind::Conversation) {
        let page = get(
            &simulator,
            &format!("/v1/conversations/{conversation}/forwards"),
        )
        .await
        .json();
        forwards.extend(page["data"].as_array().into_iter().flatten().cloned());
    }
    assert!(!forwards.is_empty());
    let mut files: Vec<Value> = Vec::new();
    for forward in &forwards {
        let id = forward["id"].as_str().unwrap();
        assert_eq!(
            ok(&simulator, &format!("/v1/forwards/{id}")).await["data"],
            *forward
        );
        files.extend(walk(&simulator, &format!("/v1/forwards/{id}/attachments")).await);
    }
    let link = files[0]["links"]["related"].as_str().unwrap();
    assert_eq!(fetch(&simulator, link, None).await.status, 200);
    assert_ne!(files[0]["attributes"], json!(null));
}
