//! Denoising score matching of any network, without second derivatives.
//!
//! The loss is that of [`super::Denoising`], the mean of `r . v` with `r = grad_x g - target` and `v = weights * r`. Its gradient
//! in the weights of the network needs the derivative of `grad_x g` in them. With `v` held fixed and `d = v / |v|` that is a
//! derivative along `d` of the gradient of `g`, hence a difference of two of them:
//!
//! ```text
//! d/dw (r . v) = 2 |v| d/dw (d . grad_x g)  ~  2 |v| d/dw (g(x + h d) - g(x - h d)) / (2 h)
//! ```
//!
//! with an error of order `h^2`. So a step costs one evaluation and one weight gradient of twice the batch, whatever the network.

use super::denoising::noised;
use crate::energy::rows::row_sum;
use crate::error::{Error, Result};
use crate::model::{Leveled, Network, Parameters, times};
use crate::noise::Noise;
use crate::train::{Batch, Gradients, Loss, Objective};
use candle_core::{DType, Tensor};

/// Distance `h` of both points from `x`: rounding is of order `1e-7 |g| / h` of the gradient, the difference's own error of
/// order `h^2`.
const DISTANCE: f64 = 0.05;

/// Fits a [`Leveled`] energy to the data's scores at all noise levels. Contexts are those of the batch.
#[derive(Debug, Clone)]
pub struct DenoisingByDifference<N> {
    /// The energy.
    pub energy: Leveled<N>,
    distance: f64,
    weights: Option<Tensor>,
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
}

impl<N: Network> DenoisingByDifference<N> {
    /// For an energy.
    pub fn new(energy: Leveled<N>) -> Self {
        Self { energy, distance: DISTANCE, weights: None }
    }

    /// The same with weights of the errors, one a number of an array, as [`super::Denoising`]'s.
    pub fn weighted(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
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
        let (x, target) = (x.reshape(batch.x.shape())?, target.reshape(batch.x.shape())?);
        let at = self.energy.correction(&x, &angle, batch.context.as_ref())?;
        let r = (at.grad - target)?;
        let weighted = match &self.weights {
            Some(weights) => {
                let weights = weights.to_dtype(r.dtype())?.to_device(r.device())?;
                r.flatten_from(1)?.broadcast_mul(&weights)?.reshape(r.shape())?
            }
            None => r.clone(),
        };
        Ok([x, angle, r, weighted])
    }

    fn pose(&self, batch: &Batch, noise: &mut Noise) -> Result<Posed> {
        let [x, angle, r, v] = self.residual(batch, noise)?;
        let norms = row_sum(&v.sqr()?)?.sqrt()?;
        let step = times(&v, &(norms.clone() + 1e-12)?.recip()?.affine(self.distance, 0.0)?)?;
        let around = Tensor::cat(&[(&x + &step)?, (&x - &step)?], 0)?;
        let context = self.energy.context(&angle, batch.context.as_ref())?;
        let context = Tensor::cat(&[&context, &context], 0)?;
        let count = r.elem_count() as f64;
        let norms = norms.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let one = |sign: f64| {
            let scale = sign * self.energy.gain() / (count * self.distance);
            norms.iter().map(move |norm| (scale * norm) as f32)
        };
        let coefficients = one(1.0).chain(one(-1.0)).collect();
        let loss = (&r * v)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()? / count;
        Ok(Posed { around, context, coefficients, loss })
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
        let posed = self.pose(batch, noise)?;
        let energies = self.energy.network().energy(&posed.around, Some(&posed.context))?;
        let coefficients = Tensor::from_vec(posed.coefficients, energies.shape(), energies.device())?;
        let difference = (&energies * coefficients.to_dtype(energies.dtype())?)?.sum_all()?;
        let total = ((&difference - difference.detach())? + posed.loss)?;
        Ok(Loss { total, figures: Vec::new() })
    }

    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.energy.network().learns(&batch.x) {
            return Ok(None);
        }
        let Posed { around, context, coefficients, loss } = self.pose(batch, noise)?;
        let network = self.energy.network();
        let all = network.learn(&around, Some(&context), &mut |_| Ok(coefficients.clone()))?;
        Ok(Some(Gradients { loss, by_parameter: all.into_iter().map(Some).collect(), figures: Vec::new() }))
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
