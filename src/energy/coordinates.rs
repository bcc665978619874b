//! A choice of coordinates of `x`: where a goal pulls, which frames are free.

use super::rows::rows;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};

/// Distinct indices into one row of `x` flattened to `(B, F)`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::coordinates::Coordinates;
///
/// // Frame 1 of 2 frames of 2 channels.
/// let chosen = Coordinates::new(&[2, 3])?;
/// let x = Tensor::new(&[[[1.0, 2.0], [3.0, 4.0]]], &Device::Cpu)?;
/// assert_eq!(chosen.gather(&x)?.to_vec2::<f64>()?, [[3.0, 4.0]]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Coordinates {
    indices: Tensor,
    largest: usize,
}

impl Coordinates {
    /// The coordinates with these indices, in this order.
    ///
    /// # Errors
    /// [`Error::Data`] when there are none or one occurs twice.
    pub fn new(indices: &[usize]) -> Result<Self> {
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::data("coordinates", format!("{} twice", pair[0]), "distinct indices"));
        }
        let Some(&largest) = sorted.last() else {
            return Err(Error::data("coordinates", "none", "at least one index"));
        };
        let indices: Vec<i64> = indices.iter().map(|i| *i as i64).collect();
        Ok(Self { indices: Tensor::new(indices, &Device::Cpu)?, largest })
    }

    /// Number of coordinates, `C`.
    pub fn count(&self) -> usize {
        self.indices.elem_count()
    }

    /// The indices, in order.
    pub(crate) fn indices(&self) -> Result<Vec<usize>> {
        Ok(self.indices.to_vec1::<i64>()?.into_iter().map(|i| i as usize).collect())
    }

    /// These coordinates of `x` `(B, *S)` as `(B, C)`; differentiable.
    ///
    /// # Errors
    /// [`Error::Shape`] when a row of `x` has too few numbers.
    pub fn gather(&self, x: &Tensor) -> Result<Tensor> {
        let flat = self.check(x)?;
        Ok(flat.index_select(&self.indices.to_device(x.device())?, 1)?)
    }

    /// `x` `(B, *S)` with `values` `(B, C)` added at these coordinates; differentiable in both.
    ///
    /// # Errors
    /// [`Error::Shape`] when a row of `x` has too few numbers.
    pub fn add(&self, x: &Tensor, values: &Tensor) -> Result<Tensor> {
        let flat = self.check(x)?;
        let indices = self.indices.to_device(x.device())?;
        Ok(flat.contiguous()?.index_add(&indices, &values.contiguous()?, 1)?.reshape(x.shape())?)
    }

    fn check(&self, x: &Tensor) -> Result<Tensor> {
        let flat = rows(x)?;
        if self.largest < flat.dims()[1] {
            return Ok(flat);
        }
        Err(Error::Shape {
            what: "an array of which coordinates are chosen",
            found: x.dims().to_vec(),
            expected: format!("(B, ...) with more than {} numbers per row", self.largest),
        })
    }
}
