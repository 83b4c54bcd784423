//! The little HTML that bodies need (Intercom facts §8.1, §8.2, §9).
//!
//! What is not dangerous passes byte for byte. Not here: a full parser; markup is only cut out, never repaired.

use super::switches::LineEnds;

/// Elements that begin a block, so that no paragraph is put around them.
const BLOCKS: [&str; 14] = [
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "pre",
    "blockquote",
    "div",
    "table",
    "hr",
];
/// Elements that go with all that is in them.
const DANGEROUS: [&str; 5] = ["script", "style", "iframe", "head", "title"];
/// Elements whose tags go and whose content stays.
const FRAMES: [&str; 2] = ["html", "body"];
/// Elements that survive where markup is reduced.
const BASIC: [&str; 21] = [
    "p",
    "br",
    "a",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "h1",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "img",
    "code",
    "pre",
    "blockquote",
    "div",
    "span",
];

/// Plain text as HTML: escaped, in a paragraph.
pub(super) fn from_plain(text: &str, ends: LineEnds) -> String {
    paragraphs(&escape(text), ends)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn paragraphs(escaped: &str, ends: LineEnds) -> String {
    match ends {
        LineEnds::Kept => format!("<p>{escaped}</p>"),
        LineEnds::Broken => {
            let text = escaped.replace("\r\n", "\n").replace('\n', "<br>");
            format!("<p>{text}</p>")
        }
        LineEnds::Paragraphs => {
            let lines = escaped.split('\n').map(|line| line.trim_end_matches('\r'));
            lines.map(|line| format!("<p>{line}</p>")).collect()
        }
    }
}

/// Markup as it comes back: without dangerous elements, loose signs escaped, bare text in a paragraph.
pub(super) fn from_markup(text: &str, ends: LineEnds, reduced: bool) -> String {
    let (clean, tags) = clean(text, reduced);
    let clean = clean.trim();
    if !tags {
        return paragraphs(clean, ends);
    }
    match BLOCKS.iter().any(|name| opens(clean, name)) {
        true => clean.to_owned(),
        false => format!("<p>{clean}</p>"),
    }
}

/// Whether the text begins with a tag of this name.
fn opens(text: &str, name: &str) -> bool {
    tag_name(text).is_some_and(|found| found.eq_ignore_ascii_case(name))
}

/// The name of the opening or closing tag that the text begins with.
fn tag_name(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('<')?;
    let inside = inside.strip_prefix('/').unwrap_or(inside);
    let end = inside
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(inside.len());
    let name = inside.get(..end)?;
    let next = inside.get(end..)?.chars().next();
    let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && matches!(next, Some('>' | '/' | ' ' | '\t' | '\n' | '\r'));
    is_tag.then_some(name)
}

/// The text without what is cut out, and whether there is any markup left in it.
fn clean(text: &str, reduced: bool) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut tags = false;
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&', '>']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if from.starts_with('&') {
            out.push_str(if is_entity(from) { "&" } else { "&amp;" });
            rest = from.get(1..).unwrap_or_default();
            continue;
        }
        let end = from.find('>');
        let (Some(name), Some(end)) = (tag_name(from), end) else {
            out.push_str(if from.starts_with('<') {
                "&lt;"
            } else {
                "&gt;"
            });
            rest = from.get(1..).unwrap_or_default();
            continue;
        };
        let is = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        let (tag, after) = from.split_at(end + 1);
        if is(&DANGEROUS) {
            rest = after_element(from, name);
            continue;
        }
        tags = true;
        if !is(&FRAMES) && (!reduced || is(&BASIC)) {
            out.push_str(tag);
        }
        rest = after;
    }
    out.push_str(rest);
    (out, tags)
}

fn is_entity(text: &str) -> bool {
    let Some(end) = text.find(';').filter(|end| *end <= 12) else {
        return false;
    };
    let name = text.get(1..end).unwrap_or_default();
    let digits = name.strip_prefix('#');
    !name.is_empty()
        && digits
            .unwrap_or(name)
            .chars()
            .all(|c| c.is_ascii_alphanumeric())
}

fn after_element<'t>(text: &'t str, name: &str) -> &'t str {
    let close = format!("</{}", name.to_ascii_lowercase());
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find(&close) else {
        return text.split_once('>').map_or("", |(_, after)| after);
    };
    let from = text.get(at..).unwrap_or_default();
    from.split_once('>').map_or("", |(_, after)| after)
}

/// The words of a body, for the search that looks at every one by itself (§4).
pub(super) fn words(html: &str) -> impl Iterator<Item = String> {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        from_markup(text, LineEnds::Broken, false)
    }

    #[test]
    fn bare_text_comes_back_in_a_paragraph_and_markup_as_it_was() {
        assert_eq!(shown("Hello"), "<p>Hello</p>");
        assert_eq!(shown("<p>a &amp; b</p>"), "<p>a &amp; b</p>");
        assert_eq!(
            shown("<html> <body> <h2>A</h2>\n</body> </html>"),
            "<h2>A</h2>"
        );
        assert_eq!(shown("see <b>this</b>"), "<p>see <b>this</b></p>");
        assert_eq!(from_plain("<b>", LineEnds::Broken), "<p>&lt;b&gt;</p>");
    }

    #[test]
    fn loose_signs_are_escaped_and_scripts_are_cut_out() {
        assert_eq!(shown("1 < 2 & 3 > 2"), "<p>1 &lt; 2 &amp; 3 &gt; 2</p>");
        assert_eq!(shown("<p>a<script>x</script>b</p>"), "<p>ab</p>");
        assert_eq!(
            from_markup("<table><tr><td>x</td></tr></table>", LineEnds::Kept, true),
            "<p>x</p>"
        );
    }
}
