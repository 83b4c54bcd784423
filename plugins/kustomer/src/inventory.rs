//! What cannot be migrated and must be rebuilt by a person: routing, SLAs, workflows, shortcuts, surveys, snoozes, schedules,
//! senders, the knowledge base's looks (Kustomer facts §9.13). Reports, saved views and business rules have no documented list
//! (§7).

mod names;
mod sections;
mod words;

use serde_json::{Map, Value, json};
use transload_sdk::source::InventoryItem;
use transload_sdk::types::{Error, InventoryCategory, Kind, Reference};

use self::names::Names;
use self::words::Lines;
use crate::api::{Bag, Resource};
use crate::client::{Client, if_allowed};
use crate::schema::Resources;

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

/// What Kustomer has and lists nowhere (Kustomer facts §7, §14): said, so that a person writes it down.
const UNLISTED: [(&str, InventoryCategory, &str); 3] = [
    (
        "report",
        InventoryCategory::Report,
        "Reports and dashboards",
    ),
    ("saved-search", InventoryCategory::View, "Saved searches"),
    (
        "business-rule",
        InventoryCategory::Workflow,
        "Business rules",
    ),
];

/// A record of a section, with the side-loaded ones that belong to it.
struct Found {
    section: &'static str,
    id: String,
    record: Resource,
    along: Vec<Value>,
}

/// Lists all of it. A list that the key may not see is an item that says so, as is what has no list; one that the account does not
/// have is left out. `fields` are the custom attributes, as far as they are known.
pub async fn inventory(
    client: &Client<'_>,
    fields: Resources,
) -> Result<Vec<InventoryItem>, Error> {
    let mut names = Names::new(fields);
    records(client, &mut names).await?;
    let mut made = Vec::new();
    let mut all = Vec::new();
    for (section, path, along) in SECTIONS {
        match read(client, path, *along).await {
            Ok(found) => {
                let items = found.into_iter().enumerate();
                all.extend(items.map(|(n, (record, along))| {
                    Found {
                        section,
                        // Senders have no id (§9.13).
                        id: Some(record.id())
                            .filter(|id| !id.is_empty())
                            .unwrap_or_else(|| n.to_string()),
                        record,
                        along,
                    }
                }));
            }
            Err(Error::Permission(why) | Error::Unsupported(why)) => {
                made.push(note(
                    section,
                    category(section),
                    "unreadable",
                    "not readable with this key",
                    why,
                ));
            }
            Err(error) => return Err(error),
        }
    }
    for found in &all {
        names.add(
            words::section(found.section),
            &found.record.id(),
            &name_of(found),
        );
        // An SLA is referred to by its versions too.
        for version in &found.along {
            if let Some(id) = version.get("id").and_then(Value::as_str) {
                names.also(id, &found.record.id());
            }
        }
    }
    made.extend(all.into_iter().map(|found| item(found, &names)));
    for (section, category, name) in UNLISTED {
        let why = "Kustomer's API has no list of them: write them down from Kustomer's own pages"
            .to_owned();
        made.push(note(section, category, "not-listed", name, why));
    }
    Ok(made)
}

/// Something that is no thing, but must be said.
fn note(
    section: &str,
    category: InventoryCategory,
    id: &str,
    name: &str,
    why: String,
) -> InventoryItem {
    InventoryItem {
        category,
        section: section.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        summary: why,
        enabled: None,
        lines: Vec::new(),
        uses: Vec::new(),
        detail: "{}".to_owned(),
    }
}

/// The records that settings refer to by id. What the key may not see stays an id.
async fn records(client: &Client<'_>, names: &mut Names) -> Result<(), Error> {
    let lists = [
        (Kind::Tag, "/v1/tags", "100", None),
        (Kind::Team, "/v1/teams", "500", None),
        (Kind::Brand, "/v1/brands", "100", None),
        (Kind::Agent, "/v1/users", "500", None),
        (Kind::Agent, "/v1/users", "500", Some(("deleted", "true"))),
        (Kind::Agent, "/v1/users", "500", Some(("pending", "true"))),
    ];
    for (kind, path, rows, only) in lists {
        let query: Vec<(&str, &str)> = only.into_iter().collect();
        let found = if_allowed(client.all(path, &query, rows).await)?;
        for record in found.unwrap_or_default() {
            let text = |name: &str| {
                let text = record.attributes.peek::<String>(name);
                text.filter(|text| !text.is_empty())
            };
            let name = text("name")
                .or_else(|| text("displayName"))
                .or_else(|| text("email"));
            if let Some(name) = name {
                names.add(kind.clone(), &record.id(), &name);
            }
        }
    }
    Ok(())
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

/// Id, attributes and relationships as JSON, without what is secret.
fn whole(r: &Resource) -> Value {
    let object = |bag: &Bag| -> Map<String, Value> {
        bag.iter()
            .filter(|(name, _)| *name != "org")
            .filter_map(|(name, json)| Some((name.to_owned(), serde_json::from_str(json).ok()?)))
            .collect()
    };
    let all = json!({
        "id": r.id(),
        "attributes": object(&r.attributes),
        "relationships": object(&r.relationships),
    });
    words::without_secrets(&all)
}

fn name_of(found: &Found) -> String {
    let text = |name: &str| {
        let text = found.record.attributes.peek::<String>(name);
        text.filter(|text| !text.is_empty())
    };
    text("displayName")
        .or_else(|| text("display"))
        .or_else(|| text("name"))
        .or_else(|| text("account"))
        .or_else(|| text("sender"))
        // What an SLA is called is on its versions.
        .or_else(|| latest(&found.along, "name"))
        .unwrap_or_else(|| found.id.clone())
}

fn latest(along: &[Value], name: &str) -> Option<String> {
    let attribute = format!("/attributes/{name}");
    let mut texts = along.iter().filter_map(|i| i.pointer(&attribute)?.as_str());
    texts.next_back().map(str::to_owned)
}

fn item(found: Found, names: &Names) -> InventoryItem {
    let name = name_of(&found);
    let Found {
        section,
        id,
        record: r,
        along,
    } = found;
    let text = |name: &str| {
        r.attributes
            .peek::<String>(name)
            .filter(|text| !text.is_empty())
    };
    let deleted = r.attributes.peek::<bool>("deleted").unwrap_or(false);
    let switched_off = r.attributes.peek::<bool>("appDisabled").unwrap_or(false);
    let summary = match section {
        "workflow" => match r.attributes.peek_in::<String>("trigger", "eventName") {
            Some(event) => format!("on {event}"),
            None => "called by other workflows".to_owned(),
        },
        _ => text("description")
            .or_else(|| text("channel"))
            .or_else(|| latest(&along, "description"))
            .unwrap_or_default(),
    };
    let mut detail = whole(&r);
    let mut lines = Lines::new(names);
    sections::describe(&mut lines, section, &detail, &along);
    let (lines, mut uses) = lines.done();
    let mut found: Vec<Reference> = Vec::new();
    let attributes = detail.get("attributes").into_iter();
    let of_versions = along.iter().filter_map(|version| version.get("attributes"));
    for value in attributes.chain(of_versions) {
        words::referred(names, value, &mut found);
    }
    let related = detail.get("relationships").and_then(Value::as_object);
    for (name, value) in related.into_iter().flatten() {
        // Who made something works with it no more than others.
        if !["createdBy", "modifiedBy", "deletedBy"].contains(&name.as_str()) {
            words::referred(names, value, &mut found);
        }
    }
    for reference in found {
        if reference.id != r.id() && !uses.contains(&reference) {
            uses.push(reference);
        }
    }
    if let (false, Some(members)) = (along.is_empty(), detail.as_object_mut()) {
        members.insert("included".to_owned(), along.into());
    }
    InventoryItem {
        category: category(section),
        section: section.to_owned(),
        id,
        name,
        summary,
        enabled: if deleted || switched_off {
            Some(false)
        } else {
            r.attributes.peek("enabled")
        },
        lines,
        uses,
        detail: detail.to_string(),
    }
}
