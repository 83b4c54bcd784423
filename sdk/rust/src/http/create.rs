//! Making an object once, whatever the network does.
//!
//! A mutating request whose answer was not seen is in doubt: it may have been applied, now or later. What follows from that is
//! the same for every vendor, and is here:
//!
//! - **D-2** Only a complete answer settles a request; an error of sending that is `in-doubt` is looked up, never repeated.
//! - **D-3** A look-up that finds the object counts at once. One that finds nothing counts only a settle time after the last
//!   byte left; until then this waits (in the host, so that a replay does not wait again), or says `Unsettled` where the wait
//!   would be long. Only after a miss that counts is the request sent again.
//! - **D-4** `Created` and `Found` say what may be claimed: see [`Made`].

use super::{HttpError, OperationKey, Reply, RequestBuilder};
use crate::ledger::Proof;
use crate::{Context, Result};

/// A wait up to this long is waited for; beyond it the item is `Unsettled`. Search indexes mostly settle within minutes, and a
/// unit that waits holds its batch.
const PATIENCE_MS: u64 = 5 * 60 * 1000;
/// Sends of one request, each after a miss that counts.
const MOST_SENDS: u32 = 3;

/// Begins a creation: a `once` request with a key. [`Create::or_find`] sends it.
pub fn create(cx: &Context, request: RequestBuilder) -> Create {
    Create {
        cx: cx.clone(),
        request,
        in_doubt_since: None,
        look_first: false,
        upserts: false,
        patience_ms: PATIENCE_MS,
    }
}

/// A creation in the making.
#[derive(Debug)]
#[must_use = "nothing is sent before `or_find`"]
pub struct Create {
    cx: Context,
    request: RequestBuilder,
    in_doubt_since: Option<i64>,
    look_first: bool,
    upserts: bool,
    patience_ms: u64,
}

/// What came of a creation.
#[derive(Debug, Clone, PartialEq)]
pub enum Made<T> {
    /// The platform said so.
    Created {
        /// Its answer, a 2xx.
        reply: Reply,
        /// `fresh` where the endpoint only ever creates and no earlier attempt of the request can have been applied;
        /// `absent-before` where a look-up of this call found nothing before the first send. `None`: report `matched`, or
        /// `created` with a marker read back.
        proof: Option<Proof>,
        /// The request that did it, for the effect.
        key: Option<OperationKey>,
    },
    /// It was there.
    Found {
        /// What the look-up gave.
        object: T,
        /// `absent-before` where a look-up of this call found nothing before the first send: then it is our own work. `None`:
        /// report `matched`, or `created` with a marker of this run read back.
        proof: Option<Proof>,
        /// The request that may have made it; `None` where nothing was sent in this call.
        key: Option<OperationKey>,
    },
    /// The platform refused: an answer that is no 2xx, and nothing to be found of an earlier attempt.
    Refused(Reply),
    /// A request's fate is not known and the wait for it would be long: why, for `status.unsettled`.
    Unsettled(String),
}

impl Create {
    /// What `item.in-doubt-since` says: an earlier attempt, whose answer is lost, may have been applied. Then the look-up comes
    /// first.
    pub fn in_doubt_since(mut self, since: Option<i64>) -> Self {
        self.in_doubt_since = since;
        self
    }

    /// Looks up before the first send, so that an object of somebody else's is found, and ours proven by `absent-before`.
    pub fn look_first(mut self) -> Self {
        self.look_first = true;
        self
    }

    /// The endpoint changes an object that is already there: its success alone proves nothing.
    pub fn upserts(mut self) -> Self {
        self.upserts = true;
        self
    }

    /// How long a wait is waited for, ms (five minutes unless said otherwise); beyond it the result is `Unsettled`.
    pub fn wait_at_most(mut self, ms: u64) -> Self {
        self.patience_ms = ms;
        self
    }

    /// Sends, and looks up where an answer is missing. `look_up` finds the object by something only it has (its external id,
    /// its marker); `settle_ms` is what `describe` says for that look-up.
    ///
    /// A second send, after a miss that counts, has the same key with the step `<step>~2`: keys name one request.
    ///
    /// # Errors
    /// What sending gives, other than `in-doubt`; and what `look_up` gives.
    pub async fn or_find<T>(
        self,
        look_up: impl AsyncFn() -> Result<Option<T>>,
        settle_ms: u64,
    ) -> Result<Made<T>> {
        let mut absent_before = false;
        if let Some(since) = self.in_doubt_since {
            match self.settle(&look_up, since, settle_ms).await? {
                Settled::Found(object) => {
                    return Ok(Made::Found {
                        object,
                        proof: None,
                        key: None,
                    });
                }
                Settled::Open(why) => return Ok(Made::Unsettled(why)),
                Settled::Absent => {}
            }
        } else if self.look_first {
            if let Some(object) = look_up().await? {
                return Ok(Made::Found {
                    object,
                    proof: None,
                    key: None,
                });
            }
            absent_before = true;
        }
        let absent = || absent_before.then_some(Proof::AbsentBefore);
        for attempt in 1..=MOST_SENDS {
            let request = self.request.clone().attempt(attempt);
            let key = request.request().key.clone();
            let doubt = match request.send().await {
                Ok(reply) if reply.ok() => {
                    let fresh = !reply.attempted_before && !self.upserts;
                    let proof = if fresh { Some(Proof::Fresh) } else { absent() };
                    return Ok(Made::Created { reply, proof, key });
                }
                // "Already there" may be the echo of our own earlier attempt.
                Ok(reply) if reply.attempted_before => {
                    return Ok(match look_up().await? {
                        Some(object) => Made::Found {
                            object,
                            proof: absent(),
                            key,
                        },
                        None => Made::Refused(reply),
                    });
                }
                Ok(reply) => return Ok(Made::Refused(reply)),
                Err(HttpError::InDoubt(doubt)) => doubt,
                Err(error) => return Err(error.into()),
            };
            match self.settle(&look_up, doubt.sent_at, settle_ms).await? {
                Settled::Found(object) => {
                    return Ok(Made::Found {
                        object,
                        proof: absent(),
                        key,
                    });
                }
                Settled::Open(why) => return Ok(Made::Unsettled(why)),
                Settled::Absent => {}
            }
        }
        Ok(Made::Unsettled(format!(
            "sent {MOST_SENDS} times, and no answer was seen"
        )))
    }

    /// Looks up until a miss counts.
    async fn settle<T>(
        &self,
        look_up: &impl AsyncFn() -> Result<Option<T>>,
        sent_at: i64,
        settle_ms: u64,
    ) -> Result<Settled<T>> {
        if let Some(object) = look_up().await? {
            return Ok(Settled::Found(object));
        }
        // `now` is when the unit began: the time since the send is at least this, and waiting too long does no harm.
        let passed = self.cx.now().saturating_sub(sent_at).max(0).unsigned_abs();
        let rest = settle_ms.saturating_sub(passed);
        if rest == 0 {
            return Ok(Settled::Absent);
        }
        if rest > self.patience_ms {
            return Ok(Settled::Open(format!(
                "the answer to a request of {sent_at} was lost, and a look-up that finds nothing counts only {settle_ms} ms later"
            )));
        }
        self.cx.sleep(rest).await;
        Ok(match look_up().await? {
            Some(object) => Settled::Found(object),
            None => Settled::Absent,
        })
    }
}

enum Settled<T> {
    Found(T),
    Absent,
    Open(String),
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use futures::executor::block_on;

    use super::*;
    use crate::testing::{Harness, Loss, Step, answer};

    /// A platform that makes one object a POST; the look-up counts them.
    fn platform() -> (Harness, Rc<Cell<u32>>) {
        let made = Rc::new(Cell::new(0));
        let count = Rc::clone(&made);
        let harness = Harness::new(move |request| {
            if request.method == "POST" {
                count.set(count.get() + 1);
                return std::future::ready(answer(201, "{\"id\":1}"));
            }
            let status = if count.get() > 0 { 200 } else { 404 };
            std::future::ready(answer(status, "{}"))
        });
        (harness, made)
    }

    fn unit(cx: &Context, patience: u64, look_first: bool) -> Made<u16> {
        let request = cx
            .http()
            .post("/things")
            .json("x")
            .key("item", "main", "create");
        let create = create(cx, request).wait_at_most(patience);
        let create = if look_first {
            create.look_first()
        } else {
            create
        };
        let look_up = async || {
            let reply = cx.http().get("/things/by-marker").send().await?;
            Ok(reply.ok().then_some(reply.status))
        };
        block_on(create.or_find(look_up, 60_000)).unwrap()
    }

    #[test]
    fn an_answer_that_comes_is_a_fresh_creation() {
        let (harness, made) = platform();
        let result = unit(&harness.context(), 60_000, false);
        assert!(
            matches!(
                result,
                Made::Created {
                    proof: Some(Proof::Fresh),
                    ..
                }
            ),
            "{result:?}"
        );
        assert_eq!((made.get(), harness.exchanges().len()), (1, 1));
    }

    #[test]
    fn a_lost_answer_is_looked_up_and_never_repeated() {
        let (harness, made) = platform();
        let harness = harness.lose_answer(1, Loss::AfterApplying);
        let result = unit(&harness.context(), 60_000, false);
        assert!(
            matches!(
                result,
                Made::Found {
                    object: 200,
                    proof: None,
                    ..
                }
            ),
            "{result:?}"
        );
        assert_eq!(made.get(), 1);
    }

    #[test]
    fn absent_before_the_first_send_proves_what_is_found_after_it() {
        let (harness, made) = platform();
        let harness = harness.lose_answer(1, Loss::AfterApplying);
        let result = unit(&harness.context(), 60_000, true);
        assert!(
            matches!(
                result,
                Made::Found {
                    proof: Some(Proof::AbsentBefore),
                    ..
                }
            ),
            "{result:?}"
        );
        assert_eq!(made.get(), 1);
    }

    #[test]
    fn a_miss_counts_only_after_the_settle_time_and_then_it_is_sent_again() {
        let (harness, made) = platform();
        let harness = harness.lose_answer(1, Loss::BeforeArriving);
        let result = unit(&harness.context(), 60_000, false);
        let Made::Created { key: Some(key), .. } = result else {
            panic!("{result:?}")
        };
        assert_eq!((key.step.as_str(), made.get()), ("create~2", 1));
        let kinds: Vec<_> = harness
            .steps()
            .iter()
            .map(|step| if let Step::Sleep(ms) = step { *ms } else { 0 })
            .collect();
        // Send, look up, wait, look up, send again.
        assert_eq!(kinds, [0, 0, 60_000, 0, 0]);
    }

    #[test]
    fn a_wait_that_is_too_long_leaves_the_item_unsettled() {
        let (harness, made) = platform();
        let harness = harness.lose_answer(1, Loss::BeforeArriving);
        let result = unit(&harness.context(), 59_999, false);
        assert!(matches!(result, Made::Unsettled(_)), "{result:?}");
        assert_eq!(made.get(), 0);
    }

    #[test]
    fn the_same_answers_give_the_same_way() {
        let (harness, _) = platform();
        let harness = harness.lose_answer(1, Loss::BeforeArriving);
        let first = unit(&harness.context(), 60_000, true);
        let (cx, again) = harness.replay();
        let second = unit(&cx, 60_000, true);
        assert_eq!(first, second);
        assert_eq!(harness.same_way(&again), None);
    }
}
