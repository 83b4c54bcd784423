//! The host of a unit that only reads: nothing is journaled, nothing mutating leaves (rule D-17: a safe request needs no row).
//!
//! It also serves a preview of an undo, whose reports are collected instead of stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::blobs::{BlobStore, Builder};
use crate::clock::SharedClock;
use crate::contract::{http, ledger, runtime, types};
use crate::gateway::{Exchange, Gateway};
use crate::rehearsal::Rehearsal;
use crate::unit::{log_guest, path_of};
use crate::unit_host::{KnownBlobs, UnitAbort, UnitHost};

/// What a reading unit needs.
#[derive(Clone)]
pub struct ReadingHost {
    gateway: Gateway,
    blobs: BlobStore,
    clock: SharedClock,
    now: i64,
    known: Arc<Mutex<KnownBlobs>>,
    undone: Arc<Mutex<Vec<ledger::UndoOutcome>>>,
    ended: CancellationToken,
    rehearsal: Option<Rehearsal>,
}

impl ReadingHost {
    /// A host for one unit. `known` are the blobs it may read.
    #[must_use]
    pub fn new(gateway: Gateway, blobs: BlobStore, clock: SharedClock, known: KnownBlobs) -> Self {
        let now = clock.now();
        Self {
            gateway,
            blobs,
            clock,
            now,
            known: Arc::new(Mutex::new(known)),
            undone: Arc::default(),
            ended: CancellationToken::new(),
            rehearsal: None,
        }
    }

    /// In a dry run: answers to reads of what would have been made.
    #[must_use]
    pub fn rehearsing(mut self, rehearsal: Option<Rehearsal>) -> Self {
        self.rehearsal = rehearsal;
        self
    }

    /// What is answered in the network's place.
    async fn rehearsed(
        &self,
        request: &http::Request,
    ) -> Result<Option<http::Response>, UnitAbort> {
        match &self.rehearsal {
            Some(rehearsal) => {
                let known = self.known().clone();
                rehearsal.read(request, known, vec![]).await
            }
            None => Ok(None),
        }
    }

    /// What was really read may lack what would have been made.
    async fn amended(
        &self,
        request: &http::Request,
        real: http::Response,
    ) -> Result<http::Response, UnitAbort> {
        let Some(rehearsal) = &self.rehearsal else {
            return Ok(real);
        };
        let known = self.known().clone();
        let answer = rehearsal
            .amended(request, known, vec![], real.clone())
            .await?;
        Ok(answer.unwrap_or(real))
    }

    /// What a previewed undo reported.
    #[must_use]
    pub fn previewed(&self) -> Vec<ledger::UndoOutcome> {
        std::mem::take(&mut *self.undone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self) -> MutexGuard<'_, KnownBlobs> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something for the guest for as long as there is one: a read harms nobody by being dropped.
    async fn for_guest<T>(
        &self,
        work: impl Future<Output = Result<T, UnitAbort>>,
    ) -> Result<T, UnitAbort> {
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(UnitAbort::Ended),
            done = work => done,
        }
    }
}

#[async_trait]
impl UnitHost for ReadingHost {
    fn now(&self) -> i64 {
        self.now
    }

    async fn send(
        &self,
        request: http::Request,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        if self.gateway.is_mutating(&request) {
            return Ok(Err(http::Error::Denied(format!(
                "{} {} would change something, and this call only reads",
                request.method.escape_debug(),
                path_of(&request)
            ))));
        }
        self.known().check_request(&request)?;
        if let Some(response) = self.rehearsed(&request).await? {
            return Ok(Ok(response));
        }
        let exchange = self.gateway.exchange(&request, None);
        Ok(match self.for_guest(exchange).await? {
            Exchange::Answered { response, .. } => Ok(self.amended(&request, response).await?),
            Exchange::Failed(error) => Err(error),
            Exchange::Doubt { .. } => Err(http::Error::Timeout),
        })
    }

    async fn poll(
        &self,
        request: http::Request,
        options: http::PollOptions,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        self.known().check_request(&request)?;
        self.for_guest(self.gateway.poll(request, options)).await
    }

    async fn download(
        &self,
        request: http::Request,
    ) -> Result<Result<(http::Response, types::BlobRef), http::Error>, UnitAbort> {
        self.known().check_request(&request)?;
        let result = self.for_guest(self.gateway.download(request)).await?;
        if let Ok((_, blob)) = &result {
            self.known().add(blob);
        }
        Ok(result)
    }

    async fn sleep(&self, ms: u64) -> Result<(), UnitAbort> {
        self.clock.sleep(Duration::from_millis(ms)).await;
        Ok(())
    }

    fn log(&self, level: runtime::Level, message: &str) {
        log_guest(level, 0, message);
    }

    fn progress(&self, _done: u64, _total: Option<u64>) {}

    fn blob_read(
        &self,
        blob: &types::BlobRef,
        offset: u64,
        len: u32,
    ) -> Result<Vec<u8>, UnitAbort> {
        self.known().check(blob)?;
        Ok(self.blobs.read(blob, offset, len)?)
    }

    fn blob_keep(&self, builder: Builder) -> Result<types::BlobRef, UnitAbort> {
        let blob = builder.finish()?;
        self.known().add(&blob);
        Ok(blob)
    }

    fn blob_builder(&self, media_type: String) -> Result<Builder, UnitAbort> {
        Ok(self.blobs.builder(media_type))
    }

    async fn report(
        &self,
        outcomes: Vec<ledger::Outcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        Ok(vec![Err(ledger::Refusal::UnknownItem); outcomes.len()])
    }

    async fn report_undo(
        &self,
        outcomes: Vec<ledger::UndoOutcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        let taken = vec![Ok(()); outcomes.len()];
        self.undone
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(outcomes);
        Ok(taken)
    }

    fn idle(&self) {}

    fn ended(&self) {
        self.ended.cancel();
    }
}
