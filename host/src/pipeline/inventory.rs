//! What cannot be migrated and must be rebuilt by a person (workflows, queues, schedules …): asked of the source once a run,
//! after the reading, and written to the run's export folder.
//!
//! Each thing is an exported record of the kind `inventory` in the run's sum (rule M-6), so that nobody has to remember that
//! there is a file. A source that cannot list them costs a notice, never the run.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::model::{Events, Notice, Severity};
use super::side::Side;
use crate::contract::source::InventoryItem;
use crate::error::Error;
use crate::exported::{create_private_dir, private_file};
use crate::sql;
use crate::store::sha256;
use crate::unit::{Surroundings, decided};

/// The kind under which the things are counted.
pub const KIND: &str = "inventory";
/// The file in the run's export folder.
const FILE: &str = "inventory.json";

/// One thing, as it is written.
#[derive(Serialize)]
struct Thing<'a> {
    section: &'a str,
    id: &'a str,
    name: &'a str,
    summary: &'a str,
    enabled: Option<bool>,
    detail: Value,
}

/// Takes the inventory, if this run has none yet.
///
/// # Errors
/// A store that cannot be written, a folder that cannot be written; [`Error::Interrupted`] when stopped.
pub async fn take(
    source: &Side,
    around: &Surroundings,
    folder: &Path,
    events: &dyn Events,
) -> Result<(), Error> {
    let taken = around
        .store
        .number(
            "SELECT count(*) FROM outcomes WHERE run = $1 AND kind = $2",
            vec![(&around.run).into(), KIND.into()],
        )
        .await?;
    if taken > 0 {
        return Ok(());
    }
    let found = source
        .ask("list its inventory", |host| {
            let (plugin, ctx) = (source.plugin.clone(), source.context.clone());
            async move { plugin.inventory(host, ctx).await }
        })
        .await;
    match found {
        Ok(items) => keep(&items, around, folder).await,
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            let notice = Notice {
                from: source.name.clone(),
                code: "inventory-failed".into(),
                severity: Severity::Caution,
                message: format!("what must be rebuilt by hand could not be listed: {error}"),
                remedy: error.hint().or_else(|| Some("run again".into())),
            };
            events.notice(&notice);
            around
                .store
                .write(vec![sql!(
                    "INSERT INTO notices (run, code, body) VALUES ($1, $2, $3) ON CONFLICT (run, code, body) DO NOTHING",
                    &around.run,
                    &notice.code,
                    serde_json::to_string(&notice)?
                )])
                .await?;
            Ok(())
        }
    }
}

/// Writes the file, and then that it is there.
async fn keep(items: &[InventoryItem], around: &Surroundings, folder: &Path) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    let text = written(items)?;
    create_private_dir(folder)?;
    let path = folder.join(FILE);
    let partial = folder.join(format!("{FILE}.partial"));
    let io = |error| Error::io("write the inventory", &path, error);
    let mut file = private_file(&partial).map_err(io)?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(io)?;
    let mut batch = vec![];
    let mut ledger = vec![];
    for item in items {
        let id = format!("{}/{}", item.section, item.id);
        let hash = sha256(&item.detail);
        let (statement, entry) = decided(around, &[KIND, &id, &hash], "exported", Some(FILE), None);
        batch.push(statement);
        ledger.push(entry);
    }
    around.store.write_ledger(batch, ledger).await?;
    Ok(())
}

/// The file's text: a list of all things, their details as JSON, or as text where they are none.
fn written(items: &[InventoryItem]) -> Result<Vec<u8>, serde_json::Error> {
    let things: Vec<Thing<'_>> = items
        .iter()
        .map(|item| Thing {
            section: &item.section,
            id: &item.id,
            name: &item.name,
            summary: &item.summary,
            enabled: item.enabled,
            detail: serde_json::from_str(&item.detail)
                .unwrap_or_else(|_| Value::from(item.detail.as_str())),
        })
        .collect();
    serde_json::to_vec_pretty(&things)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::InventoryCategory;

    #[test]
    fn details_are_json_where_they_are_json_and_nothing_of_them_is_lost() {
        let item = |id: &str, detail: &str| InventoryItem {
            category: InventoryCategory::Workflow,
            lines: vec![],
            uses: vec![],
            section: "workflow".into(),
            id: id.into(),
            name: "n".into(),
            summary: "s".into(),
            enabled: Some(false),
            detail: detail.into(),
        };
        let items = [item("1", r#"{"b":1,"a":[2.50]}"#), item("2", "{broken")];
        let text = String::from_utf8(written(&items).unwrap()).unwrap();
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back[0]["detail"].to_string(), r#"{"b":1,"a":[2.5]}"#);
        assert_eq!(back[1]["detail"], "{broken");
        assert_eq!(back[0]["enabled"], false);
        assert_eq!(
            (&back[0]["section"], &back[1]["id"]),
            (&Value::from("workflow"), &Value::from("2"))
        );
    }
}
