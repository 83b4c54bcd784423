//! `transload plugin publish | yank | revoke | key`

use std::path::{Path, PathBuf};

use serde::Serialize;
use transload_registry::{
    INDEX_LIFETIME, LONGEST_LIFETIME, PublicKey, Registry, Remote, SecretKey, Signature,
};

use super::plugin_install::{refused, sandbox};
use super::{Cli, Console};
use crate::clock::{Clock as _, SystemClock};
use crate::config::PluginRequest;
use crate::conformance::{Conformance, Verdict};
use crate::error::{EXIT_OK, Error};
use crate::plugins::Candidate;
use crate::plugins::publish::{Change, Published, Signers, change, publish};
use crate::report::clean;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Where, and who signs.
#[derive(Debug, clap::Args)]
pub(super) struct Signing {
    /// The registry: oci://host/repository, file:///folder, or a folder
    #[arg(long, value_name = "REGISTRY")]
    to: String,
    /// The publisher's secret key; `transload plugin key new FILE` makes one
    #[arg(long, value_name = "FILE", env = "TRANSLOAD_KEY")]
    key: PathBuf,
    /// The secret key that signs the registry's index, where it is another
    #[arg(long, value_name = "FILE")]
    registry_key: Option<PathBuf>,
    /// How many days the index is good: it must be renewed in that time
    #[arg(long, value_name = "DAYS", default_value_t = INDEX_LIFETIME / DAY, value_parser = clap::value_parser!(i64).range(1..=LONGEST_LIFETIME / DAY))]
    days: i64,
}

#[derive(Debug, clap::Args)]
pub(super) struct PublishArgs {
    /// The component's file
    #[arg(required_unless_present = "renew")]
    file: Option<PathBuf>,
    #[command(flatten)]
    signing: Signing,
    /// The result of its conformance tests, to be kept beside it; else the one that `plugin test` left beside the file
    #[arg(long, value_name = "FILE", requires = "file")]
    conformance: Option<PathBuf>,
    /// Publish nothing; sign the index anew, so that it does not end
    #[arg(long, conflicts_with = "file")]
    renew: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct MarkArgs {
    /// One version, as in acme-desk@0.1.3
    plugin: PluginRequest,
    #[command(flatten)]
    signing: Signing,
    /// Why, for those who have it
    #[arg(long, value_name = "TEXT", required_unless_present = "undo")]
    reason: Option<String>,
    /// Take it back
    #[arg(long)]
    undo: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RevokeArgs {
    /// One version, as in acme-desk@0.1.3
    plugin: PluginRequest,
    #[command(flatten)]
    signing: Signing,
    /// Why, for those who have it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum KeyAction {
    /// Make a secret key; prints the public one
    New {
        /// Where to; a file that is there is never written over
        file: PathBuf,
    },
    /// Print the public key of a secret one
    Show {
        /// The secret key
        file: PathBuf,
    },
    /// Sign a component's file; writes FILE.sig beside it
    Sign {
        /// The component's file
        file: PathBuf,
        /// The publisher's secret key
        #[arg(long, value_name = "FILE", env = "TRANSLOAD_KEY")]
        key: PathBuf,
    },
    /// Show which keys are pinned: to plugins, and to registries
    List,
    /// Forget the key that a plugin's name or a registry is pinned to: the next one is asked for as the first was
    Forget {
        /// A plugin's name, or a registry
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Let another key sign a registry's index, or let it no more
    Allow {
        /// The public key
        public: String,
        #[command(flatten)]
        signing: Signing,
        /// It may not any more
        #[arg(long)]
        not: bool,
    },
}

struct Keys {
    publisher: SecretKey,
    registry: Option<SecretKey>,
    lifetime: i64,
}

impl Keys {
    fn load(signing: &Signing) -> Result<Self, Error> {
        Ok(Self {
            publisher: SecretKey::load(&signing.key)?,
            registry: signing
                .registry_key
                .as_deref()
                .map(SecretKey::load)
                .transpose()?,
            lifetime: signing.days.saturating_mul(DAY),
        })
    }

    fn signers(&self) -> Signers<'_> {
        Signers {
            publisher: &self.publisher,
            registry: self.registry.as_ref().unwrap_or(&self.publisher),
            lifetime: self.lifetime,
        }
    }
}

pub(super) async fn run_publish(
    cli: &Cli,
    args: &PublishArgs,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let keys = Keys::load(&args.signing)?;
    let registry = Registry::open(cli.registry_root()?)?;
    let now = SystemClock.now();
    let Some(file) = &args.file else {
        return marked(&registry, &args.signing, Change::Renew, "renewed", console).await;
    };
    let candidate = look(file).await?;
    let name = candidate.description.name.clone();
    let (conformance, bytes) = tested(file, args.conformance.as_deref(), &candidate)?.unzip();
    let published = publish(
        &registry,
        &args.signing.to,
        candidate,
        bytes,
        &keys.signers(),
        now,
    )
    .await
    .map_err(|e| e.about(file.display()))?;
    let tested = match &conformance {
        Some(result) => format!(
            "{} rules passed{}",
            result.count(Verdict::Passed),
            match result.thorough {
                true => ", killed at every boundary",
                false => "",
            }
        ),
        None => "no: `transload plugin test` leaves a result beside the file".to_owned(),
    };
    let install = format!(
        "transload plugin add {name} --from {} --index-key {}",
        clean(&published.registry),
        keys.signers().registry.public()
    );
    let more = [("tested", tested), ("install by", install)];
    answer(&published, "published", &more, console)
}

pub(super) async fn run_yank(
    cli: &Cli,
    args: &MarkArgs,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let (name, version) = exactly(&args.plugin)?;
    let (what, word) = match &args.reason {
        Some(reason) if !args.undo => (Change::Yank(name, version, reason.clone()), "yanked"),
        _ => (Change::Unyank(name, version), "not yanked any more"),
    };
    marked(&registry, &args.signing, what, word, console).await
}

pub(super) async fn run_revoke(
    cli: &Cli,
    args: &RevokeArgs,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let (name, version) = exactly(&args.plugin)?;
    let text = format!("{} {version} of {}", clean(&name), clean(&args.signing.to));
    let question = "Revoke it? Nobody who hears of it can run it, nor take back what it did, and this is for good.";
    if !args.yes && !console.ask(&text, question)? {
        return Err(refused(console, &text));
    }
    let what = Change::Revoke(name, version, args.reason.clone());
    marked(&registry, &args.signing, what, "revoked", console).await
}

async fn marked(
    registry: &Registry,
    signing: &Signing,
    what: Change,
    word: &str,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let keys = Keys::load(signing)?;
    let published = change(
        registry,
        &signing.to,
        what,
        &keys.signers(),
        SystemClock.now(),
    )
    .await?;
    answer(&published, word, &[], console)
}

fn answer(
    published: &Published,
    word: &str,
    more: &[(&str, String)],
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    console.answer(published, |_| {
        let what = published.package.as_deref().unwrap_or("the index");
        let word = match published.already {
            true => "there already, with these very bytes",
            false => word,
        };
        let digest = published
            .digest
            .as_ref()
            .map(|of| format!("\n  sha-256    {of}"));
        let more: Vec<String> = more
            .iter()
            .map(|(label, text)| format!("\n  {label:<11}{text}"))
            .collect();
        let follows = published
            .follows
            .as_ref()
            .map(|of| format!("\n  follows    {of}, and breaks nothing of it"));
        format!(
            "{} is {word}\n  registry   {}\n  index      number {}, good until {}{}{}{}\n",
            clean(what),
            clean(&published.registry),
            published.number,
            day(published.expires_at),
            digest.unwrap_or_default(),
            follows.unwrap_or_default(),
            more.concat()
        )
    })?;
    Ok(EXIT_OK)
}

fn day(ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms);
    at.map(|at| at.format("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

/// The result of the component's conformance tests, as `plugin test` left it beside the file, or as it is named.
fn tested(
    file: &Path,
    named: Option<&Path>,
    candidate: &Candidate,
) -> Result<Option<(Conformance, Vec<u8>)>, Error> {
    let name = candidate
        .description
        .name
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let beside = file.with_file_name(format!("{name}-{}.conformance.json", candidate.version));
    let path = match named {
        Some(path) => path,
        None if beside.exists() => &beside,
        None => return Ok(None),
    };
    let result = Conformance::read(path)?;
    let wrong = |problem: &str| {
        Error::input("conformance-file", problem)
            .about(path.display())
            .with_hint(
                "test the component with `transload plugin test`, and publish what it leaves",
            )
    };
    if result.sha256 != candidate.sha256 {
        return Err(wrong("it is the result of another component"));
    }
    if !result.passed {
        return Err(wrong("the component did not pass"));
    }
    let bytes = read(path)?;
    Ok(Some((result, bytes)))
}

/// One version and no other.
fn exactly(request: &PluginRequest) -> Result<(String, semver::Version), Error> {
    let text = request.version.to_string();
    let text = text.trim_start_matches(['=', '^']);
    let version = semver::Version::parse(text).map_err(|e| {
        Error::input(
            "plugin-version",
            format!("{request} does not name one version"),
        )
        .with_hint("write all of it, as in acme-desk@0.1.3")
        .with_source(e)
    })?;
    Ok((request.name.clone(), version))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(
            "no-such-file",
            format!("there is no file {}", path.display()),
        ),
        _ => Error::io("read", path, e),
    })
}

async fn look(file: &Path) -> Result<Candidate, Error> {
    let candidate = Candidate::look(&sandbox()?, read(file)?, None).await;
    candidate.map_err(|e| e.about(file.display()))
}

#[derive(Serialize)]
struct Pinned {
    plugins: std::collections::BTreeMap<String, Option<PublicKey>>,
    registries: std::collections::BTreeMap<String, Vec<PublicKey>>,
}

pub(super) async fn run_key(
    cli: &Cli,
    action: &KeyAction,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let public = |key: &SecretKey, console: &mut Console<'_>| {
        let public = key.public();
        console.answer(&serde_json::json!({"key": public}), |_| {
            format!("{public}\n")
        })
    };
    match action {
        KeyAction::New { file } => {
            let key = SecretKey::generate();
            key.save(file)?;
            public(&key, console)?;
            console.say("Keep the file where nobody else can read it, and a copy: without it no newer version can be published.");
        }
        KeyAction::Show { file } => public(&SecretKey::load(file)?, console)?,
        KeyAction::Sign { file, key } => {
            let key = SecretKey::load(key)?;
            let candidate = look(file).await?;
            let signature = key.sign(
                &candidate.description.name,
                &candidate.version,
                &candidate.sha256,
            );
            let beside = Signature::beside(file);
            let text = serde_json::to_string_pretty(&signature)?;
            std::fs::write(&beside, format!("{text}\n"))
                .map_err(|e| Error::io("write", &beside, e))?;
            console.answer(&signature, |_| {
                format!(
                    "{}: {} {} is signed by {}\n",
                    beside.display(),
                    clean(&signature.name),
                    signature.version,
                    signature.key
                )
            })?;
        }
        KeyAction::List => {
            let trust = Registry::open(cli.registry_root()?)?.trust()?;
            let pinned = Pinned {
                plugins: trust
                    .plugins
                    .iter()
                    .map(|(name, of)| (name.clone(), of.key))
                    .collect(),
                registries: trust
                    .registries
                    .iter()
                    .map(|(name, of)| (name.clone(), of.keys.clone()))
                    .collect(),
            };
            console.answer(&pinned, |width| {
                let plugins = pinned.plugins.iter().map(|(name, key)| {
                    vec![
                        name.clone(),
                        key.map_or_else(
                            || "nobody: accepted by digest".to_owned(),
                            |key| key.to_string(),
                        ),
                    ]
                });
                let registries = pinned.registries.iter().map(|(name, keys)| {
                    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                    vec![name.clone(), keys.join(", ")]
                });
                let rows: Vec<Vec<String>> = plugins.chain(registries).collect();
                match rows.is_empty() {
                    true => "No key is pinned.\n".to_owned(),
                    false => crate::report::plain_table(
                        &["plugin or registry", "signed by"],
                        rows,
                        width,
                    ),
                }
            })?;
        }
        KeyAction::Forget { name, yes } => forget(cli, name, *yes, console)?,
        KeyAction::Allow {
            public,
            signing,
            not,
        } => {
            let key: PublicKey = public.parse()?;
            let registry = Registry::open(cli.registry_root()?)?;
            let (what, word) = match not {
                true => (Change::Disallow(key), "signed without that key"),
                false => (Change::Allow(key), "signed; that key may sign the next"),
            };
            return marked(&registry, signing, what, word, console).await;
        }
    }
    Ok(EXIT_OK)
}

fn forget(cli: &Cli, name: &str, yes: bool, console: &mut Console<'_>) -> Result<(), Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let trust = registry.trust()?;
    let address = Remote::open(name).ok().map(|of| of.address().to_owned());
    let address = address.filter(|address| trust.registries.contains_key(address));
    let key = trust.plugins.get(name).and_then(|of| of.key);
    if key.is_none() && address.is_none() {
        return Err(
            Error::input("no-such-key", format!("no key is pinned to {name}"))
                .with_hint("`transload plugin key list` shows those that are"),
        );
    }
    let text = match (&key, &address) {
        (Some(key), _) => format!("{} is pinned to {key}", clean(name)),
        (None, address) => format!(
            "{} has a pinned key",
            clean(address.as_deref().unwrap_or_default())
        ),
    };
    let question =
        "Forget it? What is installed and signed by it is not run until somebody accepts it again.";
    if !yes && !console.ask(&text, question)? {
        return Err(refused(console, &text));
    }
    registry.change_trust(|trust| {
        if let Some(known) = trust.plugins.get_mut(name) {
            known.key = None;
            known.pinned_at = None;
        }
        if let Some(address) = &address {
            trust.registries.remove(address);
        }
        Ok::<_, Error>(())
    })?;
    console.answer(&serde_json::json!({"forgotten": name}), |_| {
        format!("{} is pinned to no key\n", clean(name))
    })
}
