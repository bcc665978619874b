//! Momentum times the inverse root of a gradient's covariance, for one weight matrix.

use gemm::Parallelism;

/// Added to the covariance's diagonal, as a share of its Frobenius norm.
pub const RIDGE: f64 = 1e-4;
/// Iterations of the inverse root: they raise small eigenvalues quickly, and none has to be exact.
pub const ITERATIONS: usize = 7;
/// Coefficients of the iteration's polynomial, which takes roots in `(0, 1]` to about 1 (Jordan et al. 2024).
pub const QUINTIC: [f64; 3] = [3.4445, -4.775, 2.0315];

/// What one matrix has seen of its gradients; one thread does all of its work.
#[derive(Debug, Clone)]
pub struct Whitener {
    rows: usize,
    columns: usize,
    decay: f32,
    momentum: Vec<f32>,
    covariance: Vec<f32>,
    root: Vec<f32>,
    ahead: Vec<f32>,
}

impl Whitener {
    /// Nothing seen yet. The momentum keeps `decay` of itself in each step.
    pub fn new(rows: usize, columns: usize, decay: f64) -> Self {
        let side = rows.min(columns);
        let zeros = |n: usize| vec![0.0; n];
        Self {
            rows,
            columns,
            decay: decay as f32,
            momentum: zeros(rows * columns),
            covariance: zeros(side * side),
            root: zeros(side * side),
            ahead: zeros(rows * columns),
        }
    }

    /// Momentum `(rows, columns)`; covariance and inverse root `(s, s)`, `s` the smaller side.
    pub fn state(&self) -> [&[f32]; 3] {
        [&self.momentum, &self.covariance, &self.root]
    }

    /// The same, to set them.
    pub fn state_mut(&mut self) -> [&mut [f32]; 3] {
        [&mut self.momentum, &mut self.covariance, &mut self.root]
    }

    /// Takes in a gradient `(rows, columns)`. Returns the direction to go against and the factor that makes its
    /// singular values about 1. The covariance takes the gradient in where it is given how much to keep of itself; the
    /// inverse root is taken anew where it is to be `fresh`.
    ///
    /// # Panics
    /// When the gradient has another length.
    pub fn direction(&mut self, gradient: &[f32], keep: Option<f32>, fresh: bool) -> (Vec<f32>, f32) {
        let (r, c) = (self.rows, self.columns);
        assert_eq!(gradient.len(), r * c, "numbers of a gradient of {r} x {c}");
        let side = r.min(c);
        let (by_row, by_column) = ([c, 1], [1, c]);
        let wide = r <= c;
        if let Some(keep) = keep {
            let [g, turned] = if wide { [by_row, by_column] } else { [by_column, by_row] };
            let view = |strides| View { numbers: gradient, strides };
            product(&mut self.covariance, [side, side, r.max(c)], view(g), view(turned), (keep, 1.0 - keep));
        }
        for ((m, a), g) in self.momentum.iter_mut().zip(&mut self.ahead).zip(gradient) {
            *m = self.decay * *m + g;
            *a = self.decay * *m + g;
        }
        if fresh {
            self.root = inverse_root(&self.covariance, side);
        }
        let mut direction = vec![0.0; r * c];
        let (root, ahead) = (View::square(&self.root, side), View { numbers: &self.ahead, strides: by_row });
        match wide {
            true => product(&mut direction, [r, c, side], root, ahead, (0.0, 1.0)),
            false => product(&mut direction, [r, c, side], ahead, root, (0.0, 1.0)),
        }
        // A gradient of 0 stays 0.
        let norm = norm(&direction).max(f64::from(f32::MIN_POSITIVE));
        (direction, ((side as f64).sqrt() / norm) as f32)
    }
}

/// `A^(-1/2)` of a symmetric matrix without negative eigenvalues, up to a factor, by coupled Newton-Schulz iterations
/// (Higham 2008, chapter 6, with another polynomial).
fn inverse_root(covariance: &[f32], side: usize) -> Vec<f32> {
    let norm = norm(covariance).max(f64::from(f32::MIN_POSITIVE));
    let [a, b, c] = QUINTIC.map(|n| n as f32);
    let unit = |i: usize| if i.is_multiple_of(side + 1) { 1.0 } else { 0.0 };
    let ridged = |(i, v): (usize, &f32)| ((f64::from(*v) / norm + RIDGE * f64::from(unit(i))) / (1.0 + RIDGE)) as f32;
    let mut y: Vec<f32> = covariance.iter().enumerate().map(ridged).collect();
    let mut z: Vec<f32> = (0..side * side).map(unit).collect();
    let [mut r, mut q, mut next] = [const { Vec::new() }; 3].map(|mut v: Vec<f32>| {
        v.resize(side * side, 0.0);
        v
    });
    // Every product is symmetric but for rounding. It must not be made so: what keeps the coupled iteration stable is
    // that both sides are multiplied by the same `q`, rounding and all.
    let times = |out: &mut [f32], x: &[f32], y: &[f32], scale| {
        product(out, [side; 3], View::square(x, side), View::square(y, side), scale);
    };
    for i in 0..ITERATIONS {
        // At first `z` is the unit matrix.
        match i {
            0 => r.copy_from_slice(&y),
            _ => times(&mut r, &z, &y, (0.0, 1.0)),
        }
        for (i, (q, r)) in q.iter_mut().zip(&r).enumerate() {
            *q = a * unit(i) + b * r;
        }
        times(&mut q, &r, &r, (1.0, c));
        match i {
            0 => z.copy_from_slice(&q),
            _ => {
                times(&mut next, &q, &z, (0.0, 1.0));
                std::mem::swap(&mut z, &mut next);
            }
        }
        if i + 1 < ITERATIONS {
            times(&mut next, &y, &q, (0.0, 1.0));
            std::mem::swap(&mut y, &mut next);
        }
    }
    (0..side * side).map(|i| 0.5 * (z[i] + z[i % side * side + i / side])).collect()
}

fn norm(x: &[f32]) -> f64 {
    // In eights, so that the sums run side by side.
    let mut sums = [0f32; 8];
    let mut total = 0.0;
    for part in x.chunks(4096) {
        sums.fill(0.0);
        let eights = part.chunks_exact(8);
        let rest: f32 = eights.remainder().iter().map(|v| v * v).sum();
        for eight in eights {
            for (sum, v) in sums.iter_mut().zip(eight) {
                *sum += v * v;
            }
        }
        total += f64::from(sums.iter().sum::<f32>() + rest);
    }
    total.sqrt()
}

/// A matrix as numbers and the distances of its rows and columns in them.
#[derive(Clone, Copy)]
struct View<'a> {
    numbers: &'a [f32],
    strides: [usize; 2],
}

impl<'a> View<'a> {
    fn square(numbers: &'a [f32], side: usize) -> Self {
        Self { numbers, strides: [side, 1] }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        let [down, across] = self.strides;
        rows == 0 || columns == 0 || (rows - 1) * down + (columns - 1) * across < self.numbers.len()
    }
}

/// `out <- keep out + add a b`, `a` of `(m, k)` and `b` of `(k, n)`, `out` row by row.
fn product(out: &mut [f32], [m, n, k]: [usize; 3], a: View<'_>, b: View<'_>, (keep, add): (f32, f32)) {
    assert!(out.len() == m * n && a.holds(m, k) && b.holds(k, n), "a product of {m} x {k} and {k} x {n}");
    // SAFETY: all that is read and written lies within the slices, as was just checked; `out` is borrowed by no one
    // else.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            keep != 0.0,
            a.numbers.as_ptr(),
            a.strides[1] as isize,
            a.strides[0] as isize,
            b.numbers.as_ptr(),
            b.strides[1] as isize,
            b.strides[0] as isize,
            keep,
            add,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
