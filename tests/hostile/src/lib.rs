//! Connectors that misbehave as they are told: a source and a destination of one small platform, `desk`, with customers and
//! nothing else.
//!
//! The connection's settings name a [`misdeed`], the exported call that commits it and, for a destination, the one record
//! whose unit it happens in; everything else these connectors do is what an honest one does. The tests that use them are in
//! `tests/e2e/tests/all/hostile.rs`, with the desk itself. What the compiler of Rust does not let through is written as text,
//! in the tests of the host's sandbox.

mod describe;
pub mod misdeed;

#[cfg(feature = "destination")]
mod destination;
#[cfg(feature = "source")]
mod source;

#[cfg(feature = "destination")]
pub use destination::HostileDestination;
#[cfg(feature = "source")]
pub use source::HostileSource;

use serde::{Deserialize, Serialize};
use transload_sdk::http::RequestBuilder;
use transload_sdk::session::Account;
use transload_sdk::{Context, Result};

/// The connectors' version, sent along with every request so that a desk sees which one asks. The tests make a later version
/// of a component by putting another number in its place, so it must stand in the component as it is.
const VERSION: &str = "7.1.0";

fn version() -> &'static str {
    std::hint::black_box(VERSION)
}

fn signed(request: RequestBuilder) -> RequestBuilder {
    request.header("x-connector", version())
}

/// A customer as the desk writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    #[serde(default)]
    id: String,
    name: String,
    #[serde(default)]
    marker: Option<String>,
}

async fn account(cx: &Context) -> Result<Account> {
    #[derive(Deserialize)]
    struct Desk {
        id: String,
        name: String,
    }
    let reply = signed(cx.http().get("/account")).send().await?;
    let desk: Desk = reply.or_error(|_| None)?.json()?;
    Ok(Account {
        id: desk.id,
        name: desk.name,
        url: None,
        tier: None,
        time_zone: None,
        user: None,
        roles: vec![],
        missing: vec![],
        excess: vec![],
        notices: vec![],
    })
}
