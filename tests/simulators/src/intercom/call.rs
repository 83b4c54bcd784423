//! One request on its way through the workspace, and the paging of lists (Intercom facts §4).

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::Failure;
use super::auth::Actor;
use super::model::{Admin, Id, Seconds};
use super::read::Reader;
use super::state::State;

/// A request as it came, its body read.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in capitals.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as JSON, null without one.
    pub json: Value,
}

impl Request {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The workspace.
    pub state: &'a mut State,
    /// The request.
    pub request: &'a Request,
    /// Who calls, and in what version.
    pub actor: Actor,
    /// Base of links.
    pub base: String,
}

impl<'a> Call<'a> {
    /// The body, whose keys must be known unless unknown ones are ignored.
    pub fn body(&self, known: &[&str]) -> Result<Reader<'a>, Failure> {
        let reader = Reader::new(&self.request.json)?;
        if self.state.config.switches.unknown_keys_refused {
            reader.only(known)?;
        }
        Ok(reader)
    }

    /// Now, in whole seconds.
    pub fn now(&self) -> Seconds {
        self.state.now()
    }

    /// A number in the path.
    pub fn id(&self, text: &str) -> Result<Id, Failure> {
        text.parse().map_err(|_| Failure::resource())
    }

    /// Refuses what versions before 2.`minor` do not have (§1).
    pub fn since(&self, minor: u32) -> Result<(), Failure> {
        if self.actor.version < minor {
            return Err(Failure::version());
        }
        Ok(())
    }

    /// The admin that `admin_id` of a body names, or the one of the token.
    pub fn admin_of(&self, reader: Reader<'_>) -> Result<Id, Failure> {
        match reader.id("admin_id")? {
            None => Ok(self.actor.admin_id),
            Some(id) => self.admin(id).map(|admin| admin.id),
        }
    }

    /// The admin that `admin_id` of a body must name.
    pub fn needed_admin(&self, reader: Reader<'_>) -> Result<Id, Failure> {
        match reader.id("admin_id")? {
            None => Err(Failure::missing("admin_id")),
            Some(id) => self.admin(id).map(|admin| admin.id),
        }
    }

    /// An admin who is there.
    pub fn admin(&self, id: Id) -> Result<&Admin, Failure> {
        self.state.admin(id).ok_or_else(Failure::admin)
    }

    /// A parameter of the query that is a truth value.
    pub fn flag_param(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.request.param(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Failure::mistyped(name, "a boolean")),
        }
    }

    /// A parameter of the query that is a positive number, at most `most`.
    pub fn number_param(&self, name: &str, usual: usize, most: usize) -> Result<usize, Failure> {
        match self.request.param(name).map(str::parse::<usize>) {
            None => Ok(usual),
            Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
            Some(_) => Err(Failure::field(
                name,
                format!("{name} must be between 1 and {most}"),
            )),
        }
    }
}

/// A page of a list that is paged by number: its part, and `pages`, whose `next` is an address or null.
pub(super) fn numbered<T>(
    call: &Call<'_>,
    all: Vec<T>,
    usual: usize,
    most: usize,
) -> Result<(Vec<T>, Value), Failure> {
    let page = call.number_param("page", 1, usize::MAX)?;
    let per_page = call.number_param("per_page", usual, most)?;
    let total = all.len().div_ceil(per_page);
    let next = (page < total).then(|| {
        let path = call.request.path.trim_end_matches('/');
        format!("{}{path}?per_page={per_page}&page={}", call.base, page + 1)
    });
    let skipped = (page - 1).saturating_mul(per_page);
    let shown = all.into_iter().skip(skipped).take(per_page).collect();
    let pages = json!({
        "type": "pages", "next": next, "page": page, "per_page": per_page, "total_pages": total,
    });
    Ok((shown, pages))
}

/// Place of something in an ordered list that is paged by cursors.
pub(super) type Place = (i64, String);

/// How a list that is paged by cursors was asked for.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    per_page: usize,
    page: usize,
    after: Option<Place>,
}

impl Cursor {
    /// From `per_page` and `starting_after`.
    pub fn read(per_page: usize, starting_after: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = starting_after else {
            return Ok(Self {
                per_page,
                page: 1,
                after: None,
            });
        };
        let bad = || Failure::cursor("starting_after");
        let bytes = STANDARD.decode(text).map_err(|_| bad())?;
        let (number, id, page): (i64, String, usize) =
            serde_json::from_slice(&bytes).map_err(|_| bad())?;
        Ok(Self {
            per_page,
            page,
            after: Some((number, id)),
        })
    }

    /// Of a list's query (§4).
    pub fn of_query(call: &Call<'_>, usual: usize) -> Result<Self, Failure> {
        let per_page = call.number_param("per_page", usual, 150)?;
        Self::read(per_page, call.request.param("starting_after"))
    }

    /// Of a search's body; in the query it is ignored (§4).
    pub fn of_body(reader: Reader<'_>, usual: usize) -> Result<Self, Failure> {
        let Some(value) = reader.raw("pagination") else {
            return Self::read(usual, None);
        };
        let pagination = Reader::new(value)?;
        let per_page = match pagination.integer("per_page")?.map(usize::try_from) {
            None => usual,
            Some(Ok(number)) if (1..=150).contains(&number) => number,
            Some(_) => {
                return Err(Failure::field(
                    "per_page",
                    "per_page must be between 1 and 150",
                ));
            }
        };
        Self::read(per_page, pagination.text("starting_after")?.as_deref())
    }

    /// The page of what is ordered by its places, and `pages`, which has no `next` at the end.
    pub fn page<T>(&self, mut all: Vec<(Place, T)>, descending: bool) -> (Vec<T>, Value) {
        all.sort_by(|(a, _), (b, _)| if descending { b.cmp(a) } else { a.cmp(b) });
        let total = all.len();
        let is_before = |place: &Place| match &self.after {
            None => false,
            Some(after) if descending => place >= after,
            Some(after) => place <= after,
        };
        let from = all.partition_point(|(place, _)| is_before(place));
        let rest = all.split_off(from);
        let more = rest.len() > self.per_page;
        let shown: Vec<(Place, T)> = rest.into_iter().take(self.per_page).collect();
        let mut pages = json!({
            "type": "pages", "page": self.page, "per_page": self.per_page,
            "total_pages": total.div_ceil(self.per_page),
        });
        if let (true, Some((place, _)), Some(map)) = (more, shown.last(), pages.as_object_mut()) {
            let cursor = json!([place.0, place.1, self.page + 1]).to_string();
            let next = json!({
                "page": self.page + 1, "per_page": self.per_page, "starting_after": STANDARD.encode(cursor),
            });
            map.insert("next".to_owned(), next);
        }
        (shown.into_iter().map(|(_, item)| item).collect(), pages)
    }
}
