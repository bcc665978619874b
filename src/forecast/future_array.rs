//! Many possible futures as one array.

use crate::error::{Error, Result};
use std::ops::Index;

/// Numbers `(B, S, H, D)`, row-major: windows, futures of each, frames, channels. `array[[b, s, t, c]]` is one of them.
///
/// ```
/// use ebmotion::forecast::FutureArray;
///
/// // One window, two futures of three frames of one channel.
/// let futures = FutureArray::new(vec![0.0, 0.1, 0.2, 0.0, 0.3, 0.6], [1, 2, 3, 1])?;
/// assert_eq!(futures[[0, 1, 2, 0]], 0.6);
/// assert_eq!(futures.future(0, 0), [0.0, 0.1, 0.2]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FutureArray {
    values: Vec<f64>,
    shape: [usize; 4],
}

impl FutureArray {
    /// `values` in the order of `shape`, the last index fastest.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are as many values as the shape says, and at least one in a window.
    pub fn new(values: Vec<f64>, shape: [usize; 4]) -> Result<Self> {
        if shape[1..].contains(&0) || shape.iter().product::<usize>() != values.len() {
            let expected = format!("(B, S, H, D) of {} numbers, S, H and D at least 1", values.len());
            return Err(Error::Shape { what: "futures", found: shape.to_vec(), expected });
        }
        Ok(Self { values, shape })
    }

    /// `[B, S, H, D]`, all but `B` at least 1.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// All numbers, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One future, `(H, D)` row-major.
    ///
    /// # Panics
    /// Where there is no such window or future, as a slice does.
    pub fn future(&self, window: usize, sample: usize) -> &[f64] {
        let [_, samples, horizon, channels] = self.shape;
        assert!(sample < samples, "future {sample} of {samples}");
        &self.values[(window * samples + sample) * horizon * channels..][..horizon * channels]
    }

    /// The first `frames` frames of every future, at least 1 and at most as many as there are.
    pub(super) fn until(&self, frames: usize) -> Self {
        let [windows, samples, horizon, channels] = self.shape;
        let kept = frames.clamp(1, horizon);
        let futures = self.values.chunks_exact(horizon * channels);
        let values = futures.flat_map(|future| &future[..kept * channels]).copied().collect();
        Self { values, shape: [windows, samples, kept, channels] }
    }

    /// The futures of one window, `None` where there are fewer.
    pub(super) fn window(&self, window: usize) -> Option<Self> {
        let [_, samples, horizon, channels] = self.shape;
        let values = self.values.chunks_exact(samples * horizon * channels).nth(window)?.to_vec();
        Some(Self { values, shape: [1, samples, horizon, channels] })
    }

    /// For each window, frame and channel, what `of` makes of its values over the futures in rising order, `count`
    /// numbers: `(B, count, H, D)`.
    pub(super) fn over_futures(&self, count: usize, of: impl Fn(&[f64], &mut dyn FnMut(f64))) -> Self {
        let [windows, samples, horizon, channels] = self.shape;
        let width = horizon * channels;
        let mut values = vec![0.0; windows * count * width];
        let mut sorted = vec![0.0; samples];
        for window in 0..windows {
            for place in 0..width {
                for (sample, value) in sorted.iter_mut().enumerate() {
                    *value = self.values[(window * samples + sample) * width + place];
                }
                sorted.sort_by(f64::total_cmp);
                let mut at = window * count * width + place;
                of(&sorted, &mut |value| {
                    values[at] = value;
                    at += width;
                });
            }
        }
        Self { values, shape: [windows, count, horizon, channels] }
    }
}

impl Index<[usize; 4]> for FutureArray {
    type Output = f64;

    /// # Panics
    /// Where an index is out of its range, as a slice does.
    fn index(&self, at: [usize; 4]) -> &f64 {
        assert!(at.iter().zip(&self.shape).all(|(i, n)| i < n), "{at:?} in futures of shape {:?}", self.shape);
        let [window, sample, frame, channel] = at;
        let [_, samples, horizon, channels] = self.shape;
        &self.values[((window * samples + sample) * horizon + frame) * channels + channel]
    }
}
