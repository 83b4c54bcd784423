//! What pages are put together from.

use base64::Engine as _;
use maud::{Markup, PreEscaped, html};
use url::Url;

use crate::pipeline::model::{Notice, Severity};
use crate::report::{clean, number};

/// How something is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Neither.
    Plain,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// Text, wherever it comes from: no markup, nothing that steers, and its direction stays its own.
#[must_use]
pub fn said(text: &str) -> Markup {
    let text = clean(text);
    match text.is_ascii() {
        true => html! { (text) },
        false => html! { bdi { (text) } },
    }
}

/// A link, if it leads where a person may go by a click; else its words.
#[must_use]
pub fn link(words: &str, to: &str) -> Markup {
    let web = Url::parse(to).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
    match web {
        true => html! { a href=(to) rel="noreferrer noopener" { (said(words)) } },
        false => said(words),
    }
}

/// A few words in a coloured field.
#[must_use]
pub fn pill(tone: Tone, words: &str) -> Markup {
    html! { span class={ "pill " (tone.class()) } { (said(words)) } }
}

/// Words one after the other, `none` where there are none.
#[must_use]
pub fn list(words: &[String]) -> Markup {
    html! {
        @if words.is_empty() { "none" }
        @for (at, word) in words.iter().enumerate() {
            @if at > 0 { ", " }
            (said(word))
        }
    }
}

/// What a page says first.
#[must_use]
pub fn banner(tone: Tone, title: &str, body: Markup) -> Markup {
    let sign = match tone {
        Tone::Good => "M7 12.5l3.4 3.4L17 9",
        _ => "M12 6.8v6.4M12 16.6v.2",
    };
    html! {
        div class={ "banner " (tone.class()) } {
            svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"
                stroke-linejoin="round" aria-hidden="true" {
                circle cx="12" cy="12" r="10.5" {}
                path d=(sign) {}
            }
            div {
                strong { (said(title)) }
                (body)
            }
        }
    }
}

/// A number that everybody looks for.
#[derive(Debug)]
pub struct Tile {
    /// What it is.
    pub name: String,
    /// The number, as it is written.
    pub value: String,
    /// A word more.
    pub note: String,
}

/// Numbers side by side.
#[must_use]
pub fn tiles(tiles: &[Tile]) -> Markup {
    html! {
        dl.tiles {
            @for tile in tiles {
                div.tile {
                    dt { (said(&tile.name)) }
                    dd { (said(&tile.value)) }
                    @if !tile.note.is_empty() { dd.note { (said(&tile.note)) } }
                }
            }
        }
    }
}

/// Names and what they stand for, one below the other.
#[must_use]
pub fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        div.card {
            dl.facts {
                @for (name, value) in facts {
                    dt { (said(name)) }
                    dd { (value) }
                }
            }
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// A name or a few words, on one line.
    Name(&'static str),
    /// Sentences.
    Words(&'static str),
    /// Numbers.
    Number(&'static str),
    /// A picture of numbers.
    Bar(&'static str),
}

impl Column {
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Name(title) => (title, "name"),
            Self::Words(title) => (title, "words"),
            Self::Number(title) => (title, "n"),
            Self::Bar(title) => (title, "bar"),
        }
    }
}

/// What stands in a table.
#[derive(Debug)]
pub enum Cell {
    /// Text from anywhere.
    Text(String),
    /// A count.
    Number(u64),
    /// What was made of the parts here.
    Made(Markup),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}
impl From<Markup> for Cell {
    fn from(made: Markup) -> Self {
        Self::Made(made)
    }
}

/// A table, or nothing if it has no rows. A wide one is moved within its frame, and never widens the page.
#[must_use]
pub fn table(columns: &[Column], rows: Vec<Vec<Cell>>) -> Markup {
    total_table(columns, rows, None)
}

/// As [`table`], with a last row that adds the others up.
#[must_use]
pub fn total_table(columns: &[Column], rows: Vec<Vec<Cell>>, total: Option<Vec<Cell>>) -> Markup {
    if rows.is_empty() {
        return PreEscaped(String::new());
    }
    // Sentences beside each other are too wide for a phone: there, each row is a card, whose cells say what they are.
    let wordy = columns
        .iter()
        .any(|column| matches!(column, Column::Words(_)));
    let row = |cells: Vec<Cell>| {
        html! {
            @for (cell, column) in cells.into_iter().zip(columns) {
                @let (title, class) = column.parts();
                @let (class, made) = match cell {
                    Cell::Text(text) => (class, said(&text)),
                    Cell::Number(0) => ("n zero", html! { "0" }),
                    Cell::Number(n) => ("n", html! { (number(n)) }),
                    Cell::Made(made) => (class, made),
                };
                td class=(class) data-label=[(wordy && !title.is_empty()).then_some(title)] { (made) }
            }
        }
    };
    html! {
        div.scroll.wordy[wordy] tabindex="0" {
            table {
                thead { tr {
                    @for column in columns {
                        @let (title, class) = column.parts();
                        th scope="col" class=(class) { (title) }
                    }
                } }
                tbody {
                    @for cells in rows { tr { (row(cells)) } }
                    @if let Some(cells) = total { tr.total { (row(cells)) } }
                }
            }
        }
    }
}

/// What can be opened by who wants to see it.
#[must_use]
pub fn folded(title: &str, body: Markup) -> Markup {
    html! { details { summary { (said(title)) } (body) } }
}

/// A file that is in the page itself.
#[must_use]
pub fn download(words: &str, name: &str, media_type: &str, bytes: &[u8]) -> Markup {
    let bytes = base64::engine::general_purpose::STANDARD.encode(bytes);
    html! {
        a.button download=(name) href={ "data:" (media_type) ";base64," (bytes) } { (said(words)) }
    }
}

/// Notices, the worst first, each with what to do.
#[must_use]
pub fn notices(notices: &[Notice]) -> Markup {
    let mut sorted: Vec<&Notice> = notices.iter().collect();
    sorted.sort_by_key(|notice| std::cmp::Reverse(notice.severity));
    let rows = sorted.into_iter().map(|notice| {
        let mark = match notice.severity {
            Severity::Info => pill(Tone::Plain, "info"),
            Severity::Caution => pill(Tone::Warn, "caution"),
            Severity::Danger => pill(Tone::Bad, "danger"),
        };
        vec![
            mark.into(),
            (&notice.from).into(),
            (&notice.message).into(),
            notice.remedy.as_deref().unwrap_or_default().into(),
        ]
    });
    table(
        &[
            Column::Name(""),
            Column::Name("from"),
            Column::Words("what"),
            Column::Words("what to do"),
        ],
        rows.collect(),
    )
}

/// A part of a whole.
#[derive(Debug, Clone)]
pub struct Share {
    /// What it is.
    pub name: &'static str,
    /// How many.
    pub count: u64,
    /// Its colour: a class of the style (`arrived`, `aside`, `rejected`, `open`).
    pub class: &'static str,
}

/// Parts of a whole as one bar; nothing where there is nothing. The numbers stand beside it.
#[must_use]
pub fn bar(parts: &[Share]) -> Markup {
    let whole: u64 = parts.iter().map(|part| part.count).sum();
    if whole == 0 {
        return PreEscaped(String::new());
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "a picture of counts far below 2^52"
    )]
    let percent = |n: u64| n as f64 * 100.0 / whole as f64;
    let mut begins = 0;
    let mut shown = vec![];
    for part in parts.iter().filter(|part| part.count > 0) {
        shown.push((percent(begins), percent(part.count), part));
        begins += part.count;
    }
    html! {
        svg aria-hidden="true" {
            @for (from, width, part) in shown {
                rect class=(part.class) x={ (format!("{from:.3}")) "%" } width={ (format!("{width:.3}")) "%" } height="100%" {
                    title { (part.name) ": " (number(part.count)) }
                }
            }
        }
    }
}

/// Parts of a whole as one bar, with their names and numbers below.
#[must_use]
pub fn shares(parts: &[Share]) -> Markup {
    html! {
        div.shares {
            (bar(parts))
            ul.legend {
                @for part in parts.iter().filter(|part| part.count > 0) {
                    li { (swatch(part.class)) (part.name) " " b { (number(part.count)) } }
                }
            }
        }
    }
}

/// A patch of a colour.
#[must_use]
pub(super) fn swatch(class: &str) -> Markup {
    html! { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(class) width="10" height="10" rx="2.5" {} } }
}
