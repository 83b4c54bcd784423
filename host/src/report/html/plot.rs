//! Plots over time: panels that share their axis of time, as inline SVG.
//!
//! Shapes are drawn in a field of 1000 × 100 that is stretched to its place; words stand beside it as text of the page, so that
//! they are as large on a phone as on a desk. A reader who points at a moment is told its numbers.

use std::fmt::Write as _;

use chrono::DateTime;
use maud::{Markup, PreEscaped, html};

use super::parts::{said, swatch};

/// Width and height of the field that shapes are drawn in.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Columns, on top of those of the series before.
    Columns,
    /// A line.
    Line,
}

/// Numbers over time, one for each step; none where nothing is known.
#[derive(Debug)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// The class of its colour: of a patch for columns, `source` or `destination` for a line.
    pub class: &'static str,
    /// The numbers.
    pub values: Vec<Option<f64>>,
}

/// One plot of several above each other.
#[derive(Debug)]
pub struct Panel {
    /// What is plotted, and in which unit.
    pub title: String,
    /// How all of its series are drawn.
    pub shape: Shape,
    /// What is plotted.
    pub series: Vec<Series>,
    /// A value with a line of its own, and its name.
    pub mark: Option<(f64, &'static str)>,
    /// What is written behind a number.
    pub unit: &'static str,
}

/// Panels above each other over the same time: from `from_ms`, in steps of `step_ms`.
#[must_use]
pub fn plot(from_ms: i64, step_ms: i64, panels: &[Panel]) -> Markup {
    let steps = panels
        .iter()
        .flat_map(|panel| &panel.series)
        .map(|series| series.values.len())
        .max()
        .unwrap_or(0);
    if steps == 0 {
        return PreEscaped(String::new());
    }
    let span = step_ms.saturating_mul(i64::try_from(steps).unwrap_or(i64::MAX));
    html! {
        figure.plot {
            @for (at, panel) in panels.iter().enumerate() {
                (drawn(panel, steps, |step| {
                    let step = i64::try_from(step).unwrap_or(0);
                    moment(from_ms.saturating_add(step.saturating_mul(step_ms)), span)
                }, at + 1 == panels.len()))
            }
        }
    }
}

fn drawn(panel: &Panel, steps: usize, moment: impl Fn(usize) -> String, last: bool) -> Markup {
    let highest = match panel.shape {
        Shape::Columns => (0..steps).map(|at| sum(panel, at)).fold(0.0, f64::max),
        Shape::Line => panel
            .series
            .iter()
            .flat_map(|series| series.values.iter().copied().flatten())
            .fold(0.0, f64::max),
    };
    let top = ceiling(highest.max(panel.mark.map_or(0.0, |(value, _)| value)));
    let up = |value: f64| HEIGHT - value / top * HEIGHT;
    #[allow(
        clippy::cast_precision_loss,
        reason = "a plot has a hundred steps or so"
    )]
    let across = |step: usize| step as f64 * WIDTH / steps as f64;
    let wide = WIDTH / across_count(steps);
    html! {
        div.panel {
            div.head {
                b { (said(&panel.title)) }
                ul.legend {
                    @for series in &panel.series {
                        li { (swatch(patch(panel.shape, series.class))) (said(&series.name)) }
                    }
                    @if let Some((_, name)) = panel.mark {
                        li { svg viewBox="0 0 10 10" aria-hidden="true" { line class="full" x1="0" x2="10" y1="5" y2="5" {} } (name) }
                    }
                }
            }
            div.frame {
                div.y aria-hidden="true" {
                    span { (short(top)) (panel.unit) } span { (short(top / 2.0)) (panel.unit) } span { "0" }
                }
                svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label={ (super::super::clean(&panel.title)) " over time" } {
                    @for y in [0.0, HEIGHT / 2.0, HEIGHT] {
                        line class="grid" x1="0" x2="1000" y1=(y) y2=(y) {}
                    }
                    @match panel.shape {
                        Shape::Columns => @for (series, path) in columns(panel, steps, up, across, wide) {
                            path class=(series.class) d=(path) {}
                        },
                        Shape::Line => @for series in &panel.series {
                            path class={ "line of-" (series.class) } d=(line(series, up, |step| across(step) + wide / 2.0)) {}
                        },
                    }
                    @if let Some((value, _)) = panel.mark {
                        line class="full" x1="0" x2="1000" y1=(format!("{:.2}", up(value))) y2=(format!("{:.2}", up(value))) {}
                    }
                    @for step in 0..steps {
                        rect class="hover" x=(format!("{:.2}", across(step))) y="0" width=(format!("{wide:.2}")) height="100" {
                            title { (told(panel, step, &moment(step))) }
                        }
                    }
                }
                @if last {
                    div.x aria-hidden="true" {
                        @for quarter in 0..5 { span { (moment(steps * quarter / 4)) } }
                    }
                }
            }
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a plot has a hundred steps or so"
)]
fn across_count(steps: usize) -> f64 {
    steps.max(1) as f64
}

/// The colour of a series' patch: those of lines have names of their own.
fn patch(shape: Shape, class: &str) -> &str {
    match (shape, class) {
        (Shape::Line, "source") => "at-source",
        (Shape::Line, _) => "at-destination",
        (Shape::Columns, class) => class,
    }
}

fn value(series: &Series, step: usize) -> Option<f64> {
    series.values.get(step).copied().flatten()
}

fn sum(panel: &Panel, step: usize) -> f64 {
    let values = panel.series.iter().filter_map(|series| value(series, step));
    values.sum()
}

/// The columns of each series as one path.
fn columns(
    panel: &Panel,
    steps: usize,
    up: impl Fn(f64) -> f64,
    across: impl Fn(usize) -> f64,
    wide: f64,
) -> Vec<(&Series, String)> {
    let mut below = vec![0.0; steps];
    let mut all = vec![];
    for series in &panel.series {
        let mut path = String::new();
        for (step, below) in below.iter_mut().enumerate() {
            let Some(value) = value(series, step).filter(|value| *value > 0.0) else {
                continue;
            };
            let (left, right) = (across(step) + wide * 0.1, across(step) + wide * 0.9);
            let (low, high) = (up(*below), up(*below + value));
            // Writing into a String cannot fail.
            let _ = write!(path, "M{left:.2} {low:.2}V{high:.2}H{right:.2}V{low:.2}Z");
            *below += value;
        }
        all.push((series, path));
    }
    all
}

/// A line that is interrupted where nothing is known.
fn line(series: &Series, up: impl Fn(f64) -> f64, across: impl Fn(usize) -> f64) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for (step, value) in series.values.iter().enumerate() {
        let Some(value) = value else {
            drawing = false;
            continue;
        };
        let (x, y) = (across(step), up(*value));
        let _ = match drawing {
            true => write!(path, "L{x:.2} {y:.2}"),
            // A moment alone is a dot.
            false => write!(path, "M{x:.2} {y:.2}h0"),
        };
        drawing = true;
    }
    path
}

/// A moment's numbers in words.
fn told(panel: &Panel, step: usize, moment: &str) -> String {
    let mut words = moment.to_owned();
    for series in &panel.series {
        let number = match value(series, step) {
            Some(value) => format!("{}{}", short(value), panel.unit),
            None => "nothing".to_owned(),
        };
        let _ = write!(words, "\n{}: {number}", super::super::clean(&series.name));
    }
    words
}

/// The next round number: 1, 2, 2.5 or 5 times a power of ten.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let found = steps
        .into_iter()
        .find(|step| step * power >= value - power * 1e-9);
    found.unwrap_or(10.0) * power
}

/// A number in few digits: 1,250 → 1.25k.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e4 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let text = match value {
        v if v >= 100.0 || v.fract() == 0.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    };
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A moment as far as it matters within a span.
fn moment(ms: i64, span: i64) -> String {
    let form = match span {
        ..=900_000 => "%H:%M:%S",
        900_001..=172_800_000 => "%H:%M",
        172_800_001..=864_000_000 => "%d %b %H:%M",
        _ => "%d %b %Y",
    };
    DateTime::from_timestamp_millis(ms).map_or_else(String::new, |at| at.format(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_that_nothing_passes() {
        for (value, top) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (23.0, 25.0),
            (25.0, 25.0),
            (26.0, 50.0),
            (99.0, 100.0),
            (100.0, 100.0),
            (0.03, 0.05),
        ] {
            assert!(
                (ceiling(value) - top).abs() < 1e-9,
                "{value}: {}",
                ceiling(value)
            );
        }
    }

    #[test]
    fn numbers_on_an_axis_are_short() {
        let written = [0.0, 2.5, 100.0, 1_250.0, 12_500.0, 2_000_000.0].map(short);
        assert_eq!(written, ["0", "2.5", "100", "1250", "12.5k", "2M"]);
    }

    #[test]
    fn a_line_is_interrupted_where_nothing_is_known() {
        let series = Series {
            name: "a".into(),
            class: "source",
            values: vec![Some(1.0), Some(2.0), None, Some(3.0)],
        };
        #[allow(clippy::cast_precision_loss, reason = "four steps")]
        let path = line(&series, |value| value, |step| step as f64);
        assert_eq!(path, "M0.00 1.00h0L1.00 2.00M3.00 3.00h0");
    }

    #[test]
    fn columns_stand_on_those_before() {
        let series = |class: &'static str, values: &[f64]| Series {
            name: class.to_owned(),
            class,
            values: values.iter().copied().map(Some).collect(),
        };
        let panel = Panel {
            title: "t".into(),
            shape: Shape::Columns,
            series: vec![series("arrived", &[10.0]), series("rejected", &[5.0])],
            mark: None,
            unit: "",
        };
        let paths = columns(&panel, 1, |value| value, |_| 0.0, 10.0);
        let paths: Vec<&str> = paths.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "M1.00 0.00V10.00H9.00V0.00Z",
                "M1.00 10.00V15.00H9.00V10.00Z"
            ]
        );
    }

    #[test]
    fn a_moment_is_written_as_far_as_it_matters() {
        let at = 1_700_000_000_000;
        assert_eq!(moment(at, 60_000), "22:13:20");
        assert_eq!(moment(at, 3_600_000 * 5), "22:13");
        assert_eq!(moment(at, 86_400_000 * 5), "14 Nov 22:13");
        assert_eq!(moment(at, 86_400_000 * 50), "14 Nov 2023");
    }
}
