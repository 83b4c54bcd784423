//! Texts, files and long threads, and what is read back of them.
use crate::support::*;
use transload_plugin_freshdesk::Freshdesk;
use transload_plugin_freshdesk::thread::NOTES_PER_TICKET;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Observed, Presence, Thread, Written};
use transload_sdk::ledger::Outcome;
use transload_sdk::testing::Harness;
use transload_sdk::types::{
    Attachment, AttachmentState, Author, BlobRef, Conversation, Entity, Entry, Kind, Reference,
    Text,
};

const MB: u64 = 1024 * 1024;

/// What is read back of an item that was written.
struct Read {
    harness: Harness,
    observed: Observed,
}

async fn read(account: &Account, id: &str) -> Read {
    let item = format!("conversation:{id}");
    let written = Written {
        effects: account.effects_of(&item),
        item,
        kind: Kind::Conversation,
    };
    let harness = account.harness();
    let mut observed = Freshdesk::read_back(&harness.context(), vec![written])
        .await
        .unwrap();
    Read {
        harness,
        observed: observed.remove(0),
    }
}

impl Read {
    fn conversation(&self) -> Conversation {
        match self.thread().conversation.data {
            Entity::Conversation(conversation) => conversation,
            other => panic!("{other:?}"),
        }
    }

    fn thread(&self) -> Thread {
        self.observed.body.as_ref().unwrap().thread().unwrap()
    }

    /// Text, time and number of files of each message.
    fn messages(&self) -> Vec<(String, Option<i64>, usize)> {
        let blobs = self.harness.context().blobs();
        let parts = self.thread().parts.into_iter();
        parts
            .map(|part| match part.message.data {
                Entity::Message(message) => {
                    let text = blobs.read_text(&message.text.unwrap()).unwrap();
                    (text, message.sent_at, part.attachments.len())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn texts(&self) -> Vec<String> {
        self.messages().into_iter().map(|(text, ..)| text).collect()
    }
}

async fn ana(account: &Account) -> Reference {
    customer(account.contact("Ana", "ana@example.com"))
}

fn texts(ana: &Reference, id: &str, texts: &[&str]) -> Item {
    let parts = texts.iter().enumerate().map(|(n, text)| {
        let at = AT + i64::try_from(n).unwrap() * 60_000;
        said(&format!("m{n}"), Author::Person(ana.clone()), text, at)
    });
    thread(id, Vec::new(), of(ana), parts.collect())
}

const ODD: [&str; 12] = [
    "one line",
    "  blanks  before and   between \n\n  and after  ",
    "crlf\r\nlf\nboth\r\n\r\n",
    "tab\there and\t\tthere",
    "firm\u{a0}blank, \u{a0} beside a plain one",
    "<b>no markup</b> & no &amp; entity; \"quotes\" 'too'",
    "שלום, עולם — مرحبا بالعالم",
    "emoji 👩‍👩‍👧 and e\u{301}",
    "[Migrated: sent 2020-01-01T00:00:00Z] as somebody wrote it",
    "<div>a div</div><div>and another</div>",
    "a lone\rreturn",
    "\n\nlow beginning",
];

#[tokio::test]
async fn odd_texts_come_back_byte_for_byte_with_their_times() {
    for timed in [false, true] {
        let account = if timed {
            Account::timed().await
        } else {
            Account::new().await
        };
        let ana = ana(&account).await;
        let outcomes = account
            .write(Kind::Conversation, vec![texts(&ana, "v1", &ODD)])
            .await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let read = read(&account, "v1").await;
        let found = read.messages();
        assert_eq!(read.texts(), ODD, "timed: {timed}");
        for (n, (_, at, _)) in found.iter().enumerate() {
            let exact = AT + i64::try_from(n).unwrap() * 60_000;
            let wanted = if timed { exact - 250 } else { exact };
            assert_eq!(*at, Some(wanted), "timed: {timed}, {n}");
        }
        let head = read.conversation();
        assert_eq!(head.subject.as_deref(), Some("Where is it?"));
        assert_eq!(head.tags, []);
        let main = account.effects_of("conversation:v1").pop().unwrap();
        assert_eq!(
            read.observed.fingerprint, main.fingerprint,
            "nothing changed since"
        );
    }
}

#[tokio::test]
async fn a_message_without_a_text_says_so_and_what_the_source_has_no_subject_for_gets_one() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    let mut part = said("m1", Author::Person(ana.clone()), "", AT);
    message(&mut part, |message| message.text = None);
    let conversation = Conversation {
        subject: None,
        ..of(&ana)
    };
    let long = Conversation {
        subject: Some("ü".repeat(300)),
        ..of(&ana)
    };
    let items = vec![
        thread("v1", Vec::new(), conversation, vec![part]),
        thread(
            "v2",
            Vec::new(),
            long,
            vec![said("m2", Author::Person(ana.clone()), "x", AT)],
        ),
    ];
    let outcomes = account.write(Kind::Conversation, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let (first, _) = account.ticket("v1");
    assert_eq!(first.subject, "(no subject)");
    assert!(first.description.contains("no text in the source"));
    let (second, _) = account.ticket("v2");
    assert_eq!(second.subject.chars().count(), 255);
    assert!(
        outcomes[1]
            .losses
            .iter()
            .any(|l| l.field == "conversation.subject")
    );
    let read = read(&account, "v1").await;
    let head = read.conversation();
    assert_eq!(head.subject, None);
}

#[tokio::test]
async fn a_long_text_stands_in_several_notes_and_is_one_again() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    let long = "Ein langer Text, Zeile für Zeile & mehr.\n".repeat(4_000);
    let outcomes = account
        .write(
            Kind::Conversation,
            vec![texts(&ana, "v1", &["short", &long, "end"])],
        )
        .await;
    assert!(is_created(&outcomes[0]), "{:?}", outcomes[0].status);
    let (_, notes) = account.ticket("v1");
    assert!(notes.len() > 3);
    assert!(notes.iter().all(|note| note.body.len() <= 65_000));
    let read = read(&account, "v1").await;
    assert_eq!(read.texts(), ["short", long.as_str(), "end"]);
}

#[tokio::test]
async fn a_thread_of_more_notes_than_a_ticket_has_goes_on_in_a_linked_one() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    // One is the description.
    let all: Vec<String> = (0..NOTES_PER_TICKET + 2)
        .map(|n| format!("text {n}"))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let outcomes = account
        .write(Kind::Conversation, vec![texts(&ana, "v1", &all)])
        .await;
    assert!(is_created(&outcomes[0]), "{:?}", outcomes[0].status);
    let tickets = account.tickets("v1");
    assert_eq!(tickets.len(), 2);
    assert_eq!(tickets[1].subject, "Where is it? (part 2)");
    let back = format!("continues ticket #{}", tickets[0].id);
    assert!(tickets[1].description.contains(&back));
    assert!(tickets.iter().all(|ticket| ticket.status == 5));
    let snapshot = account.snapshot();
    let first = snapshot.thread(tickets[0].id);
    assert_eq!(first.len(), NOTES_PER_TICKET);
    assert!(
        first
            .last()
            .unwrap()
            .body
            .contains("continues in the ticket with source id")
    );
    let read = read(&account, "v1").await;
    assert_eq!(read.texts(), all);
}

// ---- files

fn with_files(ana: &Reference, id: &str, files: Vec<Entry>) -> Item {
    let mut first = said("m1", Author::Person(ana.clone()), "see files", AT);
    first.attachments = files;
    let second = said("m2", Author::Person(ana.clone()), "end", AT + 1_000);
    thread(id, Vec::new(), of(ana), vec![first, second])
}

fn refused(outcome: &Outcome) -> Vec<u32> {
    outcome.refused.iter().map(|one| one.place).collect()
}

#[tokio::test]
async fn files_beyond_the_total_of_a_note_stand_in_further_ones() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    let files = vec![
        file("f1", "a.txt", 12 * MB),
        file("f2", "b.txt", 8 * MB),
        file("f3", "c.txt", 1),
        file("f4", "d.txt", 20 * MB),
    ];
    let outcomes = account
        .write(Kind::Conversation, vec![with_files(&ana, "v1", files)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (ticket, notes) = account.ticket("v1");
    let names = |files: &[transload_simulators::freshdesk::model::File]| -> Vec<String> {
        files.iter().map(|file| file.name.clone()).collect()
    };
    assert_eq!(names(&ticket.attachments), ["a.txt", "b.txt"]);
    assert_eq!(names(&notes[0].attachments), ["c.txt"]);
    assert_eq!(names(&notes[1].attachments), ["d.txt"]);
    let read = read(&account, "v1").await;
    let found = read.messages();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].0.as_str(), found[0].2), ("see files", 4));
}

#[tokio::test]
async fn a_file_that_is_refused_is_named_and_exported_and_the_others_arrive() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    let single = with_files(&ana, "v1", vec![file("f1", "virus.exe", 10)]);
    let several = with_files(
        &ana,
        "v2",
        vec![
            file("f2", "a.txt", 10),
            file("f3", "run.bat", 10),
            file("f4", "b.txt", 0),
        ],
    );
    let outcomes = account
        .write(Kind::Conversation, vec![single, several])
        .await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let (first, _) = account.ticket("v1");
    assert!(
        first
            .description
            .contains("file virus.exe is missing here: Freshdesk refuses it")
    );
    assert_eq!(refused(&outcomes[0]), [2]);
    let (second, notes) = account.ticket("v2");
    assert_eq!(second.attachments, []);
    assert_eq!(notes[0].attachments[0].name, "a.txt");
    assert!(notes[1].body.contains("file run.bat is missing here"));
    assert_eq!(notes[2].attachments[0].name, "b.txt");
    assert!(notes[3].body.contains("end"));
    assert_eq!(refused(&outcomes[1]), [3]);
    let read = read(&account, "v2").await;
    let found = read.messages();
    assert_eq!((found.len(), found[0].2), (2, 2));
}

#[tokio::test]
async fn an_account_that_takes_less_at_once_gets_the_files_one_by_one() {
    let account = Account::with(|config| config.switches.files_total = 15 * MB).await;
    let ana = ana(&account).await;
    let files = vec![file("f1", "a.txt", 10 * MB), file("f2", "b.txt", 10 * MB)];
    let outcomes = account
        .write(Kind::Conversation, vec![with_files(&ana, "v1", files)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].refused, []);
    let (_, notes) = account.ticket("v1");
    assert_eq!(notes[0].attachments[0].name, "a.txt");
    assert_eq!(notes[1].attachments[0].name, "b.txt");
}

#[tokio::test]
async fn what_is_too_large_or_has_no_bytes_is_named_in_the_thread() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    let mut gone = file("f2", "gone.txt", 10);
    if let Entity::Attachment(attachment) = &mut gone.data {
        attachment.content = None;
        attachment.state = AttachmentState::Redacted;
    }
    let files = vec![file("f1", "film.mov", 20 * MB + 1), gone];
    let outcomes = account
        .write(Kind::Conversation, vec![with_files(&ana, "v1", files)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let (ticket, _) = account.ticket("v1");
    assert!(
        ticket.description.contains(
            "file film.mov is missing here: 20971521 bytes are more than Freshdesk takes"
        )
    );
    assert!(
        ticket
            .description
            .contains("file gone.txt is missing here: redacted in the source")
    );
    let lost = outcomes[0]
        .losses
        .iter()
        .filter(|l| l.field == "attachment");
    assert_eq!(lost.count(), 2);
}

#[tokio::test]
async fn inline_images_point_to_where_their_files_are_now() {
    let image = |id: &str| {
        let parent = Reference::new(Kind::Message, "m");
        let content = BlobRef {
            sha256: format!("sha-of-{id}"),
            size: 7,
            media_type: "image/png".to_owned(),
        };
        let data = Attachment {
            content: Some(content),
            inline: true,
            content_id: Some(format!("<{id}@mail>")),
            body_url: Some(format!("https://old.example/{id}?a=1&b=2")),
            ..Attachment::of(parent, format!("{id}.png"))
        };
        entry(Kind::Attachment, id, Vec::new(), Entity::Attachment(data))
    };
    for timed in [false, true] {
        let account = if timed {
            Account::timed().await
        } else {
            Account::new().await
        };
        let ana = ana(&account).await;
        let mut parts = Vec::new();
        for (n, id) in ["i1", "i2"].into_iter().enumerate() {
            let at = AT + i64::try_from(n).unwrap() * 60_000;
            let mut part = said(&format!("m{n}"), Author::Person(ana.clone()), "look", at);
            let html = format!(
                "<p>look</p><img src=\"cid:{id}@mail\"><img src=\"https://old.example/{id}?a=1&amp;b=2\">"
            );
            message(&mut part, |message| message.html = Some(Text::Inline(html)));
            part.attachments = vec![image(id)];
            parts.push(part);
        }
        let item = thread("v1", Vec::new(), of(&ana), parts);
        let outcomes = account.write(Kind::Conversation, vec![item]).await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let (ticket, notes) = account.ticket("v1");
        for (html, file) in [
            (&ticket.description, &ticket.attachments[0]),
            (&notes[0].body, &notes[0].attachments[0]),
        ] {
            let url = format!(
                "https://acme.freshdesk.com/helpdesk/attachments/{}",
                file.id
            );
            assert_eq!(html.matches(&url).count(), 2, "{html}");
            assert!(
                !html.contains("cid:") && !html.contains("old.example"),
                "{html}"
            );
        }
        if timed {
            assert_eq!(ticket.updated_at.timestamp(), (AT + 60_000) / 1_000);
        }
        assert_undone(
            &account
                .rollback(transload_sdk::destination::UndoMode::Careful)
                .await,
            "nothing was changed",
        );
    }
}

#[tokio::test]
async fn a_ticket_in_the_trash_is_absent() {
    let account = Account::new().await;
    let ana = ana(&account).await;
    account
        .write(Kind::Conversation, vec![texts(&ana, "v1", &["a"])])
        .await;
    let id = account.ticket("v1").0.id;
    account
        .sim
        .as_owner("DELETE", &format!("tickets/{id}"), &serde_json::Value::Null)
        .unwrap();
    let read = read(&account, "v1").await;
    assert_eq!(read.observed.presence, Presence::Absent);
}
