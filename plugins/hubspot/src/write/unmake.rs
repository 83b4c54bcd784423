//! Undoing what is no record and no file: properties, their groups and options, pipelines, custom objects, labels and links.
//!
//! Before something goes, what stands in it is looked for: a property with values, a pipeline with tickets, an object with records
//! keep it (rule D-10). That is searched for, and what is found is read by key, since a search may still show what was
//! archived just now. Links and options are undone together, as many as a request takes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, verdict};
use transload_sdk::http::{self, Changed, key, segment};
use transload_sdk::ledger::UndoStatus;
use transload_sdk::types::Error;
use transload_sdk::undo::{Session, unanswered};

use super::links::{LABEL, LINK, PAIR, parts};
use super::schema::{self, PROPERTY, PROPERTY_GROUP, SCHEMA};
use super::tags::OPTION;
use crate::api::{Fault, LinkType, Property, Schema, SchemaLink};
use crate::client::{self, Deleted, Filter, SETTLE_MS};
use crate::map::{FieldTarget, record_target};
use crate::own;
use crate::prepare::PIPELINE;

/// Whether effects of a kind are undone together.
pub fn is_many(kind: &str) -> bool {
    matches!(kind, LINK | OPTION)
}

/// Undoes one effect.
///
/// # Errors
/// What ends the unit.
pub async fn one(session: &Session<'_>, one: &Undoing) -> Result<Verdict, Error> {
    let undo = Unmake { session };
    let target = one.effect.target_id.as_str();
    match one.effect.target_kind.as_str() {
        PROPERTY => undo.property(one, target).await,
        PROPERTY_GROUP => undo.group(one, target).await,
        PIPELINE => undo.pipeline(one, target).await,
        SCHEMA => undo.schema(one, target).await,
        LABEL => undo.label(one, target).await,
        PAIR => undo.pair(one, target).await,
        other => Ok(verdict(UndoStatus::Cannot, format!("what a {other} is"))),
    }
}

/// Undoes links and options, each with what became of it, in their order.
///
/// # Errors
/// What ends the unit.
pub async fn many(session: &Session<'_>, some: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
    let undo = Unmake { session };
    let mut verdicts: BTreeMap<u64, Verdict> = BTreeMap::new();
    undo.links(some, &mut verdicts).await?;
    undo.options(some, &mut verdicts).await?;
    let of = |one: &&Undoing| {
        let unknown = || verdict(UndoStatus::Cannot, "its target is none of ours");
        verdicts.remove(&one.effect_id).unwrap_or_else(unknown)
    };
    Ok(some.iter().map(of).collect())
}

struct Unmake<'a> {
    session: &'a Session<'a>,
}

impl Unmake<'_> {
    /// Deletes what has an address, unless something is in the way.
    async fn delete(
        &self,
        one: &Undoing,
        conflict: Option<String>,
        path: &str,
    ) -> Result<Verdict, Error> {
        if self.session.blocks(&conflict) {
            return Ok((UndoStatus::Conflict, conflict));
        }
        if self.session.previews() {
            return Ok((UndoStatus::Undone, None));
        }
        let key = self.session.key(one, "delete");
        Ok(said(client::delete_at(self.session.cx, path, key).await?))
    }

    /// How many records of an object type have some value, that are there and not about to go.
    async fn users(&self, object: &str, filter: Filter) -> Result<usize, Error> {
        let wanted = filter.values.first().cloned();
        let held = self.held(object, filter).await?;
        let has = |value: &String| match &wanted {
            Some(wanted) => value == wanted,
            None => !value.is_empty(),
        };
        Ok(held.iter().filter(|value| has(value)).count())
    }

    /// The values that a filter's property has in the records that it finds, that are there and not about to go.
    async fn held(&self, object: &str, filter: Filter) -> Result<Vec<String>, Error> {
        let name = filter.property.clone();
        let found = match client::search(self.session.cx, object, &[vec![filter]], &[&name]).await {
            Ok(found) => found,
            // An activity whose texts the credential may not see.
            Err(Error::Permission(_)) => return Ok(Vec::new()),
            Err(other) => return Err(other),
        };
        let ids: BTreeSet<String> = found.into_iter().map(|record| record.id).collect();
        let now = client::read(self.session.cx, object, &ids, &[&name]).await?;
        let stays = |id: &String| {
            let target = match own::is_custom(object) {
                true => record_target(object, id),
                false => id.clone(),
            };
            !self.session.will_go(object, &target)
        };
        let staying = now.iter().filter(|(id, _)| stays(id));
        Ok(staying
            .map(|(_, record)| record.text(&name).to_owned())
            .collect())
    }

    // ---- properties

    /// A property goes with what stands in it: values that stay are in the way.
    async fn property(&self, one: &Undoing, target: &str) -> Result<Verdict, Error> {
        let Some(FieldTarget { object, name, .. }) = FieldTarget::parse(target) else {
            return Ok(verdict(UndoStatus::Cannot, "not a property's address"));
        };
        // An object that went took its properties with it.
        if own::is_custom(&object) && schema::schema(self.session.cx, &object).await?.is_none() {
            return Ok((UndoStatus::Gone, None));
        }
        if schema::property(self.session.cx, &object, &name)
            .await?
            .is_none()
        {
            return Ok((UndoStatus::Gone, None));
        }
        let filter = Filter {
            property: name.clone(),
            operator: "HAS_PROPERTY",
            values: Vec::new(),
        };
        let used = self.users(&object, filter).await?;
        let conflict =
            (used > 0).then(|| format!("{used} records that stay have a value in {object}.{name}"));
        let path = client::properties(&object, &format!("/{}", segment(&name)));
        self.delete(one, conflict, &path).await
    }

    /// A group goes when it is empty; properties that were deleted do not count.
    async fn group(&self, one: &Undoing, target: &str) -> Result<Verdict, Error> {
        let Some((object, name)) = target.split_once('/') else {
            return Ok(verdict(UndoStatus::Cannot, "not a group's address"));
        };
        let path = client::properties(object, &format!("/groups/{}", segment(name)));
        if client::find::<Value>(self.session.cx, &path)
            .await?
            .is_none()
        {
            return Ok((UndoStatus::Gone, None));
        }
        let all: Vec<Property> =
            client::list(self.session.cx, &client::properties(object, "")).await?;
        let left = all.iter().filter(|property| property.group_name == name);
        // What a preview has met will be gone by then.
        let stays = |property: &&Property| {
            let start = format!("{object}.{}:", property.name);
            let goes = |(kind, id): &(String, String)| kind == PROPERTY && id.starts_with(&start);
            !(self.session.previews() && self.session.ours().any(goes))
        };
        let left = left.filter(stays).count();
        let conflict = (left > 0).then(|| format!("{left} properties are in it"));
        self.delete(one, conflict, &path).await
    }

    // ---- pipelines

    async fn pipeline(&self, one: &Undoing, id: &str) -> Result<Verdict, Error> {
        let all = crate::prepare::pipelines(self.session.cx).await?;
        if !all.iter().any(|pipeline| pipeline.id == id) {
            return Ok((UndoStatus::Gone, None));
        }
        let filter = Filter {
            property: "hs_pipeline".to_owned(),
            operator: "EQ",
            values: vec![id.to_owned()],
        };
        let used = self.users("tickets", filter).await?;
        let conflict = (used > 0).then(|| format!("{used} tickets that stay are in it"));
        if self.session.mode == UndoMode::Force && conflict.is_some() {
            let why = format!("HubSpot keeps it: {}", conflict.unwrap_or_default());
            return Ok(verdict(UndoStatus::Cannot, why));
        }
        let rest = format!("/{}?validateReferencesBeforeDelete=true", segment(id));
        self.delete(one, conflict, &client::pipelines(&rest)).await
    }

    // ---- custom objects

    /// An object is archived, then emptied of its definitions, then deleted for good, so that its name is free again (HubSpot
    /// facts §11). Records that stay keep it, whatever the mode.
    async fn schema(&self, one: &Undoing, object: &str) -> Result<Verdict, Error> {
        let path = client::schemas(&format!("/{}", segment(object)));
        let Some(found) = client::find::<Schema>(self.session.cx, &path).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        if !found.archived {
            let filter = Filter {
                property: "hs_object_id".to_owned(),
                operator: "HAS_PROPERTY",
                values: Vec::new(),
            };
            let stay = self.users(object, filter).await?;
            if stay > 0 {
                let why = format!("{stay} records that stay are in {object}");
                return Ok(verdict(UndoStatus::Conflict, why));
            }
            let known: BTreeSet<&str> = own::of_object(object).iter().map(|own| own.0).collect();
            let others = found.properties.iter().filter(|property| {
                !property.hubspot_defined && !known.contains(property.name.as_str())
            });
            let others: Vec<&str> = others
                .map(|property| property.name.as_str())
                .filter(|name| !self.goes(object, name))
                .collect();
            let conflict = (!others.is_empty())
                .then(|| format!("it has properties of others: {}", others.join(", ")));
            if self.session.blocks(&conflict) {
                return Ok((UndoStatus::Conflict, conflict));
            }
        }
        if self.session.previews() {
            return Ok((UndoStatus::Undone, None));
        }
        self.end_schema(one, object, &path, &found).await
    }

    /// Whether a preview has met the property, which will be gone by then.
    fn goes(&self, object: &str, name: &str) -> bool {
        let start = format!("{object}.{name}:");
        let goes = |(kind, id): &(String, String)| kind == PROPERTY && id.starts_with(&start);
        self.session.previews() && self.session.ours().any(goes)
    }

    async fn end_schema(
        &self,
        one: &Undoing,
        object: &str,
        path: &str,
        found: &Schema,
    ) -> Result<Verdict, Error> {
        let part = format!("undo:{}", one.effect_id);
        let mut steps: Vec<(String, String)> = Vec::new();
        if !found.archived {
            steps.push((path.to_owned(), "archive".to_owned()));
        }
        let links: BTreeSet<&str> = found
            .associations
            .iter()
            .map(|link| link.id.as_str())
            .collect();
        for id in links {
            let at = format!("{path}/associations/{}", segment(id));
            steps.push((at, format!("association:{id}")));
        }
        for property in found.properties.iter().filter(|p| !p.hubspot_defined) {
            let rest = format!("/{}", segment(&property.name));
            let at = client::properties(object, &rest);
            steps.push((at, format!("property:{}", property.name)));
        }
        for (at, step) in steps {
            let key = key(&one.item, part.as_str(), step.as_str());
            match client::delete_at(self.session.cx, &at, key).await? {
                Deleted::Done | Deleted::Gone => {}
                // Of an association both directions are listed, and some are HubSpot's own.
                Deleted::Refused(_) if step.starts_with("association:") => {}
                Deleted::Refused(fault) if step == "archive" => {
                    return Ok(verdict(UndoStatus::Conflict, fault.said()));
                }
                other => return Ok(said(other)),
            }
        }
        let key = key(&one.item, part, "delete");
        let hard = format!("{path}?archived=true");
        Ok(
            match client::delete_at(self.session.cx, &hard, key).await? {
                // It is archived: no record can be made of it, and its name stays taken.
                Deleted::Refused(fault) => {
                    let why = format!("it is archived, and its name stays taken: {}", fault.said());
                    verdict(UndoStatus::Undone, why)
                }
                other => said(other),
            },
        )
    }

    // ---- labels

    async fn label(&self, one: &Undoing, target: &str) -> Result<Verdict, Error> {
        let Some((way, id)) = target.rsplit_once(':') else {
            return Ok(verdict(UndoStatus::Cannot, "not a label's address"));
        };
        let Some((from, to)) = way.split_once('>') else {
            return Ok(verdict(UndoStatus::Cannot, "not a label's address"));
        };
        let found = client::labels(self.session.cx, from, to).await?;
        if !found.iter().any(|label| label.kind.id.to_string() == id) {
            return Ok((UndoStatus::Gone, None));
        }
        let path = client::associations(from, to, &format!("/labels/{}", segment(id)));
        self.delete(one, None, &path).await
    }

    async fn pair(&self, one: &Undoing, target: &str) -> Result<Verdict, Error> {
        let Some((from, to)) = target.split_once('>') else {
            return Ok(verdict(UndoStatus::Cannot, "not a pair's address"));
        };
        let custom = if own::is_custom(from) { from } else { to };
        let Some(found) = schema::schema(self.session.cx, custom).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let (from, to) = (self.type_id(from).await?, self.type_id(to).await?);
        let is =
            |link: &&SchemaLink| link.from_object_type_id == from && link.to_object_type_id == to;
        let Some(link) = found.associations.iter().find(is) else {
            return Ok((UndoStatus::Gone, None));
        };
        let rest = format!("/{}/associations/{}", segment(custom), segment(&link.id));
        self.delete(one, None, &client::schemas(&rest)).await
    }

    async fn type_id(&self, object: &str) -> Result<String, Error> {
        Ok(match object {
            "contacts" => "0-1".to_owned(),
            "companies" => "0-2".to_owned(),
            "tickets" => "0-5".to_owned(),
            custom => schema::schema(self.session.cx, custom)
                .await?
                .map(|schema| schema.object_type_id)
                .unwrap_or_default(),
        })
    }

    // ---- links

    async fn links(
        &self,
        some: &[&Undoing],
        verdicts: &mut BTreeMap<u64, Verdict>,
    ) -> Result<(), Error> {
        let mut by_way: BTreeMap<(&str, &str), Vec<Ending<'_>>> = BTreeMap::new();
        for one in some.iter().filter(|one| one.effect.target_kind == LINK) {
            if let Some(([(from, id), (to, to_id)], kind)) = parts(&one.effect.target_id) {
                let ending = Ending {
                    one,
                    from: id,
                    to: to_id,
                    kind,
                };
                by_way.entry((from, to)).or_default().push(ending);
            }
        }
        for ((from, to), endings) in by_way {
            self.end_links(from, to, &endings, verdicts).await?;
        }
        Ok(())
    }

    async fn end_links(
        &self,
        from: &str,
        to: &str,
        endings: &[Ending<'_>],
        verdicts: &mut BTreeMap<u64, Verdict>,
    ) -> Result<(), Error> {
        let ids: BTreeSet<String> = endings.iter().map(|e| e.from.to_owned()).collect();
        let now = client::read_links(self.session.cx, from, to, &ids).await?;
        // What each pair of records has: its labels and its plain link.
        let mut labelled: BTreeMap<(&str, &str), BTreeSet<LinkType>> = BTreeMap::new();
        let mut there: BTreeMap<(&str, &str), BTreeSet<LinkType>> = BTreeMap::new();
        for (id, links) in &now {
            for link in links {
                let pair = (id.as_str(), link.to_object_id.as_str());
                for label in &link.association_types {
                    there.entry(pair).or_default().insert(label.kind.clone());
                    if label.label.is_some() {
                        labelled.entry(pair).or_default().insert(label.kind.clone());
                    }
                }
            }
        }
        let (mut labels, mut pairs) = (Vec::new(), Vec::new());
        let (mut by_label, mut by_pair) = (Vec::new(), Vec::new());
        for ending in endings {
            let pair = (ending.from, ending.to);
            let id = ending.one.effect_id;
            if !there
                .get(&pair)
                .is_some_and(|kinds| kinds.contains(&ending.kind))
            {
                verdicts.insert(id, (UndoStatus::Gone, None));
                continue;
            }
            if self.session.previews() {
                verdicts.insert(id, (UndoStatus::Undone, None));
                continue;
            }
            if let Some(left) = labelled.get_mut(&pair) {
                left.remove(&ending.kind);
            }
            let others = labelled.get(&pair).is_some_and(|left| !left.is_empty());
            let (a, b) = (json!({"id": ending.from}), json!({"id": ending.to}));
            if others || was_linked(ending.one) {
                labels.push(json!({"from": a, "to": b, "types": [ending.kind.sent()]}));
                by_label.push(id);
            } else {
                pairs.push(json!({"from": a, "to": [b]}));
                by_pair.push(id);
            }
        }
        for (inputs, ids, rest) in [
            (labels, by_label, "/batch/labels/archive"),
            (pairs, by_pair, "/batch/archive"),
        ] {
            for (inputs, ids) in inputs.chunks(client::ROWS).zip(ids.chunks(client::ROWS)) {
                let first = ids.first().copied().unwrap_or_default();
                let path = client::associations(from, to, rest);
                let body = json!({"inputs": inputs});
                let ended = client::sent_until_seen(|attempt| {
                    let key = key("*", format!("undo:{first}"), format!("unlink~{attempt}"));
                    self.session
                        .cx
                        .http()
                        .repeatable("POST", path.clone(), key)
                        .json(&body)
                })
                .await?;
                for id in ids {
                    verdicts.insert(*id, said(ended.clone()));
                }
            }
        }
        Ok(())
    }

    // ---- options

    async fn options(
        &self,
        some: &[&Undoing],
        verdicts: &mut BTreeMap<u64, Verdict>,
    ) -> Result<(), Error> {
        let mut by_property: BTreeMap<(&str, &str), Vec<(&Undoing, &str)>> = BTreeMap::new();
        for one in some.iter().filter(|one| one.effect.target_kind == OPTION) {
            let parts = one.effect.target_id.split_once('/');
            if let Some((property, value)) = parts
                && let Some(address) = property.split_once('.')
            {
                by_property.entry(address).or_default().push((one, value));
            }
        }
        for ((object, name), some) in by_property {
            self.end_options(object, name, &some, verdicts).await?;
        }
        Ok(())
    }

    async fn end_options(
        &self,
        object: &str,
        name: &str,
        some: &[(&Undoing, &str)],
        verdicts: &mut BTreeMap<u64, Verdict>,
    ) -> Result<(), Error> {
        let there = match own::is_custom(object) {
            true if schema::schema(self.session.cx, object).await?.is_none() => None,
            _ => schema::property(self.session.cx, object, name).await?,
        };
        let all = there
            .map(|property| schema::pairs(&property.options))
            .unwrap_or_default();
        let filter = Filter {
            property: name.to_owned(),
            operator: "HAS_PROPERTY",
            values: Vec::new(),
        };
        let held = match all.is_empty() {
            true => Vec::new(),
            false => self.held(object, filter).await?,
        };
        let mut leaving: BTreeMap<&str, u64> = BTreeMap::new();
        for (one, value) in some {
            if !all.iter().any(|(known, _)| known == value) {
                verdicts.insert(one.effect_id, (UndoStatus::Gone, None));
                continue;
            }
            let has = |text: &&String| text.split(';').any(|one| one == *value);
            let used = held.iter().filter(has).count();
            let conflict = (used > 0).then(|| format!("{used} records that stay have it"));
            if self.session.blocks(&conflict) {
                verdicts.insert(one.effect_id, (UndoStatus::Conflict, conflict));
            } else if self.session.previews() {
                verdicts.insert(one.effect_id, (UndoStatus::Undone, None));
            } else {
                leaving.insert(value, one.effect_id);
            }
        }
        let Some(first) = leaving.values().next() else {
            return Ok(());
        };
        let left: Vec<(String, String)> = all
            .into_iter()
            .filter(|(value, _)| !leaving.contains_key(value.as_str()))
            .collect();
        let path = client::properties(object, &format!("/{}", segment(name)));
        let body = json!({"options": schema::options(&left)});
        let part = format!("undo:{first}");
        let request = |step: &str| {
            self.session
                .cx
                .http()
                .repeatable("PATCH", path.clone(), key("*", part.as_str(), step))
                .json(&body)
        };
        let find = async || schema::property(self.session.cx, object, name).await;
        let is_done = |property: &Property| property.options.len() == left.len();
        let changed = http::change::<Property, Fault>(
            self.session.cx,
            SETTLE_MS,
            request,
            |reply| reply.json(),
            find,
            is_done,
        )
        .await?;
        for id in leaving.values() {
            let said = match &changed {
                Changed::Done(..) => (UndoStatus::Undone, None),
                Changed::Refused(fault) => verdict(UndoStatus::Failed, fault.said()),
                Changed::Unknown => unanswered("change"),
            };
            verdicts.insert(*id, said);
        }
        Ok(())
    }
}

/// A link that ends.
struct Ending<'u> {
    one: &'u Undoing,
    from: &'u str,
    to: &'u str,
    kind: LinkType,
}

/// Whether two records were linked before, so that their plain link is not ours.
fn was_linked(one: &Undoing) -> bool {
    let before = one.effect.before.as_deref().unwrap_or_default();
    let before: Value = serde_json::from_str(before).unwrap_or_default();
    before.get("linked").and_then(Value::as_bool) == Some(true)
}

fn said(deleted: Deleted) -> Verdict {
    match deleted {
        // It was there right before.
        Deleted::Done | Deleted::Gone => (UndoStatus::Undone, None),
        Deleted::Refused(fault) if fault.sub_category.contains("IN_USE") => {
            verdict(UndoStatus::Conflict, fault.said())
        }
        Deleted::Refused(fault) => verdict(UndoStatus::Failed, fault.said()),
        Deleted::Unsettled => unanswered("deletion"),
    }
}
