//! The range in which each channel lay in normal motion, and motion outside it.

use crate::error::{Error, Result};
use crate::forecast::{Limits, WindowArray};
use crate::trajectory::Channel;
use candle_core::Tensor;

/// What a window is called whose values lie outside the range.
pub(super) const RANGE: &str = "range";

/// How far outside a value must lie, as a share of the range (of at least one standard deviation): normal motion of
/// other episodes goes a little farther than that of training.
const SLACK: f32 = 0.1;

/// Lowest and highest value of each channel over normal windows, z-scored; without limits for a channel that wraps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range(Vec<[f32; 2]>);

impl Range {
    /// Over all of these windows.
    pub(super) fn seen(windows: &[&WindowArray], channels: &[Channel]) -> Self {
        let mut range = vec![[f32::INFINITY, f32::NEG_INFINITY]; channels.len()];
        for windows in windows {
            for (all, own) in range.iter_mut().zip(Limits::seen(windows, channels).by_channel()) {
                *all = [all[0].min(own[0]), all[1].max(own[1])];
            }
        }
        Self(range)
    }

    /// No range: nothing lies outside.
    pub(super) fn none(channels: usize) -> Self {
        Self(Limits::none(channels).by_channel().to_vec())
    }

    /// The channel of a window, `(T, D)`, that lies farthest outside its range; `None` where all lie inside.
    pub(super) fn outside(&self, window: &[f32]) -> Option<usize> {
        let mut worst: Option<(usize, f32)> = None;
        for (i, value) in window.iter().enumerate() {
            let c = i % self.0.len();
            let [low, high] = self.0[c];
            let excess = (low - value).max(value - high) / (high - low).max(1.0);
            if excess > SLACK && worst.is_none_or(|(_, most)| excess > most) {
                worst = Some((c, excess));
            }
        }
        worst.map(|(c, _)| c)
    }

    /// As a tensor `(D, 2)`.
    pub(super) fn to_tensor(&self) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.0.concat(), (self.0.len(), 2), &candle_core::Device::Cpu)?)
    }

    /// What [`Range::to_tensor`] gave.
    pub(super) fn from_tensor(tensor: &Tensor, channels: usize) -> Result<Self> {
        let limits = Limits::from_tensor(tensor, channels)
            .map_err(|e| Error::data("ranges of the anomaly scores", e, "one of each channel"))?;
        Ok(Self(limits.by_channel().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_told_by_the_channel_that_is_farthest() -> Result<()> {
        let channel = |period| Channel { name: "q".into(), unit: None, period };
        let channels = [channel(None), channel(None), channel(Some(6.3))];
        let of = |values: Vec<f32>| WindowArray { values, context: 1, future: 1, channels: 3 };
        let (a, b) = (of(vec![0.0, 5.0, 1.0, 2.0, 5.0, 1.0]), of(vec![-2.0, 5.0, 1.0, 0.0, 5.0, 1.0]));
        let range = Range::seen(&[&a, &b], &channels);
        assert_eq!(range.outside(&[2.1, 5.0, 100.0]), None, "within 10 % of a range of 4; a channel that wraps");
        assert_eq!(range.outside(&[2.0, 5.0, 0.0, -2.6, 5.0, 0.0]), Some(0));
        assert_eq!(range.outside(&[2.6, 5.5, 0.0]), Some(1), "a constant channel is off by half a deviation");
        assert_eq!(Range::from_tensor(&range.to_tensor()?, 3)?, range);
        assert!(Range::from_tensor(&range.to_tensor()?, 2).is_err());
        assert_eq!(Range::none(3).outside(&[1e9, -1e9, 0.0]), None);
        Ok(())
    }
}
