//! Pauses: a connection that waits for something outside is shown, told and stored, so that another terminal and a person
//! elsewhere learn of it (rule M-10).
//!
//! What is stored follows what is: `paused` with its reason while any connection waits, `running` when all go on. A process
//! that dies meanwhile leaves `paused` behind; the next `run` sets it right.

use std::convert::Infallible;

use tokio::sync::watch;

use super::model::Events;
use super::notify::{Happening, Notifier};
use super::side::Side;
use crate::error::Error;
use crate::gateway::{Pause, PauseReason};
use crate::sql;
use crate::store::Store;

/// A connection's pauses, under its name.
type Pauses = (String, watch::Receiver<Option<Pause>>);

/// Where the pauses of a run are kept.
pub struct Keeper<'a> {
    /// State.
    pub store: &'a Store,
    /// The run.
    pub run: &'a str,
    /// Who is told.
    pub person: &'a Notifier,
}

/// Why a run waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    reason: String,
    until: Option<i64>,
}

/// Tells of connections' pauses while `work` goes on, and keeps them if somebody does.
pub async fn telling<T>(
    sides: &[&Side],
    events: &dyn Events,
    keeper: Option<&Keeper<'_>>,
    work: impl Future<Output = T>,
) -> T {
    let pauses = sides
        .iter()
        .map(|side| (side.name.clone(), side.gateway.pauses()))
        .collect();
    let watching = follow(pauses, events, keeper);
    tokio::select! {
        result = work => result,
        never = watching => match never {},
    }
}

/// As [`telling`], for what is asked before anything goes on: a credential that is refused ends it, because nobody waits at
/// a command that only asks.
///
/// # Errors
/// `auth`; what the work ends with.
pub async fn unless_refused<T>(
    sides: &[&Side],
    events: &dyn Events,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let refused = sides.iter().map(|side| {
        let pauses = side.gateway.pauses();
        Box::pin(refusal(side.name.clone(), pauses))
    });
    tokio::select! {
        result = telling(sides, events, None, work) => result,
        (error, ..) = futures::future::select_all(refused) => Err(error),
    }
}

/// Waits until a connection's credential is refused.
async fn refusal(name: String, mut pauses: watch::Receiver<Option<Pause>>) -> Error {
    let refused = |pause: &Option<Pause>| {
        matches!(
            pause,
            Some(Pause {
                reason: PauseReason::Credential(_),
                ..
            })
        )
    };
    let pause = match pauses.wait_for(refused).await {
        Ok(pause) => pause.clone(),
        Err(_) => return std::future::pending().await,
    };
    let what = match pause.map(|pause| pause.reason) {
        Some(PauseReason::Credential(what)) => what,
        _ => "the credential is refused".into(),
    };
    Error::environment("auth", what)
        .about(&name)
        .with_hint(format!(
            "renew the secret of [connections.{name}], see that it has the rights its plugin asks for, and try again"
        ))
}

async fn follow(
    mut pauses: Vec<Pauses>,
    events: &dyn Events,
    keeper: Option<&Keeper<'_>>,
) -> Infallible {
    let mut told: Vec<Option<String>> = vec![None; pauses.len()];
    let mut kept: Option<Waiting> = None;
    loop {
        let mut waiting: Option<Waiting> = None;
        for ((name, pause), told) in pauses.iter_mut().zip(&mut told) {
            let pause = pause.borrow_and_update().clone();
            let words = pause.as_ref().map(words_of);
            if words != *told {
                events.paused(name, words.as_deref());
                *told = words;
            }
            if let (Some(pause), None) = (pause, &waiting) {
                waiting = Some(Waiting {
                    reason: format!("{name} waits: {}", why(&pause.reason)),
                    until: pause.until,
                });
            }
        }
        if let (true, Some(keeper)) = (waiting != kept, keeper) {
            keeper.keep(kept.as_ref(), waiting.as_ref()).await;
        }
        kept = waiting;
        let changes = pauses
            .iter_mut()
            .map(|(_, pause)| Box::pin(pause.changed()));
        if futures::future::select_all(changes).await.0.is_err() {
            // A gateway is gone, so nothing is sent any more; whatever is left to do ends by itself.
            return std::future::pending().await;
        }
    }
}

impl Keeper<'_> {
    async fn keep(&self, before: Option<&Waiting>, now: Option<&Waiting>) {
        let row = match now {
            Some(waiting) => sql!(
                "UPDATE runs SET state = 'paused', reason = $2, until_ms = $3 WHERE id = $1 AND state IN ('running', 'paused')",
                self.run,
                &waiting.reason,
                waiting.until
            ),
            None => sql!(
                "UPDATE runs SET state = 'running', reason = NULL, until_ms = NULL WHERE id = $1 AND state = 'paused'",
                self.run
            ),
        };
        if let Err(error) = self.store.write(vec![row]).await {
            tracing::warn!(%error, "A pause could not be stored.");
        }
        if let (None, Some(waiting)) = (before, now) {
            self.person.tell(Happening::Pause, &words(waiting), None);
        }
    }
}

fn words(waiting: &Waiting) -> String {
    with_end(&waiting.reason, waiting.until)
}

/// What a person reads of a pause.
fn words_of(pause: &Pause) -> String {
    with_end(&why(&pause.reason), pause.until)
}

fn why(reason: &PauseReason) -> String {
    match reason {
        PauseReason::Quota(rule) => format!("the limit {rule:?} is used up"),
        PauseReason::SlowDown => "the platform asked us to wait".into(),
        PauseReason::Credential(what) => format!("{what}; waiting for a new secret"),
    }
}

fn with_end(why: &str, until: Option<i64>) -> String {
    match until.and_then(chrono::DateTime::from_timestamp_millis) {
        Some(until) => format!("{why}, until {}", until.format("%Y-%m-%d %H:%M:%S UTC")),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use sqlx::Row as _;

    use super::super::fixtures;
    use super::super::model::Notice;
    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Events for Seen {
        fn phase(&self, _: &str) {}
        fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
        fn paused(&self, connection: &str, reason: Option<&str>) {
            let line = format!("{connection}: {}", reason.unwrap_or("goes on"));
            self.0.lock().unwrap().push(line);
        }
        fn notice(&self, _: &Notice) {}
    }

    async fn state(store: &Store) -> (String, Option<String>, Option<i64>) {
        let row = store
            .row("SELECT state, reason, until_ms FROM runs", vec![])
            .await
            .unwrap()
            .unwrap();
        (
            row.try_get("state").unwrap(),
            row.try_get("reason").unwrap(),
            row.try_get("until_ms").unwrap(),
        )
    }

    fn quota(until: i64) -> Option<Pause> {
        Some(Pause {
            reason: PauseReason::Quota("day".into()),
            until: Some(until),
        })
    }

    /// Until what is followed has come to rest.
    async fn settle() {
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_pause_is_stored_while_it_lasts_and_shown_once() {
        let (dir, store) = fixtures::store().await;
        fixtures::run(&store, "r1", "running").await;
        let person = Notifier::new(&fixtures::config(""), dir.path(), "r1", None);
        let keeper = Keeper {
            store: &store,
            run: "r1",
            person: &person,
        };
        let seen = Seen::default();
        let (old, old_seen) = watch::channel(None);
        let (new, new_seen) = watch::channel(None);
        let pauses = vec![("old".to_owned(), old_seen), ("new".to_owned(), new_seen)];
        let script = async {
            let wait_for = async |wanted: (&str, Option<&str>, Option<i64>)| {
                loop {
                    let (state, reason, until) = state(&store).await;
                    if (state.as_str(), reason.as_deref(), until) == wanted {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let day = "old waits: the limit \"day\" is used up";
            old.send(quota(1_000)).unwrap();
            wait_for(("paused", Some(day), Some(1_000))).await;
            // A second connection that waits changes nothing of that.
            let slow = Pause {
                reason: PauseReason::SlowDown,
                until: None,
            };
            new.send(Some(slow)).unwrap();
            settle().await;
            wait_for(("paused", Some(day), Some(1_000))).await;
            old.send(None).unwrap();
            wait_for((
                "paused",
                Some("new waits: the platform asked us to wait"),
                None,
            ))
            .await;
            new.send(None).unwrap();
            wait_for(("running", None, None)).await;
        };
        tokio::select! {
            () = script => {}
            never = follow(pauses, &seen, Some(&keeper)) => match never {},
        }
        assert_eq!(
            *seen.0.lock().unwrap(),
            [
                "old: the limit \"day\" is used up, until 1970-01-01 00:00:01 UTC",
                "new: the platform asked us to wait",
                "old: goes on",
                "new: goes on",
            ]
        );
    }

    #[tokio::test]
    async fn a_run_that_is_being_rolled_back_or_has_ended_keeps_its_state() {
        for word in ["rolling-back", "complete", "stopped"] {
            let (dir, store) = fixtures::store().await;
            fixtures::run(&store, "r1", word).await;
            let person = Notifier::new(&fixtures::config(""), dir.path(), "r1", None);
            let keeper = Keeper {
                store: &store,
                run: "r1",
                person: &person,
            };
            let waiting = Waiting {
                reason: "x".into(),
                until: None,
            };
            keeper.keep(None, Some(&waiting)).await;
            keeper.keep(Some(&waiting), None).await;
            assert_eq!(state(&store).await, (word.to_owned(), None, None));
        }
    }
}
