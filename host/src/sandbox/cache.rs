//! Compiled components, kept in a private folder.
//!
//! Loading compiled code runs it, so the folder is trusted as the program itself is: it belongs to the user who runs the
//! host, nobody else may write to it (0700, files 0600), and nothing is ever downloaded into it. An entry is named by the
//! component's digest and by what the compiler and its settings were, and carries the sha-256 of its bytes; whatever does
//! not fit is compiled again. A cache that cannot be used costs time, never a run.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

const DIGEST_BYTES: usize = 32;

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

    /// The component, from the folder if it is there and fits, else compiled and kept. Blocks: seconds for a large one.
    pub(super) fn load(
        &self,
        engine: &Engine,
        bytes: &[u8],
        digest: &str,
    ) -> wasmtime::Result<Component> {
        let path = self.path(digest);
        match self.read(engine, &path) {
            Ok(Some(component)) => return Ok(component),
            Ok(None) => {}
            Err(reason) => {
                tracing::warn!(path = %path.display(), %reason, "compiling a component again");
            }
        }
        let component = Component::new(engine, bytes)?;
        if let Err(error) = self.write(&path, &component) {
            tracing::warn!(path = %path.display(), %error, "a compiled component was not kept");
        }
        Ok(component)
    }

    pub(super) fn path(&self, digest: &str) -> PathBuf {
        self.dir
            .join(format!("{digest}-{:016x}.cwasm", self.compatibility))
    }

    fn read(&self, engine: &Engine, path: &Path) -> Result<Option<Component>, String> {
        let entry = match fs::read(path) {
            Ok(entry) => entry,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        for place in [self.dir.as_path(), path] {
            let meta = fs::metadata(place).map_err(|e| e.to_string())?;
            if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
                return Err(format!("{} can be changed by others", place.display()));
            }
        }
        let (digest, code) = entry
            .split_at_checked(DIGEST_BYTES)
            .ok_or_else(|| "the entry is cut".to_owned())?;
        if Sha256::digest(code)[..] != *digest {
            return Err("the entry is damaged".to_owned());
        }
        // SAFETY: these are bytes that `Component::serialize` gave: the digest shows them undamaged, and only this user
        // can write to the folder. wasmtime checks by itself that version and settings fit.
        unsafe { Component::deserialize(engine, code) }
            .map(Some)
            .map_err(|e| format!("{e:#}"))
    }

    fn write(&self, path: &Path, component: &Component) -> Result<(), String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let code = component.serialize().map_err(|e| format!("{e:#}"))?;
        let io = |e: io::Error| e.to_string();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(io)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self
            .dir
            .join(format!(".{}-{number}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(io)?;
        let written = file
            .write_all(&Sha256::digest(&code))
            .and_then(|()| file.write_all(&code))
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // The write's own error says more than a failed tidying-up would.
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(io)
    }
}
