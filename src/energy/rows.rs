//! Small tensor helpers that see a batch `(B, *S)` as rows.

use crate::error::{Error, Result};
use candle_core::{DType, Tensor};

/// `x` of shape `(B, *S)` as `(B, F)` with `F` the number of elements of `S`.
pub(crate) fn rows(x: &Tensor) -> Result<Tensor> {
    match x.dims() {
        [_, _] => Ok(x.clone()),
        [batch, ..] if *batch > 0 => Ok(x.reshape((*batch, x.elem_count() / batch))?),
        found => Err(Error::Shape {
            what: "a batch of arrays",
            found: found.to_vec(),
            expected: "(B, ...) with at least one row".into(),
        }),
    }
}

/// [`rows`], and the number of columns must be `features`.
pub(crate) fn rows_of(x: &Tensor, features: usize, what: &'static str) -> Result<Tensor> {
    let flat = rows(x)?;
    if flat.dims()[1] == features {
        return Ok(flat);
    }
    Err(Error::Shape { what, found: x.dims().to_vec(), expected: format!("(B, ...) with {features} numbers per row") })
}

/// Sum of everything but the batch: `(B, *S)` to `(B,)`.
pub(crate) fn row_sum(x: &Tensor) -> Result<Tensor> {
    Ok(rows(x)?.sum(1)?)
}

/// A `(B,)` tensor with as many trailing ones as `x` has further dimensions, to broadcast against `x`.
pub(crate) fn column(values: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[0] = values.dims1()?;
    Ok(values.reshape(shape)?)
}

/// `constant` with the number type and on the device of `x`; the same tensor where both agree already.
pub(crate) fn like(constant: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(constant.to_dtype(x.dtype())?.to_device(x.device())?)
}

/// All numbers of a tensor in f32, row by row.
pub(crate) fn plain(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?)
}
