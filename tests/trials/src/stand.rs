//! A simulated platform with its connector on trial, as each connector's tests have one.

use std::ops::DerefMut;

use serde_json::Value;
use transload_sdk::Destination;
use transload_sdk::destination::Item;
use transload_sdk::ledger::{Outcome, Status};
use transload_sdk::testing::Harness;
use transload_sdk::testing::trial::Trial;
use transload_sdk::types::Kind;

use crate::Talk;

/// A simulated platform with its connector on trial. It stands for the trial wherever one is wanted
/// ([`stands_for_its_trial!`](crate::stands_for_its_trial)).
#[allow(async_fn_in_trait, reason = "tests have one thread")]
pub trait Stand: Sized + DerefMut<Target = Trial<Self::Connector>> {
    /// The connector.
    type Connector: Destination;
    /// How the platform is to be.
    type Config;

    /// A platform, as an operator leaves it before a migration, at which nothing was done yet.
    fn unprepared(change: impl FnOnce(&mut Self::Config)) -> Self;

    /// All that is at the platform.
    fn print(&self) -> Value;

    /// The same without what no connector can take back.
    fn live(&self) -> Value {
        self.print()
    }

    /// Nobody was mailed, and nothing of the platform's own ran (rule M-8).
    fn assert_silent(&self);

    /// A prepared platform.
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One that is otherwise as said.
    async fn with(change: impl FnOnce(&mut Self::Config)) -> Self {
        let mut stand = Self::unprepared(change);
        stand.prepare().await;
        stand
    }

    /// One unit; whatever is written, it stays silent.
    async fn write(&self, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        self.write_on(self.harness(), kind, items).await
    }

    /// The same on a harness of the test's.
    async fn write_on(&self, harness: Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        let outcomes = Trial::write_on(self, harness, kind, items).await;
        self.assert_silent();
        outcomes
    }

    /// Writes the two people of [`Talk`]: they are there afterwards.
    async fn people(&self) {
        for (kind, item) in Talk::people(self.deref()) {
            let items = self.matched(kind.clone(), vec![item]).await;
            let made = self.write(kind, items).await;
            let there = |o: &Outcome| matches!(o.status, Status::Created | Status::Matched);
            assert!(made.iter().all(there), "{made:?}");
        }
    }
}
