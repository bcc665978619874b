//! One comparison of any number of forecasters on the same windows with the same budget.

use super::mode_gap::{self, ModeGap};
use super::paired::{compare_with, over_seeds};
#[cfg(feature = "plot")]
use super::report::ForecastPanel;
use super::report::{BootstrapProtocol, Cost, Protocol, Report, SUBJECT};
use super::{EvalOptions, Evaluator, Futures, Reference, Results, TestSet};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::forecast::{Contender, Forecaster, Prepared, Request};
use crate::noise::Noise;
use crate::trajectory::{Labels, WindowSpec, Windows};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
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
}

impl CompareOptions {
    /// 20 samples, a window every fifth frame, 3 windows shown.
    pub fn new(horizon: usize, seed: u64) -> Self {
        let mut evaluation = EvalOptions::default();
        evaluation.bootstrap.seed = seed;
        Self { horizon, samples: 20, stride: 5, seed, evaluation, shown: 3, labels: None }
    }
}

/// Stream of the noise that draws training seeds in the bootstrap.
const SEEDS: u64 = 1 << 32;

/// A finished comparison.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The figures.
    pub report: Report,
    /// Some windows, in the channels' units, for pictures.
    pub shown: Vec<ShownWindow>,
    /// `(D,)`: the channels' units, empty where there is none.
    pub units: Vec<String>,
}

/// One test window with the first forecaster's samples, in the channels' units.
#[derive(Debug, Clone)]
pub struct ShownWindow {
    /// Episode's name and the second at which the forecast begins.
    pub name: String,
    /// That second.
    pub start_secs: f64,
    /// `(K)(D,)`.
    pub history: Vec<Vec<f64>>,
    /// `(H)(D,)`.
    pub truth: Vec<Vec<f64>>,
    /// `(S)(H)(D,)`.
    pub samples: Vec<Vec<Vec<f64>>>,
    /// `(S)(H,)`, nats; none where the forecaster has no energy.
    pub energies: Option<Vec<Vec<f64>>>,
    /// `(H,)`: the energy of what really followed.
    pub truth_energy: Option<Vec<f64>>,
}

#[cfg(feature = "plot")]
impl ShownWindow {
    /// One channel as a panel of a picture.
    pub fn panel(&self, channel: usize, name: &str, unit: &str) -> ForecastPanel {
        let column = |frames: &[Vec<f64>]| frames.iter().map(|f| f[channel]).collect();
        ForecastPanel {
            title: name.to_string(),
            unit: unit.to_string(),
            context: column(&self.history),
            truth: column(&self.truth),
            samples: self.samples.iter().map(|s| column(s)).collect(),
        }
    }
}

/// Compares `subjects` (the samples of the first are shown) and `others`, each with its seconds of training, on the test
/// episodes. Forecasters of one name count as one that was trained with several seeds.
///
/// # Errors
/// When there is no test window of the asked length, or a forecaster or metric fails.
pub fn compare(
    prepared: &Prepared,
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
    let listed = prepared.listed(&prepared.split.test, context, horizon, options.stride)?;
    let (test, reference) = test_set(prepared, &listed, options)?;
    let d = test.channels;
    let n = test.episode.len();
    let total = contenders.len() as u64 + 1;
    sink.emit(&Event::Begin { phase: "compare", total })?;
    sink.emit(&Event::Step { step: 0, note: "floor: real against real" })?;
    let evaluator = Evaluator::new(&test, options.evaluation.clone())?;
    let mut floor = evaluator.floor()?;
    let bootstrap = &options.evaluation.bootstrap;
    let modes = options.labels.as_ref().map(|labels| ModeGap::new(prepared, labels, (context, horizon), bootstrap));
    let modes = modes.transpose()?;
    floor.extend(modes.as_ref().map(|modes| (mode_gap::SPEC.name.to_string(), modes.floor())));
    let history = Tensor::from_slice(&test.context, (n, context, d), &Device::Cpu)?;
    let request = Request { horizon, samples: options.samples };
    let noise = Noise::new(options.seed);
    let mut runs: BTreeMap<String, Vec<(Results, Cost)>> = BTreeMap::new();
    let mut shown = Vec::new();
    for (i, (forecaster, train_seconds)) in contenders.iter().enumerate() {
        if sink.stop_requested() {
            return Err(Error::Interrupted { step: i as u64, saved: None });
        }
        let name = forecaster.name().to_string();
        sink.emit(&Event::Step { step: i as u64 + 1, note: &name })?;
        // By name and run, so that a forecaster's figures do not depend on who else is in the report.
        let noise = noise.named(&name).fork(runs.get(&name).map_or(0, Vec::len) as u64);
        let begun = Instant::now();
        let samples = forecaster.forecast(&history, &request, &mut noise.clone())?.samples;
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
        runs.entry(name).or_default().push((results, cost));
        if i == 0 {
            shown = show(prepared, *forecaster, &listed, &test, &flat, s, options.shown)?;
        }
    }
    sink.emit(&Event::Step { step: total, note: "done" })?;
    sink.emit(&Event::End)?;
    let mut forecasters = BTreeMap::new();
    let mut cost = BTreeMap::new();
    for (name, runs) in runs {
        let mean = |of: &dyn Fn(&Cost) -> f64| runs.iter().map(|(_, c)| of(c)).sum::<f64>() / runs.len() as f64;
        let (train_seconds, ms_per_window) = (mean(&|c| c.train_seconds), mean(&|c| c.ms_per_window));
        cost.insert(name.clone(), Cost { train_seconds, ms_per_window, ..runs[0].1 });
        let results: Vec<Results> = runs.into_iter().map(|(results, _)| results).collect();
        let mut seeds = Noise::new(options.evaluation.bootstrap.seed).fork(SEEDS).named(&name);
        forecasters.insert(name, over_seeds(&results, &mut seeds));
    }
    let comparisons = compare_with(SUBJECT, &forecasters);
    let split = &prepared.split;
    let counts = |sets: [(&str, usize); 3]| sets.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    let protocol = Protocol {
        program: Protocol::program(),
        data: prepared.frames.sources.clone(),
        episodes: counts([
            ("train", split.train.len()),
            ("validation", split.validation.len()),
            ("test", split.test.len()),
        ]),
        windows: [("test".to_string(), n), ("reference".to_string(), reference)].into(),
        channels: prepared.frames.channels.iter().map(|c| c.name.clone()).collect(),
        rate_hz: prepared.frames.rate_hz,
        context,
        horizon,
        samples: options.samples,
        seeds: [("forecast".to_string(), options.seed), ("bootstrap".into(), options.evaluation.bootstrap.seed)].into(),
        metrics: Protocol::metrics()
            .into_iter()
            .filter(|(name, _)| modes.is_some() || *name != mode_gap::SPEC.name)
            .collect(),
        bootstrap: BootstrapProtocol::new(&evaluator, &options.evaluation),
        notes: vec![
            format!("Test windows begin every {} frames of each test episode.", options.stride),
            "The floor compares the test windows with windows of as many training episodes.".into(),
        ],
    };
    let units = prepared.frames.channels.iter().map(|c| c.unit.clone().unwrap_or_default()).collect();
    Ok(Comparison { report: Report { forecasters, floor, comparisons, protocol, cost }, shown, units })
}

/// The test windows and, for the floor, windows of as many training episodes; and how many of the latter.
fn test_set(prepared: &Prepared, listed: &Windows<'_>, options: &CompareOptions) -> Result<(TestSet, usize)> {
    let WindowSpec { context, future: horizon, stride, .. } = listed.spec();
    let split = &prepared.split;
    let cut = |listed: &Windows<'_>| -> Result<(Vec<f32>, Vec<f32>, Vec<usize>)> {
        let windows = prepared.filled(listed)?;
        let episode = (0..listed.len()).map(|i| listed.episode_of(i)).collect();
        Ok((windows.cut(0, context), windows.cut(context, horizon), episode))
    };
    let (test_context, truth, episode) = cut(listed)?;
    let mut order = Noise::new(options.seed).fork(u64::MAX).permutation(split.train.len());
    order.truncate(split.test.len());
    let chosen: Vec<usize> = order.into_iter().map(|i| split.train[i]).collect();
    let (reference_context, future, reference_episode) = cut(&prepared.listed(&chosen, context, horizon, stride)?)?;
    let reference_windows = reference_episode.len();
    let test = TestSet {
        context: test_context,
        truth,
        episode,
        context_frames: context,
        horizon,
        channels: prepared.frames.channels.len(),
        velocity_std: prepared.normaliser.velocity_std.iter().map(|v| if *v > 0.0 { *v } else { 1.0 }).collect(),
        reference: Reference { context: reference_context, future, episode: reference_episode },
    };
    Ok((test, reference_windows))
}

/// Windows evenly spread over the test set, in units, with the energies of samples and truth.
fn show(
    prepared: &Prepared,
    forecaster: &dyn Forecaster,
    listed: &Windows<'_>,
    test: &TestSet,
    samples: &[f32],
    s: usize,
    count: usize,
) -> Result<Vec<ShownWindow>> {
    let (n, h, d, context) = (test.episode.len(), test.horizon, test.channels, test.context_frames);
    let units = |z: &[f32]| -> Result<Vec<Vec<f64>>> {
        let mut values = vec![0f64; z.len()];
        prepared.normaliser.to_units(z, &mut values)?;
        Ok(values.chunks_exact(d).map(<[f64]>::to_vec).collect())
    };
    let count = count.min(n);
    let mut shown = Vec::with_capacity(count);
    for k in 0..count {
        // Spread over the episodes, and over the time within them.
        let i = ((2 * k + 1) * n / (2 * count) + 5 * k).min(n - 1);
        let past = &test.context[i * context * d..(i + 1) * context * d];
        let truth = &test.truth[i * h * d..(i + 1) * h * d];
        let drawn = &samples[i * s * h * d..(i + 1) * s * h * d];
        let all: Vec<f32> = drawn.iter().chain(truth).copied().collect();
        let history = Tensor::from_slice(past, (1, context, d), &Device::Cpu)?.broadcast_as((s + 1, context, d))?;
        let futures = Tensor::from_vec(all, (s + 1, h, d), &Device::Cpu)?;
        let mut energies = match forecaster.energy(&history.contiguous()?, &futures) {
            Ok(Some(e)) => {
                let rows = e.to_dtype(candle_core::DType::F64)?.to_vec2::<f64>()?;
                Some(rows)
            }
            Ok(None) => None,
            Err(Error::Shape { .. }) => None, // a horizon shorter than the forecaster's chunk has no energy
            Err(other) => return Err(other),
        };
        let truth_energy = energies.as_mut().and_then(Vec::pop);
        let episode = &prepared.frames.episodes[listed.episode_of(i)];
        let second = (listed.start_of(i) + context) as f64 / prepared.frames.rate_hz;
        shown.push(ShownWindow {
            name: format!("{} at {second:.2} s", episode.id),
            start_secs: second,
            history: units(past)?,
            truth: units(truth)?,
            samples: drawn.chunks_exact(h * d).map(&units).collect::<Result<_>>()?,
            energies,
            truth_energy,
        });
    }
    Ok(shown)
}
