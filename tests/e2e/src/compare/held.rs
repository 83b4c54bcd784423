//! Any destination held against the source.
//!
//! A platform's own file in this folder makes [`Held`] of what its simulator keeps, and says in [`Ways`] what its connector declares
//! to convert; the comparison itself knows no platform.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde_json::Value;
use sha2::{Digest, Sha256};
use transload_simulators::kustomer::{self, Kind, Place, State, World};

use super::{
    Attribute, Comparison, Names, Part, Who, flag, letters, list, live, part, parts, same_day,
    text, time,
};

/// What a destination holds of the source, by the source's ids.
#[derive(Debug, Default)]
pub struct Held {
    /// Companies.
    pub companies: Records,
    /// Customers.
    pub customers: Records,
    /// Custom objects.
    pub objects: Records,
    /// By kind (`conversation`; `message` for a note on a customer that belongs to none), id, and the number of the part.
    pub threads: BTreeMap<(String, String), BTreeMap<u32, Vec<Thread>>>,
    /// Ids of agents by their address, in lower case.
    pub staff: HashMap<String, String>,
}

/// By the source's id; two for one id are a duplicate.
pub type Records = BTreeMap<String, Vec<Record>>;

/// One record there.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its id there.
    pub id: String,
    /// Its name there; of a thread the subject.
    pub name: String,
    /// The id of its company there.
    pub company: Option<String>,
    /// The id of its customer there.
    pub customer: Option<String>,
    /// What else it is linked with, where links do not say what they are for.
    pub also: Vec<String>,
    /// What its own fields hold.
    pub slots: Vec<Slot>,
    /// Its source card.
    pub card: String,
    /// Where its addresses, numbers and domains stand, the card apart.
    pub places: Vec<String>,
}

/// A field with what it holds.
#[derive(Debug, Clone)]
pub struct Slot {
    /// What people see above it.
    pub label: String,
    /// What it holds.
    pub value: Value,
    /// What people see, where that is another thing (an option's label).
    pub words: Option<String>,
}

/// A ticket, a case, a conversation.
#[derive(Debug, Clone, Default)]
pub struct Thread {
    /// Its name is the subject.
    pub record: Record,
    /// Status as [`Ways::status`] has it.
    pub status: String,
    /// Priority as [`Ways::priority`] has it.
    pub priority: Option<String>,
    /// Milliseconds.
    pub created: Option<i64>,
    /// Tags as [`Ways::tag`] has them.
    pub tags: Vec<String>,
    /// In order, without what the connector says on its own account.
    pub said: Vec<Said>,
    /// Files that hang on the thread as a whole.
    pub files: Vec<File>,
}

/// Something said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The source's id of the message, where the destination keeps it.
    pub of: Option<String>,
    /// The facts in the connector's line.
    pub lead: String,
    /// The text under the line.
    pub plain: String,
    /// The HTML under the line, where there is some.
    pub html: Option<String>,
    /// Milliseconds.
    pub at: Option<i64>,
    /// Whether customers see it, where that is known.
    pub public: Option<bool>,
    /// Whether it came from a customer, where that is known.
    pub incoming: Option<bool>,
    /// The id of who wrote it there.
    pub author: Option<String>,
    /// Its files.
    pub files: Vec<File>,
}

/// A file there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hash of its bytes, in hex.
    pub sha256: String,
}

/// What a connector declares to convert.
#[derive(Clone, Copy)]
pub struct Ways {
    /// What a status of the source (`open`, `snoozed`, `done`) is.
    pub status: fn(&str) -> &'static str,
    /// What a priority (1 to 5) is; `None` where it is not compared.
    pub priority: Option<fn(u64) -> &'static str>,
    /// What a tag is; `None` where nothing of its name can be one.
    pub tag: fn(&str) -> Option<String>,
    /// Whether a text has arrived, and a name: the source's, the destination's.
    pub same_text: fn(&str, &str) -> bool,
    /// The same of names.
    pub same_name: fn(&str, &str) -> bool,
    /// What the name of a file becomes.
    pub file_name: fn(&str) -> String,
    /// Milliseconds: what a time is kept to, and by how much a part may stand later than it was said.
    pub grain: i64,
    /// See `grain`.
    pub slack: i64,
    /// Times of messages that cannot be kept stand in the line above the text.
    pub keeps_times: bool,
    /// The times of threads are kept.
    pub keeps_created: bool,
    /// Parts without an id of their own stand in the order of the source.
    pub in_order: bool,
    /// An agent's address can be a customer's, too.
    pub agents_may_write_in: bool,
    /// Companies have objects of their own there. Else their name stands with their customers.
    pub has_companies: bool,
    /// What has no field of a company stands with it; else in the export only.
    pub has_company_cards: bool,
    /// What holds records of custom objects.
    pub objects: Objects,
    /// Files that are refused, by name and bytes: they are named in the thread.
    pub refuses: fn(&str, u64) -> bool,
    /// Bytes of a file above which it is named only.
    pub largest_file: u64,
    /// Bytes from which on a source card may have been cut.
    pub full_card: usize,
}

/// What holds records of custom objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    /// Records of their own, with links.
    Themselves,
    /// The customer or the conversation that they belong to; one that belongs to neither is exported.
    WithTheirPeople,
}

/// Whether two texts are the same but for blanks around them.
pub fn same_trimmed(wanted: &str, found: &str) -> bool {
    wanted.trim() == found.trim()
}

/// A name as it is.
pub fn same_file_name(name: &str) -> String {
    match name.trim() {
        "" => "file",
        name => name,
    }
    .to_owned()
}

/// A name as a form escapes it; whether the platform takes a quotation mark back is not known.
pub fn form_file_name(name: &str) -> String {
    match name.trim() {
        "" => "file".to_owned(),
        _ => name.replace('"', "%22"),
    }
}

/// Compares everything.
///
/// # Errors
/// A source that does not answer.
pub(super) async fn compare(
    source: &kustomer::Simulator,
    held: &Held,
    ways: Ways,
) -> Result<Comparison> {
    let names = Names::read(source).await?;
    let world = source.world();
    let mut side = Side {
        names,
        world: &world,
        held,
        ways,
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

struct Side<'s> {
    world: &'s World,
    names: Names,
    held: &'s Held,
    ways: Ways,
    found: Comparison,
}

/// The first record of an id.
fn one<'s>(records: &'s Records, id: &str) -> Option<&'s Record> {
    records.get(id)?.first()
}

impl<'s> Side<'s> {
    fn duplicates(&mut self) {
        let mut twice = Vec::new();
        for (what, records) in [
            ("company", &self.held.companies),
            ("customer", &self.held.customers),
            ("custom object", &self.held.objects),
        ] {
            for (id, all) in records.iter().filter(|(_, all)| all.len() > 1) {
                twice.push(format!("{what} {id} is there {} times", all.len()));
            }
        }
        for ((kind, id), parts) in &self.held.threads {
            for (part, all) in parts.iter().filter(|(_, all)| all.len() > 1) {
                twice.push(format!("{kind} {id} part {part} is {} threads", all.len()));
            }
        }
        self.found.duplicates += twice.len() as u64;
        self.found.differences.extend(twice);
    }

    // ---- people and companies

    fn companies(&mut self) {
        let companies = live(self.world, Kind::Company);
        let mut names: HashMap<String, u32> = HashMap::new();
        for (_, json) in &companies {
            let name = text(json, "/attributes/name").trim().to_lowercase();
            *names.entry(name).or_default() += 1;
        }
        for (id, json) in companies {
            if !self.ways.has_companies {
                self.found
                    .explain("companies, which the destination has no object for");
                continue;
            }
            let what = format!("company {id}");
            let Some(company) = one(&self.held.companies, &id) else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            self.found.count("companies");
            let name = text(&json, "/attributes/name").trim();
            // Where names are unique, a second one says which it is.
            let shared = names
                .get(&name.to_lowercase())
                .is_some_and(|count| *count > 1);
            let same = (self.ways.same_name)(name, &company.name)
                || shared && company.name.starts_with(name);
            if !same && !name.is_empty() {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {name:?}",
                    company.name
                ));
            }
            for domain in list(&json, "/attributes/domains") {
                if !self.ways.has_company_cards {
                    self.found
                        .explain("domains of companies, which are in the export");
                    continue;
                }
                self.somewhere(&what, "domain", text(domain, "/domain"), company);
            }
            self.custom(&what, "company", company, &json);
        }
    }

    fn customers(&mut self) {
        for (id, json) in live(self.world, Kind::Customer) {
            let what = format!("customer {id}");
            let Some(customer) = one(&self.held.customers, &id) else {
                if self.is_staff(&json) {
                    self.found.explain("customers with an agent's address");
                } else {
                    self.found.misses(format!("{what} is not there"));
                }
                continue;
            };
            self.found.count("customers");
            let wanted = called(&json);
            let arrived = wanted.is_empty()
                || (self.ways.same_name)(&wanted, &customer.name)
                || letters(&customer.card).contains(&letters(&wanted));
            if !arrived {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {wanted:?}",
                    customer.name
                ));
            }
            for (pointer, inner, sort) in [
                ("/attributes/emails", "/email", "address"),
                ("/attributes/sharedEmails", "/email", "shared address"),
                ("/attributes/phones", "/phone", "number"),
            ] {
                for value in list(&json, pointer) {
                    self.somewhere(&what, sort, text(value, inner), customer);
                }
            }
            let company = text(&json, "/relationships/company/data/id");
            let is_live = matches!(self.world.state(company), Some(State::Live));
            if is_live && !self.ways.has_companies {
                let company = self.world.json(company).unwrap_or_default();
                self.somewhere(
                    &what,
                    "company",
                    text(&company, "/attributes/name"),
                    customer,
                );
            } else if is_live {
                let wanted = one(&self.held.companies, company).map(|company| company.id.clone());
                self.found
                    .equal(&format!("{what}: company"), &wanted, &customer.company);
            }
            self.custom(&what, "customer", customer, &json);
        }
        let extra = self.held.customers.keys();
        let extra = extra.filter(|id| !matches!(self.world.state(id), Some(State::Live)));
        let extra: Vec<String> = extra
            .map(|id| format!("customer {id} is there and must not be"))
            .collect();
        self.found.differences.extend(extra);
    }

    /// Whether a customer cannot be one there, because an agent has its address.
    fn is_staff(&self, customer: &Value) -> bool {
        !self.ways.agents_may_write_in
            && list(customer, "/attributes/emails").any(|email| {
                let email = text(email, "/email").trim().to_lowercase();
                self.held.staff.contains_key(&email)
            })
    }

    /// A value stands in one of a record's places, or on its card.
    fn somewhere(&mut self, what: &str, sort: &str, value: &str, record: &Record) {
        let value = value.trim().to_lowercase();
        let mut places = record.places.iter().chain([&record.card]);
        if !value.is_empty() && !places.any(|place| place.to_lowercase().contains(&value)) {
            self.found
                .misses(format!("{what}: the {sort} {value:?} is nowhere"));
        }
    }

    // ---- conversations

    /// Every thread of a record, by its part; the first of each.
    fn threads(&self, kind: &str, id: &str) -> Vec<&'s Thread> {
        let parts = self.held.threads.get(&(kind.to_owned(), id.to_owned()));
        let parts = parts.into_iter().flat_map(BTreeMap::values);
        parts.filter_map(|all| all.first()).collect()
    }

    fn conversations(&mut self) {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (id, json) in live(self.world, Kind::Conversation) {
            if flag(&json, "/attributes/spam") {
                self.found.explain("conversations marked as spam");
                continue;
            }
            let customer = text(&json, "/relationships/customer/data/id");
            let threads = self.threads("conversation", &id);
            if threads.is_empty() {
                let person = self.world.json(customer).unwrap_or_default();
                if matches!(self.world.state(customer), Some(State::Deleted)) {
                    self.found.explain("conversations of deleted customers");
                } else if self.is_staff(&person) {
                    self.found
                        .explain("conversations of customers with an agent's address");
                } else {
                    self.found.misses(format!("conversation {id} is not there"));
                }
                continue;
            }
            self.conversation(&id, &json, customer, &threads);
            wanted.insert(id);
        }
        let all = self.held.threads.keys();
        let extra = all.filter(|(kind, id)| kind == "conversation" && !wanted.contains(id));
        let extra: Vec<String> = extra
            .map(|(_, id)| format!("conversation {id} is there and must not be"))
            .collect();
        self.found.differences.extend(extra);
    }

    fn conversation(&mut self, id: &str, json: &Value, customer: &str, threads: &[&'s Thread]) {
        self.found.count("conversations");
        let what = format!("conversation {id}");
        let author = one(&self.held.customers, customer).map(|customer| customer.id.clone());
        let subject = text(json, "/attributes/name").trim();
        let priority = json
            .pointer("/attributes/priority")
            .and_then(Value::as_u64)
            .zip(self.ways.priority)
            .map(|(priority, name)| name(priority).to_owned());
        for (index, thread) in threads.iter().enumerate() {
            let found = &thread.record.name;
            let same = if index == 0 {
                (self.ways.same_name)(subject, found)
            } else {
                found.starts_with(subject) || (self.ways.same_name)(subject, found)
            };
            if !same && !subject.is_empty() {
                self.found.differs(format!(
                    "{what}: part {} is called {found:?} instead of {subject:?}",
                    index + 1
                ));
            }
            let status = (self.ways.status)(text(json, "/attributes/status"));
            self.found
                .equal(&format!("{what}: status"), &status, &thread.status.as_str());
            if self.ways.priority.is_some() {
                self.found
                    .equal(&format!("{what}: priority"), &priority, &thread.priority);
            }
            if self.ways.keeps_created {
                let wanted = time(text(json, "/attributes/createdAt"));
                let found = thread.created;
                self.found.equal(
                    &format!("{what}: created"),
                    &wanted.map(|at| at.div_euclid(self.ways.grain)),
                    &found.map(|at| at.div_euclid(self.ways.grain)),
                );
            }
            if matches!(self.world.state(customer), Some(State::Live)) && author.is_some() {
                let found = &thread.record.customer;
                self.found
                    .equal(&format!("{what}: customer"), &author, found);
            }
            for tag in list(json, "/attributes/tags").filter_map(Value::as_str) {
                let tag = self.names.tags.get(tag);
                let Some(tag) = tag.and_then(|name| (self.ways.tag)(name)) else {
                    continue;
                };
                if !thread.tags.contains(&tag) {
                    let all = &thread.tags;
                    self.found.misses(format!(
                        "{what}: the tag {tag:?} is not there, only {all:?}"
                    ));
                }
            }
        }
        if let Some(first) = threads.first() {
            // A card may stand on any of the threads of one conversation.
            let card = threads.iter().map(|thread| thread.record.card.as_str());
            let record = Record {
                card: card.collect(),
                ..first.record.clone()
            };
            self.custom(&what, "conversation", &record, json);
        }
        let parts = parts(self.world, id);
        self.thread(&what, author.as_deref(), &parts, threads);
    }

    /// What was said stands there: by its id where it has one, else in order, or by its text.
    fn thread(
        &mut self,
        what: &str,
        customer: Option<&str>,
        parts: &[Part],
        threads: &[&'s Thread],
    ) {
        let said = threads.iter().flat_map(|thread| &thread.said);
        let mut rest = joined(said.cloned());
        let mut files: Vec<File> = threads
            .iter()
            .flat_map(|thread| thread.files.iter().cloned())
            .collect();
        for part in parts {
            let sort = if part.is_note { "note" } else { "message" };
            let name = format!("{what}, {sort} {}", part.id);
            let by_id = rest
                .iter()
                .position(|said| said.of.as_deref() == Some(&part.id));
            let unnamed = |said: &Said| said.of.is_none();
            let same_text = self.ways.same_text;
            let at = by_id.or_else(|| {
                if self.ways.in_order {
                    rest.iter().position(unnamed)
                } else {
                    rest.iter()
                        .position(|said| unnamed(said) && same_text(&part.text, &said.plain))
                }
            });
            let Some(at) = at else {
                let shown: String = part.text.chars().take(60).collect();
                self.found.misses(format!("{name} is not there: {shown:?}"));
                continue;
            };
            self.found
                .count(if part.is_note { "notes" } else { "messages" });
            let said = rest.remove(at);
            self.said(&name, part, &said, customer);
            self.files(&name, part, &said, &mut files);
        }
        for said in rest {
            let shown: String = said.plain.chars().take(80).collect();
            self.found
                .differs(format!("{what} has something that nobody said: {shown:?}"));
        }
    }

    fn said(&mut self, name: &str, part: &Part, said: &Said, customer: Option<&str>) {
        match &said.html {
            Some(html) => {
                let original = self.world.html(&part.id).unwrap_or_default();
                if letters(html) != letters(&original) {
                    self.found
                        .misses(format!("{name}: the words of the HTML differ"));
                }
            }
            None if !(self.ways.same_text)(&part.text, &said.plain) => {
                let pairs = said.plain.bytes().zip(part.text.bytes());
                let at = pairs.take_while(|(a, b)| a == b).count();
                self.found.misses(format!(
                    "{name}: the text differs from byte {at} on ({} bytes instead of {}), under {:?}",
                    said.plain.len(),
                    part.text.len(),
                    said.lead
                ));
            }
            None => {}
        }
        if self.ways.keeps_times && said.at.is_some() {
            let wanted = part.at.div_euclid(self.ways.grain) * self.ways.grain;
            let allowed = wanted..=wanted + self.ways.slack;
            let found = said
                .at
                .map(|at| at.div_euclid(self.ways.grain) * self.ways.grain);
            if !found.is_some_and(|at| allowed.contains(&at)) {
                self.found
                    .differs(format!("{name}: at {found:?} instead of {wanted}"));
            }
        } else {
            // What keeps no time says it above its text.
            let day = chrono::DateTime::from_timestamp_millis(part.at);
            let day = day.map(|at| at.date_naive().to_string());
            if !day.is_some_and(|day| said.lead.contains(&day)) {
                self.found
                    .misses(format!("{name}: nothing says when it was said"));
            }
        }
        if let Some(public) = said.public {
            self.found
                .equal(&format!("{name}: public"), &!part.is_note, &public);
        }
        if let Some(incoming) = said.incoming {
            let wanted = text(&part.facts, "/attributes/direction") == "in";
            self.found
                .equal(&format!("{name}: incoming"), &wanted, &incoming);
        }
        let author = said.author.as_deref();
        let named = match &part.author {
            Who::Customer if customer.is_some() && author == customer => true,
            Who::Agent(id) => {
                let agent = self.world.json(id).unwrap_or_default();
                let email = text(&agent, "/attributes/email").to_lowercase();
                match self.held.staff.get(&email) {
                    Some(id) if author == Some(id) => true,
                    _ => said.lead.contains(text(&agent, "/attributes/name")),
                }
            }
            Who::Customer | Who::Nobody => said.lead.contains("written by"),
        };
        if !named {
            self.found.misses(format!(
                "{name}: its author is not named; it is by {author:?}, {:?}",
                said.lead
            ));
        }
    }

    /// Every file of a part hangs where it should, with its bytes.
    fn files(&mut self, name: &str, part: &Part, said: &Said, on_thread: &mut Vec<File>) {
        let mut there = said.files.clone();
        for file in self.world.files(&part.id) {
            let id = file.id.to_string();
            let bytes = self.world.file_bytes(&id).unwrap_or_default();
            let wanted = File {
                name: (self.ways.file_name)(&file.name),
                size: bytes.len() as u64,
                sha256: hex::encode(Sha256::digest(&bytes)),
            };
            let mut taken = false;
            for files in [&mut there, &mut *on_thread] {
                if let Some(at) = files.iter().position(|file| *file == wanted) {
                    files.remove(at);
                    taken = true;
                    break;
                }
            }
            let missing = said.lead.contains("is missing here");
            if taken {
                self.found.count("files");
            } else if (self.ways.refuses)(&file.name, wanted.size) && missing {
                self.found.explain("files that the destination refuses");
            } else if wanted.size > self.ways.largest_file && missing {
                self.found
                    .explain("files that are larger than the destination takes");
            } else if file.place != Place::Stored && missing {
                self.found
                    .explain("files that the source no longer has or never kept");
            } else {
                self.found.misses(format!(
                    "{name}: the file {:?} of {} bytes is not there as it was, under {:?}; there are {:?}",
                    wanted.name,
                    wanted.size,
                    said.lead,
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
        for (id, json) in live(self.world, Kind::Note) {
            if json
                .pointer("/relationships/conversation/data/id")
                .is_some()
            {
                continue;
            }
            let what = format!("note {id} on a customer");
            let customer = text(&json, "/relationships/customer/data/id");
            let threads = self.threads("message", &id);
            let Some(thread) = threads.first() else {
                if self.is_staff(&self.world.json(customer).unwrap_or_default()) {
                    self.found
                        .explain("notes on customers with an agent's address");
                } else {
                    self.found.misses(format!("{what} is not there"));
                }
                continue;
            };
            let customer = one(&self.held.customers, customer).map(|customer| customer.id.clone());
            let found = &thread.record.customer;
            self.found
                .equal(&format!("{what}: customer"), &customer, found);
            let said: Vec<Part> = part(self.world, id, true).into_iter().collect();
            self.thread(&what, customer.as_deref(), &said, &threads);
        }
    }

    // ---- custom objects

    fn objects(&mut self) {
        for (id, json) in live(self.world, Kind::KObject) {
            let what = format!("custom object {id}");
            let Some(record) = one(&self.held.objects, &id) else {
                let is_alone = ["customer", "conversation"].iter().all(|relation| {
                    let other = text(&json, &format!("/relationships/{relation}/data/id"));
                    !matches!(self.world.state(other), Some(State::Live))
                });
                if self.ways.objects == Objects::WithTheirPeople && is_alone {
                    self.found
                        .explain("custom objects of nobody, which are exported");
                } else {
                    self.found.misses(format!("{what} is not there"));
                }
                continue;
            };
            self.found.count("custom objects");
            let title = match text(&json, "/attributes/title").trim() {
                "" => &id,
                title => title,
            };
            if !(self.ways.same_name)(title, &record.name) {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {title:?}",
                    record.name
                ));
            }
            for (relation, records, found) in [
                ("customer", &self.held.customers, &record.customer),
                ("company", &self.held.companies, &record.company),
            ] {
                let other = text(&json, &format!("/relationships/{relation}/data/id"));
                let is_link = self.ways.objects == Objects::Themselves;
                let other = one(records, other).filter(|_| is_link);
                if let Some(other) = other.filter(|other| !record.also.contains(&other.id)) {
                    let wanted = Some(other.id.clone());
                    self.found
                        .equal(&format!("{what}: {relation}"), &wanted, found);
                }
            }
            let resource = text(&json, "/type").to_owned();
            self.custom(&what, &resource, record, &json);
        }
    }

    // ---- custom attributes

    /// Every custom attribute is in its field, or on the source card.
    fn custom(&mut self, what: &str, resource: &str, record: &Record, json: &Value) {
        let custom = json
            .pointer("/attributes/custom")
            .and_then(Value::as_object);
        let known = self.names.attributes.get(resource);
        let mut lacking = Vec::new();
        let mut count = 0;
        let values = custom.into_iter().flatten();
        for (name, value) in values.filter(|(_, value)| !value.is_null() && *value != "") {
            let attribute = known.and_then(|known| known.get(name)).cloned();
            let attribute = attribute.unwrap_or_default();
            let label = match attribute.label.trim() {
                "" => name,
                label => label,
            };
            // Names of fields may have letters and digits only.
            let of_label = |slot: &&Slot| {
                let (there, here) = (letters(&slot.label), letters(label));
                slot.label.starts_with(label)
                    || label.starts_with(&slot.label)
                    || !there.is_empty() && (there.starts_with(&here) || here.starts_with(&there))
            };
            let mut slots = record.slots.iter().filter(of_label);
            let arrived = slots.any(|slot| self.same(value, &attribute, slot));
            count += 1;
            let card = &record.card;
            let on_card = card.contains(&format!("field {name}: "))
                || card.contains(label) && card.len() >= self.ways.full_card;
            if !arrived && !on_card {
                lacking.push(format!(
                    "{what}: the custom value {name} = {value} is nowhere"
                ));
            }
        }
        *self.found.checked.entry("custom values").or_default() += count;
        for lacking in lacking {
            if resource == "company" && !self.ways.has_company_cards {
                self.found
                    .explain("values of companies, which are in the export");
            } else {
                self.found.misses(lacking);
            }
        }
    }

    fn same(&self, value: &Value, attribute: &Attribute, slot: &Slot) -> bool {
        let shown = match &slot.value {
            Value::String(text) => text.clone(),
            Value::Null => return false,
            other => other.to_string(),
        };
        let words = slot.words.as_deref().unwrap_or(&shown);
        match value {
            Value::Bool(wanted) => slot.value == *value || shown == wanted.to_string(),
            Value::Number(number) => shown
                .parse::<f64>()
                .ok()
                .zip(number.as_f64())
                .is_some_and(|(a, b)| (a - b).abs() < 1e-6),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .all(|item| shown.contains(item) || words.contains(item)),
            Value::String(text) => {
                let moment = || {
                    let grain = |at: i64| at.div_euclid(self.ways.grain);
                    time(text).is_some_and(|at| {
                        time(&shown).is_some_and(|found| grain(found) == grain(at))
                            || shown.parse() == Ok(at)
                            || shown.parse() == Ok(at.div_euclid(1_000))
                            || same_day(text, &shown)
                    })
                };
                let target = || self.target(attribute.target.as_deref().unwrap_or_default(), text);
                shown.trim() == text.trim()
                    || shown.contains(text.as_str())
                    || letters(words).ends_with(&letters(text))
                    || letters(&shown) == letters(text)
                    || moment()
                    || target().is_some_and(|id| shown.contains(&id))
            }
            Value::Object(_) | Value::Null => shown == *value.to_string(),
        }
    }

    /// What a reference of the source is at the destination.
    fn target(&self, kind: &str, id: &str) -> Option<String> {
        let record = match kind {
            "customer" => one(&self.held.customers, id)?,
            "company" => one(&self.held.companies, id)?,
            "conversation" => &self.threads("conversation", id).first()?.record,
            "user" => {
                let agent = self.world.json(id)?;
                let email = text(&agent, "/attributes/email").to_lowercase();
                return self.held.staff.get(&email).cloned();
            }
            _ => one(&self.held.objects, id)?,
        };
        Some(record.id.clone())
    }
}

/// What a customer is called.
fn called(customer: &Value) -> String {
    let full = ["/attributes/firstName", "/attributes/lastName"].map(|p| text(customer, p).trim());
    let first_email = list(customer, "/attributes/emails")
        .next()
        .map(|email| text(email, "/email"));
    let names = [
        text(customer, "/attributes/name"),
        text(customer, "/attributes/displayName"),
        full.join(" ").trim(),
        text(customer, "/attributes/username"),
        first_email.unwrap_or_default(),
    ]
    .map(|name| name.trim().to_owned());
    let name = names.into_iter().find(|name| !name.is_empty());
    name.unwrap_or_default()
}

/// What stands in several pieces is one: by the id of its message, or as its line says.
fn joined(said: impl IntoIterator<Item = Said>) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    for one in said {
        match all.last_mut() {
            Some(last) if is_further(&one.lead) || one.of.is_some() && one.of == last.of => {
                last.lead.push_str("; ");
                last.lead.push_str(&one.lead);
                last.plain.push_str(&one.plain);
                if let (Some(html), Some(more)) = (&mut last.html, &one.html) {
                    html.push_str(more);
                }
                last.files.extend(one.files);
            }
            _ => all.push(one),
        }
    }
    all
}

/// Whether something goes on with what was said before it, by the facts of its line.
fn is_further(lead: &str) -> bool {
    let part = lead.rsplit("; ").next();
    let part = part.and_then(|fact| fact.strip_prefix("part "));
    part.is_some_and(|part| part.contains(" of ") && !part.starts_with("1 of "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_goes_on_with_the_one_before() {
        assert!(is_further("written by Ana; part 2 of 3"));
        assert!(!is_further("written by Ana; part 1 of 3"));
        assert!(!is_further("written by Ana"));
    }

    #[tokio::test]
    async fn everything_is_missed_in_an_account_that_holds_nothing() {
        let source = kustomer::Simulator::new(kustomer::Config {
            size: 3,
            few: true,
            ..kustomer::Config::default()
        });
        let held = Held::default();
        let found = compare(&source, &held, super::super::zendesk::WAYS).await;
        let found = found.unwrap();
        let all = [Kind::Company, Kind::Customer, Kind::KObject];
        let all: usize = all
            .map(|kind| live(&source.world(), kind).len())
            .iter()
            .sum();
        assert!(found.checked.is_empty(), "{:?}", found.checked);
        assert!(found.lost > all as u64, "{} of {all}", found.lost);
    }
}
