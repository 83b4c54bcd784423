//! What other people do to the account while a migration runs: edits that a client did not make.
//!
//! For tests of conflicts and of rollback. Nothing here asks for credentials or obeys limits, and nothing runs rules but a
//! customer's mail.

use serde_json::{Value, json};

use super::answer::Failure;
use super::model::{Customer, Id, Message, Ticket, User, View};
use super::{Simulator, customers, fields, messages, tags, tickets};

/// A foreign edit that the account would not take.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// There is no such record.
    #[error("there is no {0} with id {1}")]
    Missing(&'static str, Id),
    /// The account refused it; the text is that of the answer a client would have had.
    #[error("the account refused it: {0}")]
    Refused(String),
}

impl From<Failure> for ForeignError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.text())
    }
}

impl Simulator {
    /// Somebody edits a ticket; its `updated_datetime` moves.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn edit_ticket(&self, id: Id, edit: impl FnOnce(&mut Ticket)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let done = state.change_ticket(id, edit);
        done.ok_or(ForeignError::Missing("ticket", id))
    }

    /// Somebody deletes a ticket.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn delete_ticket(&self, id: Id) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        state.ticket(id)?;
        tickets::erase(&mut state, id);
        Ok(())
    }

    /// An agent adds a note to a ticket; its number.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn add_note(&self, ticket: Id, user: Id, text: &str) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        state.ticket(ticket)?;
        let message = Message {
            id: state.next_id(),
            ticket_id: ticket,
            channel: messages::NOTE.to_owned(),
            via: "helpdesk".to_owned(),
            public: false,
            from_agent: true,
            sender_id: Some(user),
            body_text: Some(text.to_owned()),
            sent_at: Some(state.now),
            ..messages::blank(&state)
        };
        let id = message.id;
        state.put_message(message);
        state.change_ticket(ticket, |ticket| ticket.messages.push(id));
        messages::recount(&mut state, ticket);
        Ok(id)
    }

    /// Somebody edits a message.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn edit_message(
        &self,
        id: Id,
        edit: impl FnOnce(&mut Message),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let found = state.messages.get(&id).cloned();
        let mut message = found.ok_or(ForeignError::Missing("message", id))?;
        edit(&mut message);
        message.touched_at = state.now;
        let ticket = message.ticket_id;
        state.put_message(message);
        state.change_ticket(ticket, |_| ());
        Ok(())
    }

    /// A customer writes a mail. If it answers a known Message-ID it lands in that ticket ([?], a switch), else in a new one;
    /// an unknown sender becomes a customer. Rules run. The ticket's number.
    ///
    /// # Errors
    /// When the address is none.
    pub fn receive_mail(
        &self,
        from: &str,
        answers: Option<&str>,
        text: &str,
    ) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let now = state.now.to_rfc3339();
        let body = json!({
            "channel": "email", "via": "email", "from_agent": false, "sender": {"email": from}, "body_text": text,
            "created_datetime": now, "sent_datetime": now,
            "source": {"type": "email", "from": {"address": from}},
        });
        let threads = state.config.switches.message_id_threads;
        let answered = answers.filter(|_| threads).and_then(|message_id| {
            let id = state.messages_by_message_id.get(message_id)?;
            Some(state.messages.get(id)?.ticket_id)
        });
        let ticket = match answered {
            Some(ticket) => {
                let draft = messages::read(&state, 0, None, &body);
                let draft = draft.map_err(|problems| {
                    ForeignError::Refused(Value::Object(problems).to_string())
                })?;
                messages::add(&mut state, ticket, draft, None);
                ticket
            }
            None => {
                let body = json!({"via": "email", "subject": text, "messages": [body]});
                tickets::make(&mut state, &body, 0)?
            }
        };
        state.settle();
        Ok(ticket)
    }

    /// Somebody makes a customer; their number.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn add_customer(&self, name: &str, email: &str) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let body = json!({"name": name, "email": email, "channels": []});
        Ok(customers::make(&mut state, &body)?)
    }

    /// Somebody edits a customer; `updated_datetime` moves.
    ///
    /// # Errors
    /// When there is no such customer.
    pub fn edit_customer(
        &self,
        id: Id,
        edit: impl FnOnce(&mut Customer),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let done = state.edit_customer(id, edit);
        done.ok_or(ForeignError::Missing("customer", id))
    }

    /// Somebody edits a user: another role, no longer active.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn edit_user(&self, id: Id, edit: impl FnOnce(&mut User)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let found = state.users.get(&id).cloned();
        let mut user = found.ok_or(ForeignError::Missing("user", id))?;
        edit(&mut user);
        user.updated_at = state.now;
        state.put_user(user);
        Ok(())
    }

    /// Somebody merges a customer into another.
    ///
    /// # Errors
    /// When one of them does not exist, or both have data of one integration.
    pub fn merge_customers(&self, source: Id, target: Id) -> Result<(), ForeignError> {
        Ok(customers::fuse(&mut self.held.lock(), source, target)?)
    }

    /// Somebody makes a tag, and a view that asks for it; the tag's number.
    pub fn add_tag(&self, name: &str) -> Id {
        let mut state = self.held.lock();
        let tag = tags::make(&mut state, name, false);
        let view = View {
            id: state.next_id(),
            name: format!("Tagged {name}"),
            tags: [tag].into(),
            created_at: state.now,
            deactivated_at: None,
        };
        state.views.insert(view.id, view);
        tag
    }

    /// Somebody puts a tag on a ticket.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn tag_ticket(&self, ticket: Id, tag: Id) -> Result<(), ForeignError> {
        self.edit_ticket(ticket, |ticket| {
            if !ticket.tags.contains(&tag) {
                ticket.tags.push(tag);
            }
        })
    }

    /// Somebody makes a custom field from a body as `POST /custom-fields` takes it; its number.
    ///
    /// # Errors
    /// When the body is wrong or there are too many.
    pub fn add_field(&self, body: &Value) -> Result<Id, ForeignError> {
        Ok(fields::make(&mut self.held.lock(), body)?)
    }
}
