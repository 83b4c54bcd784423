//! Plain text as HTML from which it comes back byte for byte, for platforms that keep a text as HTML only and wrap and sanitise it.

use crate::text;
use crate::thread::{html_with_lead, lead, without_lead};

/// Plain text as HTML that looks the same and from which [`text_of`] gives it back.
pub fn html_of(text: &str) -> String {
    let flowing = flowing(text);
    if flowing_text(&flowing).as_deref() == Some(text) {
        return flowing;
    }
    // A rare mixture of blanks: shown as it was typed, which HTML does in one way only. The first line end is not part of it.
    let mut html = String::from("<pre>\n");
    for c in text.chars() {
        match c {
            '\r' => html.push_str("&#13;"),
            c => escape(c, &mut html),
        }
    }
    html.push_str("</pre>");
    html
}

/// Line ends as `<br>` (`\r\n` with a line end behind it, that is not shown), blanks that HTML would fold as `&nbsp;`, a tab
/// behind three of them.
fn flowing(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    let mut at_start = true;
    while let Some(c) = chars.next() {
        let starts = at_start;
        at_start = matches!(c, '\n' | '\r');
        match c {
            '\r' if chars.next_if_eq(&'\n').is_some() => out.push_str("<br>\n"),
            // One that returns only is not told apart so.
            '\n' | '\r' => out.push_str("<br>"),
            '\t' => out.push_str("&nbsp;&nbsp;&nbsp;\t"),
            ' ' if starts || matches!(chars.peek(), Some(' ' | '\t' | '\n' | '\r') | None) => {
                out.push_str("&nbsp;");
            }
            '\u{a0}' => out.push_str("&nbsp;"),
            c => escape(c, &mut out),
        }
    }
    out
}

fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}

/// The text of HTML: exactly what it was made from where [`html_of`] made it, else what is readable in it.
pub fn text_of(html: &str) -> String {
    flowing_text(html)
        .or_else(|| preformatted_text(html))
        .unwrap_or_else(|| text::html_to_search_text(html))
}

/// Something in HTML that is shown as a character.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Char(char),
    /// A blank that does not fold: the source's own, or one that stands for a plain blank.
    Firm,
    Break,
}

/// The text of HTML that has no other tags than `<br>`.
fn flowing_text(html: &str) -> Option<String> {
    let mut shown = Vec::with_capacity(html.len());
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        if c == '<' {
            let (tag, after) = rest.split_once('>')?;
            if !tag.strip_prefix("<br")?.trim_matches([' ', '/']).is_empty() {
                return None;
            }
            shown.push(Shown::Break);
            rest = after;
            continue;
        }
        let (c, after) = character(rest)?;
        rest = after;
        match c {
            '\t' => {
                let firm = shown.iter().rev().take_while(|s| **s == Shown::Firm);
                let width = firm.count().min(3);
                shown.truncate(shown.len() - width);
                shown.push(Shown::Char('\t'));
            }
            // Behind a break it says that the line ended in two characters.
            '\n' if shown.last() == Some(&Shown::Break) => {
                shown.pop();
                shown.extend([Shown::Char('\r'), Shown::Char('\n')]);
            }
            '\u{a0}' => shown.push(Shown::Firm),
            c => shown.push(Shown::Char(c)),
        }
    }
    let folds = |at: Option<&Shown>| match at {
        None | Some(Shown::Firm | Shown::Break) => true,
        Some(Shown::Char(c)) => matches!(c, ' ' | '\t' | '\n' | '\r'),
    };
    let text = shown.iter().enumerate().map(|(at, one)| match one {
        Shown::Char(c) => *c,
        Shown::Break => '\n',
        // Alone between two letters a plain blank would have done.
        Shown::Firm => {
            let before = at.checked_sub(1).and_then(|at| shown.get(at));
            if folds(before) || folds(shown.get(at + 1)) {
                ' '
            } else {
                '\u{a0}'
            }
        }
    });
    Some(text.collect())
}

/// The text of HTML that is one `pre` element.
fn preformatted_text(html: &str) -> Option<String> {
    let mut rest = html.strip_prefix("<pre>")?.strip_suffix("</pre>")?;
    rest = rest.strip_prefix('\n').unwrap_or(rest);
    let mut text = String::with_capacity(rest.len());
    while !rest.is_empty() {
        let (c, after) = character(rest)?;
        text.push(c);
        rest = after;
    }
    Some(text)
}

/// The first character of a text in HTML, and what follows it. `None` where a tag begins or the text ends.
fn character(html: &str) -> Option<(char, &str)> {
    let first = html.chars().next()?;
    let (_, after) = html.split_at(first.len_utf8());
    let entity = after
        .split_once(';')
        .filter(|(name, _)| first == '&' && name.len() <= 8);
    let known = entity.and_then(|(name, after)| {
        let c = match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => '\u{a0}',
            name => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        };
        Some((c, after))
    });
    (first != '<').then(|| known.unwrap_or((first, after)))
}

/// A body under its line, as it is sent. It has a wrapping of its own, so that there is one whatever the platform does, and nothing at
/// its ends is trimmed.
pub fn wrapped(facts: &[String], html: &str) -> String {
    let html = html_with_lead(lead(facts).as_deref(), html);
    format!("<div>{html}</div>")
}

/// The facts above a body and the body, of what came back.
pub fn opened(html: &str) -> (Option<&str>, &str) {
    without_lead(unwrapped(html))
}

/// The inside of the one `div` that is all of a text.
pub fn unwrapped(html: &str) -> &str {
    let html = html.trim();
    let inside = html
        .strip_prefix("<div")
        .and_then(|rest| rest.split_once('>'))
        .and_then(|(_, rest)| rest.strip_suffix("</div>"));
    let Some(inside) = inside else { return html };
    let mut depth = 0_usize;
    for (at, _) in inside.match_indices('<') {
        let tag = inside.get(at..).unwrap_or_default();
        if tag.starts_with("<div") {
            depth += 1;
        } else if tag.starts_with("</div") {
            // Another one ends, and a third begins: they stand side by side.
            let Some(less) = depth.checked_sub(1) else {
                return html;
            };
            depth = less;
        }
    }
    inside
}

/// Cuts plain text into pieces whose HTML has at most `limit` bytes; joined again they are the text.
pub fn pieces(text: &str, limit: usize) -> Vec<&str> {
    let mut fitting = Vec::new();
    for piece in text::pieces(text, limit) {
        fit(piece, limit, &mut fitting);
    }
    fitting
}

fn fit<'t>(piece: &'t str, limit: usize, fitting: &mut Vec<&'t str>) {
    let single = piece.chars().nth(1).is_none();
    if single || html_of(piece).len() <= limit {
        fitting.push(piece);
        return;
    }
    for part in text::pieces(piece, (piece.len() / 2).max(1)) {
        fit(part, limit, fitting);
    }
}

/// The letters and digits of HTML, which survive sanitising and wrapping. What is compared before an undo.
pub fn letters(html: &str) -> String {
    text::letters(&text::html_to_search_text(html))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_looks_the_same_in_html() {
        assert_eq!(
            html_of("a  b\n c\r\nd < e"),
            "a&nbsp; b<br>&nbsp;c<br>\nd &lt; e"
        );
        assert_eq!(html_of("x\ty"), "x&nbsp;&nbsp;&nbsp;\ty");
        assert_eq!(html_of("a\u{a0}b"), "a&nbsp;b");
        assert_eq!(html_of("a \u{a0}b"), "<pre>\na \u{a0}b</pre>");
        assert_eq!(text_of("<p>a&nbsp;&amp; b</p>c"), "a & b\nc");
    }

    #[test]
    fn one_wrapping_comes_off_and_a_list_of_divs_stays() {
        for html in ["<div>a</div><div>b</div>", "a", "<p>x</p>"] {
            assert_eq!(unwrapped(html), html);
            assert_eq!(opened(&wrapped(&[], html)), (None, html));
        }
        assert_eq!(
            unwrapped("<div dir=\"ltr\"><div>a</div></div>"),
            "<div>a</div>"
        );
    }

    proptest! {
        #[test]
        fn plain_text_comes_back_byte_for_byte(text in "(?s)([a-z \t\r\n<>&;\"'\u{a0}]|&nbsp;|&amp;lt;|\\PC){0,60}") {
            prop_assert_eq!(text_of(&html_of(&text)), text);
        }

        #[test]
        fn pieces_joined_are_the_text(text in "(?s)( |<|\\PC){0,300}", limit in 16_usize..80) {
            let pieces = pieces(&text, limit);
            prop_assert_eq!(pieces.concat(), text.clone());
        }
    }
}
