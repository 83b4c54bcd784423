//! A destination connector: people and tickets.
//!
//! Read `people` first: it has all that makes a write exact, on one page.

pub mod api;
pub mod describe;
pub mod people;
pub mod tickets;
pub mod undo;

use transload_sdk::connector::Description;
use transload_sdk::destination::{
    Item, MatchResult, Observed, Presence, Slot, SurveyReport, UndoMode, Undoing, Written,
};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::{Ids, Rehearsal};
use transload_sdk::session::Account;
use transload_sdk::types::Kind;
use transload_sdk::{Context, Destination, Result, declare, effects};

use api::Api;

/// The connector.
#[derive(Debug)]
pub struct Connector;

// Component entry points on wasm32, nothing elsewhere: the crate is tested as any other.
transload_sdk::export_destination!(Connector);

impl Destination for Connector {
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

    async fn survey(_: &Context) -> Result<SurveyReport> {
        let pair = |canonical: &str, here: &str| (canonical.to_owned(), here.to_owned());
        Ok(SurveyReport {
            slots: vec![Slot {
                kind: Kind::Conversation,
                name: "status".into(),
                values: vec![
                    declare::option("open", "Open"),
                    declare::option("done", "Done"),
                ],
                defaults: vec![
                    pair("open", "open"),
                    pair("snoozed", "open"),
                    pair("closed", "done"),
                ],
                fallback: Some("open".into()),
            }],
            agents: Vec::new(),
            fields: Vec::new(),
            allowances: Vec::new(),
            notices: Vec::new(),
            counts: Vec::new(),
            support: None,
        })
    }

    /// Nothing is needed before the first record.
    async fn prepare(_: &Context) -> Result<String> {
        Ok("{}".into())
    }

    async fn match_items(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<Vec<MatchResult>> {
        let api = Api::new(cx);
        let mut results = Vec::new();
        for item in &items {
            let candidates = match kind {
                Kind::Customer => people::candidates(&api, item).await?,
                Kind::Conversation => tickets::candidates(&api, item).await?,
                _ => Vec::new(),
            };
            results.push(MatchResult {
                item: item.key.clone(),
                candidates,
            });
        }
        Ok(results)
    }

    async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<()> {
        let api = Api::new(cx);
        for item in &items {
            match kind {
                Kind::Customer => people::write(&api, item).await?,
                Kind::Conversation => tickets::write(&api, item).await?,
                _ => effects::export(cx, item),
            }
        }
        Ok(())
    }

    async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>> {
        let api = Api::new(cx);
        let mut observed = Vec::new();
        for record in written {
            let main = record.effects.iter().find(|effect| effect.part == "main");
            let found = match (&record.kind, main) {
                (Kind::Customer, Some(effect)) => people::read_back(&api, effect).await?,
                (Kind::Conversation, Some(effect)) => tickets::read_back(&api, effect).await?,
                _ => None,
            };
            let presence = match found {
                Some(_) => Presence::Present,
                None => Presence::Absent,
            };
            let (body, values, fingerprint) = found.map_or((None, Vec::new(), None), |seen| {
                (Some(seen.body), seen.values, Some(seen.fingerprint))
            });
            observed.push(Observed {
                item: record.item,
                presence,
                body,
                values,
                fingerprint,
            });
        }
        Ok(observed)
    }

    async fn undo(
        cx: &Context,
        mode: UndoMode,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<()> {
        undo::undo(&Api::new(cx), mode, &effects, ours).await
    }

    /// In a dry run nothing is sent: this is what the platform would answer. Its ids are texts.
    fn rehearse(asked: &Rehearsal) -> Option<Response> {
        asked.echo(Ids::Texts)
    }
}
