//! What a detector finds in a log: every window with its score, the alarms, and the files that keep them.

use super::Detector;
use super::score::STRIDE;
use crate::error::{Error, Result};
use crate::files;
use crate::trajectory::{Frames, ShortEpisode, Windows};
use serde::Serialize;
use std::path::Path;

/// The first word of the file of findings.
const FORMAT: &str = "ebmotion anomalies 1";

/// A window of a log, and what the detector says of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Name of the episode.
    pub episode: String,
    /// Where the window begins, seconds from the start of the episode.
    pub start_secs: f64,
    /// Where it ends.
    pub end_secs: f64,
    /// How strange it is, nats.
    pub score: f64,
    /// Share of normal windows with at least this score.
    pub p_value: f64,
    /// True where the share is no larger than the rate of false alarms that was asked for.
    pub alarm: bool,
    /// The judge that has the largest part in the score.
    pub judge: &'static str,
    /// The channel that stands out most; none where no score looks at channels.
    pub channel: Option<String>,
}

/// A stretch of an episode whose windows overlap and are alarms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch<'a> {
    /// Where it begins, seconds from the start of the episode.
    pub start_secs: f64,
    /// Where it ends.
    pub end_secs: f64,
    /// Its window of the largest score, by which it is told.
    pub worst: &'a Finding,
}

/// All windows of a log, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// What judged: the forecaster's name, or a name that the caller puts in its place, such as the model's file.
    pub model: String,
    /// Share of normal windows that are alarms, as it was asked for.
    pub false_alarms: f64,
    /// Normal windows that the detector was calibrated on.
    pub calibrated_on: usize,
    /// The windows, episode by episode, in the order of time.
    pub windows: Vec<Finding>,
    /// Episodes that are too short for a window.
    pub left_out: Vec<ShortEpisode>,
    /// What was guessed, left out or mended in the logs, and what stands out in them, a sentence each.
    pub notes: Vec<String>,
}

impl Detector<'_> {
    /// Checks that alarms can be as rare as `false_alarms`, a share of normal windows.
    ///
    /// # Errors
    /// [`Error::Config`] unless it lies between 0 and 1 and is no smaller than the smallest p-value.
    pub fn check_rate(&self, false_alarms: f64) -> Result<()> {
        if !(false_alarms > 0.0 && false_alarms < 1.0) {
            return Err(Error::config("false_alarms", false_alarms, "a share between 0 and 1"));
        }
        let least = 1.0 / (self.calibrated_on() + 1) as f64;
        if false_alarms < least {
            let expected =
                format!("at least {least:.2e}: the model was calibrated on {} windows", self.calibrated_on());
            return Err(Error::config("false_alarms", false_alarms, expected));
        }
        Ok(())
    }

    /// Judges windows of [`Detector::frames`] frames, one every 4, of all episodes of a log. About the share
    /// `false_alarms` of normal windows is an alarm.
    ///
    /// # Errors
    /// As [`Detector::check_rate`], [`crate::forecast::Model::check_fits`] and [`Detector::judge`]; [`Error::Data`]
    /// where no episode is long enough.
    pub fn search(&self, frames: &Frames, false_alarms: f64) -> Result<Findings> {
        self.check_rate(false_alarms)?;
        let model = self.model();
        model.check_fits(frames)?;
        let judged = self.frames();
        let listed = Windows::new(frames, &(0..frames.episodes.len()).collect::<Vec<_>>(), self.cut(STRIDE))?;
        let found = self.judge_listed(&listed)?;
        let windows = found.into_iter().enumerate().map(|(i, found)| {
            let start = listed.start_of(i);
            Finding {
                episode: frames.episodes[listed.episode_of(i)].id.clone(),
                start_secs: start as f64 / frames.rate_hz,
                end_secs: (start + judged) as f64 / frames.rate_hz,
                score: found.score,
                p_value: found.p_value,
                alarm: found.p_value <= false_alarms,
                judge: found.leading,
                channel: found.channel.map(|c| frames.channels[c].name.clone()),
            }
        });
        Ok(Findings {
            model: model.forecaster().name().into(),
            false_alarms,
            calibrated_on: self.calibrated_on(),
            windows: windows.collect(),
            left_out: listed.too_short().to_vec(),
            notes: frames.notes.clone(),
        })
    }
}

impl Findings {
    /// The windows that are alarms.
    pub fn alarms(&self) -> impl Iterator<Item = &Finding> {
        self.windows.iter().filter(|window| window.alarm)
    }

    /// Overlapping alarms of an episode as one stretch each, the worst first.
    ///
    /// ```
    /// use ebmotion::anomaly::{Finding, Findings};
    ///
    /// let window = |start_secs: f64, score: f64| Finding {
    ///     episode: "log/0".into(), start_secs, end_secs: start_secs + 2.0, score, p_value: 0.001, alarm: true,
    ///     judge: "energy", channel: Some("q_elbow".into()),
    /// };
    /// let windows = vec![window(0.0, 5.0), window(1.0, 9.0), window(8.0, 7.0)];
    /// let (model, left_out, notes) = ("ebm".into(), Vec::new(), Vec::new());
    /// let found = Findings { model, false_alarms: 0.01, calibrated_on: 500, windows, left_out, notes };
    /// let told: Vec<_> = found.stretches().iter().map(|s| (s.start_secs, s.end_secs, s.worst.score)).collect();
    /// assert_eq!(told, [(0.0, 3.0, 9.0), (8.0, 10.0, 7.0)]);
    /// ```
    pub fn stretches(&self) -> Vec<Stretch<'_>> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for alarm in self.alarms() {
            match stretches.last_mut() {
                Some(last) if last.worst.episode == alarm.episode && alarm.start_secs <= last.end_secs => {
                    last.end_secs = alarm.end_secs;
                    if alarm.score > last.worst.score {
                        last.worst = alarm;
                    }
                }
                _ => stretches.push(Stretch { start_secs: alarm.start_secs, end_secs: alarm.end_secs, worst: alarm }),
            }
        }
        stretches.sort_by(|a, b| b.worst.score.total_cmp(&a.worst.score));
        stretches
    }

    /// All windows as a table.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let header = ["episode", "start [s]", "end [s]", "score [nats]", "p_value", "alarm", "judge", "channel"];
        let row = |w: &Finding| {
            let [start, end, score, p] = [w.start_secs, w.end_secs, w.score, w.p_value].map(|v| format!("{v:.6}"));
            let alarm = u8::from(w.alarm).to_string();
            vec![
                w.episode.clone(),
                start,
                end,
                score,
                p,
                alarm,
                w.judge.to_string(),
                w.channel.clone().unwrap_or_default(),
            ]
        };
        let header = header.map(String::from).to_vec();
        files::write_csv(path, std::iter::once(header).chain(self.windows.iter().map(row)))
    }

    /// All windows as one line of JSON.
    ///
    /// # Errors
    /// [`Error::Unwritable`] where it has no such form.
    pub fn to_json(&self) -> Result<String> {
        let file = FindingsFile {
            format: FORMAT,
            model: &self.model,
            false_alarms: self.false_alarms,
            calibrated_on: self.calibrated_on,
            windows: &self.windows,
            notes: &self.notes,
        };
        Ok(serde_json::to_string(&file).map_err(Error::unwritable("anomalies", "JSON"))? + "\n")
    }

    /// Writes [`Findings::to_json`].
    ///
    /// # Errors
    /// As [`Findings::to_json`]; [`Error::Io`] when the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        files::write_bytes(path, self.to_json()?.as_bytes())
    }
}

#[derive(Debug, Serialize)]
struct FindingsFile<'a> {
    /// Always [`FORMAT`].
    format: &'static str,
    model: &'a str,
    false_alarms: f64,
    calibrated_on: usize,
    windows: &'a [Finding],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_alarms_are_one_stretch_told_by_the_worst() {
        let window = |episode: &str, start_secs: f64, score: f64, alarm: bool| Finding {
            episode: episode.into(),
            start_secs,
            end_secs: start_secs + 1.0,
            score,
            p_value: if alarm { 0.001 } else { 0.5 },
            alarm,
            judge: "energy",
            channel: Some("q".into()),
        };
        let windows = vec![
            window("a", 0.0, 3.0, true),
            window("a", 0.5, 9.0, true),
            window("a", 1.0, 4.0, true),
            window("a", 1.5, 0.0, false),
            window("a", 2.5, 5.0, true),
            window("b", 2.75, 20.0, true),
        ];
        let found = Findings {
            model: "ebm".into(),
            false_alarms: 0.01,
            calibrated_on: 100,
            windows,
            left_out: Vec::new(),
            notes: Vec::new(),
        };
        let told: Vec<_> = found
            .stretches()
            .iter()
            .map(|s| (s.worst.episode.clone(), s.start_secs, s.end_secs, s.worst.score))
            .collect();
        assert_eq!(told, [("b".into(), 2.75, 3.75, 20.0), ("a".into(), 0.0, 2.0, 9.0), ("a".into(), 2.5, 3.5, 5.0)]);
        assert_eq!(found.alarms().count(), 5);
        let start =
            r#"{"format":"ebmotion anomalies 1","model":"ebm","false_alarms":0.01,"calibrated_on":100,"windows":[{"#;
        assert!(found.to_json().unwrap().starts_with(start));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("found.csv");
        found.write_csv(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\na,2.500000,3.500000,5.000000,0.001000,1,energy,q\n"), "{text}");
    }
}
