//! Undoing everything but tickets: accounts, contacts and records of modules many at once; fields, teams and their members; and
//! what was changed. Departments and modules cannot be deleted (Zoho Desk facts §7.4, §9): what becomes of them is said.
//!
//! Who is deleted takes tickets along (Zoho Desk facts §12): a contact or account that others' tickets hang on stays.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use transload_sdk::destination::Undoing;
use transload_sdk::effects::{Verdict, before, verdict};
use transload_sdk::http;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::policy::{holds, is_empty};
use transload_sdk::types::Error;
use transload_sdk::undo::{as_before, no_way};
use transload_sdk::words::{record_id, record_parts};

use super::{Trash, Undo};
use crate::api::{Field, Team, words_of};
use crate::client::Sent;
use crate::map::{FieldTarget, Owner, plain};
use crate::own;
use crate::write::links;
use crate::write::objects::{self, RECORD};
use crate::write::people::{self, Object, cf_of, is_there, marker_of};
use crate::write::{schema, teams};

/// Rows that are looked through for values of others in a field that is to be deleted.
const ROWS: usize = 200;

/// Undoes effects of one action on one kind, in their order.
///
/// # Errors
/// What ends the unit.
pub async fn many(undo: &Undo<'_>, all: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
    let Some(first) = all.first() else {
        return Ok(Vec::new());
    };
    let kind = first.effect.target_kind.as_str();
    match (first.effect.action, kind) {
        (Action::Created, "contact" | "account" | RECORD) => undo.delete(all).await,
        (Action::Created, "team_member") => undo.members(all).await,
        _ => {
            let mut verdicts = Vec::with_capacity(all.len());
            for one in all {
                verdicts.push(undo.single(one).await?);
            }
            Ok(verdicts)
        }
    }
}

fn owner_of(kind: &str) -> Option<Owner> {
    match kind {
        "contact" => Some(Owner::Contact),
        "account" => Some(Owner::Account),
        _ => None,
    }
}

impl Undo<'_> {
    async fn single(&self, one: &Undoing) -> Result<Verdict, Error> {
        let effect = &one.effect;
        match (effect.action, effect.target_kind.as_str()) {
            (Action::Updated, "contact" | "account" | RECORD) => self.restore(one).await,
            (Action::Created, "team") => self.team(one).await,
            (Action::Created, "department") => self.department(one).await,
            (Action::Created, "module") => self.module(one).await,
            (Action::Created, "field") => self.field(one).await,
            (_, kind) => Ok(no_way(kind)),
        }
    }

    // ---- accounts, contacts, records

    /// One of them, and what of it is compared.
    async fn look(&self, one: &Undoing) -> Result<Option<(Object, Vec<(String, String)>)>, Error> {
        let effect = &one.effect;
        let desk = &self.desk;
        Ok(match owner_of(&effect.target_kind) {
            Some(owner) => {
                let found = people::read_one(desk, owner, &effect.target_id).await?;
                found.map(|object| {
                    let facets = people::facets(owner, &object);
                    (object, facets)
                })
            }
            None => {
                let found = objects::read(desk, &effect.target_id).await?;
                found.map(|object| {
                    let facets = objects::facets(&object);
                    (object, facets)
                })
            }
        })
    }

    async fn delete(&self, all: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(all.len());
        for one in all {
            verdicts.push(self.fate(one).await?);
        }
        // Those that may go, by module.
        let mut modules: Vec<String> = Vec::new();
        for (one, verdict) in all.iter().zip(&verdicts) {
            let module = module_of(one);
            if verdict.is_none() && !modules.contains(&module) {
                modules.push(module);
            }
        }
        let mut done: Vec<(u64, Verdict)> = Vec::new();
        for module in modules {
            let going: Vec<(&Undoing, String)> = all
                .iter()
                .zip(&verdicts)
                .filter(|(one, verdict)| verdict.is_none() && module_of(one) == module)
                .map(|(one, _)| (*one, record_id(&one.effect.target_id).to_owned()))
                .collect();
            let ids = match module.as_str() {
                "contacts" => "contactIds",
                "accounts" => "accountIds",
                _ => "recordIds",
            };
            let of = Trash {
                module: &module,
                ids,
            };
            let trashed = self.trash(of, &going).await?;
            let numbers = going.iter().map(|(one, _)| one.effect_id);
            done.extend(numbers.zip(trashed));
        }
        let verdict_of = |one: &Undoing| {
            let known = done.iter().find(|(number, _)| *number == one.effect_id);
            known.map(|(_, verdict)| verdict.clone())
        };
        let verdicts = all.iter().zip(verdicts).map(|(one, verdict)| {
            let verdict = verdict.or_else(|| verdict_of(one));
            verdict.unwrap_or_else(|| self::verdict(UndoStatus::Failed, "nothing became of it"))
        });
        Ok(verdicts.collect())
    }

    /// What becomes of it without a deletion; none where it is to be deleted.
    async fn fate(&self, one: &Undoing) -> Result<Option<Verdict>, Error> {
        let Some((object, facets)) = self.look(one).await? else {
            return Ok(Some((UndoStatus::Gone, None)));
        };
        let mut conflict = self.changed(one, &facets);
        if let Some(owner) = owner_of(&one.effect.target_kind) {
            let marker = self.session.marker_of(one);
            let cf = cf_of(&object);
            let held = marker_of(&self.desk, owner, &cf);
            if !held.is_empty() && held != marker {
                conflict = Some("its source id is not ours any more".to_owned());
            }
            if conflict.is_none() {
                conflict = self.dependents(owner, &one.effect.target_id).await?;
            }
        }
        if self.blocks(&conflict) {
            return Ok(Some((UndoStatus::Conflict, conflict)));
        }
        Ok(self.previews().then_some((UndoStatus::Undone, None)))
    }

    /// What would go along (rule D-10): others' records; and what is of this run and still there, unless it is only asked what
    /// would become of all, since it stayed for a reason.
    async fn dependents(&self, owner: Owner, id: &str) -> Result<Option<String>, Error> {
        let lists: &[(&str, &str)] = match owner {
            Owner::Account => &[("tickets", "ticket"), ("contacts", "contact")],
            _ => &[("tickets", "ticket")],
        };
        for (list, kind) in lists {
            let path = format!("/{}/{id}/{list}", owner.module());
            let rows: Vec<Object> = self.desk.list(&path).await?;
            let goes = |row: &&Object| {
                let id = words_of(row.get("id").unwrap_or(&Value::Null));
                let ours = self.is_ours(kind, &id) || self.is_of_run(kind, row);
                is_there(row) && !(ours && self.previews())
            };
            let count = rows.iter().filter(goes).count();
            if count > 0 {
                return Ok(Some(format!("{count} {list} hang on it that stay")));
            }
        }
        Ok(None)
    }

    fn is_of_run(&self, kind: &str, row: &Object) -> bool {
        let owner = match kind {
            "ticket" => Owner::Ticket,
            _ => Owner::Contact,
        };
        people::is_of_run(&self.desk, owner, &cf_of(row))
    }

    /// Puts back what an update changed, where it still is what we wrote.
    async fn restore(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some(mut was) = before(&one.effect) else {
            let why = "nothing is recorded of what was there";
            return Ok(verdict(UndoStatus::Cannot, why));
        };
        let Some((object, mut facets)) = self.look(one).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let module = module_of(one);
        // Links name the text of ours by a name of its own.
        let mut cf = cf_of(&was);
        if cf.contains_key(own::LINKS) {
            let owner = owner_of(&one.effect.target_kind);
            let fields = match owner {
                Some(_) => Vec::new(),
                None => schema::all_fields(&self.desk, &module).await?,
            };
            if let (Some(name), Some(text)) = (
                links::text_field(&self.desk, owner, &fields),
                cf.remove(own::LINKS),
            ) {
                let now = cf_of(&object);
                let now = plain(now.get(&name).unwrap_or(&Value::Null));
                facets.push((format!("field {}", own::LINKS), now));
                cf.insert(name, text);
                was.insert("cf".to_owned(), Value::Object(cf));
            }
        }
        let mut is = object.clone();
        is.insert("cf".to_owned(), Value::Object(cf_of(&object)));
        if holds(&Value::Object(is), &was) {
            return Ok(as_before());
        }
        let path = format!("/{module}/{}", record_id(&one.effect.target_id));
        let request = self.request(one, "PATCH", path, "restore").json(&was);
        let conflict = self.changed(one, &facets);
        let verdict = self.finish(conflict, request, UndoStatus::Restored).await?;
        let parted = plain(object.get("accountId").unwrap_or(&Value::Null));
        if verdict.0 == UndoStatus::Restored
            && !self.previews()
            && !parted.is_empty()
            && was.contains_key("accountId")
            && let Some(account) = people::read_one(&self.desk, Owner::Account, &parted).await?
            && people::is_of_run(&self.desk, Owner::Account, &cf_of(&account))
        {
            self.part(one, &parted).await?;
        }
        Ok(verdict)
    }

    /// Parts a contact from an account of this run: one that is not its first account any more may still be one of several (Zoho
    /// Desk facts §6). Where that is refused, the account says so when its turn comes.
    async fn part(&self, one: &Undoing, account: &str) -> Result<(), Error> {
        let contact = format!("/contacts/{}", one.effect.target_id);
        let of: Vec<Object> = self.desk.list(&format!("{contact}/accounts")).await?;
        let is = |row: &Object| words_of(row.get("id").unwrap_or(&Value::Null)) == account;
        if of.iter().any(is) {
            let path = format!("{contact}/dissociateAccounts");
            let request = self.request(one, "POST", path, "part");
            let _: Sent = http::write(request.json(&json!({"ids": [account]}))).await?;
        }
        Ok(())
    }

    // ---- teams and departments

    async fn team(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let all = teams::all(&self.desk).await?;
        let Some(team) = all.into_iter().find(|team| team.id == *id) else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = self.changed(one, &teams::team_facets(&team));
        if conflict.is_none() {
            let foreign =
                |agent: &&String| !self.is_ours("team_member", &teams::member_target(id, agent));
            let foreign = team.agents.iter().filter(foreign).count();
            conflict = (foreign > 0)
                .then(|| format!("{foreign} agents are in it that this run did not add"));
        }
        let path = format!("/teams/{id}/deleteTeam");
        let request = self.request(one, "POST", path, "delete").json(&json!({}));
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// Takes agents out of teams again, of one team all at once.
    async fn members(&self, all: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
        let known = teams::all(&self.desk).await?;
        let mut done: Vec<(&str, Option<String>)> = Vec::new();
        let mut verdicts = Vec::with_capacity(all.len());
        for one in all {
            let parts = one.effect.target_id.split_once('/');
            let team = parts.and_then(|(team, _)| known.iter().find(|known| known.id == team));
            let there = |team: &&Team| {
                parts.is_some_and(|(_, agent)| team.agents.iter().any(|one| one == agent))
            };
            let Some(team) = team.filter(there) else {
                verdicts.push((UndoStatus::Gone, None));
                continue;
            };
            if self.previews() {
                verdicts.push((UndoStatus::Undone, None));
                continue;
            }
            let failed = match done.iter().find(|(known, _)| *known == team.id) {
                Some((_, failed)) => failed.clone(),
                None => {
                    let ours: BTreeSet<&str> = all
                        .iter()
                        .filter_map(|one| one.effect.target_id.split_once('/'))
                        .filter(|(of, _)| *of == team.id)
                        .map(|(_, agent)| agent)
                        .collect();
                    let rest: Vec<&String> = team
                        .agents
                        .iter()
                        .filter(|agent| !ours.contains(agent.as_str()))
                        .collect();
                    let path = format!("/teams/{}", team.id);
                    let request = self.request(one, "PATCH", path, "leave");
                    let sent: Sent = http::write(request.json(&json!({"agents": rest}))).await?;
                    let failed = match sent {
                        Sent::Done(_) => None,
                        Sent::Refused(refusal) => Some(refusal.words()),
                        Sent::Doubt(_) => Some("the request was not answered".to_owned()),
                    };
                    done.push((&team.id, failed.clone()));
                    failed
                }
            };
            verdicts.push(match failed {
                None => (UndoStatus::Undone, None),
                Some(why) => verdict(UndoStatus::Failed, why),
            });
        }
        Ok(verdicts)
    }

    /// Switches a department off, since none can be deleted (Zoho Desk facts §7.4).
    async fn department(&self, one: &Undoing) -> Result<Verdict, Error> {
        let id = &one.effect.target_id;
        let all = teams::departments(&self.desk).await?;
        let stays = "Zoho Desk deletes no departments: it stays, switched off";
        let Some(department) = all.into_iter().find(|known| known.id == *id) else {
            return Ok(verdict(UndoStatus::Cannot, stays));
        };
        let conflict = self.changed(one, &teams::department_facets(&department));
        let path = format!("/departments/{id}/disable");
        let request = self.request(one, "POST", path, "disable");
        let (status, reason) = self.finish(conflict, request, UndoStatus::Undone).await?;
        Ok(match status {
            UndoStatus::Undone => verdict(UndoStatus::Cannot, stays),
            _ => (status, reason),
        })
    }

    // ---- modules and fields

    /// A module cannot be deleted (Zoho Desk facts §9).
    async fn module(&self, one: &Undoing) -> Result<Verdict, Error> {
        let modules = schema::custom_modules(&self.desk)
            .await?
            .unwrap_or_default();
        let there = modules.iter().any(|m| m.api_name == one.effect.target_id);
        if !there {
            return Ok((UndoStatus::Gone, None));
        }
        let why =
            "Zoho Desk deletes no modules: it stays, without the records and fields of this run";
        Ok(verdict(UndoStatus::Cannot, why))
    }

    async fn field(&self, one: &Undoing) -> Result<Verdict, Error> {
        let Some(target) = FieldTarget::parse(&one.effect.target_id) else {
            return Ok(verdict(UndoStatus::Cannot, "not a field's address"));
        };
        let fields = schema::all_fields(&self.desk, &target.object).await?;
        // One of another type is another field, which has got the name since.
        let same = |field: &Field| field.api_name == target.name && field.kind == target.kind;
        let Some(field) = fields.into_iter().find(same) else {
            return Ok((UndoStatus::Gone, None));
        };
        let mut conflict = self.changed(one, &schema::field_facets(&field));
        if conflict.is_none() {
            conflict = self.values_of_others(&target).await?;
        }
        let path = format!("/fields/{}", field.id);
        let request = self.request(one, "DELETE", path, "delete");
        self.finish(conflict, request, UndoStatus::Undone).await
    }

    /// Values that others gave a field would vanish with it (Zoho Desk facts §8). The search lags: each that it shows is read.
    async fn values_of_others(&self, target: &FieldTarget) -> Result<Option<String>, Error> {
        let owner = Owner::ALL
            .into_iter()
            .find(|owner| owner.module() == target.object);
        let (kind, rows) = match owner {
            Some(owner) => {
                let filled = format!("{}:${{notempty}}", target.name);
                let module = owner.module();
                let rows = people::search(&self.desk, module, "customField1", &filled).await?;
                (people::kind_of(owner), rows)
            }
            None => {
                let path = format!("/{}", target.object);
                let pages = ROWS / crate::client::PAGE;
                let rows = self.desk.list_at_most::<Object>(&path, pages).await?.0;
                (RECORD, rows.into_iter().filter(is_there).collect())
            }
        };
        let mut foreign = 0;
        for row in rows.iter().take(ROWS) {
            let id = words_of(row.get("id").unwrap_or(&Value::Null));
            let id_of = match owner {
                Some(_) => id.clone(),
                None => transload_sdk::words::record_target(&target.object, &id),
            };
            if self.is_ours(kind, &id_of) {
                continue;
            }
            let now = match owner {
                Some(owner) => people::read_one(&self.desk, owner, &id).await?,
                None => objects::read(&self.desk, &id_of).await?,
            };
            let cf: Map<String, Value> = now.map(|now| cf_of(&now)).unwrap_or_default();
            let of_run = owner.is_some_and(|owner| people::is_of_run(&self.desk, owner, &cf));
            let held = cf.get(&target.name).unwrap_or(&Value::Null);
            if !is_empty(held) && *held != json!("false") && *held != json!(false) && !of_run {
                foreign += 1;
            }
        }
        let what = &target.object;
        Ok((foreign > 0).then(|| format!("{foreign} {what} of others have a value in it")))
    }
}

/// The module that an effect's object is in.
fn module_of(one: &Undoing) -> String {
    match owner_of(&one.effect.target_kind) {
        Some(owner) => owner.module().to_owned(),
        None => {
            let parts = record_parts(&one.effect.target_id);
            parts
                .map(|(module, _)| module.to_owned())
                .unwrap_or_default()
        }
    }
}
