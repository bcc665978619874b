//! Whether a window is likelier backwards.

use super::Judge;
use crate::error::Result;
use crate::forecast::WindowArray;

/// Another score of a window less that of the window run backwards. For an energy this is the log likelihood ratio of
/// "recorded backwards" to "recorded forwards", the most powerful test between the two (Neyman and Pearson 1933).
pub struct Arrow<J> {
    /// The other score.
    pub judge: J,
    /// Frames at the start of a window that it sees but does not judge, and those that it judges at once: where the window is long
    /// enough, only frames are counted that are judged in both directions, so that what happens at the ends does not count as
    /// direction.
    pub frames: (usize, usize),
}

impl<J: Judge> Judge for Arrow<J> {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (context, chunk) = self.frames;
        let seen = match windows.context + windows.future {
            all if all >= 2 * context + chunk => all - context,
            all => all,
        };
        let first = |w: &WindowArray| WindowArray { values: w.cut(0, seen), future: seen - w.context, ..*w };
        let forwards = self.judge.score(&first(windows))?;
        let backwards = self.judge.score(&first(&backwards(windows)))?;
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
