//! Comments of tickets and activities (Zoho Desk facts §7.6).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, bad_query, page};
use super::model::{Author, Comment, Id, Module, Origin, Place};
use super::read::iso;
use super::records::time_or_null;
use super::state::State;
use super::{agents, contacts, files, rules};
use crate::common::html;

/// Longest comment.
pub(super) const LONGEST: usize = 32_000;
const TYPES: &[&str] = &["html", "plainText"];

/// What HTML of messages keeps: handlers are cut out, and HTML comments unless a switch says otherwise (§12).
pub(super) fn clean(state: &State, text: &str) -> String {
    if state.config.switches.html_comments_kept && text.contains("<!--") {
        return text.to_owned();
    }
    html::sanitise(text, |name, _| name.starts_with("on"))
}

/// Somebody as answers show them.
pub(super) fn person(state: &State, author: &Author) -> Value {
    match author {
        Author::Agent(id) => state.agents.get(id).map_or(Value::Null, agents::person),
        Author::Contact(id) => {
            let mut shown = contacts::in_short(state, Some(*id));
            if let Some(shown) = shown.as_object_mut() {
                let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default();
                let name = format!("{} {}", text("firstName"), text("lastName"));
                let name = json!(name.trim());
                shown.insert("name".to_owned(), name);
                shown.insert("type".to_owned(), json!("END_USER"));
                shown.insert("photoURL".to_owned(), Value::Null);
            }
            shown
        }
        Author::Address(address) => json!({
            "id": null, "firstName": null, "lastName": null, "name": address, "email": address, "photoURL": null,
            "type": "END_USER",
        }),
    }
}

/// A comment as answers show it.
pub(super) fn render(call: &Call<'_>, comment: &Comment) -> Value {
    let state = &*call.state;
    let id = match &comment.author {
        Author::Agent(id) | Author::Contact(id) => json!(id.to_string()),
        Author::Address(_) => Value::Null,
    };
    let parent = state.records.get(&comment.parent_id);
    let module = parent.map_or("tickets", |record| record.module.as_str());
    let base = format!(
        "{}/{module}/{}/comments/{}",
        call.base, comment.parent_id, comment.id
    );
    let files = state.files(Place::Comment(comment.id));
    let files: Vec<Value> = files
        .map(|file| {
            json!({
                "id": file.id.to_string(), "name": file.name, "size": file.size.to_string(),
                "href": format!("{base}/attachments/{}/content", file.id),
            })
        })
        .collect();
    let mut shown = json!({
        "id": comment.id.to_string(), "content": comment.content, "contentType": comment.content_type,
        "isPublic": comment.public, "commentedTime": iso(comment.commented_at),
        "modifiedTime": time_or_null(comment.modified_at), "commenterId": id,
        "commenter": person(state, &comment.author), "attachments": files, "impersonatedUser": null,
    });
    if call.wants("plainText")
        && let Some(shown) = shown.as_object_mut()
    {
        shown.insert("plainText".to_owned(), json!(html::text(&comment.content)));
    }
    shown
}

/// `GET {module}/{id}/comments`: 50 at first.
pub(super) fn list(call: &mut Call<'_>, module: Module) -> Outcome {
    call.only(&[PAGED, &["sortBy", "include"]])?;
    let parent = call.id(0)?;
    call.state.record(module, parent)?;
    let paging = call.paging(50, call.state.config.switches.list_limit)?;
    let show = |comment: &Comment| render(call, comment);
    let all = call.state.comments(parent);
    match call.request.param("sortBy") {
        None | Some("-commentedTime") => page(paging, all.rev(), show),
        Some("commentedTime") => page(paging, all, show),
        Some(_) => Err(bad_query("sortBy")),
    }
}

fn find(call: &Call<'_>, module: Module) -> Result<Comment, Failure> {
    let (parent, id) = (call.id(0)?, call.id(1)?);
    call.state.record(module, parent)?;
    let comment = call.state.comments.get(&id);
    let comment = comment.filter(|comment| comment.parent_id == parent);
    comment.cloned().ok_or_else(Failure::not_found)
}

/// `GET {module}/{id}/comments/{id}`.
pub(super) fn show(call: &mut Call<'_>, module: Module) -> Outcome {
    call.only(&[&["include"]])?;
    let comment = find(call, module)?;
    Answer::ok(render(call, &comment))
}

/// `GET tickets/{id}/comments/{id}/history`.
pub(super) fn history(call: &mut Call<'_>) -> Outcome {
    let comment = find(call, Module::Tickets)?;
    let mut entries = vec![json!({"eventName": "Added", "eventTime": iso(comment.commented_at)})];
    entries.extend(
        comment
            .modified_at
            .map(|at| json!({"eventName": "Edited", "eventTime": iso(at)})),
    );
    super::answer::data(entries)
}

/// What a body says of a comment.
struct Said {
    content: Option<String>,
    kind: Option<String>,
    public: Option<bool>,
    files: Vec<Id>,
}

fn read(call: &Call<'_>, required: bool) -> Result<Said, Failure> {
    let mut reader = call.reader(&["content", "isPublic", "contentType", "attachmentIds"])?;
    if required || reader.given("content") {
        reader.required("content");
    }
    let said = Said {
        content: reader.text("content", LONGEST),
        kind: reader.choice("contentType", TYPES),
        public: reader.flag("isPublic"),
        files: reader.ids("attachmentIds", 3_200).unwrap_or_default(),
    };
    for id in &said.files {
        if !files::is_unused(call.state, *id) {
            reader.invalid(
                "attachmentIds",
                "There is no such upload, or it is used already.",
            );
        }
    }
    reader.finish(call.strict())?;
    Ok(said)
}

/// `POST tickets/{id}/comments`: by the caller, now.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let ticket = call.id(0)?;
    call.state.live(Module::Tickets, ticket)?;
    let said = read(call, true)?;
    let kind = said.kind.unwrap_or_else(|| "plainText".to_owned());
    let content = said.content.unwrap_or_default();
    let comment = Comment {
        id: call.state.next_id(),
        parent_id: ticket,
        content: if kind == "html" {
            clean(call.state, &content)
        } else {
            content
        },
        content_type: kind,
        // §7.6: what an omitted `isPublic` means is not said.
        public: said
            .public
            .unwrap_or(call.state.config.switches.omitted_is_public),
        author: Author::Agent(call.agent),
        commented_at: call.state.now,
        modified_at: None,
        given: false,
        attachments: said.files.clone(),
        origin: Origin::Request,
    };
    let id = comment.id;
    call.state.put_comment(comment.clone());
    for file in said.files {
        files::attach(call.state, file, Place::Comment(id), comment.public);
    }
    call.state.change_record(ticket, call.agent, |_| ());
    rules::comment(call.state, &comment);
    rules::mentions(call.state, &comment);
    Answer::ok(render(call, &comment))
}

/// `PATCH tickets/{id}/comments/{id}`.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut comment = find(call, Module::Tickets)?;
    call.state.live(Module::Tickets, comment.parent_id)?;
    let said = read(call, false)?;
    if let Some(kind) = said.kind {
        comment.content_type = kind;
    }
    if let Some(content) = said.content {
        comment.content = if comment.content_type == "html" {
            clean(call.state, &content)
        } else {
            content
        };
    }
    let was_public = comment.public;
    comment.public = said.public.unwrap_or(was_public);
    comment.modified_at = Some(call.state.now);
    comment.attachments.extend(&said.files);
    call.state.put_comment(comment.clone());
    for file in said.files {
        files::attach(call.state, file, Place::Comment(comment.id), comment.public);
    }
    call.state
        .change_record(comment.parent_id, call.agent, |_| ());
    if comment.public && !was_public {
        rules::comment(call.state, &comment);
    }
    rules::mentions(call.state, &comment);
    Answer::ok(render(call, &comment))
}

/// `DELETE tickets/{id}/comments/{id}`: a 200 without a body.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let comment = find(call, Module::Tickets)?;
    call.state.live(Module::Tickets, comment.parent_id)?;
    call.state.take_comment(comment.id);
    call.state
        .change_record(comment.parent_id, call.agent, |_| ());
    Answer::bare(200)
}
