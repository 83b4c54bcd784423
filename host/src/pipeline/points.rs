//! What somebody who pays for a migration must know before it begins (rule M-18), in sentences.
//!
//! Everything here follows from what both sides say and from the plan's own numbers; what no API tells is said to be so.

use super::model::{Plan, PlanPoint};
use super::planning::Facts;
use crate::config::Config;
use crate::contract::description::{KindSupport, UpdateMode};
use crate::contract::types::Kind;
use crate::kinds;
use crate::report::{duration, number};

/// All of them, in the order in which they matter.
#[must_use]
pub fn all(plan: &Plan, facts: &Facts<'_>, config: &Config) -> Vec<PlanPoint> {
    let mut points = vec![];
    let mut add = |topic: &str, text: String| {
        points.push(PlanPoint {
            topic: topic.to_owned(),
            text,
        });
    };
    tiers(plan, facts, &mut add);
    licences(plan, facts, &mut add);
    features(plan, facts, &mut add);
    storage(plan, &mut add);
    updates(facts, &mut add);
    time(plan, config, &mut add);
    for (side, word) in [(facts.source, "reading"), (facts.destination, "writing")] {
        let description = side.description();
        for note in &description.notes {
            add("gotcha", format!("{word} {}: {note}", description.title));
        }
        for product in &description.by_products {
            add(
                "gotcha",
                format!(
                    "{} makes by itself, beside each {}: {} (found by {})",
                    description.title,
                    kinds::name(&product.kind),
                    product.what,
                    product.found_by
                ),
            );
        }
    }
    points
}

type Add<'a> = dyn FnMut(&str, String) + 'a;

fn tiers(plan: &Plan, facts: &Facts<'_>, add: &mut Add<'_>) {
    for connection in &plan.check.connections {
        let limit = plan
            .limits
            .iter()
            .filter(|limit| limit.connection == connection.connection && limit.ms.is_some())
            .max_by_key(|limit| limit.ms);
        let Some(limit) = limit else {
            continue;
        };
        let title = match connection.role.as_str() {
            "source" => &facts.source.description().title,
            _ => &facts.destination.description().title,
        };
        let tier = match &connection.tier {
            Some(tier) => format!("plan {tier}"),
            None => "a plan that its API does not name".to_owned(),
        };
        add(
            &connection.role,
            format!(
                "{title} account {} is on {tier}; reckoned with {} requests in {}, of which we may use {:.0} %: {} calls take {}. The limit \
                 is corrected by what its answers say while the run goes on.",
                connection.account_name,
                number(limit.limit),
                duration(limit.per_ms),
                limit.share * 100.0,
                number(limit.calls.unwrap_or(0)),
                duration(limit.ms.unwrap_or(0)),
            ),
        );
    }
    add(
        "source",
        "Records are read by the API and not from exported files, so that limits of exports (a number of days, a number of rows) do \
         not bind."
            .to_owned(),
    );
}

fn licences(plan: &Plan, facts: &Facts<'_>, add: &mut Add<'_>) {
    let of = |state: &str, known: bool| {
        let agents = plan.agents.iter();
        agents
            .filter(|agent| agent.state == state && agent.target.is_some() == known)
            .count() as u64
    };
    if plan.agents.is_empty() {
        return;
    }
    let open = of("active", false) + of("pending", false);
    let closed = of("deactivated", false);
    let makes = facts
        .destination
        .support(facts.survey)
        .kinds
        .iter()
        .any(|support| support.kind == Kind::Agent && support.can_create);
    let seats = facts.survey.agents.iter().filter(|agent| agent.active);
    add(
        "licences",
        format!(
            "{} agents at the source: {} active and {} deactivated ones are known at the destination; {} who can still sign in and {} who \
             cannot are not. Each of the {} who is to work there needs a seat; {}. {} people have a seat there now.",
            number(plan.agents.len() as u64),
            number(of("active", true) + of("pending", true)),
            number(of("deactivated", true)),
            number(open),
            number(closed),
            number(open),
            match makes {
                true =>
                    "all others are made only if the connection's settings say so; else somebody stands in, and their names stay in the text",
                false => "for all others somebody stands in, and their names stay in the text",
            },
            number(seats.count() as u64),
        ),
    );
    add(
        "licences",
        "How many seats the contract at the destination has, and what one costs, no API tells: ask its account team.".to_owned(),
    );
}

fn features(plan: &Plan, facts: &Facts<'_>, add: &mut Add<'_>) {
    let described = &facts.destination.description().kinds;
    let has = facts.destination.support(facts.survey).kinds;
    let lacks = |all: &[KindSupport], kind: &Kind| !all.iter().any(|support| support.kind == *kind);
    let lacking: Vec<&str> = described
        .iter()
        .map(|support| &support.kind)
        .filter(|kind| lacks(&has, kind))
        .map(kinds::name)
        .collect();
    if !lacking.is_empty() {
        add(
            "features",
            format!(
                "This account's plan lacks a place for: {}. It is exported; on a higher plan it would be loaded.",
                lacking.join(", ")
            ),
        );
    }
    let exported: Vec<String> = plan
        .kinds
        .iter()
        .filter(|kind| kind.forecast.exported > 0)
        .map(|kind| format!("{} ({})", kind.kind, number(kind.forecast.exported)))
        .collect();
    if !exported.is_empty() {
        add(
            "features",
            format!(
                "Written to files and not loaded: {}. Rules, service levels, workflows and reports are listed in the inventory, to be built \
                 anew by a person.",
                exported.join(", ")
            ),
        );
    }
}

fn storage(plan: &Plan, add: &mut Add<'_>) {
    let files = &plan.evidence.files;
    if files.count > 0 {
        add(
            "storage",
            format!(
                "{} files were read of, {} together; the largest has {}.{}",
                number(files.count),
                bytes(files.bytes),
                bytes(files.largest),
                match files.unknown_size {
                    0 => String::new(),
                    n => format!(" Of {} the source tells no size.", number(n)),
                }
            ),
        );
    }
    for allowance in &plan.allowances {
        if let (Some(used), Some(limit)) = (allowance.used, allowance.limit) {
            let after = used + allowance.adds.unwrap_or(0);
            if after >= limit {
                add(
                    "storage",
                    format!(
                        "{}: {} of {} are used{}: there is no room for more.",
                        allowance.name,
                        number(used),
                        number(limit),
                        match allowance.adds {
                            Some(adds) if adds > 0 => format!(", and {} come", number(adds)),
                            _ => String::new(),
                        }
                    ),
                );
            }
        }
    }
}

fn updates(facts: &Facts<'_>, add: &mut Add<'_>) {
    let support = facts.destination.support(facts.survey).kinds;
    let Some(conversations) = support.iter().find(|s| s.kind == Kind::Conversation) else {
        return;
    };
    let states: Vec<String> = conversations
        .updates
        .iter()
        .map(|update| {
            let modes: Vec<&str> = update
                .modes
                .iter()
                .map(|mode| match mode {
                    UpdateMode::Append => "grows",
                    UpdateMode::ChangeFields => "fields change",
                    UpdateMode::Replace => "is replaced",
                    UpdateMode::Recreate => "is made anew",
                    UpdateMode::Frozen => "stays as it is",
                })
                .collect();
            let note = update.note.as_ref().map(|note| format!(" ({note})"));
            format!(
                "{}: {}{}{}",
                update.state,
                modes.join(", "),
                if update.silent {
                    ""
                } else {
                    ", which others notice"
                },
                note.unwrap_or_default()
            )
        })
        .collect();
    if !states.is_empty() {
        add(
            "updates",
            format!(
                "What becomes of a conversation that changes at the source after it was loaded, by its state: {}.",
                states.join("; ")
            ),
        );
    }
}

fn time(plan: &Plan, config: &Config, add: &mut Add<'_>) {
    let share = config.budget.share;
    add(
        "time",
        format!(
            "By the limits alone the run takes at least {}, at {:.0} % of what is free{}; files, and what both platforms need to answer, come \
             on top.",
            duration(plan.forecast_ms),
            share * 100.0,
            match config.budget.hours.is_empty() {
                true => "",
                false => " and the shares of [budget] hours",
            }
        ),
    );
    add(
        "contract",
        format!(
            "Do not let the source's contract end before the run is complete, what changed meanwhile was brought over, the result was checked \
             and the rejects are worked through: with a day for each of these, not earlier than {} after it begins. Links to files at \
             the source die with it. When the contract ends no API tells.",
            duration(plan.forecast_ms + 3 * 86_400_000)
        ),
    );
}

/// `12.3 MB`
fn bytes(n: u64) -> String {
    let mut unit = 1_u64;
    for name in ["bytes", "KB", "MB", "GB"] {
        let next = unit.saturating_mul(1_000);
        if n < next || name == "GB" {
            return match unit {
                1 => format!("{n} {name}"),
                _ => format!("{}.{} {name}", n / unit, n % unit * 10 / unit),
            };
        }
        unit = next;
    }
    format!("{n} bytes")
}
