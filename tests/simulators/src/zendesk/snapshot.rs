//! Looking at an account from a test: typed content, and a fingerprint of it.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint:
//! canonical JSON in which every id is replaced by what the record is called by (external id, address, name, title) and
//! what the account makes up itself (ids, tokens, times it stamped, jobs, unused uploads, deleted groups) is left out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::attributes::iso;
use super::model::{
    Comment, CommentText, CustomObject, CustomStatus, Field, FieldOwner, FieldType, File, Group,
    Id, Membership, Organization, Record, Ticket, User,
};
use super::state::State;

/// The content of an account at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Users, the soft-deleted ones included.
    pub users: Vec<User>,
    /// Organizations.
    pub organizations: Vec<Organization>,
    /// Memberships in organizations.
    pub organization_memberships: Vec<Membership>,
    /// Groups, deleted ones included.
    pub groups: Vec<Group>,
    /// Memberships in groups.
    pub group_memberships: Vec<Membership>,
    /// Fields of all owners.
    pub fields: Vec<Field>,
    /// Custom statuses.
    pub custom_statuses: Vec<CustomStatus>,
    /// Tickets with their comments, the soft-deleted ones included.
    pub tickets: Vec<Ticket>,
    /// Custom objects.
    pub objects: Vec<CustomObject>,
    /// Their records.
    pub records: Vec<Record>,
    /// Upload tokens that nobody has used and that have not expired.
    pub unused_uploads: usize,
    /// Jobs that are queued or running.
    pub open_jobs: usize,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        let open = state
            .uploads
            .values()
            .filter(|upload| upload.expires_at > state.now);
        Self {
            users: state.users.values().cloned().collect(),
            organizations: state.organizations.values().cloned().collect(),
            organization_memberships: state
                .organization_memberships
                .all
                .values()
                .cloned()
                .collect(),
            groups: state.groups.values().cloned().collect(),
            group_memberships: state.group_memberships.all.values().cloned().collect(),
            fields: state.fields.values().cloned().collect(),
            custom_statuses: state.custom_statuses.values().cloned().collect(),
            tickets: state.tickets.values().cloned().collect(),
            objects: state.objects.all.values().cloned().collect(),
            records: state.objects.records.values().cloned().collect(),
            unused_uploads: open.count(),
            open_jobs: state
                .jobs
                .values()
                .filter(|job| job.finished_at.is_none())
                .count(),
        }
    }

    /// The live tickets with this external id; more than one is a duplicate.
    pub fn tickets_by_external_id(&self, external_id: &str) -> Vec<&Ticket> {
        let live = self
            .tickets
            .iter()
            .filter(|ticket| ticket.deleted.is_none());
        live.filter(|ticket| ticket.external_id.as_deref() == Some(external_id))
            .collect()
    }

    /// The user with this id.
    pub fn user(&self, id: Id) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The active user with this external id, in any case.
    pub fn user_by_external_id(&self, external_id: &str) -> Option<&User> {
        let external_id = external_id.to_lowercase();
        let same = |user: &&User| {
            user.active
                && user
                    .external_id
                    .as_ref()
                    .is_some_and(|id| id.to_lowercase() == external_id)
        };
        self.users.iter().find(same)
    }

    /// The active user with this address, primary or not.
    pub fn user_by_email(&self, email: &str) -> Option<&User> {
        let has = |user: &&User| {
            user.active
                && user
                    .identities
                    .iter()
                    .any(|i| i.value.eq_ignore_ascii_case(email))
        };
        self.users.iter().find(has)
    }

    /// The organization with this external id, in any case.
    pub fn organization_by_external_id(&self, external_id: &str) -> Option<&Organization> {
        let external_id = external_id.to_lowercase();
        let same = |o: &&Organization| {
            o.external_id
                .as_ref()
                .is_some_and(|id| id.to_lowercase() == external_id)
        };
        self.organizations.iter().find(same)
    }

    /// The record of an object with this external id.
    pub fn record_by_external_id(&self, object: &str, external_id: &str) -> Option<&Record> {
        let same = |record: &&Record| {
            record.object == object && record.external_id.as_deref() == Some(external_id)
        };
        self.records.iter().find(same)
    }

    /// The value of a ticket's field, found by the field's title.
    pub fn ticket_field<'s>(&'s self, ticket: &'s Ticket, title: &str) -> Option<&'s Value> {
        let of = |field: &&Field| field.owner == FieldOwner::Ticket && field.title == title;
        ticket.custom_fields.get(&self.fields.iter().find(of)?.id)
    }
}

/// The fingerprint of an account; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let names = Names { state };
    let users = sorted(
        state
            .users
            .values()
            .filter(|u| u.active)
            .map(|u| names.in_texts(names.user_content(u))),
    );
    let organizations = sorted(
        state
            .organizations
            .values()
            .map(|o| names.in_texts(names.organization_content(o))),
    );
    let live = state.groups.values().filter(|group| !group.deleted);
    let groups = sorted(live.map(|group| {
        json!({
            "name": group.name,
            "description": group.description,
            "is_public": group.is_public,
            "members": sorted(
                state.group_memberships.of_target(group.id).map(|m| names.user(m.user_id)),
            ),
        })
    }));
    let fields = sorted(state.fields.values().map(field_content));
    let statuses = sorted(state.custom_statuses.values().map(
        |s| json!({"category": s.category.as_str(), "label": s.agent_label, "active": s.active}),
    ));
    let tickets = |deleted: bool| {
        let chosen = state
            .tickets
            .values()
            .filter(move |t| t.deleted.is_some() == deleted);
        sorted(chosen.map(|ticket| names.in_texts(names.ticket_content(ticket))))
    };
    let objects = sorted(state.objects.all.values().map(|o| {
        json!({
            "key": o.key, "title": o.title, "title_pluralized": o.title_pluralized,
            "description": o.description, "allows_attachments": o.allows_attachments,
            "name_unique": o.name_unique, "name_autonumbered": o.name_autonumbered,
        })
    }));
    let records = sorted(
        state
            .objects
            .records
            .values()
            .map(|r| names.in_texts(names.record_content(r))),
    );
    let gone = state.users.values().filter(|user| !user.active);
    json!({
        "users": users,
        "organizations": organizations,
        "groups": groups,
        "fields": fields,
        "custom_statuses": statuses,
        "tickets": tickets(false),
        "custom_objects": objects,
        "custom_object_records": records,
        "deleted": {
            "tickets": tickets(true),
            "users": sorted(gone.map(|user| names.user_content(user))),
        },
    })
}

/// A list in canonical order.
fn sorted(items: impl Iterator<Item = Value>) -> Value {
    let mut keyed: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in items {
        keyed.entry(item.to_string()).or_default().push(item);
    }
    Value::Array(keyed.into_values().flatten().collect())
}

fn field_content(field: &Field) -> Value {
    let owner = match &field.owner {
        FieldOwner::Ticket => "ticket".to_owned(),
        FieldOwner::User => "user".to_owned(),
        FieldOwner::Organization => "organization".to_owned(),
        FieldOwner::Object(key) => format!("object:{key}"),
    };
    let options: Vec<Value> = field
        .options
        .iter()
        .map(|o| json!({"name": o.name, "value": o.value}))
        .collect();
    json!({
        "owner": owner, "key": field.key, "title": field.title,
        "type": field.system.unwrap_or(field.kind.as_str()),
        "description": field.description, "agent_description": field.agent_description,
        "active": field.active, "required": field.required,
        "tag": field.tag, "options": sorted(options.into_iter()), "target": field.target,
    })
}

/// Turns ids into names.
struct Names<'s> {
    state: &'s State,
}

impl Names<'_> {
    fn user(&self, id: Id) -> Value {
        let Some(user) = self.state.users.get(&id) else {
            return json!("a purged user");
        };
        let name = user
            .external_id
            .as_ref()
            .map(|id| format!("external:{}", id.to_lowercase()));
        let name = name.or_else(|| user.email().map(|email| format!("email:{email}")));
        json!(name.unwrap_or_else(|| format!("name:{}", user.name)))
    }

    fn organization(&self, id: Id) -> Value {
        json!(
            self.state
                .organizations
                .get(&id)
                .map(|organization| organization.name.clone())
        )
    }

    fn group(&self, id: Id) -> Value {
        json!(self.state.groups.get(&id).map(|group| group.name.clone()))
    }

    fn record(&self, id: &str) -> Value {
        let Some(record) = self.state.objects.records.get(id) else {
            return json!("a deleted record");
        };
        let name = record
            .external_id
            .clone()
            .unwrap_or_else(|| format!("name:{}", record.name));
        json!(format!("{}/{name}", record.object))
    }

    fn ticket(&self, id: Id) -> Value {
        let ticket = self.state.tickets.get(&id);
        let name = ticket.map(|t| t.external_id.clone().or_else(|| t.subject.clone()));
        json!(name.flatten())
    }

    /// The same with every id in a text replaced by a name: what a client writes of an object it has just made.
    fn in_texts(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.in_text(&text)),
            Value::Array(items) => items.into_iter().map(|v| self.in_texts(v)).collect(),
            Value::Object(map) => {
                let named = map.into_iter().map(|(k, v)| (k, self.in_texts(v)));
                Value::Object(named.collect())
            }
            other => other,
        }
    }

    fn in_text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            let (before, from) = rest.split_at(begin);
            let end = from.find(|c: char| !c.is_ascii_alphanumeric());
            let (word, after) = from.split_at(end.unwrap_or(from.len()));
            out.push_str(before);
            let is_ticket = out.ends_with("tickets/") || out.ends_with("ticket #");
            match self.of_word(word, is_ticket) {
                Some(name) => out.push_str(name.as_str().unwrap_or("an object without a name")),
                None => out.push_str(word),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The name of what a word is the id of. Tickets have small numbers, so theirs count only where a ticket is meant.
    fn of_word(&self, word: &str, is_ticket: bool) -> Option<Value> {
        if self.state.objects.records.contains_key(word) {
            return Some(self.record(word));
        }
        let id: Id = word.parse().ok()?;
        if is_ticket && self.state.tickets.contains_key(&id) {
            Some(self.ticket(id))
        } else if self.state.users.contains_key(&id) {
            Some(self.user(id))
        } else if self.state.organizations.contains_key(&id) {
            Some(self.organization(id))
        } else {
            None
        }
    }

    /// A field's value, the id in a lookup replaced by a name.
    fn value(&self, field: &Field, value: &Value) -> Value {
        let lookup = matches!(field.kind, FieldType::Lookup | FieldType::Parent);
        let Some(text) = value.as_str().filter(|_| lookup) else {
            return value.clone();
        };
        let number: Id = text.parse().unwrap_or(0);
        match field.target.as_deref() {
            Some("zen:user") => self.user(number),
            Some("zen:organization") => self.organization(number),
            Some("zen:ticket") => self.ticket(number),
            Some("zen:brand") => json!("brand"),
            _ => self.record(text),
        }
    }

    fn keyed(&self, owner: &FieldOwner, values: &BTreeMap<String, Value>) -> Value {
        let mut out = Map::new();
        for (key, value) in values {
            if let Some(field) = self.state.field(owner, key) {
                out.insert(key.clone(), self.value(field, value));
            }
        }
        Value::Object(out)
    }

    fn user_content(&self, user: &User) -> Value {
        let identities = user.identities.iter().map(|i| {
            json!({
                "type": i.kind.as_str(), "value": i.value, "verified": i.verified,
                "primary": i.primary,
            })
        });
        let memberships = self.state.organization_memberships.of_user(user.id);
        json!({
            "called": self.user(user.id), "name": user.name, "external_id": user.external_id,
            "role": user.role.as_str(), "identities": sorted(identities), "phone": user.phone,
            "shared_phone_number": user.shared_phone_number, "locale": user.locale,
            "time_zone": user.time_zone, "notes": user.notes, "details": user.details,
            "alias": user.alias, "signature": user.signature, "tags": user.tags,
            "verified": user.verified, "suspended": user.suspended,
            "user_fields": self.keyed(&FieldOwner::User, &user.user_fields),
            "organization": user.organization_id.map(|id| self.organization(id)),
            "organizations": sorted(memberships.map(|m| self.organization(m.of))),
        })
    }

    fn organization_content(&self, organization: &Organization) -> Value {
        json!({
            "name": organization.name, "external_id": organization.external_id,
            "domain_names": organization.domain_names, "details": organization.details,
            "notes": organization.notes, "tags": organization.tags,
            "shared_tickets": organization.shared_tickets,
            "shared_comments": organization.shared_comments,
            "organization_fields":
                self.keyed(&FieldOwner::Organization, &organization.organization_fields),
        })
    }

    fn record_content(&self, record: &Record) -> Value {
        let owner = FieldOwner::Object(record.object.clone());
        json!({
            "called": self.record(&record.id), "name": record.name,
            "external_id": record.external_id, "fields": self.keyed(&owner, &record.fields),
            "attachments": record.attachments.iter().map(|f| file(f, "")).collect::<Vec<_>>(),
        })
    }

    fn ticket_content(&self, ticket: &Ticket) -> Value {
        let mut fields = Vec::new();
        for (id, value) in &ticket.custom_fields {
            if let Some(field) = self.state.fields.get(id) {
                fields.push(json!({"field": field.title, "value": self.value(field, value)}));
            }
        }
        let people = |ids: &[Id]| sorted(ids.iter().map(|id| self.user(*id)));
        let status = ticket
            .custom_status_id
            .and_then(|id| self.state.custom_statuses.get(&id));
        let at = |given: bool, time| given.then(|| iso(time));
        json!({
            "external_id": ticket.external_id, "subject": ticket.subject,
            "status": ticket.status.as_str(),
            "custom_status": status.map(|status| status.agent_label.clone()),
            "priority": ticket.priority.map(|p| p.as_str()), "type": ticket.kind.map(|k| k.as_str()),
            "requester": self.user(ticket.requester_id),
            "submitter": self.user(ticket.submitter_id),
            "assignee": ticket.assignee_id.map(|id| self.user(id)),
            "group": ticket.group_id.map(|id| self.group(id)),
            "organization": ticket.organization_id.map(|id| self.organization(id)),
            "problem": ticket.problem_id.map(|id| self.ticket(id)),
            "due_at": ticket.due_at.map(iso), "recipient": ticket.recipient,
            "tags": ticket.tags, "custom_fields": sorted(fields.into_iter()),
            "email_ccs": people(&ticket.email_cc_ids), "followers": people(&ticket.follower_ids),
            "channel": ticket.channel, "archived": ticket.archived, "imported": ticket.imported,
            "created_at": at(ticket.given.created, ticket.created_at),
            "updated_at": at(ticket.given.updated, ticket.updated_at),
            "solved_at": ticket.solved_at.and_then(|time| at(ticket.given.solved, time)),
            "comments": ticket.comments.iter().map(|c| self.comment(c)).collect::<Vec<_>>(),
        })
    }

    fn comment(&self, comment: &Comment) -> Value {
        let (form, text) = match &comment.text {
            CommentText::Plain(text) => ("text", text),
            CommentText::Html(html) => ("html", html),
        };
        // Tokens in the addresses of inline files are the account's own.
        let mut text = text.clone();
        for (at, file) in comment.attachments.iter().enumerate() {
            text = text.replace(&file.token, &format!("file-{at}"));
        }
        json!({
            "author": self.user(comment.author_id), "public": comment.public, form: text,
            "created_at": comment.time_given.then(|| iso(comment.created_at)),
            "channel": comment.channel,
            "attachments": comment.attachments.iter().map(|f| file(f, "inline")).collect::<Vec<_>>(),
        })
    }
}

fn file(file: &File, inline: &str) -> Value {
    json!({
        "name": file.name, "content_type": file.content_type, "size": file.size,
        "sha256": file.sha256, "inline": !inline.is_empty() && file.inline,
    })
}
