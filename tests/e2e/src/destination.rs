//! What there is to migrate to, one entry a platform: tests that name no vendor run over all of them.
//!
//! [`destinations!`](crate::destinations) makes a test of each of them from one function.

use std::ops::Deref;

use serde_json::Value;
use transload_simulators::common::{Account, Clock};
use transload_simulators::kustomer::KLASSES;
use transload_simulators::{freshdesk, gorgias, hubspot, intercom, salesforce, zendesk, zoho_desk};

use crate::compare::{self, Held, Ways};
use crate::lab::LabConfig;

/// A simulated platform that a [`crate::Lab`] migrates to.
pub trait Destination: Clone + Deref<Target = Account> + Send + Sync + 'static {
    /// The connector's name.
    const PLUGIN: &'static str;
    /// The side effects that `migration.toml` accepts.
    const ACCEPT: &'static [&'static str];
    /// Requests that make things, as method and path pattern: where a fault hurts.
    const CREATIONS: &'static [(&'static str, &'static str)];

    /// A simulator with what is there before a migration: some of the source's agents, and records of its own.
    fn start(config: &LabConfig, clock: Clock) -> Self;

    /// What the connection's secret is.
    fn credential(&self) -> String;

    /// The lines of the connection in `migration.toml`, but for its plugin; the secret is in `destination.token`.
    fn connection(base_url: &str) -> String;

    /// How many of the source's conversations are there.
    fn conversations(&self) -> u64;

    /// Makes the vendor's background jobs, whose time is a guess, quick enough to watch.
    fn hurry(&self) {}

    /// What is there, without what differs between two runs that did the same.
    fn state_fingerprint(&self) -> Value;

    /// What its connector declares to convert.
    const WAYS: Ways;

    /// What it holds of the source.
    fn held(&self) -> Held;
}

/// The connectors of all of them.
pub const DESTINATIONS: &[&str] = &[
    "zendesk",
    "salesforce",
    "gorgias",
    "freshdesk",
    "hubspot",
    "intercom",
    "zoho-desk",
];

/// A test of each destination from one function that has it as its type. Functions that bring a runtime of their own come after
/// `blocking`.
#[macro_export]
macro_rules! destinations {
    (@all $what:tt) => {
        $crate::destinations!(@each $what zendesk salesforce gorgias freshdesk hubspot intercom zoho_desk);
    };
    (@each $what:tt $($vendor:ident)+) => {
        $($crate::destinations!(@tests $vendor $what);)+
    };
    (@tests $vendor:ident [blocking $($name:ident),+]) => {
        mod $vendor {
            $(#[test]
            fn $name() {
                super::$name::<transload_simulators::$vendor::Simulator>();
            })+
        }
    };
    (@tests $vendor:ident [$($name:ident),+]) => {
        mod $vendor {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name::<transload_simulators::$vendor::Simulator>().await;
            })+
        }
    };
    (blocking $($name:ident),+ $(,)?) => {
        $crate::destinations!(@all [blocking $($name),+]);
    };
    ($($name:ident),+ $(,)?) => {
        $crate::destinations!(@all [$($name),+]);
    };
}

/// Calls a function that has a destination as its type for the one of that name; `None` where there is none.
#[macro_export]
macro_rules! for_destination {
    ($name:expr, $function:ident($($argument:expr),*)) => {
        match $name {
            "zendesk" => Some($function::<transload_simulators::zendesk::Simulator>($($argument),*).await),
            "salesforce" => Some($function::<transload_simulators::salesforce::Simulator>($($argument),*).await),
            "freshdesk" => Some($function::<transload_simulators::freshdesk::Simulator>($($argument),*).await),
            "intercom" => Some($function::<transload_simulators::intercom::Simulator>($($argument),*).await),
            "hubspot" => Some($function::<transload_simulators::hubspot::Simulator>($($argument),*).await),
            "zoho-desk" => Some($function::<transload_simulators::zoho_desk::Simulator>($($argument),*).await),
            "gorgias" => Some($function::<transload_simulators::gorgias::Simulator>($($argument),*).await),
            _ => None,
        }
    };
}

/// Teams that are there before, so that one of the source's is, and one is not; none where there is to be little.
fn teams(few: bool, usual: &[String]) -> Vec<String> {
    if few { Vec::new() } else { usual.to_vec() }
}

/// The numbers of the source's agents who are at the destination, too. The source gives some customers the addresses of its agents
/// 1, 2, …; those agents have no user there.
fn agents(few: bool) -> Vec<(String, String)> {
    let numbers: &[u8] = if few {
        &[2]
    } else {
        &[7, 8, 9, 10, 13, 14, 15, 16, 17]
    };
    let agent = |n: &u8| (format!("agent{n}@acme.example"), format!("Agent {n}"));
    numbers.iter().map(agent).collect()
}

impl Destination for zendesk::Simulator {
    const PLUGIN: &'static str = "zendesk";
    const WAYS: Ways = compare::zendesk::WAYS;
    const ACCEPT: &'static [&'static str] = &[
        "triggers",
        "automations",
        "automation-mails",
        "welcome-mails",
    ];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/api/v2/groups"),
        ("POST", "/api/v2/organizations"),
        ("POST", "/api/v2/users"),
        ("POST", "/api/v2/ticket_fields"),
        ("POST", "/api/v2/user_fields"),
        ("POST", "/api/v2/custom_objects"),
        ("POST", "/api/v2/custom_objects/*/jobs"),
        ("POST", "/api/v2/uploads"),
        ("POST", "/api/v2/imports/tickets/create_many"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = zendesk::Preexisting::default();
        Self::new(zendesk::Config {
            seed: config.seed,
            clock,
            high_volume: true,
            rate_limits: config.limits,
            preexisting: zendesk::Preexisting {
                agents: 0,
                agents_by_email: agents(config.few),
                groups: teams(config.few, &usual.groups),
                ..usual
            },
            ..zendesk::Config::default()
        })
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "subdomain = \"acme\"\nbase_url = \"{base_url}\"\nauth = \"access-token\"\n\
             access_token = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        let snapshot = self.snapshot();
        let tickets = snapshot.tickets.iter();
        tickets
            .filter(|t| t.imported && t.deleted.is_none())
            .count() as u64
    }

    fn hurry(&self) {
        self.set_switches(|switches| switches.job_row_time = chrono::Duration::milliseconds(5));
    }

    fn state_fingerprint(&self) -> Value {
        Self::state_fingerprint(self)
    }

    fn held(&self) -> Held {
        compare::zendesk::held(&self.snapshot())
    }
}

impl Destination for salesforce::Simulator {
    const PLUGIN: &'static str = "salesforce";
    const WAYS: Ways = compare::salesforce::WAYS;
    const ACCEPT: &'static [&'static str] = &[
        "automation",
        "mail",
        "assignment",
        "omni-channel",
        "duplicate-rules",
        "entitlements",
        "later-changes",
        "storage",
    ];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/services/data/*/sobjects/*"),
        ("POST", "/services/data/*/composite/sobjects"),
        ("POST", "/services/data/*/tooling/sobjects/CustomField"),
        ("POST", "/services/data/*/metadata/deployRequest"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = salesforce::Preexisting::default();
        let mut org = salesforce::Config {
            seed: config.seed,
            clock,
            rate_limits: config.limits,
            // What its admin switches off for a migration, since no request can (side effects `automation` and `mail`).
            deliverability: salesforce::Deliverability::SystemOnly,
            preexisting: salesforce::Preexisting {
                users: agents(config.few),
                queues: teams(config.few, &usual.queues),
                automation: false,
                ..usual
            },
            ..salesforce::Config::default()
        };
        // The time of a lab runs ahead whenever the host waits.
        org.switches.session_life = chrono::Duration::days(365);
        Self::new(org)
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "my_domain = \"acme\"\nbase_url = \"{base_url}\"\nauth = \"access-token\"\n\
             access_token = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        self.snapshot().of_object("Case").count() as u64
    }

    fn state_fingerprint(&self) -> Value {
        let mut state = Self::state_fingerprint(self);
        // The connector puts a digest of the run into a queue's API name, so that it knows it again.
        let queues = state
            .pointer_mut("/records/Group")
            .and_then(Value::as_array_mut);
        for queue in queues
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            queue.remove("DeveloperName");
        }
        state
    }

    fn held(&self) -> Held {
        compare::salesforce::held(&self.snapshot())
    }
}

impl Destination for gorgias::Simulator {
    const PLUGIN: &'static str = "gorgias";
    const WAYS: Ways = compare::gorgias::WAYS;
    const ACCEPT: &'static [&'static str] = &[
        "rules",
        "mails",
        "surveys",
        "webhooks",
        "services",
        "notes-in-shop",
        "billing",
        "fields-stay",
        "invitations",
        "stand-in",
    ];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/api/tickets"),
        ("POST", "/api/tickets/*/messages"),
        ("POST", "/api/customers"),
        ("POST", "/api/teams"),
        ("POST", "/api/tags"),
        ("POST", "/api/custom-fields"),
        ("POST", "/api/satisfaction-surveys"),
        ("POST", "/api/upload"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = gorgias::Preexisting::default();
        Self::new(gorgias::Config {
            seed: config.seed,
            clock,
            rate_limits: config.limits,
            preexisting: gorgias::Preexisting {
                agents: 0,
                agents_by_email: agents(config.few),
                teams: teams(config.few, &usual.teams),
                // What its admin switches off for a migration, since no request can (side effects `rules` and `services`).
                rules: false,
                services: gorgias::Services::none(),
                ..usual
            },
            ..gorgias::Config::default()
        })
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "account = \"acme\"\nbase_url = \"{base_url}/api\"\nauth = \"api-key\"\n\
             email = \"admin@acme.example\"\napi_key = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        let tickets = self.snapshot().tickets.into_iter();
        tickets
            .filter(|t| t.external_id.is_some() && t.trashed_at.is_none())
            .count() as u64
    }

    fn state_fingerprint(&self) -> Value {
        let mut state = Self::state_fingerprint(self);
        // Nothing deletes a field: those that a rollback archives stay (side effect `fields-stay`).
        if let Some(deleted) = state.get_mut("deleted").and_then(Value::as_object_mut) {
            deleted.remove("custom_fields");
        }
        state
    }

    fn held(&self) -> Held {
        compare::gorgias::held(&self.snapshot())
    }
}

impl Destination for freshdesk::Simulator {
    const PLUGIN: &'static str = "freshdesk";
    const WAYS: Ways = compare::freshdesk::WAYS;
    const ACCEPT: &'static [&'static str] = &[
        "mails",
        "automations",
        "activation-mails",
        "invitations",
        "seats",
        "stand-in",
        "archive",
        "trash",
        "domain-linking",
    ];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/api/v2/groups"),
        ("POST", "/api/v2/companies"),
        ("POST", "/api/v2/contacts"),
        ("POST", "/api/v2/admin/ticket_fields"),
        ("POST", "/api/v2/contact_fields"),
        ("POST", "/api/v2/company_fields"),
        ("POST", "/api/v2/custom_objects/schemas/*/records"),
        ("POST", "/api/channel/v2/tickets"),
        ("POST", "/api/channel/v2/tickets/*/notes"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = freshdesk::Preexisting::default();
        Self::new(freshdesk::Config {
            seed: config.seed,
            clock,
            rate_limits: config.limits,
            channel_api: freshdesk::ChannelApi::Open,
            // What its admin switches off for a migration, since no request can (side effects `mails` and `automations`).
            notifications: freshdesk::Notifications::silent(),
            preexisting: freshdesk::Preexisting {
                agents: 0,
                agents_by_email: agents(config.few),
                groups: teams(config.few, &usual.groups),
                business_rules: false,
                schemas: KLASSES.iter().map(|klass| schema(klass.name)).collect(),
                ..usual
            },
            ..freshdesk::Config::default()
        })
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "domain = \"acme\"\nbase_url = \"{base_url}\"\nauth = \"api-key\"\n\
             api_key = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        let tickets = self.snapshot().tickets.into_iter();
        tickets
            .filter(|t| t.import_id.is_some() || t.given != freshdesk::model::Given::default())
            .count() as u64
    }

    fn state_fingerprint(&self) -> Value {
        let mut state = Self::state_fingerprint(self);
        // Closed tickets are archived by the account itself, some months later (side effect `archive`).
        let tickets = state.get_mut("tickets").and_then(Value::as_array_mut);
        for ticket in tickets.into_iter().flatten() {
            if let Some(ticket) = ticket.as_object_mut() {
                ticket.remove("archived");
            }
        }
        state
    }

    fn held(&self) -> Held {
        compare::freshdesk::held(&self.snapshot())
    }
}

/// A custom object as an administrator makes it by the sheet in the connector's README: no request can.
fn schema(name: &str) -> freshdesk::SchemaSpec {
    let field = |label: &str, kind: &str, target: Option<&str>| freshdesk::SchemaFieldSpec {
        name: label.to_lowercase().replace(' ', "_"),
        label: label.to_owned(),
        kind: kind.to_owned(),
        required: false,
        filterable: false,
        choices: Vec::new(),
        target: target.map(str::to_owned),
    };
    freshdesk::SchemaSpec {
        name: name.to_owned(),
        prefix: String::new(),
        fields: vec![
            field("Source ID", "PRIMARY", None),
            field("Title", "TEXT", None),
            field("Customer", "RELATIONSHIP", Some("contact")),
            field("Company", "RELATIONSHIP", Some("company")),
            field("Ticket", "RELATIONSHIP", Some("ticket")),
            field("Created in the source", "TEXT", None),
            field("Migration run", "TEXT", None),
            field("Linked from", "PARAGRAPH", None),
            field("Source card", "PARAGRAPH", None),
        ],
    }
}

impl Destination for hubspot::Simulator {
    const PLUGIN: &'static str = "hubspot";
    const WAYS: Ways = compare::hubspot::WAYS;
    const ACCEPT: &'static [&'static str] = &[
        "workflows",
        "pipeline-automation",
        "owner-notifications",
        "auto-companies",
        "marketing-contacts",
        "files",
        "schema",
    ];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/crm/**/batch/create"),
        ("POST", "/crm/**/schemas"),
        ("POST", "/crm/properties/**"),
        ("POST", "/files/**"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = hubspot::Preexisting::default();
        Self::new(hubspot::Config {
            seed: config.seed,
            clock,
            rate_limits: config.limits,
            preexisting: hubspot::Preexisting {
                agents: 0,
                agents_by_email: agents(config.few),
                teams: teams(config.few, &usual.teams),
                // What its admin switches off for a migration, since no request can (side effects `workflows` and `auto-companies`).
                automation: false,
                ..usual
            },
            auto_companies: false,
            ..hubspot::Config::default()
        })
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "base_url = \"{base_url}\"\nauth = \"access-token\"\n\
             access_token = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        let snapshot = self.snapshot();
        let tickets = snapshot.live(hubspot::model::TypeId::TICKET);
        let of_source = |ticket: &&hubspot::model::Record| {
            let mut values = ticket.values.iter();
            values.any(|(name, value)| name.starts_with("transload_source_id") && !value.is_empty())
        };
        tickets.filter(of_source).count() as u64
    }

    fn state_fingerprint(&self) -> Value {
        Self::state_fingerprint(self)
    }

    fn held(&self) -> Held {
        compare::hubspot::held(&self.snapshot())
    }
}

impl Destination for intercom::Simulator {
    const PLUGIN: &'static str = "intercom";
    const WAYS: Ways = compare::intercom::WAYS;
    const ACCEPT: &'static [&'static str] = &[
        "mails",
        "workflows",
        "webhooks",
        "notices",
        "synthetic-opening",
        "services",
        "attributes-stay",
        "companies-stay",
        "notes-stay",
        "own",
    ];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/contacts"),
        ("POST", "/companies"),
        ("POST", "/contacts/*/notes"),
        ("POST", "/contacts/*/companies"),
        ("POST", "/tags"),
        ("POST", "/data_attributes"),
        ("POST", "/conversations"),
        ("POST", "/conversations/*/reply"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = intercom::Preexisting::default();
        let mut workspace = intercom::Config {
            seed: config.seed,
            clock,
            rate_limits: config.limits,
            preexisting: intercom::Preexisting {
                agents: 0,
                agents_by_email: agents(config.few),
                teams: teams(config.few, &usual.teams),
                // What its admin switches off for a migration, since no request can (side effects `workflows` and `notices`).
                services: intercom::Services::none(),
                ..usual
            },
            ..intercom::Config::default()
        };
        // A request that is applied late is applied when the next one comes, here the look-up that the connector waited for: a lag
        // that began only then would hide what a workspace has shown for minutes.
        workspace.switches.search_lag = chrono::Duration::zero();
        // Companies are archived some time after they were deleted; how long is a guess.
        workspace.switches.company_archiving_time = chrono::Duration::zero();
        Self::new(workspace)
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "api_host = \"api.intercom.io\"\nbase_url = \"{base_url}\"\n\
             access_token = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        let snapshot = self.snapshot();
        let conversations = snapshot.conversations.iter();
        let of_source = |one: &&intercom::model::Conversation| {
            snapshot.conversation_value(one, "Transload ID").is_some()
        };
        conversations.filter(of_source).count() as u64
    }

    fn state_fingerprint(&self) -> Value {
        let mut state = Self::state_fingerprint(self);
        // Nothing deletes these: those that a rollback archives stay (side effects `attributes-stay` and `companies-stay`).
        if let Some(archived) = state.get_mut("archived").and_then(Value::as_object_mut) {
            for name in ["companies", "conversation_attributes", "data_attributes"] {
                archived.remove(name);
            }
        }
        state
    }

    fn held(&self) -> Held {
        compare::intercom::held(&self.snapshot())
    }
}

impl Destination for zoho_desk::Simulator {
    const PLUGIN: &'static str = "zoho-desk";
    const WAYS: Ways = compare::zoho_desk::WAYS;
    const ACCEPT: &'static [&'static str] = &["mails", "automations", "crm-sync"];
    const CREATIONS: &'static [(&'static str, &'static str)] = &[
        ("POST", "/api/v1/imports"),
        ("POST", "/api/v1/teams"),
        ("POST", "/api/v1/fields"),
        ("POST", "/api/v1/cm_*"),
        ("POST", "/api/v1/tickets/*/attachments"),
        ("POST", "/api/v1/tickets/*/associateTag"),
    ];

    fn start(config: &LabConfig, clock: Clock) -> Self {
        let usual = zoho_desk::Preexisting::default();
        Self::new(zoho_desk::Config {
            seed: config.seed,
            clock,
            rate_limits: config.limits,
            preexisting: zoho_desk::Preexisting {
                agents: 0,
                agents_by_email: agents(config.few),
                teams: teams(config.few, &usual.teams),
                // Zoho Desk deletes no modules: who wants a rollback to leave nothing has them made before.
                modules: KLASSES.iter().map(|k| k.name.to_owned()).collect(),
                // What its admin switches off for a migration, since no request can (side effects `mails`, `automations`).
                services: zoho_desk::Services::none(),
                ..usual
            },
            // The lab's clock runs ahead whenever the host waits: an hour's token would not outlive a migration.
            switches: zoho_desk::Switches {
                token_life: chrono::Duration::days(3_650),
                ..zoho_desk::Switches::default()
            },
            ..zoho_desk::Config::default()
        })
    }

    fn credential(&self) -> String {
        self.admin_token()
    }

    fn connection(base_url: &str) -> String {
        format!(
            "data_center = \"zoho.com\"\norg_id = \"687654321\"\nbase_url = \"{base_url}/api/v1\"\n\
             auth = \"access-token\"\naccess_token = \"file:destination.token\""
        )
    }

    fn conversations(&self) -> u64 {
        Self::conversations(self)
    }

    fn hurry(&self) {
        self.hurry_imports();
    }

    fn state_fingerprint(&self) -> Value {
        let mut state = Self::state_fingerprint(self);
        // Names of tags stay in their department, and nobody can delete them (a declared by-product); tickets say which they have.
        if let Some(state) = state.as_object_mut() {
            state.remove("tags");
        }
        state
    }

    fn held(&self) -> Held {
        compare::zoho_desk::held(&self.snapshot())
    }
}
