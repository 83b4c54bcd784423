//! `transload plugin list | show | remove`; what else there is lies in files of its own, and so what an author of a connector needs (`kit`).

use std::fmt::Write as _;

use clap::Subcommand;

use super::packages::{self, Needed, Package, Shown};
use super::plugin_install::{self, AddArgs, AuditArgs, ExportArgs, GrantArgs, refused};
use super::plugin_publish::{self, KeyAction, MarkArgs, PublishArgs, RevokeArgs};
use super::{Cli, Console, kit};
use crate::config::PluginRequest;
use crate::contract::description::{Role, SideEffectSeverity};
use crate::contract::types::Fidelity;
use crate::error::{EXIT_OK, Error};
use crate::kinds;
use crate::pipeline::model::{Notice, Severity};
use crate::report::{self, Width, clean, duration, number};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(flatten)]
    Kit(kit::Action),
    /// Show what is installed
    List,
    /// Show what a plugin needs, can do and cannot do
    Show {
        /// As in acme-desk@^0.1
        plugin: PluginRequest,
    },
    /// Install a component, a bundle or a registry's plugin, after showing what it wants
    Add(AddArgs),
    /// Allow an installed plugin what it asks for, or less
    Grant(GrantArgs),
    /// Remove one version, unless a run of this or another project needs it
    Remove {
        /// As in acme-desk@=0.1.0
        plugin: PluginRequest,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Though a run needs it, which can then neither go on nor be rolled back
        #[arg(long)]
        force: bool,
    },
    /// Write installed plugins into one file, to be added where no registry can be reached
    Export(ExportArgs),
    /// Write transload.lock: new runs of this project use the plugins that are installed now
    Lock,
    /// Look at everything that is installed again: bytes, signatures, rights, and what the registries say of it
    Audit(AuditArgs),
    /// Sign a component and publish it to a registry
    Publish(PublishArgs),
    /// Withdraw one published version from new installations
    Yank(MarkArgs),
    /// Take one published version back for good: nobody is to run it
    Revoke(RevokeArgs),
    /// Make and look after keys
    Key {
        #[command(subcommand)]
        action: KeyAction,
    },
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    if let Action::Kit(action) = &args.action {
        return Box::pin(kit::run(cli, action, console)).await;
    }
    let root = cli.registry_root()?;
    match &args.action {
        Action::Kit(_) => {}
        Action::List => {
            let installed = packages::list(&root).await?;
            console.answer(&installed, |width| list(&installed, width))?;
        }
        Action::Show { plugin } => {
            let shown = packages::show(&root, plugin).await?;
            console.answer(&shown, |width| show(&shown, width))?;
        }
        Action::Add(args) => return plugin_install::add(cli, args, console).await,
        Action::Grant(args) => return plugin_install::allow(cli, args, console).await,
        Action::Export(args) => return plugin_install::export(cli, args, console),
        Action::Lock => return plugin_install::lock(cli, console),
        Action::Audit(args) => return plugin_install::re_check(cli, args, console).await,
        Action::Publish(args) => return plugin_publish::run_publish(cli, args, console).await,
        Action::Yank(args) => return plugin_publish::run_yank(cli, args, console).await,
        Action::Revoke(args) => return plugin_publish::run_revoke(cli, args, console).await,
        Action::Key { action } => return plugin_publish::run_key(cli, action, console).await,
        Action::Remove { plugin, yes, force } => {
            let package = packages::find(&root, plugin)?;
            let needed = match force {
                true => Needed::default(),
                false => packages::needed(&root, &package.digest, cli.store_path()?).await?,
            };
            let text = format!(
                "{} {} sha256:{}",
                clean(&package.name),
                package.version,
                package.digest
            );
            for store in &needed.gone {
                console.say(&format!(
                    "A project used it whose runs are not to be found any more, and are passed over: {}",
                    clean(&store.display().to_string())
                ));
            }
            let needed = (!needed.by.is_empty()).then(|| needed.by.join("; "));
            let question = match force {
                true => "Remove it, though a run may need it?",
                false => "Remove it? No run that is known here needs it.",
            };
            if needed.is_none() && !yes && !console.ask(&text, question)? {
                return Err(refused(console, &text));
            }
            packages::remove(&root, &package, needed)?;
            console.answer(&package, |_| format!("{text} is removed\n"))?;
        }
    }
    Ok(EXIT_OK)
}

fn list(packages: &[Package], width: Width) -> String {
    if packages.is_empty() {
        return "No plugin is installed. `transload plugin add FILE` installs one.\n".to_owned();
    }
    let rows = packages.iter().map(|package| {
        vec![
            package.name.clone(),
            package.version.clone(),
            package.role.clone(),
            package.digest.clone(),
            package.key.clone().unwrap_or_else(|| "nobody".to_owned()),
        ]
    });
    report::plain_table(
        &["name", "version", "role", "sha256", "signed by"],
        rows,
        width,
    )
}

/// What a connector says of itself, for a person.
fn show(shown: &Shown, width: Width) -> String {
    let d = &shown.description;
    let role = match d.role {
        Role::Source => "reads",
        Role::Destination => "writes",
    };
    let mut out = format!(
        "{} {}: {} ({role})\n  sha256:{}\n{}\n",
        clean(&d.name),
        clean(&d.version),
        clean(&d.title),
        shown.package.digest,
        shown.trust.text()
    );
    let mut part = |title: &str, head: &[&'static str], rows: Vec<Vec<String>>| {
        let text = report::plain_table(head, rows, width);
        if !text.is_empty() {
            let _ = writeln!(out, "{title}\n{text}");
        }
    };
    let schema: serde_json::Value = serde_json::from_str(&d.config_schema).unwrap_or_default();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(|r| r.as_array())
        .into_iter()
        .flatten()
        .filter_map(|r| r.as_str())
        .collect();
    let settings = schema
        .get("properties")
        .and_then(|p| p.as_object())
        .into_iter()
        .flatten();
    let settings = settings.map(|(name, property)| {
        let text = |key: &str| {
            property
                .get(key)
                .and_then(|v| v.as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let secret = property.get("writeOnly").and_then(|v| v.as_bool()) == Some(true);
        vec![
            name.clone(),
            if secret {
                "secret".to_owned()
            } else {
                text("type")
            },
            if required.contains(&name.as_str()) {
                "needed"
            } else {
                ""
            }
            .to_owned(),
            text("description"),
        ]
    });
    part(
        "Settings of a connection",
        &["setting", "type", "", "what"],
        settings.collect(),
    );
    part(
        "Ways to authenticate",
        &["auth", "what", "note"],
        d.auth
            .iter()
            .map(|a| {
                vec![
                    a.name.clone(),
                    a.title.clone(),
                    a.note.clone().unwrap_or_default(),
                ]
            })
            .collect(),
    );
    let api = vec![
        d.base_url.clone(),
        "the platform's API".to_owned(),
        String::new(),
    ];
    let hosts = d.hosts.iter().map(|h| {
        let anonymous = if h.anonymous {
            "without credentials"
        } else {
            ""
        };
        vec![h.pattern.clone(), h.purpose.clone(), anonymous.to_owned()]
    });
    part(
        "Hosts it wants to reach",
        &["host", "what for", ""],
        [api].into_iter().chain(hosts).collect(),
    );
    part(
        "Requests it may send",
        &["method", "path", ""],
        d.requests
            .iter()
            .map(|r| {
                vec![
                    r.method.clone(),
                    r.path.clone(),
                    if r.reads { "only reads" } else { "" }.to_owned(),
                ]
            })
            .collect(),
    );
    let yes = |b: bool| if b { "✓" } else { "·" }.to_owned();
    part(
        "Kinds of record",
        &[
            "kind",
            "a batch",
            "makes",
            "deletes",
            "keeps created-at",
            "matches",
        ],
        d.kinds
            .iter()
            .map(|k| {
                vec![
                    kinds::name(&k.kind).to_owned(),
                    number(u64::from(k.batch_items)),
                    yes(k.can_create),
                    yes(k.can_delete),
                    yes(k.keeps_created_at),
                    yes(k.matches),
                ]
            })
            .collect(),
    );
    part(
        "How fields travel",
        &["kind", "field", "how", "note"],
        d.fidelity
            .iter()
            .map(|f| {
                let how = match f.how {
                    Fidelity::Exact => "exact",
                    Fidelity::Converted => "converted",
                    Fidelity::Lost => "lost",
                };
                let note = f.note.clone().unwrap_or_default();
                vec![
                    kinds::name(&f.kind).to_owned(),
                    f.field.clone(),
                    how.to_owned(),
                    note,
                ]
            })
            .collect(),
    );
    let limits = d.text_limits.iter().map(|limit| {
        vec![
            kinds::name(&limit.kind).to_owned(),
            limit.field.clone(),
            number(u64::from(limit.characters)),
        ]
    });
    part(
        "Texts end at",
        &["kind", "field", "characters"],
        limits.collect(),
    );
    let rebuilds = d.rebuilds.iter().map(|rebuild| {
        vec![
            kinds::category(&rebuild.category).to_owned(),
            rebuild.feature.clone().unwrap_or_else(|| "·".to_owned()),
            rebuild.note.clone().unwrap_or_default(),
        ]
    });
    part(
        "What must be rebuilt by hand, and with what",
        &["sort", "feature", "note"],
        rebuilds.collect(),
    );
    part(
        "Rate limits",
        &["limit", "method", "path", "requests", "in", ""],
        d.rate_rules
            .iter()
            .map(|r| {
                let shared = if r.shared {
                    "shared with other integrations"
                } else {
                    ""
                };
                vec![
                    r.name.clone(),
                    r.method.clone(),
                    r.path.clone(),
                    number(u64::from(r.limit)),
                    duration(r.per_ms),
                    shared.to_owned(),
                ]
            })
            .collect(),
    );
    let effects: Vec<Notice> = d
        .side_effects
        .iter()
        .map(|effect| Notice {
            from: d.name.clone(),
            code: effect.code.clone(),
            severity: match effect.severity {
                SideEffectSeverity::Info => Severity::Info,
                SideEffectSeverity::Caution => Severity::Caution,
                SideEffectSeverity::Danger => Severity::Danger,
            },
            message: match &effect.avoided_by {
                Some(how) => format!("{} (avoided: {how})", effect.title),
                None => effect.title.clone(),
            },
            remedy: effect.operator.clone(),
        })
        .collect();
    if !effects.is_empty() {
        let _ = writeln!(
            out,
            "Side effects\n{}",
            report::notices(&effects, width).trim_end()
        );
    }
    for note in &d.notes {
        let _ = writeln!(out, "\nNote: {}", clean(note));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::description;

    fn shown() -> Shown {
        let package = Package {
            name: "acme-desk".into(),
            version: "0.1.3".into(),
            role: "destination".into(),
            digest: "0123abcd".into(),
            key: None,
        };
        let installed = transload_registry::Package {
            name: "acme-desk".into(),
            version: semver::Version::new(0, 1, 3),
            role: transload_registry::Role::Destination,
            title: "Acme Desk".into(),
            contract: semver::Version::new(0, 1, 0),
            sha256: "0123abcd".into(),
            size: 1,
            metadata: Default::default(),
            signature: None,
            origin: None,
        };
        // All but one right.
        let mut trust = transload_registry::Trust::default();
        let rights = crate::gateway::wants(&description("acme-desk"));
        let rights = rights.into_iter().map(|want| want.right);
        let rights = rights.filter(|right| right.class != transload_registry::RightClass::Host);
        trust.accept("acme-desk", "0123abcd", None, rights.collect(), 0);
        Shown {
            package,
            trust: plugin_install::Trusting::of(&trust, &installed, &description("acme-desk")),
            description: description("acme-desk"),
        }
    }

    #[test]
    fn everything_a_plugin_says_of_itself_is_shown() {
        insta::assert_snapshot!(show(&shown(), None));
    }
}
