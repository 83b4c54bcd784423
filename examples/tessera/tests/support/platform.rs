//! Tessera itself, as far as its API says: strict, in memory, without a network. The connector's own tests call it directly,
//! the end-to-end test puts a server before it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// How long the index of tickets lags.
pub const LAG_MS: i64 = 30_000;
const TOKEN_MS: i64 = 10 * 60 * 1000;

/// What a request carries.
pub enum Sent {
    Nothing,
    Json(Value),
    File { name: String, bytes: Vec<u8> },
}

/// An account.
#[derive(Debug, Default)]
pub struct Tessera {
    /// Milliseconds since 1970.
    pub now: i64,
    pub agents: Vec<Value>,
    pub people: BTreeMap<String, Value>,
    pub tickets: BTreeMap<String, Value>,
    pub fields: BTreeMap<String, Value>,
    /// Token, when it was given, name and size.
    pub files: BTreeMap<String, (i64, String, usize)>,
    /// Mails that were sent to customers: there must be none.
    pub mails: usize,
    indexed: BTreeMap<String, i64>,
    deleted: Vec<String>,
    next: u64,
}

type Answer = Result<(u16, Value), (u16, Value)>;

fn refused(error: &str, field: &str) -> (u16, Value) {
    (422, json!({"error": error, "field": field}))
}

fn check(holds: bool, error: &str, field: &str) -> Result<(), (u16, Value)> {
    if holds {
        Ok(())
    } else {
        Err(refused(error, field))
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn only(body: &Value, names: &[&str]) -> Result<(), (u16, Value)> {
    let Some(object) = body.as_object() else {
        return Err(refused("an object is wanted", ""));
    };
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(refused("unknown", key)),
        None => Ok(()),
    }
}

fn moment(value: &Value) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(at.timestamp_millis())
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut out) = (text.bytes(), Vec::new());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(out).unwrap()
}

impl Tessera {
    pub fn new(now: i64) -> Self {
        Self {
            now,
            agents: vec![
                json!({"id": "a1", "name": "Ada Agent", "email": "ada@helpdesk.example", "active": true}),
            ],
            ..Self::default()
        }
    }

    /// All that there is, for a comparison: what a rollback must leave as it was. Versions count on.
    pub fn print(&self) -> Value {
        let mut people = self.people.clone();
        for person in people.values_mut() {
            person["version"].take();
        }
        json!({"people": people, "tickets": self.tickets, "fields": self.fields})
    }

    /// What a request is answered. `url` is path and query.
    pub fn answer(&mut self, method: &str, url: &str, sent: Sent) -> (u16, Value) {
        self.respond(method, url, sent)
            .unwrap_or_else(|answer| answer)
    }

    fn respond(&mut self, method: &str, url: &str, sent: Sent) -> Answer {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let Some(path) = path.strip_prefix("/") else {
            return Err((404, json!({"error": "no such page"})));
        };
        let segments: Vec<String> = path.split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let query = query
            .split_once('=')
            .map(|(name, value)| (name, decoded(value)));
        match (method, segments.as_slice(), sent) {
            ("GET", ["me"], _) => Ok((
                200,
                json!({"id": "a1", "name": "Ada Agent", "role": "admin", "workspace": {"id": "w1", "name": "Acme", "plan": "team"}}),
            )),
            ("GET", ["agents"], _) => Ok((200, json!({"agents": self.agents}))),
            ("GET", ["people"], _) => {
                let (name, value) = query.ok_or_else(|| refused("a filter is wanted", "ref"))?;
                let found: Vec<&Value> = self
                    .people
                    .values()
                    .filter(|person| text(person, name) == value)
                    .collect();
                Ok((200, json!({"people": found})))
            }
            ("POST", ["people"], Sent::Json(body)) => self.make_person(&body),
            ("GET", ["people", id], _) => found(self.people.get(*id)),
            ("PATCH", ["people", id], Sent::Json(body)) => self.change_person(id, &body),
            ("DELETE", ["people", id], _) => {
                if self
                    .tickets
                    .values()
                    .any(|ticket| text(ticket, "requester") == *id)
                {
                    return Err((409, json!({"error": "has_tickets"})));
                }
                found(self.people.remove(*id).as_ref()).map(|_| (204, Value::Null))
            }
            ("GET", ["people", id, "tickets"], _) => {
                let of: Vec<Value> = self
                    .tickets
                    .values()
                    .filter(|ticket| text(ticket, "requester") == *id)
                    .map(|ticket| json!({"id": ticket["id"], "ref": ticket["ref"]}))
                    .collect();
                Ok((200, json!({"tickets": of})))
            }
            ("GET", ["tickets"], _) => {
                let (_, value) = query
                    .filter(|(name, _)| *name == "ref")
                    .ok_or_else(|| refused("a filter is wanted", "ref"))?;
                let seen = |ticket: &&Value| {
                    text(ticket, "ref") == value && self.indexed[text(ticket, "id")] <= self.now
                };
                let of: Vec<Value> = self
                    .tickets
                    .values()
                    .filter(seen)
                    .map(|ticket| json!({"id": ticket["id"], "ref": ticket["ref"]}))
                    .collect();
                Ok((200, json!({"tickets": of})))
            }
            ("POST", ["tickets"], Sent::Json(body)) => self.make_ticket(&body),
            ("GET", ["tickets", id], _) if self.deleted.iter().any(|gone| gone == id) => {
                Err((410, json!({"error": "deleted"})))
            }
            ("GET", ["tickets", id], _) => found(self.tickets.get(*id)),
            ("DELETE", ["tickets", id], _) => {
                self.deleted.push((*id).to_owned());
                found(self.tickets.remove(*id).as_ref()).map(|_| (204, Value::Null))
            }
            ("POST", ["tickets", id, "entries"], Sent::Json(body)) => self.add_entries(id, &body),
            ("POST", ["files"], Sent::File { name, bytes }) => self.take_file(name, bytes.len()),
            ("GET", ["fields"], _) => Ok((
                200,
                json!({"fields": self.fields.values().collect::<Vec<_>>()}),
            )),
            ("POST", ["fields"], Sent::Json(body)) => self.make_field(body),
            ("DELETE", ["fields", key], _) => {
                found(self.fields.remove(*key).as_ref()).map(|_| (204, Value::Null))
            }
            _ => Err((404, json!({"error": "no such page"}))),
        }
    }

    fn id(&mut self, letter: char) -> String {
        self.next += 1;
        format!("{letter}{}", self.next)
    }

    fn attributes(&self, values: &Value, owner: &str) -> Result<Map<String, Value>, (u16, Value)> {
        let values = values.as_object().cloned().unwrap_or_default();
        for (key, value) in &values {
            let field = self
                .fields
                .get(key)
                .filter(|field| text(field, "for") == owner);
            let fits = match field.map(|field| text(field, "type")) {
                _ if value.is_null() => true,
                Some("text") => value.is_string(),
                Some("number") => value.is_number(),
                Some("flag") => value.is_boolean(),
                Some("date") => value.as_str().is_some_and(|date| date.len() == 10),
                _ => false,
            };
            check(fits, "no such field, or not its type", key)?;
        }
        Ok(values)
    }

    fn taken(&self, email: &str, by_other_than: &str) -> Result<(), (u16, Value)> {
        let other = self.people.values().find(|person| {
            text(person, "id") != by_other_than
                && !email.is_empty()
                && text(person, "email") == email
        });
        match other {
            Some(other) => Err((409, json!({"error": "email_taken", "id": other["id"]}))),
            None => Ok(()),
        }
    }

    fn make_person(&mut self, body: &Value) -> Answer {
        only(body, &["name", "email", "phone", "ref", "attributes"])?;
        check(!text(body, "name").is_empty(), "must not be empty", "name")?;
        let attributes = self.attributes(&body["attributes"], "person")?;
        self.taken(text(body, "email"), "")?;
        let id = self.id('p');
        let person = json!({"id": id, "name": body["name"], "email": body["email"], "phone": body["phone"], "ref": body["ref"], "attributes": attributes, "version": 1});
        self.people.insert(id, person.clone());
        Ok((201, person))
    }

    fn change_person(&mut self, id: &str, body: &Value) -> Answer {
        only(body, &["name", "email", "phone", "ref", "attributes"])?;
        let attributes = self.attributes(&body["attributes"], "person")?;
        self.taken(text(body, "email"), id)?;
        let Some(person) = self.people.get_mut(id) else {
            return Err((404, json!({"error": "not_found"})));
        };
        for (name, value) in body
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "attributes")
        {
            person[name] = value.clone();
        }
        for (key, value) in attributes {
            let there = person["attributes"].as_object_mut().unwrap();
            if value.is_null() {
                there.remove(&key)
            } else {
                there.insert(key, value)
            };
        }
        person["version"] = json!(person["version"].as_u64().unwrap_or(0) + 1);
        Ok((200, person.clone()))
    }

    fn entries(&mut self, body: &Value) -> Result<Vec<Value>, (u16, Value)> {
        let entries = body["entries"].as_array().cloned().unwrap_or_default();
        check(entries.len() <= 200, "too many", "entries")?;
        let mut made = Vec::new();
        for mut entry in entries {
            only(&entry, &["kind", "by", "by_name", "at", "text", "files"])?;
            check(
                matches!(text(&entry, "kind"), "public" | "private"),
                "public or private",
                "kind",
            )?;
            check(
                moment(&entry["at"]).is_some_and(|at| at <= self.now),
                "not a time that was",
                "at",
            )?;
            check(
                text(&entry, "text").chars().count() <= 65_536,
                "too long",
                "text",
            )?;
            let by = entry["by"]
                .as_str()
                .map(|by| by.split_once(':').unwrap_or_default());
            let known = match by {
                None => true,
                Some(("person", id)) => self.people.contains_key(id),
                Some(("agent", id)) => self.agents.iter().any(|agent| text(agent, "id") == id),
                Some(_) => false,
            };
            check(known, "nobody", "by")?;
            let mut files = Vec::new();
            for token in entry["files"].as_array().into_iter().flatten() {
                let file = token.as_str().and_then(|token| self.files.remove(token));
                let file = file.filter(|(given, ..)| given + TOKEN_MS >= self.now);
                let Some((_, name, size)) = file else {
                    return Err(refused("no such token", "files"));
                };
                files.push(json!({"name": name, "size": size}));
            }
            entry["files"] = files.into();
            entry["id"] = self.id('e').into();
            made.push(entry);
        }
        Ok(made)
    }

    fn make_ticket(&mut self, body: &Value) -> Answer {
        only(
            body,
            &[
                "ref",
                "subject",
                "requester",
                "state",
                "labels",
                "created_at",
                "custom",
                "entries",
            ],
        )?;
        check(
            self.people.contains_key(text(body, "requester")),
            "nobody",
            "requester",
        )?;
        check(
            matches!(text(body, "state"), "open" | "waiting" | "done"),
            "open, waiting or done",
            "state",
        )?;
        let labels = body["labels"].as_array().cloned().unwrap_or_default();
        let fits = |label: &Value| {
            label.as_str().is_some_and(|label| {
                !label.is_empty() && label.chars().count() <= 40 && label.to_lowercase() == label
            })
        };
        check(
            labels.len() <= 10 && labels.iter().all(fits),
            "no label",
            "labels",
        )?;
        let at = moment(&body["created_at"]).ok_or_else(|| refused("no time", "created_at"))?;
        let custom = self.attributes(&body["custom"], "ticket")?;
        let entries = self.entries(body)?;
        self.mails += usize::from(at >= self.now);
        let id = self.id('t');
        let mut ticket = body.clone();
        ticket["id"] = id.clone().into();
        ticket["custom"] = custom.into();
        ticket["entries"] = entries.clone().into();
        ticket["version"] = json!(1);
        self.tickets.insert(id.clone(), ticket);
        self.indexed.insert(id.clone(), self.now + LAG_MS);
        Ok((
            201,
            json!({"id": id, "version": 1, "entries": ids(&entries)}),
        ))
    }

    fn add_entries(&mut self, id: &str, body: &Value) -> Answer {
        only(body, &["entries"])?;
        found(self.tickets.get(id))?;
        let entries = self.entries(body)?;
        let ticket = self.tickets.get_mut(id).unwrap();
        ticket["entries"]
            .as_array_mut()
            .unwrap()
            .extend(entries.clone());
        let version = ticket["version"].as_u64().unwrap_or(0) + 1;
        ticket["version"] = version.into();
        Ok((
            201,
            json!({"id": id, "version": version, "entries": ids(&entries)}),
        ))
    }

    fn take_file(&mut self, name: String, size: usize) -> Answer {
        let refusal = |error: &str| Err((422, json!({ "error": error })));
        match size {
            0 => return refusal("the file is empty"),
            5_000_001.. => return refusal("the file is too large"),
            _ if name.to_lowercase().ends_with(".exe") => return refusal("programs are not taken"),
            _ => {}
        }
        let token = self.id('f');
        self.files.insert(token.clone(), (self.now, name, size));
        Ok((201, json!({ "token": token })))
    }

    fn make_field(&mut self, body: Value) -> Answer {
        only(&body, &["key", "label", "type", "for"])?;
        let key = text(&body, "key").to_owned();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        check(
            !key.is_empty() && key.len() <= 40 && key.chars().all(plain),
            "a-z0-9_ only, 40 at most",
            "key",
        )?;
        check(
            matches!(text(&body, "type"), "text" | "number" | "flag" | "date"),
            "no type",
            "type",
        )?;
        check(
            matches!(text(&body, "for"), "person" | "ticket"),
            "no owner",
            "for",
        )?;
        if self.fields.contains_key(&key) {
            return Err((409, json!({"error": "key_taken"})));
        }
        self.fields.insert(key, body.clone());
        Ok((201, body))
    }
}

fn found(object: Option<&Value>) -> Answer {
    match object {
        Some(object) => Ok((200, object.clone())),
        None => Err((404, json!({"error": "not_found"}))),
    }
}

fn ids(entries: &[Value]) -> Vec<Value> {
    entries
        .iter()
        .map(|entry| json!({"id": entry["id"]}))
        .collect()
}
