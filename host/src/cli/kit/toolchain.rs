//! Which compiler builds the guests. Also the chores' (`xtask`): it knows nothing of this crate.
//!
//! `rustup target add wasm32-unknown-unknown` where rustup is; else Debian's compiler, which comes with the sources of `std`,
//! so that `std` is built with the guest. Says which it took, and what to do when neither works.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    /// Finds one, installing rustup's target if need be; and says which.
    ///
    /// # Errors
    /// What to install, in words for a person.
    pub fn find() -> Result<(Self, String), String> {
        let cargo_root = sysroot("rustc");
        if let Ok(root) = &cargo_root
            && root.join("lib/rustlib").join(TARGET).join("lib").is_dir()
        {
            let words = format!("the compiler at {}, which has {TARGET}", root.display());
            return Ok((Self::Rustup, words));
        }
        let added = Command::new("rustup")
            .args(["target", "add", TARGET])
            .stdout(Stdio::null())
            .status();
        if added.is_ok_and(|status| status.success()) {
            return Ok((
                Self::Rustup,
                format!("rustup's compiler; {TARGET} was added"),
            ));
        }
        if Path::new("/usr/bin/rustc").exists()
            && Path::new("/usr/bin/cargo").exists()
            && let Ok(root) = sysroot("/usr/bin/rustc")
            && root.join("lib/rustlib/src/rust/library/std").is_dir()
            && let Some(linker) = linker(cargo_root.as_deref().ok())
        {
            let words = format!(
                "Debian's compiler, building std from source; linker {}",
                linker.display()
            );
            return Ok((Self::Debian { linker }, words));
        }
        Err(NEITHER.to_owned())
    }

    /// `cargo build` for guests, without packages named yet.
    #[must_use]
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

fn sysroot(rustc: &str) -> Result<PathBuf, String> {
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .stderr(Stdio::null())
        .output()
        .map_err(|e| format!("{rustc} does not run: {e}"))?;
    let text = String::from_utf8(output.stdout).map_err(|e| e.to_string())?;
    Ok(PathBuf::from(text.trim()))
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
