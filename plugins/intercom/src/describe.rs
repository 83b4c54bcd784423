//! What the connector says of itself. Everything the planner tells a user about Intercom comes from here or from the survey, and the
//! gateway lets out nothing that is not declared here.

use transload_sdk::connector::{
    Auth, AuthScheme, ByProduct, ConflictScope, Description, KindSupport, LimitHeader,
    LimitMeaning, Lookup, Normalisation, RateRule, RefusalMeaning, RefusedAnswer, RequestPattern,
    Role, Settle, SideEffect, SideEffectSeverity, SystemChange, UpdateMode, fidelity_table,
    rebuild_table,
};
use transload_sdk::declare::{
    by_product, frozen, key, kind, one_at_a_time, pattern, refused, scheme, side_effect,
    system_change, text_limit, update,
};
use transload_sdk::types::Kind;

use crate::map::TEXT_CHARS;
use crate::state::SCHEMA;
use crate::write::{SEARCH_SETTLE_MS, SETTLE_MS};

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "intercom".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Intercom".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        auth: auth(),
        base_url: "https://{api_host}".to_owned(),
        hosts: Vec::new(),
        requests: requests(),
        refusals: refusals(),
        rate_rules: rate_rules(),
        kinds: kinds(),
        fidelity: fidelity_table(FIDELITY),
        side_effects: side_effects(),
        by_products: by_products(),
        system_changes: system_changes(),
        text_limits: vec![
            text_limit(Kind::Tag, "tag.name", TEXT_CHARS),
        ],
        rebuilds: rebuild_table(REBUILDS),
        notes: [
            "A conversation begins with a contact's plain text and gets what follows part by part, each at its time and by its author; no admin's comment notifies anybody.",
            "What Intercom has no field for stands on a source card: an internal note at the end of a conversation, a note on a contact.",
            "A conversation has its marker in the attribute `Transload ID`; a contact in `external_id`, a company in `company_id`.",
            "Types of custom objects are made in Intercom's settings only; where nobody made one, its records are notes on their conversation or contact.",
            "A conversation of n messages without tags takes n + 4 calls at least: it is begun, marked, answered, gets its source card, is assigned and closed.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn auth() -> Vec<AuthScheme> {
    vec![scheme(
        "access-token",
        "Access token of a private app, or an OAuth token",
        Auth::Bearer("{secret:access_token}".to_owned()),
        Some("10,000 calls a minute, cut into windows of ten seconds"),
    )]
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/**", true),
        ("POST", "/contacts/search", true),
        ("POST", "/conversations/search", true),
        ("POST", "/tickets/search", true),
        ("POST", "/contacts", false),
        ("PUT", "/contacts/*", false),
        ("DELETE", "/contacts/*", false),
        ("POST", "/contacts/*/archive", false),
        ("POST", "/contacts/*/unarchive", false),
        ("POST", "/contacts/*/companies", false),
        ("DELETE", "/contacts/*/companies/*", false),
        ("POST", "/contacts/*/tags", false),
        ("DELETE", "/contacts/*/tags/*", false),
        ("POST", "/contacts/*/notes", false),
        ("POST", "/companies", false),
        ("PUT", "/companies/*", false),
        ("DELETE", "/companies/*", false),
        ("POST", "/tags", false),
        ("DELETE", "/tags/*", false),
        ("POST", "/data_attributes", false),
        ("PUT", "/data_attributes/*", false),
        ("POST", "/conversations/attributes", false),
        ("DELETE", "/conversations/attributes/*", false),
        ("POST", "/conversations", false),
        ("PUT", "/conversations/*", false),
        ("DELETE", "/conversations/*", false),
        ("POST", "/conversations/*/reply", false),
        ("POST", "/conversations/*/parts", false),
        ("POST", "/conversations/*/customers", false),
        ("POST", "/conversations/*/tags", false),
        ("POST", "/conversations/redact", false),
        ("POST", "/custom_object_instances/*", false),
        ("DELETE", "/custom_object_instances/*/*", false),
    ]
    .into_iter()
    .map(|(method, path, reads)| pattern(method, path, reads))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    vec![
        refused(429, None, RefusalMeaning::SlowDown),
        refused(401, None, RefusalMeaning::RenewCredential),
        refused(409, None, RefusalMeaning::Rejected),
    ]
}

/// The window of an app, by headers of its own (Intercom facts §2).
fn rate_rules() -> Vec<RateRule> {
    let header = |name: &str, meaning| LimitHeader {
        name: name.to_owned(),
        key: None,
        numbers: vec![meaning],
    };
    vec![RateRule {
        name: "app".to_owned(),
        method: "*".to_owned(),
        path: "/**".to_owned(),
        costs: Vec::new(),
        limit: 1_666,
        per_ms: 10_000,
        headers: vec![
            header("x-ratelimit-limit", LimitMeaning::Limit),
            header("x-ratelimit-remaining", LimitMeaning::Remaining),
            header("x-ratelimit-reset", LimitMeaning::ResetEpochS),
        ],
        shared: true,
    }]
}

fn kinds() -> Vec<KindSupport> {
    let by = |lookup, ms| vec![Settle { lookup, ms }];
    let base = |of, batch_items, calls, per_items| KindSupport {
        settle: by(Lookup::ByKey, SETTLE_MS),
        ..kind(of, batch_items, calls, per_items)
    };
    let thread = vec![
        update(
            "open",
            vec![UpdateMode::Append, UpdateMode::ChangeFields],
            true,
            "messages that came since are added and the state is set, unless somebody changed it",
        ),
        update(
            "closed",
            vec![UpdateMode::Append, UpdateMode::ChangeFields],
            true,
            "as of an open one; a reply opens it, and it is closed again",
        ),
    ];
    vec![
        one_at_a_time(KindSupport {
            can_delete: false,
            updates: frozen(
                "an attribute's type cannot change; attributes are archived, never deleted",
            ),
            ..base(Kind::FieldDefinition, 500, 1, 1)
        }),
        one_at_a_time(KindSupport {
            can_create: false,
            updates: frozen("types are made in Intercom's settings"),
            ..base(Kind::ObjectType, 500, 1, 1)
        }),
        one_at_a_time(KindSupport {
            matches: true,
            can_create: false,
            conflicts: vec![key(ConflictScope::Unique, "email", Normalisation::Email)],
            updates: frozen("admins are the workspace's own"),
            ..base(Kind::Agent, 1_000, 0, 1)
        }),
        one_at_a_time(KindSupport {
            can_create: false,
            updates: frozen("teams are the workspace's own"),
            ..base(Kind::Team, 500, 0, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("tags are matched by name"),
            ..base(Kind::Tag, 1_000, 1, 1)
        }),
        KindSupport {
            updates: vec![update(
                "any",
                vec![UpdateMode::ChangeFields],
                true,
                "what is there is kept, filled or replaced, as the policy says",
            )],
            ..base(Kind::Company, 100, 2, 1)
        },
        KindSupport {
            matches: true,
            conflicts: vec![
                key(
                    ConflictScope::Unique,
                    "addresses.email",
                    Normalisation::Email,
                ),
                key(
                    ConflictScope::Unique,
                    "addresses.phone",
                    Normalisation::PhoneDigits,
                ),
            ],
            updates: vec![update(
                "any",
                vec![UpdateMode::ChangeFields],
                true,
                "what is there is kept, filled or replaced, as the policy says",
            )],
            ..base(Kind::Customer, 100, 2, 1)
        },
        KindSupport {
            keeps_created_at: true,
            settle: by(Lookup::ByIndex, SEARCH_SETTLE_MS),
            updates: thread,
            ..base(Kind::Conversation, 50, 5, 1)
        },
        KindSupport {
            updates: frozen("a note stays as it was written"),
            ..base(Kind::Message, 100, 1, 1)
        },
        KindSupport {
            keeps_created_at: true,
            updates: vec![update(
                "any",
                vec![UpdateMode::Replace],
                true,
                "of a type that was made; a note stays as it was written",
            )],
            ..base(Kind::CustomObject, 100, 2, 1)
        },
        one_at_a_time(KindSupport {
            updates: vec![update(
                "any",
                vec![UpdateMode::Append],
                true,
                "in an attribute of the contact or conversation that is pointed to",
            )],
            ..base(Kind::Relationship, 500, 2, 1)
        }),
    ]
}

/// How each field travels, one a line.
pub const FIDELITY: &str = include_str!("fidelity.txt");
/// With what a source\'s inventory is rebuilt, one sort of thing a line.
const REBUILDS: &str = include_str!("rebuild.txt");

fn side_effects() -> Vec<SideEffect> {
    use SideEffectSeverity::{Caution, Danger, Info};
    vec![
        side_effect(
            "mails",
            "An admin's comment notifies the contact, by mail if they are away",
            Danger,
            Some(
                "every comment of an admin says that nobody is to be notified; a close and an assignment say nothing",
            ),
            None,
        ),
        side_effect(
            "workflows",
            "Workflows, Fin, assignment rules and SLAs may act on conversations that the API makes as on any",
            Danger,
            Some(
                "conversations are closed at the end; what bots say is not counted as somebody's change",
            ),
            Some("pause workflows, Fin and automatic assignment until the migration has ended"),
        ),
        side_effect(
            "webhooks",
            "Webhooks tell of contacts, companies and conversations made and changed",
            Danger,
            None,
            Some("switch off what listens to them until the migration has ended"),
        ),
        side_effect(
            "notices",
            "Teammates may be told of assignments",
            Caution,
            Some("a conversation is assigned once, at the end"),
            None,
        ),
        side_effect(
            "synthetic-opening",
            "A conversation that no customer began begins with a line of ours in the customer's name, which the customer can see",
            Caution,
            None,
            None,
        ),
        side_effect(
            "attributes-stay",
            "Attributes cannot be deleted",
            Info,
            Some("a rollback archives those that were made"),
            None,
        ),
        side_effect(
            "companies-stay",
            "Companies cannot be erased",
            Info,
            Some("a rollback archives those that were made"),
            None,
        ),
        side_effect(
            "notes-stay",
            "Notes on contacts cannot be deleted, and single parts of a conversation only blanked",
            Caution,
            Some(
                "a contact who was there before gets no source card, unless `notes_on_matched` is set",
            ),
            None,
        ),
        side_effect(
            "own",
            "A contact without an address and nine attributes are made: for conversations whose customer was not migrated, and to know records by",
            Info,
            Some("a rollback deletes the contact and archives the attributes"),
            None,
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![by_product(
        Kind::Conversation,
        "rows of reports and statistics, also of conversations that are deleted",
        "GET /conversations/deleted lists them; they stay",
    )]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "status",
            "a snoozed conversation opens when its time comes",
        ),
        system_change(
            Kind::Conversation,
            "assignees",
            "assignment rules, where nobody was said",
        ),
        system_change(Kind::Conversation, "updated-at", "with each of these"),
        system_change(Kind::Customer, "last-seen-at", "when the contact is seen"),
    ]
}

#[cfg(test)]
mod tests {
    use transload_sdk::testing::described;

    use super::*;

    #[test]
    fn every_line_of_the_fidelity_table_is_a_row() {
        described::assert_every_line_is_a_row(FIDELITY);
    }

    #[test]
    fn every_sort_of_inventory_has_a_feature_or_a_way_around() {
        described::assert_everything_can_be_rebuilt(REBUILDS);
    }

    #[test]
    fn every_setting_of_the_schema_is_known_and_has_the_default_that_it_says() {
        let config: crate::state::Config = described::schema_defaults(SCHEMA);
        assert_eq!(config, crate::state::Config::default());
    }
}
