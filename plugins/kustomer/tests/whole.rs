//! The whole connector against the Kustomer simulator: what is read is what is there, whatever the documentation leaves open.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::{Account, kind_name};
use transload_plugin_kustomer::Kustomer;
use transload_sdk::Source;
use transload_sdk::session::Severity;
use transload_sdk::types::{AttachmentState, BodySource, Entity, Entry, Kind, Text};
use transload_simulators::kustomer::{
    ApiKey, Beyond, BodyResource, Config, ErrorShape, Kind as Sim, NoteFiles, Oversize,
    PREVIEW_CAP, Place, State, Switches,
};

/// Kinds that have parts of their own.
const KINDS: [Kind; 13] = [
    Kind::Team,
    Kind::Agent,
    Kind::Tag,
    Kind::Brand,
    Kind::FieldDefinition,
    Kind::ObjectType,
    Kind::Company,
    Kind::Customer,
    Kind::Conversation,
    Kind::Message,
    Kind::CustomObject,
    Kind::Category,
    Kind::Article,
];

fn ids(entries: &BTreeMap<(String, String), Entry>, kind: &Kind) -> BTreeSet<String> {
    entries
        .keys()
        .filter(|(k, _)| *k == kind_name(kind))
        .map(|(_, id)| id.clone())
        .collect()
}

fn set(ids: Vec<String>) -> BTreeSet<String> {
    ids.into_iter().collect()
}

/// What must be read of an account: ids by kind. Deleted notes older than two years are in no index and in no list.
fn expect(account: &Account) -> BTreeMap<&'static str, (BTreeSet<String>, BTreeSet<String>)> {
    let world = account.sim.world();
    let mut must = BTreeMap::new();
    let alive = |id: &String| world.state(id) == Some(State::Live);
    let not_merged = |id: &String| !matches!(world.state(id), Some(State::MergedInto(_)));
    let both = |ids: Vec<String>| (set(ids.clone()), set(ids));
    must.insert("company", both(world.ids(Sim::Company)));
    must.insert("conversation", both(world.ids(Sim::Conversation)));
    must.insert("custom-object", both(world.ids(Sim::KObject)));
    must.insert("agent", both(world.ids(Sim::User)));
    must.insert(
        "customer",
        both(
            world
                .ids(Sim::Customer)
                .into_iter()
                .filter(not_merged)
                .collect(),
        ),
    );
    let messages = set(world.ids(Sim::Message));
    let notes = world.ids(Sim::Note);
    let live: BTreeSet<String> = messages
        .iter()
        .cloned()
        .chain(notes.iter().filter(|n| alive(n)).cloned())
        .collect();
    let may: BTreeSet<String> = messages.into_iter().chain(notes).collect();
    must.insert("message", (live, may));
    must
}

async fn assert_complete(account: &Account, what: &str) -> BTreeMap<(String, String), Entry> {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        all.extend(account.drain(&kind, None).await);
    }
    for (kind, (must, may)) in expect(account) {
        let read: BTreeSet<String> = all
            .keys()
            .filter(|(k, _)| k == kind)
            .map(|(_, id)| id.clone())
            .collect();
        let missing: Vec<_> = must.difference(&read).take(5).collect();
        let strange: Vec<_> = read.difference(&may).take(5).collect();
        assert!(
            missing.is_empty() && strange.is_empty(),
            "{what}: {kind}: {} read; missing {missing:?}, strange {strange:?}",
            read.len()
        );
    }
    all
}

fn config(size: usize, switches: Switches) -> Config {
    Config {
        size,
        switches,
        searches_per_minute: u64::MAX / 2,
        requests_per_minute: u64::MAX / 2,
        ..Config::default()
    }
}

#[tokio::test]
async fn everything_is_read_and_nothing_else() {
    let account = Account::new(config(400, Switches::default())).await;
    let all = assert_complete(&account, "default").await;
    let world = account.sim.world();
    // Files of messages and of notes, and recordings besides.
    let mut files = BTreeSet::new();
    for id in world
        .ids(Sim::Message)
        .into_iter()
        .chain(world.ids(Sim::Note))
    {
        if world.state(&id) == Some(State::Live) {
            files.extend(
                world
                    .files(&id)
                    .into_iter()
                    .map(|f| (f.id.to_string(), f.name, f.length, f.place)),
            );
        }
    }
    assert!(files.len() > 20, "the account has files");
    for (id, name, length, place) in &files {
        let Some(entry) = all.get(&("attachment".to_owned(), id.clone())) else {
            // Only a note of more than two years is out of reach of the filter that finds notes with files.
            assert!(world.json(id).is_none());
            continue;
        };
        let Entity::Attachment(attachment) = &entry.data else {
            panic!()
        };
        assert_eq!((&attachment.name, attachment.size), (name, Some(*length)));
        let fits = match (&attachment.state, place) {
            (AttachmentState::Available, Place::Stored)
            | (AttachmentState::Unavailable(_), Place::Nowhere) => true,
            (AttachmentState::External(_), Place::External | Place::Dead) => true,
            _ => false,
        };
        assert!(fits, "{place:?} {:?}", attachment.state);
    }
    let read = ids(&all, &Kind::Attachment);
    let of_messages: Vec<_> = world
        .ids(Sim::Message)
        .iter()
        .flat_map(|m| world.files(m))
        .map(|f| f.id.to_string())
        .collect();
    assert!(
        of_messages.iter().all(|id| read.contains(id)),
        "every file of a message is read"
    );
    assert!(
        !all.keys()
            .filter(|(k, _)| k == "relationship")
            .collect::<Vec<_>>()
            .is_empty()
    );
    assert!(
        all.contains_key(&(
            "field-definition".to_owned(),
            "customer/shadowStr".to_owned()
        )),
        "an attribute that nobody defined"
    );
    assert_eq!(ids(&all, &Kind::ObjectType).len(), 8);
}

#[tokio::test]
async fn texts_are_equal_byte_for_byte_and_what_is_cut_says_so() {
    let account = Account::new(config(300, Switches::default())).await;
    let read = account.drain(&Kind::Message, None).await;
    let world = account.sim.world();
    let (mut whole, mut cut) = (0, 0);
    for ((kind, id), entry) in &read {
        let Entity::Message(message) = &entry.data else {
            continue;
        };
        assert_eq!(kind, "message");
        let truth = world.text(id).unwrap();
        let text = match &message.text {
            Some(Text::Inline(text)) => text.clone(),
            Some(Text::Stored(_)) => panic!("no text is over 64 KiB"),
            None => String::new(),
        };
        if truth.chars().count() > PREVIEW_CAP && world.ids(Sim::Message).contains(id) {
            cut += 1;
            assert!(truth.starts_with(&text));
            assert!(message.redacted || message.body_source == BodySource::Truncated);
            assert!(
                message.redacted || entry.head.losses.iter().any(|l| l.field == "message.text")
            );
        } else {
            whole += 1;
            assert!(message.redacted || text == truth, "{id}");
            assert_ne!(message.body_source, BodySource::Truncated, "{id}");
        }
    }
    assert!(whole > 500 && cut > 0, "{whole} whole, {cut} cut");
}

#[tokio::test]
async fn what_the_documentation_leaves_open_is_survived_either_way() {
    let base = Switches::default;
    let variants: [(&str, Switches); 8] = [
        (
            "ties in ever another order",
            Switches {
                unstable_ties: true,
                ..base()
            },
        ),
        (
            "no sorting but of customers",
            Switches {
                sorts_of_other_objects: false,
                ..base()
            },
        ),
        (
            "a ceiling of rows, refused beyond",
            Switches {
                search_rows: Some(1_000),
                ..base()
            },
        ),
        (
            "a ceiling of rows, empty beyond",
            Switches {
                search_rows: Some(1_000),
                beyond: Beyond::Empty,
                ..base()
            },
        ),
        (
            "a ceiling of rows, repeated beyond",
            Switches {
                search_rows: Some(1_000),
                beyond: Beyond::Repeat,
                ..base()
            },
        ),
        (
            "searches that time out",
            Switches {
                timed_out_every: Some(3),
                ..base()
            },
        ),
        (
            "a wide overlap of the indexes",
            Switches {
                horizon_overlap_ms: 40 * 86_400_000,
                ..base()
            },
        ),
        (
            "clamped pages and empty error bodies",
            Switches {
                oversize: Oversize::Clamp,
                errors: ErrorShape::Empty,
                ..base()
            },
        ),
    ];
    for (what, switches) in variants {
        let account = Account::new(config(250, switches)).await;
        assert_complete(&account, what).await;
    }
}

#[tokio::test]
async fn old_notes_are_read_where_their_list_ends_early() {
    for beyond in [Beyond::Refuse, Beyond::Empty, Beyond::Repeat] {
        let account = Account::new(config(
            400,
            Switches {
                list_rows: Some(100),
                beyond,
                ..Switches::default()
            },
        ))
        .await;
        let read = account.drain(&Kind::Message, None).await;
        let world = account.sim.world();
        let missing: Vec<String> = world
            .ids(Sim::Note)
            .into_iter()
            .filter(|id| {
                world.state(id) == Some(State::Live)
                    && !read.contains_key(&("message".to_owned(), id.clone()))
            })
            .collect();
        // Those on customers alone are in no other list that is worth its price; the notice says so.
        let in_threads = missing.iter().filter(|id| {
            world
                .json(id)
                .unwrap()
                .pointer("/relationships/conversation")
                .is_some()
        });
        assert_eq!(in_threads.count(), 0, "{beyond:?}");
        assert!(
            account
                .notices()
                .iter()
                .any(|n| n.code == "kustomer.notes-list-ends"),
            "{beyond:?}"
        );
    }
}

#[tokio::test]
async fn requests_are_few() {
    let account = Account::new(config(3_000, Switches::default())).await;
    account.sim.harness().recorder.clear();
    let (mut bound, mut rows) = (0_u64, 0_u64);
    for kind in [
        Kind::Company,
        Kind::Customer,
        Kind::Conversation,
        Kind::Message,
        Kind::CustomObject,
    ] {
        for read in account.drain_parts(&kind, None).await {
            // A window costs a request even if it is empty; old notes come by the hundred.
            let per_page = if read.id == "note/old" { 100 } else { 500 };
            bound += 1 + read.rows / per_page;
            rows += read.rows;
        }
    }
    let records = account.sim.harness().recorder.all();
    let asked = records
        .iter()
        .filter(|r| r.path.ends_with("/search") || r.path == "/v1/notes")
        .count() as u64;
    println!("{asked} requests for {rows} rows, bound {bound}");
    assert!(
        asked as f64 <= bound as f64 * 1.1,
        "{asked} requests for {rows} rows, bound {bound}"
    );
    let per_conversation = records
        .iter()
        .filter(|r| r.path.starts_with("/v1/conversations/"))
        .count();
    assert_eq!(per_conversation, 0, "nothing is asked per conversation");
    let messages_with_files = {
        let world = account.sim.world();
        world
            .ids(Sim::Message)
            .iter()
            .filter(|id| !world.files(id).is_empty())
            .count()
    };
    let for_files = records
        .iter()
        .filter(|r| r.path.contains("/attachments") && r.path.starts_with("/v1/messages/"))
        .count();
    assert_eq!(
        for_files, messages_with_files,
        "one request for each message with files"
    );
}

#[tokio::test]
async fn nothing_but_what_is_granted_is_asked() {
    let account = Account::new(config(150, Switches::default())).await;
    assert_complete(&account, "grants").await;
    Kustomer::inventory(&account.cx()).await.unwrap();
    Kustomer::check(&account.cx()).await.unwrap();
    let description = Kustomer::describe();
    for record in account.sim.harness().recorder.all() {
        let granted = description
            .requests
            .iter()
            .any(|p| p.method == record.method && support::glob(&p.path, &record.path));
        assert!(granted, "{} {} is not granted", record.method, record.path);
        assert!(
            record.method == "GET" || record.path.ends_with("/search"),
            "{} {}",
            record.method,
            record.path
        );
    }
}

#[tokio::test]
async fn a_later_pass_reads_what_was_touched_and_little_else() {
    let account = Account::new(config(200, Switches::default())).await;
    let before = account.now();
    let id = {
        let world = account.sim.world();
        world
            .ids(Sim::Conversation)
            .into_iter()
            .find(|id| world.state(id) == Some(State::Live))
            .unwrap()
    };
    account.sim.harness().clock.advance(120_000);
    assert!(account.sim.touch_conversation(&id));
    let message = account.sim.add_message(&id, "late ✓").unwrap();
    account.sim.harness().clock.advance(120_000);
    let conversations = account.drain(&Kind::Conversation, Some(before)).await;
    assert_eq!(
        ids(&conversations, &Kind::Conversation),
        BTreeSet::from([id.clone()])
    );
    let messages = account.drain(&Kind::Message, Some(before)).await;
    assert_eq!(ids(&messages, &Kind::Message), BTreeSet::from([message]));
}

#[tokio::test]
async fn a_record_touched_between_two_pages_hides_no_other() {
    let account = Account::new(config(
        1_500,
        Switches {
            index_lag_ms: 0,
            ..Switches::default()
        },
    ))
    .await;
    let ids_before: Vec<String> = account.sim.world().ids(Sim::Conversation);
    let touched: Vec<String> = {
        let world = account.sim.world();
        ids_before
            .iter()
            .filter(|id| world.state(id) == Some(State::Live))
            .take(40)
            .cloned()
            .collect()
    };
    let at = account.sim.harness().recorder.count() + 2;
    account.sim.after_request(at, move |sim| {
        sim.harness().clock.advance(120_000);
        for id in &touched {
            sim.touch_conversation(id);
        }
        sim.harness().clock.advance(120_000);
    });
    let until = account.now();
    let mut read = account.drain_until(&Kind::Conversation, None, until).await;
    read.extend(account.drain(&Kind::Conversation, Some(until)).await);
    assert_eq!(ids(&read, &Kind::Conversation), set(ids_before));
}

#[tokio::test]
async fn bodies_are_found_where_they_are_and_asked_for_as_wanted() {
    let mut account = Account::new(config(
        60,
        Switches {
            body_resource: BodyResource::Html,
            ..Switches::default()
        },
    ))
    .await;
    account.set("bodies", "all");
    account.discover().await;
    let read = account.drain(&Kind::Message, None).await;
    let world = account.sim.world();
    let mut seen = 0;
    for ((_, id), entry) in &read {
        let Entity::Message(message) = &entry.data else {
            continue;
        };
        let (Some(html), false) = (&message.html, message.redacted) else {
            continue;
        };
        let Text::Inline(html) = html else { continue };
        assert_eq!(Some(html.clone()), world.html(id));
        assert!(
            matches!(&message.text, Some(Text::Inline(text)) if *text == world.text(id).unwrap())
                || message.text.is_none()
        );
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
    drop(world);
    let account = Account::new(config(
        200,
        Switches {
            body_resource: BodyResource::Text,
            ..Switches::default()
        },
    ))
    .await;
    let read = account.drain(&Kind::Message, None).await;
    let truncated = read
        .values()
        .filter(|e| matches!(&e.data, Entity::Message(m) if m.body_source == BodySource::Truncated))
        .count();
    assert_eq!(truncated, 0, "what looks cut is asked for");
}

#[tokio::test]
async fn files_open_and_a_link_that_ended_is_asked_for_again() {
    let account = Account::new(config(200, Switches::default())).await;
    let read = account.drain(&Kind::Message, None).await;
    let stored: Vec<Entry> = read
        .values()
        .filter(|e| matches!(&e.data, Entity::Attachment(a) if a.state == AttachmentState::Available && a.size < Some(50_000)))
        .take(6)
        .cloned()
        .collect();
    assert_eq!(stored.len(), 6);
    for later in [0, 3_600_000] {
        account.sim.harness().clock.advance(later);
        for entry in &stored {
            let truth = account.sim.world().file_bytes(&entry.head.id).unwrap();
            assert_eq!(account.open(entry).await, truth);
        }
    }
    let gone = read.values().find(|e| matches!(&e.data, Entity::Attachment(a) if matches!(a.state, AttachmentState::Unavailable(_))));
    if let Some(gone) = gone {
        assert!(
            Kustomer::open_attachment(&account.cx(), gone.clone())
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn files_of_notes_that_cannot_be_listed_are_a_loss_that_shows() {
    let account = Account::new(config(
        300,
        Switches {
            note_files: NoteFiles::Hidden,
            ..Switches::default()
        },
    ))
    .await;
    let read = account.drain(&Kind::Message, None).await;
    let hidden = read
        .values()
        .filter(|e| e.head.id.ends_with("/files"))
        .count();
    assert!(hidden > 0);
}

#[tokio::test]
async fn merged_customers_lead_to_their_survivor() {
    let mut account = Account::new(config(300, Switches::default())).await;
    account.set("merges", "each");
    let read = account.drain(&Kind::Customer, None).await;
    let world = account.sim.world();
    let mut seen = 0;
    for id in world.ids(Sim::Customer) {
        if let Some(State::MergedInto(survivor)) = world.state(&id) {
            let Entity::Customer(customer) = &read[&("customer".to_owned(), survivor)].data else {
                panic!()
            };
            assert!(customer.merged_from.contains(&id));
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[tokio::test]
async fn companies_have_their_parent_and_klass_data_kept_outside_is_fetched() {
    let account = Account::new(config(400, Switches::default())).await;
    let companies = account.drain(&Kind::Company, None).await;
    let parents = companies
        .values()
        .filter(|e| matches!(&e.data, Entity::Company(c) if c.parent.is_some()))
        .count();
    assert!(parents > 0);
    let objects = account.drain(&Kind::CustomObject, None).await;
    let lost = objects
        .values()
        .filter(|e| {
            e.head
                .losses
                .iter()
                .any(|l| l.field == "custom-object.data")
        })
        .count();
    assert_eq!(lost, 0);
    let world = account.sim.world();
    for (_, entry) in objects.iter().filter(|((k, _), _)| k == "custom-object") {
        let Entity::CustomObject(object) = &entry.data else {
            panic!()
        };
        let truth = world.json(&entry.head.id).unwrap();
        if let (Some(data), Some(Text::Inline(read))) =
            (truth.pointer("/attributes/data"), &object.data)
        {
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(read).unwrap(),
                *data
            );
        }
    }
}

#[tokio::test]
async fn forwards_come_as_internal_notes_when_they_are_wanted() {
    let mut account = Account::new(config(100, Switches::default())).await;
    account.set("forwards", true);
    let read = account.drain(&Kind::Message, None).await;
    let forwards = read
        .values()
        .filter(|e| matches!(&e.data, Entity::Message(m) if m.forwarded))
        .count();
    assert!(forwards > 0);
}

#[tokio::test]
async fn a_check_names_the_account_its_rights_and_what_is_masked() {
    let account = Account::new(config(60, Switches::default())).await;
    let full = Kustomer::check(&account.cx()).await.unwrap();
    assert_eq!(full.id.len(), 24);
    assert!(
        full.missing.is_empty() && full.excess.is_empty(),
        "{full:?}"
    );
    assert!(
        full.notices.iter().all(|n| n.severity == Severity::Info),
        "{:?}",
        full.notices
    );

    let mut switches = Switches::default();
    switches.sensitive = vec!["customer.emails".to_owned(), "customer.name".to_owned()];
    let mut poor = ApiKey::full();
    poor.reads_sensitive = false;
    poor.roles
        .retain(|role| !role.contains(".kb.") && !role.contains(".workflow."));
    poor.roles.push("org.permission.customer.update".to_owned());
    let masked = Account::new(Config {
        keys: vec![poor],
        ..config(60, switches)
    })
    .await;
    let account = Kustomer::check(&masked.cx()).await.unwrap();
    assert_eq!(account.missing, ["org.permission.kb.read"]);
    assert_eq!(account.excess, ["org.permission.customer.update"]);
    let danger = account
        .notices
        .iter()
        .find(|n| n.severity == Severity::Danger)
        .unwrap();
    assert!(
        danger.message.contains("emails") && danger.message.contains("name"),
        "{danger:?}"
    );
}

#[tokio::test]
async fn a_key_of_another_pod_is_explained() {
    let mut key = ApiKey::full();
    key.other_pod = Some("prod2".to_owned());
    let account = Account::without_discovery(Config {
        keys: vec![key],
        ..config(30, Switches::default())
    });
    let error = Kustomer::check(&account.cx()).await.unwrap_err();
    println!("{error:?}");
    assert!(
        matches!(error, transload_sdk::types::Error::Auth(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn discovery_is_cheap_and_counts_what_there_is() {
    let account = Account::without_discovery(config(300, Switches::default()));
    let found = Kustomer::discover(&account.cx()).await.unwrap();
    let asked = account.sim.harness().recorder.count();
    assert!(asked < 100, "{asked} requests");
    let count = |kind: &Kind| {
        found
            .counts
            .iter()
            .filter(|c| c.kind == *kind)
            .filter_map(|c| c.count)
            .sum::<u64>()
    };
    let truth = account.sim.world().counts();
    // The indexes overlap by a day, so a few may count twice.
    let all = (truth.conversations + truth.deleted_conversations) as u64;
    assert!(
        (all..all + 5).contains(&count(&Kind::Conversation)),
        "{} of {all}",
        count(&Kind::Conversation)
    );
    assert_eq!(count(&Kind::Agent), truth.users as u64);
    assert!(
        found
            .foreign_hosts
            .iter()
            .any(|host| host.contains("external")),
        "{:?}",
        found.foreign_hosts
    );
    assert!(
        found.state.len() < 64 * 1024,
        "{} bytes of state",
        found.state.len()
    );
}

#[tokio::test]
async fn the_inventory_lists_what_people_must_rebuild() {
    let account = Account::new(config(30, Switches::default())).await;
    let items = Kustomer::inventory(&account.cx()).await.unwrap();
    for section in [
        "queue",
        "queue-rule",
        "sla",
        "workflow",
        "shortcut",
        "survey",
        "snooze",
        "schedule",
        "sender",
    ] {
        assert!(
            items
                .iter()
                .any(|i| i.section == section && !i.name.is_empty()),
            "{section}"
        );
    }
    let closing = items.iter().find(|i| i.name == "Close old ones").unwrap();
    assert_eq!(closing.enabled, Some(false));
}

#[tokio::test]
async fn single_records_are_fetched_as_they_are_now_and_gone_ones_left_out() {
    let account = Account::new(config(100, Switches::default())).await;
    let (message, note, deleted) = {
        let world = account.sim.world();
        let live = |kind: Sim| {
            world
                .ids(kind)
                .into_iter()
                .find(|id| world.state(id) == Some(State::Live))
                .unwrap()
        };
        let deleted = world
            .ids(Sim::Conversation)
            .into_iter()
            .find(|id| world.state(id) == Some(State::Deleted))
            .unwrap();
        (live(Sim::Message), live(Sim::Note), deleted)
    };
    let reference = transload_plugin_kustomer::map::reference;
    let refs = vec![
        reference(Kind::Message, message.clone()),
        reference(Kind::Message, note.clone()),
        reference(Kind::Conversation, deleted),
    ];
    let found = Kustomer::fetch(&account.cx(), refs).await.unwrap();
    let found: BTreeSet<String> = found
        .into_iter()
        .filter(|e| e.head.kind != Kind::Attachment)
        .map(|e| e.head.id)
        .collect();
    assert!(
        found.contains(&message) && found.contains(&note),
        "{found:?}"
    );
}
