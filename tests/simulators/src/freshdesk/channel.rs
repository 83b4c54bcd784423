//! The channel API: tickets, notes and replies with their own times (Freshdesk facts §0, §12).
//!
//! The same objects as in the public API, which has the rules, with `import_id`, `created_at` and `updated_at` besides.

use super::answer::Outcome;
use super::call::Call;
use super::tickets::Route;
use super::{conversations, tickets};

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    tickets::create_by(call, Route::Channel)
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    tickets::update_by(call, Route::Channel)
}

pub(super) fn note(call: &mut Call<'_>) -> Outcome {
    conversations::note_by(call, Route::Channel)
}

pub(super) fn reply(call: &mut Call<'_>) -> Outcome {
    conversations::reply_by(call, Route::Channel)
}
