//! What was measured, each number beside the one it is held against.

use serde::Serialize;

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Which of the targets it belongs to; empty for what is printed for orientation only.
    pub target: &'static str,
    /// What was measured.
    pub name: String,
    /// The number.
    pub measured: f64,
    /// What it is held against.
    pub baseline: Option<f64>,
    /// Of both numbers.
    pub unit: &'static str,
    /// `measured ÷ baseline`, or what the target speaks of.
    pub ratio: Option<f64>,
    /// What is wanted, in words.
    pub wanted: String,
    /// Whether it is so; nothing where nothing is wanted.
    pub met: Option<bool>,
}

impl Line {
    /// A number that should be at most a part of its baseline: `most` is the highest ratio.
    pub fn at_most(
        target: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        measured: f64,
        baseline: f64,
        most: f64,
    ) -> Self {
        let ratio = measured / baseline;
        Self {
            target,
            name: name.into(),
            measured,
            baseline: Some(baseline),
            unit,
            ratio: Some(ratio),
            wanted: format!("≤ {most} ×"),
            met: Some(ratio <= most),
        }
    }

    /// A number that should be at least a part of its baseline.
    pub fn at_least(
        target: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        measured: f64,
        baseline: f64,
        least: f64,
    ) -> Self {
        let ratio = measured / baseline;
        Self {
            wanted: format!("≥ {least} ×"),
            met: Some(ratio >= least),
            ..Self::at_most(target, name, unit, measured, baseline, f64::MAX)
        }
    }

    /// A number for orientation.
    pub fn told(name: impl Into<String>, unit: &'static str, measured: f64) -> Self {
        Self {
            target: "",
            name: name.into(),
            measured,
            baseline: None,
            unit,
            ratio: None,
            wanted: String::new(),
            met: None,
        }
    }
}

/// The lines as a table.
pub fn text(lines: &[Line]) -> String {
    let width = lines
        .iter()
        .map(|l| l.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = format!(
        "   {:width$}  {:>12} {:>12}  {:<10} {:>7}  {:<9} met\n",
        "", "measured", "baseline", "", "ratio", "wanted"
    );
    for line in lines {
        let baseline = line.baseline.map(short).unwrap_or_default();
        let ratio = line.ratio.map(|r| format!("{r:.3}")).unwrap_or_default();
        let met = match line.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        text += &format!(
            "{:2} {:width$}  {:>12} {:>12}  {:<10} {:>7}  {:<9} {met}\n",
            line.target,
            line.name,
            short(line.measured),
            baseline,
            line.unit,
            ratio,
            line.wanted,
        );
    }
    text
}

/// As many digits as matter.
fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 100.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whether_its_target_is_met() {
        let met = |line: Line| line.met;
        assert_eq!(met(Line::at_most("a", "", "", 11.0, 10.0, 1.1)), Some(true));
        assert_eq!(
            met(Line::at_most("a", "", "", 11.1, 10.0, 1.1)),
            Some(false)
        );
        assert_eq!(met(Line::at_least("c", "", "", 8.0, 10.0, 0.8)), Some(true));
        assert_eq!(
            met(Line::at_least("c", "", "", 7.9, 10.0, 0.8)),
            Some(false)
        );
        let table = text(&[Line::told("rows", "", 1234.5), Line::told("x", "ms", 1.234)]);
        assert!(table.contains("1234") && table.contains("1.23"), "{table}");
    }
}
