//! Contacts and accounts (Zoho Desk facts §7.1, §7.2).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::{Call, PAGED, page};
use super::model::{Id, Module, Origin, Record};
use super::read::{Reader, iso};
use super::records::{self, Change, custom_shown, id_or_null, mass, value};
use super::rules::{self, out};
use super::schema::{ACCOUNT, CONTACT, names};
use super::state::State;
use super::switches::DuplicateEmail;

/// A contact as answers show it.
pub(super) fn render(state: &State, record: &Record) -> Value {
    let (cf, by_label) = custom_shown(state, record);
    let mut shown = json!({
        "id": record.id.to_string(), "cf": cf, "customFields": by_label,
        "createdTime": iso(record.created_at), "modifiedTime": iso(record.modified_at),
        "isAnonymous": false, "isEndUser": false, "isSpam": record.spam, "isDeleted": false,
        "isTrashed": record.trashed.is_some(), "isFollowing": false, "photoURL": null, "zohoCRMContact": null,
        "customerHappiness": {"badPercentage": "0", "okPercentage": "0", "goodPercentage": "0"},
        "accountCount": record.accounts.len().to_string(),
        "webUrl": format!("https://desk.zoho.com/support/ShowHomePage.do#Contacts/dv/{}", record.id),
    });
    let plain = names(CONTACT);
    if let Some(shown) = shown.as_object_mut() {
        for name in plain {
            if !shown.contains_key(name) && name != "layoutId" {
                shown.insert(name.to_owned(), value(record, name));
            }
        }
    }
    shown
}

/// An account as answers show it.
pub(super) fn render_account(state: &State, record: &Record) -> Value {
    let (cf, by_label) = custom_shown(state, record);
    let mut shown = json!({
        "id": record.id.to_string(), "cf": cf, "customFields": by_label,
        "createdTime": iso(record.created_at), "modifiedTime": iso(record.modified_at),
        "isDeleted": false, "isTrashed": record.trashed.is_some(), "isFollowing": false, "zohoCRMAccount": null,
        "webUrl": format!("https://desk.zoho.com/support/ShowHomePage.do#Accounts/dv/{}", record.id),
        "associatedSLAIds": record.values.get("associatedSLAIds").cloned().unwrap_or_else(|| json!([])),
    });
    if let Some(shown) = shown.as_object_mut() {
        for name in names(ACCOUNT) {
            if !shown.contains_key(name) && name != "layoutId" {
                shown.insert(name.to_owned(), value(record, name));
            }
        }
    }
    shown
}

/// `GET contacts`.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    records::list(call, Module::Contacts, "createdTime", &[], |_| true)
}

/// `GET accounts`.
pub(super) fn list_accounts(call: &mut Call<'_>) -> Outcome {
    records::list(call, Module::Accounts, "createdTime", &[], |_| true)
}

/// `GET contacts/{id}` and `GET accounts/{id}`.
pub(super) fn show(call: &mut Call<'_>, module: Module) -> Outcome {
    call.only(&[&["include"]])?;
    let record = call.state.record(module, call.id(0)?)?;
    Answer::ok(records::render(call.state, record, true))
}

/// `GET contacts/contactsByIds?ids=`: those that are there.
pub(super) fn by_ids(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["ids", "include"]])?;
    let ids = call.ids_param("ids")?;
    let found = ids
        .iter()
        .filter_map(|id| call.state.live(Module::Contacts, *id).ok());
    super::answer::data(found.map(|record| render(call.state, record)).collect())
}

fn change(call: &Call<'_>, module: Module, before: Option<&Record>) -> Result<Change, Failure> {
    let (table, name) = match module {
        Module::Accounts => (ACCOUNT, "accountName"),
        _ => (CONTACT, "lastName"),
    };
    let mut reader = call.reader(&names(table))?;
    if before.is_none() || reader.given(name) {
        reader.required(name);
    }
    let mut change = records::read(call.state, module, &mut reader, table);
    reader
        .errors
        .extend(records::check(call.state, module, before, &change));
    match module {
        Module::Accounts => same_name(call.state, &mut reader, before, &change),
        _ => same_email(call.state, &mut reader, before, &change),
    }
    reader.finish(call.strict())?;
    change.values.remove("layoutId");
    Ok(change)
}

fn same_name(state: &State, reader: &mut Reader<'_>, before: Option<&Record>, change: &Change) {
    let name = change
        .text("accountName")
        .unwrap_or_default()
        .to_lowercase();
    let mut others = state.account_names.get(&name).into_iter().flatten();
    let taken = others
        .any(|id| before.is_none_or(|record| record.id != *id) && state.has(Module::Accounts, *id));
    if taken && state.config.switches.account_names_unique {
        reader.errors.push(FieldError::duplicate("/accountName"));
    }
}

/// §7.1 [MEM]: a second contact of one address is refused, or there are two.
fn same_email(state: &State, reader: &mut Reader<'_>, before: Option<&Record>, change: &Change) {
    if state.config.switches.duplicate_email != DuplicateEmail::Refused {
        return;
    }
    for name in ["email", "secondaryEmail"] {
        let email = change.text(name).filter(|email| !email.is_empty());
        let others = email
            .map(|email| state.contacts_with(email))
            .unwrap_or_default();
        if others.iter().any(|id| before.is_none_or(|b| b.id != *id)) {
            reader
                .errors
                .push(FieldError::duplicate(format!("/{name}")));
        }
    }
}

/// `POST contacts` and `POST accounts`.
pub(super) fn create(call: &mut Call<'_>, module: Module) -> Outcome {
    call.only(&[])?;
    let change = change(call, module, None)?;
    if module == Module::Contacts
        && call.state.config.switches.duplicate_email == DuplicateEmail::Matched
        && let Some(email) = change.text("email").filter(|email| !email.is_empty())
        && let Some(id) = call.state.contacts_with(email).first()
    {
        let record = call.state.record(module, *id)?;
        return Answer::ok(render(call.state, record));
    }
    let record = call.state.blank(module, call.agent, Origin::Request);
    let id = put(call.state, record, change);
    rules::person(call.state, id);
    let record = call.state.record(module, id)?;
    Answer::ok(records::render(call.state, record, true))
}

/// Stores a new contact or account; its primary account is among its accounts.
pub(super) fn put(state: &mut State, mut record: Record, change: Change) -> Id {
    let id = record.id;
    change.apply(&mut record);
    link_primary(&mut record);
    state.put_record(record);
    id
}

fn link_primary(record: &mut Record) {
    if record.module == Module::Contacts
        && let Some(account) = record.link("accountId")
    {
        record.accounts.entry(account).or_insert(true);
    }
}

/// `PATCH contacts/{id}` and `PATCH accounts/{id}`.
pub(super) fn update(call: &mut Call<'_>, module: Module) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    let before = call.state.live(module, id)?;
    let change = change(call, module, Some(before))?;
    call.state.change_record(id, call.agent, |record| {
        change.apply(record);
        link_primary(record);
    });
    rules::person(call.state, id);
    let record = call.state.record(module, id)?;
    Answer::ok(records::render(call.state, record, true))
}

/// `GET contacts/{id}/accounts`.
pub(super) fn accounts(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED])?;
    let contact = call.state.record(Module::Contacts, call.id(0)?)?;
    let accounts = contact.accounts.iter();
    let accounts = accounts
        .filter_map(|(id, seen)| Some((call.state.live(Module::Accounts, *id).ok()?, *seen)));
    page(call.usual_paging()?, accounts, |(record, seen)| {
        let mut shown = render_account(call.state, record);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("isAccountTicketsViewable".to_owned(), json!(seen));
        }
        shown
    })
}

/// `POST contacts/{id}/associateAccounts`: mass.
pub(super) fn associate(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let contact = call.id(0)?;
    call.state.live(Module::Contacts, contact)?;
    let mut reader = call.reader(&["data", "ids"])?;
    reader.required("data");
    let items = reader.raw("data").and_then(Value::as_array);
    let mut pairs: Vec<(Id, bool)> = Vec::new();
    let mut unknown = Vec::new();
    for (at, item) in items.into_iter().flatten().enumerate() {
        let base = format!("/data/{at}");
        let mut one = Reader::at(item, &base, &["id", "isAccountTicketsViewable"]);
        one.required("id");
        one.required("isAccountTicketsViewable");
        let seen = one.flag("isAccountTicketsViewable").unwrap_or_default();
        pairs.extend(one.id("id").map(|id| (id, seen)));
        reader.errors.append(&mut one.errors);
        unknown.append(&mut one.unknown);
    }
    reader.unknown.append(&mut unknown);
    if pairs.len() > 50 {
        reader.invalid("data", "At most 50 items are allowed.");
    }
    reader.finish(call.strict())?;
    let ids = pairs.iter().map(|(id, _)| *id).collect();
    mass(call, ids, |call, id| {
        call.state.live(Module::Accounts, id)?;
        let seen = pairs.iter().find(|(other, _)| *other == id);
        let seen = seen.is_none_or(|(_, seen)| *seen);
        call.state.change_record(contact, call.agent, |record| {
            record.accounts.insert(id, seen);
            let first = !record.values.contains_key("accountId");
            if first {
                record
                    .values
                    .insert("accountId".to_owned(), json!(id.to_string()));
            }
        });
        Ok(())
    })
}

fn part(call: &mut Call<'_>, contact: Id, account: Id) -> Result<(), Failure> {
    let record = call.state.live(Module::Contacts, contact)?;
    if !record.accounts.contains_key(&account) {
        return Err(Failure::unprocessable(
            "The account is not of this contact.",
        ));
    }
    call.state.change_record(contact, call.agent, |record| {
        record.accounts.remove(&account);
        if record.link("accountId") == Some(account) {
            match record.accounts.keys().next() {
                Some(next) => record
                    .values
                    .insert("accountId".to_owned(), json!(next.to_string())),
                None => record.values.remove("accountId"),
            };
        }
    });
    Ok(())
}

/// `POST contacts/{id}/dissociateAccounts`: mass.
pub(super) fn dissociate(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let contact = call.id(0)?;
    call.state.live(Module::Contacts, contact)?;
    let ids = call.only_ids("ids", 50)?;
    mass(call, ids, |call, account| part(call, contact, account))
}

/// `PATCH contacts/{id}/accounts/{accountId}/dissociate`: with the tickets of the contact in that account.
pub(super) fn dissociate_one(call: &mut Call<'_>) -> Outcome {
    const OPTIONS: &[&str] = &[
        "Move Tickets To Contact",
        "Move Tickets To Account",
        "Delete Tickets",
        "Maintain Same Relationship",
    ];
    call.only(&[])?;
    let (contact, account) = (call.id(0)?, call.id(1)?);
    let mut reader = call.reader(&["option", "optionValue"])?;
    reader.required("option");
    let option = reader.choice("option", OPTIONS).unwrap_or_default();
    let target = reader.id("optionValue");
    if option.starts_with("Move") {
        reader.required("optionValue");
    }
    reader.finish(call.strict())?;
    part(call, contact, account)?;
    for ticket in call.state.children(Module::Tickets, "contactId", contact) {
        let of_account = call.state.records.get(&ticket);
        if of_account.and_then(|record| record.link("accountId")) != Some(account) {
            continue;
        }
        let target = target.map(|id| json!(id.to_string()));
        match option.as_str() {
            "Delete Tickets" => records::trash(call.state, ticket, call.agent, None),
            "Maintain Same Relationship" => {}
            moved => {
                let name = if moved.ends_with("Contact") {
                    "contactId"
                } else {
                    "accountId"
                };
                call.state.change_record(ticket, call.agent, |record| {
                    record.values.extend(target.map(|id| (name.to_owned(), id)));
                });
            }
        }
    }
    Answer::bare(200)
}

/// `POST contacts/{id}/merge`: the others' tickets, addresses and accounts go to this one; it cannot be undone.
pub(super) fn merge(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let winner = call.id(0)?;
    call.state.live(Module::Contacts, winner)?;
    let mut reader = call.reader(&["ids", "source"])?;
    reader.required("ids");
    let ids = reader.ids("ids", 50).unwrap_or_default();
    let source = reader.raw("source").cloned();
    reader.finish(call.strict())?;
    for id in &ids {
        call.state.live(Module::Contacts, *id)?;
    }
    for (name, id) in source.iter().filter_map(Value::as_object).flatten() {
        let id = id.as_str().and_then(|id| id.parse().ok());
        let taken = id.and_then(|id: Id| call.state.records.get(&id)?.values.get(name).cloned());
        call.state.change_record(winner, call.agent, |record| {
            record
                .values
                .extend(taken.map(|value| (name.clone(), value)));
        });
    }
    for id in ids.into_iter().filter(|id| *id != winner) {
        for ticket in call.state.children(Module::Tickets, "contactId", id) {
            call.state.edit_record(ticket, |record| {
                record
                    .values
                    .insert("contactId".to_owned(), json!(winner.to_string()));
            });
        }
        let accounts = call
            .state
            .records
            .get(&id)
            .map(|record| record.accounts.clone());
        call.state.change_record(winner, call.agent, |record| {
            record.accounts.extend(accounts.unwrap_or_default());
        });
        call.state.erase(id);
    }
    let record = call.state.record(Module::Contacts, winner)?;
    Answer::ok(render(call.state, record))
}

/// `POST contacts/{id}/inviteAsEndUser`: mails the contact (§14).
pub(super) fn invite(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let record = call.state.live(Module::Contacts, id)?;
    let email = record.text("email").unwrap_or_default().to_owned();
    out(
        call.state,
        "invitation",
        &email,
        &format!("contact {id}"),
        "A contact is invited to the portal.",
    );
    Answer::bare(204)
}

/// A contact by an inline `contact` of a ticket: the one with the address, or a new one (§7.1).
pub(super) fn inline(
    state: &mut State,
    by: Id,
    last: &str,
    first: Option<&str>,
    email: &str,
) -> Id {
    if let Some(id) = state.contacts_with(email).first() {
        return *id;
    }
    let mut record = state.blank(Module::Contacts, by, Origin::ByProduct);
    let given = [
        ("lastName", Some(last)),
        ("firstName", first),
        ("email", Some(email)),
    ];
    for (name, text) in given {
        if let Some(text) = text {
            record.values.insert(name.to_owned(), json!(text));
        }
    }
    let id = record.id;
    state.put_record(record);
    rules::person(state, id);
    id
}

/// A contact's address and name in short, for tickets.
pub(super) fn in_short(state: &State, id: Option<Id>) -> Value {
    let record = id.and_then(|id| state.records.get(&id));
    let Some(record) = record else {
        return Value::Null;
    };
    json!({
        "id": record.id.to_string(), "firstName": value(record, "firstName"), "lastName": value(record, "lastName"),
        "email": value(record, "email"), "phone": value(record, "phone"), "isSpam": record.spam,
        "accountId": id_or_null(record.link("accountId")), "type": null,
    })
}
