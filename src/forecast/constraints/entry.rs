//! An entry of a constraint file: channels by name, units, times.

use crate::error::{Error, Result};
use crate::kinematics::Robot;
use crate::trajectory::Channel;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::f64::consts::PI;
use std::fmt::Display;
use std::path::Path;

/// Units that stand for each other, with what one of them is in the first of its kind.
const UNITS: [(&str, char, f64); 5] =
    [("rad", 'a', 1.0), ("deg", 'a', PI / 180.0), ("m", 'l', 1.0), ("cm", 'l', 0.01), ("mm", 'l', 0.001)];

/// An entry, and what it is held against.
pub(super) struct Entry<'a> {
    /// `goal 2 of FILE`.
    pub(super) name: String,
    pub(super) value: &'a Value,
    pub(super) file: &'a Path,
    pub(super) channels: &'a [Channel],
    pub(super) rate_hz: f64,
    pub(super) horizon: usize,
    pub(super) robot: Option<&'a Robot>,
}

impl<'a> Entry<'a> {
    /// An error of this entry.
    pub(super) fn fault(&self, found: impl Display, expected: impl Into<String>) -> Error {
        Error::data(self.name.clone(), found, expected)
    }

    /// Its keys as a structure.
    ///
    /// # Errors
    /// [`Error::Data`] for a key that is unknown or missing, and for a value of another type.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.value.clone()).map_err(|e| self.fault(e, "the keys of docs/constraints.md"))
    }

    /// The robot of `--urdf`.
    ///
    /// # Errors
    /// [`Error::Data`] where none is given.
    pub(super) fn robot(&self) -> Result<&'a Robot> {
        self.robot
            .ok_or_else(|| self.fault("no robot", "a URDF file that has its links, joints and limits (`urdf = FILE`)"))
    }

    /// The channels' names and units, as a robot asks for them.
    pub(super) fn named(&self) -> Vec<(&'a str, Option<&'a str>)> {
        self.channels.iter().map(|channel| (channel.name.as_str(), channel.unit.as_deref())).collect()
    }

    /// The channels whose names fit `pattern`.
    ///
    /// # Errors
    /// [`Error::Data`] where none does.
    pub(super) fn matching(&self, pattern: &str) -> Result<Vec<usize>> {
        let found: Vec<usize> = (0..self.channels.len()).filter(|c| self.channels[*c].is_named(pattern)).collect();
        if found.is_empty() {
            let names: Vec<&str> = self.channels.iter().map(|c| c.name.as_str()).collect();
            return Err(self.fault(
                format!("`{pattern}`, which fits no channel"),
                format!("names of channels: {}", names.join(", ")),
            ));
        }
        Ok(found)
    }

    /// What a number in `unit` is in the unit of a channel, as a factor.
    ///
    /// # Errors
    /// [`Error::Data`] for another kind of unit than the channel's, or no unit where the channel has one.
    pub(super) fn factor(&self, unit: Option<&str>, channel: usize) -> Result<f64> {
        let Channel { name, unit: own, .. } = &self.channels[channel];
        match (unit, own.as_deref()) {
            (Some("none") | None, None) => Ok(1.0),
            (Some(given), Some(own)) if given == own => Ok(1.0),
            (Some(given), Some(own)) => match conversion(given, own) {
                Some(factor) => Ok(factor),
                None => Err(self.fault(format!("unit = \"{given}\""), format!("a unit for `{name} [{own}]`"))),
            },
            (None, Some(own)) => {
                Err(self.fault("no unit", format!("unit = \"{own}\", that of `{name}`, or one of its kind")))
            }
            (Some(given), None) => {
                Err(self
                    .fault(format!("unit = \"{given}\""), format!("unit = \"none\": `{name}` has no unit in the log")))
            }
        }
    }

    /// What a length in `unit` is in metres, as a factor.
    ///
    /// # Errors
    /// [`Error::Data`] for no unit, or one of another kind.
    pub(super) fn metres(&self, unit: Option<&str>) -> Result<f64> {
        let found = unit.map_or("no unit".into(), |unit| format!("unit = \"{unit}\""));
        unit.and_then(|unit| conversion(unit, "m")).ok_or_else(|| self.fault(found, "unit = \"m\", \"cm\" or \"mm\""))
    }

    /// The frame, from 0, that lies `time` (`2s`, `400ms`, `50f`) after the last known one; the forecast's last where
    /// none is given.
    ///
    /// # Errors
    /// [`Error::Data`] for what is no time, and for one that the forecast does not reach.
    pub(super) fn frame(&self, time: Option<&str>) -> Result<usize> {
        let Some(time) = time else { return Ok(self.horizon - 1) };
        let number = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0);
        let secs = |text: &str, scale: f64| number(text).map(|secs| secs * scale * self.rate_hz);
        let frames = match (time.strip_suffix("ms"), time.strip_suffix('s'), time.strip_suffix('f')) {
            (Some(text), ..) => secs(text, 1e-3),
            (_, Some(text), _) => secs(text, 1.0),
            (.., Some(text)) => text.parse::<u32>().ok().map(f64::from),
            _ => None,
        };
        let reach = format!("a time ahead such as \"2s\", \"400ms\" or \"50f\", up to {} frames", self.horizon);
        match frames.map(f64::round).filter(|frames| (1.0..=self.horizon as f64).contains(frames)) {
            Some(frames) => Ok(frames as usize - 1),
            None => Err(self.fault(format!("at = \"{time}\""), reach)),
        }
    }

    /// A positive number.
    ///
    /// # Errors
    /// [`Error::Data`] otherwise.
    pub(super) fn positive(&self, key: &str, value: f64) -> Result<f64> {
        match value > 0.0 && value.is_finite() {
            true => Ok(value),
            false => Err(self.fault(format!("{key} = {value}"), "a positive number")),
        }
    }
}

/// What one `from` is in `to`, where both are of one kind.
fn conversion(from: &str, to: &str) -> Option<f64> {
    let known = |name: &str| UNITS.iter().find(|(unit, ..)| *unit == name);
    let ((_, kind, a), (_, other, b)) = (known(from)?, known(to)?);
    (kind == other).then(|| a / b)
}
