//! `ebmotion fill`.

use super::args::FillArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::predict::choose;
use super::train;
use ebmotion::event::{Event, Sink};
use ebmotion::forecast::{Forecast, Model};
use ebmotion::trajectory::{Frames, Recording};
use ebmotion::{Error, Result};
use std::ops::Range;

pub(super) fn run(args: &FillArgs, console: &mut Console) -> Result<()> {
    let csv = output::is_csv(Some(&args.output))?;
    let inputs = Recording::files(std::slice::from_ref(&args.log))?;
    Inputs::new(inputs.iter().chain([&args.model])).spared_by([&args.output])?;
    output::check_writable(&args.output)?;
    let model = args.sampler.apply(Model::load(&args.model)?)?;
    let mut data = train::settings_of(&model, &args.read).data;
    data.read.keep_missing = true;
    let mut frames = model.frames(std::slice::from_ref(&args.log), &data)?;
    console.notes(&frames.notes);
    let filled = match args.gap {
        Some(_) => vec![one(args, &model, &mut frames)?],
        None => all(args, &model, &frames, console)?,
    };
    match csv {
        true => Forecast::write_csv_of(&filled, &args.output)?,
        false => Forecast::write_json_of(&filled, &args.output)?,
    }
    let count: usize = filled.iter().map(|f| f.futures.shape()[2]).sum();
    let (gaps, samples) = (filled.len(), args.samples);
    console.say(&format!("{}: {samples} fillings of {count} frames, gaps: {gaps}", args.output.display()));
    if !csv {
        console.say(&format!("next: ebmotion view {} -o filled.rrd", args.output.display()));
    }
    Ok(())
}

/// The gap that was asked for, whose cells count as missing; what stands in them, where all of it is known, as truth.
fn one(args: &FillArgs, model: &Model, frames: &mut Frames) -> Result<Forecast> {
    let Some((from, to)) = args.gap else { return Err(Error::config("gap", "none", "a stretch of time")) };
    let episode = choose(&frames.episodes, args.episode.as_deref())?;
    let (d, rate) = (frames.channels.len(), frames.rate_hz);
    let gap = from.frames(rate)..to.frames(rate);
    let length = frames.episodes[episode].time_secs.len();
    if gap.is_empty() || gap.end > length {
        let found = format!("frames {} to {}", gap.start, gap.end);
        let expected = format!("at least one of the {length} frames of `{}`", frames.episodes[episode].id);
        return Err(Error::config("gap", found, expected));
    }
    let channels = match &args.missing_channels {
        Some(names) => frames.channels_named(names)?,
        None => (0..d).collect(),
    };
    let truth = frames.episodes[episode].values[gap.start * d..gap.end * d].to_vec();
    for frame in gap.clone() {
        channels.iter().for_each(|c| frames.episodes[episode].values[frame * d + c] = f64::NAN);
    }
    let mut filled = named(args, model.fill(frames, episode, gap, args.samples, args.seed)?);
    if truth.iter().all(|v| v.is_finite()) {
        filled.origins.iter_mut().for_each(|origin| origin.truth.clone_from(&truth));
    }
    Ok(filled)
}

/// Every missing stretch; those that lie too near to the beginning of an episode are told and left out.
fn all(args: &FillArgs, model: &Model, frames: &Frames, console: &mut Console) -> Result<Vec<Forecast>> {
    let mut gaps: Vec<(usize, Range<usize>)> = frames.missing(model.forecaster().context_frames());
    if let Some(id) = &args.episode {
        let only = choose(&frames.episodes, Some(id))?;
        gaps.retain(|(episode, _)| *episode == only);
    }
    if gaps.is_empty() {
        let expected = "a missing row or cell, or a stretch that counts as missing by --gap";
        return Err(Error::data(format!("gaps of `{}`", args.log.display()), "none", expected));
    }
    // Between two gaps; one alone is broken off at once, with nothing written.
    console.stop_on_interrupt()?;
    console.emit(&Event::Begin { phase: "fill", total: gaps.len() as u64 })?;
    let (mut filled, mut refused) = (Vec::new(), None);
    for (i, (episode, gap)) in gaps.into_iter().enumerate() {
        if console.stop_requested() {
            return Err(Error::Interrupted { step: i as u64, saved: None });
        }
        match model.fill(frames, episode, gap, args.samples, args.seed.wrapping_add(i as u64)) {
            Ok(forecast) => filled.push(named(args, forecast)),
            Err(e @ Error::Data { .. }) => {
                console.emit(&Event::Warning { text: &format!("warning: a gap stays: {e}") })?;
                refused = Some(e);
            }
            Err(e) => return Err(e),
        }
        console.emit(&Event::Step { step: i as u64 + 1, note: "" })?;
    }
    console.emit(&Event::End)?;
    match (filled.is_empty(), refused) {
        (true, Some(error)) => Err(error),
        _ => Ok(filled),
    }
}

/// A forecast that says by which file it was drawn.
fn named(args: &FillArgs, forecast: Forecast) -> Forecast {
    Forecast { model: args.model.display().to_string(), ..forecast }
}
