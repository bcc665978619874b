//! The energies of an image at all noise levels judged together.
//!
//! An image of another kind may have an energy at one level that training images have too, or a lower one than any of them:
//! one of less detail always has at low noise. Its energies at all levels are another matter: how far they are from those of
//! training images, by their mean and covariance, tells both. After the norms of scores at many levels of Mahmood, Oliva &
//! Styner 2021, "Multiscale score matching for out-of-distribution detection".

use candle_core::{Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::energy::analytic::Gaussian;
use ebmotion::{Error, Result};

/// Noise levels, and the energies of the same images at each.
pub(super) type ByLevel = [(f64, Vec<f64>)];

/// The Gaussian of training images' energies, a number a level.
///
/// # Errors
/// [`Error::Data`] when there are too few images, or all alike at some level.
pub(super) fn gaussian(own: &ByLevel) -> Result<Gaussian> {
    let images = own.first().map_or(0, |(_, energies)| energies.len());
    if images <= own.len() {
        return Err(Error::data("training images", images, format!("more than levels, {}", own.len())));
    }
    let mean: Vec<f64> = own.iter().map(|(_, e)| e.iter().sum::<f64>() / images as f64).collect();
    let away = |k: usize, i: usize| own[k].1[i] - mean[k];
    let entry = |a: usize, b: usize| (0..images).map(|i| away(a, i) * away(b, i)).sum::<f64>() / (images - 1) as f64;
    let covariance: Vec<f64> =
        (0..own.len()).flat_map(|a| (0..own.len()).map(move |b| (a, b))).map(|(a, b)| entry(a, b)).collect();
    Gaussian::from_covariance(&mean, &covariance)
}

/// Minus the logarithm of the density of each image's energies at each level.
///
/// # Errors
/// Those of tensor operations.
pub(super) fn judged(gaussian: &Gaussian, energies: &[&[f64]]) -> Result<Vec<f64>> {
    let images = energies.first().map_or(0, |e| e.len());
    let rows: Vec<f64> = (0..images).flat_map(|i| energies.iter().map(move |e| e[i])).collect();
    Ok(gaussian.energy(&Tensor::from_vec(rows, (images, energies.len()), &Device::Cpu)?)?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use ebmotion::noise::Noise;

    #[test]
    fn energies_are_judged_on_both_sides_and_by_how_they_go_together() -> Result<()> {
        let draws = Noise::new(0).normal((2, 4000), DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
        // Standard deviations 1 and 2, correlation .8.
        let second: Vec<f64> = draws[0].iter().zip(&draws[1]).map(|(a, b)| 5.0 + 2.0 * (0.8 * a + 0.6 * b)).collect();
        let gaussian = gaussian(&[(0.1, draws[0].clone()), (0.2, second)])?;
        let found = judged(&gaussian, &[&[0.0, 2.0, -2.0, 2.0], &[5.0, 9.0, 1.0, 1.0]])?;
        // Half of (x - mu)^T S^-1 (x - mu), with S^-1 = [1, -.4; -.4, .25] / .36.
        let exact = |x: f64, y: f64| 0.5 * (x * x - 0.8 * x * y + 0.25 * y * y) / 0.36;
        let lowest = found[0];
        for (found, exact) in found[1..].iter().zip([exact(2.0, 4.0), exact(-2.0, -4.0), exact(2.0, -4.0)]) {
            // 4000 draws: each number of mean and covariance is off by some 2 %.
            let above = found - lowest;
            assert!((above - exact).abs() < 0.1 * exact, "{above}, not {exact}");
        }
        assert!(self::gaussian(&[(0.1, vec![1.0; 5])]).is_err());
        assert!(self::gaussian(&[(0.1, vec![1.0, 2.0]), (0.2, vec![1.0, 2.0])]).is_err());
        Ok(())
    }
}
