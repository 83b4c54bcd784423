//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the answer of
//! a call that only ever makes, our run read back from the object, or a look-up of the same unit that found nothing.

pub mod customers;
pub mod data;
pub mod files;
pub mod links;
pub mod matching;
pub mod objects;
pub mod people;
pub mod schema;
pub mod tickets;

use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
pub use transload_sdk::effects::unsettled;
use transload_sdk::http::{self, Writes};
use transload_sdk::types::{Error, Kind};

use crate::api::Refusal;

/// After an answer that was not seen, a look-up that finds nothing is believed this long later, ms (rule D-3). Nothing says
/// whether lists show at once what was written (Gorgias facts §4); an application 90 s late is still caught.
pub const SETTLE_MS: u64 = 180_000;

/// How single objects are made and changed.
pub const WRITES: Writes = Writes {
    settle_ms: SETTLE_MS,
    created: 201,
    member: None,
};

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    match kind {
        Kind::Company => schema::companies(cx, &items).await,
        Kind::Brand => schema::brands(cx, &items).await,
        Kind::FieldDefinition => schema::fields(cx, &items).await,
        Kind::Agent => people::agents(cx, &items).await,
        Kind::Team => people::teams(cx, &items).await,
        Kind::Tag => schema::tags(cx, &items).await,
        Kind::Customer => customers::customers(cx, &items).await,
        Kind::Conversation | Kind::Message => tickets::tickets(cx, &items).await,
        Kind::CustomObject => objects::records(cx, &items).await,
        Kind::Relationship => links::relationships(cx, &items).await,
        Kind::Attachment | Kind::ObjectType | Kind::Category | Kind::Article | Kind::Other(_) => {
            items.iter().for_each(|item| export(cx, item));
            Ok(())
        }
    }
}

/// What became of a creation.
pub type Creation<T> = http::Creation<T, Refusal>;

/// What became of a change.
pub type Changed<T> = http::Changed<T, Refusal>;

/// Whether an object's `meta` carries this run.
pub fn is_of_run(cx: &Context, meta: &Value) -> bool {
    meta.get("transload_run").and_then(Value::as_str) == Some(cx.run())
}
