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

use tokio::task::JoinHandle;
use wasmtime::component::{Accessor, HasSelf, Resource, ResourceTable};

use super::limits::{Activity, Busy, HostLimit, Limiter};
use crate::blobs::{BlobError, Builder};
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
    pub(super) table: ResourceTable,
    /// Bytes that the guest may still append to blobs.
    pub(super) blob_bytes_left: u64,
}

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

/// Runs one asynchronous import.
async fn call<R, F>(
    accessor: &Accessor<UnitState, Imports>,
    abandoned: Abandoned,
    start: F,
) -> wasmtime::Result<R>
where
    R: Send + 'static,
    F: FnOnce(Arc<dyn UnitHost>) -> HostFuture<R>,
{
    let (host, activity) = accessor.with(|mut access| {
        let state = access.get();
        (Arc::clone(&state.host), Arc::clone(&state.activity))
    });
    let mut tracked = Tracked {
        inner: start(host),
        activity,
    };
    let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut tracked).poll(cx))).await;
    let (result, _busy) = match first {
        Poll::Ready(done) => done,
        Poll::Pending => {
            let task = Task {
                handle: tokio::spawn(tracked),
                abandoned,
            };
            // Unconstrained: a finished task must not look unfinished because tokio thinks this unit did enough.
            tokio::task::coop::unconstrained(task).await?
        }
    };
    Ok(result?)
}

/// Marks the host as busy during each poll, and from the end on for as long as the answer is under way.
struct Tracked<R> {
    inner: HostFuture<R>,
    activity: Arc<Activity>,
}

impl<R> Future for Tracked<R> {
    type Output = (Result<R, UnitAbort>, Busy);

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

impl http::HostWithStore<UnitState> for Imports {
    async fn send(
        accessor: &Accessor<UnitState, Self>,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        call(accessor, Abandoned::Continues, |host| {
            Box::pin(async move { host.send(request).await })
        })
        .await
    }

    async fn poll(
        accessor: &Accessor<UnitState, Self>,
        request: http::Request,
        options: http::PollOptions,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        call(accessor, Abandoned::Dropped, |host| {
            Box::pin(async move { host.poll(request, options).await })
        })
        .await
    }

    async fn download(
        accessor: &Accessor<UnitState, Self>,
        request: http::Request,
    ) -> wasmtime::Result<Result<(http::Response, types::BlobRef), http::Error>> {
        call(accessor, Abandoned::Continues, |host| {
            Box::pin(async move { host.download(request).await })
        })
        .await
    }
}

impl ledger::HostWithStore<UnitState> for Imports {
    async fn report(
        accessor: &Accessor<UnitState, Self>,
        outcome: ledger::Outcome,
    ) -> wasmtime::Result<Result<(), ledger::Refusal>> {
        call(accessor, Abandoned::Continues, |host| {
            Box::pin(async move { host.report(outcome).await })
        })
        .await
    }

    async fn report_undo(
        accessor: &Accessor<UnitState, Self>,
        outcome: ledger::UndoOutcome,
    ) -> wasmtime::Result<Result<(), ledger::Refusal>> {
        call(accessor, Abandoned::Continues, |host| {
            Box::pin(async move { host.report_undo(outcome).await })
        })
        .await
    }
}

impl runtime::HostWithStore<UnitState> for Imports {
    async fn sleep(accessor: &Accessor<UnitState, Self>, ms: u64) -> wasmtime::Result<()> {
        call(accessor, Abandoned::Dropped, |host| {
            Box::pin(async move { host.sleep(ms).await })
        })
        .await
    }
}

impl runtime::Host for UnitState {
    fn now(&mut self) -> wasmtime::Result<types::Timestamp> {
        Ok(self.host.now())
    }

    fn log(&mut self, level: runtime::Level, message: String) -> wasmtime::Result<()> {
        self.host.log(level, &message);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: Option<u64>) -> wasmtime::Result<()> {
        self.host.progress(done, total);
        Ok(())
    }
}

impl blobs::Host for UnitState {
    fn read(&mut self, blob: types::BlobRef, offset: u64, len: u32) -> wasmtime::Result<Vec<u8>> {
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
        builder.append(&bytes).map_err(|e| match e {
            BlobError::TooLarge { .. } => UnitAbort::Limit(e.to_string()),
            e => UnitAbort::Store(e.to_string()),
        })?;
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
