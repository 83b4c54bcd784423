//! What other people do to the workspace while a migration runs: edits that a client did not make, and what only the user
//! interface can make.
//!
//! For tests of conflicts and of rollback. Nothing here asks for credentials or obeys limits. What a contact writes sets off all
//! that the workspace does on its own; nothing else does.

use serde_json::Value;

use super::answer::Failure;
use super::conversations::Opening;
use super::model::{
    Admin, Author, Company, Contact, Conversation, Id, ObjectType, Role, Segment, Ticket,
};
use super::parts::Reply;
use super::read::Reader;
use super::rules::{Happened, Topic};
use super::state::{Due, State};
use super::{Simulator, attributes, contacts, conversations, html, tags};

/// A foreign edit that the workspace would not take.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// There is no such record.
    #[error("there is no {0} with id {1}")]
    Missing(&'static str, String),
    /// The workspace refused it; the text is that of the answer a client would have had.
    #[error("the workspace refused it: {0}")]
    Refused(String),
}

impl From<Failure> for ForeignError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.message)
    }
}

/// A contact begins a conversation now; its number.
pub(super) fn begin(state: &mut State, contact: &str, text: &str) -> Id {
    let opening = Opening {
        author: contact.to_owned(),
        body: html::from_plain(text, state.config.switches.line_ends),
        sent_body: text.to_owned(),
        subject: String::new(),
        created_at: None,
        attachments: Vec::new(),
        brand_id: None,
    };
    let conversation = conversations::begin(state, opening);
    let id = conversation.id;
    state.put_conversation(conversation);
    id
}

impl Simulator {
    /// A contact writes: into a conversation, or a new one. All that the workspace does on its own happens. The
    /// conversation's number.
    ///
    /// # Errors
    /// When there is no such contact or conversation.
    pub fn contact_writes(
        &self,
        contact: &str,
        conversation: Option<Id>,
        text: &str,
    ) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let state = &mut *state;
        state.contact(contact, 16)?;
        let (id, topic) = match conversation {
            None => (begin(state, contact, text), "conversation.user.created"),
            Some(id) => {
                let reply = Reply {
                    author: Author::Contact(contact.to_owned()),
                    kind: "comment".to_owned(),
                    body: Some(html::from_plain(text, state.config.switches.line_ends)),
                    sent_body: Some(text.to_owned()),
                    created_at: None,
                    attachments: Vec::new(),
                    skip_notifications: false,
                };
                // What is told here is told below, whatever the switch says about the API.
                let fires = std::mem::replace(&mut state.config.switches.automations_on_api, false);
                let done = conversations::answer_to(state, id, reply);
                state.config.switches.automations_on_api = fires;
                done?;
                (id, "conversation.user.replied")
            }
        };
        let happened = Happened::webhook(topic, Topic::Conversation(id));
        state.schedule(state.now_ms, Due::Rules(happened));
        state.settle();
        Ok(id)
    }

    /// An admin writes a comment or a note by hand; the part's number.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn admin_writes(
        &self,
        admin: Id,
        conversation: Id,
        text: &str,
        note: bool,
    ) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let reply = Reply {
            author: Author::Admin(admin),
            kind: if note { "note" } else { "comment" }.to_owned(),
            body: Some(html::from_plain(text, state.config.switches.line_ends)),
            sent_body: Some(text.to_owned()),
            created_at: None,
            attachments: Vec::new(),
            skip_notifications: true,
        };
        let fires = std::mem::replace(&mut state.config.switches.automations_on_api, false);
        let done = conversations::answer_to(&mut state, conversation, reply);
        state.config.switches.automations_on_api = fires;
        Ok(done?)
    }

    /// Somebody edits a conversation; its `updated_at` moves. Who takes part in it must not be changed so.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn edit_conversation(
        &self,
        id: Id,
        edit: impl FnOnce(&mut Conversation),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let now = state.now();
        let found = state.conversations.get_mut(&id);
        let conversation =
            found.ok_or_else(|| ForeignError::Missing("conversation", id.to_string()))?;
        edit(conversation);
        conversation.updated_at = now;
        for part in &mut conversation.parts {
            part.shown = None;
        }
        Ok(())
    }

    /// Somebody deletes a conversation.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn delete_conversation(&self, id: Id) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        state.conversation(id)?;
        conversations::erase(&mut state, id, true);
        Ok(())
    }

    /// Somebody edits a ticket; its `updated_at` moves.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn edit_ticket(&self, id: Id, edit: impl FnOnce(&mut Ticket)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let mut ticket = state.ticket(id)?.clone();
        edit(&mut ticket);
        ticket.updated_at = state.now();
        state.put_ticket(ticket);
        Ok(())
    }

    /// Somebody makes a user; their id.
    pub fn add_contact(&self, name: &str, email: &str) -> String {
        let mut state = self.held.lock();
        let mut contact = contacts::blank(&mut state, Role::User);
        contact.name = Some(name.to_owned());
        contact.email = Some(email.to_owned());
        let id = contact.id.clone();
        state.put_contact(contact);
        id
    }

    /// Somebody edits a contact; `updated_at` moves.
    ///
    /// # Errors
    /// When there is no such contact.
    pub fn edit_contact(
        &self,
        id: &str,
        edit: impl FnOnce(&mut Contact),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let done = state.edit_contact(id, edit);
        done.ok_or_else(|| ForeignError::Missing("contact", id.to_owned()))
    }

    /// Somebody deletes a contact for good, with the conversations.
    ///
    /// # Errors
    /// When there is no such contact.
    pub fn delete_contact(&self, id: &str) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        if !state.contacts.contains_key(id) {
            return Err(ForeignError::Missing("contact", id.to_owned()));
        }
        contacts::erase(&mut state, id);
        Ok(())
    }

    /// Somebody merges a contact into another, whatever they are.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn merge_contacts(&self, from: &str, into: &str) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        state.contact(from, 16)?;
        state.contact(into, 16)?;
        contacts::fuse(&mut state, from, into);
        Ok(())
    }

    /// Somebody edits a company.
    ///
    /// # Errors
    /// When there is no such company.
    pub fn edit_company(
        &self,
        id: &str,
        edit: impl FnOnce(&mut Company),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let now = state.now();
        let found = state.companies.get_mut(id);
        let company = found.ok_or_else(|| ForeignError::Missing("company", id.to_owned()))?;
        edit(company);
        company.updated_at = now;
        Ok(())
    }

    /// Somebody edits an admin: another name, removed from the workspace.
    ///
    /// # Errors
    /// When there is no such admin.
    pub fn edit_admin(&self, id: Id, edit: impl FnOnce(&mut Admin)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let found = state.admins.get_mut(&id);
        edit(found.ok_or_else(|| ForeignError::Missing("admin", id.to_string()))?);
        state.names += 1;
        Ok(())
    }

    /// Somebody makes a tag, and a segment that asks for it; the tag's number.
    pub fn add_tag(&self, name: &str) -> Id {
        let mut state = self.held.lock();
        let tag = tags::make(&mut state, name);
        let segment = Segment {
            id: state.next_hex(),
            name: format!("Tagged {name}"),
            tag: Some(tag),
            created_at: state.now(),
        };
        state.segments.push(segment);
        tag
    }

    /// Somebody makes a data attribute from a body as `POST /data_attributes` takes it; its number.
    ///
    /// # Errors
    /// When the body is wrong, the name is taken or there are too many.
    pub fn add_data_attribute(&self, body: &Value) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let admin = state.token_admin;
        Ok(attributes::make(&mut state, Reader::new(body)?, admin)?.id)
    }

    /// Something begins to depend on a data attribute, so that it cannot be archived.
    ///
    /// # Errors
    /// When there is no such attribute.
    pub fn depend_on_attribute(&self, id: Id) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let found = state.data_attributes.get_mut(&id);
        let missing = || ForeignError::Missing("data attribute", id.to_string());
        found.ok_or_else(missing)?.depended_on = true;
        Ok(())
    }

    /// An admin makes a type of custom object, or changes one, in the settings: nothing else can (§9).
    pub fn add_object_type(&self, kind: ObjectType) {
        let mut state = self.held.lock();
        state.object_types.insert(kind.identifier.clone(), kind);
    }
}
