//! What every kind of constraint tells, and what it is told.

use super::check::Shown;
use super::place::LinkGoal;
use super::project::{ALL, Bounds};
use crate::error::Result;
use crate::forecast::ForecastConditions;
use crate::trajectory::Channel;
use std::fmt::Debug;

/// About so many observations are made of a wish in so many frames: more tell little and take time.
const ROWS: usize = 96;
const FRAMES: usize = 32;

/// Frames from one observation of a wish to the next. Of many channels not every frame is observed; each that is counts
/// for those beside it.
pub(super) fn apart(channels: usize) -> usize {
    (channels * FRAMES).div_ceil(ROWS).max(1)
}

/// A pinned cell: frame, channel and value.
pub(in crate::forecast) type Cell = (usize, usize, f64);

/// One constraint of a forecast.
pub(super) trait Kind: Debug + Send + Sync {
    /// The entry that it is of, such as `goal 2`.
    fn name(&self) -> &str;

    /// The unit of what [`Kind::missed`] tells.
    fn unit(&self) -> &str;

    /// What may be missed for it to count as met, in that unit; `None` for a wish that is met more or less.
    fn within(&self) -> Option<f64>;

    /// By how much a motion misses it, at least 0. `motion` are the frames of the history and the forecast's, `(K + H,
    /// D)`, in the channels' units.
    ///
    /// # Errors
    /// Those of placing links.
    fn missed(&self, motion: &[f64], run: &Run<'_>) -> Result<f64>;

    /// With what tells the sampler of it.
    ///
    /// # Errors
    /// Those of its energies.
    fn conditions(&self, to: ForecastConditions, run: &Run<'_>) -> Result<ForecastConditions>;

    /// Hard limits and pinned cells.
    fn bound(&self, _: &mut Hard, _: &Run<'_>) {}

    /// What leads a frame `(D,)` that misses it back: tells `push` channels, and by how much each goes, in units of its
    /// `spread` `(D,)` as little as possible. Only of channels that are `free`.
    ///
    /// # Errors
    /// Those of placing links.
    fn push(
        &self,
        _frame: &[f64],
        _spread: &[f64],
        _free: &dyn Fn(usize) -> bool,
        _push: &mut dyn FnMut(usize, f64),
    ) -> Result<()> {
        Ok(())
    }

    /// The place that a link has to reach, where it asks for one.
    fn link_goal(&self) -> Option<&LinkGoal> {
        None
    }

    /// What a picture shows of it.
    fn shown(&self, _: &Run<'_>) -> Shown {
        Shown::default()
    }
}

/// What is known when a forecast begins.
pub(in crate::forecast) struct Run<'a> {
    pub(in crate::forecast) channels: &'a [Channel],
    pub(in crate::forecast) rate_hz: f64,
    /// Frames of the forecast.
    pub(in crate::forecast) horizon: usize,
    /// `(K, D)`, in the channels' units.
    pub(in crate::forecast) history: &'a [f64],
}

impl Run<'_> {
    /// The last frame of the history but `back`, of a channel.
    pub(super) fn last(&self, back: usize, channel: usize) -> f64 {
        let d = self.channels.len();
        let frames = self.history.len() / d;
        self.history[frames.saturating_sub(1 + back) * d + channel]
    }

    /// A value of a channel that wraps, in the turn that is nearest to its last one.
    pub(super) fn turned(&self, channel: usize, value: f64) -> f64 {
        let last = self.last(0, channel);
        value - (self.channels[channel].whole_periods(value - last))
    }
}

/// What each sample keeps to the last digit.
#[derive(Debug, Clone)]
pub(in crate::forecast) struct Hard {
    /// `(D,)`: bounds on positions, velocities and accelerations, in the channel's unit a frame.
    pub(super) bounds: Vec<Bounds>,
    /// The entry that set each.
    pub(super) from: Vec<[String; 3]>,
    /// Frame, channel, value and entry of each pinned cell.
    pub(in crate::forecast) pins: Vec<(usize, usize, f64, String)>,
}

impl Hard {
    /// Narrows a bound.
    pub(super) fn narrow(&mut self, channel: usize, order: usize, [low, high]: [f64; 2], name: &str) {
        let [l, h] = self.bounds[channel][order].unwrap_or(ALL);
        self.bounds[channel][order] = Some([l.max(low), h.min(high)]);
        self.from[channel][order] = name.to_string();
    }
}
