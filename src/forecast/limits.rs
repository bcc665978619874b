//! The range in which motion was seen: where a joint's stops are, as far as the logs tell.

use super::WindowArray;
use crate::error::{Error, Result};
use crate::trajectory::Channel;
use candle_core::{DType, Device, Tensor};

/// Part of a channel's range that is added at either end.
const MARGIN: f32 = 0.01;

/// Lowest and highest value of each channel, z-scored.
///
/// A predicted value beyond them is put back to the end of the range, as a joint's stop would. Motion that begins
/// beyond them may stay there, but goes no farther. Forecasts go on from what was drawn, not from what was put back:
/// that would push them away from the stops, chunk after chunk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits(Vec<[f32; 2]>);

impl Limits {
    /// No limits on `channels` channels.
    pub fn none(channels: usize) -> Self {
        Self(vec![[f32::NEG_INFINITY, f32::INFINITY]; channels])
    }

    /// The range of each of `channels` channels over some frames, 1 % of it wider at either end.
    pub fn around<'a>(frames: impl Iterator<Item = &'a [f32]>, channels: usize) -> Self {
        let mut limits = vec![[f32::INFINITY, f32::NEG_INFINITY]; channels];
        frames.for_each(|frame| widen(&mut limits, frame));
        Self::beyond(limits)
    }

    /// 1 % wider at either end.
    fn beyond(mut limits: Vec<[f32; 2]>) -> Self {
        for [low, high] in &mut limits {
            let margin = MARGIN * (*high - *low);
            (*low, *high) = (*low - margin, *high + margin);
        }
        Self(limits)
    }

    /// The same, none for a channel that wraps.
    fn but_wrapping(mut self, channels: &[Channel]) -> Self {
        for (limit, _) in self.0.iter_mut().zip(channels).filter(|(_, channel)| channel.period.is_some()) {
            *limit = [f32::NEG_INFINITY, f32::INFINITY];
        }
        self
    }

    /// [`Limits::around`] the frames of the windows; none for a channel that wraps, or without windows.
    pub fn seen(windows: &WindowArray, channels: &[Channel]) -> Self {
        if windows.is_empty() {
            return Self::none(windows.channels);
        }
        Self::around(windows.values.chunks_exact(windows.channels), windows.channels).but_wrapping(channels)
    }

    /// The range of z-scored frames that `each` shows one by one, 1 % of it wider at either end; none for a channel
    /// that wraps.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn over(channels: &[Channel], each: impl FnOnce(&mut dyn FnMut(&[f32])) -> Result<()>) -> Result<Self> {
        let mut range = vec![[f32::INFINITY, f32::NEG_INFINITY]; channels.len()];
        each(&mut |frame| widen(&mut range, frame))?;
        Ok(Self::beyond(range).but_wrapping(channels))
    }

    /// Lowest and highest value by channel.
    pub fn by_channel(&self) -> &[[f32; 2]] {
        &self.0
    }

    /// Puts futures, `frames` frames for each of the contexts `(B, K, D)`, back within the limits, which reach to the
    /// context's last frame where that lies beyond.
    pub fn apply(&self, futures: &mut [f32], contexts: &[f32], frames: usize) {
        self.apply_but(futures, contexts, frames, &[]);
    }

    /// As [`Limits::apply`], but for the channels that are `free`.
    pub(super) fn apply_but(&self, futures: &mut [f32], contexts: &[f32], frames: usize, free: &[bool]) {
        ebmotion_runtime::keep_within(&self.0, futures, contexts, frames, free);
    }

    /// As a tensor `(D, 2)` for a model file.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn to_tensor(&self) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.0.concat(), (self.0.len(), 2), &Device::Cpu)?)
    }

    /// What [`Limits::to_tensor`] gave.
    ///
    /// # Errors
    /// [`Error::Shape`] for another shape, [`Error::Data`] for a range whose ends are the wrong way round.
    pub fn from_tensor(tensor: &Tensor, channels: usize) -> Result<Self> {
        if tensor.dims() != [channels, 2] {
            let (found, expected) = (tensor.dims().to_vec(), format!("({channels}, 2)"));
            return Err(Error::Shape { what: "limits", found, expected });
        }
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let limits: Vec<[f32; 2]> = values.chunks_exact(2).map(|v| [v[0], v[1]]).collect();
        match limits.iter().position(|[low, high]| low.is_nan() || high.is_nan() || low > high) {
            Some(c) => {
                Err(Error::data(format!("limits of channel {c}"), format!("{:?}", limits[c]), "low before high"))
            }
            None => Ok(Self(limits)),
        }
    }
}

/// Widens each channel's range to a frame.
fn widen(range: &mut [[f32; 2]], frame: &[f32]) {
    for (limit, value) in range.iter_mut().zip(frame) {
        *limit = [limit[0].min(*value), limit[1].max(*value)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_within_what_was_seen() -> Result<()> {
        let channel = |period| Channel { name: "q".into(), unit: None, period };
        let values = vec![0.0, 5.0, 1.0, 1.0, 2.0, 1.0, -2.0, 3.0, 1.0]; // three frames of three channels
        let windows = WindowArray { values, context: 2, future: 1, channels: 3 };
        let limits = Limits::seen(&windows, &[channel(None), channel(Some(6.3)), channel(None)]);
        let mut frames = [3.0, 100.0, 1.0, -1.0, -100.0, 0.5];
        limits.apply(&mut frames, &[9.0, 9.0, 9.0, 0.0, 0.0, 0.7], 2);
        let expected = [1.03, 100.0, 1.0, -1.0, -100.0, 0.7]; // a range of 3; none; none but for where it was
        assert!(frames.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{frames:?}");
        assert_eq!(Limits::from_tensor(&limits.to_tensor()?, 3)?, limits);
        assert!(Limits::from_tensor(&limits.to_tensor()?, 2).is_err());
        let mut free = [1e9, f32::NAN, -1e9];
        Limits::none(3).apply(&mut free, &[0.0; 3], 1);
        assert_eq!((free[0], free[2]), (1e9, -1e9));
        Ok(())
    }
}

#[cfg(test)]
mod example {
    use crate::forecast::Limits;

    #[test]
    fn values_beyond_the_range_are_put_back() {
        let seen: [[f32; 1]; 2] = [[-1.0], [1.0]];
        let limits = Limits::around(seen.iter().map(|frame| &frame[..]), 1);
        let mut future = [0.5, 1.5, -3.0];
        limits.apply(&mut future, &[0.0], 3);
        assert_eq!(future, [0.5, 1.02, -1.02]); // 1 % of the range is added at either end
    }
}
