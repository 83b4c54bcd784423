//! What the connector says of itself. Everything the planner tells a user about Gorgias comes from here or from the survey, and the
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

use crate::map::{SUBJECT_CHARS, TAG_CHARS};
use crate::state::SCHEMA;
use crate::write::SETTLE_MS;

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "gorgias".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Gorgias".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        auth: auth(),
        base_url: "https://{account}.gorgias.com/api".to_owned(),
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
            text_limit(Kind::Conversation, "conversation.subject", SUBJECT_CHARS),
            text_limit(Kind::Tag, "tag.name", TAG_CHARS),
        ],
        rebuilds: rebuild_table(REBUILDS),
        notes: [
            "A ticket is made with up to 500 messages in one call; every message says that it was sent, so none is mailed.",
            "What Gorgias has no field for stands on a source card: an internal note at the end of a ticket, the note of a customer.",
            "Of customers' attributes, four at most have a field; `customer_fields` says which, the rest stands on the note.",
            "Custom objects are internal notes on their ticket, else part of the JSON document on their customer; companies are named by their people and exported.",
            "1,000 calls for 1,000 conversations of up to 500 messages without files or judgements: about 8 minutes at 2 calls a second.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn auth() -> Vec<AuthScheme> {
    vec![
        scheme(
            "api-key",
            "API key of an admin",
            Auth::Basic(("{email}".to_owned(), "{secret:api_key}".to_owned())),
            Some(
                "acts with the role of the user whose key it is; 40 calls in 20 seconds, for all keys of the account together",
            ),
        ),
        scheme(
            "access-token",
            "Token of an OAuth app",
            Auth::Bearer("{secret:access_token}".to_owned()),
            Some("80 calls in 20 seconds"),
        ),
    ]
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/**"),
        ("POST", "/tickets"),
        ("PUT", "/tickets/*"),
        ("DELETE", "/tickets/*"),
        ("POST", "/tickets/*/messages"),
        ("DELETE", "/tickets/*/messages/*"),
        ("POST", "/satisfaction-surveys"),
        ("POST", "/upload"),
        ("POST", "/customers"),
        ("PUT", "/customers/*"),
        ("DELETE", "/customers/*"),
        ("PUT", "/customers/*/data"),
        ("PUT", "/customers/*/custom-fields/*"),
        ("DELETE", "/customers/*/custom-fields/*"),
        ("POST", "/users"),
        ("DELETE", "/users/*"),
        ("POST", "/teams"),
        ("DELETE", "/teams/*"),
        ("POST", "/tags"),
        ("DELETE", "/tags/*"),
        ("POST", "/custom-fields"),
        ("PUT", "/custom-fields/*"),
    ]
    .into_iter()
    .map(|(method, path)| pattern(method, path, method == "GET"))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    vec![
        refused(429, None, RefusalMeaning::SlowDown),
        refused(401, None, RefusalMeaning::RenewCredential),
        refused(409, None, RefusalMeaning::Rejected),
    ]
}

/// The smallest account's bucket; headers raise it (Gorgias facts §2).
fn rate_rules() -> Vec<RateRule> {
    vec![RateRule {
        name: "account".to_owned(),
        method: "*".to_owned(),
        path: "/**".to_owned(),
        costs: Vec::new(),
        limit: 40,
        per_ms: 20_000,
        headers: vec![
            LimitHeader {
                name: "x-gorgias-account-api-call-limit".to_owned(),
                key: None,
                numbers: vec![LimitMeaning::Used, LimitMeaning::Limit],
            },
            LimitHeader {
                name: "retry-after".to_owned(),
                key: None,
                numbers: vec![LimitMeaning::RetryAfter],
            },
        ],
        shared: true,
    }]
}

fn kinds() -> Vec<KindSupport> {
    let settle = || {
        vec![Settle {
            lookup: Lookup::ByKey,
            ms: SETTLE_MS,
        }]
    };
    let base = |of, batch_items, calls, per_items| KindSupport {
        settle: settle(),
        ..kind(of, batch_items, calls, per_items)
    };
    let thread = |of| KindSupport {
        keeps_created_at: true,
        updates: vec![
            update(
                "open",
                vec![UpdateMode::Append, UpdateMode::ChangeFields],
                false,
                "messages that came since are added and the status is set, unless somebody changed it; rules run on both",
            ),
            update(
                "closed",
                vec![UpdateMode::Append, UpdateMode::ChangeFields],
                false,
                "as of an open one; a customer's message opens the ticket, and it is closed again",
            ),
        ],
        ..base(of, 50, 1, 1)
    };
    vec![
        // Before attributes, that a company's name has one of the few fields.
        one_at_a_time(KindSupport {
            can_create: false,
            updates: frozen("companies are no objects of Gorgias"),
            ..base(Kind::Company, 1_000, 0, 1)
        }),
        one_at_a_time(KindSupport {
            can_create: false,
            updates: frozen("brands are values of a ticket field"),
            ..base(Kind::Brand, 1_000, 0, 1)
        }),
        one_at_a_time(KindSupport {
            can_delete: false,
            updates: frozen("a field's type cannot change; fields are archived, never deleted"),
            ..base(Kind::FieldDefinition, 500, 1, 1)
        }),
        one_at_a_time(KindSupport {
            matches: true,
            can_create: false,
            conflicts: vec![key(ConflictScope::Unique, "email", Normalisation::Email)],
            updates: frozen("agents are the account's own"),
            ..base(Kind::Agent, 1_000, 0, 1)
        }),
        // After its members.
        one_at_a_time(KindSupport {
            updates: frozen("teams are matched by name"),
            ..base(Kind::Team, 500, 1, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("tags are matched by name"),
            ..base(Kind::Tag, 1_000, 1, 1)
        }),
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
            ..base(Kind::Customer, 100, 1, 1)
        },
        thread(Kind::Conversation),
        thread(Kind::Message),
        // Two units could change the document of one customer.
        one_at_a_time(KindSupport {
            updates: vec![
                update(
                    "on a ticket",
                    vec![UpdateMode::Frozen],
                    true,
                    "a note stays as it was written",
                ),
                update(
                    "on a customer",
                    vec![UpdateMode::Replace],
                    true,
                    "in the customer's document",
                ),
            ],
            ..base(Kind::CustomObject, 100, 3, 1)
        }),
        one_at_a_time(KindSupport {
            updates: vec![update(
                "any",
                vec![UpdateMode::Append],
                true,
                "in the document of the customer that is pointed to",
            )],
            ..base(Kind::Relationship, 500, 3, 1)
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
            "rules",
            "Rules run on every ticket made, message added and ticket changed, imports included: they reopen, assign, tag and answer",
            Danger,
            Some(
                "a ticket is made with its messages in one call and is not changed afterwards, unless it has more than 500; what a rule did to it is seen in the answer and said",
            ),
            Some(
                "switch all rules off for the migration, or let them leave out the tag imported-<platform>; the plan names those that are on",
            ),
        ),
        side_effect(
            "mails",
            "A message that does not say that it was sent is mailed to the customer",
            Danger,
            Some("every message, notes and those of customers included, says when it was sent"),
            None,
        ),
        side_effect(
            "surveys",
            "Gorgias mails satisfaction surveys about closed tickets",
            Danger,
            Some("judgements that are loaded say that nothing is to be sent"),
            Some("pause the sending of surveys for the migration"),
        ),
        side_effect(
            "webhooks",
            "HTTP integrations are told of tickets made and changed, and of messages",
            Danger,
            None,
            Some(
                "switch HTTP integrations off for the migration; the plan names those that are on",
            ),
        ),
        side_effect(
            "services",
            "Auto-assignment, the AI agent, SLA policies, Slack and mobile notices act on imported tickets as on any",
            Caution,
            Some("finished conversations are closed in the call that makes them"),
            Some("pause them for the migration"),
        ),
        side_effect(
            "invitations",
            "A user who is made is invited by mail",
            Danger,
            Some("no user is made unless `create_agents` is set"),
            None,
        ),
        side_effect(
            "notes-in-shop",
            "Notes of customers go to the shop where the account syncs them",
            Caution,
            None,
            Some("switch the syncing of customer notes off: the source card is a note"),
        ),
        side_effect(
            "billing",
            "A ticket with an agent's or a rule's reply is billed; whether an imported one is, is not stated",
            Caution,
            None,
            Some("ask Gorgias before the migration"),
        ),
        side_effect(
            "fields-stay",
            "Fields cannot be deleted",
            Info,
            Some("a rollback archives those that were made; values of them stay"),
            None,
        ),
        side_effect(
            "stand-in",
            "A customer without an address and a tag are made: for tickets whose customer was not migrated, and to know imported tickets by",
            Info,
            Some("rollback takes both back"),
            None,
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![
        by_product(
            Kind::Attachment,
            "uploaded files, also of tickets that are deleted or were never made",
            "no list shows them and nothing deletes them; a private file is seen by users of the account only",
        ),
        by_product(
            Kind::Conversation,
            "events of the account's trail",
            "GET /api/events; they stay",
        ),
    ]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "status",
            "a snoozed ticket opens when its time comes",
        ),
        system_change(
            Kind::Conversation,
            "assignees",
            "auto-assignment, where none was said",
        ),
        system_change(
            Kind::Conversation,
            "language",
            "guessed, where none was said",
        ),
        system_change(Kind::Conversation, "updated-at", "with each of these"),
        system_change(Kind::Customer, "time-zone", "UTC, where none was said"),
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
