//! Which episodes train, which steer the training, and which are kept for the report.

use super::Frames;
use crate::error::{Error, Result};
use crate::noise::Noise;
use serde::{Deserialize, Serialize};

/// Parts that a split needs: for training, validation and test.
pub(super) const FEWEST: usize = 3;

/// Label of the split's own stream of random numbers.
const STREAM: u64 = 0x0073_706c_6974;

/// Indices of episodes, each in exactly one of the three sets, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Episodes to learn from, and to fit the normaliser on.
    pub train: Vec<usize>,
    /// Episodes by which a training run is judged while it runs.
    pub validation: Vec<usize>,
    /// Episodes that only the report sees.
    pub test: Vec<usize>,
}

impl Split {
    /// Draws a split by recorded episode: the pieces of an episode that gaps have split (`a/3#1`, `a/3#2`) stay
    /// together, so no set sees the same motion as another.
    ///
    /// The shares (from 0 to 1, together below 1) are shares of recorded episodes, rounded; every set gets at least
    /// one episode. The same frames and seed give the same split.
    ///
    /// ```
    /// use ebmotion_logs::{Frames, ReadOptions, Recording, Split};
    ///
    /// let rows: Vec<String> = (0..10).map(|e| format!("{e},0.0,1\n{e},0.1,2\n")).collect();
    /// let log = format!("episode,time [s],x\n{}", rows.concat());
    /// let recording = Recording::from_bytes("log.csv", log.as_bytes(), &ReadOptions::default())?;
    /// let split = Split::by_episode(&Frames::resample(&recording, None, 0.02)?, 0.1, 0.2, 7)?;
    /// assert_eq!([split.train.len(), split.validation.len(), split.test.len()], [7, 1, 2]);
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for shares out of range; [`Error::Data`] with the counts when there are fewer than three
    /// recorded episodes or the shares leave none to train on.
    pub fn by_episode(frames: &Frames, validation_share: f64, test_share: f64, seed: u64) -> Result<Self> {
        let mut recorded: Vec<(&str, Vec<usize>)> = Vec::new();
        for (i, episode) in frames.episodes.iter().enumerate() {
            let id = recorded_id(&episode.id);
            match recorded.iter_mut().find(|(known, _)| *known == id) {
                Some((_, pieces)) => pieces.push(i),
                None => recorded.push((id, vec![i])),
            }
        }
        let recorded: Vec<Vec<usize>> = recorded.into_iter().map(|(_, pieces)| pieces).collect();
        Self::draw("recorded episodes", &recorded, [validation_share, test_share], seed)
    }

    /// The same where every episode counts for itself, also those of one recorded episode: blocks that lie far enough
    /// apart, as [`Frames::in_blocks`] cuts them.
    ///
    /// # Errors
    /// As [`Split::by_episode`], for episodes.
    pub fn by_block(frames: &Frames, validation_share: f64, test_share: f64, seed: u64) -> Result<Self> {
        let blocks: Vec<Vec<usize>> = (0..frames.episodes.len()).map(|i| vec![i]).collect();
        Self::draw("blocks", &blocks, [validation_share, test_share], seed)
    }

    /// Draws which of the groups of episodes serve what.
    fn draw(what: &str, groups: &[Vec<usize>], [validation_share, test_share]: [f64; 2], seed: u64) -> Result<Self> {
        for (key, share) in [("validation_share", validation_share), ("test_share", test_share)] {
            if !(0.0..1.0).contains(&share) {
                return Err(Error::config(key, share, "a share from 0 to below 1"));
            }
        }
        if validation_share + test_share >= 1.0 {
            let found = validation_share + test_share;
            return Err(Error::config("validation_share + test_share", found, "a sum below 1"));
        }
        let n = groups.len();
        let count = |share: f64| ((share * n as f64).round() as usize).max(1);
        let (validation, test) = (count(validation_share), count(test_share));
        if n < FEWEST || validation + test >= n {
            let found = format!("{n} ({validation} for validation and {test} for test leave none to train on)");
            let found = if n < FEWEST { n.to_string() } else { found };
            let least = FEWEST.max(validation + test + 1);
            let expected = format!("at least {least}: one each for training, validation and test");
            return Err(Error::data(what, found, expected));
        }
        let order = Noise::new(seed).fork(STREAM).permutation(n);
        let pick = |positions: &[usize]| {
            let mut indices: Vec<usize> = positions.iter().flat_map(|p| groups[*p].iter().copied()).collect();
            indices.sort_unstable();
            indices
        };
        Ok(Self {
            validation: pick(&order[..validation]),
            test: pick(&order[validation..validation + test]),
            train: pick(&order[validation + test..]),
        })
    }
}

/// Name of the recorded episode that `id` is a piece of.
pub(super) fn recorded_id(id: &str) -> &str {
    match id.rsplit_once('#') {
        Some((recorded, part)) if part.parse::<u64>().is_ok() => recorded,
        _ => id,
    }
}
