//! What became of a constraint in each sample.

use crate::kinematics::Drive;
use serde::{Deserialize, Serialize};

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
