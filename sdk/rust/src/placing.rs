//! Placing records that carry nothing unique, many in one request: comments, activities, links.
//!
//! A request that makes them must not be sent twice. What may be there, of an earlier attempt or of a request whose answer was not
//! seen, is looked for where it would be, after as long as the request could still be applied (rule D-3). Each that is found
//! stands for one that was wanted; only what is missing is sent again, for some rounds. How a platform packs and names
//! records, and how it is asked for them, is a connector's [`Placing`].

use std::collections::{BTreeMap, BTreeSet};

use crate::effects::{effect, made};
use crate::http::{OperationKey, Refusal, RowMade, step, wait_out};
use crate::ledger::{Action, Effect, Proof};
use crate::{Context, Result};

/// A record that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Want<W> {
    /// Whose it is, for the caller.
    pub owner: usize,
    /// The record.
    pub record: W,
    /// Whether an earlier attempt may have made it, and since when that is in doubt.
    pub maybe_there: Option<Option<i64>>,
    /// The request of this call that may have made it.
    asked: Option<OperationKey>,
}

impl<W> Want<W> {
    /// One that was not asked for yet.
    pub fn new(owner: usize, record: W, maybe_there: Option<Option<i64>>) -> Self {
        Self {
            owner,
            record,
            maybe_there,
            asked: None,
        }
    }
}

/// What is said of a record's effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Which part of its item it is.
    pub part: String,
    /// What it is at the platform.
    pub kind: String,
    /// The print of what was sent of it.
    pub print: Option<String>,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<P> {
    /// Where it is, and which it is there.
    pub place: P,
    /// What it is at the platform.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Whether this run made it.
    pub ours: bool,
}

/// What a refusal of a record means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meant<W> {
    /// It is refused.
    Refused(W),
    /// It is to be sent again, as it is here.
    Again(W),
    /// The same, after [`Placing::LOCK_WAIT_MS`].
    Locked(W),
    /// There is one already, which no answer told us of.
    There(W),
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate<W, R> {
    /// It is there.
    There(W, Box<Effect>),
    /// Refused.
    Refused(W, R),
    /// Not known, even after sending and looking several times.
    Unsettled,
}

/// Records with their owners, as [`Placing::packs`] has them.
pub type Wants<W> = Vec<Want<W>>;

/// What became of records, by their owners.
pub type Fates<W, R> = Vec<(usize, Fate<W, R>)>;

/// How a platform takes such records.
#[allow(
    async_fn_in_trait,
    reason = "a guest has one thread, so futures need not be Send"
)]
pub trait Placing {
    /// A record.
    type Record;
    /// Where one is, and which it is there: the same of one that is wanted and of one that was found.
    type Place: Ord;
    /// How the platform says no.
    type Refusal: Refusal;

    /// Rounds of sending and looking.
    const ROUNDS: u32;
    /// When a look that finds nothing is believed, ms after the last byte left (rule D-3).
    const SETTLE_MS: u64;
    /// What is waited before a record that met a lock is sent again, ms.
    const LOCK_WAIT_MS: u64;

    /// As many as one request takes, in the order in which they are to be sent.
    fn packs(&self, open: Wants<Self::Record>) -> Vec<Wants<Self::Record>>;

    /// Sends a pack in one request that has this part and step; what became of each, in its order.
    ///
    /// # Errors
    /// What ends the unit.
    async fn send(
        &self,
        part: &str,
        step: &str,
        pack: &[Want<Self::Record>],
    ) -> Result<Vec<RowMade<Self::Refusal>>>;

    /// What a refusal means.
    fn meant(
        &self,
        record: Self::Record,
        refusal: &Self::Refusal,
        round: Round,
    ) -> Meant<Self::Record>;

    /// What is there of such records.
    ///
    /// # Errors
    /// What ends the unit.
    async fn look(&self, wanted: &[&Self::Record]) -> Result<Vec<Found<Self::Place>>>;

    /// Where a record is to be.
    fn place(&self, record: &Self::Record) -> Self::Place;

    /// What its effect says.
    fn label(&self, record: &Self::Record) -> Label;
}

/// In which a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Every record of a pack of several was refused.
    pub together: bool,
    /// Nothing is sent after it.
    pub last: bool,
    /// An earlier request of this call may have made the record.
    pub asked: bool,
}

/// Makes what is not there. `batch` names the requests. Gives what became of each with its owner, in any order.
///
/// # Errors
/// What ends the unit.
pub async fn place<P: Placing>(
    cx: &Context,
    how: &P,
    batch: &str,
    wants: Wants<P::Record>,
) -> Result<Fates<P::Record, P::Refusal>> {
    let mut placer = Placer {
        cx,
        how,
        fates: Vec::with_capacity(wants.len()),
    };
    let (old, mut open): (Vec<_>, Vec<_>) = wants
        .into_iter()
        .partition(|want| want.maybe_there.is_some());
    let since = old.iter().filter_map(|want| want.maybe_there?).max();
    if let Some(since) = since {
        wait_out(cx, since, P::SETTLE_MS).await;
    }
    open.extend(placer.find(old).await?);
    for round in 1..=P::ROUNDS {
        if open.is_empty() {
            break;
        }
        open = placer.round(batch, round, open).await?;
    }
    let rest = open.into_iter().map(|want| (want.owner, Fate::Unsettled));
    placer.fates.extend(rest);
    Ok(placer.fates)
}

struct Placer<'a, P: Placing> {
    cx: &'a Context,
    how: &'a P,
    fates: Fates<P::Record, P::Refusal>,
}

impl<P: Placing> Placer<'_, P> {
    /// Sends what is open; gives what is to be sent again.
    async fn round(
        &mut self,
        batch: &str,
        number: u32,
        open: Wants<P::Record>,
    ) -> Result<Wants<P::Record>> {
        let (mut doubtful, mut again) = (Vec::new(), Vec::new());
        let (mut since, mut locked) = (None, false);
        let step = step("create", number);
        for (pack_number, pack) in self.how.packs(open).into_iter().enumerate() {
            let part = format!("{batch}:{pack_number}");
            let made = self.how.send(&part, &step, &pack).await?;
            let refused = |made: &RowMade<P::Refusal>| matches!(made, RowMade::Refused(_));
            let together = pack.len() > 1 && made.iter().all(refused);
            for (want, made) in pack.into_iter().zip(made) {
                match made {
                    RowMade::Done { id, fresh, key } => self.made(want, id, fresh, key),
                    RowMade::Doubt(sent_at, key) => {
                        since = since.max(Some(sent_at));
                        let asked = Some(key);
                        doubtful.push(Want { asked, ..want });
                    }
                    RowMade::Refused(refusal) => {
                        let round = Round {
                            together,
                            last: number == P::ROUNDS,
                            asked: want.asked.is_some(),
                        };
                        let with = |record| Want {
                            owner: want.owner,
                            record,
                            maybe_there: want.maybe_there,
                            asked: want.asked.clone(),
                        };
                        match self.how.meant(want.record, &refusal, round) {
                            Meant::Again(record) => again.push(with(record)),
                            Meant::Locked(record) => {
                                locked = true;
                                again.push(with(record));
                            }
                            Meant::There(record) => doubtful.push(with(record)),
                            Meant::Refused(record) => {
                                let fate = Fate::Refused(record, refusal);
                                self.fates.push((want.owner, fate));
                            }
                        }
                    }
                }
            }
        }
        if let Some(since) = since {
            wait_out(self.cx, since, P::SETTLE_MS).await;
        } else if locked {
            self.cx.sleep(P::LOCK_WAIT_MS).await;
        }
        again.extend(self.find(doubtful).await?);
        Ok(again)
    }

    /// What is found where this run would make it, and is what it would make there, is this run's.
    fn of_run(&self) -> Proof {
        Proof::Marker(self.cx.run().to_owned())
    }

    fn made(&mut self, want: Want<P::Record>, id: String, fresh: bool, key: OperationKey) {
        let proof = if fresh { Proof::Fresh } else { self.of_run() };
        let Label { part, kind, print } = self.how.label(&want.record);
        let effect = Effect {
            fingerprint: print,
            ..made(&part, &kind, id, Some(proof), key)
        };
        let there = Fate::There(want.record, Box::new(effect));
        self.fates.push((want.owner, there));
    }

    /// Looks for records; gives those that are not there.
    async fn find(&mut self, wants: Wants<P::Record>) -> Result<Wants<P::Record>> {
        if wants.is_empty() {
            return Ok(wants);
        }
        let records: Vec<&P::Record> = wants.iter().map(|want| &want.record).collect();
        let found = self.how.look(&records).await?;
        // What an answer has told of already is nobody else's.
        let told = self.fates.iter().filter_map(|(_, fate)| match fate {
            Fate::There(_, effect) => {
                Some((effect.target_kind.as_str(), effect.target_id.as_str()))
            }
            Fate::Refused(..) | Fate::Unsettled => None,
        });
        let told: BTreeSet<(&str, &str)> = told.collect();
        let mut there: BTreeMap<P::Place, Vec<(String, bool)>> = BTreeMap::new();
        for one in found {
            if !told.contains(&(one.kind.as_str(), one.id.as_str())) {
                let at = there.entry(one.place).or_default();
                at.push((one.id, one.ours));
            }
        }
        let mut missing = Vec::new();
        for want in wants {
            let at = there.get_mut(&self.how.place(&want.record));
            let Some((id, ours)) = at.and_then(Vec::pop) else {
                missing.push(want);
                continue;
            };
            let (action, proof) = match ours {
                true => (Action::Created, Some(self.of_run())),
                false => (Action::Matched, None),
            };
            let Label { part, kind, print } = self.how.label(&want.record);
            let effect = Effect {
                proof,
                key: want.asked,
                fingerprint: print,
                ..effect(&part, &kind, id, action)
            };
            let there = Fate::There(want.record, Box::new(effect));
            self.fates.push((want.owner, there));
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::executor::block_on;

    use super::*;
    use crate::http::{Reply, key};
    use crate::testing::Harness;
    use crate::types::Error;

    #[derive(Debug, Clone, PartialEq)]
    struct No(&'static str);

    impl Refusal for No {
        fn read(_: &Reply) -> Self {
            Self("read")
        }

        fn of_account(&self) -> Option<Error> {
            None
        }

        fn rejection(&self) -> Error {
            Error::Conflict(self.said())
        }

        fn said(&self) -> String {
            self.0.to_owned()
        }
    }

    /// A platform that holds words, each as often as it was made, and answers as it is told.
    #[derive(Default)]
    struct Wall {
        there: RefCell<Vec<(String, &'static str, bool)>>,
        answers: RefCell<Vec<&'static str>>,
        sent: RefCell<Vec<String>>,
    }

    impl Wall {
        fn put(&self, word: &'static str, ours: bool) -> String {
            let mut there = self.there.borrow_mut();
            let id = format!("w{}", there.len());
            there.push((id.clone(), word, ours));
            id
        }
    }

    impl Placing for Wall {
        type Record = &'static str;
        type Place = &'static str;
        type Refusal = No;

        const ROUNDS: u32 = 3;
        const SETTLE_MS: u64 = 1_000;
        const LOCK_WAIT_MS: u64 = 10;

        fn packs(&self, open: Wants<&'static str>) -> Vec<Wants<&'static str>> {
            open.chunks(2).map(<[_]>::to_vec).collect()
        }

        async fn send(
            &self,
            part: &str,
            step: &str,
            pack: &[Want<&'static str>],
        ) -> Result<Vec<RowMade<No>>> {
            let words: Vec<&str> = pack.iter().map(|want| want.record).collect();
            self.sent
                .borrow_mut()
                .push(format!("{part} {step}: {}", words.join(" ")));
            let key = key("*", part, step);
            let mut answers = self.answers.borrow_mut();
            let one = |want: &Want<&'static str>| {
                let key = key.clone();
                match answers.pop().unwrap_or("done") {
                    "done" => RowMade::Done {
                        id: self.put(want.record, true),
                        fresh: true,
                        key,
                    },
                    "applied" => {
                        self.put(want.record, true);
                        RowMade::Doubt(5, key)
                    }
                    "lost" => RowMade::Doubt(5, key),
                    why => RowMade::Refused(No(why)),
                }
            };
            Ok(pack.iter().map(one).collect())
        }

        fn meant(&self, word: &'static str, no: &No, round: Round) -> Meant<&'static str> {
            match no.0 {
                "locked" if !round.last => Meant::Locked(word),
                "holder" if !round.asked => Meant::There(word),
                _ if round.together => Meant::Again(word),
                _ => Meant::Refused(word),
            }
        }

        async fn look(&self, _: &[&&'static str]) -> Result<Vec<Found<&'static str>>> {
            let there = self.there.borrow();
            let found = there.iter().map(|(id, word, ours)| Found {
                place: *word,
                kind: "word".to_owned(),
                id: id.clone(),
                ours: *ours,
            });
            Ok(found.collect())
        }

        fn place(&self, word: &&'static str) -> &'static str {
            word
        }

        fn label(&self, word: &&'static str) -> Label {
            Label {
                part: (*word).to_owned(),
                kind: "word".to_owned(),
                print: None,
            }
        }
    }

    /// Places words; gives each owner's fate in short, what was sent, and how long was waited.
    fn placed(wall: &Wall, wants: Wants<&'static str>) -> (Vec<String>, Vec<String>, u64) {
        let slept = std::rc::Rc::new(RefCell::new(0));
        let sleeps = slept.clone();
        let harness = Harness::scripted([]).now(0);
        let harness = harness.sleeping(move |ms| *sleeps.borrow_mut() += ms);
        let cx = harness.context();
        let mut fates = block_on(place(&cx, wall, "b", wants)).unwrap();
        fates.sort_by_key(|(owner, _)| *owner);
        let short = |(owner, fate): (usize, Fate<&'static str, No>)| match fate {
            Fate::There(word, effect) => {
                let asked = if effect.key.is_some() { "" } else { " unasked" };
                let made = match effect.action {
                    Action::Created => "made",
                    Action::Matched | Action::Updated => "matched",
                };
                format!("{owner} {word} {made}{asked}")
            }
            Fate::Refused(word, no) => format!("{owner} {word} refused: {}", no.0),
            Fate::Unsettled => format!("{owner} unsettled"),
        };
        let waited = *slept.borrow();
        (
            fates.into_iter().map(short).collect(),
            wall.sent.take(),
            waited,
        )
    }

    fn want(owner: usize, word: &'static str) -> Want<&'static str> {
        Want::new(owner, word, None)
    }

    fn answering(answers: &[&'static str]) -> Wall {
        let wall = Wall::default();
        wall.answers
            .replace(answers.iter().rev().copied().collect());
        wall
    }

    #[test]
    fn what_was_not_answered_is_looked_for_and_only_what_is_missing_is_sent_again() {
        let wall = answering(&["applied", "lost", "done"]);
        let (fates, sent, waited) = placed(&wall, vec![want(0, "a"), want(1, "b"), want(2, "c")]);
        assert_eq!(fates, ["0 a made", "1 b made", "2 c made"]);
        assert_eq!(
            sent,
            ["b:0 create: a b", "b:1 create: c", "b:0 create~2: b"]
        );
        assert_eq!((wall.there.borrow().len(), waited), (3, 1_000));
    }

    #[test]
    fn what_an_earlier_attempt_made_stands_for_one_that_is_wanted_each() {
        let wall = Wall::default();
        wall.put("a", true);
        wall.put("b", false);
        let old = |owner, word| Want::new(owner, word, Some(Some(0)));
        let wants = vec![old(0, "a"), old(1, "a"), old(2, "b"), want(3, "a")];
        let (fates, sent, _) = placed(&wall, wants);
        let found = [
            "0 a made unasked",
            "1 a made",
            "2 b matched unasked",
            "3 a made",
        ];
        assert_eq!(fates, found);
        assert_eq!(sent, ["b:0 create: a a"]);
    }

    #[test]
    fn one_that_an_answer_told_of_is_not_found_for_another() {
        let wall = answering(&["done", "lost"]);
        let (fates, sent, _) = placed(&wall, vec![want(0, "a"), want(1, "a")]);
        assert_eq!(fates, ["0 a made", "1 a made"]);
        assert_eq!((sent.len(), wall.there.borrow().len()), (2, 2));
    }

    #[test]
    fn a_refusal_means_what_the_platform_means_by_it() {
        let wall = answering(&["locked", "bad"]);
        let (fates, sent, waited) = placed(&wall, vec![want(0, "a"), want(1, "b")]);
        // Refused together, one for a lock: both go again.
        assert_eq!(fates, ["0 a made", "1 b made"]);
        assert_eq!((sent.len(), waited), (2, 10));

        let wall = answering(&["holder", "done"]);
        wall.put("a", true);
        let (fates, ..) = placed(&wall, vec![want(0, "a"), want(1, "b")]);
        assert_eq!(fates, ["0 a made unasked", "1 b made"]);

        let wall = answering(&["bad", "done"]);
        let (fates, ..) = placed(&wall, vec![want(0, "a"), want(1, "b")]);
        assert_eq!(fates, ["0 a refused: bad", "1 b made"]);
    }

    #[test]
    fn what_is_never_answered_stays_unsettled() {
        let wall = answering(&["lost", "lost", "lost"]);
        let (fates, sent, _) = placed(&wall, vec![want(0, "a")]);
        assert_eq!(fates, ["0 unsettled"]);
        assert_eq!(sent.len(), 3);
    }
}
