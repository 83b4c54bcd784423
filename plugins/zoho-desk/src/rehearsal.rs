//! What Zoho Desk would answer, for a dry run: as much of its answers as the connector reads.
//!
//! What is made comes back with an id (Zoho Desk facts §7). An import has an id, is completed when it is asked after, and its rows
//! are mapped and can be read from then on (Zoho Desk facts §10). A field has the API name that is made of its label, in the
//! likeliest of several ways (Zoho Desk facts §8). Lists below what would be new are empty.

use serde_json::{Map, Value, json};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::{Earlier, Ids, Rehearsal, member, member_mut, response};

use crate::api::{rows, words_of};

/// The answer to a request that Zoho Desk takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    match (asked.method(), asked.segments().as_slice()) {
        ("POST", ["imports"]) => {
            let job = json!({"id": asked.id(0).to_string(), "status": "queued"});
            Some(response(200, &job))
        }
        ("GET", ["imports", id]) => {
            let job = json!({"id": id, "status": "completed", "hasError": false});
            Some(response(200, &job))
        }
        ("POST", ["importMappings"]) => mappings(asked),
        ("GET", ["contacts", "contactsByIds"]) => {
            let named = |one: &Imported| asked.url().contains(&one.id);
            let all = imported(asked).into_iter().filter(named);
            listed(asked, all.map(|one| one.object()).collect())
        }
        ("GET", ["contacts" | "accounts" | "tickets", id]) => {
            let maker = asked.maker()?;
            if maker.path != "/imports" {
                return asked.echo(Ids::Texts);
            }
            let one = imported(asked).into_iter().find(|one| one.id == *id)?;
            Some(response(200, &one.object()))
        }
        ("GET", ["fields"]) => {
            let module = module_of(asked);
            let made: Vec<Value> = made(asked, "/fields")
                .filter(|field| member(field, "module") == module.as_str())
                .collect();
            // A module that would be made has only what is made for it.
            let is_new = self::made(asked, "/organizationModules")
                .any(|one| member(&one, "apiName") == module.as_str());
            match is_new {
                true => Some(response(200, &json!({"data": made}))),
                false => listed(asked, made),
            }
        }
        ("GET", [list @ ("organizationModules" | "teams" | "departments")]) => {
            let path = format!("/{list}");
            listed(asked, made(asked, &path).collect())
        }
        ("POST", ["fields"]) => {
            let mut field = asked.body();
            let label = member(&field, "displayLabel").as_str().unwrap_or_default();
            *member_mut(&mut field, "apiName") = json!(api_name("cf", label));
            *member_mut(&mut field, "isCustomField") = json!(true);
            // Whose it is stands in the query, which is not kept.
            *member_mut(&mut field, "module") = json!(module_of(asked));
            Some(with_id(asked, field, 201))
        }
        ("POST", ["organizationModules"]) => {
            let mut module = asked.body();
            let label = member(&module, "pluralLabel").as_str().unwrap_or_default();
            *member_mut(&mut module, "apiName") = json!(api_name("cm", label));
            *member_mut(&mut module, "isCustomModule") = json!(true);
            Some(with_id(asked, module, 200))
        }
        ("POST", ["tickets", _, "attachments"]) => {
            let files = asked.files();
            let bytes = files.first().map_or(0, |(_, blob)| blob.size);
            let href = format!("https://desk.invalid/attachments/{}", asked.id(0));
            let file = json!({"size": bytes.to_string(), "href": href});
            Some(with_id(asked, file, 200))
        }
        ("POST", _) => Some(with_id(asked, asked.body(), 200)),
        ("PATCH", [.., id]) => {
            let mut changed = object(asked.body());
            changed.insert("id".to_owned(), json!(id));
            Some(response(200, &Value::Object(changed)))
        }
        _ => asked.echo(Ids::Texts),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn with_id(asked: &Rehearsal, made: Value, status: u16) -> Response {
    let mut made = object(made);
    made.insert("id".to_owned(), json!(asked.id(0).to_string()));
    response(status, &Value::Object(made))
}

/// The module that a request names in its query.
fn module_of(asked: &Rehearsal) -> String {
    let query = asked.url().split_once('?').map_or("", |(_, query)| query);
    let module = query
        .split('&')
        .find_map(|part| part.strip_prefix("module="));
    module.unwrap_or_default().to_owned()
}

/// `Order lines` as `cm_order_lines`.
fn api_name(prefix: &str, label: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    let name: String = label.trim().to_lowercase().chars().map(plain).collect();
    format!("{prefix}_{name}")
}

/// What was answered to creations by this path.
fn made(asked: &Rehearsal, path: &str) -> impl Iterator<Item = Value> {
    let path = path.to_owned();
    let made = asked.earlier().into_iter();
    made.filter(move |one| one.method == "POST" && one.path == path)
        .map(|one| one.answer)
}

/// A list as it is, with what would have been made besides.
fn listed(asked: &Rehearsal, made: Vec<Value>) -> Option<Response> {
    let (_, real) = asked.real()?;
    if made.is_empty() {
        return None;
    }
    let mut all = rows(real);
    all.extend(made);
    Some(response(200, &json!({"data": all})))
}

/// A row that an import made.
struct Imported {
    module: String,
    ext_id: String,
    id: String,
    row: Map<String, Value>,
}

impl Imported {
    /// The record as it is read.
    fn object(mut self) -> Value {
        let mut cf = Map::new();
        for (name, value) in object(self.row.remove("customFields").unwrap_or_default()) {
            // Named by label, or by API name.
            cf.insert(api_name("cf", &name), value.clone());
            cf.insert(name, value);
        }
        self.row.retain(|_, value| !value.is_null());
        self.row.insert("id".to_owned(), json!(self.id));
        self.row.insert("cf".to_owned(), Value::Object(cf));
        Value::Object(self.row)
    }
}

/// All rows of the imports that are known.
fn imported(asked: &Rehearsal) -> Vec<Imported> {
    let earlier = asked.earlier();
    let imports = earlier
        .iter()
        .filter(|one| one.method == "POST" && one.path == "/imports");
    imports.flat_map(of_import).collect()
}

fn of_import(import: &Earlier) -> Vec<Imported> {
    let first = words_of(member(&import.answer, "id"))
        .parse::<u64>()
        .unwrap_or(0);
    let mut all = Vec::new();
    for (module, rows) in object(member(&import.body, "data").clone()) {
        for row in rows.as_array().into_iter().flatten() {
            let row = object(row.clone());
            let ext_id = row.iter().find(|(name, value)| {
                // A row names what it hangs on by such an id, too.
                name.ends_with("ExtId") && !value.is_null() && is_own(&module, name)
            });
            let ext_id = ext_id.map(|(_, value)| words_of(value)).unwrap_or_default();
            let number = first.saturating_add(1 + all.len() as u64);
            all.push(Imported {
                module: module.clone(),
                ext_id,
                id: number.to_string(),
                row,
            });
        }
    }
    all
}

/// Whether the external id of that name is a row's own: `contactExtId` of `contacts`.
fn is_own(module: &str, name: &str) -> bool {
    match module {
        "ticketComments" => name == "commentExtId",
        module => name.strip_suffix("ExtId") == module.strip_suffix('s'),
    }
}

/// What is mapped, with what the imports of this call made.
fn mappings(asked: &Rehearsal) -> Option<Response> {
    let body = asked.body();
    let (module, wanted) = (member(&body, "module"), member(&body, "externalIds"));
    let wanted = wanted.as_array().cloned().unwrap_or_default();
    let is_wanted = |one: &Imported| {
        module == one.module.as_str() && wanted.iter().any(|id| *id == one.ext_id.as_str())
    };
    let found = imported(asked).into_iter().filter(is_wanted);
    let row = |one: Imported| json!({"externalId": one.ext_id, "entityId": one.id});
    listed(asked, found.map(row).collect())
}
