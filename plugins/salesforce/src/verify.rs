//! Reading back what was written, in the contract's words, so that the host can compare it with the source.
//!
//! Records of one object are read together, and so is what hangs on Cases. What the connector added by itself comes off again:
//! the line above a body, the source card, what links the parts of a long thread; pieces of a long text are one text again.
//! Times are as Salesforce shows them, in whole seconds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{Body, Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::read_back::{Place, by_kind, field, with_bytes};
use transload_sdk::thread::{is_further_part, without_lead};
use transload_sdk::types::{
    Address, AddressChannel, Attachment, Author, Company, Conversation, ConversationStatus,
    CustomObject, Customer, Direction, Entity, Entry, Error, Field, Head, Kind, Message, Reference,
    Team, Visibility,
};

use crate::api::{Record, id_of, id18, text};
use crate::client::{self, API};
use crate::fields as own;
use crate::map;
use crate::state::State;
use crate::thread::{CASE, MAIL};
use crate::undo::facets_now;
use crate::write::files::DOCUMENT;

/// Reads back. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let state: State = cx.state()?;
    let reader = Reader { cx, state: &state };
    let read = async |object: &str, some: &[&Written]| reader.object(object, some).await;
    let mut observed = by_kind(&written, read).await?;
    with_bytes(cx, &mut observed, bytes_of).await?;
    Ok(observed)
}

/// The bytes of a file's last version (Salesforce facts §11).
fn bytes_of(entry: &Entry) -> Option<Place> {
    let Entity::Attachment(attachment) = &entry.data else {
        return None;
    };
    let version = attachment.locator.as_deref()?;
    Some(Place {
        url: format!("{API}/sobjects/ContentVersion/{version}/VersionData"),
        anonymous: false,
    })
}

fn id_in(one: &Written) -> String {
    let target = one.main().map(|effect| effect.target_id.as_str());
    id18(map::record_id(target.unwrap_or_default()))
}

/// What a record points to, where it does.
fn points_to(record: &Record, name: &str, kind: Kind) -> Option<Reference> {
    let id = id18(text(record, name));
    (!id.is_empty()).then(|| Reference::to(kind, &id))
}

fn some(record: &Record, name: &str) -> Option<String> {
    let value = text(record, name);
    (!value.is_empty()).then(|| value.to_owned())
}

fn time(record: &Record, name: &str) -> Option<i64> {
    map::parse_datetime(text(record, name))
}

/// When a record was made: what the source says, which is kept in a field of its own, else Salesforce's own time.
fn created_at(record: &Record) -> Option<i64> {
    time(record, own::CREATED_AT).or_else(|| time(record, "CreatedDate"))
}

/// The custom fields that are not the connector's own.
fn custom_fields(record: &Record) -> Vec<Field> {
    let theirs = |(name, value): (&String, &Value)| {
        let is_theirs = name.ends_with("__c") && !name.starts_with("Transload_");
        (is_theirs && !value.is_null()).then(|| field(name, value))
    };
    record.iter().filter_map(theirs).collect()
}

/// Tags out of their field.
fn tags(record: &Record) -> Vec<Reference> {
    let names = text(record, own::TAGS).split(';');
    let names = names.filter(|name| !name.is_empty());
    names.map(|name| Reference::to(Kind::Tag, name)).collect()
}

fn head_of(kind: Kind, id: &str, record: &Record) -> Head {
    let mut head = Head::new(kind, id.to_owned());
    head.external_id = some(record, own::SOURCE_ID);
    head.url = some(record, own::SOURCE_URL);
    head.created_at = created_at(record);
    head.updated_at = time(record, "LastModifiedDate");
    head.fields = custom_fields(record);
    head
}

struct Reader<'a> {
    cx: &'a Context,
    state: &'a State,
}

impl Reader<'_> {
    /// What became of items whose main effect is on one object, in their order.
    async fn object(&self, object: &str, some: &[&Written]) -> Result<Vec<Observed>, Error> {
        let wanted = self.fields(object, some);
        // Metadata, and what has no record.
        let Some(wanted) = wanted else {
            let there = |one: &&Written| one.found(Presence::Present, None);
            return Ok(some.iter().map(there).collect());
        };
        let ids: BTreeSet<String> = some.iter().map(|one| id_in(one)).collect();
        let fields: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let records = client::retrieve(self.cx, object, &ids, &fields).await?;
        let hanging = if object == CASE {
            self.hanging(some).await?
        } else {
            Hanging::default()
        };
        let mut observed = Vec::with_capacity(some.len());
        for one in some {
            let id = id_in(one);
            let Some(record) = records.get(&id) else {
                observed.push(one.found(Presence::Absent, None));
                continue;
            };
            let body = self.body(object, one, &id, record, &hanging);
            let values = if object == CASE {
                slots(record)
            } else {
                Vec::new()
            };
            observed.push(Observed {
                values,
                fingerprint: one.print_now(&facets_now(object, record)),
                ..one.found(Presence::Present, body)
            });
        }
        Ok(observed)
    }

    /// The fields to be read of an object's records: those that were recorded, and those that its body is made of.
    fn fields(&self, object: &str, some: &[&Written]) -> Option<BTreeSet<String>> {
        let standard: &[&str] = match object {
            CASE => &[
                "Subject",
                "Status",
                "Priority",
                "Origin",
                "ContactId",
                "AccountId",
                "OwnerId",
                "CreatedDate",
                "LastModifiedDate",
                "ClosedDate",
                "IsClosed",
            ],
            "Contact" => &[
                "FirstName",
                "LastName",
                "Email",
                "Phone",
                "MobilePhone",
                "AccountId",
                "CreatedDate",
                "LastModifiedDate",
            ],
            "Lead" => &[
                "FirstName",
                "LastName",
                "Email",
                "Phone",
                "MobilePhone",
                "CreatedDate",
            ],
            "Account" => &["Name", "Phone", "Website", "ParentId", "CreatedDate"],
            "Group" => &["Name"],
            "User" => &["Name"],
            custom if custom.ends_with("__c") => &["Name", "CreatedDate", "LastModifiedDate"],
            _ => return None,
        };
        let mut fields: BTreeSet<String> = standard.iter().map(|name| (*name).to_owned()).collect();
        let ours = match object {
            custom if custom.ends_with("__c") => own::CUSTOM_OBJECT,
            object => own::of_object(object),
        };
        let ours = ours.iter().map(|(name, ..)| *name);
        let is_there = |name: &&str| object.ends_with("__c") || self.state.has(object, name);
        fields.extend(ours.filter(is_there).map(str::to_owned));
        let recorded = some
            .iter()
            .filter_map(|one| one.main()?.fingerprint.as_deref());
        let recorded = recorded.flat_map(|print| print.split(';'));
        let names = recorded.filter_map(|facet| facet.rsplit_once('='));
        fields.extend(names.map(|(name, _)| name.to_owned()));
        fields.insert("Id".to_owned());
        Some(fields)
    }

    fn body(
        &self,
        object: &str,
        one: &Written,
        id: &str,
        record: &Record,
        hanging: &Hanging,
    ) -> Option<Body> {
        let target = one.main().map(|effect| effect.target_id.as_str());
        let (kind, data) = match object {
            CASE => {
                let mut body = Body::from(self.thread(one, id, record, hanging));
                hanging.own_files(one, &mut body);
                return Some(body);
            }
            "Contact" | "Lead" => (Kind::Customer, Entity::Customer(customer(record))),
            "Account" if one.kind == Kind::Customer => return None,
            "Account" => (Kind::Company, Entity::Company(company(record))),
            "Group" => {
                let team = Team {
                    name: text(record, "Name").to_owned(),
                    description: None,
                    members: Vec::new(),
                };
                (Kind::Team, Entity::Team(team))
            }
            custom if custom.ends_with("__c") => {
                let data = CustomObject {
                    customer: points_to(record, own::CONTACT, Kind::Customer),
                    company: points_to(record, own::ACCOUNT, Kind::Company),
                    conversation: points_to(record, own::CASE, Kind::Conversation),
                    tags: tags(record),
                    ..CustomObject::of(custom, text(record, "Name"))
                };
                (Kind::CustomObject, Entity::CustomObject(data))
            }
            _ => return None,
        };
        let id = if kind == Kind::CustomObject {
            target.unwrap_or(id)
        } else {
            id
        };
        let head = head_of(kind, id, record);
        Some(Body::from(Entry { head, data }))
    }

    // ---- threads

    /// What hangs on the Cases of some items.
    async fn hanging(&self, some: &[&Written]) -> Result<Hanging, Error> {
        let of_kind = |kind: &str| -> BTreeSet<String> {
            let effects = some.iter().flat_map(|one| &one.effects);
            let of_kind = effects.filter(|effect| effect.target_kind == kind);
            of_kind.map(|effect| id18(&effect.target_id)).collect()
        };
        let cases = of_kind(CASE);
        let mut mails = "SELECT Id, ParentId, Incoming, MessageDate, FromName, FromAddress, ToAddress, CcAddress, BccAddress, \
                         Subject, TextBody, HtmlBody, MessageIdentifier"
            .to_owned();
        if self.state.has(MAIL, own::SOURCE_ID) {
            mails.push_str(", ");
            mails.push_str(own::SOURCE_ID);
        }
        mails.push_str(" FROM EmailMessage");
        let mails = client::query_in(self.cx, &mails, "ParentId", &cases, None).await?;
        let comments = "SELECT Id, ParentId, CommentBody, IsPublished, CreatedDate, CreatedById FROM CaseComment";
        let comments = client::query_in(self.cx, comments, "ParentId", &cases, None).await?;
        let documents = of_kind(DOCUMENT);
        let mut hanging = Hanging {
            mails,
            comments,
            ..Hanging::default()
        };
        if documents.is_empty() {
            return Ok(hanging);
        }
        let versions = "SELECT Id, ContentDocumentId, Title, ContentSize FROM ContentVersion";
        let latest = Some("IsLatest = true");
        let versions =
            client::query_in(self.cx, versions, "ContentDocumentId", &documents, latest).await?;
        let of = |version: Record| (id18(text(&version, "ContentDocumentId")), version);
        hanging.versions = versions.into_iter().map(of).collect();
        let links = "SELECT ContentDocumentId, LinkedEntityId FROM ContentDocumentLink";
        let links = client::query_in(self.cx, links, "ContentDocumentId", &documents, None).await?;
        for link in links {
            let entity = id18(text(&link, "LinkedEntityId"));
            let document = id18(text(&link, "ContentDocumentId"));
            hanging.links.entry(entity).or_default().push(document);
        }
        Ok(hanging)
    }

    fn thread(&self, one: &Written, id: &str, record: &Record, hanging: &Hanging) -> Thread {
        let cases: Vec<String> = one
            .effects
            .iter()
            .filter(|effect| effect.target_kind == CASE)
            .map(|effect| id18(&effect.target_id))
            .collect();
        let mut said: Vec<(i64, usize, &Record, bool)> = Vec::new();
        let of_cases = |record: &&Record| cases.contains(&id18(text(record, "ParentId")));
        for mail in hanging.mails.iter().filter(of_cases) {
            let at = time(mail, "MessageDate").unwrap_or_default();
            said.push((at, said.len(), mail, true));
        }
        for comment in hanging.comments.iter().filter(of_cases) {
            let at = time(comment, "CreatedDate").unwrap_or_default();
            said.push((at, said.len(), comment, false));
        }
        said.sort_by_key(|(at, place, ..)| (*at, *place));
        let mut parts: Vec<Part> = Vec::new();
        for (at, _, record, is_mail) in said {
            let body = if is_mail { "TextBody" } else { "CommentBody" };
            let (lead, plain) = without_lead(text(record, body));
            if !is_mail && is_own(lead) {
                continue;
            }
            if is_further_part(lead)
                && let Some(before) = parts.last_mut()
                && self.join(before, plain)
            {
                continue;
            }
            parts.push(if is_mail {
                self.mail(id, record, at, plain, hanging)
            } else {
                self.comment(id, record, at, plain)
            });
        }
        let status = match record.get("IsClosed").and_then(Value::as_bool) {
            Some(true) => ConversationStatus::Closed,
            _ => ConversationStatus::Open,
        };
        let owner = |kind: Kind, prefix: &str| {
            let id = id18(text(record, "OwnerId"));
            let owns = id.starts_with(prefix);
            owns.then(|| Reference::to(kind, &id)).into_iter().collect()
        };
        let conversation = Conversation {
            customer: points_to(record, "ContactId", Kind::Customer),
            subject: some(record, "Subject"),
            status,
            assignees: owner(Kind::Agent, "005"),
            teams: owner(Kind::Team, "00G"),
            tags: tags(record),
            closed_at: time(record, own::CLOSED_AT).or_else(|| time(record, "ClosedDate")),
            ..Conversation::empty()
        };
        Thread {
            conversation: Entry {
                head: head_of(Kind::Conversation, id, record),
                data: Entity::Conversation(conversation),
            },
            parts,
        }
    }

    fn join(&self, before: &mut Part, more: &str) -> bool {
        let Entity::Message(message) = &mut before.message.data else {
            return false;
        };
        let so_far = message.text.as_ref();
        let Some(so_far) = so_far.and_then(|t| self.cx.blobs().read_text(t).ok()) else {
            return false;
        };
        message.text = Some(self.cx.blobs().text(so_far + more));
        true
    }

    fn mail(&self, case: &str, record: &Record, at: i64, plain: &str, hanging: &Hanging) -> Part {
        let id = id_of(record);
        let incoming = record.get("Incoming").and_then(Value::as_bool) == Some(true);
        let (_, html) = without_lead(text(record, "HtmlBody"));
        let stored = |text: &str| (!text.is_empty()).then(|| self.cx.blobs().text(text.to_owned()));
        let list = |name: &str| -> Vec<String> {
            let all = text(record, name).split(';').map(str::trim);
            all.filter(|one| !one.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let documents = hanging
            .links
            .get(&id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let message = Message {
            conversation: Some(Reference::to(Kind::Conversation, case)),
            visibility: Visibility::Public,
            direction: if incoming {
                Direction::Inbound
            } else {
                Direction::Outbound
            },
            author: some(record, "FromName").map_or(Author::System, Author::Name),
            subject: some(record, "Subject"),
            sender: some(record, "FromAddress"),
            to: list("ToAddress"),
            cc: list("CcAddress"),
            bcc: list("BccAddress"),
            message_id: some(record, "MessageIdentifier"),
            text: stored(plain),
            html: stored(html),
            sent_at: Some(at),
            attachment_count: Some(documents.len() as u64),
            ..Message::empty()
        };
        let attachments = documents
            .iter()
            .filter_map(|document| hanging.file(document, case, Reference::to(Kind::Message, &id)));
        let mut head = Head::new(Kind::Message, id.clone());
        head.external_id = some(record, own::SOURCE_ID);
        head.created_at = Some(at);
        Part {
            attachments: attachments.collect(),
            message: Entry {
                head,
                data: Entity::Message(message),
            },
        }
    }

    fn comment(&self, case: &str, record: &Record, at: i64, plain: &str) -> Part {
        let published = record.get("IsPublished").and_then(Value::as_bool) == Some(true);
        let author = Reference::to(Kind::Agent, id18(text(record, "CreatedById")));
        let message = Message {
            conversation: Some(Reference::to(Kind::Conversation, case)),
            visibility: if published {
                Visibility::Public
            } else {
                Visibility::Internal
            },
            author: Author::Person(author),
            text: Some(self.cx.blobs().text(plain.to_owned())),
            sent_at: Some(at),
            ..Message::empty()
        };
        let mut head = Head::new(Kind::Message, id_of(record));
        head.created_at = Some(at);
        Part {
            attachments: Vec::new(),
            message: Entry {
                head,
                data: Entity::Message(message),
            },
        }
    }
}

/// What hangs on Cases.
#[derive(Debug, Default)]
struct Hanging {
    mails: Vec<Record>,
    comments: Vec<Record>,
    /// The last version of each document.
    versions: BTreeMap<String, Record>,
    /// Documents by what they hang on.
    links: BTreeMap<String, Vec<String>>,
}

impl Hanging {
    fn file(&self, document: &str, case: &str, parent: Reference) -> Option<Entry> {
        let version = self.versions.get(document)?;
        let attachment = Attachment {
            conversation: Some(Reference::to(Kind::Conversation, case)),
            size: version.get("ContentSize").and_then(Value::as_u64),
            locator: Some(id_of(version)),
            ..Attachment::of(parent, text(version, "Title"))
        };
        let data = Entity::Attachment(attachment);
        Some(Entry::new(Kind::Attachment, document, data))
    }

    /// Files of comments hang on the Case itself: those that hang on none of its e-mails.
    fn own_files(&self, one: &Written, body: &mut Body) {
        let known: BTreeSet<String> = body
            .entries
            .iter()
            .filter(|entry| entry.head.kind == Kind::Attachment)
            .map(|entry| entry.head.id.clone())
            .collect();
        let cases = one
            .effects
            .iter()
            .filter(|effect| effect.target_kind == CASE);
        let cases: BTreeSet<String> = cases.map(|effect| id18(&effect.target_id)).collect();
        let documents: BTreeSet<&String> = cases
            .iter()
            .filter_map(|case| self.links.get(case))
            .flatten()
            .collect();
        let case = body.entry().head.id.clone();
        let files = documents
            .into_iter()
            .filter(|document| !known.contains(*document))
            .filter_map(|document| {
                self.file(document, &case, Reference::to(Kind::Conversation, &case))
            });
        body.hang(files.collect());
    }
}

/// Whether a comment is the connector's own: the card, or a link between parts of a thread.
fn is_own(lead: Option<&str>) -> bool {
    lead.is_some_and(|facts| {
        facts.starts_with("source card")
            || facts.starts_with("continues the case with source id")
            || facts.starts_with("continues in the case with source id")
    })
}

fn slots(record: &Map<String, Value>) -> Vec<SlotValue> {
    let named = [
        ("status", "Status"),
        ("priority", "Priority"),
        ("channel", "Origin"),
    ];
    let slot = |(slot, name): (&str, &str)| {
        some(record, name).map(|value| SlotValue {
            slot: slot.to_owned(),
            value,
        })
    };
    named.into_iter().filter_map(slot).collect()
}

// ---- people

fn customer(record: &Record) -> Customer {
    let mut addresses = Vec::new();
    for (name, channel) in [
        ("Email", AddressChannel::Email),
        ("Phone", AddressChannel::Phone),
        ("MobilePhone", AddressChannel::Phone),
    ] {
        addresses.extend(some(record, name).map(|value| Address::new(channel, value)));
    }
    let (first, last) = (some(record, "FirstName"), some(record, "LastName"));
    let whole: Vec<String> = first.iter().chain(&last).cloned().collect();
    let merged = text(record, own::MERGED_IDS).lines();
    Customer {
        name: Some(whole.join(" ")),
        first_name: first,
        last_name: last,
        company: points_to(record, "AccountId", Kind::Company),
        addresses,
        tags: tags(record),
        merged_from: merged.map(str::to_owned).collect(),
        ..Customer::empty()
    }
}

fn company(record: &Record) -> Company {
    let phone = some(record, "Phone");
    Company {
        addresses: phone
            .map(|value| Address::new(AddressChannel::Phone, value))
            .into_iter()
            .collect(),
        domains: some(record, "Website").into_iter().collect(),
        parent: points_to(record, "ParentId", Kind::Company),
        tags: tags(record),
        ..Company::called(text(record, "Name"))
    }
}
