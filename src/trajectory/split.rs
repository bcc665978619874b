//! Episodes for training, validation and test.

use super::Frames;
use crate::error::{Error, Result};
use crate::noise::Noise;

/// Which episode serves what; indices into [`Frames::episodes`], each set ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Learned from.
    pub train: Vec<usize>,
    /// Chosen by.
    pub validation: Vec<usize>,
    /// Judged by, and by nothing else.
    pub test: Vec<usize>,
}

impl Split {
    /// Splits at random by *recorded* episode: the pieces that a gap has left of one stay together.
    ///
    /// # Errors
    /// [`Error::Config`] for shares that are not positive or leave nothing; [`Error::Data`] for fewer than three episodes.
    pub fn by_episode(frames: &Frames, validation_share: f64, test_share: f64, seed: u64) -> Result<Self> {
        let shares = [("data.validation_share", validation_share), ("data.test_share", test_share)];
        for (key, share) in shares {
            if !(share > 0.0 && validation_share + test_share < 1.0) {
                return Err(Error::config(key, share, "a positive share; validation and test together below 1"));
            }
        }
        let origin = |i: usize| frames.episodes[i].id.split('#').next().unwrap_or_default();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for i in 0..frames.episodes.len() {
            match groups.last_mut().filter(|g| origin(g[0]) == origin(i)) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        let n = groups.len();
        if n < 3 {
            return Err(Error::data("episodes", n, "at least 3: one each for training, validation and test"));
        }
        let count = |share: f64| ((n as f64 * share).round() as usize).max(1);
        let test = count(test_share).min(n - 2);
        let validation = count(validation_share).min(n - 1 - test);
        let order = Noise::new(seed).permutation(n);
        let pick = |ranks: &[usize]| {
            let mut episodes: Vec<usize> = ranks.iter().flat_map(|g| &groups[*g]).copied().collect();
            episodes.sort_unstable();
            episodes
        };
        Ok(Self {
            test: pick(&order[..test]),
            validation: pick(&order[test..test + validation]),
            train: pick(&order[test + validation..]),
        })
    }
}
