//! Compiled components, kept in a private folder.
//!
//! Loading compiled code runs it, so the folder is trusted as the program itself is: it belongs to the user who runs the
//! host, nobody else may write to it (0700, files 0600), and nothing is ever downloaded into it. An entry is named by the
//! component's digest and by what the compiler and its settings were, and has a seal beside it: the hashes of its own bytes and
//! of the component's, and what the component said of itself (which a component always says in the same words: it has no clock,
//! no chance and nobody to ask). Whatever does not fit is compiled again. A cache that cannot be used costs time, never a run.
//!
//! The seal's hashes are blake3, taken when the component's sha-256 was checked: so a load hashes the component as it lies on
//! the disk, but by a function that is several times as fast, which is what a load costs for a component of 20 MB.
//!
//! An entry is mapped, not read: so its file is never written to once it has its name, and two processes share its pages.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use semver::Version;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::contract::description::Description;

/// The bytes of a component.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bytes<'a> {
    Memory(&'a [u8]),
    /// Of a folder whose files get their names whole, and are not written to after that: it is mapped.
    File(&'a Path),
}

impl Bytes<'_> {
    /// Blocks.
    fn hash(self) -> io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        match self {
            Self::Memory(bytes) => hasher.update_rayon(bytes),
            Self::File(path) => hasher.update_mmap_rayon(path)?,
        };
        Ok(hasher.finalize())
    }
}

/// What is known of a compiled component.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    /// The blake3 of the component, hex.
    component: String,
    /// The blake3 of what was compiled of it, hex.
    compiled: String,
    /// The version of the contract that it was built for.
    contract: Version,
    description: Description,
}

/// A component from the cache.
pub(super) struct Kept {
    pub(super) component: Component,
    pub(super) contract: Version,
    pub(super) description: Description,
}

/// The folder of one engine's compiled components.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    compatibility: u64,
}

impl Cache {
    pub(super) fn new(dir: PathBuf, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self {
            dir,
            compatibility: hasher.finish(),
        }
    }

    /// The component of a digest from the folder, if it is there and fits these bytes. Blocks: all of both is hashed.
    pub(super) fn kept(&self, engine: &Engine, digest: &str, bytes: Bytes<'_>) -> Option<Kept> {
        // It becomes a file's name.
        if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let path = self.path(digest);
        self.read(engine, &path, bytes).unwrap_or_else(|reason| {
            tracing::warn!(path = %path.display(), %reason, "compiling a component again");
            None
        })
    }

    /// Keeps what was compiled of a component and what it says of itself, if that can be done. Blocks.
    pub(super) fn keep(&self, digest: &str, hash: blake3::Hash, kept: &Kept) {
        let path = self.path(digest);
        if let Err(error) = self.write(&path, hash, kept) {
            tracing::warn!(path = %path.display(), %error, "a compiled component was not kept");
        }
    }

    pub(super) fn path(&self, digest: &str) -> PathBuf {
        self.dir
            .join(format!("{digest}-{:016x}.cwasm", self.compatibility))
    }

    fn read(&self, engine: &Engine, path: &Path, bytes: Bytes<'_>) -> Result<Option<Kept>, String> {
        if !path.exists() {
            return Ok(None);
        }
        for place in [self.dir.as_path(), path] {
            let meta = fs::metadata(place).map_err(|e| e.to_string())?;
            if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
                return Err(format!("{} can be changed by others", place.display()));
            }
        }
        let seal = fs::read(seal(path)).map_err(|e| e.to_string())?;
        let seal: Seal = serde_json::from_slice(&seal).map_err(|e| e.to_string())?;
        let (component, compiled) = rayon::join(|| bytes.hash(), || Bytes::File(path).hash());
        if compiled.map_err(|e| e.to_string())?.to_hex().as_str() != seal.compiled {
            return Err("the entry is damaged".to_owned());
        }
        if component.map_err(|e| e.to_string())?.to_hex().as_str() != seal.component {
            return Err("the component is not the one that was compiled".to_owned());
        }
        // SAFETY: these are bytes that `Component::serialize` gave: the hash shows them undamaged, only this user can write to
        // the folder, and the host itself only ever renames whole files there. wasmtime checks that version and settings fit.
        let component = unsafe { Component::deserialize_file(engine, path) };
        Ok(Some(Kept {
            component: component.map_err(|e| format!("{e:#}"))?,
            contract: seal.contract,
            description: seal.description,
        }))
    }

    fn write(&self, path: &Path, hash: blake3::Hash, kept: &Kept) -> Result<(), String> {
        let code = kept.component.serialize().map_err(|e| format!("{e:#}"))?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|e| e.to_string())?;
        let words = serde_json::to_vec(&Seal {
            component: hash.to_hex().to_string(),
            compiled: blake3::hash(&code).to_hex().to_string(),
            contract: kept.contract.clone(),
            description: kept.description.clone(),
        })
        .map_err(|e| e.to_string())?;
        self.put(path, &code)
            .and_then(|()| self.put(&seal(path), &words))
            .map_err(|e| e.to_string())
    }

    /// Gives bytes a name, all at once.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self
            .dir
            .join(format!(".{}-{number}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // The write's own error says more than a failed tidying-up would.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Where the seal of an entry is.
fn seal(path: &Path) -> PathBuf {
    path.with_extension("seal")
}
