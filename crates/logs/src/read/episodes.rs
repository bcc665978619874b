//! From a file's rows to its episodes: what a log must be, checked row by row.

use super::fill::fill;
use super::order::tracks;
use super::repairs::Repairs;
use super::table::{FaultKind, Run, Table};
use super::track::{Track, pace};
use super::{OnGap, ReadOptions};
use crate::error::{Error, Result};
use crate::pace::Pace;
use crate::{Episode, Gathering, Values};
use std::ops::Range;

/// So many steps in a row that are all too long, or all too short, are another rate and not gaps.
const RUN_OF_ANOTHER_RATE: usize = 10;

/// Longer gaps than this, in typical steps, are better not interpolated.
const SHORT_GAP: f64 = 10.0;

/// Over a longer gap, in typical steps, rows are never taken for missing ones: it ends the episode.
const LONGEST_KEPT: f64 = 1000.0;

/// The rate of the first episode.
pub(crate) struct Reference {
    pace: Pace,
    id: String,
}

/// The episodes of a table, named after `stem`; what is mended on the way is counted.
pub(crate) fn episodes(
    stem: &str,
    table: &mut Table,
    options: &ReadOptions,
    reference: &mut Option<Reference>,
    repairs: &mut Repairs,
) -> Result<Vec<Episode>> {
    check_cells(table, options)?;
    let tracks = tracks(table, options, repairs)?;
    for run in 0..table.runs.len() {
        check_rate(stem, table, run, &tracks, reference)?;
    }
    let pace = pace(&tracks);
    let longest = pace.map_or(f64::INFINITY, |pace| options.max_gap * pace.step);
    for track in &tracks {
        check_one_rate(table, track, pace, options)?;
    }
    if options.bridges() {
        fill(table, &tracks, longest, repairs);
    }
    let usable = usable_rows(table, options, repairs)?;
    let gaps = Gaps { table, options, pace, longest, usable };

    let (mut episodes, mut gathering) = (Vec::new(), Gathering::default());
    let mut next = tracks.iter().peekable();
    let width = table.channels.len();
    for (run, recorded) in table.runs.iter().enumerate() {
        let mut pieces = Vec::new();
        while let Some(track) = next.next_if(|track| track.run == run) {
            pieces.extend(gaps.pieces(track, &tracks, repairs)?);
        }
        let (id, split) = (id(stem, recorded), pieces.len() > 1);
        for (part, (rows, time_secs)) in pieces.into_iter().enumerate() {
            let values = match &rows[..] {
                [Rows::Kept(rows)] => table.values.part(rows.start * width..rows.end * width),
                several => {
                    let missing = vec![f64::NAN; width];
                    let row = |r: usize| &table.values[r * width..(r + 1) * width];
                    gathering.add(episodes.len(), |values| {
                        several.iter().try_for_each(|rows| match rows {
                            Rows::Kept(rows) => rows.clone().try_for_each(|r| values.extend(row(r))),
                            Rows::Missing(count) => (0..*count).try_for_each(|_| values.extend(&missing)),
                        })
                    })?;
                    Values::default()
                }
            };
            let id = if split { format!("{id}#{}", part + 1) } else { id.clone() };
            episodes.push(Episode { id, time_secs, values });
        }
    }
    gathering.finish(&mut episodes)?;
    if episodes.is_empty() {
        return Err(Error::Log {
            path: table.path.clone(),
            line: None,
            column: None,
            found: "no row in which every cell is a finite number".into(),
            expected: "at least one (a channel without values can be left out by `ignore = NAME`)".into(),
        });
    }
    Ok(episodes)
}

/// Rows that follow each other in the table, or so many that are missing.
enum Rows {
    Kept(Range<usize>),
    Missing(usize),
}

/// Rows and times of a piece of a track.
type Piece = (Vec<Rows>, Vec<f64>);

/// Adds a row to those of a piece.
fn add(rows: &mut Vec<Rows>, row: usize) {
    match rows.last_mut() {
        Some(Rows::Kept(last)) if last.end == row => last.end += 1,
        _ => rows.push(Rows::Kept(row..row + 1)),
    }
}

/// Where the tracks of a table are cut.
struct Gaps<'a> {
    table: &'a Table,
    options: &'a ReadOptions,
    pace: Option<Pace>,
    /// Longest step that is no gap, seconds.
    longest: f64,
    /// `(rows,)`: whether every cell of the row is a finite number.
    usable: Vec<bool>,
}

impl Gaps<'_> {
    /// The pieces of a track between gaps and unusable rows.
    fn pieces(&self, track: &Track, all: &[Track], repairs: &mut Repairs) -> Result<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut before: Option<usize> = None;
        for i in (0..track.rows.len()).filter(|i| self.usable[track.rows[*i]]) {
            let (row, time) = (track.rows[i], track.time[i]);
            let step = before.map(|b| time - track.time[b]);
            let gap = step.filter(|step| *step > self.longest);
            // A row left out splits the episode, however little time it took, unless missing rows are bridged.
            let adjacent = before.is_some_and(|b| b + 1 == i) || self.options.bridges();
            if let (Some((rows, times)), Some(missing)) = (pieces.last_mut(), self.missing_rows(gap)) {
                let step = step.unwrap_or_default() / (missing + 1) as f64;
                rows.push(Rows::Missing(missing));
                times.extend((0..missing).rev().map(|left| time - (left + 1) as f64 * step));
                add(rows, row);
                times.push(time);
                before = Some(i);
                continue;
            }
            match (gap, self.on_gap()) {
                (Some(step), OnGap::Error) => return Err(self.error(row, step, all)),
                (Some(_), OnGap::Split) => repairs.gaps.add(1, self.table, row),
                (None, _) => {
                    let typical = self.pace.map_or(f64::INFINITY, |pace| pace.step);
                    let missing = step.is_some_and(|step| step > 1.5 * typical);
                    if self.options.bridges() && missing {
                        repairs.bridged.add(1, self.table, row);
                    }
                }
            }
            match pieces.last_mut() {
                Some((rows, times)) if adjacent && gap.is_none() => {
                    add(rows, row);
                    times.push(time);
                }
                _ => pieces.push((vec![Rows::Kept(row..row + 1)], vec![time])),
            }
            before = Some(i);
        }
        Ok(pieces)
    }

    /// A log that is read to be filled is never refused for a gap.
    fn on_gap(&self) -> OnGap {
        if self.options.keep_missing { OnGap::Split } else { self.options.on_gap }
    }

    /// How many rows are missing in a gap of so many seconds, where they are kept as such.
    fn missing_rows(&self, gap: Option<f64>) -> Option<usize> {
        let steps = gap? / self.pace?.step;
        let kept = self.options.keep_missing && steps <= LONGEST_KEPT;
        kept.then(|| (steps.round() as usize).saturating_sub(1)).filter(|rows| *rows > 0)
    }

    fn error(&self, row: usize, step: f64, all: &[Track]) -> Error {
        let typical = self.pace.map_or(f64::INFINITY, |pace| pace.step);
        let steps = |step: f64| step / typical;
        let found = format!("a gap of {step:.6} s ({:.2} typical steps)", steps(step));
        let longest = all.iter().flat_map(Track::steps).map(steps).fold(0.0, f64::max);
        let mut ways = vec!["`on_gap = split` begins a new episode here".to_string()];
        if longest <= SHORT_GAP {
            let enough = (10.0 * longest + 0.2).ceil() / 10.0;
            ways.push(format!("`max_gap = {enough:.1}` interpolates all gaps of this log"));
        }
        if self.pace.is_some_and(|pace| !pace.even) {
            ways.push("`on_repeat = spread` spreads rows that come in bursts evenly".into());
        }
        let expected =
            format!("steps of at most {} typical steps of {typical:.6} s ({})", self.options.max_gap, ways.join("; "));
        self.table.error(row, None, found, expected)
    }
}

/// Refuses cells that nothing mends.
fn check_cells(table: &Table, options: &ReadOptions) -> Result<()> {
    for fault in &table.faults {
        let name = table.column(fault.channel);
        let expected = match (fault.kind, fault.channel) {
            (FaultKind::Text, Some(_)) => format!("a number (`ignore = {name}` leaves the column out)"),
            (FaultKind::Text, None) => "a time as a number".into(),
            _ if options.on_gap == OnGap::Error && !options.bridges() && !options.keep_missing => missing_cell(),
            _ => continue,
        };
        return Err(table.error(fault.row, fault.channel, fault.found(), expected));
    }
    Ok(())
}

fn missing_cell() -> String {
    "a finite number (`on_gap = split` leaves the row out and begins a new episode after it; `max_gap = 2.5` \
     interpolates single ones)"
        .into()
}

/// `(rows,)`: whether every cell of the row is a finite number, now that what is to be filled is filled, or is kept.
fn usable_rows(table: &Table, options: &ReadOptions, repairs: &mut Repairs) -> Result<Vec<bool>> {
    let width = table.channels.len();
    let mut usable = vec![true; table.rows()];
    for fault in table.faults.iter().filter(|fault| !options.keep_missing || fault.channel.is_none()) {
        let filled = fault.channel.is_some_and(|c| table.values[fault.row * width + c].is_finite());
        if filled || !usable[fault.row] {
            continue;
        }
        if options.on_gap == OnGap::Error {
            let expected = format!("{}; here more are missing than are interpolated", missing_cell());
            return Err(table.error(fault.row, fault.channel, fault.found(), expected));
        }
        usable[fault.row] = false;
        repairs.left_out.add(1, table, fault.row);
    }
    Ok(usable)
}

/// All recorded episodes must have the first one's rate.
fn check_rate(
    stem: &str,
    table: &Table,
    run: usize,
    tracks: &[Track],
    reference: &mut Option<Reference>,
) -> Result<()> {
    let own = tracks.iter().filter(|track| track.run == run);
    let Some(pace) = Pace::of(&mut own.flat_map(Track::steps).collect()) else { return Ok(()) };
    let id = id(stem, &table.runs[run]);
    match reference {
        None => *reference = Some(Reference { pace, id }),
        Some(Reference { pace: first, id: first_id }) if pace.differs_from(first) => {
            let found = format!("another rate in episode `{id}`, {:.6} Hz", pace.rate_hz());
            let expected = format!("{:.6} Hz within 1 %, as in episode `{first_id}`", first.rate_hz());
            return Err(table.error(table.runs[run].rows.start, None, found, expected));
        }
        Some(_) => {}
    }
    Ok(())
}

/// One episode must not change its rate.
fn check_one_rate(table: &Table, track: &Track, pace: Option<Pace>, options: &ReadOptions) -> Result<()> {
    let Some(Pace { median, step: typical, .. }) = pace else { return Ok(()) };
    let (mut side, mut length, mut begin) = (0, 0, 0);
    for (i, step) in track.steps().enumerate() {
        let now = i32::from(step > options.max_gap * median) - i32::from(step * options.max_gap < median);
        if now != side {
            (side, length, begin) = (now, 0, i + 1);
        }
        length += 1;
        if side != 0 && length >= RUN_OF_ANOTHER_RATE {
            let found =
                format!("another rate within an episode, {length} steps of about {step:.6} s one after the other");
            let expected = format!("one rate, steps of about {typical:.6} s");
            return Err(table.error(track.rows[begin], None, found, expected));
        }
    }
    Ok(())
}

pub(crate) fn id(stem: &str, run: &Run) -> String {
    run.episode.as_ref().map_or_else(|| stem.to_string(), |episode| format!("{stem}/{episode}"))
}
