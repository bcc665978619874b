//! Rows with the same time, or nearly: stamps of too few digits, rows that arrive in bursts.

use super::repairs::Repairs;
use super::table::Table;
use super::track::{Track, pace};
use crate::pace::{median, plain};

/// Spreads rows that lie closer together than a quarter of the typical step evenly up to the next ones. Where these are
/// most rows the stamps have too few digits, or are of bursts: then all rows of a stretch without gaps lie on the
/// straight line fitted to them.
pub(super) fn spread(table: &Table, tracks: &mut [Track], repairs: &mut Repairs) {
    let Some(pace) = pace(tracks) else { return };
    for track in tracks {
        let rows = track.time.len();
        // Where rows that belong together begin; and the end.
        let apart = |i: &usize| *i == 0 || track.time[*i] - track.time[*i - 1] > 0.25 * pace.step;
        let begins: Vec<usize> = (0..rows).filter(apart).chain([rows]).collect();
        let groups: Vec<(usize, usize)> = begins.windows(2).map(|w| (w[0], w[1])).collect();
        let together = |(begin, end): &&(usize, usize)| begin + 1 < *end;
        let Some((first, _)) = groups.iter().find(together) else { continue };
        let moved = groups.iter().map(|(begin, end)| end - begin - 1).sum();
        repairs.spread.add(moved, table, track.rows[first + 1]);
        let shared: usize = groups.iter().filter(together).map(|(begin, end)| end - begin).sum();
        let line = (2 * shared >= rows).then(|| on_a_line(&track.time, &groups)).flatten();
        track.time = line.unwrap_or_else(|| within_groups(&track.time, &groups, pace.step));
    }
}

/// Every group of rows evenly up to the next one, or at `step` before a gap, which is the time of more rows than one
/// longer than the group.
fn within_groups(time: &[f64], groups: &[(usize, usize)], step: f64) -> Vec<f64> {
    let mut spread = time.to_vec();
    for (begin, end) in groups.iter().copied().filter(|(begin, end)| begin + 1 < *end) {
        let longest = ((end - begin) as f64 + 1.5) * step;
        let secs = time.get(end).map(|next| next - time[begin]).filter(|secs| *secs <= longest);
        let own = secs.map_or(step, |secs| secs / (end - begin) as f64);
        (begin..end).for_each(|i| spread[i] = time[begin] + (i - begin) as f64 * own);
    }
    spread
}

/// All rows between gaps on one straight line each, of the same slope. `None` where some row would come to lie further
/// from its stamp than two stamps are apart.
fn on_a_line(time: &[f64], groups: &[(usize, usize)]) -> Option<Vec<f64>> {
    let apart = |a: (usize, usize), b: (usize, usize)| time[b.0] - time[a.0];
    let resolution = median(&mut groups.windows(2).map(|w| apart(w[0], w[1])).collect::<Vec<f64>>())?;
    let whole = |a, b| apart(a, b) <= 1.5 * resolution;
    let stretches: Vec<(usize, usize)> =
        groups.chunk_by(|a, b| whole(*a, *b)).filter_map(|s| Some((s.first()?.0, s.last()?.1))).collect();
    let centre = |(begin, end): (usize, usize)| {
        let n = (end - begin) as f64;
        (
            0.5 * (begin + end - 1) as f64,
            time[begin..end].iter().map(|t| t - time[begin]).sum::<f64>() / n + time[begin],
        )
    };
    let (mut squares, mut products) = (0.0, 0.0);
    for stretch in &stretches {
        let (row, secs) = centre(*stretch);
        for (i, time) in (stretch.0..).zip(&time[stretch.0..stretch.1]) {
            squares += (i as f64 - row).powi(2);
            products += (i as f64 - row) * (time - secs);
        }
    }
    let slope = products / squares;
    let on_line = |slope: f64| {
        let line = |stretch: &(usize, usize)| {
            let (row, secs) = centre(*stretch);
            (stretch.0..stretch.1).map(move |i| secs + (i as f64 - row) * slope).collect::<Vec<f64>>()
        };
        stretches.iter().flat_map(line).collect::<Vec<f64>>()
    };
    let off = |line: &[f64]| line.iter().zip(time).map(|(a, b)| (a - b).abs()).collect::<Vec<f64>>();
    let variance = off(&on_line(slope)).iter().map(|off| off.powi(2)).sum::<f64>() / time.len() as f64;
    let uncertainty = 2.0 * (variance / squares).sqrt() / slope;
    let line = on_line(1.0 / plain(1.0 / slope, uncertainty.clamp(1e-6, 1e-3)));
    (slope > 0.0 && off(&line).iter().all(|off| *off <= 2.0 * resolution)).then_some(line)
}
