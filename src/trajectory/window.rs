//! Windows of context and future, cut from episodes.

use super::{Frames, Normaliser};
use crate::error::{Error, Result};

/// Size and spacing of windows, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSpec {
    /// Frames before the present.
    pub context: usize,
    /// Frames after it.
    pub future: usize,
    /// Frames between the starts of two windows of an episode.
    pub stride: usize,
    /// Leaves episodes out that are too short, instead of refusing them.
    pub skip_short: bool,
}

/// Windows that never cross an episode (nor so a gap: an episode has none).
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    frames: &'a Frames,
    spec: WindowSpec,
    /// Episode and first frame.
    places: Vec<(usize, usize)>,
}

impl<'a> Windows<'a> {
    /// All windows of some episodes.
    ///
    /// # Errors
    /// [`Error::Config`] for a size of 0; [`Error::Data`] naming the first episode that is shorter than a window (unless
    /// short ones are skipped), and when there is no window at all.
    pub fn new(frames: &'a Frames, episodes: &[usize], spec: WindowSpec) -> Result<Self> {
        for (key, value) in [("context", spec.context), ("future", spec.future), ("stride", spec.stride)] {
            if value == 0 {
                return Err(Error::config(key, 0, "at least 1 frame"));
            }
        }
        let need = spec.context + spec.future;
        let mut places = Vec::new();
        for e in episodes {
            let episode = &frames.episodes[*e];
            let length = episode.time_secs.len();
            if length < need && !spec.skip_short {
                let expected = format!(
                    "at least {need}: {} of context and {} of future (or --skip-short, to leave such episodes out)",
                    spec.context, spec.future
                );
                return Err(Error::data(format!("frames of episode `{}`", episode.id), length, expected));
            }
            if length >= need {
                places.extend((0..=length - need).step_by(spec.stride).map(|start| (*e, start)));
            }
        }
        if places.is_empty() {
            return Err(Error::data("windows", 0, format!("an episode of at least {need} frames")));
        }
        Ok(Self { frames, spec, places })
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Never true: [`Windows::new`] refuses that.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The episode of window `i`.
    pub fn episode_of(&self, i: usize) -> usize {
        self.places[i].0
    }

    /// The first frame of window `i` in its episode.
    pub fn start_of(&self, i: usize) -> usize {
        self.places[i].1
    }

    /// Writes window `i`, z-scored, `(context + future, D)` row-major, into `out`.
    ///
    /// Channels that wrap are shifted by whole periods so that the last context frame lies within half a period of 0.
    ///
    /// # Panics
    /// When `out` has another length or `i` is out of range: errors of the caller, not of the data.
    pub fn fill(&self, i: usize, normaliser: &Normaliser, out: &mut [f32]) {
        let d = self.frames.channels.len();
        let (e, start) = self.places[i];
        let length = self.spec.context + self.spec.future;
        let mut window = self.frames.episodes[e].values[start * d..(start + length) * d].to_vec();
        anchor(&mut window, &self.frames.channels, self.spec.context - 1);
        normaliser.to_z(&mut window);
        for (out, value) in out.iter_mut().zip(window) {
            *out = value as f32;
        }
    }
}

/// Shifts channels that wrap by whole periods so that frame `at` lies within half a period of 0.
pub(crate) fn anchor(values: &mut [f64], channels: &[super::Channel], at: usize) {
    let d = channels.len();
    for (c, channel) in channels.iter().enumerate() {
        let Some(period) = channel.period else { continue };
        let turns = (values[at * d + c] / period).round() * period;
        values.iter_mut().skip(c).step_by(d).for_each(|v| *v -= turns);
    }
}
