//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); people, teams and
//! tags are asked for dependents that are not ours (rule D-10). A customer who was merged answers 301, which is never followed: the
//! survivor would be deleted (Gorgias facts §7). Fields cannot be deleted and are archived; surveys go with their tickets; uploads
//! and events stay (Gorgias facts §13). Deletions by id may be repeated.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, before, changed_since, verdict};
use transload_sdk::http::RequestBuilder;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::links::Written;
use transload_sdk::policy::{canonical, holds};
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, as_before, no_way, nothing_recorded, unanswered};

use crate::api::{Customer, Field, Message, Refusal, Survey, Tag, Team, Ticket, User};
use crate::client::{self, Looked};
use crate::map::{self, FieldTarget, NamedTarget};
use crate::thread;
use crate::write::{customers, data, links, objects, people, schema, tickets};

/// Pages that are read to see what happened since something was made.
const PAGES: usize = 100;

struct Undo<'a> {
    session: Session<'a>,
    /// What became of tickets in this call, by number.
    tickets: RefCell<BTreeMap<String, UndoStatus>>,
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
        tickets: RefCell::default(),
    };
    for one in &effects {
        undo.session.say(one, undo.one(one).await?);
    }
    Ok(cx.reported().await?)
}

impl Undo<'_> {
    async fn one(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        match (effect.action, effect.target_kind.as_str()) {
            (Action::Matched, _) => Ok((UndoStatus::Left, None)),
            (Action::Created, "ticket") => {
                let verdict = self.ticket(one).await?;
                self.tickets
                    .borrow_mut()
                    .insert(effect.target_id.clone(), verdict.0);
                Ok(verdict)
            }
            (Action::Created, "message") => self.message(one).await,
            (Action::Created, "satisfaction_survey") => self.survey(one).await,
            (Action::Created, "customer") => self.customer(one).await,
            (Action::Created, "customer_object") => self.document(one).await,
            (Action::Created, "user") => self.user(one).await,
            (Action::Created, "team") => self.team(one).await,
            (Action::Created, "tag") => self.tag(one).await,
            (Action::Created | Action::Updated, "custom_field") => self.field(one).await,
            (Action::Updated, "ticket_status") => self.status(one).await,
            (Action::Updated, "customer_rest") => {
                Ok(verdict(UndoStatus::Left, "it goes with its customer"))
            }
            (Action::Updated, "customer") => self.restore_customer(one).await,
            (Action::Updated, "customer_field_value") => self.restore_value(one).await,
            (Action::Updated, "customer_links" | "customer_object") => self.document(one).await,
            (_, kind) => Ok(no_way(kind)),
        }
    }

    // ---- sending

    fn request(&self, one: &Undoing, method: &str, path: String, step: &str) -> RequestBuilder {
        let key = self.session.key(one, step);
        self.session.cx.http().repeatable(method, path, key)
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

    // ---- tickets

    async fn ticket(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let Some((ticket, messages)) =
            tickets::whole(self.session.cx, id.parse().unwrap_or(0)).await?
        else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = self.ticket_conflict(one, &ticket, &messages);
        let request = self.request(one, "DELETE", format!("/tickets/{id}"), "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    fn ticket_conflict(
        &self,
        one: &Undoing,
        ticket: &Ticket,
        messages: &[Message],
    ) -> Option<String> {
        let ours = map::external_id(&one.marker);
        if ticket.external_id.as_deref() != Some(ours.as_str()) {
            return Some("its external id is not ours any more".to_owned());
        }
        let prefix = self.session.cx.marker_prefix();
        let is_foreign = |message: &&Message| {
            let external = message.external_id.as_deref().unwrap_or_default();
            !external.starts_with(&prefix)
        };
        let foreign = messages.iter().filter(is_foreign).count();
        if foreign > 0 {
            return Some(format!(
                "{foreign} messages are in it that this run did not write"
            ));
        }
        changed_since(&one.effect, &thread::facets(ticket, messages, &prefix))
    }

    /// A message that was added to a ticket. Where the ticket was ours it went with it, or is left with it.
    async fn message(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((ticket, id)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "a message without its ticket"));
        };
        let with_ticket = self.tickets.borrow().get(ticket).copied();
        match with_ticket {
            Some(UndoStatus::Undone) => return Ok((UndoStatus::Undone, None)),
            Some(UndoStatus::Gone) => return Ok((UndoStatus::Gone, None)),
            Some(_) => return Ok(verdict(UndoStatus::Conflict, "its ticket was left")),
            None => {}
        }
        let path = format!("/tickets/{ticket}/messages/{id}");
        let Some(message) = client::find::<Message>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = changed_since(&one.effect, &tickets::message_facets(&message));
        let request = self.request(one, "DELETE", path, "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// The status that a ticket was given in the end.
    async fn status(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        if self.session.is_ours("ticket", id) || self.tickets.borrow().contains_key(id) {
            return Ok(verdict(UndoStatus::Left, "it goes with its ticket"));
        }
        let path = format!("/tickets/{id}");
        let Some(ticket) = client::find::<Ticket>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let Some(before) = before(&one.effect) else {
            return Ok(nothing_recorded());
        };
        if before.get("status").and_then(Value::as_str) == Some(ticket.status.as_str()) {
            return Ok(as_before());
        }
        let conflict = changed_since(&one.effect, &[("status".to_owned(), ticket.status.clone())]);
        let request = self.request(one, "PUT", path, "restore").json(&before);
        self.finish(conflict, request, UndoStatus::Restored).await
    }

    async fn survey(&self, one: &Undoing) -> Result<Verdict, Error> {
        let path = format!("/satisfaction-surveys/{}", one.effect.target_id);
        Ok(
            match client::find::<Survey>(self.session.cx, &path).await? {
                None => (UndoStatus::Gone, None),
                Some(_) if self.session.previews() => (UndoStatus::Undone, None),
                Some(_) => verdict(
                    UndoStatus::Cannot,
                    "Gorgias deletes a survey with its ticket only",
                ),
            },
        )
    }

    // ---- customers

    async fn customer(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let customer = match client::customer(self.session.cx, id).await? {
            Looked::There(customer) => customer,
            Looked::Gone => return Ok((UndoStatus::Gone, None)),
            Looked::Merged => {
                return Ok(verdict(UndoStatus::Conflict, client::MERGED));
            }
        };
        let conflict = self.customer_conflict(one, &customer).await?;
        let request = self.request(one, "DELETE", format!("/customers/{id}"), "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    async fn customer_conflict(
        &self,
        one: &Undoing,
        customer: &Customer,
    ) -> Result<Option<String>, Error> {
        let marker = self.session.marker_of(one);
        if customer.external_id.as_deref() != Some(map::external_id(&marker).as_str()) {
            return Ok(Some("its external id is not ours any more".to_owned()));
        }
        let recorded = one.effect.fingerprint.as_deref().unwrap_or_default();
        let mut now = customers::facets(customer);
        if recorded.contains("field ") {
            let values = customers::values_of(self.session.cx, &customer.id.to_string()).await?;
            now.extend(recorded_fields(recorded).map(|(facet, id)| {
                let value = values.get(&id).map(canonical).unwrap_or_default();
                (facet, value)
            }));
        }
        if let Some(conflict) = changed_since(&one.effect, &now) {
            return Ok(Some(conflict));
        }
        let path = format!("/tickets?customer_id={}", customer.id);
        let theirs: Vec<Ticket> = client::list(self.session.cx, &path).await?;
        let mut left = 0;
        for ticket in theirs.iter().filter(|ticket| self.stays(ticket)) {
            // Lists may be late (Gorgias facts §4): what was deleted right before may still be in them.
            let path = format!("/tickets/{}", ticket.id);
            left += usize::from(client::get(self.session.cx, &path).await?.is_some());
        }
        Ok((left > 0).then(|| format!("{left} tickets hang on it")))
    }

    /// Puts back what an update changed, where it still is what we wrote.
    async fn restore_customer(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = one.effect.target_id.as_str();
        let now = match client::customer(self.session.cx, id).await? {
            Looked::There(customer) => customer,
            Looked::Gone => return Ok((UndoStatus::Gone, None)),
            Looked::Merged => {
                return Ok(verdict(UndoStatus::Conflict, client::MERGED));
            }
        };
        let Some(before) = before(&one.effect) else {
            return Ok(nothing_recorded());
        };
        let is = serde_json::to_value(&now)?;
        if holds(&is, &before) {
            return Ok(as_before());
        }
        let conflict = changed_since(&one.effect, &customers::facets(&now));
        let request = self
            .request(one, "PUT", format!("/customers/{id}"), "restore")
            .json(&before);
        self.finish(conflict, request, UndoStatus::Restored).await
    }

    async fn restore_value(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((customer, field)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "a value without its customer"));
        };
        if !matches!(
            client::customer(self.session.cx, customer).await?,
            Looked::There(_)
        ) {
            return Ok((UndoStatus::Gone, None));
        }
        let Some(before) = before(&one.effect) else {
            return Ok(nothing_recorded());
        };
        let values = customers::values_of(self.session.cx, customer).await?;
        let now = field.parse().ok().and_then(|id: u64| values.get(&id));
        let now = now.map(canonical).unwrap_or_default();
        if canonical(before.get("value").unwrap_or(&Value::Null)) == now {
            return Ok(as_before());
        }
        let conflict = changed_since(&one.effect, &[(format!("field {field}"), now)]);
        let path = format!("/customers/{customer}/custom-fields/{field}");
        let was_nothing = before.get("value").is_none_or(Value::is_null);
        let request = if was_nothing {
            self.request(one, "DELETE", path, "restore")
        } else {
            self.request(one, "PUT", path, "restore").json(&before)
        };
        self.finish(conflict, request, UndoStatus::Restored).await
    }

    /// A member of a customer's document: a record, or what names its links.
    async fn document(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        let mut parts = effect.target_id.split('/');
        let customer = parts.next().unwrap_or_default();
        let of_record: Vec<&str> = parts.collect();
        let path: Vec<&str> = if effect.target_kind == "customer_links" {
            vec![links::LINKS]
        } else {
            [&[objects::OBJECTS], of_record.as_slice()].concat()
        };
        let Some(document) = data::read(self.session.cx, customer).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let now = data::get(&document, &path).cloned().unwrap_or_default();
        if now.is_null() && effect.action == Action::Created {
            return Ok((UndoStatus::Gone, None));
        }
        let facets = if effect.target_kind == "customer_links" {
            links::facets(&now)
        } else {
            objects::member_facets(&now)
        };
        let conflict = changed_since(&one.effect, &facets);
        let (done, back) = match (effect.action, before(&one.effect)) {
            (Action::Created, _) => (UndoStatus::Undone, Value::Null),
            (_, Some(before)) if effect.target_kind == "customer_links" => (
                UndoStatus::Restored,
                before.get(links::LINKS).cloned().unwrap_or_default(),
            ),
            (_, Some(before)) => (UndoStatus::Restored, Value::Object(before)),
            (_, None) => {
                return Ok(nothing_recorded());
            }
        };
        if effect.action == Action::Updated && canonical(&back) == canonical(&now) {
            return Ok(as_before());
        }
        if let Some(decided) = self.session.decided(&conflict, done) {
            return Ok(decided);
        }
        let document = data::set(&document, &path, back);
        let part = format!("undo:{}", one.effect_id);
        Ok(
            match data::write(self.session.cx, (&one.item, &part), customer, &document).await? {
                Written::Done(_) => (done, None),
                Written::Refused(error) => verdict(UndoStatus::Failed, format!("{error:?}")),
                Written::Unknown => unanswered("request"),
            },
        )
    }

    // ---- users, teams, tags, fields

    /// Whether a ticket will still be there. Tickets are undone before what they hang on: one of ours that is still there was left,
    /// and others have worked on it. Only a preview has not undone them yet.
    fn stays(&self, ticket: &Ticket) -> bool {
        !self.session.previews() || !self.session.is_ours("ticket", &ticket.id.to_string())
    }

    /// Tickets that stay and were changed since a time; `None` where there are too many to tell.
    async fn tickets_since(&self, since: Option<i64>) -> Result<Option<Vec<Ticket>>, Error> {
        let is_since = |ticket: &Ticket| {
            let at = ticket.updated_datetime.as_deref().and_then(map::parse);
            at.zip(since).is_none_or(|(at, since)| at >= since)
        };
        let path = "/tickets?order_by=updated_datetime:desc";
        let (mut found, complete) =
            client::list_while(self.session.cx, path, PAGES, is_since).await?;
        found.retain(|ticket| self.stays(ticket) && is_since(ticket));
        Ok(complete.then_some(found))
    }

    async fn user(&self, one: &Undoing) -> Result<Verdict, Error> {
        let path = format!("/users/{}", one.effect.target_id);
        let Some(user) = client::find::<User>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = changed_since(&one.effect, &people::user_facets(&user));
        if conflict.is_none() {
            conflict = self.work_of(&user).await?;
        }
        let request = self.request(one, "DELETE", path, "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// What a user has done or been given since they were made: no list tells it (Gorgias facts §4), so what is newer is read.
    async fn work_of(&self, user: &User) -> Result<Option<String>, Error> {
        let since = user.created_datetime.as_deref().and_then(map::parse);
        let too_much = || {
            Ok(Some(
                "too much has happened since to tell what hangs on it".to_owned(),
            ))
        };
        let Some(tickets) = self.tickets_since(since).await? else {
            return too_much();
        };
        let is_theirs = |ticket: &&Ticket| {
            ticket
                .assignee_user
                .as_ref()
                .is_some_and(|who| who.id == user.id)
        };
        let foreign = tickets.iter().filter(is_theirs).count();
        if foreign > 0 {
            return Ok(Some(format!("{foreign} tickets are assigned to it")));
        }
        let is_since = |message: &Message| {
            let at = message.created_datetime.as_deref().and_then(map::parse);
            at.zip(since).is_none_or(|(at, since)| at >= since)
        };
        let path = "/messages?order_by=created_datetime:desc";
        let (messages, complete) =
            client::list_while(self.session.cx, path, PAGES, is_since).await?;
        if !complete {
            return too_much();
        }
        let prefix = self.session.cx.marker_prefix();
        let wrote = |message: &&Message| {
            let external = message.external_id.as_deref().unwrap_or_default();
            message.from_agent
                && message.sender.as_ref().is_some_and(|who| who.id == user.id)
                && !external.starts_with(&prefix)
        };
        let foreign = messages.iter().filter(wrote).count();
        Ok((foreign > 0).then(|| format!("the user wrote {foreign} messages since")))
    }

    async fn team(&self, one: &Undoing) -> Result<Verdict, Error> {
        let path = format!("/teams/{}", one.effect.target_id);
        let Some(team) = client::find::<Team>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = changed_since(&one.effect, &people::team_facets(&team));
        if conflict.is_none() {
            let since = team.created_datetime.as_deref().and_then(map::parse);
            conflict = match self.tickets_since(since).await? {
                None => Some("too much has happened since to tell what hangs on it".to_owned()),
                Some(tickets) => {
                    let is_its = |t: &&Ticket| {
                        t.assignee_team
                            .as_ref()
                            .is_some_and(|who| who.id == team.id)
                    };
                    let foreign = tickets.iter().filter(is_its).count();
                    (foreign > 0).then(|| format!("{foreign} tickets are in it"))
                }
            };
        }
        let request = self.request(one, "DELETE", path, "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// A tag that some ticket still has is in use: those of this run are gone by then (Gorgias facts §8).
    async fn tag(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some(target) = NamedTarget::parse(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "not a tag's address"));
        };
        let path = format!("/tags/{}", target.id);
        let Some(tag) = client::find::<Tag>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = changed_since(&one.effect, &schema::tag_facets(&tag));
        if conflict.is_none() && !self.session.previews() && tag.usage > 0 {
            conflict = Some(format!("{} tickets have it that are left", tag.usage));
        }
        let request = self.request(one, "DELETE", path, "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// Fields cannot be deleted: one is archived, its values stay (Gorgias facts §9).
    async fn field(&self, one: &Undoing) -> Result<Verdict, Error> {
        let target = one.effect.target_id.as_str();
        let id = FieldTarget::parse(target)
            .map(|target| target.id)
            .or_else(|| target.parse().ok());
        let Some(id) = id else {
            return Ok(verdict(UndoStatus::Cannot, "not a field's address"));
        };
        let path = format!("/custom-fields/{id}");
        let Some(field) = client::find::<Field>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        if field.deactivated_datetime.is_some() {
            // One that was taken into use is out of use again.
            return Ok(match one.effect.action {
                Action::Updated => as_before(),
                _ => (UndoStatus::Gone, None),
            });
        }
        let conflict = changed_since(&one.effect, &schema::field_facets(&field));
        let done = match one.effect.action {
            Action::Updated => UndoStatus::Restored,
            _ => UndoStatus::Undone,
        };
        let was =
            before(&one.effect).and_then(|before| before.get("deactivated_datetime").cloned());
        let at = was.unwrap_or_else(|| json!(map::stamp(self.session.cx.now())));
        let body = schema::activation(&field, at);
        let request = self.request(one, "PUT", path, "archive").json(&body);
        let (status, reason) = self.finish(conflict, request, done).await?;
        Ok(match status {
            UndoStatus::Undone => verdict(status, "archived: Gorgias deletes no fields"),
            _ => (status, reason),
        })
    }
}

/// The facets of field values in a recorded print, with the fields' numbers.
fn recorded_fields(recorded: &str) -> impl Iterator<Item = (String, u64)> {
    let facets = recorded
        .split(';')
        .filter_map(|facet| facet.rsplit_once('='));
    facets.filter_map(|(name, _)| {
        let id = name.strip_prefix("field ")?.parse().ok()?;
        Some((name.to_owned(), id))
    })
}
