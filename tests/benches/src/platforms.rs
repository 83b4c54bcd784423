//! Both platforms, simulated without limits and without waits, and a project between them.
//!
//! They live in this process, so that what is measured in a child process is the child's own. Every request is counted by its
//! kind: two programs that did the same show the same counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use transload_e2e::lab::{add_package, plugin_bytes, target_dir};
use transload_registry::Registry;
use transload_simulators::common::{Clock, SimServer, Started};
use transload_simulators::zendesk::Preexisting;
use transload_simulators::{kustomer, zendesk};

/// A limit that is no limit: what the platforms say of themselves, so that the host does not pace.
const UNLIMITED: u64 = 1_000_000_000;
const MINUTE_MS: i64 = 60_000;
/// Links to files must outlive a clock that runs ahead.
const LINK_LIFE_MS: i64 = 365 * 86_400_000;

/// Requests by kind: method, path without ids, and page size where there is one.
#[derive(Clone, Default)]
pub struct Requests(Arc<Mutex<BTreeMap<String, u64>>>);

impl Requests {
    /// So far.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, request: &Request) {
        let uri = request.uri();
        let kind = kind_of(
            request.method().as_str(),
            uri.path(),
            uri.query().unwrap_or_default(),
        );
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(kind)
            .or_insert(0) += 1;
    }
}

/// `POST /v1/customers/search ×500`, `GET /v1/messages/*/attachments/*`.
fn kind_of(method: &str, path: &str, query: &str) -> String {
    let is_id = |part: &str| part.chars().any(|c| c.is_ascii_digit()) && !is_version(part);
    let mut parts: Vec<&str> = vec![];
    for part in path.split('/') {
        let names_an_object = parts.last() == Some(&"custom_objects") && part != "limits";
        parts.push(if is_id(part) || names_an_object {
            "*"
        } else {
            part
        });
    }
    let path = parts.join("/");
    let rows = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("pageSize="));
    match rows {
        Some(rows) => format!("{method} {path} ×{rows}"),
        None => format!("{method} {path}"),
    }
}

/// `v1`, `v2`: a part of a path with a digit that is no id.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|number| number.len() == 1)
}

async fn count(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    requests.note(&request);
    next.run(request).await
}

/// Both platforms, running.
pub struct Platforms {
    /// Where they go.
    pub destination: zendesk::Simulator,
    /// Requests to the source.
    pub source_requests: Requests,
    /// Requests to the destination.
    pub destination_requests: Requests,
    /// Addresses of source and destination, without a slash at the end.
    pub urls: (String, String),
    _servers: (Started, Started),
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Of both platforms.
    pub seed: u64,
    /// Conversations.
    pub size: usize,
}

impl Platforms {
    /// Starts them on loopback.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub async fn start(shape: Shape) -> Result<Self> {
        let (source, destination) = tokio::task::spawn_blocking(move || {
            let source = source(shape, Clock::real());
            source.harness().limits.set_off(true);
            (source, destination(shape, Clock::real()))
        })
        .await?;
        destination
            .harness()
            .limits
            .rule("account", UNLIMITED, MINUTE_MS);
        // Bodies would be kept.
        source.harness().recorder.set_on(false);
        destination.harness().recorder.set_on(false);
        let (source_requests, destination_requests) = (Requests::default(), Requests::default());
        let counted = |router: axum::Router, requests: &Requests| {
            router.layer(from_fn_with_state(requests.clone(), count))
        };
        let servers = (
            SimServer::start(counted(source.router(), &source_requests), 0).await?,
            SimServer::start(counted(destination.router(), &destination_requests), 0).await?,
        );
        let urls = (servers.0.base_url.clone(), servers.1.base_url.clone());
        source.set_hosts(kustomer::Hosts {
            files: urls.0.clone(),
            external: urls.0.clone(),
        });
        Ok(Self {
            destination,
            source_requests,
            destination_requests,
            urls,
            _servers: servers,
        })
    }

    /// Writes `migration.toml`, the credentials and a registry with both connectors into a folder.
    ///
    /// # Errors
    /// A connector that was not built, a folder that cannot be written.
    pub async fn project(&self, dir: &Path) -> Result<()> {
        let (from, to) = &self.urls;
        write_project(
            dir,
            &self.destination,
            &format!("base_url = \"{from}\""),
            &format!("base_url = \"{to}\""),
            1.0,
        )
        .await
    }
}

/// The organisation that is left.
pub fn source(shape: Shape, clock: Clock) -> kustomer::Simulator {
    kustomer::Simulator::new(kustomer::Config {
        seed: shape.seed,
        size: shape.size,
        clock,
        ties: (shape.size / 8).min(1_500),
        requests_per_minute: UNLIMITED,
        searches_per_minute: UNLIMITED,
        switches: kustomer::Switches {
            link_life_ms: LINK_LIFE_MS,
            ..kustomer::Switches::default()
        },
        ..kustomer::Config::default()
    })
}

/// The account that is moved into. Its jobs take no time: how long they queue is nobody's speed.
pub fn destination(shape: Shape, clock: Clock) -> zendesk::Simulator {
    let mut config = zendesk::Config {
        seed: shape.seed,
        clock,
        high_volume: true,
        rate_limits: false,
        keep_files: false,
        preexisting: account(),
        ..zendesk::Config::default()
    };
    config.switches.job_queue_time = Default::default();
    config.switches.job_row_time = Default::default();
    zendesk::Simulator::new(config)
}

/// Some of the source's agents have a user there.
fn account() -> Preexisting {
    let agents = [7, 8, 9, 10, 13, 14, 15, 16, 17];
    Preexisting {
        agents: 0,
        agents_by_email: agents
            .map(|n| (format!("agent{n}@acme.example"), format!("Agent {n}")))
            .to_vec(),
        ..Preexisting::default()
    }
}

/// A project folder: `from` and `to` are further settings of the two connections.
///
/// # Errors
/// As [`Platforms::project`].
pub async fn write_project(
    dir: &Path,
    destination: &zendesk::Simulator,
    from: &str,
    to: &str,
    share: f64,
) -> Result<()> {
    std::fs::create_dir_all(dir.join(".transload"))?;
    let cache = target_dir().join("e2e-cache");
    std::fs::create_dir_all(&cache)?;
    std::os::unix::fs::symlink(cache, dir.join(".transload/cache"))?;
    private(&dir.join("source.token"), kustomer::FULL_KEY)?;
    private(&dir.join("destination.token"), &destination.admin_token())?;
    let registry = Registry::open(dir.join("registry"))?;
    for name in ["kustomer", "zendesk"] {
        add_package(&registry, plugin_bytes(name)?).await?;
    }
    let text = format!(
        r#"[migration]
from = "old"
to = "new"
store = "transload.db"
registry = "registry"
accept = ["triggers", "automations", "automation-mails", "welcome-mails"]

[connections.old]
plugin = "kustomer"
org = "acme"
token = "file:source.token"
{from}

[connections.new]
plugin = "zendesk"
subdomain = "acme"
auth = "access-token"
access_token = "file:destination.token"
{to}

[load]
stop_rule = {{ consecutive = 1000, percent = 50.0 }}

[budget]
share = {share:?}
"#
    );
    Ok(std::fs::write(dir.join("migration.toml"), text)?)
}

/// Writes a file that only its owner can read.
fn private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    Ok(options.open(path)?.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_one_kind_differ_in_their_ids_only() {
        assert_eq!(
            kind_of("POST", "/v1/customers/search", "page=3&pageSize=500"),
            "POST /v1/customers/search ×500"
        );
        assert_eq!(
            kind_of("GET", "/v1/messages/66f0a1/attachments/66f0a2", ""),
            "GET /v1/messages/*/attachments/*"
        );
        assert_eq!(
            kind_of("GET", "/api/v2/job_statuses/9f", "x=1"),
            "GET /api/v2/job_statuses/*"
        );
    }
}
