//! What other people do to the account while a migration runs: edits that a client did not make.
//!
//! For tests of conflicts and of rollback. Nothing here asks for credentials or obeys limits, and nothing runs triggers.

use serde_json::json;

use super::Simulator;
use super::answer::Failure;
use super::attributes::Attributes;
use super::call::Actor;
use super::model::{Comment, CommentText, Id, Organization, Record, Role, Ticket, User};
use super::{imports, organizations, users};

/// A foreign edit that the account would not take.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// There is no such record.
    #[error("there is no {0} with id {1}")]
    Missing(&'static str, String),
    /// The account refused it; the text is that of the answer a client would have had.
    #[error("the account refused it: {0}")]
    Refused(String),
}

impl From<Failure> for ForeignError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.text())
    }
}

fn missing(what: &'static str, id: impl ToString) -> ForeignError {
    ForeignError::Missing(what, id.to_string())
}

impl Simulator {
    /// Somebody edits a ticket; its `updated_at` moves.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn edit_ticket(&self, id: Id, edit: impl FnOnce(&mut Ticket)) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let now = state.second();
        state
            .edit_ticket(id, |ticket| {
                edit(ticket);
                ticket.updated_at = now;
                ticket.given.updated = false;
            })
            .ok_or_else(|| missing("ticket", id))
    }

    /// Somebody adds a comment to a ticket.
    ///
    /// # Errors
    /// When there is no such ticket.
    pub fn add_comment(
        &self,
        ticket: Id,
        author: Id,
        text: &str,
        public: bool,
    ) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let (id, audit_id, now) = (state.next_id(), state.next_id(), state.second());
        let comment = Comment {
            id,
            audit_id,
            author_id: author,
            public,
            text: CommentText::Plain(text.to_owned()),
            attachments: Vec::new(),
            created_at: now,
            time_given: false,
            channel: "web".to_owned(),
        };
        state
            .edit_ticket(ticket, |ticket| {
                ticket.comments.push(comment);
                ticket.updated_at = now;
                ticket.given.updated = false;
            })
            .ok_or_else(|| missing("ticket", ticket))?;
        Ok(id)
    }

    /// A customer writes in: a new ticket of an existing user.
    ///
    /// # Errors
    /// When the user cannot be a requester.
    pub fn add_ticket_for(&self, user: Id, subject: &str) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let ticket = json!({
            "subject": subject, "requester_id": user, "submitter_id": user, "status": "open",
            "comments": [{"author_id": user, "public": true, "body": subject}],
        });
        let actor = Actor {
            user_id: user,
            role: Role::EndUser,
        };
        Ok(imports::import(
            &mut state,
            &actor,
            Attributes::bare(&ticket)?,
            false,
        )?)
    }

    /// Somebody makes an end user.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn add_user(&self, name: &str, email: &str) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let user =
            json!({"name": name, "email": email, "verified": true, "skip_verify_email": true});
        let actor = Actor {
            user_id: state.owner_id,
            role: Role::Admin,
        };
        Ok(users::create(&mut state, &actor, Attributes::bare(&user)?)?)
    }

    /// Somebody edits a user; `updated_at` moves.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn edit_user(&self, id: Id, edit: impl FnOnce(&mut User)) -> Result<(), ForeignError> {
        self.held
            .lock()
            .edit_user(id, edit)
            .ok_or_else(|| missing("user", id))
    }

    /// Somebody edits an organization; `updated_at` moves.
    ///
    /// # Errors
    /// When there is no such organization.
    pub fn edit_organization(
        &self,
        id: Id,
        edit: impl FnOnce(&mut Organization),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let found = state.organizations.get(&id).cloned();
        let mut organization = found.ok_or_else(|| missing("organization", id))?;
        edit(&mut organization);
        organization.updated_at = state.second();
        state.put_organization(organization);
        Ok(())
    }

    /// Somebody puts a user into an organization; the id of the membership.
    ///
    /// # Errors
    /// When the user or the organization does not exist, or the user is a member already.
    pub fn add_organization_member(&self, organization: Id, user: Id) -> Result<Id, ForeignError> {
        let mut state = self.held.lock();
        let membership = json!({"user_id": user, "organization_id": organization});
        Ok(organizations::create_membership(
            &mut state,
            Attributes::bare(&membership)?,
        )?)
    }

    /// Somebody edits a record of a custom object; `updated_at` moves.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn edit_record(
        &self,
        id: &str,
        edit: impl FnOnce(&mut Record),
    ) -> Result<(), ForeignError> {
        let mut state = self.held.lock();
        let found = state.objects.records.get(id).cloned();
        let mut record = found.ok_or_else(|| missing("record", id))?;
        edit(&mut record);
        record.updated_at = state.second();
        super::objects::put_record(&mut state, record);
        Ok(())
    }
}
