//! Rows of one shape in one vector: what the replay buffer keeps its chains and their contexts in.

use crate::energy::rows::rows;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor, WithDType};

/// Rows of one shape, side by side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column<T> {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<T>,
}

impl<T: WithDType> Column<T> {
    pub(super) fn new(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), values: Vec::new() }
    }

    fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// One more row, of zeros.
    pub(super) fn grow(&mut self) {
        let length = self.values.len() + self.width();
        self.values.resize(length, T::zero());
    }

    /// Copies the row of `slot` to row `b` of `to`.
    pub(super) fn copy(&self, slot: usize, to: &mut [T], b: usize) {
        let w = self.width();
        to[b * w..(b + 1) * w].copy_from_slice(&self.values[slot * w..(slot + 1) * w]);
    }

    /// Copies row `b` of `from` to the row of `slot`.
    pub(super) fn set(&mut self, slot: usize, from: &[T], b: usize) {
        let w = self.width();
        self.values[slot * w..(slot + 1) * w].copy_from_slice(&from[b * w..(b + 1) * w]);
    }

    /// The numbers of a batch of such rows, or what is wrong with it.
    pub(super) fn rows_of(&self, t: &Tensor, batch: usize, what: &'static str) -> Result<Vec<T>> {
        let shape = [&[batch], self.shape.as_slice()].concat();
        if t.dims() != shape || batch == 0 {
            return Err(Error::Shape { what, found: t.dims().to_vec(), expected: format!("{shape:?}") });
        }
        if t.dtype() != T::DTYPE {
            return Err(Error::data(what, t.dtype().as_str(), T::DTYPE.as_str()));
        }
        Ok(rows(t)?.flatten_all()?.to_vec1()?)
    }

    /// A batch of such rows.
    pub(super) fn tensor(&self, values: Vec<T>, batch: usize, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, [&[batch], self.shape.as_slice()].concat(), device)?)
    }
}
