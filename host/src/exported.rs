//! Files in the export folder: private, whole under their name or not there, and named after their record (rule M-16).
//!
//! What is exported, and what is said of it, is the business of others: the pipeline's, for what is too large or has no place,
//! and a unit's, for what the destination refuses.

use std::path::{Path, PathBuf};

use crate::blobs::BlobStore;
use crate::contract::types::BlobRef;
use crate::error::Error;
use crate::store::sha256;

/// Writes a record's file, of this id and name, and returns how it is called within the run's folder. Done again, it comes to the
/// same.
///
/// # Errors
/// A folder that cannot be written, bytes that are no longer there.
pub(crate) async fn file(
    blobs: &BlobStore,
    dir: &Path,
    (id, name): (&str, &str),
    blob: &BlobRef,
) -> Result<String, Error> {
    let name = format!("files/{}", file_name(id, name));
    let from = blobs.path(blob);
    let from = from.map_err(|e| Error::environment("blobs", e.to_string()))?;
    let to = dir.join(&name);
    // A large file takes its time.
    tokio::task::spawn_blocking(move || copy(&from, &to))
        .await
        .map_err(|_| Error::Interrupted)??;
    Ok(name)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let folder = to.parent().unwrap_or(to);
    create_private_dir(folder)?;
    let partial = PathBuf::from(format!("{}.partial", to.display()));
    let write = || {
        let mut file = private_file(&partial)?;
        std::io::copy(&mut std::fs::File::open(from)?, &mut file)?;
        file.sync_all()?;
        std::fs::rename(&partial, to)
    };
    write().map_err(|error| Error::io("export a file to", to, error))
}

/// A name that says whose file it is and leads nowhere else, whatever the source calls both.
fn file_name(id: &str, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let id = match (1..=80).contains(&id.len()) && id.chars().all(plain) {
        true => id.to_owned(),
        false => sha256(id),
    };
    let name: Vec<char> = name
        .chars()
        .map(|c| if plain(c) || c == '.' { c } else { '_' })
        .collect();
    // The end of a name says what it is.
    let name: String = name.iter().skip(name.len().saturating_sub(100)).collect();
    format!("{id}-{name}")
}

/// Makes a folder that only its owner reads, and those above it.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| Error::io("create the export folder", dir, e))
}

/// Makes a file that only its owner reads, or empties it.
pub(crate) fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end_and_records_never_share_one() {
        let long = format!("{}.pdf", "x".repeat(300));
        let name = file_name("a1", &long);
        assert!(name.len() < 110 && name.ends_with("x.pdf"), "{name}");
        assert_ne!(file_name("a/1", "f"), file_name("a_1", "f"));
        assert_ne!(file_name("", "f"), file_name("a", "f"));
    }
}
