//! How far conditions move a denoised estimate: by an observation, by a step towards the mode of an energy, and how
//! steep an energy of a linear map can be.

use super::cholesky::{cholesky, gram, invert_lower};
use crate::error::{Error, Result};
use std::ops::Range;

/// Momentum of steps towards a mode where the energies have this share of the curvature: that of Nesterov's method for
/// strongly convex functions (Nesterov 2004, "Introductory lectures on convex optimization", section 2.2.1).
pub fn momentum(share: f64) -> f64 {
    let root = (1.0 - share).max(0.0).sqrt();
    (1.0 - root) / (1.0 + root)
}

/// The largest eigenvalue of `L^T L` for `rows` of a matrix of `width` columns, by power iteration, rounded up.
pub fn largest(rows: Range<usize>, width: usize, at: impl Fn(usize, usize) -> f64) -> f64 {
    let mut direction: Vec<f64> = (0..width).map(|c| 1.0 + 0.1 * (c as f64).sin()).collect();
    let mut size = 0.0;
    for _ in 0..60 {
        let norm = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm <= 0.0 {
            return f64::MIN_POSITIVE;
        }
        direction.iter_mut().for_each(|v| *v /= norm);
        let images: Vec<f64> = rows.clone().map(|r| (0..width).map(|c| at(r, c) * direction[c]).sum()).collect();
        size = images.iter().map(|v| v * v).sum::<f64>();
        for (c, to) in direction.iter_mut().enumerate() {
            *to = rows.clone().zip(&images).map(|(r, image)| at(r, c) * image).sum();
        }
    }
    1.05 * size
}

/// Less than this share of its own: an observation that follows from others but for rounding.
const DEPENDENT: f64 = 1e-12;

/// The products of `count` rows with each other, `(M, M)`, the lower triangle.
fn products(matrix: &[f64], count: usize) -> Vec<f64> {
    let width = matrix.len() / count;
    let row = |i: usize| &matrix[i * width..(i + 1) * width];
    let mut products = vec![0.0; count * count];
    for i in 0..count {
        for j in 0..=i {
            products[i * count + j] = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
        }
    }
    products
}

/// What an estimate moves by for each unit that it misses observations with rows `matrix` `(M, F)` and standard
/// deviations `std` `(M,)`: `C A^T (C A A^T + S)^-1`, `(F, M)`, the gain of the Kalman filter, for data of variance `C`
/// in all directions.
///
/// # Errors
/// [`Error::Data`] when exact observations are not independent.
pub fn gain(matrix: &[f64], std: &[f64], variance: f64) -> Result<Vec<f64>> {
    Ok(gains(matrix, std, &[variance])?.concat())
}

/// [`gain`] for several variances.
///
/// # Errors
/// As [`gain`].
pub(super) fn gains(matrix: &[f64], std: &[f64], variances: &[f64]) -> Result<Vec<Vec<f64>>> {
    let products = products(matrix, std.len());
    variances.iter().map(|variance| of_products(matrix, &products, std, *variance)).collect()
}

fn of_products(matrix: &[f64], products: &[f64], std: &[f64], variance: f64) -> Result<Vec<f64>> {
    let count = std.len();
    let width = matrix.len() / count;
    let row = |i: usize| &matrix[i * width..(i + 1) * width];
    let mut spread = vec![0.0; count * count];
    for i in 0..count {
        for j in 0..=i {
            let both = variance * products[i * count + j];
            let own = if i == j { std[i] * std[i] } else { 0.0 };
            (spread[i * count + j], spread[j * count + i]) = (both + own, both + own);
        }
    }
    let dependent = || Error::data("observations", "some that follow from others", "independent ones, or with noise");
    let factor = cholesky(&spread, count, "observations").map_err(|_| dependent())?;
    // What is left of a row's own spread when the others are known.
    let left = |i: usize| factor[i * count + i].powi(2) / spread[i * count + i];
    if (0..count).any(|i| left(i) < DEPENDENT) {
        return Err(dependent());
    }
    let inverse = gram(&invert_lower(&factor, count), count);
    let mut gain = vec![0.0; width * count];
    for i in 0..count {
        let inverse = &inverse[i * count..(i + 1) * count];
        for (to, weight) in gain.chunks_exact_mut(count).zip(row(i)) {
            to.iter_mut().zip(inverse).for_each(|(to, v)| *to += weight * v);
        }
    }
    gain.iter_mut().for_each(|to| *to *= variance);
    Ok(gain)
}
