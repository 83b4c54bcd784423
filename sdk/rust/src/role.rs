//! The two roles a connector can have. `wit/0.1/exports.wit` is the specification; this is its Rust face.

use crate::connector::Description;
use crate::destination::{Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written};
use crate::http::{Request, Response};
use crate::rehearsal::{Ids, Rehearsal};
use crate::session::Account;
use crate::source::{Discovery, InventoryItem, Page, Partition};
use crate::types::{BlobRef, Entry, Kind, Reference};
use crate::{Context, Result};

/// A connector that reads a platform. Every function may be called again with the same input at any time.
///
/// Each call runs in an instance of its own: nothing but the [`Context`] outlives it.
#[allow(
    async_fn_in_trait,
    reason = "a guest has one thread, so futures need not be Send"
)]
pub trait Source: 'static {
    /// Who the connector is, what it needs and what it can do. Pure, and the same for every connection.
    fn describe() -> Description;
    /// Tests the credential, finds the account, says what rights are missing or too many, and whether values are masked.
    async fn check(cx: &Context) -> Result<Account>;
    /// What is there. Cheap: tens of requests, not thousands. Its `state` comes back as [`Context::state`].
    async fn discover(cx: &Context) -> Result<Discovery>;
    /// The parts that together hold every record of a kind updated in `[since, until)` (ms); without `since`, from the
    /// beginning. A kind that comes along with another has no parts of its own.
    async fn partitions(
        cx: &Context,
        kind: Kind,
        since: Option<i64>,
        until: i64,
    ) -> Result<Vec<Partition>>;
    /// One page of a part; `cursor` is the `next` of the page before.
    async fn read(cx: &Context, part: &Partition, cursor: Option<String>) -> Result<Page>;
    /// Single records as they are now, with what comes along; those that are gone are left out.
    async fn fetch(cx: &Context, refs: Vec<Reference>) -> Result<Vec<Entry>>;
    /// The bytes of an attachment; a link that expired is asked for again.
    async fn open_attachment(cx: &Context, attachment: Entry) -> Result<BlobRef>;
    /// What cannot be migrated but must be rebuilt by a person.
    async fn inventory(cx: &Context) -> Result<Vec<InventoryItem>>;
}

/// A connector that writes a platform.
///
/// `prepare`, `write` and `undo` are durable units: they may be run again after a crash with the same input and get the answers
/// they got before, so they must take the same way again.
#[allow(
    async_fn_in_trait,
    reason = "a guest has one thread, so futures need not be Send"
)]
pub trait Destination: 'static {
    /// Who the connector is, what it needs and what it can do. Pure, and the same for every connection.
    fn describe() -> Description;
    /// Tests the credential, finds the account, says what rights are missing or too many.
    async fn check(cx: &Context) -> Result<Account>;
    /// What there could be: slots, agents, fields, limits. Reads only.
    async fn survey(cx: &Context) -> Result<SurveyReport>;
    /// Makes or finds what the connector itself needs before the first record, and reports each under an item key that begins
    /// with `own:`. What it returns is [`Context::state`] in all later calls.
    async fn prepare(cx: &Context) -> Result<String>;
    /// Finds out which items are already there. Reads only.
    async fn match_items(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<Vec<MatchResult>>;
    /// Writes items of one kind and reports an outcome for each with [`Context::report`]. An error means that the unit could
    /// not go on; what was reported by then counts, items without an outcome stay open.
    async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<()>;
    /// Reads back what was written. Reads only.
    async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>>;
    /// Undoes effects in the order given and reports each with [`Context::report_undo`]. `ours` are target kind and target id
    /// of what this run made and the effects may have as dependents: what is not among them is somebody else's (rule D-10).
    async fn undo(
        cx: &Context,
        mode: UndoMode,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<()>;
    /// What the platform would answer to a request that it takes, in a dry run; `None` where that cannot be said. Pure. By
    /// default what was sent comes back with a number for its id, as most platforms do it.
    fn rehearse(asked: &Rehearsal) -> Option<Response> {
        asked.echo(Ids::Numbers)
    }
    /// What to read instead of a read that the platform refused, in a dry run, because it names what would have been made: a query
    /// for a field of the connector's own, say. Or what to read before a mutating request whose answer depends on it. What it gives
    /// comes to `rehearse` as [`Rehearsal::real`]. Asked before `rehearse`, each time: nothing when what is there says enough. By
    /// default nothing.
    fn rehearse_instead(_asked: &Rehearsal) -> Option<Request> {
        None
    }
}

/// A destination whose functions stand in modules: the type, its [`Destination`], which passes every call on, and the component's
/// entry points ([`export_destination!`](crate::export_destination)).
///
/// ```
/// # mod account {
/// #     use transload_sdk::connector::Description;
/// #     use transload_sdk::destination::{Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written};
/// #     use transload_sdk::{Context, Result, session::Account, types::{Error, Kind}};
/// #     pub fn description() -> Description { unimplemented!() }
/// #     pub async fn check(_: &Context) -> Result<Account> { Err(Error::Cancelled) }
/// #     pub async fn survey(_: &Context) -> Result<SurveyReport> { Err(Error::Cancelled) }
/// #     pub async fn prepare(_: &Context) -> Result<String> { Ok("prepared".to_owned()) }
/// #     pub async fn match_items(_: &Context, _: &Kind, _: &[Item]) -> Result<Vec<MatchResult>> { Ok(Vec::new()) }
/// #     pub async fn write(_: &Context, _: Kind, _: Vec<Item>) -> Result<()> { Ok(()) }
/// #     pub async fn read_back(_: &Context, _: Vec<Written>) -> Result<Vec<Observed>> { Ok(Vec::new()) }
/// #     pub async fn undo(_: &Context, _: UndoMode, _: Vec<Undoing>, _: Vec<(String, String)>) -> Result<()> { Ok(()) }
/// # }
/// transload_sdk::destination! {
///     /// The connector.
///     pub struct AcmeDesk;
///
///     describe = account::description;
///     check = account::check;
///     survey = account::survey;
///     prepare = account::prepare;
///     match_items = account::match_items;
///     write = account::write;
///     read_back = account::read_back;
///     undo = account::undo;
/// }
/// # use transload_sdk::Destination as _;
/// # let cx = transload_sdk::testing::Harness::scripted([]).context();
/// # assert_eq!(futures::executor::block_on(AcmeDesk::prepare(&cx)).unwrap(), "prepared");
/// ```
///
/// The functions have the trait's arguments; `match_items` gets kind and items by reference. After `write` what it reported last is
/// handed over, so that whoever calls it natively sees it, too. `rehearse = …;` and
/// `rehearse_instead = …;` may follow where the trait's own do not do.
#[macro_export]
macro_rules! destination {
    (
        $(#[$about:meta])*
        $vis:vis struct $name:ident;

        describe = $describe:path;
        check = $check:path;
        survey = $survey:path;
        prepare = $prepare:path;
        match_items = $match_items:path;
        write = $write:path;
        read_back = $read_back:path;
        undo = $undo:path;
        $(rehearse = $rehearse:path;)?
        $(rehearse_instead = $instead:path;)?
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy)]
        $vis struct $name;

        impl $crate::Destination for $name {
            fn describe() -> $crate::connector::Description {
                $describe()
            }

            async fn check(cx: &$crate::Context) -> $crate::Result<$crate::session::Account> {
                $check(cx).await
            }

            async fn survey(
                cx: &$crate::Context,
            ) -> $crate::Result<$crate::destination::SurveyReport> {
                $survey(cx).await
            }

            async fn prepare(cx: &$crate::Context) -> $crate::Result<String> {
                $prepare(cx).await
            }

            async fn match_items(
                cx: &$crate::Context,
                kind: $crate::types::Kind,
                items: Vec<$crate::destination::Item>,
            ) -> $crate::Result<Vec<$crate::destination::MatchResult>> {
                $match_items(cx, &kind, &items).await
            }

            async fn write(
                cx: &$crate::Context,
                kind: $crate::types::Kind,
                items: Vec<$crate::destination::Item>,
            ) -> $crate::Result<()> {
                let written = $write(cx, kind, items).await;
                cx.reported().await?;
                written
            }

            async fn read_back(
                cx: &$crate::Context,
                written: Vec<$crate::destination::Written>,
            ) -> $crate::Result<Vec<$crate::destination::Observed>> {
                $read_back(cx, written).await
            }

            async fn undo(
                cx: &$crate::Context,
                mode: $crate::destination::UndoMode,
                effects: Vec<$crate::destination::Undoing>,
                ours: Vec<(String, String)>,
            ) -> $crate::Result<()> {
                $undo(cx, mode, effects, ours).await
            }

            $(fn rehearse(
                asked: &$crate::rehearsal::Rehearsal,
            ) -> Option<$crate::http::Response> {
                $rehearse(asked)
            })?

            $(fn rehearse_instead(
                asked: &$crate::rehearsal::Rehearsal,
            ) -> Option<$crate::http::Request> {
                $instead(asked)
            })?
        }

        $crate::export_destination!($name);
    };
}
