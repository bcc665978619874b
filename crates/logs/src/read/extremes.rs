//! Values that no sensor gives: beyond all measure beside the others of their channel.

use super::table::Table;
use crate::error::Result;

/// How many spreads of a channel its values may lie apart.
const MOST: f64 = 1e9;
/// How many values tell a channel's spread.
const SAMPLE: usize = 1001;

/// Checks that no value lies farther from the median of its channel than [`MOST`] times the range of the middle half,
/// the size of the median, and 1. A value that is that far beside the range alone is told: a robot that rests in nearly
/// all rows has such values by right.
///
/// # Errors
/// [`crate::Error::Log`] naming the value and its place.
pub(super) fn check(table: &mut Table) -> Result<()> {
    let width = table.channels.len();
    let each = table.rows().div_ceil(SAMPLE).max(1);
    let (mut lows, mut highs) = (vec![f64::INFINITY; width], vec![f64::NEG_INFINITY; width]);
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); width];
    for (number, row) in table.values.rows(width).enumerate() {
        if number.is_multiple_of(each) {
            samples.iter_mut().zip(row).filter(|(_, v)| v.is_finite()).for_each(|(sample, v)| sample.push(*v));
        }
        // What is no number is neither the least nor the largest.
        lows.iter_mut().zip(row).for_each(|(low, v)| *low = low.min(*v));
        highs.iter_mut().zip(row).for_each(|(high, v)| *high = high.max(*v));
    }
    for (c, ((low, high), mut sample)) in lows.into_iter().zip(highs).zip(samples).enumerate() {
        sample.sort_unstable_by(f64::total_cmp);
        let Some(last) = sample.len().checked_sub(1) else { continue };
        let median = sample[last / 2];
        let half = sample[3 * last / 4] - sample[last / 4];
        let beyond = |v: f64, spread: f64| (v - median).abs() / spread > MOST;
        let first = |spread: f64| (0..table.rows()).find(|row| beyond(table.values[row * width + c], spread));
        let shown = |row: usize, spread: f64| {
            let value = table.values[row * width + c];
            (
                value,
                format!(
                    "`{value:e}`, {:.0e} times the channel's spread from its median {median:e}",
                    (value - median).abs() / spread
                ),
            )
        };
        let large = half.max(median.abs()).max(1.0);
        let name = &table.channels[c].name;
        if beyond(low, large) || beyond(high, large) {
            let row = first(large).unwrap_or_default();
            let (value, found) = shown(row, if half > 0.0 { half } else { large });
            let expected = format!(
                "a value that can be measured (`missing = {value:e}` takes it for a missing one, `ignore = {name}` \
                 leaves the column out)"
            );
            return Err(table.error(row, Some(c), found, expected));
        }
        if half > 0.0 && (beyond(low, half) || beyond(high, half)) {
            let row = first(half).unwrap_or_default();
            let note = format!("`{name}` holds {} at line {}", shown(row, half).1, table.lines[row]);
            table.notes.push(note);
        }
    }
    Ok(())
}
