//! How a network is told its noise level, and the scale of what it answers.

use crate::error::Result;
use candle_core::Tensor;

/// Numbers that tell the network its noise level.
pub(crate) const LEVEL_FEATURES: usize = 9;
/// Frequencies of the level's sine and cosine features.
pub(super) const FREQUENCIES: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Scale of the network's output: it starts near 0 and must reach several nats.
pub(crate) const GAIN: f64 = 10.0;

/// Noise angles at which a level is told to a network, and between which training draws uniformly: from almost data to
/// almost noise. The feature `ln tan t` is infinite at both ends of the quarter circle.
pub(crate) const ANGLES: (f64, f64) = (0.015, 1.555);

/// `(B, 9)` features of angles `(B, 1)`: `s = ln(tan t) / 2` and its sines and cosines.
pub(super) fn level_features(angle: &Tensor) -> Result<Tensor> {
    let s = ((angle.sin()? / angle.cos()?)?.log()? * 0.5)?;
    let mut features = vec![s.clone()];
    for f in FREQUENCIES {
        features.push((&s * f)?.sin()?);
        features.push((&s * f)?.cos()?);
    }
    Ok(Tensor::cat(&features, 1)?)
}

pub(super) fn with_level(angle: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
    let level = level_features(angle)?;
    Ok(match context {
        Some(c) => Tensor::cat(&[&level, &c.flatten_from(1)?], 1)?,
        None => level,
    })
}
