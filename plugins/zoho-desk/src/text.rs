//! Text of threads and comments, which are sent as HTML.
//!
//! Plain text becomes HTML from which it comes back byte for byte (`transload_sdk::markup`); the line above a body and its rules are
//! the SDK's, too (`transload_sdk::thread`). What would be read as a mention, and call somebody, is written so that it is none.

use transload_sdk::markup;

pub use transload_sdk::markup::{letters, opened, text_of};
pub use transload_sdk::text::cut_chars as cut;

/// What one comment holds: 32,000 characters (Zoho Desk facts §7.6), which so many bytes never are more than.
pub const COMMENT_BYTES: usize = 32_000;
/// What one thread holds: 16,000,000 characters (Zoho Desk facts §10).
pub const THREAD_BYTES: usize = 16_000_000;
/// Characters of a subject (Zoho Desk facts §7.5).
pub const SUBJECT_CHARS: usize = 255;
/// How a mention of an agent or a team begins (Zoho Desk facts §7.6).
const MENTION: &str = "zsu[@";

/// Plain text as HTML that looks the same and from which [`text_of`] gives it back.
pub fn html_of(text: &str) -> String {
    guarded(&markup::html_of(text))
}

/// HTML that calls nobody.
pub fn guarded(html: &str) -> String {
    html.replace(MENTION, "zsu&#91;@")
}

/// Cuts plain text into pieces whose HTML has at most `limit` bytes; joined again they are the text.
pub fn pieces(text: &str, limit: usize) -> Vec<&str> {
    // Each mention grows by four bytes.
    markup::pieces(
        text,
        limit - text.matches(MENTION).count().min(limit / 8) * 4,
    )
}

/// A body under its line, as it is sent.
pub fn under(facts: &[String], html: &str) -> String {
    guarded(&markup::wrapped(facts, html))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mention_calls_nobody_and_comes_back() {
        let text = "ask zsu[@user:17]zsu";
        let html = under(&["by zsu[@user:17]zsu".to_owned()], &html_of(text));
        assert!(!html.contains("zsu[@"), "{html}");
        assert_eq!(text_of(opened(&html).1), text);
    }

    #[test]
    fn a_text_that_begins_like_our_line_comes_back_whole() {
        let text = "[Migrated: x] mine";
        let html = under(&[], &html_of(text));
        assert_eq!(text_of(opened(&html).1), text);
    }

    proptest! {
        #[test]
        fn a_text_under_its_line_comes_back_byte_for_byte(text in "(?s)([a-z \t\r\n<>&;\"'\u{a0}]|zsu\\[@|\\PC){0,60}") {
            let html = under(&["a fact".to_owned()], &html_of(&text));
            let (facts, body) = opened(&html);
            prop_assert_eq!(facts, Some("a fact"));
            prop_assert_eq!(text_of(body), text);
        }

        #[test]
        fn pieces_joined_are_the_text_and_fit(text in "(?s)( |<|zsu\\[@|\\PC){0,300}", limit in 64_usize..128) {
            let pieces = pieces(&text, limit);
            prop_assert_eq!(pieces.concat(), text.clone());
        }
    }
}
