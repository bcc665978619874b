//! What is observed of a forecast.

/// A linear observation of a forecast, exact or with normal noise:
/// `sum_i weight_i * value(frame_i, channel_i) = value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Frame (counted from 0 at the forecast's first), channel and weight of each summand. All frames lie in the chunk
    /// of the last one or in the context before it.
    pub summands: Vec<(usize, usize, f64)>,
    /// What the sum is.
    pub value: f64,
    /// Standard deviation of the observation; 0 for one that is exact.
    pub std: f64,
}
