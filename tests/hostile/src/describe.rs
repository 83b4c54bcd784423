//! What both connectors say of themselves: as little as the host accepts, and grants for the desk alone.

use transload_sdk::connector::{
    Auth, AuthScheme, ConflictKey, Description, KindSupport, Lookup, RequestPattern, Role, Settle,
};
use transload_sdk::types::Kind;

use crate::version;

/// After a request, a look-up that finds nothing may be believed this much later.
pub(crate) const SETTLE_MS: u64 = 1_000;

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["token"],
  "properties": {
    "base_url": { "type": "string" },
    "token": { "type": "string", "writeOnly": true },
    "misdeed": { "type": "string" },
    "at": { "type": "string" },
    "only": { "type": "string" },
    "address": { "type": "string" }
  }
}"#;

pub(crate) fn describe(role: Role) -> Description {
    let pattern = |method: &str, path: &str| RequestPattern {
        method: method.to_owned(),
        path: path.to_owned(),
        reads: method == "GET",
    };
    let (name, writes) = match role {
        Role::Source => ("hostile-source", vec![]),
        Role::Destination => (
            "hostile-destination",
            vec![
                pattern("POST", "/customers"),
                pattern("DELETE", "/customers/*"),
            ],
        ),
    };
    Description {
        name: name.to_owned(),
        version: version().to_owned(),
        title: "Hostile desk".to_owned(),
        role,
        config_schema: SCHEMA.to_owned(),
        auth: vec![AuthScheme {
            name: "token".to_owned(),
            title: "Token".to_owned(),
            auth: Auth::Bearer("{secret:token}".to_owned()),
            note: None,
        }],
        base_url: "https://desk.example.com".to_owned(),
        hosts: vec![],
        requests: [vec![pattern("GET", "/**")], writes].concat(),
        refusals: vec![],
        rate_rules: vec![],
        kinds: vec![KindSupport {
            kind: Kind::Customer,
            batch_items: 6,
            batch_bytes: 1 << 20,
            max_concurrency: None,
            conflicts: Vec::<ConflictKey>::new(),
            settle: vec![Settle {
                lookup: Lookup::ByKey,
                ms: SETTLE_MS,
            }],
            updates: vec![],
            keeps_created_at: false,
            can_create: true,
            can_delete: true,
            matches: false,
            calls: 1,
            per_items: 1,
        }],
        fidelity: vec![],
        side_effects: vec![],
        by_products: vec![],
        system_changes: vec![],
        text_limits: vec![],
        rebuilds: vec![],
        notes: vec![],
    }
}
