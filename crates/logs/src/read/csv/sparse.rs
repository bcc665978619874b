//! Channels of several rates in one log: rows that hold those of one rate and nothing of the others.

use super::super::options::Fill;
use super::super::table::FaultKind;
use super::super::{Input, ReadOptions};
use super::sheet::{Sheet, is_empty};
use crate::error::Result;
use crate::pace::median;

/// Brings the channels to the stamps of the fastest one, as the options say.
///
/// # Errors
/// [`crate::Error::Log`] where rows hold the channels of one rate or another and nothing says how they go together, and
/// for time that runs backwards where they are to be joined.
pub(super) fn join(sheet: &mut Sheet, input: &Input, options: &ReadOptions) -> Result<()> {
    let width = sheet.width();
    let text = sheet.faults.iter().any(|fault| fault.channel.is_some() && fault.kind != FaultKind::Nan);
    if text || !sheet.values.rows(width).flatten().any(|v| v.is_nan()) {
        return Ok(());
    }
    let filled: Vec<usize> = (0..width).map(|c| sheet.column(c).filter(|v| !v.is_nan()).count()).collect();
    let most = filled.iter().copied().max().unwrap_or(0);
    let Some(fastest) = filled.iter().position(|n| *n == most) else { return Ok(()) };
    let least = filled.iter().enumerate().min_by_key(|(_, n)| **n).map_or(fastest, |(c, _)| c);
    let Some(fill) = options.fill else {
        let rows_with = |missing: &dyn Fn(f64) -> bool| {
            sheet.values.chunks_exact(width).filter(|row| row.iter().any(|v| missing(*v))).count()
        };
        // Single cells are missing, or whole rows of a single rate.
        if 2 * rows_with(&is_empty) <= sheet.rows() && (rows_with(&f64::is_nan) < sheet.rows() || most == sheet.rows())
        {
            return Ok(());
        }
        let name = |c: usize| &sheet.outputs[c].channel.name;
        let found = format!(
            "channels of several rates: of {} rows {most} hold `{}` and {} hold `{}`",
            sheet.rows(),
            name(fastest),
            filled[least],
            name(least)
        );
        let expected = "how they go together (`fill = last` takes the last value before, `fill = linear` the line \
                        between two; `channels = NAMES` takes those of one rate)";
        let row = (0..sheet.rows()).find(|r| sheet.values[r * width..(r + 1) * width].iter().any(|v| v.is_nan()));
        return Err(sheet.error(input, row.unwrap_or(0), None, found, expected.into()));
    };
    check_forward(sheet, input)?;
    let before = sheet.rows();
    let base: Vec<bool> = sheet.column(fastest).map(|v| !v.is_nan()).collect();
    let mut kept = base.clone();
    for c in (0..width).filter(|c| *c != fastest) {
        for run in 0..sheet.runs.len() {
            fill_column(sheet, c, run, &base, &mut kept, fill, options.max_gap);
        }
    }
    let Sheet { faults, values, .. } = &mut *sheet;
    faults.retain(|fault| fault.channel.is_none_or(|c| values[fault.row * width + c].is_nan()));
    sheet.keep_rows(&kept);
    if sheet.rows() == 0 {
        let found = "no time at which every channel has had a value".to_string();
        return Err(sheet.error(input, 0, None, found, "channels that overlap in time".into()));
    }
    let name = &sheet.outputs[fastest].channel.name;
    let by = match fill {
        Fill::Last => "the last value before",
        Fill::Linear => "the line between their values",
    };
    sheet.notes.push(format!(
        "the rows are the {} of {before} that hold `{name}` and lie where all channels have values; the other \
         channels are brought there by {by}",
        sheet.rows()
    ));
    Ok(())
}

fn check_forward(sheet: &Sheet, input: &Input) -> Result<()> {
    for run in &sheet.runs {
        for row in run.rows.clone().skip(1) {
            let (before, now) = (sheet.time[row - 1], sheet.time[row]);
            if now < before || now.is_nan() || before.is_nan() {
                let found = format!("{now} after {before}: time runs backwards or is missing");
                return Err(sheet.error(
                    input,
                    row,
                    Some(&sheet.time_column),
                    found,
                    "times in order, to join rates".into(),
                ));
            }
        }
    }
    Ok(())
}

/// Fills an output in the rows `base` of an episode. Rows before its first value, and with lines also after its last,
/// are not kept; a cell farther from its values than a gap may be long stays empty.
fn fill_column(sheet: &mut Sheet, c: usize, run: usize, base: &[bool], kept: &mut [bool], fill: Fill, max_gap: f64) {
    let (width, rows) = (sheet.width(), sheet.runs[run].rows.clone());
    let own: Vec<(f64, f64)> =
        rows.clone().map(|r| (sheet.time[r], sheet.values[r * width + c])).filter(|(_, v)| !v.is_nan()).collect();
    let mut steps: Vec<f64> = own.windows(2).map(|w| w[1].0 - w[0].0).filter(|s| *s > 0.0).collect();
    let longest = max_gap * median(&mut steps).unwrap_or(f64::INFINITY);
    let period = sheet.outputs[c].channel.period;
    let values = &mut *sheet.values;
    for row in rows.filter(|row| base[*row]) {
        let value = &mut values[row * width + c];
        if !value.is_nan() {
            continue;
        }
        let now = sheet.time[row];
        let after = own.partition_point(|(t, _)| *t <= now);
        *value = match (fill, after.checked_sub(1).map(|i| own[i]), own.get(after)) {
            (Fill::Last, Some((then, value)), _) if now - then <= longest => value,
            (Fill::Linear, Some((then, value)), Some((next, target))) if next - then <= longest => {
                let way = target - value;
                // An angle goes along the shorter arc.
                let way = period.map_or(way, |p| way - p * (way / p).round());
                value + way * (now - then) / (next - then)
            }
            (Fill::Last, Some(_), _) | (Fill::Linear, Some(_), Some(_)) => *value,
            (Fill::Linear, Some((then, own)), None) if now <= then => own,
            _ => {
                kept[row] = false;
                *value
            }
        };
    }
}
