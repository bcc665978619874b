//! What networks of whole images are given.

use candle_core::Tensor;
use ebmotion::{Error, Result};

/// A context that must not be there.
pub(super) fn none_given(context: Option<&Tensor>) -> Result<()> {
    match context {
        None => Ok(()),
        Some(context) => Err(Error::Shape {
            what: "context",
            found: context.dims().to_vec(),
            expected: "none: this network is unconditional".into(),
        }),
    }
}

/// Images `(B, C, H, W)` of the shape that a network knows.
pub(super) fn fits(x: &Tensor, shape: [usize; 3]) -> Result<usize> {
    match x.dims() {
        [rows, rest @ ..] if *rows > 0 && rest == shape => Ok(*rows),
        found => Err(Error::Shape {
            what: "images",
            found: found.to_vec(),
            expected: format!("(B, {}, {}, {})", shape[0], shape[1], shape[2]),
        }),
    }
}
