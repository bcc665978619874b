//! The pace of an episode: its step, how it scatters, where rows are missing.

use crate::pace::median;

/// Rows over which the step is measured: a multiple of the batches in which rows come.
const SPAN: usize = 12;
/// A step this many times the usual one may leave rows out.
const LONG: f64 = 1.5;
/// Rows before and after a long step by which it is told from one that is made up for.
const AROUND: usize = 6;

/// Missing rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hole {
    /// The row before.
    pub before: usize,
    /// The row after.
    pub after: usize,
    /// From the one to the other, seconds.
    pub secs: f64,
    /// Rows that are missing.
    pub missing: usize,
}

/// The usual step of rows at `times`, seconds, each section ascending: robust against missing rows, rounding, batches
/// and scatter. `None` without two different times.
pub(super) fn step(sections: &[Vec<f64>]) -> Option<f64> {
    let steps: Vec<f64> = sections.iter().flat_map(|s| s.windows(2).map(|w| w[1] - w[0])).collect();
    let lattice = lattice(&steps);
    let longest = sections.iter().map(Vec::len).max()?;
    // Of a few rows so many would hold the holes that they are to be robust against.
    let span = SPAN.min((longest.checked_sub(1).filter(|n| *n > 0)? / 3).max(1));
    let spans = |s: &Vec<f64>| s.windows(span + 1).map(|w| (w[span] - w[0]) / span as f64).collect::<Vec<_>>();
    let mut means: Vec<f64> = sections.iter().flat_map(spans).collect();
    let mean = median(&mut means).filter(|step| *step > 0.0).or_else(|| {
        let positive = steps.iter().copied().filter(|s| *s > 0.0);
        let sum: f64 = positive.sum();
        (sum > 0.0).then(|| sum / steps.len() as f64)
    });
    // Where most of the rows of a lattice were missing, it is one of batches.
    lattice.zip(mean).filter(|(step, mean)| *mean <= 2.0 * step).map(|(step, _)| step).or(mean)
}

/// The step of which nearly all are whole multiples, where many are that step itself: rows are missing, and the mean
/// step is too long.
fn lattice(steps: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = steps.iter().copied().filter(|s| *s > 0.0).collect();
    if sorted.is_empty() || (sorted.len() as f64) < 0.95 * steps.len() as f64 {
        return None;
    }
    sorted.sort_by(f64::total_cmp);
    let low = sorted[sorted.len() / 10];
    let own: Vec<f64> = sorted.iter().copied().filter(|s| (s / low - 1.0).abs() < 0.1).collect();
    if (own.len() as f64) < 0.3 * sorted.len() as f64 {
        return None;
    }
    let step = own.iter().sum::<f64>() / own.len() as f64;
    let whole = |s: &&f64| {
        let times = **s / step;
        times.round() >= 1.0 && (times - times.round()).abs() < 0.05
    };
    let fitting = sorted.iter().filter(whole).count();
    (fitting as f64 >= 0.95 * sorted.len() as f64).then_some(step)
}

/// Where rows of a section are missing. A long step that the steps around it make up for (jitter, batches) is none.
pub(super) fn holes(rows: &[usize], time: &[f64], step: f64) -> Vec<Hole> {
    let at = |i: usize| time[rows[i]];
    let long: Vec<usize> = (1..rows.len()).filter(|i| at(*i) - at(i - 1) > LONG * step).collect();
    // The time of row `i` less that which it would have without holes.
    let phase = |i: usize| at(i) - at(0) - i as f64 * step;
    // Their median, and how far they lie apart.
    let phases = |range: std::ops::Range<usize>| {
        let mut all: Vec<f64> = range.map(phase).collect();
        let (least, most) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        (median(&mut all).unwrap_or(0.0), most - least)
    };
    let mut holes = Vec::new();
    for (k, i) in long.iter().copied().enumerate() {
        let from = if k == 0 { 0 } else { long[k - 1] };
        let to = long.get(k + 1).copied().unwrap_or(rows.len());
        let (before, spread_before) = phases(from.max(i.saturating_sub(AROUND))..i);
        let (after, spread_after) = phases(i..to.min(i + AROUND));
        let shift = after - before;
        if shift <= spread_before.max(spread_after) {
            continue;
        }
        // Less than most of a step is scatter of the few rows around.
        let missing = (shift / step + 0.4).floor();
        if missing >= 1.0 {
            let (before, after) = (rows[i - 1], rows[i]);
            holes.push(Hole { before, after, secs: at(i) - at(i - 1), missing: missing as usize });
        }
    }
    holes
}

/// Standard deviation of the steps that are not holes, as a share of the step; `None` without any.
pub(super) fn jitter(sections: &[Vec<f64>], holes: &[Hole], time: &[f64], step: f64) -> Option<f64> {
    let gone: Vec<f64> = holes.iter().map(|h| time[h.after]).collect();
    let (mut sum, mut count) = (0.0, 0_usize);
    for section in sections {
        // After a repeated stamp the step makes up for it.
        let mut same = false;
        for pair in section.windows(2) {
            let made_up = std::mem::replace(&mut same, pair[1] - pair[0] <= 0.0);
            let is_hole = gone.binary_search_by(|t| t.total_cmp(&pair[1])).is_ok();
            if !is_hole && !same && !made_up {
                sum += ((pair[1] - pair[0]) / step - 1.0).powi(2);
                count += 1;
            }
        }
    }
    (count > 0).then(|| (sum / count as f64).sqrt())
}

/// The coarsest power of ten, seconds, of which all times are multiples; `None` finer than a nanosecond.
pub(super) fn resolution(times: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    (-9..=0).rev().map(|digits| 10f64.powi(digits)).find(|unit| {
        times.clone().all(|t| {
            let units = t / unit;
            // A stamp of today in seconds is known to 2e-7 s.
            (units - units.round()).abs() < 1e-6 + 4.0 * f64::EPSILON * units.abs()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steps: &[f64]) -> Vec<f64> {
        let mut t = 0.0;
        std::iter::once(0.0)
            .chain(steps.iter().map(|s| {
                t += s;
                t
            }))
            .collect()
    }

    #[track_caller]
    fn is(steps: Vec<f64>, expected: f64, missing: usize) {
        let times = at(&steps);
        let rows: Vec<usize> = (0..times.len()).collect();
        let found = step(std::slice::from_ref(&times)).unwrap();
        assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
        let holes = holes(&rows, &times, found);
        assert_eq!(holes.iter().map(|h| h.missing).sum::<usize>(), missing, "{holes:?}");
    }

    #[test]
    fn the_step_is_told_from_batches_rounding_and_missing_rows() {
        is(vec![0.01; 100], 0.01, 0);
        is([vec![0.01; 50], vec![0.08], vec![0.01; 50]].concat(), 0.01, 7);
        is([0.01, 0.01, 0.02].repeat(50), 0.01, 50);
        is([0.006, 0.014].repeat(100), 0.01, 0);
        is([0.0002, 0.0002, 0.0296].repeat(100), 0.01, 0);
        // A batch that is cut short does not tell whether a row is missing.
        is([[0.0002, 0.0002, 0.0296].repeat(100), vec![0.0002]].concat(), 0.01, 0);
        is([0.03, 0.03, 0.04].repeat(60), 1.0 / 30.0, 0);
        is([0.0, 0.0, 0.0, 0.01].repeat(60), 0.0025, 0);
        is(vec![0.5], 0.5, 0);
        is(vec![0.1, 0.1, 0.7, 0.1], 0.1, 6);
        // Two stamps that were written twice: no row is missing.
        is([vec![0.01; 20], vec![0.0, 0.02, 0.0, 0.02], vec![0.01; 20]].concat(), 0.01, 0);
        assert_eq!(step(&[vec![1.0, 1.0, 1.0]]), None);
        assert_eq!(step(&[vec![1.0]]), None);
        assert_eq!(step(&[]), None);
    }

    #[test]
    fn holes_close_to_each_other_are_counted_once_each() {
        let times = at(&[vec![0.1; 20], vec![0.2, 0.1, 0.2, 0.1, 0.1, 0.4], vec![0.1; 20]].concat());
        let rows: Vec<usize> = (0..times.len()).collect();
        let found: Vec<(usize, usize)> = holes(&rows, &times, 0.1).iter().map(|h| (h.after, h.missing)).collect();
        assert_eq!(found, [(21, 1), (23, 1), (26, 3)]);
    }

    #[test]
    fn the_resolution_of_stamps_is_found() {
        assert_eq!(resolution([0.0, 0.03, 0.07].into_iter()), Some(0.01));
        assert_eq!(resolution([1.7e9, 1.7e9 + 0.125].into_iter()), Some(1e-3));
        assert_eq!(resolution([3.0, 4.0].into_iter()), Some(1.0));
        assert_eq!(resolution([std::f64::consts::PI].into_iter()), None);
    }
}
