//! Small helpers that see a batch `(B, *S)` as rows.

use candle_core::{DType, Tensor};
use ebmotion::Result;

/// Sum of everything but the batch: `(B, *S)` to `(B,)`.
pub(crate) fn row_sum(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(1)?.sum(1)?)
}

/// A `(B,)` tensor with as many trailing ones as `x` has further dimensions, to broadcast against `x`.
pub(crate) fn column(values: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[0] = values.dims1()?;
    Ok(values.reshape(shape)?)
}

/// All numbers of a tensor in f32, row by row.
pub(crate) fn plain(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?)
}

/// The mean of all numbers.
pub(crate) fn mean(values: &Tensor) -> Result<f64> {
    Ok(values.to_dtype(DType::F64)?.mean_all()?.to_scalar()?)
}
