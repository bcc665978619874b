//! Logs without their noise, in their own units.

use super::noise::estimated;
use super::{Draws, Filling};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::forecast::{LevelForecaster, Model, auto};
use crate::noise::Noise;
use crate::trajectory::{Episode, Frames};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// Cells of the chunks of a block, about; and its fewest and most chunks. With fewer than three the frames before the
/// first chunk, which nothing foretells, count too much.
const CELLS: usize = 800;
const CHUNKS: [usize; 2] = [3, 8];
/// Blocks between two looks at whether to stop.
const BATCH: usize = 8;
/// Blocks by which noise is estimated, of one chunk each.
const ESTIMATED: usize = 100;

impl Model {
    /// Estimates the standard deviation of the noise in each channel `(D,)`, in its unit: noise that is normal, new in
    /// each frame, and not there in the logs of the training. Motion that these did not hold counts as noise, too.
    ///
    /// # Errors
    /// As [`Model::check_fits`]; [`Error::Data`] where no chunk is complete with its context; [`Error::Config`]
    /// from a model without noise levels.
    pub fn noise_of(&self, frames: &Frames) -> Result<Vec<f64>> {
        self.check_fits(frames)?;
        let level = self.cleaning()?;
        let (d, (k, c)) = (frames.channels.len(), self.info().config.model.frames());
        let length = k + c;
        let complete = |block: &Block| block.cells(frames, length).iter().all(|v| v.is_finite());
        let mut blocks: Vec<Block> = Vec::new();
        for (episode, recorded) in frames.episodes.iter().enumerate() {
            let last = (recorded.values.len() / d).checked_sub(length);
            let starts = last.into_iter().flat_map(|last| (0..=last).step_by(length));
            blocks.extend(starts.map(|start| Block { episode, start }).filter(complete));
        }
        if blocks.is_empty() {
            let expected = format!("at least one stretch of {length} complete frames");
            return Err(Error::data("frames by which noise is estimated", "none", expected));
        }
        let chosen = (0..blocks.len().min(ESTIMATED)).map(|i| &blocks[i * blocks.len() / blocks.len().min(ESTIMATED)]);
        let (mut z, mut count) = (Vec::new(), 0);
        for block in chosen {
            z.extend(self.relative(block.cells(frames, length))?.0);
            count += 1;
        }
        let windows = Tensor::from_vec(z, (count, length, d), &Device::Cpu)?;
        let std = estimated(level.coordinates(), &windows)?;
        Ok(std.iter().zip(&self.info().normaliser.std).map(|(noise, scale)| noise * scale).collect())
    }

    /// A log without its noise: the mean of what the model takes the motion to have been, and its standard deviation.
    ///
    /// `noise` `(D,)` is the standard deviation of each channel's noise in its unit, normal and new in each frame; 0
    /// for a channel that is known ([`Model::noise_of`] estimates it). Missing cells (NaN) are filled on the way.
    /// Frames before and after count alike, so nothing lags. Long episodes are cleaned in blocks that overlap. One seed
    /// gives the same values each time.
    ///
    /// ```
    /// # use ebmotion::forecast::{Dataset, RunConfig};
    /// # use ebmotion::{event::Silent, forecast::Model};
    /// # fn main() -> ebmotion::Result<()> {
    /// # let mut config = RunConfig::default();
    /// # for (key, value) in [("train.steps", "20"), ("model.hidden", "[16]")] {
    /// #     config = config.with_one(key, value)?;
    /// # }
    /// # let data = Dataset::read(&["data/hand_gestures/hand_gestures.csv.gz"], &config)?;
    /// # let model = Model::train(&data, &config, None, false, &mut Silent)?;
    /// let mut log = data.frames.clone(); // as the model has them: `Model::frames` reads others
    /// # log.episodes.truncate(1);
    /// let noise = vec![0.02; log.channels.len()]; // rad
    /// let [cleaned, std] = model.clean(&log, &noise, 16, 7, &mut Silent)?;
    /// let (value, by) = (cleaned.episodes[0].values[0], std.episodes[0].values[0]);
    /// println!("{value:.3} rad, give or take {by:.3}");
    /// # assert!(by > 0.0 && by < 0.03);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Model::check_fits`] and [`LevelForecaster::clean`]; [`Error::Data`] for an episode of no more than a
    /// context; [`Error::Config`] for noise that is none, fewer than 2 samples and a model without noise levels;
    /// [`Error::Interrupted`] where the sink asks for it.
    pub fn clean(
        &self,
        frames: &Frames,
        noise: &[f64],
        samples: usize,
        seed: u64,
        sink: &mut dyn Sink,
    ) -> Result<[Frames; 2]> {
        let level = self.cleaning()?;
        let velocity = |x: &Tensor, context: &Tensor, at: f64| level.velocity(x, context, at);
        let draws = Draws { velocity: &velocity, sampler: auto::filling(level.sampler()) };
        self.clean_by(Some(&draws), frames, noise, samples, seed, sink)
    }

    /// As [`Model::clean`], by the autoregression behind the model alone: what a Kalman smoother makes of the log, and
    /// what cleaning has to be better than. The mean is exact.
    ///
    /// # Errors
    /// As [`Model::clean`].
    pub fn smooth(
        &self,
        frames: &Frames,
        noise: &[f64],
        samples: usize,
        seed: u64,
        sink: &mut dyn Sink,
    ) -> Result<[Frames; 2]> {
        self.clean_by(None, frames, noise, samples, seed, sink)
    }

    fn clean_by(
        &self,
        draws: Option<&Draws<'_>>,
        frames: &Frames,
        noise: &[f64],
        samples: usize,
        seed: u64,
        sink: &mut dyn Sink,
    ) -> Result<[Frames; 2]> {
        self.check_fits(frames)?;
        let level = self.cleaning()?;
        if samples < 2 {
            return Err(Error::config("samples", samples, "at least 2"));
        }
        let scale = &self.info().normaliser.std;
        if noise.len() != scale.len() {
            let (what, expected) = ("noise", format!("({},): one a channel", scale.len()));
            return Err(Error::Shape { what, found: vec![noise.len()], expected });
        }
        if noise.iter().all(|std| *std == 0.0) {
            return Err(Error::config("noise", "0 in every channel", "a positive number for one at least"));
        }
        let z: Vec<f64> = noise.iter().zip(scale).map(|(noise, scale)| noise / scale).collect();
        let mut cleaned = Averages::of(frames);
        let mut alike: BTreeMap<(usize, Vec<usize>), Vec<Block>> = BTreeMap::new();
        for (length, block) in self.blocks(frames)? {
            let cells = block.cells(frames, length).iter().enumerate();
            let missing: Vec<usize> = cells.filter(|(_, v)| v.is_nan()).map(|(cell, _)| cell).collect();
            alike.entry((length, missing)).or_default().push(block);
        }
        let total: usize = alike.values().map(Vec::len).sum();
        sink.emit(&Event::Begin { phase: "clean", total: total as u64 })?;
        let mut done = 0;
        for ((length, _), blocks) in &alike {
            let (first, _) = self.relative(blocks[0].cells(frames, *length))?;
            let filling = Filling::new(level.coordinates(), &first, scale.len(), &z)?;
            for batch in blocks.chunks(BATCH) {
                if sink.stop_requested() {
                    return Err(Error::Interrupted { step: done, saved: None });
                }
                let of = |block: &Block| self.relative(block.cells(frames, *length));
                let windows = batch.iter().map(of).collect::<Result<Vec<_>>>()?;
                let values: Vec<f32> = windows.iter().flat_map(|(z, _)| z).copied().collect();
                let mut drawing = Noise::new(seed).fork(done);
                let filled = filling.run(&values, samples, draws, &mut drawing)?;
                for (i, (block, (_, turns))) in batch.iter().zip(&windows).enumerate() {
                    let numbers = |t: &Tensor| t.get(i)?.flatten_all()?.to_vec1::<f32>();
                    let mean = self.units(&self.periods()).restore(&numbers(&filled.mean)?, turns);
                    let std = deviations(&numbers(&filled.draws)?, samples, scale);
                    cleaned.add(block, &mean, &std);
                }
                done += batch.len() as u64;
                sink.emit(&Event::Step { step: done, note: "" })?;
            }
        }
        sink.emit(&Event::End)?;
        Ok(cleaned.finish(frames, noise))
    }

    fn cleaning(&self) -> Result<&LevelForecaster> {
        let found = || format!("the forecaster `{}`", self.forecaster().name());
        self.level().ok_or_else(|| Error::config("clean", found(), "a model with noise levels"))
    }

    /// The blocks of all episodes, each with its frames. They overlap by half of their chunks or more.
    fn blocks(&self, frames: &Frames) -> Result<Vec<(usize, Block)>> {
        let (d, (k, c)) = (frames.channels.len(), self.info().config.model.frames());
        let chunks = (CELLS / (c * d)).clamp(CHUNKS[0], CHUNKS[1]);
        let (longest, stride) = (k + chunks * c, chunks / 2 * c);
        let mut blocks = Vec::new();
        for (episode, recorded) in frames.episodes.iter().enumerate() {
            let length = recorded.values.len() / d;
            if length <= k {
                let expected = format!("more than {k}, the frames that the model reads before others");
                return Err(Error::data(format!("frames of `{}`", recorded.id), length, expected));
            }
            let last = length.saturating_sub(longest);
            let starts = (0..last).step_by(stride).chain([last]);
            blocks.extend(starts.map(|start| (longest.min(length), Block { episode, start })));
        }
        Ok(blocks)
    }

    /// A block `(T, D)` z-scored, and the turns of its channels that wrap.
    fn relative(&self, block: &[f64]) -> Result<(Vec<f32>, Vec<f64>)> {
        let (d, k) = (self.info().channels.len(), self.forecaster().context_frames());
        // Which turn a channel is in is told by its first values; where there are none, the middle of the training's.
        let mut start = vec![0.0; k * d];
        for c in 0..d {
            let mut now = block.iter().skip(c).step_by(d).find(|v| v.is_finite()).copied();
            for frame in 0..k {
                now = Some(block[frame * d + c]).filter(|v| v.is_finite()).or(now);
                start[frame * d + c] = now.unwrap_or(self.info().normaliser.mean[c]);
            }
        }
        let (_, turns) = self.z_history(&start)?;
        let relative: Vec<f64> = block.iter().zip(turns.iter().cycle()).map(|(v, turn)| v - turn).collect();
        let mut z = vec![0f32; relative.len()];
        self.info().normaliser.to_z(&relative, &mut z)?;
        Ok((z, turns))
    }
}

/// Frames of an episode that are cleaned together.
struct Block {
    episode: usize,
    start: usize,
}

impl Block {
    fn cells<'a>(&self, frames: &'a Frames, length: usize) -> &'a [f64] {
        let d = frames.channels.len();
        &frames.episodes[self.episode].values[self.start * d..(self.start + length) * d]
    }
}

/// Standard deviation of each cell over draws `(S, T, D)`, in the channels' units.
fn deviations(draws: &[f32], samples: usize, scale: &[f64]) -> Vec<f64> {
    let width = draws.len() / samples;
    let of_cell = |cell: usize| {
        let values = || draws.iter().skip(cell).step_by(width).map(|v| f64::from(*v));
        let mean = values().sum::<f64>() / samples as f64;
        let square = values().map(|v| (v - mean).powi(2)).sum::<f64>() / (samples - 1) as f64;
        square.sqrt() * scale[cell % scale.len()]
    };
    (0..width).map(of_cell).collect()
}

/// Weighted sums of what blocks say of each cell. A block's weight is the square of a frame's distance to its nearer
/// end: what lies beyond the end is not told there.
struct Averages {
    /// For each episode, for each cell: weight, mean and standard deviation, each times the weight.
    sums: Vec<Vec<[f64; 3]>>,
    channels: usize,
}

impl Averages {
    fn of(frames: &Frames) -> Self {
        let sums = frames.episodes.iter().map(|e| vec![[0.0; 3]; e.values.len()]).collect();
        Self { sums, channels: frames.channels.len() }
    }

    fn add(&mut self, block: &Block, mean: &[f64], std: &[f64]) {
        let (d, length) = (self.channels, mean.len() / self.channels);
        let to = &mut self.sums[block.episode][block.start * d..];
        for (cell, sum) in to.iter_mut().take(mean.len()).enumerate() {
            let frame = cell / d;
            let weight = ((frame + 1).min(length - frame) as f64).powi(2);
            for (sum, value) in sum.iter_mut().zip([1.0, mean[cell], std[cell]]) {
                *sum += weight * value;
            }
        }
    }

    /// The frames of means, and those of standard deviations. Cells that are known stay as they are.
    fn finish(self, frames: &Frames, noise: &[f64]) -> [Frames; 2] {
        let of = |which: usize| {
            let episode = |(recorded, sums): (&Episode, &Vec<[f64; 3]>)| {
                let value = |(cell, (sum, seen)): (usize, (&[f64; 3], &f64))| match (
                    seen.is_finite() && noise[cell % noise.len()] == 0.0,
                    which,
                ) {
                    (true, 1) => *seen,
                    (true, _) => 0.0,
                    (false, _) => sum[which] / sum[0],
                };
                let values = sums.iter().zip(recorded.values.iter()).enumerate().map(value).collect();
                Episode { id: recorded.id.clone(), time_secs: recorded.time_secs.clone(), values }
            };
            let episodes = frames.episodes.iter().zip(&self.sums).map(episode).collect();
            Frames {
                channels: frames.channels.clone(),
                rate_hz: frames.rate_hz,
                episodes,
                sources: frames.sources.clone(),
                notes: frames.notes.clone(),
                parts: frames.parts.clone(),
            }
        };
        [of(1), of(2)]
    }
}
