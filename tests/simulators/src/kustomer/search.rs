//! Search and archive search (Kustomer facts §8 and §8.1).
//!
//! A criterion on `<context>_updated_at` becomes a window on the sorted index and costs two binary searches; every
//! other criterion is judged record by record on the rendered JSON. Simulator's choices where the documents are
//! silent: rows come in the order of `updatedAt` when no sort is asked; a criterion may only name attributes of the
//! context it searches; local dates are read in GMT only.

use std::cmp::Ordering;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::custom::{KLASSES, KlassDef};
use super::switches::Switches;
use super::world::{Context, World, kind_of};

/// Why a search is refused: always a 400.
pub(super) struct Wrong(pub String);

fn wrong<T>(message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(message.into()))
}

/// Attributes of standard search by context, without the context's prefix.
const COMPANY: &[&str] = &[
    "id",
    "any_text",
    "name",
    "tags",
    "default_lang",
    "imported_at",
    "imported",
    "created_at",
    "updated_at",
];
const CUSTOMER: &[&str] = &[
    "id",
    "any_text",
    "name",
    "gender",
    "presence",
    "email",
    "shared_email",
    "phone",
    "shared_phone",
    "urls",
    "address",
    "locale",
    "activity_at",
    "last_seen_at",
    "signed_up_at",
    "last_message_sent_at",
    "last_message_out_sent_at",
    "last_message_unresponded_to_sent_at",
    "last_message_at",
    "externalId",
    "shared_externalId",
    "created_at",
    "updated_at",
    "modified_at",
    "created_by",
    "modified_by",
    "satisfaction_avg_score",
    "satisfaction_avg_rating",
    "conversations_count",
    "status",
    "progressive_status",
    "active_users",
    "watchers",
    "tags",
    "sentiment",
    "social_type",
    "social_userid",
    "social_username",
    "default_lang",
    "imported_at",
    "imported",
    "lastmessage_preview",
    "done",
    "open",
    "snoozed",
];
const MESSAGE: &[&str] = &[
    "id",
    "any_text",
    "body",
    "channel",
    "size",
    "direction",
    "sent_at",
    "created_at",
    "updated_at",
    "created_by",
    "modified_by",
    "sentiment",
    "customer_id",
    "status",
    "error_at",
    "error_title",
    "external_id",
    "direction_type",
    "created_by_teams",
    "redacted",
    "redacted_at",
    "imported_at",
    "imported",
    "recipients",
    "sender",
    "shortcuts",
    "subject",
    "source",
    "attachment_count",
    "auto",
    "lang",
];
const NOTE: &[&str] = &[
    "id",
    "any_text",
    "body",
    "created_at",
    "modified_at",
    "updated_at",
    "created_by",
    "modified_by",
    "deleted",
    "user_mentions",
    "team_mentions",
    "attachment_count",
    "external_id",
    "customer_id",
    "conversation_id",
    "lang",
    "imported_at",
    "imported",
];
const CONVERSATION: &[&str] = &[
    "id",
    "any_text",
    "name",
    "sentiment",
    "status",
    "sub_status",
    "created_at",
    "updated_at",
    "modified_at",
    "modified_by",
    "message_count",
    "note_count",
    "satisfaction_survey_id",
    "satisfaction_sent_by",
    "satisfaction_sent_by_teams",
    "satisfaction_created_at",
    "satisfaction_score",
    "satisfaction_rating",
    "satisfaction_status",
    "channels",
    "satisfaction",
    "priority",
    "tags",
    "assigned_users",
    "assigned_teams",
    "last_message_sent_at",
    "last_message_out_sent_at",
    "last_message_unresponded_to_sent_at",
    "last_message_at",
    "first_response_sent_at",
    "first_response_time",
    "first_response_created_by",
    "last_response_created_by",
    "last_message_direction",
    "direction",
    "outbound_message_count",
    "customer_id",
    "campaign_id",
    "first_message_in_sent_at",
    "first_message_in_direction_type",
    "first_message_in_channel",
    "first_message_out_sent_at",
    "first_message_out_direction_type",
    "first_message_out_channel",
    "default_lang",
    "sla_status",
    "sla_version_id",
    "sla_id",
    "sla_breached",
    "sla_breach_at",
    "sla_satisfied_at",
    "sla_breach_metric",
    "first_done_created_by",
    "last_done_created_at",
    "last_done_created_by",
    "last_done_created_by_teams",
    "reply_channel",
    "queue",
    "external_queue",
    "ended",
    "ended_at",
    "ended_reason",
    "imported_at",
    "imported",
];
const TIME: &[&str] = &[
    "created_at",
    "updated_at",
    "conversation_id",
    "created_by_teams",
    "assigned_users",
    "assigned_teams",
    "touched",
    "reopened",
    "snoozed",
    "resolved",
    "message_at",
    "message_time",
    "messages_sent",
    "note_at",
    "note_time",
    "notes_sent",
    "handle_at",
    "handle_time",
    "channels",
];
const KOBJECT: &[&str] = &[
    "any_text",
    "created_at",
    "updated_at",
    "imported_at",
    "imported",
];

/// Attributes of archive search by context (§8.1).
const ARCHIVE_CONVERSATION: &[&str] = &[
    "id",
    "created_at",
    "updated_at",
    "customer_id",
    "any_text",
    "deleted",
];
const ARCHIVE_CUSTOMER: &[&str] = &[
    "id",
    "companyId",
    "created_at",
    "updated_at",
    "deleted",
    "any_text_new",
];
const ARCHIVE_MESSAGE: &[&str] = &[
    "id",
    "created_at",
    "updated_at",
    "conversation_id",
    "any_text",
];
const ARCHIVE_KOBJECT: &[&str] = &[
    "id",
    "created_at",
    "updated_at",
    "customer_id",
    "company_id",
    "any_text",
];
const ARCHIVE_COMPANY: &[&str] = &["created_at", "updated_at"];

/// A question, read and checked.
pub(super) struct Query {
    context: Context,
    /// `updatedAt` from (included) to (excluded).
    window: (i64, i64),
    all: Vec<Test>,
    any: Vec<Test>,
    none: Vec<Test>,
    /// Attribute and whether descending; the sorts that are not by `updatedAt` work on rendered records.
    sort: Vec<(Field, bool)>,
    include_deleted: bool,
}

#[derive(Clone, PartialEq)]
enum Field {
    Standard(String),
    Custom(String),
}

struct Test {
    field: Field,
    operator: String,
    operand: Value,
}

/// The rows of one page.
pub(super) struct Found {
    pub total: u64,
    pub rows: Vec<Value>,
}

impl Query {
    /// Reads the body of a search. `archive` says which of the two searches it is.
    pub(super) fn read(body: &Value, archive: bool, switches: &Switches) -> Result<Self, Wrong> {
        const KNOWN: &[&str] = &[
            "searchHash",
            "queryContext",
            "includeDeleted",
            "timeZone",
            "and",
            "or",
            "not",
            "sort",
            "aggs",
            "fields",
        ];
        let Some(body) = body.as_object() else {
            return wrong("the body is not an object");
        };
        if let Some(name) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return wrong(format!("unknown property {name}"));
        }
        let name = match body.get("queryContext") {
            None => "customer",
            Some(Value::String(name)) => name,
            Some(_) => return wrong("queryContext is not a string"),
        };
        let context = read_context(name, archive, switches)?;
        if body
            .get("fields")
            .and_then(Value::as_array)
            .is_some_and(|list| list.len() > 20)
        {
            return wrong("fields has more than 20 items");
        }
        let include_deleted = match body.get("includeDeleted") {
            None => false,
            Some(Value::Bool(yes)) => *yes,
            Some(_) => return wrong("includeDeleted is not a boolean"),
        };
        let zone = body
            .get("timeZone")
            .and_then(Value::as_str)
            .unwrap_or("GMT");
        let read = |name: &str| read_tests(body, name, context, archive, zone);
        let mut query = Self {
            context,
            window: (i64::MIN, i64::MAX),
            all: read("and")?,
            any: read("or")?,
            none: read("not")?,
            sort: read_sort(body, context, archive, switches)?,
            include_deleted,
        };
        query.take_window();
        Ok(query)
    }

    /// Moves the criteria on `updated_at` into the window.
    fn take_window(&mut self) {
        let mut window = self.window;
        self.all.retain(|test| {
            let (Field::Standard(name), Some(at)) = (&test.field, test.operand.as_i64()) else {
                return true;
            };
            if name != "updated_at" {
                return true;
            }
            match test.operator.as_str() {
                "gte" => window.0 = window.0.max(at),
                "gt" => window.0 = window.0.max(at + 1),
                "lt" => window.1 = window.1.min(at),
                "lte" => window.1 = window.1.min(at + 1),
                "equals" => window = (window.0.max(at), window.1.min(at + 1)),
                _ => return true,
            }
            false
        });
        self.window = window;
    }

    /// Answers with the rows from `skip` on, at most `take`. `within` bounds `updatedAt` by the index's horizon;
    /// `shuffle` permutes records of one `updatedAt` when it is given.
    pub(super) fn run(
        &self,
        world: &World,
        within: (i64, i64),
        skip: u64,
        take: u64,
        shuffle: Option<u64>,
    ) -> Found {
        let Some(index) = world.index(self.context) else {
            return Found {
                total: 0,
                rows: Vec::new(),
            };
        };
        let sorted = if self.include_deleted {
            &index.all
        } else {
            &index.live
        };
        let from = self.window.0.max(within.0);
        let to = self.window.1.min(within.1).max(from);
        let place = |t: i64| sorted.partition_point(|n| world.indexed(self.context, *n) < t);
        let window = sorted.get(place(from)..place(to)).unwrap_or(&[]);
        let by_updated = self.sort.is_empty()
            || matches!(self.sort.first(), Some((Field::Standard(name), _)) if name == "updated_at");
        let descending = self.sort.first().is_some_and(|(_, descending)| *descending);
        let plain = self.all.is_empty() && self.any.is_empty() && self.none.is_empty();
        let numbers: Vec<u32>;
        let (total, rows): (usize, Vec<u32>) = if plain && by_updated {
            (
                window.len(),
                self.slice(world, window, descending, skip, take, shuffle),
            )
        } else {
            let mut kept: Vec<(u32, Value)> = window
                .iter()
                .map(|number| (*number, self.document(world, *number)))
                .filter(|(_, document)| self.accepts(document))
                .collect();
            if !by_updated {
                kept.sort_by(|(_, a), (_, b)| self.compare(a, b));
            }
            numbers = kept.into_iter().map(|(number, _)| number).collect();
            let rows = self.slice(world, &numbers, by_updated && descending, skip, take, None);
            (numbers.len(), rows)
        };
        let rows = rows
            .into_iter()
            .map(|number| self.document(world, number))
            .collect();
        Found {
            total: total as u64,
            rows,
        }
    }

    fn slice(
        &self,
        world: &World,
        sorted: &[u32],
        descending: bool,
        skip: u64,
        take: u64,
        shuffle: Option<u64>,
    ) -> Vec<u32> {
        let (len, skip, take) = (sorted.len(), skip as usize, take as usize);
        let end = skip.saturating_add(take).min(len);
        if skip >= end {
            return Vec::new();
        }
        // Positions in ascending order, whichever way the rows are to come.
        let (low, high) = if descending {
            (len - end, len - skip)
        } else {
            (skip, end)
        };
        let mut rows = match shuffle {
            None => sorted.get(low..high).unwrap_or(&[]).to_vec(),
            Some(salt) => {
                let at = |n: usize| {
                    sorted
                        .get(n)
                        .map(|number| world.indexed(self.context, *number))
                };
                let mut first = low;
                while first > 0 && at(first - 1) == at(low) {
                    first -= 1;
                }
                let mut last = high;
                while last < len && at(last) == at(high - 1) {
                    last += 1;
                }
                let mut group: Vec<u32> = sorted.get(first..last).unwrap_or(&[]).to_vec();
                group.sort_by_cached_key(|number| {
                    let digest = Sha256::digest(format!("{salt} {number}"));
                    (world.indexed(self.context, *number), digest)
                });
                group.get(low - first..high - first).unwrap_or(&[]).to_vec()
            }
        };
        if descending {
            rows.reverse();
        }
        rows
    }

    fn document(&self, world: &World, number: u32) -> Value {
        match world.stale_document(self.context, number) {
            Some(stale) => stale.clone(),
            None => world
                .render(kind_of(self.context), number)
                .unwrap_or_default(),
        }
    }

    fn accepts(&self, document: &Value) -> bool {
        self.all.iter().all(|test| test.holds(document))
            && (self.any.is_empty() || self.any.iter().any(|test| test.holds(document)))
            && !self.none.iter().any(|test| test.holds(document))
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        for (field, descending) in &self.sort {
            let (x, y) = (field.values(a), field.values(b));
            let order = match (x.first(), y.first()) {
                (Some(x), Some(y)) => compare(x, y).unwrap_or(Ordering::Equal),
                (x, y) => x.is_none().cmp(&y.is_none()),
            };
            if order != Ordering::Equal {
                return if *descending { order.reverse() } else { order };
            }
        }
        Ordering::Equal
    }
}

fn read_context(name: &str, archive: bool, switches: &Switches) -> Result<Context, Wrong> {
    Ok(match name {
        "company" => Context::Company,
        "customer" => Context::Customer,
        "conversation" => Context::Conversation,
        "message" => Context::Message,
        "kobject" => Context::KObject,
        // The archive has neither notes nor times (§8.1).
        "note" if !archive => Context::Note,
        "conversation_time" if !archive => Context::ConversationTime,
        "work_session" | "work_item" if !archive => Context::Nothing,
        _ => {
            let known =
                |klass: &&KlassDef| klass.status == "enabled" || switches.klasses_all_searched;
            let klass = name.strip_prefix("kobject_").and_then(|name| {
                let place = KLASSES.iter().position(|klass| klass.name == name)?;
                match KLASSES.get(place).filter(known) {
                    Some(_) => Some(Ok(place)),
                    None => Some(wrong(format!("unknown queryContext {name}"))),
                }
            });
            let klass = klass.transpose()?;
            match klass {
                Some(klass) => Context::Klass(klass as u8),
                None if name.starts_with("kobject_") => Context::Nothing,
                None => return wrong(format!("unknown queryContext {name}")),
            }
        }
    })
}

/// The attribute a name stands for in this context; `None` when it is unknown.
fn read_field(name: &str, context: Context, archive: bool) -> Option<Field> {
    let (prefix, standard, archived) = match context {
        Context::Company => ("company", COMPANY, ARCHIVE_COMPANY),
        Context::Customer => ("customer", CUSTOMER, ARCHIVE_CUSTOMER),
        Context::Conversation => ("conversation", CONVERSATION, ARCHIVE_CONVERSATION),
        Context::Message => ("message", MESSAGE, ARCHIVE_MESSAGE),
        Context::Note => ("note", NOTE, &[][..]),
        Context::ConversationTime => ("conversation_time", TIME, &[][..]),
        Context::KObject | Context::Klass(_) | Context::Nothing => {
            ("kobject", KOBJECT, ARCHIVE_KOBJECT)
        }
    };
    let mut rest = name.strip_prefix(prefix)?.strip_prefix('_')?;
    if let Some(custom) = rest.strip_prefix("custom_").filter(|_| !archive) {
        if prefix != "kobject" {
            return Some(Field::Custom(custom.to_owned()));
        }
        return KLASSES.iter().find_map(|klass| {
            let custom = custom.strip_prefix(klass.name)?.strip_prefix('_')?;
            Some(Field::Custom(custom.to_owned()))
        });
    }
    if let Context::Klass(klass) = context
        && let Some(klass) = KLASSES.get(klass as usize)
        && let Some(short) = rest
            .strip_prefix(klass.name)
            .and_then(|r| r.strip_prefix('_'))
    {
        rest = short;
    }
    let known = if archive { archived } else { standard };
    known
        .contains(&rest)
        .then(|| Field::Standard(rest.to_owned()))
}

fn items<'a>(
    body: &'a Map<String, Value>,
    name: &str,
    most: usize,
) -> Result<Vec<&'a Map<String, Value>>, Wrong> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(item)) => Ok(vec![item]),
        Some(Value::Array(list)) => {
            if list.len() > most {
                return wrong(format!("{name} has more than {most} items"));
            }
            if list
                .iter()
                .enumerate()
                .any(|(at, item)| list.iter().skip(at + 1).any(|b| b == item))
            {
                return wrong(format!("the items of {name} are not unique"));
            }
            list.iter()
                .map(|item| {
                    item.as_object()
                        .ok_or_else(|| Wrong(format!("an item of {name} is no object")))
                })
                .collect()
        }
        Some(_) => wrong(format!("{name} is neither an object nor an array")),
    }
}

fn read_tests(
    body: &Map<String, Value>,
    name: &str,
    context: Context,
    archive: bool,
    zone: &str,
) -> Result<Vec<Test>, Wrong> {
    const OPERATORS: &[&str] = &[
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "in",
        "not_in",
        "gt",
        "gte",
        "lt",
        "lte",
        "set",
        "not_set",
    ];
    let mut tests = Vec::new();
    for item in items(body, name, 20)? {
        for (attribute, operators) in item {
            let Some(field) = read_field(attribute, context, archive) else {
                return wrong(format!("unknown attribute {attribute}"));
            };
            let Some(operators) = operators.as_object() else {
                return wrong(format!("{attribute} has no operator"));
            };
            for (operator, operand) in operators {
                if !OPERATORS.contains(&operator.as_str()) {
                    return wrong(format!("unknown operator {operator}"));
                }
                let is_date = match &field {
                    Field::Standard(name) => name.ends_with("_at"),
                    Field::Custom(name) => name.ends_with("At"),
                };
                let compares = !matches!(operator.as_str(), "set" | "not_set");
                let operand = match operand.as_str() {
                    Some(text) if is_date && compares => read_date(attribute, text, zone)?.into(),
                    None if is_date && compares && !operand.is_array() => {
                        return wrong(format!("{attribute} wants a date"));
                    }
                    _ => operand.clone(),
                };
                tests.push(Test {
                    field: field.clone(),
                    operator: operator.clone(),
                    operand,
                });
            }
        }
    }
    Ok(tests)
}

/// A full UTC time, or a local date, which is a midnight (§8).
fn read_date(attribute: &str, text: &str, zone: &str) -> Result<i64, Wrong> {
    if let Ok(date) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        if !matches!(zone, "GMT" | "UTC" | "Etc/UTC") {
            return wrong("local dates in other zones than GMT are not simulated");
        }
        let midnight = date.and_hms_opt(0, 0, 0).unwrap_or_default();
        return Ok(midnight.and_utc().timestamp_millis());
    }
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(time.timestamp_millis()),
        Err(_) => wrong(format!("{attribute}: {text:?} is no date")),
    }
}

fn read_sort(
    body: &Map<String, Value>,
    context: Context,
    archive: bool,
    switches: &Switches,
) -> Result<Vec<(Field, bool)>, Wrong> {
    let mut sort = Vec::new();
    for item in items(body, "sort", 5)? {
        for (attribute, direction) in item {
            let Some(field) = read_field(attribute, context, archive) else {
                return wrong(format!("cannot sort by {attribute}"));
            };
            if context != Context::Customer && !archive && !switches.sorts_of_other_objects {
                return wrong(format!("cannot sort by {attribute}"));
            }
            let descending = match direction.as_str() {
                Some("asc") => false,
                Some("desc") => true,
                _ => return wrong("the direction of a sort is asc or desc"),
            };
            sort.push((field, descending));
        }
    }
    if switches.first_sort_key_only {
        sort.truncate(1);
    }
    Ok(sort)
}

impl Field {
    /// The values of the attribute in a record; lists give all their items.
    fn values(&self, document: &Value) -> Vec<Value> {
        let found: Vec<&Value> = match self {
            Self::Custom(name) => document
                .pointer("/attributes/custom")
                .and_then(|c| c.get(name))
                .into_iter()
                .collect(),
            // How many files a record names.
            Self::Standard(name) if name == "attachment_count" => {
                let files = document.pointer("/relationships/attachments/data");
                let count = files.and_then(Value::as_array).map_or(0, Vec::len);
                return vec![count.into()];
            }
            Self::Standard(name) => standard(name, document),
        };
        let date = match self {
            Self::Standard(name) => name.ends_with("_at"),
            Self::Custom(name) => name.ends_with("At"),
        };
        let mut values = Vec::new();
        for value in found {
            match value {
                Value::Null => {}
                Value::Array(list) => values.extend(list.iter().cloned()),
                Value::String(text) if date => match chrono::DateTime::parse_from_rfc3339(text) {
                    Ok(time) => values.push(time.timestamp_millis().into()),
                    Err(_) => values.push(value.clone()),
                },
                _ => values.push(value.clone()),
            }
        }
        values
    }
}

fn standard<'a>(name: &str, document: &'a Value) -> Vec<&'a Value> {
    let at = |pointer: &str| document.pointer(pointer).into_iter().collect::<Vec<_>>();
    let each = |list: &str, key: &str| {
        let items = document.pointer(list).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| item.get(key))
            .collect::<Vec<_>>()
    };
    match name {
        "id" => at("/id"),
        "customer_id" => at("/relationships/customer/data/id"),
        "conversation_id" => at("/relationships/conversation/data/id"),
        "company_id" | "companyId" => at("/relationships/company/data/id"),
        "created_by" => at("/relationships/createdBy/data/id"),
        "modified_by" => at("/relationships/modifiedBy/data/id"),
        "queue" => at("/relationships/queue/data/id"),
        "sla_id" => at("/relationships/sla/data/id"),
        "user_mentions" => each("/relationships/userMentions/data", "id"),
        "email" => each("/attributes/emails", "email"),
        "shared_email" => each("/attributes/sharedEmails", "email"),
        "phone" => each("/attributes/phones", "phone"),
        "social_username" => each("/attributes/socials", "username"),
        "conversations_count" => at("/attributes/conversationCounts/all"),
        "done" | "open" | "snoozed" => at(&format!("/attributes/conversationCounts/{name}")),
        "body" => [at("/attributes/preview"), at("/attributes/body")].concat(),
        "any_text" | "any_text_new" => {
            ["name", "preview", "body", "subject", "title", "description"]
                .iter()
                .flat_map(|name| at(&format!("/attributes/{name}")))
                .collect()
        }
        "satisfaction_score" => at("/attributes/satisfactionLevel/score"),
        "satisfaction_rating" => at("/attributes/satisfactionLevel/rating"),
        "satisfaction_status" => at("/attributes/satisfactionLevel/status"),
        _ => {
            let mut camel = String::new();
            let mut up = false;
            for letter in name.chars() {
                match letter {
                    '_' => up = true,
                    _ if up => {
                        camel.extend(letter.to_uppercase());
                        up = false;
                    }
                    _ => camel.push(letter),
                }
            }
            at(&format!("/attributes/{camel}"))
        }
    }
}

impl Test {
    fn holds(&self, document: &Value) -> bool {
        let values = self.field.values(document);
        let any = |wanted: &Value| values.iter().any(|value| same(value, wanted));
        let orders = |allowed: &[Ordering]| {
            values
                .iter()
                .any(|v| compare(v, &self.operand).is_some_and(|o| allowed.contains(&o)))
        };
        let listed = || match &self.operand {
            Value::Array(list) => list.iter().any(any),
            single => any(single),
        };
        match self.operator.as_str() {
            "equals" => any(&self.operand),
            "not_equals" => !any(&self.operand),
            "contains" => values.iter().any(|value| has_words(value, &self.operand)),
            "not_contains" => !values.iter().any(|value| has_words(value, &self.operand)),
            "in" => listed(),
            "not_in" => !listed(),
            "gt" => orders(&[Ordering::Greater]),
            "gte" => orders(&[Ordering::Greater, Ordering::Equal]),
            "lt" => orders(&[Ordering::Less]),
            "lte" => orders(&[Ordering::Less, Ordering::Equal]),
            "set" => !values.is_empty(),
            _ => values.is_empty(),
        }
    }
}

fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(a), Value::String(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b || compare(a, b) == Some(Ordering::Equal),
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whole words, in any case: `contains` is no search for parts of words (§8).
fn has_words(value: &Value, wanted: &Value) -> bool {
    let (Some(text), Some(wanted)) = (value.as_str(), wanted.as_str()) else {
        return same(value, wanted);
    };
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let text = words(text);
    words(wanted).iter().all(|word| text.contains(word))
}
