//! Requests that serve many rows, each of which ends in its own way.

use super::{OperationKey, Refusal, RequestBuilder, Sent, write};
use crate::Result;

/// Rows in their order, as many a request as it takes: at most `rows` of them and, unless one alone has more, `bytes`. `size` is
/// how many bytes a row has.
pub fn batches<T>(all: &[T], rows: usize, bytes: usize, size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut so_far) = (0, 0_usize);
    for (at, row) in all.iter().enumerate() {
        let size = size(row);
        if at > start && (at - start >= rows || so_far.saturating_add(size) > bytes) {
            batches.extend(all.get(start..at));
            start = at;
            so_far = 0;
        }
        so_far = so_far.saturating_add(size);
    }
    batches.extend(all.get(start..).filter(|rest| !rest.is_empty()));
    batches
}

/// What became of a row that was to be made by a request that must not be sent twice.
#[derive(Debug, Clone, PartialEq)]
pub enum RowMade<R> {
    /// Made by this request.
    Done {
        /// Its id.
        id: String,
        /// Whether an earlier sending of the request cannot have made it.
        fresh: bool,
        /// The request.
        key: OperationKey,
    },
    /// Refused: nothing of it is there.
    Refused(R),
    /// Not answered, or not named in the answer; it may be there. When the request's last byte left, and its key.
    Doubt(i64, OperationKey),
}

/// What became of a row that was to be changed.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChanged<R> {
    /// It is done, by this request.
    Done(OperationKey),
    /// Refused.
    Refused(R),
    /// Not known, even after sending several times.
    Unsettled,
}

/// What became of a row that was to be deleted.
#[derive(Debug, Clone, PartialEq)]
pub enum RowDeleted<R> {
    /// It is gone by our request, or in the platform's bin.
    Done,
    /// It was gone before, as far as the platform says so.
    Gone,
    /// Refused.
    Refused(R),
    /// Not known, even after sending several times.
    Unsettled,
}

/// Deletes what has an address of its own: sends `request` of the first attempt, the second, up to `sends` of them, until an answer
/// is seen. `is_gone` says which refusals mean that it was gone before.
///
/// # Errors
/// What ends the unit.
pub async fn delete<R: Refusal>(
    sends: u32,
    request: impl Fn(u32) -> RequestBuilder,
    is_gone: impl Fn(&R) -> bool,
) -> Result<RowDeleted<R>> {
    for attempt in 1..=sends {
        match write(request(attempt)).await? {
            Sent::Done(_) => return Ok(RowDeleted::Done),
            Sent::Refused(refusal) if is_gone(&refusal) => return Ok(RowDeleted::Gone),
            Sent::Refused(refusal) => return Ok(RowDeleted::Refused(refusal)),
            Sent::Doubt(_) => {}
        }
    }
    Ok(RowDeleted::Unsettled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_as_many_rows_and_bytes_as_fit_and_never_none() {
        let of = |all: &[usize]| -> Vec<Vec<usize>> {
            let batches = batches(all, 3, 10, |size| *size);
            batches.into_iter().map(<[usize]>::to_vec).collect()
        };
        assert_eq!(of(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(of(&[1, 1, 1, 1]), [vec![1, 1, 1], vec![1]]);
        assert_eq!(of(&[4, 6, 1]), [vec![4, 6], vec![1]]);
        assert_eq!(of(&[99, 1]), [vec![99], vec![1]]);
    }
}
