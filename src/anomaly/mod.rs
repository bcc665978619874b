//! What is wrong in a log: scores of windows of motion, calibrated on motion that was normal.
//!
//! An [`AnomalyScore`] scores windows, higher being stranger, some of them channel by channel. A [`Detector`] joins the
//! scores: each becomes a normal deviate by its distribution over validation windows, all of them one likelihood ratio
//! of "higher than normal" (Kudo 1963). That again is compared with the validation windows, so a false-alarm rate can
//! be asked for. [`Detector::score_episodes`] says the same of whole episodes. A new score is one file with a
//! [`ScoreSpec`] and one row of [`ScoreSpec::ALL`].

mod channel_swap;
#[cfg(test)]
#[path = "../../tests/support/corruption.rs"]
mod corruption;
mod denoising;
mod detector;
mod energy;
mod episode_distribution;
mod episodes;
mod findings;
mod gaussian;
mod mahalanobis;
mod one_sided;
mod range;
mod reconstruction;
mod saved;
mod score;
mod score_distribution;
mod stuck_channel;
mod table;
mod time_reversal;

#[cfg(test)]
mod tests;

pub use detector::{Detector, WindowScore};
pub use episodes::{EpisodeScore, EpisodeScores};
pub use findings::{Finding, Findings, Stretch};
pub use score::{AnomalyScore, ScoreSpec};
