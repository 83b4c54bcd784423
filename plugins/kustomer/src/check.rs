//! Whose key it is, and what it may do (Kustomer facts §2). Nothing here reads more than a handful of records.

use std::collections::BTreeSet;

use serde_json::json;
use transload_sdk::session::{Account, Notice, Severity};
use transload_sdk::types::Error;

use crate::client::{Client, Got};
use crate::config::Settings;
use crate::map;
use crate::read::masked_notice;
use crate::walk::Index;

/// What a full export reads, as it stands in role names; `audit_logs` and the like are of use only for some settings, and not
/// asked for.
const NEEDED: &[&str] = &[
    "customer",
    "conversation",
    "message",
    "note",
    "company",
    "attachment",
    "klass",
    "kobject",
    "metadata",
    "brand",
    "kb",
    "user",
    "team",
    "tag",
];
/// What the role for reading teams is presumed to be called.
const TEAM_ROLE: &str = "org.permission.team.read";
/// Of use, but nothing that is migrated hangs on it: the inventory, merges, forwards.
const USEFUL: &[&str] = &[
    "customer_merge",
    "draft",
    "schedule",
    "sla",
    "satisfaction",
    "shortcut",
    "snooze",
    "queue",
    "routing",
    "workflow",
    "apps",
    "audit_logs",
    "outbound_webhook",
    "event",
    "spam",
    "satisfaction_response",
];
/// Roles that stand for everything, or for every thing of a deed.
const BROAD: &[&str] = &["org", "org.user", "org.admin", "org.permission"];

/// Whether any of the names that a right has is held: new, legacy, or broad.
fn holds(roles: &[String], thing: &str, deed: &str, legacy: &str) -> bool {
    roles.iter().any(|role| {
        BROAD.contains(&role.as_str())
            || ["org.permission", "org.user", "org.admin"].iter().any(|prefix| {
                let rest = role.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
                rest.is_some_and(|rest| {
                    rest == thing
                        || rest == format!("{thing}.{deed}")
                        || (*prefix != "org.permission" && rest == format!("{thing}.{legacy}"))
                        // A klass can have a role of its own: kobject.kobject_order.read
                        || (thing == "kobject" && rest.starts_with("kobject.kobject_") && rest.ends_with(".read"))
                })
            })
    })
}

/// Rights that are missing for a full export.
fn missing(roles: &[String]) -> Vec<String> {
    let reads = NEEDED
        .iter()
        .filter(|thing| !holds(roles, thing, "read", "read"))
        .map(|thing| format!("org.permission.{thing}.read"));
    let search = (!holds(roles, "search", "create", "read"))
        .then(|| "org.permission.search.create".to_owned());
    reads.chain(search).collect()
}

/// Roles that can change something, which reading never needs (rule M-5).
fn excess(roles: &[String]) -> Vec<String> {
    const DEEDS: &[&str] = &["create", "update", "delete", "write"];
    roles
        .iter()
        .filter(|role| {
            let last = role.rsplit('.').next().unwrap_or_default();
            let search = role.contains(".search.");
            let whole_thing = NEEDED.iter().chain(USEFUL).any(|thing| {
                ["org.permission", "org.user", "org.admin"]
                    .iter()
                    .any(|prefix| **role == format!("{prefix}.{thing}"))
            });
            BROAD.contains(&role.as_str()) || whole_thing || (DEEDS.contains(&last) && !search)
        })
        .cloned()
        .collect()
}

/// Tests the key.
pub async fn check(client: &Client<'_>, settings: &Settings) -> Result<Account, Error> {
    let token = match client.get("/v1/auth/tokens/current", &[]).await? {
        Got::Answer(answer) => answer.data.0.into_iter().next(),
        Got::Missing | Got::Refused(_) => None,
    };
    let Some(token) = token else {
        return Err(Error::Auth(
            "Kustomer does not say whose key this is; is the organisation right?".to_owned(),
        ));
    };
    let roles: Vec<String> = token.attributes.peek("roles").unwrap_or_default();
    let id = token.one("org").map(|org| org.id);
    let user = match client.get("/v1/users/current", &[]).await? {
        Got::Answer(answer) => answer
            .data
            .0
            .into_iter()
            .next()
            .and_then(|r| r.attributes.peek::<String>("name")),
        _ => None,
    };
    let mut notices = Vec::new();
    let mut missing = missing(&roles);
    // The role for teams is in no document (§2): what counts is whether they can be read.
    if missing.iter().any(|role| role == TEAM_ROLE) {
        let teams = client
            .get("/v1/teams", &[("page", "1"), ("pageSize", "1")])
            .await;
        match teams {
            Ok(Got::Answer(_)) => missing.retain(|role| role != TEAM_ROLE),
            Ok(_) | Err(Error::Permission(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let useful: Vec<&str> = USEFUL
        .iter()
        .copied()
        .filter(|thing| !holds(&roles, thing, "read", "read"))
        .collect();
    if !useful.is_empty() {
        notices.push(Notice {
            code: "kustomer.roles-of-use".to_owned(),
            severity: Severity::Info,
            message: format!(
                "Without reading roles for {}, the inventory, merges and forwards are incomplete",
                useful.join(", ")
            ),
            remedy: None,
        });
    }
    let blind = [
        "search.create",
        "customer.read",
        "company.read",
        "conversation.read",
    ];
    if !missing
        .iter()
        .any(|role| blind.iter().any(|needed| role.ends_with(needed)))
    {
        notices.extend(masking(client).await?);
    }
    let excess = excess(&roles);
    if !excess.is_empty() {
        notices.push(Notice {
            code: "kustomer.roles-beyond-need".to_owned(),
            severity: Severity::Caution,
            message: "The key can change data, which a migration from Kustomer never does"
                .to_owned(),
            remedy: Some(
                "Make a key with reading roles and org.permission.search.create only.".to_owned(),
            ),
        });
    }
    Ok(Account {
        id: id.ok_or_else(|| Error::Bug("the token's answer names no organisation".to_owned()))?,
        name: settings.org.clone(),
        url: Some(format!("https://{}.kustomerapp.com", settings.org)),
        // The plan shows in the request budget (§5), which only the host sees.
        tier: None,
        time_zone: None,
        user: user.or_else(|| token.attributes.peek("name")),
        roles,
        missing,
        excess,
        notices,
    })
}

/// Looks at some records for masked values (rule M-4). A key that may not read sensitive attributes gets 200 all the same.
async fn masking(client: &Client<'_>) -> Result<Vec<Notice>, Error> {
    let mut identity = BTreeSet::new();
    let mut fields = BTreeSet::new();
    for context in ["customer", "company", "conversation"] {
        let body = json!({ "queryContext": context, "and": [] });
        let Got::Answer(answer) = client.search(Index::Standard, 1, 20, &body).await? else {
            continue;
        };
        for r in &answer.data.0 {
            if context == "customer" {
                identity.extend(map::masked_identity(r).into_iter().map(|(name, _)| name));
            }
            if let Some(custom) = r.attributes.peek::<crate::api::Bag>("custom") {
                let masked = custom.iter().filter(|(_, json)| map::masked(json));
                fields.extend(masked.map(|(name, _)| format!("{context}.{name}")));
            }
        }
    }
    let mut notices = Vec::new();
    if !identity.is_empty() {
        notices.push(masked_notice(&identity));
    }
    if !fields.is_empty() {
        let names: Vec<String> = fields.into_iter().collect();
        notices.push(Notice {
            code: "kustomer.masked-fields".to_owned(),
            severity: Severity::Caution,
            message: format!(
                "The key sees masked values in {}; they arrive as a loss",
                names.join(", ")
            ),
            remedy: Some("Make a key whose roles include reading sensitive attributes.".to_owned()),
        });
    }
    Ok(notices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn roles_of_both_styles_count_and_writing_is_beyond_need() {
        let mut new: Vec<String> = NEEDED
            .iter()
            .map(|thing| format!("org.permission.{thing}.read"))
            .collect();
        assert_eq!(missing(&new), ["org.permission.search.create"]);
        new.push("org.permission.search.create".to_owned());
        assert!(missing(&new).is_empty() && excess(&new).is_empty());
        let legacy: Vec<String> = NEEDED
            .iter()
            .map(|thing| format!("org.user.{thing}.read"))
            .chain(["org.user.search.read".to_owned()])
            .collect();
        assert!(missing(&legacy).is_empty(), "{:?}", missing(&legacy));
        assert!(missing(&roles(&["org.admin"])).is_empty());
        let wide = roles(&[
            "org.admin",
            "org.permission.customer.update",
            "org.user.note.write",
            "org.permission.kb.read",
            "org.user.tag",
        ]);
        assert_eq!(
            excess(&wide),
            [
                "org.admin",
                "org.permission.customer.update",
                "org.user.note.write",
                "org.user.tag"
            ]
        );
        let klass = roles(&["org.permission.kobject.kobject_order.read"]);
        assert!(!missing(&klass).contains(&"org.permission.kobject.read".to_owned()));
    }
}
