//! Links between records (rule M-15), as the SDK's `links` has them. Gorgias has no lookup fields: a link is in words, on the record
//! that points since it was written, and on a customer that is pointed to in the document that widgets show. Tickets are not
//! written to, since a change runs rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::print;
use transload_sdk::links::{self, Change, Desk, End, Written, conclude, is_of_thread};
use transload_sdk::types::{Error, Kind, Reference, Relationship};

use super::data;
use crate::map;
use crate::state::Config;

/// Where links are in our member of a customer's document.
pub const LINKS: &str = "links";
/// Bytes of the text that names links on one customer.
const TEXT_BYTES: usize = 30_000;

const ON_TICKETS: &str = "a change of a ticket runs rules: the other record names the link, which is in the link table too";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let words = config.words(cx.time_zone());
    let links = links::links(cx, items);
    let (mut now, mut documents) = (BTreeMap::new(), BTreeMap::new());
    for end in links::ends::<Customer>(&links) {
        if let Some(document) = data::read(cx, &end.0).await? {
            let mut record = Map::new();
            if let Some(text) = data::get(&document, &[LINKS]) {
                record.insert(LINKS.to_owned(), text.clone());
            }
            now.insert(end.clone(), record);
            documents.insert(end, document);
        }
    }
    let mut desk = Desk::new(now);
    let fates = desk.place(&links, |_| None, &words);
    let mut written: BTreeMap<Customer, Written> = BTreeMap::new();
    for (customer, change) in &desk.changes {
        let text = change.becomes.get(LINKS).cloned().unwrap_or_default();
        let before = documents.get(customer).cloned().unwrap_or_default();
        let after = data::set(&before, &[LINKS], text);
        let first = links.get(change.first).map(|(item, _)| item.key.as_str());
        let part = format!("links:{}:{}", customer.0, first.unwrap_or_default());
        let done = data::write(cx, ("*", &part), &customer.0, &after).await?;
        written.insert(customer.clone(), done);
    }
    conclude(cx, &links, fates, &desk, &written);
    Ok(())
}

/// A customer, by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Customer(String);

impl End for Customer {
    const TEXT: &'static str = LINKS;
    const OF_STAFF: &'static str = "a user is not written to: the record that points names the user, and the link is in the link table";

    fn of(reference: &Reference) -> Option<Self> {
        let is_customer = reference.kind == Kind::Customer;
        let id = map::numeric_target(reference).filter(|_| is_customer)?;
        Some(Self(id.to_string()))
    }

    fn kind(&self) -> &'static str {
        "customer_links"
    }

    fn target(&self) -> String {
        self.0.clone()
    }

    fn fits(&self, text: &str) -> bool {
        text.len() <= TEXT_BYTES
    }

    fn note(link: &Relationship) -> Option<&'static str> {
        is_of_thread(link).then_some(ON_TICKETS)
    }

    fn images(&self, change: &Change) -> (String, String) {
        let before = change.was.get(LINKS).cloned().unwrap_or_default();
        let now = change.becomes.get(LINKS).cloned().unwrap_or_default();
        (json!({LINKS: before}).to_string(), print(&facets(&now)))
    }
}

/// What of a customer's links is compared before an undo.
pub fn facets(text: &Value) -> Vec<(String, String)> {
    vec![(
        LINKS.to_owned(),
        text.as_str().unwrap_or_default().to_owned(),
    )]
}
