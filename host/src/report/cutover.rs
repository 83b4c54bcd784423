//! The runbook of a cutover, as text and as Markdown.

use std::fmt::Write as _;

use super::{Width, clean, time};
use crate::pipeline::model::{CutoverStep, Runbook, StepState};

fn mark(state: StepState) -> &'static str {
    match state {
        StepState::Done => "✓",
        StepState::Next => "→",
        StepState::Waits => "·",
        StepState::Wrong => "✗",
    }
}

fn word(state: StepState) -> &'static str {
    match state {
        StepState::Done => "done",
        StepState::Next => "next",
        StepState::Waits => "not yet",
        StepState::Wrong => "look at this",
    }
}

/// The runbook for a terminal.
#[must_use]
pub fn text(book: &Runbook, _width: Width) -> String {
    let mut out = format!(
        "Cutover from {} to {}\n  run         {}\n  begins      {}\n  ends about  {}\n",
        clean(&book.source),
        clean(&book.destination),
        clean(&book.run),
        time(book.begins),
        time(book.ends)
    );
    for line in &book.in_the_way {
        let _ = writeln!(out, "  IN THE WAY  {}", clean(line));
    }
    for step in &book.steps {
        let _ = writeln!(
            out,
            "\n{} {}  {}  [{}]  {}",
            mark(step.state),
            time(step.planned),
            clean(&step.title),
            step.step,
            when(step)
        );
        for line in &step.to_do {
            let _ = writeln!(out, "      - {}", clean(line));
        }
        for command in &step.commands {
            let _ = writeln!(out, "      $ {}", clean(command));
        }
        for fact in &step.facts {
            let _ = writeln!(out, "      = {}", clean(fact));
        }
    }
    out.push_str(
        "\nTick what only you can do: `transload cutover --done STEP`. What Transload does itself is ticked by what is stored.\n",
    );
    out
}

fn when(step: &CutoverStep) -> String {
    match step.done_at {
        Some(at) if step.state == StepState::Done => format!("done {}", time(at)),
        _ => word(step.state).to_owned(),
    }
}

/// The runbook as Markdown, with boxes to tick.
#[must_use]
pub fn markdown(book: &Runbook) -> String {
    let mut out = format!(
        "# Cutover from {} to {}\n\nRun `{}` · begins {} · ends about {}\n",
        plain(&book.source),
        plain(&book.destination),
        plain(&book.run),
        time(book.begins),
        time(book.ends)
    );
    for line in &book.in_the_way {
        let _ = writeln!(out, "\n> **In the way:** {}", plain(line));
    }
    for (number, step) in (1..).zip(&book.steps) {
        let _ = writeln!(
            out,
            "\n## {number}. {}\n\n- [{}] `{}`, planned for {}: **{}**",
            plain(&step.title),
            if step.state == StepState::Done {
                "x"
            } else {
                " "
            },
            step.step,
            time(step.planned),
            when(step)
        );
        for line in &step.to_do {
            let _ = writeln!(out, "  - {}", plain(line));
        }
        if !step.commands.is_empty() {
            let _ = writeln!(out, "\n```sh\n{}\n```", clean_lines(&step.commands));
        }
        for fact in &step.facts {
            let _ = writeln!(out, "\n*{}*", plain(fact));
        }
    }
    out
}

fn clean_lines(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| clean(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text from outside in a line of Markdown: nothing of it is markup.
fn plain(text: &str) -> String {
    clean(text).chars().fold(String::new(), |mut out, c| {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|'
        ) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Runbook {
        let step = |step: &str, title: &str, state, done_at| CutoverStep {
            step: step.into(),
            title: title.into(),
            by_hand: true,
            state,
            planned: 1_796_493_600_000,
            done_at,
            to_do: vec!["switch *all* triggers off".into()],
            commands: vec!["transload delta --close".into()],
            facts: vec!["2 records wait for you".into()],
        };
        Runbook {
            run: "r1".into(),
            source: "old (acme)".into(),
            destination: "new (acme-1)".into(),
            begins: 1_796_493_600_000,
            ends: 1_796_497_200_000,
            in_the_way: vec!["the run is paused: quota".into()],
            steps: vec![
                step(
                    "pause",
                    "Pause automations",
                    StepState::Done,
                    Some(1_796_493_660_000),
                ),
                step("last-delta", "The last delta", StepState::Next, None),
                step("verify", "Prove it", StepState::Wrong, None),
                step("restore", "Restore", StepState::Waits, None),
            ],
        }
    }

    #[test]
    fn a_runbook_is_dated_and_says_of_each_step_where_it_stands() {
        insta::assert_snapshot!(text(&book(), None));
        insta::assert_snapshot!(markdown(&book()));
    }
}
