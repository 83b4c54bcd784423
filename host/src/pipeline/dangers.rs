//! Dangers that show after a run was approved: a page of the source says so, or an account that is asked again when a run goes on.
//!
//! They stop the run as those of the plan do, until they are taken on by their code or mended. What was taken on is kept with the
//! run (rule M-10), so that nobody is asked twice.

use std::collections::HashSet;

use sqlx::Row as _;

use super::model::{Notice, RunOptions, Severity};
use super::planning;
use crate::config::Config;
use crate::error::Error;
use crate::sql;
use crate::store::{Statement, Store};

/// In place of a danger's remedy, once somebody took it on.
pub const TAKEN_ON: &str = "taken on for this run";

/// What a run may go on with.
pub struct Dangers {
    store: Store,
    run: String,
    codes: HashSet<String>,
}

impl Dangers {
    /// What was taken on for a run: by `[migration] accept`, by these options, or before.
    ///
    /// # Errors
    /// A store error.
    pub async fn open(
        store: &Store,
        run: &str,
        config: &Config,
        options: &RunOptions,
    ) -> Result<Self, Error> {
        let mut codes: HashSet<String> = config.migration.accept.iter().cloned().collect();
        codes.extend(options.accept_dangers.iter().cloned());
        let kept = kept(store, run).await?.into_iter();
        codes.extend(kept.filter(is_taken_on).map(|notice| notice.code));
        Ok(Self {
            store: store.clone(),
            run: run.to_owned(),
            codes,
        })
    }

    /// Keeps the dangers that are taken on, and refuses to go on with the others.
    ///
    /// # Errors
    /// `danger-not-accepted`, which names each; a store error.
    pub async fn look(&self, notices: &[Notice]) -> Result<(), Error> {
        let (known, open): (Vec<&Notice>, Vec<&Notice>) = notices
            .iter()
            .filter(|notice| notice.severity == Severity::Danger)
            .partition(|notice| self.codes.contains(&notice.code));
        let rows: Vec<Statement> = known
            .into_iter()
            .map(|notice| taken_on(&self.run, notice))
            .collect::<Result<_, _>>()?;
        if !rows.is_empty() {
            self.store.write(rows).await?;
        }
        planning::refuse(open.into_iter(), "")
    }
}

/// Notices that are kept with a run, or with a reading.
///
/// # Errors
/// A store error.
pub async fn kept(store: &Store, of: &str) -> Result<Vec<Notice>, Error> {
    store
        .rows(
            "SELECT body FROM notices WHERE run = $1 ORDER BY code, body",
            vec![of.into()],
        )
        .await?
        .iter()
        .map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("body")?)?))
        .collect()
}

/// That a danger is taken on, as a stored row.
///
/// # Errors
/// A notice that cannot be written as JSON.
pub fn taken_on(run: &str, danger: &Notice) -> Result<Statement, Error> {
    met(
        run,
        &Notice {
            remedy: Some(TAKEN_ON.into()),
            ..danger.clone()
        },
    )
}

/// What was met in a run and nobody has said anything to, as a stored row.
///
/// # Errors
/// As [`taken_on`].
pub fn met(run: &str, notice: &Notice) -> Result<Statement, Error> {
    Ok(sql!(
        "INSERT INTO notices (run, code, body) VALUES ($1, $2, $3) ON CONFLICT (run, code, body) DO NOTHING",
        run,
        &notice.code,
        serde_json::to_string(notice)?
    ))
}

fn is_taken_on(notice: &Notice) -> bool {
    notice.severity == Severity::Danger && notice.remedy.as_deref() == Some(TAKEN_ON)
}

/// What a run's report shows of both: a danger that is taken on takes the place of what was said when it was found.
#[must_use]
pub fn merged(of_run: Vec<Notice>, of_reading: Vec<Notice>) -> Vec<Notice> {
    let same =
        |a: &Notice, b: &Notice| (&a.from, &a.code, &a.message) == (&b.from, &b.code, &b.message);
    let mut all = of_run;
    let fresh: Vec<Notice> = of_reading
        .into_iter()
        .filter(|notice| {
            !all.iter()
                .any(|known| is_taken_on(known) && same(known, notice))
        })
        .collect();
    all.extend(fresh);
    all.sort_by(|a, b| (&a.code, &a.message).cmp(&(&b.code, &b.message)));
    all
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    fn notice(code: &str, severity: Severity) -> Notice {
        Notice {
            from: "old".into(),
            code: code.into(),
            severity,
            message: format!("what {code} is"),
            remedy: Some("mend it".into()),
        }
    }

    #[tokio::test]
    async fn a_danger_stops_until_it_is_taken_on_and_is_not_asked_about_twice() {
        let (_dir, store) = fixtures::store().await;
        let config = fixtures::config("");
        let open = async |codes: &[&str]| {
            let options = RunOptions {
                accept_dangers: codes.iter().map(|code| (*code).to_owned()).collect(),
                ..RunOptions::default()
            };
            Dangers::open(&store, "r1", &config, &options)
                .await
                .unwrap()
        };
        let found = [
            notice("masked", Severity::Danger),
            notice("cut", Severity::Danger),
            notice("slow", Severity::Caution),
        ];
        let refused = open(&["masked"]).await.look(&found).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.exit_code()),
            ("danger-not-accepted", 2)
        );
        let words = refused.to_string();
        assert!(
            words.contains("cut (old: what cut is)")
                && !words.contains("masked")
                && !words.contains("slow"),
            "{words}"
        );
        assert!(refused.hint().unwrap().contains("--accept-danger cut`"));
        // `masked` was taken on, and stays so.
        let refused = open(&[]).await.look(&found).await.unwrap_err();
        assert!(!refused.to_string().contains("masked"), "{refused}");
        open(&["cut"]).await.look(&found).await.unwrap();
        open(&[]).await.look(&found).await.unwrap();
        // Another run is another matter.
        let other = Dangers::open(&store, "r2", &config, &RunOptions::default())
            .await
            .unwrap();
        assert!(other.look(&found).await.is_err());

        let shown = merged(kept(&store, "r1").await.unwrap(), found.to_vec());
        let shown: Vec<_> = shown
            .iter()
            .map(|n| (n.code.as_str(), n.remedy.as_deref().unwrap()))
            .collect();
        assert_eq!(
            shown,
            [("cut", TAKEN_ON), ("masked", TAKEN_ON), ("slow", "mend it")]
        );
    }

    #[tokio::test]
    async fn what_the_file_accepts_is_taken_on() {
        let (_dir, store) = fixtures::store().await;
        let mut config = fixtures::config("");
        config.migration.accept = vec!["cut".into()];
        let options = RunOptions::default();
        let dangers = Dangers::open(&store, "r1", &config, &options)
            .await
            .unwrap();
        dangers
            .look(&[notice("cut", Severity::Danger)])
            .await
            .unwrap();
    }
}
