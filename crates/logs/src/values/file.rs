//! Numbers in a temporary file without a name: written by plain calls, which say when a disk is full, then read through
//! a memory map.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io::Write;
#[cfg(any(test, feature = "ros"))]
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a number.
const WIDTH: usize = size_of::<f64>();

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Spill {
    file: File,
    /// Where it lies.
    folder: PathBuf,
    numbers: usize,
    bytes: Vec<u8>,
}

/// Where temporary files go: `/tmp` is often kept in memory, which they are to spare.
fn folder() -> PathBuf {
    let large = Path::new("/var/tmp");
    match std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => folder.into(),
        None if cfg!(unix) && large.is_dir() => large.into(),
        None => std::env::temp_dir(),
    }
}

impl Spill {
    /// An empty one.
    pub fn new() -> Result<Self> {
        let folder = folder();
        let file = tempfile::tempfile_in(&folder).map_err(Error::io(&folder, "make a temporary file"))?;
        Ok(Self { file, folder, numbers: 0, bytes: Vec::new() })
    }

    /// Numbers in it.
    pub fn len(&self) -> usize {
        self.numbers
    }

    /// Writes numbers at its end.
    pub fn append(&mut self, numbers: &[f64]) -> Result<()> {
        self.bytes.clear();
        self.bytes.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        self.file.write_all(&self.bytes).map_err(Error::io(&self.folder, "write a temporary file"))?;
        self.numbers += numbers.len();
        Ok(())
    }

    /// Shortens it.
    #[cfg(any(test, feature = "ros"))]
    pub fn truncate(&mut self, numbers: usize) -> Result<()> {
        let end = (numbers * WIDTH) as u64;
        let shortened = self.file.set_len(end).and_then(|()| self.file.seek(SeekFrom::Start(end)));
        shortened.map_err(Error::io(&self.folder, "shorten a temporary file"))?;
        self.numbers = numbers;
        Ok(())
    }

    /// Its numbers.
    pub fn map(self) -> Result<Mapped> {
        let options = &mut MmapOptions::new();
        let map = options.len(self.numbers * WIDTH).map_raw(&self.file);
        let map = Arc::new(map.map_err(Error::io(&self.folder, "map a temporary file"))?);
        #[cfg(target_os = "linux")]
        resident::watch(&map);
        Ok(Mapped { map, numbers: self.numbers })
    }
}

/// A file that was written; nobody else can open it, and it keeps its length.
pub(super) struct Mapped {
    map: Arc<MmapRaw>,
    numbers: usize,
}

impl Mapped {
    /// The numbers.
    pub fn numbers(&self) -> &[f64] {
        // SAFETY: the map begins at a page and holds so many whole numbers, all of whose bits are valid. The file has
        // no name and its descriptor is closed: nobody shortens it or writes to it while it is mapped, but through
        // `numbers_mut`, which needs this exclusively. Its blocks were written, so that none is missing.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.numbers) }
    }

    /// Takes its pages out of the process, which finds them again in the file.
    pub fn release(&self) {
        #[cfg(target_os = "linux")]
        resident::release(&self.map);
    }

    /// The numbers, to be changed.
    pub fn numbers_mut(&mut self) -> &mut [f64] {
        // SAFETY: as in `numbers`; `self` is borrowed exclusively, and whoever else has the map never touches what is
        // in it (`resident`).
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.numbers) }
    }
}

/// Pages of mapped files count as the process's memory until the kernel wants them back. A thread takes them out of
/// the process when they are many; they stay in the kernel's cache as long as there is room, and in the file.
#[cfg(target_os = "linux")]
mod resident {
    use memmap2::{MmapRaw, UncheckedAdvice};
    use std::sync::{Arc, Mutex, PoisonError, Weak};
    use std::time::Duration;

    /// Bytes of files in the process above which they are taken out.
    const MOST: u64 = 128 << 20;
    /// Between two looks.
    const PAUSE: Duration = Duration::from_millis(10);

    /// The maps that there are; empty while no thread looks after them.
    static MAPS: Mutex<Vec<Weak<MmapRaw>>> = Mutex::new(Vec::new());

    /// Looks after a map until it is gone.
    pub fn watch(map: &Arc<MmapRaw>) {
        let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = maps.is_empty();
        maps.push(Arc::downgrade(map));
        // Without a thread more memory counts as used, and nothing else is wrong.
        if idle && std::thread::Builder::new().name("pages".into()).spawn(look_after).is_err() {
            maps.clear();
        }
    }

    fn look_after() {
        loop {
            std::thread::sleep(PAUSE);
            let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
            maps.retain(|map| map.strong_count() > 0);
            if maps.is_empty() {
                return;
            }
            if of_files().is_some_and(|bytes| bytes > MOST) {
                maps.iter().filter_map(Weak::upgrade).for_each(|map| release(&map));
            }
        }
    }

    pub fn release(map: &MmapRaw) {
        // SAFETY: the map is shared and of a file: what was changed is kept with the file, and the next access, also
        // one that goes on at this moment, finds the same numbers.
        let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
    }

    /// Bytes of files in the process.
    fn of_files() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        Some((of("RssFile:")? + of("RssShmem:").unwrap_or(0)) * 1024)
    }
}
