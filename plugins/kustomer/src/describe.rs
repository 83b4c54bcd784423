//! What the connector says of itself: the grant an operator approves, the limits, and how well each field travels from here.

use transload_sdk::connector::{
    Auth, AuthScheme, Description, FieldFidelity, HostGrant, KindSupport, LimitHeader,
    LimitMeaning, RateRule, Role, SideEffect, SideEffectSeverity, TextLimit,
};
use transload_sdk::declare::{pattern, text_limit};
use transload_sdk::types::{Fidelity, Kind};

use crate::config;
use crate::map::PREVIEW_CAP;

/// Paths that are read. Exactly these: a source can change nothing (rule M-5).
const GETS: &[&str] = &[
    "/v1/auth/tokens/current",
    "/v1/users/current",
    "/v1/users",
    "/v1/users/*",
    "/v1/teams",
    "/v1/teams/*",
    "/v1/role-groups",
    "/v1/tags",
    "/v1/brands",
    "/v1/brands/*",
    "/v1/metadata/*",
    "/v1/klasses",
    "/v1/klasses/*",
    "/v1/klasses/*/*",
    "/v1/companies/*",
    "/v1/kedge",
    "/v1/customers/*",
    "/v1/customers/*/merges",
    "/v1/customers/merges/*",
    "/v1/conversations/*",
    "/v1/conversations/*/notes",
    "/v1/conversations/*/forwards",
    "/v1/conversations/*/attachments",
    "/v1/messages",
    // A message's own resource, and the app resource behind its `links.related`: /v1/postmark/messages/<id>.
    "/v1/messages/*",
    "/v1/*/messages/*",
    "/v1/messages/*/attachments",
    "/v1/messages/*/attachments/*",
    "/v1/notes",
    "/v1/notes/*",
    "/v1/notes/*/attachments",
    "/v1/notes/*/attachments/*",
    "/v1/attachments/*",
    "/v1/forwards/*",
    "/v1/forwards/*/attachments",
    "/v1/forwards/*/attachments/*",
    "/v1/kb/categories",
    "/v1/kb/articles",
    "/v1/kb/articles/*/versions",
    "/v1/audit-logs",
    // Inventory.
    "/v1/routing/queues",
    "/v1/routing/queue-rules",
    "/v1/slas",
    "/v1/workflows",
    "/v1/shortcuts",
    "/v1/shortcuts/categories",
    "/v1/satisfaction",
    "/v1/snoozes",
    "/v1/schedules",
    "/v1/outboundAccounts",
    "/v1/outbound-webhooks",
    "/v1/spam/senders",
    "/v1/kb/templates",
    "/v1/kb/themes",
    "/v1/kb/forms",
    "/v1/kb/routes",
    // Signed links, where files are kept behind the API's own address.
    "/attachments/*/*",
];

/// The two searches: POST, and change nothing (Kustomer facts §8, §12).
const SEARCHES: &[&str] = &["/v1/customers/search", "/v1/customers/archive/search"];

/// The description.
pub fn describe() -> Description {
    let get = |path: &&str| pattern("GET", path, true);
    let search = |path: &&str| pattern("POST", path, true);
    Description {
        name: "kustomer".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Kustomer".to_owned(),
        role: Role::Source,
        config_schema: config::SCHEMA.to_owned(),
        auth: vec![AuthScheme {
            name: "api-key".to_owned(),
            title: "API key".to_owned(),
            auth: Auth::Bearer("{secret:token}".to_owned()),
            note: Some("Settings > Security > API keys; reading roles and org.permission.search.create; its roles cannot be changed later.".to_owned()),
        }],
        base_url: "https://{org}.api.kustomerapp.com".to_owned(),
        hosts: vec![HostGrant {
            pattern: "*.amazonaws.com".to_owned(),
            purpose: "files, by links signed for ten minutes".to_owned(),
            anonymous: true,
        }],
        requests: GETS.iter().map(get).chain(SEARCHES.iter().map(search)).collect(),
        refusals: Vec::new(),
        rate_rules: rate_rules(),
        kinds: kinds(),
        fidelity: fidelity(),
        side_effects: vec![SideEffect {
            code: "shared-budget".to_owned(),
            title: "Every request counts against the budget that the organisation's other integrations use".to_owned(),
            severity: SideEffectSeverity::Info,
            avoided_by: Some("Only a share of what is free is used.".to_owned()),
            operator: None,
        }],
        by_products: Vec::new(),
        system_changes: Vec::new(),
        text_limits: text_limits(),
        rebuilds: Vec::new(),
        notes: vec![
            "Nothing is written: besides GET only the two searches are sent, which are POST and change nothing.".to_owned(),
            "Records deleted for good, and messages of deleted conversations, are no longer in Kustomer and cannot be read.".to_owned(),
            "Drafts and events are not read; forwards only with forwards = true, since they cost a request for each conversation.".to_owned(),
            "The search index lags behind by up to minutes; a last pass should begin a quarter of an hour after agents have stopped.".to_owned(),
            "Reports, saved views and business rules have no documented list and are not in the inventory.".to_owned(),
        ],
    }
}

fn rate_rules() -> Vec<RateRule> {
    let header = |name: &str, meaning| LimitHeader {
        name: name.to_owned(),
        key: None,
        numbers: vec![meaning],
    };
    // Whether the headers of a search speak of the search's limit or of the organisation's is not documented: the host tells by
    // the limit that they state, and the organisation's comes first.
    let headers = vec![
        header("x-ratelimit-limit", LimitMeaning::Limit),
        header("x-ratelimit-remaining", LimitMeaning::Remaining),
        header("x-ratelimit-reset", LimitMeaning::ResetEpochS),
        header("retry-after", LimitMeaning::RetryAfter),
    ];
    vec![
        RateRule {
            name: "organisation".to_owned(),
            method: "*".to_owned(),
            path: "/v1/**".to_owned(),
            costs: Vec::new(),
            // Professional has 300 a minute, Ultimate 2,000 (Kustomer facts §5); the headers tell.
            limit: 1_000,
            per_ms: 60_000,
            headers: headers.clone(),
            shared: true,
        },
        RateRule {
            name: "search".to_owned(),
            method: "POST".to_owned(),
            path: "/v1/customers/**".to_owned(),
            costs: Vec::new(),
            limit: 100,
            per_ms: 60_000,
            headers,
            shared: true,
        },
    ]
}

fn kinds() -> Vec<KindSupport> {
    // In dependency order, with the rows that a request gives.
    let rows = [
        (Kind::Team, 500),
        (Kind::Agent, 500),
        (Kind::Tag, 100),
        (Kind::Brand, 100),
        (Kind::FieldDefinition, 50),
        (Kind::ObjectType, 100),
        (Kind::Company, 500),
        (Kind::Customer, 500),
        (Kind::Conversation, 500),
        (Kind::Message, 500),
        // The list of messages gives those of a hundred; one message in ten having one is not much.
        (Kind::Attachment, 10),
        (Kind::CustomObject, 500),
        (Kind::Relationship, 0),
        (Kind::Category, 100),
        (Kind::Article, 1),
    ];
    rows.into_iter()
        .map(|(kind, per_items)| KindSupport {
            kind,
            batch_items: 0,
            batch_bytes: 0,
            max_concurrency: None,
            conflicts: Vec::new(),
            settle: Vec::new(),
            updates: Vec::new(),
            keeps_created_at: true,
            can_create: false,
            can_delete: false,
            matches: false,
            // Relationships come along with the records that hold them.
            calls: u32::from(per_items > 0),
            per_items: per_items.max(1),
        })
        .collect()
}

/// Where texts end (Kustomer facts §9.4, §9.5, §9.12): previews of messages, texts of notes, descriptions of custom objects.
fn text_limits() -> Vec<TextLimit> {
    vec![
        text_limit(Kind::Message, "message.text", PREVIEW_CAP),
        text_limit(Kind::CustomObject, "custom-object.description", PREVIEW_CAP),
    ]
}

fn fidelity() -> Vec<FieldFidelity> {
    use Fidelity::{Converted, Exact, Lost};
    let told = |kind: Kind, field: &str, how, note: &str| FieldFidelity {
        kind,
        field: field.to_owned(),
        how,
        note: (!note.is_empty()).then(|| note.to_owned()),
    };
    vec![
        told(Kind::Team, "*", Exact, ""),
        told(Kind::Agent, "*", Exact, ""),
        told(
            Kind::Agent,
            "agent.teams",
            Lost,
            "membership is on the teams",
        ),
        told(Kind::Tag, "*", Exact, ""),
        told(Kind::Brand, "*", Exact, ""),
        told(
            Kind::FieldDefinition,
            "*",
            Exact,
            "attributes of messages, users, companies and klasses too",
        ),
        told(
            Kind::FieldDefinition,
            "field-definition.options",
            Converted,
            "trees: their encoding is not documented; the tree itself is kept raw",
        ),
        told(
            Kind::FieldDefinition,
            "field-definition.required",
            Lost,
            "Kustomer's metadata does not say it",
        ),
        told(
            Kind::ObjectType,
            "*",
            Exact,
            "the id is the name, as everywhere in Kustomer",
        ),
        told(Kind::Company, "*", Exact, ""),
        told(
            Kind::Company,
            "company.parent",
            Converted,
            "as far as the hierarchy can be listed",
        ),
        told(Kind::Customer, "*", Exact, ""),
        told(
            Kind::Customer,
            "customer.merged-from",
            Converted,
            "merges of the last twelve months; with merges = \"each\" all of them",
        ),
        told(
            Kind::Customer,
            "customer.satisfaction",
            Lost,
            "a customer has a summary only; conversations have what was said; kept raw",
        ),
        told(Kind::Conversation, "*", Exact, ""),
        told(
            Kind::Conversation,
            "conversation.sub-status",
            Converted,
            "its id; Kustomer lists no names",
        ),
        told(
            Kind::Conversation,
            "conversation.satisfaction.scale",
            Converted,
            "the survey's, in words",
        ),
        told(
            Kind::Conversation,
            "conversation.merged-into",
            Lost,
            "a mere flag, kept raw",
        ),
        told(Kind::Message, "*", Exact, ""),
        told(
            Kind::Message,
            "message.text",
            Converted,
            "the plain preview of at most 10,240 characters; what looks cut is a loss of its message",
        ),
        told(
            Kind::Message,
            "message.html",
            Lost,
            "unless the resource behind the message exists; see `bodies`",
        ),
        told(
            Kind::Message,
            "message.forwarded",
            Lost,
            "forwards are left out unless forwards = true, at a request for each conversation",
        ),
        told(Kind::Message, "message.mentions", Exact, "notes only"),
        told(
            Kind::Attachment,
            "*",
            Exact,
            "of notes, as far as Kustomer shows them; see `old_note_files`",
        ),
        told(
            Kind::Attachment,
            "attachment.inline",
            Lost,
            "known only where the HTML is",
        ),
        told(
            Kind::CustomObject,
            "*",
            Exact,
            "data that is kept outside the record is fetched",
        ),
        told(
            Kind::CustomObject,
            "custom-object.comments",
            Lost,
            "no documented way to list them",
        ),
        told(
            Kind::Relationship,
            "*",
            Exact,
            "of reference attributes, in order, and those that custom objects have besides",
        ),
        told(Kind::Category, "*", Exact, ""),
        told(Kind::Category, "category.position", Lost, "kept raw"),
        told(Kind::Article, "*", Exact, ""),
        told(
            Kind::Article,
            "article.versions",
            Converted,
            "as far as versions can be listed",
        ),
    ]
}
