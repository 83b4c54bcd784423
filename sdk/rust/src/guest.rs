//! The connector as a component: the host's imports behind [`Context`], and the exports that call a [`Source`] or
//! [`Destination`]. Only on `wasm32`.
//!
//! Exports are lifted synchronously (see [`crate::bindings`]): each blocks in `block_on` until the connector is done, while the
//! connector itself may have any number of requests on their way at once.

use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;

use futures::future::{FutureExt, LocalBoxFuture};

#[cfg(feature = "destination")]
use crate::Destination;
#[cfg(feature = "source")]
use crate::Source;
#[cfg(feature = "destination")]
use crate::bindings::common::transload::connector::ledger as ledger_imports;
use crate::bindings::common::transload::connector::{
    blobs as blob_imports, http as http_imports, runtime, session,
};
use crate::bindings::describe;
#[cfg(feature = "source")]
use crate::bindings::source;
#[cfg(feature = "destination")]
use crate::bindings::{destination, rehearsal};
use crate::connector::Description;
#[cfg(feature = "destination")]
use crate::context::Ledger;
use crate::context::{BlobBuilder, Host, Level};
#[cfg(feature = "destination")]
use crate::destination::{Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written};
use crate::http::{HttpError, PollOptions, Request, Response};
#[cfg(feature = "destination")]
use crate::ledger::{Outcome, Refusal, UndoOutcome};
#[cfg(feature = "destination")]
use crate::rehearsal::Rehearsal;
use crate::session::Account;
#[cfg(feature = "source")]
use crate::source::{Discovery, InventoryItem, Page, Partition};
use crate::types::{BlobRef, Kind};
#[cfg(feature = "source")]
use crate::types::{Entry, Reference};
use crate::{Context, Result};
#[cfg(feature = "destination")]
use rehearsal::exports::transload::connector::rehearsal::Reply;

struct Imports;

impl Host for Imports {
    fn send(&self, request: Request) -> LocalBoxFuture<'_, Result<Response, HttpError>> {
        http_imports::send(request).boxed_local()
    }

    fn poll(
        &self,
        request: Request,
        options: PollOptions,
    ) -> LocalBoxFuture<'_, Result<Response, HttpError>> {
        http_imports::poll(request, options).boxed_local()
    }

    fn download(
        &self,
        request: Request,
    ) -> LocalBoxFuture<'_, Result<(Response, BlobRef), HttpError>> {
        http_imports::download(request).boxed_local()
    }

    fn now(&self) -> i64 {
        runtime::now()
    }

    fn sleep(&self, ms: u64) -> LocalBoxFuture<'_, ()> {
        runtime::sleep(ms).boxed_local()
    }

    fn log(&self, level: Level, message: &str) {
        runtime::log(level, message);
    }

    fn progress(&self, done: u64, total: Option<u64>) {
        runtime::progress(done, total);
    }

    fn blob_builder(&self, media_type: &str) -> Box<dyn BlobBuilder> {
        Box::new(ImportedBuilder(blob_imports::Builder::new(media_type)))
    }

    fn blob_read(&self, blob: &BlobRef, offset: u64, len: u32) -> Vec<u8> {
        blob_imports::read(blob, offset, len)
    }
}

struct ImportedBuilder(blob_imports::Builder);

impl BlobBuilder for ImportedBuilder {
    fn append(&mut self, bytes: &[u8]) {
        self.0.append(bytes);
    }

    fn size(&self) -> u64 {
        self.0.size()
    }

    fn finish(self: Box<Self>) -> BlobRef {
        self.0.finish()
    }
}

#[cfg(feature = "destination")]
struct ImportedLedger;

#[cfg(feature = "destination")]
impl Ledger for ImportedLedger {
    fn report(&self, outcomes: Vec<Outcome>) -> LocalBoxFuture<'_, Vec<Result<(), Refusal>>> {
        ledger_imports::report(outcomes).boxed_local()
    }

    fn report_undo(
        &self,
        outcomes: Vec<UndoOutcome>,
    ) -> LocalBoxFuture<'_, Vec<Result<(), Refusal>>> {
        ledger_imports::report_undo(outcomes).boxed_local()
    }
}

/// Runs a call to its end.
fn run<T: 'static>(future: impl Future<Output = T>) -> T {
    wit_bindgen::rt::async_support::block_on(future)
}

#[cfg(feature = "source")]
fn reading(session: session::Context) -> Context {
    Context::new(session, Rc::new(Imports), None)
}

#[cfg(feature = "destination")]
fn writing(session: session::Context) -> Context {
    Context::new(session, Rc::new(Imports), Some(Rc::new(ImportedLedger)))
}

/// The exports of a source.
#[cfg(feature = "source")]
#[derive(Debug)]
pub struct SourceComponent<T>(PhantomData<T>);

#[cfg(feature = "source")]
impl<T: Source> describe::exports::transload::connector::connector::Guest for SourceComponent<T> {
    fn describe() -> Description {
        T::describe()
    }
}

#[cfg(feature = "source")]
impl<T: Source> source::exports::transload::connector::source::Guest for SourceComponent<T> {
    fn check(ctx: session::Context) -> Result<Account> {
        run(async { T::check(&reading(ctx)).await })
    }

    fn discover(ctx: session::Context) -> Result<Discovery> {
        run(async { T::discover(&reading(ctx)).await })
    }

    fn partitions(
        ctx: session::Context,
        kind: Kind,
        since: Option<i64>,
        until: i64,
    ) -> Result<Vec<Partition>> {
        run(async { T::partitions(&reading(ctx), kind, since, until).await })
    }

    fn read(ctx: session::Context, part: Partition, cursor: Option<String>) -> Result<Page> {
        run(async { T::read(&reading(ctx), &part, cursor).await })
    }

    fn fetch(ctx: session::Context, refs: Vec<Reference>) -> Result<Vec<Entry>> {
        run(async { T::fetch(&reading(ctx), refs).await })
    }

    fn open_attachment(ctx: session::Context, attachment: Entry) -> Result<BlobRef> {
        run(async { T::open_attachment(&reading(ctx), attachment).await })
    }

    fn inventory(ctx: session::Context) -> Result<Vec<InventoryItem>> {
        run(async { T::inventory(&reading(ctx)).await })
    }
}

/// Refuses items whose places point nowhere, so that no connector has to.
#[cfg(feature = "destination")]
fn whole(items: &[Item]) -> Result<()> {
    items.iter().try_for_each(|item| item.body.check())
}

/// The exports of a destination.
#[cfg(feature = "destination")]
#[derive(Debug)]
pub struct DestinationComponent<T>(PhantomData<T>);

#[cfg(feature = "destination")]
impl<T: Destination> describe::exports::transload::connector::connector::Guest
    for DestinationComponent<T>
{
    fn describe() -> Description {
        T::describe()
    }
}

#[cfg(feature = "destination")]
impl<T: Destination> destination::exports::transload::connector::destination::Guest
    for DestinationComponent<T>
{
    fn check(ctx: session::Context) -> Result<Account> {
        run(async { T::check(&writing(ctx)).await })
    }

    fn survey(ctx: session::Context) -> Result<SurveyReport> {
        run(async { T::survey(&writing(ctx)).await })
    }

    fn prepare(ctx: session::Context) -> Result<String> {
        run(async {
            let cx = writing(ctx);
            let result = T::prepare(&cx).await;
            cx.ended(result).await
        })
    }

    fn match_items(
        ctx: session::Context,
        kind: Kind,
        items: Vec<Item>,
    ) -> Result<Vec<MatchResult>> {
        whole(&items)?;
        run(async { T::match_items(&writing(ctx), kind, items).await })
    }

    fn write(ctx: session::Context, kind: Kind, items: Vec<Item>) -> Result<()> {
        whole(&items)?;
        run(async {
            let cx = writing(ctx);
            let result = T::write(&cx, kind, items).await;
            cx.ended(result).await
        })
    }

    fn read_back(ctx: session::Context, written: Vec<Written>) -> Result<Vec<Observed>> {
        run(async { T::read_back(&writing(ctx), written).await })
    }

    fn undo(
        ctx: session::Context,
        mode: UndoMode,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<()> {
        run(async {
            let cx = writing(ctx);
            let result = T::undo(&cx, mode, effects, ours).await;
            cx.ended(result).await
        })
    }
}

#[cfg(feature = "destination")]
impl<T: Destination> rehearsal::exports::transload::connector::rehearsal::Guest
    for DestinationComponent<T>
{
    fn answer(
        request: Request,
        number: u64,
        earlier: Vec<(Request, Response)>,
        real: Option<Response>,
    ) -> Option<Reply> {
        // It is told of no connection and no run: nothing but the request decides.
        let session = session::Context {
            config: "{}".to_owned(),
            run: String::new(),
            platform: String::new(),
            organisation: String::new(),
            time_zone: String::new(),
            state: None,
        };
        let asked = Rehearsal::new(reading_only(session), request, number, earlier, real);
        if let Some(instead) = T::rehearse_instead(&asked) {
            return Some(Reply::Instead(instead));
        }
        T::rehearse(&asked).map(Reply::Answer)
    }
}

#[cfg(feature = "destination")]
fn reading_only(session: session::Context) -> Context {
    Context::new(session, Rc::new(Imports), None)
}
