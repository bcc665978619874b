//! Forecasts with a trained model: what a robot carries.
//!
//! A [`Predictor`] is a model file as plain numbers. It needs no tensor library, no linear algebra and no command line,
//! and gives the same numbers as the library that trained the model, to the last bit.
//!
//! ```no_run
//! use ebmotion_runtime::Predictor;
//! use std::path::Path;
//!
//! # fn main() -> ebmotion_runtime::Result<()> {
//! let predictor = Predictor::load(Path::new("arm.safetensors"))?;
//! let channels = predictor.channels().len();
//! // The last frames of the joints, in the units of the logs that the model was trained on.
//! let history = vec![0.0; predictor.context_frames() * channels];
//! let futures = predictor.forecast(&history, 25, 64, 7)?; // 25 frames, 64 futures, seed 7
//! println!("{} first moves to {:.3}", predictor.channels()[0].name, futures.at(0, 0, 0));
//! # Ok(())
//! # }
//! ```

mod file;
mod predictor;
mod units;

pub use ebmotion_engine::error::{Error, Result};
pub use file::{LAYOUT, ROLLOUT};
pub use predictor::{Prediction, Predictor, PredictorChannel};
pub use units::{Units, keep_within, whole_periods};
