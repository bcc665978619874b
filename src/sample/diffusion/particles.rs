//! Weights of samples that walk together, so that conditions get the shares of modes right.

use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

/// Samples of one group that are drawn together and resampled by how well they meet the conditions on their way:
/// sequential Monte Carlo in the twisted model of Wu et al. 2023, "Practical and asymptotically exact conditional
/// sampling in diffusion models", section 3.
///
/// As the group grows, its samples have the exact distribution for any model and any conditions, up to the sampler's
/// own steps. Without it the estimate of [`super::Conditions`] alone leads them, and modes get other shares than they
/// should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Particles {
    /// Rows of a batch that belong together, one after the other.
    pub group: usize,
}

/// The weights of a batch on its way.
pub(super) struct Weights {
    group: usize,
    /// `(B,)`, up to a constant in each group.
    log: Vec<f64>,
}

impl Weights {
    /// All alike.
    pub(super) fn new(particles: Particles, rows: usize) -> Result<Self> {
        let group = particles.group;
        if group < 2 || !rows.is_multiple_of(group) {
            return Err(Error::config("particles.group", group, format!("at least 2, and a divisor of {rows} rows")));
        }
        Ok(Self { group, log: vec![0.0; rows] })
    }

    /// Multiplies the weights by `exp(gain)`, `(B,)`.
    pub(super) fn add(&mut self, gain: &Tensor) -> Result<()> {
        let gain = gain.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        self.log.iter_mut().zip(gain).for_each(|(log, gain)| *log += gain);
        Ok(())
    }

    /// The rows that go on in each row's place, where a group's weights have become so uneven that fewer than half of
    /// its samples count (Kong's effective size), or with `always` wherever they are uneven; `None` where all go on as
    /// they are. Systematic resampling: Kitagawa 1996, "Monte Carlo filter and smoother", appendix.
    pub(super) fn resample(&mut self, always: bool, noise: &mut Noise) -> Result<Option<Tensor>> {
        let groups = self.log.len() / self.group;
        let starts = noise.uniform(groups, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
        let mut chosen: Vec<u32> = (0..self.log.len() as u32).collect();
        let mut any = false;
        for (g, start) in starts.into_iter().enumerate() {
            let rows = g * self.group..(g + 1) * self.group;
            let log = &mut self.log[rows.clone()];
            let most = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if !most.is_finite() {
                let what = "weight of every sample of a group".to_string();
                return Err(Error::NonFinite { what, value: most, step: g as u64 });
            }
            let weights: Vec<f64> = log.iter().map(|l| (l - most).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let squares: f64 = weights.iter().map(|w| w * w).sum();
            let effective = sum * sum / squares;
            let uneven = if always { 0.999_999 } else { 0.5 };
            if effective >= uneven * self.group as f64 {
                continue;
            }
            any = true;
            let (mut row, mut below) = (0, weights[0] / sum);
            for k in 0..self.group {
                let place = (k as f64 + start) / self.group as f64;
                while place >= below && row + 1 < self.group {
                    row += 1;
                    below += weights[row] / sum;
                }
                chosen[rows.start + k] = (rows.start + row) as u32;
            }
            log.fill(0.0);
        }
        Ok(if any { Some(Tensor::new(chosen, &Device::Cpu)?) } else { None })
    }
}
