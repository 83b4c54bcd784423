//! What can be said before anything is written: who is on both sides, what is there, how it will arrive, what it costs.
//!
//! Everything here comes from `describe`, `check`, `discover`, `survey` and the schema kinds, which are cheap to read. A plan's
//! digest covers what a person would decide by, so that `--accept <digest>` approves just that.

use std::collections::BTreeMap;

use super::evidence::Seen;
use super::mapping;
use super::matches::Asked;
use super::model::{
    CheckReport, ConnectionCheck, DamageGroup, Forecast, Notice, Plan, PlanAllowance, PlanDanger,
    PlanField, PlanKind, PlanLimit, PlanUpdate, RunOptions, Severity,
};
use super::points;
use super::side::Side;
use crate::config::{Config, Frozen};
use crate::contract::description::{
    FieldFidelity, KindSupport, Role, SideEffectSeverity, UpdateMode,
};
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
            .chain(withheld(side))
            .collect(),
    }
}

/// That the plugin asks for more than a person allowed it.
fn withheld(side: &Side) -> Option<Notice> {
    let rights = side.gateway.withheld();
    (!rights.is_empty()).then(|| Notice {
        from: side.name.clone(),
        code: "not-granted".into(),
        severity: Severity::Caution,
        message: format!(
            "The plugin asks for what nobody allowed, and goes without it: {}",
            rights.join("; ")
        ),
        remedy: Some(format!(
            "`transload plugin grant {}` shows all that it asks for",
            side.description().name
        )),
    })
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
    /// Staged teams, agents, tags, brands, object types and field definitions.
    pub schema: &'a [Entry],
    /// What was found in the records that are read.
    pub seen: &'a Seen,
    /// What the destination said it has of them.
    pub asked: &'a Asked,
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
        seen,
        asked,
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
    notices.extend(not_all_read(seen, config));
    let mut plan_kinds = vec![];
    let mut source_calls = 0;
    let mut destination_calls = 0;
    for kind in kinds::ALL {
        let word = kinds::name(&kind);
        let counts: Vec<_> = discovery.counts.iter().filter(|c| c.kind == kind).collect();
        let read = seen.read.get(word).copied().unwrap_or(0);
        if counts.is_empty() && read == 0 {
            continue;
        }
        // What the source does not count is there all the same once it was read.
        let count = match counts.is_empty() {
            true => None,
            false => counts
                .iter()
                .map(|c| c.count)
                .try_fold(0_u64, |sum, n| n.map(|n| sum + n)),
        };
        let worst = counts
            .iter()
            .map(|c| c.certainty)
            .max_by_key(|certainty| match certainty {
                Certainty::Exact => 0,
                Certainty::AtLeast => 1,
                Certainty::Estimate => 2,
                Certainty::Unknown => 3,
            });
        let known = count.or((read > 0).then_some(read));
        let reading = calls(supported(&source.description().kinds, &kind), known);
        let writing = calls(supported(&support.kinds, &kind), known);
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
            forecast: kind_forecast(config, &kind, count, &support, seen, asked),
        });
    }
    let met = &seen.met;
    let (values, mut errors) = mapping::values(config, &survey.slots, met, &destination.name);
    notices.extend(mapping::not_read(config, &survey.slots, met));
    let fields = mapping::fields(config, schema, &survey.fields, seen, &destination.name);
    errors.extend(fields.errors);
    notices.extend(fields.notices);
    let agents = mapping::agents(config, schema, &survey.agents, &destination.name);
    errors.extend(agents.errors);
    notices.extend(agents.notices);
    let names = mapping::names(config, schema, &survey.slots, seen, &destination.name);
    let losses = losses(&source.description().fidelity, &support, seen);
    let mut limits = limits(source, source_calls, config);
    limits.extend(self::limits(destination, destination_calls, config));
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
    let evidence = seen.evidence(|kind, what| {
        let word = what.split(' ').next().unwrap_or(what);
        let rule = support.fidelity.iter().find(|row| {
            kinds::name(&row.kind) == kind && row.field == word && row.how != Fidelity::Exact
        });
        rule.and_then(|row| row.note.clone())
    });
    let forecast_ms = limits.iter().filter_map(|limit| limit.ms).max();
    let mut plan = Plan {
        digest: String::new(),
        check: check.clone(),
        kinds: plan_kinds,
        losses,
        custom_fields: fields.plan,
        values,
        agents: agents.plan,
        names,
        evidence,
        limits,
        allowances: allowances(survey, schema, seen),
        points: vec![],
        updates: updates(&support.kinds, config),
        side_effects,
        notices,
        dangers,
        source_calls,
        destination_calls,
        forecast_ms: forecast_ms.unwrap_or(0),
        damage: damage.to_vec(),
        errors,
    };
    plan.points = points::all(&plan, facts, config);
    plan.digest = digest(&decided_by(&plan, config))?;
    Ok(plan)
}

/// What a delta does with conversations that changed after they were loaded, as the destination takes changes of them.
fn updates(kinds_of_account: &[KindSupport], config: &Config) -> Vec<PlanUpdate> {
    let moving = [
        Kind::Company,
        Kind::Customer,
        Kind::Conversation,
        Kind::CustomObject,
    ];
    let mut all = vec![];
    for support in kinds_of_account.iter().filter(|s| moving.contains(&s.kind)) {
        for update in &support.updates {
            let takes = update.modes.iter().any(|mode| *mode != UpdateMode::Frozen);
            let is_thread = support.kind == Kind::Conversation;
            let adds = update.modes.contains(&UpdateMode::Append) || is_thread;
            let delta = match (takes, is_thread, config.delta.frozen) {
                (true, ..) if adds && is_thread => "what came since is added, the rest is changed",
                (true, ..) => "is changed",
                (false, true, Frozen::Recreate) => "is deleted and made anew, with another id",
                (false, true, Frozen::List) => "stays as it was loaded, and is listed for a person",
                (false, false, _) => "stays as it was loaded",
            };
            let modes = update.modes.iter().map(|mode| mode_word(*mode).to_owned());
            all.push(PlanUpdate {
                kind: kinds::name(&support.kind).to_owned(),
                state: update.state.clone(),
                modes: modes.collect(),
                silent: update.silent,
                delta: delta.to_owned(),
                note: update.note.clone(),
            });
        }
    }
    all
}

fn mode_word(mode: UpdateMode) -> &'static str {
    match mode {
        UpdateMode::Append => "append",
        UpdateMode::ChangeFields => "change-fields",
        UpdateMode::Replace => "replace",
        UpdateMode::Recreate => "recreate",
        UpdateMode::Frozen => "frozen",
    }
}

/// sha-256 of what a plan is decided by.
fn digest(facts: &BTreeMap<String, String>) -> Result<String, serde_json::Error> {
    Ok(sha256(&serde_json::to_string(facts)?))
}

/// What a person decides a plan by, one thing a line, so that two plans can be compared: everything but counts and times, which
/// move while a live helpdesk is looked at.
#[must_use]
pub fn decided_by(plan: &Plan, config: &Config) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut add = |what: String, is: String| {
        // Several of one name are told apart by what they say.
        all.entry(what)
            .and_modify(|known: &mut String| {
                known.push_str("; ");
                known.push_str(&is);
            })
            .or_insert(is);
    };
    for (path, value) in config.settings_by_path() {
        add(format!("migration.toml {path}"), value);
    }
    for connection in &plan.check.connections {
        let role = &connection.role;
        add(format!("account of the {role}"), connection.account.clone());
        add(format!("plugin of the {role}"), connection.plugin.clone());
        add(
            format!("digest of the {role}'s plugin"),
            connection.digest.clone(),
        );
    }
    for kind in &plan.kinds {
        add(format!("how {} arrives", kind.kind), kind.arrival.clone());
    }
    for map in &plan.values {
        for (from, to) in &map.values {
            add(format!("{} {from}", map.slot), to.clone());
        }
        for from in &map.unmapped {
            add(format!("{} {from}", map.slot), "has no value".to_owned());
        }
    }
    for field in &plan.custom_fields {
        add(
            format!("field {}", field.field),
            format!("{} ({})", field.target, field.field_type),
        );
    }
    for agent in &plan.agents {
        let who = agent.target.clone().unwrap_or_else(|| "a stand-in".into());
        add(format!("agent {} ({})", agent.name, agent.id), who);
    }
    for name in plan
        .names
        .iter()
        .filter(|name| name.name != name.target || name.state == "new")
    {
        add(
            format!("{} {}", name.kind, name.name),
            format!("{} ({})", name.target, name.state),
        );
    }
    for loss in &plan.losses {
        let why = loss.note.clone().unwrap_or_default();
        add(
            format!("{} {} by the {}", loss.kind, loss.field, loss.side),
            format!("{}: {why}", loss.how),
        );
    }
    for foreseen in &plan.evidence.foreseen {
        add(
            format!("refusals of {} by {}", foreseen.kind, foreseen.field),
            foreseen.cause.clone(),
        );
    }
    for effect in &plan.side_effects {
        add(
            format!("side effect {}", effect.code),
            effect.message.clone(),
        );
    }
    // Whether they are taken on already is no part of what there is to take on.
    for danger in &plan.dangers {
        add(
            format!("danger {}", danger.notice.code),
            danger.notice.message.clone(),
        );
    }
    all
}

/// What is otherwise in the second of two, in sentences.
#[must_use]
pub fn changes(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut all = vec![];
    for (what, was) in before {
        match now.get(what) {
            None => all.push(format!("{what} was {was:?} and is gone")),
            Some(is) if is != was => all.push(format!("{what} was {was:?} and is {is:?}")),
            Some(_) => {}
        }
    }
    for (what, is) in now.iter().filter(|(what, _)| !before.contains_key(*what)) {
        all.push(format!("{what} is new: {is:?}"));
    }
    all
}

/// What may be said of records when not all of them are read.
fn not_all_read(seen: &Seen, config: &Config) -> Option<Notice> {
    let open: Vec<&str> = kinds::ALL
        .iter()
        .map(kinds::name)
        .filter(|kind| *kind != "attachment" && config.filter.wants(kind) && !seen.is_whole(kind))
        .collect();
    (!open.is_empty()).then(|| Notice {
        from: "plan".into(),
        code: "not-all-read".into(),
        severity: Severity::Info,
        message: format!(
            "not all is read yet of {}: what is said of values, losses and refusals holds for the records that are read",
            open.join(", ")
        ),
        remedy: Some(
            "`transload plan --read` reads everything first; the run does not read it again".into(),
        ),
    })
}

/// What will become of the records of a kind.
fn kind_forecast(
    config: &Config,
    kind: &Kind,
    count: Option<u64>,
    support: &AccountSupport,
    seen: &Seen,
    asked: &Asked,
) -> Forecast {
    let word = kinds::name(kind);
    let read = seen.read.get(word).copied().unwrap_or(0);
    let whole = seen.is_whole(word);
    // What is not read yet is reckoned to be like what is.
    let all = match whole {
        true => read,
        false => count.unwrap_or(read).max(read),
    };
    let share = |part: u64| match (read, whole) {
        (0, _) | (_, true) => part,
        _ => part * all / read,
    };
    let mut forecast = Forecast {
        read,
        ..Forecast::default()
    };
    if !config.filter.wants(word) {
        forecast.skipped = all;
        return forecast;
    }
    forecast.skipped = share(seen.skipped.get(word).copied().unwrap_or(0)).min(all);
    forecast.rejected =
        share(seen.rejected.get(word).copied().unwrap_or(0)).min(all - forecast.skipped);
    let left = all - forecast.skipped - forecast.rejected;
    let inside = matches!(kind, Kind::Message | Kind::Attachment)
        && supported(&support.kinds, &Kind::Conversation).is_some();
    match supported(&support.kinds, kind) {
        None if inside => forecast.created = left,
        None => forecast.exported = left,
        Some(support) if !support.can_create => forecast.matched = left,
        // Whoever is not known has a stand-in, unless a setting of the connection says otherwise.
        Some(_) if *kind == Kind::Agent => forecast.matched = left,
        Some(_) => {
            let (asked, found) = asked.of(word);
            forecast.asked = asked;
            forecast.matched = match asked {
                0 => 0,
                asked => (left * found).div_ceil(asked).min(left),
            };
            forecast.created = left - forecast.matched;
        }
    }
    forecast
}

/// Limits of the destination's account, with what the migration adds to them where the numbers are of one thing.
fn allowances(survey: &SurveyReport, schema: &[Entry], seen: &Seen) -> Vec<PlanAllowance> {
    let of_kind = |kind: &Kind| schema.iter().filter(|e| e.head.kind == *kind).count() as u64;
    survey
        .allowances
        .iter()
        .map(|allowance| PlanAllowance {
            name: allowance.name.clone(),
            used: allowance.used,
            limit: allowance.limit,
            adds: match allowance.name.as_str() {
                super::LARGEST_FILE => Some(seen.evidence(|_, _| None).files.largest),
                "custom objects" => Some(of_kind(&Kind::ObjectType)),
                _ => None,
            },
        })
        .collect()
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
fn losses(source: &[FieldFidelity], support: &AccountSupport, seen: &Seen) -> Vec<PlanField> {
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
        .map(|(fidelity, side)| {
            let sight = seen.present(kinds::name(&fidelity.kind), &fidelity.field);
            (fidelity, side, sight)
        })
        .map(|(fidelity, side, sight)| PlanField {
            kind: kinds::name(&fidelity.kind).to_owned(),
            records: sight.as_ref().map(|sight| sight.records),
            examples: sight.map(|sight| sight.examples).unwrap_or_default(),
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

/// Fields that do not travel exactly, as kind and path, whoever's limit it is.
#[must_use]
pub fn inexact(source: &Side, destination: &Side, survey: &SurveyReport) -> Vec<(Kind, String)> {
    let support = destination.support(survey);
    losses(&source.description().fidelity, &support, &Seen::default())
        .into_iter()
        .map(|loss| (kinds::parse(&loss.kind), loss.field))
        .collect()
}

/// The limits of one side, and how long its calls take under those that all of them fall under.
fn limits(side: &Side, calls: u64, config: &Config) -> Vec<PlanLimit> {
    let week = share_over_a_week(config);
    side.description()
        .rate_rules
        .iter()
        .map(|rule| {
            let general = rule.method == "*" && rule.path.ends_with("**");
            let share = if rule.shared { week } else { 1.0 };
            PlanLimit {
                connection: side.name.clone(),
                name: rule.name.clone(),
                applies: format!("{} {}", rule.method, rule.path),
                limit: u64::from(rule.limit),
                per_ms: rule.per_ms,
                share,
                calls: general.then_some(calls),
                ms: general.then(|| takes_ms(calls, rule.limit, rule.per_ms, share)),
            }
        })
        .collect()
}

/// How long calls take under a limit of which we may use a share, ms.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a forecast in ms of counts far below 2^52"
)]
fn takes_ms(calls: u64, limit: u32, per_ms: u64, share: f64) -> u64 {
    (calls as f64 * per_ms as f64 / (f64::from(limit.max(1)) * share.max(0.01))) as u64
}

/// The share of the limits that we may use, over a whole week with its hours.
fn share_over_a_week(config: &Config) -> f64 {
    /// A Monday, ms.
    const MONDAY: i64 = 4 * 86_400_000;
    const QUARTER: i64 = 15 * 60_000;
    let quarters = 7 * 24 * 4;
    let sum: f64 = (0..quarters)
        .map(|n| {
            config
                .budget
                .share_at(MONDAY + n * QUARTER, config.migration.time_zone)
        })
        .sum();
    #[allow(clippy::cast_precision_loss, reason = "672")]
    let mean = sum / quarters as f64;
    mean
}

#[cfg(test)]
mod tests;
