//! Whole files or none: atomic writes, and the hashes by which reports name their data.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io::{BufWriter, Write};
use std::path::Path;

/// A file that was read, as reports and results name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Path as given.
    pub path: String,
    /// SHA-256 of the file's bytes, hexadecimal.
    pub sha256: String,
}

impl FileRecord {
    /// Of the file `path` that holds `bytes`.
    pub fn of(path: &Path, bytes: &[u8]) -> Self {
        Self { path: path.display().to_string(), sha256: sha256_hex(bytes) }
    }
}

/// Writes `path` through a temporary file in the same folder: fill, flush, fsync, rename.
///
/// Readers see the old file or the new one, never a part. Missing parent folders are created.
///
/// # Errors
/// [`Error::Io`] naming the file when the folder cannot be created or the file cannot be written, synced or renamed
/// (a full disk among them); the temporary file is removed and an older `path` stays as it was.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ebmotion-");
    #[cfg(unix)]
    {
        // The temporary file becomes the user's file: readable as any file they create (umask still applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder).map_err(Error::io(path, "write"))?;
    let mut writer = BufWriter::new(temporary);
    fill(&mut writer).map_err(Error::io(path, "write"))?;
    let temporary = writer.into_inner().map_err(|e| Error::io(path, "write")(e.into_error()))?;
    temporary.as_file().sync_all().map_err(Error::io(path, "sync"))?;
    temporary.persist(path).map_err(|e| Error::io(path, "replace")(e.error))?;
    // Without this the rename itself may be lost with the power; a folder that cannot be synced is no failure.
    if let Ok(directory) = std::fs::File::open(folder) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Makes the folder `path` through a temporary one beside it: fill, rename. A folder that is there is replaced.
///
/// # Errors
/// Those of `fill`; [`Error::Io`] naming the folder when it cannot be made or renamed. Whatever was there stays then.
pub fn write_folder_atomically(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(Error::io(parent, "create the folder"))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ebmotion-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o777));
    }
    let beside = builder.tempdir_in(parent).map_err(Error::io(path, "write"))?;
    let (new, old) = (beside.path().join("new"), beside.path().join("old"));
    std::fs::create_dir(&new).map_err(Error::io(path, "write"))?;
    fill(&new)?;
    let replaces = path.exists();
    if replaces {
        std::fs::rename(path, &old).map_err(Error::io(path, "replace"))?;
    }
    if let Err(error) = std::fs::rename(&new, path) {
        if replaces && let Err(error) = std::fs::rename(&old, path) {
            // Better a folder by another name than none.
            let _ = beside.keep();
            return Err(Error::io(&old, "put back")(error));
        }
        return Err(Error::io(path, "replace")(error));
    }
    if let Ok(directory) = std::fs::File::open(parent) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// [`write_atomically`] of bytes already at hand.
///
/// ```
/// use ebmotion_logs::files::{FileRecord, write_bytes};
///
/// # let folder = tempfile::tempdir().map_err(ebmotion_logs::Error::io(".", "create a folder"))?;
/// let path = folder.path().join("results").join("note.txt");
/// write_bytes(&path, b"abc")?; // the folder is made too
/// let record = FileRecord::of(&path, b"abc");
/// assert!(path.exists() && record.sha256.starts_with("ba7816bf"));
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
///
/// # Errors
/// As [`write_atomically`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |w| w.write_all(bytes))
}

/// [`write_atomically`] of a table, its header first; all rows have as many cells.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_csv(path: &Path, rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
    write_atomically(path, |out| {
        let mut csv = csv::Writer::from_writer(out);
        for row in rows {
            csv.write_record(row)?;
        }
        csv.flush()
    })
}

/// SHA-256 of several pieces, each told from the next.
#[derive(Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds a piece, its length first.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update((piece.len() as u64).to_le_bytes());
        self.0.update(piece);
    }

    /// 64 hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// SHA-256 of `bytes` as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
