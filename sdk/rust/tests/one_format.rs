//! What both SDKs make of the same records, to the byte: source cards, threads, texts. `sdk/fixtures/format.json` has the records and
//! what comes of them; `sdk/python/tests/test_one_format.py` holds the other SDK to it.
//!
//! `TRANSLOAD_FIXTURES=write` writes what comes of them now.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use futures::executor::block_on;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use transload_sdk::card::{self, Facts, ItemCtx, source_card};
use transload_sdk::destination::{Body, Item};
use transload_sdk::http::{self, OperationKey, Refusal, Reply, Sent};
use transload_sdk::links::{self, Change, Desk, End, Lookup, Written};
use transload_sdk::rehearsal::{Ids, Rehearsal};
use transload_sdk::testing::{Harness, answer};
use transload_sdk::thread::{self, Holds, Requester};
use transload_sdk::types::{
    CustomObject, Entity, Entry, Error, FieldDefinition, Head, Kind, Loss, Reference, Relationship,
    Text,
};
use transload_sdk::words::Words;
use transload_sdk::{effects, fields, markup, people, policy, read_back, text, time};

fn read<T: DeserializeOwned>(of: &Value, name: &str) -> T {
    serde_json::from_value(of[name].clone()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn words(of: &Value) -> Words {
    let page = |(kind, page): (&String, &Value)| {
        let kind = match kind.as_str() {
            "agent" => Kind::Agent,
            "customer" => Kind::Customer,
            other => panic!("{other}"),
        };
        (kind, page.as_str().unwrap().to_owned())
    };
    Words::new(of["pages"].as_object().unwrap().iter().map(page), "UTC")
}

fn pairs(of: &Value, name: &str) -> Vec<(String, String)> {
    read(of, name)
}

fn a_source_card(of: &Value) -> Value {
    let (entry, losses): (Entry, Vec<Loss>) = (read(of, "entry"), read(of, "losses"));
    let notes: Vec<String> = read(of, "notes");
    let card = source_card(&ItemCtx {
        platform: of["platform"].as_str().unwrap(),
        marker: of["marker"].as_str().unwrap(),
        entry: &entry,
        facts: pairs(of, "facts"),
        notes: &notes,
        losses: &losses,
    });
    let card = card.unwrap();
    json!({"html": card.html, "text": card.text})
}

fn a_customer_card(of: &Value) -> Value {
    let item: Item = read(of, "item");
    let entry = item.entry();
    let Entity::Customer(customer) = &entry.data else {
        panic!("no customer")
    };
    let name = people::customer_name(entry, customer);
    let (mut card, mut losses) = (Facts::new(words(of)), vec![]);
    card::customer(&entry.head, &name, customer, &mut card);
    card::addresses(&customer.addresses, &mut card);
    card.reference("company", customer.company.as_ref());
    for field in &entry.head.fields {
        card.misfit(field, card::Misfit("no field of its own"), &mut losses);
    }
    let text = card.render("old-desk", &item, entry, &losses).unwrap();
    let fitted: Vec<_> = [10, 200, text.len()]
        .map(|bytes| card::fitted(&text, bytes))
        .into();
    json!({"name": name, "card": text, "fitted": fitted, "losses": losses})
}

fn a_thread(of: &Value) -> Value {
    let item: Item = read(of, "item");
    let (says, thread) = (words(of), item.thread().unwrap());
    let conversation = thread::conversation_of(&thread).unwrap();
    let (mut card, mut losses) = (Facts::new(says.clone()), vec![]);
    card::conversation(&thread.conversation, conversation, &mut card);
    let tags = thread::tag_targets(conversation, &mut card, &mut losses);
    let requester = Requester::of(conversation, 7_u64, &mut card, &mut losses);
    let began = thread::began(&thread, 9);
    let mut clock = thread::Clock::new(1_000);
    let mut said = vec![];
    for (number, (part, message, at)) in thread::spoken(&thread, began).enumerate() {
        let head = &part.message.head;
        if let Some(why) = thread::skipped(head, message, false, number == 2) {
            thread::skip(head, why, &mut card, &mut losses);
            continue;
        }
        let mut facts = vec![];
        thread::message_facts(message, &says, &mut facts);
        let subject = conversation.subject.as_deref();
        let on_card = thread::message_card(head, message, subject, Holds::Text, &says, &mut losses);
        card.message(number + 1, &on_card);
        let email =
            thread::message_card(head, message, subject, Holds::Email, &says, &mut Vec::new());
        let lead = thread::lead(&facts);
        let inline = |text: &Option<Text>| match text {
            Some(Text::Inline(text)) => text.clone(),
            _ => String::new(),
        };
        let plain = thread::with_lead(lead.as_deref(), &inline(&message.text));
        let html = thread::html_with_lead(lead.as_deref(), &inline(&message.html));
        let files = part.attachments.iter().map(|entry| {
            let Entity::Attachment(file) = &entry.data else {
                panic!("no file")
            };
            json!({
                "none": thread::no_bytes(file),
                "names": thread::image_names(file, "https://new.example/1"),
                "called": thread::file_name(file),
            })
        });
        let files: Vec<Value> = files.collect();
        let (facts_again, body) = thread::without_lead(&plain);
        said.push(json!({
            "email": email, "plain": plain, "html": html, "again": [facts_again, Some(body)], "files": files,
            "at": clock.at(at), "line": requester.line(message),
            "is": [thread::is_email(message), thread::is_incoming(message)],
        }));
    }
    let text = card
        .render("old-desk", &item, &thread.conversation, &losses)
        .unwrap();
    json!({
        "card": text, "losses": losses, "tags": tags, "requester": requester.id, "said": said, "began": began,
        "end": [clock.end(), i64::from(clock.moved())],
    })
}

fn an_object_card(of: &Value) -> Value {
    let record: CustomObject = read(of, "record");
    let mut card = Facts::new(words(of));
    let context = Harness::scripted([]).context();
    card::object(&context.blobs(), &record, &mut card).unwrap();
    let entry = Entry::new(Kind::Tag, "t", Entity::Other(String::new()));
    let item = Item::new("k", "m", entry);
    json!(card.render("p", &item, item.entry(), &[]).unwrap())
}

fn a_lone_note(of: &Value) -> Value {
    let item: Item = read(of, "item");
    match thread::thread_of(&item) {
        Ok(thread) => json!(Body::from(thread)),
        Err(error) => json!(error),
    }
}

fn bodies(of: &Value) -> Value {
    let (facts, body): (Vec<String>, String) = (read(of, "facts"), read(of, "text"));
    let bodies = thread::bodies(&facts, &body, read(of, "limit"));
    let further = |body: &String| thread::is_further_part(thread::without_lead(body).0);
    json!({"bodies": bodies, "further": bodies.iter().map(further).collect::<Vec<_>>()})
}

fn a_text(of: &Value) -> Value {
    let (said, limit): (String, usize) = (read(of, "text"), read(of, "limit"));
    json!({
        "escaped": text::escape_html(&said),
        "html": text::plain_to_html(&said),
        "searched": text::html_to_search_text(&said),
        "split": text::split_bytes(&said, limit),
        "pieces": text::pieces(&said, limit),
        "numbered": text::split_numbered(&said, limit, |n, of| format!("({n}/{of})")),
        "units": text::utf16_units(&said),
        "cut": [json!(text::cut_utf16(&said, limit)), json!(text::cut_chars(&said, limit))],
        "markup": markup::html_of(&said),
        "wrapped": markup::wrapped(std::slice::from_ref(&said), &said),
        "read": markup::text_of(&said),
        "fitting": markup::pieces(&said, limit),
        "letters": [text::letters(&said), markup::letters(&said)],
    })
}

fn a_whole_object(of: &Value) -> Value {
    let (head, record): (Head, CustomObject) = (read(of, "head"), read(of, "record"));
    let (mut card, mut losses) = (Facts::new(words(of)), vec![]);
    let cx = Harness::scripted([]).context();
    card::whole_object(&cx.blobs(), &head, &record, &mut card).unwrap();
    // What is said already is said once; a list that is not is.
    card.lists(&head.fields, &mut losses);
    let mut other = Facts::new(words(of));
    other.lists(&head.fields, &mut losses);
    let entry = Entry::new(Kind::Tag, "t", Entity::Other(String::new()));
    let item = Item::new("k", "m", entry);
    let say = |card: &Facts| card.render("p", &item, item.entry(), &losses).unwrap();
    json!([say(&card), say(&other), losses])
}

fn a_target(of: &Value) -> Value {
    let text: String = read(of, "text");
    let target = fields::Target::<String>::parse(&text);
    target.map_or(Value::Null, |of| {
        json!([of.object, of.name, of.kind, of.choices, of.to_string()])
    })
}

fn option_labels(of: &Value) -> Value {
    let definition: FieldDefinition = read(of, "definition");
    let label = |option| fields::option_label(&definition, option, '.');
    json!(definition.options.iter().map(label).collect::<Vec<_>>())
}

/// How a made-up platform says no.
struct No(Value);

impl Refusal for No {
    fn read(reply: &Reply) -> Self {
        Self(reply.json().unwrap_or_default())
    }

    fn of_account(&self) -> Option<Error> {
        (self.0["code"] == "suspended").then(|| Error::Auth(self.said()))
    }

    fn rejection(&self) -> Error {
        Error::Conflict(self.said())
    }

    fn said(&self) -> String {
        self.0["why"].as_str().unwrap_or("no words").to_owned()
    }

    fn passes(&self) -> bool {
        self.0["code"] == "later"
    }
}

/// What an answer means to a read and to a write.
fn an_answer(of: &Value) -> Value {
    let (status, body): (u16, String) = (read(of, "status"), read(of, "body"));
    let harness = Harness::scripted([(); 2].map(|()| answer(status, body.as_str())));
    let cx = harness.context();
    let http = cx.http();
    let got = block_on(http::get::<No>(&http, "/things/1"));
    let got = got.map(|reply| reply.map(|reply| reply.status));
    let wrote = block_on(http::write::<No>(http.write(
        "POST",
        "/things",
        http::key("*", "p", "s"),
    )));
    let wrote = wrote.map(|sent| match sent {
        Sent::Done(_) => json!("done"),
        Sent::Refused(no) => json!(no.rejection()),
        Sent::Doubt(_) => json!("doubt"),
    });
    let either = |result: Result<Value, Error>| result.unwrap_or_else(|error| json!(error));
    json!([either(got.map(|status| json!(status))), either(wrote)])
}

fn a_person(of: &Value) -> Value {
    let text: String = read(of, "text");
    json!({"email": people::email(&text), "mailbox": people::mailbox(&text), "phone": people::e164(&text)})
}

fn a_time(of: &Value) -> Value {
    let text: String = read(of, "text");
    let Some((moment, _)) = time::parse_lossy(&text) else {
        return Value::Null;
    };
    let (offset, utc) = (moment.offset_minutes, time::format_utc(moment.at));
    json!([moment.at, offset, time::format(&moment), utc])
}

fn a_print(of: &Value) -> Value {
    let printed = effects::print(&pairs(of, "facets"));
    let now = [("name".to_owned(), "Bo".to_owned())];
    let again = effects::print_now(&printed, &now);
    json!([printed, again, effects::changed(&printed, &now)])
}

fn an_echo(of: &Value) -> Value {
    let context = Harness::scripted([]).context();
    let (method, url): (String, String) = (read(of, "method"), read(of, "url"));
    let mut request = context.http().request(&method, url);
    if !of["body"].is_null() {
        request = request.json(&of["body"]);
    }
    let sent = request.request().clone();
    let asked = Rehearsal::new(context.clone(), sent, read(of, "number"), vec![], None);
    let ids = match read(of, "texts") {
        true => Ids::Texts,
        false => Ids::Numbers,
    };
    let answer = asked.echo(ids).map(|answer| {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        json!([answer.status, body])
    });
    json!(answer)
}

/// A record of a platform whose text of links is short.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row(String, String);

impl End for Row {
    const TEXT: &'static str = "links";
    const OF_STAFF: &'static str = "a link to one of the staff";

    fn of(reference: &Reference) -> Option<Self> {
        let here = reference.kind != Kind::Agent;
        let target = reference.target.clone().filter(|_| here)?;
        Some(Self(reference.kind.word().to_owned(), target))
    }

    fn kind(&self) -> &str {
        &self.0
    }

    fn target(&self) -> String {
        self.1.clone()
    }

    fn fits(&self, text: &str) -> bool {
        text.len() <= 60
    }

    fn images(&self, change: &Change) -> (String, String) {
        (
            json!(change.was).to_string(),
            json!(change.becomes).to_string(),
        )
    }
}

/// Links are placed and reported: what is changed on which record, and what becomes of each item.
fn some_links(of: &Value) -> Value {
    let items: Vec<Item> = read(of, "items");
    let now: Vec<(String, String, Map<String, Value>)> = read(of, "now");
    let fates: Vec<(String, String, String)> = read(of, "written");
    let harness = Harness::scripted([]);
    let context = harness.context();
    let links = links::links(&context, &items);
    let now = now.into_iter();
    let mut desk = Desk::new(now.map(|(kind, id, row)| (Row(kind, id), row)).collect());
    let lookup = |link: &Relationship| {
        let fits = link.name == "boss" && links::is_single(link);
        Some(Lookup {
            end: Row::of(&link.source).filter(|_| fits)?,
            field: link.name.clone(),
            id: link.target.target.clone()?,
        })
    };
    let placed = desk.place(&links, lookup, &words(of));
    let written = fates.into_iter().map(|(kind, id, fate)| {
        let written = match fate.as_str() {
            "done" => Written::Done(OperationKey {
                item: "*".into(),
                part: id.clone(),
                step: "link".into(),
            }),
            "refused" => Written::Refused(Error::NotFound("no row".into())),
            _ => Written::Unknown,
        };
        (Row(kind, id), written)
    });
    links::conclude(&context, &links, placed, &desk, &written.collect());
    block_on(context.reported()).unwrap();
    let changes = desk.changes.iter();
    let changes = changes.map(|(row, c)| json!([row.0, row.1, c.first, c.was, c.becomes]));
    let ends = links::ends::<Row>(&links).into_iter();
    json!({
        "changes": changes.collect::<Vec<_>>(), "outcomes": harness.outcomes(),
        "ends": ends.map(|row| [row.0, row.1]).collect::<Vec<_>>(),
    })
}

fn gives(what: &str, of: &Value) -> Value {
    match what {
        "source card" => a_source_card(of),
        "customer card" => a_customer_card(of),
        "thread" => a_thread(of),
        "object card" => an_object_card(of),
        "lone note" => a_lone_note(of),
        "bodies" => bodies(of),
        "text" => a_text(of),
        "person" => a_person(of),
        "canonical" => json!(policy::canonical(&of["value"])),
        "time" => a_time(of),
        "print" => a_print(of),
        "echo" => an_echo(of),
        "links" => some_links(of),
        "whole object" => a_whole_object(of),
        "target" => a_target(of),
        "option labels" => option_labels(of),
        "value" => json!(read_back::value(&of["value"])),
        "answer" => an_answer(of),
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_made_of_records_is_what_both_sdks_make() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/format.json");
    let text = std::fs::read_to_string(path).unwrap();
    let mut fixture: Value = serde_json::from_str(&text).unwrap();
    let writes = std::env::var_os("TRANSLOAD_FIXTURES").is_some();
    for case in fixture["cases"].as_array_mut().unwrap() {
        let made = gives(case["what"].as_str().unwrap(), &case["of"]);
        if writes {
            case["gives"] = made;
        } else {
            assert_eq!(case["gives"], made, "{}: {}", case["what"], case["of"]);
        }
    }
    if writes {
        let cases = fixture["cases"].as_array().unwrap();
        let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
        let (about, cases) = (&fixture["about"], lines.join(",\n"));
        let text = format!("{{\"about\": {about}, \"cases\": [\n{cases}\n]}}\n");
        std::fs::write(path, text).unwrap();
    }
}
