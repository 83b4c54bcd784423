//! What a description should have and may lack.

use serde_json::Value;

use crate::contract::description::{Auth, Description, Role};
use crate::kinds;

/// What is missing, each in a sentence.
#[must_use]
pub fn missing(description: &Description) -> Vec<String> {
    let d = description;
    let schema: Value = serde_json::from_str(&d.config_schema).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut found = vec![];
    for (name, property) in properties.into_iter().flatten() {
        let described = property.get("description").and_then(Value::as_str);
        if described.is_none_or(|text| text.trim().is_empty()) {
            found.push(format!("the setting `{name}` has no description"));
        }
    }
    for scheme in &d.auth {
        for secret in secrets(&scheme.auth) {
            let property = properties.and_then(|all| all.get(&secret));
            let hidden = property.is_some_and(|p| p.get("writeOnly") == Some(&Value::Bool(true)));
            if !hidden {
                let name = &scheme.name;
                found.push(format!(
                    "the secret `{secret}` of auth `{name}` is not in the schema as \"writeOnly\": true"
                ));
            }
        }
    }
    if d.rate_rules.is_empty() {
        found.push("there is no rate rule: the host would send as fast as it can".to_owned());
    }
    if d.role == Role::Destination {
        if d.kinds.is_empty() {
            found.push("it takes no kind of record".to_owned());
        }
        for kind in &d.kinds {
            let word = kinds::name(&kind.kind);
            if kind.can_create && kind.settle.is_empty() {
                found.push(format!("{word}: there is no settle time, so a look-up that finds nothing is believed at once"));
            }
            if !d.fidelity.iter().any(|line| line.kind == kind.kind) {
                found.push(format!("{word}: nothing is said of how its fields travel"));
            }
        }
        if d.side_effects.is_empty() {
            found.push(
                "no side effect is named: does the platform send no mail and run no rule?"
                    .to_owned(),
            );
        }
    }
    found
}

/// Names of secrets in a template.
fn secrets(auth: &Auth) -> Vec<String> {
    let texts: Vec<&str> = match auth {
        Auth::Bearer(template) => vec![template],
        Auth::Basic((user, password)) => vec![user, password],
        Auth::Header((_, value)) => vec![value],
        Auth::ClientCredentials(o) | Auth::RefreshToken(o) => {
            let first = o.refresh_token.as_deref().unwrap_or_default();
            vec![&o.client_id, &o.client_secret, first]
        }
        Auth::SignedJwt(jwt) => vec![&jwt.private_key, &jwt.issuer],
    };
    let mut names = vec![];
    for text in texts {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("{secret:") {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            names.push(name.to_owned());
            rest = behind;
        }
    }
    names
}
