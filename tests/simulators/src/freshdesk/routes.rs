//! The table of routes. A path that is there with another verb is a 405 that names the verbs (Freshdesk facts §1).

use super::answer::{Failure, Outcome};
use super::call::{Bucket, Call};
use super::model::Owner;
use super::{
    agents, auth, channel, companies, contacts, conversations, csv, fields, files, groups, jobs,
    lists, merge, objects, search, settings, tickets,
};

/// Answers a request.
pub(super) type Handler = fn(&mut Call<'_>) -> Outcome;

/// One route. `{id}` in a path is a number, `{key}` any text.
pub(super) struct Route {
    method: &'static str,
    path: &'static str,
    /// Whether only account admins may call it.
    pub admin: bool,
    /// The bucket it takes from besides the account's.
    pub bucket: Option<Bucket>,
    /// What answers it.
    pub run: Handler,
}

impl Route {
    const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    const fn takes(mut self, bucket: Bucket) -> Self {
        self.bucket = Some(bucket);
        self
    }

    fn matches(&self, path: &[&str]) -> Option<Vec<String>> {
        let mut params = Vec::new();
        let mut given = path.iter();
        for wanted in self.path.split('/') {
            let part = *given.next()?;
            match wanted {
                "{id}" if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
                    params.push(part.to_owned());
                }
                "{key}" if !part.is_empty() => params.push(part.to_owned()),
                "{id}" | "{key}" => return None,
                _ if wanted == part => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(params)
    }
}

const fn route(method: &'static str, path: &'static str, run: Handler) -> Route {
    Route {
        method,
        path,
        admin: false,
        bucket: None,
        run,
    }
}

const fn get(path: &'static str, run: Handler) -> Route {
    route("GET", path, run)
}

const fn post(path: &'static str, run: Handler) -> Route {
    route("POST", path, run)
}

const fn put(path: &'static str, run: Handler) -> Route {
    route("PUT", path, run)
}

const fn delete(path: &'static str, run: Handler) -> Route {
    route("DELETE", path, run)
}

/// All routes after `/api/v2`; those of the channel API after `channel`.
const ROUTES: &[Route] = &[
    get("agents/me", auth::me),
    get("account", settings::account).admin(),
    get("settings/helpdesk", settings::helpdesk),
    get("roles", settings::roles),
    get("roles/{id}", settings::role),
    get("products", settings::products),
    get("email_configs", settings::email_configs),
    // agents
    get("agents", agents::list),
    post("agents", agents::create).admin(),
    post("agents/bulk", agents::bulk).admin(),
    get("agents/autocomplete", agents::autocomplete),
    get("agents/{id}", agents::show),
    put("agents/{id}", agents::update).admin(),
    delete("agents/{id}", agents::delete).admin(),
    // groups
    get("groups", groups::list),
    post("groups", groups::create).admin(),
    get("groups/{id}", groups::show),
    put("groups/{id}", groups::update).admin(),
    delete("groups/{id}", groups::delete).admin(),
    get("admin/groups", |call| groups::newer(call, groups::list)).admin(),
    post("admin/groups", |call| groups::newer(call, groups::create)).admin(),
    get("admin/groups/{id}", |call| {
        groups::newer(call, groups::show)
    })
    .admin(),
    put("admin/groups/{id}", |call| {
        groups::newer(call, groups::update)
    })
    .admin(),
    delete("admin/groups/{id}", |call| {
        groups::newer(call, groups::delete)
    })
    .admin(),
    // contacts
    get("contacts", contacts::list).takes(Bucket::ContactList),
    post("contacts", contacts::create),
    post("contacts/merge", merge::merge),
    get("contacts/autocomplete", contacts::autocomplete),
    post("contacts/export", |call| csv::export(call, Owner::Contact)),
    get("contacts/export/{key}", |call| {
        csv::exported(call, Owner::Contact)
    }),
    get("contacts/imports", |call| {
        csv::imports(call, Owner::Contact)
    }),
    post("contacts/imports", |call| csv::import(call, Owner::Contact)),
    get("contacts/imports/{id}", |call| {
        csv::imported(call, Owner::Contact)
    }),
    put("contacts/imports/{id}/cancel", |call| {
        csv::cancel(call, Owner::Contact)
    }),
    get("contacts/{id}", contacts::show),
    put("contacts/{id}", contacts::update),
    delete("contacts/{id}", contacts::delete),
    put("contacts/{id}/restore", contacts::restore),
    delete("contacts/{id}/hard_delete", contacts::hard_delete),
    put("contacts/{id}/make_agent", agents::make_agent).admin(),
    put("contacts/{id}/send_invite", contacts::send_invite),
    // companies
    get("companies", companies::list),
    post("companies", companies::create),
    get("companies/autocomplete", companies::autocomplete),
    post("companies/export", |call| csv::export(call, Owner::Company)),
    get("companies/export/{key}", |call| {
        csv::exported(call, Owner::Company)
    }),
    get("companies/imports", |call| {
        csv::imports(call, Owner::Company)
    }),
    post("companies/imports", |call| {
        csv::import(call, Owner::Company)
    }),
    get("companies/imports/{id}", |call| {
        csv::imported(call, Owner::Company)
    }),
    put("companies/imports/{id}/cancel", |call| {
        csv::cancel(call, Owner::Company)
    }),
    get("companies/{id}", companies::show),
    put("companies/{id}", companies::update),
    delete("companies/{id}", companies::delete),
    // fields
    get("ticket_fields", fields::agents_view),
    get("admin/ticket_fields", |call| {
        fields::list(call, Owner::Ticket)
    })
    .admin(),
    post("admin/ticket_fields", |call| {
        fields::create(call, Owner::Ticket)
    })
    .admin(),
    get("admin/ticket_fields/{id}", |call| {
        fields::show(call, Owner::Ticket)
    })
    .admin(),
    put("admin/ticket_fields/{id}", |call| {
        fields::update(call, Owner::Ticket)
    })
    .admin(),
    delete("admin/ticket_fields/{id}", |call| {
        fields::delete(call, Owner::Ticket)
    })
    .admin(),
    get("contact_fields", |call| fields::list(call, Owner::Contact)),
    post("contact_fields", |call| {
        fields::plain(call, Owner::Contact, fields::create)
    })
    .admin(),
    get("contact_fields/{id}", |call| {
        fields::show(call, Owner::Contact)
    }),
    put("contact_fields/{id}", |call| {
        fields::plain(call, Owner::Contact, fields::update)
    })
    .admin(),
    delete("contact_fields/{id}", |call| {
        fields::plain(call, Owner::Contact, fields::delete)
    })
    .admin(),
    get("admin/contact_fields", |call| {
        fields::newer(call, Owner::Contact, fields::list)
    })
    .admin(),
    post("admin/contact_fields", |call| {
        fields::newer(call, Owner::Contact, fields::create)
    })
    .admin(),
    get("admin/contact_fields/{id}", |call| {
        fields::newer(call, Owner::Contact, fields::show)
    })
    .admin(),
    put("admin/contact_fields/{id}", |call| {
        fields::newer(call, Owner::Contact, fields::update)
    })
    .admin(),
    delete("admin/contact_fields/{id}", |call| {
        fields::newer(call, Owner::Contact, fields::delete)
    })
    .admin(),
    get("company_fields", |call| fields::list(call, Owner::Company)),
    post("company_fields", |call| {
        fields::plain(call, Owner::Company, fields::create)
    })
    .admin(),
    get("company_fields/{id}", |call| {
        fields::show(call, Owner::Company)
    }),
    put("company_fields/{id}", |call| {
        fields::plain(call, Owner::Company, fields::update)
    })
    .admin(),
    delete("company_fields/{id}", |call| {
        fields::plain(call, Owner::Company, fields::delete)
    })
    .admin(),
    get("admin/company_fields", |call| {
        fields::newer(call, Owner::Company, fields::list)
    })
    .admin(),
    post("admin/company_fields", |call| {
        fields::newer(call, Owner::Company, fields::create)
    })
    .admin(),
    get("admin/company_fields/{id}", |call| {
        fields::newer(call, Owner::Company, fields::show)
    })
    .admin(),
    put("admin/company_fields/{id}", |call| {
        fields::newer(call, Owner::Company, fields::update)
    })
    .admin(),
    delete("admin/company_fields/{id}", |call| {
        fields::newer(call, Owner::Company, fields::delete)
    })
    .admin(),
    // tickets
    get("tickets", lists::tickets).takes(Bucket::TicketList),
    post("tickets", tickets::create).takes(Bucket::TicketCreate),
    post("tickets/bulk_update", jobs::bulk_update),
    put("tickets/bulk_update", jobs::older_bulk_update),
    post("tickets/bulk_delete", jobs::bulk_delete),
    post("tickets/outbound_email", conversations::outbound_email).takes(Bucket::TicketCreate),
    get("tickets/{id}", tickets::show),
    put("tickets/{id}", tickets::update).takes(Bucket::TicketUpdate),
    delete("tickets/{id}", tickets::delete),
    put("tickets/{id}/restore", tickets::restore),
    post("tickets/{id}/notes", conversations::note),
    post("tickets/{id}/reply", conversations::reply),
    post("tickets/{id}/forward", conversations::forward),
    post("tickets/{id}/reply_to_forward", conversations::forward),
    get("tickets/{id}/conversations", conversations::list),
    put("conversations/{id}", conversations::update),
    delete("conversations/{id}", conversations::delete),
    get("tickets/{id}/satisfaction_ratings", tickets::ratings),
    post("tickets/{id}/satisfaction_ratings", tickets::rate),
    get("surveys/satisfaction_ratings", tickets::all_ratings),
    get("tickets/archived/{id}", tickets::show_archived),
    delete("tickets/archived/{id}", tickets::delete_archived),
    get(
        "tickets/archived/{id}/conversations",
        conversations::list_archived,
    ),
    delete("attachments/{id}", files::delete),
    get("jobs/{key}", jobs::show),
    // search
    get("search/tickets", |call| {
        search::find(call, search::Kind::Ticket)
    }),
    get("search/contacts", |call| {
        search::find(call, search::Kind::Contact)
    }),
    get("search/companies", |call| {
        search::find(call, search::Kind::Company)
    }),
    // custom objects
    get("custom_objects/schemas", objects::schemas),
    get("custom_objects/schemas/{id}", objects::schema),
    get("custom_objects/schemas/{id}/records", objects::records),
    post("custom_objects/schemas/{id}/records", objects::create),
    get("custom_objects/schemas/{id}/records/count", objects::count),
    get("custom_objects/schemas/{id}/records/{key}", objects::show),
    put("custom_objects/schemas/{id}/records/{key}", objects::update),
    delete("custom_objects/schemas/{id}/records/{key}", objects::delete),
    // the channel API
    post("channel/tickets", channel::create).takes(Bucket::TicketCreate),
    put("channel/tickets/{id}", channel::update).takes(Bucket::TicketUpdate),
    post("channel/tickets/{id}/notes", channel::note),
    post("channel/tickets/{id}/reply", channel::reply),
];

/// The route of a request with what stands at its places.
pub(super) fn find(method: &str, path: &[&str]) -> Result<(&'static Route, Vec<String>), Failure> {
    let mut others: Vec<&str> = Vec::new();
    for route in ROUTES {
        if let Some(params) = route.matches(path) {
            if route.method == method {
                return Ok((route, params));
            }
            if !others.contains(&route.method) {
                others.push(route.method);
            }
        }
    }
    if others.is_empty() {
        Err(Failure::NotFound)
    } else {
        Err(Failure::NotAllowed(others.join(", ")))
    }
}
