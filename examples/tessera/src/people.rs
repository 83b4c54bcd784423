//! Customers, as people.
//!
//! Each request that changes something has a key that is the same in every run (D-1). Only a complete answer settles it (D-2);
//! one that is missing is looked up by our marker, and a miss counts only after the settle time (D-3). What we claim to have
//! made is proven (D-4), and what the platform then holds of it is printed, so that an undo can see what was changed (D-11).

use serde_json::{Map, Value, json};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{Candidate, Item, MatchPolicy};
use transload_sdk::effects::{self, status_of};
use transload_sdk::http::{Made, OperationKey, create};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::policy::{Change, canonical, changes};
use transload_sdk::types::{Address, AddressChannel, Customer, Entity, Error, Fidelity, Loss};
use transload_sdk::words::Words;
use transload_sdk::{Context, Result, people};

use crate::State;
use crate::api::{Api, Person, SETTLE_KEY_MS, TEXT_LIMIT, person_path, refusal, version, words};
use crate::fields;

/// What a person's effect says it is.
pub const KIND: &str = "person";
/// How a card says in which run it was written: the marker is the same in every run.
const RUN: &str = "Transload run";

/// Who asks in tickets of nobody: one person, ours.
pub async fn nobody(api: &Api<'_>) -> Result<String> {
    const ITEM: &str = "own:nobody";
    let marker = format!("{}own:nobody", api.cx.marker_prefix());
    let body = json!({"name": "Unknown (migrated)", "ref": marker});
    let request = api.cx.http().post("/people").json(&body);
    let made = create(api.cx, request.key(ITEM, "main", "create"))
        .look_first()
        .or_find(async || by_marker(api, &marker).await, SETTLE_KEY_MS)
        .await?;
    let (person, proof, key) = match made {
        Made::Created { reply, proof, key } => (reply.json::<Person>()?, proof, key),
        Made::Found { object, proof, key } => (object, proof, key),
        Made::Refused(reply) => return Err(reply.error(words)),
        Made::Unsettled(why) => return Err(Error::Transient(why)),
    };
    let effect = effect(&person, proof, key);
    effects::own(api.cx, ITEM, vec![effect]).await?;
    Ok(person.id)
}

/// Writes a customer.
pub async fn write(api: &Api<'_>, state: &State, item: &Item) -> Result<()> {
    let mut draft = draft(api.cx, state, item, true)?;
    if let Some(there) = item.certain() {
        return update(api, item, there, &draft).await;
    }
    let look_up = async || by_marker(api, &item.marker).await;
    // A second body only where the address is somebody else's: the first was surely refused.
    for step in ["create", "create-without-email"] {
        let request = api.cx.http().post("/people").json(&draft.body());
        let made = create(api.cx, request.key(&item.key, "main", step))
            .in_doubt_since(item.in_doubt_since)
            .or_find(look_up, SETTLE_KEY_MS)
            .await?;
        let (person, proof, key) = match made {
            Made::Created { reply, proof, key } => (reply.json::<Person>()?, proof, key),
            Made::Found { object, proof, key } => {
                let proof = proof.or_else(|| of_this_run(api.cx, state, &object));
                (object, proof, key)
            }
            // People are not fused by force (M-7): this one goes on without the address.
            Made::Refused(reply) if reply.status() == 409 && step == "create" => {
                draft = self::draft(api.cx, state, item, false)?;
                continue;
            }
            Made::Refused(reply) => {
                effects::reject(api.cx, item, refusal(&reply)?);
                return Ok(());
            }
            Made::Unsettled(why) => {
                effects::report(api.cx, item, Status::Unsettled(why), Vec::new(), Vec::new());
                return Ok(());
            }
        };
        let effect = effect(&person, proof, key);
        effects::report(
            api.cx,
            item,
            status_of(effect.action),
            vec![effect],
            draft.losses,
        );
        return Ok(());
    }
    Ok(())
}

/// A person with our marker, consistent at once.
pub async fn by_marker(api: &Api<'_>, marker: &str) -> Result<Option<Person>> {
    Ok(api.people("ref", marker).await?.into_iter().next())
}

/// What proves that a person who was there is this run's: the card names it.
fn of_this_run(cx: &Context, state: &State, person: &Person) -> Option<Proof> {
    let card = person.attributes.get(&state.card_field)?.as_str()?;
    names_run(cx, card).then(|| Proof::Marker(cx.run().to_owned()))
}

/// Says on a card in which run it was written.
pub fn add_run(cx: &Context, card: &mut Facts) {
    card.add(RUN, cx.run());
}

/// Whether a card says that it was written in this run.
pub fn names_run(cx: &Context, card: &str) -> bool {
    let line = format!("{RUN}: {}", cx.run());
    card.lines().any(|said| said.ends_with(&line))
}

fn effect(person: &Person, proof: Option<Proof>, key: Option<OperationKey>) -> Effect {
    let action = match proof {
        Some(_) => Action::Created,
        // There, and perhaps somebody else's: a rollback leaves it.
        None => Action::Matched,
    };
    Effect {
        proof,
        key,
        fingerprint: Some(effects::print(&facets(person))),
        version: version(&person.version),
        ..effects::effect("main", KIND, &person.id, action)
    }
}

/// All that we write of a person whom we made. Attributes are one facet: one that somebody added is a change, too.
pub fn facets(person: &Person) -> Vec<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("name".into(), person.name.clone()),
        ("email".into(), text(&person.email)),
        ("phone".into(), text(&person.phone)),
        ("ref".into(), text(&person.reference)),
        (
            "attributes".into(),
            canonical(&Value::Object(person.attributes.clone())),
        ),
    ]
}

/// What a customer becomes, apart from what is there.
struct Draft {
    head: Map<String, Value>,
    attributes: Map<String, Value>,
    losses: Vec<Loss>,
}

impl Draft {
    fn body(&self) -> Value {
        let mut body = self.head.clone();
        body.insert("attributes".into(), self.attributes.clone().into());
        Value::Object(body)
    }
}

/// `free` says whether the address is; one that is somebody else's here stands on the card.
fn draft(cx: &Context, state: &State, item: &Item, free: bool) -> Result<Draft> {
    let entry = item.entry();
    let Entity::Customer(customer) = &entry.data else {
        return Err(Error::Bug("a customer that is none".into()));
    };
    let mut losses = Vec::new();
    let mut card = Facts::new(Words::new([], cx.time_zone()));
    let name = people::customer_name(entry, customer);
    card::customer(&entry.head, &name, customer, &mut card);
    add_run(cx, &mut card);

    let mut head = Map::new();
    head.insert("name".into(), name.into());
    head.insert("ref".into(), item.marker.as_str().into());
    let email = first(customer, &AddressChannel::Email, people::email);
    let phone = first(customer, &AddressChannel::Phone, |phone| {
        (!phone.trim().is_empty()).then(|| phone.to_owned())
    });
    let kept = |address: &&Address| {
        let chosen = [&email, &phone].into_iter().flatten();
        chosen
            .map(|(place, _)| *place)
            .any(|place| std::ptr::eq(place, *address))
    };
    let left: Vec<&Address> = customer
        .addresses
        .iter()
        .filter(|address| !kept(address))
        .collect();
    if !left.is_empty() {
        losses.push(loss(
            "customer.addresses",
            Fidelity::Converted,
            "a person has one e-mail address and one number; the others stand on the source card",
        ));
    }
    card::addresses(left, &mut card);
    card.reference("company", customer.company.as_ref());
    card.references("tags", &customer.tags);
    card.add("merged from", customer.merged_from.join(", "));
    if let Some((address, email)) = email {
        if free {
            head.insert("email".into(), email.into());
        } else {
            card::addresses([address], &mut card);
            losses.push(loss(
                "addresses.email",
                Fidelity::Converted,
                "another person's here; it stands on the source card",
            ));
        }
    }
    head.extend(phone.map(|(_, phone)| ("phone".to_owned(), phone.into())));

    let mut attributes = fields::values(&entry.head.fields, &mut card, &mut losses);
    let card = card.render(cx.platform(), item, entry, &losses)?;
    let (card, cut) = card::fitted(&card, TEXT_LIMIT);
    if cut {
        losses.push(loss(
            "customer.*",
            Fidelity::Lost,
            "the source card is longer than an attribute may be",
        ));
    }
    attributes.insert(state.card_field.clone(), card.into());
    Ok(Draft {
        head,
        attributes,
        losses,
    })
}

/// The address of a channel of which a person has one here, and its form: the primary one, else the first. What several people
/// share tells nobody apart.
fn first<'c>(
    customer: &'c Customer,
    channel: &AddressChannel,
    read: impl Fn(&str) -> Option<String>,
) -> Option<(&'c Address, String)> {
    let of = |primary: bool| {
        customer
            .addresses
            .iter()
            .filter(|address| {
                address.channel == *channel && !address.shared && address.primary == primary
            })
            .find_map(|address| Some((address, read(&address.value)?)))
    };
    of(true).or_else(|| of(false))
}

/// Changes a person who is there as the policy allows: nothing, what is empty, or what differs (M-7).
async fn update(api: &Api<'_>, item: &Item, there: &Candidate, draft: &Draft) -> Result<()> {
    let Some(person) = api.person(&there.target_id).await? else {
        let error = Error::NotFound("the person was deleted".into());
        effects::reject(api.cx, item, error);
        return Ok(());
    };
    let (head, attributes) = change(item.policy, draft, &person)?;
    if head.wanted.is_empty() && attributes.wanted.is_empty() {
        let effect = effects::effect("main", KIND, &person.id, Action::Matched);
        effects::report(
            api.cx,
            item,
            Status::Matched,
            vec![effect],
            draft.losses.clone(),
        );
        return Ok(());
    }
    let (wanted, before) = (
        joined(head.wanted, attributes.wanted),
        joined(head.before, attributes.before),
    );
    let request = api
        .cx
        .http()
        .patch(person_path(&person.id))
        .json(&wanted)
        .idempotent(None);
    let request = request.key(&item.key, "main", "update");
    let key = request.request().key.clone();
    let reply = request.send().await?;
    if !reply.ok() {
        effects::reject(api.cx, item, refusal(&reply)?);
        return Ok(());
    }
    let person: Person = reply.json()?;
    let effect = Effect {
        key,
        fingerprint: Some(effects::print(&facets_of(&person, &before)?)),
        before: Some(before.to_string()),
        version: version(&person.version),
        ..effects::effect("main", KIND, &person.id, Action::Updated)
    };
    effects::report(
        api.cx,
        item,
        Status::Updated,
        vec![effect],
        draft.losses.clone(),
    );
    Ok(())
}

fn change(policy: MatchPolicy, draft: &Draft, person: &Person) -> Result<(Change, Change)> {
    let there = serde_json::to_value(person)?;
    let attributes = Value::Object(person.attributes.clone());
    Ok((
        changes(policy, &draft.head, &there),
        changes(policy, &draft.attributes, &attributes),
    ))
}

fn joined(head: Map<String, Value>, attributes: Map<String, Value>) -> Value {
    let mut all = head;
    if !attributes.is_empty() {
        all.insert("attributes".into(), attributes.into());
    }
    Value::Object(all)
}

/// What a person has now of the attributes that a before-image names.
pub fn facets_of(person: &Person, before: &Value) -> Result<Vec<(String, String)>> {
    let now = serde_json::to_value(person)?;
    let mut facets = Vec::new();
    for (name, value) in before.as_object().into_iter().flatten() {
        let held = now.get(name).unwrap_or(&Value::Null);
        match value.as_object().filter(|_| name == "attributes") {
            Some(attributes) => facets.extend(attributes.keys().map(|key| {
                let held = held.get(key).unwrap_or(&Value::Null);
                (format!("attributes.{key}"), canonical(held))
            })),
            None => facets.push((name.clone(), canonical(held))),
        }
    }
    Ok(facets)
}
