//! What the connector says of itself. Everything the planner tells a user about HubSpot comes from here or from the survey, and
//! the gateway lets out nothing that is not declared here.

use transload_sdk::connector::{
    Auth, AuthScheme, ByProduct, ConflictScope, Description, KindSupport, LimitHeader,
    LimitMeaning, Lookup, Normalisation, Oauth2, RateRule, RefusalMeaning, RefusedAnswer,
    RequestPattern, Role, Settle, SideEffect, SideEffectSeverity, SystemChange, TokenRequestFormat,
    UpdateMode, fidelity_table, rebuild_table,
};
use transload_sdk::declare::{
    by_product, frozen, key, kind, one_at_a_time, pattern, refused, scheme, side_effect,
    system_change, text_limit, update,
};
use transload_sdk::types::Kind;

use crate::client::{ROWS, SETTLE_MS};
use crate::state::SCHEMA;
use crate::text::BODY_CHARS;

/// A second and a day, ms.
const SECOND: u64 = 1_000;
const DAY: u64 = 86_400_000;
/// Conversations of a unit, and their bytes: enough that the requests for each type of activity are full.
const THREADS: u32 = 500;
const THREAD_BYTES: u64 = 16_000_000;
/// How each field travels, one a line.
const FIDELITY: &str = include_str!("fidelity.txt");
/// With what a source\'s inventory is rebuilt, one sort of thing a line.
const REBUILDS: &str = include_str!("rebuild.txt");

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "hubspot".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "HubSpot Service Hub".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        auth: auth(),
        base_url: "https://api.hubapi.com".to_owned(),
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
            text_limit(Kind::Conversation, "conversation.subject", BODY_CHARS),
        ],
        rebuilds: rebuild_table(REBUILDS),
        notes: [
            "Every record carries its source id in the unique property transload_source_id; a second run finds what the first one made.",
            "Messages become activities of a ticket with their own time; a ticket made by the API has no thread in the help desk, so agents see its history on the timeline.",
            "What HubSpot has no property for stands on the source card, in the property transload_source_card.",
            "Rollback leaves what it deletes in the recycle bin for 90 days, but e-mails, which are gone; names of deleted properties stay taken as long, so the next run's have a number behind them.",
            "Companies that HubSpot makes by itself from e-mail addresses are not this run's: rollback leaves them.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn auth() -> Vec<AuthScheme> {
    vec![
        scheme(
            "access-token",
            "Service key",
            Auth::Bearer("{secret:access_token}".to_owned()),
            Some(
                "a service key, or a private app's token where there is one; both begin with pat-",
            ),
        ),
        scheme(
            "oauth",
            "OAuth app",
            Auth::RefreshToken(Oauth2 {
                token_url: "/oauth/v1/token".to_owned(),
                client_id: "{client_id}".to_owned(),
                client_secret: "{secret:client_secret}".to_owned(),
                scope: None,
                refresh_token: Some("{secret:refresh_token}".to_owned()),
                format: TokenRequestFormat::Form,
                extra: Vec::new(),
                prefix: None,
            }),
            Some("an app that the account has installed; 110 calls in ten seconds"),
        ),
    ]
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/account-info/**", true),
        ("GET", "/crm/**", true),
        ("GET", "/crm-object-schemas/**", true),
        ("GET", "/settings/v3/users/teams", true),
        ("GET", "/files/**", true),
        ("POST", "/crm/objects/*/*/batch/read", true),
        ("POST", "/crm/objects/*/*/search", true),
        ("POST", "/crm/associations/*/*/*/batch/read", true),
        ("POST", "/crm/objects/*/*/batch/create", false),
        ("POST", "/crm/objects/*/*/batch/update", false),
        ("POST", "/crm/objects/*/*/batch/archive", false),
        ("POST", "/crm/associations/*/*/*/batch/create", false),
        ("POST", "/crm/associations/*/*/*/batch/archive", false),
        (
            "POST",
            "/crm/associations/*/*/*/batch/labels/archive",
            false,
        ),
        ("POST", "/crm/associations/*/*/*/labels", false),
        ("DELETE", "/crm/associations/*/*/*/labels/*", false),
        ("POST", "/crm/properties/*/*", false),
        ("POST", "/crm/properties/*/*/batch/create", false),
        ("POST", "/crm/properties/*/*/groups", false),
        ("PATCH", "/crm/properties/*/*/*", false),
        ("DELETE", "/crm/properties/*/*/*", false),
        ("DELETE", "/crm/properties/*/*/groups/*", false),
        ("POST", "/crm/pipelines/*/tickets", false),
        ("DELETE", "/crm/pipelines/*/tickets/*", false),
        ("POST", "/crm-object-schemas/*/schemas", false),
        ("DELETE", "/crm-object-schemas/*/schemas/*", false),
        (
            "POST",
            "/crm-object-schemas/*/schemas/*/associations",
            false,
        ),
        (
            "DELETE",
            "/crm-object-schemas/*/schemas/*/associations/*",
            false,
        ),
        ("POST", "/files/*/files", false),
        ("DELETE", "/files/*/files/*", false),
        ("POST", "/files/*/folders", false),
        ("DELETE", "/files/*/folders/*", false),
    ]
    .into_iter()
    .map(|(method, path, reads)| pattern(method, path, reads))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    vec![
        // HubSpot facts §2.
        refused(429, Some("DAILY"), RefusalMeaning::Quota),
        refused(429, Some("daily limit"), RefusalMeaning::Quota),
        refused(423, None, RefusalMeaning::Busy),
        refused(477, None, RefusalMeaning::SlowDown),
    ]
}

fn rate_rules() -> Vec<RateRule> {
    let header = |name: &str, meaning: LimitMeaning| LimitHeader {
        name: name.to_owned(),
        key: None,
        numbers: vec![meaning],
    };
    let rule =
        |name: &str, path: &str, limit: u32, per_ms: u64, headers: Vec<LimitHeader>| RateRule {
            name: name.to_owned(),
            method: "*".to_owned(),
            path: path.to_owned(),
            limit,
            per_ms,
            headers,
            costs: Vec::new(),
            shared: true,
        };
    vec![
        // Those of the smallest plans; the headers raise them (HubSpot facts §2).
        rule(
            "ten seconds",
            "/**",
            100,
            10 * SECOND,
            vec![
                header("x-hubspot-ratelimit-max", LimitMeaning::Limit),
                header("x-hubspot-ratelimit-remaining", LimitMeaning::Remaining),
            ],
        ),
        rule(
            "daily",
            "/**",
            250_000,
            DAY,
            vec![
                header("x-hubspot-ratelimit-daily", LimitMeaning::Limit),
                header(
                    "x-hubspot-ratelimit-daily-remaining",
                    LimitMeaning::Remaining,
                ),
            ],
        ),
        // No headers speak of these.
        rule("search", "/crm/objects/*/*/search", 4, SECOND, Vec::new()),
        rule(
            "links",
            "/crm/associations/**",
            100,
            10 * SECOND,
            Vec::new(),
        ),
        rule(
            "links daily",
            "/crm/associations/**",
            500_000,
            DAY,
            Vec::new(),
        ),
    ]
}

fn kinds() -> Vec<KindSupport> {
    // By the unique marker, or by the links of the ticket, which are read by key (HubSpot facts §0.5, §17).
    let settle = || {
        vec![Settle {
            lookup: Lookup::ByKey,
            ms: SETTLE_MS,
        }]
    };
    let flows = "workflows, validation rules and notifications of the account run";
    let changing = || vec![update("any", vec![UpdateMode::ChangeFields], false, flows)];
    let rows = u32::try_from(ROWS).unwrap_or(u32::MAX);
    let base = |of, batch_items, calls, per_items| KindSupport {
        settle: settle(),
        ..kind(of, batch_items, calls, per_items)
    };
    vec![
        one_at_a_time(KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("teams are matched by name"),
            ..base(Kind::Team, 500, 1, 500)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("an object's name cannot change"),
            ..base(Kind::ObjectType, 10, 2, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("a property's type is left as it is"),
            ..base(Kind::FieldDefinition, 200, 1, 1)
        }),
        one_at_a_time(KindSupport {
            matches: true,
            can_create: false,
            can_delete: false,
            conflicts: vec![key(ConflictScope::Unique, "email", Normalisation::Email)],
            updates: frozen("owners are the account's own"),
            ..base(Kind::Agent, 1_000, 2, 1_000)
        }),
        // All options of a property are sent at once (HubSpot facts §10.4).
        one_at_a_time(KindSupport {
            updates: frozen("a tag is what its carriers have"),
            ..base(Kind::Tag, 5_000, 6, 5_000)
        }),
        one_at_a_time(KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("a brand is text on its tickets"),
            ..base(Kind::Brand, 1_000, 0, 1)
        }),
        one_at_a_time(KindSupport {
            matches: true,
            conflicts: vec![key(
                ConflictScope::Unique,
                "name",
                Normalisation::TrimmedLower,
            )],
            updates: changing(),
            ..base(Kind::Company, rows, 4, rows)
        }),
        KindSupport {
            matches: true,
            conflicts: vec![
                // No two contacts have one address (HubSpot facts §7).
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
                key(ConflictScope::Lock, "company", Normalisation::Exact),
            ],
            updates: changing(),
            ..base(Kind::Customer, rows, 5, rows)
        },
        KindSupport {
            keeps_created_at: true,
            // Many links of one contact at once would meet its lock (HubSpot facts §2).
            conflicts: vec![key(ConflictScope::Lock, "customer", Normalisation::Exact)],
            updates: vec![
                update("open", vec![UpdateMode::ChangeFields], false, flows),
                update(
                    "closed",
                    vec![UpdateMode::ChangeFields],
                    false,
                    "a change moves its last modification; workflows and validation rules of the account run",
                ),
            ],
            // Ten messages each, of four types of activities, a hundred a request; sixty calls at best.
            batch_bytes: THREAD_BYTES,
            ..base(Kind::Conversation, THREADS, 60, THREADS)
        },
        KindSupport {
            keeps_created_at: true,
            updates: frozen("an activity is left as it was loaded"),
            batch_bytes: THREAD_BYTES,
            ..base(Kind::Message, THREADS, 6, THREADS)
        },
        KindSupport {
            updates: changing(),
            matches: true,
            ..base(Kind::CustomObject, rows, 2, rows)
        },
        // Two units could replace the labels of one link.
        one_at_a_time(KindSupport {
            updates: frozen("a link is there or not"),
            ..base(Kind::Relationship, 1_000, 4, 1_000)
        }),
    ]
}

fn side_effects() -> Vec<SideEffect> {
    use SideEffectSeverity::{Caution, Danger, Info};
    vec![
        side_effect(
            "workflows",
            "Workflows run on records that are made, as on any: they may mail customers",
            Danger,
            None,
            Some(
                "switch off workflows on contacts, companies and tickets, or let them pass over records with transload_run",
            ),
        ),
        side_effect(
            "pipeline-automation",
            "Stages of a pipeline may mail the customer, make tasks and start SLA clocks",
            Danger,
            Some(
                "tickets go into a pipeline of their own, which has no automation, unless the settings name another",
            ),
            Some(
                "where a pipeline of yours is named: switch its automation and SLA off until the migration has ended",
            ),
        ),
        side_effect(
            "owner-notifications",
            "Owners may be notified of tickets that are assigned to them",
            Caution,
            Some("none where assign_owners is false"),
            Some("let owners switch off notifications of assigned tickets"),
        ),
        side_effect(
            "auto-companies",
            "HubSpot makes companies from contacts' e-mail addresses and links them, where that setting is on",
            Caution,
            None,
            Some(
                "Settings › Objects › Companies: switch off \"Create and associate companies with contacts\"",
            ),
        ),
        side_effect(
            "marketing-contacts",
            "Contacts made by a key may count as marketing contacts, which are paid for",
            Caution,
            Some("nothing is said of it, so the key's own setting counts"),
            Some("see that what the key makes is set to non-marketing"),
        ),
        side_effect(
            "files",
            "Files count against the account's storage",
            Info,
            Some("they are private unless the settings say otherwise, in a folder of the run"),
            None,
        ),
        side_effect(
            "schema",
            "Properties in a group `transload`, a ticket pipeline, custom objects and labels of links are made",
            Info,
            Some(
                "what is there is used; rollback deletes what was made and holds nothing of others",
            ),
            None,
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![
        by_product(
            Kind::Company,
            "a company made from a contact's e-mail domain, and its link",
            "companies with createdate in the run's window and hs_object_source other than INTEGRATION",
        ),
        by_product(
            Kind::Customer,
            "the link to a company of the same domain",
            "associations of the contact with companies",
        ),
        by_product(
            Kind::Conversation,
            "tasks, notifications and further records that the account's workflows make",
            "records with createdate in the run's window without transload_run",
        ),
        by_product(
            Kind::Attachment,
            "the folder of a file",
            "/transload/<run>; an empty one goes with the rollback of what is in it",
        ),
    ]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "updated-at",
            "moves with every activity, link and workflow",
        ),
        system_change(
            Kind::Conversation,
            "closed-at",
            "stamped when a ticket is in a closed stage, where it may not be given",
        ),
        system_change(
            Kind::Company,
            "updated-at",
            "moves with its contacts and tickets",
        ),
        system_change(
            Kind::Customer,
            "updated-at",
            "moves with its tickets and activities",
        ),
        system_change(
            Kind::Customer,
            "lifecyclestage",
            "set by what it is linked to",
        ),
        system_change(Kind::Customer, "addresses.email", "lower case"),
        system_change(Kind::Message, "html", "scripts and styles are taken out"),
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
    fn a_kind_comes_after_those_that_it_refers_to() {
        let order: Vec<Kind> = kinds().into_iter().map(|support| support.kind).collect();
        let at = |kind: Kind| order.iter().position(|k| *k == kind).unwrap();
        assert!(at(Kind::ObjectType) < at(Kind::FieldDefinition));
        assert!(at(Kind::FieldDefinition) < at(Kind::Customer));
        assert!(at(Kind::Tag) < at(Kind::Company));
        assert!(at(Kind::Company) < at(Kind::Customer));
        assert!(at(Kind::Customer) < at(Kind::Conversation));
        assert!(at(Kind::Conversation) < at(Kind::CustomObject));
    }
}
