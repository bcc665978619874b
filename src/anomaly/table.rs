//! The scores that a detector has unless others are asked for.

use super::score::ScoreSpec;
use super::{channel_swap, energy, mahalanobis, stuck_channel, time_reversal};

/// Every score of a [`Detector`](super::Detector), in the order of its calibration; of the first two a model has one.
pub static SCORES: [&ScoreSpec; 6] = [
    &energy::SHAPE,
    &energy::WINDOW,
    &time_reversal::SPEC,
    &mahalanobis::INNOVATION,
    &channel_swap::SPEC,
    &stuck_channel::SPEC,
];
