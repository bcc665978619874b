//! What is known of a joint.

use serde::{Deserialize, Serialize};

/// What one joint can do, in the unit of the channel that it drives. What is `None` is not known and not checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointLimits {
    /// Name of the channel, without its unit.
    pub name: String,
    /// Least value.
    pub lower: Option<f64>,
    /// Largest value.
    pub upper: Option<f64>,
    /// Largest speed, per second.
    pub velocity: Option<f64>,
}
