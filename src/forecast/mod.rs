//! What comes next: one trait for the energy-based model and for every baseline.

pub(crate) mod auto;
pub(crate) mod baseline;
mod conditions;
mod config;
mod coordinates;
mod data;
mod dataset;
mod ebm;
mod file;
mod fit;
mod for_data;
mod forecaster;
mod igebm;
mod limits;
mod motion;
mod network;
mod result;
mod roll;
mod tensors;
mod trained;
mod windows;

pub use baseline::{BASELINES, Baseline, BaselineRun, Contender, baseline_named};
pub use conditions::{ForecastConditions, Observation};
pub use config::{DataConfig, DenoisingConfig, IgebmConfig, LevelObjective, ModelConfig, OtherConfig, RunConfig};
pub(crate) use coordinates::ResidualCoordinates;
pub(crate) use data::{ChunkSource, FrameSource};
pub use dataset::Dataset;
pub use ebm::LevelForecaster;
pub use forecaster::{Forecaster, Request, history_rows};
pub(crate) use limits::Limits;
pub use motion::{MotionModel, MotionRun, TrainedMotion};
pub use network::Convolution;
pub use result::{Forecast, FutureArray, Origin};
pub use trained::{Model, ModelInfo};
pub use windows::WindowArray;
