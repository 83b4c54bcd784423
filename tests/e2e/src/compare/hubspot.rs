//! A HubSpot account, as it is held against the source. Records are known by the property with their source's id, activities by
//! that of their message behind their ticket's. Bodies are HTML: one that has line breaks only was plain.

use std::collections::HashMap;

use serde_json::Value;
use transload_simulators::hubspot::Snapshot;
use transload_simulators::hubspot::model::{Property, Record as Row, TypeId};

use super::held::{self, File, Held, Objects, Record, Said, Slot, Thread, Ways};
use super::html::{folded, plain};
use super::{record_of, split, split_html, time};

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "done" => "closed",
        _ => "open",
    },
    priority: Some(|priority| match priority {
        1 | 2 => "LOW",
        3 => "MEDIUM",
        4 => "HIGH",
        _ => "URGENT",
    }),
    tag: |name| (!name.trim().is_empty()).then(|| name.to_owned()),
    same_text: |wanted, found| folded(wanted) == folded(found),
    same_name: |wanted, found| held::same_trimmed(wanted, found) || wanted.is_empty(),
    file_name: |name| {
        let name = match name.trim() {
            "" => "file".to_owned(),
            _ => name.to_owned(),
        };
        let plain = |c: char| match c {
            c if c.is_alphanumeric() || matches!(c, '-' | '_') => c,
            _ => '_',
        };
        let (stem, ending) = match name.rsplit_once('.') {
            Some((stem, ending))
                if (1..=10).contains(&ending.len())
                    && ending.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                (stem, format!(".{ending}"))
            }
            _ => (name.as_str(), String::new()),
        };
        stem.chars().map(plain).take(100).collect::<String>() + &ending
    },
    grain: 1,
    // What was said within one millisecond is set apart.
    slack: 100,
    keeps_times: true,
    keeps_created: true,
    in_order: false,
    agents_may_write_in: true,
    has_companies: true,
    has_company_cards: true,
    objects: Objects::Themselves,
    largest_file: u64::MAX,
    refuses: |name, size| size == 0 || name.ends_with(".exe"),
    full_card: 65_000,
};

const ACTIVITIES: [TypeId; 4] = [
    TypeId::EMAIL,
    TypeId::NOTE,
    TypeId::CALL,
    TypeId::COMMUNICATION,
];

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let mut held = Held::default();
    for owner in snapshot.owners.values().filter(|o| o.archived.is_none()) {
        held.staff
            .insert(owner.email.to_lowercase(), owner.id.to_string());
    }
    let account = Account { snapshot };
    for row in snapshot.records.values().filter(|r| r.archived.is_none()) {
        let marker = account.own(row, "Source ID");
        let Some((kind, id, part)) = record_of(&marker) else {
            continue;
        };
        let id = id.to_owned();
        match row.object {
            TypeId::COMPANY => held
                .companies
                .entry(id)
                .or_default()
                .push(account.record(row)),
            TypeId::CONTACT => held
                .customers
                .entry(id)
                .or_default()
                .push(account.record(row)),
            TypeId::TICKET => {
                let parts = held.threads.entry((kind.to_owned(), id)).or_default();
                parts.entry(part).or_default().push(account.thread(row));
            }
            // A note on a person, of no conversation.
            TypeId::NOTE if kind == "message" => {
                let contacts = snapshot.linked(row, TypeId::CONTACT);
                let thread = Thread {
                    record: Record {
                        id: row.id.to_string(),
                        customer: contacts.first().map(|contact| contact.id.to_string()),
                        ..Record::default()
                    },
                    said: vec![account.said(row)],
                    ..Thread::default()
                };
                let parts = held.threads.entry((kind.to_owned(), id)).or_default();
                parts.entry(part).or_default().push(thread);
            }
            TypeId(2, _) => held
                .objects
                .entry(id)
                .or_default()
                .push(account.record(row)),
            _ => {}
        }
    }
    held
}

struct Account<'s> {
    snapshot: &'s Snapshot,
}

impl Account<'_> {
    /// The property of that label, whatever its name.
    fn property(&self, row: &Row, label: &str) -> Option<&Property> {
        let of = self.snapshot.types.get(&row.object)?;
        of.properties.values().find(|p| p.label == label)
    }

    fn own(&self, row: &Row, label: &str) -> String {
        let property = self.property(row, label);
        property.map_or("", |p| row.text(&p.name)).to_owned()
    }

    fn slots(&self, row: &Row) -> Vec<Slot> {
        let of = self.snapshot.types.get(&row.object);
        let properties = of.into_iter().flat_map(|of| of.properties.values());
        let slot = |property: &Property| {
            let value = row.values.get(&property.name)?;
            let labels: HashMap<&str, &str> = property
                .options
                .iter()
                .map(|option| (option.value.as_str(), option.label.as_str()))
                .collect();
            let words = value
                .split(';')
                .filter_map(|value| labels.get(value).copied());
            let words: Vec<&str> = words.collect();
            Some(Slot {
                label: property.label.clone(),
                value: Value::from(value.as_str()),
                words: (!words.is_empty()).then(|| words.join(";")),
            })
        };
        properties.filter_map(slot).collect()
    }

    fn record(&self, row: &Row) -> Record {
        let linked = |to: TypeId| {
            // What it belongs to is a plain link; relations of the source are labelled.
            let all = self.snapshot.linked(row, to);
            let is_plain = |other: &&&Row| self.snapshot.labels(row, other).is_empty();
            let plain = all.iter().find(is_plain).or(all.first());
            plain.map(|row| row.id.to_string())
        };
        let name = match row.object {
            TypeId::CONTACT => {
                let names = ["firstname", "lastname"].map(|name| row.text(name));
                names.join(" ").trim().to_owned()
            }
            TypeId::COMPANY => row.text("name").to_owned(),
            TypeId::TICKET => row.text("subject").to_owned(),
            _ => self.own(row, "Title"),
        };
        let places = [
            "email",
            "hs_additional_emails",
            "phone",
            "mobilephone",
            "domain",
            "hs_additional_domains",
        ];
        let places = places.iter().map(|name| row.text(name).to_owned());
        Record {
            id: row.id.to_string(),
            name,
            company: linked(TypeId::COMPANY),
            customer: linked(TypeId::CONTACT),
            also: match row.object {
                TypeId(2, _) => [TypeId::COMPANY, TypeId::CONTACT]
                    .iter()
                    .flat_map(|to| self.snapshot.linked(row, *to))
                    .map(|other| other.id.to_string())
                    .collect(),
                _ => Vec::new(),
            },
            slots: self.slots(row),
            card: self.own(row, "Source card"),
            places: places.chain([self.own(row, "Other addresses")]).collect(),
        }
    }

    fn thread(&self, ticket: &Row) -> Thread {
        let activities = ACTIVITIES.into_iter();
        let activities = activities.flat_map(|of| self.snapshot.linked(ticket, of));
        let mut said: Vec<(i64, u64, Said)> = activities
            .map(|row| {
                let said = self.said(row);
                (said.at.unwrap_or_default(), row.id, said)
            })
            .collect();
        said.sort_by_key(|(at, id, _)| (*at, *id));
        let tags = self.property(ticket, "Source tags");
        let tags = tags.map_or("", |tags| ticket.text(&tags.name)).split(';');
        let options = self
            .property(ticket, "Source tags")
            .map(|p| p.options.as_slice());
        let label = |value: &str| {
            let mut options = options.unwrap_or_default().iter();
            let option = options.find(|option| option.value == value);
            option.map_or(value, |option| &option.label).to_owned()
        };
        Thread {
            record: self.record(ticket),
            status: self.stage(ticket).to_owned(),
            priority: Some(ticket.text("hs_ticket_priority").to_owned()).filter(|p| !p.is_empty()),
            created: millis(&self.own(ticket, "Created in the source")),
            tags: tags.map(label).collect(),
            said: said.into_iter().map(|(_, _, said)| said).collect(),
            files: Vec::new(),
        }
    }

    /// Whether the stage that a ticket is in ends it.
    fn stage(&self, ticket: &Row) -> &'static str {
        let pipelines = self.snapshot.pipelines.get(&TypeId::TICKET);
        let pipeline = pipelines.and_then(|all| all.get(ticket.text("hs_pipeline")));
        let stages = pipeline.map(|pipeline| pipeline.stages.as_slice());
        let mut stages = stages.unwrap_or_default().iter();
        let stage = stages.find(|stage| stage.id == ticket.text("hs_pipeline_stage"));
        match stage {
            Some(stage) if stage.closed => "closed",
            Some(_) => "open",
            None => "nowhere",
        }
    }

    fn said(&self, row: &Row) -> Said {
        let body = match row.object {
            TypeId::EMAIL => "hs_email_html",
            TypeId::NOTE => "hs_note_body",
            TypeId::CALL => "hs_call_body",
            _ => "hs_communication_body",
        };
        let (mut lead, text, html) = match (row.text(body), row.text("hs_email_text")) {
            ("", text) => {
                let (lead, text) = split(text);
                (lead, text, None)
            }
            (html, _) => {
                let (lead, html) = split_html(html);
                match plain(&html) {
                    Some(text) => (lead, text, None),
                    None => (lead, String::new(), Some(html)),
                }
            }
        };
        let public = match row.object {
            TypeId::NOTE => lead.split("; ").any(|fact| fact == "public"),
            _ => true,
        };
        let headers = row.text("hs_email_headers");
        let from = serde_json::from_str::<Value>(headers).unwrap_or_default();
        if from.pointer("/from/email").is_some_and(Value::is_string) {
            // Who wrote it stands in the head of the e-mail.
            lead.push_str("; written by ");
            lead.push_str(headers);
        }
        let marker = self.own(row, "Source ID");
        let of = match marker.rsplit_once("/message:") {
            Some((_, part)) => part.split('#').next().map(str::to_owned),
            None => record_of(&marker).map(|(_, id, _)| id.to_owned()),
        };
        let incoming = match row.text("hs_email_direction") {
            "" => None,
            direction => Some(direction == "INCOMING_EMAIL"),
        };
        let file = |file: &transload_simulators::hubspot::model::File| {
            let stem = file.name.rsplit_once('-').map_or("", |(stem, _)| stem);
            let dot = if file.extension.is_empty() { "" } else { "." };
            File {
                name: format!("{stem}{dot}{}", file.extension),
                size: file.size,
                sha256: file.sha256.clone(),
            }
        };
        let files = self.snapshot.files_of(row);
        let owner = row.text("hubspot_owner_id");
        Said {
            of,
            lead,
            plain: text,
            html,
            at: millis(row.text("hs_timestamp")),
            public: Some(public),
            incoming,
            author: (!owner.is_empty()).then(|| owner.to_owned()),
            files: files.into_iter().map(file).collect(),
        }
    }
}

/// Milliseconds of a time as properties hold it.
fn millis(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| time(text))
}
