//! The report of a run: the sum per kind (rule M-6), what was refused and why, what was lost, what was sent.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};

use super::damage::damage;
use super::table::{Column, clean, duration, number, table};
use super::{Width, notices, section};
use crate::pipeline::model::{KindSum, RunReport, RunState, UndoProblem};

/// Whether both equations of rule M-6 hold.
pub fn adds_up(sum: &KindSum) -> bool {
    let explained: u64 = sum.explained.values().sum();
    let outcomes = sum.created
        + sum.updated
        + sum.matched
        + sum.skipped
        + sum.rejected
        + sum.exported
        + sum.unsettled
        + sum.open;
    sum.expected == sum.read + explained + sum.shortfall && sum.read == outcomes
}

/// Whether a run is done and nothing of it is open: exit code 0. Rejects have a reason and do not count; a shortfall does.
pub fn is_clean(report: &RunReport) -> bool {
    let done = match report.state {
        RunState::Complete => report.total.open == 0 && report.lost == 0,
        RunState::RolledBack => report.left_after_rollback == 0,
        _ => false,
    };
    done && report.total.unsettled == 0
        && report.total.shortfall == 0
        && report.duplicates == 0
        && report.chain_ok
        && report.kinds.iter().all(adds_up)
}

/// The whole report of a run.
pub fn run(report: &RunReport, width: Width) -> String {
    let mut out = format!("Run {}: {}\n", clean(&report.run), state(report.state));
    let mut line = |name: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {name:<13}{value}");
    };
    if let Some(reason) = &report.reason {
        line("because", clean(reason));
    }
    if let Some(until) = report.until {
        line("until", time(until));
    }
    line("source", clean(&report.source));
    line("destination", clean(&report.destination));
    for plugin in &report.plugins {
        line("plugin", clean(plugin));
    }
    line("began", time(report.started_at));
    if let Some(ended) = report.ended_at {
        let took = u64::try_from(ended.saturating_sub(report.started_at)).unwrap_or(0);
        line(
            "ended",
            format!("{}, after {}", time(ended), duration(took)),
        );
    }
    out.push('\n');
    section(
        &mut out,
        "The sum: expected = read + explained + missing; read = created + … + open (what is not shown is 0)",
        sums(report, width),
    );
    let explained = report.kinds.iter().flat_map(|sum| {
        sum.explained
            .iter()
            .map(|(why, n)| vec![sum.kind.clone(), why.clone(), number(*n)])
    });
    section(
        &mut out,
        "Explained: rows of the source that are no record of ours",
        table(
            &[
                Column::Left("kind"),
                Column::Left("why"),
                Column::Right("rows"),
            ],
            explained,
            width,
        ),
    );
    let rows = report.rejects.iter().map(|group| {
        vec![
            group.kind.clone(),
            number(group.count),
            group.cause.clone(),
            group.remedy.clone(),
            group.examples.join(", "),
        ]
    });
    section(
        &mut out,
        "Rejected, by cause",
        table(
            &[
                Column::Left("kind"),
                Column::Right("records"),
                Column::Left("cause"),
                Column::Left("what to do"),
                Column::Left("for example"),
            ],
            rows,
            width,
        ),
    );
    let rows = report
        .skips
        .iter()
        .map(|group| vec![group.kind.clone(), number(group.count), group.rule.clone()]);
    section(
        &mut out,
        "Skipped, by rule",
        table(
            &[
                Column::Left("kind"),
                Column::Right("records"),
                Column::Left("rule"),
            ],
            rows,
            width,
        ),
    );
    let rows = report.losses.iter().map(|loss| {
        vec![
            loss.kind.clone(),
            loss.field.clone(),
            loss.how.clone(),
            number(loss.count),
            loss.note.clone(),
            loss.examples.join(", "),
        ]
    });
    section(
        &mut out,
        "Not carried exactly",
        table(
            &[
                Column::Left("kind"),
                Column::Left("field"),
                Column::Left("how"),
                Column::Right("records"),
                Column::Left("why"),
                Column::Left("for example"),
            ],
            rows,
            width,
        ),
    );
    section(
        &mut out,
        "Texts that look damaged, all listed in text-damage.jsonl of the export folder (they arrived as they are)",
        damage(&report.damage, width),
    );
    let rows = report
        .inventory
        .iter()
        .map(|(what, n)| vec![what.clone(), number(*n)]);
    section(
        &mut out,
        "To be rebuilt by hand, in words in inventory.html and inventory.md of the export folder",
        table(
            &[Column::Left("what"), Column::Right("how many")],
            rows,
            width,
        ),
    );
    section(&mut out, "Requests sent", requests(report, width));
    if let Some(verification) = &report.verification {
        section(
            &mut out,
            "Verified",
            super::verify::verification(verification, width),
        );
    }
    out.push_str(&undo_problems(&report.undo_problems, width));
    out.push_str(&notices(&report.notices, width));
    out.push_str(match report.chain_ok {
        true => "The ledger's chain of hashes holds.\n",
        false => "✗ THE LEDGER'S CHAIN OF HASHES IS BROKEN: somebody changed the store.\n",
    });
    if report.kinds.iter().any(|sum| !adds_up(sum)) {
        out.push_str("✗ THE SUM DOES NOT ADD UP for the kinds marked ✗.\n");
    }
    out.push_str(&run_summary(report));
    out
}

/// The one line that says it all.
pub fn run_summary(report: &RunReport) -> String {
    let t = &report.total;
    format!(
        "read {} = created {} + updated {} + matched {} + skipped {} + rejected {} + exported {}; unsettled {}; \
         open {}; duplicates {}; lost {}; left after rollback {}\n",
        t.read,
        t.created,
        t.updated,
        t.matched,
        t.skipped,
        t.rejected,
        t.exported,
        t.unsettled,
        t.open,
        report.duplicates,
        report.lost,
        report.left_after_rollback,
    )
}

/// The sums of all kinds. Columns that are 0 throughout are left out, but for those everybody looks for.
fn sums(report: &RunReport, width: Width) -> String {
    type Get = fn(&KindSum) -> u64;
    let columns: [(&'static str, bool, Get); 13] = [
        ("expected", true, |s| s.expected),
        ("read", true, |s| s.read),
        ("explained", false, |s| s.explained.values().sum()),
        ("missing", false, |s| s.shortfall),
        ("created", true, |s| s.created),
        ("updated", false, |s| s.updated),
        ("matched", false, |s| s.matched),
        ("skipped", false, |s| s.skipped),
        ("rejected", true, |s| s.rejected),
        ("exported", false, |s| s.exported),
        ("unsettled", true, |s| s.unsettled),
        ("open", false, |s| s.open),
        ("undone", false, |s| s.undone),
    ];
    let sums: Vec<&KindSum> = report.kinds.iter().chain([&report.total]).collect();
    let shown: Vec<_> = columns
        .into_iter()
        .filter(|(_, always, get)| *always || sums.iter().any(|sum| get(sum) > 0))
        .collect();
    let mut head = vec![Column::Left("kind"), Column::Left("")];
    head.extend(shown.iter().map(|(name, _, _)| Column::Right(name)));
    let rows = sums.into_iter().map(|sum| {
        let mut row = vec![
            sum.kind.clone(),
            if adds_up(sum) { "✓" } else { "✗" }.to_owned(),
        ];
        row.extend(shown.iter().map(|(_, _, get)| number(get(sum))));
        row
    });
    table(&head, rows, width)
}

fn requests(report: &RunReport, width: Width) -> String {
    let mut out = String::new();
    let connections: BTreeSet<&str> = report
        .requests
        .iter()
        .map(|r| r.connection.as_str())
        .collect();
    let rows = report.requests.iter().map(|request| {
        vec![
            request.connection.clone(),
            request.method.clone(),
            request.path.clone(),
            number(request.count),
            number(request.throttled),
        ]
    });
    out.push_str(&table(
        &[
            Column::Left("connection"),
            Column::Left("method"),
            Column::Left("path"),
            Column::Right("requests"),
            Column::Right("answered 429"),
        ],
        rows,
        width,
    ));
    for connection in connections {
        let of = |throttled: bool| -> u64 {
            let all = report
                .requests
                .iter()
                .filter(|r| r.connection == connection);
            all.map(|r| if throttled { r.throttled } else { r.count })
                .sum()
        };
        let _ = writeln!(
            out,
            "{}: {} requests, {} answered 429",
            clean(connection),
            number(of(false)),
            number(of(true))
        );
    }
    out
}

/// What a rollback left to a person.
pub(super) fn undo_problems(problems: &[UndoProblem], width: Width) -> String {
    let rows = problems.iter().map(|problem| {
        vec![
            problem.kind.clone(),
            problem.status.clone(),
            problem.source_id.clone(),
            problem
                .url
                .clone()
                .unwrap_or_else(|| problem.target.clone()),
            problem.reason.clone(),
        ]
    });
    let mut out = String::new();
    section(
        &mut out,
        "Not undone, for a person to look at",
        table(
            &["kind", "status", "source id", "where", "why"].map(Column::Left),
            rows,
            width,
        ),
    );
    out
}

/// Takes out whatever points at single records or was written by vendors about them: ids, links, reasons. Counts stay.
#[must_use]
pub fn without_content(mut report: RunReport) -> RunReport {
    for group in &mut report.rejects {
        group.examples.clear();
        group.cause = form(&group.cause);
    }
    for loss in &mut report.losses {
        loss.examples.clear();
        loss.note = form(&loss.note);
    }
    for group in &mut report.damage {
        group.examples.clear();
    }
    for problem in &mut report.undo_problems {
        problem.source_id.clear();
        problem.target.clear();
        problem.reason.clear();
        problem.url = None;
    }
    report.verification = report
        .verification
        .map(super::verify::verification_without_content);
    report
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::New => "nothing written yet",
        RunState::Running => "not finished; `transload run` goes on with it",
        RunState::Paused => "paused",
        RunState::Stopped => "stopped; `transload run` goes on with it",
        RunState::Complete => "complete",
        RunState::RollingBack => "being rolled back; `transload rollback` goes on with it",
        RunState::RolledBack => "rolled back",
    }
}

/// A moment as people read it, to the second.
#[must_use]
pub fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms"),
        |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

/// A sentence without what differs from record to record: words with a digit in them, and what stands in quotes.
pub fn form(sentence: &str) -> String {
    let mut out = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(first) = rest.chars().next() {
        let quoted = ['"', '`', '\'']
            .contains(&first)
            .then(|| rest.get(1..).and_then(|inside| inside.find(first)))
            .flatten();
        let length = match quoted {
            Some(inside) => inside + 2,
            None if first.is_whitespace() => first.len_utf8(),
            None => rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len()),
        };
        let (word, behind) = rest.split_at(length);
        match quoted.is_some() || word.chars().any(|c| c.is_ascii_digit()) {
            true => out.push('…'),
            false => out.push_str(word),
        }
        rest = behind;
    }
    out
}
