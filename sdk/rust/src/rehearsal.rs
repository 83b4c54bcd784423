//! What the platform would answer, for a dry run: there no mutating request leaves, and a connector goes on only when it has an
//! answer. The host asks [`Destination::rehearse`](crate::Destination::rehearse), which nothing but what it is given decides.
//!
//! Most platforms answer the creation of an object with the object, and its id: [`Rehearsal::echo`] does that, and is what a
//! connector has that says nothing else. What is otherwise (jobs, uploads, batches) is said by the connector, and answers are
//! made of what its own code reads of them, no more.

use serde_json::{Map, Value, json};

use crate::Context;
use crate::http::{Body, Header, PartBody, Piece, Request, Response};
use crate::types::BlobRef;

/// How many numbers belong to one request.
pub const NUMBERS: u64 = 10_000;

/// A request that nobody sends, or a read whose answer may lack what would have been made.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    cx: Context,
    request: Request,
    number: u64,
    earlier: Vec<(Request, Response)>,
    real: Option<Response>,
}

/// How a platform writes its ids in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// `"id": 7`
    Numbers,
    /// `"id": "7"`
    Texts,
}

impl Rehearsal {
    /// A request as the host asks about it; `rehearsal.answer` of the contract says what the rest is.
    pub fn new(
        cx: Context,
        request: Request,
        number: u64,
        earlier: Vec<(Request, Response)>,
        real: Option<Response>,
    ) -> Self {
        Self {
            cx,
            request,
            number,
            earlier,
            real,
        }
    }

    /// Upper case.
    pub fn method(&self) -> &str {
        &self.request.method
    }

    /// The URL without its query.
    pub fn path(&self) -> &str {
        path_of(&self.request)
    }

    /// The whole URL.
    pub fn url(&self) -> &str {
        &self.request.url
    }

    /// The path's segments.
    pub fn segments(&self) -> Vec<&str> {
        segments(self.path())
    }

    /// The n-th id of this request, from 0; beyond its own it stays the last.
    pub fn id(&self, n: usize) -> u64 {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        self.number.saturating_add(n.min(NUMBERS - 1))
    }

    /// The body's JSON; null where it is none. Files in it are empty texts; a form is an object, `a[b]` in it a member of `a`, and
    /// `a[]` a list; what is no text in it has replacement characters.
    pub fn body(&self) -> Value {
        body_of(&self.request)
    }

    /// The bytes of a body that is a blob.
    pub fn blob(&self) -> Option<Vec<u8>> {
        self.blob_of(&self.request)
    }

    /// The files of a form, by the name of their part.
    pub fn files(&self) -> Vec<(String, BlobRef)> {
        files_of(&self.request)
    }

    /// Bytes of what requests carry can be read by it, and nothing else.
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// Requests that were answered before, in their order: definitions, makers of ids, and those of this call.
    pub fn earlier(&self) -> Vec<Earlier> {
        let one = |(request, answer): &(Request, Response)| Earlier {
            method: request.method.clone(),
            path: path_of(request).to_owned(),
            body: body_of(request),
            blob: self.blob_of(request),
            files: files_of(request),
            answer: serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        };
        self.earlier.iter().map(one).collect()
    }

    /// The request that made what this one reads by its id.
    pub fn maker(&self) -> Option<Earlier> {
        match self.real {
            None => self.earlier().into_iter().next(),
            Some(_) => None,
        }
    }

    /// Status and JSON of what the platform really answered to a read.
    pub fn real(&self) -> Option<(u16, Value)> {
        let real = self.real.as_ref()?;
        let json = serde_json::from_slice(&real.body).unwrap_or(Value::Null);
        Some((real.status, json))
    }

    /// The request itself.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Whether this only reads.
    pub fn reads(&self) -> bool {
        self.real.is_some() || matches!(self.method(), "GET" | "HEAD")
    }

    fn blob_of(&self, request: &Request) -> Option<Vec<u8>> {
        match &request.body {
            Body::Blob(blob) => Some(self.cx.blobs().read_all(blob)),
            _ => None,
        }
    }

    /// The usual answer: what was sent, with an id where it had none; nothing to a deletion. A read by id is answered with what was
    /// answered when its object was made; every other read stands.
    pub fn echo(&self, ids: Ids) -> Option<Response> {
        if self.reads() {
            let (_, answer) = self.earlier.first().filter(|_| self.real.is_none())?;
            return Some(Response {
                status: 200,
                ..answer.clone()
            });
        }
        if self.method() == "DELETE" {
            return Some(empty(204));
        }
        let mut answer = self.body();
        // A change names its object.
        let last = self.segments().last().map(|last| (*last).to_owned());
        let named = last.filter(|last| self.method() != "POST" && last.parse::<u64>().is_ok());
        let id = match (named, ids) {
            (Some(id), Ids::Texts) => Value::String(id),
            (Some(id), Ids::Numbers) => json!(id.parse::<u64>().unwrap_or(self.number)),
            (None, Ids::Texts) => Value::String(self.number.to_string()),
            (None, Ids::Numbers) => json!(self.number),
        };
        give_id(&mut answer, id);
        let status = if self.method() == "POST" { 201 } else { 200 };
        Some(response(status, &answer))
    }

    /// A list as the platform gave it, with what would have been made in it besides: `list` is the JSON pointer to its rows. Where
    /// the platform refused to give one, it is a list of those alone.
    pub fn with(&self, list: &str, rows: impl IntoIterator<Item = Value>) -> Option<Response> {
        let (status, mut json) = self.real()?;
        let mut rows = rows.into_iter().peekable();
        rows.peek()?;
        if !(200..300).contains(&status) {
            json = Value::Null;
        }
        let mut place = &mut json;
        for name in list.split('/').skip(1) {
            place = member_mut(place, name);
        }
        if !place.is_array() {
            *place = Value::Array(vec![]);
        }
        if let Some(all) = place.as_array_mut() {
            all.extend(rows);
        }
        Some(response(200, &json))
    }
}

/// A request that was answered before.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Upper case.
    pub method: String,
    /// Its URL without the query.
    pub path: String,
    /// Its body, as [`Rehearsal::body`] has it.
    pub body: Value,
    /// The bytes of a body that is a blob.
    pub blob: Option<Vec<u8>>,
    /// The files of a form, by the name of their part.
    pub files: Vec<(String, BlobRef)>,
    /// The JSON of its answer.
    pub answer: Value,
}

impl Earlier {
    /// The segments of its path.
    pub fn segments(&self) -> Vec<&str> {
        segments(&self.path)
    }
}

/// An answer of JSON.
pub fn response(status: u16, body: &Value) -> Response {
    Response {
        status,
        headers: vec![Header {
            name: "content-type".to_owned(),
            value: "application/json".to_owned(),
        }],
        body: body.to_string().into_bytes(),
        attempted_before: false,
    }
}

/// An answer without a body.
pub fn empty(status: u16) -> Response {
    Response {
        status,
        headers: vec![],
        body: vec![],
        attempted_before: false,
    }
}

/// Gives an object its id; one that is wrapped in another gets it inside.
pub fn give_id(object: &mut Value, id: Value) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(members) = object.as_object_mut() else {
        return;
    };
    let wrapped = members.len() == 1 && members.values().all(Value::is_object);
    if wrapped {
        for inner in members.values_mut().filter_map(Value::as_object_mut) {
            inner.entry("id").or_insert_with(|| id.clone());
        }
    } else {
        members.entry("id").or_insert(id);
    }
}

/// A member of an object; null where there is none, and where it is no object.
pub fn member<'v>(of: &'v Value, name: &str) -> &'v Value {
    static NOTHING: Value = Value::Null;
    of.get(name).unwrap_or(&NOTHING)
}

/// A member of an object, to be changed: what is no object becomes one, and a member that is not there is null.
pub fn member_mut<'v>(of: &'v mut Value, name: &str) -> &'v mut Value {
    if !of.is_object() {
        *of = Value::Object(Map::new());
    }
    match of {
        Value::Object(members) => members.entry(name).or_insert(Value::Null),
        other => other,
    }
}

fn path_of(request: &Request) -> &str {
    request.url.split(['?', '#']).next().unwrap_or_default()
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .collect()
}

fn files_of(request: &Request) -> Vec<(String, BlobRef)> {
    let Body::Multipart(parts) = &request.body else {
        return vec![];
    };
    let files = parts.iter().filter_map(|part| match &part.body {
        PartBody::Blob(blob) => Some((part.name.clone(), blob.clone())),
        PartBody::Bytes(_) => None,
    });
    files.collect()
}

fn body_of(request: &Request) -> Value {
    let bytes = match &request.body {
        Body::Bytes(bytes) => bytes.clone(),
        Body::Pieces(pieces) => pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Bytes(bytes) => Some(bytes.as_slice()),
                Piece::Blob(_) | Piece::Base64(_) => None,
            })
            .collect::<Vec<_>>()
            .concat(),
        Body::Multipart(parts) => {
            let mut form = Value::Object(Map::new());
            for part in parts {
                if let PartBody::Bytes(bytes) = &part.body {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    put(&mut form, &part.name, text);
                }
            }
            return form;
        }
        Body::None | Body::Blob(_) => return Value::Null,
    };
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// Puts a field of a form where its name leads.
fn put(form: &mut Value, name: &str, text: String) {
    let mut place = form;
    let mut names = name.split('[').map(|name| name.trim_end_matches(']'));
    if let Some(first) = names.next() {
        place = member_mut(place, first);
    }
    for name in names {
        if name.is_empty() {
            if !place.is_array() {
                *place = Value::Array(vec![]);
            }
            if let Some(list) = place.as_array_mut() {
                list.push(Value::String(text));
            }
            return;
        }
        place = member_mut(place, name);
    }
    *place = Value::String(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::part_text;
    use crate::testing::Harness;

    fn asked(build: impl FnOnce(&Context) -> Request) -> Rehearsal {
        let harness = Harness::scripted([]);
        let cx = harness.context();
        let request = build(&cx);
        Rehearsal::new(cx, request, 900_000_010_000, vec![], None)
    }

    fn answer(rehearsal: &Rehearsal, ids: Ids) -> (u16, Value) {
        let answer = rehearsal.echo(ids).unwrap();
        let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        (answer.status, body)
    }

    #[test]
    fn what_is_made_comes_back_with_an_id_of_its_own() {
        let plain = asked(|cx| {
            let request = cx.http().post("/tags").json(&json!({"name": "vip"}));
            request.request().clone()
        });
        assert_eq!(
            answer(&plain, Ids::Texts),
            (201, json!({"name": "vip", "id": "900000010000"}))
        );
        let wrapped = asked(|cx| {
            let request = cx
                .http()
                .post("/users")
                .json(&json!({"user": {"name": "Ana"}}));
            request.request().clone()
        });
        assert_eq!(
            answer(&wrapped, Ids::Numbers),
            (
                201,
                json!({"user": {"name": "Ana", "id": 900_000_010_000_u64}})
            )
        );
    }

    #[test]
    fn a_change_keeps_the_id_that_its_path_names_and_a_deletion_leaves_nothing() {
        let change = asked(|cx| {
            let request = cx
                .http()
                .request("PUT", "/users/7?x=1")
                .json(&json!({"name": "B"}));
            request.request().clone()
        });
        assert_eq!(
            answer(&change, Ids::Numbers),
            (200, json!({"name": "B", "id": 7}))
        );
        let gone = asked(|cx| cx.http().request("DELETE", "/users/7").request().clone());
        assert_eq!(answer(&gone, Ids::Numbers), (204, Value::Null));
    }

    #[test]
    fn a_read_by_id_is_answered_with_what_its_object_was_made_as_and_no_other_is() {
        let read = asked(|cx| cx.http().get("/tags/900000000000").request().clone());
        assert_eq!(read.echo(Ids::Numbers), None);
        let made = response(201, &json!({"name": "vip", "id": 900_000_000_000_u64}));
        let request = read.cx.http().post("/tags").json(&json!({"name": "vip"}));
        let request = request.request().clone();
        let by_id = Rehearsal {
            earlier: vec![(request, made)],
            ..read
        };
        let (status, body) = answer(&by_id, Ids::Numbers);
        assert_eq!((status, &body["name"]), (200, &json!("vip")));
        assert_eq!(by_id.maker().unwrap().path, "/tags");
        let real = Rehearsal {
            real: Some(response(200, &json!([]))),
            ..by_id
        };
        assert_eq!(real.echo(Ids::Numbers), None);
        assert!(real.maker().is_none());
    }

    #[test]
    fn a_list_has_what_would_have_been_made_besides() {
        let read = asked(|cx| cx.http().get("/fields").request().clone());
        let list = |status, json: Value| Rehearsal {
            real: Some(response(status, &json)),
            ..read.clone()
        };
        let body = |answer: Response| serde_json::from_slice::<Value>(&answer.body).unwrap();
        let there = list(200, json!({"results": [1], "paging": null}));
        let with = there.with("/results", [json!(2)]).unwrap();
        assert_eq!(body(with), json!({"results": [1, 2], "paging": null}));
        let absent = list(404, json!({"error": "no such object"}));
        let with = absent.with("/results", [json!(2)]).unwrap();
        assert_eq!((with.status, body(with)), (200, json!({"results": [2]})));
        assert_eq!(there.with("/results", []), None);
        let bare = list(200, json!([1])).with("", [json!(2)]).unwrap();
        assert_eq!(body(bare), json!([1, 2]));
    }

    #[test]
    fn a_member_that_is_not_there_is_null_and_can_be_given() {
        let mut object = json!({"a": {"b": 1}, "text": "c"});
        assert_eq!(member(member(&object, "a"), "b"), &json!(1));
        assert!(member(member(&object, "x"), "y").is_null());
        assert!(member(&json!([1]), "a").is_null());
        *member_mut(member_mut(&mut object, "x"), "y") = json!(2);
        assert_eq!(object, json!({"a": {"b": 1}, "text": "c", "x": {"y": 2}}));
        let mut nothing = Value::Null;
        assert!(member_mut(&mut nothing, "a").is_null());
        assert_eq!(nothing, json!({"a": null}));
    }

    #[test]
    fn a_form_is_an_object() {
        let form = asked(|cx| {
            let parts = [
                part_text("subject", "a"),
                part_text("custom_fields[cf_x]", "b"),
                part_text("tags[]", "c"),
                part_text("tags[]", "d"),
            ];
            cx.http()
                .post("/tickets")
                .multipart(parts)
                .request()
                .clone()
        });
        assert_eq!(
            form.body(),
            json!({"subject": "a", "custom_fields": {"cf_x": "b"}, "tags": ["c", "d"]})
        );
    }
}
