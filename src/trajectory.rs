//! Robot logs: named channels with units, episodes at a fixed rate, windows of context and future, normalisation.
//!
//! The crate `ebmotion-logs`, handed on: `log file -> Recording -> Frames -> Windows -> normalised tensors`.

pub use ebmotion_logs::{
    Channel, ChannelFaults, ChannelReport, ConstantStretch, DEFAULT_TOLERANCE, Episode, EpisodeReport, Frames,
    GapReport, Inspection, Labels, LogGroup, Normaliser, OnGap, ReadOptions, Recording, Scalar, ShortEpisode, Split,
    Stuck, WindowSpec, Windows, WriteOptions, inspect,
};
