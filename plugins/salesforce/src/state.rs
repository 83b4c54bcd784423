//! The connection's settings, and what `prepare` found out once for all later calls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use transload_sdk::types::{Conversation, Customer, Kind};
use transload_sdk::words::Words;

/// Settings out of `migration.toml`; [`SCHEMA`] says the same to the host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `acme` of `https://acme.my.salesforce.com`; of a sandbox `acme--test.sandbox`.
    pub my_domain: String,
    /// Who becomes a lead instead of a contact.
    pub leads: Leads,
    /// What messages become that are no e-mails.
    pub other_messages: OtherMessages,
    /// Whether original times are set.
    pub audit_fields: AuditFields,
    /// E-mail address, user name or id of the user who stands in for authors and owners that have none.
    pub fallback_user: Option<String>,
    /// Makes queues for teams that have none.
    pub queues: bool,
    /// Puts matched users into the queues of their teams, those that this run made.
    pub queue_members: bool,
    /// API name of the record type of cases, accounts, contacts.
    pub case_record_type: Option<String>,
    /// The same of accounts.
    pub account_record_type: Option<String>,
    /// The same of contacts.
    pub contact_record_type: Option<String>,
    /// What tags of cases become besides the text in their field.
    pub tags: Tags,
    /// Carries events ("assigned to …") as private comments.
    pub events: bool,
    /// Loads conversations and messages that the source marked as spam.
    pub spam: bool,
    /// Files above this are named in the thread and not uploaded; bytes.
    pub max_attachment_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            my_domain: String::new(),
            leads: Leads::Never,
            other_messages: OtherMessages::Comment,
            audit_fields: AuditFields::Auto,
            fallback_user: None,
            queues: true,
            queue_members: true,
            case_record_type: None,
            account_record_type: None,
            contact_record_type: None,
            tags: Tags::Field,
            events: false,
            spam: false,
            // Salesforce facts §9.6.
            max_attachment_bytes: 2_000_000_000,
        }
    }
}

impl Config {
    /// The API name of the record type that the settings give to records of an object.
    pub fn record_type(&self, object: &str) -> Option<&str> {
        let name = match object {
            "Case" => &self.case_record_type,
            "Account" => &self.account_record_type,
            "Contact" => &self.contact_record_type,
            _ => &None,
        };
        name.as_deref().filter(|name| !name.trim().is_empty())
    }

    /// Whether a customer becomes a lead.
    pub fn is_lead(&self, customer: &Customer) -> bool {
        match self.leads {
            Leads::Never => false,
            Leads::WithoutCompany => customer.company.is_none(),
            Leads::WithoutConversations => customer.conversation_count == Some(0),
        }
    }

    /// The objects whose records this connection makes and that have fields of the connector's own.
    pub fn objects(&self) -> Vec<&'static str> {
        let mut objects = vec![
            "Account",
            "Contact",
            "Case",
            "EmailMessage",
            "ContentVersion",
            "Task",
        ];
        if self.leads != Leads::Never {
            objects.push("Lead");
        }
        objects
    }

    /// Says references and values, with the addresses of this org. Records of objects are not linked: they are named by each
    /// other while they are made, in an order that differs from run to run.
    pub fn words(&self, zone: &str) -> Words {
        if self.my_domain.is_empty() {
            return Words::new([], zone);
        }
        let site = self.site();
        let kinds = [
            Kind::Agent,
            Kind::Customer,
            Kind::Company,
            Kind::Conversation,
            Kind::Message,
        ];
        Words::new(kinds.map(|kind| (kind, format!("{site}/"))), zone)
    }

    /// The address of the org.
    pub fn site(&self) -> String {
        format!("https://{}.my.salesforce.com", self.my_domain)
    }
}

/// Which customers become leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leads {
    /// None.
    Never,
    /// Those without a company. Their cases have no contact.
    WithoutCompany,
    /// Those who never wrote.
    WithoutConversations,
}

/// What messages become that are no e-mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherMessages {
    /// Published case comments.
    Comment,
    /// E-mail messages with what addresses there are: no limit of 4,000 bytes, and found again by their external id.
    Email,
}

/// What tags of cases become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tags {
    /// Text in a field of ours.
    Field,
    /// Topics as well; topics have to be enabled for cases (Salesforce facts §9.5).
    Topics,
}

/// Whether original times are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditFields {
    /// Where the org takes them.
    Auto,
    /// Never: they stand in fields of their own only.
    Off,
}

/// The settings as JSON Schema.
pub const SCHEMA: &str = include_str!("config.schema.json");

/// What `prepare` found and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Id of the org.
    pub organisation: String,
    /// The user whom the credential belongs to.
    pub me: String,
    /// Who stands in for authors and owners without a user.
    pub stand_in: String,
    /// Objects whose original times may be given on insert (Salesforce facts §11).
    pub audit: BTreeSet<String>,
    /// Whether records of custom objects take original times; as cases do.
    pub audit_custom: bool,
    /// Whether `Case.ClosedDate` may be given (Salesforce facts §9.2).
    pub closed_date: bool,
    /// Whether feed items take their own time and author (Salesforce facts §9.4).
    pub audit_feed: bool,
    /// API names of the case statuses, and whether a case in it is closed.
    pub statuses: BTreeMap<String, bool>,
    /// Own fields that are there, `Case.Transload_Source_Id__c`. One that could not be made is missing here, and is not
    /// written.
    pub own: BTreeSet<String>,
    /// Record types by object.
    pub record_types: BTreeMap<String, String>,
    /// Whether states and countries are chosen from lists, so that places stand on the card (Salesforce facts §9.1).
    pub address_codes: bool,
    /// Characters of a body of an e-mail message.
    pub email_chars: u32,
    /// The permission set that shows the fields.
    pub permission_set: String,
}

impl State {
    /// Whether an own field is there.
    pub fn has(&self, object: &str, field: &str) -> bool {
        self.own.contains(&format!("{object}.{field}"))
    }

    /// Whether an object's records take original times.
    pub fn audits(&self, object: &str) -> bool {
        if object.ends_with("__c") {
            self.audit_custom
        } else {
            self.audit.contains(object)
        }
    }

    /// The status of a conversation where the mapping says nothing: the first closed one for what is closed, `New` or the
    /// first open one for the rest.
    pub fn default_status(&self, conversation: &Conversation) -> Option<&str> {
        use transload_sdk::types::ConversationStatus;
        let closed = conversation.status == ConversationStatus::Closed;
        let preferred = match conversation.status {
            ConversationStatus::Closed => "Closed",
            ConversationStatus::Snoozed => "On Hold",
            ConversationStatus::Open | ConversationStatus::Other(_) => "New",
        };
        if self.statuses.get(preferred) == Some(&closed) {
            return Some(preferred);
        }
        let fits = self.statuses.iter().find(|(_, is)| **is == closed);
        fits.map(|(name, _)| name.as_str())
    }
}
