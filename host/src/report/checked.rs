//! What checking a page came to.

use std::fmt::Write as _;

use super::run::time;
use super::table::clean;
use super::{Width, plain_table};
use crate::pipeline::dossier::PageCheck;

/// What checking a page came to: each thing that was looked at, then all of it in a line.
#[must_use]
pub fn checked(check: &PageCheck, width: Width) -> String {
    let mut out = format!(
        "Page of run {}, made {}\n  sha-256  {}\n\n",
        clean(&check.run),
        time(check.made_at),
        check.sha256
    );
    let mut line = |holds: bool, good: &str, bad: &str| {
        // Writing into a String cannot fail.
        let _ = match holds {
            true => writeln!(out, "✓ {good}"),
            false => writeln!(out, "✗ {bad}"),
        };
    };
    line(
        check.given_out,
        "this store gave out this file, byte for byte",
        "this store gave out no such file: it was changed, or is of another store",
    );
    if let Some(shows) = check.shows_its_data {
        line(
            shows,
            "what it shows is what its data says",
            "what it shows is not what its data says",
        );
    }
    line(
        check.run_is_there,
        "the store has the run",
        "the store does not have the run",
    );
    line(
        check.chain_holds,
        "the ledger's chain of hashes holds",
        "THE LEDGER'S CHAIN OF HASHES IS BROKEN: somebody changed the store",
    );
    line(
        check.head.known,
        &format!(
            "the head on the page is link {} of the chain; {} since",
            check.head.head.links, check.head.links_since
        ),
        "the head on the page is no link of the store's chain",
    );
    let compared = check.run_is_there && check.head.of_this_run == 0;
    if compared {
        line(
            check.differences.is_empty(),
            "what it says of the ledger is what the ledger says",
            "it says other than the ledger:",
        );
    }
    let rows = check.differences.iter().map(|difference| {
        vec![
            difference.what.clone(),
            difference.page.clone(),
            difference.store.clone(),
        ]
    });
    let table = plain_table(&["what", "on the page", "in the store"], rows, width);
    if !table.is_empty() {
        let _ = writeln!(out, "\n{table}");
    }
    for moved in &check.moved_on {
        let _ = writeln!(out, "  changed since: {}", clean(moved));
    }
    out.push_str(match check.ok {
        true => "\nThe page is genuine.\n",
        false => "\nTHE PAGE IS NOT PROVEN.\n",
    });
    out
}
