//! Mode gap: forecasts that stand between the ways in which motion can go on, where none of the real ones is.
//!
//! Its windows are not those of the other metrics: each ends one frame before the label of the frames changes (a
//! branch), so the context does not know what comes.

use super::bootstrap::{ResamplingUnits, quantile};
use super::context::{BootstrapSettings, EvalContext};
use super::metric::{Kind, MetricSpec};
use super::result::MetricResult;
use crate::error::{Error, Result};
use crate::forecast::{Dataset, Forecaster, Request};
use crate::noise::Noise;
use crate::trajectory::{Labels, WindowSpec, Windows};
use candle_core::{Device, Tensor};
use nalgebra::{Cholesky, DMatrix, DVector};
use std::collections::BTreeMap;

/// First and last step after the end of the context that is looked at. Sooner even a frame that stays where it was is
/// near some mode, later the next branch is near. Chosen on the log hand_gestures at 25 Hz, where a label lasts 17
/// frames and more, in the median 30: 0.48 to 1.12 s. There, unlike at earlier steps, a frame that stays where it was,
/// which is no forecast, lies in no mode (share .89), as do means and Gaussians (FC .68, sampled autoregression .82).
const STEPS: [usize; 2] = [12, 28];
/// A way that real motion took less often has no centre.
const LEAST_OF_A_MODE: usize = 5;
/// Added to the diagonal of the covariance, as a share of its mean.
const RIDGE: f64 = 1e-3;
/// Share of real futures within the distance that counts as near.
const NEAR: f64 = 0.95;
/// Stream of the forecasts at branches, apart from that of the other windows.
const STREAM: u64 = 0x6d6f_6465;

pub(crate) static SPEC: MetricSpec = MetricSpec {
    name: "mode_gap",
    short: "Modes",
    title: "Share of forecasts between modes",
    unit: "share",
    lower_is_better: true,
    kind: Kind::Distance,
    source: "Mahalanobis distances to the real modes, standard",
    definition: "at each branch (a frame whose label is not that of the frame before) forecasts from the frames before \
        it; share of them that are farther from every mode's centre than 95 % of real futures from their own. A mode \
        is a pair of the labels before and after a branch; the modes of a branch are those that begin with its label \
        before; a centre is the mean of the real frames of a mode, training and test episodes, at the same step, at \
        least 5; distances are whitened by the covariance of those frames within the modes, pooled, with a thousandth \
        of its mean variance added. Mean over samples, branches of the test episodes and the steps 12 to 28 after the \
        context, as far as the real label lasts. The floor is the share of the real test futures; less than it is \
        nearer to the centres than real motion is. It has no values per step",
};

/// Labels before and after a branch.
type Mode = (u32, u32);

/// A mode's whitened centre.
type Centre = (Mode, DVector<f64>);

/// A frame at which the label changes, and what followed.
struct Branch {
    episode: usize,
    mode: Mode,
    /// Frames for which the label lasts.
    lasts: usize,
    /// `(K + H, D)`, z-scored.
    window: Vec<f32>,
}

/// Branches of the test episodes, and at each step where real motion is.
pub(crate) struct ModeGap {
    branches: Vec<Branch>,
    context: usize,
    channels: usize,
    last: usize,
    steps: Vec<Step>,
    units: ResamplingUnits,
    weights: Vec<Vec<f64>>,
}

/// Real motion at one step after the branches.
struct Step {
    /// Frames after the last one of the context, from 1.
    after: usize,
    /// Inverse of the Cholesky factor of the covariance within modes.
    whiten: DMatrix<f64>,
    /// By the label before.
    centres: BTreeMap<u32, Vec<Centre>>,
    /// Distance within which 95 % of real futures are of their own centre.
    near: f64,
}

impl ModeGap {
    /// Finds the branches of the split's test episodes that have `context` frames before them, and fits the modes.
    ///
    /// # Errors
    /// [`Error::Data`] when the horizon is below 12 frames, or there are too few branches to tell modes.
    pub(crate) fn new(
        dataset: &Dataset,
        labels: &Labels,
        (context, horizon): (usize, usize),
        bootstrap: &BootstrapSettings,
    ) -> Result<Self> {
        let [first, last] = [STEPS[0], STEPS[1].min(horizon)];
        if last < first {
            return Err(Error::data("horizon of a report with labels", horizon, format!("at least {first} frames")));
        }
        let (split, channels) = (&dataset.split, dataset.frames.channels.len());
        let branches = branches(dataset, labels, &split.test, context, last)?;
        let mut real = self::branches(dataset, labels, &split.train, context, last)?;
        let missing = |found: usize| {
            let expected = "some whose labels last, each way taken at least 5 times in training and test episodes";
            Error::data("branches (frames at which the label changes) of the test episodes", found, expected)
        };
        if branches.is_empty() {
            return Err(missing(0));
        }
        real.extend(branches.iter().map(|b| Branch { window: b.window.clone(), ..*b }));
        let steps: Vec<Step> = (first..=last).filter_map(|after| Step::new(&real, after, context, channels)).collect();
        let episodes: Vec<usize> = branches.iter().map(|b| b.episode).collect();
        let units = ResamplingUnits::new(&episodes);
        let weights = units.resample(bootstrap.replicates, &mut Noise::new(bootstrap.seed).fork(STREAM));
        let found = Self { branches, context, channels, last, steps, units, weights };
        if found.counted().all(|c| !c) {
            return Err(missing(found.branches.len()));
        }
        Ok(found)
    }

    /// Share of the forecaster's samples that are near no mode; `noise` is forked for these windows.
    pub(crate) fn score(&self, forecaster: &dyn Forecaster, samples: usize, noise: &Noise) -> Result<MetricResult> {
        let (n, k, d) = (self.branches.len(), self.context, self.channels);
        let history: Vec<f32> = self.branches.iter().flat_map(|b| &b.window[..k * d]).copied().collect();
        let history = Tensor::from_vec(history, (n, k, d), &Device::Cpu)?;
        let request = Request { horizon: self.last, samples };
        let futures = forecaster.forecast(&history, &request, &mut noise.fork(STREAM))?;
        let s = futures.dims4()?.1;
        let futures = futures.flatten_all()?.to_vec1::<f32>()?;
        if let Some(value) = futures.iter().find(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: "forecast futures".into(), value: f64::from(*value), step: 0 });
        }
        Ok(self.share(s, |i, j, t| &futures[((i * s + j) * self.last + t) * d..][..d]))
    }

    /// The same share of what really followed.
    pub(crate) fn floor(&self) -> MetricResult {
        let (k, d) = (self.context, self.channels);
        self.share(1, |i, _, t| &self.branches[i].window[(k + t) * d..][..d])
    }

    /// `frame(branch, sample, t)` is the frame `t + 1` after the context.
    fn share<'a>(&self, samples: usize, frame: impl Fn(usize, usize, usize) -> &'a [f32]) -> MetricResult {
        // Per episode: frames beyond, and frames.
        let mut sums = vec![[0.0; 2]; self.units.count];
        for (i, (branch, unit)) in self.branches.iter().zip(&self.units.of_window).enumerate() {
            for step in self.steps.iter().filter(|step| step.counts(branch)) {
                let beyond = (0..samples).filter(|j| step.beyond(branch.mode.0, frame(i, *j, step.after - 1)));
                sums[*unit][0] += beyond.count() as f64;
                sums[*unit][1] += samples as f64;
            }
        }
        let ratio = |weights: &[f64]| {
            let total = |k: usize| sums.iter().zip(weights).map(|(s, w)| s[k] * w).sum::<f64>();
            total(0) / total(1).max(1.0)
        };
        let replicates: Vec<f64> = self.weights.iter().map(|weights| ratio(weights)).collect();
        EvalContext::result(ratio(&vec![1.0; self.units.count]), Vec::new(), &replicates)
    }

    /// Of each branch, whether it counts at any step.
    fn counted(&self) -> impl Iterator<Item = bool> + '_ {
        self.branches.iter().map(|branch| self.steps.iter().any(|step| step.counts(branch)))
    }
}

impl Step {
    /// Fits the modes of real motion; none where there are too few real frames.
    fn new(real: &[Branch], after: usize, context: usize, channels: usize) -> Option<Self> {
        let mut modes: BTreeMap<Mode, Vec<DVector<f64>>> = BTreeMap::new();
        for branch in real.iter().filter(|branch| branch.lasts >= after) {
            let frame = &branch.window[(context + after - 1) * channels..][..channels];
            modes.entry(branch.mode).or_default().push(vector(frame));
        }
        modes.retain(|_, frames| frames.len() >= LEAST_OF_A_MODE);
        let count: usize = modes.values().map(Vec::len).sum();
        let mut covariance = DMatrix::zeros(channels, channels);
        let mut means = Vec::new();
        for (mode, frames) in &modes {
            let mean = frames.iter().sum::<DVector<f64>>() / frames.len() as f64;
            for frame in frames {
                let off = frame - &mean;
                covariance.ger(1.0 / (count - modes.len()) as f64, &off, &off, 1.0);
            }
            means.push((*mode, mean));
        }
        let ridge = RIDGE * covariance.trace() / channels as f64;
        covariance += DMatrix::identity(channels, channels) * ridge;
        let whiten = Cholesky::new(covariance)?.l().try_inverse()?;
        let mut own = Vec::with_capacity(count);
        let mut centres: BTreeMap<u32, Vec<Centre>> = BTreeMap::new();
        for (mode, mean) in means {
            let centre = &whiten * mean;
            own.extend(modes[&mode].iter().map(|frame| (&whiten * frame - &centre).norm()));
            centres.entry(mode.0).or_default().push((mode, centre));
        }
        own.sort_by(f64::total_cmp);
        Some(Self { after, whiten, centres, near: quantile(&own, NEAR) })
    }

    /// Whether the branch's label lasts until this step and its own way is one of the modes.
    fn counts(&self, branch: &Branch) -> bool {
        let known = || self.centres.get(&branch.mode.0).is_some_and(|m| m.iter().any(|(mode, _)| *mode == branch.mode));
        branch.lasts >= self.after && known()
    }

    /// Whether a frame is near none of the modes that begin with `before`.
    fn beyond(&self, before: u32, frame: &[f32]) -> bool {
        let whitened = &self.whiten * vector(frame);
        let mut centres = self.centres.get(&before).into_iter().flatten();
        centres.all(|(_, centre)| (&whitened - centre).norm() > self.near)
    }
}

fn vector(frame: &[f32]) -> DVector<f64> {
    DVector::from_iterator(frame.len(), frame.iter().map(|v| f64::from(*v)))
}

/// Every branch of `episodes` with `context` frames before it and `future` frames from it on.
fn branches(
    dataset: &Dataset,
    labels: &Labels,
    episodes: &[usize],
    context: usize,
    future: usize,
) -> Result<Vec<Branch>> {
    let spec = WindowSpec { context, future, stride: 1, skip_short: true };
    let windows = Windows::new(&dataset.frames, episodes, spec)?;
    let mut found = Vec::new();
    for i in 0..windows.len() {
        let (episode, frame) = (windows.episode_of(i), windows.start_of(i) + context);
        let labels = &labels.of_frame[episode];
        let mode = (labels[frame - 1], labels[frame]);
        if mode.0 != mode.1 {
            let lasts = labels[frame..].iter().take_while(|label| **label == mode.1).count();
            let mut window = vec![0.0; spec.frames() * windows.channels()];
            windows.fill(i, &dataset.normaliser, &mut window)?;
            found.push(Branch { episode, mode, lasts, window });
        }
    }
    Ok(found)
}
