//! A connector's own conformance test against a simulator in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use axum::Router;
use serde_json::{Map, Value};
use transload_host::conformance::{
    Account, Conformance, Opens, Platform, Request, Response, Test, TestTime, test,
};
use transload_simulators::common::{Clock, ask};
use transload_simulators::kustomer;

use crate::destination::Destination;
use crate::engine::tiny;
use crate::lab::{plugin_bytes, target_dir};

/// Where a simulator's connection says that it is. Nothing is dialled.
pub const BASE: &str = "http://127.0.0.1:7";

/// What is there, as a value.
type Holds = Box<dyn Fn() -> Value + Send + Sync>;

/// A simulator's router as a platform.
pub struct Simulated {
    /// Its routes.
    pub router: Router,
    /// Its time, which follows the test's.
    pub clock: Clock,
    /// How a connection to it is set up.
    pub account: Account,
    /// All that it holds, where that can be compared.
    pub holds: Option<Holds>,
}

#[async_trait]
impl Platform for Simulated {
    fn account(&self) -> Account {
        self.account.clone()
    }

    async fn answer(&self, request: Request) -> Option<Response> {
        let late = request.at - self.clock.now_ms();
        if late > 0 {
            self.clock.advance(late);
        }
        let (method, target) = (request.method, request.target);
        let router = self.router.clone();
        let got = ask(
            router,
            &method,
            &target,
            request.headers,
            None,
            request.body,
        )
        .await?;
        Some(Response {
            status: got.status,
            headers: got.headers,
            body: got.body,
        })
    }

    fn held(&self) -> Option<Value> {
        self.holds.as_ref().map(|holds| holds())
    }
}

/// A connection as lines of `migration.toml`, with its secret apart.
///
/// # Errors
/// Lines that are none.
pub fn account(lines: &str, credential: &str) -> Result<Account> {
    let all: Map<String, Value> = toml_edit::de::from_str(lines)?;
    let is_secret = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("file:"));
    let (secrets, settings): (Map<_, _>, Map<_, _>) =
        all.into_iter().partition(|(_, value)| is_secret(value));
    let secrets = secrets
        .into_iter()
        .map(|(name, _)| (name, credential.to_owned()));
    Ok(Account {
        settings,
        secrets: secrets.collect(),
    })
}

/// A simulated destination.
///
/// # Errors
/// Lines of a connection that are none.
pub fn destination<D: Destination>() -> Result<Opens> {
    account(&D::connection(BASE), "")?;
    Ok(Arc::new(|time: &TestTime| {
        let clock = Clock::at(time.now_ms());
        let simulator = D::start(&tiny(), clock.clone());
        simulator.hurry();
        Arc::new(Simulated {
            router: simulator.router(),
            clock,
            account: account(&D::connection(BASE), &simulator.credential()).unwrap_or_default(),
            holds: Some(Box::new(move || simulator.state_fingerprint())),
        })
    }))
}

/// The simulated source.
#[must_use]
pub fn source() -> Opens {
    Arc::new(|time: &TestTime| {
        let clock = Clock::at(time.now_ms());
        let simulator = kustomer::Simulator::new(tiny().source(clock.clone()));
        simulator.harness().limits.set_off(true);
        simulator.set_hosts(kustomer::Hosts {
            files: BASE.to_owned(),
            external: BASE.to_owned(),
        });
        let mut settings = Map::new();
        settings.insert("org".into(), "acme".into());
        settings.insert("base_url".into(), BASE.into());
        let secrets = BTreeMap::from([("token".to_owned(), kustomer::FULL_KEY.to_owned())]);
        Arc::new(Simulated {
            router: simulator.router(),
            clock,
            account: Account { settings, secrets },
            holds: None,
        })
    })
}

/// Tests a built connector, in the form that takes least time.
///
/// # Errors
/// A connector that was not built, a machine that is in the way.
pub async fn tested(plugin: &str, opens: Opens, thorough: bool) -> Result<Conformance> {
    let component = plugin_bytes(plugin)?;
    let test_of = Test {
        component,
        opens,
        against: format!("the simulator of {plugin}"),
        thorough,
        skips: vec![],
        cache_dir: target_dir().join("e2e-cache"),
        at: 0,
    };
    let began = std::time::Instant::now();
    // Whoever looks sees what takes so long.
    let told = |what: &str| println!("{plugin} after {} ms: {what}", began.elapsed().as_millis());
    test(&test_of, &told)
        .await
        .with_context(|| format!("{plugin} cannot be tested"))
}
