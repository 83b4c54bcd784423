//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the
//! answer of a call that only ever makes, or our run read back from the object.

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
use transload_sdk::http::{self, Made, OperationKey, RequestBuilder};
use transload_sdk::ledger::Proof;
use transload_sdk::types::{Error, Head, Kind};

pub use transload_sdk::effects::{
    DESCRIBED, description_marker, effect, exported_as, is_of_run, made, reject, report,
};
pub use transload_sdk::policy::holds;

use crate::api::Refusal;
use crate::client::{self, Sent, key};
use crate::map;
use crate::state::own_field;

/// After an answer that was not seen, a look-up by key that finds nothing is believed this long later, ms (rule D-3).
/// Zendesk gives up a request after a minute; an application 90 s late is still caught.
pub const SETTLE_BY_KEY_MS: u64 = 180_000;
/// The same for the search index, which lags by minutes (Zendesk facts §13).
pub const SETTLE_BY_INDEX_MS: u64 = 900_000;

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    let written = of_kind(cx, kind, items).await;
    cx.reported().await?;
    written
}

async fn of_kind(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
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
#[derive(Debug)]
pub enum Creation<T> {
    /// It is there; by our request unless the proof is missing.
    There(T, Option<Proof>, OperationKey),
    /// Refused.
    Refused(Refusal),
    /// Not known, even after looking twice.
    Unsettled,
}

/// Makes one object with the SDK's care for lost answers. `find` looks it up, `ours` says whether what was found carries this
/// run.
///
/// # Errors
/// What ends the unit.
pub async fn create<T: serde::de::DeserializeOwned>(
    cx: &Context,
    member: &str,
    in_doubt_since: Option<i64>,
    request: RequestBuilder,
    find: impl AsyncFn() -> Result<Option<T>, Error>,
    ours: impl Fn(&T) -> bool,
) -> Result<Creation<T>, Error> {
    let run_proof = |found: &T| ours(found).then(|| Proof::Marker(cx.run().to_owned()));
    let first = request
        .request()
        .key
        .clone()
        .unwrap_or_else(|| key("", "", ""));
    let create = http::create(cx, request).in_doubt_since(in_doubt_since);
    Ok(match create.or_find(find, SETTLE_BY_KEY_MS).await? {
        Made::Created { reply, proof, key } => {
            let found: T = client::read(&reply, member)?;
            // An answer that is no 201 may be about something that was there.
            let fresh = proof.filter(|_| reply.status == 201);
            let proof = fresh.or_else(|| run_proof(&found));
            Creation::There(found, proof, key.unwrap_or(first))
        }
        Made::Found { object, key, .. } => {
            let proof = run_proof(&object);
            Creation::There(object, proof, key.unwrap_or(first))
        }
        Made::Refused(reply) => Creation::Refused(client::refused(&reply)?),
        Made::Unsettled(_) => Creation::Unsettled,
    })
}

/// What became of a change.
#[derive(Debug)]
pub enum Changed<T> {
    /// It is done; the object as it is now.
    Done(T, OperationKey),
    /// Refused.
    Refused(Refusal),
    /// Not known, even after looking twice.
    Unknown,
}

/// Changes one object to fixed values, which may be sent twice: sends; looks at the object when the answer is not seen; sends
/// once more when it is not as wanted and that counts.
///
/// # Errors
/// What ends the unit.
pub async fn change<T: serde::de::DeserializeOwned>(
    cx: &Context,
    member: &str,
    request: impl Fn(&str) -> RequestBuilder,
    read: impl AsyncFn() -> Result<Option<T>, Error>,
    is_done: impl Fn(&T) -> bool,
) -> Result<Changed<T>, Error> {
    for step in ["update", "update-again"] {
        let write = request(step);
        let key = write
            .request()
            .key
            .clone()
            .unwrap_or_else(|| key("", "", ""));
        match client::write(write).await? {
            Sent::Done(answer) => return Ok(Changed::Done(answer.take(member)?, key)),
            Sent::Refused(refusal) => return Ok(Changed::Refused(refusal)),
            Sent::Doubt => {
                cx.sleep(SETTLE_BY_KEY_MS).await;
                if let Some(found) = read().await?.filter(&is_done) {
                    return Ok(Changed::Done(found, key));
                }
            }
        }
    }
    Ok(Changed::Unknown)
}

/// Waits until a miss counts that was in doubt since the given time.
pub async fn wait_out(cx: &Context, since: i64, settle_ms: u64) {
    let until = since.saturating_add(i64::try_from(settle_ms).unwrap_or(i64::MAX));
    cx.sleep(u64::try_from(until.saturating_sub(cx.now())).unwrap_or(0))
        .await;
}
