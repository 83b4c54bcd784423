//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the answer
//! of a call that only ever makes, or our run read back from the object.

pub mod links;
pub mod matching;
pub mod named;
pub mod objects;
pub mod people;
pub mod schema;
pub mod teams;
pub mod tickets;

use serde::de::DeserializeOwned;
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
use transload_sdk::http::{self, Making, Reply, RequestBuilder};
use transload_sdk::types::{Error, Kind};

pub use transload_sdk::effects::{
    DESCRIBED, description_marker, effect, exported_as, is_of_run, made, reject, report, status_of,
};
pub use transload_sdk::policy::holds;

use crate::api::Refusal;

/// After an answer that was not seen, a look-up by key that finds nothing is believed this long later, ms (rule D-3). What an
/// application could still do that is 90 s late is caught.
pub const SETTLE_BY_KEY_MS: u64 = 180_000;
/// The same for the search index, which lags by minutes (Freshdesk facts §3).
pub const SETTLE_BY_INDEX_MS: u64 = 900_000;

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    match kind {
        Kind::Team => teams::teams(cx, &items).await,
        Kind::Agent => teams::agents(cx, &items).await,
        Kind::ObjectType => schema::object_types(cx, &items).await,
        Kind::FieldDefinition => schema::fields(cx, &items).await,
        Kind::Tag => schema::tags(cx, &items).await,
        Kind::Brand => schema::brands(cx, &items).await,
        Kind::Company => people::companies(cx, &items).await,
        Kind::Customer => people::customers(cx, &items).await,
        Kind::Conversation | Kind::Message => tickets::tickets(cx, &items).await,
        Kind::CustomObject => objects::records(cx, &items).await,
        Kind::Relationship => links::relationships(cx, &items).await,
        Kind::Attachment | Kind::Category | Kind::Article | Kind::Other(_) => {
            items.iter().for_each(|item| export(cx, item));
            Ok(())
        }
    }
}

/// What became of a creation.
pub type Creation<T> = http::Creation<T, Refusal>;

/// What became of a change.
pub type Changed<T> = http::Changed<T, Refusal>;

/// Makes one object with the SDK's care for lost answers. `find` looks it up, `ours` says whether what was found carries this
/// run; `created` is the status that says that it was made.
///
/// # Errors
/// What ends the unit.
pub async fn create<T: DeserializeOwned>(
    in_doubt_since: Option<i64>,
    created: u16,
    request: RequestBuilder,
    find: impl AsyncFn() -> Result<Option<T>, Error>,
    ours: impl Fn(&T) -> bool,
) -> Result<Creation<T>, Error> {
    let making = Making {
        in_doubt_since,
        settle_ms: SETTLE_BY_KEY_MS,
        created,
    };
    http::make(request, making, Reply::json, find, ours).await
}

/// Changes one object to fixed values, which may be sent twice.
///
/// # Errors
/// What ends the unit.
pub async fn change<T: DeserializeOwned>(
    cx: &Context,
    request: impl Fn(&str) -> RequestBuilder,
    find: impl AsyncFn() -> Result<Option<T>, Error>,
    is_done: impl Fn(&T) -> bool,
) -> Result<Changed<T>, Error> {
    http::change(cx, SETTLE_BY_KEY_MS, request, Reply::json, find, is_done).await
}
