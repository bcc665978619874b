//! `ebmotion clean`.

use super::args::CleanArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::forecast::{Forecast, FutureArray, Model, Origin};
use ebmotion::trajectory::{Frames, Recording, WriteOptions};
use ebmotion::{Error, Result};
use std::path::Path;

pub(super) fn run(args: &CleanArgs, console: &mut Console) -> Result<()> {
    let outputs: Vec<&Path> = [Some(&args.output), args.std.as_ref()].into_iter().flatten().map(|p| &**p).collect();
    for output in &outputs {
        check_output(output)?;
    }
    let json = args.output.extension().is_some_and(|end| end == "json");
    let inputs = Recording::files(&args.logs)?;
    Inputs::new(inputs.iter().chain([&args.model])).spared_by(&outputs)?;
    let model = args.sampler.apply(Model::load(&args.model)?)?;
    let mut data = train::settings_of(&model, &args.read).data;
    data.read.keep_missing = true;
    let frames = model.frames(&args.logs, &data)?;
    console.notes(&frames.notes);
    let noise = noise(args, &model, &frames, console)?;
    console.stop_on_interrupt()?;
    let [cleaned, left] = model.clean(&frames, &noise, args.samples, args.seed, console)?;
    if json {
        Forecast::write_json_of(&forecasts(args, &model, &frames, &cleaned)?, &args.output)?;
    } else {
        write(cleaned, &args.output, console)?;
    }
    if let Some(path) = &args.std {
        write(left, path, console)?;
    }
    let count: usize = frames.episodes.iter().map(|episode| episode.time_secs.len()).sum();
    console.say(&format!("{}: {count} frames, episodes: {}", args.output.display(), frames.episodes.len()));
    if json {
        console.say(&format!("next: ebmotion view {} -o cleaned.rrd", args.output.display()));
    }
    Ok(())
}

/// Refuses what cannot be written, and names of files that say no format.
fn check_output(path: &Path) -> Result<()> {
    if path.extension().is_none_or(|end| end != "json") {
        Recording::written_as(path)?;
    }
    output::check_writable(path)
}

/// Standard deviation of each channel's noise: as asked for, else estimated, which is told.
fn noise(args: &CleanArgs, model: &Model, frames: &Frames, console: &mut Console) -> Result<Vec<f64>> {
    let mut given: Vec<Option<f64>> = vec![None; frames.channels.len()];
    for (names, std) in &args.noise {
        match names {
            None => given.fill(Some(*std)),
            Some(names) => {
                frames.channels_named(std::slice::from_ref(names))?.into_iter().for_each(|c| given[c] = Some(*std))
            }
        }
    }
    if given.iter().all(Option::is_some) {
        return Ok(given.into_iter().flatten().collect());
    }
    let estimated = model.noise_of(frames)?;
    let mut told = String::from("noise, estimated:");
    for ((channel, _), std) in
        frames.channels.iter().zip(&given).zip(&estimated).filter(|((_, given), _)| given.is_none())
    {
        let unit = channel.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        told.push_str(&format!("\n  {:<28} {std:.3e}{unit}", channel.name));
    }
    console.say(&told);
    Ok(given.into_iter().zip(estimated).map(|(given, estimated)| given.unwrap_or(estimated)).collect())
}

fn write(frames: Frames, path: &Path, console: &mut Console) -> Result<()> {
    let Frames { channels, episodes, sources, notes, parts, .. } = frames;
    let recording = Recording { channels, episodes, sources, notes, parts };
    let notes = recording.write(path, &WriteOptions { overwrite: true, ..WriteOptions::default() })?;
    console.notes(&notes);
    Ok(())
}

/// What `view` shows: after a context, the cleaned frames as the only future, the log as it was read as the truth.
fn forecasts(args: &CleanArgs, model: &Model, frames: &Frames, cleaned: &Frames) -> Result<Vec<Forecast>> {
    let (d, k) = (frames.channels.len(), model.forecaster().context_frames());
    let of = |episode: usize| -> Result<Forecast> {
        let (seen, own) = (&frames.episodes[episode], &cleaned.episodes[episode]);
        let (context, rest) = own.values.split_at(k * d);
        let truth = seen.values[k * d..].to_vec();
        let complete = truth.iter().all(|v| v.is_finite());
        let origin = Origin {
            episode: Some(seen.id.clone()),
            start_secs: k as f64 / frames.rate_hz,
            time_secs: seen.time_secs[k],
            history: context.to_vec(),
            truth: if complete { truth } else { Vec::new() },
            truth_energy: None,
            p_value: None,
        };
        Ok(Forecast {
            model: args.model.display().to_string(),
            seed: args.seed,
            channels: frames.channels.clone(),
            rate_hz: frames.rate_hz,
            origins: vec![origin],
            futures: FutureArray::new(rest.to_vec(), [1, 1, rest.len() / d, d])?,
            energies: None,
            constraints: Vec::new(),
            notes: frames.notes.clone(),
        })
    };
    let all = (0..frames.episodes.len()).map(of).collect::<Result<Vec<_>>>()?;
    match all.is_empty() {
        true => Err(Error::data("episodes", "none", "at least one")),
        false => Ok(all),
    }
}
