//! Text of comments and e-mails: what fits, long texts in pieces, the text of HTML, and what is compared later.
//!
//! The line above a body and its rules are the SDK's (`transload_sdk::thread`). Here is what Salesforce's limits ask for:
//! comments hold bytes, e-mails characters.

use transload_sdk::thread::{lead, part_of, with_lead};

/// Bytes that a CaseComment holds (Salesforce facts §9.4).
pub const COMMENT_BYTES: usize = 4_000;

/// Cuts text into pieces of at most `limit` bytes: before a line end, else before a blank, where one lies in the last quarter
/// of a piece; never inside a character. No piece but the last ends in white space, which platforms like to trim. Joined
/// again, the pieces are the text, byte for byte.
pub fn pieces(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > limit {
        let end = match rest.floor_char_boundary(limit) {
            0 => rest.chars().next().map_or(rest.len(), char::len_utf8),
            end => end,
        };
        let (window, _) = rest.split_at(end);
        let before = |c: char| {
            let at = window.rfind(c)?;
            let cut = window.get(..at)?.trim_end().len();
            (cut > end - end / 4).then_some(cut)
        };
        let visible = match window.trim_end().len() {
            0 => end,
            visible => visible,
        };
        let cut = before('\n').or_else(|| before(' ')).unwrap_or(visible);
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// A body as bodies of at most `limit` bytes each, the first under a line with the facts; of several each says which it is.
pub fn bodies(facts: &[String], body: &str, limit: usize) -> Vec<String> {
    let whole = with_lead(lead(facts).as_deref(), body);
    if whole.len() <= limit {
        return vec![whole];
    }
    // The longest line any piece can have; a piece has at least so many bytes as the line leaves.
    let widest = |facts: &[String]| {
        let mut facts = facts.to_vec();
        facts.push(part_of(body.len(), body.len()));
        lead(&facts).map_or(0, |line| line.len() + 2)
    };
    let first_room = limit.saturating_sub(widest(facts));
    // Facts alone may be too long: then they are a text of their own, and the body follows.
    if first_room < limit / 4 && !facts.is_empty() {
        let said = format!("{}\n\n{body}", facts.join("; "));
        let above = "the facts of this entry are in its text".to_owned();
        return bodies(&[above], &said, limit);
    }
    let room = first_room.max(4);
    let parts = pieces(body, room);
    let count = parts.len();
    let numbered = |(index, piece): (usize, &&str)| {
        let mut said = if index == 0 {
            facts.to_vec()
        } else {
            Vec::new()
        };
        said.push(part_of(index + 1, count));
        with_lead(lead(&said).as_deref(), piece)
    };
    parts.iter().enumerate().map(numbered).collect()
}

/// As much of a text as so many UTF-16 units hold, which is how Salesforce counts characters; and whether anything was cut.
pub fn cut_chars(text: &str, most: usize) -> (&str, bool) {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > most {
            return (text.get(..at).unwrap_or(text), true);
        }
    }
    (text, false)
}

/// How many characters a text has as Salesforce counts them: UTF-16 units.
pub fn chars(text: &str) -> usize {
    // Most texts are far from any limit.
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}

/// The letters and digits of a text, which survive trimming, sanitising and other line ends. What is compared before an undo.
pub fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A comment's text as two copies of it are compared: without the ends that are trimmed, line ends as `\n`.
pub fn compared(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use transload_sdk::thread::without_lead;

    #[test]
    fn characters_are_counted_as_utf_16_units() {
        assert_eq!((chars("abc"), chars("a📦"), chars("ü")), (3, 3, 1));
        assert_eq!(cut_chars("a📦b", 2), ("a", true));
        assert_eq!(cut_chars("a📦b", 3), ("a📦", true));
        assert_eq!(cut_chars("a📦b", 4), ("a📦b", false));
    }

    #[test]
    fn facts_that_are_longer_than_a_body_may_be_are_its_text() {
        let long = vec!["x".repeat(300)];
        let bodies = bodies(&long, "Hello", 200);
        assert!(bodies.len() > 1);
        assert!(bodies.iter().all(|b| b.len() <= 200), "{bodies:?}");
        let joined: String = bodies.iter().map(|b| without_lead(b).1).collect();
        assert_eq!(joined, format!("{}\n\nHello", "x".repeat(300)));
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text(text in "(?s)(.|[ \n]{1,3}){0,300}", limit in 4_usize..60) {
            let parts = pieces(&text, limit);
            prop_assert_eq!(parts.concat(), text.clone());
            prop_assert!(parts.iter().all(|piece| piece.len() <= limit));
        }

        #[test]
        fn numbered_bodies_are_within_the_limit_and_give_the_text_again(
            text in "(?s)(.|[ \n]{1,3}){0,900}",
            facts in proptest::collection::vec("[a-z ]{1,20}", 0..3),
        ) {
            let all = bodies(&facts, &text, 200);
            prop_assert!(all.iter().all(|body| body.len() <= 200));
            // A text that begins like our line is no text of anybody's.
            prop_assume!(!text.starts_with("[Migrated: "));
            let joined: String = all.iter().map(|body| without_lead(body).1).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
