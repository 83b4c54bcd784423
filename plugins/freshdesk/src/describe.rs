//! What the connector says of itself. Everything the planner tells a user about Freshdesk comes from here or from the survey, and
//! the gateway lets out nothing that is not declared here.

use transload_sdk::connector::{
    Auth, ByProduct, ConflictScope, Description, KindSupport, LimitHeader, LimitMeaning, Lookup,
    Normalisation, RateRule, RefusalMeaning, RefusedAnswer, RequestPattern, Role, Settle,
    SideEffect, SideEffectSeverity, SystemChange, UpdateMode, fidelity_table, rebuild_table,
};
use transload_sdk::declare::{
    by_product, frozen, key, kind, one_at_a_time, pattern, refused, scheme, side_effect,
    system_change, text_limit, update,
};
use transload_sdk::types::Kind;

use crate::map::TAG_CHARS;
use crate::state::SCHEMA;
use crate::text::SUBJECT_CHARS;
use crate::write::{SETTLE_BY_INDEX_MS, SETTLE_BY_KEY_MS};

/// A minute, ms.
const MINUTE: u64 = 60_000;

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "freshdesk".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Freshdesk".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        // Any password will do (Freshdesk facts §1).
        auth: vec![scheme(
            "api-key",
            "API key of an account administrator",
            Auth::Basic(("{secret:api_key}".to_owned(), "X".to_owned())),
            Some("the key belongs to an agent and has that agent's rights"),
        )],
        base_url: "https://{domain}.freshdesk.com".to_owned(),
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
        notes: NOTES.map(str::to_owned).to_vec(),
    }
}

const NOTES: [&str; 4] = [
    "Original times are kept only through the migration API, which Freshworks opens on request; else every text says when it was.",
    "Custom objects are made by an administrator first, by the sheet in the connector's README; else their records are exported.",
    "What Freshdesk has no field for stands on a private source card: a note of a ticket, the description of a contact.",
    "At best one call for a conversation and one for each further message; files ride along.",
];

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/api/v2/**"),
        // Files, by the address that answers show.
        ("GET", "/attachments/**"),
        ("GET", "/api/channel/v2/tickets"),
        ("POST", "/api/channel/v2/tickets"),
        ("PUT", "/api/channel/v2/tickets/*"),
        ("POST", "/api/channel/v2/tickets/*/notes"),
        ("POST", "/api/v2/tickets"),
        ("PUT", "/api/v2/tickets/*"),
        ("DELETE", "/api/v2/tickets/*"),
        ("POST", "/api/v2/tickets/bulk_update"),
        ("POST", "/api/v2/tickets/bulk_delete"),
        ("POST", "/api/v2/tickets/*/notes"),
        ("PUT", "/api/v2/conversations/*"),
        ("DELETE", "/api/v2/tickets/archived/*"),
        ("DELETE", "/api/v2/conversations/*"),
        ("POST", "/api/v2/contacts"),
        ("PUT", "/api/v2/contacts/*"),
        ("DELETE", "/api/v2/contacts/*"),
        ("DELETE", "/api/v2/contacts/*/hard_delete"),
        ("POST", "/api/v2/companies"),
        ("PUT", "/api/v2/companies/*"),
        ("DELETE", "/api/v2/companies/*"),
        ("POST", "/api/v2/agents"),
        ("DELETE", "/api/v2/agents/*"),
        ("POST", "/api/v2/groups"),
        ("PUT", "/api/v2/groups/*"),
        ("DELETE", "/api/v2/groups/*"),
        ("POST", "/api/v2/admin/ticket_fields"),
        ("PUT", "/api/v2/admin/ticket_fields/*"),
        ("DELETE", "/api/v2/admin/ticket_fields/*"),
        ("POST", "/api/v2/contact_fields"),
        ("DELETE", "/api/v2/contact_fields/*"),
        ("POST", "/api/v2/company_fields"),
        ("DELETE", "/api/v2/company_fields/*"),
        ("POST", "/api/v2/admin/contact_fields"),
        ("DELETE", "/api/v2/admin/contact_fields/*"),
        ("POST", "/api/v2/admin/company_fields"),
        ("DELETE", "/api/v2/admin/company_fields/*"),
        ("POST", "/api/v2/custom_objects/schemas/*/records"),
        ("PUT", "/api/v2/custom_objects/schemas/*/records/*"),
        ("DELETE", "/api/v2/custom_objects/schemas/*/records/*"),
    ]
    .into_iter()
    .map(|(method, path)| pattern(method, path, method == "GET"))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    vec![
        refused(429, None, RefusalMeaning::SlowDown),
        // An API key cannot be renewed; and 401 is also what an account without the migration API may say to a call of it
        // (Freshdesk facts §0), which is no end of the run.
        refused(401, None, RefusalMeaning::Rejected),
    ]
}

fn rate_rules() -> Vec<RateRule> {
    let header = |name: &str, meaning| LimitHeader {
        name: name.to_owned(),
        key: None,
        numbers: vec![meaning],
    };
    let rule = |name: &str, method: &str, path: &str, limit, headers| RateRule {
        name: name.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        costs: Vec::new(),
        limit,
        per_ms: MINUTE,
        headers,
        shared: true,
    };
    let account = vec![
        header("x-ratelimit-total", LimitMeaning::Limit),
        header("x-ratelimit-remaining", LimitMeaning::Remaining),
        header("x-ratelimit-used-currentrequest", LimitMeaning::Cost),
        header("retry-after", LimitMeaning::RetryAfter),
    ];
    vec![
        // A trial's; headers raise it (Freshdesk facts §2).
        rule("account", "*", "/api/**", 50, account),
        // Those of the largest plan, since no header tells them: in a smaller one the account's own limit is met first, or a
        // 429 says how long to wait.
        rule("ticket-create", "POST", "/api/v2/tickets", 280, Vec::new()),
        rule("ticket-update", "PUT", "/api/v2/tickets/*", 280, Vec::new()),
        rule("ticket-list", "GET", "/api/v2/tickets", 200, Vec::new()),
        rule("contact-list", "GET", "/api/v2/contacts", 200, Vec::new()),
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
    let changing = || vec![update("any", vec![UpdateMode::ChangeFields], true, "")];
    let base = |of, batch_items, calls, per_items| KindSupport {
        settle: settle(),
        ..kind(of, batch_items, calls, per_items)
    };
    let added = [UpdateMode::Append, UpdateMode::ChangeFields];
    let wakes = "automations and mails see it, where they are on";
    vec![
        one_at_a_time(KindSupport {
            updates: frozen("groups are matched by name"),
            ..base(Kind::Team, 500, 1, 1)
        }),
        KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("custom objects are made by an administrator"),
            ..base(Kind::ObjectType, 50, 0, 1)
        },
        one_at_a_time(KindSupport {
            updates: frozen("a field's type cannot change"),
            ..base(Kind::FieldDefinition, 200, 1, 1)
        }),
        one_at_a_time(KindSupport {
            matches: true,
            conflicts: vec![key(ConflictScope::Unique, "email", Normalisation::Email)],
            updates: frozen("agents are the account's own"),
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
            updates: frozen("products are made by a person"),
            ..base(Kind::Brand, 1_000, 0, 1)
        },
        KindSupport {
            matches: true,
            conflicts: vec![key(
                ConflictScope::Unique,
                "name",
                Normalisation::TrimmedLower,
            )],
            updates: changing(),
            ..base(Kind::Company, 100, 1, 1)
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
            updates: changing(),
            ..base(Kind::Customer, 100, 1, 1)
        },
        KindSupport {
            keeps_created_at: true,
            matches: true,
            updates: vec![
                update("open", added.to_vec(), false, wakes),
                update("closed", added.to_vec(), false, wakes),
                update(
                    "archived",
                    vec![UpdateMode::Frozen],
                    true,
                    "archived tickets are read-only",
                ),
            ],
            // A ticket and five notes, which is what six messages are, and some of a job that closes.
            ..base(Kind::Conversation, 20, 61, 10)
        },
        KindSupport {
            keeps_created_at: true,
            updates: frozen("a note on a customer stays as it was loaded"),
            ..base(Kind::Message, 20, 21, 10)
        },
        KindSupport {
            updates: changing(),
            // Records that no custom object holds are named in a text of theirs.
            conflicts: ["customer", "company"]
                .map(|path| key(ConflictScope::Lock, path, Normalisation::Exact))
                .to_vec(),
            ..base(Kind::CustomObject, 100, 1, 1)
        },
        // Two units could add to the text of one record.
        one_at_a_time(KindSupport {
            updates: changing(),
            ..base(Kind::Relationship, 200, 2, 1)
        }),
    ]
}

/// How each field travels, one a line.
const FIDELITY: &str = concat!(
    include_str!("fidelity.txt"),
    "\n",
    include_str!("fidelity.threads.txt")
);
/// With what a source\'s inventory is rebuilt, one sort of thing a line.
const REBUILDS: &str = include_str!("rebuild.txt");

fn side_effects() -> Vec<SideEffect> {
    use SideEffectSeverity::{Caution, Danger, Info};
    vec![
        side_effect(
            "mails",
            "Freshdesk mails customers about new tickets, public notes and closing, and agents about assignments, where these \
             notifications are on",
            Danger,
            Some("history is never sent as a reply, and no note names anybody to be told"),
            Some(
                "switch off all templates under Admin › Email notifications (requester, agent, CC), satisfaction surveys and SLA \
                 reminders; put them back after the cut-over",
            ),
        ),
        side_effect(
            "automations",
            "Automation rules, SLA clocks, assignment in turn and web hooks run on tickets that are made through the API",
            Danger,
            None,
            Some(
                "switch off automations and automatic assignment; put them back after the cut-over",
            ),
        ),
        side_effect(
            "activation-mails",
            "New contacts with an address get an activation mail where `user activation` is on",
            Danger,
            None,
            Some("switch off Admin › Email notifications › User activation"),
        ),
        side_effect(
            "invitations",
            "New agents are invited by e-mail",
            Caution,
            Some("no agent is made unless `create_agents` is set"),
            None,
        ),
        side_effect(
            "seats",
            "Agents take licences",
            Caution,
            Some("no agent is made unless `create_agents` is set"),
            None,
        ),
        side_effect(
            "stand-in",
            "A contact without an address is made: the requester of tickets whose customer was not migrated",
            Info,
            Some("rollback takes it back unless somebody wrote to it"),
            None,
        ),
        side_effect(
            "archive",
            "Closed tickets that nobody touches for 120 days are archived: they can be read and no longer changed or searched",
            Info,
            None,
            Some("validate and roll back before"),
        ),
        side_effect(
            "trash",
            "Deleted tickets stay in the trash for 30 days; there is no call that empties it",
            Info,
            Some("those of contacts that the run made go for good with the contact"),
            Some("empty the trash by hand where that must not wait"),
        ),
        side_effect(
            "domain-linking",
            "Freshdesk adds contacts to the company that has their e-mail domain",
            Info,
            Some("companies' domains are not set unless `company_domains` is set"),
            None,
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![
        by_product(
            Kind::Customer,
            "company of a contact, by the e-mail's domain",
            "GET /api/v2/contacts/{id}; it goes with the contact",
        ),
        by_product(
            Kind::Tag,
            "tags in the list of suggestions",
            "seen in the UI only; they stay after a rollback",
        ),
        by_product(
            Kind::Customer,
            "a contact for each agent that was made and is deleted",
            "GET /api/v2/contacts/{id} with the agent's id; rollback deletes it",
        ),
    ]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "updated-at",
            "with SLA clocks, automations and later notes",
        ),
        system_change(Kind::Message, "html", "sanitised and wrapped in a div"),
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
