//! What the connector says of itself. Nothing that is not here leaves the host.

use transload_sdk::connector::{
    Auth, ConflictScope, Description, KindSupport, LimitHeader, LimitMeaning, Lookup,
    Normalisation, RateRule, RefusalMeaning, RefusedAnswer, RequestPattern, Role, Settle,
    SideEffectSeverity, UpdateMode, fidelity_table, rebuild_table,
};
use transload_sdk::declare::{
    by_product, key, kind, pattern, refused, scheme, side_effect, system_change, update,
};
use transload_sdk::types::Kind;

use crate::api::{SETTLE_INDEX_MS, SETTLE_KEY_MS};

/// With what a person rebuilds what cannot be moved, and what to do where Tessera has nothing for it.
pub const REBUILDS: &str = "
queue | Boards | one for each
routing | Workflow rules | by channel and subject, move to a board
sla | | Tessera measures no times: a workflow rule that raises the priority after so many hours
schedule | | Tessera knows no opening hours
workflow | Workflow rules | Settings > Rules; one condition and one action each
canned-reply | Stamps | Settings > Stamps
survey | | there are none
snooze | | the state waiting, and a workflow rule that ends it
role | | everybody may do everything
sender | Mailboxes | Settings > Mailboxes
webhook | | there are none
block-list | Muted senders | Settings > Mailboxes
view | Boards |
report | | there are none
help-center | | there is none
";

/// How each field travels. What is converted to nothing better stands on the source card, as words.
pub const FIDELITY: &str = "
agent | agent.email | exact | matched by address; agents are never made
agent | * | lost | an agent's settings are a person's own at Tessera
tag | tag.name | converted | labels are lower case
tag | tag.color | lost | labels have no colour
field-definition | field-definition.label | exact |
field-definition | field-definition.field-type | converted | text, number, flag and date; all else becomes text
field-definition | field-definition.options | lost | Tessera has no choices: their values are text
field-definition | * | lost | Tessera has no such property of a field
customer | customer.name | exact |
customer | addresses.email | converted | the first that is valid and free; the others stand on the source card
customer | addresses.phone | converted | the first; the others stand on the source card
customer | fields.* | converted | by the type of the field
customer | * | converted | on the source card, in an attribute of its own
conversation | conversation.subject | exact |
conversation | conversation.customer | exact |
conversation | conversation.status | converted | open, waiting or done
conversation | conversation.tags | converted | as labels: ten at most, lower case
conversation | head.created-at | exact |
conversation | fields.* | converted | by the type of the field
conversation | * | converted | on the source card, a private entry
message | message.text | exact | beyond 60,000 bytes in several entries
message | message.html | converted | Tessera's text is plain; where there is only HTML, it is attached as a file
message | message.author | exact | by name where there is no such person or agent here
message | message.sent-at | exact |
message | message.visibility | converted | public or private; events are left out unless asked for
message | * | converted | on the source card, a private entry
attachment | attachment.content | exact | 5 MB at most; no empty ones, no programs
attachment | attachment.name | exact |
attachment | * | lost | a file has a name and bytes
";

const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["subdomain", "token"],
  "properties": {
    "subdomain": {"type": "string", "pattern": "^[a-z0-9-]+$", "title": "Subdomain", "description": "The first word of your workspace's address: acme in acme.tessera.example"},
    "token": {"type": "string", "writeOnly": true, "title": "API token", "description": "Settings › API, of an administrator"},
    "events": {"type": "boolean", "default": false, "title": "Events", "description": "Also write what happened in a conversation, as private entries"},
    "spam": {"type": "boolean", "default": false, "title": "Spam", "description": "Also write messages that the source calls spam"},
    "base_url": {"type": "string", "title": "Base URL", "description": "For tests: where Tessera is instead"}
  }
}"#;

/// The description.
pub fn describe() -> Description {
    Description {
        name: "tessera".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        title: "Tessera".into(),
        role: Role::Destination,
        config_schema: SCHEMA.into(),
        auth: vec![scheme(
            "token",
            "API token",
            Auth::Bearer("{secret:token}".into()),
            Some("An administrator's: fields can be made by nobody else."),
        )],
        base_url: "https://{subdomain}.tessera.example/api/1".into(),
        hosts: Vec::new(),
        requests: requests(),
        refusals: refusals(),
        rate_rules: vec![rate_rule()],
        kinds: kinds(),
        fidelity: fidelity_table(FIDELITY),
        side_effects: vec![side_effect(
            "workflow-rules",
            "Workflow rules may run on tickets that are made",
            SideEffectSeverity::Caution,
            None,
            Some("Switch off the rules for new tickets until the migration is over."),
        )],
        by_products: vec![by_product(
            Kind::Conversation,
            "what workflow rules do to a ticket",
            "entries and labels of the ticket that we did not write",
        )],
        system_changes: vec![
            system_change(
                Kind::Customer,
                "version",
                "whenever anything of the person changes",
            ),
            system_change(
                Kind::Conversation,
                "version",
                "whenever anything of the ticket changes",
            ),
        ],
        text_limits: Vec::new(),
        rebuilds: rebuild_table(REBUILDS),
        notes: vec![
            "No mail is sent: Tessera sends none for tickets whose time of creation is past, and none is made without one.".into(),
            "A rollback deletes fields that were made, with the values that others have put into them since.".into(),
        ],
    }
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/me"),
        ("GET", "/agents"),
        ("GET", "/people"),
        ("POST", "/people"),
        ("GET", "/people/*"),
        ("PATCH", "/people/*"),
        ("DELETE", "/people/*"),
        ("GET", "/people/*/tickets"),
        ("GET", "/tickets"),
        ("POST", "/tickets"),
        ("GET", "/tickets/*"),
        ("DELETE", "/tickets/*"),
        ("POST", "/tickets/*/entries"),
        ("POST", "/files"),
        ("GET", "/fields"),
        ("POST", "/fields"),
        ("DELETE", "/fields/*"),
    ]
    .map(|(method, path)| pattern(method, path, method == "GET"))
    .into()
}

/// Answers that surely mean "not applied" (rule D-2), beyond those that mean it anywhere: a 4xx but 408. Of a 5xx, of which
/// Tessera's documentation says nothing, it is not sure, so it stays in doubt and is looked up.
fn refusals() -> Vec<RefusedAnswer> {
    vec![refused(429, None, RefusalMeaning::SlowDown)]
}

/// `RateLimit: limit=120, remaining=117, reset=33`
fn rate_rule() -> RateRule {
    let pair = |key: &str, meaning| LimitHeader {
        name: "ratelimit".into(),
        key: Some(key.into()),
        numbers: vec![meaning],
    };
    RateRule {
        name: "requests".into(),
        method: "*".into(),
        path: "/**".into(),
        costs: Vec::new(),
        limit: 120,
        per_ms: 60_000,
        headers: vec![
            pair("limit", LimitMeaning::Limit),
            pair("remaining", LimitMeaning::Remaining),
            pair("reset", LimitMeaning::ResetSeconds),
            LimitHeader {
                name: "retry-after".into(),
                key: None,
                numbers: vec![LimitMeaning::RetryAfter],
            },
        ],
        shared: true,
    }
}

/// In the order in which they can be written: what is referred to comes first.
fn kinds() -> Vec<KindSupport> {
    let of = |of, calls| KindSupport {
        batch_bytes: 8 << 20,
        ..kind(of, 10, calls, 10)
    };
    let settle = |lookup, ms| vec![Settle { lookup, ms }];
    let changed = |mode, note: &str| vec![update("*", vec![mode], true, note)];
    vec![
        KindSupport {
            batch_items: 100,
            can_create: false,
            can_delete: false,
            matches: true,
            ..of(Kind::Agent, 1)
        },
        KindSupport {
            batch_items: 100,
            can_delete: false,
            ..of(Kind::Tag, 0)
        },
        KindSupport {
            settle: settle(Lookup::ByKey, SETTLE_KEY_MS),
            max_concurrency: Some(1),
            ..of(Kind::FieldDefinition, 20)
        },
        KindSupport {
            conflicts: vec![key(
                ConflictScope::Unique,
                "addresses.email",
                Normalisation::Email,
            )],
            settle: settle(Lookup::ByKey, SETTLE_KEY_MS),
            updates: changed(UpdateMode::ChangeFields, "values that differ"),
            matches: true,
            ..of(Kind::Customer, 30)
        },
        KindSupport {
            settle: settle(Lookup::ByIndex, SETTLE_INDEX_MS),
            updates: changed(
                UpdateMode::Append,
                "new entries; a ticket's head cannot be changed",
            ),
            keeps_created_at: true,
            matches: true,
            ..of(Kind::Conversation, 30)
        },
        // Notes that hang on a customer alone.
        KindSupport {
            settle: settle(Lookup::ByIndex, SETTLE_INDEX_MS),
            keeps_created_at: true,
            ..of(Kind::Message, 20)
        },
    ]
}
