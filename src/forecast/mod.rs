//! What comes next: one trait for the energy-based model and for every baseline.

pub(crate) mod auto;
pub mod baseline;
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
mod unfamiliar;
mod windows;

pub use baseline::{BASELINES, Baseline, BaselineRun, Contender, baseline_named, fit_baseline};
pub use conditions::{ForecastConditions, FrameEnergy, Observation, SharedEnergy};
pub use config::{
    DataConfig, DenoisingConfig, IgebmConfig, LevelObjective, ModelConfig, OtherConfig, PRESETS, RunConfig,
};
pub use coordinates::ResidualCoordinates;
pub use data::{ChunkSource, FrameSource, chain_start};
pub use dataset::Dataset;
pub use ebm::LevelForecaster;
pub use forecaster::{Forecaster, Request, history_rows};
pub use igebm::ChainForecaster;
pub use limits::Limits;
pub use motion::{MotionModel, MotionRun, TrainedMotion};
pub use network::Convolution;
pub use result::{Forecast, FutureArray, Origin};
pub use trained::{Model, ModelInfo};
pub use unfamiliar::Unfamiliar;
pub use windows::WindowArray;
