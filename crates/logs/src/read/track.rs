//! Rows of a table in the order of time.

use crate::pace::Pace;

/// Rows of one recorded episode, one after the other in time.
#[derive(Debug, Clone)]
pub(super) struct Track {
    /// Which of the table's runs they are of.
    pub run: usize,
    /// Indices of the table's rows.
    pub rows: Vec<usize>,
    /// `(rows,)` seconds, ascending.
    pub time: Vec<f64>,
}

impl Track {
    /// From the second row on.
    pub fn steps(&self) -> impl Iterator<Item = f64> + '_ {
        self.time.windows(2).map(|w| w[1] - w[0])
    }

    /// Leaves out the rows that are not to be kept.
    pub fn keep(&mut self, keep: &[bool]) {
        let mut flags = keep.iter();
        self.rows.retain(|_| flags.next().copied().unwrap_or(true));
        let mut flags = keep.iter();
        self.time.retain(|_| flags.next().copied().unwrap_or(true));
    }
}

/// The pace of all tracks together.
pub(super) fn pace(tracks: &[Track]) -> Option<Pace> {
    Pace::of(&mut tracks.iter().flat_map(Track::steps).collect())
}
