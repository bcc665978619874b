//! Mean and covariance of features over windows, episode by episode, so that a bootstrap replicate is one weighted sum.

use crate::eval::bootstrap::ResamplingUnits;
use crate::eval::data::Motion;
use nalgebra::{DMatrix, DVector};

/// What is looked at in each window at a step.
#[derive(Debug, Clone)]
pub(super) enum Feature {
    /// The frame.
    Position,
    /// The difference to the frame before, each channel divided by its training standard deviation.
    Velocity,
    /// So many consecutive frames, the last of them at the step.
    Window(usize),
}

impl Feature {
    pub(super) fn width(&self, channels: usize) -> usize {
        match self {
            Feature::Position | Feature::Velocity => channels,
            Feature::Window(frames) => frames * channels,
        }
    }

    /// Writes the feature of window `i` at step `t`, minus `shift`.
    fn fill(&self, motion: &Motion, i: usize, t: usize, velocity_std: &[f64], shift: &[f64], out: &mut [f64]) {
        let t = t as isize;
        match self {
            Feature::Position => copy(motion.frame(i, t), out),
            Feature::Velocity => velocity(motion, i, t, velocity_std, out),
            Feature::Window(frames) => {
                let first = t + 1 - *frames as isize;
                for (t, out) in (first..).zip(out.chunks_exact_mut(velocity_std.len())) {
                    copy(motion.frame(i, t), out);
                }
            }
        }
        for (value, shift) in out.iter_mut().zip(shift) {
            *value -= shift;
        }
    }
}

fn copy(frame: &[f32], out: &mut [f64]) {
    for (out, v) in out.iter_mut().zip(frame) {
        *out = f64::from(*v);
    }
}

/// z-scored velocity at step `t`: the first one (`t` = 0) starts at the last context frame.
pub(super) fn velocity(motion: &Motion, i: usize, t: isize, velocity_std: &[f64], out: &mut [f64]) {
    let (after, before) = (motion.frame(i, t), motion.frame(i, t - 1));
    for c in 0..out.len() {
        out[c] = (f64::from(after[c]) - f64::from(before[c])) / velocity_std[c];
    }
}

/// Per episode (a column): number of windows, sum, and sum of outer products of the shifted feature.
///
/// A column is `1 + w + w*w` numbers. Weighted sums of columns are moments of a resample.
pub(super) struct Moments {
    columns: DMatrix<f64>,
    width: usize,
}

/// A Gaussian by its mean and covariance (divisor: number of windows - 1).
pub(super) struct Gaussian {
    pub mean: DVector<f64>,
    pub covariance: DMatrix<f64>,
}

impl Moments {
    /// Moments of `feature - shift` at step `t`. A shift near the mean keeps the covariance free of cancellation.
    pub(super) fn new(
        feature: &Feature,
        motion: &Motion,
        t: usize,
        velocity_std: &[f64],
        units: &ResamplingUnits,
        shift: &[f64],
    ) -> Self {
        let w = feature.width(velocity_std.len());
        let mut members = vec![Vec::new(); units.count];
        for (i, unit) in units.of_window.iter().enumerate() {
            members[*unit].push(i);
        }
        let mut columns = DMatrix::zeros(1 + w + w * w, units.count);
        for (mut column, members) in columns.column_iter_mut().zip(members) {
            let mut x = DMatrix::zeros(w, members.len());
            for (x, i) in x.as_mut_slice().chunks_exact_mut(w).zip(&members) {
                feature.fill(motion, *i, t, velocity_std, shift, x);
            }
            column[0] = members.len() as f64;
            column.rows_mut(1, w).copy_from(&x.column_sum());
            let outer = &x * x.transpose();
            column.as_mut_slice()[1 + w..].copy_from_slice(outer.as_slice());
        }
        Self { columns, width: w }
    }

    /// The Gaussian of all windows.
    pub(super) fn gaussian(&self) -> Gaussian {
        gaussian(self.columns.column_sum().as_slice(), self.width)
    }

    /// The Gaussians of resamples, from `(replicates, episodes)` weights.
    pub(super) fn resampled(&self, weights: &[Vec<f64>]) -> impl Iterator<Item = Gaussian> {
        let weights = DMatrix::from_fn(self.columns.ncols(), weights.len(), |e, r| weights[r][e]);
        let (all, width) = (&self.columns * weights, self.width);
        (0..all.ncols()).map(move |r| gaussian(all.column(r).as_slice(), width))
    }
}

fn gaussian(moments: &[f64], w: usize) -> Gaussian {
    let n = moments[0];
    let mean = DVector::from_column_slice(&moments[1..1 + w]) / n;
    let mut covariance = DMatrix::from_column_slice(w, w, &moments[1 + w..]);
    covariance.ger(-n, &mean, &mean, 1.0);
    Gaussian { mean, covariance: covariance / (n - 1.0) }
}
