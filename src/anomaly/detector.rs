//! All judges together, calibrated, beside the model in its file.

use super::exchange::Exchange;
use super::gaussian::Moments;
use super::judge::{CHUNK, FRAMES, Judge, STRIDE, pieces};
use super::shift::Shift;
use super::stillness::{QUANTILES, Stillness};
use super::tail::Tail;
use super::{Arrow, Energy, Innovation, Residuals, Shape};
use crate::error::{Error, Result};
use crate::forecast::baseline::VarFit;
use crate::forecast::{Dataset, Model, WindowArray};
use crate::train::Archive;
use candle_core::{Device, Tensor};
use std::path::Path;

/// Prefix of the tensors in a model file.
const PREFIX: &str = "anomaly/";
/// Frames of a judged window, among those.
const WINDOW: &str = "window";
/// Windows that are fitted and calibrated on, at most: evenly over all.
const MOST: usize = 8192;
/// Windows scored at once.
const BLOCK: usize = 512;
/// Parts of the validation episodes, each scored by the tails of the others (cross-conformal, Vovk 2015).
const FOLDS: usize = 10;
const VAR_RIDGE: f64 = 10.0;

/// What is known of normal motion beside the model.
#[derive(Debug, Clone)]
struct Parts {
    residuals: Residuals,
    var: VarFit,
    exchange: Exchange,
    stillness: Stillness,
}

/// Of one judge and every window, the channel that stands out most and its score.
type Highest = Vec<(usize, f64)>;

/// How all judges' scores lie over normal windows.
#[derive(Debug, Clone)]
struct Normal {
    tails: Vec<Tail>,
    /// Of the judges' normal deviates, `(judges, judges)`.
    correlations: Vec<f64>,
    shift: Shift,
}

impl Normal {
    /// Over the windows `which` of those scored.
    fn new(scores: &[Highest], which: &[usize]) -> Result<Self> {
        let of = |judge: &Highest| Tail::new(which.iter().map(|i| judge[*i].1).collect());
        let tails: Vec<Tail> = scores.iter().map(of).collect();
        let deviates: Vec<f64> = which.iter().flat_map(|i| deviates(&tails, scores, *i)).collect();
        let correlations = Shift::correlations(&deviates, tails.len());
        Ok(Self { shift: Shift::new(&correlations, tails.len())?, tails, correlations })
    }
}

/// Of each judge, the normal deviate of window `i`.
fn deviates(tails: &[Tail], scores: &[Highest], i: usize) -> Vec<f64> {
    tails.iter().zip(scores).map(|(tail, judge)| tail.deviate(judge[i].1)).collect()
}

/// What a [`Detector`] says of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Log likelihood ratio, nats, of judges that are all as high as they please to judges that are as on normal windows; 0 when none is
    /// higher than usual.
    pub score: f64,
    /// Share of normal windows with at least this score.
    pub p_value: f64,
    /// The judge that has the largest part in the score.
    pub judge: &'static str,
    /// The channel that stands out most, by the judges that look at channels.
    pub channel: usize,
}

/// Judges of a model's motion, calibrated on its validation episodes.
pub struct Detector<'a> {
    model: &'a Model,
    parts: Parts,
    normal: Normal,
    /// Scores of the validation windows.
    combined: Tail,
}

impl<'a> Detector<'a> {
    /// Fits on windows of the training episodes and calibrates on those of the validation episodes.
    ///
    /// # Errors
    /// [`Error::Data`] when episodes are shorter than a judged window.
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
            exchange: Exchange::fit(&training)?,
            stillness: Stillness::fit(&training)?,
        };
        let scores = highest(model, &parts, &validation)?;
        let all: Vec<usize> = (0..episodes.len()).collect();
        let mut detector = Self { model, normal: Normal::new(&scores, &all)?, parts, combined: Tail::new(Vec::new()) };
        // Scored by the tails of the other episodes, as windows will be that the tails have never seen.
        let mut combined = Vec::with_capacity(episodes.len());
        let normal = detector.normal.clone();
        for held in folds(&episodes) {
            let (own, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| held.contains(&episodes[**i]));
            detector.normal = Normal::new(&scores, if others.is_empty() { &own } else { &others })?;
            combined.extend(detector.verdicts(&scores, &own).iter().map(|v| v.score));
        }
        Ok(Self { normal, combined: Tail::new(combined), ..detector })
    }

    /// Of the windows `which` of those scored.
    fn verdicts(&self, scores: &[Highest], which: &[usize]) -> Vec<Verdict> {
        let judges = judges(self.model, &self.parts);
        let verdict = |i: usize| {
            let deviates = deviates(&self.normal.tails, scores, i);
            let parts = self.normal.shift.parts(&deviates);
            let first = |of: &[f64], among: &dyn Fn(usize) -> bool| {
                (0..of.len()).filter(|j| among(*j)).max_by(|a, b| of[*a].total_cmp(&of[*b])).unwrap_or(0)
            };
            let score = parts.iter().sum();
            Verdict {
                score,
                p_value: self.combined.conformal(score),
                judge: judges[first(&parts, &|_| true)].name(),
                channel: scores[first(&deviates, &|j| judges[j].by_channel())][i].0,
            }
        };
        which.iter().map(|i| verdict(*i)).collect()
    }

    /// The model whose motion this judges.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// Frames of a window that this judges: [`FRAMES`], or those that the model sees at once where that is more.
    pub fn frames(&self) -> usize {
        frames(self.model)
    }

    /// Judges windows of [`Detector::frames`] z-scored frames.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length; [`Error::NonFinite`] where a score is not finite.
    pub fn judge(&self, windows: &WindowArray) -> Result<Vec<Verdict>> {
        let (frames, d) = (windows.context + windows.future, self.model.info().channels.len());
        if frames != self.frames() || windows.channels != d {
            let found = vec![windows.len(), frames, windows.channels];
            let expected = format!("(N, {}, {d})", self.frames());
            return Err(Error::Shape { what: "windows to judge", found, expected });
        }
        let scores = highest(self.model, &self.parts, windows)?;
        Ok(self.verdicts(&scores, &(0..windows.len()).collect::<Vec<_>>()))
    }

    /// Scores by every judge, `(N,)` each (the largest where there is one a channel), and `combined`.
    ///
    /// # Errors
    /// As [`Detector::judge`].
    pub fn scores(&self, windows: &WindowArray) -> Result<Vec<(&'static str, Vec<f64>)>> {
        let highest = highest(self.model, &self.parts, windows)?;
        let combined =
            self.verdicts(&highest, &(0..windows.len()).collect::<Vec<_>>()).iter().map(|v| v.score).collect();
        let judges = judges(self.model, &self.parts);
        let of = |judge: Highest| judge.into_iter().map(|(_, score)| score).collect();
        let own = judges.iter().zip(highest).map(|(judge, highest)| (judge.name(), of(highest)));
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
        put("stillness.quantiles", vector(&self.parts.stillness.quantiles())?);
        let moments = [("exchange", &self.parts.exchange.moments), ("stillness", &self.parts.stillness.moments)];
        for (name, (mean, covariance)) in moments {
            put(&format!("{name}.mean"), vector(mean)?);
            put(&format!("{name}.covariance"), vector(covariance)?);
        }
        for (judge, tail) in judges(self.model, &self.parts).iter().zip(&self.normal.tails) {
            put(&format!("{}.tail", judge.name()), vector(tail.scores())?);
        }
        put("combined.correlations", vector(&self.normal.correlations)?);
        put("combined.tail", vector(self.combined.scores())?);
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
        if get("combined.tail").is_err() {
            let expected = format!("a model with one: train again, on episodes of at least {} frames", frames(model));
            return Err(Error::model(path, "a model without a calibration for anomalies", expected));
        }
        if get(WINDOW).and_then(|t| Ok(t.to_vec1::<u32>()?)).ok() != Some(vec![frames(model) as u32]) {
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
            exchange: Exchange::new(d, moments("exchange", CHUNK * d)?)?,
            stillness: Stillness::new(
                d,
                &vector("stillness.quantiles", Some(QUANTILES * d))?,
                moments("stillness", d)?,
            )?,
        };
        let tail = |name: &str| Ok(Tail::new(vector(&format!("{name}.tail"), None)?));
        let tails: Vec<Tail> = judges(model, &parts).iter().map(|j| tail(j.name())).collect::<Result<_>>()?;
        let correlations = vector("combined.correlations", Some(tails.len().pow(2)))?;
        let shift = Shift::new(&correlations, tails.len()).map_err(|e| damaged(e.to_string()))?;
        let normal = Normal { tails, correlations, shift };
        Ok(Self { model, parts, normal, combined: tail("combined")? })
    }
}

/// The judges, in the order of the calibration.
fn judges<'a>(model: &'a Model, parts: &'a Parts) -> Vec<Box<dyn Judge + 'a>> {
    let (forecaster, frames) = (model.forecaster(), model.info().config.model.frames());
    let (energy, arrow): (Box<dyn Judge + 'a>, Box<dyn Judge + 'a>) = match model.level() {
        Some(level) => (Box::new(Shape(level)), Box::new(Arrow { judge: Shape(level), frames })),
        None => (Box::new(Energy(forecaster)), Box::new(Arrow { judge: Energy(forecaster), frames })),
    };
    vec![energy, arrow, Box::new(Innovation(&parts.residuals)), Box::new(&parts.exchange), Box::new(&parts.stillness)]
}

/// What every judge says of the windows.
fn highest(model: &Model, parts: &Parts, windows: &WindowArray) -> Result<Vec<Highest>> {
    let judges = judges(model, parts);
    let mut highest = vec![Highest::new(); judges.len()];
    let width = (windows.context + windows.future) * windows.channels;
    for values in windows.values.chunks(BLOCK * width) {
        let block = WindowArray { values: values.to_vec(), ..*windows };
        for (all, judge) in highest.iter_mut().zip(&judges) {
            let scores = judge.score(&block)?;
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

/// Frames of the windows in which a model's motion is judged.
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
