//! What the pipeline returned, as text for a person.
//!
//! Text from the outside (names, ids, reasons) is shown with its control and direction characters spelled out: it can neither
//! break a table nor steer a terminal. JSON is the values of [`model`](crate::pipeline::model) as they are and needs nothing
//! from here but [`without_content`].

mod checked;
pub mod cutover;
mod damage;
mod delta;
pub mod html;
pub mod inventory;
mod plan;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt::Write as _;

use crate::pipeline::model::{
    CheckReport, ConnectionCheck, Notice, RetryReport, RollbackReport, RunReport, Severity,
};

pub use checked::checked;
pub use delta::{delta, delta_is_done};
pub use plan::plan;
pub use run::{adds_up, form, is_clean, run, run_summary, time, without_content};
use table::{Column, table};
pub use table::{clean, duration, number};
pub use verify::{
    difference_word, verification, verification_summary, verification_without_content,
};

/// How wide text may be; `None` for as wide as it gets (a file, a pipe).
pub type Width = Option<u16>;

/// What `check` found.
pub fn check(report: &CheckReport, width: Width) -> String {
    let mut out = String::new();
    for connection in &report.connections {
        out.push_str(&one_connection(connection));
    }
    let all: Vec<Notice> = report
        .connections
        .iter()
        .flat_map(|c| c.notices.clone())
        .collect();
    out.push_str(&notices(&all, width));
    out.push_str(match report.ok {
        true => "Both connections work.\n",
        false => "Not ready: see what is missing above.\n",
    });
    out
}

fn one_connection(check: &ConnectionCheck) -> String {
    let mut out = format!(
        "{} ({}): {}\n",
        clean(&check.connection),
        check.role,
        clean(&check.account_name)
    );
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {name:<18}{value}");
    };
    line("account", &clean(&check.account));
    for (name, value) in [
        ("address", &check.url),
        ("tier", &check.tier),
        ("acts as", &check.user),
    ] {
        if let Some(value) = value {
            line(name, &clean(value));
        }
    }
    line(
        "plugin",
        &format!("{} sha256:{}", clean(&check.plugin), short(&check.digest)),
    );
    line("may reach", &list(&check.hosts));
    if !check.missing_rights.is_empty() {
        line("MISSING RIGHTS", &list(&check.missing_rights));
    }
    if !check.excess_rights.is_empty() {
        line("more than needed", &list(&check.excess_rights));
    }
    out.push('\n');
    out
}

/// What a rollback would do or did.
pub fn rollback(report: &RollbackReport, width: Width) -> String {
    let mut out = format!(
        "{} of run {}\n\n",
        if report.preview {
            "Preview of the rollback"
        } else {
            "Rollback"
        },
        clean(&report.run)
    );
    let rows = report
        .counts
        .iter()
        .map(|(kind, status, count)| vec![kind.clone(), status.clone(), number(*count)]);
    out.push_str(&table(
        &[
            Column::Left("kind"),
            Column::Left("outcome"),
            Column::Right("effects"),
        ],
        rows,
        width,
    ));
    out.push('\n');
    out.push_str(&run::undo_problems(&report.problems, width));
    let _ = match (report.preview, report.left) {
        (true, left) => writeln!(out, "Nothing was changed. Would be left: {}.", number(left)),
        (false, left) => writeln!(out, "left after rollback {left}"),
    };
    out
}

/// What trying rejected records again came to, and the run as it is now.
pub fn retry(report: &RetryReport, width: Width) -> String {
    let mut out = run(&report.run, width);
    let _ = writeln!(
        out,
        "rejected before {}; tried again {}; rejected now {}",
        number(report.rejected_before),
        number(report.tried),
        number(report.rejected_now)
    );
    let left = report.rejected_before - report.tried.min(report.rejected_before);
    if left > 0 {
        let _ = writeln!(
            out,
            "{} were not tried: parts of records that arrived, or of kinds that were not asked for.",
            number(left)
        );
    }
    out
}

/// The report of a run; see [`run::run`].
pub fn status(report: &RunReport, width: Width) -> String {
    run(report, width)
}

/// A table of words; nothing if it has no rows.
pub fn plain_table(
    head: &[&'static str],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Width,
) -> String {
    let columns: Vec<Column> = head.iter().copied().map(Column::Left).collect();
    table(&columns, rows, width)
}

/// Notices, the worst first, each with what to do.
pub fn notices(notices: &[Notice], width: Width) -> String {
    let mut sorted: Vec<&Notice> = notices.iter().collect();
    sorted.sort_by_key(|notice| std::cmp::Reverse(notice.severity));
    let rows = sorted.into_iter().map(|notice| {
        let mark = match notice.severity {
            Severity::Info => "info",
            Severity::Caution => "caution",
            Severity::Danger => "DANGER",
        };
        let message = match &notice.remedy {
            Some(remedy) => format!("{} → {remedy}", notice.message),
            None => notice.message.clone(),
        };
        vec![
            mark.to_owned(),
            notice.from.clone(),
            notice.code.clone(),
            message,
        ]
    });
    let text = table(
        &["how bad", "from", "code", "what"].map(Column::Left),
        rows,
        width,
    );
    if text.is_empty() { text } else { text + "\n" }
}

/// A heading and a table, if there is anything in it.
fn section(out: &mut String, title: &str, body: String) {
    if !body.is_empty() {
        let _ = writeln!(out, "{title}\n{}\n", body.trim_end());
    }
}

fn list(words: &[String]) -> String {
    words
        .iter()
        .map(|w| clean(w))
        .collect::<Vec<_>>()
        .join(", ")
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
