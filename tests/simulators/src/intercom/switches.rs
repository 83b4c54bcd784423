//! Everything about the simulated workspace that a test may choose.
//!
//! [`Config`] says what workspace there is; [`Switches`] holds every behaviour that the vendor's texts leave open (marked [?] or
//! [3P] in the Intercom facts). Each default is the reading that asks most of a client, unless it says why not; a client is right
//! when it works with every position of every switch.

use chrono::Duration;

use super::model::{ObjectType, Region};
use crate::common::Clock;

/// The workspace to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Seed of ids, tokens and pre-existing content.
    pub seed: u64,
    /// Name of the workspace.
    pub name: String,
    /// Its id, `app.id_code` (§1).
    pub workspace_id: String,
    /// Where it is kept (§1).
    pub region: Region,
    /// Base of links in answers; when absent the request's `Host` decides.
    pub public_url: Option<String>,
    /// Minutes that the workspace's timezone is ahead of UTC; days of the contact search begin by it (§4).
    pub utc_offset_minutes: i32,
    /// Name of that timezone, which `/me` shows.
    pub timezone: String,
    /// Version of requests that name none (§1).
    pub app_version: String,
    /// Whether the subscription is active; without it conversations and tickets are a 403 (§3).
    pub subscription: bool,
    /// Its time.
    pub clock: Clock,
    /// Whether rate limits are enforced. Headers are sent either way.
    pub rate_limits: bool,
    /// Calls of the app in 10 seconds: 10,000 a minute (§2).
    pub app_limit: u64,
    /// Calls of all apps of the workspace in 10 seconds: 25,000 a minute (§2).
    pub workspace_limit: u64,
    /// Calls of other apps in every window of the workspace.
    pub others_calls: u64,
    /// Limits of single paths besides (§2 [?]).
    pub path_limits: Vec<PathLimit>,
    /// Whether bytes of attachments are kept so that they can be downloaded. Size and SHA-256 are kept either way.
    pub keep_files: bool,
    /// The access token of the private app that the migration uses; its admin is the migration's.
    pub token: String,
    /// Whether that token may erase metrics with a conversation (§8.5).
    pub may_erase_metrics: bool,
    /// What was in the workspace before.
    pub preexisting: Preexisting,
    /// Open questions.
    pub switches: Switches,
}

impl Config {
    /// The usual workspace on a virtual clock that stands at 23 November 2026, 09:00 UTC.
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
            name: "Acme".to_owned(),
            workspace_id: "acme1234".to_owned(),
            region: Region::Us,
            public_url: None,
            utc_offset_minutes: 60,
            timezone: "Europe/Berlin".to_owned(),
            app_version: "2.14".to_owned(),
            subscription: true,
            clock: Clock::real(),
            rate_limits: true,
            app_limit: 1_666,
            workspace_limit: 4_166,
            others_calls: 0,
            path_limits: Vec::new(),
            keep_files: true,
            token: "simulated-access-token".to_owned(),
            may_erase_metrics: false,
            preexisting: Preexisting::default(),
            switches: Switches::default(),
        }
    }
}

/// A limit of one path, which Intercom's own pages do not name but others do (§2 [?]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathLimit {
    /// The method in capitals, or `*`.
    pub method: String,
    /// The path as in [`crate::common::PathPattern`].
    pub path: String,
    /// Calls in a window.
    pub calls: u64,
    /// The window.
    pub window: Duration,
}

/// Content that is in the workspace before anybody writes.
#[derive(Debug, Clone)]
pub struct Preexisting {
    /// Admins besides the owner and the migration's; the addresses are `agent1@{admin_domain}` and so on.
    pub agents: usize,
    /// Domain of the admins' addresses.
    pub admin_domain: String,
    /// Further admins by e-mail and name, e.g. those a source has too.
    pub agents_by_email: Vec<(String, String)>,
    /// Teams; the admins are spread over them.
    pub teams: Vec<String>,
    /// Contacts by e-mail and name, users all.
    pub contacts: Vec<(String, String)>,
    /// Companies by `company_id` and name; the contacts belong to the first.
    pub companies: Vec<(String, String)>,
    /// Old conversations of the contacts.
    pub conversations: usize,
    /// Tags; a segment asks for the first.
    pub tags: Vec<String>,
    /// Names of data attributes of contacts, all texts.
    pub contact_attributes: Vec<String>,
    /// Names of data attributes of companies, all texts.
    pub company_attributes: Vec<String>,
    /// Names of conversation attributes, all texts.
    pub conversation_attributes: Vec<String>,
    /// Types of custom objects, which only the user interface makes (§9).
    pub object_types: Vec<ObjectType>,
    /// A ticket type of customers besides what a migration makes.
    pub ticket_type: bool,
    /// What the workspace does on its own.
    pub services: Services,
}

impl Default for Preexisting {
    fn default() -> Self {
        let pair = |key: &str, name: &str| (key.to_owned(), name.to_owned());
        Self {
            agents: 4,
            admin_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            teams: vec!["Billing".to_owned(), "Returns".to_owned()],
            contacts: vec![
                pair("old.customer@example.com", "Old Customer"),
                pair("second.customer@example.com", "Second Customer"),
            ],
            companies: vec![pair("old-company", "Old Company")],
            conversations: 3,
            tags: vec!["before-migration".to_owned()],
            contact_attributes: vec!["loyalty_tier".to_owned()],
            company_attributes: vec!["account_manager".to_owned()],
            conversation_attributes: vec!["Contact reason".to_owned()],
            object_types: Vec::new(),
            ticket_type: true,
            services: Services::default(),
        }
    }
}

impl Preexisting {
    /// A workspace with nothing but its owner and the migration's admin.
    pub fn nothing() -> Self {
        Self {
            agents: 0,
            admin_domain: "acme.example".to_owned(),
            agents_by_email: Vec::new(),
            teams: Vec::new(),
            contacts: Vec::new(),
            companies: Vec::new(),
            conversations: 0,
            tags: Vec::new(),
            contact_attributes: Vec::new(),
            company_attributes: Vec::new(),
            conversation_attributes: Vec::new(),
            object_types: Vec::new(),
            ticket_type: false,
            services: Services::none(),
        }
    }
}

/// What acts on imported conversations, for an operator to pause before a migration (§11 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    /// A workflow greets a contact who starts a conversation: a part of the bot.
    pub greeting: bool,
    /// Fin answers what a contact writes: a part of the bot.
    pub fin: bool,
    /// A new conversation is assigned to the first team.
    pub assignment: bool,
    /// An SLA starts to count on what a contact writes.
    pub sla: bool,
    /// A webhook is called.
    pub webhooks: bool,
    /// Teammates are told of assignments and new conversations.
    pub notices: bool,
}

impl Services {
    /// None of them.
    pub fn none() -> Self {
        Self {
            greeting: false,
            fin: false,
            assignment: false,
            sla: false,
            webhooks: false,
            notices: false,
        }
    }

    /// All of them.
    pub fn all() -> Self {
        Self {
            greeting: true,
            fin: true,
            assignment: true,
            sla: true,
            webhooks: true,
            notices: true,
        }
    }
}

impl Default for Services {
    /// A webhook, an SLA and teammates' notices, as an ordinary workspace has them; nothing that writes into conversations.
    fn default() -> Self {
        Self {
            sla: true,
            webhooks: true,
            notices: true,
            ..Self::none()
        }
    }
}

/// Behaviours nobody could confirm. Each names the section of the Intercom facts.
#[derive(Debug, Clone)]
pub struct Switches {
    /// §1: a request at the host of another region is a 401; off, it is answered, and only `app.region` tells.
    pub wrong_region_refused: bool,
    /// §3 [?]: 401s say `token_not_found`, `missing_authorization` and so on; off, always `unauthorized`.
    pub detailed_unauthorized: bool,
    /// §3: `request_id` is null; off, a UUID.
    pub request_id_null: bool,
    /// §7: an unknown key of a body is a 400 "bad 'x' parameter"; off, it is ignored, but never for companies.
    pub unknown_keys_refused: bool,
    /// §4 [S], [?]: time until searches find what was made.
    pub search_lag: Duration,
    /// §8.1: time until a new contact can start a conversation; a 404 before. None by default, for it is said to be rare.
    pub messaging_lag: Duration,
    /// §4: the most companies that `POST /companies/list` goes through.
    pub company_list_cap: usize,
    /// §7 [?]: `GET /companies?company_id=` answers a list with the company; off, the company itself.
    pub company_lookup_listed: bool,
    /// §7 [?]: `POST /companies` with the `company_id` of an archived company brings it back under its id; off, makes another.
    pub company_revived: bool,
    /// §7: time until a deleted company is archived and its contacts are detached.
    pub company_archiving_time: Duration,
    /// §6: companies of one contact.
    pub companies_of_contact: usize,
    /// §9 [?]: the name of an archived data attribute stays taken.
    pub archived_names_taken: bool,
    /// §9: custom data attributes that are not archived.
    pub data_attributes: usize,
    /// §9 [3P]: what becomes of a text of more than 255 characters in a data attribute.
    pub long_text: LongText,
    /// §6 [D]: an unknown custom attribute of a contact or company is refused; off, it is left out in silence.
    pub unknown_data_attribute_refused: bool,
    /// §9 [?]: the same for conversations.
    pub unknown_conversation_attribute_refused: bool,
    /// §9 [?]: the same for instances of custom objects.
    pub unknown_object_attribute_refused: bool,
    /// §8.3: a second conversation attribute of one name is refused; off, there are two, and writing to the name is a 400.
    pub conversation_attribute_names_unique: bool,
    /// §9 [?]: what a list of a conversation takes.
    pub conversation_list: ListValue,
    /// §6 [?]: the instances of a relationship attribute replace what was there; off, they are added.
    pub references_replaced: bool,
    /// §8.1 [?]: a `created_at` in the future is a 400; off, it is taken.
    pub future_refused: bool,
    /// §8.2 [?]: markup in a contact's reply is markup; off, it is shown as text.
    pub contact_reply_html: bool,
    /// §8.2 [S]: of an admin's markup only the basic elements survive, the others leave their text; off, all but dangerous ones do.
    pub html_reduced: bool,
    /// §8.2 [?]: line ends of a plain text.
    pub line_ends: LineEnds,
    /// §8.2 [?]: a contact who takes no part in a conversation and replies to it.
    pub outsider_replies: OutsiderReplies,
    /// §8.2 [?]: how parts are ordered in answers.
    pub part_order: PartOrder,
    /// §8.2 [?]: the most parts of a conversation or ticket; one more is a 400. None: only reading is bounded.
    pub write_limit: Option<usize>,
    /// §8.2 [3P]: an admin's comment opens a closed conversation, as a contact's does.
    pub admin_reply_reopens: bool,
    /// §8.2: the part that opens a conversation is of type `open`; off, of type `comment`.
    pub reopening_part_is_open: bool,
    /// §8.3 [3P]: closing what is closed is a 400 and assigning to whom it is assigned a 422; off, another part.
    pub same_state_refused: bool,
    /// §8.5 [?]: a second deletion is a 404; off, a 200 again.
    pub second_deletion_missing: bool,
    /// §8.2 [?]: the largest attachment in bytes, if there is one.
    pub attachment_max_bytes: Option<u64>,
    /// §8.2: an attachment that Intercom is to fetch from an address it cannot reach.
    pub foreign_addresses: ForeignAddresses,
    /// §8.2 [?]: how long the address of an attachment works.
    pub attachment_url_life: Duration,
    /// §8.2 [?]: the host of attachments refuses a request with `Authorization`, as signed addresses do; off, it ignores it.
    pub attachment_refuses_authorization: bool,
    /// §8.4 [?]: time until an enqueued ticket is made.
    pub job_time: Duration,
    /// §9: removing a tag that is on something is a 400, besides what segments use.
    pub used_tag_kept: bool,
    /// §11 [?]: what the API makes sets off workflows, Fin, rules and webhooks, as if it had happened now.
    pub automations_on_api: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            wrong_region_refused: false,
            detailed_unauthorized: false,
            request_id_null: false,
            unknown_keys_refused: true,
            search_lag: Duration::minutes(1),
            messaging_lag: Duration::zero(),
            company_list_cap: 10_000,
            company_lookup_listed: false,
            company_revived: true,
            company_archiving_time: Duration::seconds(5),
            companies_of_contact: 1_000,
            archived_names_taken: true,
            data_attributes: 250,
            long_text: LongText::Refused,
            unknown_data_attribute_refused: true,
            unknown_conversation_attribute_refused: true,
            unknown_object_attribute_refused: true,
            conversation_attribute_names_unique: false,
            conversation_list: ListValue::Label,
            references_replaced: true,
            future_refused: true,
            contact_reply_html: false,
            html_reduced: false,
            line_ends: LineEnds::Broken,
            outsider_replies: OutsiderReplies::Refused,
            part_order: PartOrder::Time,
            write_limit: None,
            admin_reply_reopens: true,
            reopening_part_is_open: true,
            same_state_refused: true,
            second_deletion_missing: true,
            attachment_max_bytes: None,
            foreign_addresses: ForeignAddresses::Linked,
            attachment_url_life: Duration::minutes(30),
            attachment_refuses_authorization: true,
            job_time: Duration::seconds(2),
            used_tag_kept: false,
            automations_on_api: true,
        }
    }
}

/// What becomes of a text that is too long for a data attribute (§9 [3P]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongText {
    /// The request is refused.
    Refused,
    /// The text is cut in silence.
    Cut,
}

/// What the value of a list of a conversation is (§9 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListValue {
    /// The label of an option.
    Label,
    /// The id of an option.
    Id,
}

/// Line ends of a plain text that becomes HTML (§8.2 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnds {
    /// `<br>`.
    Broken,
    /// As they are.
    Kept,
    /// A paragraph for every line.
    Paragraphs,
}

/// A contact who takes no part in a conversation and replies to it (§8.2 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsiderReplies {
    /// The request is refused.
    Refused,
    /// The contact takes part from then on.
    Joined,
}

/// How parts are ordered in answers (§8.2 [?]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOrder {
    /// By `created_at`, then by id.
    Time,
    /// As they were made.
    Made,
}

/// What becomes of an attachment whose address Intercom cannot reach (§5, §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignAddresses {
    /// The attachment stays a link to that address.
    Linked,
    /// It is left out in silence.
    Dropped,
    /// The request is refused.
    Refused,
}
