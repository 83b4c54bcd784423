//! `transload plugin list | show | add | remove`, and what an author of a connector needs (`kit`)

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;

use super::packages::{self, Package, Shown};
use super::{Cli, Console, kit};
use crate::config::PluginRequest;
use crate::contract::description::{Description, Role, SideEffectSeverity};
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
    /// Install a component, after showing the hosts it wants to reach
    Add {
        /// The component's file
        file: PathBuf,
        /// Grant what it wants without being asked
        #[arg(long)]
        yes: bool,
    },
    /// Remove one version, unless a run of this project needs it
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
        Action::Add { file, yes } => {
            let bytes = std::fs::read(file).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => Error::input(
                    "no-such-file",
                    format!("there is no file {}", file.display()),
                )
                .with_hint("name the component's file, as in acme_desk.wasm"),
                _ => Error::io("read", file, e),
            })?;
            let new = packages::inspect(bytes.clone())
                .await
                .map_err(|e| e.about(file.display()))?;
            let before = installed_hosts(&root, &new.description.name).await?;
            let text = grants(&new, before.as_ref());
            let wants_more =
                before.is_none_or(|before| !hosts(&new.description).is_subset(&before));
            if wants_more && !yes && !console.ask(&text, "Install it?")? {
                return Err(refused(console, &text));
            }
            let added = packages::add(&root, bytes, &new).await?;
            console.answer(&added, |_| {
                format!("{} {} is installed\n", clean(&added.name), added.version)
            })?;
        }
        Action::Remove { plugin, yes, force } => {
            let package = packages::find(&root, plugin)?;
            let needed = match force {
                true => None,
                false => cli.needs(&package.digest).await?,
            };
            let text = format!(
                "{} {} sha256:{}",
                clean(&package.name),
                package.version,
                package.digest
            );
            // Of other projects nothing is known here.
            let question =
                "Remove it? Runs of other projects that used it can then not be rolled back.";
            if needed.is_none() && !yes && !console.ask(&text, question)? {
                return Err(refused(console, &text));
            }
            packages::remove(&root, &package, needed)?;
            console.answer(&package, |_| format!("{text} is removed\n"))?;
        }
    }
    Ok(EXIT_OK)
}

/// Said no, or nobody was there to say yes.
fn refused(console: &mut Console<'_>, text: &str) -> Error {
    if console.can_ask() {
        return Error::input("not-approved", "nothing was changed");
    }
    console.say(text);
    Error::input("not-approved", "nobody can be asked").with_hint("look at it, then give --yes")
}

/// Everything a plugin may reach.
fn hosts(description: &Description) -> BTreeSet<String> {
    let granted = description.hosts.iter().map(|host| host.pattern.clone());
    granted.chain([description.base_url.clone()]).collect()
}

/// What the newest installed version may reach; `None` if there is none.
async fn installed_hosts(
    root: &std::path::Path,
    name: &str,
) -> Result<Option<BTreeSet<String>>, Error> {
    if !packages::list(root).await?.iter().any(|p| p.name == name) {
        return Ok(None);
    }
    let any = PluginRequest {
        name: name.to_owned(),
        version: semver::VersionReq::STAR,
    };
    Ok(Some(hosts(&packages::show(root, &any).await?.description)))
}

fn grants(new: &Shown, before: Option<&BTreeSet<String>>) -> String {
    let description = &new.description;
    let mut out = format!(
        "{} {} ({})\n  sha256:{}\n  wants to reach:\n",
        clean(&description.name),
        clean(&description.version),
        clean(&description.title),
        new.package.digest
    );
    let mut line = |host: &str, purpose: &str| {
        let fresh = if before.is_some_and(|b| !b.contains(host)) {
            "  (NEW)"
        } else {
            ""
        };
        // Writing into a String cannot fail.
        let _ = writeln!(out, "    {}  {}{fresh}", clean(host), clean(purpose));
    };
    line(&description.base_url, "the platform's API");
    for host in &description.hosts {
        line(&host.pattern, &host.purpose);
    }
    out
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
        ]
    });
    report::plain_table(&["name", "version", "role", "sha256"], rows, width)
}

/// What a connector says of itself, for a person.
fn show(shown: &Shown, width: Width) -> String {
    let d = &shown.description;
    let role = match d.role {
        Role::Source => "reads",
        Role::Destination => "writes",
    };
    let mut out = format!(
        "{} {}: {} ({role})\n  sha256:{}\n\n",
        clean(&d.name),
        clean(&d.version),
        clean(&d.title),
        shown.package.digest
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
        };
        Shown {
            package,
            description: description("acme-desk"),
        }
    }

    #[test]
    fn everything_a_plugin_says_of_itself_is_shown() {
        insta::assert_snapshot!(show(&shown(), None));
    }

    #[test]
    fn the_hosts_a_plugin_wants_are_shown_and_new_ones_are_marked() {
        let first = grants(&shown(), None);
        assert!(
            first.contains("https://{subdomain}.acme.example") && first.contains("*.files.example")
        );
        assert!(!first.contains("(NEW)"), "{first}");
        let before = BTreeSet::from(["https://{subdomain}.acme.example".to_owned()]);
        let upgrade = grants(&shown(), Some(&before));
        assert!(
            upgrade.contains("*.files.example  attachments  (NEW)"),
            "{upgrade}"
        );
        assert_eq!(upgrade.matches("(NEW)").count(), 1);
        assert!(!hosts(&shown().description).is_subset(&before));
    }
}
