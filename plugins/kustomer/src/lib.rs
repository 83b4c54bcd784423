//! The Kustomer source connector: reads an organisation whole, and nothing but reads.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`api`] | what is on the wire, tolerant of Kustomer's irregularities |
//! | [`client`] | how to ask, and what a status means |
//! | [`walk`] | how a search index is read whole: windows, ties, caps (pure) |
//! | [`schema`] | custom attributes: definitions and values (pure) |
//! | [`map`] | records in the contract's words (pure) |
//! | [`files`] | attachments and their perishable links |
//! | [`read`] | partitions and pages |
//! | [`fetch`] | single records |
//! | [`mod@check`], [`mod@discover`], [`mod@inventory`], [`mod@describe`], [`config`] | what their names say |
//!
//! What each vendor fact rests on is cited by section of the fact sheet ("Kustomer facts §8.1"). What that sheet leaves open
//! is survived both ways: the code says where.

pub mod api;
pub mod check;
pub mod client;
pub mod config;
pub mod describe;
pub mod discover;
pub mod fetch;
pub mod files;
pub mod inventory;
pub mod map;
pub mod read;
pub mod schema;
pub mod time;
pub mod walk;

use transload_sdk::connector::Description;
use transload_sdk::session::Account;
use transload_sdk::source::{Discovery, InventoryItem, Page, Partition};
use transload_sdk::types::{BlobRef, Entity, Entry, Error, Kind, Reference, Text};
use transload_sdk::{Context, Source};

use client::Client;
use config::{Settings, State};
use read::Reader;

/// The connector.
#[derive(Debug)]
pub struct Kustomer;

transload_sdk::export_source!(Kustomer);

fn reader(cx: &Context) -> Result<Reader<'_>, Error> {
    let settings: Settings = cx.config()?;
    let mut state = cx.state::<Option<State>>()?.unwrap_or_default();
    if state.known.site.is_none() {
        state.known.site = Some(format!("https://{}.kustomerapp.com", settings.org));
    }
    Ok(Reader {
        client: Client::new(cx),
        settings,
        state,
    })
}

impl Source for Kustomer {
    fn describe() -> Description {
        describe::describe()
    }

    async fn check(cx: &Context) -> Result<Account, Error> {
        check::check(&Client::new(cx), &cx.config()?).await
    }

    async fn discover(cx: &Context) -> Result<Discovery, Error> {
        discover::discover(&Client::new(cx), &cx.config()?).await
    }

    async fn partitions(
        cx: &Context,
        kind: Kind,
        since: Option<i64>,
        until: i64,
    ) -> Result<Vec<Partition>, Error> {
        let reader = reader(cx)?;
        read::partitions(
            &reader.settings,
            &reader.state,
            &kind,
            since,
            until,
            cx.now(),
        )
    }

    async fn read(cx: &Context, part: &Partition, cursor: Option<String>) -> Result<Page, Error> {
        let mut page = reader(cx)?.page(part, cursor).await?;
        store_long_texts(cx, &mut page.records);
        Ok(page)
    }

    async fn fetch(cx: &Context, refs: Vec<Reference>) -> Result<Vec<Entry>, Error> {
        let mut records = fetch::fetch(&reader(cx)?, refs).await?;
        store_long_texts(cx, &mut records);
        Ok(records)
    }

    async fn open_attachment(cx: &Context, attachment: Entry) -> Result<BlobRef, Error> {
        files::open(&Client::new(cx), &attachment).await
    }

    async fn inventory(cx: &Context) -> Result<Vec<InventoryItem>, Error> {
        let state: Option<State> = cx.state()?;
        inventory::inventory(&Client::new(cx), state.unwrap_or_default().known.fields).await
    }
}

/// Long texts travel as blobs; mapping is pure and leaves them inline.
fn store_long_texts(cx: &Context, records: &mut [Entry]) {
    let blobs = cx.blobs();
    let store = |text: &mut Text| {
        if let Text::Inline(inline) = text {
            *text = blobs.text(std::mem::take(inline));
        }
    };
    for record in records {
        match &mut record.data {
            Entity::Message(message) => message
                .text
                .iter_mut()
                .chain(&mut message.html)
                .for_each(store),
            Entity::CustomObject(object) => object
                .description
                .iter_mut()
                .chain(&mut object.data)
                .for_each(store),
            Entity::Article(article) => article
                .versions
                .iter_mut()
                .for_each(|version| store(&mut version.html)),
            _ => {}
        }
    }
}
