//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the
//! answer of a call that only ever makes, or our run read back from the object.

pub mod keys;
pub mod links;
pub mod matching;
pub mod objects;
pub mod people;
pub mod schema;
pub mod tickets;

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
use transload_sdk::http::{self, Writes};
use transload_sdk::types::{Error, Head, Kind};

pub use transload_sdk::effects::{
    DESCRIBED, description_marker, effect, exported_as, is_of_run, made, reject, report,
};
pub use transload_sdk::policy::holds;

use crate::api::Refusal;
use crate::map;
use crate::state::own_field;

/// After an answer that was not seen, a look-up by key that finds nothing is believed this long later, ms (rule D-3).
/// Zendesk gives up a request after a minute; an application 90 s late is still caught.
pub const SETTLE_BY_KEY_MS: u64 = 180_000;
/// The same for the search index, which lags by minutes (Zendesk facts §13).
pub const SETTLE_BY_INDEX_MS: u64 = 900_000;

/// How single objects are made and changed; the object is in a member of the answer.
pub const WRITES: Writes = Writes {
    settle_ms: SETTLE_BY_KEY_MS,
    created: 201,
    member: None,
};

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    match kind {
        Kind::Team => people::teams(cx, &items).await,
        Kind::Agent => people::agents(cx, &items).await,
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

/// Says in a record's own fields which record of the source it is, when that was made, and which run made it.
pub fn own_values(run: &str, head: &Head, fields: &mut Map<String, Value>) {
    let mut set = |name: &str, value: &str| fields.insert(name.to_owned(), Value::from(value));
    set(own_field::SOURCE_ID, &head.id);
    set(own_field::RUN, run);
    if let Some(at) = head.created_at {
        set(own_field::CREATED_AT, &map::iso_exact(at));
    }
}

/// What became of a creation.
pub type Creation<T> = http::Creation<T, Refusal>;

/// What became of a change.
pub type Changed<T> = http::Changed<T, Refusal>;
