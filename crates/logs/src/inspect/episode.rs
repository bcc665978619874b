//! The time stamps of one recorded episode.

use super::{EpisodeReport, GapReport};
use crate::pace::Pace;
use crate::read::episode_id;
use crate::read::table::{Run, Table};

/// A recorded episode while it is looked at.
pub(super) struct Stretch<'a> {
    pub id: String,
    pub table: &'a Table,
    pub run: &'a Run,
    pub pace: Option<Pace>,
    /// Rows with a finite time, sorted by it.
    sorted: Vec<usize>,
    /// `moved[i]`: channels that changed in all steps up to row `i` of the run, counted together.
    moved: Vec<usize>,
}

impl<'a> Stretch<'a> {
    pub fn new(stem: &str, table: &'a Table, run: &'a Run) -> Self {
        let time = &table.time_secs;
        let mut sorted: Vec<usize> = run.rows.clone().filter(|row| time[*row].is_finite()).collect();
        sorted.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
        let pace = Pace::of(&mut sorted.windows(2).map(|w| time[w[1]] - time[w[0]]).collect());
        let width = table.channels.len();
        let mut moved = vec![0; run.rows.len()];
        for (i, row) in run.rows.clone().enumerate().skip(1) {
            let two = &table.values[(row - 1) * width..(row + 1) * width];
            let changed = two[..width].iter().zip(&two[width..]).filter(|(a, b)| (*a - *b).abs() > 0.0).count();
            moved[i] = moved[i - 1] + changed;
        }
        Self { id: episode_id(stem, run), table, run, pace, sorted, moved }
    }

    /// Whether any channel changes between two rows of the table.
    pub fn moves(&self, first: usize, last: usize) -> bool {
        let start = self.run.rows.start;
        self.moved[last - start] > self.moved[first - start]
    }

    pub fn report(&self, max_gap: f64) -> EpisodeReport {
        let (time, lines) = (&self.table.time_secs, &self.table.lines);
        let ends = self.sorted.first().zip(self.sorted.last());
        let median = self.pace.map(|p| p.median);
        // Steps in time order, each with the rows around it.
        let steps = || self.sorted.windows(2).map(|w| (w[0], w[1], time[w[1]] - time[w[0]]));
        let gaps = median.and_then(|median| {
            let gaps = || steps().filter(|(_, _, step)| *step > max_gap * median);
            let (from, to, longest) = gaps().max_by(|a, b| a.2.total_cmp(&b.2))?;
            Some(GapReport {
                count: gaps().count(),
                missing_frames: gaps().map(|(_, _, step)| (step / median).round() as usize - 1).sum(),
                longest_secs: longest,
                longest_line: lines[to],
                longest_from_secs: time[from],
            })
        });
        let close = 0.5 * median.unwrap_or(f64::MIN_POSITIVE);
        // The later row in the file is the repetition.
        let repeated: Vec<usize> = steps().filter(|(.., step)| *step < close).map(|(a, b, _)| a.max(b)).collect();
        let in_file_order: Vec<usize> = self.run.rows.clone().filter(|row| time[*row].is_finite()).collect();
        let backwards: Vec<usize> =
            in_file_order.windows(2).filter(|w| time[w[1]] < time[w[0]]).map(|w| w[1]).collect();
        EpisodeReport {
            id: self.id.clone(),
            path: self.table.source.path.clone(),
            rows: self.run.rows.len(),
            duration_secs: ends.map_or(0.0, |(a, b)| time[*b] - time[*a]),
            rate_hz: median.map(|m| 1.0 / m),
            jitter: self.pace.map(|p| p.spread / p.median),
            gaps,
            backwards: backwards.len(),
            backwards_line: backwards.first().map(|r| lines[*r]),
            repeated: repeated.len(),
            repeated_line: repeated.iter().min().map(|r| lines[*r]),
            bad_times: self.run.rows.len() - self.sorted.len(),
        }
    }
}
