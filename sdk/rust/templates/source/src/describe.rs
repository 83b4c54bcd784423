//! What the connector says of itself. Nothing that is not here leaves the host.

use transload_sdk::connector::{
    Auth, Description, LimitHeader, LimitMeaning, RateRule, Role, fidelity_table,
};
use transload_sdk::declare::{pattern, scheme};

/// The settings of a connection. What is "writeOnly" is a secret, and never reaches the connector.
const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["subdomain", "token"],
  "properties": {
    "subdomain": {"type": "string", "pattern": "^[a-z0-9-]+$", "description": "The first word of the account's address"},
    "token": {"type": "string", "writeOnly": true, "description": "An API token that may read everything"},
    "base_url": {"type": "string", "description": "For tests: where the platform is instead"}
  }
}"#;

/// What of the platform's records does not come as it is there.
const FIDELITY: &str = "
message | message.author | converted | agents by name: the API has no list of them
";

/// The description.
pub fn describe() -> Description {
    Description {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        title: env!("CARGO_PKG_DESCRIPTION").into(),
        role: Role::Source,
        config_schema: SCHEMA.into(),
        auth: vec![scheme(
            "token",
            "API token",
            Auth::Bearer("{secret:token}".into()),
            None,
        )],
        base_url: "https://{subdomain}.mailbox.example/api".into(),
        hosts: Vec::new(),
        // All of them only read: a source can send nothing else.
        requests: [
            "/me",
            "/people",
            "/people/*",
            "/tickets",
            "/tickets/*",
            "/files/*",
        ]
        .map(|path| pattern("GET", path, true))
        .into(),
        refusals: Vec::new(),
        rate_rules: vec![RateRule {
            name: "requests".into(),
            method: "*".into(),
            path: "/**".into(),
            costs: Vec::new(),
            limit: 300,
            per_ms: 60_000,
            headers: vec![LimitHeader {
                name: "retry-after".into(),
                key: None,
                numbers: vec![LimitMeaning::RetryAfter],
            }],
            shared: true,
        }],
        kinds: Vec::new(),
        fidelity: fidelity_table(FIDELITY),
        side_effects: Vec::new(),
        by_products: Vec::new(),
        system_changes: Vec::new(),
        text_limits: Vec::new(),
        rebuilds: Vec::new(),
        notes: Vec::new(),
    }
}
