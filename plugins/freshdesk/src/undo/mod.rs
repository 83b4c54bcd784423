//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); what Freshdesk
//! changes by itself is not among the facets. People, companies, groups, agents and fields are asked for dependents that are not
//! ours (rule D-10). Gone is what a read shows as gone. Deletions by id may be repeated.
//!
//! A contact that is deleted for good takes its tickets along (Freshdesk facts §6): that is done only where none of them is
//! somebody else's, those in the trash included.

mod tickets;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, before, changed_since, verdict};
use transload_sdk::http::segment;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::policy::{holds, is_empty};
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, as_before, no_way, nothing_recorded, send};

use crate::api::{Agent, Company, Contact, Group, Record, Refusal, Ticket};
use crate::client;
use crate::map::{FieldTarget, Owner, record_parts};
use crate::state::{Config, State, own_field};
use crate::write::{links, matching, objects, people, schema, teams};

/// Pages of records that are looked through for values of a field that is to be deleted.
const VALUE_PAGES: usize = 50;
/// Since ever: without it a list of tickets shows the last 30 days only (Freshdesk facts §3).
const EVER: &str = "1970-01-01T00:00:00Z";

/// One call of undo.
struct Undo<'a> {
    session: Session<'a>,
    config: Config,
    state: State,
    /// Tickets that were looked at in this call, and whether they are there.
    seen: RefCell<BTreeMap<u64, bool>>,
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
        config: cx.config()?,
        state: cx.state::<Option<State>>()?.unwrap_or_default(),
        seen: RefCell::default(),
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
            (_, "ticket") => tickets::ticket(self, one).await,
            (_, "note") => tickets::note(self, one).await,
            (_, "ticket_change" | "note_change") => tickets::change(self, one).await,
            (Action::Updated, _) => self.restore(one).await,
            (Action::Created, "contact") => self.contact(one).await,
            (Action::Created, "company") => self.company(one).await,
            (Action::Created, "group") => self.group(one).await,
            (Action::Created, "group_member") => self.member(one).await,
            (Action::Created, "agent") => self.agent(one).await,
            (Action::Created, "record") => self.record(one).await,
            (Action::Created, "ticket_field" | "contact_field" | "company_field") => {
                self.field(one).await
            }
            (Action::Created, kind) => Ok(no_way(kind)),
        }
    }

    // ---- what all share

    /// Deletes by path.
    async fn delete(&self, one: &Undoing, path: String, step: &str) -> Result<Verdict, Error> {
        let key = self.session.key(one, step);
        let request = self.session.cx.http().repeatable("DELETE", path, key);
        send::<Refusal>(request, UndoStatus::Undone).await
    }

    /// The end of every deletion: what is in the way, else the deletion.
    async fn finish(
        &self,
        one: &Undoing,
        conflict: Option<String>,
        path: String,
    ) -> Result<Verdict, Error> {
        match self.session.decided(&conflict, UndoStatus::Undone) {
            Some(decided) => Ok(decided),
            None => self.delete(one, path, "delete").await,
        }
    }

    /// Whether a ticket carries this run.
    fn is_ticket_of_run(&self, ticket: &Ticket) -> bool {
        let run = self.state.field(Owner::Ticket, own_field::RUN);
        let held = run
            .and_then(|name| ticket.custom_fields.get(name))
            .and_then(Value::as_str);
        held == Some(self.session.cx.run())
            || self.session.is_ours("ticket", &ticket.id.to_string())
    }

    /// How many tickets of a list are somebody else's. Archived ones are in no list (Freshdesk facts §3).
    async fn foreign_tickets(&self, filter: &str) -> Result<usize, Error> {
        let path = format!("/api/v2/tickets?{filter}&updated_since={}", segment(EVER));
        let tickets: Vec<Ticket> = client::list(self.session.cx, &path).await?;
        Ok(tickets
            .iter()
            .filter(|ticket| !self.is_ticket_of_run(ticket))
            .count())
    }

    /// How many tickets of somebody else's a search finds. The index is some minutes late: what was deleted carries this run.
    async fn foreign_found(&self, query: &str) -> Result<usize, Error> {
        let path = format!(
            "/api/v2/search/tickets?query={}",
            segment(format!("\"{query}\""))
        );
        let reply = client::get(self.session.cx, &path).await?;
        let found: Vec<Ticket> = match reply {
            Some(reply) => reply.member::<Option<_>>("results")?.unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(found
            .iter()
            .filter(|ticket| !self.is_ticket_of_run(ticket))
            .count())
    }

    // ---- people and companies

    async fn contact(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/contacts/{id}");
        let Some(contact) = client::find::<Contact>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        if contact.deleted {
            if self.config.purge && !self.session.previews() {
                return self.purge(one, id, None).await;
            }
            return Ok((UndoStatus::Gone, None));
        }
        let external = contact.unique_external_id.as_deref().unwrap_or("");
        let ours = external.eq_ignore_ascii_case(&self.session.marker_of(one));
        let mut conflict = (!ours).then(|| "its external id is not ours any more".to_owned());
        conflict = conflict.or_else(|| changed_since(&one.effect, &people::facets(&contact)));
        let mut listed = None;
        if conflict.is_none() {
            let foreign = self.foreign_tickets(&format!("requester_id={id}")).await?;
            listed = Some(foreign);
            conflict = (foreign > 0)
                .then(|| format!("{foreign} tickets hang on it that this run did not make"));
        }
        if self.session.blocks(&conflict) || self.session.previews() || !self.config.purge {
            return self.finish(one, conflict, path).await;
        }
        self.purge(one, id, listed).await
    }

    /// Deletes a contact for good, or only softly where that would take somebody else's tickets along. `listed` are those that
    /// are neither in the trash nor spam, where they were counted already.
    async fn purge(
        &self,
        one: &Undoing,
        id: &str,
        listed: Option<usize>,
    ) -> Result<Verdict, Error> {
        let mut foreign = match listed {
            Some(foreign) => foreign,
            None => self.foreign_tickets(&format!("requester_id={id}")).await?,
        };
        for filter in ["deleted", "spam"] {
            let filter = format!("filter={filter}&requester_id={id}");
            foreign += self.foreign_tickets(&filter).await?;
        }
        if foreign == 0 {
            let path = format!("/api/v2/contacts/{id}/hard_delete?force=true");
            return self.delete(one, path, "purge").await;
        }
        let path = format!("/api/v2/contacts/{id}");
        let (status, reason) = self.delete(one, path, "delete").await?;
        let why = format!(
            "deleted, but not for good: {foreign} tickets that this run did not make would go with it"
        );
        Ok((status, reason.or(Some(why))))
    }

    async fn company(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/companies/{id}");
        let Some(company) = client::find::<Company>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let has_field = self
            .state
            .field(Owner::Company, own_field::MARKER)
            .is_some();
        let ours = !has_field || matching::marker_of(&self.state, &company) == one.marker;
        let mut conflict = (!ours).then(|| "its source id is not ours any more".to_owned());
        conflict = conflict.or_else(|| changed_since(&one.effect, &people::facets(&company)));
        if conflict.is_none() {
            let list = format!("/api/v2/contacts?company_id={id}");
            let people: Vec<Contact> = client::list(self.session.cx, &list).await?;
            let foreign = |c: &&Contact| !self.session.is_ours("contact", &c.id.to_string());
            let foreign = people.iter().filter(foreign).count();
            conflict = (foreign > 0)
                .then(|| format!("{foreign} people belong to it that this run did not make"));
        }
        if conflict.is_none() {
            let foreign = self.foreign_tickets(&format!("company_id={id}")).await?;
            conflict = (foreign > 0)
                .then(|| format!("{foreign} tickets hang on it that this run did not make"));
        }
        self.finish(one, conflict, path).await
    }

    // ---- groups and agents

    async fn group(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/groups/{id}");
        let Some(group) = client::find::<Group>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = changed_since(&one.effect, &teams::group_facets(&group));
        if conflict.is_none() {
            let foreign = |agent: &&u64| {
                let place = teams::member_target(group.id, **agent);
                **agent != self.state.stand_in && !self.session.is_ours("group_member", &place)
            };
            let foreign = group.agent_ids.iter().filter(foreign).count();
            conflict = (foreign > 0)
                .then(|| format!("{foreign} agents are in it that this run did not add"));
        }
        if conflict.is_none() {
            let foreign = self.foreign_found(&format!("group_id:{id}")).await?;
            conflict = (foreign > 0).then(|| format!("{foreign} tickets of others are in it"));
        }
        self.finish(one, conflict, path).await
    }

    /// Takes an agent out of a group again.
    async fn member(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((id, agent)) = teams::member_parts(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "a member without its group"));
        };
        let path = format!("/api/v2/groups/{id}");
        let group: Option<Group> = client::find(self.session.cx, &path).await?;
        let Some(group) = group.filter(|group| group.agent_ids.contains(&agent)) else {
            return Ok((UndoStatus::Gone, None));
        };
        if self.session.previews() {
            return Ok((UndoStatus::Undone, None));
        }
        let rest: Vec<u64> = group
            .agent_ids
            .into_iter()
            .filter(|one| *one != agent)
            .collect();
        let (status, reason) = self.put(one, path, &json!({"agent_ids": rest})).await?;
        let undone = status == UndoStatus::Restored;
        Ok((if undone { UndoStatus::Undone } else { status }, reason))
    }

    /// A deleted agent is a contact, which goes after it (Freshdesk facts §7).
    async fn agent(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/agents/{id}");
        let contact = format!("/api/v2/contacts/{id}");
        if let Some(agent) = client::find::<Agent>(self.session.cx, &path).await? {
            let mut conflict = changed_since(&one.effect, &teams::agent_facets(&agent));
            if conflict.is_none() {
                let foreign = self.foreign_found(&format!("agent_id:{id}")).await?;
                conflict =
                    (foreign > 0).then(|| format!("{foreign} tickets of others are the agent's"));
            }
            let (status, reason) = self.finish(one, conflict, path).await?;
            if status != UndoStatus::Undone || self.session.previews() {
                return Ok((status, reason));
            }
        }
        let Some(person) = client::find::<Contact>(self.session.cx, &contact).await? else {
            return Ok((UndoStatus::Undone, None));
        };
        if self.session.previews() {
            return Ok((UndoStatus::Undone, None));
        }
        if self.config.purge {
            return self.purge(one, id, None).await;
        }
        if person.deleted {
            return Ok((UndoStatus::Undone, None));
        }
        self.delete(one, contact, "delete-contact").await
    }

    // ---- fields and records

    async fn field(&self, one: &Undoing) -> Result<Verdict, Error> {
        let target = FieldTarget::parse(&one.effect.target_id);
        let Some((owner, target)) = target.and_then(|t| Some((t.on?, t))) else {
            return Ok(verdict(UndoStatus::Cannot, "not a field's address"));
        };
        let fields = schema::all_fields(self.session.cx, owner).await?;
        let Some(field) = fields.into_iter().find(|field| field.name == target.name) else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = changed_since(&one.effect, &schema::field_facets(&field));
        if conflict.is_none() {
            let since = field.created_at.as_deref().unwrap_or(EVER);
            conflict = self.values_of_others(owner, &field.name, since).await?;
        }
        let path = format!("{}/{}", owner.fields_path(), field.id);
        if self.session.blocks(&conflict) || self.session.previews() {
            return self.finish(one, conflict, path).await;
        }
        let verdict = self.finish(one, None, path).await?;
        let Some(other) = owner.other_fields_path() else {
            return Ok(verdict);
        };
        // The path that is not there answers 404, too (Freshdesk facts §9).
        let left = schema::all_fields(self.session.cx, owner).await?;
        if left.iter().all(|field| field.name != target.name) {
            return Ok(verdict);
        }
        let path = format!("{other}/{}", field.id);
        self.delete(one, path, "delete-admin").await
    }

    /// Values that others gave a field since it was made would vanish with it (Freshdesk facts §14).
    async fn values_of_others(
        &self,
        owner: Owner,
        field: &str,
        since: &str,
    ) -> Result<Option<String>, Error> {
        let (list, since) = match owner {
            Owner::Ticket => ("tickets", format!("updated_since={}", segment(since))),
            Owner::Contact => ("contacts", format!("_updated_since={}", segment(since))),
            Owner::Company => ("companies", format!("_updated_since={}", segment(since))),
        };
        let path = format!("/api/v2/{list}?{since}");
        let rows = client::list_at_most::<Value>(self.session.cx, &path, VALUE_PAGES)
            .await?
            .0;
        let kind = match owner {
            Owner::Ticket => "ticket",
            Owner::Contact => "contact",
            Owner::Company => "company",
        };
        let run = self.state.field(owner, own_field::RUN);
        let foreign = |row: &&Value| {
            let id = row.get("id").and_then(Value::as_u64).unwrap_or_default();
            let held = |name: &str| row.get("custom_fields").and_then(|fields| fields.get(name));
            let of_run = run.and_then(held).and_then(Value::as_str) == Some(self.session.cx.run());
            let filled = held(field).is_some_and(|v| !is_empty(v) && *v != Value::Bool(false));
            filled && !of_run && !self.session.is_ours(kind, &id.to_string())
        };
        let count = rows.iter().filter(foreign).count();
        Ok((count > 0).then(|| format!("{count} {list} of others have a value in it")))
    }

    async fn record(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((schema, id)) = record_parts(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "a record without its object"));
        };
        let path = format!("{}/{}", objects::path_of(schema), segment(id));
        let Some(record) = client::find::<Record>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = changed_since(&one.effect, &objects::record_facets(&record));
        self.finish(one, conflict, path).await
    }

    // ---- what was changed

    async fn put(&self, one: &Undoing, path: String, body: &Value) -> Result<Verdict, Error> {
        let key = self.session.key(one, "restore");
        let request = self.session.cx.http().repeatable("PUT", path, key);
        send::<Refusal>(request.json(body), UndoStatus::Restored).await
    }

    /// Puts back what an update changed, where it still is what we wrote.
    async fn restore(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        let Some(before) = before(effect) else {
            return Ok(nothing_recorded());
        };
        match effect.target_kind.as_str() {
            "record" => self.restore_record(one, before).await,
            "contact" => {
                let path = format!("/api/v2/contacts/{}", effect.target_id);
                let now: Option<Contact> = client::find(self.session.cx, &path).await?;
                let now = now.filter(|contact| !contact.deleted);
                let body = self.named(Owner::Contact, before);
                if now.as_ref().is_some_and(|now| is_as_before(now, &body)) {
                    return Ok(as_before());
                }
                let facets = now.map(|now| self.facets(Owner::Contact, people::facets(&now)));
                self.restore_at(one, path, facets, body).await
            }
            "company" => {
                let path = format!("/api/v2/companies/{}", effect.target_id);
                let now: Option<Company> = client::find(self.session.cx, &path).await?;
                let body = self.named(Owner::Company, before);
                if now.as_ref().is_some_and(|now| is_as_before(now, &body)) {
                    return Ok(as_before());
                }
                let facets = now.map(|now| self.facets(Owner::Company, people::facets(&now)));
                self.restore_at(one, path, facets, body).await
            }
            kind => Ok(no_way(kind)),
        }
    }

    async fn restore_at(
        &self,
        one: &Undoing,
        path: String,
        now: Option<Vec<(String, String)>>,
        body: Map<String, Value>,
    ) -> Result<Verdict, Error> {
        let Some(now) = now else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = changed_since(&one.effect, &now);
        match self.session.decided(&conflict, UndoStatus::Restored) {
            Some(decided) => Ok(decided),
            None => self.put(one, path, &Value::Object(body)).await,
        }
    }

    /// Facets with the text of links under the name that `links` gave it.
    fn facets(&self, owner: Owner, mut facets: Vec<(String, String)>) -> Vec<(String, String)> {
        if let Some(name) = self.state.field(owner, own_field::LINKS) {
            let name = format!("field {name}");
            let text = facets.iter().find(|(known, _)| *known == name);
            let text = text.map(|(_, text)| text.clone()).unwrap_or_default();
            facets.push((format!("field {}", own_field::LINKS), text));
        }
        facets
    }

    /// A before-image with that name put back.
    fn named(&self, owner: Owner, mut before: Map<String, Value>) -> Map<String, Value> {
        let fields = before
            .get_mut("custom_fields")
            .and_then(Value::as_object_mut);
        if let (Some(fields), Some(name)) = (fields, self.state.field(owner, own_field::LINKS))
            && let Some(text) = fields.remove(own_field::LINKS)
        {
            fields.insert(name.to_owned(), text);
        }
        before
    }

    async fn restore_record(
        &self,
        one: &Undoing,
        mut before: Map<String, Value>,
    ) -> Result<Verdict, Error> {
        let Some((schema, id)) = record_parts(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "a record without its object"));
        };
        let path = format!("{}/{}", objects::path_of(schema), segment(id));
        let Some(record) = client::find::<Record>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut data = match before.remove("data") {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        };
        let mut facets = objects::record_facets(&record);
        if let Some(text) = data.remove(own_field::LINKS)
            && let Some(name) = links::record_text_field(self.session.cx, schema).await?
        {
            let now = record.data.get(&name).cloned().unwrap_or_default();
            let now = transload_sdk::policy::canonical(&now);
            facets.push((format!("field {}", own_field::LINKS), now));
            data.insert(name, text);
        }
        if holds(&Value::Object(record.data.clone()), &data) {
            return Ok(as_before());
        }
        let body = match objects::put_body(&record, &data) {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        self.restore_at(one, path, Some(facets), body).await
    }
}

/// Whether an object holds what a before-image has of it.
fn is_as_before(now: &impl serde::Serialize, before: &Map<String, Value>) -> bool {
    serde_json::to_value(now).is_ok_and(|now| holds(&now, before))
}
