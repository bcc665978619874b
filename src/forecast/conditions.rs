//! What a forecast has to be besides likely: a joint held, a goal at a frame, a sum of channels, energies of frames.

use crate::energy::Energy;
use crate::error::{Error, Result};
use crate::sample::diffusion::{Conditions, ExtraEnergy, Observations, STEPS};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::estimate::largest;
use ebmotion_engine::engine::{FrameTerm, Guide, Observed, Program, Rollout, Rows, Term, TileEnergy};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// A linear observation of a forecast, exact or with normal noise:
/// `sum_i weight_i * value(frame_i, channel_i) = value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Frame (counted from 0 at the forecast's first), channel and weight of each summand. All frames lie in one chunk.
    pub summands: Vec<(usize, usize, f64)>,
    /// What the sum is.
    pub value: f64,
    /// Standard deviation of the observation; 0 for one that is exact.
    pub std: f64,
}

/// An energy of single frames that is added to the model's.
#[derive(Debug, Clone)]
pub(super) struct FrameEnergy {
    /// The frames that it counts for, from 0 at the forecast's first.
    pub frames: Range<usize>,
    /// Over frames `(B, D)`, nats. Energies with an engine program ([`Energy::program`]) run in the engine without
    /// allocation; others are called at every step.
    pub energy: Arc<dyn SharedEnergy>,
    /// No second derivative of the energy in any direction is larger, nats per squared unit.
    pub curvature: f64,
}

/// An [`Energy`] that threads may share.
pub(super) trait SharedEnergy: Energy + Debug + Send + Sync {}

impl<E: Energy + Debug + Send + Sync> SharedEnergy for E {}

/// What a forecast has to be besides likely.
///
/// Frames count from 0 at the forecast's first. Values are in the channels' units where a [`Model`](super::Model) is
/// asked, z-scores where a [`Forecaster`](super::Forecaster) is. A condition acts on the chunk of frames in which it
/// lies: chunks before it were drawn without knowing of it, chunks after it go on from where it led. Channels that a
/// condition names are not put back within the range of the training motion. [`crate::sample::diffusion`] says how
/// conditions act, and what is approximate about it.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::constraint::SoftLimits;
/// use ebmotion::forecast::ForecastConditions;
///
/// // Joint 0 stands still for 10 frames, joint 2 is near 0.8 rad at frame 24, joint 1 stays below 1 rad.
/// let free = f64::INFINITY;
/// let (low, high) = (Tensor::new(&[-free; 3], &Device::Cpu)?, Tensor::new(&[free, 1.0, free], &Device::Cpu)?);
/// let limits = SoftLimits::new(&low, &high, 50.0)?;
/// let conditions = ForecastConditions::new()
///     .hold(0, 0..10, 0.0)
///     .near(2, 24, 0.8, 0.05)
///     .energy(0..25, limits, 100.0); // its second derivative is 2 * 50
/// assert_eq!(conditions.observations.len(), 11);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ForecastConditions {
    /// Linear observations.
    pub observations: Vec<Observation>,
    /// Energies of frames.
    pub(super) energies: Vec<FrameEnergy>,
    /// Steps towards the mode of the energies at each noise level, at least 1; 8 where none is given.
    pub steps: Option<usize>,
}

impl ForecastConditions {
    /// No condition yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With channel `channel` held at `value` in the frames `frames`.
    pub fn hold(mut self, channel: usize, frames: Range<usize>, value: f64) -> Self {
        let held = |frame| Observation { summands: vec![(frame, channel, 1.0)], value, std: 0.0 };
        self.observations.extend(frames.map(held));
        self
    }

    /// With channel `channel` at `value` in frame `frame`, missed by about `std`.
    pub fn near(mut self, channel: usize, frame: usize, value: f64, std: f64) -> Self {
        self.observations.push(Observation { summands: vec![(frame, channel, 1.0)], value, std });
        self
    }

    /// With another observation.
    pub fn observe(mut self, observation: Observation) -> Self {
        self.observations.push(observation);
        self
    }

    /// With an energy of the frames `frames`, whose second derivatives are at most `curvature`, nats per squared unit.
    pub fn energy(
        mut self,
        frames: Range<usize>,
        energy: impl Energy + Debug + Send + Sync + 'static,
        curvature: f64,
    ) -> Self {
        self.energies.push(FrameEnergy { frames, energy: Arc::new(energy), curvature });
        self
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty() && self.energies.is_empty()
    }

    /// Checks them against a forecast of `horizon` frames of `channels` channels by chunks of `chunk`.
    ///
    /// # Errors
    /// [`Error::Data`] naming the condition that does not fit; [`Error::Config`] for no steps.
    pub(super) fn check(&self, horizon: usize, channels: usize, chunk: usize) -> Result<()> {
        if self.steps == Some(0) {
            return Err(Error::config("steps of conditions", 0, "at least 1"));
        }
        for (i, observation) in self.observations.iter().enumerate() {
            let what = || format!("observation {i} of the forecast");
            let Some((first, ..)) = observation.summands.first() else {
                return Err(Error::data(what(), "no summand", "at least one"));
            };
            for (frame, channel, weight) in &observation.summands {
                if *frame >= horizon || *channel >= channels || !weight.is_finite() {
                    let found = format!("frame {frame}, channel {channel}, weight {weight}");
                    return Err(Error::data(what(), found, format!("{horizon} frames of {channels} channels")));
                }
                if frame / chunk != first / chunk {
                    let expected = format!("frames of one chunk, which has {chunk}");
                    return Err(Error::data(what(), format!("frames {first} and {frame}"), expected));
                }
            }
            let (value, std) = (observation.value, observation.std);
            if !(value.is_finite() && std.is_finite() && std >= 0.0) {
                let found = format!("value {value}, standard deviation {std}");
                return Err(Error::data(what(), found, "finite numbers, the deviation not negative"));
            }
        }
        for (i, term) in self.energies.iter().enumerate() {
            if term.frames.end > horizon {
                let (what, found) = (format!("energy {i} of the forecast"), format!("frame {}", term.frames.end - 1));
                return Err(Error::data(what, found, format!("one of {horizon} frames")));
            }
        }
        Ok(())
    }

    /// The same conditions of z-scored frames, `value = offset + scale * z` for each channel; energies stay in their
    /// units.
    pub(super) fn standardised(&self, offset: &[f64], scale: &[f64]) -> Vec<Observation> {
        let standardise = |o: &Observation| Observation {
            value: o.value - o.summands.iter().map(|(_, c, w)| w * offset[*c]).sum::<f64>(),
            summands: o.summands.iter().map(|(f, c, w)| (*f, *c, w * scale[*c])).collect(),
            std: o.std,
        };
        self.observations.iter().map(standardise).collect()
    }

    /// Channels that some condition names.
    pub(super) fn named(&self, channels: usize) -> Vec<bool> {
        let all = !self.energies.is_empty();
        let mut named = vec![all; channels];
        self.observations.iter().flat_map(|o| &o.summands).for_each(|(_, c, _)| named[*c] = true);
        named
    }
}

/// How z-scored channels become the units that energies of frames are in: `offset + scale * z`.
#[derive(Debug, Clone)]
pub(super) struct Units {
    pub(super) offset: Vec<f64>,
    pub(super) scale: Vec<f64>,
}

impl Units {
    /// Of z-scores themselves.
    pub(super) fn standard(channels: usize) -> Self {
        Self { offset: vec![0.0; channels], scale: vec![1.0; channels] }
    }
}

/// What is asked of one chunk.
struct OfChunk<'a> {
    observations: Vec<&'a Observation>,
    /// Energies with the frames, from 0 at the chunk's first, that they count for.
    energies: Vec<(Range<usize>, &'a FrameEnergy)>,
}

impl<'a> OfChunk<'a> {
    /// The conditions of the chunk that has these frames, by `observations` of z-scored frames; `None` where there are
    /// none.
    fn of(conditions: &'a ForecastConditions, observations: &'a [Observation], frames: &Range<usize>) -> Option<Self> {
        let within = |term: &'a FrameEnergy| {
            let (from, to) = (term.frames.start.max(frames.start), term.frames.end.min(frames.end));
            (from < to).then(|| (from - frames.start..to - frames.start, term))
        };
        let here = Self {
            observations: observations.iter().filter(|o| frames.contains(&o.summands[0].0)).collect(),
            energies: conditions.energies.iter().filter_map(within).collect(),
        };
        (!here.observations.is_empty() || !here.energies.is_empty()).then_some(here)
    }
}

/// The guides of each chunk of a forecast.
///
/// # Errors
/// As [`ForecastConditions::check`] and [`Guide::new`].
pub(super) fn guides(
    conditions: &ForecastConditions,
    units: &Units,
    rollout: &Rollout,
    horizon: usize,
) -> Result<Vec<Option<Guide>>> {
    let (d, chunk) = (rollout.channels, rollout.chunk);
    let observations = conditions.standardised(&units.offset, &units.scale);
    let steps = conditions.steps.unwrap_or(STEPS);
    let f32s = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
    let of = |at: usize| -> Result<Option<Guide>> {
        let frames = at * chunk..(at + 1) * chunk;
        let Some(here) = OfChunk::of(conditions, &observations, &frames) else { return Ok(None) };
        let term = |(frames, term): &(Range<usize>, &FrameEnergy)| -> Result<FrameTerm> {
            Ok(FrameTerm {
                frames: frames.clone(),
                energy: program(&term.energy, d)?,
                curvature: term.curvature,
                offset: f32s(&units.offset),
                scale: f32s(&units.scale),
            })
        };
        let terms = here.energies.iter().map(term).collect::<Result<Vec<_>>>()?;
        let observed = match here.observations.len() {
            0 => None,
            count => Some(Observed {
                weights: weights(&here.observations, frames.start, chunk * d, d),
                values: Rows::new(count, here.observations.iter().map(|o| o.value as f32).collect())?,
                std: here.observations.iter().map(|o| o.std).collect(),
            }),
        };
        Guide::new(rollout, observed, terms, steps).map(Some)
    };
    (0..horizon.div_ceil(chunk)).map(of).collect()
}

/// Rows of weights on a chunk's numbers, `(M, C D)`.
fn weights(observations: &[&Observation], first: usize, width: usize, channels: usize) -> Vec<f64> {
    let mut rows = vec![0.0; observations.len() * width];
    for (row, observation) in rows.chunks_exact_mut(width).zip(observations) {
        for (frame, channel, weight) in &observation.summands {
            row[(frame - first) * channels + channel] += weight;
        }
    }
    rows
}

/// An energy of frames as the engine runs it.
fn program(energy: &Arc<dyn SharedEnergy>, channels: usize) -> Result<Program> {
    if let Some(program) = energy.program(&[1, channels])?.filter(|program| program.chains().is_none()) {
        return Ok(program);
    }
    // What does not fit is an error here; inside the engine it could only be a number that is not finite.
    energy.evaluate(&Tensor::zeros((1, channels), DType::F32, &Device::Cpu)?)?;
    Program::new(channels, vec![Term::Custom { energy: Arc::new(ByTensors(energy.clone())), factor: 1.0 }])
}

/// An energy of tensors inside the engine: it allocates at every call, and a failure shows as a number that is not
/// finite.
#[derive(Debug)]
struct ByTensors(Arc<dyn SharedEnergy>);

impl TileEnergy for ByTensors {
    fn add(&self, _: Range<usize>, x: &[f32], factor: f32, energy: &mut [f32], grad: &mut [f32], _: &mut [f32]) {
        let rows = energy.len();
        let at = || -> Result<(Vec<f32>, Vec<f32>)> {
            let x = Tensor::from_slice(x, (rows, x.len() / rows), &Device::Cpu)?;
            let at = self.0.evaluate(&x)?;
            let plain = |t: &Tensor| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
            Ok((plain(&at.energy)?, plain(&at.grad)?))
        };
        let (energies, gradients) = at().unwrap_or_else(|_| (vec![f32::NAN; rows], vec![f32::NAN; grad.len()]));
        energy.iter_mut().zip(energies).for_each(|(to, e)| *to += factor * e);
        grad.iter_mut().zip(gradients).for_each(|(to, g)| *to += factor * g);
    }
}

/// The chunk at hand, for the tensors' way: the specification of what the engine does.
pub(super) struct Here<'a> {
    /// Its first frame, and its length.
    pub(super) first: usize,
    pub(super) chunk: usize,
    /// Of z-scored frames.
    pub(super) observations: &'a [Observation],
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
    /// `colour` `(C D, C D)`.
    pub(super) fn conditions(&self, width: usize, colour: &'a Tensor, base: &Tensor) -> Result<Option<Found<'a>>> {
        let (frames, d) = (self.first..self.first + self.chunk, self.units.scale.len());
        let Some(here) = OfChunk::of(self.conditions, self.observations, &frames) else { return Ok(None) };
        let exact = |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64);
        let observations = match here.observations.len() {
            0 => None,
            count => {
                let rows = weights(&here.observations, frames.start, width, d);
                let rows = Tensor::from_vec(rows, (count, width), &Device::Cpu)?;
                let values = here.observations.iter().map(|o| o.value).collect();
                let values = Tensor::from_vec(values, (1, count), &Device::Cpu)?;
                let values = values.broadcast_sub(&exact(base)?.matmul(&rows.t()?)?)?;
                let matrix = rows.matmul(&exact(colour)?.t()?)?;
                let std = here.observations.iter().map(|o| o.std).collect();
                Some(Observations::new(matrix.flatten_all()?.to_vec1()?, values, std)?)
            }
        };
        let mut curvature = 0.0;
        if !here.energies.is_empty() {
            let numbers = exact(colour)?.to_vec2::<f64>()?;
            let scaled = |row: usize, c: usize| self.units.scale[row % d] * numbers[c][row];
            for (frames, term) in &here.energies {
                curvature += term.curvature * largest(frames.start * d..frames.end * d, width, scaled);
            }
        }
        let terms: Vec<_> = here.energies.into_iter().map(|(frames, term)| (frames, term.energy.as_ref())).collect();
        let energy =
            (!terms.is_empty()).then(|| OfCoordinates { terms, colour, base: base.clone(), units: self.units });
        Ok(Some(Found { observations, energy, curvature, steps: self.conditions.steps }))
    }
}

/// Energies of frames as one energy of a chunk's coordinates `(R, C D)`.
struct OfCoordinates<'a> {
    terms: Vec<(Range<usize>, &'a dyn SharedEnergy)>,
    colour: &'a Tensor,
    base: Tensor,
    units: &'a Units,
}

impl Energy for OfCoordinates<'_> {
    fn energy(&self, u: &Tensor) -> Result<Tensor> {
        let (rows, width) = u.dims2()?;
        let d = self.units.scale.len();
        let row = |values: &[f64]| -> Result<Tensor> {
            Ok(Tensor::new(values, u.device())?.to_dtype(u.dtype())?.reshape((1, 1, d))?)
        };
        let z = (u.matmul(self.colour)? + &self.base)?.reshape((rows, width / d, d))?;
        let frames = z.broadcast_mul(&row(&self.units.scale)?)?.broadcast_add(&row(&self.units.offset)?)?;
        let mut total = Tensor::zeros(rows, u.dtype(), u.device())?;
        for (range, energy) in &self.terms {
            for frame in range.clone() {
                total = (total + energy.energy(&frames.narrow(1, frame, 1)?.squeeze(1)?.contiguous()?)?)?;
            }
        }
        Ok(total)
    }
}
