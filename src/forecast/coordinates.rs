//! Coordinates in which motion is nearly Gaussian: the whitened residual of a vector autoregression.
//!
//! A chunk of future frames is `last frame + prediction(history) + mean + V diag(sqrt l) u`, with `V`, `l` the
//! eigenvectors and eigenvalues of the residual's covariance. The leading numbers of `u` are what an energy is learned
//! over; the rest carries little variance and is standard normal.

use super::Limits;
use super::baseline::VarFit;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::Linear;
use nalgebra::{DMatrix, DVectorView};
use std::sync::Arc;

/// Eigenvalues below this share of the largest are directions that never move (coupled joints): not whitened, not
/// drawn.
const RANK: f64 = 1e-10;

/// Eigenvalues and eigenvectors of a regression's residual covariance, the largest first.
#[derive(Debug)]
pub(super) struct Eigen {
    /// `(C D,)`.
    values: Vec<f64>,
    /// `(C D, C D)`: a row each.
    vectors: Vec<f64>,
}

impl Eigen {
    /// The tensor of the eigenvalues in a model file.
    pub(super) const VALUES: &str = "coordinates.eigenvalues";
    const VECTORS: &str = "coordinates.eigenvectors";

    /// Computes them, which takes far longer than all else of a model that is read.
    pub(super) fn of(fit: &VarFit) -> Self {
        let width = fit.target_width();
        let eigen = DMatrix::from_column_slice(width, width, fit.residual_covariance()).symmetric_eigen();
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        Self {
            values: order.iter().map(|i| eigen.eigenvalues[*i]).collect(),
            vectors: order
                .iter()
                .flat_map(|i| eigen.eigenvectors.column(*i).iter().copied().collect::<Vec<_>>())
                .collect(),
        }
    }

    /// For a model file.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub(super) fn to_tensors(&self) -> Result<[(String, Tensor); 2]> {
        let width = self.values.len();
        Ok([
            (Self::VALUES.into(), Tensor::from_slice(&self.values, width, &Device::Cpu)?),
            (Self::VECTORS.into(), Tensor::from_slice(&self.vectors, (width, width), &Device::Cpu)?),
        ])
    }

    /// From a model file.
    ///
    /// # Errors
    /// Whatever `get` returns.
    pub(super) fn from_tensors(get: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let read = |name: &str| -> Result<Vec<f64>> { Ok(get(name)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?) };
        Ok(Self { values: read(Self::VALUES)?, vectors: read(Self::VECTORS)? })
    }
}

/// The map between chunks of frames and whitened coordinates, given the history.
#[derive(Debug, Clone)]
pub(crate) struct ResidualCoordinates {
    fit: VarFit,
    eigen: Arc<Eigen>,
    limits: Limits,
    /// Principal coordinates that are not left Gaussian.
    leading: usize,
    /// Coordinates are told by frames and channels, see [`ResidualCoordinates::by_frames`].
    by_frames: bool,
    /// Of all principal coordinates, in falling order.
    variances: Vec<f64>,
    /// `(C D, C D)`: a row for each of them, the direction in a chunk, of length 1.
    axes: Tensor,
    /// `(1, C D)`.
    mean: Tensor,
    /// `(C D, latent)`: residual to leading coordinates.
    whiten: Tensor,
    /// `(C D, C D)`: all coordinates (rows, leading ones first) to residual.
    colour: Tensor,
}

impl ResidualCoordinates {
    /// Coordinates of `fit`'s residual, of which the `latent` with the largest variance are leading (all of them where
    /// the residual's rank is lower).
    ///
    /// # Errors
    /// [`Error::Config`] when `latent` is 0; [`Error::Data`] when the residual has no variance at all.
    pub fn new(fit: VarFit, latent: usize) -> Result<Self> {
        let eigen = Eigen::of(&fit);
        Self::along(fit, latent, eigen)
    }

    /// The same where the directions of the residual's covariance are known.
    pub(super) fn along(fit: VarFit, latent: usize, eigen: Eigen) -> Result<Self> {
        let width = fit.target_width();
        if eigen.values.len() != width || eigen.vectors.len() != width * width {
            let (found, expected) =
                (vec![eigen.values.len(), eigen.vectors.len()], format!("{width} of {width} numbers"));
            return Err(Error::Shape { what: "directions of the residual", found, expected });
        }
        let largest = eigen.values[0].max(0.0);
        let rank = eigen.values.iter().filter(|value| **value > RANK * largest).count();
        if latent == 0 {
            return Err(Error::config("model.latent", latent, "at least 1"));
        }
        if rank == 0 {
            return Err(Error::data("motion that the past does not determine", "none", "channels that move"));
        }
        let latent = latent.min(rank);
        let mut whiten = vec![0f32; width * latent];
        let mut colour = vec![0f32; width * width];
        let mut axes = vec![0f32; width * width];
        for (k, vector) in eigen.vectors.chunks_exact(width).enumerate() {
            let std = eigen.values[k].max(0.0).sqrt();
            // An eigenvector's sign is arbitrary; a fixed one keeps models comparable between platforms.
            let sign = if vector[DVectorView::from_slice(vector, width).iamax()] < 0.0 { -1.0 } else { 1.0 };
            for (row, v) in vector.iter().enumerate() {
                if k < latent {
                    whiten[row * latent + k] = (sign * v / std) as f32;
                }
                colour[k * width + row] = (sign * v * std) as f32;
                axes[k * width + row] = (sign * v) as f32;
            }
        }
        let variances = eigen.values.iter().map(|v| v.max(0.0)).collect();
        let mean: Vec<f32> = fit.residual_mean().iter().map(|v| *v as f32).collect();
        Ok(Self {
            leading: latent,
            by_frames: false,
            variances,
            axes: Tensor::from_vec(axes, (width, width), &Device::Cpu)?,
            mean: Tensor::from_vec(mean, (1, width), &Device::Cpu)?,
            whiten: Tensor::from_vec(whiten, (width, latent), &Device::Cpu)?,
            colour: Tensor::from_vec(colour, (width, width), &Device::Cpu)?,
            limits: Limits::none(fit.channels()),
            fit,
            eigen: eigen.into(),
        })
    }

    /// The same turned so that each coordinate belongs to a frame and a channel, in the order of a chunk's numbers, and
    /// all of them lead. They are whitened still, and of all whitened coordinates nearest to the residual itself
    /// (zero-phase whitening: Bell & Sejnowski 1997, "The 'independent components' of natural scenes are edge filters",
    /// section 3). What did not lead, which is standard normal, is mixed into them ([`ResidualCoordinates::complete`]).
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn by_frames(mut self) -> Result<Self> {
        if !self.by_frames {
            self.whiten = self.whiten.matmul(&self.axes.narrow(0, 0, self.leading)?)?;
            self.colour = self.axes.t()?.matmul(&self.colour)?;
            self.by_frames = true;
        }
        Ok(self)
    }

    /// Encoded chunks `(B, latent)` with noise in the place of the coordinates that do not lead, where those are mixed
    /// in; each has the noise of its number in `rows`. On the CPU.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn complete(&self, u: &Tensor, rows: &[usize], noise: &mut Noise) -> Result<Tensor> {
        match self.width() - self.leading {
            rest if self.by_frames && rest > 0 => {
                let (draw, mut missing) = (noise.next_draw(), vec![0.0; rows.len() * rest]);
                missing.chunks_exact_mut(rest).zip(rows).for_each(|(out, row)| draw.normal_f32(*row as u64, out));
                let missing = Tensor::from_vec(missing, (rows.len(), rest), &Device::Cpu)?;
                Ok((u + missing.matmul(&self.axes.narrow(0, self.leading, rest)?)?)?)
            }
            _ => Ok(u.clone()),
        }
    }

    /// How many principal coordinates, from the first, hold `share` of the residual's variance; at least 1.
    pub fn holding(&self, share: f64) -> usize {
        let wanted = share * self.variances.iter().sum::<f64>();
        let mut held = 0.0;
        let short = |v: &&f64| {
            held += **v;
            held < wanted
        };
        (self.variances.iter().take_while(short).count() + 1).min(self.leading)
    }

    /// Encoded chunks `(B, latent)` with all but the first `count` principal coordinates as expected (0).
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn principal(&self, u: &Tensor, count: usize) -> Result<Tensor> {
        let count = count.min(self.leading);
        if self.by_frames {
            let axes = self.axes.narrow(0, 0, count)?;
            return Ok(u.matmul(&axes.t()?)?.matmul(&axes)?);
        }
        let first = u.narrow(1, 0, count)?;
        match self.leading - count {
            0 => Ok(first),
            rest => Ok(first.pad_with_zeros(1, 0, rest)?),
        }
    }

    /// The same coordinates for motion that stays within `limits`, one range for each channel.
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Within which finished forecasts are put back.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Features without their constant to the expected chunk less the last frame, and coordinates to a chunk's
    /// deviation from its expectation, for [`ebmotion_engine::engine`].
    pub(super) fn linear(&self) -> Result<(Linear, Linear)> {
        let (width, features) = (self.width(), self.context_width());
        let coefficient = |f: usize, o: usize| self.fit.coefficients()[f * width + o] as f32;
        let weight = (0..width).flat_map(|o| (0..features).map(move |f| coefficient(f, o))).collect();
        let bias: Vec<f32> = (0..width).map(|o| coefficient(features, o)).collect();
        let colour = self.colour.t()?.flatten_all()?.to_vec1::<f32>()?;
        let mean = self.mean.flatten_all()?.to_vec1::<f32>()?;
        Ok((Linear::new(weight, &bias)?, Linear::new(colour, &mean)?))
    }

    /// Residuals to all whitened coordinates, leading ones first, `(C D, C D)`: a row each. Directions that hardly move
    /// count as moving by the least that is drawn, so that no coordinate is without bound.
    pub(super) fn whitening(&self) -> DMatrix<f64> {
        let width = self.width();
        let axes = DMatrix::from_row_slice(width, width, &self.eigen.vectors);
        let largest = self.eigen.values[0].max(0.0);
        let mut rows = axes.clone();
        for (k, mut row) in rows.row_iter_mut().enumerate() {
            let vector = axes.row(k).transpose();
            let sign = if vector[vector.iamax()] < 0.0 { -1.0 } else { 1.0 };
            row *= sign / self.eigen.values[k].max(RANK * largest).sqrt();
        }
        if self.by_frames { axes.transpose() * rows } else { rows }
    }

    /// Mean `(1, C D)`, and the map `(C D, C D)` from all coordinates, leading ones first, to deviations from it.
    pub(super) fn colouring(&self) -> (&Tensor, &Tensor) {
        (&self.mean, &self.colour)
    }

    /// The directions of the residual's covariance.
    pub(super) fn eigen(&self) -> &Eigen {
        &self.eigen
    }

    /// The regression behind the coordinates.
    pub fn fit(&self) -> &VarFit {
        &self.fit
    }

    /// Leading coordinates.
    pub fn latent(&self) -> usize {
        if self.by_frames { self.width() } else { self.leading }
    }

    /// Weights of the leading coordinates' errors, `(1, latent)`, in the mean 1: their variances to the power
    /// `exponent`. 0 weights whitened coordinates alike, 1 the motion itself. By frames they are a matrix, `(latent,
    /// latent)`, of the quadratic form that gives each principal coordinate its weight, those that do not lead the
    /// least of the others.
    ///
    /// # Errors
    /// [`Error::Config`] when the exponent is negative or not finite.
    pub fn weights(&self, exponent: f64) -> Result<Tensor> {
        if !(exponent >= 0.0 && exponent.is_finite()) {
            return Err(Error::config("model.weighting", exponent, "0 or more"));
        }
        let latent = self.latent();
        let power = |k: usize| self.variances[k.min(self.leading - 1)].powf(exponent);
        let mean = (0..latent).map(power).sum::<f64>() / latent as f64;
        let weights: Vec<f32> = (0..latent).map(|k| (power(k) / mean) as f32).collect();
        if self.by_frames {
            let weights = Tensor::from_vec(weights, (latent, 1), &Device::Cpu)?;
            return Ok(self.axes.t()?.matmul(&self.axes.broadcast_mul(&weights)?)?);
        }
        Ok(Tensor::from_vec(weights, (1, latent), &Device::Cpu)?)
    }

    /// Numbers of a context: the regression's features without their constant.
    pub fn context_width(&self) -> usize {
        self.fit.feature_width() - 1
    }

    /// Numbers of all coordinates, `C D`.
    pub fn width(&self) -> usize {
        self.fit.target_width()
    }

    /// Context `(B, K D)` and the expected chunk `(B, C D)` (z-scored frames) of histories `(B, K, D)`.
    ///
    /// # Errors
    /// As [`VarFit::features`].
    pub fn expect(&self, history: &[f32]) -> Result<(Tensor, Tensor)> {
        let features = self.fit.features(history)?;
        let mut chunk = self.fit.predict(&features)?;
        let (d, k) = (self.fit.channels(), self.fit.context());
        let rows = history.len() / (k * d);
        for (out, row) in chunk.chunks_exact_mut(self.width()).zip(history.chunks_exact(k * d)) {
            for frame in out.chunks_exact_mut(d) {
                for (value, last) in frame.iter_mut().zip(&row[(k - 1) * d..]) {
                    *value += last;
                }
            }
        }
        let context: Vec<f32> =
            features.chunks_exact(self.fit.feature_width()).flat_map(|row| &row[..row.len() - 1]).copied().collect();
        Ok((
            Tensor::from_vec(context, (rows, self.context_width()), &Device::Cpu)?,
            Tensor::from_vec(chunk, (rows, self.width()), &Device::Cpu)?,
        ))
    }

    /// Leading coordinates `(B, latent)` of chunks `(B, C D)` whose expectation is known.
    ///
    /// # Errors
    /// [`Error::Tensor`] when shapes do not fit.
    pub fn encode(&self, chunk: &Tensor, expected: &Tensor) -> Result<Tensor> {
        Ok((chunk - expected)?.broadcast_sub(&self.mean)?.matmul(&self.whiten)?)
    }

    /// Chunks `(B, C D)` from all coordinates `(B, C D)`, the leading ones first.
    ///
    /// # Errors
    /// [`Error::Tensor`] when shapes do not fit.
    pub fn decode(&self, coordinates: &Tensor, expected: &Tensor) -> Result<Tensor> {
        Ok((coordinates.matmul(&self.colour)?.broadcast_add(&self.mean)? + expected)?)
    }
}
