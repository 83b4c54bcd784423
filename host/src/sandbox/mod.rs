//! Runs connectors: one engine, one fresh instance for every call, every resource bounded.
//!
//! Policy:
//! - A component is hashed at every load, and read before it is compiled: the contract it was built for and its role are in
//!   its own imports and exports. It may import the contract and, of WASI, what an interpreter cannot do without (see `wasi`).
//! - A unit is one exported call in a store of its own. What a guest does wrong (a trap, a loop, a memory bomb, a flood)
//!   ends that store and comes back as a [`UnitError`]; no other unit notices.
//! - Runs of the same unit take the same way: no threads, no relaxed SIMD, canonical NaNs, no clock and no randomness but
//!   what the [`UnitHost`] gives.
//!
//! Not here: what imports do (see [`UnitHost`]), where components come from (the registry), who decides about a unit that
//! failed (the pipeline).

mod cache;
mod describe;
mod imports;
mod limits;
mod stand_in;
mod unit;
mod wasi;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use semver::Version;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use transload_registry::{OutlineError, Role};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

pub(crate) use describe::support_problems;
pub use imports::BlobBuilder;
pub use stand_in::StandIn;
pub use unit::{Answer, Plugin, UnitError};

use cache::{Bytes, Cache, Kept};
use imports::UnitState;

use crate::contract::description::Description;
use crate::contract::destination_world::{DestinationConnector, DestinationConnectorPre};
use crate::contract::source_world::{SourceConnector, SourceConnectorPre};
use unit::Pre;

/// The contract this host serves, and every earlier one that differs in the last number only.
pub const CONTRACT: Version = Version::new(0, 1, 0);

/// Between two looks at a computing guest; also how long it may keep a thread to itself.
const TICK: Duration = Duration::from_millis(10);
/// Memory that a pool slot keeps for its next guest, so that the kernel need not give it anew.
const KEEP_RESIDENT: usize = 2 << 20;
/// Parts that one component may have. A Python guest has about twenty modules and a large table.
const CORE_INSTANCES: u32 = 64;
const MEMORIES: u32 = 8;
const TABLES: u32 = 64;
/// Calls that one guest may have suspended within itself.
const STACKS: u32 = 8;
/// Stack of one call into a guest, bytes. JSON that is nested as deeply as the SDK's parser goes (127 levels) takes less than a
/// tenth of it; an interpreted guest runs with half of it.
const WASM_STACK: usize = 1 << 20;
/// What the host's functions have on top of it.
const HOST_STACK: usize = 1 << 20;

/// What a sandbox allows.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Private folder for compiled components; made if it is not there.
    pub cache_dir: PathBuf,
    /// Units at once; more wait for a slot.
    pub max_units: u32,
    /// Bytes, summed over a guest's memories.
    pub memory_limit: usize,
    /// Elements, summed over a guest's tables.
    pub table_limit: usize,
    /// Computing time of one unit. Waiting for the host does not count.
    pub cpu_limit: Duration,
    /// Time of one unit on the wall, waiting included.
    pub wall_limit: Duration,
    /// Bytes that a guest may hand to the host in one call or one result: the largest page, with every string's and list's
    /// header counted. More travels in blobs.
    pub transfer_limit: usize,
    /// Resources and calls that a guest may hold open.
    pub max_handles: usize,
    /// Bytes that one unit may append to blobs of its own.
    pub blob_limit: u64,
    /// Blobs that a guest may have under construction, each an open file of the process.
    pub max_builders: usize,
    /// Calls of the host that one unit may make: the host keeps a row of each until the unit ends.
    pub max_calls: u32,
    /// Of them, worked on at once; more wait their turn. Together with the longest answer this bounds what waits for a guest.
    pub calls_at_once: usize,
    /// Bytes that the calls of one unit may carry in both directions, blobs not counted: the host keeps them as well.
    pub exchange_limit: u64,
    /// Bytes that one unit may log.
    pub log_limit: usize,
    /// Bytes of a component. A Python guest has about 20 MB.
    pub component_limit: usize,
}

impl SandboxConfig {
    /// Limits that leave room for an interpreted guest and stop anything gone wild.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            max_units: 32,
            memory_limit: 256 << 20,
            table_limit: 100_000,
            cpu_limit: Duration::from_secs(30),
            wall_limit: Duration::from_secs(4 * 60 * 60),
            transfer_limit: 64 << 20,
            max_handles: 10_000,
            blob_limit: 1 << 30,
            max_builders: 32,
            // A thread of 3,000 messages, each with a file to be sent, several times over.
            max_calls: 20_000,
            calls_at_once: 32,
            exchange_limit: 512 << 20,
            log_limit: 64 << 10,
            component_limit: 128 << 20,
        }
    }
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine could not be made with these limits, on this machine.
    #[error("the sandbox cannot start: {0}")]
    Engine(String),
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Of the component.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not those that were installed (invariant: nothing runs whose digest was not checked).
    #[error(
        "the component's sha-256 is {found}, but {expected} was expected; it was changed: remove it and install it again"
    )]
    Digest {
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },
    /// Longer than a component may be; it was not looked into.
    #[error("the component has {size} bytes; it may have {limit}")]
    TooLarge {
        /// Bytes.
        size: usize,
        /// Bytes.
        limit: usize,
    },
    /// No connector at all.
    #[error(transparent)]
    Outline(#[from] OutlineError),
    /// Built for a contract that came after this host.
    #[error(
        "built for contract {built_for}, but this host serves up to {served}; use a newer host or an older version of the connector"
    )]
    FutureContract {
        /// What the component names.
        built_for: Version,
        /// What this host has.
        served: Version,
    },
    /// Built for a contract that this host never had.
    #[error(
        "built for contract {built_for}, which this host (contract {served}) does not know; build the connector for {served}"
    )]
    UnknownContract {
        /// What the component names.
        built_for: Version,
        /// What this host has.
        served: Version,
    },
    /// Imports beyond the contract and beyond what an interpreter gets of WASI.
    #[error(
        "imports what no connector gets: {}; a connector imports the contract only, and an interpreted one what CPython needs of WASI 0.2 \
         (Rust: target wasm32-unknown-unknown, without WASI; Python: componentize-py 0.25)",
        .0.join(", ")
    )]
    ForeignImports(Vec<String>),
    /// Not valid, or with more parts than a guest may have.
    #[error("does not compile: {0}")]
    Compile(String),
    /// Imports or exports are not what the contract says.
    #[error("does not fit the contract: {0}")]
    Link(String),
    /// `describe` failed.
    #[error("cannot describe itself: {0}")]
    Describe(#[source] UnitError),
    /// `describe` said something impossible.
    #[error("its description is wrong: {}", .0.join("; "))]
    Description(Vec<String>),
}

/// The engine and what all units share. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    config: SandboxConfig,
    engine: Engine,
    source: Linker<UnitState>,
    destination: Linker<UnitState>,
    cache: Cache,
    slots: Semaphore,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Makes the engine, and starts the thread that looks at computing guests every 10 ms; it ends with the last clone.
    ///
    /// # Errors
    /// [`SandboxError::Engine`], for instance if the address space does not hold as many units.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let error = |e: wasmtime::Error| SandboxError::Engine(format!("{e:#}"));
        let engine = Engine::new(&engine_config(&config)).map_err(error)?;
        let mut source = Linker::new(&engine);
        SourceConnector::add_to_linker::<_, HasSelf<UnitState>>(&mut source, |state| state)
            .map_err(error)?;
        let mut destination = Linker::new(&engine);
        DestinationConnector::add_to_linker::<_, HasSelf<UnitState>>(&mut destination, |s| s)
            .map_err(error)?;
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("sandbox-epoch".to_owned())
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|e| SandboxError::Engine(e.to_string()))?;
        let slots = Semaphore::new(usize::try_from(config.max_units).unwrap_or(usize::MAX));
        let cache = Cache::new(config.cache_dir.clone(), &engine);
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                engine,
                source,
                destination,
                cache,
                slots,
            }),
        })
    }

    /// Loads a component whose sha-256 (hex) must be `expected`. See [`Sandbox::load`].
    ///
    /// # Errors
    /// [`SandboxError`]
    pub async fn load_file(&self, path: &Path, expected: &str) -> Result<Plugin, SandboxError> {
        let path = path.to_owned();
        self.loaded(expected, move |shared, expected| {
            if let Some(kept) = shared.kept(Bytes::File(&path), expected)? {
                return Ok(kept);
            }
            let bytes = std::fs::read(&path).map_err(|source| SandboxError::Read {
                path: path.clone(),
                source,
            })?;
            shared.compiled(&bytes, expected)
        })
        .await
    }

    /// Loads a component whose sha-256 (hex) must be `expected`: checks the digest and the contract, takes it from the
    /// cache or compiles it, and then runs it once for its description.
    ///
    /// # Errors
    /// [`SandboxError`]
    pub async fn load(&self, bytes: Vec<u8>, expected: &str) -> Result<Plugin, SandboxError> {
        self.loaded(expected, move |shared, expected| {
            match shared.kept(Bytes::Memory(&bytes), expected)? {
                Some(kept) => Ok(kept),
                None => shared.compiled(&bytes, expected),
            }
        })
        .await
    }

    async fn loaded(
        &self,
        expected: &str,
        prepare: impl FnOnce(&Shared, &str) -> Result<Prepared, SandboxError> + Send + 'static,
    ) -> Result<Plugin, SandboxError> {
        let engine = |e: tokio::task::JoinError| SandboxError::Engine(e.to_string());
        let shared = Arc::clone(&self.shared);
        let digest = expected.to_ascii_lowercase();
        let prepared = tokio::task::spawn_blocking({
            let (shared, digest) = (Arc::clone(&shared), digest.clone());
            move || prepare(&shared, &digest)
        });
        match prepared.await.map_err(engine)?? {
            Prepared::Kept(pre, description) => Plugin::new(shared, pre, digest, *description),
            Prepared::Compiled(pre, compiled) => {
                let description = Plugin::describe(&shared, &pre).await?;
                let plugin = Plugin::new(Arc::clone(&shared), pre, digest.clone(), description)?;
                let kept = Kept {
                    component: compiled.component,
                    contract: compiled.contract,
                    description: plugin.description().clone(),
                };
                tokio::task::spawn_blocking(move || {
                    shared.cache.keep(&digest, compiled.hash, &kept);
                })
                .await
                .map_err(engine)?;
                Ok(plugin)
            }
        }
    }

    /// A connector that is no component, with what it would say of itself: see [`StandIn`].
    #[must_use]
    pub fn stand_in(&self, description: Description, stand_in: Arc<dyn StandIn>) -> Plugin {
        Plugin::standing_in(Arc::clone(&self.shared), description, stand_in)
    }
}

/// The sha-256 of a component, hex, as [`Sandbox::load`] wants it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A component that did not run yet.
enum Prepared {
    /// From the cache, with what it said of itself when it was put there.
    Kept(Pre, Box<Description>),
    Compiled(Pre, Compiled),
}

/// What the cache wants to have of a component when that turns out to be a connector.
struct Compiled {
    component: Component,
    contract: Version,
    hash: blake3::Hash,
}

impl Shared {
    /// A component from the cache, if it is there and these bytes are what it was compiled from.
    fn kept(&self, bytes: Bytes<'_>, expected: &str) -> Result<Option<Prepared>, SandboxError> {
        let Some(kept) = self.cache.kept(&self.engine, expected, bytes) else {
            return Ok(None);
        };
        check_contract(&kept.contract)?;
        let pre = self.link(describe::role_of(&kept.description), &kept.component)?;
        Ok(Some(Prepared::Kept(pre, Box::new(kept.description))))
    }

    /// Everything about a component that can be done without running it.
    fn compiled(&self, bytes: &[u8], expected: &str) -> Result<Prepared, SandboxError> {
        let digest = digest(bytes);
        if digest != expected {
            return Err(SandboxError::Digest {
                expected: expected.to_owned(),
                found: digest,
            });
        }
        let (size, limit) = (bytes.len(), self.config.component_limit);
        if size > limit {
            return Err(SandboxError::TooLarge { size, limit });
        }
        let outline = transload_registry::outline(bytes)?;
        check_contract(&outline.contract)?;
        let foreign: Vec<String> = outline
            .foreign_imports()
            .filter(|import| !wasi::serves(import))
            .map(str::to_owned)
            .collect();
        if !foreign.is_empty() {
            return Err(SandboxError::ForeignImports(foreign));
        }
        let component = Component::new(&self.engine, bytes)
            .map_err(|e| SandboxError::Compile(format!("{e:#}")))?;
        let pre = self.link(outline.role, &component)?;
        Ok(Prepared::Compiled(
            pre,
            Compiled {
                component,
                contract: outline.contract,
                hash: blake3::hash(bytes),
            },
        ))
    }

    fn link(&self, role: Role, component: &Component) -> Result<Pre, SandboxError> {
        self.linked(role, component)
            .map_err(|e| SandboxError::Link(format!("{e:#}")))
    }

    fn linked(&self, role: Role, component: &Component) -> wasmtime::Result<Pre> {
        let mut linker = match role {
            Role::Source => Cow::Borrowed(&self.source),
            Role::Destination => Cow::Borrowed(&self.destination),
        };
        if wasi::wanted(&self.engine, component) {
            wasi::link(linker.to_mut(), &self.engine, component)?;
        }
        let pre = linker.instantiate_pre(component)?;
        Ok(match role {
            Role::Source => Pre::Source(SourceConnectorPre::new(pre)?),
            Role::Destination => Pre::Destination(DestinationConnectorPre::new(pre)?),
        })
    }
}

/// A guest names the whole contract's version, used or not, so a later one cannot be known to do with an earlier host.
fn check_contract(built_for: &Version) -> Result<(), SandboxError> {
    let (built_for, served) = (built_for.clone(), CONTRACT);
    if built_for > served {
        Err(SandboxError::FutureContract { built_for, served })
    } else if (built_for.major, built_for.minor) != (served.major, served.minor)
        || !built_for.pre.is_empty()
    {
        Err(SandboxError::UnknownContract { built_for, served })
    } else {
        Ok(())
    }
}

/// Every unit can have the most that one component may have, so slots never run out in the middle of an instantiation: this
/// is address space, not memory.
fn engine_config(config: &SandboxConfig) -> Config {
    let units = config.max_units;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(units)
        .total_core_instances(units.saturating_mul(CORE_INSTANCES))
        .total_memories(units.saturating_mul(MEMORIES))
        .total_tables(units.saturating_mul(TABLES))
        .total_stacks(units.saturating_mul(STACKS))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .table_elements(config.table_limit)
        .max_memory_size(config.memory_limit)
        .max_unused_warm_slots(units)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut engine = Config::new();
    engine
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .wasm_component_model_async(true)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        // On by default in a debug build, where it costs minutes for a large component; it looks for mistakes of the compiler.
        .cranelift_debug_verifier(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(WASM_STACK + HOST_STACK)
        // What a load would map and hash only for a debugger: a third of what is compiled of an interpreter, beside its memory.
        .native_unwind_info(false)
        .generate_address_map(false)
        .debug_symbols(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    engine
}
