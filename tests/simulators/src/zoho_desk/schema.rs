//! Standard fields of the modules and what they take (Zoho Desk facts §7, §10).

use super::model::Module;
use super::read::Kind::{
    Any, Choice, Email, ExternalId, Flag, Link, Links, Revenue, Text, Time, Whole, Zip,
};
use super::read::Standard;

/// Longest description or resolution.
pub(super) const LONG: usize = 65_535;

/// `POST` and `PATCH` of contacts (§7.1).
pub(super) const CONTACT: &[Standard] = &[
    ("lastName", Text(200)),
    ("firstName", Text(100)),
    ("email", Email(255)),
    ("secondaryEmail", Email(100)),
    ("phone", Text(50)),
    ("mobile", Text(50)),
    ("title", Text(100)),
    ("type", Text(100)),
    ("accountId", Link),
    ("ownerId", Link),
    ("twitter", Text(100)),
    ("facebook", Text(100)),
    ("street", Text(250)),
    ("city", Text(30)),
    ("state", Text(30)),
    ("country", Text(30)),
    ("zip", Zip),
    ("description", Text(LONG)),
    ("language", Text(255)),
    ("layoutId", Link),
    ("cf", Any),
    ("customFields", Any),
];

/// `POST` and `PATCH` of accounts (§7.2).
pub(super) const ACCOUNT: &[Standard] = &[
    ("accountName", Text(200)),
    ("email", Email(150)),
    ("website", Text(120)),
    ("phone", Text(100)),
    ("fax", Text(100)),
    ("industry", Text(120)),
    ("street", Text(250)),
    ("city", Text(100)),
    ("state", Text(100)),
    ("country", Text(100)),
    ("code", Text(100)),
    ("description", Text(LONG)),
    ("annualrevenue", Revenue),
    ("ownerId", Link),
    ("associatedSLAIds", Links(50)),
    ("layoutId", Link),
    ("cf", Any),
    ("customFields", Any),
];

/// What `POST` and `PATCH` of tickets have in common (§7.5).
const TICKET: &[Standard] = &[
    ("subject", Text(1000)),
    ("productId", Link),
    ("phone", Text(120)),
    ("dueDate", Time),
    ("channel", Text(120)),
    ("language", Text(120)),
    ("priority", Text(120)),
    ("assigneeId", Link),
    ("email", Email(150)),
    ("category", Text(120)),
    ("subCategory", Text(120)),
    ("description", Text(LONG)),
    ("classification", Text(120)),
    ("status", Text(120)),
    ("contactId", Link),
    ("departmentId", Link),
    ("accountId", Link),
    ("resolution", Text(LONG)),
    ("responseDueDate", Choice(&["null"])),
    ("webUrl", Text(5000)),
    ("teamId", Link),
    ("secondaryContacts", Links(20)),
    ("entitySkills", Links(10)),
    ("uploads", Links(50)),
    ("sourceTicket", Any),
    ("sharedDepartments", Any),
    ("cf", Any),
    ("customFields", Any),
];

/// Only in `POST` of tickets.
const TICKET_CREATE: &[Standard] = &[
    ("contact", Any),
    ("ticketCreationType", Choice(&["sendAsEmail", "clone"])),
    ("clonedTicketId", Link),
    ("layoutId", Link),
    ("parentTicket", Any),
    ("blueprint", Any),
];

/// The fields of `POST tickets`, or of its `PATCH`.
pub(super) fn ticket(create: bool) -> Vec<Standard> {
    let more = if create { TICKET_CREATE } else { &[] };
    TICKET.iter().chain(more).copied().collect()
}

/// The keys of a table.
pub(super) fn names(table: &[Standard]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// A kind of row of an import.
pub(super) struct RowKind {
    /// Key in `data`, and name in `importMappings`.
    pub name: &'static str,
    /// Its keys.
    pub table: &'static [Standard],
    /// Key of its external id.
    pub external_id: &'static str,
    /// What it makes; none for threads and comments.
    pub module: Option<Module>,
}

/// Kinds of rows, in the order in which they are worked off (§10).
pub(super) const ROWS: &[RowKind] = &[
    RowKind {
        name: "accounts",
        external_id: "accountExtId",
        module: Some(Module::Accounts),
        table: &[
            ("accountExtId", ExternalId),
            ("accountName", Text(200)),
            ("email", Email(255)),
            ("phone", Text(30)),
            ("fax", Text(30)),
            ("website", Text(120)),
            ("industry", Text(120)),
            ("street", Text(250)),
            ("city", Text(100)),
            ("state", Text(100)),
            ("country", Text(100)),
            ("code", Text(30)),
            ("description", Text(LONG)),
            ("annualrevenue", Text(100)),
            ("ownerId", Link),
            ("createdTime", Time),
            ("modifiedTime", Time),
            ("customFields", Any),
        ],
    },
    RowKind {
        name: "contacts",
        external_id: "contactExtId",
        module: Some(Module::Contacts),
        table: &[
            ("contactExtId", ExternalId),
            ("firstName", Text(40)),
            ("lastName", Text(200)),
            ("email", Email(255)),
            ("secondaryEmail", Email(100)),
            ("phone", Text(50)),
            ("mobile", Text(50)),
            ("title", Text(100)),
            ("type", Text(100)),
            ("accountId", Link),
            ("accountExtId", ExternalId),
            ("ownerId", Link),
            ("twitter", Text(100)),
            ("facebook", Text(100)),
            ("street", Text(250)),
            ("city", Text(100)),
            ("state", Text(100)),
            ("country", Text(100)),
            ("zip", Zip),
            ("description", Text(LONG)),
            ("createdTime", Time),
            ("modifiedTime", Time),
            ("customFields", Any),
        ],
    },
    RowKind {
        name: "tickets",
        external_id: "ticketExtId",
        module: Some(Module::Tickets),
        table: &[
            ("ticketExtId", ExternalId),
            ("subject", Text(1000)),
            ("description", Text(LONG)),
            ("departmentId", Link),
            ("contactId", Link),
            ("contactExtId", ExternalId),
            ("productId", Link),
            ("assigneeId", Link),
            ("email", Email(150)),
            ("phone", Text(120)),
            ("channel", Text(120)),
            ("status", Text(120)),
            ("priority", Text(120)),
            ("category", Text(120)),
            ("subCategory", Text(120)),
            ("classification", Text(120)),
            ("resolution", Text(LONG)),
            ("dueDate", Time),
            ("createdTime", Time),
            ("modifiedTime", Time),
            ("closedTime", Time),
            ("customFields", Any),
        ],
    },
    RowKind {
        name: "threads",
        external_id: "threadExtId",
        module: None,
        table: &[
            ("threadExtId", ExternalId),
            ("ticketExtId", ExternalId),
            // §10: e-mail is all that an import takes.
            ("channel", Choice(&["EMAIL"])),
            ("direction", Choice(&["in", "out"])),
            ("isPrivate", Flag),
            ("content", Text(16_000_000)),
            ("fromEmailAddress", Text(300)),
            ("to", Text(13_000)),
            ("cc", Text(13_000)),
            ("bcc", Text(13_000)),
            ("sentDateTime", Time),
            ("receivedDateTime", Time),
        ],
    },
    RowKind {
        name: "ticketComments",
        external_id: "commentExtId",
        module: None,
        table: &[
            ("commentExtId", ExternalId),
            ("ticketExtId", ExternalId),
            ("content", Text(32_000)),
            ("contentType", Choice(&["plainText", "html"])),
            ("isPublic", Flag),
            ("commenterId", Link),
            ("commentedTime", Time),
            ("modifiedTime", Time),
        ],
    },
    RowKind {
        name: "tasks",
        external_id: "taskExtId",
        module: Some(Module::Tasks),
        table: &[
            ("taskExtId", ExternalId),
            ("subject", Text(300)),
            ("description", Text(LONG)),
            ("departmentId", Link),
            ("ticketId", Link),
            ("ticketExtId", ExternalId),
            ("contactId", Link),
            ("contactExtId", ExternalId),
            ("ownerId", Link),
            ("priority", Text(120)),
            ("status", Text(120)),
            ("dueDate", Time),
            ("completedTime", Time),
            ("createdTime", Time),
            ("modifiedTime", Time),
            ("customFields", Any),
        ],
    },
    RowKind {
        name: "calls",
        external_id: "callExtId",
        module: Some(Module::Calls),
        table: &[
            ("callExtId", ExternalId),
            ("subject", Text(300)),
            ("description", Text(LONG)),
            ("departmentId", Link),
            ("ticketId", Link),
            ("ticketExtId", ExternalId),
            ("contactId", Link),
            ("contactExtId", ExternalId),
            ("ownerId", Link),
            ("priority", Text(120)),
            (
                "status",
                Choice(&[
                    "Completed",
                    "Scheduled",
                    "Missed",
                    "Canceled",
                    "In Progress",
                ]),
            ),
            ("direction", Choice(&["outbound", "inbound"])),
            ("duration", Whole),
            ("startTime", Time),
            ("completedTime", Time),
            ("createdTime", Time),
            ("modifiedTime", Time),
            ("customFields", Any),
        ],
    },
    RowKind {
        name: "events",
        external_id: "eventExtId",
        module: Some(Module::Events),
        table: &[
            ("eventExtId", ExternalId),
            ("subject", Text(300)),
            ("description", Text(LONG)),
            ("departmentId", Link),
            ("ticketId", Link),
            ("ticketExtId", ExternalId),
            ("contactId", Link),
            ("contactExtId", ExternalId),
            ("ownerId", Link),
            ("priority", Text(120)),
            ("category", Text(120)),
            ("status", Text(120)),
            ("duration", Whole),
            ("startTime", Time),
            ("completedTime", Time),
            ("createdTime", Time),
            ("modifiedTime", Time),
            ("customFields", Any),
        ],
    },
    RowKind {
        name: "taskComments",
        external_id: "commentExtId",
        module: None,
        table: &[
            ("commentExtId", ExternalId),
            ("taskExtId", ExternalId),
            ("content", Text(32_000)),
            ("contentType", Choice(&["plainText", "html"])),
            ("commenterId", Link),
            ("commentedTime", Time),
            ("modifiedTime", Time),
        ],
    },
    RowKind {
        name: "callComments",
        external_id: "commentExtId",
        module: None,
        table: &[
            ("commentExtId", ExternalId),
            ("callExtId", ExternalId),
            ("content", Text(32_000)),
            ("contentType", Choice(&["plainText", "html"])),
            ("commenterId", Link),
            ("commentedTime", Time),
            ("modifiedTime", Time),
        ],
    },
    RowKind {
        name: "eventComments",
        external_id: "commentExtId",
        module: None,
        table: &[
            ("commentExtId", ExternalId),
            ("eventExtId", ExternalId),
            ("content", Text(32_000)),
            ("contentType", Choice(&["plainText", "html"])),
            ("commenterId", Link),
            ("commentedTime", Time),
            ("modifiedTime", Time),
        ],
    },
];

/// Modules of `importMappings` besides those of [`ROWS`]; nothing imports them (§10).
pub(super) const OTHER_MAPPINGS: &[&str] = &[
    "kbRootCategories",
    "kbSections",
    "articles",
    "products",
    "ticketTimeEntries",
    "taskTimeEntries",
    "callTimeEntries",
    "eventTimeEntries",
    "agents",
    "layouts",
    "departments",
    "fields",
    "endusers",
    "teams",
];

/// Values of the picklists of tickets but `status`, as a new portal has them (§6, §7.8). A list that is not here takes any text.
pub(super) fn picklist(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "priority" => Some(&["Low", "Medium", "High"]),
        "channel" => Some(&[
            "Phone",
            "Email",
            "Web",
            "Chat",
            "Twitter",
            "Facebook",
            "Forums",
            "Feedback Widget",
        ]),
        "classification" => Some(&["Question", "Problem", "Feature", "Others"]),
        "category" => Some(&["General"]),
        "subCategory" => Some(&["Sub General"]),
        _ => None,
    }
}

/// A standard field as `GET fields` and layouts show it: API name, label, type, longest value.
pub(super) type Shown = (&'static str, &'static str, &'static str, Option<usize>);

/// The standard fields of a module as people see them.
pub(super) fn shown(module: Module) -> &'static [Shown] {
    match module {
        Module::Accounts => &[
            ("accountName", "Account Name", "Text", Some(200)),
            ("email", "Email", "Email", Some(150)),
            ("website", "Website", "URL", Some(120)),
            ("phone", "Phone", "Phone", Some(100)),
            ("fax", "Fax", "Fax", Some(100)),
            ("industry", "Industry", "Text", Some(120)),
            ("ownerId", "Account Owner", "LookUp", None),
            ("description", "Description", "Textarea", Some(LONG)),
        ],
        Module::Contacts => &[
            ("lastName", "Last Name", "Text", Some(200)),
            ("firstName", "First Name", "Text", Some(100)),
            ("email", "Email", "Email", Some(255)),
            ("secondaryEmail", "Secondary Email", "Email", Some(100)),
            ("phone", "Phone", "Phone", Some(50)),
            ("mobile", "Mobile", "Phone", Some(50)),
            ("title", "Title", "Text", Some(100)),
            ("type", "Type", "Text", Some(100)),
            ("accountId", "Account Name", "LookUp", None),
            ("ownerId", "Contact Owner", "LookUp", None),
            ("description", "Description", "Textarea", Some(LONG)),
        ],
        Module::Tickets => &[
            ("subject", "Subject", "Text", Some(255)),
            ("contactId", "Contact Name", "LookUp", None),
            ("accountId", "Account Name", "LookUp", None),
            ("email", "Email", "Email", Some(150)),
            ("phone", "Phone", "Phone", Some(120)),
            ("description", "Description", "Textarea", Some(LONG)),
            ("status", "Status", "Picklist", Some(120)),
            ("assigneeId", "Ticket Owner", "LookUp", None),
            ("dueDate", "Due Date", "DateTime", None),
            ("priority", "Priority", "Picklist", Some(120)),
            ("channel", "Channel", "Picklist", Some(120)),
            ("classification", "Classifications", "Picklist", Some(120)),
            ("category", "Category", "Picklist", Some(120)),
            ("subCategory", "Sub Category", "Picklist", Some(120)),
            ("resolution", "Resolution", "Textarea", Some(LONG)),
        ],
        Module::Tasks | Module::Calls | Module::Events => &[
            ("subject", "Subject", "Text", Some(300)),
            ("description", "Description", "Textarea", Some(LONG)),
            ("ownerId", "Owner", "LookUp", None),
            ("status", "Status", "Picklist", Some(120)),
            ("priority", "Priority", "Picklist", Some(120)),
        ],
        Module::Custom(_) => &[("name", "Name", "Text", Some(255))],
    }
}
