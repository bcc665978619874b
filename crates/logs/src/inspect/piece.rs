//! What a channel has in rows without a hole.

use super::episode::Stretch;

/// Values of a channel in rows that follow each other in time.
pub(super) struct Piece<'a> {
    pub stretch: &'a Stretch<'a>,
    /// Rows of the table.
    pub rows: Vec<usize>,
    pub values: Vec<f64>,
}

impl Piece<'_> {
    /// Seconds from one row of the piece to another.
    pub fn secs(&self, from: usize, to: usize) -> f64 {
        let time = &self.stretch.table.time_secs;
        time[self.rows[to]] - time[self.rows[from]]
    }
}
