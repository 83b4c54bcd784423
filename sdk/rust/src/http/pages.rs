//! Walking a list to its end.

use super::{Reply, RequestBuilder};
use crate::Result;
use crate::types::Error;

/// Where the next page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// At this URL (`links.next`), with the first request's headers.
    Url(String),
    /// At the first request's URL with these parameters in addition (`page[after]=…`).
    Query(Vec<(String, String)>),
}

/// Begins a walk. `step` reads from each 2xx where the next page is; `most` is a bound on the pages, so that a platform that
/// pages in circles costs an error and not a night.
pub fn pages<N>(first: RequestBuilder, most: u32, step: N) -> Pages<N>
where
    N: FnMut(&Reply) -> Result<Option<Next>>,
{
    Pages {
        next: Some(first.clone()),
        first,
        step,
        left: most,
    }
}

/// A walk along a list.
#[derive(Debug)]
pub struct Pages<N> {
    first: RequestBuilder,
    next: Option<RequestBuilder>,
    step: N,
    left: u32,
}

impl<N> Pages<N>
where
    N: FnMut(&Reply) -> Result<Option<Next>>,
{
    /// The next page, or `None` after the last. An answer that is no 2xx is handed over too, and ends the walk.
    ///
    /// # Errors
    /// What sending and `step` give; `bug` beyond the bound and for a page that names itself as the next.
    pub async fn next(&mut self) -> Result<Option<Reply>> {
        let Some(request) = self.next.take() else {
            return Ok(None);
        };
        if self.left == 0 {
            return Err(Error::Bug(format!(
                "{} does not end",
                super::name(request.request())
            )));
        }
        self.left -= 1;
        let url = request.request().url.clone();
        let reply = request.send().await?;
        if reply.ok() {
            self.next = match (self.step)(&reply)? {
                None => None,
                Some(Next::Url(next)) => Some(self.first.clone().at(next)),
                Some(Next::Query(pairs)) => Some(
                    pairs
                        .iter()
                        .fold(self.first.clone(), |next, (name, value)| {
                            next.query(name, value)
                        }),
                ),
            };
            if self
                .next
                .as_ref()
                .is_some_and(|next| next.request().url == url)
            {
                return Err(Error::Bug(format!(
                    "{} names itself as the next page",
                    reply.what()
                )));
            }
        }
        Ok(Some(reply))
    }
}
