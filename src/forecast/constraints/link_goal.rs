//! A link's place as a constraint: observations of joints, whose values each sample has of its own (`place.rs`).

use super::check::Shown;
use super::kind::{Kind, Run};
use super::place::LinkGoal;
use crate::error::Result;
use crate::forecast::{ForecastConditions, Observation};
use crate::kinematics::Poses;

impl Kind for LinkGoal {
    fn name(&self) -> &str {
        &self.name
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn within(&self) -> Option<f64> {
        Some(self.within)
    }

    fn missed(&self, motion: &[f64], run: &Run<'_>) -> Result<f64> {
        let d = run.channels.len();
        let frame = &motion[run.history.len() + self.frame * d..][..d];
        Ok(self.away(frame, &mut Poses::default())?.norm() / self.metres)
    }

    /// Observations whose values each sample has of its own.
    fn conditions(&self, to: ForecastConditions, _: &Run<'_>) -> Result<ForecastConditions> {
        let known = |to: &ForecastConditions, c: usize| {
            to.observations
                .iter()
                .any(|o| o.std <= 0.0 && matches!(o.summands[..], [(f, of, _)] if (f, of) == (self.frame, c)))
        };
        let cell = |to: ForecastConditions, c: &usize| match known(&to, *c) {
            true => to,
            false => to.observe(Observation { summands: vec![(self.frame, *c, 1.0)], value: f64::NAN, std: 0.0 }),
        };
        Ok(self.channels.iter().fold(to, cell))
    }

    fn link_goal(&self) -> Option<&LinkGoal> {
        Some(self)
    }

    fn shown(&self, _: &Run<'_>) -> Shown {
        let sphere = (self.position.into(), self.within * self.metres);
        Shown { spheres: vec![sphere], drive: Some(self.drive.clone()), ..Shown::default() }
    }
}
