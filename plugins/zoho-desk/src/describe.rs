//! What the connector says of itself. Everything the planner tells a user about Zoho Desk comes from here or from the survey, and
//! the gateway lets out nothing that is not declared here: no call that sends an e-mail or invites anybody is (Zoho Desk facts §14).

use transload_sdk::connector::{
    Auth, AuthScheme, ByProduct, ConflictScope, Description, KindSupport, LimitHeader,
    LimitMeaning, Lookup, Normalisation, Oauth2, RateRule, RefusalMeaning, RefusedAnswer,
    RequestCost, RequestPattern, Role, Settle, SideEffect, SideEffectSeverity, SystemChange,
    TokenRequestFormat, UpdateMode, fidelity_table, rebuild_table,
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

/// A day, ms.
const DAY: u64 = 86_400_000;

/// What the token may do (Zoho Desk facts §2).
const SCOPES: &str = "Desk.tickets.ALL,Desk.contacts.ALL,Desk.basic.ALL,Desk.settings.ALL,Desk.search.READ,Desk.imports.CUSTOM,\
                      Desk.custommodule.ALL";

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "zoho-desk".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Zoho Desk".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        auth: auth(),
        base_url: "https://desk.{data_center}/api/v1".to_owned(),
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
            text_limit(Kind::Tag, "tag.name", TAG_CHARS.1),
        ],
        rebuilds: rebuild_table(REBUILDS),
        notes: NOTES.map(str::to_owned).to_vec(),
    }
}

const NOTES: [&str; 4] = [
    "Times and authors are kept by the imports API, which runs later than it is asked and answers nothing about single rows: what it has no mapping for afterwards counts as not made.",
    "Without the imports API everything has the time of the migration, and each text says when it was.",
    "Modules and departments cannot be deleted, nor tags: what the run made of them stays after a rollback, empty, and is named.",
    "What Zoho Desk has no field for stands on a private source card: a comment of a ticket, the description of a contact or account.",
];

fn auth() -> Vec<AuthScheme> {
    let oauth = |refresh_token: Option<&str>| Oauth2 {
        token_url: "https://accounts.{data_center}/oauth/v2/token".to_owned(),
        client_id: "{client_id}".to_owned(),
        client_secret: "{secret:client_secret}".to_owned(),
        scope: refresh_token.is_none().then(|| SCOPES.to_owned()),
        refresh_token: refresh_token.map(str::to_owned),
        format: TokenRequestFormat::Form,
        extra: match refresh_token {
            Some(_) => Vec::new(),
            None => vec![("soid".to_owned(), "Desk.{org_id}".to_owned())],
        },
        // Zoho Desk facts §1.
        prefix: Some("Zoho-oauthtoken".to_owned()),
    };
    vec![
        scheme(
            "refresh-token",
            "Refresh token of an administrator",
            Auth::RefreshToken(oauth(Some("{secret:refresh_token}"))),
            Some("a self client of the API console, with the scopes of the README"),
        ),
        scheme(
            "client-credentials",
            "Self client without a user's token",
            Auth::ClientCredentials(oauth(None)),
            Some("as refresh-token, where the organisation allows it"),
        ),
        scheme(
            "access-token",
            "An access token that is already there",
            Auth::Header((
                "Authorization".to_owned(),
                "Zoho-oauthtoken {secret:access_token}".to_owned(),
            )),
            Some("ends after an hour; for a trial only"),
        ),
    ]
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/**", true),
        // The question which external ids an import has made.
        ("POST", "/importMappings", true),
        ("POST", "/imports", false),
        ("POST", "/contacts", false),
        ("PATCH", "/contacts/*", false),
        ("POST", "/contacts/*/dissociateAccounts", false),
        ("POST", "/contacts/moveToTrash", false),
        ("POST", "/accounts", false),
        ("PATCH", "/accounts/*", false),
        ("POST", "/accounts/moveToTrash", false),
        ("POST", "/departments", false),
        ("POST", "/departments/*/disable", false),
        ("POST", "/teams", false),
        ("PATCH", "/teams/*", false),
        ("POST", "/teams/*/deleteTeam", false),
        ("POST", "/fields", false),
        ("DELETE", "/fields/*", false),
        ("POST", "/organizationModules", false),
        ("POST", "/cm_*", false),
        ("PATCH", "/cm_*/*", false),
        ("POST", "/cm_*/moveToTrash", false),
        ("POST", "/recycleBin/delete", false),
        ("POST", "/tickets", false),
        ("PATCH", "/tickets/*", false),
        ("POST", "/tickets/moveToTrash", false),
        ("POST", "/tickets/*/comments", false),
        ("DELETE", "/tickets/*/comments/*", false),
        ("POST", "/tickets/*/attachments", false),
        ("DELETE", "/tickets/*/attachments/*", false),
        ("POST", "/tickets/*/associateTag", false),
        ("POST", "/tickets/*/dissociateTag", false),
    ]
    .into_iter()
    .map(|(method, path, reads)| pattern(method, path, reads))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    vec![
        // The day's credits are gone, which is another thing than too many at once (Zoho Desk facts §3).
        refused(429, Some("THRESHOLD_EXCEEDED"), RefusalMeaning::Quota),
        refused(429, None, RefusalMeaning::SlowDown),
        refused(401, None, RefusalMeaning::RenewCredential),
    ]
}

fn rate_rules() -> Vec<RateRule> {
    let header = |name: &str, meaning| LimitHeader {
        name: name.to_owned(),
        key: None,
        numbers: vec![meaning],
    };
    let cost = |method: &str, path: &str, cost| RequestCost {
        method: method.to_owned(),
        path: path.to_owned(),
        cost,
    };
    vec![RateRule {
        name: "credits".to_owned(),
        method: "*".to_owned(),
        path: "/**".to_owned(),
        // Six for each record that is taken to the recycle bin; what else costs more says so in its answer (Zoho Desk facts §3).
        costs: vec![
            cost("POST", "/*/moveToTrash", 6),
            cost("POST", "/recycleBin/delete", 6),
        ],
        // Of the Enterprise edition without its agents; the header says what is left.
        limit: 100_000,
        per_ms: DAY,
        headers: vec![
            header("x-rate-limit-remaining-v3", LimitMeaning::Remaining),
            header("x-rate-limit-request-weight-v3", LimitMeaning::Cost),
            header("retry-after", LimitMeaning::RetryAfter),
        ],
        shared: true,
    }]
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
    let wakes = "a change by plain REST wakes automations and mails, where they are on";
    vec![
        one_at_a_time(KindSupport {
            updates: frozen("teams are matched by name"),
            ..base(Kind::Team, 500, 1, 1)
        }),
        one_at_a_time(KindSupport {
            can_delete: false,
            updates: frozen("a module's labels stay as they were made"),
            // A module and its fields.
            ..base(Kind::ObjectType, 50, 12, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("a field's type cannot change"),
            ..base(Kind::FieldDefinition, 200, 1, 1)
        }),
        one_at_a_time(KindSupport {
            can_create: false,
            can_delete: false,
            matches: true,
            updates: frozen("agents are the account's own"),
            ..base(Kind::Agent, 1_000, 5, 100)
        }),
        KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("a tag is what its carriers have"),
            max_concurrency: Some(1),
            ..base(Kind::Tag, 20_000, 0, 1)
        },
        one_at_a_time(KindSupport {
            can_delete: false,
            updates: frozen("departments are matched by name"),
            ..base(Kind::Brand, 1_000, 0, 1)
        }),
        KindSupport {
            keeps_created_at: true,
            matches: true,
            conflicts: vec![key(
                ConflictScope::Unique,
                "name",
                Normalisation::TrimmedLower,
            )],
            updates: changing(),
            // One read each, and the import that all of them share.
            ..base(Kind::Company, 100, 106, 100)
        },
        KindSupport {
            keeps_created_at: true,
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
            ..base(Kind::Customer, 100, 8, 100)
        },
        KindSupport {
            keeps_created_at: true,
            matches: true,
            batch_bytes: 16_000_000,
            updates: vec![
                update("open", added.to_vec(), false, wakes),
                update("closed", added.to_vec(), false, wakes),
            ],
            // Of ten parts with tags: one call each for these, five for all tickets, seven for every hundred parts.
            ..base(Kind::Conversation, 100, 180, 100)
        },
        KindSupport {
            keeps_created_at: true,
            updates: frozen("a note on a customer stays as it was loaded"),
            // Two imports, the second in two requests.
            ..base(Kind::Message, 100, 20, 100)
        },
        KindSupport {
            updates: changing(),
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
const REBUILDS: &str = include_str!("rebuild.txt");
const FIDELITY: &str = concat!(
    include_str!("fidelity.txt"),
    "\n",
    include_str!("fidelity.threads.txt")
);

fn side_effects() -> Vec<SideEffect> {
    use SideEffectSeverity::{Caution, Danger, Info};
    vec![
        side_effect(
            "mails",
            "Zoho Desk mails customers about new tickets, public comments and closing, and agents about assignments, where these \
             rules are on",
            Danger,
            Some(
                "imports run without automation; what goes by plain REST is private, and no call that sends an e-mail is let out",
            ),
            Some(
                "switch off notification rules, happiness ratings and acknowledgements in every department; put them back after \
                 the cut-over",
            ),
        ),
        side_effect(
            "automations",
            "Workflows, SLAs, blueprints, assignment rules and web hooks run on what is made or changed by plain REST",
            Danger,
            Some("imports run without automation"),
            Some("switch them off in every department; put them back after the cut-over"),
        ),
        side_effect(
            "crm-sync",
            "New accounts and contacts go into Zoho CRM where the two are joined",
            Danger,
            None,
            Some("pause the CRM integration for the migration"),
        ),
        side_effect(
            "departments",
            "Departments are made for brands, and cannot be deleted",
            Caution,
            Some("none is made unless `create_departments` is set; a rollback disables them"),
            None,
        ),
        side_effect(
            "modules",
            "Modules are made for object types, and cannot be deleted",
            Caution,
            Some("a rollback empties them and takes their fields away"),
            Some("hide what is left from the profiles, by hand"),
        ),
        side_effect(
            "stand-in",
            "A contact without an address is made: the contact of tickets whose customer was not migrated",
            Info,
            Some("rollback takes it back unless somebody's tickets hang on it"),
            None,
        ),
        side_effect(
            "recycle-bin",
            "What is deleted lies in the recycle bin for 60 days",
            Info,
            Some("rollback deletes it there, too, unless `purge` is off"),
            None,
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![
        by_product(
            Kind::Tag,
            "tags of the departments",
            "GET /ticketTags?departmentId=; they stay after a rollback, with nothing that has them",
        ),
        by_product(
            Kind::Company,
            "accounts and contacts in Zoho CRM, where it is joined",
            "zohoCRMAccount and zohoCRMContact of the record; they are not this run's",
        ),
    ]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "updated-at",
            "with every later change by plain REST",
        ),
        system_change(Kind::Message, "html", "sanitised"),
        system_change(
            Kind::Customer,
            "updated-at",
            "with every later change by plain REST",
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
    fn everything_of_an_inventory_can_be_rebuilt_or_says_why_not() {
        described::assert_everything_can_be_rebuilt(REBUILDS);
    }
}
