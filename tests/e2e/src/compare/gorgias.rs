//! A Gorgias account, as it is held against the source: customers, tickets and messages are known by their external id. Records of
//! custom objects are notes on their tickets or members of their customers' documents.

use std::collections::HashMap;

use serde_json::Value;
use transload_simulators::gorgias::Snapshot;
use transload_simulators::gorgias::model::{Customer, Field, Id, Message, Ticket};

use super::held::{self, File, Held, Record, Said, Slot, Thread, Ways};
use super::{record_of, split, split_html};

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "open" => "open",
        _ => "closed",
    },
    priority: Some(|priority| match priority {
        1 | 2 => "low",
        3 => "normal",
        4 => "high",
        _ => "critical",
    }),
    tag: |name| (!name.trim().is_empty()).then(|| name.to_owned()),
    same_text: |wanted, found| wanted == found,
    same_name: held::same_trimmed,
    file_name: |name| match name.trim() {
        "" => "file".to_owned(),
        _ => name.to_owned(),
    },
    grain: 1_000,
    slack: 300_000,
    keeps_times: true,
    keeps_created: true,
    in_order: false,
    agents_may_write_in: true,
    has_companies: false,
    has_company_cards: true,
    objects: held::Objects::WithTheirPeople,
    largest_file: 25 * 1024 * 1024,
    refuses: |_, size| size == 0,
    full_card: 59_000,
};

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let mut held = Held::default();
    let labels: HashMap<Id, &Field> = snapshot.fields.iter().map(|f| (f.id, f)).collect();
    for customer in &snapshot.customers {
        if let Some((_, id, _)) = customer.external_id.as_deref().and_then(record_of) {
            let all = held.customers.entry(id.to_owned()).or_default();
            all.push(person(customer, &labels));
        }
        let objects = customer.data.pointer("/transload/objects");
        for of_kind in objects.and_then(Value::as_object).into_iter().flatten() {
            for (id, member) in of_kind.1.as_object().into_iter().flatten() {
                let word = |name: &str| member[name].as_str().unwrap_or_default().to_owned();
                let record = Record {
                    id: id.clone(),
                    name: word("title"),
                    customer: Some(customer.id.to_string()),
                    card: word("card"),
                    ..Record::default()
                };
                held.objects.entry(id.clone()).or_default().push(record);
            }
        }
    }
    for user in &snapshot.users {
        held.staff
            .insert(user.email.to_lowercase(), user.id.to_string());
    }
    let live = snapshot.tickets.iter().filter(|t| t.trashed_at.is_none());
    for ticket in live {
        let messages = snapshot.thread(ticket);
        for message in &messages {
            let external = message.external_id.as_deref().unwrap_or_default();
            if let Some(("custom-object", id, _)) = record_of(external) {
                let card = message.body_text.clone().unwrap_or_default();
                let title = card.lines().find_map(|line| line.strip_prefix("title: "));
                let record = Record {
                    id: message.id.to_string(),
                    name: title.unwrap_or_default().to_owned(),
                    customer: ticket.customer_id.map(|id| id.to_string()),
                    card,
                    ..Record::default()
                };
                held.objects.entry(id.to_owned()).or_default().push(record);
            }
        }
        if let Some((kind, id, part)) = ticket.external_id.as_deref().and_then(record_of) {
            let parts = held.threads.entry((kind.to_owned(), id.to_owned()));
            let all = parts.or_default().entry(part).or_default();
            all.push(thread(snapshot, ticket, &messages, &labels));
        }
    }
    held
}

fn slots(
    values: &std::collections::BTreeMap<Id, Value>,
    fields: &HashMap<Id, &Field>,
) -> Vec<Slot> {
    let slot = |(id, value): (&Id, &Value)| {
        Some(Slot {
            label: fields.get(id)?.label.clone(),
            value: value.clone(),
            words: None,
        })
    };
    values.iter().filter_map(slot).collect()
}

fn person(customer: &Customer, fields: &HashMap<Id, &Field>) -> Record {
    let mut places: Vec<String> = customer
        .channels
        .iter()
        .map(|c| c.address.clone())
        .collect();
    places.push(customer.meta.to_string());
    Record {
        id: customer.id.to_string(),
        name: customer.name.clone(),
        slots: slots(&customer.custom_fields, fields),
        card: customer.note.clone().unwrap_or_default(),
        places,
        ..Record::default()
    }
}

fn thread(
    snapshot: &Snapshot,
    ticket: &Ticket,
    messages: &[&Message],
    fields: &HashMap<Id, &Field>,
) -> Thread {
    let mut thread = Thread {
        record: Record {
            id: ticket.id.to_string(),
            name: ticket.subject.clone().unwrap_or_default(),
            customer: ticket.customer_id.map(|id| id.to_string()),
            slots: slots(&ticket.custom_fields, fields),
            ..Record::default()
        },
        status: ticket.status.as_str().to_owned(),
        priority: Some(ticket.priority.clone()),
        created: Some(ticket.created_at.timestamp_millis()),
        tags: snapshot
            .tags_of(ticket)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        ..Thread::default()
    };
    for message in messages {
        let external = message.external_id.as_deref().unwrap_or_default();
        let of_card = external.strip_suffix("#card");
        match record_of(of_card.unwrap_or(external)) {
            Some(("message", id, _)) if of_card.is_none() => {
                thread.said.push(said(snapshot, message, id));
            }
            Some(("custom-object", ..)) => {}
            _ if of_card.is_some() => {
                let card = message.body_text.as_deref().unwrap_or_default();
                thread.record.card.push_str(card);
            }
            _ => thread.said.push(said(snapshot, message, "")),
        }
    }
    thread
}

fn said(snapshot: &Snapshot, message: &Message, id: &str) -> Said {
    let (mut lead, plain) = split(message.body_text.as_deref().unwrap_or_default());
    let html = message.body_html.as_deref().map(|html| {
        let (line, html) = split_html(html);
        lead = line;
        html
    });
    let file = |attachment| {
        let file = snapshot.file(attachment)?;
        Some(File {
            name: attachment.name.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
        })
    };
    Said {
        of: (!id.is_empty()).then(|| id.to_owned()),
        lead,
        plain,
        html,
        at: Some(message.created_at.timestamp_millis()),
        public: Some(message.public),
        incoming: (!message.is_note()).then_some(!message.from_agent),
        author: message.sender_id.map(|id| id.to_string()),
        files: message.attachments.iter().filter_map(file).collect(),
    }
}
