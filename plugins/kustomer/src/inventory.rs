//! What cannot be migrated and must be rebuilt by a person: routing, SLAs, workflows, shortcuts, surveys, snoozes, schedules,
//! senders (Kustomer facts §9.13). Reports, saved views and business rules have no documented list (§7).

use serde_json::Value;
use transload_sdk::source::InventoryItem;
use transload_sdk::types::Error;

use crate::api::Resource;
use crate::client::Client;

/// Sections and the lists they are in.
const SECTIONS: &[(&str, &str)] = &[
    ("queue", "/v1/routing/queues"),
    ("queue-rule", "/v1/routing/queue-rules"),
    ("sla", "/v1/slas"),
    ("workflow", "/v1/workflows"),
    ("shortcut", "/v1/shortcuts"),
    ("shortcut-category", "/v1/shortcuts/categories"),
    ("survey", "/v1/satisfaction"),
    ("snooze", "/v1/snoozes"),
    ("schedule", "/v1/schedules"),
    ("role-group", "/v1/role-groups"),
    ("sender", "/v1/outboundAccounts"),
    ("webhook", "/v1/outbound-webhooks"),
    ("spam-sender", "/v1/spam/senders"),
];

/// Lists all of it. A list that the key may not see, or that the account does not have, is left out.
pub async fn inventory(client: &Client<'_>) -> Result<Vec<InventoryItem>, Error> {
    let mut made = Vec::new();
    for (section, path) in SECTIONS {
        match client.all(path, &[], "100").await {
            Ok(found) => made.extend(
                found
                    .unwrap_or_default()
                    .into_iter()
                    .enumerate()
                    .map(|(n, r)| item(section, n, r)),
            ),
            Err(Error::Permission(_) | Error::Unsupported(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

fn item(section: &str, position: usize, r: Resource) -> InventoryItem {
    let text = |name: &str| {
        r.attributes
            .peek::<String>(name)
            .filter(|text| !text.is_empty())
    };
    let id = r.id();
    let deleted = r.attributes.peek::<bool>("deleted").unwrap_or(false);
    let detail: serde_json::Map<String, Value> = r
        .attributes
        .iter()
        .filter_map(|(name, json)| Some((name.to_owned(), serde_json::from_str(json).ok()?)))
        .collect();
    let relationships: serde_json::Map<String, Value> = r
        .relationships
        .iter()
        .filter(|(name, _)| *name != "org")
        .filter_map(|(name, json)| Some((name.to_owned(), serde_json::from_str(json).ok()?)))
        .collect();
    let name = text("displayName")
        .or_else(|| text("name"))
        .or_else(|| text("account"))
        .unwrap_or_else(|| id.clone());
    let summary = match section {
        "workflow" => match r.attributes.peek_in::<String>("trigger", "eventName") {
            Some(event) => format!("on {event}"),
            None => "called by other workflows".to_owned(),
        },
        _ => text("description")
            .or_else(|| text("channel"))
            .unwrap_or_default(),
    };
    InventoryItem {
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
        detail: serde_json::json!({ "attributes": detail, "relationships": relationships })
            .to_string(),
    }
}
