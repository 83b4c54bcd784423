//! Reading back what was written, in the contract's words, so that the host can compare it with the source.
//!
//! Records of one object type are read together, and so is what hangs on tickets: by their links, which are read by key. What the
//! connector added by itself comes off again: the line above a body, the source card, what links the parts of a long thread;
//! pieces of a long text are one text again, and plain text that became HTML is plain.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{Body, Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::effects::{facet_names, print_now};
use transload_sdk::read_back::by_kind;
use transload_sdk::thread::is_further_part;
use transload_sdk::types::{
    self, Address, AddressChannel, Attachment, Author, Company, Conversation, ConversationStatus,
    CustomObject, Customer, Direction, Entity, Entry, Error, Field, Head, Kind, Message, Reference,
    Visibility,
};

use crate::api::{Link, Record};
use crate::client;
use crate::map;
use crate::own;
use crate::state::State;
use crate::text;
use crate::thread::{Activity, CONTACTS, NO_SUBJECT, PUBLIC, TICKETS};
use crate::undo::{facets_now, is_record};
use crate::write::files::{self, FILES, Stored};

/// What companies are.
const COMPANIES: &str = "companies";

/// Reads back. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let state: State = cx.state()?;
    let reader = Reader { cx, state: &state };
    by_kind(&written, async |object, some| {
        reader.object(object, some).await
    })
    .await
}

fn id_in(one: &Written) -> String {
    let target = one.main().map(|effect| effect.target_id.as_str());
    map::record_id(target.unwrap_or_default()).to_owned()
}

/// The print of the facets that were recorded, as they are now.
fn print_of(one: &Written, object: &str, record: &Record) -> Option<String> {
    let recorded = one.main()?.fingerprint.as_deref()?;
    Some(print_now(recorded, &facets_now(object, record)))
}

fn some(record: &Record, name: &str) -> Option<String> {
    Some(record.text(name))
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn time(record: &Record, name: &str) -> Option<i64> {
    map::parse_datetime(record.text(name))
}

/// What is linked, by the record it is linked to.
type Linked = BTreeMap<String, Vec<Link>>;

/// Whom or what a record belongs to: the other end of its plain link. Relationships have labels; a link may have both.
fn first(links: &Linked, id: &str, kind: Kind) -> Option<Reference> {
    let links = links.get(id)?;
    let labels = |link: &Link| {
        let labelled = link.association_types.iter();
        labelled.filter(|label| label.label.is_some()).count()
    };
    let plain = |link: &&Link| {
        link.association_types
            .iter()
            .any(|label| label.label.is_none())
    };
    let link = links.iter().filter(plain).min_by_key(|link| labels(link));
    let link = link.or(links.first())?;
    Some(Reference::to(kind, &link.to_object_id))
}

struct Reader<'a> {
    cx: &'a Context,
    state: &'a State,
}

impl Reader<'_> {
    /// What became of items whose main effect is on one object type, in their order.
    async fn object(&self, object: &str, written: &[&Written]) -> Result<Vec<Observed>, Error> {
        // Metadata, and what has no record.
        if !is_record(object) {
            let there = |one: &&Written| one.found(Presence::Present, None);
            return Ok(written.iter().map(there).collect());
        }
        let ids: BTreeSet<String> = written.iter().map(|one| id_in(one)).collect();
        let names = self.properties(object, written);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let records = client::read(self.cx, object, &ids, &names).await?;
        let mut links: BTreeMap<&str, Linked> = BTreeMap::new();
        for to in linked_to(object) {
            links.insert(to, client::read_links(self.cx, object, to, &ids).await?);
        }
        let hanging = match object {
            TICKETS => self.hanging(written).await?,
            _ => Hanging::default(),
        };
        let mut observed = Vec::with_capacity(written.len());
        for one in written {
            let id = id_in(one);
            let Some(record) = records.get(&id) else {
                observed.push(one.found(self.absent(object, &id).await?, None));
                continue;
            };
            let body = self.body(object, one, record, &links, &hanging);
            let values = if object == TICKETS {
                self.slots(record)
            } else {
                Vec::new()
            };
            observed.push(Observed {
                values,
                fingerprint: print_of(one, object, record),
                ..one.found(Presence::Present, body)
            });
        }
        Ok(observed)
    }

    async fn absent(&self, object: &str, id: &str) -> Result<Presence, Error> {
        let path = client::objects(object, &format!("/{}", transload_sdk::http::segment(id)));
        let found: Option<Record> = client::find(self.cx, &path).await?;
        Ok(match found {
            Some(other) if other.id != id => Presence::Merged,
            _ => Presence::Absent,
        })
    }

    /// The properties to be read of an object type's records: those that were recorded, and those that its body is made of.
    fn properties(&self, object: &str, written: &[&Written]) -> BTreeSet<String> {
        let standard: &[&str] = match object {
            TICKETS => &[
                "subject",
                "content",
                "hs_pipeline",
                "hs_pipeline_stage",
                "hs_ticket_priority",
                "source_type",
                "hubspot_owner_id",
                "createdate",
                "closed_date",
                "hs_lastmodifieddate",
            ],
            CONTACTS => &[
                "firstname",
                "lastname",
                "email",
                "hs_additional_emails",
                "phone",
                "mobilephone",
                "createdate",
                "lastmodifieddate",
            ],
            COMPANIES => &[
                "name",
                "domain",
                "hs_additional_domains",
                "phone",
                "createdate",
                "hs_lastmodifieddate",
            ],
            _ => &["hs_createdate", "hs_lastmodifieddate"],
        };
        let mut names: BTreeSet<String> = standard.iter().map(|name| (*name).to_owned()).collect();
        if let Some(kind) = Activity::of(object) {
            names.extend(of_activity(kind).map(str::to_owned));
        }
        let own = own::of_object(object).iter();
        names.extend(
            own.filter_map(|(key, ..)| self.state.name(object, key))
                .map(str::to_owned),
        );
        let recorded = written
            .iter()
            .filter_map(|one| one.main()?.fingerprint.as_deref());
        names.extend(recorded.flat_map(facet_names));
        names
    }

    fn own(&self, object: &str, record: &Record, key: &str) -> Option<String> {
        let name = self.state.own.get(&format!("{object}.{key}"));
        some(record, name.map_or(key, String::as_str))
    }

    fn head(&self, kind: Kind, object: &str, id: &str, record: &Record) -> Head {
        let own = |key: &str| self.own(object, record, key);
        let mut head = Head::new(kind, id.to_owned());
        head.external_id = own(own::SOURCE_ID);
        head.url = own(own::SOURCE_URL);
        let created = own(own::CREATED_AT).and_then(|at| map::parse_datetime(&at));
        let made = ["createdate", "hs_createdate"]
            .iter()
            .find_map(|name| time(record, name));
        head.created_at = created.or(made);
        let changed = ["hs_lastmodifieddate", "lastmodifieddate"];
        head.updated_at = changed.iter().find_map(|name| time(record, name));
        head.fields = self.custom_fields(object, record);
        head
    }

    /// The properties that are neither HubSpot's nor the connector's own.
    fn custom_fields(&self, object: &str, record: &Record) -> Vec<Field> {
        let is_own = |name: &str| {
            let mut own = own::of_object(object).iter();
            own.any(|(key, ..)| *key == name || self.state.name(object, key) == Some(name))
        };
        let theirs = |(name, value): (&String, &Value)| {
            let text = value.as_str().filter(|text| !text.is_empty())?;
            let is_theirs =
                !is_own(name) && !name.starts_with("hs_") && !STANDARD.contains(&name.as_str());
            is_theirs.then(|| Field {
                name: name.clone(),
                value: types::Value::Text(text.to_owned()),
                target: Some(name.clone()),
            })
        };
        record.properties.iter().filter_map(theirs).collect()
    }

    fn tags(&self, object: &str, record: &Record) -> Vec<Reference> {
        let list = self.own(object, record, own::TAGS).unwrap_or_default();
        let names = list.split(';').filter(|name| !name.is_empty());
        names.map(|name| Reference::to(Kind::Tag, name)).collect()
    }

    fn body(
        &self,
        object: &str,
        one: &Written,
        record: &Record,
        links: &BTreeMap<&str, Linked>,
        hanging: &Hanging,
    ) -> Option<Body> {
        let none = Linked::new();
        let to = |object: &str| links.get(object).unwrap_or(&none);
        let id = record.id.as_str();
        if let Some(kind) = Activity::of(object) {
            return Some(
                self.said(kind, None, record, &Files::default())
                    .message
                    .into(),
            );
        }
        let (kind, data) = match object {
            TICKETS => {
                let customer = first(to(CONTACTS), id, Kind::Customer);
                return Some(self.thread(one, record, customer, hanging).into());
            }
            CONTACTS => {
                let company = first(to(COMPANIES), id, Kind::Company);
                (
                    Kind::Customer,
                    Entity::Customer(self.customer(record, company)),
                )
            }
            COMPANIES => (Kind::Company, Entity::Company(self.company(record))),
            _ => {
                let title = self.own(object, record, own::TITLE).unwrap_or_default();
                let data = CustomObject {
                    customer: first(to(CONTACTS), id, Kind::Customer),
                    company: first(to(COMPANIES), id, Kind::Company),
                    conversation: first(to(TICKETS), id, Kind::Conversation),
                    tags: self.tags(object, record),
                    ..CustomObject::of(object, title)
                };
                (Kind::CustomObject, Entity::CustomObject(data))
            }
        };
        let target = one.main().map(|effect| effect.target_id.as_str());
        let head = self.head(kind, object, target.unwrap_or(id), record);
        Some(Body::from(Entry { head, data }))
    }

    fn slots(&self, record: &Record) -> Vec<SlotValue> {
        let here = (record.text("hs_pipeline"), record.text("hs_pipeline_stage"));
        let mut stages = self.state.stages.iter();
        let stage = stages.find(|(_, stage)| (stage.pipeline.as_str(), stage.id.as_str()) == here);
        let values = [
            ("status", stage.map(|(value, _)| value.clone())),
            ("priority", some(record, "hs_ticket_priority")),
            ("channel", some(record, "source_type")),
        ];
        let slot = |(slot, value): (&str, Option<String>)| {
            value.map(|value| SlotValue {
                slot: slot.to_owned(),
                value,
            })
        };
        values.into_iter().filter_map(slot).collect()
    }

    // ---- threads

    /// What hangs on the tickets of some items.
    async fn hanging(&self, written: &[&Written]) -> Result<Hanging, Error> {
        let effects = || written.iter().flat_map(|one| &one.effects);
        let tickets = effects().filter(|effect| effect.target_kind == TICKETS);
        let tickets: BTreeSet<String> = tickets.map(|effect| effect.target_id.clone()).collect();
        let mut hanging = Hanging::default();
        for kind in Activity::ALL {
            let object = kind.object();
            let links = client::read_links(self.cx, TICKETS, object, &tickets).await?;
            let ids: BTreeSet<String> = links
                .values()
                .flatten()
                .map(|link| link.to_object_id.clone())
                .collect();
            let own = own::of_object(object).iter();
            let own = own.filter_map(|(key, ..)| self.state.name(object, key));
            let mut names: Vec<&str> = own.collect();
            for name in of_activity(kind) {
                names.push(name);
            }
            let records = client::read(self.cx, object, &ids, &names).await?;
            for (ticket, links) in links {
                let of_ticket = links
                    .iter()
                    .filter_map(|link| records.get(&link.to_object_id));
                let of_ticket = of_ticket.map(|record| (kind, record.clone()));
                hanging
                    .activities
                    .entry(ticket)
                    .or_default()
                    .extend(of_ticket);
            }
        }
        for effect in effects().filter(|effect| effect.target_kind == FILES) {
            if let Some(stored) = files::by_id(self.cx, &effect.target_id).await? {
                let id = effect.part.strip_prefix("file:").unwrap_or_default();
                hanging
                    .files
                    .insert(stored.id.clone(), (id.to_owned(), stored));
            }
        }
        Ok(hanging)
    }

    fn thread(
        &self,
        one: &Written,
        record: &Record,
        customer: Option<Reference>,
        hanging: &Hanging,
    ) -> Thread {
        let tickets = one
            .effects
            .iter()
            .filter(|effect| effect.target_kind == TICKETS);
        let tickets: BTreeSet<&str> = tickets.map(|effect| effect.target_id.as_str()).collect();
        let of_tickets = tickets
            .iter()
            .filter_map(|ticket| hanging.activities.get(*ticket));
        let mut said: Vec<&(Activity, Record)> = of_tickets.flatten().collect();
        said.sort_by_key(|(_, record)| time(record, "hs_timestamp"));
        let mut parts: Vec<Part> = Vec::new();
        for (kind, activity) in said {
            let (lead, body) = body_of(*kind, activity);
            let lead = lead.as_deref();
            if *kind == Activity::Note && is_own(lead) {
                continue;
            }
            if is_further_part(lead)
                && let Some(before) = parts.last_mut()
                && self.join(before, &body)
            {
                continue;
            }
            parts.push(self.said(*kind, Some(&record.id), activity, &hanging.files));
        }
        let own = |key: &str| self.own(TICKETS, record, key);
        let moment = |key: &str| own(key).and_then(|at| map::parse_datetime(&at));
        let here = (record.text("hs_pipeline"), record.text("hs_pipeline_stage"));
        let mut stages = self.state.stages.values();
        let stage = stages.find(|stage| (stage.pipeline.as_str(), stage.id.as_str()) == here);
        let snoozed = self.state.stages.get("snoozed");
        let status = match stage {
            Some(stage) if stage.closed => ConversationStatus::Closed,
            Some(stage) if Some(stage) == snoozed => ConversationStatus::Snoozed,
            _ => ConversationStatus::Open,
        };
        let owner = some(record, "hubspot_owner_id").map(|id| Reference::to(Kind::Agent, id));
        let conversation = Conversation {
            customer,
            subject: some(record, "subject").filter(|subject| subject != NO_SUBJECT),
            preview: some(record, "content"),
            status,
            snooze_until: moment(own::SNOOZED_UNTIL),
            assignees: owner.into_iter().collect(),
            tags: self.tags(TICKETS, record),
            closed_at: moment(own::CLOSED_AT).or_else(|| time(record, "closed_date")),
            ..Conversation::empty()
        };
        Thread {
            conversation: Entry {
                head: self.head(Kind::Conversation, TICKETS, &record.id, record),
                data: Entity::Conversation(conversation),
            },
            parts,
        }
    }

    fn join(&self, before: &mut Part, more: &Said) -> bool {
        let (Entity::Message(message), Some(more)) = (&mut before.message.data, &more.text) else {
            return false;
        };
        let so_far = message.text.as_ref();
        let Some(so_far) = so_far.and_then(|text| self.cx.blobs().read_text(text).ok()) else {
            return false;
        };
        message.text = Some(self.cx.blobs().text(so_far + more));
        true
    }

    /// An activity as what was said.
    fn said(&self, kind: Activity, ticket: Option<&str>, record: &Record, files: &Files) -> Part {
        let (lead, body) = body_of(kind, record);
        let facts: Vec<&str> = lead
            .as_deref()
            .map(|l| l.split("; ").collect())
            .unwrap_or_default();
        let headers: Map<String, Value> =
            serde_json::from_str(record.text("hs_email_headers")).unwrap_or_default();
        let incoming = match kind {
            Activity::Email => Some(record.text("hs_email_direction") == "INCOMING_EMAIL"),
            Activity::Call => Some(record.text("hs_call_direction") == "INBOUND"),
            Activity::Communication | Activity::Note => {
                let says = |word: &str| facts.iter().any(|f| f.split(' ').next() == Some(word));
                match (says("inbound"), says("outbound")) {
                    (true, _) => Some(true),
                    (_, true) => Some(false),
                    _ => None,
                }
            }
        };
        let is_public = kind != Activity::Note || facts.contains(&PUBLIC);
        let named = facts
            .iter()
            .find_map(|fact| fact.strip_prefix("written by "));
        let from = headers.get("from").map(person);
        let name_of_from = from.as_ref().and_then(|(name, _)| name.clone());
        let owner = some(record, "hubspot_owner_id").filter(|_| incoming != Some(true));
        let author = match (named, owner, name_of_from) {
            (Some(name), ..) => Author::Name(name.to_owned()),
            (None, Some(owner), _) => Author::Person(Reference::to(Kind::Agent, owner)),
            (None, None, Some(name)) => Author::Name(name),
            (None, None, None) => Author::System,
        };
        let list = |name: &str| -> Vec<String> {
            let all = headers
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            all.map(|one| person(one).1).collect()
        };
        let stored = |text: String| (!text.is_empty()).then(|| self.cx.blobs().text(text));
        let ids = record
            .text("hs_attachment_ids")
            .split(';')
            .filter(|id| !id.is_empty());
        let attached: Vec<Entry> = ids
            .filter_map(|id| files.get(id))
            // HTML that was too long for an activity.
            .filter(|(id, _)| !(id.ends_with(".html") && marks(self.state, kind, record, id)))
            .map(|(id, stored)| attachment(&record.id, id, stored))
            .collect();
        let at = time(record, "hs_timestamp");
        let message = Message {
            conversation: ticket.map(|ticket| Reference::to(Kind::Conversation, ticket)),
            visibility: if is_public {
                Visibility::Public
            } else {
                Visibility::Internal
            },
            direction: match incoming {
                Some(true) => Direction::Inbound,
                Some(false) => Direction::Outbound,
                None => Direction::None,
            },
            author,
            subject: some(record, "hs_email_subject"),
            sender: from.map(|(_, address)| address),
            to: list("to"),
            cc: list("cc"),
            bcc: list("bcc"),
            text: body.text.and_then(stored),
            html: body.html.and_then(stored),
            sent_at: at,
            attachment_count: Some(attached.len() as u64),
            ..Message::empty()
        };
        let mut head = Head::new(Kind::Message, record.id.clone());
        head.external_id = self.own(kind.object(), record, own::SOURCE_ID);
        head.created_at = at;
        Part {
            attachments: attached,
            message: Entry {
                head,
                data: Entity::Message(message),
            },
        }
    }

    // ---- people

    fn customer(&self, record: &Record, company: Option<Reference>) -> Customer {
        let mut addresses = Vec::new();
        let more = record.text("hs_additional_emails").split(';');
        for address in std::iter::once(record.text("email")).chain(more) {
            if !address.is_empty() {
                addresses.push(Address::new(AddressChannel::Email, address));
            }
        }
        for name in ["phone", "mobilephone"] {
            addresses.extend(some(record, name).map(|n| Address::new(AddressChannel::Phone, n)));
        }
        let (first, last) = (some(record, "firstname"), some(record, "lastname"));
        let whole: Vec<String> = first.iter().chain(&last).cloned().collect();
        let merged = self
            .own(CONTACTS, record, own::MERGED_IDS)
            .unwrap_or_default();
        Customer {
            name: Some(whole.join(" ")).filter(|name| !name.is_empty()),
            first_name: first,
            last_name: last,
            company,
            addresses,
            tags: self.tags(CONTACTS, record),
            merged_from: merged.lines().map(str::to_owned).collect(),
            ..Customer::empty()
        }
    }

    fn company(&self, record: &Record) -> Company {
        let more = record.text("hs_additional_domains").split(';');
        let domains = std::iter::once(record.text("domain")).chain(more);
        let phone = some(record, "phone");
        Company {
            domains: domains
                .filter(|d| !d.is_empty())
                .map(str::to_owned)
                .collect(),
            addresses: phone
                .map(|n| Address::new(AddressChannel::Phone, n))
                .into_iter()
                .collect(),
            tags: self.tags(COMPANIES, record),
            ..Company::called(record.text("name"))
        }
    }
}

/// Files by their ids: the attachment's id and the file.
type Files = BTreeMap<String, (String, Stored)>;

/// What hangs on tickets.
#[derive(Debug, Default)]
struct Hanging {
    /// By ticket.
    activities: BTreeMap<String, Vec<(Activity, Record)>>,
    files: Files,
}

/// HubSpot's own properties without `hs_` that are read.
const STANDARD: [&str; 18] = [
    "subject",
    "content",
    "source_type",
    "hubspot_owner_id",
    "createdate",
    "closed_date",
    "lastmodifieddate",
    "firstname",
    "lastname",
    "email",
    "phone",
    "mobilephone",
    "name",
    "domain",
    "website",
    "hubspot_team_id",
    "lifecyclestage",
    "jobtitle",
];

/// What the records of an object type are linked to, as far as it is part of their bodies.
fn linked_to(object: &str) -> &'static [&'static str] {
    match object {
        TICKETS => &[CONTACTS],
        CONTACTS => &[COMPANIES],
        COMPANIES => &[],
        object if Activity::of(object).is_some() => &[],
        _ => &[CONTACTS, COMPANIES, TICKETS],
    }
}

/// What is read of an activity.
fn of_activity(kind: Activity) -> impl Iterator<Item = &'static str> + use<> {
    let own: &[&str] = match kind {
        Activity::Email => &[
            "hs_email_direction",
            "hs_email_subject",
            "hs_email_text",
            "hs_email_headers",
        ],
        Activity::Call => &["hs_call_direction", "hs_call_title"],
        Activity::Communication => &["hs_communication_channel_type"],
        Activity::Note => &[],
    };
    let all = [
        "hs_timestamp",
        "hubspot_owner_id",
        "hs_attachment_ids",
        kind.body(),
    ];
    all.into_iter().chain(own.iter().copied())
}

/// What an activity says.
#[derive(Debug, Clone, PartialEq, Default)]
struct Said {
    text: Option<String>,
    html: Option<String>,
}

/// What stands above the text of an activity, and the text.
fn body_of(kind: Activity, record: &Record) -> (Option<String>, Said) {
    let (above, html) = text::html_without_lead(record.text(kind.body()));
    if kind == Activity::Email {
        let (lead, plain) = transload_sdk::thread::without_lead(record.text("hs_email_text"));
        let said = Said {
            text: Some(plain.to_owned()),
            html: Some(html.to_owned()),
        };
        return (lead.map(str::to_owned).or(above), said);
    }
    let said = match text::plain(html) {
        Some(plain) => Said {
            text: Some(plain),
            html: None,
        },
        None => Said {
            text: None,
            html: Some(html.to_owned()),
        },
    };
    (above, said)
}

/// Whether a file is that of an activity's own HTML.
fn marks(state: &State, kind: Activity, record: &Record, id: &str) -> bool {
    let marker = state
        .name(kind.object(), own::SOURCE_ID)
        .map(|name| record.text(name));
    let message = id.strip_suffix(".html").unwrap_or(id);
    marker.is_some_and(|marker| marker.ends_with(&format!(":{message}")))
}

/// Whether a note is the connector's own: the card, or a link between parts of a thread.
fn is_own(lead: Option<&str>) -> bool {
    lead.is_some_and(|facts| {
        facts.starts_with("source card")
            || facts.starts_with("continues the ticket with source id")
            || facts.starts_with("continues in the ticket with source id")
    })
}

/// Name and address of somebody in the head of an e-mail.
fn person(value: &Value) -> (Option<String>, String) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let parts = [text("firstName"), text("lastName")];
    let name: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let name = Some(name.join(" ")).filter(|name| !name.is_empty());
    (name, text("email").to_owned())
}

fn attachment(activity: &str, id: &str, stored: &Stored) -> Entry {
    let name = files::original_name(stored, id);
    let data = Attachment {
        size: stored.size,
        locator: Some(stored.id.clone()),
        ..Attachment::of(Reference::to(Kind::Message, activity), name)
    };
    Entry::new(
        Kind::Attachment,
        stored.id.as_str(),
        Entity::Attachment(data),
    )
}
