//! Search, which lags (Zoho Desk facts §13).

use std::collections::BTreeSet;

use super::agents::wild;
use super::answer::{Failure, Outcome};
use super::call::{Call, bad_query, page};
use super::model::{Id, Module, Moment, Record};
use super::read::parse_time;
use super::records;
use super::state::{State, key};
use super::tickets;

/// Rows that a search can skip at most: about 1,099 are within reach (§4).
const FROM_MOST: usize = 999;

/// Parameters of every search.
const COMMON: &[&str] = &[
    "from",
    "limit",
    "_all",
    "id",
    "createdTimeRange",
    "modifiedTimeRange",
    "sortBy",
];

/// Parameters of a module besides; custom modules have none (§9).
fn known(module: Module) -> &'static [&'static str] {
    match module {
        Module::Tickets => &[
            "email",
            "phone",
            "ticketNumber",
            "subject",
            "description",
            "contactName",
            "accountName",
            "productName",
            "departmentId",
            "contactId",
            "accountId",
            "assigneeId",
            "productId",
            "status",
            "priority",
            "channel",
            "category",
            "classification",
            "tag",
            "dueDateRange",
        ],
        Module::Contacts => &[
            "email",
            "phone",
            "mobile",
            "firstName",
            "lastName",
            "fullName",
            "accountName",
        ],
        Module::Accounts => &["accountName", "email", "phone", "website"],
        Module::Tasks | Module::Calls | Module::Events => &[
            "subject",
            "status",
            "departmentId",
            "ticketId",
            "contactId",
            "ownerId",
        ],
        Module::Custom(_) => &[],
    }
}

const CUSTOM: &[&str] = &[
    "customField1",
    "customField2",
    "customField3",
    "customField4",
    "customField5",
    "customField6",
    "customField7",
    "customField8",
    "customField9",
    "customField10",
];

/// What the index holds of a record: as it was, until the lag has passed.
fn indexed(state: &State, id: Id) -> Option<&Record> {
    let record = state.records.get(&id)?;
    if record.touched_at + state.config.switches.search_lag <= state.now {
        return Some(record);
    }
    state.stale.get(&id)
}

fn range(text: &str, name: &str) -> Result<(Moment, Moment), Failure> {
    let both = text.split_once(',');
    both.and_then(|(from, to)| Some((parse_time(from.trim())?, parse_time(to.trim())?)))
        .ok_or_else(|| bad_query(name))
}

/// One of the values, of which commas part several; `${empty}` and `${notempty}`.
fn fits(text: Option<&str>, asked: &str, within: bool) -> bool {
    let text = text.unwrap_or_default();
    asked.split(',').map(str::trim).any(|one| match one {
        "${empty}" => text.is_empty(),
        "${notempty}" => !text.is_empty(),
        one if within && !one.contains('*') => text.to_lowercase().contains(&one.to_lowercase()),
        one => !text.is_empty() && wild(text, one),
    })
}

fn full_name(record: &Record) -> String {
    let text = |name: &str| record.text(name).unwrap_or_default();
    format!("{} {}", text("firstName"), text("lastName"))
        .trim()
        .to_owned()
}

/// Whether a record is what one parameter asks for.
fn meets(state: &State, record: &Record, name: &str, asked: &str) -> bool {
    let other = |link: &str| record.link(link).and_then(|id| state.records.get(&id));
    match name {
        "id" => asked
            .split(',')
            .any(|id| id.trim().parse() == Ok(record.id)),
        "ticketNumber" => {
            let number = record.number.unwrap_or_default().to_string();
            fits(Some(&number), asked, false)
        }
        "status" if record.module == Module::Tickets => tickets::has_status(state, record, asked),
        "contactName" => {
            other("contactId").is_some_and(|c| fits(Some(&full_name(c)), asked, false))
        }
        "accountName" if record.module != Module::Accounts => other("accountId")
            .is_some_and(|account| fits(account.text("accountName"), asked, false)),
        "fullName" => fits(Some(&full_name(record)), asked, false),
        "email" if record.module == Module::Contacts => {
            fits(record.text("email"), asked, false)
                || fits(record.text("secondaryEmail"), asked, false)
        }
        "tag" => record.tags.iter().any(|tag| {
            let tag = state.tags.get(tag);
            tag.is_some_and(|tag| fits(Some(&tag.name), asked, false))
        }),
        "subject" | "description" => fits(record.text(name), asked, true),
        "_all" => {
            let asked = asked.trim_matches('*').to_lowercase();
            let values = record.values.values().filter_map(|value| value.as_str());
            let mut all = values.chain(record.cf.values().map(String::as_str));
            all.any(|text| text.to_lowercase().contains(&asked))
        }
        _ => fits(record.text(name), asked, false),
    }
}

/// `GET {module}/search`.
pub(super) fn find(call: &mut Call<'_>, module: Module) -> Outcome {
    let custom: &[&str] = if matches!(module, Module::Custom(_)) {
        &[]
    } else {
        CUSTOM
    };
    if matches!(module, Module::Custom(_)) {
        call.only(&[&["from", "limit", "createdTimeRange", "modifiedTimeRange"]])?;
    } else {
        call.only(&[COMMON, known(module), custom])?;
    }
    let (from, limit) = call.paging(10, 100)?;
    if from > FROM_MOST {
        return Err(bad_query("from"));
    }
    let down = match call.request.param("sortBy") {
        None | Some("-createdTime") => (false, true),
        Some("createdTime") => (false, false),
        Some("modifiedTime") => (true, false),
        Some("-modifiedTime" | "relevance") => (true, true),
        Some(_) => return Err(bad_query("sortBy")),
    };
    let request = call.request;
    let query = &request.query;
    let ranges = ["createdTimeRange", "modifiedTimeRange", "dueDateRange"];
    let plain: Vec<(&str, &str)> = query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| known(module).contains(name) || ["id", "_all"].contains(name))
        .filter(|(name, _)| !ranges.contains(name))
        .collect();
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for (name, value) in query
        .iter()
        .filter(|(name, _)| CUSTOM.contains(&name.as_str()))
    {
        let pair = value.split_once(':').ok_or_else(|| bad_query(name))?;
        if call.state.field(module, pair.0).is_none() || value.chars().count() > 1_000 {
            return Err(bad_query(name));
        }
        fields.push(pair);
    }
    let all = request.param("_all");
    // §13: free text goes with nothing else, and no text is shorter than three characters.
    if all.is_some_and(|text| !(3..=100).contains(&text.chars().count()))
        || (all.is_some() && (plain.len() > 1 || !fields.is_empty()))
    {
        return Err(bad_query("_all"));
    }
    for (name, value) in &plain {
        let text = [
            "email",
            "phone",
            "subject",
            "description",
            "accountName",
            "contactName",
            "fullName",
        ];
        if text.contains(name) && value.chars().count() < 3 {
            return Err(bad_query(name));
        }
    }
    let mut times: Vec<(&str, (Moment, Moment))> = Vec::new();
    for name in ranges {
        if let Some(text) = request.param(name) {
            times.push((name, range(text, name)?));
        }
    }
    let state = &mut *call.state;
    let now = state.now;
    let lag = state.config.switches.search_lag;
    let records = &state.records;
    state.stale.retain(|id, _| {
        let record = records.get(id);
        record.is_some_and(|record| record.touched_at + lag > now)
    });
    let state = &*call.state;
    let mut candidates = candidates(state, module, &plain, &fields);
    candidates.extend(state.stale.keys());
    let mut found: Vec<&Record> = candidates
        .into_iter()
        .filter_map(|id| indexed(state, id))
        .filter(|record| record.module == module && record.is_live())
        .filter(|record| {
            plain
                .iter()
                .all(|(name, asked)| meets(state, record, name, asked))
        })
        .filter(|record| {
            let mut fields = fields.iter();
            fields.all(|(name, asked)| fits(record.cf.get(*name).map(String::as_str), asked, false))
        })
        .filter(|record| {
            times.iter().all(|(name, (begin, end))| {
                let time = match *name {
                    "createdTimeRange" => Some(record.created_at),
                    "modifiedTimeRange" => Some(record.modified_at),
                    _ => super::read::time_of(record.values.get("dueDate")),
                };
                time.is_some_and(|time| (*begin..=*end).contains(&time))
            })
        })
        .collect();
    let (by_modified, newest_first) = down;
    found.sort_by_key(|record| {
        let time = if by_modified {
            record.modified_at
        } else {
            record.created_at
        };
        key(time, record.id)
    });
    if newest_first {
        found.reverse();
    }
    page((from, limit), found.into_iter(), |record| {
        records::render(state, record, false)
    })
}

/// Where to look: by an index where one serves.
fn candidates(
    state: &State,
    module: Module,
    plain: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> BTreeSet<Id> {
    let exact = |text: &str| !text.contains(['*', ',', '$']);
    if let Some((name, value)) = fields.iter().find(|(_, value)| exact(value)) {
        let index = (module, (*name).to_owned(), value.to_lowercase());
        return state.values.get(&index).cloned().unwrap_or_default();
    }
    for (name, value) in plain.iter().filter(|(_, value)| exact(value)) {
        match *name {
            "email" => {
                let index = (module, value.to_lowercase());
                return state.emails.get(&index).cloned().unwrap_or_default();
            }
            "id" => return value.parse().into_iter().collect(),
            "ticketNumber" => {
                let number = value.parse().ok();
                return number
                    .and_then(|number: u64| state.numbers.get(&number).copied())
                    .into_iter()
                    .collect();
            }
            "accountName" if module == Module::Accounts => {
                let index = state.account_names.get(&value.to_lowercase());
                return index.cloned().unwrap_or_default();
            }
            "contactId" | "accountId" | "ticketId" => {
                let link = if *name == "contactId" {
                    "contactId"
                } else if *name == "accountId" {
                    "accountId"
                } else {
                    "ticketId"
                };
                let of = value.parse().unwrap_or_default();
                return state.children(module, link, of).into_iter().collect();
            }
            _ => {}
        }
    }
    let all = state.created.get(&module).into_iter().flatten();
    all.map(|(_, id)| *id).collect()
}
