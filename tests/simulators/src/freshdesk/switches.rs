//! Everything about the simulated account that a test may choose.
//!
//! [`Config`] says what account there is; [`Switches`] holds every behaviour that the vendor's texts leave open or that
//! is only commonly believed (marked [MEM] or [INF] in the Freshdesk facts, §18 among them). Each default is the reading
//! that asks most of a client; a client is right when it works with every position of every switch.

use chrono::Duration;

use super::objects::SchemaSpec;
use crate::common::Clock;

/// The account to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and pre-existing content.
    pub seed: u64,
    /// `https://{domain}.freshdesk.com` is the base of links unless `public_url` is set (§1).
    pub domain: String,
    /// Base of links in answers; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// Plan: decides rate limits (§2), custom objects (§11), several companies of a contact (§6), fields (§9).
    pub plan: Plan,
    /// Calls a minute where more were bought than the plan has (§2).
    pub calls_per_minute: Option<u64>,
    /// An older account: this many calls an hour instead of a minute's limits (§2), e.g. 3,000 or 5,000.
    pub calls_per_hour: Option<u64>,
    /// Its time.
    pub clock: Clock,
    /// Whether rate limits are enforced. Headers are sent either way.
    pub rate_limits: bool,
    /// Agent licences; one full-time agent more is refused with `max_agents_reached` (§7).
    pub agent_seats: usize,
    /// Whether files' bytes are kept so that `attachment_url` can serve them. Size and SHA-256 are kept either way.
    pub keep_files: bool,
    /// Whether the account has the channel API, which keeps times (§0).
    pub channel_api: ChannelApi,
    /// API key of the migration's agent (§1).
    pub api_key: String,
    /// The account is suspended: every call is a 403 (§4).
    pub suspended: bool,
    /// Whether that agent is an account admin; otherwise admin calls answer 403 (§1).
    pub key_is_admin: bool,
    /// Which mails the account sends (§13). An admin can switch them off, the API cannot.
    pub notifications: Notifications,
    /// Whether `responder_id` must be a member of `group_id` (§12).
    pub responder_in_group: bool,
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
            domain: "acme".to_owned(),
            public_url: None,
            plan: Plan::Pro,
            calls_per_minute: None,
            calls_per_hour: None,
            clock: Clock::real(),
            rate_limits: true,
            agent_seats: 50,
            keep_files: true,
            channel_api: ChannelApi::Refused(403),
            api_key: "simulatedApiKey00001".to_owned(),
            suspended: false,
            key_is_admin: true,
            notifications: Notifications::default(),
            responder_in_group: false,
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// Plans with the limits of §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 50 calls a minute.
    Trial,
    /// 100 calls a minute; no custom contact and company fields, no languages and time zones, 15 MB of files.
    Free,
    /// 200 calls a minute; one company a contact, no custom objects.
    Growth,
    /// 400 calls a minute.
    Pro,
    /// 700 calls a minute.
    Enterprise,
}

/// Whether `/api/channel/v2` is there (§0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelApi {
    /// It is, for the ordinary key.
    Open,
    /// Every call to it has this status: 401, 403 or 404.
    Refused(u16),
}

/// The mails of an account (§13). All on is the default of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notifications {
    /// "User activation" to a new contact with an address (§6).
    pub user_activation: bool,
    /// "New ticket created" to the requester, and to those in copy.
    pub new_ticket: bool,
    /// "Agent adds comment" to the requester, for a public note.
    pub note_added: bool,
    /// "Agent solves the ticket" and "agent closes the ticket" to the requester.
    pub ticket_closed: bool,
    /// "Ticket assigned to agent" and "to group", "requester replies" to agents.
    pub to_agents: bool,
    /// SLA reminders and escalations, and those of groups.
    pub escalations: bool,
    /// A satisfaction survey when a ticket is closed.
    pub survey_on_close: bool,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            user_activation: true,
            new_ticket: true,
            note_added: true,
            ticket_closed: true,
            to_agents: true,
            escalations: true,
            survey_on_close: true,
        }
    }
}

impl Notifications {
    /// What an admin leaves after the pre-flight of §13: none.
    pub fn silent() -> Self {
        Self {
            user_activation: false,
            new_ticket: false,
            note_added: false,
            ticket_closed: false,
            to_agents: false,
            escalations: false,
            survey_on_close: false,
        }
    }
}

/// Content that is in the account before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Agents besides the account's owner and the migration's agent; the addresses are `agent1@{agent_domain}` and so on.
    pub agents: usize,
    /// Domain of the agents' addresses.
    pub agent_domain: String,
    /// Further agents by e-mail and name, e.g. those a source has too.
    pub agents_by_email: Vec<(String, String)>,
    /// Groups.
    pub groups: Vec<String>,
    /// Contacts by e-mail and name.
    pub contacts: Vec<(String, String)>,
    /// Companies by name.
    pub companies: Vec<String>,
    /// Domain of the first company; new contacts with such an address are attached to it (§6). Empty for none.
    pub company_domain: String,
    /// Old tickets of the contacts; one is closed, one has times with an offset (§1).
    pub tickets: usize,
    /// One of the old tickets has been archived (§12).
    pub archived_ticket: bool,
    /// Automation rules: on creation, on update, hourly, and a web hook (§13).
    pub business_rules: bool,
    /// Groups hand out tickets in turn (§13), and complain of unassigned ones after 30 minutes (§7).
    pub round_robin: bool,
    /// A ticket field of its own that is required of agents, and one required to close (§9).
    pub required_fields: bool,
    /// Custom objects that an admin has made in the UI (§11).
    pub schemas: Vec<SchemaSpec>,
}

impl Preexisting {
    /// Only the owner and the migration's agent; no rules.
    pub fn nothing() -> Self {
        Self {
            agents: 0,
            agents_by_email: Vec::new(),
            groups: Vec::new(),
            contacts: Vec::new(),
            companies: Vec::new(),
            company_domain: String::new(),
            tickets: 0,
            archived_ticket: false,
            business_rules: false,
            ..Self::default()
        }
    }
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |email: &str, name: &str| (email.to_owned(), name.to_owned());
        Self {
            agents: 4,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            groups: vec!["Billing".to_owned(), "Returns".to_owned()],
            contacts: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            companies: vec!["Old Partner".to_owned()],
            company_domain: "partner.example".to_owned(),
            tickets: 3,
            archived_ticket: true,
            business_rules: true,
            round_robin: false,
            required_fields: false,
            schemas: Vec::new(),
        }
    }
}

/// How often a choice of two may be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// 400 or 409 as the case is.
    Refused,
    /// Taken, or left out in silence.
    Tolerated,
}

/// Where contact and company fields are made (§9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldPaths {
    /// `POST /contact_fields`, `POST /company_fields`.
    Plain,
    /// `POST /admin/contact_fields`, `POST /admin/company_fields`; the plain ones answer 404.
    Admin,
    /// Both.
    Both,
}

/// Open questions, with the reading that asks most as the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    // ---- calls (§1-§4)
    /// §2: the body of a 429 has a message; otherwise it is empty.
    pub rate_limit_body: bool,
    /// §2 [3P]: `X-RateLimit-Total` is written `400.0`.
    pub decimal_total: bool,
    /// §4 [MEM]: a 409 of a contact names the existing one in `additional_info`.
    pub duplicate_names_existing: bool,
    /// §4 [MEM]: the code of a text that is too long: `too_long` or `invalid_size`.
    pub length_code: &'static str,
    /// §2: the Free plan has the API at all; otherwise every call is a 403.
    pub api_on_free: bool,
    /// Unknown query parameters of lists are refused, as unknown attributes are (§1) [INF].
    pub strict_query: bool,
    /// §1 [MEM]: failed password logins until the agent is locked out.
    pub password_tries: u32,

    // ---- lists and search (§3)
    /// How long a new or changed record is unknown to search.
    pub search_lag: Duration,
    /// How long a new ticket is in no list; the facts call lists immediate (§12).
    pub list_lag: Duration,
    /// §3: `GET /tickets` shows without `updated_since` what was created within this time.
    pub list_window: Duration,

    // ---- people and companies (§6, §7)
    /// §6: a contact needs a name and one identifier; otherwise one of name, email, phone, mobile is enough.
    pub contact_needs_name: bool,
    /// §6: contacts that are deleted softly keep their addresses to themselves.
    pub deleted_contacts_keep_keys: bool,
    /// §6 [MEM]: further addresses a contact may have.
    pub other_emails: usize,
    /// §6 [MEM]: `hard_delete` takes the contact's tickets along.
    pub hard_delete_takes_tickets: bool,
    /// §6: a company that gets a domain takes the contacts that are already there.
    pub company_claims_contacts: bool,
    /// §7 [MEM]: a domain belongs to one company only; a second one is refused.
    pub domains_unique: bool,
    /// §7: `renewal_date` is answered with a time behind it [MEM].
    pub renewal_date_with_time: bool,
    /// §7: `auto_ticket_assign` of groups is answered as a boolean.
    pub auto_assign_as_bool: bool,
    /// §7 [MEM]: `/admin/groups` is there.
    pub admin_groups: bool,

    // ---- fields and tags (§9, §10)
    /// §9: where contact and company fields are made.
    pub field_paths: FieldPaths,
    /// §9: `custom_date_time`, `custom_multi_select_dropdown`, `custom_phone_number` and `custom_url` are there.
    pub newer_field_types: bool,
    /// §9: `unique: true` may be asked of a `custom_text` ticket field.
    pub unique_fields: bool,
    /// §9: a second field with the same label is made, with a suffix to its name; otherwise 409.
    pub same_labels: bool,
    /// §9 [MEM]: custom fields of one type and owner.
    pub fields_per_type: usize,
    /// §9: how long a field with more than 100 choices is updated behind the scenes.
    pub choices_take: Duration,
    /// §9 [MEM]: `custom_number` has 32 bits; otherwise 64.
    pub number_is_32_bits: bool,
    /// §10 [MEM]: characters of a tag.
    pub tag_length: usize,

    // ---- tickets (§8, §12)
    /// §12: status, priority, source, subject and description must be given; otherwise open, low, portal and texts of the account.
    pub ticket_fields_mandatory: bool,
    /// §12: read-only times in a body of the public API.
    pub given_times: Policy,
    /// §15: a subject of more than 255 characters; tolerated means cut.
    pub long_subject: Policy,
    /// §12: `company_id` must be one of the requester's companies [INF].
    pub company_of_requester: bool,
    /// §12 [MEM]: `due_by` of a ticket that is resolved or closed.
    pub due_by_of_closed: Policy,
    /// §12, §18: a contact as author of a private note.
    pub contact_private_note: Policy,
    /// §14 [MEM]: the status of deleting what is already in the trash: 405 or 404.
    pub repeated_delete: u16,
    /// §12: bulk updates are a `PUT` too, as an older client has it.
    pub bulk_update_by_put: bool,
    /// How long one ticket of a bulk job takes.
    pub job_row: Duration,
    /// §8: bytes of all files of a ticket or note: 20 MB, older texts say 15. Free and Trial have 15 MB at most.
    pub files_total: u64,
    /// §8: the status of more: 400 (`invalid_size`) or 413.
    pub oversize_status: u16,
    /// §8: how long an `attachment_url` is good for.
    pub link_life: Duration,
    /// A signed address refuses a request that has credentials besides [INF].
    pub links_refuse_credentials: bool,
    /// §8 [MEM]: endings of files that are refused.
    pub blocked_endings: Vec<&'static str>,
    /// §12: closed tickets untouched for this time are archived.
    pub archived_after: Duration,
    /// §14: the trash is emptied after this time.
    pub trash_life: Duration,

    // ---- channel API (§0, §12, §18)
    /// §12: an `import_id` that was used before.
    pub repeated_import_id: Policy,
    /// §12: tickets, notes and replies share one space of import ids; otherwise tickets have their own.
    pub import_ids_shared: bool,
    /// §0 [INF]: nothing is mailed and no rule runs for what has an `import_id`.
    pub channel_is_silent: bool,
    /// §12: `stats` of a closed ticket take the given `updated_at`; otherwise the time of the call.
    pub channel_sets_stats: bool,
    /// §13 [INF]: the time until a ticket is archived counts from the given `updated_at`; otherwise from the call.
    pub archive_by_given_time: bool,

    // ---- custom objects (§11)
    /// §11 [INF]: a `PUT` with an old `version` is a 409; otherwise it wins.
    pub stale_version: Policy,
    /// §4, §11 [INF]: the status of a record whose primary value is taken: 409 or 400.
    pub duplicate_primary_status: u16,
    /// A `PUT` of a record replaces its data; otherwise what is not sent stays [INF].
    pub record_put_replaces: bool,
    /// Records of an object (§18: not found).
    pub records_per_object: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            rate_limit_body: false,
            decimal_total: false,
            duplicate_names_existing: true,
            length_code: "too_long",
            api_on_free: true,
            strict_query: true,
            password_tries: 10,
            search_lag: Duration::minutes(3),
            list_lag: Duration::zero(),
            list_window: Duration::days(30),
            contact_needs_name: true,
            deleted_contacts_keep_keys: true,
            other_emails: 10,
            hard_delete_takes_tickets: true,
            company_claims_contacts: false,
            domains_unique: true,
            renewal_date_with_time: true,
            auto_assign_as_bool: false,
            admin_groups: false,
            field_paths: FieldPaths::Plain,
            newer_field_types: false,
            unique_fields: false,
            same_labels: true,
            fields_per_type: 80,
            choices_take: Duration::seconds(30),
            number_is_32_bits: true,
            tag_length: 32,
            ticket_fields_mandatory: true,
            given_times: Policy::Refused,
            long_subject: Policy::Refused,
            company_of_requester: true,
            due_by_of_closed: Policy::Refused,
            contact_private_note: Policy::Refused,
            repeated_delete: 405,
            bulk_update_by_put: false,
            job_row: Duration::milliseconds(200),
            files_total: 20 * 1024 * 1024,
            oversize_status: 400,
            link_life: Duration::minutes(5),
            links_refuse_credentials: true,
            blocked_endings: vec![
                "exe", "bat", "cmd", "com", "scr", "pif", "vbs", "msi", "jar", "hta",
            ],
            archived_after: Duration::days(120),
            trash_life: Duration::days(30),
            repeated_import_id: Policy::Refused,
            import_ids_shared: true,
            channel_is_silent: true,
            channel_sets_stats: false,
            archive_by_given_time: false,
            stale_version: Policy::Refused,
            duplicate_primary_status: 409,
            record_put_replaces: true,
            records_per_object: 1_000_000,
        }
    }
}
