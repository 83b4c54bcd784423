//! Authentication: OAuth tokens, API tokens, scopes (Zendesk facts §1).
//!
//! Access tokens expire; refresh tokens serve once and give a new pair. A scope beyond the client's ceiling is refused,
//! a scope nobody knows is granted and then opens nothing.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::{Attributes, iso};
use super::call::{Actor, Call, Request};
use super::model::{Id, IdentityType, Role};
use super::state::State;

/// What the account has given out.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    /// The user an OAuth client acts as.
    pub client_owner: Id,
    /// E-mail address that goes with the API token.
    pub api_user: Id,
}

#[derive(Debug, Clone)]
struct Token {
    id: Id,
    user_id: Id,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Who calls, or why they may not.
pub(super) fn authenticate(state: &State, request: &Request) -> Result<(Actor, Scopes), Failure> {
    let header = request.header("authorization").unwrap_or_default();
    if let Some(token) = header.strip_prefix("Bearer ") {
        let token = state.credentials.access.get(token.trim());
        let token = token.filter(|token| token.expires_at > state.now);
        let token = token.ok_or(Failure::InvalidToken)?;
        let actor = actor(state, token.user_id).ok_or(Failure::InvalidToken)?;
        return Ok((actor, Scopes(Some(token.scopes.clone()))));
    }
    let basic = header
        .strip_prefix("Basic ")
        .and_then(|text| STANDARD.decode(text.trim()).ok());
    let pair = basic.and_then(|bytes| String::from_utf8(bytes).ok());
    let user = pair.and_then(|pair| {
        let (name, secret) = pair.split_once(':')?;
        // E-mail and password ended on 12 January 2026; `/token` marks an API token.
        let email = name.strip_suffix("/token")?;
        let right = secret == state.config.api_token && !state.config.switches.api_tokens_ended;
        state
            .user_by_identity(IdentityType::Email, email)
            .filter(|_| right)
    });
    let actor = user
        .and_then(|id| actor(state, id))
        .ok_or(Failure::NotAuthenticated)?;
    Ok((actor, Scopes(None)))
}

fn actor(state: &State, id: Id) -> Option<Actor> {
    let user = state.active_user(id).filter(|user| !user.suspended)?;
    Some(Actor {
        user_id: id,
        role: user.role,
    })
}

/// The scopes of a token; API tokens have all.
#[derive(Debug, Clone)]
pub(super) struct Scopes(Option<Vec<String>>);

impl Scopes {
    /// Refuses a call that the scopes do not cover.
    pub fn check(&self, method: &str, path: &[&str]) -> Result<(), Failure> {
        let Some(scopes) = &self.0 else { return Ok(()) };
        let needed = if method == "GET" { "read" } else { "write" };
        let resource = match path {
            ["imports", ..] => "tickets",
            ["deleted_tickets", ..] => "tickets",
            ["deleted_users", ..] => "users",
            [first, ..] => first,
            [] => "",
        };
        // §1: these have no write scope of their own.
        let coarse = needed == "write"
            && ["custom_objects", "user_fields", "organization_fields"].contains(&resource);
        let fine = format!("{resource}:{needed}");
        let covered = scopes
            .iter()
            .any(|s| s == needed || (!coarse && *s == fine));
        if covered {
            Ok(())
        } else {
            Err(Failure::MissingScope(needed))
        }
    }
}

/// `POST /oauth/tokens`.
pub(super) fn token(state: &mut State, request: &Request) -> Outcome {
    let body = Attributes::bare(&request.json)?;
    let oauth = |error: &'static str, text: &str| {
        let body = json!({"error": error, "error_description": text});
        Answer::json(if error == "invalid_client" { 401 } else { 400 }, body)
    };
    let client = &state.config.oauth_client;
    let known = body.text("client_id")?.as_deref() == Some(client.id.as_str())
        && body.text("client_secret")?.as_deref() == Some(client.secret.as_str());
    if !known {
        let text = "Client authentication failed due to unknown client, no client authentication included, or \
                    unsupported authentication method.";
        return Ok(oauth("invalid_client", text));
    }
    let number = |name: &str| -> Result<Option<i64>, Failure> {
        Ok(body
            .raw(name)
            .and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok())))
    };
    let life = number("expires_in")?.unwrap_or(state.config.switches.token_life.num_seconds());
    let refresh_life = number("refresh_token_expires_in")?.unwrap_or(30 * 86_400);
    let lives =
        (300..=172_800).contains(&life) && (7 * 86_400..=90 * 86_400).contains(&refresh_life);
    if !lives {
        return Ok(oauth(
            "invalid_request",
            "The requested lifetime is out of range.",
        ));
    }
    let asked = body.text("scope")?;
    let (user_id, scopes) = match body.text("grant_type")?.as_deref() {
        Some("client_credentials") => {
            let asked = asked.unwrap_or_else(|| client.scopes.join(" "));
            let asked: Vec<String> = asked.split_whitespace().map(str::to_owned).collect();
            if asked
                .iter()
                .any(|scope| known_scope(scope) && !allowed(&client.scopes, scope))
            {
                return Ok(oauth(
                    "invalid_scope",
                    "The requested scope is invalid or unknown.",
                ));
            }
            (state.credentials.client_owner, asked)
        }
        Some("refresh_token") => {
            // Single use: it is gone whatever happens next.
            let old = body.text("refresh_token")?.unwrap_or_default();
            let old = state.credentials.refresh.remove(&old);
            let Some(old) = old.filter(|token| token.expires_at > state.now) else {
                let text = "The provided authorization grant or refresh token is invalid, expired or revoked.";
                return Ok(oauth("invalid_grant", text));
            };
            (old.user_id, old.scopes)
        }
        _ => {
            return Ok(oauth(
                "unsupported_grant_type",
                "The grant type is not supported.",
            ));
        }
    };
    let (access, refresh) = (state.token(40), state.token(40));
    let scope = scopes.join(" ");
    let now = state.now;
    let id = state.next_id();
    let token = |seconds: i64, scopes: Vec<String>| Token {
        id,
        user_id,
        scopes,
        created_at: now,
        expires_at: now + Duration::seconds(seconds),
    };
    state
        .credentials
        .access
        .insert(access.clone(), token(life, scopes.clone()));
    state
        .credentials
        .refresh
        .insert(refresh.clone(), token(refresh_life, scopes));
    if state.credentials.access.len().is_multiple_of(256) {
        state
            .credentials
            .access
            .retain(|_, token| token.expires_at > now);
    }
    Answer::created(json!({
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "bearer",
        "scope": scope,
        "expires_in": life,
        "refresh_token_expires_in": refresh_life,
    }))
}

/// Whether anybody knows this scope.
fn known_scope(scope: &str) -> bool {
    const RESOURCES: [&str; 14] = [
        "tickets",
        "users",
        "organizations",
        "groups",
        "auditlogs",
        "hc",
        "apps",
        "triggers",
        "automations",
        "targets",
        "macros",
        "requests",
        "satisfaction_ratings",
        "webhooks",
    ];
    matches!(scope, "read" | "write" | "impersonate")
        || scope.split_once(':').is_some_and(|(resource, right)| {
            RESOURCES.contains(&resource) && matches!(right, "read" | "write")
        })
}

fn allowed(ceiling: &[String], scope: &str) -> bool {
    let right = scope.split_once(':').map_or(scope, |(_, right)| right);
    ceiling.iter().any(|have| have == scope || have == right)
}

/// `GET /oauth/tokens/current`: the scopes that were granted.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let ("GET", ["oauth", "tokens", "current"]) = (call.request.method.as_str(), path) else {
        return None;
    };
    let header = call.request.header("authorization").unwrap_or_default();
    let token = call
        .state
        .credentials
        .access
        .get(header.strip_prefix("Bearer ")?.trim())?;
    let shown: Value = json!({
        "id": token.id,
        "url": format!("{}/api/v2/oauth/tokens/{}", call.base, token.id),
        "user_id": token.user_id,
        "client_id": 1,
        "token": header.get(7..17),
        "created_at": iso(token.created_at),
        "used_at": iso(call.state.now),
        "expires_at": iso(token.expires_at),
        "scopes": token.scopes,
    });
    Some(Answer::ok(json!({"token": shown})))
}

/// A fresh access token without a request, for tests.
pub(super) fn mint(state: &mut State, user_id: Id, scopes: &[&str], life: Duration) -> String {
    let (access, id) = (state.token(40), state.next_id());
    let token = Token {
        id,
        user_id,
        scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
        created_at: state.now,
        expires_at: state.now + life,
    };
    state.credentials.access.insert(access.clone(), token);
    access
}

/// Whether the user may call at all: end users have no business here.
pub(super) fn staff(actor: &Actor) -> bool {
    actor.role != Role::EndUser
}
