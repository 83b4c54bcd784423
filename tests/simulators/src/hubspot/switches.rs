//! Everything about the simulated account that a test may choose.
//!
//! [`Config`] says what account there is; [`Switches`] holds every behaviour that the vendor's texts leave open or that is only
//! commonly believed (marked [MEM] or [INF] in the HubSpot facts, §23 among them). Each default is the reading that asks most of
//! a client; a client is right when it works with every position of every switch.

use chrono::Duration;

use crate::common::Clock;

/// Scopes a full load needs (§1.1).
pub(super) const SCOPES: [&str; 22] = [
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "tickets",
    "sales-email-read",
    "crm.objects.owners.read",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.custom.read",
    "crm.schemas.custom.write",
    "files",
    "files.ui_hidden.read",
    "crm.objects.users.read",
    "settings.users.teams.read",
    "conversations.read",
    "conversations.write",
];

/// The account to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and orders that are drawn.
    pub seed: u64,
    /// Number of the portal (§1.1).
    pub portal_id: u64,
    /// `na1` or `eu1`: the prefix of tokens and `dataHostingLocation`; the host is the same (§1.1).
    pub data_centre: String,
    /// STANDARD, DEVELOPER_TEST, SANDBOX, APP_DEVELOPER (§1.1).
    pub account_type: String,
    /// IANA name; the daily limit begins anew at its midnight (§2).
    pub time_zone: String,
    /// Base of addresses of files; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// Plan: decides limits of requests, custom objects, pipelines, properties, sizes of files (§2, §7, §10.3, §11, §12).
    pub plan: Plan,
    /// API limit increases bought, 2 at most (§2).
    pub limit_increases: u64,
    /// Its time.
    pub clock: Clock,
    /// Whether rate limits are enforced. Headers are sent either way.
    pub rate_limits: bool,
    /// Calls of the day that others have made when the account begins (§2).
    pub used_requests: u64,
    /// The migration's service key; it does not end (§1.1).
    pub service_key: String,
    /// Scopes of the service key.
    pub scopes: Vec<String>,
    /// The OAuth app that is installed.
    pub oauth_client: OauthClient,
    /// Whether uploaded bytes are kept so that addresses can serve them. Size and digests are kept either way.
    pub keep_files: bool,
    /// Setting "create and associate companies with contacts" (§19).
    pub auto_companies: bool,
    /// Custom channels that are registered and connected (§13).
    pub custom_channels: Vec<u64>,
    /// What was in the account before.
    pub preexisting: Preexisting,
    /// Open questions.
    pub switches: Switches,
}

impl Config {
    /// The usual account on a virtual clock that stands at 23 November 2026, 09:00 UTC.
    pub fn virtual_time() -> Self {
        Self {
            clock: Clock::at(1_795_424_400_000),
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            portal_id: 44_218_907,
            data_centre: "na1".to_owned(),
            account_type: "STANDARD".to_owned(),
            time_zone: "America/New_York".to_owned(),
            public_url: None,
            plan: Plan::Enterprise,
            limit_increases: 0,
            clock: Clock::real(),
            rate_limits: true,
            used_requests: 9,
            service_key: "pat-na1-00000000-0000-4000-8000-00051a1a7ed0".to_owned(),
            scopes: SCOPES.map(str::to_owned).to_vec(),
            oauth_client: OauthClient::default(),
            keep_files: true,
            auto_companies: true,
            custom_channels: vec![],
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// An OAuth app (§1.1).
#[derive(Debug, Clone)]
pub struct OauthClient {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// A refresh token somebody got by installing it.
    pub refresh_token: String,
}

impl Default for OauthClient {
    fn default() -> Self {
        Self {
            id: "6f1c2f0a-simulated-client".to_owned(),
            secret: "simulated-client-secret".to_owned(),
            refresh_token: "na1-simulated-refresh-token".to_owned(),
        }
    }
}

/// The account's plan (§2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 100 calls in 10 s, 250,000 a day.
    Free,
    /// As Free; two ticket pipelines.
    Starter,
    /// 190 calls in 10 s, 625,000 a day.
    Professional,
    /// 190 calls in 10 s, 1,000,000 a day; custom objects.
    Enterprise,
}

impl Plan {
    /// Whether it is Professional or Enterprise.
    pub fn is_large(self) -> bool {
        matches!(self, Self::Professional | Self::Enterprise)
    }
}

/// Content that is in the account before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Owners besides the admin; the addresses are `agent1@acme.example` and so on.
    pub agents: usize,
    /// Further owners by e-mail and name, e.g. those a source has too.
    pub agents_by_email: Vec<(String, String)>,
    /// Archived owners by e-mail and name (§15).
    pub archived_agents: Vec<(String, String)>,
    /// Teams by name.
    pub teams: Vec<String>,
    /// Contacts by e-mail and name.
    pub contacts: Vec<(String, String)>,
    /// Companies by name.
    pub companies: Vec<String>,
    /// Old tickets of the contacts, in the default pipeline, each with an e-mail and a note.
    pub tickets: usize,
    /// Custom properties of its own: `region` of tickets, `loyalty_level` of contacts.
    pub fields: bool,
    /// The usual automation (§19): a workflow and a mail on a new ticket of the default pipeline, a workflow on a new contact,
    /// SLA, a mail to the owner of a new ticket.
    pub automation: bool,
    /// Properties that an admin requires on create, by object and name; only 2026-09 enforces them (§1.2).
    pub required_on_create: Vec<(String, String)>,
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |email: &str, name: &str| (email.to_owned(), name.to_owned());
        Self {
            agents: 4,
            agents_by_email: vec![],
            archived_agents: vec![pair("left@acme.example", "Lea Left")],
            teams: vec!["Billing".to_owned(), "Returns".to_owned()],
            contacts: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            companies: vec!["Old Partner".to_owned()],
            tickets: 3,
            fields: true,
            automation: true,
            required_on_create: vec![],
        }
    }
}

impl Preexisting {
    /// An account with nothing but its admin, default pipeline and standard properties.
    pub fn nothing() -> Self {
        Self {
            agents: 0,
            agents_by_email: vec![],
            archived_agents: vec![],
            teams: vec![],
            contacts: vec![],
            companies: vec![],
            tickets: 0,
            fields: false,
            automation: false,
            required_on_create: vec![],
        }
    }
}

/// What becomes of a time that a client gives a ticket: `createdate`, `closed_date` (§16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketTimes {
    /// `readOnlyValue` is true and a write is refused.
    ReadOnly,
    /// `readOnlyValue` is false and the value is taken.
    Writable,
    /// `readOnlyValue` is false, the write succeeds and the value is not taken.
    Ignored,
}

/// What an archived owner does on a ticket, contact or company (§15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchivedOwner {
    /// 400 INVALID_OWNER_ID.
    Refused,
    /// The record is written without an owner.
    Dropped,
}

/// What the update side of a contacts' upsert by `email` does with properties left out (§3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailUpsert {
    /// They are cleared, where a client may write them.
    ClearsOthers,
    /// They stay.
    Partial,
}

/// Behaviours nobody could confirm, and limits known only from memory. Each names the section of the HubSpot facts.
#[derive(Debug, Clone)]
pub struct Switches {
    /// §1.1: without the scope `sales-email-read` e-mails come back without their texts; off, 403.
    pub emails_redacted_without_scope: bool,
    /// §1.2: 2026-03 answers with the codes of 2026-09 (200, bodies); off, with those of v3/v4.
    pub new_codes_in_2026_03: bool,
    /// §1.2: a batch that succeeds in part is 207 in the dated versions too; off, 200 with `errors`.
    pub partial_is_207_in_dated: bool,
    /// §2: calls to Professional accounts a day: 625,000 or 650,000.
    pub professional_per_day: u64,
    /// §2: searches a second: 5, in older texts 4.
    pub searches_per_second: u64,
    /// §2: a 429 says `category: RATE_LIMITS`; off, `errorType: RATE_LIMIT`.
    pub rate_limit_category: bool,
    /// §2: a 429 has `Retry-After`.
    pub retry_after_on_429: bool,
    /// §2: the windows of 10 s roll; off, they stand.
    pub rolling_windows: bool,
    /// §2: writes to one record in a second before it is locked for two; none, never. See also
    /// [`Simulator::lock_record`](super::Simulator::lock_record).
    pub writes_until_locked: Option<u32>,
    /// §3.1 [3P]: JSON numbers and booleans are accepted as values of properties; off, only strings and null.
    pub json_scalars_accepted: bool,
    /// §3.2 [MEM]: records of a list page at most.
    pub list_limit: usize,
    /// §3.3, §23: results of a batch come in another order than the inputs.
    pub batch_order_shuffled: bool,
    /// §3.3 [MEM]: what an upsert by `email` does.
    pub email_upsert: EmailUpsert,
    /// §3.3 [MEM]: ids that are gone fail in `batch/archive` (207); off, 204.
    pub batch_archive_missing_fails: bool,
    /// §3.4, §23: status of a property, group or label that exists already.
    pub exists_status: u16,
    /// §4 [MEM]: a company made by API is refused when its domain is taken.
    pub company_domain_unique: bool,
    /// §6 [MEM]: the id of a merged record leads to the one that took it in, on a DELETE too; off, it is unknown.
    pub merged_ids_follow: bool,
    /// §6: an unknown or read-only property of an activity is ignored; off, refused as everywhere.
    pub activity_unknown_ignored: bool,
    /// §6, §23: DELETE of an unknown or archived id: 404 or 204.
    pub delete_unknown_status: u16,
    /// §0.6, §17, §23: unique properties can be made on activities.
    pub unique_on_activities: bool,
    /// §0.7: a deleted e-mail is gone for good; off, it is archived.
    pub email_delete_permanent: bool,
    /// §23: an archived record keeps its unique values.
    pub archived_keeps_unique: bool,
    /// §8 [INF]: HTML is sanitised when it is written: scripts, styles, handlers go.
    pub html_sanitised: bool,
    /// §9: ids are texts in lists of links and numbers in batches; off, the other way round.
    pub ids_as_text_in_lists: bool,
    /// §9: links of one record to one object type.
    pub links_per_record: usize,
    /// §9, §11: the unlabelled link of a custom object has the category USER_DEFINED; off, HUBSPOT_DEFINED.
    pub custom_links_user_defined: bool,
    /// §10.1 [INF]: a deleted unique property counts among the ten.
    pub archived_property_counts: bool,
    /// §10.2 [MEM]: a `bool` property needs its two options.
    pub bool_needs_options: bool,
    /// §10.3 [MEM]: names of properties are lower-cased; off, refused.
    pub names_lower_cased: bool,
    /// §10.3 [MEM]: the name of an archived property is reserved for 90 days; off, it is free.
    pub archived_name_reserved: bool,
    /// §10.3 [MEM]: custom properties an object may have on a paid plan.
    pub custom_properties: usize,
    /// §10.3 [MEM]: options an enumeration may have.
    pub options_per_property: usize,
    /// §11 [MEM]: custom objects of an Enterprise account.
    pub custom_object_types: usize,
    /// §11, pairs.md §6: Professional has custom objects too.
    pub custom_objects_in_professional: bool,
    /// §5, §11: records an object type may have.
    pub records_per_object: u64,
    /// §12 [MEM]: the largest file of a paid plan, in bytes.
    pub file_max_bytes: u64,
    /// §12 [MEM]: how long a signed address works when no `expirationSeconds` is given.
    pub signed_url_life: Duration,
    /// §8, §12 [INF]: an id in `hs_attachment_ids` that is no file's is refused; off, kept in silence.
    pub unknown_attachment_refused: bool,
    /// §19 [INF]: time until a contact has a company by its domain.
    pub auto_company_delay: Duration,
    /// §14: time until search shows a new or changed record.
    pub search_lag: Duration,
    /// §14 [MEM]: IN and NOT_IN on enumerations find only lower-case values.
    pub enumerations_lower_case_in_search: bool,
    /// §15: an archived owner on a ticket, contact or company.
    pub archived_owner: ArchivedOwner,
    /// §16: `createdate` of tickets.
    pub ticket_createdate: TicketTimes,
    /// §16: `closed_date` of tickets.
    pub ticket_closed_date: TicketTimes,
    /// §23: a logged INCOMING_EMAIL moves its ticket to the second open stage of any pipeline; off, it only runs the automation
    /// of the default pipeline.
    pub incoming_email_moves_ticket: bool,
    /// §13: an OUTGOING message of a custom channel is delivered.
    pub outgoing_is_delivered: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            emails_redacted_without_scope: false,
            new_codes_in_2026_03: true,
            partial_is_207_in_dated: true,
            professional_per_day: 625_000,
            searches_per_second: 5,
            rate_limit_category: false,
            retry_after_on_429: false,
            rolling_windows: true,
            writes_until_locked: None,
            json_scalars_accepted: false,
            list_limit: 100,
            batch_order_shuffled: true,
            email_upsert: EmailUpsert::ClearsOthers,
            batch_archive_missing_fails: false,
            exists_status: 409,
            company_domain_unique: false,
            merged_ids_follow: true,
            activity_unknown_ignored: false,
            delete_unknown_status: 404,
            unique_on_activities: false,
            email_delete_permanent: true,
            archived_keeps_unique: false,
            html_sanitised: true,
            ids_as_text_in_lists: false,
            links_per_record: 50_000,
            custom_links_user_defined: true,
            archived_property_counts: true,
            bool_needs_options: true,
            names_lower_cased: true,
            archived_name_reserved: true,
            custom_properties: 1_000,
            options_per_property: 5_000,
            custom_object_types: 10,
            custom_objects_in_professional: false,
            records_per_object: 500_000,
            file_max_bytes: 2 * 1024 * 1024 * 1024,
            signed_url_life: Duration::hours(24),
            unknown_attachment_refused: false,
            auto_company_delay: Duration::seconds(10),
            search_lag: Duration::seconds(30),
            enumerations_lower_case_in_search: false,
            archived_owner: ArchivedOwner::Refused,
            ticket_createdate: TicketTimes::ReadOnly,
            ticket_closed_date: TicketTimes::ReadOnly,
            incoming_email_moves_ticket: false,
            outgoing_is_delivered: true,
        }
    }
}
