//! Taking back what was made, and nothing else: what somebody changed since (D-11), or hung something of his own on (D-10),
//! stays and is told of.

use serde_json::Value;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::changed;
use transload_sdk::http::{HttpError, segment};
use transload_sdk::ledger::{Action, UndoOutcome, UndoStatus};
use transload_sdk::types::Error;
use transload_sdk::{Result, fingerprint};

use crate::api::{Api, is_gone, person_path, refusal, ticket_path};
use crate::{fields, people, tickets};

/// What became of an effect, and why.
type Undone = (UndoStatus, Option<String>);

/// Undoes effects in their order.
pub async fn undo(
    api: &Api<'_>,
    mode: UndoMode,
    effects: &[Undoing],
    ours: &[(String, String)],
) -> Result<()> {
    let work = Work {
        api,
        mode,
        ours,
        effects,
    };
    for undoing in effects {
        let (status, reason) = work.one(undoing).await?;
        api.cx.report_undo(UndoOutcome {
            effect: undoing.effect_id,
            status,
            reason,
        });
    }
    Ok(())
}

struct Work<'a> {
    api: &'a Api<'a>,
    mode: UndoMode,
    ours: &'a [(String, String)],
    effects: &'a [Undoing],
}

impl Work<'_> {
    async fn one(&self, undoing: &Undoing) -> Result<Undone> {
        let effect = &undoing.effect;
        match (effect.target_kind.as_str(), effect.action) {
            (_, Action::Matched) => Ok((UndoStatus::Left, None)),
            (tickets::KIND, Action::Created) => self.ticket(undoing).await,
            (people::KIND, Action::Created) => self.person(undoing).await,
            (people::KIND, Action::Updated) => self.restore(undoing).await,
            (fields::KIND, Action::Created) => self.field(undoing).await,
            (tickets::ENTRIES_KIND, _) => self.entries(undoing).await,
            _ => Ok(cannot("an effect that this connector does not have")),
        }
    }

    async fn ticket(&self, undoing: &Undoing) -> Result<Undone> {
        let id = &undoing.effect.target_id;
        let Some(now) = self.api.ticket(id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        if let Some(conflict) = self.conflict(undoing, &tickets::facets(&now)) {
            return Ok(conflict);
        }
        self.delete(undoing, &ticket_path(id)).await
    }

    async fn person(&self, undoing: &Undoing) -> Result<Undone> {
        let id = &undoing.effect.target_id;
        let Some(now) = self.api.person(id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        // Not by force either: Tessera keeps a person with tickets, and those of others are not ours to delete.
        let tickets = self.api.tickets_of(id).await?;
        let foreign = tickets
            .iter()
            .filter(|ticket| !self.is_ours(ticket))
            .count();
        if foreign > 0 {
            let why = format!("{foreign} tickets that this run did not make");
            return Ok((UndoStatus::Conflict, Some(why)));
        }
        if let Some(conflict) = self.conflict(undoing, &people::facets(&now)) {
            return Ok(conflict);
        }
        self.delete(undoing, &person_path(id)).await
    }

    fn is_ours(&self, ticket: &str) -> bool {
        self.ours
            .iter()
            .any(|(kind, id)| kind == tickets::KIND && id == ticket)
    }

    /// Puts back what was there before a change of ours.
    async fn restore(&self, undoing: &Undoing) -> Result<Undone> {
        let id = &undoing.effect.target_id;
        let Some(now) = self.api.person(id).await? else {
            return Ok((UndoStatus::Gone, None));
        };
        let Some(before) = &undoing.effect.before else {
            return Ok(cannot("what was there before is not known"));
        };
        let before: Value = serde_json::from_str(before)?;
        if let Some(conflict) = self.conflict(undoing, &people::facets_of(&now, &before)?) {
            return Ok(conflict);
        }
        if self.mode == UndoMode::Preview {
            return Ok((UndoStatus::Restored, None));
        }
        let request = self
            .api
            .cx
            .http()
            .patch(person_path(id))
            .json(&before)
            .idempotent(None);
        let reply = request
            .key(&undoing.item, part(undoing), "restore")
            .send()
            .await?;
        if reply.ok() {
            return Ok((UndoStatus::Restored, None));
        }
        Ok(failed(&refusal(&reply)?))
    }

    async fn field(&self, undoing: &Undoing) -> Result<Undone> {
        let Some((_, key)) = fields::parts(&undoing.effect.target_id) else {
            return Ok(cannot("the field's address is none"));
        };
        let all = self.api.fields().await?;
        let Some(now) = all.iter().find(|field| field.key == key) else {
            return Ok((UndoStatus::Gone, None));
        };
        let same = Some(fingerprint(now)?) == undoing.effect.fingerprint;
        if !same && self.mode != UndoMode::Force {
            return Ok((UndoStatus::Conflict, Some("the field was changed".into())));
        }
        self.delete(undoing, &format!("/fields/{}", segment(key)))
            .await
    }

    /// Entries that were added. They go with their ticket, which comes before them: its effect is its item's last.
    async fn entries(&self, undoing: &Undoing) -> Result<Undone> {
        let Some((ticket, _)) = undoing.effect.target_id.split_once('/') else {
            return Ok(cannot("entries of no ticket"));
        };
        if self.api.ticket(ticket).await?.is_none() {
            return Ok((UndoStatus::Undone, None));
        }
        // It is still there: this is a preview, or something was in the way.
        let goes = self.effects.iter().any(|undoing| {
            let effect = &undoing.effect;
            (effect.target_kind.as_str(), effect.action) == (tickets::KIND, Action::Created)
                && effect.target_id == ticket
        });
        if goes || self.is_ours(ticket) {
            return Ok((UndoStatus::Left, Some("goes with its ticket".into())));
        }
        Ok(cannot("Tessera cannot delete single entries"))
    }

    /// What somebody changed since, unless that is to be undone, too.
    fn conflict(&self, undoing: &Undoing, now: &[(String, String)]) -> Option<Undone> {
        let recorded = undoing.effect.fingerprint.as_deref();
        let changed = match recorded {
            Some(recorded) => changed(recorded, now),
            None => vec!["it is not known what".into()],
        };
        let stands = !changed.is_empty() && self.mode != UndoMode::Force;
        stands.then(|| {
            (
                UndoStatus::Conflict,
                Some(format!("changed since: {}", changed.join(", "))),
            )
        })
    }

    async fn delete(&self, undoing: &Undoing, path: &str) -> Result<Undone> {
        if self.mode == UndoMode::Preview {
            return Ok((UndoStatus::Undone, None));
        }
        // Deleting twice is deleting once: ids are not used again.
        let request = self.api.cx.http().delete(path).idempotent(None);
        match request
            .key(&undoing.item, part(undoing), "delete")
            .send()
            .await
        {
            Ok(reply) if reply.ok() || is_gone(&reply) => Ok((UndoStatus::Undone, None)),
            Ok(reply) => match refusal(&reply)? {
                Error::Conflict(why) => Ok((UndoStatus::Conflict, Some(why))),
                error => Ok(failed(&error)),
            },
            Err(HttpError::InDoubt(_)) => self.looked_for(path).await,
            Err(error) => Err(error.into()),
        }
    }

    /// After a deletion whose answer is lost: gone is undone. Fields have no address that can be read.
    async fn looked_for(&self, path: &str) -> Result<Undone> {
        let gone = match path.strip_prefix("/fields/") {
            Some(key) => !self
                .api
                .fields()
                .await?
                .iter()
                .any(|field| field.key == key),
            None => is_gone(&self.api.cx.http().get(path).send().await?),
        };
        let still = || {
            (
                UndoStatus::Failed,
                Some("the answer was lost, and it is there".into()),
            )
        };
        Ok(if gone {
            (UndoStatus::Undone, None)
        } else {
            still()
        })
    }
}

fn part(undoing: &Undoing) -> String {
    format!("undo:{}", undoing.effect_id)
}

fn cannot(why: &str) -> Undone {
    (UndoStatus::Cannot, Some(why.to_owned()))
}

fn failed(error: &Error) -> Undone {
    (UndoStatus::Failed, Some(format!("{error:?}")))
}
