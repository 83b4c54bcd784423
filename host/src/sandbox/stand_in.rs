//! A connector that is no component: the other end of a conformance test, where the connector under test is one.
//!
//! It is called as a component is, and its imports are the same [`UnitHost`], so that all behind it goes the way it always goes.

use std::sync::Arc;

use async_trait::async_trait;
use transload_registry::Role;

use super::UnitError;
use super::unit::Answer;
use crate::contract::destination::{
    Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written,
};
use crate::contract::session::{Account, Context};
use crate::contract::source::{Discovery, InventoryItem, Page, Partition};
use crate::contract::types::{BlobRef, Entry, Kind, Reference, Timestamp};
use crate::unit_host::UnitHost;

/// The functions of both roles, one for one; what a role does not have says so.
#[async_trait]
pub trait StandIn: Send + Sync + 'static {
    /// Source or destination.
    fn role(&self) -> Role;

    /// `check`
    async fn check(&self, host: Arc<dyn UnitHost>, ctx: Context) -> Answer<Account>;

    /// `discover`
    async fn discover(&self, _host: Arc<dyn UnitHost>, _ctx: Context) -> Answer<Discovery> {
        Err(self.lacks("discover"))
    }

    /// `partitions`
    async fn partitions(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _kind: Kind,
        _since: Option<Timestamp>,
        _until: Timestamp,
    ) -> Answer<Vec<Partition>> {
        Err(self.lacks("partitions"))
    }

    /// `read`
    async fn read(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _part: Partition,
        _cursor: Option<String>,
    ) -> Answer<Page> {
        Err(self.lacks("read"))
    }

    /// `fetch`
    async fn fetch(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _refs: Vec<Reference>,
    ) -> Answer<Vec<Entry>> {
        Err(self.lacks("fetch"))
    }

    /// `open-attachment`
    async fn open_attachment(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _attachment: Entry,
    ) -> Answer<BlobRef> {
        Err(self.lacks("open-attachment"))
    }

    /// `inventory`
    async fn inventory(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
    ) -> Answer<Vec<InventoryItem>> {
        Err(self.lacks("inventory"))
    }

    /// `survey`
    async fn survey(&self, _host: Arc<dyn UnitHost>, _ctx: Context) -> Answer<SurveyReport> {
        Err(self.lacks("survey"))
    }

    /// `prepare`
    async fn prepare(&self, _host: Arc<dyn UnitHost>, _ctx: Context) -> Answer<String> {
        Err(self.lacks("prepare"))
    }

    /// `match-items`
    async fn match_items(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _kind: Kind,
        _items: Vec<Item>,
    ) -> Answer<Vec<MatchResult>> {
        Err(self.lacks("match-items"))
    }

    /// `write`
    async fn write(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _kind: Kind,
        _items: Vec<Item>,
    ) -> Answer<()> {
        Err(self.lacks("write"))
    }

    /// `read-back`
    async fn read_back(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _written: Vec<Written>,
    ) -> Answer<Vec<Observed>> {
        Err(self.lacks("read-back"))
    }

    /// `undo`
    async fn undo(
        &self,
        _host: Arc<dyn UnitHost>,
        _ctx: Context,
        _mode: UndoMode,
        _effects: Vec<Undoing>,
        _ours: Vec<(String, String)>,
    ) -> Answer<()> {
        Err(self.lacks("undo"))
    }

    /// What is said of a function of the other role.
    fn lacks(&self, called: &'static str) -> UnitError {
        UnitError::WrongRole {
            called,
            role: self.role(),
        }
    }
}
