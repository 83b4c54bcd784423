//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); what
//! Zendesk changes by itself is not among the facets. People, organizations, groups, fields and objects are asked for
//! dependents that are not ours (rule D-10). Gone is what a read shows as gone; merged is a conflict. Deletion is soft
//! first and, with `purge`, permanent afterwards (Zendesk facts §14); deletions by id may be repeated.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, before, changed_since, verdict};
use transload_sdk::http::{self, RequestBuilder, key};
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::policy::{canonical, holds};
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, as_before, no_way, nothing_recorded, send};

use crate::api::{
    Comment, CustomObject, FieldDefinition, Group, GroupMembership, JobRow, JobStatus,
    Organization, Record, Refusal, Ticket, User,
};
use crate::client::{self, Sent};
use crate::map::{self, FieldOwner, FieldTarget};
use crate::state::Config;
use crate::thread;
use crate::write::tickets::rows_by_index;
use crate::write::{people, schema};

/// Tickets a job deletes (Zendesk facts §14).
const BULK: usize = 100;

struct Undo<'a> {
    session: Session<'a>,
    purge: bool,
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
    let config: Config = cx.config()?;
    let undo = Undo {
        session: Session::new(cx, mode, ours).with_created(&effects),
        purge: config.purge,
    };
    let mut rest = effects.as_slice();
    while let Some(first) = rest.first() {
        let is_ticket =
            |u: &Undoing| u.effect.target_kind == "ticket" && u.effect.action == Action::Created;
        let count = if is_ticket(first) {
            rest.iter().take_while(|u| is_ticket(u)).count().min(BULK)
        } else {
            1
        };
        let (now, later) = rest.split_at(count);
        rest = later;
        if is_ticket(first) {
            undo.tickets(now).await?;
        } else {
            for one in now {
                undo.session.say(one, undo.one(one).await?);
            }
        }
    }
    Ok(cx.reported().await?)
}

impl Undo<'_> {
    // ---- tickets

    async fn tickets(&self, batch: &[Undoing]) -> Result<(), Error> {
        let ids = batch
            .iter()
            .map(|u| u.effect.target_id.as_str())
            .collect::<Vec<_>>()
            .join(",");
        let path = format!("/api/v2/tickets/show_many?ids={ids}");
        let found: Vec<Ticket> = client::find_member(self.session.cx, &path, "tickets")
            .await?
            .unwrap_or_default();
        let mut doomed: Vec<&Undoing> = Vec::new();
        let mut absent: Vec<&Undoing> = Vec::new();
        for one in batch {
            let id = one.effect.target_id.parse::<u64>().unwrap_or(0);
            let Some(ticket) = found.iter().find(|ticket| ticket.id == id) else {
                absent.push(one);
                continue;
            };
            let conflict = self.ticket_conflict(one, ticket).await?;
            if self.session.blocks(&conflict) {
                self.session.say(one, (UndoStatus::Conflict, conflict));
            } else {
                doomed.push(one);
            }
        }
        if self.session.previews() {
            for one in doomed {
                self.session.say(one, (UndoStatus::Undone, None));
            }
            for one in absent {
                self.session.say(one, (UndoStatus::Gone, None));
            }
            return Ok(());
        }
        if !doomed.is_empty() {
            self.delete_many("/api/v2/tickets/destroy_many", "delete", &doomed)
                .await?;
        }
        // One that was deleted softly before (by an earlier attempt, by a person) is not back to nothing yet.
        let to_purge: Vec<&Undoing> = doomed.iter().chain(&absent).copied().collect();
        let mut kept = BTreeSet::new();
        if self.purge {
            kept = self
                .delete_many("/api/v2/deleted_tickets/destroy_many", "purge", &to_purge)
                .await?;
        }
        let left: Vec<Ticket> = client::find_member(self.session.cx, &path, "tickets")
            .await?
            .unwrap_or_default();
        for one in doomed {
            let id = one.effect.target_id.parse::<u64>().unwrap_or(0);
            let wrong = if left.iter().any(|ticket| ticket.id == id) {
                Some("the ticket is still there")
            } else if kept.contains(&one.effect_id) {
                Some("the ticket is deleted, but Zendesk did not delete it permanently")
            } else {
                None
            };
            match wrong {
                Some(why) => {
                    self.session
                        .say(one, (UndoStatus::Failed, Some(why.to_owned())));
                }
                None => self.session.say(one, (UndoStatus::Undone, None)),
            }
        }
        for one in absent {
            self.session.say(one, (UndoStatus::Gone, None));
        }
        Ok(())
    }

    /// One job that deletes; gives the effects whose rows it says were refused.
    async fn delete_many(
        &self,
        path: &str,
        step: &str,
        batch: &[&Undoing],
    ) -> Result<BTreeSet<u64>, Error> {
        if batch.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids = batch
            .iter()
            .map(|u| u.effect.target_id.as_str())
            .collect::<Vec<_>>()
            .join(",");
        let first = batch.first().map(|u| u.effect_id).unwrap_or_default();
        let key = key("*", format!("tickets:{first}"), step);
        let write = self
            .session
            .cx
            .http()
            .repeatable("DELETE", format!("{path}?ids={ids}"), key);
        let every = || batch.iter().map(|one| one.effect_id).collect();
        let Sent::Done(answer) = http::write(write).await? else {
            return Ok(every());
        };
        let job: JobStatus = answer.member("job_status")?;
        let ended = client::job(self.session.cx, &job.id).await?;
        let rows = ended.and_then(|job| job.results).unwrap_or_default();
        let rows = rows_by_index(rows, batch.len());
        let refused = |(index, one): (usize, &&Undoing)| {
            rows.get(&index)
                .and_then(JobRow::refusal)
                .map(|_| one.effect_id)
        };
        Ok(batch.iter().enumerate().filter_map(refused).collect())
    }

    async fn ticket_conflict(
        &self,
        one: &Undoing,
        ticket: &Ticket,
    ) -> Result<Option<String>, Error> {
        let marker = ticket.external_id.as_deref().unwrap_or("");
        if marker != one.marker && !marker.starts_with(&format!("{}#", one.marker)) {
            return Ok(Some("its external id is not ours any more".to_owned()));
        }
        if ticket.tags.iter().any(|tag| tag == "closed_by_merge")
            || ticket.via.pointer("/source/rel").and_then(Value::as_str) == Some("merge")
        {
            return Ok(Some("the ticket was merged".to_owned()));
        }
        let Some(recorded) = &one.effect.fingerprint else {
            return Ok(None);
        };
        let at = ticket.updated_at.as_deref().and_then(map::parse_iso);
        let comments: Option<Vec<Comment>> =
            if at.is_some() && at.map(cut) == one.effect.updated_at.map(cut) {
                // Nothing happened since the import: its comments need not be read.
                None
            } else {
                let path = format!(
                    "/api/v2/tickets/{}/comments?include_inline_images=true",
                    ticket.id
                );
                Some(client::list(self.session.cx, &path, "comments").await?)
            };
        let now = thread::read_facets(ticket, comments.as_deref());
        let changed = map::changed(recorded, &now);
        Ok((!changed.is_empty()).then(|| format!("changed since: {}", changed.join(", "))))
    }

    // ---- everything else

    async fn one(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        match effect.action {
            Action::Matched => Ok((UndoStatus::Left, None)),
            Action::Updated => self.restore(one).await,
            Action::Created => match effect.target_kind.as_str() {
                "user" => self.user(one).await,
                "identity" => self.identity(one).await,
                "organization" => self.organization(one).await,
                "group" => self.group(one).await,
                "group_membership" => {
                    self.by_path(
                        one,
                        format!("/api/v2/group_memberships/{}", effect.target_id),
                    )
                    .await
                }
                "custom_object_record" => self.record(one).await,
                "custom_object" => self.object(one).await,
                "ticket_field_option" => self.option(one).await,
                kind if kind.ends_with("_field") => self.field(one).await,
                kind => Ok(no_way(kind)),
            },
        }
    }

    fn deletion(&self, one: &Undoing, path: String, step: &str) -> RequestBuilder {
        let key = self.session.key(one, step);
        self.session.cx.http().repeatable("DELETE", path, key)
    }

    /// The end of every deletion: what is in the way, else the deletion.
    async fn finish(
        &self,
        one: &Undoing,
        conflict: Option<String>,
        path: String,
    ) -> Result<Verdict, Error> {
        let request = self.deletion(one, path, "delete");
        let finish = self
            .session
            .finish::<Refusal>(conflict, request, UndoStatus::Undone);
        finish.await
    }

    async fn by_path(&self, one: &Undoing, path: String) -> Result<Verdict, Error> {
        if client::get(self.session.cx, &path).await?.is_none() {
            return Ok((UndoStatus::Gone, None));
        }
        self.finish(one, None, path).await
    }

    /// Tickets of somebody else's that hang on a person or an organization.
    async fn foreign_tickets(&self, path: String) -> Result<Option<String>, Error> {
        let tickets: Vec<Ticket> = client::list(self.session.cx, &path, "tickets").await?;
        let foreign = tickets
            .iter()
            .filter(|t| !self.session.is_ours("ticket", &t.id.to_string()))
            .count();
        Ok((foreign > 0)
            .then(|| format!("{foreign} tickets hang on it that this run did not make")))
    }

    async fn user(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/users/{id}");
        let purge = format!("/api/v2/deleted_users/{id}");
        let found: Option<User> = client::find_member(self.session.cx, &path, "user").await?;
        let Some(user) = found.filter(|user| user.active != Some(false)) else {
            let external = format!(
                "/api/v2/users/show_many?external_ids={}",
                http::segment(self.session.marker_of(one))
            );
            let others: Vec<User> = client::find_member(self.session.cx, &external, "users")
                .await?
                .unwrap_or_default();
            if others
                .iter()
                .any(|other| other.id.map(|id| id.to_string()).as_ref() != Some(id))
            {
                return Ok(verdict(
                    UndoStatus::Conflict,
                    "the user was merged into another one",
                ));
            }
            if self.purge
                && !self.session.previews()
                && client::get(self.session.cx, &purge).await?.is_some()
            {
                return send::<Refusal>(self.deletion(one, purge, "purge"), UndoStatus::Undone)
                    .await;
            }
            return Ok((UndoStatus::Gone, None));
        };
        let marker = self.session.marker_of(one);
        let mut conflict = match &user.external_id {
            Some(external) if external.eq_ignore_ascii_case(&marker) => None,
            _ => Some("its external id is not ours any more".to_owned()),
        };
        conflict = conflict.or_else(|| changed_since(&one.effect, &people::user_facets(&user)));
        if conflict.is_none() {
            for role in ["requested", "ccd"] {
                let list = format!("{path}/tickets/{role}");
                conflict = conflict.or(self.foreign_tickets(list).await?);
            }
        }
        let (status, reason) = self.finish(one, conflict, path).await?;
        if status != UndoStatus::Undone || self.session.previews() || !self.purge {
            return Ok((status, reason));
        }
        send::<Refusal>(self.deletion(one, purge, "purge"), UndoStatus::Undone).await
    }

    async fn identity(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((user, identity)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "an identity without its user"));
        };
        self.by_path(one, format!("/api/v2/users/{user}/identities/{identity}"))
            .await
    }

    async fn organization(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/organizations/{id}");
        let Some(organization) =
            client::find_member::<Organization>(self.session.cx, &path, "organization").await?
        else {
            return Ok((UndoStatus::Gone, None));
        };
        let ours = organization
            .external_id
            .as_deref()
            .unwrap_or("")
            .eq_ignore_ascii_case(&one.marker);
        let mut conflict = (!ours).then(|| "its external id is not ours any more".to_owned());
        conflict = conflict
            .or_else(|| changed_since(&one.effect, &people::organization_facets(&organization)));
        if conflict.is_none() {
            let users: Vec<User> =
                client::list(self.session.cx, &format!("{path}/users"), "users").await?;
            let foreign = |u: &&User| {
                !self
                    .session
                    .is_ours("user", &u.id.unwrap_or_default().to_string())
            };
            let foreign = users.iter().filter(foreign).count();
            conflict = (foreign > 0)
                .then(|| format!("{foreign} people belong to it that this run did not make"));
        }
        if conflict.is_none() {
            conflict = self.foreign_tickets(format!("{path}/tickets")).await?;
        }
        self.finish(one, conflict, path).await
    }

    async fn group(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let path = format!("/api/v2/groups/{id}");
        let found: Option<Group> = client::find_member(self.session.cx, &path, "group").await?;
        let Some(group) = found.filter(|group| !group.deleted) else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = changed_since(&one.effect, &[("name".to_owned(), group.name.clone())]);
        if conflict.is_none() {
            let members: Vec<GroupMembership> = client::list(
                self.session.cx,
                &format!("{path}/memberships"),
                "group_memberships",
            )
            .await?;
            let foreign =
                |m: &&GroupMembership| !self.session.is_ours("group_membership", &m.id.to_string());
            let foreign = members.iter().filter(foreign).count();
            conflict = (foreign > 0)
                .then(|| format!("{foreign} agents are in it that this run did not add"));
        }
        if conflict.is_none() {
            let words = format!("type:ticket group:{id}");
            let in_it =
                |ticket: &Value| ticket.get("group_id").and_then(Value::as_u64) == id.parse().ok();
            let foreign = self.foreign_found(&words, "ticket", in_it).await?;
            conflict = (foreign > 0).then(|| format!("{foreign} tickets of others are in it"));
        }
        self.finish(one, conflict, path).await
    }

    /// How many tickets, users or organizations a search finds that are not of this source and of which `holds` is true. The
    /// index is some minutes late: what it finds is looked at, and what was deleted is known by its marker.
    async fn foreign_found(
        &self,
        words: &str,
        kind: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<usize, Error> {
        let path = format!("/api/v2/search?query={}", http::segment(words));
        let found: Option<Vec<Value>> =
            client::find_member(self.session.cx, &path, "results").await?;
        let prefix = self.session.cx.marker_prefix().to_lowercase();
        let foreign = |found: &&Value| {
            let id = found.get("id").and_then(Value::as_u64).unwrap_or_default();
            let external = found.get("external_id").and_then(Value::as_str);
            !self.session.is_ours(kind, &id.to_string())
                && !external.is_some_and(|id| id.to_lowercase().starts_with(&prefix))
                && holds(found)
        };
        Ok(found.unwrap_or_default().iter().filter(foreign).count())
    }

    async fn record(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((object, id)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "a record without its object"));
        };
        let path = format!("/api/v2/custom_objects/{object}/records/{id}");
        let Some(record) =
            client::find_member::<Record>(self.session.cx, &path, "custom_object_record").await?
        else {
            return Ok((UndoStatus::Gone, None));
        };
        let ours = record.external_id.as_deref() == Some(one.marker.as_str());
        let conflict = (!ours).then(|| "its external id is not ours any more".to_owned());
        let conflict = conflict
            .or_else(|| changed_since(&one.effect, &crate::write::objects::record_facets(&record)));
        self.finish(one, conflict, path).await
    }

    async fn object(&self, one: &Undoing) -> Result<Verdict, Error> {
        let object = &one.effect.target_id;
        let path = format!("/api/v2/custom_objects/{object}");
        if client::find_member::<CustomObject>(self.session.cx, &path, "custom_object")
            .await?
            .is_none()
        {
            return Ok((UndoStatus::Gone, None));
        }
        let records: Vec<Record> = client::list(
            self.session.cx,
            &format!("{path}/records"),
            "custom_object_records",
        )
        .await?;
        let foreign = |r: &&Record| {
            !self
                .session
                .is_ours("custom_object_record", &map::record_target(object, &r.id))
        };
        let foreign = records.iter().filter(foreign).count();
        let conflict = (foreign > 0)
            .then(|| format!("{foreign} records are in it that this run did not make"));
        self.finish(one, conflict, path).await
    }

    async fn field(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some(target) = FieldTarget::parse(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "not a field's address"));
        };
        let fields: Vec<FieldDefinition> =
            schema::all_fields(self.session.cx, &target.owner).await?;
        let found = fields.iter().find(|field| match target.owner {
            FieldOwner::Ticket => field.id.to_string() == target.address,
            _ => field.key.as_deref() == Some(target.address.as_str()),
        });
        // A custom object takes its fields with it.
        let Some(field) = found else {
            return Ok((UndoStatus::Gone, None));
        };
        let conflict = changed_since(&one.effect, &schema::field_facets(field));
        let conflict = match conflict {
            Some(conflict) => Some(conflict),
            None => self.field_in_use(&target, field).await?,
        };
        self.finish(
            one,
            conflict,
            format!("{}/{}", target.owner.path(), field.id),
        )
        .await
    }

    /// Values of others would vanish with the field (Zendesk facts §9). Those of records go with their object, which asks
    /// for them.
    async fn field_in_use(
        &self,
        target: &FieldTarget,
        field: &FieldDefinition,
    ) -> Result<Option<String>, Error> {
        let (words, kind, member) = match target.owner {
            FieldOwner::Ticket => (format!("custom_field_{}", field.id), "ticket", ""),
            FieldOwner::User => (target.address.clone(), "user", "user_fields"),
            FieldOwner::Organization => (
                target.address.clone(),
                "organization",
                "organization_fields",
            ),
            FieldOwner::Object(_) => return Ok(None),
        };
        let holds = |found: &Value| {
            let of_ticket = |list: &Vec<Value>| {
                let same = |f: &&Value| f.get("id").and_then(Value::as_u64) == Some(field.id);
                list.iter().find(same).and_then(|f| f.get("value")).cloned()
            };
            let value = match member {
                "" => found
                    .get("custom_fields")
                    .and_then(Value::as_array)
                    .and_then(of_ticket),
                _ => found
                    .get(member)
                    .and_then(|f| f.get(&target.address))
                    .cloned(),
            };
            value.is_some_and(|value| !is_default(&value))
        };
        let words = format!("type:{kind} {words}:*");
        let foreign = self.foreign_found(&words, kind, holds).await?;
        Ok((foreign > 0).then(|| format!("{foreign} {kind}s of others have a value in it")))
    }

    async fn option(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some((field, option)) = one.effect.target_id.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "an option without its field"));
        };
        self.by_path(
            one,
            format!("/api/v2/ticket_fields/{field}/options/{option}"),
        )
        .await
    }

    /// Puts back what an update changed, where it still is what we wrote.
    async fn restore(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        let id = effect.target_id.as_str();
        let (path, word, fields, method) = match (effect.target_kind.as_str(), id.split_once('/')) {
            ("user", _) => (format!("/api/v2/users/{id}"), "user", "user_fields", "PUT"),
            ("organization", _) => (
                format!("/api/v2/organizations/{id}"),
                "organization",
                "organization_fields",
                "PUT",
            ),
            ("custom_object_record", Some((object, id))) => (
                format!("/api/v2/custom_objects/{object}/records/{id}"),
                "custom_object_record",
                "custom_object_fields",
                "PATCH",
            ),
            (kind, _) => {
                return Ok(verdict(
                    UndoStatus::Cannot,
                    format!("no way to restore a {kind}"),
                ));
            }
        };
        let before = before(effect);
        let Some(before) = before else {
            return Ok(nothing_recorded());
        };
        let Some(now) = client::find_member::<Value>(self.session.cx, &path, word).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        if holds(&now, &before) {
            return Ok(as_before());
        }
        let facets = value_facets(&now, fields);
        let conflict = changed_since(&one.effect, &facets);
        let key = self.session.key(one, "restore");
        let mut body = before;
        if word == "user" {
            body.insert("skip_verify_email".to_owned(), json!(true));
        }
        let mut envelope = Map::new();
        envelope.insert(word.to_owned(), Value::Object(body));
        let request = self.session.cx.http().repeatable(method, path, key);
        let request = request.json(&Value::Object(envelope));
        let finish = self
            .session
            .finish::<Refusal>(conflict, request, UndoStatus::Restored);
        finish.await
    }
}

/// What a field shows that nobody has filled: a checkbox is false then.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn cut(ms: i64) -> i64 {
    ms.div_euclid(1_000)
}

/// Facets of whatever a record is, named as in the recorded ones.
fn value_facets(now: &Value, fields: &str) -> Vec<(String, String)> {
    let mut facets: Vec<(String, String)> = now
        .get(fields)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (format!("field {key}"), canonical(value)))
        .collect();
    for (facet, name) in [
        ("name", "name"),
        ("email", "email"),
        ("phone", "phone"),
        ("notes", "notes"),
    ] {
        let text = now.get(name).and_then(Value::as_str).unwrap_or("");
        facets.push((facet.to_owned(), text.to_owned()));
    }
    let external = now.get("external_id").and_then(Value::as_str).unwrap_or("");
    let external = if fields == "custom_object_fields" {
        external.to_owned()
    } else {
        external.to_lowercase()
    };
    facets.push(("external_id".to_owned(), external));
    let organization = now.get("organization_id").and_then(Value::as_u64);
    facets.push((
        "organization".to_owned(),
        organization.map(|id| id.to_string()).unwrap_or_default(),
    ));
    facets
}
