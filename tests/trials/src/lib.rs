//! A destination's connector on trial: on the SDK's harness, which stands on a simulated platform. No socket, and no time but the
//! platform's. What all connectors' own tests share is here; what a test says of a vendor is beside the connector.
#![allow(clippy::panic, reason = "what is not as a test says is a failed test")]

pub mod doubt;
mod stand;
mod talk;

use axum::Router;
use transload_sdk::Destination;
use transload_sdk::http::{Header, Request, Response};
use transload_sdk::testing::{Files, Harness, answer};
use transload_sdk::types::BlobRef;
use transload_simulators::common::{Clock, ask};

pub use stand::Stand;
pub use talk::{DAY, Talk, bo};
pub use transload_sdk::testing::items::*;
pub use transload_sdk::testing::trial::{Trial, assert_same, assert_undone};

/// The way to a simulated platform.
#[derive(Clone)]
pub struct Line {
    /// The platform.
    pub router: Router,
    /// Its time.
    pub clock: Clock,
    /// What a host sends as `Authorization`.
    pub credential: String,
    /// The path of the connection's base URL, as `/api`; empty where there is none.
    pub base: &'static str,
    /// What passes at the platform with every request, ms.
    pub step_ms: i64,
}

impl Line {
    /// A connection that knows nothing of another one: at the other end of this line, prepared by nobody.
    pub fn trial<D: Destination + 'static>(&self) -> Trial<D> {
        let (line, time) = (self.clone(), self.clock.clone());
        let plays = move || {
            let (line, slept) = (line.clone(), line.clock.clone());
            Harness::with_files(|files| {
                move |request| {
                    line.clock.advance(line.step_ms);
                    line.clone().send::<D>(files.clone(), request)
                }
            })
            .holding(made_up)
            .sleeping(move |ms| slept.advance(i64::try_from(ms).unwrap_or(0)))
        };
        Trial::new(plays, move || time.now_ms())
    }

    /// One request, as a host sends it: only what the connector declares, with the credential and the base URL's path.
    async fn send<D: Destination>(self, files: Files, request: Request) -> Response {
        let (method, url) = (request.method.as_str(), request.url.as_str());
        assert!(is_declared::<D>(&request), "not declared: {method} {url}");
        let (mut headers, body) = files.on_the_wire(&request, made_up);
        headers.push(("authorization".to_owned(), self.credential));
        let url = format!("{}{url}", self.base);
        let Some(got) = ask(self.router, method, &url, headers, None, body).await else {
            return answer(400, "not a request");
        };
        let header = |(name, value)| Header { name, value };
        Response {
            status: got.status,
            headers: got.headers.into_iter().map(header).collect(),
            body: got.body,
            attempted_before: false,
        }
    }
}

/// Whether a host would let a request out; another host's than the connection's is granted otherwise.
fn is_declared<D: Destination>(request: &Request) -> bool {
    if request.url.contains("://") {
        return true;
    }
    let path = request.url.split('?').next().unwrap_or_default();
    let segments = |path: &'_ str| -> Vec<String> {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        segments.map(str::to_owned).collect()
    };
    let path = segments(path);
    D::describe().requests.iter().any(|pattern| {
        let method = pattern.method == "*" || pattern.method == request.method;
        method && fits(&segments(&pattern.path), &path)
    })
}

/// `**` stands for any segments, `*` for one or a part of one.
fn fits(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), found) if first == "**" => {
            let longer = |(_, tail): (&String, &[String])| fits(pattern, tail);
            fits(rest, path) || found.is_some_and(longer)
        }
        (Some((first, rest)), Some((segment, tail))) => {
            part_fits(first, segment) && fits(rest, tail)
        }
        _ => false,
    }
}

fn part_fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.filter_map(|at| rest.get(at..))
                .any(|rest| part_fits(after, rest))
        }),
    }
}

/// The bytes of a file that no test gave any: as many letters as it has bytes.
pub fn made_up(blob: &BlobRef) -> Vec<u8> {
    vec![b'x'; usize::try_from(blob.size).unwrap_or_default()]
}

/// A simulated platform with its connector on trial, `trial`, stands for the trial wherever one is wanted.
#[macro_export]
macro_rules! stands_for_its_trial {
    ($platform:ty, $connector:ty) => {
        impl std::ops::Deref for $platform {
            type Target = $crate::Trial<$connector>;

            fn deref(&self) -> &Self::Target {
                &self.trial
            }
        }

        impl std::ops::DerefMut for $platform {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.trial
            }
        }
    };
}

/// Runs a test's future.
///
/// # Panics
/// Where the machine gives no runtime.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("no runtime: {error}"),
    }
}
