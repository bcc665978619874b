//! The scores that a detector has unless others are asked for.

use super::score::ScoreSpec;
use super::{channel_swap, denoising, energy, mahalanobis, reconstruction, stuck_channel, time_reversal};

/// Every score of a [`Detector`](super::Detector), in the order of its calibration; of the first two a model has one.
pub static SCORES: [&ScoreSpec; 6] = [
    &energy::SHAPE,
    &energy::WINDOW,
    &time_reversal::SPEC,
    &mahalanobis::INNOVATION,
    &channel_swap::SPEC,
    &stuck_channel::SPEC,
];

/// Scores that a detector has only if it is asked for them ([`Detector::fit_with`](super::Detector::fit_with)): what
/// [`SCORES`] is compared with. The last two are for models whose energy knows its noise level.
pub static BASELINE_SCORES: [&ScoreSpec; 4] =
    [&mahalanobis::MAHALANOBIS, &reconstruction::SPEC, &energy::WHOLE, &denoising::SPEC];
