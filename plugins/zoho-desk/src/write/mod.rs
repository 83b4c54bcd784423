//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the answer
//! of a call that only ever makes, a look-up before it, or our run read back from the object.

pub mod links;
pub mod matching;
pub mod objects;
pub mod people;
pub mod schema;
pub mod teams;
pub mod tickets;

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
use transload_sdk::http::{self, Writes};
use transload_sdk::types::{Error, Kind};

pub use transload_sdk::effects::{
    description_marker, effect, exported_as, is_of_run, made, reject, report, status_of,
};

use crate::api::Refusal;
use crate::client::Desk;

/// After an answer that was not seen, a look-up by list that finds nothing is believed this long later, ms (rule D-3). What an
/// application could still do that is 90 s late is caught.
pub const SETTLE_BY_KEY_MS: u64 = 180_000;
/// The same for the search index, which lags by minutes (Zoho Desk facts §12).
pub const SETTLE_BY_INDEX_MS: u64 = 900_000;

/// How single objects are made and changed; a creation is mostly answered with 200 (Zoho Desk facts §7).
pub const WRITES: Writes = Writes {
    settle_ms: SETTLE_BY_KEY_MS,
    created: 200,
    member: None,
};

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    let (desk, items) = (&Desk::of(cx)?, items.as_slice());
    match kind {
        Kind::Team => teams::teams(desk, items).await,
        Kind::Agent => teams::agents(desk, items).await,
        Kind::Brand => teams::brands(desk, items).await,
        Kind::ObjectType => schema::object_types(desk, items).await,
        Kind::FieldDefinition => schema::fields(desk, items).await,
        Kind::Tag => schema::tags(desk, items),
        Kind::Company => people::companies(desk, items).await,
        Kind::Customer => people::customers(desk, items).await,
        Kind::Conversation | Kind::Message => tickets::tickets(desk, items).await,
        Kind::CustomObject => objects::records(desk, items).await,
        Kind::Relationship => links::relationships(desk, items).await,
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
