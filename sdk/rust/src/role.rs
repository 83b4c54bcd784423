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
