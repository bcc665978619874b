//! Triangular factors of small symmetric matrices, row-major in plain slices: what a Gaussian needs once, when it is
//! made. (Golub and Van Loan, "Matrix Computations", 4th ed., sections 3.1 and 4.2.)

use crate::error::{Error, Result};

/// Lower triangular `L` with `L L^T = matrix`, `(n, n)`.
///
/// # Errors
/// [`Error::Data`] when the matrix is not square, not symmetric or not positive definite, naming the entry.
pub fn cholesky(matrix: &[f64], n: usize, what: &str) -> Result<Vec<f64>> {
    if matrix.len() != n * n {
        return Err(Error::data(what, format!("{} numbers", matrix.len()), format!("{n} x {n}")));
    }
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let (below, above) = (matrix[i * n + j], matrix[j * n + i]);
            let size = (matrix[i * n + i] * matrix[j * n + j]).abs().sqrt();
            // Rounding leaves computed covariances symmetric to a few units in the last place.
            if (below - above).abs() > 1e-9 * size {
                return Err(Error::data(what, format!("{below} at ({i}, {j}), {above} at ({j}, {i})"), "symmetry"));
            }
            let rest = below - (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum::<f64>();
            if i == j {
                if rest.is_nan() || rest <= 0.0 || rest.is_infinite() {
                    return Err(Error::data(what, format!("pivot {rest} in row {i}"), "a positive definite matrix"));
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    Ok(l)
}

/// Inverse of a lower triangular matrix with a non-zero diagonal; lower triangular itself.
pub fn invert_lower(l: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for column in 0..n {
        inverse[column * n + column] = 1.0 / l[column * n + column];
        for i in column + 1..n {
            let sum: f64 = (column..i).map(|k| l[i * n + k] * inverse[k * n + column]).sum();
            inverse[i * n + column] = -sum / l[i * n + i];
        }
    }
    inverse
}

/// `A^T A` of a square matrix.
pub fn gram(a: &[f64], n: usize) -> Vec<f64> {
    let mut product = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            product[i * n + j] = (0..n).map(|k| a[k * n + i] * a[k * n + j]).sum();
        }
    }
    product
}

/// Transpose of a square matrix.
pub fn transpose(a: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|at| a[at % n * n + at / n]).collect()
}

/// Sum of the logarithms of the diagonal.
pub fn log_diagonal(l: &[f64], n: usize) -> f64 {
    (0..n).map(|i| l[i * n + i].ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_and_inverse_of_a_known_matrix() {
        // The exact factor is [[2,0,0],[6,1,0],[-8,5,3]].
        let l = cholesky(&[4., 12., -16., 12., 37., -43., -16., -43., 98.], 3, "m").unwrap();
        assert_eq!(l, [2., 0., 0., 6., 1., 0., -8., 5., 3.]);
        let inverse = invert_lower(&l, 3);
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| l[i * 3 + k] * inverse[k * 3 + j]).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        assert_eq!(gram(&transpose(&l, 3), 3), [4., 12., -16., 12., 37., -43., -16., -43., 98.]);
        assert!((log_diagonal(&l, 3) - 6f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn matrices_that_are_no_covariances_are_refused() {
        assert!(cholesky(&[1., 2., 2., 1.], 2, "m").is_err(), "indefinite");
        assert!(cholesky(&[1., 0.5, 0.4, 1.], 2, "m").is_err(), "asymmetric");
        assert!(cholesky(&[1., f64::NAN, f64::NAN, 1.], 2, "m").is_err(), "NaN");
        assert!(cholesky(&[1., 0., 0.], 2, "m").is_err(), "not square");
    }
}
