//! One exported call in one fresh instance.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use transload_registry::Role;
use wasmtime::component::{ResourceTable, ResourceTableError};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use super::imports::{Never, UnitState};
use super::limits::{
    Activity, Carriage, CpuLimit, HostLimit, Limiter, LogQuota, MemoryLimit, Meter, Metered,
};
use super::stand_in::StandIn;
use super::wasi::{Forbidden, System};
use super::{SandboxError, Shared, WASM_STACK, describe};
use crate::blobs::Builder;
use crate::contract::description::Description;
use crate::contract::destination::{
    Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written,
};
use crate::contract::destination_world::DestinationConnectorPre;
use crate::contract::rehearsing_world::RehearsingPre;
use crate::contract::session::{Account, Context};
use crate::contract::source::{Discovery, InventoryItem, Page, Partition};
use crate::contract::source_world::SourceConnectorPre;
use crate::contract::types::{BlobRef, Entry, Error, Kind, Reference, Timestamp};
use crate::contract::{Rehearsed, http, ledger, runtime};
use crate::unit_host::{UnitAbort, UnitHost};

/// Longest text of a trap.
const TRAP_TEXT: usize = 1 << 10;
/// How long a request that has left is waited for when its guest has ended: longer than the gateway waits for any answer.
const SEEN_THROUGH: Duration = Duration::from_secs(5 * 60);

/// Why a unit ended without an answer of its connector. The texts name limits, not what was measured, so that units that end
/// for one reason have one text; a report groups by it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnitError {
    /// The connector failed: a panic, a broken value, waiting for what never comes. Where it did is in the log.
    #[error("the connector trapped: {0}")]
    Trap(String),
    /// It computed too long.
    #[error("the connector computed for more than {limit:?} and was stopped")]
    Cpu {
        /// Its own CPU time.
        used: Duration,
        /// What it may have.
        limit: Duration,
    },
    /// It took too long, waiting included.
    #[error("the connector was not done after {0:?} and was stopped")]
    Wall(Duration),
    /// It wanted too much memory.
    #[error("the connector wanted more than {limit} bytes of memory")]
    Memory {
        /// Bytes, its memories together.
        wanted: usize,
        /// Bytes.
        limit: usize,
    },
    /// It ran into another limit: a result or argument too large, too many handles.
    #[error("the connector went over a limit of the host: {0}")]
    HostLimit(String),
    /// It asked its system for what there is not: an exit, a wait of its own.
    #[error("the connector asked for what no connector gets: {0}")]
    Forbidden(String),
    /// The host itself ended it.
    #[error(transparent)]
    Abort(#[from] UnitAbort),
    /// Asked for what only the other role exports.
    #[error("{called} was asked of a {role}")]
    WrongRole {
        /// The export.
        called: &'static str,
        /// What the connector is.
        role: Role,
    },
    /// It could not be instantiated.
    #[error("the connector cannot be linked: {0}")]
    Link(String),
}

impl UnitError {
    /// Whether the same call may end otherwise when it is made again: what went over a limit goes over it again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Trap(_) | Self::Wall(_) => true,
            Self::Abort(abort) => !matches!(
                abort,
                UnitAbort::Limit(_) | UnitAbort::UnknownBlob(_) | UnitAbort::Unanswered(_)
            ),
            Self::Cpu { .. }
            | Self::Memory { .. }
            | Self::HostLimit(_)
            | Self::Forbidden(_)
            | Self::WrongRole { .. }
            | Self::Link(_) => false,
        }
    }
}

/// A connector's answer, unless its unit ended without one.
pub type Answer<T> = Result<Result<T, Error>, UnitError>;

/// A loaded connector. Cheap to clone; calls may run at the same time, each in an instance of its own. A call does its work
/// where it is polled, so spawn calls that should run in parallel.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    pre: Pre,
    /// What can be asked of a connector that answers for its platform.
    rehearsing: Option<RehearsingPre<UnitState>>,
    digest: String,
    role: Role,
    description: Description,
}

/// A component linked to its role's imports.
#[derive(Clone)]
pub(super) enum Pre {
    Source(SourceConnectorPre<UnitState>),
    Destination(DestinationConnectorPre<UnitState>),
    /// No component at all.
    StandIn(Arc<dyn StandIn>),
}

impl Pre {
    fn role(&self) -> Role {
        match self {
            Self::Source(_) => Role::Source,
            Self::Destination(_) => Role::Destination,
            Self::StandIn(stand_in) => stand_in.role(),
        }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.inner.description.name)
            .field("version", &self.inner.description.version)
            .field("digest", &self.inner.digest)
            .finish_non_exhaustive()
    }
}

/// A call to a function that only one role has.
macro_rules! call {
    ($self:ident, $host:ident, $role:ident, $interface:ident, $func:ident, $name:literal, $args:expr) => {{
        let Pre::$role(pre) = &$self.inner.pre else {
            return Err(UnitError::WrongRole {
                called: $name,
                role: $self.inner.role,
            });
        };
        let (pre, args) = (pre.clone(), $args);
        unit(&$self.inner.shared, $host, move |store| {
            Box::pin(async move {
                let instance = pre.instantiate_async(&mut *store).await.map_err(linking)?;
                let (answer,) = instance
                    .$interface()
                    .$func()
                    .call_async(store, args)
                    .await?;
                Ok(answer)
            })
        })
        .await
    }};
}

impl Plugin {
    /// Asks a component what it is. It has nobody to ask for it, so it says the same each time.
    pub(super) async fn describe(
        shared: &Arc<Shared>,
        pre: &Pre,
    ) -> Result<Description, SandboxError> {
        let instance = pre.clone();
        let described = unit(shared, Arc::new(NoHost), move |store| {
            Box::pin(async move {
                let function = match &instance {
                    Pre::Source(pre) => {
                        let instance = pre.instantiate_async(&mut *store).await.map_err(linking)?;
                        instance.transload_connector_connector().func_describe()
                    }
                    Pre::Destination(pre) => {
                        let instance = pre.instantiate_async(&mut *store).await.map_err(linking)?;
                        instance.transload_connector_connector().func_describe()
                    }
                    Pre::StandIn(_) => {
                        return Err(wasmtime::Error::msg(
                            "what stands in is described by its maker",
                        ));
                    }
                };
                let (description,) = function.call_async(store, ()).await?;
                Ok(description)
            })
        })
        .await;
        described.map_err(|error| match error {
            UnitError::Link(text) => SandboxError::Link(text),
            other => SandboxError::Describe(other),
        })
    }

    /// A linked component and what it says of itself, which is checked.
    pub(super) fn new(
        shared: Arc<Shared>,
        pre: Pre,
        digest: String,
        description: Description,
    ) -> Result<Self, SandboxError> {
        let role = pre.role();
        let problems = describe::problems(&description, role);
        if !problems.is_empty() {
            return Err(SandboxError::Description(problems));
        }
        let rehearsing = match &pre {
            Pre::Source(_) | Pre::StandIn(_) => None,
            Pre::Destination(pre) => RehearsingPre::new(pre.instance_pre().clone()).ok(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                pre,
                rehearsing,
                digest,
                role,
                description,
            }),
        })
    }

    /// What it says of itself when it is asked once more: what a connector is tested and audited by, for
    /// [`description`](Self::description) may be of an earlier load.
    ///
    /// # Errors
    /// [`SandboxError::Describe`], [`SandboxError::Link`]
    pub async fn describe_again(&self) -> Result<Description, SandboxError> {
        Self::describe(&self.inner.shared, &self.inner.pre).await
    }

    /// What stands in for a component.
    pub(super) fn standing_in(
        shared: Arc<Shared>,
        description: Description,
        stand_in: Arc<dyn StandIn>,
    ) -> Self {
        let digest = super::digest(format!("{description:?}").as_bytes());
        Self {
            inner: Arc::new(Inner {
                shared,
                role: stand_in.role(),
                rehearsing: None,
                pre: Pre::StandIn(stand_in),
                digest,
                description,
            }),
        }
    }

    /// What the connector says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// sha-256 of the component, hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Source or destination.
    #[must_use]
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// What the platform would answer to a request, or what is to be read first; `None` where the connector cannot say, as one does
    /// that does not answer for its platform at all.
    ///
    /// # Errors
    /// [`UnitError`] if the unit ended without an answer.
    pub async fn rehearse(
        &self,
        host: Arc<dyn UnitHost>,
        request: http::Request,
        number: u64,
        earlier: Vec<(http::Request, http::Response)>,
        real: Option<http::Response>,
    ) -> Result<Option<Rehearsed>, UnitError> {
        let Some(pre) = self.inner.rehearsing.clone() else {
            return Ok(None);
        };
        unit(&self.inner.shared, host, move |store| {
            Box::pin(async move {
                let instance = pre.instantiate_async(&mut *store).await.map_err(linking)?;
                let function = instance.transload_connector_rehearsal().func_answer();
                let (answer,) = function
                    .call_async(store, (&request, number, &earlier, real.as_ref()))
                    .await?;
                Ok(answer)
            })
        })
        .await
    }

    /// `check` of either role.
    ///
    /// # Errors
    /// [`UnitError`] if the unit ended without an answer; the connector's own error is inside.
    pub async fn check(&self, host: Arc<dyn UnitHost>, ctx: Context) -> Answer<Account> {
        if let Pre::StandIn(stand_in) = &self.inner.pre {
            return stand_in.check(host, ctx).await;
        }
        match self.inner.role {
            Role::Source => {
                call!(
                    self,
                    host,
                    Source,
                    transload_connector_source,
                    func_check,
                    "check",
                    (ctx,)
                )
            }
            Role::Destination => {
                call!(
                    self,
                    host,
                    Destination,
                    transload_connector_destination,
                    func_check,
                    "check",
                    (ctx,)
                )
            }
        }
    }
}

/// Methods that are a function of one role, one for one.
macro_rules! exports {
    ($role:ident, $interface:ident: $(
        $(#[$doc:meta])*
        $method:ident, $func:ident, $name:literal ($($arg:ident: $ty:ty),*) -> $answer:ty;
    )*) => {
        impl Plugin {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`UnitError`] if the unit ended without an answer, [`UnitError::WrongRole`] if the connector has the other
            /// role; the connector's own error is inside.
            pub async fn $method(
                &self,
                host: Arc<dyn UnitHost>,
                ctx: Context,
                $($arg: $ty),*
            ) -> Answer<$answer> {
                if let Pre::StandIn(stand_in) = &self.inner.pre {
                    return stand_in.$method(host, ctx, $($arg),*).await;
                }
                call!(self, host, $role, $interface, $func, $name, (ctx, $($arg,)*))
            }
        )*}
    };
}

exports! { Source, transload_connector_source:
    /// What is there.
    discover, func_discover, "discover" () -> Discovery;
    /// The parts that hold every record of a kind updated in `[since, until)`.
    partitions, func_partitions, "partitions"
        (kind: Kind, since: Option<Timestamp>, until: Timestamp) -> Vec<Partition>;
    /// One page of a part.
    read, func_read, "read" (part: Partition, cursor: Option<String>) -> Page;
    /// Single records as they are now.
    fetch, func_fetch, "fetch" (refs: Vec<Reference>) -> Vec<Entry>;
    /// Bytes of an attachment.
    open_attachment, func_open_attachment, "open-attachment" (attachment: Entry) -> BlobRef;
    /// What a person must rebuild.
    inventory, func_inventory, "inventory" () -> Vec<InventoryItem>;
}

exports! { Destination, transload_connector_destination:
    /// What there could be.
    survey, func_survey, "survey" () -> SurveyReport;
    /// Makes what the connector itself needs; returns its state.
    prepare, func_prepare, "prepare" () -> String;
    /// Which items are already there.
    match_items, func_match_items, "match-items"
        (kind: Kind, items: Vec<Item>) -> Vec<MatchResult>;
    /// Writes items of one kind.
    write, func_write, "write" (kind: Kind, items: Vec<Item>) -> ();
    /// Reads back what was written.
    read_back, func_read_back, "read-back" (written: Vec<Written>) -> Vec<Observed>;
    /// Undoes effects.
    undo, func_undo, "undo"
        (mode: UndoMode, effects: Vec<Undoing>, ours: Vec<(String, String)>) -> ();
}

/// Runs one unit: a slot, a store, its limits, and the call. When the guest has ended, its store is gone before anything else
/// happens, and what it left open is settled before this returns: a unit that is run again meets nothing of its former self.
async fn unit<R, F>(shared: &Shared, host: Arc<dyn UnitHost>, call: F) -> Result<R, UnitError>
where
    R: Send + 'static,
    F: for<'a> FnOnce(&'a mut Store<UnitState>) -> BoxFuture<'a, wasmtime::Result<R>>,
{
    let slot = shared
        .slots
        .acquire()
        .await
        .map_err(|_| UnitError::HostLimit("the sandbox is closed".to_owned()))?;
    let config = &shared.config;
    // Declared before the store and its future: whatever way this ends, they are gone when the host hears of it.
    let ending = Ending(Arc::clone(&host));
    let (open, mut all_closed) = mpsc::channel::<Never>(1);
    let (meter, activity) = (Arc::new(Meter::default()), Arc::new(Activity::default()));
    let mut store = Store::new(
        &shared.engine,
        UnitState {
            host: Arc::clone(&host),
            activity: Arc::clone(&activity),
            limiter: Limiter::new(config.memory_limit, config.table_limit),
            table: ResourceTable::with_capacity(0),
            blob_bytes_left: config.blob_limit,
            read_limit: u64::try_from(config.transfer_limit).unwrap_or(u64::MAX),
            calls_left: config.max_calls,
            carriage: Arc::new(Carriage::new(config.exchange_limit)),
            turns: Arc::new(Semaphore::new(config.calls_at_once)),
            open,
            log: LogQuota::new(config.log_limit),
            system: System::default(),
        },
    );
    store.data_mut().table.set_max_capacity(config.max_builders);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(config.transfer_limit);
    store.set_max_component_handles(config.max_handles);
    store.set_epoch_deadline(1);
    let (watched, limit) = (Arc::clone(&meter), config.cpu_limit);
    store.epoch_deadline_callback(move |_| {
        let used = watched.used_in_poll();
        if used > limit {
            return Err(CpuLimit { used, limit }.into());
        }
        watched.yielded();
        // A wait of the executor's own, so that its timers and other units get the thread.
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    });
    let inner = Box::pin(call(&mut store));
    let metered = Metered {
        inner,
        meter,
        activity,
        host,
    };
    let result = match tokio::time::timeout(config.wall_limit, metered).await {
        Ok(answer) => answer.map_err(|e| classify(&e)),
        Err(_) => Err(UnitError::Wall(config.wall_limit)),
    };
    drop(store);
    drop(slot);
    drop(ending);
    let settled = async { while all_closed.recv().await.is_some() {} };
    if tokio::time::timeout(SEEN_THROUGH, settled).await.is_err() {
        tracing::warn!("A call of a connector that has ended does not end.");
    }
    result
}

/// Tells the host that the guest has ended, when dropped.
struct Ending(Arc<dyn UnitHost>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// The instance could not be made, and it was not the guest's own code that failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Linking(String);

fn linking(error: wasmtime::Error) -> wasmtime::Error {
    match classify(&error) {
        UnitError::Trap(_) if !error.is::<wasmtime::Trap>() => Linking(format!("{error:#}")).into(),
        _ => error,
    }
}

fn classify(error: &wasmtime::Error) -> UnitError {
    if let Some(abort) = error.downcast_ref::<UnitAbort>() {
        return UnitError::Abort(abort.clone());
    }
    if let Some(CpuLimit { used, limit }) = error.downcast_ref() {
        return UnitError::Cpu {
            used: *used,
            limit: *limit,
        };
    }
    if let Some(MemoryLimit { wanted, limit }) = error.downcast_ref() {
        return UnitError::Memory {
            wanted: *wanted,
            limit: *limit,
        };
    }
    if let Some(HostLimit(text)) = error.downcast_ref() {
        return UnitError::HostLimit(text.clone());
    }
    if let Some(Forbidden(text)) = error.downcast_ref() {
        return UnitError::Forbidden(text.clone());
    }
    if let Some(Linking(text)) = error.downcast_ref() {
        return UnitError::Link(text.clone());
    }
    let text = shortened(error.root_cause().to_string());
    if matches!(error.downcast_ref(), Some(Trap::StackOverflow)) {
        return UnitError::HostLimit(format!("a call stack of {WASM_STACK} bytes"));
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return UnitError::HostLimit("too many blobs under construction at once".to_owned());
    }
    // These two limits have no type of their own in wasmtime; their texts are pinned by tests.
    if error.is::<PoolConcurrencyLimitError>()
        || text.contains("too much data is being copied between the host and the guest")
        || text.contains("store handle limit exceeded")
    {
        return UnitError::HostLimit(text);
    }
    // For the connector's author; no part of what a report groups by.
    tracing::debug!(trap = %format!("{error:#}"), "A connector trapped.");
    UnitError::Trap(text)
}

fn shortened(mut text: String) -> String {
    if text.len() > TRAP_TEXT {
        let end = (0..=TRAP_TEXT)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// What `describe` may use: nothing.
struct NoHost;

fn pure<T>() -> Result<T, UnitAbort> {
    Err(UnitAbort::Limit(
        "`describe` must be pure: it may not call the host".to_owned(),
    ))
}

#[async_trait]
impl UnitHost for NoHost {
    fn now(&self) -> i64 {
        0
    }
    async fn send(
        &self,
        _request: http::Request,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        pure()
    }
    async fn poll(
        &self,
        _request: http::Request,
        _options: http::PollOptions,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        pure()
    }
    async fn download(
        &self,
        _request: http::Request,
    ) -> Result<Result<(http::Response, BlobRef), http::Error>, UnitAbort> {
        pure()
    }
    async fn sleep(&self, _ms: u64) -> Result<(), UnitAbort> {
        pure()
    }
    fn log(&self, _level: runtime::Level, message: &str) {
        tracing::debug!(message, "a connector described itself");
    }
    fn progress(&self, _done: u64, _total: Option<u64>) {}
    fn blob_read(&self, _blob: &BlobRef, _offset: u64, _len: u32) -> Result<Vec<u8>, UnitAbort> {
        pure()
    }
    fn blob_keep(&self, _builder: Builder) -> Result<BlobRef, UnitAbort> {
        pure()
    }
    fn blob_builder(&self, _media_type: String) -> Result<Builder, UnitAbort> {
        pure()
    }
    async fn report(
        &self,
        _outcomes: Vec<ledger::Outcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        pure()
    }
    async fn report_undo(
        &self,
        _outcomes: Vec<ledger::UndoOutcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        pure()
    }
    fn idle(&self) {}
}
