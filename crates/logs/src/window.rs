//! Windows of context and future, cut from episodes.

use super::Frames;
use super::angle::whole_periods;
use super::normalise::Normaliser;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// One in so many windows leaves the pages of a large log to its file.
const PASSED: usize = 32;

/// How windows are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// Frames known, at least 1.
    pub context: usize,
    /// Frames to predict, at least 1.
    pub future: usize,
    /// Frames between the starts of neighbouring windows, at least 1.
    pub stride: usize,
    /// Whether an episode shorter than a window is passed over; otherwise it is an error.
    #[serde(default)]
    pub skip_short: bool,
}

impl WindowSpec {
    /// Frames of a window.
    pub fn frames(&self) -> usize {
        self.context + self.future
    }
}

/// An episode that is shorter than a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShortEpisode {
    /// The episode's name.
    pub id: String,
    /// Its length.
    pub frames: usize,
}

/// All windows of some episodes. None crosses the end of an episode, and an episode has no gaps.
///
/// ```
/// use ebmotion_logs::{Frames, Normaliser, ReadOptions, Recording, WindowSpec, Windows};
///
/// let log = b"time [s],x\n0.0,0\n0.1,2\n0.2,0\n0.3,2\n0.4,0\n0.5,2\n";
/// let recording = Recording::from_bytes("log.csv", log, &ReadOptions::default())?;
/// let frames = Frames::resample(&recording, None, 0.02)?;
/// let windows = Windows::new(&frames, &[0], WindowSpec { context: 2, future: 2, stride: 2, skip_short: false })?;
/// assert_eq!((windows.len(), windows.start_of(1)), (2, 2));
/// let mut window = [0f32; 4];
/// windows.fill(1, &Normaliser::fit(&frames, &[0])?, &mut window)?;
/// assert_eq!(window, [-1.0, 1.0, -1.0, 1.0]); // z-scored: mean 1, standard deviation 1
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    frames: &'a Frames,
    spec: WindowSpec,
    /// Episodes with the number of their first window.
    spans: Vec<(usize, usize)>,
    count: usize,
    short: Vec<ShortEpisode>,
}

impl<'a> Windows<'a> {
    /// Lists the windows of `episodes` (indices into `frames.episodes`), in that order and by time.
    ///
    /// # Errors
    /// [`Error::Config`] when a length or the stride of `spec` is 0; [`Error::Data`] when an index is out of range,
    /// when an episode is shorter than a window and `spec.skip_short` is off (naming it and both lengths), or when no
    /// episode yields a window.
    pub fn new(frames: &'a Frames, episodes: &[usize], spec: WindowSpec) -> Result<Self> {
        for (key, value) in [("context", spec.context), ("future", spec.future), ("stride", spec.stride)] {
            if value == 0 {
                return Err(Error::config(format!("window.{key}"), value, "a number of frames, at least 1"));
            }
        }
        let needed = spec.frames();
        let (mut spans, mut count, mut short) = (Vec::new(), 0, Vec::new());
        for &index in episodes {
            let episode = frames.episodes.get(index).ok_or_else(|| {
                Error::data("episode to cut windows from", index, format!("an index below {}", frames.episodes.len()))
            })?;
            let length = episode.time_secs.len();
            if length < needed {
                short.push(ShortEpisode { id: episode.id.clone(), frames: length });
                continue;
            }
            spans.push((index, count));
            count += (length - needed) / spec.stride + 1;
        }
        let window =
            format!("at least {needed} (a window of {} context and {} future frames)", spec.context, spec.future);
        if let (Some(first), true) = (short.first(), !spec.skip_short || count == 0) {
            let others = match short.len() - 1 {
                0 => String::new(),
                n => format!(" (and {n} more episodes are too short)"),
            };
            return Err(Error::data(
                format!("frames of episode `{}`", first.id),
                format!("{}{others}", first.frames),
                window,
            ));
        }
        if count == 0 {
            return Err(Error::data("episodes to cut windows from", 0, "at least one"));
        }
        Ok(Self { frames, spec, spans, count, short })
    }

    /// Number of windows, at least 1.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Always false: there is at least one window.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How the windows were cut.
    pub fn spec(&self) -> WindowSpec {
        self.spec
    }

    /// Channels of a window, `D`.
    pub fn channels(&self) -> usize {
        self.frames.channels.len()
    }

    /// Index in `frames.episodes` of the episode that window `i` is cut from.
    ///
    /// # Panics
    /// When `i >= len()`, as a slice does.
    pub fn episode_of(&self, i: usize) -> usize {
        self.place(i).0
    }

    /// First frame of window `i` within its episode.
    ///
    /// # Panics
    /// When `i >= len()`, as a slice does.
    pub fn start_of(&self, i: usize) -> usize {
        self.place(i).1
    }

    /// Episode and first frame of window `i`.
    fn place(&self, i: usize) -> (usize, usize) {
        assert!(i < self.count, "window {i} of {}", self.count);
        let (episode, first) = self.spans[self.spans.partition_point(|(_, first)| *first <= i) - 1];
        (episode, (i - first) * self.spec.stride)
    }

    /// The episodes that were passed over because they are shorter than a window.
    pub fn too_short(&self) -> &[ShortEpisode] {
        &self.short
    }

    /// Writes window `i` z-scored into `out`, `(context + future, D)` row-major.
    ///
    /// Channels with a period stay continuous within the window and are shifted by whole periods so that the last
    /// context frame lies in `[-period / 2, period / 2)`: the same motion gives the same window in whatever turn it
    /// was recorded.
    ///
    /// # Errors
    /// [`Error::Data`] when `i` is out of range; [`Error::Shape`] when `out` or the normaliser has another size.
    pub fn fill(&self, i: usize, normaliser: &Normaliser, out: &mut [f32]) -> Result<()> {
        if i >= self.count {
            return Err(Error::data("window", i, format!("an index below {}", self.len())));
        }
        let (index, start) = self.place(i);
        let (width, needed) = (self.channels(), self.spec.frames());
        if normaliser.channels() != width {
            let found = vec![normaliser.channels()];
            return Err(Error::Shape { what: "normaliser", found, expected: format!("{width} channels") });
        }
        if out.len() != needed * width {
            return Err(Error::Shape {
                what: "window",
                found: vec![out.len()],
                expected: format!("{}", needed * width),
            });
        }
        let values = &self.frames.episodes[index].values;
        let window = &values[start * width..(start + needed) * width];
        normaliser.to_z(window, out)?;
        let last = (self.spec.context - 1) * width;
        for (c, channel) in self.frames.channels.iter().enumerate() {
            let Some(period) = channel.period else { continue };
            let turns = whole_periods(window[last + c], period);
            for (z, value) in out.iter_mut().zip(window).skip(c).step_by(width) {
                *z = ((value - turns - normaliser.mean[c]) / normaliser.std[c]) as f32;
            }
        }
        // The kernel may map a megabyte of a file around each window.
        if i.is_multiple_of(PASSED) {
            values.release();
        }
        Ok(())
    }
}
