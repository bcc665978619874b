//! Linear vector autoregression from a few frames to a chunk of frames, by ridge regression.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use nalgebra::{DMatrix, DVector};

/// Deltas, in standard deviations, are cut off here: a glitch in a log must not throw the whole chunk.
pub(crate) const DELTA_LIMIT: f32 = 8.0;
/// Windows per block of the normal equations: the design matrix exists one block at a time.
const BLOCK: usize = 1024;

/// A fitted vector autoregression `future - last = features · coefficients + residual`.
///
/// The features of a window of `K` frames of `D` channels are `F = K D + 1` numbers: the last frame, then the `K - 1`
/// frame-to-frame deltas from the oldest to the newest, each divided by [`VarFit::delta_std`] and cut off at ±8, then
/// the constant 1. The target is the chunk of `C` future frames, each minus the last context frame: `C D` numbers,
/// frame by frame.
///
/// Ridge regression (Hoerl and Kennard, Technometrics 12, 1970): the coefficients minimise the *sum* of squared
/// residuals plus `ridge` times the sum of squared coefficients, the constant's row left out of the penalty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VarFit {
    context: usize,
    chunk: usize,
    channels: usize,
    /// `(F, C D)` row-major.
    coefficients: Vec<f64>,
    residual_mean: Vec<f64>,
    residual_covariance: Vec<f64>,
    delta_std: Vec<f32>,
    /// `coefficients` as the `(C D, F)` factor of [`VarFit::predict`].
    weights: DMatrix<f32>,
}

impl VarFit {
    /// Fits `windows`, z-scored, `(N, context + chunk, D)` row-major, `D` = `channels`; `ridge` is at least 0.
    ///
    /// One pass over the windows in f64, in blocks: the memory beside the input is two Gram matrices.
    ///
    /// # Errors
    /// [`Error::Config`] for a size of 0 or a negative ridge, [`Error::Data`] when the array is not a whole number of
    /// windows, holds fewer than two, or the normal equations are singular (only with `ridge` 0), and
    /// [`Error::NonFinite`] for a window that holds NaN or infinity.
    pub fn fit(windows: &[f32], channels: usize, context: usize, chunk: usize, ridge: f64) -> Result<Self> {
        for (key, value) in [("channels", channels), ("context", context), ("chunk", chunk)] {
            if value == 0 {
                return Err(Error::config(key, value, "at least 1"));
            }
        }
        if !(ridge >= 0.0 && ridge.is_finite()) {
            return Err(Error::config("ridge", ridge, "a finite number, at least 0"));
        }
        let width = (context + chunk) * channels;
        let count = windows.len() / width;
        if !windows.len().is_multiple_of(width) || count < 2 {
            let expected = format!(
                "a multiple of {width} ({context} + {chunk} frames of {channels} channels), at least 2 windows"
            );
            return Err(Error::data("numbers in the training windows", windows.len(), expected));
        }
        if let Some(at) = windows.iter().position(|v| !v.is_finite()) {
            let what = format!("channel {} of training window {}", at % channels, at / width);
            return Err(Error::NonFinite { what, value: f64::from(windows[at]), step: 0 });
        }
        let delta_std = delta_std(windows, channels, context + chunk);
        let gram = gram(windows, channels, context, chunk, &delta_std);
        let (f, o) = (context * channels + 1, chunk * channels);
        let (xx, xy, yy) = (gram.view((0, 0), (f, f)), gram.view((0, f), (f, o)), gram.view((f, f), (o, o)));
        let mut penalised = xx.clone_owned();
        for i in 0..f - 1 {
            penalised[(i, i)] += ridge;
        }
        let solved = penalised.cholesky().map(|c| c.solve(&xy));
        let b = solved.filter(|b| b.iter().all(|v| v.is_finite())).ok_or_else(|| {
            Error::data("normal equations of the vector autoregression", "a singular matrix", "a larger ridge")
        })?;
        // With R = Y - X B: R'R = Y'Y - B'X'Y - Y'X B + B'X'X B, so no second pass is needed.
        let bt = b.transpose();
        let explained = &bt * xy;
        let squares = yy - &explained - explained.transpose() + &bt * (xx * &b);
        let n = count as f64;
        let constant = f - 1;
        let sum_y = xy.row(constant).transpose();
        let sum_x = xx.column(constant);
        let mean: DVector<f64> = (sum_y - &bt * sum_x) / n;
        let covariance = (squares - &mean * mean.transpose() * n) / (n - 1.0);
        let covariance = (&covariance + covariance.transpose()) * 0.5;
        Ok(Self::assemble(
            [context, chunk, channels],
            bt.as_slice().to_vec(), // column-major (C D, F) = row-major (F, C D)
            mean.as_slice().to_vec(),
            covariance.as_slice().to_vec(),
            delta_std,
        ))
    }

    fn assemble(
        [context, chunk, channels]: [usize; 3],
        coefficients: Vec<f64>,
        residual_mean: Vec<f64>,
        residual_covariance: Vec<f64>,
        delta_std: Vec<f32>,
    ) -> Self {
        let weights = coefficients.iter().map(|v| *v as f32);
        let weights = DMatrix::from_iterator(chunk * channels, context * channels + 1, weights);
        Self { context, chunk, channels, coefficients, residual_mean, residual_covariance, delta_std, weights }
    }

    /// Frames of context, `K`.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Frames per chunk, `C`.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Channels, `D`.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Numbers per feature row, `K D + 1`.
    pub fn feature_width(&self) -> usize {
        self.context * self.channels + 1
    }

    /// Numbers per chunk, `C D`.
    pub fn target_width(&self) -> usize {
        self.chunk * self.channels
    }

    /// `(F, C D)` row-major: row `f` is the effect of feature `f` on the chunk.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// `(C D,)`: mean of the training residuals; 0 but for rounding, since the constant is not penalised.
    pub fn residual_mean(&self) -> &[f64] {
        &self.residual_mean
    }

    /// `(C D, C D)`: covariance of the training residuals (divisor `N - 1`).
    pub fn residual_covariance(&self) -> &[f64] {
        &self.residual_covariance
    }

    /// `(D,)`: standard deviation of the frame-to-frame delta over all training windows; 1 for a channel that never
    /// moves.
    pub fn delta_std(&self) -> &[f32] {
        &self.delta_std
    }

    /// Feature rows `(B, F)` of `history`, `(B, K, D)` row-major, `K` exactly [`VarFit::context`].
    ///
    /// # Errors
    /// [`Error::Shape`] when `history` is not a whole number of contexts.
    pub fn features(&self, history: &[f32]) -> Result<Vec<f32>> {
        let width = self.context * self.channels;
        if !history.len().is_multiple_of(width) {
            let expected = format!("a multiple of {width} ({} frames of {} channels)", self.context, self.channels);
            return Err(Error::Shape {
                what: "history of a vector autoregression",
                found: vec![history.len()],
                expected,
            });
        }
        let mut features = vec![0.0; history.len() / width * self.feature_width()];
        for (row, window) in features.chunks_exact_mut(self.feature_width()).zip(history.chunks_exact(width)) {
            fill_features(window, &self.delta_std, row);
        }
        Ok(features)
    }

    /// Expected chunks minus the last frame, `(B, C D)`, of feature rows `(B, F)`.
    ///
    /// A row's answer does not depend on the other rows, to the last bit.
    ///
    /// # Errors
    /// [`Error::Shape`] when `features` is not a whole number of rows.
    pub fn predict(&self, features: &[f32]) -> Result<Vec<f32>> {
        let width = self.feature_width();
        if !features.len().is_multiple_of(width) {
            let expected = format!("a multiple of {width}");
            return Err(Error::Shape {
                what: "features of a vector autoregression",
                found: vec![features.len()],
                expected,
            });
        }
        Ok(rows_times(&self.weights, features))
    }

    /// The fit as named tensors (f64, but `delta_std` f32), every name prefixed `var.`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a tensor cannot be made.
    pub fn to_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let (f, o, cpu) = (self.feature_width(), self.target_width(), &Device::Cpu);
        let sizes = [self.context, self.chunk, self.channels].map(|v| v as u32);
        Ok(vec![
            ("var.sizes".into(), Tensor::new(&sizes, cpu)?),
            ("var.coefficients".into(), Tensor::from_slice(&self.coefficients, (f, o), cpu)?),
            ("var.residual_mean".into(), Tensor::from_slice(&self.residual_mean, o, cpu)?),
            ("var.residual_covariance".into(), Tensor::from_slice(&self.residual_covariance, (o, o), cpu)?),
            ("var.delta_std".into(), Tensor::from_slice(&self.delta_std, self.channels, cpu)?),
        ])
    }

    /// The fit that [`VarFit::to_tensors`] wrote; `get` finds a tensor by its name.
    ///
    /// # Errors
    /// Whatever `get` returns, [`Error::Shape`] for tensors that do not fit each other, [`Error::NonFinite`] for
    /// numbers that are not finite, [`Error::Data`] for a standard deviation that is not above 0.
    pub fn from_tensors(get: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let sizes = get("var.sizes")?;
        let found = sizes.dims().to_vec();
        let sizes = sizes.flatten_all()?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
        let (&[context, chunk, channels], true) = (&sizes[..], sizes.iter().all(|v| (1..=1 << 20).contains(v))) else {
            return Err(Error::Shape { what: "var.sizes", found, expected: "(3,) of numbers from 1 to 2^20".into() });
        };
        let [context, chunk, channels] = [context, chunk, channels].map(|v| v as usize);
        let (f, o) = (context * channels + 1, chunk * channels);
        let read = |what: &'static str, shape: &[usize]| -> Result<Vec<f64>> {
            let tensor = get(what)?;
            if tensor.dims() != shape {
                return Err(Error::Shape { what, found: tensor.dims().to_vec(), expected: format!("{shape:?}") });
            }
            let values = tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            match values.iter().find(|v| !v.is_finite()) {
                Some(value) => Err(Error::NonFinite { what: what.into(), value: *value, step: 0 }),
                None => Ok(values),
            }
        };
        let delta_std: Vec<f32> = read("var.delta_std", &[channels])?.into_iter().map(|v| v as f32).collect();
        if let Some(c) = delta_std.iter().position(|v| *v <= 0.0) {
            return Err(Error::data(format!("var.delta_std of channel {c}"), delta_std[c], "above 0"));
        }
        Ok(Self::assemble(
            [context, chunk, channels],
            read("var.coefficients", &[f, o])?,
            read("var.residual_mean", &[o])?,
            read("var.residual_covariance", &[o, o])?,
            delta_std,
        ))
    }
}

/// `weights · rowᵀ` for every row of `rows`, row-major in and out.
pub(super) fn rows_times(weights: &DMatrix<f32>, rows: &[f32]) -> Vec<f32> {
    // nalgebra takes another path (other rounding) for fewer than six columns: padding keeps a row's answer the same
    // to the last bit whatever the batch.
    const PATH: usize = 8;
    let count = rows.len() / weights.ncols();
    let columns = if count < PATH {
        let padding = std::iter::repeat_n(0.0, (PATH - count) * weights.ncols());
        DMatrix::from_iterator(weights.ncols(), PATH, rows.iter().copied().chain(padding))
    } else {
        DMatrix::from_column_slice(weights.ncols(), count, rows)
    };
    let mut answer: Vec<f32> = (weights * columns).data.into();
    answer.truncate(count * weights.nrows());
    answer
}

fn fill_features(window: &[f32], delta_std: &[f32], row: &mut [f32]) {
    let d = delta_std.len();
    row[..d].copy_from_slice(&window[window.len() - d..]);
    for (out, (after, before)) in
        row[d..].chunks_exact_mut(d).zip(window[d..].chunks_exact(d).zip(window.chunks_exact(d)))
    {
        for c in 0..d {
            out[c] = ((after[c] - before[c]) / delta_std[c]).clamp(-DELTA_LIMIT, DELTA_LIMIT);
        }
    }
    row[window.len()] = 1.0;
}

/// Standard deviation of each channel's frame-to-frame delta; 1 where it is 0.
fn delta_std(windows: &[f32], d: usize, frames: usize) -> Vec<f32> {
    let (mut sum, mut squares, mut count) = (vec![0.0; d], vec![0.0; d], 0.0_f64);
    for window in windows.chunks_exact(frames * d) {
        for (after, before) in window[d..].chunks_exact(d).zip(window.chunks_exact(d)) {
            for c in 0..d {
                let delta = f64::from(after[c]) - f64::from(before[c]);
                sum[c] += delta;
                squares[c] += delta * delta;
            }
        }
        count += (frames - 1) as f64;
    }
    let std = |(s, q): (&f64, &f64)| ((q - s * s / count) / count).max(0.0).sqrt() as f32;
    sum.iter().zip(&squares).map(std).map(|v| if v > 0.0 { v } else { 1.0 }).collect()
}

/// `Z'Z` of the rows `z = [features, target]`, `(F + C D, F + C D)`.
fn gram(windows: &[f32], d: usize, context: usize, chunk: usize, delta_std: &[f32]) -> DMatrix<f64> {
    let (f, o) = (context * d + 1, chunk * d);
    let mut gram = DMatrix::zeros(f + o, f + o);
    let mut features = vec![0.0; f];
    for block in windows.chunks((context + chunk) * d * BLOCK) {
        let mut z = DMatrix::zeros(f + o, block.len() / ((context + chunk) * d));
        for (window, mut column) in block.chunks_exact((context + chunk) * d).zip(z.column_iter_mut()) {
            let (history, future) = window.split_at(context * d);
            fill_features(history, delta_std, &mut features);
            for (out, v) in column.iter_mut().zip(&features) {
                *out = f64::from(*v);
            }
            let last = &history[history.len() - d..];
            for (i, v) in future.iter().enumerate() {
                column[f + i] = f64::from(*v) - f64::from(last[i % d]);
            }
        }
        gram.gemm(1.0, &z, &z.transpose(), 1.0);
    }
    gram
}
