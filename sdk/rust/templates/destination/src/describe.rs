//! What the connector says of itself. Nothing that is not here leaves the host.

use transload_sdk::connector::{
    Auth, ConflictScope, Description, KindSupport, LimitHeader, LimitMeaning, Lookup,
    Normalisation, RateRule, RefusalMeaning, Role, Settle, SideEffectSeverity, fidelity_table,
    rebuild_table,
};
use transload_sdk::declare::{frozen, key, kind, pattern, refused, scheme, side_effect};
use transload_sdk::types::Kind;

/// How long after a request a look-up that finds nothing may be believed, ms: more than the platform's index lags.
pub const SETTLE_MS: u64 = 10_000;

/// The settings of a connection. What is "writeOnly" is a secret, and never reaches the connector.
const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["subdomain", "token"],
  "properties": {
    "subdomain": {"type": "string", "pattern": "^[a-z0-9-]+$", "description": "The first word of the account's address"},
    "token": {"type": "string", "writeOnly": true, "description": "An API token of an administrator"},
    "base_url": {"type": "string", "description": "For tests: where the platform is instead"}
  }
}"#;

/// How each field travels: kind, field, how, and in what way. `*` is for the rest of a kind.
const FIDELITY: &str = "
customer | customer.name | exact |
customer | addresses.email | converted | the first that is valid and free; the others stand on the source card
customer | addresses.phone | converted | the first; the others stand on the source card
customer | * | converted | on the source card
conversation | conversation.subject | exact |
conversation | conversation.customer | exact |
conversation | conversation.status | converted | open or done
conversation | head.created-at | exact |
conversation | * | converted | on the source card
message | message.text | exact |
message | message.html | converted | as text where there is only HTML
message | message.author | converted | by name
message | message.sent-at | exact |
message | message.visibility | converted | public or private
message | * | lost | no place for it
attachment | * | lost | the platform has no files: they are exported, and named in the message
";

/// The description.
pub fn describe() -> Description {
    Description {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        title: env!("CARGO_PKG_DESCRIPTION").into(),
        role: Role::Destination,
        config_schema: SCHEMA.into(),
        auth: vec![scheme(
            "token",
            "API token",
            Auth::Bearer("{secret:token}".into()),
            None,
        )],
        base_url: "https://{subdomain}.desk.example/api".into(),
        hosts: Vec::new(),
        requests: [
            ("GET", "/me"),
            ("GET", "/people"),
            ("POST", "/people"),
            ("GET", "/people/*"),
            ("DELETE", "/people/*"),
            ("GET", "/tickets"),
            ("POST", "/tickets"),
            ("GET", "/tickets/*"),
            ("DELETE", "/tickets/*"),
        ]
        .map(|(method, path)| pattern(method, path, method == "GET"))
        .into(),
        refusals: vec![refused(429, None, RefusalMeaning::SlowDown)],
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
        kinds: kinds(),
        fidelity: fidelity_table(FIDELITY),
        side_effects: vec![side_effect(
            "mails",
            "Tickets that are made by the API send no mail",
            SideEffectSeverity::Info,
            None,
            None,
        )],
        by_products: Vec::new(),
        system_changes: Vec::new(),
        text_limits: Vec::new(),
        rebuilds: rebuild_table(""),
        notes: Vec::new(),
    }
}

/// In the order in which they can be written: what is referred to comes first.
fn kinds() -> Vec<KindSupport> {
    let settle = || {
        vec![Settle {
            lookup: Lookup::ByKey,
            ms: SETTLE_MS,
        }]
    };
    vec![
        KindSupport {
            conflicts: vec![key(
                ConflictScope::Unique,
                "addresses.email",
                Normalisation::Email,
            )],
            settle: settle(),
            updates: frozen("a person who is there is left as he is"),
            matches: true,
            ..kind(Kind::Customer, 10, 20, 10)
        },
        KindSupport {
            settle: settle(),
            updates: frozen("a ticket that is there is left as it is"),
            keeps_created_at: true,
            matches: true,
            ..kind(Kind::Conversation, 10, 20, 10)
        },
    ]
}
