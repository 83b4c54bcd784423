//! Who calls, in what version, and what that opens (Intercom facts §1, §3).
//!
//! A token belongs to an admin. The token of the private app opens everything but erasing metrics; one with scopes opens what
//! they name: `read_conversations`, `write_conversations`, `write_tickets`, `read_write_users`,
//! `delete_conversations_and_metrics`. The document names the scope of few calls; the others here follow their names.

use std::collections::{BTreeSet, HashMap};

use super::answer::Failure;
use super::call::Request;
use super::model::Id;
use super::state::State;

/// The scope that erases metrics with a conversation (§8.5).
pub(super) const ERASES: &str = "delete_conversations_and_metrics";
/// The version of `Preview`, after every numbered one.
const PREVIEW: u32 = 1_000;

/// What is known about a token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Its admin.
    pub admin_id: Id,
    /// Its scopes; none for the private app.
    pub scopes: Option<BTreeSet<String>>,
    /// It was revoked.
    pub revoked: bool,
}

/// What the workspace has given out.
pub(super) type Tokens = HashMap<String, Token>;

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// The admin of the token.
    pub admin_id: Id,
    /// Scopes of the token; none for the private app.
    pub scopes: Option<BTreeSet<String>>,
    /// Minor number of the version 2.x; 0 for older ones.
    pub version: u32,
}

impl Actor {
    /// Refuses what a scope is missing for.
    pub fn needs(&self, scope: &str) -> Result<(), Failure> {
        match &self.scopes {
            None => Ok(()),
            Some(scopes) if scopes.contains(scope) => Ok(()),
            Some(_) => Err(lacks(scope)),
        }
    }
}

/// 403 of a missing scope.
pub(super) fn lacks(scope: &str) -> Failure {
    let message = format!("You do not have the required scope ({scope}) to access this resource");
    Failure::new(403, "forbidden", message)
}

/// Who calls. Nobody knows the headers of limits of one who is not known (§2).
pub(super) fn authenticate(state: &State, request: &Request) -> Result<Actor, Failure> {
    let refused = |code: &'static str, message: &str| {
        if state.config.switches.detailed_unauthorized {
            Failure::new(401, code, message)
        } else {
            Failure::new(401, "unauthorized", "Access Token Invalid")
        }
    };
    let header = request
        .header("authorization")
        .ok_or_else(|| refused("missing_authorization", "You must provide an access token"))?;
    let token = header
        .strip_prefix("Bearer ")
        .ok_or_else(|| refused("missing_authorization", "You must provide a bearer token"))?;
    let known = state
        .tokens
        .get(token.trim())
        .ok_or_else(|| refused("token_not_found", "Access Token not found"))?;
    if known.revoked {
        return Err(refused("token_revoked", "Access Token revoked"));
    }
    if state.admin(known.admin_id).is_none() {
        return Err(refused(
            "token_unauthorized",
            "Not authorized to access resource",
        ));
    }
    let host = request.header("host").unwrap_or_default();
    let other = host.ends_with("intercom.io") && host != state.config.region.host();
    if other && state.config.switches.wrong_region_refused {
        return Err(refused("token_not_found", "Access Token not found"));
    }
    Ok(Actor {
        admin_id: known.admin_id,
        scopes: known.scopes.clone(),
        version: version(state, request)?,
    })
}

/// The version that counts (§1): the header's, else the app's.
fn version(state: &State, request: &Request) -> Result<u32, Failure> {
    let name = request
        .header("intercom-version")
        .unwrap_or(&state.config.app_version);
    match name.split_once('.') {
        _ if name.eq_ignore_ascii_case("preview") => Ok(PREVIEW),
        Some(("1", minor)) if matches!(minor.parse(), Ok(0..=4_u32)) => Ok(0),
        Some(("2", minor)) => match minor.parse() {
            Ok(minor @ 0..=16) => Ok(minor),
            _ => Err(Failure::version()),
        },
        _ => Err(Failure::version()),
    }
}

/// Refuses what the scopes or the subscription do not open.
pub(super) fn check(
    state: &State,
    actor: &Actor,
    request: &Request,
    path: &[&str],
) -> Result<(), Failure> {
    let reads = request.method == "GET" || path.last() == Some(&"search");
    let about = path.first().copied().unwrap_or_default();
    let of_plan = matches!(about, "conversations" | "tickets" | "messages");
    // §3: without an active subscription.
    if of_plan && !state.config.subscription {
        return Err(Failure::new(
            403,
            "api_plan_restricted",
            "Active subscription needed.",
        ));
    }
    match about {
        "conversations" | "tickets" | "macros" if reads => actor.needs("read_conversations"),
        "conversations" | "messages" => actor.needs("write_conversations"),
        "tickets" => actor.needs("write_tickets"),
        "contacts" | "companies" | "data_attributes" | "custom_object_instances" => {
            actor.needs("read_write_users")
        }
        _ => Ok(()),
    }
}
