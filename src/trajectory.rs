//! Robot logs: named channels with units, episodes at a fixed rate, windows of context and future, normalisation.
//!
//! The crate `ebmotion-logs`, handed on: `log file -> Recording -> Frames -> Windows -> normalised tensors`.

pub use ebmotion_logs::{
    Channel, ChannelFaults, ChannelReport, ConstantStretch, Curve, DEFAULT_TOLERANCE, Episode, EpisodeReport, Fill,
    Finding, FindingKind, Frames, GapReport, Inspection, JointLimits, Labels, LogGroup, Normaliser, OnBackwards, OnGap,
    OnRepeat, Place, ReadOptions, Recording, Scalar, Severity, ShortEpisode, Split, Stuck, TimeUnit, WindowSpec,
    Windows, WriteOptions, inspect, inspect_with,
};
