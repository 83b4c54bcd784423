//! What a purge erased, or would.

use std::fmt::Write as _;

use super::table::{Column, number, table};
use super::{Width, clean};
use crate::pipeline::model::PurgeReport;

/// Stages with what is in them and what is lost by erasing them.
pub fn purge(report: &PurgeReport, width: Width) -> String {
    let mut out = match report.preview {
        true => "What a purge would erase\n\n".to_owned(),
        false => "Purged\n\n".to_owned(),
    };
    let rows = report.stages.iter().map(|stage| {
        vec![
            stage.stage.word().to_owned(),
            stage.stage.what().to_owned(),
            number(stage.count),
            size(stage.bytes),
            stage.lost.join("; "),
        ]
    });
    out.push_str(&table(
        &[
            Column::Left("stage"),
            Column::Left("what"),
            Column::Right("entries"),
            Column::Right("size"),
            Column::Left("lost by it"),
        ],
        rows,
        width,
    ));
    out.push_str("\nStays:\n");
    for line in &report.kept {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {}", clean(line));
    }
    out.push_str(match report.preview {
        true => "\nNothing was changed. Do it: `transload purge --yes`, or some of it: `--stage source,export`.\n",
        false => "",
    });
    out
}

/// `1234567` → `1.2 MB`
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut whole, mut unit) = (bytes, 0);
    while whole >= 1_000_000 && unit + 1 < UNITS.len() {
        whole /= 1_000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("TB");
    format!("{}.{} {name}", whole / 1_000, whole % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        let said = [0, 999, 1_000, 12_345, 1_234_567, 9_876_543_210].map(size);
        assert_eq!(
            said,
            ["0 B", "999 B", "1.0 kB", "12.3 kB", "1.2 MB", "9.8 GB"]
        );
    }
}
