//! Small records and a store of them, for this module's tests.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::assemble::{display_name, is_closed};
use crate::blobs::BlobStore;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::contract::description::{Description, Role};
use crate::contract::destination::SurveyReport;
use crate::contract::types::Entry;
use crate::gateway::{ConnectionSpec, Gateway, GatewayLimits, Granted, ReqwestTransport};
use crate::kinds;
use crate::sql;
use crate::store::{Store, sha256};
use crate::unit::Surroundings;

/// The extraction that staged rows belong to.
pub const EXTRACTION: &str = "x1";

/// A `migration.toml` between two made-up connections, with more of it behind.
pub fn config(more: &str) -> Config {
    let text = format!(
        "[migration]\nfrom = \"old\"\nto = \"new\"\n[connections.old]\nplugin = \"old-desk\"\n[connections.new]\n\
         plugin = \"acme-desk\"\n{more}\n"
    );
    Config::parse(std::path::Path::new("migration.toml"), text).unwrap()
}

/// A store in a folder of its own.
pub async fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s.db")).await.unwrap();
    (dir, store)
}

/// What units need, for a run that asks nobody anything: its way out leads nowhere.
pub async fn surroundings(run: &str) -> (TempDir, Surroundings) {
    let (dir, store) = store().await;
    let blobs = BlobStore::open(dir.path().join("blobs"), 1 << 20).unwrap();
    let clock = Arc::new(SystemClock);
    let base_url = "https://acme-desk.invalid";
    let spec = ConnectionSpec {
        name: "new".into(),
        base_url: base_url.into(),
        settings: json!({}),
        secrets: Default::default(),
        auth: None,
        description: Description {
            name: "acme-desk".into(),
            version: "1.0.0".into(),
            title: "Acme".into(),
            role: Role::Destination,
            config_schema: "{}".into(),
            auth: vec![],
            base_url: base_url.into(),
            hosts: vec![],
            requests: vec![],
            refusals: vec![],
            rate_rules: vec![],
            kinds: vec![],
            fidelity: vec![],
            side_effects: vec![],
            by_products: vec![],
            system_changes: vec![],
            text_limits: vec![],
            rebuilds: vec![],
            notes: vec![],
        },
        granted: Granted::Everything,
        grants: vec![],
        allow_private: vec![],
        budget_share: 1.0,
        limits: GatewayLimits::default(),
        credential_store: None,
    };
    let transport = Arc::new(ReqwestTransport::new(Duration::from_secs(1)).unwrap());
    let stop = CancellationToken::new();
    let gateway = Gateway::new(spec, transport, clock.clone(), blobs.clone(), stop).unwrap();
    let around = Surroundings {
        store,
        blobs,
        gateway,
        clock,
        run: run.to_owned(),
        account: "a2".into(),
        digest: "d".into(),
        export_dir: dir.path().join("export"),
        boundary: None,
        rehearsal: None,
    };
    (dir, around)
}

/// Stages records as a reading does.
pub async fn stage(store: &Store, entries: &[Entry]) {
    for entry in entries {
        let payload = serde_json::to_string(entry).unwrap();
        let row = sql!(
            "INSERT INTO staged (extraction, kind, id, parent, updated_at, sort_at, closed, name, part, walk, payload, hash) \
             VALUES ($1, $2, $3, $4, 0, $5, $8, $9, 'p', 1, $6, $7)",
            EXTRACTION,
            kinds::name(&entry.head.kind),
            &entry.head.id,
            kinds::parent(entry),
            kinds::sort_at(entry),
            &payload,
            sha256(&payload),
            is_closed(entry),
            display_name(entry)
        );
        store.write(vec![row]).await.unwrap();
    }
}

fn entry(kind: &str, id: &str, data: Value) -> Entry {
    serde_json::from_value(json!({
        "head": {"kind": kind, "id": id, "deleted": false, "fields": [], "raw": [], "losses": []},
        "data": {kind: data},
    }))
    .unwrap()
}

/// A reference as it is stored.
pub fn reference(kind: &str, id: &str) -> Value {
    json!({"kind": kind, "id": id})
}

/// A customer with e-mail addresses.
pub fn customer(id: &str, emails: &[&str]) -> Entry {
    let addresses: Vec<Value> = emails
        .iter()
        .map(|email| json!({"value": email, "channel": "Email", "shared": false, "primary": true}))
        .collect();
    entry(
        "Customer",
        id,
        json!({"name": format!("name of {id}"), "addresses": addresses, "external_ids": [], "locations": [], "tags": [],
            "merged_from": [], "watchers": []}),
    )
}

/// A conversation of a customer.
pub fn conversation(id: &str, customer: &str, status: Value) -> Entry {
    entry(
        "Conversation",
        id,
        json!({"customer": reference("Customer", customer), "status": status, "assignees": [], "teams": [], "channels": [],
            "tags": [], "direction": "Inbound", "spam": false, "locked": false, "linked": []}),
    )
}

/// A message by a customer, in a conversation or on the customer alone.
pub fn message(id: &str, conversation: Option<&str>, author: &str) -> Entry {
    entry(
        "Message",
        id,
        json!({"conversation": conversation.map(|id| reference("Conversation", id)), "customer": reference("Customer", author),
            "visibility": "Public", "direction": "Inbound", "author": {"Person": reference("Customer", author)},
            "to": [], "cc": [], "bcc": [], "body_source": "Full", "delivery": {"status": "Received"}, "auto": false,
            "bulk": false, "redacted": false, "spam": false, "forwarded": false, "reactions": [], "mentions": [], "links": []}),
    )
}

/// A custom object of a customer.
pub fn object(id: &str, customer: &str) -> Entry {
    entry(
        "CustomObject",
        id,
        json!({"object_type": "order", "title": "an order", "images": [], "customer": reference("Customer", customer),
            "tags": [], "comments": []}),
    )
}

/// A file on a record.
pub fn attachment(id: &str, parent: Value) -> Entry {
    entry(
        "Attachment",
        id,
        json!({"parent": parent, "name": "a.png", "inline": false, "state": {"Unavailable": "gone"}}),
    )
}

/// A link between two records.
pub fn relationship(id: &str, source: Value, target: Value) -> Entry {
    entry(
        "Relationship",
        id,
        json!({"name": "friend", "source": source, "target": target}),
    )
}

/// An agent.
pub fn agent(id: &str, email: &str) -> Entry {
    entry(
        "Agent",
        id,
        json!({"name": format!("name of {id}"), "email": email, "state": "Active", "machine": false, "roles": [], "teams": []}),
    )
}

/// A team, a tag or a brand by its name.
pub fn named(kind: &str, id: &str, name: &str) -> Entry {
    entry(
        kind,
        id,
        json!({"name": name, "members": [], "is_default": false}),
    )
}

/// What there could be at a destination that has nothing.
pub fn survey() -> SurveyReport {
    SurveyReport {
        slots: vec![],
        agents: vec![],
        fields: vec![],
        allowances: vec![],
        notices: vec![],
        counts: vec![],
        support: None,
    }
}

/// The definition of a custom field; `owner/name` is its id.
pub fn field(id: &str, owner: &str, label: &str, field_type: &str, choices: &[&str]) -> Entry {
    let options: Vec<Value> = choices
        .iter()
        .map(|choice| json!({"value": choice, "label": choice, "active": true}))
        .collect();
    let name = id.rsplit('/').next().unwrap();
    entry(
        "FieldDefinition",
        id,
        json!({"owner": {"kind": owner}, "name": name, "label": label, "field_type": field_type, "options": options,
            "required": false, "sensitive": false, "retired": false}),
    )
}

/// A run in a state, with its extraction.
pub async fn run(store: &Store, id: &str, state: &str) {
    let extraction = sql!(
        "INSERT INTO extractions (id, connection, account, platform, digest, until_ms, caught_up, discovery, state, started_at) \
         VALUES ($1, 'old', 'a1', 'old-desk', 'd', 1, 0, '{}', 'reading', 1) ON CONFLICT (id) DO NOTHING",
        EXTRACTION
    );
    let run = sql!(
        "INSERT INTO runs (id, extraction, source, destination, account, platform, organisation, state, config_digest, started_at) \
         VALUES ($1, $2, 'old', 'new', 'a2', 'old-desk', 'o', $3, 'c', 1)",
        id,
        EXTRACTION,
        state
    );
    store.write(vec![extraction, run]).await.unwrap();
}
