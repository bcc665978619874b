//! All anomaly scores together, calibrated, beside the model in its file.

use super::episode_distribution::{EpisodeDistribution, combined};
use super::one_sided::OneSided;
use super::range::{RANGE, Range};
use super::saved::{numbers, vector};
use super::score::{AnomalyScore, FRAMES, STRIDE, ScoreSpec};
use super::score_distribution::ScoreDistribution;
use crate::error::{Error, Result};
use crate::forecast::{Dataset, Model, WindowArray};
use crate::train::Archive;
use crate::trajectory::{Frames, WindowSpec, Windows};
use candle_core::{Device, Tensor};
use std::path::Path;

/// Prefix of the tensors in a model file.
const PREFIX: &str = "anomaly/";
/// Frames of a scored window, among those.
const WINDOW: &str = "window";
/// Windows that are fitted and calibrated on, at most: evenly over all.
const MOST: usize = 8192;
/// Windows scored at once.
const BLOCK: usize = 512;
/// Parts of the validation episodes, each scored by the distributions of the others (cross-conformal, Vovk 2015).
const FOLDS: usize = 10;
/// Name of all scores together.
const COMBINED: &str = "combined";

/// The scores that a detector joins.
type Scores<'a> = Vec<Box<dyn AnomalyScore + 'a>>;

/// Of one score and every window, the channel that stands out most and its value.
type Highest = Vec<(usize, f64)>;

/// How all scores lie over normal windows.
#[derive(Debug, Clone)]
struct Normal {
    distributions: Vec<ScoreDistribution>,
    /// Of the scores' normal deviates, `(scores, scores)`.
    correlations: Vec<f64>,
    one_sided: OneSided,
}

impl Normal {
    /// Over the windows `which` of those scored.
    fn new(scores: &[Highest], which: &[usize]) -> Result<Self> {
        let of = |score: &Highest| ScoreDistribution::new(which.iter().map(|i| score[*i].1).collect());
        let distributions: Vec<ScoreDistribution> = scores.iter().map(of).collect();
        let deviates: Vec<f64> = which.iter().flat_map(|i| deviates(&distributions, scores, *i)).collect();
        let correlations = OneSided::correlations(&deviates, distributions.len());
        Ok(Self { one_sided: OneSided::new(&correlations, distributions.len())?, distributions, correlations })
    }
}

/// Of each score, the normal deviate of window `i`.
fn deviates(distributions: &[ScoreDistribution], scores: &[Highest], i: usize) -> Vec<f64> {
    distributions.iter().zip(scores).map(|(own, score)| own.deviate(score[i].1)).collect()
}

/// What a [`Detector`] says of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowScore {
    /// Log likelihood ratio, nats, of scores that are all as high as they please to scores as on normal windows; 0 when
    /// none is higher than usual.
    pub score: f64,
    /// Share of normal windows with at least this score.
    pub p_value: f64,
    /// The anomaly score that has the largest part in it; `range` where a channel lies outside the range in which it
    /// lay in training, whatever the scores say: what they are asked of is motion within it.
    pub leading: &'static str,
    /// The channel that stands out most, by the scores that look at channels; that which lies outside its range; none
    /// where no score looks at channels.
    pub channel: Option<usize>,
}

/// Anomaly scores of a model's motion, calibrated on its validation episodes.
pub struct Detector<'a> {
    model: &'a Model,
    own: Scores<'a>,
    normal: Normal,
    /// Scores of the validation windows.
    combined: ScoreDistribution,
    /// How strange whole validation episodes are; none where the file of the model does not say.
    episodes: Option<EpisodeDistribution>,
    /// In which each channel lay in training and validation.
    range: Range,
}

/// Name of the validation episodes' surprises in the file of a model.
const EPISODES: &str = "combined.episodes";

impl<'a> Detector<'a> {
    /// Fits [`ScoreSpec::ALL`] on windows of the training episodes and calibrates them on those of the validation
    /// episodes.
    ///
    /// # Errors
    /// [`Error::Data`] when episodes are shorter than a scored window.
    pub fn fit(model: &'a Model, dataset: &Dataset) -> Result<Self> {
        Self::fit_with(model, dataset, &ScoreSpec::ALL)
    }

    /// As [`Detector::fit`], with other scores.
    ///
    /// # Errors
    /// As [`Detector::fit`]; [`Error::Config`] for no score and for two of one name.
    pub fn fit_with(model: &'a Model, dataset: &Dataset, scores: &[&ScoreSpec]) -> Result<Self> {
        let context = model.info().config.model.frames().0;
        let future = frames(model) - context;
        let cut = |episodes: &[usize]| -> Result<(WindowArray, Vec<usize>)> {
            let listed = dataset.listed(episodes, context, future, STRIDE)?;
            let (n, kept) = (listed.len(), listed.len().min(MOST));
            let windows = WindowArray::evenly(&listed, &dataset.normaliser, MOST)?;
            Ok((windows, (0..kept).map(|i| listed.episode_of(i * n / kept)).collect()))
        };
        let ((training, _), (validation, episodes)) = (cut(&dataset.split.train)?, cut(&dataset.split.validation)?);
        let own = each(scores, |spec| (spec.fit)(model, &training))?;
        let scores = highest(&own, &validation)?;
        let all: Vec<usize> = (0..episodes.len()).collect();
        let range = Range::seen(&[&training, &validation], &model.info().channels);
        let (normal, nothing) = (Normal::new(&scores, &all)?, ScoreDistribution::new(Vec::new()));
        let mut detector = Self { model, normal, own, combined: nothing, episodes: None, range };
        // Scored by the distributions of the other episodes, as windows will be that they have never seen.
        let mut scored: Vec<(usize, f64)> = Vec::with_capacity(episodes.len());
        let normal = detector.normal.clone();
        for held in folds(&episodes) {
            let (own, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| held.contains(&episodes[**i]));
            detector.normal = Normal::new(&scores, if others.is_empty() { &own } else { &others })?;
            let found = detector.window_scores(&scores, &own);
            scored.extend(own.iter().zip(found).map(|(i, window)| (episodes[*i], window.score)));
        }
        let combined = ScoreDistribution::new(scored.iter().map(|(_, score)| *score).collect());
        Ok(Self { normal, combined, episodes: whole_episodes(&scored), ..detector })
    }

    /// Of the windows `which` of those scored.
    fn window_scores(&self, scores: &[Highest], which: &[usize]) -> Vec<WindowScore> {
        let window_score = |i: usize| {
            let deviates = deviates(&self.normal.distributions, scores, i);
            let parts = self.normal.one_sided.parts(&deviates);
            let scored = self.own.iter().enumerate();
            let leading = scored.clone().max_by(|(a, _), (b, _)| parts[*a].total_cmp(&parts[*b]));
            let by_channel = scored.filter(|(_, own)| own.by_channel());
            let judge = by_channel.max_by(|(a, _), (b, _)| deviates[*a].total_cmp(&deviates[*b]));
            let score = parts.iter().sum();
            WindowScore {
                score,
                p_value: self.combined.conformal(score),
                leading: leading.map_or(COMBINED, |(_, own)| own.name()),
                channel: judge.map(|(j, _)| scores[j][i].0),
            }
        };
        which.iter().map(|i| window_score(*i)).collect()
    }

    /// The model whose motion this scores.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// Frames of a window that this scores: 48, or those that the model sees at once where that is more.
    pub fn frames(&self) -> usize {
        frames(self.model)
    }

    /// Scores windows of [`Detector::frames`] z-scored frames.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length; [`Error::NonFinite`] where a score is not finite.
    pub fn judge(&self, windows: &WindowArray) -> Result<Vec<WindowScore>> {
        let (frames, d) = (windows.context + windows.future, self.model.info().channels.len());
        if frames != self.frames() || windows.channels != d {
            let found = vec![windows.len(), frames, windows.channels];
            let expected = format!("(N, {}, {d})", self.frames());
            return Err(Error::Shape { what: "windows to score", found, expected });
        }
        let scores = highest(&self.own, windows)?;
        let mut judged = self.window_scores(&scores, &(0..windows.len()).collect::<Vec<_>>());
        for (judged, window) in judged.iter_mut().zip(windows.values.chunks_exact(frames * d)) {
            if let Some(channel) = self.range.outside(window) {
                (judged.leading, judged.channel) = (RANGE, Some(channel));
            }
        }
        Ok(judged)
    }

    /// How the windows that this judges are cut from a log, one every `stride` frames.
    pub(super) fn cut(&self, stride: usize) -> WindowSpec {
        let context = self.model.info().config.model.frames().0;
        WindowSpec { context, future: self.frames() - context, stride, skip_short: true }
    }

    /// Judges the motion that a forecast from frame `start` of an episode rests on: the [`Detector::frames`] frames
    /// before it. `None` where there are fewer.
    ///
    /// # Errors
    /// As [`Model::check_fits`] and [`Detector::judge`]; [`Error::Data`] where there is no such episode.
    pub fn before(&self, frames: &Frames, episode: usize, start: usize) -> Result<Option<WindowScore>> {
        self.model.check_fits(frames)?;
        let (judged, spec) = (self.frames(), self.cut(1));
        let enough = frames.episodes.get(episode).is_none_or(|e| (judged..=e.time_secs.len()).contains(&start));
        if !enough {
            return Ok(None);
        }
        let (listed, channels) = (Windows::new(frames, &[episode], spec)?, frames.channels.len());
        let mut values = vec![0.0; judged * channels];
        listed.fill(start - judged, &self.model.info().normaliser, &mut values)?;
        let window = WindowArray { values, context: spec.context, future: spec.future, channels };
        Ok(self.judge(&window)?.pop())
    }

    /// As [`Detector::judge`] listed windows, which are cut some at a time.
    ///
    /// # Errors
    /// As [`Detector::judge`].
    pub(super) fn judge_listed(&self, windows: &Windows<'_>) -> Result<Vec<WindowScore>> {
        let (n, normaliser) = (windows.len(), &self.model.info().normaliser);
        let blocks = (0..n).step_by(MOST).map(|begin| begin..n.min(begin + MOST));
        let judged = blocks.map(|block| self.judge(&WindowArray::some(windows, normaliser, block)?));
        Ok(judged.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Every anomaly score, `(N,)` each (the largest where there is one a channel), and `combined`.
    ///
    /// # Errors
    /// As [`Detector::judge`].
    pub fn scores(&self, windows: &WindowArray) -> Result<Vec<(&'static str, Vec<f64>)>> {
        let highest = highest(&self.own, windows)?;
        let combined =
            self.window_scores(&highest, &(0..windows.len()).collect::<Vec<_>>()).iter().map(|v| v.score).collect();
        let of = |highest: Highest| highest.into_iter().map(|(_, score)| score).collect();
        let own = self.own.iter().zip(highest).map(|(score, highest)| (score.name(), of(highest)));
        Ok(own.chain([(COMBINED, combined)]).collect())
    }

    /// Validation windows that this was calibrated on; the smallest p-value is 1 / (this + 1).
    pub fn calibrated_on(&self) -> usize {
        self.combined.scores().len()
    }

    /// Share of normal windows with at least this score, going on exponentially beyond the highest of them.
    pub(super) fn tail(&self, score: f64) -> f64 {
        (-self.combined.surprise(score)).exp()
    }

    /// How strange whole normal episodes are.
    pub(super) fn normal_episodes(&self) -> Option<&EpisodeDistribution> {
        self.episodes.as_ref()
    }

    /// Adds this to the file of the model.
    ///
    /// # Errors
    /// As [`Archive::load`] and [`Archive::save`].
    pub fn attach(&self, path: &Path) -> Result<()> {
        let mut archive = Archive::load(path)?;
        archive.tensors.retain(|name, _| !name.starts_with(PREFIX));
        let mut put = |(name, tensor): (String, Tensor)| archive.tensors.insert(format!("{PREFIX}{name}"), tensor);
        for (score, distribution) in self.own.iter().zip(&self.normal.distributions) {
            score.state()?.into_iter().for_each(|tensor| _ = put(tensor));
            put(vector(&format!("{}.distribution", score.name()), distribution.scores())?);
        }
        put(vector("combined.correlations", &self.normal.correlations)?);
        put(vector("combined.distribution", self.combined.scores())?);
        if let Some(episodes) = &self.episodes {
            put(vector(EPISODES, episodes.surprises())?);
        }
        put((RANGE.into(), self.range.to_tensor()?));
        put((WINDOW.into(), Tensor::new(&[self.frames() as u32], &Device::Cpu)?));
        archive.save(path)
    }

    /// Reads what [`Detector::attach`] added.
    ///
    /// # Errors
    /// [`Error::Model`] when the file holds none, or a damaged one.
    pub fn load(model: &'a Model, path: &Path) -> Result<Self> {
        Self::load_with(model, path, &ScoreSpec::ALL)
    }

    /// As [`Detector::load`], with other scores: those that it was fitted with.
    ///
    /// # Errors
    /// As [`Detector::load`]; [`Error::Model`] naming a score of the file that is not among `scores`.
    pub fn load_with(model: &'a Model, path: &Path, scores: &[&ScoreSpec]) -> Result<Self> {
        let archive = Archive::load(path)?;
        let get = |name: &str| archive.tensor(path, &format!("{PREFIX}{name}"));
        if !archive.tensors.keys().any(|name| name.starts_with(PREFIX)) {
            let expected = format!("a model with one: train again, on episodes of at least {} frames", frames(model));
            return Err(Error::model(path, "a model without a calibration for anomalies", expected));
        }
        let window = get(WINDOW).and_then(|t| Ok(t.to_vec1::<u32>()?)).ok();
        if window != Some(vec![frames(model) as u32]) || get("combined.distribution").is_err() {
            let found = "a calibration for anomalies of an earlier version";
            return Err(Error::model(path, found, "one that this version made: train again"));
        }
        let damaged = |e: Error| match e {
            e @ (Error::Io { .. } | Error::Model { .. }) => e,
            other => Error::model(path, other, "a calibration that fits the model"),
        };
        let own = each(scores, |spec| (spec.restore)(model, &get)).map_err(damaged)?;
        let names: Vec<&str> = own.iter().map(|score| score.name()).collect();
        let kept = archive.tensors.keys().filter_map(|n| n.strip_prefix(PREFIX)?.strip_suffix(".distribution"));
        if let Some(other) = kept.into_iter().find(|name| *name != COMBINED && !names.contains(name)) {
            let found = format!("a calibration with the score `{other}`");
            return Err(Error::model(path, found, format!("one with only {}", names.join(", "))));
        }
        let read = || -> Result<(Normal, ScoreDistribution)> {
            let of = |name: &str| {
                Ok::<_, Error>(ScoreDistribution::new(numbers(&get, &format!("{name}.distribution"), None)?))
            };
            let distributions = names.iter().map(|name| of(name)).collect::<Result<Vec<_>>>()?;
            let correlations = numbers(&get, "combined.correlations", Some(names.len().pow(2)))?;
            let one_sided = OneSided::new(&correlations, names.len())?;
            Ok((Normal { distributions, correlations, one_sided }, of(COMBINED)?))
        };
        let (normal, combined) = read().map_err(damaged)?;
        let channels = model.info().channels.len();
        // Calibrations made before ranges were kept name causes without them.
        let range = match archive.tensors.get(&format!("{PREFIX}{RANGE}")) {
            Some(tensor) => Range::from_tensor(tensor, channels).map_err(damaged)?,
            None => Range::none(channels),
        };
        let episodes = match archive.tensors.contains_key(&format!("{PREFIX}{EPISODES}")) {
            true => EpisodeDistribution::of_surprises(numbers(&get, EPISODES, None).map_err(damaged)?),
            false => None,
        };
        Ok(Self { model, own, normal, combined, episodes, range })
    }
}

/// How strange each validation episode is by the windows of the others; `scored` are windows by episode.
fn whole_episodes(scored: &[(usize, f64)]) -> Option<EpisodeDistribution> {
    let mut named: Vec<usize> = scored.iter().map(|(episode, _)| *episode).collect();
    named.sort_unstable();
    named.dedup();
    let p = named.iter().filter_map(|held| {
        let (own, others): (Vec<_>, Vec<_>) = scored.iter().partition(|(episode, _)| episode == held);
        let others = ScoreDistribution::new(others.iter().map(|(_, score)| *score).collect());
        let p: Vec<f64> = own.iter().map(|(_, score)| (-others.surprise(*score)).exp()).collect();
        (!others.scores().is_empty()).then(|| combined(&p))
    });
    EpisodeDistribution::new(p)
}

/// The scores of some rows, those left out that are not for the model.
fn each<'a>(
    rows: &[&ScoreSpec],
    make: impl Fn(&ScoreSpec) -> Result<Option<Box<dyn AnomalyScore + 'a>>>,
) -> Result<Scores<'a>> {
    let mut scores = Scores::new();
    for row in rows {
        let Some(score) = make(row)? else { continue };
        let name = score.name();
        if name == COMBINED || name == RANGE || scores.iter().any(|other| other.name() == name) {
            return Err(Error::config("anomaly scores", format!("`{name}` twice"), "a name for each"));
        }
        scores.push(score);
    }
    if scores.is_empty() {
        return Err(Error::config("anomaly scores", "none for this model", "at least one"));
    }
    Ok(scores)
}

/// Every score of the windows.
fn highest(own: &Scores<'_>, windows: &WindowArray) -> Result<Vec<Highest>> {
    let mut highest = vec![Highest::new(); own.len()];
    let width = (windows.context + windows.future) * windows.channels;
    for values in windows.values.chunks(BLOCK * width) {
        let block = WindowArray { values: values.to_vec(), ..*windows };
        for (all, score) in highest.iter_mut().zip(own) {
            let scores = score.score(&block)?;
            if let Some(value) = scores.iter().find(|v| !v.is_finite()) {
                return Err(Error::NonFinite { what: "anomaly score".into(), value: *value, step: 0 });
            }
            let higher = |best: (usize, f64), new: (usize, f64)| if new.1 > best.1 { new } else { best };
            let of = |row: &[f64]| row.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), higher);
            all.extend(scores.chunks_exact(scores.len() / block.len()).map(of));
        }
    }
    Ok(highest)
}

/// Frames of the windows in which a model's motion is scored.
fn frames(model: &Model) -> usize {
    let (context, chunk) = model.info().config.model.frames();
    FRAMES.max(context + chunk)
}

/// The episodes in [`FOLDS`] parts, or as many as there are episodes.
fn folds(episodes: &[usize]) -> Vec<Vec<usize>> {
    let mut named = episodes.to_vec();
    named.sort_unstable();
    named.dedup();
    let count = FOLDS.min(named.len());
    (0..count).map(|fold| named.iter().copied().skip(fold).step_by(count).collect()).collect()
}
