//! What a verification found, for a person who has to act on it: the sum, each undeclared difference with where it is and what stands
//! there, and what had to be expected.

use std::fmt::Write as _;

use super::run::{form, time};
use super::table::{Column, clean, number, table};
use super::{Width, section};
use crate::pipeline::model::{
    Beside, BesideHow, Difference, DifferenceKind, VerifyReport, VerifyScope,
};

/// Differences that are shown each by itself; `--json` has more.
const SHOWN: usize = 200;

/// The whole of it.
pub fn verification(report: &VerifyReport, width: Width) -> String {
    let mut out = format!(
        "Verification of run {}, {}: {}\n",
        clean(&report.run),
        time(report.at),
        asked(report)
    );
    out.push('\n');
    out.push_str(&found(report, width));
    out.push_str(&verification_summary(report));
    out
}

fn asked(report: &VerifyReport) -> String {
    match (report.after_rollback, report.scope) {
        (true, _) => "is the destination as it was before the run?".to_owned(),
        (false, VerifyScope::All) => "every record".to_owned(),
        (false, VerifyScope::Sample { size, seed }) => {
            format!("a sample of {} records (seed {seed})", number(size))
        }
    }
}

/// Its tables.
pub(super) fn found(report: &VerifyReport, width: Width) -> String {
    let mut out = String::new();
    let first = match report.after_rollback {
        true => "effects",
        false => "there",
    };
    let head = [
        Column::Left("kind"),
        Column::Left(""),
        Column::Right(first),
        Column::Right("read back"),
        Column::Right("by content"),
        Column::Right("calls"),
        Column::Right("equal"),
        Column::Right("as declared"),
        Column::Right("differ"),
    ];
    let rows = report.kinds.iter().map(|kind| {
        let mark = if kind.undeclared == 0 { "✓" } else { "✗" };
        let counts = [
            kind.there,
            kind.checked,
            kind.compared,
            kind.reads,
            kind.equal,
            kind.declared,
            kind.undeclared,
        ];
        let mut row = vec![kind.kind.clone(), mark.to_owned()];
        row.extend(counts.iter().map(|count| number(*count)));
        row
    });
    section(
        &mut out,
        "Read back and compared",
        table(&head, rows, width),
    );
    section(
        &mut out,
        "Different, and nothing said so beforehand: for a person to look at",
        differences(&report.differences),
    );
    let more = report.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(
            out,
            "… and {} more: `transload report --format json` has them.\n",
            number(u64::try_from(more).unwrap_or(u64::MAX))
        );
    }
    let rows = report.declared.iter().map(|group| {
        vec![
            group.kind.clone(),
            group.field.clone(),
            number(group.count),
            group.why.clone(),
            group.examples.join(", "),
        ]
    });
    section(
        &mut out,
        "Different as was declared",
        table(
            &[
                Column::Left("kind"),
                Column::Left("field"),
                Column::Right("times"),
                Column::Left("who said so"),
                Column::Left("for example"),
            ],
            rows,
            width,
        ),
    );
    out
}

/// One record after the other, each with all that is different in it: values are too long for a table.
fn differences(all: &[Difference]) -> String {
    let mut out = String::new();
    let mut last: Option<(&str, &str)> = None;
    for one in all.iter().take(SHOWN) {
        let record = (one.kind.as_str(), one.source_id.as_str());
        if last != Some(record) {
            let target = one.target.as_deref().unwrap_or("nothing");
            let url = one.url.as_deref().map(|url| format!("  {}", clean(url)));
            let _ = writeln!(
                out,
                "{} {} → {}{}",
                clean(&one.kind),
                clean(&one.source_id),
                clean(target),
                url.unwrap_or_default()
            );
            last = Some(record);
        }
        let part = one
            .part
            .as_deref()
            .map(|part| format!(" of {}", clean(part)));
        let field = match one.field == one.kind {
            true => String::new(),
            false => format!(" {}", clean(&one.field)),
        };
        let _ = writeln!(
            out,
            "  {}:{field}{}",
            difference_word(one.what),
            part.unwrap_or_default()
        );
        for (name, value) in [("should be", &one.expected), ("is", &one.found)] {
            if let Some(value) = value {
                let _ = writeln!(out, "    {name:<10}{}", clean(value));
            }
        }
    }
    out
}

/// Some records in full, one after the other: what the source has, and what is there.
pub(super) fn beside(all: &[Beside], width: Width) -> String {
    let mut out = String::new();
    for one in all {
        let target = one.target.as_deref().unwrap_or("nothing");
        let url = one.url.as_deref().map(|url| format!("  {}", clean(url)));
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{} {} → {}{}",
            clean(&one.kind),
            clean(&one.source_id),
            clean(target),
            url.unwrap_or_default()
        );
        // A part is named once, above its rows.
        let mut rows = vec![];
        let mut part = None;
        for row in &one.rows {
            if row.part != part {
                part.clone_from(&row.part);
                if let Some(part) = &part {
                    rows.push(vec![String::new(), format!("[{part}]")]);
                }
            }
            let value = |value: &Option<String>| value.clone().unwrap_or_default();
            rows.push(vec![
                beside_mark(row.how).to_owned(),
                row.field.clone(),
                value(&row.source),
                value(&row.destination),
                value(&row.why),
            ]);
        }
        out.push_str(&table(
            &["", "field", "at the source", "at the destination", "why"].map(Column::Left),
            rows,
            width,
        ));
        if one.more > 0 {
            let _ = writeln!(out, "… and {} rows more", number(one.more));
        }
        out.push('\n');
    }
    out
}

/// How a field is at the destination, in a sign.
pub fn beside_mark(how: BesideHow) -> &'static str {
    match how {
        BesideHow::Same => "=",
        BesideHow::Declared => "~",
        BesideHow::Differs => "≠",
    }
}

/// What sort of difference, in a word or two.
pub fn difference_word(what: DifferenceKind) -> &'static str {
    match what {
        DifferenceKind::Missing => "missing",
        DifferenceKind::Extra => "extra",
        DifferenceKind::Duplicate => "twice",
        DifferenceKind::Differs => "differs",
        DifferenceKind::Moved => "leads elsewhere",
        DifferenceKind::Order => "out of place",
        DifferenceKind::Author => "another author",
        DifferenceKind::File => "other bytes",
        DifferenceKind::Changed => "changed there since",
        DifferenceKind::Left => "left behind",
        DifferenceKind::NotAsBefore => "not as before",
    }
}

/// The lines that say it all.
pub fn verification_summary(report: &VerifyReport) -> String {
    let sum = |of: fn(&crate::pipeline::model::VerifyKind) -> u64| -> u64 {
        report.kinds.iter().map(of).sum()
    };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {} read back in {} calls and {} requests; files compared by sha-256: {}, by name and size: {}",
        number(sum(|kind| kind.checked)),
        if report.after_rollback {
            "effects"
        } else {
            "records"
        },
        number(sum(|kind| kind.reads)),
        number(report.requests),
        number(report.files.by_hash),
        number(report.files.by_size),
    );
    out.push_str(&match (report.ok, report.after_rollback) {
        (true, false) => "✓ Nothing differs but what was declared.\n".to_owned(),
        (true, true) => {
            "✓ The destination is as it was before the run: nothing of it is left, and what it changed holds what it held.\n".to_owned()
        }
        (false, after) => format!(
            "✗ {} differences in {} {} that nothing declared.\n",
            number(report.undeclared),
            number(sum(|kind| kind.undeclared)),
            if after { "effects" } else { "records" },
        ),
    });
    out
}

/// Takes out whatever points at single records: ids, links, values. Counts, kinds and fields stay.
#[must_use]
pub fn verification_without_content(mut report: VerifyReport) -> VerifyReport {
    for one in &mut report.differences {
        one.source_id.clear();
        (one.target, one.url, one.part) = (None, None, None);
        (one.expected, one.found) = (None, None);
    }
    for group in &mut report.declared {
        group.examples.clear();
        group.why = form(&group.why);
    }
    report.beside.clear();
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::model::{BesideRow, DeclaredGroup, Files, VerifyKind};

    fn difference(what: DifferenceKind, source_id: &str, field: &str) -> Difference {
        Difference {
            what,
            kind: "conversation".into(),
            source_id: source_id.into(),
            target: Some("ticket 17".into()),
            url: Some("https://acme.example/tickets/17".into()),
            field: field.into(),
            part: None,
            expected: None,
            found: None,
        }
    }

    fn row(field: &str, part: Option<&str>, here: &str, there: &str, how: BesideHow) -> BesideRow {
        BesideRow {
            field: field.into(),
            part: part.map(str::to_owned),
            source: Some(here.into()),
            destination: Some(there.into()),
            how,
            why: (how == BesideHow::Declared).then(|| format!("{field} is converted")),
        }
    }

    #[test]
    fn records_are_shown_side_by_side() {
        insta::assert_snapshot!(beside(&found_some().beside, None));
    }

    fn found_some() -> VerifyReport {
        let kind = |kind: &str, there, checked, differ| VerifyKind {
            kind: kind.into(),
            there,
            checked,
            compared: checked,
            reads: 2,
            equal: checked - differ - 3,
            declared: 3,
            undeclared: differ,
        };
        VerifyReport {
            run: "r1".into(),
            at: 1_700_000_000_000,
            after_rollback: false,
            scope: VerifyScope::Sample { size: 200, seed: 1 },
            kinds: vec![
                kind("customer", 1_080, 60, 0),
                kind("conversation", 12_345, 140, 2),
            ],
            differences: vec![
                Difference {
                    expected: Some("Wo ist meine Bestellung?".into()),
                    found: Some("Wo ist \u{1b}[31mSECRET".into()),
                    ..difference(
                        DifferenceKind::Differs,
                        "SECRET-ID-1",
                        "conversation.subject",
                    )
                },
                Difference {
                    part: Some("message SECRET-ID-2 (3 of 7)".into()),
                    expected: Some("place 3 of 7".into()),
                    found: Some("place 1 of 7".into()),
                    ..difference(DifferenceKind::Order, "SECRET-ID-1", "message.sent-at")
                },
                Difference {
                    found: Some("not there".into()),
                    url: None,
                    ..difference(DifferenceKind::Missing, "SECRET-ID-3", "conversation")
                },
            ],
            undeclared: 3,
            declared: vec![DeclaredGroup {
                kind: "conversation".into(),
                field: "message.html".into(),
                why: "message.html is converted: it is sanitised".into(),
                count: 214,
                examples: vec!["SECRET-ID-4".into()],
            }],
            files: Files {
                by_hash: 31,
                by_size: 2,
            },
            requests: 187,
            ok: false,
            beside: vec![Beside {
                kind: "conversation".into(),
                source_id: "SECRET-ID-1".into(),
                target: Some("ticket 17".into()),
                url: Some("https://acme.example/tickets/17".into()),
                rows: vec![
                    row("conversation.tags", None, "vip", "vip", BesideHow::Same),
                    row(
                        "conversation.subject",
                        None,
                        "Wo ist meine Bestellung?",
                        "Wo ist \u{1b}[31mSECRET",
                        BesideHow::Differs,
                    ),
                    row(
                        "message.html",
                        Some("message SECRET-ID-2 (1 of 7)"),
                        "<p>Hi</p>",
                        "Hi",
                        BesideHow::Declared,
                    ),
                ],
                more: 12,
            }],
        }
    }

    #[test]
    fn a_verification_is_shown() {
        insta::assert_snapshot!(verification(&found_some(), None));
    }

    #[test]
    fn a_verification_after_a_rollback_is_shown() {
        let mut report = found_some();
        report.after_rollback = true;
        report.scope = VerifyScope::All;
        report.declared.clear();
        (report.differences, report.undeclared, report.ok) = (vec![], 0, true);
        for kind in &mut report.kinds {
            (kind.equal, kind.declared, kind.undeclared) = (kind.checked, 0, 0);
        }
        insta::assert_snapshot!(verification(&report, None));
    }

    #[test]
    fn without_content_a_verification_points_at_no_record_and_keeps_its_counts() {
        let with = verification(&found_some(), None);
        let report = verification_without_content(found_some());
        let without = verification(&report, None);
        assert!(with.contains("SECRET-ID-1") && with.contains("SECRET-ID-4"));
        assert!(!without.contains("SECRET"), "{without}");
        assert!(!serde_json::to_string(&report).unwrap().contains("SECRET"));
        assert_eq!(
            verification_summary(&report),
            verification_summary(&found_some())
        );
    }

    #[test]
    fn what_stands_at_a_platform_cannot_steer_a_terminal() {
        assert!(!verification(&found_some(), None).contains('\u{1b}'));
    }
}
