//! A Zendesk account, as it is held against the source: users, tickets and records are known by their external id.

use std::collections::HashMap;

use serde_json::Value;
use transload_simulators::zendesk::Snapshot;
use transload_simulators::zendesk::model::{
    Comment, CommentText, Field, FieldOwner, Organization, Ticket, User,
};

use super::held::{self, File, Held, Record, Said, Slot, Thread, Ways, same_file_name};
use super::{record_of, split, split_html};

/// What the connector declares to convert.
pub(crate) const WAYS: Ways = Ways {
    status: |status| match status {
        "done" => "closed",
        "snoozed" => "hold",
        _ => "open",
    },
    priority: Some(|priority| match priority {
        1 | 2 => "low",
        3 => "normal",
        4 => "high",
        _ => "urgent",
    }),
    tag: normal_tag,
    same_text: |wanted, found| wanted == found,
    same_name: held::same_trimmed,
    file_name: same_file_name,
    grain: 1_000,
    slack: 0,
    keeps_times: true,
    keeps_created: true,
    in_order: true,
    agents_may_write_in: false,
    has_companies: true,
    has_company_cards: true,
    objects: held::Objects::Themselves,
    largest_file: u64::MAX,
    refuses: |_, _| false,
    // A card is cut where the record is full.
    full_card: 11_990,
};

/// What it holds of the source.
pub(crate) fn held(snapshot: &Snapshot) -> Held {
    let mut held = Held::default();
    let fields = Fields::new(snapshot);
    for ticket in snapshot.tickets.iter().filter(|t| t.deleted.is_none()) {
        if let Some((kind, id, part)) = ticket.external_id.as_deref().and_then(record_of) {
            let parts = held.threads.entry((kind.to_owned(), id.to_owned()));
            let all = parts.or_default().entry(part).or_default();
            all.push(thread(ticket, &fields));
        }
    }
    for user in snapshot.users.iter().filter(|user| user.active) {
        if user.is_agent() {
            let emails = user.identities.iter().map(|i| i.value.to_lowercase());
            held.staff
                .extend(emails.map(|email| (email, user.id.to_string())));
        }
        if let Some((_, id, _)) = user.external_id.as_deref().and_then(record_of) {
            let all = held.customers.entry(id.to_lowercase()).or_default();
            all.push(customer(user, &fields));
        }
    }
    for organization in &snapshot.organizations {
        if let Some((_, id, _)) = organization.external_id.as_deref().and_then(record_of) {
            let all = held.companies.entry(id.to_lowercase()).or_default();
            all.push(company(organization, &fields));
        }
    }
    for record in &snapshot.records {
        let Some((_, id, _)) = record.external_id.as_deref().and_then(record_of) else {
            continue;
        };
        let link = |key: &str| record.fields.get(key)?.as_str().map(str::to_owned);
        let owner = FieldOwner::Object(record.object.clone());
        held.objects.entry(id.to_owned()).or_default().push(Record {
            id: record.id.clone(),
            name: record.name.clone(),
            company: link("transload_company"),
            customer: link("transload_customer"),
            slots: fields.slots(&owner, |field| record.fields.get(field.key.as_ref()?)),
            card: link("transload_source_card").unwrap_or_default(),
            places: Vec::new(),
            also: Vec::new(),
        });
    }
    held
}

struct Fields<'s>(HashMap<FieldOwner, Vec<&'s Field>>);

impl<'s> Fields<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let mut fields: HashMap<FieldOwner, Vec<&Field>> = HashMap::new();
        for field in &snapshot.fields {
            fields.entry(field.owner.clone()).or_default().push(field);
        }
        Self(fields)
    }

    fn slots<'v>(
        &self,
        owner: &FieldOwner,
        stored: impl Fn(&Field) -> Option<&'v Value>,
    ) -> Vec<Slot> {
        let fields = self.0.get(owner).into_iter().flatten();
        let slot = |field: &&Field| {
            let value = stored(field)?.clone();
            let mut options = field.options.iter();
            let option = options.find(|option| Some(option.value.as_str()) == value.as_str());
            Some(Slot {
                label: field.title.clone(),
                words: option.map(|option| option.name.clone()),
                value,
            })
        };
        fields.filter_map(slot).collect()
    }
}

fn company(organization: &Organization, fields: &Fields<'_>) -> Record {
    let values = &organization.organization_fields;
    Record {
        id: organization.id.to_string(),
        name: organization.name.clone(),
        slots: fields.slots(&FieldOwner::Organization, |field| {
            values.get(field.key.as_ref()?)
        }),
        card: organization.notes.clone().unwrap_or_default(),
        places: organization.domain_names.clone(),
        ..Record::default()
    }
}

fn customer(user: &User, fields: &Fields<'_>) -> Record {
    let values = &user.user_fields;
    let identities = user.identities.iter().map(|i| i.value.clone());
    Record {
        id: user.id.to_string(),
        name: user.name.clone(),
        company: user.organization_id.map(|id| id.to_string()),
        slots: fields.slots(&FieldOwner::User, |field| values.get(field.key.as_ref()?)),
        card: user.notes.clone(),
        places: identities.chain(user.phone.clone()).collect(),
        ..Record::default()
    }
}

fn thread(ticket: &Ticket, fields: &Fields<'_>) -> Thread {
    let (ours, said): (Vec<Said>, Vec<Said>) = ticket.comments.iter().map(said).partition(is_ours);
    let card = ours
        .into_iter()
        .filter(|said| said.lead.starts_with("source card"));
    let values = &ticket.custom_fields;
    Thread {
        record: Record {
            id: ticket.id.to_string(),
            name: ticket.subject.clone().unwrap_or_default(),
            customer: Some(ticket.requester_id.to_string()),
            slots: fields.slots(&FieldOwner::Ticket, |field| values.get(&field.id)),
            card: card.map(|said| said.lead + &said.plain).collect(),
            ..Record::default()
        },
        status: ticket.status.as_str().to_owned(),
        priority: ticket.priority.map(|priority| priority.as_str().to_owned()),
        created: Some(ticket.created_at.timestamp_millis()),
        tags: ticket.tags.iter().cloned().collect(),
        said,
        files: Vec::new(),
    }
}

fn said(comment: &Comment) -> Said {
    let (lead, plain, html) = match &comment.text {
        CommentText::Plain(text) => {
            let (lead, plain) = split(text);
            (lead, plain, None)
        }
        CommentText::Html(html) => {
            let (lead, html) = split_html(html);
            (lead, String::new(), Some(html))
        }
    };
    let file = |file: &transload_simulators::zendesk::model::File| File {
        name: file.name.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
    };
    Said {
        lead,
        plain,
        html,
        at: Some(comment.created_at.timestamp_millis()),
        public: Some(comment.public),
        author: Some(comment.author_id.to_string()),
        files: comment.attachments.iter().map(file).collect(),
        ..Said::default()
    }
}

/// A comment of the connector's own: a source card, or a link to the next ticket.
fn is_ours(said: &Said) -> bool {
    let lead = &said.lead;
    let ours = ["source card", "continues in the ticket", "continues ticket"];
    said.public == Some(false) && ours.iter().any(|words| lead.starts_with(words))
}

/// A tag as the destination keeps it; independent of the connector's own words for it.
fn normal_tag(name: &str) -> Option<String> {
    let mut tag = String::new();
    for c in name.trim().to_lowercase().chars() {
        let kept = c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
        if kept {
            tag.push(c);
        } else if !tag.ends_with('_') {
            tag.push('_');
        }
    }
    let tag = tag.trim_matches('_');
    (!tag.is_empty()).then(|| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_what_the_destination_makes_of_it() {
        assert_eq!(
            normal_tag(" VIP customer!").as_deref(),
            Some("vip_customer")
        );
        assert_eq!(normal_tag("Größe/2").as_deref(), Some("größe/2"));
        assert_eq!(normal_tag("🔥"), None);
    }
}
