//! Records of custom modules.
//!
//! A record is one request: the imports API has no place for modules (Zoho Desk facts §10). No search looks into its fields
//! (Zoho Desk facts §9), so one whose answer was lost is looked for among the newest. Look-ups of other records are set by
//! `links` afterwards: who is there by now depends on the order of loading.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::card::{self, Facts, fitted};
use transload_sdk::destination::Item;
use transload_sdk::effects::unsettled;
use transload_sdk::http::{Refusal as _, key, segment};
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::people::name_or_id;
use transload_sdk::policy;
use transload_sdk::types::{
    CustomObject, Entity, Error, Fidelity, Kind, Loss, Reference, Value as Given,
};
use transload_sdk::words::{record_parts, record_target};

use super::people::{Object, cf_of, is_there};
use super::schema::{self, values};
use super::{Changed, Creation, WRITES, effect, exported_as, made, reject, report, status_of};
use crate::api::{Field, Module, Refusal, words_of};
use crate::client::Desk;
use crate::map::{self, AREA_CHARS, loss, own_target, plain, print_of};
use crate::own;

/// What effects call a record.
pub const RECORD: &str = "record";
/// Bytes of a source card that are tried before it is cut to what a text area surely holds.
const CARD_BYTES: usize = 30_000;
/// Requests for one record, each without what the one before was refused for.
const TRIES: usize = 8;
/// Pages of a module that are looked through for a record whose answer was lost.
const PAGES: usize = 200;
/// Characters of a record's name.
const NAME_CHARS: usize = 255;

/// What of a record is compared before an undo.
pub fn facets(record: &Object) -> Vec<(String, String)> {
    map::facets(record, &["name"])
}

/// One record; none where it is gone or in the recycle bin.
///
/// # Errors
/// What ends the unit.
pub async fn read(desk: &Desk, target: &str) -> Result<Option<Object>, Error> {
    let Some((module, id)) = record_parts(target) else {
        return Ok(None);
    };
    let found: Option<Object> = desk.find(&format!("/{module}/{id}")).await?;
    Ok(found.filter(is_there))
}

/// A module that records go into, with the connector's own fields of it.
struct Place {
    module: Module,
    own: BTreeMap<&'static str, Field>,
    /// Whether its records belong to departments.
    departments: bool,
    layout: Option<String>,
}

impl Place {
    fn own(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(|field| field.api_name.as_str())
    }

    fn path(&self) -> String {
        format!("/{}", self.module.api_name)
    }
}

/// Records of custom modules.
///
/// # Errors
/// What ends the unit.
pub async fn records(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let modules = schema::Modules::read(desk).await?.unwrap_or_default();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for item in items {
        let Entity::CustomObject(object) = &item.entry().data else {
            reject(cx, item, Error::Bug("no custom object".to_owned()));
            continue;
        };
        let Some(module) = modules.of(desk, &object.object_type) else {
            let note = "the account has no module for it: exported";
            let losses = vec![loss("custom-object", Fidelity::Lost, note)];
            let status = Status::Exported(exported_as(&Kind::CustomObject));
            report(cx, item, status, Vec::new(), losses);
            continue;
        };
        let name = &module.api_name;
        if !places.contains_key(name) {
            let fields = schema::all_fields(desk, name).await?;
            let place = Place {
                own: schema::own_of(&fields),
                departments: module.is_dept_specific,
                layout: None,
                module: module.clone(),
            };
            places.insert(name.clone(), place);
        }
        if let Some(place) = places.get_mut(name) {
            one(desk, item, object, place).await?;
        }
    }
    Ok(())
}

/// A record on its way.
struct Draft {
    name: String,
    cf: Map<String, Value>,
    owner: Option<String>,
    losses: Vec<Loss>,
    /// The source card, and how much of it goes.
    card: String,
    card_bytes: usize,
}

impl Draft {
    fn body(&self, desk: &Desk, place: &Place) -> Object {
        let mut cf = self.cf.clone();
        if let Some(name) = place.own(own::CARD) {
            let (text, _) = fitted(&self.card, self.card_bytes);
            cf.insert(name.to_owned(), json!(text.trim_end()));
        }
        let mut body = Object::new();
        body.insert("name".to_owned(), json!(self.name));
        body.insert("cf".to_owned(), Value::Object(cf));
        let mut wrap = |name: &str, id: &str| {
            body.insert(name.to_owned(), json!({"id": id}));
        };
        if place.departments {
            wrap("department", &desk.state.department);
        }
        if let Some(layout) = &place.layout {
            wrap("layout", layout);
        }
        if let Some(owner) = &self.owner {
            wrap("owner", owner);
        }
        body
    }

    fn note(&mut self, field: &str, how: Fidelity, note: &'static str) {
        self.losses.push(loss(field, how, note));
    }

    /// Gives up what a refusal names; whether there was something.
    fn give_up(&mut self, refusal: &Refusal, place: &Place) -> bool {
        let mut gave = false;
        for path in &refusal.fields {
            let bare = path.rsplit('/').next().unwrap_or(path);
            if place.own(own::CARD) == Some(bare) && self.card_bytes > AREA_CHARS {
                self.card_bytes = AREA_CHARS;
                let note = "the source card is cut: a text area does not hold all of it";
                self.note("custom-object", Fidelity::Lost, note);
                gave = true;
            } else if self.cf.remove(bare).is_some() {
                let note = "Zoho Desk did not take the value of a field";
                self.note("custom-object.fields", Fidelity::Lost, note);
                gave = true;
            } else if path.starts_with("owner") && self.owner.take().is_some() {
                gave = true;
            }
        }
        gave
    }
}

fn draft(desk: &Desk, item: &Item, object: &CustomObject, place: &Place) -> Result<Draft, Error> {
    let (cx, head) = (&desk.cx, &item.entry().head);
    let mut card = Facts::new(desk.config.words(cx.time_zone()));
    card::head(head, &mut card);
    let mut losses = Vec::new();
    let mut cf = Map::new();
    // Records name each other in an order that differs from run to run: look-ups between them are set afterwards.
    let mut now = Vec::new();
    for field in &head.fields {
        let target = map::FieldTarget::of(field);
        let of_records =
            matches!(&field.value, Given::Reference(to) if to.kind == Kind::CustomObject);
        if of_records && target.is_some_and(|target| target.kind == "LookUp") {
            card.field(field);
        } else {
            now.push(field.clone());
        }
    }
    values(&now, &mut cf, &mut card, &mut losses);
    card.lists(&now, &mut losses);
    let mut set = |name: &str, value: Option<String>| {
        let value = value.filter(|text| text.chars().count() <= map::TEXT_CHARS);
        if let (Some(field), Some(value)) = (place.own(name), value) {
            cf.insert(field.to_owned(), json!(value));
        }
    };
    set(own::MARKER, Some(item.marker.clone()));
    set(own::RUN, Some(cx.run().to_owned()));
    set(own::URL, head.url.clone());
    set(own::CREATED, head.created_at.map(map::iso));
    set(own::UPDATED, head.updated_at.map(map::iso));
    for (name, says, reference) in [
        (own::CUSTOMER, "custom-object.customer", &object.customer),
        (own::COMPANY, "custom-object.company", &object.company),
        (
            own::TICKET,
            "custom-object.conversation",
            &object.conversation,
        ),
    ] {
        let Some(reference): Option<&Reference> = reference.as_ref() else {
            continue;
        };
        match own_target(reference) {
            Some(id) if place.own(name).is_some() => set(name, Some(id.to_owned())),
            _ => {
                card.reference(says, Some(reference));
                let note =
                    "not migrated, or the module has no look-up for it: named on the source card";
                losses.push(loss(says, Fidelity::Converted, note));
            }
        }
    }
    let title = name_or_id(item.entry(), &object.title);
    let name: String = title.chars().take(NAME_CHARS).collect();
    if name != title {
        card.add("title", title);
        let note = "longer than a record's name: whole on the source card";
        losses.push(loss("custom-object.title", Fidelity::Converted, note));
    }
    card.references("tags", &object.tags);
    card::object(&cx.blobs(), object, &mut card)?;
    let text = card.render(cx.platform(), item, item.entry(), &losses)?;
    if place.own(own::CARD).is_none() {
        let note = "the module has no field for the source card";
        losses.push(loss("custom-object", Fidelity::Lost, note));
    } else if fitted(&text, CARD_BYTES).1 {
        let note = "the source card is cut: a text area does not hold all of it";
        losses.push(loss("custom-object", Fidelity::Lost, note));
    }
    Ok(Draft {
        name,
        cf,
        owner: object
            .assignee
            .as_ref()
            .and_then(own_target)
            .map(str::to_owned),
        losses,
        card: text,
        card_bytes: CARD_BYTES,
    })
}

/// A record by its marker: among the newest where the module can be sorted, else among all (Zoho Desk facts §9 [INF]).
async fn by_marker(desk: &Desk, place: &Place, marker: &str) -> Result<Option<Object>, Error> {
    let Some(field) = place.own(own::MARKER) else {
        return Ok(None);
    };
    let sorted = format!("{}?sortBy=-createdTime", place.path());
    let rows = match desk.list_at_most::<Object>(&sorted, 4).await {
        Ok((rows, _)) => rows,
        Err(Error::Bug(_)) => desk.list_at_most(&place.path(), PAGES).await?.0,
        Err(other) => return Err(other),
    };
    for row in rows.into_iter().filter(is_there) {
        let whole = match row.contains_key("cf") {
            true => Some(row),
            false => {
                let id = words_of(row.get("id").unwrap_or(&Value::Null));
                read(desk, &record_target(&place.module.api_name, &id)).await?
            }
        };
        if let Some(whole) = whole
            && cf_of(&whole).get(field).and_then(Value::as_str) == Some(marker)
        {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

async fn one(
    desk: &Desk,
    item: &Item,
    object: &CustomObject,
    place: &mut Place,
) -> Result<(), Error> {
    let cx = &desk.cx;
    let mut draft = draft(desk, item, object, place)?;
    let certain = item.certain().map(|candidate| candidate.target_id.clone());
    let prior = || item.prior_part(RECORD, "main");
    if let Some(id) = certain.or_else(|| Some(prior()?.target_id.clone())) {
        return update(desk, item, place, &id, draft).await;
    }
    for attempt in 0..TRIES {
        let body = draft.body(desk, place);
        let step = match attempt {
            0 => "create".to_owned(),
            n => format!("create:{n}"),
        };
        let request = desk.once("POST", place.path(), key(&item.key, "main", step));
        let request = request.json(&body);
        let since = item.in_doubt_since.filter(|_| attempt == 0);
        let of_run = place.own(own::RUN);
        let ours = |record: &Object| {
            let cf = cf_of(record);
            let held = of_run.and_then(|name| cf.get(name)).and_then(Value::as_str);
            held == Some(cx.run())
        };
        let made_it = {
            let find = async || by_marker(desk, place, &item.marker).await;
            WRITES.make(since, request, find, ours).await?
        };
        match made_it {
            Creation::There(record, proof, key) => {
                let id = words_of(record.get("id").unwrap_or(&Value::Null));
                let target = record_target(&place.module.api_name, &id);
                let mut main = made("main", RECORD, target, proof, key);
                stamp(&mut main, &record, &body);
                report(cx, item, status_of(main.action), vec![main], draft.losses);
                return Ok(());
            }
            Creation::Unsettled => {
                let why = "a record whose creation was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
            Creation::Refused(refusal) => {
                if !draft.give_up(&refusal, place) && !settle_place(desk, place, &refusal).await? {
                    reject(cx, item, refusal.rejection());
                    return Ok(());
                }
            }
        }
    }
    let why = "nothing of it was taken".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}

/// Learns from a refusal whether a module's records name a department and a layout, which is published nowhere (Zoho Desk facts
/// §9); whether there was something to learn.
async fn settle_place(desk: &Desk, place: &mut Place, refusal: &Refusal) -> Result<bool, Error> {
    let names = |what: &str| {
        let text = refusal.words().to_lowercase();
        text.contains(what)
    };
    if names("department") {
        place.departments = !place.departments;
        // Not to and fro: what was learnt is the opposite of what the module says.
        return Ok(place.departments != place.module.is_dept_specific);
    }
    if names("layout") && place.layout.is_none() {
        let path = format!("/layouts?module={}", segment(&place.module.api_name));
        let layouts: Vec<Value> = desk.whole(&path).await?;
        let id = layouts.first().and_then(|layout| layout.get("id"));
        place.layout = id.map(words_of);
        return Ok(place.layout.is_some());
    }
    Ok(false)
}

fn stamp(effect: &mut Effect, record: &Object, sent: &Object) {
    effect.fingerprint = Some(print_of(&facets(record), sent));
    let at = words_of(record.get("modifiedTime").unwrap_or(&Value::Null));
    effect.updated_at = map::parse_iso(&at);
}

/// Changes a record that an earlier run made, as the policy allows.
async fn update(
    desk: &Desk,
    item: &Item,
    place: &Place,
    target: &str,
    mut draft: Draft,
) -> Result<(), Error> {
    let cx = &desk.cx;
    let Some(before) = read(desk, target).await? else {
        let gone = "the record that was there is gone".to_owned();
        reject(cx, item, Error::Conflict(gone));
        return Ok(());
    };
    let path = format!("/{target}");
    let mut main = effect("main", RECORD, target, Action::Matched);
    for attempt in 0..TRIES {
        let mut wanted = draft.body(desk, place);
        let mut cf = cf_of(&wanted);
        for name in [own::RUN, own::MARKER] {
            if let Some(field) = place.own(name) {
                cf.remove(field);
            }
        }
        wanted.retain(|name, _| name == "name");
        let mut now = policy::changes(item.policy, &wanted, &Value::Object(before.clone()));
        let was = cf_of(&before);
        let was: Map<String, Value> = was
            .iter()
            .map(|(name, value)| (name.clone(), json!(plain(value))))
            .collect();
        let of_fields = policy::changes(item.policy, &cf, &Value::Object(was));
        if !of_fields.wanted.is_empty() {
            let cf = "cf".to_owned();
            now.wanted
                .insert(cf.clone(), Value::Object(of_fields.wanted));
            now.before.insert(cf, Value::Object(of_fields.before));
        }
        if now.wanted.is_empty() {
            report(cx, item, Status::Matched, vec![main], draft.losses);
            return Ok(());
        }
        let request = |step: &str| {
            let step = format!("{step}:{attempt}");
            let key = key(&item.key, "main", step);
            desk.idempotent("PATCH", path.clone(), key)
                .json(&now.wanted)
        };
        let find = async || desk.find::<Object>(&path).await;
        let is_done = |record: &Object| map::has(&cf_of(record), &cf_of(&now.wanted));
        match WRITES.change(&desk.cx, request, find, is_done).await? {
            Changed::Done(record, key) => {
                main.action = Action::Updated;
                main.key = Some(key);
                main.before = Some(Value::Object(now.before).to_string());
                stamp(&mut main, &record, &now.wanted);
                report(cx, item, Status::Updated, vec![main], draft.losses);
                return Ok(());
            }
            Changed::Refused(refusal) if draft.give_up(&refusal, place) => {}
            Changed::Refused(refusal) => {
                reject(cx, item, refusal.rejection());
                return Ok(());
            }
            Changed::Unknown => {
                let why = "a change of a record that was not answered";
                unsettled(cx, item, why, draft.losses);
                return Ok(());
            }
        }
    }
    let why = "what it would get is not taken".to_owned();
    reject(cx, item, Error::Conflict(why));
    Ok(())
}
