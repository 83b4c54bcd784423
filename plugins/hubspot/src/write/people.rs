//! Companies and customers as companies and contacts.
//!
//! People are matched before they are made (see [`super::matching`]), and two people of the source never become one in silence
//! (rule M-7). HubSpot lets no two contacts have one e-mail address, not even an additional one (HubSpot facts §7): who is made
//! beside the holder of his address is made without it, and it stands in a property of ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, fitted};
use transload_sdk::destination::{Item, MatchPolicy};
use transload_sdk::effects::updated;
use transload_sdk::http::Refusal as _;
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::people::{address_line, is_mobile, labelled};
use transload_sdk::policy::{self, Change, changes, leave_theirs};
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, Entity, Error, Fidelity, Location, Loss, Reference,
};

use super::{choices, custom_fields, effect, made, reject, report, sent_print, status_of, tags};
use crate::api::Record;
use crate::client::{self, ChangeRow, Changed, LinkTo, Row, Saved};
use crate::map::{self, Choices, loss};
use crate::own::{self, TEXT_CHARS};
use crate::state::{Config, State};
use crate::undo::facets_now;

/// What happened to a card that is longer than its property.
pub const CARD_CUT: &str = "the source card is cut: its property holds 65,536 characters";
const ON_CARD: &str = "on the source card";
/// Links of a contact to its primary company, of a company to its parent (HubSpot facts §9).
const PRIMARY: u32 = 1;
const TO_PARENT: u32 = 14;
/// E-mail addresses of a contact (HubSpot facts §2: 250 identities).
const EMAILS: usize = 200;
/// Times that a contact is made with fewer addresses.
const FEWER: u32 = 4;
const TAKEN: &str =
    "another contact has this address, and no two can: in the property of other addresses";

/// A record of the source as one of HubSpot.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    /// The item.
    pub item: &'a Item,
    /// Its object type.
    pub object: String,
    /// All properties, as texts.
    pub values: Map<String, Value>,
    /// What it is linked to from the start.
    pub links: Vec<LinkTo>,
    /// What becomes of the rest.
    pub losses: Vec<Loss>,
    /// What its card says.
    pub card: Facts,
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
    /// Options of properties that take no others.
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

impl<'a> Draft<'a> {
    /// An empty one.
    pub fn new(around: &Around<'_>, item: &'a Item, object: &str) -> Self {
        Self {
            item,
            object: object.to_owned(),
            values: Map::new(),
            links: Vec::new(),
            losses: Vec::new(),
            card: Facts::new(around.state.words(around.cx.time_zone())),
        }
    }

    /// A property; nothing for an empty text, which would clear it (HubSpot facts §0.9).
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.trim().is_empty() {
            self.values.insert(name.to_owned(), json!(value));
        }
    }

    /// A text; what is longer than a property holds is cut there and whole on the card.
    pub fn fit(&mut self, name: &str, field: &str, text: &str) {
        if text.chars().count() <= TEXT_CHARS {
            self.set(name, text);
            return;
        }
        let cut: String = text.chars().take(TEXT_CHARS).collect();
        self.set(name, cut);
        self.card.add(field, text);
        self.note(field, "cut in its property: whole on the source card");
    }

    /// An own property; false where it is not there, or cannot hold the text.
    pub fn set_own(&mut self, state: &State, key: &'static str, text: &str) -> bool {
        let fits = text.chars().count() <= TEXT_CHARS;
        let name = state
            .name(&self.object, key)
            .filter(|_| fits)
            .map(str::to_owned);
        if let Some(name) = &name {
            self.set(name, text);
        }
        name.is_some()
    }

    /// A loss that is none of facts.
    pub fn note(&mut self, field: &str, note: &'static str) {
        self.losses.push(loss(field, Fidelity::Converted, note));
    }

    /// Tags, as far as they have options; the others are named on the card.
    pub fn tags(&mut self, around: &Around<'_>, list: &[Reference]) {
        let (value, left) = tags::values(&around.config, list);
        let has = value.is_none_or(|value| self.set_own(&around.state, own::TAGS, &value));
        if !has || !left.is_empty() {
            let names = if has {
                left.join(", ")
            } else {
                around_names(list)
            };
            self.card.add("tags", names);
            self.note("tags", "tags without an option: on the source card");
        }
    }

    /// Custom fields and what every record says of its origin; then the card, which is last since it says what was lost.
    ///
    /// # Errors
    /// As rendering a card.
    pub fn finish(&mut self, around: &Around<'_>) -> Result<(), Error> {
        let entry = self.item.entry();
        let head = &entry.head;
        let mut values = Map::new();
        custom_fields(
            &self.object,
            &head.fields,
            &around.choices,
            &mut values,
            &mut self.card,
            &mut self.losses,
        );
        values.retain(|_, value| !policy::is_empty(value));
        let run = around.cx.run();
        own::values(
            &around.state,
            &self.object,
            run,
            &self.item.marker,
            head,
            &mut values,
        );
        self.values.extend(values);
        let platform = around.cx.platform();
        let card = self.card.render(platform, self.item, entry, &self.losses)?;
        // Characters are at most bytes.
        let (fits, cut) = fitted(&card, TEXT_CHARS);
        let fits = fits.to_owned();
        if !self.set_own(&around.state, own::CARD, &fits) || cut {
            let kind = head.kind.word().to_owned();
            self.losses.push(loss(kind, Fidelity::Lost, CARD_CUT));
        }
        Ok(())
    }

    fn row(&self) -> Row {
        Row {
            item: self.item.key.clone(),
            part: "main".to_owned(),
            properties: self.values.clone(),
            links: self.links.clone(),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.values
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

fn around_names(list: &[Reference]) -> String {
    let name = |tag: &Reference| {
        transload_sdk::words::called(tag)
            .unwrap_or(&tag.id)
            .to_owned()
    };
    list.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The first place of a record; whether all of it has a property.
fn place(draft: &mut Draft<'_>, place: &Location) -> bool {
    let parts = [
        ("address", Some(place.lines.join(", "))),
        ("city", place.city.clone()),
        ("state", place.region.clone()),
        ("zip", place.postal_code.clone()),
        ("country", place.country.clone()),
    ];
    for (name, text) in parts {
        draft.set(name, text.unwrap_or_default());
    }
    place.lines.len() <= 1
        && place.label.is_none()
        && place.name.is_none()
        && place.latitude.is_none()
        && place.longitude.is_none()
}

// ---- companies

/// Maps a company.
///
/// # Errors
/// As rendering a card.
pub fn company<'a>(
    around: &Around<'_>,
    item: &'a Item,
    company: &Company,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut draft = Draft::new(around, item, "companies");
    card::head(head, &mut draft.card);
    let name = match company.name.trim() {
        "" => format!("Company {}", head.id),
        _ => company.name.clone(),
    };
    draft.fit("name", "company.name", &name);
    let mut domains = company
        .domains
        .iter()
        .map(|domain| domain.trim().to_lowercase());
    if let Some(first) = domains.next() {
        draft.set("domain", first);
    }
    draft.set(
        "hs_additional_domains",
        domains.collect::<Vec<_>>().join(";"),
    );
    let mut phone = None;
    let mut web = None;
    for address in &company.addresses {
        match address.channel {
            AddressChannel::Phone if phone.is_none() => phone = Some(address.value.clone()),
            AddressChannel::Url if web.is_none() => web = Some(address.value.clone()),
            _ => {
                draft.card.add("address", labelled(address));
                draft.note("company.addresses", ON_CARD);
            }
        }
    }
    draft.set("phone", phone.unwrap_or_default());
    draft.set("website", web.unwrap_or_default());
    let first = company.locations.first();
    let fits = first.is_some_and(|first| place(&mut draft, first));
    for place in company.locations.iter().skip(usize::from(fits)) {
        card::location(place, &mut draft.card);
    }
    if let Some(parent) = &company.parent {
        match map::own_target(parent) {
            Some(id) => draft.links.push(LinkTo::hubspot(id, TO_PARENT)),
            None => {
                draft.card.reference("parent", Some(parent));
                draft.note(
                    "company.parent",
                    "not here, or not here yet: on the source card",
                );
            }
        }
    }
    if let Some(count) = company.employee_count {
        draft.set("numberofemployees", count.to_string());
    }
    draft.card.text("language", company.language.as_deref());
    draft.card.text("avatar", company.avatar_url.as_deref());
    draft.tags(around, &company.tags);
    draft.finish(around)?;
    Ok(draft)
}

/// Companies.
///
/// # Errors
/// What ends the unit.
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let around = Around::of(cx, "companies", items).await?;
    let mut drafts = Vec::with_capacity(items.len());
    for (item, data) in each::<Company>(cx, items) {
        drafts.push(company(&around, item, data)?);
    }
    write(&around, "companies", drafts).await
}

// ---- customers

/// Maps a customer.
///
/// # Errors
/// As rendering a card.
pub fn contact<'a>(
    around: &Around<'_>,
    item: &'a Item,
    customer: &Customer,
) -> Result<Draft<'a>, Error> {
    let entry = item.entry();
    let mut draft = Draft::new(around, item, "contacts");
    let (first, last) = map::names(entry, customer);
    let whole = [first.as_deref(), last.as_deref()];
    let whole: Vec<&str> = whole.into_iter().flatten().collect();
    let whole = whole.join(" ");
    card::customer(&entry.head, &whole, customer, &mut draft.card);
    if let Some(name) = customer
        .name
        .as_deref()
        .filter(|name| !name.trim().is_empty() && name.trim() != whole)
    {
        draft.card.add("name", name);
        draft.note(
            "customer.name",
            "composed of first and last name: as it was on the source card",
        );
    }
    draft.fit(
        "firstname",
        "customer.first-name",
        &first.unwrap_or_default(),
    );
    draft.fit("lastname", "customer.last-name", &last.unwrap_or_default());
    addresses(around, customer, &mut draft);
    if let Some(first) = customer.locations.first() {
        // The card has all of them already.
        place(&mut draft, first);
    }
    match &customer.company {
        Some(company) => match map::own_target(company) {
            Some(id) => draft.links.push(LinkTo::hubspot(id, PRIMARY)),
            None => {
                draft.card.reference("company", Some(company));
                draft.note("customer.company", "not migrated: on the source card");
            }
        },
        None => draft.set("company", customer.company_name.clone().unwrap_or_default()),
    }
    if !customer.merged_from.is_empty() {
        let ids = customer.merged_from.join("\n");
        if !draft.set_own(&around.state, own::MERGED_IDS, &ids) {
            draft.card.add("merged from", ids);
        }
    }
    draft.tags(around, &customer.tags);
    // A contact must have a name or an address (HubSpot facts §7).
    if !["email", "firstname", "lastname"]
        .iter()
        .any(|name| draft.values.contains_key(*name))
    {
        draft.set("firstname", map::customer_name(entry, customer));
    }
    draft.finish(around)?;
    Ok(draft)
}

/// The first e-mail address is the contact's, all others are additional ones; two numbers have properties; the rest stands in one
/// property of ours, a line each. Shared addresses are nobody's.
fn addresses(around: &Around<'_>, customer: &Customer, draft: &mut Draft<'_>) {
    let doubted = draft
        .item
        .existing
        .as_ref()
        .filter(|one| one.doubtful.is_some());
    let theirs: BTreeSet<String> = doubted
        .map(|one| addresses_of(&one.before))
        .unwrap_or_default();
    let mut ordered: Vec<&Address> = customer.addresses.iter().collect();
    ordered.sort_by_key(|address| (address.shared, !address.primary));
    let (mut emails, mut others): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for address in ordered {
        match &address.channel {
            AddressChannel::Email if !address.shared => match map::email(&address.value) {
                Some(email) if emails.contains(&email) => continue,
                // Who may be somebody else has it.
                Some(email) if theirs.contains(&email) => {
                    draft.note("customer.addresses.email", TAKEN);
                }
                Some(email) if email.contains(';') || emails.len() >= EMAILS => draft.note(
                    "customer.addresses.email",
                    "more than a contact has: in the property of other addresses",
                ),
                Some(email) => {
                    emails.push(email);
                    continue;
                }
                None => draft.note(
                    "customer.addresses.email",
                    "malformed: in the property of other addresses",
                ),
            },
            AddressChannel::Phone if !address.shared => {
                let preferred = match is_mobile(address) {
                    true => ["mobilephone", "phone"],
                    false => ["phone", "mobilephone"],
                };
                let free = |name: &&str| !draft.values.contains_key(*name);
                if let Some(name) = preferred.iter().find(|name| free(name)) {
                    draft.set(name, address.value.clone());
                    continue;
                }
            }
            _ => {}
        }
        others.push(address_line(address));
    }
    set_emails(draft, &emails);
    if others.is_empty() {
        return;
    }
    draft.note(
        "customer.addresses",
        "has no property of its own: in the property of other addresses",
    );
    let list = others.join("\n");
    if !draft.set_own(&around.state, own::ADDRESSES, &list) {
        draft.card.add("other addresses", list);
    }
}

fn set_emails(draft: &mut Draft<'_>, emails: &[String]) {
    draft.values.remove("email");
    draft.values.remove("hs_additional_emails");
    let mut emails = emails.iter();
    if let Some(first) = emails.next() {
        draft.set("email", first.clone());
    }
    let rest: Vec<&str> = emails.map(String::as_str).collect();
    draft.set("hs_additional_emails", rest.join(";"));
}

/// The addresses of a draft.
fn emails_of(draft: &Draft<'_>) -> Vec<String> {
    let more = draft.text("hs_additional_emails").split(';');
    let all = std::iter::once(draft.text("email")).chain(more);
    all.filter(|email| !email.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The addresses that a record's properties have, as JSON.
fn addresses_of(before: &str) -> BTreeSet<String> {
    let properties: Map<String, Value> = serde_json::from_str(before).unwrap_or_default();
    let text = |name: &str| {
        properties
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let all = format!("{};{}", text("email"), text("hs_additional_emails"));
    all.split(';')
        .map(|address| address.trim().to_lowercase())
        .filter(|address| !address.is_empty())
        .collect()
}

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let around = Around::of(cx, "contacts", items).await?;
    let mut drafts = Vec::with_capacity(items.len());
    for (item, customer) in each::<Customer>(cx, items) {
        drafts.push(contact(&around, item, customer)?);
    }
    write(&around, "contacts", drafts).await
}

// ---- writing

/// Changes those that are there, creates the others.
///
/// # Errors
/// What ends the unit.
pub async fn write(around: &Around<'_>, object: &str, drafts: Vec<Draft<'_>>) -> Result<(), Error> {
    let mut pending = Vec::new();
    let mut fresh = Vec::new();
    for draft in drafts {
        match draft.item.known() {
            Some(id) => pending.push((map::record_id(id).to_owned(), draft)),
            None => fresh.push(draft),
        }
    }
    let mut batch = match fresh.first() {
        Some(first) => format!("{object}:{}", first.item.key),
        None => String::new(),
    };
    for _ in 0..FEWER {
        if fresh.is_empty() {
            break;
        }
        fresh = create(around, object, &batch, fresh, &mut pending).await?;
        batch.push_str(":again");
    }
    for draft in fresh {
        let text = "its addresses belong to several other contacts".to_owned();
        reject(around.cx, draft.item, Error::Conflict(text));
    }
    update(around, object, pending).await
}

/// How a record is named as a target.
fn target(object: &str, id: &str) -> String {
    match own::is_custom(object) {
        true => map::record_target(object, id),
        false => id.to_owned(),
    }
}

/// Creates. Those that turn out to be there join `pending`; those that must be made otherwise come back.
async fn create<'a>(
    around: &Around<'_>,
    object: &str,
    batch: &str,
    drafts: Vec<Draft<'a>>,
    pending: &mut Vec<(String, Draft<'a>)>,
) -> Result<Vec<Draft<'a>>, Error> {
    let cx = around.cx;
    let marks = around.state.marks(object).ok_or_else(|| {
        Error::Unsupported(format!("{object} has no unique property for the source id"))
    })?;
    let rows: Vec<Row> = drafts.iter().map(Draft::row).collect();
    let saved = client::create(cx, object, batch, marks, &rows).await?;
    let taken: BTreeSet<String> = saved
        .iter()
        .filter_map(|saved| match saved {
            Saved::Taken { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let columns = ["email", "hs_additional_emails", marks.marker];
    let holders = client::read(cx, object, &taken, &columns).await?;
    let mut again = Vec::new();
    for (mut draft, saved) in drafts.into_iter().zip(saved) {
        match saved {
            Saved::Made { id, proof, key } => {
                let mut main = made("main", object, target(object, &id), Some(proof), key);
                main.fingerprint = Some(sent_print(&draft.values));
                report(
                    cx,
                    draft.item,
                    status_of(main.action),
                    vec![main],
                    draft.losses,
                );
            }
            // An earlier run made it.
            Saved::There { id, .. } => pending.push((id, draft)),
            Saved::Taken { id, fault } => {
                let doubted = draft
                    .item
                    .existing
                    .as_ref()
                    .is_some_and(|c| c.target_id == id);
                let ours = cx.marker_prefix();
                match holders.get(&id) {
                    Some(holder)
                        if object == "contacts"
                            && (doubted || holder.text(marks.marker).starts_with(&ours)) =>
                    {
                        if without(around, &mut draft, holder)? {
                            again.push(draft);
                        } else {
                            reject(cx, draft.item, fault.rejection());
                        }
                    }
                    // Nobody else of the source: it is him, who came since he was looked for.
                    Some(holder) if object == "contacts" && shares(&draft, holder) => {
                        pending.push((id, draft));
                    }
                    _ => reject(cx, draft.item, fault.rejection()),
                }
            }
            Saved::Refused(fault) => {
                report(
                    cx,
                    draft.item,
                    Status::Rejected(fault.rejection()),
                    Vec::new(),
                    draft.losses,
                );
            }
            Saved::Unsettled => {
                let why = "the answer to its creation was not seen".to_owned();
                report(
                    cx,
                    draft.item,
                    Status::Unsettled(why),
                    Vec::new(),
                    draft.losses,
                );
            }
        }
    }
    Ok(again)
}

fn all_of(record: &Record) -> BTreeSet<String> {
    addresses_of(&Value::Object(record.properties.clone()).to_string())
}

fn shares(draft: &Draft<'_>, holder: &Record) -> bool {
    let theirs = all_of(holder);
    emails_of(draft).iter().any(|email| theirs.contains(email))
}

/// Takes the addresses that another contact has out of a draft; false where it has none of them.
fn without(around: &Around<'_>, draft: &mut Draft<'_>, holder: &Record) -> Result<bool, Error> {
    let theirs = all_of(holder);
    let (lost, kept): (Vec<String>, Vec<String>) = emails_of(draft)
        .into_iter()
        .partition(|email| theirs.contains(email));
    if lost.is_empty() {
        return Ok(false);
    }
    set_emails(draft, &kept);
    let name = around
        .state
        .name("contacts", own::ADDRESSES)
        .map(str::to_owned);
    let mut list = name
        .as_deref()
        .map(|name| draft.text(name).to_owned())
        .unwrap_or_default();
    for email in lost {
        if !list.is_empty() {
            list.push('\n');
        }
        list.push_str(&format!("e-mail: {email}"));
    }
    if !draft.set_own(&around.state, own::ADDRESSES, &list) {
        draft.card.add("other addresses", list);
    }
    draft.note("customer.addresses.email", TAKEN);
    if !["email", "firstname", "lastname"]
        .iter()
        .any(|name| draft.values.contains_key(*name))
        && let Entity::Customer(customer) = &draft.item.entry().data
    {
        draft.set(
            "firstname",
            map::customer_name(draft.item.entry(), customer),
        );
    }
    draft.finish(around)?;
    Ok(true)
}

// ---- changing what was there

/// Reads all of them, changes what their policies allow, and reports each.
async fn update(
    around: &Around<'_>,
    object: &str,
    pending: Vec<(String, Draft<'_>)>,
) -> Result<(), Error> {
    if pending.is_empty() {
        return Ok(());
    }
    let cx = around.cx;
    let ids: BTreeSet<String> = pending.iter().map(|(id, _)| id.clone()).collect();
    let mut names: BTreeSet<&str> = pending
        .iter()
        .flat_map(|(_, draft)| draft.values.keys())
        .map(String::as_str)
        .collect();
    let marks = around.state.marks(object);
    names.extend(marks.iter().flat_map(|marks| [marks.marker, marks.run]));
    let names: Vec<&str> = names.into_iter().collect();
    let there = client::read(cx, object, &ids, &names).await?;
    let mut rows = Vec::new();
    let mut waiting = Vec::new();
    // One record is changed once a request: a second item of it waits for nothing and changes nothing.
    let mut met: BTreeMap<String, ()> = BTreeMap::new();
    for (id, mut draft) in pending {
        let Some(record) = there.get(&id) else {
            let gone = "the record that it was is gone, or merged".to_owned();
            reject(cx, draft.item, Error::Conflict(gone));
            continue;
        };
        let change = match met.insert(id.clone(), ()) {
            None => change_of(&around.state, &mut draft, record),
            Some(()) => Change::default(),
        };
        if change.wanted.is_empty() {
            let main = effect("main", object, target(object, &id), Action::Matched);
            say(cx, draft, main);
            continue;
        }
        rows.push(ChangeRow {
            id: id.clone(),
            properties: change.wanted.clone(),
        });
        waiting.push((id, draft, change));
    }
    let Some((_, first, _)) = waiting.first() else {
        return Ok(());
    };
    let batch = format!("{object}:change:{}", first.item.key);
    let done = client::change(cx, object, &batch, &rows).await?;
    for ((id, draft, change), done) in waiting.into_iter().zip(done) {
        match done {
            Changed::Done(key) => {
                let main = effect("main", object, target(object, &id), Action::Matched);
                let print = sent_print(&change.wanted);
                say(cx, draft, updated(main, key, change.before, print));
            }
            Changed::Refused(fault) => reject(cx, draft.item, fault.rejection()),
            Changed::Unsettled => {
                let why = Status::Unsettled("a change whose answer was not seen".to_owned());
                report(cx, draft.item, why, Vec::new(), draft.losses);
            }
        }
    }
    Ok(())
}

fn say(cx: &Context, mut draft: Draft<'_>, main: Effect) {
    if main.action == Action::Matched && draft.item.policy == MatchPolicy::Leave {
        let kind = draft.item.entry().head.kind.word().to_owned();
        let note = "the record that is there was left as it is";
        draft.losses.push(loss(kind, Fidelity::Lost, note));
    }
    if !draft.links.is_empty() && draft.object != "tickets" {
        let note = "links of a record that was there are its own";
        draft
            .losses
            .push(loss("company", Fidelity::Converted, note));
    }
    report(
        cx,
        draft.item,
        status_of(main.action),
        vec![main],
        draft.losses,
    );
}

/// What becomes of a record that is there: which run made it is never said of one that was there, a marker of somebody else's is
/// never replaced, nor is an address taken from it: those of the source that it lacks are added. One that we made is ours to
/// change, but for what somebody changed there since we wrote it (rule D-11).
fn change_of(state: &State, draft: &mut Draft<'_>, record: &Record) -> Change {
    let mut wanted = draft.values.clone();
    let mut policy = draft.item.policy;
    if let Some(marks) = state.marks(&draft.object) {
        wanted.remove(marks.run);
        let marker = record.text(marks.marker);
        if !marker.is_empty() {
            wanted.remove(marks.marker);
        }
        let ours = marker == own::source_id(&draft.item.marker);
        if let Some(main) = draft.item.prior_main().filter(|_| ours) {
            let now = facets_now(&draft.object, record);
            if leave_theirs(&mut wanted, main.fingerprint.as_deref(), &now) {
                let kind = draft.item.entry().head.kind.word().to_owned();
                let note = "changed here since it was loaded: left as it is";
                draft.losses.push(loss(kind, Fidelity::Lost, note));
            }
            policy = MatchPolicy::SourceWins;
        }
    }
    if draft.object == "contacts" {
        let theirs = all_of(record);
        let has = !record.text("email").is_empty();
        let mut new: Vec<String> = emails_of(draft);
        new.retain(|email| !theirs.contains(email));
        wanted.remove("email");
        wanted.remove("hs_additional_emails");
        let mut new = new.into_iter();
        if !has && let Some(first) = new.next() {
            wanted.insert("email".to_owned(), json!(first));
        }
        let mut change = changes(policy, &wanted, &Value::Object(record.properties.clone()));
        let rest: Vec<String> = new.collect();
        if !rest.is_empty() && policy != MatchPolicy::Leave {
            let was = record.text("hs_additional_emails");
            let all: Vec<&str> = was
                .split(';')
                .filter(|email| !email.is_empty())
                .chain(rest.iter().map(String::as_str))
                .collect();
            let name = "hs_additional_emails".to_owned();
            change.before.insert(name.clone(), json!(was));
            change.wanted.insert(name, json!(all.join(";")));
        }
        return change;
    }
    changes(policy, &wanted, &Value::Object(record.properties.clone()))
}
