//! Taking back what was made, and nothing else: what somebody changed since, or hung something of his own on, stays and is told of.

use transload_sdk::Result;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, changed_since};
use transload_sdk::http::HttpError;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::undo::{Session, no_way, unanswered};

use crate::api::{Api, person_path, refusal, ticket_path};
use crate::{people, tickets};

/// Undoes effects in their order.
pub async fn undo(
    api: &Api<'_>,
    mode: UndoMode,
    effects: &[Undoing],
    ours: Vec<(String, String)>,
) -> Result<()> {
    let session = Session::new(api.cx, mode, ours).with_created(effects);
    for one in effects {
        let verdict = match (one.effect.target_kind.as_str(), one.effect.action) {
            (_, Action::Matched) => (UndoStatus::Left, None),
            (people::KIND, Action::Created) => person(api, &session, one).await?,
            (tickets::KIND, Action::Created) => ticket(api, &session, one).await?,
            (kind, _) => no_way(kind),
        };
        session.say(one, verdict);
    }
    Ok(())
}

async fn person(api: &Api<'_>, session: &Session<'_>, one: &Undoing) -> Result<Verdict> {
    let id = &one.effect.target_id;
    let Some(now) = api.person(id).await? else {
        return Ok((UndoStatus::Gone, None));
    };
    let tickets = api.tickets_of(id).await?;
    let foreign = tickets
        .iter()
        .filter(|ticket| !session.is_ours(tickets::KIND, ticket))
        .count();
    if foreign > 0 {
        // Not by force either: what others hung on a person is not ours to delete.
        let why = format!("{foreign} tickets that this run did not make");
        return Ok((UndoStatus::Conflict, Some(why)));
    }
    let conflict = changed_since(&one.effect, &people::facets(&now));
    delete(api, session, one, conflict, &person_path(id)).await
}

async fn ticket(api: &Api<'_>, session: &Session<'_>, one: &Undoing) -> Result<Verdict> {
    let id = &one.effect.target_id;
    let Some(now) = api.ticket(id).await? else {
        return Ok((UndoStatus::Gone, None));
    };
    let conflict = changed_since(&one.effect, &tickets::facets(&now));
    delete(api, session, one, conflict, &ticket_path(id)).await
}

async fn delete(
    api: &Api<'_>,
    session: &Session<'_>,
    one: &Undoing,
    conflict: Option<String>,
    path: &str,
) -> Result<Verdict> {
    if let Some(decided) = session.decided(&conflict, UndoStatus::Undone) {
        return Ok(decided);
    }
    let key = session.key(one, "delete");
    // Deleting twice is deleting once: ids are not used again.
    let request = api.cx.http().delete(path).idempotent(None);
    match request.key(&key.item, key.part, &key.step).send().await {
        Ok(reply) if reply.ok() || reply.status() == 404 => Ok((UndoStatus::Undone, None)),
        Ok(reply) => Ok((UndoStatus::Failed, Some(format!("{:?}", refusal(&reply)?)))),
        Err(HttpError::InDoubt(_)) => {
            let gone = api.cx.http().get(path).send().await?.status() == 404;
            Ok(match gone {
                true => (UndoStatus::Undone, None),
                false => unanswered("deletion"),
            })
        }
        Err(error) => Err(error.into()),
    }
}
