//! Links between records (rule M-15), as labelled associations, which both ends show.
//!
//! A label is made for each pair of object types and name of a relationship; a link may have several labels, and all of them are
//! sent whenever one is added, since those that are left out disappear (HubSpot facts §9). Links to agents and teams have no
//! record to end at: they are named where the other record says so, and stand in the link table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::{self, Made, OperationKey, Refusal as _, key};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::links as shared;
use transload_sdk::types::{Error, Fidelity, Kind, Loss, Reference, Relationship};

use super::{effect, exported_as, made, reject, report};
use crate::api::{Fault, Label, LinkType};
use crate::client::{self, Linked, NewLink, SETTLE_MS};
use crate::map::{self, loss, own_target, record_parts};
use crate::own;

/// What effects call a label: `contacts>p12_order:36`.
pub const LABEL: &str = "association-label";
/// What effects call the pair of a custom object with another: `p12_order>p12_part`.
pub const PAIR: &str = "association-pair";
/// What effects call a link: `contacts/17>tickets/4:USER_DEFINED/36`.
pub const LINK: &str = "association";
/// Characters of a label [MEM].
const LABEL_CHARS: usize = 50;

const NOT_HERE: &str =
    "one of its records was not migrated: the other names it, and it is in the link table";
const OF_STAFF: &str = "agents and teams are no records: the record that points names them, and it is in the link table";
const PLAIN: &str = "its label could not be made: the records are linked without it";

/// An end of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    object: String,
    id: String,
}

impl End {
    /// What stands for a record; `None` where nothing does that could be linked.
    fn of(reference: &Reference) -> Option<Self> {
        let id = own_target(reference)?.to_owned();
        let object = match &reference.kind {
            Kind::Customer => "contacts".to_owned(),
            Kind::Company => "companies".to_owned(),
            Kind::Conversation => "tickets".to_owned(),
            Kind::CustomObject => record_parts(reference.target.as_deref()?)?.0.to_owned(),
            _ => return None,
        };
        Some(Self { object, id })
    }
}

/// One way between two object types.
type Way = (String, String);

/// A link on its way.
struct Wanted<'a> {
    item: &'a Item,
    from: End,
    to: End,
    kind: LinkType,
    losses: Vec<Loss>,
    effects: Vec<Effect>,
}

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let links = shared::links(cx, items);
    let mut labels = Labels {
        cx,
        known: BTreeMap::new(),
    };
    let mut by_way: BTreeMap<Way, Vec<Wanted<'_>>> = BTreeMap::new();
    for (item, link) in links {
        let (Some(from), Some(to)) = (End::of(&link.source), End::of(&link.target)) else {
            let staff = |end: &Reference| matches!(end.kind, Kind::Agent | Kind::Team);
            let note = match staff(&link.source) || staff(&link.target) {
                true => OF_STAFF,
                false => NOT_HERE,
            };
            let status = Status::Exported(exported_as(&Kind::Relationship));
            let losses = vec![loss("relationship", Fidelity::Converted, note)];
            report(cx, item, status, Vec::new(), losses);
            continue;
        };
        let way = (from.object.clone(), to.object.clone());
        let (mut losses, mut effects) = (Vec::new(), Vec::new());
        match labels.of(item, &way, link, &mut effects).await? {
            Ok((kind, labelled)) => {
                if !labelled {
                    losses.push(loss("relationship.name", Fidelity::Converted, PLAIN));
                }
                by_way.entry(way).or_default().push(Wanted {
                    item,
                    from,
                    to,
                    kind,
                    losses,
                    effects,
                });
            }
            Err(status) => report(cx, item, status, effects, losses),
        }
    }
    for ((from, to), wanted) in by_way {
        link(cx, &from, &to, wanted).await?;
    }
    Ok(())
}

// ---- labels

/// The types of links, by the pair of object types.
struct Labels<'a> {
    cx: &'a Context,
    known: BTreeMap<Way, Vec<Label>>,
}

/// What people read of a relationship.
fn words(link: &Relationship) -> String {
    let label = link
        .label
        .as_deref()
        .filter(|label| !label.trim().is_empty());
    let label = label.unwrap_or(&link.name).trim();
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    let digest = map::short_hash(label);
    let kept: String = label.chars().take(LABEL_CHARS - digest.len() - 1).collect();
    format!("{kept} {digest}")
}

impl Labels<'_> {
    /// The type of a link, and whether it says the relationship's name; what was made for it is among `effects`.
    async fn of(
        &mut self,
        item: &Item,
        way: &Way,
        link: &Relationship,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<(LinkType, bool), Status>, Error> {
        let label = words(link);
        if !self.known.contains_key(way) {
            let mut found = self.read(way).await?;
            if found.is_empty() {
                match self.pair(item, way).await? {
                    Ok(made) => effects.extend(made),
                    Err(status) => return Ok(Err(status)),
                }
                found = self.read(way).await?;
            }
            self.known.insert(way.clone(), found);
        }
        if let Some(kind) = self.find(way, &label) {
            return Ok(Ok((kind, true)));
        }
        match self.make(item, way, link, &label).await? {
            Ok(made) => effects.extend(made),
            Err(status) => return Ok(Err(status)),
        }
        let found = self.read(way).await?;
        self.known.insert(way.clone(), found);
        if let Some(kind) = self.find(way, &label) {
            return Ok(Ok((kind, true)));
        }
        let known = self.known.get(way).map(Vec::as_slice).unwrap_or_default();
        let plain = known.iter().find(|label| label.label.is_none());
        Ok(match plain {
            Some(plain) => Ok((plain.kind.clone(), false)),
            None => {
                let text = format!("{} and {} cannot be linked", way.0, way.1);
                Err(Status::Rejected(Error::Unsupported(text)))
            }
        })
    }

    async fn read(&self, way: &Way) -> Result<Vec<Label>, Error> {
        client::labels(self.cx, &way.0, &way.1).await
    }

    fn find(&self, way: &Way, label: &str) -> Option<LinkType> {
        let known = self.known.get(way)?;
        let same = |one: &&Label| one.label.as_deref() == Some(label);
        Some(known.iter().find(same)?.kind.clone())
    }

    /// Lets records of two object types be linked, where a custom object is one of them (HubSpot facts §11).
    async fn pair(&self, item: &Item, way: &Way) -> Result<Result<Option<Effect>, Status>, Error> {
        let custom = match (own::is_custom(&way.0), own::is_custom(&way.1)) {
            (true, _) => &way.0,
            (_, true) => &way.1,
            _ => return Ok(Ok(None)),
        };
        let path = client::schemas(&format!("/{}/associations", http::segment(custom)));
        let mut ids = Vec::new();
        for object in [&way.0, &way.1] {
            ids.push(match own::is_custom(object) {
                true => super::schema::schema(self.cx, object)
                    .await?
                    .map(|schema| schema.object_type_id)
                    .unwrap_or_default(),
                false => singular(object).to_owned(),
            });
        }
        let name = map::plain_name(&format!("{}_to_{}", way.0, way.1), 100);
        let body =
            json!({"fromObjectTypeId": ids.first(), "toObjectTypeId": ids.get(1), "name": name});
        let first = key(&item.key, "pair", "create");
        let request = self
            .cx
            .http()
            .write("POST", path, first.clone())
            .json(&body);
        let find = async || {
            let found = self.read(way).await?;
            Ok((!found.is_empty()).then_some(()))
        };
        let create = http::create(self.cx, request).look_first();
        let target = format!("{}>{}", way.0, way.1);
        Ok(match create.or_find(find, SETTLE_MS).await? {
            Made::Created { proof, key, .. } | Made::Found { proof, key, .. } => Ok(Some(made(
                "pair",
                PAIR,
                target,
                proof,
                key.unwrap_or(first),
            ))),
            Made::Refused(reply) => {
                let fault = http::refused::<Fault>(&reply)?;
                Err(Status::Rejected(fault.rejection()))
            }
            Made::Unsettled(why) => Err(Status::Unsettled(why)),
        })
    }

    /// Makes a label; a refusal leaves the plain link.
    async fn make(
        &self,
        item: &Item,
        way: &Way,
        link: &Relationship,
        label: &str,
    ) -> Result<Result<Option<Effect>, Status>, Error> {
        let name = map::plain_name(&format!("transload_{}", link.name), 100);
        let body = json!({"label": label, "inverseLabel": label, "name": name});
        let first = key(&item.key, "label", "create");
        let path = client::associations(&way.0, &way.1, "/labels");
        let request = self
            .cx
            .http()
            .write("POST", path, first.clone())
            .json(&body);
        let find = async || {
            let found = self.read(way).await?;
            Ok(found
                .into_iter()
                .find(|one| one.label.as_deref() == Some(label)))
        };
        let target = |label: &Label| format!("{}>{}:{}", way.0, way.1, label.kind.id);
        let effect = |label: &Label, proof: Option<Proof>, key: Option<OperationKey>| {
            made(
                "label",
                LABEL,
                target(label),
                proof,
                key.unwrap_or_else(|| first.clone()),
            )
        };
        // It was not there right before, in this unit (rule D-4).
        let create = http::create(self.cx, request);
        Ok(match create.or_find(find, SETTLE_MS).await? {
            Made::Created { proof, key, .. } => {
                let label = find().await?;
                Ok(label.map(|label| effect(&label, proof, key)))
            }
            Made::Found { object, key, .. } => {
                Ok(Some(effect(&object, Some(Proof::AbsentBefore), key)))
            }
            Made::Refused(reply) => {
                http::refused::<Fault>(&reply)?;
                Ok(None)
            }
            Made::Unsettled(why) => Err(Status::Unsettled(why)),
        })
    }
}

/// A standard object as schemas name it.
fn singular(object: &str) -> &str {
    match object {
        "contacts" => "CONTACT",
        "companies" => "COMPANY",
        "tickets" => "TICKET",
        other => other,
    }
}

// ---- links

/// How a link is named as a target.
fn target(from: &End, to: &End, kind: &LinkType) -> String {
    format!(
        "{}/{}>{}/{}:{}/{}",
        from.object, from.id, to.object, to.id, kind.category, kind.id
    )
}

/// A link by its target: the two ends by object and id, and its type.
pub fn parts(target: &str) -> Option<([(&str, &str); 2], LinkType)> {
    let (ends, kind) = target.rsplit_once(':')?;
    let (from, to) = ends.split_once('>')?;
    let (category, id) = kind.split_once('/')?;
    let kind = LinkType {
        category: category.to_owned(),
        id: id.parse().ok()?,
    };
    Some(([from.rsplit_once('/')?, to.rsplit_once('/')?], kind))
}

/// The types of the links that records have now, by both ids.
pub type Now = BTreeMap<(String, String), BTreeSet<LinkType>>;

/// The links that records of one object type have to those of another.
///
/// # Errors
/// What ends the unit.
pub async fn links_now(
    cx: &Context,
    from: &str,
    to: &str,
    ids: &BTreeSet<String>,
) -> Result<Now, Error> {
    let mut now = Now::new();
    for (id, links) in client::read_links(cx, from, to, ids).await? {
        for link in links {
            let kinds = link.association_types.into_iter().map(|label| label.kind);
            now.entry((id.clone(), link.to_object_id))
                .or_default()
                .extend(kinds);
        }
    }
    Ok(now)
}

async fn link(cx: &Context, from: &str, to: &str, wanted: Vec<Wanted<'_>>) -> Result<(), Error> {
    let ids: BTreeSet<String> = wanted.iter().map(|one| one.from.id.clone()).collect();
    let now = links_now(cx, from, to, &ids).await?;
    let mut becomes = now.clone();
    for one in &wanted {
        let pair = (one.from.id.clone(), one.to.id.clone());
        becomes.entry(pair).or_default().insert(one.kind.clone());
    }
    let changed: Vec<NewLink> = becomes
        .iter()
        .filter(|(pair, kinds)| now.get(*pair) != Some(*kinds))
        .map(|((from, to), kinds)| NewLink {
            from: from.clone(),
            to: to.clone(),
            types: kinds.iter().cloned().collect(),
        })
        .collect();
    let mut done: BTreeMap<(String, String), Linked> = BTreeMap::new();
    if let Some(first) = wanted.first() {
        let batch = format!("links:{from}:{to}:{}", first.item.key);
        let linked = client::link(cx, from, to, &batch, &changed).await?;
        let pairs = changed.into_iter().map(|link| (link.from, link.to));
        done.extend(pairs.zip(linked));
    }
    let mut met: BTreeSet<String> = BTreeSet::new();
    for one in wanted {
        let pair = (one.from.id.clone(), one.to.id.clone());
        let name = target(&one.from, &one.to, &one.kind);
        let was = now.get(&pair);
        let there = was.is_some_and(|kinds| kinds.contains(&one.kind));
        // In doubt what is found of a link that nobody else makes is an earlier attempt's.
        let lost = there && one.item.in_doubt_since.is_some() && one.item.prior.is_empty();
        let first = met.insert(name.clone());
        let mut main = effect("main", LINK, name, Action::Matched);
        match done.get(&pair) {
            Some(Linked::Refused(fault)) => {
                reject(cx, one.item, fault.rejection());
                continue;
            }
            Some(Linked::Unsettled) => {
                let why = Status::Unsettled("a link that was not answered".to_owned());
                report(cx, one.item, why, one.effects, one.losses);
                continue;
            }
            Some(Linked::Done(key)) if first && !there => {
                main.action = Action::Created;
                main.proof = Some(Proof::AbsentBefore);
                main.key = Some(key.clone());
            }
            _ if first && lost => {
                main.action = Action::Created;
                main.proof = Some(Proof::AbsentBefore);
            }
            _ => {}
        }
        // Whether the records were linked at all: else the plain link goes with the last label.
        main.before = Some(json!({"linked": was.is_some() && !lost}).to_string());
        let status = match main.action {
            Action::Created => Status::Created,
            _ => Status::Matched,
        };
        let mut effects = vec![main];
        effects.extend(one.effects);
        report(cx, one.item, status, effects, one.losses);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_target() {
        let end = |object: &str, id: &str| End {
            object: object.to_owned(),
            id: id.to_owned(),
        };
        let kind = LinkType {
            category: "USER_DEFINED".to_owned(),
            id: 36,
        };
        let name = target(&end("contacts", "17"), &end("p12_order", "4"), &kind);
        assert_eq!(name, "contacts/17>p12_order/4:USER_DEFINED/36");
        let ends = [("contacts", "17"), ("p12_order", "4")];
        assert_eq!(parts(&name), Some((ends, kind)));
    }
}
