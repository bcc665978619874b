//! One comparison of any number of forecasters on the same windows with the same budget.

use super::mode_gap::{self, ModeGap};
use super::paired::{compare_with, over_seeds};
use super::report::{BootstrapProtocol, Cost, Figure, Protocol, Report, SUBJECT};
#[cfg(feature = "plot")]
use super::report::{ForecastPanel, forecast_figure, metric_figures};
use super::{EvalOptions, Evaluator, Futures, Reference, Results, TestSet};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::forecast::{Contender, Dataset, Forecast, Forecaster, FutureArray, Origin, Request};
use crate::kinematics::Drive;
use crate::noise::Noise;
use crate::trajectory::{Labels, WindowSpec, Windows};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a comparison asks.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// Frames to predict.
    pub horizon: usize,
    /// Samples a window.
    pub samples: usize,
    /// Frames between the starts of two test windows of an episode.
    pub stride: usize,
    /// Seed of the forecasts, and of the choice of the floor's episodes.
    pub seed: u64,
    /// Bootstrap and the like.
    pub evaluation: EvalOptions,
    /// Windows shown as pictures.
    pub shown: usize,
    /// Labels of the frames, for the metric that looks at branches; it is left out where there are none.
    pub labels: Option<Labels>,
    /// Links of the robot that the log's channels move, for errors in mm; they are left out where there are none.
    pub links: Option<Drive>,
    /// Whether the report says when to trust each forecaster ([`Report::trust`]), which asks for the energy of every
    /// sample.
    pub trust: bool,
}

impl CompareOptions {
    /// 20 samples, a window every fifth frame, 3 windows shown; with when to trust.
    pub fn new(horizon: usize, seed: u64) -> Self {
        let mut evaluation = EvalOptions::default();
        evaluation.bootstrap.seed = seed;
        Self { horizon, samples: 20, stride: 5, seed, evaluation, shown: 3, labels: None, links: None, trust: true }
    }
}

/// Stream of the noise that draws training seeds in the bootstrap.
const SEEDS: u64 = 1 << 32;

/// A finished comparison.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The figures.
    pub report: Report,
    /// Some windows as the first forecaster continues them, beside what really followed, for pictures.
    pub shown: Forecast,
}

/// Panels of a picture, and how many of them stand side by side.
#[cfg(feature = "plot")]
const PANELS: (usize, usize) = (6, 3);

impl Comparison {
    /// Writes the report and its pictures to a folder; returns the files.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be written; [`Error::Unwritable`] when a picture cannot be drawn.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        self.report.write(folder, &self.figures()?)
    }

    #[cfg(not(feature = "plot"))]
    fn figures(&self) -> Result<Vec<Figure>> {
        Ok(Vec::new())
    }

    /// The shown windows, then the metrics.
    #[cfg(feature = "plot")]
    fn figures(&self) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for (i, origin) in self.shown.origins.iter().enumerate() {
            // The channels that move most in this window say most.
            let d = self.shown.channels.len();
            let range = |c: usize| {
                let ends = |(low, high): (f64, f64), v: &f64| (low.min(*v), high.max(*v));
                let column = origin.truth.iter().skip(c).step_by(d);
                let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), ends);
                high - low
            };
            let mut order: Vec<(usize, f64)> = (0..d).map(|c| (c, range(c))).collect();
            order.sort_by(|a, b| b.1.total_cmp(&a.1));
            let panels: Vec<_> = order.iter().take(PANELS.0).map(|(c, _)| panel(&self.shown, i, *c)).collect();
            let title = format!("Forecasts of {}", origin.name());
            figures.push(forecast_figure(&format!("forecast_{i}"), &title, self.shown.rate_hz, PANELS.1, &panels)?);
        }
        figures.extend(metric_figures(&self.report)?);
        Ok(figures)
    }
}

/// One channel of a window as a panel of a picture.
#[cfg(feature = "plot")]
fn panel(shown: &Forecast, window: usize, channel: usize) -> ForecastPanel {
    let [_, samples, _, d] = shown.futures.shape();
    let column = |frames: &[f64]| frames.iter().skip(channel).step_by(d).copied().collect();
    ForecastPanel {
        title: shown.channels[channel].name.clone(),
        unit: shown.channels[channel].unit.clone().unwrap_or_default(),
        context: column(&shown.origins[window].history),
        truth: column(&shown.origins[window].truth),
        samples: (0..samples).map(|s| column(shown.futures.future(window, s))).collect(),
    }
}

impl Comparison {
    /// Compares `subjects` and `others`, each with its seconds of training, on the test episodes.
    ///
    /// The samples of the first subject are shown. Forecasters of one name count as one that was trained with several
    /// seeds.
    ///
    /// ```
    /// use ebmotion::eval::{CompareOptions, Comparison};
    /// use ebmotion::event::Silent;
    /// use ebmotion::forecast::{Baseline, Contender, Dataset, RunConfig};
    /// # use ebmotion::trajectory::{Channel, Episode, Frames};
    /// # let time_secs: Vec<f64> = (0..80).map(|t| f64::from(t) / 25.0).collect();
    /// # let swing = |i: u32| time_secs.iter().map(|t| (2.0 * t + f64::from(i)).sin()).collect();
    /// # let episode = |i| Episode { id: format!("swing/{i}"), time_secs: time_secs.clone(), values: swing(i) };
    /// # let channels = vec![Channel { name: "q".into(), unit: None, period: None }];
    /// # let episodes = (0..12).map(episode).collect();
    /// # let (sources, notes, parts) = (Vec::new(), Vec::new(), Default::default());
    /// # let frames = Frames { channels, rate_hz: 25.0, episodes, sources, notes, parts };
    ///
    /// // `frames`: a pendulum that swings, twelve times.
    /// let dataset = Dataset::new(frames, &RunConfig::default())?;
    /// let velocity = Contender::fit(<dyn Baseline>::named("velocity")?, &dataset, &[], 0, None, &mut Silent)?;
    /// let hold = Contender::fit(<dyn Baseline>::named("hold")?, &dataset, &[], 0, None, &mut Silent)?;
    /// let subject = (velocity.forecaster.as_ref(), velocity.train_seconds);
    /// let compared = Comparison::of(&dataset, &[subject], &[hold], &CompareOptions::new(8, 7), &mut Silent)?;
    /// let rmse = |name: &str| compared.report.forecasters[name]["rmse"].mean;
    /// assert!(rmse("velocity") < rmse("hold"));
    /// # Ok::<(), ebmotion::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no test window of the asked length, or a forecaster or metric fails.
    #[expect(clippy::too_many_lines, reason = "a comparison from top to bottom")]
    pub fn of(
        dataset: &Dataset,
        subjects: &[(&(dyn Forecaster + Sync), f64)],
        others: &[Contender],
        options: &CompareOptions,
        sink: &mut dyn Sink,
    ) -> Result<Comparison> {
        let contenders: Vec<(&dyn Forecaster, f64)> =
            (subjects.iter().map(|(f, seconds)| (*f as &dyn Forecaster, *seconds)))
                .chain(others.iter().map(|c| (c.forecaster.as_ref() as &dyn Forecaster, c.train_seconds)))
                .collect();
        // Windows of five frames reach four frames into the context.
        let context = contenders.iter().map(|(f, _)| f.context_frames()).max().unwrap_or(0).max(4);
        let horizon = options.horizon;
        let listed = dataset.listed(&dataset.split.test, context, horizon, options.stride)?;
        let (test, reference) = test_set(dataset, &listed, options)?;
        let d = test.channels;
        let n = test.episode.len();
        let total = contenders.len() as u64 + 1;
        sink.emit(&Event::Begin { phase: "compare", total })?;
        sink.emit(&Event::Step { step: 0, note: "floor: real against real" })?;
        let mut evaluator = Evaluator::new(&test, options.evaluation.clone())?;
        if let Some(links) = &options.links {
            evaluator = evaluator.with_links(links.clone(), &dataset.normaliser)?;
        }
        let mut floor = evaluator.floor()?;
        let bootstrap = &options.evaluation.bootstrap;
        let modes = options.labels.as_ref().map(|labels| ModeGap::new(dataset, labels, (context, horizon), bootstrap));
        let modes = modes.transpose()?;
        floor.extend(modes.as_ref().map(|modes| (mode_gap::SPEC.name.to_string(), modes.floor())));
        let history = Tensor::from_slice(&test.context, (n, context, d), &Device::Cpu)?;
        let request = Request { horizon, samples: options.samples };
        let noise = Noise::new(options.seed);
        let mut runs: BTreeMap<String, Vec<(Results, Cost)>> = BTreeMap::new();
        let mut trust: BTreeMap<String, Vec<Results>> = BTreeMap::new();
        let mut shown = None;
        for (i, (forecaster, train_seconds)) in contenders.iter().enumerate() {
            if sink.stop_requested() {
                return Err(Error::Interrupted { step: i as u64, saved: None });
            }
            let name = forecaster.name().to_string();
            sink.emit(&Event::Step { step: i as u64 + 1, note: &name })?;
            // By name and run, so that a forecaster's figures do not depend on who else is in the report.
            let noise = noise.named(&name).fork(runs.get(&name).map_or(0, Vec::len) as u64);
            let begun = Instant::now();
            let samples = forecaster.forecast(&history, &request, &mut noise.clone())?;
            let seconds = begun.elapsed().as_secs_f64();
            let s = samples.dims()[1];
            let flat = samples.flatten_all()?.to_vec1::<f32>()?;
            let futures = Futures { samples: &flat, n, s, h: horizon, d };
            let cost = Cost {
                train_seconds: *train_seconds,
                parameters: forecaster.parameters(),
                evaluations_per_chunk: forecaster.evaluations_per_chunk(),
                ms_per_window: seconds * 1e3 / n as f64,
            };
            let mut results = evaluator.evaluate(&futures)?;
            if let Some(modes) = &modes {
                let result = modes.score(*forecaster, options.samples, &noise)?;
                results.insert(mode_gap::SPEC.name.into(), result);
            }
            if options.trust {
                let energies = mean_energies(*forecaster, &history, &samples)?;
                trust.entry(name.clone()).or_default().push(evaluator.trust(&futures, energies.as_deref())?);
            }
            runs.entry(name).or_default().push((results, cost));
            if i == 0 {
                shown = Some(show(dataset, *forecaster, &listed, &test, &flat, s, options)?);
            }
        }
        sink.emit(&Event::Step { step: total, note: "done" })?;
        sink.emit(&Event::End)?;
        let joined = |name: &str, runs: &[Results]| {
            let mut seeds = Noise::new(options.evaluation.bootstrap.seed).fork(SEEDS).named(name);
            over_seeds(runs, &mut seeds)
        };
        let mut forecasters = BTreeMap::new();
        let mut cost = BTreeMap::new();
        for (name, runs) in runs {
            let mean = |of: &dyn Fn(&Cost) -> f64| runs.iter().map(|(_, c)| of(c)).sum::<f64>() / runs.len() as f64;
            let (train_seconds, ms_per_window) = (mean(&|c| c.train_seconds), mean(&|c| c.ms_per_window));
            cost.insert(name.clone(), Cost { train_seconds, ms_per_window, ..runs[0].1 });
            let results: Vec<Results> = runs.into_iter().map(|(results, _)| results).collect();
            let results = joined(&name, &results);
            forecasters.insert(name, results);
        }
        let trust = trust.iter().map(|(name, runs)| (name.clone(), joined(name, runs))).collect();
        let comparisons = compare_with(SUBJECT, &forecasters);
        let split = &dataset.split;
        let counts = |sets: [(&str, usize); 3]| sets.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        let protocol = Protocol {
            program: Protocol::program(),
            data: dataset.frames.sources.clone(),
            episodes: counts([
                ("train", split.train.len()),
                ("validation", split.validation.len()),
                ("test", split.test.len()),
            ]),
            windows: [("test".to_string(), n), ("reference".to_string(), reference)].into(),
            channels: dataset.frames.channels.iter().map(|c| c.name.clone()).collect(),
            rate_hz: dataset.frames.rate_hz,
            context,
            horizon,
            samples: options.samples,
            seeds: [("forecast".to_string(), options.seed), ("bootstrap".into(), options.evaluation.bootstrap.seed)]
                .into(),
            metrics: Protocol::metrics()
                .into_iter()
                .filter(|(name, _)| forecasters.values().any(|results| results.contains_key(name)))
                .collect(),
            bootstrap: BootstrapProtocol::new(&evaluator, &options.evaluation),
            notes: notes(options, &dataset.frames.notes),
        };
        let shown = shown.ok_or_else(|| Error::data("forecasters to compare", 0, "at least 1"))?;
        Ok(Comparison { report: Report { forecasters, floor, trust, comparisons, protocol, cost }, shown })
    }
}

fn notes(options: &CompareOptions, of_logs: &[String]) -> Vec<String> {
    let mut notes = vec![
        format!("Test windows begin every {} frames of each test episode.", options.stride),
        "The floor compares the test windows with windows of as many training episodes.".into(),
    ];
    notes.extend(options.links.as_ref().map(|links| {
        let names = links.links().iter().map(|link| format!("`{link}`")).collect::<Vec<_>>().join(", ");
        format!("Errors in mm are those of the links {names} of the robot `{}`.", links.robot())
    }));
    notes.extend(of_logs.iter().map(|note| format!("Of the logs: {note}.")));
    notes
}

/// The test windows and, for the floor, windows of as many training episodes; and how many of the latter.
fn test_set(dataset: &Dataset, listed: &Windows<'_>, options: &CompareOptions) -> Result<(TestSet, usize)> {
    let WindowSpec { context, future: horizon, stride, .. } = listed.spec();
    let split = &dataset.split;
    let cut = |listed: &Windows<'_>| -> Result<(Vec<f32>, Vec<f32>, Vec<usize>)> {
        let windows = dataset.filled(listed)?;
        let episode = (0..listed.len()).map(|i| listed.episode_of(i)).collect();
        Ok((windows.cut(0, context), windows.cut(context, horizon), episode))
    };
    let (test_context, truth, episode) = cut(listed)?;
    let mut order = Noise::new(options.seed).fork(u64::MAX).permutation(split.train.len());
    order.truncate(split.test.len());
    let chosen: Vec<usize> = order.into_iter().map(|i| split.train[i]).collect();
    let (reference_context, future, reference_episode) = cut(&dataset.listed(&chosen, context, horizon, stride)?)?;
    let reference_windows = reference_episode.len();
    let test = TestSet {
        context: test_context,
        truth,
        episode,
        context_frames: context,
        horizon,
        channels: dataset.frames.channels.len(),
        velocity_std: dataset.normaliser.velocity_std.iter().map(|v| if *v > 0.0 { *v } else { 1.0 }).collect(),
        reference: Reference { context: reference_context, future, episode: reference_episode },
    };
    Ok((test, reference_windows))
}

/// As [`energies`], of futures `(N, S, H, D)`: their means over the frames, `(N, S)` row-major.
fn mean_energies(forecaster: &dyn Forecaster, history: &Tensor, futures: &Tensor) -> Result<Option<Vec<f64>>> {
    let (n, s, h, d) = futures.dims4()?;
    let (_, k, _) = history.dims3()?;
    let repeated = history.unsqueeze(1)?.broadcast_as((n, s, k, d))?.reshape((n * s, k, d))?;
    let energies = energies(forecaster, &repeated, &futures.reshape((n * s, h, d))?)?;
    Ok(energies.map(|all| all.chunks_exact(h).map(|one| one.iter().sum::<f64>() / h as f64).collect()))
}

/// Energies `(B, H)` row-major of futures `(B, H, D)` after `history`; `None` from a forecaster that has no energy, or
/// none of so short a horizon.
fn energies(forecaster: &dyn Forecaster, history: &Tensor, futures: &Tensor) -> Result<Option<Vec<f64>>> {
    match forecaster.energy(history, futures) {
        Ok(Some(energies)) => Ok(Some(energies.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)),
        Ok(None) | Err(Error::Shape { .. }) => Ok(None), // a horizon shorter than the forecaster's chunk has no energy
        Err(other) => Err(other),
    }
}

/// Windows evenly spread over the test set, in units, with the energies of samples and truth.
fn show(
    dataset: &Dataset,
    forecaster: &dyn Forecaster,
    listed: &Windows<'_>,
    test: &TestSet,
    samples: &[f32],
    s: usize,
    options: &CompareOptions,
) -> Result<Forecast> {
    let (n, h, d, context) = (test.episode.len(), test.horizon, test.channels, test.context_frames);
    let units = |z: &[f32]| -> Result<Vec<f64>> {
        let mut values = vec![0f64; z.len()];
        dataset.normaliser.to_units(z, &mut values)?;
        Ok(values)
    };
    let count = options.shown.min(n);
    let (mut origins, mut futures, mut energies) = (Vec::new(), Vec::new(), Some(Vec::new()));
    for k in 0..count {
        // Spread over the episodes, and over the time within them.
        let i = ((2 * k + 1) * n / (2 * count) + 5 * k).min(n - 1);
        let past = &test.context[i * context * d..(i + 1) * context * d];
        let truth = &test.truth[i * h * d..(i + 1) * h * d];
        let drawn = &samples[i * s * h * d..(i + 1) * s * h * d];
        let all: Vec<f32> = drawn.iter().chain(truth).copied().collect();
        let history = Tensor::from_slice(past, (1, context, d), &Device::Cpu)?.broadcast_as((s + 1, context, d))?;
        let futures_and_truth = Tensor::from_vec(all, (s + 1, h, d), &Device::Cpu)?;
        let of_all = self::energies(forecaster, &history.contiguous()?, &futures_and_truth)?;
        let mut truth_energy = None;
        match (of_all, &mut energies) {
            (Some(mut of_all), Some(energies)) => {
                truth_energy = Some(of_all.split_off(s * h));
                energies.extend(of_all);
            }
            _ => energies = None,
        }
        futures.extend(units(drawn)?);
        let episode = &dataset.frames.episodes[listed.episode_of(i)];
        let start_secs = (listed.start_of(i) + context) as f64 / dataset.frames.rate_hz;
        origins.push(Origin {
            episode: Some(episode.id.clone()),
            start_secs,
            time_secs: episode.time_secs[0] + start_secs,
            history: units(past)?,
            truth: units(truth)?,
            truth_energy,
            p_value: None,
        });
    }
    Ok(Forecast {
        model: forecaster.name().into(),
        seed: options.seed,
        channels: dataset.frames.channels.clone(),
        rate_hz: dataset.frames.rate_hz,
        futures: FutureArray::new(futures, [origins.len(), s, h, d])?,
        origins,
        energies,
        constraints: Vec::new(),
        notes: Vec::new(),
    })
}
