//! What cannot be migrated and must be rebuilt by a person: routing, SLAs, workflows, shortcuts, surveys, snoozes, schedules,
//! senders, the knowledge base's looks (Kustomer facts §9.13). Reports, saved views and business rules have no documented list
//! (§7).

use serde_json::{Map, Value, json};
use transload_sdk::source::InventoryItem;
use transload_sdk::types::{Error, InventoryCategory};

use crate::api::{Bag, Resource};
use crate::client::Client;

/// A section: the list it is in, and what is asked to come along.
type Section = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
);

const SECTIONS: &[Section] = &[
    ("queue", "/v1/routing/queues", None),
    ("queue-rule", "/v1/routing/queue-rules", None),
    // Targets and conditions are on the versions, opening hours' exceptions on the holidays: both come along only.
    ("sla", "/v1/slas", Some(("versions", "all"))),
    ("schedule", "/v1/schedules", Some(("include", "holidays"))),
    ("workflow", "/v1/workflows", None),
    ("shortcut", "/v1/shortcuts", None),
    ("shortcut-category", "/v1/shortcuts/categories", None),
    ("survey", "/v1/satisfaction", None),
    ("snooze", "/v1/snoozes", None),
    ("role-group", "/v1/role-groups", None),
    ("sender", "/v1/outboundAccounts", None),
    ("webhook", "/v1/outbound-webhooks", None),
    ("spam-sender", "/v1/spam/senders", None),
    ("kb-template", "/v1/kb/templates", None),
    ("kb-theme", "/v1/kb/themes", None),
    ("kb-form", "/v1/kb/forms", None),
    ("kb-route", "/v1/kb/routes", None),
];

/// Which sort of thing a section holds.
fn category(section: &str) -> InventoryCategory {
    use InventoryCategory as Of;
    match section {
        "queue" => Of::Queue,
        "queue-rule" => Of::Routing,
        "sla" => Of::Sla,
        "schedule" => Of::Schedule,
        "workflow" => Of::Workflow,
        "shortcut" | "shortcut-category" => Of::CannedReply,
        "survey" => Of::Survey,
        "snooze" => Of::Snooze,
        "role-group" => Of::Role,
        "sender" => Of::Sender,
        "webhook" => Of::Webhook,
        "spam-sender" => Of::BlockList,
        "kb-template" | "kb-theme" | "kb-form" | "kb-route" => Of::HelpCenter,
        other => Of::Other(other.to_owned()),
    }
}

/// Lists all of it. A list that the key may not see is an item that says so; one that the account does not have is left out.
pub async fn inventory(client: &Client<'_>) -> Result<Vec<InventoryItem>, Error> {
    let mut made = Vec::new();
    for (section, path, along) in SECTIONS {
        match read(client, path, *along).await {
            Ok(found) => {
                let items = found.into_iter().enumerate();
                made.extend(items.map(|(n, (r, along))| item(section, n, &r, along)));
            }
            Err(Error::Permission(why) | Error::Unsupported(why)) => made.push(InventoryItem {
                category: category(section),
                lines: Vec::new(),
                uses: Vec::new(),
                section: (*section).to_owned(),
                id: "unreadable".to_owned(),
                name: "not readable with this key".to_owned(),
                summary: why,
                enabled: None,
                detail: "{}".to_owned(),
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

/// A list's records, each with those of the side-loaded ones that belong to it.
async fn read(
    client: &Client<'_>,
    path: &str,
    along: Option<(&str, &str)>,
) -> Result<Vec<(Resource, Vec<Value>)>, Error> {
    let query: Vec<(&str, &str)> = along.into_iter().collect();
    let pages = client.pages(path, &query, "100").await?;
    let mut made = Vec::new();
    for page in pages.unwrap_or_default() {
        for r in page.data.0 {
            let id = r.id();
            let own = page.included.0.iter().filter(|i| points_to(i, &id));
            let own: Vec<Value> = own.map(whole).collect();
            made.push((r, own));
        }
    }
    Ok(made)
}

fn points_to(r: &Resource, id: &str) -> bool {
    let names: Vec<&str> = r.relationships.iter().map(|(name, _)| name).collect();
    names
        .iter()
        .any(|name| r.related(name).iter().any(|p| p.id == id))
}

/// Attributes and relationships as JSON.
fn whole(r: &Resource) -> Value {
    let object = |bag: &Bag| -> Map<String, Value> {
        bag.iter()
            .filter(|(name, _)| *name != "org")
            .filter_map(|(name, json)| Some((name.to_owned(), serde_json::from_str(json).ok()?)))
            .collect()
    };
    json!({ "attributes": object(&r.attributes), "relationships": object(&r.relationships) })
}

fn item(section: &str, position: usize, r: &Resource, along: Vec<Value>) -> InventoryItem {
    let text = |name: &str| {
        r.attributes
            .peek::<String>(name)
            .filter(|text| !text.is_empty())
    };
    let id = r.id();
    let deleted = r.attributes.peek::<bool>("deleted").unwrap_or(false);
    let latest = |name: &str| {
        let attribute = format!("/attributes/{name}");
        let mut texts = along.iter().filter_map(|i| i.pointer(&attribute)?.as_str());
        texts.next_back().map(str::to_owned)
    };
    let name = text("displayName")
        .or_else(|| text("name"))
        .or_else(|| text("account"))
        .or_else(|| text("sender"))
        // What an SLA is called is on its versions.
        .or_else(|| latest("name"))
        .unwrap_or_else(|| id.clone());
    let summary = match section {
        "workflow" => match r.attributes.peek_in::<String>("trigger", "eventName") {
            Some(event) => format!("on {event}"),
            None => "called by other workflows".to_owned(),
        },
        _ => text("description")
            .or_else(|| text("channel"))
            .or_else(|| latest("description"))
            .unwrap_or_default(),
    };
    let mut detail = whole(r);
    if let (false, Some(members)) = (along.is_empty(), detail.as_object_mut()) {
        members.insert("included".to_owned(), along.into());
    }
    InventoryItem {
        category: category(section),
        lines: Vec::new(),
        uses: Vec::new(),
        section: section.to_owned(),
        // Senders have no id (§9.13).
        id: if id.is_empty() {
            position.to_string()
        } else {
            id
        },
        name,
        summary,
        enabled: if deleted {
            Some(false)
        } else {
            r.attributes.peek("enabled")
        },
        detail: detail.to_string(),
    }
}
