//! Sessions: the token endpoint and who a call comes from (Salesforce facts §1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Failure};
use super::call::Request;
use super::state::State;
use super::switches::PUBLIC_KEY;

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub user: String,
    pub last_used: DateTime<Utc>,
}

/// The signature of a token answer is opaque to clients; a digest will do.
fn signature(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// A session of a user without a request, for tests.
pub(super) fn mint(state: &mut State, user: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    let mut secret = String::new();
    while secret.len() < 88 {
        let mut draw = state.draw();
        for _ in 0..8 {
            let at = usize::try_from(draw % 64).unwrap_or(0);
            secret.push(char::from(LETTERS.get(at).copied().unwrap_or(b'A')));
            draw /= 64;
        }
    }
    let token = format!("{}!AQ{secret}", super::ids::short(&state.org));
    state.sessions.insert(
        token.clone(),
        Session {
            user: user.to_owned(),
            last_used: state.now,
        },
    );
    token
}

/// Who calls.
pub(super) fn authenticate(state: &mut State, request: &Request) -> Result<String, Failure> {
    let expired = || Failure::new("INVALID_SESSION_ID", "Session expired or invalid");
    let header = request.header("authorization").unwrap_or_default();
    let token = header
        .strip_prefix("Bearer ")
        .or_else(|| header.strip_prefix("OAuth "))
        .unwrap_or_default()
        .trim();
    session(state, token).ok_or_else(expired)
}

/// The user of a session that is alive; it lives on.
pub(super) fn session(state: &mut State, token: &str) -> Option<String> {
    let (now, life) = (state.now, state.config.switches.session_life);
    let session = state
        .sessions
        .get_mut(token)
        .filter(|session| session.last_used + life > now)?;
    session.last_used = now;
    let user = session.user.clone();
    state.live(&user).filter(|row| row.is("IsActive"))?;
    Some(user)
}

fn refused(error: &str, description: &str) -> Answer {
    Answer::json(
        400,
        json!({"error": error, "error_description": description}),
    )
}

fn boxed(error: &str, description: &str) -> Box<Answer> {
    Box::new(refused(error, description))
}

/// `POST /services/oauth2/token`.
pub(super) fn token(state: &mut State, request: &Request, base: &str) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let basic = request
        .header("authorization")
        .and_then(|header| header.strip_prefix("Basic "))
        .and_then(|text| STANDARD.decode(text.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = match basic.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((id, secret)) => (Some(id.to_owned()), Some(secret.to_owned())),
        None => (
            field("client_id").map(str::to_owned),
            field("client_secret").map(str::to_owned),
        ),
    };
    let app = state.config.app.clone();
    let login_host = request
        .header("host")
        .is_some_and(|host| matches!(host, "login.salesforce.com" | "test.salesforce.com"));
    let known = |secret_too: bool| match (&id, &secret) {
        (Some(id), _) if *id != app.client_id => {
            Err(boxed("invalid_client_id", "client identifier invalid"))
        }
        (None, _) => Err(boxed("invalid_client_id", "client identifier invalid")),
        (_, found) if secret_too && found.as_deref() != Some(app.client_secret.as_str()) => {
            Err(boxed("invalid_client", "invalid client credentials"))
        }
        _ => Ok(()),
    };
    let user = match field("grant_type") {
        Some("client_credentials") => {
            if let Err(answer) = known(true) {
                return *answer;
            }
            if login_host {
                return refused("invalid_grant", "request not supported on this domain");
            }
            if !app.client_credentials {
                return refused("invalid_grant", "no client credentials user enabled");
            }
            state.integration.clone()
        }
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
            match assertion(state, field("assertion").unwrap_or_default(), base) {
                Ok(user) => user,
                Err(answer) => return *answer,
            }
        }
        Some("refresh_token") => {
            if let Err(answer) = known(false) {
                return *answer;
            }
            if field("refresh_token") != Some(app.refresh_token.as_str()) {
                return refused("invalid_grant", "expired access/refresh token");
            }
            state.integration.clone()
        }
        _ => return refused("unsupported_grant_type", "grant type not supported"),
    };
    if !state.live(&user).is_some_and(|row| row.is("IsActive")) {
        return refused("inactive_user", "user is inactive");
    }
    let access = mint(state, &user);
    let issued = state.now.timestamp_millis().to_string();
    let identity = format!("{base}/id/{}/{user}", state.org);
    Answer::json(
        200,
        json!({
            "access_token": access,
            "signature": signature(&format!("{identity}{issued}")),
            "scope": "api",
            "instance_url": base,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }),
    )
}

/// The user that a signed assertion speaks for.
fn assertion(state: &State, jwt: &str, base: &str) -> Result<String, Box<Answer>> {
    let invalid = |text: &str| boxed("invalid_grant", text);
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    // Time is the simulator's; it is looked at below.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes());
    let key = key.map_err(|_| invalid("invalid assertion"))?;
    let claims = jsonwebtoken::decode::<Value>(jwt, &key, &rules)
        .map_err(|_| invalid("invalid assertion"))?
        .claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("iss") != state.config.app.client_id {
        return Err(boxed("invalid_client_id", "client identifier invalid"));
    }
    let audiences = [
        "https://login.salesforce.com",
        "https://test.salesforce.com",
        base,
    ];
    if !audiences.contains(&text("aud").trim_end_matches('/')) {
        return Err(invalid("audience is invalid"));
    }
    let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
    let now = state.now.timestamp();
    // §1: at most three minutes ahead; a little of a clock's drift is let pass.
    if expires <= now || expires > now + Duration::minutes(3).num_seconds() + 60 {
        return Err(invalid("assertion has expired or lives too long"));
    }
    let name = text("sub").to_lowercase();
    let user = state
        .live_of("User")
        .find(|row| row.text("Username").to_lowercase() == name);
    match user {
        Some(user) if state.config.app.pre_authorised => Ok(user.id.clone()),
        Some(_) => Err(invalid("user hasn't approved this consumer")),
        None => Err(invalid("user hasn't approved this consumer")),
    }
}

/// `GET` of the address that the token answer calls `id`.
pub(super) fn identity(state: &State, user: &str) -> Answer {
    let Some(row) = state.live(user) else {
        return Failure::not_found().answer("");
    };
    Answer::json(
        200,
        json!({
            "user_id": row.id, "organization_id": state.org, "username": row.text("Username"), "email": row.text("Email"),
            "display_name": row.text("Name"), "active": row.is("IsActive"), "user_type": "STANDARD",
        }),
    )
}
