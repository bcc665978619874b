//! Some coordinates held fixed: gap filling and forecasting are sampling of what is missing, given the rest.

use super::coordinates::Coordinates;
use super::rows::{like, plain, rows};
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::Tensor;
use ebmotion_engine::engine::{Program, Rows};

/// The energy of an array's free coordinates, `(B, C)`; the others keep the values of a template.
///
/// Up to a constant it is the energy of the conditional density, so any sampler is correct on it without knowing about
/// clamping.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, analytic::Gaussian, clamp::Clamped, coordinates::Coordinates};
///
/// // Of two numbers with correlation 0.8 the first is known to be 1: the second is likeliest at 0.8.
/// let pair = Gaussian::from_covariance(&[0.0, 0.0], &[1.0, 0.8, 0.8, 1.0])?;
/// let gap = Clamped::new(pair, Coordinates::new(&[1])?, &Tensor::new(&[[1.0, f64::NAN]], &Device::Cpu)?)?;
/// let at = gap.evaluate(&Tensor::new(&[[0.8]], &Device::Cpu)?)?;
/// assert!(at.grad.to_vec2::<f64>()?[0][0].abs() < 1e-9);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Clamped<E> {
    energy: E,
    free: Coordinates,
    template: Tensor,
    held: Tensor,
}

impl<E: Energy> Clamped<E> {
    /// Frees the coordinates `free` of each row. `template` is `(B, *S)`, or `(1, *S)` for the same values in all
    /// chains. Its values at the free coordinates may be NaN: they only serve as [`Clamped::start`].
    ///
    /// # Errors
    /// [`Error::Shape`] when a row of the template has too few numbers.
    pub fn new(energy: E, free: Coordinates, template: &Tensor) -> Result<Self> {
        let template = template.detach();
        // Embedding adds to zeros, which is exact.
        let mut keep = vec![1.0; rows(&template)?.dims()[1]];
        let indices = Tensor::arange(0, keep.len() as i64, template.device())?.unsqueeze(0)?;
        for index in free.gather(&indices)?.flatten_all()?.to_vec1::<i64>()? {
            keep[index as usize] = 0.0;
        }
        let keep = like(&Tensor::new(keep, template.device())?, &template)?;
        let zeros = rows(&template)?.zeros_like()?;
        // A selection, not a product: a gap may hold NaN.
        let held = keep.ne(0.0)?.broadcast_as(zeros.shape())?.where_cond(&rows(&template)?, &zeros)?;
        let held = held.reshape(template.shape())?;
        Ok(Self { energy, free, template, held })
    }

    /// The template's values at the free coordinates, `(B, C)`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the tensor library fails.
    pub fn start(&self) -> Result<Tensor> {
        self.free.gather(&self.template)
    }

    /// The whole arrays `(B, *S)` with `free`, `(B, C)`, in their places; differentiable in `free`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `free` has another number of rows or columns.
    pub fn embed(&self, free: &Tensor) -> Result<Tensor> {
        let held_rows = self.held.dim(0)?;
        let batch = match free.dims() {
            [batch, c] if *c == self.free.count() && (held_rows == 1 || held_rows == *batch) => *batch,
            found => {
                let rows = if held_rows == 1 { "B".to_string() } else { held_rows.to_string() };
                let expected = format!("({rows}, {})", self.free.count());
                return Err(Error::Shape { what: "free coordinates", found: found.to_vec(), expected });
            }
        };
        let mut shape = self.held.dims().to_vec();
        shape[0] = batch;
        self.free.add(&like(&self.held, free)?.broadcast_as(shape)?.contiguous()?, free)
    }
}

impl<E: Energy> Energy for Clamped<E> {
    fn energy(&self, free: &Tensor) -> Result<Tensor> {
        self.energy.energy(&self.embed(free)?)
    }

    fn evaluate(&self, free: &Tensor) -> Result<Evaluated> {
        let at = self.energy.evaluate(&self.embed(&free.detach())?)?;
        Ok(Evaluated { energy: at.energy, grad: self.free.gather(&at.grad)? })
    }

    /// What is held becomes part of the terms' constants: the free coordinates are all that is computed with.
    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let mut whole = self.held.dims().to_vec();
        whole[0] = shape[0];
        let Some(program) = self.energy.program(&whole)? else { return Ok(None) };
        let held = Rows::new(program.width(), plain(&self.held)?)?;
        program.restricted(&self.free.indices()?, &held)
    }
}
