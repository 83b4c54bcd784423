//! What the connector says of itself. Everything the planner tells a user about Zendesk comes from here or from the
//! survey, and the gateway lets out nothing that is not declared here.

use transload_sdk::connector::{
    Auth, AuthScheme, ByProduct, ConflictScope, Description, KindSupport, LimitHeader,
    LimitMeaning, Lookup, Normalisation, Oauth2, RateRule, RefusalMeaning, RefusedAnswer,
    RequestPattern, Role, Settle, SideEffect, SideEffectSeverity, SystemChange, TokenRequestFormat,
    UpdateMode, fidelity_table, rebuild_table,
};
use transload_sdk::declare::{
    by_product, frozen, key, kind, one_at_a_time, pattern, refused, scheme, side_effect,
    system_change, update,
};
use transload_sdk::types::Kind;

use crate::state::SCHEMA;
use crate::write::{SETTLE_BY_INDEX_MS, SETTLE_BY_KEY_MS};

/// A minute, ms.
const MINUTE: u64 = 60_000;

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "zendesk".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Zendesk Support".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        auth: auth(),
        base_url: "https://{subdomain}.zendesk.com".to_owned(),
        hosts: Vec::new(),
        requests: requests(),
        refusals: refusals(),
        rate_rules: rate_rules(),
        kinds: kinds(),
        fidelity: fidelity_table(FIDELITY),
        side_effects: side_effects(),
        by_products: by_products(),
        system_changes: system_changes(),
        text_limits: Vec::new(),
        rebuilds: rebuild_table(REBUILDS),
        notes: [
            "Tickets are loaded by the import API, all of a ticket in its one call; numbers of tickets are Zendesk's own.",
            "Finished conversations are loaded as closed: solved ones would be closed and frozen by Zendesk within 28 days.",
            "What Zendesk has no field for stands on a private source card, the last comment of a ticket or the notes of a user.",
            "At best 20 calls for 1,000 conversations without files (10 jobs, 10 polls), one more for each file.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn auth() -> Vec<AuthScheme> {
    let oauth = |refresh: bool| Oauth2 {
        token_url: "/oauth/tokens".to_owned(),
        client_id: "{client_id}".to_owned(),
        client_secret: "{secret:client_secret}".to_owned(),
        scope: Some("read write".to_owned()),
        refresh_token: refresh.then(|| "{secret:refresh_token}".to_owned()),
        format: TokenRequestFormat::Json,
        extra: Vec::new(),
        prefix: None,
    };
    vec![
        scheme(
            "oauth-client",
            "OAuth client of an admin",
            Auth::ClientCredentials(oauth(false)),
            Some("acts as the user who owns the client, who must be an admin"),
        ),
        scheme(
            "oauth-refresh",
            "OAuth refresh token of an admin",
            Auth::RefreshToken(oauth(true)),
            Some("refresh tokens are used once; the host keeps the next one"),
        ),
        scheme(
            "access-token",
            "OAuth access token",
            Auth::Bearer("{secret:access_token}".to_owned()),
            None,
        ),
        scheme(
            "api-token",
            "API token",
            Auth::Basic(("{email}/token".to_owned(), "{secret:api_token}".to_owned())),
            Some("none can be made since 27 October 2026; all end on 30 April 2027"),
        ),
    ]
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/api/v2/**"),
        // Files, by the address that comments show.
        ("GET", "/attachments/**"),
        ("POST", "/api/v2/imports/tickets"),
        ("POST", "/api/v2/imports/tickets/create_many"),
        ("POST", "/api/v2/uploads"),
        ("POST", "/api/v2/users"),
        ("POST", "/api/v2/users/create_many"),
        ("PUT", "/api/v2/users/*"),
        ("POST", "/api/v2/users/*/identities"),
        ("DELETE", "/api/v2/users/*/identities/*"),
        ("DELETE", "/api/v2/users/*"),
        ("DELETE", "/api/v2/deleted_users/*"),
        ("POST", "/api/v2/organizations"),
        ("PUT", "/api/v2/organizations/*"),
        ("DELETE", "/api/v2/organizations/*"),
        ("POST", "/api/v2/groups"),
        ("DELETE", "/api/v2/groups/*"),
        ("POST", "/api/v2/group_memberships"),
        ("DELETE", "/api/v2/group_memberships/*"),
        ("POST", "/api/v2/ticket_fields"),
        ("POST", "/api/v2/ticket_fields/*/options"),
        ("DELETE", "/api/v2/ticket_fields/*/options/*"),
        ("DELETE", "/api/v2/ticket_fields/*"),
        ("POST", "/api/v2/user_fields"),
        ("DELETE", "/api/v2/user_fields/*"),
        ("POST", "/api/v2/organization_fields"),
        ("DELETE", "/api/v2/organization_fields/*"),
        ("POST", "/api/v2/custom_objects"),
        ("DELETE", "/api/v2/custom_objects/*"),
        ("POST", "/api/v2/custom_objects/*/fields"),
        ("DELETE", "/api/v2/custom_objects/*/fields/*"),
        ("POST", "/api/v2/custom_objects/*/jobs"),
        ("PATCH", "/api/v2/custom_objects/*/records/*"),
        ("DELETE", "/api/v2/custom_objects/*/records/*"),
        ("DELETE", "/api/v2/tickets/destroy_many"),
        ("DELETE", "/api/v2/deleted_tickets/destroy_many"),
    ]
    .into_iter()
    .map(|(method, path)| pattern(method, path, method == "GET"))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    vec![
        refused(429, Some("TooManyJobs"), RefusalMeaning::Busy),
        refused(429, None, RefusalMeaning::SlowDown),
        refused(401, None, RefusalMeaning::RenewCredential),
        // A concurrent change of the same record (Zendesk facts §4).
        refused(409, None, RefusalMeaning::Rejected),
    ]
}

fn header(name: &str, key: Option<&str>, meaning: LimitMeaning) -> LimitHeader {
    LimitHeader {
        name: name.to_owned(),
        key: key.map(str::to_owned),
        numbers: vec![meaning],
    }
}

/// A bucket of its own: `total=100; remaining=99; resets=41`.
fn bucket(name: &str) -> Vec<LimitHeader> {
    vec![
        header(name, Some("total"), LimitMeaning::Limit),
        header(name, Some("remaining"), LimitMeaning::Remaining),
        header(name, Some("resets"), LimitMeaning::ResetSeconds),
    ]
}

fn rate_rules() -> Vec<RateRule> {
    let rule = |name: &str, method: &str, path: &str, limit, per_ms, headers, shared| RateRule {
        name: name.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        costs: Vec::new(),
        limit,
        per_ms,
        headers,
        shared,
    };
    let account = vec![
        header("x-rate-limit", None, LimitMeaning::Limit),
        header("x-rate-limit-remaining", None, LimitMeaning::Remaining),
        header("ratelimit-limit", None, LimitMeaning::Limit),
        header("ratelimit-remaining", None, LimitMeaning::Remaining),
        header("ratelimit-reset", None, LimitMeaning::ResetSeconds),
        header("retry-after", None, LimitMeaning::RetryAfter),
    ];
    let index = bucket("zendesk-ratelimit-tickets-index");
    let search = bucket("zendesk-ratelimit-search-index");
    vec![
        // The smallest plan's; headers raise it (Zendesk facts §2).
        rule("account", "*", "/api/v2/**", 200, MINUTE, account, true),
        rule(
            "user-update",
            "PUT",
            "/api/v2/users/*",
            1,
            1_000,
            Vec::new(),
            true,
        ),
        rule(
            "user-purge",
            "DELETE",
            "/api/v2/deleted_users/*",
            700,
            10 * MINUTE,
            Vec::new(),
            true,
        ),
        rule(
            "tickets-index",
            "GET",
            "/api/v2/tickets",
            100,
            MINUTE,
            index,
            true,
        ),
        rule("search", "GET", "/api/v2/search", 100, MINUTE, search, true),
        rule(
            "options",
            "POST",
            "/api/v2/ticket_fields/*/options",
            100,
            MINUTE,
            Vec::new(),
            true,
        ),
    ]
}

fn kinds() -> Vec<KindSupport> {
    let settle = || {
        vec![
            Settle {
                lookup: Lookup::ByKey,
                ms: SETTLE_BY_KEY_MS,
            },
            Settle {
                lookup: Lookup::ByIndex,
                ms: SETTLE_BY_INDEX_MS,
            },
        ]
    };
    let changing = || {
        vec![update(
            "any",
            vec![UpdateMode::ChangeFields],
            true,
            "one change a second for the account",
        )]
    };
    let base = |of, batch_items, calls, per_items| KindSupport {
        settle: settle(),
        ..kind(of, batch_items, calls, per_items)
    };
    vec![
        one_at_a_time(KindSupport {
            updates: frozen("groups are matched by name"),
            ..base(Kind::Team, 500, 2, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("an object's key cannot change"),
            ..base(Kind::ObjectType, 50, 12, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("a field's type cannot change"),
            ..base(Kind::FieldDefinition, 200, 1, 1)
        }),
        // After the fields that hold their attributes.
        one_at_a_time(KindSupport {
            matches: true,
            conflicts: vec![key(ConflictScope::Unique, "email", Normalisation::Email)],
            updates: vec![update(
                "any",
                vec![UpdateMode::ChangeFields],
                true,
                "custom attributes only: agents are the account's own",
            )],
            ..base(Kind::Agent, 1_000, 1, 1)
        }),
        KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("a tag is what its carriers have"),
            max_concurrency: Some(1),
            ..base(Kind::Tag, 20_000, 0, 1)
        },
        KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("brands are made by a person, who chooses their subdomain"),
            ..base(Kind::Brand, 1_000, 0, 1)
        },
        // Two organizations with one name at the same moment could both pass (Zendesk facts §7).
        one_at_a_time(KindSupport {
            matches: true,
            conflicts: vec![key(
                ConflictScope::Unique,
                "name",
                Normalisation::TrimmedLower,
            )],
            updates: changing(),
            ..base(Kind::Company, 100, 1, 1)
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
            updates: changing(),
            ..base(Kind::Customer, 100, 1, 1)
        },
        KindSupport {
            keeps_created_at: true,
            // A ticket waits for its organization and requester to be at rest.
            max_concurrency: Some(10),
            updates: vec![
                update(
                    "open",
                    vec![UpdateMode::Frozen],
                    true,
                    "a change would wake triggers, which mail: a loaded ticket stays as it was loaded",
                ),
                update(
                    "closed",
                    vec![UpdateMode::Frozen],
                    true,
                    "closed tickets are frozen: a loaded ticket stays as it was loaded",
                ),
            ],
            // A job and its poll.
            ..base(Kind::Conversation, 100, 2, 100)
        },
        KindSupport {
            keeps_created_at: true,
            updates: frozen("a comment cannot be changed"),
            ..base(Kind::Message, 100, 2, 100)
        },
        KindSupport {
            updates: changing(),
            ..base(Kind::CustomObject, 100, 4, 100)
        },
        // Two units could add to the text of one record.
        one_at_a_time(KindSupport {
            updates: changing(),
            ..base(Kind::Relationship, 500, 5, 100)
        }),
    ]
}

/// How each field travels, one a line.
const FIDELITY: &str = include_str!("fidelity.txt");
/// With what a source\'s inventory is rebuilt, one sort of thing a line.
const REBUILDS: &str = include_str!("rebuild.txt");

fn side_effects() -> Vec<SideEffect> {
    use SideEffectSeverity::{Caution, Danger, Info};
    vec![
        side_effect(
            "triggers",
            "Triggers mail customers about new tickets and comments",
            Danger,
            Some(
                "tickets go through the import API, which runs none, and are never changed afterwards",
            ),
            None,
        ),
        side_effect(
            "automations",
            "Automations act hourly on tickets that are not closed, imported ones included, and may mail",
            Danger,
            Some(
                "finished conversations are loaded as closed; every ticket carries a tag that automations can leave out",
            ),
            Some("pause automations that mail, or let them leave out the tag imported_<platform>"),
        ),
        side_effect(
            "later-updates",
            "The next change of an imported open ticket runs triggers, as on any ticket",
            Caution,
            None,
            Some(
                "no bulk edits of imported tickets before triggers leave out the tag imported_<platform>",
            ),
        ),
        side_effect(
            "welcome-mails",
            "New users get a mail to verify their address",
            Danger,
            Some("users are made verified and without that mail"),
            None,
        ),
        side_effect(
            "auto-close",
            "Solved tickets are closed, and so frozen, 4 days after solving by the usual automation and after 28 days by the system",
            Caution,
            Some(
                "finished conversations are loaded as closed at once unless the status map says solved",
            ),
            Some("validate and roll back before; closed tickets can be deleted but not edited"),
        ),
        side_effect(
            "seats",
            "Agents take paid seats",
            Caution,
            Some("no agent is made unless `create_agents` is set"),
            None,
        ),
        side_effect(
            "stand-in",
            "An end user without an address is made: the requester of tickets whose customer was not migrated",
            Info,
            Some("rollback takes it back unless somebody wrote to it"),
            None,
        ),
        side_effect(
            "agent-fields",
            "Custom attributes of agents are written to fields of the agents' users",
            Info,
            Some(
                "only empty fields are filled, unless the policy for agents says otherwise; rollback empties them again",
            ),
            None,
        ),
        side_effect(
            "domain-mapping",
            "Zendesk adds users to the organization that has their e-mail domain",
            Info,
            Some("organizations' domains are not set unless `organization_domains` is set"),
            None,
        ),
        side_effect(
            "storage",
            "Files and records count against the account's storage",
            Info,
            None,
            None,
        ),
        side_effect(
            "object-triggers",
            "Object triggers may run on new records",
            Caution,
            None,
            Some("pause object triggers"),
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![
        by_product(
            Kind::Customer,
            "organization memberships by e-mail domain",
            "GET /api/v2/users/{id}/organization_memberships; they go with the user",
        ),
        by_product(
            Kind::Tag,
            "tags of option and checkbox values on tickets",
            "tags of the ticket; they go with it",
        ),
        by_product(
            Kind::Agent,
            "membership of the default group of an agent that was made",
            "GET /api/v2/users/{id}/group_memberships; they go with the user",
        ),
        by_product(
            Kind::Attachment,
            "uploads that no ticket claimed",
            "expire after an hour",
        ),
    ]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "status",
            "solved becomes closed after 4 to 28 days; new becomes open once assigned",
        ),
        system_change(Kind::Conversation, "updated-at", "with each of these"),
        system_change(
            Kind::Conversation,
            "tags",
            "those of field values and of people and organizations are added",
        ),
        system_change(
            Kind::Conversation,
            "group",
            "the assignee's default group where none was said",
        ),
        system_change(Kind::Message, "html", "sanitised and wrapped"),
        system_change(
            Kind::Customer,
            "company",
            "set by the e-mail's domain where none was said",
        ),
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
}
