//! Robot logs: named channels with units, episodes at a fixed rate, windows of context and future, normalisation.
//!
//! The way of the data is `log file -> Recording -> Frames -> Windows -> normalised numbers`. Numbers of large logs lie
//! in a temporary file ([`Values`]).

mod angle;
mod blocks;
mod exclude;
pub mod files;
mod gathering;
mod inspect;
mod labels;
mod lowpass;
mod normalise;
mod pace;
mod read;
mod recording;
mod resample;
mod split;
mod values;
mod window;
mod write;

pub use ebmotion_engine::error::{Error, Result};
pub(crate) use ebmotion_engine::{error, noise};
pub(crate) use gathering::Gathering;
pub use inspect::{
    ChannelCurve, ChannelFaults, ChannelReport, ConstantStretch, EpisodeReport, FindingKind, FindingPlace, GapReport,
    Inspection, JointLimits, LogFinding, LogGroup, Severity, Stuck, inspect, inspect_with,
};
pub use labels::Labels;
pub use normalise::{Normaliser, Scalar};
pub use read::{DateOrder, Fill, OnBackwards, OnGap, OnRepeat, ReadOptions, TimeUnit};
pub use recording::{Channel, Episode, Frames, Recording, SplitPart};
pub use resample::DEFAULT_TOLERANCE;
pub use split::Split;
pub(crate) use values::Growing;
pub use values::Values;
#[cfg(feature = "parquet")]
pub(crate) use values::stays;
pub use window::{ShortEpisode, WindowSpec, Windows};
pub use write::WriteOptions;
