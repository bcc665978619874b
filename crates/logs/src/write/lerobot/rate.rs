//! The one rate of a dataset: LeRobot knows no other time.

use crate::Recording;
use crate::error::{Error, Result};

/// LeRobot takes time stamps for those of its rate up to this, seconds.
const TOLERANCE_SECS: f64 = 1e-4;

/// Frames a second, and what is lost by it.
pub(super) struct Rate {
    pub fps: f64,
    /// Whether an episode began at another time than 0.
    moved: bool,
}

impl Rate {
    /// The whole number of frames a second, or else the number, of which all times are multiples.
    ///
    /// # Errors
    /// [`Error::Data`] for times of no such rate.
    pub fn of(recording: &Recording) -> Result<Self> {
        let spans = recording.episodes.iter().filter_map(|e| {
            let (first, last) = (e.time_secs.first()?, e.time_secs.last()?);
            Some((last - first, e.time_secs.len() - 1))
        });
        let (secs, steps) = spans.fold((0.0, 0), |(secs, steps), (s, n)| (secs + s, steps + n));
        let mean = steps as f64 / secs;
        if !(mean.is_finite() && mean > 0.0) {
            return Err(Error::data("times", "no two frames of an episode", "at least two, which tell the rate"));
        }
        let off = |fps: f64| {
            let off = recording.episodes.iter().flat_map(|e| {
                let begin = e.time_secs.first().copied().unwrap_or(0.0);
                e.time_secs.iter().enumerate().map(move |(k, time)| (time - begin - k as f64 / fps).abs())
            });
            off.fold(0.0, f64::max)
        };
        let whole = mean.round().max(1.0);
        let fps = if off(whole) <= TOLERANCE_SECS { whole } else { mean };
        let worst = off(fps);
        if worst > TOLERANCE_SECS {
            let found = format!("times up to {worst:.6} s from those of one rate ({fps:.6} Hz)");
            let expected = format!(
                "times within {TOLERANCE_SECS} s, as LeRobot asks for (`rate_hz = {}` resamples to such)",
                whole.min(fps.floor().max(1.0))
            );
            return Err(Error::data("times", found, expected));
        }
        let moved = recording.episodes.iter().any(|e| e.time_secs.first().is_some_and(|t| t.abs() > 0.0));
        Ok(Self { fps, moved })
    }

    /// What is lost.
    pub fn notes(&self) -> Vec<String> {
        let moved =
            self.moved.then(|| "LeRobot's episodes begin at 0 s: the times at which they began are lost".into());
        let part = (self.fps.fract().abs() > f64::EPSILON)
            .then(|| format!("{} frames per second is no whole number, which some tools of LeRobot expect", self.fps));
        moved.into_iter().chain(part).collect()
    }
}
