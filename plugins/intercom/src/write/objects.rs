//! Records of custom objects (Intercom facts §9).
//!
//! A type is made in Intercom's settings only, by the schema sheet; its records come by external id. Where nobody made the type, a record
//! is a note: on its conversation, else on its customer; what belongs to neither is exported. All of it is the source card, which names
//! every record that it points to.

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, exported_as, made, print, reject, report, status_of};
use transload_sdk::http::{Refusal as _, key, segment};
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::policy::canonical;
use transload_sdk::thread::{lead, with_lead};
use transload_sdk::types::{CustomObject, Entity, Error, Fidelity, Kind, Loss, ObjectType};

use super::conversations::{part_facets, whole};
use super::{Creation, WRITES, notes, unsettled};
use crate::api::{Conversation, Instance};
use crate::client;
use crate::map::{self, seconds};
use crate::state::{Config, State};
use crate::text::{html_of, plain_of};

/// Attribute of a type with the record's title.
pub const TITLE: &str = "title";
/// Attribute of a type with the run.
pub const RUN: &str = "transload_run";
/// Attribute of a type with the source card.
pub const CARD: &str = "source_card";

/// Where a type's records are, or one of them.
pub fn path(identifier: &str, id: &str) -> String {
    let kind = segment(identifier);
    match id {
        "" => format!("/custom_object_instances/{kind}"),
        id => format!("/custom_object_instances/{kind}/{id}"),
    }
}

/// The identifier that a type is to have: as the settings say, else its label without blanks and signs.
fn identifier(config: &Config, id: &str, label: &str) -> String {
    let letters = |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
    match config.object_types.get(id) {
        Some(identifier) => identifier.clone(),
        None if letters(label).is_empty() => letters(id),
        None => letters(label),
    }
}

/// Types of custom objects: matched where an administrator made them, by what the schema sheet calls them.
///
/// # Errors
/// What ends the unit.
pub async fn types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    for item in items {
        let Entity::ObjectType(ObjectType { label, .. }) = &item.entry().data else {
            reject(cx, item, Error::Bug("no object type".to_owned()));
            continue;
        };
        let identifier = identifier(&config, &item.entry().head.id, label);
        let there = client::get(cx, &path(&identifier, "")).await?.is_some();
        let note = if there {
            "its attributes were made in Intercom's settings"
        } else {
            "not made in Intercom's settings: its records are notes; the export is the schema sheet"
        };
        let losses = vec![loss("object-type", Fidelity::Converted, note)];
        if there {
            let main = effect("main", "object_type", identifier, Action::Matched);
            report(cx, item, Status::Matched, vec![main], losses);
        } else {
            let status = Status::Exported(exported_as(&Kind::ObjectType));
            report(cx, item, status, Vec::new(), losses);
        }
    }
    Ok(())
}

/// A record on its way.
struct Draft<'a> {
    item: &'a Item,
    object: &'a CustomObject,
    card: String,
    losses: Vec<Loss>,
}

/// What of a record is compared before an undo.
pub fn facets(instance: &Instance) -> Vec<(String, String)> {
    let values = instance.custom_attributes.iter();
    values
        .map(|(name, value)| (format!("field {name}"), canonical(value)))
        .collect()
}

/// Records of custom objects.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    for item in items {
        let Entity::CustomObject(object) = &item.entry().data else {
            reject(cx, item, Error::Bug("no custom object".to_owned()));
            continue;
        };
        let draft = draft(cx, &state, item, object)?;
        let kind = identifier(&config, &object.object_type, &object.object_type);
        let Some(draft) = as_instance(cx, &kind, draft).await? else {
            continue;
        };
        let conversation = object.conversation.as_ref();
        let conversation = conversation.and_then(|one| map::target(one, &Kind::Conversation));
        let customer = object.customer.as_ref();
        let customer = customer.and_then(|one| map::target(one, &Kind::Customer));
        match (conversation, customer) {
            (Some(id), _) => on_conversation(cx, &state, id, draft).await?,
            (None, Some(id)) => on_contact(cx, &state, id, draft).await?,
            (None, None) => {
                let mut losses = draft.losses;
                let note = "no type was made for it, and it belongs to no conversation and no customer that is here: exported";
                losses.push(loss("custom-object", Fidelity::Lost, note));
                let status = Status::Exported(exported_as(&Kind::CustomObject));
                report(cx, item, status, Vec::new(), losses);
            }
        }
    }
    Ok(())
}

fn draft<'a>(
    cx: &Context,
    state: &State,
    item: &'a Item,
    object: &'a CustomObject,
) -> Result<Draft<'a>, Error> {
    let head = &item.entry().head;
    let mut card = Facts::new(state.words(cx.time_zone()));
    card::whole_object(&cx.blobs(), head, object, &mut card)?;
    let losses = card::only_on_card(object);
    let text = card.render(cx.platform(), item, item.entry(), &losses)?;
    Ok(Draft {
        item,
        object,
        card: text,
        losses,
    })
}

/// A record of a type that was made; the draft again where it was not. Attributes that the type lacks are asked for until it takes what
/// is left: its own first, the card alone, nothing.
async fn as_instance<'a>(
    cx: &Context,
    kind: &str,
    mut draft: Draft<'a>,
) -> Result<Option<Draft<'a>>, Error> {
    let item = draft.item;
    let head = &item.entry().head;
    let external = map::external_id(&item.marker);
    let by_external = format!("{}?external_id={}", path(kind, ""), segment(&external));
    let look_up = async || client::find::<Instance>(cx, &by_external).await;
    let before = look_up().await?;
    let of_run = |one: &Instance| super::is_of_run(cx, &one.custom_attributes, RUN);
    let is_lost = item.in_doubt_since.is_some() && before.as_ref().is_some_and(of_run);
    let words = transload_sdk::words::Words::new([], cx.time_zone());
    let mut own = Map::new();
    let mut set = |name: &str, value: Value| own.insert(name.to_owned(), value);
    for field in &head.fields {
        set(
            &map::attribute_name(&field.name),
            json!(words.value(&field.value)),
        );
    }
    let (title, run, card) = (
        json!(draft.object.title),
        json!(cx.run()),
        json!(draft.card),
    );
    let ours = [(TITLE, title), (RUN, run), (CARD, card)];
    for (name, value) in ours.clone() {
        set(name, value);
    }
    let bare: Map<String, Value> = ours.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    let tries = [
        ("create", own),
        ("create-card", bare),
        ("create-bare", Map::new()),
    ];
    let mut refusal = None;
    for (step, values) in tries {
        let body = json!({
            "external_id": external, "external_created_at": head.created_at.map(seconds),
            "external_updated_at": head.updated_at.map(seconds), "custom_attributes": values,
        });
        let request = client::write(cx, "POST", path(kind, ""), key(&item.key, "main", step))?;
        let request = request.idempotent(None).json(&body);
        // It changes one that is there: no status says that it was made.
        let writes = WRITES.created(0);
        let made_it: Creation<Instance> = writes.make(None, request, look_up, |_| false).await?;
        match made_it {
            Creation::There(instance, _, key) => {
                let target = map::instance_target(kind, &instance.id);
                let absent = transload_sdk::ledger::Proof::AbsentBefore;
                let fresh = before.is_none() || is_lost;
                let mut main = made("main", "instance", target, fresh.then_some(absent), key);
                if let Some(before) = before.as_ref().filter(|_| !fresh) {
                    main.action = Action::Updated;
                    let image = json!({
                        "external_id": external, "custom_attributes": put_back(before, &instance),
                    });
                    main.before = Some(image.to_string());
                }
                main.fingerprint = Some(print(&facets(&instance)));
                if step != "create" && !head.fields.is_empty() {
                    let note = "the type lacks one of its attributes: on the source card of the record, where it has one";
                    draft
                        .losses
                        .push(loss("custom-object.fields", Fidelity::Converted, note));
                }
                if step == "create-bare" {
                    let note = "the type has no attributes `title`, `source_card` and `transload_run`: the rest is in the export of the source";
                    draft
                        .losses
                        .push(loss("custom-object", Fidelity::Lost, note));
                }
                report(cx, item, status_of(main.action), vec![main], draft.losses);
                return Ok(None);
            }
            // Nobody made the type.
            Creation::Refused(refused) if refused.status == 404 => return Ok(Some(draft)),
            Creation::Refused(refused) => refusal = Some(refused),
            Creation::Unsettled => {
                unsettled(cx, item, "a record that was not answered", draft.losses);
                return Ok(None);
            }
        }
    }
    let error = refusal.map_or(Error::Bug("no refusal".to_owned()), |refused| {
        refused.rejection()
    });
    reject(cx, item, error);
    Ok(None)
}

/// What puts a record's values back: what was not there is null.
fn put_back(before: &Instance, after: &Instance) -> Value {
    let of = |name: &String| {
        let was = before
            .custom_attributes
            .get(name)
            .cloned()
            .unwrap_or_default();
        (name.clone(), was)
    };
    after
        .custom_attributes
        .keys()
        .map(of)
        .collect::<Map<_, _>>()
        .into()
}

/// A note on the conversation.
async fn on_conversation(
    cx: &Context,
    state: &State,
    conversation: &str,
    draft: Draft<'_>,
) -> Result<(), Error> {
    let item = draft.item;
    let mark = format!("record {}; run {}", item.marker, cx.run());
    let said = format!("{} {}", draft.object.object_type, draft.object.title);
    let text = with_lead(lead(&[said, mark.clone()]).as_deref(), &draft.card);
    if let Some(prior) = prior_part(cx, item).await? {
        let main = effect(
            "main",
            "conversation_part",
            &prior.target_id,
            Action::Matched,
        );
        report(cx, item, Status::Matched, vec![main], draft.losses);
        return Ok(());
    }
    let mut body = json!({
        "message_type": "note", "type": "admin", "admin_id": state.me, "body": html_of(&text),
        "skip_notifications": true,
    });
    let at = item
        .entry()
        .head
        .created_at
        .map(|at| seconds(map::past(at, cx.now())));
    if let (Some(at), Some(body)) = (at, body.as_object_mut()) {
        body.insert("created_at".to_owned(), json!(at));
    }
    let path = format!("/conversations/{conversation}/reply");
    let request = client::write(cx, "POST", path, key(&item.key, "main", "create"))?.json(&body);
    let is_it = |part: &&crate::api::Part| {
        let text = part.body.as_deref().map(plain_of).unwrap_or_default();
        text.contains(&format!("{mark}]"))
    };
    let find = async || {
        let found = whole(cx, conversation).await?;
        Ok(found.filter(|one| one.parts().iter().any(|part| is_it(&part))))
    };
    let ours = |one: &Conversation| one.parts().iter().any(|part| is_it(&part));
    match WRITES
        .make(item.in_doubt_since, request, find, ours)
        .await?
    {
        Creation::There(found, proof, key) => {
            let part = found.parts().iter().find(is_it);
            let id = part.map(|part| part.id.clone()).unwrap_or_default();
            let target = format!("{conversation}/{id}");
            let mut main: Effect = made("main", "conversation_part", target, proof, key);
            main.fingerprint = part.map(|part| print(&part_facets(part)));
            report(cx, item, status_of(main.action), vec![main], draft.losses);
        }
        Creation::Refused(refusal) => reject(cx, item, refusal.rejection()),
        Creation::Unsettled => {
            let why = "a note whose creation was not answered";
            unsettled(cx, item, why, draft.losses);
        }
    }
    Ok(())
}

/// The note that an earlier load made, where it is still there: it goes with its conversation, and that is how it is taken back.
async fn prior_part<'i>(cx: &Context, item: &'i Item) -> Result<Option<&'i Effect>, Error> {
    let mut priors = item.prior.iter();
    let prior = priors.find(|effect| effect.target_kind == "conversation_part");
    let Some((prior, (conversation, id))) =
        prior.and_then(|prior| Some((prior, prior.target_id.split_once('/')?)))
    else {
        return Ok(None);
    };
    let there = whole(cx, conversation).await?;
    let is_there = there.is_some_and(|one| one.parts().iter().any(|part| part.id == id));
    Ok(is_there.then_some(prior))
}

async fn on_contact(
    cx: &Context,
    state: &State,
    contact: &str,
    draft: Draft<'_>,
) -> Result<(), Error> {
    let item = draft.item;
    if let Some(prior) = notes::prior(cx, item).await? {
        let main = effect("main", "contact_note", &prior.target_id, Action::Matched);
        report(cx, item, Status::Matched, vec![main], draft.losses);
        return Ok(());
    }
    let note = notes::Draft {
        contact,
        admin: &state.me,
        text: draft.card,
        mark: format!("record {}", item.marker),
    };
    match notes::write(cx, (&item.key, "main", item.in_doubt_since), &note).await? {
        notes::Written::At(main) => {
            report(cx, item, status_of(main.action), vec![*main], draft.losses);
        }
        notes::Written::Refused(refusal) => reject(cx, item, refusal.rejection()),
        notes::Written::Unknown => {
            let why = "a note whose creation was not answered";
            unsettled(cx, item, why, draft.losses);
        }
    }
    Ok(())
}
