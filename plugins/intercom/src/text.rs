//! Texts as Intercom takes and shows them: what a contact wrote is plain text, what an admin wrote is HTML, and both come back as
//! HTML in a paragraph (Intercom facts §8.1, §8.2, §9).

/// Plain text as the HTML of one paragraph from which [`plain_of`] gives it again: blanks that HTML would collapse become
/// `&nbsp;`, a carriage return `&#13;`.
pub fn html_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 8);
    out.push_str("<p>");
    let mut chars = text.chars().peekable();
    let mut at_start = true;
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("<br>"),
            '\r' => out.push_str("&#13;"),
            ' ' if at_start || matches!(chars.peek(), Some(' ' | '\n' | '\r') | None) => {
                out.push_str("&nbsp;");
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        at_start = c == '\n';
    }
    out.push_str("</p>");
    out
}

/// The plain text of a body that came of one: paragraphs and `<br>` are line ends, any other tag is dropped, entities are
/// characters.
pub fn plain_of(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    let mut paragraphs = 0_usize;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if from.starts_with('&') {
            let found = from
                .split_once(';')
                .and_then(|(name, after)| Some((entity(name.strip_prefix('&')?)?, after)));
            match found {
                Some((c, after)) => {
                    out.push(c);
                    rest = after;
                }
                None => {
                    out.push('&');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
            continue;
        }
        let Some((tag, after)) = from.split_once('>') else {
            out.push_str(from);
            return out;
        };
        let name = tag.trim_start_matches('<').trim_end_matches('/').trim();
        let name = name.split_whitespace().next().unwrap_or_default();
        if name.eq_ignore_ascii_case("br") {
            out.push('\n');
        } else if name.eq_ignore_ascii_case("p") {
            if paragraphs > 0 {
                out.push('\n');
            }
            paragraphs += 1;
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
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

/// Words of a text without the white space between, by which two forms of one text are known as the same.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether HTML has more to it than its text: links, pictures, lists, anything but paragraphs, line ends and frames.
pub fn is_rich(html: &str) -> bool {
    const PLAIN: [&str; 9] = [
        "p", "br", "div", "span", "html", "body", "head", "meta", "!doctype",
    ];
    html.split('<').skip(1).any(|tag| {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
            .collect();
        !name.is_empty() && !PLAIN.contains(&name.to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_comes_back_out_of_its_html() {
        for text in [
            "Hello",
            "  two  blanks \r\n\tand a tab\n\n <b>&amp;</b> \u{a0}\u{feff} end  ",
            "",
            "שָׁלוֹם 👩‍👩‍👧‍👦 e\u{301}",
        ] {
            assert_eq!(plain_of(&html_of(text)), text);
        }
        assert_eq!(
            plain_of("<p>a</p>\n<p>b &unknown; &#233;</p>"),
            "a\n\nb &unknown; é"
        );
        assert_eq!(plain_of("1 < 2"), "1 < 2");
    }

    #[test]
    fn html_is_rich_where_its_text_does_not_say_all() {
        assert!(!is_rich("<p>a<br/>b</p><div>c</div> 1 < 2"));
        assert!(is_rich("<p>see <a href='x'>this</a></p>"));
        assert!(is_rich("<img src='cid:x'>"));
    }
}
