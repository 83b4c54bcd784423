//! Everything about the simulated org that a test may choose.
//!
//! [`Config`] says what org there is; [`Switches`] holds every behaviour that the vendor's texts leave open or that is only
//! commonly believed (marked [MEM] or [INF] in the Salesforce facts, §18 among them). Each default is the reading that asks
//! most of a client; a client is right when it works with every position of every switch.

use chrono::Duration;

use crate::common::Clock;

/// The private half of the key pair that the connected app knows. It opens nothing but this simulator.
pub const PRIVATE_KEY: &str = include_str!("rsa_for_tests.pem");
/// The public half.
pub const PUBLIC_KEY: &str = include_str!("rsa_for_tests.pub.pem");

/// The org to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and orders that are drawn.
    pub seed: u64,
    /// My Domain: `https://{domain}.my.salesforce.com`, unless `public_url` is set.
    pub domain: String,
    /// `instance_url` of the token answer; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// Its time.
    pub clock: Clock,
    /// Calls in a rolling day (§2).
    pub daily_requests: u64,
    /// Calls of the day that others have made when the org begins.
    pub used_requests: u64,
    /// Whether the quota is enforced. The header is sent either way.
    pub rate_limits: bool,
    /// Megabytes of records the org may hold (§2).
    pub data_storage_mb: u64,
    /// Megabytes of files the org may hold (§2).
    pub file_storage_mb: u64,
    /// Licences for users (§9.5).
    pub licences: usize,
    /// The connected app.
    pub app: ConnectedApp,
    /// "Enable Set Audit Fields upon Record Creation" in Setup (§0.2).
    pub audit_fields_setting: bool,
    /// What the integration user may do.
    pub permissions: Permissions,
    /// Setup › Deliverability (§14).
    pub deliverability: Deliverability,
    /// What was in the org before.
    pub preexisting: Preexisting,
    /// Open questions.
    pub switches: Switches,
}

impl Config {
    /// The usual org on a virtual clock that stands at 23 November 2026, 09:00 UTC.
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
            domain: "acme".to_owned(),
            public_url: None,
            clock: Clock::real(),
            daily_requests: 115_000,
            used_requests: 18,
            rate_limits: true,
            data_storage_mb: 10_240,
            file_storage_mb: 10_240,
            licences: 40,
            app: ConnectedApp::default(),
            audit_fields_setting: true,
            permissions: Permissions::default(),
            deliverability: Deliverability::All,
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// A connected app (§1). It acts as the integration user.
#[derive(Debug, Clone)]
pub struct ConnectedApp {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    pub client_secret: String,
    /// Whether the client-credentials flow is enabled with a user to run as.
    pub client_credentials: bool,
    /// Whether the integration user is pre-authorised for the JWT bearer flow.
    pub pre_authorised: bool,
    /// A refresh token somebody got by logging in.
    pub refresh_token: String,
}

impl Default for ConnectedApp {
    fn default() -> Self {
        Self {
            client_id: "3MVG9simulated".to_owned(),
            client_secret: "simulated-consumer-secret".to_owned(),
            client_credentials: true,
            pre_authorised: true,
            refresh_token: "5Aep861simulated".to_owned(),
        }
    }
}

/// User permissions of the integration user (§1).
#[derive(Debug, Clone)]
pub struct Permissions {
    /// "Set Audit Fields upon Record Creation".
    pub audit_fields: bool,
    /// "Update Records with Inactive Owners".
    pub inactive_owners: bool,
    /// "Modify All Data".
    pub modify_all: bool,
    /// "Customize Application" and "Modify Metadata".
    pub customize: bool,
    /// "Insert System Field Values for Chatter Feeds".
    pub feed_fields: bool,
    /// "Bulk API Hard Delete".
    pub hard_delete: bool,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            audit_fields: true,
            inactive_owners: true,
            modify_all: true,
            customize: true,
            feed_fields: false,
            hard_delete: false,
        }
    }
}

/// What mails leave the org (§14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliverability {
    /// All of them.
    All,
    /// None that automation or a user sends.
    SystemOnly,
    /// None.
    No,
}

/// Content that is in the org before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Users by e-mail and name, e.g. those a source has too.
    pub users: Vec<(String, String)>,
    /// Inactive users by e-mail and name.
    pub inactive_users: Vec<(String, String)>,
    /// Queues by name; they take cases.
    pub queues: Vec<String>,
    /// Accounts by name.
    pub accounts: Vec<String>,
    /// Contacts by e-mail and name.
    pub contacts: Vec<(String, String)>,
    /// Old cases of the contacts.
    pub cases: usize,
    /// The usual rules: an assignment rule, a flow that mails the contact of a new case, a mail to contacts of new comments.
    pub automation: bool,
    /// What the standard duplicate rules for accounts and contacts do.
    pub duplicate_rules: DuplicateRule,
    /// A validation rule: a closed case needs a reason.
    pub validation_rule: bool,
    /// Objects for which topics are enabled (§9.5).
    pub topics: Vec<String>,
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |email: &str, name: &str| (email.to_owned(), name.to_owned());
        Self {
            users: (1..=4)
                .map(|n| pair(&format!("agent{n}@acme.example"), &format!("Agent {n}")))
                .collect(),
            inactive_users: vec![pair("left@acme.example", "Lea Left")],
            queues: vec!["Billing".to_owned(), "Returns".to_owned()],
            accounts: vec!["Old Partner".to_owned()],
            contacts: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            cases: 3,
            automation: true,
            duplicate_rules: DuplicateRule::Alert,
            validation_rule: false,
            topics: ["Account", "Contact", "Case"].map(str::to_owned).to_vec(),
        }
    }
}

impl Preexisting {
    /// An org with nothing but its admin and integration user.
    pub fn nothing() -> Self {
        Self {
            users: vec![],
            inactive_users: vec![],
            queues: vec![],
            accounts: vec![],
            contacts: vec![],
            cases: 0,
            automation: false,
            duplicate_rules: DuplicateRule::Off,
            validation_rule: false,
            topics: vec![],
        }
    }
}

/// What a duplicate rule does (§8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateRule {
    /// Nothing.
    Off,
    /// Refuses unless the request says `allowSave=true`.
    Alert,
    /// Refuses.
    Block,
}

/// What audit fields in an upsert do (§18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsertAudit {
    /// The row fails.
    Refused,
    /// They are passed over.
    Ignored,
}

/// Behaviours nobody could confirm, and limits known only from memory. Each names the section of the Salesforce facts.
#[derive(Debug, Clone)]
pub struct Switches {
    /// §1: how long a session lives after its last call.
    pub session_life: Duration,
    /// §3 [3P]: the key of a duplicate rule's findings is misspelt.
    pub misspelt_duplicate_key: bool,
    /// §3 [INF]: ids in a DUPLICATE_VALUE sentence have 15 letters; off, 18.
    pub short_id_in_duplicate: bool,
    /// §3: the sentence of an exhausted quota; its exact text is open (§18).
    pub quota_message: String,
    /// §5 [MEM]: chunks of types that one collection may have.
    pub type_chunks: usize,
    /// §5 [MEM]: subrequests of a composite that may be queries or collections.
    pub composite_queries: usize,
    /// §6: time a job waits before it runs [INF].
    pub job_queue_time: Duration,
    /// §6: time a job takes for a row [INF].
    pub job_row_time: Duration,
    /// §6: how long an open job stays.
    pub job_open_life: Duration,
    /// §6: how long results are kept.
    pub job_result_life: Duration,
    /// §10.3 [INF]: time until a deployment is applied.
    pub deploy_time: Duration,
    /// §7 [MEM]: a query locator lives so long.
    pub locator_life: Duration,
    /// §7 [MEM]: pages of records with long texts are shorter than asked for.
    pub short_pages: bool,
    /// §9.2, §18: ClosedDate can be given where audit fields can.
    pub closed_date_createable: bool,
    /// §9.3: an e-mail gets a task beside it, except an incoming one on a case.
    pub email_task: bool,
    /// §9.3: an e-mail on a case gets a feed item.
    pub email_feed_item: bool,
    /// §18: deleting an e-mail deletes its task.
    pub email_delete_takes_task: bool,
    /// §9.3: addresses of contacts, leads and users are refused in ToAddress, CcAddress and BccAddress.
    pub addresses_of_strangers_only: bool,
    /// §9.3, §18: characters a body of an e-mail may have.
    pub email_body_length: usize,
    /// §9.6 [MEM]: a file without bytes is refused.
    pub empty_file_refused: bool,
    /// §9.6: the largest file in JSON, in bytes after decoding.
    pub base64_file_bytes: usize,
    /// §10.1 [MEM]: DELETE works on the Tooling API's CustomField.
    pub tooling_field_delete: bool,
    /// §10.2: a new object is invisible until ObjectPermissions are inserted for it; off, Modify All Data shows it.
    pub object_needs_permission: bool,
    /// §10.4 [3P]: external-id fields an object may have.
    pub external_ids_per_object: usize,
    /// §10.4: custom fields an object may have.
    pub fields_per_object: usize,
    /// §10.4 [MEM]: lookups an object may have.
    pub lookups_per_object: usize,
    /// §10.4 [MEM]: characters of long text an object may have in all.
    pub long_text_per_object: usize,
    /// §11, §18: audit fields in an upsert.
    pub upsert_audit: UpsertAudit,
    /// §11 [MEM]: LastModifiedDate of a parent moves when a child is written.
    pub children_touch_parent: bool,
    /// §11 [MEM]: blanks around a text are taken off.
    pub texts_trimmed: bool,
    /// §13 [MEM]: a record in the recycle bin keeps its unique value.
    pub deleted_blocks_unique: bool,
    /// §18: a custom field of Activity may be an external id.
    pub activity_external_id: bool,
    /// §18: a link to a file may be written with Bulk.
    pub bulk_content_links: bool,
    /// §5 [INF]: an unknown field in one record of a collection fails the call; off, its row.
    pub unknown_field_fails_call: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            session_life: Duration::hours(2),
            misspelt_duplicate_key: true,
            short_id_in_duplicate: true,
            quota_message: "TotalRequests Limit exceeded.".to_owned(),
            type_chunks: 10,
            composite_queries: 5,
            job_queue_time: Duration::seconds(2),
            job_row_time: Duration::milliseconds(5),
            job_open_life: Duration::hours(24),
            job_result_life: Duration::days(7),
            deploy_time: Duration::seconds(3),
            locator_life: Duration::minutes(15),
            short_pages: true,
            closed_date_createable: false,
            email_task: true,
            email_feed_item: true,
            email_delete_takes_task: false,
            addresses_of_strangers_only: false,
            email_body_length: 131_072,
            empty_file_refused: true,
            base64_file_bytes: 37_500_000,
            tooling_field_delete: true,
            object_needs_permission: true,
            external_ids_per_object: 25,
            fields_per_object: 500,
            lookups_per_object: 40,
            long_text_per_object: 1_638_400,
            upsert_audit: UpsertAudit::Refused,
            children_touch_parent: true,
            texts_trimmed: true,
            deleted_blocks_unique: false,
            activity_external_id: true,
            bulk_content_links: true,
            unknown_field_fails_call: false,
        }
    }
}
