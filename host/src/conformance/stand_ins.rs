//! The other end: a source that has the test's history, and a destination that takes everything and keeps nothing.

use std::sync::Arc;

use async_trait::async_trait;
use transload_registry::Role;

use super::corpus;
use crate::contract::description::{self, Description, KindSupport};
use crate::contract::destination::{
    Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written,
};
use crate::contract::ledger::{Outcome, Status};
use crate::contract::session::{Account, Context};
use crate::contract::source::{Certainty, Discovery, InventoryItem, KindCount, Page, Partition};
use crate::contract::types::{BlobRef, Entity, Entry, Kind, Reference, Timestamp};
use crate::kinds;
use crate::sandbox::{Answer, StandIn, UnitError};
use crate::unit_host::UnitHost;

/// What one that stands in says of itself.
pub(super) fn description(role: Role) -> Description {
    let kinds = match role {
        Role::Source => Vec::new(),
        Role::Destination => kinds::ALL
            .iter()
            .filter(|kind| **kind != Kind::Attachment)
            .map(takes)
            .collect(),
    };
    Description {
        name: "conformance".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        title: "The other end of a test".into(),
        role: match role {
            Role::Source => description::Role::Source,
            Role::Destination => description::Role::Destination,
        },
        config_schema: r#"{"type":"object"}"#.into(),
        auth: vec![],
        base_url: "https://conformance.invalid".into(),
        hosts: vec![],
        requests: vec![],
        refusals: vec![],
        rate_rules: vec![],
        kinds,
        fidelity: vec![],
        side_effects: vec![],
        by_products: vec![],
        system_changes: vec![],
        text_limits: vec![],
        rebuilds: vec![],
        notes: vec![],
    }
}

fn takes(kind: &Kind) -> KindSupport {
    KindSupport {
        kind: kind.clone(),
        batch_items: 50,
        batch_bytes: 1 << 20,
        max_concurrency: None,
        conflicts: vec![],
        settle: vec![],
        updates: vec![],
        keeps_created_at: true,
        can_create: true,
        can_delete: true,
        matches: false,
        calls: 1,
        per_items: 50,
    }
}

fn account(id: &str) -> Account {
    Account {
        id: id.into(),
        name: "Conformance".into(),
        url: None,
        tier: None,
        time_zone: None,
        user: None,
        roles: vec![],
        missing: vec![],
        excess: vec![],
        notices: vec![],
    }
}

/// A source that has the test's history.
pub(super) struct History(pub Vec<Entry>);

impl History {
    fn of<'a>(&'a self, kind: &'a Kind) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.head.kind == *kind)
    }
}

#[async_trait]
impl StandIn for History {
    fn role(&self) -> Role {
        Role::Source
    }

    async fn check(&self, _: Arc<dyn UnitHost>, _: Context) -> Answer<Account> {
        Ok(Ok(account("history")))
    }

    async fn discover(&self, _: Arc<dyn UnitHost>, _: Context) -> Answer<Discovery> {
        let count = |kind: &Kind| KindCount {
            kind: kind.clone(),
            object_type: None,
            count: Some(self.of(kind).count() as u64),
            certainty: Certainty::Exact,
            note: None,
        };
        Ok(Ok(Discovery {
            counts: kinds::ALL.iter().map(count).collect(),
            foreign_hosts: vec![],
            notices: vec![],
            state: "{}".into(),
        }))
    }

    async fn partitions(
        &self,
        _: Arc<dyn UnitHost>,
        _: Context,
        kind: Kind,
        since: Option<Timestamp>,
        _: Timestamp,
    ) -> Answer<Vec<Partition>> {
        let found = self.of(&kind).count();
        // Nothing moves; and files come along with their messages.
        if found == 0 || since.is_some() || kind == Kind::Attachment {
            return Ok(Ok(vec![]));
        }
        Ok(Ok(vec![Partition {
            id: kinds::name(&kind).to_owned(),
            kind,
            object_type: None,
            spec: "{}".into(),
            expected: Some(found as u64),
            window_start: None,
            window_end: None,
        }]))
    }

    async fn read(
        &self,
        _: Arc<dyn UnitHost>,
        _: Context,
        part: Partition,
        _: Option<String>,
    ) -> Answer<Page> {
        let mut records: Vec<Entry> = self.of(&part.kind).cloned().collect();
        let total = Some(records.len() as u64);
        if part.kind == Kind::Message {
            records.extend(self.of(&Kind::Attachment).cloned());
        }
        Ok(Ok(Page {
            records,
            next: None,
            total,
            split: vec![],
            retry: false,
            explained: vec![],
            notices: vec![],
        }))
    }

    async fn fetch(
        &self,
        _: Arc<dyn UnitHost>,
        _: Context,
        refs: Vec<Reference>,
    ) -> Answer<Vec<Entry>> {
        let wanted = |entry: &&Entry| {
            refs.iter()
                .any(|of| of.kind == entry.head.kind && of.id == entry.head.id)
        };
        Ok(Ok(self.0.iter().filter(wanted).cloned().collect()))
    }

    async fn open_attachment(
        &self,
        host: Arc<dyn UnitHost>,
        _: Context,
        attachment: Entry,
    ) -> Answer<BlobRef> {
        let media_type = match &attachment.data {
            Entity::Attachment(file) => file.media_type.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let mut builder = host.blob_builder(media_type).map_err(UnitError::Abort)?;
        let appended = builder.append(corpus::FILE);
        appended.map_err(|e| UnitError::Abort(e.into()))?;
        Ok(Ok(host.blob_keep(builder).map_err(UnitError::Abort)?))
    }

    async fn inventory(&self, _: Arc<dyn UnitHost>, _: Context) -> Answer<Vec<InventoryItem>> {
        Ok(Ok(vec![]))
    }
}

/// A destination that takes everything and keeps nothing.
pub(super) struct Sink;

#[async_trait]
impl StandIn for Sink {
    fn role(&self) -> Role {
        Role::Destination
    }

    async fn check(&self, _: Arc<dyn UnitHost>, _: Context) -> Answer<Account> {
        Ok(Ok(account("sink")))
    }

    async fn survey(&self, _: Arc<dyn UnitHost>, _: Context) -> Answer<SurveyReport> {
        Ok(Ok(SurveyReport {
            slots: vec![],
            agents: vec![],
            fields: vec![],
            allowances: vec![],
            notices: vec![],
            counts: vec![],
            support: None,
        }))
    }

    async fn prepare(&self, _: Arc<dyn UnitHost>, _: Context) -> Answer<String> {
        Ok(Ok("{}".into()))
    }

    async fn match_items(
        &self,
        _: Arc<dyn UnitHost>,
        _: Context,
        _: Kind,
        _: Vec<Item>,
    ) -> Answer<Vec<MatchResult>> {
        Ok(Ok(vec![]))
    }

    async fn write(
        &self,
        host: Arc<dyn UnitHost>,
        _: Context,
        _: Kind,
        items: Vec<Item>,
    ) -> Answer<()> {
        let outcome = |item: &Item| Outcome {
            item: item.key.clone(),
            status: Status::Skipped("the test keeps nothing".into()),
            effects: vec![],
            losses: vec![],
            refused: vec![],
        };
        let outcomes = items.iter().map(outcome).collect();
        // It has nothing to do but wait for the answer.
        host.idle();
        host.report(outcomes).await.map_err(UnitError::Abort)?;
        Ok(Ok(()))
    }

    async fn read_back(
        &self,
        _: Arc<dyn UnitHost>,
        _: Context,
        _: Vec<Written>,
    ) -> Answer<Vec<Observed>> {
        Ok(Ok(vec![]))
    }

    async fn undo(
        &self,
        _: Arc<dyn UnitHost>,
        _: Context,
        _: UndoMode,
        _: Vec<Undoing>,
        _: Vec<(String, String)>,
    ) -> Answer<()> {
        Ok(Ok(()))
    }
}
