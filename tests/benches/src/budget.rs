//! How much of the budget is used that we were given, with the platforms' limits on, in virtual time.
//!
//! A whole run in this process, between simulators that are strict about their limits and answer with a latency. For every
//! whole minute of reading: of each limit, the part that was used of our share; the fullest is the one that counts, since it is
//! what held us up. Not one request may be refused.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use futures::StreamExt as _;
use tower::ServiceExt as _;
use transload_e2e::Silent;
use transload_host::clock::Clock as _;
use transload_host::config::Config;
use transload_host::contract::http::Header;
use transload_host::gateway::{InResponse, OutRequest, Transport, TransportError};
use transload_host::pipeline::model::{RunOptions, RunState};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::run;
use transload_simulators::common::Clock;
use transload_simulators::kustomer::{BodyResource, DEFAULT_NOW_MS, Hosts};
use transload_simulators::{kustomer, zendesk};

use crate::clock::VirtualTime;
use crate::platforms::{self, Shape};
use crate::table::Line;

const MINUTE_MS: i64 = 60_000;
/// Requests a minute of the source's plan: the smallest, so that it holds for many minutes.
const REQUESTS: u64 = 300;
/// Searches a minute.
const SEARCHES: u64 = 100;
/// An answer takes between half of this and one and a half.
const LATENCY: Duration = Duration::from_millis(160);
const SOURCE: &str = "acme.api.kustomerapp.com";
const FILES: &str = "files.s3.amazonaws.com";
/// What is wanted.
const LEAST: f64 = 0.97;

/// What left, and when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Search,
    Other,
    /// Not under any limit of the source's.
    File,
    Destination,
}

/// Both simulators behind a network with a latency.
struct Network {
    source: Router,
    destination: Router,
    time: Arc<VirtualTime>,
    seen: Mutex<Vec<(i64, Sort, u16)>>,
}

#[async_trait]
impl Transport for Network {
    async fn resolve(
        &self,
        _host: &str,
        port: u16,
    ) -> Result<Vec<std::net::SocketAddr>, TransportError> {
        // Public, as the real ones are; nothing is dialled.
        Ok(vec![([8, 8, 8, 8], port).into()])
    }

    async fn round_trip(&self, request: OutRequest) -> Result<InResponse, TransportError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let sort = match (host.as_str(), request.url.path()) {
            (SOURCE, "/v1/customers/search" | "/v1/customers/archive/search") => Sort::Search,
            (SOURCE, _) => Sort::Other,
            (FILES, _) => Sort::File,
            _ => Sort::Destination,
        };
        let number = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        self.time.sleep(latency(number)).await;
        let arrived = self.time.now();
        let router = match sort {
            Sort::Destination => &self.destination,
            _ => &self.source,
        };
        let response = router
            .clone()
            .oneshot(incoming(request, &host).map_err(|_| TransportError::broken())?)
            .await;
        let Ok(response) = response;
        let status = response.status().as_u16();
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((arrived, sort, status));
        self.time.sleep(latency(number / 2)).await;
        let headers = response.headers().iter().map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        });
        Ok(InResponse {
            status,
            headers: headers.collect(),
            body: response
                .into_body()
                .into_data_stream()
                .map(|piece| piece.map_err(|_| TransportError::broken()))
                .boxed(),
        })
    }
}

/// Half of the way; never the same twice in a row.
fn latency(number: usize) -> Duration {
    let step = u32::try_from(number.wrapping_mul(2_654_435_761) % 64).unwrap_or(0);
    LATENCY / 4 + LATENCY * step / 128
}

/// A request as the simulator's server would have read it.
fn incoming(request: OutRequest, host: &str) -> Result<Request<Body>> {
    let path = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let mut incoming = Request::builder()
        .method(request.method.as_str())
        .uri(path)
        .header("host", host)
        .header("content-length", request.body.len());
    for header in &request.headers {
        incoming = incoming.header(
            HeaderName::try_from(header.name.as_str())?,
            HeaderValue::from_bytes(header.value.as_bytes())?,
        );
    }
    for (name, secret) in &request.secret_headers {
        incoming = incoming.header(name.as_str(), secret.expose());
    }
    Ok(incoming.body(Body::from(request.body.to_bytes()?))?)
}

/// Measures a run of so many conversations.
///
/// # Errors
/// A run that does not end well.
pub async fn measure(dir: &Path, shape: Shape, share: f64) -> Result<Vec<Line>> {
    let clock = Clock::at(DEFAULT_NOW_MS);
    let source = kustomer::Simulator::new(kustomer::Config {
        seed: shape.seed,
        size: shape.size,
        clock: clock.clone(),
        requests_per_minute: REQUESTS,
        searches_per_minute: SEARCHES,
        switches: kustomer::Switches {
            // A request for each message: work enough for many minutes.
            body_resource: BodyResource::Html,
            ..kustomer::Switches::default()
        },
        ..kustomer::Config::default()
    });
    source.set_hosts(Hosts {
        files: format!("https://{FILES}"),
        external: format!("https://{FILES}"),
    });
    let destination = zendesk::Simulator::new(zendesk::Config {
        seed: shape.seed,
        clock: clock.clone(),
        high_volume: true,
        ..zendesk::Config::default()
    });
    platforms::write_project(dir, &destination, "bodies = \"all\"", "", share).await?;
    let (time, running) = VirtualTime::start(clock)?;
    let network = Arc::new(Network {
        source: source.router(),
        destination: destination.router(),
        time: Arc::clone(&time),
        seen: Mutex::default(),
    });
    let config = Config::load(&dir.join("migration.toml"))?;
    let project = Project::open_with(dir, config, Some(network.clone()), time.clone()).await?;
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, options, &Silent).await?;
    ensure!(
        report.state == RunState::Complete,
        "the run ended {:?}: {:?}",
        report.state,
        report.reason
    );
    drop(running);
    let seen = network
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let refused = seen.iter().filter(|(_, _, status)| *status == 429).count();
    let used = used(&seen, share);
    let mean = used.iter().sum::<f64>() / used.len().max(1) as f64;
    let worst = used.iter().copied().fold(f64::INFINITY, f64::min);
    let percent = |part: f64| part * 100.0;
    Ok(vec![
        Line::at_least(
            "b",
            format!(
                "of our budget (share {share}) used, mean of {} minutes",
                used.len()
            ),
            "%",
            percent(mean),
            100.0,
            LEAST,
        ),
        Line::told("  in the emptiest of these minutes", "%", percent(worst)),
        Line {
            wanted: "none".to_owned(),
            met: Some(refused == 0),
            target: "b",
            ..Line::told(
                format!("429s among {} requests to both platforms", seen.len()),
                "",
                refused as f64,
            )
        },
    ])
}

/// For each whole minute of reading, how full the fullest limit was. Reading begins with the first search and ends with the
/// last request that is under a limit.
fn used(seen: &[(i64, Sort, u16)], share: f64) -> Vec<f64> {
    let limited: Vec<(i64, bool)> = seen
        .iter()
        .filter(|(_, sort, _)| matches!(sort, Sort::Search | Sort::Other))
        .map(|(at, sort, _)| (*at, *sort == Sort::Search))
        .collect();
    let begin = limited.iter().filter(|(_, s)| *s).map(|(at, _)| *at).min();
    let end = limited.iter().map(|(at, _)| *at).max();
    let (Some(begin), Some(end)) = (begin, end) else {
        return vec![];
    };
    let minutes = (end - begin) / MINUTE_MS;
    (0..minutes)
        .map(|minute| {
            let from = begin + minute * MINUTE_MS;
            let within = |at: i64| (from..from + MINUTE_MS).contains(&at);
            let all = limited.iter().filter(|(at, _)| within(*at)).count() as f64;
            let searches = limited.iter().filter(|(at, s)| within(*at) && *s).count() as f64;
            let of = |n: f64, limit: u64| n / (limit as f64 * share);
            of(all, REQUESTS).max(of(searches, SEARCHES))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_limit_of_each_whole_minute_counts() {
        let mut seen: Vec<(i64, Sort, u16)> =
            (0..150).map(|n| (n * 400, Sort::Other, 200)).collect();
        seen.push((0, Sort::Search, 200));
        seen.extend((0..50).map(|n| (60_000 + n * 1_200, Sort::Search, 200)));
        seen.push((120_000, Sort::Other, 200));
        seen.push((500_000, Sort::Destination, 200));
        assert_eq!(used(&seen, 0.5), vec![151.0 / 150.0, 1.0]);
    }
}
