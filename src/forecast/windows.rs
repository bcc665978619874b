//! Windows of z-scored frames as one array.

use crate::error::Result;
use crate::trajectory::{Normaliser, WindowSpec, Windows};

/// Windows of z-scored frames, `(N, context + future, D)` row-major.
///
/// ```
/// use ebmotion::forecast::WindowArray;
///
/// // Two windows of three frames of two channels; the last frame is to be predicted.
/// let values = (0..12).map(|v| v as f32).collect();
/// let windows = WindowArray { values, context: 2, future: 1, channels: 2 };
/// assert_eq!(windows.len(), 2);
/// assert_eq!(windows.cut(2, 1), [4.0, 5.0, 10.0, 11.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WindowArray {
    /// The numbers.
    pub values: Vec<f32>,
    /// Context frames a window.
    pub context: usize,
    /// Future frames a window.
    pub future: usize,
    /// Channels.
    pub channels: usize,
}

impl WindowArray {
    /// Listed windows, z-scored.
    ///
    /// # Errors
    /// As [`Windows::fill`].
    pub fn filled(windows: &Windows<'_>, normaliser: &Normaliser) -> Result<Self> {
        Self::some(windows, normaliser, 0..windows.len())
    }

    /// Those of listed windows with the numbers `which`, z-scored.
    ///
    /// # Errors
    /// As [`Windows::fill`].
    pub(crate) fn some(
        windows: &Windows<'_>,
        normaliser: &Normaliser,
        which: impl ExactSizeIterator<Item = usize>,
    ) -> Result<Self> {
        let WindowSpec { context, future, .. } = windows.spec();
        let channels = windows.channels();
        let width = (context + future) * channels;
        let mut values = vec![0f32; which.len() * width];
        for (i, out) in which.zip(values.chunks_exact_mut(width)) {
            windows.fill(i, normaliser, out)?;
        }
        Ok(Self { values, context, future, channels })
    }

    /// At most `most` of listed windows, those that lie evenly over all: [`WindowArray::thinned`], without the others.
    ///
    /// # Errors
    /// As [`Windows::fill`].
    pub(crate) fn evenly(windows: &Windows<'_>, normaliser: &Normaliser, most: usize) -> Result<Self> {
        let (n, kept) = (windows.len(), most.min(windows.len()));
        Self::some(windows, normaliser, (0..kept).map(|i| i * n / kept))
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.values.len() / ((self.context + self.future) * self.channels)
    }

    /// True where there is no window.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `frames` frames of each window from frame `from` on, `(N, frames, D)` row-major.
    pub fn cut(&self, from: usize, frames: usize) -> Vec<f32> {
        let (d, width) = (self.channels, (self.context + self.future) * self.channels);
        self.values.chunks_exact(width).flat_map(|w| &w[from * d..(from + frames) * d]).copied().collect()
    }

    /// The `count` windows that lie evenly over all, so that every episode keeps its share.
    pub fn thinned(&self, count: usize) -> WindowArray {
        let width = (self.context + self.future) * self.channels;
        let n = self.len();
        let kept = count.min(n);
        let values = (0..kept).flat_map(|i| &self.values[i * n / kept * width..][..width]).copied().collect();
        WindowArray { values, ..*self }
    }
}
