//! All anomaly scores together, calibrated, beside the model in its file.

use super::channel_swap::ChannelSwap;
use super::gaussian::Moments;
use super::one_sided::OneSided;
use super::score::{AnomalyScore, CHUNK, FRAMES, STRIDE, pieces};
use super::score_distribution::ScoreDistribution;
use super::stuck_channel::{QUANTILES, StuckChannel};
use super::{Innovation, Residuals, ShapeEnergy, TimeReversal, WindowEnergy};
use crate::error::{Error, Result};
use crate::forecast::baseline::VarFit;
use crate::forecast::{Dataset, Model, WindowArray};
use crate::train::Archive;
use candle_core::{Device, Tensor};
use std::path::Path;

/// Prefix of the tensors in a model file.
const PREFIX: &str = "anomaly/";
/// Frames of a scored window, among those.
const WINDOW: &str = "window";
/// Windows that are fitted and calibrated on, at most: evenly over all.
const MOST: usize = 8192;
/// Windows scored at once.
const BLOCK: usize = 512;
/// Parts of the validation episodes, each scored by the distributions of the others (cross-conformal, Vovk 2015).
const FOLDS: usize = 10;
const VAR_RIDGE: f64 = 10.0;

/// What is known of normal motion beside the model.
#[derive(Debug, Clone)]
struct Parts {
    residuals: Residuals,
    var: VarFit,
    channel_swap: ChannelSwap,
    stuck_channel: StuckChannel,
}

/// Of one score and every window, the channel that stands out most and its value.
type Highest = Vec<(usize, f64)>;

/// How all scores lie over normal windows.
#[derive(Debug, Clone)]
struct Normal {
    distributions: Vec<ScoreDistribution>,
    /// Of the scores' normal deviates, `(scores, scores)`.
    correlations: Vec<f64>,
    one_sided: OneSided,
}

impl Normal {
    /// Over the windows `which` of those scored.
    fn new(scores: &[Highest], which: &[usize]) -> Result<Self> {
        let of = |score: &Highest| ScoreDistribution::new(which.iter().map(|i| score[*i].1).collect());
        let distributions: Vec<ScoreDistribution> = scores.iter().map(of).collect();
        let deviates: Vec<f64> = which.iter().flat_map(|i| deviates(&distributions, scores, *i)).collect();
        let correlations = OneSided::correlations(&deviates, distributions.len());
        Ok(Self { one_sided: OneSided::new(&correlations, distributions.len())?, distributions, correlations })
    }
}

/// Of each score, the normal deviate of window `i`.
fn deviates(distributions: &[ScoreDistribution], scores: &[Highest], i: usize) -> Vec<f64> {
    distributions.iter().zip(scores).map(|(own, score)| own.deviate(score[i].1)).collect()
}

/// What a [`Detector`] says of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowScore {
    /// Log likelihood ratio, nats, of scores that are all as high as they please to scores as on normal windows; 0 when
    /// none is higher than usual.
    pub score: f64,
    /// Share of normal windows with at least this score.
    pub p_value: f64,
    /// The anomaly score that has the largest part in it.
    pub leading: &'static str,
    /// The channel that stands out most, by the scores that look at channels.
    pub channel: usize,
}

/// Anomaly scores of a model's motion, calibrated on its validation episodes.
pub struct Detector<'a> {
    model: &'a Model,
    parts: Parts,
    normal: Normal,
    /// Scores of the validation windows.
    combined: ScoreDistribution,
}

impl<'a> Detector<'a> {
    /// Fits on windows of the training episodes and calibrates on those of the validation episodes.
    ///
    /// # Errors
    /// [`Error::Data`] when episodes are shorter than a scored window.
    pub fn fit(model: &'a Model, dataset: &Dataset) -> Result<Self> {
        let context = model.info().config.model.frames().0;
        let future = frames(model) - context;
        let cut = |episodes: &[usize]| -> Result<(WindowArray, Vec<usize>)> {
            let listed = dataset.listed(episodes, context, future, STRIDE)?;
            Ok(evenly(dataset.filled(&listed)?, |i| listed.episode_of(i)))
        };
        let ((training, _), (validation, episodes)) = (cut(&dataset.split.train)?, cut(&dataset.split.validation)?);
        let pairs = pieces(&training, 2 * CHUNK, CHUNK);
        let var = VarFit::fit(&pairs, training.channels, CHUNK, CHUNK, VAR_RIDGE)?;
        let parts = Parts {
            residuals: Residuals::new(var.clone())?,
            var,
            channel_swap: ChannelSwap::fit(&training)?,
            stuck_channel: StuckChannel::fit(&training)?,
        };
        let scores = highest(model, &parts, &validation)?;
        let all: Vec<usize> = (0..episodes.len()).collect();
        let mut detector =
            Self { model, normal: Normal::new(&scores, &all)?, parts, combined: ScoreDistribution::new(Vec::new()) };
        // Scored by the distributions of the other episodes, as windows will be that they have never seen.
        let mut combined = Vec::with_capacity(episodes.len());
        let normal = detector.normal.clone();
        for held in folds(&episodes) {
            let (own, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| held.contains(&episodes[**i]));
            detector.normal = Normal::new(&scores, if others.is_empty() { &own } else { &others })?;
            combined.extend(detector.window_scores(&scores, &own).iter().map(|v| v.score));
        }
        Ok(Self { normal, combined: ScoreDistribution::new(combined), ..detector })
    }

    /// Of the windows `which` of those scored.
    fn window_scores(&self, scores: &[Highest], which: &[usize]) -> Vec<WindowScore> {
        let anomaly_scores = anomaly_scores(self.model, &self.parts);
        let window_score = |i: usize| {
            let deviates = deviates(&self.normal.distributions, scores, i);
            let parts = self.normal.one_sided.parts(&deviates);
            let first = |of: &[f64], among: &dyn Fn(usize) -> bool| {
                (0..of.len()).filter(|j| among(*j)).max_by(|a, b| of[*a].total_cmp(&of[*b])).unwrap_or(0)
            };
            let score = parts.iter().sum();
            WindowScore {
                score,
                p_value: self.combined.conformal(score),
                leading: anomaly_scores[first(&parts, &|_| true)].name(),
                channel: scores[first(&deviates, &|j| anomaly_scores[j].by_channel())][i].0,
            }
        };
        which.iter().map(|i| window_score(*i)).collect()
    }

    /// The model whose motion this scores.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// Frames of a window that this scores: [`FRAMES`], or those that the model sees at once where that is more.
    pub fn frames(&self) -> usize {
        frames(self.model)
    }

    /// Scores windows of [`Detector::frames`] z-scored frames.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length; [`Error::NonFinite`] where a score is not finite.
    pub fn judge(&self, windows: &WindowArray) -> Result<Vec<WindowScore>> {
        let (frames, d) = (windows.context + windows.future, self.model.info().channels.len());
        if frames != self.frames() || windows.channels != d {
            let found = vec![windows.len(), frames, windows.channels];
            let expected = format!("(N, {}, {d})", self.frames());
            return Err(Error::Shape { what: "windows to score", found, expected });
        }
        let scores = highest(self.model, &self.parts, windows)?;
        Ok(self.window_scores(&scores, &(0..windows.len()).collect::<Vec<_>>()))
    }

    /// Every anomaly score, `(N,)` each (the largest where there is one a channel), and `combined`.
    ///
    /// # Errors
    /// As [`Detector::judge`].
    pub fn scores(&self, windows: &WindowArray) -> Result<Vec<(&'static str, Vec<f64>)>> {
        let highest = highest(self.model, &self.parts, windows)?;
        let combined =
            self.window_scores(&highest, &(0..windows.len()).collect::<Vec<_>>()).iter().map(|v| v.score).collect();
        let anomaly_scores = anomaly_scores(self.model, &self.parts);
        let of = |highest: Highest| highest.into_iter().map(|(_, score)| score).collect();
        let own = anomaly_scores.iter().zip(highest).map(|(score, highest)| (score.name(), of(highest)));
        Ok(own.chain([("combined", combined)]).collect())
    }

    /// Residuals of the autoregression of training windows, for [`super::Mahalanobis`].
    pub fn residuals(&self) -> &Residuals {
        &self.parts.residuals
    }

    /// Validation windows that this was calibrated on; the smallest p-value is 1 / (this + 1).
    pub fn calibrated_on(&self) -> usize {
        self.combined.scores().len()
    }

    /// Adds this to the file of the model.
    ///
    /// # Errors
    /// As [`Archive::load`] and [`Archive::save`].
    pub fn attach(&self, path: &Path) -> Result<()> {
        let mut archive = Archive::load(path)?;
        let mut put = |name: &str, tensor: Tensor| archive.tensors.insert(format!("{PREFIX}{name}"), tensor);
        for (name, tensor) in self.parts.var.to_tensors()? {
            put(&name, tensor);
        }
        let vector = |values: &[f64]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        put("stuck_channel.quantiles", vector(&self.parts.stuck_channel.quantiles())?);
        let parts = &self.parts;
        let moments = [("channel_swap", &parts.channel_swap.moments), ("stuck_channel", &parts.stuck_channel.moments)];
        for (name, (mean, covariance)) in moments {
            put(&format!("{name}.mean"), vector(mean)?);
            put(&format!("{name}.covariance"), vector(covariance)?);
        }
        for (score, own) in anomaly_scores(self.model, parts).iter().zip(&self.normal.distributions) {
            put(&format!("{}.distribution", score.name()), vector(own.scores())?);
        }
        put("combined.correlations", vector(&self.normal.correlations)?);
        put("combined.distribution", vector(self.combined.scores())?);
        put(WINDOW, Tensor::new(&[self.frames() as u32], &Device::Cpu)?);
        archive.save(path)
    }

    /// Reads what [`Detector::attach`] added.
    ///
    /// # Errors
    /// [`Error::Model`] when the file holds none, or a damaged one.
    pub fn load(model: &'a Model, path: &Path) -> Result<Self> {
        let archive = Archive::load(path)?;
        let get = |name: &str| archive.tensor(path, &format!("{PREFIX}{name}"));
        if !archive.tensors.keys().any(|name| name.starts_with(PREFIX)) {
            let expected = format!("a model with one: train again, on episodes of at least {} frames", frames(model));
            return Err(Error::model(path, "a model without a calibration for anomalies", expected));
        }
        let window = get(WINDOW).and_then(|t| Ok(t.to_vec1::<u32>()?)).ok();
        if window != Some(vec![frames(model) as u32]) || get("combined.distribution").is_err() {
            let found = "a calibration for anomalies of an earlier version";
            return Err(Error::model(path, found, "one that this version made: train again"));
        }
        let d = model.info().channels.len();
        let damaged = |found: String| Error::model(path, found, "a calibration that fits the model");
        let vector = |name: &str, length: Option<usize>| -> Result<Vec<f64>> {
            let values = get(name)?.to_vec1::<f64>().map_err(|e| damaged(format!("`{name}`: {e}")))?;
            match length.is_none_or(|l| l == values.len()) && !values.is_empty() && values.iter().all(|v| v.is_finite())
            {
                true => Ok(values),
                false => Err(damaged(format!("{} numbers of `{name}`", values.len()))),
            }
        };
        let moments = |name: &str, width: usize| -> Result<Moments> {
            let covariance = vector(&format!("{name}.covariance"), Some(width * width))?;
            Ok((vector(&format!("{name}.mean"), Some(width))?, covariance))
        };
        let var = VarFit::from_tensors(&get).map_err(|e| damaged(e.to_string()))?;
        if (var.context(), var.chunk(), var.channels()) != (CHUNK, CHUNK, d) {
            return Err(damaged("a regression of other sizes".into()));
        }
        let parts = Parts {
            residuals: Residuals::new(var.clone())?,
            var,
            channel_swap: ChannelSwap::new(d, moments("channel_swap", CHUNK * d)?)?,
            stuck_channel: StuckChannel::new(
                d,
                &vector("stuck_channel.quantiles", Some(QUANTILES * d))?,
                moments("stuck_channel", d)?,
            )?,
        };
        let distribution = |name: &str| Ok(ScoreDistribution::new(vector(&format!("{name}.distribution"), None)?));
        let names: Vec<&str> = anomaly_scores(model, &parts).iter().map(|score| score.name()).collect();
        let distributions = names.into_iter().map(distribution).collect::<Result<Vec<_>>>()?;
        let correlations = vector("combined.correlations", Some(distributions.len().pow(2)))?;
        let one_sided = OneSided::new(&correlations, distributions.len()).map_err(|e| damaged(e.to_string()))?;
        let normal = Normal { distributions, correlations, one_sided };
        Ok(Self { model, parts, normal, combined: distribution("combined")? })
    }
}

/// The scores, in the order of the calibration.
fn anomaly_scores<'a>(model: &'a Model, parts: &'a Parts) -> Vec<Box<dyn AnomalyScore + 'a>> {
    let (forecaster, frames) = (model.forecaster(), model.info().config.model.frames());
    let (energy, reversal): (Box<dyn AnomalyScore + 'a>, Box<dyn AnomalyScore + 'a>) = match model.level() {
        Some(level) => (Box::new(ShapeEnergy(level)), Box::new(TimeReversal { score: ShapeEnergy(level), frames })),
        None => {
            (Box::new(WindowEnergy(forecaster)), Box::new(TimeReversal { score: WindowEnergy(forecaster), frames }))
        }
    };
    vec![
        energy,
        reversal,
        Box::new(Innovation(&parts.residuals)),
        Box::new(&parts.channel_swap),
        Box::new(&parts.stuck_channel),
    ]
}

/// Every score of the windows.
fn highest(model: &Model, parts: &Parts, windows: &WindowArray) -> Result<Vec<Highest>> {
    let anomaly_scores = anomaly_scores(model, parts);
    let mut highest = vec![Highest::new(); anomaly_scores.len()];
    let width = (windows.context + windows.future) * windows.channels;
    for values in windows.values.chunks(BLOCK * width) {
        let block = WindowArray { values: values.to_vec(), ..*windows };
        for (all, score) in highest.iter_mut().zip(&anomaly_scores) {
            let scores = score.score(&block)?;
            if let Some(value) = scores.iter().find(|v| !v.is_finite()) {
                return Err(Error::NonFinite { what: "anomaly score".into(), value: *value, step: 0 });
            }
            let higher = |best: (usize, f64), new: (usize, f64)| if new.1 > best.1 { new } else { best };
            let of = |row: &[f64]| row.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), higher);
            all.extend(scores.chunks_exact(scores.len() / block.len()).map(of));
        }
    }
    Ok(highest)
}

/// Frames of the windows in which a model's motion is scored.
fn frames(model: &Model) -> usize {
    let (context, chunk) = model.info().config.model.frames();
    FRAMES.max(context + chunk)
}

/// At most [`MOST`] of the windows, and the episodes that they are of.
fn evenly(windows: WindowArray, episode_of: impl Fn(usize) -> usize) -> (WindowArray, Vec<usize>) {
    let (n, width) = (windows.len(), (windows.context + windows.future) * windows.channels);
    let kept = n.min(MOST);
    let chosen = (0..kept).map(|i| i * n / kept);
    let values = chosen.clone().flat_map(|i| &windows.values[i * width..][..width]).copied().collect();
    (WindowArray { values, ..windows }, chosen.map(episode_of).collect())
}

/// The episodes in [`FOLDS`] parts, or as many as there are episodes.
fn folds(episodes: &[usize]) -> Vec<Vec<usize>> {
    let mut named = episodes.to_vec();
    named.sort_unstable();
    named.dedup();
    let count = FOLDS.min(named.len());
    (0..count).map(|fold| named.iter().copied().skip(fold).step_by(count).collect()).collect()
}
