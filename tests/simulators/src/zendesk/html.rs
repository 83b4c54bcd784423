//! The little HTML that comments need: Zendesk's wrapping, its sanitising, and the text of a comment.
//!
//! What is not dangerous passes byte for byte. Not here: a full parser; markup is only cut out, never repaired.

/// What a comment shows as `html_body` for plain text.
pub(super) fn from_plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|p| {
        let escaped = escape(p).replace('\n', "<br>");
        format!("<p dir=\"auto\">{escaped}</p>")
    });
    wrap(&paragraphs.collect::<String>())
}

/// §15: `html_body` comes back inside a `div`.
pub(super) fn wrap(html: &str) -> String {
    format!("<div class=\"zd-comment\" dir=\"auto\">{html}</div>")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Takes out scripts, styles, frames, comments and event handlers.
pub(super) fn sanitise(html: &str) -> String {
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
        out.push_str(&without_handlers(inside));
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

/// The tag without its `on…` attributes.
fn without_handlers(tag: &str) -> String {
    if !tag.to_ascii_lowercase().contains(" on") {
        return tag.to_owned();
    }
    let mut kept = String::new();
    let mut rest = tag;
    while let Some(at) = rest.to_ascii_lowercase().find(" on") {
        let (before, handler) = rest.split_at(at);
        kept.push_str(before);
        let value = handler.split_once('=').map_or("", |(_, value)| value);
        rest = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inside = value.get(1..).unwrap_or("");
                inside.split_once(quote).map_or("", |(_, after)| after)
            }
            _ => {
                let end = value
                    .find(|c: char| c.is_whitespace() || c == '>')
                    .unwrap_or(value.len());
                value.get(end..).unwrap_or("")
            }
        };
    }
    kept.push_str(rest);
    kept
}

/// The text of HTML: tags out, breaks and paragraphs as line ends, entities as characters.
pub(super) fn text(html: &str) -> String {
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
