//! The token endpoint, and what a token opens (Zoho Desk facts §2).

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::Duration;
use serde_json::{Value, json};

use super::answer::{Answer, Failure};
use super::call::Request;
use super::model::{Id, Moment};
use super::state::State;
use crate::common::RateLimits;

/// Name of the limit of new access tokens.
pub(super) const TOKENS: &str = "access-tokens";
/// Access tokens of one refresh token that live at a time.
const LIVE_TOKENS: usize = 30;
/// Refresh tokens of a user; one more ends the oldest.
const REFRESH_TOKENS: usize = 20;

#[derive(Debug, Clone)]
struct Token {
    agent: Id,
    scopes: Vec<String>,
    ends: Moment,
    refresh: String,
}

/// What the accounts server has given out.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    access: HashMap<String, Token>,
    /// Refresh token → access tokens in the order they were made.
    refresh: BTreeMap<String, (Vec<String>, VecDeque<String>)>,
    order: VecDeque<String>,
    code_used: bool,
    /// The agent that the tokens are of.
    pub owner: Id,
}

impl Credentials {
    /// A refresh token with scopes.
    pub fn add_refresh(&mut self, token: &str, scopes: &[String]) {
        self.order.push_back(token.to_owned());
        self.refresh
            .insert(token.to_owned(), (scopes.to_vec(), VecDeque::new()));
        while self.order.len() > REFRESH_TOKENS {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.revoke(&oldest);
        }
    }

    fn revoke(&mut self, token: &str) -> bool {
        self.order.retain(|other| other != token);
        let Some((_, access)) = self.refresh.remove(token) else {
            return false;
        };
        for token in access {
            self.access.remove(&token);
        }
        true
    }

    /// All access tokens end.
    pub fn end_access(&mut self) {
        self.access.clear();
    }
}

/// Every scope of this connector (§2).
pub(super) const SCOPES: &[&str] = &[
    "Desk.tickets.ALL",
    "Desk.contacts.ALL",
    "Desk.basic.ALL",
    "Desk.settings.ALL",
    "Desk.search.READ",
    "Desk.imports.CUSTOM",
    "Desk.custommodule.ALL",
    "Desk.activities.ALL",
];

/// A new access token.
pub(super) fn mint(
    state: &mut State,
    agent: Id,
    scopes: &[String],
    refresh: &str,
    life: Duration,
) -> String {
    let token = format!("1000.{}.{}", state.token(32), state.token(32));
    let made = Token {
        agent,
        scopes: scopes.to_vec(),
        ends: state.now + life,
        refresh: refresh.to_owned(),
    };
    state.credentials.access.insert(token.clone(), made);
    let evicted = state
        .credentials
        .refresh
        .get_mut(refresh)
        .and_then(|entry| {
            entry.1.push_back(token.clone());
            (entry.1.len() > LIVE_TOKENS).then(|| entry.1.pop_front())?
        });
    if let Some(oldest) = evicted {
        state.credentials.access.remove(&oldest);
    }
    token
}

/// A parameter of a token request: in the query or in the form (§2).
fn given<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let mut form = request.form.iter();
    request.param(name).or_else(|| {
        form.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    })
}

/// `POST /oauth/v2/token`. An error is a 200 with `{"error":…}` (§2).
pub(super) fn token(state: &mut State, request: &Request, limits: &RateLimits) -> Answer {
    let error = |code: &str| Answer::json(200, json!({ "error": code }));
    let client = state.config.client.clone();
    if given(request, "client_id") != Some(client.id.as_str()) {
        return error("invalid_client");
    }
    if given(request, "client_secret") != Some(client.secret.as_str()) {
        return error("invalid_client_secret");
    }
    let owner = state.credentials.owner;
    let life = state.config.switches.token_life;
    let (refresh, scopes, fresh) = match given(request, "grant_type") {
        Some("refresh_token") => {
            let token = given(request, "refresh_token").unwrap_or_default();
            let Some((scopes, _)) = state.credentials.refresh.get(token) else {
                return error("invalid_code");
            };
            (token.to_owned(), scopes.clone(), false)
        }
        Some("authorization_code") => {
            if given(request, "code") != Some(client.code.as_str()) || state.credentials.code_used {
                return error("invalid_code");
            }
            state.credentials.code_used = true;
            let refresh = format!("1000.{}.{}", state.token(32), state.token(32));
            let scopes: Vec<String> = SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
            state.credentials.add_refresh(&refresh, &scopes);
            (refresh, scopes, true)
        }
        Some("client_credentials") => {
            let portal = format!("Desk.{}", state.config.org_id);
            if !client.client_credentials || given(request, "soid") != Some(portal.as_str()) {
                return error("invalid_client");
            }
            let scopes = given(request, "scope").unwrap_or_default();
            if scopes.is_empty() {
                return error("invalid_scope");
            }
            let scopes = scopes.split([',', ' ']).map(str::to_owned).collect();
            (String::new(), scopes, false)
        }
        _ => return error("invalid_grant"),
    };
    let taken = limits.take(TOKENS, &refresh, 1);
    if !taken.allowed {
        let status = if state.config.switches.token_errors_200 {
            200
        } else {
            400
        };
        let text =
            "You have made too many requests continuously. Please try again after some time.";
        let body =
            json!({"error": "Access Denied", "error_description": text, "status": "failure"});
        return Answer::json(status, body);
    }
    let token = mint(state, owner, &scopes, &refresh, life);
    let mut body = json!({
        "access_token": token,
        "expires_in": life.num_seconds(),
        // §2: not the host of Desk.
        "api_domain": "https://www.zohoapis.com",
        "token_type": "Bearer",
    });
    if let Some(body) = body.as_object_mut().filter(|_| fresh) {
        body.insert("refresh_token".to_owned(), json!(refresh));
    }
    Answer::json(200, body)
}

/// `POST /oauth/v2/token/revoke`.
pub(super) fn revoke(state: &mut State, request: &Request) -> Answer {
    let token = given(request, "token").unwrap_or_default().to_owned();
    let body = if state.credentials.revoke(&token) {
        json!({"status": "success"})
    } else {
        json!({"error": "invalid_token"})
    };
    Answer::json(200, body)
}

/// The agent and the scopes of a request.
pub(super) fn authenticate(
    state: &State,
    request: &Request,
    needs_org: bool,
) -> Result<(Id, Vec<String>), Failure> {
    let Some(header) = request.header("authorization") else {
        return Err(Failure::new(
            401,
            "UNAUTHORIZED",
            "You are not authenticated to perform this operation.",
        ));
    };
    let invalid = || {
        Failure::new(
            401,
            "INVALID_OAUTH",
            "The OAuth Token you provided is invalid.",
        )
    };
    // §1: not `Bearer`.
    let token = header
        .strip_prefix("Zoho-oauthtoken ")
        .ok_or_else(invalid)?;
    let token = state.credentials.access.get(token.trim());
    let token = token.filter(|t| t.ends > state.now).ok_or_else(invalid)?;
    let known = token.refresh.is_empty() || state.credentials.refresh.contains_key(&token.refresh);
    let agent = state.agents.get(&token.agent);
    let agent = agent.filter(|agent| agent.active && known);
    let agent = agent.ok_or_else(invalid)?.id;
    if needs_org {
        let given = request.header("orgid").or_else(|| request.param("orgId"));
        let right = given == Some(state.config.org_id.to_string().as_str());
        if !right {
            return Err(Failure::new(
                403,
                "OAUTH_ORG_MISMATCH",
                "The orgId you provided does not match the OAuth token.",
            ));
        }
    }
    Ok((agent, token.scopes.clone()))
}

/// Refuses what the scopes do not open: one of `Desk.{area}.{operation}` or `Desk.{area}.ALL`.
pub(super) fn check(scopes: &[String], areas: &[&str], operation: &str) -> Result<(), Failure> {
    let opened = areas.is_empty()
        || areas.iter().any(|area| {
            let mut scopes = scopes.iter();
            scopes.any(|scope| {
                let rest = scope
                    .strip_prefix("Desk.")
                    .and_then(|s| s.strip_prefix(area));
                rest == Some(".ALL") || rest.and_then(|r| r.strip_prefix('.')) == Some(operation)
            })
        });
    if opened {
        return Ok(());
    }
    Err(Failure::new(
        403,
        "SCOPE_MISMATCH",
        "The OAuth Token does not have the scope that this operation needs.",
    ))
}

/// What the portal says of itself (§1).
pub(super) fn organization(state: &State) -> Value {
    let config = &state.config;
    let edition = match config.edition {
        super::Edition::Free => "FREE",
        super::Edition::Express => "EXPRESS",
        super::Edition::Standard => "STANDARD",
        super::Edition::Professional => "PROFESSIONAL",
        super::Edition::Enterprise => "ENTERPRISE",
    };
    let portal = config.company.to_lowercase();
    json!({
        "id": config.org_id.to_string(),
        "companyName": config.company,
        "portalName": portal,
        "portalURL": format!("https://desk.zoho.com/support/{portal}"),
        "edition": edition,
        "isTrialEdition": config.trial,
        "isDefault": true,
        "isAdminInOrg": config.role == "Admin",
        "currencyCode": "USD",
        "currencySymbol": "$",
        "primaryContact": state.agents.values().next().map(|agent| agent.email.clone()),
        "logoURL": null,
    })
}
