//! Customers, as people.
//!
//! Each request that changes something has a key that is the same in every run. Only a complete answer settles it; one that is
//! missing is looked up by our marker, and a miss counts only after the settle time. What we claim to have made is proven, and what
//! the platform then holds of it is printed, so that an undo can see what was changed since.

use transload_sdk::Result;
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{Body, Candidate, Item, MatchKey, SlotValue};
use transload_sdk::effects::{self, status_of};
use transload_sdk::http::{Made, create};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::policy::{Found, doubt};
use transload_sdk::types::{
    Address, AddressChannel, Customer, Entity, Entry, Error, Fidelity, Kind, Loss,
};
use transload_sdk::words::Words;
use transload_sdk::{Context, people};

use crate::api::{Api, Person, refusal};
use crate::describe::SETTLE_MS;

/// What a person's effect says it is.
pub const KIND: &str = "person";
/// How a card says in which run it was written: the marker is the same in every run.
const RUN: &str = "Transload run";

/// What is there of an object, as verification wants it.
pub struct Seen {
    /// In the contract's words.
    pub body: Body,
    /// Slots that can be read back.
    pub values: Vec<SlotValue>,
    /// As in the effect.
    pub fingerprint: String,
}

/// Who may be there already: ours by marker, others by address.
pub async fn candidates(api: &Api<'_>, item: &Item) -> Result<Vec<Candidate>> {
    let Entity::Customer(customer) = &item.entry().data else {
        return Ok(Vec::new());
    };
    let mut found: Vec<(MatchKey, Person)> = Vec::new();
    for person in api.people("ref", &item.marker).await? {
        found.push((MatchKey::Marker, person));
    }
    if let Some(email) = first(customer, &AddressChannel::Email).and_then(people::email) {
        for person in api.people("email", &email).await? {
            if !found.iter().any(|(_, other)| other.id == person.id) {
                found.push((MatchKey::Email, person));
            }
        }
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for (by, person) in found {
        let seen = Found {
            marker: person.reference.as_deref().unwrap_or_default(),
            name: &person.name,
            staff: false,
            several: !candidates.is_empty(),
            by,
        };
        candidates.push(Candidate {
            doubtful: doubt(api.cx, item, &seen).map(str::to_owned),
            before: serde_json::to_string(&person)?,
            target_id: person.id,
            by,
        });
    }
    Ok(candidates)
}

/// Writes a customer.
pub async fn write(api: &Api<'_>, item: &Item) -> Result<()> {
    if let Some(there) = item.certain() {
        let effect = effects::effect("main", KIND, &there.target_id, Action::Matched);
        effects::report(api.cx, item, Status::Matched, vec![effect], Vec::new());
        return Ok(());
    }
    let (mut person, mut losses) = draft(api.cx, item)?;
    let look_up = async || Ok(api.people("ref", &item.marker).await?.into_iter().next());
    // A second body only where the address is somebody else's: the first was surely refused.
    for step in ["create", "create-without-email"] {
        let request = api.cx.http().post("/people").json(&person);
        let made = create(api.cx, request.key(&item.key, "main", step))
            .in_doubt_since(item.in_doubt_since)
            .or_find(look_up, SETTLE_MS)
            .await?;
        let (person, proof, key) = match made {
            Made::Created { reply, proof, key } => (reply.json::<Person>()?, proof, key),
            Made::Found { object, proof, key } => {
                let proof = proof.or_else(|| of_this_run(api.cx, &object.notes));
                (object, proof, key)
            }
            Made::Refused(reply) if reply.status() == 409 && person.email.is_some() => {
                person.email = None;
                losses.push(loss(
                    "addresses.email",
                    Fidelity::Lost,
                    "another person's here",
                ));
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
        let action = match proof {
            Some(_) => Action::Created,
            // There, and perhaps somebody else's: a rollback leaves it.
            None => Action::Matched,
        };
        let effect = Effect {
            proof,
            key,
            fingerprint: Some(effects::print(&facets(&person))),
            ..effects::effect("main", KIND, &person.id, action)
        };
        effects::report(api.cx, item, status_of(action), vec![effect], losses);
        return Ok(());
    }
    Ok(())
}

/// All that we write of a person.
pub fn facets(person: &Person) -> Vec<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("name".into(), person.name.clone()),
        ("email".into(), text(&person.email)),
        ("phone".into(), text(&person.phone)),
        ("ref".into(), text(&person.reference)),
        ("notes".into(), person.notes.clone()),
    ]
}

/// What proves that something that was there is this run's: the card names the run.
pub fn of_this_run(cx: &Context, card: &str) -> Option<Proof> {
    let line = format!("{RUN}: {}", cx.run());
    let named = card.lines().any(|said| said.ends_with(&line));
    named.then(|| Proof::Marker(cx.run().to_owned()))
}

/// Says on a card in which run it was written.
pub fn add_run(cx: &Context, card: &mut Facts) {
    card.add(RUN, cx.run());
}

/// What a customer becomes.
fn draft(cx: &Context, item: &Item) -> Result<(Person, Vec<Loss>)> {
    let entry = item.entry();
    let Entity::Customer(customer) = &entry.data else {
        return Err(Error::Bug("a customer that is none".into()));
    };
    let name = people::customer_name(entry, customer);
    let mut card = Facts::new(Words::new([], cx.time_zone()));
    card::customer(&entry.head, &name, customer, &mut card);
    card::addresses(&customer.addresses, &mut card);
    card.reference("company", customer.company.as_ref());
    card.references("tags", &customer.tags);
    for field in &entry.head.fields {
        card.field(field);
    }
    add_run(cx, &mut card);
    let losses = Vec::new();
    let person = Person {
        id: String::new(),
        name,
        email: first(customer, &AddressChannel::Email).and_then(people::email),
        phone: first(customer, &AddressChannel::Phone).map(str::to_owned),
        reference: Some(item.marker.clone()),
        notes: card.render(cx.platform(), item, entry, &losses)?,
    };
    Ok((person, losses))
}

/// The primary address of a channel, else its first. What several people share tells nobody apart.
fn first<'c>(customer: &'c Customer, channel: &AddressChannel) -> Option<&'c str> {
    let own = |address: &&Address| address.channel == *channel && !address.shared;
    let mut all = customer.addresses.iter().filter(own);
    let primary = customer
        .addresses
        .iter()
        .filter(own)
        .find(|address| address.primary);
    primary
        .or_else(|| all.next())
        .map(|address| address.value.as_str())
}

/// What became of a person.
pub async fn read_back(api: &Api<'_>, effect: &Effect) -> Result<Option<Seen>> {
    let Some(person) = api.person(&effect.target_id).await? else {
        return Ok(None);
    };
    let address =
        |channel, value: &Option<String>| value.as_ref().map(|value| Address::new(channel, value));
    let customer = Customer {
        name: Some(person.name.clone()),
        addresses: address(AddressChannel::Email, &person.email)
            .into_iter()
            .chain(address(AddressChannel::Phone, &person.phone))
            .collect(),
        ..Customer::empty()
    };
    let mut entry = Entry::new(Kind::Customer, &person.id, Entity::Customer(customer));
    entry.head.external_id = person.reference.clone();
    Ok(Some(Seen {
        body: entry.into(),
        values: Vec::new(),
        fingerprint: effects::print(&facets(&person)),
    }))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;
    use std::rc::Rc;

    use futures::executor::block_on;
    use transload_sdk::Destination as _;
    use transload_sdk::http::Body;
    use transload_sdk::ledger::Status;
    use transload_sdk::testing::items::customer;
    use transload_sdk::testing::{Harness, Loss, answer};

    use super::*;
    use crate::Connector;

    /// Cleo, as a customer of the source.
    fn cleo() -> Item {
        let data = Customer {
            name: Some("Cleo".into()),
            addresses: vec![Address::new(AddressChannel::Email, "cleo@acme.example")],
            ..Customer::empty()
        };
        customer("c1", Vec::new(), data)
    }

    /// A platform of a few lines, that remembers whom it made; what is waited for passes.
    fn platform(people: &Rc<RefCell<Vec<Person>>>) -> Harness {
        let people = Rc::clone(people);
        Harness::new(move |request| {
            let mut people = people.borrow_mut();
            if request.method == "POST" {
                let Body::Bytes(body) = &request.body else {
                    return ready(answer(400, ""));
                };
                let Ok(mut person) = serde_json::from_slice::<Person>(body) else {
                    return ready(answer(400, ""));
                };
                person.id = format!("p{}", people.len() + 1);
                people.push(person.clone());
                return ready(answer(201, serde_json::json!(person).to_string()));
            }
            let found = serde_json::json!({ "people": *people });
            ready(answer(200, found.to_string()))
        })
        .sleeping(|_| ())
    }

    #[test]
    fn a_person_whose_answer_was_lost_is_made_once() {
        let people = Rc::default();
        let harness = platform(&people).lose_answer(1, Loss::AfterApplying);
        let cx = harness.context();
        assert_eq!(
            block_on(Connector::write(&cx, Kind::Customer, vec![cleo()])),
            Ok(())
        );
        assert_eq!(block_on(cx.reported()), Ok(()));
        assert_eq!(people.borrow().len(), 1);
        assert!(matches!(harness.outcomes().as_slice(), [one] if one.status == Status::Created));

        // The host may run the same call again after a crash: it must take the same way.
        let (cx, again) = harness.replay();
        assert_eq!(
            block_on(Connector::write(&cx, Kind::Customer, vec![cleo()])),
            Ok(())
        );
        assert_eq!(block_on(cx.reported()), Ok(()));
        assert_eq!(harness.same_way(&again), None);
    }
}
