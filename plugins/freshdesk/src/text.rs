//! Text of descriptions and notes, which Freshdesk keeps as HTML only.
//!
//! Plain text becomes HTML from which it comes back byte for byte: Freshdesk wraps HTML into a `div` and takes styles out, but
//! leaves the text in it alone (Freshdesk facts §15). That HTML, the line above a body and its rules are the SDK's
//! (`transload_sdk::markup`, `transload_sdk::thread`).

pub use transload_sdk::markup::{html_of, letters, opened, pieces, text_of, wrapped};
pub use transload_sdk::text::cut_chars as cut;

/// Bytes of HTML in one description or note. Freshdesk names no limit; this is what the smallest column for a text holds, with
/// room for what Freshdesk wraps around it.
pub const BODY_BYTES: usize = 64_000;
/// Characters of a subject (Freshdesk facts §15).
pub const SUBJECT_CHARS: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
