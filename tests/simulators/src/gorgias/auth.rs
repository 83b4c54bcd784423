//! Authentication and what a caller may do (Gorgias facts §1).
//!
//! HTTP Basic with a user's address and the API key acts with that user's role; a bearer token of an OAuth app acts with its
//! user's role within the token's scopes. Which role opens what is in no text but that an admin may do all ([?]); the steps here
//! follow what the roles are for.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Failure;
use super::call::{Actor, Request};
use super::model::Id;
use super::state::State;

/// What the account has given out.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    tokens: HashMap<String, (Id, Vec<String>)>,
    /// Whose address goes with the API key.
    pub key_user: Id,
}

impl Credentials {
    /// All bearer tokens end.
    pub fn end_tokens(&mut self) {
        self.tokens.clear();
    }
}

/// The limits of the two ways to authenticate are apart (§2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// HTTP Basic.
    ApiKey,
    /// A bearer token.
    Oauth,
}

impl Kind {
    /// Its name among the limits.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Oauth => "oauth",
        }
    }

    /// Of a request, whoever it is from.
    pub fn of(request: &Request) -> Self {
        let header = request.header("authorization").unwrap_or_default();
        if header.starts_with("Bearer ") {
            Self::Oauth
        } else {
            Self::ApiKey
        }
    }
}

/// Who calls.
pub(super) fn authenticate(state: &State, request: &Request) -> Result<Actor, Failure> {
    let header = request
        .header("authorization")
        .ok_or(Failure::Unauthorized)?;
    let (user, scopes) = match header.split_once(' ') {
        Some(("Bearer", token)) => {
            let known = state.credentials.tokens.get(token.trim());
            let (user, scopes) = known.ok_or(Failure::Unauthorized)?;
            (*user, Some(scopes.clone()))
        }
        Some(("Basic", text)) => (
            basic(state, text.trim()).ok_or(Failure::Unauthorized)?,
            None,
        ),
        _ => return Err(Failure::Unauthorized),
    };
    let user = state.users.get(&user).filter(|user| user.active);
    let user = user.ok_or(Failure::Unauthorized)?;
    Ok(Actor {
        user_id: user.id,
        role: user.role.clone(),
        scopes,
    })
}

fn basic(state: &State, text: &str) -> Option<Id> {
    let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (email, key) = text.split_once(':')?;
    let user = state.users_by_email.get(&email.to_lowercase())?;
    (key == state.config.api_key).then_some(*user)
}

/// A new bearer token of an OAuth app.
pub(super) fn mint(state: &mut State, user: Id, scopes: &[&str]) -> String {
    let token = state.token(40);
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    state
        .credentials
        .tokens
        .insert(token.clone(), (user, scopes));
    token
}

/// Roles that a user can have; bots cannot be made (§8).
pub(super) const ROLES: [&str; 5] = [
    "admin",
    "agent",
    "basic-agent",
    "lite-agent",
    "observer-agent",
];

fn rank(role: &str) -> u8 {
    match role {
        "admin" => 4,
        "agent" => 3,
        "basic-agent" => 2,
        "lite-agent" => 1,
        _ => 0,
    }
}

/// Refuses what the role or the scopes do not open.
pub(super) fn check(actor: &Actor, method: &str, path: &[&str]) -> Result<(), Failure> {
    let reads = method == "GET" || *path == ["search"];
    let resource = path.first().copied().unwrap_or_default();
    let needed = match (resource, method) {
        _ if reads => 0,
        ("tickets", "DELETE") => {
            if path.len() == 2 {
                3
            } else {
                1
            }
        }
        ("tickets" | "satisfaction-surveys" | "upload", _) => 1,
        ("customers", "DELETE") if path.len() <= 2 => 3,
        ("customers", _) => {
            if path.get(1) == Some(&"merge") {
                3
            } else {
                2
            }
        }
        ("users" | "custom-fields", _) => 4,
        _ => 3,
    };
    if rank(&actor.role) < needed {
        return Err(Failure::Forbidden);
    }
    let Some(scopes) = &actor.scopes else {
        return Ok(());
    };
    let name = match resource {
        "messages" | "upload" => "tickets",
        "custom-fields" => "custom_fields",
        "satisfaction-surveys" => "satisfaction_survey",
        "search" => "customers",
        _ if path.get(1) == Some(&"download") => "tickets",
        other => other,
    };
    let needed = format!("{name}:{}", if reads { "read" } else { "write" });
    let all = if reads { "read:all" } else { "write:all" };
    let mut scopes = scopes.iter();
    if scopes.any(|scope| *scope == needed || scope == all || scope == "write:all") {
        Ok(())
    } else {
        Err(Failure::Forbidden)
    }
}
