//! `ebmotion convert`.

use super::args::ConvertArgs;
use super::console::Console;
use super::output::{Inputs, check_folder, check_writable};
use ebmotion::event::{Event, Sink};
use ebmotion::forecast::RunConfig;
use ebmotion::trajectory::{DEFAULT_TOLERANCE, Frames, Recording, WriteOptions};
use ebmotion::{Error, Result};
use std::path::{Path, PathBuf};

pub(super) fn run(args: &ConvertArgs, console: &mut Console) -> Result<()> {
    let mut config = RunConfig::default();
    args.read.apply(&mut config);
    let mut write = WriteOptions { overwrite: args.overwrite, ..WriteOptions::default() };
    if let Some(task) = &args.task {
        write.task.clone_from(task);
    }
    let format = Recording::written_as(&args.output)?;
    check_output(args)?;

    console.emit(&Event::Begin { phase: "read", total: 1 })?;
    let recording = Recording::read(&args.logs, &config.data.read)?;
    console.emit(&Event::Step { step: 1, note: &described(&recording) })?;
    console.emit(&Event::End)?;
    let recording = resampled(recording, args.rate)?;
    console.notes(&recording.notes);

    console.emit(&Event::Begin { phase: "write", total: 1 })?;
    let notes = recording.write(&args.output, &write)?;
    let note = format!("{} ({format}, {})", args.output.display(), described(&recording));
    console.emit(&Event::Step { step: 1, note: &note })?;
    console.emit(&Event::End)?;
    console.notes(&notes);
    Ok(())
}

/// Refuses an output that is there already, that cannot be written, or that would take the place of an input.
fn check_output(args: &ConvertArgs) -> Result<()> {
    let mut inputs = Inputs::default();
    for log in Recording::files(&args.logs)? {
        if within(&log, &args.output) {
            let found = format!("`{}`, which this run reads (as `{}`)", args.output.display(), log.display());
            return Err(Error::config("output", found, "another file: a run never replaces what it reads"));
        }
        inputs.add(files(&log, 4)?);
    }
    inputs.spared_by([&args.output])?;
    if args.output.exists() && !args.overwrite {
        let found = format!("`{}`, which is there already", args.output.display());
        return Err(Error::config("output", found, "a new path, or --overwrite to replace what is there"));
    }
    let parent = args.output.parent().filter(|parent| !parent.as_os_str().is_empty());
    match args.output.is_dir() || args.output.extension().is_none() {
        true => check_folder(parent.unwrap_or(Path::new("."))),
        false => check_writable(&args.output),
    }
}

/// Whether a path is a folder or lies in it.
fn within(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => folder.is_dir() && path.starts_with(folder),
        _ => false,
    }
}

/// A file, or the files of a folder that is one log.
fn files(log: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    if !log.is_dir() || depth == 0 {
        return Ok(vec![log.to_path_buf()]);
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(log).map_err(Error::io(log, "list"))? {
        all.append(&mut files(&entry.map_err(Error::io(log, "list"))?.path(), depth - 1)?);
    }
    Ok(all)
}

/// At another rate, where one is asked for.
fn resampled(recording: Recording, rate_hz: Option<f64>) -> Result<Recording> {
    let Some(rate_hz) = rate_hz else { return Ok(recording) };
    let frames = Frames::resample(&recording, Some(rate_hz), DEFAULT_TOLERANCE)?;
    let Frames { channels, episodes, sources, notes, parts, .. } = frames;
    Ok(Recording { channels, episodes, sources, notes, parts })
}

/// Its size, for a person.
fn described(recording: &Recording) -> String {
    let rows: usize = recording.episodes.iter().map(|episode| episode.time_secs.len()).sum();
    let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let (episodes, channels) = (recording.episodes.len(), recording.channels.len());
    format!("{}, {}, {}", plural(episodes, "episode"), plural(channels, "channel"), plural(rows, "row"))
}
