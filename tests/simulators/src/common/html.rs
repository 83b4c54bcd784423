//! The little HTML that messages need: taking out what is dangerous, and the text of it.
//!
//! What is not dangerous passes byte for byte. Not here: a full parser; markup is only cut out, never repaired.

/// Takes out scripts, styles, frames, comments, and the attributes that `drop` says, by name in lower case and value.
pub fn sanitise(html: &str, drop: impl Fn(&str, &str) -> bool) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let dangerous = ["script", "style", "iframe", "object", "embed"]
            .into_iter()
            .find(|name| opens(tag, name));
        if let Some(name) = dangerous {
            rest = after_element(tag, name);
            continue;
        }
        let Some(end) = tag.find('>') else {
            out.push_str(tag);
            return out;
        };
        let (inside, after) = tag.split_at(end + 1);
        without_attributes(inside, &drop, &mut out);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn opens(tag: &str, name: &str) -> bool {
    let Some(start) = tag.get(1..=name.len()) else {
        return false;
    };
    let next = tag.as_bytes().get(name.len() + 1);
    start.eq_ignore_ascii_case(name) && next.is_none_or(|b| !b.is_ascii_alphanumeric())
}

fn after_element<'a>(tag: &'a str, name: &str) -> &'a str {
    let lower = tag.to_ascii_lowercase();
    let close = format!("</{name}");
    let from = lower.find(&close).unwrap_or(0);
    let end = tag
        .get(from..)
        .and_then(|t| t.find('>'))
        .map(|at| from + at + 1);
    end.and_then(|end| tag.get(end..)).unwrap_or("")
}

/// Writes a tag without the attributes that are dropped.
fn without_attributes(tag: &str, drop: &impl Fn(&str, &str) -> bool, out: &mut String) {
    let (head, mut rest) = tag.split_at(tag.find(char::is_whitespace).unwrap_or(tag.len()));
    out.push_str(head);
    while !rest.is_empty() {
        let begin = rest.find(|c: char| !c.is_whitespace() && c != '/');
        let (space, from) = rest.split_at(begin.unwrap_or(rest.len()));
        if from.is_empty() || from.starts_with('>') {
            out.push_str(rest);
            return;
        }
        let (attribute, after) = from.split_at(attribute_end(from));
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim().trim_matches(['"', '\'']);
        if !drop(&name.trim().to_ascii_lowercase(), value) {
            out.push_str(space);
            out.push_str(attribute);
        }
        rest = after;
    }
}

/// Where the attribute that a text begins with ends; at least one character on.
fn attribute_end(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '=' | '>');
    let (name, after) = text.split_at(text.find(ends).unwrap_or(text.len()));
    let Some(value) = after.trim_start().strip_prefix('=') else {
        return name.len();
    };
    let value = value.trim_start();
    let start = text.len() - value.len();
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inside = value.get(1..).unwrap_or("");
            inside.find(quote).map_or(text.len(), |at| start + at + 2)
        }
        _ => {
            let end = value.find(|c: char| c.is_whitespace() || c == '>');
            start + end.unwrap_or(value.len())
        }
    }
}

/// A text as HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The text of HTML: tags out, breaks and paragraphs as line ends, entities as characters.
pub fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find('>').map_or(tag.len(), |end| end + 1);
        let (inside, after) = tag.split_at(end);
        let lower = inside.to_ascii_lowercase();
        if lower.starts_with("<br") || lower.starts_with("</p") || lower.starts_with("</div") {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    let text = out
        .replace("&nbsp;", "\u{a0}")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    text.trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_dangerous_is_cut_out() {
        let handlers = |name: &str, _: &str| name.starts_with("on");
        let cases = [
            ("<p onclick=\"x\">a</p>", "<p>a</p>"),
            (
                "<img src=a onerror = 'b' alt=\"c on d\"/>",
                "<img src=a alt=\"c on d\"/>",
            ),
            ("<b  class='x' >ü &lt;</b>", "<b  class='x' >ü &lt;</b>"),
            ("a<script>b</script>c<!-- d -->e", "ace"),
            ("1 < 2", "1 < 2"),
            ("<p =x>", "<p =x>"),
        ];
        for (html, clean) in cases {
            assert_eq!(sanitise(html, handlers), clean);
        }
    }
}
