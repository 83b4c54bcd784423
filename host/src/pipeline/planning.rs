//! What can be said before anything is written: who is on both sides, what is there, how it will arrive, what it costs.
//!
//! Everything here comes from `describe`, `check`, `discover`, `survey` and the schema kinds, which are cheap to read. A plan's
//! digest covers what a person would decide by, so that `--accept <digest>` approves just that.

use super::mapping::{self, Met};
use super::model::{
    CheckReport, ConnectionCheck, DamageGroup, Notice, Plan, PlanDanger, PlanField, PlanKind,
    RunOptions, Severity,
};
use super::side::Side;
use crate::config::Config;
use crate::contract::description::{FieldFidelity, KindSupport, Role, SideEffectSeverity};
use crate::contract::destination::{AccountSupport, SurveyReport};
use crate::contract::session::{self, Account};
use crate::contract::source::{Certainty, Discovery};
use crate::contract::types::{Entry, Fidelity, Kind};
use crate::error::Error;
use crate::kinds;
use crate::store::sha256;

/// A connector's notice with its sender.
#[must_use]
pub fn notice(from: &str, notice: &session::Notice) -> Notice {
    Notice {
        from: from.to_owned(),
        code: notice.code.clone(),
        severity: match notice.severity {
            session::Severity::Info => Severity::Info,
            session::Severity::Caution => Severity::Caution,
            session::Severity::Danger => Severity::Danger,
        },
        message: notice.message.clone(),
        remedy: notice.remedy.clone(),
    }
}

/// What `check` says about one connection.
#[must_use]
pub fn connection_check(side: &Side, account: &Account) -> ConnectionCheck {
    let description = side.description();
    ConnectionCheck {
        connection: side.name.clone(),
        role: match description.role {
            Role::Source => "source".into(),
            Role::Destination => "destination".into(),
        },
        plugin: side.plugin_name(),
        digest: side.plugin.digest().to_owned(),
        account: account.id.clone(),
        account_name: account.name.clone(),
        url: account.url.clone(),
        tier: account.tier.clone(),
        user: account.user.clone(),
        missing_rights: account.missing.clone(),
        excess_rights: account.excess.clone(),
        hosts: description
            .hosts
            .iter()
            .map(|host| format!("{} ({})", host.pattern, host.purpose))
            .collect(),
        notices: account
            .notices
            .iter()
            .map(|n| notice(&side.name, n))
            .collect(),
    }
}

/// Both connections together.
#[must_use]
pub fn check_report(connections: Vec<ConnectionCheck>, accepted: &[String]) -> CheckReport {
    let ok = connections.iter().all(|connection| {
        connection.missing_rights.is_empty()
            && connection
                .notices
                .iter()
                .all(|n| n.severity < Severity::Danger || accepted.contains(&n.code))
    });
    CheckReport { connections, ok }
}

/// What a plan is made from.
pub struct Facts<'a> {
    /// The source.
    pub source: &'a Side,
    /// The destination.
    pub destination: &'a Side,
    /// Both accounts.
    pub check: &'a CheckReport,
    /// What is there.
    pub discovery: &'a Discovery,
    /// What there could be.
    pub survey: &'a SurveyReport,
    /// Staged agents, field definitions and object types.
    pub schema: &'a [Entry],
    /// Values of the destination's settings met in what is staged.
    pub met: &'a Met,
    /// What the source's connector said while it was read.
    pub read: &'a [Notice],
    /// Texts that look damaged in what is staged.
    pub damage: &'a [DamageGroup],
}

/// Makes the plan by the user's rules.
///
/// # Errors
/// If the plan cannot be written as JSON.
pub fn plan(config: &Config, facts: &Facts<'_>) -> Result<Plan, serde_json::Error> {
    let Facts {
        source,
        destination,
        check,
        discovery,
        survey,
        schema,
        met,
        read,
        damage,
    } = *facts;
    let support = destination.support(survey);
    let mut notices: Vec<Notice> = discovery
        .notices
        .iter()
        .map(|n| notice(&source.name, n))
        .chain(survey.notices.iter().map(|n| notice(&destination.name, n)))
        .chain(read.iter().cloned())
        .collect();
    for host in &discovery.foreign_hosts {
        notices.push(Notice {
            from: source.name.clone(),
            code: "foreign-host".into(),
            severity: Severity::Caution,
            message: format!("some files are kept at {host}"),
            remedy: Some(format!(
                "add \"{host}\" to allow_hosts of [connections.{}] to fetch them; else they stay links",
                source.name
            )),
        });
    }
    let mut plan_kinds = vec![];
    let mut source_calls = 0;
    let mut destination_calls = 0;
    for kind in kinds::ALL {
        let word = kinds::name(&kind);
        let counts: Vec<_> = discovery.counts.iter().filter(|c| c.kind == kind).collect();
        if counts.is_empty() {
            continue;
        }
        let count = counts
            .iter()
            .map(|c| c.count)
            .try_fold(0_u64, |sum, n| n.map(|n| sum + n));
        let worst = counts
            .iter()
            .map(|c| c.certainty)
            .max_by_key(|certainty| match certainty {
                Certainty::Exact => 0,
                Certainty::AtLeast => 1,
                Certainty::Estimate => 2,
                Certainty::Unknown => 3,
            });
        let reading = calls(supported(&source.description().kinds, &kind), count);
        let writing = calls(supported(&support.kinds, &kind), count);
        source_calls += reading;
        destination_calls += writing;
        plan_kinds.push(PlanKind {
            kind: word.to_owned(),
            count,
            certainty: match worst {
                Some(Certainty::Exact) => "exact",
                Some(Certainty::AtLeast) => "at-least",
                Some(Certainty::Estimate) => "estimate",
                _ => "unknown",
            }
            .into(),
            arrival: if config.filter.wants(word) {
                arrival(&kind, &support.kinds)
            } else {
                "left out by [filter] kinds".into()
            },
            source_calls: reading,
            destination_calls: writing,
        });
    }
    let (values, mut errors) = mapping::values(config, &survey.slots, met, &destination.name);
    notices.extend(mapping::not_read(config, &survey.slots, met));
    let fields = mapping::fields(config, schema, &survey.fields, &destination.name);
    errors.extend(fields.errors);
    notices.extend(fields.notices);
    let agents = mapping::agents(config, schema, &survey.agents, &destination.name);
    errors.extend(agents.errors);
    notices.extend(agents.notices);
    let losses = losses(&source.description().fidelity, &support);
    let side_effects: Vec<Notice> = destination
        .description()
        .side_effects
        .iter()
        .map(|effect| Notice {
            from: destination.name.clone(),
            code: effect.code.clone(),
            severity: match effect.severity {
                SideEffectSeverity::Info => Severity::Info,
                SideEffectSeverity::Caution => Severity::Caution,
                SideEffectSeverity::Danger => Severity::Danger,
            },
            message: match &effect.avoided_by {
                Some(how) => format!("{} ({how})", effect.title),
                None => effect.title.clone(),
            },
            remedy: effect.operator.clone(),
        })
        .collect();
    let dangers = dangers(
        check
            .connections
            .iter()
            .flat_map(|connection| &connection.notices)
            .chain(&side_effects)
            .chain(&notices),
        &config.migration.accept,
    );
    let mut plan = Plan {
        digest: String::new(),
        check: check.clone(),
        kinds: plan_kinds,
        losses,
        custom_fields: fields.plan,
        values,
        agents: agents.plan,
        side_effects,
        notices,
        dangers,
        source_calls,
        destination_calls,
        forecast_ms: forecast(source, source_calls, config).max(forecast(
            destination,
            destination_calls,
            config,
        )),
        damage: damage.to_vec(),
        errors,
    };
    plan.digest = sha256(&serde_json::to_string(&(
        &plan.values,
        plan.kinds
            .iter()
            .map(|kind| (&kind.kind, &kind.arrival))
            .collect::<Vec<_>>(),
        &plan.losses,
        &plan.side_effects,
        &plan.custom_fields,
        &plan.agents,
        // Whether they are taken on already is no part of what there is to take on.
        plan.dangers
            .iter()
            .map(|danger| &danger.notice)
            .collect::<Vec<_>>(),
        plan.check
            .connections
            .iter()
            .map(|c| (&c.account, &c.digest))
            .collect::<Vec<_>>(),
        config.digest(),
    ))?);
    Ok(plan)
}

/// What needs a yes, none twice.
fn dangers<'a>(all: impl Iterator<Item = &'a Notice>, accepted: &[String]) -> Vec<PlanDanger> {
    let mut dangers: Vec<PlanDanger> = vec![];
    for notice in all.filter(|notice| notice.severity == Severity::Danger) {
        if !dangers.iter().any(|known| known.notice == *notice) {
            dangers.push(PlanDanger {
                notice: notice.clone(),
                accepted: accepted.contains(&notice.code),
            });
        }
    }
    dangers
}

/// Who said yes to a plan, if anybody did.
///
/// The plan's digest covers its dangers. A yes to whatever the plan is does not: each of those needs its code, in
/// `[migration] accept` or beside the yes.
///
/// # Errors
/// [`Error::NotApproved`]; `danger-not-accepted`, which names each.
pub fn approve(plan: &Plan, options: &RunOptions) -> Result<(), Error> {
    if options.accept.as_deref() == Some(plan.digest.as_str()) {
        return Ok(());
    }
    if !options.yes {
        return Err(Error::NotApproved {
            digest: plan.digest.clone(),
        });
    }
    let open = plan
        .dangers
        .iter()
        .filter(|danger| !danger.accepted)
        .map(|danger| &danger.notice)
        .filter(|notice| !options.accept_dangers.contains(&notice.code));
    let also = format!(
        ", or all that the plan names with `--accept {}`",
        plan.digest
    );
    refuse(open, &also)
}

/// Refuses to go on with dangers that nobody has taken on.
///
/// # Errors
/// `danger-not-accepted`, which names each and says how it is taken on, if there is any.
pub fn refuse<'a>(open: impl Iterator<Item = &'a Notice>, also: &str) -> Result<(), Error> {
    let (mut named, mut codes) = (vec![], vec![]);
    for notice in open {
        named.push(format!(
            "{} ({}: {})",
            notice.code, notice.from, notice.message
        ));
        codes.push(notice.code.as_str());
    }
    if named.is_empty() {
        return Ok(());
    }
    codes.sort_unstable();
    codes.dedup();
    Err(Error::input(
        "danger-not-accepted",
        format!("nobody has taken on: {}", named.join("; ")),
    )
    .with_hint(format!(
        "mend what can be mended; take on the rest with `--accept-danger {codes}`, for good with `transload plan --accept \
         {codes}`{also}",
        codes = codes.join(",")
    )))
}

fn calls(support: Option<&KindSupport>, count: Option<u64>) -> u64 {
    let (Some(support), Some(count)) = (support, count) else {
        return 0;
    };
    (count * u64::from(support.calls)).div_ceil(u64::from(support.per_items.max(1)))
}

fn supported<'a>(kinds: &'a [KindSupport], kind: &Kind) -> Option<&'a KindSupport> {
    kinds.iter().find(|support| support.kind == *kind)
}

/// How a kind arrives at an account that takes these.
fn arrival(kind: &Kind, kinds: &[KindSupport]) -> String {
    let inside = matches!(kind, Kind::Message | Kind::Attachment)
        && supported(kinds, &Kind::Conversation).is_some();
    match supported(kinds, kind) {
        None if inside => "inside its conversation".into(),
        None => "written to the export folder".into(),
        Some(support) if !support.can_create => "matched with what is there".into(),
        Some(support) if support.matches => "matched, or made where there is none".into(),
        Some(_) => "made".into(),
    }
}

/// Fields that do not travel exactly, by both sides' own words; and when a record was made, where that is not kept.
fn losses(source: &[FieldFidelity], support: &AccountSupport) -> Vec<PlanField> {
    let not_kept = support.kinds.iter().filter(|kind| {
        let of_kind = |f: &&FieldFidelity| f.kind == kind.kind;
        let mut said = support.fidelity.iter().filter(of_kind);
        kind.can_create
            && !kind.keeps_created_at
            && said.all(|f| {
                !["created-at", "*"].contains(&f.field.as_str()) || f.how == Fidelity::Exact
            })
    });
    let not_kept = not_kept.map(|kind| FieldFidelity {
        kind: kind.kind.clone(),
        field: "created-at".into(),
        how: Fidelity::Lost,
        note: Some("the account says when it was loaded".into()),
    });
    let target = support.fidelity.iter().cloned().chain(not_kept);
    let both = source.iter().cloned().map(|f| (f, "source"));
    both.chain(target.map(|f| (f, "destination")))
        .filter(|(fidelity, _)| fidelity.how != Fidelity::Exact)
        .map(|(fidelity, side)| PlanField {
            kind: kinds::name(&fidelity.kind).to_owned(),
            field: fidelity.field,
            how: match fidelity.how {
                Fidelity::Exact => "exact",
                Fidelity::Converted => "converted",
                Fidelity::Lost => "lost",
            }
            .into(),
            note: fidelity.note,
            side: side.into(),
        })
        .collect()
}

/// How long calls take by the tightest general limit and our share of it, ms.
fn forecast(side: &Side, calls: u64, config: &Config) -> u64 {
    side.description()
        .rate_rules
        .iter()
        .filter(|rule| rule.path == "**" || rule.path == "/**" || rule.path == "*")
        .map(|rule| {
            let share = if rule.shared {
                config.budget.share
            } else {
                1.0
            };
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a forecast in ms of counts far below 2^52"
            )]
            let ms = (calls as f64 * rule.per_ms as f64
                / (f64::from(rule.limit.max(1)) * share.max(0.01))) as u64;
            ms
        })
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
