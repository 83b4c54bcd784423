//! The report of a run as a page: for its owner, who reads the first screen, and for an auditor, who checks the last.

use chrono::{DateTime, SecondsFormat};
use maud::{Markup, html};

use super::parts::{Cell, Column, Share, Tile, Tone};
use super::plot::{Panel, Series, Shape};
use super::{Page, Section, page, parts, section};
use crate::error::Error;
use crate::pipeline::dossier::{ConnectionPace, Dossier, MOST_OWNERS, MOST_REJECTED, rejects_text};
use crate::pipeline::model::{
    Beside, BesideHow, CostUnit, DamageGroup, DeclaredGroup, Difference, KindSum, LossGroup,
    RunReport, RunState, VerifyKind,
};
use crate::report::run::{against_words, amount, as_said, ends};
use crate::report::{
    adds_up, beside_mark, clean, difference_word, duration, is_clean, number, verification_summary,
};

/// Rows of a list that are shown at once; the rest is folded away.
const AT_ONCE: usize = 12;

/// The page of a run: a function of what it is made from and nothing else, so that it can be made again.
///
/// # Errors
/// What it is made from cannot be written as JSON.
pub fn run(dossier: &Dossier) -> Result<String, Error> {
    let report = &dossier.report;
    let (from, to) = (name_of(&report.source), name_of(&report.destination));
    let sections = [
        Some(summary(dossier)),
        Some(sums(report)),
        timeline(dossier),
        Some(rejects(dossier)?),
        losses(report),
        damage(report),
        owners(dossier),
        files(dossier),
        effects(dossier),
        against(dossier),
        verified(report),
        undo(report),
        inventory(report),
        notices(report),
        Some(requests(report)),
        Some(proof(dossier)),
    ];
    Ok(page(&Page {
        title: format!("{from} → {to}: report of run {}", report.run),
        kicker: "Transload · report of a migration".into(),
        heading: html! { (parts::said(from)) span.to { " → " } (parts::said(to)) },
        lead: html! {
            "Run " code { (clean(&report.run)) } ", begun " (time(report.started_at))
            @if let Some(ended) = report.ended_at {
                ", ended " (time(ended)) " after " (took(report.started_at, ended))
            }
            "."
        },
        sections: sections.into_iter().flatten().collect(),
        foot: foot(dossier),
        data: Some(data(dossier)?),
    }))
}

/// What the page is made from, as it is kept in it.
///
/// # Errors
/// It cannot be written as JSON.
pub fn data(dossier: &Dossier) -> Result<String, Error> {
    Ok(serde_json::to_string(dossier)?)
}

fn foot(dossier: &Dossier) -> Vec<String> {
    let mut foot = vec![format!(
        "Made by transload {} at {}. Times are UTC. This page asks for nothing from anywhere; all it shows is in it.",
        env!("CARGO_PKG_VERSION"),
        time(dossier.made_at)
    )];
    if !dossier.content {
        foot.push(
            "Made without content: ids, links, names and reasons of single records are left out; every count stays."
                .to_owned(),
        );
    }
    foot
}

fn arrived(sum: &KindSum) -> u64 {
    sum.created + sum.updated + sum.matched
}

fn aside(sum: &KindSum) -> u64 {
    sum.skipped + sum.exported
}

fn shares(sum: &KindSum) -> [Share; 4] {
    let share = |name, count, class| Share { name, count, class };
    [
        share("at the destination", arrived(sum), "arrived"),
        share("left out by a rule, or exported", aside(sum), "aside"),
        share("rejected", sum.rejected, "rejected"),
        share("open or unsettled", sum.open + sum.unsettled, "open"),
    ]
}

/// The first sentence, and what is behind it.
fn verdict(report: &RunReport) -> (Tone, &'static str, Vec<String>) {
    let total = &report.total;
    let mut wrong = vec![];
    if !report.chain_ok {
        wrong
            .push("The ledger's chain of hashes is broken: somebody changed the store.".to_owned());
    }
    for sum in report.kinds.iter().filter(|sum| !adds_up(sum)) {
        wrong.push(format!("The sum of the kind {} does not add up.", sum.kind));
    }
    for (n, what) in [
        (report.duplicates, "objects were made twice for one record"),
        (
            report.lost,
            "records are without an outcome in a complete run",
        ),
    ] {
        if n > 0 {
            wrong.push(format!("{} {what}.", number(n)));
        }
    }
    if !wrong.is_empty() {
        return (Tone::Bad, "This does not add up.", wrong);
    }
    let mut points = vec![];
    let mut point = |n: u64, what: &str| {
        if n > 0 {
            points.push(format!("{} {what}", number(n)));
        }
    };
    match report.state {
        RunState::RolledBack if report.left_after_rollback == 0 => (
            Tone::Good,
            "Taken back: the destination holds nothing of this run.",
            points,
        ),
        RunState::RolledBack | RunState::RollingBack => {
            point(
                report.left_after_rollback,
                "effects are still at the destination; they are listed with the reason.",
            );
            (Tone::Warn, "Taken back in part.", points)
        }
        RunState::Complete if is_clean(report) => {
            if total.rejected == 0 {
                return (
                    Tone::Good,
                    "Complete: every record that was read is accounted for.",
                    points,
                );
            }
            point(
                total.rejected,
                "were rejected, each with its reason and what to do; they are below.",
            );
            (
                Tone::Warn,
                "Complete: every record that was read is accounted for, and some need a person.",
                points,
            )
        }
        state => {
            point(
                total.unsettled,
                "are unsettled: it is not known yet whether they were written.",
            );
            point(
                total.shortfall,
                "are missing: counted by the source, and not given out by it.",
            );
            point(total.open, "are still to be done.");
            if let Some(reason) = &report.reason {
                points.push(format!("It stands at this: {reason}."));
            }
            let words = match state {
                RunState::Paused => "Paused: it goes on by itself.",
                RunState::Stopped => "Stopped: `transload run` goes on with it.",
                RunState::Complete => "Done, and something is left.",
                _ => "Not finished.",
            };
            (Tone::Warn, words, points)
        }
    }
}

fn summary(dossier: &Dossier) -> Section {
    let report = &dossier.report;
    let total = &report.total;
    let (tone, title, points) = verdict(report);
    let tile = |name: &str, n: u64, note: String| Tile {
        name: name.into(),
        value: number(n),
        note,
    };
    let mut tiles = vec![
        tile("read at the source", total.read, String::new()),
        tile(
            "at the destination",
            arrived(total),
            percent(arrived(total), total.read),
        ),
        tile("made there", total.created, String::new()),
        tile(
            "there already",
            total.updated + total.matched,
            match total.updated {
                0 => String::new(),
                n => format!("{} of them completed", number(n)),
            },
        ),
        tile("left out by a rule", total.skipped, String::new()),
        tile("exported to files", total.exported, String::new()),
        tile("rejected", total.rejected, String::new()),
    ];
    for (name, n) in [
        ("unsettled", total.unsettled),
        ("open", total.open),
        ("missing", total.shortfall),
        ("taken back", total.undone),
    ] {
        if n > 0 {
            tiles.push(tile(name, n, String::new()));
        }
    }
    let body = html! {
        (parts::banner(tone, title, html! {
            p { (in_words(report)) }
            @if !points.is_empty() {
                ul { @for point in &points { li { (parts::said(point)) } } }
            }
        }))
        (parts::tiles(&tiles))
        (parts::shares(&shares(total)))
    };
    section("summary", "Summary", "", body)
}

fn in_words(report: &RunReport) -> String {
    let total = &report.total;
    let back = matches!(report.state, RunState::RollingBack | RunState::RolledBack);
    let mut words = format!(
        "Of {} records that were read, {} {} at the destination: {} were made, {} were there already.",
        number(total.read),
        number(arrived(total)),
        if back { "had been" } else { "are" },
        number(total.created),
        number(total.updated + total.matched)
    );
    if aside(total) > 0 {
        words.push_str(&format!(
            " {} have no place there and are in the export folder; {} were left out by a rule.",
            number(total.exported),
            number(total.skipped)
        ));
    }
    words
}

fn sums(report: &RunReport) -> Section {
    type Get = fn(&KindSum) -> u64;
    let columns: [(&'static str, bool, Get); 13] = [
        ("expected", true, |s| s.expected),
        ("explained", false, |s| s.explained.values().sum()),
        ("missing", false, |s| s.shortfall),
        ("read", true, |s| s.read),
        ("made", true, |s| s.created),
        ("completed", false, |s| s.updated),
        ("matched", false, |s| s.matched),
        ("left out", false, |s| s.skipped),
        ("exported", false, |s| s.exported),
        ("rejected", true, |s| s.rejected),
        ("unsettled", false, |s| s.unsettled),
        ("open", false, |s| s.open),
        ("taken back", false, |s| s.undone),
    ];
    let sums = || report.kinds.iter().chain([&report.total]);
    let shown: Vec<_> = columns
        .into_iter()
        .filter(|(_, always, get)| *always || sums().any(|sum| get(sum) > 0))
        .collect();
    let mut head = vec![Column::Name("kind"), Column::Name("")];
    head.extend(shown.iter().map(|(name, _, _)| Column::Number(name)));
    let row = |sum: &KindSum| {
        let mut row: Vec<Cell> = vec![
            html! { (parts::said(&sum.kind.replace('-', " "))) (parts::bar(&shares(sum))) }.into(),
            match adds_up(sum) {
                true => parts::pill(Tone::Good, "✓"),
                false => parts::pill(Tone::Bad, "✗"),
            }
            .into(),
        ];
        row.extend(shown.iter().map(|(_, _, get)| Cell::Number(get(sum))));
        row
    };
    let rows: Vec<_> = report
        .kinds
        .iter()
        .filter(|sum| sum.expected + sum.read > 0)
        .map(row)
        .collect();
    let explained: Vec<Vec<Cell>> = report
        .kinds
        .iter()
        .flat_map(|sum| {
            sum.explained
                .iter()
                .map(|(why, n)| vec![sum.kind.replace('-', " ").into(), why.into(), (*n).into()])
        })
        .collect();
    let skips = report.skips.iter().map(|group| {
        vec![
            group.kind.replace('-', " ").into(),
            (&group.rule).into(),
            group.count.into(),
        ]
    });
    let body = html! {
        (parts::total_table(&head, rows, Some(row(&report.total))))
        @if !explained.is_empty() {
            h3 { "Explained" }
            p.about { "Rows of the source that are no record of ours." }
            (parts::table(&[Column::Name("kind"), Column::Words("why"), Column::Number("rows")], explained))
        }
        @if !report.skips.is_empty() {
            h3 { "Left out by a rule" }
            (parts::table(&[Column::Name("kind"), Column::Words("rule"), Column::Number("records")], skips.collect()))
        }
    };
    section(
        "sums",
        "Sums per kind",
        "Expected by the source's own counters = read + explained + missing; read = what became of it. ✓ where both hold. A column that would hold nothing but 0 is left out.",
        body,
    )
}

fn timeline(dossier: &Dossier) -> Option<Section> {
    let timeline = &dossier.timeline;
    if timeline.arrived.is_empty() || timeline.step_ms <= 0 {
        return None;
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "a plot of counts far below 2^52"
    )]
    let minute = |n: u64| n as f64 * 60_000.0 / timeline.step_ms as f64;
    #[allow(
        clippy::cast_precision_loss,
        reason = "a plot of counts far below 2^52"
    )]
    let plain = |n: u64| n as f64;
    let records = |name: &str, class, values: &[u64]| Series {
        name: name.into(),
        class,
        values: values.iter().map(|n| Some(minute(*n))).collect(),
    };
    let class = |pace: &ConnectionPace| match pace.role.as_str() {
        "source" => "source",
        _ => "destination",
    };
    let mut series = vec![records("at the destination", "arrived", &timeline.arrived)];
    for (name, class, values) in [
        ("left out or exported", "aside", &timeline.aside),
        ("rejected", "rejected", &timeline.rejected),
    ] {
        if values.iter().any(|n| *n > 0) {
            series.push(records(name, class, values));
        }
    }
    let mut panels = vec![Panel {
        title: "Records settled a minute".into(),
        shape: Shape::Columns,
        series,
        mark: None,
        unit: "",
    }];
    let paces = &timeline.connections;
    if !paces.is_empty() {
        panels.push(Panel {
            title: "Requests a minute".into(),
            shape: Shape::Line,
            series: paces
                .iter()
                .map(|pace| Series {
                    name: pace.connection.clone(),
                    class: class(pace),
                    values: pace.sent.iter().map(|n| Some(minute(*n))).collect(),
                })
                .collect(),
            mark: None,
            unit: "",
        });
    }
    if paces
        .iter()
        .any(|pace| pace.fullest.iter().any(Option::is_some))
    {
        panels.push(Panel {
            title: "The fullest limit, of our share".into(),
            shape: Shape::Line,
            series: paces
                .iter()
                .map(|pace| Series {
                    name: match &pace.rule {
                        Some(rule) => format!("{} ({rule})", pace.connection),
                        None => pace.connection.clone(),
                    },
                    class: class(pace),
                    values: pace.fullest.iter().map(|n| n.map(plain)).collect(),
                })
                .collect(),
            mark: Some((100.0, "all that we may use")),
            unit: " %",
        });
    }
    let moments = timeline.arrived.iter().enumerate().map(|(at, arrived)| {
        let from = i64::try_from(at)
            .unwrap_or(0)
            .saturating_mul(timeline.step_ms);
        let of = |values: &[u64]| Cell::Number(values.get(at).copied().unwrap_or(0));
        let mut row: Vec<Cell> = vec![
            time(timeline.from.saturating_add(from)).into(),
            (*arrived).into(),
            of(&timeline.aside),
            of(&timeline.rejected),
        ];
        for role in ["source", "destination"] {
            let sent = paces.iter().find(|pace| pace.role == role);
            row.push(sent.map_or(Cell::Number(0), |pace| of(&pace.sent)));
        }
        row
    });
    let step = duration(u64::try_from(timeline.step_ms).unwrap_or(0));
    let body = html! {
        (super::plot(timeline.from, timeline.step_ms, &panels))
        (parts::folded(&format!("The numbers, in steps of {step}"), parts::table(
            &[
                Column::Name("from"), Column::Number("at the destination"), Column::Number("left out or exported"),
                Column::Number("rejected"), Column::Number("requests, source"), Column::Number("requests, destination"),
            ],
            moments.collect(),
        )))
    };
    Some(section(
        "timeline",
        "Timeline",
        "How fast it went, and how much of the platforms' limits that we may use it took. Point at a moment for its numbers.",
        body,
    ))
}

fn rejects(dossier: &Dossier) -> Result<Section, Error> {
    let report = &dossier.report;
    let columns = [
        Column::Name("kind"),
        Column::Number("records"),
        Column::Words("why"),
        Column::Words("what to do"),
        Column::Words("for example"),
    ];
    let rows = report.rejects.iter().map(|group| {
        vec![
            group.kind.replace('-', " ").into(),
            group.count.into(),
            (&group.cause).into(),
            (&group.remedy).into(),
            examples(&group.examples).into(),
        ]
    });
    let total = report.total.rejected;
    let held = dossier.rejected.len();
    let list = rejects_text(&dossier.rejected)?;
    let body = html! {
        @if report.rejects.is_empty() { p.about { "No record was rejected." } }
        (in_two(&columns, rows.collect()))
        @if held > 0 {
            (parts::download(
                &format!("Download the list to work through ({} records, CSV)", number(held as u64)),
                &format!("rejects-{}.csv", report.run), "text/csv;charset=utf-8", &list,
            ))
        }
        @if total > held as u64 && dossier.content {
            p.more {
                "The page holds the first " (number(MOST_REJECTED as u64)) " of " (number(total)) ". "
                code { "transload report --rejects rejects.csv" } " writes all of them."
            }
        }
    };
    Ok(section(
        "rejects",
        "Rejected",
        match report.rejects.is_empty() {
            true => "",
            false => "Records that are not at the destination, by cause, the biggest group first.",
        },
        body,
    )
    .counting(total))
}

fn losses(report: &RunReport) -> Option<Section> {
    if report.losses.is_empty() {
        return None;
    }
    let columns = [
        Column::Name("kind"),
        Column::Name("field"),
        Column::Name(""),
        Column::Number("records"),
        Column::Words("why"),
        Column::Words("for example"),
    ];
    let row = |loss: &LossGroup| {
        vec![
            loss.kind.replace('-', " ").into(),
            html! { code { (clean(&loss.field)) } }.into(),
            how(&loss.how).into(),
            loss.count.into(),
            (&loss.note).into(),
            examples(&loss.examples).into(),
        ]
    };
    let body = in_two(&columns, report.losses.iter().map(row).collect());
    Some(
        section(
            "losses",
            "Not carried exactly",
            "Fields that arrived in another form, or not at all, as the connectors said of each record.",
            body,
        )
        .counting(report.losses.len() as u64),
    )
}

fn damage(report: &RunReport) -> Option<Section> {
    if report.damage.is_empty() {
        return None;
    }
    let columns = [
        Column::Name("kind"),
        Column::Name("field"),
        Column::Name("what"),
        Column::Number("records"),
        Column::Words("looks like"),
        Column::Words("for example"),
    ];
    let row = |group: &DamageGroup| {
        let ids: Vec<String> = group.examples.iter().map(|one| one.id.clone()).collect();
        vec![
            group.kind.replace('-', " ").into(),
            html! { code { (clean(&group.field)) } }.into(),
            parts::pill(Tone::Warn, &group.what.replace('-', " ")).into(),
            group.records.into(),
            (&group.pattern).into(),
            examples(&ids).into(),
        ]
    };
    let body = in_two(&columns, report.damage.iter().map(row).collect());
    Some(
        section(
            "damage",
            "Texts that look damaged",
            "As they were in the source, and as they arrived: nothing was mended. Every record is listed in text-damage.jsonl of the \
             export folder.",
            body,
        )
        .counting(report.damage.iter().map(|group| group.records).sum()),
    )
}

fn how(word: &str) -> Markup {
    let tone = match word {
        "lost" => Tone::Warn,
        _ => Tone::Plain,
    };
    parts::pill(tone, word)
}

fn examples(ids: &[String]) -> Markup {
    if ids.is_empty() {
        return html! {};
    }
    html! {
        span {
            @for (at, id) in ids.iter().enumerate() {
                @if at > 0 { ", " }
                code { (parts::said(id)) }
            }
        }
    }
}

/// A table of which the first rows are seen at once.
fn in_two(columns: &[Column], mut rows: Vec<Vec<Cell>>) -> Markup {
    let rest = rows.split_off(rows.len().min(AT_ONCE));
    let more = rest.len();
    html! {
        (parts::table(columns, rows))
        @if more > 0 {
            (parts::folded(&format!("{} more", number(more as u64)), parts::table(columns, rest)))
        }
    }
}

fn owners(dossier: &Dossier) -> Option<Section> {
    let owners = &dossier.owners;
    if owners.all == 0 {
        return None;
    }
    let rows = owners.list.iter().map(|owner| {
        let there = match (&owner.target, &owner.url) {
            (Some(target), Some(url)) => parts::link(target, url),
            (Some(target), None) => parts::said(target),
            (None, _) => parts::pill(Tone::Warn, "a stand-in"),
        };
        vec![
            (&owner.name).into(),
            html! { code { (parts::said(&owner.id)) } }.into(),
            there.into(),
            (&owner.outcome).into(),
            owner.conversations.into(),
        ]
    });
    let other = owners.all - owners.known;
    let body = html! {
        (parts::tiles(&[
            Tile { name: "agents at the source".into(), value: number(owners.all), note: String::new() },
            Tile { name: "known at the destination".into(), value: number(owners.known), note: percent(owners.known, owners.all) },
            Tile { name: "somebody stands in".into(), value: number(other), note: "the texts name the person".into() },
            Tile {
                name: "conversations with their owner".into(), value: number(owners.conversations_known),
                note: format!("{} with a stand-in", number(owners.conversations_other)),
            },
        ]))
        (in_two(
            &[
                Column::Name("name"), Column::Name("source id"), Column::Name("at the destination"), Column::Name("outcome"),
                Column::Number("conversations"),
            ],
            rows.collect(),
        ))
        @if owners.all > owners.list.len() as u64 && dossier.content {
            p.more { "The first " (number(MOST_OWNERS as u64)) " are listed." }
        }
    };
    Some(
        section(
            "owners",
            "Owners",
            "Who a conversation belonged to, and who that is now. A conversation counts for its first assignee.",
            body,
        )
        .counting(owners.all),
    )
}

fn files(dossier: &Dossier) -> Option<Section> {
    if dossier.files.is_empty() {
        return None;
    }
    let rows = dossier.files.iter().map(|sum| {
        vec![
            match sum.outcome.as_str() {
                "created" => "uploaded",
                "rejected" => "not to be had, or refused",
                "exported" => "in the export folder",
                other => other,
            }
            .into(),
            sum.files.into(),
            sum.fetched.into(),
            bytes(sum.bytes).into(),
        ]
    });
    let all: u64 = dossier.files.iter().map(|sum| sum.files).sum();
    let body = parts::table(
        &[
            Column::Name("what became of them"),
            Column::Number("files"),
            Column::Number("fetched"),
            Column::Number("bytes"),
        ],
        rows.collect(),
    );
    Some(
        section(
            "attachments",
            "Attachments",
            "A file that the destination refuses or that is too large for it is in the export folder, and its thread names it.",
            body,
        )
        .counting(all),
    )
}

fn effects(dossier: &Dossier) -> Option<Section> {
    let plan = dossier.plan.as_ref();
    let declared = plan.map_or(&[][..], |plan| &plan.side_effects);
    if dossier.objects.is_empty() && declared.is_empty() {
        return None;
    }
    let undone = dossier.objects.iter().any(|sum| sum.undone > 0);
    let mut columns = vec![
        Column::Name("object"),
        Column::Number("made"),
        Column::Number("changed"),
        Column::Number("left as it was"),
    ];
    if undone {
        columns.push(Column::Number("taken back"));
    }
    let rows = dossier.objects.iter().map(|sum| {
        vec![
            (&sum.target_kind).into(),
            sum.created.into(),
            sum.updated.into(),
            sum.matched.into(),
            sum.undone.into(),
        ]
    });
    let body = html! {
        h3 { "Touched at the destination" }
        (parts::table(&columns, rows.collect()))
        @if !declared.is_empty() {
            h3 { "Side effects that the plan named" }
            (parts::notices(declared))
        }
        @if let Some(plan) = plan.filter(|plan| !plan.dangers.is_empty()) {
            h3 { "Dangers that somebody took on" }
            (parts::table(
                &[Column::Name("code"), Column::Name("from"), Column::Words("what")],
                plan.dangers.iter().map(|danger| {
                    let notice = &danger.notice;
                    vec![html! { code { (clean(&notice.code)) } }.into(), (&notice.from).into(), (&notice.message).into()]
                }).collect(),
            ))
        }
    };
    Some(section(
        "effects",
        "Side effects",
        "What the run left at the destination, object by object as the platform calls them, and what else it was said to do.",
        body,
    ))
}

fn against(dossier: &Dossier) -> Option<Section> {
    let held = dossier.report.against.as_ref()?;
    let by_plan = held.kinds.iter().any(|kind| kind.plan.is_some());
    let by_dry_run = held.kinds.iter().any(|kind| kind.dry_run.is_some());
    let plan = dossier.plan.as_ref();
    let mut head = vec![Column::Name("kind")];
    head.extend(plan.map(|_| Column::Words("how it was to arrive")));
    head.extend([Column::Number("planned"), Column::Number("read")]);
    let said = [(by_plan, "by the plan"), (by_dry_run, "by the dry run")];
    let said = said.into_iter().filter(|(there, _)| *there);
    head.extend(said.map(|(_, name)| Column::Words(name)));
    head.extend([Column::Name(""), Column::Words("came")]);
    let kinds = held
        .kinds
        .iter()
        .filter(|kind| kind.planned.is_some() || kind.dry_run.is_some())
        .map(|kind| {
            let planned = match (kind.planned, kind.certainty.as_deref()) {
                (None, _) => "?".to_owned(),
                (Some(n), Some("exact")) => number(n),
                (Some(n), Some("at-least")) => format!("≥ {}", number(n)),
                (Some(n), _) => format!("~ {}", number(n)),
            };
            let mut row: Vec<Cell> = vec![kind.kind.replace('-', " ").into()];
            row.extend(plan.map(|plan| {
                let mut kinds = plan.kinds.iter();
                let said = kinds.find(|said| said.kind == kind.kind);
                said.map_or("", |said| said.arrival.as_str()).into()
            }));
            row.push(html! { (planned) }.into());
            row.push(Cell::Number(kind.read));
            for (there, said) in [(by_plan, &kind.plan), (by_dry_run, &kind.dry_run)] {
                if there {
                    row.push(said.as_ref().map(ends).unwrap_or_default().into());
                }
            }
            row.push(match as_said(kind) {
                "" => html! {}.into(),
                "✓" => parts::pill(Tone::Good, "✓").into(),
                other => parts::pill(Tone::Warn, other).into(),
            });
            row.push(ends(&kind.came).into());
            row
        });
    let value = |n: Option<u64>, unit| -> Cell {
        let words = n.map(|n| amount(n, unit)).unwrap_or_default();
        html! { (words) }.into()
    };
    let costs = held.costs.iter().map(|cost| {
        vec![
            cost.what.as_str().into(),
            value(cost.plan, cost.unit),
            value(cost.dry_run, cost.unit),
            value(cost.was, cost.unit),
        ]
    });
    let losses = held.losses.iter().map(|loss| {
        vec![
            loss.kind.replace('-', " ").into(),
            html! { code { (clean(&loss.field)) } }.into(),
            how(&loss.how).into(),
            match loss.planned {
                None => html! {},
                Some(true) => html! { "named" },
                Some(false) => parts::pill(Tone::Warn, "not named"),
            }
            .into(),
            value(loss.dry_run, CostUnit::Requests),
            loss.came.into(),
        ]
    });
    let body = html! {
        (parts::table(&head, kinds.collect()))
        (parts::table(
            &[
                Column::Words(""), Column::Number("by the plan"), Column::Number("by the dry run"), Column::Number("was"),
            ],
            costs.collect(),
        ))
        h3 { "Losses" }
        @if !held.losses.is_empty() {
            p.about { "Met by records otherwise than was said:" }
            (in_two(
                &[
                    Column::Name("kind"), Column::Name("field"), Column::Name(""), Column::Name("by the plan"),
                    Column::Number("by the dry run"), Column::Number("came"),
                ],
                losses.collect(),
            ))
        }
        @for words in against_words(held) { p.more { (words) } }
        @if let Some(plan) = plan {
            p.more { "The plan's digest is " span.digest { (clean(&plan.digest)) } "." }
        }
    };
    Some(section(
        "plan",
        "Plan and actual",
        "What was said before anything was written, by the plan and by a dry run where there was one, and what happened.",
        body,
    ))
}

/// The last time that the destination was read back and compared: the proof, and what it found.
fn verified(report: &RunReport) -> Option<Section> {
    let found = report.verification.as_ref()?;
    let kind = |kind: &VerifyKind| {
        vec![
            kind.kind.replace('-', " ").into(),
            kind.there.into(),
            kind.checked.into(),
            kind.equal.into(),
            kind.declared.into(),
            kind.undeclared.into(),
        ]
    };
    let first = match found.after_rollback {
        true => "effects",
        false => "there",
    };
    let kinds = parts::table(
        &[
            Column::Name("kind"),
            Column::Number(first),
            Column::Number("read back"),
            Column::Number("equal"),
            Column::Number("as declared"),
            Column::Number("differ"),
        ],
        found.kinds.iter().map(kind).collect(),
    );
    let difference = |one: &Difference| {
        let target = one.target.as_deref().unwrap_or("nothing");
        let there = match one.url.as_deref() {
            Some(url) => parts::link(target, url),
            None => html! { code { (clean(target)) } },
        };
        vec![
            html! { (one.kind.replace('-', " ")) " " code { (clean(&one.source_id)) } }.into(),
            there.into(),
            html! { code { (clean(&one.field)) } }.into(),
            difference_word(one.what).into(),
            one.expected.as_deref().unwrap_or_default().into(),
            one.found.as_deref().unwrap_or_default().into(),
        ]
    };
    let differences = in_two(
        &[
            Column::Name("record"),
            Column::Name("at the destination"),
            Column::Name("field"),
            Column::Name("what"),
            Column::Words("should be"),
            Column::Words("is"),
        ],
        found.differences.iter().map(difference).collect(),
    );
    let group = |group: &DeclaredGroup| {
        vec![
            group.kind.replace('-', " ").into(),
            html! { code { (clean(&group.field)) } }.into(),
            group.count.into(),
            group.why.as_str().into(),
            examples(&group.examples).into(),
        ]
    };
    let declared = in_two(
        &[
            Column::Name("kind"),
            Column::Name("field"),
            Column::Number("times"),
            Column::Words("who said so"),
            Column::Words("for example"),
        ],
        found.declared.iter().map(group).collect(),
    );
    let (tone, title) = match found.ok {
        true => (Tone::Good, "Nothing differs but what was declared"),
        false => (Tone::Bad, "Something differs that nothing declared"),
    };
    let summary = verification_summary(found);
    let body = html! {
        (parts::banner(tone, title, html! { @for line in summary.lines() { p { (clean(line)) } } }))
        (kinds)
        @if !found.differences.is_empty() { (differences) }
        @if !found.declared.is_empty() { (parts::folded("Different as was declared", declared)) }
        @if !found.beside.is_empty() {
            h3 { "Side by side" }
            p.about { "Of each kind the records that have the most to show, field by field." }
            @for one in &found.beside { (beside(one)) }
        }
    };
    Some(section(
        "verified",
        "Verified",
        "What is at the destination was read back and held against the source, record by record.",
        body,
    ))
}

/// A record as it is at both ends.
fn beside(one: &Beside) -> Markup {
    let target = one.target.as_deref().unwrap_or("nothing");
    let rows = one.rows.iter().map(|row| {
        let mark = beside_mark(row.how);
        let mark = match row.how {
            BesideHow::Same => parts::pill(Tone::Good, mark),
            BesideHow::Declared => parts::pill(Tone::Plain, mark),
            BesideHow::Differs => parts::pill(Tone::Bad, mark),
        };
        vec![
            mark.into(),
            html! {
                code { (clean(&row.field)) }
                @if let Some(part) = &row.part { " " (parts::said(part)) }
            }
            .into(),
            row.source.as_deref().unwrap_or_default().into(),
            row.destination.as_deref().unwrap_or_default().into(),
            row.why.as_deref().unwrap_or_default().into(),
        ]
    });
    let table = parts::table(
        &[
            Column::Name(""),
            Column::Words("field"),
            Column::Words("at the source"),
            Column::Words("at the destination"),
            Column::Words("why"),
        ],
        rows.collect(),
    );
    let body = html! {
        @if let Some(url) = &one.url { p.more { (parts::link(url, url)) } }
        (table)
        @if one.more > 0 { p.more { (number(one.more)) " rows more are not shown." } }
    };
    let kind = one.kind.replace('-', " ");
    parts::folded(&format!("{kind} {} → {target}", one.source_id), body)
}

fn undo(report: &RunReport) -> Option<Section> {
    if report.undo_problems.is_empty() {
        return None;
    }
    let rows = report.undo_problems.iter().map(|problem| {
        let place = problem.url.as_deref().unwrap_or(&problem.target);
        vec![
            problem.kind.replace('-', " ").into(),
            parts::pill(Tone::Warn, &problem.status).into(),
            html! { code { (parts::said(&problem.source_id)) } }.into(),
            parts::link(place, place).into(),
            (&problem.reason).into(),
        ]
    });
    let columns = [
        Column::Name("kind"),
        Column::Name(""),
        Column::Name("source id"),
        Column::Words("where"),
        Column::Words("why"),
    ];
    Some(
        section(
            "undo",
            "Not taken back",
            "What a rollback left for a person to look at.",
            in_two(&columns, rows.collect()),
        )
        .counting(report.undo_problems.len() as u64),
    )
}

fn inventory(report: &RunReport) -> Option<Section> {
    if report.inventory.is_empty() {
        return None;
    }
    let rows = report
        .inventory
        .iter()
        .map(|(what, n)| vec![what.replace('-', " ").into(), (*n).into()]);
    Some(
        section(
            "inventory",
            "To be rebuilt by hand",
            "What no interface lets a program move. Each is described in words in inventory.html of the export folder.",
            parts::table(
                &[Column::Words("what"), Column::Number("how many")],
                rows.collect(),
            ),
        )
        .counting(report.inventory.values().sum()),
    )
}

fn notices(report: &RunReport) -> Option<Section> {
    (!report.notices.is_empty()).then(|| {
        section("notices", "To know", "", parts::notices(&report.notices))
            .counting(report.notices.len() as u64)
    })
}

fn requests(report: &RunReport) -> Section {
    let rows = report.requests.iter().map(|request| {
        vec![
            (&request.connection).into(),
            (&request.method).into(),
            html! { code { (clean(&request.path)) } }.into(),
            request.count.into(),
            request.throttled.into(),
        ]
    });
    let columns = [
        Column::Name("connection"),
        Column::Name("method"),
        Column::Words("path"),
        Column::Number("requests"),
        Column::Number("too fast"),
    ];
    let all: u64 = report.requests.iter().map(|request| request.count).sum();
    section(
        "requests",
        "Requests sent",
        "By method and path, as the connectors were granted them. \"Too fast\" counts answers by which the platform asked for patience.",
        in_two(&columns, rows.collect()),
    )
    .counting(all)
}

fn proof(dossier: &Dossier) -> Section {
    let report = &dossier.report;
    let plugins = dossier.plugins.iter().map(|plugin| {
        vec![
            (&plugin.role).into(),
            (&plugin.name).into(),
            (&plugin.version).into(),
            html! { span.digest { (clean(&plugin.digest)) } }.into(),
        ]
    });
    let body = html! {
        (parts::facts(&[
            ("run", html! { code { (clean(&report.run)) } }),
            ("source", parts::said(&report.source)),
            ("destination", parts::said(&report.destination)),
            ("ledger", match report.chain_ok {
                true => parts::pill(Tone::Good, "the chain of hashes holds"),
                false => parts::pill(Tone::Bad, "the chain of hashes is broken"),
            }),
            ("links of the chain", html! { (number(u64::try_from(dossier.head.links).unwrap_or(0))) }),
            ("head of the chain", html! { span.digest { (clean(&dossier.head.hash)) } }),
        ]))
        h3 { "Connectors" }
        (parts::table(
            &[Column::Name("role"), Column::Name("name"), Column::Name("version"), Column::Words("sha-256 of the component")],
            plugins.collect(),
        ))
        h3 { "How to check this page" }
        p {
            "Each commit of the ledger is a link of a chain: the hash over the digests of its outcomes and the link before. So the head \
             above stands for every outcome before it, and a changed one breaks the chain. In the project's folder,"
        }
        p { code { "transload report --check " (format!("report-{}.html", clean(&report.run))) } }
        p {
            "compares this file with what the store gave out, byte for byte, its head with the store's chain, and its numbers with the \
             ledger. Keep the head apart from the store: whoever could change the one cannot change the other."
        }
    };
    section("proof", "Proof", "", body)
}

/// The connection's name of `name (account)`.
fn name_of(side: &str) -> &str {
    side.split_once(" (").map_or(side, |(name, _)| name)
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "a percentage of counts far below 2^52"
    )]
    let percent = part as f64 * 100.0 / whole as f64;
    // Never said to be all or nothing where it is not.
    match percent {
        p if p >= 99.95 && part < whole => "over 99.9 %".to_owned(),
        p if p < 0.05 && part > 0 => "under 0.1 %".to_owned(),
        p if p.fract() < 0.05 || p.fract() > 0.95 => format!("{p:.0} %"),
        p => format!("{p:.1} %"),
    }
}

fn bytes(n: u64) -> String {
    #[allow(
        clippy::cast_precision_loss,
        reason = "a size for people, far below 2^52"
    )]
    let n = n as f64;
    match n {
        n if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        n => format!("{n:.0} B"),
    }
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms"),
        |at| {
            at.to_rfc3339_opts(SecondsFormat::Secs, true)
                .replace('T', " ")
                .replace('Z', " UTC")
        },
    )
}

fn took(from: i64, to: i64) -> String {
    duration(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}
