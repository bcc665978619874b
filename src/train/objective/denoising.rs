//! Denoising score matching of a scalar energy over all noise levels.
//!
//! For `x = cos(t) u + sin(t) eps` the gradient of the network's scalar is fitted to the path's velocity `cos(t) eps -
//! sin(t) u` (Vincent 2011, eq. 11, in the angular parameterisation of Salimans & Ho 2022, section 4): the loss is the
//! mean of `r . v` with `r = grad_x g - target` and `v = weights * r`. Its gradient in the weights of the network, `2 v
//! . d/dw grad_x g`, is a mixed second derivative. A network that has a way of its own to it is asked for it
//! ([`Network::learn_slopes`]); of others it is taken as a difference ([`super::difference`]), so that a step costs one
//! evaluation and one weight gradient of twice the batch.
//!
//! Scores leave open a constant for each context, so energies of different contexts cannot be compared.
//! [`Denoising::contrasted`] settles that: each array's energy given its own context is set against that given another
//! array's, by the logistic loss whose optimum is `E_t(x | c') - E_t(x | c) = ln p_t(x | c) - ln p_t(x | c')` (Gutmann
//! & Hyvarinen 2012, with contexts in the place of noise).

use super::contrastive::mean;
use super::difference::CentralDifference;
use crate::error::{Error, Result};
use crate::model::{ANGLES, Leveled, Network, Parameters, weigh};
use crate::noise::Noise;
use crate::train::{Batch, EnergyObjective, Gradients, Loss, Objective};
use candle_core::{DType, Tensor};

/// Fits a [`Leveled`] energy to the data's scores at all noise levels. Contexts are those of the batch.
#[derive(Debug, Clone)]
pub struct Denoising<N> {
    /// The energy.
    pub energy: Leveled<N>,
    distance: f64,
    weights: Option<Tensor>,
    contrast: f64,
    /// Angle from which on chains may have gone astray.
    astray: Option<f64>,
}

/// What one step asks.
struct Posed {
    /// `(B, *S)`.
    x: Tensor,
    /// The velocities there, `(B, *S)`.
    target: Tensor,
    /// Noise angles, `(B, 1)`.
    angle: Tensor,
    /// The network's contexts, `(B, 9 + C)`.
    context: Tensor,
}

/// Arrays that are set against themselves, first with their own context, then with another.
struct Pairs {
    /// `(2 P, *S)`.
    x: Tensor,
    /// `(2 P, 9 + C)`.
    context: Tensor,
    /// What the network's outputs are multiplied by to be energies, less the part that both have in common, `(P,)`.
    scales: Vec<f32>,
}

impl<N: Network> Denoising<N> {
    /// For an energy.
    pub fn new(energy: Leveled<N>) -> Self {
        Self { energy, distance: CentralDifference::DISTANCE, weights: None, contrast: 0.0, astray: None }
    }

    /// The same with a weight of each coordinate's error, `(1, S)` or `(S,)`, nonnegative, in the mean 1, or a positive
    /// semidefinite matrix `(S, S)` of errors' products, with a trace of `S`; without, all count alike. The best energy
    /// is the same; weights say where a network that cannot be perfect should be good.
    pub fn weighted(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The same with the contrast between contexts, of this weight, on the first half of each batch: in nats an array
    /// where the denoising loss is a mean over its numbers. Levels of little noise, whose energies are large, count
    /// less, by `min(1, tan t)`.
    ///
    /// # Errors
    /// [`Error::Config`] when it is not a number of at least 0.
    pub fn contrasted(self, contrast: f64) -> Result<Self> {
        if !(contrast >= 0.0 && contrast.is_finite()) {
            return Err(Error::config("contrast", contrast, "a number that is not negative"));
        }
        Ok(Self { contrast, ..self })
    }

    /// The same, shown where chains go astray: at noise angles from `lowest` on, noise is added to the batch's `start`
    /// in place of its `x`, and the velocity asked for is the one that leads from there to `x`. Denoising alone never
    /// looks away from the data's own noised points, and a chain that has left them is not brought back. Rows whose
    /// `start` is their `x` learn as ever; the share of the others should be small, as they also shift what is learned
    /// where both overlap.
    ///
    /// # Errors
    /// [`Error::Config`] for an angle outside `(0, pi / 2)`.
    pub fn recovering(self, lowest: f64) -> Result<Self> {
        if !(lowest > 0.0 && lowest < std::f64::consts::FRAC_PI_2) {
            return Err(Error::config("lowest angle", lowest, "above 0 and below pi / 2"));
        }
        Ok(Self { astray: Some(lowest), ..self })
    }

    /// The same with another distance of the points whose difference is taken, where one is.
    ///
    /// # Errors
    /// [`Error::Config`] when it is not a positive number.
    pub fn with_distance(self, distance: f64) -> Result<Self> {
        if !(distance > 0.0 && distance.is_finite()) {
            return Err(Error::config("distance", distance, "a positive number"));
        }
        Ok(Self { distance, ..self })
    }

    fn pose(&self, batch: &Batch, noise: &mut Noise) -> Result<Posed> {
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
        let context = self.energy.context(&angle, batch.context.as_ref())?;
        Ok(Posed { x, target, angle, context })
    }

    /// What is set against each other, where contexts are contrasted.
    fn pairs(&self, batch: &Batch, posed: &Posed, noise: &mut Noise) -> Result<Option<Pairs>> {
        let rows = posed.x.dim(0)?;
        let half = rows / 2;
        let Some(of_batch) = batch.context.as_ref().filter(|_| self.contrast > 0.0 && half > 0) else {
            return Ok(None);
        };
        // Row `b` meets the context of row `b + shift`, counted round.
        let shift = 1 + noise.indices(1, rows - 1)[0];
        let others: Vec<u32> = (0..half).map(|b| ((b + shift) % rows) as u32).collect();
        let others = of_batch.index_select(&Tensor::new(others, of_batch.device())?, 0)?;
        let (first, angle) = (posed.x.narrow(0, 0, half)?, posed.angle.narrow(0, 0, half)?);
        let contexts = [posed.context.narrow(0, 0, half)?, self.energy.context(&angle, Some(&others))?];
        let angles = angle.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let scales = angles.iter().map(|t| (self.energy.gain() / t.tan()) as f32).collect();
        let (x, context) = (Tensor::cat(&[&first, &first], 0)?, Tensor::cat(&contexts, 0)?);
        Ok(Some(Pairs { x, context, scales }))
    }

    /// `grad g - target` of the network's gradients, and the same weighted.
    fn residual(&self, grad: Tensor, target: &Tensor) -> Result<[Tensor; 2]> {
        let r = ((grad * self.energy.gain())? - target)?;
        let weighted = weigh(&r.flatten_from(1)?, self.weights.as_ref())?.reshape(r.shape())?;
        Ok([r, weighted])
    }

    /// The loss of a batch without pairs, and its gradient, where the network has a way of its own to it.
    fn exactly(&self, posed: &Posed) -> Result<Option<Gradients>> {
        let (mut loss, network) = (0.0, self.energy.network());
        let all = network.learn_slopes(&posed.x, Some(&posed.context), &mut |grad| {
            let [r, v] = self.residual(grad, &posed.target)?;
            loss = mean(&(r * &v)?)?;
            Ok((v * (2.0 * self.energy.gain() / posed.x.elem_count() as f64))?)
        })?;
        Ok(all.map(|all| Gradients::of(loss, all, Vec::new())))
    }

    /// The loss, and its gradient as a difference.
    fn by_difference(&self, posed: &Posed, pairs: Option<&Pairs>) -> Result<Gradients> {
        let (network, count) = (self.energy.network(), posed.x.elem_count() as f64);
        let [r, v] = self.residual(network.evaluate(&posed.x, Some(&posed.context))?.grad, &posed.target)?;
        let mut loss = mean(&(r * &v)?)?;
        let around = CentralDifference::new(&posed.x, &v, self.distance)?;
        let mut coefficients = around.coefficients(self.energy.gain() / (count * self.distance));
        let (mut x, mut contexts) = (vec![&around.points], vec![&posed.context; 2]);
        if let Some(pairs) = pairs {
            x.push(&pairs.x);
            contexts.push(&pairs.context);
        }
        let mut figures = Vec::new();
        let (x, contexts) = (Tensor::cat(&x, 0)?, Tensor::cat(&contexts, 0)?);
        let all = network.learn(&x, Some(&contexts), &mut |outputs| {
            if let Some(pairs) = pairs {
                let (contrast, slopes) = self.contrast(&pairs.scales, &outputs[coefficients.len()..]);
                coefficients.extend(slopes);
                figures = self.figures(loss, contrast);
                loss += contrast;
            }
            Ok(std::mem::take(&mut coefficients))
        })?;
        Ok(Gradients::of(loss, all, figures))
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

    fn figures(&self, denoising: f64, contrast: f64) -> Vec<(&'static str, f64)> {
        vec![("denoising", denoising), ("contrast", contrast / self.contrast)]
    }
}

/// A batch along the path: `x` `(B, F)`, its angle `(B, 1)` and the velocity there `(B, F)`.
fn noised(batch: &Batch, noise: &mut Noise) -> Result<(Tensor, Tensor, Tensor)> {
    let u = batch.x.flatten_from(1)?;
    let (rows, width) = u.dims2()?;
    let (dtype, device) = (u.dtype(), u.device().clone());
    let t = noise.uniform((rows, 1), dtype, &device)?.affine(ANGLES.1 - ANGLES.0, ANGLES.0)?;
    let eps = noise.normal((rows, width), dtype, &device)?;
    let (cos, sin) = (t.cos()?, t.sin()?);
    let x = (u.broadcast_mul(&cos)? + eps.broadcast_mul(&sin)?)?;
    let target = (eps.broadcast_mul(&cos)? - u.broadcast_mul(&sin)?)?;
    Ok((x, t, target))
}

impl<N: Network> EnergyObjective<Leveled<N>> for Denoising<N> {
    fn into_learned(self: Box<Self>) -> Leveled<N> {
        self.energy
    }
}

impl<N: Network> Objective for Denoising<N> {
    fn name(&self) -> &'static str {
        "denoising"
    }

    fn parameters(&self) -> &Parameters {
        self.energy.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.energy.network_mut().prepare()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let (posed, network) = (self.pose(batch, noise)?, self.energy.network());
        let (_, grad) = network.value_and_gradient(&posed.x, Some(&posed.context))?;
        let [r, v] = self.residual(grad, &posed.target)?;
        let denoising = (r * v)?.mean_all()?;
        let Some(pairs) = self.pairs(batch, &posed, noise)? else {
            return Ok(Loss { total: denoising, figures: Vec::new() });
        };
        let energies = network.energy(&pairs.x, Some(&pairs.context))?;
        let (contrast, slopes) = self.contrast(&pairs.scales, &energies.to_dtype(DType::F32)?.to_vec1::<f32>()?);
        let slopes = Tensor::from_vec(slopes, energies.shape(), energies.device())?.to_dtype(energies.dtype())?;
        // Its value is the contrast's, its gradient that of the energies times the contrast's slopes.
        let moved = (energies * slopes)?.sum_all()?;
        let contrasted = ((&moved - moved.detach())? + contrast)?;
        let figures = self.figures(denoising.to_dtype(DType::F64)?.to_scalar()?, contrast);
        Ok(Loss { total: (denoising + contrasted)?, figures })
    }

    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.energy.network().learns(&batch.x) {
            return Ok(None);
        }
        let posed = self.pose(batch, noise)?;
        let pairs = self.pairs(batch, &posed, noise)?;
        if pairs.is_none()
            && let Some(gradients) = self.exactly(&posed)?
        {
            return Ok(Some(gradients));
        }
        self.by_difference(&posed, pairs.as_ref()).map(Some)
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let posed = self.pose(batch, noise)?;
        let [r, v] =
            self.residual(self.energy.network().evaluate(&posed.x, Some(&posed.context))?.grad, &posed.target)?;
        mean(&(r * v)?)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.energy.network().state())
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.energy.network_mut().restore(&|name| Parameters::required(name, get(name)))
    }
}
