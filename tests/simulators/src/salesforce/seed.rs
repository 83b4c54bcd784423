//! What is in the org before anybody writes: people, queues, statuses, rules, and some old records.

use serde_json::{Map, Value, json};

use super::dml::{self, Writer};
use super::state::{Access, Row, State, stamp};

/// A record made without any rule.
fn raw(state: &mut State, object: &str, fields: &[(&str, Value)]) -> String {
    let Some(definition) = state.object(object).cloned() else {
        return String::new();
    };
    let id = state.new_id(&definition.prefix);
    let mut row = Row {
        id: id.clone(),
        object: definition.name.clone(),
        fields: Default::default(),
        deleted: false,
        given: vec![],
    };
    for field in &definition.fields {
        if let Some(default) = &field.default {
            row.set(&field.name, default.clone());
        }
    }
    let now = json!(stamp(state.now));
    for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
        if definition.field(name).is_some() {
            row.set(name, now.clone());
        }
    }
    for name in ["CreatedById", "LastModifiedById"] {
        if definition.field(name).is_some() && !state.admin.is_empty() {
            row.set(name, json!(state.admin));
        }
    }
    for (name, value) in fields {
        row.set(name, value.clone());
    }
    state.put(row);
    id
}

fn user(state: &mut State, email: &str, name: &str, profile: &str, active: bool) -> String {
    let (first, last) = name.split_once(' ').unwrap_or(("", name));
    let alias: String = email
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    raw(
        state,
        "User",
        &[
            ("Username", json!(email)),
            ("Email", json!(email)),
            (
                "FirstName",
                if first.is_empty() {
                    Value::Null
                } else {
                    json!(first)
                },
            ),
            ("LastName", json!(last)),
            ("Name", json!(name)),
            ("Alias", json!(alias)),
            (
                "CommunityNickname",
                json!(email.split('@').next().unwrap_or_default()),
            ),
            ("IsActive", json!(active)),
            ("ProfileId", json!(profile)),
            ("TimeZoneSidKey", json!("Europe/Berlin")),
            ("LocaleSidKey", json!("en_US")),
            ("EmailEncodingKey", json!("UTF-8")),
            ("LanguageLocaleKey", json!("en_US")),
        ],
    )
}

/// Fills a new org.
pub(super) fn fill(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let may = state.config.permissions.clone();
    let length = state.config.switches.email_body_length;
    state.redefine("EmailMessage", |object| {
        for field in object
            .fields
            .iter_mut()
            .filter(|f| matches!(f.name.as_str(), "TextBody" | "HtmlBody"))
        {
            field.length = length;
        }
    });
    let licence = raw(
        state,
        "UserLicense",
        &[
            ("Name", json!("Salesforce")),
            ("MasterLabel", json!("Salesforce")),
            ("LicenseDefinitionKey", json!("SFDC")),
            ("Status", json!("Active")),
            ("TotalLicenses", json!(state.config.licences)),
            ("UsedLicenses", json!(wanted.users.len() + 2)),
        ],
    );
    let profile = |state: &mut State, name: &str, permissions: &[(&str, bool)]| {
        let id = raw(
            state,
            "Profile",
            &[("Name", json!(name)), ("UserLicenseId", json!(licence))],
        );
        let owned = json!(true);
        let set = raw(
            state,
            "PermissionSet",
            &[
                ("Name", json!(format!("X{id}"))),
                ("Label", json!(id)),
                ("ProfileId", json!(id)),
                ("IsOwnedByProfile", owned),
            ],
        );
        for id in [&id, &set] {
            if let Some(mut row) = state.live(id).cloned() {
                for (name, value) in permissions {
                    row.set(&format!("Permissions{name}"), json!(value));
                }
                state.put(row);
            }
        }
        id
    };
    let everything: Vec<(&str, bool)> = [
        "ApiEnabled",
        "ViewSetup",
        "CustomizeApplication",
        "ModifyMetadata",
        "ModifyAllData",
        "ViewAllData",
        "ManageUsers",
        "CreateTopics",
        "AssignTopics",
        "EditTopics",
        "DeleteTopics",
        "CreateAuditFields",
        "UpdateWithInactiveOwner",
        "CanInsertFeedSystemFields",
        "BulkApiHardDelete",
        "QueryAllFiles",
    ]
    .map(|name| (name, true))
    .to_vec();
    let admins = profile(state, "System Administrator", &everything);
    let mut integration = everything;
    for (name, value) in &mut integration {
        match *name {
            "CustomizeApplication" | "ModifyMetadata" => *value = may.customize,
            "ModifyAllData" => *value = may.modify_all,
            "CreateAuditFields" => *value = may.audit_fields,
            "UpdateWithInactiveOwner" => *value = may.inactive_owners,
            "CanInsertFeedSystemFields" => *value = may.feed_fields,
            "BulkApiHardDelete" => *value = may.hard_delete,
            _ => {}
        }
    }
    let integrations = profile(state, "Migration Integration", &integration);
    let agents = profile(state, "Standard User", &[("ApiEnabled", true)]);
    state.admin = user(state, "admin@acme.example", "Account Admin", &admins, true);
    state.integration = user(
        state,
        "integration@acme.example",
        "Migration Integration",
        &integrations,
        true,
    );
    for (email, name) in &wanted.users {
        user(state, email, name, &agents, true);
    }
    for (email, name) in &wanted.inactive_users {
        user(state, email, name, &agents, false);
    }
    let org = state.org.clone();
    organization(state, &org);
    raw(
        state,
        "BusinessHours",
        &[
            ("Name", json!("Default")),
            ("IsActive", json!(true)),
            ("IsDefault", json!(true)),
            ("TimeZoneSidKey", json!("UTC")),
        ],
    );
    for (place, (name, closed)) in [
        ("New", false),
        ("Working", false),
        ("Escalated", false),
        ("On Hold", false),
        ("Closed", true),
    ]
    .iter()
    .enumerate()
    {
        raw(
            state,
            "CaseStatus",
            &[
                ("ApiName", json!(name)),
                ("MasterLabel", json!(name)),
                ("IsClosed", json!(closed)),
                ("IsDefault", json!(*name == "New")),
                ("SortOrder", json!(place + 1)),
            ],
        );
    }
    for (place, name) in [
        "Not Started",
        "In Progress",
        "Completed",
        "Waiting on someone else",
        "Deferred",
    ]
    .iter()
    .enumerate()
    {
        raw(
            state,
            "TaskStatus",
            &[
                ("ApiName", json!(name)),
                ("MasterLabel", json!(name)),
                ("IsClosed", json!(*name == "Completed")),
                ("IsDefault", json!(*name == "Not Started")),
                ("SortOrder", json!(place + 1)),
            ],
        );
    }
    for name in &wanted.queues {
        let developer: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let queue = raw(
            state,
            "Group",
            &[
                ("Name", json!(name)),
                ("DeveloperName", json!(developer)),
                ("Type", json!("Queue")),
            ],
        );
        raw(
            state,
            "QueueSobject",
            &[("QueueId", json!(queue)), ("SobjectType", json!("Case"))],
        );
    }
    rules(state);
    old(state);
    state.commit();
}

fn organization(state: &mut State, id: &str) {
    let mut row = Row {
        id: id.to_owned(),
        object: "Organization".to_owned(),
        fields: Default::default(),
        deleted: false,
        given: vec![],
    };
    for (name, value) in [
        ("Name", json!("Acme")),
        ("OrganizationType", json!("Enterprise Edition")),
        ("IsSandbox", json!(false)),
        ("InstanceName", json!("EU50")),
        ("DefaultLocaleSidKey", json!("en_US")),
        ("TimeZoneSidKey", json!("Europe/Berlin")),
        ("LanguageLocaleKey", json!("en_US")),
        ("CreatedDate", json!(stamp(state.now))),
    ] {
        row.set(name, value);
    }
    state.put(row);
}

/// Rules as far as a client can see them (§14).
fn rules(state: &mut State) {
    let on = json!(state.config.preexisting.automation);
    let duplicates =
        json!(state.config.preexisting.duplicate_rules != super::switches::DuplicateRule::Off);
    let validates = json!(state.config.preexisting.validation_rule);
    raw(
        state,
        "AssignmentRule",
        &[
            ("Name", json!("Standard case assignment")),
            ("SobjectType", json!("Case")),
            ("Active", on.clone()),
        ],
    );
    raw(
        state,
        "FlowDefinitionView",
        &[
            ("Label", json!("New case: tell the customer")),
            ("ApiName", json!("New_case_tell_the_customer")),
            ("DurableId", json!("New_case_tell_the_customer")),
            ("IsActive", on.clone()),
            ("ProcessType", json!("AutoLaunchedFlow")),
            ("TriggerType", json!("RecordAfterSave")),
            ("TriggerObjectOrEventId", json!("Case")),
            ("TriggerObjectOrEventLabel", json!("Case")),
            ("RecordTriggerType", json!("Create")),
        ],
    );
    for object in ["Account", "Contact"] {
        raw(
            state,
            "DuplicateRule",
            &[
                ("SobjectType", json!(object)),
                (
                    "DeveloperName",
                    json!(format!("Standard_{object}_Duplicate_Rule")),
                ),
                (
                    "MasterLabel",
                    json!(format!("Standard {object} Duplicate Rule")),
                ),
                ("Language", json!("en_US")),
                ("IsActive", duplicates.clone()),
            ],
        );
    }
    raw(
        state,
        "ValidationRule",
        &[
            ("ValidationName", json!("Closed_needs_reason")),
            ("Active", validates),
            ("EntityDefinitionId", json!("Case")),
            ("ErrorMessage", json!("A closed case needs a reason.")),
        ],
    );
    // The Tooling API shows of a workflow rule that it is there, not whether it is active.
    if state.config.preexisting.automation {
        raw(
            state,
            "WorkflowRule",
            &[
                ("Name", json!("New comment: tell the owner")),
                ("TableEnumOrId", json!("CaseComment")),
            ],
        );
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Accounts, contacts and cases that were there before.
fn old(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let admin = state.admin.clone();
    let access: std::sync::Arc<Access> = state.access(&admin);
    let writer = Writer {
        access,
        assigns: false,
        allows_duplicates: true,
    };
    let mut accounts = Vec::new();
    for name in &wanted.accounts {
        accounts.extend(dml::insert(
            state,
            &writer,
            "Account",
            &object(json!({"Name": name})),
        ));
    }
    let mut contacts = Vec::new();
    for (email, name) in &wanted.contacts {
        let (first, last) = name.split_once(' ').unwrap_or(("", name));
        let body = json!({"FirstName": first, "LastName": last, "Email": email, "AccountId": accounts.first()});
        contacts.extend(dml::insert(state, &writer, "Contact", &object(body)));
    }
    let quiet = state.mark();
    for number in 0..wanted.cases {
        let Some(contact) = contacts.get(number % contacts.len().max(1)) else {
            break;
        };
        let status = if number % 2 == 0 { "Closed" } else { "New" };
        let body = json!({
            "Subject": format!("An old question, number {}", number + 1), "ContactId": contact, "Status": status,
            "Origin": "Email", "Reason": "Other",
        });
        if let Ok(case) = dml::insert(state, &writer, "Case", &object(body)) {
            let comment = json!({"ParentId": case, "CommentBody": "Where is my parcel?", "IsPublished": true});
            let _ = dml::insert(state, &writer, "CaseComment", &object(comment));
        }
    }
    // Nobody is told again of what is old.
    state.forget_effects(quiet);
}
