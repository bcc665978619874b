//! What became of a constraint in each sample.

use crate::error::Result;
use crate::files;
use crate::forecast::Forecast;
use crate::kinematics::Drive;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A constraint with what became of it: a forecast's JSON file holds one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstraintCheck {
    /// The entry of the constraint file, such as `goal 2 of arm.toml`.
    pub name: String,
    /// Unit of `missed` and `within`.
    pub unit: String,
    /// What may be missed for it to count as met; `None` for a wish (smooth motion, nearness to a plan).
    pub within: Option<f64>,
    /// `(S,)`: by how much each sample misses it at worst, 0 or more. Of smooth motion and nearness to a plan it is the
    /// root mean square.
    pub missed: Vec<f64>,
    /// `(S,)`: whether each sample meets it; empty for a wish.
    pub met: Vec<bool>,
    /// What it asks of channels, for pictures: channel, first frame and frame after the last, lowest and highest value
    /// in the channel's unit.
    pub bands: Vec<(usize, [usize; 2], [f64; 2])>,
    /// Spheres that it is about, for pictures: centre and radius, m, in the frame of the robot's root.
    pub spheres: Vec<([f64; 3], f64)>,
    /// The links that it is about, each with its places in the frames of the first samples, m, for pictures.
    pub paths: Vec<(String, Vec<Vec<[f64; 3]>>)>,
}

/// What a picture shows of a constraint: bands and spheres as [`ConstraintCheck`] has them.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) bands: Vec<(usize, [usize; 2], [f64; 2])>,
    pub(super) spheres: Vec<([f64; 3], f64)>,
    /// What places the links that it is about.
    pub(super) drive: Option<Drive>,
}

impl Forecast {
    /// Writes what became of each constraint as a table: `constraint, sample, missed, unit, met`, a row for each
    /// constraint and sample; `met` is empty for a wish.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the file cannot be written.
    pub fn write_constraints(&self, path: &Path) -> Result<()> {
        let header = ["constraint", "sample", "missed", "unit", "met"].map(str::to_string).to_vec();
        let rows = self.constraints.iter().flat_map(|check| {
            check.missed.iter().enumerate().map(|(s, missed)| {
                let met = check.met.get(s).map_or(String::new(), |met| met.to_string());
                vec![check.name.clone(), s.to_string(), format!("{missed:.6}"), check.unit.clone(), met]
            })
        });
        files::write_csv(path, std::iter::once(header).chain(rows))
    }
}
