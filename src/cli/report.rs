//! `ebmotion report`.

use super::args::{ReportArgs, Subset};
use super::console::Console;
use super::{output, train};
use ebmotion::eval::report::{Figure, forecast_figure, metric_figures, summary_table};
use ebmotion::eval::{CompareOptions, Comparison, compare};
use ebmotion::event::Sink;
use ebmotion::forecast::{BASELINES, Contender, Model, Prepared, fit_baseline};
use ebmotion::trajectory::Labels;
use ebmotion::{Error, Result};
use std::path::{Path, PathBuf};

pub(super) fn run(args: &ReportArgs, console: &mut Console) -> Result<()> {
    output::check_folder(&args.output)?;
    let device = args.device.open()?;
    let model = Model::load(&args.model)?.on(&device)?;
    let names = baseline_names(&args.baselines)?;
    let (config, frames) = train::read_frames_for(&model, &args.logs, &args.read)?;
    let mut prepared = Prepared::new(frames, &config)?.with_normaliser(model.info().normaliser.clone());
    match args.on {
        Subset::Test => refuse_seen(&model, &prepared)?,
        Subset::Validation => prepared.split.test.clone_from(&prepared.split.validation),
    }
    let mut options = CompareOptions::new(args.horizon.horizon(prepared.frames.rate_hz)?, args.seed);
    options.samples = args.samples;
    options.stride = args.stride.max(1);
    let labels = |column: &String| Labels::read(&args.logs, &config.data.read, column, &prepared.frames);
    options.labels = args.label.as_ref().map(labels).transpose()?;
    let mut comparison = compare_with_baselines(&model, &prepared, &names, &options, console)?;
    if args.on == Subset::Validation {
        let note = "These are the validation episodes: figures to choose settings by, not figures of a test.";
        comparison.report.protocol.notes.push(note.into());
    }
    let files = write(&args.output, &comparison)?;
    output::print(&summary_table(&comparison.report))?;
    if let Some(page) = files.iter().find(|f| f.extension().is_some_and(|e| e == "html")) {
        console.say(&format!("open {} for the whole report", page.display()));
    }
    Ok(())
}

/// Fits the baselines and runs the comparison; the demo uses it too.
pub(super) fn compare_with_baselines(
    model: &Model,
    prepared: &Prepared,
    names: &[String],
    options: &CompareOptions,
    sink: &mut dyn Sink,
) -> Result<Comparison> {
    let baselines: Vec<Contender> =
        names.iter().map(|name| fit_baseline(name, prepared, options.seed, sink)).collect::<Result<_>>()?;
    let mut comparison =
        compare(prepared, (model.forecaster(), model.info().train_seconds), &baselines, options, sink)?;
    let notes = &mut comparison.report.protocol.notes;
    if names.iter().any(|n| n == "fc") {
        notes.push(
            "fc is the paper's baseline: 4 frames to the next, 3 layers of 128, spectral norm (without it its rollouts \
             grow without bound), 10,000 steps, weights of the best validation loss."
                .into(),
        );
    }
    if names.iter().any(|n| n.starts_with("var")) {
        notes.push(
            "var and var_sampled: 8 frames to 8, ridge 10 on the sum of squares, as the model's coordinates.".into(),
        );
    }
    let seeds = &mut comparison.report.protocol.seeds;
    seeds.insert("model".into(), model.info().config.seed);
    seeds.insert("baselines".into(), options.seed);
    Ok(comparison)
}

/// Writes report and plots; returns the files.
pub(super) fn write(folder: &Path, comparison: &Comparison) -> Result<Vec<PathBuf>> {
    let mut figures: Vec<Figure> = Vec::new();
    let protocol = &comparison.report.protocol;
    for (i, window) in comparison.shown.iter().enumerate() {
        // The channels that move most in this window say most.
        let mut order: Vec<(usize, f64)> = (0..protocol.channels.len()).map(|c| (c, range(&window.truth, c))).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        let panels: Vec<_> = order
            .iter()
            .take(6)
            .map(|(c, _)| window.panel(*c, &protocol.channels[*c], &comparison.units[*c]))
            .collect();
        let title = format!("Forecasts of {}", window.name);
        figures.push(forecast_figure(&format!("forecast_{i}"), &title, protocol.rate_hz, 3, &panels)?);
    }
    figures.extend(metric_figures(&comparison.report)?);
    comparison.report.write(folder, &figures)
}

fn range(frames: &[Vec<f64>], channel: usize) -> f64 {
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    for frame in frames {
        lo = lo.min(frame[channel]);
        hi = hi.max(frame[channel]);
    }
    hi - lo
}

/// `all`, `none`, or names of baselines.
fn baseline_names(given: &[String]) -> Result<Vec<String>> {
    match given {
        [one] if one == "all" => Ok(BASELINES.iter().map(|n| (*n).to_string()).collect()),
        [one] if one == "none" => Ok(Vec::new()),
        names => {
            if let Some(wrong) = names.iter().find(|n| !BASELINES.contains(&n.as_str())) {
                let expected = format!("all, none, or some of {}", BASELINES.join(","));
                return Err(Error::config("baselines", format!("`{wrong}`"), expected));
            }
            Ok(names.to_vec())
        }
    }
}

/// An episode that the model was trained on or selected by is no test.
fn refuse_seen(model: &Model, prepared: &Prepared) -> Result<()> {
    let seen = &model.info().seen;
    let known: Vec<&str> = prepared
        .split
        .test
        .iter()
        .filter(|e| seen.contains(&prepared.fingerprint(**e)))
        .map(|e| prepared.frames.episodes[*e].id.as_str())
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let found = format!("{} that the model was trained on, such as `{}`", known.len(), known[0]);
    Err(Error::data("test episodes", found, "the logs of the training, all of them, or only others"))
}
