//! MCAP with joint states of ROS 2.

use super::writer::{WriteOptions, Writer};
use crate::error::{Error, Result};
use crate::read::ros::{ABOUT, definition};
use crate::{Episode, Recording, files};
use mcap::records::{MessageHeader, Metadata};
use mcap::write::NoSeek;
use mcap::{Compression, McapError};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

const TYPE: &str = "sensor_msgs/msg/JointState";
const TOPIC: &str = "/joint_states";
const SECOND: u64 = 1_000_000_000;

/// `sensor_msgs/msg/JointState` on the topic `/joint_states`, packed by zstd, one message a row.
///
/// Channels `NAME`, `NAME.velocity` and `NAME.effort` become position, velocity and effort of the joint `NAME` where
/// every joint has them; else each channel is a position. Values are written as they are, times in whole nanoseconds.
/// Episodes and units are metadata, which reading takes back. The message's stamp is the row's time; the time of its
/// recording is the same, but later by a whole shift in episodes that would begin before the one in front of them ends.
pub(super) const WRITER: Writer = Writer { name: "MCAP", ending: ".mcap", write };

/// [`Error::Data`] for a time before 0 or after the year 2038, and for two rows in one nanosecond.
fn write(recording: &Recording, path: &Path, _: &WriteOptions) -> Result<Vec<String>> {
    let times = times(recording)?;
    let joints = Joints::of(recording);
    files::write_atomically(path, |out| messages(recording, &times, &joints, out).map_err(io_error))?;
    Ok(Vec::new())
}

/// `(rows,)` of each episode: nanoseconds of the message and of its recording.
fn times(recording: &Recording) -> Result<Vec<Vec<(u64, u64)>>> {
    let mut last: Option<u64> = None;
    let mut all = Vec::with_capacity(recording.episodes.len());
    for episode in &recording.episodes {
        let nanos = episode.time_secs.iter().map(|t| nanos(episode, *t)).collect::<Result<Vec<u64>>>()?;
        if let Some(row) = nanos.windows(2).position(|pair| matches!(pair, [a, b] if a >= b)) {
            let found = format!("rows {} and {} in one nanosecond", row + 1, row + 2);
            return Err(Error::data(format!("episode `{}`", episode.id), found, "steps of at least one"));
        }
        let first = nanos.first().copied().unwrap_or(0);
        let shift = last.filter(|last| *last >= first).map_or(0, |last| last + SECOND - first);
        last = nanos.last().map(|last| last + shift).or(last);
        all.push(nanos.into_iter().map(|t| (t, t + shift)).collect());
    }
    Ok(all)
}

fn nanos(episode: &Episode, secs: f64) -> Result<u64> {
    if !(0.0..f64::from(i32::MAX)).contains(&secs) {
        let expected = format!("a time from 0 to {} s, which a stamp of ROS can hold", i32::MAX);
        return Err(Error::data(format!("episode `{}`", episode.id), format!("the time {secs} s"), expected));
    }
    // The whole seconds are exact, and so is what is left of them.
    Ok(secs.trunc() as u64 * SECOND + (secs.fract() * 1e9).round() as u64)
}

/// Which channel is what of which joint.
struct Joints<'a> {
    names: Vec<&'a str>,
    /// Position, velocity, effort: a channel for every joint, or none.
    channels: [Vec<usize>; 3],
}

impl<'a> Joints<'a> {
    fn of(recording: &'a Recording) -> Self {
        let places: HashMap<&str, usize> =
            recording.channels.iter().enumerate().map(|(place, c)| (c.name.as_str(), place)).collect();
        let base = |name: &str| [".velocity", ".effort"].iter().find_map(|end| name.strip_suffix(end)).map(str::len);
        let second = |name: &str| base(name).is_some_and(|length| places.contains_key(&name[..length]));
        let names: Vec<&str> = recording.channels.iter().map(|c| c.name.as_str()).filter(|n| !second(n)).collect();
        let all = |end: &str| -> Vec<usize> {
            let each = names.iter().map(|name| places.get(format!("{name}{end}").as_str()).copied());
            each.collect::<Option<Vec<usize>>>().unwrap_or_default()
        };
        let channels = [all(""), all(".velocity"), all(".effort")];
        if channels.iter().map(Vec::len).sum::<usize>() == recording.channels.len() {
            return Self { names, channels };
        }
        let names: Vec<&str> = recording.channels.iter().map(|c| c.name.as_str()).collect();
        Self { channels: [(0..names.len()).collect(), Vec::new(), Vec::new()], names }
    }
}

fn messages(
    recording: &Recording,
    times: &[Vec<(u64, u64)>],
    joints: &Joints,
    out: &mut dyn Write,
) -> std::result::Result<(), McapError> {
    let options = mcap::WriteOptions::new().compression(Some(Compression::Zstd)).compression_threads(0).profile("ros2");
    let mut writer = options
        .library(concat!("ebmotion ", env!("CARGO_PKG_VERSION")))
        .disable_seeking(true)
        .create(NoSeek::new(out))?;
    let about = about(recording);
    if !about.is_empty() {
        writer.write_metadata(&Metadata { name: ABOUT.into(), metadata: about })?;
    }
    let schema = writer.add_schema(TYPE, "ros2msg", definition(TYPE).unwrap_or_default().as_bytes())?;
    let channel_id = writer.add_channel(schema, TOPIC, "cdr", &BTreeMap::new())?;
    let width = recording.channels.len();
    let mut sequence = 0;
    let mut message = Vec::new();
    for (episode, times) in recording.episodes.iter().zip(times) {
        for (row, (stamp, log_time)) in episode.values.rows(width).zip(times) {
            joint_state(&mut message, *stamp, joints, row);
            let header = MessageHeader { channel_id, sequence, log_time: *log_time, publish_time: *log_time };
            writer.write_to_known_channel(&header, &message)?;
            sequence = sequence.wrapping_add(1);
        }
    }
    writer.finish()?;
    Ok(())
}

/// What a joint state cannot hold: episodes where there are several, units.
fn about(recording: &Recording) -> BTreeMap<String, String> {
    let mut about = BTreeMap::new();
    if recording.episodes.len() > 1 {
        let rows: Vec<(&str, usize)> = recording.episodes.iter().map(|e| (e.id.as_str(), e.time_secs.len())).collect();
        about.insert("episodes".into(), serde_json::json!(rows).to_string());
    }
    let units: BTreeMap<&str, &str> =
        recording.channels.iter().filter_map(|c| Some((c.name.as_str(), c.unit.as_deref()?))).collect();
    if !units.is_empty() {
        about.insert("units".into(), serde_json::json!(units).to_string());
    }
    about
}

/// A message as little-endian CDR.
fn joint_state(into: &mut Vec<u8>, stamp: u64, joints: &Joints, row: &[f64]) {
    into.clear();
    into.extend([0, 1, 0, 0]);
    into.extend(((stamp / SECOND) as u32).to_le_bytes());
    into.extend(((stamp % SECOND) as u32).to_le_bytes());
    text(into, "");
    align(into, 4);
    into.extend((joints.names.len() as u32).to_le_bytes());
    for name in &joints.names {
        text(into, name);
    }
    for channels in &joints.channels {
        align(into, 4);
        into.extend((channels.len() as u32).to_le_bytes());
        for value in channels.iter().filter_map(|channel| row.get(*channel)) {
            align(into, 8);
            into.extend(value.to_le_bytes());
        }
    }
}

/// Fills up to a multiple of `to`, counted from the end of the encapsulation.
fn align(into: &mut Vec<u8>, to: usize) {
    into.resize((into.len() - 4).next_multiple_of(to) + 4, 0);
}

fn text(into: &mut Vec<u8>, text: &str) {
    align(into, 4);
    into.extend((text.len() as u32 + 1).to_le_bytes());
    into.extend(text.as_bytes());
    into.push(0);
}

fn io_error(e: McapError) -> std::io::Error {
    match e {
        McapError::Io(e) => e,
        e => std::io::Error::other(e),
    }
}
