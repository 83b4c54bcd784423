//! The page of a plan: what is decided before anything is written.
//!
//! Policy: it says what the text says, in the same words and order, since both are made of the same tables; only the first part,
//! which tells in a glance whether the plan can run, what it moves and what somebody has to decide, is the page's own.

use maud::{Markup, html};

use super::{
    Cell, Column, Page, Section, Tile, Tone, banner, facts, link, list, notices, page, said,
    section, table, tiles,
};
use crate::pipeline::model::{ConnectionCheck, Plan};
use crate::report::plan::{Head, Part, calls, dangers, parts};
use crate::report::{duration, number};

/// A plan as a page of its own.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let names: Vec<&str> = plan
        .check
        .connections
        .iter()
        .map(|connection| connection.account_name.as_str())
        .collect();
    let mut sections = vec![section("short", "In short", "", in_short(plan))];
    let mut rest = vec![];
    for part in parts(plan) {
        match part.id {
            // What somebody has to do comes first.
            "moves" | "decide" | "refusals" | "look" => sections.extend(of_part(part)),
            _ => rest.extend(of_part(part)),
        }
    }
    sections.extend(of_part(dangers(plan)));
    if !plan.side_effects.is_empty() {
        let title = "Side effects at the destination";
        let about = "What happens there beyond the records themselves, and what guards against it.";
        let body = notices(&plan.side_effects);
        sections
            .push(section("effects", title, about, body).counting(plan.side_effects.len() as u64));
    }
    sections.extend(rest);
    if !plan.notices.is_empty() {
        let body = notices(&plan.notices);
        sections.push(
            section("notices", "What both sides say", "", body).counting(plan.notices.len() as u64),
        );
    }
    if !plan.damage.is_empty() {
        let columns = [
            Column::Name("kind"),
            Column::Name("field"),
            Column::Name("what"),
            Column::Words("pattern"),
            Column::Number("records"),
        ];
        let rows = plan.damage.iter().map(|group| {
            let words = [&group.kind, &group.field, &group.what, &group.pattern];
            let mut row: Vec<Cell> = words.map(|text| Cell::from(text.as_str())).into();
            row.push(Cell::Number(group.records));
            row
        });
        let title = "Texts that look damaged, in what was read so far";
        let body = table(&columns, rows.collect());
        sections.push(section("damage", title, "They arrive as they are.", body));
    }
    for connection in &plan.check.connections {
        let id = match connection.role.as_str() {
            "source" => "source",
            _ => "destination",
        };
        let title = format!("The {}", connection.role);
        sections.push(section(id, &title, "", account(connection)));
    }
    page(&Page {
        title: format!("Plan {}", names.join(" to ")),
        kicker: "Transload · plan".to_owned(),
        heading: html! {
            @for (at, name) in names.iter().enumerate() {
                @if at > 0 { " to " }
                (said(name))
            }
        },
        lead: html! { (said(&calls(plan))) },
        sections,
        foot: vec![
            format!("Plan {}", plan.digest),
            "A run that finds other facts than these is refused, and says which.".to_owned(),
        ],
        data: None,
    })
}

fn in_short(plan: &Plan) -> Markup {
    let sum = |count: fn(&crate::pipeline::model::Forecast) -> u64| -> String {
        number(plan.kinds.iter().map(|kind| count(&kind.forecast)).sum())
    };
    let tile = |name: &str, value: String, note: &str| Tile {
        name: name.to_owned(),
        value,
        note: note.to_owned(),
    };
    let read: u64 = plan.evidence.read.values().sum();
    let basis = match plan.evidence.complete {
        true => "counted on every record",
        false => "reckoned from what is read",
    };
    let open = plan
        .dangers
        .iter()
        .filter(|danger| !danger.accepted)
        .count() as u64;
    html! {
        @if plan.errors.is_empty() {
            (banner(Tone::Good, "This plan can run", html! {
                p { "transload run --accept " (plan.digest) }
            }))
        } @else {
            (banner(Tone::Bad, "This plan cannot run yet", html! {
                ul { @for error in &plan.errors { li { (said(error)) } } }
            }))
        }
        (tiles(&[
            tile("made", sum(|f| f.created), basis),
            tile("found there", sum(|f| f.matched), basis),
            tile("left out", sum(|f| f.skipped), "by your rules and the source's own"),
            tile("refused", sum(|f| f.rejected), "for sure; others may be"),
            tile("to files", sum(|f| f.exported), "no place at the destination"),
            tile("at least", duration(plan.forecast_ms), "by the rate limits alone"),
            tile("dangers", number(open), "that nobody has taken on"),
            tile("records read", number(read), "what the plan knows of"),
        ]))
    }
}

/// A table of the plan as a section; nothing if it has no rows.
fn of_part(part: Part) -> Option<Section> {
    if part.rows.is_empty() {
        return None;
    }
    let count = part.rows.len() as u64;
    let columns: Vec<Column> = part
        .columns
        .iter()
        .enumerate()
        .map(|(at, head)| match head {
            Head::Left(name) if at == 0 => Column::Name(name),
            Head::Left(name) => Column::Words(name),
            Head::Right(name) => Column::Number(name),
        })
        .collect();
    let rows = part.rows.into_iter();
    let rows = rows.map(|row| row.into_iter().map(Cell::from).collect());
    let body = table(&columns, rows.collect());
    Some(section(part.id, &part.title, part.lead, body).counting(count))
}

fn account(connection: &ConnectionCheck) -> Markup {
    let words = |text: &Option<String>| said(text.as_deref().unwrap_or("not known"));
    facts(&[
        ("account", said(&connection.account)),
        (
            "address",
            match &connection.url {
                Some(url) => link(url, url),
                None => said("not known"),
            },
        ),
        ("tier", words(&connection.tier)),
        ("acts as", words(&connection.user)),
        ("plugin", said(&connection.plugin)),
        ("its digest", said(&connection.digest)),
        ("may reach", list(&connection.hosts)),
        ("rights that are missing", list(&connection.missing_rights)),
        ("more rights than needed", list(&connection.excess_rights)),
    ])
}
