//! Windows with something wrong in them, to measure what is found.
#![allow(dead_code)] // each test file uses its own part

use candle_core::{DType, Device};
use ebmotion::Result;
use ebmotion::forecast::WindowArray;
use ebmotion::noise::Noise;

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
    pub fn apply(self, windows: &WindowArray, zero: &[f32], noise: &mut Noise) -> Result<WindowArray> {
        let (n, d) = (windows.len(), windows.channels);
        let frames = windows.context + windows.future;
        let (half, width) = (frames / 2, frames * d);
        if self == Self::Reversed {
            let frames = |w: &[f32]| w.chunks_exact(d).rev().flatten().copied().collect::<Vec<f32>>();
            return Ok(WindowArray {
                values: windows.values.chunks_exact(width).flat_map(frames).collect(),
                ..*windows
            });
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
