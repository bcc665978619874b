//! Denoising score matching of any network, without second derivatives.
//!
//! The loss is that of [`super::Denoising`], the mean of `r . v` with `r = grad_x g - target` and `v = weights * r`. Its gradient
//! in the weights of the network needs the derivative of `grad_x g` in them: `d/dw (r . v) = 2 v . d/dw grad_x g`, which
//! [`super::difference`] takes as a difference. So a step costs one evaluation and one weight gradient of twice the batch, whatever the network.
//!
//! Scores leave open a constant for each context, so energies of different contexts cannot be compared. [`DenoisingByDifference::contrasted`]
//! settles that: each array's energy given its own context is set against that given another array's, by the logistic loss
//! whose optimum is `E_t(x | c') - E_t(x | c) = ln p_t(x | c) - ln p_t(x | c')` (Gutmann & Hyvarinen 2012, with contexts in the
//! place of noise).

use super::denoising::noised;
use super::difference::{Around, DISTANCE};
use crate::error::{Error, Result};
use crate::model::{Leveled, Network, Parameters, weigh};
use crate::noise::Noise;
use crate::train::{Batch, Gradients, Loss, Objective};
use candle_core::{DType, Tensor};

/// Fits a [`Leveled`] energy to the data's scores at all noise levels. Contexts are those of the batch.
#[derive(Debug, Clone)]
pub struct DenoisingByDifference<N> {
    /// The energy.
    pub energy: Leveled<N>,
    distance: f64,
    weights: Option<Tensor>,
    contrast: f64,
    /// Angle from which on chains may have gone astray.
    astray: Option<f64>,
}

/// What one step knows before it looks at the weights.
struct Posed {
    /// Both points of each array, `(2 B, *S)`: all `x + h d`, then all `x - h d`.
    around: Tensor,
    /// The network's contexts there, `(2 B, 9 + C)`.
    context: Tensor,
    /// Coefficients of the network's outputs there.
    coefficients: Vec<f32>,
    loss: f64,
    /// Rows behind them that are set against each other, half with their own context, half with another.
    pairs: usize,
    /// What the network's outputs of the pairs are multiplied by to be energies, less the part they have in common.
    scales: Vec<f32>,
}

impl<N: Network> DenoisingByDifference<N> {
    /// For an energy.
    pub fn new(energy: Leveled<N>) -> Self {
        Self { energy, distance: DISTANCE, weights: None, contrast: 0.0, astray: None }
    }

    /// The same with weights of the errors, as [`super::Denoising`]'s.
    pub fn weighted(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The same with the contrast between contexts, of this weight, on the first half of each batch: in nats an array where the
    /// denoising loss is a mean over its numbers. Levels of little noise, whose energies are large, count less, by
    /// `min(1, tan t)`.
    ///
    /// # Errors
    /// [`Error::Config`] when it is not a number of at least 0.
    pub fn contrasted(self, contrast: f64) -> Result<Self> {
        if !(contrast >= 0.0 && contrast.is_finite()) {
            return Err(Error::config("contrast", contrast, "a number that is not negative"));
        }
        Ok(Self { contrast, ..self })
    }

    /// The same, shown where chains go astray: at noise angles from `lowest` on, noise is added to the batch's `start` in place of its
    /// `x`, and the velocity asked for is the one that leads from there to `x`. Denoising alone never looks away from the
    /// data's own noised points, and a chain that has left them is not brought back. Rows whose `start` is their `x` learn as ever;
    /// the share of the others should be small, as they also shift what is learned where both overlap.
    ///
    /// # Errors
    /// [`Error::Config`] for an angle outside `(0, pi / 2)`.
    pub fn recovering(self, lowest: f64) -> Result<Self> {
        if !(lowest > 0.0 && lowest < std::f64::consts::FRAC_PI_2) {
            return Err(Error::config("lowest angle", lowest, "above 0 and below pi / 2"));
        }
        Ok(Self { astray: Some(lowest), ..self })
    }

    /// The same with another distance of the points whose difference is taken.
    ///
    /// # Errors
    /// [`Error::Config`] when it is not a positive number.
    pub fn with_distance(self, distance: f64) -> Result<Self> {
        if !(distance > 0.0 && distance.is_finite()) {
            return Err(Error::config("distance", distance, "a positive number"));
        }
        Ok(Self { distance, ..self })
    }

    /// Arrays, angles, `grad g - target` and the same weighted.
    fn residual(&self, batch: &Batch, noise: &mut Noise) -> Result<[Tensor; 4]> {
        let (x, angle, target) = noised(batch, noise)?;
        let (x, target) = match (self.astray, &batch.start) {
            (Some(lowest), Some(start)) => {
                // With x' = cos(t) u' + sin(t) eps the noise that leads to u is eps + cot(t) (u' - u).
                let away = (start.flatten_from(1)? - batch.x.flatten_from(1)?)?;
                let far = angle.ge(lowest)?.to_dtype(x.dtype())?;
                let (cos, sin) = (angle.cos()?, angle.sin()?);
                let away = away.broadcast_mul(&(far * &cos)?)?;
                let velocity = away.broadcast_mul(&(cos / sin)?)?;
                ((x + away)?, (target + velocity)?)
            }
            _ => (x, target),
        };
        let (x, target) = (x.reshape(batch.x.shape())?, target.reshape(batch.x.shape())?);
        let at = self.energy.correction(&x, &angle, batch.context.as_ref())?;
        let r = (at.grad - target)?;
        let weighted = weigh(&r.flatten_from(1)?, self.weights.as_ref())?.reshape(r.shape())?;
        Ok([x, angle, r, weighted])
    }

    fn pose(&self, batch: &Batch, noise: &mut Noise) -> Result<Posed> {
        let [x, angle, r, v] = self.residual(batch, noise)?;
        let around = Around::new(&x, &v, self.distance)?;
        let own = self.energy.context(&angle, batch.context.as_ref())?;
        let rows = x.dim(0)?;
        let pairs = if self.contrast > 0.0 && batch.context.is_some() { rows / 2 } else { 0 };
        let mut arrays = vec![around.points.clone()];
        let mut contexts = vec![own.clone(), own.clone()];
        let mut scales = Vec::new();
        if let (Some(context), true) = (&batch.context, pairs > 0) {
            // Row `b` meets the context of row `b + shift`, counted round.
            let shift = 1 + noise.indices(1, rows - 1)[0];
            let others: Vec<u32> = (0..pairs).map(|b| ((b + shift) % rows) as u32).collect();
            let others = context.index_select(&Tensor::new(others, context.device())?, 0)?;
            let first = x.narrow(0, 0, pairs)?;
            arrays.extend([first.clone(), first]);
            contexts.push(own.narrow(0, 0, pairs)?);
            contexts.push(self.energy.context(&angle.narrow(0, 0, pairs)?, Some(&others))?);
            let angles = angle.narrow(0, 0, pairs)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            scales = angles.iter().map(|t| (self.energy.gain() / t.tan()) as f32).collect();
        }
        let context = Tensor::cat(&contexts, 0)?;
        let count = r.elem_count() as f64;
        let coefficients = around.coefficients(self.energy.gain() / (count * self.distance));
        let loss = (&r * v)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()? / count;
        Ok(Posed { around: Tensor::cat(&arrays, 0)?, context, coefficients, loss, pairs, scales })
    }

    /// Adds the contrast, once the network's outputs are known.
    fn complete(&self, posed: &mut Posed, outputs: &[f32]) -> Vec<(&'static str, f64)> {
        if posed.pairs == 0 {
            return Vec::new();
        }
        let (loss, slopes) = self.contrast(&posed.scales, &outputs[posed.coefficients.len()..]);
        posed.coefficients.extend(slopes);
        let denoising = posed.loss;
        posed.loss += loss;
        vec![("denoising", denoising), ("contrast", loss / self.contrast)]
    }

    /// The contrast's loss, and its slope in each of the pairs' outputs, `(2 pairs,)`: own contexts first.
    fn contrast(&self, scales: &[f32], outputs: &[f32]) -> (f64, Vec<f32>) {
        let pairs = scales.len();
        let (own, other) = outputs.split_at(pairs);
        let (mut loss, mut slopes) = (0.0, vec![0.0; 2 * pairs]);
        for b in 0..pairs {
            let scale = f64::from(scales[b]);
            let above = scale * f64::from(own[b] - other[b]);
            let weight = self.contrast * (self.energy.gain() / scale).min(1.0) / pairs as f64;
            // softplus, and its slope
            loss += weight * (above.max(0.0) + (-above.abs()).exp().ln_1p());
            let slope = weight * scale / (1.0 + (-above).exp());
            slopes[b] = slope as f32;
            slopes[pairs + b] = -slope as f32;
        }
        (loss, slopes)
    }
}

impl<N: Network> Objective for DenoisingByDifference<N> {
    fn name(&self) -> &'static str {
        "denoising_by_difference"
    }

    fn parameters(&self) -> &Parameters {
        self.energy.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.energy.network_mut().prepare()
    }

    /// The loss, as a graph whose gradient in the weights is that of the difference.
    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let mut posed = self.pose(batch, noise)?;
        let energies = self.energy.network().energy(&posed.around, Some(&posed.context))?;
        let outputs = energies.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let figures = self.complete(&mut posed, &outputs);
        let coefficients = Tensor::from_vec(posed.coefficients, energies.shape(), energies.device())?;
        let difference = (&energies * coefficients.to_dtype(energies.dtype())?)?.sum_all()?;
        let total = ((&difference - difference.detach())? + posed.loss)?;
        Ok(Loss { total, figures })
    }

    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.energy.network().learns(&batch.x) {
            return Ok(None);
        }
        let mut posed = self.pose(batch, noise)?;
        let (around, context) = (posed.around.clone(), posed.context.clone());
        let mut figures = Vec::new();
        let all = self.energy.network().learn(&around, Some(&context), &mut |outputs| {
            figures = self.complete(&mut posed, outputs);
            Ok(posed.coefficients.clone())
        })?;
        let by_parameter = all.into_iter().map(Some).collect();
        Ok(Some(Gradients { loss: posed.loss, by_parameter, figures }))
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let [_, _, r, v] = self.residual(batch, noise)?;
        Ok((r * v)?.mean_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.energy.network().state())
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        let find = |name: &str| get(name).ok_or_else(|| Error::Other(format!("no tensor `{name}`")));
        self.energy.network_mut().restore(&find)
    }
}
