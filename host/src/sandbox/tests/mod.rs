//! The sandbox against guests that no compiler would make: components written as text (see `guest`).
//!
//! What a connector in Rust can do wrong is in `tests/e2e/tests/all/hostile.rs`, with a whole run around it.

mod contained;
mod guest;
mod loading;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::blobs::{BlobStore, Builder};
use crate::contract::session::Context;
use crate::contract::{http, ledger, runtime, types};
use crate::unit_host::{UnitAbort, UnitHost};

/// A sandbox with small limits, in a folder of its own.
struct Bench {
    dir: TempDir,
    config: SandboxConfig,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = SandboxConfig {
            max_units: 4,
            memory_limit: 32 << 20,
            table_limit: 10_000,
            cpu_limit: Duration::from_millis(200),
            wall_limit: Duration::from_secs(20),
            transfer_limit: 1 << 20,
            max_handles: 100,
            blob_limit: 1 << 20,
            max_builders: 8,
            max_calls: 100,
            calls_at_once: 4,
            exchange_limit: 1 << 20,
            log_limit: 10_000,
            component_limit: 1 << 20,
            ..SandboxConfig::new(dir.path().join("cache"))
        };
        Self { dir, config }
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::new(self.config.clone()).unwrap()
    }

    async fn load(&self, bytes: Vec<u8>) -> Result<Plugin, SandboxError> {
        let sha256 = digest(&bytes);
        self.sandbox().load(bytes, &sha256).await
    }

    fn host(&self) -> Arc<Quiet> {
        Arc::new(Quiet {
            blobs: BlobStore::open(self.dir.path().join("blobs"), 1 << 30).unwrap(),
            logged: Mutex::default(),
            ended: AtomicU64::new(0),
        })
    }
}

/// What a guest's `check` dispatches on is the first letter of its settings.
fn context(letter: char) -> Context {
    Context {
        config: letter.to_string(),
        run: String::new(),
        platform: String::new(),
        organisation: String::new(),
        time_zone: String::new(),
        state: None,
    }
}

/// A host that does nothing but hold blobs and lines of the log.
struct Quiet {
    blobs: BlobStore,
    logged: Mutex<Vec<String>>,
    ended: AtomicU64,
}

#[async_trait]
impl UnitHost for Quiet {
    fn now(&self) -> i64 {
        0
    }
    async fn send(
        &self,
        _request: http::Request,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        Ok(Err(http::Error::Timeout))
    }
    async fn poll(
        &self,
        _request: http::Request,
        _options: http::PollOptions,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        Ok(Err(http::Error::Timeout))
    }
    async fn download(
        &self,
        _request: http::Request,
    ) -> Result<Result<(http::Response, types::BlobRef), http::Error>, UnitAbort> {
        Ok(Err(http::Error::Timeout))
    }
    async fn sleep(&self, ms: u64) -> Result<(), UnitAbort> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(())
    }
    fn log(&self, _level: runtime::Level, message: &str) {
        self.logged.lock().unwrap().push(message.to_owned());
    }
    fn progress(&self, _done: u64, _total: Option<u64>) {}
    fn blob_read(
        &self,
        blob: &types::BlobRef,
        offset: u64,
        len: u32,
    ) -> Result<Vec<u8>, UnitAbort> {
        Ok(self.blobs.read(blob, offset, len)?)
    }
    fn blob_keep(&self, builder: Builder) -> Result<types::BlobRef, UnitAbort> {
        Ok(builder.finish()?)
    }
    fn blob_builder(&self, media_type: String) -> Result<Builder, UnitAbort> {
        Ok(self.blobs.builder(media_type))
    }
    async fn report(
        &self,
        outcomes: Vec<ledger::Outcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        Ok(vec![Ok(()); outcomes.len()])
    }
    async fn report_undo(
        &self,
        outcomes: Vec<ledger::UndoOutcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        Ok(vec![Ok(()); outcomes.len()])
    }
    fn idle(&self) {}
    fn ended(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}
