//! The contract's imports, bound to a [`UnitHost`].
//!
//! An asynchronous import is polled once on the spot, so that calls reach the host in the order in which the guest made
//! them, and moved to a task of its own if it is not done by then: host futures of a store stand still while its guest
//! computes, and a guest may give a call up although its request has left. Only waits, which leave nothing behind, end
//! with the guest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;
use wasmtime::component::{Accessor, HasSelf, Resource, ResourceTable};

use super::limits::{Activity, Busy, Carriage, HostLimit, Limiter, LogQuota};
use super::wasi::System;
use crate::blobs::Builder;
use crate::contract::{
    blobs, description, destination, http, ledger, runtime, session, source, types,
};
use crate::unit_host::{UnitAbort, UnitHost};

/// A guest's handle on a blob under construction.
#[derive(Debug)]
pub struct BlobBuilder {
    media_type: String,
    /// `None` after `finish`, until the guest adds bytes again.
    builder: Option<Builder>,
}

/// What a store holds beside its guest.
pub(super) struct UnitState {
    pub(super) host: Arc<dyn UnitHost>,
    pub(super) activity: Arc<Activity>,
    pub(super) limiter: Limiter,
    /// Blobs under construction.
    pub(super) table: ResourceTable,
    /// Bytes that the guest may still append to blobs.
    pub(super) blob_bytes_left: u64,
    /// Bytes that it may read from a blob at once.
    pub(super) read_limit: u64,
    /// Calls that the guest may still make.
    pub(super) calls_left: u32,
    pub(super) carriage: Arc<Carriage>,
    /// Calls that the host works on at once.
    pub(super) turns: Arc<Semaphore>,
    /// Held by every call that is worked on: the sandbox hears when the last one has ended.
    pub(super) open: mpsc::Sender<Never>,
    pub(super) log: LogQuota,
    /// What an interpreted guest has of a system.
    pub(super) system: System,
}

/// What is never sent: its channel only tells that all its senders are gone.
pub(super) enum Never {}

type Imports = HasSelf<UnitState>;

impl types::Host for UnitState {}
impl session::Host for UnitState {}
impl description::Host for UnitState {}
impl source::Host for UnitState {}
impl destination::Host for UnitState {}
impl http::Host for UnitState {}
impl ledger::Host for UnitState {}

type HostFuture<R> = Pin<Box<dyn Future<Output = Result<R, UnitAbort>> + Send>>;

/// What becomes of a host call when the guest gives it up, or the unit ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Abandoned {
    /// It goes on.
    Continues,
    /// It is dropped.
    Dropped,
}

/// What a host call takes of its unit's share when it begins.
enum Cost {
    /// These bytes of the guest's, and a turn until it is done.
    Bytes(usize),
    /// Nothing: a wait holds nothing.
    Nothing,
}

/// Runs one asynchronous import; `weigh` says how many bytes its answer has.
async fn call<R, F>(
    accessor: &Accessor<UnitState, Imports>,
    abandoned: Abandoned,
    cost: Cost,
    weigh: fn(&R) -> usize,
    start: F,
) -> wasmtime::Result<R>
where
    R: Send + 'static,
    F: FnOnce(Arc<dyn UnitHost>) -> HostFuture<R> + Send + 'static,
{
    let mut tracked = accessor.with(|mut access| {
        let state = access.get();
        state.calls_left = state
            .calls_left
            .checked_sub(1)
            .ok_or_else(|| HostLimit("too many calls of the host in one unit".to_owned()))?;
        let turns = match cost {
            Cost::Bytes(bytes) => {
                state.carriage.carry(bytes)?;
                Some(Arc::clone(&state.turns))
            }
            Cost::Nothing => None,
        };
        let host = Arc::clone(&state.host);
        let (carriage, open) = (Arc::clone(&state.carriage), state.open.clone());
        Ok::<_, HostLimit>(Tracked {
            inner: Box::pin(async move {
                let _open = open;
                let _turn = match turns {
                    // Unconstrained: calls queue in the order in which they were made, whatever tokio thinks of this unit.
                    Some(turns) => Some(unconstrained(turns.acquire_owned()).await),
                    None => None,
                };
                let answer = start(host).await?;
                carriage.carry(weigh(&answer))?;
                Ok(answer)
            }),
            activity: Arc::clone(&state.activity),
        })
    })?;
    let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut tracked).poll(cx))).await;
    let (result, _busy) = match first {
        Poll::Ready(done) => done,
        Poll::Pending => {
            let task = Task {
                handle: tokio::spawn(tracked),
                abandoned,
            };
            // Unconstrained: a finished task must not look unfinished because tokio thinks this unit did enough.
            unconstrained(task).await?
        }
    };
    result
}

type Tracking<R> = Pin<Box<dyn Future<Output = wasmtime::Result<R>> + Send>>;

/// Marks the host as busy during each poll, and from the end on for as long as the answer is under way.
struct Tracked<R> {
    inner: Tracking<R>,
    activity: Arc<Activity>,
}

impl<R> Future for Tracked<R> {
    type Output = (wasmtime::Result<R>, Busy);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let busy = Busy::new(&self.activity);
        self.inner.as_mut().poll(cx).map(|result| (result, busy))
    }
}

/// A spawned host call.
struct Task<R> {
    handle: JoinHandle<R>,
    abandoned: Abandoned,
}

impl<R> Future for Task<R> {
    type Output = Result<R, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx)
    }
}

impl<R> Drop for Task<R> {
    fn drop(&mut self) {
        if self.abandoned == Abandoned::Dropped {
            self.handle.abort();
        }
    }
}

type Answered<R> = Result<R, http::Error>;

/// Bytes of a request that the host holds while it works on it; blobs stay on the disk.
fn request_weight(request: &http::Request) -> usize {
    let body = match &request.body {
        http::Body::None | http::Body::Blob(_) => 0,
        http::Body::Bytes(bytes) => bytes.len(),
        http::Body::Multipart(parts) => {
            let part = |part: &http::Part| match &part.body {
                http::PartBody::Bytes(bytes) => bytes.len(),
                http::PartBody::Blob(_) => 0,
            };
            parts.iter().map(part).sum()
        }
        http::Body::Pieces(pieces) => {
            let piece = |piece: &http::Piece| match piece {
                http::Piece::Bytes(bytes) => bytes.len(),
                http::Piece::Blob(_) | http::Piece::Base64(_) => 0,
            };
            pieces.iter().map(piece).sum()
        }
    };
    body + request.url.len() + headers_weight(&request.headers)
}

fn response_weight(response: &http::Response) -> usize {
    response.body.len() + headers_weight(&response.headers)
}

fn headers_weight(headers: &[http::Header]) -> usize {
    headers.iter().map(|h| h.name.len() + h.value.len()).sum()
}

fn answer_weight(answer: &Answered<http::Response>) -> usize {
    answer.as_ref().map_or(0, response_weight)
}

fn download_weight(answer: &Answered<(http::Response, types::BlobRef)>) -> usize {
    answer
        .as_ref()
        .map_or(0, |(response, _)| response_weight(response))
}

/// The length of outcomes as they are stored.
fn stored_length<O: serde::Serialize>(outcomes: &[O]) -> usize {
    struct Length(usize);
    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // Neither the types nor the writer can fail.
    let _ = serde_json::to_writer(&mut length, outcomes);
    length.0
}

fn weightless<R>(_answer: &R) -> usize {
    0
}

impl http::HostWithStore<UnitState> for Imports {
    async fn send(
        accessor: &Accessor<UnitState, Self>,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        let cost = Cost::Bytes(request_weight(&request));
        call(
            accessor,
            Abandoned::Continues,
            cost,
            answer_weight,
            |host| Box::pin(async move { host.send(request).await }),
        )
        .await
    }

    async fn poll(
        accessor: &Accessor<UnitState, Self>,
        request: http::Request,
        options: http::PollOptions,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        let cost = Cost::Bytes(request_weight(&request));
        call(accessor, Abandoned::Dropped, cost, answer_weight, |host| {
            Box::pin(async move { host.poll(request, options).await })
        })
        .await
    }

    async fn download(
        accessor: &Accessor<UnitState, Self>,
        request: http::Request,
    ) -> wasmtime::Result<Result<(http::Response, types::BlobRef), http::Error>> {
        let cost = Cost::Bytes(request_weight(&request));
        call(
            accessor,
            Abandoned::Continues,
            cost,
            download_weight,
            |host| Box::pin(async move { host.download(request).await }),
        )
        .await
    }
}

impl ledger::HostWithStore<UnitState> for Imports {
    async fn report(
        accessor: &Accessor<UnitState, Self>,
        outcomes: Vec<ledger::Outcome>,
    ) -> wasmtime::Result<Vec<Result<(), ledger::Refusal>>> {
        let cost = Cost::Bytes(stored_length(&outcomes));
        call(accessor, Abandoned::Continues, cost, weightless, |host| {
            Box::pin(async move { host.report(outcomes).await })
        })
        .await
    }

    async fn report_undo(
        accessor: &Accessor<UnitState, Self>,
        outcomes: Vec<ledger::UndoOutcome>,
    ) -> wasmtime::Result<Vec<Result<(), ledger::Refusal>>> {
        let cost = Cost::Bytes(stored_length(&outcomes));
        call(accessor, Abandoned::Continues, cost, weightless, |host| {
            Box::pin(async move { host.report_undo(outcomes).await })
        })
        .await
    }
}

impl runtime::HostWithStore<UnitState> for Imports {
    async fn sleep(accessor: &Accessor<UnitState, Self>, ms: u64) -> wasmtime::Result<()> {
        call(
            accessor,
            Abandoned::Dropped,
            Cost::Nothing,
            weightless,
            move |host| Box::pin(async move { host.sleep(ms).await }),
        )
        .await
    }
}

impl runtime::Host for UnitState {
    fn now(&mut self) -> wasmtime::Result<types::Timestamp> {
        Ok(self.host.now())
    }

    fn log(&mut self, level: runtime::Level, message: String) -> wasmtime::Result<()> {
        if let Some(line) = self.log.line(&message) {
            self.host.log(level, &line);
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: Option<u64>) -> wasmtime::Result<()> {
        self.host.progress(done, total);
        Ok(())
    }

    fn utc_offset(&mut self, at: types::Timestamp, zone: String) -> wasmtime::Result<Option<i32>> {
        use chrono::Offset as _;
        let offset = || {
            let zone: chrono_tz::Tz = zone.parse().ok()?;
            let moment = chrono::DateTime::from_timestamp_millis(at)?;
            Some(moment.with_timezone(&zone).offset().fix().local_minus_utc() / 60)
        };
        Ok(offset())
    }
}

impl blobs::Host for UnitState {
    fn read(&mut self, blob: types::BlobRef, offset: u64, len: u32) -> wasmtime::Result<Vec<u8>> {
        let there = blob.size.saturating_sub(offset).min(u64::from(len));
        if there > self.read_limit {
            let text = format!("a read of {there} bytes; one may have {}", self.read_limit);
            return Err(HostLimit(text).into());
        }
        Ok(self.host.blob_read(&blob, offset, len)?)
    }
}

impl blobs::HostBuilder for UnitState {
    fn new(&mut self, media_type: String) -> wasmtime::Result<Resource<BlobBuilder>> {
        let builder = self.host.blob_builder(media_type.clone())?;
        Ok(self.table.push(BlobBuilder {
            media_type,
            builder: Some(builder),
        })?)
    }

    fn append(&mut self, this: Resource<BlobBuilder>, bytes: Vec<u8>) -> wasmtime::Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.blob_bytes_left = self
            .blob_bytes_left
            .checked_sub(length)
            .ok_or_else(|| HostLimit("too many bytes in the blobs of one unit".to_owned()))?;
        let blob = self.table.get_mut(&this)?;
        let builder = match &mut blob.builder {
            Some(builder) => builder,
            empty => empty.insert(self.host.blob_builder(blob.media_type.clone())?),
        };
        builder.append(&bytes).map_err(UnitAbort::from)?;
        Ok(())
    }

    fn size(&mut self, this: Resource<BlobBuilder>) -> wasmtime::Result<u64> {
        Ok(self
            .table
            .get(&this)?
            .builder
            .as_ref()
            .map_or(0, Builder::size))
    }

    fn finish(&mut self, this: Resource<BlobBuilder>) -> wasmtime::Result<types::BlobRef> {
        let blob = self.table.get_mut(&this)?;
        let builder = match blob.builder.take() {
            Some(builder) => builder,
            None => self.host.blob_builder(blob.media_type.clone())?,
        };
        Ok(self.host.blob_keep(builder)?)
    }

    fn drop(&mut self, this: Resource<BlobBuilder>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
