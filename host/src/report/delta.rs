//! A delta as text: what changed and what became of it, then what waits for a person.

use std::fmt::Write as _;

use super::table::{Column, table};
use super::{Width, clean, duration, number, section, time};
use crate::config::{Conflicts, Deleted, Frozen};
use crate::pipeline::model::{DeltaRecord, DeltaReport, Remap};

/// Records shown of a list; the rest is counted, and all are in the JSON.
const SHOWN: usize = 20;

/// Whether nothing is left to do about a delta: of one before the last, what waits for a person may wait on.
#[must_use]
pub fn delta_is_done(report: &DeltaReport) -> bool {
    let failed = report
        .counts
        .iter()
        .any(|count| ["rejected", "unsettled"].contains(&count.did.as_str()));
    report.state == "done" && !failed && (!report.closing || report.waiting.is_empty())
}

/// What a delta came to.
pub fn delta(report: &DeltaReport, width: Width) -> String {
    let which = match report.closing {
        true => " (the last one)",
        false => "",
    };
    let mut out = format!(
        "Delta {} of run {}{which}: {}\n",
        report.number,
        clean(&report.run),
        state(&report.state)
    );
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {name:<12}{value}");
    };
    line(
        "looked at",
        &format!(
            "what changed from {} to {}",
            time(report.since),
            time(report.until)
        ),
    );
    line(
        "ids",
        match report.swept {
            true => "compared with the source",
            false => "not compared: deletions and merges are not known",
        },
    );
    line(
        "policies",
        &format!(
            "changed on both sides: {}; takes no change: {}; deleted: {}",
            conflicts(report.policies.conflicts),
            frozen(report.policies.frozen),
            deleted(report.policies.deleted)
        ),
    );
    if let Some(remap) = report.remap {
        line(
            "mapping",
            match remap {
                Remap::Update => "changed since; what would be written otherwise is updated",
                Remap::Redo => "changed since; what would be written otherwise is made anew",
                Remap::Leave => "changed since; what is written stays as it is",
            },
        );
    }
    if let Some(ended) = report.ended_at {
        let took = u64::try_from(ended - report.started_at).unwrap_or(0);
        line("took", &duration(took));
    }
    line("writes", &format!("{} requests", number(report.writes)));
    out.push('\n');
    let rows = report.counts.iter().map(|count| {
        vec![
            count.kind.clone(),
            count.change.clone(),
            count.did.clone(),
            number(count.count),
        ]
    });
    let changes = table(
        &[
            Column::Left("kind"),
            Column::Left("change"),
            Column::Left("became"),
            Column::Right("records"),
        ],
        rows,
        width,
    );
    match changes.is_empty() {
        true => out.push_str("Nothing changed at the source.\n\n"),
        false => section(&mut out, "What changed at the source", changes),
    }
    section(
        &mut out,
        "Changed at the destination, too",
        list(&report.conflicts, width, |record| {
            format!(
                "{} → {}",
                record.theirs.join(", "),
                record.why.as_deref().unwrap_or(&record.did)
            )
        }),
    );
    section(
        &mut out,
        "Waits for you",
        list(&report.waiting, width, |record| {
            record.why.clone().unwrap_or_default()
        }),
    );
    if !report.waiting.is_empty() {
        out.push_str(
            "Of each: mend it at the destination and say `transload delta --keep-target KIND:ID`, or let the source's word \
             count: `--take-source KIND:ID`.\n",
        );
    }
    let end = match (report.state.as_str(), report.closing) {
        ("open", _) => "It was interrupted: `transload delta` goes on with it.\n",
        ("done", true) => {
            "It was the last one. Prove it: `transload verify --all`; then `transload cutover`.\n"
        }
        ("done", false) => {
            "The next one begins here: `transload delta`; the last one is `transload delta --close`.\n"
        }
        _ => "",
    };
    out.push_str(end);
    out
}

fn list(records: &[DeltaRecord], width: Width, what: impl Fn(&DeltaRecord) -> String) -> String {
    let rows = records.iter().take(SHOWN).map(|record| {
        vec![
            format!("{}:{}", record.kind, record.source_id),
            record
                .url
                .clone()
                .or_else(|| record.target.clone())
                .unwrap_or_default(),
            what(record),
        ]
    });
    let mut out = table(
        &["record", "at the destination", "what"].map(Column::Left),
        rows,
        width,
    );
    let more = records.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "and {} more; all are in --json", number(more as u64));
    }
    out
}

fn state(word: &str) -> &str {
    match word {
        "open" => "interrupted",
        "done" => "complete",
        "rolling-back" => "being taken back",
        "rolled-back" => "taken back",
        other => other,
    }
}

fn conflicts(policy: Conflicts) -> &'static str {
    match policy {
        Conflicts::TargetWins => "the destination's word",
        Conflicts::SourceWins => "the source's word",
        Conflicts::Ask => "you are asked",
    }
}

fn frozen(policy: Frozen) -> &'static str {
    match policy {
        Frozen::List => "listed",
        Frozen::Recreate => "made anew",
    }
}

fn deleted(policy: Deleted) -> &'static str {
    match policy {
        Deleted::List => "listed",
        Deleted::Remove => "taken away",
    }
}
