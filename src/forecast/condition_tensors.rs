//! The conditions of a chunk by tensors: the specification of what the engine does with them.

use super::conditions::{ForecastConditions, FrameEnergy, Units, of_chunk};
use super::lookahead::Seen;
use crate::energy::{Energy, Evaluated};
use crate::error::Result;
use crate::sample::diffusion::{Conditions, ExtraEnergy, Observations};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::estimate::largest;
use std::ops::Range;

/// The chunk at hand.
pub(super) struct Here<'a> {
    /// Its first frame, and its length.
    pub(super) first: usize,
    pub(super) chunk: usize,
    /// What is seen of z-scored frames.
    pub(super) seen: Option<&'a Seen>,
    pub(super) conditions: &'a ForecastConditions,
    pub(super) units: &'a Units,
}

/// What the conditions of a chunk are in its coordinates.
pub(super) struct Found<'a> {
    observations: Option<Observations>,
    energy: Option<OfCoordinates<'a>>,
    curvature: f64,
    steps: Option<usize>,
}

impl Found<'_> {
    /// As the sampler takes them.
    pub(super) fn for_sampler(&self) -> Conditions<'_> {
        let mut energies = Vec::new();
        if let Some(energy) = &self.energy {
            energies.push(ExtraEnergy { energy, curvature: self.curvature });
        }
        let observations = self.observations.clone();
        Conditions { observations, energies, steps: self.steps, ..Conditions::default() }
    }
}

impl<'a> Here<'a> {
    /// The chunk's conditions, `None` where there are none. Frames are `base + u colour`, with `base` `(R, C D)` and
    /// `colour` `(C D, C D)`, after `history` `(R, K, D)`; `windows` `(R,)` are the histories' numbers.
    pub(super) fn conditions(
        &self,
        colour: &'a Tensor,
        base: &Tensor,
        (history, windows): (&Tensor, &[usize]),
    ) -> Result<Option<Found<'a>>> {
        let (rows, width) = base.dims2()?;
        let d = self.units.scale.len();
        let terms = of_chunk(self.conditions, &(self.first..self.first + self.chunk));
        let exact = |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64);
        let observations = match self.seen {
            None => None,
            Some(seen) => {
                let count = seen.std.len();
                // Matrices lie column by column.
                let matrix =
                    |m: &nalgebra::DMatrix<f64>| Tensor::from_slice(m.as_slice(), (m.ncols(), m.nrows()), &Device::Cpu);
                let (frames, before) = (matrix(&seen.frames)?, matrix(&seen.before)?);
                let row = |w: &usize| {
                    seen.values.column(if seen.values.ncols() == 1 { 0 } else { *w }).iter().copied().collect()
                };
                let values: Vec<Vec<f64>> = windows.iter().map(row).collect();
                let values = Tensor::from_vec(values.concat(), (rows, count), &Device::Cpu)?;
                let known = exact(&history.reshape((rows, before.dim(0)?))?)?.matmul(&before)?;
                let values = ((values - known)? - exact(base)?.matmul(&frames)?)?;
                let matrix = frames.t()?.matmul(&exact(colour)?.t()?)?;
                Some(Observations::new(matrix.flatten_all()?.to_vec1()?, values, seen.std.clone())?)
            }
        };
        if terms.is_empty() && observations.is_none() {
            return Ok(None);
        }
        let mut curvature = 0.0;
        if !terms.is_empty() {
            let numbers = exact(colour)?.to_vec2::<f64>()?;
            let scaled = |row: usize, c: usize| self.units.scale[row % d] * numbers[c][row];
            for (frames, term) in &terms {
                let first = (frames.start + 1).saturating_sub(term.span);
                curvature += term.span as f64 * term.curvature * largest(first * d..frames.end * d, width, scaled);
            }
        }
        let energy = (!terms.is_empty()).then(|| OfCoordinates {
            terms,
            colour,
            base: base.clone(),
            history: history.clone(),
            units: self.units,
        });
        Ok(Some(Found { observations, energy, curvature, steps: self.conditions.steps }))
    }
}

/// Energies of frames as one energy of a chunk's coordinates `(R, C D)`.
struct OfCoordinates<'a> {
    terms: Vec<(Range<usize>, &'a FrameEnergy)>,
    colour: &'a Tensor,
    base: Tensor,
    history: Tensor,
    units: &'a Units,
}

impl OfCoordinates<'_> {
    /// A number for each channel, to be multiplied with frames like `like`.
    fn row(values: &[f64], like: &Tensor) -> Result<Tensor> {
        Ok(Tensor::new(values, like.device())?.to_dtype(like.dtype())?.reshape((1, 1, values.len()))?)
    }

    /// What each term reads at each of its frames, `(R, span D)` in its units, and its first frame, from the context's.
    fn windows(&self, u: &Tensor) -> Result<Vec<(usize, &FrameEnergy, Tensor)>> {
        let (rows, width) = u.dims2()?;
        let d = self.units.scale.len();
        let z = (u.matmul(self.colour)? + &self.base)?.reshape((rows, width / d, d))?;
        let z = Tensor::cat(&[&self.history, &z], 1)?;
        let all =
            z.broadcast_mul(&Self::row(&self.units.scale, u)?)?.broadcast_add(&Self::row(&self.units.offset, u)?)?;
        let context = self.history.dim(1)?;
        let frames = self.terms.iter().flat_map(|(range, term)| range.clone().map(move |frame| (frame, *term)));
        let window = |(frame, term): (usize, &'_ FrameEnergy)| -> Result<Tensor> {
            let first = context + frame + 1 - term.span;
            Ok(all.narrow(1, first, term.span)?.contiguous()?.reshape((rows, term.span * d))?)
        };
        frames.map(|(frame, term)| Ok((context + frame + 1 - term.span, term, window((frame, term))?))).collect()
    }
}

impl Energy for OfCoordinates<'_> {
    fn energy(&self, u: &Tensor) -> Result<Tensor> {
        let zero = Tensor::zeros(u.dim(0)?, u.dtype(), u.device())?;
        self.windows(u)?.into_iter().try_fold(zero, |total, (_, term, x)| Ok((total + term.energy.energy(&x)?)?))
    }

    fn evaluate(&self, u: &Tensor) -> Result<Evaluated> {
        let (rows, width) = u.dims2()?;
        let d = self.units.scale.len();
        let context = self.history.dim(1)?;
        let frames = context + width / d;
        let mut energy = Tensor::zeros(rows, u.dtype(), u.device())?;
        let mut grad = Tensor::zeros((rows, frames, d), u.dtype(), u.device())?;
        for (first, term, x) in self.windows(&u.detach())? {
            let at = term.energy.evaluate(&x)?;
            energy = (energy + at.energy)?;
            let slope = at.grad.reshape((rows, term.span, d))?;
            grad = (grad + slope.pad_with_zeros(1, first, frames - first - term.span)?)?;
        }
        let grad = grad.broadcast_mul(&Self::row(&self.units.scale, u)?)?.narrow(1, context, width / d)?;
        Ok(Evaluated { energy, grad: grad.contiguous()?.reshape((rows, width))?.matmul(&self.colour.t()?)? })
    }
}
