//! A low-pass filter without delay, for thinning: what is faster than the new rate can show must not fold into it.

use std::f64::consts::PI;

/// Half amplitude lies at this share of the new rate (half of it is what the rate can show).
pub(crate) const CUTOFF: f64 = 0.4;
/// New frames on either side that the filter sees.
const REACH: f64 = 10.0;
/// New frames by which the value at either end is told.
const END: f64 = 4.0;

/// A windowed-sinc filter (Hamming's window, 20 new frames long): flat within 1 % to 0.3 of the new rate, less than
/// 1/400 of the amplitude from 0.49 on. It is symmetric, so it delays nothing.
///
/// Before the first sample and after the last one motion is taken to go on as it came: turned about the end of the
/// straight line through the four new frames there. So a straight line stays as it is.
#[derive(Debug)]
pub(crate) struct LowPass {
    /// The middle tap and those to one side.
    taps: Vec<f64>,
    /// Samples by which an end's value is told.
    end: usize,
}

impl LowPass {
    /// For keeping one of every `ratio` samples, above 1.
    pub fn new(ratio: f64) -> Self {
        let reach = REACH * ratio;
        let tap = |k: usize| {
            let (k, x) = (k as f64, 2.0 * PI * CUTOFF * k as f64 / ratio);
            let sinc = if k > 0.0 { x.sin() / x } else { 1.0 };
            sinc * (0.54 + 0.46 * (PI * k / reach).cos())
        };
        let mut taps: Vec<f64> = (0..=reach.round() as usize).map(tap).collect();
        let sum = taps[0] + 2.0 * taps[1..].iter().sum::<f64>();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Self { taps, end: (END * ratio).round() as usize + 1 }
    }

    /// The first and the last value of each channel of `values`, `(T, width)`, without what is too fast: the ends of
    /// straight lines.
    pub fn ends(&self, values: &[f64], width: usize) -> [Vec<f64>; 2] {
        let rows = values.len() / width;
        let m = self.end.min(rows) as f64;
        // Least squares: the value at the end of a line through `m` samples.
        let weight = |k: usize| (2.0 * (2.0 * m - 1.0) - 6.0 * k as f64) / (m * (m + 1.0));
        let at = |row: &dyn Fn(usize) -> usize, c: usize| {
            (0..self.end.min(rows)).map(|k| weight(k) * values[row(k) * width + c]).sum::<f64>()
        };
        let first = (0..width).map(|c| at(&|k| k, c)).collect();
        let last = (0..width).map(|c| at(&|k| rows - 1 - k, c)).collect();
        [first, last]
    }

    /// Row `row` of the filtered values into `out`, `(width,)`.
    pub fn row(&self, values: &[f64], [first, last]: &[Vec<f64>; 2], row: usize, out: &mut [f64]) {
        let width = out.len();
        let rows = values.len() / width;
        for (c, out) in out.iter_mut().enumerate() {
            let inside = |at: usize| values[at * width + c];
            // Reflected about both ends in turn.
            let at = |at: i64| match usize::try_from(at) {
                Ok(at) if at < rows => inside(at),
                _ if rows == 1 => inside(0),
                _ => {
                    let around = 2 * (rows as i64 - 1);
                    let far = at.div_euclid(around) as f64 * 2.0 * (last[c] - first[c]);
                    match at.rem_euclid(around) as usize {
                        within if within < rows => far + inside(within),
                        back => far + 2.0 * last[c] - inside(around as usize - back),
                    }
                }
            };
            let (row, taps) = (row as i64, self.taps.iter().enumerate());
            *out =
                taps.map(|(k, tap)| tap * if k == 0 { at(row) } else { at(row - k as i64) + at(row + k as i64) }).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Largest value of the filtered sine of `frequency`, a share of the new rate, far from the ends.
    fn passed(frequency: f64, ratio: f64) -> f64 {
        let filter = LowPass::new(ratio);
        let values: Vec<f64> = (0..2000).map(|k| (TAU * frequency * f64::from(k) / ratio).sin()).collect();
        let ends = filter.ends(&values, 1);
        let mut out = [0.0];
        (500..1500).fold(0.0, |most: f64, row| {
            filter.row(&values, &ends, row, &mut out);
            most.max(out[0].abs())
        })
    }

    #[test]
    fn slow_motion_passes_and_fast_motion_does_not() {
        for ratio in [1.2, 2.0, 3.7, 10.0, 20.0] {
            assert!((passed(0.05, ratio) - 1.0).abs() < 4e-3, "{ratio}: {}", passed(0.05, ratio));
            assert!((passed(0.3, ratio) - 1.0).abs() < 1e-2, "{ratio}: {}", passed(0.3, ratio));
            // With three samples a period the largest is no peak.
            if ratio > 3.0 {
                assert!((passed(0.4, ratio) - 0.5).abs() < 2e-2, "{ratio}: {}", passed(0.4, ratio));
            }
            for fast in [0.49, 0.6, 0.98, 1.3].into_iter().filter(|fast| *fast < 0.5 * ratio) {
                assert!(passed(fast, ratio) < 1.0 / 400.0, "{ratio} {fast}: {}", passed(fast, ratio));
            }
        }
    }

    #[test]
    fn a_straight_line_stays_to_its_ends() {
        let filter = LowPass::new(5.0);
        for rows in [1, 2, 7, 40, 300] {
            let values: Vec<f64> = (0..rows).flat_map(|k| [3.0 - 0.5 * k as f64, 7.0]).collect();
            let ends = filter.ends(&values, 2);
            let mut out = [0.0; 2];
            for row in 0..rows {
                filter.row(&values, &ends, row, &mut out);
                assert!((out[0] - values[2 * row]).abs() < 1e-9, "{rows} {row}: {out:?}");
                assert!((out[1] - 7.0).abs() < 1e-9, "{rows} {row}: {out:?}");
            }
        }
    }
}
