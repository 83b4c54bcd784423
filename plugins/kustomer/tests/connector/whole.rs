//! The whole connector against the Kustomer simulator: what is read is what is there, whatever the documentation leaves open.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Account, Entries, KINDS};
use transload_plugin_kustomer::Kustomer;
use transload_sdk::Source;
use transload_sdk::session::Severity;
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::{BodySource, Entity, Kind, Text};
use transload_simulators::kustomer::{
    ApiKey, Beyond, BodyResource, Config, ErrorShape, Kind as Sim, NoteFiles, Oversize,
    PREVIEW_CAP, State, Switches,
};

fn ids(entries: &Entries, kind: &Kind) -> BTreeSet<String> {
    entries
        .keys()
        .filter(|(k, _)| k == kind.word())
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

async fn assert_complete(account: &Account, what: &str) -> Entries {
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

#[tokio::test]
async fn everything_is_read_and_nothing_else() {
    let account = Account::new(Account::config(400, Switches::default())).await;
    let all = assert_complete(&account, "default").await;
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
    let statuses: BTreeSet<String> = all
        .values()
        .filter_map(|entry| match &entry.data {
            Entity::ObjectType(klass) => Some(klass.status.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(ids(&all, &Kind::ObjectType).len(), 8);
    assert_eq!(
        statuses,
        ["disabled", "enabled", "existing_only"]
            .map(str::to_owned)
            .into()
    );
    deleted_attributes_keep_their_values(&all);
    articles_have_their_languages_and_categories(&all);
    satisfaction_is_whole(&all);
}

fn deleted_attributes_keep_their_values(all: &Entries) {
    let old = &all[&(
        "field-definition".to_owned(),
        "customer/oldFieldStr".to_owned(),
    )];
    assert!(matches!(&old.data, Entity::FieldDefinition(field) if field.retired));
    let used = all.values().filter(|entry| {
        entry.head.kind == Kind::Customer
            && entry.head.fields.iter().any(|f| f.name == "oldFieldStr")
    });
    assert!(used.count() > 0, "values of a deleted attribute");
}

fn articles_have_their_languages_and_categories(all: &Entries) {
    let mut languages = BTreeSet::new();
    for (key, entry) in all {
        let Entity::Article(article) = &entry.data else {
            continue;
        };
        for version in &article.versions {
            languages.insert(version.language.clone());
            let Text::Inline(html) = &version.html else {
                panic!("short")
            };
            assert!(
                html.contains("<h1>") && !version.title.is_empty(),
                "{key:?}"
            );
        }
        assert!(!article.categories.is_empty());
        for category in &article.categories {
            assert!(all.contains_key(&("category".to_owned(), category.id.clone())));
        }
    }
    assert_eq!(languages, ["de", "en_us", "ja"].map(str::to_owned).into());
    let below = all.values().filter(|entry| {
        matches!(&entry.data, Entity::Category(c) if c.parent.is_some() && !c.names.is_empty())
    });
    assert!(below.count() > 0, "categories in categories");
}

fn satisfaction_is_whole(all: &Entries) {
    let given: Vec<_> = all
        .values()
        .filter_map(|entry| match &entry.data {
            Entity::Conversation(conversation) => conversation.satisfaction.as_ref(),
            _ => None,
        })
        .collect();
    let mut commented = 0;
    for said in given
        .iter()
        .filter(|s| s.status.as_deref() == Some("commented"))
    {
        assert!(said.rating.is_some() && said.score.is_some() && !said.answers.is_empty());
        commented += 1;
    }
    assert!(commented > 0);
    let scales: BTreeSet<&str> = given.iter().filter_map(|s| s.scale.as_deref()).collect();
    assert_eq!(
        scales,
        BTreeSet::from([
            "emoji, 2 options, Bad to Good",
            "number, 5 options, Bad to Good"
        ])
    );
}

#[tokio::test]
async fn texts_are_equal_byte_for_byte_and_what_is_cut_says_so() {
    let account = Account::new(Account::config(300, Switches::default())).await;
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
    let variants: [(&str, Switches); 9] = [
        (
            "klasses that search does not know",
            Switches {
                klasses_all_searched: false,
                ..base()
            },
        ),
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
        let account = Account::new(Account::config(250, switches)).await;
        assert_complete(&account, what).await;
    }
}

#[tokio::test]
async fn old_notes_are_read_where_their_list_ends_early() {
    for beyond in [Beyond::Refuse, Beyond::Empty, Beyond::Repeat] {
        let account = Account::new(Account::config(
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
        // Those on customers alone are in no other list that is worth its price, as the notice says; those of deleted
        // conversations are in none.
        let in_threads = missing.iter().filter(|id| {
            let note = world.json(id).unwrap();
            let conversation = note.pointer("/relationships/conversation/data/id");
            conversation
                .and_then(|id| world.state(id.as_str()?))
                .is_some_and(|state| state == State::Live)
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
async fn nothing_but_what_is_granted_is_asked() {
    let account = Account::new(Account::config(150, Switches::default())).await;
    assert_complete(&account, "grants").await;
    Kustomer::inventory(&account.cx()).await.unwrap();
    Kustomer::check(&account.cx()).await.unwrap();
    let description = Kustomer::describe();
    for record in account.sim.harness().recorder.all() {
        let granted = description
            .requests
            .iter()
            .any(|p| p.method == record.method && crate::support::glob(&p.path, &record.path));
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
    let account = Account::new(Account::config(200, Switches::default())).await;
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
    let account = Account::new(Account::config(
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
    let mut account = Account::new(Account::config(
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
    let account = Account::new(Account::config(
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
async fn merged_customers_lead_to_their_survivor() {
    let mut account = Account::new(Account::config(300, Switches::default())).await;
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
    let account = Account::new(Account::config(400, Switches::default())).await;
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
async fn a_check_names_the_account_its_rights_and_what_is_masked() {
    let account = Account::new(Account::config(60, Switches::default())).await;
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

    let switches = Switches {
        sensitive: vec!["customer.emails".to_owned(), "customer.name".to_owned()],
        ..Switches::default()
    };
    let mut poor = ApiKey::full();
    poor.reads_sensitive = false;
    poor.roles
        .retain(|role| !role.contains(".kb.") && !role.contains(".workflow."));
    poor.roles.push("org.permission.customer.update".to_owned());
    let masked = Account::new(Config {
        keys: vec![poor],
        ..Account::config(60, switches)
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
        ..Account::config(30, Switches::default())
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
    let account = Account::without_discovery(Account::config(300, Switches::default()));
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
    let codes: Vec<&str> = found.notices.iter().map(|n| n.code.as_str()).collect();
    assert!(codes.contains(&"kustomer.forwards-left-out"), "{codes:?}");
    // What it would cost not to leave them out is said in numbers.
    for (code, kind) in [
        ("kustomer.forwards-left-out", Kind::Conversation),
        ("kustomer.merges-recent", Kind::Customer),
    ] {
        let notice = found.notices.iter().find(|n| n.code == code).unwrap();
        let price = format!("{} requests as of now", count(&kind));
        let remedy = notice.remedy.as_deref().unwrap();
        assert!(remedy.contains(&price), "{remedy}, not {price}");
    }
    assert!(
        found.state.len() < 64 * 1024,
        "{} bytes of state",
        found.state.len()
    );
}

#[tokio::test]
async fn windows_are_half_open_and_what_lies_on_their_edge_is_in_one_of_them() {
    let account = Account::new(Account::config(800, Switches::default())).await;
    let until = account.now() + 1;
    let parts = Kustomer::partitions(&account.cx(), Kind::Message, None, until)
        .await
        .unwrap();
    let whole = parts
        .into_iter()
        .find(|part| part.id.starts_with("message/standard/"))
        .unwrap();
    // The moment that most messages share: it must fall into the later of two windows that meet there.
    let world = account.sim.world();
    let mut times: BTreeMap<i64, usize> = BTreeMap::new();
    for id in world.ids(Sim::Message) {
        let json = world.json(&id).unwrap();
        let at = json["attributes"]["updatedAt"].as_str().unwrap();
        let at = transload_plugin_kustomer::time::parse(at).unwrap().at;
        *times.entry(at).or_default() += 1;
    }
    drop(world);
    let (edge, shared) = times.into_iter().max_by_key(|(_, n)| *n).unwrap();
    assert!(shared > 500, "{shared} messages on one moment");
    let window = |id: &str, from: Option<i64>, to: i64| {
        let mut part = whole.clone();
        let mut spec: serde_json::Value = serde_json::from_str(&part.spec).unwrap();
        spec["search"]["span"] = serde_json::json!({ "from": from, "to": to });
        (part.spec, part.id) = (spec.to_string(), id.to_owned());
        part
    };
    let mut read = Vec::new();
    for part in [
        whole.clone(),
        window("before", None, edge),
        window("from", Some(edge), until),
    ] {
        let entries = account.drain_part(&part).await;
        read.push(ids(&entries, &Kind::Message));
    }
    let [all, before, after] = read.try_into().unwrap();
    assert!(before.is_disjoint(&after));
    assert_eq!(before.union(&after).cloned().collect::<BTreeSet<_>>(), all);
    assert!(after.len() >= shared && !before.is_empty());
}

#[tokio::test]
async fn ties_of_1500_records_are_read_whole() {
    let account = Account::new(Account::config(1_500, Switches::default())).await;
    let read = account.drain(&Kind::Message, None).await;
    let mut times: BTreeMap<Option<i64>, usize> = BTreeMap::new();
    for entry in read.values().filter(|e| e.head.kind == Kind::Message) {
        *times.entry(entry.head.updated_at).or_default() += 1;
    }
    assert_eq!(times.values().max(), Some(&1_500));
    let there = set(account.sim.world().ids(Sim::Message));
    assert!(there.is_subset(&ids(&read, &Kind::Message)));
}

#[tokio::test]
async fn merges_of_the_audit_log_are_known_without_asking_each_customer() {
    let mut account = Account::without_discovery(Account::config(3_000, Switches::default()));
    let notices = account.discover().await;
    let notice = notices.iter().find(|n| n.code == "kustomer.merges-recent");
    println!("{}", notice.unwrap().message);
    account.sim.harness().recorder.clear();
    let read = account.drain(&Kind::Customer, None).await;
    let asked = account.sim.harness().recorder.all();
    assert!(asked.iter().all(|record| !record.path.contains("merges")));
    let world = account.sim.world();
    let mut resolved = 0;
    for entry in read.values() {
        let Entity::Customer(customer) = &entry.data else {
            continue;
        };
        for old in &customer.merged_from {
            assert_eq!(
                world.state(old),
                Some(State::MergedInto(entry.head.id.clone()))
            );
            resolved += 1;
        }
    }
    assert!(resolved > 2, "{resolved}");
}

#[tokio::test]
async fn a_loss_has_one_sentence_for_each_cause_so_that_losses_can_be_counted() {
    let mut key = ApiKey::full();
    key.reads_sensitive = false;
    let switches = Switches {
        note_files: NoteFiles::Hidden,
        body_resource: BodyResource::Html,
        ..Switches::default()
    };
    let mut account = Account::new(Config {
        keys: vec![key],
        ..Account::config(400, switches)
    })
    .await;
    account.set("bodies", "never");
    account.set("attachment_details", "open");
    let mut causes: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut lost = 0;
    for kind in KINDS {
        for (_, entry) in account.drain(&kind, None).await {
            for loss in entry.head.losses {
                assert!(
                    !loss.note.contains(&entry.head.id),
                    "{}: {}",
                    entry.head.id,
                    loss.note
                );
                *causes.entry((loss.field, loss.note)).or_default() += 1;
                lost += 1;
            }
        }
    }
    println!("{lost} losses: {causes:#?}");
    assert!(lost > 500, "{lost}");
    assert!(causes.len() < 10, "{causes:#?}");
}

#[tokio::test]
async fn what_a_key_may_not_see_does_not_hide_the_rest_from_discovery() {
    let mut poor = ApiKey::full();
    let hidden = [
        ".kb.",
        ".attachment.",
        ".draft.",
        ".satisfaction.",
        ".customer_merge.",
        ".audit_logs.",
        ".team.",
    ];
    poor.roles
        .retain(|role| hidden.iter().all(|thing| !role.contains(thing)));
    let switches = Switches {
        note_files: NoteFiles::Listed,
        ..Switches::default()
    };
    let account = Account::without_discovery(Config {
        keys: vec![poor],
        ..Account::config(200, switches)
    });
    let found = Kustomer::discover(&account.cx()).await.unwrap();
    let count = |kind: Kind| {
        let of = found.counts.iter().filter(|c| c.kind == kind);
        of.filter_map(|c| c.count).sum::<u64>()
    };
    assert!(count(Kind::Conversation) > 150 && count(Kind::Tag) > 10);
    let unknown = found.counts.iter().filter(|c| c.count.is_none());
    let unknown: BTreeSet<String> = unknown.map(|c| c.kind.word().to_owned()).collect();
    assert_eq!(
        unknown,
        ["article", "category", "team"].map(str::to_owned).into()
    );
}

#[tokio::test]
async fn a_role_that_no_document_names_is_missing_only_if_teams_cannot_be_read() {
    // The key has all roles but the one that reading teams is presumed to take; the platform gives teams, or does not.
    for (status, missing) in [(200, vec![]), (403, vec!["org.permission.team.read"])] {
        let platform = move |request: transload_sdk::http::Request| {
            let mut roles = ApiKey::full().roles;
            roles.retain(|role| !role.contains(".team."));
            let org = serde_json::json!({ "data": { "type": "org", "id": "o" } });
            let token = serde_json::json!({ "data": { "type": "token", "id": "t",
                "attributes": { "roles": roles }, "relationships": { "org": org } } });
            let path = request.url.split('?').next().unwrap_or_default();
            std::future::ready(match path {
                "/v1/auth/tokens/current" => answer(200, token.to_string()),
                "/v1/teams" => answer(status, r#"{"data":[]}"#),
                _ => answer(200, r#"{"data":[]}"#),
            })
        };
        let settings = serde_json::json!({ "org": "acme" });
        let harness = Harness::new(platform).config(&settings);
        let account = Kustomer::check(&harness.context()).await.unwrap();
        assert_eq!(account.missing, missing);
    }
}

#[tokio::test]
async fn a_klass_that_only_has_a_list_is_never_cut_short_in_silence() {
    for beyond in [Beyond::Refuse, Beyond::Empty, Beyond::Repeat] {
        let switches = Switches {
            klasses_all_searched: false,
            list_rows: Some(100),
            beyond,
            ..Switches::default()
        };
        let account = Account::new(Account::config(8_000, switches)).await;
        let read = account.drain(&Kind::CustomObject, None).await;
        let there = account.sim.world().ids(Sim::KObject).len();
        let got = ids(&read, &Kind::CustomObject).len();
        assert!(
            got < there,
            "{beyond:?}: the list of a klass is long enough"
        );
        let notices = account.notices();
        let told = notices
            .iter()
            .filter(|n| n.code == "kustomer.klass-unreadable");
        assert!(told.count() > 0, "{beyond:?}");
    }
}
