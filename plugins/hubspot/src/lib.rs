//! The HubSpot Service Hub destination connector.
//!
//! `describe` says what it needs and can; `survey` looks at the account; `prepare` makes the few things the connector itself
//! needs; `own`, `map`, `thread` and `text` translate, and are functions of their arguments alone; `write` sends; `verify` reads
//! back; `undo` takes back. `client` is the only place that builds requests on records. What is known of HubSpot is cited by
//! section of the HubSpot facts.

pub mod api;
pub mod client;
pub mod describe;
pub mod map;
pub mod own;
pub mod prepare;
pub mod rehearsal;
pub mod state;
pub mod survey;
pub mod text;
pub mod thread;
pub mod undo;
pub mod verify;
pub mod write;

use transload_sdk::connector::Description;
use transload_sdk::destination::{
    Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written,
};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::Rehearsal;
use transload_sdk::session::Account;
use transload_sdk::types::Kind;
use transload_sdk::{Context, Destination, Result};

/// The connector.
#[derive(Debug, Clone, Copy)]
pub struct HubSpot;

impl Destination for HubSpot {
    fn describe() -> Description {
        describe::description()
    }

    async fn check(cx: &Context) -> Result<Account> {
        survey::check(cx).await
    }

    async fn survey(cx: &Context) -> Result<SurveyReport> {
        survey::survey(cx).await
    }

    async fn prepare(cx: &Context) -> Result<String> {
        prepare::prepare(cx).await
    }

    async fn match_items(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<Vec<MatchResult>> {
        write::matching::match_items(cx, &kind, &items).await
    }

    async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<()> {
        write::write(cx, kind, items).await
    }

    async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>> {
        verify::read_back(cx, written).await
    }

    async fn undo(
        cx: &Context,
        mode: UndoMode,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<()> {
        undo::undo(cx, mode, effects, ours).await
    }

    fn rehearse(asked: &Rehearsal) -> Option<Response> {
        rehearsal::answer(asked)
    }
}

transload_sdk::export_destination!(HubSpot);
