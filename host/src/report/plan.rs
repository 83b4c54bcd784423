//! A plan as text: what moves, what is refused, what changes, what it costs.
//!
//! Policy: what somebody has to decide stands before what is only to be known, and the digest, which approves all of it, last.
//! The words of cells are made here once, for the text and for the page.

use std::fmt::Write as _;

use super::damage::damage;
use super::table::{Column, table};
use super::{Width, clean, duration, notices, number, one_connection, section};
use crate::pipeline::model::{
    Example, Flag, Forecast, Foreseen, Guess, Most, Plan, PlanAgent, PlanAllowance,
    PlanCustomField, PlanField, PlanKind, PlanLimit, PlanName, PlanValueMap,
};

/// Examples with this many characters together fill a cell.
const CELL: usize = 80;

/// What `plan` says.
pub fn plan(plan: &Plan, width: Width) -> String {
    let mut out = String::new();
    for connection in &plan.check.connections {
        out.push_str(&one_connection(connection));
    }
    for part in parts(plan) {
        let columns: Vec<Column> = part.columns.iter().map(Head::column).collect();
        section(&mut out, &part.title, table(&columns, part.rows, width));
    }
    section(
        &mut out,
        "Side effects at the destination",
        notices(&plan.side_effects, width),
    );
    out.push_str(&notices(&plan.notices, width));
    section(
        &mut out,
        "Texts that look damaged, in what was read so far (they arrive as they are)",
        damage(&plan.damage, width),
    );
    let dangers = dangers(plan);
    let columns: Vec<Column> = dangers.columns.iter().map(Head::column).collect();
    section(
        &mut out,
        &dangers.title,
        table(&columns, dangers.rows, width),
    );
    let _ = writeln!(out, "{}", calls(plan));
    if plan.errors.is_empty() {
        let _ = writeln!(
            out,
            "Plan {}\nRun it:  transload run --accept {}",
            plan.digest, plan.digest
        );
    } else {
        out.push_str("\nThis plan cannot run yet:\n");
        for error in &plan.errors {
            let _ = writeln!(out, "  ✗ {}", clean(error));
        }
    }
    out
}

/// What it costs, in a sentence.
pub(super) fn calls(plan: &Plan) -> String {
    format!(
        "Calls: {} to the source, {} to the destination; about {} at the share of the rate limits we may use.",
        number(plan.source_calls),
        number(plan.destination_calls),
        duration(plan.forecast_ms),
    )
}

/// A column's heading and side.
pub(super) enum Head {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

impl Head {
    fn column(&self) -> Column {
        match self {
            Self::Left(name) => Column::Left(name),
            Self::Right(name) => Column::Right(name),
        }
    }
}

use Head::{Left, Right};

/// A table of a plan under its heading.
pub(super) struct Part {
    /// The heading.
    pub title: String,
    /// A word for links to it.
    pub id: &'static str,
    /// What it shows, in a sentence.
    pub lead: &'static str,
    /// Its columns.
    pub columns: Vec<Head>,
    /// Its rows; without any it is not shown.
    pub rows: Vec<Vec<String>>,
}

fn part(
    id: &'static str,
    title: impl Into<String>,
    lead: &'static str,
    columns: Vec<Head>,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Part {
    Part {
        title: title.into(),
        id,
        lead,
        columns,
        rows: rows.into_iter().collect(),
    }
}

/// The tables of a plan, in their order.
pub(super) fn parts(plan: &Plan) -> Vec<Part> {
    let read: u64 = plan.evidence.read.values().sum();
    let of_read = match (read, plan.evidence.complete) {
        (0, _) => "nothing is read yet".to_owned(),
        (n, true) => format!("all {} records", number(n)),
        (n, false) => format!("the {} records read so far", number(n)),
    };
    let undecided = undecided(plan);
    let (agents, known) = (
        plan.agents.len(),
        plan.agents.iter().filter(|a| a.target.is_some()).count(),
    );
    let names: Vec<&PlanName> = plan.names.iter().filter(|name| is_shown(name)).collect();
    vec![
        part(
            "moves",
            "What moves",
            "Each kind of record, how it arrives, and what is expected to become of its records.",
            vec![
                Left("kind"),
                Right("records"),
                Left("how it arrives"),
                Right("made"),
                Right("matched"),
                Right("skipped"),
                Right("rejected"),
                Right("exported"),
                Right("calls, source"),
                Right("calls, destination"),
            ],
            plan.kinds.iter().map(kind_row),
        ),
        part(
            "decide",
            format!("To decide: {}", undecided.len()),
            "Guesses and open questions. They stand in migration.toml as \"\"; --accept-all takes every guess.",
            vec![
                Left("what"),
                Left("which"),
                Left("perhaps"),
                Right("sure"),
                Left("why"),
            ],
            undecided,
        ),
        part(
            "refusals",
            format!("Refusals foreseen, from {of_read}"),
            "Records that will be refused, or may be, and what would mend them.",
            vec![
                Left("kind"),
                Left("field"),
                Left(""),
                Right("records"),
                Left("why"),
                Left("what to do"),
                Left("for example"),
            ],
            plan.evidence.foreseen.iter().map(foreseen_row),
        ),
        part(
            "look",
            format!("For somebody to look at, from {of_read}"),
            "Nothing of this is refused, but somebody may want it otherwise.",
            vec![
                Left("code"),
                Left("what"),
                Right("records"),
                Left("why"),
                Left("for example"),
            ],
            plan.evidence.flags.iter().map(flag_row),
        ),
        part(
            "most",
            "Several of one thing on a record",
            "Where a platform takes fewer than a record has, this is what happens to the rest.",
            vec![
                Left("kind"),
                Left("what"),
                Right("the most"),
                Left("on"),
                Right("records with several"),
                Left("how they arrive"),
            ],
            plan.evidence.most.iter().map(most_row),
        ),
        part(
            "losses",
            format!("What does not arrive exactly; counted on {of_read}"),
            "Field by field, by both platforms' own limits, with how many records have something there.",
            vec![
                Left("kind"),
                Left("field"),
                Left("how"),
                Left("because of"),
                Right("records"),
                Left("why"),
                Left("for example"),
            ],
            plan.losses.iter().map(loss_row),
        ),
        part(
            "fields",
            "Custom fields",
            "Each custom attribute, what it becomes, how sure that is and why.",
            vec![
                Left("field"),
                Left("type"),
                Left("becomes"),
                Right("sure"),
                Right("records"),
                Left("why"),
            ],
            plan.custom_fields.iter().map(field_row),
        ),
        part(
            "names",
            "Teams, tags, brands, object types",
            "What is found there by its name or made; tags that only keep their name are not listed.",
            vec![
                Left("kind"),
                Left("source"),
                Left("destination"),
                Left("is"),
                Right("sure"),
                Right("records"),
                Left("why"),
            ],
            names.into_iter().map(name_row),
        ),
        part(
            "values",
            "Values",
            "What values of statuses, priorities, channels and other settings become.",
            vec![
                Left("setting"),
                Left("source"),
                Left("destination"),
                Right("sure"),
                Right("records"),
                Left("why"),
            ],
            plan.values.iter().flat_map(value_rows),
        ),
        part(
            "agents",
            format!("Agents: {known} of {agents} are known at the destination"),
            "Who is who; for those who are not known somebody stands in, and their names stay in the text.",
            vec![
                Left("name"),
                Left("address"),
                Left("state"),
                Left("id"),
                Left("becomes"),
                Left("why"),
            ],
            plan.agents.iter().map(agent_row),
        ),
        part(
            "limits",
            "Calls and hours",
            "The rate limits of both sides, the share of them that we may use, and how long the calls take under each.",
            vec![
                Left("connection"),
                Left("limit"),
                Left("applies to"),
                Right("requests"),
                Left("in"),
                Right("our share"),
                Right("calls"),
                Right("take"),
            ],
            plan.limits.iter().map(limit_row),
        ),
        part(
            "allowances",
            "Limits of the destination's account",
            "What is used, what there is, and what the migration adds where that can be told.",
            vec![Left("what"), Right("used"), Right("limit"), Right("comes")],
            plan.allowances.iter().map(allowance_row),
        ),
        part(
            "updates",
            "What changes after it was loaded",
            "What `transload delta` does with a record that grew, changed or was opened again, as the destination takes changes of it.",
            vec![
                Left("kind"),
                Left("state there"),
                Left("a delta"),
                Left("others notice"),
                Left("why"),
            ],
            plan.updates.iter().map(|update| {
                vec![
                    update.kind.clone(),
                    update.state.clone(),
                    update.delta.clone(),
                    if update.silent { "no" } else { "they may" }.to_owned(),
                    update.note.clone().unwrap_or_default(),
                ]
            }),
        ),
        part(
            "points",
            "What to know before",
            "For whoever pays for it.",
            vec![Left("about"), Left("what")],
            plan.points
                .iter()
                .map(|point| vec![point.topic.clone(), point.text.clone()]),
        ),
    ]
}

/// What needs a yes.
pub(super) fn dangers(plan: &Plan) -> Part {
    let rows = plan.dangers.iter().map(|danger| {
        vec![
            danger.notice.code.clone(),
            danger.notice.from.clone(),
            match danger.accepted {
                true => "taken on in [migration] accept",
                false => "needs a yes",
            }
            .to_owned(),
            danger.notice.message.clone(),
        ]
    });
    part(
        "dangers",
        "Dangers: a run needs a yes to each",
        "",
        vec![Left("code"), Left("from"), Left(""), Left("what")],
        rows,
    )
}

fn kind_row(kind: &PlanKind) -> Vec<String> {
    let count = match (kind.count, kind.certainty.as_str()) {
        (None, _) => "?".to_owned(),
        (Some(n), "exact") => number(n),
        (Some(n), "at-least") => format!("≥ {}", number(n)),
        (Some(n), _) => format!("~ {}", number(n)),
    };
    let Forecast {
        created,
        matched,
        skipped,
        rejected,
        exported,
        ..
    } = kind.forecast;
    let expected = |n: u64| match n {
        0 => String::new(),
        n => number(n),
    };
    vec![
        kind.kind.clone(),
        count,
        kind.arrival.clone(),
        expected(created),
        expected(matched),
        expected(skipped),
        expected(rejected),
        expected(exported),
        number(kind.source_calls),
        number(kind.destination_calls),
    ]
}

/// Everything that somebody has to decide, each as a row.
fn undecided(plan: &Plan) -> Vec<Vec<String>> {
    let row = |what: &str, which: &str, guess: Option<&Guess>, why: String| {
        vec![
            what.to_owned(),
            which.to_owned(),
            guess.map(|guess| guess.target.clone()).unwrap_or_default(),
            sure(guess.map(|guess| guess.confidence)),
            why,
        ]
    };
    let mut rows = vec![];
    for map in &plan.values {
        for from in &map.unmapped {
            let why = "met in the records; without a value the run does not begin".to_owned();
            rows.push(row(&map.slot, from, None, why));
        }
    }
    for field in &plan.custom_fields {
        if let Some(guess) = &field.perhaps {
            let why = format!("{}; until then it is made", guess.reason);
            rows.push(row("field", &field.field, Some(guess), why));
        }
    }
    for name in &plan.names {
        if let Some(guess) = &name.perhaps {
            let why = format!("{}; until then by its own name", guess.reason);
            rows.push(row(&name.kind, &name.name, Some(guess), why));
        }
    }
    for agent in plan.agents.iter().filter(|agent| agent.target.is_none()) {
        let who = agent.email.as_ref().unwrap_or(&agent.id);
        let why = match &agent.perhaps {
            Some(guess) => guess.reason.clone(),
            None => agent.reason.clone(),
        };
        let why = format!(
            "{}, {}: {why}; until then the stand-in",
            agent.name, agent.state
        );
        rows.push(row("agent", who, agent.perhaps.as_ref(), why));
    }
    rows
}

fn foreseen_row(one: &Foreseen) -> Vec<String> {
    vec![
        one.kind.clone(),
        one.field.clone(),
        if one.sure { "sure" } else { "likely" }.to_owned(),
        number(one.records),
        one.cause.clone(),
        one.remedy.clone(),
        examples(&one.examples),
    ]
}

fn flag_row(flag: &Flag) -> Vec<String> {
    vec![
        flag.code.clone(),
        flag.subject.clone(),
        number(flag.records),
        flag.message.clone(),
        examples(&flag.examples),
    ]
}

fn most_row(most: &Most) -> Vec<String> {
    vec![
        most.kind.clone(),
        most.what.clone(),
        number(most.most),
        most.id.clone(),
        number(most.several),
        most.rule.clone().unwrap_or_default(),
    ]
}

fn loss_row(loss: &PlanField) -> Vec<String> {
    vec![
        loss.kind.clone(),
        loss.field.clone(),
        loss.how.clone(),
        loss.side.clone(),
        loss.records.map(number).unwrap_or_default(),
        loss.note.clone().unwrap_or_default(),
        examples(&loss.examples),
    ]
}

fn field_row(field: &PlanCustomField) -> Vec<String> {
    vec![
        field.field.clone(),
        field.field_type.clone(),
        field.target.clone(),
        sure(field.confidence),
        counted(field.records),
        with_guess(&field.reason, field.perhaps.as_ref()),
    ]
}

/// Whether a name is worth a line: of tags there may be thousands that only keep their name.
fn is_shown(name: &PlanName) -> bool {
    name.kind != "tag"
        || name.perhaps.is_some()
        || name.target != name.name
        || name.state == "left out"
}

fn name_row(name: &PlanName) -> Vec<String> {
    vec![
        name.kind.clone(),
        name.name.clone(),
        match name.state.as_str() {
            "left out" => String::new(),
            _ => name.target.clone(),
        },
        match name.state.as_str() {
            "unknown" => "found or made".to_owned(),
            other => other.to_owned(),
        },
        sure(name.confidence),
        name.records.map(number).unwrap_or_default(),
        with_guess(&name.reason, name.perhaps.as_ref()),
    ]
}

fn value_rows(map: &PlanValueMap) -> impl Iterator<Item = Vec<String>> + '_ {
    let mapped = map.values.iter().map(|(from, to)| {
        let reason = map.reasons.get(from);
        vec![
            map.slot.clone(),
            from.clone(),
            to.clone(),
            sure(reason.and_then(|reason| reason.confidence)),
            reason
                .map(|reason| counted(reason.records))
                .unwrap_or_default(),
            reason
                .map(|reason| reason.words.clone())
                .unwrap_or_default(),
        ]
    });
    let unmapped = map.unmapped.iter().map(|from| {
        vec![
            map.slot.clone(),
            from.clone(),
            "? (add it to [map] in migration.toml)".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ]
    });
    mapped.chain(unmapped)
}

fn agent_row(agent: &PlanAgent) -> Vec<String> {
    let stands_in = || "the fallback agent".to_owned();
    vec![
        agent.name.clone(),
        agent.email.clone().unwrap_or_default(),
        agent.state.clone(),
        agent.id.clone(),
        agent.target.clone().unwrap_or_else(stands_in),
        with_guess(&agent.reason, agent.perhaps.as_ref()),
    ]
}

fn limit_row(limit: &PlanLimit) -> Vec<String> {
    vec![
        limit.connection.clone(),
        limit.name.clone(),
        limit.applies.clone(),
        number(limit.limit),
        duration(limit.per_ms),
        format!("{:.0} %", limit.share * 100.0),
        limit.calls.map(number).unwrap_or_default(),
        limit.ms.map(duration).unwrap_or_default(),
    ]
}

fn allowance_row(allowance: &PlanAllowance) -> Vec<String> {
    let shown = |n: Option<u64>| n.map(number).unwrap_or_default();
    vec![
        allowance.name.clone(),
        shown(allowance.used),
        shown(allowance.limit),
        shown(allowance.adds),
    ]
}

fn sure(confidence: Option<f64>) -> String {
    confidence
        .map(|confidence| format!("{:.0} %", confidence * 100.0))
        .unwrap_or_default()
}

fn counted(records: u64) -> String {
    match records {
        0 => String::new(),
        n => number(n),
    }
}

fn with_guess(reason: &str, guess: Option<&Guess>) -> String {
    match guess {
        Some(guess) => format!(
            "{reason}; perhaps {:?} ({:.0} % sure: {})",
            guess.target,
            guess.confidence * 100.0,
            guess.reason
        ),
        None => reason.to_owned(),
    }
}

/// As many as fit into a cell, at least one.
fn examples(all: &[Example]) -> String {
    let mut text = String::new();
    for one in all {
        let words = match &one.value {
            Some(value) if !value.is_empty() => format!("{} ({value})", one.id),
            _ => one.id.clone(),
        };
        if !text.is_empty() {
            if text.chars().count() + words.chars().count() > CELL {
                break;
            }
            text.push_str(", ");
        }
        text.push_str(&words);
    }
    text
}
