//! Plain tables, and numbers and times as people read them.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table};

use super::Width;

/// A column's heading and side.
pub(super) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

/// A table, or nothing if it has no rows. No line has spaces at its end.
pub(super) fn table(
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Width,
) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING.header_separator(LineStyle::new('─', '─', '─', '─')))
        .force_no_tty();
    match width {
        Some(width) => {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width.max(40));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table.set_header(columns.iter().map(|column| match column {
        Column::Left(name) => Cell::new(name),
        Column::Right(name) => Cell::new(name).set_alignment(CellAlignment::Right),
    }));
    for row in rows {
        table.add_row(row.into_iter().zip(columns).map(|(text, column)| {
            let cell = Cell::new(clean(&text));
            match column {
                Column::Left(_) => cell,
                Column::Right(_) => cell.set_alignment(CellAlignment::Right),
            }
        }));
    }
    if table.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Text from outside, safe to print: control characters, and those that turn the direction of writing, are spelled out.
pub fn clean(text: &str) -> String {
    let unsafe_to_print = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    // A zero-width joiner holds an emoji together; a zero-width non-joiner is part of words.
    let spelled = |c: char| unsafe_to_print(c) && !matches!(c, '\u{200c}' | '\u{200d}');
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match spelled(c) {
                true => out.extend(c.escape_default()),
                false => out.push(c),
            }
            out
        })
}

/// `1234567` → `1,234,567`
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `90_061_000` → `1 d 1 h`; the two largest parts.
pub fn duration(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(n, _)| *n == 0)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    if shown.is_empty() {
        "0 s".to_owned()
    } else {
        shown.join(" ")
    }
}
