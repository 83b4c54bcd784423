//! Reading a search index whole.
//!
//! Search serves at most 100 pages (third parties say 10,000 rows) of whatever it finds, while its totals and links pretend
//! otherwise (Kustomer facts §8, §13 item 2); and a record that is touched while one pages moves to another page, so that a
//! record between two pages is never seen. So a walk here does not page. It reads the window `[from, to)` of `updatedAt` in
//! ascending order, and each request begins at the `updatedAt` of the last row seen, on page 1: what leaves the window can no
//! longer push another row past us, and no cap is ever met. The price is that the rows of that last moment come twice; the
//! host drops them by id.
//!
//! 1. **Ties.** When a whole page lies on one `updatedAt` (a bulk edit), the rows of that moment are walked by `createdAt` in
//!    the same way, and rows that share this too are paged.
//! 2. **Big windows** are cut, at their first page, into pieces of about [`FITS`] rows, so that they can be read side by side.
//! 3. **An index that does not sort** (sorting by anything but a customer's attributes is undocumented) is cut at the median of
//!    the rows it showed until each piece fits into one page.
//!
//! All of this is a pure function of what was asked and what was answered. Not here: requests, and what rows mean.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::time;

/// Rows asked for at once: the most a search allows (Kustomer facts §4).
pub const PAGE: u64 = 500;
/// Rows that 100 full pages hold; a window with more is cut.
pub const FITS: u64 = 50_000;
/// The last page a search serves.
const LAST_PAGE: u64 = 100;
/// Pieces a window is cut into at most.
const MOST_PIECES: u64 = 16;

/// Which index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Index {
    /// What was updated within two years.
    Standard,
    /// The rest (Kustomer facts §8.1).
    Archive,
}

impl Index {
    /// Its name in partition ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Archive => "archive",
        }
    }
}

/// A half-open window of `updatedAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First moment, `None` for the beginning of time.
    pub from: Option<i64>,
    /// The moment after the last.
    pub to: i64,
    /// The index is known not to sort this.
    #[serde(default)]
    pub unsorted: bool,
}

/// Where a walk stands: what its next request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Rows from `from` on; `done` rows lie before it.
    Sorted {
        /// First moment asked for.
        from: Option<i64>,
        /// Distinct rows before it.
        done: u64,
    },
    /// Rows of the moment `at`, by creation.
    Tie {
        /// Their `updatedAt`.
        at: i64,
        /// First `createdAt` asked for.
        created: Option<i64>,
        /// Distinct rows before the moment.
        done: u64,
        /// Distinct rows of the moment before `created`.
        within: u64,
        /// Rows from the moment on, the moment's own included.
        rest: u64,
    },
    /// Rows of the moment `at`, or of the moment and a creation time, page by page.
    Paged {
        /// Their `updatedAt`.
        at: i64,
        /// Their `createdAt`, where the index knows it.
        created: Option<i64>,
        /// Distinct rows of the moment, where `created` is known.
        moment: u64,
        /// The page.
        page: u64,
        /// Rows on earlier pages.
        seen: u64,
        /// As in `Tie`.
        done: u64,
        /// As in `Tie`.
        within: u64,
        /// As in `Tie`.
        rest: u64,
    },
}

/// One row, as far as a walk needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `updatedAt`
    pub updated: i64,
    /// `createdAt`
    pub created: i64,
}

/// What to do after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The window is read.
    Done,
    /// Ask for this.
    Go(Step),
    /// Read these windows instead of the rest of this one.
    Split(Vec<Span>),
}

impl Step {
    /// The first step of a window.
    pub fn first(span: &Span) -> Self {
        Self::Sorted {
            from: span.from,
            done: 0,
        }
    }

    /// The page to ask for.
    pub fn page(&self) -> u64 {
        match self {
            Self::Paged { page, .. } => *page,
            _ => 1,
        }
    }

    /// The distinct rows of the whole window, when this step's own query has `total`.
    pub fn window_total(&self, total: u64) -> u64 {
        match self {
            Self::Sorted { done, .. } => done.saturating_add(total),
            Self::Tie { done, rest, .. } | Self::Paged { done, rest, .. } => {
                done.saturating_add(*rest)
            }
        }
    }
}

/// The body of the search for a step. `object` is the prefix of the attributes (`message`, `kobject`).
pub fn body(context: &str, object: &str, span: &Span, step: &Step) -> Value {
    let updated = format!("{object}_updated_at");
    let created = format!("{object}_created_at");
    let mut and = Vec::new();
    let mut bound = |name: &str, operator: &str, at: i64| {
        and.push(json!({ name: { operator: time::format(at) } }))
    };
    let (from, to) = match step {
        Step::Sorted { from, .. } => (*from, span.to),
        Step::Tie { at, .. } | Step::Paged { at, .. } => (Some(*at), at + 1),
    };
    if let Some(from) = from {
        bound(&updated, "gte", from);
    }
    bound(&updated, "lt", to);
    let sort = match step {
        Step::Tie { created: from, .. } => {
            if let Some(from) = from {
                bound(&created, "gte", *from);
            }
            &created
        }
        Step::Paged { created: on, .. } => {
            if let Some(on) = on {
                bound(&created, "gte", *on);
                bound(&created, "lt", on + 1);
            }
            &updated
        }
        Step::Sorted { .. } => &updated,
    };
    let mut body = json!({ "queryContext": context, "and": and, "includeDeleted": true });
    if !span.unsorted
        && let Some(members) = body.as_object_mut()
    {
        members.insert("sort".to_owned(), json!([{ sort: "asc" }]));
    }
    body
}

/// What follows an answer of `rows`, out of `total`, to `step` of `span`.
pub fn next(span: &Span, step: &Step, rows: &[Row], total: u64) -> Next {
    match *step {
        Step::Sorted { from, done } if !span.unsorted && is_sorted(rows, from, |r| r.updated) => {
            sorted(span, from, done, rows, total)
        }
        Step::Sorted { .. } => unsorted(span, rows, total),
        Step::Tie {
            at,
            created,
            done,
            within,
            rest,
        } => tie(span, (at, created, done, within, rest), rows, total),
        Step::Paged {
            at,
            created,
            moment,
            page,
            seen,
            done,
            within,
            rest,
        } => {
            let seen = seen + rows.len() as u64;
            if !rows.is_empty() && seen < total && page < LAST_PAGE {
                let page = page + 1;
                return Next::Go(Step::Paged {
                    at,
                    created,
                    moment,
                    page,
                    seen,
                    done,
                    within,
                    rest,
                });
            }
            let within = within + total;
            match created {
                // The moment's later creation times are still open.
                Some(on) if within < moment => Next::Go(Step::Tie {
                    at,
                    created: Some(on + 1),
                    done,
                    within,
                    rest,
                }),
                _ => after_moment(span, at, done, within, rest),
            }
        }
    }
}

fn is_sorted(rows: &[Row], from: Option<i64>, key: impl Fn(&Row) -> i64) -> bool {
    rows.first()
        .is_none_or(|row| from.is_none_or(|from| key(row) >= from))
        && rows
            .iter()
            .zip(rows.iter().skip(1))
            .all(|(a, b)| key(a) <= key(b))
}

fn sorted(span: &Span, from: Option<i64>, done: u64, rows: &[Row], total: u64) -> Next {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Next::Done;
    };
    if rows.len() as u64 >= total || last.updated >= span.to {
        return Next::Done;
    }
    if last.updated == first.updated {
        let at = last.updated;
        return Next::Go(Step::Tie {
            at,
            created: None,
            done,
            within: 0,
            rest: total,
        });
    }
    let before = rows.iter().filter(|row| row.updated < last.updated).count() as u64;
    if done == 0 && from == span.from && total > FITS {
        return Next::Split(pieces(
            last.updated,
            span.to,
            total.div_ceil(FITS).min(MOST_PIECES),
        ));
    }
    Next::Go(Step::Sorted {
        from: Some(last.updated),
        done: done + before,
    })
}

/// Cuts `[from, to)` into `count` windows of equal length, fewer if it is shorter than that.
fn pieces(from: i64, to: i64, count: u64) -> Vec<Span> {
    let length = i128::from(to) - i128::from(from);
    let cut = |n: u64| {
        i64::try_from(i128::from(from) + length * i128::from(n) / i128::from(count)).unwrap_or(to)
    };
    (0..count)
        .map(|n| Span {
            from: Some(cut(n)),
            to: cut(n + 1),
            unsorted: false,
        })
        .filter(|piece| piece.from.is_some_and(|from| from < piece.to))
        .collect()
}

fn unsorted(span: &Span, rows: &[Row], total: u64) -> Next {
    if rows.is_empty() || rows.len() as u64 >= total {
        return Next::Done;
    }
    if let Some(at) = span.from.filter(|from| from + 1 >= span.to) {
        let seen = rows.len() as u64;
        return Next::Go(Step::Paged {
            at,
            created: None,
            moment: 0,
            page: 2,
            seen,
            done: 0,
            within: 0,
            rest: total,
        });
    }
    let mut times: Vec<i64> = rows
        .iter()
        .map(|row| row.updated)
        .filter(|at| *at < span.to)
        .collect();
    times.retain(|at| span.from.is_none_or(|from| *at >= from));
    times.sort_unstable();
    let Some(median) = times.get(times.len() / 2).copied() else {
        return Next::Done;
    };
    let piece = |from: Option<i64>, to: i64| Span {
        from,
        to,
        unsorted: true,
    };
    let cuts = if span.from == Some(median) {
        vec![
            piece(Some(median), median + 1),
            piece(Some(median + 1), span.to),
        ]
    } else if times.first() == times.last() && median + 1 < span.to {
        // Nothing but one moment was seen: it gets a window of its own.
        vec![
            piece(span.from, median),
            piece(Some(median), median + 1),
            piece(Some(median + 1), span.to),
        ]
    } else {
        vec![piece(span.from, median), piece(Some(median), span.to)]
    };
    Next::Split(cuts)
}

fn tie(
    span: &Span,
    (at, from, done, within, rest): (i64, Option<i64>, u64, u64, u64),
    rows: &[Row],
    total: u64,
) -> Next {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return after_moment(span, at, done, within, rest);
    };
    if rows.len() as u64 >= total {
        return after_moment(span, at, done, within + total, rest);
    }
    if first.created == last.created || !is_sorted(rows, from, |r| r.created) {
        let created = (first.created == last.created).then_some(last.created);
        let moment = within + total;
        let within = if created.is_some() { within } else { 0 };
        return Next::Go(Step::Paged {
            at,
            created,
            moment,
            page: 1,
            seen: 0,
            done,
            within,
            rest,
        });
    }
    let before = rows.iter().filter(|row| row.created < last.created).count() as u64;
    Next::Go(Step::Tie {
        at,
        created: Some(last.created),
        done,
        within: within + before,
        rest,
    })
}

/// The moment `at` held `of_moment` rows out of the `rest` that the window held from it on.
fn after_moment(span: &Span, at: i64, done: u64, of_moment: u64, rest: u64) -> Next {
    if of_moment >= rest || at + 1 >= span.to {
        return Next::Done;
    }
    Next::Go(Step::Sorted {
        from: Some(at + 1),
        done: done + of_moment,
    })
}

/// What to ask instead of a step that the index refused (400): without sorting, without creation time. `None` where nothing
/// is left to try.
pub fn refused(span: &Span, step: &Step) -> Option<(Span, Step)> {
    match *step {
        Step::Sorted { from, .. } if !span.unsorted => {
            let span = Span {
                from,
                unsorted: true,
                ..*span
            };
            Some((span, Step::first(&span)))
        }
        Step::Tie { at, done, rest, .. }
        | Step::Paged {
            at,
            created: Some(_),
            done,
            rest,
            ..
        } => {
            let (page, seen, within) = (1, 0, 0);
            Some((
                *span,
                Step::Paged {
                    at,
                    created: None,
                    moment: 0,
                    page,
                    seen,
                    done,
                    within,
                    rest,
                },
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;

    const WHOLE: Span = Span {
        from: None,
        to: 1_000,
        unsorted: false,
    };

    /// An index of rows that knows how to be wrong.
    struct Model {
        rows: Vec<Row>,
        page_size: usize,
        sorts: bool,
        knows_created: bool,
        /// Rows of one sort key come in another order each time.
        shuffle: bool,
        asked: u64,
    }

    impl Model {
        /// Rows and total for a step; `None` for a refusal.
        fn ask(&mut self, span: &Span, step: &Step) -> Option<(Vec<(usize, Row)>, u64)> {
            self.asked += 1;
            let body = body("message", "message", span, step).to_string();
            if (!self.knows_created && body.contains("created_at"))
                || (!self.sorts && body.contains("\"sort\""))
            {
                return None;
            }
            let keep = |row: &Row| match *step {
                Step::Sorted { from, .. } => {
                    from.is_none_or(|f| row.updated >= f) && row.updated < span.to
                }
                Step::Tie { at, created, .. } => {
                    row.updated == at && created.is_none_or(|c| row.created >= c)
                }
                Step::Paged { at, created, .. } => {
                    row.updated == at && created.is_none_or(|c| row.created == c)
                }
            };
            let mut found: Vec<(usize, Row)> = self
                .rows
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, row)| keep(row))
                .collect();
            let asked = self.asked as usize;
            let tiebreak = |n: usize| {
                if self.shuffle {
                    (n * 7919 + asked * 104_729) % 1_000_003
                } else {
                    n
                }
            };
            if span.unsorted {
                found.sort_by_key(|(n, _)| n.wrapping_mul(2_654_435_761) % 65_537);
            } else if matches!(step, Step::Tie { .. }) {
                found.sort_by_key(|(n, row)| (row.created, tiebreak(*n)));
            } else {
                found.sort_by_key(|(n, row)| (row.updated, tiebreak(*n)));
            }
            let total = found.len() as u64;
            let skip = (step.page() as usize - 1) * self.page_size;
            Some((
                found.into_iter().skip(skip).take(self.page_size).collect(),
                total,
            ))
        }

        /// Walks a window and all it is split into; gives the rows read and the last total of each window.
        fn walk(&mut self, span: Span) -> BTreeSet<usize> {
            let mut read = BTreeSet::new();
            let mut open = vec![span];
            while let Some(mut span) = open.pop() {
                let mut here = BTreeSet::new();
                let mut step = Step::first(&span);
                loop {
                    assert!(
                        self.asked < 5_000,
                        "the walk does not end: {span:?} {step:?}"
                    );
                    let Some((rows, total)) = self.ask(&span, &step) else {
                        (span, step) = refused(&span, &step).unwrap();
                        continue;
                    };
                    here.extend(rows.iter().map(|(n, _)| *n));
                    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
                    match next(&span, &step, &rows, total) {
                        Next::Done => {
                            if !self.shuffle {
                                assert_eq!(
                                    here.len() as u64,
                                    step.window_total(total),
                                    "{span:?} {step:?}"
                                );
                            }
                            break;
                        }
                        Next::Go(to) => step = to,
                        Next::Split(spans) => {
                            open.extend(spans);
                            break;
                        }
                    }
                }
                read.extend(here);
            }
            read
        }
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        // Few moments, so that ties are common and some share their creation too.
        prop::collection::vec(
            (prop_oneof![0..1_000_i64, Just(500), Just(501)], 0..6_i64),
            0..120,
        )
        .prop_map(|rows| {
            rows.into_iter()
                .map(|(updated, created)| Row { updated, created })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_walk_reads_every_row_whatever_the_index_can(
            rows in rows(), page_size in 2..20_usize, sorts: bool, knows_created: bool
        ) {
            let count = rows.len();
            let mut model = Model { rows, page_size, sorts, knows_created, shuffle: false, asked: 0 };
            prop_assert_eq!(model.walk(WHOLE).len(), count);
        }

        #[test]
        fn rows_of_one_moment_in_ever_another_order_are_all_read(
            rows in prop::collection::vec((prop_oneof![0..1_000_i64, Just(500)], 0..10_000_i64), 0..120)
        ) {
            let rows: Vec<Row> = rows.into_iter().map(|(updated, created)| Row { updated, created }).collect();
            let count = rows.len();
            // With at most a page of rows sharing both times no order within a moment matters.
            let shared = |a: &Row| rows.iter().filter(|b| *b == a).count();
            prop_assume!(rows.iter().all(|row| shared(row) < 8));
            let mut model = Model { rows, page_size: 8, sorts: true, knows_created: true, shuffle: true, asked: 0 };
            prop_assert_eq!(model.walk(WHOLE).len(), count);
        }

        #[test]
        fn pieces_are_the_whole_and_disjoint(from in -1_000..1_000_i64, length in 1..5_000_i64, count in 1..17_u64) {
            let pieces = pieces(from, from + length, count);
            prop_assert_eq!(pieces.first().unwrap().from, Some(from));
            prop_assert_eq!(pieces.last().unwrap().to, from + length);
            for pair in pieces.windows(2) {
                prop_assert_eq!(Some(pair[0].to), pair[1].from);
            }
            prop_assert!(pieces.iter().all(|p| p.from < Some(p.to)));
        }

        #[test]
        fn cuts_of_an_index_that_does_not_sort_are_the_whole_and_smaller(rows in rows(), from in prop::option::of(-5..3_i64)) {
            let span = Span { from, unsorted: true, ..WHOLE };
            if let Next::Split(cuts) = unsorted(&span, &rows, rows.len() as u64 + 1) {
                prop_assert_eq!((cuts[0].from, cuts.last().unwrap().to), (span.from, span.to));
                for pair in cuts.windows(2) {
                    prop_assert_eq!(Some(pair[0].to), pair[1].from);
                }
                prop_assert!(cuts.len() > 1);
            }
        }
    }

    #[test]
    fn rows_cost_their_share_of_requests() {
        let rows: Vec<Row> = (0..1_000)
            .flat_map(|t| {
                (0..10).map(move |c| Row {
                    updated: t,
                    created: c,
                })
            })
            .collect();
        let mut model = Model {
            rows,
            page_size: 500,
            sorts: true,
            knows_created: true,
            shuffle: false,
            asked: 0,
        };
        assert_eq!(model.walk(WHOLE).len(), 10_000);
        assert!(model.asked <= 22, "{} requests for 20 pages", model.asked);
    }

    #[test]
    fn a_window_over_the_cap_is_cut_by_its_size_after_the_rows_it_gave() {
        let span = Span {
            from: None,
            to: 1_000_000,
            unsorted: false,
        };
        let rows = [
            Row {
                updated: 10,
                created: 0,
            },
            Row {
                updated: 20,
                created: 0,
            },
        ];
        let Next::Split(pieces) = next(&span, &Step::first(&span), &rows, 120_000) else {
            panic!("no split")
        };
        assert_eq!(pieces.len(), 3);
        assert_eq!((pieces[0].from, pieces[2].to), (Some(20), 1_000_000));
    }

    #[test]
    fn rows_that_may_not_be_seen_do_not_hang_a_walk() {
        // The total counts three rows of a moment, the key may see one.
        let span = Span {
            from: Some(0),
            to: 100,
            unsorted: false,
        };
        let row = [Row {
            updated: 50,
            created: 1,
        }];
        let mut step = Step::first(&span);
        for _ in 0..10 {
            let rows: &[Row] = if step.page() == 1
                && step
                    != (Step::Sorted {
                        from: Some(51),
                        done: 3,
                    }) {
                &row
            } else {
                &[]
            };
            match next(&span, &step, rows, 3) {
                Next::Go(to) => step = to,
                Next::Done => return,
                Next::Split(_) => panic!("split"),
            }
        }
        panic!("the walk does not end at {step:?}");
    }
}
