//! Files of messages, notes and forwards: each arrives with its name, however Kustomer lists them, and opens.

use std::collections::BTreeSet;

use crate::support::{Account, Entries};
use transload_plugin_kustomer::Kustomer;
use transload_plugin_kustomer::files::NOT_LISTED;
use transload_sdk::Source;
use transload_sdk::types::{
    Attachment, AttachmentState, DeliveryStatus, Entity, Entry, Kind, Text, Visibility,
};
use transload_simulators::kustomer::{
    Beyond, BodyResource, File, Kind as Sim, NewMessage, NoteFiles, Place, State, Switches,
};

fn attachment<'a>(all: &'a Entries, id: &str) -> Option<(&'a Entry, &'a Attachment)> {
    let entry = all.get(&("attachment".to_owned(), id.to_owned()))?;
    match &entry.data {
        Entity::Attachment(attachment) => Some((entry, attachment)),
        _ => None,
    }
}

/// The files that a migration owes: of all live messages or notes, with the record that carries each.
fn owed(account: &Account, kind: Sim) -> Vec<(String, File)> {
    let world = account.sim.world();
    let live = world
        .ids(kind)
        .into_iter()
        .filter(|id| world.state(id) == Some(State::Live));
    live.flat_map(|id| {
        let files = world.files(&id).into_iter();
        files
            .map(|file| (id.clone(), file))
            .collect::<Vec<(String, File)>>()
    })
    .collect()
}

fn assert_whole(what: &str, all: &Entries, owed: &[(String, File)]) {
    assert!(owed.len() > 10, "{what}: {} files", owed.len());
    for (parent, file) in owed {
        let id = file.id.to_string();
        let (entry, found) =
            attachment(all, &id).unwrap_or_else(|| panic!("{what}: {id} of {parent} is missing"));
        assert_eq!(
            (&found.name, found.size, found.media_type.as_deref()),
            (&file.name, Some(file.length), Some(file.content_type)),
            "{what}"
        );
        assert_eq!(
            (&found.parent.kind, &found.parent.id),
            (&Kind::Message, parent)
        );
        assert!(
            entry.head.losses.is_empty(),
            "{what}: {:?}",
            entry.head.losses
        );
        let fits = matches!(
            (&found.state, file.place),
            (AttachmentState::Available, Place::Stored)
                | (AttachmentState::Unavailable(_), Place::Nowhere)
                | (AttachmentState::External(_), Place::External | Place::Dead)
        );
        assert!(fits, "{what}: {:?} {:?}", file.place, found.state);
    }
}

/// Files of notes that the standard index no longer holds.
fn of_old_notes(account: &Account, owed: &[(String, File)]) -> Vec<(String, File)> {
    let horizon = account.now() - 740 * 86_400_000;
    let world = account.sim.world();
    let old = |id: &str| {
        let json = world.json(id).unwrap();
        let updated = json["attributes"]["updatedAt"].as_str().unwrap();
        transload_plugin_kustomer::time::parse(updated).unwrap().at < horizon
    };
    owed.iter().filter(|(id, _)| old(id)).cloned().collect()
}

#[tokio::test]
async fn every_file_arrives_with_its_name_also_of_notes_older_than_the_index() {
    for (note_files, below_each_note) in [(NoteFiles::Named, false), (NoteFiles::Listed, true)] {
        let what = format!("{note_files:?}");
        let switches = Switches {
            note_files,
            ..Switches::default()
        };
        let account = Account::new(Account::config(700, switches)).await;
        account.sim.harness().recorder.clear();
        let all = account.drain(&Kind::Message, None).await;
        assert_whole(&what, &all, &owed(&account, Sim::Message));
        let notes = owed(&account, Sim::Note);
        assert_whole(&what, &all, &notes);
        let old = of_old_notes(&account, &notes);
        assert!(old.len() > 5, "{what}: {} files of old notes", old.len());
        for (_, file) in old.iter().take(3) {
            let id = file.id.to_string();
            let truth = account.sim.world().file_bytes(&id).unwrap();
            let (entry, _) = attachment(&all, &id).unwrap();
            assert_eq!(account.open(entry).await, truth, "{what}");
        }
        // Only where notes do not name their files is there a request for a note without any.
        let with_files: BTreeSet<&str> = notes.iter().map(|(id, _)| id.as_str()).collect();
        let asked = account.sim.harness().recorder.all();
        let below: BTreeSet<&str> = asked
            .iter()
            .filter_map(|record| record.path.strip_prefix("/v1/notes/")?.split('/').next())
            .collect();
        println!(
            "{what}: {} notes asked for files, {} have some",
            below.len(),
            with_files.len()
        );
        assert!(with_files.is_subset(&below), "{what}");
        assert_eq!(
            below.len() > 2 * with_files.len(),
            below_each_note,
            "{what}"
        );
    }
}

#[tokio::test]
async fn files_of_notes_that_cannot_be_listed_are_a_loss_that_shows() {
    let switches = Switches {
        note_files: NoteFiles::Hidden,
        ..Switches::default()
    };
    let mut account = Account::without_discovery(Account::config(400, switches));
    let notices = account.discover().await;
    assert!(notices.iter().any(|n| n.code == "kustomer.note-files"));
    let all = account.drain(&Kind::Message, None).await;
    let notes = owed(&account, Sim::Note);
    let old: BTreeSet<String> = of_old_notes(&account, &notes)
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    let mut said = 0;
    for (note, _) in notes.iter().filter(|(id, _)| !old.contains(id)) {
        let (entry, found) = attachment(&all, &format!("{note}/files")).unwrap();
        assert!(matches!(found.state, AttachmentState::Unavailable(_)));
        assert_eq!(entry.head.losses.len(), 1);
        said += 1;
    }
    assert!(said > 3, "{said}");
    assert_whole("messages", &all, &owed(&account, Sim::Message));
}

#[tokio::test]
async fn files_of_old_notes_are_left_behind_only_when_the_user_says_so() {
    let switches = Switches {
        note_files: NoteFiles::Listed,
        ..Switches::default()
    };
    let mut account = Account::without_discovery(Account::config(400, switches));
    account.set("old_note_files", "off");
    let notices = account.discover().await;
    let notice = notices.iter().find(|n| n.code == "kustomer.note-files");
    assert!(notice.unwrap().message.contains("left behind"));
    let all = account.drain(&Kind::Message, None).await;
    let notes = owed(&account, Sim::Note);
    let old = of_old_notes(&account, &notes);
    assert!(!old.is_empty());
    for (_, file) in &notes {
        let is_old = old.iter().any(|(_, o)| o.id == file.id);
        assert_eq!(attachment(&all, &file.id.to_string()).is_none(), is_old);
    }
}

#[tokio::test]
async fn files_are_read_conversation_by_conversation_where_the_list_of_messages_ends_early() {
    for beyond in [Beyond::Refuse, Beyond::Empty, Beyond::Repeat] {
        let what = format!("{beyond:?}");
        let switches = Switches {
            list_rows: Some(800),
            beyond,
            ..Switches::default()
        };
        let account = Account::new(Account::config(300, switches)).await;
        let all = account.drain(&Kind::Message, None).await;
        assert_whole(&what, &all, &owed(&account, Sim::Message));
        let notices = account.notices();
        let told = notices
            .iter()
            .any(|n| n.code == "kustomer.messages-list-ends");
        assert!(told, "{what}");
    }
}

#[tokio::test]
async fn a_later_pass_brings_the_files_of_what_is_new() {
    let account = Account::new(Account::config(150, Switches::default())).await;
    let before = account.now();
    let conversation = {
        let world = account.sim.world();
        let mut ids = world.ids(Sim::Conversation).into_iter();
        ids.find(|id| world.state(id) == Some(State::Live)).unwrap()
    };
    account.sim.harness().clock.advance(120_000);
    let late = NewMessage {
        text: "with files".to_owned(),
        outbound: false,
        files: 2,
    };
    let message = account
        .sim
        .change(|world| world.add_message(&conversation, late))
        .unwrap();
    account.sim.harness().clock.advance(120_000);
    account.sim.harness().recorder.clear();
    let read = account.drain(&Kind::Message, Some(before)).await;
    let files = account.sim.world().files(&message);
    assert_eq!(files.len(), 2);
    for file in files {
        let (_, found) = attachment(&read, &file.id.to_string()).unwrap();
        assert_eq!((&found.name, &found.parent.id), (&file.name, &message));
    }
    let asked = account.sim.harness().recorder.all();
    assert!(
        asked.iter().all(|record| record.path != "/v1/messages"),
        "not by the list of all messages"
    );
}

#[tokio::test]
async fn a_file_that_the_list_does_not_show_has_no_name_but_opens_and_says_so() {
    let account = Account::new(Account::config(200, Switches::default())).await;
    let parts = Kustomer::partitions(&account.cx(), Kind::Message, None, account.now() + 1)
        .await
        .unwrap();
    let mut seen = Entries::new();
    for part in parts.iter().filter(|p| p.id.starts_with("message/")) {
        if part.id != "message/files" {
            seen.extend(account.drain_part(part).await);
        }
    }
    let stored = owed(&account, Sim::Message)
        .into_iter()
        .filter(|(_, file)| file.place == Place::Stored && file.length > 0);
    let mut opened = 0;
    for (_, file) in stored.take(5) {
        let id = file.id.to_string();
        let (entry, found) = attachment(&seen, &id).unwrap();
        assert_eq!((&found.name, found.size), (&id, None));
        assert_eq!(entry.head.losses[0].note, NOT_LISTED);
        let truth = account.sim.world().file_bytes(&id).unwrap();
        assert_eq!(account.open(entry).await, truth);
        opened += 1;
    }
    assert_eq!(opened, 5);
}

#[tokio::test]
async fn files_open_and_a_link_that_ended_is_asked_for_again() {
    let account = Account::new(Account::config(200, Switches::default())).await;
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
    let gone = read
        .values()
        .find(|e| matches!(&e.data, Entity::Attachment(a) if matches!(a.state, AttachmentState::Unavailable(_))))
        .unwrap();
    let refused = Kustomer::open_attachment(&account.cx(), gone.clone()).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn images_that_the_html_shows_are_known_wherever_their_names_come_from() {
    for bodies in ["all", "cut"] {
        let switches = Switches {
            body_resource: BodyResource::Html,
            ..Switches::default()
        };
        let mut account = Account::new(Account::config(500, switches)).await;
        account.set("bodies", bodies);
        let all = account.drain(&Kind::Message, None).await;
        let owed = owed(&account, Sim::Message);
        assert_whole(bodies, &all, &owed);
        let mut inline = 0;
        for (message, file) in &owed {
            let (_, found) = attachment(&all, &file.id.to_string()).unwrap();
            let Entity::Message(data) = &all[&("message".to_owned(), message.clone())].data else {
                panic!()
            };
            let html = matches!(&data.html, Some(Text::Inline(_)));
            let shown = file.inline.as_ref().filter(|_| html);
            assert_eq!(found.content_id.as_ref(), shown, "{bodies}");
            assert_eq!(found.inline, shown.is_some(), "{bodies}");
            inline += usize::from(found.inline);
        }
        assert!(bodies == "cut" || inline > 3, "{bodies}: {inline} inline");
    }
}

#[tokio::test]
async fn forwards_come_as_internal_notes_with_recipients_and_files_when_they_are_wanted() {
    let mut account = Account::new(Account::config(300, Switches::default())).await;
    account.set("forwards", true);
    account.sim.harness().recorder.clear();
    let read = account.drain(&Kind::Message, None).await;
    let forwards: Vec<&Entry> = read
        .values()
        .filter(|e| matches!(&e.data, Entity::Message(m) if m.forwarded))
        .collect();
    assert!(forwards.len() > 5, "{}", forwards.len());
    let mut opened = 0;
    for entry in &forwards {
        let Entity::Message(message) = &entry.data else {
            panic!()
        };
        assert_eq!(message.visibility, Visibility::Internal);
        assert_eq!(message.delivery.status, DeliveryStatus::Sent);
        assert_eq!(message.to, ["Partner, Inc. <partner@example.net>"]);
        assert_eq!(message.cc, ["copy@example.net"]);
        assert_eq!(
            message.sender.as_deref(),
            Some("Acme Support <support@acme.example>")
        );
        let conversation = message.conversation.as_ref().unwrap();
        assert_eq!(
            account.sim.world().state(&conversation.id),
            Some(State::Live)
        );
        let files = read
            .values()
            .filter(|e| matches!(&e.data, Entity::Attachment(a) if a.parent.id == entry.head.id));
        for file in files {
            let truth = account.sim.world().file_bytes(&file.head.id).unwrap();
            assert_eq!(account.open(file).await, truth);
            opened += 1;
        }
    }
    assert!(opened > 0, "files of forwards");
    let asked = account.sim.harness().recorder.all();
    let mut lists: Vec<&str> = asked
        .iter()
        .filter(|r| r.path.ends_with("/forwards"))
        .map(|r| r.path.as_str())
        .collect();
    let with_messages = {
        let world = account.sim.world();
        let ids = world.ids(Sim::Conversation).into_iter();
        ids.filter(|id| !world.message_ids(id).is_empty()).count()
    };
    let all = lists.len();
    lists.sort_unstable();
    lists.dedup();
    assert_eq!(lists.len(), with_messages, "none without messages");
    // Rows at the edge of a page and of an index come twice.
    assert!(all * 10 <= with_messages * 11, "{all} for {with_messages}");
}
