//! Text of comments and e-mails: what fits and what is compared later.
//!
//! The line above a body and its rules are the SDK's (`transload_sdk::thread`), as is how a long text is cut. Here is what
//! Salesforce's limits ask for: comments hold bytes, e-mails characters.

pub use transload_sdk::text::{cut_utf16 as cut_chars, letters, pieces, utf16_units as chars};
pub use transload_sdk::thread::bodies;

/// Bytes that a CaseComment holds (Salesforce facts §9.4).
pub const COMMENT_BYTES: usize = 4_000;

/// A comment's text as two copies of it are compared: without the ends that are trimmed, line ends as `\n`.
pub fn compared(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}
