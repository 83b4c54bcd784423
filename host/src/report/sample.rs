//! A sample: what was chosen and why, how it ended, and what to do next.

use std::fmt::Write as _;

use super::run::groups;
use super::table::{Column, clean, number, table};
use super::verify::{beside, verification};
use super::{Width, section};
use crate::pipeline::model::{SampleReport, Trait};

/// How a record can end, in the order in which it is shown.
const ENDS: [&str; 8] = [
    "created",
    "updated",
    "matched",
    "skipped",
    "rejected",
    "exported",
    "unsettled",
    "open",
];

/// Traits that are shown.
const TRAITS: usize = 25;

/// A sample, whole.
pub fn sample(sample: &SampleReport, width: Width) -> String {
    let report = &sample.report;
    let what = match sample.addresses {
        Some(_) => "Trial",
        None => "Sample",
    };
    let mut out = format!("{what} of run {}\n", clean(&sample.run));
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {name:<13}{}", clean(value));
    };
    line("source", &report.source);
    line("destination", &report.destination);
    if let Some(addresses) = &sample.addresses {
        let words = match addresses.as_str() {
            "invalid" => {
                "customers' e-mail addresses are replaced by ones that no mail reaches".to_owned()
            }
            address => format!("customers' e-mail addresses are replaced by {address}"),
        };
        line("addresses", &words);
    }
    out.push('\n');
    let ends: Vec<&'static str> = ENDS
        .into_iter()
        .filter(|end| sample.kinds.iter().any(|kind| kind.ends.contains_key(*end)))
        .collect();
    let mut head = vec![
        Column::Left("kind"),
        Column::Right("chosen"),
        Column::Right("came along"),
    ];
    head.extend(ends.iter().map(|end| Column::Right(end)));
    let rows = sample.kinds.iter().map(|kind| {
        let mut row = vec![kind.kind.clone(), number(kind.chosen), number(kind.along)];
        row.extend(
            ends.iter()
                .map(|end| number(kind.ends.get(*end).copied().unwrap_or(0))),
        );
        row
    });
    section(
        &mut out,
        "What is in it (open: comes with the rest of the run)",
        table(&head, rows, width),
    );
    // The rarest say most.
    let mut rarest: Vec<&Trait> = sample.traits.iter().collect();
    rarest.sort_by_key(|one| one.records);
    let rows = rarest.into_iter().take(TRAITS).map(|one| {
        vec![
            one.name.clone(),
            number(one.records),
            one.example.clone().unwrap_or_default(),
        ]
    });
    section(
        &mut out,
        "What it stands for, the rarest first",
        table(
            &[
                Column::Left("has"),
                Column::Right("in the source"),
                Column::Left("for example"),
            ],
            rows,
            width,
        ),
    );
    if sample.traits.len() > TRAITS {
        let more = (sample.traits.len() - TRAITS) as u64;
        // Writing into a String cannot fail.
        let _ = writeln!(out, "… and {} more: `--json` has them.\n", number(more));
    }
    section(
        &mut out,
        "For want of room it has none of",
        missing(&sample.missing, width),
    );
    groups(&mut out, report, width);
    if let Some(found) = &report.verification {
        // The first of each kind: a page has more.
        let mut one_each = found.beside.clone();
        one_each.dedup_by(|one, before| one.kind == before.kind);
        section(
            &mut out,
            "Side by side, the record of each kind that has the most to show (= the same, ~ as was declared, ≠ otherwise)",
            beside(&one_each, width),
        );
        out.push_str(&verification(found, width));
    }
    out.push_str(match &sample.addresses {
        Some(_) => "Look at it, and for mails; then take it back with `transload rollback`: it cannot become the real run.\n",
        None => {
            "Look at it. `transload report` makes a page of it; `transload rollback` takes it back; `transload run` keeps it and goes on \
             with the rest.\n"
        }
    });
    out
}

fn missing(traits: &[Trait], width: Width) -> String {
    let rows = traits
        .iter()
        .map(|one| vec![one.name.clone(), number(one.records)]);
    table(
        &[Column::Left("what"), Column::Right("in the source")],
        rows,
        width,
    )
}
