//! A Zoho Desk portal, as it is held against the source: accounts, contacts, tickets and records of modules are known by a field with
//! the source's id. E-mails are threads, everything else is a comment; files hang on the ticket.

use serde_json::Value;
use transload_simulators::zoho_desk::Snapshot;
use transload_simulators::zoho_desk::model::{
    Attachment, Author, Comment, Id, Module, Place, Record as Row, Thread as Mail,
};

use super::held::{self, File, Held, Objects, Record, Said, Slot, Thread, Ways};
use super::html::{folded, plain};
use super::{record_of, split_html};

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "done" => "Closed",
        "snoozed" => "On Hold",
        _ => "Open",
    },
    priority: Some(|priority| match priority {
        1 | 2 => "Low",
        3 => "Medium",
        _ => "High",
    }),
    // Others are written as a tag is there. Case does not tell tags apart: the first of them gives its name to all.
    tag: |name| {
        let letters = |c: char| c.is_ascii_alphanumeric() || "_.-+%".contains(c);
        let fits = (3..=50).contains(&name.len()) && name.chars().all(letters);
        fits.then(|| name.to_lowercase())
    },
    same_text: |wanted, found| folded(wanted) == folded(found),
    same_name: |wanted, found| {
        held::same_trimmed(wanted, found)
            || wanted.is_empty()
            || found.chars().count() >= 40 && wanted.starts_with(found.trim())
    },
    file_name: held::form_file_name,
    grain: 1,
    slack: 1_000,
    keeps_times: true,
    keeps_created: true,
    in_order: true,
    agents_may_write_in: true,
    has_companies: true,
    has_company_cards: true,
    objects: Objects::Themselves,
    largest_file: 20 * 1024 * 1024,
    refuses: |_, size| size == 0,
    full_card: 59_000,
};

const MARKER: &str = "Transload source id";
const CARD: &str = "Transload source card";

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let portal = Portal { snapshot };
    let mut held = Held::default();
    for agent in snapshot.agents.values() {
        let email = agent.email.to_lowercase();
        held.staff.insert(email, agent.id.to_string());
    }
    for row in snapshot
        .records
        .values()
        .filter(|row| row.trashed.is_none())
    {
        let Some((kind, id, part)) = portal.own(row, MARKER).and_then(record_of) else {
            continue;
        };
        let records = match row.module {
            Module::Contacts => &mut held.customers,
            Module::Accounts => &mut held.companies,
            Module::Custom(_) => &mut held.objects,
            Module::Tickets => {
                let parts = held.threads.entry((kind.to_owned(), id.to_owned()));
                let all = parts.or_default().entry(part).or_default();
                all.push(portal.thread(row));
                continue;
            }
            _ => continue,
        };
        let all = records.entry(id.to_owned()).or_default();
        all.push(portal.record(row));
    }
    held
}

/// A portal with the labels of its fields.
struct Portal<'s> {
    snapshot: &'s Snapshot,
}

impl<'s> Portal<'s> {
    /// What one of the connector's own fields holds.
    fn own(&self, row: &'s Row, label: &str) -> Option<&'s str> {
        self.snapshot.custom_value(row, label)
    }

    fn slots(&self, row: &Row) -> Vec<Slot> {
        let fields = self.snapshot.fields.values();
        let fields = fields.filter(|field| field.module == row.module);
        let slot = |field: &transload_simulators::zoho_desk::model::Field| {
            Some(Slot {
                label: field.label.clone(),
                value: Value::from(row.cf.get(&field.api_name)?.as_str()),
                words: None,
            })
        };
        fields.filter_map(slot).collect()
    }

    fn record(&self, row: &Row) -> Record {
        let word = |name: &str| row.text(name).unwrap_or_default();
        let name = match row.module {
            Module::Accounts => word("accountName").to_owned(),
            Module::Contacts => format!("{} {}", word("firstName"), word("lastName")),
            Module::Tickets => word("subject").to_owned(),
            _ => word("name").to_owned(),
        };
        let places = [
            "email",
            "secondaryEmail",
            "phone",
            "mobile",
            "website",
            "twitter",
            "facebook",
        ];
        let places = places.into_iter().filter_map(|name| row.text(name));
        let card = self.own(row, CARD).unwrap_or_default();
        let is_custom = matches!(row.module, Module::Custom(_));
        let link = |field: &str, label: &str| {
            let found = if is_custom {
                self.own(row, label)
            } else {
                row.text(field)
            };
            found.map(str::to_owned)
        };
        Record {
            id: row.id.to_string(),
            name,
            company: link("accountId", "Company"),
            customer: link("contactId", "Customer"),
            slots: self.slots(row),
            card: card.to_owned() + word("description"),
            places: places.map(str::to_owned).collect(),
            also: Vec::new(),
        }
    }

    fn thread(&self, row: &Row) -> Thread {
        let mut record = self.record(row);
        let mails = self.snapshot.threads(row.id).into_iter();
        let comments = self.snapshot.comments(row.id).into_iter();
        let mut said: Vec<(i64, Id, Said)> = mails
            .map(|mail| (mail.created_at.timestamp_millis(), mail.id, self.mail(mail)))
            .chain(comments.map(|comment| {
                let at = comment.commented_at.timestamp_millis();
                (at, comment.id, self.comment(comment))
            }))
            .collect();
        said.sort_by_key(|(at, id, _)| (*at, *id));
        let mut all = Vec::new();
        for (_, _, one) in said {
            if one.lead.starts_with("source card") {
                record.card.push_str(&one.plain);
            } else if !one.lead.starts_with("continues ") {
                all.push(one);
            }
        }
        let word = |name: &str| row.text(name).map(str::to_owned);
        let tags = self.snapshot.tags_of(row).into_iter();
        Thread {
            record,
            status: word("status").unwrap_or_default(),
            priority: word("priority"),
            created: Some(row.created_at.timestamp_millis()),
            tags: tags.map(str::to_lowercase).collect(),
            said: all,
            files: self.files(Place::Ticket(row.id)),
        }
    }

    fn mail(&self, mail: &Mail) -> Said {
        Said {
            at: Some(mail.created_at.timestamp_millis()),
            public: Some(!mail.private),
            incoming: Some(mail.incoming),
            author: author(&mail.author),
            files: self.files(Place::Thread(mail.id)),
            ..body(&mail.content)
        }
    }

    fn comment(&self, comment: &Comment) -> Said {
        Said {
            at: Some(comment.commented_at.timestamp_millis()),
            public: Some(comment.public),
            author: author(&comment.author),
            files: self.files(Place::Comment(comment.id)),
            ..body(&comment.content)
        }
    }

    fn files(&self, place: Place) -> Vec<File> {
        let file = |file: &Attachment| File {
            name: file.name.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
        };
        self.snapshot.files(place).into_iter().map(file).collect()
    }
}

/// The number of who wrote it; an address that is nobody's is in the line above the text.
fn author(author: &Author) -> Option<String> {
    match author {
        Author::Agent(id) | Author::Contact(id) => Some(id.to_string()),
        Author::Address(_) => None,
    }
}

fn body(content: &str) -> Said {
    let inside = content.strip_prefix("<div>");
    let inside = inside.and_then(|content| content.strip_suffix("</div>"));
    let (lead, html) = split_html(inside.unwrap_or(content));
    let plain = plain(&html);
    Said {
        lead,
        html: plain.is_none().then_some(html),
        plain: plain.unwrap_or_default(),
        ..Said::default()
    }
}
