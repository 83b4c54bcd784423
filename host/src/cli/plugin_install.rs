//! `transload plugin add | grant | export | lock | audit`, and what `show` says of trust and rights.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use transload_registry::{
    Bundled, Registry, RightClass, Rights, Signature, Standing, Trust, Want, is_bundle,
    read_bundle, write_bundle,
};

use super::packages::{self, Package};
use super::{Cli, Console};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, FILE_NAME, PluginRequest};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::gateway::wants;
use crate::plugins::audit::{Audit, audit};
use crate::plugins::lock::{self, Lock, choose};
use crate::plugins::{Candidate, Offer, Opened, grant};
use crate::report::{self, Width, clean};
use crate::sandbox::{Sandbox, SandboxConfig};

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// A component's file, a bundle, or, of a registry, a plugin by name, as in acme-desk@^0.1
    what: String,
    /// The registry it is in: oci://host/repository, file:///folder, or a folder; else those that plugins came from before
    #[arg(long, value_name = "REGISTRY")]
    from: Option<String>,
    /// The key that signs the registry's index, as its keeper told you; else it is asked for the first time
    #[arg(long, value_name = "KEY", requires = "from")]
    index_key: Option<String>,
    /// Grant what it wants, and pin its publisher's key, without being asked
    #[arg(long)]
    yes: bool,
    /// Though nobody signed it
    #[arg(long)]
    unsigned: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct GrantArgs {
    /// As in acme-desk@=0.1.0
    plugin: PluginRequest,
    /// Grant it without being asked
    #[arg(long)]
    yes: bool,
    /// Rights to keep from it, as they are shown: --without "host *.files.example, with the credential"
    #[arg(long, value_name = "RIGHT")]
    without: Vec<String>,
    /// Let it run though it was revoked, to finish or take back what it began
    #[arg(long)]
    revoked: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// As in acme-desk@^0.1
    #[arg(required = true)]
    plugins: Vec<PluginRequest>,
    /// The file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    /// Do not ask the registries that plugins came from
    #[arg(long)]
    offline: bool,
}

/// Installs what is named, after showing what it wants and asking.
pub(super) async fn add(cli: &Cli, args: &AddArgs, console: &mut Console<'_>) -> Result<u8, Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let sandbox = sandbox()?;
    let candidates = candidates(&registry, &sandbox, args, console).await?;
    let mut installed: Vec<Package> = vec![];
    for candidate in candidates {
        let offer = Offer::of(&registry.trust()?, candidate)?;
        let name = format!(
            "{} {}",
            offer.candidate.description.name, offer.candidate.version
        );
        let text = shown(&offer);
        if offer.is_unsigned() && !args.unsigned {
            console.say(&text);
            return Err(
                Error::input("plugin-unsigned", format!("{name} is not signed")).with_hint(
                    "get the signed component, or take it by its digest alone with `--unsigned`",
                ),
            );
        }
        let question = match offer.is_unsigned() {
            true => "Nobody signed it. Install it all the same, and allow it all that?",
            false => "Install it, and allow it all that?",
        };
        if offer.asks() && !args.yes && !console.ask(&text, question)? {
            return Err(refused(console, &text));
        }
        installed.push(offer.install(&registry, SystemClock.now())?.into());
    }
    let say = |package: &Package| {
        format!(
            "{} {} is installed\n",
            clean(&package.name),
            package.version
        )
    };
    match installed.as_slice() {
        [only] => console.answer(only, |_| say(only))?,
        all => console.answer(&all, |_| all.iter().map(say).collect())?,
    }
    Ok(EXIT_OK)
}

/// What is to be installed: from a file, a bundle or a registry.
async fn candidates(
    registry: &Registry,
    sandbox: &Sandbox,
    args: &AddArgs,
    console: &mut Console<'_>,
) -> Result<Vec<Candidate>, Error> {
    let path = Path::new(&args.what);
    if args.from.is_none() && (path.exists() || args.what.parse::<PluginRequest>().is_err()) {
        let bytes = read(path)?;
        if is_bundle(&bytes) {
            let mut candidates = vec![];
            for bundled in read_bundle(&bytes).map_err(|e| Error::from(e).about(path.display()))? {
                let candidate = Candidate::unpack(sandbox, bundled).await;
                candidates.push(candidate.map_err(|e| e.about(path.display()))?);
            }
            return Ok(candidates);
        }
        let beside = Signature::beside(path);
        let signature = match beside.exists() {
            true => Some(Signature::load(&beside)?),
            false => None,
        };
        let candidate = Candidate::look(sandbox, bytes, signature).await;
        return Ok(vec![candidate.map_err(|e| e.about(path.display()))?]);
    }
    let request: PluginRequest = args
        .what
        .parse()
        .map_err(|problem: String| Error::input("plugin-name", problem))?;
    let now = SystemClock.now();
    let addresses = match &args.from {
        Some(from) => vec![from.clone()],
        None => registry.trust()?.registries.into_keys().collect(),
    };
    let mut problem = None;
    for address in addresses {
        let opened = Opened::read(&registry.trust()?, &address, now).await?;
        if !opened.known {
            meet(&opened, args, console)?;
        }
        for package in opened.remember(registry, now)? {
            console.say(&format!("{} was revoked by its publisher", clean(&package)));
        }
        match opened.resolve(&request.to_string()) {
            Ok(entry) => {
                return Ok(vec![
                    Candidate::fetch(sandbox, &opened.remote, entry).await?,
                ]);
            }
            Err(e) => problem = Some(e),
        }
    }
    Err(problem.unwrap_or_else(|| {
        Error::input(
            "no-registry",
            format!(
                "there is no file {}, and no registry is known to look for a plugin of that name",
                args.what
            ),
        )
        .with_hint("name the component's file, as in acme_desk.wasm, or the registry with `--from`")
    }))
}

/// A registry that is met for the first time: its index says whose it is, and a person says whether that is right.
fn meet(opened: &Opened, args: &AddArgs, console: &mut Console<'_>) -> Result<(), Error> {
    let address = opened.remote.address();
    let keys: Vec<String> = opened.index.keys.iter().map(ToString::to_string).collect();
    if let Some(expected) = &args.index_key {
        if keys.contains(expected) {
            return Ok(());
        }
        return Err(Error::input(
            "registry-other-key",
            format!(
                "the index of {address} is signed by {}, not by {expected}",
                keys.join(", ")
            ),
        )
        .with_hint("ask whoever keeps it, not by the way it came"));
    }
    let text = format!(
        "{} is met for the first time\n  index    number {}, with {}\n  signed by {}",
        clean(address),
        opened.index.number,
        match opened.index.packages.len() {
            1 => "1 package".to_owned(),
            all => format!("{all} packages"),
        },
        keys.join(", ")
    );
    if args.yes || console.ask(&text, "Is that its keeper's key? It is pinned from now on.")? {
        return Ok(());
    }
    Err(refused(console, &text))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::input("no-such-file", format!("there is no file {}", path.display()))
                .with_hint("name the component's file, as in acme_desk.wasm, or a plugin of a registry with `--from`")
        }
        _ => Error::io("read", path, e),
    })
}

/// Shows what an installed plugin asks for and was allowed, and allows it.
pub(super) async fn allow(
    cli: &Cli,
    args: &GrantArgs,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let sandbox = sandbox()?;
    let package = registry.resolve(&args.plugin.to_string())?;
    let mut trust = registry.trust()?;
    if args.revoked {
        let Some(revoked) = trust.revoked.get_mut(&package.sha256) else {
            return Err(Error::input(
                "plugin-revoked",
                format!("{package} was not revoked"),
            ));
        };
        revoked.allowed = true;
    }
    let mut candidate = Candidate::look(
        &sandbox,
        registry.read(&package)?,
        package.signature.clone(),
    )
    .await?;
    candidate.origin.clone_from(&package.origin);
    let offer = Offer::of(&trust, candidate)?;
    let without = |want: &&Want| args.without.contains(&want.right.to_string());
    for named in &args.without {
        if !offer
            .wants
            .iter()
            .any(|want| want.right.to_string() == *named)
        {
            return Err(Error::input(
                "no-such-right",
                format!("{package} does not ask for {named:?}"),
            )
            .with_hint("write a right as `transload plugin show` does"));
        }
    }
    let rights: Rights = offer
        .wants
        .iter()
        .filter(|want| !without(want))
        .map(|want| want.right.clone())
        .collect();
    let mut text = shown(&offer);
    for right in &args.without {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  not allowed: {}", clean(right));
    }
    if !args.yes && !console.ask(&text, "Allow it that, and nothing else?")? {
        return Err(refused(console, &text));
    }
    grant(&registry, &package, rights, args.revoked, SystemClock.now())?;
    let package = Package::from(package);
    console.answer(&package, |_| {
        format!("{} {} may do that\n", clean(&package.name), package.version)
    })?;
    Ok(EXIT_OK)
}

#[derive(Serialize)]
struct Exported {
    file: PathBuf,
    packages: Vec<Package>,
}

/// Writes installed packages into one file.
pub(super) fn export(cli: &Cli, args: &ExportArgs, console: &mut Console<'_>) -> Result<u8, Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let mut bundle = vec![];
    for request in &args.plugins {
        let package = choose(&registry, request)?;
        let describe = registry.described(&package)?.ok_or_else(|| {
            Error::environment("plugin-broken", format!("{package} has no description"))
                .with_hint("remove it and install it again")
        })?;
        bundle.push(Bundled {
            component: registry.read(&package)?,
            describe,
            package,
        });
    }
    let bytes = write_bundle(&bundle)?;
    std::fs::write(&args.out, &bytes).map_err(|e| Error::io("write", &args.out, e))?;
    let exported = Exported {
        file: args.out.clone(),
        packages: bundle.into_iter().map(|of| of.package.into()).collect(),
    };
    console.answer(&exported, |_| {
        let mut out = format!("{}: {} KB\n", args.out.display(), bytes.len() / 1024);
        for package in &exported.packages {
            let signed = package
                .key
                .as_deref()
                .map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
            let _ = writeln!(
                out,
                "  {} {} {signed}",
                clean(&package.name),
                package.version
            );
        }
        out
    })?;
    Ok(EXIT_OK)
}

/// Writes the project's lock anew.
pub(super) fn lock(cli: &Cli, console: &mut Console<'_>) -> Result<u8, Error> {
    let config = Config::load(&cli.project.join(FILE_NAME))?;
    let registry = Registry::open(cli.registry_root()?)?;
    // One that is broken is written anew too.
    let before = Lock::load(&cli.project).unwrap_or_default();
    let lock = Lock::newest(&registry, &config)?;
    lock.save(&cli.project)?;
    console.answer(&lock, |width| {
        let was = |name: &str| {
            let of = before
                .iter()
                .flat_map(|lock| &lock.plugins)
                .find(|of| of.name == name);
            of.map(|of| of.version.to_string()).unwrap_or_default()
        };
        let rows = lock.plugins.iter().map(|of| {
            let key = of
                .key
                .map_or_else(|| "not signed".to_owned(), |key| key.to_string());
            let before = was(&of.name);
            let before = match before == of.version.to_string() {
                true => String::new(),
                false => before,
            };
            vec![
                of.name.clone(),
                of.version.to_string(),
                before,
                of.sha256.clone(),
                key,
            ]
        });
        let table = report::plain_table(
            &["plugin", "version", "before", "sha-256", "signed by"],
            rows,
            width,
        );
        format!("{}\n{table}", lock::FILE_NAME)
    })?;
    Ok(EXIT_OK)
}

/// Looks at everything that is installed again.
pub(super) async fn re_check(
    cli: &Cli,
    args: &AuditArgs,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let registry = Registry::open(cli.registry_root()?)?;
    let found = audit(&registry, &sandbox()?, !args.offline, SystemClock.now()).await?;
    console.answer(&found, |width| audited(&found, args.offline, width))?;
    Ok(if found.ok { EXIT_OK } else { EXIT_FAILED })
}

fn audited(found: &Audit, offline: bool, width: Width) -> String {
    let mut out = String::new();
    let rows = found.registries.iter().map(|of| {
        let state = match (&of.wrong, of.number) {
            (Some(wrong), _) => format!("✗ {wrong}"),
            (None, Some(number)) => format!("✓ index number {number}"),
            (None, None) => "not asked".to_owned(),
        };
        vec![of.registry.clone(), state]
    });
    let registries = report::plain_table(&["registry", ""], rows, width);
    if !registries.is_empty() {
        out = format!("{registries}\n");
    }
    let rows = found.packages.iter().map(|of| {
        let state = match of.wrong.is_empty() {
            true => "✓",
            false => "✗ not to be run",
        };
        let signed = of.key.clone().unwrap_or_else(|| "nobody".to_owned());
        vec![
            of.name.clone(),
            of.version.clone(),
            state.to_owned(),
            signed,
        ]
    });
    out.push_str(&report::plain_table(
        &["plugin", "version", "", "signed by"],
        rows,
        width,
    ));
    let mut line = |mark: &str, about: &str, text: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{mark} {}: {}", clean(about), clean(text));
    };
    for of in &found.packages {
        let about = format!("{} {}", of.name, of.version);
        of.wrong.iter().for_each(|text| line("\n✗", &about, text));
        of.notes.iter().for_each(|text| line("\n·", &about, text));
    }
    found
        .broken
        .iter()
        .for_each(|text| line("\n✗", "broken", text));
    let all = match found.packages.len() {
        1 => "1 plugin is as it was installed".to_owned(),
        all => format!("{all} plugins are as they were installed"),
    };
    let _ = match (found.ok, offline) {
        (true, false) => writeln!(out, "\n{all}."),
        (true, true) => writeln!(out, "\n{all}; no registry was asked."),
        (false, _) => writeln!(out, "\nSomething is wrong."),
    };
    out
}

/// What is believed of an installed package and allowed to it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Trusting {
    /// Who signed it.
    key: Option<String>,
    /// Why it is not to be run, if so.
    refused: Option<String>,
    /// Where it came from.
    origin: Option<String>,
    /// From its sections.
    metadata: transload_registry::Metadata,
    /// Of what it asks for.
    granted: Vec<String>,
    /// Of what it asks for.
    not_granted: Vec<String>,
}

impl Trusting {
    pub(super) fn of(
        trust: &Trust,
        package: &transload_registry::Package,
        description: &crate::contract::description::Description,
    ) -> Self {
        let wants = wants(description);
        let granted = trust.of(&package.name).granted;
        let (yes, no): (Vec<&Want>, Vec<&Want>) =
            wants.iter().partition(|want| granted.has(&want.right));
        let lines = |of: Vec<&Want>| of.iter().map(|want| want.right.to_string()).collect();
        Self {
            key: package.signature.as_ref().map(|of| of.key.to_string()),
            refused: trust.vet(package).err().map(|e| e.to_string()),
            origin: package.origin.clone(),
            metadata: package.metadata.clone(),
            granted: lines(yes),
            not_granted: lines(no),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |label: &str, text: &str| {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "  {label:<11}{}", clean(text));
        };
        line("signed by", self.key.as_deref().unwrap_or("nobody"));
        if let Some(refused) = &self.refused {
            line("NOT RUN", refused);
        }
        if let Some(origin) = &self.origin {
            line("from", origin);
        }
        made_by(&self.metadata, &mut line);
        match self.not_granted.is_empty() {
            true => line("allowed", "all that it asks for"),
            false => {
                line(
                    "allowed",
                    &format!(
                        "{} of the {} rights it asks for",
                        self.granted.len(),
                        self.granted.len() + self.not_granted.len()
                    ),
                );
                self.not_granted.iter().for_each(|right| line("NOT", right));
            }
        }
        out
    }
}

fn made_by(of: &transload_registry::Metadata, line: &mut impl FnMut(&str, &str)) {
    let fields = [
        ("authors", &of.authors),
        ("licence", &of.licenses),
        ("source", &of.source),
        ("revision", &of.revision),
    ];
    for (label, text) in fields {
        if let Some(text) = text {
            line(label, text);
        }
    }
}

/// An offer, for the person who decides: all of it the first time, else what is different.
pub(super) fn shown(offer: &Offer) -> String {
    let candidate = &offer.candidate;
    let d = &candidate.description;
    let mut out = format!(
        "{} {} ({}), a {}\n",
        clean(&d.name),
        candidate.version,
        clean(&d.title),
        candidate.role
    );
    let mut line = |label: &str, text: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {label:<11}{}", clean(text));
    };
    line("sha-256", &candidate.sha256);
    if let Some(origin) = &candidate.origin {
        line("from", origin);
    }
    let signed = match offer.standing {
        Standing::Pinned(key) => format!("{key}, as before"),
        Standing::First(key) => {
            format!("{key}; the first of this name, so this key is pinned to it")
        }
        Standing::NowSigned(key) => {
            format!("{key}; those before were not signed, and this key is pinned to the name")
        }
        Standing::AcceptedUnsigned => "nobody; this very component was accepted before".to_owned(),
        Standing::Unsigned => {
            "NOBODY: only its digest will tell whether it is what you saw".to_owned()
        }
    };
    line("signed by", &signed);
    made_by(&candidate.metadata, &mut line);
    let mut part = |title: &str, mark: &str, wants: &[Want]| {
        let _ = writeln!(out, "\n{title}");
        rights(&mut out, mark, wants);
    };
    if offer.first {
        part("It asks for:", " ", &offer.wants);
    } else if offer.missing.is_empty() {
        let _ = writeln!(out, "\nIt asks for nothing that was not allowed before.");
    } else {
        part(
            "It asks for more than was allowed before:",
            "+",
            &offer.missing,
        );
    }
    if !offer.unused.is_empty() {
        let unused: Vec<Want> = offer
            .unused
            .iter()
            .map(|right| Want {
                right: right.clone(),
                purpose: String::new(),
            })
            .collect();
        let _ = writeln!(out, "\nIt does not ask any more for:");
        rights(&mut out, "-", &unused);
    }
    out
}

/// Rights by their sort. Requests are many and short: they stand behind each other.
fn rights(out: &mut String, mark: &str, wants: &[Want]) {
    for want in wants
        .iter()
        .filter(|want| want.right.class != RightClass::Request)
    {
        let class = want.right.class.to_string();
        let purpose = match want.purpose.is_empty() {
            true => String::new(),
            false => format!(" — {}", clean(&want.purpose)),
        };
        let _ = writeln!(
            out,
            "{mark} {class:<12}{}{purpose}",
            clean(&want.right.what)
        );
    }
    let requests = |reading: bool| -> Vec<String> {
        let of = wants
            .iter()
            .filter(|want| want.right.class == RightClass::Request);
        let reads = |want: &&Want| {
            let what = &want.right.what;
            (what.starts_with("GET ")
                || what.starts_with("HEAD ")
                || what.ends_with(", only reads"))
                == reading
        };
        let short = |want: &Want| clean(want.right.what.trim_end_matches(", only reads"));
        of.filter(reads).map(short).collect()
    };
    for (label, requests) in [
        ("reads by", requests(true)),
        ("changes by", requests(false)),
    ] {
        let mut lines: Vec<String> = vec![];
        for request in requests {
            match lines.last_mut() {
                Some(line) if line.len() + request.len() < 90 => {
                    line.push_str(", ");
                    line.push_str(&request);
                }
                _ => lines.push(request),
            }
        }
        for (number, line) in lines.iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            let _ = writeln!(out, "{mark} {label:<12}{line}");
        }
    }
}

/// Said no, or nobody was there to say yes.
pub(super) fn refused(console: &mut Console<'_>, text: &str) -> Error {
    if console.can_ask() {
        return Error::input("not-approved", "nothing was changed");
    }
    console.say(text);
    Error::input("not-approved", "nobody can be asked").with_hint("look at it, then give --yes")
}

pub(super) fn sandbox() -> Result<Sandbox, Error> {
    Ok(Sandbox::new(SandboxConfig::new(packages::cache_dir()?))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::description;

    fn candidate(signed: bool) -> Candidate {
        let description = description("acme-desk");
        let version = semver::Version::new(0, 1, 3);
        let key = transload_registry::SecretKey::generate();
        Candidate {
            component: vec![],
            sha256: "0123abcd".into(),
            role: transload_registry::Role::Destination,
            describe: serde_json::to_value(&description).unwrap(),
            description,
            metadata: transload_registry::Metadata {
                authors: Some("Ann\u{1b}[2J <ann@acme.example>".into()),
                licenses: Some("Apache-2.0".into()),
                source: Some("https://acme.example/desk".into()),
                revision: Some("89abcdef".into()),
                ..Default::default()
            },
            signature: signed.then(|| key.sign("acme-desk", &version, "0123abcd")),
            version,
            origin: Some("oci://acme.example/plugins".into()),
        }
    }

    #[test]
    fn what_a_new_plugin_asks_for_is_shown_before_it_is_installed() {
        let offer = Offer::of(&Trust::default(), candidate(false)).unwrap();
        assert!(offer.asks() && offer.is_unsigned());
        insta::assert_snapshot!(shown(&offer));
    }

    #[test]
    fn an_upgrade_shows_what_is_different_and_asks_for_that_only() {
        let signed = candidate(true);
        let mut trust = Trust::default();
        let all = Rights::all_of(&wants(&signed.description));
        trust.accept("acme-desk", "", signed.signature.as_ref(), all.clone(), 0);
        let offer = Offer::of(&trust, signed.clone()).unwrap();
        assert!(!offer.asks());
        assert!(
            shown(&offer).contains("nothing that was not allowed before"),
            "{}",
            shown(&offer)
        );

        let mut more = signed;
        more.description.hosts[0].anonymous = false;
        let offer = Offer::of(&trust, more).unwrap();
        assert!(offer.asks());
        let text = shown(&offer);
        let difference: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(['+', '-']))
            .collect();
        assert_eq!(
            difference,
            [
                "+ host        *.files.example, with the credential — attachments",
                "- host        *.files.example, without credentials"
            ]
        );
    }
}
