//! Text of descriptions and notes, which Freshdesk keeps as HTML only.
//!
//! Plain text becomes HTML from which it comes back byte for byte: Freshdesk wraps HTML into a `div` and takes styles out, but
//! leaves the text in it alone (Freshdesk facts §15). That HTML, the line above a body and its rules are the SDK's
//! (`transload_sdk::markup`, `transload_sdk::thread`).

use transload_sdk::markup::unwrapped;
use transload_sdk::thread::{html_with_lead, lead, without_lead};

pub use transload_sdk::markup::{html_of, letters, pieces, text_of};

/// Bytes of HTML in one description or note. Freshdesk names no limit; this is what the smallest column for a text holds, with
/// room for what Freshdesk wraps around it.
pub const BODY_BYTES: usize = 64_000;
/// Characters of a subject (Freshdesk facts §15).
pub const SUBJECT_CHARS: usize = 255;

/// A body under its line, as it is sent. It has a wrapping of its own, so that there is one whatever Freshdesk does.
pub fn wrapped(facts: &[String], html: &str) -> String {
    format!(
        "<div>{}</div>",
        html_with_lead(lead(facts).as_deref(), html)
    )
}

/// The facts above a body and the body, of what came back.
pub fn opened(html: &str) -> (Option<&str>, &str) {
    without_lead(unwrapped(html))
}

/// As many characters of a text as a field takes; and whether anything was cut.
pub fn cut(text: &str, chars: usize) -> (&str, bool) {
    match text.char_indices().nth(chars) {
        Some((at, _)) => (text.get(..at).unwrap_or(text), true),
        None => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_wrapping_comes_off_and_a_list_of_divs_stays() {
        for html in ["<div>a</div><div>b</div>", "a", "<p>x</p>"] {
            assert_eq!(opened(&wrapped(&[], html)), (None, html));
        }
    }

    #[test]
    fn a_text_that_begins_like_our_line_comes_back_whole() {
        let text = "[Migrated: x] mine";
        let whole = wrapped(&[], &html_of(text));
        let (_, body) = opened(&whole);
        assert_eq!(text_of(body), text);
    }

    proptest! {
        #[test]
        fn plain_text_comes_back_byte_for_byte(text in "(?s)([a-z \t\r\n<>&;\"'\u{a0}]|&nbsp;|&amp;lt;|\\PC){0,60}") {
            let whole = wrapped(&["a fact".to_owned()], &html_of(&text));
            let (facts, body) = opened(&whole);
            prop_assert_eq!(facts, Some("a fact"));
            prop_assert_eq!(text_of(body), text);
        }
    }
}
