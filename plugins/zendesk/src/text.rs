//! Text of comments: long texts in pieces, and what is compared later. The line above a body is the SDK's, as are inline images
//! in their new place.

pub use transload_sdk::thread::{LEAD, html_with_lead, lead, repoint, with_lead, without_lead};

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
    use transload_sdk::text::escape_html as escape;

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
