//! Customers as contacts of the role user, by our marker in `external_id` (Intercom facts §6).
//!
//! People are matched before they are made, and two people of the source never become one in silence (rule M-7): a later one whose
//! address is taken keeps a record of their own, and the address goes onto the card. A refusal says whose an address is. A contact has
//! one address and one number; what Intercom has no field for stands on the source card, a note. Companies and tags are hung on
//! afterwards, one call each.

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, addresses, loss};
use transload_sdk::destination::{Item, MatchKey, MatchPolicy};
use transload_sdk::effects::{effect, made, print, reject, report, status_of};
use transload_sdk::http::{self, OperationKey, Refusal as _, Reply, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::people::{customer_name, main_first, without_each_other};
use transload_sdk::policy::{Found as There, canonical, doubt, holds, is_empty};
use transload_sdk::thread::tags_here;
use transload_sdk::types::{self, AddressChannel, Error, Fidelity, Kind, Loss};

use super::companies::{changes, said};
use super::schema::{CONTACT_RUN, change};
use super::{Changed, Creation, WRITES, is_of_run, notes, unsettled};
use crate::api::{Contact, Named};
use crate::client::{self, Looked};
use crate::map::{self, Model, seconds};
use crate::state::{Config, State};

/// So often a contact is asked for before it is refused.
const ATTEMPTS: usize = 4;

/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn contacts(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let writer = Writer {
        cx,
        state: &state,
        config: &config,
    };
    for (item, customer) in each::<types::Customer>(cx, items) {
        let draft = draft(cx, &state, item, customer);
        match item.certain() {
            Some(candidate) => {
                writer
                    .update(item, draft, &candidate.target_id, false)
                    .await?
            }
            None => writer.make(item, draft).await?,
        }
    }
    Ok(())
}

// ---- mapping

/// A customer as the requests that make or change the record.
#[derive(Debug, Clone)]
struct Draft<'a> {
    item: &'a Item,
    platform: &'a str,
    /// Members of the contact but for custom attributes.
    attributes: Map<String, Value>,
    fields: Map<String, Value>,
    companies: Vec<String>,
    tags: Vec<String>,
    card: Facts,
    losses: Vec<Loss>,
}

impl Draft<'_> {
    fn card(&self) -> Result<String, Error> {
        let entry = self.item.entry();
        self.card
            .render(self.platform, self.item, entry, &self.losses)
    }

    /// The whole of a creation.
    fn body(&self, run: &str) -> Map<String, Value> {
        let mut body = self.attributes.clone();
        let mut fields = self.fields.clone();
        fields.insert(CONTACT_RUN.to_owned(), json!(run));
        body.insert("role".to_owned(), json!("user"));
        body.insert("custom_attributes".to_owned(), Value::Object(fields));
        body
    }

    /// Gives up an address that somebody else has; whether there was one.
    fn give_up_email(&mut self) -> bool {
        let Some(email) = self.attributes.remove("email") else {
            return false;
        };
        let email = email.as_str().unwrap_or_default();
        self.card.add("address of another contact too", email);
        let note = "another contact has this address: it stands on the source card";
        self.losses
            .push(loss("customer.addresses", Fidelity::Converted, note));
        true
    }
}

fn draft<'a>(
    cx: &'a Context,
    state: &State,
    item: &'a Item,
    customer: &types::Customer,
) -> Draft<'a> {
    let head = &item.entry().head;
    let mut losses = Vec::new();
    let mut card = Facts::new(state.words(cx.time_zone()));
    let name = customer_name(item.entry(), customer);
    card::customer(head, &name, customer, &mut card);
    card.add("merged from", customer.merged_from.join(", "));
    let mut companies = Vec::new();
    if let Some(company) = &customer.company {
        match map::target(company, &Kind::Company) {
            Some(id) => companies.push(id.to_owned()),
            None => {
                card.reference("company", Some(company));
                let note = "not migrated: on the source card";
                losses.push(loss("customer.company", Fidelity::Converted, note));
            }
        }
    }
    let tags = tags_here(
        &customer.tags,
        map::tag,
        "customer.tags",
        &mut card,
        &mut losses,
    );
    let own = without_each_other(&Kind::Customer, &head.fields);
    let mut fields = Map::new();
    for field in &own {
        match map::place(field, Model::Contact, card.words()) {
            Ok((name, value)) => {
                fields.insert(name, value);
            }
            Err(misfit) => card.misfit(field, misfit, &mut losses),
        }
    }
    card.lists(&own, &mut losses);

    let mut attributes = Map::new();
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    set("name", json!(name));
    set("external_id", json!(map::external_id(&item.marker)));
    if let Some(avatar) = customer
        .avatar_url
        .as_ref()
        .filter(|url| url.starts_with("http"))
    {
        set("avatar", json!(avatar));
    }
    // When they came, as far as Intercom lets it be said (Intercom facts §5).
    let came = customer.signed_up_at.or(head.created_at);
    for (name, at) in [
        ("signed_up_at", came),
        ("last_seen_at", customer.last_seen_at),
    ] {
        if let Some(at) = at.filter(|at| (0..=cx.now()).contains(at)) {
            set(name, json!(seconds(at)));
        }
    }
    for (name, value) in one_of_each(customer, &mut card, &mut losses) {
        set(name, json!(value));
    }
    Draft {
        item,
        platform: cx.platform(),
        attributes,
        fields,
        companies,
        tags,
        card,
        losses,
    }
}

/// The main address and the main number; the rest goes onto the card.
fn one_of_each(
    customer: &types::Customer,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Vec<(&'static str, String)> {
    let (mut kept, mut left): (Vec<(&'static str, String)>, Vec<&types::Address>) =
        (Vec::new(), Vec::new());
    for address in main_first(&customer.addresses) {
        let found = map::contact_address(&address.channel, &address.value);
        match found.filter(|_| !address.shared) {
            Some(found) if !kept.iter().any(|(name, _)| *name == found.0) => kept.push(found),
            Some(found) if kept.contains(&found) => {}
            _ => left.push(address),
        }
    }
    if !left.is_empty() {
        let note = "a contact has one e-mail address and one number: further, shared and other ones are on the source card";
        losses.push(loss("customer.addresses", Fidelity::Converted, note));
    }
    addresses(left, card);
    kept
}

// ---- fingerprint

/// What of a contact is compared before an undo.
pub fn facets(contact: &Contact) -> Vec<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut facets: Vec<(String, String)> = [
        ("name", text(&contact.name)),
        ("email", text(&contact.email).to_lowercase()),
        ("phone", text(&contact.phone)),
        ("external_id", text(&contact.external_id)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    for (name, value) in &contact.custom_attributes {
        facets.push((format!("field {name}"), canonical(value)));
    }
    facets
}

/// A contact as the body of a change would say it: the picture by its address alone.
fn as_said(contact: &Contact) -> Result<Value, Error> {
    let mut value = serde_json::to_value(contact)?;
    if let Some(members) = value.as_object_mut() {
        let avatar = contact.avatar.get("image_url").cloned().unwrap_or_default();
        members.insert("avatar".to_owned(), avatar);
    }
    Ok(value)
}

// ---- writing

struct Writer<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
}

impl Writer<'_> {
    /// Makes a contact, without an address that another has.
    async fn make(&self, item: &Item, mut draft: Draft<'_>) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            let body = draft.body(self.cx.run());
            let step = match attempt {
                0 => "create".to_owned(),
                n => format!("create:{n}"),
            };
            let key = key(&item.key, "main", &step);
            let request = client::write(self.cx, "POST", "/contacts", key)?.json(&body);
            let find = async || by_marker(self.cx, item).await;
            let ours =
                |contact: &Contact| is_of_run(self.cx, &contact.custom_attributes, CONTACT_RUN);
            let since = item.in_doubt_since.filter(|_| attempt == 0);
            match WRITES.make(since, request, find, ours).await? {
                Creation::There(contact, Some(proof), key) => {
                    return self.made(item, draft, contact, proof, key, &body).await;
                }
                Creation::There(contact, None, _) => {
                    return self.update(item, draft, &contact.id, false).await;
                }
                Creation::Unsettled => {
                    let why = "a contact whose creation was not answered";
                    unsettled(self.cx, item, why, draft.losses);
                    return Ok(());
                }
                Creation::Refused(refusal) => {
                    let Some((id, archived)) = refusal.taken_by() else {
                        reject(self.cx, item, refusal.rejection());
                        return Ok(());
                    };
                    if self.may_be(item, &id, archived).await? {
                        return self.update(item, draft, &id, archived).await;
                    }
                    if !draft.give_up_email() {
                        reject(self.cx, item, refusal.rejection());
                        return Ok(());
                    }
                }
            }
        }
        let error = Error::Conflict("other contacts have what it is known by".to_owned());
        reject(self.cx, item, error);
        Ok(())
    }

    /// Whether the contact that stands in the way may be the customer. An archived one does not show itself.
    async fn may_be(&self, item: &Item, id: &str, archived: bool) -> Result<bool, Error> {
        let doubted = item.existing.as_ref();
        if doubted.is_some_and(|c| c.doubtful.is_some() && c.target_id == id) {
            return Ok(false);
        }
        let Looked::There(there) = client::contact(self.cx, id).await? else {
            return Ok(archived);
        };
        let external = map::external_id(&item.marker);
        if there.external_id.as_deref() == Some(external.as_str()) {
            return Ok(true);
        }
        let found = There {
            marker: there.external_id.as_deref().unwrap_or(""),
            name: there.name.as_deref().unwrap_or(""),
            staff: false,
            several: false,
            by: MatchKey::Email,
        };
        Ok(doubt(self.cx, item, &found).is_none())
    }

    /// A contact is there by our request: what hangs on it, and the outcome.
    async fn made(
        &self,
        item: &Item,
        mut draft: Draft<'_>,
        contact: Contact,
        proof: Proof,
        key: OperationKey,
        body: &Map<String, Value>,
    ) -> Result<(), Error> {
        let mut effects = Vec::new();
        let open = self
            .hang(item, &mut draft, &contact, &mut effects, true)
            .await?;
        let mut main = made("main", "contact", &contact.id, Some(proof), key);
        main.fingerprint = Some(print(&said(facets(&contact), body)));
        main.url = self.page(&contact.id);
        // The contact goes first when this is undone, and takes the rest with it.
        effects.push(main);
        let status = match open {
            Some(why) => Status::Unsettled(why.to_owned()),
            None => Status::Created,
        };
        report(self.cx, item, status, effects, draft.losses);
        Ok(())
    }

    fn page(&self, id: &str) -> Option<String> {
        let workspace = &self.state.workspace;
        let page =
            format!("https://app.intercom.com/a/apps/{workspace}/users/{id}/all-conversations");
        (!workspace.is_empty()).then_some(page)
    }

    /// Hangs companies, tags and the source card on a contact; why the item is not settled.
    async fn hang(
        &self,
        item: &Item,
        draft: &mut Draft<'_>,
        contact: &Contact,
        effects: &mut Vec<Effect>,
        is_new: bool,
    ) -> Result<Option<&'static str>, Error> {
        let hangs = [
            (
                "companies",
                "company",
                "contact_company",
                draft.companies.clone(),
                &contact.companies,
            ),
            (
                "tags",
                "tag",
                "contact_tag",
                draft.tags.clone(),
                &contact.tags,
            ),
        ];
        for (list, part, kind, wanted, there) in hangs {
            for id in wanted {
                if there.data.iter().any(|one| one.id == id) {
                    continue;
                }
                if there.has_more && self.has(contact, list, &id).await? {
                    continue;
                }
                let part = format!("{part}:{id}");
                let path = format!("/contacts/{}/{list}", contact.id);
                let body = json!({"id": id});
                let request = |step: &str| {
                    let key = key(&item.key, &part, step);
                    let request = client::write(self.cx, "POST", path.clone(), key);
                    request.map(|request| request.idempotent(None).json(&body))
                };
                let find = async || Ok(self.has(contact, list, &id).await?.then_some(()));
                let done = change(self.cx, request, |_| Ok(()), find, |()| true).await?;
                match done {
                    Changed::Done((), key) => effects.push(Effect {
                        // It was missing right before, in this unit (rule D-4).
                        ..made(
                            &part,
                            kind,
                            format!("{}/{id}", contact.id),
                            Some(Proof::AbsentBefore),
                            key,
                        )
                    }),
                    Changed::Refused(_) => {
                        let field = format!(
                            "customer.{}",
                            if list == "tags" { "tags" } else { "company" }
                        );
                        let note = "Intercom did not hang it on the contact: it is gone, or there are too many";
                        draft.losses.push(loss(field, Fidelity::Lost, note));
                    }
                    Changed::Unknown => {
                        return Ok(Some("what hangs on a contact was not answered"));
                    }
                }
            }
        }
        if !is_new && !self.config.notes_on_matched {
            let note = "a note on a contact who was there cannot be taken back: not written, see `notes_on_matched`";
            draft.losses.push(loss("customer", Fidelity::Lost, note));
            return Ok(None);
        }
        let note = notes::Draft {
            contact: &contact.id,
            admin: &self.state.me,
            text: draft.card()?,
            mark: format!("{} {}", crate::thread::CARD, item.marker),
        };
        let at = (item.key.as_str(), "card", item.in_doubt_since);
        match notes::write(self.cx, at, &note).await? {
            notes::Written::At(effect) => effects.push(*effect),
            notes::Written::Refused(_) => {
                let note = "Intercom refused the source card";
                draft.losses.push(loss("customer", Fidelity::Lost, note));
            }
            notes::Written::Unknown => return Ok(Some("a note that was not answered")),
        }
        Ok(None)
    }

    /// Whether something hangs on a contact.
    async fn has(&self, contact: &Contact, list: &str, id: &str) -> Result<bool, Error> {
        let path = format!("/contacts/{}/{list}", contact.id);
        let all: Vec<Named> = client::list(self.cx, &path).await?;
        Ok(all.iter().any(|one| one.id == id))
    }

    /// Changes a contact.
    async fn put(
        &self,
        item: &Item,
        id: &str,
        part: &str,
        body: &Map<String, Value>,
    ) -> Result<Changed<Contact>, Error> {
        let path = format!("/contacts/{id}");
        let request = |step: &str| {
            let request = client::write(self.cx, "PUT", path.clone(), key(&item.key, part, step));
            request.map(|request| request.idempotent(None).json(body))
        };
        let find = async || match client::contact(self.cx, id).await? {
            Looked::There(contact) => Ok(Some(*contact)),
            Looked::Gone | Looked::Merged => Ok(None),
        };
        let is_done = |contact: &Contact| as_said(contact).is_ok_and(|now| holds(&now, body));
        change(self.cx, request, Reply::json, find, is_done).await
    }

    /// Brings an archived contact back (Intercom facts §6).
    async fn unarchive(&self, item: &Item, id: &str) -> Result<Result<Effect, Error>, Error> {
        let key = key(&item.key, "unarchive", "update");
        let path = format!("/contacts/{id}/unarchive");
        let request = client::write(self.cx, "POST", path, key.clone())?.idempotent(None);
        Ok(match http::write::<crate::api::Refusal>(request).await? {
            client::Sent::Done(_) => Ok(Effect {
                key: Some(key),
                before: Some(json!({"archived": true}).to_string()),
                ..effect("unarchive", "contact_archived", id, Action::Updated)
            }),
            client::Sent::Refused(refusal) => Err(refusal.rejection()),
            client::Sent::Doubt(_) => {
                return Err(Error::Transient(
                    "an unarchiving was not answered".to_owned(),
                ));
            }
        })
    }

    /// A contact who was there, as far as the policy goes.
    async fn update(
        &self,
        item: &Item,
        mut draft: Draft<'_>,
        id: &str,
        archived: bool,
    ) -> Result<(), Error> {
        let mut effects = Vec::new();
        if archived {
            match self.unarchive(item, id).await? {
                Ok(effect) => effects.push(effect),
                Err(error) => {
                    reject(self.cx, item, error);
                    return Ok(());
                }
            }
        }
        let Looked::There(before) = client::contact(self.cx, id).await? else {
            let why = "the contact that was matched is gone or was merged".to_owned();
            reject(self.cx, item, Error::Conflict(why));
            return Ok(());
        };
        let mut main = effect("main", "contact", id, Action::Matched);
        if item.policy == MatchPolicy::Leave {
            let note = "the contact that is there was left as it is";
            draft.losses.push(loss("customer", Fidelity::Lost, note));
            effects.push(main);
            let status = if archived {
                Status::Updated
            } else {
                Status::Matched
            };
            report(self.cx, item, status, effects, draft.losses);
            return Ok(());
        }
        let was = as_said(&before)?;
        let mut wanted = draft.attributes.clone();
        // An external id of somebody else's is never replaced.
        if !is_empty(was.get("external_id").unwrap_or(&Value::Null)) {
            wanted.remove("external_id");
        }
        let (mut body, mut images) = changes(item.policy, &wanted, &draft.fields, &was);
        if !body.is_empty() {
            let mut done = self.put(item, id, "main", &body).await?;
            if matches!(&done, Changed::Refused(refusal) if refusal.status == 409)
                && body.remove("email").is_some()
            {
                images.remove("email");
                draft.give_up_email();
                if !body.is_empty() {
                    done = self.put(item, id, "without-address", &body).await?;
                }
            }
            match done {
                Changed::Done(contact, key) => {
                    main = Effect {
                        action: Action::Updated,
                        key: Some(key),
                        before: Some(Value::Object(images).to_string()),
                        fingerprint: Some(print(&said(facets(&contact), &body))),
                        ..main
                    };
                }
                Changed::Refused(_) if body.is_empty() => {}
                Changed::Refused(refusal) => {
                    reject(self.cx, item, refusal.rejection());
                    return Ok(());
                }
                Changed::Unknown => {
                    let why = "a change of a contact that was not answered";
                    unsettled(self.cx, item, why, draft.losses);
                    return Ok(());
                }
            }
        }
        main.url = self.page(id);
        let open = self
            .hang(item, &mut draft, &before, &mut effects, false)
            .await?;
        let changed = main.action == Action::Updated || !effects.is_empty();
        let status = match open {
            Some(why) => Status::Unsettled(why.to_owned()),
            None if changed => Status::Updated,
            None => status_of(Action::Matched),
        };
        effects.insert(0, main);
        report(self.cx, item, status, effects, draft.losses);
        Ok(())
    }
}

/// The contact with an item's marker.
async fn by_marker(cx: &Context, item: &Item) -> Result<Option<Contact>, Error> {
    client::by_external_id(cx, &map::external_id(&item.marker)).await
}

/// By what a customer may be known here.
pub fn known_by(customer: &types::Customer) -> Vec<(MatchKey, &'static str, String)> {
    let mut known = Vec::new();
    for address in customer.addresses.iter().filter(|address| !address.shared) {
        let by = match address.channel {
            AddressChannel::Email => MatchKey::Email,
            _ => MatchKey::Phone,
        };
        if let Some((name, value)) = map::contact_address(&address.channel, &address.value) {
            known.push((by, name, value));
        }
    }
    known
}
