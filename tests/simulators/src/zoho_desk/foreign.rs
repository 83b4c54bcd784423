//! What other people do to the portal while a migration runs: edits that a client did not make.
//!
//! For tests of conflicts and of rollback. Nothing here asks for credentials or obeys limits, and nothing runs rules but a mail.

use serde_json::json;

use super::model::{Agent, Author, Comment, Id, Module, Origin, Record, Thread, ThreadStatus};
use super::rules::Happened;
use super::{Simulator, contacts, records, rules, tickets};

/// A foreign edit of something that is not there.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// There is no such record.
    #[error("there is no {0} with id {1}")]
    Missing(&'static str, Id),
}

impl Simulator {
    /// Somebody edits a record; its `modifiedTime` moves.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn edit_record(&self, id: Id, edit: impl FnOnce(&mut Record)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let owner = state.agents.keys().next().copied().unwrap_or_default();
        let done = state.change_record(id, owner, edit);
        done.ok_or(ForeignError::Missing("record", id))
    }

    /// Somebody moves a record to the recycle bin, with what hangs on it.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn trash_record(&self, id: Id) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let owner = state.agents.keys().next().copied().unwrap_or_default();
        if !state.records.contains_key(&id) {
            return Err(ForeignError::Missing("record", id));
        }
        records::trash(&mut state, id, owner, None);
        Ok(())
    }

    /// Somebody deletes a record for good, with what hangs on it.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn erase_record(&self, id: Id) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        if !state.records.contains_key(&id) {
            return Err(ForeignError::Missing("record", id));
        }
        super::bin::erase(&mut state, id);
        Ok(())
    }

    /// Somebody calls a custom module otherwise; its API name stays.
    ///
    /// # Errors
    /// When there is no module of that label.
    pub fn relabel_module(&self, label: &str, to: &str) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let mut all = state.modules.values_mut();
        let module = all.find(|module| module.singular == label);
        let module = module.ok_or(ForeignError::Missing("module", 0))?;
        module.singular = to.to_owned();
        module.plural = format!("{to}s");
        Ok(())
    }

    /// An agent writes a private comment on a ticket; its number.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn add_comment(&self, ticket: Id, agent: Id, text: &str) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        if state.live(Module::Tickets, ticket).is_err() {
            return Err(ForeignError::Missing("ticket", ticket));
        }
        let comment = Comment {
            id: state.next_id(),
            parent_id: ticket,
            content: text.to_owned(),
            content_type: "plainText".to_owned(),
            public: false,
            author: Author::Agent(agent),
            commented_at: state.now,
            modified_at: None,
            given: false,
            attachments: Vec::new(),
            origin: Origin::Foreign,
        };
        let id = comment.id;
        state.put_comment(comment);
        state.change_record(ticket, agent, |_| ());
        Ok(id)
    }

    /// Somebody edits a comment.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn edit_comment(
        &self,
        id: Id,
        edit: impl FnOnce(&mut Comment),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let now = state.now;
        let comment = state.comments.get_mut(&id);
        let comment = comment.ok_or(ForeignError::Missing("comment", id))?;
        edit(comment);
        comment.modified_at = Some(now);
        Ok(())
    }

    /// Somebody deletes a comment.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn delete_comment(&self, id: Id) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let gone = state.take_comment(id);
        gone.map(|_| ()).ok_or(ForeignError::Missing("comment", id))
    }

    /// A customer writes a mail: a new thread of a ticket, or a new ticket in the default department. An unknown sender becomes a
    /// contact. Rules run. The ticket's number.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn receive_mail(
        &self,
        from: &str,
        ticket: Option<Id>,
        text: &str,
    ) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let owner = state.agents.keys().next().copied().unwrap_or_default();
        let contact = contacts::inline(&mut state, owner, from, None, from);
        let made = ticket.is_none();
        let ticket = match ticket {
            Some(id) if state.live(Module::Tickets, id).is_ok() => id,
            Some(id) => return Err(ForeignError::Missing("ticket", id)),
            None => {
                let mut record = state.blank(Module::Tickets, owner, Origin::Foreign);
                record.number = Some(state.next_number());
                let department = state.default_department();
                for (key, value) in [
                    ("subject", "A mail".to_owned()),
                    ("contactId", contact.to_string()),
                    ("departmentId", department.to_string()),
                    ("channel", "Email".to_owned()),
                ] {
                    record.values.insert(key.to_owned(), json!(value));
                }
                tickets::dress(&state, &mut record);
                let id = record.id;
                state.put_record(record);
                id
            }
        };
        let thread = Thread {
            id: state.next_id(),
            ticket_id: ticket,
            channel: "EMAIL".to_owned(),
            incoming: true,
            private: false,
            content: text.to_owned(),
            content_type: "text/plain".to_owned(),
            from: Some(from.to_owned()),
            to: None,
            cc: None,
            bcc: None,
            created_at: state.now,
            given: false,
            author: Author::Contact(contact),
            description: false,
            status: ThreadStatus::Success,
            attachments: Vec::new(),
            origin: Origin::Foreign,
        };
        state.put_thread(thread);
        state.change_record(ticket, owner, |_| ());
        let happened = Happened {
            made,
            ..Happened::default()
        };
        rules::ticket(&mut state, ticket, happened);
        Ok(ticket)
    }

    /// Somebody makes a contact.
    pub fn add_contact(&self, email: &str, name: &str) -> Id {
        let mut state = self.held.lock();
        let owner = state.agents.keys().next().copied().unwrap_or_default();
        let mut record = state.blank(Module::Contacts, owner, Origin::Foreign);
        record.values.insert("lastName".to_owned(), json!(name));
        record.values.insert("email".to_owned(), json!(email));
        let id = record.id;
        state.put_record(record);
        id
    }

    /// Somebody changes an agent: disables them, takes them out of a department.
    ///
    /// # Errors
    /// When there is no such agent.
    pub fn edit_agent(&self, id: Id, edit: impl FnOnce(&mut Agent)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let agent = state.agents.get(&id).cloned();
        let mut agent = agent.ok_or(ForeignError::Missing("agent", id))?;
        edit(&mut agent);
        state.put_agent(agent);
        Ok(())
    }

    /// Somebody gives a custom field values and puts it on the layouts, as people can only in the settings (§7.8, §8).
    ///
    /// # Errors
    /// When there is no such field.
    pub fn set_up_field(&self, id: Id, allowed: &[&str]) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let field = state.fields.get_mut(&id);
        let field = field.ok_or(ForeignError::Missing("field", id))?;
        field.allowed = allowed.iter().map(|value| (*value).to_owned()).collect();
        field.on_layouts = true;
        Ok(())
    }
}
