//! Reads the desk's customers.

use serde::Deserialize;
use transload_sdk::connector::{Description, Role};
use transload_sdk::session::Account;
use transload_sdk::source::{Certainty, Discovery, InventoryItem, KindCount, Page, Partition};
use transload_sdk::types::{BlobRef, Customer, Entity, Entry, Error, Kind, Reference};
use transload_sdk::{Context, Result, Source};

use crate::misdeed::{self, Misdeed};
use crate::{Row, account, describe, signed};

/// The connector.
#[derive(Debug)]
pub struct HostileSource;

transload_sdk::export_source!(HostileSource);

impl Source for HostileSource {
    fn describe() -> Description {
        describe::describe(Role::Source)
    }

    async fn check(cx: &Context) -> Result<Account> {
        misdeed::at(cx, "check").await?;
        account(cx).await
    }

    async fn discover(cx: &Context) -> Result<Discovery> {
        misdeed::at(cx, "discover").await?;
        Ok(Discovery {
            counts: vec![KindCount {
                kind: Kind::Customer,
                object_type: None,
                count: Some(page(cx, "1").await?.total),
                certainty: Certainty::Exact,
                note: None,
            }],
            foreign_hosts: vec![],
            notices: vec![],
            state: "null".to_owned(),
        })
    }

    async fn partitions(
        cx: &Context,
        kind: Kind,
        since: Option<i64>,
        until: i64,
    ) -> Result<Vec<Partition>> {
        misdeed::at(cx, "partitions").await?;
        if kind != Kind::Customer {
            return Ok(vec![]);
        }
        Ok(vec![part("all", since, until)])
    }

    async fn read(cx: &Context, whole: &Partition, cursor: Option<String>) -> Result<Page> {
        let asked = cursor.as_deref().unwrap_or("1");
        let mut given = Page {
            records: vec![],
            next: None,
            total: None,
            split: vec![],
            retry: false,
            explained: vec![],
            notices: vec![],
        };
        match misdeed::wanted(cx, "read")? {
            Some(Misdeed::EndlessPages) => {
                let number: u64 = asked.parse().unwrap_or(0);
                given.next = Some((number + 1).to_string());
                return Ok(given);
            }
            Some(Misdeed::SamePage) => {
                given.next = Some(asked.to_owned());
                return Ok(given);
            }
            Some(Misdeed::EndlessSplits) => {
                let deeper = format!("{}/x", whole.id);
                given.split = vec![part(&deeper, whole.window_start, 0)];
                return Ok(given);
            }
            Some(Misdeed::GiantPage) => {
                let row = Row {
                    id: "c0".to_owned(),
                    name: "x".repeat(80 << 20),
                    marker: None,
                };
                given.records = vec![entry(row)];
                return Ok(given);
            }
            Some(Misdeed::MillionRecords) => {
                let row = |n: u32| Row {
                    id: n.to_string(),
                    name: String::new(),
                    marker: None,
                };
                given.records = (0..1_000_000).map(|n| entry(row(n))).collect();
                return Ok(given);
            }
            _ => misdeed::at(cx, "read").await?,
        }
        let rows = page(cx, asked).await?;
        given.records = rows.rows.into_iter().map(entry).collect();
        given.next = rows.next;
        given.total = Some(rows.total);
        Ok(given)
    }

    async fn fetch(cx: &Context, _refs: Vec<Reference>) -> Result<Vec<Entry>> {
        misdeed::at(cx, "fetch").await?;
        Ok(vec![])
    }

    async fn open_attachment(cx: &Context, _attachment: Entry) -> Result<BlobRef> {
        misdeed::at(cx, "open-attachment").await?;
        Err(Error::Unsupported("there are no files here".to_owned()))
    }

    async fn inventory(cx: &Context) -> Result<Vec<InventoryItem>> {
        misdeed::at(cx, "inventory").await?;
        Ok(vec![])
    }
}

fn part(id: &str, since: Option<i64>, until: i64) -> Partition {
    Partition {
        id: id.to_owned(),
        kind: Kind::Customer,
        object_type: None,
        spec: "{}".to_owned(),
        expected: None,
        window_start: since,
        window_end: Some(until),
    }
}

/// A page of customers.
#[derive(Debug, Deserialize)]
struct Rows {
    rows: Vec<Row>,
    next: Option<String>,
    total: u64,
}

async fn page(cx: &Context, number: &str) -> Result<Rows> {
    let request = cx.http().get("/customers").query("page", number);
    signed(request).send().await?.or_error(|_| None)?.json()
}

fn entry(row: Row) -> Entry {
    let customer = Customer {
        name: Some(row.name),
        ..Customer::empty()
    };
    Entry::new(Kind::Customer, row.id, Entity::Customer(customer))
}
