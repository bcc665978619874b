//! Values of many episodes, one after the other: one file at most, not one for each.

use crate::error::Result;
use crate::{Episode, Growing};
use std::ops::Range;

/// Values of episodes that do not have theirs yet.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    values: Growing,
    /// Which episode, and where its values are.
    places: Vec<(usize, Range<usize>)>,
}

impl Gathering {
    /// Adds the values of episode `episode`, which `fill` writes.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn add(&mut self, episode: usize, fill: impl FnOnce(&mut Growing) -> Result<()>) -> Result<()> {
        let begin = self.values.len();
        fill(&mut self.values)?;
        self.places.push((episode, begin..self.values.len()));
        Ok(())
    }

    /// Takes the values of `episodes` that lie in memory; `first` is the first one's number.
    ///
    /// # Errors
    /// As [`Growing::extend`].
    pub fn take(&mut self, first: usize, episodes: &mut [Episode]) -> Result<()> {
        for (number, episode) in episodes.iter_mut().enumerate().filter(|(_, episode)| !episode.values.in_file()) {
            let own = std::mem::take(&mut episode.values);
            self.add(first + number, |values| values.extend(&own))?;
        }
        Ok(())
    }

    /// Gives them to the episodes.
    ///
    /// # Errors
    /// As [`Growing::finish`].
    pub fn finish(self, episodes: &mut [Episode]) -> Result<()> {
        let values = self.values.finish()?;
        for (episode, place) in self.places {
            episodes[episode].values = values.part(place);
        }
        Ok(())
    }
}
