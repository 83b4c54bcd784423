//! Rejected records, tried again: what was in their way may have been mended since.
//!
//! Only they are tried, each as a unit of its own, with what was read of them then, under the run's own plan and mapping and by
//! its plugins. A record's new outcome takes the place of its rejection, and the chain covers it anew. A rejected part of a
//! record that arrived (a file of a thread) is not tried: the record would have to be changed, or made twice.

use sqlx::Row as _;

use super::load::Loader;
use super::model::RetryReport;
use crate::error::Error;
use crate::kinds;

/// Tries the rejects of a run again, kind by kind in the order of loading.
///
/// # Errors
/// A store error, `interrupted`; what more tries would not mend.
pub async fn rejects(
    loader: &Loader<'_>,
    only: Option<&[String]>,
    report: &mut RetryReport,
) -> Result<(), Error> {
    loader.events.phase("retry");
    loader.settle().await?;
    let order: Vec<String> = loader
        .kinds
        .iter()
        .map(|support| kinds::name(&support.kind).to_owned())
        .collect();
    for kind in &order {
        if only.is_some_and(|only| !only.contains(kind)) {
            continue;
        }
        let ids: Vec<String> = loader
            .around
            .store
            .rows(
                "SELECT source_id FROM outcomes WHERE run = $1 AND kind = $2 AND status = 'rejected' ORDER BY source_id",
                vec![(&loader.around.run).into(), kind.into()],
            )
            .await?
            .iter()
            .map(|row| row.try_get("source_id"))
            .collect::<Result<_, _>>()?;
        let total = ids.len() as u64;
        for (done, id) in (1..).zip(&ids) {
            if loader.stop.is_cancelled() {
                return Err(Error::Interrupted);
            }
            // One alone: a rule that stops a run which goes wrong has nothing to say of records that went wrong already.
            match Box::pin(loader.singly(kind, id)).await {
                Err(error) if error.code() == "stop-rule" => {}
                other => other?,
            }
            report.tried += 1;
            loader.events.progress(kind, done, Some(total));
        }
    }
    Ok(())
}
