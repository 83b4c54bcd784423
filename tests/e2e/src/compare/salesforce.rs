//! A Salesforce org, as it is held against the source.
//!
//! Records are known by their unique source id. E-mails are known by their message; comments, which carry no id, by what was said
//! in their conversation.

use std::collections::HashMap;

use serde_json::Value;
use transload_simulators::salesforce::schema::Field;
use transload_simulators::salesforce::{Row, Snapshot};

use super::held::{self, File, Held, Record, Said, Slot, Thread, Ways};
use super::{letters, record_of, split, split_html, time};

const SOURCE_ID: &str = "Transload_Source_Id__c";
const CARD: &str = "Transload_Source_Card__c";
const ADDRESSES: &str = "Transload_Addresses__c";

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "done" => "closed",
        _ => "open",
    },
    priority: None,
    tag: |name| {
        let name = name.trim().to_lowercase();
        (!name.is_empty()).then_some(name)
    },
    same_text: held::same_trimmed,
    // Names are cut where their field ends.
    same_name: |wanted, found| {
        let (wanted, found) = (letters(wanted), letters(found));
        wanted.starts_with(&found) && (found.len() >= 60 || wanted == found)
            || !wanted.is_empty() && found.starts_with(&wanted)
    },
    file_name: |name| name.trim().to_owned(),
    grain: 1_000,
    // Parts of one second are set apart.
    slack: 300_000,
    keeps_times: true,
    keeps_created: true,
    in_order: false,
    agents_may_write_in: true,
    has_companies: true,
    has_company_cards: true,
    objects: held::Objects::Themselves,
    largest_file: u64::MAX,
    refuses: |_, size| size == 0,
    full_card: 130_000,
};

/// An org with what hangs on its records.
struct Org<'s> {
    snapshot: &'s Snapshot,
    /// By object and the record they hang on.
    children: HashMap<(&'s str, &'s str), Vec<&'s Row>>,
}

impl<'s> Org<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let mut children: HashMap<_, Vec<&Row>> = HashMap::new();
        for row in snapshot.rows.values().filter(|row| !row.deleted) {
            let parent = match row.object.as_str() {
                "EmailMessage" | "CaseComment" => row.text("ParentId"),
                "ContentDocumentLink" => row.text("LinkedEntityId"),
                _ => continue,
            };
            children
                .entry((row.object.as_str(), parent))
                .or_default()
                .push(row);
        }
        Self { snapshot, children }
    }

    fn children(&self, object: &str, of: &str) -> Vec<&'s Row> {
        self.children
            .get(&(object, of))
            .cloned()
            .unwrap_or_default()
    }

    fn files(&self, on: &str) -> Vec<File> {
        let file = |link: &&Row| {
            let document = self.snapshot.row(link.text("ContentDocumentId"))?;
            let version = self
                .snapshot
                .row(document.text("LatestPublishedVersionId"))?;
            let blob = self.snapshot.files.get(&version.id)?;
            Some(File {
                name: version.text("PathOnClient").to_owned(),
                size: blob.bytes.len() as u64,
                sha256: blob.sha256.clone(),
            })
        };
        let links = self.children("ContentDocumentLink", on);
        links.iter().filter_map(file).collect()
    }
}

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let mut held = Held::default();
    let org = Org::new(snapshot);
    for row in snapshot.rows.values().filter(|row| !row.deleted) {
        let Some((kind, id, part)) = record_of(row.text(SOURCE_ID)) else {
            continue;
        };
        let is_custom = snapshot.objects.get(&row.object).is_some_and(|o| o.custom);
        let id = id.to_owned();
        match row.object.as_str() {
            "Account" => held
                .companies
                .entry(id)
                .or_default()
                .push(record(snapshot, row)),
            "Contact" => held
                .customers
                .entry(id)
                .or_default()
                .push(record(snapshot, row)),
            "Case" => {
                let parts = held.threads.entry((kind.to_owned(), id)).or_default();
                parts.entry(part).or_default().push(thread(&org, row));
            }
            _ if is_custom => held
                .objects
                .entry(id)
                .or_default()
                .push(record(snapshot, row)),
            _ => {}
        }
    }
    for user in snapshot
        .of_object("User")
        .filter(|user| user.is("IsActive"))
    {
        held.staff
            .insert(user.text("Email").to_lowercase(), user.id.clone());
    }
    held
}

fn record(snapshot: &Snapshot, row: &Row) -> Record {
    let link = |names: [&str; 2]| {
        let found = names.iter().map(|name| row.text(name));
        found.filter(|id| !id.is_empty()).map(str::to_owned).next()
    };
    let name = match row.object.as_str() {
        "Case" => "Subject",
        _ => "Name",
    };
    let places = [
        "Website",
        "Email",
        "Phone",
        "MobilePhone",
        "HomePhone",
        "OtherPhone",
        ADDRESSES,
    ];
    Record {
        id: row.id.clone(),
        name: row.text(name).to_owned(),
        company: link(["AccountId", "Transload_Account__c"]),
        customer: link(["ContactId", "Transload_Contact__c"]),
        also: Vec::new(),
        slots: slots(snapshot, row),
        card: row.text(CARD).to_owned(),
        places: places.map(|place| row.text(place).to_owned()).to_vec(),
    }
}

fn slots(snapshot: &Snapshot, row: &Row) -> Vec<Slot> {
    let object = snapshot.objects.get(&row.object);
    let fields = object.into_iter().flat_map(|object| &object.fields);
    let slot = |field: &Field| {
        let value = row.get(&field.name).clone();
        // Times without a colon in their offset.
        let value = match value.as_str().and_then(millis) {
            Some(at) if at.rem_euclid(86_400_000) != 0 => Value::from(at.to_string()),
            _ => value,
        };
        let mut choices = field.choices.iter();
        let choice = choices.find(|choice| Some(choice.value.as_str()) == value.as_str());
        Slot {
            label: field.label.clone(),
            words: choice.map(|choice| choice.label.clone()),
            value,
        }
    };
    fields.filter(|field| field.custom).map(slot).collect()
}

fn thread(org: &Org<'_>, case: &Row) -> Thread {
    let mut mails = org.children("EmailMessage", &case.id);
    mails.sort_by_key(|mail| record_of(mail.text(SOURCE_ID)).map(|(_, id, part)| (id, part)));
    let mut comments = org.children("CaseComment", &case.id);
    comments.sort_by_key(|row| (row.text("CreatedDate").to_owned(), row.id.clone()));
    let said = mails.into_iter().map(|mail| mail_of(org, mail));
    let comments = comments.into_iter().map(comment).filter(|said| {
        let ours = ["source card", "continues in the case", "continues the case"];
        !ours.iter().any(|words| said.lead.starts_with(words))
    });
    let tags = case.text("Transload_Tags__c").to_lowercase();
    Thread {
        record: record(org.snapshot, case),
        status: if case.is("IsClosed") {
            "closed"
        } else {
            "open"
        }
        .to_owned(),
        priority: None,
        created: millis(case.text("CreatedDate")),
        tags: tags.split(';').map(|tag| tag.trim().to_owned()).collect(),
        said: said.chain(comments).collect(),
        files: org.files(&case.id),
    }
}

fn mail_of(org: &Org<'_>, mail: &Row) -> Said {
    let (mut lead, plain) = split(mail.text("TextBody"));
    let html = match mail.text("HtmlBody") {
        "" => None,
        html => {
            let (line, html) = split_html(html);
            lead = line;
            Some(html)
        }
    };
    let named = ["FromName", "FromAddress"]
        .iter()
        .any(|name| !mail.text(name).is_empty());
    if named {
        // Who wrote it stands in the e-mail's own fields.
        lead.push_str("; written by ");
        lead.push_str(mail.text("FromName"));
    }
    Said {
        of: record_of(mail.text(SOURCE_ID)).map(|(_, id, _)| id.to_owned()),
        lead,
        plain,
        html,
        at: millis(mail.text("MessageDate")),
        incoming: Some(mail.is("Incoming")),
        files: org.files(&mail.id),
        ..Said::default()
    }
}

fn comment(row: &Row) -> Said {
    let (lead, plain) = split(row.text("CommentBody"));
    Said {
        lead,
        plain,
        at: millis(row.text("CreatedDate")),
        public: Some(row.is("IsPublished")),
        author: Some(row.text("CreatedById").to_owned()),
        ..Said::default()
    }
}

/// Milliseconds of a time as the org writes it, without a colon in its offset.
fn millis(text: &str) -> Option<i64> {
    let at = text.len().checked_sub(2)?;
    let (front, minutes) = text.split_at_checked(at)?;
    time(text).or_else(|| time(&format!("{front}:{minutes}")))
}
