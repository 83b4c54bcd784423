//! Requests that serve many rows, each of which ends in its own way.

use super::OperationKey;

/// Rows in their order, as many a request as it takes: at most `rows` of them and, unless one alone has more, `bytes`. `size` is
/// how many bytes a row has.
pub fn batches<T>(all: &[T], rows: usize, bytes: usize, size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut so_far) = (0, 0);
    for (at, row) in all.iter().enumerate() {
        let size = size(row);
        if at > start && (at - start >= rows || so_far + size > bytes) {
            batches.extend(all.get(start..at));
            start = at;
            so_far = 0;
        }
        so_far += size;
    }
    batches.extend(all.get(start..).filter(|rest| !rest.is_empty()));
    batches
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
