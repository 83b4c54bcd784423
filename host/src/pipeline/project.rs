//! A project: one `migration.toml` and what lies beside it, opened and wired up.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::Row as _;
use tokio_util::sync::CancellationToken;
use transload_registry::{Package, Registry, RightClass, Rights};

use super::side::Side;
use crate::blobs::{BlobError, BlobStore};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, PluginRequest};
use crate::contract::description::{Auth, AuthScheme, Description, Role};
use crate::contract::session::{Account, Context};
use crate::error::Error;
use crate::exported::create_private_dir;
use crate::gateway::{
    ConnectionSpec, Gateway, GatewayLimits, Granted, ReqwestTransport, RuleUse, SpecError,
    Transport, wants,
};
use crate::plugins::{
    self,
    lock::{Lock, choose},
};
use crate::sandbox::{Plugin, Sandbox, SandboxConfig};
use crate::sql;
use crate::store::{Statement, Store, Takeover};
use crate::unit::{BoundaryHook, SEND_MARGIN};

/// How long a lease runs without being renewed.
const LEASE: Duration = Duration::from_secs(15);
/// How often it is renewed: often enough that one slow commit does not lose it.
const RENEWAL: Duration = Duration::from_secs(5);
/// The largest file that is moved.
const MAX_BLOB: u64 = 5 << 30;

/// Everything a command needs.
pub struct Project {
    /// The user's file.
    pub config: Config,
    /// Its folder.
    pub dir: PathBuf,
    /// Packages.
    pub registry: Registry,
    /// Where connectors run.
    pub sandbox: Sandbox,
    /// State.
    pub store: Store,
    /// Bytes.
    pub blobs: BlobStore,
    /// Time.
    pub clock: SharedClock,
    /// What a test puts in the network's place. Otherwise each connection has a transport of its own: pinned addresses and
    /// open connections are not shared.
    pub transport: Option<Arc<dyn Transport>>,
    /// Fault injection, for tests.
    pub boundary: Option<BoundaryHook>,
    /// Connectors by their connection, in the place of installed ones: those of a conformance test.
    pub given: HashMap<String, Plugin>,
    /// Set once by whoever may stop what is going on; gateways answer `cancelled` from then on.
    pub stop: CancellationToken,
    /// Set for a dry run: the folder of all that it leaves. Its store is a copy, and nothing mutating leaves.
    pub dry: Option<PathBuf>,
    /// How long units wait for an owner that may wake up.
    pub takeover_wait: Duration,
    /// What was already added to the stored counts of requests.
    counted: Mutex<HashMap<String, (u64, u64)>>,
}

impl Project {
    /// Opens what lies in `dir`: store, blobs, cache and registry.
    ///
    /// # Errors
    /// A folder or store that cannot be used.
    pub async fn open(dir: &Path, config: Config) -> Result<Self, Error> {
        Self::open_with(dir, config, None, Arc::new(SystemClock)).await
    }

    /// As [`Project::open`], on another network and in another time.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub async fn open_with(
        dir: &Path,
        config: Config,
        transport: Option<Arc<dyn Transport>>,
        clock: SharedClock,
    ) -> Result<Self, Error> {
        let state = dir.join(".transload");
        let store = Store::open(&config.store_path()).await?;
        let files = state.join("blobs");
        let blobs = BlobStore::open(files.clone(), MAX_BLOB).map_err(|e| match e {
            BlobError::Io(source) => Error::io("use the folder", &files, source),
            e => Error::environment("blobs", e.to_string())
                .about(files.display())
                .with_hint("make room on this disk, then run the same command again"),
        })?;
        let sandbox = Sandbox::new(SandboxConfig::new(state.join("cache")))?;
        let registry = Registry::open(&config.registry_root()?)?;
        Ok(Self {
            dir: dir.to_owned(),
            registry,
            sandbox,
            store,
            blobs,
            clock,
            transport,
            boundary: None,
            given: HashMap::new(),
            stop: CancellationToken::new(),
            dry: None,
            counted: Mutex::default(),
            takeover_wait: LEASE + SEND_MARGIN + GatewayLimits::default().answer_timeout,
            config,
        })
    }

    /// The copy of the store that the last dry run worked on.
    #[must_use]
    pub fn dry_run_store(&self) -> PathBuf {
        self.dry_run_place().join("store.db")
    }

    fn dry_run_place(&self) -> PathBuf {
        self.dir.join(".transload").join("dry-run")
    }

    /// The same project on a copy of its store, in which a dry run may do what it likes. What an earlier one left is removed.
    ///
    /// # Errors
    /// A folder or disk that does not take the copy.
    pub async fn copy_for_dry_run(&self) -> Result<Self, Error> {
        let place = self.dry_run_place();
        if place.exists() {
            std::fs::remove_dir_all(&place).map_err(|e| Error::io("remove", &place, e))?;
        }
        create_private_dir(&place)?;
        let path = self.dry_run_store();
        self.store.copy_to(&path).await?;
        let store = Store::open(&path).await?;
        // We own the original; nobody owns the copy yet.
        store
            .write(vec![
                sql!("DELETE FROM lease"),
                sql!("DELETE FROM rehearsed"),
            ])
            .await?;
        let mut config = self.config.clone();
        // Nobody is told of what does not happen, and a web hook would leave.
        config.notify.command = None;
        config.notify.webhook = None;
        // All of it is to be seen.
        config.load.stop_rule.consecutive = u32::MAX;
        config.load.stop_rule.percent = 100.0;
        Ok(Self {
            config,
            dir: self.dir.clone(),
            registry: Registry::open(&self.config.registry_root()?)?,
            sandbox: self.sandbox.clone(),
            store,
            blobs: self.blobs.clone(),
            clock: Arc::clone(&self.clock),
            transport: self.transport.clone(),
            boundary: None,
            given: self.given.clone(),
            stop: self.stop.clone(),
            dry: Some(place),
            takeover_wait: self.takeover_wait,
            counted: Mutex::default(),
        })
    }

    /// Takes the store for this process until the guard is dropped (rule D-15).
    ///
    /// # Errors
    /// `busy` while another process works on it.
    pub async fn own(&self) -> Result<Ownership, Error> {
        let me = owner();
        let takeover = self
            .store
            .take_lease(&me, self.clock.now(), millis(LEASE), is_alive)
            .await?;
        if let Takeover::FromStalled { until } = takeover {
            // Its last intent may still be on the way out, and the platform may take its time with it.
            let wait = until + millis(self.takeover_wait) - self.clock.now();
            if let Ok(wait) = u64::try_from(wait) {
                tracing::warn!(
                    wait,
                    "The former owner stands still; waiting until nothing of it can arrive."
                );
                self.clock.sleep(Duration::from_millis(wait)).await;
            }
        }
        let store = self.store.clone();
        let clock = Arc::clone(&self.clock);
        let renewal = tokio::spawn(async move {
            loop {
                clock.sleep(RENEWAL).await;
                if store.renew_lease(clock.now(), millis(LEASE)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Ownership {
            renewal,
            store: self.store.clone(),
        })
    }

    /// A connection, ready to be used. `pinned` is the digest a run was begun with (rule I-10).
    ///
    /// # Errors
    /// An unknown plugin, wrong settings, a missing secret, a component that does not load.
    pub async fn side(&self, name: &str, role: Role, pinned: Option<&str>) -> Result<Side, Error> {
        let connection = self.config.connection(
            name,
            match role {
                Role::Source => "migration.from",
                Role::Destination => "migration.to",
            },
        )?;
        // One that is given is tried by its author: nobody has installed it, and nobody granted it anything.
        let (plugin, granted) = match self.given.get(name) {
            Some(given) => (given.clone(), Granted::Everything),
            None => {
                let (plugin, granted) = self.installed(&connection.plugin, pinned).await?;
                (plugin, Granted::Only(granted))
            }
        };
        let description = plugin.description().clone();
        if description.role != role {
            return Err(Error::input(
                "wrong-role",
                format!(
                    "connection {name} uses {}, which cannot be a {}",
                    description.name,
                    match role {
                        Role::Source => "source",
                        Role::Destination => "destination",
                    }
                ),
            )
            .with_hint("name another connection in [migration]"));
        }
        let settings = self.config.settings(name, &description.config_schema)?;
        settings.read_secrets()?;
        let auth = match &connection.auth {
            None => description.auth.first(),
            Some(wanted) => Some(
                description
                    .auth
                    .iter()
                    .find(|scheme| scheme.name == *wanted)
                    .ok_or_else(|| {
                        let known: Vec<&str> =
                            description.auth.iter().map(|s| s.name.as_str()).collect();
                        Error::input(
                            "unknown-auth",
                            format!("connections.{name}.auth is {wanted:?}"),
                        )
                        .with_hint(format!(
                            "{} knows {}",
                            description.name,
                            known.join(", ")
                        ))
                    })?,
            ),
        };
        let base_url = base_url(&description, &settings.config)?;
        let (grants, allow_private) = split_grants(name, &connection.allow_hosts)?;
        let spec = ConnectionSpec {
            name: name.to_owned(),
            base_url: base_url.clone(),
            settings: settings.config.clone(),
            secrets: settings
                .secrets
                .iter()
                .map(|(name, secret)| (name.clone(), secret.to_source()))
                .collect(),
            auth: auth.cloned().map(|scheme| absolute(scheme, &base_url)),
            description: description.clone(),
            granted,
            grants,
            allow_private,
            budget_share: self
                .config
                .budget
                .share_at(self.clock.now(), self.config.migration.time_zone),
            limits: GatewayLimits::default(),
            credential_store: Some(
                self.dir
                    .join(".transload")
                    .join(format!("{name}.credential")),
            ),
        };
        let transport: Arc<dyn Transport> = match &self.transport {
            Some(transport) => Arc::clone(transport),
            None => Arc::new(ReqwestTransport::new(Duration::from_secs(30)).map_err(|e| {
                Error::environment("network", format!("no TLS on this machine: {e}"))
            })?),
        };
        let gateway = Gateway::new(
            spec,
            transport,
            Arc::clone(&self.clock),
            self.blobs.clone(),
            self.stop.clone(),
        )
        .map_err(|e| match e {
            SpecError::NotGranted(_) => not_granted(
                format_args!("{}@{}", description.name, description.version),
                &e.to_string(),
            )
            .about(format!("connections.{name}")),
            e => Error::input("connection", format!("connections.{name}: {e}")),
        })?;
        if self.dry.is_some() {
            gateway.only_reads();
        }
        Ok(Side {
            name: name.to_owned(),
            plugin,
            gateway,
            context: Context {
                config: settings.config.to_string(),
                run: String::new(),
                platform: String::new(),
                organisation: String::new(),
                time_zone: self.config.migration.time_zone.0.name().to_owned(),
                state: None,
            },
            blobs: self.blobs.clone(),
            clock: Arc::clone(&self.clock),
            rehearsal: None,
        })
    }

    /// What is installed and was asked for: what a run was begun with, what the lock names, or the newest that fits.
    async fn installed(
        &self,
        wanted: &PluginRequest,
        pinned: Option<&str>,
    ) -> Result<(Plugin, Rights), Error> {
        let package = match (pinned, Lock::load(&self.dir)?) {
            (Some(digest), _) => self.registry.by_digest(digest)?,
            (None, Some(lock)) => lock.pick(&self.registry, wanted)?,
            (None, None) => choose(&self.registry, wanted)?,
        };
        let trust = self.registry.trust()?;
        trust.vet(&package)?;
        let granted = trust.of(&package.name).granted;
        self.take(&package);
        let plugin = plugins::load(&self.registry, &self.sandbox, &package).await?;
        allowed(&package, plugin.description(), &granted)?;
        Ok((plugin, granted))
    }

    /// Has the folder of packages know that this project uses one, so that nobody removes what its runs need.
    fn take(&self, package: &Package) {
        if self.dry.is_some() {
            return;
        }
        let store = self.store.path();
        let store = store.canonicalize().unwrap_or_else(|_| store.to_owned());
        if let Err(e) = self.registry.take(&package.sha256, &store) {
            // A folder of packages may be for reading only.
            tracing::info!(%package, error = %e, "whoever removes the plugin will not hear of this project");
        }
    }

    /// Asks a connection who it is.
    ///
    /// # Errors
    /// A refused credential and the like.
    pub async fn account(&self, side: &Side) -> Result<Account, Error> {
        side.ask("check its account", |host| {
            let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
            async move { plugin.check(host, ctx).await }
        })
        .await
    }

    /// The newest run between the two connections of the configuration, or the named one.
    ///
    /// # Errors
    /// `no-such-run`.
    pub async fn find_run(&self, run: Option<&str>) -> Result<Option<String>, Error> {
        let row = match run {
            Some(run) => {
                self.store
                    .row("SELECT id FROM runs WHERE id = $1", vec![run.into()])
                    .await?
            }
            None => {
                self.store
                    .row(
                        "SELECT id FROM runs WHERE source = $1 AND destination = $2 ORDER BY started_at DESC, id DESC LIMIT 1",
                        vec![
                            (&self.config.migration.from).into(),
                            (&self.config.migration.to).into(),
                        ],
                    )
                    .await?
            }
        };
        match (row, run) {
            (Some(row), _) => Ok(Some(row.try_get("id")?)),
            (None, None) => Ok(None),
            (None, Some(run)) => Err(
                Error::input("no-such-run", format!("there is no run {run}"))
                    .with_hint("`transload status` shows the last one"),
            ),
        }
    }

    /// Adds what a gateway sent since the last call to the run's counts (rule M-5), and when that was, with the fullest of its
    /// limits (rule M-11).
    ///
    /// # Errors
    /// A store error.
    pub async fn count_requests(&self, run: &str, side: &Side) -> Result<(), Error> {
        let mut batch = vec![];
        {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            let state = side.gateway.state();
            let mut since = (0, 0);
            for count in state.requests {
                let key = format!("{run} {} {} {}", side.name, count.method, count.grant);
                let stored = counted.entry(key).or_default();
                if count.sent < stored.0 {
                    // Another gateway, which counts from nothing.
                    *stored = (0, 0);
                }
                let sent = count.sent.saturating_sub(stored.0);
                let throttled = count.throttled.saturating_sub(stored.1);
                if sent + throttled == 0 {
                    continue;
                }
                *stored = (count.sent, count.throttled);
                since = (since.0 + sent, since.1 + throttled);
                batch.push(sql!(
                    "INSERT INTO request_counts (run, connection, method, path, count_n, throttled) VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (run, connection, method, path) DO UPDATE SET count_n = request_counts.count_n + $5, \
                     throttled = request_counts.throttled + $6",
                    run,
                    &side.name,
                    count.method,
                    count.grant,
                    sent,
                    throttled
                ));
            }
            if since != (0, 0) {
                batch.push(self.sent_now(run, &side.name, since, fullest(&state.utilisation)));
            }
        }
        self.store.write(batch).await?;
        Ok(())
    }

    fn sent_now(
        &self,
        run: &str,
        connection: &str,
        (sent, throttled): (u64, u64),
        fullest: Option<&RuleUse>,
    ) -> Statement {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a limit is far below 2^52, and a fraction of a request is none"
        )]
        let allowed = fullest.map_or(0, |of| of.allowed as u64);
        sql!(
            "INSERT INTO request_times (run, connection, at_ms, count_n, throttled, rule, used, allowed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (run, connection, at_ms) DO UPDATE SET \
             count_n = request_times.count_n + excluded.count_n, throttled = request_times.throttled + excluded.throttled",
            run,
            connection,
            self.clock.now(),
            sent,
            throttled,
            fullest.map(|of| of.rule.as_str()),
            fullest.map_or(0, |of| of.used),
            allowed
        )
    }
}

/// What a limit must allow to be called full: one of a single request is full whenever there is one, and says nothing of the pace.
const FULL: f64 = 5.0;

/// The limit of which most is used, measured against our share.
fn fullest(uses: &[RuleUse]) -> Option<&RuleUse> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of requests are far below 2^52"
    )]
    let part = |of: &RuleUse| of.used as f64 / of.allowed.max(1.0);
    let paced = uses.iter().filter(|of| of.allowed >= FULL);
    paced.max_by(|a, b| part(a).total_cmp(&part(b)))
}

/// The store is ours while this lives.
pub struct Ownership {
    renewal: tokio::task::JoinHandle<()>,
    store: Store,
}

impl Ownership {
    /// Gives the store back.
    ///
    /// # Errors
    /// A store error.
    pub async fn release(self) -> Result<(), Error> {
        self.renewal.abort();
        self.store.release_lease().await?;
        Ok(())
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// This process, so that another can tell whether it still lives: its number, and when it began.
fn owner() -> String {
    let pid = std::process::id();
    format!("process {pid}, begun {}", began(pid).unwrap_or_default())
}

/// Whether a process that called itself so can still be at work on this machine.
fn is_alive(owner: &str) -> bool {
    let Some((pid, begun)) = owner
        .strip_prefix("process ")
        .and_then(|rest| rest.split_once(", begun "))
    else {
        return true;
    };
    let Ok(pid) = pid.parse::<u32>() else {
        return true;
    };
    pid != std::process::id() && began(pid).is_some_and(|now| now == begun)
}

/// When a process began, in the kernel's ticks and this boot's id; `None` if there is none, or it is dead and not buried.
fn began(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it are counted from its end.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    let ticks = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{ticks}/{}", boot.trim()))
}

/// A connector that asks for more than was granted runs without it, and the log says so; one whose side effects nobody has
/// accepted does not run.
fn allowed(package: &Package, description: &Description, granted: &Rights) -> Result<(), Error> {
    let wants = wants(description);
    let missing = granted.missing(&wants);
    let effects: Vec<String> = missing
        .iter()
        .filter(|want| want.right.class == RightClass::SideEffect)
        .map(|want| want.right.to_string())
        .collect();
    if !effects.is_empty() {
        return Err(not_granted(
            package,
            &format!("not granted: {}", effects.join("; ")),
        ));
    }
    for want in missing {
        tracing::warn!(plugin = %package, right = %want.right, "the plugin asks for what nobody allowed, and goes without it");
    }
    Ok(())
}

fn not_granted(package: impl std::fmt::Display, what: &str) -> Error {
    Error::input("not-granted", format!("{package}: {what}")).with_hint(format!(
        "`transload plugin grant {package}` shows what it asks for, and asks"
    ))
}

/// A token endpoint given as a path lies at the base URL.
fn absolute(mut scheme: AuthScheme, base_url: &str) -> AuthScheme {
    let url = match &mut scheme.auth {
        Auth::ClientCredentials(oauth) | Auth::RefreshToken(oauth) => &mut oauth.token_url,
        Auth::SignedJwt(jwt) => &mut jwt.token_url,
        Auth::Bearer(_) | Auth::Basic(_) | Auth::Header(_) => return scheme,
    };
    if url.starts_with('/') {
        *url = format!("{}{url}", base_url.trim_end_matches('/'));
    }
    scheme
}

/// Fills settings into the base URL, unless one is given.
fn base_url(description: &Description, settings: &serde_json::Value) -> Result<String, Error> {
    if let Some(given) = settings.get("base_url").and_then(serde_json::Value::as_str) {
        return Ok(given.to_owned());
    }
    let mut url = String::new();
    let mut rest = description.base_url.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        url.push_str(before);
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        match settings.get(name).and_then(serde_json::Value::as_str) {
            Some(value) => url.push_str(value),
            None => {
                return Err(Error::input(
                    "missing-setting",
                    format!(
                        "the address of {} needs the setting {name}",
                        description.name
                    ),
                ));
            }
        }
        rest = behind;
    }
    url.push_str(rest);
    Ok(url)
}

type Grants = (
    Vec<crate::contract::description::HostGrant>,
    Vec<crate::gateway::PrivateGrant>,
);

/// `allow_hosts` names public hosts, and private ones with their port or network.
fn split_grants(connection: &str, hosts: &[String]) -> Result<Grants, Error> {
    let mut grants = vec![];
    let mut private = vec![];
    for host in hosts {
        if host.contains(':') || host.contains('/') {
            private.push(host.parse().map_err(|e| {
                Error::input(
                    "allow-hosts",
                    format!("connections.{connection}.allow_hosts: {e}"),
                )
            })?);
        }
        grants.push(crate::contract::description::HostGrant {
            pattern: host.clone(),
            purpose: "allowed in migration.toml".into(),
            anonymous: true,
        });
    }
    Ok((grants, private))
}
