//! Baselines: what an honest report compares with. Each is a [`Forecaster`](crate::forecast::Forecaster).

mod hold;
mod var;
mod var_fit;
mod velocity;

pub use hold::Hold;
pub use var::Var;
pub use var_fit::VarFit;
pub use velocity::Velocity;

use crate::error::{Error, Result};
use crate::forecast::Request;
use candle_core::{DType, Tensor};

/// The last `frames` frames of each history, `(B, frames, D)` row-major.
struct Recent {
    batch: usize,
    values: Vec<f32>,
}

/// Reads the last `frames` frames of `history`, `(B, K, channels)` f32, and refuses an empty request.
fn recent(history: &Tensor, frames: usize, channels: usize, request: &Request) -> Result<Recent> {
    let expected = || format!("(B, K, {channels}) f32 with B at least 1 and K at least {frames}");
    let &[batch, k, d] = history.dims() else {
        return Err(Error::Shape { what: "history", found: history.dims().to_vec(), expected: expected() });
    };
    if batch == 0 || k < frames || d != channels {
        return Err(Error::Shape { what: "history", found: history.dims().to_vec(), expected: expected() });
    }
    if history.dtype() != DType::F32 {
        return Err(Error::data("history", format!("{:?}", history.dtype()), expected()));
    }
    for (name, value) in [("horizon", request.horizon), ("samples", request.samples)] {
        if value == 0 {
            return Err(Error::config(name, value, "at least 1"));
        }
    }
    let values = history.narrow(1, k - frames, frames)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(Recent { batch, values })
}
