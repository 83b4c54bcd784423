//! A destination connector to learn from: Tessera, a helpdesk that does not exist, with the traits of many that do.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`mod@describe`] | what the platform is, and what the connector may do there |
//! | [`api`] | what is on the wire, and how to ask |
//! | [`account`] | whose credential it is, and what is there: `check`, `survey`, `match_items`, `read_back` |
//! | [`fields`] | custom fields: `prepare`, definitions, and values |
//! | [`people`] | customers |
//! | [`tickets`] | conversations with their messages, notes and files |
//! | [`undo`] | taking back what was made |
//!
//! Read `people` first: it has all that makes a write exact, on one page.

pub mod account;
pub mod api;
pub mod describe;
pub mod fields;
pub mod people;
pub mod tickets;
pub mod undo;

use serde::{Deserialize, Serialize};
use transload_sdk::connector::Description;
use transload_sdk::destination::{
    Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written,
};
use transload_sdk::ledger::{Action, Status};
use transload_sdk::session::Account;
use transload_sdk::types::{Entity, Kind};
use transload_sdk::{Context, Destination, Result, effects};

use api::Api;

/// The connector.
#[derive(Debug)]
pub struct Tessera;

transload_sdk::export_destination!(Tessera);

/// What `prepare` makes, for all later calls. Nothing else outlives a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The key of the field that holds a person's source card.
    pub card_field: String,
    /// Who asks in a ticket whose customer was not migrated: Tessera has no ticket of nobody.
    pub nobody: String,
}

impl Destination for Tessera {
    fn describe() -> Description {
        describe::describe()
    }

    async fn check(cx: &Context) -> Result<Account> {
        account::check(&Api::new(cx)).await
    }

    async fn survey(cx: &Context) -> Result<SurveyReport> {
        account::survey(&Api::new(cx)).await
    }

    async fn prepare(cx: &Context) -> Result<String> {
        let api = Api::new(cx);
        let state = State {
            card_field: fields::own(&api).await?,
            nobody: people::nobody(&api).await?,
        };
        Ok(serde_json::to_string(&state)?)
    }

    async fn match_items(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<Vec<MatchResult>> {
        account::match_items(&Api::new(cx), &kind, &items).await
    }

    async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<()> {
        let api = Api::new(cx);
        for item in &items {
            match kind {
                Kind::Agent => agent(cx, item),
                Kind::Tag => label(cx, item),
                Kind::FieldDefinition => fields::write(&api, item).await?,
                Kind::Customer => people::write(&api, &cx.state()?, item).await?,
                // A note that hangs on a customer alone comes as an item of its own.
                Kind::Conversation | Kind::Message => {
                    tickets::write(&api, &cx.state()?, item).await?;
                }
                _ => effects::export(cx, item),
            }
        }
        Ok(())
    }

    async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>> {
        account::read_back(&Api::new(cx), &written).await
    }

    async fn undo(
        cx: &Context,
        mode: UndoMode,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<()> {
        undo::undo(&Api::new(cx), mode, &effects, &ours).await
    }
}

/// Agents are invited by a person, never made: those with an account here are matched, by address. Of the others only the name
/// travels, in `by_name` of what they wrote; where a platform wants an account for everything, one stands in for them
/// (`words::placeholder`).
fn agent(cx: &Context, item: &Item) {
    let Some(there) = &item.existing else {
        return effects::export(cx, item);
    };
    let effect = effects::effect("main", "agent", &there.target_id, Action::Matched);
    effects::report(cx, item, Status::Matched, vec![effect], Vec::new());
}

/// A label is a word on a ticket and no object. Its word is its id, so that conversations find it as their tags' target.
fn label(cx: &Context, item: &Item) {
    let label = match &item.entry().data {
        Entity::Tag(tag) => api::label(&tag.name),
        _ => None,
    };
    let Some(label) = label else {
        return effects::export(cx, item);
    };
    let effect = effects::effect("main", "label", label, Action::Matched);
    effects::report(cx, item, Status::Matched, vec![effect], Vec::new());
}
