//! Whole episodes of a data set: which are unlike the motion of training, where, and how sure that is.

use super::episode_distribution::combined;
use super::score::STRIDE;
use super::{Detector, WindowScore};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::files;
use crate::trajectory::{Frames, ShortEpisode, Windows};
use serde::Serialize;
use std::path::Path;

/// The first word of the file of scores.
const FORMAT: &str = "ebmotion episode scores 1";
/// Windows beside the worst one belong to its stretch up to this p-value.
const STRETCH: f64 = 0.05;

/// An episode, and how unlike the motion of training it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpisodeScore {
    /// Name.
    pub episode: String,
    /// Its windows.
    pub windows: usize,
    /// Probability that an episode of normal motion is as strange as this one.
    pub p_value: f64,
    /// The least rate of false discoveries at which this episode is told (Benjamini and Hochberg's adjusted p-value).
    pub q_value: f64,
    /// True where the adjusted p-value is no larger than the rate that was asked for.
    pub suspect: bool,
    /// The cause: the anomaly score that has the largest part in the worst window, or `range`.
    pub cause: &'static str,
    /// The channel that stands out most in the worst window; none where no score looks at channels.
    pub channel: Option<String>,
    /// Where the worst stretch begins, seconds from the start of the episode.
    pub start_secs: f64,
    /// Where it ends.
    pub end_secs: f64,
    /// Score of the worst window, nats.
    pub score: f64,
}

/// All episodes of a data set, the worst first.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeScores {
    /// What judged: the forecaster's name, or a name that the caller puts in its place, such as the model's file.
    pub model: String,
    /// The rate of false discoveries that was asked for: the expected share of episodes of normal motion among
    /// suspects.
    pub false_discoveries: f64,
    /// Normal episodes that the p-values rest on.
    pub calibrated_on: usize,
    /// The episodes, the worst first.
    pub episodes: Vec<EpisodeScore>,
    /// Episodes that are too short for a window.
    pub left_out: Vec<ShortEpisode>,
}

impl Detector<'_> {
    /// Scores every episode of a data set.
    ///
    /// An episode's p-value is made of those of its windows ([`Detector::frames`] frames, one every 4) by the
    /// Cauchy combination (Liu and Xie, "Cauchy combination test", JASA 115, 2020): windows overlap, and small p-values
    /// so combined are right whatever the dependence. A window's p-value is its rank among the validation windows,
    /// going on exponentially beyond the highest twentieth of them. Episodes differ by more than their windows do, so
    /// that is compared with the validation episodes, each scored by the windows of the others: by its rank, and in the
    /// upper half by an exponential tail whose scale is as uncertain as so few episodes leave it. Since many episodes
    /// are asked at once, those are suspects among which the expected share of normal ones is at most
    /// `false_discoveries` (Benjamini and Hochberg, JRSS B 57, 1995).
    ///
    /// # Errors
    /// [`Error::Config`] unless `false_discoveries` lies between 0 and 1; as [`crate::forecast::Model::check_fits`] and
    /// [`Detector::judge`]; [`Error::Data`] where no episode is long enough; [`Error::Interrupted`] and what the sink
    /// says.
    pub fn score_episodes(
        &self,
        frames: &Frames,
        false_discoveries: f64,
        sink: &mut dyn Sink,
    ) -> Result<EpisodeScores> {
        if !(false_discoveries > 0.0 && false_discoveries < 1.0) {
            return Err(Error::config("false_discoveries", false_discoveries, "a share between 0 and 1"));
        }
        let model = self.model();
        if self.normal_episodes().is_none() {
            let found = "one, or a calibration of an earlier version";
            let expected = "at least 2, by which whole episodes are judged (`data.validation_share` sets how many)";
            return Err(Error::data("validation episodes of the model", found, expected));
        }
        model.check_fits(frames)?;
        let spec = self.cut(STRIDE);
        let all: Vec<usize> = (0..frames.episodes.len()).collect();
        // Fails where no episode is long enough, before anything is scored.
        let left_out = Windows::new(frames, &all, spec)?.too_short().to_vec();
        sink.emit(&Event::Begin { phase: "score", total: all.len() as u64 })?;
        let mut episodes = Vec::new();
        for i in all {
            if sink.stop_requested() {
                return Err(Error::Interrupted { step: i as u64, saved: None });
            }
            let episode = &frames.episodes[i];
            if !left_out.iter().any(|short| short.id == episode.id) {
                let listed = Windows::new(frames, &[i], spec)?;
                let scores = self.judge_listed(&listed)?;
                let starts: Vec<usize> = (0..scores.len()).map(|w| listed.start_of(w)).collect();
                episodes.extend(self.episode(frames, &episode.id, &scores, &starts));
            }
            sink.emit(&Event::Step { step: i as u64 + 1, note: &episode.id })?;
        }
        sink.emit(&Event::End)?;
        told(&mut episodes, false_discoveries);
        Ok(EpisodeScores {
            model: model.forecaster().name().into(),
            false_discoveries,
            calibrated_on: self.normal_episodes().map_or(0, |normal| normal.count()),
            episodes,
            left_out,
        })
    }

    /// Of one episode, from its windows and the frames at which they start.
    fn episode(&self, frames: &Frames, id: &str, scores: &[WindowScore], starts: &[usize]) -> Option<EpisodeScore> {
        let p: Vec<f64> = scores.iter().map(|window| self.tail(window.score)).collect();
        let worst = (0..scores.len()).max_by(|a, b| scores[*a].score.total_cmp(&scores[*b].score))?;
        let (mut first, mut last) = (worst, worst);
        while first > 0 && p[first - 1] <= STRETCH {
            first -= 1;
        }
        while last + 1 < p.len() && p[last + 1] <= STRETCH {
            last += 1;
        }
        Some(EpisodeScore {
            episode: id.into(),
            windows: scores.len(),
            p_value: self.normal_episodes()?.p_value(combined(&p)),
            q_value: 1.0,
            suspect: false,
            cause: scores[worst].leading,
            channel: scores[worst].channel.map(|c| frames.channels[c].name.clone()),
            start_secs: starts[first] as f64 / frames.rate_hz,
            end_secs: (starts[last] + self.frames()) as f64 / frames.rate_hz,
            score: scores[worst].score,
        })
    }
}

/// Sorts the episodes, the worst first, and gives them their adjusted p-values.
fn told(episodes: &mut [EpisodeScore], rate: f64) {
    episodes.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(b.score.total_cmp(&a.score)));
    let n = episodes.len() as f64;
    let mut least = 1.0_f64;
    for (i, episode) in episodes.iter_mut().enumerate().rev() {
        least = least.min(episode.p_value * n / (i + 1) as f64);
        episode.q_value = least;
        episode.suspect = least <= rate;
    }
}

impl EpisodeScores {
    /// The episodes that are suspects, the worst first.
    pub fn suspects(&self) -> impl Iterator<Item = &EpisodeScore> {
        self.episodes.iter().filter(|episode| episode.suspect)
    }

    /// All episodes as a table.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let header = [
            "episode",
            "p_value",
            "q_value",
            "suspect",
            "cause",
            "channel",
            "start [s]",
            "end [s]",
            "score [nats]",
            "windows",
        ];
        let row = |e: &EpisodeScore| {
            let [p, q] = [e.p_value, e.q_value].map(|v| format!("{v:.6e}"));
            let [start, end, score] = [e.start_secs, e.end_secs, e.score].map(|v| format!("{v:.6}"));
            let suspect = u8::from(e.suspect).to_string();
            let (cause, channel) = (e.cause.to_string(), e.channel.clone().unwrap_or_default());
            vec![e.episode.clone(), p, q, suspect, cause, channel, start, end, score, e.windows.to_string()]
        };
        let header = header.map(String::from).to_vec();
        files::write_csv(path, std::iter::once(header).chain(self.episodes.iter().map(row)))
    }

    /// All episodes as one line of JSON.
    ///
    /// # Errors
    /// [`Error::Unwritable`] where it has no such form.
    pub fn to_json(&self) -> Result<String> {
        let left_out: Vec<&str> = self.left_out.iter().map(|short| short.id.as_str()).collect();
        let episodes = serde_json::to_value(&self.episodes).map_err(Error::unwritable("scores", "JSON"))?;
        let file = serde_json::json!({
            "format": FORMAT,
            "model": self.model,
            "false_discoveries": self.false_discoveries,
            "calibrated_on": self.calibrated_on,
            "episodes": episodes,
            "left_out": left_out,
        });
        Ok(file.to_string() + "\n")
    }

    /// Writes [`EpisodeScores::to_json`].
    ///
    /// # Errors
    /// As [`EpisodeScores::to_json`]; [`Error::Io`] when the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        files::write_bytes(path, self.to_json()?.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(p_value: f64) -> EpisodeScore {
        EpisodeScore {
            episode: format!("a/{p_value}"),
            windows: 3,
            p_value,
            q_value: 1.0,
            suspect: false,
            cause: "shape",
            channel: Some("q".into()),
            start_secs: 0.5,
            end_secs: 2.0,
            score: -p_value,
        }
    }

    #[test]
    fn suspects_are_told_at_a_rate_of_false_discoveries() {
        // The example of Benjamini and Hochberg 1995, section 2.2: four of fifteen at 5 %.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        let mut episodes: Vec<EpisodeScore> = p.iter().rev().map(|p| scored(*p)).collect();
        told(&mut episodes, 0.05);
        assert_eq!(episodes.iter().filter(|e| e.suspect).count(), 4);
        assert!(episodes.is_sorted_by_key(|e| e.p_value) && episodes.is_sorted_by_key(|e| e.q_value));
        assert!((episodes[3].q_value - 0.0095 * 15.0 / 4.0).abs() < 1e-12);

        let scores = EpisodeScores {
            model: "ebm".into(),
            false_discoveries: 0.05,
            calibrated_on: 100,
            episodes,
            left_out: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        scores.write_csv(&folder.path().join("s.csv")).unwrap();
        let text = std::fs::read_to_string(folder.path().join("s.csv")).unwrap();
        let first = "\na/0.0001,1.000000e-4,1.500000e-3,1,shape,q,0.500000,2.000000,-0.000100,3\n";
        assert!(text.contains(first), "{text}");
        let json: serde_json::Value = serde_json::from_str(&scores.to_json().unwrap()).unwrap();
        assert_eq!((&json["format"], json["episodes"].as_array().unwrap().len()), (&FORMAT.into(), 15));
    }
}
