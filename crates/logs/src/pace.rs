//! The pace of a log: one rate for all verbs, count over duration, robust against gaps and exact where stamps are
//! rounded.

use super::Recording;
use crate::error::{Error, Result};

/// How the time of an episode advances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Median step, seconds.
    pub median: f64,
    /// The typical step, seconds: count over duration, without gaps. Of an even log the mean of the steps within half a
    /// median of the median (or more where they jitter more); unlike the median it is exact where stamps are rounded
    /// (30 Hz in milliseconds gives 33.3 ms, not 33), because the rounding errors of neighbours cancel.
    pub step: f64,
    /// Standard deviation of those steps, seconds.
    pub spread: f64,
    /// Number of those steps.
    pub count: usize,
    /// Whether most steps are like the median one. They are not where rows come in bursts, by turns late and early, or
    /// several with the same stamp.
    pub even: bool,
}

impl Pace {
    /// The pace of `steps` (seconds, in any order; they are sorted, negative ones left out); `None` where none is
    /// positive.
    pub fn of(steps: &mut Vec<f64>) -> Option<Self> {
        steps.retain_mut(|s| {
            // There is no -0 among them then: they are in the order of their bits, which are sooner compared.
            *s += 0.0;
            s.is_finite() && *s >= 0.0
        });
        steps.sort_unstable_by_key(|s| s.to_bits());
        if !steps.last().is_some_and(|longest| *longest > 0.0) {
            return None;
        }
        let n = steps.len();
        let median = 0.5 * (steps[(n - 1) / 2] + steps[n / 2]);
        let regular = |s: &f64| (s - median).abs() <= 0.5 * median;
        // The longest few may be gaps: they say nothing about how even the others are.
        let others = &steps[..n - (n / 16).max(usize::from(n > 2))];
        let secs = |of: &mut dyn Iterator<Item = &f64>| of.sum::<f64>();
        let even = 2.0 * secs(&mut others.iter().filter(|s| regular(s))) >= secs(&mut others.iter())
            && 4 * steps.iter().filter(|s| **s < 0.5 * median).count() <= n
            && 16 * steps.iter().filter(|s| **s <= 0.0).count() <= n
            && steps.iter().any(regular);
        if even {
            // Where stamps jitter so much that steps leave that band on both sides, five standard deviations (1.48
            // median deviations each) belong to it, as long as a step over a missing row does not.
            let mut deviations: Vec<f64> = steps.iter().map(|s| (s - median).abs()).collect();
            let band = (5.0 * 1.48 * self::median(&mut deviations)?).clamp(0.5 * median, 0.95 * median);
            return Some(Self::mean(steps.iter().filter(|s| (**s - median).abs() <= band), median, even));
        }
        // Gaps are longer than one and a half times all but the longest sixteenth.
        let positive = steps.iter().copied().find(|s| *s > 0.0)?;
        let longest = 1.5 * steps[n - 1 - n / 16].max(positive);
        Some(Self::mean(steps.iter().filter(|s| **s <= longest), median, even))
    }

    fn mean<'a>(steps: impl Iterator<Item = &'a f64> + Clone, median: f64, even: bool) -> Self {
        let (count, sum) = steps.clone().fold((0, 0.0), |(n, sum), s| (n + 1, sum + s));
        let step = sum / count as f64;
        let spread = (steps.map(|s| (s - step).powi(2)).sum::<f64>() / count as f64).sqrt();
        Self { median, step, spread, count, even }
    }

    /// Steps per second.
    pub fn rate_hz(&self) -> f64 {
        1.0 / self.step
    }

    /// Whether `other` is another rate: more than 1 % away, and more than four standard errors (so that a jittery
    /// episode of a few rows is not taken for another rate).
    pub fn differs_from(&self, other: &Self) -> bool {
        let difference = (self.step - other.step).abs();
        let spread = self.spread.max(other.spread);
        let error = spread * (1.0 / self.count as f64 + 1.0 / other.count as f64).sqrt();
        difference > 0.01 * other.step && difference > 4.0 * error
    }
}

/// Median of `values` (which are reordered); the mean of the two middle values where their number is even.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(0.5 * (lower + upper))
}

impl Recording {
    /// The recorded rate, frames per second: rows over duration, gaps left aside, of all episodes together. Where most
    /// steps are alike (within half of the median step) it is one over their mean; where rows come in bursts or by
    /// turns late and early, one over the mean of all steps but the few that are far longer than the others.
    ///
    /// The number is freed from rounding noise: where a rate, or else a period in seconds, of at most four digits lies
    /// within its uncertainty (1e-6 relative, or two standard errors of the mean step where the stamps jitter, at most
    /// 1e-3), that number is given: 25, 29.97, 1/0.0125.
    ///
    /// ```
    /// use ebmotion_logs::{ReadOptions, Recording};
    ///
    /// // 30 Hz, written in whole milliseconds.
    /// let rows: Vec<String> = (0..90).map(|k| format!("{},{k}\n", (f64::from(k) * 1000.0 / 30.0).round())).collect();
    /// let log = format!("time [ms],x\n{}", rows.concat());
    /// let recording = Recording::from_bytes("log.csv", log.as_bytes(), &ReadOptions::default())?;
    /// assert_eq!(recording.rate_hz()?, 30.0);
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] when no episode has two frames.
    pub fn rate_hz(&self) -> Result<f64> {
        rate_hz(self.episodes.iter().map(|e| &e.time_secs[..]))
            .ok_or_else(|| Error::data("recorded rate", "no episode of two rows", "at least two rows in one episode"))
    }
}

/// The rate of episodes with these time stamps (ascending, seconds), frames per second: what every verb says and uses.
/// `None` where no time passes.
pub(crate) fn rate_hz<'a>(episodes: impl Iterator<Item = &'a [f64]>) -> Option<f64> {
    let mut count = 0_usize;
    let mut steps = Vec::new();
    for time in episodes {
        count += 1;
        steps.extend(time.windows(2).map(|w| w[1] - w[0]));
    }
    let pace = Pace::of(&mut steps)?;
    // The errors of an episode's stamps cancel but for its first and last one.
    let error = pace.spread * (count as f64).sqrt() / (pace.count as f64 * pace.step);
    Some(plain(pace.rate_hz(), (2.0 * error).clamp(1e-6, 1e-3)))
}

/// The plainest rate within the relative `tolerance` of `rate_hz`.
pub(crate) fn plain(rate_hz: f64, tolerance: f64) -> f64 {
    let short = |x: f64| (1..=4).map(|digits| rounded(x, digits)).find(|y| (y - x).abs() <= tolerance * x);
    if let Some(rate) = short(rate_hz) {
        return rate;
    }
    match short(1.0 / rate_hz) {
        Some(period) => 1.0 / period,
        None => rate_hz,
    }
}

/// `x` rounded to `digits` significant decimal digits. Through text, so that the result is the number that one writes.
fn rounded(x: f64, digits: usize) -> f64 {
    format!("{x:.*e}", digits - 1).parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn rates_are_the_plainest_within_their_uncertainty() {
        assert_eq!(plain(25.000_001, 1e-6), 25.0);
        assert_eq!(plain(29.999_9, 1e-6), 29.999_9);
        assert_eq!(plain(29.97, 1e-6), 29.97);
        assert_eq!(plain(1.0 / 0.03, 1e-6), 1.0 / 0.03);
        assert_eq!(plain(1000.0, 1e-6), 1000.0);
        assert_eq!(plain(123.432_1, 1e-6), 123.432_1);
    }

    #[test]
    fn the_step_is_exact_where_stamps_are_rounded_and_ignores_gaps() {
        // 30 Hz in whole milliseconds, one gap of ten frames: the median is 33 ms.
        let stamp = |k: usize| (k as f64 * 1000.0 / 30.0).round() / 1000.0;
        let times: Vec<f64> = (0..300).map(stamp).chain((310..610).map(stamp)).collect();
        let pace = Pace::of(&mut times.windows(2).map(|w| w[1] - w[0]).collect()).unwrap();
        assert!((pace.median - 0.033).abs() < 1e-9);
        // Each of the two stretches is off by at most one rounding step (1 ms) over 299 frames.
        assert!((pace.step * 30.0 - 1.0).abs() < 2.0 * 0.001 / (598.0 / 30.0), "{}", pace.step);
    }
}
