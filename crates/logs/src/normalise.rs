//! z-scores: every channel in units of its own spread over the training episodes.

use super::Frames;
use super::angle::wrapped;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Mean and spread of every channel, `(D,)` each, in the channels' units; stored in the model.
///
/// `z = (x - mean) / std`.
///
/// ```
/// use ebmotion_logs::Normaliser;
///
/// let normaliser =
///     Normaliser { mean: vec![10.0, 0.0], std: vec![2.0, 0.5], velocity_std: vec![0.1, 0.1], constant: Vec::new() };
/// let (frame, mut z, mut back) = ([12.0, -0.5], [0f32; 2], [0f64; 2]);
/// normaliser.to_z(&frame, &mut z)?;
/// assert_eq!(z, [1.0, -1.0]);
/// normaliser.to_units(&z, &mut back)?;
/// assert_eq!(back, frame);
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normaliser {
    /// Mean; 0 for a channel with a period.
    pub mean: Vec<f64>,
    /// Population standard deviation; for a channel with a period the root mean square of its values in
    /// `[-period / 2, period / 2)`; 1 for a constant channel.
    pub std: Vec<f64>,
    /// Population standard deviation of the difference between neighbouring frames, z-scored; 0 for a constant
    /// channel.
    pub velocity_std: Vec<f64>,
    /// Indices of the channels that were constant in the training episodes.
    pub constant: Vec<usize>,
}

/// A number that [`Normaliser`] reads and writes: f32 or f64. All arithmetic is done in f64.
pub trait Scalar: Copy + private::Sealed {
    /// The number as f64.
    fn to_f64(self) -> f64;
    /// The nearest number to `value`.
    fn from_f64(value: f64) -> Self;
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Scalar for f32 {
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Scalar for f64 {
    fn to_f64(self) -> f64 {
        self
    }
    fn from_f64(value: f64) -> Self {
        value
    }
}

impl Normaliser {
    /// Fits on the given episodes (indices into `frames.episodes`): those to train on, and no others.
    ///
    /// A channel whose standard deviation is at most 1e-9 of its largest magnitude is constant: it is only shifted.
    ///
    /// # Errors
    /// [`Error::Data`] when the episodes hold no frame, or an index is out of range.
    pub fn fit(frames: &Frames, episodes: &[usize]) -> Result<Self> {
        let width = frames.channels.len();
        let known = frames.episodes.len();
        if let Some(i) = episodes.iter().find(|i| **i >= known) {
            return Err(Error::data("episode to fit the normaliser on", i, format!("an index below {known}")));
        }
        let rows = |i: &usize| frames.episodes[*i].values.rows(width);
        if episodes.iter().flat_map(rows).next().is_none() {
            return Err(Error::data("frames to fit the normaliser on", 0, "at least one"));
        }
        let mut fitted = Self {
            mean: vec![0.0; width],
            std: vec![1.0; width],
            velocity_std: vec![0.0; width],
            constant: Vec::new(),
        };
        // Rows of all channels at once: a log may be larger than the memory.
        let periods: Vec<Option<f64>> = frames.channels.iter().map(|channel| channel.period).collect();
        let values = of_channels(width, |each| {
            let value = |(v, period): (&f64, &Option<f64>)| period.map_or(*v, |p| wrapped(*v, p));
            let mut now = Vec::with_capacity(width);
            for row in episodes.iter().flat_map(rows) {
                now.clear();
                now.extend(row.iter().zip(&periods).map(value));
                each(&now);
            }
        });
        let steps = of_channels(width, |each| {
            let mut now = Vec::with_capacity(width);
            for (after, before) in episodes.iter().flat_map(|i| rows(i).skip(1).zip(rows(i))) {
                now.clear();
                now.extend(after.iter().zip(before).map(|(a, b)| a - b));
                each(&now);
            }
        });
        for (c, channel) in frames.channels.iter().enumerate() {
            let period = channel.period;
            let Moments { mean, std, largest } = values[c];
            // A turning joint has no mean; its spread is that around 0, where the windows are shifted to.
            fitted.mean[c] = if period.is_some() { 0.0 } else { mean };
            if std <= 1e-9 * largest || std < f64::MIN_POSITIVE {
                fitted.constant.push(c);
                continue;
            }
            fitted.std[c] = if period.is_some() { std.hypot(mean) } else { std };
            fitted.velocity_std[c] = steps[c].std / fitted.std[c];
        }
        Ok(fitted)
    }

    /// Number of channels, `D`.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Indices of the channels that were constant in the training episodes: nothing can be learned about them.
    pub fn constant_channels(&self) -> &[usize] {
        &self.constant
    }

    /// z-scores `(T, D)` values into `out` of the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ or are no multiple of `D`.
    pub fn to_z<A: Scalar, B: Scalar>(&self, values: &[A], out: &mut [B]) -> Result<()> {
        self.check(values.len(), out.len())?;
        self.each(values, out, |v, mean, std| (v - mean) / std);
        Ok(())
    }

    /// Takes `(T, D)` z-scores back to the channels' units, into `out` of the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ or are no multiple of `D`.
    pub fn to_units<A: Scalar, B: Scalar>(&self, z: &[A], out: &mut [B]) -> Result<()> {
        self.check(z.len(), out.len())?;
        self.each(z, out, |z, mean, std| z * std + mean);
        Ok(())
    }

    fn check(&self, from: usize, to: usize) -> Result<()> {
        if from != to || !from.is_multiple_of(self.channels().max(1)) {
            let expected = format!("two arrays of the same length, a multiple of {}", self.channels());
            return Err(Error::Shape { what: "values to normalise", found: vec![from, to], expected });
        }
        Ok(())
    }

    fn each<A: Scalar, B: Scalar>(&self, from: &[A], to: &mut [B], f: impl Fn(f64, f64, f64) -> f64) {
        let statistics = self.mean.iter().zip(&self.std).cycle();
        for ((a, b), (mean, std)) in from.iter().zip(to).zip(statistics) {
            *b = B::from_f64(f(a.to_f64(), *mean, *std));
        }
    }
}

/// What is told of a channel.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    mean: f64,
    /// Population standard deviation.
    std: f64,
    /// Largest magnitude.
    largest: f64,
}

/// [`moments`] of `width` channels in two passes over rows, which `rows` hands on.
fn of_channels(width: usize, rows: impl Fn(&mut dyn FnMut(&[f64]))) -> Vec<Moments> {
    let (mut first, mut n, mut sums) = (None::<Vec<f64>>, 0_usize, vec![0.0; width]);
    let mut all = vec![Moments::default(); width];
    rows(&mut |row| {
        let first = first.get_or_insert_with(|| row.to_vec());
        for (c, v) in row.iter().enumerate() {
            sums[c] += v - first[c];
            all[c].largest = all[c].largest.max(v.abs());
        }
        n += 1;
    });
    let Some(first) = first else { return all };
    all.iter_mut().zip(&first).zip(&sums).for_each(|((m, first), sum)| m.mean = first + sum / n as f64);
    sums.fill(0.0);
    rows(&mut |row| {
        row.iter().enumerate().for_each(|(c, v)| sums[c] += (v - all[c].mean).powi(2));
    });
    all.iter_mut().zip(&sums).for_each(|(m, squares)| m.std = (squares / n as f64).sqrt());
    all
}

/// Mean and population standard deviation; (0, 0) of nothing. In two passes, and relative to the first value: sums of
/// large values, and still more of their squares, would lose a small spread.
pub(crate) fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let Some(first) = values.clone().next() else { return (0.0, 0.0) };
    let (n, sum) = values.clone().fold((0_usize, 0.0), |(n, sum), v| (n + 1, sum + (v - first)));
    let mean = first + sum / n as f64;
    let squares: f64 = values.map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / n as f64).sqrt())
}
