//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); contacts, companies and
//! tags are asked for dependents that are not ours (rule D-10). Attributes and companies are archived, notes go with their contact,
//! single parts can only be blanked (Intercom facts §8.5, §9, §13). Deletions by id may be repeated.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, before, changed_or_gone, verdict};
use transload_sdk::http::RequestBuilder;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::policy::holds;
use transload_sdk::thread::LEAD;
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, as_before, no_way, nothing_recorded};

use crate::api::{Company, Contact, Conversation, Instance, Named, Note, Refusal};
use crate::client::{self, Looked, filter};
use crate::map::{self, FieldTarget};
use crate::state::{Config, State};
use crate::text::plain_of;
use crate::thread;
use crate::write::schema::ID;
use crate::write::{companies, contacts, conversations, links, notes, objects, schema};

struct Undo<'a> {
    session: Session<'a>,
    /// What became of conversations and contacts in this call, by id.
    seen: RefCell<BTreeMap<String, UndoStatus>>,
    /// Whether this run made a contact that stays for now, by id: many notes hang on one.
    made: RefCell<BTreeMap<String, bool>>,
}

/// Undoes effects in the order given and reports each.
///
/// # Errors
/// What ends the unit; effects without an outcome stay open.
pub async fn undo(
    cx: &Context,
    mode: UndoMode,
    effects: Vec<Undoing>,
    ours: Vec<(String, String)>,
) -> Result<(), Error> {
    let undo = Undo {
        session: Session::new(cx, mode, ours).with_created(&effects),
        seen: RefCell::default(),
        made: RefCell::default(),
    };
    for one in &effects {
        undo.session.say(one, undo.one(one).await?);
    }
    Ok(cx.reported().await?)
}

impl Undo<'_> {
    async fn one(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        let id = effect.target_id.as_str();
        match (effect.action, effect.target_kind.as_str()) {
            (Action::Matched, _) => Ok((UndoStatus::Left, None)),
            (Action::Created, "conversation") => {
                let verdict = self.conversation(one).await?;
                self.seen.borrow_mut().insert(id.to_owned(), verdict.0);
                Ok(verdict)
            }
            (Action::Created, "conversation_part") => self.part(one).await,
            (Action::Updated, "conversation_stamp" | "conversation_guest" | "conversation_tag") => {
                Ok(verdict(UndoStatus::Left, "it goes with its conversation"))
            }
            (
                Action::Updated,
                "conversation_state" | "conversation_admin" | "conversation_team",
            ) => self.managed(one).await,
            (Action::Created, "contact") => {
                let verdict = self.contact(one).await?;
                self.seen.borrow_mut().insert(id.to_owned(), verdict.0);
                Ok(verdict)
            }
            (Action::Updated, "contact") => self.restore_contact(one).await,
            (Action::Updated, "contact_archived") => {
                let path = format!("/contacts/{id}/archive");
                let request = self.request(one, "POST", path, "archive")?;
                self.finish(None, request, UndoStatus::Restored).await
            }
            (Action::Created, "contact_company") => self.unhang(one, "companies").await,
            (Action::Created, "contact_tag") => self.unhang(one, "tags").await,
            (Action::Created, "contact_note") => self.note(one).await,
            (Action::Created | Action::Updated, "company") => self.company(one).await,
            (Action::Created, "tag") => self.tag(one).await,
            (Action::Created | Action::Updated, "data_attribute" | "conversation_attribute") => {
                self.attribute(one).await
            }
            (Action::Created | Action::Updated, "instance") => self.instance(one).await,
            (Action::Updated, "contact_links" | "conversation_links") => self.links(one).await,
            (_, kind) => Ok(no_way(kind)),
        }
    }

    // ---- sending

    fn request(
        &self,
        one: &Undoing,
        method: &str,
        path: String,
        step: &str,
    ) -> Result<RequestBuilder, Error> {
        let key = self.session.key(one, step);
        Ok(client::write(self.session.cx, method, path, key)?.idempotent(None))
    }

    /// Sends it, unless something is in the way or it is only asked.
    async fn finish(
        &self,
        conflict: Option<String>,
        request: RequestBuilder,
        done: UndoStatus,
    ) -> Result<Verdict, Error> {
        let finish = self.session.finish::<Refusal>(conflict, request, done);
        finish.await
    }

    fn changed(&self, one: &Undoing, now: &[(String, String)]) -> Option<String> {
        changed_or_gone(&one.effect, now)
    }

    // ---- conversations

    async fn conversation(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let Some(now) = conversations::whole(self.session.cx, id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let marker = now.text_of(ID).unwrap_or_default();
        let is_ours = marker == one.marker || marker.starts_with(&format!("{}#", one.marker));
        // One whose marker was never written was left half made.
        let conflict = if !is_ours && !marker.is_empty() {
            Some("its marker is not ours any more".to_owned())
        } else {
            self.changed(one, &thread::facets(&now))
        };
        let request = self.request(one, "DELETE", format!("/conversations/{id}"), "delete")?;
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// A part. Where the conversation was ours it goes with it; of another it can only be blanked (Intercom facts §8.5).
    async fn part(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((conversation, id)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(
                UndoStatus::Cannot,
                "a part without its conversation",
            ));
        };
        if self.session.is_ours("conversation", conversation) {
            return Ok(verdict(UndoStatus::Left, "it goes with its conversation"));
        }
        let Some(now) = conversations::whole(self.session.cx, conversation).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let Some(part) = now.parts().iter().find(|part| part.id == id) else {
            return Ok(verdict(
                UndoStatus::Cannot,
                "Intercom does not show it any more",
            ));
        };
        if part.redacted {
            return Ok((UndoStatus::Gone, None));
        }
        let conflict = self.changed(one, &conversations::part_facets(part));
        let body = json!({
            "type": "conversation_part", "conversation_id": conversation, "conversation_part_id": id,
        });
        let path = "/conversations/redact".to_owned();
        let request = self.request(one, "POST", path, "redact")?.json(&body);
        let (status, reason) = self.finish(conflict, request, UndoStatus::Undone).await?;
        Ok(match status {
            UndoStatus::Undone => verdict(status, "blanked: Intercom deletes no single part"),
            _ => (status, reason),
        })
    }

    /// The state that a conversation of an earlier run was given.
    async fn managed(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        if self.session.is_ours("conversation", id) {
            return Ok(verdict(UndoStatus::Left, "it goes with its conversation"));
        }
        let Some(now) = conversations::whole(self.session.cx, id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let Some(before) = before(&one.effect) else {
            return Ok(nothing_recorded());
        };
        let part = one.effect.target_kind.trim_start_matches("conversation_");
        let value = conversations::part_value(part, &now);
        let conflict = self.changed(one, &[(part.to_owned(), value.clone())]);
        let was = before.get(part).and_then(Value::as_str).unwrap_or_default();
        if was == value {
            return Ok(as_before());
        }
        let state: State = self.session.cx.state()?;
        let me = state.me;
        let body = match (part, was) {
            ("admin" | "team", "") => {
                json!({"message_type": "assignment", "type": part, "admin_id": me, "assignee_id": "0"})
            }
            ("admin" | "team", was) => {
                json!({"message_type": "assignment", "type": part, "admin_id": me, "assignee_id": was})
            }
            (_, "closed") => json!({"message_type": "close", "type": "admin", "admin_id": me}),
            (_, "snoozed") => {
                let until = before.get("snoozed_until").cloned().unwrap_or_default();
                json!({"message_type": "snoozed", "admin_id": me, "snoozed_until": until})
            }
            _ => json!({"message_type": "open", "admin_id": me}),
        };
        let path = format!("/conversations/{id}/parts");
        let request = self.request(one, "POST", path, "restore")?.json(&body);
        self.finish(conflict, request, UndoStatus::Restored).await
    }

    // ---- contacts

    async fn contact(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let contact = match client::contact(self.session.cx, id).await? {
            Looked::There(contact) => contact,
            Looked::Gone => return Ok((UndoStatus::Gone, None)),
            Looked::Merged => {
                let reason = "the contact was merged into another one";
                return Ok(verdict(UndoStatus::Conflict, reason));
            }
        };
        let conflict = self.contact_conflict(one, &contact).await?;
        let request = self.request(one, "DELETE", format!("/contacts/{id}"), "delete")?;
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// A contact takes conversations and tickets along (Intercom facts §6): so none of somebody else's may hang on it.
    async fn contact_conflict(
        &self,
        one: &Undoing,
        contact: &Contact,
    ) -> Result<Option<String>, Error> {
        let marker = self.session.marker_of(one);
        if contact.external_id.as_deref() != Some(map::external_id(&marker).as_str()) {
            return Ok(Some("its external id is not ours any more".to_owned()));
        }
        if let Some(conflict) = self.changed(one, &contacts::facets(contact)) {
            return Ok(Some(conflict));
        }
        let query = filter("contact_ids", "=", contact.id.as_str());
        let theirs: Vec<Conversation> =
            client::search(self.session.cx, "conversations", &query).await?;
        let mut left = 0;
        for conversation in theirs {
            let goes = self.session.will_go("conversation", &conversation.id);
            // An index may show what was deleted.
            if !goes
                && conversations::whole(self.session.cx, &conversation.id)
                    .await?
                    .is_some()
            {
                left += 1;
            }
        }
        if left > 0 {
            return Ok(Some(format!("{left} conversations hang on it")));
        }
        let tickets: Vec<Named> = client::search(self.session.cx, "tickets", &query).await?;
        for ticket in tickets {
            let path = format!("/tickets/{}", ticket.id);
            if client::get(self.session.cx, &path).await?.is_some() {
                return Ok(Some("tickets hang on it".to_owned()));
            }
        }
        let all = notes::notes_of(self.session.cx, &contact.id).await?;
        let is_ours = |note: &&Note| {
            let target = notes::target(&contact.id, &note.id);
            let said = crate::text::plain_of(&note.body);
            self.session.is_ours("contact_note", &target)
                || self.of_run(note)
                || said.contains(&format!("run {}]", self.session.cx.run()))
        };
        let foreign = all.len() - all.iter().filter(is_ours).count();
        Ok((foreign > 0).then(|| format!("{foreign} notes on it are not ours")))
    }

    /// Puts back what an update changed, where it still is what we wrote.
    async fn restore_contact(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let now = match client::contact(self.session.cx, id).await? {
            Looked::There(contact) => contact,
            Looked::Gone => return Ok((UndoStatus::Gone, None)),
            Looked::Merged => {
                let reason = "the contact was merged into another one";
                return Ok(verdict(UndoStatus::Conflict, reason));
            }
        };
        let conflict = self.changed(one, &contacts::facets(&now));
        let now = serde_json::to_value(&now)?;
        self.put_back(one, format!("/contacts/{id}"), conflict, &now)
            .await
    }

    async fn put_back(
        &self,
        one: &Undoing,
        path: String,
        conflict: Option<String>,
        now: &Value,
    ) -> Result<Verdict, Error> {
        let Some(before) = before(&one.effect) else {
            return Ok(nothing_recorded());
        };
        if holds(now, &before) {
            return Ok(as_before());
        }
        let request = self.request(one, "PUT", path, "restore")?.json(&before);
        self.finish(conflict, request, UndoStatus::Restored).await
    }

    /// A company or tag that was hung on a contact.
    async fn unhang(&self, one: &Undoing, list: &str) -> Result<Verdict, Error> {
        let Some((contact, id)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "without its contact"));
        };
        if self.session.is_ours("contact", contact) {
            return Ok(verdict(UndoStatus::Left, "it goes with its contact"));
        }
        if !matches!(
            client::contact(self.session.cx, contact).await?,
            Looked::There(_)
        ) {
            return Ok((UndoStatus::Gone, None));
        }
        let path = format!("/contacts/{contact}/{list}/{id}");
        let request = self.request(one, "DELETE", path, "delete")?;
        self.finish(None, request, UndoStatus::Undone).await
    }

    async fn note(&self, one: &Undoing) -> Result<Verdict, Error> {
        let contact = one.effect.target_id.split('/').next().unwrap_or_default();
        if self.session.is_ours("contact", contact) {
            return Ok(verdict(UndoStatus::Left, "it goes with its contact"));
        }
        Ok(match client::contact(self.session.cx, contact).await? {
            // The source card of a contact that this run made is a note of this run.
            Looked::There(_) if self.made(contact).await? => {
                verdict(UndoStatus::Left, "it goes with its contact")
            }
            Looked::There(_) => {
                let reason = "Intercom deletes no notes, and its contact was there before";
                verdict(UndoStatus::Cannot, reason)
            }
            Looked::Gone | Looked::Merged => (UndoStatus::Gone, None),
        })
    }

    /// Whether this run made a contact, as far as it can be told before the contact is undone.
    async fn made(&self, contact: &str) -> Result<bool, Error> {
        let config: Config = self.session.cx.config()?;
        if config.notes_on_matched {
            return Ok(false);
        }
        if let Some(made) = self.made.borrow().get(contact) {
            return Ok(*made);
        }
        let notes = notes::notes_of(self.session.cx, contact).await?;
        let card = format!("{LEAD}{} ", thread::CARD);
        let is_card = |note: &Note| plain_of(&note.body).starts_with(&card) && self.of_run(note);
        let made = notes.iter().any(is_card);
        self.made.borrow_mut().insert(contact.to_owned(), made);
        Ok(made)
    }

    /// Whether a note says that this run wrote it.
    fn of_run(&self, note: &Note) -> bool {
        plain_of(&note.body).contains(&format!("; run {}]", self.session.cx.run()))
    }

    // ---- companies, tags, attributes, records

    async fn company(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let path = format!("/companies/{id}");
        let Some(company) = client::find::<Company>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = self.changed(one, &companies::facets(&company));
        if one.effect.action == Action::Updated {
            let now = serde_json::to_value(&company)?;
            return self.put_back(one, path, conflict, &now).await;
        }
        if conflict.is_none() {
            let people: Vec<Named> =
                client::list(self.session.cx, &format!("{path}/contacts")).await?;
            let stays = |person: &&Named| !(self.session.will_go("contact", &person.id));
            let left = people.iter().filter(stays).count();
            conflict = (left > 0).then(|| format!("{left} contacts belong to it"));
        }
        let request = self.request(one, "DELETE", path, "delete")?;
        let (status, reason) = self.finish(conflict, request, UndoStatus::Undone).await?;
        Ok(match status {
            UndoStatus::Undone => verdict(status, "archived: Intercom erases no companies"),
            _ => (status, reason),
        })
    }

    /// A tag that something still has is in use: what this run tagged is gone by then.
    async fn tag(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let path = format!("/tags/{id}");
        let Some(tag) = client::find::<Named>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = self.changed(one, &schema::tag_facets(&tag));
        if conflict.is_none() && !self.session.previews() {
            conflict = self.uses_of_tag(id).await?;
        }
        let request = self.request(one, "DELETE", path, "delete")?;
        let (status, reason) = self.finish(conflict, request, UndoStatus::Undone).await?;
        Ok(match (status, &reason) {
            // A segment asks for it (Intercom facts §9).
            (UndoStatus::Failed, Some(why)) if why.contains("depend") => {
                (UndoStatus::Conflict, reason)
            }
            _ => (status, reason),
        })
    }

    async fn uses_of_tag(&self, tag: &str) -> Result<Option<String>, Error> {
        let query = filter("tag_ids", "=", tag);
        let tagged: Vec<Conversation> =
            client::search(self.session.cx, "conversations", &query).await?;
        for conversation in tagged {
            let there = conversations::whole(self.session.cx, &conversation.id).await?;
            if there.is_some_and(|one| one.tags.tags.iter().any(|t| t.id == tag)) {
                return Ok(Some("conversations have it that are left".to_owned()));
            }
        }
        let query = filter("tag_id", "=", tag);
        let tagged: Vec<Contact> = client::search(self.session.cx, "contacts", &query).await?;
        for contact in tagged {
            if matches!(
                client::contact(self.session.cx, &contact.id).await?,
                Looked::There(_)
            ) {
                return Ok(Some("contacts have it that are left".to_owned()));
            }
        }
        Ok(None)
    }

    /// Attributes cannot be deleted: one is archived (Intercom facts §9).
    async fn attribute(&self, one: &Undoing) -> Result<Verdict, Error> {
        let target = one.effect.target_id.as_str();
        let id = FieldTarget::parse(target).map_or_else(|| target.to_owned(), |target| target.id);
        let of_conversations = one.effect.target_kind == "conversation_attribute";
        let all = schema::attributes(self.session.cx, of_conversations).await?;
        let found = all.iter().find(|one| one.id == id);
        let Some(attribute) = found.filter(|one| !one.archived) else {
            // One that was taken out of the archive is there again.
            let is_back = found.is_some() && one.effect.action == Action::Updated;
            return Ok(match is_back {
                true => as_before(),
                false => (UndoStatus::Gone, None),
            });
        };
        let conflict = self.changed(one, &schema::attribute_facets(attribute));
        let done = match one.effect.action {
            Action::Updated => UndoStatus::Restored,
            _ => UndoStatus::Undone,
        };
        let request = if of_conversations {
            let path = format!("/conversations/attributes/{id}");
            self.request(one, "DELETE", path, "archive")?
        } else {
            let path = format!("/data_attributes/{id}");
            self.request(one, "PUT", path, "archive")?
                .json(&json!({"archived": true}))
        };
        let (status, reason) = self.finish(conflict, request, done).await?;
        Ok(match status {
            UndoStatus::Undone => verdict(status, "archived: Intercom deletes no attributes"),
            _ => (status, reason),
        })
    }

    async fn instance(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((kind, id)) = map::instance_of(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "not a record's address"));
        };
        let path = objects::path(&kind, id);
        let Some(now) = client::find::<Instance>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = self.changed(one, &objects::facets(&now));
        if one.effect.action == Action::Created {
            let request = self.request(one, "DELETE", path, "delete")?;
            return self.finish(conflict, request, UndoStatus::Undone).await;
        }
        let Some(before) = before(&one.effect) else {
            return Ok(nothing_recorded());
        };
        if holds(&serde_json::to_value(&now)?, &before) {
            return Ok(as_before());
        }
        let path = objects::path(&kind, "");
        let request = self.request(one, "POST", path, "restore")?.json(&before);
        self.finish(conflict, request, UndoStatus::Restored).await
    }

    /// What names links on a contact or conversation.
    async fn links(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let of_contact = one.effect.target_kind == "contact_links";
        let kind = if of_contact {
            "contact"
        } else {
            "conversation"
        };
        if self.session.is_ours(kind, id) {
            return Ok(verdict(UndoStatus::Left, "it goes with its record"));
        }
        let Some(text) = links::text_of(self.session.cx, of_contact, id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = self.changed(one, &links::facets(&text));
        // Its text stands in an attribute whose name the before-image has.
        let path = links::path(of_contact, id);
        let now = links::image(of_contact, &text);
        self.put_back(one, path, conflict, &now).await
    }
}
