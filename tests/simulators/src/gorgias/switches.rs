//! Everything about the simulated account that a test may choose.
//!
//! [`Config`] says what account there is; [`Switches`] holds every behaviour that the vendor's texts leave open (marked [?], [3P] or
//! [L] in the Gorgias facts). Each default is the reading that asks most of a client, unless it says why not; a client is right
//! when it works with every position of every switch.

use chrono::Duration;

use crate::common::Clock;

/// The account to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and pre-existing content.
    pub seed: u64,
    /// The account's name: `https://{domain}.gorgias.com` is the base of links unless `public_url` is set.
    pub domain: String,
    /// Base of links in answers; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// An enterprise account: the same number of requests in 10 s instead of 20 s (§2).
    pub enterprise: bool,
    /// Its time.
    pub clock: Clock,
    /// Whether rate limits are enforced. Headers are sent either way.
    pub rate_limits: bool,
    /// Whether uploaded bytes are kept so that they can be downloaded. Size and SHA-256 are kept either way.
    pub keep_files: bool,
    /// API key of every user for HTTP Basic; a request acts as the user whose address goes with it (§1).
    pub api_key: String,
    /// The role of the user that the key is meant for: an admin unless a test wants to see what a weaker one may not do.
    pub key_role: String,
    /// Slugs of custom channels, which messages and addresses may name besides the documented ones (§6, §7).
    pub custom_channels: Vec<String>,
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
            enterprise: false,
            clock: Clock::real(),
            rate_limits: true,
            keep_files: true,
            api_key: "simulated-api-key".to_owned(),
            key_role: "admin".to_owned(),
            custom_channels: Vec::new(),
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// Content that is in the account before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Agents besides the owner and the migration's user; the addresses are `agent1@{agent_domain}` and so on.
    pub agents: usize,
    /// Domain of the agents' addresses.
    pub agent_domain: String,
    /// Further agents by e-mail and name, e.g. those a source has too.
    pub agents_by_email: Vec<(String, String)>,
    /// Teams; the agents are spread over them.
    pub teams: Vec<String>,
    /// Customers by e-mail and name.
    pub customers: Vec<(String, String)>,
    /// Old tickets of the customers.
    pub tickets: usize,
    /// Tags, besides those that the usual rules and macros use.
    pub tags: Vec<String>,
    /// Labels of active customer fields, of which the account has few (§9).
    pub customer_fields: Vec<String>,
    /// Labels of active ticket fields.
    pub ticket_fields: Vec<String>,
    /// A ticket field that agents must fill before they close a ticket (§9).
    pub required_field: bool,
    /// The usual rules; without them the account runs none (§12).
    pub rules: bool,
    /// What else the account does on its own.
    pub services: Services,
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |email: &str, name: &str| (email.to_owned(), name.to_owned());
        Self {
            agents: 4,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            teams: vec!["Billing".to_owned(), "Returns".to_owned()],
            customers: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            tickets: 3,
            tags: vec!["before-migration".to_owned()],
            customer_fields: vec!["Loyalty tier".to_owned()],
            ticket_fields: vec!["Contact reason".to_owned()],
            required_field: false,
            rules: true,
            services: Services::default(),
        }
    }
}

impl Preexisting {
    /// An account with nothing but its owner, the migration's user and Gorgias's own bots.
    pub fn nothing() -> Self {
        Self {
            agents: 0,
            agent_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            teams: Vec::new(),
            customers: Vec::new(),
            tickets: 0,
            tags: Vec::new(),
            customer_fields: Vec::new(),
            ticket_fields: Vec::new(),
            required_field: false,
            rules: false,
            services: Services::none(),
        }
    }
}

/// What acts on imported tickets besides rules, for an operator to pause before a migration (§12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    /// A satisfaction survey is mailed a day after a ticket that an agent has answered is closed.
    pub surveys: bool,
    /// An open ticket of a team that nobody is assigned to gets one of the team's members.
    pub auto_assignment: bool,
    /// The AI agent answers an open ticket whose last message is a customer's.
    pub ai_agent: bool,
    /// An SLA policy starts to count on open tickets.
    pub sla: bool,
    /// An HTTP integration fires on ticket-created, ticket-updated and ticket-message-created.
    pub http_integration: bool,
    /// Slack and mobile notices about new tickets.
    pub notices: bool,
    /// The note of a customer is copied to their record in the shop when it is written.
    pub shop_notes: bool,
}

impl Services {
    /// None of them.
    pub fn none() -> Self {
        Self {
            surveys: false,
            auto_assignment: false,
            ai_agent: false,
            sla: false,
            http_integration: false,
            notices: false,
            shop_notes: false,
        }
    }

    /// All of them.
    pub fn all() -> Self {
        Self {
            surveys: true,
            auto_assignment: true,
            ai_agent: true,
            sla: true,
            http_integration: true,
            notices: true,
            shop_notes: true,
        }
    }
}

impl Default for Services {
    /// Surveys and one HTTP integration, as an ordinary account has them.
    fn default() -> Self {
        Self {
            surveys: true,
            http_integration: true,
            ..Self::none()
        }
    }
}

/// Behaviours nobody could confirm. Each names the section of the Gorgias facts.
#[derive(Debug, Clone)]
pub struct Switches {
    /// §1: how times look in answers.
    pub time_form: TimeForm,
    /// §1 [?]: sub-second digits of a time that was sent survive; off, they are cut.
    pub subseconds_kept: bool,
    /// §1: an unknown parameter of a query is refused as one of a body is; off, it is ignored.
    pub unknown_query_refused: bool,
    /// §2: how the limit counts.
    pub rate_form: RateForm,
    /// §4 [?]: how long a cursor works.
    pub cursor_life: Duration,
    /// §4 [?]: time until lists show what was made or changed. None by default, for a record is always there by its id.
    pub list_lag: Duration,
    /// §4 [?]: time until `POST /search` finds what was made or changed.
    pub search_lag: Duration,
    /// §4: `POST /search` answers `{"data":[…]}`; off, a bare array.
    pub search_wrapped: bool,
    /// §6: a 400 for a `receiver` on a customer's message; off, it is ignored.
    pub incoming_receiver_refused: bool,
    /// §6: `created_datetime` in `PUT /tickets/{id}` is a 400; off, it is ignored.
    pub put_created_refused: bool,
    /// §6: a customer's message that is added to a closed ticket opens it.
    pub customer_message_reopens: bool,
    /// §6: time until a message without `sent_datetime` has been sent.
    pub sending_time: Duration,
    /// §6 [?]: what becomes of an unknown tag name on a ticket.
    pub unknown_tag: UnknownTag,
    /// §6 [?]: a later mail of a customer that answers an imported `message_id` lands in the imported ticket.
    pub message_id_threads: bool,
    /// §7: `channels` is required on creation.
    pub channels_required: bool,
    /// §7: keys of `note`, `meta`, `custom_fields`, `firstname`, `lastname` that are unknown on creation; a `PUT` takes them all.
    /// None by default, as in the example of §7.
    pub customer_create_refuses: Vec<String>,
    /// §4 [?]: `GET /customers?email=` finds any e-mail address of a customer; off, only the main one.
    pub email_filter_any_channel: bool,
    /// §7 [?]: a customer with neither address nor phone is taken; off, a 400.
    pub bare_customer: bool,
    /// §7 [?]: an external id that a customer has is a 409 for another.
    pub customer_external_id_unique: bool,
    /// §13 [?]: what becomes of the tickets of a deleted customer.
    pub customer_deletion: CustomerDeletion,
    /// §8 [?]: a new user is invited by mail.
    pub user_invited: bool,
    /// §8 [?]: messages of a deleted user keep their sender; off, they have none.
    pub deleted_sender_kept: bool,
    /// §11 [?]: a second team of one name is a 409; off, there are two.
    pub team_names_unique: bool,
    /// §8 [?]: a second tag of one name is a 409; off, it answers 201 with the one there is.
    pub duplicate_tag_refused: bool,
    /// §8: the status when a tag is used by a rule or macro.
    pub tag_in_use_status: u16,
    /// §9: active ticket fields.
    pub ticket_fields: usize,
    /// §9 [3P]: active customer fields.
    pub customer_fields: usize,
    /// §11 [?]: a second active field of one label is a 409; off, there are two.
    pub field_labels_unique: bool,
    /// §9 [?]: a value that is no choice of a dropdown is a 400; off, it is taken.
    pub dropdown_enforced: bool,
    /// §9, pairs §4: what becomes of a value for a field that does not exist or is archived.
    pub unknown_field_value: UnknownFieldValue,
    /// §9 [?]: a required field blocks closing by request, too. Off by default, for the text speaks of agents.
    pub required_field_blocks: bool,
    /// §9: a survey without `should_send_datetime` is mailed; null never is.
    pub omitted_should_send_mails: bool,
    /// §9 [?]: the largest file, in bytes.
    pub upload_max_bytes: u64,
    /// §9: `size` of an uploaded file is text; off, a number.
    pub upload_size_text: bool,
    /// §12: rules run so much later than what they run on.
    pub rule_delay: Duration,
    /// §13 [?]: what the job `deleteTicket` does.
    pub job_deletion: JobDeletion,
    /// §13 [?]: time a job waits before its first row.
    pub job_queue_time: Duration,
    /// §13 [?]: time a job takes for a ticket.
    pub job_row_time: Duration,
    /// §13: a job breaks off after so many tickets; none does by default.
    pub job_breaks_after: Option<usize>,
    /// §13: the status of a deleted message; its body is empty.
    pub message_deletion_status: u16,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            time_form: TimeForm::Mixed,
            subseconds_kept: false,
            unknown_query_refused: true,
            rate_form: RateForm::Leaky,
            cursor_life: Duration::minutes(10),
            list_lag: Duration::zero(),
            search_lag: Duration::minutes(1),
            search_wrapped: false,
            incoming_receiver_refused: true,
            put_created_refused: true,
            customer_message_reopens: true,
            sending_time: Duration::seconds(5),
            unknown_tag: UnknownTag::Made,
            message_id_threads: true,
            channels_required: true,
            customer_create_refuses: Vec::new(),
            email_filter_any_channel: false,
            bare_customer: true,
            customer_external_id_unique: false,
            customer_deletion: CustomerDeletion::TicketsToo,
            user_invited: true,
            deleted_sender_kept: false,
            team_names_unique: false,
            duplicate_tag_refused: true,
            tag_in_use_status: 400,
            ticket_fields: 25,
            customer_fields: 4,
            field_labels_unique: false,
            dropdown_enforced: true,
            unknown_field_value: UnknownFieldValue::Dropped,
            required_field_blocks: false,
            omitted_should_send_mails: true,
            upload_max_bytes: 25 * 1024 * 1024,
            upload_size_text: false,
            rule_delay: Duration::zero(),
            job_deletion: JobDeletion::Trash,
            job_queue_time: Duration::seconds(1),
            job_row_time: Duration::milliseconds(50),
            job_breaks_after: None,
            message_deletion_status: 200,
        }
    }
}

/// How times look in answers (§1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// `2019-07-05T14:42:00.384938`, which is UTC.
    Bare,
    /// `2019-07-05T14:42:00.384938+00:00`.
    Zoned,
    /// Customers, users, teams and tags without a zone, everything else with it.
    Mixed,
}

/// How the limit of requests counts (§2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateForm {
    /// A bucket that leaks all the time: 2 requests a second of 40.
    Leaky,
    /// A window that opens with the first request and is emptied when it ends.
    Window,
}

/// What becomes of an unknown tag name on a ticket (§6 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownTag {
    /// The tag is made.
    Made,
    /// The request is refused.
    Refused,
    /// The name is left out in silence.
    Dropped,
}

/// What becomes of a value for a field that does not exist or is archived (§9, pairs §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFieldValue {
    /// It is left out in silence.
    Dropped,
    /// The request is refused.
    Refused,
}

/// What becomes of the tickets of a customer who is deleted (§13 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerDeletion {
    /// They are deleted, too.
    TicketsToo,
    /// They stay, without a customer.
    TicketsStay,
    /// The deletion is a 400 while there are any.
    Refused,
}

/// What the job `deleteTicket` does (§13 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobDeletion {
    /// It puts the tickets into the trash, as `trashed_datetime` does.
    Trash,
    /// It deletes them for good.
    Erase,
}
