//! Companies and customers as companies and contacts.
//!
//! People are matched before they are made, and two people of the source never become one contact in silence (rule M-7): a later
//! one whose address is taken keeps a contact of its own, and the address goes onto the source card. An address is unique among
//! contacts and agents together (Freshdesk facts §6). A ticket never makes a contact, since it always names its requester.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, fitted};
use transload_sdk::destination::{Candidate, Item, MatchKey, MatchPolicy};
use transload_sdk::effects::unsettled;
use transload_sdk::http::{OperationKey, Refusal as _, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{main_first, without_each_other};
use transload_sdk::policy::{self, canonical, is_empty};
use transload_sdk::types::{self, AddressChannel, Customer, Error, Fidelity, Head, Kind, Loss};
use transload_sdk::words::Words;

use super::matching::{company_by_name, marker_of};
use super::schema::{self, values};
use super::{Changed, Creation, WRITES, effect, holds, made, reject, report, status_of};
use crate::api::{Company, Contact, Refusal};
use crate::client;
use crate::map::{self, Owner, PARAGRAPH_BYTES, loss};
use crate::state::{Config, State, own_field};

const CARD_CUT: &str = "the source card is cut: a description holds 60,000 bytes";
const TAKEN: &str = "another person has this address; it stands on the source card";
/// Further addresses of a contact (Freshdesk facts §5 [MEM]).
const FURTHER: usize = 10;
/// Names of companies tried before one is refused.
const NAMES: usize = 3;
/// Requests for one contact, each without what the one before was refused for.
const TRIES: usize = 6;

// ---- what both share

/// What of a contact or company is compared before an undo: every attribute, every field by its name.
pub fn facets(now: &impl Serialize) -> Vec<(String, String)> {
    let now = serde_json::to_value(now).unwrap_or_default();
    let mut facets = Vec::new();
    for (name, value) in now.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("custom_fields", Value::Object(fields)) => {
                let field =
                    |(name, value): (&String, &Value)| (format!("field {name}"), canonical(value));
                facets.extend(fields.iter().map(field));
            }
            ("email" | "domains" | "other_emails", value) => {
                facets.push((name.clone(), canonical(value).to_lowercase()));
            }
            ("id" | "updated_at" | "deleted", _) => {}
            (_, value) => facets.push((name.clone(), canonical(value))),
        }
    }
    facets
}

/// Only what the request said: Freshdesk adds companies and fields by itself.
fn print_of(now: &impl Serialize, sent: &Map<String, Value>) -> String {
    let fields = sent.get("custom_fields");
    let said = |name: &str| match name.strip_prefix("field ") {
        Some(name) => fields.is_some_and(|fields| fields.get(name).is_some()),
        None => sent.contains_key(name),
    };
    let facets: Vec<_> = facets(now)
        .into_iter()
        .filter(|(name, _)| said(name))
        .collect();
    map::print(&facets)
}

/// Whether fields carry this run.
pub fn is_of_run(cx: &Context, state: &State, owner: Owner, fields: &Map<String, Value>) -> bool {
    let run = state.field(owner, own_field::RUN);
    let held = run
        .and_then(|name| fields.get(name))
        .and_then(Value::as_str);
    held == Some(cx.run())
}

/// The connector's own fields of a record, by the names that the account has for them.
struct Own<'a> {
    state: &'a State,
    owner: Owner,
    fields: Map<String, Value>,
}

impl Own<'_> {
    fn set(&mut self, field: &str, value: impl Into<Value>) {
        if let Some(name) = self.state.field(self.owner, field) {
            self.fields.insert(name.to_owned(), value.into());
        }
    }
}

/// The fields that say which run made a record, and when the source says that it was made.
fn own_fields<'a>(cx: &Context, state: &'a State, owner: Owner, item: &Item) -> Own<'a> {
    let mut own = Own {
        state,
        owner,
        fields: Map::new(),
    };
    let head: &Head = &item.entry().head;
    own.set(own_field::RUN, cx.run());
    own.set(own_field::MARKER, item.marker.as_str());
    if let Some(at) = head.created_at.and_then(transload_sdk::time::format_utc) {
        own.set(own_field::CREATED, at);
    }
    own
}

/// What is to be changed in a record that was there, and what was there, by the policy (rule M-7). A description of somebody
/// else's stays; the source card then goes into a field of ours.
fn changes(
    state: &State,
    owner: Owner,
    item: &Item,
    mut wanted: Map<String, Value>,
    before: &Value,
) -> (Map<String, Value>, Map<String, Value>) {
    let fields = |object: &Value| object.as_object().cloned().unwrap_or_default();
    let mut own = wanted
        .remove("custom_fields")
        .map(|f| fields(&f))
        .unwrap_or_default();
    // Which run made it must not be said of what we only changed.
    if let Some(run) = state.field(owner, own_field::RUN) {
        own.remove(run);
    }
    let there = |name: &str| before.get(name).cloned().unwrap_or_default();
    // An external id of somebody else's is never replaced.
    for name in ["unique_external_id", "description"] {
        if is_empty(&there(name)) {
            continue;
        }
        let Some(value) = wanted.remove(name) else {
            continue;
        };
        let card = state.field(owner, own_field::CARD);
        if let (Some(card), "description") = (card, name)
            && canonical(&value) != canonical(&there(name))
        {
            own.insert(card.to_owned(), value);
        }
    }
    let mut now = policy::changes(item.policy, &wanted, before);
    let of_fields = policy::changes(item.policy, &own, &there("custom_fields"));
    if !of_fields.wanted.is_empty() {
        let (wanted, before) = (of_fields.wanted, of_fields.before);
        now.wanted
            .insert("custom_fields".to_owned(), Value::Object(wanted));
        now.before
            .insert("custom_fields".to_owned(), Value::Object(before));
    }
    (now.wanted, now.before)
}

/// The effect of a change that was done.
fn updated(
    main: Effect,
    now: &impl Serialize,
    sent: &Map<String, Value>,
    before: Map<String, Value>,
    updated_at: Option<&str>,
    key: OperationKey,
) -> Effect {
    Effect {
        action: Action::Updated,
        key: Some(key),
        before: Some(Value::Object(before).to_string()),
        fingerprint: Some(print_of(now, sent)),
        updated_at: updated_at.and_then(map::parse_iso),
        ..main
    }
}

// ---- customers

/// Contacts with a value in an attribute that tells people apart, found as soon as they are there (Freshdesk facts §12).
///
/// # Errors
/// What ends the unit.
pub async fn contacts_by(
    cx: &Context,
    attribute: &str,
    value: &str,
) -> Result<Vec<Contact>, Error> {
    let path = format!("/api/v2/contacts?{attribute}={}", segment(value));
    Ok(client::find(cx, &path).await?.unwrap_or_default())
}

/// The contact with an external id.
///
/// # Errors
/// What ends the unit.
pub async fn by_marker(cx: &Context, marker: &str) -> Result<Option<Contact>, Error> {
    let found = contacts_by(cx, "unique_external_id", marker).await?;
    Ok(found.into_iter().find(|contact| !contact.deleted))
}

/// A customer as the request that makes the contact.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactDraft<'a> {
    item: &'a Item,
    platform: &'a str,
    /// Attributes but for the addresses and the card.
    pub attributes: Map<String, Value>,
    /// E-mail addresses; the first becomes the contact's own.
    pub emails: Vec<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// Mobile telephone.
    pub mobile: Option<String>,
    /// What becomes of the rest.
    pub losses: Vec<Loss>,
    card: Facts,
}

impl ContactDraft<'_> {
    /// The request's body.
    ///
    /// # Errors
    /// As the SDK's `render`.
    pub fn body(&self) -> Result<Map<String, Value>, Error> {
        let mut body = self.attributes.clone();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if let Some(email) = self.emails.first() {
            set("email", json!(email));
        }
        if self.emails.len() > 1 {
            let further: Vec<&String> = self.emails.iter().skip(1).collect();
            set("other_emails", json!(further));
        }
        if let Some(phone) = &self.phone {
            set("phone", json!(phone));
        }
        if let Some(mobile) = &self.mobile {
            set("mobile", json!(mobile));
        }
        let card = self.card_text()?;
        set(
            "description",
            json!(fitted(&card, PARAGRAPH_BYTES).0.trim_end()),
        );
        Ok(body)
    }

    fn card_text(&self) -> Result<String, Error> {
        let entry = self.item.entry();
        self.card
            .render(self.platform, self.item, entry, &self.losses)
    }

    /// Moves an address to the card.
    fn lay_aside(&mut self, field: &'static str, value: &str, note: &'static str) {
        let name = match field {
            "customer.addresses.email" => "e-mail",
            _ => "phone",
        };
        self.card.add(name, value);
        self.losses.push(loss(field, Fidelity::Converted, note));
    }

    fn give_up_email(&mut self, email: &str) {
        self.emails.retain(|known| known != email);
        self.lay_aside("customer.addresses.email", email, TAKEN);
    }

    /// Sorts addresses into those that are the person's own and those that only stand on the card.
    fn addresses(&mut self, customer: &Customer) {
        let mut left = Vec::new();
        for address in main_first(&customer.addresses) {
            let email = map::email(&address.value).filter(|_| !address.shared);
            let phone = map::e164(&address.value).filter(|_| !address.shared);
            let label = address.label.as_deref().unwrap_or("");
            let is_mobile = label.to_lowercase().contains("mobile");
            match (&address.channel, email, phone) {
                (AddressChannel::Email, Some(email), _) => {
                    if self.emails.contains(&email) {
                        continue;
                    }
                    if self.emails.len() <= FURTHER {
                        self.emails.push(email);
                        continue;
                    }
                    let note = "more than the addresses a contact has: on the source card";
                    self.losses
                        .push(loss("customer.addresses.email", Fidelity::Converted, note));
                }
                (AddressChannel::Phone, _, Some(phone)) => {
                    if self.phone.as_ref() == Some(&phone) || self.mobile.as_ref() == Some(&phone) {
                        continue;
                    }
                    let (one, other) = if is_mobile {
                        (&mut self.mobile, &mut self.phone)
                    } else {
                        (&mut self.phone, &mut self.mobile)
                    };
                    if let Some(place) = [one, other].into_iter().find(|place| place.is_none()) {
                        *place = Some(phone);
                        continue;
                    }
                    let note = "more than the two numbers a contact has: on the source card";
                    self.losses
                        .push(loss("customer.addresses.phone", Fidelity::Converted, note));
                }
                (AddressChannel::Email, ..) => {
                    let note = "shared or malformed: on the source card";
                    self.losses
                        .push(loss("customer.addresses.email", Fidelity::Converted, note));
                }
                (AddressChannel::Phone | AddressChannel::Whatsapp, ..) => {
                    let note = "shared, or no full number: on the source card";
                    self.losses
                        .push(loss("customer.addresses.phone", Fidelity::Converted, note));
                }
                _ => {}
            }
            left.push(address);
        }
        card::addresses(left, &mut self.card);
    }
}

/// Maps a customer. Pure.
///
/// # Errors
/// As the SDK's `render`.
pub fn draft<'a>(
    cx: &'a Context,
    state: &State,
    words: Words,
    item: &'a Item,
    customer: &Customer,
    texts: &BTreeMap<String, Vec<String>>,
) -> Result<ContactDraft<'a>, Error> {
    let head = &item.entry().head;
    let mut losses = Vec::new();
    let mut card = Facts::new(words);
    let name = map::customer_name(item.entry(), customer);
    card::customer(head, &name, customer, &mut card);

    let mut own = own_fields(cx, state, Owner::Contact, item);
    if !customer.merged_from.is_empty() {
        own.set(own_field::MERGED, customer.merged_from.join("\n"));
    }
    let mut fields = own.fields;
    let of_source = without_each_other(&Kind::Customer, &head.fields);
    values(&of_source, texts, &mut fields, &mut card, &mut losses);
    card.lists(&of_source, &mut losses);

    let mut attributes = Map::new();
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    set("name", json!(name));
    set("unique_external_id", json!(item.marker));
    if !fields.is_empty() {
        set("custom_fields", Value::Object(fields));
    }
    let tags = tags_of(&customer.tags);
    if !tags.is_empty() {
        set("tags", json!(tags));
    }
    if let Some(company) = &customer.company {
        match map::numeric_target(company) {
            Some(id) => {
                set("company_id", json!(id));
            }
            None => {
                card.reference("company", Some(company));
                let note = "not migrated: on the source card";
                losses.push(loss("customer.company", Fidelity::Converted, note));
            }
        }
    }
    if state.field(Owner::Contact, own_field::MERGED).is_none() {
        card.add("merged ids", customer.merged_from.join(", "));
    }
    let mut draft = ContactDraft {
        item,
        platform: cx.platform(),
        attributes,
        emails: Vec::new(),
        phone: None,
        mobile: None,
        losses,
        card,
    };
    draft.addresses(customer);
    if fitted(&draft.card_text()?, PARAGRAPH_BYTES).1 {
        draft
            .losses
            .push(loss("customer", Fidelity::Lost, CARD_CUT));
    }
    Ok(draft)
}

/// Tags by the words that they are here, each once; the case is not minded (Freshdesk facts §10).
pub fn tags_of(tags: &[transload_sdk::types::Reference]) -> Vec<&str> {
    let mut seen: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    for tag in tags.iter().filter_map(|tag| tag.target.as_deref()) {
        let lower = tag.to_lowercase();
        if !seen.contains(&lower) {
            seen.push(lower);
            kept.push(tag);
        }
    }
    kept
}

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let texts = schema::texts_for(cx, Owner::Contact, items).await?;
    for (item, customer) in each::<Customer>(cx, items) {
        let words = config.words(cx.time_zone());
        let draft = draft(cx, &state, words, item, customer, &texts)?;
        match item.certain() {
            Some(candidate) => {
                let id = candidate.target_id.clone();
                update_contact(cx, &state, item, &id, draft).await?;
            }
            None => one_contact(cx, &state, item, draft).await?,
        }
    }
    Ok(())
}

async fn make_contact(
    cx: &Context,
    state: &State,
    item: &str,
    step: &str,
    since: Option<i64>,
    marker: &str,
    body: &Map<String, Value>,
) -> Result<Creation<Contact>, Error> {
    let key = key(item, "main", step);
    let request = cx.http().write("POST", "/api/v2/contacts", key).json(body);
    let find = async || by_marker(cx, marker).await;
    let ours = |c: &Contact| is_of_run(cx, state, Owner::Contact, &c.custom_fields);
    WRITES.make(since, request, find, ours).await
}

fn contact_effect(
    contact: &Contact,
    proof: Option<Proof>,
    key: OperationKey,
    body: &Map<String, Value>,
) -> Effect {
    let mut main = made("main", "contact", contact.id.to_string(), proof, key);
    main.fingerprint = Some(print_of(contact, body));
    main.updated_at = contact.updated_at.as_deref().and_then(map::parse_iso);
    main
}

/// Makes a contact of the connector's own.
///
/// # Errors
/// What ends the unit, a refusal included: without it nothing can be loaded.
pub async fn own_contact(
    cx: &Context,
    state: &State,
    item: &str,
    marker: &str,
    mut body: Map<String, Value>,
) -> Result<(Contact, Effect), Error> {
    if let Some(run) = state.field(Owner::Contact, own_field::RUN) {
        body.insert("custom_fields".to_owned(), json!({run: cx.run()}));
    }
    match make_contact(cx, state, item, "create", None, marker, &body).await? {
        Creation::There(contact, proof, key) => {
            // It was looked for right before (rule D-4).
            let proof = proof.or(Some(Proof::AbsentBefore));
            let effect = contact_effect(&contact, proof, key, &body);
            Ok((contact, effect))
        }
        Creation::Refused(refusal) => Err(refusal.rejection()),
        Creation::Unsettled => Err(Error::Transient(format!("{item} could not be made yet"))),
    }
}

/// Makes one contact, giving up what others have.
async fn one_contact(
    cx: &Context,
    state: &State,
    item: &Item,
    mut draft: ContactDraft<'_>,
) -> Result<(), Error> {
    for attempt in 0..TRIES {
        let body = draft.body()?;
        let step = match attempt {
            0 => "create".to_owned(),
            n => format!("create:{n}"),
        };
        let since = item.in_doubt_since.filter(|_| attempt == 0);
        let marker = &item.marker;
        match make_contact(cx, state, &item.key, &step, since, marker, &body).await? {
            Creation::There(contact, proof, key) => {
                let main = contact_effect(&contact, proof, key, &body);
                report(cx, item, status_of(main.action), vec![main], draft.losses);
                return Ok(());
            }
            Creation::Unsettled => {
                let why = "a contact whose creation was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
            Creation::Refused(refusal) => {
                if refusal.duplicate_of("unique_external_id")
                    && let Some(contact) = by_marker(cx, marker).await?
                {
                    if is_of_run(cx, state, Owner::Contact, &contact.custom_fields) {
                        // A request of this run whose answer was not seen made it.
                        let proof = Some(Proof::Marker(cx.run().to_owned()));
                        let key = key(&item.key, "main", &step);
                        let main = contact_effect(&contact, proof, key, &body);
                        report(cx, item, status_of(main.action), vec![main], draft.losses);
                        return Ok(());
                    }
                    return matched_contact(cx, state, item, &contact, draft).await;
                }
                if refusal.duplicate_of("email")
                    && let Some(email) = draft.emails.first().cloned()
                    && let Some(owner) = owner_of(cx, &refusal, &email).await?
                    && may_be(cx, item, &owner)
                {
                    return matched_contact(cx, state, item, &owner, draft).await;
                }
                if !give_up(cx, &refusal, &mut draft).await? {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                }
            }
        }
    }
    let why = "every address of the customer belongs to others".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}

/// Who has an address that was refused as taken, if it is a contact.
async fn owner_of(cx: &Context, refusal: &Refusal, email: &str) -> Result<Option<Contact>, Error> {
    let found = match refusal.owner_of("email") {
        Some(id) => client::find::<Contact>(cx, &format!("/api/v2/contacts/{id}")).await?,
        None => contacts_by(cx, "email", email).await?.into_iter().next(),
    };
    Ok(found)
}

/// Whether the owner of a customer's address may be that customer. Another record of the source is not, nor who was deleted, nor
/// who was found to be doubtful before (rule M-7): then the customer has a contact of his own, without the address.
fn may_be(cx: &Context, item: &Item, owner: &Contact) -> bool {
    let id = owner.id.to_string();
    let doubted = item
        .existing
        .as_ref()
        .is_some_and(|c| c.doubtful.is_some() && c.target_id == id);
    let external = owner
        .unique_external_id
        .as_deref()
        .unwrap_or("")
        .to_lowercase();
    let of_source = external.starts_with(&cx.marker_prefix().to_lowercase());
    !owner.deleted && !of_source && !doubted
}

/// Gives up what a refusal names as somebody else's; false where it names nothing of the kind.
async fn give_up(
    cx: &Context,
    refusal: &Refusal,
    draft: &mut ContactDraft<'_>,
) -> Result<bool, Error> {
    let mut gave = false;
    if refusal.duplicate_of("email")
        && let Some(email) = draft.emails.first().cloned()
    {
        draft.give_up_email(&email);
        gave = true;
    }
    if refusal.duplicate_of("other_emails") {
        let further: Vec<String> = draft.emails.iter().skip(1).cloned().collect();
        let mut owned = Vec::new();
        for email in &further {
            if !contacts_by(cx, "email", email).await?.is_empty() {
                owned.push(email.clone());
            }
        }
        // Which one it is may not be told: it may be an agent's, or somebody's further address.
        let gone = if owned.is_empty() { further } else { owned };
        gave |= !gone.is_empty();
        gone.iter().for_each(|email| draft.give_up_email(email));
    }
    for (name, field) in [("phone", &mut draft.phone), ("mobile", &mut draft.mobile)] {
        if refusal.duplicate_of(name)
            && let Some(number) = field.take()
        {
            draft.card.add("phone", &number);
            draft
                .losses
                .push(loss("customer.addresses.phone", Fidelity::Converted, TAKEN));
            gave = true;
        }
    }
    Ok(gave)
}

/// A contact found while writing, treated as one that was matched before.
async fn matched_contact(
    cx: &Context,
    state: &State,
    item: &Item,
    contact: &Contact,
    draft: ContactDraft<'_>,
) -> Result<(), Error> {
    let id = contact.id.to_string();
    let candidate = Candidate {
        target_id: id.clone(),
        by: MatchKey::Email,
        before: serde_json::to_string(contact)?,
        doubtful: None,
    };
    let item = Item {
        existing: Some(candidate),
        ..item.clone()
    };
    update_contact(cx, state, &item, &id, draft).await
}

async fn update_contact(
    cx: &Context,
    state: &State,
    item: &Item,
    id: &str,
    mut draft: ContactDraft<'_>,
) -> Result<(), Error> {
    let path = format!("/api/v2/contacts/{id}");
    let before: Option<Contact> = client::find(cx, &path).await?;
    let Some(before) = before.filter(|contact| !contact.deleted) else {
        let gone = "the contact that was matched is gone".to_owned();
        reject(cx, item, Error::Conflict(gone));
        return Ok(());
    };
    let main = effect("main", "contact", id, Action::Matched);
    if item.policy == MatchPolicy::Leave {
        let note = "the contact that is there was left as it is";
        draft.losses.push(loss("customer", Fidelity::Lost, note));
        report(cx, item, Status::Matched, vec![main], draft.losses);
        return Ok(());
    }
    let was = serde_json::to_value(&before)?;
    for attempt in 0..TRIES {
        let mut wanted = draft.body()?;
        let (emails, tags) = added_to(&before, &draft);
        wanted.remove("other_emails");
        wanted.remove("tags");
        if before.email.is_some() {
            wanted.remove("email");
        }
        let (mut now, mut old) = changes(state, Owner::Contact, item, wanted, &was);
        // Lists are replaced as a whole (Freshdesk facts §14): what was there stays in them.
        for (name, list, was) in [
            ("other_emails", emails, &before.other_emails),
            ("tags", tags, &before.tags),
        ] {
            if list.len() > was.len() {
                now.insert(name.to_owned(), json!(list));
                old.insert(name.to_owned(), json!(was));
            }
        }
        if now.is_empty() {
            report(cx, item, Status::Matched, vec![main], draft.losses);
            return Ok(());
        }
        let request = |step: &str| {
            let step = match attempt {
                0 => step.to_owned(),
                n => format!("{step}:{n}"),
            };
            cx.http()
                .repeatable("PUT", path.clone(), key(&item.key, "main", step))
                .json(&now)
        };
        let read = async || client::find::<Contact>(cx, &path).await;
        let is_done = |c: &Contact| holds(&serde_json::to_value(c).unwrap_or_default(), &now);
        match WRITES.change(cx, request, read, is_done).await? {
            Changed::Done(contact, key) => {
                let at = contact.updated_at.as_deref();
                let main = updated(main, &contact, &now, old, at, key);
                report(cx, item, Status::Updated, vec![main], draft.losses);
                return Ok(());
            }
            Changed::Refused(refusal) => {
                if !give_up(cx, &refusal, &mut draft).await? {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                }
            }
            Changed::Unknown => {
                let why = "a change of a contact that was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
        }
    }
    let why = "what the contact would get belongs to others".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}

/// The further addresses and the tags of a contact, with those of a draft.
fn added_to(before: &Contact, draft: &ContactDraft<'_>) -> (Vec<String>, Vec<String>) {
    let mut emails = before.other_emails.clone();
    let primary = before.email.as_deref().and_then(map::email);
    let first = draft.emails.first().filter(|_| primary.is_none());
    for email in &draft.emails {
        let known = emails.iter().any(|e| e.eq_ignore_ascii_case(email));
        let shown = primary.as_ref() == Some(email) || first == Some(email);
        if !known && !shown && emails.len() < FURTHER {
            emails.push(email.clone());
        }
    }
    let mut tags = before.tags.clone();
    let wanted = draft.attributes.get("tags").and_then(Value::as_array);
    for tag in wanted.into_iter().flatten().filter_map(Value::as_str) {
        if !tags
            .iter()
            .any(|known| known.to_lowercase() == tag.to_lowercase())
        {
            tags.push(tag.to_owned());
        }
    }
    (emails, tags)
}

// ---- companies

/// A company as the request that makes it, without its name.
fn company_body(
    cx: &Context,
    state: &State,
    config: &Config,
    item: &Item,
    company: &transload_sdk::types::Company,
    texts: &BTreeMap<String, Vec<String>>,
    losses: &mut Vec<Loss>,
) -> Result<Map<String, Value>, Error> {
    let head = &item.entry().head;
    let mut card = Facts::new(config.words(cx.time_zone()));
    card::head(head, &mut card);
    let mut fields = own_fields(cx, state, Owner::Company, item).fields;
    let of_source = without_each_other(&Kind::Company, &head.fields);
    values(&of_source, texts, &mut fields, &mut card, losses);
    card.lists(&of_source, losses);
    card.add("domains", company.domains.join(", "));
    card::addresses(&company.addresses, &mut card);
    for place in &company.locations {
        card::location(place, &mut card);
    }
    card.reference("parent", company.parent.as_ref());
    card.references("tags", &company.tags);
    card.count("employees", company.employee_count);
    card.text("language", company.language.as_deref());
    card.text("avatar", company.avatar_url.as_deref());
    let mut on_card = |field: &str, there: bool, note| {
        if there {
            losses.push(loss(field, Fidelity::Converted, note));
        }
    };
    let note = "on the source card";
    on_card("company.addresses", !company.addresses.is_empty(), note);
    let note = "Freshdesk has no hierarchy of companies: on the source card";
    on_card("company.parent", company.parent.is_some(), note);
    let note = "companies have no tags: on the source card";
    on_card("company.tags", !company.tags.is_empty(), note);
    let note = "on the source card: set, they would move people";
    let unset = !config.company_domains && !company.domains.is_empty();
    on_card("company.domains", unset, note);
    let text = card.render(cx.platform(), item, item.entry(), losses)?;
    let (text, cut) = fitted(&text, PARAGRAPH_BYTES);
    if cut {
        losses.push(loss("company", Fidelity::Lost, CARD_CUT));
    }
    let mut body = Map::new();
    body.insert("description".to_owned(), json!(text.trim_end()));
    if !fields.is_empty() {
        body.insert("custom_fields".to_owned(), Value::Object(fields));
    }
    if config.company_domains && !company.domains.is_empty() {
        body.insert("domains".to_owned(), json!(company.domains));
    }
    Ok(body)
}

/// Companies, one at a time.
///
/// # Errors
/// What ends the unit.
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let config: Config = cx.config()?;
    let texts = schema::texts_for(cx, Owner::Company, items).await?;
    for (item, company) in each::<types::Company>(cx, items) {
        let mut losses = Vec::new();
        let body = company_body(cx, &state, &config, item, company, &texts, &mut losses)?;
        let name = match company.name.trim() {
            "" => format!("Company {}", item.entry().head.id),
            name => name.to_owned(),
        };
        match item.certain() {
            Some(candidate) => {
                let id = &candidate.target_id;
                update_company(cx, &state, item, id, body, losses).await?;
            }
            None => one_company(cx, &state, item, &name, body, losses).await?,
        }
    }
    Ok(())
}

async fn one_company(
    cx: &Context,
    state: &State,
    item: &Item,
    name: &str,
    mut body: Map<String, Value>,
    mut losses: Vec<Loss>,
) -> Result<(), Error> {
    let mut wanted = name.to_owned();
    for attempt in 0..NAMES {
        body.insert("name".to_owned(), json!(wanted));
        let step = match attempt {
            0 => "create".to_owned(),
            n => format!("create:{n}"),
        };
        let key = key(&item.key, "main", &step);
        let request = cx
            .http()
            .write("POST", "/api/v2/companies", key.clone())
            .json(&body);
        // In doubt it may have been made under a later name: each is looked for before it is sent.
        let find = async || {
            let found = company_by_name(cx, &wanted).await?;
            Ok(found.filter(|company| marker_of(state, company) == item.marker))
        };
        let ours = |c: &Company| is_of_run(cx, state, Owner::Company, &c.custom_fields);
        match WRITES
            .make(item.in_doubt_since, request, find, ours)
            .await?
        {
            Creation::There(company, proof, key) => {
                let main = company_effect(&company, proof, key, &body);
                report(cx, item, status_of(main.action), vec![main], losses);
                return Ok(());
            }
            Creation::Unsettled => {
                let why = "a company whose creation was not answered";
                unsettled(cx, item, why, losses);
                return Ok(());
            }
            Creation::Refused(refusal) if refusal.duplicate_of("domains") => {
                body.remove("domains");
                let note = "another company has one of the domains: on the source card";
                losses.push(loss("company.domains", Fidelity::Converted, note));
            }
            Creation::Refused(refusal) if refusal.duplicate_of("name") => {
                let holder = holder_of(cx, &refusal, &wanted).await?;
                if let Some(found) = &holder
                    && marker_of(state, found) == item.marker
                    && is_of_run(cx, state, Owner::Company, &found.custom_fields)
                {
                    // A request of this run whose answer was not seen made it.
                    let proof = Some(Proof::Marker(cx.run().to_owned()));
                    let main = company_effect(found, proof, key, &body);
                    report(cx, item, status_of(main.action), vec![main], losses);
                    return Ok(());
                }
                // Another company of the source is that one already.
                let doubted = item.existing.as_ref().filter(|c| c.doubtful.is_some());
                let prefix = cx.marker_prefix();
                let other = |c: &Company| {
                    let marker = marker_of(state, c);
                    (marker.starts_with(&prefix) && marker != item.marker)
                        || doubted.is_some_and(|d| d.target_id == c.id.to_string())
                };
                if let Some(found) = holder.filter(|company| !other(company)) {
                    let id = found.id.to_string();
                    body.remove("name");
                    return update_company(cx, state, item, &id, body, losses).await;
                }
                wanted = format!("{name} ({})", item.entry().head.id);
                let note = "another company has the name: written with the source id behind it";
                losses.push(loss("company.name", Fidelity::Converted, note));
            }
            Creation::Refused(refusal) => {
                reject(cx, item, refusal.rejection());
                return Ok(());
            }
        }
    }
    let why = "no free name for the company".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}

/// Who has a name that was refused as taken.
async fn holder_of(cx: &Context, refusal: &Refusal, name: &str) -> Result<Option<Company>, Error> {
    match refusal.owner_of("name") {
        Some(id) => client::find(cx, &format!("/api/v2/companies/{id}")).await,
        None => company_by_name(cx, name).await,
    }
}

fn company_effect(
    company: &Company,
    proof: Option<Proof>,
    key: OperationKey,
    body: &Map<String, Value>,
) -> Effect {
    let mut main = made("main", "company", company.id.to_string(), proof, key);
    main.fingerprint = Some(print_of(company, body));
    main.updated_at = company.updated_at.as_deref().and_then(map::parse_iso);
    main
}

async fn update_company(
    cx: &Context,
    state: &State,
    item: &Item,
    id: &str,
    mut wanted: Map<String, Value>,
    losses: Vec<Loss>,
) -> Result<(), Error> {
    let path = format!("/api/v2/companies/{id}");
    let Some(before) = client::find::<Company>(cx, &path).await? else {
        let gone = "the company that was matched is gone".to_owned();
        reject(cx, item, Error::Conflict(gone));
        return Ok(());
    };
    let was = serde_json::to_value(&before)?;
    // A marker of somebody else's is never replaced.
    if !marker_of(state, &before).is_empty()
        && let Some(name) = state.field(Owner::Company, own_field::MARKER)
        && let Some(fields) = wanted
            .get_mut("custom_fields")
            .and_then(Value::as_object_mut)
    {
        fields.remove(name);
    }
    let main = effect("main", "company", id, Action::Matched);
    let (now, old) = changes(state, Owner::Company, item, wanted, &was);
    if now.is_empty() {
        report(cx, item, Status::Matched, vec![main], losses);
        return Ok(());
    }
    let request = |step: &str| {
        cx.http()
            .repeatable("PUT", path.clone(), key(&item.key, "main", step))
            .json(&now)
    };
    let read = async || client::find::<Company>(cx, &path).await;
    let is_done = |c: &Company| holds(&serde_json::to_value(c).unwrap_or_default(), &now);
    match WRITES.change(cx, request, read, is_done).await? {
        Changed::Done(company, key) => {
            let at = company.updated_at.as_deref();
            let main = updated(main, &company, &now, old, at, key);
            report(cx, item, Status::Updated, vec![main], losses);
        }
        Changed::Refused(refusal) => reject(cx, item, refusal.rejection()),
        Changed::Unknown => {
            let why = "a change of a company that was not answered";
            unsettled(cx, item, why, losses);
        }
    }
    Ok(())
}
