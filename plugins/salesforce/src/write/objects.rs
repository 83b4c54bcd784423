//! Records of custom objects.
//!
//! Two hundred go in one request, each with its unique external id, so that a request may be repeated; lookups that could not
//! be set when a record was made (a cycle, a later record) are set by `links` afterwards. Whom and what a record belongs to
//! stands in lookups of our own, which show it from the other side, too (rule M-15). A record that was there is changed by the
//! written policy (rule M-7).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{self, Facts, fitted, loss};
use transload_sdk::destination::{Item, MatchPolicy};
use transload_sdk::effects::{effect, made, reject, report, status_of, updated};
use transload_sdk::http::Refusal as _;
use transload_sdk::items::{by_object, each};
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::people::name_or_id;
use transload_sdk::policy::{Change, changes, leave_theirs};
use transload_sdk::types::{CustomObject, Entity, Error, Fidelity, Loss, Reference};
use transload_sdk::words::{self, Words};

use crate::api::Record;
use crate::client::{self, ChangeRow, Changed, Row, Saved};
use crate::fields::{self as own, own_values};
use crate::map::{self, Choices};
use crate::state::{Config, State};
use crate::text::cut_chars;
use crate::thread::user;
use crate::undo::facets_now;

use super::{audit, custom_fields, sent_print};

/// Characters of a record's name (Salesforce facts §10.3, a text).
pub const NAME_CHARS: usize = 80;
/// Bytes of the source card: its field holds characters, of which each is a byte at least.
const CARD_BYTES: usize = own::CARD_CHARS;

/// A record on its way.
struct Draft<'a> {
    item: &'a Item,
    values: Map<String, Value>,
    losses: Vec<Loss>,
}

/// Records of custom objects.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let words = config.words(cx.time_zone());
    let name = |record: &CustomObject| map::object_name(&record.object_type);
    for (object, items) in by_object(each::<CustomObject>(cx, items), name) {
        let choices = super::choices(cx, &object, &items).await?;
        let maker = Maker {
            cx,
            state: &state,
            words: &words,
            choices: &choices,
        };
        let mut drafts = Vec::with_capacity(items.len());
        for item in &items {
            if let Entity::CustomObject(data) = &item.entry().data {
                drafts.push(maker.draft(&object, item, data)?);
            }
        }
        maker.write(&object, drafts).await?;
    }
    Ok(())
}

struct Maker<'a> {
    cx: &'a Context,
    state: &'a State,
    words: &'a Words,
    choices: &'a Choices,
}

impl Maker<'_> {
    fn draft<'i>(
        &self,
        object: &str,
        item: &'i Item,
        data: &CustomObject,
    ) -> Result<Draft<'i>, Error> {
        let head = &item.entry().head;
        let cx = self.cx;
        let mut losses = Vec::new();
        let mut card = Facts::new(self.words.clone());
        card::head(head, &mut card);
        let mut values = Map::new();
        let name = name_or_id(item.entry(), &data.title);
        let (short, cut) = cut_chars(name, NAME_CHARS);
        values.insert("Name".to_owned(), json!(short));
        if cut {
            card.add("title", name);
            let note = "longer than a record's name holds: whole on the source card";
            losses.push(loss("custom-object.title", Fidelity::Converted, note));
        }
        own_values(cx.run(), &item.marker, head, &mut values);
        custom_fields(
            object,
            &head.fields,
            self.choices,
            &mut values,
            &mut card,
            &mut losses,
        );
        for (field, says, reference, to) in [
            (
                own::CONTACT,
                "custom-object.customer",
                &data.customer,
                "Contact",
            ),
            (
                own::ACCOUNT,
                "custom-object.company",
                &data.company,
                "Account",
            ),
            (
                own::CASE,
                "custom-object.conversation",
                &data.conversation,
                "Case",
            ),
        ] {
            let Some(reference) = reference else { continue };
            match map::lookup_id(reference, to) {
                Ok(id) => {
                    values.insert(field.to_owned(), json!(id));
                }
                Err(misfit) => {
                    card.reference(says, Some(reference));
                    losses.push(loss(says, Fidelity::Converted, misfit.0));
                }
            }
        }
        if let Some(owner) = data.assignee.as_ref().and_then(user) {
            values.insert("OwnerId".to_owned(), json!(owner));
        }
        let author = head.created_by.as_ref().and_then(user);
        audit(cx, self.state, object, head, author, &mut values);
        self.tags(&data.tags, &mut values, &mut card, &mut losses);
        card::object(&cx.blobs(), data, &mut card)?;
        let text = card.render(cx.platform(), item, item.entry(), &losses)?;
        let (text, cut) = fitted(&text, CARD_BYTES);
        values.insert(own::CARD.to_owned(), json!(text));
        if cut {
            let note = "the source card is cut: its field holds 131,072 characters";
            losses.push(loss("custom-object.data", Fidelity::Lost, note));
        }
        Ok(Draft {
            item,
            values,
            losses,
        })
    }

    fn tags(
        &self,
        tags: &[Reference],
        values: &mut Map<String, Value>,
        card: &mut Facts,
        losses: &mut Vec<Loss>,
    ) {
        if tags.is_empty() {
            return;
        }
        let name = |tag: &Reference| words::called(tag).unwrap_or(&tag.id).to_owned();
        let names: Vec<String> = tags.iter().map(name).collect();
        let (list, all) = map::tag_list(names.iter().map(String::as_str), own::LIST_CHARS);
        values.insert(own::TAGS.to_owned(), json!(list));
        if !all {
            card.add("tags", names.join(", "));
            let note = "more tags than their field holds: on the source card";
            losses.push(loss("custom-object.tags", Fidelity::Converted, note));
        }
    }

    /// Inserts the new ones, changes those that are there.
    async fn write(&self, object: &str, drafts: Vec<Draft<'_>>) -> Result<(), Error> {
        let (mut there, mut new) = (Vec::new(), Vec::new());
        for draft in drafts {
            match draft.item.known() {
                Some(id) => there.push((map::record_id(id).to_owned(), draft)),
                None => new.push(draft),
            }
        }
        if let Some(first) = new.first() {
            let batch = format!("records:{}:{}", object, first.item.key);
            let row = |draft: &Draft<'_>| Row {
                item: draft.item.key.clone(),
                part: "main".to_owned(),
                object: object.to_owned(),
                values: draft.values.clone(),
            };
            let rows: Vec<Row> = new.iter().map(row).collect();
            let saved = client::insert(self.cx, &batch, &rows).await?;
            for (draft, saved) in new.into_iter().zip(saved) {
                match saved {
                    Saved::Made { id, proof, key } => {
                        let target = map::record_target(object, &id);
                        let main = made("main", object, target, Some(proof), key);
                        self.say(draft, main);
                    }
                    Saved::There { id, .. } => there.push((id, draft)),
                    Saved::Refused(fault) => {
                        reject(self.cx, draft.item, fault.rejection());
                    }
                    Saved::Unsettled => {
                        let why = Status::Unsettled("a record was not answered".to_owned());
                        report(self.cx, draft.item, why, Vec::new(), draft.losses);
                    }
                }
            }
        }
        self.change(object, there).await
    }

    fn say(&self, draft: Draft<'_>, mut main: Effect) {
        let status = status_of(main.action);
        if main.fingerprint.is_none() && main.action == Action::Created {
            main.fingerprint = Some(sent_print(&draft.values));
        }
        main.updated_at = draft.item.entry().head.updated_at;
        report(self.cx, draft.item, status, vec![main], draft.losses);
    }

    /// Changes records that were there by the written policy.
    async fn change(&self, object: &str, there: Vec<(String, Draft<'_>)>) -> Result<(), Error> {
        if there.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<String> = there.iter().map(|(id, _)| id.clone()).collect();
        let names: BTreeSet<&str> = there
            .iter()
            .flat_map(|(_, draft)| draft.values.keys())
            .map(String::as_str)
            .collect();
        let names: Vec<&str> = std::iter::once("Id").chain(names).collect();
        let now = client::retrieve(self.cx, object, &ids, &names).await?;
        let mut rows = Vec::new();
        let mut waiting = Vec::new();
        for (id, mut draft) in there {
            let Some(record) = now.get(&id) else {
                let gone = "the record that it was is gone".to_owned();
                reject(self.cx, draft.item, Error::Conflict(gone));
                continue;
            };
            let change = change_of(&mut draft, object, record);
            if change.wanted.is_empty() {
                let target = map::record_target(object, &id);
                self.say(draft, effect("main", object, target, Action::Matched));
                continue;
            }
            rows.push(ChangeRow {
                item: draft.item.key.clone(),
                part: "main".to_owned(),
                object: object.to_owned(),
                id: id.clone(),
                values: change.wanted.clone(),
            });
            waiting.push((id, draft, change));
        }
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let batch = format!("records:{object}:{}", first.item);
        let done = client::change(self.cx, &batch, &rows).await?;
        for ((id, draft, change), done) in waiting.into_iter().zip(done) {
            match done {
                Changed::Done(key) => {
                    let target = map::record_target(object, &id);
                    let main = effect("main", object, target, Action::Matched);
                    let print = sent_print(&change.wanted);
                    self.say(draft, updated(main, key, change.before, print));
                }
                Changed::Refused(fault) => reject(self.cx, draft.item, fault.rejection()),
                Changed::Unsettled => {
                    let why = Status::Unsettled("a change was not answered".to_owned());
                    report(self.cx, draft.item, why, Vec::new(), draft.losses);
                }
            }
        }
        Ok(())
    }
}

/// What becomes of a record that is there. Times and its run are its own; one that we made is ours to change, but for what somebody
/// changed there since we wrote it (rule D-11).
fn change_of(draft: &mut Draft<'_>, object: &str, record: &Record) -> Change {
    const BORN: [&str; 4] = ["CreatedDate", "LastModifiedDate", own::RUN, own::SOURCE_ID];
    let mut wanted = draft.values.clone();
    wanted.retain(|name, _| !BORN.contains(&name.as_str()));
    let marker = crate::api::text(record, own::SOURCE_ID);
    let ours = marker == own::source_id(&draft.item.marker);
    let policy = match draft.item.prior_main() {
        Some(main) if ours => {
            let now = facets_now(object, record);
            if leave_theirs(&mut wanted, main.fingerprint.as_deref(), &now) {
                let note = "changed here since it was loaded: left as it is";
                let lost = loss("custom-object", Fidelity::Lost, note);
                draft.losses.push(lost);
            }
            MatchPolicy::SourceWins
        }
        _ => draft.item.policy,
    };
    changes(policy, &wanted, &Value::Object(record.clone()))
}
