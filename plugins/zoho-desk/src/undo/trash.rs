//! Taking records to the recycle bin and deleting them there, many at once (Zoho Desk facts §12).

use serde_json::{Value, json};
use transload_sdk::destination::Undoing;
use transload_sdk::effects::{Verdict, verdict};
use transload_sdk::http::{self, key};
use transload_sdk::ledger::UndoStatus;
use transload_sdk::types::Error;

use super::Undo;
use crate::api::{MassResult, rows, words_of};
use crate::client::Sent;

/// Records of one request: what is known to be taken (Zoho Desk facts §12).
const AT_ONCE: usize = 50;

/// Where records of a module are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trash<'m> {
    /// The module: `tickets`, `contacts`, `cm_orders`.
    pub module: &'m str,
    /// How the body of `moveToTrash` calls their ids: `ticketIds`, `contactIds`, `accountIds`, `recordIds`.
    pub ids: &'m str,
}

/// Where a record is.
enum Place {
    There,
    InBin,
    Gone,
}

impl Undo<'_> {
    /// Deletes records that were read as there right before, by effect and id: takes them to the recycle bin and, unless `purge` is
    /// off, deletes them there. In their order; what one of them does not allow keeps no other from it.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn trash(
        &self,
        of: Trash<'_>,
        all: &[(&Undoing, String)],
    ) -> Result<Vec<Verdict>, Error> {
        let mut verdicts = Vec::with_capacity(all.len());
        for all in all.chunks(AT_ONCE) {
            verdicts.extend(self.chunk(of, all).await?);
        }
        Ok(verdicts)
    }

    async fn chunk(
        &self,
        of: Trash<'_>,
        all: &[(&Undoing, String)],
    ) -> Result<Vec<Verdict>, Error> {
        let mut verdicts: Vec<Verdict> = Vec::new();
        let taken = self.take(of, all).await?;
        let moved: Vec<(&Undoing, String)> = all
            .iter()
            .zip(&taken)
            .filter(|(_, refused)| refused.is_none())
            .map(|(one, _)| one.clone())
            .collect();
        let mut purged = self.purge(of, &moved).await?.into_iter();
        for refused in taken {
            verdicts.push(match refused {
                Some(why) => verdict(UndoStatus::Failed, why),
                None => purged.next().unwrap_or((UndoStatus::Undone, None)),
            });
        }
        Ok(verdicts)
    }

    /// Takes records to the recycle bin; why not, by place. Where all are refused together they go one by one.
    async fn take(
        &self,
        of: Trash<'_>,
        all: &[(&Undoing, String)],
    ) -> Result<Vec<Option<String>>, Error> {
        let Some((first, _)) = all.first() else {
            return Ok(Vec::new());
        };
        match self.take_at_once(of, all, first, "trash").await? {
            Sent::Done(_) => return Ok(vec![None; all.len()]),
            Sent::Refused(refusal) if all.len() == 1 && refusal.status != 404 => {
                return Ok(vec![Some(refusal.words())]);
            }
            Sent::Refused(_) | Sent::Doubt(_) => {}
        }
        // All of them, some or none may be in the bin.
        let mut taken = Vec::with_capacity(all.len());
        for one in all {
            if !matches!(self.place(of, &one.1).await?, Place::There) {
                taken.push(None);
                continue;
            }
            let one = std::slice::from_ref(one);
            let sent = self.take_at_once(of, one, first, "trash-alone").await?;
            taken.push(match sent {
                Sent::Done(_) => None,
                Sent::Refused(refusal) if refusal.status == 404 => None,
                Sent::Refused(refusal) => Some(refusal.words()),
                Sent::Doubt(_) => {
                    let id = one.first().map(|(_, id)| id.as_str()).unwrap_or_default();
                    let stays = matches!(self.place(of, id).await?, Place::There);
                    stays.then(|| "the deletion was not answered".to_owned())
                }
            });
        }
        Ok(taken)
    }

    async fn take_at_once(
        &self,
        of: Trash<'_>,
        all: &[(&Undoing, String)],
        first: &Undoing,
        step: &str,
    ) -> Result<Sent, Error> {
        let ids: Vec<&String> = all.iter().map(|(_, id)| id).collect();
        let path = format!("/{}/moveToTrash", of.module);
        let name = match all {
            [(one, _)] => format!("undo:{}", one.effect_id),
            _ => format!("undo:{}:{}", first.effect_id, all.len()),
        };
        let request = self.desk.idempotent("POST", path, key("*", name, step));
        http::write(request.json(&json!({ of.ids: ids }))).await
    }

    /// Deletes what is in the recycle bin for good; what cannot be stays there and counts as undone.
    async fn purge(
        &self,
        of: Trash<'_>,
        all: &[(&Undoing, String)],
    ) -> Result<Vec<Verdict>, Error> {
        let in_bin = || verdict(UndoStatus::Undone, "in the recycle bin for 60 days");
        let Some((first, _)) = all.first() else {
            return Ok(Vec::new());
        };
        if !self.desk.config.purge {
            return Ok(all.iter().map(|_| in_bin()).collect());
        }
        let ids: Vec<&String> = all.iter().map(|(_, id)| id).collect();
        let name = format!("undo:{}:{}", first.effect_id, all.len());
        for step in ["purge", "purge-again"] {
            let key = key("*", name.as_str(), step);
            let request = self.desk.idempotent("POST", "/recycleBin/delete", key);
            match http::write(request.json(&json!({ "ids": ids }))).await? {
                Sent::Done(reply) => {
                    let results: Vec<MassResult> = if reply.bytes().is_empty() {
                        Vec::new()
                    } else {
                        let results = rows(reply.json()?).into_iter();
                        results
                            .filter_map(|row| serde_json::from_value(row).ok())
                            .collect()
                    };
                    let mut verdicts = Vec::with_capacity(all.len());
                    for (_, id) in all {
                        let result = results.iter().find(|result| result.id == *id);
                        let done = result.is_none_or(MassResult::is_done);
                        verdicts.push(
                            if done || matches!(self.place(of, id).await?, Place::Gone) {
                                (UndoStatus::Undone, None)
                            } else {
                                in_bin()
                            },
                        );
                    }
                    return Ok(verdicts);
                }
                Sent::Refused(_) => break,
                Sent::Doubt(_) => {}
            }
        }
        let mut verdicts = Vec::with_capacity(all.len());
        for (_, id) in all {
            verdicts.push(match self.place(of, id).await? {
                Place::Gone => (UndoStatus::Undone, None),
                Place::InBin | Place::There => in_bin(),
            });
        }
        Ok(verdicts)
    }

    async fn place(&self, of: Trash<'_>, id: &str) -> Result<Place, Error> {
        let path = format!("/{}/{id}", of.module);
        let found: Option<Value> = self.desk.find(&path).await?;
        let Some(found) = found else {
            return Ok(Place::Gone);
        };
        let says = |name: &str| found.get(name).map(words_of).as_deref() == Some("true");
        Ok(if says("isTrashed") || says("isDeleted") {
            Place::InBin
        } else {
            Place::There
        })
    }
}
