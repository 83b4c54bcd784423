//! How Kustomer is asked: what each status means (Kustomer facts §6), how lists are followed, and what goes out without
//! credentials. The only module that sends.

use std::future::Future;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::types::{BlobRef, Error};

use crate::api::{self, Answer, Resource};
use crate::walk::Index;

/// Pages of a list that are followed.
const MOST_PAGES: u64 = 1_000;
/// Requests on the way at once within one call.
const AT_ONCE: usize = 16;

/// Asks something for each item, several at once; answers in the order of the items.
///
/// # Errors
/// The first one.
pub async fn each<I, T, F>(
    items: impl IntoIterator<Item = I>,
    ask: impl Fn(I) -> F,
) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    stream::iter(items)
        .map(ask)
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// What may be done without: nothing where the key has no role for it, which `check` names.
///
/// # Errors
/// Any other.
pub fn if_allowed<T: Default>(asked: Result<T, Error>) -> Result<T, Error> {
    match asked {
        Err(Error::Permission(_)) => Ok(T::default()),
        asked => asked,
    }
}

/// An answer that is no error of the run.
#[derive(Debug)]
pub enum Got<T = Answer> {
    /// What was asked for.
    Answer(T),
    /// There is no such thing (404, 410).
    Missing,
    /// The request is refused as it is (400, 422): why.
    Refused(String),
}

/// Asks one account.
pub struct Client<'a> {
    cx: &'a Context,
}

impl<'a> Client<'a> {
    /// For a call's context.
    pub fn new(cx: &'a Context) -> Self {
        Self { cx }
    }

    /// The unit's time.
    pub fn now(&self) -> i64 {
        self.cx.now()
    }

    /// Gets a path below the API's address.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Got, Error> {
        let mut request = self
            .cx
            .http()
            .get(path)
            .header("accept", "application/json");
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let response = request.send().await?;
        read(path, response.status(), response.bytes())
    }

    /// Gets any JSON; `None` where there is none.
    pub async fn json(&self, path: &str) -> Result<Option<Value>, Error> {
        let response = self
            .cx
            .http()
            .get(path)
            .header("accept", "application/json")
            .send()
            .await?;
        let got: Got<Value> = read(path, response.status(), response.bytes())?;
        Ok(match got {
            Got::Answer(json) => Some(json),
            _ => None,
        })
    }

    /// Searches an index. Changes nothing, although it is a POST.
    pub async fn search(
        &self,
        index: Index,
        page: u64,
        rows: u64,
        body: &Value,
    ) -> Result<Got, Error> {
        let path = match index {
            Index::Standard => "/v1/customers/search",
            Index::Archive => "/v1/customers/archive/search",
        };
        let request = self
            .cx
            .http()
            .post(path)
            .header("accept", "application/json")
            .query("page", page)
            .query("pageSize", rows);
        let response = request.json(body).safe().send().await?;
        read(path, response.status(), response.bytes())
    }

    /// The rows of an index that match nothing but a context: its size. `None` where the index does not know the context.
    pub async fn count(&self, index: Index, context: &str) -> Result<Option<u64>, Error> {
        let body =
            serde_json::json!({ "queryContext": context, "and": [], "includeDeleted": true });
        Ok(match self.search(index, 1, 1, &body).await? {
            Got::Answer(answer) => answer.meta.total,
            _ => None,
        })
    }

    /// A whole list; `None` where there is none.
    pub async fn all(
        &self,
        path: &str,
        query: &[(&str, &str)],
        rows: &str,
    ) -> Result<Option<Vec<Resource>>, Error> {
        let pages = self.pages(path, query, rows).await?;
        let records = |pages: Vec<Answer>| pages.into_iter().flat_map(|page| page.data.0).collect();
        Ok(pages.map(records))
    }

    /// The pages of a whole list; `None` where there is none.
    pub async fn pages(
        &self,
        path: &str,
        query: &[(&str, &str)],
        rows: &str,
    ) -> Result<Option<Vec<Answer>>, Error> {
        let mut made = Vec::new();
        for page in 1..=MOST_PAGES {
            let number = page.to_string();
            let mut all = vec![("page", number.as_str()), ("pageSize", rows)];
            all.extend_from_slice(query);
            let Got::Answer(answer) = self.get(path, &all).await? else {
                return Ok((page > 1).then_some(made));
            };
            let more = answer.links.next.is_some() && !answer.data.0.is_empty();
            made.push(answer);
            if !more {
                break;
            }
        }
        Ok(Some(made))
    }

    /// Text from a signed link, without credentials; `None` where it cannot be had.
    pub async fn outside(&self, url: &str) -> Option<String> {
        let response = self.cx.http().get(url).anonymous().send().await.ok()?;
        let good = (200..300).contains(&response.status());
        good.then(|| String::from_utf8(response.bytes().to_vec()).ok())
            .flatten()
    }

    /// Bytes from a link, without credentials, straight to the host's disk.
    pub async fn download(&self, url: &str) -> Result<BlobRef, Error> {
        let (response, blob) = self.cx.http().get(url).anonymous().download().await?;
        match response.status() {
            200..=299 => Ok(blob),
            404 | 410 => Err(Error::NotFound("the file is gone from its host".to_owned())),
            401 | 403 => Err(Error::Permission(
                "the link to the file is no longer valid".to_owned(),
            )),
            500.. => Err(Error::Transient(format!(
                "the file's host answers {}",
                response.status()
            ))),
            status => Err(Error::Unsupported(format!(
                "the file's host answers {status}"
            ))),
        }
    }
}

/// What a status and its body mean.
fn read<T: serde::de::DeserializeOwned>(
    path: &str,
    status: u16,
    body: &[u8],
) -> Result<Got<T>, Error> {
    let why = || {
        let text = api::error_text(body);
        if text.is_empty() {
            format!("status {status}")
        } else {
            text
        }
    };
    match status {
        200..=299 => serde_json::from_slice(body)
            .map(Got::Answer)
            .map_err(|e| Error::Bug(format!("the answer of {path} is not understood: {e}"))),
        404 | 410 => Ok(Got::Missing),
        400 | 422 => Ok(Got::Refused(why())),
        401 => Err(Error::Auth(explain_401(&why()))),
        403 => Err(Error::Permission(format!("{path}: {}", why()))),
        402 => Err(Error::Unsupported(format!(
            "{path} is not in the organisation's plan: {}",
            why()
        ))),
        429 => Err(Error::Quota(None)),
        408 | 500.. => Err(Error::Transient(format!("{path}: {}", why()))),
        _ => Err(Error::Bug(format!("{path} answers {status}: {}", why()))),
    }
}

/// The pods, where they are, and their addresses without an organisation (Kustomer facts §1).
const PODS: [(&str, &str, &str); 3] = [
    ("prod1", "US", "https://api.kustomerapp.com"),
    ("prod2", "EU", "https://api.prod2.kustomerapp.com"),
    ("prod4", "India", "https://api.prod4.kustomerapp.com"),
];

/// Why a key is refused. One used on the wrong pod is a good key (Kustomer facts §1): the pod it belongs to is named first.
pub fn explain_401(why: &str) -> String {
    let lower = why.to_lowercase();
    if !lower.contains("pod") {
        return format!("Kustomer refuses the key: {why}");
    }
    let home = PODS
        .iter()
        .filter_map(|pod| Some((lower.find(pod.0)?, pod)))
        .min_by_key(|(at, _)| *at);
    let there = home.map_or_else(
        || "the organisation's own API address".to_owned(),
        |(_, (_, region, address))| format!("{address} ({region})"),
    );
    format!(
        "the key belongs to another region: {why}. Leave `base_url` out, since the address by `org` finds the region, or set it to {there}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_mean_what_they_mean() {
        let got = |status: u16, body: &[u8]| read::<Answer>("/v1/x", status, body);
        assert!(matches!(got(200, br#"{"data":[]}"#), Ok(Got::Answer(_))));
        assert!(matches!(got(404, b""), Ok(Got::Missing)));
        assert!(matches!(got(400, b""), Ok(Got::Refused(_))));
        assert!(matches!(got(403, b""), Err(Error::Permission(_))));
        assert!(matches!(got(503, b""), Err(Error::Transient(_))));
        assert!(matches!(got(200, b"<html>"), Err(Error::Bug(_))));
        let pod = br#"{"errors":[{"code":"unauthorized","message":"Token belongs to pod prod2 but pod prod1 is handling it"}]}"#;
        let Err(Error::Auth(why)) = got(401, pod) else {
            panic!()
        };
        assert!(
            why.contains("another region") && why.contains("https://api.prod2.kustomerapp.com"),
            "{why}"
        );
    }
}
