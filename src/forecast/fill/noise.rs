//! How much noise motion was seen with, by the model's autoregression.

use super::super::ResidualCoordinates;
use super::Filling;
use crate::error::Result;
use crate::noise::Noise;
use candle_core::Tensor;

/// Rounds of estimation.
const ROUNDS: usize = 60;
/// Standard deviation to begin with, and the least one, z-scored.
const FIRST: f64 = 0.1;
const LEAST: f64 = 1e-4;
/// An estimate is found when no deviation changes by more than this share in a round.
const FOUND: f64 = 5e-3;

/// Standard deviation of each channel's noise `(D,)` in complete windows `(B, T, D)`, z-scored: that by which the
/// windows are likeliest, were their motion that of the autoregression.
///
/// Expectation maximisation: a channel's variance becomes the mean square of what cleaning takes away, plus the
/// variance that is left (Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM
/// algorithm").
pub(super) fn estimated(coordinates: &ResidualCoordinates, windows: &Tensor) -> Result<Vec<f64>> {
    let (batch, frames, d) = windows.dims3()?;
    let values = windows.flatten_all()?.to_vec1::<f32>()?;
    let mut std = vec![FIRST; d];
    for _ in 0..ROUNDS {
        let filling = Filling::new(coordinates, &values[..frames * d], d, &std)?;
        let means = filling.run(&values, 0, None, &mut Noise::new(0))?.mean.flatten_all()?.to_vec1::<f32>()?;
        let mut squares = vec![0.0; d];
        for (i, (value, mean)) in values.iter().zip(&means).enumerate() {
            squares[i % d] += f64::from(value - mean).powi(2) / (batch * frames) as f64;
        }
        for (i, variance) in filling.variances().into_iter().enumerate() {
            squares[i % d] += variance / frames as f64;
        }
        let next: Vec<f64> = squares.iter().map(|square| square.sqrt().max(LEAST)).collect();
        let change = next.iter().zip(&std).map(|(to, from)| (to / from - 1.0).abs()).fold(0.0, f64::max);
        std = next;
        if change < FOUND {
            break;
        }
    }
    Ok(std)
}
