//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the answer of
//! a call that only ever makes, our run read back from the object, or a look-up of the same unit that found nothing.

pub mod companies;
pub mod contacts;
pub mod conversations;
pub mod links;
pub mod matching;
pub mod notes;
pub mod objects;
pub mod people;
pub mod schema;

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
pub use transload_sdk::effects::unsettled;
use transload_sdk::http::{self, Writes};
use transload_sdk::types::{Error, Kind};

use crate::api::Refusal;

/// After an answer that was not seen, a look-up by id or key that finds nothing is believed this long later, ms (rule D-3): they show
/// at once what was written, and a request may still be on its way.
pub const SETTLE_MS: u64 = 180_000;
/// The same of a search, which lags by minutes (Intercom facts §4).
pub const SEARCH_SETTLE_MS: u64 = 300_000;

/// How single objects are made; nearly every creation is answered with 200 (Intercom facts §3).
pub const WRITES: Writes = Writes {
    settle_ms: SETTLE_MS,
    created: 200,
    member: None,
};

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    match kind {
        Kind::FieldDefinition => schema::fields(cx, &items).await,
        Kind::ObjectType => objects::types(cx, &items).await,
        Kind::Agent => people::agents(cx, &items).await,
        Kind::Team => people::teams(cx, &items).await,
        Kind::Tag => schema::tags(cx, &items).await,
        Kind::Company => companies::companies(cx, &items).await,
        Kind::Customer => contacts::contacts(cx, &items).await,
        Kind::Conversation => conversations::conversations(cx, &items).await,
        Kind::Message => notes::lone_notes(cx, &items).await,
        Kind::CustomObject => objects::records(cx, &items).await,
        Kind::Relationship => links::relationships(cx, &items).await,
        Kind::Brand | Kind::Attachment | Kind::Category | Kind::Article | Kind::Other(_) => {
            items.iter().for_each(|item| export(cx, item));
            Ok(())
        }
    }
}

/// What became of a creation.
pub type Creation<T> = http::Creation<T, Refusal>;

/// What became of a change.
pub type Changed<T> = http::Changed<T, Refusal>;

/// Whether values of attributes carry this run.
pub fn is_of_run(cx: &Context, values: &Map<String, Value>, attribute: &str) -> bool {
    values.get(attribute).and_then(Value::as_str) == Some(cx.run())
}
