//! What a forecast has to be besides likely: a joint held, a goal at a frame, a sum of channels, energies of frames.

use super::lookahead::Seen;
use super::observation::Observation;
use crate::energy::Energy;
use crate::error::{Error, Result};
use crate::sample::diffusion::STEPS;
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{FrameTerm, Guide, Observed, Program, Rollout, Rows, Term, TileEnergy};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// An energy of frames that is added to the model's.
#[derive(Debug, Clone)]
pub(super) struct FrameEnergy {
    /// The frames that it counts for, from 0 at the forecast's first.
    pub frames: Range<usize>,
    /// Frames that it reads, of which the last is the one that it counts for.
    pub span: usize,
    /// Over frames `(B, span D)`, nats. Energies with an engine program ([`Energy::program`]) run in the engine without
    /// allocation; others are called at every step.
    pub energy: Arc<dyn SharedEnergy>,
    /// No second derivative of the energy in any direction is larger, nats per squared unit.
    pub curvature: f64,
    /// Channels are not put back within the range of the training motion.
    pub frees: bool,
}

/// An [`Energy`] that threads may share.
pub(super) trait SharedEnergy: Energy + Debug + Send + Sync {}

impl<E: Energy + Debug + Send + Sync> SharedEnergy for E {}

/// What a forecast has to be besides likely.
///
/// Frames count from 0 at the forecast's first. Values are in the channels' units where a [`Model`](super::Model) is
/// asked, z-scores where a [`Forecaster`](super::Forecaster) is. An observation acts on the chunk of frames in which it
/// lies and, by what the autoregression says of the way there, on all chunks before; an energy acts on its own frames.
/// Channels that a condition names are not put back within the range of the training motion.
/// [`crate::sample::diffusion`] says how conditions act, and what is approximate about it.
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
        self,
        frames: Range<usize>,
        energy: impl Energy + Debug + Send + Sync + 'static,
        curvature: f64,
    ) -> Self {
        let mut all = self.energy_over(frames, 1, energy, curvature);
        all.energies.iter_mut().last().into_iter().for_each(|term| term.frees = true);
        all
    }

    /// As [`ForecastConditions::energy`], of each frame and those before it, `span` frames in all. Channels are put
    /// back within the range of the training motion all the same.
    pub(super) fn energy_over(
        mut self,
        frames: Range<usize>,
        span: usize,
        energy: impl Energy + Debug + Send + Sync + 'static,
        curvature: f64,
    ) -> Self {
        self.energies.push(FrameEnergy { frames, span, energy: Arc::new(energy), curvature, frees: false });
        self
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty() && self.energies.is_empty()
    }

    /// Checks them against a forecast of `horizon` frames of `channels` channels by chunks of `chunk` after `context`.
    /// Values that are `given` for each history stand in the place of its own.
    ///
    /// # Errors
    /// [`Error::Data`] naming the condition that does not fit; [`Error::Config`] for no steps.
    pub(super) fn check(
        &self,
        (horizon, channels): (usize, usize),
        [context, chunk]: [usize; 2],
        given: bool,
    ) -> Result<()> {
        if self.steps == Some(0) {
            return Err(Error::config("steps of conditions", 0, "at least 1"));
        }
        for (i, observation) in self.observations.iter().enumerate() {
            let what = || format!("observation {i} of the forecast");
            let Some(last) = observation.summands.iter().map(|s| s.0).max() else {
                return Err(Error::data(what(), "no summand", "at least one"));
            };
            for (frame, channel, weight) in &observation.summands {
                if *frame >= horizon || *channel >= channels || !weight.is_finite() {
                    let found = format!("frame {frame}, channel {channel}, weight {weight}");
                    return Err(Error::data(what(), found, format!("{horizon} frames of {channels} channels")));
                }
                if frame + context < last / chunk * chunk {
                    let expected = format!("frames of one chunk, which has {chunk}, and of the {context} before");
                    return Err(Error::data(what(), format!("frames {frame} and {last}"), expected));
                }
            }
            let (value, std) = (observation.value, observation.std);
            if !((given || value.is_finite()) && std.is_finite() && std >= 0.0) {
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

    /// Channels that some condition frees from the range of the training motion.
    pub(super) fn named(&self, channels: usize) -> Vec<bool> {
        let all = self.energies.iter().any(|term| term.frees);
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

/// Energies of one chunk, with the frames, from 0 at the chunk's first, that they count for.
pub(super) fn of_chunk<'a>(
    conditions: &'a ForecastConditions,
    frames: &Range<usize>,
) -> Vec<(Range<usize>, &'a FrameEnergy)> {
    let within = |term: &'a FrameEnergy| {
        let (from, to) = (term.frames.start.max(frames.start), term.frames.end.min(frames.end));
        (from < to).then(|| (from - frames.start..to - frames.start, term))
    };
    conditions.energies.iter().filter_map(within).collect()
}

/// The guides of each chunk of a forecast, of which so much is `seen`.
///
/// # Errors
/// As [`ForecastConditions::check`] and [`Guide::new`].
pub(super) fn guides(
    conditions: &ForecastConditions,
    seen: &[Option<Seen>],
    units: &Units,
    rollout: &Rollout,
) -> Result<Vec<Option<Guide>>> {
    let (d, chunk) = (rollout.channels, rollout.chunk);
    let steps = conditions.steps.unwrap_or(STEPS);
    let f32s = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
    let of = |(at, seen): (usize, &Option<Seen>)| -> Result<Option<Guide>> {
        let energies = of_chunk(conditions, &(at * chunk..(at + 1) * chunk));
        let term = |(frames, term): &(Range<usize>, &FrameEnergy)| -> Result<FrameTerm> {
            Ok(FrameTerm {
                frames: frames.clone(),
                span: term.span,
                energy: program(&term.energy, term.span * d)?,
                curvature: term.curvature,
                offset: f32s(&units.offset),
                scale: f32s(&units.scale),
            })
        };
        let observed = match seen {
            None => None,
            Some(seen) => Some(Observed {
                weights: seen.frames.transpose().as_slice().to_vec(),
                before: match seen.before.iter().any(|w| *w != 0.0) {
                    true => seen.before.transpose().as_slice().to_vec(),
                    false => Vec::new(),
                },
                values: Rows::new(seen.std.len(), f32s(seen.values.as_slice()))?,
                std: seen.std.clone(),
            }),
        };
        if energies.is_empty() && observed.is_none() {
            return Ok(None);
        }
        let terms = energies.iter().map(term).collect::<Result<Vec<_>>>()?;
        Guide::new(rollout, observed, terms, steps).map(Some)
    };
    seen.iter().enumerate().map(of).collect()
}

/// An energy of frames as the engine runs it.
fn program(energy: &Arc<dyn SharedEnergy>, width: usize) -> Result<Program> {
    if let Some(program) = energy.program(&[1, width])?.filter(|program| program.chains().is_none()) {
        return Ok(program);
    }
    // What does not fit is an error here; inside the engine it could only be a number that is not finite.
    energy.evaluate(&Tensor::zeros((1, width), DType::F32, &Device::Cpu)?)?;
    Program::new(width, vec![Term::Custom { energy: Arc::new(ByTensors(energy.clone())), factor: 1.0 }])
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
