//! What columns and episodes are called in a file.

use crate::{Channel, Recording};

/// A channel as a column is called: `q_elbow [rad]`.
pub(super) fn column_name(channel: &Channel) -> String {
    match &channel.unit {
        Some(unit) => format!("{} [{unit}]", channel.name),
        None => channel.name.clone(),
    }
}

/// What the episodes are called within one file: their names without the folder that all have in common, which is the
/// name of the log from which they came. None for a log that is one episode.
pub(super) fn episode_names(recording: &Recording) -> Option<Vec<&str>> {
    let ids: Vec<&[u8]> = recording.episodes.iter().map(|e| e.id.as_bytes()).collect();
    let alike = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let same = ids.iter().map(|id| alike(ids[0], id)).min().unwrap_or(0);
    let common = ids.first().and_then(|id| id[..same].iter().rposition(|b| *b == b'/')).map_or(0, |at| at + 1);
    match &recording.episodes[..] {
        [_] if common == 0 => None,
        episodes => Some(episodes.iter().map(|episode| &episode.id[common..]).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Episode;

    fn names(ids: &[&str]) -> Option<Vec<String>> {
        let episode = |id: &&str| Episode { id: (*id).into(), time_secs: vec![0.0], values: vec![0.0].into() };
        let episodes = ids.iter().map(episode).collect();
        let recording = Recording {
            channels: Vec::new(),
            episodes,
            sources: Vec::new(),
            notes: Vec::new(),
            parts: Default::default(),
        };
        episode_names(&recording).map(|names| names.into_iter().map(Into::into).collect())
    }

    #[test]
    fn episodes_lose_what_they_have_in_common() {
        let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(names(&["log"]), None);
        assert_eq!(names(&["log/3"]), some(&["3"]));
        assert_eq!(names(&["log/3", "log/31"]), some(&["3", "31"]));
        assert_eq!(names(&["log#1", "log#2"]), some(&["log#1", "log#2"]));
        assert_eq!(names(&["run1", "run2"]), some(&["run1", "run2"]));
        assert_eq!(names(&["a/0", "b/0"]), some(&["a/0", "b/0"]));
        assert_eq!(names(&["x/a/0", "x/b/0"]), some(&["a/0", "b/0"]));
        assert_eq!(names(&["ä/0", "ö/0"]), some(&["ä/0", "ö/0"]));
    }
}
