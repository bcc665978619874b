//! Whether a window is likelier backwards.

use super::energy::{ShapeEnergy, WindowEnergy, has_energy};
use super::score::{AnomalyScore, ScoreSpec};
use crate::error::Result;
use crate::forecast::{Model, WindowArray};

/// Another score of a window less that of the window run backwards. For an energy this is the log likelihood ratio of
/// "recorded backwards" to "recorded forwards", the most powerful test between the two (Neyman and Pearson 1933).
pub(super) struct TimeReversal<J> {
    /// The other score.
    pub(super) score: J,
    /// Frames at the start of a window that it sees but does not score, and those that it scores at once: where the
    /// window is long enough, only frames are counted that are scored in both directions, so that what happens at the
    /// ends does not count as direction.
    pub(super) frames: (usize, usize),
}

/// Of the model's energy.
pub(super) static SPEC: ScoreSpec = ScoreSpec { fit: |model, _| reversal(model), restore: |model, _| reversal(model) };

fn reversal(model: &Model) -> Result<Option<Box<dyn AnomalyScore + '_>>> {
    let frames = model.info().config.model.frames();
    Ok(match model.level() {
        Some(level) => Some(Box::new(TimeReversal { score: ShapeEnergy(level), frames })),
        None if has_energy(model)? => Some(Box::new(TimeReversal { score: WindowEnergy(model.forecaster()), frames })),
        None => None,
    })
}

impl<J: AnomalyScore> AnomalyScore for TimeReversal<J> {
    fn name(&self) -> &'static str {
        "time_reversal"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (context, chunk) = self.frames;
        let seen = match windows.context + windows.future {
            all if all >= 2 * context + chunk => all - context,
            all => all,
        };
        let first = |w: &WindowArray| WindowArray { values: w.cut(0, seen), future: seen - w.context, ..*w };
        let forwards = self.score.score(&first(windows))?;
        let backwards = self.score.score(&first(&backwards(windows)))?;
        Ok(forwards.iter().zip(backwards).map(|(f, b)| f - b).collect())
    }
}

/// The same windows with their frames in the opposite order.
pub(super) fn backwards(windows: &WindowArray) -> WindowArray {
    let d = windows.channels;
    let width = (windows.context + windows.future) * d;
    let values = windows.values.chunks_exact(width).flat_map(|w| w.chunks_exact(d).rev().flatten()).copied().collect();
    WindowArray { values, ..*windows }
}
