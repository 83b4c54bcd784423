//! Reading back what was written, in the contract's words, so that it can be compared with the source.
//!
//! What the connector added by itself comes off again: the line above a body and the source card; pieces of a long text are one text
//! again. Everything is read by its id. Times and authors are as Zoho Desk shows them, or as the line above a text says.

mod people;
mod threads;

pub use threads::talk;

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{Observed, Written};
use transload_sdk::http::segment;
use transload_sdk::read_back::{Place, with_bytes};
use transload_sdk::types::{self, Entity, Entry, Error, Field};

use crate::api::words_of;
use crate::client::Desk;
use crate::map::Owner;
use crate::write::tickets::TICKET;

/// Reads back what was written. Reads only.
///
/// # Errors
/// What ends the unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let desk = Desk::of(cx)?;
    let mut observed = Vec::with_capacity(written.len());
    for one in &written {
        observed.push(match one.main().map(|effect| effect.target_kind.as_str()) {
            Some(TICKET) => threads::ticket(&desk, one).await?,
            _ => people::one(&desk, one).await?,
        });
    }
    // By the address that its list gives; which organisation is meant may be said in the query (Zoho Desk facts §1, §7.8).
    let bytes_of = |entry: &Entry| {
        let Entity::Attachment(attachment) = &entry.data else {
            return None;
        };
        let (_, rest) = attachment.locator.as_deref()?.split_once("/tickets/")?;
        Some(Place {
            url: format!("/tickets/{rest}?orgId={}", segment(&desk.config.org_id)),
            anonymous: false,
        })
    };
    with_bytes(cx, &mut observed, bytes_of).await?;
    Ok(observed)
}

/// Values of custom fields but for the connector's own.
fn fields(desk: &Desk, owner: Owner, values: &Map<String, Value>) -> Vec<Field> {
    let is_own = |name: &str| {
        let own = desk.state.own.get(&owner);
        own.is_some_and(|own| own.values().any(|own| own.name == name))
    };
    let field = |(name, value): (&String, &Value)| Field {
        name: name.clone(),
        value: types::Value::Text(words_of(value)),
        target: Some(name.clone()),
    };
    let kept = values
        .iter()
        .filter(|(name, value)| !value.is_null() && !is_own(name));
    kept.map(field).collect()
}
