//! Everything about the simulated portal that a test may choose.
//!
//! [`Config`] says what portal there is; [`Switches`] holds every behaviour that the vendor's texts leave open (marked [MEM], [INF],
//! [3P] or "not found" in the Zoho Desk facts). Each default is the reading that asks most of a client, unless it says why not; a
//! client is right when it works with every position of every switch.

use chrono::Duration;

use crate::common::Clock;

/// The portal to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and pre-existing content.
    pub seed: u64,
    /// Number of the portal, which goes with every call (§1).
    pub org_id: u64,
    /// Name of the company.
    pub company: String,
    /// Base of links in answers; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// What was bought: credits, concurrency, teams, fields and modules by API (§3, §8).
    pub edition: Edition,
    /// Whether it is a trial: credits of the free edition (§3).
    pub trial: bool,
    /// Seats; an agent beyond them is refused (§7.3).
    pub seats: usize,
    /// Credits that were bought besides (§3).
    pub purchased_credits: u64,
    /// Its time.
    pub clock: Clock,
    /// Whether credits, concurrency and the creation of tokens are limited. Headers are sent either way.
    pub rate_limits: bool,
    /// Whether uploaded bytes are kept so that they can be downloaded. Size and SHA-256 are kept either way.
    pub keep_files: bool,
    /// The OAuth client (§2).
    pub client: OauthClient,
    /// Role of the agent that the tokens are of: `Admin`, unless a test wants to see what a weaker one may not do.
    pub role: String,
    /// API names of custom fields that the profile of that agent may not see: they vanish from answers (§2).
    pub hidden_fields: Vec<String>,
    /// What was in the portal before.
    pub preexisting: Preexisting,
    /// Open questions.
    pub switches: Switches,
}

impl Config {
    /// The usual portal on a virtual clock that stands at 23 November 2026, 09:00 UTC.
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
            org_id: 687_654_321,
            company: "Acme".to_owned(),
            public_url: None,
            edition: Edition::Enterprise,
            trial: false,
            seats: 50,
            purchased_credits: 0,
            clock: Clock::real(),
            rate_limits: true,
            keep_files: true,
            client: OauthClient::default(),
            role: "Admin".to_owned(),
            hidden_fields: Vec::new(),
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// The registered client of the tokens (§2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// A refresh token that is there from the start, with every scope.
    pub refresh_token: String,
    /// A grant token that can be exchanged once.
    pub code: String,
    /// Whether the client may use the grant `client_credentials` (a self client).
    pub client_credentials: bool,
}

impl Default for OauthClient {
    fn default() -> Self {
        Self {
            id: "1000.SIMULATEDCLIENT".to_owned(),
            secret: "simulated-client-secret".to_owned(),
            refresh_token: "1000.simulated-refresh-token".to_owned(),
            code: "1000.simulated-grant-code".to_owned(),
            client_credentials: true,
        }
    }
}

/// What was bought (§3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// 5,000 credits, 5 calls at once; no teams, no fields by API.
    Free,
    /// 25,000 credits and 100 an agent, 10 calls; no teams, no fields by API.
    Express,
    /// 50,000 and 250, 10 calls; no teams.
    Standard,
    /// 75,000 and 500, 15 calls; a few custom modules.
    Professional,
    /// 100,000 and 1,000, 25 calls.
    Enterprise,
}

/// Content that is in the portal before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Agents besides the owner and the migration's administrator; the addresses are `agent1@{agent_domain}` and so on.
    pub agents: usize,
    /// Domain of the agents' addresses.
    pub agent_domain: String,
    /// Further agents by e-mail and name, e.g. those a source has too.
    pub agents_by_email: Vec<(String, String)>,
    /// Agents by e-mail and name who are disabled.
    pub disabled_agents: Vec<(String, String)>,
    /// Departments; the first is the default one. All agents belong to all of them. There is always one: `Acme` when this is empty.
    pub departments: Vec<String>,
    /// Teams, all in the first department; the agents are spread over them.
    pub teams: Vec<String>,
    /// Accounts by name.
    pub accounts: Vec<String>,
    /// Contacts by e-mail and name.
    pub contacts: Vec<(String, String)>,
    /// Old tickets of the contacts.
    pub tickets: usize,
    /// Tags of the first department.
    pub tags: Vec<String>,
    /// Labels of custom text fields of tickets.
    pub ticket_fields: Vec<String>,
    /// Labels of custom text fields of contacts.
    pub contact_fields: Vec<String>,
    /// A picklist of tickets by label and values: only people make its values (§7.8).
    pub picklists: Vec<(String, Vec<String>)>,
    /// Labels of custom modules, which nobody can delete (§9).
    pub modules: Vec<String>,
    /// A custom text field, `Order number`, that every ticket must have.
    pub required_field: bool,
    /// Names of ticket statuses by type, besides `Open`, `On Hold`, `Escalated` and `Closed`.
    pub statuses: Vec<(String, StatusType)>,
    /// What fires on new and changed records.
    pub services: Services,
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |email: &str, name: &str| (email.to_owned(), name.to_owned());
        Self {
            agents: 4,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            disabled_agents: vec![pair("former@acme.example", "Former Agent")],
            departments: vec!["Acme".to_owned(), "Returns Desk".to_owned()],
            teams: vec!["Billing".to_owned(), "Returns".to_owned()],
            accounts: vec!["Old Account Ltd".to_owned()],
            contacts: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            tickets: 3,
            tags: vec!["before-migration".to_owned()],
            ticket_fields: vec!["Contact reason".to_owned()],
            contact_fields: vec!["Loyalty tier".to_owned()],
            picklists: vec![(
                "Severity".to_owned(),
                vec!["Minor".to_owned(), "Major".to_owned()],
            )],
            modules: Vec::new(),
            required_field: false,
            statuses: vec![("Waiting on customer".to_owned(), StatusType::OnHold)],
            services: Services::default(),
        }
    }
}

impl Preexisting {
    /// A portal with nothing but its owner, the migration's administrator and one department.
    pub fn nothing() -> Self {
        Self {
            agents: 0,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            disabled_agents: Vec::new(),
            departments: Vec::new(),
            teams: Vec::new(),
            accounts: Vec::new(),
            contacts: Vec::new(),
            tickets: 0,
            tags: Vec::new(),
            ticket_fields: Vec::new(),
            contact_fields: Vec::new(),
            picklists: Vec::new(),
            modules: Vec::new(),
            required_field: false,
            statuses: Vec::new(),
            services: Services::none(),
        }
    }
}

/// What a ticket status means (§6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusType {
    /// Somebody has to do something.
    Open,
    /// Waits.
    OnHold,
    /// Done.
    Closed,
}

impl StatusType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::OnHold => "On Hold",
            Self::Closed => "Closed",
        }
    }
}

/// What fires on new and changed records, for an operator to switch off before a migration (§14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    /// A mail to the contact of a new ticket.
    pub acknowledgements: bool,
    /// Mails to agents about new and assigned tickets.
    pub agent_notices: bool,
    /// A mail to the contact about a public comment.
    pub comment_mails: bool,
    /// A mail to the contact of a closed ticket.
    pub closing_mails: bool,
    /// A happiness survey to the contact of a closed ticket.
    pub happiness: bool,
    /// A workflow that runs on every new or changed ticket.
    pub workflows: bool,
    /// An SLA that starts on every new open ticket.
    pub sla: bool,
    /// An unassigned new ticket gets an agent of its department.
    pub assignment: bool,
    /// Every new ticket gets the tag `auto-tagged`.
    pub auto_tags: bool,
    /// A webhook about new and changed tickets.
    pub webhooks: bool,
    /// New and changed contacts and accounts go to the CRM (§7.2).
    pub crm_sync: bool,
}

impl Services {
    /// None of them.
    pub fn none() -> Self {
        Self {
            acknowledgements: false,
            agent_notices: false,
            comment_mails: false,
            closing_mails: false,
            happiness: false,
            workflows: false,
            sla: false,
            assignment: false,
            auto_tags: false,
            webhooks: false,
            crm_sync: false,
        }
    }

    /// All of them.
    pub fn all() -> Self {
        Self {
            acknowledgements: true,
            agent_notices: true,
            comment_mails: true,
            closing_mails: true,
            happiness: true,
            workflows: true,
            sla: true,
            assignment: true,
            auto_tags: true,
            webhooks: true,
            crm_sync: true,
        }
    }
}

impl Default for Services {
    /// The mails, SLA, a workflow and a webhook, as an ordinary portal has them.
    fn default() -> Self {
        Self {
            assignment: false,
            auto_tags: false,
            crm_sync: false,
            ..Self::all()
        }
    }
}

/// Behaviours nobody could confirm. Each names the section of the Zoho Desk facts.
#[derive(Debug, Clone)]
pub struct Switches {
    /// §2: how long an access token lives.
    pub token_life: Duration,
    /// §2 [MEM]: the error of the eleventh refresh in ten minutes is a 200 as all others; off, a 400.
    pub token_errors_200: bool,
    /// §4 [3P]: `from` counts from 1; 0 means 1 then.
    pub from_one_based: bool,
    /// §4: largest `limit` of most lists; 50 and 99 were read elsewhere.
    pub list_limit: usize,
    /// §5: an unknown query parameter is a 422; off, it is ignored.
    pub unknown_query_refused: bool,
    /// §5 [MEM]: an unknown key of a body is a 422; off, it is ignored.
    pub unknown_key_refused: bool,
    /// §5: errors of `INVALID_DATA` have an `errorMessage`; off, it is absent.
    pub error_messages: bool,
    /// §5: how `success` of a failed item of a mass action is written.
    pub mass_failure: MassFailure,
    /// §3: seconds of `Retry-After` when too many calls are under way.
    pub concurrency_retry_s: u64,
    /// §10: credits of every row of an import, besides one for the request.
    pub import_row_credits: u64,

    /// §0: the import API answers with this status: 401, 403 or 404. None by default, for it is documented.
    pub imports_refused: Option<u16>,
    /// §10: a row must have every key of its kind, null where there is nothing.
    pub import_all_keys: bool,
    /// §10: rows of one import; more are a 422.
    pub import_max_rows: usize,
    /// §10: bytes of the body of one import; more are a 413.
    pub import_max_bytes: usize,
    /// §10: `importMappings` takes so many ids.
    pub mappings_max_ids: usize,
    /// §10: who issues scopes. With a list, any other is refused; none by default: the client chooses a UUID.
    pub scopes_issued: Option<Vec<String>>,
    /// §10: what an external id does that is there already.
    pub import_duplicate: ImportDuplicate,
    /// §10: the keys of `customFields` in a row.
    pub import_field_keys: FieldKeys,
    /// §10: a custom field that is unknown fails the row; off, it is dropped in silence.
    pub import_unknown_field_refused: bool,
    /// §10: what becomes of `tags` of a ticket row.
    pub import_tags: ImportTags,
    /// §10: what a row does whose e-mail address a contact has.
    pub import_duplicate_email: DuplicateEmail,
    /// §10: an unknown status is added to the field, as the CSV import does; off, the row fails.
    pub import_adds_statuses: bool,
    /// §10: `description` of a ticket row becomes its first thread, as in `POST tickets`.
    pub import_description_thread: bool,
    /// §10: a row may name a parent of the same import; off, only of one that is completed.
    pub import_parents_together: bool,
    /// §14: an import without `runAutomation` runs it.
    pub import_runs_automation_by_default: bool,
    /// §7.6: mentions in imported comments reach people.
    pub import_mentions_notify: bool,
    /// §11: threads and comments of an import move the ticket's `modifiedTime`. Off by default, for nothing could be done about it.
    pub import_children_touch: bool,
    /// §10: time an import waits before its first row.
    pub import_queue_time: Duration,
    /// §10: time between two rows of an import.
    pub import_row_time: Duration,
    /// §10: so many requests are told `queued` before one can be told `completed`.
    pub import_polls: u32,
    /// §10: form of the error log.
    pub error_log: ErrorLog,
    /// §10: the answer of `importMappings` when there is nothing.
    pub empty_mappings: EmptyMappings,
    /// §12: a mapping outlives the permanent deletion of its entity.
    pub mappings_outlive: bool,

    /// §12, §13: time until a search finds what was made, and finds it by what was changed.
    pub search_lag: Duration,
    /// §7.1 [MEM]: what `POST contacts` does with an address that a contact has.
    pub duplicate_email: DuplicateEmail,
    /// §7.2: a second account of one name is a 422; off, there are two.
    pub account_names_unique: bool,
    /// §7.5: longest subject; the schema says 1000.
    pub subject_max: usize,
    /// §7.1: `zip` takes digits only.
    pub zip_digits_only: bool,
    /// §0: `createdTime` in `POST tickets` is a 422 as any unknown key is; off, it is ignored.
    pub created_time_refused: bool,
    /// §7.6: a comment without `isPublic` is public.
    pub omitted_is_public: bool,
    /// §12: HTML comments survive in comments and threads.
    pub html_comments_kept: bool,
    /// §7.7: characters of a thread's content in lists.
    pub list_content_chars: usize,
    /// §8: a new custom field is put on all layouts. On by default, for otherwise no value would ever stick.
    pub new_field_on_layouts: bool,
    /// §8: how the API name of a new field is made of its label.
    pub field_names: FieldNames,
    /// §8: a second field of one label is a 422; off, its API name gets a number.
    pub field_labels_unique: bool,
    /// §8: an unknown key of `cf` or `customFields` is a 422; off, it is dropped in silence.
    pub unknown_field_refused: bool,
    /// §8: custom fields of one module.
    pub custom_fields_max: usize,
    /// §9: records of a module of the whole organisation take `department`; off, a 422.
    pub org_module_takes_department: bool,
    /// §12: most ids of one `moveToTrash`.
    pub trash_max_ids: usize,
    /// §12: an id of nothing in `moveToTrash` is a 422 for all; off, it is ignored.
    pub trash_unknown_refused: bool,
    /// §12: what hangs on a trashed contact or account goes with it.
    pub trash_takes_children: bool,
    /// §12: how long the recycle bin keeps things.
    pub trash_life: Duration,
    /// §7.4: status of `deleteTeam`, whose body nobody has seen.
    pub team_deletion_status: u16,
    /// §7.8 [MEM]: the largest file, in bytes.
    pub attachment_max_bytes: u64,
    /// §7.8: how long an unused upload is kept.
    pub upload_life: Duration,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            token_life: Duration::hours(1),
            token_errors_200: true,
            from_one_based: false,
            list_limit: 100,
            unknown_query_refused: true,
            unknown_key_refused: true,
            error_messages: true,
            mass_failure: MassFailure::Null,
            concurrency_retry_s: 2,
            import_row_credits: 0,
            imports_refused: None,
            import_all_keys: true,
            import_max_rows: 100,
            import_max_bytes: 64 * 1024 * 1024,
            mappings_max_ids: 100,
            scopes_issued: None,
            import_duplicate: ImportDuplicate::Second,
            import_field_keys: FieldKeys::Label,
            import_unknown_field_refused: false,
            import_tags: ImportTags::Dropped,
            import_duplicate_email: DuplicateEmail::Refused,
            import_adds_statuses: false,
            import_description_thread: true,
            import_parents_together: true,
            import_runs_automation_by_default: true,
            import_mentions_notify: true,
            import_children_touch: false,
            import_queue_time: Duration::seconds(2),
            import_row_time: Duration::milliseconds(20),
            import_polls: 1,
            error_log: ErrorLog::Json,
            empty_mappings: EmptyMappings::Empty,
            mappings_outlive: false,
            search_lag: Duration::minutes(2),
            duplicate_email: DuplicateEmail::Refused,
            account_names_unique: false,
            subject_max: 255,
            zip_digits_only: true,
            created_time_refused: true,
            omitted_is_public: true,
            html_comments_kept: false,
            list_content_chars: 500,
            new_field_on_layouts: true,
            field_names: FieldNames::Snake,
            field_labels_unique: true,
            unknown_field_refused: true,
            custom_fields_max: 230,
            org_module_takes_department: false,
            trash_max_ids: 50,
            trash_unknown_refused: true,
            trash_takes_children: true,
            trash_life: Duration::days(60),
            team_deletion_status: 204,
            attachment_max_bytes: 20 * 1024 * 1024,
            upload_life: Duration::hours(24),
        }
    }
}

/// How `success` of a failed item of a mass action is written (§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MassFailure {
    /// `null`.
    Null,
    /// `false`.
    False,
}

/// What an external id of an import does that is there already (§10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportDuplicate {
    /// A second entity, which the external id stands for from then on.
    Second,
    /// The row fails.
    Refused,
    /// The entity is changed; its `createdTime` stays.
    Updated,
}

/// What a second contact of one e-mail address meets (§7.1, §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateEmail {
    /// It is refused: 422 `duplicate` of a request, an error of a row.
    Refused,
    /// There are two.
    Second,
    /// The one that is there stands for it, unchanged.
    Matched,
}

/// How custom fields are named (§8, §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKeys {
    /// By display label.
    Label,
    /// By API name.
    ApiName,
    /// Either way.
    Both,
}

/// What becomes of `tags` of an imported ticket (§10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportTags {
    /// They are left out in silence.
    Dropped,
    /// The ticket has them.
    Taken,
    /// The request is refused: the schema has no such key.
    Refused,
}

/// Form of the error log of an import (§10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorLog {
    /// `{"data":[{"module","externalId","errorCode","errorMessage"}]}`.
    Json,
    /// The same as lines with commas.
    Csv,
    /// It is a 404.
    Missing,
}

/// What `importMappings` answers when it knows none of the ids (§10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyMappings {
    /// `{"data":[]}`.
    Empty,
    /// A 204 without a body.
    NoContent,
    /// A row for each, with `entityId: null`; also beside known ones.
    Nulls,
}

/// How the API name of a new field is made (§8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldNames {
    /// `cf_customer_reference_code`.
    Snake,
    /// `cf_customerreferencecode`, as in older portals.
    Squashed,
}
