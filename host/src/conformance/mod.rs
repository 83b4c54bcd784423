//! Whether a connector keeps the rules of `docs/connector-spec.md`: the shipped component, in the real pipeline, between a platform
//! that answers in this process and something that stands in for the other end. No account, no network.
//!
//! Nothing here runs units, journals or retries: every test is a run of [`crate::pipeline`] on a [`Wire`] on which something goes
//! wrong, in a process that may die, and what is compared is what is stored and what the platform holds.
//!
//! A platform is a mock that files describe ([`cases`]), or anything that implements [`Platform`]: a simulator's router is put in
//! by its `answer`.

mod bench;
pub mod cases;
mod corpus;
mod destination;
mod lint;
mod platform;
mod result;
pub mod rules;
mod source;
mod stand_ins;
mod time;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use transload_registry::Role;

use self::bench::{Bench, Subject};
pub use self::lint::missing;
pub use self::platform::{
    Account, Expected, Opens, Platform, Request, Response, Seen, Trouble, Wire,
};
use self::result::{About, Findings};
pub use self::result::{Checked, Conformance, FORMAT, Verdict};
pub use self::rules::{Level, Rule};
use self::stand_ins::{History, Sink};
pub use self::time::TestTime;
use crate::contract::description::{self, Description};
use crate::error::Error;
use crate::pipeline::Side;
use crate::sandbox::{Plugin, Sandbox, SandboxConfig, SandboxError, digest};

/// What is tested, and how.
pub struct Test {
    /// The component.
    pub component: Vec<u8>,
    /// Makes the platform that it speaks to.
    pub opens: Opens,
    /// What that is, in words.
    pub against: String,
    /// Whether every boundary has its turn; else one in some.
    pub thorough: bool,
    /// Rules that are not held against it, each with a reason.
    pub skips: Vec<(String, String)>,
    /// Private folder for compiled components.
    pub cache_dir: PathBuf,
    /// When, ms since 1970: for the result.
    pub at: i64,
}

/// What goes wrong with every request once, with the rule that it is for; each connector must come to the same end.
const TROUBLES: [(&Rule, Trouble); 5] = [
    (&rules::FAILED, Trouble::Status(503)),
    (&rules::SLOWED, Trouble::SlowDown),
    (&rules::LOST, Trouble::Lost),
    (&rules::UNANSWERED, Trouble::Unanswered),
    (&rules::REPEATED, Trouble::Twice),
];

/// What every part of a test has.
struct Tested<'a> {
    subject: Subject,
    found: Findings,
    denied: Vec<String>,
    /// Rules that are skipped are not tested at all.
    skips: &'a [(String, String)],
    thorough: bool,
    told: &'a (dyn Fn(&str) + Send + Sync),
}

/// Tests a connector. `told` hears what is being done.
///
/// # Errors
/// A machine that is in the way, a mock that cannot be set up. What is wrong with the connector is in the result.
pub async fn test(test: &Test, told: &(dyn Fn(&str) + Send + Sync)) -> Result<Conformance, Error> {
    check_skips(&test.skips)?;
    told("load");
    let sandbox = Sandbox::new(SandboxConfig::new(&test.cache_dir))?;
    let sha256 = digest(&test.component);
    let mut found = Findings::default();
    let about = |against: &str| About {
        against: against.to_owned(),
        at: test.at,
        thorough: test.thorough,
    };
    let plugin = match load(&sandbox, &test.component, &sha256, &mut found).await? {
        Ok(plugin) => plugin,
        Err(role) => {
            let unknown = Description {
                name: "unknown".into(),
                version: "0.0.0".into(),
                role,
                ..stand_ins::description(Role::Source)
            };
            return Ok(found.into_result(&unknown, &sha256, &test.skips, about(&test.against)));
        }
    };
    let role = plugin.role();
    let other = match role {
        Role::Source => sandbox.stand_in(stand_ins::description(Role::Destination), Arc::new(Sink)),
        Role::Destination => {
            let history = History(corpus::records()?);
            sandbox.stand_in(stand_ins::description(Role::Source), Arc::new(history))
        }
    };
    found.found(&rules::COMPLETE, lint::missing(plugin.description()));
    let mut tested = Tested {
        subject: Subject {
            plugin: plugin.clone(),
            other,
            opens: Arc::clone(&test.opens),
            thorough: test.thorough,
            answers: Arc::default(),
        },
        found,
        denied: Vec::new(),
        skips: &test.skips,
        thorough: test.thorough,
        told,
    };
    tested.asked_twice().await?;
    match role {
        Role::Source => Box::pin(tested.source()).await?,
        Role::Destination => Box::pin(tested.destination()).await?,
    }
    let mut denied = std::mem::take(&mut tested.denied);
    denied.sort();
    denied.dedup();
    tested.found.found(&rules::GRANTS, denied);
    let description = plugin.description();
    Ok(tested
        .found
        .into_result(description, &sha256, &test.skips, about(&test.against)))
}

fn check_skips(skips: &[(String, String)]) -> Result<(), Error> {
    for (rule, reason) in skips {
        if rules::find(rule).is_none() {
            return Err(
                Error::input("unknown-rule", format!("there is no rule {rule}"))
                    .with_hint("docs/connector-spec.md has them: C-1, C-2 …"),
            );
        }
        if reason.trim().is_empty() {
            return Err(Error::input(
                "skip-without-reason",
                format!("{rule} is skipped without a reason"),
            )
            .with_hint(format!("say why: --skip {rule}=\"the platform has no …\"")));
        }
    }
    Ok(())
}

/// Loads a component twice: what it says of itself must be the same. Inside, the role where it cannot be loaded.
async fn load(
    sandbox: &Sandbox,
    component: &[u8],
    sha256: &str,
    found: &mut Findings,
) -> Result<Result<Plugin, description::Role>, Error> {
    let outline = transload_registry::outline(component);
    let role = match outline.as_ref().map(|outline| outline.role) {
        Ok(Role::Destination) => description::Role::Destination,
        Ok(Role::Source) | Err(_) => description::Role::Source,
    };
    let first = match sandbox.load(component.to_vec(), sha256).await {
        Ok(plugin) => plugin,
        Err(error @ (SandboxError::Describe(_) | SandboxError::Description(_))) => {
            found.found(&rules::CONTRACT, vec![]);
            let problems = match error {
                SandboxError::Description(problems) => problems,
                other => vec![other.to_string()],
            };
            found.found(&rules::DESCRIBED, problems);
            return Ok(Err(role));
        }
        Err(error @ (SandboxError::Engine(_) | SandboxError::Read { .. })) => {
            return Err(error.into());
        }
        Err(error) => {
            found.found(&rules::CONTRACT, vec![error.to_string()]);
            return Ok(Err(role));
        }
    };
    found.found(&rules::CONTRACT, vec![]);
    let same = *first.description() == first.describe_again().await?;
    let problems = (!same).then(|| "it describes itself otherwise each time".to_owned());
    found.found(&rules::DESCRIBED, problems.into_iter().collect());
    Ok(Ok(first))
}

impl Tested<'_> {
    fn is_skipped(&self, rule: &Rule) -> bool {
        self.skips
            .iter()
            .any(|(id, _)| id.eq_ignore_ascii_case(rule.id))
    }

    /// After a bench has served.
    fn done_with(&mut self, bench: &Bench) {
        self.denied.extend(bench.wire.denied());
    }

    /// Boundaries (or requests) between two kills, in their turn. Never one alone: a process that dies at the first intent each
    /// time gets nowhere.
    fn steps(&self, boundaries: u64) -> Vec<u64> {
        match self.thorough {
            true => vec![1, 2, 3, 4, 5],
            false => {
                let one = boundaries / 8;
                vec![one + 3, one + 4, one + 6, one + 5]
            }
        }
    }

    /// Credential, account, and what is found when it looks twice.
    async fn asked_twice(&mut self) -> Result<(), Error> {
        (self.told)("check");
        let bench = Bench::open(&self.subject)?;
        let account = bench.platform.account();
        if !self.is_skipped(&rules::CREDENTIAL) {
            let mut problems = vec![];
            if account.secrets.is_empty() {
                problems.push("the mock knows no secret, so that none can be wrong".to_owned());
            } else {
                let wrong = Bench::with_wrong_secrets(&self.subject)?;
                let project = wrong.project().await?;
                let side = wrong.side(&project).await?;
                let asked = project.account(&side);
                // A credential that is refused makes the gateway wait for another.
                let refused =
                    crate::pipeline::unless_refused(&[&side], &bench::Silent, asked).await;
                match refused {
                    Ok(_) => problems.push("a wrong secret is taken".to_owned()),
                    Err(error) if ["auth", "permission"].contains(&error.code()) => {}
                    Err(error) => problems.push(format!(
                        "a wrong secret is told as {:?} ({error}), and not as a credential that is refused",
                        error.code()
                    )),
                }
                let before = bench.held("");
                if wrong.held("") != before {
                    problems.push("something was changed with a wrong secret".to_owned());
                }
                self.done_with(&wrong);
            }
            self.found.found(&rules::CREDENTIAL, problems);
        }
        let project = bench.project().await?;
        let side = bench.side(&project).await?;
        let (first, second) = (project.account(&side).await, project.account(&side).await);
        let problems = match (first, second) {
            (Ok(first), Ok(second))
                if first.id.trim().is_empty() || second.id.trim().is_empty() =>
            {
                vec!["the account has no id".to_owned()]
            }
            (Ok(first), Ok(second)) if first.id != second.id => {
                vec![format!(
                    "the account is {:?} and then {:?}",
                    first.id, second.id
                )]
            }
            (Ok(_), Ok(_)) => vec![],
            (Err(error), _) | (_, Err(error)) => vec![error.to_string()],
        };
        self.found.found(&rules::ACCOUNT, problems);
        let problems = match self.subject.plugin.role() {
            Role::Source => twice(
                "discovery",
                discovered(&side).await,
                discovered(&side).await,
            ),
            Role::Destination => twice("survey", surveyed(&side).await, surveyed(&side).await),
        };
        self.found.found(&rules::STABLE, problems);
        self.done_with(&bench);
        Ok(())
    }
}

async fn discovered(side: &Side) -> Result<crate::contract::source::Discovery, Error> {
    side.ask("be discovered", |host| {
        let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
        async move { plugin.discover(host, ctx).await }
    })
    .await
}

/// What is surveyed, but for how much of the account's allowances is used: to ask uses some.
async fn surveyed(side: &Side) -> Result<crate::contract::destination::SurveyReport, Error> {
    let mut survey = side.survey().await?;
    for allowance in &mut survey.allowances {
        allowance.used = None;
    }
    Ok(survey)
}

fn twice<T: PartialEq>(
    what: &str,
    first: Result<T, Error>,
    second: Result<T, Error>,
) -> Vec<String> {
    match (first, second) {
        (Ok(first), Ok(second)) if first == second => vec![],
        (Ok(_), Ok(_)) => vec![format!(
            "a second {what} says something else than the first"
        )],
        (Err(error), _) | (_, Err(error)) => vec![error.to_string()],
    }
}

/// Differences in words, the first few of them, after what they are about.
fn apart(what: &str, differences: Vec<String>) -> Vec<String> {
    differences
        .into_iter()
        .map(|line| format!("{what}: {line}"))
        .collect()
}
