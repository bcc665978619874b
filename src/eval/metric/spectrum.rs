//! Distance between the power spectra of real and predicted motion.

use super::pooled::{Pooled, compare};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::bootstrap::ResamplingUnits;
use crate::eval::context::EvalContext;
use crate::eval::data::{Futures, Motion};
use crate::eval::result::MetricResult;
use std::f64::consts::TAU;

/// Power below which a channel has none at a frequency, z²: an amplitude of 1e-4.
const SILENCE: f64 = 1e-8;

pub(super) struct SpectralDistance;

static SPEC: MetricSpec = MetricSpec {
    name: "spectral_distance",
    short: "Spectr",
    title: "Log-spectral distance",
    unit: "ln",
    lower_is_better: true,
    kind: Kind::Distance,
    source: "Welch, IEEE Trans. Audio Electroacoust. 15, 1967 (mean of windowed periodograms); log-spectral distance \
        as Gray and Markel, IEEE Trans. ASSP 24, 1976",
    definition: "power spectrum of each channel over the horizon: mean over windows of the squared discrete Fourier \
        transform of the frames less their mean, under a Hann window; absolute natural logarithm of the power of the \
        first samples over that of real motion, mean over channels and all frequencies from one period a horizon to \
        half the frame rate. A hundredth of the real power is added to both sides, so that predictions without any \
        have a finite figure, ln 101 = 4.6; powers far below 1e-8 count as none. It has no values per step",
};

impl Metric for SpectralDistance {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, eval: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        let transform = Transform::new(eval.test.horizon);
        let real = transform.powers(eval, &eval.units, &eval.test.true_motion());
        Ok(Box::new(PreparedSpectrum { transform, real }))
    }
}

struct PreparedSpectrum {
    transform: Transform,
    real: Pooled,
}

impl PreparedSpectrum {
    fn compare(
        &self,
        eval: &EvalContext,
        motion: &Motion,
        units: &ResamplingUnits,
        weights: &[Vec<f64>],
    ) -> MetricResult {
        let other = self.transform.powers(eval, units, motion);
        compare(eval, &self.real, (&other, weights), |real, other| {
            let gap = |(real, other): (&f64, &f64)| {
                let least = 0.01 * real + SILENCE;
                ((other + least) / (real + least)).ln().abs()
            };
            (real.iter().zip(other).map(gap).sum::<f64>() / real.len() as f64, Vec::new())
        })
    }
}

impl PreparedMetric for PreparedSpectrum {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(self.compare(eval, &eval.test.first_samples(futures), &eval.units, &eval.weights))
    }

    fn floor(&self, eval: &EvalContext) -> Result<Option<MetricResult>> {
        let motion = eval.test.reference_motion();
        Ok(Some(self.compare(eval, &motion, &eval.reference_units, &eval.reference_weights)))
    }
}

/// A windowed discrete Fourier transform by its sums: horizons are a few hundred frames, and the channels, which lie
/// side by side, share each factor.
struct Transform {
    horizon: usize,
    /// `(frequencies)(H)`: cosine and sine under the window, scaled so that the power of `a cos(2 pi k t / H)` is
    /// `a²/2` at its frequency.
    factors: Vec<Vec<[f32; 2]>>,
}

impl Transform {
    fn new(horizon: usize) -> Self {
        let h = horizon as f64;
        let hann = |t: usize| 0.5 - 0.5 * (TAU * t as f64 / h).cos();
        let sum: f64 = (0..horizon).map(hann).sum();
        let factor = |k: usize, t: usize| {
            // k t modulo H keeps the angle small and exact.
            let angle = TAU * ((k * t) % horizon) as f64 / h;
            let scale = std::f64::consts::SQRT_2 * hann(t) / sum;
            [(scale * angle.cos()) as f32, (scale * angle.sin()) as f32]
        };
        let row = |k: usize| (0..horizon).map(|t| factor(k, t)).collect();
        Self { horizon, factors: (1..=horizon / 2).map(row).collect() }
    }

    /// `(frequencies, D)`: mean powers.
    fn powers(&self, eval: &EvalContext, units: &ResamplingUnits, motion: &Motion) -> Pooled {
        let (h, d) = (self.horizon, eval.test.channels);
        Pooled::new(eval, units, self.factors.len() * d, |i, values| {
            let mut mean = vec![0.0_f32; d];
            let frames = || (0..h).map(|t| motion.frame(i, t as isize));
            for frame in frames() {
                mean.iter_mut().zip(frame).for_each(|(mean, v)| *mean += v / h as f32);
            }
            let centred: Vec<f32> = frames().flat_map(|frame| frame.iter().zip(&mean).map(|(v, m)| v - m)).collect();
            let (mut cosine, mut sine) = (vec![0.0_f32; d], vec![0.0_f32; d]);
            for (row, powers) in self.factors.iter().zip(values.chunks_exact_mut(d)) {
                cosine.fill(0.0);
                sine.fill(0.0);
                for (frame, [cos, sin]) in centred.chunks_exact(d).zip(row) {
                    for c in 0..d {
                        cosine[c] += cos * frame[c];
                        sine[c] += sin * frame[c];
                    }
                }
                for c in 0..d {
                    powers[c] = f64::from(cosine[c]).powi(2) + f64::from(sine[c]).powi(2);
                }
            }
        })
    }
}
