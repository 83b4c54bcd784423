//! What a dry run found, and what it would have sent for one record.

use std::fmt::Write as _;

use super::run::{groups, sums, time};
use super::table::{Column, clean, duration, number, table};
use super::{Width, notices, section};
use crate::pipeline::model::{DryRun, Shown};

/// A dry run, whole.
pub fn dry_run(dry: &DryRun, width: Width) -> String {
    let report = &dry.report;
    let mut out = format!(
        "Dry run: nothing was changed at {}\n",
        clean(&report.destination)
    );
    let mut line = |name: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {name:<13}{value}");
    };
    line("source", clean(&report.source));
    line("destination", clean(&report.destination));
    for plugin in &report.plugins {
        line("plugin", clean(plugin));
    }
    line(
        "began",
        format!("{}, took {}", time(dry.at), duration(dry.took_ms)),
    );
    if dry.done_before > 0 {
        line(
            "goes on with",
            format!(
                "run {}, which has {} records with an outcome already",
                clean(&report.run),
                number(dry.done_before)
            ),
        );
    }
    out.push('\n');
    section(
        &mut out,
        "What a run would come to: read = created + … + open (what is not shown is 0; unsettled is not known to the end)",
        sums(report, width),
    );
    let rows = dry
        .would_send
        .iter()
        .map(|one| vec![one.method.clone(), one.path.clone(), number(one.count)]);
    section(
        &mut out,
        "Requests that a run would send",
        table(
            &[
                Column::Left("method"),
                Column::Left("path"),
                Column::Right("requests"),
            ],
            rows,
            width,
        ),
    );
    let rows = dry.unknown.iter().map(|group| {
        vec![
            group.kind.clone(),
            number(group.count),
            group.cause.clone(),
            group.example.clone(),
        ]
    });
    section(
        &mut out,
        "Not known to the end",
        table(
            &[
                Column::Left("kind"),
                Column::Right("records"),
                Column::Left("how far"),
                Column::Left("for example"),
            ],
            rows,
            width,
        ),
    );
    groups(&mut out, report, width);
    out.push_str(&notices(&report.notices, width));
    let writes: u64 = dry.would_send.iter().map(|one| one.count).sum();
    let _ = writeln!(
        out,
        "A run would send {} requests that change something; with its reads that takes about {} at the share of the limits we may use.",
        number(writes),
        duration(dry.forecast_ms),
    );
    // A thread shows most of what would be sent.
    let thread = dry
        .examples
        .iter()
        .find(|one| one.starts_with("conversation:"));
    if let Some(example) = thread.or(dry.examples.last()) {
        let _ = writeln!(
            out,
            "What it would send for one record:  transload run --dry-run --show {}",
            clean(example)
        );
        let others: Vec<String> = dry.examples.iter().map(|one| clean(one)).collect();
        let _ = writeln!(out, "One of each kind: {}", others.join(" "));
    }
    out
}

/// One record of a dry run: what would be sent for it, and what it would lose.
pub fn shown(shown: &Shown) -> String {
    let mut out = format!(
        "{}: {} (dry run of {})\n",
        clean(&shown.record),
        match shown.outcome.as_str() {
            "unsettled" => "not known to the end".to_owned(),
            "open" => "without an outcome".to_owned(),
            outcome => format!("would be {}", clean(outcome)),
        },
        time(shown.at)
    );
    // Writing into a String cannot fail.
    if let Some(cause) = &shown.cause {
        let _ = writeln!(out, "  because {}", clean(cause));
    }
    if let Some(inside) = &shown.inside {
        let _ = writeln!(
            out,
            "  it travels in {}, whose requests these are",
            clean(inside)
        );
    }
    if shown.requests.is_empty() {
        out.push_str("\nNothing would be sent for it.\n");
    }
    for (at, request) in shown.requests.iter().enumerate() {
        let _ = writeln!(
            out,
            "\nRequest {} of {}\n{} {}",
            at + 1,
            shown.requests.len(),
            clean(&request.method),
            named(&clean(&request.url), shown)
        );
        for (name, value) in &request.headers {
            let _ = writeln!(out, "{}: {}", clean(name), clean(value));
        }
        if !request.body.is_empty() {
            // Line by line: the lines are the form of what is shown.
            for line in request.body.lines() {
                let _ = writeln!(out, "{}", named(&clean(line), shown));
            }
        }
        if request.others > 0 {
            let _ = writeln!(
                out,
                "(the same request serves {} other records, which are not shown)",
                number(request.others)
            );
        }
    }
    if !shown.losses.is_empty() {
        out.push('\n');
        let rows = shown
            .losses
            .iter()
            .map(|(field, how, why)| vec![field.clone(), how.clone(), why.clone()]);
        section(
            &mut out,
            "Not carried exactly",
            table(&["field", "how", "why"].map(Column::Left), rows, None),
        );
    }
    if !shown.stand_ins.is_empty() {
        out.push_str("«…» stands for an id that the platform gives when it makes the object.\n");
    }
    out
}

/// Says whose id a number stands for.
fn named(text: &str, shown: &Shown) -> String {
    shown
        .stand_ins
        .iter()
        .fold(text.to_owned(), |text, (number, whose)| {
            text.replace(number.as_str(), &format!("«{}»", clean(whose)))
        })
}
