//! Updates of weight matrices whose directions are all alike: momentum times the inverse root of the gradient's
//! covariance.
//!
//! Adam scales each weight by itself; where a layer's inputs or outputs go together, some directions of its matrix then
//! learn many times more slowly than others. Whitening along one side of the matrix (Shampoo, Gupta et al. 2018; one
//! side alone: ASGO, An et al. 2025, here the smaller) mends that at the price of a product and a quarter a step. Each
//! update is then scaled to the size of one whose singular values are all 1, as Muon's are (Jordan et al. 2024).

use super::fused::Blend;
use crate::error::{Error, Result};
use candle_core::{CpuStorage, DType, Device, Storage, Tensor, Var};
use ebmotion_engine::engine::{ITERATIONS, QUINTIC, RIDGE, Whitener};
use serde::{Deserialize, Serialize};

/// How weight matrices learn in the place of Adam's step; vectors, and matrices with a side below 16, keep Adam's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whitening {
    /// Step size of matrices after the warm-up, relative to an update whose singular values are all about 1, times
    /// `sqrt(max(1, outputs / inputs))`; positive. It follows the learning rate's warm-up and decay.
    pub rate: f64,
    /// Decay of the momentum and of the gradient's covariance, a step, in `[0, 1)`.
    pub decay: f64,
    /// Steps between two inverse roots, at least 1.
    pub every: u64,
}

impl Default for Whitening {
    fn default() -> Self {
        Self { rate: 0.01, decay: 0.95, every: 40 }
    }
}

impl Whitening {
    pub(super) fn check(&self) -> Result<()> {
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return Err(Error::config("whitening.rate", self.rate, "a positive number"));
        }
        if !(0.0..1.0).contains(&self.decay) {
            return Err(Error::config("whitening.decay", self.decay, "at least 0 and below 1"));
        }
        if self.every == 0 {
            return Err(Error::config("whitening.every", self.every, "at least 1"));
        }
        Ok(())
    }
}

/// Steps between two gradients that the covariance takes in: each costs as much as the direction itself.
const SAMPLED: u64 = 4;
/// Smallest side of a matrix that is whitened.
const LEAST: usize = 16;

/// What is kept of one matrix between steps.
#[derive(Debug)]
pub(super) struct Whitened {
    settings: Whitening,
    shape: [usize; 2],
    seen: Seen,
}

/// Momentum `(rows, columns)`: gradients, each step `decay` times as much as the last. Covariance `(s, s)`, `s` the
/// smaller side: moving average of every fourth gradient's products along it. Its inverse root when it was last taken,
/// up to a factor.
#[derive(Debug)]
enum Seen {
    /// On the CPU in f32.
    Plain(Box<Whitener>),
    /// Anywhere.
    Tensors([Tensor; 3]),
}

/// Names of what is kept, in checkpoints.
const KEPT: [&str; 3] = ["momentum", "covariance", "root"];

impl Whitened {
    /// Nothing seen yet; `None` for what is no matrix, or too narrow a one.
    pub(super) fn of(weight: &Tensor, settings: &Whitening) -> Result<Option<Self>> {
        let &[rows, columns] = weight.dims() else { return Ok(None) };
        let side = rows.min(columns);
        if side < LEAST {
            return Ok(None);
        }
        let seen = if weight.device().is_cpu() && weight.dtype() == DType::F32 {
            Seen::Plain(Box::new(Whitener::new(rows, columns, settings.decay)))
        } else {
            let zeros = |shape: [usize; 2]| Tensor::zeros(&shape, weight.dtype(), weight.device());
            Seen::Tensors([zeros([rows, columns])?, zeros([side; 2])?, zeros([side; 2])?])
        };
        Ok(Some(Self { settings: settings.clone(), shape: [rows, columns], seen }))
    }

    /// Of one step.
    pub(super) fn multiplications(&self) -> usize {
        let [rows, columns] = self.shape;
        rows * columns * rows.min(columns)
    }

    /// What is kept, with its names.
    pub(super) fn tensors(&self) -> Result<Vec<(&'static str, Tensor)>> {
        let ([r, c], s) = (self.shape, self.shape[0].min(self.shape[1]));
        let tensors = match &self.seen {
            Seen::Tensors(tensors) => tensors.clone(),
            Seen::Plain(whitener) => {
                let [momentum, covariance, root] = whitener.state();
                let square = |numbers: &[f32]| Tensor::from_slice(numbers, (s, s), &Device::Cpu);
                [Tensor::from_slice(momentum, (r, c), &Device::Cpu)?, square(covariance)?, square(root)?]
            }
        };
        Ok(KEPT.into_iter().zip(tensors).collect())
    }

    /// Sets it from what `get` gives for the names.
    pub(super) fn restore(&mut self, get: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (i, name) in KEPT.into_iter().enumerate() {
            let kept = get(name)?;
            match &mut self.seen {
                Seen::Tensors(tensors) => tensors[i] = kept,
                Seen::Plain(whitener) => {
                    let (numbers, to) = (kept.flatten_all()?.to_vec1::<f32>()?, &mut whitener.state_mut()[i]);
                    if numbers.len() != to.len() {
                        let expected = format!("{} numbers of `{name}`", to.len());
                        return Err(Error::Shape {
                            what: "state of a whitened matrix",
                            found: kept.dims().to_vec(),
                            expected,
                        });
                    }
                    to.copy_from_slice(&numbers);
                }
            }
        }
        Ok(())
    }

    /// Moves the matrix against its gradient of step `step` (from 0); `pace` is the learning rate relative to its
    /// largest.
    pub(super) fn descend(
        &mut self,
        weight: &Var,
        gradient: &Tensor,
        step: u64,
        pace: f64,
        weight_decay: f64,
    ) -> Result<()> {
        let rate = self.settings.rate * pace;
        let [rows, columns] = self.shape;
        let size = rate * (rows as f64 / columns as f64).max(1.0).sqrt();
        // At first the covariance is young and changes much.
        let fresh = step.is_multiple_of(self.settings.every) || step < self.settings.every && step.is_power_of_two();
        let sampled = fresh || step.is_multiple_of(SAMPLED);
        let keep = sampled.then(|| self.settings.decay.powi(SAMPLED as i32));
        let (direction, scale) = match &mut self.seen {
            Seen::Plain(whitener) => {
                let gradient = gradient.contiguous()?;
                let (storage, layout) = gradient.storage_and_layout();
                let Storage::Cpu(CpuStorage::F32(numbers)) = &*storage else {
                    let found = format!("{:?} on {:?}", gradient.dtype(), gradient.device().location());
                    return Err(Error::data("gradient of a whitened matrix", found, "f32 on the CPU, as the weights"));
                };
                let begin = layout.start_offset();
                let (direction, scale) =
                    whitener.direction(&numbers[begin..begin + rows * columns], keep.map(|k| k as f32), fresh);
                (Tensor::from_vec(direction, (rows, columns), &Device::Cpu)?, f64::from(scale))
            }
            Seen::Tensors(kept) => (direction(kept, gradient, self.settings.decay, (keep, fresh))?, 1.0),
        };
        Blend { keep: 1.0 - rate * weight_decay, add: -size * scale, square: false }.apply_to(weight, &direction)
    }
}

/// As [`Whitener::direction`], its factor already in it, by tensor operations.
fn direction(
    kept: &mut [Tensor; 3],
    gradient: &Tensor,
    decay: f64,
    (keep, fresh): (Option<f64>, bool),
) -> Result<Tensor> {
    let [momentum, covariance, root] = kept;
    let (rows, columns) = gradient.dims2()?;
    if let Some(keep) = keep {
        let turned = gradient.t()?;
        let product = if rows <= columns { gradient.matmul(&turned)? } else { turned.matmul(gradient)? };
        Blend { keep, add: 1.0 - keep, square: false }.apply(covariance, &product)?;
    }
    Blend { keep: decay, add: 1.0, square: false }.apply(momentum, gradient)?;
    if fresh {
        *root = inverse_root(covariance)?;
    }
    let ahead = (gradient + (&*momentum * decay)?)?;
    let direction = if rows <= columns { root.matmul(&ahead)? } else { ahead.matmul(root)? };
    let norm = (direction.sqr()?.sum_all()?.sqrt()? + f64::from(f32::MIN_POSITIVE))?;
    Ok(direction.broadcast_mul(&(norm.recip()? * (rows.min(columns) as f64).sqrt())?)?)
}

/// As the engine's.
fn inverse_root(covariance: &Tensor) -> Result<Tensor> {
    let unit = Tensor::eye(covariance.dim(0)?, covariance.dtype(), covariance.device())?;
    let norm = (covariance.sqr()?.sum_all()?.sqrt()? + f64::from(f32::MIN_POSITIVE))?;
    let mut y = ((covariance.broadcast_div(&norm)? + (&unit * RIDGE)?)? / (1.0 + RIDGE))?;
    let mut z = unit.clone();
    let [a, b, c] = QUINTIC;
    for _ in 0..ITERATIONS {
        let r = z.matmul(&y)?;
        let q = (((&unit * a)? + (&r * b)?)? + (r.matmul(&r)? * c)?)?;
        y = y.matmul(&q)?;
        z = q.matmul(&z)?;
    }
    Ok(((&z + z.t()?)? * 0.5)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    /// Gradients whose directions differ by a factor of 30 in size.
    fn gradients(rows: usize, columns: usize) -> Result<Vec<Tensor>> {
        let mut noise = Noise::new(4);
        let scale: Vec<f32> = (0..rows).map(|i| 30f32.powf(-(i as f32) / rows as f32)).collect();
        let scale = Tensor::from_vec(scale, (rows, 1), &Device::Cpu)?;
        let mix = noise.normal((rows, rows), DType::F32, &Device::Cpu)?;
        let one = |_| Ok(mix.matmul(&noise.normal((rows, columns), DType::F32, &Device::Cpu)?.broadcast_mul(&scale)?)?);
        (0..40).map(one).collect()
    }

    #[test]
    fn plain_numbers_and_tensors_agree() -> Result<()> {
        for (rows, columns) in [(20, 33), (33, 20), (17, 17)] {
            let settings = Whitening { every: 5, ..Whitening::default() };
            let [plain, slow] = [(); 2].map(|()| Var::zeros((rows, columns), DType::F32, &Device::Cpu));
            let (plain, slow) = (plain?, slow?);
            let new = |w: &Var| Whitened::of(w, &settings).map(|w| w.expect("a matrix"));
            let (mut a, mut b) = (new(&plain)?, new(&slow)?);
            b.seen =
                Seen::Tensors(a.tensors()?.into_iter().map(|(_, t)| t).collect::<Vec<_>>().try_into().expect("three"));
            for (step, g) in gradients(rows, columns)?.iter().enumerate() {
                a.descend(&plain, g, step as u64, 1.0, 0.1)?;
                b.descend(&slow, g, step as u64, 1.0, 0.1)?;
            }
            let far = (plain.as_tensor() - slow.as_tensor())?.abs()?.max_all()?.to_scalar::<f32>()?;
            let size = slow.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(far < 1e-3 * size, "{rows} x {columns}: {far} of {size}");
        }
        Ok(())
    }

    #[test]
    fn the_root_makes_a_covariance_the_unit_matrix_up_to_a_factor() -> Result<()> {
        let (rows, columns) = (24, 300);
        let mut whitener = Whitener::new(rows, columns, 0.95);
        for g in gradients(rows, columns)? {
            whitener.direction(&g.flatten_all()?.to_vec1::<f32>()?, Some(0.9), true);
        }
        let [_, covariance, root] = whitener.state();
        let square = |numbers: &[f32]| Tensor::from_slice(numbers, (rows, rows), &Device::Cpu);
        let (covariance, root) = (square(covariance)?, square(root)?);
        // Root mean square of what is not the unit matrix's, relative to the diagonal's mean.
        let unlike = |m: &Tensor| -> Result<f32> {
            let unit = Tensor::eye(rows, DType::F32, &Device::Cpu)?;
            let mean = ((m * &unit)?.sum_all()?.to_scalar::<f32>()? / rows as f32) as f64;
            let rest = ((m / mean)? - unit)?.sqr()?.sum_all()?.to_scalar::<f32>()?;
            Ok((rest / rows as f32).sqrt())
        };
        let (before, after) = (unlike(&covariance)?, unlike(&root.matmul(&covariance)?.matmul(&root)?)?);
        // The polynomial takes no eigenvalue to 1 exactly: between a half and one and a half.
        assert!(before > 1.5 && after < 0.6, "{before} before, {after} after");
        Ok(())
    }
}
