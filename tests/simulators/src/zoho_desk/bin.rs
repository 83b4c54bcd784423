//! The recycle bin (Zoho Desk facts §12).

use serde_json::json;

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, bad_query, page};
use super::model::{Id, Module, Record};
use super::read::iso;
use super::records::{self, id_or_null, mass};
use super::state::State;

/// Takes a record out for good, with what hangs on it, whoever made that (§12).
pub(super) fn erase(state: &mut State, id: Id) {
    let Some(module) = state.records.get(&id).map(|record| record.module) else {
        return;
    };
    for child in records::hanging(state, module, id) {
        erase(state, child);
    }
    if module == Module::Accounts {
        let linked = state.children(Module::Contacts, "accounts", id);
        for contact in linked {
            state.edit_record(contact, |record| record.accounts.remove(&id));
        }
    }
    state.erase(id);
}

/// The recycle bin lets go of a record, if it is still there since long enough.
pub(super) fn purge(state: &mut State, id: Id) {
    let since = state
        .records
        .get(&id)
        .and_then(|record| record.trashed.as_ref());
    let life = state.config.switches.trash_life;
    if since.is_some_and(|trashed| trashed.at + life <= state.now) {
        erase(state, id);
    }
}

fn name(record: &Record) -> String {
    let names = ["subject", "accountName", "name", "lastName"];
    let mut found = names.iter().filter_map(|name| record.text(name));
    found.next().unwrap_or_default().to_owned()
}

/// `GET recycleBin`: newest first.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[
        PAGED,
        &["module", "moduleId", "departmentId", "sortBy", "include"],
    ])?;
    let wanted = match (call.request.param("module"), call.id_param("moduleId")?) {
        (None, None) => None,
        (None, Some(id)) => Some(Module::Custom(id)),
        (Some(name), _) => Some(
            call.state
                .module_named(name)
                .ok_or_else(|| bad_query("module"))?,
        ),
    };
    let department = call.id_param("departmentId")?;
    let state = &*call.state;
    let keys = state.bin.iter().rev();
    let found = keys.filter_map(|(_, id)| state.records.get(id));
    let found = found.filter(|record| {
        wanted.is_none_or(|module| record.module == module)
            && department.is_none_or(|id| record.link("departmentId") == Some(id))
    });
    page(call.usual_paging()?, found, |record| {
        let trashed = record.trashed.as_ref();
        json!({
            "id": record.id.to_string(), "type": state.module_name(record.module), "displayName": name(record),
            "departmentId": id_or_null(record.link("departmentId")),
            "deletedById": id_or_null(trashed.map(|trashed| trashed.by)),
            "deletedTime": trashed.map(|trashed| iso(trashed.at)),
        })
    })
}

fn is_in(state: &State, id: Id) -> Result<(), Failure> {
    let record = state.records.get(&id);
    if record.is_some_and(|record| record.trashed.is_some()) {
        return Ok(());
    }
    Err(Failure::unprocessable(
        "The record is not in the recycle bin.",
    ))
}

/// `POST recycleBin/delete`: mass, for good.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let ids = call.only_ids("ids", 100)?;
    mass(call, ids, |call, id| {
        is_in(call.state, id)?;
        erase(call.state, id);
        Ok(())
    })
}

/// Brings a record back, with what it hangs on; what hangs on it if asked.
fn bring_back(state: &mut State, id: Id, children: bool) {
    let Some(record) = state.records.get(&id) else {
        return;
    };
    let module = record.module;
    let trashed = record.trashed.is_some();
    let parents: Vec<Id> = ["contactId", "accountId", "ticketId"]
        .iter()
        .filter_map(|name| record.link(name))
        .collect();
    if trashed {
        state.edit_record(id, |record| record.trashed = None);
        for parent in parents {
            bring_back(state, parent, false);
        }
    }
    if children {
        for child in records::hanging(state, module, id) {
            bring_back(state, child, true);
        }
    }
}

/// `POST recycleBin/restore`: mass.
pub(super) fn restore(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = call.reader(&["ids", "isChildNeedToBeRestored"])?;
    reader.required("ids");
    let ids = reader.ids("ids", 100).unwrap_or_default();
    let children = reader.flag("isChildNeedToBeRestored").unwrap_or_default();
    reader.finish(call.strict())?;
    mass(call, ids, |call, id| {
        is_in(call.state, id)?;
        bring_back(call.state, id, children);
        Ok(())
    })
}

fn all(state: &State) -> Vec<Id> {
    state.bin.iter().map(|(_, id)| *id).collect()
}

/// `POST recycleBin/deleteAll`: everybody's, a 202 (§12: never).
pub(super) fn delete_all(call: &mut Call<'_>) -> Outcome {
    for id in all(call.state) {
        erase(call.state, id);
    }
    Answer::bare(202)
}

/// `POST recycleBin/restoreAll`: everybody's, a 202 (§12: never).
pub(super) fn restore_all(call: &mut Call<'_>) -> Outcome {
    for id in all(call.state) {
        bring_back(call.state, id, false);
    }
    Answer::bare(202)
}
