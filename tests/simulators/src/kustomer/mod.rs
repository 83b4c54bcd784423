//! The Kustomer simulator: a source that can be read, searched, and changed by a test while it is read.
//!
//! It follows the fact sheet "Kustomer as a migration source"; sections are cited as *Kustomer facts §n*. What that
//! sheet leaves open is a switch ([`Switches`]). It never accepts a write: its keys have reading roles only.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use axum::{body::Body, http::Request};
//! use tower::ServiceExt;
//! use transload_simulators::kustomer::{Config, FULL_KEY, Simulator};
//!
//! let simulator = Simulator::new(Config { size: 20, ..Config::default() });
//! let request = Request::get("/v1/conversations?pageSize=5")
//!     .header("authorization", format!("Bearer {FULL_KEY}"))
//!     .body(Body::empty())
//!     .unwrap();
//! let answer = simulator.router().oneshot(request).await.unwrap();
//! assert_eq!(answer.status(), 200);
//! assert_eq!(simulator.world().counts().conversations, 19);
//! # });
//! ```

mod api;
mod auth;
mod custom;
mod draw;
mod files;
mod generate;
mod ids;
mod model;
mod render;
mod search;
mod settings;
mod switches;
mod text;
mod world;

use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use axum::Router;

pub use auth::{ApiKey, FULL_KEY, MASK, READ_THINGS};
pub use custom::{Attribute, KLASSES, KlassDef};
pub use files::{File, Hosts, Place};
pub use ids::{Kind, Oid};
pub use switches::{
    Beyond, BodyResource, ErrorShape, Gone, IdsOnly, NoteFiles, Oversize, Switches,
};
pub use text::PREVIEW_CAP;
pub use world::{Counts, NewMessage, State, World};

use crate::common::{Clock, Harness, SimError, SimServer, Started};

/// 1 November 2026, when the virtual clock of [`Config::default`] stands still.
pub const DEFAULT_NOW_MS: i64 = 1_793_491_200_000;

/// How the simulator is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of everything that is drawn: the same seed, size and time give the same organisation.
    pub seed: u64,
    /// Conversations.
    pub size: usize,
    /// Of every list as little as keeps each kind of record: two klasses, two teams and tags, an object of a klass, a handful
    /// of custom attributes. For tests that do everything again for each step of a migration.
    pub few: bool,
    /// Its time. Data reaches back eight years from the moment the simulator is made.
    pub clock: Clock,
    /// The keys it knows.
    pub keys: Vec<ApiKey>,
    /// What the documentation leaves open, and faults of search.
    pub switches: Switches,
    /// Messages of the longest threads; one thread in twenty thousand, at least one, is as long.
    pub longest_thread: u32,
    /// Records of one kind that share one `updatedAt`, as far as the size allows (a quarter of them).
    pub ties: usize,
    /// No file is longer than this many bytes; files of 20 MB are drawn where this allows.
    pub attachment_cap: u64,
    /// Requests that the organisation may make in a minute (§5); 1,000 is the plan *Enterprise*.
    pub requests_per_minute: u64,
    /// Searches that keys may make in a minute.
    pub searches_per_minute: u64,
    /// Requests of each minute that other clients of the organisation use up.
    pub used_by_others: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            size: 200,
            few: false,
            clock: Clock::at(DEFAULT_NOW_MS),
            keys: vec![ApiKey::full()],
            switches: Switches::default(),
            longest_thread: 300,
            ties: 1_500,
            attachment_cap: 64 * 1024,
            requests_per_minute: 1_000,
            searches_per_minute: 100,
            used_by_others: 0,
        }
    }
}

pub(crate) struct Inner {
    pub(crate) harness: Harness,
    pub(crate) world: RwLock<World>,
    pub(crate) keys: RwLock<Vec<ApiKey>>,
    pub(crate) switches: RwLock<Switches>,
    pub(crate) searches: AtomicU64,
}

/// An organisation on Kustomer; clones share it.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
    router: Router,
}

impl Simulator {
    /// Makes the organisation: 200,000 conversations take a few seconds.
    pub fn new(config: Config) -> Self {
        let harness = Harness::new(config.clock.clone(), api::fault_body);
        let limits = &harness.limits;
        limits.rule("org", config.requests_per_minute, 60_000);
        limits.burden("org", config.used_by_others);
        limits.rule("search", config.searches_per_minute, 60_000);
        let world = World::new(world::Making {
            seed: config.seed,
            shape: generate::Shape {
                conversations: config.size,
                few: config.few,
                longest_thread: config.longest_thread,
                ties: config.ties,
            },
            clock: config.clock,
            attachment_cap: config.attachment_cap,
            index_lag_ms: config.switches.index_lag_ms,
            link_life_ms: config.switches.link_life_ms,
            sensitive: config.switches.sensitive.clone(),
        });
        let inner = Arc::new(Inner {
            harness: harness.clone(),
            world: RwLock::new(world),
            keys: RwLock::new(config.keys),
            switches: RwLock::new(config.switches),
            searches: AtomicU64::new(0),
        });
        let router = harness.wrap(api::routes(Arc::clone(&inner)));
        Self { inner, router }
    }

    /// The parts shared with the other simulators: clock, limits, faults, recorder.
    pub fn harness(&self) -> &Harness {
        &self.inner.harness
    }

    /// The service, for calls without a socket. It answers for all hosts: API, files, and foreign files.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves everything on one port of the loopback interface; port 0 lets the system pick one. Links to files lead
    /// there, too, from then on.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the port cannot be had.
    pub async fn serve(&self, port: u16) -> Result<Started, SimError> {
        let started = SimServer::start(self.router(), port).await?;
        self.set_hosts(Hosts {
            files: started.base_url.clone(),
            external: started.base_url.clone(),
        });
        Ok(started)
    }

    /// Serves the API on one port and files, the organisation's and foreign ones, on another: API, then files.
    ///
    /// # Errors
    /// [`SimError::Listen`] when a port cannot be had.
    pub async fn serve_apart(&self) -> Result<(Started, Started), SimError> {
        let api = SimServer::start(self.router(), 0).await?;
        let files = SimServer::start(self.router(), 0).await?;
        self.set_hosts(Hosts {
            files: files.base_url.clone(),
            external: files.base_url.clone(),
        });
        Ok((api, files))
    }

    /// Says where links to files lead.
    pub fn set_hosts(&self, hosts: Hosts) {
        let world = self
            .inner
            .world
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        *world.hosts.write().unwrap_or_else(PoisonError::into_inner) = hosts;
    }

    /// The data, for comparing. Not to be held while the simulator is asked something.
    pub fn world(&self) -> impl Deref<Target = World> + '_ {
        self.read()
    }

    fn read(&self) -> RwLockReadGuard<'_, World> {
        self.inner
            .world
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the data.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(
            &mut self
                .inner
                .world
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Changes the switches. The index lag, the life of links and the sensitive attributes are those of the beginning.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        change(
            &mut self
                .inner
                .switches
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Replaces the keys, for roles that are lost and keys that expire while somebody reads.
    pub fn set_keys(&self, keys: Vec<ApiKey>) {
        *self
            .inner
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Gives a conversation the present time as `updatedAt`, so that it moves to another window.
    pub fn touch_conversation(&self, id: &str) -> bool {
        self.change(|world| world.touch_conversation(id))
    }

    /// Adds an inbound message to a conversation.
    pub fn add_message(&self, conversation: &str, text: &str) -> Option<String> {
        let message = NewMessage {
            text: text.to_owned(),
            outbound: false,
            files: 0,
        };
        self.change(|world| world.add_message(conversation, message))
    }

    /// Runs `hook` when so many requests have been answered, before the next is handled.
    pub fn after_request(&self, number: u64, hook: impl FnOnce(&Self) + Send + 'static) {
        let simulator = self.clone();
        self.inner
            .harness
            .after_request(number, move || hook(&simulator));
    }
}
