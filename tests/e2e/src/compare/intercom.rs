//! An Intercom workspace, as it is held against the source. Contacts and companies are known by their external id, conversations by an
//! attribute; notes, which hold source cards, notes on customers and records without a type, by the line above their text.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use transload_simulators::intercom::Snapshot;
use transload_simulators::intercom::model::{Attachment, Author, Contact, Conversation, NoteOf};

use super::held::{self, File, Held, Objects, Record, Said, Slot, Thread, Ways};
use super::html::{folded, plain};
use super::{letters, record_of, split, split_html};

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "done" => "closed",
        "snoozed" => "snoozed",
        _ => "open",
    },
    priority: None,
    tag: |name| {
        let name = name.trim().to_lowercase();
        (!name.is_empty()).then_some(name)
    },
    same_text: |wanted, found| folded(wanted) == folded(found),
    same_name: |wanted, found| held::same_trimmed(wanted, found) || wanted.is_empty(),
    file_name: |name| match name.trim() {
        "" => "file".to_owned(),
        _ => name.to_owned(),
    },
    grain: 1_000,
    // Each part has a second of its own.
    slack: 900_000,
    keeps_times: true,
    // It is that of the first message.
    keeps_created: false,
    in_order: true,
    agents_may_write_in: true,
    has_companies: true,
    has_company_cards: false,
    objects: Objects::WithTheirPeople,
    largest_file: 40 * 1024 * 1024,
    refuses: |_, size| size == 0,
    full_card: 60_000,
};

/// The attribute that holds the marker.
const ID: &str = "Transload ID";

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let mut held = Held::default();
    let workspace = Workspace::new(snapshot);
    for admin in snapshot.admins.iter().filter(|admin| !admin.removed) {
        held.staff
            .insert(admin.email.to_lowercase(), admin.id.to_string());
    }
    for contact in snapshot.contacts.iter().filter(|one| !one.archived) {
        if let Some((_, id, _)) = contact.external_id.as_deref().and_then(record_of) {
            let all = held.customers.entry(id.to_owned()).or_default();
            all.push(workspace.contact(contact));
        }
    }
    for company in snapshot.companies.iter().filter(|one| !one.archived) {
        if let Some((_, id, _)) = record_of(&company.company_id) {
            let all = held.companies.entry(id.to_owned()).or_default();
            all.push(Record {
                id: company.id.clone(),
                name: company.name.clone().unwrap_or_default(),
                slots: slots(&company.custom_attributes),
                places: company.website.clone().into_iter().collect(),
                ..Record::default()
            });
        }
    }
    for conversation in &snapshot.conversations {
        let marker = snapshot.conversation_value(conversation, ID);
        let marker = marker.and_then(Value::as_str).unwrap_or_default();
        if let Some((kind, id, part)) = record_of(marker) {
            let (thread, records) = workspace.thread(conversation);
            let parts = held.threads.entry((kind.to_owned(), id.to_owned()));
            let all = parts.or_default().entry(part).or_default();
            all.push(thread);
            for (id, record) in records {
                held.objects.entry(id).or_default().push(record);
            }
        }
    }
    for note in snapshot.notes.values() {
        let NoteOf::Contact(contact) = &note.of else {
            continue;
        };
        let (mark, text) = opened(&note.body);
        let Some((sort, marker)) = marked(&mark) else {
            continue;
        };
        match (sort, record_of(marker)) {
            ("note", Some((kind, id, part))) => {
                let (lead, plain) = split(&text);
                let said = Said {
                    lead,
                    plain,
                    author: Some(note.admin_id.to_string()),
                    ..Said::default()
                };
                let thread = Thread {
                    record: Record {
                        id: note.id.to_string(),
                        customer: Some(contact.clone()),
                        ..Record::default()
                    },
                    said: vec![said],
                    ..Thread::default()
                };
                let parts = held.threads.entry((kind.to_owned(), id.to_owned()));
                parts.or_default().entry(part).or_default().push(thread);
            }
            ("record", Some((_, id, _))) => {
                let all = held.objects.entry(id.to_owned()).or_default();
                all.push(record(&note.id.to_string(), text));
            }
            _ => {}
        }
    }
    held
}

/// A record that is a note.
fn record(id: &str, card: String) -> Record {
    let title = card.lines().find_map(|line| line.strip_prefix("title: "));
    Record {
        id: id.to_owned(),
        name: title.unwrap_or_default().to_owned(),
        card,
        ..Record::default()
    }
}

/// The line above a text that is HTML, and the text.
fn opened(body: &str) -> (String, String) {
    let inside = body.strip_prefix("<p>");
    let inside = inside.and_then(|body| body.strip_suffix("</p>"));
    split(&plain(inside.unwrap_or(body)).unwrap_or_default())
}

/// What a note of the connector's own stands for, by its line: a sort and a marker.
fn marked(lead: &str) -> Option<(&'static str, &str)> {
    lead.split("; ").find_map(|fact| {
        ["source card", "note", "record"]
            .into_iter()
            .find_map(|sort| Some((sort, fact.strip_prefix(sort)?.strip_prefix(' ')?)))
    })
}

fn slots(values: &BTreeMap<String, Value>) -> Vec<Slot> {
    let slot = |(name, value): (&String, &Value)| Slot {
        label: name.clone(),
        value: value.clone(),
        words: None,
    };
    values.iter().map(slot).collect()
}

struct Workspace<'s> {
    snapshot: &'s Snapshot,
    cards: HashMap<&'s str, String>,
    companies: HashMap<&'s str, &'s str>,
}

impl<'s> Workspace<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let mut cards: HashMap<&str, String> = HashMap::new();
        for note in snapshot.notes.values() {
            if let NoteOf::Contact(contact) = &note.of {
                let (mark, text) = opened(&note.body);
                if matches!(marked(&mark), Some(("source card", _))) {
                    cards.entry(contact).or_default().push_str(&text);
                }
            }
        }
        let companies = snapshot.companies.iter().filter(|one| !one.archived);
        let members = companies.flat_map(|company| {
            let contacts = company.contacts.iter();
            contacts.map(|contact| (contact.as_str(), company.id.as_str()))
        });
        Self {
            snapshot,
            cards,
            companies: members.collect(),
        }
    }

    fn contact(&self, contact: &Contact) -> Record {
        let places = [&contact.email, &contact.phone, &contact.avatar];
        let card = self.cards.get(contact.id.as_str());
        Record {
            id: contact.id.clone(),
            name: contact.name.clone().unwrap_or_default(),
            company: self
                .companies
                .get(contact.id.as_str())
                .map(|id| (*id).to_owned()),
            slots: slots(&contact.custom_attributes),
            card: card.cloned().unwrap_or_default(),
            places: places.into_iter().flatten().cloned().collect(),
            ..Record::default()
        }
    }

    /// A conversation, and the records that are notes on it.
    fn thread(&self, conversation: &Conversation) -> (Thread, Vec<(String, Record)>) {
        let source = &conversation.source;
        let mut all = vec![Said {
            at: Some(conversation.created_at * 1_000),
            public: Some(true),
            author: Some(source.author.clone()),
            ..said(&source.sent_body, &source.attachments)
        }];
        let parts = conversation.parts.iter();
        for part in parts.filter(|part| part.author != Author::Bot) {
            let body = part.sent_body.as_deref().unwrap_or_default();
            if body.is_empty() && part.attachments.is_empty() {
                continue;
            }
            all.push(Said {
                at: Some(part.created_at * 1_000),
                public: Some(part.part_type != "note"),
                author: Some(match &part.author {
                    Author::Contact(id) => id.clone(),
                    Author::Admin(id) => id.to_string(),
                    Author::Bot => String::new(),
                }),
                ..said(body, &part.attachments)
            });
        }
        let (mut card, mut records, mut kept) = (String::new(), Vec::new(), Vec::new());
        for mut said in all {
            if said.lead.contains("more files of the message above") {
                // They go on with those of the message before.
                said.lead.push_str("; part 2 of 2");
                said.plain = String::new();
                kept.push(said);
            } else if said.lead.starts_with("source card") {
                card.push_str(&said.plain);
            } else if let Some(("record", marker)) = marked(&said.lead) {
                if let Some((_, id, _)) = record_of(marker) {
                    records.push((id.to_owned(), record(id, said.plain)));
                }
            } else if !said.lead.contains("goes on with conversation")
                && !said
                    .lead
                    .contains("the conversation began with what follows")
            {
                kept.push(said);
            }
        }
        let values = self.snapshot.conversation_attributes.iter();
        let slot = |attribute: &transload_simulators::intercom::model::ConversationAttribute| {
            let value = conversation.custom_attributes.get(&attribute.id)?;
            let mut options = attribute.options.iter();
            let option = options.find(|option| Some(option.id.as_str()) == value.as_str());
            Some(Slot {
                label: attribute.name.clone(),
                value: value.clone(),
                words: option.map(|option| option.label.clone()),
            })
        };
        let thread = Thread {
            record: Record {
                id: conversation.id.to_string(),
                name: conversation.title.clone().unwrap_or_default(),
                customer: conversation.contacts.first().cloned(),
                slots: values.filter_map(slot).collect(),
                card,
                ..Record::default()
            },
            status: conversation.state.as_str().to_owned(),
            priority: None,
            created: None,
            tags: self
                .snapshot
                .tags_of(&conversation.tags)
                .into_iter()
                .map(|tag| tag.trim().to_lowercase())
                .collect(),
            said: kept,
            files: Vec::new(),
        };
        (thread, records)
    }
}

/// A part: plain text as contacts send it, or HTML as admins do.
fn said(body: &str, files: &[Attachment]) -> Said {
    let (mut lead, mut text) = split(body);
    let mut html = None;
    if lead.is_empty() && body.starts_with('<') {
        let (line, rest) = split_html(body);
        let inside = rest.strip_prefix("<p>");
        let inside = inside.and_then(|rest| rest.strip_suffix("</p>"));
        match plain(inside.unwrap_or(&rest)) {
            Some(plain) if line.is_empty() => (lead, text) = split(&plain),
            Some(plain) => (lead, text) = (line, plain),
            None => {
                lead = line;
                html = Some(rest);
                text = String::new();
            }
        }
    }
    // The markup of a contact's message, which is shown as text only.
    let kept = files.iter().filter(|file| file.name != "message.html");
    Said {
        lead,
        plain: text,
        html: html.filter(|html| !letters(html).is_empty()),
        files: kept
            .map(|file| File {
                name: file.name.clone(),
                size: file.size,
                sha256: file.sha256.clone(),
            })
            .collect(),
        ..Said::default()
    }
}
