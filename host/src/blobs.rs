//! Files that pass through the host, in a private content-addressed folder: `ab/cdef…` under the sha-256 of the bytes.
//!
//! Policy: the folder is 0700 and every file 0600. Bytes are written to a file in `tmp/`, synced, then renamed to their
//! name and the folder synced, so that a name stands for complete, durable bytes as soon as [`Builder::finish`] returns: a
//! journal row may refer to it at once. A crash leaves only files in `tmp/`, removed at the next [`BlobStore::open`] of a
//! folder that no other process holds open. Equal bytes are kept once.
//!
//! Cost: one sync of a file and of its folder per new blob; up to [`SMALL`] bytes of memory per blob under construction, and a
//! file for what is longer. Calls are blocking: they touch the page cache in pieces of at most a few dozen KiB;
//! [`Builder::seal`] moves the final sync off the executor.
//!
//! Not here: which unit may read which blob, and which blobs are still referred to (both belong to the store).

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::contract::types::BlobRef;

/// A blob up to this length has no file before it is known whether it needs one, bytes.
const SMALL: usize = 64 << 10;

/// Why a blob could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Longer than one blob may be.
    #[error("a blob may have at most {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// No such blob.
    #[error("there is no blob {0}")]
    Absent(String),
    /// What is on disk is not what the name says.
    #[error("blob {sha256} is damaged: {what}")]
    Corrupt {
        /// The blob.
        sha256: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The disk, or the user's quota on it, is full.
    #[error("no space left for blobs")]
    Full,
    /// Anything else the file system says.
    #[error("blob folder: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

/// The folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    max_bytes: u64,
    next: AtomicU64,
    /// Folders of blobs that this process has seen to: that they are there, and that they stay.
    fans: Mutex<HashSet<PathBuf>>,
    /// Held shared for the life of the store: whoever gets it exclusively may clear `tmp/`.
    lock: File,
}

impl BlobStore {
    /// Opens the folder, making it if need be. `max_bytes` is the limit for one blob.
    ///
    /// # Errors
    /// [`BlobError::Full`] or [`BlobError::Io`].
    pub fn open(dir: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, BlobError> {
        let dir = dir.into();
        private_dir(&dir)?;
        let tmp = dir.join("tmp");
        private_dir(&tmp)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join("lock"))?;
        if lock.try_lock().is_ok() {
            for entry in fs::read_dir(&tmp)? {
                fs::remove_file(entry?.path())?;
            }
            lock.unlock()?;
        }
        lock.lock_shared()?;
        let inner = Inner {
            dir,
            max_bytes,
            next: AtomicU64::new(0),
            fans: Mutex::default(),
            lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The most bytes that one blob may have.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.inner.max_bytes
    }

    /// Starts a blob. Nothing touches the disk before it is longer than a few dozen KiB, or finished.
    #[must_use]
    pub fn builder(&self, media_type: impl Into<String>) -> Builder {
        Builder {
            store: self.clone(),
            media_type: media_type.into(),
            start: vec![],
            file: None,
            hash: Sha256::new(),
            size: 0,
        }
    }

    /// Where a blob's bytes are, for a caller that streams them itself.
    ///
    /// # Errors
    /// [`BlobError::Absent`], and [`BlobError::Corrupt`] when its length is wrong.
    pub fn path(&self, blob: &BlobRef) -> Result<PathBuf, BlobError> {
        let path = self.place(&blob.sha256)?;
        match fs::metadata(&path) {
            Ok(meta) if meta.len() == blob.size => Ok(path),
            Ok(_) => Err(corrupt(blob, "its length differs")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(BlobError::Absent(blob.sha256.clone()))
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Up to `len` bytes from `offset`; fewer at the end, none past it.
    ///
    /// # Errors
    /// As [`BlobStore::path`].
    pub fn read(&self, blob: &BlobRef, offset: u64, len: u32) -> Result<Vec<u8>, BlobError> {
        let mut file = File::open(self.path(blob)?)?;
        file.seek(SeekFrom::Start(offset))?;
        let there = blob.size.saturating_sub(offset).min(u64::from(len));
        let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or(0));
        file.take(there).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Keeps bytes that are in memory already.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], [`BlobError::Full`], [`BlobError::Io`].
    pub fn put_bytes(
        &self,
        bytes: &[u8],
        media_type: impl Into<String>,
    ) -> Result<BlobRef, BlobError> {
        let mut builder = self.builder(media_type);
        builder.append(bytes)?;
        builder.finish()
    }

    /// All bytes of a blob, for the host's own small ones.
    ///
    /// # Errors
    /// As [`BlobStore::path`].
    pub fn read_all(&self, blob: &BlobRef) -> Result<Vec<u8>, BlobError> {
        Ok(fs::read(self.path(blob)?)?)
    }

    /// Hashes a blob's bytes again.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`] when they are not what the name says; otherwise as [`BlobStore::path`].
    pub fn check(&self, blob: &BlobRef) -> Result<(), BlobError> {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(self.path(blob)?)?, &mut hash)?;
        if hex::encode(hash.finalize()) == blob.sha256 {
            Ok(())
        } else {
            Err(corrupt(blob, "its bytes hash to something else"))
        }
    }

    /// Removes every blob whose sha-256 is not in `referenced`, and says how many bytes that freed. The caller sees to it that
    /// nobody is adding references meanwhile.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn remove_unreferenced(&self, referenced: &HashSet<String>) -> Result<u64, BlobError> {
        let mut freed = 0;
        for fan in fs::read_dir(&self.inner.dir)? {
            let fan = fan?;
            let prefix = fan.file_name().to_string_lossy().into_owned();
            if prefix.len() != 2 || !fan.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(fan.path())? {
                let file = file?;
                let name = format!("{prefix}{}", file.file_name().to_string_lossy());
                if !referenced.contains(&name) {
                    freed += file.metadata()?.len();
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(freed)
    }

    /// Makes a folder for blobs, durably; once a process is enough.
    fn fan(&self, fan: &Path) -> Result<(), BlobError> {
        let mut fans = self
            .inner
            .fans
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !fans.contains(fan) {
            private_dir(fan)?;
            File::open(&self.inner.dir)?.sync_all()?;
            fans.insert(fan.to_owned());
        }
        Ok(())
    }

    /// The path of a hash; only of a hash, so that a reference made up by a guest cannot leave the folder.
    fn place(&self, sha256: &str) -> Result<PathBuf, BlobError> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match sha256.split_at_checked(2) {
            Some((fan, rest)) if sha256.len() == 64 && sha256.bytes().all(hex) => {
                Ok(self.inner.dir.join(fan).join(rest))
            }
            _ => Err(BlobError::Absent(sha256.chars().take(64).collect())),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing the file would do; said aloud because the lock is the field's only purpose.
        let _ = self.lock.unlock();
    }
}

/// A blob under construction. Dropped unfinished, it leaves nothing behind.
#[derive(Debug)]
pub struct Builder {
    store: BlobStore,
    media_type: String,
    /// All bytes so far, until there is a file.
    start: Vec<u8>,
    file: Option<Temporary>,
    hash: Sha256,
    size: u64,
}

#[derive(Debug)]
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}

impl Builder {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] past the store's limit, [`BlobError::Full`], [`BlobError::Io`]. The builder is of no use then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let limit = self.store.inner.max_bytes;
        let size = self.size.saturating_add(bytes.len() as u64);
        if size > limit {
            return Err(BlobError::TooLarge { limit });
        }
        match &mut self.file {
            None if self.start.len() + bytes.len() <= SMALL => self.start.extend_from_slice(bytes),
            _ => self.file()?.write_all(bytes)?,
        }
        self.hash.update(bytes);
        self.size = size;
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Seals it: durable and readable under its reference when this returns.
    ///
    /// # Errors
    /// [`BlobError::Full`], [`BlobError::Io`].
    pub fn finish(mut self) -> Result<BlobRef, BlobError> {
        let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
        let place = self.store.place(&sha256)?;
        if !fs::metadata(&place).is_ok_and(|meta| meta.len() == self.size) {
            self.file()?.sync_all()?;
            if let Some(fan) = place.parent() {
                self.store.fan(fan)?;
            }
            if let Some(temporary) = &self.file {
                fs::rename(&temporary.path, &place)?;
            }
        }
        // Equal bytes may have been given their name a moment ago, and not durably yet.
        if let Some(fan) = place.parent() {
            File::open(fan)?.sync_all()?;
        }
        Ok(BlobRef {
            sha256,
            size: self.size,
            media_type: std::mem::take(&mut self.media_type),
        })
    }

    /// As [`Builder::finish`], off the executor.
    ///
    /// # Errors
    /// As [`Builder::finish`].
    ///
    /// # Cancel safety
    /// Dropping the future may leave a blob that nobody refers to.
    pub async fn seal(self) -> Result<BlobRef, BlobError> {
        let sealed = tokio::task::spawn_blocking(move || self.finish()).await;
        sealed.map_err(|error| BlobError::Io(io::Error::other(error)))?
    }

    /// The file, with all bytes so far.
    fn file(&mut self) -> Result<&mut File, BlobError> {
        if self.file.is_none() {
            let inner = &self.store.inner;
            let number = inner.next.fetch_add(1, Ordering::Relaxed);
            let address = Arc::as_ptr(inner) as usize;
            let name = format!("{}-{address:x}-{number}", std::process::id());
            let path = inner.dir.join("tmp").join(name);
            let file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            let temporary = self.file.insert(Temporary { file, path });
            temporary.file.write_all(&std::mem::take(&mut self.start))?;
        }
        match &mut self.file {
            Some(temporary) => Ok(&mut temporary.file),
            None => Err(BlobError::Io(io::ErrorKind::NotFound.into())),
        }
    }
}

fn corrupt(blob: &BlobRef, what: &'static str) -> BlobError {
    BlobError::Corrupt {
        sha256: blob.sha256.clone(),
        what,
    }
}

fn private_dir(dir: &Path) -> Result<(), BlobError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(max: u64) -> (tempfile::TempDir, BlobStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = BlobStore::open(dir.path().join("blobs"), max).unwrap();
        (dir, store)
    }

    fn keep(store: &BlobStore, bytes: &[u8]) -> BlobRef {
        let mut builder = store.builder("text/plain");
        builder.append(bytes).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn equal_bytes_are_kept_once_and_read_back_byte_for_byte() {
        let (_dir, store) = store(1000);
        let text = "ä\u{0}\r\n\u{feff}z".as_bytes();
        let a = keep(&store, text);
        let b = keep(&store, text);
        assert_eq!(a, b);
        assert_eq!(a.size, text.len() as u64);
        assert_eq!(store.read(&a, 0, 1000).unwrap(), text);
        assert_eq!(store.read(&a, 2, 3).unwrap(), &text[2..5]);
        assert_eq!(store.read(&a, 99, 3).unwrap(), b"");
        assert_eq!(
            fs::read_dir(store.inner.dir.join("tmp")).unwrap().count(),
            0
        );
        store.check(&a).unwrap();
    }

    #[test]
    fn a_long_blob_in_pieces_is_the_same_as_in_one_and_leaves_nothing_beside_it() {
        let (_dir, store) = store(1 << 20);
        let bytes: Vec<u8> = (0..3 * SMALL + 7).map(|n| (n % 251) as u8).collect();
        for cut in [1, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL] {
            let mut builder = store.builder("x/y");
            let (first, second) = bytes.split_at(cut);
            builder.append(first).unwrap();
            builder.append(second).unwrap();
            let blob = builder.finish().unwrap();
            assert_eq!(store.read_all(&blob).unwrap(), bytes, "{cut}");
            let mut dropped = store.builder("x/y");
            dropped.append(&bytes).unwrap();
        }
        let tmp = store.inner.dir.join("tmp");
        assert_eq!(fs::read_dir(tmp).unwrap().count(), 0);
    }

    #[test]
    fn an_empty_blob_is_a_blob() {
        let (_dir, store) = store(10);
        let blob = store.builder("text/csv").finish().unwrap();
        assert_eq!(blob.size, 0);
        assert_eq!(store.read(&blob, 0, 10).unwrap(), b"");
    }

    #[test]
    fn files_and_folders_are_private() {
        let (_dir, store) = store(10);
        let path = store.path(&keep(&store, b"x")).unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&store.inner.dir), 0o700);
    }

    #[test]
    fn a_blob_over_the_limit_is_refused_and_leaves_nothing() {
        let (_dir, store) = store(4);
        let mut builder = store.builder("x/y");
        builder.append(b"1234").unwrap();
        assert!(matches!(
            builder.append(b"5"),
            Err(BlobError::TooLarge { limit: 4 })
        ));
        drop(builder);
        assert_eq!(
            fs::read_dir(store.inner.dir.join("tmp")).unwrap().count(),
            0
        );
    }

    #[test]
    fn damage_and_absence_have_names() {
        let (_dir, store) = store(100);
        let blob = keep(&store, b"hello");
        let path = store.path(&blob).unwrap();
        fs::write(&path, b"hellO").unwrap();
        assert!(matches!(store.check(&blob), Err(BlobError::Corrupt { .. })));
        fs::write(&path, b"hell").unwrap();
        assert!(matches!(
            store.read(&blob, 0, 1),
            Err(BlobError::Corrupt { .. })
        ));
        fs::remove_file(&path).unwrap();
        assert!(matches!(store.read(&blob, 0, 1), Err(BlobError::Absent(_))));
        for made_up in [
            "",
            "ab",
            "../../../../etc/passwd",
            &"/".repeat(64),
            &"é".repeat(32),
        ] {
            let blob = BlobRef {
                sha256: made_up.into(),
                size: 0,
                media_type: String::new(),
            };
            assert!(
                matches!(store.path(&blob), Err(BlobError::Absent(_))),
                "{made_up}"
            );
        }
    }

    #[test]
    fn damaged_bytes_of_another_length_are_replaced_when_the_blob_comes_again() {
        let (_dir, store) = store(100);
        let blob = keep(&store, b"hello");
        fs::write(store.path(&blob).unwrap(), b"he").unwrap();
        keep(&store, b"hello");
        store.check(&blob).unwrap();
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = BlobError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, BlobError::Full));
        // The real thing, where the system has it.
        if let Ok(mut file) = OpenOptions::new().write(true).open("/dev/full") {
            let error = file.write_all(b"x").unwrap_err();
            assert!(matches!(BlobError::from(error), BlobError::Full));
        }
    }

    #[test]
    fn what_nobody_refers_to_is_removed() {
        let (_dir, store) = store(100);
        let (a, b) = (keep(&store, b"aaa"), keep(&store, b"bbbb"));
        let freed = store
            .remove_unreferenced(&HashSet::from([a.sha256.clone()]))
            .unwrap();
        assert_eq!(freed, 4);
        assert!(store.path(&a).is_ok());
        assert!(matches!(store.path(&b), Err(BlobError::Absent(_))));
    }

    #[test]
    fn what_a_crash_left_is_removed_unless_somebody_has_the_folder_open() {
        let dir = tempfile::tempdir().unwrap();
        let first = BlobStore::open(dir.path(), 10).unwrap();
        let stray = dir.path().join("tmp/stray");
        fs::write(&stray, b"x").unwrap();
        let second = BlobStore::open(dir.path(), 10).unwrap();
        assert!(stray.exists());
        drop((first, second));
        BlobStore::open(dir.path(), 10).unwrap();
        assert!(!stray.exists());
    }

    #[tokio::test]
    async fn a_blob_sealed_off_the_executor_is_there_and_a_dropped_one_is_not() {
        let (_dir, store) = store(100);
        let mut builder = store.builder("x/y");
        builder.append(b"one").unwrap();
        builder.append(b"two").unwrap();
        let blob = builder.seal().await.unwrap();
        assert_eq!(store.read(&blob, 0, 10).unwrap(), b"onetwo");
        let mut dropped = store.builder("x/y");
        dropped.append(b"three").unwrap();
        drop(dropped);
        let tmp = store.inner.dir.join("tmp");
        assert_eq!(fs::read_dir(tmp).unwrap().count(), 0);
    }
}
