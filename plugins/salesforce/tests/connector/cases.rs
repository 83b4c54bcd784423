//! Threads in the simulated org: what is there afterwards, how few calls it took, what happens to what the org refuses.

use crate::support::Stand as _;
use crate::support::{
    Org, agent, assert_same, assert_undone, customer, entry, file, is_created, item, said, team,
    thread,
};
use serde_json::{Value as Json, json};
use transload_plugin_salesforce::Salesforce;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, Presence, UndoMode, Written};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::types::{
    Address, AddressChannel, Author, Conversation, ConversationStatus, Customer, Direction, Entity,
    Error, Kind, Message, Reference, Tag, Text, Visibility,
};
use transload_simulators::salesforce::{Config, RowFault, Switches};

const NOW: i64 = 1_795_000_000_000;

/// Without rules of the org that would mail somebody: nothing of ours can keep them from it.
fn quiet(config: &mut Config) {
    config.preexisting.automation = false;
}

async fn org() -> Org {
    with_people(Org::with(quiet).await).await
}

async fn with_people(org: Org) -> Org {
    org.write(Kind::Team, vec![team("t1", "Night desk")]).await;
    let dana = agent("a1", "Dana", "dana@acme.example", Vec::new(), Vec::new());
    org.write(Kind::Agent, vec![dana]).await;
    let data = Customer {
        name: Some("Ana Ruiz".to_owned()),
        addresses: vec![Address::new(AddressChannel::Email, "ana@example.com")],
        ..Customer::empty()
    };
    org.write(Kind::Customer, vec![customer("c1", Vec::new(), data)])
        .await;
    org
}

fn ana(org: &Org) -> Reference {
    org.known(Reference::new(Kind::Customer, "c1").called("Ana Ruiz"))
}

fn dana(org: &Org) -> Reference {
    org.known(Reference::new(Kind::Agent, "a1").called("Dana"))
}

fn conversation(org: &Org, subject: &str) -> Conversation {
    Conversation {
        customer: Some(ana(org)),
        subject: Some(subject.to_owned()),
        assignees: vec![dana(org)],
        status: ConversationStatus::Closed,
        closed_at: Some(NOW + 3_600_000),
        ..Conversation::empty()
    }
}

fn changed(part: Part, change: impl FnOnce(&mut Message)) -> Part {
    let mut part = part;
    if let Entity::Message(message) = &mut part.message.data {
        change(message);
    }
    part
}

fn mail(org: &Org, id: &str, text: &str, at: i64) -> Part {
    changed(said(id, Author::Person(ana(org)), text, at), |message| {
        message.channel = Some("email".to_owned());
        message.direction = Direction::Inbound;
        message.sender = Some("ana@example.com".to_owned());
        message.to = vec!["help@acme.example".to_owned()];
        message.subject = Some("Hello".to_owned());
    })
}

fn note(org: &Org, id: &str, text: &str, at: i64) -> Part {
    changed(said(id, Author::Person(dana(org)), text, at), |message| {
        message.visibility = Visibility::Internal;
    })
}

/// An e-mail with a file, and a note.
fn of(org: &Org, id: &str) -> Item {
    let mut first = mail(org, &format!("m1-{id}"), "Where is it?", NOW);
    first.attachments = vec![file(&format!("f1-{id}"), "note.txt", 3)];
    let second = note(org, &format!("m2-{id}"), "Asked.", NOW + 60_000);
    let subject = format!("Subject {id}");
    thread(
        id,
        Vec::new(),
        conversation(org, &subject),
        vec![first, second],
    )
}

fn case(org: &Org, id: &str) -> Json {
    org.of("Case", &Kind::Conversation, id)
}

fn case_id(org: &Org, id: &str) -> String {
    let marker = format!("old-desk:org1:conversation:{id}");
    let snapshot = org.snapshot();
    let rows = snapshot.with("Case", "Transload_Source_Id__c", &marker);
    rows[0].id.clone()
}

fn under(org: &Org, object: &str, case: &str) -> Vec<Json> {
    let snapshot = org.snapshot();
    let rows = snapshot.with(object, "ParentId", case);
    rows.iter().map(|row| json!(row.fields)).collect()
}

fn text(record: &Json, name: &str) -> String {
    record[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_thread_is_a_case_with_its_emails_comments_and_files_and_is_undone_to_nothing() {
    let org = Org::unprepared(quiet);
    let before = org.sim.state_fingerprint();
    let mut org = org;
    org.prepare().await;
    let org = with_people(org).await;
    let outcomes = org.write(Kind::Conversation, vec![of(&org, "v1")]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let row = case(&org, "v1");
    assert_eq!(text(&row, "Subject"), "Subject v1");
    assert_eq!(text(&row, "Status"), "Closed");
    assert_eq!(row["IsClosed"], json!(true));
    assert_eq!(Some(text(&row, "ContactId")), ana(&org).target);
    assert_eq!(Some(text(&row, "OwnerId")), dana(&org).target);
    assert!(
        text(&row, "CreatedDate").starts_with("2023-11-14T22:13:20"),
        "{row}"
    );
    assert!(text(&row, "Transload_Source_Card__c").contains("Source id: v1"));
    let id = case_id(&org, "v1");
    let mails = under(&org, "EmailMessage", &id);
    assert_eq!(mails.len(), 1);
    assert_eq!(text(&mails[0], "TextBody"), "Where is it?");
    assert_eq!(text(&mails[0], "FromName"), "Ana Ruiz");
    assert_eq!(mails[0]["HasAttachment"], json!(true));
    assert!(
        text(&mails[0], "MessageDate").starts_with("2026-11-18T"),
        "{}",
        mails[0]
    );
    let comments = under(&org, "CaseComment", &id);
    assert_eq!(comments.len(), 1);
    assert_eq!(text(&comments[0], "CommentBody"), "Asked.");
    assert_eq!(comments[0]["IsPublished"], json!(false));
    assert_eq!(Some(text(&comments[0], "CreatedById")), dana(&org).target);
    let snapshot = org.snapshot();
    let files = snapshot.files_on(&id);
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].0.text("Title"), "note.txt");
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "rollback");
    assert_same(&before, &org.sim.state_fingerprint(), "rollback");
}

#[tokio::test]
async fn two_hundred_threads_take_as_few_calls_as_there_can_be() {
    let org = org().await;
    let items: Vec<Item> = (0..200)
        .map(|n| {
            let id = format!("v{n}");
            let at = |k: i64| NOW + n * 600_000 + k * 1_000;
            let mut parts: Vec<Part> = (0..8)
                .map(|k| mail(&org, &format!("m{k}-{id}"), "text", at(k)))
                .collect();
            parts.extend((8..10).map(|k| note(&org, &format!("m{k}-{id}"), "text", at(k))));
            thread(&id, Vec::new(), conversation(&org, &id), parts)
        })
        .collect();
    let harness = org.harness();
    Salesforce::write(&harness.context(), Kind::Conversation, items)
        .await
        .unwrap();
    let outcomes = harness.outcomes();
    assert_eq!(outcomes.len(), 200);
    assert!(outcomes.iter().all(is_created));
    // A request for the Cases, eight for the e-mails, two for the comments; and nothing is looked at.
    assert_eq!(harness.exchanges().len(), 11);
}

#[tokio::test]
async fn files_of_many_threads_go_in_one_request_and_are_looked_at_once() {
    let org = org().await;
    let items: Vec<Item> = (0..50).map(|n| of(&org, &format!("v{n}"))).collect();
    let harness = org.harness();
    Salesforce::write(&harness.context(), Kind::Conversation, items)
        .await
        .unwrap();
    assert!(harness.outcomes().iter().all(is_created));
    // Cases, files, their look, e-mails, comments.
    assert_eq!(harness.exchanges().len(), 5);
}

#[tokio::test]
async fn what_cannot_be_a_file_is_named_in_the_thread_and_the_rest_is_there() {
    let mut org = Org::unprepared(quiet);
    org.set("max_attachment_bytes", 1_000);
    org.prepare().await;
    let org = with_people(org).await;
    let mut part = mail(&org, "m1", "See below", NOW);
    part.attachments = vec![
        file("f1", "small.txt", 10),
        file("f2", "empty.txt", 0),
        file("f3", "huge.txt", 3_000),
    ];
    let item = thread("v1", Vec::new(), conversation(&org, "Files"), vec![part]);
    let outcomes = org.write(Kind::Conversation, vec![item]).await;
    let mails = under(&org, "EmailMessage", &case_id(&org, "v1"));
    let body = text(&mails[0], "TextBody");
    assert!(
        body.contains("file empty.txt is missing here: it is empty"),
        "{body}"
    );
    assert!(
        body.contains("file huge.txt is missing here: 3000 bytes are more"),
        "{body}"
    );
    let lost = outcomes[0]
        .losses
        .iter()
        .filter(|l| l.field == "attachment");
    // The host knows of the one that is too large, and is told of the one that is refused.
    assert_eq!(lost.count(), 1);
    let refused = &outcomes[0].refused;
    assert_eq!(refused.len(), 1);
    assert!(refused[0].reason.contains("it is empty"), "{refused:?}");
    assert_eq!(org.snapshot().of_object("ContentVersion").count(), 1);
}

#[tokio::test]
async fn an_org_that_takes_no_original_times_has_them_in_fields_and_texts() {
    let org = Org::with(|config| {
        quiet(config);
        config.audit_fields_setting = false;
    })
    .await;
    let org = with_people(org).await;
    let outcomes = org.write(Kind::Conversation, vec![of(&org, "v1")]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let row = case(&org, "v1");
    assert!(text(&row, "Transload_Created_At__c").starts_with("2023-11-14T22:13:20"));
    assert!(!text(&row, "CreatedDate").starts_with("2023"));
    let comments = under(&org, "CaseComment", &case_id(&org, "v1"));
    let body = text(&comments[0], "CommentBody");
    assert!(
        body.starts_with("[Migrated: written by Dana (agent a1); at 2026-11-18T"),
        "{body}"
    );
}

#[tokio::test]
async fn people_that_an_email_names_are_given_by_id_where_the_org_asks_for_it() {
    let org = org().await;
    org.sim
        .set_switches(|s| s.addresses_of_strangers_only = true);
    let part = changed(mail(&org, "m1", "Hello", NOW), |message| {
        message.to = vec!["ana@example.com".to_owned(), "other@example.com".to_owned()];
    });
    let item = thread("v1", Vec::new(), conversation(&org, "To"), vec![part]);
    let outcomes = org.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let mails = under(&org, "EmailMessage", &case_id(&org, "v1"));
    assert_eq!(mails.len(), 1);
    assert_eq!(text(&mails[0], "ToAddress"), "other@example.com");
    let snapshot = org.snapshot();
    let relations = snapshot.with(
        "EmailMessageRelation",
        "RelationId",
        &ana(&org).target.unwrap(),
    );
    assert!(
        relations
            .iter()
            .any(|row| row.text("RelationType") == "ToAddress")
    );
}

#[tokio::test]
async fn a_thread_that_changed_since_is_changed_and_what_was_said_since_is_added() {
    for closed in [false, true] {
        let org = org().await;
        let state = |data: Conversation| Conversation {
            status: if closed {
                ConversationStatus::Closed
            } else {
                ConversationStatus::Open
            },
            ..data
        };
        let parts = |more: bool| {
            let mut first = mail(&org, "m1", "Where is it?", NOW);
            first.attachments = vec![file("f1", "note.txt", 3)];
            let mut parts = vec![first, note(&org, "m2", "Asked.", NOW + 60_000)];
            if more {
                let mut third = mail(&org, "m3", "Thanks", NOW + 120_000);
                third.attachments = vec![file("f2", "more.txt", 4)];
                parts.extend([third, note(&org, "m4", "Done.", NOW + 180_000)]);
            }
            parts
        };
        let data = state(conversation(&org, "First"));
        org.write(
            Kind::Conversation,
            vec![thread("v1", Vec::new(), data, parts(false))],
        )
        .await;
        let data = Conversation {
            last_activity_at: Some(NOW + 180_000),
            ..state(conversation(&org, "Second"))
        };
        let mut item = thread("v1", Vec::new(), data, parts(true));
        item.prior = org.effects_of("conversation:v1");
        let outcomes = org.write(Kind::Conversation, vec![item.clone()]).await;
        assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
        let added: Vec<&str> = outcomes[0]
            .effects
            .iter()
            .filter(|effect| effect.action == Action::Created)
            .map(|effect| effect.part.as_str())
            .collect();
        assert_eq!(added, ["file:f2", "message:m3", "message:m4"]);
        let row = case(&org, "v1");
        assert_eq!(text(&row, "Subject"), "Second");
        let id = case_id(&org, "v1");
        assert_eq!(under(&org, "EmailMessage", &id).len(), 2);
        assert_eq!(under(&org, "CaseComment", &id).len(), 2);
        // Once more, and nothing is to be done.
        item.prior = outcomes[0].effects.clone();
        let outcomes = org.write(Kind::Conversation, vec![item]).await;
        assert_eq!(outcomes[0].status, Status::Matched, "{outcomes:?}");
        let undone = org.rollback(UndoMode::Careful).await;
        assert_undone(&undone, "rollback");
        assert_eq!(
            org.snapshot().with("Case", "Transload_Run__c", "r1").len(),
            0
        );
    }
}

#[tokio::test]
async fn what_somebody_changed_here_is_neither_overwritten_nor_undone() {
    let org = org().await;
    org.write(
        Kind::Conversation,
        vec![of(&org, "v1"), of(&org, "v2"), of(&org, "v3")],
    )
    .await;
    org.sim
        .change(&case_id(&org, "v1"), &json!({"Subject": "Changed here"}))
        .unwrap();
    let parent = case_id(&org, "v2");
    let foreign = json!({"ParentId": parent, "CommentBody": "By somebody"});
    org.sim.make("CaseComment", &foreign).unwrap();
    let undone = org.rollback(UndoMode::Careful).await;
    let conflicts: Vec<&str> = undone
        .iter()
        .filter(|outcome| outcome.status == UndoStatus::Conflict)
        .filter_map(|outcome| outcome.reason.as_deref())
        .collect();
    assert!(
        conflicts
            .iter()
            .any(|why| why.contains("changed since: Subject")),
        "{conflicts:?}"
    );
    assert!(
        conflicts.iter().any(|why| why.contains("1 CaseComment")),
        "{conflicts:?}"
    );
    let snapshot = org.snapshot();
    assert_eq!(snapshot.with("Case", "Transload_Run__c", "r1").len(), 2);
    // The one that nobody touched is gone with all that hung on it.
    assert_eq!(snapshot.with("Case", "Subject", "Subject v3").len(), 0);
}

#[tokio::test]
async fn a_locked_row_goes_again_alone_and_holds_nobody_up() {
    let org = org().await;
    org.sim.add_row_fault(RowFault {
        object: "EmailMessage".to_owned(),
        operation: "insert".to_owned(),
        from: 2,
        to: 2,
        code: "UNABLE_TO_LOCK_ROW",
        message: "unable to obtain exclusive access to this record".to_owned(),
    });
    let items: Vec<Item> = (0..3).map(|n| of(&org, &format!("v{n}"))).collect();
    let outcomes = org.write(Kind::Conversation, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    assert_eq!(org.snapshot().of_object("EmailMessage").count(), 3);
}

#[tokio::test]
async fn tags_are_topics_where_the_settings_ask_for_it_and_all_of_them_are_in_their_field() {
    let org = Org::unprepared(quiet);
    let before = org.sim.state_fingerprint();
    org.sim.make("Topic", &json!({"Name": "vip"})).unwrap();
    let whole = org.sim.state_fingerprint();
    assert_ne!(before, whole);
    let mut org = org;
    org.set("tags", "topics");
    org.prepare().await;
    let org = with_people(org).await;
    let names = (0..29)
        .map(|n| format!("tag {n}"))
        .chain(["VIP".to_owned()]);
    let tags: Vec<Item> = names
        .enumerate()
        .map(|(n, name)| {
            let data = Tag { name, color: None };
            item(entry(
                Kind::Tag,
                &format!("g{n}"),
                Vec::new(),
                Entity::Tag(data),
            ))
        })
        .collect();
    let outcomes = org.write(Kind::Tag, tags).await;
    let created = outcomes.iter().filter(|outcome| is_created(outcome));
    assert_eq!(created.count(), 29);
    let tags = (0..30).map(|n| {
        let name = if n == 29 {
            "VIP".to_owned()
        } else {
            format!("tag {n}")
        };
        org.known(Reference::new(Kind::Tag, format!("g{n}")).called(name))
    });
    let data = Conversation {
        tags: tags.collect(),
        ..conversation(&org, "Tags")
    };
    let parts = vec![mail(&org, "m1", "Hi", NOW)];
    org.write(
        Kind::Conversation,
        vec![thread("v1", Vec::new(), data, parts)],
    )
    .await;
    let list = text(&case(&org, "v1"), "Transload_Tags__c");
    assert!(
        list.starts_with(";tag 0;tag 1;") && list.ends_with(";tag 28;VIP;"),
        "{list}"
    );
    let id = case_id(&org, "v1");
    assert_eq!(
        org.snapshot()
            .with("TopicAssignment", "EntityId", &id)
            .len(),
        30
    );
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "rollback");
    assert_same(&whole, &org.sim.state_fingerprint(), "rollback");
}

#[tokio::test]
async fn an_email_that_is_refused_is_a_comment_that_says_whose_it_was() {
    let org = org().await;
    org.sim.add_row_fault(RowFault {
        object: "EmailMessage".to_owned(),
        operation: "insert".to_owned(),
        from: 1,
        to: 1,
        code: "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        message: "no e-mails on Tuesdays".to_owned(),
    });
    let parts = vec![
        mail(&org, "m1", "Where is it?", NOW),
        mail(&org, "m2", "And now?", NOW + 60_000),
    ];
    let item = thread("v1", Vec::new(), conversation(&org, "x"), parts);
    let outcomes = org.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let id = case_id(&org, "v1");
    assert_eq!(under(&org, "EmailMessage", &id).len(), 1);
    let comments = under(&org, "CaseComment", &id);
    assert_eq!(
        text(&comments[0], "CommentBody"),
        "[Migrated: an e-mail that Salesforce does not take (FIELD_CUSTOM_VALIDATION_EXCEPTION); from Ana Ruiz; \
         from ana@example.com; to help@acme.example; subject Hello]\n\nWhere is it?"
    );
    assert_eq!(comments[0]["IsPublished"], json!(true));
    assert!(text(&comments[0], "CreatedDate").starts_with("2026-11-18T"));
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "rollback");
}

#[tokio::test]
async fn a_note_on_a_customer_without_a_conversation_is_a_closed_case_of_its_own() {
    let org = org().await;
    let part = note(&org, "n1", "Likes tea.", NOW);
    let mut lone = part.message;
    if let Entity::Message(message) = &mut lone.data {
        message.customer = Some(ana(&org));
    }
    let outcomes = org.write(Kind::Message, vec![item(lone)]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let row = org.of("Case", &Kind::Message, "n1");
    assert_eq!(row["IsClosed"], json!(true));
    assert_eq!(text(&row, "Subject"), "Note on the customer");
    assert_eq!(Some(text(&row, "ContactId")), ana(&org).target);
    // Its own marker and that of the note in it are one, and only one of them is a Case's.
    let snapshot = org.snapshot();
    let marker = "old-desk:org1:message:n1";
    let cases = snapshot.with("Case", "Transload_Source_Id__c", marker);
    assert_eq!(under(&org, "CaseComment", &cases[0].id).len(), 1);
}

#[tokio::test]
async fn a_thread_that_another_project_loaded_is_found_and_not_doubled() {
    let org = org().await;
    org.write(Kind::Conversation, vec![of(&org, "v1")]).await;
    let harness = org.harness().run("r2", "old-desk", "org1");
    let cx = harness.context();
    let found = Salesforce::match_items(&cx, Kind::Conversation, vec![of(&org, "v1")])
        .await
        .unwrap();
    assert_eq!(found[0].candidates[0].target_id, case_id(&org, "v1"));
    Salesforce::write(&cx, Kind::Conversation, vec![of(&org, "v1")])
        .await
        .unwrap();
    assert_eq!(harness.outcomes()[0].status, Status::Matched);
    assert_eq!(under(&org, "EmailMessage", &case_id(&org, "v1")).len(), 1);
}

#[tokio::test]
async fn whatever_the_open_questions_are_a_thread_arrives_and_goes() {
    let switches: [fn(&mut Switches); 8] = [
        |s| s.short_id_in_duplicate = false,
        |s| s.closed_date_createable = true,
        |s| {
            s.email_task = false;
            s.email_feed_item = false;
        },
        |s| s.email_delete_takes_task = true,
        |s| s.addresses_of_strangers_only = true,
        |s| s.email_body_length = 32_000,
        |s| s.texts_trimmed = false,
        |s| s.unknown_field_fails_call = true,
    ];
    for (at, switch) in switches.into_iter().enumerate() {
        let org = Org::unprepared(|config| {
            quiet(config);
            switch(&mut config.switches);
        });
        let before = org.sim.state_fingerprint();
        let mut org = org;
        org.prepare().await;
        let org = with_people(org).await;
        let mut long = note(&org, "m9", &"A long note. ".repeat(700), NOW + 90_000);
        long.attachments = vec![file("f9", "more.txt", 5)];
        let parts = vec![mail(&org, "m8", &"A long mail.\n".repeat(3_000), NOW), long];
        let second = thread("v2", Vec::new(), conversation(&org, "Second"), parts);
        let items = vec![of(&org, "v1"), second];
        let outcomes = org.write(Kind::Conversation, items).await;
        assert!(outcomes.iter().all(is_created), "{at}: {outcomes:?}");
        let undone = org.rollback(UndoMode::Careful).await;
        assert_undone(&undone, &at.to_string());
        assert_same(&before, &org.sim.state_fingerprint(), &at.to_string());
    }
}

#[tokio::test]
async fn what_is_deleted_and_keeps_its_id_is_said_and_not_taken_for_there() {
    let org = org().await;
    org.write(Kind::Conversation, vec![of(&org, "v1")]).await;
    org.sim.set_switches(|s| s.deleted_blocks_unique = true);
    org.sim.remove(&case_id(&org, "v1")).unwrap();
    let outcomes = org.write(Kind::Conversation, vec![of(&org, "v1")]).await;
    assert!(
        matches!(&outcomes[0].status, Status::Rejected(Error::Conflict(why)) if why.contains("recycle bin")),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_preview_changes_nothing_and_says_what_a_rollback_would_do() {
    let org = org().await;
    org.write(Kind::Conversation, vec![of(&org, "v1")]).await;
    let whole = org.sim.state_fingerprint();
    let would = org.rollback(UndoMode::Preview).await;
    assert_undone(&would, "preview");
    assert_same(&whole, &org.sim.state_fingerprint(), "preview");
}

#[tokio::test]
async fn a_file_of_20_megabytes_arrives_whole() {
    let org = org().await;
    let mut part = mail(&org, "m1", "See", NOW);
    part.attachments = vec![file("f1", "film.bin", 20_000_000)];
    let item = thread("v1", Vec::new(), conversation(&org, "Film"), vec![part]);
    let outcomes = org.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]));
    assert_eq!(
        outcomes[0]
            .losses
            .iter()
            .filter(|l| l.field == "attachment")
            .count(),
        0
    );
    let snapshot = org.snapshot();
    assert_eq!(
        snapshot.files_on(&case_id(&org, "v1"))[0].1.bytes.len(),
        20_000_000
    );
}

#[tokio::test]
async fn a_thread_of_3_000_messages_is_read_back_whole_and_in_order() {
    let org = org().await;
    let parts: Vec<Part> = (0..3_000)
        .map(|n| {
            let at = NOW + n * 500;
            match n % 3 {
                0 => note(&org, &format!("m{n}"), &format!("note {n}"), at),
                _ => mail(&org, &format!("m{n}"), &format!("mail {n}"), at),
            }
        })
        .collect();
    let item = thread("v1", Vec::new(), conversation(&org, "Long"), parts);
    let outcomes = org.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]));
    let written = Written {
        item: "conversation:v1".to_owned(),
        kind: Kind::Conversation,
        effects: outcomes[0].effects.clone(),
    };
    let harness = org.harness();
    let cx = harness.context();
    let seen = Salesforce::read_back(&cx, vec![written]).await.unwrap();
    assert_eq!(seen[0].presence, Presence::Present);
    assert_eq!(seen[0].fingerprint, outcomes[0].effects[0].fingerprint);
    let thread = seen[0].body.as_ref().unwrap().thread().unwrap();
    let said: Vec<String> = thread
        .parts
        .iter()
        .map(|part| match &part.message.data {
            Entity::Message(message) => match message.text.as_ref().unwrap() {
                Text::Inline(text) => text.clone(),
                Text::Stored(_) => "stored".to_owned(),
            },
            _ => String::new(),
        })
        .collect();
    let wanted: Vec<String> = (0..3_000)
        .map(|n| match n % 3 {
            0 => format!("note {n}"),
            _ => format!("mail {n}"),
        })
        .collect();
    assert_eq!(said, wanted);
}
