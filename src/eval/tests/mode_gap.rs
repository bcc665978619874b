//! The mode gap on motion whose modes are known.

use crate::eval::{CompareOptions, Comparison};
use crate::event::Silent;
use crate::forecast::{Contender, Dataset, Forecaster, Request, RunConfig};
use crate::noise::Noise;
use crate::trajectory::{Channel, Episode, Frames, Labels};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

const EPISODES: usize = 400;
const REST: usize = 20;
const MOVED: usize = 40;
const SPREAD: f64 = 0.1;

/// Two channels, 20 frames of rest about 0 and then 40 about (1, 0) or (-1, 0), every frame off by noise of its own. In
/// four episodes the label lasts for 10 frames only and the motion goes far away.
fn motion() -> Result<(Dataset, Labels)> {
    let noise = Noise::new(5).normal((EPISODES, (REST + MOVED) * 2), DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
    let (mut episodes, mut of_frame) = (Vec::new(), Vec::new());
    for (e, noise) in noise.iter().enumerate() {
        let (side, short) = (e % 2, e % 100 == 7);
        let frames = (0..REST + MOVED).map(|t| match t {
            _ if t < REST => (0, 0.0),
            _ if short && t >= REST + 10 => (3, 9.0),
            _ => (1 + side as u32, [1.0, -1.0][side]),
        });
        let (labels, places): (Vec<u32>, Vec<f64>) = frames.unzip();
        let values = noise.chunks(2).zip(&places).flat_map(|(off, place)| [place + SPREAD * off[0], SPREAD * off[1]]);
        let time_secs = (0..REST + MOVED).map(|t| t as f64 / 25.0).collect();
        episodes.push(Episode { id: format!("log/{e}"), time_secs, values: values.collect() });
        of_frame.push(labels);
    }
    let channel = |name: &str| Channel { name: name.into(), unit: None, period: None };
    let channels = vec![channel("x"), channel("y")];
    let frames =
        Frames { channels, rate_hz: 25.0, episodes, sources: Vec::new(), notes: Vec::new(), parts: Default::default() };
    let names = ["rest", "left", "right", "away"].map(String::from).to_vec();
    Ok((Dataset::new(frames, &RunConfig::default())?, Labels { names, of_frame }))
}

/// Forecasts places on the x axis, drawn in turn, with the spread of real motion.
struct Places {
    name: &'static str,
    places: &'static [f64],
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Forecaster for Places {
    fn name(&self) -> &str {
        self.name
    }

    fn context_frames(&self) -> usize {
        1
    }

    fn parameters(&self) -> usize {
        0
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        let shape = (history.dims()[0], request.samples, request.horizon, 2);
        let drawn = noise.normal(shape, DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let frames = drawn.chunks(2).enumerate().flat_map(|(i, off)| {
            let place = self.places[i / request.horizon % self.places.len()];
            let units = [place + SPREAD * f64::from(off[0]), SPREAD * f64::from(off[1])];
            [0, 1].map(|c| ((units[c] - self.mean[c]) / self.std[c]) as f32)
        });
        Ok(Tensor::from_vec(frames.collect::<Vec<f32>>(), shape, &Device::Cpu)?)
    }
}

fn compared(dataset: &Dataset, labels: Option<Labels>, horizon: usize) -> Result<Comparison> {
    let places = |name, places| {
        let (mean, std) = (dataset.normaliser.mean.clone(), dataset.normaliser.std.clone());
        Places { name, places, mean, std }
    };
    let contender = |name, at| Contender { forecaster: Box::new(places(name, at)), train_seconds: 0.0 };
    let others = [contender("one_mode", &[1.0]), contender("between", &[0.0]), contender("half", &[-1.0, 0.0])];
    let mut options = CompareOptions::new(horizon, 3);
    options.labels = labels;
    options.evaluation.bootstrap.replicates = 50;
    options.evaluation.bootstrap.window_replicates = 2;
    Comparison::of(dataset, &[(&places("both_modes", &[1.0, -1.0]), 0.0)], &others, &options, &mut Silent)
}

#[test]
fn forecasts_between_the_modes_are_counted() -> Result<()> {
    let (dataset, labels) = motion()?;
    let report = compared(&dataset, Some(labels), 30)?.report;
    let share = |name: &str| report.forecasters[name]["mode_gap"].mean;
    // 95 % of real futures are near; of others a little less, because centres and quantile are fitted to about 360 real
    // frames (the quantile stands for 342.05 / 361, either centre is off by 1/180 of the variance): 5.4 %. A step's
    // quantile has a standard error of 0.0115 of its level, 17 steps together 0.0028.
    for name in ["both_modes", "one_mode"] {
        assert!((share(name) - 0.054).abs() < 4.0 * 0.0028, "{name}: {}", share(name));
    }
    // The middle is 10 standard deviations from either mode, one of which is 2.4 wide (95 % of a circle).
    assert!(share("between") > 0.999, "{}", share("between"));
    assert!((share("half") - 0.527).abs() < 0.01, "{}", share("half"));
    let floor = &report.floor["mode_gap"];
    // Real test futures: 80 episodes and 17 steps, all of them independent.
    assert!((floor.mean - 0.05).abs() < 4.0 * (0.05 * 0.95 / 1360.0_f64).sqrt(), "{}", floor.mean);
    for result in report.forecasters.values().map(|r| &r["mode_gap"]).chain([floor]) {
        let [low, high] = result.interval;
        assert!(low <= result.mean && result.mean <= high && high - low < 0.1, "{result:?}");
        assert!(result.per_step.is_empty());
    }
    assert_eq!(report.protocol.metrics["mode_gap"].kind, crate::eval::metric::Kind::Distance);
    assert!(crate::eval::report::markdown(&report, &[]).contains("Share of forecasts between modes"));
    Ok(())
}

#[test]
fn labels_change_no_other_figure() -> Result<()> {
    let (dataset, labels) = motion()?;
    let mut with = compared(&dataset, Some(labels), 30)?.report;
    let without = compared(&dataset, None, 30)?.report;
    assert!(with.floor.remove("mode_gap").is_some());
    assert!(with.forecasters.values_mut().all(|results| results.remove("mode_gap").is_some()));
    assert!(with.protocol.metrics.remove("mode_gap").is_some());
    assert_eq!(with.forecasters, without.forecasters);
    assert_eq!(with.floor, without.floor);
    assert_eq!(with.protocol, without.protocol);
    Ok(())
}

#[test]
fn branches_that_tell_nothing_are_an_error() -> Result<()> {
    let (dataset, labels) = motion()?;
    let error = |labels: Labels, horizon: usize| compared(&dataset, Some(labels), horizon).err();
    let data = |error: Option<Error>, part: &str| match error {
        Some(error @ Error::Data { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    };
    data(error(labels.clone(), 11), "horizon of a report with labels");
    let mut constant = labels.clone();
    constant.of_frame.iter_mut().flatten().for_each(|label| *label = 0);
    data(error(constant, 30), "branches");
    // Every way taken once: no mode has a centre.
    let mut unique = labels;
    for (e, episode) in unique.of_frame.iter_mut().enumerate() {
        episode[REST..].iter_mut().for_each(|label| *label = 10 + e as u32);
    }
    data(error(unique, 30), "branches");
    Ok(())
}
