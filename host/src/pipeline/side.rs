//! One end of a migration: a connection with its plugin and its way out.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::blobs::BlobStore;
use crate::clock::SharedClock;
use crate::contract::destination::{AccountSupport, SurveyReport};
use crate::contract::{description, session, types};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::reading::ReadingHost;
use crate::rehearsal::Rehearsal;
use crate::sandbox::{Plugin, UnitError, support_problems};
use crate::unit::error_words;
use crate::unit_host::{KnownBlobs, UnitAbort};

/// A read that fails for now is tried this often before the run stops.
const TRIES: u32 = 5;

/// A connection that is ready to be used.
#[derive(Clone)]
pub struct Side {
    /// Its name in `migration.toml`.
    pub name: String,
    /// The connector, pinned to a digest.
    pub plugin: Plugin,
    /// Its way out.
    pub gateway: Gateway,
    /// What its calls are made for.
    pub context: session::Context,
    /// Bytes.
    pub blobs: BlobStore,
    /// Time.
    pub clock: SharedClock,
    /// Answers for the platform, in a dry run.
    pub rehearsal: Option<Rehearsal>,
}

impl Side {
    /// What the connector says of itself.
    #[must_use]
    pub fn description(&self) -> &description::Description {
        self.plugin.description()
    }

    /// What a destination does with kinds and fields: as its survey has them for this account, else as described.
    #[must_use]
    pub fn support(&self, survey: &SurveyReport) -> AccountSupport {
        survey.support.clone().unwrap_or_else(|| AccountSupport {
            kinds: self.description().kinds.clone(),
            fidelity: self.description().fidelity.clone(),
        })
    }

    /// What there could be at a destination.
    ///
    /// # Errors
    /// As [`Side::ask`]; `connector-bug` for a report that contradicts the description.
    pub async fn survey(&self) -> Result<SurveyReport, Error> {
        let survey = self
            .ask("be surveyed", |host| {
                let (plugin, ctx) = (self.plugin.clone(), self.context.clone());
                async move { plugin.survey(host, ctx).await }
            })
            .await?;
        let problems = match &survey.support {
            Some(support) => support_problems(self.description(), support),
            None => vec![],
        };
        if problems.is_empty() {
            return Ok(survey);
        }
        let problem = types::Error::Bug(problems.join("; "));
        Err(self.failed("be surveyed", &problem))
    }

    /// `name@version`
    #[must_use]
    pub fn plugin_name(&self) -> String {
        let description = self.description();
        format!("{}@{}", description.name, description.version)
    }

    /// A host for one reading unit that is given no bytes.
    #[must_use]
    pub fn reading(&self) -> Arc<ReadingHost> {
        self.reading_with(KnownBlobs::default())
    }

    /// A host for one reading unit that is given these bytes.
    fn reading_with(&self, known: KnownBlobs) -> Arc<ReadingHost> {
        let host = ReadingHost::new(
            self.gateway.clone(),
            self.blobs.clone(),
            Arc::clone(&self.clock),
            known,
        );
        Arc::new(host.rehearsing(self.rehearsal.clone()))
    }

    /// Runs a reading call until it gives an answer that counts: what fails for now is tried again, with growing pauses.
    ///
    /// # Errors
    /// The connector's own error in the operator's words, or what stopped the unit.
    pub async fn ask<T, F, Fut>(&self, what: &'static str, call: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(Arc<ReadingHost>) -> Fut,
        Fut: Future<Output = Result<Result<T, types::Error>, UnitError>> + Send + 'static,
    {
        self.ask_about(KnownBlobs::default(), what, call).await
    }

    /// As [`Side::ask`], about records that carry bytes.
    ///
    /// # Errors
    /// As [`Side::ask`].
    pub async fn ask_about<T, F, Fut>(
        &self,
        known: KnownBlobs,
        what: &'static str,
        call: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(Arc<ReadingHost>) -> Fut,
        Fut: Future<Output = Result<Result<T, types::Error>, UnitError>> + Send + 'static,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let host = self.reading_with(known.clone());
            let problem = match apart(call(host)).await? {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(types::Error::Transient(why))) if tries < TRIES => why,
                Ok(Err(error)) => return Err(self.failed(what, &error)),
                // A disk that is full stays so; to go on would lose what cannot be kept.
                Err(UnitError::Abort(UnitAbort::Store(why))) => {
                    return Err(
                        Error::environment("store", format!("the store failed: {why}")).with_hint(
                            "make room on the disk or mend the file system, then run again",
                        ),
                    );
                }
                Err(error) if tries < 2 && error.may_pass() => error.to_string(),
                Err(error) => {
                    return Err(Error::failed(
                        "unit-failed",
                        format!(
                            "{} could not {what} ({}): {error}",
                            self.name,
                            self.plugin_name()
                        ),
                    )
                    .with_hint("run again; if it stays, tell the connector's author"));
                }
            };
            tracing::warn!(
                connection = self.name,
                what,
                tries,
                problem,
                "Trying again."
            );
            self.clock
                .sleep(Duration::from_millis(500 << tries.min(6)))
                .await;
        }
    }

    /// A connector's error as the operator's.
    #[must_use]
    pub fn failed(&self, what: &str, error: &types::Error) -> Error {
        if matches!(error, types::Error::Cancelled) {
            return Error::Interrupted;
        }
        let (cause, remedy) = error_words(error);
        let message = match error {
            // Its author has to act, so it is named.
            types::Error::Bug(_) => {
                format!(
                    "{} could not {what} ({}): {cause}",
                    self.name,
                    self.plugin_name()
                )
            }
            _ => format!("{} could not {what}: {cause}", self.name),
        };
        let code = match error {
            types::Error::Auth(_) => "auth",
            types::Error::Permission(_) => "permission",
            types::Error::NotFound(_) => "not-found",
            types::Error::Invalid(_) => "invalid",
            types::Error::Conflict(_) => "conflict",
            types::Error::Transient(_) => "transient",
            types::Error::Quota(_) => "quota",
            types::Error::Unsupported(_) => "unsupported",
            types::Error::Cancelled => "stopped",
            types::Error::Bug(_) => "connector-bug",
        };
        match error {
            types::Error::Auth(_)
            | types::Error::Permission(_)
            | types::Error::Transient(_)
            | types::Error::Quota(_) => Error::environment(code, message),
            types::Error::Invalid(_) => Error::input(code, message),
            _ => Error::failed(code, message),
        }
        .with_hint(remedy)
    }
}

/// Runs a unit on a thread of its own choice: connectors compute, and several may at once. It ends with the caller.
///
/// # Errors
/// [`Error::Interrupted`] when the process is ending.
pub(super) async fn apart<T: Send + 'static>(
    unit: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    let mut task = JoinSet::new();
    task.spawn(unit);
    match task.join_next().await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Some(Err(_)) | None => Err(Error::Interrupted),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{message, surroundings};
    use super::*;
    use crate::contract::destination::{Body, Item, MatchPolicy};
    use crate::contract::types::{Entity, Text};
    use crate::unit::blobs_of;
    use crate::unit_host::UnitHost as _;

    #[tokio::test]
    async fn a_reading_unit_may_read_the_texts_of_the_items_it_is_given_and_no_others() {
        let (_dir, around) = surroundings("r1").await;
        let keep = |text: &str| {
            around
                .blobs
                .put_bytes(text.as_bytes(), "text/plain")
                .unwrap()
        };
        let (long, foreign) = (keep("a long text"), keep("somebody else's"));
        let mut entry = message("m1", None, "ana");
        if let Entity::Message(message) = &mut entry.data {
            message.text = Some(Text::Stored(long.clone()));
        }
        let item = Item {
            key: "message:m1".into(),
            body: Body {
                entries: vec![entry],
                parts: vec![],
            },
            values: vec![],
            policy: MatchPolicy::FillEmpty,
            existing: None,
            marker: "m".into(),
            in_doubt_since: None,
            notes: vec![],
            prior: vec![],
        };
        let mut known = KnownBlobs::default();
        blobs_of(&[item], &mut known);
        let host = ReadingHost::new(
            around.gateway.clone(),
            around.blobs.clone(),
            around.clock.clone(),
            known,
        );
        assert_eq!(host.blob_read(&long, 2, 4).unwrap(), b"long");
        let refused = host.blob_read(&foreign, 0, 4).unwrap_err();
        assert!(matches!(refused, UnitAbort::UnknownBlob(_)), "{refused:?}");
    }
}
