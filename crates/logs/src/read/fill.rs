//! Cells without a number between others: interpolated where that was asked for.

use super::repairs::Repairs;
use super::table::Table;
use super::track::Track;
use crate::angle::whole_periods;

/// Fills cells without a number linearly in time, along the shorter arc where a channel wraps, where the two numbers
/// around them are at most `longest` seconds apart.
pub(super) fn fill(table: &mut Table, tracks: &[Track], longest: f64, repairs: &mut Repairs) {
    let width = table.channels.len();
    let mut channels: Vec<usize> = table.faults.iter().filter_map(|fault| fault.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    if channels.is_empty() {
        return;
    }
    for channel in channels {
        let period = table.channels[channel].period;
        for track in tracks {
            let mut before: Option<usize> = None;
            for i in 0..track.rows.len() {
                let cell = |i: usize| track.rows[i] * width + channel;
                if !table.values[cell(i)].is_finite() {
                    continue;
                }
                let Some(from) = before.replace(i).filter(|from| from + 1 < i) else { continue };
                let secs = track.time[i] - track.time[from];
                if secs > longest {
                    continue;
                }
                let begin = table.values[cell(from)];
                let mut change = table.values[cell(i)] - begin;
                if let Some(period) = period {
                    change -= whole_periods(change, period);
                }
                for between in from + 1..i {
                    let share = (track.time[between] - track.time[from]) / secs;
                    table.values[cell(between)] = begin + share * change;
                }
                repairs.cells.add(i - from - 1, table, track.rows[from + 1]);
            }
        }
    }
}
