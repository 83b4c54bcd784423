//! What only reads: whose credential it is, what is there, which records are there already, and what became of what was written.

use serde_json::Value as Json;
use transload_sdk::destination::{
    Allowance, Body, Candidate, Item, MatchKey, MatchResult, Observed, Part, Presence, Slot,
    SlotOption, SlotValue, SurveyReport, TargetAgent, TargetField, Thread, Written,
};
use transload_sdk::ledger::Effect;
use transload_sdk::policy::{Found, doubt};
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::thread::{is_further_part, without_lead};
use transload_sdk::types::{
    Address, AddressChannel, Attachment, Author, Conversation, ConversationStatus, Customer,
    Entity, Entry, Field as Value, FieldType, Kind, Message, Reference, Text, Visibility,
};
use transload_sdk::{Result, effects, fingerprint, people as names, time};

use crate::api::{Agent, Api, FILE_BYTES, Field, Person, Said, Ticket};
use crate::{State, fields, people, tickets};

/// Tests the token.
pub async fn check(api: &Api<'_>) -> Result<Account> {
    let me = api.me().await?;
    let admin = me.role == "admin";
    Ok(Account {
        id: me.workspace.id,
        name: me.workspace.name,
        url: None,
        tier: me.workspace.plan,
        time_zone: None,
        user: Some(me.name),
        roles: vec![me.role],
        missing: if admin {
            Vec::new()
        } else {
            vec!["admin".into()]
        },
        excess: Vec::new(),
        notices: Vec::new(),
    })
}

/// What there is to map to.
pub async fn survey(api: &Api<'_>) -> Result<SurveyReport> {
    let agents = api.agents().await?;
    let fields = api.fields().await?;
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let option = |value: &str, label: &str| SlotOption {
        value: value.into(),
        label: label.into(),
    };
    Ok(SurveyReport {
        slots: vec![Slot {
            kind: Kind::Conversation,
            name: "status".into(),
            values: vec![
                option("open", "Open"),
                option("waiting", "Waiting"),
                option("done", "Done"),
            ],
            defaults: vec![
                pair("open", "open"),
                pair("snoozed", "waiting"),
                pair("closed", "done"),
            ],
            fallback: Some("open".into()),
        }],
        agents: agents.into_iter().map(target_agent).collect(),
        fields: fields.iter().map(target_field).collect(),
        allowances: vec![Allowance {
            name: "file-bytes".into(),
            used: None,
            limit: Some(FILE_BYTES),
        }],
        notices: vec![Notice {
            code: "workflow-rules".into(),
            severity: Severity::Caution,
            message: "Workflow rules for new tickets may run on those that are migrated.".into(),
            remedy: Some("Switch them off until the migration is over.".into()),
        }],
        counts: Vec::new(),
        support: None,
    })
}

fn target_agent(agent: Agent) -> TargetAgent {
    TargetAgent {
        id: agent.id,
        email: agent.email,
        name: agent.name,
        active: agent.active,
        note: None,
    }
}

fn target_field(field: &Field) -> TargetField {
    TargetField {
        kind: if field.owner == "person" {
            Kind::Customer
        } else {
            Kind::Conversation
        },
        object_type: None,
        address: fields::address(field),
        name: field.key.clone(),
        label: field.label.clone(),
        field_type: match field.kind.as_str() {
            "number" => FieldType::Decimal,
            "flag" => FieldType::Boolean,
            "date" => FieldType::Date,
            _ => FieldType::Text,
        },
        required: false,
        options: Vec::new(),
    }
}

/// Which records are there already: ours by marker, people and agents by address, too.
pub async fn match_items(api: &Api<'_>, kind: &Kind, items: &[Item]) -> Result<Vec<MatchResult>> {
    let agents = match kind {
        Kind::Agent | Kind::Customer => api.agents().await?,
        _ => Vec::new(),
    };
    let mut results = Vec::new();
    for item in items {
        let candidates = match &item.entry().data {
            Entity::Agent(agent) => agent_of(agent.email.as_deref(), &agents)?,
            Entity::Customer(customer) => persons(api, item, customer, &agents).await?,
            Entity::Conversation(_) => api
                .ticket_by_ref(&item.marker)
                .await?
                .map(|ticket| candidate(ticket.id, MatchKey::Marker, "{}".into()))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        results.push(MatchResult {
            item: item.key.clone(),
            candidates,
        });
    }
    Ok(results)
}

fn candidate(target_id: String, by: MatchKey, before: String) -> Candidate {
    Candidate {
        target_id,
        by,
        before,
        doubtful: None,
    }
}

fn agent_of(email: Option<&str>, agents: &[Agent]) -> Result<Vec<Candidate>> {
    let Some(email) = email.and_then(names::email) else {
        return Ok(Vec::new());
    };
    let found = agents
        .iter()
        .filter(|agent| is_address(agent.email.as_deref(), &email));
    Ok(found
        .map(|agent| candidate(agent.id.clone(), MatchKey::Email, "{}".into()))
        .collect())
}

fn is_address(there: Option<&str>, email: &str) -> bool {
    there.and_then(names::email).as_deref() == Some(email)
}

async fn persons(
    api: &Api<'_>,
    item: &Item,
    customer: &Customer,
    agents: &[Agent],
) -> Result<Vec<Candidate>> {
    let mut found: Vec<(MatchKey, Person)> = Vec::new();
    for person in api.people("ref", &item.marker).await? {
        found.push((MatchKey::Marker, person));
    }
    let addresses = customer.addresses.iter();
    let emails =
        addresses.filter(|address| address.channel == AddressChannel::Email && !address.shared);
    for email in emails.filter_map(|address| names::email(&address.value)) {
        for person in api.people("email", &email).await? {
            if !found.iter().any(|(_, other)| other.id == person.id) {
                found.push((MatchKey::Email, person));
            }
        }
    }
    let mut candidates = Vec::new();
    for (by, person) in found {
        let email = person.email.as_deref().and_then(names::email);
        let staff = email.is_some_and(|email| {
            agents
                .iter()
                .any(|agent| is_address(agent.email.as_deref(), &email))
        });
        let seen = Found {
            marker: person.reference.as_deref().unwrap_or_default(),
            name: &person.name,
            staff,
            several: !candidates.is_empty(),
            by,
        };
        candidates.push(Candidate {
            doubtful: doubt(api.cx, item, &seen).map(str::to_owned),
            ..candidate(person.id.clone(), by, serde_json::to_string(&person)?)
        });
    }
    Ok(candidates)
}

/// What became of what was written.
pub async fn read_back(api: &Api<'_>, written: &[Written]) -> Result<Vec<Observed>> {
    let mut observed = Vec::new();
    for record in written {
        let main = record.effects.iter().find(|effect| effect.part == "main");
        let seen = match (&record.kind, main) {
            (Kind::Customer, Some(effect)) => person(api, effect).await?,
            (Kind::Conversation | Kind::Message, Some(effect)) => ticket(api, effect).await?,
            (Kind::FieldDefinition, Some(effect)) => field(api, effect).await?,
            // Agents and labels are nothing of ours.
            (_, Some(_)) => Seen::present(None, None),
            (_, None) => Seen::absent(),
        };
        observed.push(Observed {
            item: record.item.clone(),
            presence: seen.presence,
            body: seen.body,
            values: seen.values,
            fingerprint: seen.fingerprint,
        });
    }
    Ok(observed)
}

struct Seen {
    presence: Presence,
    body: Option<Body>,
    values: Vec<SlotValue>,
    fingerprint: Option<String>,
}

impl Seen {
    const fn absent() -> Self {
        Self {
            presence: Presence::Absent,
            body: None,
            values: Vec::new(),
            fingerprint: None,
        }
    }

    const fn present(body: Option<Body>, fingerprint: Option<String>) -> Self {
        Self {
            presence: Presence::Present,
            body,
            values: Vec::new(),
            fingerprint,
        }
    }
}

async fn field(api: &Api<'_>, effect: &Effect) -> Result<Seen> {
    let all = api.fields().await?;
    let key = fields::parts(&effect.target_id).map(|(_, key)| key);
    match all.iter().find(|field| Some(field.key.as_str()) == key) {
        Some(field) => Ok(Seen::present(None, Some(fingerprint(field)?))),
        None => Ok(Seen::absent()),
    }
}

async fn person(api: &Api<'_>, effect: &Effect) -> Result<Seen> {
    let Some(person) = api.person(&effect.target_id).await? else {
        return Ok(Seen::absent());
    };
    let facets = match &effect.before {
        Some(before) => people::facets_of(&person, &serde_json::from_str(before)?)?,
        None => people::facets(&person),
    };
    let state: State = api.cx.state()?;
    let mut attributes = person.attributes.clone();
    attributes.remove(&state.card_field);
    let address =
        |channel, value: &Option<String>| value.as_ref().map(|value| Address::new(channel, value));
    let customer = Customer {
        name: Some(person.name.clone()),
        addresses: address(AddressChannel::Email, &person.email)
            .into_iter()
            .chain(address(AddressChannel::Phone, &person.phone))
            .collect(),
        ..Customer::empty()
    };
    let mut entry = Entry::new(Kind::Customer, &person.id, Entity::Customer(customer));
    entry.head.external_id = person.reference.clone();
    entry.head.fields = values(&attributes);
    Ok(Seen::present(
        Some(entry.into()),
        Some(effects::print(&facets)),
    ))
}

/// Values with the addresses of their fields, by what they are.
fn values(held: &serde_json::Map<String, Json>) -> Vec<Value> {
    use transload_sdk::types::Value as Said;
    let value = |key: &String, value: &Json| {
        let (kind, value) = match value {
            Json::Bool(flag) => ("flag", Said::Boolean(*flag)),
            Json::Number(number) => (
                "number",
                number
                    .as_i64()
                    .map_or_else(|| Said::Decimal(number.to_string()), Said::Integer),
            ),
            Json::String(text) => ("text", Said::Text(text.clone())),
            other => ("text", Said::Json(other.to_string())),
        };
        Value {
            name: key.clone(),
            value,
            target: Some(format!("{kind}:{key}")),
        }
    };
    held.iter().map(|(key, held)| value(key, held)).collect()
}

async fn ticket(api: &Api<'_>, effect: &Effect) -> Result<Seen> {
    let Some(ticket) = api.ticket(&effect.target_id).await? else {
        return Ok(Seen::absent());
    };
    let print = effects::print(&tickets::facets(&ticket));
    let state = SlotValue {
        slot: "status".into(),
        value: ticket.state.clone(),
    };
    Ok(Seen {
        values: vec![state],
        ..Seen::present(Some(thread(ticket).into()), Some(print))
    })
}

fn thread(ticket: Ticket) -> Thread {
    let marker = ticket.reference.unwrap_or_default();
    let conversation = Conversation {
        subject: Some(ticket.subject),
        status: match ticket.state.as_str() {
            "done" => ConversationStatus::Closed,
            "waiting" => ConversationStatus::Snoozed,
            _ => ConversationStatus::Open,
        },
        customer: Some(Reference::new(Kind::Customer, "").at(ticket.requester)),
        tags: ticket
            .labels
            .iter()
            .map(|label| Reference::new(Kind::Tag, "").at(label))
            .collect(),
        ..Conversation::empty()
    };
    let mut entry = Entry::new(
        Kind::Conversation,
        ticket.id,
        Entity::Conversation(conversation),
    );
    entry.head.created_at = time::parse_lossy(&ticket.created_at).map(|(moment, _)| moment.at);
    entry.head.fields = values(&ticket.custom);
    let mut parts: Vec<Part> = Vec::new();
    for said in ticket.entries {
        // The source card is no message.
        if said.kind == "private"
            && !marker.is_empty()
            && said.by_name.as_deref() == Some("Transload")
        {
            continue;
        }
        let (lead, text) = without_lead(&said.text);
        let last = parts.last_mut().map(|part| &mut part.message.data);
        match last {
            Some(Entity::Message(Message {
                text: Some(Text::Inline(whole)),
                ..
            })) if is_further_part(lead) => whole.push_str(text),
            _ => parts.push(message(&said, text)),
        }
    }
    Thread {
        conversation: entry,
        parts,
    }
}

fn message(said: &Said, text: &str) -> Part {
    let author = match said.by.as_deref().and_then(|by| by.split_once(':')) {
        Some(("person", id)) => Author::Person(Reference::new(Kind::Customer, "").at(id)),
        Some(("agent", id)) => Author::Person(Reference::new(Kind::Agent, "").at(id)),
        _ => Author::Name(said.by_name.clone().unwrap_or_default()),
    };
    let message = Message {
        visibility: if said.kind == "public" {
            Visibility::Public
        } else {
            Visibility::Internal
        },
        author,
        text: Some(Text::Inline(text.to_owned())),
        sent_at: time::parse_lossy(&said.at).map(|(moment, _)| moment.at),
        attachment_count: Some(said.files.len() as u64),
        ..Message::empty()
    };
    // Tessera gives names and sizes back, and no bytes.
    let on = Reference::new(Kind::Message, &said.id);
    let files = said.files.iter().enumerate().map(|(n, file)| {
        let name = file.get("name").and_then(Json::as_str);
        let attachment = Attachment {
            size: file.get("size").and_then(Json::as_u64),
            ..Attachment::of(on.clone(), name.unwrap_or_default())
        };
        let id = format!("{}/{n}", said.id);
        Entry::new(Kind::Attachment, id, Entity::Attachment(attachment))
    });
    let attachments = files.collect();
    Part {
        message: Entry::new(Kind::Message, &said.id, Entity::Message(message)),
        attachments,
    }
}
