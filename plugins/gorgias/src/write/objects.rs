//! Records of custom objects, which Gorgias has not (Gorgias facts §10).
//!
//! One that belongs to a conversation is an internal note on its ticket. Any other is in the JSON document on its customer, which
//! widgets show. What belongs to neither is exported. All of it is the source card, which names every record that it points to.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, exported_as, made, print, reject, report, status_of};
use transload_sdk::http::{Refusal as _, key, segment};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::links::Written;
use transload_sdk::policy::canonical;
use transload_sdk::thread::{lead, with_lead};
use transload_sdk::types::{CustomObject, Error, Fidelity, Kind, Loss};

use super::tickets::{message_facets, messages_of};
use super::{Creation, WRITES, data, unsettled};
use crate::api::Message;
use crate::map;
use crate::state::{Config, State};
use crate::thread::note;

/// Where records are in our member of a customer's document.
pub const OBJECTS: &str = "objects";

/// A record on its way.
struct Draft<'a> {
    item: &'a Item,
    object: &'a CustomObject,
    card: String,
    losses: Vec<Loss>,
}

/// Records of custom objects.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let mut by_customer: BTreeMap<String, Vec<Draft<'_>>> = BTreeMap::new();
    for (item, object) in each::<CustomObject>(cx, items) {
        let draft = draft(cx, &config, item, object)?;
        let ticket = object.conversation.as_ref().and_then(map::numeric_target);
        let draft = match ticket {
            Some(ticket) => on_ticket(cx, &state, ticket, draft).await?,
            None => Some(draft),
        };
        let Some(mut draft) = draft else { continue };
        match object.customer.as_ref().and_then(map::numeric_target) {
            Some(customer) => by_customer
                .entry(customer.to_string())
                .or_default()
                .push(draft),
            None => {
                let note = "belongs to no ticket and no customer that is here: exported";
                draft
                    .losses
                    .push(loss("custom-object", Fidelity::Lost, note));
                let status = Status::Exported(exported_as(&Kind::CustomObject));
                report(cx, item, status, Vec::new(), draft.losses);
            }
        }
    }
    for (customer, drafts) in by_customer {
        on_customer(cx, &customer, drafts).await?;
    }
    Ok(())
}

fn draft<'a>(
    cx: &Context,
    config: &Config,
    item: &'a Item,
    object: &'a CustomObject,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut card = Facts::new(config.words(cx.time_zone()));
    card::whole_object(&cx.blobs(), head, object, &mut card)?;
    card.add("run", cx.run());
    let losses = card::only_on_card(object);
    let text = card.render(cx.platform(), item, item.entry(), &losses)?;
    Ok(Draft {
        item,
        object,
        card: text,
        losses,
    })
}

/// A note on the ticket; the draft again where the ticket does not take it.
async fn on_ticket<'a>(
    cx: &Context,
    state: &State,
    ticket: u64,
    mut draft: Draft<'a>,
) -> Result<Option<Draft<'a>>, Error> {
    let item = draft.item;
    let head = &item.entry().head;
    let external = map::external_id(&item.marker);
    let said = format!("{} {}", draft.object.object_type, draft.object.title);
    let body = with_lead(lead(&[said]).as_deref(), &draft.card);
    let at = head.created_at.unwrap_or(cx.now());
    let message = note(
        external.clone(),
        state.me,
        body,
        map::stamp(map::past(at, cx.now())),
    );
    let find = async || {
        let all = messages_of(cx, ticket).await?;
        Ok(all
            .into_iter()
            .find(|m| m.external_id.as_deref() == Some(external.as_str())))
    };
    // The text says which run wrote it.
    let run = format!("run: {}\n", cx.run());
    let ours = |message: &Message| {
        message
            .body_text
            .as_deref()
            .is_some_and(|text| text.contains(&run))
    };
    let prior = item.prior.iter().any(|e| e.target_kind == "message");
    if prior && let Some(found) = find().await? {
        let target = format!("{ticket}/{}", found.id);
        let main = effect("main", "message", target, Action::Matched);
        report(cx, item, Status::Matched, vec![main], draft.losses);
        return Ok(None);
    }
    let request = cx
        .http()
        .write(
            "POST",
            format!("/tickets/{ticket}/messages"),
            key(&item.key, "main", "create"),
        )
        .json(&message);
    match WRITES
        .make(item.in_doubt_since, request, find, ours)
        .await?
    {
        Creation::There(message, proof, key) => {
            let target = format!("{ticket}/{}", message.id);
            let mut main = made("main", "message", target, proof, key);
            main.fingerprint = Some(print(&message_facets(&message)));
            main.url = Some(format!("/app/ticket/{ticket}"));
            report(cx, item, status_of(main.action), vec![main], draft.losses);
            Ok(None)
        }
        Creation::Refused(refusal) if refusal.status == 404 && draft.object.customer.is_some() => {
            let note = "its ticket is gone: on the customer";
            draft.losses.push(loss(
                "custom-object.conversation",
                Fidelity::Converted,
                note,
            ));
            Ok(Some(draft))
        }
        Creation::Refused(refusal) => {
            reject(cx, item, refusal.rejection());
            Ok(None)
        }
        Creation::Unsettled => {
            unsettled(
                cx,
                item,
                "a note whose creation was not answered",
                draft.losses,
            );
            Ok(None)
        }
    }
}

/// A record's place in the document of its customer, as effects name it: customer, type and id.
pub fn target(customer: &str, object_type: &str, id: &str) -> String {
    format!("{customer}/{}/{}", segment(object_type), segment(id))
}

/// What of a record in a document is compared before an undo.
pub fn member_facets(member: &Value) -> Vec<(String, String)> {
    vec![("record".to_owned(), canonical(member))]
}

/// All records of a unit on one customer, with one change of the document.
async fn on_customer(cx: &Context, customer: &str, drafts: Vec<Draft<'_>>) -> Result<(), Error> {
    let Some(before) = data::read(cx, customer).await? else {
        for draft in drafts {
            let error =
                Error::Conflict("the customer it belongs to is gone or was merged".to_owned());
            reject(cx, draft.item, error);
        }
        return Ok(());
    };
    let mut after = before.clone();
    let mut members: Vec<(Draft<'_>, String, String, Value)> = Vec::new();
    for draft in drafts {
        let head = &draft.item.entry().head;
        let (kind, id) = (segment(&draft.object.object_type), segment(&head.id));
        let member = json!({
            "title": draft.object.title, "status": draft.object.status, "url": head.url,
            "marker": draft.item.marker, "run": cx.run(), "card": draft.card,
        });
        let was = data::get(&before, &[OBJECTS, &kind, &id]);
        // What an earlier run said stays as it is where nothing else is to be said.
        let member = match was {
            Some(was) if same_but_run(was, &member) => was.clone(),
            _ => member,
        };
        after = data::set(&after, &[OBJECTS, &kind, &id], member.clone());
        members.push((draft, kind, id, member));
    }
    let written = if after == before {
        None
    } else {
        let first = members.first().map(|(draft, ..)| draft.item.key.as_str());
        let part = format!("objects:{customer}:{}", first.unwrap_or_default());
        Some(data::write(cx, ("*", &part), customer, &after).await?)
    };
    for (draft, kind, id, member) in members {
        let was = data::get(&before, &[OBJECTS, &kind, &id]);
        let target = format!("{customer}/{kind}/{id}");
        let matched = effect("main", "customer_object", target, Action::Matched);
        let unchanged = was == Some(&member);
        let main = match &written {
            _ if unchanged && !lost(cx, draft.item, &member) => matched,
            // An earlier attempt of this run wrote it, and its answer is lost.
            _ if unchanged => Effect {
                action: Action::Created,
                proof: Some(Proof::Marker(cx.run().to_owned())),
                fingerprint: Some(print(&member_facets(&member))),
                ..matched
            },
            Some(Written::Done(key)) => Effect {
                key: Some(key.clone()),
                fingerprint: Some(print(&member_facets(&member))),
                ..match was {
                    None => Effect {
                        action: Action::Created,
                        proof: Some(Proof::AbsentBefore),
                        ..matched
                    },
                    Some(was) => Effect {
                        action: Action::Updated,
                        before: Some(was.to_string()),
                        ..matched
                    },
                }
            },
            Some(Written::Refused(error)) => {
                reject(cx, draft.item, error.clone());
                continue;
            }
            Some(Written::Unknown) | None => {
                unsettled(
                    cx,
                    draft.item,
                    "a document that was not answered",
                    draft.losses,
                );
                continue;
            }
        };
        report(
            cx,
            draft.item,
            status_of(main.action),
            vec![main],
            draft.losses,
        );
    }
    Ok(())
}

fn lost(cx: &Context, item: &Item, member: &Value) -> bool {
    let of_run = member.get("run").and_then(Value::as_str) == Some(cx.run());
    of_run && item.in_doubt_since.is_some() && item.prior.is_empty()
}

/// Whether two forms of a record differ in nothing but the run that wrote them.
fn same_but_run(was: &Value, now: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        if let Some(members) = value.as_object_mut() {
            let run = members.remove("run");
            let run = run
                .as_ref()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            if let Some(card) = members.get("card").and_then(Value::as_str) {
                let card = card.replace(&run, "");
                members.insert("card".to_owned(), json!(card));
            }
        }
        canonical(&value)
    };
    without(was) == without(now)
}
