//! What single objects do besides storing: cases, e-mails, comments, files, queues, users, topics, permissions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::Digest as _;

use super::answer::RowError;
use super::dml::{self, Writer, Written};
use super::ids;
use super::schema::{Field, Object};
use super::state::{Blob, Row, State, stamp};
use super::values;

fn refuse<T>(code: &'static str, message: impl Into<String>, field: &str) -> Written<T> {
    Err(vec![RowError::on(code, message, field)])
}

fn refuse_all<T>(code: &'static str, message: impl Into<String>) -> Written<T> {
    Err(vec![RowError::new(code, message)])
}

/// Whether a case status is a closed one.
fn closes(state: &State, status: &str) -> bool {
    state
        .live_of("CaseStatus")
        .any(|row| row.text("ApiName") == status && row.is("IsClosed"))
}

fn full_name(row: &Row) -> String {
    [row.text("FirstName"), row.text("LastName")]
        .join(" ")
        .trim()
        .to_owned()
}

/// A row with the same values in all these fields.
fn same_pair(state: &State, row: &Row, fields: &[&str]) -> Option<String> {
    let alike = |other: &&Row| {
        fields
            .iter()
            .all(|field| other.get(field) == row.get(field))
    };
    state
        .live_of(&row.object)
        .find(alike)
        .map(|row| row.id.clone())
}

/// Pairs that are there once report a duplicate without saying of what.
fn once(state: &State, row: &Row, fields: &[&str]) -> Written<()> {
    if same_pair(state, row, fields).is_none() {
        return Ok(());
    }
    let text = "duplicate value found: <unknown> duplicates value on record with id: <unknown>";
    refuse_all("DUPLICATE_VALUE", text)
}

/// Before a record is made.
pub(super) fn before_insert(
    state: &mut State,
    writer: &Writer,
    object: &Object,
    row: &mut Row,
) -> Written<()> {
    match object.name.as_str() {
        "Contact" | "Lead" => {
            let name = full_name(row);
            row.set("Name", json!(name));
        }
        "Case" => before_case(state, writer, row)?,
        "EmailMessage" => before_email(state, row)?,
        "CaseComment" => {}
        "User" => before_user(state, row)?,
        "Group" => {
            if row.text("DeveloperName").is_empty() {
                let name: String = row
                    .text("Name")
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                    .collect();
                row.set("DeveloperName", json!(name));
            }
            if let Some(id) = same_pair(state, row, &["DeveloperName", "Type"]) {
                return Err(vec![dml::duplicate_value(state, "DeveloperName", &id)]);
            }
        }
        "QueueSobject" => {
            let sort = row.text("SobjectType").to_owned();
            let queue = state.live(row.text("QueueId"));
            if queue.is_none_or(|queue| queue.text("Type") != "Queue") {
                return refuse(
                    "FIELD_INTEGRITY_EXCEPTION",
                    "Queue ID: id value of incorrect type",
                    "QueueId",
                );
            }
            let takes = state
                .object(&sort)
                .is_some_and(|o| o.custom || matches!(o.name.as_str(), "Case" | "Lead" | "Task"));
            if !takes {
                let text =
                    format!("Queue Sobject Type: bad value for restricted picklist field: {sort}");
                return refuse(
                    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                    text,
                    "SobjectType",
                );
            }
            once(state, row, &["QueueId", "SobjectType"])?;
        }
        "GroupMember" => once(state, row, &["GroupId", "UserOrGroupId"])?,
        "Topic" => {
            let name = row.text("Name").to_lowercase();
            let other = state
                .live_of("Topic")
                .find(|t| t.text("Name").to_lowercase() == name)
                .map(|t| t.id.clone());
            if let Some(id) = other {
                return Err(vec![dml::duplicate_value(state, "Name", &id)]);
            }
            row.set("TalkingAbout", json!(0));
        }
        "TopicAssignment" => {
            let entity = row.text("EntityId").to_owned();
            let sort = state
                .object_of(&entity)
                .map(|o| o.name.clone())
                .unwrap_or_default();
            if !state.config.preexisting.topics.contains(&sort) {
                let text = format!("Topics are not enabled for the object {sort}");
                return refuse("FIELD_INTEGRITY_EXCEPTION", text, "EntityId");
            }
            once(state, row, &["TopicId", "EntityId"])?;
            row.set("EntityType", json!(sort));
            row.set("EntityKeyPrefix", json!(entity.get(..3)));
        }
        "PermissionSet" => {
            row.set("IsOwnedByProfile", json!(false));
            let name = row.text("Name");
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let text = format!(
                    "The PermissionSet API Name can only contain underscores and alphanumeric characters: {name}"
                );
                return refuse("INVALID_FIELD", text, "Name");
            }
        }
        "PermissionSetAssignment" => once(state, row, &["PermissionSetId", "AssigneeId"])?,
        "FieldPermissions" => before_field_permissions(state, row)?,
        "ObjectPermissions" => {
            let sort = row.text("SobjectType").to_owned();
            let Some(object) = state.object(&sort) else {
                let text = format!("SObject Type: bad value for restricted picklist field: {sort}");
                return refuse(
                    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                    text,
                    "SobjectType",
                );
            };
            row.set("SobjectType", json!(object.name));
            let needs_read = [
                "Create",
                "Edit",
                "Delete",
                "ViewAllRecords",
                "ModifyAllRecords",
            ];
            let more = needs_read
                .iter()
                .any(|name| row.is(&format!("Permissions{name}")));
            if more && !row.is("PermissionsRead") {
                let text = "Permission Read depends on permission(s): Create, Edit, Delete";
                return refuse_all("FIELD_INTEGRITY_EXCEPTION", text);
            }
            once(state, row, &["ParentId", "SobjectType"])?;
        }
        "ContentVersion" => before_version(state, row)?,
        "ContentDocumentLink" => before_link(state, row)?,
        "Task" => {
            if row.is("IsReminderSet") {
                state.ran("reminder", "Task reminder", row.text("Subject"), "");
            }
            row.set("IsClosed", json!(row.text("Status") == "Completed"));
            row.set("IsHighPriority", json!(row.text("Priority") == "High"));
            check_person(state, row)?;
        }
        "EmailMessageRelation"
            if row.text("RelationId").is_empty() && row.text("RelationAddress").is_empty() =>
        {
            return refuse(
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [RelationAddress]",
                "RelationAddress",
            );
        }
        "FeedItem" => {
            if row.text("Body").is_empty() && row.text("Type") == "TextPost" {
                return refuse(
                    "REQUIRED_FIELD_MISSING",
                    "Required fields are missing: [Body]",
                    "Body",
                );
            }
            row.set("InsertedById", json!(writer.access.user));
        }
        _ => {}
    }
    Ok(())
}

/// A lead cannot be about something.
fn check_person(state: &State, row: &Row) -> Written<()> {
    let is_lead = state
        .live(row.text("WhoId"))
        .is_some_and(|who| who.object == "Lead");
    if is_lead && !row.text("WhatId").is_empty() {
        let text = "A Task or Event associated with a Lead cannot have a WhatId";
        return refuse("FIELD_INTEGRITY_EXCEPTION", text, "WhatId");
    }
    Ok(())
}

fn before_case(state: &mut State, writer: &Writer, row: &mut Row) -> Written<()> {
    let number = state.case_number();
    row.set("CaseNumber", json!(number));
    let closed = closes(state, row.text("Status"));
    row.set("IsClosed", json!(closed));
    row.set("IsClosedOnCreate", json!(closed));
    if closed && row.text("ClosedDate").is_empty() {
        row.set("ClosedDate", json!(stamp(state.now)));
    }
    if !closed && !row.text("ClosedDate").is_empty() {
        return refuse(
            "FIELD_INTEGRITY_EXCEPTION",
            "Closed Date: the case is not closed",
            "ClosedDate",
        );
    }
    if row.text("AccountId").is_empty()
        && let Some(contact) = state.live(row.text("ContactId"))
    {
        let account = contact.get("AccountId").clone();
        row.set("AccountId", account);
    }
    if row.text("BusinessHoursId").is_empty()
        && let Some(hours) = state.live_of("BusinessHours").next()
    {
        row.set("BusinessHoursId", json!(hours.id.clone()));
    }
    validate_case(state, row)?;
    // §8: assignment rules run unless the request says otherwise.
    let rule = state
        .live_of("AssignmentRule")
        .find(|rule| rule.text("SobjectType") == "Case" && rule.is("Active"));
    if writer.assigns && rule.is_some() {
        let queue = state
            .live_of("QueueSobject")
            .find(|row| row.text("SobjectType") == "Case")
            .map(|row| row.text("QueueId").to_owned());
        if let Some(queue) = queue {
            row.set("OwnerId", json!(queue));
            state.ran("assignment", "Standard case assignment", &number, "OwnerId");
        }
    }
    Ok(())
}

fn validate_case(state: &State, row: &Row) -> Written<()> {
    let broken = state.config.preexisting.validation_rule
        && row.is("IsClosed")
        && row.text("Reason").is_empty();
    if broken {
        return refuse(
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "A closed case needs a reason.",
            "Reason",
        );
    }
    Ok(())
}

/// §9.3.
fn before_email(state: &State, row: &mut Row) -> Written<()> {
    let parent = row.text("ParentId").to_owned();
    let status = row.text("Status").to_owned();
    if parent.is_empty() && status != "3" && status != "5" {
        let text = "An email message without a case must have the status Sent";
        return refuse("FIELD_INTEGRITY_EXCEPTION", text, "Status");
    }
    if !parent.is_empty() {
        let related = row.text("RelatedToId");
        if !related.is_empty() && related != parent {
            return refuse(
                "FIELD_INTEGRITY_EXCEPTION",
                "RelatedToId must be the same as ParentId",
                "RelatedToId",
            );
        }
        row.set("RelatedToId", json!(parent));
    }
    if !row.text("Headers").is_empty() && !row.is("Incoming") {
        return refuse(
            "FIELD_INTEGRITY_EXCEPTION",
            "Headers are kept for incoming messages only",
            "Headers",
        );
    }
    for (name, sorts) in [
        ("ToIds", &["Contact", "Lead", "User"][..]),
        ("CcIds", &["Contact", "Lead", "User"]),
        ("BccIds", &["Contact", "Lead", "User"]),
        ("ContentDocumentIds", &["ContentDocument"]),
    ] {
        let mut full = Vec::new();
        for id in row
            .get(name)
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let found = ids::full(id).filter(|id| {
                state
                    .live(id)
                    .is_some_and(|r| sorts.contains(&r.object.as_str()))
            });
            match found {
                Some(id) => full.push(id),
                None => {
                    return refuse(
                        "INVALID_CROSS_REFERENCE_KEY",
                        format!("invalid cross reference id: {id}"),
                        name,
                    );
                }
            }
        }
        if !full.is_empty() {
            row.set(name, json!(full));
        }
    }
    let files = row.get("ContentDocumentIds").as_array().map_or(0, Vec::len);
    row.set("HasAttachment", json!(files > 0));
    if state.config.switches.addresses_of_strangers_only {
        for name in ["ToAddress", "CcAddress", "BccAddress"] {
            for address in row
                .text(name)
                .split([';', ','])
                .map(str::trim)
                .filter(|a| !a.is_empty())
            {
                let known = ["Contact", "Lead", "User"].iter().any(|object| {
                    state
                        .live_of(object)
                        .any(|other| other.text("Email").eq_ignore_ascii_case(address))
                });
                if known {
                    let text = format!("{name}: {address} is a contact, lead or user; give its id");
                    return refuse("FIELD_INTEGRITY_EXCEPTION", text, name);
                }
            }
        }
    }
    if row.text("MessageDate").is_empty() {
        row.set("MessageDate", json!(stamp(state.now)));
    }
    if row.text("TextBody").is_empty() && !row.text("HtmlBody").is_empty() {
        let text = without_markup(row.text("HtmlBody"));
        row.set(
            "TextBody",
            if text.is_empty() {
                Value::Null
            } else {
                json!(text)
            },
        );
    }
    Ok(())
}

/// The words of HTML; roughly what the org makes of it.
fn without_markup(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            letter if !inside => out.push(letter),
            _ => {}
        }
    }
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&")
}

fn before_user(state: &State, row: &mut Row) -> Written<()> {
    let name = full_name(row);
    row.set("Name", json!(name));
    let username = row.text("Username").to_lowercase();
    if !values::is_email(&username) {
        let text = "Username must be in the form of an email address (for example, john@acme.com)";
        return refuse("INVALID_EMAIL_ADDRESS", text, "Username");
    }
    if state
        .live_of("User")
        .any(|user| user.text("Username").to_lowercase() == username)
    {
        let text = "Duplicate Username.<br>The username already exists in this or another Salesforce organization. Usernames \
                    must be unique across all Salesforce organizations.";
        return refuse("DUPLICATE_USERNAME", text, "Username");
    }
    if row.is("IsActive")
        && state
            .live_of("User")
            .filter(|user| user.is("IsActive"))
            .count()
            >= state.config.licences
    {
        return refuse_all("LICENSE_LIMIT_EXCEEDED", "license limit exceeded");
    }
    if row.text("CommunityNickname").is_empty() {
        let nick = username
            .split('@')
            .next()
            .unwrap_or_default()
            .chars()
            .take(40)
            .collect::<String>();
        row.set("CommunityNickname", json!(nick));
    }
    Ok(())
}

fn before_field_permissions(state: &State, row: &mut Row) -> Written<()> {
    let full = row.text("Field").to_owned();
    let sort = row.text("SobjectType").to_owned();
    let wrong = || {
        let text = format!("Field Name: bad value for restricted picklist field: {full}");
        refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, "Field")
    };
    let Some((object, field)) = full.split_once('.') else {
        return wrong();
    };
    if !object.eq_ignore_ascii_case(&sort) {
        return wrong();
    }
    let Some(object) = state.object(object) else {
        return wrong();
    };
    let Some(field) = object.field(field) else {
        return wrong();
    };
    if field.custom && !field.permissionable() {
        let text = format!("You cannot deploy to a required field: {full}");
        return refuse("FIELD_INTEGRITY_EXCEPTION", text, "Field");
    }
    if row.is("PermissionsEdit") && !row.is("PermissionsRead") {
        return refuse_all(
            "FIELD_INTEGRITY_EXCEPTION",
            "Permission Edit depends on permission Read",
        );
    }
    row.set("SobjectType", json!(object.name));
    row.set("Field", json!(format!("{}.{}", object.name, field.name)));
    once(state, row, &["ParentId", "Field"])
}

/// §9.6.
fn before_version(state: &mut State, row: &mut Row) -> Written<()> {
    let data = row.text("VersionData").to_owned();
    if data.is_empty() {
        return refuse(
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [VersionData]",
            "VersionData",
        );
    }
    let path = row.text("PathOnClient").to_owned();
    let file = path
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .to_owned();
    if row.text("Title").is_empty() {
        let title = file
            .rsplit_once('.')
            .map_or(file.as_str(), |(front, _)| front);
        row.set("Title", json!(title));
    }
    let extension = file
        .rsplit_once('.')
        .map(|(_, end)| end.to_lowercase())
        .unwrap_or_default();
    row.set(
        "FileExtension",
        if extension.is_empty() {
            Value::Null
        } else {
            json!(extension)
        },
    );
    row.set(
        "FileType",
        json!(if extension.is_empty() {
            "UNKNOWN".to_owned()
        } else {
            extension.to_uppercase()
        }),
    );
    let links = state
        .object_of(row.text("FirstPublishLocationId"))
        .map(|o| o.name.clone())
        .unwrap_or_default();
    if links == "EmailMessage" {
        attachable(state, row.text("FirstPublishLocationId"))?;
    }
    let modified = row.text("ContentModifiedDate").to_owned();
    if values::time(&modified).is_some_and(|at| at > state.now) {
        let text = "Content Modified Date: cannot be in the future";
        return refuse("FIELD_INTEGRITY_EXCEPTION", text, "ContentModifiedDate");
    }
    if modified.is_empty() {
        row.set("ContentModifiedDate", json!(stamp(state.now)));
    }
    Ok(())
}

/// Files cannot be hung on an e-mail that went out, unless it is managed by a client (§9.3, §9.6).
fn attachable(state: &State, email: &str) -> Written<()> {
    let open = state
        .live(email)
        .is_some_and(|row| row.is("IsClientManaged") || row.text("Status") == "5");
    if open {
        return Ok(());
    }
    let text = "insufficient access rights on cross-reference id";
    refuse_all("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", text)
}

fn before_link(state: &State, row: &mut Row) -> Written<()> {
    let entity = row.text("LinkedEntityId").to_owned();
    if state
        .object_of(&entity)
        .is_some_and(|object| object.name == "EmailMessage")
    {
        attachable(state, &entity)?;
    }
    if let Some(id) = same_pair(state, row, &["ContentDocumentId", "LinkedEntityId"]) {
        let text = format!(
            "Document with ID: {} is already linked with the entity with ID: {entity} ({id})",
            row.text("ContentDocumentId")
        );
        return refuse("FIELD_INTEGRITY_EXCEPTION", text, "LinkedEntityId");
    }
    Ok(())
}

/// A row the org makes itself.
fn by_itself(state: &mut State, object: &str, fields: &[(&str, Value)]) -> Option<String> {
    let definition = state.object(object)?.clone();
    let mut row = Row {
        id: String::new(),
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
    for (name, value) in fields {
        row.set(name, value.clone());
    }
    let now = stamp(state.now);
    for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
        if definition.field(name).is_some() && row.get(name).is_null() {
            row.set(name, json!(now));
        }
    }
    row.id = state.new_id(&definition.prefix);
    let id = row.id.clone();
    state.put(row);
    Some(id)
}

/// The time of a parent moves with its children (§11).
fn touch_parent(state: &mut State, writer: &Writer, id: &str) {
    if !state.config.switches.children_touch_parent {
        return;
    }
    if let Some(mut row) = state.live(id).cloned()
        && let Some(object) = state.object(&row.object).cloned()
    {
        dml::touch(state, &writer.access.user, &object, &mut row);
        state.put(row);
    }
}

/// After a record was made; `said` has what was given and is not kept.
pub(super) fn after_insert(
    state: &mut State,
    writer: &Writer,
    object: &Object,
    id: &str,
    said: &Row,
) -> Written<()> {
    match object.name.as_str() {
        "Case" => {
            let contact = state
                .live(said.text("ContactId"))
                .map(|c| c.text("Email").to_owned())
                .unwrap_or_default();
            if state.config.preexisting.automation {
                state.ran("flow", "New case: tell the customer", id, "e-mail");
                let to = if contact.is_empty() {
                    said.text("SuppliedEmail").to_owned()
                } else {
                    contact
                };
                state.mail(&to, id, "New case: tell the customer");
            }
            let row = state.live(id).cloned();
            if let Some(row) = row {
                tell_queue(state, &row);
            }
            if !said.text("Comments").is_empty() {
                let mut body = Map::new();
                body.insert("ParentId".to_owned(), json!(id));
                body.insert("CommentBody".to_owned(), said.get("Comments").clone());
                dml::insert(state, writer, "CaseComment", &body)?;
            }
        }
        "CaseComment" => {
            let case = said.text("ParentId").to_owned();
            touch_parent(state, writer, &case);
            let contact = state
                .live(&case)
                .and_then(|case| state.live(case.text("ContactId")))
                .map(|contact| contact.text("Email").to_owned())
                .unwrap_or_default();
            if said.is("IsNotificationSelected") {
                state.mail(&contact, id, "Case comment: the contact is notified");
            }
            if state.config.preexisting.automation && said.is("IsPublished") {
                state.ran("workflow", "New comment: tell the owner", id, "e-mail");
                let owner = state
                    .live(&case)
                    .and_then(|case| state.live(case.text("OwnerId")));
                let to = owner
                    .map(|owner| owner.text("Email").to_owned())
                    .unwrap_or_default();
                state.mail(&to, id, "New comment: tell the owner");
            }
        }
        "EmailMessage" => after_email(state, writer, id, said)?,
        "ContentVersion" => after_version(state, writer, id, said)?,
        "Attachment" => {
            let bytes = STANDARD.decode(said.text("Body")).unwrap_or_default();
            let size = bytes.len();
            keep(state, id, Bytes::from(bytes));
            if let Some(mut row) = state.live(id).cloned() {
                row.set("BodyLength", json!(size));
                state.put(row);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Keeps a file's bytes; their MD5, hex.
fn keep(state: &mut State, id: &str, bytes: Bytes) -> String {
    let md5 = hex::encode(<md5::Md5 as md5::Digest>::digest(&bytes));
    let sha256 = hex::encode(sha2::Sha256::digest(&bytes));
    state.files.insert(
        id.to_owned(),
        Blob {
            bytes,
            md5: md5.clone(),
            sha256,
        },
    );
    md5
}

fn tell_queue(state: &mut State, case: &Row) {
    let Some(queue) = state
        .live(case.text("OwnerId"))
        .filter(|owner| owner.object == "Group")
        .cloned()
    else {
        return;
    };
    let mut to: Vec<String> = Vec::new();
    if !queue.text("Email").is_empty() {
        to.push(queue.text("Email").to_owned());
    }
    if queue.is("DoesSendEmailToMembers") {
        let members = state
            .children_of(&queue.id)
            .into_iter()
            .filter(|row| row.object == "GroupMember");
        let users = members.filter_map(|row| state.live(row.text("UserOrGroupId")));
        to.extend(users.map(|user| user.text("Email").to_owned()));
    }
    for address in to {
        state.mail(&address, &case.id, "A case came to the queue");
    }
}

/// Relations, files, the task and the feed item beside an e-mail (§9.3).
fn after_email(state: &mut State, writer: &Writer, id: &str, said: &Row) -> Written<()> {
    let case = said.text("ParentId").to_owned();
    let user = writer.access.user.clone();
    for (name, sort) in [
        ("ToIds", "ToAddress"),
        ("CcIds", "CcAddress"),
        ("BccIds", "BccAddress"),
    ] {
        let people: Vec<String> = said
            .get(name)
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        for person in people {
            let (object, address) = state
                .live(&person)
                .map(|row| (row.object.clone(), row.text("Email").to_owned()))
                .unwrap_or_default();
            by_itself(
                state,
                "EmailMessageRelation",
                &[
                    ("EmailMessageId", json!(id)),
                    ("RelationId", json!(person)),
                    ("RelationType", json!(sort)),
                    ("RelationObjectType", json!(object)),
                    ("RelationAddress", json!(address)),
                    ("CreatedById", json!(user)),
                ],
            );
        }
    }
    let files: Vec<Value> = said
        .get("ContentDocumentIds")
        .as_array()
        .cloned()
        .unwrap_or_default();
    for file in files {
        by_itself(
            state,
            "ContentDocumentLink",
            &[
                ("ContentDocumentId", file),
                ("LinkedEntityId", json!(id)),
                ("ShareType", json!("V")),
                ("Visibility", json!("AllUsers")),
            ],
        );
    }
    let draft = said.text("Status") == "5";
    let quiet = said.is("Incoming") && !case.is_empty();
    if state.config.switches.email_task && !draft && (!quiet || said.is("IsClientManaged")) {
        let subject: String = format!("Email: {}", said.text("Subject"))
            .chars()
            .take(255)
            .collect();
        let contact = said
            .get("ToIds")
            .pointer("/0")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .filter(|id| {
                state.live(id).is_some_and(|row| {
                    row.object != "User" && (row.object != "Lead" || case.is_empty())
                })
            });
        let task = by_itself(
            state,
            "Task",
            &[
                ("Subject", json!(subject)),
                ("Status", json!("Completed")),
                ("IsClosed", json!(true)),
                ("TaskSubtype", json!("Email")),
                ("Priority", json!("Normal")),
                (
                    "WhatId",
                    if case.is_empty() {
                        Value::Null
                    } else {
                        json!(case)
                    },
                ),
                ("WhoId", json!(contact)),
                ("OwnerId", json!(user)),
                ("ActivityDate", json!(state.now.date_naive().to_string())),
                ("CreatedById", json!(user)),
                ("LastModifiedById", json!(user)),
            ],
        );
        if let (Some(task), Some(mut row)) = (task, state.live(id).cloned()) {
            row.set("ActivityId", json!(task));
            state.put(row);
        }
    }
    if state.config.switches.email_feed_item && !case.is_empty() && !draft {
        by_itself(
            state,
            "FeedItem",
            &[
                ("ParentId", json!(case)),
                ("Type", json!("EmailMessageEvent")),
                ("Title", said.get("Subject").clone()),
                ("CreatedById", json!(user)),
                ("InsertedById", json!(user)),
            ],
        );
    }
    touch_parent(state, writer, &case);
    Ok(())
}

/// The file itself, its document and its links (§9.6).
fn after_version(state: &mut State, writer: &Writer, id: &str, said: &Row) -> Written<()> {
    let too_large = || {
        refuse(
            "FIELD_INTEGRITY_EXCEPTION",
            "The file exceeds the maximum size",
            "VersionData",
        )
    };
    let data = said.text("VersionData");
    let bytes = match state
        .files
        .remove(data.strip_prefix("upload:").unwrap_or_default())
    {
        Some(blob) => blob.bytes,
        None => match STANDARD.decode(data) {
            Ok(bytes) if bytes.len() > state.config.switches.base64_file_bytes => {
                return too_large();
            }
            Ok(bytes) => Bytes::from(bytes),
            Err(_) => {
                return refuse_all(
                    "JSON_PARSER_ERROR",
                    "Cannot deserialize instance of base64Binary from VALUE_STRING",
                );
            }
        },
    };
    if bytes.is_empty() && state.config.switches.empty_file_refused {
        return refuse(
            "FIELD_INTEGRITY_EXCEPTION",
            "The file is empty: VersionData",
            "VersionData",
        );
    }
    let size = bytes.len();
    let md5 = keep(state, id, bytes);
    let mut version = state.live(id).cloned().unwrap_or_else(|| said.clone());
    let shared = |row: &Row| {
        [
            ("Title", row.get("Title").clone()),
            ("Description", row.get("Description").clone()),
            ("FileExtension", row.get("FileExtension").clone()),
            ("FileType", row.get("FileType").clone()),
            ("ContentSize", json!(size)),
            (
                "ContentModifiedDate",
                row.get("ContentModifiedDate").clone(),
            ),
            ("OwnerId", row.get("OwnerId").clone()),
            ("LatestPublishedVersionId", json!(id)),
        ]
    };
    let document = said.text("ContentDocumentId").to_owned();
    let document = if document.is_empty() {
        let mut fields = shared(&version).to_vec();
        for name in ["CreatedDate", "CreatedById", "LastModifiedById"] {
            fields.push((name, version.get(name).clone()));
        }
        let Some(document) = by_itself(state, "ContentDocument", &fields) else {
            return Ok(());
        };
        let owner = version.get("OwnerId").clone();
        link(state, &document, owner, "I");
        let place = said.get("FirstPublishLocationId").clone();
        if !place.is_null() && place != *version.get("OwnerId") {
            link(state, &document, place, "V");
        }
        document
    } else {
        let older: Vec<Row> = state
            .children_of(&document)
            .into_iter()
            .filter(|row| row.object == "ContentVersion" && row.id != id && row.is("IsLatest"))
            .cloned()
            .collect();
        for mut row in older {
            let number = row.text("VersionNumber").parse::<u64>().unwrap_or(1) + 1;
            version.set("VersionNumber", json!(number.to_string()));
            row.set("IsLatest", json!(false));
            state.put(row);
        }
        if let Some(mut row) = state.live(&document).cloned() {
            for (name, value) in shared(&version) {
                row.set(name, value);
            }
            state.put(row);
        }
        document
    };
    version.set("ContentDocumentId", json!(document));
    version.set("ContentSize", json!(size));
    version.set("Checksum", json!(md5));
    state.put(version);
    let _ = writer;
    Ok(())
}

fn link(state: &mut State, document: &str, entity: Value, share: &str) {
    by_itself(
        state,
        "ContentDocumentLink",
        &[
            ("ContentDocumentId", json!(document)),
            ("LinkedEntityId", entity),
            ("ShareType", json!(share)),
            ("Visibility", json!("AllUsers")),
        ],
    );
}

/// Before a record is changed.
pub(super) fn before_update(
    state: &mut State,
    writer: &Writer,
    object: &Object,
    old: &Row,
    row: &mut Row,
) -> Written<()> {
    let changed = |name: &str, row: &Row| old.get(name) != row.get(name);
    match object.name.as_str() {
        "Contact" | "Lead" | "User" => {
            let name = full_name(row);
            row.set("Name", json!(name));
            if object.name == "User" && !old.is("IsActive") && row.is("IsActive") {
                let active = state
                    .live_of("User")
                    .filter(|user| user.is("IsActive"))
                    .count();
                if active >= state.config.licences {
                    return refuse_all("LICENSE_LIMIT_EXCEEDED", "license limit exceeded");
                }
            }
        }
        "Case" => {
            let closed = closes(state, row.text("Status"));
            row.set("IsClosed", json!(closed));
            if closed && !old.is("IsClosed") {
                row.set("ClosedDate", json!(stamp(state.now)));
                state.ran("escalation", "Close automation", &old.id, "");
            } else if !closed {
                row.set("ClosedDate", Value::Null);
            }
            validate_case(state, row)?;
        }
        "EmailMessage" if old.text("Status") != "5" => {
            // §0.6: frozen, but for being read, its visibility and custom fields.
            let open = |field: &&Field| field.custom || field.name == "IsExternallyVisible";
            let frozen = object.fields.iter().find(|field| {
                let status = field.name == "Status"
                    && old.text("Status") == "0"
                    && row.text("Status") == "1";
                let related = field.name == "RelatedToId" && old.is("IsClientManaged");
                changed(&field.name, row) && !open(field) && !status && !related
            });
            if let Some(field) = frozen {
                let text = "You can't edit an email message that isn't a draft";
                return refuse("INSUFFICIENT_ACCESS_OR_READONLY", text, &field.name);
            }
        }
        "CaseComment" if !writer.access.modify_all && changed("CommentBody", row) => {
            return refuse(
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
                "CommentBody",
            );
        }
        "Task" => {
            row.set("IsClosed", json!(row.text("Status") == "Completed"));
            row.set("IsHighPriority", json!(row.text("Priority") == "High"));
            check_person(state, row)?;
        }
        "Topic" => {
            let name = row.text("Name").to_lowercase();
            let mut topics = state.live_of("Topic");
            let other = topics
                .find(|t| t.id != old.id && t.text("Name").to_lowercase() == name)
                .map(|t| t.id.clone());
            if let Some(id) = other {
                return Err(vec![dml::duplicate_value(state, "Name", &id)]);
            }
        }
        _ => {}
    }
    Ok(())
}

/// After a record was changed.
pub(super) fn after_update(
    state: &mut State,
    writer: &Writer,
    object: &Object,
    old: &Row,
    id: &str,
) -> Written<()> {
    let Some(row) = state.live(id).cloned() else {
        return Ok(());
    };
    match object.name.as_str() {
        "Case" if old.get("OwnerId") != row.get("OwnerId") => tell_queue(state, &row),
        "ContentVersion" => {
            let document = state.live(row.text("ContentDocumentId")).cloned();
            if let Some(mut document) = document {
                for name in ["Title", "Description", "OwnerId"] {
                    document.set(name, row.get(name).clone());
                }
                state.put(document);
            }
        }
        "CaseComment" => touch_parent(state, writer, row.text("ParentId")),
        _ => {}
    }
    Ok(())
}

/// Before a record is deleted.
pub(super) fn before_delete(state: &State, object: &Object, row: &Row) -> Written<()> {
    if object.name == "Group" && row.text("Type") == "Queue" {
        let owned = state
            .children_of(&row.id)
            .into_iter()
            .any(|child| !child.deleted && child.text("OwnerId") == row.id);
        if owned {
            let text = format!(
                "Your attempt to delete {} could not be completed because it is associated with records it owns.",
                row.text("Name")
            );
            return refuse_all("DELETE_FAILED", text);
        }
    }
    Ok(())
}

/// Why a record cannot be deleted (§13).
pub(super) fn why_kept(
    state: &State,
    object: &Object,
    row: &Row,
    field: &Field,
    child: &Row,
) -> String {
    let name = object
        .name_field
        .as_deref()
        .map(|name| row.text(name))
        .unwrap_or_default();
    let shown = |row: &Row| {
        let definition = state.object(&row.object);
        let name = definition.and_then(|object| object.name_field.clone());
        name.map_or_else(|| row.id.clone(), |name| row.text(&name).to_owned())
    };
    let all: Vec<String> = state
        .children_of(&row.id)
        .into_iter()
        .filter(|other| {
            !other.deleted && other.object == child.object && other.text(&field.name) == row.id
        })
        .map(shown)
        .collect();
    let plural = state
        .object(&child.object)
        .map_or("records".to_owned(), |object| object.plural.to_lowercase());
    format!(
        "Your attempt to delete {name} could not be completed because it is associated with the following {plural}.: {}\n",
        all.join(", ")
    )
}

/// After a record was deleted.
pub(super) fn after_delete(state: &mut State, writer: &Writer, row: &Row) -> Written<()> {
    match row.object.as_str() {
        "EmailMessage" if state.config.switches.email_delete_takes_task => {
            let task = row.text("ActivityId").to_owned();
            if state.live(&task).is_some() {
                dml::delete(state, writer, Some("Task"), &task, false)?;
            }
        }
        "CaseComment" => touch_parent(state, writer, row.text("ParentId")),
        _ => {}
    }
    Ok(())
}
