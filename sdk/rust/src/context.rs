//! What a call may know and do. The [`Context`] is the only way out of a connector, and behind it is either the host's imports
//! (in a component) or the test harness (natively): a connector cannot tell which.

use std::cell::RefCell;
use std::mem::take;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::bindings::common::transload::connector::{runtime, session};
use crate::blobs::Blobs;
use crate::http::{Http, HttpError, PollOptions, Request, Response};
use crate::json;
use crate::ledger::{Outcome, Refusal, UndoOutcome};
use crate::types::{BlobRef, Error};

pub use runtime::Level;

/// What a host does for any connector. Not for connectors: they have [`Context`].
pub(crate) trait Host {
    fn send(&self, request: Request) -> LocalBoxFuture<'_, Result<Response, HttpError>>;
    fn poll(
        &self,
        request: Request,
        options: PollOptions,
    ) -> LocalBoxFuture<'_, Result<Response, HttpError>>;
    fn download(
        &self,
        request: Request,
    ) -> LocalBoxFuture<'_, Result<(Response, BlobRef), HttpError>>;
    fn now(&self) -> i64;
    fn sleep(&self, ms: u64) -> LocalBoxFuture<'_, ()>;
    fn log(&self, level: Level, message: &str);
    fn progress(&self, done: u64, total: Option<u64>);
    fn blob_builder(&self, media_type: &str) -> Box<dyn BlobBuilder>;
    fn blob_read(&self, blob: &BlobRef, offset: u64, len: u32) -> Vec<u8>;
}

/// A blob in the making.
pub(crate) trait BlobBuilder {
    fn append(&mut self, bytes: &[u8]);
    fn size(&self) -> u64;
    fn finish(self: Box<Self>) -> BlobRef;
}

/// What a host does for a destination besides. Apart from [`Host`] so that a source's component does not import the ledger.
pub(crate) trait Ledger {
    fn report(&self, outcomes: Vec<Outcome>) -> LocalBoxFuture<'_, Vec<Result<(), Refusal>>>;
    fn report_undo(
        &self,
        outcomes: Vec<UndoOutcome>,
    ) -> LocalBoxFuture<'_, Vec<Result<(), Refusal>>>;
}

struct Inner {
    session: session::Context,
    host: Rc<dyn Host>,
    ledger: Option<Rc<dyn Ledger>>,
    /// Outcomes that are reported before the next request.
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    outcomes: Vec<Outcome>,
    undone: Vec<UndoOutcome>,
    /// The first that the host did not take.
    refused: Option<Refusal>,
}

/// What a call is made for, and all it can do. Clones are the same context.
#[derive(Clone)]
pub struct Context {
    inner: Rc<Inner>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("run", &self.inner.session.run)
            .finish_non_exhaustive()
    }
}

impl Context {
    #[cfg_attr(
        target_arch = "wasm32",
        allow(
            dead_code,
            reason = "without a role there is no entry point that calls it"
        )
    )]
    pub(crate) fn new(
        session: session::Context,
        host: Rc<dyn Host>,
        ledger: Option<Rc<dyn Ledger>>,
    ) -> Self {
        Self {
            inner: Rc::new(Inner {
                session,
                host,
                ledger,
                kept: RefCell::default(),
            }),
        }
    }

    /// For what cannot ask anybody: no outcome has to be reported first.
    pub(crate) fn host(&self) -> &dyn Host {
        self.inner.host.as_ref()
    }

    /// For what can: whatever is known by now is reported first.
    pub(crate) async fn asking(&self) -> &dyn Host {
        self.hand_over().await;
        self.host()
    }

    /// The connection's settings, without secrets.
    ///
    /// # Errors
    /// `bug` where `T` does not fit `description.config-schema`, against which the host has checked them.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        json::read(self.inner.session.config.as_bytes())
            .map_err(|e| Error::Bug(format!("the connection's settings: {e}")))
    }

    /// What `prepare` returned (destinations) or `discovery.state` was (sources). Where there is none yet, it counts as JSON
    /// `null`: ask for an `Option<T>` in functions that run before it is made.
    ///
    /// # Errors
    /// `bug` where it is no `T`.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T> {
        let state = self.inner.session.state.as_deref().unwrap_or("null");
        json::read(state.as_bytes()).map_err(|e| Error::Bug(format!("the connector's state: {e}")))
    }

    /// The run's id; in markers, so that two runs can be told apart.
    pub fn run(&self) -> &str {
        &self.inner.session.run
    }

    /// Name of the source platform.
    pub fn platform(&self) -> &str {
        &self.inner.session.platform
    }

    /// Stable id of the source organisation.
    pub fn organisation(&self) -> &str {
        &self.inner.session.organisation
    }

    /// IANA name of the time zone for platforms that know dates only (rule M-17).
    pub fn time_zone(&self) -> &str {
        &self.inner.session.time_zone
    }

    /// Milliseconds since 1970: constant within a unit, and the same when the unit runs again. No clock.
    pub fn now(&self) -> i64 {
        self.host().now()
    }

    /// Waits in the host; recorded, so that a replay does not wait again.
    pub async fn sleep(&self, ms: u64) {
        if ms > 0 {
            self.asking().await.sleep(ms).await;
        }
    }

    /// A line for the connector's author: ids and counts, never message text, names or addresses.
    pub fn log(&self, level: Level, message: &str) {
        self.host().log(level, message);
    }

    /// How far this unit is.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        self.host().progress(done, total);
    }

    /// Requests to the platform.
    pub fn http(&self) -> Http {
        Http::new(self.clone())
    }

    /// Bytes that the host holds.
    pub fn blobs(&self) -> Blobs {
        Blobs::new(self.clone())
    }

    /// Says what became of an item. It is durable before the connector's next request leaves: outcomes that become known
    /// without a request between them, the rows of a job, are handed over together. For destinations; a source's are refused.
    ///
    /// A host that does not take one says so in [`Context::reported`]; its item stays open.
    pub fn report(&self, outcome: Outcome) {
        self.inner.kept.borrow_mut().outcomes.push(outcome);
    }

    /// Says what became of an effect that was to be undone; as [`Context::report`].
    pub fn report_undo(&self, outcome: UndoOutcome) {
        self.inner.kept.borrow_mut().undone.push(outcome);
    }

    /// Hands over what was reported since the last request, and waits until it is durable. What is left when a call of a
    /// connector ends is handed over then; a connector calls this where it wants to know what the host makes of its outcomes.
    ///
    /// # Errors
    /// Why the host did not take the first that it refused since this was called last. Its item stays open; `?` makes a `bug` of
    /// it.
    pub async fn reported(&self) -> Result<(), Refusal> {
        self.hand_over().await;
        self.inner
            .kept
            .borrow_mut()
            .refused
            .take()
            .map_or(Ok(()), Err)
    }

    async fn hand_over(&self) {
        let (outcomes, undone) = {
            let mut kept = self.inner.kept.borrow_mut();
            (take(&mut kept.outcomes), take(&mut kept.undone))
        };
        let mut said = vec![];
        match &self.inner.ledger {
            Some(ledger) => {
                if !outcomes.is_empty() {
                    said.extend(ledger.report(outcomes).await);
                }
                if !undone.is_empty() {
                    said.extend(ledger.report_undo(undone).await);
                }
            }
            None => said.extend(outcomes.first().map(|_| Err(Refusal::UnknownItem))),
        }
        if let Some(refusal) = said.into_iter().find_map(Result::err) {
            self.inner.kept.borrow_mut().refused.get_or_insert(refusal);
        }
    }

    /// Ends a call: what is known is reported, whatever the call returned.
    #[cfg(all(target_arch = "wasm32", feature = "destination"))]
    pub(crate) async fn ended<T>(&self, result: crate::Result<T>) -> crate::Result<T> {
        let refused = self.reported().await;
        let value = result?;
        refused?;
        Ok(value)
    }

    /// The beginning of the marker of everything this source organisation gives: `platform:organisation:`.
    pub fn marker_prefix(&self) -> String {
        format!("{}:{}:", self.platform(), self.organisation())
    }

    /// The marker of the person who stands in for people who were not migrated. It is no marker of a record, so that none is taken
    /// for it.
    pub fn stand_in_marker(&self) -> String {
        format!("transload:{}stand-in", self.marker_prefix())
    }
}
