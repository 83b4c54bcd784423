//! Companies and customers as accounts and contacts.
//!
//! A batch goes by one import, which keeps times; what the import does not make, and all where there are no imports, goes singly,
//! and is told what is wrong with it. What came of an import is read back: what carries this run, and has the time that was sent or
//! that of the import, was made by it; anything else was there before, and is treated as matched.
//!
//! People are matched before they are made, and two people of the source never become one contact in silence (rule M-7): a later
//! one whose address is taken keeps a contact of its own, and the address goes onto the source card.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::card::{self, Facts, fitted};
use transload_sdk::destination::{Item, MatchPolicy};
use transload_sdk::effects::unsettled;
use transload_sdk::http::{Refusal as _, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{address_line, is_mobile, main_first, without_each_other};
use transload_sdk::policy::{self, is_empty};
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, Error, Fidelity, Head, Kind, Loss,
};

use super::schema::values;
use super::{Changed, Creation, WRITES, effect, made, reject, report, status_of};
use crate::api::{Contact, Refusal, words_of};
use crate::client::Desk;
use crate::imports::{self, Fate, Row};
use crate::map::{self, DESCRIPTION_BYTES, Owner, loss, own_target, plain, print_of};
use crate::own;

const CARD_CUT: &str = "the source card is cut: a description holds 60,000 bytes";
const TAKEN: &str = "another person has this address; it stands on the source card";
const NOT_TAKEN: &str = "Zoho Desk did not take it: on the source card";
const MADE_SINGLY: &str = "the import did not make it: made singly, with the time of the migration, and its own in a field";
/// Requests for one record, each without what the one before was refused for.
const TRIES: usize = 8;
/// Contacts that are read at once (Zoho Desk facts §4).
const READ_AT_ONCE: usize = 50;
/// Clocks may differ by so much, ms.
const SLACK_MS: i64 = 120_000;
/// Characters of a given name (Zoho Desk facts §10), and of a family name or an account's.
const FIRST_CHARS: usize = 40;
const NAME_CHARS: usize = 200;
/// Characters of the second address and of a number (Zoho Desk facts §7.1, §10).
const SECOND_CHARS: usize = 100;
const PHONE_CHARS: usize = 30;
/// Characters of an account's address (Zoho Desk facts §7.2).
const ACCOUNT_EMAIL_CHARS: usize = 150;

/// Attributes of a contact that are compared before an undo.
pub const CONTACT: [&str; 12] = [
    "firstName",
    "lastName",
    "email",
    "secondaryEmail",
    "phone",
    "mobile",
    "accountId",
    "description",
    "street",
    "city",
    "state",
    "country",
];

/// Attributes of an account that are compared before an undo.
pub const ACCOUNT: [&str; 10] = [
    "accountName",
    "website",
    "phone",
    "email",
    "description",
    "street",
    "city",
    "state",
    "country",
    "code",
];

/// An account or contact as it was read.
pub type Object = Map<String, Value>;

/// What of an account or contact is compared before an undo.
pub fn facets(owner: Owner, object: &Object) -> Vec<(String, String)> {
    match owner {
        Owner::Account => map::facets(object, &ACCOUNT),
        _ => map::facets(object, &CONTACT),
    }
}

/// What effects call one.
pub const fn kind_of(owner: Owner) -> &'static str {
    match owner {
        Owner::Account => "account",
        Owner::Contact => "contact",
        Owner::Ticket => "ticket",
    }
}

fn text<'o>(object: &'o Object, name: &str) -> &'o str {
    let value = object.get(name).and_then(Value::as_str);
    value.unwrap_or_default()
}

/// The custom fields of an object.
pub fn cf_of(object: &Object) -> Object {
    let cf = object.get("cf").and_then(Value::as_object);
    cf.cloned().unwrap_or_default()
}

/// Whether an object is where people find it: not in the recycle bin.
pub fn is_there(object: &Object) -> bool {
    let set = |name: &str| object.get(name) == Some(&Value::Bool(true));
    !set("isTrashed") && !set("isDeleted")
}

/// Whether custom fields carry this run.
pub fn is_of_run(desk: &Desk, owner: Owner, cf: &Object) -> bool {
    let run = desk.state.own(owner, own::RUN);
    run.is_some_and(|name| text(cf, name) == desk.cx.run())
}

/// The marker that custom fields carry.
pub fn marker_of<'o>(desk: &Desk, owner: Owner, cf: &'o Object) -> &'o str {
    let name = desk.state.own(owner, own::MARKER);
    name.map(|name| text(cf, name)).unwrap_or_default()
}

/// The print of custom fields alone.
pub fn print_of_own(cf: &Object, wanted: &Object) -> String {
    let facets: Vec<(String, String)> = wanted
        .keys()
        .map(|name| {
            let value = cf.get(name).unwrap_or(&Value::Null);
            (format!("field {name}"), plain(value))
        })
        .collect();
    map::print(&facets)
}

// ---- reading

/// One account or contact; none where it is gone or in the recycle bin.
///
/// # Errors
/// What ends the unit.
pub async fn read_one(desk: &Desk, owner: Owner, id: &str) -> Result<Option<Object>, Error> {
    let path = format!("/{}/{id}", owner.module());
    let found: Option<Object> = desk.find(&path).await?;
    Ok(found.filter(is_there))
}

/// Accounts or contacts by id; contacts many at once.
async fn read_all(
    desk: &Desk,
    owner: Owner,
    ids: &[String],
) -> Result<BTreeMap<String, Object>, Error> {
    let mut found: BTreeMap<String, Object> = BTreeMap::new();
    if owner == Owner::Contact && ids.len() > 1 {
        for chunk in ids.chunks(READ_AT_ONCE) {
            let path = format!("/contacts/contactsByIds?ids={}", chunk.join(","));
            let rows: Vec<Object> = desk.whole(&path).await?;
            for row in rows {
                // An answer without custom fields is no whole one.
                if row.contains_key("cf") && is_there(&row) {
                    let id = words_of(row.get("id").unwrap_or(&Value::Null));
                    found.insert(id, row);
                }
            }
        }
    }
    for id in ids {
        if !found.contains_key(id)
            && let Some(object) = read_one(desk, owner, id).await?
        {
            found.insert(id.clone(), object);
        }
    }
    Ok(found)
}

/// Rows that a search finds, of one parameter whose values are alternatives (Zoho Desk facts §13).
///
/// # Errors
/// What ends the unit.
pub async fn search(
    desk: &Desk,
    module: &str,
    parameter: &str,
    value: &str,
) -> Result<Vec<Object>, Error> {
    let path = format!("/{module}/search?{parameter}={}", segment(value));
    let found = desk.list_at_most::<Object>(&path, 2).await;
    match found {
        Ok((rows, _)) => Ok(rows.into_iter().filter(is_there).collect()),
        // A value that a search does not take finds nothing.
        Err(Error::Bug(_)) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

/// The contact whose custom field has a value, by the search, which lags.
///
/// # Errors
/// What ends the unit.
pub async fn by_field(desk: &Desk, name: &str, value: &str) -> Result<Option<Contact>, Error> {
    let wanted = format!("{name}:{value}");
    let rows = search(desk, "contacts", "customField1", &wanted).await?;
    let same = |row: &Object| text(&cf_of(row), name) == value;
    let found = rows.into_iter().find(same);
    Ok(found
        .map(|row| serde_json::from_value(Value::Object(row)))
        .transpose()?)
}

/// The same among the newest, which does not lag (Zoho Desk facts §12).
///
/// # Errors
/// What ends the unit.
pub async fn recent_by_field(
    desk: &Desk,
    name: &str,
    value: &str,
) -> Result<Option<Contact>, Error> {
    let found = recent(desk, Owner::Contact, name, value).await?;
    Ok(found
        .map(|row| serde_json::from_value(Value::Object(row)))
        .transpose()?)
}

async fn recent(
    desk: &Desk,
    owner: Owner,
    name: &str,
    value: &str,
) -> Result<Option<Object>, Error> {
    let path = format!("/{}?sortBy=-createdTime", owner.module());
    let (rows, _) = desk.list_at_most::<Object>(&path, 2).await?;
    for row in rows.into_iter().filter(is_there) {
        let whole = match row.get("cf") {
            Some(_) => Some(row),
            None => {
                let id = words_of(row.get("id").unwrap_or(&Value::Null));
                read_one(desk, owner, &id).await?
            }
        };
        if let Some(whole) = whole
            && text(&cf_of(&whole), name) == value
        {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

// ---- drafts

/// A record on its way.
#[derive(Debug, Clone)]
struct Draft<'a> {
    item: &'a Item,
    owner: Owner,
    /// Attributes but for the description.
    attributes: Object,
    /// Custom fields by API name.
    cf: Object,
    card: Facts,
    losses: Vec<Loss>,
}

impl<'a> Draft<'a> {
    fn new(desk: &Desk, item: &'a Item, owner: Owner) -> Self {
        let head: &Head = &item.entry().head;
        let mut cf = Object::new();
        let mut set = |name: &str, value: Option<String>| {
            let field = desk.state.own(owner, name);
            let value = value.filter(|text| text.chars().count() <= map::TEXT_CHARS);
            if let (Some(field), Some(value)) = (field, value) {
                cf.insert(field.to_owned(), json!(value));
            }
        };
        set(own::MARKER, Some(item.marker.clone()));
        set(own::RUN, Some(desk.cx.run().to_owned()));
        set(own::URL, head.url.clone());
        set(own::CREATED, head.created_at.map(map::iso));
        set(own::UPDATED, head.updated_at.map(map::iso));
        Self {
            item,
            owner,
            attributes: Object::new(),
            cf,
            card: Facts::new(desk.config.words(desk.cx.time_zone())),
            losses: Vec::new(),
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.attributes.insert(name.to_owned(), value.into());
    }

    fn note(&mut self, field: impl Into<String>, how: Fidelity, note: &'static str) {
        self.losses.push(loss(field, how, note));
    }

    /// Custom fields of the source.
    fn fields(&mut self, kind: &Kind) {
        let of_source = without_each_other(kind, &self.item.entry().head.fields);
        values(&of_source, &mut self.cf, &mut self.card, &mut self.losses);
        self.card.lists(&of_source, &mut self.losses);
    }

    fn card_text(&self, desk: &Desk) -> Result<String, Error> {
        let entry = self.item.entry();
        let platform = desk.cx.platform();
        self.card.render(platform, self.item, entry, &self.losses)
    }

    /// All that is wanted, as a request has it.
    fn body(&self, desk: &Desk) -> Result<Object, Error> {
        let card = self.card_text(desk)?;
        let (card, _) = fitted(&card, DESCRIPTION_BYTES);
        let mut body = self.attributes.clone();
        body.insert("description".to_owned(), json!(card.trim_end()));
        if !self.cf.is_empty() {
            body.insert("cf".to_owned(), Value::Object(self.cf.clone()));
        }
        Ok(body)
    }

    fn row(&self, desk: &Desk) -> Result<Row, Error> {
        let head = &self.item.entry().head;
        let mut values = self.body(desk)?;
        if let Some(at) = head.created_at {
            values.insert("createdTime".to_owned(), json!(map::iso(at)));
            let changed = head.updated_at.unwrap_or(at).max(at);
            values.insert("modifiedTime".to_owned(), json!(map::iso(changed)));
        }
        Ok(Row {
            item: self.item.key.clone(),
            module: self.owner.module(),
            ext_id: imports::ext_id(&self.item.marker),
            values,
        })
    }

    fn closed(mut self, desk: &Desk) -> Result<Self, Error> {
        if fitted(&self.card_text(desk)?, DESCRIPTION_BYTES).1 {
            let field = match self.owner {
                Owner::Account => "company",
                _ => "customer",
            };
            self.note(field, Fidelity::Lost, CARD_CUT);
        }
        Ok(self)
    }

    /// Gives up what a refusal names; whether there was something.
    fn give_up(&mut self, refusal: &Refusal) -> bool {
        let mut gave = false;
        for path in &refusal.fields {
            let bare = path.rsplit('/').next().unwrap_or(path).to_owned();
            // Custom fields are named by a path, or by their name alone.
            if let Some(value) = self.cf.remove(&bare) {
                self.card.add(&bare, words_of(&value));
                self.note("fields", Fidelity::Converted, NOT_TAKEN);
                gave = true;
                continue;
            }
            if matches!(bare.as_str(), "lastName" | "accountName" | "description") {
                continue;
            }
            if let Some(value) = self.attributes.remove(&bare) {
                let (name, field) = match bare.as_str() {
                    "email" | "secondaryEmail" => ("e-mail", "customer.addresses.email"),
                    "phone" | "mobile" => ("phone", "customer.addresses.phone"),
                    "accountId" => ("company", "customer.company"),
                    other => (other, "company.addresses"),
                };
                let note = match refusal.duplicate_of(&bare) {
                    true => TAKEN,
                    false => NOT_TAKEN,
                };
                self.card.add(name, words_of(&value));
                self.note(field, Fidelity::Converted, note);
                gave = true;
                // The second address moves up.
                if bare == "email"
                    && let Some(second) = self.attributes.remove("secondaryEmail")
                {
                    self.set("email", second);
                }
            }
        }
        gave
    }
}

/// Maps a customer. Pure.
fn customer<'a>(desk: &Desk, item: &'a Item, customer: &Customer) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut draft = Draft::new(desk, item, Owner::Contact);
    let whole = map::customer_name(item.entry(), customer);
    let (first, last) = names(&whole, customer);
    let shown = match &first {
        Some(first) => format!("{first} {last}"),
        None => last.clone(),
    };
    card::customer(head, &shown, customer, &mut draft.card);
    if whole != shown {
        draft.card.add("name", &whole);
    }
    draft.set("lastName", last);
    if let Some(first) = first {
        draft.set("firstName", first);
    }
    if let Some(field) = desk.state.own(Owner::Contact, own::MERGED)
        && !customer.merged_from.is_empty()
    {
        let ids = customer.merged_from.join("\n");
        if ids.chars().count() <= map::AREA_CHARS {
            draft.cf.insert(field.to_owned(), json!(ids));
        }
    }
    draft
        .card
        .add("merged ids", customer.merged_from.join(", "));
    draft.fields(&Kind::Customer);
    draft.card.references("tags", &customer.tags);
    if !customer.tags.is_empty() {
        let note = "contacts have no tags: on the source card";
        draft.note("customer.tags", Fidelity::Converted, note);
    }
    if let Some(company) = &customer.company {
        match own_target(company) {
            Some(id) => draft.set("accountId", id),
            None => {
                draft.card.reference("company", Some(company));
                let note = "not migrated: on the source card";
                draft.note("customer.company", Fidelity::Converted, note);
            }
        }
    }
    addresses(&mut draft, &customer.addresses);
    draft.closed(desk)
}

/// Given and family name; the latter is never empty (Zoho Desk facts §6).
fn names(whole: &str, customer: &Customer) -> (Option<String>, String) {
    let given = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim).unwrap_or_default();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let cut = |text: &str| text.trim().chars().take(NAME_CHARS).collect::<String>();
    let parts = match (given(&customer.first_name), given(&customer.last_name)) {
        (Some(first), Some(last)) => Some((first, last)),
        _ => {
            let split = whole.trim().rsplit_once(' ');
            split.map(|(first, last)| (first.trim().to_owned(), last.to_owned()))
        }
    };
    match parts {
        Some((first, last)) if !first.is_empty() && first.chars().count() <= FIRST_CHARS => {
            (Some(first), cut(&last))
        }
        _ => (None, cut(whole)),
    }
}

/// Sorts addresses into those that are the person's own and those that only stand on the card.
fn addresses(draft: &mut Draft<'_>, all: &[Address]) {
    let mut left = Vec::new();
    for address in main_first(all) {
        let email = map::email(&address.value).filter(|_| !address.shared);
        let phone = map::e164(&address.value).filter(|_| !address.shared);
        let places: [&str; 2] = match (&address.channel, is_mobile(address)) {
            (AddressChannel::Email, _) => ["email", "secondaryEmail"],
            (_, true) => ["mobile", "phone"],
            (_, false) => ["phone", "mobile"],
        };
        let (value, field, most) = match (&address.channel, email, phone) {
            (AddressChannel::Email, Some(email), _) => {
                (email, "customer.addresses.email", SECOND_CHARS)
            }
            (AddressChannel::Phone, _, Some(phone)) => {
                (phone, "customer.addresses.phone", PHONE_CHARS)
            }
            (AddressChannel::Email, ..) => {
                let note = "shared or malformed: on the source card";
                draft.note("customer.addresses.email", Fidelity::Converted, note);
                left.push(address);
                continue;
            }
            (AddressChannel::Phone | AddressChannel::Whatsapp, ..) => {
                let note = "shared, or no full number: on the source card";
                draft.note("customer.addresses.phone", Fidelity::Converted, note);
                left.push(address);
                continue;
            }
            _ => {
                left.push(address);
                continue;
            }
        };
        if places
            .iter()
            .any(|place| text(&draft.attributes, place) == value)
        {
            continue;
        }
        let free = |place: &&&str| !draft.attributes.contains_key(**place);
        match places.iter().find(free) {
            Some(place) if value.chars().count() <= most => draft.set(place, value),
            _ => {
                let note = "more, or longer, than the two that a contact has: on the source card";
                draft.note(field, Fidelity::Converted, note);
                left.push(address);
            }
        }
    }
    card::addresses(left, &mut draft.card);
}

/// Maps a company. Pure.
fn company<'a>(desk: &Desk, item: &'a Item, company: &Company) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut draft = Draft::new(desk, item, Owner::Account);
    card::head(head, &mut draft.card);
    let name = match company.name.trim() {
        "" => format!("Company {}", head.id),
        name => name.to_owned(),
    };
    if name.chars().count() > NAME_CHARS {
        draft.card.add("name", &name);
        let note = "longer than an account's name: whole on the source card";
        draft.note("company.name", Fidelity::Converted, note);
    }
    draft.set(
        "accountName",
        name.chars().take(NAME_CHARS).collect::<String>(),
    );
    draft.fields(&Kind::Company);
    draft.card.add("domains", company.domains.join(", "));
    let mut left = Vec::new();
    for address in &company.addresses {
        let value = match &address.channel {
            AddressChannel::Email => map::email(&address.value).map(|value| ("email", value)),
            AddressChannel::Phone => map::e164(&address.value).map(|value| ("phone", value)),
            _ => None,
        };
        let fits = |(place, value): &(&str, String)| {
            let most = if *place == "email" {
                ACCOUNT_EMAIL_CHARS
            } else {
                PHONE_CHARS
            };
            let free = !address.shared && !draft.attributes.contains_key(*place);
            free && value.chars().count() <= most
        };
        match value.filter(fits) {
            Some((place, value)) => draft.set(place, value),
            None => left.push(address),
        }
    }
    if !left.is_empty() {
        draft.note(
            "company.addresses",
            Fidelity::Converted,
            "on the source card",
        );
    }
    for address in left {
        draft.card.add("address", address_line(address));
    }
    for place in &company.locations {
        card::location(place, &mut draft.card);
    }
    draft.card.reference("parent", company.parent.as_ref());
    draft.card.references("tags", &company.tags);
    draft.card.count("employees", company.employee_count);
    draft.card.text("language", company.language.as_deref());
    draft.card.text("avatar", company.avatar_url.as_deref());
    if company.parent.is_some() {
        let note = "Zoho Desk has no hierarchy of accounts: on the source card";
        draft.note("company.parent", Fidelity::Converted, note);
    }
    if !company.tags.is_empty() {
        let note = "accounts have no tags: on the source card";
        draft.note("company.tags", Fidelity::Converted, note);
    }
    draft.closed(desk)
}

// ---- writing

/// Companies.
///
/// # Errors
/// What ends the unit.
pub async fn companies(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let mut drafts = Vec::new();
    for (item, data) in each::<Company>(&desk.cx, items) {
        drafts.push(company(desk, item, data)?);
    }
    write(desk, Owner::Account, drafts).await
}

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let mut drafts = Vec::new();
    for (item, data) in each::<Customer>(&desk.cx, items) {
        drafts.push(customer(desk, item, data)?);
    }
    write(desk, Owner::Contact, drafts).await
}

/// The record that is there for sure: matched, or of an earlier run.
fn known_id(item: &Item, owner: Owner) -> Option<String> {
    let certain = item.certain().map(|candidate| candidate.target_id.clone());
    let prior = || item.prior_part(kind_of(owner), "main");
    certain.or_else(|| Some(prior()?.target_id.clone()))
}

async fn write(desk: &Desk, owner: Owner, drafts: Vec<Draft<'_>>) -> Result<(), Error> {
    let mut new = Vec::new();
    for draft in drafts {
        match known_id(draft.item, owner) {
            Some(id) => update(desk, &id, draft).await?,
            None => new.push(draft),
        }
    }
    if !desk.state.imports {
        for draft in new {
            post(desk, draft).await?;
        }
        return Ok(());
    }
    let rows: Result<Vec<Row>, Error> = new.iter().map(|draft| draft.row(desk)).collect();
    let rows = rows?;
    let since = new
        .iter()
        .filter_map(|draft| draft.item.in_doubt_since)
        .min();
    let scope = imports::own_scope(desk);
    let fates = imports::import(desk, &scope, owner.module(), &rows, since).await?;
    let ids: Vec<String> = fates
        .iter()
        .filter_map(|fate| match fate {
            Fate::Made { id, .. } | Fate::There { id } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let there = read_all(desk, owner, &ids).await?;
    let mut met: BTreeSet<String> = BTreeSet::new();
    for ((mut draft, fate), row) in new.into_iter().zip(fates).zip(rows) {
        match fate {
            Fate::Made { id, proof, key } => {
                let object = there.get(&id);
                let first = met.insert(id.clone());
                let ours = object.is_some_and(|object| is_of_import(desk, owner, object, &row));
                match object {
                    Some(object) if ours && first => {
                        let mut main = made("main", kind_of(owner), &id, Some(proof), own_key(key));
                        main.key = main.key.filter(|key| !key.step.is_empty());
                        imported(desk, draft, object.clone(), main).await?;
                    }
                    _ => {
                        // The import took another record for it.
                        let note = "the import joined it with a record that was there";
                        draft.note(kind_word(owner), Fidelity::Converted, note);
                        update(desk, &id, draft).await?;
                    }
                }
            }
            Fate::There { id } => update(desk, &id, draft).await?,
            Fate::Refused(_) => {
                draft.note(
                    format!("{}.created-at", kind_word(owner)),
                    Fidelity::Converted,
                    MADE_SINGLY,
                );
                post(desk, draft).await?;
            }
            Fate::Unsettled => {
                let why = "an import that has not ended, or was not answered".to_owned();
                report(
                    &desk.cx,
                    draft.item,
                    Status::Unsettled(why),
                    Vec::new(),
                    draft.losses,
                );
            }
        }
    }
    Ok(())
}

fn own_key(key: Option<transload_sdk::http::OperationKey>) -> transload_sdk::http::OperationKey {
    key.unwrap_or_else(|| transload_sdk::http::key("", "", ""))
}

const fn kind_word(owner: Owner) -> &'static str {
    match owner {
        Owner::Account => "company",
        _ => "customer",
    }
}

/// Whether an import made an object, and did not find it: it carries this run, or the description that was sent, and has the time
/// that was sent or one since the unit began.
fn is_of_import(desk: &Desk, owner: Owner, object: &Object, row: &Row) -> bool {
    let run = desk.state.own(owner, own::RUN);
    let cf = cf_of(object);
    let held = run.map(|name| text(&cf, name)).unwrap_or_default();
    let described = text(object, "description").trim() == text(&row.values, "description").trim();
    let carries = held == desk.cx.run() || (held.is_empty() && described);
    let at = map::parse_iso(&words_of(object.get("createdTime").unwrap_or(&Value::Null)));
    let sent = row.values.get("createdTime").and_then(Value::as_str);
    let sent = sent.and_then(map::parse_iso);
    let timely = match (at, sent) {
        (Some(at), Some(sent)) if at / 1_000 == sent / 1_000 => true,
        (Some(at), _) => {
            at >= desk.cx.now() - SLACK_MS - i64::try_from(imports::SETTLE_MS).unwrap_or(0)
        }
        (None, _) => true,
    };
    carries && timely
}

/// Sets what an import left out, and reports the record.
async fn imported(
    desk: &Desk,
    mut draft: Draft<'_>,
    mut object: Object,
    mut main: Effect,
) -> Result<(), Error> {
    let owner = draft.owner;
    for attempt in 0..TRIES {
        let wanted = draft.body(desk)?;
        let mut now = lacking(&wanted, &object);
        if attempt == 0 {
            // Texts may come back otherwise; what was said once is not said again.
            now.retain(|name, _| name == "cf" || name == "accountId");
        }
        if now.is_empty() {
            break;
        }
        let id = main.target_id.clone();
        match patch(desk, draft.item, owner, &id, &now, ("fill", attempt), true).await? {
            Changed::Done(changed, _) => {
                object = changed;
                break;
            }
            Changed::Refused(refusal) if draft.give_up(&refusal) => {}
            Changed::Refused(_) | Changed::Unknown => {
                let note = "a part of its fields was not taken";
                draft.note("fields", Fidelity::Lost, note);
                break;
            }
        }
    }
    stamp(&mut main, owner, &object, &draft.body(desk)?);
    report(
        &desk.cx,
        draft.item,
        status_of(main.action),
        vec![main],
        draft.losses,
    );
    Ok(())
}

/// What of the wanted an object has not.
fn lacking(wanted: &Object, object: &Object) -> Object {
    let mut now = Object::new();
    for (name, value) in wanted {
        match value {
            Value::Object(fields) => {
                let cf = cf_of(object);
                let missing: Object = fields
                    .iter()
                    .filter(|(name, value)| {
                        plain(cf.get(*name).unwrap_or(&Value::Null)) != plain(value)
                    })
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                if !missing.is_empty() {
                    now.insert(name.clone(), Value::Object(missing));
                }
            }
            value => {
                let there = object.get(name).unwrap_or(&Value::Null);
                if plain(there).trim() != plain(value).trim() {
                    now.insert(name.clone(), value.clone());
                }
            }
        }
    }
    now
}

/// What is recorded of an object that was written: only what was said, for Zoho Desk fills more.
fn stamp(effect: &mut Effect, owner: Owner, object: &Object, sent: &Object) {
    effect.fingerprint = Some(print_of(&facets(owner, object), sent));
    let at = words_of(object.get("modifiedTime").unwrap_or(&Value::Null));
    effect.updated_at = map::parse_iso(&at);
    let url = text(object, "webUrl");
    effect.url = (!url.is_empty()).then(|| url.to_owned());
}

/// Changes an object. What only completes a creation leaves nothing behind of its own: `completes`.
async fn patch(
    desk: &Desk,
    item: &Item,
    owner: Owner,
    id: &str,
    body: &Object,
    (step, attempt): (&str, usize),
    completes: bool,
) -> Result<Changed<Object>, Error> {
    let path = format!("/{}/{id}", owner.module());
    let request = |sent: &str| {
        let step = match attempt {
            0 => format!("{step}:{sent}"),
            n => format!("{step}:{sent}:{n}"),
        };
        let request = desk.idempotent("PATCH", path.clone(), key(&item.key, "main", step));
        let request = request.json(body);
        if completes {
            request.passing()
        } else {
            request
        }
    };
    let read = async || desk.find::<Object>(&path).await;
    let is_done = |object: &Object| lacking(body, object).is_empty();
    WRITES.change(&desk.cx, request, read, is_done).await
}

/// Makes one record by plain REST, giving up what is refused.
async fn post(desk: &Desk, mut draft: Draft<'_>) -> Result<(), Error> {
    let (cx, owner, item) = (&desk.cx, draft.owner, draft.item);
    let name = text(&draft.attributes, "accountName").to_owned();
    for attempt in 0..TRIES {
        let body = draft.body(desk)?;
        let step = match attempt {
            0 => "create".to_owned(),
            n => format!("create:{n}"),
        };
        let path = format!("/{}", owner.module());
        let request = desk
            .once("POST", path, key(&item.key, "main", step))
            .json(&body);
        let marker = desk.state.own(owner, own::MARKER);
        let find = async || match marker {
            Some(field) => recent(desk, owner, field, &item.marker).await,
            None => Ok(None),
        };
        let ours = |object: &Object| is_of_run(desk, owner, &cf_of(object));
        let since = item.in_doubt_since.filter(|_| attempt == 0);
        match WRITES.make(since, request, find, ours).await? {
            Creation::There(object, proof, key) => {
                let id = words_of(object.get("id").unwrap_or(&Value::Null));
                // An answer may be that of somebody who was there with the address (Zoho Desk facts §7.1).
                let other = proof == Some(Proof::Fresh)
                    && marker.is_some_and(|name| text(&cf_of(&object), name) != item.marker);
                if other && !is_of_run(desk, owner, &cf_of(&object)) {
                    let read = read_one(desk, owner, &id).await?.unwrap_or_default();
                    if !is_of_run(desk, owner, &cf_of(&read)) {
                        return update_after(desk, &id, draft, Some(key)).await;
                    }
                }
                let mut main = made("main", kind_of(owner), &id, proof, key);
                stamp(&mut main, owner, &object, &body);
                report(cx, item, status_of(main.action), vec![main], draft.losses);
                return Ok(());
            }
            Creation::Unsettled => {
                let why = "a record whose creation was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
            Creation::Refused(refusal) => {
                if owner == Owner::Account && refusal.duplicate_of("accountName") {
                    let id = &item.entry().head.id;
                    let kept = NAME_CHARS.saturating_sub(id.chars().count() + 3);
                    let kept: String = name.chars().take(kept).collect();
                    let longer = format!("{kept} ({id})");
                    if text(&draft.attributes, "accountName") == longer {
                        reject(cx, item, refusal.rejection());
                        return Ok(());
                    }
                    draft.set("accountName", longer);
                    let note = "another account has the name: written with the source id behind it";
                    draft.note("company.name", Fidelity::Converted, note);
                    continue;
                }
                if refusal.duplicate_of("email")
                    && let Some(id) = holder(desk, &draft).await?
                {
                    return update(desk, &id, draft).await;
                }
                if !draft.give_up(&refusal) {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                }
            }
        }
    }
    let why = "nothing of it was taken".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}

/// Who has the address that was refused as taken, if that may be the customer. Another record of the source is not, nor who was
/// found to be doubtful before (rule M-7).
async fn holder(desk: &Desk, draft: &Draft<'_>) -> Result<Option<String>, Error> {
    let email = text(&draft.attributes, "email");
    let rows = search(desk, "contacts", "email", email).await?;
    let prefix = desk.cx.marker_prefix();
    let doubted = draft
        .item
        .existing
        .as_ref()
        .filter(|c| c.doubtful.is_some());
    let staff = desk.state.agents.values().any(|agent| agent.email == email);
    for row in rows {
        let id = words_of(row.get("id").unwrap_or(&Value::Null));
        let whole = match row.contains_key("cf") {
            true => Some(row),
            false => read_one(desk, Owner::Contact, &id).await?,
        };
        let Some(whole) = whole else { continue };
        let same = text(&whole, "email").eq_ignore_ascii_case(email);
        let cf = cf_of(&whole);
        let marker = marker_of(desk, Owner::Contact, &cf);
        let other = marker.starts_with(&prefix) && marker != draft.item.marker;
        let doubtful = doubted.is_some_and(|candidate| candidate.target_id == id);
        if same && !other && !doubtful && !staff {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Changes a record that was there, as the policy allows.
async fn update(desk: &Desk, id: &str, draft: Draft<'_>) -> Result<(), Error> {
    update_after(desk, id, draft, None).await
}

/// The same, after a request that found the record instead of making one.
async fn update_after(
    desk: &Desk,
    id: &str,
    mut draft: Draft<'_>,
    after: Option<transload_sdk::http::OperationKey>,
) -> Result<(), Error> {
    let (cx, owner, item) = (&desk.cx, draft.owner, draft.item);
    let Some(before) = read_one(desk, owner, id).await? else {
        let gone = format!("the {} that was matched is gone", kind_of(owner));
        reject(cx, item, Error::Conflict(gone));
        return Ok(());
    };
    let mut effects = vec![effect("main", kind_of(owner), id, Action::Matched)];
    effects.extend(after.map(|key| Effect {
        key: Some(key),
        ..effect(
            "found",
            kind_of(owner),
            format!("{id}/found"),
            Action::Matched,
        )
    }));
    if item.policy == MatchPolicy::Leave {
        let note = "the record that is there was left as it is";
        draft.note(kind_word(owner), Fidelity::Lost, note);
        report(cx, item, Status::Matched, effects, draft.losses);
        return Ok(());
    }
    for attempt in 0..TRIES {
        let (now, old) = changes(desk, &mut draft, &before)?;
        if now.is_empty() {
            report(cx, item, Status::Matched, effects, draft.losses);
            return Ok(());
        }
        match patch(desk, item, owner, id, &now, ("change", attempt), false).await? {
            Changed::Done(object, key) => {
                if let Some(main) = effects.first_mut() {
                    main.action = Action::Updated;
                    main.key = Some(key);
                    main.before = Some(Value::Object(old).to_string());
                    stamp(main, owner, &object, &now);
                }
                report(cx, item, Status::Updated, effects, draft.losses);
                return Ok(());
            }
            Changed::Refused(refusal) => {
                if !draft.give_up(&refusal) {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                }
            }
            Changed::Unknown => {
                let why = "a change that was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
        }
    }
    let why = "what it would get is not taken".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}

/// What is to be changed in a record that was there, and what was there. A description of somebody else's stays; the source card
/// then goes into a field of ours, as far as it fits.
fn changes(desk: &Desk, draft: &mut Draft<'_>, before: &Object) -> Result<(Object, Object), Error> {
    let owner = draft.owner;
    let mut wanted = draft.body(desk)?;
    let mut cf = match wanted.remove("cf") {
        Some(Value::Object(cf)) => cf,
        _ => Object::new(),
    };
    let was = cf_of(before);
    // Which run made it must not be said of what we only changed, and a marker of somebody else's is never replaced.
    if let Some(name) = desk.state.own(owner, own::RUN) {
        cf.remove(name);
    }
    if let Some(name) = desk.state.own(owner, own::MARKER)
        && !text(&was, name).is_empty()
    {
        cf.remove(name);
    }
    let card = wanted.get("description").cloned().unwrap_or_default();
    if !is_empty(before.get("description").unwrap_or(&Value::Null)) {
        wanted.remove("description");
        let same = plain(&card) == plain(before.get("description").unwrap_or(&Value::Null));
        if let Some(name) = desk.state.own(owner, own::CARD).filter(|_| !same) {
            let text = words_of(&card);
            let (fits, _) = fitted(&text, map::AREA_CHARS);
            cf.insert(name.to_owned(), json!(fits.trim_end()));
        }
    }
    // An address beside the one that is there.
    let email = text(before, "email").to_lowercase();
    if !email.is_empty() && owner == Owner::Contact {
        let second = text(before, "secondaryEmail").to_lowercase();
        let own: Vec<String> = ["email", "secondaryEmail"]
            .iter()
            .filter_map(|name| wanted.remove(*name))
            .map(|value| words_of(&value))
            .filter(|one| *one != email && *one != second)
            .collect();
        if let Some(first) = own.first()
            && second.is_empty()
            && first.chars().count() <= SECOND_CHARS
        {
            wanted.insert("secondaryEmail".to_owned(), json!(first));
        }
    }
    let there = Value::Object(before.clone());
    let mut change = policy::changes(draft.item.policy, &wanted, &there);
    let of_fields = policy::changes(draft.item.policy, &cf, &Value::Object(was));
    if !of_fields.wanted.is_empty() {
        let cf = "cf".to_owned();
        change
            .wanted
            .insert(cf.clone(), Value::Object(of_fields.wanted));
        change.before.insert(cf, Value::Object(of_fields.before));
    }
    Ok((change.wanted, change.before))
}
