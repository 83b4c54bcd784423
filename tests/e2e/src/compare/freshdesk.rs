//! A Freshdesk account, as it is held against the source. Contacts are known by their external id, everything else by a field with
//! the source's id. Texts are HTML: one that has line breaks only was plain.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use transload_simulators::freshdesk::Snapshot;
use transload_simulators::freshdesk::model::{self, Company, Field, Owner, Person, Ticket};

use super::held::{self, File, Held, Objects, Record, Said, Slot, Thread, Ways};
use super::html::{folded, plain};
use super::{record_of, split_html, time};

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "done" => "5",
        "snoozed" => "3",
        _ => "2",
    },
    priority: Some(|priority| match priority {
        1 | 2 => "1",
        3 => "2",
        4 => "3",
        _ => "4",
    }),
    // Longer ones, and those with a comma, are called otherwise. Case and blanks do not tell tags apart.
    tag: |name| {
        let plain = plain_tag(name);
        (!plain.is_empty() && plain.len() <= 32 && !plain.contains(',')).then_some(plain)
    },
    same_text: |wanted, found| folded(wanted) == folded(found),
    same_name: |wanted, found| {
        held::same_trimmed(wanted, found)
            || wanted.is_empty()
            || found.chars().count() >= 255 && wanted.starts_with(found.trim())
    },
    file_name: held::form_file_name,
    grain: 1_000,
    slack: 0,
    keeps_times: true,
    keeps_created: true,
    in_order: true,
    agents_may_write_in: false,
    has_companies: true,
    has_company_cards: true,
    objects: Objects::Themselves,
    largest_file: 20 * 1024 * 1024,
    refuses: |name, size| size == 0 || name.ends_with(".exe"),
    full_card: 60_000,
};

fn plain_tag(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let mut held = Held::default();
    let account = Account::new(snapshot);
    for person in snapshot.contacts.iter().filter(|p| p.deleted_at.is_none()) {
        if let Some((_, id, _)) = person.unique_external_id.as_deref().and_then(record_of) {
            let all = held.customers.entry(id.to_owned()).or_default();
            all.push(account.person(person));
        }
    }
    for agent in &snapshot.agents {
        let email = agent.email.clone().unwrap_or_default().to_lowercase();
        held.staff.insert(email, agent.id.to_string());
    }
    for company in &snapshot.companies {
        let marker = account.own(Owner::Company, &company.custom_fields, MARKER);
        if let Some((_, id, _)) = record_of(&marker) {
            let all = held.companies.entry(id.to_owned()).or_default();
            all.push(account.company(company));
        }
    }
    for ticket in snapshot.tickets.iter().filter(|t| t.deleted_at.is_none()) {
        let marker = account.own(Owner::Ticket, &ticket.custom_fields, MARKER);
        if let Some((kind, id, part)) = record_of(&marker) {
            let parts = held.threads.entry((kind.to_owned(), id.to_owned()));
            let all = parts.or_default().entry(part).or_default();
            all.push(account.thread(ticket));
        }
    }
    for record in &snapshot.records {
        let (marker, record) = account.record(record);
        if let Some((_, id, _)) = record_of(&marker) {
            held.objects.entry(id.to_owned()).or_default().push(record);
        }
    }
    held
}

const MARKER: &str = "Transload source id";
const CARD: &str = "Transload source card";

/// An account with the labels of its fields.
struct Account<'s> {
    snapshot: &'s Snapshot,
    fields: HashMap<(Owner, &'s str), &'s Field>,
}

impl<'s> Account<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let fields = snapshot.fields.iter();
        let fields = fields.filter(|field| !field.default);
        Self {
            snapshot,
            fields: fields.map(|f| ((f.owner, f.name.as_str()), f)).collect(),
        }
    }

    fn slots(&self, owner: Owner, values: &BTreeMap<String, Value>) -> Vec<Slot> {
        let slot = |(name, value): (&String, &Value)| {
            Some(Slot {
                label: self.fields.get(&(owner, name.as_str()))?.label.clone(),
                value: value.clone(),
                words: None,
            })
        };
        values.iter().filter_map(slot).collect()
    }

    /// What one of the connector's own fields holds.
    fn own(&self, owner: Owner, values: &BTreeMap<String, Value>, label: &str) -> String {
        let slots = self.slots(owner, values);
        let slot = slots.into_iter().find(|slot| slot.label == label);
        let text = slot.and_then(|slot| slot.value.as_str().map(str::to_owned));
        text.unwrap_or_default()
    }

    fn person(&self, person: &Person) -> Record {
        let given = [
            &person.email,
            &person.phone,
            &person.mobile,
            &person.twitter_id,
        ];
        let places = given.into_iter().flatten().chain(&person.other_emails);
        let card = self.own(Owner::Contact, &person.custom_fields, CARD);
        Record {
            id: person.id.to_string(),
            name: person.name.clone().unwrap_or_default(),
            company: person.company_id.map(|id| id.to_string()),
            slots: self.slots(Owner::Contact, &person.custom_fields),
            card: card + person.description.as_deref().unwrap_or_default(),
            places: places.cloned().collect(),
            ..Record::default()
        }
    }

    fn company(&self, company: &Company) -> Record {
        let card = self.own(Owner::Company, &company.custom_fields, CARD);
        Record {
            id: company.id.to_string(),
            name: company.name.clone(),
            slots: self.slots(Owner::Company, &company.custom_fields),
            card: card + company.description.as_deref().unwrap_or_default(),
            places: company.domains.clone(),
            ..Record::default()
        }
    }

    fn record(&self, record: &model::Record) -> (String, Record) {
        let schemas = self.snapshot.schemas.iter();
        let mut schemas = schemas.filter(|schema| schema.id == record.schema_id);
        let fields = schemas.next().map(|schema| schema.fields.as_slice());
        let slots: Vec<Slot> = fields
            .unwrap_or_default()
            .iter()
            .filter_map(|field| {
                Some(Slot {
                    label: field.label.clone(),
                    value: record.data.get(&field.name)?.clone(),
                    words: None,
                })
            })
            .collect();
        let value = |label: &str| {
            let slot = slots.iter().find(|slot| slot.label == label);
            slot.map(|slot| match &slot.value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let held = Record {
            id: record.display_id.clone(),
            name: value("Title").unwrap_or_default(),
            company: value("Company"),
            customer: value("Customer"),
            card: value("Source card").unwrap_or_default(),
            slots: slots.clone(),
            places: Vec::new(),
            also: Vec::new(),
        };
        (value("Source ID").unwrap_or_default(), held)
    }

    fn thread(&self, ticket: &Ticket) -> Thread {
        let opening = said(&ticket.description, &ticket.attachments);
        // A description shows its ticket's time; its own stands in the line where it is another.
        let own = opening.lead.split("; ").next();
        let own = own.and_then(|fact| time(fact.strip_prefix("sent ")?));
        let opening = Said {
            at: own.or(Some(ticket.created_at.timestamp_millis())),
            author: Some(ticket.requester_id.to_string()),
            ..opening
        };
        let notes = self.snapshot.conversations.get(&ticket.id);
        let notes = notes.into_iter().flatten().map(|note| Said {
            at: Some(note.created_at.timestamp_millis()),
            public: Some(!note.private),
            author: Some(note.user_id.to_string()),
            ..said(&note.body, &note.attachments)
        });
        let mut card = self.own(Owner::Ticket, &ticket.custom_fields, CARD);
        let mut all: Vec<Said> = Vec::new();
        for said in [opening].into_iter().chain(notes) {
            if said.lead.starts_with("source card") {
                card.push_str(&said.plain);
            } else if !said.lead.starts_with("continues ") && !said.lead.contains("follow as notes")
            {
                all.push(said);
            }
        }
        Thread {
            record: Record {
                id: ticket.id.to_string(),
                name: ticket.subject.clone(),
                customer: Some(ticket.requester_id.to_string()),
                slots: self.slots(Owner::Ticket, &ticket.custom_fields),
                card,
                ..Record::default()
            },
            status: ticket.status.to_string(),
            priority: Some(ticket.priority.to_string()),
            created: Some(ticket.created_at.timestamp_millis()),
            tags: ticket.tags.iter().map(|tag| plain_tag(tag)).collect(),
            said: all,
            files: Vec::new(),
        }
    }
}

/// A description or a note.
fn said(body: &str, files: &[model::File]) -> Said {
    let inside = body.strip_prefix("<div>");
    let inside = inside.and_then(|body| body.strip_suffix("</div>"));
    let (lead, html) = split_html(inside.unwrap_or(body));
    let file = |file: &model::File| File {
        name: file.name.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
    };
    let plain = plain(&html);
    Said {
        lead,
        html: plain.is_none().then_some(html),
        plain: plain.unwrap_or_default(),
        files: files.iter().map(file).collect(),
        ..Said::default()
    }
}
