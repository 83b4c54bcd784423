//! `transload plugin new | build | check | test`: what an author of a connector needs.

pub mod component;
mod language;
mod python;
pub mod python_tools;
pub mod toolchain;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use clap::Subcommand;
use serde::Serialize;
use transload_registry::Metadata;

use self::language::{Language, Sdk};
use self::toolchain::Toolchain;
use super::{Cli, Console, packages};
use crate::clock::{Clock as _, SystemClock};
use crate::conformance::cases::Cases;
use crate::conformance::{self, Test, Verdict};
use crate::contract::description::Role;
use crate::error::{EXIT_FAILED, EXIT_OK, Error};

/// Where the SDK is had from unless said otherwise.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// The profile in the project's manifest.
const PROFILE: &str = "plugin";

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum RoleName {
    /// Reads a platform
    Source,
    /// Writes a platform
    Destination,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Begin a connector: a folder with one that works, and a mock that it is tested against
    New {
        /// Lower case letters, digits and dashes, as in acme-desk; also the folder's name
        name: String,
        /// What it does
        #[arg(long)]
        role: RoleName,
        /// What it is written in
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// What people call the platform; the name, unless said otherwise
        #[arg(long)]
        title: Option<String>,
        /// The folder in which it is made
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// A checkout of Transload's repository, whose SDK is used
        #[arg(long, value_name = "DIR", env = "TRANSLOAD_SDK")]
        sdk_path: Option<PathBuf>,
        /// The repository that the SDK is had from
        #[arg(long, value_name = "URL")]
        sdk_git: Option<String>,
    },
    /// Compile a connector and make it a component
    Build {
        /// The folder that `plugin new` made
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The component's file; <name>.wasm in the folder, unless said otherwise
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say whether a component is a connector: what it imports, and what it says of itself
    Check {
        /// The component's file
        file: PathBuf,
    },
    /// Hold a component to the rules of docs/connector-spec.md, without any account
    Test {
        /// The component's file
        file: PathBuf,
        /// The folder with mock.toml; `conformance` beside the component, unless said otherwise
        #[arg(long, value_name = "DIR")]
        cases: Option<PathBuf>,
        /// Where <name>-<version>.conformance.json is written; beside the component, unless said otherwise
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Do not hold a rule against it, and why: C-9="the platform has no texts"
        #[arg(long, value_name = "RULE=REASON")]
        skip: Vec<String>,
        /// Kill it at some boundaries, not at all
        #[arg(long)]
        quick: bool,
    },
}

pub(super) async fn run(_: &Cli, action: &Action, console: &mut Console<'_>) -> Result<u8, Error> {
    match action {
        Action::New {
            name,
            role,
            lang,
            title,
            into,
            sdk_path,
            sdk_git,
        } => {
            let sdk = sdk(*lang, sdk_path.as_deref(), sdk_git.as_deref())?;
            let role = match role {
                RoleName::Source => Role::Source,
                RoleName::Destination => Role::Destination,
            };
            let title = title.as_deref().unwrap_or(name);
            let made = new(name, title, role, *lang, into, &sdk)?;
            console.answer(&made, |_| {
                format!(
                    "{} is begun, with {} files.\nNext:\n  cd {}\n  transload plugin build\n  transload plugin test {name}.wasm\n",
                    made.folder.display(),
                    made.files.len(),
                    made.folder.display()
                )
            })?;
        }
        Action::Build { dir, out } => {
            let built = build(dir, out.as_deref(), console).await?;
            console.answer(&built, |_| built.text())?;
        }
        Action::Check { file } => {
            let checked = check(file).await?;
            console.answer(&checked, |_| checked.text())?;
            if !checked.missing.is_empty() {
                console.say("What is missing keeps no host from running it; docs/connector-spec.md says what for it is.");
            }
        }
        Action::Test {
            file,
            cases,
            out,
            skip,
            quick,
        } => {
            return test(
                file,
                cases.as_deref(),
                out.as_deref(),
                skip,
                !quick,
                console,
            )
            .await;
        }
    }
    Ok(EXIT_OK)
}

/// Where the SDK of a new connector comes from.
fn sdk(lang: Language, path: Option<&Path>, git: Option<&str>) -> Result<Sdk, Error> {
    match (path, git) {
        (Some(path), _) => {
            let folder = path.join(lang.sdk_folder());
            let folder = if folder.is_dir() {
                folder
            } else {
                path.to_owned()
            };
            let found = folder.canonicalize().map_err(|e| {
                Error::input("no-sdk", format!("there is no SDK at {}", path.display()))
                    .with_source(e)
                    .with_hint("name the folder of a checkout of Transload with --sdk-path")
            })?;
            Ok(Sdk::Path(found.display().to_string()))
        }
        (None, Some(url)) => Ok(Sdk::Git(url.to_owned())),
        (None, None) => Ok(Sdk::Git(REPOSITORY.to_owned())),
    }
}

/// What was begun.
#[derive(Debug, Serialize)]
struct Begun {
    folder: PathBuf,
    files: Vec<String>,
}

fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    begins && name.chars().all(rest) && !name.ends_with('-')
}

fn new(
    name: &str,
    title: &str,
    role: Role,
    lang: Language,
    into: &Path,
    sdk: &Sdk,
) -> Result<Begun, Error> {
    if !is_name(name) {
        return Err(
            Error::input("plugin-name", format!("{name:?} is no name of a connector"))
                .with_hint("lower case letters, digits and dashes, a letter first: acme-desk"),
        );
    }
    if title.contains(['"', '\\', '\n', '{']) {
        return Err(
            Error::input("plugin-title", "a title has no quotes, braces or lines")
                .with_hint("--title \"Acme Desk\""),
        );
    }
    let folder = into.join(name);
    if folder.exists() {
        return Err(Error::input(
            "folder-exists",
            format!("{} is there already", folder.display()),
        )
        .with_hint("nothing was changed; take another name, or --into another folder"));
    }
    let (role_word, sdk) = (
        match role {
            Role::Source => "source",
            Role::Destination => "destination",
        },
        lang.sdk(sdk),
    );
    let mut files = vec![];
    for (path, text) in lang.files(role) {
        let at = folder.join(path);
        if let Some(parent) = at.parent() {
            std::fs::create_dir_all(parent).map_err(|e| Error::io("make", parent, e))?;
        }
        let text = text
            .replace("{{name}}", name)
            .replace("{{title}}", title)
            .replace("{{role}}", role_word)
            .replace("{{sdk}}", &sdk);
        std::fs::write(&at, text).map_err(|e| Error::io("write", &at, e))?;
        files.push((*path).to_owned());
    }
    Ok(Begun { folder, files })
}

/// A component that was looked at.
#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    name: String,
    version: String,
    role: String,
    contract: String,
    sha256: String,
    bytes: usize,
    /// What its description should have.
    missing: Vec<String>,
}

impl Checked {
    fn text(&self) -> String {
        let clean = crate::report::clean;
        let mut out = format!(
            "{}\n  {} {}, a {} for contract {}\n  {} KB, sha256:{}\n",
            self.file.display(),
            clean(&self.name),
            clean(&self.version),
            self.role,
            self.contract,
            self.bytes / 1024,
            self.sha256
        );
        for line in &self.missing {
            out.push_str(&format!("  ! {}\n", clean(line)));
        }
        out
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input(
            "no-such-file",
            format!("there is no file {}", file.display()),
        )
        .with_hint("`transload plugin build` makes it"),
        _ => Error::io("read", file, e),
    })
}

async fn check(file: &Path) -> Result<Checked, Error> {
    let bytes = read(file)?;
    let outline = transload_registry::outline(&bytes).map_err(|e| {
        Error::from(transload_registry::RegistryError::from(e)).about(file.display())
    })?;
    let size = bytes.len();
    let sha256 = crate::sandbox::digest(&bytes);
    let description = packages::describe(bytes, &sha256)
        .await
        .map_err(|e| e.about(file.display()))?;
    Ok(Checked {
        file: file.to_owned(),
        role: outline.role.to_string(),
        contract: outline.contract.to_string(),
        sha256,
        bytes: size,
        missing: conformance::missing(&description),
        name: description.name,
        version: description.version,
    })
}

async fn build(
    dir: &Path,
    out: Option<&Path>,
    console: &mut Console<'_>,
) -> Result<Checked, Error> {
    let Some(language) = Language::of(dir) else {
        return Err(Error::input(
            "no-project",
            format!("{} is no connector's folder", dir.display()),
        )
        .with_hint("`transload plugin new` makes one"));
    };
    let component = match language {
        Language::Rust => rust(dir, console)?,
        Language::Python => python::build(dir, console)?,
    };
    let name = component.0;
    let file = out.map_or_else(|| dir.join(format!("{name}.wasm")), Path::to_owned);
    std::fs::write(&file, &component.1).map_err(|e| Error::io("write", &file, e))?;
    check(&file).await
}

/// Compiles a crate and makes its module a component; the package's name with it.
fn rust(dir: &Path, console: &mut Console<'_>) -> Result<(String, Vec<u8>), Error> {
    let failed = |why: String| Error::failed("build", why);
    let (toolchain, which) = Toolchain::find()
        .map_err(|why| Error::environment("no-compiler", "there is no compiler").with_hint(why))?;
    console.say(&format!("Building with {which}."));
    let mut command = toolchain.build();
    command
        .current_dir(dir)
        .args([
            "--lib",
            "--profile",
            PROFILE,
            "--message-format",
            "json-render-diagnostics",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut cargo = command
        .spawn()
        .map_err(|e| Error::io("start", "cargo", e))?;
    // Cargo says in its messages where each artefact is; those of the project itself come last.
    let mut built: Option<(Metadata, PathBuf)> = None;
    if let Some(said) = cargo.stdout.take() {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            let message: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if message.get("reason").and_then(|r| r.as_str()) != Some("compiler-artifact") {
                continue;
            }
            let files = message.get("filenames").and_then(|f| f.as_array());
            let mut modules = files.into_iter().flatten().filter_map(|file| file.as_str());
            let module = modules.rfind(|file| file.ends_with(".wasm"));
            let name = message.pointer("/manifest_path").and_then(|p| p.as_str());
            if let (Some(module), Some(manifest)) = (module, name) {
                built = Some((package(Path::new(manifest))?, PathBuf::from(module)));
            }
        }
    }
    let status = cargo
        .wait()
        .map_err(|e| Error::io("wait for", "cargo", e))?;
    if !status.success() {
        return Err(failed("the connector does not compile".to_owned()));
    }
    let Some((metadata, module)) = built else {
        return Err(failed("cargo built no module".to_owned())
            .with_hint("Cargo.toml needs [lib] crate-type = [\"cdylib\", \"rlib\"]"));
    };
    let bytes = std::fs::read(&module).map_err(|e| Error::io("read", &module, e))?;
    let component = component::encode(&bytes).map_err(failed)?;
    let component = metadata
        .write(&component)
        .map_err(|e| failed(e.to_string()))?;
    Ok((metadata.name.unwrap_or_default(), component))
}

/// What a manifest says of its package, for the component's own sections.
fn package(manifest: &Path) -> Result<Metadata, Error> {
    let text = std::fs::read_to_string(manifest).map_err(|e| Error::io("read", manifest, e))?;
    let document: toml_edit::DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
        Error::input("manifest", e.to_string()).about(manifest.display())
    })?;
    let package = document.get("package");
    let said = |key: &str| package.and_then(|package| package.get(key));
    let text = |key: &str| {
        said(key)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    if text("name").is_none() {
        return Err(Error::input("manifest", "there is no package.name").about(manifest.display()));
    }
    let authors = said("authors").and_then(|value| value.as_array());
    let authors = authors.map(|all| {
        all.iter()
            .filter_map(|one| one.as_str())
            .collect::<Vec<_>>()
    });
    Ok(Metadata {
        name: text("name"),
        version: text("version"),
        authors: authors
            .filter(|all| !all.is_empty())
            .map(|all| all.join(", ")),
        description: text("description"),
        licenses: text("license"),
        source: text("repository"),
        revision: None,
    })
}

async fn test(
    file: &Path,
    cases: Option<&Path>,
    out: Option<&Path>,
    skip: &[String],
    thorough: bool,
    console: &mut Console<'_>,
) -> Result<u8, Error> {
    let component = read(file)?;
    let beside = file.parent().unwrap_or_else(|| Path::new("."));
    let dir = cases.map_or_else(|| beside.join("conformance"), Path::to_owned);
    let mock = Cases::load(&dir)?;
    let mut skips = mock.skips();
    for one in skip {
        let (rule, reason) = one.split_once('=').unwrap_or((one, ""));
        skips.push((rule.trim().to_owned(), reason.trim().to_owned()));
    }
    let test = Test {
        component,
        opens: mock.opens(),
        against: format!(
            "the mock of {}",
            dir.join(conformance::cases::FILE).display()
        ),
        thorough,
        skips,
        cache_dir: packages::cache_dir()?,
        at: SystemClock.now(),
    };
    let console = Mutex::new(console);
    let told = |what: &str| {
        if let Ok(mut console) = console.lock() {
            console.say(&format!("… {what}"));
        }
    };
    let result = Box::pin(conformance::test(&test, &told)).await?;
    let written = result.write(out.unwrap_or(beside))?;
    let Ok(console) = console.into_inner() else {
        return Ok(EXIT_FAILED);
    };
    console.answer(&result, |_| result.text())?;
    console.say(&format!("The result is in {}.", written.display()));
    Ok(
        match result.passed && result.count(Verdict::NotTested) == 0 {
            true => EXIT_OK,
            false => EXIT_FAILED,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_connector_has_no_placeholder_left_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for (name, role) in [
            ("acme-desk", Role::Destination),
            ("acme-mail", Role::Source),
        ] {
            let sdk = Sdk::Git("https://git.example/transload".into());
            let made = new(name, "Acme", role, Language::Rust, dir.path(), &sdk).unwrap();
            for file in &made.files {
                let text = std::fs::read_to_string(made.folder.join(file)).unwrap();
                assert!(!text.contains("{{"), "{file}: {text}");
            }
            let manifest = std::fs::read_to_string(made.folder.join("Cargo.toml")).unwrap();
            assert!(
                manifest.contains("git = \"https://git.example/transload\""),
                "{manifest}"
            );
            let again = new(name, "Acme", role, Language::Rust, dir.path(), &sdk).unwrap_err();
            assert_eq!(again.code(), "folder-exists");
        }
    }

    #[test]
    fn a_new_connector_in_python_has_no_placeholder_left_and_says_how_it_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let sdk = Sdk::Path("/sdk/python".into());
        let lang = Language::Python;
        for (name, role, word) in [
            ("acme-mail", Role::Source, "source"),
            ("acme-desk", Role::Destination, "destination"),
        ] {
            let made = new(name, "Acme", role, lang, dir.path(), &sdk).unwrap();
            for file in &made.files {
                let text = std::fs::read_to_string(made.folder.join(file)).unwrap();
                assert!(!text.contains("{{"), "{file}: {text}");
            }
            assert_eq!(Language::of(&made.folder), Some(lang));
            let manifest = std::fs::read_to_string(made.folder.join("pyproject.toml")).unwrap();
            let read = python::Project::read(&manifest).unwrap();
            assert_eq!(
                (read.name.as_str(), read.role.as_str(), &read.sdk),
                (name, word, &sdk)
            );
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let sdk = Sdk::Git(String::new());
        for name in ["", "Acme", "1desk", "acme desk", "../acme", "acme-"] {
            let error =
                new(name, "Acme", Role::Source, Language::Rust, dir.path(), &sdk).unwrap_err();
            assert_eq!(error.code(), "plugin-name", "{name}");
        }
    }
}
