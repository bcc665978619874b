//! Step sizes and noise that change along a run.

use super::chain::summed;
use super::langevin::Langevin;
use super::{ChainState, Place, RunInfo, StepInfo, Transition, Unadjusted, fast};
use crate::energy::Energy;
use crate::error::Result;
use crate::noise::Noise;
use ebmotion_engine::engine::ChainKind;
use serde::{Deserialize, Serialize};

/// A number that changes along a run, from its first step to its last.
///
/// ```
/// use ebmotion::sample::{Place, schedule::Schedule};
///
/// let cooling = Schedule::Linear { from: 1.0, to: 0.0 };
/// assert_eq!([0, 5, 10].map(|step| cooling.at(Place { step, of: 11 })), [1.0, 0.5, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same all the way.
    Constant {
        /// The value.
        value: f64,
    },
    /// In a straight line.
    Linear {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
    },
    /// `to + (from - to) * (1 - progress)^power`; implicit behavioural cloning takes 0.1 to 1e-5 with power 2 (Florence
    /// et al., CoRL 2021, appendix B).
    Polynomial {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
        /// Exponent, 0 or greater.
        power: f64,
    },
    /// `from` up to the progress `begin`, `to` after the progress `end`, a straight line between them.
    Ramp {
        /// At first.
        from: f64,
        /// In the end.
        to: f64,
        /// Progress at which the line begins, from 0.
        begin: f64,
        /// Progress at which it ends, above `begin`.
        end: f64,
    },
    /// Half a cosine wave: slow at both ends.
    Cosine {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
    },
}

impl Schedule {
    /// The value at one step of a run.
    pub fn at(&self, place: Place) -> f64 {
        let left = 1.0 - place.progress();
        match *self {
            Schedule::Constant { value } => value,
            Schedule::Linear { from, to } => to + (from - to) * left,
            Schedule::Polynomial { from, to, power } => to + (from - to) * left.powf(power),
            Schedule::Ramp { from, to, begin, end } => {
                from + (to - from) * ((place.progress() - begin) / (end - begin)).clamp(0.0, 1.0)
            }
            Schedule::Cosine { from, to } => to + (from - to) * 0.5 * (1.0 - (std::f64::consts::PI * left).cos()),
        }
    }
}

/// The noise of an annealed chain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NoiseScale {
    /// Standard deviation `sqrt(2 * step * temperature)`: what Langevin dynamics at this temperature asks for.
    Temperature(f64),
    /// The same with a temperature that changes along the run.
    Temperatures(Schedule),
    /// Standard deviation with a schedule of its own.
    Std(Schedule),
}

/// Unadjusted Langevin steps whose size and noise change along the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Annealed {
    /// Gradient clip and bounds; its step and noise are replaced.
    pub base: Langevin,
    /// Multiplier of the gradient.
    pub step: Schedule,
    /// Noise.
    pub noise: NoiseScale,
}

impl Annealed {
    /// The transition at one place of a run.
    pub fn at(&self, place: Place) -> Unadjusted<Langevin> {
        let step = self.step.at(place);
        let noise = match self.noise {
            NoiseScale::Temperature(temperature) => (2.0 * step * temperature).sqrt(),
            NoiseScale::Temperatures(schedule) => (2.0 * step * schedule.at(place)).sqrt(),
            NoiseScale::Std(schedule) => schedule.at(place),
        };
        Unadjusted(Langevin { step, noise, ..self.base })
    }
}

impl Transition for Annealed {
    /// A step alone is the first of its schedule.
    fn step(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, StepInfo)> {
        self.step_at(Place { step: 0, of: 1 }, energy, from, noise)
    }

    fn step_at(
        &self,
        place: Place,
        energy: &dyn Energy,
        from: &ChainState,
        noise: &mut Noise,
    ) -> Result<(ChainState, StepInfo)> {
        self.at(place).step(energy, from, noise)
    }

    fn run_summed(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        let all = (0..steps).map(|step| self.at(Place { step, of: steps }).0.plain()).collect::<Result<Vec<_>>>()?;
        match fast::run(&ChainKind::Langevin(all), energy, &from.x, Some(&from.at), noise)? {
            Some(done) => Ok(done),
            None => summed(self, energy, from, steps, noise),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_take_the_values_of_their_formulas() {
        let (from, to) = (0.1, 1e-5);
        let quarter = Place { step: 25, of: 101 };
        for (schedule, at_quarter) in [
            (Schedule::Linear { from, to }, 0.75 * 0.1 + 0.25 * 1e-5),
            (Schedule::Polynomial { from, to, power: 2.0 }, 1e-5 + (0.1 - 1e-5) * 0.5625),
            (Schedule::Ramp { from, to, begin: 0.2, end: 0.6 }, 0.1 - (0.1 - 1e-5) * 0.125),
            (Schedule::Cosine { from, to }, 1e-5 + (0.1 - 1e-5) * (2.0 + 2f64.sqrt()) / 4.0),
        ] {
            assert!((schedule.at(quarter) - at_quarter).abs() < 1e-15, "{schedule:?}");
            assert!((schedule.at(Place { step: 0, of: 101 }) - from).abs() < 1e-15, "{schedule:?}");
            assert!((schedule.at(Place { step: 100, of: 101 }) - to).abs() < 1e-15, "{schedule:?}");
            assert!((schedule.at(Place { step: 0, of: 1 }) - from).abs() < 1e-15, "{schedule:?}");
        }
        assert_eq!(Schedule::Constant { value: 0.3 }.at(quarter), 0.3);
    }

    #[test]
    fn a_schedule_reads_from_settings_and_refuses_unknown_ones() {
        let text = r#"{"kind":"polynomial","from":0.1,"to":1e-5,"power":2}"#;
        let expected = Schedule::Polynomial { from: 0.1, to: 1e-5, power: 2.0 };
        assert_eq!(serde_json::from_str::<Schedule>(text).unwrap(), expected);
        assert!(serde_json::from_str::<Schedule>(r#"{"kind":"linear","from":1,"to":0,"speed":3}"#).is_err());
    }
}
