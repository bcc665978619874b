//! What is known of a robot when its logs are looked at.

use serde::Serialize;

/// How far and how fast a channel can go, in its own unit; `None` where that is not known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JointLimits {
    /// The channel's name.
    pub name: String,
    /// Lowest value.
    pub lower: Option<f64>,
    /// Highest value.
    pub upper: Option<f64>,
    /// Greatest speed, a second.
    pub velocity: Option<f64>,
}

/// What is known of a robot when its logs are looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InspectOptions {
    /// Limits of channels; the others have none.
    pub limits: Vec<JointLimits>,
}
