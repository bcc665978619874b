//! What an experiment has done so far, piece by piece, until its results are written.

use candle_core::Tensor;
use ebmotion::event::{Event, Sink};
use ebmotion::settings::Settings;
use ebmotion::train::{Archive, CheckpointPlan};
use ebmotion::{Error, Result};
use ebmotion_logs::files;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Name of the file that says of which run the pieces are.
const RUN: &str = "run.json";
/// How a piece of tensors ends.
const TENSORS: &str = "safetensors";

/// A folder of finished pieces of work, a file each, whole or not there at all: an interruption or a crash costs no
/// more than the piece in progress. Pieces take their noise by their place, so that a run that goes on ends in the same
/// bits.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    kept: Option<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    folder: PathBuf,
    /// Says of which run the pieces are; written before the first of them.
    run: PathBuf,
    of: serde_json::Value,
}

impl Journal {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Keeps pieces in `folder`, which holds nothing else. `of` is all that they depend on: settings, data, models.
    /// With `resume` those that are there are taken; with `overwrite` they are removed.
    ///
    /// # Errors
    /// [`Error::Model`] when pieces are there and neither is asked for, when there are none to go on with, or when they
    /// are of another run; [`Error::Io`].
    pub fn begin(folder: &Path, of: &impl Serialize, resume: bool, overwrite: bool) -> Result<Self> {
        let of = of.as_json()?;
        let run = folder.join(RUN);
        match (has_pieces(folder)?, resume) {
            (false, true) => {
                return Err(Error::model(folder, "nothing", "what an interrupted run has kept, for `resume = true`"));
            }
            (true, false) if !overwrite => {
                let expected = "`resume = true` to go on with it, or `overwrite = true` to start anew";
                return Err(Error::model(folder, "an interrupted run", expected));
            }
            (true, true) if read::<serde_json::Value>(&run)? != of => {
                let found = "a run with other settings, data or models";
                return Err(Error::model(&run, found, "the same command again"));
            }
            (_, true) => {}
            (_, false) => clear(folder)?,
        }
        Ok(Self { kept: Some(Kept { folder: folder.to_path_buf(), run, of }) })
    }

    /// The same journal for the pieces of a part, whose names it keeps apart.
    #[must_use]
    pub(super) fn within(&self, part: &str) -> Self {
        let kept = self.kept.as_ref().map(|k| Kept { folder: k.folder.join(file_name(part)), ..k.clone() });
        Self { kept }
    }

    /// The tensors of a piece: as they were kept, or as `work` gives them now.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Model`] for a damaged file; [`Error::Io`].
    pub(super) fn tensors(&self, name: &str, work: impl FnOnce() -> Result<Vec<Tensor>>) -> Result<Vec<Tensor>> {
        let Some(kept) = &self.kept else { return work() };
        let path = kept.path(name, TENSORS);
        if path.exists() {
            let archive = Archive::load(&path)?;
            return Ok((0..).map_while(|i: usize| archive.tensors.get(&i.to_string()).cloned()).collect());
        }
        let tensors = work()?;
        let named = tensors.iter().enumerate().map(|(i, t)| (i.to_string(), t.clone())).collect();
        kept.signed()?;
        Archive { tensors: named, ..Archive::default() }.save(&path)?;
        Ok(tensors)
    }

    /// As [`Journal::tensors`], of pieces of so many tensors.
    pub(super) fn array<const N: usize>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<[Tensor; N]>,
    ) -> Result<[Tensor; N]> {
        let found = self.tensors(name, || Ok(work()?.to_vec()))?;
        found.try_into().map_err(|t: Vec<Tensor>| {
            let (found, expected) = (format!("{} tensors", t.len()), format!("{N}, as this run keeps"));
            match &self.kept {
                Some(kept) => Error::model(kept.path(name, TENSORS), found, expected),
                None => Error::data(format!("tensors of `{name}`"), found, expected),
            }
        })
    }

    /// A piece that was kept by [`Journal::put`].
    ///
    /// # Errors
    /// [`Error::Model`] for a damaged file; [`Error::Io`].
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        match self.kept.as_ref().map(|k| k.path(name, "json")).filter(|path| path.exists()) {
            Some(path) => read(&path).map(Some),
            None => Ok(None),
        }
    }

    /// Keeps a piece.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn put(&self, name: &str, piece: &impl Serialize) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        kept.signed()?;
        write(&kept.path(name, "json"), piece)
    }

    /// How a network in training is kept: as every run of the trainer is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn plan(&self, name: &str) -> Result<Option<CheckpointPlan>> {
        let Some(kept) = &self.kept else { return Ok(None) };
        kept.signed()?;
        let identity = serde_json::json!({ "network": name });
        Ok(Some(CheckpointPlan { path: kept.path(name, "checkpoint"), resume: true, identity }))
    }

    /// The folder, where anything was kept.
    pub fn saved(&self) -> Option<&Path> {
        self.kept.as_ref().map(|k| k.folder.as_path()).filter(|folder| has_pieces(folder).unwrap_or(false))
    }

    /// The results are written: nothing is unfinished any more.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be removed.
    pub fn end(self) -> Result<()> {
        self.kept.map_or(Ok(()), |kept| clear(&kept.folder))
    }
}

impl Kept {
    fn path(&self, name: &str, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}.{suffix}", file_name(name)))
    }

    fn signed(&self) -> Result<()> {
        match self.run.exists() {
            true => Ok(()),
            false => write(&self.run, &self.of),
        }
    }
}

/// True where a folder holds more than the word of which run it is.
fn has_pieces(folder: &Path) -> Result<bool> {
    if !folder.exists() {
        return Ok(false);
    }
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    Ok(entries.flatten().any(|entry| entry.file_name() != RUN))
}

fn file_name(name: &str) -> String {
    name.replace([' ', '/'], "_")
}

fn clear(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => std::fs::remove_dir_all(folder).map_err(Error::io(folder, "remove")),
        false => Ok(()),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    serde_json::from_str(&text)
        .map_err(|e| Error::model(path, format!("a damaged file ({e})"), "a piece of an interrupted run"))
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(Error::unwritable(path.display().to_string(), "JSON"))?;
    files::write_bytes(path, text.as_bytes())
}

/// Tells `sink` that `done` of `of` steps are done, with a note, and stops where it asks for that before the end.
///
/// # Errors
/// What the sink returns; [`Error::Interrupted`], with nothing saved.
pub(super) fn advance(sink: &mut dyn Sink, done: usize, of: usize, note: &str) -> Result<()> {
    sink.emit(&Event::Step { step: done as u64, note })?;
    match sink.stop_requested() && done < of {
        true => Err(Error::Interrupted { step: done as u64, saved: None }),
        false => Ok(()),
    }
}
