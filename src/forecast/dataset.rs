//! Frames cut into episodes for training, validation and test.

use super::auto::CHUNK;
use super::config::{DataConfig, RunConfig};
use super::limits::Limits;
use super::windows::WindowArray;
use crate::error::Result;
use crate::train::CheckpointPlan;
use crate::trajectory::{Episode, Frames, Normaliser, Recording, Split, WindowSpec, Windows};
use candle_core::Device;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Frames cut into episodes for training, validation and test, with what was fitted on the training episodes alone.
///
/// ```
/// use ebmotion::forecast::{Dataset, RunConfig};
/// use ebmotion::trajectory::{Channel, Episode, Frames};
///
/// // Ten seconds of a swinging joint at 25 Hz, five times.
/// let time_secs: Vec<f64> = (0..250).map(|t| f64::from(t) / 25.0).collect();
/// let swing = |i: u32| time_secs.iter().map(|t| (2.0 * t + f64::from(i)).sin()).collect();
/// let episode = |i| Episode { id: format!("swing/{i}"), time_secs: time_secs.clone(), values: swing(i) };
/// let channels = vec![Channel { name: "q".into(), unit: Some("rad".into()), period: None }];
/// let episodes = (0..5).map(episode).collect();
/// let (sources, notes, parts) = (Vec::new(), Vec::new(), Default::default());
/// let frames = Frames { channels, rate_hz: 25.0, episodes, sources, notes, parts };
///
/// let dataset = Dataset::new(frames, &RunConfig::default())?;
/// assert_eq!(dataset.split.train.len(), 3);
/// let windows = dataset.windows(&dataset.split.train, 8, 25, 1)?;
/// assert_eq!(windows.len(), 3 * (250 - 33 + 1));
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The motion.
    pub frames: Frames,
    /// Which episode serves what.
    pub split: Split,
    /// Means and standard deviations of the training episodes.
    pub normaliser: Normaliser,
    /// Where [`Model::train`](super::Model::train) trains: the CPU unless [`Dataset::on`] says otherwise.
    pub device: Device,
    pub(super) skip_short: bool,
    /// Fingerprints of the episodes that the blocks were cut from; none where there were episodes enough.
    pub(super) cut_from: Vec<String>,
}

/// Before the fingerprint of an episode that was seen in blocks.
pub(super) const CUT: &str = "cut:";

/// Fewer recorded episodes are cut into blocks.
const FEW: usize = 3;

impl DataConfig {
    /// Logs, or folders of them, as frames: read, freed of the episodes to leave out and brought to one rate as these
    /// settings say.
    ///
    /// # Errors
    /// As [`Recording::read`], [`Recording::leave_out`] and [`Frames::resample`].
    pub fn frames(&self, paths: &[impl AsRef<Path>]) -> Result<Frames> {
        let mut recording = Recording::read(paths, &self.read)?;
        recording.leave_out(&self.exclude_episodes)?;
        Frames::resample(&recording, self.rate_hz, self.rate_tolerance)
    }
}

impl Dataset {
    /// Logs, or folders of them, as `config` has them read, brought to one rate and split.
    ///
    /// # Errors
    /// As [`DataConfig::frames`] and [`Dataset::new`].
    pub fn read(paths: &[impl AsRef<Path>], config: &RunConfig) -> Result<Self> {
        Self::new(config.data.frames(paths)?, config)
    }

    /// Splits by episode and fits the normaliser. Fewer than three recorded episodes are cut in time into blocks first
    /// ([`Frames::in_blocks`]), as far apart as a window of the training is long: the context and a chunk, or 32 frames
    /// where chunks are shorter or left to the data. A note says so.
    ///
    /// # Errors
    /// As [`Split::by_episode`], [`Frames::in_blocks`] and [`Normaliser::fit`].
    pub fn new(frames: Frames, config: &RunConfig) -> Result<Self> {
        let data = &config.data;
        let few = frames.recorded_episodes() < FEW;
        let cut_from = if few { frames.episodes.iter().map(fingerprint).collect() } else { Vec::new() };
        let (context, chunk) = config.model.frames();
        // Not the chunk that the data choose: it must be the same in training and afterwards.
        let mut frames = if few { frames.in_blocks(context + chunk.max(CHUNK[1]))? } else { frames };
        let split = if few { Split::by_block } else { Split::by_episode };
        let split = split(&frames, data.validation_share, data.test_share, config.seed)?;
        frames.notes.extend(split.told(&frames));
        let normaliser = Normaliser::fit(&frames, &split.train)?;
        Ok(Self { frames, split, normaliser, device: Device::Cpu, skip_short: data.skip_short, cut_from })
    }

    /// The same episodes, for training on `device`.
    pub fn on(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// The same episodes z-scored as a model's training data were.
    pub fn with_normaliser(mut self, normaliser: Normaliser) -> Self {
        self.normaliser = normaliser;
        self
    }

    /// z-scored windows of some episodes, one every `stride` frames.
    ///
    /// # Errors
    /// As [`Windows::new`].
    pub fn windows(&self, episodes: &[usize], context: usize, future: usize, stride: usize) -> Result<WindowArray> {
        self.filled(&self.listed(episodes, context, future, stride)?)
    }

    /// Listed windows, z-scored.
    ///
    /// # Errors
    /// As [`Windows::fill`].
    pub fn filled(&self, windows: &Windows<'_>) -> Result<WindowArray> {
        WindowArray::filled(windows, &self.normaliser)
    }

    /// The places of those windows.
    ///
    /// # Errors
    /// As [`Windows::new`].
    pub fn listed(&self, episodes: &[usize], context: usize, future: usize, stride: usize) -> Result<Windows<'_>> {
        let spec = WindowSpec { context, future, stride, skip_short: self.skip_short };
        Windows::new(&self.frames, episodes, spec)
    }

    /// SHA-256 of an episode's numbers: the same motion is recognised under any name.
    pub fn fingerprint(&self, episode: usize) -> String {
        fingerprint(&self.frames.episodes[episode])
    }

    /// [`Limits::seen`] of all windows of `frames` frames of the training episodes, without cutting them.
    ///
    /// # Errors
    /// As [`Normaliser::to_z`].
    pub(super) fn limits(&self, frames: usize) -> Result<Limits> {
        let channels = &self.frames.channels;
        let episodes = self.split.train.iter().map(|e| &self.frames.episodes[*e]);
        Limits::over(channels, |see| {
            let mut z = vec![0.0; channels.len()];
            for episode in episodes.filter(|episode| episode.time_secs.len() >= frames) {
                for row in episode.values.rows(channels.len()) {
                    self.normaliser.to_z(row, &mut z)?;
                    see(&z);
                }
            }
            Ok(())
        })
    }

    /// Fingerprints of the episodes that training sees and chooses weights by, and of those that these are blocks of.
    pub(super) fn seen(&self) -> Vec<String> {
        let own = self.split.train.iter().chain(&self.split.validation).map(|e| self.fingerprint(*e));
        own.chain(self.cut_from.iter().map(|whole| format!("{CUT}{whole}"))).collect()
    }

    /// `(D)`: lowest and highest value of each channel in the episodes that training sees and chooses weights by.
    pub(super) fn seen_range(&self) -> Vec<[f64; 2]> {
        let mut range = vec![[f64::INFINITY, f64::NEG_INFINITY]; self.frames.channels.len()];
        for episode in self.split.train.iter().chain(&self.split.validation) {
            for row in self.frames.episodes[*episode].values.rows(range.len()) {
                for ([low, high], value) in range.iter_mut().zip(row) {
                    (*low, *high) = (low.min(*value), high.max(*value));
                }
            }
        }
        range
    }

    /// How a training is kept in a file: what it is of is these episodes and `of`, an object.
    pub(super) fn plan(&self, path: &Path, resume: bool, of: serde_json::Value) -> CheckpointPlan {
        let mut identity = of;
        identity["channels"] = serde_json::json!(self.frames.channels);
        identity["rate_hz"] = serde_json::json!(self.frames.rate_hz);
        identity["episodes"] = serde_json::json!(self.seen());
        identity["normaliser"] = serde_json::json!(self.normaliser);
        CheckpointPlan { path: path.to_path_buf(), resume, identity }
    }
}

fn fingerprint(episode: &Episode) -> String {
    /// Numbers taken at once.
    const PIECE: usize = 1 << 16;
    let mut digest = Sha256::new();
    let (mut bytes, rest) = (Vec::new(), episode.values.chunks_exact(PIECE).remainder());
    // Piece by piece: an episode may be larger than the memory.
    for piece in episode.values.rows(PIECE).chain([rest]) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|v| v.to_le_bytes()));
        digest.update(&bytes);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
