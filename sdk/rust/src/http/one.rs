//! Making and changing one object, and what may be claimed of it.
//!
//! On top of [`create`]: an object that is there after a lost answer is ours where it carries this run (rule D-4); a
//! change to fixed values, whose answer was not seen, is looked at before it is sent once more.

use serde::de::DeserializeOwned;

use super::{
    Made, OperationKey, Refusal, Reply, RequestBuilder, Sent, create, key, refused, write,
};
use crate::ledger::Proof;
use crate::{Context, Result};

/// What is known of a platform's creations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Making {
    /// What `item.in-doubt-since` says.
    pub in_doubt_since: Option<i64>,
    /// When a look-up that finds nothing is believed, ms after the last byte left (rule D-3).
    pub settle_ms: u64,
    /// The status that says that the object was made. Another 2xx may be about one that was there.
    pub created: u16,
}

/// How a platform answers writes of one object, as JSON: said once in a connector, as a constant that [`make`](Writes::make) and
/// [`change`](Writes::change) are called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    /// When a look-up that finds nothing is believed, ms after the last byte left (rule D-3).
    pub settle_ms: u64,
    /// The status that says that the object was made. Another 2xx may be about one that was there.
    pub created: u16,
    /// The member of the answer that holds the object; `None` where the answer is the object.
    pub member: Option<&'static str>,
}

impl Writes {
    /// The same of objects that stand in a member of the answer.
    pub const fn of(self, member: &'static str) -> Self {
        let member = Some(member);
        Self { member, ..self }
    }

    /// The same where another status says that the object was made.
    pub const fn created(self, created: u16) -> Self {
        Self { created, ..self }
    }

    /// Makes one object, as [`make()`] does. `in_doubt_since` is what the item says, where this is its first request.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn make<T: DeserializeOwned, R: Refusal>(
        self,
        in_doubt_since: Option<i64>,
        request: RequestBuilder,
        find: impl AsyncFn() -> Result<Option<T>>,
        ours: impl Fn(&T) -> bool,
    ) -> Result<Creation<T, R>> {
        let making = Making {
            in_doubt_since,
            settle_ms: self.settle_ms,
            created: self.created,
        };
        make(request, making, |reply| self.read(reply), find, ours).await
    }

    /// Changes one object to fixed values, as [`change()`] does.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn change<T: DeserializeOwned, R: Refusal>(
        self,
        cx: &Context,
        request: impl Fn(&str) -> RequestBuilder,
        find: impl AsyncFn() -> Result<Option<T>>,
        is_done: impl Fn(&T) -> bool,
    ) -> Result<Changed<T, R>> {
        let read = |reply: &Reply| self.read(reply);
        change(cx, self.settle_ms, request, read, find, is_done).await
    }

    fn read<T: DeserializeOwned>(self, reply: &Reply) -> Result<T> {
        match self.member {
            Some(member) => reply.member(member),
            None => reply.json(),
        }
    }
}

/// What became of a creation.
#[derive(Debug)]
pub enum Creation<T, R> {
    /// It is there; by our request unless the proof is missing.
    There(T, Option<Proof>, OperationKey),
    /// Refused.
    Refused(R),
    /// Not known, even after looking twice.
    Unsettled,
}

/// Makes one object. `read` gives it from an answer, `find` looks it up, `ours` says whether what was found carries this run.
///
/// # Errors
/// What ends the unit.
pub async fn make<T, R: Refusal>(
    request: RequestBuilder,
    making: Making,
    read: impl Fn(&Reply) -> Result<T>,
    find: impl AsyncFn() -> Result<Option<T>>,
    ours: impl Fn(&T) -> bool,
) -> Result<Creation<T, R>> {
    let cx = request.cx.clone();
    let run_proof = |found: &T| ours(found).then(|| Proof::Marker(cx.run().to_owned()));
    let first = key_of(&request);
    let create = create(&cx, request).in_doubt_since(making.in_doubt_since);
    Ok(match create.or_find(find, making.settle_ms).await? {
        Made::Created { reply, proof, key } => {
            let found = read(&reply)?;
            let fresh = proof.filter(|_| reply.status == making.created);
            let proof = fresh.or_else(|| run_proof(&found));
            Creation::There(found, proof, key.unwrap_or(first))
        }
        Made::Found { object, key, .. } => {
            let proof = run_proof(&object);
            Creation::There(object, proof, key.unwrap_or(first))
        }
        Made::Refused(reply) => Creation::Refused(refused(&reply)?),
        Made::Unsettled(_) => Creation::Unsettled,
    })
}

/// What became of a change.
#[derive(Debug)]
pub enum Changed<T, R> {
    /// It is done; the object as it is now.
    Done(T, OperationKey),
    /// Refused.
    Refused(R),
    /// Not known, even after looking twice.
    Unknown,
}

/// Changes one object to fixed values, which may be sent twice: sends `request("update")`; looks at the object when the answer is
/// not seen; sends `request("update-again")` when it is not as wanted and that counts.
///
/// # Errors
/// What ends the unit.
pub async fn change<T, R: Refusal>(
    cx: &Context,
    settle_ms: u64,
    request: impl Fn(&str) -> RequestBuilder,
    read: impl Fn(&Reply) -> Result<T>,
    find: impl AsyncFn() -> Result<Option<T>>,
    is_done: impl Fn(&T) -> bool,
) -> Result<Changed<T, R>> {
    for step in ["update", "update-again"] {
        let request = request(step);
        let key = key_of(&request);
        match write(request).await? {
            Sent::Done(reply) => return Ok(Changed::Done(read(&reply)?, key)),
            Sent::Refused(refusal) => return Ok(Changed::Refused(refusal)),
            Sent::Doubt(_) => {
                cx.sleep(settle_ms).await;
                if let Some(found) = find().await?.filter(&is_done) {
                    return Ok(Changed::Done(found, key));
                }
            }
        }
    }
    Ok(Changed::Unknown)
}

/// Waits until a look-up that finds nothing is believed, of what is in doubt since then.
pub async fn wait_out(cx: &Context, since: i64, settle_ms: u64) {
    let until = since.saturating_add(i64::try_from(settle_ms).unwrap_or(i64::MAX));
    let rest = u64::try_from(until.saturating_sub(cx.now())).unwrap_or(0);
    // The unit's time stands still: what was sent in it is no older than its waits.
    cx.sleep(rest.min(settle_ms)).await;
}

fn key_of(request: &RequestBuilder) -> OperationKey {
    let key_of = request.request().key.clone();
    key_of.unwrap_or_else(|| key("", "", ""))
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::http::Response;
    use crate::http::sorted::refusing::No;
    use crate::testing::{Harness, Loss, answer};

    const WRITES: Writes = Writes {
        settle_ms: 60_000,
        created: 201,
        member: None,
    };

    fn made(writes: Writes, reply: Response) -> Creation<u32, No> {
        let harness = Harness::scripted([reply]);
        let cx = harness.context();
        let request = cx.http().write("POST", "/things", key("i", "main", ""));
        let made = writes.make(None, request.json("x"), async || Ok(None), |_| false);
        block_on(made).unwrap()
    }

    #[test]
    fn what_was_made_is_read_from_the_answer_or_a_member_of_it() {
        let plain = made(WRITES, answer(201, "7"));
        assert!(matches!(plain, Creation::There(7, Some(Proof::Fresh), _)));
        let member = made(WRITES.of("thing"), answer(201, r#"{"thing": 7}"#));
        assert!(matches!(member, Creation::There(7, Some(Proof::Fresh), _)));
    }

    #[test]
    fn only_the_status_of_a_creation_proves_one() {
        let there = made(WRITES, answer(200, "7"));
        assert!(matches!(there, Creation::There(7, None, _)), "{there:?}");
        let there = made(WRITES.created(200), answer(200, "7"));
        assert!(matches!(there, Creation::There(7, Some(_), _)), "{there:?}");
        let refused = made(WRITES, answer(422, ""));
        assert!(matches!(refused, Creation::Refused(No(422))), "{refused:?}");
    }

    #[test]
    fn a_change_that_was_not_answered_is_looked_at_and_sent_once_more() {
        let harness = Harness::new(|_| std::future::ready(answer(200, r#"{"thing": 7}"#)));
        let harness = harness.lose_answer(1, Loss::BeforeArriving);
        let cx = harness.context();
        let request = |step: &str| {
            let key = key("i", "main", step);
            cx.http().repeatable("PUT", "/things/1", key).json("7")
        };
        let find = async || Ok(Some(6_u32));
        let changed = WRITES
            .of("thing")
            .change(&cx, request, find, |now| *now == 7);
        let changed: Changed<u32, No> = block_on(changed).unwrap();
        let Changed::Done(7, key) = changed else {
            panic!("{changed:?}")
        };
        assert_eq!(key.step, "update-again");
    }
}
