//! The little HTML that comments need: Zendesk's wrapping, its sanitising, and the text of a comment.

use crate::common::html;
pub(super) use crate::common::html::text;

/// What a comment shows as `html_body` for plain text.
pub(super) fn from_plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|p| {
        let escaped = html::escape(p).replace('\n', "<br>");
        format!("<p dir=\"auto\">{escaped}</p>")
    });
    wrap(&paragraphs.collect::<String>())
}

/// §15: `html_body` comes back inside a `div`.
pub(super) fn wrap(html: &str) -> String {
    format!("<div class=\"zd-comment\" dir=\"auto\">{html}</div>")
}

/// Takes out scripts, styles, frames, comments and event handlers.
pub(super) fn sanitise(text: &str) -> String {
    html::sanitise(text, |name, _| name.starts_with("on"))
}
