//! A source connector: people, and tickets with their messages and files. It reads, and nothing but reads.

pub mod api;
pub mod describe;
pub mod map;

use transload_sdk::connector::Description;
use transload_sdk::session::Account;
use transload_sdk::source::{Certainty, Discovery, InventoryItem, KindCount, Page, Partition};
use transload_sdk::types::{BlobRef, Entity, Entry, Error, Kind, Reference};
use transload_sdk::{Context, Result, Source, time};

use api::Api;

/// The connector.
#[derive(Debug)]
pub struct Connector;

// Component entry points on wasm32, nothing elsewhere: the crate is tested as any other.
transload_sdk::export_source!(Connector);

impl Source for Connector {
    fn describe() -> Description {
        describe::describe()
    }

    async fn check(cx: &Context) -> Result<Account> {
        let me = Api::new(cx).me().await?;
        Ok(Account {
            id: me.account.id,
            name: me.account.name,
            url: None,
            tier: None,
            time_zone: None,
            user: Some(me.name),
            roles: Vec::new(),
            missing: Vec::new(),
            excess: Vec::new(),
            notices: Vec::new(),
        })
    }

    async fn discover(cx: &Context) -> Result<Discovery> {
        let api = Api::new(cx);
        let count = |kind, count| KindCount {
            kind,
            object_type: None,
            count: Some(count),
            certainty: Certainty::Exact,
            note: None,
        };
        Ok(Discovery {
            counts: vec![
                count(Kind::Customer, api.people(None, None).await?.total),
                count(Kind::Conversation, api.tickets(None, None).await?.total),
            ],
            foreign_hosts: Vec::new(),
            notices: Vec::new(),
            state: "{}".into(),
        })
    }

    /// Each list is one part. Messages and files come along with their ticket, so they have none.
    async fn partitions(
        cx: &Context,
        kind: Kind,
        since: Option<i64>,
        _until: i64,
    ) -> Result<Vec<Partition>> {
        let _ = cx;
        if !matches!(kind, Kind::Customer | Kind::Conversation) {
            return Ok(Vec::new());
        }
        Ok(vec![Partition {
            id: kind.word().to_owned(),
            kind,
            object_type: None,
            spec: serde_json::to_string(&since.and_then(time::format_utc))?,
            expected: None,
            window_start: since,
            window_end: None,
        }])
    }

    async fn read(cx: &Context, part: &Partition, cursor: Option<String>) -> Result<Page> {
        let api = Api::new(cx);
        let since: Option<String> = serde_json::from_str(&part.spec)?;
        let (since, cursor) = (since.as_deref(), cursor.as_deref());
        let (records, next, total) = match part.kind {
            Kind::Customer => {
                let page = api.people(since, cursor).await?;
                let records = page.people.into_iter().map(map::person).collect();
                (records, page.next, page.total)
            }
            Kind::Conversation => {
                let page = api.tickets(since, cursor).await?;
                let records = page
                    .tickets
                    .into_iter()
                    .flat_map(|ticket| map::ticket(cx, ticket));
                (records.collect(), page.next, page.total)
            }
            _ => return Err(Error::Bug("a part of a kind that has none".into())),
        };
        Ok(Page {
            records,
            next,
            total: Some(total),
            split: Vec::new(),
            retry: false,
            explained: Vec::new(),
            notices: Vec::new(),
        })
    }

    async fn fetch(cx: &Context, refs: Vec<Reference>) -> Result<Vec<Entry>> {
        let api = Api::new(cx);
        let mut found = Vec::new();
        for of in refs {
            match of.kind {
                Kind::Customer => found.extend(api.person(&of.id).await?.map(map::person)),
                Kind::Conversation => {
                    let ticket = api.ticket(&of.id).await?.into_iter();
                    found.extend(ticket.flat_map(|ticket| map::ticket(cx, ticket)));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    async fn open_attachment(cx: &Context, attachment: Entry) -> Result<BlobRef> {
        let Entity::Attachment(file) = &attachment.data else {
            return Err(Error::Bug("a file that is none".into()));
        };
        let id = file.locator.as_deref().unwrap_or(&attachment.head.id);
        Api::new(cx).file(id).await
    }

    /// Nothing must be rebuilt by hand.
    async fn inventory(_: &Context) -> Result<Vec<InventoryItem>> {
        Ok(Vec::new())
    }
}
