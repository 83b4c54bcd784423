//! Holds the destination against the source, field by field.
//!
//! The source's truth is asked of its simulator, not of what a connector made of it; the destination is looked at as its
//! simulator keeps it. What a connector declares to convert (status, priority, tags, times of whole seconds) is converted
//! here once more, independently. A record that must not arrive (deleted, spam) is a difference when it does; one that
//! cannot (its customer is deleted, or has an agent's address) is counted under its reason in
//! [`Comparison::explained`]. Not here: the report's sums, and side effects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result, ensure};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use transload_simulators::kustomer::{self, FULL_KEY, KLASSES, Kind, Place, State, World};
use transload_simulators::zendesk::model::{
    Comment, CommentText, Field, FieldOwner, File, Organization, Record, Ticket, User,
};
use transload_simulators::zendesk::{self, Snapshot};

use crate::destination::Destination;

pub(crate) mod salesforce;

/// What was compared, and what differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many of each were found and held against their original.
    pub checked: BTreeMap<&'static str, u64>,
    /// How many did not arrive, and need not, by reason.
    pub explained: BTreeMap<&'static str, u64>,
    /// Everything else, in words.
    pub differences: Vec<String>,
    /// How many of the differences are two objects for one record.
    pub duplicates: u64,
    /// How many of the differences are a record, text or file that did not arrive.
    pub lost: u64,
}

impl Comparison {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }

    fn count(&mut self, what: &'static str) {
        *self.checked.entry(what).or_default() += 1;
    }

    fn explain(&mut self, why: &'static str) {
        *self.explained.entry(why).or_default() += 1;
    }

    fn differs(&mut self, what: String) {
        self.differences.push(what);
    }

    fn misses(&mut self, what: String) {
        self.lost += 1;
        self.differs(what);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: &T, found: &T) {
        if wanted != found {
            self.differs(format!("{what}: {found:?} instead of {wanted:?}"));
        }
    }
}

/// Compares everything.
///
/// # Errors
/// A source that does not answer.
pub async fn compare<D: Destination>(
    source: &kustomer::Simulator,
    destination: &D,
) -> Result<Comparison> {
    destination.compare(source).await
}

/// A Zendesk account against the source.
///
/// # Errors
/// A source that does not answer.
pub(crate) async fn zendesk(
    source: &kustomer::Simulator,
    destination: &zendesk::Simulator,
) -> Result<Comparison> {
    let names = Names::read(source).await?;
    let snapshot = destination.snapshot();
    let world = source.world();
    let mut side = Side {
        world: &world,
        names,
        there: There::new(&snapshot),
        found: Comparison::default(),
    };
    side.duplicates();
    side.companies();
    side.customers();
    side.conversations();
    side.lone_notes();
    side.objects();
    Ok(side.found)
}

/// Where two fingerprints differ, in words; empty when they are the same.
#[must_use]
pub fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut all = Vec::new();
    differ("", wanted, found, &mut all);
    all
}

fn differ(at: &str, wanted: &Value, found: &Value, all: &mut Vec<String>) {
    let short = |value: &Value| value.to_string().chars().take(400).collect::<String>();
    match (wanted, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                differ(&format!("{at}/{key}"), &of(a), &of(b), all);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            // Lists are sets here: what only one of them has is the difference, and of what both have by name, what differs in it.
            let mut rest: Vec<&Value> = b.iter().collect();
            let mut lacking = Vec::new();
            for item in a {
                match rest.iter().position(|other| *other == item) {
                    Some(place) => {
                        rest.swap_remove(place);
                    }
                    None => lacking.push(item),
                }
            }
            for item in lacking {
                let same =
                    |other: &&Value| name_of(item).is_some() && name_of(item) == name_of(other);
                match rest.iter().position(same) {
                    Some(place) => {
                        let other = rest.swap_remove(place);
                        let at = format!("{at}/{}", name_of(item).unwrap_or_default());
                        differ(&at, item, other, all);
                    }
                    None => all.push(format!("{at}: missing {}", short(item))),
                }
            }
            all.extend(
                rest.into_iter()
                    .map(|item| format!("{at}: too many {}", short(item))),
            );
        }
        (Value::String(a), Value::String(b)) if a != b => {
            // Long texts differ somewhere in the middle.
            let from = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            let part = |text: &str| -> String {
                text.chars()
                    .skip(from.saturating_sub(40))
                    .take(300)
                    .collect()
            };
            all.push(format!(
                "{at}: {:?} instead of {:?}, from letter {from} on",
                part(b),
                part(a)
            ));
        }
        (a, b) if a != b => all.push(format!("{at}: {} instead of {}", short(b), short(a))),
        _ => {}
    }
}

/// By what an item of a list is known.
fn name_of(item: &Value) -> Option<&str> {
    let names = ["called", "external_id", "name"];
    names.iter().find_map(|name| item.get(name)?.as_str())
}

/// What the source calls its tags and custom attributes.
struct Names {
    tags: HashMap<String, String>,
    /// By resource (`customer`, `kobject.shipment`), then by attribute: what people see, and what it points to.
    attributes: HashMap<String, HashMap<String, Attribute>>,
}

#[derive(Default, Clone)]
struct Attribute {
    label: String,
    target: Option<String>,
}

impl Names {
    async fn read(source: &kustomer::Simulator) -> Result<Self> {
        let mut tags = HashMap::new();
        let mut path = Some("/v1/tags?pageSize=100".to_owned());
        while let Some(next) = path {
            let page = ask(source, &next).await?;
            for tag in list(&page, "/data") {
                tags.insert(
                    text(tag, "/id").to_owned(),
                    text(tag, "/attributes/name").to_owned(),
                );
            }
            path = page
                .pointer("/links/next")
                .and_then(Value::as_str)
                .map(str::to_owned);
        }
        let mut attributes = HashMap::new();
        let mut resources = vec![
            "customer".to_owned(),
            "company".to_owned(),
            "conversation".to_owned(),
        ];
        resources.extend(
            KLASSES
                .iter()
                .map(|klass| format!("kobject.{}", klass.name)),
        );
        for resource in resources {
            let metadata = ask(source, &format!("/v1/metadata/{resource}")).await?;
            let properties = metadata
                .pointer("/data/attributes/properties")
                .and_then(Value::as_object);
            let known = properties.into_iter().flatten().map(|(name, property)| {
                let label = text(property, "/displayName").to_owned();
                let target = property
                    .get("target")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                (name.clone(), Attribute { label, target })
            });
            attributes.insert(resource, known.collect());
        }
        Ok(Self { tags, attributes })
    }
}

async fn ask(source: &kustomer::Simulator, path: &str) -> Result<Value> {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {FULL_KEY}"))
        .body(Body::empty())?;
    let answer = source.router().oneshot(request).await?;
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await?;
    ensure!(status.is_success(), "{path} answers {status}");
    serde_json::from_slice(&body).with_context(|| format!("{path} answers no JSON"))
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn flag(value: &Value, pointer: &str) -> bool {
    value
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

/// Milliseconds of a time.
fn time(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.timestamp_millis())
}

/// The record that an external id stands for: kind, id and the number of its part.
fn record_of(external: &str) -> Option<(&str, &str, u32)> {
    let (id, part) = match external.split_once('#') {
        Some((id, part)) => (id, part.parse().ok()?),
        None => (external, 1),
    };
    let rest = id.strip_prefix("kustomer:")?;
    let (rest, id) = rest.rsplit_once(':')?;
    let kind = rest.rsplit_once(':').map_or(rest, |(_, kind)| kind);
    Some((kind, id, part))
}

/// The destination by the source's ids.
struct There<'s> {
    tickets: HashMap<(String, String), BTreeMap<u32, Vec<&'s Ticket>>>,
    users: HashMap<String, Vec<&'s User>>,
    by_id: HashMap<u64, &'s User>,
    staff: HashMap<String, &'s User>,
    organizations: HashMap<String, Vec<&'s Organization>>,
    records: HashMap<String, Vec<&'s Record>>,
    fields: HashMap<FieldOwner, Vec<&'s Field>>,
}

impl<'s> There<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let mut there = Self {
            tickets: HashMap::new(),
            users: HashMap::new(),
            by_id: HashMap::new(),
            staff: HashMap::new(),
            organizations: HashMap::new(),
            records: HashMap::new(),
            fields: HashMap::new(),
        };
        for ticket in snapshot.tickets.iter().filter(|t| t.deleted.is_none()) {
            if let Some((kind, id, part)) = ticket.external_id.as_deref().and_then(record_of) {
                let parts = there
                    .tickets
                    .entry((kind.to_owned(), id.to_owned()))
                    .or_default();
                parts.entry(part).or_default().push(ticket);
            }
        }
        for user in snapshot.users.iter().filter(|user| user.active) {
            there.by_id.insert(user.id, user);
            if user.is_agent() {
                let emails = user.identities.iter().map(|i| i.value.to_lowercase());
                there.staff.extend(emails.map(|email| (email, user)));
            }
            if let Some((_, id, _)) = user.external_id.as_deref().and_then(record_of) {
                there.users.entry(id.to_lowercase()).or_default().push(user);
            }
        }
        for organization in &snapshot.organizations {
            if let Some((_, id, _)) = organization.external_id.as_deref().and_then(record_of) {
                there
                    .organizations
                    .entry(id.to_lowercase())
                    .or_default()
                    .push(organization);
            }
        }
        for record in &snapshot.records {
            if let Some((_, id, _)) = record.external_id.as_deref().and_then(record_of) {
                there.records.entry(id.to_owned()).or_default().push(record);
            }
        }
        for field in &snapshot.fields {
            there
                .fields
                .entry(field.owner.clone())
                .or_default()
                .push(field);
        }
        there
    }

    fn user(&self, customer: &str) -> Option<&'s User> {
        self.users
            .get(customer)
            .and_then(|users| users.first().copied())
    }

    /// Every ticket of a record, by its part; the first of each.
    fn tickets(&self, kind: &str, id: &str) -> Vec<&'s Ticket> {
        let parts = self.tickets.get(&(kind.to_owned(), id.to_owned()));
        parts
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|all| all.first().copied())
            .collect()
    }
}

struct Side<'s> {
    world: &'s World,
    names: Names,
    there: There<'s>,
    found: Comparison,
}

/// Something said in a conversation, as the source has it.
struct Part {
    id: String,
    at: i64,
    is_note: bool,
    text: String,
    author: Who,
    facts: Value,
}

/// Who said it.
enum Who {
    Customer,
    Agent(String),
    Nobody,
}

/// Every live record of a kind.
fn live(world: &World, kind: Kind) -> Vec<(String, Value)> {
    let ids = world.ids(kind).into_iter();
    ids.filter(|id| matches!(world.state(id), Some(State::Live) | None))
        .filter_map(|id| {
            let json = world.json(&id)?;
            Some((id, json))
        })
        .collect()
}

/// What was said in a conversation, in order.
fn parts(world: &World, conversation: &str) -> Vec<Part> {
    let messages = world.message_ids(conversation).into_iter();
    let notes = world.note_ids(conversation).into_iter();
    let all = messages
        .map(|id| (id, false))
        .chain(notes.map(|id| (id, true)));
    let mut parts: Vec<Part> = all.filter_map(|(id, note)| part(world, id, note)).collect();
    parts.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    parts
}

fn part(world: &World, id: String, is_note: bool) -> Option<Part> {
    let facts = world.json(&id)?;
    if flag(&facts, "/attributes/deleted") {
        return None;
    }
    let (body, at) = if is_note {
        ("body", "createdAt")
    } else {
        ("preview", "sentAt")
    };
    let by = text(&facts, "/relationships/createdBy/data/id");
    let author = if !by.is_empty() {
        Who::Agent(by.to_owned())
    } else if text(&facts, "/attributes/direction") == "in" {
        Who::Customer
    } else {
        Who::Nobody
    };
    Some(Part {
        at: time(text(&facts, &format!("/attributes/{at}")))?,
        text: text(&facts, &format!("/attributes/{body}")).to_owned(),
        id,
        is_note,
        author,
        facts,
    })
}

impl<'s> Side<'s> {
    /// Every live record of a kind.
    fn live(&self, kind: Kind) -> Vec<(String, Value)> {
        live(self.world, kind)
    }

    fn duplicates(&mut self) {
        let mut twice = Vec::new();
        for ((kind, id), parts) in &self.there.tickets {
            for (part, tickets) in parts.iter().filter(|(_, tickets)| tickets.len() > 1) {
                twice.push(format!(
                    "{kind} {id} part {part} is {} tickets",
                    tickets.len()
                ));
            }
        }
        let mut many = |what: &str, id: &String, count: usize| {
            if count > 1 {
                twice.push(format!("{what} {id} is there {count} times"));
            }
        };
        self.there
            .users
            .iter()
            .for_each(|(id, all)| many("customer", id, all.len()));
        self.there
            .organizations
            .iter()
            .for_each(|(id, all)| many("company", id, all.len()));
        self.there
            .records
            .iter()
            .for_each(|(id, all)| many("custom object", id, all.len()));
        twice.sort();
        self.found.duplicates += twice.len() as u64;
        self.found.differences.extend(twice);
    }

    // ---- people and companies

    fn companies(&mut self) {
        let live = self.live(Kind::Company);
        let mut names: HashMap<String, u32> = HashMap::new();
        for (_, json) in &live {
            *names
                .entry(text(json, "/attributes/name").trim().to_lowercase())
                .or_default() += 1;
        }
        for (id, json) in live {
            let what = format!("company {id}");
            let Some(organization) = self
                .there
                .organizations
                .get(&id)
                .and_then(|all| all.first().copied())
            else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            self.found.count("companies");
            let name = text(&json, "/attributes/name").trim();
            let shared = names
                .get(&name.to_lowercase())
                .is_some_and(|count| *count > 1);
            if organization.name != name && !(shared && organization.name.starts_with(name)) {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {name:?}",
                    organization.name
                ));
            }
            let card = organization.notes.clone().unwrap_or_default();
            for domain in list(&json, "/attributes/domains") {
                let domain = text(domain, "/domain");
                if !card.contains(domain) && !organization.domain_names.iter().any(|d| d == domain)
                {
                    self.found
                        .misses(format!("{what}: the domain {domain:?} is nowhere"));
                }
            }
            let values = &organization.organization_fields;
            self.custom(
                &what,
                "company",
                &FieldOwner::Organization,
                &json,
                &card,
                |field| field.key.as_ref().and_then(|key| values.get(key)),
            );
        }
    }

    fn customers(&mut self) {
        for (id, json) in self.live(Kind::Customer) {
            let what = format!("customer {id}");
            let emails: Vec<String> = list(&json, "/attributes/emails")
                .map(|email| text(email, "/email").trim().to_lowercase())
                .collect();
            let Some(user) = self.there.user(&id) else {
                if emails
                    .iter()
                    .any(|email| self.there.staff.contains_key(email))
                {
                    self.found.explain("customers with an agent's address");
                } else {
                    self.found.misses(format!("{what} is not there"));
                }
                continue;
            };
            self.found.count("customers");
            self.person(&what, &json, &emails, user);
            let card = user.notes.clone();
            self.custom(
                &what,
                "customer",
                &FieldOwner::User,
                &json,
                &card,
                |field| field.key.as_ref().and_then(|key| user.user_fields.get(key)),
            );
        }
        let extra = self
            .there
            .users
            .keys()
            .filter(|id| !matches!(self.world.state(id), Some(State::Live)));
        let extra: Vec<String> = extra
            .map(|id| format!("customer {id} is there and must not be"))
            .collect();
        self.found.differences.extend(extra);
    }

    fn person(&mut self, what: &str, json: &Value, emails: &[String], user: &User) {
        let full = ["/attributes/firstName", "/attributes/lastName"].map(|p| text(json, p).trim());
        let first_email = list(json, "/attributes/emails")
            .next()
            .map(|e| text(e, "/email"));
        let wanted = [
            text(json, "/attributes/name"),
            text(json, "/attributes/displayName"),
            full.join(" ").trim(),
            text(json, "/attributes/username"),
            first_email.unwrap_or_default(),
        ]
        .into_iter()
        .map(str::trim)
        .find(|name| !name.is_empty())
        .unwrap_or_default()
        .to_owned();
        if !wanted.is_empty() {
            self.found.equal(
                &format!("{what}: name"),
                &wanted,
                &user.name.trim().to_owned(),
            );
        }
        let has = |value: &str| {
            user.identities
                .iter()
                .any(|i| i.value.eq_ignore_ascii_case(value))
        };
        for email in emails {
            if !has(email) && !user.notes.to_lowercase().contains(email) {
                self.found
                    .misses(format!("{what}: the address {email:?} is nowhere"));
            }
        }
        for email in list(json, "/attributes/sharedEmails") {
            let email = text(email, "/email");
            if !has(email) && !user.notes.contains(email) {
                self.found
                    .misses(format!("{what}: the shared address {email:?} is nowhere"));
            }
        }
        for phone in list(json, "/attributes/phones") {
            let phone = text(phone, "/phone");
            if !has(phone) && user.phone.as_deref() != Some(phone) && !user.notes.contains(phone) {
                self.found
                    .misses(format!("{what}: the number {phone:?} is nowhere"));
            }
        }
        let company = text(json, "/relationships/company/data/id");
        if matches!(self.world.state(company), Some(State::Live)) {
            let wanted = self
                .there
                .organizations
                .get(company)
                .and_then(|all| all.first())
                .map(|o| o.id);
            self.found.equal(
                &format!("{what}: organization"),
                &wanted,
                &user.organization_id,
            );
        }
    }

    // ---- conversations

    fn conversations(&mut self) {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (id, json) in self.live(Kind::Conversation) {
            if flag(&json, "/attributes/spam") {
                self.found.explain("conversations marked as spam");
                continue;
            }
            let customer = text(&json, "/relationships/customer/data/id").to_owned();
            let tickets = self.there.tickets("conversation", &id);
            if tickets.is_empty() {
                match self.world.state(&customer) {
                    Some(State::Deleted) => {
                        self.found.explain("conversations of deleted customers")
                    }
                    _ if self.has_staff_address(&customer) => {
                        self.found
                            .explain("conversations of customers with an agent's address");
                    }
                    _ => self.found.misses(format!("conversation {id} is not there")),
                }
                continue;
            }
            wanted.insert(id.clone());
            self.conversation(&id, &json, &customer, &tickets);
        }
        let extra: Vec<String> = self
            .there
            .tickets
            .keys()
            .filter(|(kind, id)| kind == "conversation" && !wanted.contains(id))
            .map(|(_, id)| format!("conversation {id} is there and must not be"))
            .collect();
        self.found.differences.extend(extra);
    }

    fn has_staff_address(&self, customer: &str) -> bool {
        let json = self.world.json(customer).unwrap_or_default();
        list(&json, "/attributes/emails").any(|email| {
            self.there
                .staff
                .contains_key(&text(email, "/email").trim().to_lowercase())
        })
    }

    fn conversation(&mut self, id: &str, json: &Value, customer: &str, tickets: &[&Ticket]) {
        self.found.count("conversations");
        let what = format!("conversation {id}");
        let user = self.there.user(customer).map(|user| user.id);
        for (index, ticket) in tickets.iter().enumerate() {
            let subject = text(json, "/attributes/name").trim().to_owned();
            let found = ticket.subject.clone().unwrap_or_default();
            if index == 0 {
                self.found
                    .equal(&format!("{what}: subject"), &subject, &found);
            } else if !found.starts_with(&subject) {
                self.found
                    .differs(format!("{what}: part {} is called {found:?}", index + 1));
            }
            let status = match text(json, "/attributes/status") {
                "done" => "closed",
                "snoozed" => "hold",
                _ => "open",
            };
            self.found
                .equal(&format!("{what}: status"), &status, &ticket.status.as_str());
            let priority = json
                .pointer("/attributes/priority")
                .and_then(Value::as_u64)
                .map(|value| match value {
                    1 | 2 => "low",
                    3 => "normal",
                    4 => "high",
                    _ => "urgent",
                });
            self.found.equal(
                &format!("{what}: priority"),
                &priority,
                &ticket.priority.map(|p| p.as_str()),
            );
            let created = time(text(json, "/attributes/createdAt")).map(|ms| ms.div_euclid(1_000));
            self.found.equal(
                &format!("{what}: created"),
                &created,
                &Some(ticket.created_at.timestamp()),
            );
            if matches!(self.world.state(customer), Some(State::Live)) && user.is_some() {
                self.found.equal(
                    &format!("{what}: requester"),
                    &user,
                    &Some(ticket.requester_id),
                );
            }
            for tag in list(json, "/attributes/tags").filter_map(Value::as_str) {
                let Some(tag) = self.names.tags.get(tag).and_then(|name| normal_tag(name)) else {
                    continue;
                };
                if !ticket.tags.contains(&tag) {
                    self.found
                        .misses(format!("{what}: the tag {tag:?} is not there"));
                }
            }
        }
        let comments: Vec<&Comment> = tickets.iter().flat_map(|ticket| &ticket.comments).collect();
        let card: String = comments
            .iter()
            .filter(|c| is_card(c))
            .map(|c| plain(c))
            .collect();
        if let Some(ticket) = tickets.first() {
            let values = &ticket.custom_fields;
            self.custom(
                &what,
                "conversation",
                &FieldOwner::Ticket,
                json,
                &card,
                |field| values.get(&field.id),
            );
        }
        let said: Vec<&Comment> = comments.into_iter().filter(|c| !is_ours(c)).collect();
        let parts = parts(self.world, id);
        self.thread(&what, user, &parts, &said);
    }

    fn thread(&mut self, what: &str, customer: Option<u64>, parts: &[Part], said: &[&Comment]) {
        let mut rest = said;
        for part in parts {
            let name = format!(
                "{what}, {} {}",
                if part.is_note { "note" } else { "message" },
                part.id
            );
            let Some((first, after)) = rest.split_first() else {
                self.found.misses(format!("{name} is not there"));
                continue;
            };
            let (lead, mut body) = split(first);
            rest = after;
            // A text that is longer than a comment stands in several.
            let mut left = lead.as_deref().map_or(0, pieces_after);
            while left > 0 {
                let Some((next, after)) = rest.split_first() else {
                    break;
                };
                body.push_str(&split(next).1);
                rest = after;
                left -= 1;
            }
            self.found
                .count(if part.is_note { "notes" } else { "messages" });
            self.said(
                &name,
                part,
                lead.as_deref().unwrap_or_default(),
                &body,
                first,
                customer,
            );
        }
        for comment in rest {
            let shown: String = plain(comment).chars().take(80).collect();
            self.found
                .differs(format!("{what} has a comment that nobody wrote: {shown:?}"));
        }
    }

    fn said(
        &mut self,
        name: &str,
        part: &Part,
        lead: &str,
        body: &str,
        comment: &Comment,
        customer: Option<u64>,
    ) {
        match &comment.text {
            CommentText::Plain(_) if body != part.text => {
                let at = body
                    .bytes()
                    .zip(part.text.bytes())
                    .take_while(|(a, b)| a == b)
                    .count();
                self.found.misses(format!(
                    "{name}: the text differs from byte {at} on ({} bytes instead of {})",
                    body.len(),
                    part.text.len()
                ));
            }
            CommentText::Html(html) => {
                let original = self.world.html(&part.id).unwrap_or_default();
                if letters(html).trim_start_matches(&letters(lead)) != letters(&original) {
                    self.found
                        .misses(format!("{name}: the words of the HTML differ"));
                }
            }
            CommentText::Plain(_) => {}
        }
        self.found.equal(
            &format!("{name}: time"),
            &part.at.div_euclid(1_000),
            &comment.created_at.timestamp(),
        );
        self.found
            .equal(&format!("{name}: public"), &!part.is_note, &comment.public);
        match &part.author {
            Who::Customer if customer.is_some() => {
                self.found.equal(
                    &format!("{name}: author"),
                    &customer,
                    &Some(comment.author_id),
                );
            }
            Who::Agent(id) => self.agent(name, id, lead, comment),
            Who::Customer | Who::Nobody => {
                let staff = self
                    .there
                    .by_id
                    .get(&comment.author_id)
                    .is_some_and(|user| user.is_agent());
                if !staff || !lead.contains("written by") {
                    self.found
                        .differs(format!("{name}: nobody says who wrote it"));
                }
            }
        }
        self.files(name, part, lead, comment);
    }

    fn agent(&mut self, name: &str, id: &str, lead: &str, comment: &Comment) {
        let agent = self.world.json(id).unwrap_or_default();
        let email = text(&agent, "/attributes/email").to_lowercase();
        match self.there.staff.get(&email) {
            Some(user) => {
                self.found
                    .equal(&format!("{name}: author"), &user.id, &comment.author_id)
            }
            None => {
                let staff = self
                    .there
                    .by_id
                    .get(&comment.author_id)
                    .is_some_and(|user| user.is_agent());
                let called = text(&agent, "/attributes/name");
                if !staff || !lead.contains(called) {
                    self.found
                        .misses(format!("{name}: its author {called:?} is not named"));
                }
            }
        }
    }

    fn files(&mut self, name: &str, part: &Part, lead: &str, comment: &Comment) {
        let mut there: Vec<&File> = comment.attachments.iter().collect();
        for file in self.world.files(&part.id) {
            let id = file.id.to_string();
            let bytes = self.world.file_bytes(&id).unwrap_or_default();
            let sha256 = hex::encode(Sha256::digest(&bytes));
            let wanted = match file.name.trim() {
                "" => "file",
                name => name,
            };
            let same =
                |f: &&File| f.name == wanted && f.size == bytes.len() as u64 && f.sha256 == sha256;
            if let Some(at) = there.iter().position(same) {
                there.remove(at);
                self.found.count("files");
            } else if file.place != Place::Stored && lead.contains("is missing here") {
                self.found
                    .explain("files that the source no longer has or never kept");
            } else {
                self.found.misses(format!(
                    "{name}: the file {wanted:?} of {} bytes is not there as it was; there are {:?}",
                    bytes.len(),
                    there.iter().map(|f| (&f.name, f.size)).collect::<Vec<_>>()
                ));
            }
        }
        // A call's recording is a file here and a link there.
        if text(&part.facts, "/attributes/channel") != "voice" {
            for file in there {
                self.found
                    .differs(format!("{name}: there is a file {:?} too many", file.name));
            }
        }
    }

    /// Notes on customers that belong to no conversation.
    fn lone_notes(&mut self) {
        for (id, json) in self.live(Kind::Note) {
            if json
                .pointer("/relationships/conversation/data/id")
                .is_some()
            {
                continue;
            }
            let what = format!("note {id} on a customer");
            let customer = text(&json, "/relationships/customer/data/id").to_owned();
            let tickets = self.there.tickets("message", &id);
            let Some(ticket) = tickets.first() else {
                if self.has_staff_address(&customer) {
                    self.found
                        .explain("notes on customers with an agent's address");
                } else {
                    self.found.misses(format!("{what} is not there"));
                }
                continue;
            };
            let user = self.there.user(&customer).map(|user| user.id);
            self.found.equal(
                &format!("{what}: requester"),
                &user,
                &Some(ticket.requester_id),
            );
            let said: Vec<&Comment> = ticket.comments.iter().filter(|c| !is_ours(c)).collect();
            let part: Vec<Part> = part(self.world, id, true).into_iter().collect();
            // Files of lone notes hang on no message of a thread; their names are on the comment or the card.
            self.thread(&what, user, &part, &said);
        }
    }

    // ---- custom objects

    fn objects(&mut self) {
        for (id, json) in self.live(Kind::KObject) {
            let what = format!("custom object {id}");
            let Some(record) = self
                .there
                .records
                .get(&id)
                .and_then(|all| all.first().copied())
            else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            self.found.count("custom objects");
            let title = text(&json, "/attributes/title").trim().to_owned();
            let title = if title.is_empty() { id.clone() } else { title };
            self.found.equal(
                &format!("{what}: name"),
                &title,
                &record.name.trim().to_owned(),
            );
            let link = |key: &str| {
                record
                    .fields
                    .get(key)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            let customer = text(&json, "/relationships/customer/data/id");
            if let Some(user) = self.there.user(customer) {
                self.found.equal(
                    &format!("{what}: customer"),
                    &Some(user.id.to_string()),
                    &link("transload_customer"),
                );
            }
            let company = text(&json, "/relationships/company/data/id");
            if let Some(organization) = self
                .there
                .organizations
                .get(company)
                .and_then(|all| all.first())
            {
                let wanted = Some(organization.id.to_string());
                self.found.equal(
                    &format!("{what}: company"),
                    &wanted,
                    &link("transload_company"),
                );
            }
            let card = link("transload_source_card").unwrap_or_default();
            let resource = text(&json, "/type").to_owned();
            let owner = FieldOwner::Object(record.object.clone());
            self.custom(&what, &resource, &owner, &json, &card, |field| {
                field.key.as_ref().and_then(|key| record.fields.get(key))
            });
        }
    }

    // ---- custom attributes

    /// Every custom attribute is in its field, or on the source card.
    fn custom<'v>(
        &mut self,
        what: &str,
        resource: &str,
        owner: &FieldOwner,
        json: &Value,
        card: &str,
        stored: impl Fn(&Field) -> Option<&'v Value>,
    ) {
        let Some(custom) = json
            .pointer("/attributes/custom")
            .and_then(Value::as_object)
        else {
            return;
        };
        let known = self
            .names
            .attributes
            .get(resource)
            .cloned()
            .unwrap_or_default();
        let fields: Vec<&Field> = self.there.fields.get(owner).cloned().unwrap_or_default();
        for (name, value) in custom
            .iter()
            .filter(|(_, value)| !value.is_null() && *value != "")
        {
            let attribute = known.get(name).cloned().unwrap_or_default();
            let label = if attribute.label.trim().is_empty() {
                name
            } else {
                &attribute.label
            };
            let mut of_title = fields
                .iter()
                .filter(|field| field.title.starts_with(label.as_str()));
            let arrived = of_title.any(|field| {
                stored(field).is_some_and(|found| self.same(value, &attribute, field, found))
            });
            self.found.count("custom values");
            let row = format!("field {name}: ");
            // A card is cut where the destination's record is full.
            let on_card =
                card.contains(&row) || card.contains(&label.to_string()) && card.len() >= 11_990;
            if !arrived && !on_card {
                self.found.misses(format!(
                    "{what}: the custom value {name} = {value} is nowhere"
                ));
            }
        }
    }

    fn same(&self, value: &Value, attribute: &Attribute, field: &Field, found: &Value) -> bool {
        let shown = match found {
            Value::String(text) => text.clone(),
            Value::Null => return false,
            other => other.to_string(),
        };
        let option = field
            .options
            .iter()
            .find(|o| o.value == shown)
            .map(|o| o.name.clone());
        match value {
            Value::Bool(_) => found == value || shown == *value,
            Value::Number(number) => {
                shown == number.to_string()
                    || shown
                        .parse::<f64>()
                        .ok()
                        .zip(number.as_f64())
                        .is_some_and(|(a, b)| (a - b).abs() < 1e-9)
            }
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .all(|id| shown.contains(id)),
            Value::String(text) => {
                let moment = || {
                    time(text).is_some() && (time(text) == time(&shown) || same_day(text, &shown))
                };
                let target = || self.target(attribute.target.as_deref().unwrap_or_default(), text);
                shown == *text
                    || shown.contains(text.as_str())
                    || option.as_deref() == Some(text.as_str())
                    || moment()
                    || target().is_some_and(|id| id == shown)
                    || option.is_some_and(|o| letters(&o).ends_with(&letters(text)))
            }
            Value::Object(_) | Value::Null => shown == *value,
        }
    }

    /// What a reference of the source is at the destination.
    fn target(&self, kind: &str, id: &str) -> Option<String> {
        match kind {
            "customer" => self.there.user(id).map(|user| user.id.to_string()),
            "company" => self
                .there
                .organizations
                .get(id)?
                .first()
                .map(|o| o.id.to_string()),
            "user" => {
                let agent = self.world.json(id)?;
                let email = text(&agent, "/attributes/email").to_lowercase();
                self.there.staff.get(&email).map(|user| user.id.to_string())
            }
            _ => self
                .there
                .records
                .get(id)?
                .first()
                .map(|record| record.id.clone()),
        }
    }
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

fn same_day(text: &str, shown: &str) -> bool {
    let day = |text: &str| {
        time(text)
            .and_then(chrono::DateTime::from_timestamp_millis)
            .map(|at| at.date_naive())
    };
    day(text).is_some_and(|day| shown.starts_with(&day.to_string()))
}

fn plain(comment: &Comment) -> String {
    match &comment.text {
        CommentText::Plain(text) | CommentText::Html(text) => text.clone(),
    }
}

const LEAD: &str = "[Migrated: ";

/// The line above a body, and the body.
fn split(comment: &Comment) -> (Option<String>, String) {
    let whole = plain(comment);
    let Some(rest) = whole.strip_prefix(LEAD) else {
        return (None, whole);
    };
    match rest.split_once(']') {
        Some((lead, body)) => {
            let body = body.strip_prefix("\n\n").unwrap_or(body);
            (Some(lead.to_owned()), body.to_owned())
        }
        None => (None, whole),
    }
}

/// How many further comments a text of several pieces has after the one with this line.
fn pieces_after(lead: &str) -> u32 {
    let last = lead
        .rsplit("; ")
        .next()
        .and_then(|fact| fact.strip_prefix("part 1 of "));
    last.and_then(|count| count.parse::<u32>().ok())
        .map_or(0, |count| count.saturating_sub(1))
}

fn is_card(comment: &Comment) -> bool {
    !comment.public
        && split(comment)
            .0
            .is_some_and(|lead| lead.starts_with("source card"))
}

/// A comment of the connector's own: a source card, or a link to the next ticket.
fn is_ours(comment: &Comment) -> bool {
    let lead = split(comment).0.unwrap_or_default();
    is_card(comment)
        || !comment.public
            && (lead.starts_with("continues in the ticket") || lead.starts_with("continues ticket"))
}

/// The letters of a text, without markup: what sanitising, wrapping and labelling leave alone.
fn letters(text: &str) -> String {
    let mut out = String::new();
    let mut tag = false;
    for c in text.chars() {
        match c {
            '<' => tag = true,
            '>' => tag = false,
            c if !tag && c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_says_which_record_it_stands_for() {
        assert_eq!(
            record_of("kustomer:acme:conversation:66f0"),
            Some(("conversation", "66f0", 1))
        );
        assert_eq!(
            record_of("kustomer:a:b:conversation:66f0#3"),
            Some(("conversation", "66f0", 3))
        );
        assert_eq!(record_of("zendesk:acme:conversation:66f0"), None);
        assert_eq!(record_of("66f0"), None);
    }

    #[test]
    fn a_tag_is_what_the_destination_makes_of_it() {
        assert_eq!(
            normal_tag(" VIP customer!").as_deref(),
            Some("vip_customer")
        );
        assert_eq!(normal_tag("Größe/2").as_deref(), Some("größe/2"));
        assert_eq!(normal_tag("🔥"), None);
    }

    #[test]
    fn a_text_in_several_comments_is_counted() {
        assert_eq!(pieces_after("written by Ana; part 1 of 3"), 2);
        assert_eq!(pieces_after("part 2 of 3"), 0);
        assert_eq!(pieces_after("written by Ana"), 0);
    }
}
