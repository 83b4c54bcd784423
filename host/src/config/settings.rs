//! A connection's settings against its plugin's JSON Schema, and its secrets apart from them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::Config;
use super::place::{ConfigError, Place, nearest};

/// The setting of a destination by which `[people] fallback_agent` reaches it.
const STAND_IN: &str = "fallback_agent";

/// The settings of one connection, fit to be handed to its plugin.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The connection's name.
    pub connection: String,
    /// A JSON object that the schema accepts, defaults filled in, without secrets: `context.config`.
    pub config: Value,
    /// Where each secret is.
    pub secrets: BTreeMap<String, SecretRef>,
}

impl Settings {
    /// Reads all secrets. Call it again to take new ones without a restart (rule M-10).
    ///
    /// # Errors
    /// [`ConfigError::MissingSecret`] for the first one that is not there.
    pub fn read_secrets(&self) -> Result<BTreeMap<String, Secret>, ConfigError> {
        self.secrets
            .iter()
            .map(|(name, at)| Ok((name.clone(), at.read()?)))
            .collect()
    }
}

/// A secret's value. Printed as `***`; taken out only by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself. For credentials on their way into a request, nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    source: Source,
    place: Place,
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Env(String),
    File(PathBuf),
}

impl SecretRef {
    /// Where it is, for whoever reads it again later.
    #[must_use]
    pub fn to_source(&self) -> crate::gateway::SecretSource {
        match &self.source {
            Source::Env(name) => crate::gateway::SecretSource::Env(name.clone()),
            Source::File(path) => crate::gateway::SecretSource::File(path.clone()),
        }
    }

    /// Reads it now. One line end at the end of a file is not part of the secret.
    ///
    /// # Errors
    /// [`ConfigError::MissingSecret`], which names variable or file.
    pub fn read(&self) -> Result<Secret, ConfigError> {
        let (found, hint) = match &self.source {
            Source::Env(name) => {
                let found = match std::env::var(name) {
                    Ok(value) if value.is_empty() => Err(format!("the variable {name} is empty")),
                    Ok(value) => Ok(value),
                    Err(std::env::VarError::NotPresent) => {
                        Err(format!("the variable {name} is not set"))
                    }
                    Err(_) => Err(format!("the variable {name} is not text")),
                };
                (
                    found,
                    format!("set it in the environment of this command: `export {name}=…`"),
                )
            }
            Source::File(path) => {
                let found = match std::fs::read_to_string(path) {
                    Ok(text) => {
                        let text = text.strip_suffix('\n').unwrap_or(&text);
                        match text.strip_suffix('\r').unwrap_or(text) {
                            "" => Err(format!("the file {} is empty", path.display())),
                            text => Ok(text.to_owned()),
                        }
                    }
                    Err(error) => Err(format!(
                        "the file {} cannot be read: {error}",
                        path.display()
                    )),
                };
                (
                    found,
                    format!(
                        "write the secret, and nothing else, into {}",
                        path.display()
                    ),
                )
            }
        };
        found
            .map(Secret)
            .map_err(|problem| ConfigError::MissingSecret {
                place: self.place.clone(),
                key: self.key.clone(),
                problem,
                hint,
            })
    }
}

/// See [`Config::settings`].
pub(super) fn check(config: &Config, name: &str, schema: &str) -> Result<Settings, ConfigError> {
    let connection = config.connection(name, "connections")?;
    let plugin = connection.plugin.to_string();
    let broken = |message: String| ConfigError::Schema {
        plugin: plugin.clone(),
        message,
    };
    let mut schema: Value = serde_json::from_str(schema).map_err(|e| broken(e.to_string()))?;
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let place = |setting: &str| config.place(&["connections", name, setting]);
    let key = |setting: &str| format!("connections.{name}.{setting}");
    let wrong = |setting: &str, message: String, hint: Option<String>| ConfigError::Value {
        place: place(setting),
        key: key(setting),
        message,
        hint,
    };

    let mut secrets = BTreeMap::new();
    let mut plain = Map::new();
    for (setting, value) in &connection.settings {
        let Some(property) = properties.get(setting) else {
            let mut known: Vec<String> = properties.keys().cloned().collect();
            known.extend(["plugin", "auth", "allow_hosts"].map(str::to_owned));
            return Err(ConfigError::UnknownKey {
                place: place(setting),
                nearest: nearest(setting, &known),
                key: setting.clone(),
                known,
            });
        };
        if !is_secret(property) {
            plain.insert(setting.clone(), dates_as_text(value.clone()));
            continue;
        }
        let source = value.as_str().and_then(|text| match text.split_once(':')? {
            ("env", variable) if !variable.is_empty() => Some(Source::Env(variable.to_owned())),
            ("file", path) if !path.is_empty() => Some(Source::File(config.dir().join(path))),
            _ => None,
        });
        let Some(source) = source else {
            return Err(ConfigError::LiteralSecret {
                place: place(setting),
                key: key(setting),
            });
        };
        let secret = SecretRef {
            source,
            place: place(setting),
            key: key(setting),
        };
        secrets.insert(setting.clone(), secret);
    }
    // Who stands in is said once, for whichever plugin has somebody stand in.
    let stands_in = config.people.fallback_agent.as_ref();
    if let (Some(agent), true) = (stands_in, name == config.migration.to)
        && properties.contains_key(STAND_IN)
        && !connection.settings.contains_key(STAND_IN)
    {
        plain.insert(STAND_IN.to_owned(), json!(agent));
    }
    for (setting, property) in &properties {
        if plain.contains_key(setting) {
            continue;
        }
        if let (None, Some(default)) = (connection.settings.get(setting), property.get("default")) {
            plain.insert(setting.clone(), default.clone());
        }
    }

    // A secret takes part in the check by being there: a schema may ask for one of several.
    let mut instance = plain.clone();
    instance.extend(
        secrets
            .keys()
            .map(|setting| (setting.clone(), json!("secret"))),
    );
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut().filter(|p| is_secret(p)) {
            *property = json!({ "type": "string", "writeOnly": true });
        }
    }
    let validator = jsonschema::validator_for(&schema).map_err(|e| broken(e.to_string()))?;
    let instance = Value::Object(instance);
    if let Some(error) = validator.iter_errors(&instance).next() {
        use jsonschema::error::ValidationErrorKind as Kind;
        let path = error.instance_path().to_string();
        let at = path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or("")
            .to_owned();
        return Err(match error.kind() {
            Kind::Required { property } if at.is_empty() => {
                let setting = property.as_str().unwrap_or("a setting").to_owned();
                let about = properties.get(&setting);
                let hint = match about.is_some_and(is_secret) {
                    true => format!("add {setting} = \"env:NAME\" or {setting} = \"file:PATH\""),
                    false => match about
                        .and_then(|p| p.get("description"))
                        .and_then(Value::as_str)
                    {
                        Some(text) => format!("add {setting} to [connections.{name}]: {text}"),
                        None => format!("add {setting} to [connections.{name}]"),
                    },
                };
                wrong(&setting, "this setting is missing".to_owned(), Some(hint))
            }
            _ => {
                let about = properties.get(&at);
                let hint = about
                    .and_then(|p| p.get("description"))
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                wrong(
                    if at.is_empty() { "plugin" } else { &at },
                    error.to_string(),
                    hint,
                )
            }
        });
    }
    Ok(Settings {
        connection: name.to_owned(),
        config: Value::Object(plain),
        secrets,
    })
}

/// Whether a property of a schema is a secret.
pub(super) fn is_secret(property: &Value) -> bool {
    property.get("writeOnly").and_then(Value::as_bool) == Some(true)
}

/// A TOML date comes through serde as a map of one private key; a schema knows text.
fn dates_as_text(value: Value) -> Value {
    match value {
        Value::Object(map) => match map.get("$__toml_private_datetime") {
            Some(date) => date.clone(),
            None => Value::Object(
                map.into_iter()
                    .map(|(k, v)| (k, dates_as_text(v)))
                    .collect(),
            ),
        },
        Value::Array(list) => Value::Array(list.into_iter().map(dates_as_text).collect()),
        other => other,
    }
}
