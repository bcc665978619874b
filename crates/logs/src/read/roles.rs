//! What names say of columns of numbers: time, episode, bookkeeping; and which unit stamps have.

use super::ReadOptions;
use super::options::TimeUnit;
use super::units::guessed;

/// Names of the time, the first one there is taken.
const TIMES: [&str; 6] = ["time", "timestamp", "timestamps", "stamp", "t", "%time"];
/// Names of the episode, the first one there is taken.
const EPISODES: [&str; 3] = ["episode", "episode_index", "episode_id"];
/// Last parts of names of columns that are no motion.
const BOOKKEEPING: [&str; 8] = [
    "episode_index",
    "episode_id",
    "frame_index",
    "frame_id",
    "task_index",
    "seq",
    "sequence_number",
    "__index_level_0__",
];
/// Names of whole numbers that only count.
const COUNTING: [&str; 10] = ["index", "idx", "id", "step", "frame", "row", "count", "counter", "i", "n"];

/// Which of the names is that of the time: `time`, `timestamp` and the like, also with a unit, `timestamp_ms`.
pub(super) fn time(names: &[&str]) -> Option<usize> {
    let plain = TIMES.iter().find_map(|time| names.iter().position(|name| name.eq_ignore_ascii_case(time)));
    plain.or_else(|| names.iter().position(|name| name_unit(name).is_some()))
}

/// Units in a second by the name of a column of times: `timestamp_ms`.
pub(super) fn name_unit(name: &str) -> Option<f64> {
    let (begin, unit) = name.rsplit_once('_')?;
    TIMES.iter().any(|time| begin.eq_ignore_ascii_case(time)).then(|| TimeUnit::of_word(unit).map(TimeUnit::per_sec))?
}

/// Which of the names is that of the episode.
pub(super) fn episode(names: &[&str]) -> Option<usize> {
    EPISODES.iter().find_map(|episode| names.iter().position(|name| name == episode))
}

/// Whether a column is no motion by its name; `whole` where it can only hold whole numbers.
pub(super) fn is_bookkeeping(name: &str, whole: bool) -> bool {
    let last = name.rsplit(['/', '.']).next().unwrap_or(name);
    BOOKKEEPING.contains(&last) || name.starts_with("next.") || whole && COUNTING.contains(&last)
}

/// Units in a second of stamps whose column does not say it, by `options` or as text logs have it, with a sentence
/// where that is a guess.
///
/// # Errors
/// What was found and the setting that decides, as [`guessed`].
pub(super) fn units_per_sec(stamps: &[f64], options: &ReadOptions) -> Result<(f64, Option<String>), (String, String)> {
    if let Some(unit) = options.time_unit {
        return Ok((unit.per_sec(), None));
    }
    let mut steps: Vec<f64> = stamps.windows(2).map(|w| w[1] - w[0]).filter(|step| step.is_finite()).collect();
    guessed(stamps, &mut steps).map(|(unit, note)| (unit.per_sec(), note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_time() {
        assert_eq!(time(&["x", "timestamp", "time"]), Some(2));
        assert_eq!(time(&["x", "timestamp_ms"]), Some(1));
        assert_eq!(time(&["x", "uptime", "cycle_time", "t_x"]), None);
        assert_eq!(name_unit("time_ns"), Some(1e9));
        assert_eq!((name_unit("time_left"), name_unit("time")), (None, None));
    }

    #[test]
    fn columns_that_are_no_motion() {
        for (name, whole, is) in [
            ("frame_index", true, true),
            ("step", true, true),
            ("step", false, false),
            ("next.reward", false, true),
            ("/arm/seq", true, true),
            ("index_finger", true, false),
            ("q_1", true, false),
        ] {
            assert_eq!(is_bookkeeping(name, whole), is, "{name}");
        }
    }

    #[test]
    fn stamps_tell_their_unit_by_size_and_step() {
        let stamps = |first: f64, step: f64| (0..5).map(|k| first + step * f64::from(k)).collect::<Vec<f64>>();
        let guess = |stamps: &[f64]| units_per_sec(stamps, &ReadOptions::default()).unwrap();
        assert_eq!(guess(&stamps(1.7e12, 20.0)).0, 1e3);
        assert_eq!(guess(&stamps(1.7e15, 20_000.0)).0, 1e6);
        assert_eq!(guess(&stamps(1.7e18, 2e7)).0, 1e9);
        assert_eq!(guess(&stamps(0.0, 2e7)).0, 1e9);
        assert_eq!(guess(&stamps(1.7e9, 1.0)), (1.0, None));
        assert_eq!(guess(&stamps(0.0, 0.02)), (1.0, None));
    }
}
