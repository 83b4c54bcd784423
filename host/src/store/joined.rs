//! Rows that go into one table one after the other go there in one statement.
//!
//! Each statement is handed to the database's thread and waited for; with a statement a row, a migration spends more on the
//! handing over than on the rows. The text of a joined statement is made once for each number of rows, which are powers of
//! two, so that it stays prepared.

use std::collections::HashMap;
use std::sync::Arc;

use super::Statement;

/// Rows in one statement at most: a power of two. Fourteen columns of it stay far below any database's limit of parameters.
const ROWS: usize = 32;

/// Texts of joined statements.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// By the text of one row and the number of rows; nothing where rows cannot be joined.
    texts: HashMap<(&'static str, usize), Option<Arc<str>>>,
}

impl Joined {
    /// How many of the statements at the beginning are one, and its text; one and nothing where the first stands alone.
    pub fn next(&mut self, statements: &[&Statement]) -> (usize, Option<Arc<str>>) {
        let Some(first) = statements.first() else {
            return (0, None);
        };
        let same = |other: &&&Statement| std::ptr::eq(other.sql, first.sql) && !other.fenced;
        let run = statements.iter().take(ROWS).take_while(same).count();
        if run < 2 {
            return (1, None);
        }
        let rows = 1 << run.ilog2();
        let text = self
            .texts
            .entry((first.sql, rows))
            .or_insert_with(|| of_rows(first.sql, first.args.len(), rows))
            .clone();
        if text.is_none() {
            (1, None)
        } else {
            (rows, text)
        }
    }
}

/// An `INSERT` of one row as one of several; `None` for anything else, or where what follows the row uses a parameter, or the row
/// does not use each of its own once and in order. Its parameters have no numbers: SQLite looks a number up among all of the
/// statement's, each time that a value is bound to it.
fn of_rows(sql: &str, width: usize, rows: usize) -> Option<Arc<str>> {
    const VALUES: &str = "VALUES ";
    if !sql.starts_with("INSERT INTO ") {
        return None;
    }
    let (head, rest) = sql.split_once(VALUES)?;
    let mut depth = 0_usize;
    let end = rest.find(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ')' && depth == 0
    })?;
    let (row, tail) = rest.split_at(end + 1);
    if tail.contains('$') || !row.starts_with('(') {
        return None;
    }
    let mut pieces = row.split('$');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    let mut used = 0;
    for piece in pieces {
        used += 1;
        let after = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        if piece.strip_suffix(after) != Some(&used.to_string()) {
            return None;
        }
        plain.push('?');
        plain.push_str(after);
    }
    let all = vec![plain.as_str(); rows].join(", ");
    (used == width).then(|| format!("{head}{VALUES}{all}{tail}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql;

    #[test]
    fn rows_of_one_table_are_joined_by_powers_of_two() {
        let row = |id: i64| {
            sql!(
                "INSERT INTO t (a, b) VALUES ($1, coalesce($2, 'x')) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
                id,
                "b"
            )
        };
        let rows: Vec<Statement> = (0..3).map(row).collect();
        let other = sql!("DELETE FROM t WHERE a = $1", 1_i64);
        let all: Vec<&Statement> = rows.iter().chain([&other, &other]).collect();
        let mut joined = Joined::default();
        let (count, text) = joined.next(&all);
        assert_eq!(count, 2);
        assert_eq!(
            text.as_deref(),
            Some(
                "INSERT INTO t (a, b) VALUES (?, coalesce(?, 'x')), (?, coalesce(?, 'x')) ON CONFLICT (a) DO UPDATE SET b = \
                 excluded.b"
            )
        );
        assert_eq!(joined.next(&all[2..]), (1, None));
        assert_eq!(joined.next(&all[3..]), (1, None), "no insert");
        assert_eq!(joined.next(&[]), (0, None));
    }

    #[test]
    fn what_uses_its_parameters_otherwise_than_a_row_does_stands_alone() {
        for row in ["($2, $1)", "($1, $1)", "($1, $3)", "($1)", "($1, $20)"] {
            let text = format!("INSERT INTO t (a, b) VALUES {row}");
            assert_eq!(of_rows(&text, 2, 2), None, "{row}");
        }
        let text = "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1";
        assert_eq!(of_rows(text, 1, 2), None);
        assert_eq!(of_rows("INSERT INTO t (a) SELECT b FROM u", 0, 2), None);
    }
}
