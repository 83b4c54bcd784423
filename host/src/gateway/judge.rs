//! What an answer says about a request (rule D-2).

use crate::contract::description::{RefusalMeaning, RefusedAnswer};

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Settled: hand it over.
    Deliver,
    /// Surely refused: wait, repeat. `quota` when a long limit is used up.
    SlowDown { quota: bool },
    /// Surely refused for its credential.
    Unauthorized,
    /// Surely refused for the moment: repeat a few times, then hand it over.
    Busy,
    /// Something between us and the platform failed; it may have been applied.
    Gateway,
    /// It may have been applied, and repeating is no remedy.
    Unknown,
}

/// Judges a complete answer. `credential` says whether one was sent.
pub(super) fn judge(
    mutating: bool,
    credential: bool,
    status: u16,
    readable: bool,
    body: &[u8],
    refusals: &[RefusedAnswer],
) -> Verdict {
    let named = refusals.iter().find(|refusal| {
        let text = refusal.body_contains.as_deref().unwrap_or_default();
        refusal.status == status && contains(body, text.as_bytes())
    });
    if let Some(named) = named {
        return match named.meaning {
            RefusalMeaning::SlowDown => Verdict::SlowDown { quota: false },
            RefusalMeaning::Quota => Verdict::SlowDown { quota: true },
            RefusalMeaning::RenewCredential if credential => Verdict::Unauthorized,
            RefusalMeaning::RenewCredential | RefusalMeaning::Rejected => Verdict::Deliver,
            RefusalMeaning::Busy => Verdict::Busy,
        };
    }
    match status {
        401 if credential => Verdict::Unauthorized,
        429 => Verdict::SlowDown { quota: false },
        408 | 502..=504 | 520..=527 | 530 => Verdict::Gateway,
        500.. if mutating => Verdict::Unknown,
        200..=299 if mutating && !readable => Verdict::Unknown,
        _ => Verdict::Deliver,
    }
}

/// Whether a refusal is known by its status alone, whatever became of the body.
pub(super) fn refused_by_status(status: u16) -> bool {
    matches!(status, 401 | 429)
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}
