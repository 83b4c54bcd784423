//! Everything about the simulated account that a test may choose.
//!
//! [`Config`] says what account there is; [`Switches`] holds every behaviour that the vendor's texts leave open or that
//! is only commonly believed (marked [MEM] or [INF] in the Zendesk facts, §18 among them). Each default is the reading
//! that asks most of a client; a client is right when it works with every position of every switch.

use chrono::Duration;

use crate::common::Clock;

/// The account to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and pre-existing content.
    pub seed: u64,
    /// Sub-domain, `https://{subdomain}.zendesk.com` being the base of links unless `public_url` is set.
    pub subdomain: String,
    /// Base of links in answers; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// Plan: decides limits of requests and of custom objects (§2, §11).
    pub plan: Plan,
    /// The High Volume API add-on: 2,500 requests a minute (§2).
    pub high_volume: bool,
    /// Its time.
    pub clock: Clock,
    /// Whether rate limits are enforced. Headers are sent either way.
    pub rate_limits: bool,
    /// Agent seats; creating one more agent is refused [INF].
    pub agent_seats: usize,
    /// Whether uploaded bytes are kept so that `content_url` can serve them. Size and SHA-256 are kept either way.
    pub keep_files: bool,
    /// The OAuth client the account has.
    pub oauth_client: OauthClient,
    /// API token of the admin, for Basic authentication (§1).
    pub api_token: String,
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
            subdomain: "acme".to_owned(),
            public_url: None,
            plan: Plan::SuiteEnterprise,
            high_volume: false,
            clock: Clock::real(),
            rate_limits: true,
            agent_seats: 50,
            keep_files: true,
            oauth_client: OauthClient::default(),
            api_token: "simulated-api-token".to_owned(),
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// An OAuth client; it acts as the account's admin, who owns it (§1).
#[derive(Debug, Clone)]
pub struct OauthClient {
    /// Identifier.
    pub id: String,
    /// Secret.
    pub secret: String,
    /// The scopes it may ask for at most.
    pub scopes: Vec<String>,
    /// Whether its owner is an admin; imports are for admins only.
    pub owner_is_admin: bool,
}

impl Default for OauthClient {
    fn default() -> Self {
        Self {
            id: "transload".to_owned(),
            secret: "simulated-client-secret".to_owned(),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            owner_is_admin: true,
        }
    }
}

/// Content that is in the account before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Agents besides the two admins; the addresses are `agent1@{agent_domain}` and so on.
    pub agents: usize,
    /// Domain of the agents' addresses.
    pub agent_domain: String,
    /// Further agents by e-mail and name, e.g. those a source has too.
    pub agents_by_email: Vec<(String, String)>,
    /// Groups besides the default one.
    pub groups: Vec<String>,
    /// End users by e-mail and name.
    pub end_users: Vec<(String, String)>,
    /// Organizations by name.
    pub organizations: Vec<String>,
    /// Old tickets of the end users.
    pub tickets: usize,
    /// The usual triggers and automations; without them the account never mails on its own.
    pub business_rules: bool,
    /// The "pending for 24 hours" reminder automation, which mails about imported pending tickets too (§12).
    pub pending_reminder: bool,
    /// A required-to-solve ticket field (§9).
    pub required_field: bool,
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |email: &str, name: &str| (email.to_owned(), name.to_owned());
        Self {
            agents: 4,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            groups: vec!["Billing".to_owned(), "Returns".to_owned()],
            end_users: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            organizations: vec!["Old Partner".to_owned()],
            tickets: 3,
            business_rules: true,
            pending_reminder: false,
            required_field: false,
        }
    }
}

impl Preexisting {
    /// An account with nothing but its admins, default group and system fields.
    pub fn nothing() -> Self {
        Self {
            agents: 0,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            groups: Vec::new(),
            end_users: Vec::new(),
            organizations: Vec::new(),
            tickets: 0,
            business_rules: false,
            pending_reminder: false,
            required_field: false,
        }
    }
}

/// The account's plan (§2, §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 200 requests a minute, 3 custom objects.
    SuiteTeam,
    /// 400 requests a minute, 5 custom objects.
    SuiteGrowth,
    /// 400 requests a minute, 30 custom objects.
    SuiteProfessional,
    /// 700 requests a minute, 50 custom objects.
    SuiteEnterprise,
    /// 2,500 requests a minute, 50 custom objects.
    SuiteEnterprisePlus,
}

impl Plan {
    /// Requests a minute on all endpoints together.
    pub fn requests_per_minute(self) -> u32 {
        match self {
            Self::SuiteTeam => 200,
            Self::SuiteGrowth | Self::SuiteProfessional => 400,
            Self::SuiteEnterprise => 700,
            Self::SuiteEnterprisePlus => 2_500,
        }
    }

    /// Custom objects the account may have.
    pub fn custom_objects(self) -> usize {
        match self {
            Self::SuiteTeam => 3,
            Self::SuiteGrowth => 5,
            Self::SuiteProfessional => 30,
            Self::SuiteEnterprise | Self::SuiteEnterprisePlus => 50,
        }
    }

    /// Lookup fields one custom object may have.
    pub fn lookup_fields(self) -> usize {
        match self {
            Self::SuiteTeam | Self::SuiteGrowth => 5,
            _ => 10,
        }
    }
}

/// Behaviours nobody could confirm, and limits known only from memory. Each names the section of the Zendesk facts.
#[derive(Debug, Clone)]
pub struct Switches {
    /// §1: API tokens have ended, as they will on 30 April 2027.
    pub api_tokens_ended: bool,
    /// §1 [LIVE]: `GET /users/me` without valid credentials answers 200 with an anonymous user.
    pub anonymous_me: bool,
    /// §1: life of an access token when none is asked for.
    pub token_life: Duration,
    /// §6.1: Zendesk has enabled bulk user import for the account.
    pub bulk_user_import: bool,
    /// §6.2: users are put into the organization that owns their e-mail domain.
    pub map_users_by_domain: bool,
    /// §6.2: user and organization tags are copied onto tickets.
    pub user_tagging: bool,
    /// §6.2: a phone number that is not E.164 needs `shared_phone_number` [INF]; off, it is stored as shared.
    pub strict_phone: bool,
    /// §7 [MEM]: a second identical membership is refused with 422; off, it answers 201 with the existing one.
    pub duplicate_membership_refused: bool,
    /// §8: life of an upload token: 60 minutes in the text of 2026, 3 days in that of 2024.
    pub upload_life: Duration,
    /// §8 [MEM]: the largest file, in bytes.
    pub upload_max_bytes: u64,
    /// §8 [INF]: an unknown, expired or used upload token fails the ticket; off, the file is left out in silence.
    pub bad_upload_fails: bool,
    /// §9 [INF]: a tagger or multiselect value that is no option is refused; off, it is dropped.
    pub unknown_option_refused: bool,
    /// §10 [MEM]: what a blank inside a tag does.
    pub tag_blanks: TagBlanks,
    /// §12: how many comments a ticket may have.
    pub comments_per_ticket: usize,
    /// §12 [MEM]: the longest comment, in bytes.
    pub comment_max_bytes: usize,
    /// §12 [INF]: how far in the future a comment's time may be.
    pub comment_clock_skew: Duration,
    /// §12 [INF]: `closed` needs an assignee as `solved` does.
    pub closed_needs_assignee: bool,
    /// §12 [INF]: an organization that is not the requester's is refused; off, the requester's own is taken.
    pub foreign_organization_refused: bool,
    /// §12: `via.channel` of an import is kept (§18).
    pub via_kept: bool,
    /// §12, §18: an end user's private comment in an import.
    pub end_user_private_comment: PrivateComment,
    /// §12 [LIVE]: what `public` is when it is left out of an import's comment: what the ticket was before it, and
    /// this for the first.
    pub omitted_public_first: bool,
    /// §12 [MEM]: which members a failed row of a job has.
    pub failed_row: FailedRow,
    /// §12 [MEM]: how long a job's results can be read.
    pub job_result_life: Duration,
    /// §12 [MEM]: how many jobs the list shows.
    pub jobs_listed: usize,
    /// §2: jobs that may be queued or running at once.
    pub open_jobs: usize,
    /// §12 [INF]: time a job waits before its first row.
    pub job_queue_time: Duration,
    /// §12 [INF]: time a job takes for a row.
    pub job_row_time: Duration,
    /// §13: `Idempotency-Key` works on `/imports/tickets` too (§18).
    pub idempotent_imports: bool,
    /// §3, §6.1: time until a new record is found by search; a deleted one is found as long after its deletion.
    pub search_lag: Duration,
    /// §3 [LIB]: several values of one keyword in a search are alternatives; off, all of them have to hold.
    pub search_any: bool,
    /// §12 [INF]: time until `GET /tickets?external_id=` shows a new ticket.
    pub ticket_list_lag: Duration,
    /// §12 [INF]: what the hours of automations are counted from on an imported ticket.
    pub imported_status_age: StatusAge,
    /// §6.2 [INF]: an external id or address is free again after a soft deletion.
    pub deletion_frees_keys: bool,
    /// §11 [MEM]: the key of a deleted custom object stays reserved.
    pub deleted_object_key_reserved: bool,
    /// §11: fields per custom object; the texts say 100, an example says 400.
    pub object_fields: usize,
    /// §2 [MEM]: the body of a 429 is the older form; off, the JSON:API one.
    pub plain_rate_limit_body: bool,
    /// §15 [MEM]: deleted tickets are in the incremental export with status `deleted`.
    pub incremental_shows_deleted: bool,
    /// §1 [3P]: requests without `Accept` are refused with 415.
    pub accept_required: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            api_tokens_ended: false,
            anonymous_me: true,
            token_life: Duration::minutes(30),
            bulk_user_import: false,
            map_users_by_domain: true,
            user_tagging: true,
            strict_phone: true,
            duplicate_membership_refused: true,
            upload_life: Duration::minutes(60),
            upload_max_bytes: 50 * 1024 * 1024,
            bad_upload_fails: true,
            unknown_option_refused: true,
            tag_blanks: TagBlanks::Split,
            comments_per_ticket: 5_000,
            comment_max_bytes: 65_535,
            comment_clock_skew: Duration::zero(),
            closed_needs_assignee: false,
            foreign_organization_refused: true,
            via_kept: false,
            end_user_private_comment: PrivateComment::Kept,
            omitted_public_first: true,
            failed_row: FailedRow::Indexed,
            job_result_life: Duration::hours(1),
            jobs_listed: 100,
            open_jobs: 30,
            job_queue_time: Duration::milliseconds(500),
            job_row_time: Duration::milliseconds(50),
            idempotent_imports: false,
            search_lag: Duration::minutes(3),
            search_any: true,
            ticket_list_lag: Duration::zero(),
            imported_status_age: StatusAge::Import,
            deletion_frees_keys: true,
            deleted_object_key_reserved: true,
            object_fields: 100,
            plain_rate_limit_body: true,
            incremental_shows_deleted: true,
            accept_required: false,
        }
    }
}

/// What a blank inside a tag does (§10 [MEM]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagBlanks {
    /// "vip customer" becomes the two tags `vip` and `customer`.
    Split,
    /// It becomes `vip_customer`.
    Underscore,
}

/// What an import does with a private comment by an end user (§18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateComment {
    /// It stays private.
    Kept,
    /// It is made public.
    MadePublic,
    /// The ticket is refused.
    Refused,
}

/// The members of a failed row in a job's results (§12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedRow {
    /// `{"index":1,"error":…,"details":…}`.
    Indexed,
    /// As the OpenAPI document has it: `{"id":0,"action":…,"error":…,"details":…,"success":false}`, in the place of its row.
    Openapi,
}

/// What "hours since solved" counts from on an imported ticket (§18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusAge {
    /// The moment of the import.
    Import,
    /// `solved_at`, if given, else `updated_at`.
    GivenTimes,
}
