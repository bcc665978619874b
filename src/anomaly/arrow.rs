//! Whether a window is likelier backwards.

use super::Judge;
use crate::error::Result;
use crate::forecast::WindowArray;

/// Another score of a window less that of the window run backwards. For an energy this is the log likelihood ratio of
/// "recorded backwards" to "recorded forwards", the most powerful test between the two (Neyman and Pearson 1933).
pub struct Arrow<J>(pub J);

impl<J: Judge> Judge for Arrow<J> {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let forwards = self.0.score(windows)?;
        let backwards = self.0.score(&backwards(windows))?;
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
