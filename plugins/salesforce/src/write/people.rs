//! Companies and customers as accounts, contacts and leads.
//!
//! People are matched before they are made (see [`super::matching`]), and two people of the source never become one in silence
//! (rule M-7): Salesforce lets several contacts have one address, so whoever is doubtful has a record of his own. A duplicate rule
//! that blocks somebody is obeyed, and says so, unless what it found is the same address and nobody else's record: then it is him.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, fitted};
use transload_sdk::destination::Item;
use transload_sdk::items::each;
use transload_sdk::ledger::Status;
use transload_sdk::people::{address_line, is_mobile, labelled};
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, Error, Fidelity, Location, Loss, Reference,
};

use super::teams::{Pending, update};
use super::{audit, choices, custom_fields, inserted, only_known, report, status_of};
use crate::api::{Fault, Record, text};
use crate::client::{self, Row, Saved};
use crate::fields::{self, ADDRESSES, CARD, LIST_CHARS, MERGED_IDS, TAGS};
use crate::map::{self, Choices, loss};
use crate::state::{Config, State};

/// What happened to a card that is longer than its field.
const CARD_CUT: &str = "the source card is cut: its field holds 131,072 characters";
const ON_CARD: &str = "on the source card";

/// A record of the source as one of Salesforce.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    /// The item.
    pub item: &'a Item,
    /// `Account`, `Contact`, `Lead`.
    pub object: &'static str,
    /// All fields but original times, the record type and the connector's marks, which are for new records only.
    pub values: Map<String, Value>,
    /// What becomes of the rest.
    pub losses: Vec<Loss>,
    card: Facts,
}

/// What drafts are made with.
#[derive(Debug)]
pub struct Around<'a> {
    /// The call.
    pub cx: &'a Context,
    /// Settings.
    pub config: Config,
    /// The prepared session.
    pub state: State,
    /// Choices of fields that take no others.
    pub choices: Choices,
}

impl<'a> Around<'a> {
    /// For items that become records of one object.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn of(cx: &'a Context, object: &str, items: &[Item]) -> Result<Self, Error> {
        Ok(Self {
            cx,
            config: cx.config()?,
            state: cx.state()?,
            choices: choices(cx, object, items).await?,
        })
    }
}

impl Draft<'_> {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// A text into a field of so many characters; what is longer is cut there and whole on the card.
    fn fit(&mut self, name: &str, field: &str, text: &str, chars: usize) {
        if text.trim().is_empty() {
            return;
        }
        if text.chars().count() <= chars {
            self.set(name, text);
            return;
        }
        let cut: String = text.chars().take(chars).collect();
        self.set(name, cut);
        self.card.add(field, text);
        let note = "cut in its field: whole on the source card";
        self.losses.push(loss(field, Fidelity::Converted, note));
    }

    fn note(&mut self, field: &str, note: &'static str) {
        self.losses.push(loss(field, Fidelity::Converted, note));
    }

    fn tags(&mut self, tags: &[Reference]) {
        if tags.is_empty() {
            return;
        }
        let name = |tag: &Reference| tag.target.clone().or_else(|| tag.name.clone());
        let names: Vec<String> = tags.iter().filter_map(name).collect();
        let (list, whole) = map::tag_list(names.iter().map(String::as_str), LIST_CHARS);
        self.set(TAGS, list);
        if !whole {
            self.losses.push(loss(
                "tags",
                Fidelity::Lost,
                "more tags than their field holds",
            ));
        }
    }

    /// Custom fields, tags and what every record says of its origin; then the card, which is last since it says what was lost.
    fn finish(&mut self, around: &Around<'_>) -> Result<(), Error> {
        let head = &self.item.entry().head;
        let mut values = Map::new();
        custom_fields(
            self.object,
            &head.fields,
            &around.choices,
            &mut values,
            &mut self.card,
            &mut self.losses,
        );
        fields::own_values(around.cx.run(), &self.item.marker, head, &mut values);
        self.values.extend(values);
        let entry = self.item.entry();
        let platform = around.cx.platform();
        let card = self.card.render(platform, self.item, entry, &self.losses)?;
        // Characters are at most bytes.
        let (fits, cut) = fitted(&card, fields::CARD_CHARS);
        if cut {
            let kind = head.kind.word().to_owned();
            self.losses.push(loss(kind, Fidelity::Lost, CARD_CUT));
        }
        self.set(CARD, fits);
        only_known(&around.state, self.object, &mut self.values);
        Ok(())
    }

    /// The values of a new record.
    fn new_values(&self, around: &Around<'_>) -> Map<String, Value> {
        let mut values = self.values.clone();
        if let Some(record_type) = around.state.record_types.get(self.object) {
            values.insert("RecordTypeId".to_owned(), json!(record_type));
        }
        let head = &self.item.entry().head;
        let author = head.created_by.as_ref().and_then(map::own_target);
        let author = author.filter(|id| map::object_of_id(id) == Some("User"));
        audit(
            around.cx,
            &around.state,
            self.object,
            head,
            author,
            &mut values,
        );
        values
    }
}

/// A place, where states and countries are free text (Salesforce facts §9.1).
fn place(draft: &mut Draft<'_>, around: &Around<'_>, prefix: &str, place: &Location) -> bool {
    if around.state.address_codes {
        return false;
    }
    let parts = [
        ("Street", Some(place.lines.join("\n")), 255),
        ("City", place.city.clone(), 40),
        ("State", place.region.clone(), 80),
        ("PostalCode", place.postal_code.clone(), 20),
        ("Country", place.country.clone(), 80),
    ];
    let parts = parts.map(|(name, text, chars)| (name, text.unwrap_or_default(), chars));
    let fits = |(_, text, chars): &(&str, String, usize)| text.chars().count() <= *chars;
    let any = parts.iter().any(|(_, text, _)| !text.trim().is_empty());
    if !any || !parts.iter().all(fits) {
        return false;
    }
    for (name, text, _) in parts {
        if !text.trim().is_empty() {
            draft.set(&format!("{prefix}{name}"), text);
        }
    }
    // What a place has beside its parts.
    place.label.is_none()
        && place.name.is_none()
        && place.latitude.is_none()
        && place.longitude.is_none()
}

// ---- companies

/// Maps a company.
///
/// # Errors
/// As rendering a card.
pub fn account<'a>(
    around: &Around<'_>,
    item: &'a Item,
    company: &Company,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut draft = Draft {
        item,
        object: "Account",
        values: Map::new(),
        losses: Vec::new(),
        card: Facts::new(around.config.words(around.cx.time_zone())),
    };
    card::head(head, &mut draft.card);
    let name = match company.name.trim() {
        "" => format!("Company {}", head.id),
        name => name.to_owned(),
    };
    draft.fit("Name", "company.name", &name, 255);
    draft.card.add("domains", company.domains.join(", "));
    let mut web = company
        .addresses
        .iter()
        .filter(|address| address.channel == AddressChannel::Url)
        .map(|address| address.value.clone())
        .chain(company.domains.iter().cloned());
    if let Some(site) = web.find(|site| site.chars().count() <= 255) {
        draft.set("Website", site);
    }
    if !company.domains.is_empty() {
        draft.note(
            "company.domains",
            "the first as the web site, all on the source card",
        );
    }
    let mut phone = None;
    for address in &company.addresses {
        let is_phone = address.channel == AddressChannel::Phone;
        if is_phone && phone.is_none() && address.value.chars().count() <= 40 {
            phone = Some(address.value.clone());
            continue;
        }
        draft.card.add("address", labelled(address));
        draft.note("company.addresses", ON_CARD);
    }
    if let Some(phone) = phone {
        draft.set("Phone", phone);
    }
    let first = company.locations.first();
    let fits = first.is_some_and(|first| place(&mut draft, around, "Billing", first));
    for place in company.locations.iter().skip(usize::from(fits)) {
        card::location(place, &mut draft.card);
    }
    if let Some(parent) = &company.parent {
        match map::own_target(parent) {
            Some(id) => draft.set("ParentId", id),
            None => {
                draft.card.reference("parent", Some(parent));
                draft.note(
                    "company.parent",
                    "not here, or not here yet: on the source card",
                );
            }
        }
    }
    // A whole number of up to eight digits.
    match company.employee_count {
        Some(count) if count <= 99_999_999 => draft.set("NumberOfEmployees", count),
        count => draft.card.count("employees", count),
    }
    draft.card.text("language", company.language.as_deref());
    draft.card.text("avatar", company.avatar_url.as_deref());
    draft.tags(&company.tags);
    draft.finish(around)?;
    Ok(draft)
}

/// Companies.
///
/// # Errors
/// What ends the unit.
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let around = Around::of(cx, "Account", items).await?;
    let mut drafts = Vec::with_capacity(items.len());
    for (item, company) in each::<Company>(cx, items) {
        drafts.push(account(&around, item, company)?);
    }
    // A parent that is not here yet is linked by nobody: parents of one batch are on the card. Rows are sorted by parent, so that
    // one lock is met by one request (Salesforce facts §15).
    drafts.sort_by_cached_key(|draft| text(&draft.values, "ParentId").to_owned());
    write(&around, drafts).await
}

// ---- customers

/// Maps a customer, to a contact or a lead as the settings say.
///
/// # Errors
/// As rendering a card.
pub fn person<'a>(
    around: &Around<'_>,
    item: &'a Item,
    customer: &Customer,
) -> Result<Draft<'a>, Error> {
    let entry = item.entry();
    let lead = around.config.is_lead(customer);
    let mut draft = Draft {
        item,
        object: if lead { "Lead" } else { "Contact" },
        values: Map::new(),
        losses: Vec::new(),
        card: Facts::new(around.config.words(around.cx.time_zone())),
    };
    let (first, last) = map::names(entry, customer);
    let whole = [first.as_deref(), Some(last.as_str())];
    let whole: Vec<&str> = whole.into_iter().flatten().collect();
    card::customer(&entry.head, &whole.join(" "), customer, &mut draft.card);
    if let Some(name) = customer
        .name
        .as_deref()
        .filter(|name| name.trim() != whole.join(" "))
    {
        draft.card.add("name", name);
        draft.note(
            "customer.name",
            "composed of first and last name: as it was on the source card",
        );
    }
    draft.fit(
        "FirstName",
        "customer.first-name",
        &first.unwrap_or_default(),
        40,
    );
    draft.fit("LastName", "customer.last-name", &last, 80);
    addresses(customer, &mut draft);
    if let Some(first) = customer.locations.first() {
        // The card has all of them already.
        place(&mut draft, around, if lead { "" } else { "Mailing" }, first);
    }
    if lead {
        // A lead must have a company; it is no record of its own.
        let named = customer
            .company
            .as_ref()
            .and_then(|company| company.name.clone());
        let name = customer.company_name.clone().or(named);
        let name = name.filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| "[not provided]".to_owned());
        draft.fit("Company", "customer.company-name", &name, 255);
        if let Some(company) = &customer.company {
            draft.card.reference("company", Some(company));
            draft.note(
                "customer.company",
                "leads have the name of a company only: on the source card",
            );
        }
    } else {
        if let Some(company) = &customer.company {
            match map::own_target(company) {
                Some(id) => draft.set("AccountId", id),
                None => {
                    draft.card.reference("company", Some(company));
                    draft.note("customer.company", "not migrated: on the source card");
                }
            }
        }
        let birthday = customer.birthday.as_deref();
        if let Some(day) = birthday.filter(|day| map::is_day(day)) {
            draft.set("Birthdate", day);
        }
    }
    if !customer.merged_from.is_empty() {
        let ids = customer.merged_from.join("\n");
        if ids.chars().count() <= LIST_CHARS {
            draft.set(MERGED_IDS, ids);
        } else {
            draft.card.add("merged from", ids);
        }
    }
    draft.tags(&customer.tags);
    draft.finish(around)?;
    Ok(draft)
}

/// The first e-mail address and two numbers have fields; all others stand in one field of ours, a line each.
fn addresses(customer: &Customer, draft: &mut Draft<'_>) {
    let mut ordered: Vec<&Address> = customer.addresses.iter().collect();
    ordered.sort_by_key(|address| (address.shared, !address.primary));
    let mut others = Vec::new();
    for address in ordered {
        let is_free = |draft: &Draft<'_>, name: &str| !draft.values.contains_key(name);
        let short = address.value.chars().count() <= 40;
        match &address.channel {
            AddressChannel::Email if !address.shared && is_free(draft, "Email") => {
                match map::email(&address.value).filter(|email| email.len() <= 80) {
                    Some(email) => {
                        draft.set("Email", email);
                        continue;
                    }
                    None => draft.note(
                        "customer.addresses.email",
                        "malformed or longer than 80 characters: in the field of other addresses",
                    ),
                }
            }
            AddressChannel::Phone if short && !address.shared => {
                let preferred = match is_mobile(address) {
                    true => ["MobilePhone", "Phone"],
                    false => ["Phone", "MobilePhone"],
                };
                let free = preferred.into_iter().find(|name| is_free(draft, name));
                if let Some(name) = free {
                    draft.set(name, address.value.clone());
                    continue;
                }
            }
            _ => {}
        }
        others.push(address_line(address));
    }
    if others.is_empty() {
        return;
    }
    draft.note(
        "customer.addresses",
        "beyond one e-mail address and two numbers: in the field of other addresses",
    );
    let list = others.join("\n");
    if list.chars().count() <= LIST_CHARS {
        draft.set(ADDRESSES, list);
    } else {
        draft.card.add("other addresses", list);
    }
}

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let around = Around::of(cx, "Contact", items).await?;
    let mut drafts = Vec::with_capacity(items.len());
    for (item, customer) in each::<Customer>(cx, items) {
        drafts.push(person(&around, item, customer)?);
    }
    // One account's people in one request, for its lock (Salesforce facts §15).
    drafts.sort_by_cached_key(|draft| text(&draft.values, "AccountId").to_owned());
    write(&around, drafts).await
}

// ---- writing

/// Changes those that are there, inserts the others.
async fn write(around: &Around<'_>, drafts: Vec<Draft<'_>>) -> Result<(), Error> {
    let cx = around.cx;
    let mut pending = Vec::new();
    let mut fresh = Vec::new();
    for draft in drafts {
        match draft.item.certain() {
            Some(found) => pending.push(matched(draft, found.target_id.clone())),
            None => fresh.push(draft),
        }
    }
    if !fresh.is_empty() {
        pending.extend(insert(around, fresh).await?);
    }
    update(cx, pending).await
}

fn matched(draft: Draft<'_>, id: String) -> Pending<'_> {
    Pending {
        policy: draft.item.policy,
        item: draft.item,
        // A customer that was found as the other of the two keeps what it is.
        object: map::object_of_id(&id).unwrap_or(draft.object),
        wanted: match map::object_of_id(&id) {
            Some(other) if other != draft.object => common(draft.values),
            _ => draft.values,
        },
        id,
        losses: draft.losses,
        effects: Vec::new(),
    }
}

/// What contacts and leads both have.
fn common(values: Map<String, Value>) -> Map<String, Value> {
    let both = |name: &str| {
        name.starts_with("Transload_")
            || matches!(
                name,
                "FirstName" | "LastName" | "Email" | "Phone" | "MobilePhone"
            )
    };
    values.into_iter().filter(|(name, _)| both(name)).collect()
}

/// Inserts, and gives those that turned out to be there.
async fn insert<'a>(
    around: &Around<'_>,
    drafts: Vec<Draft<'a>>,
) -> Result<Vec<Pending<'a>>, Error> {
    let cx = around.cx;
    let rows: Vec<Row> = drafts
        .iter()
        .map(|draft| Row {
            item: draft.item.key.clone(),
            part: "main".to_owned(),
            object: draft.object.to_owned(),
            values: draft.new_values(around),
        })
        .collect();
    let kind = drafts.first().map(|d| d.item.entry().head.kind.word());
    let first = rows.first().map(|row| row.item.as_str());
    let batch = format!("{}:{}", kind.unwrap_or_default(), first.unwrap_or_default());
    let saved = client::insert(cx, &batch, &rows).await?;
    let mut there = Vec::new();
    for ((draft, row), saved) in drafts.into_iter().zip(&rows).zip(saved) {
        if let Saved::Refused(fault) = &saved
            && fault.is("DUPLICATES_DETECTED")
        {
            match same_person(cx, &draft, fault).await? {
                Some(id) => there.push(matched(draft, id)),
                None => report(
                    cx,
                    draft.item,
                    Status::Rejected(blocked(fault)),
                    Vec::new(),
                    draft.losses,
                ),
            }
            continue;
        }
        match inserted(draft.object, str::to_owned, &row.values, saved) {
            Ok(Ok(main)) => {
                let status = status_of(main.action);
                report(cx, draft.item, status, vec![main], draft.losses);
            }
            // An earlier run made it.
            Ok(Err((id, _))) => there.push(matched(draft, id)),
            Err(status) => report(cx, draft.item, status, Vec::new(), draft.losses),
        }
    }
    Ok(there)
}

fn blocked(fault: &Fault) -> Error {
    let ids = fault.duplicates.join(", ");
    Error::Conflict(format!(
        "a duplicate rule of the org blocks it ({ids}): {}",
        fault.said()
    ))
}

/// The record that a blocking duplicate rule found, when it is the same person for sure: one record, of the same address, that
/// is no other record of the source and was not doubted before.
async fn same_person(
    cx: &Context,
    draft: &Draft<'_>,
    fault: &Fault,
) -> Result<Option<String>, Error> {
    let distinct: BTreeSet<String> = fault.duplicates.iter().cloned().collect();
    let [id] = fault.duplicates.as_slice() else {
        return Ok(None);
    };
    let Some(object) = map::object_of_id(id).filter(|o| matches!(*o, "Contact" | "Lead")) else {
        return Ok(None);
    };
    let email = text(&draft.values, "Email");
    let found =
        client::retrieve(cx, object, &distinct, &["Id", "Email", fields::SOURCE_ID]).await?;
    let is_same = |record: &Record| {
        let doubted = draft
            .item
            .existing
            .as_ref()
            .is_some_and(|c| c.target_id == *id);
        let other = text(record, fields::SOURCE_ID).starts_with(&cx.marker_prefix());
        !email.is_empty() && text(record, "Email").eq_ignore_ascii_case(email) && !other && !doubted
    };
    Ok(found
        .get(id)
        .filter(|record| is_same(record))
        .map(|_| id.clone()))
}
