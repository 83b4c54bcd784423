//! What becomes of the HTML of descriptions and notes (Freshdesk facts §8, §12, §15).

use crate::common::html;
pub(super) use crate::common::html::text;

/// As it is kept and shown: without what is dangerous, without styles and `data-` attributes, without images in the text, and
/// inside a `div`.
pub(super) fn kept(body: &str) -> String {
    let clean = html::sanitise(body, |name, value| {
        name.starts_with("on")
            || name == "style"
            || name.starts_with("data-")
            || (name == "src" && value.starts_with("data:"))
    });
    if clean.starts_with("<div") {
        clean
    } else {
        format!("<div>{clean}</div>")
    }
}
