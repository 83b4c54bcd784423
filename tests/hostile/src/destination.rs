//! Writes customers to the desk, and takes them back.

use futures::stream::{FuturesUnordered, StreamExt as _};
use serde::Deserialize;
use transload_sdk::connector::{Description, FieldFidelity, Role};
use transload_sdk::destination::{
    AccountSupport, Item, MatchResult, Observed, SurveyReport, UndoMode, Undoing, Written,
};
use transload_sdk::http::{Made, OperationKey, RequestBuilder, create, segment};
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, Status, UndoOutcome, UndoStatus};
use transload_sdk::session::Account;
use transload_sdk::types::{Entity, Error, Fidelity, Kind};
use transload_sdk::{Context, Destination, Result};

use crate::describe::SETTLE_MS;
use crate::misdeed::{self, Misdeed};
use crate::{Row, account, describe, signed};

/// The connector.
#[derive(Debug)]
pub struct HostileDestination;

transload_sdk::export_destination!(HostileDestination);

impl Destination for HostileDestination {
    fn describe() -> Description {
        describe::describe(Role::Destination)
    }

    async fn check(cx: &Context) -> Result<Account> {
        misdeed::at(cx, "check").await?;
        account(cx).await
    }

    async fn survey(cx: &Context) -> Result<SurveyReport> {
        let support = match misdeed::wanted(cx, "survey")? {
            Some(Misdeed::UndescribedKind) => Some(support(&["company".to_owned()])),
            Some(misdeed) => {
                misdeed::commit(cx, misdeed).await?;
                None
            }
            None => kinds(cx).await?.as_deref().map(support),
        };
        Ok(SurveyReport {
            slots: vec![],
            agents: vec![],
            fields: vec![],
            allowances: vec![],
            notices: vec![],
            counts: vec![],
            support,
        })
    }

    async fn prepare(cx: &Context) -> Result<String> {
        misdeed::at(cx, "prepare").await?;
        Ok("null".to_owned())
    }

    async fn match_items(cx: &Context, _kind: Kind, _items: Vec<Item>) -> Result<Vec<MatchResult>> {
        misdeed::at(cx, "match-items").await?;
        Ok(vec![])
    }

    async fn write(cx: &Context, _kind: Kind, items: Vec<Item>) -> Result<()> {
        let ids = items.iter().map(|item| item.entry().head.id.as_str());
        match misdeed::wanted_for(cx, "write", ids)? {
            Some(Misdeed::AbandonAndTrap) => abandon_and_trap(cx, &items).await,
            Some(Misdeed::AsTheyCome) => return as_they_come(cx, &items).await,
            Some(Misdeed::UnknownOutcome) => {
                let outcome = outcome("customer:nobody", Status::Matched, vec![]);
                cx.report(outcome);
                cx.reported().await?;
            }
            Some(Misdeed::CreatedWithoutProof) => {
                for item in &items {
                    let row = sent(post(cx, item)?).await?;
                    let effect = effect(&row.id, Action::Created, None, Some(key(item)));
                    let created = outcome(&item.key, Status::Created, vec![effect]);
                    cx.report(created);
                    cx.reported().await?;
                }
            }
            Some(Misdeed::ForgedTarget) => {
                for item in &items {
                    sent(post(cx, item)?).await?;
                    let of_another =
                        effect("1", Action::Created, Some(Proof::Fresh), Some(key(item)));
                    cx.report(outcome(&item.key, Status::Created, vec![of_another]));
                    cx.reported().await?;
                }
            }
            Some(Misdeed::Unclaimed) => {
                for item in &items {
                    sent(post(cx, item)?).await?;
                    let why = Status::Skipped("as if nothing had been sent".to_owned());
                    cx.report(outcome(&item.key, why, vec![]));
                    cx.reported().await?;
                }
            }
            Some(misdeed) => misdeed::commit(cx, misdeed).await?,
            None => {}
        }
        for item in &items {
            one(cx, item).await?;
        }
        Ok(())
    }

    async fn read_back(cx: &Context, _written: Vec<Written>) -> Result<Vec<Observed>> {
        misdeed::at(cx, "read-back").await?;
        Ok(vec![])
    }

    async fn undo(
        cx: &Context,
        mode: UndoMode,
        effects: Vec<Undoing>,
        _ours: Vec<(String, String)>,
    ) -> Result<()> {
        let items = effects.iter().map(|one| one.item.as_str());
        match misdeed::wanted_for(cx, "undo", items)? {
            Some(Misdeed::UnknownEffect) => {
                cx.report_undo(UndoOutcome {
                    effect: u64::MAX >> 1,
                    status: UndoStatus::Undone,
                    reason: None,
                });
                cx.reported().await?;
            }
            Some(misdeed) => misdeed::commit(cx, misdeed).await?,
            None => {}
        }
        for one in &effects {
            let id = segment(&one.effect.target_id);
            if mode != UndoMode::Preview {
                let request = cx.http().delete(format!("/customers/{id}"));
                let request = request.idempotent(None).key(&one.item, "main", "delete");
                signed(request).send().await?.or_error(|_| None)?;
            }
            cx.report_undo(UndoOutcome {
                effect: one.effect_id,
                status: UndoStatus::Undone,
                reason: None,
            });
        }
        Ok(())
    }
}

/// The kinds that the desk says it has; `None` if it says nothing.
async fn kinds(cx: &Context) -> Result<Option<Vec<String>>> {
    #[derive(Deserialize)]
    struct Has {
        kinds: Option<Vec<String>>,
    }
    let reply = signed(cx.http().get("/kinds")).send().await?;
    let has: Has = reply.or_error(|_| None)?.json()?;
    Ok(has.kinds)
}

fn support(names: &[String]) -> AccountSupport {
    let described = describe::describe(Role::Destination).kinds;
    let kinds = names.iter().filter_map(|name| {
        let mut support = described.first()?.clone();
        support.kind = match name.as_str() {
            "customer" => Kind::Customer,
            "company" => Kind::Company,
            other => Kind::Other(other.to_owned()),
        };
        Some(support)
    });
    AccountSupport {
        kinds: kinds.collect(),
        fidelity: vec![FieldFidelity {
            kind: Kind::Customer,
            field: "name".to_owned(),
            how: Fidelity::Lost,
            note: Some("as this account has it".to_owned()),
        }],
    }
}

/// What is found by a marker.
#[derive(Debug, Deserialize)]
struct Found {
    rows: Vec<Row>,
}

/// Writes one customer as an honest connector does.
async fn one(cx: &Context, item: &Item) -> Result<()> {
    let request = post(cx, item)?;
    let look_up = async || -> Result<Option<Row>> {
        let request = cx.http().get("/customers").query("marker", &item.marker);
        let found: Found = signed(request).send().await?.or_error(|_| None)?.json()?;
        Ok(found.rows.into_iter().next())
    };
    let made = create(cx, request).in_doubt_since(item.in_doubt_since);
    let (status, effects) = match made.or_find(look_up, SETTLE_MS).await? {
        Made::Created { reply, proof, key } => {
            let row: Row = reply.json()?;
            let effect = effect(&row.id, Action::Created, proof, key);
            (Status::Created, vec![effect])
        }
        Made::Found { object, proof, key } => match proof {
            Some(proof) => {
                let effect = effect(&object.id, Action::Created, Some(proof), key);
                (Status::Created, vec![effect])
            }
            None => {
                let effect = effect(&object.id, Action::Matched, None, key);
                (Status::Matched, vec![effect])
            }
        },
        Made::Refused(reply) => (Status::Rejected(reply.error(|_| None)), vec![]),
        Made::Unsettled(why) => (Status::Unsettled(why), vec![]),
    };
    cx.report(outcome(&item.key, status, effects));
    Ok(())
}

/// Has every request of the unit on its way, and falls over before any answer is there.
async fn abandon_and_trap(cx: &Context, items: &[Item]) {
    let requests = items.iter().filter_map(|item| post(cx, item).ok());
    let mut open: FuturesUnordered<_> = requests.map(RequestBuilder::send).collect();
    // The first answer is the one to the first request; the others are somewhere on their way.
    open.next().await;
    std::process::abort()
}

/// Takes a way that depends on the order in which answers come, as a careless connector would: every customer is asked for
/// at once, and made when its answer is there, with the ones that came before it in its name.
async fn as_they_come(cx: &Context, items: &[Item]) -> Result<()> {
    let asked = items.iter().map(|item| async move {
        let request = cx.http().get(format!("/slow/{}", segment(&item.key)));
        signed(request).send().await.map(|_| item)
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut before = String::new();
    while let Some(item) = asked.next().await {
        let item = item?;
        before.push_str(&item.entry().head.id);
        before.push(' ');
        let body = Row {
            id: String::new(),
            name: before.clone(),
            marker: Some(item.marker.clone()),
        };
        let request = cx.http().post("/customers").json(&body);
        let row = sent(signed(request).key(&item.key, "main", "create")).await?;
        let proof = Some(Proof::Fresh);
        let effect = effect(&row.id, Action::Created, proof, Some(key(item)));
        let created = outcome(&item.key, Status::Created, vec![effect]);
        cx.report(created);
    }
    Ok(())
}

fn post(cx: &Context, item: &Item) -> Result<RequestBuilder> {
    let Entity::Customer(customer) = &item.entry().data else {
        return Err(Error::Unsupported("only customers".to_owned()));
    };
    let body = Row {
        id: String::new(),
        name: customer.name.clone().unwrap_or_default(),
        marker: Some(item.marker.clone()),
    };
    let request = cx.http().post("/customers").json(&body);
    Ok(signed(request).key(&item.key, "main", "create"))
}

async fn sent(request: RequestBuilder) -> Result<Row> {
    request.send().await?.or_error(|_| None)?.json()
}

fn key(item: &Item) -> OperationKey {
    OperationKey {
        item: item.key.clone(),
        part: "main".to_owned(),
        step: "create".to_owned(),
    }
}

fn outcome(item: &str, status: Status, effects: Vec<Effect>) -> Outcome {
    Outcome {
        item: item.to_owned(),
        status,
        effects,
        losses: vec![],
        refused: vec![],
    }
}

fn effect(id: &str, action: Action, proof: Option<Proof>, key: Option<OperationKey>) -> Effect {
    Effect {
        part: "main".to_owned(),
        target_kind: "customer".to_owned(),
        target_id: id.to_owned(),
        action,
        proof,
        key,
        before: None,
        fingerprint: None,
        version: None,
        updated_at: None,
        url: None,
    }
}
