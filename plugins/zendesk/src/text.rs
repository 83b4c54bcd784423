//! Text of comments: the line we put above a body, long texts in pieces, inline images, and what is compared later.
//!
//! A body is never changed. What must be said about it (who wrote it, that its delivery failed) stands above it in one
//! bracketed line, [`LEAD`], which [`without_lead`] takes off again, so that a comment read back can be compared with
//! its original. Not here: which facts are said (see `thread`).

/// How our line begins. Agents and programs can search for it.
pub const LEAD: &str = "[Migrated: ";

/// The line above a body, without the brackets' end inside it.
pub fn lead(facts: &[String]) -> Option<String> {
    if facts.is_empty() {
        return None;
    }
    let facts = facts.join("; ");
    let facts: String = facts
        .chars()
        .map(|c| {
            if c == ']' {
                ')'
            } else if c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    Some(format!("{LEAD}{facts}]"))
}

/// Plain text under our line.
pub fn with_lead(lead: Option<&str>, body: &str) -> String {
    match lead {
        Some(lead) if body.is_empty() => lead.to_owned(),
        Some(lead) => format!("{lead}\n\n{body}"),
        None => body.to_owned(),
    }
}

/// HTML under our line.
pub fn html_with_lead(lead: Option<&str>, html: &str) -> String {
    match lead {
        Some(lead) => format!("<p>{}</p>{html}", escape(lead)),
        None => html.to_owned(),
    }
}

/// The facts in our line, and the body without it. Works on plain text and on HTML.
pub fn without_lead(body: &str) -> (Option<&str>, &str) {
    if let Some(rest) = body.strip_prefix(LEAD) {
        let Some((facts, rest)) = rest.split_once(']') else {
            return (None, body);
        };
        return (Some(facts), rest.trim_start_matches('\n'));
    }
    let html = body
        .strip_prefix("<p>")
        .and_then(|rest| rest.strip_prefix(LEAD));
    match html.and_then(|rest| rest.split_once("]</p>")) {
        Some((facts, rest)) => (Some(facts), rest),
        None => (None, body),
    }
}

/// The inside of what Zendesk wraps around every HTML body (Zendesk facts §15).
pub fn unwrapped(html: &str) -> &str {
    let Some(rest) = html.strip_prefix("<div class=\"zd-comment\"") else {
        return html;
    };
    let Some((_, inside)) = rest.split_once('>') else {
        return html;
    };
    inside.strip_suffix("</div>").unwrap_or(inside)
}

/// Characters that mean something in HTML, as entities.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Cuts text into pieces of at most `limit` bytes, after a line end where one is in the last fifth of a piece, never
/// inside a character. Joined again, the pieces are the text, byte for byte.
pub fn pieces(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > limit {
        let mut end = limit;
        while end > 0 && !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (window, _) = rest.split_at(end);
        let line = window
            .rfind('\n')
            .map(|at| at + 1)
            .filter(|at| *at > end / 5 * 4);
        let (piece, after) = rest.split_at(line.unwrap_or(end));
        if piece.is_empty() {
            break;
        }
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// HTML in which what an inline image was known by (`cid:…`, its old URL) is its new URL.
pub fn repoint(html: &str, images: &[(String, String)]) -> String {
    let mut html = html.to_owned();
    for (old, new) in images {
        if old.is_empty() {
            continue;
        }
        let escaped = old.replace('&', "&amp;");
        if escaped != *old {
            html = html.replace(&escaped, new);
        }
        html = html.replace(old, new);
    }
    html
}

/// The text of HTML: tags, comments, scripts and styles out, the usual entities as characters.
pub fn of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let lower: String = tag.chars().take(8).collect::<String>().to_ascii_lowercase();
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let dropped = ["script", "style"]
            .into_iter()
            .find(|name| lower.starts_with(name));
        if let Some(name) = dropped {
            let close = format!("</{name}");
            let at = tag.to_ascii_lowercase().find(&close);
            let after = at.and_then(|at| tag.get(at..)).unwrap_or("");
            rest = after.split_once('>').map_or("", |(_, after)| after);
            continue;
        }
        if ["br", "/p", "/div", "/li", "/tr"]
            .iter()
            .any(|name| lower.starts_with(name))
        {
            text.push('\n');
        }
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.replace("&nbsp;", "\u{a0}")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

/// The letters of a body, which survive sanitising, re-wrapping and rendering. What is compared before an undo.
pub fn letters_of(html: &str) -> String {
    letters(&of_html(html))
}

/// The letters of plain text.
pub fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_line_above_a_body_comes_off_again() {
        let lead = lead(&[
            "written by Ana [admin]".to_owned(),
            "not delivered".to_owned(),
        ]);
        let lead = lead.as_deref();
        assert_eq!(
            lead,
            Some("[Migrated: written by Ana [admin); not delivered]")
        );
        let body = "Hello ]\n there";
        let (facts, rest) = without_lead(&with_lead(lead, body)).to_owned_pair();
        assert_eq!(
            facts.as_deref(),
            Some("written by Ana [admin); not delivered")
        );
        assert_eq!(rest, body);
        let html = html_with_lead(lead, "<b>x</b>");
        assert_eq!(without_lead(&html).1, "<b>x</b>");
        assert_eq!(without_lead("plain").0, None);
    }

    trait OwnedPair {
        fn to_owned_pair(self) -> (Option<String>, String);
    }
    impl OwnedPair for (Option<&str>, &str) {
        fn to_owned_pair(self) -> (Option<String>, String) {
            (self.0.map(str::to_owned), self.1.to_owned())
        }
    }

    #[test]
    fn images_are_repointed_also_where_the_url_was_escaped() {
        let images = [(
            "https://old/x?a=1&b=2".to_owned(),
            "https://new/y".to_owned(),
        )];
        let html = r#"<img src="https://old/x?a=1&amp;b=2"><img src="https://old/x?a=1&b=2">"#;
        assert_eq!(
            repoint(html, &images),
            r#"<img src="https://new/y"><img src="https://new/y">"#
        );
    }

    #[test]
    fn letters_do_not_change_by_wrapping_or_escaping() {
        let wrapped = "<div class=\"zd-comment\" dir=\"auto\"><p dir=\"auto\">a &lt; b<br>c &amp; d</p></div>";
        assert_eq!(letters_of(wrapped), letters_of(&escape("a < b\nc & d")));
        assert_eq!(
            unwrapped(wrapped),
            "<p dir=\"auto\">a &lt; b<br>c &amp; d</p>"
        );
    }

    proptest! {
        #[test]
        fn plain_text_has_the_letters_of_its_html(text in "(?s)([a-z<>&;\"]|&nbsp;|&amp;lt;|\\PC){0,60}") {
            prop_assert_eq!(letters(&text), letters_of(&escape(&text)));
        }

        #[test]
        fn pieces_joined_are_the_text(text in "(?s).{0,400}", limit in 4_usize..60) {
            let pieces = pieces(&text, limit);
            prop_assert_eq!(pieces.concat(), text.clone());
            prop_assert!(pieces.iter().all(|piece| piece.len() <= limit));
        }
    }
}
