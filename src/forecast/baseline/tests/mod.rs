//! What every forecaster must do, and what single ones must know.

mod autoregression;
mod contracts;
mod generative;
mod motion;
