//! Keys, roles and masking (Kustomer facts §2).
//!
//! Every endpoint wants one role; a key without it gets 403 on that endpoint only, a bad key gets 401 everywhere.
//! Sensitive attributes come masked to a key that may not read them, with status 200.

use serde_json::Value;

/// The key that may read everything.
pub const FULL_KEY: &str = "eyJhbGciOiJIUzI1NiJ9.full-read-only";

/// An API key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// What stands after `Bearer`.
    pub token: String,
    /// Its name.
    pub name: String,
    /// Its roles, new style or legacy.
    pub roles: Vec<String>,
    /// Whether it sees sensitive attributes unmasked.
    pub reads_sensitive: bool,
    /// From when on it is expired, in milliseconds.
    pub expires_ms: Option<i64>,
    /// The pod its organisation lives on, if that is not where it is used (§1).
    pub other_pod: Option<String>,
}

/// The things that a complete export reads, as they stand in role names.
pub const READ_THINGS: &[&str] = &[
    "customer",
    "conversation",
    "message",
    "note",
    "company",
    "attachment",
    "klass",
    "kobject",
    "metadata",
    "customer_merge",
    "event",
    "draft",
    "brand",
    "schedule",
    "sla",
    "spam",
    "satisfaction",
    "satisfaction_response",
    "shortcut",
    "snooze",
    "queue",
    "routing",
    "workflow",
    "kb",
    "user",
    "team",
    "tag",
    "audit_logs",
    "apps",
    "outbound_webhook",
];

impl ApiKey {
    /// A key with every role that reading needs, `org.permission.search.create` among them, and no other.
    pub fn full() -> Self {
        let mut roles: Vec<String> = READ_THINGS
            .iter()
            .map(|thing| format!("org.permission.{thing}.read"))
            .collect();
        roles.push("org.permission.search.create".to_owned());
        Self {
            token: FULL_KEY.to_owned(),
            name: "export".to_owned(),
            roles,
            reads_sensitive: true,
            expires_ms: None,
            other_pod: None,
        }
    }

    /// A key with these roles only; it sees sensitive attributes masked.
    pub fn with_roles(token: &str, roles: &[&str]) -> Self {
        Self {
            token: token.to_owned(),
            name: token.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            reads_sensitive: false,
            ..Self::full()
        }
    }

    /// Whether the key holds a role for this thing and deed, as `customer.read` or `search.create`. Any one of the new
    /// role, its legacy names, and the broad ones is enough.
    pub fn may(&self, role: &str) -> bool {
        let (thing, deed) = role.split_once('.').unwrap_or((role, "read"));
        let legacy = if deed == "create" && thing != "search" {
            "write"
        } else {
            "read"
        };
        let broad = ["org", "org.user", "org.admin", "org.permission"];
        self.roles.iter().any(|held| {
            broad.contains(&held.as_str())
                || *held == format!("org.permission.{thing}.{deed}")
                || *held == format!("org.permission.{thing}")
                || *held == format!("org.user.{thing}.{legacy}")
                || *held == format!("org.admin.{thing}.{legacy}")
                || *held == format!("org.user.{thing}")
                || *held == format!("org.admin.{thing}")
        })
    }
}

/// What a masked text looks like: an ordinary text.
pub const MASK: &str = "*****";

/// Masks the sensitive attributes of every resource in an answer.
pub(super) fn mask(answer: &mut Value, sensitive: &[String]) {
    for part in ["data", "included"] {
        match answer.get_mut(part) {
            Some(Value::Array(items)) => {
                for item in items {
                    mask_resource(item, sensitive);
                }
            }
            Some(item) => mask_resource(item, sensitive),
            None => {}
        }
    }
}

fn mask_resource(resource: &mut Value, sensitive: &[String]) {
    let kind = resource
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    for path in sensitive {
        let Some(attribute) = path
            .strip_prefix(&kind)
            .and_then(|rest| rest.strip_prefix('.'))
        else {
            continue;
        };
        let mut names = vec![attribute];
        match attribute {
            "externalIds" => names.push("externalId"),
            "name" => names.extend(["firstName", "lastName", "displayName"]),
            _ => {}
        }
        for name in names {
            let pointer = format!("/attributes/{}", name.replace('.', "/"));
            if let Some(value) = resource.pointer_mut(&pointer) {
                mask_value(value);
            }
        }
    }
}

fn mask_value(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter_mut().for_each(mask_value),
        Value::Object(map) => {
            map.iter_mut()
                .filter(|(name, _)| *name != "type")
                .for_each(|(_, v)| mask_value(v));
        }
        Value::Bool(_) => {}
        _ => *value = MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_one_of_the_new_legacy_and_broad_roles_is_enough() {
        for role in [
            "org.permission.customer.read",
            "org.user.customer.read",
            "org.admin.customer.read",
            "org.user",
            "org.admin",
        ] {
            assert!(
                ApiKey::with_roles("k", &[role]).may("customer.read"),
                "{role}"
            );
        }
        assert!(!ApiKey::with_roles("k", &["org.permission.note.read"]).may("customer.read"));
        assert!(!ApiKey::with_roles("k", &["org.permission.search.read"]).may("search.create"));
        assert!(ApiKey::with_roles("k", &["org.user.search.read"]).may("search.create"));
    }

    #[test]
    fn masking_a_name_masks_all_that_follow_it_and_keeps_the_shape_of_lists() {
        let mut answer = serde_json::json!({"data": {"type": "customer", "attributes": {
            "name": "Ana", "firstName": "Ana", "emails": [{"email": "a@b", "type": "home", "verified": true}]}}});
        mask(
            &mut answer,
            &[
                "customer.name".into(),
                "customer.emails".into(),
                "message.preview".into(),
            ],
        );
        let a = &answer["data"]["attributes"];
        assert_eq!(
            (a["name"].as_str(), a["firstName"].as_str()),
            (Some(MASK), Some(MASK))
        );
        assert_eq!(a["emails"][0]["email"], MASK);
        assert_eq!(a["emails"][0]["type"], "home");
    }
}
