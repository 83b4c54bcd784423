//! A page against the store.
//!
//! Three things are looked at. *The file*: the store keeps the digest of each page that it gave out, so one changed byte is
//! seen. *The chain*: the ledger holds from its first link, and its head as the page has it is a link of it, so that nothing
//! that the page stands for was changed since. *The numbers*: what the page says of the ledger is read again and compared.
//!
//! A run may have gone on since, or been taken back: that is said, and is no fault of the page. Where it wrote more, the numbers
//! are those of then and are not compared; the file and the chain are.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{ChainHead, Dossier, read};
use crate::error::Error;
use crate::report::html;
use crate::store::Store;

/// Differences that are listed, at most.
const MOST: usize = 20;

/// What came of checking a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageCheck {
    /// Everything below is as it should be.
    pub ok: bool,
    /// sha-256 of the file, hex.
    pub sha256: String,
    /// The run that it is about.
    pub run: String,
    /// When it says that it was made, ms.
    pub made_at: i64,
    /// Whether this store gave out a page of just these bytes.
    pub given_out: bool,
    /// Whether what it shows is what its data says. Not known for a page of another version of this program.
    pub shows_its_data: Option<bool>,
    /// Whether the store has the run.
    pub run_is_there: bool,
    /// Whether the ledger's chain of hashes holds, from its first link.
    pub chain_holds: bool,
    /// The chain's head on the page.
    pub head: PageHead,
    /// What the page says and the store does not.
    pub differences: Vec<Difference>,
    /// What has changed since the page was made, as it may when a run goes on or is taken back.
    pub moved_on: Vec<String>,
}

/// The chain's head on a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageHead {
    /// As it is on the page.
    #[serde(flatten)]
    pub head: ChainHead,
    /// Whether the chain has this link.
    pub known: bool,
    /// Links of the chain since.
    pub links_since: i64,
    /// Of them, those with outcomes of this run.
    pub of_this_run: i64,
}

/// Where the page and the store differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which number or word.
    pub what: String,
    /// On the page.
    pub page: String,
    /// In the store.
    pub store: String,
}

/// Checks the text of a page.
///
/// # Errors
/// `not-a-report` for a file without a report's data; a store error.
pub async fn check(store: &Store, page: &str) -> Result<PageCheck, Error> {
    let data = html::data_of(page).ok_or_else(|| {
        Error::input(
            "not-a-report",
            "the file is no page that `transload report --html` writes",
        )
        .with_hint(
            "check the file as it was written; a print or a copy of its text cannot be checked",
        )
    })?;
    let dossier: Dossier = serde_json::from_str(data).map_err(|error| {
        Error::input("not-a-report", "the data in the page cannot be read")
            .with_source(error)
            .with_hint("the file was changed, or comes from another version: use the version that the page names")
    })?;
    let sha256 = hex::encode(Sha256::digest(page));
    let run = dossier.report.run.clone();
    let given_out = store
        .number(
            "SELECT count(*) FROM pages WHERE sha256 = $1 AND run = $2 AND chain_seq = $3 AND chain_hash = $4",
            vec![
                (&sha256).into(),
                (&run).into(),
                dossier.head.links.into(),
                (&dossier.head.hash).into(),
            ],
        )
        .await?
        > 0;
    let same_version = page.contains(&format!(
        "<meta name=\"generator\" content=\"transload {}\">",
        env!("CARGO_PKG_VERSION")
    ));
    let shows_its_data = match same_version {
        true => Some(html::run(&dossier)? == page),
        false => None,
    };
    let head = page_head(store, &dossier.head, &run).await?;
    let run_is_there = store
        .number(
            "SELECT count(*) FROM runs WHERE id = $1",
            vec![(&run).into()],
        )
        .await?
        > 0;
    let (mut differences, mut moved_on) = (vec![], vec![]);
    let chain_holds;
    if run_is_there {
        let mut now = read(store, &run, dossier.made_at).await?;
        chain_holds = now.report.chain_ok;
        if !dossier.content {
            now = now.without_content();
        }
        if head.of_this_run > 0 {
            moved_on.push(format!(
                "the run has written more since: {} commits; the numbers are those of then and are not compared",
                head.of_this_run
            ));
        } else {
            let (page, store) = (parts(&dossier)?, parts(&now)?);
            differing("", &page.ledger, &store.ledger, &mut differences);
            for ((what, then), (_, now)) in page.beside.iter().zip(&store.beside) {
                if then != now {
                    moved_on.push((*what).to_owned());
                }
            }
        }
    } else {
        chain_holds = store.chain_holds().await?;
    }
    differences.truncate(MOST);
    Ok(PageCheck {
        ok: given_out
            && run_is_there
            && chain_holds
            && head.known
            && shows_its_data != Some(false)
            && differences.is_empty(),
        sha256,
        made_at: dossier.made_at,
        run,
        given_out,
        shows_its_data,
        run_is_there,
        chain_holds,
        head,
        differences,
        moved_on,
    })
}

async fn page_head(store: &Store, head: &ChainHead, run: &str) -> Result<PageHead, Error> {
    let known = head.links == 0
        || store
            .number(
                "SELECT count(*) FROM chain WHERE seq = $1 AND hash = $2",
                vec![head.links.into(), (&head.hash).into()],
            )
            .await?
            > 0;
    let links_since = store
        .number(
            "SELECT count(*) FROM chain WHERE seq > $1",
            vec![head.links.into()],
        )
        .await?;
    let of_this_run = store
        .number(
            "SELECT count(*) FROM chain WHERE seq > $1 AND rows_ref LIKE '%[\"' || $2 || '\",%'",
            vec![head.links.into(), run.into()],
        )
        .await?;
    Ok(PageHead {
        head: head.clone(),
        known,
        links_since,
        of_this_run,
    })
}

/// What a page says: of the ledger, which stays as it is while nothing is written; and beside it, which may move on.
struct Parts {
    ledger: Value,
    beside: Vec<(&'static str, Value)>,
}

fn parts(dossier: &Dossier) -> Result<Parts, Error> {
    let mut all = serde_json::to_value(dossier)?;
    let mut beside = vec![];
    let mut undone = vec![];
    for place in ["/report/kinds", "/objects"] {
        let sums = all.pointer_mut(place).and_then(Value::as_array_mut);
        for sum in sums.into_iter().flatten().filter_map(Value::as_object_mut) {
            undone.push(sum.remove("undone"));
        }
    }
    if let Some(total) = all
        .pointer_mut("/report/total")
        .and_then(Value::as_object_mut)
    {
        total.remove("undone");
    }
    beside.push((
        "what a rollback has taken back",
        serde_json::to_value(undone)?,
    ));
    for (what, names) in [
        (
            "where the run stands",
            &["state", "reason", "until", "ended_at", "lost"][..],
        ),
        ("requests", &["requests"]),
        ("notices", &["notices"]),
        ("what was verified", &["verification"]),
        ("what a dry run said", &["against"]),
        (
            "what a rollback left",
            &["undo_problems", "left_after_rollback"],
        ),
    ] {
        let report = all.get_mut("report").and_then(Value::as_object_mut);
        let taken: Vec<Option<Value>> = report
            .map(|report| names.iter().map(|name| report.remove(*name)).collect())
            .unwrap_or_default();
        beside.push((what, serde_json::to_value(taken)?));
    }
    if let Some(all) = all.as_object_mut() {
        beside.push(("the timeline", all.remove("timeline").unwrap_or_default()));
        // Of the page itself, and the chain's, which is compared as such.
        for name in ["made_at", "head"] {
            all.remove(name);
        }
    }
    if let Some(report) = all.get_mut("report").and_then(Value::as_object_mut) {
        report.remove("chain_ok");
    }
    Ok(Parts {
        ledger: all,
        beside,
    })
}

/// Where two values differ, by their path.
fn differing(path: &str, page: &Value, store: &Value, found: &mut Vec<Difference>) {
    match (page, store) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let at = format!("{path}/{name}");
                let none = Value::Null;
                let (a, b) = (a.get(name).unwrap_or(&none), b.get(name).unwrap_or(&none));
                differing(&at, a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                // A thing with a name is called by it.
                let name = ["kind", "target_kind", "id", "outcome"]
                    .iter()
                    .find_map(|name| a.get(name)?.as_str())
                    .map_or_else(|| at.to_string(), str::to_owned);
                differing(&format!("{path}/{name}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => found.push(Difference {
            what: path.to_owned(),
            page: format!("{} entries", a.len()),
            store: format!("{} entries", b.len()),
        }),
        (a, b) if a != b => found.push(Difference {
            what: path.to_owned(),
            page: word(a),
            store: word(b),
        }),
        _ => {}
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}
