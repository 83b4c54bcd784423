//! Who calls: an API key, or an agent's address and password, by Basic authentication (Freshdesk facts §1).

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::agents;
use super::answer::{Answer, Failure, Outcome};
use super::call::{Actor, Call, Request};
use super::model::Id;
use super::state::{State, email_key};

/// The password of every agent.
pub const PASSWORD: &str = "simulated-password";

/// What agents sign in with.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// API keys.
    pub keys: HashMap<String, Id>,
    /// Failed tries by address.
    tries: HashMap<String, u32>,
}

/// The agent who calls.
pub(super) fn authenticate(state: &mut State, request: &Request) -> Result<Actor, Failure> {
    let header = request.header("authorization").unwrap_or_default();
    let encoded = header
        .strip_prefix("Basic ")
        .ok_or_else(Failure::credentials)?;
    let decoded = STANDARD.decode(encoded.trim()).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(Failure::credentials)?;
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    let id = if user.contains('@') {
        by_password(state, user, password)?
    } else {
        // Any password will do.
        *state
            .credentials
            .keys
            .get(user)
            .ok_or_else(Failure::credentials)?
    };
    let agent = state.agent(id).map_err(|_| Failure::credentials())?;
    if agent.deleted_at.is_some() {
        return Err(Failure::credentials());
    }
    Ok(Actor {
        id,
        admin: agents::is_admin(state, agent),
    })
}

fn by_password(state: &mut State, email: &str, password: &str) -> Result<Id, Failure> {
    let most = state.config.switches.password_tries;
    let tries = state
        .credentials
        .tries
        .entry(email.to_lowercase())
        .or_default();
    if *tries >= most {
        let message = "Your account has been locked due to too many failed login attempts.";
        return Err(Failure::coded(403, "password_lockout", message));
    }
    if password != PASSWORD {
        *tries += 1;
        return Err(Failure::credentials());
    }
    *tries = 0;
    state
        .person_by(&email_key(email))
        .ok_or_else(Failure::credentials)
}

/// `GET /agents/me`, the test of a credential.
pub(super) fn me(call: &mut Call<'_>) -> Outcome {
    let agent = call.state.agent(call.actor.id)?;
    Answer::ok(agents::render(call.state, agent))
}
