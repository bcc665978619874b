//! What a log says of each frame beside its channels: a gesture, a phase. For evaluation only; no model sees it.

use super::Frames;
use super::read::table::FaultKind;
use super::read::{ReadOptions, episode_id, tables};
use super::split::recorded_id;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// A label for every frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The labels as the log writes them, each once, in the order in which they were met.
    pub names: Vec<String>,
    /// `(episodes)(T,)`: index in `names` of each frame of each episode.
    pub of_frame: Vec<Vec<u32>>,
}

impl Labels {
    /// Reads the column `column` of the logs from which `frames` were made, numbers or text; a frame has the label of
    /// the row nearest to it in time (of two as near, the earlier).
    ///
    /// # Errors
    /// As [`super::Recording::read`] for files that cannot be read as tables or have no such column; [`Error::Log`] for
    /// an empty cell of it; [`Error::Data`] when `frames` has an episode that these logs do not have.
    pub fn read(paths: &[impl AsRef<Path>], options: &ReadOptions, column: &str, frames: &Frames) -> Result<Self> {
        let only = Some(vec![column.to_string()]);
        let options =
            ReadOptions { channels: only, ignore: Vec::new(), wrap: Vec::new(), of_model: None, ..options.clone() };
        let mut names: Vec<String> = Vec::new();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        // Of each recorded episode: times and labels of its rows.
        let mut recorded: BTreeMap<String, Vec<(f64, u32)>> = BTreeMap::new();
        for (stem, table) in tables(paths, &options)? {
            if table.channels.len() != 1 {
                return Err(Error::config("label", format!("`{column}`"), "the name of one column"));
            }
            let mut texts: Vec<String> = table.values.iter().map(f64::to_string).collect();
            for fault in table.faults.iter().filter(|fault| fault.channel.is_some()) {
                if fault.kind == FaultKind::Empty {
                    return Err(table.error(fault.row, fault.channel, fault.found(), "a label"));
                }
                texts[fault.row].clone_from(&fault.text);
            }
            for run in &table.runs {
                let rows = run.rows.clone().filter(|row| table.time_secs[*row].is_finite());
                let labelled = rows.map(|row| {
                    let number = *numbers.entry(texts[row].clone()).or_insert_with(|| {
                        names.push(texts[row].clone());
                        names.len() as u32 - 1
                    });
                    (table.time_secs[row], number)
                });
                let mut labelled: Vec<(f64, u32)> = labelled.collect();
                labelled.sort_by(|a, b| a.0.total_cmp(&b.0));
                recorded.insert(episode_id(&stem, run), labelled);
            }
        }
        let of_frame = frames.episodes.iter().map(|episode| {
            let rows = recorded.get(&episode.id).or_else(|| recorded.get(recorded_id(&episode.id)));
            let rows = rows.filter(|rows| !rows.is_empty()).ok_or_else(|| {
                Error::data("labels", format!("no row of episode `{}`", episode.id), "labels of every episode")
            })?;
            Ok(episode.time_secs.iter().map(|time| nearest(rows, *time)).collect())
        });
        let of_frame = of_frame.collect::<Result<_>>()?;
        Ok(Self { names, of_frame })
    }
}

/// Label of the row nearest to `time`; `rows` ascend in time and are not empty.
fn nearest(rows: &[(f64, u32)], time: f64) -> u32 {
    let after = rows.partition_point(|(t, _)| *t < time).min(rows.len() - 1);
    let before = after.saturating_sub(1);
    let earlier = time - rows[before].0 <= rows[after].0 - time;
    rows[if earlier { before } else { after }].1
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, Episode};
    use super::*;

    #[test]
    fn a_frame_has_the_label_of_the_nearest_row() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::io(".", "create a folder"))?;
        let path = folder.path().join("log.csv");
        let text = "episode,time [s],x,kind\n0,0.0,1,reach\n0,0.1,2,reach\n0,0.2,3,2\n1,0.0,1,2.0\n1,0.1,2,reach\n";
        crate::files::write_bytes(&path, text.as_bytes())?;
        let episode = |id: &str, time_secs: Vec<f64>| Episode {
            id: id.into(),
            values: vec![0.0; time_secs.len()].into(),
            time_secs,
        };
        let mut frames = Frames {
            channels: vec![Channel { name: "x".into(), unit: None, period: None }],
            rate_hz: 20.0,
            episodes: vec![
                episode("log/1", vec![0.0, 0.04, 0.06, 0.1]),
                episode("log/0#2", vec![0.1, 0.149, 0.151, 0.3]),
            ],
            sources: Vec::new(),
            notes: Vec::new(),
            parts: Default::default(),
        };
        let options = ReadOptions { ignore: vec!["kind".into()], ..ReadOptions::default() };
        let labels = Labels::read(&[&path], &options, "kind", &frames)?;
        assert_eq!(labels.names, ["reach", "2"]);
        assert_eq!(labels.of_frame, [[1, 1, 0, 0], [0, 0, 1, 1]]);
        assert!(matches!(Labels::read(&[&path], &options, "sort", &frames), Err(Error::Log { .. })));
        frames.episodes.push(episode("log/7", vec![0.0]));
        assert!(matches!(Labels::read(&[&path], &options, "kind", &frames), Err(Error::Data { .. })));
        crate::files::write_bytes(&path, b"time,x,kind\n0,1,a\n1,2,\n")?;
        let error = Labels::read(&[&path], &options, "kind", &frames).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("an empty cell") && error.contains("line 3"), "{error}");
        Ok(())
    }
}
