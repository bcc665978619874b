//! Which episodes train, which steer the training, and which are kept for the report.

use super::{Frames, SplitPart};
use crate::error::{Error, Result};
use crate::noise::Noise;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

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
    /// one episode. The same frames and seed give the same split. Where a log says of each episode what it serves
    /// ([`Frames::parts`]), that is the split; a set that it does not name is drawn from those for training.
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
        let recorded = recorded(frames);
        let shares = [validation_share, test_share];
        match given(frames, &recorded) {
            Some(parts) => Self::of_parts(&recorded, &parts, shares, seed),
            None => {
                let groups: Vec<Vec<usize>> = recorded.into_iter().map(|(_, pieces)| pieces).collect();
                Self::draw("recorded episodes", &groups, shares, seed)
            }
        }
    }

    /// What [`Split::by_episode`] made of the parts that the log names, a sentence; `None` where it names none.
    pub fn told(&self, frames: &Frames) -> Option<String> {
        let recorded = recorded(frames);
        let named = recorded.iter().filter(|(id, _)| frames.parts.contains_key(*id)).count();
        let Some(parts) = given(frames, &recorded) else {
            let rest = recorded.len() - named;
            return (named > 0).then(|| {
                format!("the log's own split leaves out {rest} of {} episodes: another one is drawn", recorded.len())
            });
        };
        let drawn = |part, name| match parts.contains(&part) {
            true => String::new(),
            false => format!("; it names none for {name}: drawn from those for training"),
        };
        Some(format!(
            "the split is the log's own: {} episodes for training, {} for validation, {} for the report{}{}",
            self.train.len(),
            self.validation.len(),
            self.test.len(),
            drawn(SplitPart::Validation, "validation"),
            drawn(SplitPart::Test, "the report"),
        ))
    }

    /// The parts that a log names; one that it does not name is drawn from those for training, its share of all.
    fn of_parts(
        recorded: &[(&str, Vec<usize>)],
        parts: &[SplitPart],
        [validation_share, test_share]: [f64; 2],
        seed: u64,
    ) -> Result<Self> {
        check_shares(validation_share, test_share)?;
        let pick = |part| -> Vec<usize> { (0..parts.len()).filter(|i| parts[*i] == part).collect() };
        let order = Noise::new(seed).fork(STREAM).permutation(parts.len());
        let mut train: Vec<usize> = order.into_iter().filter(|i| parts[*i] == SplitPart::Train).collect();
        let mut filled = |part, share: f64| {
            let own = pick(part);
            let count = ((share * parts.len() as f64).round() as usize).clamp(1, train.len().max(1));
            if own.is_empty() { train.split_off(train.len().saturating_sub(count)) } else { own }
        };
        let (validation, test) = (filled(SplitPart::Validation, validation_share), filled(SplitPart::Test, test_share));
        if [&train, &validation, &test].iter().any(|part| part.is_empty()) {
            let [train, validation, test] = [train.len(), validation.len(), test.len()];
            let found = format!("{train} for training, {validation} for validation, {test} for the report");
            return Err(Error::data("the log's own split", found, "at least one episode each"));
        }
        let indices = |part: Vec<usize>| {
            let mut indices: Vec<usize> = part.iter().flat_map(|i| recorded[*i].1.iter().copied()).collect();
            indices.sort_unstable();
            indices
        };
        Ok(Self { train: indices(train), validation: indices(validation), test: indices(test) })
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
        check_shares(validation_share, test_share)?;
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

fn check_shares(validation_share: f64, test_share: f64) -> Result<()> {
    for (key, share) in [("validation_share", validation_share), ("test_share", test_share)] {
        if !(0.0..1.0).contains(&share) {
            return Err(Error::config(key, share, "a share from 0 to below 1"));
        }
    }
    if validation_share + test_share >= 1.0 {
        let found = validation_share + test_share;
        return Err(Error::config("validation_share + test_share", found, "a sum below 1"));
    }
    Ok(())
}

/// The recorded episodes, each with its pieces.
fn recorded(frames: &Frames) -> Vec<(&str, Vec<usize>)> {
    let mut recorded: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (i, episode) in frames.episodes.iter().enumerate() {
        let id = recorded_id(&episode.id);
        let place = *known.entry(id).or_insert_with(|| {
            recorded.push((id, Vec::new()));
            recorded.len() - 1
        });
        recorded[place].1.push(i);
    }
    recorded
}

/// What each recorded episode serves, where the log says it of all of them.
fn given(frames: &Frames, recorded: &[(&str, Vec<usize>)]) -> Option<Vec<SplitPart>> {
    if frames.parts.is_empty() {
        return None;
    }
    recorded.iter().map(|(id, _)| frames.parts.get(*id).copied()).collect()
}

/// Name of the recorded episode that `id` is a piece of.
pub(super) fn recorded_id(id: &str) -> &str {
    match id.rsplit_once('#') {
        Some((recorded, part)) if part.parse::<u64>().is_ok() => recorded,
        _ => id,
    }
}
