//! What a score keeps in a model file: vectors of numbers by name.

use super::gaussian::Moments;
use super::score::Saved;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};

/// A named vector, as a tensor.
pub(super) fn vector(name: &str, values: &[f64]) -> Result<(String, Tensor)> {
    Ok((name.into(), Tensor::from_slice(values, values.len(), &Device::Cpu)?))
}

/// The vector of a name, of `length` numbers where that is known.
pub(super) fn numbers(get: &Saved<'_>, name: &str, length: Option<usize>) -> Result<Vec<f64>> {
    let damaged = |found: String| Error::data("calibration for anomalies", found, "one that fits the model");
    let values = get(name)?.to_vec1::<f64>().map_err(|e| damaged(format!("`{name}`: {e}")))?;
    match length.is_none_or(|l| l == values.len()) && !values.is_empty() && values.iter().all(|v| v.is_finite()) {
        true => Ok(values),
        false => Err(damaged(format!("{} numbers of `{name}`", values.len()))),
    }
}

/// Mean and covariance of the score `name`, as tensors.
pub(super) fn moments(name: &str, (mean, covariance): &Moments) -> Result<Vec<(String, Tensor)>> {
    Ok(vec![vector(&format!("{name}.mean"), mean)?, vector(&format!("{name}.covariance"), covariance)?])
}

/// Those that [`moments`] gave, of `width` numbers and their square.
pub(super) fn saved_moments(get: &Saved<'_>, name: &str, width: usize) -> Result<Moments> {
    let covariance = numbers(get, &format!("{name}.covariance"), Some(width * width))?;
    Ok((numbers(get, &format!("{name}.mean"), Some(width))?, covariance))
}
