//! The table of routes, with the scopes they need and what they cost (Zoho Desk facts §2, §3).

use super::answer::{Failure, Outcome};
use super::call::Call;
use super::model::Module::{Accounts, Calls, Contacts, Events, Tasks, Tickets};
use super::{
    agents, bin, comments, contacts, departments, fields, files, imports, modules, records, search,
    tags, threads, tickets,
};

/// Answers a request.
pub(super) type Handler = fn(&mut Call<'_>) -> Outcome;

/// What a call costs (§3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// 1.
    One,
    /// By the depth of `from`: 3, 10, 50 or 100.
    List,
    /// 6 for each id of that key of the body.
    Each(&'static str),
    /// 1 for two ids.
    Half(&'static str),
    /// 1, and what a switch says for each row.
    Rows,
}

/// One route. `{id}` in a path is a number, `{cm}` the name of a custom module.
pub(super) struct Route {
    /// Method in capitals.
    pub method: &'static str,
    path: &'static str,
    /// Areas of scopes, one of which opens it.
    pub areas: &'static [&'static str],
    /// The operation of the scope; by the method when there is none.
    pub operation: Option<&'static str>,
    /// Whether only administrators may call it.
    pub admin: bool,
    /// What it costs.
    pub weight: Weight,
    /// What answers it.
    pub run: Handler,
}

impl Route {
    const fn of(mut self, areas: &'static [&'static str]) -> Self {
        self.areas = areas;
        self
    }

    const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    const fn costs(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    const fn does(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    /// The operation that a scope must allow.
    pub fn operation(&self) -> &'static str {
        self.operation.unwrap_or(match self.method {
            "GET" => "READ",
            "POST" => "CREATE",
            "DELETE" => "DELETE",
            _ => "UPDATE",
        })
    }

    fn matches(&self, path: &[&str]) -> Option<Vec<String>> {
        let mut places = Vec::new();
        let mut given = path.iter();
        for wanted in self.path.split('/') {
            let part = *given.next()?;
            match wanted {
                "{id}" if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
                    places.push(part.to_owned());
                }
                "{cm}" if part.starts_with("cm_") => places.push(part.to_owned()),
                "{id}" | "{cm}" => return None,
                _ if wanted == part => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(places)
    }
}

const fn route(method: &'static str, path: &'static str, run: Handler) -> Route {
    Route {
        method,
        path,
        areas: &[],
        operation: None,
        admin: false,
        weight: Weight::One,
        run,
    }
}

const fn get(path: &'static str, run: Handler) -> Route {
    route("GET", path, run)
}

const fn list(path: &'static str, run: Handler) -> Route {
    route("GET", path, run).costs(Weight::List)
}

const fn post(path: &'static str, run: Handler) -> Route {
    route("POST", path, run)
}

const fn patch(path: &'static str, run: Handler) -> Route {
    route("PATCH", path, run)
}

const fn put(path: &'static str, run: Handler) -> Route {
    route("PUT", path, run)
}

const fn delete(path: &'static str, run: Handler) -> Route {
    route("DELETE", path, run)
}

const TICKETS: &[&str] = &["tickets"];
const PEOPLE: &[&str] = &["contacts"];
const SEARCH: &[&str] = &["search"];
const ACTIVITIES: &[&str] = &["activities", "tasks", "calls", "events", "tickets"];
const BASIC: &[&str] = &["basic", "settings"];
const AGENTS: &[&str] = &["basic", "settings", "agents"];
const FIELDS: &[&str] = &["settings", "fields"];
const MODULES: &[&str] = &["settings", "modules"];
const RECORDS: &[&str] = &["custommodule"];
const SETTINGS: &[&str] = &["settings"];
const IMPORTS: &[&str] = &["imports"];

/// All routes after `/api/v1` that need the number of the portal.
const ROUTES: &[Route] = &[
    get("myinfo", agents::me).of(AGENTS),
    // tickets
    list("tickets", tickets::list).of(TICKETS),
    post("tickets", tickets::create).of(TICKETS),
    list("tickets/archivedTickets", tickets::archived).of(TICKETS),
    list("tickets/search", |call| search::find(call, Tickets)).of(SEARCH),
    post("tickets/moveToTrash", |call| {
        records::move_to_trash(call, Tickets, "ticketIds")
    })
    .of(TICKETS)
    .does("DELETE")
    .costs(Weight::Each("ticketIds")),
    post("tickets/markSpam", |call| records::mark_spam(call, Tickets))
        .of(TICKETS)
        .does("UPDATE")
        .costs(Weight::Half("ids")),
    post("tickets/deleteSpam", |call| {
        records::delete_spam(call, Tickets, "ticketIds")
    })
    .of(TICKETS)
    .does("DELETE")
    .costs(Weight::Each("ticketIds")),
    post("tickets/emptySpam", tickets::empty_spam)
        .of(TICKETS)
        .does("DELETE"),
    post("tickets/updateMany", tickets::update_many)
        .of(TICKETS)
        .does("UPDATE")
        .costs(Weight::Half("ids")),
    post("closeTickets", tickets::close)
        .of(TICKETS)
        .does("UPDATE")
        .costs(Weight::Half("ids")),
    get("tickets/{id}", tickets::show).of(TICKETS),
    patch("tickets/{id}", tickets::update).of(TICKETS),
    post("tickets/{id}/move", tickets::move_to)
        .of(TICKETS)
        .does("UPDATE"),
    post("tickets/{id}/markAsRead", tickets::mark_read)
        .of(TICKETS)
        .does("UPDATE"),
    post("tickets/{id}/merge", tickets::merge)
        .of(TICKETS)
        .does("UPDATE"),
    patch("tickets/{id}/resolution", tickets::resolution).of(TICKETS),
    // comments
    list("tickets/{id}/comments", |call| {
        comments::list(call, Tickets)
    })
    .of(TICKETS),
    post("tickets/{id}/comments", comments::create).of(TICKETS),
    get("tickets/{id}/comments/{id}", |call| {
        comments::show(call, Tickets)
    })
    .of(TICKETS),
    patch("tickets/{id}/comments/{id}", comments::update).of(TICKETS),
    delete("tickets/{id}/comments/{id}", comments::delete).of(TICKETS),
    get("tickets/{id}/comments/{id}/history", comments::history).of(TICKETS),
    get(
        "tickets/{id}/comments/{id}/attachments/{id}/content",
        files::inner_content,
    )
    .of(TICKETS),
    // threads
    list("tickets/{id}/threads", threads::list).of(TICKETS),
    get("tickets/{id}/threads/{id}", threads::show).of(TICKETS),
    get("tickets/{id}/threads/{id}/fullContent", threads::full).of(TICKETS),
    get("tickets/{id}/threads/{id}/originalContent", threads::full).of(TICKETS),
    get(
        "tickets/{id}/threads/{id}/attachments/{id}/content",
        files::inner_content,
    )
    .of(TICKETS),
    get("tickets/{id}/latestThread", threads::latest).of(TICKETS),
    list("tickets/{id}/conversations", threads::conversations).of(TICKETS),
    post("tickets/{id}/sendReply", threads::send).of(TICKETS),
    post("tickets/{id}/draftReply", threads::draft).of(TICKETS),
    patch("tickets/{id}/draftReply/{id}", threads::edit_draft).of(TICKETS),
    delete("tickets/{id}/draftReply/{id}", threads::delete_draft).of(TICKETS),
    // tags
    get("tickets/{id}/tags", tags::of_ticket).of(TICKETS),
    post("tickets/{id}/associateTag", tags::associate)
        .of(TICKETS)
        .does("UPDATE"),
    post("tickets/{id}/dissociateTag", tags::dissociate)
        .of(TICKETS)
        .does("UPDATE"),
    list("ticketTags", tags::list).of(TICKETS),
    list("tags/search", tags::list).of(TICKETS),
    list("tags/{id}/tickets", tags::tickets).of(TICKETS),
    patch("tags/{id}/replace", tags::replace).of(TICKETS),
    // files
    list("tickets/{id}/attachments", files::list).of(TICKETS),
    post("tickets/{id}/attachments", files::create).of(TICKETS),
    patch("tickets/{id}/attachments/{id}", files::update).of(TICKETS),
    delete("tickets/{id}/attachments/{id}", files::delete).of(TICKETS),
    get("tickets/{id}/attachments/{id}/content", files::content).of(TICKETS),
    post("uploads", files::upload).of(&["basic", "tickets"]),
    get("uploads/{id}/contents", files::upload_content).of(&["basic", "tickets"]),
    // activities
    list("tickets/{id}/tasks", |call| {
        threads::activities(call, Tasks)
    })
    .of(ACTIVITIES),
    list("tickets/{id}/calls", |call| {
        threads::activities(call, Calls)
    })
    .of(ACTIVITIES),
    list("tickets/{id}/events", |call| {
        threads::activities(call, Events)
    })
    .of(ACTIVITIES),
    list("tasks", |call| {
        records::list(call, Tasks, "createdTime", &[], |_| true)
    })
    .of(ACTIVITIES),
    list("calls", |call| {
        records::list(call, Calls, "createdTime", &[], |_| true)
    })
    .of(ACTIVITIES),
    list("events", |call| {
        records::list(call, Events, "createdTime", &[], |_| true)
    })
    .of(ACTIVITIES),
    list("tasks/search", |call| search::find(call, Tasks)).of(SEARCH),
    list("calls/search", |call| search::find(call, Calls)).of(SEARCH),
    list("events/search", |call| search::find(call, Events)).of(SEARCH),
    post("tasks/moveToTrash", |call| {
        records::move_to_trash(call, Tasks, "taskIds")
    })
    .of(ACTIVITIES)
    .does("DELETE")
    .costs(Weight::Each("taskIds")),
    post("calls/moveToTrash", |call| {
        records::move_to_trash(call, Calls, "callIds")
    })
    .of(ACTIVITIES)
    .does("DELETE")
    .costs(Weight::Each("callIds")),
    post("events/moveToTrash", |call| {
        records::move_to_trash(call, Events, "eventIds")
    })
    .of(ACTIVITIES)
    .does("DELETE")
    .costs(Weight::Each("eventIds")),
    get("tasks/{id}", |call| contacts::show(call, Tasks)).of(ACTIVITIES),
    get("calls/{id}", |call| contacts::show(call, Calls)).of(ACTIVITIES),
    get("events/{id}", |call| contacts::show(call, Events)).of(ACTIVITIES),
    list("tasks/{id}/comments", |call| comments::list(call, Tasks)).of(ACTIVITIES),
    list("calls/{id}/comments", |call| comments::list(call, Calls)).of(ACTIVITIES),
    list("events/{id}/comments", |call| comments::list(call, Events)).of(ACTIVITIES),
    // contacts
    list("contacts", contacts::list).of(PEOPLE),
    post("contacts", |call| contacts::create(call, Contacts)).of(PEOPLE),
    get("contacts/contactsByIds", contacts::by_ids).of(PEOPLE),
    list("contacts/search", |call| search::find(call, Contacts)).of(SEARCH),
    post("contacts/moveToTrash", |call| {
        records::move_to_trash(call, Contacts, "contactIds")
    })
    .of(PEOPLE)
    .does("DELETE")
    .costs(Weight::Each("contactIds")),
    post("contacts/markSpam", |call| {
        records::mark_spam(call, Contacts)
    })
    .of(PEOPLE)
    .does("UPDATE"),
    post("contacts/deleteSpam", |call| {
        records::delete_spam(call, Contacts, "contactIds")
    })
    .of(PEOPLE)
    .does("DELETE"),
    get("contacts/{id}", |call| contacts::show(call, Contacts)).of(PEOPLE),
    patch("contacts/{id}", |call| contacts::update(call, Contacts)).of(PEOPLE),
    list("contacts/{id}/tickets", |call| {
        tickets::of(call, Contacts, "contactId")
    })
    .of(&["contacts", "tickets"]),
    list("contacts/{id}/accounts", contacts::accounts).of(PEOPLE),
    post("contacts/{id}/associateAccounts", contacts::associate)
        .of(PEOPLE)
        .does("UPDATE"),
    post("contacts/{id}/dissociateAccounts", contacts::dissociate)
        .of(PEOPLE)
        .does("UPDATE"),
    patch(
        "contacts/{id}/accounts/{id}/dissociate",
        contacts::dissociate_one,
    )
    .of(PEOPLE),
    post("contacts/{id}/merge", contacts::merge)
        .of(PEOPLE)
        .does("UPDATE"),
    post("contacts/{id}/inviteAsEndUser", contacts::invite)
        .of(PEOPLE)
        .does("UPDATE"),
    // accounts
    list("accounts", contacts::list_accounts).of(PEOPLE),
    post("accounts", |call| contacts::create(call, Accounts)).of(PEOPLE),
    list("accounts/search", |call| search::find(call, Accounts)).of(SEARCH),
    post("accounts/moveToTrash", |call| {
        records::move_to_trash(call, Accounts, "accountIds")
    })
    .of(PEOPLE)
    .does("DELETE")
    .costs(Weight::Each("accountIds")),
    get("accounts/{id}", |call| contacts::show(call, Accounts)).of(PEOPLE),
    patch("accounts/{id}", |call| contacts::update(call, Accounts)).of(PEOPLE),
    list("accounts/{id}/tickets", |call| {
        tickets::of(call, Accounts, "accountId")
    })
    .of(&["contacts", "tickets"]),
    list("accounts/{id}/contacts", |call| {
        let id = call.id(0)?;
        call.state.record(Accounts, id)?;
        records::list_children(call, Contacts, "accounts", id, &[])
    })
    .of(PEOPLE),
    // agents, departments, teams
    list("agents", agents::list).of(AGENTS),
    post("agents", agents::create).of(AGENTS).admin(),
    get("agentsByIds", agents::by_ids).of(AGENTS),
    post("agents/activate", agents::activate)
        .of(AGENTS)
        .does("UPDATE")
        .admin(),
    post("agents/deleteUnconfirmed", agents::delete_unconfirmed)
        .of(AGENTS)
        .does("DELETE")
        .admin(),
    get("agents/{id}", agents::show).of(AGENTS),
    patch("agents/{id}", agents::update).of(AGENTS).admin(),
    post("agents/{id}/deactivate", agents::deactivate)
        .of(AGENTS)
        .does("UPDATE")
        .admin(),
    list("departments", departments::list).of(BASIC),
    post("departments", departments::create).of(BASIC).admin(),
    post("departments/checkExists", departments::exists)
        .of(BASIC)
        .does("READ"),
    get("departments/{id}", departments::show).of(BASIC),
    patch("departments/{id}", departments::update)
        .of(BASIC)
        .admin(),
    post("departments/{id}/enable", |call| {
        departments::set_enabled(call, true)
    })
    .of(BASIC)
    .does("UPDATE")
    .admin(),
    post("departments/{id}/disable", |call| {
        departments::set_enabled(call, false)
    })
    .of(BASIC)
    .does("UPDATE")
    .admin(),
    post("departments/{id}/associateAgents", |call| {
        departments::set_agents(call, true)
    })
    .of(BASIC)
    .does("UPDATE")
    .admin(),
    post("departments/{id}/dissociateAgents", |call| {
        departments::set_agents(call, false)
    })
    .of(BASIC)
    .does("UPDATE")
    .admin(),
    get("departments/{id}/teams", departments::teams_of).of(BASIC),
    get("teams", departments::teams).of(BASIC),
    post("teams", departments::create_team).of(BASIC).admin(),
    get("teams/{id}", departments::show_team).of(BASIC),
    patch("teams/{id}", departments::update_team)
        .of(BASIC)
        .admin(),
    get("teams/{id}/members", departments::members).of(BASIC),
    post("teams/{id}/deleteTeam", departments::delete_team)
        .of(BASIC)
        .does("DELETE")
        .admin(),
    get("channels", departments::channels).of(BASIC),
    // fields, layouts, modules
    get("fields", fields::list).of(FIELDS),
    post("fields", fields::create).of(FIELDS).admin(),
    get("fields/{id}", fields::show).of(FIELDS),
    patch("fields/{id}", fields::update).of(FIELDS).admin(),
    delete("fields/{id}", fields::delete).of(FIELDS).admin(),
    get("organizationFields", fields::older).of(FIELDS),
    get("customFieldCount", fields::count).of(FIELDS),
    get("layouts", fields::layouts).of(FIELDS),
    get("layouts/{id}", fields::layout).of(FIELDS),
    get("ticketStatuses", fields::statuses).of(&["settings", "fields", "tickets"]),
    get("organizationModules", modules::list).of(MODULES),
    post("organizationModules", modules::create)
        .of(MODULES)
        .admin(),
    get("organizationModules/{id}", modules::show).of(MODULES),
    put("organizationModules/{id}", modules::update)
        .of(MODULES)
        .admin(),
    list("{cm}", modules::records_of).of(RECORDS),
    post("{cm}", modules::create_record).of(RECORDS),
    post("{cm}/moveToTrash", modules::trash_records)
        .of(RECORDS)
        .does("DELETE")
        .costs(Weight::Each("recordIds")),
    list("{cm}/search", modules::search_records).of(RECORDS),
    get("{cm}/{id}", modules::show_record).of(RECORDS),
    patch("{cm}/{id}", modules::update_record).of(RECORDS),
    // imports
    post("imports", imports::create)
        .of(IMPORTS)
        .does("CUSTOM")
        .costs(Weight::Rows),
    get("imports/{id}", imports::show)
        .of(IMPORTS)
        .does("CUSTOM"),
    get("importErrorLog/{id}", imports::error_log)
        .of(IMPORTS)
        .does("CUSTOM"),
    post("importMappings", imports::mappings)
        .of(IMPORTS)
        .does("CUSTOM"),
    // recycle bin
    list("recycleBin", bin::list).of(SETTINGS),
    post("recycleBin/delete", bin::delete)
        .of(SETTINGS)
        .does("DELETE")
        .costs(Weight::Each("ids"))
        .admin(),
    post("recycleBin/restore", bin::restore)
        .of(SETTINGS)
        .does("UPDATE")
        .costs(Weight::Each("ids"))
        .admin(),
    post("recycleBin/deleteAll", bin::delete_all)
        .of(SETTINGS)
        .does("DELETE")
        .admin(),
    post("recycleBin/restoreAll", bin::restore_all)
        .of(SETTINGS)
        .does("UPDATE")
        .admin(),
];

/// The route of a request with what stands at its places.
pub(super) fn find(method: &str, path: &[&str]) -> Result<(&'static Route, Vec<String>), Failure> {
    let mut known = false;
    for route in ROUTES {
        if let Some(places) = route.matches(path) {
            if route.method == method {
                return Ok((route, places));
            }
            known = true;
        }
    }
    Err(if known {
        Failure::method()
    } else {
        Failure::not_found()
    })
}
