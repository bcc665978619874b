//! A file of images before it is parsed.

use crate::image::Images;
use ebmotion::{Error, Result};
use ebmotion_logs::files::FileRecord;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file's contents, unpacked.
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) source: FileRecord,
    pub(super) bytes: Vec<u8>,
}

impl Input {
    /// Reads a file; gzip is unpacked.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let source = FileRecord::of(path, &bytes);
        let bytes = if bytes.starts_with(b"\x1f\x8b") {
            let mut unpacked = Vec::new();
            flate2::read::MultiGzDecoder::new(&bytes[..])
                .read_to_end(&mut unpacked)
                .map_err(|e| Error::image(path, format!("a damaged gzip file ({e})"), "a complete gzip file"))?;
            unpacked
        } else if lower_name(path).ends_with(".gz") {
            return Err(Error::image(path, "no gzip file", "gzip data in a file that ends in `.gz`"));
        } else {
            bytes
        };
        Ok(Self { path: path.to_path_buf(), source, bytes })
    }

    /// An error about this file.
    pub(super) fn error(&self, found: impl std::fmt::Display, expected: impl Into<String>) -> Error {
        Error::image(&self.path, found, expected)
    }

    /// The images parsed, named after the file.
    pub(super) fn images(&self, shape: [usize; 3], pixels: Vec<u8>, labels: Option<Vec<u32>>) -> Result<Images> {
        let mut images = Images::new(self.source.path.clone(), shape, pixels, labels)?;
        images.sources.push(self.source.clone());
        Ok(images)
    }
}

/// The file's name in lower case.
pub(super) fn lower_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}
