//! A record as what can be compared of it: facts by path, in the contract's words.
//!
//! Only what a record has is a fact: that a text is empty says nothing of what the other side must hold. Times of the source's own
//! book-keeping (`updated-at`, counters) are none, since every platform keeps its own.

use crate::contract::types::{
    Address, AddressChannel, Author, Entity, Entry, Field, Head, Reference, Text, Value, Visibility,
};

/// Something that a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Words as they are.
    Text(String),
    /// Milliseconds since 1970.
    Time(i64),
    /// One other record.
    One(Reference),
    /// Other records, the one in charge first.
    Many(Vec<Reference>),
    /// Labels: each that is known at the destination has to be there, beside others.
    Labels(Vec<Reference>),
    /// Values whose order says nothing: addresses, domains.
    Values(Vec<String>),
    /// Telephone numbers.
    Numbers(Vec<String>),
    /// A custom field's value.
    Custom(Value),
}

/// A fact and where it stands: `subject`, `addresses.email`, `fields.tier`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// Path within its kind, in the contract's words.
    pub path: String,
    /// The destination's address of a custom field.
    pub address: Option<String>,
    /// What is said.
    pub fact: Fact,
}

/// What a record says of itself; nothing of the messages and files that hang on it.
pub fn facts(entry: &Entry) -> Vec<Stated> {
    let mut all = All(vec![]);
    // A message has the time at which it was sent.
    if !matches!(entry.data, Entity::Message(_)) {
        all.time("created-at", entry.head.created_at);
    }
    match &entry.data {
        Entity::Team(team) => {
            all.text("name", Some(&team.name));
            all.text("description", team.description.as_ref());
            all.many("members", &team.members);
        }
        Entity::Tag(tag) => all.text("name", Some(&tag.name)),
        Entity::Brand(brand) => all.text("name", Some(&brand.name)),
        Entity::Company(company) => {
            all.text("name", Some(&company.name));
            all.values("domains", &company.domains);
            all.addresses(&company.addresses);
            all.one("parent", company.parent.as_ref());
            all.labels("tags", &company.tags);
            let count = company.employee_count.map(|n| n.to_string());
            all.text("employee-count", count.as_ref());
            all.text("language", company.language.as_ref());
        }
        Entity::Customer(customer) => {
            all.text("name", customer.name.as_ref());
            all.addresses(&customer.addresses);
            all.one("company", customer.company.as_ref());
            all.text("company-name", customer.company_name.as_ref());
            all.labels("tags", &customer.tags);
            all.values("merged-from", &customer.merged_from);
            all.text("language", customer.language.as_ref());
            all.text("locale", customer.locale.as_ref());
            all.text("time-zone", customer.time_zone.as_ref());
            all.text("avatar-url", customer.avatar_url.as_ref());
            all.time("signed-up-at", customer.signed_up_at);
            all.time("last-seen-at", customer.last_seen_at);
        }
        Entity::Conversation(conversation) => {
            all.one("customer", conversation.customer.as_ref());
            all.text("subject", conversation.subject.as_ref());
            all.time("snooze-until", conversation.snooze_until);
            all.many("assignees", &conversation.assignees);
            all.many("teams", &conversation.teams);
            all.one("brand", conversation.brand.as_ref());
            all.labels("tags", &conversation.tags);
            all.time("closed-at", conversation.closed_at);
        }
        Entity::Message(message) => {
            let seen = match message.visibility {
                Visibility::Public => "public",
                Visibility::Internal => "internal",
                Visibility::Event => "event",
            };
            all.text("visibility", Some(&seen.to_owned()));
            all.time("sent-at", message.sent_at.or(entry.head.created_at));
            all.text("subject", message.subject.as_ref());
            all.text("message-id", message.message_id.as_ref());
            if let Author::Person(person) = &message.author {
                all.one("author", Some(person));
            }
        }
        Entity::CustomObject(object) => {
            all.text("title", Some(&object.title));
            all.one("customer", object.customer.as_ref());
            all.one("company", object.company.as_ref());
            all.one("conversation", object.conversation.as_ref());
            all.labels("tags", &object.tags);
        }
        Entity::Relationship(link) => {
            all.one("source", Some(&link.source));
            all.one("target", Some(&link.target));
        }
        Entity::Agent(_)
        | Entity::Attachment(_)
        | Entity::FieldDefinition(_)
        | Entity::ObjectType(_)
        | Entity::Category(_)
        | Entity::Article(_)
        | Entity::Other(_) => {}
    }
    all.custom(&entry.head);
    all.0
}

struct All(Vec<Stated>);

impl All {
    fn push(&mut self, path: &str, fact: Fact) {
        self.0.push(Stated {
            path: path.to_owned(),
            address: None,
            fact,
        });
    }

    fn text(&mut self, path: &str, text: Option<&String>) {
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            self.push(path, Fact::Text(text.clone()));
        }
    }

    fn time(&mut self, path: &str, at: Option<i64>) {
        if let Some(at) = at {
            self.push(path, Fact::Time(at));
        }
    }

    fn one(&mut self, path: &str, reference: Option<&Reference>) {
        if let Some(reference) = reference {
            self.push(path, Fact::One(reference.clone()));
        }
    }

    fn many(&mut self, path: &str, references: &[Reference]) {
        if !references.is_empty() {
            self.push(path, Fact::Many(references.to_vec()));
        }
    }

    fn labels(&mut self, path: &str, references: &[Reference]) {
        if !references.is_empty() {
            self.push(path, Fact::Labels(references.to_vec()));
        }
    }

    fn values(&mut self, path: &str, values: &[String]) {
        if !values.is_empty() {
            self.push(path, Fact::Values(values.to_vec()));
        }
    }

    /// Addresses by their medium. One that is shared with others is nobody's identity, and connectors keep it beside.
    fn addresses(&mut self, addresses: &[Address]) {
        let of = |wanted: fn(&AddressChannel) -> bool| -> Vec<String> {
            let own = addresses.iter().filter(|address| !address.shared);
            let of_it = own.filter(|address| wanted(&address.channel));
            of_it.map(|address| address.value.clone()).collect()
        };
        let emails = of(|channel| matches!(channel, AddressChannel::Email));
        self.values("addresses.email", &emails);
        let phones =
            of(|channel| matches!(channel, AddressChannel::Phone | AddressChannel::Whatsapp));
        if !phones.is_empty() {
            self.push("addresses.phone", Fact::Numbers(phones));
        }
    }

    fn custom(&mut self, head: &Head) {
        for Field {
            name,
            value,
            target,
        } in &head.fields
        {
            let is_empty = match value {
                Value::Text(text) | Value::Choice(text) | Value::Link(text) => {
                    text.trim().is_empty()
                }
                Value::Choices(list) | Value::Path(list) => list.is_empty(),
                Value::References(list) => list.is_empty(),
                _ => false,
            };
            if !is_empty {
                self.0.push(Stated {
                    path: format!("fields.{name}"),
                    address: target.clone(),
                    fact: Fact::Custom(value.clone()),
                });
            }
        }
    }
}

/// A message's texts: plain and marked up.
pub fn texts(entry: &Entry) -> (Option<&Text>, Option<&Text>) {
    match &entry.data {
        Entity::Message(message) => (message.text.as_ref(), message.html.as_ref()),
        _ => (None, None),
    }
}
