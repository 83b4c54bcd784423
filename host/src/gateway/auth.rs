//! Credentials: put together here, sent by the gateway, seen by nobody else (rules D-16, M-10).
//!
//! A credential that is refused is renewed once: secrets are read again, tokens are asked for again. Refused again, the
//! connection pauses: secrets are read every few seconds, and as soon as they changed (or after a minute, in case the platform
//! was mended) one request tries again, until it works or the run is stopped.
//!
//! A refresh token that rotates is saved before the access token that came with it is used; the whole exchange runs in a task
//! of its own under a lock file, so that neither a dropped caller nor a second process loses one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::secret::{Secret, SecretError, Vault};
use super::wire::{Wire, WireError};
use crate::contract::description::{Auth as Scheme, Oauth2, SignedJwt, TokenRequestFormat};
use crate::contract::http::Header;

/// How often secrets are read again while a connection is paused.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A refused credential that did not change is tried again after so many looks: a minute.
const LOOKS: u32 = 12;
/// How long a token endpoint may take.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no credential. Never says what it is.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum AuthError {
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("the token endpoint said {status} {code}")]
    Refused { status: u16, code: String },
    #[error("the token endpoint cannot be reached")]
    Unreachable,
    #[error("the token endpoint's address is not allowed: {0}")]
    Denied(String),
    #[error("the token endpoint's answer has no access token")]
    Unreadable,
    #[error("the renewed token could not be saved: {0}")]
    Store(String),
    #[error("the private key cannot be used")]
    Key,
    #[error("the platform refuses the credential")]
    Rejected,
}

/// Headers that carry a credential, and which edition of it.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    pub headers: Vec<(String, Secret)>,
    pub generation: u64,
    token: Option<Secret>,
    expires_at: Option<i64>,
    /// Refusals in a row that led here; 0 once it worked.
    strikes: u32,
}

impl Credential {
    fn fresh(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// What is kept between runs.
#[derive(Serialize, Deserialize, Clone)]
struct Stored {
    /// Hash of the refresh token that the user configured: another one starts anew.
    seed: String,
    refresh_token: String,
    access_token: String,
    expires_at: Option<i64>,
}

/// Tells the outside that the connection waits for a credential; `None` when it works again.
pub(super) type Tell = Box<dyn Fn(Option<&AuthError>) + Send + Sync>;

pub(super) struct Auth {
    scheme: Scheme,
    vault: Vault,
    store: Option<PathBuf>,
    current: RwLock<Option<Arc<Credential>>>,
    renewing: tokio::sync::Mutex<u64>,
    /// Held by the one request that tries a doubtful credential.
    pub probe: tokio::sync::Mutex<()>,
    /// A rotated token that could not be saved yet.
    unsaved: Mutex<Option<Stored>>,
    tell: Tell,
}

impl Auth {
    pub fn new(scheme: Scheme, vault: Vault, store: Option<PathBuf>, tell: Tell) -> Self {
        Self {
            scheme,
            vault,
            store,
            current: RwLock::default(),
            renewing: tokio::sync::Mutex::new(0),
            probe: tokio::sync::Mutex::default(),
            unsaved: Mutex::default(),
            tell,
        }
    }

    /// The header that a guest must not set.
    pub fn header_name(scheme: &Scheme) -> String {
        match scheme {
            Scheme::Header((name, _)) => name.clone(),
            _ => "authorization".into(),
        }
    }

    /// Whether the credential was refused twice and only one request should try it.
    pub fn doubtful(&self) -> bool {
        self.seen().is_some_and(|c| c.strikes >= 2)
    }

    /// The platform took the credential.
    pub fn proved(&self, generation: u64) {
        let works = |c: &Arc<Credential>| c.generation == generation && c.strikes > 0;
        if !self.seen().as_ref().is_some_and(works) {
            return;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = current.as_ref().filter(|c| works(c)) {
            *current = Some(Arc::new(Credential {
                strikes: 0,
                ..(**credential).clone()
            }));
            (self.tell)(None);
        }
    }

    /// A credential that is not known to be stale. `refused` is the edition that the platform just refused.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: token exchanges run in tasks of their own.
    pub async fn obtain(
        self: &Arc<Self>,
        wire: &Arc<Wire>,
        refused: Option<u64>,
    ) -> Arc<Credential> {
        let usable =
            |c: &Arc<Credential>| refused != Some(c.generation) && c.fresh(wire.clock.now());
        if let Some(credential) = self.seen().filter(usable) {
            return credential;
        }
        let mut last_generation = self.renewing.lock().await;
        let before = self.seen();
        if let Some(credential) = before.clone().filter(usable) {
            return credential;
        }
        let was_refused = before
            .as_ref()
            .is_some_and(|c| refused == Some(c.generation));
        let strikes = before
            .as_ref()
            .map_or(0, |c| c.strikes + u32::from(was_refused));
        if was_refused && strikes >= 2 {
            (self.tell)(Some(&AuthError::Rejected));
            self.wait_for_change(wire, LOOKS).await;
        }
        let stale = before.and_then(|c| c.token.clone());
        let mut waited = false;
        let (headers, token, expires_at) = loop {
            let (this, wire_, stale_) = (self.clone(), wire.clone(), stale.clone());
            let task = tokio::spawn(async move { this.make(&wire_, stale_.as_ref()).await });
            let error = match task.await {
                Ok(Ok(made)) => break made,
                Ok(Err(error)) => error,
                Err(_) => AuthError::Unreadable,
            };
            waited = true;
            (self.tell)(Some(&error));
            let refused = matches!(error, AuthError::Refused { .. } | AuthError::Key);
            self.wait_for_change(wire, if refused { LOOKS } else { 1 })
                .await;
        };
        if waited && strikes < 2 {
            (self.tell)(None);
        }
        *last_generation += 1;
        let generation = *last_generation;
        let made = Arc::new(Credential {
            headers,
            generation,
            token,
            expires_at,
            strikes,
        });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        made
    }

    fn seen(&self) -> Option<Arc<Credential>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn wait_for_change(&self, wire: &Wire, looks: u32) {
        let before = self.fingerprint();
        for _ in 0..looks {
            wire.clock.sleep(LOOK_AGAIN).await;
            if self.fingerprint() != before {
                return;
            }
        }
    }

    /// Changes when any secret that the scheme uses changes.
    fn fingerprint(&self) -> [u8; 32] {
        let templates: Vec<&String> = match &self.scheme {
            Scheme::Bearer(value) | Scheme::Header((_, value)) => vec![value],
            Scheme::Basic((user, password)) => vec![user, password],
            Scheme::ClientCredentials(o) | Scheme::RefreshToken(o) => {
                let extra = o.extra.iter().map(|(_, value)| value);
                [&o.client_id, &o.client_secret]
                    .into_iter()
                    .chain(&o.refresh_token)
                    .chain(extra)
                    .collect()
            }
            Scheme::SignedJwt(j) => vec![&j.issuer, &j.subject, &j.audience, &j.private_key],
        };
        let mut hash = Sha256::new();
        for template in templates {
            let filled = self.vault.fill(template);
            hash.update(filled.as_ref().map_or("?", |s| s.expose()));
            hash.update([0]);
        }
        hash.finalize().into()
    }

    async fn make(&self, wire: &Wire, stale: Option<&Secret>) -> Result<Made, AuthError> {
        let fill = |template: &str| self.vault.fill(template);
        let fixed =
            |name: &str, value: String| Ok((vec![(name.into(), checked(value)?)], None, None));
        match &self.scheme {
            Scheme::Bearer(t) => fixed("authorization", format!("Bearer {}", fill(t)?.expose())),
            Scheme::Header((name, t)) => fixed(name, fill(t)?.expose().to_owned()),
            Scheme::Basic((user, password)) => {
                let pair = format!("{}:{}", fill(user)?.expose(), fill(password)?.expose());
                fixed(
                    "authorization",
                    format!("Basic {}", BASE64_STANDARD.encode(pair)),
                )
            }
            Scheme::ClientCredentials(oauth) => {
                let mut fields = self.client_fields(oauth)?;
                fields.push(("grant_type".into(), "client_credentials".into()));
                let token = self
                    .token(wire, &oauth.token_url, &fields, oauth.format)
                    .await?;
                carried(oauth, token.access_token, token.expires_at)
            }
            Scheme::RefreshToken(oauth) => self.refresh(wire, oauth, stale).await,
            Scheme::SignedJwt(jwt) => {
                let assertion = self.sign(jwt, wire.clock.now())?;
                let grant = ("grant_type".to_owned(), jwt.grant_type.clone());
                let fields = [grant, ("assertion".into(), assertion)];
                let form = TokenRequestFormat::Form;
                let token = self.token(wire, &jwt.token_url, &fields, form).await?;
                bearer(token.access_token, token.expires_at)
            }
        }
    }

    fn client_fields(&self, oauth: &Oauth2) -> Result<Vec<(String, String)>, AuthError> {
        let mut fields = vec![
            (
                "client_id".to_owned(),
                self.vault.fill(&oauth.client_id)?.expose().to_owned(),
            ),
            (
                "client_secret".to_owned(),
                self.vault.fill(&oauth.client_secret)?.expose().to_owned(),
            ),
        ];
        if let Some(scope) = &oauth.scope {
            fields.push(("scope".into(), self.vault.fill_open(scope)?));
        }
        for (name, value) in &oauth.extra {
            fields.push((name.clone(), self.vault.fill(value)?.expose().to_owned()));
        }
        Ok(fields)
    }

    fn sign(&self, jwt: &SignedJwt, now: i64) -> Result<String, AuthError> {
        let seconds = now / 1000;
        let claims = serde_json::json!({
            "iss": self.vault.fill(&jwt.issuer)?.expose(),
            "sub": self.vault.fill(&jwt.subject)?.expose(),
            "aud": self.vault.fill(&jwt.audience)?.expose(),
            "iat": seconds,
            "exp": seconds + i64::from(jwt.lifetime_s),
        });
        let pem = self.vault.fill(&jwt.private_key)?;
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem.expose().as_bytes());
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        jsonwebtoken::encode(&header, &claims, &key.map_err(|_| AuthError::Key)?)
            .map_err(|_| AuthError::Key)
    }

    /// One token request.
    async fn token(
        &self,
        wire: &Wire,
        url: &str,
        fields: &[(String, String)],
        format: TokenRequestFormat,
    ) -> Result<Token, AuthError> {
        let url = self.vault.fill_open(url)?;
        let url = match url.strip_prefix('/') {
            Some(path) => wire.grants.base.join(&format!("/{path}")),
            None => Url::parse(&url),
        };
        let url = url.map_err(|_| AuthError::Denied("malformed".into()))?;
        let (media_type, body) = match format {
            TokenRequestFormat::Form => (
                "application/x-www-form-urlencoded",
                url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(fields)
                    .finish(),
            ),
            TokenRequestFormat::Json => {
                let members = fields
                    .iter()
                    .map(|(k, v)| (k.clone(), Value::String(v.clone())));
                (
                    "application/json",
                    Value::Object(members.collect()).to_string(),
                )
            }
        };
        let header = |name: &str, value: &str| Header {
            name: name.into(),
            value: value.into(),
        };
        let headers = vec![
            header("content-type", media_type),
            header("accept", "application/json"),
        ];
        let asked = wire
            .ask(url, headers, body.into_bytes(), TOKEN_TIMEOUT)
            .await;
        let (status, body) = asked.map_err(|error| match error {
            WireError::Denied(what) => AuthError::Denied(what),
            _ => AuthError::Unreachable,
        })?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        // Some refuse with 200 (Zoho Desk facts, OAuth): it is the token that counts.
        let refused = answer.get("access_token").is_none() && answer.get("error").is_some();
        if refused || !(200..300).contains(&status) {
            // RFC 6749 §5.2: `error` is a word of a fixed set; anything else might repeat what was sent.
            let code = answer
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let word =
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && code.len() <= 40;
            let code = if word { code.to_owned() } else { String::new() };
            // Of those with 200 only a word of the set is a refusal; the rest is "too often", in whatever words.
            let away = status == 429 || status >= 500 || (status < 300 && code.is_empty());
            return Err(if away {
                AuthError::Unreachable
            } else {
                AuthError::Refused { status, code }
            });
        }
        let text = |name: &str| Some(answer.get(name)?.as_str()?.to_owned());
        let seconds = answer.get("expires_in").and_then(|v| match v {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        });
        // Renewed a little early, so that no request meets the end on its way.
        let expires_at = seconds.filter(|s| *s > 0).map(|s| {
            wire.clock
                .now()
                .saturating_add(s.saturating_mul(1000) - (s * 100).min(60_000))
        });
        Ok(Token {
            access_token: text("access_token").ok_or(AuthError::Unreadable)?,
            refresh_token: text("refresh_token"),
            expires_at,
        })
    }

    async fn refresh(
        &self,
        wire: &Wire,
        oauth: &Oauth2,
        stale: Option<&Secret>,
    ) -> Result<Made, AuthError> {
        let _alone = match &self.store {
            Some(path) => Some(lock(path, wire).await?),
            None => None,
        };
        let unsaved = self
            .unsaved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(unsaved) = unsaved {
            self.save(unsaved)?;
        }
        let template = oauth.refresh_token.as_deref().unwrap_or_default();
        let first = self.vault.fill(template)?;
        let seed = hex::encode(Sha256::digest(first.expose()));
        let stored = self.load().filter(|s| s.seed == seed);
        if let Some(stored) = &stored {
            let live = stored.expires_at.is_none_or(|at| wire.clock.now() < at);
            let refused = stale.is_some_and(|s| s.expose() == stored.access_token);
            if live && !refused {
                return carried(oauth, stored.access_token.clone(), stored.expires_at);
            }
        }
        let refresh_token = stored.map_or_else(|| first.expose().to_owned(), |s| s.refresh_token);
        let mut fields = self.client_fields(oauth)?;
        fields.push(("grant_type".into(), "refresh_token".into()));
        fields.push(("refresh_token".into(), refresh_token.clone()));
        let token = self
            .token(wire, &oauth.token_url, &fields, oauth.format)
            .await?;
        self.save(Stored {
            seed,
            refresh_token: token.refresh_token.unwrap_or(refresh_token),
            access_token: token.access_token.clone(),
            expires_at: token.expires_at,
        })?;
        carried(oauth, token.access_token, token.expires_at)
    }

    fn load(&self) -> Option<Stored> {
        let bytes = fs::read(self.store.as_ref()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Durable when it returns; kept in memory for the next try when it fails.
    fn save(&self, stored: Stored) -> Result<(), AuthError> {
        let Some(path) = &self.store else {
            return Err(AuthError::Store("no credential file is configured".into()));
        };
        write_private(path, &stored).map_err(|error| {
            *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored);
            AuthError::Store(error.kind().to_string())
        })
    }
}

/// The word before a token, unless a platform has another.
const BEARER: &str = "Bearer";

type Made = (Vec<(String, Secret)>, Option<Secret>, Option<i64>);

struct Token {
    access_token: String,
    refresh_token: Option<String>,
    expires_at: Option<i64>,
}

fn bearer(token: String, expires_at: Option<i64>) -> Result<Made, AuthError> {
    prefixed(BEARER, token, expires_at)
}

/// A token behind the word that its platform wants.
fn carried(oauth: &Oauth2, token: String, expires_at: Option<i64>) -> Result<Made, AuthError> {
    prefixed(oauth.prefix.as_deref().unwrap_or(BEARER), token, expires_at)
}

fn prefixed(word: &str, token: String, expires_at: Option<i64>) -> Result<Made, AuthError> {
    let header = checked(format!("{word} {token}"))?;
    Ok((
        vec![("authorization".into(), header)],
        Some(Secret::new(token)),
        expires_at,
    ))
}

fn checked(value: String) -> Result<Secret, AuthError> {
    if value.chars().any(char::is_control) {
        return Err(SecretError::Control.into());
    }
    Ok(Secret::new(value))
}

/// One process at a time: the lock goes with the file handle, and with the process.
async fn lock(path: &Path, wire: &Wire) -> Result<File, AuthError> {
    let failed = |error: std::io::Error| AuthError::Store(error.kind().to_string());
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(name);
    let file = file.map_err(failed)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => wire.clock.sleep(Duration::from_millis(100)).await,
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn write_private(path: &Path, stored: &Stored) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&serde_json::to_vec(stored)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
