//! A log before it is read: a file, a folder that is one log, or bytes in memory.

use super::packed::Packing;
use super::paths::STDIN;
use crate::error::{Error, Result};
use crate::files::FileRecord;
use sha2::{Digest as _, Sha256};
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
use std::borrow::Cow;
use std::fs::File;
#[cfg(feature = "ros")]
use std::io::Seek;
use std::io::{Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How much of a log is looked at to tell its format, bytes.
const HEAD: u64 = 64 * 1024;
/// How much of a file is hashed at a time, bytes: few calls of the system, and yet in the cache.
const HASHED: usize = 64 * 1024;

#[cfg(feature = "ros")]
/// What can be read in any order.
pub(crate) trait ReadSeek: Read + Seek {}
#[cfg(feature = "ros")]
impl<T: Read + Seek> ReadSeek for T {}

/// A log before it is read.
#[derive(Clone)]
pub(crate) struct Input<'a> {
    /// Where it lies, or the name that stands for it in messages.
    pub path: PathBuf,
    /// The bytes of what does not lie in a file, packed or not.
    memory: Option<&'a [u8]>,
}

impl<'a> Input<'a> {
    /// A file or folder.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf(), memory: None }
    }

    /// What a user names: a file, a folder, or `-` for standard input, which is read to its end once and kept.
    ///
    /// # Errors
    /// [`Error::Io`] when standard input cannot be read.
    pub fn of(path: &Path) -> Result<Self> {
        static STANDARD: Mutex<Option<&[u8]>> = Mutex::new(None);
        if path.as_os_str() != STDIN {
            return Ok(Self::at(path));
        }
        let mut kept = STANDARD.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
            *kept = Some(bytes.leak());
        }
        Ok(Self { path: path.to_path_buf(), memory: *kept })
    }

    /// Bytes; `name` stands for the path.
    pub fn in_memory(name: &Path, bytes: &'a [u8]) -> Self {
        Self { path: name.to_path_buf(), memory: Some(bytes) }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.memory.is_none() && self.path.is_dir()
    }

    /// Whether it lies in a file.
    #[cfg(feature = "parquet")]
    pub fn is_file(&self) -> bool {
        self.memory.is_none() && self.path.is_file()
    }

    /// The bytes as they lie there.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    fn packed(&self) -> Result<Box<dyn Read + Send + '_>> {
        Ok(match self.memory {
            Some(bytes) => Box::new(Cursor::new(bytes)),
            None => Box::new(File::open(&self.path).map_err(Error::io(&self.path, "read"))?),
        })
    }

    /// The contents from the first byte on, unpacked where they begin as a packed file does.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file; errors of a damaged archive come from reading.
    pub fn stream(&self) -> Result<Box<dyn Read + Send + '_>> {
        let packed = self.packed()?;
        Ok(match self.packing()? {
            Some(packing) => packing.unpacked(packed),
            None => packed,
        })
    }

    /// How it is packed, by its first bytes.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn packing(&self) -> Result<Option<Packing>> {
        let mut start = Vec::new();
        let head = Packing::HEAD as u64;
        self.packed()?.take(head).read_to_end(&mut start).map_err(Error::io(&self.path, "read"))?;
        Ok(Packing::of(&start))
    }

    /// Whether it begins as a packed file does.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    #[cfg(any(feature = "parquet", feature = "ros"))]
    pub fn is_packed(&self) -> Result<bool> {
        Ok(self.packing()?.is_some())
    }

    /// What an error of reading [`Input::stream`] says of the log.
    pub fn unreadable(&self, error: std::io::Error) -> Error {
        use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match (self.packing(), error.kind()) {
            (Ok(Some(packing)), InvalidInput | InvalidData | UnexpectedEof) => {
                let name = packing.name();
                self.error(format!("a damaged {name} file ({error})"), format!("a complete {name} file"))
            }
            _ => Error::io(&self.path, "read")(error),
        }
    }

    /// The contents in any order; `None` of what is packed.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    #[cfg(feature = "ros")]
    pub fn seekable(&self) -> Result<Option<Box<dyn ReadSeek + '_>>> {
        Ok(match (self.is_packed()?, self.memory) {
            (true, _) => None,
            (false, Some(bytes)) => Some(Box::new(Cursor::new(bytes))),
            (false, None) => Some(Box::new(File::open(&self.path).map_err(Error::io(&self.path, "read"))?)),
        })
    }

    /// The file, where the contents lie in one as they are.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    #[cfg(feature = "ros")]
    pub fn plain_file(&self) -> Result<Option<&Path>> {
        Ok((self.memory.is_none() && !self.is_packed()?).then_some(self.path.as_path()))
    }

    /// The first bytes, unpacked, by which a format is told; nothing of a folder, or of what cannot be unpacked.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn head(&self) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        if !self.is_folder() {
            // A damaged archive is told when it is read.
            let _ = self.stream()?.take(HEAD).read_to_end(&mut head);
        }
        Ok(head)
    }

    /// All bytes, unpacked, for formats that need them at once.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file; [`Error::Log`] for a damaged archive.
    #[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
    pub fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        if let Some(bytes) = self.memory
            && Packing::of(bytes).is_none()
        {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut unpacked = Vec::new();
        self.stream()?.read_to_end(&mut unpacked).map_err(|e| self.unreadable(e))?;
        Ok(Cow::Owned(unpacked))
    }

    /// Path and SHA-256 of the file as it lies there; of a folder, of what `files` names in it, in that order.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file that cannot be read.
    pub fn record(&self, files: &[PathBuf]) -> Result<FileRecord> {
        let (mut hash, mut block) = (Sha256::new(), vec![0; HASHED]);
        let mut add = |input: &Input| {
            let mut packed = input.packed()?;
            loop {
                match packed.read(&mut block) {
                    Ok(0) => return Ok(()),
                    Ok(read) => hash.update(&block[..read]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::io(&input.path, "read")(error)),
                }
            }
        };
        if files.is_empty() {
            add(self)?;
        }
        for file in files {
            add(&Input::at(file))?;
        }
        let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Ok(FileRecord { path: self.path.display().to_string(), sha256 })
    }

    /// An error of the whole log.
    pub fn error(&self, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::Log { path: self.path.clone(), line: None, column: None, found: found.into(), expected: expected.into() }
    }
}
