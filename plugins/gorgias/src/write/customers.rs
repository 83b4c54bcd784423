//! Customers, with every address (Gorgias facts §7).
//!
//! People are matched before they are made, and two people of the source never become one in silence (rule M-7): a later one whose
//! address is taken keeps a record of their own, and the address goes onto the note. A refusal does not say whose an address is, so
//! each is looked up. What Gorgias has no field for stands on the source card, which is the customer's note.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, addresses, fitted, loss};
use transload_sdk::destination::{Item, MatchKey, MatchPolicy};
use transload_sdk::effects::{effect, made, print, reject, report, short_hash, status_of};
use transload_sdk::http::{self, Refusal as _, Reply, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{customer_name, main_first, without_each_other};
use transload_sdk::policy::{self, Found as There, canonical, doubt, holds, is_empty};
use transload_sdk::types::{self, Error, Fidelity, Kind, Loss};

use super::matching::{has_channel, owner_of};
use super::schema::{self, Told};
use super::{Changed, Creation, SETTLE_MS, WRITES, is_of_run, unsettled};
use crate::api::{Channel, Customer, FieldValue, Refusal};
use crate::client::{self, Looked};
use crate::map::{self, Choices, FieldOwner};
use crate::state::Config;

/// Members of a creation that not every text about Gorgias has: where they are refused, a change brings them (Gorgias facts §7).
const OPTIONAL: [&str; 3] = ["custom_fields", "meta", "note"];
/// Whose an address is, is asked so often before a customer is refused.
const ATTEMPTS: usize = 3;

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let fields = items.iter().flat_map(|item| &item.entry().head.fields);
    let choices = schema::choices_for(cx, FieldOwner::Customer, fields).await?;
    let writer = Writer {
        cx,
        later: RefCell::default(),
    };
    for (item, customer) in each::<types::Customer>(cx, items) {
        let draft = draft(cx, &config, item, customer, &choices)?;
        match item.certain() {
            Some(candidate) => writer.update(item, draft, &candidate.target_id).await?,
            None => writer.make(item, draft).await?,
        }
    }
    Ok(())
}

/// Why a customer whose change was sent is not settled.
const NOT_ANSWERED: &str = "a change of a customer that was not answered";

// ---- mapping

/// A customer as the requests that make or change the record.
#[derive(Debug, Clone)]
struct Draft<'a> {
    item: &'a Item,
    platform: &'a str,
    /// Attributes but for addresses, note, meta and fields.
    attributes: Map<String, Value>,
    /// Type and address.
    channels: Vec<(&'static str, String)>,
    fields: Vec<FieldValue>,
    meta: Map<String, Value>,
    card: Facts,
    losses: Vec<Loss>,
}

impl Draft<'_> {
    fn note(&self) -> Result<(String, bool), Error> {
        let entry = self.item.entry();
        let card = self
            .card
            .render(self.platform, self.item, entry, &self.losses)?;
        let (note, is_cut) = fitted(&card, map::NOTE_BYTES);
        Ok((note.to_owned(), is_cut))
    }

    fn channels(&self) -> Vec<Channel> {
        let one = |(n, (kind, address)): (usize, &(&str, String))| Channel {
            kind: (*kind).to_owned(),
            address: address.clone(),
            preferred: n == 0,
        };
        self.channels.iter().enumerate().map(one).collect()
    }

    /// The whole of a creation.
    fn body(&self, run: &str) -> Result<Map<String, Value>, Error> {
        let mut body = self.attributes.clone();
        let mut meta = self.meta.clone();
        meta.insert("transload_run".to_owned(), json!(run));
        if let Some((_, email)) = self.channels.iter().find(|(kind, _)| *kind == "email") {
            body.insert("email".to_owned(), json!(email));
        }
        body.insert("channels".to_owned(), json!(self.channels()));
        body.insert("note".to_owned(), json!(self.note()?.0));
        body.insert("meta".to_owned(), Value::Object(meta));
        if !self.fields.is_empty() {
            body.insert("custom_fields".to_owned(), json!(self.fields));
        }
        Ok(body)
    }

    /// Gives up an address that somebody else has.
    fn give_up(&mut self, kind: &str, address: &str) {
        self.channels
            .retain(|(k, a)| (*k, a.as_str()) != (kind, address));
        self.card.add(
            "address of another customer too",
            format!("{kind} {address}"),
        );
        let note = "another customer has this address: it stands on the note";
        self.losses
            .push(loss("customer.addresses", Fidelity::Converted, note));
    }
}

fn draft<'a>(
    cx: &'a Context,
    config: &Config,
    item: &'a Item,
    customer: &types::Customer,
    choices: &Choices,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut losses = Vec::new();
    let mut card = Facts::new(config.words(cx.time_zone()));
    let name = customer_name(item.entry(), customer);
    card::customer(head, &name, customer, &mut card);
    card.add("merged from", customer.merged_from.join(", "));
    if !customer.tags.is_empty() {
        card.references("tags", &without_targets(&customer.tags));
        let note = "customers of Gorgias have no tags: on the note";
        losses.push(loss("customer.tags", Fidelity::Converted, note));
    }
    let mut meta = Map::new();
    let mut set = |name: &str, value: Value| meta.insert(name.to_owned(), value);
    set("transload_marker", json!(item.marker));
    set("source_id", json!(head.id));
    if let Some(url) = &head.url {
        set("source_url", json!(url));
    }
    if let Some(at) = head.created_at {
        set("source_created", json!(map::stamp(at)));
    }
    let mut fields = Vec::new();
    if let Some(company) = &customer.company {
        match company.target.as_deref().and_then(Told::parse) {
            Some(told) => {
                card.add("company", &told.name);
                for (name, value) in &told.facts {
                    card.add(format!("company {name}"), value);
                }
                meta.insert(
                    "company".to_owned(),
                    json!({"id": company.id, "name": told.name}),
                );
                fields.extend(told.field.map(|id| FieldValue {
                    id,
                    value: json!(told.name),
                }));
            }
            None => {
                card.reference("company", Some(company));
                let note = "not migrated: on the note";
                losses.push(loss("customer.company", Fidelity::Converted, note));
            }
        }
    }
    let own = without_each_other(&Kind::Customer, &head.fields);
    for field in &own {
        match map::place(field, FieldOwner::Customer, choices, card.words()) {
            Ok((id, value)) => fields.push(FieldValue { id, value }),
            Err(misfit) => card.misfit(field, misfit, &mut losses),
        }
    }
    card.lists(&own, &mut losses);

    let mut attributes = Map::new();
    attributes.insert("name".to_owned(), json!(name));
    attributes.insert(
        "external_id".to_owned(),
        json!(map::external_id(&item.marker)),
    );
    let spoken = customer.language.as_deref().or(customer.locale.as_deref());
    if let Some(language) = spoken.and_then(map::language) {
        attributes.insert("language".to_owned(), json!(language));
    }
    if let Some(zone) = customer.time_zone.as_deref().and_then(map::time_zone) {
        attributes.insert("timezone".to_owned(), json!(zone));
    }
    let channels = channels(customer, &mut card, &mut losses);
    let mut draft = Draft {
        item,
        platform: cx.platform(),
        attributes,
        channels,
        fields,
        meta,
        card,
        losses,
    };
    if draft.note()?.1 {
        let note = "the source card is cut: the note holds 60,000 bytes";
        draft.losses.push(loss("customer", Fidelity::Lost, note));
    }
    Ok(draft)
}

/// Addresses that are the person's own, main ones first; the rest goes onto the card.
fn channels(
    customer: &types::Customer,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Vec<(&'static str, String)> {
    let (mut channels, mut left) = (Vec::new(), Vec::new());
    for address in main_first(&customer.addresses) {
        match map::channel_of(&address.channel, &address.value).filter(|_| !address.shared) {
            Some(channel) if !channels.contains(&channel) => channels.push(channel),
            Some(_) => {}
            None => left.push(address),
        }
    }
    if !left.is_empty() {
        let note = "shared, malformed or of a kind that Gorgias has not: on the note";
        losses.push(loss("customer.addresses", Fidelity::Converted, note));
    }
    addresses(left, card);
    channels
}

/// References by their names: whether they are here already differs from run to run.
fn without_targets(list: &[types::Reference]) -> Vec<types::Reference> {
    let bare = |reference: &types::Reference| types::Reference {
        target: None,
        ..reference.clone()
    };
    list.iter().map(bare).collect()
}

// ---- fingerprint

/// What of a customer is compared before an undo.
pub fn facets(customer: &Customer) -> Vec<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut channels: Vec<String> = customer
        .channels
        .iter()
        .map(|c| format!("{} {}", c.kind, c.address.to_lowercase()))
        .collect();
    channels.sort();
    [
        ("name", customer.name.clone()),
        ("email", text(&customer.email).to_lowercase()),
        ("external_id", text(&customer.external_id)),
        ("note", text(&customer.note)),
        ("language", text(&customer.language)),
        ("timezone", text(&customer.timezone)),
        ("channels", channels.join("\n")),
        ("meta", canonical(&customer.meta)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Values of a customer's fields.
///
/// # Errors
/// What ends the unit.
pub async fn values_of(cx: &Context, customer: &str) -> Result<BTreeMap<u64, Value>, Error> {
    let path = format!("/customers/{customer}/custom-fields");
    Ok(match client::get(cx, &path).await? {
        Some(reply) => crate::api::values(&Value::Array(client::rows(&reply)?)),
        None => BTreeMap::new(),
    })
}

/// Only what a request said.
fn said(facets: Vec<(String, String)>, body: &Map<String, Value>) -> Vec<(String, String)> {
    facets
        .into_iter()
        .filter(|(name, _)| body.contains_key(name))
        .collect()
}

fn value_facets(fields: &[FieldValue]) -> Vec<(String, String)> {
    let one = |field: &FieldValue| (format!("field {}", field.id), canonical(&field.value));
    fields.iter().map(one).collect()
}

// ---- writing

struct Writer<'a> {
    cx: &'a Context,
    /// Members that this account takes by a change only.
    later: RefCell<BTreeSet<&'static str>>,
}

impl Writer<'_> {
    /// Makes a customer, without addresses that others have.
    async fn make(&self, item: &Item, mut draft: Draft<'_>) -> Result<(), Error> {
        let mut attempt = 0;
        loop {
            let whole = draft.body(self.cx.run())?;
            let later = self.later.borrow().clone();
            let (rest, body): (Map<_, _>, Map<_, _>) = whole
                .clone()
                .into_iter()
                .partition(|(name, _)| later.contains(name.as_str()));
            // Without our run on it, only its absence before proves that it is ours (rule D-4).
            let absent = if rest.contains_key("meta") && item.in_doubt_since.is_none() {
                if let Some(found) = by_marker(self.cx, item).await? {
                    return self.update(item, draft, &found.id.to_string()).await;
                }
                true
            } else {
                false
            };
            let step = if attempt == 0 {
                "create".to_owned()
            } else {
                format!("create:{attempt}")
            };
            let request = self
                .cx
                .http()
                .write("POST", "/customers", key(&item.key, "main", &step))
                .json(&body);
            let find = async || by_marker(self.cx, item).await;
            let ours = |customer: &Customer| is_of_run(self.cx, &customer.meta);
            let since = item.in_doubt_since.filter(|_| attempt == 0);
            attempt += 1;
            match WRITES.make(since, request, find, ours).await? {
                Creation::There(customer, proof, key) => {
                    let proof = proof.or(absent.then_some(Proof::AbsentBefore));
                    return self
                        .made(item, draft, customer, (proof, key), (&body, rest))
                        .await;
                }
                Creation::Unsettled => {
                    unsettled(
                        self.cx,
                        item,
                        "a customer whose creation was not answered",
                        draft.losses,
                    );
                    return Ok(());
                }
                Creation::Refused(refusal) => {
                    if self.learn(&refusal, &body) {
                        continue;
                    }
                    if draft.channels.is_empty() && wants_address(&refusal) {
                        let address = nowhere(&item.marker);
                        draft.channels.push(("email", address.address));
                        let note =
                            "Gorgias takes nobody without an address: one that leads nowhere";
                        draft
                            .losses
                            .push(loss("customer.addresses", Fidelity::Converted, note));
                        continue;
                    }
                    if refusal.status != 409 || attempt > ATTEMPTS {
                        reject(self.cx, item, refusal.rejection());
                        return Ok(());
                    }
                    match self.taken(item, &draft).await? {
                        Taken::By(customer) => {
                            return self.update(item, draft, &customer.to_string()).await;
                        }
                        Taken::ByOthers(channels) => {
                            for (kind, address) in channels {
                                draft.give_up(kind, &address);
                            }
                        }
                        Taken::ByNobody => {
                            reject(self.cx, item, refusal.rejection());
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Whether a refusal is about members that a change may bring.
    fn learn(&self, refusal: &Refusal, body: &Map<String, Value>) -> bool {
        let is_new = |name: &&&str| body.contains_key(**name) && refusal.is_about(name);
        let found: Vec<&'static str> = OPTIONAL.iter().filter(is_new).copied().collect();
        let some = refusal.status == 400 && !found.is_empty();
        if some {
            self.later.borrow_mut().extend(found);
        }
        some
    }

    /// Whose the addresses of a refused customer are; asked twice, since lists may be late (Gorgias facts §4).
    async fn taken(&self, item: &Item, draft: &Draft<'_>) -> Result<Taken, Error> {
        for wait in [0, SETTLE_MS] {
            self.cx.sleep(wait).await;
            if let Some(found) = by_marker(self.cx, item).await? {
                return Ok(Taken::By(found.id));
            }
            let mut others = Vec::new();
            for (kind, address) in &draft.channels {
                let Some(owner) = owner_of(self.cx, kind, address).await? else {
                    continue;
                };
                if self.may_be(item, &owner, kind) {
                    return Ok(Taken::By(owner.id));
                }
                others.push((*kind, address.clone()));
            }
            if !others.is_empty() {
                return Ok(Taken::ByOthers(others));
            }
        }
        Ok(Taken::ByNobody)
    }

    /// Whether the owner of a customer's address may be that customer.
    fn may_be(&self, item: &Item, owner: &Customer, kind: &str) -> bool {
        let id = owner.id.to_string();
        let doubted = item
            .existing
            .as_ref()
            .is_some_and(|c| c.doubtful.is_some() && c.target_id == id);
        let by = match kind {
            "email" => MatchKey::Email,
            _ => MatchKey::Phone,
        };
        let there = There {
            marker: owner.external_id.as_deref().unwrap_or(""),
            name: &owner.name,
            staff: false,
            several: false,
            by,
        };
        !doubted && doubt(self.cx, item, &there).is_none()
    }

    /// A customer is there by our request: what is left of it, and the outcome.
    async fn made(
        &self,
        item: &Item,
        mut draft: Draft<'_>,
        customer: Customer,
        (proof, key): (Option<Proof>, http::OperationKey),
        (body, rest): (&Map<String, Value>, Map<String, Value>),
    ) -> Result<(), Error> {
        let id = customer.id.to_string();
        let mut facets = said(facets(&customer), body);
        let mut effects = Vec::new();
        if !rest.is_empty() && proof.is_some() {
            match self.put(item, &id, "rest", &rest).await? {
                Changed::Done(customer, key) => {
                    facets.extend(said(self::facets(&customer), &rest));
                    effects.push(Effect {
                        key: Some(key),
                        before: Some("{}".to_owned()),
                        ..effect("rest", "customer_rest", &id, Action::Updated)
                    });
                }
                Changed::Refused(_) => {
                    let note = "Gorgias refused the note, our own data or the fields";
                    draft.losses.push(loss("customer", Fidelity::Lost, note));
                }
                Changed::Unknown => {
                    unsettled(self.cx, item, NOT_ANSWERED, draft.losses);
                    return Ok(());
                }
            }
        }
        facets.extend(value_facets(&draft.fields));
        let mut main = made("main", "customer", &id, proof, key);
        main.fingerprint = Some(print(&facets));
        main.url = Some(format!("/app/customer/{id}"));
        let status = status_of(main.action);
        effects.push(main);
        report(self.cx, item, status, effects, draft.losses);
        Ok(())
    }

    /// Changes a customer. The answer may be short: then it is read.
    async fn put(
        &self,
        item: &Item,
        id: &str,
        part: &str,
        body: &Map<String, Value>,
    ) -> Result<Changed<Customer>, Error> {
        let path = format!("/customers/{id}");
        let request = |step: &str| {
            let key = key(&item.key, part, step);
            self.cx
                .http()
                .repeatable("PUT", path.clone(), key)
                .json(body)
        };
        let find = async || match client::customer(self.cx, id).await? {
            Looked::There(customer) => Ok(Some(*customer)),
            Looked::Gone | Looked::Merged => Ok(None),
        };
        let is_done = |customer: &Customer| {
            let now = serde_json::to_value(customer).unwrap_or_default();
            let wanted = body
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "channels" | "custom_fields"));
            holds(
                &now,
                &wanted
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        };
        let read = |reply: &Reply| {
            Ok(serde_json::from_slice::<Customer>(reply.bytes()).unwrap_or_default())
        };
        let done = http::change(self.cx, SETTLE_MS, request, read, find, is_done).await?;
        if let Changed::Done(customer, key) = &done
            && customer.id == 0
            && let Some(customer) = find().await?
        {
            return Ok(Changed::Done(customer, key.clone()));
        }
        Ok(done)
    }

    /// A customer who was there, as far as the policy goes.
    async fn update(&self, item: &Item, mut draft: Draft<'_>, id: &str) -> Result<(), Error> {
        let Looked::There(before) = client::customer(self.cx, id).await? else {
            let error =
                Error::Conflict("the customer that was matched is gone or was merged".to_owned());
            reject(self.cx, item, error);
            return Ok(());
        };
        if item.policy == MatchPolicy::Leave {
            let note = "the customer that is there was left as it is";
            draft.losses.push(loss("customer", Fidelity::Lost, note));
            let main = effect("main", "customer", id, Action::Matched);
            report(self.cx, item, Status::Matched, vec![main], draft.losses);
            return Ok(());
        }
        let mut change = self.changes(item, &mut draft, &before).await?;
        let mut effects = Vec::new();
        let mut main = effect("main", "customer", id, Action::Matched);
        if !change.wanted.is_empty() {
            let mut done = self.put(item, id, "main", &change.wanted).await?;
            if matches!(&done, Changed::Refused(refusal) if refusal.status == 409) {
                // Somebody else has one of the addresses.
                change.wanted.remove("channels");
                change.before.remove("channels");
                let note = "another customer has one of the addresses: none was added";
                draft
                    .losses
                    .push(loss("customer.addresses", Fidelity::Lost, note));
                if !change.wanted.is_empty() {
                    done = self
                        .put(item, id, "without-addresses", &change.wanted)
                        .await?;
                }
            }
            match done {
                Changed::Done(customer, key) => {
                    main = Effect {
                        action: Action::Updated,
                        key: Some(key),
                        before: Some(Value::Object(change.before).to_string()),
                        fingerprint: Some(print(&said(facets(&customer), &change.wanted))),
                        ..main
                    };
                }
                Changed::Refused(_) if change.wanted.is_empty() => {}
                Changed::Refused(refusal) => {
                    reject(self.cx, item, refusal.rejection());
                    return Ok(());
                }
                Changed::Unknown => {
                    unsettled(self.cx, item, NOT_ANSWERED, draft.losses);
                    return Ok(());
                }
            }
        }
        if !self.fill(item, &mut draft, id, &mut effects).await? {
            unsettled(self.cx, item, "a value that was not answered", draft.losses);
            return Ok(());
        }
        let changed = main.action == Action::Updated || !effects.is_empty();
        let status = if changed {
            Status::Updated
        } else {
            Status::Matched
        };
        effects.insert(0, main);
        report(self.cx, item, status, effects, draft.losses);
        Ok(())
    }

    /// What is to be changed, by the policy. An external id or a note of somebody else's is never replaced: then the source card
    /// goes into our own data.
    async fn changes(
        &self,
        item: &Item,
        draft: &mut Draft<'_>,
        before: &Customer,
    ) -> Result<policy::Change, Error> {
        let was = serde_json::to_value(before).unwrap_or_default();
        let mut wanted = draft.attributes.clone();
        let mut meta = before.meta.as_object().cloned().unwrap_or_default();
        meta.extend(draft.meta.clone());
        let (note, _) = draft.note()?;
        wanted.insert("note".to_owned(), json!(note));
        let there = before.note.as_deref().unwrap_or_default();
        // The note that an earlier run wrote is ours to write anew.
        let is_ours = there.contains(&format!("Marker: {}\n", item.marker));
        if !there.is_empty() && there != note {
            wanted.remove("note");
            if !is_ours {
                meta.insert("source_card".to_owned(), json!(note));
            }
        }
        if before
            .external_id
            .as_deref()
            .is_some_and(|id| !id.is_empty())
        {
            wanted.remove("external_id");
        }
        let mut change = policy::changes(item.policy, &wanted, &was);
        if is_ours && there != note {
            change.wanted.insert("note".to_owned(), json!(note));
            change.before.insert("note".to_owned(), json!(there));
        }
        if canonical(&Value::Object(meta.clone())) != canonical(&before.meta) {
            change.wanted.insert("meta".to_owned(), Value::Object(meta));
            change.before.insert("meta".to_owned(), before.meta.clone());
        }
        let mut channels = before.channels.clone();
        for (kind, address) in draft.channels.clone() {
            if has_channel(before, kind, &address) {
                continue;
            }
            match owner_of(self.cx, kind, &address).await? {
                Some(owner) if owner.id != before.id => draft.give_up(kind, &address),
                _ => channels.push(Channel {
                    kind: kind.to_owned(),
                    address,
                    preferred: false,
                }),
            }
        }
        if channels.len() > before.channels.len() {
            change.wanted.insert("channels".to_owned(), json!(channels));
            change
                .before
                .insert("channels".to_owned(), json!(before.channels));
        }
        Ok(change)
    }

    /// Values of fields of a customer who was there, one by one: a list might replace what others have (Gorgias facts §7). False
    /// where the fate of one is not known.
    async fn fill(
        &self,
        item: &Item,
        draft: &mut Draft<'_>,
        id: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, Error> {
        if draft.fields.is_empty() {
            return Ok(true);
        }
        let there = values_of(self.cx, id).await?;
        for field in draft.fields.clone() {
            let was = there.get(&field.id).cloned().unwrap_or_default();
            let allowed = item.policy == MatchPolicy::SourceWins || is_empty(&was);
            if !allowed || canonical(&was) == canonical(&field.value) {
                continue;
            }
            let path = format!("/customers/{id}/custom-fields/{}", field.id);
            let part = format!("field:{}", field.id);
            let body = json!({"value": field.value});
            let request = |step: &str| {
                let key = key(&item.key, &part, step);
                self.cx
                    .http()
                    .repeatable("PUT", path.clone(), key)
                    .json(&body)
            };
            let find = async || Ok(values_of(self.cx, id).await?.remove(&field.id));
            let is_done = |value: &Value| canonical(value) == canonical(&field.value);
            let read = |_: &Reply| Ok(field.value.clone());
            let done: Changed<Value> =
                http::change(self.cx, SETTLE_MS, request, read, find, is_done).await?;
            match done {
                Changed::Done(_, key) => effects.push(Effect {
                    key: Some(key),
                    before: Some(json!({"value": was}).to_string()),
                    fingerprint: Some(print(&value_facets(std::slice::from_ref(&field)))),
                    ..effect(
                        &part,
                        "customer_field_value",
                        format!("{id}/{}", field.id),
                        Action::Updated,
                    )
                }),
                Changed::Unknown => return Ok(false),
                Changed::Refused(_) => {
                    let note = "Gorgias did not take the value of a field";
                    draft
                        .losses
                        .push(loss("customer.fields", Fidelity::Lost, note));
                }
            }
        }
        Ok(true)
    }
}

/// Whether a refusal wants an address of a customer who has none: nothing says whether one is needed (Gorgias facts §7).
pub fn wants_address(refusal: &Refusal) -> bool {
    refusal.status == 400 && (refusal.is_about("channels") || refusal.is_about("email"))
}

/// An address that leads nowhere, of the domain that never will (RFC 2606), the same for the same record.
pub fn nowhere(marker: &str) -> Channel {
    Channel {
        kind: "email".to_owned(),
        address: format!("{}@transload.invalid", short_hash(marker)),
        preferred: true,
    }
}

/// Whose the addresses of a refused customer are.
enum Taken {
    /// Of a customer that this one is.
    By(u64),
    /// Of others.
    ByOthers(Vec<(&'static str, String)>),
    /// Nobody was found.
    ByNobody,
}

/// The customer with an item's marker.
async fn by_marker(cx: &Context, item: &Item) -> Result<Option<Customer>, Error> {
    with_external_id(cx, &map::external_id(&item.marker)).await
}

/// The customer with an external id, the oldest where there are several.
///
/// # Errors
/// What ends the unit.
pub async fn with_external_id(cx: &Context, id: &str) -> Result<Option<Customer>, Error> {
    let mut found: Vec<Customer> =
        client::list(cx, &format!("/customers?external_id={}", segment(id))).await?;
    found.sort_by_key(|customer| customer.id);
    Ok(found.into_iter().next())
}
