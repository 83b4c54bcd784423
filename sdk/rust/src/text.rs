//! Text between platforms: escaping, plain text as HTML and back, and parts of a long text.
//!
//! Nothing here trims or re-wraps: what a person wrote stays as it was, or its loss is declared by the caller.

use std::borrow::Cow;

/// Text for an HTML element or a quoted attribute.
pub fn escape_html(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Plain text as HTML that looks the same: line ends (`\n`, `\r\n`, `\r`) become `<br>`, and of several blanks, and of one at
/// the beginning of a line, all but the last become `&nbsp;`; a tab becomes four. Nothing is wrapped around it.
pub fn plain_to_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    let mut at_start = true;
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push_str("<br>");
            }
            '\n' => out.push_str("<br>"),
            '\t' => out.push_str("&nbsp;&nbsp;&nbsp;&nbsp;"),
            ' ' if at_start || matches!(chars.peek(), Some(' ' | '\t' | '\n' | '\r') | None) => {
                out.push_str("&nbsp;");
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        at_start = matches!(c, '\n' | '\r');
    }
    out
}

/// The readable text of HTML, **for searching and comparing only**: tags dropped, blocks and `<br>` as line ends, white space
/// collapsed, the common entities and numeric ones decoded. It is no rendering, and must not be shown as what a person wrote: a
/// platform of plain text shows the source's own plain text, or this under a line that says what it is, with the HTML as a file
/// beside it.
pub fn html_to_search_text(html: &str) -> String {
    let mut raw = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        let (before, tag) = rest.split_at(open);
        decode_entities(before, &mut raw);
        rest = skip_tag(tag, &mut raw);
    }
    decode_entities(rest, &mut raw);
    let mut out = String::with_capacity(raw.len());
    for line in raw.split('\n') {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(first);
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
    }
    out
}

/// Steps over what begins with `<`; gives what follows.
fn skip_tag<'a>(tag: &'a str, out: &mut String) -> &'a str {
    if let Some(comment) = tag.strip_prefix("<!--") {
        return comment.split_once("-->").map_or("", |(_, after)| after);
    }
    let name: String = tag
        .chars()
        .skip(1)
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if name.is_empty() && !tag.starts_with("<!") {
        // A lone less-than sign.
        out.push('<');
        return tag.get(1..).unwrap_or("");
    }
    let Some((_, after)) = tag.split_once('>') else {
        return "";
    };
    match name.as_str() {
        "script" | "style" => {
            let end = format!("</{name}");
            // ASCII lower case keeps byte positions.
            match after.to_ascii_lowercase().find(&end) {
                Some(at) => {
                    let closing = after.get(at..).unwrap_or("");
                    closing.split_once('>').map_or("", |(_, after)| after)
                }
                None => "",
            }
        }
        "br" | "br/" | "p" | "/p" | "div" | "/div" | "tr" | "/tr" | "li" | "/li" | "ul" | "/ul"
        | "ol" | "/ol" | "table" | "/table" | "blockquote" | "/blockquote" | "hr" | "hr/"
        | "h1" | "/h1" | "h2" | "/h2" | "h3" | "/h3" | "h4" | "/h4" | "h5" | "/h5" | "h6"
        | "/h6" | "pre" | "/pre" => {
            out.push('\n');
            after
        }
        "td" | "/td" | "th" | "/th" => {
            out.push(' ');
            after
        }
        _ => after,
    }
}

fn decode_entities(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        // A line end in HTML is white space.
        out.extend(
            before
                .chars()
                .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }),
        );
        let decoded = entity
            .get(1..)
            .and_then(|after| after.split_once(';'))
            .filter(|(name, _)| name.len() <= 10)
            .and_then(|(name, after)| Some((entity_char(name)?, after)));
        match decoded {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = entity.get(1..).unwrap_or("");
            }
        }
    }
    out.extend(
        rest.chars()
            .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }),
    );
}

fn entity_char(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

/// Splits a text into parts of at most `most` **bytes** of UTF-8, between characters; all parts together are the text. It
/// splits after a line end, else after a blank, where one lies in the last quarter of a part. A character longer than `most`
/// is a part of its own.
pub fn split_bytes(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > most {
        let end = rest.floor_char_boundary(most);
        let end = if end == 0 {
            rest.chars().next().map_or(rest.len(), char::len_utf8)
        } else {
            end
        };
        let (head, _) = rest.split_at(end);
        let late = |at: &usize| *at + 1 > end - end / 4;
        let cut = head
            .rfind('\n')
            .filter(late)
            .or_else(|| head.rfind(' ').filter(late))
            .map_or(end, |at| at + 1);
        let (part, after) = rest.split_at(cut);
        parts.push(part);
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest);
    }
    parts
}

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

/// As [`split_bytes`], each part of several headed by `label(n, of)` and a line end, within the limit. One part has no heading.
/// What is left of a part when its heading is too long for `most` is one character at least.
pub fn split_numbered(
    text: &str,
    most: usize,
    label: impl Fn(usize, usize) -> String,
) -> Vec<String> {
    if text.len() <= most {
        return vec![text.to_owned()];
    }
    // The heading is longest for the largest numbers; their digits are bounded by the number of bytes.
    let heading = label(text.len(), text.len()).len() + 1;
    let parts = split_bytes(text, most.saturating_sub(heading).max(1));
    let of = parts.len();
    parts
        .iter()
        .enumerate()
        .map(|(i, part)| format!("{}\n{part}", label(i + 1, of)))
        .collect()
}

/// As much of a text as so many UTF-16 units hold, which is how many platforms count characters; and whether anything was cut.
pub fn cut_utf16(text: &str, most: usize) -> (&str, bool) {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > most {
            return (text.get(..at).unwrap_or(text), true);
        }
    }
    (text, false)
}

/// As many characters of a text as a field takes; and whether anything was cut.
pub fn cut_chars(text: &str, most: usize) -> (&str, bool) {
    match text.char_indices().nth(most) {
        Some((at, _)) => (text.get(..at).unwrap_or(text), true),
        None => (text, false),
    }
}

/// How many characters a text has where they are counted as UTF-16 units.
pub fn utf16_units(text: &str) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_keeps_its_lines_and_blanks() {
        assert_eq!(
            plain_to_html("a  b\r\n c\rd\n"),
            "a&nbsp; b<br>&nbsp;c<br>d<br>"
        );
        assert_eq!(
            plain_to_html("x\ty & <z>"),
            "x&nbsp;&nbsp;&nbsp;&nbsp;y &amp; &lt;z&gt;"
        );
        assert_eq!(plain_to_html(" "), "&nbsp;");
    }

    #[test]
    fn search_text_has_the_words_and_nothing_else() {
        let html = "<style>p {}</style><p>Gr&uuml;&szlig;e &amp; 1 &lt; 2<br/>k&#233;pi</p><!-- no --><td>a</td><td>b</td>";
        assert_eq!(
            html_to_search_text(html),
            "Gr&uuml;&szlig;e & 1 < 2\nképi\na b"
        );
        assert_eq!(html_to_search_text("1 < 2 and <b>3</b>"), "1 < 2 and 3");
    }

    #[test]
    fn a_split_prefers_line_ends_near_the_end_of_a_part() {
        assert_eq!(split_bytes("aaaaaa\nbb cc", 8), ["aaaaaa\n", "bb cc"]);
        assert_eq!(split_bytes("", 8), [""]);
        assert_eq!(split_bytes("äöü", 1), ["ä", "ö", "ü"]);
    }

    #[test]
    fn characters_are_counted_as_utf_16_units() {
        assert_eq!(
            (utf16_units("abc"), utf16_units("a📦"), utf16_units("ü")),
            (3, 3, 1)
        );
        assert_eq!(cut_utf16("a📦b", 2), ("a", true));
        assert_eq!(cut_utf16("a📦b", 3), ("a📦", true));
        assert_eq!(cut_utf16("a📦b", 4), ("a📦b", false));
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text(text in "(?s)(.|[ \n]{1,3}){0,300}", limit in 4_usize..60) {
            let parts = pieces(&text, limit);
            prop_assert_eq!(parts.concat(), text.clone());
            prop_assert!(parts.iter().all(|piece| piece.len() <= limit));
        }

        #[test]
        fn parts_together_are_the_text(text in "\\PC{0,200}|[ \n]{0,40}", most in 4usize..40) {
            let parts = split_bytes(&text, most);
            prop_assert_eq!(parts.concat(), text.clone());
            prop_assert!(parts.iter().all(|part| part.len() <= most));
        }

        #[test]
        fn numbered_parts_stay_under_the_limit(text in "\\PC{0,400}", most in 40usize..90) {
            let parts = split_numbered(&text, most, |n, of| format!("({n}/{of})"));
            prop_assert!(parts.iter().all(|part| part.len() <= most));
            if parts.len() > 1 {
                let joined: String = parts.iter().map(|p| p.split_once('\n').unwrap().1).collect();
                prop_assert_eq!(joined, text);
            }
        }

        #[test]
        fn escaped_text_is_found_again(text in "[a-z<>&\"' ]{0,60}") {
            let words: Vec<_> = text.split_whitespace().collect();
            let html = format!("<p>{}</p>", escape_html(&text));
            prop_assert_eq!(html_to_search_text(&html), words.join(" "));
        }
    }
}
