//! The plain arrays that an evaluation works on. All motion is z-scored; all arrays are row-major.

use crate::error::{Error, Result};

/// Frames of a window in `frechet_window`.
pub(crate) const WINDOW_FRAMES: usize = 5;
/// Frames of a velocity segment in `segment_energy_distance`.
pub(crate) const SEGMENT_FRAMES: usize = 8;

/// Predicted futures of the test windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Futures<'a> {
    /// `(n, s, h, d)`.
    pub samples: &'a [f32],
    /// Windows.
    pub n: usize,
    /// Samples per window.
    pub s: usize,
    /// Predicted frames.
    pub h: usize,
    /// Channels.
    pub d: usize,
}

/// Real windows of other episodes (training ones), for the floor: what real motion scores against real motion.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reference {
    /// `(M, K, D)`, as many context frames as the test set's.
    pub context: Vec<f32>,
    /// `(M, H, D)`.
    pub future: Vec<f32>,
    /// `(M,)`: the episode of each window, any numbering.
    pub episode: Vec<usize>,
}

/// The true motion that forecasts are compared with.
#[derive(Debug, Clone)]
pub(crate) struct TestSet {
    /// `(N, K, D)`: the frames before the forecast.
    pub context: Vec<f32>,
    /// `(N, H, D)`: what really followed.
    pub truth: Vec<f32>,
    /// `(N,)`: the episode of each window, any numbering; the unit that the bootstrap resamples.
    pub episode: Vec<usize>,
    /// Context frames `K`, at least 4 (windows of 5 frames reach that far back).
    pub context_frames: usize,
    /// Predicted frames `H`, at least 8 (one segment).
    pub horizon: usize,
    /// Channels `D`.
    pub channels: usize,
    /// `(D,)`: standard deviation of the frame-to-frame difference of the z-scored *training* motion, above 0.
    pub velocity_std: Vec<f64>,
    /// Real windows for the floor, ideally as many as the test windows.
    pub reference: Reference,
}

/// Frames of context that the widest window needs.
pub(crate) const MIN_CONTEXT: usize = WINDOW_FRAMES - 1;

impl TestSet {
    /// Checks every length and that all numbers are finite.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Data`] or [`Error::NonFinite`], naming the array.
    pub fn validate(&self) -> Result<()> {
        let (k, h, d) = (self.context_frames, self.horizon, self.channels);
        let at_least = |what: &str, found: usize, least: usize| match found < least {
            true => Err(Error::data(what, found, format!("at least {least}"))),
            false => Ok(()),
        };
        at_least("context frames of the evaluation", k, MIN_CONTEXT)?;
        at_least("frames of the evaluation's horizon", h, SEGMENT_FRAMES)?;
        at_least("channels of the evaluation", d, 1)?;
        at_least("test windows", self.episode.len(), 2)?;
        at_least("reference windows", self.reference.episode.len(), 2)?;
        let (n, m) = (self.episode.len(), self.reference.episode.len());
        array("context of the test windows", &self.context, &[n, k, d])?;
        array("future of the test windows", &self.truth, &[n, h, d])?;
        array("context of the reference windows", &self.reference.context, &[m, k, d])?;
        array("future of the reference windows", &self.reference.future, &[m, h, d])?;
        if self.velocity_std.len() != d {
            let found = vec![self.velocity_std.len()];
            return Err(Error::Shape { what: "velocity_std", found, expected: format!("({d},)") });
        }
        match self.velocity_std.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
            Some(c) => Err(Error::data(format!("velocity_std of channel {c}"), self.velocity_std[c], "above 0")),
            None => Ok(()),
        }
    }

    /// Checks that `futures` belongs to these windows.
    ///
    /// # Errors
    /// As [`TestSet::validate`].
    pub(crate) fn validate_futures(&self, futures: &Futures) -> Result<()> {
        let expected = [self.episode.len(), futures.s.max(1), self.horizon, self.channels];
        let found = [futures.n, futures.s, futures.h, futures.d];
        if found != expected {
            let expected = format!("{expected:?} (windows, samples, horizon, channels of the test set)");
            return Err(Error::Shape { what: "forecast futures", found: found.to_vec(), expected });
        }
        array("forecast futures", futures.samples, &found)
    }

    pub(crate) fn true_motion(&self) -> Motion<'_> {
        Motion::new(self, &self.context, &self.truth, 1)
    }

    pub(crate) fn reference_motion(&self) -> Motion<'_> {
        Motion::new(self, &self.reference.context, &self.reference.future, 1)
    }

    /// The first sample of each window, behind the true context.
    pub(crate) fn first_samples<'a>(&'a self, futures: &Futures<'a>) -> Motion<'a> {
        self.samples(futures, 0)
    }

    /// Sample `j` of each window, behind the true context.
    pub(crate) fn samples<'a>(&'a self, futures: &Futures<'a>, j: usize) -> Motion<'a> {
        Motion::new(self, &self.context, &futures.samples[j * self.horizon * self.channels..], futures.s)
    }
}

fn array(what: &'static str, values: &[f32], shape: &[usize]) -> Result<()> {
    if values.len() != shape.iter().product::<usize>() {
        return Err(Error::Shape { what, found: vec![values.len()], expected: format!("{shape:?} numbers") });
    }
    match values.iter().find(|v| !v.is_finite()) {
        Some(value) => Err(Error::NonFinite { what: what.into(), value: f64::from(*value), step: 0 }),
        None => Ok(()),
    }
}

/// One future per window together with its context: frames `-K .. H`.
#[derive(Clone, Copy)]
pub(crate) struct Motion<'a> {
    context: &'a [f32],
    future: &'a [f32],
    samples: usize,
    context_frames: usize,
    horizon: usize,
    channels: usize,
}

impl<'a> Motion<'a> {
    fn new(set: &TestSet, context: &'a [f32], future: &'a [f32], samples: usize) -> Self {
        let (context_frames, horizon, channels) = (set.context_frames, set.horizon, set.channels);
        Self { context, future, samples, context_frames, horizon, channels }
    }

    pub(crate) fn windows(&self) -> usize {
        self.context.len() / (self.context_frames * self.channels)
    }

    /// Frame `t` of window `i`: 0 is the first predicted one, -1 the last of the context.
    pub(crate) fn frame(&self, i: usize, t: isize) -> &'a [f32] {
        let d = self.channels;
        match usize::try_from(t) {
            Ok(t) => &self.future[(i * self.samples * self.horizon + t) * d..][..d],
            Err(_) => &self.context[((i + 1) * self.context_frames - t.unsigned_abs()) * d..][..d],
        }
    }
}
