//! What the connector says of itself. Everything the planner tells a user about Salesforce comes from here or from the survey,
//! and the gateway lets out nothing that is not declared here.

use transload_sdk::connector::{
    Auth, AuthScheme, ByProduct, ConflictScope, Description, KindSupport, LimitHeader,
    LimitMeaning, Lookup, Normalisation, Oauth2, RateRule, RefusalMeaning, RefusedAnswer,
    RequestPattern, Role, Settle, SideEffect, SideEffectSeverity, SignedJwt, SystemChange,
    TokenRequestFormat, UpdateMode, fidelity_table, rebuild_table,
};
use transload_sdk::declare::{
    by_product, frozen, key, kind, one_at_a_time, pattern, refused, scheme, side_effect,
    system_change, text_limit, update,
};
use transload_sdk::types::Kind;

use crate::client::{ROWS, SETTLE_MS};
use crate::state::SCHEMA;
use crate::thread::{MAIL_SUBJECT_CHARS, SUBJECT_CHARS};
use crate::write::objects::NAME_CHARS;

/// A day, ms.
const DAY: u64 = 86_400_000;
/// Seconds that a signed assertion lives; three minutes are the most (Salesforce facts §1).
const ASSERTION_S: u32 = 170;
/// Items of a batch that goes by a bulk job, and their bytes, which stay well within what a unit may hold.
const BULK_ITEMS: u32 = 5_000;
const BULK_BYTES: u64 = 12_000_000;
/// How each field travels, one a line.
const FIDELITY: &str = include_str!("fidelity.txt");
/// With what a source\'s inventory is rebuilt, one sort of thing a line.
const REBUILDS: &str = include_str!("rebuild.txt");

/// The whole description.
pub fn description() -> Description {
    Description {
        name: "salesforce".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Salesforce Service Cloud".to_owned(),
        role: Role::Destination,
        config_schema: SCHEMA.to_owned(),
        auth: auth(),
        base_url: "https://{my_domain}.my.salesforce.com".to_owned(),
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
            text_limit(Kind::Message, "message.subject", MAIL_SUBJECT_CHARS),
            text_limit(Kind::CustomObject, "custom-object.title", NAME_CHARS),
        ],
        rebuilds: rebuild_table(REBUILDS),
        notes: [
            "Original times are set on insert where the org allows it (two switches, shown by `check`); they always stand in fields of their own too.",
            "Every record carries its source id in the unique field Transload_Source_Id__c; a second run finds what the first one made.",
            "An e-mail is frozen when it is made, so its files are uploaded first.",
            "What Salesforce has no field for stands on the source card, in the long text field Transload_Source_Card__c.",
            "Rollback leaves what it deletes in the recycle bin for 15 days; it still counts against the storage till then.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn auth() -> Vec<AuthScheme> {
    let jwt = |audience: &str| {
        Auth::SignedJwt(SignedJwt {
            token_url: "/services/oauth2/token".to_owned(),
            issuer: "{client_id}".to_owned(),
            subject: "{username}".to_owned(),
            audience: audience.to_owned(),
            private_key: "{secret:private_key}".to_owned(),
            lifetime_s: ASSERTION_S,
            grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
        })
    };
    vec![
        scheme(
            "client-credentials",
            "Client credentials of a connected app",
            // Only My Domain answers it (Salesforce facts §1).
            Auth::ClientCredentials(Oauth2 {
                token_url: "/services/oauth2/token".to_owned(),
                client_id: "{client_id}".to_owned(),
                client_secret: "{secret:client_secret}".to_owned(),
                scope: None,
                refresh_token: None,
                format: TokenRequestFormat::Form,
                extra: Vec::new(),
                prefix: None,
            }),
            Some("acts as the app's Run As user, who must be the integration user"),
        ),
        scheme(
            "jwt",
            "JWT bearer, production",
            jwt("https://login.salesforce.com"),
            Some(
                "acts as the user that `username` names, who must be approved for the app beforehand",
            ),
        ),
        scheme(
            "jwt-sandbox",
            "JWT bearer, sandbox",
            jwt("https://test.salesforce.com"),
            Some("as jwt, for a sandbox"),
        ),
        scheme(
            "access-token",
            "A session that is already there",
            Auth::Bearer("{secret:access_token}".to_owned()),
            Some("ends with the org's session timeout; for a trial only"),
        ),
    ]
}

fn requests() -> Vec<RequestPattern> {
    [
        ("GET", "/services/data", true),
        ("GET", "/services/data/**", true),
        ("GET", "/services/oauth2/userinfo", true),
        // Records by id, whose list may be too long for an address.
        ("POST", "/services/data/*/composite/sobjects/*", true),
        ("POST", "/services/data/*/composite/sobjects", false),
        ("PATCH", "/services/data/*/composite/sobjects", false),
        ("DELETE", "/services/data/*/composite/sobjects", false),
        ("POST", "/services/data/*/sobjects/*", false),
        ("PATCH", "/services/data/*/sobjects/*/*", false),
        ("DELETE", "/services/data/*/sobjects/*/*", false),
        ("POST", "/services/data/*/jobs/ingest", false),
        ("PUT", "/services/data/*/jobs/ingest/*/batches", false),
        ("PATCH", "/services/data/*/jobs/ingest/*", false),
        ("DELETE", "/services/data/*/jobs/ingest/*", false),
        (
            "POST",
            "/services/data/*/tooling/sobjects/CustomField",
            false,
        ),
        (
            "DELETE",
            "/services/data/*/tooling/sobjects/CustomField/*",
            false,
        ),
        ("POST", "/services/data/*/metadata/deployRequest", false),
    ]
    .into_iter()
    .map(|(method, path, reads)| pattern(method, path, reads))
    .collect()
}

fn refusals() -> Vec<RefusedAnswer> {
    // There is no 429 (Salesforce facts §0.5).
    vec![
        refused(403, Some("ConcurrentRequests"), RefusalMeaning::SlowDown),
        refused(403, Some("REQUEST_LIMIT_EXCEEDED"), RefusalMeaning::Quota),
        refused(401, None, RefusalMeaning::RenewCredential),
    ]
}

fn rate_rules() -> Vec<RateRule> {
    // `api-usage=18/5000` (Salesforce facts §2).
    let header = LimitHeader {
        name: "sforce-limit-info".to_owned(),
        key: Some("api-usage".to_owned()),
        numbers: vec![LimitMeaning::Used, LimitMeaning::Limit],
    };
    vec![RateRule {
        name: "daily".to_owned(),
        method: "*".to_owned(),
        path: "/services/**".to_owned(),
        // That of a developer org; the header raises it (Salesforce facts §2).
        limit: 15_000,
        per_ms: DAY,
        headers: vec![header],
        costs: Vec::new(),
        shared: true,
    }]
}

fn kinds() -> Vec<KindSupport> {
    // By the unique external id, which a query sees at once (Salesforce facts §12).
    let settle = || {
        vec![Settle {
            lookup: Lookup::ByKey,
            ms: SETTLE_MS,
        }]
    };
    let flows = "flows, triggers and validation rules of the org run";
    let changing = || vec![update("any", vec![UpdateMode::ChangeFields], false, flows)];
    let rows = u32::try_from(ROWS).unwrap_or(u32::MAX);
    let base = |of, batch_items, calls, per_items| KindSupport {
        settle: settle(),
        ..kind(of, batch_items, calls, per_items)
    };
    vec![
        one_at_a_time(KindSupport {
            updates: frozen("queues are matched by name"),
            ..base(Kind::Team, 500, 2, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("an object's name cannot change"),
            ..base(Kind::ObjectType, 10, 4, 1)
        }),
        one_at_a_time(KindSupport {
            updates: frozen("a field's type cannot change"),
            ..base(Kind::FieldDefinition, 200, 1, 1)
        }),
        // After the fields that hold their attributes.
        one_at_a_time(KindSupport {
            matches: true,
            can_create: false,
            can_delete: false,
            conflicts: vec![key(ConflictScope::Unique, "email", Normalisation::Email)],
            updates: vec![update(
                "any",
                vec![UpdateMode::ChangeFields],
                false,
                "custom attributes only: users are the org's own",
            )],
            ..base(Kind::Agent, 1_000, 5, 1_000)
        }),
        // Made only where they become topics.
        KindSupport {
            updates: frozen("a tag is what its carriers have"),
            max_concurrency: Some(1),
            ..base(Kind::Tag, 20_000, 0, 1)
        },
        KindSupport {
            can_create: false,
            can_delete: false,
            updates: frozen("a brand is text on its cases"),
            max_concurrency: Some(1),
            ..base(Kind::Brand, 1_000, 0, 1)
        },
        // Two of one name at the same moment would both be made.
        one_at_a_time(KindSupport {
            matches: true,
            conflicts: vec![key(
                ConflictScope::Unique,
                "name",
                Normalisation::TrimmedLower,
            )],
            updates: changing(),
            keeps_created_at: true,
            ..base(Kind::Company, rows, 1, rows)
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
                // A contact locks its account while it is written (Salesforce facts §15).
                key(ConflictScope::Lock, "company", Normalisation::Exact),
            ],
            updates: changing(),
            keeps_created_at: true,
            // A job of the Bulk API, its polls and results; fewer go by collections.
            batch_bytes: BULK_BYTES,
            ..base(Kind::Customer, BULK_ITEMS, 12, BULK_ITEMS)
        },
        KindSupport {
            keeps_created_at: true,
            // A case locks its contact and account.
            conflicts: vec![key(ConflictScope::Lock, "customer", Normalisation::Exact)],
            updates: vec![
                update("open", vec![UpdateMode::ChangeFields], false, flows),
                update(
                    "closed",
                    vec![UpdateMode::ChangeFields],
                    false,
                    "a change moves its last modification; flows, triggers and validation rules of the org run",
                ),
            ],
            ..base(Kind::Conversation, rows, 4, rows)
        },
        KindSupport {
            keeps_created_at: true,
            updates: frozen(
                "an e-mail is frozen when it is made; a comment is left as it was loaded",
            ),
            ..base(Kind::Message, rows, 2, rows)
        },
        KindSupport {
            keeps_created_at: true,
            updates: changing(),
            ..base(Kind::CustomObject, rows, 1, rows)
        },
        // Two units could add to the text of one record.
        one_at_a_time(KindSupport {
            updates: changing(),
            ..base(Kind::Relationship, 500, 5, 100)
        }),
    ]
}

fn side_effects() -> Vec<SideEffect> {
    use SideEffectSeverity::{Caution, Danger, Info};
    vec![
        side_effect(
            "automation",
            "Flows, Apex triggers, workflow rules and validation rules run on every record, as on any insert; they may mail customers or refuse rows",
            Danger,
            None,
            Some(
                "switch them off for the migration or let them pass over the integration user; the plan lists the active ones",
            ),
        ),
        side_effect(
            "mail",
            "E-mail alerts, auto-response rules, notifications of case comments and of queues may mail people",
            Danger,
            Some(
                "comments ask for no notification; queues are made without mail to members; nothing has a mention",
            ),
            Some(
                "Setup › Deliverability › Access level: System email only, until the migration has ended",
            ),
        ),
        side_effect(
            "assignment",
            "Assignment rules hand new cases to other owners, and mail them",
            Danger,
            Some("every request says Sforce-Auto-Assign: FALSE"),
            None,
        ),
        side_effect(
            "omni-channel",
            "A case that belongs to a queue with a routing configuration is offered to agents",
            Caution,
            Some("queues are made without a routing configuration"),
            Some("take the routing configuration off matched queues until the migration has ended"),
        ),
        side_effect(
            "duplicate-rules",
            "Duplicate rules that block refuse people and companies that they take for another",
            Caution,
            Some(
                "rules that only warn are passed; who is blocked is rejected and named, never fused",
            ),
            Some("let blocking rules allow, or pass over the integration user"),
        ),
        side_effect(
            "entitlements",
            "Entitlement processes and escalation rules start clocks on open cases",
            Caution,
            None,
            Some("switch them off for cases that carry Transload_Source_Id__c"),
        ),
        side_effect(
            "later-changes",
            "The next change of a loaded case runs the org's automation, as on any case",
            Caution,
            None,
            Some("no bulk edits of loaded cases before flows pass over Transload_Source_Id__c"),
        ),
        side_effect(
            "schema",
            "Fields, objects and a permission set `Transload` are made",
            Info,
            Some(
                "what is there is used; rollback deletes what was made and holds nothing of others",
            ),
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
            "storage",
            "Records and files count against the org's storage, also in the recycle bin",
            Caution,
            Some("a full storage pauses the run"),
            Some("compare `allowances` of the plan with what will be loaded"),
        ),
    ]
}

fn by_products() -> Vec<ByProduct> {
    vec![
        by_product(
            Kind::Message,
            "a task beside an e-mail message, with the time of the load (Enhanced Email)",
            "EmailMessage.ActivityId; it is deleted with its e-mail",
        ),
        by_product(
            Kind::Message,
            "an item of the case's feed beside an e-mail message",
            "SELECT Id FROM FeedItem WHERE ParentId = the case; it goes with the case",
        ),
        by_product(
            Kind::Message,
            "relations of an e-mail message to people",
            "SELECT Id FROM EmailMessageRelation WHERE EmailMessageId = the message; they go with it",
        ),
        by_product(
            Kind::Attachment,
            "a document and a link beside a version of a file",
            "ContentVersion.ContentDocumentId; it is recorded as the effect",
        ),
        by_product(
            Kind::Conversation,
            "milestones, history and records that the org's automation makes",
            "WHERE CreatedById = the integration user AND CreatedDate >= the run's start, per object",
        ),
    ]
}

fn system_changes() -> Vec<SystemChange> {
    vec![
        system_change(
            Kind::Conversation,
            "updated-at",
            "moves with every child, roll-up and flow",
        ),
        system_change(
            Kind::Conversation,
            "closed-at",
            "stamped when a case is inserted or becomes closed, where it may not be given",
        ),
        system_change(
            Kind::Conversation,
            "company",
            "the contact's account where none was said",
        ),
        system_change(
            Kind::Company,
            "updated-at",
            "moves with its contacts and cases",
        ),
        system_change(Kind::Customer, "updated-at", "moves with its cases"),
        system_change(Kind::Customer, "name", "composed of first and last name"),
        system_change(
            Kind::Message,
            "text",
            "derived from the HTML where an e-mail has no text",
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

    #[test]
    fn a_kind_comes_after_those_that_it_refers_to() {
        let order: Vec<Kind> = kinds().into_iter().map(|support| support.kind).collect();
        let at = |kind: Kind| order.iter().position(|k| *k == kind).unwrap();
        assert!(at(Kind::Team) < at(Kind::Agent));
        assert!(at(Kind::FieldDefinition) < at(Kind::Agent));
        assert!(at(Kind::ObjectType) < at(Kind::FieldDefinition));
        assert!(at(Kind::Company) < at(Kind::Customer));
        assert!(at(Kind::Customer) < at(Kind::Conversation));
        assert!(at(Kind::Conversation) < at(Kind::CustomObject));
    }
}
