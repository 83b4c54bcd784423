//! Who calls: service keys and OAuth (HubSpot facts §1.1).

use chrono::Duration;
use serde_json::json;

use super::answer::{Answer, Failure, Outcome};
use super::call::Request;
use super::state::{State, Token, iso};

/// How long an OAuth token lives, in seconds.
const LIFE: i64 = 1_800;

/// A further service key with these scopes; it does not end.
pub(super) fn service_key(state: &mut State, scopes: &[String]) -> String {
    let secret = state.uuid();
    let key = format!("pat-{}-{secret}", state.config.data_centre);
    put_key(state, &key, scopes);
    key
}

/// Makes a service key known.
pub(super) fn put_key(state: &mut State, key: &str, scopes: &[String]) {
    let app = state.next_id().to_string();
    let made = Token {
        app,
        scopes: scopes.to_vec(),
        oauth: false,
        expires: None,
    };
    state.tokens.insert(key.to_owned(), made);
}

/// Who calls.
pub(super) fn authenticate(state: &State, request: &Request) -> Result<Token, Failure> {
    let header = request.header("authorization").unwrap_or_default();
    let token = header
        .strip_prefix("Bearer ")
        .and_then(|token| state.tokens.get(token.trim()));
    let token = token.ok_or_else(|| Failure::unauthenticated(false))?;
    if token.expires.is_some_and(|end| end <= state.now) {
        return Err(Failure::unauthenticated(true));
    }
    Ok(token.clone())
}

/// Answers a request about tokens, given the path behind `oauth`.
pub(super) fn route(state: &mut State, request: &Request, old: bool, path: &[&str]) -> Outcome {
    match (request.method.as_str(), path) {
        ("POST", ["token"]) => token(state, request, old),
        ("POST", ["token", "introspect"]) if !old => {
            let token = request.field("token").unwrap_or_default();
            let found = state
                .tokens
                .get(token)
                .filter(|t| t.expires.is_none_or(|end| end > state.now));
            let body = match found {
                Some(token) => json!({
                    "active": true, "token_type": "access_token", "hub_id": state.config.portal_id,
                    "client_id": state.config.oauth_client.id, "scopes": token.scopes, "expires_at": token.expires.map(iso),
                }),
                None => json!({"active": false}),
            };
            Answer::ok(body)
        }
        ("POST", ["token", "revoke"]) if !old => {
            let token = request.field("token").unwrap_or_default();
            state.refresh_tokens.remove(token);
            Ok(Answer::empty(204))
        }
        (_, ["token"]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn token(state: &mut State, request: &Request, old: bool) -> Outcome {
    let client = state.config.oauth_client.clone();
    let refused = |error: &str, status: &str, message: &str| {
        let body = if old {
            json!({"status": status, "message": message, "correlationId": "0"})
        } else {
            json!({"error": error, "error_description": message})
        };
        Ok(Answer::json(400, body))
    };
    if request.field("client_id") != Some(client.id.as_str()) {
        return refused(
            "invalid_client",
            "BAD_CLIENT_ID",
            "missing or invalid client id",
        );
    }
    if request.field("client_secret") != Some(client.secret.as_str()) {
        return refused(
            "invalid_client",
            "BAD_CLIENT_SECRET",
            "missing or invalid client secret",
        );
    }
    if request.field("grant_type") != Some("refresh_token") {
        return refused(
            "unsupported_grant_type",
            "BAD_GRANT_TYPE",
            "grant type is not refresh_token",
        );
    }
    let refresh = request.field("refresh_token").unwrap_or_default();
    let Some(scopes) = state.refresh_tokens.get(refresh).cloned() else {
        return refused(
            "invalid_grant",
            "BAD_REFRESH_TOKEN",
            "missing or invalid refresh token",
        );
    };
    let access = format!("CJT{}", state.hex(48));
    let made = Token {
        app: client.id,
        scopes,
        oauth: true,
        expires: Some(state.now + Duration::seconds(LIFE)),
    };
    state.tokens.insert(access.clone(), made);
    Answer::ok(json!({
        "access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": LIFE,
    }))
}
