//! Compiled components, kept in a private folder.
//!
//! Loading compiled code runs it, so the folder is trusted as the program itself is: it belongs to the user who runs the
//! host, nobody else may write to it (0700, files 0600), and nothing is ever downloaded into it. An entry is named by the
//! component's digest and by what the compiler and its settings were, and has the hash of its bytes in a file beside it;
//! whatever does not fit is compiled again. A cache that cannot be used costs time, never a run.
//!
//! An entry is mapped, not read: so its file is never written to once it has its name, and two processes share its pages.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Engine;
use wasmtime::component::Component;

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

    /// The component of a digest from the folder, if it is there and fits. Blocks: its bytes are hashed.
    pub(super) fn kept(&self, engine: &Engine, digest: &str) -> Option<Component> {
        // It becomes a file's name.
        if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let path = self.path(digest);
        self.read(engine, &path).unwrap_or_else(|reason| {
            tracing::warn!(path = %path.display(), %reason, "compiling a component again");
            None
        })
    }

    /// The component, compiled and kept. Blocks: seconds for a large one.
    pub(super) fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        digest: &str,
    ) -> wasmtime::Result<Component> {
        let path = self.path(digest);
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
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        for place in [self.dir.as_path(), path] {
            let meta = fs::metadata(place).map_err(|e| e.to_string())?;
            if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
                return Err(format!("{} can be changed by others", place.display()));
            }
        }
        let known = fs::read_to_string(sum(path)).map_err(|e| e.to_string())?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file).map_err(|e| e.to_string())?;
        if hasher.finalize().to_hex().as_str() != known {
            return Err("the entry is damaged".to_owned());
        }
        // SAFETY: these are bytes that `Component::serialize` gave: the hash shows them undamaged, only this user can write to
        // the folder, and the host itself only ever renames whole files there. wasmtime checks that version and settings fit.
        unsafe { Component::deserialize_file(engine, path) }
            .map(Some)
            .map_err(|e| format!("{e:#}"))
    }

    fn write(&self, path: &Path, component: &Component) -> Result<(), String> {
        let code = component.serialize().map_err(|e| format!("{e:#}"))?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|e| e.to_string())?;
        let hash = blake3::hash(&code).to_hex();
        self.put(path, &code)
            .and_then(|()| self.put(&sum(path), hash.as_bytes()))
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

/// Where the hash of an entry is.
fn sum(path: &Path) -> PathBuf {
    path.with_extension("blake3")
}
