//! What Kustomer's records are in the contract's words. Pure: one resource in, entries out.
//!
//! Every mapping takes the attributes it has a place for and leaves the rest, which travels raw (rule M-1). Text is never
//! touched. What hangs on a record (its files, its recording, the relationships of its reference attributes, attributes
//! nobody defined) comes out beside it.
//!
//! Not here: custom attributes' types (`schema`), files' links (`files`), anything that asks.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use transload_sdk::types::{
    Address, AddressChannel, Agent, AgentState, Article, ArticleVersion, Attachment,
    AttachmentState, Author, BodySource, Brand, Call, Category, Company, Conversation,
    ConversationStatus, CustomObject, Customer, Delivery, DeliveryStatus, Direction, Entity, Entry,
    Fidelity, Field, Head, Kind, Location, Loss, Message, ObjectType, Priority, RawAttribute,
    Reaction, Reference, Relationship, Satisfaction, SlaResult, Tag, Team, Text, TextLink,
    Visibility,
};

use crate::api::{Bag, Pointer, Resource};
use crate::files::Locator;
use crate::schema::{self, Resources};

/// Why a masked value is lost.
const MASKED: &str = "masked: the key may not read sensitive attributes";
/// Characters of a text that `preview` holds (Kustomer facts §9.4).
pub const PREVIEW_CAP: usize = 10_240;

/// What mapping needs to know of the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Known {
    /// Where people find records: `https://acme.kustomerapp.com`.
    #[serde(default)]
    pub site: Option<String>,
    /// The defined custom attributes by resource.
    #[serde(default)]
    pub fields: Resources,
    /// Ids of customers merged into one, by the survivor's id.
    #[serde(default)]
    pub merged: BTreeMap<String, Vec<String>>,
    /// The scale of each survey, by its id.
    #[serde(default)]
    pub scales: BTreeMap<String, String>,
}

/// A raw attribute.
pub fn raw(name: &str, json: String) -> RawAttribute {
    RawAttribute {
        name: name.to_owned(),
        json,
    }
}

fn text(text: String) -> Text {
    Text::Inline(text)
}

/// A loss. `note` is one sentence for each cause, the same for every record, so that losses can be counted by it.
fn loss(field: &str, how: Fidelity, note: &'static str) -> Loss {
    Loss {
        field: field.to_owned(),
        how,
        note: note.to_owned(),
    }
}

fn point(pointer: Pointer) -> Option<Reference> {
    schema::kind_of(&pointer.kind).map(|kind| Reference::new(kind, pointer.id))
}

fn refs(kind: &Kind, ids: Option<Vec<String>>) -> Vec<Reference> {
    ids.unwrap_or_default()
        .into_iter()
        .map(|id| Reference::new(kind.clone(), id))
        .collect()
}

/// A record while it is being mapped.
struct Draft<'a> {
    known: &'a Known,
    kind: Kind,
    id: String,
    r: Resource,
    /// The metadata resource its custom attributes are defined in.
    resource: String,
    /// The relationships that have a place.
    placed: BTreeSet<Cow<'static, str>>,
    losses: Vec<Loss>,
}

/// Relationships that have a place on every record, or say nothing.
const COMMON: [&str; 3] = ["org", "createdBy", "modifiedBy"];

impl<'a> Draft<'a> {
    fn new(known: &'a Known, kind: Kind, resource: &str, r: Resource) -> Self {
        Self {
            known,
            kind,
            id: r.id(),
            r,
            resource: resource.to_owned(),
            placed: COMMON.map(Cow::Borrowed).into(),
            losses: Vec::new(),
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.r.attributes.take(name)
    }

    /// A text that is as good as none when it is empty.
    fn word(&mut self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.r.attributes.take(name)
    }

    fn time(&mut self, name: &str) -> Option<i64> {
        self.r.attributes.take_time(name)
    }

    fn time_in(&self, name: &str, member: &str) -> Option<i64> {
        self.r.attributes.time_in(name, member)
    }

    /// What a relationship points to, which has a place now.
    fn pointers(&mut self, name: &'static str) -> Vec<Pointer> {
        self.placed.insert(Cow::Borrowed(name));
        self.r.related(name)
    }

    fn pointer(&mut self, name: &'static str) -> Option<Pointer> {
        self.pointers(name).into_iter().next()
    }

    fn one(&mut self, name: &'static str) -> Option<Reference> {
        self.pointer(name).and_then(point)
    }

    fn many(&mut self, name: &'static str) -> Vec<Reference> {
        self.pointers(name).into_iter().filter_map(point).collect()
    }

    /// What relationships without a place point to: a custom object can point to any other so.
    fn further(&self) -> Vec<(String, Pointer)> {
        let names = self.r.relationships.iter().map(|(name, _)| name);
        names
            .filter(|name| !self.placed.contains(*name))
            .flat_map(|name| {
                let targets = self.r.related(name).into_iter();
                targets.map(move |target| (name.to_owned(), target))
            })
            .collect()
    }

    fn lose(&mut self, field: &str, how: Fidelity, note: &'static str) {
        self.losses.push(loss(field, how, note));
    }

    fn url(&self, path: &str) -> Option<String> {
        self.known.site.as_ref().map(|site| format!("{site}{path}"))
    }

    /// The record with its head; relationships of its reference attributes, and definitions of attributes that have none,
    /// follow it.
    fn finish(mut self, url: Option<String>, data: Entity) -> Vec<Entry> {
        let mut head = Head::new(self.kind.clone(), self.id.clone());
        head.url = url;
        head.external_id = self.word("externalId");
        head.created_at = self.time("createdAt");
        head.updated_at = self.time("updatedAt");
        head.imported_at = self.time("importedAt");
        head.created_by = self.one("createdBy");
        head.modified_by = self.one("modifiedBy");
        head.deleted =
            self.flag("deleted").unwrap_or(false) || self.r.attributes.has_value("deletedAt");
        let mut beside = Vec::new();
        let custom: Bag = self.r.attributes.take("custom").unwrap_or_default();
        let definitions = self.known.fields.get(&self.resource);
        for (name, json) in custom.iter() {
            let definition = definitions.and_then(|known| known.get(name));
            let Some(value) = schema::value(name, json, definition) else {
                continue;
            };
            let multi = definition.is_some_and(|known| known.multi);
            for (position, to) in schema::references(&value).into_iter().enumerate() {
                let position = u32::try_from(position).ok().filter(|_| multi);
                let link = Relationship {
                    label: definition.and_then(|known| known.label.clone()),
                    field: Some(name.to_owned()),
                    position,
                    ..self.link(name, to)
                };
                beside.push(self.linked(link, definition.and_then(|d| d.target.as_deref())));
            }
            if definition.is_none() && definitions.is_some() {
                beside.push(schema::undefined(&self.resource, name));
            }
            if masked(json) {
                head.losses
                    .push(loss(&format!("fields.{name}"), Fidelity::Lost, MASKED));
            }
            head.fields.push(Field {
                name: name.to_owned(),
                value,
                target: None,
            });
        }
        if matches!(data, Entity::CustomObject(_)) {
            for (name, pointer) in self.further() {
                let resource = pointer.kind.clone();
                let Some(to) = point(pointer) else { continue };
                beside.push(self.linked(self.link(&name, to), Some(&resource)));
                self.placed.insert(Cow::Owned(name));
            }
        }
        // What stays of the attributes, and relationships without a place that say more than where to ask.
        head.raw = self
            .r
            .attributes
            .into_rest()
            .map(|(name, json)| raw(&name, json))
            .collect();
        let placed = &self.placed;
        for (name, json) in self
            .r
            .relationships
            .iter()
            .filter(|(name, _)| !placed.contains(*name))
        {
            let value: Json = serde_json::from_str(json).unwrap_or_default();
            let says = match &value {
                Json::Object(members) => members.get("data").is_some_and(|data| !data.is_null()),
                Json::Array(items) => !items.is_empty(),
                _ => false,
            };
            if says {
                head.raw
                    .push(raw(&format!("relationships.{name}"), json.to_owned()));
            }
        }
        head.losses.extend(self.losses);
        let mut made = vec![Entry { head, data }];
        made.extend(beside);
        made
    }

    fn link(&self, name: &str, to: Reference) -> Relationship {
        Relationship {
            name: name.to_owned(),
            label: None,
            source: Reference::new(self.kind.clone(), self.id.clone()),
            target: to,
            field: None,
            position: None,
        }
    }

    /// The record of a relationship to a record of `resource`, of which the klass is kept.
    fn linked(&self, link: Relationship, resource: Option<&str>) -> Entry {
        let id = format!("{}/{}/{}", self.id, link.name, link.target.id);
        let mut head = Head::new(Kind::Relationship, id);
        if let Some(klass) = resource.and_then(|resource| resource.strip_prefix("kobject.")) {
            head.raw.push(raw("target", Json::from(klass).to_string()));
        }
        Entry {
            head,
            data: Entity::Relationship(link),
        }
    }
}

/// What a masked value is made of (Kustomer facts §2 leaves the look open).
const MASK: [char; 5] = ['*', '•', '●', '█', '∗'];

/// Whether a value looks like what a key without the right to read sensitive attributes gets: a text of nothing but mask
/// characters.
pub fn masked(json: &str) -> bool {
    // Nearly no value is: most are told by their first character.
    let first = json.strip_prefix('"').and_then(|text| text.chars().next());
    first.is_some_and(|first| first == '\\' || MASK.contains(&first))
        && serde_json::from_str::<String>(json).is_ok_and(|text| is_mask(&text))
}

fn is_mask(text: &str) -> bool {
    text.chars().count() >= 3 && text.chars().all(|c| MASK.contains(&c))
}

/// The attributes that say who a customer is, and where they are in the contract's words.
const IDENTITY: [(&str, &str); 17] = [
    ("name", "name"),
    ("displayName", "display-name"),
    ("firstName", "first-name"),
    ("lastName", "last-name"),
    ("username", "username"),
    ("emails", "addresses"),
    ("sharedEmails", "addresses"),
    ("phones", "addresses"),
    ("sharedPhones", "addresses"),
    ("whatsapps", "addresses"),
    ("sharedWhatsapps", "addresses"),
    ("socials", "addresses"),
    ("sharedSocials", "addresses"),
    ("facebookIds", "addresses"),
    ("instagramIds", "addresses"),
    ("externalId", "external-ids"),
    ("externalIds", "external-ids"),
];

/// The masked ones among them (rule M-4), in both words.
pub fn masked_identity(r: &Resource) -> Vec<(&'static str, &'static str)> {
    fn any(value: &Json) -> bool {
        match value {
            Json::String(text) => is_mask(text),
            Json::Array(items) => items.iter().any(any),
            Json::Object(members) => members.values().any(any),
            _ => false,
        }
    }
    let may_be = |json: &str| json.contains(MASK) || json.contains("\\u");
    let is = |name: &str| {
        r.attributes.raw(name).is_some_and(may_be)
            && r.attributes.peek::<Json>(name).is_some_and(|v| any(&v))
    };
    IDENTITY.into_iter().filter(|(name, _)| is(name)).collect()
}

/// A user (Kustomer facts §9.7). `pending` where it came from the list of invited ones.
pub fn agent(known: &Known, r: Resource, pending: bool) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Agent, "user", r);
    let user_type: Option<String> = d.r.attributes.peek("userType");
    let deleted =
        d.r.attributes.has_value("deletedAt") || d.r.attributes.peek("deleted").unwrap_or(false);
    let state = match (deleted, pending) {
        (true, _) => AgentState::Deactivated,
        (false, true) => AgentState::Pending,
        (false, false) => AgentState::Active,
    };
    let data = Agent {
        name: d.text("name").unwrap_or_default(),
        display_name: d.text("displayName"),
        email: d.word("email"),
        phone: d.word("mobile"),
        state,
        machine: user_type.as_deref() == Some("machine"),
        roles: d.r.attributes.take("roles").unwrap_or_default(),
        teams: Vec::new(),
        avatar_url: d.word("avatarUrl"),
        signature: d.text("emailSignature"),
        locale: d.word("locale"),
        time_zone: d.word("timeZone"),
    };
    d.finish(None, Entity::Agent(data))
}

/// A team (§9.8).
pub fn team(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Team, "team", r);
    let name = d.text("name");
    let shown: Option<String> = d.r.attributes.peek("displayName");
    if shown == name {
        d.text("displayName");
    }
    let data = Team {
        name: name.or(shown).unwrap_or_default(),
        description: d.word("description"),
        members: refs(&Kind::Agent, d.r.attributes.take("members")),
    };
    d.finish(None, Entity::Team(data))
}

/// A tag (§9.9).
pub fn tag(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Tag, "tag", r);
    let data = Tag {
        name: d.text("name").unwrap_or_default(),
        color: d.word("color"),
    };
    d.finish(None, Entity::Tag(data))
}

/// A brand (§9.13).
pub fn brand(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Brand, "brand", r);
    let data = Brand {
        name: d.text("name").unwrap_or_default(),
        is_default: d.flag("default").unwrap_or(false),
        icon_url: d.word("iconUrl"),
    };
    d.finish(None, Entity::Brand(data))
}

/// A klass (§9.11). Its id here is its name, which never changes and by which records and paths know it.
pub fn object_type(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::ObjectType, "klass", r);
    let own_id = std::mem::take(&mut d.id);
    let name = d.text("name").unwrap_or_else(|| own_id.clone());
    d.id.clone_from(&name);
    let label = d
        .text("displayName")
        .or_else(|| d.text("displayname"))
        .unwrap_or_else(|| name.clone());
    let mut traits: Vec<String> = d.r.attributes.take("mixins").unwrap_or_default();
    traits.extend(d.text("klassSchema"));
    let data = ObjectType {
        name,
        label,
        label_plural: d.text("displayNamePlural"),
        description: d.text("description"),
        icon: d.word("icon"),
        status: d.text("status").unwrap_or_default(),
        traits,
    };
    let mut made = d.finish(None, Entity::ObjectType(data));
    if let Some(first) = made.first_mut() {
        first
            .head
            .raw
            .push(raw("id", Json::from(own_id).to_string()));
    }
    made
}

fn addresses(d: &mut Draft<'_>) -> Vec<Address> {
    let mut made = Vec::new();
    let mut contact = |list: &str, member: &str, channel: AddressChannel, shared: bool| {
        let mut first = !shared && matches!(channel, AddressChannel::Email | AddressChannel::Phone);
        made.extend(d.r.attributes.each(list, |item| {
            let value: String = item.take(member)?;
            let primary = std::mem::take(&mut first);
            Some(Address {
                value,
                channel: channel.clone(),
                label: item.take("type"),
                verified: item.take("verified"),
                shared,
                primary,
            })
        }));
    };
    contact("emails", "email", AddressChannel::Email, false);
    contact("sharedEmails", "email", AddressChannel::Email, true);
    contact("phones", "phone", AddressChannel::Phone, false);
    contact("sharedPhones", "phone", AddressChannel::Phone, true);
    contact("whatsapps", "phone", AddressChannel::Whatsapp, false);
    contact("sharedWhatsapps", "phone", AddressChannel::Whatsapp, true);
    contact("urls", "url", AddressChannel::Url, false);
    contact(
        "facebookIds",
        "userId",
        AddressChannel::Social("facebook".to_owned()),
        false,
    );
    contact(
        "instagramIds",
        "username",
        AddressChannel::Social("instagram".to_owned()),
        false,
    );
    for (list, shared) in [("socials", false), ("sharedSocials", true)] {
        made.extend(d.r.attributes.each(list, |item| {
            let value = ["username", "userid", "url"]
                .into_iter()
                .find_map(|name| item.take::<String>(name))?;
            let network = item.take("type").unwrap_or_default();
            Some(Address {
                value,
                channel: AddressChannel::Social(network),
                label: None,
                verified: item.take("verified"),
                shared,
                primary: false,
            })
        }));
    }
    made
}

fn locations(d: &mut Draft<'_>) -> Vec<Location> {
    d.r.attributes.each("locations", |item| {
        let mut word = |name: &str| item.take::<String>(name);
        let lines = ["address", "address2", "address3"]
            .into_iter()
            .filter_map(&mut word)
            .collect();
        let region = word("regionName").or_else(|| word("regionCode"));
        let country = word("countryCode").or_else(|| word("countryName"));
        let made = Location {
            label: word("type"),
            name: word("name"),
            lines,
            city: word("cityName"),
            region,
            postal_code: word("zipCode"),
            country,
            latitude: None,
            longitude: None,
        };
        // A coordinate is a number or a text; its digits are kept.
        let mut digits = |name: &str| {
            item.take_raw(name)
                .map(|json| json.get().trim_matches('"').to_owned())
        };
        Some(Location {
            latitude: digits("latitude"),
            longitude: digits("longitude"),
            ..made
        })
    })
}

/// A company (§9.2); `parent` where the hierarchy could be read.
pub fn company(known: &Known, r: Resource, parent: Option<String>) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Company, "company", r);
    let data = Company {
        name: d.text("name").unwrap_or_default(),
        addresses: addresses(&mut d),
        domains: d.r.attributes.each("domains", |item| item.take("domain")),
        locations: locations(&mut d),
        parent: parent.map(|id| Reference::new(Kind::Company, id)),
        tags: refs(&Kind::Tag, d.r.attributes.take("tags")),
        employee_count: d.r.attributes.take("employeeCount"),
        language: d.word("defaultLang"),
        avatar_url: d.word("avatarUrl"),
    };
    let url = d.url(&format!("/app/companies/{}", d.id));
    d.finish(url, Entity::Company(data))
}

/// A customer (§9.1).
pub fn customer(known: &Known, r: Resource) -> Vec<Entry> {
    let masked: BTreeSet<&str> = masked_identity(&r)
        .into_iter()
        .map(|(_, field)| field)
        .collect();
    let mut d = Draft::new(known, Kind::Customer, "customer", r);
    for field in masked {
        d.lose(&format!("customer.{field}"), Fidelity::Lost, MASKED);
    }
    let own: Option<String> = d.r.attributes.peek("externalId");
    let mut external_ids =
        d.r.attributes
            .each("externalIds", |item| item.take::<String>("externalId"));
    if let Some(own) = own.filter(|own| !own.is_empty() && !external_ids.contains(own)) {
        external_ids.insert(0, own);
    }
    let addresses = addresses(&mut d);
    let locations = locations(&mut d);
    let data = Customer {
        name: d.text("name"),
        display_name: d.text("displayName"),
        first_name: d.text("firstName"),
        last_name: d.text("lastName"),
        username: d.word("username"),
        company: d.one("company"),
        company_name: d.word("companyName"),
        addresses,
        external_ids,
        locations,
        tags: refs(&Kind::Tag, d.r.attributes.take("tags")),
        locale: d.word("locale"),
        language: d.word("defaultLang"),
        time_zone: d.word("timeZone"),
        gender: d.word("gender"),
        birthday: d.word("birthdayAt"),
        avatar_url: d.word("avatarUrl"),
        verified: d.flag("verified"),
        signed_up_at: d.time("signedUpAt"),
        last_seen_at: d.time("lastSeenAt"),
        last_activity_at: d.time("lastActivityAt"),
        // What a customer has here is a summary over conversations; it stays raw.
        satisfaction: None,
        merged_from: known.merged.get(&d.id).cloned().unwrap_or_default(),
        merged_into: None,
        watchers: refs(&Kind::Agent, d.r.attributes.take("watchers")),
        conversation_count: d.r.attributes.peek_in("conversationCounts", "all"),
    };
    let url = d.url(&format!("/app/customers/{}", d.id));
    d.finish(url, Entity::Customer(data))
}

/// A customer of whom nothing is left but the one they were merged into.
pub fn merged_away(known: &Known, id: &str, survivor: String) -> Option<Entry> {
    let mut made = customer(known, Resource::only(id)).into_iter().next()?;
    if let Entity::Customer(customer) = &mut made.data {
        customer.merged_into = Some(Reference::new(Kind::Customer, survivor));
    }
    Some(made)
}

fn digits(bag: &mut Bag, name: &str) -> Option<String> {
    bag.take_raw(name)
        .map(|json| json.get().trim_matches('"').to_owned())
}

fn satisfaction(d: &mut Draft<'_>) -> Option<Satisfaction> {
    let known = d.known;
    d.r.attributes.nested("satisfactionLevel", |level| {
        let survey: Option<String> = level.take("form");
        let answers: Vec<(String, String)> = level
            .take::<Vec<Json>>("answers")
            .unwrap_or_default()
            .iter()
            .map(|item| {
                let text = |names: &[&str]| {
                    names
                        .iter()
                        .find_map(|name| item.get(name))
                        .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                };
                let whole = || {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                };
                (
                    text(&["question", "questionText", "prompt", "id"]).unwrap_or_default(),
                    text(&["answer", "text", "value"]).unwrap_or_else(whole),
                )
            })
            .collect();
        Satisfaction {
            status: level.take("status"),
            score: digits(level, "score"),
            rating: digits(level, "rating"),
            // The scale is the survey's own (§13 item 16).
            scale: survey.as_ref().and_then(|id| known.scales.get(id)).cloned(),
            channel: level.take("channel"),
            survey: survey.map(|id| Reference::new(Kind::Other("survey".to_owned()), id)),
            sent_at: level.take_time("sentAt"),
            answered_at: None,
            answers,
        }
    })
}

fn sla(d: &mut Draft<'_>) -> Option<SlaResult> {
    d.r.attributes.nested("sla", |sla| {
        let breach = sla.nested("breach", |b| (b.take_time("at"), b.take("metric")));
        let (breach_at, metric) = breach.unwrap_or_default();
        let (first, satisfied_at) = sla
            .nested("summary", |s| {
                (s.time("firstBreachAt"), s.take_time("satisfiedAt"))
            })
            .unwrap_or_default();
        SlaResult {
            name: sla.take("name"),
            status: sla.take("status"),
            breached: sla.take("breached").unwrap_or(false),
            breach_at: breach_at.or(first),
            metric,
            satisfied_at,
        }
    })
}

fn direction(word: Option<&str>) -> Direction {
    match word {
        Some("in") => Direction::Inbound,
        Some("out") => Direction::Outbound,
        _ => Direction::None,
    }
}

/// A conversation (§9.3).
pub fn conversation(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Conversation, "conversation", r);
    let status = match d.text("status") {
        Some(word) => match word.as_str() {
            "open" => ConversationStatus::Open,
            "snoozed" => ConversationStatus::Snoozed,
            "done" => ConversationStatus::Closed,
            _ => ConversationStatus::Other(word),
        },
        None => ConversationStatus::Other(String::new()),
    };
    let snooze = |snooze: &mut Bag| (snooze.take_time("time"), snooze.take("status"));
    let snooze = d.r.attributes.nested("snooze", snooze);
    let (snooze_until, snooze_status) = snooze.unwrap_or_default();
    let closed_at = d
        .time_in("lastDone", "createdAt")
        .filter(|_| status == ConversationStatus::Closed);
    let first_response_at = d
        .time_in("firstResponse", "sentAt")
        .or_else(|| d.time_in("firstResponse", "createdAt"));
    // 1 is the least urgent, 5 the most (§13 item 16).
    let priority = d.r.attributes.take("priority").map(|value| Priority {
        value,
        lowest: 1,
        highest: 5,
    });
    let direction = direction(d.word("direction").as_deref());
    let queue = d
        .pointer("queue")
        .map(|queue| Reference::new(Kind::Other("queue".to_owned()), queue.id));
    let customer = d.one("customer");
    let data = Conversation {
        subject: d.text("name"),
        preview: d.text("preview"),
        status,
        sub_status: d.pointer("subStatus").map(|sub| sub.id),
        snooze_until,
        snooze_status,
        priority,
        assignees: refs(&Kind::Agent, d.r.attributes.take("assignedUsers")),
        teams: refs(&Kind::Team, d.r.attributes.take("assignedTeams")),
        queue,
        channels: d.r.attributes.take("channels").unwrap_or_default(),
        brand: d.one("brand"),
        tags: refs(&Kind::Tag, d.r.attributes.take("tags")),
        direction,
        language: d.word("defaultLang"),
        satisfaction: satisfaction(&mut d),
        sla: sla(&mut d),
        spam: d.flag("spam").unwrap_or(false),
        locked: d.flag("locked").unwrap_or(false),
        ended_at: d.time("endedAt"),
        ended_reason: d.word("endedReason"),
        // `mergedTarget` is a mere flag of undocumented meaning (§14); it stays raw.
        merged_into: None,
        linked: refs(
            &Kind::Conversation,
            d.r.attributes.take("linkedConversations"),
        ),
        closed_at,
        first_response_at,
        last_activity_at: d.time("lastActivityAt"),
        message_count: d.r.attributes.take("messageCount"),
        note_count: d.r.attributes.take("noteCount"),
        customer,
    };
    let url = data
        .customer
        .as_ref()
        .and_then(|customer| d.url(&format!("/app/customers/{}/event/{}", customer.id, d.id)));
    d.finish(url, Entity::Conversation(data))
}

/// A message of which nothing is known, not even that it has a text.
fn blank_message() -> Message {
    Message {
        body_source: BodySource::Absent,
        ..Message::empty()
    }
}

/// The links of a message's texts that lead people to records of the account, each once, in their order (rule M-16).
fn links(known: &Known, m: &Message) -> Vec<TextLink> {
    let Some(site) = &known.site else {
        return Vec::new();
    };
    let mut made: Vec<TextLink> = Vec::new();
    for text in [&m.text, &m.html].into_iter().flatten() {
        let Text::Inline(text) = text else { continue };
        for (at, _) in text.match_indices(site.as_str()) {
            let rest = text.get(at..).unwrap_or_default();
            let end =
                |c: char| c.is_whitespace() || c.is_control() || "\"'<>()[]{}|\\^`".contains(c);
            let url = rest.split(end).next().unwrap_or_default();
            let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?']);
            let path = url
                .strip_prefix(site.as_str())
                .and_then(|p| p.strip_prefix("/app/"));
            let to = path.and_then(|path| named(path.split(['?', '#']).next().unwrap_or(path)));
            if let Some(to) = to.filter(|_| made.iter().all(|link| link.url != url)) {
                let url = url.to_owned();
                made.push(TextLink { url, to });
            }
        }
    }
    made
}

/// The record that a page of the account shows, by its path below `/app/`.
fn named(path: &str) -> Option<Reference> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (what, id) = (parts.next()?, parts.next()?);
    let (kind, id) = match (what, parts.next(), parts.next()) {
        ("customers", Some("event"), Some(event)) => (Kind::Conversation, event),
        ("customers", _, _) => (Kind::Customer, id),
        ("companies", _, _) => (Kind::Company, id),
        ("conversations", _, _) => (Kind::Conversation, id),
        _ => return None,
    };
    let is_id = id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| Reference::new(kind, id))
}

/// People of a message: a list of objects, one object, or a bare text (§9.4).
fn people(value: Option<Json>) -> Vec<String> {
    fn one(value: &Json) -> Option<String> {
        match value {
            Json::String(text) => (!text.is_empty()).then(|| text.clone()),
            Json::Object(members) => {
                let text = |name: &str| {
                    members
                        .get(name)
                        .and_then(Json::as_str)
                        .filter(|t| !t.is_empty())
                };
                let address = text("email")
                    .or_else(|| text("phone"))
                    .or_else(|| text("address"));
                match (text("name"), address) {
                    (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
                    (name, address) => address.or(name).map(str::to_owned),
                }
            }
            _ => None,
        }
    }
    match value {
        Some(Json::Array(items)) => items.iter().filter_map(one).collect(),
        Some(value) => one(&value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether a preview is probably cut: as long as a preview can be, in whatever unit, and not the whole by its size.
fn is_cut(preview: &str, size: Option<u64>) -> bool {
    let bytes = preview.len();
    let more = size.is_none_or(|size| size == 0 || size > bytes as u64);
    let long =
        preview.chars().count() >= PREVIEW_CAP || preview.encode_utf16().count() + 1 >= PREVIEW_CAP;
    more && (long || (bytes + 3 >= PREVIEW_CAP && size.is_some_and(|size| size > bytes as u64)))
}

/// What the app resource behind a message gave (§14).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The whole text.
    pub text: Option<String>,
    /// The HTML.
    pub html: Option<String>,
}

/// Finds text and HTML in an app resource, whose shape is undocumented: attributes, or the resource itself, with a member
/// that is called as such bodies are.
pub fn body_of(answer: &Json) -> Body {
    let places =
        ["/data/attributes", "/data", "/attributes", ""].map(|pointer| answer.pointer(pointer));
    let find = |names: &[&str]| {
        places.iter().flatten().find_map(|place| {
            names
                .iter()
                .find_map(|name| place.get(name).and_then(Json::as_str))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        })
    };
    Body {
        text: find(&["text", "textBody", "TextBody", "bodyText", "plain", "body"]),
        html: find(&["html", "htmlBody", "HtmlBody", "bodyHtml"]),
    }
}

/// What the account offers behind `links.related` (§14), as found by a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bodies {
    /// Nothing, or it is not known.
    #[default]
    Absent,
    /// The whole text.
    Text,
    /// The whole text with its HTML.
    Html,
}

/// Whether a message's preview is probably cut, so that its body is worth a request.
pub fn wants_body(r: &Resource) -> bool {
    let preview: String = r.attributes.peek("preview").unwrap_or_default();
    !r.attributes.peek("redacted").unwrap_or(false) && is_cut(&preview, r.attributes.peek("size"))
}

/// A message (§9.4) and its call's recording; files come by `files`.
pub fn message(known: &Known, r: Resource, body: Option<Body>, bodies: Bodies) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Message, "message", r);
    let files = d.pointers("attachments").len() as u64;
    let mut m = blank_message();
    m.conversation = d.one("conversation");
    m.customer = d.one("customer");
    m.direction = direction(d.word("direction").as_deref());
    m.channel = d.word("channel");
    m.app = d.word("app");
    m.subject = d.text("subject");
    m.redacted = d.flag("redacted").unwrap_or(false);
    m.size = d.r.attributes.take("size");
    m.auto = d.flag("auto").unwrap_or(false);
    m.bulk = d.r.attributes.peek::<String>("source").as_deref() == Some("bulk");
    if m.bulk {
        d.text("source");
    }
    m.spam = d.flag("spam").unwrap_or(false);
    m.language = d.word("lang");
    m.sent_at = d.time("sentAt");
    let read_at = |read: &mut Bag| read.take_time("timestamp");
    m.read_at = d.r.attributes.nested("firstRead", read_at).flatten();
    m.delivery = delivery(&mut d);
    meta(&mut d, &mut m);
    if m.channel.as_deref() == Some("email") {
        m.message_id =
            d.r.attributes
                .peek::<String>("externalId")
                .filter(|id| id.starts_with('<'));
    }
    m.attachment_count = m.attachment_count.max(Some(files).filter(|n| *n > 0));
    m.reactions = d.r.attributes.each("reactions", |item| {
        let name = item.take("name")?;
        let kind = item
            .take::<String>("subjectType")
            .and_then(|kind| schema::kind_of(&kind));
        let author =
            kind.and_then(|kind| Some(Reference::new(kind, item.take::<String>("subjectId")?)));
        let at = item.take_time("createdAt");
        Some(Reaction { name, author, at })
    });
    m.author = match (d.one("createdBy"), m.direction) {
        (Some(user), _) => Author::Person(user),
        (None, Direction::Inbound) => match (&m.customer, &m.sender) {
            (Some(customer), _) => Author::Person(customer.clone()),
            (None, Some(sender)) => Author::Name(sender.clone()),
            (None, None) => Author::System,
        },
        (None, _) => Author::System,
    };
    words(&mut d, &mut m, body, bodies);
    m.links = links(known, &m);
    let recording = m.call.as_ref().and_then(|call| call.recording_url.clone());
    let (id, conversation) = (d.id.clone(), m.conversation.clone());
    let url = None;
    let mut made = d.finish(url, Entity::Message(m));
    if let Some(recording) = recording {
        made.push(recording_of(&id, conversation, recording));
    }
    made
}

fn delivery(d: &mut Draft<'_>) -> Delivery {
    let failed_at = d.time("errorAt");
    let status = match d.r.attributes.peek::<String>("status").as_deref() {
        Some("sent") => DeliveryStatus::Sent,
        Some("received") => DeliveryStatus::Received,
        Some("error") => DeliveryStatus::Failed,
        Some("draft") => DeliveryStatus::Draft,
        _ => DeliveryStatus::Unknown,
    };
    if status != DeliveryStatus::Unknown {
        d.text("status");
    }
    let error = d.r.attributes.peek::<Bag>("error").map(|error| {
        let word = |name: &str| error.peek::<String>(name).filter(|t| !t.is_empty());
        let words: Vec<String> = [word("code"), word("title"), word("detail")]
            .into_iter()
            .flatten()
            .collect();
        words.join(": ")
    });
    Delivery {
        status,
        error: error.filter(|e| !e.is_empty()),
        failed_at,
    }
}

fn meta(d: &mut Draft<'_>, m: &mut Message) {
    let voice = m.channel.as_deref() == Some("voice");
    d.r.attributes.nested("meta", |meta| {
        m.sender = people(meta.take("from")).into_iter().next();
        m.to = people(meta.take("to"));
        m.cc = people(meta.take("cc"));
        m.bcc = people(meta.take("bcc"));
        m.in_reply_to = meta.take::<String>("inReplyTo").filter(|id| !id.is_empty());
        m.attachment_count = meta.take("attachmentNum");
        if meta.peek::<String>("subject") == m.subject {
            meta.take::<String>("subject");
        }
        let recording_url = meta
            .take::<String>("externalRecordingUrl")
            .filter(|url| !url.is_empty());
        if voice || recording_url.is_some() {
            let answered_at = meta.take_time("answeredAt");
            let ended_at = meta.take_time("endedAt");
            let talk = answered_at
                .zip(ended_at)
                .and_then(|(from, to)| u64::try_from(to - from).ok());
            m.call = Some(Call {
                placed_at: meta.take_time("placedAt"),
                answered_at,
                ended_at,
                status: meta.take("status"),
                recording_url,
                duration_ms: talk,
            });
        }
    });
}

/// Which text a message has, and what of it is missing (rule M-4).
fn words(d: &mut Draft<'_>, m: &mut Message, body: Option<Body>, bodies: Bodies) {
    let preview = d.text("preview");
    let email = matches!(m.channel.as_deref(), Some("email" | "form"));
    if m.redacted {
        m.text = preview.map(text);
        m.body_source = BodySource::Redacted;
        return;
    }
    let given = body.unwrap_or_default();
    m.html = given.html.map(text);
    if let Some(whole) = given.text {
        m.text = Some(text(whole));
        m.body_source = BodySource::Full;
        return;
    }
    if m.html.is_some() {
        m.text = preview.map(text);
        m.body_source = BodySource::Full;
        return;
    }
    let Some(preview) = preview.filter(|preview| !preview.is_empty()) else {
        m.body_source = BodySource::Absent;
        if m.size.is_some_and(|size| size > 0) && m.call.is_none() && m.attachment_count.is_none() {
            d.lose(
                "message.text",
                Fidelity::Lost,
                "Kustomer gives no text for a message that has a size",
            );
        }
        return;
    };
    let cut = is_cut(&preview, m.size);
    m.body_source = if cut {
        BodySource::Truncated
    } else if email {
        BodySource::Rendering
    } else {
        BodySource::Full
    };
    if cut {
        d.lose(
            "message.text",
            Fidelity::Lost,
            "probably cut: Kustomer's API gives at most 10,240 characters of a text",
        );
    }
    if email && bodies == Bodies::Html {
        d.lose(
            "message.html",
            Fidelity::Lost,
            "the HTML was not asked for; set bodies = \"all\" to read it",
        );
    }
    m.text = Some(text(preview));
}

fn recording_of(message: &str, conversation: Option<Reference>, url: String) -> Entry {
    let name = url
        .split(['?', '#'])
        .next()
        .and_then(|path| path.rsplit('/').next())
        .filter(|name| !name.is_empty());
    let data = Attachment {
        conversation,
        state: AttachmentState::External(url.clone()),
        ..Attachment::of(
            Reference::new(Kind::Message, message),
            name.unwrap_or("recording"),
        )
    };
    let data = Attachment {
        locator: Some(Locator::External { url: url.clone() }.to_text()),
        ..data
    };
    Entry {
        head: Head::new(Kind::Attachment, format!("{message}/recording")),
        data: Entity::Attachment(data),
    }
}

/// A note (§9.5): a message that only agents see.
pub fn note(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Message, "note", r);
    let body = d.text("body");
    let mut m = blank_message();
    m.visibility = Visibility::Internal;
    m.conversation = d.one("conversation");
    m.customer = d.one("customer");
    m.author = d.one("createdBy").map_or(Author::System, Author::Person);
    m.mentions = d.many("userMentions");
    m.mentions.extend(d.many("teamMentions"));
    m.language = d.word("lang");
    m.sent_at = d.r.time("createdAt");
    m.body_source = match &body {
        Some(body) if !body.is_empty() => BodySource::Full,
        _ => BodySource::Absent,
    };
    let files = d.pointers("attachments").len() as u64;
    m.attachment_count = Some(files).filter(|n| *n > 0);
    m.text = body.map(text);
    m.links = links(known, &m);
    d.finish(None, Entity::Message(m))
}

/// A forward (§7): an internal note that says to whom a conversation was passed on. A draft of one was never sent.
/// `conversation` is the one it was listed below.
pub fn forward(known: &Known, r: Resource, conversation: Option<Reference>) -> Option<Vec<Entry>> {
    let mut d = Draft::new(known, Kind::Message, "forward", r);
    let mut m = blank_message();
    m.delivery = delivery(&mut d);
    if m.delivery.status == DeliveryStatus::Draft {
        return None;
    }
    m.visibility = Visibility::Internal;
    m.direction = Direction::Outbound;
    m.forwarded = true;
    m.conversation = d.one("conversation").or(conversation);
    m.customer = d.one("customer");
    m.channel = d.word("channel");
    m.app = d.word("app");
    m.subject = d.text("subject");
    m.author = d.one("createdBy").map_or(Author::System, Author::Person);
    m.sender = people(d.r.attributes.take("from")).into_iter().next();
    m.to = people(d.r.attributes.take("to"));
    m.cc = people(d.r.attributes.take("cc"));
    m.bcc = people(d.r.attributes.take("bcc"));
    m.sent_at = d.time("sentAt").or_else(|| d.r.time("createdAt"));
    m.text = d.text("body").map(text);
    m.html = d.text("htmlBody").map(text);
    m.body_source = if m.text.is_some() || m.html.is_some() {
        BodySource::Full
    } else {
        BodySource::Absent
    };
    m.links = links(known, &m);
    let files = d.pointers("attachments").len() as u64;
    m.attachment_count = Some(files).filter(|n| *n > 0);
    Some(d.finish(None, Entity::Message(m)))
}

/// A record of a klass (§9.12). `data` is given where it was kept outside the record.
pub fn custom_object(known: &Known, r: Resource, klass: &str, data: Option<String>) -> Vec<Entry> {
    let klass = r.kind.strip_prefix("kobject.").unwrap_or(klass).to_owned();
    let mut d = Draft::new(known, Kind::CustomObject, &format!("kobject.{klass}"), r);
    let inline =
        d.r.attributes
            .take_raw("data")
            .map(|json| json.get().to_owned());
    if data.is_none() && inline.is_none() && d.r.attributes.has_value("s3DataUrl") {
        d.lose(
            "custom-object.data",
            Fidelity::Lost,
            "the data is kept outside the record and could not be fetched",
        );
    } else if data.is_some() {
        d.text("s3DataUrl");
    }
    let attribute_queue = d.word("queue");
    let queue = d.pointer("queue").map(|queue| queue.id).or(attribute_queue);
    let assignee = d.word("assignedUser");
    // Its klass is in its type.
    d.pointers("klass");
    let made = CustomObject {
        title: d.text("title").unwrap_or_default(),
        description: d.text("description").map(text),
        icon: d.word("icon"),
        images: d.r.attributes.take("images").unwrap_or_default(),
        customer: d.one("customer"),
        company: d.one("company"),
        conversation: d.one("conversation"),
        status: d.word("status"),
        assignee: assignee.map(|id| Reference::new(Kind::Agent, id)),
        queue: queue.map(|id| Reference::new(Kind::Other("queue".to_owned()), id)),
        tags: refs(&Kind::Tag, d.r.attributes.take("tags")),
        // There is no documented way to list comments (§14).
        comments: Vec::new(),
        data: data.or(inline).map(text),
        closed_at: d.time_in("lastDone", "createdAt"),
        object_type: klass,
    };
    d.finish(None, Entity::CustomObject(made))
}

/// A category of the knowledge base (§9.13).
pub fn category(known: &Known, r: Resource) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Category, "kb_category", r);
    let langs: BTreeMap<String, Json> = d.r.attributes.peek("langs").unwrap_or_default();
    let names: Vec<(String, String)> = langs
        .into_iter()
        .filter_map(|(language, value)| {
            let name = value.as_str().or_else(|| {
                value
                    .get("title")
                    .or_else(|| value.get("name"))
                    .and_then(Json::as_str)
            })?;
            Some((language, name.to_owned()))
        })
        .collect();
    let own = d.text("title").or_else(|| d.text("name"));
    let name = own
        .or_else(|| names.first().map(|(_, name)| name.clone()))
        .unwrap_or_else(|| d.id.clone());
    let data = Category {
        name,
        parent: d
            .pointer("parent")
            .map(|parent| Reference::new(Kind::Category, parent.id)),
        position: None,
        published: d.flag("published"),
        names,
    };
    d.finish(None, Entity::Category(data))
}

/// An article (§9.13) with the versions that could be read.
pub fn article(known: &Known, r: Resource, versions: Vec<Resource>) -> Vec<Entry> {
    let mut d = Draft::new(known, Kind::Article, "kb_article", r);
    let mut made = Vec::new();
    let language =
        d.r.attributes
            .peek::<String>("lang")
            .or_else(|| d.r.attributes.peek("source"))
            .unwrap_or_default();
    if d.r.attributes.has_value("htmlBody") {
        made.push(version(&mut d.r.attributes, language));
    }
    for mut resource in versions {
        let language: String = resource
            .attributes
            .peek("lang")
            .or_else(|| resource.attributes.peek("language"))
            .unwrap_or_default();
        made.push(version(&mut resource.attributes, language));
    }
    if made.is_empty() {
        d.lose(
            "article.versions",
            Fidelity::Lost,
            "titles and texts are on versions, whose endpoint Kustomer does not document",
        );
    }
    let data = Article {
        categories: refs(&Kind::Category, d.r.attributes.take("categories")),
        author: d.one("createdBy"),
        status: d.word("status"),
        scope: d.word("scope"),
        tags: d.r.attributes.take("tags").unwrap_or_default(),
        versions: made,
        published_at: d.time("publishedAt"),
    };
    d.finish(None, Entity::Article(data))
}

fn version(bag: &mut Bag, language: String) -> ArticleVersion {
    let keywords = bag.take::<Vec<String>>("metaKeywords").or_else(|| {
        bag.take::<String>("metaKeywords").map(|k| {
            k.split(',')
                .map(|k| k.trim().to_owned())
                .filter(|k| !k.is_empty())
                .collect()
        })
    });
    ArticleVersion {
        language,
        title: bag.take("title").unwrap_or_default(),
        html: text(bag.take("htmlBody").unwrap_or_default()),
        slug: bag.take("slug"),
        state: bag.peek("status"),
        meta_title: bag.take("metaTitle"),
        meta_description: bag.take("metaDescription"),
        keywords: keywords.unwrap_or_default(),
        updated_at: bag.time("updatedAt"),
    }
}
