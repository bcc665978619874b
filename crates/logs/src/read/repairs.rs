//! What was mended while logs were read, counted over all files: nothing is mended without a word.

use super::table::Table;

/// How often something was mended, and where first.
#[derive(Debug, Default)]
pub(crate) struct Count {
    times: usize,
    first: String,
}

impl Count {
    /// `times` more, the first of them at a row of a table.
    pub fn add(&mut self, times: usize, table: &Table, row: usize) {
        if self.times == 0 && times > 0 {
            let line = table.lines.get(row).map_or(String::new(), |line| format!(", line {line}"));
            self.first = format!("{}{line}", table.path.display());
        }
        self.times += times;
    }
}

/// All that was mended.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    /// Rows before the row above, sorted.
    pub sorted: Count,
    /// Places where time ran backwards and another episode began.
    pub restarts: Count,
    /// Rows left out that repeated the row above.
    pub repeated: Count,
    /// Rows left out that came from a second source.
    pub second_source: Count,
    /// Rows whose stamp was moved.
    pub spread: Count,
    /// Cells interpolated.
    pub cells: Count,
    /// Steps over missing rows, interpolated.
    pub bridged: Count,
    /// Rows left out for a missing cell.
    pub left_out: Count,
    /// Gaps in time that ended an episode.
    pub gaps: Count,
}

impl Repairs {
    /// A sentence for each kind that there was.
    pub fn notes(&self) -> Vec<String> {
        let kinds = [
            (&self.sorted, "row", "out of order in time, sorted by time"),
            (&self.restarts, "time", "time ran backwards and another episode begins"),
            (&self.repeated, "row", "exactly as the row above, left out"),
            (&self.second_source, "row", "of a second source between those of the first, left out"),
            (&self.spread, "row", "at the time of another row, or nearly, spread evenly up to the next time"),
            (&self.cells, "cell", "without a number, interpolated"),
            (&self.bridged, "step", "over missing or late rows, interpolated"),
            (&self.left_out, "row", "with a cell that is no number, left out: another episode begins"),
            (&self.gaps, "gap", "in time, where another episode begins"),
        ];
        let note = |(count, what, how): (&Count, &str, &str)| {
            let plural = if count.times == 1 { "" } else { "s" };
            format!("{} {what}{plural} {how} (the first: {})", count.times, count.first)
        };
        kinds.into_iter().filter(|(count, ..)| count.times > 0).map(note).collect()
    }
}

/// For messages that tell the first one of `rows`: how many more there are.
pub(super) fn others(rows: usize) -> String {
    match rows {
        0 | 1 => String::new(),
        2 => " (and 1 more time)".into(),
        _ => format!(" (and {} more times)", rows - 1),
    }
}
