//! Between a log's units and z-scores.

use ebmotion_engine::error::{Error, Result};

/// The multiple of `period` that is taken from `value`: what remains lies in `[-period / 2, period / 2)`.
pub fn whole_periods(value: f64, period: f64) -> f64 {
    let turns = ((value + 0.5 * period) / period).floor() * period;
    // Rounding may leave the upper end itself.
    if value - turns >= 0.5 * period { turns + period } else { turns }
}

/// How channels in their units become z-scores: `(value - mean) / std`, channels with a period after whole periods were
/// taken from them.
#[derive(Debug, Clone, Copy)]
pub struct Units<'a> {
    /// `(D,)`.
    pub mean: &'a [f64],
    /// `(D,)`.
    pub std: &'a [f64],
    /// `(D,)`: period of each channel that wraps.
    pub periods: &'a [Option<f64>],
}

impl Units<'_> {
    /// The last `frames` frames of `history` `(K, D)` z-scored, and the whole periods `(D,)` that were taken from channels
    /// that wrap: those of the last frame. Neighbouring frames on both sides of a wrap are put next to each other.
    ///
    /// # Errors
    /// [`Error::Data`] when the history is too short or no whole number of frames; [`Error::NonFinite`] with the channel's
    /// number and the frame of a number that is not finite.
    pub fn standardise(&self, history: &[f64], frames: usize) -> Result<(Vec<f32>, Vec<f64>)> {
        let d = self.mean.len();
        let found = history.len() / d.max(1);
        if d == 0 || !history.len().is_multiple_of(d) || found < frames {
            let expected = format!("at least {frames} frames of {d} channels");
            return Err(Error::data("history", format!("{} numbers", history.len()), expected));
        }
        let recent = &history[(found - frames) * d..];
        if let Some(at) = recent.iter().position(|v| !v.is_finite()) {
            let what = format!("history, channel {}", at % d);
            return Err(Error::NonFinite { what, value: recent[at], step: (at / d) as u64 });
        }
        let whole = |c: usize, value: f64| self.periods[c].map_or(0.0, |period| whole_periods(value, period));
        let last = recent.len() - d;
        let turns: Vec<f64> = recent[last..].iter().enumerate().map(|(c, v)| whole(c, *v)).collect();
        let mut continuous = recent.to_vec();
        for at in (0..last).rev() {
            let step = continuous[at] - continuous[at + d];
            continuous[at] -= whole(at % d, step);
        }
        let z = |(at, value): (usize, &f64)| {
            let c = at % d;
            ((value - turns[c] - self.mean[c]) / self.std[c]) as f32
        };
        Ok((continuous.iter().enumerate().map(z).collect(), turns))
    }

    /// z-scored frames back in the channels' units, with the whole periods that [`Units::standardise`] took.
    pub fn restore(&self, z: &[f32], turns: &[f64]) -> Vec<f64> {
        let d = self.mean.len();
        let value = |(at, z): (usize, &f32)| {
            let c = at % d;
            f64::from(*z) * self.std[c] + self.mean[c] + turns[c]
        };
        z.iter().enumerate().map(value).collect()
    }
}

/// Puts futures, `frames` frames for each of the contexts `(B, K, D)`, back within `limits` `(D,)`, lowest and highest,
/// which reach to the context's last frame where that lies beyond. Channels that are `free` stay.
pub fn keep_within(limits: &[[f32; 2]], futures: &mut [f32], contexts: &[f32], frames: usize, free: &[bool]) {
    let d = limits.len();
    let rows = futures.chunks_exact_mut(frames * d);
    let width = contexts.len() / rows.len().max(1);
    for (future, context) in rows.zip(contexts.chunks_exact(width.max(1))) {
        let last = &context[width - d..];
        for frame in future.chunks_exact_mut(d) {
            for (c, ((value, [low, high]), last)) in frame.iter_mut().zip(limits).zip(last).enumerate() {
                if free.get(c) != Some(&true) {
                    *value = value.max(low.min(*last)).min(high.max(*last));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_across_a_wrap_is_continuous_and_comes_back() -> Result<()> {
        let units = Units { mean: &[0.0, 1.0], std: &[2.0, 0.5], periods: &[Some(360.0), None] };
        let (z, turns) = units.standardise(&[9.0, 9.0, 359.0, 1.5, 1.0, 2.0], 2)?;
        assert_eq!(turns, [0.0, 0.0]);
        assert_eq!(z, [-0.5, 1.0, 0.5, 2.0]);
        let (z, turns) = units.standardise(&[1.0, 1.0, 719.0, 1.0], 2)?;
        assert_eq!((turns[0], z[0], z[2]), (720.0, 0.5, -0.5));
        assert_eq!(units.restore(&z, &turns), [721.0, 1.0, 719.0, 1.0]);
        assert!(units.standardise(&[1.0; 3], 1).is_err_and(|e| e.to_string().contains("3 numbers")));
        assert!(units.standardise(&[1.0, f64::NAN], 1).is_err_and(|e| e.to_string().contains("channel 1")));
        Ok(())
    }

    #[test]
    fn half_a_period_belongs_to_the_lower_end() {
        for (value, left) in [(180.0, -180.0), (-180.0, -180.0), (179.0, 179.0), (540.0, -180.0), (0.0, 0.0)] {
            assert_eq!(value - whole_periods(value, 360.0), left);
        }
    }

    #[test]
    fn limits_reach_to_where_motion_was() {
        let mut frames = [3.0, -1.0, 0.2, 9.0];
        keep_within(&[[0.0, 1.0], [0.0, 1.0]], &mut frames, &[2.0, 0.5], 2, &[false, true]);
        assert_eq!(frames, [2.0, -1.0, 0.2, 9.0]);
    }
}
