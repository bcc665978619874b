//! `ebmotion report`.

use super::args::{ReportArgs, Subset};
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use candle_core::{Device, Tensor};
use ebmotion::eval::report::{FILES, Figure, SUBJECT, forecast_figure, metric_figures, summary_table};
use ebmotion::eval::{CompareOptions, Comparison, compare};
use ebmotion::event::Sink;
use ebmotion::forecast::{
    BASELINES, CLASSIC, Contender, Forecast, Forecaster, Model, Prepared, Request, RunConfig, fit_baseline, is_trained,
};
use ebmotion::noise::Noise;
use ebmotion::trajectory::{Labels, Recording};
use ebmotion::{Error, Result};
use std::path::{Path, PathBuf};

pub(super) fn run(args: &ReportArgs, console: &mut Console) -> Result<()> {
    let inputs = Recording::files(&args.logs)?;
    let inputs = Inputs::new(inputs.iter().chain([&args.model]).chain(&args.beside));
    inputs.spared_by(FILES.map(|name| args.output.join(name)))?;
    output::check_folder(&args.output)?;
    let device = args.device.open()?;
    let model = args.walk.apply(Model::load(&args.model)?)?.on(&device)?;
    let names = baseline_names(&args.baselines)?;
    let changes = baseline_changes(&args.baseline_set, &names)?;
    let (config, frames) = train::read_frames_for(&model, &args.logs, &args.read)?;
    let mut prepared =
        Prepared::new(frames, &config)?.with_normaliser(model.info().normaliser.clone()).on(device.clone());
    match args.on {
        Subset::Test => refuse_seen(&model, &prepared)?,
        Subset::Validation => prepared.split.test.clone_from(&prepared.split.validation),
    }
    let mut options = CompareOptions::new(args.horizon.horizon(prepared.frames.rate_hz)?, args.seed);
    options.samples = args.samples;
    options.stride = args.stride.max(1);
    let labels = |column: &String| Labels::read(&args.logs, &config.data.read, column, &prepared.frames);
    options.labels = args.label.as_ref().map(labels).transpose()?;
    // Before anything is trained: are there test windows of that length at all?
    let context = model.forecaster().context_frames();
    prepared.listed(&prepared.split.test, context, options.horizon, options.stride)?;
    let kept = args.keep.as_deref();
    if let Some(folder) = kept {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let models = seeded(model, args.seeds, &prepared, (&config, &device, kept), console)?;
    let mut beside: Vec<Contender> = Vec::new();
    for path in &args.beside {
        let other = other(path, &prepared, args.on)?;
        // Two of one name would be taken for two training runs of one forecaster.
        if beside.iter().any(|b| b.forecaster.name() == other.forecaster.name()) {
            let found = format!("two files named `{}`", other.forecaster.name());
            return Err(Error::config("--beside", found, "a name for each"));
        }
        beside.push(other);
    }
    let baselines = Baselines { names: &names, changes: &changes, kept };
    let mut comparison = compare_with_baselines(&models, beside, &prepared, baselines, &options, console)?;
    let notes = &mut comparison.report.protocol.notes;
    if args.on == Subset::Validation {
        notes.push("These are the validation episodes: figures to choose settings by, not figures of a test.".into());
    }
    let files = write(&args.output, &comparison)?;
    output::print(&summary_table(&comparison.report))?;
    if let Some(page) = files.iter().find(|f| f.extension().is_some_and(|e| e == "html")) {
        console.say(&format!("open {} for the whole report", page.display()));
    }
    Ok(())
}

/// The model and as many more of its settings, trained with the seeds after its own on the same episodes.
fn seeded(
    model: Model,
    count: u64,
    prepared: &Prepared,
    (config, device, kept): (&RunConfig, &Device, Option<&Path>),
    sink: &mut dyn Sink,
) -> Result<Vec<Model>> {
    if count == 0 {
        return Err(Error::config("--seeds", count, "at least 1"));
    }
    let mut models = vec![model];
    for seed in 1..count {
        let config = RunConfig { seed: config.seed + seed, ..config.clone() };
        let checkpoint = kept.map(|folder| folder.join(format!("{SUBJECT}.{}.checkpoint", config.seed)));
        models.push(Model::train(prepared, &config, checkpoint.as_deref(), true, sink)?.on(device)?);
    }
    Ok(models)
}

/// A model under the name of its file.
struct Named {
    name: String,
    model: Model,
}

impl Forecaster for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn context_frames(&self) -> usize {
        self.model.forecaster().context_frames()
    }

    fn parameters(&self) -> usize {
        self.model.forecaster().parameters()
    }

    fn evaluations_per_chunk(&self) -> usize {
        self.model.forecaster().evaluations_per_chunk()
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Forecast> {
        self.model.forecaster().forecast(history, request, noise)
    }
}

fn other(path: &Path, prepared: &Prepared, on: Subset) -> Result<Contender> {
    let model = Model::load(path)?;
    if on == Subset::Test {
        refuse_seen(&model, prepared)?;
    }
    if model.info().normaliser != prepared.normaliser {
        return Err(Error::model(path, "other logs behind it", "a model trained on the same episodes"));
    }
    let name = output::name(path);
    if name == SUBJECT || BASELINES.contains(&name.as_str()) {
        return Err(Error::config(
            "--beside",
            format!("a file named `{name}`"),
            "a name that is not in the report yet",
        ));
    }
    let train_seconds = model.info().train_seconds;
    Ok(Contender { forecaster: Box::new(Named { name, model }), train_seconds })
}

/// Baselines of a report, what is changed of their settings, and where their trainings are kept.
#[derive(Clone, Copy)]
pub(super) struct Baselines<'a> {
    pub(super) names: &'a [String],
    pub(super) changes: &'a [(String, String)],
    pub(super) kept: Option<&'a Path>,
}

/// Fits the baselines, those that are trained once for each of `models`, and runs the comparison; the demo uses it too.
pub(super) fn compare_with_baselines(
    models: &[Model],
    mut others: Vec<Contender>,
    prepared: &Prepared,
    Baselines { names, changes, kept }: Baselines<'_>,
    options: &CompareOptions,
    sink: &mut dyn Sink,
) -> Result<Comparison> {
    for name in names {
        let runs = if is_trained(name) { models.len() as u64 } else { 1 };
        for seed in 0..runs {
            others.push(fit_baseline(name, prepared, changes, options.seed + seed, kept, sink)?);
        }
    }
    let subjects: Vec<_> = models.iter().map(|m| (m.forecaster(), m.info().train_seconds)).collect();
    let mut comparison = compare(prepared, &subjects, &others, options, sink)?;
    let notes = &mut comparison.report.protocol.notes;
    if models.len() > 1 {
        notes.push(format!(
            "Trained forecasters: {} runs each, of successive seeds on the same training episodes; figures are means over \
             the runs.",
            models.len()
        ));
    }
    if names.iter().any(|n| n == "fc") {
        notes.push(
            "fc is the paper's baseline: 4 frames to the next, 3 layers of 128, spectral norm (without it its rollouts \
             grow without bound), 10,000 steps, weights of the best validation loss."
                .into(),
        );
    }
    if names.iter().any(|n| n.starts_with("var")) {
        notes.push("var and var_sampled: 8 frames to 8, ridge 10 on the sum of squares.".into());
    }
    let seeds = &mut comparison.report.protocol.seeds;
    if let Some(model) = models.first() {
        seeds.insert("model".into(), model.info().config.seed);
    }
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

/// `NAME.KEY=VALUE` pairs of baselines that take part.
fn baseline_changes(given: &[String], names: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let parts = text.split_once('=').map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
        match parts {
            Some((key, value)) if names.iter().any(|n| key.starts_with(&format!("{n}."))) => Ok((key, value)),
            _ => {
                let expected = format!("NAME.KEY=VALUE, NAME one of {}", names.join(", "));
                Err(Error::config("--baseline-set", format!("`{text}`"), expected))
            }
        }
    };
    given.iter().map(pair).collect()
}

/// `classic`, `all`, `none`, or names of baselines.
fn baseline_names(given: &[String]) -> Result<Vec<String>> {
    match given {
        [one] if one == "all" => Ok(BASELINES.iter().map(|n| (*n).to_string()).collect()),
        [one] if one == "classic" => Ok(CLASSIC.iter().map(|n| (*n).to_string()).collect()),
        [one] if one == "none" => Ok(Vec::new()),
        names => {
            if let Some(wrong) = names.iter().find(|n| !BASELINES.contains(&n.as_str())) {
                let expected = format!("classic, all, none, or some of {}", BASELINES.join(","));
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
