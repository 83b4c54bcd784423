//! Texts as HubSpot keeps them: what fits, plain text as HTML and back, and what is compared later.
//!
//! Notes, calls and communications are HTML alone (HubSpot facts §8). A plain text becomes HTML that looks the same and gives the
//! text again, byte for byte; so what a person wrote is read back as it was. The line above a body and how a long text is cut
//! are the SDK's.

use transload_sdk::text::pieces;
use transload_sdk::thread::{html_with_lead, lead, part_of, without_lead};

pub use transload_sdk::text::letters;
pub use transload_sdk::thread::bodies;

/// Characters of a text; a note's body has no more (HubSpot facts §10.2, §20).
pub const BODY_CHARS: usize = 65_536;

/// How many characters a text has for HubSpot. What it counts is not documented; UTF-16 units are the most it can be.
pub fn chars(text: &str) -> usize {
    transload_sdk::text::utf16_units(text)
}

/// Plain text as HTML: line ends as `<br>`, blanks that HTML would swallow as `&nbsp;`, a carriage return and a tab as the
/// numbers that stand for them. [`plain`] gives the text again.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    let mut swallows = true;
    while let Some(c) = chars.next() {
        let blank_follows = matches!(chars.peek(), Some(' ' | '\n' | '\r' | '\t') | None);
        match c {
            '\n' => out.push_str("<br>"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            ' ' if swallows || blank_follows => out.push_str("&nbsp;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        swallows = matches!(c, '\n' | '\r' | '\t');
    }
    out
}

/// The plain text that [`html()`] made HTML of; `None` for HTML that it did not make.
pub fn plain(html: &str) -> Option<String> {
    const MEANT: [(&str, &str); 7] = [
        ("<br>", "\n"),
        ("&nbsp;", " "),
        ("&#13;", "\r"),
        ("&#9;", "\t"),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ];
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '>', '&']) {
        let (before, special) = rest.split_at(at);
        out.push_str(before);
        let known = MEANT.iter().find(|(code, _)| special.starts_with(code));
        let (code, meant) = known?;
        out.push_str(meant);
        rest = special.get(code.len()..)?;
    }
    out.push_str(rest);
    Some(out)
}

/// A plain text as HTML bodies of at most `most` characters, the first under a line with the facts; of several each says which it
/// is.
pub fn html_bodies(facts: &[String], text: &str, most: usize) -> Vec<String> {
    let one = html_with_lead(lead(facts).as_deref(), &html(text));
    if chars(&one) <= most {
        return vec![one];
    }
    // The widest line that any piece can have.
    let mut widest = facts.to_vec();
    widest.push(part_of(text.len(), text.len()));
    let line = html_with_lead(lead(&widest).as_deref(), "").len();
    const ABOVE: &str = "the facts of this entry are in its text";
    if line > most / 4 && facts != [ABOVE] {
        let said = format!("{}\n\n{text}", facts.join("; "));
        return html_bodies(&[ABOVE.to_owned()], &said, most);
    }
    // No character takes more than six characters of HTML, so the last try fits.
    let room = most.saturating_sub(line);
    let fits = |parts: &Vec<&str>| parts.iter().all(|part| chars(&html(part)) <= room);
    let tries = [room, room / 2, room / 6].map(|bytes| pieces(text, bytes.max(4)));
    let parts = tries.iter().find(|parts| fits(parts)).or(tries.last());
    let parts = parts.cloned().unwrap_or_default();
    let count = parts.len();
    let numbered = |(index, piece): (usize, &&str)| {
        let mut said = if index == 0 {
            facts.to_vec()
        } else {
            Vec::new()
        };
        said.push(part_of(index + 1, count));
        html_with_lead(lead(&said).as_deref(), &html(piece))
    };
    parts.iter().enumerate().map(numbered).collect()
}

/// The facts above an HTML body as they were said, and the body.
pub fn html_without_lead(body: &str) -> (Option<String>, &str) {
    let (facts, rest) = without_lead(body);
    let said = |facts: &str| {
        let entities = [
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&amp;", "&"),
        ];
        entities
            .iter()
            .fold(facts.to_owned(), |text, (code, c)| text.replace(code, c))
    };
    (facts.map(said), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_text_looks_the_same_as_html() {
        assert_eq!(
            html(" a  b\r\n\tc <i> & d "),
            "&nbsp;a&nbsp; b&#13;<br>&#9;c &lt;i&gt; &amp; d&nbsp;"
        );
        assert_eq!(plain("<p>a</p>"), None);
        assert_eq!(plain("a &uuml; b"), None);
    }

    #[test]
    fn facts_come_off_as_they_were_said() {
        let facts = ["written by \"A\" & <B>".to_owned()];
        let body = html_with_lead(lead(&facts).as_deref(), "x");
        let (said, rest) = html_without_lead(&body);
        assert_eq!(
            (said.as_deref(), rest),
            (Some("written by \"A\" & <B>"), "x")
        );
    }

    #[test]
    fn facts_that_are_longer_than_a_body_may_be_are_its_text() {
        let all = html_bodies(&["x".repeat(900)], "Hello", 600);
        assert!(all.len() > 1);
        assert!(all.iter().all(|body| chars(body) <= 600), "{all:?}");
        assert!(all.last().unwrap().ends_with("Hello"));
    }

    proptest! {
        #[test]
        fn html_gives_the_text_again(text in "(?s)(.|[ \n\r\t&<>\u{a0}]{1,3}){0,300}") {
            prop_assert_eq!(plain(&html(&text)), Some(text));
        }

        #[test]
        fn numbered_bodies_are_within_the_limit_and_give_the_text_again(
            text in "(?s)(.|[ \n\r&<>]{1,3}){0,900}",
            facts in proptest::collection::vec("[a-z&<> ]{1,10}", 0..2),
        ) {
            let all = html_bodies(&facts, &text, 900);
            prop_assert!(all.iter().all(|body| chars(body) <= 900));
            let joined: String = all.iter().map(|body| plain(without_lead(body).1).unwrap()).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
