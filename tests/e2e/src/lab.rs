//! A migration between two simulators, in a folder of its own.
//!
//! [`Lab`] starts the simulators, installs the connectors and writes `migration.toml`; what runs is the real host, in this
//! process ([`Lab::project`]) or as the command ([`Lab::run`]). Both simulators and a host in this process live in one
//! time, [`LabTime`], so that settle times of minutes pass in moments.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use tempfile::TempDir;
use transload_host::config::Config;
use transload_host::pipeline::model::{Events, Notice};
use transload_host::pipeline::project::Project;
use transload_host::plugins::install_as_it_is;
use transload_host::sandbox::{Sandbox, SandboxConfig};
use transload_registry::Registry;
use transload_simulators::common::{Clock, SimServer, Started};
use transload_simulators::{kustomer, zendesk};

use crate::destination::Destination;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// Of both simulators.
    pub seed: u64,
    /// Conversations.
    pub size: usize,
    /// Of everything but conversations as little as keeps every kind.
    pub few: bool,
    /// Messages of the longest thread.
    pub longest_thread: u32,
    /// Bytes of the largest file.
    pub largest_file: u64,
    /// Whether the platforms' rate limits are on.
    pub limits: bool,
    /// In a folder without a disk behind it, where the machine has one: a process that is killed loses nothing it has written, and
    /// many labs need not wait for a disk.
    pub in_memory: bool,
    /// When all of it begins, ms since 1970: two labs that begin at one time are alike to the byte. Their time moves only when
    /// something waits, so the command as a process of its own cannot work with them. None: now, and time runs.
    pub begins: Option<i64>,
    /// Further lines of `migration.toml`; tables of it that are not `migration`, `connections` or `budget`.
    pub extra: String,
    /// Further settings of the destination connection.
    pub destination: String,
}

impl Default for LabConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            size: 24,
            few: false,
            longest_thread: 12,
            largest_file: 8 * 1024,
            limits: false,
            in_memory: false,
            begins: None,
            extra: String::new(),
            destination: String::new(),
        }
    }
}

impl LabConfig {
    /// The source, as it is in that time.
    #[must_use]
    pub fn source(&self, clock: Clock) -> kustomer::Config {
        kustomer::Config {
            seed: self.seed,
            size: self.size,
            few: self.few,
            clock,
            longest_thread: self.longest_thread,
            attachment_cap: self.largest_file,
            ties: (self.size / 8).min(1_500),
            ..kustomer::Config::default()
        }
    }
}

/// Two running simulators and a project between them. The destination is one of those in [`crate::destination`].
pub struct Lab<D: Destination = zendesk::Simulator> {
    /// The source.
    pub source: kustomer::Simulator,
    /// The destination.
    pub destination: D,
    /// The time that all live in.
    pub time: LabTime,
    /// The project's folder.
    pub dir: PathBuf,
    /// Where the simulators listen: source and destination, without a slash at the end.
    pub base_urls: (String, String),
    _temp: Option<TempDir>,
    _servers: (Started, Started),
}

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}

/// Where cargo puts what it builds.
#[must_use]
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where `cargo xtask plugins` puts a connector.
#[must_use]
pub fn plugin_path(name: &str) -> PathBuf {
    target_dir().join("plugins").join(format!("{name}.wasm"))
}

/// A connector's component.
///
/// # Errors
/// It was not built.
pub fn plugin_bytes(name: &str) -> Result<Vec<u8>> {
    let path = plugin_path(name);
    std::fs::read(&path)
        .with_context(|| format!("{} is not there: run `cargo xtask plugins`", path.display()))
}

/// Compiled components, shared by all projects of the tests: compiling takes longer than most tests.
///
/// # Errors
/// A folder that cannot be made.
pub fn shared_cache() -> Result<PathBuf> {
    let dir = target_dir().join("e2e-cache");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

impl Lab {
    /// [`Lab::of`] with Zendesk as the destination.
    ///
    /// # Errors
    /// As [`Lab::of`].
    pub async fn new(config: LabConfig) -> Result<Self> {
        Self::of(config).await
    }

    /// As [`Lab::new`], in a folder that stays.
    ///
    /// # Errors
    /// As [`Lab::new`].
    pub async fn new_in(config: LabConfig, dir: PathBuf) -> Result<Self> {
        let lab = Self::simulators(&config, dir).await?;
        lab.set_up(&config).await?;
        Ok(lab)
    }

    /// [`Lab::running`] with Zendesk as the destination.
    ///
    /// # Errors
    /// As [`Lab::running`].
    pub async fn simulators(config: &LabConfig, dir: PathBuf) -> Result<Self> {
        Self::running(config, dir).await
    }
}

impl<D: Destination> Lab<D> {
    /// Starts both simulators on loopback and sets a project up in a temporary folder.
    ///
    /// # Errors
    /// A plugin that was not built, a port that cannot be had.
    pub async fn of(config: LabConfig) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let temp = if config.in_memory && memory.is_dir() {
            tempfile::tempdir_in(memory)?
        } else {
            tempfile::tempdir()?
        };
        let dir = temp.path().join("project");
        let mut lab = Self::running(&config, dir).await?;
        lab.temp(temp);
        lab.set_up(&config).await?;
        Ok(lab)
    }

    fn temp(&mut self, temp: TempDir) {
        self._temp = Some(temp);
    }

    /// Starts both simulators; nothing is installed or written but the files with the credentials, `source.token` and
    /// `destination.token`.
    ///
    /// # Errors
    /// A port that cannot be had, a folder that cannot be made.
    pub async fn running(config: &LabConfig, dir: PathBuf) -> Result<Self> {
        let clock = config.begins.map_or_else(Clock::real, Clock::at);
        let source = kustomer::Simulator::new(config.source(clock.clone()));
        let destination = D::start(config, clock.clone());
        source.harness().limits.set_off(!config.limits);
        let servers = (
            source.serve(0).await?,
            SimServer::start(destination.router(), 0).await?,
        );
        std::fs::create_dir_all(&dir)?;
        private(&dir.join("source.token"), kustomer::FULL_KEY)?;
        private(&dir.join("destination.token"), &destination.credential())?;
        Ok(Self {
            source,
            destination,
            time: LabTime::new(clock),
            dir,
            base_urls: (servers.0.base_url.clone(), servers.1.base_url.clone()),
            _temp: None,
            _servers: servers,
        })
    }

    async fn set_up(&self, config: &LabConfig) -> Result<()> {
        let registry = Registry::open(self.dir.join("registry"))?;
        for name in ["kustomer", D::PLUGIN] {
            add_package(&registry, plugin_bytes(name)?).await?;
        }
        std::fs::write(self.dir.join("migration.toml"), self.migration(config))?;
        let state = self.dir.join(".transload");
        std::fs::create_dir_all(&state)?;
        std::os::unix::fs::symlink(shared_cache()?, state.join("cache"))?;
        Ok(())
    }

    /// The text of `migration.toml`.
    #[must_use]
    pub fn migration(&self, config: &LabConfig) -> String {
        let (from, to) = &self.base_urls;
        let (destination, extra) = (&config.destination, &config.extra);
        let (plugin, connection) = (D::PLUGIN, D::connection(to));
        let accept: Vec<String> = D::ACCEPT.iter().map(|word| format!("{word:?}")).collect();
        let accept = accept.join(", ");
        format!(
            r#"[migration]
from = "old"
to = "new"
store = "transload.db"
registry = "registry"
accept = [{accept}]

[connections.old]
plugin = "kustomer"
org = "acme"
base_url = "{from}"
token = "file:source.token"

[connections.new]
plugin = "{plugin}"
{connection}
{destination}

[budget]
share = 1.0

{extra}
"#
        )
    }

    /// Gives the destination's connection a new credential, as a person does when the former has run out.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn renew_credential(&self) -> Result<()> {
        private(
            &self.dir.join("destination.token"),
            &self.destination.credential(),
        )
    }

    /// Opens the project in this process, in the simulators' time.
    ///
    /// # Errors
    /// What [`Project::open_with`] says.
    pub async fn project(&self) -> Result<Project> {
        let config = Config::load(&self.dir.join("migration.toml"))?;
        Ok(Project::open_with(&self.dir, config, None, Arc::new(self.time.clone())).await?)
    }

    /// The `transload` command in this project.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(&self.dir)
            .args(args)
            .stdin(Stdio::null())
            .env("NO_COLOR", "1");
        command
    }

    /// Runs the command to its end. The simulators go on meanwhile.
    ///
    /// # Errors
    /// A command that does not start.
    pub async fn output(&self, args: &[&str]) -> Result<Output> {
        let mut command = self.command(args);
        let output = tokio::task::spawn_blocking(move || command.output()).await?;
        output.with_context(|| format!("{} does not start", binary().display()))
    }

    /// Runs the command and returns what it printed to stdout.
    ///
    /// # Errors
    /// An exit code that is not among `allowed`, with everything printed.
    pub async fn run(&self, args: &[&str], allowed: &[i32]) -> Result<String> {
        let output = self.output(args).await?;
        let code = output.status.code().unwrap_or(-1);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if !allowed.contains(&code) {
            bail!(
                "transload {} ended with {code}\n{stdout}\n{}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(stdout)
    }
}

/// Writes a file that only its owner can read.
fn private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())?;
    Ok(())
}

/// Installs a component under the name and version that it gives itself, unsigned, with all it asks for.
///
/// # Errors
/// A component that does not run, or a registry that does not take it.
pub async fn add_package(registry: &Registry, bytes: Vec<u8>) -> Result<()> {
    let sandbox = Sandbox::new(SandboxConfig::new(shared_cache()?))?;
    let now = transload_host::clock::Clock::now(&transload_host::clock::SystemClock);
    install_as_it_is(registry, &sandbox, bytes, None, now).await?;
    Ok(())
}

/// The command as cargo built it beside this program.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors()
        .skip(1)
        .map(|dir| dir.join("transload"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from("transload"))
}

/// One time for simulators and host: real time that runs ahead whenever the host waits for minutes to pass.
///
/// Timeouts of requests stay as long as they are, and the renewal of the lease follows the time that is shown.
#[derive(Debug, Clone)]
pub struct LabTime {
    /// The time that is shown.
    pub shown: Clock,
    /// What a process that stood still has missed, on top of the time it really ran.
    stood_still: Arc<AtomicU64>,
    started: Instant,
}

impl LabTime {
    fn new(shown: Clock) -> Self {
        Self {
            shown,
            stood_still: Arc::default(),
            started: Instant::now(),
        }
    }

    /// Lets everything find out that it stood still for so long: a machine that was suspended, a process that was stopped.
    pub fn stand_still(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.stood_still.fetch_add(ms, Ordering::SeqCst);
        self.shown.advance(i64::try_from(ms).unwrap_or(i64::MAX));
    }
}

/// Waits that are timeouts: a request that hangs must hang for as long as it would.
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(120), Duration::from_secs(3_600)];
/// How far the time runs ahead at once; less than a lease lasts, so that its owner can renew it.
const STEP_MS: i64 = 2_500;
/// Real time that a step takes.
const TICK: Duration = Duration::from_millis(4);
/// The longest wait that nobody hurries: the renewal of the lease.
const UNHURRIED: Duration = Duration::from_secs(5);

#[async_trait]
impl transload_host::clock::Clock for LabTime {
    fn now(&self) -> i64 {
        self.shown.now_ms()
    }

    fn steady(&self) -> Duration {
        self.started.elapsed() + Duration::from_millis(self.stood_still.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        if TIMEOUTS.contains(&duration) {
            return tokio::time::sleep(duration).await;
        }
        let length = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let until = self.shown.now_ms().saturating_add(length);
        loop {
            let left = until - self.shown.now_ms();
            if left <= 0 {
                return;
            }
            if duration != UNHURRIED {
                self.shown.advance(left.min(STEP_MS));
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Nobody is told anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Events for Silent {
    fn phase(&self, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
    fn paused(&self, _: &str, _: Option<&str>) {}
    fn notice(&self, _: &Notice) {}
}
