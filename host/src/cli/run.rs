//! `transload run`

use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::{Cli, Console, Ends, stop};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::{Notice, Plan, RunOptions, RunReport, RunState};
use crate::pipeline::project::Project;
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    approval: Approval,
    /// Do all of it but for what would change something, and say what a run would send, lose and take
    #[arg(long, conflicts_with_all = ["accept", "yes"])]
    dry_run: bool,
    /// Show what the last dry run would have sent for this record: `customer:5f1c`, or its id alone
    #[arg(long, value_name = "RECORD", requires = "dry_run")]
    show: Option<String>,
}

/// How a plan is approved.
#[derive(Debug, clap::Args)]
pub(super) struct Approval {
    /// Approve the plan with this digest, and no other
    #[arg(long, value_name = "DIGEST")]
    accept: Option<String>,
    /// Approve whatever the plan is now, but for its dangers
    #[arg(long, conflicts_with = "accept")]
    yes: bool,
    /// Take on a danger of the plan by its code; `--accept DIGEST` takes on all that the plan names
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    accept_danger: Vec<String>,
}

impl Approval {
    /// Does `work`; where its plan is not approved and somebody can be asked, asks and does it then.
    ///
    /// # Errors
    /// What was not approved; as `work`.
    pub(super) async fn given<T>(
        &self,
        project: &Project,
        console: &mut Console<'_>,
        work: impl AsyncFn(RunOptions, &Console<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let options = |accept: Option<String>| RunOptions {
            accept,
            yes: self.yes,
            accept_dangers: self.accept_danger.clone(),
            stop: CancellationToken::new(),
        };
        match work(options(self.accept.clone()), console).await {
            // The pipeline knows whether this run was approved before: a resumed one is not asked about again.
            Err(Error::NotApproved { .. }) if self.accept.is_none() && console.can_ask() => {
                let plan = {
                    let progress = Progress::new(console.bars);
                    pipeline::plan(project, &progress).await?
                };
                ask(&plan, &self.accept_danger, console)?;
                work(options(Some(plan.digest)), console).await
            }
            result => result,
        }
    }
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    if let Some(record) = &args.show {
        let shown = pipeline::show(&project, record).await?;
        console.answer(&shown, |_| report::shown(&shown))?;
        return Ok(EXIT_OK);
    }
    if args.dry_run {
        return dry_run(&project, console).await;
    }
    let run = args
        .approval
        .given(&project, console, async |options, console| {
            once(&project, options, console).await
        })
        .await?;
    console.answer(&run, |width| report::run(&run, width))?;
    if matches!(
        run.state,
        RunState::Stopped | RunState::Running | RunState::Paused
    ) {
        console.say("`transload run` goes on where this one stopped");
    }
    Ok(if report::is_clean(&run) {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}

/// Nothing is asked: nothing happens that anybody would have to approve.
async fn dry_run(project: &Project, console: &mut Console<'_>) -> Result<u8, Error> {
    let dry = {
        let (stop, _watch) = stop::watch(
            console.signals,
            "what was read of the source stays; `transload run --dry-run` begins the rest anew",
        );
        let progress = Progress::new(console.bars);
        let options = RunOptions {
            stop,
            ..RunOptions::default()
        };
        pipeline::dry_run(project, options, &progress).await?
    };
    console.answer(&dry, |width| report::dry_run(&dry, width))?;
    Ok(if report::is_clean(&dry.report) {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}

/// Shows the plan, and asks for a yes to each danger that nobody has taken on, by its code, and to the whole.
///
/// # Errors
/// What was not approved.
fn ask(plan: &Plan, taken_on: &[String], console: &mut Console<'_>) -> Result<(), Error> {
    console.say(&report::plan(plan, console.width));
    let mut codes: Vec<&str> = vec![];
    for danger in &plan.dangers {
        let code = danger.notice.code.as_str();
        if !(danger.accepted || taken_on.iter().any(|known| known == code) || codes.contains(&code))
        {
            codes.push(code);
        }
    }
    for code in codes {
        let of_code: Vec<Notice> = plan
            .dangers
            .iter()
            .map(|danger| danger.notice.clone())
            .filter(|notice| notice.code == code)
            .collect();
        let text = report::notices(&of_code, console.width);
        if !console.ask(
            &text,
            &format!("Take on the danger {}?", report::clean(code)),
        )? {
            return Err(Error::input(
                "danger-not-accepted",
                format!("the danger {code} is not taken on"),
            )
            .with_hint("mend it, and plan again"));
        }
    }
    match plan.errors.is_empty() && console.ask("", "Run this plan?")? {
        true => Ok(()),
        false => Err(Error::NotApproved {
            digest: plan.digest.clone(),
        }),
    }
}

async fn once(
    project: &Project,
    options: RunOptions,
    console: &Console<'_>,
) -> Result<RunReport, Error> {
    let (stop, _watch) = stop::watch(console.signals, "`transload run` goes on from there");
    let progress = Progress::new(console.bars);
    pipeline::run(project, RunOptions { stop, ..options }, &progress).await
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::pipeline::model::{CheckReport, PlanDanger, Severity};

    fn plan(codes: &[(&str, bool)]) -> Plan {
        let danger = |(code, accepted): &(&str, bool)| PlanDanger {
            notice: Notice {
                from: "acme".into(),
                code: (*code).into(),
                severity: Severity::Danger,
                message: format!("what {code} does"),
                remedy: None,
            },
            accepted: *accepted,
        };
        Plan {
            digest: "d1".into(),
            check: CheckReport {
                connections: vec![],
                ok: false,
            },
            kinds: vec![],
            losses: vec![],
            custom_fields: vec![],
            values: vec![],
            agents: vec![],
            side_effects: vec![],
            notices: vec![],
            dangers: codes.iter().map(danger).collect(),
            source_calls: 0,
            destination_calls: 0,
            forecast_ms: 0,
            damage: vec![],
            errors: vec![],
            ..Plan::default()
        }
    }

    /// What is asked, and whether all of it was answered with yes.
    fn asked(plan: &Plan, taken_on: &[&str], answers: &str) -> (String, bool) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut answers = Cursor::new(answers.to_owned());
        let mut console = Console::of_buffers(&mut out, &mut err, Some(&mut answers), false);
        let taken_on: Vec<String> = taken_on.iter().map(|code| (*code).to_owned()).collect();
        let yes = ask(plan, &taken_on, &mut console).is_ok();
        let text = String::from_utf8(err).unwrap();
        let questions = text.lines().filter(|line| line.contains("[y/N]"));
        (questions.collect::<Vec<_>>().join("\n"), yes)
    }

    #[test]
    fn each_danger_is_asked_about_by_its_code_and_then_the_plan() {
        let plan = plan(&[
            ("mails", false),
            ("masked", false),
            ("mails", false),
            ("old", true),
        ]);
        let (questions, yes) = asked(&plan, &[], "y\nyes\ny\n");
        assert!(yes);
        for words in [
            "Take on the danger mails?",
            "Take on the danger masked?",
            "Run this plan?",
        ] {
            assert_eq!(questions.matches(words).count(), 1, "{words}: {questions}");
        }
        assert!(!questions.contains("old"), "{questions}");
        let (questions, yes) = asked(&plan, &["mails"], "y\ny\n");
        assert!(yes && !questions.contains("mails"), "{questions}");
    }

    #[test]
    fn one_no_is_enough() {
        let plan = plan(&[("mails", false), ("masked", false)]);
        let (questions, yes) = asked(&plan, &[], "y\nn\ny\n");
        assert!(!yes && !questions.contains("Run this plan?"), "{questions}");
        assert!(!asked(&plan, &[], "y\ny\n\n").1);
        assert!(!asked(&plan, &[], "").1);
    }
}
