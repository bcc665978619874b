//! `ebmotion predict`, and the forecast file that it writes.

use super::args::PredictArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::forecast::{Model, Request};
use ebmotion::trajectory::{Channel, Episode, Recording};
use ebmotion::{Error, Result, files};
use serde::{Deserialize, Serialize};

/// A forecast as a file: everything in the channels' units.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForecastFile {
    /// Always `ebmotion forecast 1`.
    pub(super) format: String,
    /// The model's file and the seed of the draws.
    pub(super) model: String,
    pub(super) seed: u64,
    /// Episode and the second of it at which the forecast begins.
    pub(super) episode: String,
    pub(super) start_secs: f64,
    pub(super) channels: Vec<Channel>,
    pub(super) rate_hz: f64,
    /// `(K)(D)`: the frames that the model saw.
    pub(super) history: Vec<Vec<f64>>,
    /// `(H')(D)`: the frames that followed in the log, as far as there are any.
    pub(super) truth: Vec<Vec<f64>>,
    /// `(S)(H)(D)`.
    pub(super) samples: Vec<Vec<Vec<f64>>>,
    /// `(S)(H)`: energy of the chunk that each frame lies in, nats.
    pub(super) energies: Option<Vec<Vec<f64>>>,
    /// `(H)`: the same of the frames that followed, where there are enough of them.
    pub(super) truth_energy: Option<Vec<f64>>,
}

pub(super) const FORMAT: &str = "ebmotion forecast 1";

/// The kinds of file that a forecast can be written to.
enum Kind {
    Csv,
    Json,
}

pub(super) fn run(args: &PredictArgs, console: &mut Console) -> Result<()> {
    let kind = match args.output.extension().and_then(|e| e.to_str()) {
        Some("csv") => Kind::Csv,
        Some("json") => Kind::Json,
        _ => return Err(Error::config("output", args.output.display(), "a file that ends in .csv or .json")),
    };
    let inputs = Recording::files(std::slice::from_ref(&args.log))?;
    Inputs::new(inputs.iter().chain([&args.model])).spared_by([&args.output])?;
    output::check_writable(&args.output)?;
    let device = args.device.open()?;
    let model = args.walk.apply(Model::load(&args.model)?)?.on(&device)?;
    let (_, frames) = train::read_frames_for(&model, std::slice::from_ref(&args.log), &args.read)?;
    let episode = choose(&frames.episodes, args.episode.as_deref())?;
    let rate = frames.rate_hz;
    let horizon = args.horizon.horizon(rate)?;
    let length = episode.time_secs.len();
    let start = args.at.map_or(length, |at| at.frames(rate));
    let context = model.forecaster().context_frames();
    if start < context || start > length {
        let found = format!("frame {start} of {length}");
        let expected = format!("{context} to {length}: the model reads {context} frames before it");
        return Err(Error::data(format!("start of the forecast in `{}`", episode.id), found, expected));
    }
    let request = Request { horizon, samples: args.samples };
    let d = frames.channels.len();
    let past = &episode.values[(start - context) * d..start * d];
    let drawn = model.predict(past, &request, args.seed)?;
    let followed = &episode.values[start * d..(start + horizon).min(length) * d];
    let rows = |values: &[f64]| -> Vec<Vec<f64>> { values.chunks_exact(d).map(<[f64]>::to_vec).collect() };
    let energies = model.energies(past, &drawn, horizon)?;
    let truth_energy = model.energies(past, followed, followed.len() / d)?;
    let file = ForecastFile {
        format: FORMAT.into(),
        model: args.model.display().to_string(),
        seed: args.seed,
        episode: episode.id.clone(),
        start_secs: start as f64 / rate,
        channels: frames.channels.clone(),
        rate_hz: rate,
        history: rows(past),
        truth: rows(followed),
        samples: drawn.chunks_exact(horizon * d).map(rows).collect(),
        energies: energies.map(|e| e.chunks_exact(horizon).map(<[f64]>::to_vec).collect()),
        truth_energy,
    };
    match kind {
        Kind::Csv => write_csv(&args.output, &file)?,
        Kind::Json => write_json(&args.output, &file)?,
    }
    console.say(&format!(
        "{}: {} futures of {horizon} frames ({} s) after second {:.2} of `{}`",
        args.output.display(),
        args.samples,
        horizon as f64 / rate,
        file.start_secs,
        file.episode
    ));
    if matches!(kind, Kind::Json) {
        console.say(&format!("next: ebmotion view {} -o forecast.rrd", args.output.display()));
    }
    Ok(())
}

fn choose<'a>(episodes: &'a [Episode], wanted: Option<&str>) -> Result<&'a Episode> {
    let found = match wanted {
        None => episodes.last(),
        // An episode is known by its whole name or by what its file calls it.
        Some(id) => episodes.iter().find(|e| e.id == id || e.id.rsplit('/').next() == Some(id)),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = episodes.iter().map(|e| e.id.as_str()).take(12).collect();
        let more = if episodes.len() > names.len() { ", ..." } else { "" };
        Error::data("episode", wanted.unwrap_or("none"), format!("one of {}{more}", names.join(", ")))
    })
}

pub(super) fn write_json(path: &std::path::Path, file: &ForecastFile) -> Result<()> {
    let text = serde_json::to_string(file).map_err(|e| Error::Other(format!("forecast as JSON: {e}")))?;
    files::write_bytes(path, (text + "\n").as_bytes())
}

/// One row per sample and frame: `sample, step, time [s], energy [nats]`, then the channels.
pub(super) fn write_csv(path: &std::path::Path, file: &ForecastFile) -> Result<()> {
    files::write_atomically(path, |out| {
        let mut csv = csv::Writer::from_writer(out);
        let mut header = vec!["sample".to_string(), "step".into(), "time [s]".into()];
        if file.energies.is_some() {
            header.push("energy [nats]".into());
        }
        header.extend(file.channels.iter().map(|c| match &c.unit {
            Some(unit) => format!("{} [{unit}]", c.name),
            None => c.name.clone(),
        }));
        csv.write_record(&header)?;
        for (s, sample) in file.samples.iter().enumerate() {
            for (t, frame) in sample.iter().enumerate() {
                let mut row = vec![s.to_string(), (t + 1).to_string(), format!("{:.6}", (t + 1) as f64 / file.rate_hz)];
                if let Some(energies) = &file.energies {
                    row.push(format!("{:.6}", energies[s][t]));
                }
                row.extend(frame.iter().map(|v| format!("{v:.6}")));
                csv.write_record(&row)?;
            }
        }
        csv.flush()
    })
}

/// Reads what [`write_json`] wrote, for `view`.
pub(super) fn read_json(path: &std::path::Path) -> Result<ForecastFile> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    const EXPECTED: &str = "a forecast that `ebmotion predict -o FILE.json` wrote";
    let file: ForecastFile = serde_json::from_str(&text).map_err(|e| Error::model(path, e, EXPECTED))?;
    if file.format != FORMAT {
        return Err(Error::model(path, format!("format `{}`", file.format), format!("`{FORMAT}`")));
    }
    let d = file.channels.len();
    let frames = file.history.iter().chain(&file.truth).chain(file.samples.iter().flatten());
    if let Some(bad) = frames.into_iter().find(|f| f.len() != d) {
        return Err(Error::model(path, format!("a frame of {} numbers", bad.len()), format!("{d}, one a channel")));
    }
    Ok(file)
}
