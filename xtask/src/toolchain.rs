//! Which compiler builds the guests.
//!
//! `rustup target add wasm32-unknown-unknown` where rustup is; else Debian's compiler, which comes with the sources of `std`,
//! so that `std` is built with the guest. Says which it took, and what to do when neither works.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// What guests are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

const NEITHER: &str = "\
No compiler for wasm32-unknown-unknown was found. One of these helps:
  rustup target add wasm32-unknown-unknown                 (https://rustup.rs)
  apt-get install rustc-web cargo-web rust-web-src         (Debian 12 and later; needs rust-lld, from rustup's rustc or the lld package)
Then run this again.";

/// A compiler that can build guests.
#[derive(Debug)]
pub enum Toolchain {
    /// The one that runs us, with the target's `std`.
    Rustup,
    /// Debian's, which builds `std` from source.
    Debian {
        /// A linker for WebAssembly.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds one, installing rustup's target if need be.
    pub fn find() -> anyhow::Result<Self> {
        let cargo_root = sysroot("rustc");
        if let Ok(root) = &cargo_root
            && root.join("lib/rustlib").join(TARGET).join("lib").is_dir()
        {
            println!(
                "guests: the compiler at {}, which has {TARGET}",
                root.display()
            );
            return Ok(Self::Rustup);
        }
        let added = Command::new("rustup")
            .args(["target", "add", TARGET])
            .status();
        if added.is_ok_and(|status| status.success()) {
            println!("guests: rustup's compiler; {TARGET} was added");
            return Ok(Self::Rustup);
        }
        if Path::new("/usr/bin/rustc").exists()
            && Path::new("/usr/bin/cargo").exists()
            && let Ok(root) = sysroot("/usr/bin/rustc")
            && root.join("lib/rustlib/src/rust/library/std").is_dir()
            && let Some(linker) = linker(cargo_root.as_deref().ok())
        {
            println!(
                "guests: Debian's compiler, building std from source; linker {}",
                linker.display()
            );
            return Ok(Self::Debian { linker });
        }
        bail!(NEITHER)
    }

    /// `cargo build` for guests, without packages named yet.
    pub fn build(&self) -> Command {
        match self {
            Self::Rustup => {
                let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                let mut command = Command::new(cargo);
                command.args(["build", "--target", TARGET]);
                command
            }
            Self::Debian { linker } => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .args(["build", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        }
    }
}

fn sysroot(rustc: &str) -> anyhow::Result<PathBuf> {
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("{rustc} does not run"))?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// rustup's rust-lld, else Debian's `wasm-ld`.
fn linker(root: Option<&Path>) -> Option<PathBuf> {
    let ours = root.and_then(|root| {
        let targets = std::fs::read_dir(root.join("lib/rustlib")).ok()?;
        targets
            .flatten()
            .map(|target| target.path().join("bin/rust-lld"))
            .find(|linker| linker.is_file())
    });
    ours.or_else(|| {
        ["/usr/bin/rust-lld", "/usr/bin/wasm-ld"]
            .map(PathBuf::from)
            .into_iter()
            .find(|p| p.is_file())
    })
}
