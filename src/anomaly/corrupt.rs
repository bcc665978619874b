//! Windows with something wrong in them, to measure what is found.

use super::time_reversal::backwards;
use crate::error::Result;
use crate::forecast::WindowArray;
use crate::noise::Noise;
use candle_core::{DType, Device};

/// What goes wrong, from the middle of the window on unless it says otherwise. Sizes are z units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// The second half of another window, shifted so that it joins without a jump.
    Splice,
    /// The second half of another window as it is.
    SpliceJump,
    /// One channel jumps by 0.5.
    Jump,
    /// All channels of the whole window in another order.
    Permuted,
    /// The whole window backwards.
    Reversed,
    /// One channel holds its value.
    Stuck,
    /// Two channels of the whole window exchanged.
    Swapped,
    /// One channel drifts away by 1 until the end.
    Drift,
    /// Normal noise of standard deviation 0.1 on everything.
    Noisy,
    /// One channel reads 0, in its own unit, for a quarter of the window.
    Dropout,
}

impl Corruption {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Splice,
        Self::SpliceJump,
        Self::Jump,
        Self::Permuted,
        Self::Reversed,
        Self::Stuck,
        Self::Swapped,
        Self::Drift,
        Self::Noisy,
        Self::Dropout,
    ];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Splice => "splice",
            Self::SpliceJump => "splice_jump",
            Self::Jump => "jump",
            Self::Permuted => "permuted",
            Self::Reversed => "reversed",
            Self::Stuck => "stuck",
            Self::Swapped => "swapped",
            Self::Drift => "drift",
            Self::Noisy => "noise",
            Self::Dropout => "dropout",
        }
    }

    /// The windows, each corrupted in this way; the same noise gives the same windows. `zero` `(D,)` is the z-score of
    /// a channel that reads 0.
    ///
    /// ```
    /// use ebmotion::anomaly::{Corruption, changed};
    /// use ebmotion::{forecast::WindowArray, noise::Noise};
    ///
    /// let values = (0..80).map(|v| v as f32).collect();
    /// let windows = WindowArray { values, context: 2, future: 8, channels: 4 };
    /// let stuck = Corruption::Stuck.apply(&windows, &[0.0; 4], &mut Noise::new(1))?;
    /// assert_eq!(changed(&windows, &stuck).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]); // one channel of each
    /// # Ok::<(), ebmotion::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn apply(self, windows: &WindowArray, zero: &[f32], noise: &mut Noise) -> Result<WindowArray> {
        let (n, d) = (windows.len(), windows.channels);
        let frames = windows.context + windows.future;
        let (half, width) = (frames / 2, frames * d);
        if self == Self::Reversed {
            return Ok(backwards(windows));
        }
        let mut out = windows.clone();
        if self == Self::Noisy {
            let normal = noise.normal(n * width, DType::F32, &Device::Cpu)?.to_vec1::<f32>()?;
            out.values.iter_mut().zip(normal).for_each(|(v, e)| *v += 0.1 * e);
            return Ok(out);
        }
        let other = noise.permutation(n);
        for (i, window) in out.values.chunks_exact_mut(width).enumerate() {
            let order = noise.permutation(d);
            let c = order[0];
            let donor = &windows.values[other[i] * width..][..width];
            let joint = half * d - d;
            for t in 0..frames {
                let row = t * d;
                let late = t >= half;
                match self {
                    Self::Splice | Self::SpliceJump if late => {
                        for j in 0..d {
                            let gap = if self == Self::Splice { donor[joint + j] - window[joint + j] } else { 0.0 };
                            window[row + j] = donor[row + j] - gap;
                        }
                    }
                    Self::Jump if late => window[row + c] += 0.5,
                    Self::Permuted => {
                        let frame = window[row..row + d].to_vec();
                        order.iter().enumerate().for_each(|(j, from)| window[row + j] = frame[*from]);
                    }
                    Self::Stuck if late => window[row + c] = window[joint + c],
                    Self::Swapped if d > 1 => window.swap(row + c, row + order[1]),
                    Self::Drift if late => window[row + c] += (t + 1 - half) as f32 / (frames - half) as f32,
                    Self::Dropout if late && t < half + frames / 4 => window[row + c] = zero[c],
                    _ => {}
                }
            }
        }
        Ok(out)
    }
}

/// Of each window, the channels `0..D` in which it differs from what it was; windows are of one shape.
pub fn changed(was: &WindowArray, is: &WindowArray) -> Vec<Vec<usize>> {
    let (d, width) = (was.channels, (was.context + was.future) * was.channels);
    let differs = |a: &[f32], b: &[f32], c: usize| (c..width).step_by(d).any(|i| a[i] != b[i]);
    let pairs = was.values.chunks_exact(width).zip(is.values.chunks_exact(width));
    pairs.map(|(a, b)| (0..d).filter(|c| differs(a, b, *c)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk() -> WindowArray {
        let values = Noise::new(5).normal((20, 32 * 3), DType::F32, &Device::Cpu).unwrap();
        let values = values.flatten_all().unwrap().to_vec1().unwrap();
        WindowArray { values, context: 8, future: 24, channels: 3 }
    }

    /// In how many channels each window differs from what it was.
    fn count(a: &WindowArray, b: &WindowArray) -> Vec<usize> {
        changed(a, b).iter().map(Vec::len).collect()
    }

    #[test]
    fn each_corruption_does_what_it_says() {
        let w = walk();
        let of = |c: Corruption| c.apply(&w, &[0.0; 3], &mut Noise::new(2)).unwrap();
        for c in Corruption::ALL {
            assert_eq!(of(c), of(c), "{}", c.name());
            assert_ne!(of(c), w, "{}", c.name());
        }
        let half = |a: &WindowArray| a.cut(0, 16);
        for c in [Corruption::Splice, Corruption::SpliceJump, Corruption::Jump, Corruption::Stuck, Corruption::Drift] {
            assert_eq!(half(&of(c)), half(&w), "{}", c.name());
        }
        for c in [Corruption::Jump, Corruption::Stuck, Corruption::Drift, Corruption::Dropout] {
            assert_eq!(count(&w, &of(c)), vec![1; 20], "{}", c.name());
        }
        let twice = |c: Corruption| c.apply(&of(c), &[0.0; 3], &mut Noise::new(2)).unwrap();
        assert_eq!(twice(Corruption::Swapped), w, "a swap undoes itself");
        assert_eq!(count(&w, &of(Corruption::Swapped)), vec![2; 20]);
        assert_eq!(twice(Corruption::Reversed), w);
    }

    #[test]
    fn a_splice_joins_with_a_step_of_the_other_window() {
        let w = walk();
        let spliced = Corruption::Splice.apply(&w, &[0.0; 3], &mut Noise::new(2)).unwrap();
        let step = |a: &WindowArray, i: usize, c: usize| a.values[i * 96 + 48 + c] - a.values[i * 96 + 45 + c];
        let steps: Vec<f32> = (0..20).map(|i| step(&w, i, 0)).collect();
        for i in 0..20 {
            let own = step(&spliced, i, 0);
            assert!(steps.iter().any(|s| (s - own).abs() < 1e-5), "{i}: {own}");
        }
    }
}
