//! Robot logs: named channels with units, episodes at a fixed rate, windows of context and future, normalisation.
//!
//! The crate `ebmotion-logs`, handed on: `log file -> Recording -> Frames -> Windows -> normalised tensors`.

pub use ebmotion_logs::{
    Channel, ChannelCurve, ChannelFaults, ChannelReport, ConstantStretch, DEFAULT_TOLERANCE, Episode, EpisodeReport,
    Fill, FindingKind, FindingPlace, Frames, GapReport, Inspection, JointLimits, Labels, LogFinding, LogGroup,
    Normaliser, OnBackwards, OnGap, OnRepeat, ReadOptions, Recording, Scalar, Severity, ShortEpisode, Split, Stuck,
    TimeUnit, Values, WindowSpec, Windows, WriteOptions, inspect, inspect_with,
};
