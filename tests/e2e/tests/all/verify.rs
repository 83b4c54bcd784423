//! What `verify` says: of a run that was left alone, of one that somebody damaged, of one that was taken back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::BTreeSet;

use serde_json::json;
use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
use transload_host::pipeline::model::DifferenceKind::{self, *};
use transload_host::pipeline::model::{
    RollbackOptions, RunOptions, VerifyOptions, VerifyReport, VerifyScope,
};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{rollback, run, verify};
use transload_host::report;
use transload_simulators as simulated;
use transload_simulators::kustomer::{Kind, State};

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

async fn migrated<D: Destination>(config: LabConfig) -> (Lab<D>, Project) {
    let lab = Lab::<D>::of(config).await.unwrap();
    let project = lab.project().await.unwrap();
    run(&project, yes(), &Silent).await.unwrap();
    (lab, project)
}

async fn look(project: &Project, scope: VerifyScope) -> VerifyReport {
    let options = VerifyOptions {
        scope,
        ..VerifyOptions::default()
    };
    let found = verify(project, options, &Silent).await.unwrap();
    println!("{}", report::verification(&found, None));
    found
}

/// Kinds of differences and their fields, by the source's id of the record.
fn sorts(found: &VerifyReport, source_id: &str) -> BTreeSet<(DifferenceKind, String)> {
    let of_record = found
        .differences
        .iter()
        .filter(|one| one.source_id == source_id);
    of_record.map(|one| (one.what, one.field.clone())).collect()
}

/// Asserts that each damage is named, and that nothing else is.
fn assert_named(found: &VerifyReport, wanted: &[(String, DifferenceKind, &str)]) {
    for (source_id, what, field) in wanted {
        let sorts = sorts(found, source_id);
        assert!(
            sorts.contains(&(*what, (*field).to_owned())),
            "{source_id}: {what:?} of {field} is not among {sorts:?}"
        );
    }
    let damaged: BTreeSet<&str> = wanted.iter().map(|(id, ..)| id.as_str()).collect();
    let named: BTreeSet<&str> = found
        .differences
        .iter()
        .map(|one| one.source_id.as_str())
        .collect();
    assert_eq!(named, damaged);
    assert!(!found.ok);
    // A person can act on each: what it is there, and mostly where.
    assert!(found.differences.iter().all(|one| one.target.is_some()));
}

destinations!(a_run_that_was_left_alone_verifies_clean_and_so_does_what_was_taken_back);

async fn a_run_that_was_left_alone_verifies_clean_and_so_does_what_was_taken_back<
    D: Destination,
>() {
    let (_lab, project) = migrated::<D>(LabConfig::default()).await;
    let found = look(&project, VerifyScope::All).await;
    let undone = rollback(&project, RollbackOptions::default(), &Silent);
    assert_eq!(undone.await.unwrap().left, 0);
    let after = look(&project, VerifyScope::All).await;
    assert!(found.ok, "{} differences", found.undeclared);
    assert!(
        after.ok,
        "{} differences after the rollback",
        after.undeclared
    );
    assert!(!found.after_rollback && after.after_rollback);
    for kind in &found.kinds {
        assert_eq!(kind.checked, kind.there, "{kind:?}");
        // One read for a batch of records.
        assert!(kind.reads <= kind.there.div_ceil(25), "{kind:?}");
    }
    let compared = |word: &str| {
        let kind = found.kinds.iter().find(|kind| kind.kind == word);
        kind.map_or(0, |kind| kind.compared)
    };
    assert!(compared("customer") >= 10 && compared("conversation") >= 20);
}

// ---- Zendesk

/// The source's id of a ticket.
fn of_ticket(ticket: &simulated::zendesk::Ticket) -> Option<String> {
    let id = ticket
        .external_id
        .as_deref()?
        .split(":conversation:")
        .nth(1)?;
    Some(id.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damage_to_tickets_people_and_files_is_named() {
    let (lab, project) = migrated::<simulated::zendesk::Simulator>(LabConfig::default()).await;
    let there = &lab.destination;
    let snapshot = there.snapshot();
    let admin = snapshot.users[0].id;
    let mut tickets: Vec<&simulated::zendesk::Ticket> = snapshot
        .tickets
        .iter()
        .filter(|ticket| {
            ticket.imported && of_ticket(ticket).is_some() && ticket.comments.len() > 3
        })
        .collect();
    tickets.sort_by_key(|ticket| ticket.id);
    let with_file = |ticket: &&&simulated::zendesk::Ticket| {
        ticket.comments.iter().any(|comment| {
            comment
                .attachments
                .iter()
                .any(|file| file.content.is_some())
        })
    };
    let with_files: Vec<&simulated::zendesk::Ticket> =
        tickets.iter().filter(with_file).copied().take(2).collect();
    let others: Vec<&simulated::zendesk::Ticket> = tickets
        .iter()
        .filter(|ticket| with_files.iter().all(|other| other.id != ticket.id))
        .copied()
        .collect();
    let stranger = snapshot.tickets.iter().map(|ticket| ticket.requester_id);
    let mut wanted: Vec<(String, DifferenceKind, &str)> = vec![];
    let mut damage = |ticket: &simulated::zendesk::Ticket,
                      what,
                      field,
                      change: &dyn Fn(&mut simulated::zendesk::Ticket)| {
        assert!(there.damage_ticket(ticket.id, change));
        wanted.push((of_ticket(ticket).unwrap(), what, field));
    };
    damage(others[0], Differs, "conversation.subject", &|ticket| {
        ticket.subject = Some("Something else".into());
    });
    damage(others[1], Missing, "message", &|ticket| {
        ticket.comments.remove(1);
    });
    damage(others[2], Duplicate, "message", &|ticket| {
        let mut twice = ticket.comments[1].clone();
        twice.id += 1_000_000;
        ticket.comments.insert(2, twice);
    });
    damage(others[3], Extra, "message", &|ticket| {
        let mut more = ticket.comments[0].clone();
        more.id += 1_000_000;
        more.text = simulated::zendesk::CommentText::Plain("Nobody said this.".into());
        ticket.comments.push(more);
    });
    damage(others[4], Order, "message.sent-at", &|ticket| {
        ticket.comments.swap(0, 2);
    });
    damage(others[5], Differs, "message.text", &|ticket| {
        ticket.comments[1].text = simulated::zendesk::CommentText::Plain("Other words.".into());
    });
    damage(others[6], Differs, "message.visibility", &|ticket| {
        let comment = &mut ticket.comments[1];
        comment.public = !comment.public;
    });
    let stranger = stranger
        .filter(|id| *id != others[7].requester_id)
        .max()
        .unwrap();
    damage(others[7], Moved, "conversation.customer", &move |ticket| {
        ticket.requester_id = stranger;
    });
    // One whose requester says something else, too: a stand-in is one throughout.
    let twice = |ticket: &&&simulated::zendesk::Ticket| {
        let own = |comment: &&simulated::zendesk::Comment| comment.author_id == ticket.requester_id;
        ticket.comments.iter().filter(own).count() > 1
    };
    let by_customer = others[8..].iter().filter(twice);
    let by_customer = by_customer
        .copied()
        .find(|ticket| ![others[9].id, others[10].id].contains(&ticket.id));
    damage(
        by_customer.unwrap(),
        Author,
        "message.author",
        &move |ticket| {
            let requester = ticket.requester_id;
            let own = ticket
                .comments
                .iter_mut()
                .find(|comment| comment.author_id == requester);
            own.unwrap().author_id = admin;
        },
    );
    damage(with_files[0], File, "attachment.content", &|_| {});
    for file in with_files[0]
        .comments
        .iter()
        .flat_map(|comment| &comment.attachments)
    {
        let size = usize::try_from(file.size).unwrap();
        assert!(there.damage_file(&file.token, vec![b'?'; size]));
    }
    damage(with_files[1], Missing, "attachment", &|ticket| {
        for comment in &mut ticket.comments {
            comment.attachments.clear();
        }
    });
    let twin = others[9];
    there.copy_ticket(twin.id).unwrap();
    wanted.push((of_ticket(twin).unwrap(), Duplicate, "conversation"));
    let gone = others[10];
    damage_deleted(there, gone.id);
    wanted.push((of_ticket(gone).unwrap(), Missing, "conversation"));

    let marked = |user: &&simulated::zendesk::User| {
        let external = user.external_id.as_deref().unwrap_or_default();
        external.contains(":customer:")
    };
    let mut users = snapshot.users.iter().filter(marked);
    let source_id = |user: &simulated::zendesk::User| {
        let external = user.external_id.as_deref().unwrap();
        external.rsplit(':').next().unwrap().to_owned()
    };
    let user = users.next().unwrap();
    assert!(there.damage_user(user.id, |user| user.name = "Somebody".into()));
    wanted.push((source_id(user), Differs, "customer.name"));

    let found = look(&project, VerifyScope::All).await;
    assert_named(&found, &wanted);
    let changed = found
        .differences
        .iter()
        .find(|one| one.field == "conversation.subject")
        .unwrap();
    assert_eq!(changed.found.as_deref(), Some("Something else"));
    assert!(changed.expected.is_some() && changed.url.is_some());
    assert!(
        found.files.by_hash > 10 && found.files.by_size == 0,
        "{:?}",
        found.files
    );
    // It is part of the report, and of what the command prints and answers.
    let whole = transload_host::pipeline::report(&project, None)
        .await
        .unwrap();
    assert_eq!(whole.verification, Some(found.clone()));
    drop(project);
    let shown = lab.run(&["report"], &[0]).await.unwrap();
    assert!(shown.contains("Something else"), "{shown}");
    let again = lab.run(&["verify", "--all", "--json"], &[1]).await.unwrap();
    let again: VerifyReport = serde_json::from_str(&again).unwrap();
    assert_eq!(again.differences, found.differences);
    let closed = lab
        .run(&["verify", "--all", "--no-content"], &[1])
        .await
        .unwrap();
    assert!(
        !closed.contains("Something else") && !closed.contains("Somebody"),
        "{closed}"
    );
}

/// Deletes a ticket as an agent does.
fn damage_deleted(there: &simulated::zendesk::Simulator, id: u64) {
    let deletion = |ticket: &simulated::zendesk::Ticket| simulated::zendesk::Deletion {
        at: ticket.updated_at,
        by: ticket.requester_id,
    };
    assert!(there.damage_ticket(id, |ticket| ticket.deleted = Some(deletion(ticket))));
}

// ---- Salesforce

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_cases_mails_and_contacts_is_named() {
    let (lab, project) = migrated::<simulated::salesforce::Simulator>(LabConfig::default()).await;
    let there = &lab.destination;
    let snapshot = there.snapshot();
    let source_id = |row: &simulated::salesforce::Row| {
        row.text("Transload_Source_Id__c")
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned()
    };
    let rows = |object: &'static str| -> Vec<&simulated::salesforce::Row> {
        let all = snapshot.of_object(object);
        all.filter(|row| !row.text("Transload_Source_Id__c").is_empty())
            .collect()
    };
    let hanging = |object: &str, case: &str| -> Vec<String> {
        let all = snapshot.of_object(object);
        let of_case = all.filter(|row| row.text("ParentId") == case);
        of_case.map(|row| row.id.clone()).collect()
    };
    let cases = rows("Case");
    let mut wanted: Vec<(String, DifferenceKind, &str)> = vec![];
    there
        .change(&cases[0].id, &json!({"Subject": "Something else"}))
        .unwrap();
    wanted.push((source_id(cases[0]), Differs, "conversation.subject"));
    // A comment goes, and one comes.
    let comments = |case: &simulated::salesforce::Row| hanging("CaseComment", &case.id);
    let with_comments: Vec<&&simulated::salesforce::Row> = cases[1..]
        .iter()
        .filter(|case| comments(case).len() > 3)
        .collect();
    there.remove(&comments(with_comments[0])[1]).unwrap();
    wanted.push((source_id(with_comments[0]), Missing, "message"));
    let more = json!({"ParentId": with_comments[1].id, "CommentBody": "Nobody said this.", "IsPublished": false});
    there.make("CaseComment", &more).unwrap();
    wanted.push((source_id(with_comments[1]), Extra, "message"));
    let contacts = rows("Contact");
    let (own, other) = (contacts[0], contacts[1]);
    let moved = with_comments[2];
    let to = if moved.text("ContactId") == own.id {
        other
    } else {
        own
    };
    there
        .change(&moved.id, &json!({"ContactId": to.id}))
        .unwrap();
    wanted.push((source_id(moved), Moved, "conversation.customer"));
    there
        .change(&contacts[2].id, &json!({"Email": "somebody@else.example"}))
        .unwrap();
    wanted.push((source_id(contacts[2]), Differs, "customer.addresses.email"));
    let found = look(&project, VerifyScope::All).await;
    assert_named(&found, &wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rollback_what_is_left_and_what_is_not_as_before_is_named() {
    let lab = Lab::<simulated::salesforce::Simulator>::of(LabConfig::default())
        .await
        .unwrap();
    let there = &lab.destination;
    // One who is at the destination already, with an address and nothing else.
    let world = lab.source.world();
    let (id, email) = world
        .ids(Kind::Customer)
        .into_iter()
        .filter(|id| matches!(world.state(id), Some(State::Live)))
        .find_map(|id| {
            let json = world.json(&id)?;
            json.pointer("/attributes/phones/0/phone")?;
            let email = json
                .pointer("/attributes/emails/0/email")?
                .as_str()?
                .to_owned();
            (!email.starts_with("agent")).then_some((id, email))
        })
        .unwrap();
    let contact = there
        .make("Contact", &json!({"LastName": "Before", "Email": email}))
        .unwrap();
    let project = lab.project().await.unwrap();
    let done = run(&project, yes(), &Silent).await.unwrap();
    assert!(done.total.updated > 0);
    // It keeps what it had, by the policy for matched people.
    assert!(look(&project, VerifyScope::All).await.ok);

    let some = RollbackOptions {
        kinds: Some(vec![
            "conversation".into(),
            "custom-object".into(),
            "relationship".into(),
        ]),
        ..RollbackOptions::default()
    };
    rollback(&project, some, &Silent).await.unwrap();
    let partly = look(&project, VerifyScope::All).await;
    assert!(!partly.ok && partly.after_rollback);
    let of = |kind: &str| partly.kinds.iter().find(|one| one.kind == kind).unwrap();
    assert_eq!(of("conversation").undeclared, 0);
    assert_eq!(of("customer").undeclared, of("customer").there);
    assert!(
        sorts(&partly, &id)
            .iter()
            .any(|(what, _)| *what == NotAsBefore)
    );
    assert!(
        partly
            .differences
            .iter()
            .any(|one| one.what == Left && one.kind == "company")
    );

    let undone = rollback(&project, RollbackOptions::default(), &Silent);
    assert_eq!(undone.await.unwrap().left, 0);
    let whole = look(&project, VerifyScope::All).await;
    assert!(whole.ok, "{} differences", whole.undeclared);
    // Something that the run had filled.
    let effects = project.store.map(
        "SELECT source_id, effect FROM effects WHERE kind = 'customer' AND action = 'updated' AND part = 'main' AND source_id = $1",
        vec![id.as_str().into()],
    );
    let effect: serde_json::Value = serde_json::from_str(&effects.await.unwrap()[&id]).unwrap();
    let before = effect["before"].as_str().unwrap();
    let before: serde_json::Map<String, serde_json::Value> = serde_json::from_str(before).unwrap();
    println!("filled: {:?}", before.keys().collect::<Vec<_>>());
    let filled = ["FirstName", "Phone", "MobilePhone"]
        .into_iter()
        .find(|name| before.contains_key(*name));
    there
        .change(&contact, &json!({(filled.unwrap()): "Somebody"}))
        .unwrap();
    let changed = look(&project, VerifyScope::All).await;
    let named: Vec<(&str, DifferenceKind)> = changed
        .differences
        .iter()
        .map(|one| (one.source_id.as_str(), one.what))
        .collect();
    assert_eq!(named, [(id.as_str(), NotAsBefore)]);
}

// ---- Intercom

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_conversations_is_named() {
    let (lab, project) = migrated::<simulated::intercom::Simulator>(LabConfig::default()).await;
    let there = &lab.destination;
    let snapshot = there.snapshot();
    let said = |part: &simulated::intercom::model::Part| {
        let body = part.body.as_deref().unwrap_or_default();
        ["comment", "note"].contains(&part.part_type.as_str()) && !body.is_empty()
    };
    let long: Vec<&simulated::intercom::model::Conversation> = snapshot
        .conversations
        .iter()
        .filter(|one| one.parts.iter().filter(|part| said(part)).count() > 4)
        .collect();
    let source_id = |one: &simulated::intercom::model::Conversation| {
        let mut values = one.custom_attributes.values();
        let marker = values.find_map(|value| value.as_str()?.split(":conversation:").nth(1));
        marker.unwrap().to_owned()
    };
    let mut wanted: Vec<(String, DifferenceKind, &str)> = vec![];
    assert!(there.damage_conversation(long[0].id, |one| {
        let part = one
            .parts
            .iter_mut()
            .filter(|part| said(part))
            .nth(1)
            .unwrap();
        part.body = Some("<p>Other words.</p>".into());
    }));
    wanted.push((source_id(long[0]), Differs, "message.text"));
    assert!(there.damage_conversation(long[1].id, |one| {
        let at = one.parts.iter().position(said).unwrap();
        one.parts.remove(at);
    }));
    wanted.push((source_id(long[1]), Missing, "message"));
    assert!(there.damage_conversation(long[2].id, |one| {
        let mut more = one.parts.iter().find(|part| said(part)).unwrap().clone();
        more.id += 1_000_000;
        more.created_at += 1;
        one.parts.push(more);
    }));
    wanted.push((source_id(long[2]), Duplicate, "message"));
    let found = look(&project, VerifyScope::All).await;
    assert_named(&found, &wanted);
}

// ---- samples

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_has_every_sort_is_the_same_each_time_and_costs_a_read_for_a_batch() {
    let config = LabConfig {
        size: 120,
        // 2026-02-01T08:00:00Z: which records are in the sample is the same each time.
        begins: Some(1_769_932_800_000),
        ..LabConfig::default()
    };
    let (_lab, project) = migrated::<simulated::zendesk::Simulator>(config).await;
    let sample = |seed| VerifyScope::Sample { size: 60, seed };
    let found = look(&project, sample(1)).await;
    assert!(found.ok, "{:#?}", found.differences);
    let checked =
        |found: &VerifyReport| -> u64 { found.kinds.iter().map(|kind| kind.checked).sum() };
    let there: u64 = found.kinds.iter().map(|kind| kind.there).sum();
    assert!(
        (60..there / 2).contains(&checked(&found)),
        "{} of {there}",
        checked(&found)
    );
    assert!(
        found
            .kinds
            .iter()
            .all(|kind| kind.checked > 0 && kind.reads <= kind.checked.div_ceil(25))
    );
    let again = look(&project, sample(1)).await;
    assert_eq!((again.kinds, again.declared), (found.kinds, found.declared));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_says_what_is_wrong() {
    let lab = Lab::new(LabConfig {
        few: true,
        ..LabConfig::default()
    });
    let lab = lab.await.unwrap();
    for (args, code, word) in [
        (vec!["verify"], 2, "nothing has been run yet"),
        (vec!["verify", "--run", "r0"], 2, "there is no run r0"),
        (
            vec!["verify", "--kinds", "poll"],
            2,
            "there is no kind `poll`",
        ),
        (vec!["verify", "--sample", "0"], 2, "--sample"),
        (
            vec!["verify", "--all", "--sample", "5"],
            2,
            "cannot be used with",
        ),
    ] {
        let output = lab.output(&args).await.unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {words}");
        assert!(words.contains(word), "{args:?}: {words}");
    }
}
