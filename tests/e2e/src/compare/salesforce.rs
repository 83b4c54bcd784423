//! A Salesforce org held against the source.
//!
//! Records are known by their unique source id. E-mails are held against their message; comments, which carry no id, against what
//! was said in their conversation, in order. What the connector declares to convert (parts of one second a second apart, texts in
//! pieces, what no field holds on the source card) is converted here once more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde_json::Value;
use sha2::{Digest, Sha256};
use transload_simulators::kustomer::{self, Kind, Place, State, World};
use transload_simulators::salesforce::schema::Field;
use transload_simulators::salesforce::{Row, Simulator, Snapshot};

use super::{
    Attribute, Comparison, LEAD, Names, Part, Who, flag, letters, list, live, part, parts,
    pieces_after, record_of, same_day, text, time,
};

const SOURCE_ID: &str = "Transload_Source_Id__c";
const CARD: &str = "Transload_Source_Card__c";
const ADDRESSES: &str = "Transload_Addresses__c";
/// Seconds by which a part may stand later than it was said: parts of one second are set apart.
const SET_APART: i64 = 300;

/// Compares everything.
///
/// # Errors
/// A source that does not answer.
pub(crate) async fn compare(
    source: &kustomer::Simulator,
    destination: &Simulator,
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

/// The destination by the source's ids.
struct There<'s> {
    snapshot: &'s Snapshot,
    /// By object (custom ones are all `custom`), kind and id, then by part.
    marked: BTreeMap<(String, String, String), BTreeMap<u32, Vec<&'s Row>>>,
    staff: HashMap<String, &'s Row>,
}

impl<'s> There<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let mut marked: BTreeMap<(String, String, String), BTreeMap<u32, Vec<&'s Row>>> =
            BTreeMap::new();
        for row in snapshot.rows.values().filter(|row| !row.deleted) {
            let Some((kind, id, part)) = record_of(row.text(SOURCE_ID)) else {
                continue;
            };
            let is_custom = snapshot.objects.get(&row.object).is_some_and(|o| o.custom);
            let object = if is_custom { "custom" } else { &row.object };
            let key = (object.to_owned(), kind.to_owned(), id.to_owned());
            marked
                .entry(key)
                .or_default()
                .entry(part)
                .or_default()
                .push(row);
        }
        let staff = snapshot
            .of_object("User")
            .map(|user| (user.text("Email").to_lowercase(), user))
            .collect();
        Self {
            snapshot,
            marked,
            staff,
        }
    }

    /// The records of an object that stand for one of the source, the first of each part.
    fn all(&self, object: &str, kind: &str, id: &str) -> Vec<&'s Row> {
        let key = (object.to_owned(), kind.to_owned(), id.to_owned());
        let parts = self.marked.get(&key).into_iter().flat_map(BTreeMap::values);
        parts.filter_map(|rows| rows.first().copied()).collect()
    }

    fn one(&self, object: &str, kind: &str, id: &str) -> Option<&'s Row> {
        self.all(object, kind, id).into_iter().next()
    }
}

/// A comment, or several that hold one text.
struct Comment<'s> {
    first: &'s Row,
    lead: String,
    body: String,
}

struct Side<'s> {
    world: &'s World,
    names: Names,
    there: There<'s>,
    found: Comparison,
}

impl<'s> Side<'s> {
    fn duplicates(&mut self) {
        let mut twice = Vec::new();
        for ((object, kind, id), parts) in &self.there.marked {
            for (part, rows) in parts.iter().filter(|(_, rows)| rows.len() > 1) {
                twice.push(format!(
                    "{kind} {id} part {part} is {} of {object}",
                    rows.len()
                ));
            }
        }
        self.found.duplicates += twice.len() as u64;
        self.found.differences.extend(twice);
    }

    // ---- people and companies

    fn companies(&mut self) {
        for (id, json) in live(self.world, Kind::Company) {
            let what = format!("company {id}");
            let Some(account) = self.there.one("Account", "company", &id) else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            self.found.count("companies");
            let name = text(&json, "/attributes/name").trim();
            if !name.is_empty() && !account.text("Name").starts_with(name) {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {name:?}",
                    account.text("Name")
                ));
            }
            let domains: Vec<String> = list(&json, "/attributes/domains")
                .map(|d| text(d, "/domain").to_owned())
                .collect();
            for domain in domains {
                self.somewhere(&what, "domain", &domain, account, &["Website", CARD]);
            }
            self.custom(&what, "company", account, &json);
        }
    }

    fn customers(&mut self) {
        for (id, json) in live(self.world, Kind::Customer) {
            let what = format!("customer {id}");
            let Some(contact) = self.there.one("Contact", "customer", &id) else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            self.found.count("customers");
            let full =
                ["/attributes/firstName", "/attributes/lastName"].map(|p| text(&json, p).trim());
            let wanted = [
                text(&json, "/attributes/name"),
                text(&json, "/attributes/displayName"),
                full.join(" ").trim(),
            ]
            .into_iter()
            .map(|name| letters(name))
            .find(|name| !name.is_empty());
            let card = letters(contact.text(CARD));
            if let Some(wanted) = wanted
                && letters(contact.text("Name")) != wanted
                && !card.contains(&wanted)
            {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {wanted:?}",
                    contact.text("Name")
                ));
            }
            let places = ["Email", ADDRESSES, CARD];
            for (pointer, inner) in [
                ("/attributes/emails", "/email"),
                ("/attributes/sharedEmails", "/email"),
                ("/attributes/phones", "/phone"),
            ] {
                let values: Vec<String> = list(&json, pointer)
                    .map(|value| text(value, inner).trim().to_owned())
                    .collect();
                for value in values {
                    let all = if inner == "/phone" {
                        vec![
                            "Phone",
                            "MobilePhone",
                            "HomePhone",
                            "OtherPhone",
                            ADDRESSES,
                            CARD,
                        ]
                    } else {
                        places.to_vec()
                    };
                    self.somewhere(&what, "address", &value, contact, &all);
                }
            }
            let company = text(&json, "/relationships/company/data/id");
            if let Some(account) = self.there.one("Account", "company", company) {
                self.found.equal(
                    &format!("{what}: account"),
                    &account.id.as_str(),
                    &contact.text("AccountId"),
                );
            }
            self.custom(&what, "customer", contact, &json);
        }
        let extra: Vec<String> = self
            .there
            .marked
            .keys()
            .filter(|(object, kind, id)| {
                object == "Contact"
                    && kind == "customer"
                    && !matches!(self.world.state(id), Some(State::Live))
            })
            .map(|(_, _, id)| format!("customer {id} is there and must not be"))
            .collect();
        self.found.differences.extend(extra);
    }

    /// A value stands in one of these fields.
    fn somewhere(&mut self, what: &str, sort: &str, value: &str, row: &Row, fields: &[&str]) {
        let value = value.to_lowercase();
        let there = fields
            .iter()
            .any(|field| row.text(field).to_lowercase().contains(&value));
        if !value.is_empty() && !there {
            self.found
                .misses(format!("{what}: the {sort} {value:?} is nowhere"));
        }
    }

    // ---- conversations

    fn conversations(&mut self) {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (id, json) in live(self.world, Kind::Conversation) {
            if flag(&json, "/attributes/spam") {
                self.found.explain("conversations marked as spam");
                continue;
            }
            wanted.insert(id.clone());
            let cases = self.there.all("Case", "conversation", &id);
            if cases.is_empty() {
                self.found.misses(format!("conversation {id} is not there"));
                continue;
            }
            self.conversation(&id, &json, &cases);
        }
        let extra: Vec<String> = self
            .there
            .marked
            .keys()
            .filter(|(object, kind, id)| {
                object == "Case" && kind == "conversation" && !wanted.contains(id)
            })
            .map(|(_, _, id)| format!("conversation {id} is there and must not be"))
            .collect();
        self.found.differences.extend(extra);
    }

    fn conversation(&mut self, id: &str, json: &Value, cases: &[&'s Row]) {
        self.found.count("conversations");
        let what = format!("conversation {id}");
        let customer = text(json, "/relationships/customer/data/id");
        let contact = self.there.one("Contact", "customer", customer);
        for case in cases {
            let subject: String = text(json, "/attributes/name")
                .trim()
                .chars()
                .take(230)
                .collect();
            if !case.text("Subject").starts_with(subject.trim()) {
                self.found.differs(format!(
                    "{what}: subject {:?} instead of {subject:?}",
                    case.text("Subject")
                ));
            }
            let closed = text(json, "/attributes/status") == "done";
            self.found
                .equal(&format!("{what}: closed"), &closed, &case.is("IsClosed"));
            let created = time(text(json, "/attributes/createdAt")).map(|ms| ms.div_euclid(1_000));
            self.found.equal(
                &format!("{what}: created"),
                &created,
                &seconds(case.text("CreatedDate")),
            );
            if let Some(contact) = contact {
                self.found.equal(
                    &format!("{what}: contact"),
                    &contact.id.as_str(),
                    &case.text("ContactId"),
                );
            }
            let tags = case.text("Transload_Tags__c").to_lowercase();
            for tag in list(json, "/attributes/tags").filter_map(Value::as_str) {
                let name = self.names.tags.get(tag).cloned().unwrap_or_default();
                let name = name.trim().to_lowercase();
                if !name.is_empty() && !tags.contains(&name) {
                    self.found
                        .misses(format!("{what}: the tag {name:?} is not there"));
                }
            }
        }
        if let Some(first) = cases.first() {
            self.custom(&what, "conversation", first, json);
        }
        let parts = parts(self.world, id);
        self.thread(&what, &parts, cases);
    }

    /// What was said stands in e-mails, known by their id, and in comments, in order.
    fn thread(&mut self, what: &str, parts: &[Part], cases: &[&'s Row]) {
        let mut comments: Vec<Comment<'s>> =
            cases.iter().flat_map(|case| self.comments(case)).collect();
        let mut left: BTreeSet<&str> = cases
            .iter()
            .flat_map(|case| {
                self.there
                    .snapshot
                    .with("EmailMessage", "ParentId", &case.id)
            })
            .map(|mail| mail.id.as_str())
            .collect();
        for part in parts {
            let sort = if part.is_note { "note" } else { "message" };
            let name = format!("{what}, {sort} {}", part.id);
            let mails = self.there.all("EmailMessage", "message", &part.id);
            if let Some(mail) = mails.first() {
                self.found.count("messages");
                mails.iter().for_each(|mail| {
                    left.remove(mail.id.as_str());
                });
                self.mail(&name, part, mail, &mails);
                continue;
            }
            let at = comments
                .iter()
                .position(|comment| comment.body.trim() == part.text.trim());
            let Some(at) = at else {
                self.found.misses(format!(
                    "{name} is not there: {:?}",
                    part.text.chars().take(60).collect::<String>()
                ));
                continue;
            };
            self.found
                .count(if part.is_note { "notes" } else { "messages" });
            let comment = comments.remove(at);
            self.comment(&name, part, &comment, cases);
        }
        for comment in comments {
            let shown: String = comment.body.chars().take(80).collect();
            self.found
                .differs(format!("{what} has a comment that nobody wrote: {shown:?}"));
        }
        for mail in left {
            self.found
                .differs(format!("{what} has an e-mail that nobody wrote: {mail}"));
        }
    }

    /// The comments of a case in order, pieces joined, without the connector's own.
    fn comments(&self, case: &Row) -> Vec<Comment<'s>> {
        let mut rows = self
            .there
            .snapshot
            .with("CaseComment", "ParentId", &case.id);
        rows.sort_by_key(|row| (row.text("CreatedDate").to_owned(), row.id.clone()));
        let mut all: Vec<Comment<'s>> = Vec::new();
        let mut further = 0;
        for row in rows {
            let (lead, body) = split(row.text("CommentBody"));
            let ours = ["source card", "continues in the case", "continues the case"];
            if ours.iter().any(|word| lead.starts_with(word)) {
                continue;
            }
            if further > 0
                && let Some(last) = all.last_mut()
            {
                last.body.push_str(&body);
                further -= 1;
                continue;
            }
            further = pieces_after(&lead);
            all.push(Comment {
                first: row,
                lead,
                body,
            });
        }
        all
    }

    fn when(&mut self, name: &str, part: &Part, found: &str) {
        let wanted = part.at.div_euclid(1_000);
        let is_near = seconds(found).is_some_and(|at| (wanted..=wanted + SET_APART).contains(&at));
        if !is_near {
            self.found.differs(format!(
                "{name}: at {found} instead of {:?}",
                chrono::DateTime::from_timestamp_millis(part.at)
            ));
        }
    }

    fn mail(&mut self, name: &str, part: &Part, mail: &'s Row, all: &[&'s Row]) {
        self.when(name, part, mail.text("MessageDate"));
        let html = mail.text("HtmlBody");
        let (mut lead, mut body) = split(mail.text("TextBody"));
        for further in all.iter().skip(1) {
            body.push_str(&split(further.text("TextBody")).1);
        }
        if html.is_empty() {
            if body.trim() != part.text.trim() {
                self.found.misses(format!(
                    "{name}: the text differs ({} bytes instead of {})",
                    body.len(),
                    part.text.len()
                ));
            }
        } else {
            let original = self.world.html(&part.id).unwrap_or_default();
            if let Some((line, _)) = html
                .strip_prefix("<p>")
                .and_then(|rest| rest.strip_prefix(LEAD))
                .and_then(|rest| rest.split_once("]</p>"))
            {
                lead = line.to_owned();
            }
            if !letters(html).ends_with(&letters(&original)) {
                self.found
                    .misses(format!("{name}: the words of the HTML differ"));
            }
        }
        let incoming = text(&part.facts, "/attributes/direction") == "in";
        self.found.equal(
            &format!("{name}: incoming"),
            &incoming,
            &mail.is("Incoming"),
        );
        let named = !mail.text("FromName").is_empty() || !mail.text("FromAddress").is_empty();
        if !named && !lead.contains("written by") {
            self.found
                .differs(format!("{name}: nobody says who wrote it"));
        }
        self.files(name, part, &lead, &[mail.id.as_str()]);
    }

    fn comment(&mut self, name: &str, part: &Part, comment: &Comment<'s>, cases: &[&'s Row]) {
        let row = comment.first;
        self.when(name, part, row.text("CreatedDate"));
        self.found.equal(
            &format!("{name}: public"),
            &!part.is_note,
            &row.is("IsPublished"),
        );
        let named = match &part.author {
            Who::Agent(id) => {
                let agent = self.world.json(id).unwrap_or_default();
                let email = text(&agent, "/attributes/email").to_lowercase();
                match self.there.staff.get(&email) {
                    Some(user) if user.is("IsActive") => row.text("CreatedById") == user.id,
                    _ => comment.lead.contains(text(&agent, "/attributes/name")),
                }
            }
            Who::Customer | Who::Nobody => comment.lead.contains("written by"),
        };
        if !named {
            self.found
                .misses(format!("{name}: its author is not named"));
        }
        let places: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        self.files(name, part, &comment.lead, &places);
    }

    /// Every file of a part hangs where it should, with its bytes.
    fn files(&mut self, name: &str, part: &Part, lead: &str, places: &[&str]) {
        let there: Vec<(String, u64)> = places
            .iter()
            .flat_map(|place| self.there.snapshot.files_on(place))
            .map(|(version, blob)| {
                let path = version.text("PathOnClient").to_owned();
                (format!("{path} {}", blob.sha256), blob.bytes.len() as u64)
            })
            .collect();
        for file in self.world.files(&part.id) {
            let bytes = self
                .world
                .file_bytes(&file.id.to_string())
                .unwrap_or_default();
            let sha256 = hex::encode(Sha256::digest(&bytes));
            let is_there = there.iter().any(|(known, size)| {
                known.ends_with(&sha256)
                    && *size == bytes.len() as u64
                    && known.starts_with(file.name.trim())
            });
            if is_there {
                self.found.count("files");
            } else if bytes.is_empty() && lead.contains("is missing here") {
                self.found
                    .explain("files without bytes, which the org refuses");
            } else if file.place != Place::Stored && lead.contains("is missing here") {
                self.found
                    .explain("files that the source no longer has or never kept");
            } else {
                self.found.misses(format!(
                    "{name}: the file {:?} of {} bytes is not there as it was; there are {there:?}",
                    file.name,
                    bytes.len(),
                ));
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
            let cases = self.there.all("Case", "message", &id);
            let Some(case) = cases.first() else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            let customer = text(&json, "/relationships/customer/data/id");
            if let Some(contact) = self.there.one("Contact", "customer", customer) {
                self.found.equal(
                    &format!("{what}: contact"),
                    &contact.id.as_str(),
                    &case.text("ContactId"),
                );
            }
            let said: Vec<Part> = part(self.world, id, true).into_iter().collect();
            self.thread(&what, &said, &cases);
        }
    }

    // ---- custom objects

    fn objects(&mut self) {
        for (id, json) in live(self.world, Kind::KObject) {
            let what = format!("custom object {id}");
            let Some(record) = self.there.one("custom", "custom-object", &id) else {
                self.found.misses(format!("{what} is not there"));
                continue;
            };
            self.found.count("custom objects");
            let title = text(&json, "/attributes/title").trim().to_owned();
            let title = if title.is_empty() { id.clone() } else { title };
            if !title.starts_with(record.text("Name")) || record.text("Name").is_empty() {
                self.found.differs(format!(
                    "{what} is called {:?} instead of {title:?}",
                    record.text("Name")
                ));
            }
            for (relation, object, kind, field) in [
                ("customer", "Contact", "customer", "Transload_Contact__c"),
                ("company", "Account", "company", "Transload_Account__c"),
            ] {
                let other = text(&json, &format!("/relationships/{relation}/data/id"));
                if let Some(other) = self.there.one(object, kind, other) {
                    self.found.equal(
                        &format!("{what}: {relation}"),
                        &other.id.as_str(),
                        &record.text(field),
                    );
                }
            }
            let resource = text(&json, "/type").to_owned();
            self.custom(&what, &resource, record, &json);
        }
    }

    // ---- custom attributes

    /// Every custom attribute is in its field, or on the source card.
    fn custom(&mut self, what: &str, resource: &str, row: &Row, json: &Value) {
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
        let object = self.there.snapshot.objects.get(&row.object);
        let fields: Vec<&Field> = object
            .into_iter()
            .flat_map(|object| &object.fields)
            .filter(|field| field.custom)
            .collect();
        for (name, value) in custom
            .iter()
            .filter(|(_, value)| !value.is_null() && *value != "")
        {
            let attribute = known.get(name).cloned().unwrap_or_default();
            let label = if attribute.label.trim().is_empty() {
                name.clone()
            } else {
                attribute.label.clone()
            };
            let arrived = fields
                .iter()
                .filter(|field| label.starts_with(&field.label) || field.label.starts_with(&label))
                .any(|field| self.same(value, &attribute, field, row.get(&field.name)));
            self.found.count("custom values");
            let card = row.text(CARD);
            let on_card = card.contains(&format!("field {name}: "))
                || card.contains(&label) && card.len() >= 130_000;
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
        let choice = field.choices.iter().find(|choice| choice.value == shown);
        match value {
            Value::Bool(_) => found == value,
            Value::Number(number) => shown
                .parse::<f64>()
                .ok()
                .zip(number.as_f64())
                .is_some_and(|(a, b)| (a - b).abs() < 1e-6),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .all(|item| shown.contains(item)),
            Value::String(text) => {
                let moment = || {
                    let near = seconds(&shown) == time(text).map(|ms| ms.div_euclid(1_000));
                    time(text).is_some() && (near || same_day(text, &shown))
                };
                let target = || self.target(attribute.target.as_deref().unwrap_or_default(), text);
                shown.trim() == text.trim()
                    || shown.contains(text.as_str())
                    || choice.is_some_and(|c| letters(&c.label).ends_with(&letters(text)))
                    || letters(&shown) == letters(text)
                    || moment()
                    || target().is_some_and(|id| id == shown)
            }
            Value::Object(_) | Value::Null => shown == *value.to_string(),
        }
    }

    /// What a reference of the source is at the destination.
    fn target(&self, kind: &str, id: &str) -> Option<String> {
        let row = match kind {
            "customer" => self.there.one("Contact", "customer", id)?,
            "company" => self.there.one("Account", "company", id)?,
            "conversation" => self.there.one("Case", "conversation", id)?,
            "user" => {
                let agent = self.world.json(id)?;
                let email = text(&agent, "/attributes/email").to_lowercase();
                self.there.staff.get(&email)?
            }
            _ => self.there.one("custom", "custom-object", id)?,
        };
        Some(row.id.clone())
    }
}

/// Seconds of a time as the org writes it.
fn seconds(text: &str) -> Option<i64> {
    let at = text.len().checked_sub(2)?;
    let (front, minutes) = text.split_at_checked(at)?;
    let ms = time(text).or_else(|| time(&format!("{front}:{minutes}")))?;
    Some(ms.div_euclid(1_000))
}

/// The facts in the line above a body, and the body.
fn split(whole: &str) -> (String, String) {
    match whole
        .strip_prefix(LEAD)
        .and_then(|rest| rest.split_once(']'))
    {
        Some((lead, body)) => {
            let body = body.strip_prefix("\n\n").unwrap_or(body);
            (lead.to_owned(), body.to_owned())
        }
        None => (String::new(), whole.to_owned()),
    }
}
