//! A migration between two simulators, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use transload_host::clock::SystemClock;
use transload_host::config::Config;
use transload_host::pipeline::project::Project;
use transload_registry::Registry;
use transload_simulators::common::{Clock, Started};
use transload_simulators::{kustomer, zendesk};

/// What is simulated.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// Of both simulators.
    pub seed: u64,
    /// Conversations.
    pub size: usize,
    /// Messages of the longest thread.
    pub longest_thread: u32,
    /// Bytes of the largest file.
    pub largest_file: u64,
    /// Whether the platforms' rate limits are on.
    pub limits: bool,
    /// Further lines of `migration.toml`.
    pub extra: String,
    /// Further settings of the destination connection.
    pub destination: String,
}

impl Default for LabConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            size: 24,
            longest_thread: 12,
            largest_file: 8 * 1024,
            limits: false,
            extra: String::new(),
            destination: String::new(),
        }
    }
}

/// Two running simulators and a project between them.
pub struct Lab {
    /// The source.
    pub source: kustomer::Simulator,
    /// The destination.
    pub destination: zendesk::Simulator,
    /// The project's folder.
    pub dir: PathBuf,
    _temp: Option<TempDir>,
    _servers: (Started, Started),
}

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Where `cargo xtask plugins` puts what it builds.
#[must_use]
pub fn plugin_path(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from);
    target.join("plugins").join(format!("{name}.wasm"))
}

impl Lab {
    /// Starts both simulators on loopback and sets a project up in a temporary folder.
    ///
    /// # Errors
    /// A plugin that was not built, a port that cannot be had.
    pub async fn new(config: LabConfig) -> Result<Self> {
        let temp = tempfile::tempdir()?;
        let dir = temp.path().join("project");
        Self::start(config, dir, Some(temp)).await
    }

    /// As [`Lab::new`], in a folder that stays.
    ///
    /// # Errors
    /// As [`Lab::new`].
    pub async fn new_in(config: LabConfig, dir: PathBuf) -> Result<Self> {
        Self::start(config, dir, None).await
    }

    async fn start(config: LabConfig, dir: PathBuf, temp: Option<TempDir>) -> Result<Self> {
        let source = kustomer::Simulator::new(kustomer::Config {
            seed: config.seed,
            size: config.size,
            clock: Clock::real(),
            longest_thread: config.longest_thread,
            attachment_cap: config.largest_file,
            ties: (config.size / 8).min(1_500),
            ..kustomer::Config::default()
        });
        let destination = zendesk::Simulator::new(zendesk::Config {
            seed: config.seed,
            clock: Clock::real(),
            high_volume: true,
            rate_limits: config.limits,
            ..zendesk::Config::default()
        });
        source.harness().limits.set_off(!config.limits);
        let servers = (source.serve(0).await?, destination.serve(0).await?);
        std::fs::create_dir_all(&dir)?;
        let registry = Registry::open(&dir.join("registry"))?;
        for name in ["kustomer", "zendesk"] {
            let path = plugin_path(name);
            let bytes = std::fs::read(&path).with_context(|| {
                format!("{} is not there: run `cargo xtask plugins`", path.display())
            })?;
            add_package(&registry, name, bytes)?;
        }
        std::fs::write(dir.join("source.token"), kustomer::FULL_KEY)?;
        std::fs::write(dir.join("destination.token"), destination.admin_token())?;
        let text = format!(
            "[migration]\nfrom = \"old\"\nto = \"new\"\nstore = \"transload.db\"\nregistry = \"registry\"\n\n\
             [connections.old]\nplugin = \"kustomer\"\norg = \"acme\"\nbase_url = \"{}\"\ntoken = \"file:source.token\"\n\n\
             [connections.new]\nplugin = \"zendesk\"\nsubdomain = \"acme\"\nbase_url = \"{}\"\naccess_token = \"file:destination.token\"\n{}\n\n\
             [budget]\nshare = 1.0\n\n{}\n",
            servers.0.base_url, servers.1.base_url, config.destination, config.extra
        );
        std::fs::write(dir.join("migration.toml"), text)?;
        Ok(Self { source, destination, dir, _temp: temp, _servers: servers })
    }

    /// Opens the project in this process.
    ///
    /// # Errors
    /// What [`Project::open_with`] says.
    pub async fn project(&self) -> Result<Project> {
        let config = Config::load(&self.dir.join("migration.toml"))?;
        Ok(Project::open_with(&self.dir, config, None, Arc::new(SystemClock)).await?)
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

    /// Runs the command and returns what it printed to stdout.
    ///
    /// # Errors
    /// An exit code that is not among `allowed`, with everything printed.
    pub fn run(&self, args: &[&str], allowed: &[i32]) -> Result<String> {
        let output = self.command(args).output().context("the transload command does not start")?;
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
