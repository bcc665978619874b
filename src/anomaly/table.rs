//! The scores that a detector has unless others are asked for.

use super::score::ScoreSpec;
use super::{channel_swap, denoising, energy, mahalanobis, reconstruction, stuck_channel, time_reversal};

impl ScoreSpec {
    /// Every score of a [`Detector`](super::Detector), in the order of its calibration; of the first two a model has
    /// one.
    pub const ALL: [&'static Self; 6] = [
        &energy::SHAPE,
        &energy::WINDOW,
        &time_reversal::SPEC,
        &mahalanobis::INNOVATION,
        &channel_swap::SPEC,
        &stuck_channel::SPEC,
    ];

    /// Scores that a detector has only if it is asked for them ([`Detector::fit_with`](super::Detector::fit_with)):
    /// what [`ScoreSpec::ALL`] is compared with. The last two are for models whose energy knows its noise level.
    pub const BASELINES: [&'static Self; 4] =
        [&mahalanobis::MAHALANOBIS, &reconstruction::SPEC, &energy::WHOLE, &denoising::SPEC];
}
