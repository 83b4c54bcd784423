//! The seam between the sandbox and everything behind it: what one unit's imports do.
//!
//! The sandbox owns wasmtime and knows no journal and no network; an implementation of [`UnitHost`] owns the journal and the
//! gateway and knows no wasmtime. One value serves one unit and is dropped with it.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::blobs::BlobError;
use crate::contract::{http, ledger, runtime, types};

/// Why a unit must end at once. Raised by a host function; ends the guest as a trap and comes back, typed, from the sandbox.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnitAbort {
    /// A replay took another way than the journal: the open items run singly, look-up first (design §7.4).
    #[error("the unit took another way than its journal: {0}")]
    Diverged(String),
    /// The journal or the ledger could not be written. Nothing may be sent any more.
    #[error("the store failed: {0}")]
    Store(String),
    /// Another process owns the run now.
    #[error("another process has taken this run over")]
    Fenced,
    /// A page or a blob beyond the limits.
    #[error("over a host limit: {0}")]
    Limit(String),
    /// A blob that this unit was not given.
    #[error("no such blob for this unit: {0}")]
    UnknownBlob(String),
    /// A dry run: what the platform would answer is not known, so the guest can go no further.
    #[error("it would send {0}; what follows depends on an answer that only the platform can give")]
    Unanswered(String),
    /// The guest has ended, so what it had begun and what had not left is not wanted any more.
    #[error("the guest has ended")]
    Ended,
}

impl From<BlobError> for UnitAbort {
    /// For bytes of the guest's: too many are its fault, everything else is the disk's.
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooLarge { .. } => Self::Limit(error.to_string()),
            BlobError::Absent(sha256) => Self::UnknownBlob(sha256),
            error => Self::Store(error.to_string()),
        }
    }
}

/// The blobs that one unit was given or made, by sha-256, with their sizes. Whoever knows or guesses the hash of another's bytes
/// gets nothing for it.
#[derive(Debug, Clone, Default)]
pub struct KnownBlobs(HashMap<String, u64>);

impl KnownBlobs {
    /// The unit may use this one.
    pub fn add(&mut self, blob: &types::BlobRef) {
        self.0.insert(blob.sha256.clone(), blob.size);
    }

    /// Whether the unit may use this one, as it is.
    ///
    /// # Errors
    /// [`UnitAbort::UnknownBlob`]
    pub fn check(&self, blob: &types::BlobRef) -> Result<(), UnitAbort> {
        if self.0.get(&blob.sha256) == Some(&blob.size) {
            Ok(())
        } else {
            let shown = blob.sha256.chars().take(64).collect();
            Err(UnitAbort::UnknownBlob(shown))
        }
    }

    /// Whether the unit may send all that this request carries.
    ///
    /// # Errors
    /// As [`KnownBlobs::check`].
    pub fn check_request(&self, request: &http::Request) -> Result<(), UnitAbort> {
        match &request.body {
            http::Body::None | http::Body::Bytes(_) => Ok(()),
            http::Body::Blob(blob) => self.check(blob),
            http::Body::Multipart(parts) => parts.iter().try_for_each(|part| match &part.body {
                http::PartBody::Bytes(_) => Ok(()),
                http::PartBody::Blob(blob) => self.check(blob),
            }),
            http::Body::Pieces(pieces) => pieces.iter().try_for_each(|piece| match piece {
                http::Piece::Bytes(_) => Ok(()),
                http::Piece::Blob(blob) | http::Piece::Base64(blob) => self.check(blob),
            }),
        }
    }
}

/// What a guest's imports do. Every method may be called concurrently with itself.
///
/// Cancel safety: the sandbox may drop any returned future (a guest can cancel a call); an implementation spawns what must go
/// on, so that a request that has left is always journaled with its answer.
#[async_trait]
pub trait UnitHost: Send + Sync + 'static {
    /// `runtime.now`: constant within the unit.
    fn now(&self) -> i64;
    /// What an interpreted guest's chance is drawn from: the same whenever the unit runs, another one for another unit. A call that
    /// only reads has none of its own: the same page read twice is the same.
    fn seed(&self) -> String {
        String::new()
    }
    /// `http.send`
    async fn send(
        &self,
        request: http::Request,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort>;
    /// `http.poll`
    async fn poll(
        &self,
        request: http::Request,
        options: http::PollOptions,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort>;
    /// `http.download`
    async fn download(
        &self,
        request: http::Request,
    ) -> Result<Result<(http::Response, types::BlobRef), http::Error>, UnitAbort>;
    /// `runtime.sleep`
    async fn sleep(&self, ms: u64) -> Result<(), UnitAbort>;
    /// `runtime.log`
    fn log(&self, level: runtime::Level, message: &str);
    /// `runtime.progress`
    fn progress(&self, done: u64, total: Option<u64>);
    /// `blobs.read`. Short files are read on the spot: the guest waits anyway.
    fn blob_read(&self, blob: &types::BlobRef, offset: u64, len: u32)
    -> Result<Vec<u8>, UnitAbort>;
    /// `blobs.builder.finish`: keeps the bytes of the builder's file and lets this unit use them.
    fn blob_keep(&self, builder: crate::blobs::Builder) -> Result<types::BlobRef, UnitAbort>;
    /// `blobs.builder` constructor.
    fn blob_builder(&self, media_type: String) -> Result<crate::blobs::Builder, UnitAbort>;
    /// `ledger.report`
    async fn report(
        &self,
        outcomes: Vec<ledger::Outcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort>;
    /// `ledger.report-undo`
    async fn report_undo(
        &self,
        outcomes: Vec<ledger::UndoOutcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort>;
    /// Called after each poll of the guest that left it waiting: lets a replay notice that nobody will come for the next
    /// recorded answer. Must not block.
    fn idle(&self);
    /// Called once, when the guest has ended, in whatever way: what it left open and has not left the house is to be given up,
    /// what has left is to be seen through. The sandbox waits for both. Must not block.
    fn ended(&self) {}
}
