//! The last evening: a dated runbook, each step with its state as far as it is stored.
//!
//! What Transload does itself (the run, deltas, verifications, the report) is known from the store; what only a person can do they
//! say themselves, with the time. Asks nothing of either platform.

use sqlx::Row as _;

use super::delta;
use super::extract::unsigned;
use super::model::{CutoverStep, Notice, Plan, Runbook, StepState};
use super::project::Project;
use super::{run_to, verify};
use crate::error::Error;
use crate::report::{duration, number, time};
use crate::sql;

const MINUTE: i64 = 60_000;
/// A step that nobody has measured yet is given so long.
const USUAL: i64 = 15 * MINUTE;
/// Steps that only a person can do.
const BY_HAND: [&str; 4] = ["pause", "freeze", "forward", "restore"];

/// Notes what a person says they have done, or have not.
///
/// # Errors
/// `unknown-step`; `no-run`.
pub async fn mark(project: &Project, done: &[String], not_done: &[String]) -> Result<(), Error> {
    if done.is_empty() && not_done.is_empty() {
        return Ok(());
    }
    if let Some(step) = done
        .iter()
        .chain(not_done)
        .find(|step| !BY_HAND.contains(&step.as_str()))
    {
        return Err(Error::input(
            "unknown-step",
            format!("{step:?} is no step that you could tick"),
        )
        .with_hint(format!(
            "those are {}; the others are ticked by what Transload did",
            BY_HAND.join(", ")
        )));
    }
    let run = run_to(project, None, "cut over").await?;
    let owned = project.own().await?;
    let mut batch = vec![];
    for step in done {
        batch.push(sql!(
            "INSERT INTO cutover_steps (run, step, at_ms) VALUES ($1, $2, $3) ON CONFLICT (run, step) DO UPDATE SET at_ms = $3",
            &run,
            step,
            project.clock.now()
        ));
    }
    for step in not_done {
        batch.push(sql!(
            "DELETE FROM cutover_steps WHERE run = $1 AND step = $2",
            &run,
            step
        ));
    }
    let written = project.store.write(batch).await;
    owned.release().await?;
    Ok(written?)
}

/// What was said of a step.
async fn said(project: &Project, run: &str, step: &str) -> Result<Option<i64>, Error> {
    let row = project
        .store
        .row(
            "SELECT at_ms FROM cutover_steps WHERE run = $1 AND step = $2",
            vec![run.into(), step.into()],
        )
        .await?;
    Ok(row.map(|row| row.try_get("at_ms")).transpose()?)
}

/// The runbook of the newest run, to begin at a time or now.
///
/// # Errors
/// `no-run`; a store error.
pub async fn runbook(project: &Project, at: Option<i64>) -> Result<Runbook, Error> {
    let store = &project.store;
    let run = run_to(project, None, "cut over").await?;
    let row = store
        .row(
            "SELECT r.state, r.reason, r.until_ms, r.source, r.destination, r.account, r.organisation, r.extraction, p.body \
             FROM runs r LEFT JOIN run_plans p ON p.run = r.id WHERE r.id = $1",
            vec![(&run).into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {run}")))?;
    let state: String = row.try_get("state")?;
    let extraction: String = row.try_get("extraction")?;
    let (from, to): (String, String) = (row.try_get("source")?, row.try_get("destination")?);
    let plan: Option<Plan> = row
        .try_get::<Option<String>, _>("body")?
        .map(|body| serde_json::from_str(&body))
        .transpose()?;
    let begins = at.unwrap_or_else(|| project.clock.now());
    let deltas = delta::reports(store, &run).await?;
    let done: Vec<_> = deltas.iter().filter(|one| one.state == "done").collect();
    let took = done
        .iter()
        .filter_map(|one| Some(one.ended_at? - one.started_at))
        .max();
    let delta_length = took.map_or(USUAL, |took| (took * 2).max(USUAL));

    let mut in_the_way = vec![];
    if state != "complete" {
        let reason: Option<String> = row.try_get("reason")?;
        let until: Option<i64> = row.try_get("until_ms")?;
        let why = reason.map_or_else(String::new, |why| format!(": {why}"));
        let until = until.map_or_else(String::new, |until| format!(", until {}", time(until)));
        in_the_way.push(format!("the run is {state}{why}{until}"));
    }

    // ---- what only a person can do
    let effects = plan.as_ref().map_or(&[][..], |plan| &plan.side_effects);
    let to_switch: Vec<String> = effects
        .iter()
        .filter_map(|effect: &Notice| {
            let remedy = effect.remedy.as_ref()?;
            Some(format!("{remedy} ({})", effect.message))
        })
        .collect();
    let pause = said(project, &run, "pause").await?;
    let freeze = said(project, &run, "freeze").await?;
    let forward = said(project, &run, "forward").await?;
    let restore = said(project, &run, "restore").await?;
    let mut to_forward = vec![];
    for row in store
        .rows(
            "SELECT c.value AS channel, count(*) AS n FROM staged s, json_each(s.payload, '$.data.Conversation.channels') c \
             WHERE s.extraction = $1 AND s.kind = 'conversation' GROUP BY c.value ORDER BY n DESC, c.value",
            vec![(&extraction).into()],
        )
        .await?
    {
        to_forward.push(format!(
            "{}: {} conversations came this way; let it lead to {to}",
            row.try_get::<String, _>("channel")?,
            number(unsigned(row.try_get("n")?))
        ));
    }
    to_forward
        .push("the addresses and numbers are in the inventory (`transload inventory`)".into());

    // ---- what is stored
    let last = done.iter().rfind(|one| one.closing);
    let mut delta_facts: Vec<String> = done
        .iter()
        .map(|one| {
            let changed: u64 = one.counts.iter().map(|count| count.count).sum();
            let ended = one.ended_at.unwrap_or(one.started_at);
            format!(
                "delta {}{} ended {}: {} records had changed, {} requests wrote, it took {}",
                one.number,
                if one.closing { " (the last one)" } else { "" },
                time(ended),
                number(changed),
                number(one.writes),
                duration(unsigned(ended - one.started_at))
            )
        })
        .collect();
    if let Some(open) = deltas.iter().find(|one| one.state == "open") {
        delta_facts.push(format!("delta {} was interrupted", open.number));
    }
    if done.is_empty() {
        delta_facts.push(
            "no delta was made yet: make one before the evening, so that the last one is short"
                .into(),
        );
    }
    let waiting = deltas.last().map_or(0, |one| one.waiting.len());
    let mut delta_wrong = false;
    if let Some(last) = last {
        if waiting > 0 {
            delta_wrong = true;
            delta_facts.push(format!(
                "{waiting} records wait for you: `transload delta --show`"
            ));
        }
        if freeze.is_some_and(|freeze| freeze > last.started_at) {
            delta_wrong = true;
            delta_facts.push(
                "the freeze was said to be done after it had begun: what came in between is missing; \
                 `transload delta --close --reopen`"
                    .into(),
            );
        }
    }
    let verified = verify::last(store, &run).await?;
    let since_last = verified.as_ref().filter(|found| {
        !found.after_rollback && last.is_some_and(|last| Some(found.at) >= last.ended_at)
    });
    let mut verify_facts = vec![];
    if let Some(found) = &verified {
        verify_facts.push(format!(
            "last verified {}: {} undeclared differences in {} records{}",
            time(found.at),
            number(found.undeclared),
            number(found.kinds.iter().map(|kind| kind.checked).sum()),
            if since_last.is_none() && last.is_some() {
                ", before the last delta"
            } else {
                ""
            }
        ));
    }
    let page = store
        .row(
            "SELECT max(at_ms) AS at FROM pages WHERE run = $1",
            vec![(&run).into()],
        )
        .await?
        .map(|row| row.try_get::<Option<i64>, _>("at"))
        .transpose()?
        .flatten();
    let closed = page.filter(|page| since_last.is_some_and(|found| found.ok && *page >= found.at));

    let mut steps = vec![
        step("pause", "Pause what would act on its own at the destination", true)
            .does(if to_switch.is_empty() {
                vec!["nothing of the destination's has to be switched off".into()]
            } else {
                to_switch.clone()
            })
            .by(pause),
        step("freeze", "Freeze the source: agents stop working there", true)
            .does(vec![
                format!("tell the agents that {from} is read-only from now on, and take their rights to write"),
                "switch off its rules that send or change by themselves".into(),
            ])
            .by(freeze),
        step("forward", "Let mail, chat and calls lead to the destination", true)
            .does(to_forward)
            .by(forward),
        step("last-delta", "The last delta", false)
            .types("transload delta --close")
            .says(delta_facts)
            .wrong(delta_wrong)
            .by(last.and_then(|last| last.ended_at)),
        step("verify", "Prove that all is there", false)
            .types("transload verify --all")
            .says(verify_facts)
            .wrong(since_last.is_some_and(|found| !found.ok))
            .by(since_last.map(|found| found.at)),
        step("close", "Close: the report with its proof, for the files", false)
            .types("transload report --html report.html")
            .does(vec![
                "agents begin to work at the destination; from here on a rollback would lose what they do".into(),
            ])
            .by(closed),
        step("restore", "Put automations and guards back", true)
            .does(
                to_switch
                    .iter()
                    .map(|what| format!("put back: {what}"))
                    .chain([
                        "take away the rights and keys that were given for the migration".to_owned(),
                        "`transload purge --preview` says what of the customers' data is still kept here".to_owned(),
                    ])
                    .collect(),
            )
            .by(restore),
    ];
    let mut at = begins;
    let mut is_next = true;
    for step in &mut steps {
        step.planned = at;
        at += match step.step.as_str() {
            "last-delta" => delta_length,
            "verify" => 2 * USUAL,
            _ => USUAL,
        };
        if step.state == StepState::Waits && is_next {
            step.state = StepState::Next;
            is_next = false;
        }
        is_next &= step.state != StepState::Wrong;
    }
    Ok(Runbook {
        run,
        source: format!("{from} ({})", row.try_get::<String, _>("organisation")?),
        destination: format!("{to} ({})", row.try_get::<String, _>("account")?),
        begins,
        ends: at,
        in_the_way,
        steps,
    })
}

fn step(word: &str, title: &str, by_hand: bool) -> CutoverStep {
    CutoverStep {
        step: word.to_owned(),
        title: title.to_owned(),
        by_hand,
        state: StepState::Waits,
        planned: 0,
        done_at: None,
        to_do: vec![],
        commands: vec![],
        facts: vec![],
    }
}

impl CutoverStep {
    fn does(mut self, lines: Vec<String>) -> Self {
        self.to_do = lines;
        self
    }

    fn types(mut self, command: &str) -> Self {
        self.commands.push(command.to_owned());
        self
    }

    fn says(mut self, facts: Vec<String>) -> Self {
        self.facts = facts;
        self
    }

    fn wrong(mut self, is_wrong: bool) -> Self {
        if is_wrong {
            self.state = StepState::Wrong;
        }
        self
    }

    fn by(mut self, at: Option<i64>) -> Self {
        self.done_at = at;
        if at.is_some() && self.state == StepState::Waits {
            self.state = StepState::Done;
        }
        self
    }
}
