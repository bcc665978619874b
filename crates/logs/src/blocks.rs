//! Few long logs cut in time, so that each part can serve something of its own.

use super::split::{FEWEST, recorded_id};
use super::{Episode, Frames};
use crate::error::{Error, Result};

/// Blocks that a log is cut into at most: what is left out between them grows with their number.
const MOST: usize = 10;
/// A block more for every so many guards of frames.
const LENGTH: usize = 10;

impl Frames {
    /// Number of recorded episodes; pieces that gaps have split (`a/3#1`, `a/3#2`) are one.
    pub fn recorded_episodes(&self) -> usize {
        let mut ids: Vec<&str> = self.episodes.iter().map(|e| recorded_id(&e.id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }

    /// Cuts every stretch without gaps into blocks of nearly one length, 3 to 10 of them in all (more where there are
    /// more stretches), with at least `guard` frames left out between two blocks of a recorded episode: no window of
    /// that length shares motion with another block. Stretches of fewer frames than that are left out. The blocks are
    /// named as pieces are, `log#1`, `log#2`, in the order of time, and depend on nothing but the frames and `guard`.
    /// A note says what was done.
    ///
    /// ```
    /// use ebmotion_logs::{Frames, ReadOptions, Recording, Split};
    ///
    /// let rows: Vec<String> = (0..1000).map(|k| format!("{:.2},{k}\n", f64::from(k) * 0.02)).collect();
    /// let log = format!("time [s],x\n{}", rows.concat());
    /// let recording = Recording::from_bytes("log.csv", log.as_bytes(), &ReadOptions::default())?;
    /// let blocks = Frames::resample(&recording, None, 0.02)?.in_blocks(40)?;
    /// assert_eq!(blocks.episodes.len(), 3);
    /// assert_eq!((blocks.episodes[0].values[305], blocks.episodes[1].values[0]), (305.0, 346.0)); // 40 between
    /// assert_eq!(Split::by_block(&blocks, 0.1, 0.2, 7)?.test.len(), 1);
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for a guard of 0; [`Error::Data`] with the counts where there are not three blocks of at least
    /// `guard` frames.
    pub fn in_blocks(mut self, guard: usize) -> Result<Self> {
        if guard == 0 {
            return Err(Error::config("guard", guard, "a number of frames, at least 1"));
        }
        let recorded = self.recorded_episodes();
        let (stretches, short) = self.stretches(guard);
        let all: usize = stretches.iter().map(|s| s.frames).sum();
        let wanted = (all / (LENGTH * guard)).clamp(FEWEST, MOST);
        let count_of = |length: usize, stretch: &Stretch| ((stretch.frames + guard) / (length + guard)).max(1);
        let blocks_of = |length: usize| -> usize { stretches.iter().map(|s| count_of(length, s)).sum() };
        let mut length = (all.saturating_sub((wanted - 1) * guard) / wanted).max(guard);
        // Stretches that are no multiple of the length leave fewer blocks.
        while blocks_of(length) < wanted && length > guard {
            length = (length - length / 16 - 1).max(guard);
        }
        let (count, blocks) = (|stretch: &Stretch| count_of(length, stretch), blocks_of(length));
        if blocks < FEWEST {
            let found = format!("{recorded} with {all} frames");
            let expected = format!(
                "at least {FEWEST}: one each for training, validation and test; or at least {} frames, to cut them \
                 into {FEWEST} blocks of {guard} with as many left out in between",
                (2 * FEWEST - 1) * guard
            );
            return Err(Error::data("recorded episodes", found, expected));
        }
        let mut episodes: Vec<Episode> = Vec::with_capacity(blocks);
        for stretch in &stretches {
            let (parts, id) = (count(stretch), recorded_id(&self.episodes[stretch.episode].id));
            let own = stretch.frames - (parts - 1) * guard;
            for part in 0..parts {
                // Whole frames, none lost: the blocks differ by one at most.
                let begin = stretch.begin + own * part / parts + guard * part;
                let end = stretch.begin + own * (part + 1) / parts + guard * part;
                let number = 1 + episodes.iter().filter(|e| recorded_id(&e.id) == id).count();
                episodes.push(self.part(stretch.episode, begin..end, format!("{id}#{number}")));
            }
        }
        let secs = |frames: usize| frames as f64 / self.rate_hz;
        let left_out = match short {
            0 => String::new(),
            n => format!("; {n} shorter than that left out"),
        };
        self.notes.push(format!(
            "{recorded} recorded episode{}: cut in time into {blocks} blocks of about {:.2} s, at least {:.2} s \
             ({guard} frames) apart{left_out}",
            if recorded == 1 { "" } else { "s" },
            secs(all.saturating_sub((blocks - 1) * guard) / blocks),
            secs(guard),
        ));
        self.episodes = episodes;
        self.parts.clear();
        Ok(self)
    }

    /// What is to be cut, and how many pieces are too short. Of a piece that follows another one of its recorded
    /// episode closely, the first frames are left out.
    fn stretches(&self, guard: usize) -> (Vec<Stretch>, usize) {
        let (mut stretches, mut short) = (Vec::new(), 0);
        let mut before: Option<(&str, f64)> = None;
        for (i, episode) in self.episodes.iter().enumerate() {
            let (Some(first), Some(last)) = (episode.time_secs.first(), episode.time_secs.last()) else { continue };
            let id = recorded_id(&episode.id);
            let apart = match before {
                Some((same, end)) if same == id => ((first - end) * self.rate_hz).round().max(1.0) - 1.0,
                _ => f64::INFINITY,
            };
            let begin = if apart < guard as f64 { guard - apart as usize } else { 0 };
            match episode.time_secs.len().checked_sub(begin).filter(|frames| *frames >= guard) {
                Some(frames) => stretches.push(Stretch { episode: i, begin, frames }),
                None => short += 1,
            }
            before = Some((id, *last));
        }
        (stretches, short)
    }

    fn part(&self, episode: usize, frames: std::ops::Range<usize>, id: String) -> Episode {
        let (episode, width) = (&self.episodes[episode], self.channels.len());
        Episode {
            id,
            time_secs: episode.time_secs[frames.clone()].to_vec(),
            values: episode.values.part(frames.start * width..frames.end * width),
        }
    }
}

/// Frames of an episode without gaps.
struct Stretch {
    episode: usize,
    begin: usize,
    frames: usize,
}
