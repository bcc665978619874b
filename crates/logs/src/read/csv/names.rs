//! What the names of columns say of what stands in them.

use super::super::options::TimeUnit;
use std::collections::{HashMap, HashSet};

/// Words before `_time` that make it a stamp: `log_time`, but not `cycle_time`.
const CLOCKS: &[&str] = &[
    "controller",
    "device",
    "elapsed",
    "epoch",
    "gps",
    "header",
    "host",
    "local",
    "log",
    "pub",
    "publish",
    "rec",
    "receive",
    "received",
    "record",
    "recv",
    "robot",
    "ros",
    "sample",
    "sensor",
    "server",
    "sim",
    "sys",
    "system",
    "unix",
    "utc",
    "wall",
];
/// Last parts of names under which no motion is logged.
const BOOKKEEPING: &[&str] = &[
    "episode_index",
    "episode_id",
    "frame_count",
    "frame_counter",
    "frame_id",
    "frame_idx",
    "frame_index",
    "frame_no",
    "frame_number",
    "index_in_episode",
    "message_index",
    "msg_index",
    "nanosec",
    "nanosecs",
    "nanoseconds",
    "nsec",
    "nsecs",
    "packet_counter",
    "row_index",
    "sample_index",
    "seq",
    "seq_num",
    "sequence",
    "sequence_number",
    "step_index",
    "task_index",
];
/// Names of columns that count, if their values do.
const COUNTING: &[&str] = &[
    "",
    "#",
    "cnt",
    "count",
    "counter",
    "cycle",
    "cycles",
    "frame",
    "frames",
    "i",
    "id",
    "idx",
    "index",
    "iter",
    "iteration",
    "k",
    "line",
    "msg",
    "n",
    "no",
    "nr",
    "num",
    "number",
    "packet",
    "record",
    "row",
    "sample",
    "samples",
    "step",
    "steps",
];
const COUNTING_ENDS: &[&str] = &[
    "_cnt", "_count", "_counter", "_frame", "_id", "_idx", "_index", "_no", "_nr", "_num", "_number", "_seq", "_step",
];

/// The last part of `a/b.c`, in small letters.
fn last(name: &str) -> String {
    let part = name.trim_end_matches(['/', '.']).rsplit(['/', '.']).next().unwrap_or(name);
    part.to_lowercase()
}

/// Whether `name` is one of stamps, and the unit that it says: `timestamp_ms`, `%time`, `header.stamp`, `TimeUS`.
pub(super) fn time_unit(name: &str) -> Option<Option<TimeUnit>> {
    let part = last(name);
    let part = part.trim_start_matches('%');
    let after = |begin: &str| {
        let rest = part.strip_prefix(begin)?.trim_matches([' ', '_', '-']);
        if rest.is_empty() { Some(None) } else { TimeUnit::of_word(rest).map(Some) }
    };
    let begins = ["timestamp", "time_stamp", "datetime", "date_time", "date time", "time", "stamp", "rostime"];
    if let Some(unit) = begins.iter().find_map(|begin| after(begin)) {
        return Some(unit);
    }
    let (of, unit) = part.rsplit_once(['_', ' ']).map_or((part, None), |(of, end)| match TimeUnit::of_word(end) {
        Some(unit) => (of, Some(unit)),
        None => (part, None),
    });
    if of == "t" && unit.is_some() {
        return Some(unit);
    }
    let (clock, word) = of.rsplit_once(['_', ' '])?;
    (matches!(word, "time" | "timestamp" | "stamp") && CLOCKS.contains(&clock)).then_some(unit)
}

/// Whether `name` is in no directory and part of nothing.
pub(super) fn is_plain(name: &str) -> bool {
    !name.trim_start_matches('/').contains(['/', '.'])
}

/// The beginning that seconds and nanoseconds of one stamp share, and which of the two `name` is (nanoseconds: true):
/// `header.stamp.sec`, `header.stamp.nanosec`.
pub(super) fn stamp_part(name: &str) -> Option<(String, bool)> {
    let (begin, word) = name.rsplit_once(['.', '/', '_']).map_or(("", name), |(begin, word)| (begin, word));
    match word.to_lowercase().as_str() {
        "sec" | "secs" | "seconds" => Some((begin.to_lowercase(), false)),
        "nsec" | "nsecs" | "nanosec" | "nanosecs" | "nanoseconds" => Some((begin.to_lowercase(), true)),
        _ => None,
    }
}

/// Whether a column is no motion by its name alone: an index, a sequence number, a stamp, what LeRobot says of the next
/// frame.
pub(super) fn is_bookkeeping(name: &str) -> bool {
    let part = last(name);
    BOOKKEEPING.contains(&part.as_str())
        || name.starts_with("next.")
        || name.to_lowercase().starts_with("unnamed: ")
        || time_unit(name).is_some()
}

/// Whether a column that counts up is no motion by its name.
pub(super) fn is_counting(name: &str) -> bool {
    let part = last(name);
    COUNTING.contains(&part.as_str()) || COUNTING_ENDS.iter().any(|end| part.ends_with(end))
}

/// `('left', 'q1')`, as pandas writes the names of several levels, as `left.q1`; other names as they are.
pub(super) fn joined(name: &str) -> String {
    let inner = name.strip_prefix("('").or(name.strip_prefix("(\"")).and_then(|n| n.strip_suffix(')'));
    let Some(inner) = inner else { return name.into() };
    let parts = inner.split(", ").map(|part| part.trim_matches(['\'', '"']).trim());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

/// A name of the form `field.position0`: what stands before the word, the word, and what numbers it.
pub(super) fn numbered(name: &str) -> Option<(&str, &str, &str)> {
    let inner = name.strip_suffix(']').unwrap_or(name);
    let digits = inner.bytes().rev().take_while(u8::is_ascii_digit).count();
    let word_end = name[..inner.len() - digits].trim_end_matches(['[', '_', '.', '/']).len();
    let (front, number) = name.split_at(word_end);
    let word_begin = front.rfind(['.', '/']).map_or(0, |i| i + 1);
    (digits > 0 && word_begin < word_end).then_some((&front[..word_begin], &front[word_begin..], number))
}

/// Names of a joint's quantity: `elbow.velocity`, and `elbow` for its position, as in logs of ROS; what stands before
/// is left out where it says nothing.
pub(super) fn of_joint(before: &str, joint: &str, word: &str) -> String {
    let before = before.trim_start_matches("field.");
    match word.trim_start_matches('_').to_lowercase().as_str() {
        "position" | "positions" | "pos" | "value" | "val" | "data" => format!("{before}{joint}"),
        _ => format!("{before}{joint}.{word}"),
    }
}

/// Each name once: the second `x` is `x.1`, as in pandas. The first value says which are such.
pub(super) fn each_once(names: Vec<String>) -> (Vec<Option<usize>>, Vec<String>) {
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    let all: HashSet<&str> = names.iter().map(String::as_str).collect();
    let (mut twin_of, mut unique): (Vec<Option<usize>>, Vec<String>) = (Vec::new(), Vec::new());
    let mut taken: HashSet<String> = HashSet::new();
    for (i, name) in names.iter().enumerate() {
        let first = *first_of.entry(name).or_insert(i);
        let twin = (first < i && !name.is_empty()).then_some(first);
        let free = |new: &String| !all.contains(new.as_str()) && !taken.contains(new);
        let new = twin.and_then(|_| (1..=names.len()).map(|k| format!("{name}.{k}")).find(free));
        taken.extend(new.clone());
        twin_of.push(twin);
        unique.push(new.unwrap_or_else(|| name.clone()));
    }
    (twin_of, unique)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_known_by_name() {
        use TimeUnit::{Ms, Ns, S, Us};
        for (name, unit) in [
            ("time", None),
            ("Time", None),
            ("%time", None),
            ("timestamp", None),
            ("field.header.stamp", None),
            ("datetime", None),
            ("timestamp_ms", Some(Ms)),
            ("time_us", Some(Us)),
            ("TimeUS", Some(Us)),
            ("time_s", Some(S)),
            ("t_ms", Some(Ms)),
            ("timestamp_ns", Some(Ns)),
            ("log_time", None),
            ("recv_time_ns", Some(Ns)),
            ("/clock/stamp", None),
        ] {
            assert_eq!(time_unit(name), Some(unit), "{name}");
        }
        for name in ["t", "cycle_time", "time_of_flight", "timestep", "times_up", "lap_time", "q_time", "stamping"] {
            assert_eq!(time_unit(name), None, "{name}");
        }
        assert_eq!(stamp_part("header.stamp.sec"), Some(("header.stamp".into(), false)));
        assert_eq!(stamp_part("header_stamp_nsecs"), Some(("header_stamp".into(), true)));
        assert_eq!(stamp_part("position"), None);
    }

    #[test]
    fn names_of_joints_and_of_bookkeeping() {
        assert_eq!(numbered("field.position0"), Some(("field.", "position", "0")));
        assert_eq!(numbered("name_12"), Some(("", "name", "_12")));
        assert_eq!(numbered("left/name[3]"), Some(("left/", "name", "[3]")));
        assert_eq!(numbered("name"), None);
        assert_eq!(numbered("12"), None);
        assert_eq!(numbered("[0]"), None);
        assert_eq!(of_joint("field.", "elbow", "position"), "elbow");
        assert_eq!(of_joint("left.", "elbow", "effort"), "left.elbow.effort");
        assert_eq!(joined("('left', 'q1')"), "left.q1");
        assert_eq!(joined("('time', '')"), "time");
        assert_eq!(joined("q (left)"), "q (left)");
        for name in ["frame_index", "field.header.seq", "header.stamp.nanosec", "next.done", "Unnamed: 0", "timestamp"]
        {
            assert!(is_bookkeeping(name), "{name}");
        }
        for name in ["index", "q1", "position", "index_finger", "torque.index"] {
            assert!(!is_bookkeeping(name), "{name}");
        }
        assert!(is_counting("index") && is_counting("frame") && is_counting("msg_no") && !is_counting("pos_ticks"));
        let names = ["x", "y", "x", "x.1", "x"].map(String::from).to_vec();
        let (twins, unique) = each_once(names);
        assert_eq!(twins, [None, None, Some(0), None, Some(0)]);
        assert_eq!(unique, ["x", "y", "x.2", "x.1", "x.3"]);
    }
}
