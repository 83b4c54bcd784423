//! Lists to work through, as CSV: rejected records, and which record became which.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and what stands in our cells was written by
//! strangers. Such a cell begins with an apostrophe here, which spreadsheets show as text without it; so do cells that begin
//! with a blank or a control character, behind which a formula may stand.

use std::io::Write;

use ::csv::{Terminator, Writer, WriterBuilder};
use chrono::{DateTime, SecondsFormat};
use sqlx::Row as _;

use super::Rejected;
use super::read::{REJECTED, rejected_row};
use crate::contract::ledger::Effect;
use crate::error::Error;
use crate::store::Store;

/// The headings of the list of rejects. The last is for whoever works through it.
const REJECT_HEADINGS: [&str; 7] = [
    "kind",
    "source id",
    "name",
    "at the source",
    "why",
    "what to do",
    "done",
];
/// The headings of the id map.
const MAP_HEADINGS: [&str; 9] = [
    "source kind",
    "source id",
    "part",
    "destination kind",
    "destination id",
    "how",
    "at the destination",
    "written",
    "taken back",
];

/// Writes every rejected record of a run, and returns how many there are.
///
/// # Errors
/// A store error; what `out` says.
pub async fn rejects(store: &Store, run: &str, out: impl Write) -> Result<u64, Error> {
    let extraction = store
        .row(
            "SELECT extraction FROM runs WHERE id = $1",
            vec![run.into()],
        )
        .await?
        .map(|row| row.try_get::<String, _>("extraction"))
        .transpose()?
        .unwrap_or_default();
    let mut list = begin(out, &REJECT_HEADINGS)?;
    let mut count = 0;
    store
        .each(REJECTED, vec![run.into(), extraction.into()], |row| {
            count += 1;
            line(&mut list, &of_reject(&rejected_row(row)?))
        })
        .await?;
    end(list)?;
    Ok(count)
}

/// The same as text, of these.
///
/// # Errors
/// None, in memory.
pub fn rejects_text(rejected: &[Rejected]) -> Result<Vec<u8>, Error> {
    let mut text = vec![];
    let mut list = begin(&mut text, &REJECT_HEADINGS)?;
    for reject in rejected {
        line(&mut list, &of_reject(reject))?;
    }
    end(list)?;
    Ok(text)
}

fn of_reject(reject: &Rejected) -> [&str; 7] {
    [
        &reject.kind,
        &reject.id,
        &reject.name,
        &reject.url,
        &reject.cause,
        &reject.remedy,
        "",
    ]
}

/// Writes which record became which object, one line an object, and returns how many there are.
///
/// # Errors
/// A store error; what `out` says.
pub async fn id_map(store: &Store, run: &str, out: impl Write) -> Result<u64, Error> {
    let mut list = begin(out, &MAP_HEADINGS)?;
    let mut count = 0;
    store
        .each(
            "SELECT kind, source_id, part, target_kind, target_id, action, effect, at_ms, coalesce(undo_status, '') AS undone \
             FROM effects WHERE run = $1 AND kind <> 'own' ORDER BY id",
            vec![run.into()],
            |row| {
                let effect: Effect = serde_json::from_str(row.try_get("effect")?)?;
                let at: i64 = row.try_get("at_ms")?;
                let written = DateTime::from_timestamp_millis(at)
                    .map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
                count += 1;
                line(
                    &mut list,
                    &[
                        row.try_get("kind")?,
                        row.try_get("source_id")?,
                        row.try_get("part")?,
                        row.try_get("target_kind")?,
                        row.try_get("target_id")?,
                        row.try_get("action")?,
                        effect.url.as_deref().unwrap_or_default(),
                        written.as_deref().unwrap_or_default(),
                        row.try_get("undone")?,
                    ],
                )
            },
        )
        .await?;
    end(list)?;
    Ok(count)
}

/// A list with its headings. A mark of its encoding goes first: without it, spreadsheets guess.
fn begin<W: Write>(mut out: W, headings: &[&str]) -> Result<Writer<W>, Error> {
    out.write_all("\u{feff}".as_bytes()).map_err(failed)?;
    let mut list = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(out);
    line(&mut list, headings)?;
    Ok(list)
}

fn line<W: Write>(list: &mut Writer<W>, cells: &[&str]) -> Result<(), Error> {
    let cells = cells.iter().map(|cell| harmless(cell));
    list.write_record(cells)
        .map_err(|error| failed(std::io::Error::other(error)))
}

fn end<W: Write>(mut list: Writer<W>) -> Result<(), Error> {
    list.flush().map_err(failed)
}

fn failed(error: std::io::Error) -> Error {
    Error::environment("csv", "the list could not be written")
        .with_source(error)
        .with_hint("make room on this disk, or name another file")
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    let begins_badly = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\u{feff}'
        ) || c.is_whitespace()
            || c.is_control()
    };
    match cell.starts_with(begins_badly) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "＝1",
            "\u{feff}=1",
        ] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["", "a=1", "'=1", "1-1", "jo@acme.example", "größe"] {
            assert_eq!(harmless(cell), cell);
        }
    }

    #[test]
    fn a_list_is_read_back_as_it_was_written_but_for_formulas() {
        let reject = Rejected {
            kind: "customer".into(),
            id: "c1".into(),
            name: "=cmd|' /C calc'!A0".into(),
            url: "https://acme.example/c1".into(),
            cause: "the address \"a,b\"\nis not valid".into(),
            remedy: "mend it".into(),
        };
        let text = rejects_text(&[reject]).unwrap();
        assert_eq!(
            String::from_utf8(text.clone()).unwrap(),
            "\u{feff}kind,source id,name,at the source,why,what to do,done\r\ncustomer,c1,'=cmd|' /C calc'!A0,\
             https://acme.example/c1,\"the address \"\"a,b\"\"\nis not valid\",mend it,\r\n"
        );
        let mut read =
            ::csv::Reader::from_reader(text.strip_prefix("\u{feff}".as_bytes()).unwrap());
        let row = read.records().next().unwrap().unwrap();
        assert_eq!(&row[4], "the address \"a,b\"\nis not valid");
    }
}
