//! Values that training never came near: another unit, a wrong reading.

use super::Model;
use crate::trajectory::{Episode, Frames};
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::ops::Range;

/// A value lies far outside when it is further from the range seen than that is wide, this many times.
const FAR: f64 = 1.0;
/// The least width of a range, as a share of its largest value: a channel that stood still has none of its own.
const LEAST_WIDTH: f64 = 1e-3;

/// A channel with values far outside the range that training saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unfamiliar {
    /// The channel.
    pub channel: String,
    /// Its value furthest outside, in its unit.
    pub value: f64,
    /// Lowest and highest value in training and validation.
    pub seen: [f64; 2],
    /// How far outside, in widths of that range.
    pub widths: f64,
    /// Episode of that value.
    pub episode: String,
    /// Its time in the log, seconds.
    pub time_secs: f64,
    /// Frames of this channel that lie far outside.
    pub frames: usize,
}

impl Display for Unfamiliar {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        let Self { channel, value, seen: [low, high], widths, episode, time_secs, frames } = self;
        let by = match *widths {
            w if w < 1e6 => format!("{w:.1} times the width of that range"),
            _ => "far more than that range is wide".into(),
        };
        write!(
            f,
            "channel `{channel}`: {value:.6} at {time_secs:.3} s of `{episode}` lies far outside what training saw \
             ({low:.6} to {high:.6}), by {by}"
        )?;
        if *frames > 1 {
            write!(f, ", and {} more frames do", frames - 1)?;
        }
        write!(f, ": another unit, or a wrong reading?")
    }
}

impl Model {
    /// The channels of `frames` with values far outside what training saw, each told by its worst value: degrees for
    /// radians, a wrong reading. Frames `rows` of each of `episodes` are looked at, as far as there are so many.
    /// Channels that wrap are never outside; a model file of before that range was kept tells nothing.
    pub fn unfamiliar(&self, frames: &Frames, episodes: Range<usize>, rows: Range<usize>) -> Vec<Unfamiliar> {
        let info = self.info();
        let mut found: Vec<Option<Unfamiliar>> = vec![None; info.seen_range.len()];
        let width = frames.channels.len();
        if width != found.len() {
            return Vec::new();
        }
        for episode in frames.episodes.get(episodes).unwrap_or_default() {
            for (t, row) in episode.values.chunks_exact(width).enumerate().take(rows.end).skip(rows.start) {
                for (c, value) in row.iter().enumerate().filter(|(c, _)| info.channels[*c].period.is_none()) {
                    note(&mut found[c], &info.channels[c].name, info.seen_range[c], *value, (episode, t));
                }
            }
        }
        found.into_iter().flatten().collect()
    }
}

/// Counts `value` where it lies far outside `seen`, and keeps the worst.
fn note(worst: &mut Option<Unfamiliar>, channel: &str, seen: [f64; 2], value: f64, (episode, t): (&Episode, usize)) {
    let [low, high] = seen;
    let width = (high - low).max(LEAST_WIDTH * low.abs().max(high.abs()));
    let outside = (low - value).max(value - high);
    if outside <= FAR * width {
        return;
    }
    let frames = worst.as_ref().map_or(0, |w| w.frames) + 1;
    // A channel that was always 0 has no width.
    let widths = if width > 0.0 { outside / width } else { f64::MAX };
    let further = worst.as_ref().is_none_or(|w| widths > w.widths);
    match worst {
        Some(kept) if !further => kept.frames = frames,
        _ => {
            *worst = Some(Unfamiliar {
                channel: channel.into(),
                value,
                seen,
                widths,
                episode: episode.id.clone(),
                time_secs: episode.time_secs.get(t).copied().unwrap_or_default(),
                frames,
            });
        }
    }
}
